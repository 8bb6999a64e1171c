"""How often does the joint fit hold the truth, how often does it refuse, and is it ever fooled?

Markets of two known states (:mod:`eventtape.simulate.two_states`) are drawn from running seeds and
fitted; what is counted is what a reader of the verdict is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray, Status
from eventtape.estimators.states.joint_fit import joint_fit
from eventtape.estimators.states.option_panel import OptionPanel, option_panel
from eventtape.simulate.two_states import DAY, WEEKS, TwoStates, two_states

__all__ = ["DESIGNS", "GAPS", "StateTrials", "panel_of", "state_trials", "trials_table"]

GAPS = (0.0, 0.03, -0.03, 0.08, -0.08)
_SHAPE = {"skewness": -0.3, "excess_kurtosis": 0.4}

DESIGNS: Mapping[str, Mapping[str, Any]] = {
    "a day": {"span": DAY},
    "a day, skew, noisy p": {"span": DAY, "p_noise": 0.01, **_SHAPE},
    "a day, skew, noisy p, lasting noise": {
        "span": DAY, "p_noise": 0.01, "memory_share": 0.25, "memory": 0.7, **_SHAPE,
    },
    "a day, skew, noisy p, stubborn noise": {
        "span": DAY, "p_noise": 0.01, "memory_share": 0.5, "memory": 0.9, **_SHAPE,
    },
    "twelve weeks, drift": {"span": WEEKS, "drift": 0.004},
    "twelve weeks, drift, skew, noisy p": {
        "span": WEEKS, "drift": 0.004, "p_noise": 0.01, **_SHAPE,
    },
    "a day, skewness gains .01 by itself": {
        "span": DAY, "p_noise": 0.01, "skew_drift": 0.01, **_SHAPE,
    },
    "a day, skewness gains .03 by itself": {
        "span": DAY, "p_noise": 0.01, "skew_drift": 0.03, **_SHAPE,
    },
}  # fmt: skip
"""What is asked, and two kinds of noise that lasts: mild, and as stubborn as p itself is slow;
last, two in which the states' shape is not constant, which the fit assumes."""


class StateTrials(NamedTuple):
    """One row a run ``(n,)``: the truth, the interval before the verdict, and the verdict."""

    truth: FloatArray
    estimate: FloatArray  # NaN where refused
    lower: FloatArray
    upper: FloatArray
    stands: BoolArray

    @property
    def refused(self) -> float:
        """Share of runs refused."""
        return float(1.0 - self.stands.mean())

    @property
    def coverage(self) -> float:
        """Share of the intervals that stand which hold the truth."""
        held = (self.lower <= self.truth) & (self.truth <= self.upper)
        return float(held[self.stands].mean()) if self.stands.any() else math.nan

    @property
    def rmse(self) -> float:
        """Root mean square error of the estimates that stand."""
        miss = (self.estimate - self.truth)[self.stands]
        return float(np.sqrt(np.mean(miss**2))) if self.stands.any() else math.nan

    @property
    def bias(self) -> float:
        """Mean error of the estimates that stand."""
        miss = (self.estimate - self.truth)[self.stands]
        return float(miss.mean()) if self.stands.any() else math.nan

    @property
    def claimed(self) -> float:
        """Share of all runs whose interval stands and leaves out 0."""
        return float(np.mean(self.stands & ((self.lower > 0.0) | (self.upper < 0.0))))


def panel_of(market: TwoStates) -> OptionPanel:
    """The quotes of a simulated market as the joint fit takes them."""
    seconds = (market.times_ns - market.times_ns[0]) / 1e9
    return option_panel(
        seconds, market.tau, market.forward, market.strikes, market.is_call, market.bids,
        market.asks, tick=market.tick,
    )  # fmt: skip


def state_trials(
    seeds: Sequence[int],
    *,
    delta: float,
    progress: Callable[[float], None] | None = None,
    **design: Any,
) -> StateTrials:
    """Fits of one market a seed: a gap of ``delta``, the rest to :func:`.two_states`."""
    rows = []
    for k, seed in enumerate(seeds):
        market = two_states(seed, delta=delta, **design)
        fit = joint_fit(
            panel_of(market), market.probability, p_error=market.probability_sd,
            drift_sd=float(design.get("drift", 0.0)),
        )  # fmt: skip
        rows.append((
            float(market.truth.delta.mean()), fit.delta, *fit.interval,
            fit.verdict.status is Status.OK,
        ))  # fmt: skip
        if progress:
            progress((k + 1) / len(seeds))
    columns = np.array(rows, np.float64).T
    truth, estimate, lower, upper, stands = columns
    return StateTrials(truth, estimate, lower, upper, stands > 0.0)


def trials_table(found: Mapping[tuple[str, float], StateTrials]) -> str:
    """One line a cell."""
    lines = ["design | gap | runs | refused | coverage | rmse | bias | a gap is claimed"]
    lines += [
        f"{name} | {gap:+.2f} | {t.truth.size} | {t.refused:.3f} | {t.coverage:.3f} | "
        f"{t.rmse:.4f} | {t.bias:+.4f} | {t.claimed:.3f}"
        for (name, gap), t in found.items()
    ]
    return "\n".join(lines)
