r"""How much is a market worth more under the outcome than without it: the gap, with its interval.

If f_t = p_t f1 + (1 - p_t) f0, the price moves by (m1 - m0) dp when only the news moves: the gap
g = m1 - m0 is the log return per unit of probability. On a grid of step s, with p allowed to be
late by up to ``lead`` and the price by up to ``horizon``,

    r_t = a + sum_{j=-lead/s}^{horizon/s} b_j dp_{t-j} + controls + e_t,    g(horizon) = sum_j b_j,

by least squares. The sum, not any b_j, is the gap: stamps wrong by a minute move weight from one
b_j to its neighbour and leave the sum alone, and quoting noise, whose differences cancel, drops
out as the window grows. That is why one minute is blind where thirty are not.

Intervals are heteroskedasticity-robust (HC3, MacKinnon and White 1985): a few announcements carry
most of the variation of p, and HC3 discounts each by its leverage. Its scores are then summed with
Bartlett weights over 15 minutes (Newey and West 1987), because a quote that is late moves a
part of the return into the next row and takes it out again: the error of one minute is undone in
the next, and HC3 alone, which counts both, covers over 99% at a nominal 95% (docs: validation).
Overlapping returns, the usual shortcut, cover far less: see :mod:`.overlapping`.

Refused (NaN and a status): fewer than twice as many rows as regressors; a p that does not move, or
that the controls explain; weights so concentrated that under ``MIN_EFFECTIVE`` rows carry them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import stdtrit

from eventtape.arrays import BoolArray, FloatArray, IntArray, Status, check_level
from eventtape.errors import InputError

__all__ = [
    "MIN_EFFECTIVE",
    "SERIAL_S",
    "Gap",
    "Prediction",
    "Response",
    "outcome_gap",
    "predict_move",
    "response",
]

MIN_EFFECTIVE = 10.0
SERIAL_S = 900.0  # shorter leaves intervals too wide, longer too narrow: docs, validation


class Gap(NamedTuple):
    """Log return per unit of probability at one horizon, its interval, and what identifies it."""

    gap: float
    se: float
    lower: float
    upper: float
    horizon_s: float
    n_rows: int
    n_regressors: int
    identifying_share: float  # part of the variance of p's moves left after drift and controls
    effective_rows: float  # (sum a^2)^2 / sum a^4 of the weights a in gap = sum a_t r_t
    residual_sd: float  # of what the event leaves, a grid step, in the long run; log return
    status: Status


class Response(NamedTuple):
    """Cumulative log return per unit of probability, by seconds after p's move (``(n_lags,)``)."""

    lags_s: FloatArray
    cumulative: FloatArray
    lower: FloatArray
    upper: FloatArray
    n_rows: int
    status: Status


class Prediction(NamedTuple):
    """A predicted move in log return and the interval a realised one should fall in."""

    move: float
    lower: float
    upper: float
    status: Status


class _Design(NamedTuple):
    X: FloatArray  # constant, dp by lag, controls; only rows with every number seen
    r: FloatArray
    rows: IntArray  # the grid row of each
    n_lags: int


class _Fit(NamedTuple):
    beta: FloatArray
    residual: FloatArray
    hc3: FloatArray  # residual / (1 - leverage)
    q: FloatArray  # X = QR
    r_inverse: FloatArray


def outcome_gap(
    log_price: FloatArray,
    probability: FloatArray,
    *,
    step_s: float,
    horizon_s: float,
    lead_s: float = 600.0,
    controls: FloatArray | None = None,
    serial_s: float = SERIAL_S,
    level: float = 0.95,
) -> Gap:
    """The outcome gap at one horizon: log return per unit of probability, with its HC3 interval.

    Parameters
    ----------
    log_price, probability : arrays ``(n,)`` on a grid of ``step_s`` seconds, NaN where not seen.
    horizon_s, lead_s : how far the price may follow, and precede, the probability. The lead used is
        the smaller of the two, so that a short horizon is a short window on both sides.
    controls : returns of other assets on the same grid, ``(n, n_controls)``; row t is the return
        over (t-1, t] and row 0 is not used. Each enters with one lead and one lag.
    serial_s : reach of the Bartlett weights on the HC3 scores; 0 is plain HC3.
    """
    check_level(level)
    j = _lags(step_s, horizon_s, lead_s)
    design = _design(log_price, probability, j, controls)
    n, k = design.X.shape
    if n < 2 * k:
        return _no_gap(horizon_s, n, k, Status.TOO_FEW)
    share = _identifying_share(design)
    fit = _least_squares(design.X, design.r)
    if fit is None:
        return _no_gap(horizon_s, n, k, Status.NOT_IDENTIFIED, share)
    c = np.zeros((k, 1))
    c[1 : 1 + j.size] = 1.0
    weights = fit.q @ (fit.r_inverse.T @ c)
    effective = _effective_rows(weights[:, 0])
    if effective < MIN_EFFECTIVE:
        return _no_gap(horizon_s, n, k, Status.NOT_IDENTIFIED, share, effective)
    gap = float(c[:, 0] @ fit.beta)
    se = float(_standard_errors(fit, weights, design.rows, step_s, serial_s)[0])
    residual_sd = _long_run_sd(fit.residual, design.rows, step_s, serial_s, n - k)
    half = float(stdtrit(n - k, 0.5 * (1.0 + level))) * se
    return Gap(
        gap, se, gap - half, gap + half, horizon_s, n, k, share, effective, residual_sd, Status.OK
    )


def response(
    log_price: FloatArray,
    probability: FloatArray,
    *,
    step_s: float,
    horizon_s: float,
    lead_s: float = 600.0,
    controls: FloatArray | None = None,
    serial_s: float = SERIAL_S,
    level: float = 0.95,
) -> Response:
    """The path of the price around a unit move of p: cumulative log return, pointwise band.

    Arguments as for :func:`outcome_gap`; its last point is the gap at ``horizon_s``.
    """
    check_level(level)
    j = _lags(step_s, horizon_s, lead_s)
    lags = j * step_s
    design = _design(log_price, probability, j, controls)
    n, k = design.X.shape
    fit = _least_squares(design.X, design.r) if n >= 2 * k else None
    if fit is None:
        status = Status.TOO_FEW if n < 2 * k else Status.NOT_IDENTIFIED
        blank = np.full(j.size, math.nan)
        return Response(lags, blank, blank, blank, n, status)
    c = np.zeros((k, j.size))
    c[1 : 1 + j.size] = np.triu(np.ones((j.size, j.size)))  # column m sums b up to lag m
    path = c.T @ fit.beta
    weights = fit.q @ (fit.r_inverse.T @ c)
    if _effective_rows(weights[:, -1]) < MIN_EFFECTIVE:
        blank = np.full(j.size, math.nan)
        return Response(lags, blank, blank, blank, n, Status.NOT_IDENTIFIED)
    half = float(stdtrit(n - k, 0.5 * (1.0 + level))) * _standard_errors(
        fit, weights, design.rows, step_s, serial_s
    )
    return Response(lags, path, path - half, path + half, n, Status.OK)


def predict_move(
    gap: Gap, probability_move: float, *, n_steps: float, level: float = 0.95
) -> Prediction:
    """The move a gap predicts for a change of p over ``n_steps`` grid steps, in log return.

    A move that was not seen (NaN) has no prediction: ``too few observations``. The interval adds
    what the gap is not known to and what the market does of itself: variance
    (se dp)^2 + n_steps residual_sd^2, residual_sd being the long-run one.
    """
    check_level(level)
    if not n_steps >= 0.0:
        raise InputError("a number of steps >= 0", met=n_steps)
    if gap.status is not Status.OK or not math.isfinite(probability_move):
        status = Status.TOO_FEW if gap.status is Status.OK else gap.status
        return Prediction(math.nan, math.nan, math.nan, status)
    move = gap.gap * probability_move
    sd = math.hypot(gap.se * probability_move, math.sqrt(n_steps) * gap.residual_sd)
    half = float(stdtrit(gap.n_rows - gap.n_regressors, 0.5 * (1.0 + level))) * sd
    return Prediction(move, move - half, move + half, Status.OK)


def _effective_rows(weights: FloatArray) -> float:
    """(sum a^2)^2 / sum a^4: n for n equal weights, 1 where one row carries all."""
    return float(np.sum(weights**2) ** 2 / np.sum(weights**4))


def _no_gap(
    horizon_s: float,
    n: int,
    k: int,
    status: Status,
    share: float = math.nan,
    effective: float = math.nan,
) -> Gap:
    nan = math.nan
    return Gap(nan, nan, nan, nan, horizon_s, n, k, share, effective, nan, status)


def _lags(step_s: float, horizon_s: float, lead_s: float) -> FloatArray:
    """Grid lags j, from -lead to +horizon, of dp_{t-j}."""
    if not (step_s > 0.0 and horizon_s >= step_s and lead_s >= 0.0):
        raise InputError(
            "step > 0, horizon >= one step, lead >= 0 (seconds)", met=(step_s, horizon_s, lead_s)
        )
    after = math.floor(horizon_s / step_s + 1e-9)
    before = min(math.ceil(lead_s / step_s - 1e-9), after)
    return np.arange(-before, after + 1, dtype=np.float64)


def _design(
    log_price: FloatArray, probability: FloatArray, j: FloatArray, controls: FloatArray | None
) -> _Design:
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
    return _Design(X[seen], r[seen], rows[seen], j.size)


def _identifying_share(design: _Design) -> float:
    """1 - R^2 of p's change over the whole window on drift and the controls."""
    dp, controls = design.X[:, 1 : 1 + design.n_lags], design.X[:, 1 + design.n_lags :]
    window = dp.sum(axis=1)
    total = float(np.sum(window**2))
    if total == 0.0:
        return 0.0
    Z = np.column_stack([np.ones(window.size), controls])
    fitted = Z @ np.linalg.lstsq(Z, window, rcond=None)[0]
    return float(np.sum((window - fitted) ** 2) / total)


def _least_squares(X: FloatArray, y: FloatArray) -> _Fit | None:
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
    return _Fit(beta, residual, residual / (1.0 - leverage), q, r_inverse)


def _standard_errors(
    fit: _Fit, weights: FloatArray, rows: IntArray, step_s: float, serial_s: float
) -> FloatArray:
    """Standard error of each weighted sum: HC3 scores, Bartlett weights over ``serial_s``.

    Scores are laid on the full grid, zero where a row was not seen, so that rows on either side of
    a gap in the data are not taken for neighbours.
    """
    return np.sqrt(_bartlett(weights * fit.hc3[:, None], rows, step_s, serial_s))


def _long_run_sd(
    residual: FloatArray, rows: IntArray, step_s: float, serial_s: float, dof: int
) -> float:
    """Sd a step of a sum of many residuals: what undoes itself within ``serial_s`` is left out."""
    return math.sqrt(float(_bartlett(residual[:, None], rows, step_s, serial_s)[0]) / dof)


def _bartlett(score: FloatArray, rows: IntArray, step_s: float, serial_s: float) -> FloatArray:
    """Bartlett-weighted sum of squares and cross products of each column of scores."""
    laid = np.zeros((int(rows[-1] - rows[0]) + 1, score.shape[1]))
    laid[rows - rows[0]] = score
    total = np.sum(laid**2, axis=0)
    reach = round(serial_s / step_s)
    for lag in range(1, min(reach, laid.shape[0] - 1) + 1):
        total += 2.0 * (1.0 - lag / (reach + 1)) * np.sum(laid[lag:] * laid[:-lag], axis=0)
    kept: FloatArray = np.maximum(total, 0.0)  # rounding only: Bartlett sums are not negative
    return kept
