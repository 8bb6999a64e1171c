r"""Trimmed expectations on the panels of a law, with their slopes: the loops of the sharp bounds.

For a payoff g and a mass r::

    upper = lambda + E[(g - lambda)+] / r,    P(g > lambda) <= r <= P(g >= lambda)

which is the largest mean of g over laws f1 with r f1 <= f (Horowitz and Manski 1995; the dual form
of Rockafellar and Uryasev 2000). It is stationary in lambda, so by the envelope theorem its slope
in f is (g - lambda)+ / r, and in r it is (lambda - upper) / r. Flat stretches of g need no care.

Reference: Horowitz and Manski (1995), Econometrica 63; Rockafellar and Uryasev (2000), Journal of
Risk 2.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, watches
from eventtape.estimators.states import bounds_polynomials
from eventtape.estimators.states.bounds_polynomials import (
    add_weights,
    clear,
    integral,
    point_of,
    quantile_place,
    value_of,
)

__all__ = ["payoff_bounds", "quantile_bounds"]

_POINTS = 12
_STEPS = 60
_MISS = 1e-13


@watches(bounds_polynomials)
@njit(cache=True, error_model="numpy")
def _root(a: FloatArray, level: float, low: float, high: float) -> float:
    """Where the polynomial passes ``level`` between two s: false position (Illinois), halving."""
    at_low, at_high = value_of(a, low) - level, value_of(a, high) - level
    if at_low == at_high:
        return low
    s, kept = low, 0.0
    for turn in range(_STEPS):
        s = (low * at_high - high * at_low) / (at_high - at_low)
        if turn % 4 == 3 or not low < s < high:
            s = 0.5 * (low + high)
        here = value_of(a, s) - level
        if abs(here) <= 1e-14 * (abs(at_low) + abs(at_high)) or high - low < 1e-14:
            break
        if (here > 0.0) == (at_low > 0.0):
            low, at_low = s, here
            at_high *= 0.5 if kept > 0.0 else 1.0
            kept = 1.0
        else:
            high, at_high = s, here
            at_low *= 0.5 if kept < 0.0 else 1.0
            kept = -1.0
    return s


@njit(cache=True, error_model="numpy")
def _pieces(points: FloatArray, a: FloatArray, g: FloatArray, level: float, out: FloatArray) -> int:
    """Stretches of s ``(n, 2)`` with g > level; ``g`` ``(14,)`` has both edges."""
    n, open_ = 0, g[0] > level
    out[0, 0] = -1.0
    for i in range(1, g.size):
        above = g[i] > level
        if above != open_:
            s = _root(a, level, points[i - 1], points[i])
            if above:
                out[n, 0] = s
            else:
                out[n, 1] = s
                n += 1
            open_ = above
    if open_:
        out[n, 1] = 1.0
        n += 1
    return n


@watches(bounds_polynomials)
@njit(cache=True, error_model="numpy")
def _mass_above(
    points: FloatArray,
    edges: FloatArray,
    density: FloatArray,
    total: FloatArray,
    a: FloatArray,
    g: FloatArray,
    span: FloatArray,
    level: float,
    pieces: FloatArray,
) -> float:
    """P(g > level); ``span`` ``(k, 2)`` is the least and largest of g in each panel."""
    mass = 0.0
    for j in range(edges.size - 1):
        if span[j, 0] > level:
            mass += total[j + 1] - total[j]
        elif span[j, 1] > level:
            half = 0.5 * (edges[j + 1] - edges[j])
            for i in range(_pieces(points, a[j], g[j], level, pieces)):
                high, low = pieces[i, 1], pieces[i, 0]
                mass += half * (integral(density[j], high) - integral(density[j], low))
    return mass


@njit(cache=True, error_model="numpy")
def _level(
    points: FloatArray,
    edges: FloatArray,
    density: FloatArray,
    total: FloatArray,
    a: FloatArray,
    g: FloatArray,
    span: FloatArray,
    r: float,
    pieces: FloatArray,
) -> float:
    """The value g is above with probability r: false position and halving, jumps and all."""
    low, high = span[0, 0], span[0, 1]
    for j in range(edges.size - 1):
        low, high = min(low, span[j, 0]), max(high, span[j, 1])
    at_low, at_high, kept = 1.0 - r, -r, 0.0
    enough = 1e-12 * max(abs(low), abs(high))
    for turn in range(2 * _STEPS):
        level = (low * at_high - high * at_low) / (at_high - at_low)
        if turn % 3 == 2 or not low < level < high:
            level = 0.5 * (low + high)
        miss = _mass_above(points, edges, density, total, a, g, span, level, pieces) - r
        if abs(miss) <= _MISS:  # the bound is stationary in the level
            return float(level)
        if miss > 0.0:
            low, at_low = level, miss
            at_high *= 0.5 if kept > 0.0 else 1.0
            kept = 1.0
        else:
            high, at_high = level, miss
            at_low *= 0.5 if kept < 0.0 else 1.0
            kept = -1.0
        if high - low <= enough:
            break
    return float(high)


@njit(cache=True, error_model="numpy")
def _add_slopes(
    weights: FloatArray, g: FloatArray, level: float, slopes: FloatArray, slope: FloatArray
) -> None:
    """Add one panel's part, weights times (g - level) times the slopes at its points."""
    for e in range(weights.size):
        w = weights[e] * (g[e + 1] - level)
        for c in range(slope.size):
            slope[c] += w * slopes[e, c]


@watches(bounds_polynomials)
@njit(cache=True, error_model="numpy")
def _above(
    points: FloatArray,
    waves_of: FloatArray,
    edges: FloatArray,
    density: FloatArray,
    total: FloatArray,
    quoted: FloatArray,
    a: FloatArray,
    product: FloatArray,
    g: FloatArray,
    span: FloatArray,
    level: float,
    slopes: FloatArray,
    slope_sums: FloatArray,
    payoff_slope_sums: FloatArray,
    pieces: FloatArray,
    part: FloatArray,
    slope: FloatArray,
) -> None:
    """Fill ``part`` ``(3,)``, E[(g - level)+] below, within and above the quotes, and ``slope``."""
    m = slope.size
    weights = np.empty(_POINTS)
    clear(part)
    clear(slope)
    for j in range(edges.size - 1):
        if not span[j, 1] > level:
            continue
        where = 0 if j < quoted[0] else (2 if j >= quoted[1] else 1)
        half = 0.5 * (edges[j + 1] - edges[j])
        if span[j, 0] > level:
            part[where] += 2.0 * half * product[j, 0] - level * (total[j + 1] - total[j])
            for c in range(m):
                slope[c] += payoff_slope_sums[j, c] - level * slope_sums[j, c]
            continue
        clear(weights)
        for e in range(_pieces(points, a[j], g[j], level, pieces)):
            low, high = pieces[e, 0], pieces[e, 1]
            mass = integral(density[j], high) - integral(density[j], low)
            amount = integral(product[j], high) - integral(product[j], low)
            part[where] += half * (amount - level * mass)
            if m > 1:
                add_weights(waves_of, high, 1.0, weights)
                add_weights(waves_of, low, -1.0, weights)
        if m > 1:
            _add_slopes(weights, g[j], level, slopes[j], slope)


@watches(bounds_polynomials)
@njit(cache=True, error_model="numpy")
def payoff_bounds(
    masses: FloatArray,
    points: FloatArray,
    waves_of: FloatArray,
    edges: FloatArray,
    density: FloatArray,
    total: FloatArray,
    quoted: FloatArray,
    outside: FloatArray,
    g: FloatArray,
    a: FloatArray,
    product: FloatArray,
    span: FloatArray,
    rising: FloatArray,
    at_edges: FloatArray,
    slopes: FloatArray,
    slope_sums: FloatArray,
    payoff_slope_sums: FloatArray,
    out: FloatArray,
) -> None:
    """Fill ``out`` ``(5, q, n)``: upper bound, lambda, part beyond the quotes, variance, forward's.

    ``g`` ``(q, k, 14)`` has the panels' edges and points, ``a`` and ``product`` are coefficients of
    g and g f; ``rising`` is 1, -1 or, for a payoff that turns, 0. ``quoted`` are the first panel
    with a quote and the first beyond; ``outside`` ``(2, 2)`` are the mass and E[S / F] beyond each;
    ``at_edges`` ``(q, 2, 3)`` are S / F, g and its slope at each.
    """
    q, n = g.shape[0], masses.size
    m = slopes.shape[2]
    pieces, part, slope = np.empty((14, 2)), np.empty(3), np.empty(m)
    for b in range(q):
        for i in range(n):
            r = masses[i]
            if not r > 0.0:
                for c in range(5):
                    out[c, b, i] = np.nan
                continue
            if rising[b] != 0.0:
                below = 1.0 - r if rising[b] > 0.0 else r
                j, s = quantile_place(edges, density, total, below)
                level = min(max(value_of(a[b, j], s), span[b, j, 0]), span[b, j, 1])
            else:
                level = _level(points, edges, density, total, a[b], g[b], span[b], r, pieces)
            _above(
                points, waves_of, edges, density, total, quoted, a[b], product[b], g[b], span[b],
                level, slopes, slope_sums, payoff_slope_sums[b], pieces, part, slope,
            )  # fmt: skip
            beyond = 0.0
            for side in range(2):
                # What is left once the options at the last strike have been taken for known
                S, value, steep = at_edges[b, side]
                over = part[2 * side]
                if value > level:
                    over -= (value - level) * outside[side, 0]
                    over -= steep * (outside[side, 1] - S * outside[side, 0])
                beyond += abs(over)
            variance = 0.0
            for c in range(m - 1):
                variance += (slope[c] / r) ** 2
            out[0, b, i] = level + (part[0] + part[1] + part[2]) / r
            out[1, b, i] = level
            out[2, b, i] = beyond / r
            out[3, b, i] = variance
            out[4, b, i] = slope[m - 1] / r


@watches(bounds_polynomials)
@njit(cache=True, error_model="numpy")
def quantile_bounds(
    levels: FloatArray,
    waves_of: FloatArray,
    edges: FloatArray,
    density: FloatArray,
    total: FloatArray,
    slopes: FloatArray,
    slope_totals: FloatArray,
    out: FloatArray,
) -> None:
    """Fill ``out`` ``(4, n)``: y with that much below it, density there, variance, forward's.

    ``slope_totals`` ``(k + 1, m + 1)`` are the slopes of the mass up to each edge.
    """
    m = slopes.shape[2]
    weights, slope = np.empty(_POINTS), np.empty(m)
    for i in range(levels.size):
        if not 0.0 <= levels[i] <= 1.0:
            for c in range(4):
                out[c, i] = np.nan
            continue
        j, s = quantile_place(edges, density, total, levels[i])
        f = value_of(density[j], s)
        out[0, i], out[1, i] = point_of(edges, j, s), f
        clear(weights)
        add_weights(waves_of, s, 1.0, weights)
        variance = 0.0
        for c in range(m):
            slope[c] = slope_totals[j, c]
            for e in range(weights.size):
                slope[c] += weights[e] * slopes[j, e, c]
            if c < m - 1:
                variance += (slope[c] / f) ** 2
        out[2, i] = variance
        out[3, i] = -slope[m - 1] / f
