"""A simulated day of ticks as batches of two feeds, and a program that makes features of them."""

from __future__ import annotations

import numpy as np
import polars as pl

from eventtape.clock import SECOND
from eventtape.simulate import taq_day
from eventtape.stream.features import FeaturesFold
from eventtape.stream.fold import Node, program
from eventtape.stream.order import Merged
from eventtape.tape.batch import HISTORY, Batch

OPEN = 946_909_800 * SECOND
SESSION = (OPEN, OPEN + 23_400 * SECOND)
RECORDS = {"trades": "equity trade", "quotes": "quote"}


def small_day(seed=4, *, symbols=8, quotes=1_600, trades=500):
    """{feed: frame} by time: some symbols are quiet for minutes."""
    day = taq_day(seed, symbols=symbols, quotes=quotes, trades=trades, streams=50, order="time")
    text = pl.col("symbol").cast(pl.String)
    return {"trades": day.trades.with_columns(text), "quotes": day.quotes.with_columns(text)}


def ns(frame):
    return frame["ts"].to_physical().to_numpy()


def batches(frames, pieces, arrivals=None):
    """Stored batches of both feeds: the rows of each of ``pieces`` spans of time of arrival.

    With ``arrivals``, a time for each row of each feed, rows come in that order, whatever their
    stamps are.
    """
    arrivals = arrivals or {feed: ns(frame) for feed, frame in frames.items()}
    low, high = _ends(arrivals)
    edges = low + (high - low) * np.arange(pieces + 1) // pieces
    out = []
    for k in range(pieces):
        for feed, frame in frames.items():
            order = np.argsort(arrivals[feed], kind="stable")
            at = arrivals[feed][order]
            low, high = np.searchsorted(at, edges[k : k + 2])
            rows = frame[order[low:high]]
            if rows.height:
                keys = np.arange(low, high)
                out.append(Batch(feed, RECORDS[feed], rows, keys, HISTORY))
    return out


def _ends(arrivals):
    return (
        min(int(at.min()) for at in arrivals.values()),
        max(int(at.max()) for at in arrivals.values()) + 1,
    )


def feature_nodes(*further, lateness_ns=2_000 * SECOND, **options):
    """A merged node, the features behind it, and further nodes."""
    return program(
        (
            Node("merged", ("trades", "quotes"), Merged(lateness_ns=lateness_ns), feeds=True),
            Node("features", ("merged",), FeaturesFold("trades", "quotes", **options)),
            *further,
        )
    )
