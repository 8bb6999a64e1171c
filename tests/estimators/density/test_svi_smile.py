"""SVI: its density by differences, what a butterfly report must catch, and the fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.density.svi import Svi, SviLaw, svi_butterfly, svi_smile
from eventtape.estimators.density.svi_fit import fit_svi
from eventtape.estimators.pricing.lognormal_mixture import lognormal

GOOD = Svi(0.004, 0.06, -0.02, -0.45, 0.1)
VOGT = Svi(-0.0410, 0.1331, 0.3586, 0.3060, 0.4153)
TAU = 0.1
K = np.linspace(70.0, 130.0, 40)


def test_derivatives_of_the_smile():
    k, h = np.linspace(-2.0, 2.0, 41), 1e-4
    w, slope, bend = svi_smile(GOOD, k)
    up, down = svi_smile(GOOD, k + h)[0], svi_smile(GOOD, k - h)[0]
    np.testing.assert_allclose(slope, (up - down) / (2 * h), atol=1e-6)
    np.testing.assert_allclose(bend, (up - 2 * w + down) / h**2, atol=1e-5)


@pytest.mark.parametrize("smile", [GOOD, VOGT], ids=["good", "vogt"])
def test_density_and_distribution_are_those_of_its_prices(smile):
    """Differences of Black's put at the smile's own volatility; Vogt's is negative somewhere."""
    law = SviLaw(smile, 100.0, TAU)
    s = np.linspace(50.0, 400.0, 60)
    vols = np.sqrt(svi_smile(smile, np.log(s / 100.0))[0] / TAU)
    puts = [float(lognormal(100.0, TAU, v).put(x)) for v, x in zip(vols, s, strict=True)]
    np.testing.assert_allclose(law.put(s), puts, atol=1e-12)
    np.testing.assert_allclose(law.vol(s), vols, rtol=1e-14)
    h = 1e-2
    np.testing.assert_allclose((law.put(s + h) - law.put(s - h)) / (2 * h), law.cdf(s), atol=1e-7)
    np.testing.assert_allclose((law.cdf(s + h) - law.cdf(s - h)) / (2 * h), law.pdf(s), atol=1e-7)
    np.testing.assert_allclose(law.call(s) - law.put(s), 100.0 - s, atol=1e-11)


def test_a_free_smile_is_a_density_with_the_forwards_mean():
    assert svi_butterfly(GOOD).free
    law = SviLaw(GOOD, 100.0, TAU)
    parts = {"epsabs": 1e-11, "limit": 400, "points": [80.0, 100.0, 130.0]}
    assert quad(law.pdf, 1e-2, 3000.0, **parts)[0] == pytest.approx(1.0, abs=1e-7)
    assert quad(lambda s: s * float(law.pdf(s)), 1e-2, 3000.0, **parts)[0] == pytest.approx(
        100.0, abs=1e-4
    )


def g_of(smile, k):
    """g from central differences of w, in no hurry."""
    h = 1e-5 * np.maximum(1.0, np.abs(k))
    w = svi_smile(smile, k)[0]
    up, down = svi_smile(smile, k + h)[0], svi_smile(smile, k - h)[0]
    slope, bend = (up - down) / (2 * h), (up - 2 * w + down) / h**2
    return (1 - k * slope / (2 * w)) ** 2 - slope**2 / 4 * (1 / w + 0.25) + bend / 2


def test_the_report_agrees_with_a_scan():
    """200 random smiles, sharp ones and steep ones: the same verdict wherever the scan is sure."""
    rng = np.random.default_rng(1)
    verdicts = []
    for _ in range(200):
        b, rho = rng.uniform(0.01, 0.9), rng.uniform(-0.95, 0.95)
        sigma = math.exp(rng.uniform(-3.0, 0.0))
        lowest = math.exp(rng.uniform(-5.0, -1.0))
        smile = Svi(
            lowest - b * sigma * math.sqrt(1 - rho**2), b, rng.uniform(-0.3, 0.3), rho, sigma
        )
        report = svi_butterfly(smile)
        k = np.linspace(-6.0, 6.0, 24_001)
        least = g_of(smile, k).min()
        assert report.min_g <= least + 1e-3
        if least < -1e-3:
            assert not report.free
            for low, high in np.clip(report.negative, -6.0, 6.0):
                if high > low:
                    assert g_of(smile, np.array([0.5 * (low + high)]))[0] < 1e-3
        verdicts.append(report.free)
    assert 0.1 < np.mean(verdicts) < 0.9


def test_steep_wings_and_negative_variance_are_flagged():
    steep = svi_butterfly(Svi(0.5, 1.5, 0.0, -0.5, 0.3))
    assert steep.wing_slope == pytest.approx(2.25)
    assert not steep.free
    assert steep.min_g < 0.0
    below = svi_butterfly(Svi(-0.1, 0.2, 0.1, 0.3, 0.2))
    assert not below.free
    assert math.isnan(below.min_g)
    assert below.min_variance < 0.0
    (low, high), *rest = below.negative
    assert not rest
    np.testing.assert_allclose(
        svi_smile(Svi(-0.1, 0.2, 0.1, 0.3, 0.2), [low, high])[0], 0, atol=1e-9
    )


def test_a_flat_smile_is_free():
    report = svi_butterfly(Svi(0.04, 0.0, 0.0, 0.0, 0.1))
    assert report.free
    assert report.min_g == pytest.approx(1.0)


@pytest.mark.parametrize("bad", [{"b": -0.1}, {"rho": 1.1}, {"sigma": 0.0}, {"a": math.nan}])
def test_impossible_parameters_are_refused(bad):
    with pytest.raises(InputError, match="finite parameters"):
        svi_butterfly(GOOD._replace(**bad))


def vols_of(smile, seed=None, error=0.002):
    v = SviLaw(smile, 100.0, TAU).vol(K)
    noise = 0.0 if seed is None else error * np.random.default_rng(seed).standard_normal(K.size)
    return v + noise, np.full(K.size, error)


def test_exact_volatilities_give_the_parameters_back():
    """An almost flat valley: 1e-3 of a standard error is as near as chi2 tells."""
    fit = fit_svi(K, *vols_of(GOOD), forward=100.0, tau=TAU)
    assert fit.status is Status.OK
    assert (np.abs(np.array(fit.params) - GOOD) < 1e-3 * np.array(fit.errors)).all()
    assert fit.rmse < 1e-6
    assert fit.butterfly.free


def test_errors_cover_the_truth():
    """1.96 errors hold each parameter in at least 85% of 40 smiles of moderate noise."""
    held, seen = np.zeros(5), 0
    for seed in range(40):
        fit = fit_svi(K, *vols_of(GOOD, [1, seed], error=0.0005), forward=100.0, tau=TAU)
        if fit.status is Status.OK:
            seen += 1
            held += np.abs(np.array(fit.params) - GOOD) < 1.96 * np.array(fit.errors)
    assert seen >= 36
    assert (held >= 0.85 * seen).all()
    assert (held < seen).any()


def test_vogts_own_volatilities_fit_and_are_flagged():
    """Strikes must reach where the arbitrage is: k from -1 to 1.5. A perfect fit, no density."""
    strikes = 100.0 * np.exp(np.linspace(-1.0, 1.5, 50))
    v = SviLaw(VOGT, 100.0, 1.0).vol(strikes)
    fit = fit_svi(strikes, v, np.full(50, 1e-3), forward=100.0, tau=1.0)
    assert fit.status is Status.OK
    np.testing.assert_allclose(fit.params, VOGT, atol=1e-4)
    assert not fit.butterfly.free
    assert fit.butterfly.min_g == pytest.approx(-0.0328636, abs=1e-4)


def test_a_flat_smile_has_a_law_and_no_parameters():
    fit = fit_svi(K, np.full(K.size, 0.3), np.full(K.size, 0.002), forward=100.0, tau=TAU)
    assert fit.status is Status.NOT_RESOLVED
    assert np.isnan(fit.params).all()
    np.testing.assert_allclose(fit.law.pdf(K), lognormal(100.0, TAU, 0.3).pdf(K), atol=1e-5)


def test_a_frown_is_fitted_without_negative_variance():
    """Two modes bend the smile down; the nearest hyperbola would cross 0 beyond the strikes."""
    k = np.log(K / 100.0)
    v = np.sqrt((0.02 - 0.08 * k**2) / TAU)
    fit = fit_svi(K, v, np.full(K.size, 1e-3), forward=100.0, tau=TAU)
    assert fit.status is Status.NOT_RESOLVED
    assert fit.butterfly.min_variance > 0.0
    assert (fit.law.vol(np.geomspace(1.0, 1e4, 50)) > 0.0).all()
    assert fit.chi2 > 100.0


def test_too_few_and_bad_input():
    v, e = vols_of(GOOD)
    fit = fit_svi(K[:5], v[:5], e[:5], forward=100.0, tau=TAU)
    assert fit.status is Status.TOO_FEW
    assert fit.law is None
    v[7] = -0.1
    with pytest.raises(InputError, match="above 0") as caught:
        fit_svi(K, v, e, forward=100.0, tau=TAU)
    assert (caught.value.row, caught.value.column) == (8, "vols")
    with pytest.raises(InputError, match="one shape"):
        fit_svi(K[1:], v, e, forward=100.0, tau=TAU)
