r"""The particle filter of a quoted probability: a cloud of U, moved exactly and resampled.

Each quote: U <- e^{L/2} U + sqrt(e^L - 1) Z; weights are the density of the quote; mean, sd, band
and likelihood from the weighted cloud; then systematic resampling (Kitagawa 1996): one uniform u
and the particles standing at (u + j) / N of the cumulated weights. The likelihood is the product of
mean weights, unbiased for any N (Del Moral 2004).

References: Gordon, Salmond and Smith (1993), IEE Proceedings F 140; Kitagawa (1996), Journal of
Computational and Graphical Statistics 5.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, watches
from eventtape.estimators.pricing import normal
from eventtape.estimators.pricing.normal import norm_cdf
from eventtape.estimators.probability import probit_kernel
from eventtape.estimators.probability.probit_kernel import quote_log_density
from eventtape.estimators.probability.probit_quotes import Quotes

__all__ = ["Cloud", "run_particles"]


class Cloud(NamedTuple):
    """Moments and bands of the cloud at each quote, arrays ``(n,)``."""

    mean: FloatArray
    sd: FloatArray
    probability: FloatArray
    probability_sd: FloatArray
    lower: FloatArray
    upper: FloatArray
    predicted_mean: FloatArray
    predicted_sd: FloatArray
    predicted_probability: FloatArray
    predicted_variance: FloatArray
    log_likelihood: float


@watches(probit_kernel, normal)
@njit(cache=True, error_model="numpy")
def _weigh(U: FloatArray, y: float, side: int, r: float, w: FloatArray, out: FloatArray) -> float:
    """Weights that sum to 1, eight moments of the cloud (before and after), log mean weight."""
    n = U.shape[0]
    best = -np.inf
    out[:] = 0.0
    for i in range(n):
        w[i] = quote_log_density(U[i], y, side, r)
        best = max(best, w[i])
    total = 0.0
    for i in range(n):
        w[i] = math.exp(w[i] - best)
        total += w[i]
    for i in range(n):
        w[i] /= total
        B = norm_cdf(U[i])
        out[0] += U[i] / n
        out[1] += B / n
        out[2] += w[i] * U[i]
        out[3] += w[i] * B
    for i in range(n):
        B = norm_cdf(U[i])
        out[4] += (U[i] - out[0]) ** 2 / n
        out[5] += (B - out[1]) ** 2 / n
        out[6] += w[i] * (U[i] - out[2]) ** 2
        out[7] += w[i] * (B - out[3]) ** 2
    return best + math.log(total / n)


@njit(cache=True, error_model="numpy")
def _resample(U: FloatArray, w: FloatArray, u: float, drawn: FloatArray) -> None:
    """Systematic resampling of U by w into ``drawn``."""
    n = U.shape[0]
    at, cumulated = 0, w[0]
    for j in range(n):
        while cumulated < (u + j) / n and at < n - 1:
            at += 1
            cumulated += w[at]
        drawn[j] = U[at]


def run_particles(quotes: Quotes, L: FloatArray, count: int, seed: int, level: float) -> Cloud:
    """A cloud of ``count`` particles over the quotes; ``L`` ``(n,)`` is the clock, L[0] unused."""
    rng = np.random.default_rng(seed)
    n = L.size
    U, w, drawn = rng.standard_normal(count), np.empty(count), np.empty(count)
    moments, bands, total = np.empty((n, 8)), np.empty((n, 2)), 0.0
    tails = np.array([0.5 - 0.5 * level, 0.5 + 0.5 * level])
    for i in range(n):
        if i > 0:
            noise = rng.standard_normal(count)
            U = math.exp(0.5 * L[i]) * U + math.sqrt(math.expm1(L[i])) * noise
        gain = _weigh(U, quotes.y[i], quotes.side[i], quotes.noise[i], w, moments[i])
        order = np.argsort(U)
        reach = np.searchsorted(np.cumsum(w[order]), tails)
        bands[i] = U[order[np.minimum(reach, count - 1)]]
        _resample(U, w, rng.random(), drawn)
        U = drawn.copy()
        if i > 0:
            total += gain
    band = np.array([[norm_cdf(u) for u in row] for row in bands.tolist()])
    m = moments.T
    return Cloud(
        m[2],
        np.sqrt(m[6]),
        m[3],
        np.sqrt(m[7]),
        band[:, 0],
        band[:, 1],
        m[0],
        np.sqrt(m[4]),
        m[1],
        m[5],
        float(total),
    )
