r"""Effects of entities and of times, taken out of a panel exactly, whatever rows are missing.

With D_e, D_t the dummies of entities and times, M = I - D (D'D)^+ D' over both. The larger set is
taken out by its means; what is left of the smaller one solves

    [diag(n_t) - N' diag(1/n_e) N] theta = D_t' M_e v,    N_et = rows of e at t,

which is singular once for each connected part of the panel: one effect in each is zero. So many
effects are absorbed: entities + times - parts (Abowd, Creecy and Kramarz 2002). A row alone in its
entity or time is fitted whatever it says; such rows are left out until none is (Correia 2015).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from eventtape.arrays import BoolArray, FloatArray, IntArray

__all__ = ["Within", "demeaned", "not_single", "within"]


class Within(NamedTuple):
    """A panel's values after the effects are gone, and how many effects that took."""

    values: FloatArray  # (n, m)
    n_absorbed: int


def not_single(entity: IntArray | None, time: IntArray | None, n: int) -> BoolArray:
    """Which of ``n`` rows stay when rows alone in their entity or time are dropped, ``(n,)``.

    Codes from 0, or None for a set without effects.
    """
    keep = np.ones(n, np.bool_)
    while True:
        left = keep.copy()
        for code in (entity, time):
            if code is not None:
                left &= np.bincount(code[left], minlength=int(code.max(initial=0)) + 1)[code] > 1
        if left.sum() == keep.sum():
            return keep
        keep = left


def within(values: FloatArray, entity: IntArray | None, time: IntArray | None) -> Within:
    """``values (n, m)`` less the effects of entities and times; codes 0, 1, ... without gaps.

    Without either set the mean is taken out: the constant is the one effect absorbed.
    """
    sets = sorted(
        (code for code in (entity, time) if code is not None), key=lambda code: -int(code.max())
    )
    if not sets:
        return Within(values - values.mean(axis=0), 1)
    # Means first, so that levels far from zero cost no digits in what follows
    left = demeaned(values - values.mean(axis=0), sets[0])
    n_large = int(sets[0].max()) + 1
    if len(sets) == 1:
        return Within(left, n_large)
    large, small = sets
    n_small = int(small.max()) + 1
    ones = np.ones(large.size)
    counts = csr_array((ones, (large, small)), shape=(n_large, n_small))
    shares = csr_array((ones / np.bincount(large)[large], (large, small)), shape=counts.shape)
    normal = np.diag(np.bincount(small).astype(np.float64)) - (counts.T @ shares).toarray()
    n_parts, part = connected_components(counts.T @ counts, directed=False)
    free = np.ones(n_small, np.bool_)
    free[np.unique(part, return_index=True)[1]] = False
    theta = np.zeros((n_small, values.shape[1]))
    if free.any():
        sums = np.stack([np.bincount(small, column, n_small) for column in left.T], axis=1)
        theta[free] = cho_solve(cho_factor(normal[np.ix_(free, free)]), sums[free])
    left = demeaned(left - theta[small], large)
    # A second pass over the small set takes out what rounding left there
    return Within(demeaned(left, small), n_large + n_small - int(n_parts))


def demeaned(values: FloatArray, code: IntArray) -> FloatArray:
    """``values (n, m)`` less the mean of their group."""
    size = np.bincount(code)
    means = [np.bincount(code, column) / size for column in values.T]
    out: FloatArray = values - np.stack(means, axis=1)[code]
    return out
