r"""Which quotes of a chain can be locked in against each other, and for how much?

A call bought and a put sold at one strike are a forward bought. For European options it is worth
``D (F - K)``; for American ones, with rates r, dividends of value V today and a yield q, between::

    S min(1, e^{-q tau}) - V - K max(1, e^{-r tau}) <= C - P <= S max(1, e^{-q tau})
                                                                - K min(1, e^{-r tau})

(for r, q >= 0 the familiar S e^{-q tau} - V - K <= C - P <= S - K e^{-r tau}). It is bought at
``C_ask - P_bid`` and sold at ``C_bid - P_ask``: what lies beyond a bound, after fees, is a gain
without risk or, far more often, a stale quote.

Units: of the prices. References: Stoll (1969), Journal of Finance 24; Merton (1973), Journal of
Finance 28(1), for the American bounds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from eventtape.arrays import FloatArray, check_level
from eventtape.errors import InputError
from eventtape.estimators.pricing.forward import ParityForward

__all__ = ["ParityViolations", "american_parity_bounds", "bound_violations", "parity_violations"]


class ParityViolations(NamedTuple):
    """What each strike would earn beyond the bounds, after fees.

    - ``gain``: ``(n_strikes,)`` price units, 0 where the quotes are within the bounds, NaN where a
      quote is missing or crossed, or where there is no bound.
    - ``side``: ``(n_strikes,)`` of the forward bought: +1 buy it (call ask, put bid), -1 sell it,
      0 neither.
    - ``n_violations``, ``largest``: how many strikes violate, and by how much at most (0 for none).
    """

    gain: FloatArray
    side: FloatArray
    n_violations: int
    largest: float


def bound_violations(
    strikes: ArrayLike,
    call_bids: ArrayLike,
    call_asks: ArrayLike,
    put_bids: ArrayLike,
    put_asks: ArrayLike,
    *,
    lower: ArrayLike,
    upper: ArrayLike,
    fees: float = 0.0,
) -> ParityViolations:
    """Gain beyond ``lower <= C - P <= upper``, per strike, after ``fees`` a pair.

    Prices and bounds ``(n_strikes,)``; a bid of 0 can be sold at by no one and stands for no bid.
    """
    names = ("strikes", "call_bids", "call_asks", "put_bids", "put_asks", "lower", "upper")
    given = (strikes, call_bids, call_asks, put_bids, put_asks, lower, upper)
    columns = [np.asarray(values, np.float64) for values in given]
    for name, column in zip(names, columns, strict=True):
        if column.ndim != 1 or column.shape != columns[0].shape:
            wanted = f"an array of shape {columns[0].shape}, as the strikes"
            raise InputError(wanted, met=column.shape, column=name)
    if not fees >= 0.0:
        raise InputError("fees of 0 or more", met=fees, column="fees")
    _, cb, ca, pb, pa, low, high = columns
    usable = (cb <= ca) & (pb <= pa) & (ca > 0.0) & (pa > 0.0) & (low <= high)
    buy = np.where(usable & (pb > 0.0), low - (ca - pb) - fees, -np.inf)
    sell = np.where(usable & (cb > 0.0), (cb - pa) - high - fees, -np.inf)
    gain = np.where(usable, np.maximum(np.maximum(buy, sell), 0.0), math.nan)
    side = np.where(gain > 0.0, np.where(buy > sell, 1.0, -1.0), 0.0)
    violating = gain > 0.0
    largest = float(gain[violating].max()) if violating.any() else 0.0
    return ParityViolations(gain, side, int(violating.sum()), largest)


def parity_violations(
    strikes: ArrayLike,
    call_bids: ArrayLike,
    call_asks: ArrayLike,
    put_bids: ArrayLike,
    put_asks: ArrayLike,
    *,
    fit: ParityForward,
    fees: float = 0.0,
    level: float = 0.95,
) -> ParityViolations:
    """Gain beyond European parity, per strike, after ``fees`` and what ``fit`` leaves open.

    The bounds are ``D (F - K)`` less and plus the interval of the forward at ``level`` and that of
    the discount times the distance to the forward: their sum, whatever their correlation.
    """
    z = float(ndtri(0.5 + 0.5 * check_level(level)))
    away = fit.forward - np.asarray(strikes, np.float64)
    open_ = z * (fit.discount * fit.forward_error + fit.discount_error * np.abs(away))
    value = fit.discount * away
    return bound_violations(
        strikes,
        call_bids,
        call_asks,
        put_bids,
        put_asks,
        lower=value - open_,
        upper=value + open_,
        fees=fees,
    )


def american_parity_bounds(
    strikes: ArrayLike,
    *,
    spot: float,
    tau: float,
    rate: float,
    dividends: float = 0.0,
    dividend_yield: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Least and greatest ``C - P`` of American options, ``(n_strikes,)`` each.

    ``dividends``: their value today, of those paid before expiry. Rates and yields of either sign.

    >>> low, high = american_parity_bounds([100.0], spot=100.0, tau=1.0, rate=0.05)
    >>> float(low[0]), round(float(high[0]), 6)
    (0.0, 4.877058)
    """
    for name, value in (("spot", spot), ("tau", tau)):
        if not value > 0.0:
            raise InputError("a positive number", met=value, column=name)
    if not dividends >= 0.0:
        raise InputError("dividends of 0 or more", met=dividends, column="dividends")
    K = np.asarray(strikes, np.float64)
    bond, shares = math.exp(-rate * tau), math.exp(-dividend_yield * tau)
    lower = spot * min(1.0, shares) - dividends - K * max(1.0, bond)
    upper = spot * max(1.0, shares) - K * min(1.0, bond)
    return lower, upper
