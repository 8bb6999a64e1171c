"""A feed on a common grid: the last value known at each grid time, NaN where it is too old.

The value at grid time T is the last one stamped at or before T. A market that is shut, or a feed
that broke, is not a market that did not move: past ``max_age_ns`` it is not seen.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.tape.feed import times_ns

__all__ = ["as_of", "grid", "levels", "on_grid"]

_VALUES = ("close", "price", "probability")


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
    if ts.size == 0:
        return np.full(at.shape, np.nan)
    index = np.searchsorted(ts, at, side="right") - 1
    known = index >= 0
    index = np.maximum(index, 0)
    fresh = known & (at - ts[index] <= max_age_ns)
    return np.where(fresh, values[index], np.nan)


def levels(frame: pl.DataFrame) -> tuple[IntArray, FloatArray]:
    """Times (ns) and values of one symbol's level: close, trade price or probability.

    Rows that share a time are taken as the last of them, so that times rise.
    """
    column = _value_column(frame)
    ts, values = times_ns(frame), frame[column].to_numpy()
    last = np.r_[np.diff(ts) > 0, True][: ts.size]
    return ts[last], values[last]


def on_grid(frame: pl.DataFrame, at: IntArray, *, max_age_ns: int) -> FloatArray:
    """One symbol's level at each time of ``at``, NaN where not seen; prices as logarithms."""
    ts, values = levels(frame)
    sampled = as_of(ts, values, at, max_age_ns=max_age_ns)
    return sampled if _value_column(frame) == "probability" else np.log(sampled)


def _value_column(frame: pl.DataFrame) -> str:
    for name in _VALUES:
        if name in frame.columns:
            return name
    raise InputError(f"a frame with one of {', '.join(_VALUES)}", met=frame.columns)
