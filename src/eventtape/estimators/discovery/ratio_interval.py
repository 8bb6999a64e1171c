r"""The interval of a ratio whose denominator is itself estimated, and the test that it is zero.

Fieller (1954): r = N / M is not rejected at the level where |N - r M| <= c se(N - r M), which is
linear in N and M and so near normal even where the ratio is not. With a = M^2 - c^2 var M,
b = N M - c^2 cov(N, M) and d = N^2 - c^2 var N,

    lower, upper = (b -+ sqrt(b^2 - a d)) / a        where a > 0.

Where a <= 0 the denominator is not distinguished from zero and the interval is the whole line.
Zero lies outside the interval exactly where |N| > c se(N): test and interval agree. Variances come
from bootstrap draws, c and p from Student's t.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from eventtape.arrays import FloatArray
from eventtape.estimators.discovery.false_discovery import adjusted

__all__ = ["Differences", "Ratio", "differences", "ratio_interval"]


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
    over: FloatArray, under: FloatArray, freedom: FloatArray, level: float
) -> Differences:
    """All differences along the first axis after the draws of ``over / under``, ``(n, n, ...)``.

    ``over`` and ``under`` are ``(1 + n_draws, n, ...)``; N_i / M_i - N_j / M_j =
    (N_i M_j - N_j M_i) / (M_i M_j) is again one ratio.
    """
    n = over.shape[1]
    shape = (n, n, *over.shape[2:])
    out = [np.full(shape, np.nan) for _ in range(4)]
    df = np.broadcast_to(freedom, over.shape[1:])
    for i in range(n - 1):
        j = slice(i + 1, n)
        N = over[:, i, None] * under[:, j] - over[:, j] * under[:, i, None]
        M = under[:, i, None] * under[:, j]
        less = np.minimum(df[i], df[j])
        r = ratio_interval(N[0], M[0], N[1:], M[1:], less, level)
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
