r"""The least and the largest variance a law can have that is a part r of a given one.

With c the mean of the state, E1(y - c)^2 is the variance and min over c of it too. The largest is
a saddle point: max over f1 of min over c, where all the mass inside an interval (c - a, c + a) is
trimmed and c is the mean of the two tails; in c it is convex, so halving finds it. The least is a
minimum in both: an interval of mass r whose middle is its mean. There may be several (a law of two
peaks), so the interval is first slid over the law in 48 steps of equal mass.

At either, (y - c)^2 - a^2 over the part kept is the slope in f (envelope theorem).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, watches
from eventtape.estimators.states import bounds_polynomials
from eventtape.estimators.states.bounds_polynomials import (
    add_weights,
    clear,
    integral,
    panel_of,
    point_of,
    quantile_place,
)

__all__ = ["variance_bounds"]

_POINTS = 12
_SCAN = 48
_HALVINGS = 40
_MISS = 1e-12


@watches(bounds_polynomials)
@njit(cache=True, error_model="numpy")
def _interval(
    edges: FloatArray,
    moments: FloatArray,
    totals: FloatArray,
    low_level: float,
    high_level: float,
    out: FloatArray,
) -> None:
    """Fill ``out`` ``(5,)``: ends, and mass, sum of y and of y^2 between two levels."""
    j, s = quantile_place(edges, moments[0], totals[0], low_level)
    i, u = quantile_place(edges, moments[0], totals[0], high_level)
    out[0], out[1] = point_of(edges, j, s), point_of(edges, i, u)
    at_low, at_high = 0.5 * (edges[j + 1] - edges[j]), 0.5 * (edges[i + 1] - edges[i])
    for h in range(3):
        upper = totals[h, i] + at_high * integral(moments[h, i], u)
        out[2 + h] = upper - totals[h, j] - at_low * integral(moments[h, j], s)


@watches(bounds_polynomials)
@njit(cache=True, error_model="numpy")
def _between(
    edges: FloatArray, moments: FloatArray, totals: FloatArray, low: float, high: float, h: int
) -> float:
    """The integral of moment h between two points."""
    j, s = panel_of(edges, low)
    i, u = panel_of(edges, high)
    upper = totals[h, i] + 0.5 * (edges[i + 1] - edges[i]) * integral(moments[h, i], u)
    lower = totals[h, j] + 0.5 * (edges[j + 1] - edges[j]) * integral(moments[h, j], s)
    return float(upper - lower)


@njit(cache=True, error_model="numpy")
def _best_interval(
    edges: FloatArray,
    moments: FloatArray,
    totals: FloatArray,
    r: float,
    largest: bool,
    inside: FloatArray,
) -> None:
    """Fill ``inside`` as :func:`_interval`: what is kept (least) or trimmed (largest)."""
    k = edges.size - 1
    held = 1.0 - r if largest else r
    spare = 1.0 - held
    low, high = 0.0, spare
    if not largest and spare > 0.0:
        least, best = math.inf, 0
        for step in range(_SCAN + 1):
            u = spare * step / _SCAN
            _interval(edges, moments, totals, u, u + held, inside)
            mean = inside[3] / inside[2]
            spread = inside[4] / inside[2] - mean * mean
            if spread < least:
                least, best = spread, step
        low = spare * max(best - 1, 0) / _SCAN
        high = spare * min(best + 1, _SCAN) / _SCAN
    at_low, at_high, kept = 0.0, 0.0, 0.0  # of the ends, once both are known
    for turn in range(_HALVINGS):
        u = 0.5 * (low + high)
        if at_low < 0.0 < at_high and turn % 4 != 3:
            u = (low * at_high - high * at_low) / (at_high - at_low)
        _interval(edges, moments, totals, u, u + held, inside)
        mean = inside[3] / inside[2]
        if largest:
            mean = (totals[1, k] - inside[3]) / (totals[0, k] - inside[2])
        miss = inside[0] + inside[1] - 2.0 * mean
        if miss < 0.0:
            low, at_low = u, miss
            at_high *= 0.5 if kept > 0.0 else 1.0
            kept = 1.0
        else:
            high, at_high = u, miss
            at_low *= 0.5 if kept < 0.0 else 1.0
            kept = -1.0
        if abs(miss) <= _MISS or high - low <= _MISS:  # the bound is stationary in the interval
            break


@watches(bounds_polynomials)
@njit(cache=True, error_model="numpy")
def _slope_inside(
    waves_of: FloatArray,
    edges: FloatArray,
    y: FloatArray,
    first: float,
    last: float,
    c: float,
    level: float,
    slopes: FloatArray,
    slope_sums: FloatArray,
    slope: FloatArray,
) -> None:
    """Add to ``slope`` the integral of ((y - c)^2 - level) times the slopes, first to last."""
    weights = np.empty(_POINTS)
    for j in range(edges.size - 1):
        if edges[j + 1] <= first or edges[j] >= last:
            continue
        half = 0.5 * (edges[j + 1] - edges[j])
        top = min(1.0, (last - edges[j]) / half - 1.0)
        bottom = max(-1.0, (first - edges[j]) / half - 1.0)
        if top == 1.0 and bottom == -1.0:
            for e in range(slope.size):
                part = slope_sums[2, j, e] - 2.0 * c * slope_sums[1, j, e]
                slope[e] += part + (c * c - level) * slope_sums[0, j, e]
            continue
        clear(weights)
        add_weights(waves_of, top, 1.0, weights)
        add_weights(waves_of, bottom, -1.0, weights)
        for p in range(weights.size):
            w = weights[p] * ((y[j, p] - c) ** 2 - level)
            for e in range(slope.size):
                slope[e] += w * slopes[j, p, e]


@njit(cache=True, error_model="numpy")
def _beyond(
    edges: FloatArray,
    moments: FloatArray,
    totals: FloatArray,
    quoted: FloatArray,
    outside: FloatArray,
    first: float,
    last: float,
    c: float,
    level: float,
    inner: bool,
) -> float:
    """What E of (level - (y - c)^2)+, or of its negative part, rests on beyond the quotes."""
    k = edges.size - 1
    sign = 1.0 if inner else -1.0
    total = 0.0
    for side in range(2):
        edge = quoted[side]
        if not edges[0] < edge < edges[k]:
            continue
        begin, end = (edge, edges[k]) if side else (edges[0], edge)
        low, high = min(max(first, begin), end), max(min(last, end), begin)
        whole = 0.0
        for h in range(3):
            factor = -1.0 if h == 2 else (2.0 * c if h == 1 else level - c * c)
            piece = _between(edges, moments, totals, low, high, h)
            if not inner:
                piece = _between(edges, moments, totals, begin, end, h) - piece
            whole += sign * factor * piece
        gain = sign * (level - (edge - c) ** 2)
        if gain > 0.0:  # the line through the last strike is known from its options
            S = math.exp(edge)
            steep = -2.0 * sign * (edge - c) / S
            whole -= gain * outside[side, 0]
            whole -= steep * (outside[side, 1] - S * outside[side, 0])
        total += abs(whole)
    return total


@watches(bounds_polynomials)
@njit(cache=True, error_model="numpy")
def _slope_of(
    waves_of: FloatArray,
    edges: FloatArray,
    y: FloatArray,
    first: float,
    last: float,
    c: float,
    level: float,
    inner: bool,
    slopes: FloatArray,
    slope_sums: FloatArray,
    slope: FloatArray,
) -> None:
    """Fill ``slope`` ``(m + 1,)``: over what is inside, or over all less that."""
    clear(slope)
    _slope_inside(waves_of, edges, y, first, last, c, level, slopes, slope_sums, slope)
    if inner:
        return
    for e in range(slope.size):
        slope[e] = -slope[e]
    low, high = edges[0], edges[edges.size - 1]
    _slope_inside(waves_of, edges, y, low, high, c, level, slopes, slope_sums, slope)


@njit(cache=True, error_model="numpy")
def _squares(x: FloatArray, n: int) -> float:
    total = 0.0
    for i in range(n):
        total += x[i] * x[i]
    return total


@njit(cache=True, error_model="numpy")
def variance_bounds(
    masses: FloatArray,
    waves_of: FloatArray,
    edges: FloatArray,
    y: FloatArray,
    moments: FloatArray,
    totals: FloatArray,
    quoted: FloatArray,
    outside: FloatArray,
    slopes: FloatArray,
    slope_sums: FloatArray,
    out: FloatArray,
) -> None:
    """Fill ``out`` ``(4, 2, n)``: variance of y, a^2, part beyond the quotes, variance of error.

    Least and largest. ``moments`` ``(3, k, 12)`` are coefficients of f, y f, y^2 f and ``totals``
    ``(3, k + 1)`` their integrals up to each edge; ``slope_sums`` ``(3, k, m + 1)``; ``quoted`` the
    points y where the quotes end, ``outside`` ``(2, 2)`` mass and E[S / F] beyond each.
    """
    m, k = slopes.shape[2], edges.size - 1
    inside, slope = np.empty(5), np.zeros(m)
    for i in range(masses.size):
        r = masses[i]
        if not r > 0.0:
            for h in range(4):
                out[h, 0, i] = out[h, 1, i] = np.nan
            continue
        for side in range(2):
            largest = side == 1
            _best_interval(edges, moments, totals, r, largest, inside)
            first, last, inner = inside[0], inside[1], not largest
            if largest:
                for h in range(3):
                    inside[2 + h] = totals[h, k] - inside[2 + h]
            c = inside[3] / inside[2]
            if r == 1.0:  # nothing is trimmed: all the mass counts
                first, last, inner = edges[0], edges[k], True
            level = (0.5 * (last - first)) ** 2
            if m > 1:
                _slope_of(
                    waves_of, edges, y, first, last, c, level, inner, slopes, slope_sums, slope
                )
            rest = _beyond(edges, moments, totals, quoted, outside, first, last, c, level, inner)
            out[0, side, i] = inside[4] / inside[2] - c * c
            out[1, side, i] = level
            out[2, side, i] = rest / r
            out[3, side, i] = _squares(slope, m - 1) / (r * r)
