r"""The best answer of the joint fit, and the profile of its gap.

Noise and answer are found in turn: the answer from eight starts under a first noise, then twice the
noise at the answer (:mod:`.joint_noise`) and the answer under it.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq
from scipy.stats import chi2

from eventtape.arrays import FloatArray
from eventtape.estimators.states.joint_kernel import solve
from eventtape.estimators.states.joint_noise import Noise, averaged_noise, first_noise
from eventtape.estimators.states.joint_problem import Problem
from eventtape.estimators.states.joint_profile import at_gap, likelihood_of_gaps, refined
from eventtape.estimators.states.joint_result import Profile

__all__ = ["SEPARATE", "STARTS", "Found", "best_of_starts", "critical_fall", "profile_of", "search"]

STARTS = tuple((d, r) for d in (-0.8, -0.3, 0.3, 0.8) for r in (-0.2, 0.2))
SEPARATE = 25.0
_REACH = 1.6  # of the grid of gaps, in standard deviations of the log price
_POINTS = 33
_ROUNDS = 2
_LEAST_SPOT = 1e-12  # of a step of log forward: an exact relation would have boundless weight
_FINE = 2001


class Found(NamedTuple):
    """The unknowns at the best answer, its normal matrix, the noise and the spot equation's."""

    unknown: FloatArray
    value: float
    normal: FloatArray  # lower triangle filled
    misses: FloatArray  # (T, M), of the directions
    noise: Noise
    spot_variance: float  # of other news in a step of log forward
    spot_weight: FloatArray


def best_of_starts(
    whole: Problem, inverse: FloatArray, spot_weight: FloatArray, tolerance: float
) -> tuple[FloatArray, float]:
    """Unknowns and objective of the best of eight descents."""
    free = np.ones(whole.start.size, np.bool_)
    best, value = whole.start, math.inf
    for delta, ratio in STARTS:
        x = whole.start.copy()
        x[0], x[1] = delta * whole.width, ratio
        tried = solve(whole.data, inverse, spot_weight, whole.drift_weight, x, free, 25, tolerance)
        if tried[1] < value:
            best, value = tried[0], tried[1]
    return best, value


def search(whole: Problem) -> Found:
    """Noise and answer in turn."""
    T = whole.times.size
    free = np.ones(whole.start.size, np.bool_)
    noise = first_noise(whole.times, whole.gamma)
    moves = whole.data[6][1:] / np.sqrt(whole.gaps[1:])
    variance = max(float(np.mean(moves**2)), _LEAST_SPOT)
    prior = whole.data[9].copy()
    prior[0] = 4.0 / whole.width**2
    x, _ = best_of_starts(whole, noise.inverse, _spot_weight(whole, variance), 1e-2)
    for turn in range(_ROUNDS + 1):
        weight = _spot_weight(whole, variance)
        found = solve(whole.data, noise.inverse, weight, whole.drift_weight, x, free, 60, 1e-6)
        x, value, part, H, _, y, J, h = found
        if turn == _ROUNDS:
            break
        noise = averaged_noise(
            whole.times, whole.gamma, whole.data, weight, whole.drift_weight, prior,
            (x, y, J, h), noise.scale,
        )  # fmt: skip
        variance = max(variance * part / (T - 1), _LEAST_SPOT)
    return Found(x, value, H, y, noise, variance, weight)


def profile_of(whole: Problem, found: Found, level: float) -> tuple[Profile, Found]:
    """The fall of the likelihood over the gaps, how far it may fall, and the answer at its top."""
    side = np.linspace(-1.0, 1.0, _POINTS)
    grid = _REACH * whole.width * np.sign(side) * np.abs(side) ** 1.3
    values, unknowns = np.empty(grid.size), np.empty((grid.size, whole.start.size))
    given = (whole.data, found.noise.inverse, found.spot_weight, whole.drift_weight)
    likelihood_of_gaps(*given, whole.start, grid, values, unknowns)
    value, x = at_gap(*given, found.unknown, float(found.unknown[0]), 3)
    grid = np.append(grid, found.unknown[0])
    order = np.argsort(grid)
    grid = grid[order]
    values, unknowns = np.append(values, value)[order], np.vstack([unknowns, x])[order]
    apart = np.r_[True, np.diff(grid) > 0.0]
    grid, values, unknowns = refined(
        *given, grid[apart], values[apart], unknowns[apart], 5e-4 * whole.width
    )
    curve = PchipInterpolator(grid, values - values.min())
    between = [np.linspace(a, b, 9) for a, b in pairwise(grid)]
    deltas = np.unique(np.concatenate([np.linspace(grid[0], grid[-1], _FINE), *between]))
    falls = curve(deltas)
    falls -= falls.min()
    zero = float(np.interp(0.0, deltas, falls))
    profile = Profile(deltas, falls, np.full(deltas.size, critical_fall(zero, level)))
    return profile, _at_the_top(whole, found, unknowns[int(np.argmin(values))])


def _at_the_top(whole: Problem, found: Found, unknown: FloatArray) -> Found:
    """The answer at the profile's top, its gap held: the search alone may end on a lower one."""
    free = np.ones(unknown.size, np.bool_)
    free[0] = False
    if whole.drift_weight > 0.0:  # the ratio of the top was searched for with the drift's part
        free[1] = False
    x, value, _, H, _, y, _, _ = solve(
        whole.data, found.noise.inverse, found.spot_weight, whole.drift_weight, unknown, free, 60,
        1e-8,
    )  # fmt: skip
    return found._replace(unknown=x, value=value, normal=H, misses=y)


def critical_fall(zero_fall: float, level: float) -> float:
    """How far twice the log likelihood may fall inside the interval.

    >>> round(critical_fall(30.0, 0.95), 2), round(critical_fall(3.0, 0.95), 2)
    (3.84, 5.14)
    """
    if zero_fall >= SEPARATE:
        return float(chi2.ppf(level, 1))

    def beyond(c: float) -> float:
        return float(0.5 * (chi2.sf(c, 1) + chi2.sf(c, 2)) - (1.0 - level))

    return float(brentq(beyond, 0.0, 100.0))


def _spot_weight(whole: Problem, variance: float) -> FloatArray:
    weight = 1.0 / (variance * whole.gaps)
    weight[0] = 0.0
    return np.asarray(weight)
