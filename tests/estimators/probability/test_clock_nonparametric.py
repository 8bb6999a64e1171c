"""Realised and bipower clocks and jumps against brute force, chi-squared, and simulated truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import chi2

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.probability.block_moves import (
    block_moves,
    choose_block,
    gauge_quotes,
    serial_noise,
    spread_of_sum,
)
from eventtape.estimators.probability.clock_nonparametric import realised_clock
from eventtape.estimators.probability.jump_detection import find_jumps, gumbel_threshold
from eventtape.estimators.probability.probit_quotes import ready_quotes

DAY = 86_400 * 10**9
YEAR = 365 * DAY
RATE = 20.0


def history(seed, *, n=300, noise=0.0, jumps=(), days=10, rate=RATE):
    """Times, quotes and jump times: a constant clock, jumps of U before given quotes."""
    rng = np.random.default_rng(seed)
    ts = np.unique(np.r_[0, rng.integers(1, days * DAY, n - 1)])
    U, marks = [0.1], dict(jumps)
    for i, dt in enumerate(np.diff(ts) / YEAR):
        L = rate * dt
        move = math.sqrt(math.expm1(L)) * rng.standard_normal() + marks.get(i + 1, 0.0)
        U.append(math.exp(0.5 * L) * U[-1] + move)
    y = ndtr(np.array(U)) + noise * rng.standard_normal(len(U))
    return ts, np.clip(y, 0.002, 0.998), ts[[i for i, _ in jumps]]


@pytest.mark.parametrize("k", [1, 2, 5])
def test_variances_of_block_moves_are_those_of_the_matrix(k):
    """x = A d for moves d of the quotes and N e for their noises, A and N written out."""
    ts, y, _ = history(1, n=40, noise=0.01)
    quotes = gauge_quotes(ready_quotes(ts, y, noise=0.01))
    n = quotes.U.size // k * k
    means = np.kron(np.eye(n // k), np.full(k, 1.0 / k))
    N = np.diff(means, axis=0)
    A = N @ np.tril(np.ones((n, n)))[:, 1:]  # U_i is the first and the sum of moves to i
    news = A @ np.diag(np.diff(quotes.times[:n]) / YEAR) @ A.T
    errors = N @ np.diag(quotes.noise[:n] ** 2) @ N.T
    moves = block_moves(quotes, k)
    np.testing.assert_allclose(moves.x, N @ quotes.U[:n], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(moves.weight, np.diag(news), rtol=1e-10)
    np.testing.assert_allclose(moves.noise_variance, np.diag(errors), rtol=1e-10)
    np.testing.assert_allclose(moves.cross[1:-1], np.diag(news, 1), rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(-moves.noise[1:-1], np.diag(errors, 1), rtol=1e-10)
    V = RATE * news + errors  # of normal x: var of the sum of squares is 2 tr V^2
    got = spread_of_sum(moves, RATE)
    np.testing.assert_allclose(got, [np.trace(V), 2.0 * np.sum(V * V)], rtol=1e-10)


def test_even_times_without_noise_are_chi_squared():
    """n moves of U near 0: the sum of squares over time, and the exact interval."""
    rng = np.random.default_rng(2)
    ts = np.arange(201) * (DAY // 24)
    U = 1e-3 * np.cumsum(np.r_[0.0, rng.standard_normal(200)])
    out = realised_clock(ts, ndtr(U), np.array([0, ts[-1]]))
    rate = float(np.sum(np.diff(U) ** 2)) / (ts[-1] / YEAR)
    assert out.block == 1
    assert out.n_moves[0] == 200
    assert out.realised[0] == pytest.approx(rate, rel=1e-4)
    assert out.realised_lower[0] == pytest.approx(200 * rate / chi2.ppf(0.975, 200), rel=1e-3)
    assert out.realised_upper[0] == pytest.approx(200 * rate / chi2.ppf(0.025, 200), rel=1e-3)
    assert out.noise_share[0] == 0.0


def test_bipower_is_the_textbook_sum_where_nothing_is_cut():
    """pi / 2 times the sum of products, per pair; moves of one size are never beyond 3 sd.

    The cut's own factor, (1 - e^-4.5)^2, is that of normal moves: these are not, so it stands.
    """
    ts = np.arange(101) * (DAY // 24)
    U = 1e-3 * np.r_[0.0, np.cumsum(np.tile([1.0, -1.0], 50))]
    out = realised_clock(ts, ndtr(U), np.array([0, ts[-1]]))
    want = 0.5 * math.pi * 1e-6 / (1.0 / 24.0 / 365.0) / (1.0 - math.exp(-4.5)) ** 2
    assert out.bipower[0] == pytest.approx(want, rel=1e-4)


def test_jumps_are_parted_from_the_rate():
    ts, y, _ = history(3, n=600, jumps=((200, 0.4), (420, -0.3)))
    out = realised_clock(ts, y, np.array([0, 10 * DAY]))
    assert out.realised[0] > 25.0
    assert out.bipower_lower[0] < RATE < out.bipower_upper[0]
    assert out.jump_lower[0] < 0.25 < out.jump_upper[0]
    assert out.jump_p[0] < 0.01
    calm = realised_clock(*history(3, n=600)[:2], np.array([0, 10 * DAY]))
    assert calm.jump_p[0] > 0.05
    assert calm.jump_lower[0] < 0.0 < calm.jump_upper[0]


def test_bins_are_their_own_and_noise_is_taken_off():
    ts, y, _ = history(14, n=900, noise=0.008)
    edges = np.array([0, 4, 7, 10, 12]) * DAY
    blind = realised_clock(ts, y, edges)
    seeing = realised_clock(ts, y, edges, noise=0.008)
    own = realised_clock(ts, y, edges, noise="estimate")
    assert np.all(blind.realised[:3] > 1.5 * RATE)  # why the noise must be said
    for out in (seeing, own):
        assert out.block > 1
        assert np.all(out.realised_lower[:3] < RATE)
        assert np.all(out.realised_upper[:3] > RATE)
        assert out.statuses == (Status.OK,) * 3 + (Status.TOO_FEW,)
        assert math.isnan(out.realised[3])
    assert own.noise == pytest.approx(0.008, rel=0.15)
    again = realised_clock(ts, y, edges, noise=0.008)
    np.testing.assert_array_equal(again.bipower, seeing.bipower)


def test_serial_noise_is_minus_the_serial_covariance():
    rng = np.random.default_rng(5)
    y = 0.5 + 0.01 * rng.standard_normal(4000)
    r2, sd = serial_noise(ready_quotes(np.arange(4000), y))
    assert r2 == pytest.approx(1e-4, abs=4.0 * sd)
    assert sd < 0.05 * r2


def test_noise_that_hides_the_rate_is_not_resolved():
    ts, y, _ = history(6, noise=0.02, rate=0.3)
    out = realised_clock(ts, y, np.array([0, 10 * DAY]), noise=0.02)
    assert out.statuses[0] is Status.NOT_RESOLVED
    assert math.isnan(out.realised[0])
    assert out.realised_lower[0] == 0.0
    assert out.realised_upper[0] > 0.3
    assert out.noise_share[0] > 0.5
    still = realised_clock(np.arange(50), np.full(50, 0.4), np.array([0, 49]))
    assert still.statuses[0] is Status.NOT_IDENTIFIED


def test_the_drift_is_taken_off():
    """At U = 2 and a fast clock the drift, half of nu^2 U, is no small part of an hour's move."""
    ts = np.arange(200) * DAY
    U = 2.0 * np.exp(0.5 * 2.0 * np.arange(200) / 365.0)  # the drift alone
    moves = block_moves(gauge_quotes(ready_quotes(ts[:80], ndtr(U[:80]))), 1, 2.0)
    assert np.max(np.abs(moves.x)) < 1e-9
    assert np.max(np.abs(np.diff(U[:80]))) > 1e-3


def test_choice_of_block():
    ts, y, _ = history(7, n=2000, noise=0.01)
    assert choose_block(gauge_quotes(ready_quotes(ts, y)), 20) == 1
    some = choose_block(gauge_quotes(ready_quotes(ts, y, noise=0.003)), 20)
    more = choose_block(gauge_quotes(ready_quotes(ts, y, noise=0.01)), 20)
    assert some < more


def test_gumbel_threshold_is_the_largest_normal():
    """Against the exact law of the largest of n: within 4% in the bound, on the safe side."""
    for n, level in ((100, 0.05), (1000, 0.05), (10_000, 0.01)):
        exact = ndtri(0.5 + 0.5 * (1.0 - level) ** (1.0 / n))
        assert exact < gumbel_threshold(n, level) < 1.04 * exact


@pytest.mark.parametrize("noise", [0.0, 0.004])
def test_jumps_are_found_and_sized(noise):
    ts, y, at = history(8, n=600, noise=noise, jumps=((200, 0.5), (420, -0.4)))
    out = find_jumps(ts, y, noise=noise)
    assert out.status is Status.OK
    assert out.size.size == 2
    assert np.all((out.after <= at) & (at <= out.before))
    assert np.all((out.lower < [0.5, -0.4]) & (out.upper > [0.5, -0.4]))
    assert np.all(np.abs(out.z) > out.threshold)
    assert np.all(out.p_value < 0.05)
    moved = ndtri(out.probability_after) - ndtri(out.probability_before)
    np.testing.assert_allclose(moved, out.size, rtol=1e-9)
    assert out.detectable < 0.25
    assert out.rate == pytest.approx(RATE, rel=0.5)


def test_more_noise_hides_smaller_jumps():
    shown = [
        find_jumps(*history(9, n=600, noise=r)[:2], noise=r).detectable for r in (0.0, 0.005, 0.02)
    ]
    assert shown[0] < shown[1] < shown[2]


def test_a_step_of_a_few_ticks_after_rest_is_no_jump():
    """Quotes that rest have a rate of 0; rounding alone, sqrt(2 / 12) of a tick, is no scale."""
    y = np.full(300, 0.57)
    y[::7] += 0.001  # now and then one tick, so that not all is still
    y[200:] += 0.003
    assert find_jumps(np.arange(300) * DAY // 100, y, tick=0.001).size.size == 0
    y[200:] += 0.017
    out = find_jumps(np.arange(300) * DAY // 100, y, tick=0.001)
    assert out.size == pytest.approx([0.02 / 0.39], abs=0.005)


def test_a_quote_that_goes_and_comes_back_is_no_jump():
    ts, y, _ = history(3, n=300)
    off = y.copy()
    off[150] = ndtr(ndtri(off[150]) + 1.0)
    assert find_jumps(ts, y, noise=0.001).size.size == 0
    assert find_jumps(ts, off, noise=0.001).size.size == 0
    moved = np.where(np.arange(300) >= 150, ndtr(ndtri(y) + 1.0), y)
    assert find_jumps(ts, moved, noise=0.001).size == pytest.approx([1.0], abs=0.3)


def test_refusals_of_jumps():
    ts, y, _ = history(10, n=40)
    assert find_jumps(ts, y).status is Status.TOO_FEW
    still = find_jumps(np.arange(200), np.full(200, 0.4))
    assert still.status is Status.NOT_IDENTIFIED
    assert math.isnan(still.threshold)
    mostly = np.r_[np.full(150, 0.4), 0.5, np.full(50, 0.5)]  # one move and no noise: no scale
    assert find_jumps(np.arange(201) * DAY, mostly).status is Status.NOT_IDENTIFIED


def test_doors():
    ts, y, _ = history(10, n=100)
    with pytest.raises(InputError, match="rising edges"):
        realised_clock(ts, y, np.array([5, 3]))
    with pytest.raises(InputError, match="'estimate'"):
        realised_clock(ts, y, np.array([0, 5]), noise="guess")
    with pytest.raises(InputError, match="window of 20"):
        find_jumps(ts, y, window=5)
    with pytest.raises(InputError, match="block of 1"):
        find_jumps(ts, y, block=0)
    with pytest.raises(InputError, match="level"):
        find_jumps(ts, y, level=5.0)


CELLS = [
    (n, noise, said, jump)
    for n in (150, 600)
    for noise, said in ((0.0, None), (0.003, 0.003), (0.01, 0.01), (0.005, "estimate"))
    for jump in (0.0, 0.4)
]


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_coverage_and_false_finds(cell, capsys):
    """600 histories, seeds 0 to 599, over ten days: one bin; two jumps at random where there are.

    Realised intervals are for paths without jumps and counted there; noise said to the jump search
    is the true one. A noise that is estimated widens the realised interval: up to 97.5%.
    """
    n, noise, said, jump = cell
    realised, bipower, part, by_chance, false, found, sized = [], [], [], [], [], 0, 0
    for seed in range(600):
        at = np.random.default_rng(10_000 + seed).choice(np.arange(30, n - 30), 2, replace=False)
        pair = tuple(zip(at.tolist(), (jump, -jump), strict=True)) if jump else ()
        ts, y, when = history(seed, n=n, noise=noise, jumps=pair)
        out = realised_clock(ts, y, np.array([0, 10 * DAY]), noise=said)
        realised.append(out.realised_lower[0] <= RATE <= out.realised_upper[0])
        bipower.append(out.bipower_lower[0] <= RATE <= out.bipower_upper[0])
        part.append(out.jump_lower[0] <= 2.0 * jump**2 <= out.jump_upper[0])
        by_chance.append(out.jump_p[0] < 0.05)
        seen = find_jumps(ts, y, noise=noise)
        mine = (seen.after[:, None] <= when) & (when <= seen.before[:, None])
        false.append(np.any(~mine.any(axis=1)) if when.size else seen.size.size > 0)
        for k, size in enumerate((jump, -jump) if jump else ()):
            hit = np.flatnonzero(mine[:, k])
            found += hit.size > 0
            sized += hit.size > 0 and seen.lower[hit[0]] <= size <= seen.upper[hit[0]]
    with capsys.disabled():
        line = f"realised {np.mean(realised):.3f}, " if not jump else ""
        print(  # noqa: T201
            f"\n{n} quotes, noise {noise} (said: {said}), jumps {jump}: coverage {line}"
            f"bipower {np.mean(bipower):.3f}, jump part {np.mean(part):.3f}; jump p < 5% "
            f"{np.mean(by_chance):.3f}; a false find {np.mean(false):.3f}"
            + (f"; found {found / 1200:.3f}, size covered {sized / found:.3f}" if jump else "")
        )
    assert np.mean(false) < 0.09
    if jump:
        assert np.mean(bipower) > 0.88
        assert sized / found > 0.92
    else:
        assert 0.93 <= np.mean(realised) <= 0.975
        assert 0.925 <= np.mean(bipower) <= 0.975
        # A noise found in 150 quotes is itself uncertain by a quarter: the p-value does not know
        assert np.mean(by_chance) < (0.12 if said == "estimate" else 0.08)
