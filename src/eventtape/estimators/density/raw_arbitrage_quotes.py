r"""The quotes of one chain at the door of the raw checks, and the words for what they violate.

Rights apart, in order of strike, a side that nobody quotes at minus or plus infinity, so that no
trade with it gains anything.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.estimators.pricing.terminal_law import check_strikes

__all__ = [
    "QuoteArbitrage",
    "QuoteSide",
    "QuoteViolation",
    "ViolationKind",
    "least_gain",
    "quote_sides",
    "ranked",
]


class ViolationKind(StrEnum):
    """What is violated; parity by which way the forward is traded."""

    CROSSED = "crossed"
    LOWER_BOUND = "lower bound"
    UPPER_BOUND = "upper bound"
    VERTICAL = "vertical"
    VERTICAL_WIDTH = "vertical width"
    BUTTERFLY = "butterfly"
    PARITY_BUY = "parity: buy call, sell put"
    PARITY_SELL = "parity: sell call, buy put"
    CALENDAR = "calendar"


class QuoteViolation(NamedTuple):
    """One set of trades: the strikes in it, the right (None: both), and what it locks in."""

    kind: ViolationKind
    is_call: bool | None
    strikes: tuple[float, ...]
    gain: float


class QuoteArbitrage(NamedTuple):
    """Every violation, the largest gain first.

    - ``quotes_used``: of those given; a missing or one-sided quote takes part with the side it has
      (a bid of 0 is no bid), a crossed one in nothing but ``CROSSED``.
    """

    violations: tuple[QuoteViolation, ...]
    largest: float
    quotes_used: int


class QuoteSide(NamedTuple):
    """One right in order of strike; -inf where nobody bids, inf where nobody asks."""

    is_call: bool
    strikes: FloatArray
    bids: FloatArray
    asks: FloatArray


def ranked(found: list[QuoteViolation], used: int) -> QuoteArbitrage:
    """The answer, the largest gain first."""
    found.sort(key=lambda violation: -violation.gain)
    return QuoteArbitrage(tuple(found), found[0].gain if found else 0.0, used)


def quote_sides(
    strikes: ArrayLike, is_call: ArrayLike, bids: ArrayLike, asks: ArrayLike
) -> tuple[tuple[QuoteSide, QuoteSide], list[tuple[bool, float, float]], int]:
    """Calls and puts in order of strike, what is crossed, and how many quotes have a side."""
    K, call = check_strikes(strikes), np.asarray(is_call)
    b, a = np.asarray(bids, np.float64), np.asarray(asks, np.float64)
    if K.ndim != 1 or not K.shape == call.shape == b.shape == a.shape:
        met = (K.shape, call.shape, b.shape, a.shape)
        raise InputError("strikes, is_call, bids and asks of one shape (n,)", met=met)
    if call.dtype != np.bool_:
        raise InputError("true or false, call or put", met=str(call.dtype), column="is_call")
    for name, x in (("bids", b), ("asks", a)):
        bad = np.flatnonzero(x < 0.0)
        if bad.size:
            row = int(bad[0]) + 1
            raise InputError("a price of 0 or more", met=float(x[bad[0]]), row=row, column=name)
    for right in (True, False):
        values, counts = np.unique(K[call == right], return_counts=True)
        if (counts > 1).any():
            twice = float(values[counts > 1][0])
            raise InputError("each strike once a right", met=twice, column="strikes")
    bid = np.where(np.isfinite(b) & (b > 0.0), b, -math.inf)
    ask = np.where(np.isfinite(a) & (a > 0.0), a, math.inf)
    cross = bid > ask
    crossed = [(bool(call[i]), float(K[i]), float(bid[i] - ask[i])) for i in np.flatnonzero(cross)]
    use = ~cross & (np.isfinite(bid) | np.isfinite(ask))

    def side(right: bool) -> QuoteSide:
        rows = np.flatnonzero(use & (call == right))
        rows = rows[np.argsort(K[rows])]
        return QuoteSide(right, K[rows], bid[rows], ask[rows])

    return (side(True), side(False)), crossed, int(use.sum())


def least_gain(discount: float, K: FloatArray) -> float:
    """A gain that is more than the rounding of the prices it comes from."""
    return 1e-12 * discount * float(K.max())
