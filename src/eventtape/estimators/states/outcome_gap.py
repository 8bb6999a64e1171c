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
the next, and HC3 alone, which counts both, covers up to 99.8% at a nominal 95% (docs: validation).
Where 15 minutes are a part b of the rows that is not small, such sums are noisy and too small:
the half-width is Student's quantile times :func:`~.distributed_lag.fixed_b` (Kiefer and Vogelsang
2005). Overlapping returns, the usual shortcut, cover far less: see :mod:`.overlapping`.

Refused (NaN and a status): fewer than twice as many rows as regressors; a p that does not move, or
that the controls explain; weights so concentrated that under ``MIN_EFFECTIVE`` rows carry them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from eventtape.arrays import FloatArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.states.distributed_lag import (
    design_matrix,
    effective_rows,
    fixed_b,
    grid_lags,
    identifying_share,
    least_squares,
    long_run_sd,
    standard_errors,
    whole_reach,
)

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
SERIAL_S = 900.0  # shorter leaves gaps too wide, longer predicted moves too narrow: validation


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
    reach: int = 0  # rows that the Bartlett weights reach over; 0 is plain HC3


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
    serial_s : reach of the Bartlett weights on the HC3 scores; 0 is plain HC3. Bounds, not ``se``,
        are widened by what that reach is of the rows seen (:func:`~.distributed_lag.fixed_b`).
    """
    check_level(level)
    j = grid_lags(step_s, horizon_s, lead_s)
    design = design_matrix(log_price, probability, j, controls)
    n, k = design.X.shape
    reach = whole_reach(step_s, serial_s)
    if n < 2 * k:
        return _no_gap(horizon_s, n, k, Status.TOO_FEW, reach=reach)
    share = identifying_share(design)
    fit = least_squares(design.X, design.r)
    if fit is None:
        return _no_gap(horizon_s, n, k, Status.NOT_IDENTIFIED, share, reach=reach)
    c = np.zeros((k, 1))
    c[1 : 1 + j.size] = 1.0
    weights = fit.q @ (fit.r_inverse.T @ c)
    effective = effective_rows(weights[:, 0])
    if effective < MIN_EFFECTIVE:
        return _no_gap(horizon_s, n, k, Status.NOT_IDENTIFIED, share, effective, reach)
    gap = float(c[:, 0] @ fit.beta)
    se = float(standard_errors(fit, weights, design.rows, step_s, serial_s)[0])
    residual_sd = long_run_sd(fit.residual, design.rows, step_s, serial_s, n - k)
    half = _quantile(n, k, level) * fixed_b(reach / n, level) * se
    return Gap(
        gap, se, gap - half, gap + half, horizon_s, n, k, share, effective, residual_sd, Status.OK,
        reach,
    )  # fmt: skip


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
    j = grid_lags(step_s, horizon_s, lead_s)
    lags = j * step_s
    design = design_matrix(log_price, probability, j, controls)
    n, k = design.X.shape
    fit = least_squares(design.X, design.r) if n >= 2 * k else None
    if fit is None:
        status = Status.TOO_FEW if n < 2 * k else Status.NOT_IDENTIFIED
        blank = np.full(j.size, math.nan)
        return Response(lags, blank, blank, blank, n, status)
    c = np.zeros((k, j.size))
    c[1 : 1 + j.size] = np.triu(np.ones((j.size, j.size)))  # column m sums b up to lag m
    path = c.T @ fit.beta
    weights = fit.q @ (fit.r_inverse.T @ c)
    if effective_rows(weights[:, -1]) < MIN_EFFECTIVE:
        blank = np.full(j.size, math.nan)
        return Response(lags, blank, blank, blank, n, Status.NOT_IDENTIFIED)
    se = standard_errors(fit, weights, design.rows, step_s, serial_s)
    wider = fixed_b(whole_reach(step_s, serial_s) / n, level)
    half = _quantile(n, k, level) * wider * se
    return Response(lags, path, path - half, path + half, n, Status.OK)


def predict_move(
    gap: Gap, probability_move: float, *, n_steps: float, level: float = 0.95
) -> Prediction:
    """The move a gap predicts for a change of p over ``n_steps`` grid steps, in log return.

    A move that was not seen (NaN) has no prediction: ``too few observations``. The interval adds
    what the gap is not known to and what the market does of itself: variance
    (f se dp)^2 + n_steps residual_sd^2, f being the gap's :func:`~.distributed_lag.fixed_b` and
    residual_sd the long-run one.
    """
    check_level(level)
    if not n_steps >= 0.0:
        raise InputError("a number of steps >= 0", met=n_steps)
    if gap.status is not Status.OK or not math.isfinite(probability_move):
        status = Status.TOO_FEW if gap.status is Status.OK else gap.status
        return Prediction(math.nan, math.nan, math.nan, status)
    move = gap.gap * probability_move
    unknown = fixed_b(gap.reach / gap.n_rows, level) * gap.se * probability_move
    sd = math.hypot(unknown, math.sqrt(n_steps) * gap.residual_sd)
    half = _quantile(gap.n_rows, gap.n_regressors, level) * sd
    return Prediction(move, move - half, move + half, Status.OK)


def _quantile(n: int, k: int, level: float) -> float:
    """Student's two-sided quantile with n - k degrees of freedom."""
    return float(stdtrit(n - k, 0.5 * (1.0 + level)))


def _no_gap(
    horizon_s: float,
    n: int,
    k: int,
    status: Status,
    share: float = math.nan,
    effective: float = math.nan,
    reach: int = 0,
) -> Gap:
    nan = math.nan
    return Gap(nan, nan, nan, nan, horizon_s, n, k, share, effective, nan, status, reach)
