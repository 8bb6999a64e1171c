r"""The robust line under put-call parity, jitted: ``y = alpha - b x``, each y with an error e.

- Start: least median of squares (Rousseeuw 1984), the line with the smallest median of |r| / e,
  over the lines through points i and i + n/2. A bad point spoils one such line, so fewer than n/2
  bad ones leave a clean line. The median is weighted by 1 / e (none above ten times the middle
  one): many wide quotes, whose mids may all be off by a part of their spread, must not outvote a
  few narrow ones. A line wins that holds one point more than half of the weight, so of n equal
  points (n - 3) / 2 may be anywhere.
- Rounding: prices stand on a tick, so some points lie on one line by accident, to the last digit.
  No scale falls below ``least``, what rounding leaves open, and lines with a median under it are
  equally good: among them the one with the least loss over all points wins.
- Then Tukey's biweight at 3.44 robust standard deviations (Yohai 1987), three times, each with the
  scale of the points that the last one kept.
- Covariance: the sandwich of Huber, each point's squared error enlarged for its leverage (HC3).
  Where the scale is ``least``, and of few points, the residuals tell nothing: it is the scale's.

Priors are rows of the same normal equations: ``a``, the line's height where x = -K0, and the slope.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray

__all__ = ["FEW", "FITTED", "STUCK", "TUKEY", "UNKNOWN", "Priors", "kth_smallest", "robust_line"]

Priors = tuple[float, float, float, float]
Start = tuple[float, float, float, float]

FITTED, FEW, UNKNOWN, STUCK = 0, 1, 3, 4
TUKEY = 3.44  # 85% efficient under normal errors; at 4.685 stale quotes of 2 to 4 errors still pull
_FEW_POINTS = 8  # below it the scale is not taken under what the spreads say
_ROUNDS = 200
_HEAVIEST = 10.0  # of a start's weights, in medians: no single pair may decide


@njit(cache=True, error_model="numpy")
def kth_smallest(values: FloatArray, k: int) -> float:
    """The k-th smallest (from 0) of the values, which it reorders (Hoare)."""
    left, right = 0, values.size - 1
    while left < right:
        pivot = values[(left + right) // 2]
        i, j = left, right
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            right = j
        elif k >= i:
            left = i
        else:
            break
    return float(values[k])


@njit(cache=True, error_model="numpy")
def _weighted_quantile(values: FloatArray, weights: FloatArray, most: float) -> float:
    """The value up to which the weights reach ``most``; both arrays are reordered."""
    left, right, before = 0, values.size - 1, 0.0
    while left < right:
        pivot = values[(left + right) // 2]
        i, j = left, right
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                weights[i], weights[j] = weights[j], weights[i]
                i += 1
                j -= 1
        low = before
        for k in range(left, j + 1):
            low += weights[k]
        if low >= most:
            right = j
            continue
        for k in range(j + 1, i):  # equal to the pivot
            low += weights[k]
        if low >= most:
            return float(pivot)
        before, left = low, i
    return float(values[left])


@njit(cache=True, error_model="numpy")
def _try_line(
    alpha: float,
    b: float,
    x: FloatArray,
    y: FloatArray,
    inverse: FloatArray,
    weights: FloatArray,
    most: float,
    least: float,
    best: Start,
    sizes: FloatArray,
    work: FloatArray,
) -> Start:
    """The better of a line and the best so far."""
    below, loss = 0.0, 0.0
    bound, g = max(best[2], least), 1.0 / (least * TUKEY)
    for i in range(x.size):
        z = abs(y[i] - alpha + b * x[i]) * inverse[i]
        sizes[i] = z
        below += weights[i] if z < bound else 0.0
        t = max(1.0 - (z * g) ** 2, 0.0)
        loss += weights[i] * (1.0 - t * t * t)
    if below < most or not b > 0.0:
        return best
    for i in range(x.size):
        work[i] = weights[i]
    q = max(_weighted_quantile(sizes, work, most), least)
    if q < best[2] or (q == best[2] and loss < best[3]):
        return alpha, b, q, loss
    return best


@njit(cache=True, error_model="numpy")
def _start_weights(inverse: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """Fill the weights of a start; their sum, and the middle 1 / e by weight."""
    n = inverse.size
    values, work = np.empty(n), np.empty(n)
    for i in range(n):
        values[i] = inverse[i]
    heaviest = _HEAVIEST * kth_smallest(values, n // 2)
    total = 0.0
    for i in range(n):
        values[i] = inverse[i]
        work[i] = weights[i] = min(inverse[i], heaviest)
        total += weights[i]
    return total, _weighted_quantile(values, work, 0.5 * total)


@njit(cache=True, error_model="numpy")
def _start(
    x: FloatArray,
    y: FloatArray,
    inverse: FloatArray,
    K0: float,
    priors: Priors,
    weights: FloatArray,
    total: float,
    least: float,
) -> Start:
    """The starting line: level, slope, its weighted median of |r| / e (inf: no line), its loss."""
    a0, sa, b0, sb = priors
    n = x.size
    sizes, work = np.empty(n), np.empty(n)
    most = min(0.5 * total + total / n, total) * (1.0 - 1e-12)
    best = (np.nan, np.nan, np.inf, np.inf)
    half = n // 2
    for k in range(3 * n):
        i = k % n
        if k < n:
            if i + half >= n or half == 0:
                continue
            b = (y[i] - y[i + half]) / (x[i + half] - x[i])
        elif k < 2 * n:  # a prior and one pair make a line too
            if not math.isfinite(sb):
                continue
            b = b0
        else:
            if not math.isfinite(sa):
                continue
            b = (a0 - y[i]) / (K0 + x[i])
        level = y[i] + b * x[i]
        best = _try_line(level, b, x, y, inverse, weights, most, least, best, sizes, work)
    return best


@njit(cache=True, error_model="numpy")
def _descend(
    alpha: float,
    b: float,
    s: float,
    x: FloatArray,
    y: FloatArray,
    inverse: FloatArray,
    K0: float,
    a0: float,
    pa: float,
    b0: float,
    pb: float,
) -> tuple[float, float, bool]:
    """Tukey's biweight from a start, scale s held: level, slope, and whether it settled."""
    g = 1.0 / (s * TUKEY)
    for _ in range(_ROUNDS):
        A = pa
        B = pa * K0
        E = pa * K0 * K0 + pb
        u = pa * a0
        v = pa * a0 * K0 + pb * b0
        for i in range(x.size):
            r = (y[i] - alpha + b * x[i]) * inverse[i] * g
            t = max(1.0 - r * r, 0.0)
            w = t * t * (inverse[i] / s) ** 2
            A += w
            B -= w * x[i]
            E += w * x[i] * x[i]
            u += w * y[i]
            v -= w * x[i] * y[i]
        det = A * E - B * B
        if not det > 1e-14 * A * E:
            return np.nan, np.nan, False
        level = (E * u - B * v) / det
        slope = (A * v - B * u) / det
        # a step, in standard errors of the level and the slope
        step = abs(level - alpha) * math.sqrt(A) + abs(slope - b) * math.sqrt(E)
        alpha, b = level, slope
        if step < 1e-6:
            return alpha, b, True
    return alpha, b, False


@njit(cache=True, error_model="numpy")
def _covariance(
    alpha: float,
    b: float,
    s: float,
    x: FloatArray,
    y: FloatArray,
    inverse: FloatArray,
    K0: float,
    pa: float,
    pb: float,
    few: bool,
) -> tuple[float, float, float]:
    """Sandwich covariance of level and slope: (var level, covariance, var slope).

    Where their squared errors say nothing (``few``), the one that their scale implies.
    """
    n = x.size
    g = 1.0 / (s * TUKEY)
    A0 = A = pa
    B0 = B = pa * K0
    E0 = E = pa * K0 * K0 + pb
    for i in range(n):  # bread: psi', and its weighted stand-in for the leverages
        r = (y[i] - alpha + b * x[i]) * inverse[i] * g
        q = (inverse[i] / s) ** 2
        t = max(1.0 - r * r, 0.0)
        w = q * t * t
        p = q * t * (1.0 - 5.0 * r * r)
        A0 += w
        B0 -= w * x[i]
        E0 += w * x[i] * x[i]
        A += p
        B -= p * x[i]
        E += p * x[i] * x[i]
    det0 = A0 * E0 - B0 * B0
    if few:
        return E0 / det0, -B0 / det0, A0 / det0
    det = A * E - B * B
    if not (det > 1e-14 * A * E and A > 0.0):
        return np.nan, np.nan, np.nan
    MA = pa
    MB = pa * K0
    ME = pa * K0 * K0 + pb
    for i in range(n):
        r = (y[i] - alpha + b * x[i]) * inverse[i] * g
        q = (inverse[i] / s) ** 2
        t = max(1.0 - r * r, 0.0)
        leverage = q * t * t * (E0 + 2.0 * B0 * x[i] + A0 * x[i] * x[i]) / det0
        free = max(1.0 - leverage, 0.05)
        m = (r * TUKEY * t * t / free) ** 2 * q
        MA += m
        MB -= m * x[i]
        ME += m * x[i] * x[i]
    # H^-1 M H^-1, H = [[A, B], [B, E]]
    va = (E * E * MA - 2.0 * B * E * MB + B * B * ME) / (det * det)
    vb = (B * B * MA - 2.0 * A * B * MB + A * A * ME) / (det * det)
    vab = (-B * E * MA + (A * E + B * B) * MB - A * B * ME) / (det * det)
    return va, vab, vb


@njit(cache=True, error_model="numpy")
def _scale(
    alpha: float, b: float, s: float, x: FloatArray, y: FloatArray, inverse: FloatArray
) -> float:
    """Root mean square of r / e over the pairs that the line at scale ``s`` gives weight."""
    used, total = 0, 0.0
    for i in range(x.size):
        r = (y[i] - alpha + b * x[i]) * inverse[i]
        if abs(r) < TUKEY * s:
            used += 1
            total += r * r
    return math.sqrt(total / max(used - 2, 1))


@njit(cache=True, error_model="numpy")
def robust_line(
    x: FloatArray,
    y: FloatArray,
    inverse: FloatArray,
    K0: float,
    priors: Priors,
    spreads: bool,
    rounding: float,
) -> tuple[float, float, float, float, float, float, int]:
    """Level, slope, scale, their covariance, and the code of how it went.

    ``rounding``: standard error that the tick leaves in each y.
    """
    nan = np.nan
    a0, sa, b0, sb = priors
    n = x.size
    few = n < _FEW_POINTS
    weights = np.empty(n)
    total, middle = _start_weights(inverse, weights)
    least = rounding * middle
    for i in range(n):
        least = max(least, 1e-8 * (abs(y[i]) + abs(x[i])) * inverse[i])  # prices as doubles
    alpha, b, q, _ = _start(x, y, inverse, K0, priors, weights, total, least)
    if not math.isfinite(alpha):
        return nan, nan, nan, nan, nan, nan, UNKNOWN
    if few and spreads:
        least = 1.0
    s = max(1.4826 * (1.0 + 5.0 / max(n - 2, 1)) * q, least)
    pa, pb = 1.0 / (sa * sa), 1.0 / (sb * sb)
    for again in range(3):
        alpha, b, settled = _descend(alpha, b, s, x, y, inverse, K0, a0, pa, b0, pb)
        if not settled:
            return nan, nan, nan, nan, nan, nan, STUCK
        if again < 2:
            s = max(_scale(alpha, b, s, x, y, inverse), least)
    va, vab, vb = _covariance(alpha, b, s, x, y, inverse, K0, pa, pb, few or s == least)
    if n < 3 and not spreads:  # a line through two points without a spread has no error
        va = vab = vb = nan
    return alpha, b, s, va, vab, vb, FEW if few else FITTED
