"""Premium and odds: walks that are unrelated, coverage in levels and changes, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import pearsonr

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.premium.odds_link import odds_link
from eventtape.tape.sampling import as_of


def walks(rng, n, rho=0.0, noise=0.0):
    """Two random walks whose steps correlate, quoted with noise."""
    e = rng.standard_normal((2, n))
    e[1] = rho * e[0] + math.sqrt(1.0 - rho**2) * e[1]
    return np.cumsum(e, axis=1) + noise * rng.standard_normal((2, n))


def stormy(rng, n, rho):
    """As walks, but both move more at some times than at others."""
    e = np.diff(walks(rng, n + 1, rho), axis=1)
    return np.cumsum(e * np.exp(1.6 * np.cumsum(rng.standard_normal(n)) / math.sqrt(n)), axis=1)


def autoregressive(rng, n, phi, rho):
    """Two stationary series of one memory whose correlation in levels is ``rho``."""
    e = np.diff(walks(rng, n + 301, rho), axis=1)
    x = np.zeros_like(e)
    for t in range(1, e.shape[1]):
        x[:, t] = phi * x[:, t - 1] + e[:, t]
    return x[:, 300:]


def misses(make, n, rho, runs, seed=1):
    """Parts of runs in which ours in levels, the naive in levels and ours in changes miss rho."""
    rng, missed = np.random.default_rng(seed), np.zeros(3)
    for _ in range(runs):
        link = odds_link(*make(rng, n))
        levels, changes = link.levels, link.changes
        missed += [
            levels.lower > rho or levels.upper < rho,  # none said: none missed
            levels.naive_lower > rho or levels.naive_upper < rho,
            not changes.lower <= rho <= changes.upper,
        ]
    return missed / runs


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_unrelated_walks_are_not_found_related(noise):
    """The textbook's interval excludes 0 in most of 150 pairs, ours in few, and changes in 5%."""
    ours, naive, changes = misses(lambda rng, n: walks(rng, n, 0.0, noise), 120, 0.0, 150)
    assert naive > 0.6
    assert ours <= 0.05
    assert changes <= 0.10  # a standard error is 0.018


@pytest.mark.slow
@pytest.mark.parametrize("n", [60, 200])
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_of_a_thousand_pairs_of_walks_few_are_found_related(noise, n):
    ours, naive, changes = misses(lambda rng, k: walks(rng, k, 0.0, noise), n, 0.0, 1_000)
    assert naive > 0.55
    assert ours <= 0.05
    assert 0.02 <= changes <= 0.08


@pytest.mark.slow
@pytest.mark.parametrize("n", [60, 200])
@pytest.mark.parametrize("rho", [0.0, 0.5, -0.8])
@pytest.mark.parametrize("phi", [0.5, 0.9])
def test_a_correlation_of_levels_is_held_as_often_as_it_says(phi, rho, n):
    ours, naive, _ = misses(lambda rng, k: autoregressive(rng, k, phi, rho), n, rho, 500)
    assert ours <= 0.08
    assert naive > ours


@pytest.mark.slow
@pytest.mark.parametrize("n", [60, 200])
@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_a_correlation_of_changes_is_held_when_volatility_moves(rho, n):
    _, _, changes = misses(lambda rng, k: stormy(rng, k, rho), n, rho, 1_000)
    assert changes <= 0.09


def test_a_link_of_changes_is_found_where_levels_say_nothing():
    x, y = walks(np.random.default_rng(3), 150, rho=0.6)
    link = odds_link(x, y)
    assert link.levels.status is Status.NOT_IDENTIFIED
    assert "wander" in link.levels.reason
    assert math.isnan(link.levels.lower)
    assert link.levels.effective < 5.0
    assert link.levels.correlation == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert link.changes.lower > 0.3
    assert link.changes.lower < 0.6 < link.changes.upper


def test_the_naive_interval_is_that_of_scipy():
    x, y = walks(np.random.default_rng(4), 80, rho=0.3)
    link = odds_link(x, y, level=0.9)
    for ours, (a, b) in ((link.levels, (x, y)), (link.changes, (np.diff(x), np.diff(y)))):
        theirs = pearsonr(a, b)
        low, high = theirs.confidence_interval(0.9)
        assert ours.correlation == pytest.approx(theirs.statistic)
        assert (ours.naive_lower, ours.naive_upper) == pytest.approx((low, high))


def test_independent_rows_are_worth_what_they_are():
    x, y = np.random.default_rng(5).standard_normal((2, 500))
    link = odds_link(x, 0.5 * x + y)
    assert link.levels.effective > 450
    assert link.levels.lower < 0.5 / math.sqrt(1.25) < link.levels.upper
    assert link.levels.upper - link.levels.lower < 0.15


def test_order_units_and_direction_do_not_matter():
    x, y = walks(np.random.default_rng(6), 90, rho=0.4)
    plain, turned = odds_link(x, y), odds_link(1e-3 * y + 0.4, -7.0 * x)
    for a, b in ((plain.levels, turned.levels), (plain.changes, turned.changes)):
        assert b.correlation == pytest.approx(-a.correlation)
        assert b.effective == pytest.approx(a.effective, rel=1e-6)
        np.testing.assert_allclose([b.lower, b.upper], [-a.upper, -a.lower], rtol=1e-6)


def test_holes_drop_rows_and_no_others():
    x, y = walks(np.random.default_rng(7), 200, rho=0.5)
    holes = np.random.default_rng(8).random((2, 200)) < 0.1
    a, b = np.where(holes[0], math.nan, x), np.where(holes[1], math.nan, y)
    link = odds_link(a, b)
    both = ~holes.any(axis=0)
    assert link.levels.n_rows == both.sum()
    assert link.changes.n_rows == (both[1:] & both[:-1]).sum()
    kept = both[1:] & both[:-1]
    r = np.corrcoef(np.diff(x)[kept], np.diff(y)[kept])[0, 1]
    assert link.changes.correlation == pytest.approx(r)


def test_changes_that_overlap_are_worth_fewer():
    x, y = walks(np.random.default_rng(9), 400, rho=0.5)
    one, ten = odds_link(x, y), odds_link(x, y, change_rows=10)
    assert ten.change_rows == 10
    assert ten.changes.effective < 0.35 * one.changes.effective
    assert ten.changes.lower < 0.5 < ten.changes.upper


def test_what_cannot_be_said_is_not_said():
    x, y = walks(np.random.default_rng(10), 60)
    few = odds_link(x[:19], y[:19])
    assert (few.levels.status, few.changes.status) == (Status.TOO_FEW, Status.TOO_FEW)
    assert math.isnan(few.levels.correlation)
    still = odds_link(x, np.full(60, 0.5))
    assert still.levels.status is still.changes.status is Status.NOT_IDENTIFIED
    assert still.levels.reason == "no move in the odds"
    trends = odds_link(np.linspace(0.11, 0.08, 60), np.linspace(0.47, 0.50, 60))
    assert trends.levels.status is Status.NOT_IDENTIFIED
    assert trends.levels.correlation == pytest.approx(-1.0)
    assert trends.changes.status is Status.NOT_IDENTIFIED
    same = odds_link(x, x)
    assert same.changes.correlation == pytest.approx(1.0)
    assert same.changes.lower > 0.99


@pytest.mark.parametrize(
    ("x", "given", "wanted"),
    [
        (np.zeros(4), {}, r"one shape \(n,\)"),
        (np.array([0.0, math.inf, 1.0, 2.0, 3.0]), {}, "row 2, column 'premium': met inf"),
        (np.zeros((5, 1)), {}, r"values of shape \(n,\)"),
        (np.zeros(5), {"change_rows": 0}, "changes over 1 to 4 rows"),
        (np.zeros(5), {"change_rows": 5}, "changes over 1 to 4 rows"),
        (np.zeros(5), {"level": 95.0}, "a level between 0 and 1"),
    ],
    ids=["shape", "inf", "2d", "no change", "long change", "level"],
)
def test_bad_input_is_named(x, given, wanted):
    with pytest.raises(InputError, match=wanted):
        odds_link(x, np.arange(5.0), **given)


def test_ticks_of_their_own_times_keep_their_link_over_long_changes():
    """Both seen at random times, holes longer than the largest age; short changes lose it."""
    rng = np.random.default_rng(11)
    x, y = walks(rng, 20_000, rho=0.6)
    grid = np.arange(0, 20_000, 10)
    seen = []
    for values in (x, y):
        t = np.flatnonzero(rng.random(20_000) < 0.05)
        t = t[(t < 4_000) | (t > 4_500)]
        seen.append(as_of(t, values[t], grid, max_age_ns=100))
    short, long = odds_link(*seen), odds_link(*seen, change_rows=30)
    assert np.isnan(seen[0]).sum() > 30
    assert short.changes.upper < 0.6
    assert short.changes.correlation < 0.8 * long.changes.correlation
    assert long.changes.lower < 0.6 < long.changes.upper
    assert long.changes.lower > 0.3
