"""Where a mixture of normals puts a sum of variances: its moments, and quantiles above 0.

Each cell of the grid leaves a normal law for the events' variances. A size is the root of a
variance, so the law is cut at 0, in every cell by the same cut: a cell that puts much below 0 loses
that much of its weight.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray

__all__ = ["mixture"]


@njit(cache=True, error_model="numpy")
def mixture(
    weight: FloatArray, b: FloatArray, cov: FloatArray, of: FloatArray, tail: float
) -> FloatArray:
    """Of each row of ``of`` times beta: mean, sd, part above 0, and three quantiles; ``(m, 6)``.

    The quantiles are ``tail`` of the whole mixture, and the median and 1 - ``tail`` of its part
    above 0 (NaN where less than ``tail**2`` of it is there).
    """
    m, cells = of.shape[0], weight.size
    found = np.full((m, 6), math.nan)
    mean, sd = np.empty(cells), np.empty(cells)
    for f in range(m):
        for c in range(cells):
            mean[c], square = 0.0, 0.0
            for i in range(of.shape[1]):
                mean[c] += of[f, i] * b[c, i]
                for j in range(of.shape[1]):
                    square += of[f, i] * cov[c, i, j] * of[f, j]
            sd[c] = math.sqrt(square)
        first, second, lowest, highest = 0.0, 0.0, math.inf, -math.inf
        for c in range(cells):
            first += weight[c] * mean[c]
            lowest = min(lowest, mean[c] - 10.0 * sd[c])
            highest = max(highest, mean[c] + 10.0 * sd[c])
        for c in range(cells):
            second += weight[c] * (sd[c] ** 2 + (mean[c] - first) ** 2)
        spread = math.sqrt(second)
        law = (weight, mean, sd)
        below, _ = _cdf(0.0, law)
        found[f, 0], found[f, 1], found[f, 2] = first, spread, 1.0 - below
        found[f, 3] = _quantile(tail, law, first - 2.0 * spread, lowest, highest)
        if 1.0 - below >= tail * tail:
            middle, lowest = max(first, 0.3 * spread), max(lowest, 0.0)
            found[f, 4] = _quantile(0.5 * (1.0 + below), law, middle, lowest, highest)
            target = 1.0 - tail * (1.0 - below)
            found[f, 5] = _quantile(target, law, middle + 2.0 * spread, lowest, highest)
    return found


@njit(cache=True, error_model="numpy")
def _cdf(x: float, law: tuple[FloatArray, FloatArray, FloatArray]) -> tuple[float, float]:
    """Distribution function and density at x of the mixture of weights, means and sds."""
    weight, mean, sd = law
    below, density = 0.0, 0.0
    for c in range(weight.size):
        z = (x - mean[c]) / sd[c]
        below += weight[c] * 0.5 * math.erfc(-z * 0.7071067811865476)
        density += weight[c] * 0.3989422804014327 * math.exp(-0.5 * z * z) / sd[c]
    return below, density


@njit(cache=True, error_model="numpy")
def _quantile(
    target: float,
    law: tuple[FloatArray, FloatArray, FloatArray],
    start: float,
    low: float,
    high: float,
) -> float:
    """Where the distribution function is ``target``: Newton inside a bracket."""
    width = high - low
    x = start if low < start < high else 0.5 * (low + high)
    for _ in range(100):
        below, density = _cdf(x, law)
        if below < target:
            low = x
        else:
            high = x
        step = (below - target) / density if density > 0.0 else math.inf
        if abs(step) <= 1e-14 * width:
            return x - step
        x -= step
        if not low < x < high:
            x = 0.5 * (low + high)
    return x
