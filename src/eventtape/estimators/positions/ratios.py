"""How many of one structure against one of another take a risk out?

A calendar strangle that sells n near strangles against one far is neutral to a Greek g where
n g_near + g_far = 0. What is neutral is neutral now: at this price, moment and volatility. Where
both have g of one sign there is no such n above 0. Where the legs of a structure cancel in g, as
those of a strangle do in delta, n is large and moves with the least change of spot: below a
thousandth of what its legs have without their signs there is none.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.positions.legs import Legs, leg_of
from eventtape.estimators.positions.value import position_greeks

__all__ = ["Neutral", "Ratio", "ratio"]

Neutral = Literal["delta", "gamma", "vega", "theta", "dollar", "notional"]
_CANCELLED = 1e-3  # of what the legs have without their signs


class Ratio(NamedTuple):
    """``near`` structures held for one ``far``; NaN with the reason where there is no such number.

    Units of ``near`` and ``far`` are those of :class:`.PositionGreeks`; dollar is the value in the
    money of the legs, notional the options held times their forward.
    """

    quantity: float
    near: float  # what one near structure has
    far: float
    by: Neutral
    status: Status
    reason: str


def ratio(
    near: Legs,
    far: Legs,
    by: Neutral,
    forward: float,
    at_ns: int,
    *,
    near_carry: ArrayLike = 1.0,
    far_carry: ArrayLike = 1.0,
) -> Ratio:
    """How many of ``near``, as it is held, go with one ``far`` so that the sum of ``by`` is 0.

    ``near`` sold and ``far`` bought have opposite signs in vega, gamma and theta, and the ratio is
    above 0. ``forward`` is one price, in dollars, the carries as in :func:`.position_value`.
    """
    if by not in get_args(Neutral):
        raise InputError(f"one of {', '.join(get_args(Neutral))}", met=by, column="by")
    if near.inverse != far.inverse:
        wanted = "structures that are both settled in coins, or both in dollars"
        raise InputError(wanted, met=(near.inverse, far.inverse), column="inverse")
    of_near = _of_legs(near, by, forward, at_ns, near_carry)
    of_far = _of_legs(far, by, forward, at_ns, far_carry)
    a, b = float(of_near.sum()), float(of_far.sum())
    for name, each, net in (("near", of_near, a), ("far", of_far, b)):
        gross = float(np.abs(each).sum())
        if not abs(net) > _CANCELLED * gross:
            reason = f"the {name} structure has next to no {by}: {net:.3g}, of {gross:.3g} in legs"
            return Ratio(np.nan, a, b, by, Status.NOT_IDENTIFIED, reason)
    if a * b > 0.0:
        reason = f"both have {by} of one sign, {a:.3g} and {b:.3g}: one has to be sold"
        return Ratio(np.nan, a, b, by, Status.NOT_IDENTIFIED, reason)
    return Ratio(-b / a, a, b, by, Status.OK, "")


def _of_legs(held: Legs, by: Neutral, forward: float, at_ns: int, carry: ArrayLike) -> FloatArray:
    """``by`` of each leg ``(n_legs,)``."""
    carries = np.broadcast_to(np.asarray(carry, np.float64), held.strike.shape)
    if by == "notional":
        return held.quantity * forward * carries
    out = np.empty(held.strike.size)
    for i in range(out.size):
        one = slice(i, i + 1)
        greeks = position_greeks(leg_of(held, i), forward, at_ns, carry=carries[one])
        out[i] = getattr(greeks, "value" if by == "dollar" else by)
    return out
