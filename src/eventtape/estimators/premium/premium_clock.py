"""On which clock the base runs: plain days with weekends of unknown weight, or the caller's own.

Not knowing what a Saturday is worth, the estimator averages over a grid of weights. By default that
is five Gauss-Legendre nodes between .3 and 1.1, each standing for the stretch its weight covers, so
the bounds of the posterior can be read between them. Where the quotes know the weight better than
the nodes are apart, the nodes are drawn together around the one that holds the posterior.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.estimators.premium.term_structure import TermStructure

__all__ = ["Clock", "closer", "premium_clock", "weekend_law"]

_LOW, _HIGH = 0.3, 1.1
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)
_LOG_PRIOR = np.log(0.5 * _WEIGHTS)
_HELD = 0.98  # a node with more of the posterior than this is looked at more closely,
_DRAWN = 0.8  # and once that has begun, with more than this


class Clock(NamedTuple):
    """Days to each expiry, and the weekend weights averaged over."""

    days: FloatArray  # (n,), rising from above 0
    split: bool  # weekends apart
    grid: FloatArray  # (n_weekends,)
    log_prior: FloatArray
    edges: FloatArray  # (n_weekends + 1,): the stretch each weight stands for
    free: bool  # the grid is ours to move


def premium_clock(
    term: TermStructure, days: FloatArray | None, weekend: FloatArray | None
) -> Clock:
    """The clock of ``days`` ``(n,)``, or of a rising grid of weekend weights, or the default."""
    if days is not None:
        if weekend is not None:
            raise InputError("either days or a grid of weekend weights, not both")
        own = _own(days, term)
        return Clock(own, False, np.ones(1), np.zeros(1), np.full(2, np.nan), False)
    if weekend is None:
        return _between(term.days, _LOW, _HIGH)
    grid = np.array(weekend, np.float64)
    good = grid.ndim == 1 and grid.size > 0 and bool(np.all((grid >= 0.0) & (grid < 3.5)))
    if not good or np.any(np.diff(grid) <= 0.0):
        raise InputError("a rising grid of weekend weights from 0 to 3.5", met=grid.tolist())
    edges = np.concatenate([grid[:1], 0.5 * (grid[1:] + grid[:-1]), grid[-1:]])
    return Clock(term.days, True, grid, np.full(grid.size, -np.log(grid.size)), edges, False)


def closer(clock: Clock, weights: FloatArray) -> Clock | None:
    """The nodes between the neighbours of the one that holds the posterior; None if none does."""
    k = int(np.argmax(weights))
    whole = clock.edges[-1] - clock.edges[0] > 0.99 * (_HIGH - _LOW)
    if not clock.free or weights[k] < (_HELD if whole else _DRAWN):
        return None
    around = np.concatenate([clock.edges[:1], clock.grid, clock.edges[-1:]])
    return _between(clock.days, float(around[k]), float(around[k + 2]))


def weekend_law(clock: Clock, weights: FloatArray, tail: float) -> tuple[float, float, float]:
    """Posterior mean, lower and upper bound of the weight; NaN on a clock of the caller's own."""
    if not clock.split:
        return np.nan, np.nan, np.nan
    below = np.concatenate([[0.0], np.cumsum(weights)])
    lower, upper = np.interp([tail, 1.0 - tail], below / below[-1], clock.edges)
    return float(weights @ clock.grid), float(lower), float(upper)


def _between(days: FloatArray, low: float, high: float) -> Clock:
    half = 0.5 * (high - low)
    edges = low + half * np.concatenate([[0.0], np.cumsum(_WEIGHTS)])
    return Clock(days, True, low + half * (1.0 + _NODES), _LOG_PRIOR, edges, True)


def _own(days: FloatArray, term: TermStructure) -> FloatArray:
    own = np.array(days, np.float64)
    if own.shape != term.iv.shape:
        raise InputError("days of each expiry", met=own.shape)
    bad = np.flatnonzero(~(np.diff(own, prepend=0.0) > 0.0))
    if bad.size:
        row = int(bad[0])
        wanted = "days that rise from above 0 (a bucket of no days has no base to stand on)"
        raise InputError(wanted, met=float(own[row]), row=row + 1, column="days")
    return own
