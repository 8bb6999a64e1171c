r"""The functions a smile is a sum of, and their slopes, in closed form.

A smile is the total volatility v = sigma sqrt(tau) as a function of log-moneyness k = log(K / F).
It is written in units of one chain, with v_0 a reference near the money::

    x = k / v_0,    u = a asinh(x / a),  a = 6,    v(x) = v_0 (1 + sum_j c_j phi_j(u))

so that one prior serves ten days of bitcoin and a year of an index; u grows as log x in far wings,
where quotes are sparse and smiles are straight. The columns phi_j are

- three of the prior mean, 1, t and t^2 with t = tanh(u / 3): a level, a skew and a curvature that
  go over into a constant volatility in either wing, so that no wing can cross Lee's bound;
- m of the Gaussian process, cos(j pi (u - l) / (2 L)) / sqrt(L), j = 1..m, on a stretch
  \|u - c\| <= L that holds the quotes and 3 units more on either side. With prior variances from
  the kernel's spectral density these are the process itself up to a bound (Solin and Sarkka 2020,
  there with sines);
- two wings, one a side: 0 at the quotes, growing as the distance in u beyond the last one. No quote
  speaks of them, so their coefficients stay 0 and only the errors grow: by .15 v_0 a unit of u.

Beyond the last quote u itself goes over into a constant within about one unit, so the smile goes on
flat there.

Shapes: ``(p, n)`` for p = 5 + m columns at n points. Reference: Solin and Sarkka (2020), Hilbert
space methods for reduced-rank Gaussian process regression, Statistics and Computing 30.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, watches
from eventtape.estimators.pricing import normal
from eventtape.estimators.pricing.normal import exp_, log_

__all__ = [
    "FIRST_LENGTH",
    "MEAN_COLUMNS",
    "MOST_WAVES",
    "PAD",
    "PLACES",
    "column_count",
    "resolves",
    "smile_columns",
    "smile_places",
    "smile_sum",
    "unwarped",
    "warped",
]

MEAN_COLUMNS = 5
PAD = 3.0
PLACES = 11
_LAST = MEAN_COLUMNS - 1
_A = 6.0  # where x begins to be compressed, in standard deviations
_SOFT = 1.0  # how far beyond the last quote, in u, the smile flattens
_WING = 0.15  # of v_0 a unit of u: standard deviation of a wing's slope beyond the quotes
_T = 3.0  # where the prior mean's wings flatten
MOST_WAVES = 56
FIRST_LENGTH = 3.6  # for which cosines are first made: 2.2 a unit of half-width
_PER_LENGTH, _LEAST_PER_LENGTH = 8.0, 4.4  # cosines a half-width holds per length


@njit(cache=True, forceinline=True, error_model="numpy")
def column_count(half: float, length: float) -> int:
    """How many cosines a half-width and a kernel's length need; at most ``MOST_WAVES``."""
    return min(max(math.ceil(_PER_LENGTH * half / length), 8), MOST_WAVES)


@njit(cache=True, forceinline=True, error_model="numpy")
def resolves(count: int, half: float, length: float) -> bool:
    """Whether that many cosines carry the kernel: with fewer a smile's detail is taken for noise.

    At the bound the density is within 5e-4 (L1) of the process's own.
    """
    return count * length >= _LEAST_PER_LENGTH * half


@watches(normal)
@njit(cache=True, error_model="numpy")
def warped(x: float) -> float:
    """U of one x."""
    q = abs(x) / _A
    u = _A * log_(q + math.sqrt(1.0 + q * q))
    return u if x >= 0.0 else -u


@njit(cache=True, error_model="numpy")
def unwarped(u: float) -> float:
    """The x of one u."""
    return _A * math.sinh(u / _A)


@njit(cache=True, forceinline=True, error_model="numpy")
def _place(x: float, centre: float, edge: float) -> tuple[float, float, float]:
    """U, du/dx and d2u/dx2; beyond ``edge`` from the centre u goes over into a constant."""
    q = x / _A
    r = 1.0 / math.sqrt(1.0 + q * q)
    w = _A * log_(abs(q) + 1.0 / r)
    w = w if x >= 0.0 else -w
    gap = w - centre
    side = 1.0 if gap >= 0.0 else -1.0
    beyond = max(abs(gap) - edge, 0.0) / _SOFT
    e = exp_(-2.0 * beyond)
    t = (1.0 - e) / (1.0 + e)
    fall = 1.0 - t * t
    u = w if beyond == 0.0 else centre + side * (edge + _SOFT * t)
    return u, fall * r, -fall * ((q / _A) * r * r * r + side * 2.0 * t / _SOFT * r * r)


@njit(cache=True, forceinline=True, error_model="numpy")
def _wing(x: float, centre: float, edge: float) -> tuple[float, float, float, float]:
    """Side (-1, 1), and how far beyond the last quote: d^3 / (1 + d)^2 in u, with x-derivatives.

    It grows as the distance d, and begins without a bend.
    """
    q = x / _A
    r = 1.0 / math.sqrt(1.0 + q * q)
    w = _A * log_(abs(q) + 1.0 / r)
    gap = (w if x >= 0.0 else -w) - centre
    side = 1.0 if gap >= 0.0 else -1.0
    d = max(abs(gap) - edge, 0.0)
    s = 1.0 / (1.0 + d)
    value = d * d * d * s * s
    first = d * d * (d + 3.0) * s * s * s
    second = 6.0 * d * s * s * s * s
    first_u = side * first
    bend = -(q / _A) * r * r * r
    return side, _WING * value, _WING * first_u * r, _WING * (second * r * r + first_u * bend)


@njit(cache=True, forceinline=True, error_model="numpy")
def _mean_slope(u: float) -> tuple[float, float]:
    """T = tanh(u / 3) and its derivative in u."""
    e = exp_(-2.0 * abs(u) / _T)
    t = (1.0 - e) / (1.0 + e)
    return (t if u >= 0.0 else -t), (1.0 - t * t) / _T


@njit(cache=True, forceinline=True, error_model="numpy")
def _sine(z: float) -> float:
    """Sin(z) for |z| <= pi / 2, to 1e-16."""
    s = z * z
    high = -7.6429178068910467e-13 + s * (2.8114572543455206e-15 - s * 8.2206352466243297e-18)
    mid = 2.7557319223985893e-06 + s * (
        -2.5052108385441720e-08 + s * (1.6059043836821613e-10 + s * high)
    )
    return z + z * s * (
        -0.16666666666666666 + s * (0.0083333333333333332 + s * (-0.00019841269841269841 + s * mid))
    )


@njit(cache=True, forceinline=True, error_model="numpy")
def _angle(u: float, centre: float, half: float) -> tuple[float, float]:
    """Cos and sin of pi (u - l) / (2 L), for u within the stretch."""
    turn = 0.5 * math.pi * (u - centre) / half  # from the middle: -pi/2 to pi/2
    return -_sine(turn), _sine(0.5 * math.pi - abs(turn))


@watches(normal)
@njit(cache=True, error_model="numpy")
def smile_places(x: FloatArray, centre: float, half: float, place: FloatArray) -> None:
    """Fill ``place`` ``(PLACES, n)``: what the columns at x need, once for any coefficients."""
    for i in range(x.size):
        u, u1, u2 = _place(x[i], centre, half - PAD)
        place[0, i], place[1, i] = _angle(u, centre, half)
        place[2, i], place[3, i], place[4, i] = u, u1, u2
        side, place[8, i], place[9, i], place[10, i] = _wing(x[i], centre, half - PAD)
        place[7, i] = side
        place[5, i], place[6, i] = _mean_slope(u)


@njit(cache=True, error_model="numpy", fastmath={"contract", "nsz"})
def smile_columns(place: FloatArray, half: float, order: int, out: FloatArray) -> None:
    """Fill ``out`` ``(order + 1, p, n)``: the columns, and for order 2 both x-derivatives."""
    n, p = place.shape[1], out.shape[1]
    for i in range(n):
        t, d, u1, u2 = place[5, i], place[6, i], place[3, i], place[4, i]
        left = place[7, i] < 0.0
        out[0, 0, i], out[0, 1, i], out[0, 2, i] = 1.0, t, t * t
        out[0, 3, i] = place[8, i] if left else 0.0
        out[0, 4, i] = 0.0 if left else place[8, i]
        if order == 2:
            dd = -2.0 * t * d / _T
            e, ee = 2.0 * t * d, 2.0 * (d * d + t * dd)
            out[1, 0, i], out[1, 1, i], out[1, 2, i] = 0.0, d * u1, e * u1
            out[2, 0, i] = 0.0
            out[2, 1, i] = dd * u1 * u1 + d * u2
            out[2, 2, i] = ee * u1 * u1 + e * u2
            for rank in range(1, 3):
                bent = place[8 + rank, i]
                out[rank, 3, i] = bent if left else 0.0
                out[rank, 4, i] = 0.0 if left else bent
    norm, wave = 1.0 / math.sqrt(half), 0.5 * math.pi / half
    waves = _first_waves(place)
    for j in range(1, p - MEAN_COLUMNS + 1):
        w = j * wave
        for i in range(n):
            c, s = waves[2, i], waves[3, i]
            out[0, _LAST + j, i] = norm * c
            if order == 2:
                first = -norm * w * s
                second = -norm * w * w * c
                out[1, _LAST + j, i] = first * place[3, i]
                out[2, _LAST + j, i] = second * place[3, i] * place[3, i] + first * place[4, i]
            waves[2, i] = 2.0 * place[0, i] * c - waves[0, i]
            waves[3, i] = 2.0 * place[0, i] * s - waves[1, i]
            waves[0, i], waves[1, i] = c, s


@njit(cache=True, error_model="numpy", fastmath={"contract", "nsz"})
def smile_sum(place: FloatArray, half: float, coefficients: FloatArray, out: FloatArray) -> None:
    """Fill ``out`` ``(3, n)``: 1 + sum_j c_j phi_j and its first two x-derivatives."""
    n = place.shape[1]
    norm, wave = 1.0 / math.sqrt(half), 0.5 * math.pi / half
    waves = _first_waves(place)
    total = np.zeros((3, n))
    for j in range(1, coefficients.size - MEAN_COLUMNS + 1):
        w = j * wave
        a = norm * coefficients[_LAST + j]
        b, q = -a * w, -a * w * w
        for i in range(n):
            c, s = waves[2, i], waves[3, i]
            total[0, i] += a * c
            total[1, i] += b * s
            total[2, i] += q * c
            waves[2, i] = 2.0 * place[0, i] * c - waves[0, i]
            waves[3, i] = 2.0 * place[0, i] * s - waves[1, i]
            waves[0, i], waves[1, i] = c, s
    level, skew, curve = coefficients[0], coefficients[1], coefficients[2]
    for i in range(n):
        t, d, u1, u2 = place[5, i], place[6, i], place[3, i], place[4, i]
        dd = -2.0 * t * d / _T
        value = 1.0 + level + skew * t + curve * t * t + total[0, i]
        first = (skew + 2.0 * curve * t) * d + total[1, i]
        second = skew * dd + 2.0 * curve * (d * d + t * dd) + total[2, i]
        slope = coefficients[3] if place[7, i] < 0.0 else coefficients[4]
        out[0, i] = value + slope * place[8, i]
        out[1, i] = first * u1 + slope * place[9, i]
        out[2, i] = second * u1 * u1 + first * u2 + slope * place[10, i]


@njit(cache=True, error_model="numpy")
def _first_waves(place: FloatArray) -> FloatArray:
    """Cos and sin of 0 and of one angle: where the recurrence 2 cos(a) cos(j a) - ... begins."""
    n = place.shape[1]
    waves = np.empty((4, n))
    for i in range(n):
        waves[0, i], waves[1, i] = 1.0, 0.0
        waves[2, i], waves[3, i] = place[0, i], place[1, i]
    return waves
