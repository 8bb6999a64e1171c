r"""The volatility at which Black's formula gives a price, to the last digits that the price holds.

With a = \|log(F / K)\|, s = vol sqrt(tau), m = a / s, t = s / 2, E = phi(sqrt(m^2 + t^2)) and R the
Mills ratio, the time value over sqrt(F K) and what it lacks to its bound exp(-a / 2) are::

    b = E D,   D = R(m - t) - R(m + t);      c = exp(-a / 2) - b = E G,   G = R(t - m) + R(t + m).

Both have the derivative E, up and down, in s, so that the logarithms' are 1 / D and -1 / G: no
exponential is taken, nothing underflows, and all higher derivatives are rational in D or G. Where
s is below 0.3, D is its series in t. The logarithm of the price is solved for (of b below half
the bound, of c above) by Householder's step of fourth order; the unknown is 1 / s^2 where b is
below its inflection (there log b is almost a line in it), s between, and s above.

First guesses: the inverse of Bachelier's formula, b / a = phi(m) / m - Phi(-m), by a rational
fit of m (5 parts in 1000); Corrado and Miller's (1996) formula; the normal quantile of c
(Abramowitz and Stegun 26.2.23). Two steps then do: of two million quotes out to eight standard
deviations (vol 10-80%, a week to two years) none needs a third. The last step says for which
quotes they do not do, and those go on alone.

Jaeckel, Let's be rational (Wilmott, 2015) has the normalisation, the three regions and the order of
the step; the functions solved for, the guesses and the kernel without branches are made here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from eventtape.arrays import BoolArray, FloatArray, watches
from eventtape.estimators.pricing import given_options, normal
from eventtape.estimators.pricing.given_options import BLOCK, load, option_columns
from eventtape.estimators.pricing.normal import (
    exp_,
    log_,
    log_of_ratio,
    mills_ratio,
    mills_spread,
)
from eventtape.estimators.pricing.status import PriceStatus

__all__ = ["ImpliedVol", "implied_vol", "implied_vol_kernel", "normalised_implied_vol"]

_LOG_ROOT_2PI = 0.9189385332046728
_ROOT_2PI = 2.5066282746310002
_R0 = 1.2533141373155001  # R(0)
_ULP = 2.220446049250313e-16
_KNOWN = 1e-4  # a step of fourth order this small, relative to s, leaves less than a rounding
_VAGUE = 1e-3  # a price whose last digit moves the volatility by more does not determine it
_SHORT = 0.3  # s below which D is a series
_LOW, _MIDDLE, _HIGH = 0.0, 1.0, 2.0

_OK = int(PriceStatus.OK)
_BELOW, _ABOVE = int(PriceStatus.BELOW_INTRINSIC), int(PriceStatus.ABOVE_BOUND)
_VEGA, _EXPIRED = int(PriceStatus.ZERO_VEGA), int(PriceStatus.EXPIRED)
_BAD, _LOST = int(PriceStatus.BAD_INPUT), int(PriceStatus.NO_CONVERGENCE)

# Rows of the work space, as multiples of BLOCK
_P, _F, _K, _TAU, _DF, _CALL = 0, 1, 2, 3, 4, 5
_CODE, _A, _PART, _REGION, _S, _STEP, _SLOPE, _ROOT = 6, 7, 8, 9, 10, 11, 12, 13
_ROWS = 14


class ImpliedVol(NamedTuple):
    """Volatility per square root of a year, NaN unless its status is ``OK``.

    - ``vol``: in the shape of the quotes.
    - ``status``: :class:`PriceStatus` codes, the same shape.
    """

    vol: FloatArray
    status: NDArray[np.int8]


def implied_vol(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    *,
    is_call: ArrayLike,
    discount: ArrayLike = 1.0,
) -> ImpliedVol:
    """Volatility per sqrt(year) of each price, with a status; any shapes that broadcast.

    ``price`` is today's, ``discount`` what 1 paid at expiry is worth today, ``tau`` in years. An
    element that has no volatility is NaN with its :class:`PriceStatus`; one of the wrong kind
    (text, a right that is not boolean) is an :class:`InputError`.

    >>> found = implied_vol(1.875, 21.0 * 1.0253151205244289, 20.0, 0.25, is_call=True,
    ...     discount=1 / 1.0253151205244289)  # Hull: S = 21, K = 20, r = 10%
    >>> round(float(found.vol), 10), int(found.status)
    (0.234512914, 0)
    """
    shape, right, columns = option_columns(
        is_call, price=price, forward=forward, strike=strike, tau=tau, discount=discount
    )
    n = math.prod(shape)
    vol, status = np.empty(n), np.empty(n, np.int8)
    implied_vol_kernel(*columns, right, vol, status)
    return ImpliedVol(vol.reshape(shape)[()], status.reshape(shape)[()])


@njit(cache=True, forceinline=True, error_model="numpy")
def _first_guess(a: float, part: float, region: float) -> float:
    """A starting s: ``part`` is b in the low and middle regions, c in the high one."""
    # Bachelier's m as a function of w = sqrt(2 log(1 + a / b))
    w = math.sqrt(2.0 * log_(1.0 + a / part))
    above = w * w * (0.1996729 + w * (0.01391593 + w * 0.01010261))
    low = a * (1.0 + w * (0.08113729 + w * (0.03053072 + w * 0.009769224))) / above
    root = exp_(0.5 * a)
    inverse = 1.0 / root
    spread, total = root - inverse, root + inverse  # 2 sinh, 2 cosh of a / 2
    inflection = math.sqrt(2.0 * a)
    q = part + 0.5 * spread
    under = q * q - spread * spread * 0.3183098861837907
    middle = _ROOT_2PI / total * (q + math.sqrt(max(under, 0.0)))
    u = math.sqrt(max(-2.0 * log_(part / total), 1.3862943611198906))
    z = u - (2.515517 + u * (0.802853 + u * 0.010328)) / (
        1.0 + u * (1.432788 + u * (0.189269 + u * 0.001308))
    )
    other = max(2.0 * z if region == _HIGH else middle, inflection)
    return min(low, inflection) if region == _LOW else other


@njit(cache=True, forceinline=True, error_model="numpy")
def _better(a: float, s: float, log_part: float, region: float) -> tuple[float, float, float]:
    """S after one step, the step over s, and D (or -G): E is the part over its size."""
    m, t = a / s, 0.5 * s
    gap = m - t
    near, far = mills_ratio(abs(gap)), mills_ratio(m + t)
    beyond = _ROOT_2PI * exp_(0.5 * gap * gap) - near  # R at minus its argument
    d = (near if gap > 0.0 else beyond) - far
    d = mills_spread(m, t) if s < _SHORT else d
    d = -((beyond if gap > 0.0 else near) + far) if region == _HIGH else d
    miss = log_(abs(d)) - (0.5 * (m * m + t * t) + _LOG_ROOT_2PI) - log_part
    newton = -miss * d
    # Of E: u = E' / E, and u^2 + u' = E'' / E. Of the logarithm, over its first derivative:
    u = (m * m - t * t) / s
    slope = -3.0 * m * m / (s * s) - 0.25
    inverse = 1.0 / d
    second = s * (u - inverse)
    third = s * s * (u * u + slope - inverse * (3.0 * u - 2.0 * inverse))
    # The same in s^(1/k): k = -1/2 or 1
    k = -0.5 if region == _LOW else 1.0
    h2 = k * second + (k - 1.0)
    h3 = k * k * third + 3.0 * k * (k - 1.0) * second + (k - 1.0) * (k - 2.0)
    nu = newton / (s * k)
    below = 1.0 + nu * (h2 + nu * h3 * (1.0 / 6.0))
    step = nu * (1.0 + 0.5 * h2 * nu) / below if below > 0.2 else nu
    step = min(max(step, -0.8), 4.0)
    grown = 1.0 + step
    grown = 1.0 / math.sqrt(grown) if region == _LOW else grown
    return min(max(s * grown, a * (1.0 / 45.0)), 100.0), step, d


@njit(cache=True, forceinline=True, error_model="numpy")
def _log_tiny(x: float) -> float:
    """log(x), below the normal doubles too."""
    tiny = x < 1e-290
    return log_(x * 1.6069380442589903e60 if tiny else x) - (138.62943611198907 if tiny else 0.0)


@njit(cache=True, forceinline=True, error_model="numpy")
def _region(a: float, b: float, half: float) -> float:
    """Low below the inflection of b, at s = sqrt(2 a); high above half the bound."""
    inflection = 0.3989422804014327 * exp_(-0.5 * a) * (_R0 - mills_ratio(math.sqrt(2.0 * a)))
    upper = _HIGH if b > half else _MIDDLE
    return _LOW if b < inflection else upper


@njit(cache=True, forceinline=True, error_model="numpy")
def _alone(a: float, s: float, log_part: float, region: float) -> tuple[float, float, float]:
    """As ``_better``, until the step is small; one that stays large says that it did not end."""
    step = slope = math.nan
    for _ in range(40):
        s, step, slope = _better(a, s, log_part, region)
        if abs(step) < _KNOWN:
            break
    return s, step, slope


@watches(normal)
@njit(cache=True, error_model="numpy")
def normalised_implied_vol(beta: float, x: float) -> float:
    """S = vol sqrt(tau) of one option out of the money, for use in another kernel.

    ``beta`` is its undiscounted price over sqrt(F K), ``x`` is log(F / K) of either sign. NaN
    where beta is not between 0 and ``exp(-abs(x) / 2)``.
    """
    a = abs(x)
    bound = exp_(-0.5 * a)
    if not 0.0 < beta < bound:
        return math.nan
    region = _region(a, beta, 0.5 * bound)
    part = bound - beta if region == _HIGH else beta
    s, step, _ = _alone(a, _first_guess(a, part, region), _log_tiny(part), region)
    return s if abs(step) < _KNOWN else math.nan


@njit(cache=True, forceinline=True, error_model="numpy")
def _normalise(work: FloatArray, i: int) -> None:
    """Status, a, the part solved for and its region; a harmless quote where there is no answer."""
    F, K, tau = work[_F * BLOCK + i], work[_K * BLOCK + i], work[_TAU * BLOCK + i]
    df, call = work[_DF * BLOCK + i], work[_CALL * BLOCK + i] > 0.5
    p = work[_P * BLOCK + i] / df
    usable = (F > 0.0) & (K > 0.0) & (tau >= 0.0) & (df > 0.0) & (abs(p) < np.inf)
    usable = usable & (np.inf > F) & (np.inf > K) & (tau < np.inf) & (df < np.inf)
    intrinsic = max(F - K if call else K - F, 0.0)
    b = p - intrinsic
    c = (F if call else K) - p
    rounding = _ULP * abs(p)
    least = rounding if intrinsic > 0.0 else 0.0
    code = _OK if (b > 0.0) & (c > 0.0) else _VEGA
    code = _ABOVE if c < -rounding else code
    code = _BELOW if b < -least else code
    code = _EXPIRED if tau == 0.0 else code
    code = code if usable else _BAD
    root = math.sqrt(F) * math.sqrt(K)
    bound = min(F, K) / root
    b, c = b / root, c / root
    code = _VEGA if (code == _OK) & (b == 0.0) else code
    ok = code == _OK
    a = abs(log_of_ratio(F, K)) if ok else 0.1
    b = b if ok else 0.04
    bound = bound if ok else 0.95
    region = _region(a, b, 0.5 * bound)
    work[_CODE * BLOCK + i] = code
    work[_A * BLOCK + i] = a
    work[_REGION * BLOCK + i] = region
    work[_PART * BLOCK + i] = c if region == _HIGH else b
    work[_P * BLOCK + i] = p
    work[_ROOT * BLOCK + i] = root


@njit(cache=True, error_model="numpy")
def _go_on(work: FloatArray, n: int) -> None:
    """More steps for the few quotes that two do not settle."""
    for i in range(n):
        if not abs(work[_STEP * BLOCK + i]) < _KNOWN:
            s, step, slope = _alone(
                work[_A * BLOCK + i],
                work[_S * BLOCK + i],
                work[_PART * BLOCK + i],
                work[_REGION * BLOCK + i],
            )
            work[_S * BLOCK + i] = s
            work[_STEP * BLOCK + i] = step
            work[_SLOPE * BLOCK + i] = slope


@njit(cache=True, forceinline=True, error_model="numpy")
def _finish(work: FloatArray, i: int) -> None:
    """S made a volatility, where the search ended and the price has digits left to say it."""
    s, code = work[_S * BLOCK + i], work[_CODE * BLOCK + i]
    E = exp_(work[_PART * BLOCK + i]) / abs(work[_SLOPE * BLOCK + i])
    moved = _ULP * abs(work[_P * BLOCK + i]) / work[_ROOT * BLOCK + i]
    ok = code == _OK
    code = _VEGA if ok & (moved > _VAGUE * s * E) else code
    code = _LOST if ok & ~(abs(work[_STEP * BLOCK + i]) < _KNOWN) else code
    work[_CODE * BLOCK + i] = code
    work[_S * BLOCK + i] = s / math.sqrt(work[_TAU * BLOCK + i]) if code == _OK else np.nan


@watches(normal, given_options)
@njit(cache=True, error_model="numpy")
def implied_vol_kernel(
    price: FloatArray,
    forward: FloatArray,
    strike: FloatArray,
    tau: FloatArray,
    discount: FloatArray,
    is_call: BoolArray,
    vol: FloatArray,
    status: NDArray[np.int8],
) -> None:
    """Fill ``vol`` and ``status`` ``(n,)`` from columns of one length, for other kernels too."""
    work = np.empty(_ROWS * BLOCK)
    for start in range(0, vol.size, BLOCK):
        n = min(BLOCK, vol.size - start)
        load(price, start, n, work, _P)
        load(forward, start, n, work, _F)
        load(strike, start, n, work, _K)
        load(tau, start, n, work, _TAU)
        load(discount, start, n, work, _DF)
        load(is_call, start, n, work, _CALL)
        for i in range(n):
            _normalise(work, i)
        for i in range(n):
            part = work[_PART * BLOCK + i]
            a, region = work[_A * BLOCK + i], work[_REGION * BLOCK + i]
            work[_S * BLOCK + i] = _first_guess(a, part, region)
            work[_PART * BLOCK + i] = _log_tiny(part)
        for _ in range(2):
            for i in range(n):
                s, step, slope = _better(
                    work[_A * BLOCK + i],
                    work[_S * BLOCK + i],
                    work[_PART * BLOCK + i],
                    work[_REGION * BLOCK + i],
                )
                work[_S * BLOCK + i] = s
                work[_STEP * BLOCK + i] = step
                work[_SLOPE * BLOCK + i] = slope
        _go_on(work, n)
        for i in range(n):
            _finish(work, i)
        for i in range(n):
            vol[start + i] = work[_S * BLOCK + i]
        for i in range(n):
            status[start + i] = np.int8(work[_CODE * BLOCK + i])
