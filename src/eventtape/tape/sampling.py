"""A feed on a common grid: the last value known at each grid time, NaN where it is too old.

The value at grid time T is the last one stamped at or before T. A market that is shut, or a feed
that broke, is not a market that did not move: past ``max_age_ns`` it is not seen.
"""

from __future__ import annotations

import numpy as np

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.tape.feed import Feed, times_ns
from eventtape.tape.records import BAR, PROBABILITY, TRADE

__all__ = ["as_of", "grid", "levels", "on_grid"]

_VALUE = {BAR.name: "close", PROBABILITY.name: "probability", TRADE.name: "price"}


def grid(start_ns: int, end_ns: int, step_ns: int) -> IntArray:
    """Times from start to end, both ends included where the step allows, int64 ns."""
    if not (end_ns > start_ns and step_ns > 0):
        raise InputError("start < end and step > 0", met=(start_ns, end_ns, step_ns))
    return np.arange(start_ns, end_ns + 1, step_ns, dtype=np.int64)


def as_of(ts: IntArray, values: FloatArray, at: IntArray, *, max_age_ns: int) -> FloatArray:
    """The last of ``values`` stamped at or before each time of ``at``; NaN where older than that.

    >>> as_of(np.array([10, 20]), np.array([1.0, 2.0]), np.array([5, 10, 19, 99]), max_age_ns=50)
    array([nan,  1.,  1., nan])
    """
    index = np.searchsorted(ts, at, side="right") - 1
    known = index >= 0
    index = np.maximum(index, 0)
    fresh = known & (at - ts[index] <= max_age_ns)
    return np.where(fresh, values[index], np.nan)


def levels(feed: Feed) -> tuple[IntArray, FloatArray]:
    """Times (ns) and values of a feed's level: probability, close or trade price.

    Trades that share a time are taken as the last of them, so that times rise.
    """
    if feed.record.name not in _VALUE:
        raise InputError("a feed of bars, trades or probabilities", met=feed.record.name)
    ts, values = times_ns(feed.frame), feed.frame[_VALUE[feed.record.name]].to_numpy()
    last = np.r_[np.diff(ts) > 0, True]
    return ts[last], values[last]


def on_grid(feed: Feed, at: IntArray, *, max_age_ns: int) -> FloatArray:
    """A feed's level at each time of ``at``, NaN where not seen; prices as logarithms."""
    ts, values = levels(feed)
    sampled = as_of(ts, values, at, max_age_ns=max_age_ns)
    return sampled if feed.record.name == PROBABILITY.name else np.log(sampled)
