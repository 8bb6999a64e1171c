r"""The interval of a ratio whose denominator is itself estimated, and the test that it is zero.

Fieller (1954): r = N / M is not rejected at the level where |N - r M| <= c se(N - r M), which is
linear in N and M and so near normal even where the ratio is not. With a = M^2 - c^2 var M,
b = N M - c^2 cov(N, M) and d = N^2 - c^2 var N,

    lower, upper = (b -+ sqrt(b^2 - a d)) / a        where a > 0.

Where a <= 0 the denominator is not distinguished from zero and the interval is the whole line.
Zero lies outside the interval exactly where |N| > c se(N): test and interval agree. Variances come
from bootstrap draws, c and p from Student's t.

A variance is no better known than its parts are equal. With u_h what the estimate moves by without
block h of n, sum u_h^2 is the variance and n times the spread of u_h^2 the variance of that, so by
matching chi-squared's two moments (Satterthwaite 1946)

    freedom = 2 (sum u^2)^2 / (sum u^4 - (sum u^2)^2 / n),

n for equal normal blocks and fewer where a few restless ones decide. A variance from R draws has
1 / freedom + 1 / (R - 1) in its place. By n alone, one test in 350 reaches p = .00125, the first
step of 40 tests at 5%.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from eventtape.arrays import FloatArray
from eventtape.estimators.discovery.false_discovery import adjusted

__all__ = ["Differences", "Ratio", "differences", "effective_freedom", "ratio_interval"]


class Ratio(NamedTuple):
    """A ratio, its interval and the p-value of its being zero, each of the shape asked."""

    ratio: FloatArray
    lower: FloatArray
    upper: FloatArray
    p_value: FloatArray


class Differences(NamedTuple):
    """Speed of the first less that of the second, antisymmetric; p-values adjusted over pairs."""

    difference: FloatArray
    lower: FloatArray
    upper: FloatArray
    p_value: FloatArray
    adjusted: FloatArray  # Benjamini-Hochberg over all differences made, each pair once


def effective_freedom(moves: FloatArray, most: FloatArray, n_draws: int) -> FloatArray:
    """Degrees of freedom of a variance drawn ``n_draws`` times, shape of one move.

    ``moves`` ``(n_blocks, ...)`` are the estimate's without each block; ``most`` is what equal
    normal blocks have, and the answer where nothing moves.
    """
    total, fourth = np.sum(moves**2, axis=0), np.sum(moves**4, axis=0)
    least = 3.0 / most
    unequal = np.divide(
        fourth, total**2, out=np.broadcast_to(least, total.shape).copy(), where=total**2 > 0.0
    )
    known = 2.0 / (np.maximum(unequal, least) - 1.0 / most)
    freedom: FloatArray = 1.0 / (1.0 / known + 1.0 / (n_draws - 1))
    return freedom


def ratio_interval(
    over: FloatArray,
    under: FloatArray,
    over_draws: FloatArray,
    under_draws: FloatArray,
    freedom: FloatArray,
    level: float,
) -> Ratio:
    """``over / under`` with interval and p-value, from draws of both ``(n_draws, ...)``.

    NaN in gives NaN out; a denominator at zero within the level, an interval from -inf to inf.
    """
    N, M = np.asarray(over, np.float64), np.asarray(under, np.float64)
    dN, dM = over_draws - over_draws.mean(axis=0), under_draws - under_draws.mean(axis=0)
    n = over_draws.shape[0] - 1
    vN, vM, vNM = ((u * v).sum(axis=0) / n for u, v in ((dN, dN), (dM, dM), (dN, dM)))
    df = np.where(np.isfinite(freedom), freedom, 1.0)
    c = stdtrit(df, 0.5 * (1.0 + level))
    a, b, d = M**2 - c**2 * vM, N * M - c**2 * vNM, N**2 - c**2 * vN
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(np.maximum(b**2 - a * d, 0.0))  # >= 0 where a > 0, up to rounding
        ratio, lower, upper = N / M, (b - root) / a, (b + root) / a
        p_value = 2.0 * stdtr(df, -np.abs(N) / np.sqrt(vN))
    lower, upper = np.where(a > 0.0, lower, -np.inf), np.where(a > 0.0, upper, np.inf)
    known = np.isfinite(ratio) & np.isfinite(vN) & np.isfinite(vM)
    blank = (np.where(known, x, np.nan) for x in (ratio, lower, upper, p_value))
    return Ratio(*blank)


def differences(
    over: FloatArray, under: FloatArray, moves: FloatArray, most: FloatArray, level: float
) -> Differences:
    """All differences along the first axis after the draws of ``over / under``, ``(n, n, ...)``.

    ``over`` and ``under`` are ``(1 + n_draws, n, ...)``; N_i / M_i - N_j / M_j =
    (N_i M_j - N_j M_i) / (M_i M_j) is again one ratio. ``moves`` ``(n_blocks, n, ...)`` are those
    of each ratio without each block, ``most`` the degrees of freedom each can have.
    """
    n = over.shape[1]
    shape = (n, n, *over.shape[2:])
    out = [np.full(shape, np.nan) for _ in range(4)]
    least = np.broadcast_to(most, over.shape[1:])
    for i in range(n - 1):
        j = slice(i + 1, n)
        N = over[:, i, None] * under[:, j] - over[:, j] * under[:, i, None]
        M = under[:, i, None] * under[:, j]
        apart = moves[:, i, None] - moves[:, j]
        freedom = effective_freedom(apart, np.minimum(least[i], least[j]), over.shape[0] - 1)
        r = ratio_interval(N[0], M[0], N[1:], M[1:], freedom, level)
        for to, there, here in zip(
            out,
            (r.ratio, r.lower, r.upper, r.p_value),
            (-r.ratio, -r.upper, -r.lower, r.p_value),
            strict=True,
        ):
            to[i, j], to[j, i] = there, here
    above = np.triu(np.ones((n, n), np.bool_), 1)
    q = np.full(shape, np.nan)
    q[above] = adjusted(out[3][above])
    q = np.where(np.isnan(q), np.swapaxes(q, 0, 1), q)
    return Differences(out[0], out[1], out[2], out[3], q)
