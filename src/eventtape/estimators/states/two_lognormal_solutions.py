r"""Minima of a two-state fit, each with what moves it and with the chance that it fits.

A minimum x of sum_i ((model_i(x) - target_i) / e_i)^2 moves with the target as
dx = (J'J)^-1 J' d(target) / e (Gauss and Newton), J the weighted Jacobian; the target's errors are
independent deviations, so x has the covariance B B' with B their images. A prior counts as one more
observation, of 0 with its own deviation. Roots of the moments move with them by the implicit
function theorem.

The objective at the truth is a weighted sum of chi-squares: the deviations that x cannot follow,
R = deviations - J B, have mean square tr(R'R) and variance 2 tr((R'R)^2); its p-value is that of
a chi-square scaled to these two (Satterthwaite 1946, Biometrics 2).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc

from eventtape.arrays import FloatArray
from eventtape.estimators.states.two_lognormal_curve import (
    Curve,
    gap_and_widths,
    moment_slopes,
    moment_solutions,
)
from eventtape.estimators.states.two_lognormal_kernel import (
    bounds_of,
    minima,
    model_and_slopes,
)

__all__ = ["ADMITTED", "FITS", "Solution", "by_moments", "on_curve"]

FITS, ADMITTED = 0.01, 0.001  # p-values: of the answer, and of what could stand in its place


class Solution(NamedTuple):
    """One answer: delta, log w1, log w0, skewness and excess kurtosis ``(5,)``.

    - ``objective``, ``fits``: on the curve, and the p-value that it is noise.
    - ``by_law`` ``(5, m)``, ``by_p`` ``(5,)``: what an independent deviation, and p, do to x.
    - ``ended``: the search did; ``at_bound``: at the end of a parameter's range.
    """

    x: FloatArray
    objective: float
    fits: float
    by_law: FloatArray
    by_p: FloatArray
    ended: bool
    at_bound: bool

    def error(self, which: int, p_error: float) -> float:
        """Standard error of one parameter."""
        return math.hypot(
            float(np.linalg.norm(self.by_law[which])), float(self.by_p[which]) * p_error
        )


def on_curve(curve: Curve, p: float, priors: FloatArray) -> list[Solution]:
    """Every minimum, best first; ``priors`` ``(2,)``: sd of a common shape, zeros for none."""
    free, found = 5 if priors[0] > 0.0 else 3, []
    low, high = bounds_of(curve.width, priors)
    for row in minima(*curve.fitted, p, priors, curve.width):
        model, J, shifts = _linear(curve, p, row[:5])
        if free == 5:
            J = np.vstack([J, np.eye(5)[3:] / priors[:, None]])
            wide = np.zeros((J.shape[0], shifts.shape[1] + 2))
            wide[:-2, :-2], wide[-2:, -2:] = shifts, np.eye(2)
            shifts = wide
        solver = np.linalg.pinv(J[:, :free], rcond=1e-12)
        by_law, by_p = np.zeros((5, shifts.shape[1])), np.zeros(5)
        by_law[:free] = solver @ shifts
        by_p[:free] = -solver[:, : curve.y.size] @ (model[6] / curve.errors)
        objective = float(row[5])
        fits = _fits(curve, shifts - J @ by_law, objective)
        ended = bool(row[6] == 1.0)
        at_bound = bool(((row[:free] <= low[:free]) | (row[:free] >= high[:free])).any())
        found.append(Solution(row[:5].copy(), objective, fits, by_law, by_p, ended, at_bound))
    return found


def by_moments(curve: Curve, p: float) -> list[Solution]:
    """Every pair of states with the curve's log moments, the nearest to the curve first."""
    found = []
    for state in moment_solutions(p, curve.moments):
        x, by_law, by_p = np.zeros(5), np.zeros((5, curve.shifts.shape[1])), np.zeros(5)
        x[:3], of_x = gap_and_widths(state)
        slopes = moment_slopes(p, state)
        turned = of_x @ np.linalg.pinv(slopes[:, :3], rcond=1e-12)
        by_law[:3], by_p[:3] = turned @ curve.moment_shifts, -turned @ slopes[:, 3]
        model, J, shifts = _linear(curve, p, x)
        objective = float(np.sum(((model[0] - curve.target) / curve.errors) ** 2))
        fits = _fits(curve, shifts - J @ by_law, objective)
        found.append(Solution(x, objective, fits, by_law, by_p, ended=True, at_bound=False))
    return sorted(found, key=lambda s: s.objective)


def _linear(curve: Curve, p: float, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The model ``(7, n)`` at x; Jacobian ``(n, 5)`` and deviations ``(n, m)``, weighted."""
    n = curve.y.size
    scratch, out = np.empty((12, n)), np.empty((7, n))
    scratch[0] = np.exp(curve.y)
    model_and_slopes(curve.prices, curve.y, p, x, scratch, out)
    return out, (out[1:6] / curve.errors).T, curve.shifts / curve.errors[:, None]


def _fits(curve: Curve, left: FloatArray, objective: float) -> float:
    """P-value of the objective; of a law without errors, 1 where it is met and 0 where not."""
    if curve.shifts.shape[1] == 0:
        return 1.0 if objective <= curve.y.size else 0.0
    inner = left.T @ left
    mean, variance = float(np.trace(inner)), 2.0 * float(np.sum(inner * inner))
    if not variance > 0.0:
        return math.nan
    return float(chdtrc(2.0 * mean**2 / variance, 2.0 * mean * objective / variance))
