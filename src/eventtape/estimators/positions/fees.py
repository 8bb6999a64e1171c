"""What does a venue charge for trading options and for delivering them, on the day it happened?

A fee per option is the smaller of ``rate`` times one unit of the underlying and ``cap`` times what
the option is worth, in the money the option is quoted in. Rates change, so a schedule is rows with
the moment each comes into force, and the fee is that of the row in force at the trade or the
expiry. Before the first row nothing is known, and asking is an error, not a guess.

``DERIBIT_COIN_OPTIONS`` begins where its rate is first on record, in an answer of the venue's own
interface of 31 March 2022. Older pages name 0.0004 with caps of 20% (1 February 2019) and of 12.5%
(undated): when they changed is not on record here. Caps and deliveries are those of the venue's
page of 2024, and the rates those of the base tier: the volume discounts that began in November 2025
are an account's own, and belong into a schedule of its own.

Sources: Deribit, Fees (rates, caps, daily options, the 0.0001-coin example); public/get_instruments
(commissions); release notes of 18 August 2022 (combos, live after the weekend).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.clock import format_ns, parse_ns
from eventtape.errors import InputError
from eventtape.estimators.positions.legs import Legs
from eventtape.estimators.positions.points import DAY_NS, as_given
from eventtape.estimators.positions.settlement import leg_payoffs

__all__ = [
    "DERIBIT_COIN_OPTIONS",
    "FeeRow",
    "FeeSchedule",
    "delivery_fees",
    "fee_schedule",
    "is_daily",
    "row_in_force",
    "trade_fees",
]

_FRIDAY = 1  # days after Thursday 1 January 1970, of seven


class FeeRow(NamedTuple):
    """What is charged from a moment on; rates per unit of the underlying, caps of the worth."""

    from_ns: int
    rate: float
    cap: float
    delivery_rate: float
    delivery_cap: float
    daily_delivered_free: bool  # options of daily expiries are delivered without a fee
    combo_cheaper_side_free: bool  # of one order that buys and sells options
    source: str


class FeeSchedule(NamedTuple):
    """The rows of one venue's options, rising in time."""

    name: str
    rows: tuple[FeeRow, ...]


def fee_schedule(name: str, rows: Sequence[FeeRow]) -> FeeSchedule:
    """The schedule, checked: rows of rising times, rates and caps from 0 to 1."""
    if not rows:
        raise InputError("a row of fees at least", column=name)
    for number, row in enumerate(rows, 1):
        for column in ("rate", "cap", "delivery_rate", "delivery_cap"):
            value = getattr(row, column)
            if not 0.0 <= value <= 1.0:
                raise InputError("a decimal from 0 to 1", met=value, row=number, column=column)
        if number > 1 and row.from_ns <= rows[number - 2].from_ns:
            met = format_ns(row.from_ns)
            raise InputError("rows of rising times", met=met, row=number, column="from_ns")
    return FeeSchedule(name, tuple(rows))


_FIRST_ON_RECORD = FeeRow(
    from_ns=parse_ns("2022-03-31T00:00Z"),
    rate=0.0003,
    cap=0.125,
    delivery_rate=0.00015,
    delivery_cap=0.125,
    daily_delivered_free=True,
    combo_cheaper_side_free=False,
    source="docs.deribit.com: public/get_instruments; support.deribit.com: Fees",
)
DERIBIT_COIN_OPTIONS = fee_schedule(
    "Deribit BTC and ETH options",
    [
        _FIRST_ON_RECORD,
        _FIRST_ON_RECORD._replace(
            from_ns=parse_ns("2022-08-22T00:00Z"),
            combo_cheaper_side_free=True,
            source="support.deribit.com: 18 August 2022",
        ),
    ],
)


def row_in_force(schedule: FeeSchedule, at_ns: int) -> FeeRow:
    """The row of that moment; one before the first is an :class:`InputError`."""
    for row in reversed(schedule.rows):
        if row.from_ns <= at_ns:
            return row
    first = format_ns(schedule.rows[0].from_ns)
    raise InputError(f"a time from {first} on, where {schedule.name} begins", met=format_ns(at_ns))


def trade_fees(
    legs: Legs,
    prices: ArrayLike,
    at_ns: int,
    schedule: FeeSchedule,
    *,
    index: float | None = None,
    combo: bool = False,
) -> FloatArray:
    """The fee of trading each leg ``(n_legs,)``, at least 0, in coins if they are inverse.

    ``prices`` of one option each, in the legs' money; ``index`` in dollars is needed for legs in
    dollars, whose fee is a share of the underlying. ``combo``: the legs are one order, and where
    the schedule says so the cheaper of its bought and its sold side is free.
    """
    price = np.broadcast_to(as_given(prices, "prices"), legs.quantity.shape)
    if not bool(np.all((price >= 0.0) & np.isfinite(price))):
        at = int(np.argmin((price >= 0.0) & np.isfinite(price)))
        raise InputError("a price of 0 or more", met=float(price[at]), row=at + 1, column="prices")
    row = row_in_force(schedule, at_ns)
    each = np.minimum(row.rate * _unit(legs, index), row.cap * price)
    fees = np.abs(legs.quantity) * each
    if combo and row.combo_cheaper_side_free:
        bought = legs.quantity > 0.0
        cheaper = bought if fees[bought].sum() <= fees[~bought].sum() else ~bought
        fees = np.where(cheaper, 0.0, fees)
    return np.asarray(fees)


def delivery_fees(
    legs: Legs,
    delivery: ArrayLike,
    schedule: FeeSchedule,
    *,
    daily: BoolArray | None = None,
) -> FloatArray:
    """The fee of delivering each leg at its expiry, at least 0, in the money of the legs.

    ``delivery`` is ``()`` for ``(n_legs,)``, or ``(n_points,)`` for ``(n_points, n_legs)``. A leg
    that pays nothing is charged nothing. ``daily`` says which are of daily expiries; if None those
    that do not expire on a Friday are, as at Deribit.
    """
    A = as_given(delivery, "delivery")
    worth = np.abs(leg_payoffs(legs, A))
    rows = [row_in_force(schedule, int(at)) for at in legs.expiry_ns]
    rate = np.array([row.delivery_rate for row in rows])
    cap = np.array([row.delivery_cap for row in rows])
    free = np.array([row.daily_delivered_free for row in rows])
    free &= is_daily(legs.expiry_ns) if daily is None else daily
    unit = np.ones(A.shape) if legs.inverse else A
    fees = np.minimum(np.abs(legs.quantity) * rate * unit[..., None], cap * worth)
    return np.asarray(np.where(free, 0.0, fees))


def is_daily(expiry_ns: IntArray) -> BoolArray:
    """Whether an expiry is none of the weekly, monthly or quarterly ones, which are Fridays."""
    return np.asarray(expiry_ns // DAY_NS % 7 != _FRIDAY)


def _unit(legs: Legs, index: float | None) -> float:
    if legs.inverse:
        return 1.0
    if index is None or not 0.0 < index < np.inf:
        raise InputError("the index in dollars, of legs in dollars", met=index, column="index")
    return index
