r"""One quote's news on a normal state: the scalar update that the filters of this room share.

The state is s ~ N(m, P) and the quote says one of::

    y = Phi(s) + e,  e ~ N(0, r^2)          an ordinary quote
    Phi(s) + e <= c                         a quote on the lowest tick (side -1), c = 1.5 ticks
    Phi(s) + e >= c                         a quote on the highest tick (side +1)

An unscented filter puts its sigma points where the state was before the quote; after a long silence
that is a wide place and the quote a sharp one, and the points miss it. Here they stand where the
posterior is: at its mode a, by Gauss-Newton, on the even grid a + k h b, k = -10, ..., 10, h = 0.8,
b the width there. Mean, variance and likelihood are sums over the grid, which for an integrand
that is nearly normal is exact to many digits (the trapezoid rule, Trefethen and Weideman 2014). The
posterior is then replaced by the normal law of that mean and variance: the only approximation. A
bound cuts a wide law sharply on one side: its grid is four times as fine and twice as long.

Reference: Julier and Uhlmann (2004), Proc. IEEE 92; Garcia-Fernandez, Svensson, Morelande and
Sarkka (2015), IEEE Trans. Signal Processing 63, for points at the posterior; Trefethen and Weideman
(2014), SIAM Review 56.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, IntArray, watches
from eventtape.estimators.pricing import normal
from eventtape.estimators.pricing.normal import norm_cdf, norm_pdf

__all__ = ["predicted_quote", "quote_log_density", "run_filter", "update"]

_LOG_ROOT_2PI = 0.5 * math.log(2.0 * math.pi)
_POINTS, _SPACING, _FINER = 10, 0.8, 4
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


@watches(normal)
@njit(cache=True, error_model="numpy")
def _log_norm_cdf(x: float) -> float:
    """The log of Phi(x), with the leading terms of the tail where Phi underflows."""
    size = max(-x, 37.0)
    far = -0.5 * size * size - _LOG_ROOT_2PI - math.log(size) - 1.0 / (size * size)
    near = math.log(max(norm_cdf(x), 1e-300))
    return near if x > -37.0 else far


@watches(normal)
@njit(cache=True, error_model="numpy")
def quote_log_density(s: float, y: float, side: int, r: float) -> float:
    """Log density of the quote given s; for a quote on an outer tick, log probability."""
    if side == 0:
        e = (y - norm_cdf(s)) / r
        return float(-0.5 * e * e - math.log(r) - _LOG_ROOT_2PI)
    return float(_log_norm_cdf(side * (norm_cdf(s) - y) / r))


@watches(normal)
@njit(cache=True, error_model="numpy")
def _slope(s: float, y: float, side: int, r: float) -> tuple[float, float]:
    """First derivative of the log density in s, and its expected curvature (never below 0)."""
    d = norm_pdf(s) / r
    e = (y - norm_cdf(s)) / r
    if side == 0:
        return e * d, d * d
    x = -side * e
    g = math.exp(-0.5 * x * x - _LOG_ROOT_2PI - _log_norm_cdf(x))
    return side * g * d, g * (g + x) * d * d


@watches(normal)
@njit(cache=True, error_model="numpy")
def _mode(
    m: float, P: float, y: float, side: int, r: float, guess: float
) -> tuple[float, float, float]:
    """The mode of the posterior, its width, and the log of prior times density there."""
    a, best = m, quote_log_density(m, y, side, r)
    value = -0.5 * (guess - m) ** 2 / P + quote_log_density(guess, y, side, r)
    if value > best:
        a, best = guess, value
    width = math.sqrt(P)
    for _ in range(40):
        g, c = _slope(a, y, side, r)
        c += 1.0 / P
        width = 1.0 / math.sqrt(c)
        step = (g - (a - m) / P) / c
        moved = False
        for _ in range(30):
            value = -0.5 * (a + step - m) ** 2 / P + quote_log_density(a + step, y, side, r)
            if value >= best:
                a, best, moved = a + step, value, True
                break
            step *= 0.5
        if not moved or abs(step) < 1e-3 * width:  # the grid need not stand on the mode exactly
            break
    return a, width, best


@watches(normal)
@njit(cache=True, error_model="numpy")
def update(
    m: float, P: float, y: float, side: int, r: float, guess: float
) -> tuple[float, float, float]:
    """Mean and variance of s after the quote, and the log density the prior gave the quote.

    ``guess`` is Phi^-1 of the quote (or of the limit): where the mode may be if not at m.
    """
    if not P > 0.0:  # known exactly: a quote can add nothing
        return m, 0.0, quote_log_density(m, y, side, r)
    a, b, best = _mode(m, P, y, side, r, guess)
    total, first, second = 0.0, 0.0, 0.0
    fine = 1 if side == 0 else _FINER
    h = _SPACING * b / fine
    points = _POINTS * fine if side == 0 else 2 * _POINTS * fine
    for k in range(-points, points + 1):
        x = k * h
        s = a + x
        w = math.exp(-0.5 * (s - m) ** 2 / P + quote_log_density(s, y, side, r) - best)
        total += w
        first += w * x
        second += w * x * x
    first /= total
    variance = second / total - first * first
    log_density = best + math.log(total * h / math.sqrt(P)) - _LOG_ROOT_2PI
    return a + first, variance, log_density


@watches(normal)
@njit(cache=True, error_model="numpy")
def predicted_quote(m: float, P: float) -> tuple[float, float]:
    """Mean and variance of Phi(s): Phi(h), h = m / sqrt(1 + P), and an integral over correlation.

    var Phi(s) = int_0^asin(rho) exp(-h^2 / (1 + sin t)) dt / (2 pi), rho = P / (1 + P): no
    difference is taken, so that small variances keep their digits.
    """
    h = m / math.sqrt(1.0 + P)
    half = 0.5 * math.asin(P / (1.0 + P))
    total = 0.0
    for i in range(_NODES.size):
        total += _WEIGHTS[i] * math.exp(-h * h / (1.0 + math.sin(half * (1.0 + _NODES[i]))))
    return norm_cdf(h), half * total / (2.0 * math.pi)


@watches(normal)
@njit(cache=True, error_model="numpy")
def run_filter(
    y: FloatArray,
    side: IntArray,
    r: FloatArray,
    guess: FloatArray,
    L: FloatArray,
    answers: FloatArray,
) -> float:
    """Log-likelihood of all quotes but the first; rows of ``answers`` are m, P before and after.

    ``L`` ``(n,)`` is the information since the quote before; the prior before the first quote is
    U ~ N(0, 1), under which B is uniform. ``answers`` of shape ``(4, 0)`` is not filled.
    """
    keep = answers.shape[1] > 0
    m, P, total = 0.0, 1.0, 0.0
    for i in range(y.shape[0]):
        if i > 0:
            m = math.exp(0.5 * L[i]) * m
            P = math.exp(L[i]) * P + math.expm1(L[i])
        if keep:
            answers[0, i], answers[1, i] = m, P
        m, P, gain = update(m, P, y[i], side[i], r[i], guess[i])
        if keep:
            answers[2, i], answers[3, i] = m, P
        if i > 0:
            total += gain
    return total
