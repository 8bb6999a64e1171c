"""Two lognormal states: the lowest chi2, honest errors, an order, and when there are not two."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import least_squares

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.density.two_lognormal import fit_two_lognormal
from eventtape.estimators.pricing.lognormal_mixture import (
    LognormalMixture,
    lognormal,
    lognormal_mixture,
)
from eventtape.estimators.pricing.terminal_law import law_prices
from eventtape.simulate.option_chain import chain_truths, option_chain

TRUTHS = chain_truths()


def noisy(law, seed, *, n=40, width=0.3, error=(0.01, 0.003)):
    """Out-of-the-money prices with normal errors of known size."""
    rng = np.random.default_rng(seed)
    K = law.forward * np.linspace(1 - width, 1 + width, n)
    call = law.forward <= K
    V = law_prices(law, K, call)
    e = error[0] + error[1] * V
    V = V + e * rng.standard_normal(n)
    clear = 4 * e < V  # a price cut off at 0 would have less noise than it says
    return K[clear], call[clear], V[clear], e[clear]


def fitted(law, seed, **design):
    return fit_two_lognormal(*noisy(law, seed, **design), forward=law.forward, tau=law.tau)


@pytest.mark.parametrize("name", ["mixture", "bimodal", "skewed", "kou"])
def test_no_search_finds_a_lower_chi2(name):
    """Twenty random starts of scipy's least squares with differenced derivatives, in p, m1, s1, s2
    themselves: another code, other parameters.
    """
    law = TRUTHS[name]
    K, call, V, e = noisy(law, 1)
    ours = fit_two_lognormal(K, call, V, e, forward=100.0, tau=law.tau)
    rng = np.random.default_rng(2)

    def residuals(x):
        p, m1, s1, s2 = x
        states = LognormalMixture(
            np.array([p, 1 - p]),
            np.array([m1, (100.0 - p * m1) / (1 - p)]),
            np.array([s1, s2]),
            law.tau,
        )
        return (law_prices(states, K, call) - V) / e

    lowest = np.inf
    for _ in range(20):
        p = rng.uniform(0.05, 0.95)
        m1 = rng.uniform(80.0, min(100.0, 99.0 / p))
        end = least_squares(
            residuals,
            [p, m1, *rng.uniform(0.2, 1.0, 2)],
            bounds=([0.003, 1.0, 0.02, 0.02], [0.997, 100.2, 5.0, 5.0]),
            x_scale=[0.1, 1.0, 0.1, 0.1],
        )
        lowest = min(lowest, 2.0 * end.cost)
    assert ours.chi2 <= lowest * (1 + 1e-6)
    assert ours.chi2 == pytest.approx(np.sum(((law_prices(ours.law, K, call) - V) / e) ** 2))


def held(name, n, first=0):
    """The share of n chains whose 95% Wald interval holds the truth, for each parameter."""
    law = TRUTHS[name]
    order = np.argsort(law.means)
    truth = np.array([law.weights[order[0]], *law.means[order], *law.vols[order]])
    inside = np.zeros(5)
    for seed in range(first, first + n):
        fit = fitted(law, [33, seed])
        assert fit.status is Status.OK
        inside += np.abs(np.array(fit.params) - truth) < 1.96 * np.array(fit.errors)
    return inside / n


@pytest.mark.parametrize("name", ["bimodal", "skewed"])
def test_errors_cover_the_truth(name):
    """72 of 80 or more, each parameter: at the nominal rate fewer come once in 40."""
    assert (held(name, 80) >= 0.9).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bimodal", "skewed"])
def test_errors_cover_the_truth_at_their_level(name):
    """600 chains (se 0.9%). A little over 95%: the scale of the noise never falls below 1."""
    share = held(name, 600)
    assert (share > 0.93).all()
    assert (share < 0.98).all()


def false_pairs(n):
    """Chains of one lognormal whose fit names two states."""
    law, called = lognormal(100.0, 10 / 365, 0.6), 0
    for seed in range(n):
        fit = fitted(law, [4, seed])
        if fit.status is Status.NOT_IDENTIFIED:
            assert np.isnan([*fit.params, *fit.errors]).all()
            assert fit.law is not None
            assert fit.law.weights.tolist() == [1.0]
            assert fit.law.vols[0] == pytest.approx(0.6, abs=0.01)
        called += fit.status is Status.OK
    return called


def test_one_lognormal_is_not_two():
    """At level 1%, though the test is not exact: 3 of 30 would be chance once in 300."""
    assert false_pairs(30) < 3


@pytest.mark.slow
def test_one_lognormal_is_not_two_over_a_thousand_chains():
    """The rate at which the inexact test errs at its level of 1%."""
    assert false_pairs(1000) <= 20


def test_states_that_merge_are_refused_and_states_apart_are_found():
    """The same noise, states ever nearer: from found to not identified, never a wrong pair."""
    for gap, status in [(0.15, Status.OK), (0.08, Status.OK), (0.001, Status.NOT_IDENTIFIED)]:
        law = lognormal_mixture(
            [0.5, 0.5], [100 * (1 + gap), 100 * (1 - gap)], [0.5, 0.5], 10 / 365
        )
        assert fitted(law, 5).status is status


def test_exchanged_states_and_scaled_prices_are_one_answer():
    law = TRUTHS["bimodal"]
    K, call, V, e = noisy(law, 6)
    one = fit_two_lognormal(K, call, V, e, forward=100.0, tau=law.tau)
    two = fit_two_lognormal(8 * K, call, 8 * V, 8 * e, forward=800.0, tau=law.tau)
    scale = np.array([1.0, 8.0, 8.0, 1.0, 1.0])
    np.testing.assert_allclose(two.params, one.params * scale, rtol=1e-6)
    np.testing.assert_allclose(two.errors, one.errors * scale, rtol=1e-5)
    mixed = np.random.default_rng(7).permutation(K.size)
    other = fit_two_lognormal(K[mixed], call[mixed], V[mixed], e[mixed], forward=100.0, tau=law.tau)
    np.testing.assert_allclose(other.params, one.params, rtol=1e-6)
    assert one.params.mean_1 < 100.0 < one.params.mean_2


def test_equal_means_are_ordered_by_volatility():
    law = lognormal_mixture([0.7, 0.3], [100.0, 100.0], [0.9, 0.3], 30 / 365)
    for seed in range(5):
        fit = fitted(law, [8, seed])
        assert fit.status is Status.OK
        assert fit.params.vol_1 == pytest.approx(0.3, abs=5 * fit.errors.vol_1)
        assert fit.params.vol_2 == pytest.approx(0.9, abs=5 * fit.errors.vol_2)
        assert fit.params.probability == pytest.approx(0.3, abs=5 * fit.errors.probability)


def test_a_discount_and_the_side_quoted_change_nothing():
    law = TRUTHS["skewed"]
    chain = option_chain(law, seed=9, discount=0.95, n_strikes=40, tick=1e-9)
    V = chain.values
    e = 0.01 * np.ones(V.size)
    ends = []
    for side in (chain.is_call, ~chain.is_call):
        fit = fit_two_lognormal(
            chain.strikes[side],
            chain.is_call[side],
            V[side],
            e[side],
            forward=100.0,
            tau=law.tau,
            discount=0.95,
        )
        ends.append(fit.params)
    np.testing.assert_allclose(ends[0], [0.15, law.means[1], 102.0, 0.6, 0.25], rtol=1e-5)
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-5)


def test_five_strikes_are_too_few():
    law = TRUTHS["bimodal"]
    K, call, V, e = noisy(law, 10)
    twice = np.r_[:5, :5]
    fit = fit_two_lognormal(K[twice], call[twice], V[twice], e[twice], forward=100.0, tau=law.tau)
    assert fit.status is Status.TOO_FEW
    assert fit.law is None
    assert np.isnan([*fit.params, *fit.errors, fit.rmse, fit.chi2, fit.p_value]).all()


def test_constant_prices_are_no_density():
    """Calls all at one price: whatever is returned, no two states and no small rmse."""
    K = np.linspace(80.0, 120.0, 20)
    fit = fit_two_lognormal(
        K, np.ones(20, bool), np.full(20, 5.0), np.full(20, 0.05), forward=100.0, tau=0.1
    )
    assert fit.status is not Status.OK


@pytest.mark.parametrize(
    ("change", "wanted", "place"),
    [
        (lambda q: q[0].__setitem__(3, -1.0), "strikes above 0", (4, "strikes")),
        (lambda q: q[2].__setitem__(3, math.nan), "price", (4, "prices")),
        (lambda q: q[2].__setitem__(3, -0.01), "price", (4, "prices")),
        (lambda q: q[3].__setitem__(3, 0.0), "error above 0", (4, "errors")),
    ],
    ids=["strike", "nan", "negative", "error"],
)
def test_bad_quotes_are_named(change, wanted, place):
    quotes = [np.array(x) for x in noisy(TRUTHS["bimodal"], 11)]
    change(quotes)
    with pytest.raises(InputError, match=wanted) as caught:
        fit_two_lognormal(*quotes, forward=100.0, tau=0.1)
    assert (caught.value.row, caught.value.column) == place


def test_bad_shapes_and_scalars_are_refused():
    K, call, V, e = noisy(TRUTHS["bimodal"], 12)
    with pytest.raises(InputError, match="one shape"):
        fit_two_lognormal(K[:-1], call, V, e, forward=100.0, tau=0.1)
    with pytest.raises(InputError, match="True for calls"):
        fit_two_lognormal(K, np.where(call, "C", "P"), V, e, forward=100.0, tau=0.1)
    for bad in ({"forward": 0.0}, {"tau": -0.1}, {"discount": math.nan}):
        with pytest.raises(InputError, match=next(iter(bad))):
            fit_two_lognormal(K, call, V, e, **{"forward": 100.0, "tau": 0.1, **bad})
