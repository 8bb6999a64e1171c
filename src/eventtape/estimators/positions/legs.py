"""What is held: options of any strikes and expiries, a row of arrays for a position.

A leg is ``quantity`` options on one unit of the underlying each, long above 0 and short below.
``inverse`` legs are quoted, paid and settled in the underlying itself (coins, as the BTC and ETH
options of Deribit), the others in dollars. Structures are built of simple ones by :func:`combine`
and :func:`times`, so one of any number of legs needs no class of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import float_array, whole_array

__all__ = [
    "MOST_VOL",
    "Legs",
    "calendar_strangle",
    "combine",
    "leg_of",
    "legs",
    "long_option",
    "strangle",
    "times",
]

MOST_VOL = 5.0  # 500%: above it percent were meant


class Legs(NamedTuple):
    """Options held, arrays ``(n_legs,)``; made by :func:`legs`, which checks them."""

    quantity: FloatArray  # options on one unit each, short below 0
    strike: FloatArray  # dollars
    is_call: BoolArray
    expiry_ns: IntArray  # UTC
    vol: FloatArray  # a decimal per sqrt(year of 365 days)
    inverse: bool  # paid and settled in coins


def legs(
    quantity: ArrayLike,
    strike: ArrayLike,
    is_call: ArrayLike,
    expiry_ns: ArrayLike,
    vol: ArrayLike,
    *,
    inverse: bool = False,
) -> Legs:
    """The legs ``(n_legs,)``, checked; a single value holds for all of them.

    A quantity that is not finite, a strike not above 0, a right that is not boolean, a volatility
    outside (0, 5) and arrays of different lengths are an :class:`InputError`; rows count from 1.
    """
    right = np.asarray(is_call)
    if right.dtype != np.bool_:
        raise InputError("True for a call, False for a put", met=str(right.dtype), column="is_call")
    q = float_array(quantity, column="quantity")
    K = float_array(strike, column="strike")
    until = whole_array(expiry_ns, "an expiry in ns UTC", column="expiry_ns")
    v = float_array(vol, column="vol")
    given = [np.atleast_1d(x) for x in (q, K, right, until, v)]
    sizes = {x.shape for x in given if x.shape != (1,)}
    if len(sizes) > 1 or any(len(shape) != 1 for shape in sizes):
        raise InputError("one value a leg", met=[x.shape for x in given])
    n = sizes.pop()[0] if sizes else 1
    q, K, right, until, v = (np.array(np.broadcast_to(x, n)) for x in given)
    _each("quantity", q, np.isfinite(q), "a number of options, short below 0")
    _each("strike", K, np.isfinite(K) & (K > 0.0), "a strike above 0")
    _each("vol", v, (v > 0.0) & (v < MOST_VOL), "a decimal: .55 for 55%")
    return Legs(q, K, right, until, v, bool(inverse))


def long_option(
    strike: float, expiry_ns: int, vol: float, *, is_call: bool = True, inverse: bool = False
) -> Legs:
    """One option bought; ``times(..., -1)`` is one sold."""
    return legs(1.0, strike, is_call, expiry_ns, vol, inverse=inverse)


def strangle(
    put_strike: float,
    call_strike: float,
    expiry_ns: int,
    vol: float | tuple[float, float],
    *,
    inverse: bool = False,
) -> Legs:
    """One put and one call bought; ``vol`` of both, or (of the put, of the call).

    Strikes that are equal make a straddle; a put struck above the call is an ``InputError``.
    """
    if put_strike > call_strike:
        raise InputError("a put struck no higher than the call", met=(put_strike, call_strike))
    strikes = [put_strike, call_strike]
    return legs(1.0, strikes, np.array([False, True]), expiry_ns, vol, inverse=inverse)


def calendar_strangle(near: Legs, far: Legs, quantities: tuple[float, float] = (-1.0, 1.0)) -> Legs:
    """``near`` and ``far`` held in those quantities, by default one sold against one bought.

    Every leg of ``near`` expires before every leg of ``far``, or it is an ``InputError``.

    >>> near = strangle(55e3, 72e3, 1_731_052_800_000_000_000, 0.5523)
    >>> far = strangle(65e3, 75e3, 1_743_148_800_000_000_000, 0.5778)
    >>> calendar_strangle(near, far, (-3.0, 1.0)).quantity
    array([-3., -3.,  1.,  1.])
    """
    if int(near.expiry_ns.max()) >= int(far.expiry_ns.min()):
        met = (int(near.expiry_ns.max()), int(far.expiry_ns.min()))
        raise InputError("near legs that expire before the far ones", met=met, column="expiry_ns")
    return combine(times(near, quantities[0]), times(far, quantities[1]))


def times(held: Legs, quantity: float) -> Legs:
    """The same structure held ``quantity`` times, sold below 0."""
    if not np.isfinite(quantity):
        raise InputError("a number of structures, sold below 0", met=quantity, column="quantity")
    return held._replace(quantity=held.quantity * quantity)


def combine(*positions: Legs) -> Legs:
    """One position of all the legs, in the order given; coins and dollars do not mix."""
    if not positions:
        raise InputError("a position at least")
    if len({p.inverse for p in positions}) > 1:
        wanted = "positions that are all settled in coins, or all in dollars"
        raise InputError(wanted, met=[p.inverse for p in positions], column="inverse")
    return Legs(
        np.concatenate([p.quantity for p in positions]),
        np.concatenate([p.strike for p in positions]),
        np.concatenate([p.is_call for p in positions]),
        np.concatenate([p.expiry_ns for p in positions]),
        np.concatenate([p.vol for p in positions]),
        positions[0].inverse,
    )


def leg_of(held: Legs, number: int) -> Legs:
    """One leg, counted from 0, as a position of its own."""
    q, K, right, until, v, inverse = held
    i = slice(number, number + 1)
    return Legs(q[i], K[i], right[i], until[i], v[i], inverse)


def _each(column: str, values: FloatArray, good: BoolArray, wanted: str) -> None:
    if not good.all():
        at = int(np.argmin(good))
        raise InputError(wanted, met=float(values[at]), row=at + 1, column=column)
