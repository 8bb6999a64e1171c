"""Simulated probabilities: exact laws, ends at 0 or 1, E B_T = B_0 with jumps, quotes on top."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import kstest

from eventtape.errors import InputError
from eventtape.estimators.probability.clocks import (
    ConstantClock,
    InverseRootClock,
    PiecewiseClock,
    TalebClock,
)
from eventtape.estimators.probability.jump_compensator import jump_drift, jump_law, jumped_mean
from eventtape.estimators.probability.probit_martingale import (
    hit_probability,
    probability_cdf,
    probability_variance,
)
from eventtape.simulate.probit_paths import _before_jump, noisy_quotes, probit_paths

JUMPS = jump_law([0.7, 0.4], [0.5, -0.8], [0.2, 0.0])


def z_of_mean(b, start):
    return (b.mean() - start) / b.std() * math.sqrt(b.size)


@pytest.mark.parametrize("clock", [ConstantClock(0.8), TalebClock(0.7, 1.0)], ids=str)
def test_law_at_each_time_is_the_closed_form(clock):
    """20,000 paths over uneven steps; Kolmogorov-Smirnov at 1 in 1000 for each time.

    Not later: with more information B comes so near to 1 that a double says 1.
    """
    t = np.array([0.0, 0.05, 0.5, 0.6])
    paths = probit_paths(t, 0.58, clock, n_paths=20_000, seed=4).probability
    for k in range(1, 4):
        L = clock.information(0.0, t[k])
        test = kstest(paths[:, k], lambda b: probability_cdf(b, 0.58, L))  # noqa: B023
        assert test.pvalue > 1e-3
    # From one time to the next as well: the law of the last given the one before.
    L = clock.information(t[2], t[3])
    uniform = probability_cdf(paths[:, 3], paths[:, 2], np.full(paths.shape[0], L))
    assert kstest(uniform, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("clock", [InverseRootClock(0.7, 1.0), TalebClock(0.7, 1.0)], ids=str)
def test_a_revealing_clock_ends_at_exactly_0_or_1(clock):
    out = probit_paths(np.linspace(0.0, 1.0, 6), 0.3, clock, n_paths=20_000, seed=1).probability
    assert set(np.unique(out[:, -1])) == {0.0, 1.0}
    assert out[:, -1].mean() == pytest.approx(0.3, abs=3.3 * math.sqrt(0.21 / 20_000))
    # Calibrated on the way: the end given the time before.
    before = out[:, -2]
    z = np.sum(out[:, -1] - before) / math.sqrt(np.sum(before * (1.0 - before)))
    assert abs(z) < 3.3


def test_a_clock_that_stands_still_leaves_b_where_it_is():
    clock = PiecewiseClock((0.0, 1.0, 2.0, 3.0), (0.5, 0.0, 0.5))
    out = probit_paths([0.0, 1.0, 2.0, 3.0], 0.4, clock, n_paths=5, seed=2).probability
    np.testing.assert_array_equal(out[:, 1], out[:, 2])
    assert np.all(out[:, 2] != out[:, 3])


def test_passing_a_level_agrees_with_the_integral_equation():
    """2,000 steps miss a passage between them with a shift of .58 sd of a step (Broadie et al.)."""
    t = np.linspace(0.0, 1.0, 2_001)
    out = probit_paths(t, 0.58, ConstantClock(1.0), n_paths=4_000, seed=3).probability
    seen = np.mean(out.max(axis=1) >= 0.9)
    shifted = ndtr(ndtri(0.9) + 0.5826 * math.sqrt(1.0 / 2_000))
    want = hit_probability(0.58, float(shifted), 1.0)
    assert seen == pytest.approx(want, abs=3.3 * math.sqrt(want * (1.0 - want) / 4_000))


@pytest.mark.parametrize("q", [0.002, 0.02, 0.4])
@pytest.mark.parametrize("u", [-6.0, -1.0, 0.0, 2.0, 7.5])
def test_where_a_jump_starts_is_the_root_of_its_equation(u, q):
    share, wide = JUMPS.intensity / JUMPS.intensity.sum(), np.sqrt(1.0 + JUMPS.sd**2)
    v = _before_jump(u, q, share, JUMPS.mean, wide)
    side = -1.0 if u > 0.0 else 1.0

    def left_over(x):
        after = share @ ndtr((x + side * JUMPS.mean) / wide)
        return ((1.0 - q) * ndtr(x) + q * after) / ndtr(side * u) - 1.0

    assert side * v == pytest.approx(brentq(left_over, -12.0, 12.0, xtol=1e-15), abs=1e-12)


def test_one_step_of_jumps_keeps_the_mean_to_rounding():
    """By quadrature, not by draws: (1 - q) Phi(V) + q E Phi(V + z) = Phi(U) on a range of U."""
    share, wide = JUMPS.intensity / JUMPS.intensity.sum(), np.sqrt(1.0 + JUMPS.sd**2)
    u = np.linspace(-4.0, 4.0, 41)
    v = np.array([_before_jump(x, 0.3, share, JUMPS.mean, wide) for x in u])
    np.testing.assert_allclose(0.7 * ndtr(v) + 0.3 * jumped_mean(v, JUMPS), ndtr(u), rtol=1e-13)
    # And for small parts the shift is the drift of the continuous law.
    h = 1e-6
    v = np.array([_before_jump(x, h * 1.1, share, JUMPS.mean, wide) for x in u])
    np.testing.assert_allclose((v - u) / h, jump_drift(u, JUMPS), rtol=1e-4, atol=1e-6)


def test_mean_stays_with_jumps():
    out = probit_paths(
        [0.0, 0.5, 1.0], 0.3, ConstantClock(0.5), n_paths=10_000, jumps=JUMPS, seed=5
    )
    for k in (1, 2):
        assert abs(z_of_mean(out.probability[:, k], 0.3)) < 3.3
    count = out.n_jumps.mean()
    assert count == pytest.approx(1.1, abs=0.02 + 3.3 * math.sqrt(1.1 / 10_000))
    more = out.probability[:, -1].var()
    assert more > 1.3 * float(probability_variance(0.3, 0.5))


def test_jumps_only_and_an_end_that_reveals():
    out = probit_paths(
        [0.0, 0.7, 1.0], 0.6, InverseRootClock(0.5, 1.0), n_paths=5_000, jumps=JUMPS, seed=6
    ).probability
    assert set(np.unique(out[:, -1])) == {0.0, 1.0}
    assert abs(z_of_mean(out[:, -1], 0.6)) < 3.3


def test_seeds_and_shapes():
    a, b, c = (
        probit_paths([0.0, 1.0], 0.5, ConstantClock(1.0), n_paths=3, seed=s).probability
        for s in (7, 7, 8)
    )
    np.testing.assert_array_equal(a, b)
    assert np.all(a[:, 1] != c[:, 1])
    alone = probit_paths([2.0], 0.5, ConstantClock(1.0), seed=1)
    np.testing.assert_array_equal(alone.probability, [[0.5]])


def test_quotes_are_late_noisy_and_on_the_tick():
    t = np.arange(2_001.0)
    p = probit_paths(t, 0.5, ConstantClock(5e-4), n_paths=2, seed=9).probability
    np.testing.assert_array_equal(noisy_quotes(t, p, seed=0), p)
    late = noisy_quotes(t, p, delay=20.0, seed=0)
    np.testing.assert_array_equal(late[:, 100:], p[:, 80:-20])
    np.testing.assert_array_equal(late[:, :20], p[:, :1].repeat(20, axis=1))
    noise = noisy_quotes(t, p, noise_sd=0.003, seed=0) - p
    assert noise.std() == pytest.approx(0.003, rel=0.05)
    ticked = noisy_quotes(t, np.clip(p, 0.0, 0.004), noise_sd=0.003, tick=0.01, seed=0)
    assert ticked.min() == pytest.approx(0.01)
    np.testing.assert_allclose(ticked / 0.01, np.round(ticked / 0.01), atol=1e-9)


@pytest.mark.parametrize(
    "args",
    [
        {"times": [0.0, 0.0]},
        {"times": [[0.0, 1.0]]},
        {"probability": 1.0},
        {"n_paths": 0},
        {"seed": -1},
        {"jump_step": 0.0},
        {"times": [0.0, 3.0], "clock": TalebClock(1.0, 2.0)},
    ],
    ids=str,
)
def test_simulations_that_are_none_are_errors(args):
    given = {"times": [0.0, 1.0], "probability": 0.5, "clock": ConstantClock(1.0), "seed": 1}
    with pytest.raises(InputError):
        probit_paths(**(given | args))


def test_quotes_that_are_none_are_errors():
    for args in ({"tick": 0.6}, {"delay": -1.0}, {"noise_sd": -0.1}):
        with pytest.raises(InputError):
            noisy_quotes([0.0, 1.0], [0.5, 0.5], seed=1, **args)
    with pytest.raises(InputError):
        noisy_quotes([0.0, 1.0], [0.5], seed=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "jumps",
    [JUMPS, jump_law(1.0, 1.0), jump_law([1.0, 1.0], [0.5, -0.5]), jump_law(1.5, 0.0, 0.4)],
    ids=["mixture", "one probit up", "two point", "normal"],
)
def test_a_million_paths_with_jumps_keep_their_mean(jumps):
    """Printed: E B_T - B_0 in standard errors; seed 11, L = .5, one unit of time."""
    for start in (0.1, 0.5):
        out = probit_paths(
            [0.0, 1.0], start, ConstantClock(0.5), n_paths=1_000_000, jumps=jumps, seed=11
        )
        b = out.probability[:, -1]
        z = z_of_mean(b, start)
        print(f"B0 {start}: E B_T - B_0 {b.mean() - start:+.6f}, z {z:+.2f}, var {b.var():.5f}")  # noqa: T201
        assert abs(z) < 3.5
