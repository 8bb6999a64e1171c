"""The spread of two expiries: unit roots, coverage, the seed's read-out, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.premium.spread_history import spread_history

DAY = 86_400 * 10**9
NEAR = 0.55


def spread(seed, phi, n, mean=0.0356, start=300):
    """An autoregression of order one about a mean, or a walk from it."""
    e = 0.003 * np.random.default_rng(seed).standard_normal(n + start)
    x = np.zeros(n + start)
    for t in range(1, n + start):
        x[t] = phi * x[t - 1] + e[t]
    return mean + x[start:] - (x[start] if phi == 1.0 else 0.0)


def history(s, **given):
    given = {"n_draws": 199} | given
    return spread_history(np.arange(s.size) * DAY, NEAR + s, np.full(s.size, NEAR), **given)


def test_the_seeds_read_out_is_low_in_its_range():
    """2.55 now against 3.56 on average: the place, the mean, and how long half of it takes."""
    s = spread(3, 0.8, 120, mean=0.0)
    s = 0.0356 + s - s[:-1].mean()
    s[-1] = 0.0255
    s[:-1] += (0.0356 * 120 - s.sum()) / 119  # the mean of all rows is 3.56
    out = history(s)
    assert out.status is Status.OK
    assert (out.now, out.mean) == (pytest.approx(0.0255), pytest.approx(0.0356))
    assert (out.low, out.high) == (pytest.approx(s.min()), pytest.approx(s.max()))
    assert out.quantile == pytest.approx((np.sum(s < s[-1]) + 0.5) / 120)
    assert out.away == pytest.approx((0.0255 - 0.0356) / s.std())
    assert out.mean_lower < 0.0356 < out.mean_upper
    assert out.half_life_lower < math.log(2.0) / -math.log(0.8) < out.half_life_upper
    assert (out.n_rows, out.step_days) == (120, 1.0)


def test_half_lives_are_of_phi_and_the_step():
    s = spread(4, 0.7, 150)
    daily = history(s)
    hourly = spread_history(np.arange(150) * DAY // 24, NEAR + s, np.full(150, NEAR), n_draws=199)
    assert daily.half_life == pytest.approx(math.log(0.5) / math.log(daily.phi))
    assert hourly.half_life == pytest.approx(daily.half_life / 24)
    assert hourly.phi == daily.phi
    assert daily.phi_lower < daily.phi < daily.phi_upper < 1.0


def test_a_walk_looks_range_bound_and_is_not_called_so():
    """Least squares gives 40 walks of 80 days a median half-life of days; ours gives most none."""
    naive, statuses = [], []
    for seed in range(40):
        s = spread(seed, 1.0, 80)
        naive.append(math.log(0.5) / math.log(np.polyfit(s[:-1], s[1:], 1)[0]))
        out = history(s)
        statuses.append(out.status)
        if out.status is Status.NOT_IDENTIFIED:
            assert math.isnan(out.half_life)
            assert math.isnan(out.mean_lower)
            assert out.half_life_upper == math.inf
            assert 0.0 < out.half_life_lower < math.inf
            assert "random walk" in out.reason
            assert math.isfinite(out.mean)
    assert np.median(naive) < 20.0
    assert statuses.count(Status.NOT_IDENTIFIED) >= 34


@pytest.mark.slow
@pytest.mark.parametrize("n", [60, 150])
@pytest.mark.parametrize("phi", [0.3, 0.7, 0.9, 0.97, 1.0])
def test_phi_and_the_mean_are_held_as_often_as_they_say(phi, n):
    """The mean is said only where a walk is excluded; of all histories few say a wrong one."""
    runs, missed, wrong, unsaid, middle = 400, 0, 0, 0, []
    for seed in range(runs):
        out = history(spread(1_000 + seed, phi, n), n_draws=499, seed=seed)
        missed += not out.phi_lower <= phi <= out.phi_upper
        unsaid += out.status is Status.NOT_IDENTIFIED
        wrong += out.mean_lower > 0.0356 or out.mean_upper < 0.0356
        middle.append(out.phi)
    assert missed / runs <= 0.05 + 3 * 0.011
    assert wrong / runs <= 0.05 + 4 * 0.011
    assert abs(np.median(middle) - phi) < 0.03


def test_holes_are_no_neighbours():
    s = spread(5, 0.7, 200)
    s[np.random.default_rng(0).random(200) < 0.15] = math.nan
    out = history(s)
    assert out.n_rows == np.isfinite(s).sum()
    assert out.phi_lower < 0.7 < out.phi_upper
    closed = history(s[np.isfinite(s)])  # as if what is left were neighbours
    assert closed.phi < out.phi


def test_what_returns_within_a_step_has_no_half_life_on_this_grid():
    out = history(spread(6, 0.0, 200))
    assert out.status is Status.NOT_RESOLVED
    assert "finer grid" in out.reason
    assert math.isnan(out.half_life)
    assert out.half_life_upper < 1.0
    assert out.mean_lower < 0.0356 < out.mean_upper


def test_what_cannot_be_said_is_not_said():
    few = history(spread(7, 0.7, 20))
    assert few.status is Status.TOO_FEW
    assert math.isfinite(few.mean)
    assert math.isnan(few.phi)
    still = history(np.full(50, 0.02))
    assert (still.status, still.reason) == (Status.NOT_IDENTIFIED, "it does not move")
    unseen = history(np.full(50, math.nan))
    assert (unseen.status, unseen.n_rows) == (Status.TOO_FEW, 0)


def test_the_same_seed_gives_the_same_answer_and_another_nearly_so():
    s = spread(8, 0.8, 100)
    assert history(s) == history(s)
    a, b = history(s, n_draws=999), history(s, n_draws=999, seed=1)
    assert a.phi == pytest.approx(b.phi, abs=0.02)
    assert a.phi_upper == pytest.approx(b.phi_upper, abs=0.03)
    assert a.phi != b.phi


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"far_iv": np.full(30, 57.78)}, "row 1, column 'far_iv': met 57.78, wanted a decimal"),
        ({"near_iv": np.full(29, 0.5)}, "one shape"),
        ({"ts_ns": np.r_[0, 1, 3, np.arange(4, 31)]}, "row 3, column 'ts': met 2, wanted times at"),
        ({"ts_ns": np.arange(30)[::-1]}, "at least two rising times"),
        ({"level": 0.0}, "a level"),
        ({"n_draws": 30}, "met 30, wanted at least 40 draws for a level of 0.95"),
    ],
    ids=["percent", "shape", "uneven", "falling", "level", "draws"],
)
def test_bad_input_is_named(given, wanted):
    call = {"ts_ns": np.arange(30), "far_iv": np.full(30, 0.5), "near_iv": np.full(30, 0.5)}
    with pytest.raises(InputError, match=wanted):
        spread_history(**(call | given))
