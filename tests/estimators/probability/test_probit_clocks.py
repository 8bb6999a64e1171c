"""Clocks: L is the integral of nu^2, ``when`` its inverse, and Taleb's formula is a clock."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erfc, erfinv, ndtr, ndtri
from scipy.stats import norm

from eventtape.errors import InputError
from eventtape.estimators.probability.clocks import (
    ConstantClock,
    InverseRootClock,
    PiecewiseClock,
    TalebClock,
    timeline_clock,
)
from eventtape.estimators.probability.probit_martingale import probability_cdf

CLOCKS = {
    "constant": ConstantClock(0.7),
    "inverse root": InverseRootClock(1.3, end=2.0),
    "taleb": TalebClock(0.8, end=2.0),
    "piecewise": PiecewiseClock((0.0, 0.5, 0.7, 2.5), (1.0, 20.0, 0.3)),
}


@pytest.mark.parametrize("name", CLOCKS)
@pytest.mark.parametrize("ends", [(0.1, 0.4), (0.1, 1.9), (0.55, 0.6), (1.0, 1.999)])
def test_information_is_the_integral_of_nu2(name, ends):
    clock = CLOCKS[name]
    want = quad(lambda t: float(clock.nu2(t)), *ends, points=(0.5, 0.7), epsabs=1e-12, limit=300)[0]
    assert float(clock.information(*ends)) == pytest.approx(want, rel=1e-8)


@pytest.mark.parametrize("name", CLOCKS)
def test_information_adds_up_and_when_inverts_it(name):
    clock = CLOCKS[name]
    t = np.array([0.1, 0.3, 0.55, 1.2, 1.99])
    parts = clock.information(t[:-1], t[1:])
    assert parts.sum() == pytest.approx(float(clock.information(t[0], t[-1])), rel=1e-13)
    whole = clock.information(0.1, t)
    np.testing.assert_allclose(clock.when(0.1, whole), t, rtol=1e-13)
    assert float(clock.information(0.3, 0.3)) == 0.0


@pytest.mark.parametrize("clock", [InverseRootClock(0.6, end=2.0), TalebClock(0.8, end=2.0)])
def test_a_revealing_clock_has_no_end_of_information(clock):
    assert float(clock.information(0.0, 2.0)) == math.inf
    assert float(clock.information(2.0, 2.0)) == 0.0
    assert float(clock.nu2(2.0)) == math.inf
    assert float(clock.when(0.5, math.inf)) == 2.0
    with pytest.raises(InputError, match="end"):
        clock.information(1.0, 2.1)


def taleb_price(x, left, sigma, threshold):
    """His B for a shadow x, the binary's threshold on the shadow and the time left."""
    s = sigma**2
    return 0.5 * erfc((threshold - x * math.exp(s * left)) / math.sqrt(math.expm1(2.0 * s * left)))


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.2])
@pytest.mark.parametrize("share", [0.4, 0.52])
def test_talebs_formula_has_the_law_of_its_clock(sigma, share):
    """From X_0 the law of his B_t, by his own X_t, is the law the clock gives from B_0: exactly."""
    end, t, threshold = 1.0, 0.6, 0.03
    x0, s = float(erfinv(2.0 * share - 1.0)), sigma**2
    b0 = taleb_price(x0, end, sigma, threshold)
    L = TalebClock(sigma, end).information(0.0, t)
    mean, sd = x0 * math.exp(s * t), math.sqrt(math.expm1(2.0 * s * t) / 2.0)
    for q in (0.01, 0.3, 0.5, 0.9):
        x = mean + sd * ndtri(q)
        b = taleb_price(x, end - t, sigma, threshold)
        assert float(probability_cdf(b, b0, L)) == pytest.approx(q, abs=1e-11)
    # The clock without the factor e^{2 s tau} (a published variant) is not the formula's.
    slow = quad(lambda v: 2.0 * s / math.expm1(2.0 * s * (end - v)), 0.0, t)[0]
    assert float(L) - slow == pytest.approx(2.0 * s * t, rel=1e-9)


def test_taleb_between_the_inverse_root_and_the_constant():
    near, far = TalebClock(1e-4, end=1.0), TalebClock(3.0, end=50.0)
    root = InverseRootClock(1.0, end=1.0)
    t = np.array([0.1, 0.5, 0.99])
    np.testing.assert_allclose(near.information(0.0, t), root.information(0.0, t), rtol=1e-7)
    np.testing.assert_allclose(far.information(0.0, t), 18.0 * t, rtol=1e-12)
    assert float(TalebClock(3.0, end=500.0).when(0.0, 18.0)) == pytest.approx(1.0, rel=1e-9)


def test_a_digital_on_a_brownian_motion_is_the_inverse_root_with_c_one():
    """B = Phi(x / (vol sqrt(tau))): the law of B_t by x's own law, at any volatility."""
    vol, x0, end, t = 3.7, 1.1, 2.0, 1.4
    L = InverseRootClock(1.0, end).information(0.0, t)
    b0 = norm.cdf(x0 / (vol * math.sqrt(end)))
    for q in (0.05, 0.5, 0.8):
        x = x0 + vol * math.sqrt(t) * ndtri(q)
        b = ndtr(x / (vol * math.sqrt(end - t)))
        assert float(probability_cdf(b, b0, L)) == pytest.approx(q, abs=1e-12)


def test_a_timeline_is_a_clock_of_counts():
    clock = timeline_clock([0.0, 2.0, 3.0, 6.0], [0.1, 0.3, 0.3, 0.5], total=1.8)
    assert clock.rates == pytest.approx((0.45, 0.0, 0.3))
    np.testing.assert_allclose(clock.information(0.0, [2.0, 3.0, 6.0, 99.0]), [0.9, 0.9, 1.8, 1.8])
    assert float(clock.information(-5.0, 0.0)) == 0.0
    np.testing.assert_allclose(clock.nu2([-1.0, 0.0, 2.0, 6.0]), [0.0, 0.45, 0.0, 0.0])
    np.testing.assert_allclose(clock.when(0.0, [0.45, 0.9 - 1e-9, 0.9 + 1e-9]), [1.0, 2.0, 3.0])
    assert float(clock.when(0.0, 1.9)) == math.inf
    assert float(clock.when(2.5, 0.0)) == 2.5


@pytest.mark.parametrize(
    "call",
    [
        lambda: ConstantClock(0.0),
        lambda: ConstantClock(math.inf),
        lambda: InverseRootClock(-1.0, 1.0),
        lambda: TalebClock(1.0, math.nan),
        lambda: PiecewiseClock((0.0, 1.0), (1.0, 2.0)),
        lambda: PiecewiseClock((0.0, 0.0), (1.0,)),
        lambda: PiecewiseClock((0.0, 1.0), (-1.0,)),
        lambda: timeline_clock([0.0, 1.0], [0.5, 0.4], 1.0),
        lambda: timeline_clock([0.0, 1.0], [0.5, 0.5], 1.0),
        lambda: timeline_clock([1.0, 1.0], [0.4, 0.5], 1.0),
        lambda: ConstantClock(1.0).information(1.0, 0.5),
        lambda: ConstantClock(1.0).information(math.nan, 0.5),
        lambda: ConstantClock(1.0).when(0.0, -1.0),
    ],
)
def test_clocks_that_are_none_are_errors(call):
    with pytest.raises(InputError):
        call()
