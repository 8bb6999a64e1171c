"""How large is Johansen's statistic when two walks have nothing to do with each other?

Asymptotic tables reject too often in short samples, and with hundreds of pairs it is the far tail
that matters. The law is therefore simulated for the rows at hand (Gaussian walks without drift, an
unrestricted constant; above 1,000 rows it no longer changes); k lagged differences cost 2 k rows,
which is right within 2% of the statistic's quantiles and errs to the safe side. Beyond its 98%
point the tail is exponential with the mean excess found there, as that of a quadratic form is; with
60 rows the true tail is thinner, and what is called 2 in 10,000 there happens once.
Simulated once per process for each number of rows: 20,000 draws, fixed seed.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.special import fdtrc

from eventtape.arrays import FloatArray
from eventtape.estimators.discovery.pair_kernel import null_law

__all__ = ["RankLaw", "rank_law", "relation_tests", "tail"]

_DRAWS, _SEED = 20_000, 7
_ASYMPTOTIC = 1_000
_LEAST = 10
_TAIL = 50  # one draw in this many is beyond the point where the tail is extrapolated


class RankLaw(NamedTuple):
    """Sorted draws under the null: no relation (trace statistic), one unit root left (trace)."""

    none: FloatArray  # (n_draws,)
    one: FloatArray  # (n_draws,)


@cache
def _simulated(rows: int) -> RankLaw:
    out = np.empty((_DRAWS, 2))
    null_law(rows, np.random.default_rng(_SEED), out)
    return RankLaw(np.sort(out[:, 0]), np.sort(out[:, 1]))


def rank_law(rows: int, lags: int) -> RankLaw:
    """The law of -T ln(1 - root) for that many usable rows and lagged differences."""
    free = rows - 2 * lags
    law = _simulated(min(free, _ASYMPTOTIC))
    return RankLaw(law.none * (rows / free), law.one * (rows / free))


def tail(law: FloatArray, statistic: FloatArray, part: int = _TAIL) -> FloatArray:
    """p-value of each statistic: share of sorted draws above it, exponential in the last part.

    >>> tail(np.arange(1.0, 101.0), np.array([0.0, 50.5]))
    array([1. , 0.5])
    """
    n = law.size
    beyond = n // part
    start = law[n - beyond - 1]
    scale = float(np.mean(law[n - beyond :] - start))
    x = np.asarray(statistic, np.float64)
    inside = 1.0 - np.searchsorted(law, x) / n
    outside = beyond / n * np.exp(-(np.maximum(x, start) - start) / scale)
    return np.where(np.isnan(x), np.nan, np.where(x > start, outside, inside))


def relation_tests(
    table: dict[str, FloatArray], rows: float, lags: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """p-values of: no relation at all; one unit root left; one series alone being the relation.

    ``table`` holds the roots of pairs, ``(m,)`` a column. NaN with fewer than ten rows to spare.
    """
    root, other = np.log1p(-table["root_first"]), np.log1p(-table["root_second"])
    freedom = rows - (2 * lags + 2)
    if freedom < _LEAST:
        blank = np.full(root.shape, np.nan)
        return blank, blank.copy(), blank.copy()
    law = rank_law(int(rows), lags)
    alone = np.maximum(table["alone_first"], table["alone_second"])
    ratio = freedom * np.expm1(np.log1p(-alone) - root)
    return (
        tail(law.none, -rows * (root + other)),
        tail(law.one, -rows * other),
        fdtrc(1.0, freedom, np.maximum(ratio, 0.0)),
    )
