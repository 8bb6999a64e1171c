r"""The density under either outcome on a grid, with bands, beside the most it can be.

The joint fit's states at the reference time are Gram-Charlier laws of the gap, the log ratio of the
volatilities, skewness, excess kurtosis, a level of volatility and the probit of the pricing
probability, whose errors there have one covariance. The gap is drawn from its profile likelihood,
which near no gap is no parabola, and the other five given the gap. Bands are percentiles of the
densities of ``_DRAWS`` draws, strike by strike; a density below 0 counts as 0. Nothing is drawn
where the fit is refused, nor where the likelihood of no gap is near (:mod:`.states_rungs`): there
that of the shapes is no parabola either, and bands of this kind hold 86% at a nominal 95.

What no assumption can exceed: f1 <= f / p and f0 <= f / (1 - p).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr, ndtri

from eventtape.arrays import FloatArray, Status
from eventtape.estimators.pricing.gram_charlier import GramCharlierStates
from eventtape.estimators.pricing.lognormal_mixture import LognormalMixture
from eventtape.estimators.states.bounds_envelope import state_envelope
from eventtape.estimators.states.joint_result import JointFit
from eventtape.studies.states_rows import (
    JOINT,
    TWO_LOGNORMAL,
    Rung,
    Snapshot,
    StateCurve,
    StateGrid,
)

__all__ = ["state_grid"]

_DRAWS = 400
_ALIKE = "the likelihood of no gap is too near: the states' shapes are not known"


def state_grid(
    at: Snapshot,
    fit: JointFit | None,
    place: int,
    rungs: tuple[Rung, ...],
    truth: GramCharlierStates | None,
    *,
    level: float,
    seed: int,
) -> StateGrid | None:
    """The grid of the reference time, ``place`` its row in the fit; None without a density."""
    if at.density is None:
        return None
    f = at.density
    strikes = f.strikes
    low, high = (at.p_low, at.p_high) if math.isfinite(at.p_low) else (at.p, at.p)
    most_1 = state_envelope(f, low, strikes).pdf_upper
    most_0 = state_envelope(f, 1.0 - high, strikes).pdf_upper
    by_name = {rung.name: rung for rung in rungs}
    joint, pair = by_name[JOINT], by_name[TWO_LOGNORMAL]
    curves = (
        _joint_curve(strikes, fit, place, joint, level, seed),
        _pair_curve(strikes, at, pair),
    )
    nothing = np.full(strikes.size, math.nan)
    true = [nothing, nothing] if truth is None else [_state(truth, i).pdf(strikes) for i in (0, 1)]
    return StateGrid(strikes, f.pdf, f.pdf_error, most_1, most_0, curves, true[0], true[1])


def _blank(strikes: FloatArray, rung: Rung) -> StateCurve:
    a, b, c, d, e, f = np.full((6, strikes.size), math.nan)
    return StateCurve(rung.name, a, b, c, d, e, f, rung.status, rung.reason)


def _state(law: GramCharlierStates, i: int) -> GramCharlierStates:
    """One state as a law of its own."""
    one = slice(i, i + 1)
    return law._replace(weights=np.ones(1), means=law.means[one], vols=law.vols[one])


def _joint_curve(
    strikes: FloatArray, fit: JointFit | None, t: int, rung: Rung, level: float, seed: int
) -> StateCurve:
    if fit is None or rung.status is not Status.OK:
        return _blank(strikes, rung)
    if not math.isfinite(fit.probability[t]):
        fate, why = Status.TOO_FEW, "too few quotes at the reference time"
        return _blank(strikes, rung)._replace(status=fate, reason=why)
    if not rung.vol_1.known:
        return _blank(strikes, rung)._replace(status=Status.NOT_RESOLVED, reason=_ALIKE)
    law = _law_at(fit, t)
    drawn = [_densities(strikes, one) for one in _draws(fit, t, seed)]
    tails = [0.5 - 0.5 * level, 0.5 + 0.5 * level]
    low, high = np.quantile(np.array(drawn), tails, axis=0)
    best = _densities(strikes, law)
    return StateCurve(
        JOINT, best[0], low[0], high[0], best[1], low[1], high[1], rung.status, rung.reason
    )


def _densities(strikes: FloatArray, law: GramCharlierStates) -> FloatArray:
    return np.stack([np.maximum(_state(law, i).pdf(strikes), 0.0) for i in (0, 1)])


def _draws(fit: JointFit, t: int, seed: int) -> list[GramCharlierStates]:
    """Laws at time ``t`` with errors drawn; the forward is held."""
    law, rng = _law_at(fit, t), np.random.default_rng(seed)
    covariance = fit.local_covariance[t]
    own = max(float(covariance[0, 0]) - float(fit.covariance[0, 0]), 0.0)
    moved = _gaps(fit, rng) - fit.delta + math.sqrt(own) * rng.standard_normal(_DRAWS)
    slope = covariance[1:, 0] / covariance[0, 0]
    rest = covariance[1:, 1:] - np.outer(slope, covariance[0, 1:])
    values, vectors = np.linalg.eigh(rest)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    others = np.outer(moved, slope) + rng.standard_normal((_DRAWS, 5)) @ root.T
    grown = np.exp(float(fit.delta_path[t]) + moved)
    p = ndtr(ndtri(float(fit.probability[t])) + others[:, 4])
    m0 = law.forward / (1.0 - p + p * grown)
    ratio = np.outer(0.5 * others[:, 0], [1.0, -1.0])
    vols = law.vols * np.exp(others[:, 3:4] + ratio)
    return [
        GramCharlierStates(
            np.array([p[i], 1.0 - p[i]]),
            np.array([m0[i] * grown[i], m0[i]]),
            vols[i],
            law.skewness + float(others[i, 1]),
            law.excess_kurtosis + float(others[i, 2]),
            law.tau,
        )
        for i in range(_DRAWS)
    ]


def _gaps(fit: JointFit, rng: np.random.Generator) -> FloatArray:
    """Draws of the gap from exp(-fall / 2), straight between the profile's places."""
    deltas, falls, _ = fit.profile
    height = np.exp(-0.5 * falls)
    mass = np.r_[0.0, np.cumsum(0.5 * (height[1:] + height[:-1]) * np.diff(deltas))]
    return np.asarray(np.interp(rng.random(_DRAWS) * mass[-1], mass, deltas))


def _law_at(fit: JointFit, t: int) -> GramCharlierStates:
    """The law of time ``t``: laws are of the times used, and the others have no probability."""
    return fit.laws[int(np.count_nonzero(np.isfinite(fit.probability[:t])))]


def _pair_curve(strikes: FloatArray, at: Snapshot, rung: Rung) -> StateCurve:
    """Two lognormals: their densities, which have no bands."""
    found = at.two_lognormal
    if found is None or found.law is None or rung.status is not Status.OK:
        return _blank(strikes, rung)
    law, one = found.law, np.ones(1)
    pdfs = [
        LognormalMixture(one, law.means[i : i + 1], law.vols[i : i + 1], law.tau).pdf(strikes)
        for i in (0, 1)
    ]
    none = np.full(strikes.size, math.nan)
    return StateCurve(
        TWO_LOGNORMAL, pdfs[0], none, none, pdfs[1], none, none, rung.status, rung.reason
    )
