"""The factor of a Bartlett reach against its limit law and the published cubics; sizes of gaps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.states.distributed_lag import fixed_b, grid_lags
from eventtape.estimators.states.outcome_gap import outcome_gap, predict_move, response

# Kiefer and Vogelsang (2005), Bartlett kernel: critical value of t one-sided, cubic in b
PUBLISHED = {
    0.80: (1.2816, 1.3040, 0.5135, -0.3386),
    0.90: (1.6449, 2.1859, 0.3142, -0.3427),
    0.95: (1.9600, 2.9694, 0.4160, -0.5324),
    0.98: (2.3263, 4.1618, 0.5368, -0.9060),
}


@pytest.mark.parametrize("level", PUBLISHED)
def test_near_the_published_cubics(level):
    """2%: what a cubic in b with three free numbers leaves of the law, by our own draws."""
    for b in np.linspace(0.01, 1.0, 34):
        cubic = np.polynomial.polynomial.polyval(b, PUBLISHED[level]) / PUBLISHED[level][0]
        assert fixed_b(b, level) == pytest.approx(cubic, rel=0.02)


def test_small_reaches_are_those_of_the_expansion():
    """First order in b by hand: cv / z = 1 + b (2/3 + z^2 / 6) (Sun, Phillips and Jin 2008).

    Its bracket is met to .08: the least squares are over all b, not at 0.
    """
    for level in (0.5, 0.8, 0.9, 0.95, 0.99):
        z = norm.ppf(0.5 + level / 2)
        slope = (fixed_b(1e-6, level) - 1.0) / 1e-6
        assert slope == pytest.approx(2.0 / 3.0 + z * z / 6.0, abs=0.15)


def test_no_reach_widens_nothing_and_more_widens_more():
    for level in (0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999):
        factors = [fixed_b(b, level) for b in np.linspace(0.0, 3.0, 301)]
        assert factors[0] == 1.0
        assert (np.diff(factors) > 0.0).all()
        assert fixed_b(4.0, level) == pytest.approx(2.0 * factors[100], rel=1e-12)
    for b in (0.02, 0.2, 1.0):
        assert (np.diff([fixed_b(b, level) for level in np.linspace(0.01, 0.9999, 200)]) > 0).all()


@pytest.mark.parametrize("b", [-0.1, math.inf, math.nan])
def test_a_reach_that_is_none_is_refused(b):
    with pytest.raises(InputError, match="b >= 0"):
        fixed_b(b, 0.95)
    with pytest.raises(InputError, match="level"):
        fixed_b(0.1, 1.0)


@pytest.mark.slow
def test_the_limit_law_is_held_at_the_level():
    """200,000 bridges of 1,000 steps: within 3.5 binomial standard errors at each level and b."""
    steps, blocks, size = 1000, 100, 2000
    rng = np.random.default_rng(20)
    reaches, levels = (0.05, 0.2, 0.5), (0.8, 0.9, 0.95, 0.99)
    wide = np.array([[norm.ppf(0.5 + v / 2) * fixed_b(b, v) for v in levels] for b in reaches])
    inside = np.zeros(wide.shape)
    for _ in range(blocks):
        moves = rng.standard_normal((size, steps))
        end = np.abs(moves.sum(axis=1)) / math.sqrt(steps)
        bridge = np.cumsum(moves - moves.mean(axis=1, keepdims=True), axis=1) / math.sqrt(steps)
        square = np.einsum("ij,ij->i", bridge, bridge)
        for i, b in enumerate(reaches):
            m = round(b * steps)
            cross = np.einsum("ij,ij->i", bridge[:, :-m], bridge[:, m:])
            size_of_t = end / np.sqrt(2.0 / m * (square - cross))
            inside[i] += (size_of_t[:, None] <= wide[i]).sum(axis=0)
    rates = inside / (blocks * size)
    print(np.round(rates, 4))  # noqa: T201
    for i, b in enumerate(reaches):
        for k, level in enumerate(levels):
            error = math.sqrt(level * (1.0 - level) / (blocks * size))
            assert abs(rates[i, k] - level) < 3.5 * error, (b, level)


def walk(seed, n):
    """A price and a probability that know nothing of each other: the gap is 0."""
    rng = np.random.default_rng(seed)
    p = np.clip(0.5 + 0.004 * np.cumsum(rng.standard_normal(n)), 0.02, 0.98)
    return 3e-4 * np.cumsum(rng.standard_normal(n)), p


def excluded(step_s, horizon_s, times, runs):
    """How often 0 lies outside, of ``times`` as many rows as regressors; and without the factor."""
    args = {"step_s": step_s, "horizon_s": horizon_s, "lead_s": 600.0}
    lags = grid_lags(**args).size
    n = times * (lags + 1) + lags
    new = old = 0
    for seed in range(runs):
        out = outcome_gap(*walk([21, times, seed], n), **args)
        assert out.status is Status.OK
        assert out.n_rows == times * out.n_regressors
        half = out.upper - out.gap
        new += abs(out.gap) > half
        old += abs(out.gap) > half / fixed_b(out.reach / out.n_rows, 0.95)
    return new / runs, old / runs


def test_the_first_interval_a_live_fold_would_show_keeps_its_level():
    """500 runs: a rate of 5% has a binomial standard error of 1%. Without the factor it is 10%."""
    new, old = excluded(10.0, 600.0, 2, 500)
    assert 0.01 < new < 0.06
    assert old > 0.07


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step_s", "horizon_s", "times", "runs"),
    [
        (10.0, 600.0, 2, 2500),
        (10.0, 600.0, 3, 2500),
        (10.0, 600.0, 6, 2500),
        (60.0, 1800.0, 2, 10_000),
        (60.0, 1800.0, 4, 5000),
        (60.0, 1800.0, 11, 5000),
    ],
)
def test_intervals_of_unrelated_walks_keep_their_level(step_s, horizon_s, times, runs):
    """Rates in 2 to 6%; a rate of 5% has a standard error of .44% in 2,500 runs, of .31% in 5,000.

    The shortest (84 rows, 42 regressors) is 2.2%: HC3 is wide where leverages are near one half.
    """
    new, old = excluded(step_s, horizon_s, times, runs)
    print(f"{step_s:g} s, {times} rows a regressor, {runs} runs: {new:.4f}; t alone {old:.4f}")  # noqa: T201
    assert 0.02 <= new <= 0.06


def test_the_factor_is_on_every_half_width():
    """Of the gap, of the response, and of the gap's part of a prediction; at any level."""
    args = {"step_s": 60.0, "horizon_s": 600.0}
    x, p = walk(22, 150)
    for level in (0.8, 0.95):
        out = outcome_gap(x, p, **args, level=level)
        plain = out._replace(reach=0)
        wider = fixed_b(15 / out.n_rows, level)
        assert out.reach == 15
        assert wider > 1.1
        whole = predict_move(out, 0.3, n_steps=0.0, level=level)
        bare = predict_move(plain, 0.3, n_steps=0.0, level=level)
        assert whole.upper - whole.move == pytest.approx(wider * (bare.upper - bare.move))
        assert whole.upper - whole.move == pytest.approx(0.3 * (out.upper - out.gap))
        path = response(x, p, **args, level=level)
        assert path.upper[-1] == pytest.approx(out.upper, rel=1e-9)


def test_plain_hc3_is_not_widened():
    x, p = walk(23, 150)
    args = {"step_s": 60.0, "horizon_s": 600.0, "serial_s": 0.0}
    out = outcome_gap(x, p, **args)
    assert out.reach == 0
    told = predict_move(out, 0.3, n_steps=0.0)
    assert told.upper - told.move == pytest.approx(0.3 * (out.upper - out.gap))


def test_refused_gaps_say_their_reach():
    x, p = walk(24, 150)
    for one in (x[:20], p[:20]), (x, np.full_like(p, 0.5)):
        out = outcome_gap(*one, step_s=60.0, horizon_s=600.0)
        assert out.status is not Status.OK
        assert out.reach == 15
