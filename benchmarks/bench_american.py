"""American puts: price with five Greeks, and implied volatility, against QuantLib.

The options are 243 of the set of Andersen, Lake and Offengenden (2016), K = 100: terms 30, 182 and
365 days, rates 2, 6 and 10%, yields 0, 4 and 12%, spots 90, 100 and 110, volatility 10, 30 and 60%;
those worth more than 0.5 and not at exercise, also not within two hundredths of the boundary, where
differences reach across it. Targets: price and five Greeks at least 35 times as fast as QdFp
(accurate scheme) with Greeks by central differences, nine pricings an option, at RMSE of price
below 5e-5; implied volatility at least 100 times as fast as VanillaOption.impliedVolatility (its
default engine and accuracy). One thread each, seconds of the processor. Truth: QdFp at high
precision, differences of fourth order.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from eventtape.estimators.pricing.american import american
from eventtape.estimators.pricing.american_implied_vol import american_implied_vol
from peer_environment import HERE, peer_python
from table import show

GRID = (
    (30, 182, 365),
    (0.02, 0.06, 0.10),
    (0.0, 0.04, 0.12),
    (90.0, 100.0, 110.0),
    (0.1, 0.3, 0.6),
)
NAMES = ("price", "delta", "gamma", "theta", "vega", "rho")


def main() -> None:
    days, r, q, S, vol = np.array(list(itertools.product(*GRID))).T

    def prices(spot):
        return american(spot, 100.0, days / 365, r, q, vol, is_call=False, accuracy="high")

    keep = (prices(S).price > 0.5) & (prices(0.98 * S).status == 0)
    options = np.column_stack([days, r, q, S, vol])[keep]
    days, r, q, S, vol = (np.ascontiguousarray(x) for x in options.T)
    tau = days / 365
    price = prices(S).price
    quotes = np.column_stack([price, days, r, q, S])
    peer = _quantlib({"options": options.tolist(), "quotes": quotes.tolist()})
    truth, bumped = np.array(peer["truth"]), np.array(peer["greeks"])
    n, rows = days.size, []
    for accuracy in ("standard", "high"):

        def ours(accuracy=accuracy):
            return american(S, 100.0, tau, r, q, vol, is_call=False, accuracy=accuracy)

        found = np.stack(ours()[:6], axis=1)
        rows.append(_row(f"eventtape, {accuracy}", _best_of(ours, 20) / n, found, truth, peer, n))
    rows.append(
        _row("QdFp accurate, 9 pricings", peer["greeks_seconds"] / n, bumped, truth, peer, n)
    )
    show(
        f"American puts, {n} options: microseconds an option, RMSE against high precision",
        rows,
        ("method", "time", "ratio", *NAMES),
    )

    def invert():
        return american_implied_vol(price, S, 100.0, tau, r, q, is_call=False)

    invert()
    mine, theirs = _best_of(invert, 10) / n, peer["vols_seconds"] / n
    ql_vols = np.array([np.nan if x is None else x for x in peer["vols"]])
    show(
        f"American implied volatility, {n} options",
        [
            _vol_row("eventtape", mine, theirs, invert().vol - vol),
            _vol_row("QuantLib impliedVolatility", theirs, theirs, ql_vols - vol),
        ],
        ("method", "time", "ratio", "median error", "largest error", "failed"),
    )


def _best_of(job, repeats):
    shortest = float("inf")
    for _ in range(repeats):
        begin = time.process_time()
        job()
        shortest = min(shortest, time.process_time() - begin)
    return shortest


def _quantlib(given):
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.json", Path(folder) / "out.json"
        source.write_text(json.dumps(given))
        command = [peer_python("quantlib"), HERE / "peers" / "quantlib_american.py"]
        subprocess.run([*command, source, target], check=True)
        return json.loads(target.read_text())


def _row(name, seconds, found, truth, peer, n):
    errors = np.sqrt(np.mean((found - truth) ** 2, axis=0))
    ratio = peer["greeks_seconds"] / n / seconds
    return name, f"{seconds * 1e6:,.1f} us", f"{ratio:,.0f}x", *(f"{e:.1e}" for e in errors)


def _vol_row(name, seconds, theirs, error):
    size = np.abs(error[np.isfinite(error)])
    failed = str(int(np.sum(~np.isfinite(error))))
    median, largest = f"{np.median(size):.1e}", f"{size.max():.1e}"
    return name, f"{seconds * 1e6:,.1f} us", f"{theirs / seconds:,.0f}x", median, largest, failed


if __name__ == "__main__":
    main()
