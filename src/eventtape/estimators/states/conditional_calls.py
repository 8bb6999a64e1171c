r"""What would options cost under the outcome, and without it? Two call curves from one exposure.

From a curve C and the slopes D on the pricing probability p (:mod:`.exposure`)::

    C1 = C + (1 - p) D,    C0 = C - p D,    p C1 + (1 - p) C0 = C.

Measured ones are rarely curves: neighbouring strikes err apart, and a second difference magnifies
it. Both states are given masses g1, g0 >= 0 that sum to one (:mod:`.convex_repair`), so that each
curve decreases, is convex and above its intrinsic value, and C and D are moved as little as makes
that possible, in the metric of their errors: a quadratic program, solved exactly. A strike whose
slope was refused is left to the shape of the others: it enters as 0 with ten times the sd of its
prior. What was moved is reported.

Intervals are percentiles of the repaired curves of ``draws`` draws of C (normal) and D (Student)
with their errors. Masses, and so densities, are as rough as the quotes: give a fitted curve as
``price`` of the exposure for smooth ones. Calls and means need none of that.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import BoolArray, FloatArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.least_distance import least_distance
from eventtape.estimators.states.convex_repair import call_matrix, support
from eventtape.estimators.states.exposure import Exposure

__all__ = ["ConditionalCalls", "CurveRepair", "conditional_calls"]

_SLACK = 1e-7  # calls are priced in cents, and the conditions are hundreds

_INDEPENDENT = 0.02  # share of the errors' variance taken as each strike's own: else not invertible
_WIDE = 10.0  # sds of its prior, for a strike that was refused


class CurveRepair(NamedTuple):
    """What making the two curves convex changed."""

    distance: float  # length of the change in errors; its square is a sum over strikes
    largest: float  # the largest change of a slope, in its own errors
    largest_strike: float
    largest_price: float  # the largest change of the price itself, price units
    negative_mass: FloatArray  # (2,), before, state 0 and state 1
    mass_moved: FloatArray  # (2,), half the sum of absolute changes
    violated: BoolArray  # (2, n_nodes), where a mass was negative


class ConditionalCalls(NamedTuple):
    """Two states at one time; row 0 is state 0 and row 1 is state 1, NaN where refused.

    ``calls`` and their bands ``(2, n_strikes)``, undiscounted, the first strike 0 (the mean);
    ``masses`` ``(2, n_nodes)``; ``density`` at the positive strikes, per unit of strike; means and
    sds ``(2,)`` in price units, bands ``(2, 2)`` as (lower, upper) by state.
    """

    strikes: FloatArray
    calls: FloatArray
    calls_lower: FloatArray
    calls_upper: FloatArray
    nodes: FloatArray
    masses: FloatArray
    density: FloatArray
    density_lower: FloatArray
    density_upper: FloatArray
    mean: FloatArray
    mean_band: FloatArray
    sd: FloatArray
    sd_band: FloatArray
    delta: float  # log of mean 1 over mean 0
    delta_band: FloatArray  # (2,)
    repair: CurveRepair | None
    status: Status


class _Problem(NamedTuple):
    """G theta >= h says that both states are laws; theta is C and D, root their errors' root."""

    G: FloatArray
    h: FloatArray
    root: FloatArray
    GL: FloatArray


class _States(NamedTuple):
    masses: FloatArray
    calls: FloatArray
    density: FloatArray
    mean: FloatArray
    sd: FloatArray
    delta: float


def conditional_calls(
    measured: Exposure,
    *,
    price_sd: ArrayLike,
    draws: int = 200,
    seed: int = 0,
    level: float = 0.95,
) -> ConditionalCalls:
    """Undiscounted calls, densities, means and sds per state, with bands and what was repaired.

    Parameters
    ----------
    measured
        an exposure of calls with the forward as its first instrument; every price of its
        reference row seen.
    price_sd
        error of the reference prices, one or ``(m,)`` as the instruments; above 0.
    draws
        for the bands; 10 or more.

    Raises
    ------
    InputError
        Without the forward, with under three strikes, or a reference price that is not seen.
    """
    check_level(level)
    K, C, p = measured.strikes, measured.price, measured.probability
    if K.size < 4 or K[0] != 0.0:
        raise InputError("an exposure with its forward and three strikes or more", met=K.tolist())
    if not np.isfinite(C).all():
        at = int(np.argmin(np.isfinite(C)))
        raise InputError("reference prices that are all seen", column=f"strike {K[at]:g}")
    own = np.broadcast_to(np.asarray(price_sd, np.float64), C.shape)
    if not np.all(own > 0.0):
        raise InputError("price sds above 0", met=own.tolist())
    if draws < 10:
        raise InputError("10 draws or more", met=draws)
    x = support(K, C)
    if measured.verdict.status is not Status.OK:
        return _refused(K, x, measured.verdict.status)
    problem = _problem(K, x, p, own, measured)
    theta = np.r_[C, np.where(np.isfinite(measured.slope), measured.slope, 0.0)]
    best = _nearest(problem, theta)
    if best is None:
        return _refused(K, x, Status.NO_CONVERGENCE)
    rng = np.random.default_rng(seed)
    shocks = rng.standard_normal((draws, theta.size)) @ problem.root.T
    shocks[:, K.size :] *= np.sqrt(measured.dof / rng.chisquare(measured.dof, (draws, 1)))
    drawn = [t for s in shocks if (t := _nearest(problem, theta + s)) is not None]
    if len(drawn) < 0.9 * draws:
        return _refused(K, x, Status.NO_CONVERGENCE)
    tails = [0.5 - 0.5 * level, 0.5 + 0.5 * level]
    answer = _states(problem, best, x, p)
    each = [_states(problem, t, x, p) for t in drawn]
    calls, density, mean, sd, delta = (
        np.quantile(np.array([a[j] for a in each]), tails, axis=0) for j in range(1, 6)
    )
    repair = _report(problem, theta, best, measured)
    return ConditionalCalls(
        K, answer.calls, calls[0], calls[1], x, answer.masses,
        answer.density, density[0], density[1],
        answer.mean, mean, answer.sd, sd, answer.delta, delta, repair, Status.OK,
    )  # fmt: skip


def _problem(
    K: FloatArray, x: FloatArray, p: float, own: FloatArray, measured: Exposure
) -> _Problem:
    m = K.size
    inverse = np.linalg.inv(np.vstack([call_matrix(K, x), np.ones(x.size)]))
    to_mass, unit = inverse[:, :m], inverse[:, m]
    G = np.block([[to_mass, -p * to_mass], [to_mass, (1.0 - p) * to_mass]])
    known = np.isfinite(measured.slope)
    V = np.where(np.outer(known, known), measured.covariance, 0.0)
    V *= 1.0 - _INDEPENDENT
    prior = np.where(np.isfinite(measured.prior_sd), measured.prior_sd, own)
    diagonal = np.where(known, np.nan_to_num(measured.se) ** 2, (_WIDE * prior) ** 2)
    np.fill_diagonal(V, np.maximum(diagonal, 1e-12 * own**2))
    root = np.zeros((2 * m, 2 * m))
    root[:m, :m] = np.diag(own)
    root[m:, m:] = np.linalg.cholesky(V)
    return _Problem(G, -np.r_[unit, unit], root, G @ root)


def _nearest(problem: _Problem, theta: FloatArray) -> FloatArray | None:
    z = least_distance(problem.GL, problem.h - problem.G @ theta, slack=_SLACK)
    return None if z is None else theta + problem.root @ z


def _states(problem: _Problem, theta: FloatArray, x: FloatArray, p: float) -> _States:
    """Both states of one theta that is feasible; rounding below zero is put to zero."""
    C, D = np.split(theta, 2)
    g = np.maximum((problem.G @ theta - problem.h).reshape(2, -1), 0.0)
    mean = g @ x
    sd = np.sqrt(np.maximum(g @ x**2 - mean**2, 0.0))
    width = 0.5 * (x[2:] - x[:-2])
    calls = np.stack([C - p * D, C + (1.0 - p) * D])
    return _States(g, calls, g[:, 1:-1] / width, mean, sd, math.log(mean[1] / mean[0]))


def _report(
    problem: _Problem,
    theta: FloatArray,
    best: FloatArray,
    measured: Exposure,
) -> CurveRepair:
    K, m = measured.strikes, measured.strikes.size
    before = (problem.G @ theta - problem.h).reshape(2, -1)
    after = (problem.G @ best - problem.h).reshape(2, -1)
    change = best - theta
    errors = np.sqrt(np.sum(problem.root**2, axis=1))
    known = np.isfinite(measured.slope)
    ratio = np.where(known, np.abs(change[m:]) / errors[m:], 0.0)
    most = int(np.argmax(ratio))
    return CurveRepair(
        float(np.linalg.norm(np.linalg.solve(problem.root, change))),
        float(ratio[most]),
        float(K[most]),
        float(np.abs(change[:m]).max()),
        -np.minimum(before, 0.0).sum(axis=1),
        0.5 * np.abs(after - before).sum(axis=1),
        before < -1e-12,
    )


def _refused(K: FloatArray, x: FloatArray, status: Status) -> ConditionalCalls:
    def blank(*shape: int) -> FloatArray:
        return np.full(shape, math.nan)

    m = K.size
    return ConditionalCalls(
        K, blank(2, m), blank(2, m), blank(2, m), x, blank(2, m + 1), blank(2, m - 1),
        blank(2, m - 1), blank(2, m - 1), blank(2), blank(2, 2), blank(2), blank(2, 2),
        math.nan, blank(2), None, status,
    )  # fmt: skip
