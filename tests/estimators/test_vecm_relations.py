"""Likelihood ratios of relations and of loadings against likelihoods maximised by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.refusals import Reason
from eventtape.estimators.discovery.relation_tests import beta_test, exogeneity_test
from eventtape.estimators.discovery.vecm import vecm, vecm_from_moments
from eventtape.estimators.discovery.vecm_moments import moments


def pulled(seed, *, rows=500, runs=1, alpha=(-0.1, 0.1), beta=(1.0, -1.0), rho=0.3):
    """Pairs of log prices at 4.6 that follow dX = alpha beta' X + e, in steps of a thousandth."""
    rng = np.random.default_rng(seed)
    a, b = np.array(alpha), np.array(beta)
    root = np.linalg.cholesky(np.array([[1.0, rho], [rho, 1.0]]))
    e = rng.standard_normal((rows, runs, 2)) @ root.T
    x = np.zeros((rows, runs, 2))
    for t in range(1, rows):
        x[t] = x[t - 1] + (x[t - 1] @ b)[:, None] * a + e[t]
    prices = 4.6 + 1e-3 * x.transpose(1, 0, 2)
    return prices[0] if runs == 1 else prices


def three(seed, rows=400):
    """Three prices on one walk."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.standard_normal(rows))
    own = rng.standard_normal((rows, 3))
    for t in range(1, rows):
        own[t] += 0.5 * own[t - 1]
    return 4.6 + 1e-3 * (walk[:, None] * [1.0, 1.2, 0.8] + own)


@pytest.mark.parametrize("lags", [0, 2])
@pytest.mark.parametrize("deterministic", ["n", "co", "ci"])
def test_a_known_space_is_two_likelihoods(deterministic, lags):
    """Twice what is lost by imposing beta, from two fits; any basis of the space is the same."""
    beta = np.array([[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0]])
    if deterministic == "ci":
        beta = np.vstack([beta, [0.5, -0.2]])
    for seed in range(5):
        x = three([1, seed])
        free = vecm(x, lags, rank=2, deterministic=deterministic)
        held = vecm(x, lags, beta=beta, deterministic=deterministic)
        out = beta_test(moments(x, lags), beta, deterministic=deterministic)
        lost = 2.0 * (free.log_likelihood - held.log_likelihood)
        assert out.statistic == pytest.approx(lost, rel=1e-7)
        assert out.df == 2 * (beta.shape[0] - 2)
        assert out.p_value == pytest.approx(chi2.sf(lost, out.df), rel=1e-6)
        assert (out.status, out.n_rows) == (Status.OK, free.n_rows)
        other = beta @ np.array([[2.0, 1.0], [-0.5, 3.0]])
        again = beta_test(moments(x, lags), other, deterministic=deterministic)
        assert again.statistic == pytest.approx(out.statistic, rel=1e-8)


def test_what_was_estimated_is_not_rejected():
    """The estimate as the claim: a statistic of rounding only, never below zero."""
    for seed in range(20):
        state = moments(three([10, seed]), 1)
        out = beta_test(state, vecm_from_moments(state, rank=1).beta)
        assert 0.0 <= out.statistic < 1e-9
        assert out.p_value > 0.9999


@pytest.mark.parametrize("deterministic", ["co", "ci"])
def test_one_relation_known_of_two(deterministic):
    """The other by numerical search over all fits that hold the known one."""
    for seed in range(3):
        x = 100.0 * (three([2, seed]) - 4.6)
        known = np.array([1.0, -1.0, 0.0] + [0.1] * (deterministic == "ci"))
        free = vecm(x, 1, rank=2, deterministic=deterministic)

        def fit(rest, x=x, known=known):
            beta = np.column_stack([known, [1.0, 1.0, *rest]])
            return -vecm(x, 1, beta=beta, deterministic=deterministic).log_likelihood

        exact = {"method": "Nelder-Mead", "options": {"xatol": 1e-9, "fatol": 1e-9}}
        starts = [np.array([-2.0, c])[: known.size - 2] for c in (-1.0, 0.0, 1.0)]
        best = min(minimize(fit, start, **exact).fun for start in starts)
        out = beta_test(moments(x, 1), known, rank=2, deterministic=deterministic)
        # The search is a maximum to about 1e-8 of a likelihood of thousands
        assert out.statistic == pytest.approx(2.0 * (free.log_likelihood + best), abs=1e-5)
        assert out.df == known.size - 2


def test_series_that_do_not_adjust_by_search():
    """Row i of alpha zero: dX_i on lags and constant alone, the rest given it on all, beta free."""
    for seed in range(3):
        x = 100.0 * (pulled([3, seed], rows=300) - 4.6)
        dx, level, lag = x[2:] - x[1:-1], x[1:-1], x[1:-1] - x[:-2]
        one = np.ones((len(dx), 1))

        def part(y, *regressors):
            design = np.column_stack(regressors)
            e = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
            return -0.5 * len(y) * (math.log(2 * math.pi) + math.log(e @ e / len(y)) + 1.0)

        free = vecm(x, 1, rank=1).log_likelihood
        for still in (0, 1):
            rest = part(dx[:, still], lag, one)

            def fit(b, still=still, dx=dx, level=level, lag=lag, one=one):
                pull = level[:, 0] + b[0] * level[:, 1]
                return -part(dx[:, 1 - still], pull, dx[:, still], lag, one)

            best = minimize(fit, [-1.0], method="BFGS", options={"gtol": 1e-8}).fun
            out = exogeneity_test(moments(x, 1), [still], rank=1)
            assert out.statistic == pytest.approx(2.0 * (free - rest + best), abs=1e-5)
            assert out.df == 1


def test_units_and_order_leave_the_tests_alone():
    x, d, p = three(4), np.array([1e3, -1.0, 0.02]), np.array([2, 0, 1])
    beta = np.array([[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0]])
    one = beta_test(moments(x, 1), beta)
    assert beta_test(moments(x * d, 1), beta / d[:, None]).statistic == pytest.approx(
        one.statistic, rel=1e-7
    )
    assert beta_test(moments(x[:, p], 1), beta[p]).statistic == pytest.approx(
        one.statistic, rel=1e-8
    )
    some = exogeneity_test(moments(x, 1), [1], rank=2)
    other = exogeneity_test(moments((x * d)[:, p], 1), [2], rank=2)
    assert other.statistic == pytest.approx(some.statistic, rel=1e-7)


def rejected(tests):
    return float(np.mean([t.p_value < 0.05 for t in tests]))


def test_size_of_true_claims():
    """500 pairs of 1,000 rows: both claims are true, and 5% rejected, within 3.3 binomial se."""
    state = [moments(x, 0) for x in pulled(5, rows=1_000, runs=500, alpha=(-0.1, 0.0))]
    band = 3.3 * math.sqrt(0.05 * 0.95 / 500)
    assert abs(rejected(beta_test(m, [1.0, -1.0]) for m in state) - 0.05) < band
    assert abs(rejected(exogeneity_test(m, [1], rank=1) for m in state) - 0.05) < band


def test_power_against_false_claims():
    """Beta (1, -1.2) is not (1, -1); the first series does adjust; neither is stationary alone."""
    many = pulled(6, rows=1_000, runs=100, alpha=(-0.1, 0.0), beta=(1.0, -1.2))
    state = [moments(x, 0) for x in many]
    assert rejected(beta_test(m, [1.0, -1.0]) for m in state) > 0.9
    assert rejected(exogeneity_test(m, [0], rank=1) for m in state) > 0.95
    assert rejected(beta_test(m, [1.0, 0.0]) for m in state) > 0.95
    assert rejected(beta_test(m, [0.0, 1.0]) for m in state) > 0.95


def test_one_stationary_series_is_found_out():
    """A walk beside an AR(.7): rank one, but the relation is the second series alone."""
    x = pulled([7, 0], rows=1_000, alpha=(0.0, -0.3), beta=(0.0, 1.0), rho=0.0)
    state = moments(x, 1)
    assert vecm(x, 1, rank=1).trace[0] > 100.0
    assert beta_test(state, [0.0, 1.0]).p_value > 0.05
    assert beta_test(state, [1.0, 0.0]).p_value < 1e-6


def test_what_cannot_be_tested():
    x = pulled(8)
    k = 1 + 2 + 1
    for rows, reason in ((10 * k + 2, Reason.NONE), (10 * k + 1, Reason.FEW_ROWS)):
        for out in (
            beta_test(moments(x[:rows], 1), [1.0, -1.0]),
            exogeneity_test(moments(x[:rows], 1), [0], rank=1),
        ):
            assert out.reason is reason
            assert math.isnan(out.p_value) is math.isnan(out.statistic) is bool(reason)
            assert (out.status is Status.TOO_FEW) is bool(reason)
    for lags in (0, 1):
        twice = moments(np.column_stack([x, x[:, 0]]), lags)
        for out in (
            beta_test(twice, [1.0, -1.0, 0.0]),
            beta_test(twice, [1.0, -1.0, 0.0], rank=2),
            exogeneity_test(twice, [0], rank=1),
        ):
            assert (out.reason, out.status) == (Reason.SINGULAR, Status.NOT_IDENTIFIED)
            assert math.isnan(out.p_value)


def test_wrong_claims_are_named():
    state = moments(pulled(9), 1)
    for beta in (
        np.eye(2),
        np.ones((2, 3)),
        np.ones((3, 1)),
        [1.0, np.nan],
        np.zeros((2, 1)),
        np.zeros((2, 0)),
    ):
        with pytest.raises(InputError):
            beta_test(state, beta)
    with pytest.raises(InputError, match="1 <= known relations <= rank < 2"):
        beta_test(state, [1.0, -1.0], rank=2)
    with pytest.raises(InputError, match=r"shape \(3, rank\)"):
        beta_test(state, [1.0, -1.0], deterministic="ci")
    for series in ([2], [-1], [], [0, 0]):
        with pytest.raises(InputError, match="distinct columns"):
            exogeneity_test(state, series, rank=1)
    for rank in (0, 2):
        with pytest.raises(InputError, match="a rank from 1 to 1"):
            exogeneity_test(state, [0], rank=rank)
    with pytest.raises(InputError, match="a rank from 1 to 0"):
        exogeneity_test(state, [0, 1], rank=1)
