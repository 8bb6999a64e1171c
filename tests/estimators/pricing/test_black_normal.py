"""The normal law of the option kernels against 50 digits (mpmath), and in a loop against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit
from scipy import special

from eventtape.estimators.pricing import normal

# An argument, its density, its upper tail, tail over density, and 1 less argument times that.
LAW = [
    (0, 0.3989422804014327, 0.5, 1.2533141373155003, 1.0),
    (1e-8, 0.39894228040143265, 0.4999999960105772, 1.2533141273155004, 0.9999999874668587),
    (0.05, 0.398443914094764, 0.4800611941616275, 1.2048400720394792, 0.939757996398026),
    (0.5, 0.35206532676429947, 0.3085375387259869, 0.8763644564536923, 0.5618177717731538),
    (1, 0.24197072451914334, 0.15865525393145705, 0.6556795424187984, 0.34432045758120156),
    (2, 0.05399096651318805, 0.02275013194817921, 0.4213692292880545, 0.15726154142389107),
    (3.5, 0.00087268269504576, 0.00023262907903552504, 0.26656776896822376, 0.06701280861121685),
    (5, 1.4867195147342977e-06, 2.866515718791939e-07, 0.19280810471531576, 0.03595947642342118),
    (8, 5.052271083536892e-15, 6.220960574271784e-16, 0.1231319632579323, 0.01494429393654163),
    (13, 7.998827757006812e-38, 6.11716439954988e-39, 0.0764757610162485, 0.005815106788769461),
    (21, 6.902029420127219e-97, 3.279278018979036e-98, 0.047511794276278115, 0.0022523201981596267),
    (
        30,
        1.4736461348785476e-196,
        4.906713927148187e-198,
        0.03329641907249721,
        0.0011074278250835985,
    ),
    (
        37,
        2.1200065515246056e-298,
        5.725571222524577e-300,
        0.027007327965128336,
        0.0007288652902515656,
    ),
]


@pytest.mark.parametrize(
    ("x", "density", "tail", "mills", "gap"), LAW, ids=[str(r[0]) for r in LAW]
)
def test_law_against_fifty_digits(x, density, tail, mills, gap):
    """A few roundings everywhere, 37 standard deviations out too; scipy's own ndtr loses 2e-13."""
    assert normal.norm_pdf(float(x)) == pytest.approx(density, rel=1e-15, abs=0.0)
    assert normal.norm_pdf(-float(x)) == normal.norm_pdf(float(x))
    assert normal.norm_cdf(-float(x)) == pytest.approx(tail, rel=1e-15, abs=0.0)
    assert normal.norm_cdf(float(x)) == pytest.approx(1.0 - tail, rel=1e-15)
    assert normal.mills_ratio(float(x)) == pytest.approx(mills, rel=1e-15, abs=0.0)
    assert normal.mills_gap(float(x)) == pytest.approx(gap, rel=1.2e-15, abs=0.0)


@pytest.mark.parametrize(
    ("x", "y", "logarithm"),
    [
        (100.00001, 100.0, 9.9999995031741695251e-8),
        (1.0000000000000002, 1.0, 2.2204460492503128343e-16),
        (3.0, 7.0, -0.84729786038720361371),
        (1e-150, 1e150, -690.7755278982137104),
        (1.4142135623730951, 1.0, 0.34657359027997272307),
    ],
)
def test_log_of_ratio_against_fifty_digits(x, y, logarithm):
    assert normal.log_of_ratio(x, y) == pytest.approx(logarithm, rel=4.5e-16, abs=0.0)
    assert normal.log_of_ratio(y, x) == pytest.approx(-logarithm, rel=4.5e-16, abs=0.0)


@pytest.mark.parametrize("t", [1e-9, 0.02, 0.15])
@pytest.mark.parametrize("m", [0.0, 0.5, 3.0, 20.0])
def test_spread_against_an_integral(m, t):
    """R(m - t) - R(m + t) is the integral of its slope: no difference of nearly equal numbers."""
    from scipy import integrate

    mean = integrate.fixed_quad(
        lambda u: [normal.mills_gap(abs(m + t * x)) for x in u], -1, 1, n=20
    )
    if m >= t:
        assert normal.mills_spread(m, t) == pytest.approx(t * mean[0], rel=4e-14, abs=0.0)


@njit(error_model="numpy")
def all_of(x, y, out):
    for i in range(x.size):
        out[0, i] = normal.exp_(x[i])
        out[1, i] = normal.log_(y[i])
        out[2, i] = normal.norm_cdf(0.01 * x[i])
        out[3, i] = normal.mills_ratio(y[i])


def test_in_a_loop_as_scipy():
    """300,000 arguments over the whole range: scipy's erfcx is good to 1.5e-15."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-708.0, 709.0, 300_000), 10.0 ** rng.uniform(-100, 100, 300_000)
    out = np.empty((4, x.size))
    all_of(x, y, out)
    np.testing.assert_allclose(out[0], np.exp(x), rtol=4.5e-16)
    np.testing.assert_allclose(out[1], np.log(y), rtol=4.5e-16)
    apart = np.abs(out[2] / special.ndtr(0.01 * x) - 1.0)
    assert np.max(apart / (8.0 + (0.01 * x) ** 2)) < 2.3e-16  # scipy rounds x^2
    mills = math.sqrt(math.pi / 2.0) * special.erfcx(y / math.sqrt(2.0))
    np.testing.assert_allclose(out[3], mills, rtol=2.5e-15)


def test_ends_of_the_range():
    inf, nan = math.inf, math.nan
    assert normal.exp_(0.0) == 1.0
    assert normal.log_(1.0) == 0.0
    assert [normal.exp_(x) for x in (710.0, inf, -inf, -800.0)] == [inf, inf, 0.0, 0.0]
    assert normal.exp_(-744.0) == math.exp(-744.0) > 0.0
    assert [normal.norm_cdf(x) for x in (-inf, inf)] == [0.0, 1.0]
    assert all(math.isnan(f(nan)) for f in (normal.exp_, normal.norm_cdf, normal.norm_pdf))
