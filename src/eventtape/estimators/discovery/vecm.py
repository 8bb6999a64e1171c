r"""How do prices that share trends pull each other, and what does a shock leave behind for good?

The vector error correction model of log prices X_t (n,) with r relations beta and k lags,

    dX_t = alpha beta' X_{t-1} + sum_{j<=k} Gamma_j dX_{t-j} + mu + seasons + e_t,   cov(e) = Omega,

by maximum likelihood: beta from reduced rank regression (:mod:`.johansen`) or as given, the rest by
least squares on beta' X. A shock e moves prices for good by Psi e (Johansen 1995, theorem 4.2),

    Psi = b_p (a_p' G b_p)^-1 a_p',    G = I - sum_j Gamma_j,

with a_p, b_p orthogonal to alpha, beta: n - r common trends. Psi does not depend on how beta is
normalised. Estimates are functions of :class:`~.vecm_moments.Moments` alone, so a rolling window or
a pair of a panel costs its algebra and no pass over the data.

Refused, with NaN, a reason and a status: fewer than ``rows_per_regressor`` rows a regressor;
regressors or Omega below full rank (a price that never moves, one price twice).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import float_array
from eventtape.estimators.discovery.johansen import (
    Deterministic,
    Partialled,
    check_relations,
    complement,
    n_regressors,
    partialled,
    regular,
    relations,
    to_basis,
    too_few,
)
from eventtape.estimators.discovery.refusals import Reason, status_of
from eventtape.estimators.discovery.vecm_moments import Moments, moments

__all__ = ["Vecm", "permanent_impact", "vecm", "vecm_from_moments"]

_HUGE = 1e12  # an impact this large beside the short-run matrix is a division by rounding


class Vecm(NamedTuple):
    """Estimates, permanent impact and rank tests of one VECM of n series and r relations.

    - ``alpha``: ``(n, r)`` loadings: part of a relation's gap that each series closes in a step.
    - ``beta``: ``(n, r)``, or ``(n + 1, r)`` with "ci", the constant being the last row; estimated:
      identity on top where it can be.
    - ``const``: ``(n,)``, zero without a free constant.
    - ``gamma``: ``(lags, n, n)``; ``seasonal``: ``(n, seasons - 1)``.
    - ``psi``: ``(n, n)``; ``psi[i, j]`` is the log price of series i that a unit shock to j leaves
      for good, zero at full rank.
    - ``trend``: ``(n, n - r)`` orthonormal basis of what the common trends move.
    - ``omega``: ``(n, n)`` residual covariance, divisor n_rows.
    - ``eigenvalues``: ``(n,)`` squared canonical correlations, falling.
    - ``trace``, ``max_eigen``: ``(n,)`` Johansen's statistics: entry r tests at most r relations,
      and r against r + 1; both of the free estimate, whether or not ``beta`` was given.
    - ``log_likelihood``: Gaussian. ``n_rows``: rows fitted. ``n_regressors``: in an equation.
    - ``reason``, ``status``: why estimates are NaN, and the fate.
    """

    alpha: FloatArray
    beta: FloatArray
    const: FloatArray
    gamma: FloatArray
    seasonal: FloatArray
    psi: FloatArray
    trend: FloatArray
    omega: FloatArray
    eigenvalues: FloatArray
    trace: FloatArray
    max_eigen: FloatArray
    log_likelihood: float
    n_rows: int
    n_regressors: int
    reason: Reason
    status: Status


def vecm(
    log_prices: FloatArray,
    lags: int = 1,
    *,
    rank: int | None = None,
    beta: FloatArray | None = None,
    deterministic: Deterministic = "co",
    seasons: int = 0,
    first_season: int = 0,
    rows_per_regressor: float = 10.0,
) -> Vecm:
    """Loadings, relations, dynamics and permanent impact of log prices ``(T, n)``.

    Parameters
    ----------
    lags : lagged differences, 0 or more.
    rank : relations to estimate, 0 (a VAR in differences) to n (levels stationary: psi is zero).
        Left out, and no ``beta``: the rank tests only, every estimate NaN.
    beta : the relations, where identity gives them: ``(n, r)``, ``(n + 1, r)`` with "ci".
    deterministic : "co" a constant in each equation, "ci" one in each relation, "n" none.
    seasons, first_season : centred seasonal dummies, and the season of row 0.
    rows_per_regressor : rows wanted a regressor; 0 for a published example however small.
    """
    x = float_array(log_prices)
    state = moments(x, lags, seasons=seasons, first_season=first_season)
    return vecm_from_moments(
        state,
        rank=rank,
        beta=beta,
        deterministic=deterministic,
        rows_per_regressor=rows_per_regressor,
    )


def vecm_from_moments(
    state: Moments,
    *,
    rank: int | None = None,
    beta: FloatArray | None = None,
    deterministic: Deterministic = "co",
    rows_per_regressor: float = 10.0,
) -> Vecm:
    """The same as :func:`vecm`, from moments."""
    n = state.origin.size
    known = None if beta is None else check_relations(float_array(beta), state, deterministic)
    r = rank if known is None else known.shape[1]
    if (r is not None and not 0 <= r <= n) or (known is not None and rank not in {None, r}):
        wanted = f"a rank from 0 to {n}" if known is None else f"rank {r} of the given beta"
        raise InputError(wanted, met=rank)
    k = n_regressors(state, n if r is None else r, deterministic)
    out = _nothing(state, r or 0, k, deterministic)
    if too_few(state, k, rows_per_regressor):
        return _refused(out, Reason.FEW_ROWS)
    part = partialled(state, deterministic)
    if part is None:
        return _refused(out, Reason.SINGULAR)
    free = relations(*part[:5])
    if free is not None:
        steps = -state.n_rows * np.log1p(-free.eigenvalues)
        trace = np.cumsum(steps[::-1])[::-1]
        out = out._replace(eigenvalues=free.eigenvalues, trace=trace, max_eigen=steps)
    if r is None or (known is None and r > 0 and free is None):
        return out if free is not None else _refused(out, Reason.SINGULAR)
    if known is not None:
        b = to_basis(known, part.A, state.origin)
    else:
        b = np.zeros((part.A.shape[0], 0)) if free is None else free.V[:, :r]
    return _estimated(out, state, part, b, known, deterministic)


def permanent_impact(alpha: FloatArray, beta: FloatArray, gamma: FloatArray) -> FloatArray:
    """What a unit shock to series j leaves in the log price of i for good, ``psi[i, j]``.

    ``alpha``, ``beta`` ``(n, r)`` without the row of a constant, of full column rank; ``gamma``
    ``(lags, n, n)``. Zero where r = n; NaN where no finite response exists (prices integrated
    twice). It is a limit where the roots other than the n - r at one lie inside the unit circle.

    >>> permanent_impact(np.array([[-0.2], [0.3]]), np.array([[1.0], [-1.0]]), np.zeros((0, 2, 2)))
    array([[0.6, 0.4],
           [0.6, 0.4]])
    """
    a, b, g = (float_array(part) for part in (alpha, beta, gamma))
    if a.ndim != 2 or a.shape != b.shape or a.shape[1] > a.shape[0]:
        raise InputError("alpha and beta of one shape (n, r), r <= n", met=(a.shape, b.shape))
    if g.ndim != 3 or g.shape[1:] != (a.shape[0],) * 2:
        raise InputError(f"gamma of shape (lags, {a.shape[0]}, {a.shape[0]})", met=g.shape)
    if not all(np.isfinite(part).all() for part in (a, b, g)):
        raise InputError("finite parameters")
    if a.shape[1] and min(np.linalg.matrix_rank(a), np.linalg.matrix_rank(b)) < a.shape[1]:
        raise InputError(f"alpha and beta of rank {a.shape[1]}", met=a.tolist())
    return _impact(a, complement(b), g)


def _estimated(
    out: Vecm,
    state: Moments,
    part: Partialled,
    b: FloatArray,
    known: FloatArray | None,
    deterministic: Deterministic,
) -> Vecm:
    """Least squares on the relations b of the levels, then impact and likelihood."""
    n, r, k = state.origin.size, b.shape[1], state.lags
    sbb, s0b = b.T @ part.s11 @ b, part.s01 @ b
    if not regular(sbb, (np.abs(b).T @ np.sqrt(part.size1)) ** 2):
        return _refused(out, Reason.SINGULAR)
    alpha = np.asarray(np.linalg.solve(sbb, s0b.T).T, np.float64)
    omega = part.s00 - alpha @ s0b.T
    rest = np.zeros((n, 0))
    if part.C.size:
        left = part.w[:, :n] - part.w[:, n:] @ b @ alpha.T
        rest = solve_triangular(part.C, left, lower=True, trans="T", check_finite=False).T
    gamma = rest[:, : n * k].reshape(n, k, n).transpose(1, 0, 2).copy()
    outside = rest[:, n * k :]
    about = part.A.T @ b  # the relations of (X - o, 1)
    const = np.zeros(n)
    if deterministic == "co":
        const = outside[:, 0] - alpha @ (about[:n].T @ state.origin)
        outside = outside[:, 1:]
    loadings, beta = _relations_of_x(alpha, about, known, state.origin, deterministic)
    trend = complement(beta[:n])
    out = out._replace(
        const=const,
        gamma=gamma,
        seasonal=outside.copy(),
        trend=trend * np.where(trend.sum(axis=0) < 0.0, -1.0, 1.0),
        omega=0.5 * (omega + omega.T),
        alpha=loadings,
        beta=beta,
    )
    if not regular(out.omega, part.size0):
        return out._replace(reason=Reason.SINGULAR, status=status_of(Reason.SINGULAR))
    psi = _impact(alpha, trend, gamma)
    reason = Reason.RANK_FULL if r == n else Reason.NONE
    if not np.isfinite(psi).all():
        reason = Reason.NO_RESPONSE
    size = n * (math.log(2.0 * math.pi) + 1.0) + float(np.linalg.slogdet(out.omega)[1])
    likelihood = -0.5 * state.n_rows * size
    return out._replace(psi=psi, log_likelihood=likelihood, reason=reason, status=status_of(reason))


def _relations_of_x(
    alpha: FloatArray,
    about: FloatArray,
    known: FloatArray | None,
    origin: FloatArray,
    deterministic: Deterministic,
) -> tuple[FloatArray, FloatArray]:
    """Loadings and relations of X itself, identity on top unless they were given."""
    if known is not None:
        return alpha, known
    n, r = origin.size, about.shape[1]
    rows = about[:n]
    if deterministic == "ci":
        rows = np.vstack([rows, about[n] - about[:n].T @ origin])
    try:
        beta = np.asarray(np.linalg.solve(about[:r].T, rows.T).T, np.float64)
    except np.linalg.LinAlgError:  # no relation holds one of the first r series
        return alpha, rows
    beta[:r] = np.eye(r)
    return alpha @ about[:r].T, beta


def _impact(alpha: FloatArray, trend: FloatArray, gamma: FloatArray) -> FloatArray:
    n, nan = alpha.shape[0], np.full((alpha.shape[0],) * 2, math.nan)
    own = complement(alpha)
    G = np.eye(n) - gamma.sum(axis=0)
    try:
        psi: FloatArray = trend @ np.linalg.solve(own.T @ G @ trend, own.T)
    except np.linalg.LinAlgError:
        return nan
    # Orthonormal bases: the norm of psi is one over the smallest singular value of the core
    return psi if np.linalg.norm(psi) * np.linalg.norm(G) < _HUGE else nan


def _nothing(state: Moments, r: int, regressors: int, deterministic: Deterministic) -> Vecm:
    n, k, nan = state.origin.size, state.lags, math.nan
    square, line = np.full((n, n), nan), np.full(n, nan)
    return Vecm(
        alpha=np.full((n, r), nan),
        beta=np.full((n + (deterministic == "ci"), r), nan),
        const=line,
        gamma=np.full((k, n, n), nan),
        seasonal=np.full((n, max(state.seasons - 1, 0)), nan),
        psi=square,
        trend=np.full((n, n - r), nan),
        omega=square.copy(),
        eigenvalues=line.copy(),
        trace=line.copy(),
        max_eigen=line.copy(),
        log_likelihood=nan,
        n_rows=state.n_rows,
        n_regressors=regressors,
        reason=Reason.NONE,
        status=Status.OK,
    )


def _refused(out: Vecm, reason: Reason) -> Vecm:
    return out._replace(reason=reason, status=status_of(reason))
