"""The fixed points and angles of the exercise boundary, and the small algebra over them.

:mod:`~eventtape.estimators.pricing.exercise_boundary` says what they are for. They are the same for
all options, so each interpolation is a product with a matrix made once.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

import eventtape.arrays  # noqa: F401 - before any kernel: registers the wide division
from eventtape.arrays import FloatArray

__all__ = [
    "Nodes",
    "Work",
    "cdf",
    "dot",
    "factor",
    "interpolate",
    "nodes_of",
    "substitute",
    "workspace",
]


class Nodes(NamedTuple):
    """Points and interpolation shared by all options; theta is the angle of the file's head.

    - ``root``: ``(n,)`` sqrt(u / tau) at the points that hold the boundary, the last 1.
    - ``sine``, ``weight``: ``(l,)`` sin(theta) and 2 sin cos dtheta of the boundary's integrals.
    - ``at``: ``(n, n, l)`` boundary points to integration points: [equation, point, angle].
    - ``price_sine``, ``price_weight``, ``price_at``: the same for one integral, ``(p,)``, ``(n,
      p)``.
    """

    root: FloatArray
    sine: FloatArray
    weight: FloatArray
    at: FloatArray
    price_sine: FloatArray
    price_weight: FloatArray
    price_at: FloatArray


class Work(NamedTuple):
    """Room for one option at a time: ``b`` holds the last boundary found, log(B / X)."""

    b: FloatArray
    angles: FloatArray
    jacobian: FloatArray
    changes: FloatArray
    b_at: FloatArray
    g_over_b: FloatArray


@cache
def nodes_of(n: int, l: int, p: int) -> Nodes:
    """Tables of n points of the boundary, l angles for each of its equations, p for the price."""
    root = 0.5 - 0.5 * np.cos(np.pi * np.arange(n + 1) / n)
    inverse = np.linalg.inv(np.polynomial.chebyshev.chebvander(2.0 * root - 1.0, n))

    def interpolation(x: FloatArray) -> FloatArray:
        # b = 0 at u = 0: the first point carries nothing
        return (np.polynomial.chebyshev.chebvander(2.0 * x - 1.0, n) @ inverse)[:, 1:].T

    sine, weight, cosine = _angles(l)
    at = np.stack([interpolation(share * cosine) for share in root[1:]])
    price_sine, price_weight, cosine = _angles(p)
    return Nodes(
        root[1:].copy(),
        sine,
        weight,
        np.ascontiguousarray(at),
        price_sine,
        price_weight,
        np.ascontiguousarray(interpolation(cosine)),
    )


def _angles(count: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    y, w = np.polynomial.legendre.leggauss(count)
    theta = 0.25 * np.pi * (y + 1.0)
    sine, cosine = np.sin(theta), np.cos(theta)
    return sine, 0.5 * np.pi * sine * cosine * w, cosine


@njit(cache=True)
def workspace(nodes: Nodes) -> Work:
    """Empty room of the size that these nodes need."""
    n, l, p = nodes.root.size, nodes.sine.size, nodes.price_sine.size
    return Work(
        np.empty(n),
        np.empty((4, n, l)),
        np.empty((n, n)),
        np.empty((3, n)),
        np.empty(p),
        np.empty(p),
    )


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def interpolate(at: FloatArray, b: FloatArray, out: FloatArray) -> None:
    """Write b at the angles ``(l,)``, by b^2 at the points ``(n,)``; ``at`` is ``(n, l)``."""
    for j in range(out.size):
        out[j] = 0.0
    for k in range(b.size):
        square = b[k] * b[k]
        for j in range(out.size):
            out[j] += at[k, j] * square
    for j in range(out.size):
        square = out[j]
        # It can dip below 0 next to expiry, where B is X
        out[j] = -math.sqrt(square if square > 0.0 else 0.0)  # noqa: FURB136 - vectorises


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def dot(x: FloatArray, y: FloatArray) -> float:
    """The sum of products; in any order, so that it vectorises."""
    total = 0.0
    for j in range(x.size):
        total += x[j] * y[j]
    return total


@njit(cache=True, error_model="numpy")
def factor(m: FloatArray) -> None:
    """LU in place without exchanges: the diagonal is near -1 and leads its row."""
    n = m.shape[0]
    for k in range(n):
        inverse = 1.0 / m[k, k]
        for i in range(k + 1, n):
            share = m[i, k] * inverse
            m[i, k] = share
            for j in range(k + 1, n):
                m[i, j] -= share * m[k, j]


@njit(cache=True, error_model="numpy")
def substitute(m: FloatArray, x: FloatArray) -> None:
    """Solve in place with the factors of :func:`factor`."""
    n = x.size
    for i in range(n):
        for k in range(i):
            x[i] -= m[i, k] * x[k]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            x[i] -= m[i, k] * x[k]
        x[i] /= m[i, i]


@njit(cache=True, error_model="numpy")
def cdf(x: float) -> float:
    """The normal distribution at one point: faster than the vector form."""
    return 0.5 * math.erfc(-x * 0.7071067811865476)
