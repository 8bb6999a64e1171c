"""Where the joint fit's assumptions fail it says something wrong: how often, on known truths.

Each case breaks one assumption and counts, over twelve simulated days or spans of weeks (seeds
0 to 11), how often a gap is claimed where there is none, or one that is there is missed. Slow
(``pytest -m slow -s``); docs/states.md quotes the counts. A case that starts to be refused is good
news: mend the page then.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr

from eventtape.arrays import Status
from eventtape.estimators.pricing.gram_charlier import GramCharlierStates
from eventtape.estimators.pricing.kou import kou
from eventtape.estimators.states.joint_fit import joint_fit
from eventtape.simulate.two_states import DAY, WEEKS, two_states
from eventtape.studies.state_trials import panel_of

pytestmark = pytest.mark.slow

RUNS = 12
SHAPE = {"skewness": -0.3, "excess_kurtosis": 0.4}


def quoted_around(market, calls, seed):
    """The same panel with other true calls, each with an error of its own size."""
    panel = panel_of(market)
    noise = np.random.default_rng([9, seed]).standard_normal(calls.shape)
    seen = np.where(np.isfinite(panel.calls), 1.0, math.nan)
    return panel._replace(calls=(calls + 0.8 * panel.errors * noise) * seen)


def count(name, fits, truth):
    stands = [f for f in fits if f.verdict.status is Status.OK]
    claims = sum(not f.lower <= 0.0 <= f.upper for f in stands)
    missed = sum(not f.lower <= truth <= f.upper for f in stands)
    print(f"\n{name}: of {len(fits)}, {len(stands)} stand, {claims} claim a gap, {missed} miss")  # noqa: T201
    return len(stands), claims, missed


def test_states_of_different_skewness_are_taken_for_a_gap():
    fits = []
    for seed in range(RUNS):
        market = two_states(seed, delta=0.0, p_noise=0.01, **SHAPE)
        calls = np.zeros_like(market.truth.calls)
        for t, law in enumerate(market.truth.laws):
            for j, skewness in enumerate((-0.25, -0.35)):
                one = GramCharlierStates(
                    np.ones(1), law.means[j : j + 1], law.vols[j : j + 1], skewness, 0.4, law.tau
                )
                calls[t] += law.weights[j] * one.call(market.strikes)
        panel = quoted_around(market, calls, seed)
        fits.append(joint_fit(panel, market.probability, p_error=0.01))
    _, claims, _ = count("skewness -.25 and -.35, no gap", fits, 0.0)
    assert claims >= RUNS // 2


def test_a_shape_that_scales_with_time_is_taken_for_a_gap_too_often():
    """Weeks whose skewness goes from -.2 to -.5 as expiry comes near, as of independent moves."""
    fits = []
    for seed in range(RUNS):
        market = two_states(
            seed, delta=0.0, span=WEEKS, p_noise=0.01, skewness=-0.2, excess_kurtosis=0.8,
            skew_drift=-0.3,
        )  # fmt: skip
        fits.append(joint_fit(panel_of(market), market.probability, p_error=0.01, drift_sd=0.004))
    _, claims, _ = count("weeks, skewness -.2 to -.5, no gap", fits, 0.0)
    assert claims >= 2  # of 12 where one in twenty would be right


def test_a_probability_that_follows_the_price_makes_a_gap():
    fits = []
    for seed in range(RUNS):
        market = two_states(seed, delta=0.0, span=DAY, **SHAPE)
        moved = np.log(market.forward / market.forward[0])
        follows = ndtr(8.0 * moved + 0.005 * np.random.default_rng(seed).standard_normal(40))
        fits.append(joint_fit(panel_of(market), follows, p_error=0.002))
    _, claims, _ = count("p follows the price, no gap", fits, 0.0)
    assert claims >= RUNS // 2


def test_a_small_gap_between_states_of_few_large_jumps_is_missed():
    """Half of the variance in one jump a horizon; a gap of 3%."""
    fits = []
    for seed in range(RUNS):
        market = two_states(seed, delta=0.03, p_noise=0.01, **SHAPE)
        calls = np.zeros_like(market.truth.calls)
        for t, law in enumerate(market.truth.laws):
            vol = float(law.vols[0])
            size = math.sqrt(0.5 * vol**2 * law.tau / 2.0)  # E J^2 = 2 size^2, one jump expected
            for j in range(2):
                state = kou(
                    float(law.means[j]), law.tau, vol / math.sqrt(2.0),
                    intensity=1.0 / law.tau, up_probability=0.45, mean_up=size, mean_down=size,
                )  # fmt: skip
                calls[t] += law.weights[j] * state.call(market.strikes)
        panel = quoted_around(market, calls, seed)
        fits.append(joint_fit(panel, market.probability, p_error=0.01))
    stands, _, missed = count("Kou states, one jump, gap 3%", fits, 0.03)
    assert stands > 0
    assert missed >= stands // 2
