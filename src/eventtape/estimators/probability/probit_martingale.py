r"""What can a probability still do, if so much information is to come? The probit martingale.

B_t is the probability of the outcome at t, U = Phi^-1(B) its gauge, L the information to come
(:mod:`~eventtape.estimators.probability.clocks`). Without jumps

    dU = 1/2 nu^2 U dt + nu dW    so that    U_T | U_0 ~ N(e^{L/2} U_0, e^L - 1),

a pure function of L and U_0 = Phi^-1(B_0). In closed form or one smooth integral:

    E B_T   = B_0                                                           (a martingale)
    E B_T^2 = Phi2(U_0, U_0; rho),  rho = 1 - e^-L                          (bivariate normal)
    var B_T = 1/(2 pi) int_0^{asin rho} exp(-U_0^2 / (1 + sin a)) da        (Plackett 1954)
    P(B_T <= b) = Phi(z),  z = (Phi^-1(b) - e^{L/2} U_0) / sqrt(e^L - 1)
    density of B_T at b = phi(z) / (sqrt(e^L - 1) phi(Phi^-1(b))).

The variance is computed as the integral: the difference of Phi2 and B_0^2 would lose all digits for
small L or B_0 near 0 and 1. As L grows B_T goes to 0 or 1 and the variance to B_0 (1 - B_0).

Passing a level a = Phi^-1(b) on the way: from the level itself, U is above it after l more with
probability Phi(a sqrt(tanh(l/4))), so the law G of the information used at first passage solves

    P(U_l >= a) = int_0^l Phi(a sqrt(tanh((l - r)/4))) dG(r)        (Fortet 1943; U_0 < a),

here by steps in which G rises evenly. With no end to L the answer is B_0 / b, by optional stopping.

References: Plackett (1954), Biometrika 41; Fortet (1943), J. Math. Pures Appl. 22; Taleb (2018),
Quantitative Finance 18(1).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from eventtape.arrays import FloatArray
from eventtape.errors import InputError

__all__ = [
    "ProbitLaw",
    "hit_probability",
    "information_to_certainty",
    "probability_cdf",
    "probability_density",
    "probability_quantile",
    "probability_variance",
    "probit_law",
]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_STEPS = 400
_MOST = 700.0  # information beyond which e^L leaves the doubles; B is 0 or 1 long before


class ProbitLaw(NamedTuple):
    """Mean and variance of the normal law of U_T, arrays ``(...)``."""

    mean: FloatArray
    variance: FloatArray


def probit_law(probability: ArrayLike, information: ArrayLike) -> ProbitLaw:
    """Mean e^{L/2} U_0 and variance e^L - 1 of U_T, from B_0 in (0, 1) and a finite L >= 0.

    >>> [round(float(x), 10) for x in probit_law(0.58, 0.25)]
    [0.2287752836, 0.2840254167]
    """
    p, L = _check(probability, information)
    if np.any(L > _MOST):
        raise InputError(f"information of at most {_MOST:g}", met=float(L.max()))
    return ProbitLaw(np.asarray(np.exp(0.5 * L) * ndtri(p)), np.asarray(np.expm1(L)))


def probability_variance(probability: ArrayLike, information: ArrayLike) -> FloatArray:
    """Variance of B_T given B_0, from 0 at L = 0 to B_0 (1 - B_0) at L infinite.

    E B_T^2 is this plus B_0^2. Relative error below 1e-12 for B_0 in (1e-12, 1 - 1e-12).

    >>> float(probability_variance(0.58, 0.25).round(8))
    0.03421573
    """
    p, L = _check(probability, information)
    u = ndtri(p)
    # asin(1 - e^-L), whose two forms lose nothing at either end
    small = L < 0.5
    top = np.where(
        small,
        np.arcsin(-np.expm1(-np.where(small, L, 0.0))),
        0.5 * math.pi - 2.0 * np.arcsin(np.sqrt(0.5 * np.exp(-L))),
    )
    angle = 0.5 * top[..., None] * (1.0 + _NODES)
    area = np.exp(-(u[..., None] ** 2) / (1.0 + np.sin(angle))) @ _WEIGHTS
    return np.asarray(0.5 * top * area / (2.0 * math.pi))


def probability_cdf(level: ArrayLike, probability: ArrayLike, information: ArrayLike) -> FloatArray:
    """P(B_T <= level), elementwise; at L = 0 a step at B_0, at L infinite 1 - B_0 inside (0, 1)."""
    b = _level(level)
    p, L = _check(probability, information)
    u, a = ndtri(p), ndtri(b)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (a * np.exp(-0.5 * L) - u) / np.sqrt(-np.expm1(-L))
    z = np.where(L == 0.0, np.where(b >= p, math.inf, -math.inf), z)
    z = np.where(np.isinf(a), a, z)
    at_zero = np.where(np.isinf(L), 1.0 - p, 0.0)
    return np.asarray(np.where(b == 0.0, at_zero, ndtr(z)))


def probability_density(
    level: ArrayLike, probability: ArrayLike, information: ArrayLike
) -> FloatArray:
    """Density of B_T at a ``level`` inside (0, 1), elementwise, for 0 < L < infinity.

    A hill while L is below log 2, a bowl from there on.

    >>> float(probability_density(0.3, 0.5, np.log(2.0)).round(12))  # then B_T is uniform
    1.0
    """
    b = _level(level)
    p, L = _check(probability, information)
    if not np.all((b > 0.0) & (b < 1.0)):
        raise InputError("a level inside (0, 1)", met=level)
    if not np.all((L > 0.0) & (L <= _MOST)):
        raise InputError(f"information above 0, up to {_MOST:g}", met=information)
    a, s2 = ndtri(b), np.expm1(L)
    z = (a - np.exp(0.5 * L) * ndtri(p)) / np.sqrt(s2)
    return np.asarray(np.exp(0.5 * (a * a - z * z)) / np.sqrt(s2))


def probability_quantile(
    share: ArrayLike, probability: ArrayLike, information: ArrayLike
) -> FloatArray:
    """The level below which B_T ends with probability ``share`` in (0, 1), elementwise.

    >>> probability_quantile([0.05, 0.95], 0.58, 0.25).round(4)
    array([0.2585, 0.8655])
    """
    q = np.asarray(share, np.float64)
    if not np.all((q > 0.0) & (q < 1.0)):
        raise InputError("a share between 0 and 1", met=share)
    p, L = _check(probability, information)
    end = np.where(q > 1.0 - p, 1.0, 0.0)
    L = np.minimum(L, _MOST)
    inside = ndtr(np.exp(0.5 * L) * ndtri(p) + np.sqrt(np.expm1(L)) * ndtri(q))
    return np.asarray(np.where(L == _MOST, end, inside))


def hit_probability(probability: float, level: float, information: float) -> float:
    """P(B reaches ``level`` before ``information`` is used up), from either side of it.

    Absolute error below 1e-5 where L <= 10; at L infinite exactly B_0 / level (from below).

    >>> round(hit_probability(0.4, 0.8, math.inf), 12)
    0.5
    """
    p, L = (float(x) for x in _check(probability, information))
    b = float(_level(level))
    if not 0.0 < b < 1.0:
        raise InputError("a level inside (0, 1)", met=level)
    if b == p:
        return 1.0
    if b < p:
        p, b = 1.0 - p, 1.0 - b
    if L == 0.0:
        return 0.0
    if L > 60.0:
        return p / b
    u, a = float(ndtri(p)), float(ndtri(b))
    h = L / _STEPS
    # After i steps, and from passages spread evenly over step j: mean of the kernel over a step,
    # smooth in the root of the time since.
    edges = np.sqrt(h * np.arange(_STEPS + 1))
    x, w = np.polynomial.legendre.leggauss(8)
    half = 0.5 * np.diff(edges)[:, None]
    root = edges[:-1, None] + half * (1.0 + x)
    kernel = (ndtr(a * np.sqrt(np.tanh(0.25 * root**2))) * 2.0 * root * half) @ w / h
    l = h * np.arange(1, _STEPS + 1)
    above = ndtr((u - a * np.exp(-0.5 * l)) / np.sqrt(-np.expm1(-l)))
    rises = np.zeros(_STEPS)
    for i in range(_STEPS):
        rises[i] = (above[i] - rises[:i] @ kernel[i:0:-1]) / kernel[0]
    return float(min(max(rises.sum(), 0.0), 1.0))


def information_to_certainty(probability: float, certainty: float, *, share: float = 0.5) -> float:
    """The least L after which max(B_T, 1 - B_T) >= ``certainty`` with probability ``share``.

    0 where B_0 is that certain already. ``clock.when(now, L)`` makes it a time.

    >>> round(information_to_certainty(0.5, 0.95), 4)
    1.9383
    """
    p = float(_check(probability, 0.0)[0])
    if not (0.5 < certainty < 1.0 and 0.0 < share < 1.0):
        raise InputError(
            "a certainty inside (0.5, 1) and a share inside (0, 1)", met=(certainty, share)
        )
    if max(p, 1.0 - p) >= certainty:
        return 0.0

    def short(L: float) -> float:
        unsure = probability_cdf(certainty, p, L) - probability_cdf(1.0 - certainty, p, L)
        return float(1.0 - unsure - share)

    return float(brentq(short, 1e-12, _MOST, xtol=1e-13))


def _check(probability: ArrayLike, information: ArrayLike) -> tuple[FloatArray, FloatArray]:
    p, L = np.broadcast_arrays(
        np.asarray(probability, np.float64), np.asarray(information, np.float64)
    )
    bad = ~((p > 0.0) & (p < 1.0))
    if np.any(bad):
        raise InputError("a probability inside (0, 1)", met=float(p[bad].flat[0]))
    bad = ~(L >= 0.0)
    if np.any(bad):
        raise InputError("information of 0 or more", met=float(L[bad].flat[0]))
    return p, L


def _level(level: ArrayLike) -> FloatArray:
    b = np.asarray(level, np.float64)
    bad = ~((b >= 0.0) & (b <= 1.0))
    if np.any(bad):
        raise InputError("a level in [0, 1]", met=float(b[bad].flat[0]))
    return b
