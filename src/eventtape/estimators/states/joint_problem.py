r"""A panel of quotes and a path of probability, as arrays the joint fit's kernels take.

Quotes of a snapshot, over their errors, are taken down to ``DIRECTIONS`` smooth ones: Legendre
polynomials in u = log(K / F) / w times the normal density (what a bend of the smile does to
prices), made orthonormal. All a smooth model can say of a smile is in them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from eventtape.arrays import BoolArray, FloatArray
from eventtape.estimators.pricing.implied_vol import implied_vol
from eventtape.estimators.states.joint_kernel import COMMON
from eventtape.estimators.states.joint_noise import REACHES
from eventtape.estimators.states.option_panel import OptionPanel

__all__ = ["DIRECTIONS", "LEAST_QUOTES", "Problem", "problem", "usable_times", "with_data"]

DIRECTIONS = 9
LEAST_QUOTES = 12
PRIOR_SDS = (math.inf, 0.5, 0.7, 1.0)  # delta (none), log vol ratio, skewness, excess kurtosis
_SPAN = 3.5  # standard deviations the polynomials are stretched over


class Problem(NamedTuple):
    """What the kernels need: ``data`` in their order, and where to start.

    ``times`` in steps between snapshots (median); ``gaps`` ``(T,)`` their differences, first 1.
    """

    data: tuple[FloatArray, ...]
    times: FloatArray
    gaps: FloatArray
    gamma: FloatArray  # (reaches, directions): variance a lasting bend puts into each
    start: FloatArray
    widths: FloatArray  # total volatility at the forward, (T,)
    drift_weight: float

    @property
    def width(self) -> float:
        """Total volatility at the forward, in the middle of the snapshots'."""
        return float(np.median(self.widths))


def usable_times(panel: OptionPanel, p: FloatArray) -> tuple[BoolArray, FloatArray]:
    """Snapshots with a probability, enough quotes and a volatility at the forward; the latter."""
    T = panel.times.size
    widths = np.full(T, math.nan)
    for t in range(T):
        seen = np.flatnonzero(np.isfinite(panel.calls[t]))
        if seen.size < LEAST_QUOTES:
            continue
        i = seen[np.argmin(np.abs(panel.strikes[seen] - panel.forwards[t]))]
        F, K = float(panel.forwards[t]), float(panel.strikes[i])
        widths[t] = implied_vol(panel.calls[t, i], F, K, 1.0, is_call=True).vol
    return np.isfinite(widths) & np.isfinite(p) & (p > 0.0) & (p < 1.0), widths


def problem(
    panel: OptionPanel,
    p: FloatArray,
    p_error: FloatArray,
    widths: FloatArray,
    *,
    wedge_sd: float,
    drift_sd: float,
) -> Problem:
    """The arrays of these snapshots, all of them usable."""
    T, n = panel.calls.shape
    u = np.log(panel.strikes / panel.forwards[:, None]) / widths[:, None]
    seen = np.isfinite(panel.calls) & np.isfinite(panel.errors)
    weights = np.where(seen, 1.0 / np.where(seen, panel.errors, 1.0), 0.0)
    basis = np.zeros((T, DIRECTIONS, n))
    for t in range(T):
        bends = np.polynomial.legendre.legvander(u[t] / _SPAN, DIRECTIONS - 1)
        q, r = np.linalg.qr(bends * (np.exp(-0.5 * u[t] ** 2) * weights[t])[:, None])
        basis[t] = (q * np.sign(np.diag(r))).T
    middle, at = basis[T // 2], u[T // 2]
    bent = [np.exp(-np.abs(at[:, None] - at) / reach) for reach in REACHES]
    gamma = np.array([np.einsum("mi,ij,mj->m", middle, E, middle) for E in bent])
    steps = np.diff(panel.times)
    times = (panel.times - panel.times[0]) / float(np.median(steps))
    probit = np.asarray(ndtri(p))
    phi = np.exp(-0.5 * probit**2) / math.sqrt(2.0 * math.pi)
    logs = np.log(panel.forwards)
    precision = [1.0 / sd**2 for sd in (*PRIOR_SDS, wedge_sd)]
    drifts = drift_sd > 0.0
    start = np.zeros(COMMON + (3 if drifts else 2) * T)
    start[COMMON : COMMON + T] = np.log(widths)
    start[COMMON + T : COMMON + 2 * T] = probit
    data = (
        np.log(panel.strikes),
        np.ascontiguousarray(panel.strikes),
        np.where(seen, panel.calls, 0.0),
        weights,
        basis,
        logs,
        np.r_[0.0, np.diff(logs)],
        probit,
        (phi / p_error) ** 2,
        np.array(precision),
    )
    gaps = np.r_[1.0, np.diff(times)]
    weight = 1.0 / drift_sd**2 if drifts else 0.0
    return Problem(data, times, gaps, gamma, start, widths, weight)


def with_data(whole: Problem, **changed: FloatArray) -> Problem:
    """The same problem with other prices, probits or priors."""
    names = {"prices": 2, "log_forward": 5, "moves": 6, "probit": 7, "prior": 9}
    data = list(whole.data)
    for name, value in changed.items():
        data[names[name]] = value
    return whole._replace(data=tuple(data))
