r"""The likelihood of a gap: what is least known given, what is best fitted searched for.

At a given delta everything else is maximised over, but for the drift d_t, which has a law of its
own and is integrated out by Laplace's method::

    -2 log L(delta) = min over the rest of  [ Q + log det H_(d given v, x) ].

Without the determinant a gap far from zero would gain by bending d_t to the noise; the log vol
ratio is searched for with it (parabolas). The likelihood has several peaks, so the grid is walked
from both ends and from several log vol ratios, then halved where it matters.

Reference: Severini (2007), Biometrika 94, for integrated likelihoods.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import BoolArray, FloatArray, watches
from eventtape.estimators.states import joint_kernel
from eventtape.estimators.states.joint_kernel import COMMON, HIGHEST, LOWEST, factor, solve

__all__ = ["likelihood_of_gaps", "refined"]

_RATIOS = np.array([-0.25, 0.25])
_NEAR, _STEP = 9.0, 1.2


@watches(joint_kernel)
@njit(cache=True, error_model="numpy")
def integrated(H: FloatArray, T: int) -> float:
    """Log det of the drift's unknowns given the other one-a-snapshot unknowns; 0 without drift."""
    n = H.shape[0] - COMMON
    if n == 2 * T:
        return 0.0
    A = np.empty((n, n))
    for i in range(n):
        for j in range(i + 1):
            A[i, j] = H[COMMON + i, COMMON + j]
        A[i, i] += 1e-9
    factor(A)
    total = 0.0
    for i in range(2 * T, n):
        total += 2.0 * math.log(A[i, i])
    return total


@watches(joint_kernel)
@njit(cache=True, error_model="numpy")
def _at(
    data: tuple[FloatArray, ...],
    inverse: FloatArray,
    spot_weight: FloatArray,
    drift_weight: float,
    unknown: FloatArray,
    delta: float,
    ratio: float,
    free: BoolArray,
) -> tuple[float, FloatArray]:
    """-2 log L at a gap and a log vol ratio, up to a constant, and the unknowns there."""
    x = unknown.copy()
    x[0], x[1] = delta, min(max(ratio, LOWEST[1]), HIGHEST[1])
    found = solve(data, inverse, spot_weight, drift_weight, x, free, 25, 3e-3)
    return found[1] + integrated(found[3], data[2].shape[0]), found[0]


@watches(joint_kernel)
@njit(cache=True, error_model="numpy")
def at_gap(
    data: tuple[FloatArray, ...],
    inverse: FloatArray,
    spot_weight: FloatArray,
    drift_weight: float,
    unknown: FloatArray,
    delta: float,
    rounds: int,
) -> tuple[float, FloatArray]:
    """-2 log L(delta), up to a constant, and the unknowns there, from ``unknown`` on."""
    free = np.ones(unknown.size, np.bool_)
    free[0] = False
    if drift_weight == 0.0:  # nothing to integrate: the ratio is searched for with the rest
        x = unknown.copy()
        x[0] = delta
        found = solve(data, inverse, spot_weight, drift_weight, x, free, 25, 3e-3)
        return found[1], found[0]
    free[1] = False
    width = 0.06
    best, x = _at(data, inverse, spot_weight, drift_weight, unknown, delta, unknown[1], free)
    for _ in range(rounds):
        ratio = x[1]
        low, x_low = _at(data, inverse, spot_weight, drift_weight, x, delta, ratio - width, free)
        high, x_high = _at(data, inverse, spot_weight, drift_weight, x, delta, ratio + width, free)
        bend = low + high - 2.0 * best
        middle = best
        if low < best:
            best, x = low, x_low
        if high < best:
            best, x = high, x_high
        if bend > 1e-9:
            to = ratio + 0.5 * width * (low - high) / bend
            to = min(max(to, ratio - 3.0 * width), ratio + 3.0 * width)
            value, trial = _at(data, inverse, spot_weight, drift_weight, x, delta, to, free)
            if value < best:
                best, x = value, trial
        if middle - best < 0.02:
            if bend < 0.5 or width < 0.01:
                break
            width *= 0.3
        elif bend > 4.0:
            width *= 0.5
    return best, x


@watches(joint_kernel)
@njit(cache=True, error_model="numpy")
def likelihood_of_gaps(
    data: tuple[FloatArray, ...],
    inverse: FloatArray,
    spot_weight: FloatArray,
    drift_weight: float,
    start: FloatArray,
    grid: FloatArray,
    values: FloatArray,
    unknowns: FloatArray,
) -> None:
    """Fill ``values`` ``(n,)`` with -2 log L on the grid and ``unknowns`` ``(n, P)``."""
    n = grid.size
    values[:] = np.inf
    for way in range(2):
        x = start.copy()
        for k in range(n):
            i = k if way == 0 else n - 1 - k
            value, x = at_gap(data, inverse, spot_weight, drift_weight, x, grid[i], 2)
            if value < values[i]:
                values[i] = value
                unknowns[i] = x
    least = values.min()
    for i in range(n):
        if values[i] > least + 4.0 * _NEAR:
            continue
        for ratio in _RATIOS:
            x = unknowns[i].copy()
            x[1] = ratio
            value, x = at_gap(data, inverse, spot_weight, drift_weight, x, grid[i], 2)
            if value < values[i]:
                values[i] = value
                unknowns[i] = x


def refined(
    data: tuple[FloatArray, ...],
    inverse: FloatArray,
    spot_weight: FloatArray,
    drift_weight: float,
    grid: FloatArray,
    values: FloatArray,
    unknowns: FloatArray,
    finest: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Grid, values and unknowns with steps halved where the likelihood is near its best."""
    for _ in range(14):
        fall = values - values.min()
        near = np.minimum(fall[:-1], fall[1:]) < _NEAR
        new = np.flatnonzero(near & (np.abs(np.diff(fall)) > _STEP) & (np.diff(grid) > finest))
        best = int(np.argmin(fall))
        sides = [i for i in (best - 1, best) if 0 <= i < grid.size - 1]
        new = np.union1d(
            new, [i for i in sides if grid[i + 1] - grid[i] > finest and _uneven(grid, fall, i)]
        ).astype(np.int64)
        if new.size == 0:
            break
        middles = 0.5 * (grid[new] + grid[new + 1])
        found_values, found = np.empty(new.size), np.empty((new.size, unknowns.shape[1]))
        for k, i in enumerate(new):
            tries = [
                at_gap(data, inverse, spot_weight, drift_weight, unknowns[j], float(middles[k]), 3)
                for j in (i, i + 1)
            ]
            found_values[k], found[k] = min(tries, key=lambda pair: pair[0])
        grid = np.concatenate([grid, middles])
        order = np.argsort(grid)
        grid = grid[order]
        values = np.concatenate([values, found_values])[order]
        unknowns = np.concatenate([unknowns, found])[order]
    return grid, values, unknowns


def _uneven(grid: FloatArray, fall: FloatArray, i: int) -> bool:
    """Whether the peak may stand well above its neighbours: both ends near, the next ones far."""
    far = max(fall[max(i - 1, 0)], fall[min(i + 2, grid.size - 1)])
    return bool(far > 2.0 * _STEP)
