"""Simulated leaders against the truth they state: by regression, by filter, by moments.

200,000 rows unless said. Tolerances on estimates are four standard errors: of moments by formula,
of shares as measured by the slow test below, which also shows that neither the simulator nor the
lags left out bias them.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.linalg import null_space

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.information_share import shares
from eventtape.estimators.discovery.lead_lag import lead_lag
from eventtape.simulate import (
    asynchronous_ticks,
    common_trend_panel,
    delayed_noise,
    equicorrelated,
    factor_panel,
    independent_walks,
    on_grid,
    roll,
    walk_and_stationary,
    yan_zivot,
)
from eventtape.simulate.price_leaders_exact import (
    StateSpace,
    adjusting_market,
    arriving_market,
    delayed_market,
    innovations_form,
    roll_market,
)

N = 200_000
S = 10**9
ONE_MINUS_ONE = np.array([[1.0], [-1.0]])


def vecm(prices, beta, lags):
    """Psi(1) and omega by least squares with the cointegrating vectors known."""
    moves = np.diff(prices, axis=0)
    n, T = prices.shape[1], moves.shape[0]
    columns = [prices[lags:-1] @ beta, np.ones((T - lags, 1))]
    columns += [moves[lags - j : T - j] for j in range(1, lags + 1)]
    X, Y = np.hstack(columns), moves[lags:]
    coef = np.linalg.solve(X.T @ X, X.T @ Y)
    r = beta.shape[1]
    G = np.eye(n) - sum(
        (coef[r + 1 + n * j : r + 1 + n * (j + 1)].T for j in range(lags)), np.zeros((n, n))
    )
    b, a = null_space(beta.T) if r else np.eye(n), null_space(coef[:r]) if r else np.eye(n)
    residual = Y - X @ coef
    return b @ np.linalg.solve(a.T @ G @ b, a.T), residual.T @ residual / (T - lags)


def in_one_unit(betas):
    """Cointegrating vectors of prices with these long-run responses."""
    return np.vstack([-betas[1:] / betas[0], np.eye(betas.size - 1)])


def test_yan_zivot_pair_at_every_number():
    """Exact with one lag: speeds, PILS, Ψ(1) and the covariance itself."""
    b = np.array([0.1, -0.9])
    market = yan_zivot(1, N, [0.8, 0.4], b, step_sd=1.0, transitory_sd=0.5)
    psi, omega = vecm(market.log_prices, ONE_MINUS_ONE, 1)
    d = np.array([0.8, 0.4])
    exact = np.outer(d, d) + 0.25 * np.outer(b, b)
    np.testing.assert_allclose(omega, exact, atol=4.0 * math.sqrt(2.0 / N))
    out = shares(psi[0], omega)
    np.testing.assert_allclose(out.speed, market.truth.speeds, atol=0.01)
    assert out.pils[0] == pytest.approx(market.truth.pils[0, 1], abs=0.012)
    assert market.truth.pils[0, 1] == pytest.approx(0.8)
    assert market.truth.leader == 0
    np.testing.assert_allclose(out.component, [0.9, 0.1], atol=0.01)


def test_three_prices_of_full_rank():
    """Two transitory shocks of three prices: the panel is an exact one-lag model too."""
    b = np.array([[0.5, 0.2], [-0.4, 0.3], [0.1, -0.6]])
    market = yan_zivot(2, N, [0.9, 0.6, 0.3], b, betas=[1.0, 2.0, -0.5])
    beta = in_one_unit(market.truth.betas)
    psi, omega = vecm(market.log_prices, beta, 1)
    out = shares(psi[0], omega, beta)
    np.testing.assert_allclose(out.speed, market.truth.speeds, atol=0.012)
    np.testing.assert_allclose(psi[:, 0] / psi[0, 0], market.truth.betas, rtol=1e-9)


def test_pairs_of_many_with_one_shared_shock():
    """Every pair is an exact one-lag model, and tends to its entry of the table."""
    market = yan_zivot(3, N, [0.9, 0.6, 0.3, 0.5], [0.5, -0.5, 0.2, 0.9])
    for i, j in [(0, 1), (1, 2), (3, 2), (2, 0)]:
        psi, omega = vecm(market.log_prices[:, [i, j]], ONE_MINUS_ONE, 1)
        assert shares(psi[0], omega).pils[0] == pytest.approx(market.truth.pils[i, j], abs=0.015)
        assert market.truth.pils[i, j] + market.truth.pils[j, i] == pytest.approx(1.0)


def test_panel_with_own_errors_in_its_pairs():
    """Errors of .3 between any two, prices in different units; twelve lags stand for all."""
    speeds, betas = np.array([0.8, 0.4, 1.2]), np.array([1.0, 2.0, -0.5])
    market = common_trend_panel(
        4, N, speeds, betas, correlation=0.3, noise_sd=np.array([4e-4, 5e-4, 2e-4])
    )
    assert market.truth.leader == 2
    for i, j in [(0, 1), (2, 1)]:
        beta = in_one_unit(betas[[i, j]])
        psi, omega = vecm(market.log_prices[:, [i, j]], beta, 12)
        got = shares(psi[0], omega, beta).pils[0]
        assert got == pytest.approx(market.truth.pils[i, j], abs=4 * 0.0028)


@settings(max_examples=30, derandomize=True, deadline=None)
@given(st.integers(2, 5), st.integers(0, 10**6))
def test_every_subset_of_adjusting_prices_has_the_stated_pils(n, seed):
    """By the filter, any covariance of the errors, any units: d^2 / (d_i^2 + d_j^2)."""
    rng = np.random.default_rng(seed)
    d, B = rng.uniform(0.2, 1.6, n), rng.choice([-1.0, 1.0], n) * rng.uniform(0.3, 3.0, n)
    loads = rng.standard_normal((n, n))
    form = innovations_form(adjusting_market(d, B, loads @ loads.T + 0.05 * np.eye(n), step_sd=1.0))
    out = shares(form.psi[0], form.omega, in_one_unit(B))
    np.testing.assert_allclose(out.pils, d**2 / (d @ d), rtol=1e-8)
    np.testing.assert_allclose(out.speed / d, out.speed[0] / d[0], rtol=1e-8)


def test_errors_have_the_stated_correlation():
    """Prices that adjust fully each step are the trend plus the error."""
    market = common_trend_panel(
        5, N, [1.0, 1.0, 1.0], correlation=0.6, noise_sd=np.array([1.0, 2.0, 3.0]), step_sd=1e-9
    )
    got = np.cov(market.log_prices.T)
    sd = np.array([1.0, 2.0, 3.0])
    wanted = np.outer(sd, sd) * (0.4 * np.eye(3) + 0.6)
    np.testing.assert_allclose(got, wanted, atol=4.0 * 9.0 * math.sqrt(2.0 / N))
    assert market.truth.leader == -1


def test_roll_tends_to_its_closed_form():
    c = np.array([1.0, 2.0])
    market = roll(6, N, c, step_sd=1.0)
    psi, omega = vecm(market.log_prices, ONE_MINUS_ONE, 10)
    out = shares(psi[0], omega)
    form = innovations_form(roll_market(c, step_sd=1.0, correlation=0.0))
    exact = shares(form.psi[0], form.omega)
    np.testing.assert_allclose(out.is_first, exact.is_first, atol=4 * 0.0080)
    np.testing.assert_allclose(out.is_last, exact.is_last, atol=4 * 0.0080)
    np.testing.assert_allclose(out.pils, 0.5, atol=4 * 0.0061)
    assert market.truth.leader == -1
    assert (market.truth.pils == 0.5).all()


def test_sides_of_roll_are_signs_with_the_stated_correlation():
    market = roll(7, N, [0.5, 2.0, 1.0], step_sd=1e-9, correlation=0.25)
    q = (market.log_prices - market.log_prices.mean(axis=0)) / [0.5, 2.0, 1.0]
    np.testing.assert_allclose(np.abs(q), 1.0, atol=0.01)
    np.testing.assert_allclose(np.corrcoef(q.T), 0.75 * np.eye(3) + 0.25, atol=0.01)


def test_equal_correlation_is_an_exact_model_without_lags():
    n, r = 5, 0.6
    market = equicorrelated(8, N, n, r, step_sd=1.0)
    psi, omega = vecm(market.log_prices, in_one_unit(np.ones(n)), 0)
    np.testing.assert_allclose(omega, 0.4 * np.eye(n) + r, atol=4.0 * math.sqrt(2.0 / N))
    np.testing.assert_allclose(psi, 1.0 / n, atol=0.01)
    out = shares(psi[0], omega)
    np.testing.assert_allclose(out.is_first, (1.0 + 4 * r) / n, atol=0.02)
    np.testing.assert_allclose(out.pils, 1.0 / n, atol=0.01)


@pytest.mark.parametrize(("lead", "step"), [(0.5, 1.0), (0.5, 2.0), (2.5, 1.0), (1.0, 1.0)])
def test_a_delay_tends_to_what_its_filter_says(lead, step):
    """Paths come from one walk drawn at all times, the truth from a state space of its parts."""
    market = delayed_noise(9, N, lead, step, variance_s=1.0, noise_sd=1.0)
    psi, omega = vecm(market.log_prices, ONE_MINUS_ONE, 6)
    out = shares(psi[0], omega)
    form = innovations_form(delayed_market(lead, step, variance_s=1.0, noise_sd=np.ones(2)))
    exact = shares(form.psi[0], form.omega)
    np.testing.assert_allclose(omega, form.omega, atol=6.0 * form.omega.max() * math.sqrt(2.0 / N))
    np.testing.assert_allclose(out.is_first, exact.is_first, atol=4 * 0.0052)
    assert out.pils[0] == pytest.approx(market.truth.pils[0, 1], abs=4 * 0.0030)
    assert market.truth.leader == 0


def test_the_truth_is_not_the_callers_array():
    speeds = np.array([0.8, 0.4])
    market = yan_zivot(1, 5, speeds, [0.5, -0.5], betas=speeds)
    speeds[0] = 0.1
    assert market.truth.speeds[0] == market.truth.betas[0] == 0.8


def test_without_delay_nobody_leads():
    market = delayed_noise(10, 10, 0.0, 1.0)
    assert market.truth.leader == -1
    np.testing.assert_allclose(market.truth.pils, 0.5, atol=1e-12)


def test_a_delay_does_not_depend_on_units():
    one = delayed_noise(11, 50, 0.5, 1.0, variance_s=1.0, noise_sd=1.0)
    two = delayed_noise(11, 50, 0.5, 1.0, variance_s=1e-8, noise_sd=1e-4)
    np.testing.assert_allclose(one.truth.pils, two.truth.pils, rtol=1e-12)
    moves = np.diff(one.log_prices, axis=0)
    np.testing.assert_allclose(np.diff(two.log_prices, axis=0), 1e-4 * moves, atol=1e-13)


LOADS = np.array([[1.0, 0.5], [0.7, -0.3], [1.5, 0.0]])
SHARES = np.array([[0.8, 0.2], [0.5, 1.0], [0.3, 0.6]])


@pytest.mark.parametrize(("bars", "correlation"), [(1, 0.0), (3, 0.5)])
def test_factor_panel_by_regression_on_the_shocks(bars, correlation):
    market = factor_panel(
        12, N, LOADS, SHARES, own_sd=0.5, factor_sd=1.0, bars=bars, correlation=correlation
    )
    f = np.diff(market.factors, axis=0)
    np.testing.assert_allclose(
        np.cov(f.T), (1.0 - correlation) * np.eye(2) + correlation, atol=0.015
    )
    X = np.hstack([f[bars - j : f.shape[0] - j] for j in range(bars + 1)])
    moves = np.diff(market.log_prices, axis=0)[bars:]
    coef = np.linalg.lstsq(X, moves, rcond=None)[0].T
    np.testing.assert_allclose(coef[:, :2], market.truth.impact, atol=0.01)
    for j in range(1, bars + 1):
        rest = LOADS * (1.0 - SHARES) / bars
        np.testing.assert_allclose(coef[:, 2 * j : 2 * j + 2], rest, atol=0.01)
    assert np.std(moves - X @ coef.T, axis=0) == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize(("bars", "correlation"), [(1, 0.0), (3, 0.5)])
def test_factor_panel_as_a_system(bars, correlation):
    """(factors, prices) as differences with ``bars`` lags, and its exact filter: D0, B, speeds."""
    market = factor_panel(
        13, N, LOADS, SHARES, own_sd=0.5, factor_sd=1.0, bars=bars, correlation=correlation
    )
    form = innovations_form(
        arriving_market(LOADS, SHARES, 0.5, factor_sd=1.0, bars=bars, correlation=correlation)
    )
    fitted = vecm(np.hstack([market.factors, market.log_prices]), np.zeros((5, 0)), bars)
    for (psi, omega), wanted in (((form.psi, form.omega), 1e-9), (fitted, 0.02)):
        named = psi[:2]
        inverse = np.linalg.inv(named @ omega @ named.T)
        np.testing.assert_allclose(
            (omega @ named.T @ inverse)[2:], market.truth.impact, atol=wanted
        )
        np.testing.assert_allclose(
            (psi @ omega @ named.T @ inverse)[2:], market.truth.long_run, atol=wanted
        )
    assert market.truth.leaders == (0, 1)
    assert np.isnan(market.truth.speeds[2, 1])


def test_equal_speeds_have_no_leader():
    market = factor_panel(14, 5, np.ones((3, 2)), np.array([[0.5, 0.2], [0.5, 0.3], [0.5, 0.3]]))
    assert market.truth.leaders == (-1, -1)
    assert factor_panel(14, 5, np.zeros((2, 1)), np.ones((2, 1))).truth.leaders == (-1,)


def steps(market):
    return np.diff(market.log_prices, axis=0)


@pytest.mark.parametrize("shocks", ["normal", "t3", "garch"])
def test_walks_are_independent_with_their_volatility(shocks):
    """Signs are independent whatever the tails: their correlations are of size 1 / sqrt(N)."""
    vol = np.array([1.0, 5.0, 0.2])
    z = steps(independent_walks(15, N, 3, volatility=vol, shocks=shocks)) / vol
    off = np.corrcoef(np.sign(z).T)[np.triu_indices(3, 1)]
    assert np.abs(off).max() < 4.0 / math.sqrt(N)
    for i in range(3):
        assert abs(np.corrcoef(np.sign(z[1:, i]), np.sign(z[:-1, i]))[0, 1]) < 4.0 / math.sqrt(N)
    squares = z**2 - np.mean(z**2, axis=0)
    memory = np.mean(squares[1:] * squares[:-1], axis=0) / np.mean(squares**2, axis=0)
    if shocks == "t3":
        law = stats.t(3, scale=1.0 / math.sqrt(3.0))
        assert all(stats.kstest(z[:, i], law.cdf).pvalue > 0.001 for i in range(3))
    else:
        np.testing.assert_allclose(z.std(axis=0), 1.0, rtol=0.03 if shocks == "garch" else 0.007)
    if shocks == "garch":
        # alpha (1 - alpha beta - beta^2) / (1 - 2 alpha beta - beta^2), a heavy-tailed estimate
        assert memory == pytest.approx(0.10 * 0.1925 / 0.1075, abs=0.07)
        assert (stats.kurtosis(z, axis=0) > 0.3).all()
    else:
        assert np.abs(memory).max() < 0.02


def test_bounce_is_rolls_covariance():
    """Half spread of 1.5 steps: autocovariance of the moves -c^2 at one lag, none beyond."""
    z = steps(independent_walks(16, N, 2, volatility=np.array([1.0, 2.0]), bounce=1.5))
    z = z / [1.0, 2.0]
    for lag, wanted in ((0, 1.0 + 2.0 * 2.25), (1, -2.25), (2, 0.0)):
        got = np.mean(z[lag:] * z[: z.shape[0] - lag], axis=0)
        np.testing.assert_allclose(got, wanted, atol=4.0 * 5.5 * math.sqrt(2.0 / N))


@pytest.mark.parametrize("phi", [0.7, -0.3, 0.0])
def test_walk_and_stationary(phi):
    market = walk_and_stationary(17, N, phi, step_sd=2.0)
    walk, still = market.log_prices.T
    centred = still - math.log(100.0)
    slope = centred[1:] @ centred[:-1] / (centred[:-1] @ centred[:-1])
    assert slope == pytest.approx(phi, abs=4.0 / math.sqrt(N))
    assert centred.std() == pytest.approx(2.0 / math.sqrt(1.0 - phi**2), rel=0.03)
    assert np.diff(walk).std() == pytest.approx(2.0, rel=0.01)
    rest = centred[1:] - phi * centred[:-1]
    assert abs(np.corrcoef(np.diff(walk), rest)[0, 1]) < 4.0 / math.sqrt(N)


def test_stationary_from_the_first_row():
    first = [walk_and_stationary([18, k], 1, 0.9).log_prices[0, 1] for k in range(2000)]
    assert np.std(first) == pytest.approx(5e-4 / math.sqrt(0.19), rel=4.0 / math.sqrt(4000))


def test_placebos_name_nobody():
    for market in (independent_walks(1, 5, 4), walk_and_stationary(1, 5)):
        assert market.truth.leader == -1
        assert np.isnan(market.truth.pils).all()
        assert np.isnan(market.truth.speeds).all()


def test_ticks_come_as_a_poisson_process():
    market = asynchronous_ticks(19, 20_000.0, [2.0, 0.5], [0.0, 3.0])
    for t, rate in zip(market.times, (2.0, 0.5), strict=True):
        assert abs(t.size - 20_000 * rate) < 4.0 * math.sqrt(20_000 * rate)
        assert (np.diff(t) > 0).all()
        assert stats.kstest(np.diff(t) / S * rate, stats.expon.cdf).pvalue > 0.001
    np.testing.assert_array_equal(market.truth.pairs_s, [[0.0, 3.0], [-3.0, 0.0]])


def test_tick_levels_have_their_variances():
    """Moves over gaps h: B^2 s^2 h + own^2 h + 2 (noise^2 + spread^2), asset by asset."""
    market = asynchronous_ticks(
        20,
        100_000.0,
        [1.0, 1.0, 1.0],
        [0.0, 0.0, 5.0],
        volatility=1.0,
        betas=[1.0, -2.0, 1.0],
        own=[0.0, 1.0, 0.0],
        noise_sd=[0.5, 0.0, 0.0],
        half_spreads=[0.0, 0.0, 0.7],
    )
    walks, noise = (1.0, 5.0, 1.0), (0.5, 0.0, 0.98)
    for t, p, slope, level in zip(market.times, market.log_prices, walks, noise, strict=True):
        h, square = np.diff(t) / S, np.diff(p) ** 2
        fit = np.linalg.lstsq(np.column_stack([h, np.ones(h.size)]), square, rcond=None)[0]
        np.testing.assert_allclose(fit, [slope, level], atol=0.12 * slope)


@pytest.mark.parametrize("lags", [(0.0, 3.0), (2.5, 0.0)])
def test_a_lag_in_ticks_is_found_by_the_contrast(lags):
    market = asynchronous_ticks(
        21, 10_000.0, [1.0, 0.4], lags, noise_sd=2e-5, half_spreads=2e-5, own=5e-5
    )
    (tx, ty), (x, y) = market.times, market.log_prices
    out = lead_lag(tx, x, ty, y, np.arange(-10, 11) * S)
    assert out.status is Status.OK
    assert out.lower <= market.truth.pairs_s[0, 1] <= out.upper
    assert abs(out.lag_s - market.truth.pairs_s[0, 1]) < 0.5
    assert market.truth.leader == int(lags[1] == 0.0)


def test_stale_prices_look_like_a_leader_on_a_grid():
    """No lag, one asset seen thirty times less: on the grid its moves follow, on ticks they do not.

    A move is late by a step when it had no tick and the next has one: q (1 - q) = .086 of moves,
    q = 1 - exp(-.1). The standard error is .007.
    """
    market = asynchronous_ticks(22, 20_000.0, [3.0, 0.1], [0.0, 0.0])
    assert market.truth.leader == -1
    x, y = np.diff(on_grid(market, 1.0), axis=0).T
    ahead, behind = np.corrcoef(x[:-1], y[1:])[0, 1], np.corrcoef(x[1:], y[:-1])[0, 1]
    assert ahead > 0.086 - 0.028 > 0.028 > abs(behind)
    (tx, ty), (p, q) = market.times, market.log_prices
    out = lead_lag(tx, p, ty, q, np.arange(-60, 61, 2) * S)
    assert out.lower <= 0.0 <= out.upper


def test_on_grid_is_the_last_price_at_or_before():
    market = asynchronous_ticks(23, 200.0, [0.7, 0.2, 0.3], [0.0, 1.0, 2.0])
    grid = on_grid(market, 2.5)
    begin = max(t[0] for t in market.times)
    for k in range(grid.shape[0]):
        now = begin + k * 5 * S // 2
        for i, (t, p) in enumerate(zip(market.times, market.log_prices, strict=True)):
            assert grid[k, i] == p[np.flatnonzero(t <= now)[-1]]
    assert grid.shape[0] > 50


DESIGNS = {
    "yan_zivot": lambda seed: yan_zivot(seed, 40, [0.8, 0.4], [0.5, -0.5]),
    "panel": lambda seed: common_trend_panel(seed, 40, np.linspace(0.3, 0.9, 41), correlation=0.5),
    "roll": lambda seed: roll(seed, 40, [1e-4, 3e-4]),
    "equicorrelated": lambda seed: equicorrelated(seed, 40, 3, 0.5),
    "delayed": lambda seed: delayed_noise(seed, 40, 0.5, 1.0),
    "factors": lambda seed: factor_panel(seed, 40, LOADS, SHARES),
    "walks": lambda seed: independent_walks(seed, 40, 3, bounce=1.0),
    "t3": lambda seed: independent_walks(seed, 40, 3, shocks="t3"),
    "garch": lambda seed: independent_walks(seed, 40, 3, shocks="garch"),
    "stationary": lambda seed: walk_and_stationary(seed, 40),
    "ticks": lambda seed: asynchronous_ticks(seed, 40.0, [1.0, 2.0], [0.0, 1.0]),
}


@pytest.mark.parametrize("name", DESIGNS)
def test_same_seed_same_market(name):
    one, two, other = (DESIGNS[name](seed).log_prices for seed in (5, 5, 6))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    if name != "ticks":
        assert one.shape[0] == 40
        assert one.dtype == np.float64
        assert np.isfinite(one).all()
        assert abs(one[0] - math.log(100.0)).max() < 0.05
        assert (one != other).all(axis=0).any()
        return
    assert not np.array_equal(one[0], other[0][: one[0].size])


def test_a_filter_without_a_steady_state_says_so():
    """A second walk that no price shows: what is not known of it grows for ever."""
    form = innovations_form(StateSpace(np.eye(2), np.eye(2)[:1], np.eye(2), np.eye(1)))
    assert form.status is Status.NO_CONVERGENCE
    assert np.isnan(form.psi).all()
    assert np.isnan(form.omega).all()


SPREAD = {
    "delay .5 at 1": (
        lambda seed: delayed_noise(seed, N, 0.5, 1.0, variance_s=1.0, noise_sd=1.0).log_prices,
        delayed_market(0.5, 1.0, variance_s=1.0, noise_sd=np.ones(2)),
        np.ones(2),
        6,
        (0.0052, 0.0030),
    ),
    "delay .5 at 2": (
        lambda seed: delayed_noise(seed, N, 0.5, 2.0, variance_s=1.0, noise_sd=1.0).log_prices,
        delayed_market(0.5, 2.0, variance_s=1.0, noise_sd=np.ones(2)),
        np.ones(2),
        6,
        (0.0049, 0.0024),
    ),
    "roll": (
        lambda seed: roll(seed, N, [1.0, 2.0], step_sd=1.0).log_prices,
        roll_market(np.array([1.0, 2.0]), step_sd=1.0, correlation=0.0),
        np.ones(2),
        10,
        (0.0080, 0.0061),
    ),
    "panel": (
        lambda seed: (
            common_trend_panel(
                seed, N, [0.8, 0.4], [1.0, 2.0], correlation=0.3, noise_sd=np.array([4e-4, 5e-4])
            ).log_prices
        ),
        adjusting_market(
            np.array([0.8, 0.4]),
            np.array([1.0, 2.0]),
            np.array([[1.6, 0.6], [0.6, 2.5]]) * 1e-7,
            step_sd=5e-4,
        ),
        np.array([1.0, 2.0]),
        12,
        (0.0083, 0.0028),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPREAD)
def test_spread_of_estimates_behind_the_tolerances(name):
    """40 seeds: no bias (four standard errors), and the standard deviations used above.

    The chi-square law of 40 draws lets a standard deviation stray by a third either way in 1%.
    """
    draw, market, betas, lags, sd = SPREAD[name]
    beta = in_one_unit(betas)
    form = innovations_form(market)
    exact = shares(form.psi[0], form.omega, beta)
    got = []
    for seed in range(40):
        psi, omega = vecm(draw([seed, 77]), beta, lags)
        out = shares(psi[0], omega, beta)
        got.append([*out.is_first, *out.pils])
    found, spread = np.mean(got, axis=0), np.std(got, axis=0, ddof=1)
    wanted = np.concatenate([exact.is_first, exact.pils])
    assert (np.abs(found - wanted) < 4.0 * spread / math.sqrt(40)).all()
    assert spread[:2].max() == pytest.approx(sd[0], rel=1 / 3)
    assert spread[2:].max() == pytest.approx(sd[1], rel=1 / 3)


WALK = np.eye(1)
FAULTS = {
    "speed": (lambda: yan_zivot(1, 5, [0.0, 0.5], [1.0, 1.0]), "between 0 and 2"),
    "one speed": (lambda: yan_zivot(1, 5, [0.5], [1.0]), "two or more speeds"),
    "transitory": (lambda: yan_zivot(1, 5, [0.5, 0.5], np.ones(4)), r"\(2,\) or \(2, m\)"),
    "noises": (lambda: common_trend_panel(1, 5, [0.5, 0.5], noise_sd=np.ones(3)), "one or 2"),
    "beta": (lambda: common_trend_panel(1, 5, [0.5, 0.5], [1.0, 0.0]), "not zero"),
    "correlation": (lambda: common_trend_panel(1, 5, [0.5, 0.5], correlation=1.5), "0 to 1"),
    "spread": (lambda: roll(1, 5, [1.0, 0.0]), "half spreads > 0"),
    "sides": (lambda: roll(1, 5, [1.0, 1.0], correlation=-0.1), "0 to 1"),
    "reversion": (lambda: equicorrelated(1, 5, 3, 0.5, reversion=0.0), "between 0 and 2"),
    "step": (lambda: delayed_noise(1, 5, 0.5, 0.0), "step, variance and noise > 0"),
    "noise": (lambda: delayed_noise(1, 5, 0.5, 1.0, noise_sd=0.0), "step, variance and noise"),
    "lead": (lambda: delayed_noise(1, 5, 51.0, 1.0), "0 to 50 steps"),
    "loadings": (lambda: factor_panel(1, 5, LOADS, SHARES[:2]), "one shape"),
    "bars": (lambda: factor_panel(1, 5, LOADS, SHARES, bars=0), "bars >= 1"),
    "volatility": (lambda: independent_walks(1, 5, 2, volatility=np.ones(3)), "2 volatilities"),
    "bounce": (lambda: independent_walks(1, 5, 2, bounce=-1.0), "bounce >= 0"),
    "phi": (lambda: walk_and_stationary(1, 5, 1.0), "between -1 and 1"),
    "rates": (lambda: asynchronous_ticks(1, 9.0, [1.0, 0.0], [0.0, 0.0]), "rates > 0"),
    "lags": (lambda: asynchronous_ticks(1, 9.0, [1.0, 1.0], [0.0]), "rates and lags"),
    "span": (lambda: asynchronous_ticks(1, 1e-9, [1.0, 1.0], [0.0, 1.0]), "every asset ticks"),
    "shapes": (lambda: innovations_form(StateSpace(WALK, WALK, WALK, np.eye(2))), "shapes"),
    "nan": (lambda: innovations_form(StateSpace(WALK, WALK, WALK * np.nan, WALK)), "finite"),
    "no unit root": (lambda: innovations_form(StateSpace(0.5 * WALK, WALK, WALK, WALK)), "unit"),
    "explosive": (
        lambda: innovations_form(StateSpace(np.diag([1.0, 1.1]), np.eye(2), np.eye(2), np.eye(2))),
        "unit roots",
    ),
    "twice integrated": (
        lambda: innovations_form(
            StateSpace(np.array([[1.0, 1.0], [0.0, 1.0]]), np.eye(2), np.eye(2), np.eye(2))
        ),
        "integrated twice",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_bad_designs_are_named(name):
    call, wanted = FAULTS[name]
    with pytest.raises(InputError, match=wanted):
        call()
