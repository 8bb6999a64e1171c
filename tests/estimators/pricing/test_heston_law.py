"""Heston's law: Lewis's printed prices, QuantLib's, the original two integrals, and its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad, trapezoid

from eventtape.errors import InputError
from eventtape.estimators.pricing.heston import heston
from eventtape.estimators.pricing.lognormal_mixture import lognormal
from eventtape.estimators.pricing.terminal_law import law_prices, moments
from eventtape.simulate.option_chain import chain_truths

LEWIS = {
    "variance": 0.04,
    "mean_reversion": 4.0,
    "long_run_variance": 0.25,
    "vol_of_variance": 1.0,
    "correlation": -0.5,
}
LAW = heston(100.0 * math.exp(-0.01), 1.0, **LEWIS)
K = np.array([80.0, 90.0, 100.0, 110.0, 120.0])


def test_prices_of_lewis():
    """Alan Lewis's reference (S 100, r 1%, q 2%, one year), printed in QuantLib's test suite."""
    calls = [
        26.774758743998854,
        20.933349000596711,
        16.070154917028834,
        12.132211516709845,
        9.024913483457836,
    ]
    puts = [
        7.958878113256768,
        12.017966707346305,
        17.055270961270109,
        23.017825898442801,
        29.811026202682472,
    ]
    D = math.exp(-0.01)
    np.testing.assert_allclose(law_prices(LAW, K, True, discount=D), calls, rtol=0, atol=2e-13)
    np.testing.assert_allclose(law_prices(LAW, K, False, discount=D), puts, rtol=0, atol=2e-13)


def test_prices_of_quantlib():
    """The chains' Heston truth; QuantLib 1.44, AnalyticHestonEngine at tolerance 1e-13."""
    priced = [30.026344043641, 15.562337288793, 4.417319523097, 0.328596005808, 0.003873850408]
    truth = chain_truths()["heston"]
    np.testing.assert_allclose(truth.call([70, 85, 100, 115, 130]), priced, rtol=0, atol=2e-12)


def plain_characteristic(law, u):
    """Heston (1993) as printed, with u + i b in place of ours, no care for cancellation."""
    k, t, s, r = (
        law.mean_reversion,
        law.long_run_variance,
        law.vol_of_variance,
        law.correlation,
    )
    iu = 1j * u
    d = np.sqrt((r * s * iu - k) ** 2 + s * s * (iu + u * u))
    g = (k - r * s * iu - d) / (k - r * s * iu + d)
    e = np.exp(-d * law.tau)
    C = k * t / s**2 * ((k - r * s * iu - d) * law.tau - 2 * np.log((1 - g * e) / (1 - g)))
    return np.exp(C + law.variance * (k - r * s * iu - d) / s**2 * (1 - e) / (1 - g * e))


def test_prices_by_hestons_own_two_probabilities():
    """C = F P1 - K P2 on the real axis by adaptive quadrature: another contour, another rule."""
    for strike in K:
        k = math.log(strike / LAW.forward)

        def wave(u, shift, k=k):
            phi = plain_characteristic(LAW, u - 1j * shift)
            return (np.exp(-1j * u * k) * phi / (1j * u)).real

        P1, P2 = (
            0.5 + quad(wave, 1e-12, 400.0, (s,), epsabs=1e-12, limit=2000)[0] / math.pi
            for s in (1.0, 0.0)
        )
        assert float(LAW.call(strike)) == pytest.approx(LAW.forward * P1 - strike * P2, abs=1e-9)
        assert float(LAW.cdf(strike)) == pytest.approx(1.0 - P2, abs=1e-10)


def test_moments_are_those_of_the_density():
    s = np.exp(np.linspace(math.log(0.01), math.log(5e3), 6001))
    f = LAW.pdf(s)
    for order in (0, 1, 2, 3):
        assert LAW.raw_moment(order) == pytest.approx(
            trapezoid(f * s ** (order + 1), np.log(s)), rel=1e-8
        )


def test_the_density_is_the_slope_of_the_distribution():
    """Central differences: 1e-3 wide, their error is h^2 f''/6."""
    h = 1e-3
    np.testing.assert_allclose(
        (LAW.cdf(K + h) - LAW.cdf(K - h)) / (2 * h), LAW.pdf(K), rtol=0, atol=1e-10
    )
    np.testing.assert_allclose(
        (LAW.put(K + h) - LAW.put(K - h)) / (2 * h), LAW.cdf(K), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("xi", [1e-3, 1e-5, 1e-7])
def test_a_constant_variance_is_black(xi):
    """The distance is of the order of xi (skew), so it must fall with it."""
    law = heston(
        100.0,
        0.1,
        **{**LEWIS, "variance": 0.04, "long_run_variance": 0.04, "vol_of_variance": xi},
    )
    black = lognormal(100.0, 0.1, 0.2)
    for name in ("pdf", "cdf", "call", "put"):
        gap = np.abs(getattr(law, name)(K) - getattr(black, name)(K)).max()
        assert gap < 0.5 * xi


def test_moments_explode_when_andersen_and_piterbarg_say():
    """Second moment of a law with explosive parameters: the formula's time is where the Riccati
    equation of E[S^n], integrated step by step, passes any bound.
    """
    law = heston(
        100.0,
        1.0,
        variance=0.09,
        mean_reversion=0.5,
        long_run_variance=0.09,
        vol_of_variance=1.0,
        correlation=0.3,
    )
    for n, (xi, rho) in {2: (1.5, 0.3), 3: (1.0, 0.3), 4: (1.0, 0.9)}.items():
        one = law._replace(vol_of_variance=xi, correlation=rho)
        D, t, h = 0.0, 0.0, 1e-5

        def rate(y, n=n, xi=xi, rho=rho):
            return 0.5 * n * (n - 1) + (rho * xi * n - 0.5) * y + 0.5 * xi * xi * y * y

        while D < 1e4:
            middle = D + 0.5 * h * rate(D)
            D, t = D + h * rate(middle), t + h
        assert one.explosion(n) == pytest.approx(t, rel=2e-3)
        assert one._replace(tau=one.explosion(n) * 1.01).raw_moment(n) == math.inf
        assert math.isfinite(one._replace(tau=one.explosion(n) * 0.9).raw_moment(n))
    assert heston(100.0, 1.0, **LEWIS).explosion(2) == math.inf


def test_the_truth_of_the_chains_is_skewed():
    m = moments(chain_truths()["heston"])
    assert m.mean == pytest.approx(100.0, rel=1e-13)
    assert m.skewness < -0.2


@pytest.mark.parametrize(
    "bad",
    [{"variance": 0.0}, {"vol_of_variance": -1.0}, {"correlation": 1.0}, {"mean_reversion": 0.0}],
    ids="-".join,
)
def test_bad_parameters_are_refused(bad):
    with pytest.raises(InputError):
        heston(100.0, 1.0, **{**LEWIS, **bad})
