r"""How alike two points of a smile are, before any quote is seen: the dense process's covariance.

A smile in units of its chain (:mod:`.smile_columns`) is s(x) = v / v_0 at x = log(K / F) / v_0.
Two priors, both of the form

    s = base + Phi' c + f(u),    c ~ N(0, variance),    cov f = sf^2 ((1 - a) e(ell) + a e(ell / 2))

with e(ell) = exp(-(u - u')^2 / (2 ell^2)):

- the *house's*: base 1, the three mean columns with variance 1, u = 6 asinh(x / 6), a = 1/10. The
  reduced-rank smile (:mod:`.smile_evidence`) is this process cut off at finitely many cosines.
- the *plain* one: base 0, no columns, u = x, a = 0. It depends on differences of log-strikes only,
  so it does not see the forward move.

A value and two slopes in x are one linear map T of (s, s_u, s_uu), so their covariances follow from
four derivatives of e; nothing is differenced.

Shapes: n quotes, m points. Reference: Rasmussen and Williams (2006), Gaussian Processes for
Machine Learning, 2.7 and 9.4.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventtape.arrays import FloatArray
from eventtape.estimators.density.smile_columns import (
    MEAN_COLUMNS,
    PLACES,
    smile_columns,
    smile_places,
)

__all__ = [
    "GPHyper",
    "kernel_slope",
    "prior_among",
    "prior_at",
    "prior_between",
    "rough_part",
    "scaled_columns",
]


class GPHyper(NamedTuple):
    """What a dense smile holds fixed while quotes change.

    - ``house``: whether the prior is the house's; else the plain one.
    - ``reference``: v_0, the total volatility that is 1 in the chain's units.
    - ``theta`` ``(3,)``: log ell (in u), log sf (of v / v_0), log kappa, the noise's factor.
    - ``lean``, ``lean_variance``: prior mean and variance of lambda, the weight of the sizes.
    - ``centre``, ``half``: of the house's stretch in u, beyond whose quotes the smile is flat; with
      an infinite half-width it is nowhere.
    """

    house: bool
    reference: float
    theta: FloatArray
    lean: float
    lean_variance: float
    centre: float = 0.0
    half: float = math.inf

    @property
    def base(self) -> float:
        """The prior's level, in v_0."""
        return 1.0 if self.house else 0.0

    @property
    def short_share(self) -> float:
        """Share of the variance that has half the length."""
        return 0.1 if self.house else 0.0


class Columns(NamedTuple):
    """Points ``(m,)`` in the prior's own coordinate: u, du/dx, d2u/dx2, and ``(3, 3, m)`` Phi."""

    u: FloatArray
    first: FloatArray
    second: FloatArray
    mean: FloatArray


def scaled_columns(hyper: GPHyper, log_moneyness: FloatArray) -> Columns:
    """Where points lie in u and what the mean's columns (and their x-slopes) are there."""
    x = log_moneyness / hyper.reference
    if not hyper.house:
        return Columns(x, np.ones(x.size), np.zeros(x.size), np.zeros((3, MEAN_COLUMNS, x.size)))
    place, mean = np.empty((PLACES, x.size)), np.empty((3, MEAN_COLUMNS, x.size))
    smile_places(x, hyper.centre, hyper.half, place)
    smile_columns(place, 1.0, 2, mean)
    return Columns(place[2], place[3], place[4], mean)


def rough_part(hyper: GPHyper, one: FloatArray, other: FloatArray, *, order: int = 0) -> FloatArray:
    """Covariance of f at ``one`` and ``other`` (u, broadcast) and its slopes in ``one``.

    Shape ``(order + 1, ...)``, order 0 or 2.
    """
    ell, variance = math.exp(hyper.theta[0]), math.exp(2.0 * hyper.theta[1])
    gap = one - other
    near = np.exp(gap * gap * (-0.5 / (ell * ell)))
    out = np.zeros((order + 1, *near.shape))
    for share, length, e in _parts(hyper, ell, near):
        part = variance * share * e
        out[0] += part
        if order:
            pull = gap / (length * length)
            out[1] -= part * pull
            out[2] += part * (pull * pull - 1.0 / (length * length))
    return out


def kernel_slope(hyper: GPHyper, u: FloatArray) -> FloatArray:
    """Derivative of f's covariance by log ell, ``(n, n)``."""
    ell, variance = math.exp(hyper.theta[0]), math.exp(2.0 * hyper.theta[1])
    square = (u[:, None] - u) ** 2
    near = np.exp(square * (-0.5 / (ell * ell)))
    out = np.zeros_like(near)
    for share, length, e in _parts(hyper, ell, near):
        out += variance * share * e * square / (length * length)
    return out


def _parts(
    hyper: GPHyper, ell: float, near: NDArray[np.float64]
) -> list[tuple[float, float, FloatArray]]:
    """Share, length and e of each squared exponential: half the length is the fourth power."""
    short = hyper.short_share
    if short == 0.0:
        return [(1.0, ell, near)]
    square = near * near
    return [(1.0 - short, ell, near), (short, 0.5 * ell, square * square)]


def prior_among(hyper: GPHyper, one: Columns, other: Columns) -> FloatArray:
    """Covariance of s at the points of ``one`` and of ``other``, ``(m, n)``.

    Sums run elementwise, so that one row is to the bit the row of the whole.
    """
    out: FloatArray = rough_part(hyper, one.u[:, None], other.u)[0]
    if hyper.house:
        for a, b in zip(one.mean[0], other.mean[0], strict=True):
            out += a[:, None] * b
    return out


def prior_between(hyper: GPHyper, points: Columns, quotes: Columns) -> FloatArray:
    """Covariance of (s, s_x, s_xx) at the points with s at the quotes, ``(3, m, n)``."""
    c = rough_part(hyper, points.u[:, None], quotes.u, order=2)
    first, second = points.first[:, None], points.second[:, None]
    c[2] = c[2] * first * first + c[1] * second
    c[1] *= first
    if hyper.house:
        c += np.einsum("ojm,jn->omn", points.mean, quotes.mean[0])
    return c


def prior_at(hyper: GPHyper, points: Columns) -> FloatArray:
    """Covariance of (s, s_x, s_xx) at each point, ``(m, 3, 3)``."""
    variance = math.exp(2.0 * hyper.theta[1])
    ell = math.exp(hyper.theta[0])
    own = np.zeros((3, 3))
    for share, length, _ in _parts(hyper, ell, np.ones(1)):
        q = 1.0 / (length * length)
        own += variance * share * np.array([[1.0, 0.0, -q], [0.0, q, 0.0], [-q, 0.0, 3.0 * q * q]])
    T = np.zeros((points.u.size, 3, 3))
    T[:, 0, 0] = 1.0
    T[:, 1, 1] = points.first
    T[:, 2, 1] = points.second
    T[:, 2, 2] = points.first * points.first
    out = T @ own @ T.transpose(0, 2, 1)
    if hyper.house:
        out += np.einsum("ajm,bjm->mab", points.mean, points.mean)
    return np.asarray(out)
