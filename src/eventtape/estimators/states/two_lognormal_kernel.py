r"""Two states of given weights fitted to a curve: every minimum that a grid of starts leads to.

In units of the forward, with x = (delta, log w1, log w0, xi, kappa), q = 1 - p and
D = q + p exp(delta)::

    m1 = exp(delta) / D,    m0 = 1 / D,    model_i = p A_i(m1, w1) + q A_i(m0, w0),
    objective = sum_i ((model_i - target_i) / e_i)^2 + (xi / s)^2 + (kappa / t)^2,

A is a state's distribution or its call price, Gram-Charlier with a skewness xi and an excess
kurtosis kappa that both states share: held at 0 (lognormal states) or drawn to it with priors of
standard deviation s and t. Slopes are exact (d log m1 / d delta = q m0, d log m0 / d delta =
-p m1); the descent is Levenberg and Marquardt's with parameters held at a bound they press against.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, watches
from eventtape.estimators.pricing import gram_charlier, normal
from eventtape.estimators.pricing.gram_charlier import call_and_slopes
from eventtape.estimators.pricing.normal import mills_ratio, norm_pdf

__all__ = [
    "N_STARTS",
    "bounds_of",
    "cdf_and_slopes",
    "minima",
    "model_and_slopes",
    "solutions",
    "starts",
]

APART = (-2.0, -1.0, -0.4, 0.4, 1.0, 2.0)  # of the log means, in sd of the whole
RATIOS = (0.5, 1.0, 2.0)  # of the widths
N_STARTS = len(APART) * len(RATIOS)
_STEPS = 100
_FALL = 1e-10  # a step to the minimum would gain no more
_STUCK = 1e10


@watches(normal)
@njit(cache=True, error_model="numpy", fastmath={"contract", "nsz"})
def cdf_and_slopes(
    log_strikes: FloatArray, log_mean: float, w: float, xi: float, kappa: float, out: FloatArray
) -> None:
    """Fill ``out`` ``(5, n)``: a state's distribution, slopes in log mean, log w, xi and kappa."""
    w3, w4 = w**3 / 6.0, w**4 / 24.0
    M = 1.0 + xi * w3 + kappa * w4
    turn = (3.0 * xi * w3 + 4.0 * kappa * w4) / (M * w) + 0.5 * w
    centre = log_mean - math.log(M)
    for i in range(log_strikes.size):
        y = (log_strikes[i] - centre) / w
        z = y + 0.5 * w
        size = min(abs(z), 38.0)
        phi = norm_pdf(size)
        tail = phi * mills_ratio(size)
        below = 1.0 - tail if z > 0.0 else tail
        he2, he3 = z * z - 1.0, z * (z * z - 3.0)
        pdf = phi * (1.0 + xi / 6.0 * he3 + kappa / 24.0 * (z * he3 - 3.0 * he2))
        out[0, i] = below - phi * (xi / 6.0 * he2 + kappa / 24.0 * he3)
        out[1, i] = -pdf / w
        out[2, i] = pdf * (turn - y)
        out[3, i] = pdf * w3 / (M * w) - phi * he2 / 6.0
        out[4, i] = pdf * w4 / (M * w) - phi * he3 / 24.0


@watches(gram_charlier, normal)
@njit(cache=True, error_model="numpy")
def model_and_slopes(
    prices: bool,
    log_strikes: FloatArray,
    p: float,
    x: FloatArray,
    scratch: FloatArray,
    out: FloatArray,
) -> None:
    """Fill ``out`` ``(7, n)``: the mixture's curve, its slopes in x, and in p with x held.

    ``scratch`` is ``(12, n)``; its first row holds the strikes where ``prices`` are asked for.
    """
    q = 1.0 - p
    grown = math.exp(x[0])
    D = q + p * grown
    m1, m0, w1, w0 = grown / D, 1.0 / D, math.exp(x[1]), math.exp(x[2])
    one, zero = scratch[2:7], scratch[7:12]
    log_D = math.log(D)
    for state in range(2):  # one call each: the kernels are long, and inlined
        m, w = (m1, w1) if state == 1 else (m0, w0)
        log_mean = (x[0] if state == 1 else 0.0) - log_D
        into = one if state == 1 else zero
        if prices:
            for i in range(log_strikes.size):
                scratch[1, i] = log_mean - log_strikes[i]
            call_and_slopes(scratch[0], scratch[1], m, w, x[3], x[4], into)
        else:
            cdf_and_slopes(log_strikes, log_mean, w, x[3], x[4], into)
    for i in range(log_strikes.size):
        out[0, i] = p * one[0, i] + q * zero[0, i]
        out[1, i] = p * q * (m0 * one[1, i] - m1 * zero[1, i])
        out[2, i] = p * one[2, i]
        out[3, i] = q * zero[2, i]
        out[4, i] = p * one[3, i] + q * zero[3, i]
        out[5, i] = p * one[4, i] + q * zero[4, i]
        out[6, i] = one[0, i] - zero[0, i] - (m1 - m0) * (p * one[1, i] + q * zero[1, i])


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def _normal_equations(
    model: FloatArray,
    target: FloatArray,
    e: FloatArray,
    x: FloatArray,
    priors: FloatArray,
    H: FloatArray,
    g: FloatArray,
) -> float:
    """Fill J'J and J'r of the weighted residuals and the priors' own; the objective."""
    n, dims = target.size, 5 if priors[0] > 0.0 else 3
    for i in range(n):
        model[0, i] = (model[0, i] - target[i]) / e[i]
    for j in range(1, dims + 1):
        for i in range(n):
            model[j, i] /= e[i]
    total = 0.0
    for i in range(n):
        total += model[0, i] * model[0, i]
    for j in range(dims):
        slope = 0.0
        for i in range(n):
            slope += model[1 + j, i] * model[0, i]
        g[j] = slope
        for k in range(j + 1):
            bend = 0.0
            for i in range(n):
                bend += model[1 + j, i] * model[1 + k, i]
            H[j, k] = bend
    for j in range(3, dims):
        total += (x[j] / priors[j - 3]) ** 2
        g[j] += x[j] / priors[j - 3] ** 2
        H[j, j] += 1.0 / priors[j - 3] ** 2
    return total


@njit(cache=True, error_model="numpy")
def _step(
    H: FloatArray, g: FloatArray, free: FloatArray, ridge: float, L: FloatArray, step: FloatArray
) -> None:
    """Fill ``step``: minus the solution of (H + ridge diag H) s = g over the free parameters.

    ``L`` is scratch: the Cholesky factor.
    """
    biggest = 1e-30
    for j in range(5):
        biggest = max(biggest, H[j, j] * free[j])
    for j in range(5):
        for k in range(j + 1):
            both = free[j] * free[k]
            a = H[j, k] * both
            if j == k:
                a = a + ridge * (a + 1e-12 * biggest) if both > 0.0 else 1.0
            for i in range(k):
                a -= L[j, i] * L[k, i]
            L[j, k] = math.sqrt(max(a, 1e-300)) if j == k else a / L[k, k]
    for j in range(5):
        s = -g[j] * free[j]
        for i in range(j):
            s -= L[j, i] * step[i]
        step[j] = s / L[j, j]
    for j in range(4, -1, -1):
        s = step[j]
        for i in range(j + 1, 5):
            s -= L[i, j] * step[i]
        step[j] = s / L[j, j]


@njit(cache=True, error_model="numpy")
def _not_pressed(
    x: FloatArray, g: FloatArray, low: FloatArray, high: FloatArray, free: FloatArray
) -> None:
    """Fill ``free``: 0 for a parameter at a bound whose slope leads beyond it, else 1."""
    for j in range(5):
        pressed = (x[j] <= low[j] and g[j] > 0.0) or (x[j] >= high[j] and g[j] < 0.0)
        free[j] = 0.0 if pressed else 1.0


@njit(cache=True, error_model="numpy")
def _keep(
    tried: FloatArray,
    g_tried: FloatArray,
    H_tried: FloatArray,
    x: FloatArray,
    g: FloatArray,
    H: FloatArray,
) -> None:
    """Copy the point tried, its slope and its bend: by loops, which compile ten times faster."""
    for j in range(5):
        x[j], g[j] = tried[j], g_tried[j]
        for k in range(j + 1):
            H[j, k] = H_tried[j, k]


@watches(gram_charlier, normal)
@njit(cache=True, error_model="numpy")
def solutions(
    prices: bool,
    log_strikes: FloatArray,
    target: FloatArray,
    e: FloatArray,
    p: float,
    priors: FloatArray,
    bounds: FloatArray,
    scratch: FloatArray,
    ends: FloatArray,
) -> None:
    """Take ``ends`` ``(n_starts, 7)`` from the starts in its first columns to their minima.

    ``priors`` are s and t, or zeros to hold xi and kappa at 0; ``bounds`` ``(2, 5)``; ``scratch``
    is ``(12, n)``, its first row the strikes. A row is x, the objective, and 1 where the search
    ended of itself.
    """
    model, work = np.empty((7, log_strikes.size)), np.zeros((5, 5))
    H, H_tried, small = np.zeros((5, 5)), np.zeros((5, 5)), np.zeros((6, 5))
    g, g_tried, free, step, x, tried = small[0], small[1], small[2], small[3], small[4], small[5]
    for row in range(ends.shape[0]):
        for j in range(5):
            x[j] = tried[j] = ends[row, j]
        total, damping, idle, ended = math.inf, 1e-3, 0, 0.0
        for turn in range(_STEPS):
            model_and_slopes(prices, log_strikes, p, tried, scratch, model)
            there = _normal_equations(model, target, e, tried, priors, H_tried, g_tried)
            fall = total - there
            if fall > 0.0:
                _keep(tried, g_tried, H_tried, x, g, H)
                total = there
                damping = max(damping / 5.0, 1e-12)
                idle = idle + 1 if fall < _FALL * (1.0 + total) else 0
            else:
                damping *= 4.0
            if turn > 0 and (idle >= 2 or damping > _STUCK):
                ended = 1.0
                break
            _not_pressed(x, g, bounds[0], bounds[1], free)
            _step(H, g, free, damping, work, step)
            gain = -(g[0] * step[0] + g[1] * step[1] + g[2] * step[2])
            gain -= g[3] * step[3] + g[4] * step[4]
            if gain * (1.0 + damping) <= _FALL * (1.0 + total):
                ended = 1.0
                break
            for j in range(5):
                tried[j] = min(max(x[j] + step[j], bounds[0, j]), bounds[1, j])
        for j in range(5):
            ends[row, j] = x[j]
        ends[row, 5], ends[row, 6] = total, ended


def bounds_of(width: float, priors: FloatArray) -> FloatArray:
    """Lowest and highest x searched, ``(2, 5)``, where log S has the sd ``width``."""
    log_width, shape = math.log(width), 2.0 if priors[0] > 0.0 else 0.0
    low = [-6.0 * width, log_width - math.log(10.0), log_width - math.log(10.0), -shape, -shape]
    high = [6.0 * width, log_width + math.log(4.0), log_width + math.log(4.0), shape, shape]
    return np.array([low, high])


def starts(p: float, width: float) -> FloatArray:
    """Where the search begins, ``(N_STARTS, 7)``: log width ``width`` kept, x in front."""
    q = 1.0 - p
    apart = np.repeat(APART, len(RATIOS))
    apart *= np.minimum(1.0, math.sqrt(0.8 / (p * q)) / np.abs(apart))
    ratio = np.tile(RATIOS, len(APART))
    within = width * np.sqrt((1.0 - p * q * apart**2) / (p + q * ratio**2))
    out = np.zeros((N_STARTS, 7))
    out[:, 0], out[:, 1], out[:, 2] = apart * width, np.log(within), np.log(within * ratio)
    return out


def minima(
    prices: bool,
    log_strikes: FloatArray,
    target: FloatArray,
    e: FloatArray,
    p: float,
    priors: FloatArray,
    width: float,
) -> FloatArray:
    """Different minima, best first, ``(k, 7)``: x, the objective, and 1 where the search ended.

    ``priors`` ``(2,)`` are s and t, or zeros for lognormal states; ``width`` is the sd of log S.
    Minima are the same where delta is within a fiftieth of ``width`` and both widths are within 5%.
    """
    ends, scratch = starts(p, width), np.empty((12, log_strikes.size))
    scratch[0] = np.exp(log_strikes)
    bounds = bounds_of(width, priors)
    solutions(prices, log_strikes, target, e, p, priors, bounds, scratch, ends)
    left, found = ends[np.argsort(ends[:, 5])], []
    near = np.array([0.02 * width, 0.05, 0.05])
    while left.size:
        found.append(left[0])
        left = left[~(np.abs(left[:, :3] - left[0, :3]) < near).all(axis=1)]
    return np.array(found)
