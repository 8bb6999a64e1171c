"""How is the profit distributed over simulated paths, and how exactly is that known?

Quantiles come with the interval between two order statistics whose ranks a binomial law brackets
(no assumption about the profit's own law: David and Nagaraja 2003, section 7.1); shares of paths
with the exact interval of Clopper and Pearson (1934); means with their standard errors.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, betaincinv, ndtri

from eventtape.arrays import FloatArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import float_array

__all__ = ["PnlLaw", "Share", "pnl_law", "share"]


class Share(NamedTuple):
    """A share of paths with its exact interval."""

    happened: int  # paths
    share: float
    lower: float
    upper: float


class PnlLaw(NamedTuple):
    """Profit over paths: its moments and quantiles, with what simulation leaves open."""

    mean: float
    mean_error: float
    sd: float
    loss: Share  # of paths that lose
    probabilities: FloatArray  # (n_quantiles,)
    quantiles: FloatArray
    lower: FloatArray  # NaN where the paths are too few to bracket the quantile
    upper: FloatArray
    errors: FloatArray  # standard errors: the interval's width over twice the normal quantile
    shortfall: float  # mean of the profits no higher than the lowest quantile asked for
    shortfall_error: float
    status: Status  # TOO_FEW: some quantile has no interval


def pnl_law(
    pnl: ArrayLike,
    *,
    probabilities: ArrayLike = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99),
    level: float = 0.95,
) -> PnlLaw:
    """The distribution of profits ``(n_paths,)``, two paths at least, with standard errors."""
    check_level(level)
    x = np.sort(float_array(pnl, column="pnl"))
    p = float_array(probabilities, column="probabilities")
    if x.ndim != 1 or x.size < 2 or not bool(np.isfinite(x).all()):
        raise InputError("finite profits, two paths at least", met=x.shape, column="pnl")
    if p.ndim != 1 or not p.size or not bool(np.all((p > 0.0) & (p < 1.0))):
        raise InputError("probabilities inside (0, 1)", met=p.tolist(), column="probabilities")
    n = x.size
    bounds = np.array([_ranks(n, float(q), level) for q in p])
    known = (bounds[:, 0] >= 0) & (bounds[:, 1] < n)
    lower = np.where(known, x[np.maximum(bounds[:, 0], 0)], math.nan)
    upper = np.where(known, x[np.minimum(bounds[:, 1], n - 1)], math.nan)
    quantiles = np.quantile(x, p)
    least = float(quantiles[np.argmin(p)])
    tail = x[x <= least]
    q = float(p.min())
    # Of a tail mean: the tail's own variance and that of how many paths fall in it
    gap = float(tail.mean()) - least
    spread = (float(tail.var()) + (1.0 - q) * gap**2) / (n * q)
    return PnlLaw(
        float(x.mean()), float(x.std(ddof=1)) / math.sqrt(n), float(x.std(ddof=1)),
        share(x < 0.0, level=level), p, quantiles, lower, upper,
        (upper - lower) / (2.0 * float(ndtri(0.5 * (1.0 + level)))),
        float(tail.mean()), math.sqrt(spread),
        Status.OK if bool(known.all()) else Status.TOO_FEW,
    )  # fmt: skip


def share(happened: ArrayLike, *, level: float = 0.95) -> Share:
    """The share of paths ``(n_paths,)`` on which something happened, at least one path."""
    check_level(level)
    seen = np.asarray(happened)
    if seen.dtype != np.bool_ or seen.ndim != 1 or not seen.size:
        raise InputError("True or False for each path", met=(str(seen.dtype), seen.shape))
    n, k = seen.size, int(seen.sum())
    tail = 0.5 * (1.0 - level)
    lower = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    upper = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1.0 - tail))
    return Share(k, k / n, lower, upper)


def _ranks(n: int, p: float, level: float) -> tuple[int, int]:
    """Ranks from 0 of the order statistics around the quantile; -1 and n where there are none.

    With N of the paths below the quantile binomial, x[low] is above it where N <= low, and x[high]
    below it where N > high.
    """
    tail = 0.5 * (1.0 - level)
    counts = np.arange(-1, n + 1)
    below = np.r_[0.0, bdtr(np.arange(n + 1), n, p)]
    low = int(counts[np.flatnonzero(below <= tail)[-1]])
    high = int(counts[np.flatnonzero(1.0 - below <= tail)[0]]) if p < 1.0 else n
    return low, high
