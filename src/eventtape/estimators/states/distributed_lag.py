"""Distributed-lag least squares on a grid with holes: design, HC3 scores, Bartlett sums.

The algebra under the outcome gap (``outcome_gap``), which says why each part is as it is. Rows of a
design keep the number of the grid row they came from, so that rows on either side of a hole in the
data are never taken for neighbours.

HC3: MacKinnon and White (1985). Bartlett weights: Newey and West (1987). What their reach costs an
interval: Kiefer and Vogelsang (2005).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import ndtri

from eventtape.arrays import BoolArray, FloatArray, IntArray, check_level
from eventtape.errors import InputError

__all__ = [
    "Design",
    "Fit",
    "design_matrix",
    "effective_rows",
    "fixed_b",
    "grid_lags",
    "identifying_share",
    "least_squares",
    "long_run_sd",
    "standard_errors",
    "whole_reach",
    "whole_steps",
]


# (cv(b) / z)^2 - 1 = sum_ik _WIDER[i, k] b^(1 + i) z^(2 k): least squares on quantiles of the limit
# law, 2 million draws of 1,000 steps, 14 b in [.01, 1] by 18 levels in [.1, .999]. There the factor
# is off by at most .0024 of itself; the published cubics, one a level, by up to .02.
_WIDER = np.array(
    [
        [1.3866, 0.2828, 0.0014],
        [0.7151, 1.0777, 0.0313],
        [0.8973, -0.9502, -0.0966],
        [-0.4826, 0.2367, 0.0585],
    ]
)


class Design(NamedTuple):
    """Regressors and returns of the rows on which every number was seen."""

    X: FloatArray  # constant, dp by lag, controls; only rows with every number seen
    r: FloatArray
    rows: IntArray  # the grid row of each
    n_lags: int


class Fit(NamedTuple):
    """A least-squares fit and the factors its variances are made of."""

    beta: FloatArray
    residual: FloatArray
    hc3: FloatArray  # residual / (1 - leverage)
    q: FloatArray  # X = QR
    r_inverse: FloatArray


def whole_steps(horizon_s: float, step_s: float) -> bool:
    """Whether a horizon is a whole number of grid steps, to a nanosecond."""
    return abs(math.remainder(horizon_s, step_s)) < 1e-9


def whole_reach(step_s: float, serial_s: float) -> int:
    """Grid steps nearest to ``serial_s``: the longest lag that a Bartlett sum counts."""
    return round(serial_s / step_s)


def grid_lags(step_s: float, horizon_s: float, lead_s: float) -> FloatArray:
    """Grid lags j, from -lead to +horizon, of dp_{t-j}."""
    if not (step_s > 0.0 and horizon_s >= step_s and lead_s >= 0.0):
        raise InputError(
            "step > 0, horizon >= one step, lead >= 0 (seconds)", met=(step_s, horizon_s, lead_s)
        )
    if not whole_steps(horizon_s, step_s):  # else a shorter window would carry this one's name
        raise InputError(f"a horizon of whole steps of {step_s:g} s", met=horizon_s)
    after = round(horizon_s / step_s)
    before = min(math.ceil(lead_s / step_s - 1e-9), after)
    return np.arange(-before, after + 1, dtype=np.float64)


def design_matrix(
    log_price: FloatArray, probability: FloatArray, j: FloatArray, controls: FloatArray | None
) -> Design:
    """The regression of returns on p's moves at the grid lags ``j``, and on the controls.

    ``log_price``, ``probability`` ``(n,)``, ``controls`` ``(n, n_controls)`` returns; NaN where not
    seen. A p outside [0, 1] is an :class:`InputError`.
    """
    x, p = np.asarray(log_price, np.float64), np.asarray(probability, np.float64)
    if x.ndim != 1 or x.shape != p.shape:
        raise InputError("log price and probability of one shape (n,)", met=(x.shape, p.shape))
    if np.any((p < 0.0) | (p > 1.0)):
        raise InputError("probabilities in [0, 1]", met=float(p[(p < 0.0) | (p > 1.0)][0]))
    r, dp = np.diff(x), np.diff(p)
    before, after = int(-j[0]), int(j[-1])
    rows = np.arange(after, max(r.size - before, after))
    columns = [np.ones(rows.size), *(dp[rows - int(k)] for k in j)]
    if controls is not None:
        z = np.asarray(controls, np.float64)
        if z.ndim != 2 or z.shape[0] != x.size:
            raise InputError("control returns of shape (n, n_controls)", met=z.shape)
        unseen = np.full((1, z.shape[1]), math.nan)
        z = np.vstack([unseen, z[1:], unseen])  # z[i + 1] is the return of grid row i
        columns += [z[rows + 1 + s, m] for m in range(z.shape[1]) for s in (-1, 0, 1)]
    X, r = np.column_stack(columns), r[rows]
    seen: BoolArray = np.isfinite(X).all(axis=1) & np.isfinite(r)
    return Design(X[seen], r[seen], rows[seen], j.size)


def identifying_share(design: Design) -> float:
    """1 - R^2 of p's change over the whole window on drift and the controls."""
    dp, controls = design.X[:, 1 : 1 + design.n_lags], design.X[:, 1 + design.n_lags :]
    window = dp.sum(axis=1)
    total = float(np.sum(window**2))
    if total == 0.0:
        return 0.0
    Z = np.column_stack([np.ones(window.size), controls])
    fitted = Z @ np.linalg.lstsq(Z, window, rcond=None)[0]
    return float(np.sum((window - fitted) ** 2) / total)


def least_squares(X: FloatArray, y: FloatArray) -> Fit | None:
    """Least squares with leverage-corrected residuals; None where X has not full rank."""
    q, R = np.linalg.qr(X)
    norms = np.linalg.norm(X, axis=0)
    if np.any(norms == 0.0) or np.any(np.abs(np.diag(R)) <= 1e-10 * norms):
        return None
    r_inverse = solve_triangular(R, np.eye(R.shape[0]))
    beta = r_inverse @ (q.T @ y)
    residual = y - X @ beta
    leverage = np.einsum("ij,ij->i", q, q)
    if np.any(leverage > 1.0 - 1e-9):  # a row that fits itself says nothing of its own error
        return None
    return Fit(beta, residual, residual / (1.0 - leverage), q, r_inverse)


def standard_errors(
    fit: Fit, weights: FloatArray, rows: IntArray, step_s: float, serial_s: float
) -> FloatArray:
    """Standard error of each weighted sum: HC3 scores, Bartlett weights over ``serial_s``.

    Scores are laid on the full grid, zero where a row was not seen, so that rows on either side of
    a gap in the data are not taken for neighbours.
    """
    return np.sqrt(_bartlett(weights * fit.hc3[:, None], rows, step_s, serial_s))


def fixed_b(b: float, level: float) -> float:
    """Factor >= 1 on the half-width of a two-sided interval whose Bartlett sums reach b n rows far.

    The weights are summed over a part ``b`` of the sample, so the variance is itself an estimate,
    noisy and too small. Kiefer and Vogelsang (2005, Econometric Theory 21) hold b fixed as n grows:
    with B a Brownian bridge independent of W(1), t goes to

        W(1) / sqrt((2 / b) (int_0^1 B(r)^2 dr - int_0^{1-b} B(r) B(r + b) dr)),

    and the factor is the quantile of its size at ``level`` over the normal one, 1 at b = 0. Beyond
    b = 1 the second integral is empty, and the factor grows as sqrt(b).

    >>> round(fixed_b(0.2, 0.95), 2)
    1.3
    """
    check_level(level)
    if not 0.0 <= b < math.inf:
        raise InputError("a reach of b >= 0 of the rows", met=b)
    within = min(b, 1.0)
    z2 = float(ndtri(0.5 * (1.0 + level))) ** 2
    wider = within ** np.arange(1, 5) @ _WIDER @ z2 ** np.arange(3)
    return math.sqrt((1.0 + float(wider)) * max(b, 1.0))


def long_run_sd(
    residual: FloatArray, rows: IntArray, step_s: float, serial_s: float, dof: int
) -> float:
    """Sd a step of a sum of many residuals: what undoes itself within ``serial_s`` is left out."""
    return math.sqrt(float(_bartlett(residual[:, None], rows, step_s, serial_s)[0]) / dof)


def _bartlett(score: FloatArray, rows: IntArray, step_s: float, serial_s: float) -> FloatArray:
    """Bartlett-weighted sum of squares and cross products of each column of scores."""
    laid = np.zeros((int(rows[-1] - rows[0]) + 1, score.shape[1]))
    laid[rows - rows[0]] = score
    total = np.sum(laid**2, axis=0)
    reach = whole_reach(step_s, serial_s)
    for lag in range(1, min(reach, laid.shape[0] - 1) + 1):
        total += 2.0 * (1.0 - lag / (reach + 1)) * np.sum(laid[lag:] * laid[:-lag], axis=0)
    kept: FloatArray = np.maximum(total, 0.0)  # rounding only: Bartlett sums are not negative
    return kept


def effective_rows(weights: FloatArray) -> float:
    """(sum a^2)^2 / sum a^4: n for n equal weights, 1 where one row carries all."""
    return float(np.sum(weights**2) ** 2 / np.sum(weights**4))
