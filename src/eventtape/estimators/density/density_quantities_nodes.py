r"""Nodes on which any expectation under a smile's law is a sum, with its slope in the coefficients.

With y = log(S / F) of density f(y) = phi(d2) g / v, an expectation is a sum over nodes
w_i f(y_i) h(y_i). The nodes are Gauss-Legendre points of panels in y that end where the law has a
corner: at the edges of the quotes, where the slope of v'' jumps, and at places asked for. Between
them everything is analytic, so the sum is good to rounding. The panels reach ten standard
deviations of the widest volatility of a wing (further for powers of the price); what lies beyond is
under 1e-22. Beyond the quotes the smile goes over into a constant volatility: each tail is
lognormal, so every moment is finite.

The slope of f in each coefficient comes from v, v', v'' being linear in them, so that the standard
error of a sum E with slope s is |H s|, H' H their covariance. Prices are in units of F.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray
from eventtape.estimators.density.breeden_litzenberger import Smile
from eventtape.estimators.density.smile_columns import (
    PAD,
    PLACES,
    smile_columns,
    smile_places,
    unwarped,
)

__all__ = ["LawNodes", "SmileLaw", "error_of", "law_at", "law_nodes", "quote_edges", "stretch_ends"]

_POINTS = 12
_PANEL = 0.4  # standard deviations
_FURTHEST = 10.0
_MOST = 4000
_ROOT_2PI = math.sqrt(2.0 * math.pi)


class SmileLaw(NamedTuple):
    """The law at log moneyness y, ``(n,)`` each; slopes ``(p, n)`` in the coefficients.

    ``vol`` is total; ``density`` is of y; ``g`` its factor that must not be negative.
    """

    y: FloatArray
    vol: FloatArray
    g: FloatArray
    density: FloatArray
    vol_slope: FloatArray
    g_slope: FloatArray
    density_slope: FloatArray
    below_slope: FloatArray


class LawNodes(NamedTuple):
    """Places y ``(n,)``; density times the weight of each, and its slope ``(p, n)``."""

    y: FloatArray
    mass: FloatArray
    mass_slope: FloatArray

    def expect(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Expectations ``(r,)`` of ``values`` ``(r, n)`` and their slopes ``(r, p)``."""
        return values @ self.mass, values @ self.mass_slope.T


def error_of(smile: Smile, slope: FloatArray) -> FloatArray:
    """Standard errors ``(r,)`` of what has slopes ``(r, p)`` in the coefficients."""
    return np.asarray(np.sqrt(np.square(slope @ smile.factor.T).sum(axis=-1)))


def law_at(smile: Smile, y: FloatArray) -> SmileLaw:
    """The law and its slopes at log moneyness ``y``; where v <= 0, NaN."""
    v0, p = smile.reference, smile.coefficients.size
    place, V = np.empty((PLACES, y.size)), np.empty((3, p, y.size))
    smile_places(y / v0, smile.centre, smile.half, place)
    smile_columns(place, smile.half, 2, V)
    of_v, of_v1, of_v2 = V[0] * v0, V[1], V[2] / v0
    v, v1, v2 = (smile.coefficients @ x for x in (of_v, of_v1, of_v2))
    v = v + v0
    v = np.where(v > 0.0, v, math.nan)
    d2 = -y / v - 0.5 * v
    phi = np.exp(-0.5 * d2 * d2) / _ROOT_2PI
    skew = 1.0 - y * v1 / v
    g = skew * skew - 0.25 * (v * v1) ** 2 + v * v2
    turn = y / (v * v) - 0.5
    g_slope = (2.0 * skew * y * v1 / (v * v) - 0.5 * v * v1 * v1 + v2) * of_v
    g_slope += (-2.0 * skew * y / v - 0.5 * v * v * v1) * of_v1 + v * of_v2
    head = phi / v
    density_slope = head * (g_slope - g * (d2 * turn + 1.0 / v) * of_v)
    below_slope = phi * (of_v1 - turn * (1.0 + d2 * v1) * of_v)
    return SmileLaw(y, v, g, head * g, of_v, g_slope, density_slope, below_slope)


def quote_edges(smile: Smile) -> FloatArray:
    """Log moneyness ``(2,)`` where the quotes end and the smile begins to go flat.

    Everywhere else it is analytic; here v and its first two slopes are continuous, no further one.
    """
    return _unwarped(smile, smile.half - PAD)


def stretch_ends(smile: Smile) -> FloatArray:
    """Log moneyness ``(2,)`` of the two ends of the cosines, where the smile has gone flat."""
    return _unwarped(smile, smile.half)


@cache
def _gauss() -> tuple[FloatArray, FloatArray]:
    """Points and weights of a panel, shared by all calls: read-only."""
    point, weight = np.polynomial.legendre.leggauss(_POINTS)
    point.flags.writeable = weight.flags.writeable = False
    return point, weight


def _unwarped(smile: Smile, reach: float) -> FloatArray:
    u = smile.centre + np.array([-1.0, 1.0]) * reach
    return np.array([smile.reference * unwarped(end) for end in u])


def law_nodes(
    smile: Smile, *, power: float = 0.0, wave: float = 0.0, at: ArrayLike = ()
) -> LawNodes | None:
    """Nodes for functions of y that grow as exp(power y) or turn ``wave`` radians a unit of y.

    Panels end at ``at`` (log moneyness). None where the smile is none or its volatility is not
    positive throughout.
    """
    v0 = smile.reference
    if not (smile.coefficients.size and np.isfinite(smile.coefficients).all()):
        return None
    ends = stretch_ends(smile)
    wings = v0 * 1e3 * np.array([-1.0, 1.0])
    seen = np.concatenate([wings, np.linspace(ends[0], ends[1], 400), [0.0]])
    v = law_at(smile, seen).vol
    if not np.isfinite(v).all():
        return None
    left, right = v[seen <= 0.0].max(), v[seen >= 0.0].max()
    low = -left * (_FURTHEST + 0.5 * left)
    high = right * (_FURTHEST + max(power, 1.0) * right)
    width = _PANEL * min(v0, float(v.min()))
    if wave:
        width = min(width, 4.0 / abs(wave))
    width = max(width, (high - low) / _MOST)
    marks = np.concatenate([quote_edges(smile), np.asarray(at, np.float64).ravel()])
    marks = np.unique(np.concatenate([[low, high], marks[(marks > low) & (marks < high)]]))
    edges = np.concatenate(
        [
            np.linspace(a, b, math.ceil((b - a) / width), endpoint=False)
            for a, b in pairwise(marks.tolist())
        ]
    )
    edges = np.append(edges, high)
    point, weight = _gauss()
    middle, part = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges)
    y = (middle[:, None] + part[:, None] * point).ravel()
    weights = (part[:, None] * weight).ravel()
    law = law_at(smile, y)
    if not np.isfinite(law.density).all():
        return None
    return LawNodes(y, law.density * weights, law.density_slope * weights)
