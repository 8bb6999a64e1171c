r"""How many independent rows are two persistent series worth?

Two series that trend or wander look correlated whether they are or not (Yule 1926). The variance
of their sample correlation under none is 1/n_eff, with rho their autocorrelations (Bartlett 1935)

    n_eff = n^2 / sum_{s,t seen} rho_x(|s - t|) rho_y(|s - t|).

Sample autocorrelations die too soon where it matters, near a unit root, so rho is that of a fitted
autoregression (prewhitening): x_t = c + alpha x_{t-1} + sum_j b_j (x_{t-j} - x_{t-j-1}) + e_t,
orders 1 to ``MOST_LAGS`` by the Schwarz criterion. Several lags let a series quoted with noise
keep the memory that its first autocorrelation hides. Least squares puts alpha too low; it is raised
by (1 - sum b)(1 + 3 alpha) / n (Kendall 1954, scaled for the lags), and no further than 1 - 1/(2n).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import float_array

__all__ = ["Memory", "autocorrelations", "effective_rows", "grid_column", "memory"]

MOST_LAGS = 6


class Memory(NamedTuple):
    """An autoregression: how much of a series is still there a row later."""

    alpha: float  # sum of its coefficients, raised by what least squares misses
    changes: FloatArray  # (order - 1,) coefficients of past changes
    n_rows: int


def grid_column(values: FloatArray, name: str) -> FloatArray:
    """The values ``(n,)`` as floats, NaN where not seen; infinity is refused by its row."""
    v = float_array(values, column=name)
    if v.ndim != 1:
        raise InputError("values of shape (n,)", met=v.shape, column=name)
    bad = np.flatnonzero(np.isinf(v))
    if bad.size:
        wanted = "a finite value, or NaN where not seen"
        raise InputError(wanted, met=float(v[bad[0]]), row=int(bad[0]) + 1, column=name)
    return v


def memory(x: FloatArray) -> Memory | None:
    """The autoregression of a series ``(n,)``, NaN where not seen; None where no order has rows."""
    if not np.isfinite(x).any() or np.nanstd(x) == 0.0:
        return None
    x = (x - np.nanmean(x)) / np.nanstd(x)  # so that rank does not hang on the unit
    most = _most_lags(np.isfinite(x))
    best, order = math.inf, 0
    for p in range(1, most + 1):
        fit = _least_squares(x, p, most)
        if fit is None:
            break
        criterion = fit[2] * math.log(max(fit[1], 1e-300)) + (p + 1) * math.log(fit[2])
        if criterion < best:
            best, order = criterion, p
    fit = _least_squares(x, order, order) if order else None
    if fit is None:
        return None
    alpha, changes, n = float(fit[0][1]), fit[0][2:], fit[2]
    raised = alpha + (1.0 - float(changes.sum())) * (1.0 + 3.0 * alpha) / n
    return Memory(min(raised, 1.0 - 0.5 / n), changes, n)


def autocorrelations(found: Memory, n: int) -> FloatArray:
    """Autocorrelations ``(n,)`` at lags 0, 1, ... rows of the fitted autoregression.

    They are the transform of its spectrum, on a grid so fine that 1e-7 at most wraps round.
    """
    phi = np.zeros(found.changes.size + 2)
    phi[1] = found.alpha
    phi[1:-1] += found.changes
    phi[2:] -= found.changes
    phi[0] -= 1.0
    size = 1 << (32 * max(n, found.n_rows) - 1).bit_length()
    covariance = np.fft.irfft(1.0 / np.abs(np.fft.rfft(phi, size)) ** 2, size)[:n]
    rho: FloatArray = covariance / covariance[0]
    return rho


def effective_rows(x: FloatArray, y: FloatArray, both: BoolArray) -> float:
    """Number of independent pairs that tell as much of a correlation of levels, at most the rows.

    ``x``, ``y`` ``(n,)`` on one grid with NaN where not seen, ``both`` the rows that count. NaN
    where an autoregression cannot be fitted.
    """
    first, second = memory(x), memory(y)
    if first is None or second is None:
        return math.nan
    n, rows = both.size, int(both.sum())
    product = autocorrelations(first, n) * autocorrelations(second, n)
    total = rows + 2.0 * float(_pairs(both)[1:] @ product[1:])
    return min(rows * rows / total, float(rows)) if total > 0.0 else float(rows)


def _most_lags(seen: BoolArray) -> int:
    """The longest order with ten rows a lag whose past was seen; 1 where none has."""
    most, run = 1, seen
    for p in range(1, MOST_LAGS + 1):
        run = run[1:] & seen[:-p]  # rows whose last p were seen too
        if p > 1 and int(run.sum()) < 10 * p:
            break
        most = p
    return most


def _least_squares(x: FloatArray, order: int, skip: int) -> tuple[FloatArray, float, int] | None:
    """Coefficients, residual variance and rows; the first ``skip`` rows are left out."""
    past = [x[skip - j : x.size - j] for j in range(order + 1)]
    columns = [past[1], *(past[j] - past[j + 1] for j in range(1, order))]
    X, y = np.column_stack([np.ones(past[0].size), *columns]), past[0]
    kept = np.isfinite(X).all(axis=1) & np.isfinite(y)
    X, y = X[kept], y[kept]
    if y.size < 3 * (order + 1):
        return None
    solved = np.linalg.lstsq(X, y, rcond=None)
    beta = np.asarray(solved[0], np.float64)
    if int(solved[2]) < order + 1:
        return None
    residual = y - X @ beta
    return beta, float(residual @ residual) / y.size, y.size


def _pairs(both: BoolArray) -> FloatArray:
    """Rows that are both seen, by their distance ``(n,)``."""
    size = 1 << (2 * both.size - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(both.astype(np.float64), size)) ** 2
    counts: FloatArray = np.rint(np.fft.irfft(spectrum, size)[: both.size])
    return counts
