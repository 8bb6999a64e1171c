r"""Each rung's numbers at the reference time, in one shape: an estimate, its interval, or why none.

A rung that cannot be asked is a row with its reason, first reason first: no density; no probability
that moves; too few snapshots. What an estimator refuses keeps its own words. Means and
volatilities of a refused rung are nothing too, for they rest on the same gap.

The exposure's slope D on the forward is m1 - m0, so the gap where its curves stand is theirs; the
volatility of a state is the lognormal's of the same mean m and standard deviation s,
log(1 + s^2 / m^2) = vol^2 tau.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from eventtape.arrays import FloatArray, Status
from eventtape.estimators.states.bounds_interval import Bound
from eventtape.estimators.states.conditional_calls import ConditionalCalls, conditional_calls
from eventtape.estimators.states.exposure import Exposure, exposure
from eventtape.estimators.states.identification import Verdict
from eventtape.estimators.states.joint_means import SHAPES_KNOWN, state_means
from eventtape.estimators.states.joint_result import JointFit
from eventtape.estimators.states.option_panel import OptionPanel
from eventtape.studies.states_rows import (
    ASSUMPTIONS,
    BOUNDS,
    EXPOSURE,
    JOINT,
    NOTHING,
    TWO_LOGNORMAL,
    Estimate,
    Rung,
    Snapshot,
    StatesConfig,
)

__all__ = [
    "MeasuredExposure",
    "bounds_rung",
    "exposure_rung",
    "joint_rung",
    "lognormal_rung",
    "measured_exposure",
    "refused_rung",
]

_MOST_STRIKES = 12  # neighbours err apart, and a second difference magnifies it
_LEAST_STRIKES = 3
_NEGATIVE = 1e-3  # mass, as the bounds have it


class MeasuredExposure(NamedTuple):
    """Slopes, and the two curves where the forward's slope stands; or why there are none."""

    slopes: Exposure | None
    calls: ConditionalCalls | None
    status: Status
    reason: str


def refused_rung(name: str, status: Status, reason: str, verdict: Verdict | None = None) -> Rung:
    """A rung without numbers."""
    none = NOTHING
    return Rung(name, ASSUMPTIONS[name], none, none, none, none, none, verdict, status, reason)


def bounds_rung(at: Snapshot) -> Rung:
    """The sharp bounds: intervals around them, no number inside; no vol that rests on the tails."""
    b = at.bounds
    if b is None or math.isnan(float(b.gap.lower)):
        status = at.status if b is None else b.status
        fate = Status.NOT_RESOLVED if status is Status.OK else status
        return refused_rung(BOUNDS, fate, at.reason or "the density is none")
    status, reason = at.status, at.reason
    parts = (b.gap, b.state1.mean, b.state0.mean)
    if status is Status.OK and b.negative_mass > _NEGATIVE:
        status, reason = Status.NOT_RESOLVED, f"the density is negative on {b.negative_mass:.1%}"
    elif status is Status.OK and not all(bool(x.resolved) for x in parts):
        status, reason = Status.NOT_RESOLVED, "it rests on the tails beyond the quotes"
    return Rung(
        BOUNDS,
        ASSUMPTIONS[BOUNDS],
        _between(b.gap),
        _between(b.state1.mean),
        _between(b.state0.mean),
        _between(b.state1.vol) if bool(b.state1.vol.resolved) else NOTHING,
        _between(b.state0.vol) if bool(b.state0.vol.resolved) else NOTHING,
        None,
        status,
        reason,
    )


def _between(bound: Bound) -> Estimate:
    return Estimate(math.nan, float(bound.interval_lower), float(bound.interval_upper))


def measured_exposure(
    panel: OptionPanel, p: FloatArray, config: StatesConfig, at: int
) -> MeasuredExposure:
    """Slopes of the forward and of calls seen at every time, a dozen strikes at most."""
    seen = np.flatnonzero(np.isfinite(panel.calls).all(axis=0))
    if seen.size < _LEAST_STRIKES:
        reason = f"{seen.size} strikes quoted at all {p.size} times"
        return MeasuredExposure(None, None, Status.TOO_FEW, reason)
    if seen.size > _MOST_STRIKES:
        seen = seen[np.unique(np.linspace(0, seen.size - 1, _MOST_STRIKES).round().astype(int))]
    slopes = exposure(
        panel.times,
        panel.calls[:, seen],
        p,
        strikes=panel.strikes[seen],
        forward=panel.forwards,
        p_error=config.p_error,
        wedge_sd=config.wedge_sd,
        at=at,
        placebos=config.placebos,
        seed=config.seed,
        level=config.level,
    )
    verdict = slopes.verdict
    if verdict.status is not Status.OK:
        return MeasuredExposure(slopes, None, verdict.status, verdict.reason)
    errors = panel.errors[at, seen]
    calls = conditional_calls(
        slopes,
        price_sd=np.r_[float(errors.min()), errors],
        seed=config.seed,
        level=config.level,
    )
    reason = "" if calls.status is Status.OK else "no two convex curves near the slopes"
    return MeasuredExposure(slopes, calls, calls.status, reason)


def exposure_rung(found: MeasuredExposure, at: Snapshot) -> Rung:
    """The exposure's two curves at the reference time."""
    verdict = None if found.slopes is None else found.slopes.verdict
    calls = found.calls
    if found.status is not Status.OK or calls is None:
        return refused_rung(EXPOSURE, found.status, found.reason, verdict)
    low, high = calls.delta_band.tolist()
    means = np.vstack([calls.mean, calls.mean_band])
    vols = np.sqrt(np.log1p((np.vstack([calls.sd, calls.sd_band]) / calls.mean) ** 2) / at.tau)
    return Rung(
        EXPOSURE,
        ASSUMPTIONS[EXPOSURE],
        Estimate(calls.delta, low, high),
        Estimate(*means[:, 1].tolist()),
        Estimate(*means[:, 0].tolist()),
        Estimate(*vols[:, 1].tolist()),
        Estimate(*vols[:, 0].tolist()),
        verdict,
        Status.OK,
        "",
    )


def joint_rung(fit: JointFit, at: int, level: float) -> Rung:
    """The joint fit: the mean gap over the times, means and volatilities at one of them.

    Where no gap at all is not far beneath (a fall under ``SHAPES_KNOWN``) no state has a
    volatility: too few of their intervals hold the truth.
    """
    v = fit.verdict
    if v.status is not Status.OK:
        return refused_rung(JOINT, v.status, v.reason, v)
    z = float(ndtri(0.5 + 0.5 * level))
    mean_1, mean_0 = state_means(fit, at, level)
    local = fit.local_covariance[at]
    told = fit.zero_fall >= SHAPES_KNOWN

    def vol(value: FloatArray, side: float) -> Estimate:
        variance = local[4, 4] + side * local[1, 4] + 0.25 * local[1, 1]
        s, grown = float(value[at]), math.exp(z * math.sqrt(variance))
        return Estimate(s, s / grown, s * grown)

    return Rung(
        JOINT,
        ASSUMPTIONS[JOINT],
        Estimate(fit.delta, fit.lower, fit.upper),
        Estimate(*mean_1),
        Estimate(*mean_0),
        vol(fit.vol_1, 1.0) if told else NOTHING,
        vol(fit.vol_0, -1.0) if told else NOTHING,
        v,
        Status.OK,
        "",
    )


def lognormal_rung(at: Snapshot, level: float) -> Rung:
    """Two lognormals at the reference time."""
    found = at.two_lognormal
    if found is None:
        return refused_rung(TWO_LOGNORMAL, at.status, at.reason)
    v = found.verdict
    if v.status is not Status.OK:
        return refused_rung(TWO_LOGNORMAL, v.status, v.reason, v)
    z = float(ndtri(0.5 + 0.5 * level))

    def around(value: float, error: float) -> Estimate:
        return Estimate(value, value - z * error, value + z * error)

    return Rung(
        TWO_LOGNORMAL,
        ASSUMPTIONS[TWO_LOGNORMAL],
        Estimate(found.delta, found.lower, found.upper),
        around(found.mean_1, found.mean_1_error),
        around(found.mean_0, found.mean_0_error),
        around(found.vol_1, found.vol_1_error),
        around(found.vol_0, found.vol_0_error),
        v,
        Status.OK,
        "",
    )
