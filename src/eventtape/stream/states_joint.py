"""The joint fit over the last snapshots of one chain: the panel, its answer, or why there is none.

What the study of states does at its reference time, over a window that moves: options out of the
money at strikes that every snapshot lists, undiscounted at each snapshot's own forward. Means and
densities are those of the last snapshot that the fit could use.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, Status
from eventtape.clock import SECOND
from eventtape.estimators.density.quote_noise import infer_tick
from eventtape.estimators.pricing.gram_charlier import GramCharlierStates
from eventtape.estimators.states.joint_fit import joint_fit
from eventtape.estimators.states.joint_means import SHAPES_KNOWN, state_means
from eventtape.estimators.states.option_panel import OptionPanel, option_panel
from eventtape.stream.density_rows import Law

__all__ = ["JointAnswer", "Snapshot", "joint_answer", "panel_of", "snapshot_of"]

_LEAST_STRIKES = 5
_ALIKE = "the likelihood of no gap is too near: the states' shapes are not known"
_BROKE = "the fit's equations are singular"


class Snapshot(NamedTuple):
    """One chain at one time: options out of the money ``(n_strikes,)``, NaN where not quoted."""

    at_ns: int
    probability: float
    tau: float
    forward: float
    discount: float
    tick: float
    strikes: FloatArray
    bids: FloatArray
    asks: FloatArray


class JointAnswer(NamedTuple):
    """Ends of the means' intervals if so and if not, the gap with its own, and two densities.

    All NaN where ``status`` refuses. Densities ``(n,)`` are per unit of strike; empty where the
    states' shapes are not known, which ``reason`` then says.
    """

    probability: float
    up: tuple[float, float]
    down: tuple[float, float]
    gap: tuple[float, float, float]
    pdf_up: FloatArray
    pdf_down: FloatArray
    status: Status
    reason: str


def snapshot_of(law: Law, probability: float) -> Snapshot:
    """What the joint fit keeps of a chain."""
    strikes = np.unique(law.strikes)
    sides = np.full((2, strikes.size), math.nan)
    out = law.is_call == (law.strikes >= law.density.forward)
    sound = out & ~(law.bids > law.asks)
    at = np.searchsorted(strikes, law.strikes[sound])
    sides[0, at], sides[1, at] = law.bids[sound], law.asks[sound]
    d = law.density
    return Snapshot(
        law.at_ns, probability, d.tau, d.forward, law.discount, law.tick, strikes, *sides
    )


def panel_of(window: tuple[Snapshot, ...]) -> OptionPanel | None:
    """The window at strikes that all of its snapshots list; None with under five."""
    strikes = reduce(np.intersect1d, [one.strikes for one in window])
    if strikes.size < _LEAST_STRIKES:
        return None
    at = [np.searchsorted(one.strikes, strikes) for one in window]
    times = np.array([one.at_ns for one in window], np.int64)
    forwards = np.array([one.forward for one in window])
    return option_panel(
        (times - times[0]) / SECOND,
        np.array([one.tau for one in window]),
        forwards,
        strikes,
        forwards[:, None] <= strikes,
        np.stack([one.bids[i] for one, i in zip(window, at, strict=True)]),
        np.stack([one.asks[i] for one, i in zip(window, at, strict=True)]),
        tick=infer_tick([one.tick for one in window]),
        discounts=np.array([one.discount for one in window]),
    )


def joint_answer(
    window: tuple[Snapshot, ...],
    grid: FloatArray,
    *,
    p_error: float,
    wedge_sd: float,
    level: float,
) -> JointAnswer:
    """The joint fit of a window, its densities at ``grid``; or why there is none."""
    p = np.array([one.probability for one in window])
    panel = panel_of(window)
    if panel is None:
        return _none(p[-1], Status.TOO_FEW, "under five strikes listed at every snapshot")
    try:
        fit = joint_fit(panel, p, p_error=p_error, wedge_sd=wedge_sd, level=level)
    except np.linalg.LinAlgError:
        return _none(p[-1], Status.NO_CONVERGENCE, _BROKE)
    verdict = fit.verdict
    if verdict.status is not Status.OK:
        return _none(p[-1], verdict.status, verdict.reason)
    at = int(np.flatnonzero(np.isfinite(fit.mean_1))[-1])
    up, down = ((mean.lower, mean.upper) for mean in state_means(fit, at, level))
    gap = (fit.delta, fit.lower, fit.upper)
    if fit.zero_fall < SHAPES_KNOWN:
        none = np.empty(0)
        return JointAnswer(float(p[at]), up, down, gap, none, none, Status.OK, _ALIKE)
    one, other = (np.maximum(_state(fit.laws[-1], i).pdf(grid), 0.0) for i in (0, 1))
    return JointAnswer(float(p[at]), up, down, gap, one, other, Status.OK, "")


def _none(probability: float, status: Status, reason: str) -> JointAnswer:
    nan, none = math.nan, np.empty(0)
    return JointAnswer(
        float(probability), (nan, nan), (nan, nan), (nan, nan, nan), none, none, status, reason
    )


def _state(law: GramCharlierStates, i: int) -> GramCharlierStates:
    """One state as a law of its own."""
    one = slice(i, i + 1)
    return law._replace(weights=np.ones(1), means=law.means[one], vols=law.vols[one])
