r"""The density under either outcome on a grid, with bands, beside the most it can be.

The joint fit's states at the reference time are Gram-Charlier laws of delta, the log ratio of the
volatilities, skewness and excess kurtosis, whose errors have one covariance, and of a level of
volatility and a pricing probability, whose errors have their own. Bands are percentiles of the
densities of ``_DRAWS`` draws of all six, strike by strike; a density below 0 counts as 0. Nothing
is drawn where the fit is refused.

What no assumption can exceed: f1 <= f / p and f0 <= f / (1 - p).
"""

from __future__ import annotations

import math

import numpy as np

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
    law = fit.laws[t]
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
    law, rng = fit.laws[t], np.random.default_rng(seed)
    covariance = fit.covariance
    z = rng.standard_normal((_DRAWS, 6))
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    moved = z[:, :4] @ root.T
    # At this time the gap is known worse, or better, than on average
    scale = (
        float(fit.delta_path_error[t]) / math.sqrt(covariance[0, 0])
        if covariance[0, 0] > 0.0
        else 1.0
    )
    level_sd = math.sqrt(max(float(fit.vol_error[t]) ** 2 - 0.25 * float(covariance[1, 1]), 0.0))
    delta = float(fit.delta_path[t]) + scale * moved[:, 0]
    p = np.clip(fit.probability[t] + fit.probability_error[t] * z[:, 5], 1e-3, 1.0 - 1e-3)
    forward, base = law.forward, math.sqrt(float(law.vols[0] * law.vols[1]))
    out = []
    for i in range(_DRAWS):
        ratio = 0.5 * (fit.log_vol_ratio + moved[i, 1]) * np.array([1.0, -1.0])
        grown = math.exp(delta[i])
        m0 = forward / (1.0 - p[i] + p[i] * grown)
        out.append(
            GramCharlierStates(
                np.array([p[i], 1.0 - p[i]]),
                np.array([m0 * grown, m0]),
                base * np.exp(level_sd * z[i, 4] + ratio),
                law.skewness + float(moved[i, 2]),
                law.excess_kurtosis + float(moved[i, 3]),
                law.tau,
            )
        )
    return out


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
