r"""What did each factor portfolio earn over the last row, from mids and fixed weights?

Simple returns, side by side (long and short), over the names with a mid at both ends::

    r_it = P_it / P_i,t-1 - 1
    F_kt = W+_k (sum w_ik r_it over longs present) / (sum w_ik over longs present)  -  shorts alike

with W+ the full weight of the side. So a name that is missing is replaced by the rest of its own
side, in proportion to their weights: both sides keep their size, a market portfolio stays fully
invested and a long-short one stays at nought. Spreading the gap over both sides would lend the
factor a market exposure. Coverage is the share of the side's full weight that was present; under
``min_coverage`` the return is NaN.

A mid stays in force until the next one, and for ``max_age_s`` seconds at most. The move between two
mids further apart than that belongs to no single row and is in none, even where the rows themselves
are as far apart (one day's close and the next day's open). Weights of a portfolio sum to 1 (the
market) or to 0 (long-short), within :data:`WEIGHT_TOLERANCE`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError

__all__ = [
    "WEIGHT_TOLERANCE",
    "FactorReturns",
    "FactorState",
    "Portfolios",
    "batch",
    "portfolios",
    "start",
    "step",
]

WEIGHT_TOLERANCE = 1e-9
"""How far from 1 or 0 the sum of a portfolio's weights may be: rounding of thousands, no more."""

_NEVER = -(2**62)


class Portfolios(NamedTuple):
    """Weights as lists: side c = 2 k is the long side of factor k, 2 k + 1 its short side."""

    start: IntArray  # (2 n_factors + 1,) first entry of each side
    name: IntArray  # (n_entries,) column of the mids
    weight: FloatArray  # (n_entries,) size of the weight, > 0
    full: FloatArray  # (2 n_factors,) sum of each side
    n_names: int


class FactorState(NamedTuple):
    """Where the mids stand after a row."""

    ts: IntArray  # (1,) ns
    mid: FloatArray  # (n_names,) last known, NaN before the first
    seen: IntArray  # (n_names,) ns, when it was last seen
    before: FloatArray  # (n_names,) mid in force at the last row, NaN where stale or unknown


class FactorReturns(NamedTuple):
    """Simple return of each factor since the row before, and how much of it was there to see."""

    returns: FloatArray  # (n_times, n_factors) NaN where coverage is too low
    coverage: FloatArray  # (n_times, n_factors, 2) long, short: 0 to 1; 1 for a side with no names
    n_refused: IntArray  # (n_factors,) rows refused for coverage, the very first row not counted


def portfolios(weights: FloatArray) -> Portfolios:
    """The lists behind a weight matrix ``(n_names, n_factors)``, checked to sum to 1 or 0."""
    w = np.asarray(weights, np.float64)
    if w.ndim != 2 or w.size == 0:
        raise InputError("weights (n_names, n_factors)", met=w.shape)
    bad = np.argwhere(~np.isfinite(w))
    if bad.size:
        row, column = (int(v) for v in bad[0])
        met = float(w[row, column])
        raise InputError("a finite weight", met=met, row=row + 1, column=f"factor {column + 1}")
    for k, total in enumerate(w.sum(axis=0)):
        if min(abs(total), abs(total - 1.0)) > WEIGHT_TOLERANCE:
            wanted = f"weights that sum to 1 or to 0 within {WEIGHT_TOLERANCE:g}"
            raise InputError(wanted, met=float(total), column=f"factor {k + 1}")
        if not w[:, k].any():
            raise InputError("a factor with names", met="no weights", column=f"factor {k + 1}")
    sides = [np.flatnonzero(sign * w[:, k] > 0.0) for k in range(w.shape[1]) for sign in (1, -1)]
    sizes = [np.abs(w[at, c // 2]) for c, at in enumerate(sides)]
    return Portfolios(
        np.cumsum([0, *(at.size for at in sides)]).astype(np.int64),
        np.concatenate(sides).astype(np.int64),
        np.concatenate(sizes),
        np.array([size.sum() for size in sizes]),
        w.shape[0],
    )


@njit(cache=True)
def _run(
    ts: IntArray,
    mids: FloatArray,
    max_age: int,
    min_coverage: float,
    start: IntArray,
    name: IntArray,
    weight: FloatArray,
    full: FloatArray,
    clock: IntArray,
    mid: FloatArray,
    seen: IntArray,
    before: FloatArray,
    returns: FloatArray,
    coverage: FloatArray,
    refused: IntArray,
) -> tuple[int, int]:
    """Rows through the state; the place of the first mid that is not a positive number, else -1."""
    n = mid.shape[0]
    r, there = np.empty(n), np.empty(n)
    for t in range(ts.shape[0]):
        for i in range(n):
            p, joined = mids[t, i], ts[t] - seen[i] <= max_age
            if not np.isnan(p):
                if not 0.0 < p < np.inf:
                    return t, i
                mid[i], seen[i] = p, ts[t]
            now = mid[i] if ts[t] - seen[i] <= max_age else np.nan
            # Over too long a gap the new mid is where the name starts afresh.
            move = now / before[i] - 1.0 if joined else np.nan
            gone = np.isnan(move)
            r[i], there[i] = (0.0, 0.0) if gone else (move, 1.0)
            before[i] = now
        for k in range(returns.shape[1]):
            total, least = 0.0, 1.0
            for side in range(2):
                c = 2 * k + side
                earned, held = 0.0, 0.0
                for e in range(start[c], start[c + 1]):
                    earned += weight[e] * r[name[e]]
                    held += weight[e] * there[name[e]]
                if full[c] > 0.0:
                    share = held / full[c]
                    coverage[t, k, side] = share
                    least = min(least, share)
                    part = earned / share if share > 0.0 else np.nan
                    total += (1 - 2 * side) * part
            if least < min_coverage or least == 0.0:
                refused[k] += int(clock[0] != _NEVER)
                total = np.nan
            returns[t, k] = total
        clock[0] = ts[t]
    return -1, -1


def start(n_names: int) -> FactorState:
    """The state before the first row."""
    never = np.full(n_names, _NEVER)
    blank = np.full(n_names, np.nan)
    return FactorState(np.full(1, _NEVER), blank, never, blank.copy())


def step(
    state: FactorState,
    ts: IntArray,
    mids: FloatArray,
    book: Portfolios,
    *,
    max_age_s: float = 60.0,
    min_coverage: float = 0.8,
) -> tuple[FactorState, FactorReturns]:
    """The state and answer after more rows: :func:`batch`, chunk by chunk, bit for bit.

    ``ts`` is ``(n,)`` and ``mids`` ``(n, n_names)``; n may be 1. The state handed in is left as it
    was.
    """
    ts, mids = np.ascontiguousarray(ts, np.int64), np.ascontiguousarray(mids, np.float64)
    if ts.ndim != 1 or mids.shape != (ts.shape[0], book.n_names):
        wanted = f"times (n,) and mids (n, {book.n_names}), a column for each name of the weights"
        raise InputError(wanted, met=(ts.shape, mids.shape))
    if not (max_age_s > 0.0 and max_age_s < 1e9):
        raise InputError("an age above 0 seconds, and below 1e9", met=max_age_s)
    if not 0.0 <= min_coverage <= 1.0:
        raise InputError("a coverage between 0 and 1", met=min_coverage)
    rows = np.flatnonzero(np.diff(ts, prepend=state.ts) <= 0)
    if rows.size:
        raise InputError("times that rise", met=int(ts[rows[0]]), row=int(rows[0]) + 1)
    after = FactorState._make(part.copy() for part in state)
    K = book.full.size // 2
    answer = FactorReturns(
        np.empty((ts.size, K)), np.ones((ts.size, K, 2)), np.zeros(K, dtype=np.int64)
    )
    age = round(max_age_s * 1e9)
    row, column = _run(ts, mids, age, min_coverage, *book[:4], *after, *answer)
    if row >= 0:
        met = float(mids[row, column])
        raise InputError("a mid > 0, or NaN", met=met, row=row + 1, column=f"name {column + 1}")
    return after, answer


def batch(
    ts: IntArray,
    mids: FloatArray,
    weights: FloatArray,
    *,
    max_age_s: float = 60.0,
    min_coverage: float = 0.8,
) -> FactorReturns:
    """Factor returns at each time ``ts`` (ns, rising) from ``mids`` and ``weights``.

    ``mids`` is ``(n_times, n_names)`` dollars, NaN where a name was not seen in the row, and
    ``weights`` is ``(n_names, n_factors)``. The first row has no return.
    """
    book = portfolios(weights)
    options = {"max_age_s": max_age_s, "min_coverage": min_coverage}
    return step(start(book.n_names), ts, mids, book, **options)[1]
