r"""What does it cost to take a position in contracts that pay if the event happens?

A contract of size s pays s if the outcome happens, else nothing: its outcome gap is s. Prices are
per 1 of payout. Buying at the ask a, when the outcome has probability p, costs a - p per unit of
payout against its fair value; selling at the bid b, which on most venues is buying the other side
at 1 - b, costs p - b. Fees come on top and are asked of each order: Kalshi charges a taker

    0.07 C P (1 - P), rounded up to the next cent,

for C contracts at price P (0.0175 where it charges makers); Polymarket's takers pay a rate by
category times C P (1 - P), and nothing in politics at the 2024 election.

Source: Kalshi, Fee Schedule (the general formula; some series have other rates).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError

__all__ = ["Contracts", "Fee", "event_contracts", "kalshi_fee", "no_fee", "order_cost"]

Fee = Callable[[float, float], float]  # units of payout >= 0, price of one -> money, one order


class Contracts(NamedTuple):
    """Contracts on offer, arrays ``(n_contracts,)``; a NaN bid or ask is a side not on offer."""

    bid: FloatArray  # per 1 of payout
    ask: FloatArray
    size: FloatArray  # payout of one contract
    most_sold: FloatArray  # contracts, >= 0
    most_bought: FloatArray
    event: IntArray  # which event each pays on, from 0
    fees: tuple[Fee, ...]


def no_fee(payout: float, price: float) -> float:  # noqa: ARG001 - the shape of a Fee
    """Nothing, for venues that charge nothing."""
    return 0.0


def kalshi_fee(payout: float, price: float, *, rate: float = 0.07) -> float:
    """The fee of one order in dollars, rounded up to the cent: rate C P (1 - P), C contracts of $1.

    >>> kalshi_fee(1, 0.5), kalshi_fee(100, 0.35)
    (0.02, 1.6)
    """
    cents = 100.0 * rate * payout * price * (1.0 - price)
    return math.ceil(round(cents, 9)) / 100.0  # 1.75 in binary is not to become 1.7500000002


def event_contracts(
    bid: ArrayLike,
    ask: ArrayLike,
    *,
    size: ArrayLike = 1.0,
    most_sold: ArrayLike = math.inf,
    most_bought: ArrayLike = math.inf,
    event: ArrayLike = 0,
    fee: Fee | tuple[Fee, ...] = no_fee,
) -> Contracts:
    """The contracts ``(n_contracts,)``, checked; single numbers hold for all of them.

    A contract quoted on its NO side is sold here: bid 1 - (ask of NO), ask 1 - (bid of NO).
    A crossed quote, a price outside [0, 1], a size or a limit below 0 is an ``InputError``.
    """
    numbers = (bid, ask, size, most_sold, most_bought)
    try:
        columns = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, np.float64)) for v in numbers))
        events = np.broadcast_to(np.asarray(event), columns[0].shape)
    except ValueError:
        raise InputError("one number a contract", met=[np.shape(v) for v in numbers]) from None
    if columns[0].ndim != 1:
        raise InputError("one number a contract", met=columns[0].shape)
    b, a, s, sold, bought = (np.array(v) for v in columns)
    wrong = (
        ("bid", b, (b < 0.0) | (b > 1.0) | (b > a), "a bid in [0, 1], not above the ask"),
        ("ask", a, (a < 0.0) | (a > 1.0), "an ask in [0, 1]"),
        ("size", s, ~((s > 0.0) & np.isfinite(s)), "a payout above 0"),
        ("most_sold", sold, ~(sold >= 0.0), "a limit of 0 or more"),
        ("most_bought", bought, ~(bought >= 0.0), "a limit of 0 or more"),
        ("event", events, events != np.abs(np.floor(events)), "the number of an event, from 0"),
    )
    for column, values, bad, wanted in wrong:
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(wanted, met=float(values[row]), row=row, column=column)
    fees = fee if isinstance(fee, tuple) else (fee,) * b.size
    if len(fees) != b.size:
        raise InputError("one fee, or one a contract", met=len(fees), column="fee")
    return Contracts(b, a, s, sold, bought, events.astype(np.int64), fees)


def order_cost(
    contracts: Contracts, j: int, traded: float, probability: float
) -> tuple[float, float]:
    """Money an order loses against fair value (below 0: it gains), and its fee.

    ``traded`` contracts of row ``j``, bought above 0 and sold below.
    """
    if traded == 0.0:
        return 0.0, 0.0
    price = float(contracts.ask[j] if traded > 0.0 else contracts.bid[j])
    edge = traded * float(contracts.size[j]) * (price - probability)
    return edge, contracts.fees[j](abs(traded) * float(contracts.size[j]), price)
