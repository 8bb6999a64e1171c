r"""A smile of total variance w(k) scanned from wing to wing: what every check is read from.

With v = sqrt(w), d2 = -k / v - v / 2, d1 = d2 + v, prices in units of the forward::

    g = (1 - k w' / (2 w))^2 - w'^2 / 4 (1 / w + 1 / 4) + w'' / 2
    density of k: phi(d2) g / v,    its share of the mean: phi(d1) g / v,
    Q = Phi(-d2) + phi(d2) w' / (2 v),
    C = Phi(d1) - e^k Phi(d2),    P = e^k Phi(-d2) - Phi(-d1)

The sums are Gauss-Legendre over the cells of the scan. The scan ends where both tails, of mass and
of mean, are eight standard deviations away, |k| / v - v / 2 >= 8, or at |k| = 100.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize_scalar
from scipy.special import ndtr

from eventtape.arrays import FloatArray

__all__ = [
    "Scan",
    "VarianceFunction",
    "butterfly_g",
    "distribution",
    "lowest",
    "negative_stretches",
    "scan_variance",
]

Function = Callable[[FloatArray], FloatArray]
VarianceFunction = Callable[[FloatArray], tuple[FloatArray, FloatArray, FloatArray]]

_CELLS = 4000
_POINTS = 4
_SDS = 8.0
_FURTHEST, _WING = 100.0, 300.0
_ROOT_2PI = math.sqrt(2.0 * math.pi)


class Scan(NamedTuple):
    """At each k ``(n,)``: g, Q, call and put; the sums; slopes of w in the far wings ``(2,)``."""

    variance: VarianceFunction
    k: FloatArray
    g: FloatArray
    below: FloatArray
    call: FloatArray
    put: FloatArray
    integral: float
    mean: float
    negative_mass: float
    wing_slopes: FloatArray


def butterfly_g(
    k: FloatArray | float, w: FloatArray, slope: FloatArray, bend: FloatArray
) -> FloatArray:
    """The density's factor that must not be negative."""
    skew = 1.0 - 0.5 * k * slope / w
    return np.asarray(skew * skew - 0.25 * slope * slope * (1.0 / w + 0.25) + 0.5 * bend)


def distribution(k: FloatArray, w: FloatArray, slope: FloatArray) -> FloatArray:
    """Q, the probability below k."""
    v = np.sqrt(w)
    d2 = -k / v - 0.5 * v
    return np.asarray(ndtr(-d2) + 0.5 * np.exp(-0.5 * d2 * d2) / _ROOT_2PI * slope / v)


def scan_variance(variance: VarianceFunction, corners: ArrayLike = ()) -> Scan | None:
    """The scan; None where the variance is not positive somewhere on it or in the wings.

    ``corners``: the k where w is not smooth, at which cells of the sums end.
    """
    w0 = float(variance(np.zeros(1))[0][0])
    wings = variance(np.array([-_WING, _WING]))
    if not (w0 > 0.0 and (wings[0] > 0.0).all()):
        return None
    low, high = _end(variance, -1.0, w0), _end(variance, 1.0, w0)
    marks = np.asarray(corners, np.float64)
    marks = marks[(marks > low) & (marks < high)]
    edges = np.unique(np.concatenate([np.linspace(low, high, _CELLS + 1), marks]))
    point, weight = np.polynomial.legendre.leggauss(_POINTS)
    half = 0.5 * np.diff(edges)[:, None]
    inner = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * point).ravel()
    k = np.concatenate([edges, inner])
    w, slope, bend = variance(k)
    if not (w > 0.0).all():
        return None
    v = np.sqrt(w)
    d2 = -k / v - 0.5 * v
    g, phi = butterfly_g(k, w, slope, bend), np.exp(-0.5 * d2 * d2) / _ROOT_2PI
    n = edges.size
    weights = (half * weight).ravel()
    mass = (phi * g / v)[n:] * weights
    share = (np.exp(-0.5 * (d2 + v) ** 2) / _ROOT_2PI * g / v)[n:] * weights
    below = distribution(edges, w[:n], slope[:n])
    call = (ndtr(d2 + v) - np.exp(k) * ndtr(d2))[:n]
    put = (np.exp(k) * ndtr(-d2) - ndtr(-d2 - v))[:n]
    return Scan(
        variance, edges, g[:n], below, call, put,
        float(mass.sum()), float(share.sum()), 0.0 - float(mass[mass < 0.0].sum()), wings[1],
    )  # fmt: skip


def _end(variance: VarianceFunction, side: float, w0: float) -> float:
    """The first k on one side, in steps of a tenth, from which eight standard deviations remain."""
    k = side * math.sqrt(w0)
    while abs(k) < _FURTHEST:
        v = math.sqrt(max(float(variance(np.array([k]))[0][0]), 0.0))
        if v > 0.0 and abs(k) / v - 0.5 * v >= _SDS:
            return k
        k *= 1.1
    return side * _FURTHEST


def lowest(f: Function, k: FloatArray, values: FloatArray) -> tuple[float, float]:
    """Place and value of the minimum, refined between the neighbours of the lowest node."""
    i = int(np.argmin(values))
    span = (k[max(i - 1, 0)], k[min(i + 1, k.size - 1)])
    best = minimize_scalar(
        lambda x: float(f(np.array([x]))[0]),
        bounds=span,
        method="bounded",
        options={"xatol": 1e-12},
    )
    if best.fun < values[i]:
        return float(best.x), float(best.fun)
    return float(k[i]), float(values[i])


def negative_stretches(f: Function, k: FloatArray) -> FloatArray:
    """The stretches of f < 0 ``(n, 2)`` seen on k; one at an end of k ends there."""
    edge = np.diff(np.concatenate([[False], f(k) < 0.0, [False]]).astype(np.int8))

    def root(i: int) -> float:
        if i in {0, k.size}:
            return float(k[0 if i == 0 else -1])
        return float(brentq(lambda x: float(f(np.array([x]))[0]), k[i - 1], k[i], xtol=1e-12))

    starts, ends = np.flatnonzero(edge == 1), np.flatnonzero(edge == -1)
    found = [(root(int(a)), root(int(b))) for a, b in zip(starts, ends, strict=True)]
    return np.array(found, np.float64).reshape(-1, 2)
