"""Who moves first among your prices: leaders with intervals, refusals with reasons. Offline."""

from __future__ import annotations

import polars as pl

import eventtape
from eventtape.simulate.leader_frame import leader_frame
from eventtape.studies.panel_findings import findings


def main() -> None:
    # Stand-in for your data: `ts` and one column a series, and what an answer should say.
    made = leader_frame(seed=1)
    print(f"Truth: {made.truth}")

    # One question at a time: frames in, tables out.
    pairs = eventtape.pair_table(made.prices.select("ts", "VENUE1", "VENUE2", "ALONE"))
    print(pairs.select("first", "second", "leader", "pils", "pils_lower", "pils_upper", "reason"))
    speeds = eventtape.speed_table(made.prices, [made.market], probabilities=[made.probability])
    slow = speeds.filter(pl.col("name").str.starts_with("SLOW"))
    print(slow.select("name", "speed", "lower", "upper", "leader", "status"))

    # Or all of them, with the placebo beside the result.
    config = eventtape.LeadershipConfig(
        market=made.market,
        probability=made.probability,
        groups=tuple(made.groups.items()),
        same=(made.same,),
        resolution=(1, 5),
        placebo_runs=5,
    )
    # FUND1 "after" ODDS, in the findings, is one of the false ones a 5% rule lets through.
    result = eventtape.leadership(made.prices, config, simulated=True, truth=made.truth)
    for found in findings(result):
        print(f"[{found.status}] {found.text}")


if __name__ == "__main__":
    main()
