"""Kou's jump diffusion: his printed price, a sum over jump counts, and its own moments."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad, trapezoid
from scipy.special import roots_genlaguerre
from scipy.stats import poisson

from eventtape.errors import InputError
from eventtape.estimators.pricing.kou import kou
from eventtape.estimators.pricing.lognormal_mixture import LognormalMixture, lognormal
from eventtape.estimators.pricing.terminal_law import law_prices, moments

PARAMS = {"intensity": 4.0, "up_probability": 0.4, "mean_up": 0.06, "mean_down": 0.12}
LAW = kou(100.0, 30 / 365, 0.25, **PARAMS)
K = np.array([60.0, 80.0, 95.0, 100.0, 104.0, 120.0, 145.0])


def test_the_price_kou_prints():
    """Kou (2002), section 4: S 100, K 98, T .5, r 5%, sigma 16%, lambda 1, p .4, eta 10 and 5."""
    law = kou(
        100.0 * math.exp(0.025),
        0.5,
        0.16,
        intensity=1.0,
        up_probability=0.4,
        mean_up=0.1,
        mean_down=0.2,
    )
    assert law_prices(law, [98.0], True, discount=math.exp(-0.025))[0] == pytest.approx(
        9.14732, abs=5e-6
    )


def by_jump_counts(law, strikes):
    """Given n jumps up and m down their sums are gamma: Black's put averaged over both.

    No characteristic function: Poisson counts, and Gauss-Laguerre for the gamma laws.
    """
    total = np.zeros_like(strikes)
    zeta = (
        law.up_probability / (1 - law.mean_up)
        + (1 - law.up_probability) / (1 + law.mean_down)
        - 1.0
    )
    base = law.forward * math.exp(-law.intensity * zeta * law.tau)
    ups = law.intensity * law.up_probability * law.tau
    downs = law.intensity * (1 - law.up_probability) * law.tau

    def sums(n, mean):
        if n == 0:
            return np.zeros(1), np.ones(1)
        x, w = roots_genlaguerre(120, n - 1.0)
        return mean * x, w / math.factorial(n - 1)

    for n in range(12):
        for m in range(12):
            weight = poisson.pmf(n, ups) * poisson.pmf(m, downs)
            if weight < 1e-15:
                continue
            (up, wu), (down, wd) = sums(n, law.mean_up), sums(m, law.mean_down)
            start = base * np.exp(up[:, None] - down)
            given = LognormalMixture(
                np.outer(wu, wd).ravel(), start.ravel(), np.full(start.size, law.vol), law.tau
            )
            total += weight * given.put(strikes)
    return total


def test_prices_are_the_sum_over_jump_counts():
    """5e-11: what 120 Laguerre nodes a side leave (60 leave 5e-8, at the lowest strike)."""
    np.testing.assert_allclose(LAW.put(K), by_jump_counts(LAW, K), rtol=0, atol=5e-11)


def test_density_distribution_and_prices_agree_by_quadrature():
    for strike in K:
        assert quad(LAW.pdf, 1.0, strike, epsabs=1e-12, limit=400)[0] == pytest.approx(
            float(LAW.cdf(strike)), abs=1e-10
        )
        below = quad(lambda s: float(LAW.cdf(s)), 1.0, strike, epsabs=1e-11, limit=400)[0]
        assert below == pytest.approx(float(LAW.put(strike)), abs=1e-9)


def test_moments_are_those_of_the_density():
    """To 2,000: further out the density is below its rounding, which s^4 would magnify."""
    s = np.exp(np.linspace(math.log(1.0), math.log(2e3), 6001))
    f = LAW.pdf(s)
    for order in (1, 2, 3, 4):
        by_grid = trapezoid(f * s ** (order + 1), np.log(s))
        assert LAW.raw_moment(order) == pytest.approx(by_grid, rel=1e-8)
    assert LAW.raw_moment(1) == pytest.approx(100.0, rel=1e-14)
    m = moments(LAW)
    assert m.sd == pytest.approx(math.sqrt(LAW.raw_moment(2) - 1e4), rel=1e-10)
    assert m.skewness < -0.3
    assert m.kurtosis > 5.0


def test_moments_beyond_the_jumps_rate_are_infinite():
    law = kou(100.0, 0.1, 0.2, **{**PARAMS, "mean_up": 0.3})
    assert math.isfinite(law.raw_moment(3))
    assert law.raw_moment(4) == math.inf
    assert math.isnan(moments(kou(100.0, 0.1, 0.2, **{**PARAMS, "mean_up": 0.4})).kurtosis)
    assert moments(law).kurtosis == math.inf


def test_parity_and_bounds_hold():
    strikes = np.geomspace(1.0, 1e4, 200)
    call, put = LAW.call(strikes), LAW.put(strikes)
    np.testing.assert_allclose(call - put, 100.0 - strikes, rtol=0, atol=1e-10)
    assert (call >= 0.0).all()
    assert (put >= 0.0).all()
    assert (LAW.pdf(strikes) >= 0.0).all()
    assert (np.diff(LAW.cdf(strikes)) >= -1e-12).all()


def test_without_jumps_it_is_black():
    law, black = kou(100.0, 0.3, 0.25, **{**PARAMS, "intensity": 0.0}), lognormal(100.0, 0.3, 0.25)
    for name in ("pdf", "cdf", "call", "put"):
        np.testing.assert_allclose(getattr(law, name)(K), getattr(black, name)(K), atol=2e-13)


@pytest.mark.parametrize(
    "bad",
    [
        {"mean_up": 1.0},
        {"mean_down": 0.0},
        {"intensity": -1.0},
        {"intensity": math.nan},
        {"up_probability": 1.1},
    ],
    ids=lambda d: "-".join(f"{k}={v}" for k, v in d.items()),
)
def test_bad_parameters_are_refused(bad):
    with pytest.raises(InputError):
        kou(100.0, 0.1, 0.2, **{**PARAMS, **bad})
    with pytest.raises(InputError):
        kou(100.0, 0.0, 0.2, **PARAMS)


def test_a_law_too_narrow_for_the_integral_is_refused():
    with pytest.raises(InputError, match="integral"):
        kou(100.0, 1e-9, 0.01, **PARAMS).pdf([100.0])


def test_bad_strikes_are_named():
    with pytest.raises(InputError, match="strikes above 0") as caught:
        LAW.call([100.0, -1.0])
    assert (caught.value.row, caught.value.column) == (2, "strikes")
