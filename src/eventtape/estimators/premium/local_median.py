r"""What is the level of a noisy series of trades now, how well is it known, and from how many?

The median of the last trades, in trade time: one trade at a stale or mistaken volatility does not
move it. Its interval needs no law of the noise: with m trades about one level, the number below it
is binomial(m, 1/2), so the k-th smallest and k-th largest hold it with chance
1 - 2 P(binomial(m, 1/2) < k). The k used is the largest that keeps ``level``, so that the interval
holds at least as often. Trades that bounce between bid and ask in runs are fewer than they are
counted; a level that moves within the window is held by neither.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import bdtr, ndtri

from eventtape.arrays import FloatArray, IntArray, check_level
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import float_array, whole_array

__all__ = ["LocalMedian", "local_median"]

_CHUNK = 1 << 20  # values sorted at once


class LocalMedian(NamedTuple):
    """The level after each trade ``(n,)``; bounds are NaN where too few trades hold any."""

    ts_ns: IntArray
    value: FloatArray
    lower: FloatArray
    upper: FloatArray
    error: FloatArray  # half of the interval over the normal quantile: a standard error
    n_trades: IntArray


def local_median(
    ts_ns: IntArray,
    values: FloatArray,
    *,
    n_trades: int = 25,
    max_age_ns: int | None = None,
    level: float = 0.95,
) -> LocalMedian:
    """The median of the last ``n_trades`` values, in their unit, with its interval and count.

    ``ts_ns``, ``values`` ``(n,)`` in order of time, NaN for a trade without one. Trades older than
    ``max_age_ns`` at the time of a row are left out of it. Only the past is used: row i depends on
    rows up to i. At a level of 95% bounds need 6 trades.
    """
    check_level(level)
    t, v = whole_array(ts_ns, "times in ns", column="ts"), float_array(values, column="values")
    if t.ndim != 1 or t.shape != v.shape:
        raise InputError("times and values of one shape (n,)", met=(t.shape, v.shape))
    late = np.flatnonzero(np.diff(t) < 0)
    if late.size:
        raise InputError("times that do not fall", row=int(late[0]) + 2, column="ts")
    if n_trades < 1:
        raise InputError("at least one trade", met=n_trades)
    if max_age_ns is not None and max_age_ns < 0:
        raise InputError("a longest age in ns >= 0", met=max_age_ns)
    depth = _depths(n_trades, level)
    out = np.full((3, t.size), math.nan)
    counts = np.zeros(t.size, np.int64)
    padded = np.concatenate([np.full(n_trades - 1, math.nan), v])
    times = np.concatenate([np.full(n_trades - 1, t[0] if t.size else 0), t])
    rows_at_once = max(1, _CHUNK // n_trades)
    for first in range(0, t.size, rows_at_once):
        rows = np.arange(first, min(first + rows_at_once, t.size))
        last = int(rows[-1]) + n_trades
        window = sliding_window_view(padded[first:last], n_trades).copy()
        if max_age_ns is not None:
            age = t[rows, None] - sliding_window_view(times[first:last], n_trades)
            window[age > max_age_ns] = math.nan
        window.sort(axis=1)  # NaN last
        m = np.isfinite(window).sum(axis=1)
        some = m > 0
        here, count = window[some], m[some]
        each = np.arange(count.size)
        out[0, rows[some]] = 0.5 * (here[each, (count - 1) // 2] + here[each, count // 2])
        k = depth[count]
        held = k > 0
        out[1, rows[some][held]] = here[each[held], k[held] - 1]
        out[2, rows[some][held]] = here[each[held], (count - k)[held]]
        counts[rows] = m
    error = 0.5 * (out[2] - out[1]) / float(ndtri(0.5 * (1.0 + level)))
    return LocalMedian(t, out[0], out[1], out[2], error, counts)


def _depths(most: int, level: float) -> IntArray:
    """For m = 0 ... ``most`` trades, the k whose order statistics bound the median; 0 for none."""
    depth = np.zeros(most + 1, np.int64)
    for m in range(1, most + 1):
        k = np.arange(1, (m + 1) // 2 + 1)
        depth[m] = int(np.sum(2.0 * bdtr(k - 1, m, 0.5) <= 1.0 - level))
    return depth
