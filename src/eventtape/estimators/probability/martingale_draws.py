r"""Paths that a martingale could have made of the same news: the null law of martingale tests.

A bounded martingale moves less the nearer it is to 0 or 1, so the sizes of its moves depend on its
path, and signs drawn for moves of given size do not give its law. Here sizes are kept in probits:
from U the next is U + s or U - s, s the size met in that place, up with probability

    (Phi(U) - Phi(U - s)) / (Phi(U + s) - Phi(U - s)),

which makes Phi(U) a martingale exactly. Where quotes carry noise of sd w, sizes are first scaled by
sqrt(f), f the share of the squared moves of the 21 rows around that is not the noise's 2 w^2 each
(near certainty a little noise is a large move in probits), and fresh noise is laid on the path.

Paths of several lengths stand one behind another: path i is ``first[i]`` to ``first[i + 1]``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike
from scipy.special import ndtri

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError

__all__ = ["Panel", "increments", "movement_sums", "news_sizes", "panel", "redraw"]

_ROOT_HALF = math.sqrt(0.5)


class Panel(NamedTuple):
    """Quotes seen, one path behind another, their times in [0, 1], and where paths begin."""

    quotes: FloatArray  # (n,)
    times: FloatArray  # (n,) 0 at the first column, 1 at the last
    first: IntArray  # (n_paths + 1,)


def panel(probability: ArrayLike) -> Panel:
    """The quotes seen of paths ``(n_times,)`` or ``(n_paths, n_times)``; NaN is a time not seen."""
    p = np.atleast_2d(np.asarray(probability, np.float64))
    if p.ndim != 2:
        raise InputError("paths of shape (n_times,) or (n_paths, n_times)", met=p.shape)
    seen = ~np.isnan(p)
    wrong = np.argwhere(seen & ~((p >= 0.0) & (p <= 1.0)))
    if wrong.size:
        row, column = wrong[0]
        raise InputError(
            "a probability in [0, 1], or NaN",
            met=float(p[row, column]),
            row=int(row) + 1,
            column=str(column),
        )
    times = np.broadcast_to(np.linspace(0.0, 1.0, p.shape[1]), p.shape)
    return Panel(p[seen], times[seen], np.r_[0, np.cumsum(seen.sum(axis=1))].astype(np.int64))


def news_sizes(data: Panel, tick: float, noise_sd: float) -> tuple[FloatArray, FloatArray]:
    """Probits ``(n,)`` held half a tick inside (0, 1), and the news's sizes ``(n,)``.

    The size of a path's first row is 0; that of the others leads to them.
    """
    u = ndtri(np.clip(data.quotes, 0.5 * tick, 1.0 - 0.5 * tick))
    size = np.abs(np.diff(u, prepend=u[:1]))
    for start, stop in zip(data.first[:-1], data.first[1:], strict=True):
        size[start : min(start + 1, stop)] = 0.0
        if noise_sd > 0.0 and stop - start > 1:
            squares = np.r_[0.0, np.diff(data.quotes[start:stop]) ** 2]
            moved, rows = (_around(x) for x in (squares, np.r_[0.0, np.ones(squares.size - 1)]))
            share = 1.0 - 2.0 * noise_sd**2 * rows / np.where(moved > 0.0, moved, math.inf)
            size[start:stop] *= np.sqrt(np.clip(share, 0.0, None))
    return u, size


def _around(x: FloatArray) -> FloatArray:
    """Sums over 10 rows on both sides, fewer at the ends."""
    total = np.r_[0.0, np.cumsum(x)]
    at = np.arange(x.size)
    return np.asarray(total[np.minimum(at + 11, x.size)] - total[np.maximum(at - 10, 0)])


@njit(cache=True)
def redraw(
    rng: np.random.Generator,
    u: FloatArray,
    size: FloatArray,
    first: IntArray,
    noise_sd: float,
    out: FloatArray,
) -> None:
    """Fill ``out`` with quotes of one more panel of the same news."""
    for i in range(first.shape[0] - 1):
        at = 0.0
        for t in range(first[i], first[i + 1]):
            if t == first[i]:
                at = u[t]
            p = 0.5 * math.erfc(-at * _ROOT_HALF)
            if size[t] > 0.0:
                up = 0.5 * math.erfc(-(at + size[t]) * _ROOT_HALF)
                down = 0.5 * math.erfc(-(at - size[t]) * _ROOT_HALF)
                if rng.random() * (up - down) < p - down:
                    at, p = at + size[t], up
                else:
                    at, p = at - size[t], down
            if noise_sd > 0.0:
                p = min(max(p + noise_sd * rng.standard_normal(), 0.0), 1.0)
            out[t] = p


@njit(cache=True)
def movement_sums(
    y: FloatArray, first: IntArray, k: int, noise: float, excess: FloatArray
) -> tuple[float, float, float]:
    """Movement, reduction and the variance of their difference, which ``excess`` has by path.

    ``noise`` is taken off the movement for each move (its 2 w^2); moves beyond the first ``k``.
    """
    movement, reduction, variance = 0.0, 0.0, 0.0
    q = 2 * k
    for i in range(first.shape[0] - 1):
        start, stop = first[i], first[i + 1]
        moved = 0.0
        for t in range(start + k + 1, stop):
            d = y[t] - y[t - 1]
            moved += d * d + 2.0 * d * (y[t - 1] - y[t - 1 - k]) - noise
            score = (1.0 - 2.0 * y[t - 1 - k]) * d - noise
            variance += score * score
            for j in range(1, min(q, t - start - k - 1) + 1):
                s = t - j
                other = (1.0 - 2.0 * y[s - 1 - k]) * (y[s] - y[s - 1]) - noise
                variance += 2.0 * (1.0 - j / (q + 1.0)) * score * other
        gone = 0.0
        if stop - start > k + 1:
            a, b = y[start + k], y[stop - 1]
            gone = a * (1.0 - a) - b * (1.0 - b)
        excess[i] = moved - gone
        movement += moved
        reduction += gone
    return movement, reduction, variance


@njit(cache=True)
def _inverse(A: FloatArray) -> tuple[bool, FloatArray]:  # noqa: C901 - Cholesky's loops in one place
    """Whether ``A`` is positive definite beyond rounding, and its inverse if so.

    Written out: numba's linear algebra takes ten seconds to compile, for four rows.
    """
    m = A.shape[0]
    root, out = np.zeros((m, m)), np.zeros((m, m))
    for i in range(m):
        for j in range(i + 1):
            x = A[i, j]
            for c in range(j):
                x -= root[i, c] * root[j, c]
            if i > j:
                root[i, j] = x / root[j, j]
            elif x > 1e-11 * A[i, i]:
                root[i, i] = math.sqrt(x)
            else:
                return False, out
    for b in range(m):  # column b: forward with e_b, then back
        for i in range(m):
            x = 1.0 if i == b else 0.0
            for c in range(i):
                x -= root[i, c] * out[c, b]
            out[i, b] = x / root[i, i]
        for i in range(m - 1, -1, -1):
            x = out[i, b]
            for c in range(i + 1, m):
                x -= root[c, i] * out[c, b]
            out[i, b] = x / root[i, i]
    return True, out


@njit(cache=True)
def _rows(
    y: FloatArray, times: FloatArray, first: IntArray, k: int, z: FloatArray, d: FloatArray
) -> None:
    """Fill ``z (n, 4)`` with what foretells the moves that lead to each row, ``d (n,)``."""
    for i in range(first.shape[0] - 1):
        for t in range(first[i] + k + 2, first[i + 1]):
            z[t, 0], z[t, 1] = 1.0, y[t - 1 - k] - 0.5
            z[t, 2], z[t, 3] = y[t - 1 - k] - y[t - 2 - k], times[t] - 0.5
            d[t] = y[t] - y[t - 1]


@njit(cache=True)
def _form(x: FloatArray, A: FloatArray, y: FloatArray) -> float:
    """The form x'A y."""
    total = 0.0
    for a in range(x.shape[0]):
        for c in range(y.shape[0]):
            total += x[a] * A[a, c] * y[c]
    return total


@njit(cache=True)
def _long_run(score: FloatArray, first: IntArray, k: int, serial: int) -> FloatArray:
    """Bartlett's sum of products of ``score (n, m)`` within paths."""
    m = score.shape[1]
    out = np.zeros((m, m))
    for i in range(first.shape[0] - 1):
        start = first[i] + k + 2
        for t in range(start, first[i + 1]):
            for j in range(min(serial, t - start) + 1):
                weight = (1.0 if j > 0 else 0.5) * (1.0 - j / (serial + 1.0))
                for a in range(m):
                    for c in range(m):
                        out[a, c] += weight * (
                            score[t, a] * score[t - j, c] + score[t - j, a] * score[t, c]
                        )
    return out


@njit(cache=True)
def increments(
    y: FloatArray, times: FloatArray, first: IntArray, k: int, serial: int, out: FloatArray
) -> bool:
    """Fill ``out (9,)``: coefficients of d on 1, level, past move, time; their errors; Wald.

    False where they cannot be had.
    """
    z, d, b = np.zeros((y.shape[0], 4)), np.zeros(y.shape[0]), np.zeros(4)
    _rows(y, times, first, k, z, d)
    known, bread = _inverse(_long_run(z, first, k, 0))
    if not known:
        return False
    for t in range(y.shape[0]):
        for a in range(4):
            b[a] += z[t, a] * d[t]
    unit = np.eye(4)
    for a in range(4):
        out[a] = _form(unit[a], bread, b)
    for t in range(y.shape[0]):  # rows become scores
        e = d[t] - (out[0] * z[t, 0] + out[1] * z[t, 1] + out[2] * z[t, 2] + out[3] * z[t, 3])
        for a in range(4):
            z[t, a] *= e
    meat = _long_run(z, first, k, serial)
    known, precision = _inverse(meat)
    if not known:
        return False
    for a in range(4):
        out[4 + a] = math.sqrt(_form(bread[a], meat, bread[a]))
    out[8] = _form(b, precision, b)
    return True
