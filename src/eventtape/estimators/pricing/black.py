r"""European option prices and their derivatives, relatively exact far out of the money.

Black (1976), on the forward F of expiry, with D the discount and s = vol sqrt(tau)::

    call = D (F Phi(d1) - K Phi(d2)),   d1 = log(F / K) / s + s / 2,   d2 = d1 - s.

The difference loses every digit where the option is worth little. With a = \|log(F / K)\|,
m = a / s, t = s / 2, E = phi(sqrt(m^2 + t^2)) and R the Mills ratio, the same number is::

    price = D (intrinsic + sqrt(F K) b),   b = E (R(m - t) - R(m + t)).

No term of b outgrows it by more than m / s, and where s is below 0.3 a series in t, which
starts with 2 t (1 - m R(m)), replaces the difference. For F and K close together log(F / K) is
taken from F - K. What is left is the conditioning: a relative change e of s moves b by m^2 e.

Greeks come in two sets, by what is held fixed. ``black_greeks``: the forward and the rate behind
the discount. ``black_scholes_greeks``: the spot, with F = S exp((r - q) tau) moving with r and
tau, as a cash desk has them. Vega is per 1.00 of volatility, rho per 1.00 of the rate, theta per
year of calendar time going by. tests/reference/test_black_references.py has the published numbers.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from eventtape.arrays import BoolArray, FloatArray, watches
from eventtape.estimators.pricing import given_options, normal
from eventtape.estimators.pricing.given_options import BLOCK, check_each, load, option_columns
from eventtape.estimators.pricing.normal import (
    exp_of_sum,
    log_of_ratio,
    mills_ratio,
    mills_spread,
    norm_cdf,
)

__all__ = [
    "Greeks",
    "black_greeks",
    "black_price",
    "black_scholes_greeks",
    "normalised_price",
    "normalised_vega",
    "undiscounted_price",
]

_PHI0 = 0.3989422804014327
_ROOT_2PI = 2.5066282746310002
_SPLIT = 134217729.0  # 2**27 + 1: cuts a double into two halves of 26 bits
_FAR = 40.0  # phi is 0 there, as a double
_SHORT = 0.3  # s below which b is a series
_F, _K, _TAU, _VOL, _DF, _CALL, _OUT = 0, 1, 2, 3, 4, 5, 6  # rows of the work space


class Greeks(NamedTuple):
    """Price and derivatives in the shape of the inputs; what is held fixed, the function says.

    - ``price``: today's, of one option on one unit.
    - ``delta``, ``gamma``: first and second derivative to the forward, or the spot.
    - ``theta``: per year of calendar time going by, negative for most options held.
    - ``vega``: per 1.00 of volatility.
    - ``rho``: per 1.00 of the continuous rate.

    With no time or no volatility left, delta is 0 or the whole, gamma 0; at the money, where the
    price has a kink, both are NaN, and theta too.
    """

    price: FloatArray
    delta: FloatArray
    gamma: FloatArray
    theta: FloatArray
    vega: FloatArray
    rho: FloatArray


def black_price(
    forward: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    vol: ArrayLike,
    *,
    is_call: ArrayLike,
    discount: ArrayLike = 1.0,
) -> FloatArray:
    """Today's price of a European option, in the forward's unit; any shapes that broadcast.

    ``tau`` in years, ``vol`` per sqrt(year), ``discount`` what 1 paid at expiry is worth today.
    NaN gives NaN; a negative number is an :class:`InputError`.

    >>> round(float(black_price(100.0, 100.0, 1.0, 0.2, is_call=True)), 6)
    7.965567
    """
    shape, right, columns = option_columns(
        is_call, forward=forward, strike=strike, tau=tau, vol=vol, discount=discount
    )
    _not_negative(("forward", "strike", "tau", "vol", "discount"), columns)
    out = np.empty(math.prod(shape))
    _prices(*columns, right, out)
    return out.reshape(shape)[()]


def black_greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    vol: ArrayLike,
    *,
    is_call: ArrayLike,
    rate: ArrayLike = 0.0,
) -> Greeks:
    """Price and derivatives with the forward held fixed, discounted at ``rate`` (per year).

    Delta and gamma are to the forward; rho is of the discount alone, -tau times the price; theta
    leaves forward, volatility and rate where they are. Shapes and errors as ``black_price``.
    """
    shape, right, (F, K, T, v, r) = option_columns(
        is_call, forward=forward, strike=strike, tau=tau, vol=vol, rate=rate
    )
    _not_negative(("forward", "strike", "tau", "vol"), (F, K, T, v))
    g = _derivatives(F, K, T, v, right, math.prod(shape))
    D = np.exp(-r * T)
    theta = D * (g.theta + r * g.price)
    return _shaped(
        shape, D * g.price, D * g.delta, D * g.gamma, theta, D * g.vega, -T * D * g.price
    )


def black_scholes_greeks(
    spot: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    vol: ArrayLike,
    *,
    is_call: ArrayLike,
) -> Greeks:
    """Price and derivatives with the spot held fixed; rate and yield are continuous, per year.

    Delta and gamma are to the spot; rho moves the forward and the discount together; theta lets
    the forward come down to the spot as time goes by. Shapes and errors as ``black_price``.
    """
    shape, right, (S, K, T, r, q, v) = option_columns(
        is_call,
        spot=spot,
        strike=strike,
        tau=tau,
        rate=rate,
        dividend_yield=dividend_yield,
        vol=vol,
    )
    _not_negative(("spot", "strike", "tau", "vol"), (S, K, T, v))
    D, growth = np.exp(-r * T), np.exp((r - q) * T)
    F = S * growth
    g = _derivatives(F, K, T, v, right, math.prod(shape))
    carried = D * g.delta * F  # the price's slope in log F
    theta = D * (g.theta + r * g.price) - (r - q) * carried
    rho = T * (carried - D * g.price)
    gamma = D * growth * growth * g.gamma
    return _shaped(shape, D * g.price, D * growth * g.delta, gamma, theta, D * g.vega, rho)


@njit(cache=True, forceinline=True, error_model="numpy")
def _density(m: float, t: float) -> float:
    """E = phi(sqrt(m^2 + t^2)); the rounding of m^2 and of the sum is carried along."""
    high = m * _SPLIT
    high = high - (high - m)
    square, other = high * high, t * t
    total = square + other
    added = total - square
    lost = (square - (total - added)) + (other - added)
    return _PHI0 * exp_of_sum(-0.5 * total, -0.5 * (lost + (m - high) * (m + high)))


@njit(cache=True, forceinline=True, error_model="numpy")
def _time_value(a: float, s: float) -> float:
    """b: the time value over sqrt(F K), with a = |log(F / K)|."""
    m, t = min(a / max(s, 1e-300), _FAR), min(0.5 * s, _FAR)
    gap = m - t
    E = _density(m, t)
    near, far = mills_ratio(abs(gap)), mills_ratio(m + t)
    outside = E * (near - far)
    inside = exp_of_sum(-0.5 * a, 0.0) - E * (near + far)
    direct = outside if gap > 0.0 else inside
    b = E * mills_spread(m, t) if s < _SHORT else direct
    return b if s != 0.0 else 0.0


@watches(normal)
@njit(cache=True, forceinline=True, error_model="numpy")
def normalised_price(x: float, s: float) -> float:
    """B of an option out of the money: its undiscounted price over sqrt(F K), for kernels.

    ``x`` is log(F / K) of either sign, ``s`` is vol sqrt(tau).
    """
    return _time_value(abs(x), s)


@watches(normal)
@njit(cache=True, forceinline=True, error_model="numpy")
def normalised_vega(x: float, s: float) -> float:
    """The slope of ``normalised_price`` in ``s``, for kernels: E."""
    return _density(min(abs(x) / max(s, 1e-300), _FAR), min(0.5 * s, _FAR))


@watches(normal)
@njit(cache=True, forceinline=True, error_model="numpy")
def undiscounted_price(forward: float, strike: float, s: float, is_call: bool) -> float:
    """The price at expiry's money of one option, for kernels; ``s`` is vol sqrt(tau)."""
    b = _time_value(abs(log_of_ratio(forward, strike)), s)
    root = math.sqrt(forward) * math.sqrt(strike)
    intrinsic = max(forward - strike if is_call else strike - forward, 0.0)
    return intrinsic + (root * b if root != 0.0 else 0.0 * s)


@watches(normal, given_options)
@njit(cache=True, error_model="numpy")
def _prices(
    forward: FloatArray,
    strike: FloatArray,
    tau: FloatArray,
    vol: FloatArray,
    discount: FloatArray,
    is_call: BoolArray,
    out: FloatArray,
) -> None:
    work = np.empty((_OUT + 1) * BLOCK)
    for start in range(0, out.size, BLOCK):
        n = min(BLOCK, out.size - start)
        load(forward, start, n, work, _F)
        load(strike, start, n, work, _K)
        load(tau, start, n, work, _TAU)
        load(vol, start, n, work, _VOL)
        load(discount, start, n, work, _DF)
        load(is_call, start, n, work, _CALL)
        for i in range(n):
            F, K = work[_F * BLOCK + i], work[_K * BLOCK + i]
            s = work[_VOL * BLOCK + i] * math.sqrt(work[_TAU * BLOCK + i])
            call = work[_CALL * BLOCK + i] > 0.5
            work[_OUT * BLOCK + i] = work[_DF * BLOCK + i] * undiscounted_price(F, K, s, call)
        for i in range(n):
            out[start + i] = work[_OUT * BLOCK + i]


@watches(normal, given_options)
@njit(cache=True, error_model="numpy")
def _slopes(
    forward: FloatArray,
    strike: FloatArray,
    tau: FloatArray,
    vol: FloatArray,
    is_call: BoolArray,
    out: FloatArray,
) -> None:
    """Rows of ``out``: price, delta, gamma, theta, vega, undiscounted, the forward held fixed."""
    work = np.empty((_OUT + 5) * BLOCK)
    for start in range(0, out.shape[1], BLOCK):
        n = min(BLOCK, out.shape[1] - start)
        load(forward, start, n, work, _F)
        load(strike, start, n, work, _K)
        load(tau, start, n, work, _TAU)
        load(vol, start, n, work, _VOL)
        load(is_call, start, n, work, _CALL)
        for i in range(n):
            _slopes_of_one(work, i)
        for row in range(5):
            for i in range(n):
                out[row, start + i] = work[(_OUT + row) * BLOCK + i]


@njit(cache=True, forceinline=True, error_model="numpy")
def _slopes_of_one(work: FloatArray, i: int) -> None:
    F, K, T = work[_F * BLOCK + i], work[_K * BLOCK + i], work[_TAU * BLOCK + i]
    v, call = work[_VOL * BLOCK + i], work[_CALL * BLOCK + i] > 0.5
    s = v * math.sqrt(T)
    x = log_of_ratio(F, K)
    root = math.sqrt(F) * math.sqrt(K)
    dense = root * normalised_vega(x, s)
    price = undiscounted_price(F, K, s, call)
    kink = ((s == 0.0) & (F == K)) | np.isnan(price)
    flat = (s == 0.0) | (root == 0.0)
    d1 = x / s + 0.5 * s
    d1 = (np.inf if F > K else -np.inf) if flat else d1
    delta = norm_cdf(d1 if call else -d1)
    gamma, decay = dense / (F * F * s), -0.5 * dense * v / math.sqrt(T)
    nothing = np.nan if kink else 0.0 * price
    work[_OUT * BLOCK + i] = price
    work[(_OUT + 1) * BLOCK + i] = np.nan if kink else (delta if call else -delta)
    work[(_OUT + 2) * BLOCK + i] = nothing if flat else gamma
    work[(_OUT + 3) * BLOCK + i] = nothing if flat else decay
    work[(_OUT + 4) * BLOCK + i] = dense * math.sqrt(T) if root != 0.0 else 0.0 * price


def _derivatives(
    F: FloatArray, K: FloatArray, T: FloatArray, v: FloatArray, is_call: BoolArray, n: int
) -> Greeks:
    """Undiscounted, the forward held fixed; no rate, no rho."""
    out = np.empty((5, n))
    _slopes(F, K, T, v, is_call, out)
    return Greeks(out[0], out[1], out[2], out[3], out[4], np.zeros(n))


def _shaped(shape: tuple[int, ...], *columns: FloatArray) -> Greeks:
    return Greeks(*(column.reshape(shape)[()] for column in columns))


def _not_negative(
    names: tuple[str, ...], columns: tuple[FloatArray, ...] | list[FloatArray]
) -> None:
    for name, values in zip(names, columns, strict=True):
        check_each(name, values, "a number of at least 0", lambda x: x < 0.0)
