"""Kou's law fitted: exact derivatives, the truth recovered with its errors, and no false jumps."""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.density.kou_fit import _exponent, _slopes, fit_kou
from eventtape.estimators.pricing.kou import Kou
from eventtape.estimators.pricing.lognormal_mixture import LognormalMixture, lognormal
from eventtape.estimators.pricing.terminal_law import law_prices
from eventtape.simulate.option_chain import chain_truths

LAW = chain_truths()["kou"]
TRUE = np.array(LAW[2:])


def noisy(law, seed, *, n=50, width=0.33, error=(0.004, 0.001)):
    rng = np.random.default_rng(seed)
    K = law.forward * np.linspace(1 - width, 1 + width, n)
    call = law.forward <= K
    V = law_prices(law, K, call)
    e = error[0] + error[1] * V
    V = V + e * rng.standard_normal(n)
    clear = 4 * e < V  # a price cut off at 0 would have less noise than it says
    return K[clear], call[clear], V[clear], e[clear]


def test_derivatives_of_the_exponent():
    """Central differences of step 1e-6: error 1e-10 of the size."""
    x = np.log([0.25, 1.6, 2.4, 0.06, 0.12])
    z = 1j * np.linspace(0.0, 200.0, 41) + 0.5
    exact = _slopes(x, z)
    for j in range(5):
        up, down = x.copy(), x.copy()
        up[j] += 1e-6
        down[j] -= 1e-6
        by_steps = (_exponent(up, z) - _exponent(down, z)) / 2e-6
        np.testing.assert_allclose(exact[:, j], by_steps, rtol=1e-7, atol=1e-6)


def test_the_exponent_is_that_of_the_law():
    x = np.log([LAW.vol, 4.0 * 0.4, 4.0 * 0.6, LAW.mean_up, LAW.mean_down])
    u = np.linspace(0.0, 150.0, 31)
    np.testing.assert_allclose(
        np.exp(LAW.tau * _exponent(x, 1j * u + 0.5)), LAW.characteristic(u - 0.5j), atol=1e-15
    )


def test_exact_prices_give_the_parameters_back():
    K, call, _, e = noisy(LAW, 0)
    fit = fit_kou(K, call, law_prices(LAW, K, call), e, forward=100.0, tau=LAW.tau)
    assert fit.status is Status.OK
    np.testing.assert_allclose(fit.params, TRUE, rtol=1e-4)
    assert fit.rmse < 1e-6
    assert isinstance(fit.law, Kou)
    np.testing.assert_allclose(fit.law.pdf(K), LAW.pdf(K), atol=1e-6)


def test_errors_cover_the_truth():
    """Within 1.96 errors in 24 to 30 of 30 chains for each parameter (under 24: once in 1,000)."""
    held = np.zeros(5)
    for seed in range(30):
        fit = fit_kou(*noisy(LAW, [1, seed]), forward=100.0, tau=LAW.tau)
        assert fit.status is Status.OK
        held += np.abs(np.array(fit.params) - TRUE) < 1.96 * np.array(fit.errors)
    assert (held >= 0.8 * 30).all()
    assert (held < 30).any()


def test_a_diffusion_has_no_jumps():
    """12 chains: the law is Black's own and nothing is said of jumps."""
    law, called = lognormal(100.0, 30 / 365, 0.4), 0
    for seed in range(12):
        fit = fit_kou(*noisy(law, [2, seed]), forward=100.0, tau=law.tau)
        called += fit.status is not Status.NOT_IDENTIFIED
        if fit.status is Status.NOT_IDENTIFIED:
            assert np.isnan([*fit.params, *fit.errors]).all()
            assert isinstance(fit.law, LognormalMixture)
            assert fit.law.vols[0] == pytest.approx(0.4, abs=0.005)
    assert called <= 1


def test_another_familys_law_keeps_a_density_without_parameters():
    """Two modes are beyond Kou's law: a parameter ends at its bound, and chi2 says so too."""
    law = chain_truths()["bimodal"]
    fit = fit_kou(*noisy(law, 3), forward=100.0, tau=law.tau)
    assert fit.status is Status.NOT_RESOLVED
    assert np.isnan(fit.params).all()
    assert fit.chi2 > 500.0
    assert fit.law is not None


def test_six_strikes_are_too_few_and_bad_quotes_are_named():
    K, call, V, e = noisy(LAW, 4)
    fit = fit_kou(K[:6], call[:6], V[:6], e[:6], forward=100.0, tau=LAW.tau)
    assert fit.status is Status.TOO_FEW
    assert fit.law is None
    V[2] = np.inf
    with pytest.raises(InputError, match="finite price") as caught:
        fit_kou(K, call, V, e, forward=100.0, tau=LAW.tau)
    assert (caught.value.row, caught.value.column) == (3, "prices")
