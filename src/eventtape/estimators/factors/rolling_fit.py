r"""How sure is each rolling beta, and how much of the return do the factors carry?

From the residuals e of every window, row by row (not from sums of squares, so that an R^2 near 1
keeps its digits), with n = window, K factors and X the factors beside a column of ones::

    s^2 = sum e^2 / (n - K - 1),   se^2 = s^2 diag (X' X)^-1,   R^2 = 1 - sum e^2 / sum (r - rbar)^2

Standard errors are the homoskedastic ones of a window taken by itself; neighbouring windows share
all their rows but one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray
from eventtape.estimators.factors.rolling_beta import batch
from eventtape.estimators.factors.rolling_sums import Codes

__all__ = ["RollingFit", "fit"]


class RollingFit(NamedTuple):
    """Coefficients of each window with their standard errors; NaN where the status is not ok."""

    alpha: FloatArray  # (n_times, n_assets) return a row
    beta: FloatArray  # (n_times, n_factors, n_assets)
    alpha_se: FloatArray  # (n_times, n_assets) homoskedastic, window - n_factors - 1 degrees
    beta_se: FloatArray  # (n_times, n_factors, n_assets)
    r_squared: FloatArray  # (n_times, n_assets) about the mean; NaN where a return never moves
    status: Codes  # (n_times, n_assets) index into rolling_beta.STATUSES


def fit(returns: FloatArray, factors: FloatArray, *, window: int) -> RollingFit:
    """:func:`~eventtape.estimators.factors.rolling_beta.batch` with standard errors and R^2.

    About ``window / 4`` times its work.
    """
    y, x = np.ascontiguousarray(returns, np.float64), np.ascontiguousarray(factors, np.float64)
    found = batch(y, x, window=window)
    K, N = x.shape[1], y.shape[1]
    se = np.full((y.shape[0], K + 1, N), np.nan)
    r_squared = np.full(y.shape, np.nan)
    b = np.empty((K + 1, N))
    for t in np.flatnonzero((found.status == 0).any(axis=1)):
        b[:K], b[K] = found.beta[t], found.alpha[t]
        rows = slice(t - window + 1, t + 1)
        _one_window(x[rows], y[rows], b, se[t], r_squared[t])
    return RollingFit(found.alpha, found.beta, se[:, K], se[:, :K], r_squared, found.status)


@njit(cache=True, error_model="numpy")
def _inverse(x: FloatArray) -> FloatArray:
    """(X' X)^-1 of the factors beside a column of ones, which is last."""
    n, K = x.shape
    centre, M, P = np.zeros(K), np.zeros((K, K)), np.zeros((K + 1, K + 1))
    for s in range(n):
        centre += x[s] / n
    for s in range(n):
        for k in range(K):
            d = x[s, k] - centre[k]
            for m in range(k + 1):
                M[k, m] += d * (x[s, m] - centre[m])
                M[m, k] = M[k, m]
    scale = 1.0 / np.sqrt(np.diag(M))
    P[:K, :K] = np.linalg.inv(M * np.outer(scale, scale)) * np.outer(scale, scale)
    for k in range(K):
        P[k, K] = -np.sum(P[k, :K] * centre)
        P[K, k] = P[k, K]
    P[K, K] = 1.0 / n - np.sum(P[K, :K] * centre)
    return P


@njit(cache=True, error_model="numpy")
def _one_window(
    x: FloatArray, y: FloatArray, b: FloatArray, se: FloatArray, r_squared: FloatArray
) -> None:
    (n, K), N = x.shape, y.shape[1]
    e, rss, sum_y, sum_yy = np.empty(N), np.zeros(N), np.zeros(N), np.zeros(N)
    for s in range(n):
        for i in range(N):
            d = y[s, i] - y[0, i]
            sum_y[i] += d
            sum_yy[i] += d * d
            e[i] = y[s, i] - b[K, i]
        for k in range(K):
            for i in range(N):
                e[i] -= x[s, k] * b[k, i]
        for i in range(N):
            rss[i] += e[i] * e[i]
    P = _inverse(x)
    for i in range(N):
        variance = rss[i] / (n - K - 1)  # NaN for an asset without coefficients
        for k in range(K + 1):
            se[k, i] = math.sqrt(variance * P[k, k])
        tss = sum_yy[i] - sum_y[i] * sum_y[i] / n
        if tss > 0.0:
            r_squared[i] = 1.0 - rss[i] / tss
