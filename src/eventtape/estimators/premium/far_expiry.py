r"""Which far expiry is the cheap side of a calendar spread?

A steepener sells the near volatility and buys a far one. Up to three readings of each far expiry,
one rank each, the first being the one to buy:

- **premium**: (IV - fitted IV) / error, how far it is quoted above the smooth term structure with
  its events (:mod:`.event_premium`); the cheapest first;
- **spread**: the part of the history of far - near that was below the present one
  (:mod:`.spread_history`); the lowest in its range first, as in the seed, 2.55 now against 3.56 on
  average;
- **cuts**: the moves of the policy rate priced into the quarter of the expiry, a reason for its
  volatility to rise; the most first, as in the seed's choice of the quarter with 1.7 cuts.

The order is by the mean of the ranks that each expiry has. Ranks are choices, not evidence: of many
expiries one is always cheapest, so the size of the first reading is for the reader to judge, and
``spread_returns`` says where a mean to return to is no more than an appearance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray, IntArray, Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import float_array, whole_array
from eventtape.estimators.premium.spread_history import SpreadHistory

__all__ = ["FarExpiries", "far_expiries"]


class FarExpiries(NamedTuple):
    """Far expiries, the one to buy first; shapes ``(n,)``, ranks from 1, NaN where not known."""

    expiries_ns: IntArray
    richness: FloatArray  # (IV - fitted IV) / error; negative is cheap
    spread_quantile: FloatArray  # low is a low spread in its history
    spread_returns: BoolArray  # a unit root is excluded
    cuts: FloatArray
    premium_rank: FloatArray
    spread_rank: FloatArray
    cuts_rank: FloatArray
    mean_rank: FloatArray
    order: IntArray  # rows of the input
    status: Status
    reason: str


def far_expiries(
    expiries_ns: IntArray,
    iv: FloatArray,
    fitted_iv: FloatArray,
    error: FloatArray,
    spreads: Sequence[SpreadHistory | None],
    *,
    cuts: FloatArray | None = None,
) -> FarExpiries:
    """Far expiries in the order to buy: cheap against the fit, low in their spread's history.

    ``expiries_ns``, ``iv``, ``fitted_iv``, ``error`` ``(n,)`` of the far expiries, decimals, NaN
    where not known; ``spreads`` one history of far - near each, or None; ``cuts`` ``(n,)``, more is
    better. ``too few observations``: less than two expiries with a reading.
    """
    t = whole_array(expiries_ns, "times in ns", column="expiries")
    n = t.size
    given = {"iv": iv, "fitted_iv": fitted_iv, "error": error, "cuts": cuts}
    nothing = np.full(n, math.nan)
    v = {k: nothing if x is None else float_array(x, column=k) for k, x in given.items()}
    wrong = [name for name, x in v.items() if x.shape != (n,)]
    if t.ndim != 1 or wrong or len(spreads) != n:
        raise InputError("one value for each expiry", met=wrong or len(spreads))
    if np.any(v["error"] <= 0.0):
        row = int(np.argmax(v["error"] <= 0.0))
        raise InputError("an error above 0", met=float(v["error"][row]), row=row + 1)
    richness = (v["iv"] - v["fitted_iv"]) / v["error"]
    quantile = np.array([math.nan if s is None else s.quantile for s in spreads], np.float64)
    returns = np.array([s is not None and s.status is Status.OK for s in spreads], bool)
    ranks = np.array([_rank(richness), _rank(quantile), _rank(-v["cuts"])]).reshape(3, n)
    known = np.isfinite(ranks)
    some = known.any(axis=0)
    mean = nothing.copy()
    mean[some] = np.where(known, ranks, 0.0).sum(axis=0)[some] / known.sum(axis=0)[some]
    order = np.argsort(mean, kind="stable")  # NaN last
    status, reason, n_read = Status.OK, "", int(some.sum())
    if n_read < 2:
        status = Status.TOO_FEW
        reason = f"{n_read} of {n} far expiries with a reading, 2 needed"
    return FarExpiries(
        t[order],
        richness[order],
        quantile[order],
        returns[order],
        v["cuts"][order],
        ranks[0][order],
        ranks[1][order],
        ranks[2][order],
        mean[order],
        order,
        status,
        reason,
    )


def _rank(values: FloatArray) -> FloatArray:
    """Ranks from 1 for the smallest, ties sharing their mean; NaN stays NaN."""
    below = np.sum(values[None, :] < values[:, None], axis=1)
    equal = np.sum(values[None, :] == values[:, None], axis=1)
    ranks: FloatArray = np.where(np.isnan(values), math.nan, below + 0.5 * (equal + 1))
    return ranks
