"""A panel of log prices as the rows a vector error-correction model is fitted on, checked once.

Rows that a hole or a night would break are left out; how many lags the series need, how often each
stands still, and whether there are rows enough is decided here for all pairs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import float_array, whole_array

__all__ = [
    "PairRows",
    "checked_panel",
    "innovation_sizes",
    "least_order",
    "pair_columns",
    "pair_rows",
    "standing",
]

_MOST_LAGS = 12


class PairRows(NamedTuple):
    """Rows z_t = (dX_t, X_{t-1}, dX_{t-1}, ..., dX_{t-k}) of n series and their cross products."""

    z: FloatArray  # (rows, (2 + lags) n)
    cross: FloatArray  # centred
    n: int
    lags: int
    rows: float
    regressors: int  # in each equation of a pair
    few: bool  # fewer rows than asked for each regressor
    still: FloatArray  # (n,) share of differences that are exactly zero
    orders: IntArray  # (n,) lags each series would take by itself (AIC)
    affordable: int  # most lags that the rows allow
    longest: int  # lags given, or more where the most serially correlated series would take more
    long_cross: FloatArray  # as cross, with that many lags
    long_rows: float


def checked_panel(
    log_prices: FloatArray, sessions: IntArray | None
) -> tuple[FloatArray, BoolArray]:
    """The panel and, for each row after the first, whether its difference stays in one session."""
    x = float_array(log_prices)
    if x.ndim != 2 or x.shape[1] < 2 or x.shape[0] < 3:
        raise InputError("log prices (T, n) with T >= 3 and n >= 2", met=x.shape)
    bad = np.argwhere(np.isinf(x))
    if bad.size:
        row, column = (int(v) for v in bad[0])
        met = float(x[row, column])
        raise InputError(
            "a finite log price, or NaN for a hole", met=met, row=row + 1, column=str(column)
        )
    empty = np.flatnonzero(np.isnan(x).all(axis=0))
    if empty.size:
        raise InputError("a series with prices", met="none", column=str(int(empty[0])))
    inside = np.ones(x.shape[0] - 1, bool)
    if sessions is not None:
        labels = np.asarray(sessions)
        if labels.shape != (x.shape[0],):
            raise InputError(f"session labels ({x.shape[0]},)", met=labels.shape)
        inside = labels[1:] == labels[:-1]
    return x, inside


def pair_columns(n: int, pairs: IntArray | None) -> tuple[IntArray, IntArray]:
    """Columns of each pair ``(m,)``, first below second: all of n, or those of ``pairs`` (m, 2)."""
    if pairs is None:
        first, second = np.triu_indices(n, 1)
        return first.astype(np.int64), second.astype(np.int64)
    asked = whole_array(pairs, "pairs (m, 2) of columns")
    if asked.ndim != 2 or asked.shape[1] != 2 or not asked.size:
        raise InputError("pairs (m, 2) of columns", met=asked.shape)
    wrong = np.flatnonzero(
        (asked.min(axis=1) < 0) | (asked.max(axis=1) >= n) | (asked[:, 0] == asked[:, 1])
    )
    if wrong.size:
        row = int(wrong[0])
        wanted = f"two different columns of 0 to {n - 1}"
        raise InputError(wanted, met=tuple(asked[row].tolist()), row=row + 1)
    asked = np.sort(asked, axis=1)
    return np.ascontiguousarray(asked[:, 0]), np.ascontiguousarray(asked[:, 1])


def pair_rows(
    log_prices: FloatArray,
    lags: int | None,
    sessions: IntArray | None,
    rows_per_regressor: float,
) -> PairRows:
    """The panel's rows for a number of lags, or for the number its series ask for."""
    x, inside = checked_panel(log_prices, sessions)
    n = x.shape[1]
    d = np.where(inside[:, None], np.diff(x, axis=0), np.nan)
    seen = np.isfinite(d)
    still = np.where(
        seen.any(axis=0), np.sum(d == 0.0, axis=0) / np.maximum(seen.sum(axis=0), 1), 1.0
    )
    usable = int(seen.all(axis=1).sum())
    most = _affordable(usable, rows_per_regressor)
    wanted = max(min(_longest(usable), _MOST_LAGS), 0)
    sizes = [innovation_sizes(d[:, c], wanted) for c in range(n)]
    orders = np.array([least_order(size, 2.0) for size in sizes])
    # The longest of n orders grows with n by chance alone: a lag has to beat the best of n
    order = max(least_order(size, 2.0 * max(math.log(n), 1.0)) for size in sizes)
    k = min(max(order, 1), max(most, 1)) if lags is None else lags
    z = _rows(x, d, k)
    regressors = 2 * k + 2
    few = z.shape[0] < max(rows_per_regressor * regressors, regressors + 2)
    longest = k if lags is None else max(int(orders.max()), k)
    long_z = z if longest == k else _rows(x, d, longest)
    if long_z.shape[0] < 2 * (2 * longest + 2):
        longest, long_z = k, z
    return PairRows(
        z,
        _centred(z),
        n,
        k,
        float(z.shape[0]),
        regressors,
        few,
        still,
        orders,
        max(most, k),
        longest,
        _centred(long_z),
        float(long_z.shape[0]),
    )


def _affordable(rows: int, rows_per_regressor: float) -> int:
    """Most lags k with ``rows_per_regressor (2 k + 2)`` rows left after k are lost."""
    if rows_per_regressor <= 0.0:
        return _MOST_LAGS
    return int((rows - 2.0 * rows_per_regressor) // (2.0 * rows_per_regressor + 1.0))


def _longest(rows: int) -> int:
    """Schwert's (1989) reach, 12 (T / 100)^(1/4)."""
    return int(12.0 * (rows / 100.0) ** 0.25)


def _rows(x: FloatArray, d: FloatArray, k: int) -> FloatArray:
    if d.shape[0] <= k:
        return np.empty((0, (2 + k) * x.shape[1]))
    past = [d[k - j : d.shape[0] - j] for j in range(1, k + 1)]
    level = x[k:-1]
    z = np.hstack([d[k:], level, *past])
    z = np.ascontiguousarray(z[np.isfinite(z).all(axis=1)])
    n = x.shape[1]
    if z.shape[0]:
        z[:, n : 2 * n] -= z[:, n : 2 * n].mean(axis=0)  # levels near zero lose no digits
    return z


def _centred(z: FloatArray) -> FloatArray:
    about = z - z.mean(axis=0) if z.shape[0] else z
    return np.ascontiguousarray(about.T @ about)


def innovation_sizes(d: FloatArray, most: int) -> FloatArray:
    """What autoregressions of 0 to ``most`` lags leave, as n ln(variance) (Levinson and Durbin).

    Empty where a series does not move; shorter where an order fits without error.
    """
    seen = np.isfinite(d)
    n = int(seen.sum())
    if n < 2:
        return np.zeros(0)
    e = np.where(seen, d - d[seen].mean(), 0.0)
    most = min(most, e.size - 1)
    r = np.array([e[j:] @ e[: e.size - j] for j in range(most + 1)]) / n
    if not r[0] > 0.0:
        return np.zeros(0)
    error, phi = r[0], np.zeros(0)
    sizes = [n * math.log(error)]
    for k in range(1, most + 1):
        reflection = (r[k] - phi @ r[k - 1 : 0 : -1]) / error
        phi = np.r_[phi - reflection * phi[::-1], reflection]
        error *= 1.0 - reflection * reflection
        if not error > 0.0:
            break
        sizes.append(n * math.log(error))
    return np.array(sizes)


def least_order(sizes: FloatArray, penalty: float) -> int:
    """Order of the least size when a lag costs ``penalty``: 2 is AIC."""
    return int(np.argmin(sizes + penalty * np.arange(sizes.size))) if sizes.size else 0


def standing(panel: PairRows, first: IntArray, second: IntArray) -> FloatArray:
    """Ratio of speeds that trading at different rates would make where nobody leads, ``(m,)``.

    A price that stands still in a share s of the steps was last seen, on average, a part (s - 1) /
    ln s of a step ago if its trades are Poisson: so much of the trend's step it cannot yet hold.
    The measured ratio of such prices sampled on a grid is below this one by up to a tenth.
    """
    s = np.clip(panel.still, np.finfo(np.float64).tiny, 1.0 - 1e-9)
    fresh = np.where(panel.still > 0.0, 1.0 + (1.0 - s) / np.log(s), 1.0)
    return np.asarray(fresh[first] / fresh[second])
