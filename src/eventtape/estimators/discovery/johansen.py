r"""Johansen's reduced rank regression: how levels are correlated with what prices do next.

Moments of dX and of the lagged levels L, with lags, constant and seasons partialled out, give
S00, S01, S11. The eigenvalues 1 > lam_1 >= ... >= lam_n of S11^-1 S10 S00^-1 S01 are squared
canonical correlations, their vectors V with V' S11 V = I the relations (Johansen 1995, theorem
6.1). L is X ("co"), X and 1 ("ci"), or X ("n").

Levels enter about the origin of the moments; without a constant they enter in axes of which one
points at the origin. Prices that move by 1e-5 of their level so keep their digits in each case.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from scipy.linalg import solve_triangular

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.estimators.discovery.vecm_moments import Moments, full

__all__ = ["Deterministic", "Partialled", "Relations", "partialled", "relations"]

Deterministic = Literal["n", "co", "ci"]

_LEAST = 1e-10  # part of a variance that must be left: sums of products then keep five digits


class Partialled(NamedTuple):
    """Moments a row after partialling, in the basis L = A (X - o, 1) of the levels."""

    s00: FloatArray  # (n, n)
    s01: FloatArray  # (n, q)
    s11: FloatArray  # (q, q)
    size0: FloatArray  # (n,) mean squares of dX before partialling
    size1: FloatArray  # (q,) and of L
    w: FloatArray  # (d, n + q): C^-1 (moments of the rest with dX and L)
    C: FloatArray  # (d, d) Cholesky factor of the moments of the rest
    A: FloatArray  # (q, n + 1)


class Relations(NamedTuple):
    """Eigenvalues in falling order and the relations they belong to, ``(q, n)``."""

    eigenvalues: FloatArray
    V: FloatArray


def partialled(state: Moments, deterministic: Deterministic) -> Partialled | None:
    """What is left of dX and the levels beside the rest; None where the rest is collinear."""
    n, one = state.origin.size, state.origin.size * (state.lags + 2)
    M = full(state.cross) / state.n_rows
    A = _basis(state.origin, deterministic)
    levels = np.append(np.arange(n, 2 * n), one)
    rest = np.arange(2 * n, M.shape[0])
    if deterministic != "co":
        rest = rest[rest != one]
    outer = np.empty((n + A.shape[0], n + A.shape[0]))
    outer[:n, :n] = M[:n, :n]
    outer[:n, n:] = M[:n, levels] @ A.T
    outer[n:, :n] = outer[:n, n:].T
    outer[n:, n:] = A @ M[np.ix_(levels, levels)] @ A.T
    size = outer.diagonal().copy()
    C = factor(M[np.ix_(rest, rest)], M.diagonal()[rest])
    if C is None:
        return None
    w = np.empty((rest.size, outer.shape[0]))
    if rest.size:
        cross = np.concatenate([M[:n, rest].T, M[np.ix_(rest, levels)] @ A.T], axis=1)
        w = solve_triangular(C, cross, lower=True, check_finite=False)
        outer -= w.T @ w
    return Partialled(outer[:n, :n], outer[:n, n:], outer[n:, n:], size[:n], size[n:], w, C, A)


def relations(
    s00: FloatArray, s01: FloatArray, s11: FloatArray, size0: FloatArray, size1: FloatArray
) -> Relations | None:
    """Canonical correlations of dX and levels; None where either is below full rank, or one."""
    F, C = factor(s00, size0), factor(s11, size1)
    if F is None or C is None:
        return None
    half = solve_triangular(F, s01, lower=True, check_finite=False)
    G = solve_triangular(C, half.T, lower=True, check_finite=False)
    values, U = np.linalg.eigh(G @ G.T)
    top = slice(None, -min(s01.shape) - 1, -1)
    lam = np.maximum(values[top], 0.0)
    if lam[0] > 1.0 - _LEAST:
        return None
    V = solve_triangular(C, U[:, top], lower=True, trans="T", check_finite=False)
    return Relations(lam, V)


def factor(s: FloatArray, size: FloatArray) -> FloatArray | None:
    """The Cholesky factor of ``s``, None where a pivot is nothing beside its ``size``."""
    try:
        C = np.asarray(np.linalg.cholesky(s), np.float64)
    except np.linalg.LinAlgError:
        return None
    return C if bool(np.all(C.diagonal() ** 2 > _LEAST * size)) else None


def complement(of: FloatArray) -> FloatArray:
    """An orthonormal basis ``(n, n - r)`` of what is orthogonal to the columns ``(n, r)``."""
    q: FloatArray = np.linalg.qr(of, mode="complete")[0]
    return q[:, of.shape[1] :]


def regular(s: FloatArray, size: FloatArray) -> bool:
    """Whether a covariance has full rank beside the sizes of what it is the covariance of."""
    return factor(s, size) is not None


def to_basis(known: FloatArray, A: FloatArray, origin: FloatArray) -> FloatArray:
    """Relations of X, or of (X, 1), as relations of L."""
    n = origin.size
    if known.shape[0] == n:
        return A[:, :n] @ known
    return np.vstack([known[:n], known[n] + known[:n].T @ origin])


def check_relations(beta: FloatArray, state: Moments, deterministic: Deterministic) -> FloatArray:
    """Relations ``(n, r)``, ``(n + 1, r)`` with "ci", finite and independent."""
    b = np.asarray(beta, np.float64)
    rows = state.origin.size + (deterministic == "ci")
    if b.ndim == 1:
        b = b[:, None]
    if b.ndim != 2 or b.shape[0] != rows or b.shape[1] > state.origin.size:
        raise InputError(f"relations of shape ({rows}, rank)", met=b.shape)
    if not np.isfinite(b).all() or np.linalg.matrix_rank(b) < b.shape[1]:
        raise InputError("finite, independent relations", met=b.tolist())
    return b


def n_regressors(state: Moments, rank: int, deterministic: Deterministic) -> int:
    """Coefficients an equation: of the relations, the lags, the constant and the seasons."""
    if deterministic not in get_args(Deterministic):
        raise InputError('deterministic terms "n", "co" or "ci"', met=deterministic)
    lagged = state.lags * state.origin.size
    return rank + lagged + (deterministic == "co") + max(state.seasons - 1, 0)


def too_few(state: Moments, regressors: int, rows_per_regressor: float) -> bool:
    """Whether the rows are fewer than asked for, or none."""
    if not rows_per_regressor >= 0.0:
        raise InputError("rows a regressor >= 0", met=rows_per_regressor)
    return state.n_rows < max(rows_per_regressor * regressors, 1.0)


def _basis(origin: FloatArray, deterministic: Deterministic) -> FloatArray:
    n = origin.size
    if deterministic != "n":
        return np.eye(n + (deterministic == "ci"), n + 1)
    size = float(np.linalg.norm(origin))
    H = np.eye(n)
    along = np.zeros(n)
    if size > 0.0:
        along[0] = -np.copysign(size, origin[0])
        v = origin - along
        H -= 2.0 * np.outer(v, v) / (v @ v)
    return np.column_stack([H, along])
