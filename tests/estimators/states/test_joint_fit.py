"""The joint fit on markets of known states: slopes, twins, refusals and single runs.

Coverage, bias and false positives over many runs: test_joint_fit_coverage.py.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.special import ndtr

from eventtape import InputError
from eventtape.arrays import Status
from eventtape.estimators.states.joint_fit import joint_fit
from eventtape.estimators.states.joint_kernel import (
    COMMON,
    SLOPES,
    factor,
    factored_solve,
    noise_inverses,
    normal_equations,
    rows,
    share_of,
    solve,
)
from eventtape.estimators.states.joint_problem import problem
from eventtape.estimators.states.joint_search import critical_fall, search
from eventtape.estimators.states.option_panel import option_panel
from eventtape.simulate.two_states import DAY, WEEKS, two_states
from eventtape.studies.state_trials import panel_of

SMALL = DAY._replace(n_times=8)
SHAPE = {"skewness": -0.3, "excess_kurtosis": 0.4}


def market(seed=1, **options):
    return two_states(seed, **{"span": SMALL, "n_strikes": 40, **options})


def small_problem(drift_sd=0.0, **options):
    world = market(**options)
    panel = panel_of(world)
    widths = world.truth.vols[:, 0] * np.sqrt(world.tau)
    error = np.hypot(world.probability_sd, 5e-4)
    whole = problem(panel, world.probability, error, widths, wedge_sd=0.1, drift_sd=drift_sd)
    return world, whole


def misses(whole, x, drifts):
    T, M = whole.times.size, whole.data[4].shape[1]
    y, J, h = np.empty((T, M)), np.empty((T, SLOPES, M)), np.empty((3, T))
    rows(*whole.data[:6], x, drifts, y, J, h)
    return y, J, h


@pytest.fixture(scope="module")
def day():
    world = two_states(5, delta=0.08, p_noise=0.005, **SHAPE)
    fit = joint_fit(panel_of(world), world.probability, p_error=world.probability_sd)
    return world, fit


def test_slopes_are_those_of_differences():
    world, whole = small_problem(delta=0.05, **SHAPE)
    rng = np.random.default_rng(0)
    x = whole.start + 0.05 * rng.standard_normal(whole.start.size)
    x[:4] = 0.06, 0.1, -0.2, 0.3
    T = world.tau.size
    _, J, h = misses(whole, x, drifts=False)
    places = {0: 0, 1: 1, 2: 2, 3: 3, 4: COMMON, 5: COMMON + T}  # the last two of time 0
    for slope, at in places.items():
        step = np.zeros_like(x)
        step[at] = 1e-6
        up, down = misses(whole, x + step, False), misses(whole, x - step, False)
        by_hand = (down[0] - up[0])[0] / 2e-6  # a miss is price less model
        np.testing.assert_allclose(J[0, slope], by_hand, rtol=1e-5, atol=1e-4)
        if slope in (0, 5):
            row = 1 if slope == 0 else 2
            assert h[row, 0] == pytest.approx((up[2][0, 0] - down[2][0, 0]) / 2e-6, abs=1e-8)


def test_the_model_at_the_truth_prices_as_the_simulator():
    world, whole = small_problem(delta=0.08, log_vol_ratio=0.2, **SHAPE)
    T = world.tau.size
    x = whole.start.copy()
    x[:4] = 0.08, 0.2, SHAPE["skewness"], SHAPE["excess_kurtosis"]
    level = np.sqrt(world.truth.vols.prod(axis=1))
    x[COMMON : COMMON + T] = np.log(level * np.sqrt(world.tau))
    from scipy.special import ndtri

    x[COMMON + T :] = ndtri(world.truth.probability)
    exact = [*whole.data]
    exact[2] = np.where(whole.data[3] > 0.0, world.truth.calls, 0.0)
    y, _, _ = misses(whole._replace(data=tuple(exact)), x, drifts=False)
    assert np.abs(y).max() < 1e-8


@pytest.mark.parametrize("drifts", [False, True], ids=["still", "drift"])
def test_normal_equations_are_those_of_dense_algebra(drifts):
    """Quotes by a Kronecker-free dense covariance, all else by stacking residuals."""
    sd = 0.004 if drifts else 0.0
    world, whole = small_problem(sd, delta=0.05, p_noise=0.01)
    T, P = world.tau.size, whole.start.size
    M = whole.data[4].shape[1]
    rng = np.random.default_rng(2)
    x = whole.start + 0.02 * rng.standard_normal(P)
    x[0] = 0.05
    y, J, h = misses(whole, x, drifts)
    inverse = np.empty((M, T, T))
    noise_inverses(whole.times, whole.gamma[1], np.array([0.1, 0.4, 3.0]), inverse)
    weight = np.r_[0.0, np.full(T - 1, 900.0)]
    H, g = np.empty((P, P)), np.empty(P)
    d = whole.data
    sums = normal_equations(
        y, J, h, inverse, d[6], weight, d[7], d[8], d[9], whole.drift_weight, x, drifts, H, g
    )
    expected_H, expected_g, squares = np.zeros((P, P)), np.zeros(P), 0.0
    for m in range(M):
        A = np.zeros((T, P))
        A[:, :4] = J[:, :4, m]
        A[np.arange(T), COMMON + np.arange(T)] = J[:, 4, m]
        A[np.arange(T), COMMON + T + np.arange(T)] = J[:, 5, m]
        if drifts:
            A[np.arange(T), COMMON + 2 * T + np.arange(T)] = J[:, 0, m]
        expected_H += A.T @ inverse[m] @ A
        expected_g += A.T @ inverse[m] @ y[:, m]
        squares += y[:, m] @ inverse[m] @ y[:, m]
    assert sums[0] == pytest.approx(squares, rel=1e-12)

    def rest(z):
        _, _, now = misses(whole, z, drifts)
        out = [np.sqrt(900.0) * (d[6][1:] - np.diff(now[0]))]
        out.append(np.sqrt(d[8]) * (d[7] - (z[COMMON + T : COMMON + 2 * T] - z[4])))
        out.append(np.sqrt(d[9]) * -z[:COMMON])
        if drifts:
            walk = z[COMMON + 2 * T :]
            out += [-np.diff(walk) / sd, np.array([-100.0 / sd * walk.sum()])]
        return np.concatenate(out)

    r = rest(x)
    A = np.column_stack([(rest(x - e) - rest(x + e)) / 2e-6 for e in 1e-6 * np.eye(P)])
    np.testing.assert_allclose(g, expected_g + A.T @ r, rtol=1e-5, atol=1e-4 * np.abs(g).max())
    whole_H = np.tril(H) + np.tril(H, -1).T
    scale = np.sqrt(np.outer(np.diag(whole_H), np.diag(whole_H)))
    assert np.abs((whole_H - expected_H - A.T @ A) / scale).max() < 1e-6
    assert sums[1] + sums[2] == pytest.approx(float(r @ r), rel=1e-9)


def test_noise_inverse_is_the_inverse():
    times, gamma = np.array([0.0, 1.0, 2.5, 4.0]), np.array([0.5, 3.0])
    inverse = np.empty((2, 4, 4))
    log_det = noise_inverses(times, gamma, np.array([math.log(2.0), 0.3, 2.0]), inverse)
    R = np.exp(-np.abs(np.subtract.outer(times, times)) / 2.0)
    dense = [2.0 * (0.7 * np.eye(4) + 0.3 * c * R) for c in gamma]
    np.testing.assert_allclose(inverse, np.linalg.inv(dense), rtol=1e-12)
    assert log_det == pytest.approx(sum(np.linalg.slogdet(S)[1] for S in dense), rel=1e-12)


def test_factor_solve_and_trace_are_those_of_lapack():
    rng = np.random.default_rng(3)
    A, B = (Z @ Z.T + np.eye(9) for Z in rng.standard_normal((2, 9, 9)))
    L, b = A.copy(), np.arange(9.0)
    factor(L)
    np.testing.assert_allclose(np.tril(L), np.linalg.cholesky(A), rtol=1e-12, atol=1e-12)
    factored_solve(L, b)
    np.testing.assert_allclose(b, np.linalg.solve(A, np.arange(9.0)), rtol=1e-10)
    assert share_of(L, B) == pytest.approx(np.trace(np.linalg.solve(A, B)), rel=1e-10)


def test_the_minimum_is_that_of_scipy():
    """Same residuals, whitened, to scipy's least squares with numerical slopes."""
    _, whole = small_problem(delta=0.08, span=SMALL._replace(n_times=5))
    found = search(whole)
    T = whole.times.size
    roots = [np.linalg.cholesky(S).T for S in found.noise.inverse]
    d = whole.data

    def residuals(z):
        y, _, h = misses(whole, z, drifts=False)
        quotes = [root @ y[:, m] for m, root in enumerate(roots)]
        spot = np.sqrt(found.spot_weight[1:]) * (d[6][1:] - np.diff(h[0]))
        probit = np.sqrt(d[8]) * (d[7] - (z[COMMON + T :] - z[4]))
        return np.concatenate([*quotes, spot, probit, np.sqrt(d[9]) * z[:COMMON]])

    theirs = least_squares(residuals, found.unknown + 1e-3, xtol=1e-12, ftol=1e-12)
    assert found.value <= 2.0 * theirs.cost * (1.0 + 1e-7)
    assert found.unknown[0] == pytest.approx(theirs.x[0], abs=2e-5)


def test_a_gap_of_eight_percent_is_found(day):
    world, fit = day
    assert fit.verdict.status is Status.OK
    assert abs(fit.delta - 0.08) < 2.0 * (fit.upper - fit.lower)
    assert fit.upper - fit.lower < 0.02
    assert fit.zero_p_value < 1e-6
    assert abs(fit.skewness + 0.3) < 4.0 * fit.skewness_error
    held = np.abs(fit.mean_1 - [law.means[0] for law in world.truth.laws]) < 4.0 * fit.mean_1_error
    assert held.all()
    assert np.abs(fit.probability - world.truth.probability).max() < 0.05
    np.testing.assert_allclose([law.forward for law in fit.laws], world.forward, rtol=1e-12)


def test_the_interval_is_where_the_profile_says(day):
    _, fit = day
    inside = fit.profile.deltas[fit.profile.falls <= fit.profile.critical]
    assert fit.interval == (inside[0], inside[-1])
    assert fit.profile.falls.min() == 0.0
    assert fit.profile.critical[0] == pytest.approx(3.8415, abs=1e-4)
    assert critical_fall(1.0, 0.95) == pytest.approx(5.1384, abs=1e-4)  # chi-bar squared, 1 and 2


def test_units_do_not_matter(day):
    world, fit = day
    other = panel_of(world)
    other = other._replace(
        forwards=other.forwards * 50.0, strikes=other.strikes * 50.0, calls=other.calls * 50.0,
        errors=other.errors * 50.0,
    )  # fmt: skip
    again = joint_fit(other, world.probability, p_error=world.probability_sd)
    assert again.delta == pytest.approx(fit.delta, abs=2e-4)
    assert again.interval == pytest.approx(fit.interval, abs=5e-4)


def test_exchanging_the_outcomes_turns_the_gap(day):
    world, fit = day
    turned = joint_fit(panel_of(world), 1.0 - world.probability, p_error=world.probability_sd)
    assert turned.delta == pytest.approx(-fit.delta, abs=5e-4)
    assert turned.interval == pytest.approx((-fit.upper, -fit.lower), abs=1e-3)


def test_without_movement_of_p_nothing_is_said():
    world = market(delta=0.08)
    fit = joint_fit(panel_of(world), np.full(8, 0.5), p_error=0.01)
    assert fit.verdict.status is Status.NOT_IDENTIFIED
    assert "does not move" in fit.verdict.reason
    assert math.isnan(fit.delta)


def test_a_single_jump_of_p_is_no_path():
    world = market(delta=0.08)
    fit = joint_fit(panel_of(world), np.r_[np.full(4, 0.5), np.full(4, 0.99)])
    assert fit.verdict.status is Status.NOT_IDENTIFIED
    assert "all at once" in fit.verdict.reason


def test_few_times_are_few():
    world = market(delta=0.08)
    p = world.probability.copy()
    p[3:] = math.nan
    fit = joint_fit(panel_of(world), p)
    assert fit.verdict.status is Status.TOO_FEW
    assert "3 times" in fit.verdict.reason
    assert np.isnan(fit.mean_1).all()


def test_a_refusal_keeps_its_interval_and_hides_its_states():
    wide = {"half_spread": (0.03, 0.08), "displacement": 1.0, "memory_share": 0.5}
    world = market(seed=5, delta=0.0, p_noise=0.04, **wide)
    fit = joint_fit(panel_of(world), world.probability, p_error=world.probability_sd)
    assert fit.verdict.status is Status.NOT_IDENTIFIED
    assert "open" in fit.verdict.reason
    assert math.isnan(fit.delta)
    assert math.isnan(fit.lower)
    assert np.isfinite(fit.interval).all()
    assert fit.laws == ()


def test_times_left_out_are_nan(day):
    world, _ = day
    p = world.probability.copy()
    p[7] = math.nan
    fit = joint_fit(panel_of(world), p, p_error=world.probability_sd)
    assert math.isnan(fit.mean_1[7])
    assert len(fit.laws) == 39
    assert np.isfinite(np.delete(fit.mean_1, 7)).all()


def test_a_drifting_gap_is_followed():
    world = two_states(4, delta=0.08, span=WEEKS, drift=0.004)
    fit = joint_fit(panel_of(world), world.probability, drift_sd=0.004)
    assert fit.verdict.status is Status.OK
    assert fit.lower < world.truth.delta.mean() < fit.upper
    miss = (fit.delta_path - world.truth.delta) / fit.delta_path_error
    assert np.sqrt(np.mean(miss**2)) < 2.5
    assert np.corrcoef(fit.delta_path, world.truth.delta)[0, 1] > 0.5


def test_placebo_and_bootstrap_tell_a_gap_from_none():
    said = []
    world = market(delta=0.1, n_strikes=50)
    fit = joint_fit(
        panel_of(world), world.probability, placebos=9, bootstrap=9, progress=said.append
    )
    assert fit.zero_p_value == pytest.approx(0.1)  # none of 9
    assert 0.0 < fit.verdict.placebo <= 1.0
    assert said[-1] == 1.0
    assert said == sorted(said)
    none = market(delta=0.0, n_strikes=50)
    fit = joint_fit(panel_of(none), none.probability, bootstrap=9)
    assert fit.zero_p_value > 0.15


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"p": np.full(7, 0.5)}, "a probability a time"),
        ({"p": np.full(8, 1.5)}, "row 1, column 'p'"),
        ({"p_error": -0.1}, "errors of 0 or more"),
        ({"wedge_sd": -1.0}, "wedge_sd of 0"),
        ({"placebos": -1}, "counts of 0"),
        ({"level": 95.0}, "level between 0 and 1"),
    ],
    ids=["length", "range", "error", "wedge", "count", "level"],
)
def test_bad_input_is_said(given, said):
    world = market()
    options = {"p": world.probability, **given}
    with pytest.raises(InputError, match=said):
        joint_fit(panel_of(world), options.pop("p"), **options)


def test_the_panel_ends_before_quotes_die_out():
    world = market(delta=0.0)
    panel = panel_of(world)
    live = world.bids >= 1.5 * world.tick
    for t in range(8):
        used = np.flatnonzero(np.isfinite(panel.calls[t]))
        dead_above = np.flatnonzero(~live[t] & (world.strikes > world.forward[t]))
        assert used.max() <= (dead_above[0] - 3 if dead_above.size else 39)
        assert np.diff(used).max() == 1
    puts = world.is_call == False  # noqa: E712 - an array
    parity = panel.calls[0, puts] - (world.forward[0] - world.strikes[puts])
    mids = 0.5 * (world.bids + world.asks)[0, puts]
    seen = np.isfinite(parity)
    np.testing.assert_allclose(parity[seen], mids[seen], atol=1e-10)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"times": [0.0, 0.0]}, "rising times"),
        ({"taus": [0.1, -0.1]}, "column 'taus'"),
        ({"strikes": [5.0, 4.0, 3.0, 2.0, 1.0]}, "rising strikes"),
        ({"bids": np.ones((2, 4))}, r"shape \(2, 5\)"),
        ({"tick": 0.0}, "a tick above 0"),
    ],
    ids=["times", "taus", "strikes", "shape", "tick"],
)
def test_a_bad_panel_is_said(change, said):
    given = {
        "times": [0.0, 1.0], "taus": [0.1, 0.1], "forwards": [3.0, 3.0],
        "strikes": [1.0, 2.0, 3.0, 4.0, 5.0], "is_call": np.ones(5, bool),
        "bids": np.full((2, 5), 1.0), "asks": np.full((2, 5), 1.1), "tick": 0.01, **change,
    }  # fmt: skip
    with pytest.raises(InputError, match=said):
        option_panel(**given)


def test_a_probit_is_a_probit(day):
    """The wedge is what stands between the quoted and the pricing probability, on average."""
    world, fit = day
    from scipy.special import ndtri

    moved = ndtr(ndtri(world.probability) + fit.wedge)
    assert np.abs(np.mean(moved - fit.probability)) < 0.01


def test_solve_never_leaves_the_searched_range():
    _, whole = small_problem(delta=0.08)
    found = search(whole)
    x = whole.start.copy()
    x[:4] = 1.4, 1.4, 1.1, 3.5
    free = np.ones(x.size, np.bool_)
    out = solve(whole.data, found.noise.inverse, found.spot_weight, 0.0, x, free, 40, 1e-4)
    assert np.all(np.abs(out[0][:2]) <= 1.5)
    assert out[1] >= found.value - 1e-6
