"""Many tests at once: the share of false discoveries among those made, controlled.

Benjamini and Hochberg (1995): with m p-values in rising order, q_(i) = min_{j >= i} m p_(j) / j.
Calling everything with q <= alpha a discovery keeps the expected share of false ones at alpha, and
where nothing is true the chance of any discovery at alpha. Benjamini and Yekutieli (2001): times
sum 1/i, valid whatever the dependence between the tests.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from eventtape.arrays import FloatArray
from eventtape.errors import InputError

__all__ = ["adjusted"]


def adjusted(
    p_values: FloatArray, *, dependence: Literal["positive", "any"] = "positive"
) -> FloatArray:
    """Smallest false-discovery rate at which each test is a discovery, shape of ``p_values``.

    NaN is a test that was not made: it stays NaN and does not count.

    >>> adjusted(np.array([0.01, 0.04, 0.03, np.nan]))
    array([0.03, 0.04, 0.04,  nan])
    """
    p = np.asarray(p_values, np.float64)
    made = np.isfinite(p)
    wrong = np.flatnonzero(made.ravel() & ~((p.ravel() >= 0.0) & (p.ravel() <= 1.0)))
    if wrong.size:
        raise InputError("p-values in [0, 1]", met=float(p.ravel()[wrong[0]]))
    out = np.full(p.shape, np.nan)
    m = int(made.sum())
    if m == 0:
        return out
    kept = p[made]
    order = np.argsort(kept)
    harmonic = float(np.sum(1.0 / np.arange(1, m + 1))) if dependence == "any" else 1.0
    scaled = kept[order] * m * harmonic / np.arange(1, m + 1)
    q = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    back = np.empty(m)
    back[order] = q
    out[made] = back
    return out
