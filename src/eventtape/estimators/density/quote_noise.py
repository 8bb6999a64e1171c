r"""How well does one quote tell a price?

With best bid and ask P_b, P_a for Q_b and Q_a contracts::

    P_mu      = (Q_a P_b + Q_b P_a) / (Q_a + Q_b)       microprice
    sigma_P^2 = (P_a - P_b)^2 / (12 (Q_a + Q_b))        uniform over the spread, one draw a contract
    sigma_IV^2 = sigma_P^2 / vega^2

Without sizes the price is one draw, (P_a - P_b)^2 / 12, and only the mid is known.

The floor. Bid and ask are rounded to a tick, each with an error uniform over one tick, of variance
tick^2 / 12; independent errors leave tick^2 / 24 in the mid. A locked book would otherwise be a
certainty. Two floors can be had:

- ``per lot`` (the default): tick^2 / (24 (Q_a + Q_b)), the rounding spread over the contracts as
  sigma_P^2 is. It binds where the spread is under tick / sqrt(2), so on no book a tick wide.
- ``whole``: tick^2 / 24, since no number of contracts undoes the rounding of one quote. It binds
  where the spread is under sqrt((Q_a + Q_b) / 2) ticks, which cheap options of size are: 5% of the
  calls and 18% of the puts of S&P 500 options on 19 April 2013, half of the cheap quotes at
  one-cent ticks, sizes 1 to 50.

What a quote foretells. On minutes of listed GOOG options of 24 December 2015 the microprice leans
the right way (64% of 20,026 moves of the mid) and too far: for the next minute's mid, 44,250 cases,
its error is .50 half spreads and the mid's .34. Nor does the next move shrink with the contracts:
log move^2 has a slope of 0.0 on log(Q_a + Q_b) after a minute, -0.1 after five, where the formula
says -1. So both prices are given; take the mid for the value unless sizes are known to tell more,
and fit a scale to the variances.

Prices in any one currency, sizes in contracts, vega per 1.00 of volatility. Reference: Stoikov
(2018), Quantitative Finance 18(12), on microprices.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from eventtape.arrays import BoolArray, FloatArray
from eventtape.errors import InputError

__all__ = [
    "QuoteNoise",
    "QuoteStatus",
    "infer_tick",
    "quote_kernel",
    "quote_noise",
    "quote_noise_kernel",
    "tick_schedule",
]

_UNIT = 1e-6  # prices are read to this: finer ones have no tick

Rounding = Literal["per lot", "whole"]


class QuoteStatus(IntEnum):
    """What became of one quote.

    ``OK``, ``LOCKED`` (variance: the floor) and ``NO_SIZE`` (sizes missing, negative or both zero:
    variance as without sizes) come with numbers, the others with NaN.
    """

    OK = 0
    LOCKED = 1
    NO_SIZE = 2
    MISSING = 3
    ONE_SIDED = 4
    ZERO_BID = 5
    CROSSED = 6
    NEGATIVE = 7


class QuoteNoise(NamedTuple):
    """Value and variance of each quote, ``(n,)`` each; NaN where ``status`` is above 2.

    - ``mid``, ``microprice``: prices. Without sizes the microprice is NaN.
    - ``price_variance``: sigma_P^2, not below the floor. ``vol_variance``: sigma_IV^2 in
      (volatility)^2, infinite at zero vega; NaN without a vega.
    - ``floored``: where the floor binds. ``floor_share``: of the quotes that have a variance.
    - ``tick``: of each quote, as given or inferred.
    - ``status``: of :class:`QuoteStatus`.
    """

    mid: FloatArray
    microprice: FloatArray
    price_variance: FloatArray
    vol_variance: FloatArray
    floored: BoolArray
    floor_share: float
    tick: FloatArray
    status: NDArray[np.int8]


@njit(cache=True, error_model="numpy")
def quote_kernel(
    bid: float, ask: float, bid_size: float, ask_size: float, tick: float, whole: bool
) -> tuple[float, float, float, bool, int]:
    """Mid, microprice, price variance, whether its floor binds, status: one quote.

    For callers of other kernels; they import this module and name it to ``watches``. Sizes of NaN
    stand for none; ``whole`` chooses the floor tick^2 / 24; a tick of 0 is no floor.
    """
    nan = math.nan
    status = 0
    if not (math.isfinite(bid) or math.isfinite(ask)):
        status = 3
    elif bid < 0.0 or ask < 0.0:
        status = 7
    elif not (math.isfinite(bid) and math.isfinite(ask)):
        status = 4
    elif bid == 0.0:
        status = 5
    elif bid > ask:
        status = 6
    if status > 0:
        return nan, nan, nan, False, status
    contracts = bid_size + ask_size
    sized = bid_size >= 0.0 and ask_size >= 0.0 and 0.0 < contracts < math.inf
    lots = contracts if sized else 1.0
    micro = (ask_size * bid + bid_size * ask) / contracts if sized else nan
    raw = (ask - bid) ** 2 / (12.0 * lots)
    floor = tick * tick / (24.0 if whole else 24.0 * lots)
    if bid == ask:
        status = 1
    elif not sized:
        status = 2
    return 0.5 * (bid + ask), micro, max(raw, floor), raw < floor, status


@njit(cache=True, error_model="numpy")
def quote_noise_kernel(
    bids: FloatArray,
    asks: FloatArray,
    bid_sizes: FloatArray,
    ask_sizes: FloatArray,
    ticks: FloatArray,
    whole: bool,
    prices: FloatArray,
    floored: BoolArray,
    statuses: NDArray[np.int8],
) -> None:
    """:func:`quote_kernel` over arrays ``(n,)``; ``prices`` ``(3, n)``: mid, micro, variance."""
    for i in range(bids.size):
        mid, micro, variance, binds, status = quote_kernel(
            bids[i], asks[i], bid_sizes[i], ask_sizes[i], ticks[i], whole
        )
        prices[0, i], prices[1, i], prices[2, i] = mid, micro, variance
        floored[i], statuses[i] = binds, status


def quote_noise(
    bids: ArrayLike,
    asks: ArrayLike,
    bid_sizes: ArrayLike | None = None,
    ask_sizes: ArrayLike | None = None,
    *,
    tick: ArrayLike | None = None,
    vega: ArrayLike | None = None,
    rounding: Rounding = "per lot",
) -> QuoteNoise:
    """Mid, microprice and variance of each quote, with the floor, where it binds, and a status.

    Arrays ``(n,)``, NaN where a side is not quoted; ``tick`` a number or one a quote, inferred from
    the prices when not given (:func:`infer_tick`); ``rounding`` chooses the floor, see the file.
    Errors: InputError for shapes that differ, one side's sizes alone, a tick or vega below 0.

    >>> noise = quote_noise([1.00], [1.10], [10], [30], tick=0.01, vega=[2.0])
    >>> round(float(noise.microprice[0]), 9), round(float(noise.price_variance[0]) * 48e3, 9)
    (1.025, 1.0)
    """
    if rounding not in {"per lot", "whole"}:
        raise InputError("rounding 'per lot' or 'whole'", met=rounding)
    if (bid_sizes is None) != (ask_sizes is None):
        raise InputError("sizes of both sides or of none", met="one side's")
    b, a = _floats("bids", bids, None), _floats("asks", asks, None)
    n = b.size
    _floats("asks", a, n)
    qb = np.full(n, math.nan) if bid_sizes is None else _floats("bid_sizes", bid_sizes, n)
    qa = np.full(n, math.nan) if ask_sizes is None else _floats("ask_sizes", ask_sizes, n)
    given = infer_tick(np.append(b, a)) if tick is None else tick
    ticks = _not_negative("tick", np.nan_to_num(_floats("tick", given, n), nan=0.0))
    prices, floored, status = np.empty((3, n)), np.empty(n, np.bool_), np.empty(n, np.int8)
    quote_noise_kernel(b, a, qb, qa, ticks, rounding == "whole", prices, floored, status)
    vol = np.full(n, math.nan)
    if vega is not None:
        v = _not_negative("vega", _floats("vega", vega, n))
        np.divide(prices[2], v * v, out=vol, where=v > 0.0)
        vol[(v == 0.0) & (status <= QuoteStatus.NO_SIZE)] = math.inf
    known = int(np.count_nonzero(status <= QuoteStatus.NO_SIZE))
    share = float(np.count_nonzero(floored)) / known if known else math.nan
    return QuoteNoise(prices[0], prices[1], prices[2], vol, floored, share, ticks, status)


def infer_tick(prices: ArrayLike) -> float:
    """The largest increment of which all prices are whole multiples; NaN without a positive price.

    An upper bound on the rule's tick: of n prices all are multiples of a larger one by chance about
    once in 2^n. Prices are read to 1e-6; continuous ones give about that.

    >>> infer_tick([0.15, 2.40, 3.10])
    0.05
    """
    x = np.asarray(prices, np.float64).ravel()
    x = x[np.isfinite(x) & (x > 0.0) & (x < 1e12)]
    if not x.size:
        return math.nan
    return float(np.gcd.reduce(np.rint(x / _UNIT).astype(np.int64))) / round(1.0 / _UNIT)


def tick_schedule(prices: ArrayLike, *, breaks: ArrayLike = (3.0,)) -> FloatArray:
    """The tick of each price, ``(n,)``, inferred between ``breaks``, each break of the band above.

    United States options: five cents under three dollars and ten from there, or one and five.

    >>> tick_schedule([0.15, 2.20, 3.10, 5.30, 8.00])
    array([0.05, 0.05, 0.1 , 0.1 , 0.1 ])
    """
    x = _floats("prices", prices, None)
    bands = np.searchsorted(np.asarray(breaks, np.float64), x, side="right")
    ticks = np.full(x.size, math.nan)
    for band in np.unique(bands[np.isfinite(x)]):
        ticks[bands == band] = infer_tick(x[bands == band])
    ticks[~np.isfinite(x)] = math.nan
    return ticks


def _floats(name: str, values: ArrayLike, size: int | None) -> FloatArray:
    """The values as a new array ``(n,)``: one memory layout, so one compiled kernel."""
    try:
        x = np.array(values, np.float64)
    except (TypeError, ValueError):
        raise InputError("an array of numbers", met=type(values).__name__, column=name) from None
    if x.ndim == 0 and size is not None:
        return np.full(size, float(x))
    if x.ndim != 1 or (size is not None and x.size != size):
        raise InputError(f"an array of shape ({size or 'n'},)", met=x.shape, column=name)
    return x


def _not_negative(name: str, x: FloatArray) -> FloatArray:
    bad = np.flatnonzero(x < 0.0)
    if bad.size:
        met, row = float(x[bad[0]]), int(bad[0]) + 1
        raise InputError("numbers of 0 or more", met=met, row=row, column=name)
    return x
