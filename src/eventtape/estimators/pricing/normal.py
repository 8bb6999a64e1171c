r"""Exponential, logarithm and normal law for loops that LLVM can vectorise.

``math.exp`` and ``math.erfc`` are calls, and a loop that makes a call runs one element at a time.
These functions are straight lines of arithmetic without a branch: eight elements at once where the
machine has the registers, the same numbers one by one where it has not.

- exp: x = k log 2 + r, a polynomial of degree 11 on \|r\| <= log(2) / 2, and k put into the
  exponent bits (Tang, ACM TOMS 15, 1989).
- log: the exponent taken off, then 2 artanh(s) with s = (m - 1) / (m + 1) as a polynomial in s^2.
- Mills ratio R(x) = (1 - Phi(x)) / phi(x) = sqrt(pi / 2) erfcx(x / sqrt 2), x >= 0: one Chebyshev
  fit of degree 23 to (x + 5) R(x) in t = (x - 5) / (x + 5), which maps the half line on [-1, 1]
  (Shepherd and Laframboise, Math. Comp. 36, 1981). It falls as 1 / x and never underflows.
- 1 - x R(x), the integral of the tail over phi, by the same road: the difference would lose x^2.
- phi: x^2 is split in two parts, else its rounding is multiplied by x^2 / 2 in the exponential.
- Phi(x) = phi(x) R(-x) for x <= 0: small relative error into the far tail, to x = -38.

The coefficients are least-maximum fits made here with 60 digits. Largest relative errors against 50
digits: tests/estimators/pricing/test_black_normal.py.
"""

from __future__ import annotations

import numpy as np
from numba import njit

import eventtape.arrays  # noqa: F401 - before any kernel: registers the wide division

__all__ = [
    "exp_",
    "exp_of_sum",
    "log_",
    "log_of_ratio",
    "mills_gap",
    "mills_ratio",
    "mills_spread",
    "norm_cdf",
    "norm_pdf",
]

_ROUND = 6755399441055744.0  # 1.5 * 2**52: added and taken away, it rounds to a whole number
_LOG2E, _LN2_HIGH, _LN2_LOW = 1.4426950408889634, 0.6931471805582987, 1.6465949582897082e-12
_SPLIT = 134217729.0  # 2**27 + 1: cuts a double into two halves of 26 bits
_SQRT_HALF = 0x3FE6A09E667F3BCD  # the bits of sqrt(1/2): mantissas go from there to sqrt(2)
_PHI0 = 0.3989422804014327  # 1 / sqrt(2 pi)


@njit(cache=True, forceinline=True, error_model="numpy", fastmath={"contract"})
def _exp_series(r: float) -> float:
    """The part of exp(r) beyond 1 + r + r^2 / 2, over r^3."""
    r2 = r * r
    r4 = r2 * r2
    low = (0.16666666666666666 + r * 0.04166666666665136) + r2 * (
        0.008333333333332155 + r * 0.0013888888905881542
    )
    high = (0.0001984126985433861 + r * 2.4801536388690766e-05) + r2 * (
        2.755728006701698e-06 + r * 2.761380686153829e-07
    )
    return low + r4 * (high + r4 * 2.5095554677111112e-08)


@njit(cache=True, forceinline=True, error_model="numpy")
def exp_of_sum(x: float, small: float) -> float:
    """exp(x + small) where the sum would round; ``small`` is at most 1e-6 of the larger of x, 1."""
    x = min(x, 710.0)
    x = max(x, -750.0)
    k = (x * _LOG2E + _ROUND) - _ROUND
    r = ((x - k * _LN2_HIGH) - k * _LN2_LOW) + small
    p = 1.0 + (r + r * r * (0.5 + r * _exp_series(r)))
    # In two steps: 2^k alone leaves the exponent's range before the product does
    whole = np.int64(k if k == k else 0.0)  # noqa: PLR0124 - only NaN differs from itself
    half = np.int64(whole >> 1)
    first = np.int64((half + 1023) << 52).view(np.float64)
    second = np.int64((whole - half + 1023) << 52).view(np.float64)
    return p * first * second


@njit(cache=True, forceinline=True, error_model="numpy")
def exp_(x: float) -> float:
    """exp(x); 0 below -745, infinite above 709.8."""
    return exp_of_sum(x, 0.0)


@njit(cache=True, forceinline=True, error_model="numpy")
def _log_near_one(f: float, s: float, e: float) -> float:
    """log(1 + f) + e log(2), where s = f / (2 + f) and 1 + f is within sqrt(1/2) and sqrt(2)."""
    z = s * s
    z2 = z * z
    low = (0.666666666666667 + z * 0.3999999999989889) + z2 * (
        0.28571428626253836 + z * 0.22222211089379496
    )
    high = (0.1818289243253687 + z * 0.15331611722055008) + z2 * 0.14617807153417325
    half = 0.5 * f * f
    p = z * (low + z2 * z2 * high)
    return e * _LN2_HIGH + (f - (half - (s * (half + p) + e * _LN2_LOW)))


@njit(cache=True, forceinline=True, error_model="numpy")
def log_(x: float) -> float:
    """log(x) for a positive normal double; what it makes of any other number means nothing."""
    bits = np.float64(x).view(np.int64)
    k = np.int64((bits - _SQRT_HALF) >> 52)
    f = np.int64(bits - (k << 52)).view(np.float64) - 1.0
    return _log_near_one(f, f / (2.0 + f), np.float64(k))


@njit(cache=True, forceinline=True, error_model="numpy")
def log_of_ratio(x: float, y: float) -> float:
    """log(x / y), relatively exact where x is next to y: the difference is taken, not the ratio.

    x / y is a positive normal double; what it makes of any other means nothing.
    """
    bits = np.float64(x / y).view(np.int64)
    k = np.int64((bits - _SQRT_HALF) >> 52)
    m = np.int64(bits - (k << 52)).view(np.float64) - 1.0
    f = (x - y) / y if k == 0 else m
    s = (x - y) / (x + y) if k == 0 else m / (2.0 + m)
    return _log_near_one(f, s, np.float64(k))


@njit(cache=True, forceinline=True, error_model="numpy", fastmath={"contract"})
def _mills_series(t: float) -> float:
    """(x + 5) R(x) at t = (x - 5) / (x + 5)."""
    t2 = t * t
    t4 = t2 * t2
    t8 = t4 * t4
    a = (1.9280810471531575 + t * -1.66786659518896) + t2 * (
        1.2415470615738775 + t * -0.7859110755465564
    )
    b = (0.4136447157321585 + t * -0.17325473408686237) + t2 * (
        0.05212550242204108 + t * -0.007503282824110726
    )
    c = (-0.001999962068763271 + t * 0.0013658591836822514) + t2 * (
        -0.00014883252059344195 + t * -0.00012473575030704642
    )
    d = (4.1812674011026156e-05 + t * 9.975019887056722e-06) + t2 * (
        -6.940506858753588e-06 + t * -8.364769829555506e-07
    )
    e = (1.0865133209531299e-06 + t * 9.714014063729512e-08) + t2 * (
        -1.6895078588786814e-07 + t * -1.7716963082651302e-08
    )
    f = (2.3233082810126316e-08 + t * 3.314020668482012e-09) + t2 * (
        -1.9658975117262993e-09 + t * -3.5573872689803867e-10
    )
    return (a + t4 * b) + t8 * ((c + t4 * d) + t8 * (e + t4 * f))


@njit(cache=True, forceinline=True, error_model="numpy", fastmath={"contract"})
def _gap_series(t: float) -> float:
    """(x + 5)^2 (1 - x R(x)) at t = (x - 5) / (x + 5)."""
    t2 = t * t
    t4 = t2 * t2
    t8 = t4 * t4
    a = (3.5959476423421175 + t * -5.818827313525651) + t2 * (
        6.082374411361284 + t * -4.798223165117077
    )
    b = (2.934497249096636 + t * -1.35228141899061) + t2 * (
        0.41740149668139453 + t * -0.044026566865175566
    )
    c = (-0.030292390744729298 + t * 0.015146923044923905) + t2 * (
        -0.0002650681840667968 + t * -0.0019986080107319134
    )
    d = (0.0004139054426764192 + t * 0.00023689564821571303) + t2 * (
        -9.160433645185703e-05 + t * -3.091935777960712e-05
    )
    e = (1.6898400771678573e-05 + t * 4.985842290949531e-06) + t2 * (
        -2.966103036497679e-06 + t * -9.860653979399536e-07
    )
    f = (4.863614183922022e-07 + t * 2.052544828363732e-07) + t2 * (
        -6.547746130574846e-08 + t * -3.522356552839328e-08
    )
    g = 5.159446504393579e-09 + t * 3.366076047861771e-09
    return ((a + t4 * b) + t8 * (c + t4 * d)) + (t8 * t8) * ((e + t4 * f) + t8 * g)


@njit(cache=True, forceinline=True, error_model="numpy")
def mills_ratio(x: float) -> float:
    """(1 - Phi(x)) / phi(x) for x >= 0: 1.2533 at 0, falling as 1 / x."""
    return _mills_series((x - 5.0) / (x + 5.0)) / (x + 5.0)


@njit(cache=True, forceinline=True, error_model="numpy")
def mills_gap(x: float) -> float:
    """1 - x R(x) for x >= 0, minus the slope of R: 1 at 0, falling as 1 / x^2 without loss."""
    return _gap_series((x - 5.0) / (x + 5.0)) / ((x + 5.0) * (x + 5.0))


@njit(cache=True, forceinline=True, error_model="numpy")
def mills_spread(m: float, t: float) -> float:
    """R(m - t) - R(m + t) for t up to 0.15, by its series: the derivatives are R' = m R - 1, ..."""
    r0, r1 = mills_ratio(m), -mills_gap(m)
    r2 = m * r1 + r0
    r3 = m * r2 + 2.0 * r1
    r4 = m * r3 + 3.0 * r2
    r5 = m * r4 + 4.0 * r3
    r6 = m * r5 + 5.0 * r4
    r7 = m * r6 + 6.0 * r5
    r8 = m * r7 + 7.0 * r6
    r9 = m * r8 + 8.0 * r7
    r10 = m * r9 + 9.0 * r8
    r11 = m * r10 + 10.0 * r9
    z = t * t
    high = r7 * (1.0 / 5040.0) + z * (r9 * (1.0 / 362880.0) + z * r11 * (1.0 / 39916800.0))
    rest = r3 * (1.0 / 6.0) + z * (r5 * (1.0 / 120.0) + z * high)
    return -2.0 * t * (r1 + z * rest)


@njit(cache=True, forceinline=True, error_model="numpy")
def norm_pdf(x: float) -> float:
    """The standard normal density phi(x)."""
    big = x * _SPLIT
    high = big - (big - x)
    return _PHI0 * exp_of_sum(-0.5 * high * high, -0.5 * (x - high) * (x + high))


@njit(cache=True, forceinline=True, error_model="numpy")
def norm_cdf(x: float) -> float:
    """The standard normal distribution Phi(x), relatively exact in the lower tail."""
    size = min(abs(x), 40.0)
    tail = norm_pdf(size) * mills_ratio(size)
    upper = 1.0 if x > 0.0 else 0.0
    return upper + (1.0 - 2.0 * upper) * tail
