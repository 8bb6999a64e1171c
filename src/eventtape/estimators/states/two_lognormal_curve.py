r"""What two states are fitted to: a curve of the density with its errors, or its log moments.

A curve is the distribution Q(k), or undiscounted call prices over the forward, at 81 log
moneynesses k between the first and last strike used and within 4 standard deviations of log S.
Errors of the whole curve are kept as independent deviations (columns of ``shifts``), since errors
at neighbouring strikes are almost one error. The weight of a point is 1 / e^2, e its error but
never under a quarter of the largest: far out both curve and error vanish, and a lognormal tail is
not known to so many digits.

The central moments V, c3, c4 of log S have, for normal states of log S, the solutions of a
polynomial (Pearson 1894; here the weight p is given). With d the distance of the states' log means,
q = 1 - p, A = V - p q d^2, v1 - v0 = D and ``D d = (c3 - p q (q - p) d^3) / (3 p q)``::

    c4 d^2 = 3 A^2 d^2 + 3 p q (D d)^2 + 6 p q A d^4 + 6 p q (q - p) d^3 (D d)
             + p q (p^3 + q^3) d^6,        v1 = A + q D,    v0 = A - p D,

so its real roots with v1, v0 > 0 are all the answers there are; there may be several or none.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import ndtr

from eventtape.arrays import FloatArray
from eventtape.estimators.density.density_quantities import density_at
from eventtape.estimators.density.density_quantities_nodes import law_at, law_nodes
from eventtape.estimators.density.fit import Density
from eventtape.estimators.pricing.terminal_law import TerminalLaw

__all__ = [
    "LAW_ERROR",
    "Curve",
    "Match",
    "curve_of",
    "gap_and_widths",
    "moment_slopes",
    "moment_solutions",
]

Match = Literal["moments", "cdf", "prices"]
LAW_ERROR = 1e-4  # how near a law without errors must be met: probability, or price over F sd
_POINTS = 81
_REACH = 4.0
_FLOOR = 0.25
_SYMMETRIC, _REAL = 1e-10, 1e-7
_ROOT_2PI = math.sqrt(2.0 * math.pi)


class Curve(NamedTuple):
    """What is fitted, in units of the forward.

    - ``y`` ``(n,)`` log moneyness; ``target``, ``errors`` ``(n,)``; ``shifts`` ``(n, m)``:
      independent deviations of one standard error each, none for a law.
    - ``moments`` ``(3,)``: V, c3, c4 of log S; ``moment_shifts`` ``(3, m)``; ``width`` is sqrt(V).
    """

    y: FloatArray
    target: FloatArray
    errors: FloatArray
    shifts: FloatArray
    moments: FloatArray
    moment_shifts: FloatArray
    width: float
    prices: bool

    @property
    def fitted(self) -> tuple[bool, FloatArray, FloatArray, FloatArray]:
        """What a search takes first."""
        return self.prices, self.y, self.target, self.errors


def curve_of(density: Density | TerminalLaw, prices: bool) -> Curve | None:
    """The curve and moments of a density; None where it is no law."""
    if isinstance(density, Density):
        return _of_density(density, prices)
    return _of_law(density, prices)


def _of_density(density: Density, prices: bool) -> Curve | None:
    smile = density.smile
    nodes = law_nodes(smile)
    if nodes is None:
        return None
    moments, slopes = _central(nodes.y, nodes.mass, nodes.mass_slope)
    width = math.sqrt(moments[0])
    ends = np.log(np.array([density.tails.low_strike, density.tails.high_strike]) / smile.forward)
    ends = np.clip(ends, -_REACH * width, _REACH * width)
    y = np.linspace(ends[0], ends[1], _POINTS)
    law, at = law_at(smile, y), density_at(smile, smile.forward * np.exp(y))
    d1 = -y / law.vol + 0.5 * law.vol
    phi = np.exp(-0.5 * d1 * d1) / _ROOT_2PI
    if prices:
        target, slope = ndtr(d1) - np.exp(y) * ndtr(d1 - law.vol), phi * law.vol_slope
    else:
        target, slope = at.cdf, law.below_slope
    shifts = slope.T @ smile.factor.T
    e = np.sqrt(np.square(shifts).sum(axis=1))
    e = np.maximum(e, _FLOOR * e.max())
    return Curve(y, target, e, shifts, moments, slopes @ smile.factor.T, width, prices)


def _of_law(law: TerminalLaw, prices: bool) -> Curve | None:
    F = law.forward
    spread = law.raw_moment(2) / F**2
    if not 1.0 < spread < math.inf:
        return None
    guess = math.sqrt(math.log(spread))
    point, weight = np.polynomial.legendre.leggauss(12)
    edges = np.linspace(-12.0 * guess, 12.0 * guess, 97)
    half = 0.5 * (edges[1] - edges[0])
    k = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * point).ravel()
    mass = np.tile(half * weight, 96) * law.pdf(F * np.exp(k)) * F * np.exp(k)
    moments, _ = _central(k, mass / mass.sum(), np.empty((0, k.size)))
    if not moments[0] > 0.0:
        return None
    width = math.sqrt(moments[0])
    y = np.linspace(-_REACH * width, _REACH * width, _POINTS)
    K = F * np.exp(y)
    target = law.call(K) / F if prices else law.cdf(K)
    none = np.empty((_POINTS, 0))
    e = np.full(_POINTS, LAW_ERROR * (width if prices else 1.0))
    return Curve(y, target, e, none, moments, none[:3], width, prices)


def _central(y: FloatArray, mass: FloatArray, slope: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Central moments 2 to 4 of y, and their slopes ``(3, p)`` given those of the masses."""
    mean = float(y @ mass)
    powers = (y - mean) ** np.arange(1, 5)[:, None]
    of = powers @ mass
    by_mean = np.array([2.0 * of[0], 3.0 * of[1], 4.0 * of[2]])
    return of[1:], powers[1:] @ slope.T - by_mean[:, None] * (slope @ y)


def moment_solutions(p: float, moments: FloatArray) -> FloatArray:
    """All (d, v1, v0), ``(k, 3)``, of states that have these log moments."""
    V, c3, c4 = moments.tolist()
    q, root = 1.0 - p, math.sqrt(V)
    c3, c4, pq = c3 / root**3, c4 / V**2, p * q
    A2 = np.array([1.0, 0.0, -2.0 * pq, 0.0, pq * pq])
    tilt = (q - p) / 3.0
    equation = np.zeros(7)  # of d in units of the root of V, lowest power first
    equation[2:] += 3.0 * A2
    equation[[0, 3, 6]] += pq / 3.0 * np.array([c3 * c3, -2.0 * c3 * pq * (q - p), 0.0]) / pq**2
    equation[6] += pq * 3.0 * tilt**2
    equation[[4, 6]] += 6.0 * pq * np.array([1.0, -pq])
    equation[[3, 6]] += 6.0 * pq * (q - p) * np.array([c3 / (3.0 * pq), -tilt])
    equation[6] += pq * (p**3 + q**3)
    equation[2] -= c4
    symmetric = abs(c3) < _SYMMETRIC
    at = np.roots(equation[2:][::-1] if symmetric else equation[::-1])
    at = at[np.abs(at.imag) < _REAL].real
    at = at[at != 0.0]
    D = c3 / (3.0 * pq * at) - tilt * at**2
    if symmetric and c4 > 3.0:  # one mean, two widths
        wide = math.sqrt((c4 / 3.0 - 1.0) / pq)
        at, D = np.append(at, [0.0, 0.0]), np.append(D, [wide, -wide])
    A = 1.0 - pq * at**2
    found = np.column_stack([at * root, (A + q * D) * V, (A - p * D) * V])
    return np.asarray(found[(found[:, 1:] > 0.0).all(axis=1)])


def moment_slopes(p: float, state: FloatArray) -> FloatArray:
    """Slopes ``(3, 4)`` of V, c3, c4 of log S in (d, v1, v0) and in p."""
    q, (d, v1, v0) = 1.0 - p, state.tolist()
    pq, D = p * q, v1 - v0
    cross, quart = q * v1 + p * v0, p**3 + q**3
    return np.array([
        [2.0 * pq * d, p, q, D + (q - p) * d**2],
        [
            3.0 * pq * (D + (q - p) * d**2),
            3.0 * pq * d,
            -3.0 * pq * d,
            3.0 * (q - p) * d * D + (1.0 - 6.0 * pq) * d**3,
        ],
        [
            12.0 * pq * d * cross + 4.0 * pq * quart * d**3,
            6.0 * p * v1 + 6.0 * pq * q * d**2,
            6.0 * q * v0 + 6.0 * pq * p * d**2,
            3.0 * (v1**2 - v0**2)
            + 6.0 * d**2 * ((q - p) * cross - pq * D)
            + (q - p) * (1.0 - 6.0 * pq) * d**4,
        ],
    ])  # fmt: skip


def gap_and_widths(state: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(delta, log w1, log w0) of (d, v1, v0), and its slopes ``(3, 3)``; delta = log(m1 / m0)."""
    d, v1, v0 = state.tolist()
    slopes = np.array([[1.0, 0.5, -0.5], [0.0, 0.5 / v1, 0.0], [0.0, 0.0, 0.5 / v0]])
    return np.array([d + 0.5 * (v1 - v0), 0.5 * math.log(v1), 0.5 * math.log(v0)]), slopes
