r"""Whose past returns help to forecast whose next one, once its own past is known?

For each ordered pair, cause i and effect j, with z the constant, the p lags of x_j and those of the
controls, and w the part of the p lags of x_i that z does not explain (Granger 1969):

    x_jt = c' z_t + b' w_t + e_t,    no causality: b = 0.

Returns have fat tails and volatility that comes in waves, so the variance of the score sum w_t u_t
is estimated row by row, with u the residual *without* the cause (the null imposed) divided by the
root of one less its leverage:

    F = s' (sum w_t w_t' u_t^2 / (1 - h_t))^{-1} s / p,   s = sum w_t u_t,

against F(p, T - k). That is HC2 of MacKinnon and White (1985) with the residuals of Davidson and
MacKinnon (1985): with the residuals of the larger regression instead, HC3 included, the far tail is
too heavy, and over many pairs the far tail is all that counts. ``errors="classic"`` is the F test
of equal variances.

q-values control the share of false edges among those named, over all ordered pairs made
(:mod:`.false_discovery`). To help a forecast is not to cause: a third series that moves both at
different delays makes an edge between them unless it is among the controls, and on stale or
asynchronous prices the fresher series always helps to forecast the staler one.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import fdtrc

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.false_discovery import adjusted
from eventtape.estimators.discovery.given_arrays import float_array
from eventtape.estimators.discovery.refusals import Reason, status_of
from eventtape.estimators.discovery.var_moments import checked_lags, checked_panel, standardised

__all__ = ["Granger", "granger"]

_RANK = 1e-8  # of a cause's lags, the part that must be left once the controls are taken out


class Granger(NamedTuple):
    """Tests of every ordered pair, ``(n, n)``: row i causes column j; the diagonal is NaN.

    - ``statistic``: F.
    - ``p_value``: of i's past being no help to forecast j.
    - ``q_value``: smallest false-discovery rate at which the edge is named, over all pairs.
    - ``n_rows``: rows of one equation; ``n_regressors``: in one equation.
    - ``reason``, ``status``: why numbers are NaN, and the fate. With ``SINGULAR`` those pairs are
      NaN that repeat each other, and the others stand.
    """

    statistic: FloatArray
    p_value: FloatArray
    q_value: FloatArray
    n_rows: int
    n_regressors: int
    reason: Reason
    status: Status


class _Regression(NamedTuple):
    """What is left of effect and cause once the rest is known, and the leverage of that rest.

    One effect against many causes, or one cause against many effects.
    """

    u: FloatArray  # (T, n_effects)
    w: FloatArray  # (T, n_causes, p)
    leverage: FloatArray  # (T,)


def granger(
    returns: FloatArray,
    lags: int = 1,
    *,
    given: FloatArray | None = None,
    conditional: bool = False,
    errors: Literal["robust", "classic"] = "robust",
    dependence: Literal["positive", "any"] = "positive",
    rows_per_regressor: float = 10.0,
) -> Granger:
    """Tests of every ordered pair: entry (i, j) asks whether i's past helps to forecast j.

    ``returns`` ``(T, n)``, finite. ``given`` ``(T, m)``: controls that enter every equation with
    the same lags; ``conditional``: all other columns do. ``dependence`` is that of the p-values,
    for the q-values. NaN with a reason: fewer rows than ``rows_per_regressor`` a regressor, a
    column that does not move (all refused), a cause whose lags repeat what is already in the
    equation (that pair).
    """
    x, p = checked_panel(float_array(returns)), checked_lags(lags)
    if errors not in {"robust", "classic"}:
        raise InputError("errors 'robust' or 'classic'", met=errors)
    if not rows_per_regressor > 1.0:
        raise InputError("more than 1 row a regressor", met=rows_per_regressor)
    n, rows = x.shape[1], x.shape[0] - p
    both = x if given is None else np.hstack([x, _controls(given, x.shape[0])])
    m = both.shape[1] - n
    k = 1 + p * ((n if conditional else 2) + m)
    if rows < rows_per_regressor * k:
        return _refused(n, rows, k, Reason.FEW_ROWS)
    scaled = standardised(both)
    if scaled is None:
        return _refused(n, rows, k, Reason.STALE)
    past = np.stack([scaled[p - j : scaled.shape[0] - j] for j in range(1, p + 1)], axis=2)
    now = scaled[p:, :n]
    statistic = np.full((n, n), math.nan)
    if conditional:
        fits = _given_all(now, past)
        if fits is None:
            return _refused(n, rows, k, Reason.SINGULAR)
        for i, fit in enumerate(fits):
            statistic[i] = _tests(fit, k, errors)
    else:
        for j in range(n):
            known = past[:, [j, *range(n, n + m)]]
            statistic[:, j] = _tests(_given_some(now[:, [j]], past[:, :n], known), k, errors)
    np.fill_diagonal(statistic, math.nan)
    p_value = np.asarray(fdtrc(p, rows - k, statistic))
    apart = ~np.eye(n, dtype=np.bool_)
    reason = Reason.SINGULAR if np.isnan(statistic[apart]).any() else Reason.NONE
    q_value = adjusted(p_value, dependence=dependence)
    return Granger(statistic, p_value, q_value, rows, k, reason, status_of(reason))


def _controls(given: FloatArray, n_rows: int) -> FloatArray:
    z = checked_panel(float_array(given), what="controls", columns=1)
    if z.shape[0] != n_rows:
        raise InputError(f"controls of {n_rows} rows", met=z.shape)
    return z


def _given_some(y: FloatArray, causes: FloatArray, known: FloatArray) -> _Regression:
    """One effect and all causes less what a constant and the known lags explain."""
    rows = y.shape[0]
    Q = np.linalg.qr(np.column_stack([np.ones(rows), known.reshape(rows, -1)]))[0]
    flat = causes.reshape(rows, -1)
    u, w = y - Q @ (Q.T @ y), flat - Q @ (Q.T @ flat)
    return _Regression(u, w.reshape(causes.shape), np.einsum("ij,ij->i", Q, Q))


def _given_all(y: FloatArray, past: FloatArray) -> list[_Regression] | None:
    """For each cause, all effects less what everything else explains; one QR serves all.

    With D = QR and G = D'D, the lags of cause i less all others are
    W = D G^{-1}_i (G^{-1}_ii)^{-1}, and leaving them out adds W b_i to the residuals. None where D
    has not full rank.
    """
    rows, n_causes, p = past.shape
    n = y.shape[1]
    D = np.column_stack([np.ones(rows), past.reshape(rows, -1)])
    Q, R = np.linalg.qr(D)
    if np.any(np.diag(R) ** 2 <= _RANK * np.einsum("ij,ij->j", D, D)):
        return None
    r_inverse = solve_triangular(R, np.eye(R.shape[0]))
    beta = r_inverse @ (Q.T @ y)
    residual, leverage = y - D @ beta, np.einsum("ij,ij->i", Q, Q)
    out = []
    for i in range(min(n, n_causes)):
        own = slice(1 + i * p, 1 + (i + 1) * p)
        spread = r_inverse[own] @ r_inverse[own].T
        reach = Q @ r_inverse[own].T
        w = np.linalg.solve(spread, reach.T).T
        without = leverage - np.einsum("ij,ij->i", w, reach)
        out.append(_Regression(residual + w @ beta[own], w[:, None, :], without))
    return out


def _tests(fit: _Regression, k: int, errors: str) -> FloatArray:
    """F of each pair, NaN where the cause's lags were known already, ``(n_pairs,)``."""
    u, w = fit.u, fit.w
    rows, _, p = w.shape
    by_cause = np.ascontiguousarray(w.transpose(1, 0, 2))
    gram = by_cause.transpose(0, 2, 1) @ by_cause
    score = (by_cause * u.T[:, :, None]).sum(axis=1)
    if errors == "classic":
        spread = gram
    else:
        scaled = by_cause * (u / np.sqrt(1.0 - fit.leverage)[:, None]).T[:, :, None]
        spread = scaled.transpose(0, 2, 1) @ scaled
    fresh = np.broadcast_to(np.linalg.eigvalsh(gram)[:, 0] > _RANK * rows, score.shape[:1])
    spread = np.where(fresh[:, None, None], spread, np.eye(p))
    size = np.einsum("ip,ip->i", score, np.linalg.solve(spread, score[:, :, None])[:, :, 0])
    if errors == "classic":
        size = size / ((np.einsum("ti,ti->i", u, u) - size) / (rows - k))
    return np.where(fresh, size / p, math.nan)


def _refused(n: int, rows: int, k: int, reason: Reason) -> Granger:
    blank = np.full((n, n), math.nan)
    return Granger(blank, blank, blank, rows, k, reason, status_of(reason))
