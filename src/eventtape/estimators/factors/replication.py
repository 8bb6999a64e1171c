r"""Which portfolio has these betas at the least variance?

Weights w over m assets with loadings L ``(K, m)`` and return covariance S::

    min w' S w   subject to   L w = b              w = S^-1 L' (L S^-1 L')^-1 b

and with full investment a row of ones joins L and a 1 joins b, so that the weights sum to 1 and the
betas still match. The least-variance portfolio has variance b' (L S^-1 L')^-1 b.

``minimum-norm``, kept as a named comparison, is w = L' (L L')^-1 b, which is blind to risk; made to
sum to 1 by dividing it by its sum, it has betas b / (1' w), and misses the target by that.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError

__all__ = ["Replication", "replicate"]

_PIVOT = 1e-10  # least share of a row's size that the rows before it may leave unexplained


class Replication(NamedTuple):
    """Weights, what they are exposed to, and what they risk; NaN where the status is not ok."""

    weights: FloatArray  # (n_assets,)
    beta: FloatArray  # (n_factors,) L w
    mismatch: float  # largest |L w - b|
    variance: float  # w' S w, in the covariance's unit
    invested: float  # 1' w
    status: Status


def replicate(
    beta_target: FloatArray,
    loadings: FloatArray,
    cov: FloatArray,
    *,
    full_investment: bool = False,
    method: Literal["minimum-variance", "minimum-norm"] = "minimum-variance",
) -> Replication:
    """The least-variance weights ``(n_assets,)`` with betas ``beta_target`` ``(n_factors,)``.

    ``loadings`` is ``(n_factors, n_assets)``, ``cov`` ``(n_assets, n_assets)``. A covariance that
    is not positive definite, factors that are not independent over these assets, or (minimum-norm)
    weights that sum to nought and cannot be made to sum to 1, give NaN and ``not identified``.
    """
    b, L, S = _check(beta_target, loadings, cov)
    if method not in ("minimum-variance", "minimum-norm"):
        raise InputError("method minimum-variance or minimum-norm", met=method)
    root = _root(S)
    if method == "minimum-variance":
        rows, wanted = L, b
        if full_investment:
            rows, wanted = np.vstack([L, np.ones(L.shape[1])]), np.r_[b, 1.0]
        w = None if root is None else _least(root, rows, wanted)
    else:
        w = None if root is None else _least(np.eye(L.shape[1]), L, b)
        if w is not None and full_investment:
            total = float(w.sum())
            w = w / total if abs(total) > _PIVOT * np.abs(w).sum() else None
    if w is None:
        none = np.full(L.shape[1], math.nan), np.full(b.size, math.nan)
        return Replication(*none, math.nan, math.nan, math.nan, Status.NOT_IDENTIFIED)
    got = L @ w
    mismatch, variance = float(np.abs(got - b).max()), float(w @ S @ w)
    return Replication(w, got, mismatch, variance, float(w.sum()), Status.OK)


def _least(root: FloatArray, rows: FloatArray, wanted: FloatArray) -> FloatArray | None:
    """S^-1 R' (R S^-1 R')^-1 c with S = U'U, and one step of refinement of R w = c."""
    solved = cho_solve((root, False), rows.T)
    inner = _root(rows @ solved)
    if inner is None:
        return None
    w: FloatArray = solved @ cho_solve((inner, False), wanted)
    w += solved @ cho_solve((inner, False), wanted - rows @ w)
    return w


def _root(S: FloatArray) -> FloatArray | None:
    """The upper Cholesky factor of S, None where S is not safely positive definite."""
    S = 0.5 * (S + S.T)
    size = np.sqrt(np.maximum(np.diag(S), 0.0))
    if not (size > 0.0).all():
        return None
    try:
        scaled: FloatArray = cholesky(S / np.outer(size, size), lower=False)
    except LinAlgError:
        return None
    if np.diag(scaled).min() ** 2 < _PIVOT:
        return None
    root: FloatArray = scaled * size
    return root


def _check(
    beta_target: FloatArray, loadings: FloatArray, cov: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    b, L, S = (np.asarray(part, np.float64) for part in (beta_target, loadings, cov))
    if b.ndim != 1 or L.ndim != 2 or L.shape[0] != b.size or b.size == 0:
        raise InputError("betas (n_factors,) and loadings (n_factors, n_assets)", met=L.shape)
    if S.shape != (L.shape[1], L.shape[1]):
        raise InputError("a covariance (n_assets, n_assets)", met=S.shape)
    for name, part in (("beta_target", b), ("loadings", L), ("cov", S)):
        bad = np.argwhere(~np.isfinite(part))
        if bad.size:
            met = float(part[tuple(bad[0])])
            raise InputError("a finite number", met=met, row=int(bad[0][0]) + 1, column=name)
    skew = float(np.abs(S - S.T).max())
    if skew > 1e-10 * float(np.abs(S).max()):
        raise InputError("a symmetric covariance", met=f"S - S' up to {skew:g}", column="cov")
    return b, L, S
