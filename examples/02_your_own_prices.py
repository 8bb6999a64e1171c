"""Your own prices against your own contract: two Polars frames in, a table of gaps out. Offline."""

from __future__ import annotations

import polars as pl

import eventtape
from eventtape.tape import BAR, PROBABILITY, check


def main() -> None:
    # Stand-ins for your data: minute bars (stamped at their END) and a quote a minute.
    night = eventtape.event_night(seed=7)
    bars = check(
        night.tape.feed("coin")
        .frame.group_by_dynamic("ts", every="1m", label="right", closed="right")
        .agg(
            pl.col("symbol").first(),
            pl.col("price").first().alias("open"),
            pl.col("price").max().alias("high"),
            pl.col("price").min().alias("low"),
            pl.col("price").last().alias("close"),
            pl.col("size").sum().alias("volume"),
        ),
        BAR,
    )
    quotes = check(night.tape.feed("event").frame, PROBABILITY)
    with pl.Config(tbl_cols=-1, tbl_width_chars=120):
        print(
            eventtape.gap_table(bars, quotes).select("horizon_s", "gap", "lower", "upper", "status")
        )
    filtered, fit = eventtape.filter_probability(quotes, tick=0.001)
    print(f"noise sd {fit.r**0.5:.4f}, news sd a minute {(60.0 * fit.q) ** 0.5:.4f}, {fit.status}")
    print(filtered.group_by("regime").len().sort("regime"))


if __name__ == "__main__":
    main()
