"""Published densities: R's two-lognormal example, Vogt's smile with arbitrage, and known truths."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.estimators.density.svi import Svi, SviLaw, svi_butterfly, svi_smile
from eventtape.estimators.density.two_lognormal import fit_two_lognormal
from eventtape.simulate.option_chain import chain_truths, option_chain

# The example of extract.mln.density in the R package RND (Hamidieh): r 5%, y 2%, 60 days, weight
# 0.4, meanlog (6.8, 6.95), sdlog (0.065, 0.055). Strike, call, put.
RND = np.array(
    [
        [800, 185.5132848338, 0.3061967683],
        [850, 137.9866940968, 2.3703313819],
        [900, 95.3644278882, 9.3387905238],
        [950, 59.6152706130, 23.1803585991],
        [1000, 31.2046845525, 44.3604978892],
        [1050, 12.2360825731, 74.9826212603],
        [1100, 3.2954628458, 115.6327268837],
        [1150, 0.5870064508, 162.5149958392],
        [1200, 0.0691642675, 211.5878790064],
    ]
)
TAU = 60 / 365


@pytest.mark.parametrize("error", [1e-4, 0.01, 0.1])
def test_the_example_of_rnd_is_recovered(error):
    """R's own optimiser finds (0.39998, 6.799997, 6.949997, 0.064999, 0.055003)."""
    strikes, is_call = np.tile(RND[:, 0], 2), np.repeat([True, False], 9)
    prices = np.concatenate([RND[:, 1], RND[:, 2]])
    fit = fit_two_lognormal(
        strikes,
        is_call,
        prices,
        np.full(18, error),
        forward=986.7356111009426,
        tau=TAU,
        discount=math.exp(-0.05 * TAU),
    )
    assert fit.status is Status.OK
    sd = np.array([fit.params.vol_1, fit.params.vol_2]) * math.sqrt(TAU)
    mean_log = np.log([fit.params.mean_1, fit.params.mean_2]) - 0.5 * sd**2
    # The printed prices have ten decimals; the fit stops within 1e-4 standard errors.
    near = 1e-8 + 1e-4 * error * 10
    assert fit.params.probability == pytest.approx(0.4, abs=10 * near)
    np.testing.assert_allclose(mean_log, [6.8, 6.95], rtol=0, atol=near)
    np.testing.assert_allclose(sd, [0.065, 0.055], rtol=0, atol=near)
    assert fit.rmse < 1e-4 * error + 1e-9
    # Errors are those of the noise stated: they scale with it.
    assert fit.errors.probability == pytest.approx(0.215 * error, rel=0.01)


VOGT = Svi(-0.0410, 0.1331, 0.3586, 0.3060, 0.4153)


def test_vogts_smile_is_flagged():
    """Gatheral and Jacquier (2014), example 3.1: positive variance, negative density."""
    assert float(svi_smile(VOGT, 0.0)[0]) == pytest.approx(0.01742625, abs=5e-9)
    report = svi_butterfly(VOGT)
    assert not report.free
    assert report.min_g == pytest.approx(-0.0328636, abs=5e-8)
    assert report.at == pytest.approx(0.87926, abs=5e-6)
    np.testing.assert_allclose(report.negative, [[0.64241, 1.25691]], rtol=0, atol=5e-6)
    assert report.min_variance > 0.0
    assert report.wing_slope < 2.0
    law = SviLaw(VOGT, 100.0, 1.0)
    k = np.array([0.6, 0.65, 0.88, 1.25, 1.3])
    assert (law.pdf(100.0 * np.exp(k)) < 0.0).tolist() == [False, True, True, True, False]


def test_gatheral_and_jacquiers_mended_smile_is_free():
    """Their example 5.1 keeps Vogt's level, slope and put wing and mends the rest: (c, v) =
    (0.3493158, 0.01548182) in the jump-wings form, here turned into raw parameters.
    """
    v, psi, p, c, lowest = 0.01742625, -0.1752111, 0.6997381, 0.3493158, 0.01548182
    root = math.sqrt(v)
    b = 0.5 * root * (c + p)
    rho = 1.0 - p * root / b
    beta = rho - 2.0 * psi * root / b
    alpha = math.copysign(math.sqrt(1.0 / beta**2 - 1.0), beta)
    m = (v - lowest) / (
        b
        * (
            -rho
            + math.copysign(1.0, alpha) * math.hypot(1.0, alpha)
            - alpha * math.sqrt(1 - rho**2)
        )
    )
    sigma = alpha * m
    a = lowest - b * sigma * math.sqrt(1.0 - rho**2)
    report = svi_butterfly(Svi(a, b, m, rho, sigma))
    assert report.free
    assert report.min_g > 0.0
    assert not report.negative.size
    assert report.min_variance == pytest.approx(lowest)


@pytest.mark.parametrize("name", ["lognormal", "mixture", "bimodal", "skewed"])
def test_truths_of_two_states_to_the_table(name):
    """The reference table's own fit of this class has median L1 .0011-.0015 in this design, where
    noise is rounding; ours must be as near. Grid 30 to 300, where all mass is.
    """
    truth = chain_truths()[name]
    chain = option_chain(truth, seed=0)
    quoted = chain.bids > 0.0
    fit = fit_two_lognormal(
        chain.strikes[quoted],
        chain.is_call[quoted],
        (0.5 * (chain.bids + chain.asks))[quoted],
        (0.5 * (chain.asks - chain.bids) / math.sqrt(3.0))[quoted],
        forward=chain.forward,
        tau=chain.tau,
    )
    s = np.linspace(30.0, 300.0, 20_001)
    assert fit.law is not None
    assert np.trapezoid(np.abs(fit.law.pdf(s) - truth.pdf(s)), s) < 0.0016
