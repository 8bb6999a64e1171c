"""The laws of the probit martingale against case 8, quadrature and other roads."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr, ndtri, owens_t
from scipy.stats import multivariate_normal, norm

from eventtape.errors import InputError
from eventtape.estimators.probability.probit_martingale import (
    hit_probability,
    information_to_certainty,
    probability_cdf,
    probability_density,
    probability_quantile,
    probability_variance,
    probit_law,
)

CASES = [(0.5, 1.0), (0.58, 0.25), (0.9, 1.0), (0.03, 2.5), (0.999, 0.01)]


def test_case_8_of_the_references():
    """Printed digits of price-discovery.md, section 2."""
    assert float(probit_law(0.5, 1.0).variance) == pytest.approx(1.7182818285, abs=5e-11)
    square = float(probability_variance(0.5, 1.0)) + 0.25
    assert square == pytest.approx(0.3589076316, abs=5e-11)
    assert square == pytest.approx(0.25 + math.asin(1.0 - math.exp(-1.0)) / (2.0 * math.pi))
    law = probit_law(0.58, 0.25)
    assert float(law.mean) == pytest.approx(0.2287752836, abs=5e-11)
    assert float(law.variance) == pytest.approx(0.2840254167, abs=5e-11)
    assert float(probability_variance(0.58, 0.25)) == pytest.approx(0.03421573, abs=5e-9)
    assert float(probability_variance(0.9, 1.0)) == pytest.approx(0.03136698, abs=5e-9)


@pytest.mark.parametrize(("p", "info"), CASES)
def test_variance_by_owens_t_and_by_the_bivariate_normal(p, info):
    u, rho = ndtri(p), -math.expm1(-info)
    owen = p - 2.0 * owens_t(u, math.sqrt((1.0 - rho) / (1.0 + rho))) - p * p
    assert float(probability_variance(p, info)) == pytest.approx(owen, abs=3e-15)
    both = multivariate_normal.cdf([u, u], [0.0, 0.0], [[1.0, rho], [rho, 1.0]])
    assert float(probability_variance(p, info)) == pytest.approx(both - p * p, abs=1e-9)


@pytest.mark.parametrize(("p", "info"), CASES)
def test_moments_by_quadrature_over_the_gauge(p, info):
    law = probit_law(p, info)
    m, s = float(law.mean), math.sqrt(float(law.variance))
    for power, want in ((1, p), (2, p * p + float(probability_variance(p, info)))):
        # Two halves: the integrand is a step as wide as 1 / s of the range.
        value = sum(
            quad(lambda x: ndtr(m + s * x) ** power * norm.pdf(x), *ends, epsabs=1e-13)[0]  # noqa: B023
            for ends in ((-38.0, -m / s), (-m / s, 38.0))
        )
        assert value == pytest.approx(want, abs=1e-11)


def test_small_information_and_small_probabilities_keep_their_digits():
    """The limit info phi(u)^2, whose next term is of relative size info u^2 / 2."""
    for p in (1e-9, 0.2, 0.5):
        u = ndtri(p)
        got = float(probability_variance(p, 1e-12))
        assert got == pytest.approx(1e-12 * norm.pdf(u) ** 2, rel=1e-9)
    p = np.array([1e-6, 0.3, 1.0 - 1e-6])
    np.testing.assert_allclose(probability_variance(p, math.inf), p * (1.0 - p), rtol=1e-11)
    assert float(probability_variance(0.4, 0.0)) == 0.0


@pytest.mark.parametrize(("p", "info"), [(0.5, 1.0), (0.58, 0.25), (0.8, 1.5), (0.03, 0.5)])
def test_density_cdf_and_quantile_are_one_law(p, info):
    b = np.array([0.01, 0.2, 0.5, 0.77, 0.98])
    step = 1e-6
    slope = (probability_cdf(b + step, p, info) - probability_cdf(b - step, p, info)) / (2.0 * step)
    np.testing.assert_allclose(probability_density(b, p, info), slope, rtol=2e-6, atol=1e-9)
    law = probit_law(p, info)
    by_hand = norm.cdf(ndtri(b), float(law.mean), math.sqrt(float(law.variance)))
    np.testing.assert_allclose(probability_cdf(b, p, info), by_hand, rtol=1e-11)
    q = np.array([0.001, 0.3, 0.5, 0.9])
    # A quantile within 1e-6 of 1 has 10 digits of its distance left.
    np.testing.assert_allclose(
        probability_cdf(probability_quantile(q, p, info), p, info), q, rtol=1e-9
    )
    mean = quad(lambda x: 1.0 - float(probability_cdf(x, p, info)), 0.0, 1.0, epsabs=1e-10)[0]
    assert mean == pytest.approx(p, abs=1e-8)


def test_ends_of_the_law():
    assert float(probability_cdf(0.5, 0.3, math.inf)) == pytest.approx(0.7)
    assert float(probability_cdf(0.0, 0.3, math.inf)) == pytest.approx(0.7)
    assert float(probability_cdf(0.0, 0.3, 1.0)) == 0.0
    assert float(probability_cdf(1.0, 0.3, math.inf)) == 1.0
    np.testing.assert_array_equal(probability_cdf([0.29, 0.3, 1.0], 0.3, 0.0), [0.0, 1.0, 1.0])
    np.testing.assert_array_equal(probability_quantile([0.69, 0.71], 0.3, math.inf), [0.0, 1.0])
    assert float(probability_quantile(0.2, 0.3, 0.0)) == pytest.approx(0.3)


@pytest.mark.parametrize("info", [0.01, 0.5, 3.0])
def test_reaching_one_half_by_the_reflection_principle(info):
    """e^{-l/2} U is a Brownian motion in 1 - e^-l, and the level one half its fixed zero."""
    want = 2.0 * norm.cdf(ndtri(0.3) / math.sqrt(-math.expm1(-info)))
    assert hit_probability(0.3, 0.5, info) == pytest.approx(want, abs=1e-12)
    assert hit_probability(0.7, 0.5, info) == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize(("p", "b"), [(0.4, 0.8), (0.9, 0.99), (0.2, 0.25)])
def test_reaching_a_level_in_the_end_is_a_fair_bet(p, b):
    assert hit_probability(p, b, math.inf) == pytest.approx(p / b, rel=1e-14)
    assert hit_probability(p, b, 50.0) == pytest.approx(p / b, abs=1e-6)
    grows = [hit_probability(p, b, L) for L in (0.0, 0.01, 0.3, 2.0, 10.0, 59.0, 61.0)]
    assert np.all(np.diff(grows) > -1e-9)
    assert grows[0] == 0.0


@pytest.mark.parametrize(
    ("p", "b", "info"), [(0.58, 0.9, 1.0), (0.58, 0.2, 0.25), (0.9, 0.99, 2.0)]
)
def test_reaching_a_level_by_simulation(p, b, info):
    """40,000 paths whose bridges over each of 200 straight pieces of the boundary are exact."""
    rng, n = np.random.default_rng(5), 40_000
    u, a = (ndtri(p), ndtri(b)) if b > p else (-ndtri(p), -ndtri(b))
    l = np.linspace(0.0, info, 201)
    s, wall = -np.expm1(-l), a * np.exp(-0.5 * l)
    x, inside = np.full(n, u), np.ones(n)
    for i in range(200):
        ds = s[i + 1] - s[i]
        y = x + math.sqrt(ds) * rng.standard_normal(n)
        room = np.maximum(wall[i] - x, 0.0) * np.maximum(wall[i + 1] - y, 0.0)
        inside *= -np.expm1(-2.0 * room / ds)
        x = y
    se = float(inside.std()) / math.sqrt(n)
    assert hit_probability(p, b, info) == pytest.approx(1.0 - inside.mean(), abs=3.3 * se)


@pytest.mark.parametrize(("p", "sure", "share"), [(0.58, 0.95, 0.5), (0.9, 0.99, 0.8)])
def test_information_to_certainty_gives_the_share(p, sure, share):
    info = information_to_certainty(p, sure, share=share)
    outside = probability_cdf(1.0 - sure, p, info) + 1.0 - probability_cdf(sure, p, info)
    assert float(outside) == pytest.approx(share, abs=1e-10)
    assert information_to_certainty(1.0 - p, sure, share=share) == pytest.approx(info, rel=1e-9)
    even = math.log1p((ndtri(sure) / ndtri(0.5 * (1.0 + 1.0 - share))) ** 2)
    if share == 0.5:
        assert information_to_certainty(0.5, sure) == pytest.approx(even, rel=1e-9)
    assert information_to_certainty(0.96, 0.95) == 0.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: probit_law(1.0, 0.5),
        lambda: probit_law(math.nan, 0.5),
        lambda: probit_law(0.5, -0.1),
        lambda: probit_law(0.5, math.inf),
        lambda: probability_variance(0.0, 1.0),
        lambda: probability_cdf(1.1, 0.5, 1.0),
        lambda: probability_density(0.5, 0.5, 0.0),
        lambda: probability_density(1.0, 0.5, 1.0),
        lambda: probability_quantile(1.0, 0.5, 1.0),
        lambda: hit_probability(0.5, 1.0, 1.0),
        lambda: information_to_certainty(0.5, 0.4),
    ],
)
def test_arguments_outside_their_range_are_errors(call):
    with pytest.raises(InputError):
        call()
