"""What probability do the prices of complementary contracts imply, once the house's cut is out?

Contracts on outcomes of which exactly one happens cost more than 1 together; the excess is the
overround (vig). Three ways to share it out (Clarke, Kovalchik and Ingram 2017)::

    proportional   p_i = a_i / sum a
    additive       p_i = a_i - (sum a - 1) / k
    power          p_i = a_i ** c   with c such that sum p = 1

Proportional is the default: it keeps odds ratios. Additive can leave [0, 1]; power never does.
With two sides quoted, :func:`joint_book` first takes the better of a contract and its complement:
a bid for YES at b is an offer of NO at 1 - b.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from eventtape.arrays import FloatArray
from eventtape.errors import InputError

__all__ = ["Book", "Devigged", "VigMethod", "joint_book", "remove_vig"]

VigMethod = Literal["proportional", "additive", "power"]


class Devigged(NamedTuple):
    """Probabilities ``(n, k)`` that sum to 1 over outcomes, and the overround ``(n,)``."""

    probability: FloatArray
    overround: FloatArray  # sum of prices less 1; negative where the prices leave money behind


class Book(NamedTuple):
    """The best bid and ask for YES over both complementary contracts, shape ``(n,)``."""

    bid: FloatArray
    ask: FloatArray
    crossed: FloatArray  # 1.0 where bid > ask: buying both sides pays, before fees


def remove_vig(prices: FloatArray, *, method: VigMethod = "proportional") -> Devigged:
    """Probabilities implied by prices ``(n, k)`` of k exclusive, exhaustive outcomes.

    A row that holds a NaN, or whose prices sum to 0, is NaN; prices outside [0, 1] are an error.

    >>> remove_vig(np.array([[0.60, 0.45]])).probability.round(4)
    array([[0.5714, 0.4286]])
    """
    a = np.asarray(prices, np.float64)
    if a.ndim != 2 or a.shape[1] < 2:
        raise InputError("prices of shape (n, k) with k >= 2 outcomes", met=a.shape)
    bad = np.argwhere((a < 0.0) | (a > 1.0))
    if bad.size:
        row, column = bad[0]
        raise InputError(
            "a price in [0, 1]", met=float(a[row, column]), row=int(row) + 1, column=str(column)
        )
    total = a.sum(axis=1)
    total = np.where(total > 0.0, total, np.nan)
    if method == "proportional":
        p = a / total[:, None]
    elif method == "additive":
        p = a - ((total - 1.0) / a.shape[1])[:, None]
    elif method == "power":
        p = _power(a, total)
    else:
        raise InputError("method proportional, additive or power", met=method)
    return Devigged(p, total - 1.0)


def _power(a: FloatArray, total: FloatArray) -> FloatArray:
    """Bisection on log c for every row at once: sum a**c falls in c wherever 0 < a < 1.

    A price of 1 beside another above 0 has no such c, however small c makes the other.
    """
    low, high = np.full(a.shape[0], -20.0), np.full(a.shape[0], 40.0)
    with np.errstate(under="ignore"):
        for _ in range(80):
            middle = 0.5 * (low + high)
            heavy = (a ** np.exp(middle)[:, None]).sum(axis=1) > 1.0
            low, high = np.where(heavy, middle, low), np.where(heavy, high, middle)
        p = a ** np.exp(0.5 * (low + high))[:, None]
    certain = (a == 1.0).any(axis=1)
    p = np.where(certain[:, None], a, p)
    solved = np.abs(p.sum(axis=1) - 1.0) < 1e-9
    return np.where((solved & np.isfinite(total))[:, None], p, np.nan)


def joint_book(
    bid: FloatArray, ask: FloatArray, other_bid: FloatArray, other_ask: FloatArray
) -> Book:
    """The best bid and ask for YES from a contract and its complement, all of shape ``(n,)``.

    >>> joint_book(*(np.array([v]) for v in (0.58, 0.60, 0.41, 0.43)))
    Book(bid=array([0.58]), ask=array([0.59]), crossed=array([0.]))
    """
    best_bid = np.fmax(bid, 1.0 - np.asarray(other_ask))
    best_ask = np.fmin(ask, 1.0 - np.asarray(other_bid))
    return Book(best_bid, best_ask, (best_bid > best_ask).astype(np.float64))
