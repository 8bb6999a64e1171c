"""Lognormal mixtures by quadrature, draws and Black's own numbers; quantiles of any law."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from eventtape.errors import InputError
from eventtape.estimators.pricing.kou import kou
from eventtape.estimators.pricing.lognormal_mixture import lognormal, lognormal_mixture
from eventtape.estimators.pricing.terminal_law import moments, quantile

LAW = lognormal_mixture([0.3, 0.5, 0.2], [85.0, 100.0, 125.0], [0.6, 0.3, 0.5], 0.1)
K = np.array([50.0, 80.0, 98.0, 110.0, 150.0])


def test_a_black_price_from_a_textbook():
    """Hull: S 42, K 40, r 10%, vol 20%, half a year: call 4.76, put 0.81 (4.7594, 0.8086)."""
    law, D = lognormal(42 * math.exp(0.05), 0.5, 0.2), math.exp(-0.05)
    assert D * law.call(40.0) == pytest.approx(4.7594, abs=5e-5)
    assert D * law.put(40.0) == pytest.approx(0.8086, abs=5e-5)


def test_distribution_and_prices_are_integrals_of_the_density():
    for strike in K:
        parts = {"epsabs": 1e-13, "epsrel": 1e-12, "limit": 200}
        assert quad(LAW.pdf, 1e-3, strike, **parts)[0] == pytest.approx(
            float(LAW.cdf(strike)), abs=1e-11
        )
        put = quad(lambda s, k=strike: (k - s) * float(LAW.pdf(s)), 1e-3, strike, **parts)[0]
        assert put == pytest.approx(float(LAW.put(strike)), abs=1e-9)
    np.testing.assert_allclose(LAW.call(K) - LAW.put(K), LAW.forward - K, rtol=0, atol=1e-12)


def test_moments_against_two_million_draws():
    """Four standard errors of each."""
    rng = np.random.default_rng(1)
    j = rng.choice(3, 2_000_000, p=LAW.weights)
    sd = LAW.vols[j] * math.sqrt(LAW.tau)
    s = LAW.means[j] * np.exp(sd * rng.standard_normal(j.size) - 0.5 * sd * sd)
    for order in (1, 2, 3, 4):
        x = (s / 100.0) ** order
        assert LAW.raw_moment(order) / 100.0**order == pytest.approx(
            x.mean(), abs=4.0 * x.std() / math.sqrt(x.size)
        )


def test_moments_of_a_lognormal_in_closed_form():
    w2 = 0.3**2 * 0.5
    m = moments(lognormal(50.0, 0.5, 0.3))
    grown = math.exp(w2)
    assert m.mean == pytest.approx(50.0)
    assert m.sd == pytest.approx(50.0 * math.sqrt(grown - 1.0), rel=1e-12)
    assert m.skewness == pytest.approx((grown + 2.0) * math.sqrt(grown - 1.0), rel=1e-10)
    assert m.kurtosis == pytest.approx(grown**4 + 2 * grown**3 + 3 * grown**2 - 3, rel=1e-10)


@pytest.mark.parametrize(
    "law",
    [
        LAW,
        lognormal(1.0, 1e-4, 0.1),
        kou(
            4e4,
            0.1,
            0.5,
            intensity=9.0,
            up_probability=0.5,
            mean_up=0.1,
            mean_down=0.1,
        ),
    ],
    ids=["mixture", "narrow", "kou"],
)
def test_quantiles_are_where_the_distribution_passes(law):
    levels = np.array([1e-4, 0.01, 0.5, 0.975, 0.9999])
    q = quantile(law, levels)
    np.testing.assert_allclose(law.cdf(q), levels, rtol=0, atol=1e-10)
    assert quantile(law, 0.5).shape == ()


def test_bad_states_are_named():
    with pytest.raises(InputError, match="one shape"):
        lognormal_mixture([1.0], [100.0, 90.0], [0.2], 0.1)
    with pytest.raises(InputError, match="sum to 1"):
        lognormal_mixture([0.5, 0.6], [100.0, 90.0], [0.2, 0.3], 0.1)
    with pytest.raises(InputError, match="vols above 0"):
        lognormal_mixture([0.5, 0.5], [100.0, 90.0], [0.2, 0.0], 0.1)
    with pytest.raises(InputError, match="tau above 0"):
        lognormal(100.0, 0.0, 0.2)
    with pytest.raises(InputError, match="levels"):
        quantile(LAW, [0.0, 0.5])
