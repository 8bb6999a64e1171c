"""What quotes of American options would be if the options were European.

Density and parity need European prices. An American quote is taken to its implied volatility and
that volatility to the European price: the early-exercise premium goes, volatility stays (the usual
practice, e.g. Carr and Wu, RFS 23, 2010; its error on skewed models: Burkovska et al., J. Comp.
Finance 22(3), 2018). Bid and ask go each by their own volatility, so the spread keeps its meaning
in volatility. It assumes a continuous dividend yield.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventtape.arrays import FloatArray
from eventtape.estimators.pricing.american import Accuracy, chosen_nodes, whole_columns
from eventtape.estimators.pricing.american_implied_vol import ROUGH, vol_all
from eventtape.estimators.pricing.exercise_boundary_nodes import nodes_of

__all__ = ["EuropeanQuote", "deamericanise"]


class EuropeanQuote(NamedTuple):
    """European prices of American quotes, each of the shape of the broadcast input.

    - ``bid``, ``mid``, ``ask``: European price at the volatility that each implies, NaN where it
      implies none: a bid at the exercise value is no fault of the quote, and says nothing;
    - ``bid_vol``, ``mid_vol``, ``ask_vol``: those volatilities, per sqrt(year);
    - ``premium``: American less European, at the mid;
    - ``bid_status``, ``mid_status``, ``ask_status``: PriceStatus codes.
    """

    bid: FloatArray
    mid: FloatArray
    ask: FloatArray
    bid_vol: FloatArray
    mid_vol: FloatArray
    ask_vol: FloatArray
    premium: FloatArray
    bid_status: NDArray[np.int8]
    mid_status: NDArray[np.int8]
    ask_status: NDArray[np.int8]


def deamericanise(
    bid: ArrayLike,
    ask: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    *,
    is_call: ArrayLike,
    accuracy: Accuracy = "standard",
) -> EuropeanQuote:
    """European bid, mid and ask of each American quote, with their volatilities and statuses.

    Inputs broadcast against each other; units as in
    :func:`~eventtape.estimators.pricing.american.american`. A crossed quote has no mid: ``BAD
    INPUT`` on all three.

    >>> deamericanise(4.48, 4.50, 36, 40, 1, 0.06, 0, is_call=False).mid.round(4)
    np.float64(3.8486)
    """
    nodes = chosen_nodes(accuracy)
    shape, call, (low, high, *rest) = whole_columns(
        is_call,
        bid=bid,
        ask=ask,
        spot=spot,
        strike=strike,
        tau=tau,
        rate=rate,
        dividend_yield=dividend_yield,
    )
    crossed = np.where(high < low, np.nan, 0.0)
    vols, prices = np.empty((3, call.size)), np.empty((3, call.size))
    status = np.empty((3, call.size), np.int8)
    middle = 0.5 * (low + high)
    for k, price in enumerate((low, middle, high)):
        vol_all(
            nodes_of(*ROUGH), nodes, price + crossed, *rest, call, vols[k], prices[k], status[k]
        )
    found = [row.reshape(shape)[()] for row in (*prices, *vols, middle - prices[1], *status)]
    return EuropeanQuote(*found)
