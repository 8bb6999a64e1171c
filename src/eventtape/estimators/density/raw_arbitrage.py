r"""Which quotes of a chain lock in a gain as they stand, before any model, and which trades do it?

What is bought is paid at the ask and what is sold gets the bid, so every gain named could be had,
after ``fees`` a contract. With D the discount and F the forward, of European options::

    crossed           bid > ask of one contract
    lower bound       C >= D (F - K)+ ,  P >= D (K - F)+      buy the option, trade the forward
    upper bound       C <= D F,  P <= D K                     sell it
    vertical          C falls and P rises in K                buy the dearer right for less
    vertical width    C(a) - C(b) <= D (b - a), puts alike    sell the spread for more than its most
    butterfly         convex: w C(a) + (1 - w) C(c) >= C(b),  w = (c - b) / (c - a)
    parity            C - P = D (F - K)                       buy or sell the forward the two make
    calendar          C_1(K_1) / (D_1 F_1) <= C_2(K_2) / (D_2 F_2) for K_2 / F_2 <= K_1 / F_1,
                      puts for K_2 / F_2 >= K_1 / F_1

Verticals are looked for over all pairs, the best partner named for each strike; butterflies on
neighbouring strikes of one right, evenly spaced or not. Parity is that of
:func:`~eventtape.estimators.pricing.forward_bounds.bound_violations`. Without a forward the bounds
and parity are left out. American options obey ``vertical``, ``butterfly`` and, with a discount of
1, ``vertical width``: leave the forward out.

A gain is per one contract of the first strike named (butterfly: per one sold in the middle), in
money of today. Most are stale quotes. Reference: Carr and Madan (2005), Finance Research Letters 2,
for what free of arbitrage takes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import BoolArray
from eventtape.errors import InputError
from eventtape.estimators.density.raw_arbitrage_quotes import (
    QuoteArbitrage,
    QuoteSide,
    QuoteViolation,
    ViolationKind,
    least_gain,
    quote_sides,
    ranked,
)
from eventtape.estimators.pricing.forward_bounds import bound_violations

__all__ = [
    "QuoteArbitrage",
    "QuoteChain",
    "QuoteViolation",
    "ViolationKind",
    "calendar_quote_arbitrage",
    "quote_arbitrage",
]


class QuoteChain(NamedTuple):
    """Quotes of one expiry for :func:`calendar_quote_arbitrage`, ``(n,)`` each."""

    strikes: ArrayLike
    is_call: ArrayLike
    bids: ArrayLike
    asks: ArrayLike
    forward: float
    discount: float


def quote_arbitrage(
    strikes: ArrayLike,
    is_call: ArrayLike,
    bids: ArrayLike,
    asks: ArrayLike,
    *,
    forward: float | None = None,
    discount: float = 1.0,
    forward_open: float = 0.0,
    fees: float = 0.0,
) -> QuoteArbitrage:
    """Violations among the quotes of one expiry, each with its strikes and the gain locked in.

    Parameters
    ----------
    strikes, is_call, bids, asks
        One quote each, ``(n,)``, in any order; prices today, NaN or 0 where nobody quotes.
    forward, discount
        Of the expiry.
    forward_open
        How far the forward may be from the one given, in price: the bounds give way by as much.
    fees
        A contract.

    Raises
    ------
    InputError
        Arrays not of one shape; a strike not above 0; an option twice; a negative price, fee or
        opening; a forward or discount not above 0.
    """
    sides, crossed, used = quote_sides(strikes, is_call, bids, asks)
    numbers = {"discount": discount, "forward": 1.0 if forward is None else forward}
    for name, value in numbers.items():
        if not 0.0 < value < math.inf:
            raise InputError("a finite number above 0", met=value, column=name)
    for name, value in (("fees", fees), ("forward_open", forward_open)):
        if not 0.0 <= value < math.inf:
            raise InputError("a finite number, 0 or more", met=value, column=name)
    found = [
        QuoteViolation(ViolationKind.CROSSED, call, (K,), gain - 2.0 * fees)
        for call, K, gain in crossed
        if gain > 2.0 * fees
    ]
    for side in sides:
        found += _verticals(side, discount, fees) + _butterflies(side, fees)
        if forward is not None:
            found += _bounds(side, forward, discount, forward_open, fees)
    if forward is not None:
        found += _parity(sides, forward, discount, forward_open, fees)
    return ranked(found, used)


def calendar_quote_arbitrage(
    near: QuoteChain, far: QuoteChain, *, fees: float = 0.0
) -> QuoteArbitrage:
    """Near options that bid for more than a far one that dominates them is offered at.

    For each near strike the cheapest far option is taken whose strike over its forward is at or
    below (calls; puts: at or above) the near one's. The near contract is sold once, the far bought
    D_1 F_1 / (D_2 F_2) times. Carry to both expiries is taken as known.
    """
    found, used = [], 0
    near_sides, _, near_used = quote_sides(near.strikes, near.is_call, near.bids, near.asks)
    far_sides, _, far_used = quote_sides(far.strikes, far.is_call, far.bids, far.asks)
    used = near_used + far_used
    for name, chain in (("near", near), ("far", far)):
        if not (chain.forward > 0.0 and chain.discount > 0.0):
            met = (chain.forward, chain.discount)
            raise InputError("forward and discount above 0", met=met, column=name)
    ratio = near.discount * near.forward / (far.discount * far.forward)
    for early, late in zip(near_sides, far_sides, strict=True):
        if not (early.strikes.size and late.strikes.size):
            continue
        sign = 1.0 if early.is_call else -1.0
        # In this order the dominating far options of a near strike are the first ones
        order = np.argsort(sign * late.strikes)
        m2 = sign * (late.strikes / far.forward)[order]
        asks = late.asks[order]
        best = np.minimum.accumulate(asks)
        new = np.concatenate([[True], asks[1:] < best[:-1]])
        at = np.maximum.accumulate(np.where(new, np.arange(asks.size), 0))
        count = np.searchsorted(
            m2, sign * early.strikes / near.forward * (1 + sign * 1e-14), "right"
        )
        some = count > 0
        last = np.maximum(count - 1, 0)
        gain = np.where(some, early.bids - ratio * best[last] - (1.0 + ratio) * fees, -math.inf)
        for i in np.flatnonzero(gain > 0.0):
            pair = float(early.strikes[i]), float(late.strikes[order[at[last[i]]]])
            kind = ViolationKind.CALENDAR
            found.append(QuoteViolation(kind, early.is_call, pair, float(gain[i])))
    return ranked(found, used)


def _verticals(side: QuoteSide, discount: float, fees: float) -> list[QuoteViolation]:
    K, bids, asks = side.strikes, side.bids, side.asks
    if K.size < 2:
        return []
    # The dearer right is the lower call, the higher put
    dear_first = K[:, None] < K if side.is_call else K[:, None] > K
    width = discount * np.abs(K[:, None] - K)
    bought = np.where(dear_first, bids - asks[:, None] - 2.0 * fees, -math.inf)
    sold = np.where(dear_first, bids[:, None] - asks - width - 2.0 * fees, -math.inf)
    found = []
    for kind, gain in ((ViolationKind.VERTICAL, bought), (ViolationKind.VERTICAL_WIDTH, sold)):
        partner = np.argmax(gain, axis=1)
        best = gain[np.arange(K.size), partner]
        for i in np.flatnonzero(best > least_gain(discount, K)):
            pair = (float(K[i]), float(K[partner[i]]))
            found.append(QuoteViolation(kind, side.is_call, pair, float(best[i])))
    return found


def _butterflies(side: QuoteSide, fees: float) -> list[QuoteViolation]:
    K, bids, asks = side.strikes, side.bids, side.asks
    if K.size < 3:
        return []
    w = (K[2:] - K[1:-1]) / (K[2:] - K[:-2])
    gain = bids[1:-1] - w * asks[:-2] - (1.0 - w) * asks[2:] - 2.0 * fees
    kind = ViolationKind.BUTTERFLY
    return [
        QuoteViolation(kind, side.is_call, tuple(K[i : i + 3].tolist()), float(gain[i]))
        for i in np.flatnonzero(gain > least_gain(1.0, K))
    ]


def _bounds(
    side: QuoteSide, forward: float, discount: float, forward_open: float, fees: float
) -> list[QuoteViolation]:
    K = side.strikes
    if not K.size:
        return []
    sign = 1.0 if side.is_call else -1.0
    given_way = discount * forward_open
    lower = np.maximum(discount * sign * (forward - K) - given_way, 0.0)
    upper = np.full(K.size, discount * forward + given_way) if side.is_call else discount * K
    under, over = lower - side.asks - fees, side.bids - upper - fees
    found = []
    for kind, gain in ((ViolationKind.LOWER_BOUND, under), (ViolationKind.UPPER_BOUND, over)):
        found += [
            QuoteViolation(kind, side.is_call, (float(K[i]),), float(gain[i]))
            for i in np.flatnonzero(gain > least_gain(discount, K))
        ]
    return found


def _parity(
    sides: tuple[QuoteSide, QuoteSide],
    forward: float,
    discount: float,
    forward_open: float,
    fees: float,
) -> list[QuoteViolation]:
    calls, puts = sides
    K, i, j = np.intersect1d(calls.strikes, puts.strikes, return_indices=True)
    if not K.size:
        return []
    value, way = discount * (forward - K), discount * forward_open
    bids = [np.where(np.isfinite(x), x, 0.0) for x in (calls.bids[i], puts.bids[j])]
    asks = [np.where(np.isfinite(x), x, math.nan) for x in (calls.asks[i], puts.asks[j])]
    out = bound_violations(
        K, bids[0], asks[0], bids[1], asks[1], lower=value - way, upper=value + way, fees=2.0 * fees
    )
    both: BoolArray = out.gain > least_gain(discount, np.append(K, forward))
    return [
        QuoteViolation(
            ViolationKind.PARITY_BUY if out.side[n] > 0.0 else ViolationKind.PARITY_SELL,
            None,
            (float(K[n]),),
            float(out.gain[n]),
        )
        for n in np.flatnonzero(both)
    ]
