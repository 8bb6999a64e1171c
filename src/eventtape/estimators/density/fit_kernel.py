r"""One chain's density in one kernel: quotes put in order, smile fitted, law read on a grid."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from eventtape.arrays import BoolArray, FloatArray, IntArray, watches
from eventtape.estimators.density import breeden_litzenberger, smile_columns, smile_fit
from eventtape.estimators.density.breeden_litzenberger import law_with_errors
from eventtape.estimators.density.smile_columns import (
    MEAN_COLUMNS,
    PLACES,
    resolves,
    smile_places,
    smile_sum,
    unwarped,
)
from eventtape.estimators.density.smile_fit import fit_smile

__all__ = ["fit_on_grid"]

_GAP = 3.0  # how far in x the default strikes go beyond the quotes
_REACH = 6.5  # and in standard deviations of the wing's own volatility
_FAR_OUT = 1e6  # in x: where the wings are flat


@watches(breeden_litzenberger, smile_columns, smile_fit)
@njit(cache=True, error_model="numpy")
def fit_on_grid(
    strikes: FloatArray,
    is_call: BoolArray,
    quotes: FloatArray,
    forward: float,
    forward_error: float,
    discount: float,
    tick: float,
    lean: float,
    lean_variance: float,
    priors: FloatArray,
    own_grid: bool,
    grid: FloatArray,
    fates: NDArray[np.int8],
    numbers: FloatArray,
    coefficients: FloatArray,
    factor: FloatArray,
    law: FloatArray,
) -> tuple[int, int]:
    """Fit one chain, quotes in any order, and evaluate it; a code, and p (or the bad row).

    Filled: ``fates`` in the order given; ``grid`` if it is to be chosen (``own_grid``); ``law``
    ``(6, n_grid)``; ``coefficients``, ``factor`` (their first p); ``numbers`` ``(18,)``: nine of
    :func:`~.smile_fit.fit_smile`, the rounding's share, mass below and above with errors, first and
    last strike used, negative mass, whether sizes said anything. Codes: ``FIT_CODES``, 4 more
    detail than cosines, -1 no strike, -2 an option twice.
    """
    n = strikes.size
    bad = _no_price(strikes)
    if bad >= 0:
        return -1, bad
    order = np.argsort(strikes, kind="mergesort")
    K, call, sides = strikes[order], is_call[order], np.empty((4, n))
    for side in range(4):
        sides[side] = quotes[side][order]
    twice = _listed_twice(K, call, order)
    if twice >= 0:
        return -2, twice
    if not forward > 0.0:
        return 2, 0
    became, seen = np.zeros(n, np.int8), np.empty((6, n))
    code, p = fit_smile(
        K, call, sides, forward, forward_error, discount, tick, lean, lean_variance, priors,
        became, seen, numbers, coefficients, factor,
    )  # fmt: skip
    for i in range(n):
        fates[order[i]] = became[i]
    if code != 0:
        return code, p
    v0, centre, half = numbers[0], numbers[1], numbers[2]
    q = p - 1
    smile, H = coefficients[:q].copy(), factor[:p, :q].copy()
    low, high, numbers[9] = _used_range(K, became, seen)
    if own_grid:
        _default_grid(low, high, forward, v0, centre, half, smile, grid)
    size = grid.size
    points, there = np.empty(size + 2), np.empty((6, size + 2))
    points[:size], points[size], points[size + 1] = grid, low, high
    law_with_errors(points, forward, forward_error, v0, centre, half, smile, H, there)
    law[:] = there[:, :size]
    numbers[10], numbers[11] = there[2, size], there[5, size]
    numbers[12], numbers[13] = 1.0 - there[2, size + 1], there[5, size + 1]
    numbers[14], numbers[15] = low, high
    numbers[16] = _negative_mass(grid, law[1])
    numbers[17] = 1.0 if np.abs(seen[2]).max() > 0.0 else 0.0
    if not (np.isfinite(law[1]).all() and _wings_positive(centre, half, smile)):
        return 2, p
    return (0 if resolves(q - MEAN_COLUMNS, half, math.exp(numbers[3])) else 4), p


@njit(cache=True, error_model="numpy")
def _no_price(strikes: FloatArray) -> int:
    """The first row whose strike is not positive and finite; -1 where all are."""
    for i in range(strikes.size):
        if not (0.0 < strikes[i] < math.inf):
            return i
    return -1


@njit(cache=True, error_model="numpy")
def _listed_twice(strikes: FloatArray, is_call: BoolArray, order: IntArray) -> int:
    """The row, as given, of an option that is there a second time; -1 where none is."""
    for i in range(1, strikes.size):
        j = i - 1
        while j >= 0 and strikes[j] == strikes[i]:
            if is_call[j] == is_call[i]:
                return int(order[i])
            j -= 1
    return -1


@njit(cache=True, error_model="numpy")
def _negative_mass(strikes: FloatArray, pdf: FloatArray) -> float:
    total = 0.0
    for i in range(1, strikes.size):
        total -= 0.5 * (min(pdf[i], 0.0) + min(pdf[i - 1], 0.0)) * (strikes[i] - strikes[i - 1])
    return total


@njit(cache=True, error_model="numpy")
def _used_range(
    strikes: FloatArray, fates: NDArray[np.int8], seen: FloatArray
) -> tuple[float, float, float]:
    """First and last strike used, and the median share of rounding in the error variances."""
    low, high, count = math.inf, -math.inf, 0
    shares = np.empty(strikes.size)
    for i in range(strikes.size):
        if fates[i] == 0:
            low, high = min(low, strikes[i]), max(high, strikes[i])
            shares[count] = seen[4, i] / seen[5, i]
            count += 1
    return low, high, np.median(shares[:count])


@watches(smile_columns)
@njit(cache=True, error_model="numpy")
def _wings_positive(centre: float, half: float, smile: FloatArray) -> bool:
    """Whether the volatility is positive where the stretch ends and far beyond, on both sides."""
    ends = np.array([-_FAR_OUT, unwarped(centre - half), unwarped(centre + half), _FAR_OUT])
    place, sums = np.empty((PLACES, 4)), np.empty((3, 4))
    smile_places(ends, centre, half, place)
    smile_sum(place, half, smile, sums)
    return bool(sums[0].min() > 0.0)


@watches(smile_columns)
@njit(cache=True, error_model="numpy")
def _default_grid(
    low: float,
    high: float,
    forward: float,
    v0: float,
    centre: float,
    half: float,
    smile: FloatArray,
    grid: FloatArray,
) -> None:
    """Strikes even in log-strike, to where nothing is left in either wing."""
    ends = np.array([math.log(low / forward) / v0 - _GAP, math.log(high / forward) / v0 + _GAP])
    place, sums = np.empty((PLACES, 2)), np.empty((3, 2))
    smile_places(ends, centre, half, place)
    smile_sum(place, half, smile, sums)
    first = min(ends[0], -_REACH * max(sums[0, 0], 1.0))
    last = max(ends[1], _REACH * max(sums[0, 1], 1.0))
    step = (last - first) / (grid.size - 1)
    for i in range(grid.size):
        grid[i] = forward * math.exp((first + i * step) * v0)
