"""What an option, or any function of the price at expiry, pays: amounts, and where they bend.

A payoff is smooth between its corners and grows no faster than a cube of the price.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.estimators.pricing.terminal_law import check_positive

__all__ = [
    "Payoff",
    "call_payoff",
    "digital_payoff",
    "polygon_payoff",
    "put_payoff",
    "straddle_payoff",
]


class Payoff(NamedTuple):
    """``amounts`` from prices to amounts, elementwise; ``corners``: prices where it bends."""

    amounts: Callable[[FloatArray], FloatArray]
    corners: tuple[float, ...] = ()


def call_payoff(strike: float) -> Payoff:
    """(S - K)+, in price units."""
    check_positive(strike=strike)
    return Payoff(lambda S: np.maximum(S - strike, 0.0), (strike,))


def put_payoff(strike: float) -> Payoff:
    """(K - S)+, in price units."""
    check_positive(strike=strike)
    return Payoff(lambda S: np.maximum(strike - S, 0.0), (strike,))


def straddle_payoff(strike: float) -> Payoff:
    """abs(S - K), in price units."""
    check_positive(strike=strike)
    return Payoff(lambda S: np.abs(S - strike), (strike,))


def digital_payoff(strike: float) -> Payoff:
    """1 where S > K, else 0."""
    check_positive(strike=strike)
    return Payoff(lambda S: np.where(strike < S, 1.0, 0.0), (strike,))


def polygon_payoff(prices: ArrayLike, amounts: ArrayLike) -> Payoff:
    """Straight between the points given (two or more), and beyond them as the first and last line.

    >>> polygon_payoff([90.0, 100.0, 120.0], [0.0, 5.0, 5.0]).amounts(np.array([80.0, 95.0, 130.0]))
    array([-5. ,  2.5,  5. ])
    """
    x, g = np.asarray(prices, np.float64), np.asarray(amounts, np.float64)
    if x.ndim != 1 or x.size < 2 or x.shape != g.shape or not np.isfinite(g).all():
        raise InputError("two prices or more, an amount for each", met=(x.shape, g.shape))
    if not (x[0] > 0.0 and (np.diff(x) > 0.0).all() and x[-1] < np.inf):
        raise InputError("positive, rising prices", met=x.tolist())
    steep = np.diff(g) / np.diff(x)

    def pays(S: FloatArray) -> FloatArray:
        i = np.clip(np.searchsorted(x, S) - 1, 0, steep.size - 1)
        return np.asarray(g[i] + steep[i] * (S - x[i]))

    return Payoff(pays, tuple(x.tolist()))
