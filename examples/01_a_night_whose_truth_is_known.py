"""A simulated night, its gaps beside the truth, and what the study refuses to say. Runs offline."""

from __future__ import annotations

import eventtape
from eventtape.simulate import MARKETS


def main() -> None:
    night = eventtape.event_night(seed=7)
    result = eventtape.diffusion(night.tape, eventtape.SIMULATED)
    truth = {market.label: market for market in MARKETS}
    print("market    true gap  estimate   95% interval        status")
    for row in result.gaps:
        if row.horizon_s == result.config.headline_s:
            e = row.estimate
            print(
                f"{row.market:9} {truth[row.market].gap:+8.3f}  {e.gap:+8.3f}   "
                f"{e.lower:+.3f} to {e.upper:+.3f}    {row.status}"
            )
    for pair in result.lead_lags:
        if pair.first == eventtape.SIMULATED.primary:
            told = f"{pair.leader} first, by {pair.lag_s:.0f} s" if pair.leader else pair.status
            print(f"{pair.second}: truly {truth[pair.second].lag_s:+.0f} s behind; study: {told}")


if __name__ == "__main__":
    main()
