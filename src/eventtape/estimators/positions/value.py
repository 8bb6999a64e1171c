r"""What is a position worth, and what moves it, at any forwards and moments?

Each leg is Black's (1976) option on the forward F of its own expiry, undiscounted::

    dollars:  v = q B(F, K, tau, vol),            coins:  c = q B(F, K, tau, vol) / F.

An inverse option is margined and settled in coins, so what its holder hedges is c:

    delta of c = F dc/dF = q (Delta_Black - B / F),

the net delta of Deribit: Black's delta less the mark price. A long option of deep intrinsic value
is worth nearly one coin whatever the coin does, and its net delta goes to 0.

**One spot, several expiries.** ``forward`` of shape ``()`` or ``(n_points,)`` is one price for all
legs, each leg's forward being ``carry`` (n_legs,) times it; delta and gamma are then to that one
price. Of shape ``(n_points, n_legs)`` each leg has its own, and deltas to different forwards are
added up as they are. A profile is the same call over an array of forwards.

**After expiry** a leg is its payoff at its delivery price, and has no Greeks. At the moment of
expiry the forward is the delivery price; after it ``delivery`` says what it was.

Volatilities stay where they are as the forward moves (sticky strike). Greeks come in the units of
a trading screen: delta in units of the underlying, gamma in units per dollar, vega per vol point
(0.01), theta per day of 24 hours; values, vega and theta in dollars, or in coins for inverse legs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.estimators.positions.legs import Legs
from eventtape.estimators.positions.points import DAY_NS, YEAR_DAYS, as_given, points_of
from eventtape.estimators.pricing.black import black_greeks, black_price

__all__ = [
    "DAY_NS",
    "YEAR_DAYS",
    "PositionGreeks",
    "PositionPnl",
    "position_greeks",
    "position_pnl",
    "position_value",
]


class PositionGreeks(NamedTuple):
    """A position's worth and its derivatives, in the shape of the points asked for.

    Dollars for linear legs, coins for inverse ones; :mod:`.value` has the units.
    """

    value: FloatArray
    delta: FloatArray  # units of the underlying; of inverse legs net of their price
    gamma: FloatArray  # change of delta per dollar
    vega: FloatArray  # per vol point (0.01) of every leg
    theta: FloatArray  # per day of 24 hours gone by


class PositionPnl(NamedTuple):
    """What a position has made since it was opened, in the shape of the points asked for."""

    coins: FloatArray  # change of the coins it is worth; of linear legs dollars / price now
    dollars: FloatArray  # change of the dollars it is worth, its premium valued on its own day


def position_value(
    legs: Legs,
    forward: ArrayLike,
    at_ns: ArrayLike,
    *,
    vol: ArrayLike | None = None,
    carry: ArrayLike = 1.0,
    delivery: ArrayLike | None = None,
) -> FloatArray:
    """What the legs are worth together, in dollars, or in coins if they are inverse.

    Parameters
    ----------
    legs
        The position.
    forward
        Dollars, above 0: ``()`` or ``(n_points,)`` for one price, ``(n_points, n_legs)`` for each
        leg's own forward. The answer is ``()`` or ``(n_points,)``.
    at_ns
        When, one moment or ``(n_points,)``, ns UTC.
    vol
        In place of the legs' own: any shape that broadcasts to ``(n_points, n_legs)``, a decimal.
    carry
        Forward of each leg over the one price, ``(n_legs,)``.
    delivery
        Delivery prices ``(n_legs,)`` or ``(n_points, n_legs)``; read where a leg has expired. One
        that expired before ``at_ns`` and has none is an :class:`InputError`.
    """
    p = points_of(legs, forward, at_ns, vol, carry, delivery)
    price = black_price(p.forward, legs.strike, p.tau, p.vol, is_call=legs.is_call)
    worth = price / p.forward if legs.inverse else price
    return _sum(legs.quantity * worth, p.shape)


def position_greeks(
    legs: Legs,
    forward: ArrayLike,
    at_ns: ArrayLike,
    *,
    vol: ArrayLike | None = None,
    carry: ArrayLike = 1.0,
    delivery: ArrayLike | None = None,
) -> PositionGreeks:
    """The worth of the legs together and what moves it; arguments as :func:`position_value`."""
    p = points_of(legs, forward, at_ns, vol, carry, delivery)
    g = black_greeks(p.forward, legs.strike, p.tau, p.vol, is_call=legs.is_call)
    value, delta, gamma, vega, theta = g.price, g.delta, g.gamma, g.vega, g.theta
    if legs.inverse:
        value, vega, theta = value / p.forward, vega / p.forward, theta / p.forward
        gamma = gamma - (delta - value) / p.forward
        delta = delta - value
    else:
        delta, gamma = delta * p.carry, gamma * p.carry
    parts = (delta, gamma * p.carry, vega / 100.0, theta / YEAR_DAYS)
    alive = [np.where(p.expired, 0.0, part) for part in parts]
    summed = [_sum(legs.quantity * part, p.shape) for part in (value, *alive)]
    return PositionGreeks(*summed)


def position_pnl(
    legs: Legs,
    forward: ArrayLike,
    at_ns: ArrayLike,
    *,
    opened_ns: int,
    opened_at: float,
    premium: float | None = None,
    vol: ArrayLike | None = None,
    carry: ArrayLike = 1.0,
    delivery: ArrayLike | None = None,
) -> PositionPnl:
    """Profit since ``opened_ns``, when the one price was ``opened_at`` dollars, before fees.

    ``premium``, paid above 0 in the legs' money, is the model's own at the opening if None. Of
    inverse legs the two answers differ by more than a factor: the premium's coins have changed in
    dollars too, and ``dollars`` holds that against the position; what a leg was settled in is kept
    in coins. ``forward`` is ``()`` or ``(n_points,)``, the rest as :func:`position_value`.
    """
    price = as_given(forward, "forward")
    if price.ndim > 1:
        raise InputError("one price a point, and carry for the forwards", met=price.shape)
    opening = _positive(opened_at, "opened_at")
    paid = premium
    if paid is None:
        paid = float(position_value(legs, opening, opened_ns, carry=carry))
    now = position_value(legs, price, at_ns, vol=vol, carry=carry, delivery=delivery)
    if legs.inverse:
        return PositionPnl(now - paid, now * price - paid * opening)
    return PositionPnl((now - paid) / price, now - paid)


def _positive(value: float, column: str) -> float:
    if not 0.0 < value < np.inf:
        raise InputError("a price above 0", met=value, column=column)
    return float(value)


def _sum(parts: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    total: FloatArray = np.atleast_2d(parts).sum(axis=1)
    return total.reshape(shape)[()]
