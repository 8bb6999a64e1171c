"""What an American option is worth, with its five Greeks, to about 1e-7 of the strike.

Andersen, Lake and Offengenden, J. Comp. Finance 20(1), 2016: spectral collocation of the exercise
boundary, then one integral for the price. Here by Newton's method with exact derivatives:
:mod:`~eventtape.estimators.pricing.exercise_boundary` has the equations,
:mod:`~eventtape.estimators.pricing.early_exercise` price and Greeks.

Units: years, vol per sqrt(year) (0.2 is 20%), rates continuous per year; vega per 1.00 of vol, rho
per 1.00 of rate, theta per year that passes.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventtape.arrays import BoolArray, FloatArray
from eventtape.errors import InputError
from eventtape.estimators.pricing.early_exercise import price_all
from eventtape.estimators.pricing.exercise_boundary_nodes import Nodes, nodes_of
from eventtape.estimators.pricing.given_options import option_columns

__all__ = ["Accuracy", "American", "american", "chosen_nodes", "whole_columns"]

Accuracy = Literal["standard", "high"]
# Boundary points, angles of each equation, angles of the price: multiples of 8 fill registers
_SIZES = {"standard": (12, 24, 96), "high": (32, 64, 192)}


class American(NamedTuple):
    """Price and Greeks, each of the shape of the broadcast input, with a code for each option.

    - ``delta``, ``gamma``: per unit of spot; ``theta``: per year of time passing;
    - ``vega``: per 1.00 of volatility; ``rho``: per 1.00 of rate;
    - ``status``: :class:`~eventtape.estimators.pricing.status.PriceStatus` codes. ``AT_EXERCISE``:
      worth exactly its exercise value, with the Greeks of that. ``EXPIRED``: the exercise value at
      ``tau`` 0, no Greeks. ``ZERO_VEGA``: nothing is random (volatility, spot or strike 0); the
      price is that of the best date along the one path, no Greeks. ``BAD_INPUT``: not a finite
      number, or negative where that means nothing, or rates with two exercise boundaries (a put
      with dividend yield < rate < 0, a call with rate < dividend yield < 0): all NaN, as with
      ``NO_CONVERGENCE``.
    """

    price: FloatArray
    delta: FloatArray
    gamma: FloatArray
    theta: FloatArray
    vega: FloatArray
    rho: FloatArray
    status: NDArray[np.int8]


def american(
    spot: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    vol: ArrayLike,
    *,
    is_call: ArrayLike,
    accuracy: Accuracy = "standard",
) -> American:
    """Price, delta, gamma, theta, vega, rho and status of each American option.

    Inputs broadcast against each other. Largest error of the 6,000 puts of Andersen, Lake and
    Offengenden (a year, vol 60%, rates 12% at most): 5e-8 of the strike, ``"high"`` 1e-9 at six
    times the time. At ten years or a volatility of 150%: 2e-6. A put whose rate (a call whose
    yield) over the time left is under 2e-6 is taken for European: its premium is less than that.

    >>> american(36, 40, 1, 0.06, 0, 0.2, is_call=False).price.round(5)
    np.float64(4.48667)
    """
    nodes = chosen_nodes(accuracy)
    shape, call, flat = whole_columns(
        is_call,
        spot=spot,
        strike=strike,
        tau=tau,
        rate=rate,
        dividend_yield=dividend_yield,
        vol=vol,
    )
    out, status = np.empty((6, call.size)), np.empty(call.size, np.int8)
    price_all(nodes, *flat, call, out, status)
    price, delta, gamma, theta, vega, rho = out.reshape(6, *shape)
    return American(price, delta, gamma, theta, vega, rho, status.reshape(shape)[()])


def chosen_nodes(accuracy: str) -> Nodes:
    """The points and angles of an accuracy by its name."""
    if accuracy not in get_args(Accuracy):
        raise InputError(f"one of {', '.join(_SIZES)}", met=accuracy, column="accuracy")
    return nodes_of(*_SIZES[accuracy])


def whole_columns(
    is_call: ArrayLike, **numbers: ArrayLike
) -> tuple[tuple[int, ...], BoolArray, list[FloatArray]]:
    """The common shape, ``is_call`` and each number as a column of its size."""
    shape, call, columns = option_columns(is_call, **numbers)
    size = math.prod(shape)
    return (
        shape,
        np.ascontiguousarray(np.broadcast_to(call, size)),
        [np.ascontiguousarray(np.broadcast_to(x, size)) for x in columns],
    )
