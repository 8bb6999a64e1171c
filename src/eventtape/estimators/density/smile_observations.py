r"""What one quote says of the smile, and how well.

Each quote gives the total volatility v = sigma sqrt(tau) at which Black's formula has its mid, read
from the side out of the money (an in-the-money mid less \|F - K\|, used within one standard
deviation of the forward only, where its spread is no wider). In the units of the chain::

    x = log(K / F) / v_0,      y = v / v_0 - 1
    z = (mid - microprice) / (vega v_0)                      so that y - lambda z is y at a price
    R = (c^2 (P_a - P_b)^2 / (12 (Q_a + Q_b)) + tick^2 / 24) / (vega v_0)^2

lambda says how much the sizes tell: 0 takes the mid for the value, 1 the microprice. It is one more
coefficient of the fit, normal with mean and deviation 1/2 before the quotes are seen: on real
minutes the microprice leans the right way and too far, and where sizes say nothing (lambda = 0) it
would be noise of half a spread (:mod:`~eventtape.estimators.density.quote_noise`).

tick^2 / 24 is the rounding of bid and ask, which no number of contracts undoes; it is added, so
that it never replaces what a quote says of itself, and its share is reported. c^2 is what
sigma_P^2 must be multiplied by: sizes of hundreds make it absurdly small. It comes, before any
smile is fitted, from the pseudo-residuals of each quote against the line through its two
neighbours (Gasser, Sroka and Jennen-Steinmetz, 1986, Biometrika 73).

Prices are undiscounted inside. Shapes ``(n,)``, quotes in order of strike.
"""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np
from numba import njit
from numpy.typing import NDArray

from eventtape.arrays import BoolArray, FloatArray, IntArray, watches
from eventtape.estimators.density import quote_noise
from eventtape.estimators.density.quote_noise import quote_kernel
from eventtape.estimators.pricing import implied_vol
from eventtape.estimators.pricing.implied_vol import implied_vol_kernel, normalised_implied_vol

__all__ = [
    "LAMBDA_MEAN",
    "LAMBDA_VARIANCE",
    "LEAST_QUOTES",
    "QuoteFate",
    "judged",
    "observe",
    "observe_all",
    "observe_chain",
    "spread_scale",
]

LAMBDA_MEAN, LAMBDA_VARIANCE = 0.5, 0.25
LEAST_QUOTES = 5  # used, for a density
_NEAR = 6  # quotes next to the forward, whose mean volatility is v_0
_PHI0 = 0.3989422804014327


class QuoteFate(IntEnum):
    """What became of a quote in a fit; ``USED`` is 0."""

    USED = 0
    MISSING = 1
    ONE_SIDED = 2
    ZERO_BID = 3
    CROSSED = 4
    NEGATIVE = 5
    NO_VOLATILITY = 6  # the mid is outside the bounds of arbitrage
    IN_THE_MONEY = 7  # and further from the forward than one standard deviation
    OUTLIER = 8  # further from the smile than six of its errors
    ONE_TICK = 9  # the lowest bid there is: the value may be anywhere below the ask


_FATE = np.array([0, 0, 0, 1, 2, 3, 4, 5], np.int8)  # of a QuoteStatus
_NO_VOL, _ITM = int(QuoteFate.NO_VOLATILITY), int(QuoteFate.IN_THE_MONEY)
_ONE_TICK = int(QuoteFate.ONE_TICK)


@watches(quote_noise, implied_vol)
@njit(cache=True, error_model="numpy")
def observe(
    strike: float,
    is_call: bool,
    bid: float,
    ask: float,
    bid_size: float,
    ask_size: float,
    forward: float,
    discount: float,
    tick: float,
) -> tuple[int, float, float, float, float, float]:
    """Fate, k, v, z, variance from the spread and from the tick of one quote, for v_0 = 1."""
    nan = math.nan
    mid, micro, variance, _, status = quote_kernel(bid, ask, bid_size, ask_size, 0.0, False)
    fate = _fate(status, bid, tick)
    k = math.log(strike / forward)
    if fate != 0:
        return fate, k, nan, nan, nan, nan
    value = mid / discount
    if is_call != (strike >= forward):
        value -= abs(forward - strike)
    v = normalised_implied_vol(value / math.sqrt(forward * strike), -k)
    if not v > 0.0:
        return _NO_VOL, k, nan, nan, nan, nan
    slope = discount * _slope(forward, k, v)
    lean = (mid - micro) / slope if math.isfinite(micro) else 0.0
    return 0, k, v, lean, variance / slope**2, (tick / slope) ** 2 / 24.0


@njit(cache=True, forceinline=True, error_model="numpy")
def _fate(status: int, bid: float, tick: float) -> int:
    """Of one quote, before its volatility is sought."""
    fate = int(_FATE[status])
    return _ONE_TICK if fate == 0 and bid < 1.5 * tick else fate


@njit(cache=True, forceinline=True, error_model="numpy")
def _slope(forward: float, k: float, v: float) -> float:
    """Of an undiscounted price in the total volatility v."""
    d = 0.5 * v - k / v
    return forward * _PHI0 * math.exp(-0.5 * d * d)


@njit(cache=True, forceinline=True, error_model="numpy")
def judged(fate: int, is_call: bool, strike: float, forward: float, v0: float) -> int:
    """The fate of a quote once v_0 is known: deep in the money it is left out."""
    deep = is_call != (strike >= forward) and not abs(math.log(strike / forward)) < v0
    return _ITM if fate == 0 and deep else int(fate)


@watches(quote_noise, implied_vol)
@njit(cache=True, error_model="numpy")
def observe_all(
    strikes: FloatArray,
    is_call: BoolArray,
    quotes: FloatArray,
    forward: float,
    discount: float,
    tick: float,
    fates: NDArray[np.int8],
    seen: FloatArray,
) -> None:
    """:func:`observe` of many quotes: fills ``fates`` and ``seen`` ``(5, n)``, for v_0 = 1."""
    n = strikes.size
    values, flat = np.empty(n), np.ones(n)
    above = np.empty(n, np.bool_)
    vols, codes = np.empty(n), np.empty(n, np.int8)
    for i in range(n):
        mid, micro, variance, _, status = quote_kernel(
            quotes[0, i], quotes[1, i], quotes[2, i], quotes[3, i], 0.0, False
        )
        fates[i] = _fate(status, quotes[0, i], tick)
        above[i] = strikes[i] >= forward
        inside = abs(forward - strikes[i]) if is_call[i] != above[i] else 0.0
        values[i] = mid / discount - inside
        seen[2, i] = (mid - micro) if math.isfinite(micro) else 0.0
        seen[3, i] = variance
    implied_vol_kernel(values, np.full(n, forward), strikes, flat, flat, above, vols, codes)
    for i in range(n):
        if fates[i] == 0 and codes[i] != 0:
            fates[i] = _NO_VOL
        k, v = math.log(strikes[i] / forward), vols[i]
        slope = discount * _slope(forward, k, v)
        seen[0, i], seen[1, i] = k, v
        seen[2, i] /= slope
        seen[3, i] /= slope * slope
        seen[4, i] = (tick / slope) ** 2 / 24.0


@watches(quote_noise, implied_vol)
@njit(cache=True, error_model="numpy")
def observe_chain(
    strikes: FloatArray,
    is_call: BoolArray,
    quotes: FloatArray,
    forward: float,
    discount: float,
    tick: float,
    fates: NDArray[np.int8],
    seen: FloatArray,
) -> tuple[float, int]:
    """Fill ``seen`` ``(5, n)`` (x, y, z, both variances) and ``fates``; return v_0, quotes used.

    ``quotes`` ``(4, n)``: bids, asks and their sizes; strikes in order. A v_0 of NaN: no quote out
    of the money has a volatility.
    """
    n = strikes.size
    observe_all(strikes, is_call, quotes, forward, discount, tick, fates, seen)
    v0 = _near_forward(strikes, is_call, forward, fates, seen)
    used = 0
    for i in range(n):
        fates[i] = judged(fates[i], is_call[i], strikes[i], forward, v0)
        used += fates[i] == 0
        seen[0, i] /= v0
        seen[1, i], seen[2, i] = seen[1, i] / v0 - 1.0, seen[2, i] / v0
        seen[3, i] /= v0 * v0
        seen[4, i] /= v0 * v0
    return v0, used


@njit(cache=True, error_model="numpy")
def _near_forward(
    strikes: FloatArray,
    is_call: BoolArray,
    forward: float,
    fates: NDArray[np.int8],
    seen: FloatArray,
) -> float:
    """Mean v of the quotes out of the money next to the forward."""
    n = strikes.size
    above = 0
    while above < n and strikes[above] < forward:
        above += 1
    below = above - 1
    total, count = 0.0, 0
    while count < _NEAR:
        while above < n and not (fates[above] == 0 and is_call[above]):
            above += 1
        while below >= 0 and not (fates[below] == 0 and not is_call[below]):
            below -= 1
        if above >= n and below < 0:
            break
        up = below < 0 or (above < n and seen[0, above] <= -seen[0, below])
        total += seen[1, above] if up else seen[1, below]
        count += 1
        if up:
            above += 1
        else:
            below -= 1
    return total / count if count > 0 else math.nan


@njit(cache=True, error_model="numpy")
def _pseudo_residuals(seen: FloatArray, place: IntArray, gaps: FloatArray) -> None:
    """Fill ``gaps`` ``(4, n - 2)``: y and z against the line of both neighbours; both variances."""
    for j in range(1, place.size - 1):
        a, b, c = place[j - 1], place[j], place[j + 1]
        before = (seen[0, c] - seen[0, b]) / (seen[0, c] - seen[0, a])
        after = 1.0 - before
        for row in range(1, 3):
            gaps[row - 1, j - 1] = seen[row, b] - before * seen[row, a] - after * seen[row, c]
        for row in range(3, 5):
            gaps[row - 1, j - 1] = (
                seen[row, b] + before * before * seen[row, a] + after * after * seen[row, c]
            )


@njit(cache=True, error_model="numpy")
def spread_scale(
    strikes: FloatArray,
    is_call: BoolArray,
    forward: float,
    fates: NDArray[np.int8],
    seen: FloatArray,
    place: IntArray,
) -> float:
    """c^2: how many times sigma_P^2 the quotes scatter about their neighbours; 1 with too few.

    ``place`` ``(n,)`` is work space.
    """
    n = 0
    for i in range(strikes.size):
        if fates[i] == 0 and is_call[i] == (strikes[i] >= forward):
            place[n] = i
            n += 1
    if n < 5:
        return 1.0
    gaps = np.empty((4, n - 2))
    _pseudo_residuals(seen, place[:n], gaps)
    scale, lean = 1.0, 0.0
    for _ in range(8):
        across = square = 0.0
        for j in range(n - 2):
            variance = scale * gaps[2, j] + gaps[3, j]
            across += gaps[1, j] * gaps[0, j] / variance
            square += gaps[1, j] * gaps[1, j] / variance
        prior = 1.0 / LAMBDA_VARIANCE
        lean = (across + LAMBDA_MEAN * prior) / (square + prior)
        found = wanted = 0.0
        for j in range(n - 2):
            variance = scale * gaps[2, j] + gaps[3, j]
            share = gaps[2, j] / variance
            miss = gaps[0, j] - lean * gaps[1, j]
            found += share * miss * miss / variance
            wanted += share
        step = found / wanted if wanted > 0.0 else 1.0
        scale = min(max(scale * step, 1e-4), 1e6)
        if abs(step - 1.0) < 0.02:
            break
    return scale
