"""Frames and batches of a few feeds, and the ways in which they may reach a graph."""

from __future__ import annotations

import numpy as np
import polars as pl

from eventtape.clock import SECOND
from eventtape.tape.batch import HISTORY, Batch

TIME = pl.Datetime("ns", "UTC")
T0 = 946_684_800 * SECOND


def times(ns):
    return pl.Series("ts", np.asarray(ns, np.int64), pl.Int64).cast(TIME)


def frame_of(record, ts, values, symbol="s"):
    """A frame of a record: its price, close, probability, or a book of half a tick to each side."""
    ts, x = times(ts), np.asarray(values, np.float64)
    n = len(ts)
    blank, ones = pl.Series([None] * n, dtype=pl.Float64), np.ones(n)
    columns = {
        "probability": {"probability": x, "bid": blank, "ask": blank, "size": blank},
        "trade": {
            "price": x,
            "size": ones,
            "side": pl.Series([0] * n, dtype=pl.Int8),
            "trade_id": pl.Series([None] * n, dtype=pl.String),
        },
        "bar": {"open": x, "high": x, "low": x, "close": x, "volume": blank},
        "quote": {"bid": x - 0.25, "bid_size": ones, "ask": x + 0.25, "ask_size": ones},
    }[record]
    return pl.DataFrame({"symbol": pl.Series([symbol] * n, dtype=pl.String), "ts": ts, **columns})


def batches_of(frames, arrivals=None, *, records=None):
    """One stored batch a row, by time, or by the arrival given for each row of each feed."""
    out = []
    for feed, frame in frames.items():
        record = (records or {}).get(feed, "trade")
        at = frame["ts"].to_physical().to_numpy() if arrivals is None else arrivals[feed]
        out += [
            (int(at[i]), Batch(feed, record, frame[i : i + 1], np.array([i]), HISTORY))
            for i in range(frame.height)
        ]
    out.sort(key=lambda pair: pair[0])
    return [batch for _, batch in out]


def blocks_of(frames, width_ns, *, records=None):
    """Stored batches of all rows of a feed in a stretch of time, feed by feed in each stretch."""
    out = []
    for feed, frame in frames.items():
        block = (frame["ts"].to_physical().to_numpy() - T0) // width_ns
        for number in np.unique(block).tolist():
            at = np.flatnonzero(block == number)
            batch = Batch(feed, (records or {}).get(feed, "trade"), frame[at], at, HISTORY)
            out.append((number, batch))
    out.sort(key=lambda pair: pair[0])
    return [batch for _, batch in out]


def late_by(frames, lateness_ns, rng):
    """An arrival for each row, at most ``lateness_ns`` after its stamp."""
    return {
        feed: frame["ts"].to_physical().to_numpy() + rng.integers(0, lateness_ns, frame.height)
        for feed, frame in frames.items()
    }


def walks(n_markets, seconds, seed, *, gap=0.2, every_s=3.0, noise=2e-4):
    """A probability ``event`` and markets ``m0``, ``m1``, ... that follow it; stamps in ns differ.

    Frames by feed, and the names of their records.
    """
    rng = np.random.default_rng(seed)
    clock = np.arange(seconds + 1)
    path = 0.5 + 0.3 * np.tanh(np.cumsum(0.02 * rng.standard_normal(seconds + 1)))

    def stamps():
        at = np.sort(rng.choice(seconds * 1000, round(seconds / every_s), replace=False))
        return at * 1_000_000 + rng.integers(0, 1_000_000, at.size)

    at = stamps()
    p = np.round(np.interp(at / SECOND, clock, path), 3)
    frames, records = {"event": frame_of("probability", T0 + at, p)}, {"event": "probability"}
    for k in range(n_markets):
        at = stamps()
        own = np.cumsum(noise * rng.standard_normal(seconds + 1))
        x = np.interp(at / SECOND, clock, gap * path + own)
        frames[f"m{k}"], records[f"m{k}"] = frame_of("trade", T0 + at, np.exp(x)), "trade"
    return frames, records
