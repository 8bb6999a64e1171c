"""What is read off a smile: Black's closed forms, brute sums, and errors by differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.density.breeden_litzenberger import Smile, smile_at
from eventtape.estimators.density.characteristic import characteristic_function
from eventtape.estimators.density.density_quantities import (
    QuantileFate,
    density_at,
    event_probability,
    quantiles,
    tails,
)
from eventtape.estimators.density.density_quantities_moments import (
    expectation,
    moments,
    variance_swap,
)
from eventtape.estimators.density.density_quantities_nodes import (
    _gauss,
    law_nodes,
    quote_edges,
    stretch_ends,
)
from eventtape.estimators.density.fit import fit_density

F, TAU, V0 = 100.0, 0.25, 0.2


def flat(v0=V0, errors=0.0):
    p = 12
    return Smile(F, 0.0, TAU, v0, 0.3, 6.0, np.zeros(p), errors * np.eye(p))


def bent(forward_error=0.0):
    """A skewed, curved smile with waves in it and correlated errors; free of arbitrage."""
    rng = np.random.default_rng(3)
    p = 15
    waves = 0.01 * rng.standard_normal(p - 3)
    c = np.concatenate([[0.02, -0.25, 0.3, 0.0, 0.0], waves])  # no quote moves a wing
    H = 0.004 * np.tril(rng.standard_normal((p + 3, p + 2)))
    return Smile(F, forward_error, TAU, V0, 0.4, 6.5, c, H)


def waved():
    """One wave too large: the density is negative in places."""
    smile = bent()
    c = smile.coefficients.copy()
    c[16] += 0.3
    return smile._replace(coefficients=c)


def by_differences(smile, f, h=1e-3):
    """The error of f by moving the coefficients along each row of H."""
    slopes = []
    for row in smile.factor:
        up = f(smile._replace(coefficients=smile.coefficients + h * row))
        down = f(smile._replace(coefficients=smile.coefficients - h * row))
        slopes.append((up - down) / (2 * h))
    return np.sqrt(np.square(slopes).sum(axis=0))


def test_a_flat_smile_is_black():
    smile, z = flat(), np.array([-3.0, -1.0, 0.0, 2.0])
    K = F * np.exp(V0 * z - V0**2 / 2)
    at = density_at(smile, K)
    np.testing.assert_allclose(at.cdf, ndtr(z), rtol=1e-13)
    np.testing.assert_allclose(
        at.pdf, np.exp(-(z**2) / 2) / (K * V0 * math.sqrt(2 * math.pi)), rtol=1e-12
    )
    np.testing.assert_allclose(at.vol, V0 / math.sqrt(TAU), rtol=1e-14)
    p = np.array([1e-6, 0.01, 0.5, 0.9, 0.999])
    out = quantiles(smile, p)
    np.testing.assert_allclose(out.prices, F * np.exp(V0 * ndtri(p) - V0**2 / 2), rtol=1e-12)
    assert not out.status.any()
    found = event_probability(smile, K[1], K[3])
    assert found.probability == pytest.approx(ndtr(2.0) - ndtr(-1.0), rel=1e-13)


@pytest.mark.parametrize("v", [0.02, 0.2, 1.5])
def test_moments_of_black(v):
    """Lognormal moments; v 1.5 is a year of a stock at 150%, whose fourth moment is e^13.5."""
    out = moments(flat(v))
    w = math.exp(v * v)
    assert out.status is Status.OK
    assert abs(out.mean_gap) < 1e-12
    np.testing.assert_allclose(
        out.price,
        [
            F,
            F * math.sqrt(w - 1),
            (w + 2) * math.sqrt(w - 1),
            w**4 + 2 * w**3 + 3 * w**2 - 6,
        ],
        rtol=1e-8,
    )
    np.testing.assert_allclose(out.log_return, [-v * v / 2, v, 0.0, 0.0], rtol=1e-12, atol=1e-11)
    swap = variance_swap(flat(v))
    assert swap.log_contract == pytest.approx(v * v / TAU, rel=1e-12)


def test_characteristic_function_of_black():
    u = np.array([0.0, 1.0, -7.0, 30.0, 400.0])
    out = characteristic_function(flat(), u)
    np.testing.assert_allclose(out.values, np.exp(-0.5 * V0**2 * (1j * u + u * u)), atol=1e-13)


def test_sums_over_a_bent_smile():
    """A trapezoidal sum of the density on 400,001 strikes, and the strip of 4,000."""
    smile = bent()
    y = np.linspace(-4.0, 6.0, 400_001)
    S = F * np.exp(y)
    f = density_at(smile, S).pdf * S * (y[1] - y[0])
    out = moments(smile, low_strike=80.0, high_strike=120.0)
    for x, found, part, shift in (
        (S, out.price, out.price_beyond, 0.0),
        (y, out.log_return, out.log_return_beyond, 0.0),
    ):
        mean = x @ f
        m = [((x - mean) ** n) @ f for n in range(5)]
        brute = [mean + shift, m[2] ** 0.5, m[3] / m[2] ** 1.5, m[4] / m[2] ** 2 - 3.0]
        np.testing.assert_allclose(found, brute, rtol=1e-6)
        out_there = (S < 80.0) | (S > 120.0)
        shares = [(x * f)[out_there].sum() / mean]
        shares += [((x - mean) ** n * f)[out_there].sum() / m[n] for n in (2, 3, 4)]
        np.testing.assert_allclose(part, shares, rtol=1e-3)
    assert out.price.mean == pytest.approx(F, rel=1e-12)
    u = np.array([-3.0, 2.0, 25.0])
    phi = characteristic_function(smile, u).values
    np.testing.assert_allclose(phi, np.exp(1j * u[:, None] * y) @ f, atol=1e-8)
    swap = variance_swap(smile, F * np.exp(np.linspace(-3.0, 3.0, 4001)))
    assert swap.log_contract == pytest.approx(-2.0 / TAU * (y @ f), rel=1e-8)
    assert swap.strip == pytest.approx(swap.log_contract, rel=1e-5)


def test_only_at_the_edges_of_the_quotes_the_smile_is_not_smooth():
    """There v'' has two slopes, left and right, and no jump; in between and at the ends one."""
    smile = bent()

    def bend(y):
        return smile_at(smile, F * np.exp(y))[2]

    edges, ends = quote_edges(smile), stretch_ends(smile)
    assert ends[0] < edges[0] < edges[1] < ends[1]
    h = 1e-4
    y = np.concatenate([edges, np.linspace(edges[0], edges[1], 9)[1:-1], ends])
    jump = np.abs(bend(y + h) - 2.0 * bend(y) + bend(y - h)) / h
    assert np.all(jump[:2] > 0.5)
    assert np.all(jump[2:] < 0.02 * jump[:2].min())
    assert np.all(np.abs(bend(edges + h) - bend(edges - h)) < 0.1 * np.abs(bend(edges)))


def test_a_payoff_is_worth_what_black_says_at_its_own_volatility():
    smile = bent()
    for K in (70.0, 100.0, 140.0):
        v = float(smile_at(smile, np.array([K]))[0][0])
        d1 = math.log(F / K) / v + v / 2
        call = F * ndtr(d1) - K * ndtr(d1 - v)
        out = expectation(smile, lambda x, k=K: np.maximum(x - k, 0.0), corners=[K])
        assert out.value == pytest.approx(call, abs=1e-11)
        digital = expectation(smile, lambda x, k=K: (x > k) * 1.0, corners=[K], power=0.0)
        above = event_probability(smile, K)
        assert digital.value == pytest.approx(above.probability, abs=1e-12)
        assert digital.error == pytest.approx(above.error, rel=1e-8)


NAMED = {
    "price": lambda s: np.array(moments(s).price),
    "log return": lambda s: np.array(moments(s).log_return),
    "variance swap": lambda s: variance_swap(s).log_contract,
    "event": lambda s: event_probability(s, 85.0, 110.0).probability,
    "quantiles": lambda s: quantiles(s, [0.02, 0.5, 0.97]).prices,
    "real part": lambda s: characteristic_function(s, [4.0, 11.0]).values.real,
    "imaginary part": lambda s: characteristic_function(s, [4.0, 11.0]).values.imag,
    "pdf": lambda s: density_at(s, [80.0, 101.0, 130.0]).pdf,
    "straddle": lambda s: expectation(s, lambda x: abs(x - 90.0), corners=[90.0]).value,
}
ERRORS = {
    "price": lambda s: np.array(moments(s).price_errors),
    "log return": lambda s: np.array(moments(s).log_return_errors),
    "variance swap": lambda s: variance_swap(s).error,
    "event": lambda s: event_probability(s, 85.0, 110.0).error,
    "quantiles": lambda s: quantiles(s, [0.02, 0.5, 0.97]).errors,
    "real part": lambda s: characteristic_function(s, [4.0, 11.0]).real_errors,
    "imaginary part": lambda s: characteristic_function(s, [4.0, 11.0]).imaginary_errors,
    "pdf": lambda s: density_at(s, [80.0, 101.0, 130.0]).pdf_error,
    "straddle": lambda s: expectation(s, lambda x: abs(x - 90.0), corners=[90.0]).error,
}


@pytest.mark.parametrize("name", list(NAMED))
def test_errors_are_those_of_the_coefficients(name):
    smile = bent()
    # the mean is the forward whatever the smile: its error is rounding
    np.testing.assert_allclose(
        ERRORS[name](smile), by_differences(smile, NAMED[name]), rtol=1e-4, atol=1e-9
    )


@pytest.mark.parametrize("name", ["price", "event", "straddle", "quantiles"])
def test_the_error_of_the_forward_is_added(name):
    """The law moves with the forward: log moneyness keeps its law."""
    h = 1e-3
    smile = bent(0.5)
    up, down = (NAMED[name](smile._replace(forward=F + x)) for x in (h, -h))
    from_forward = 0.5 * (up - down) / (2 * h)
    alone = ERRORS[name](smile._replace(forward_error=0.0))
    np.testing.assert_allclose(
        ERRORS[name](smile), np.hypot(alone, from_forward), rtol=1e-5, atol=1e-7
    )


def test_tails_and_the_middle_are_the_whole():
    smile = bent()
    low, high = 82.0, 125.0
    out = tails(smile, low, high)
    middle = event_probability(smile, low, high).probability
    assert out.mass_below + middle + out.mass_above == pytest.approx(1.0, abs=1e-14)
    far = moments(smile, low_strike=low, high_strike=high).log_return_beyond.sd
    assert out.variance_below + out.variance_above == pytest.approx(far, rel=1e-10)
    assert 0.0 < out.mass_below < out.variance_below < 1.0
    ends = smile_at(smile, F * np.exp([-50.0, 50.0]))[0] / math.sqrt(TAU)
    assert (out.wing_vol_below, out.wing_vol_above) == pytest.approx(tuple(ends), rel=1e-6)
    far_away = F * np.exp([-200.0, 200.0])
    assert (out.wing_vol_below_error, out.wing_vol_above_error) == pytest.approx(
        tuple(density_at(smile, far_away).vol_error), rel=1e-6
    )


def test_where_the_distribution_falls_there_is_no_quantile():
    smile = waved()
    K = F * np.exp(np.linspace(-1.5, 1.5, 30_001))
    Q = density_at(smile, K).cdf
    fall = np.maximum.accumulate(Q) - Q
    at = int(np.argmax(fall))
    assert fall[at] > 1e-4
    twice = Q[at] + 0.5 * fall[at]
    once = Q[np.searchsorted(K, F)]
    out = quantiles(smile, [twice, once, 1e-40])
    assert out.status.tolist() == [
        QuantileFate.NOT_MONOTONE,
        QuantileFate.OK,
        QuantileFate.OUT_OF_REACH,
    ]
    assert np.isnan(out.prices[[0, 2]]).all()
    assert np.isnan(out.errors[[0, 2]]).all()
    assert out.prices[1] == pytest.approx(K[np.searchsorted(K, F)], rel=1e-10)


NO_SMILE = Smile(F, 0.0, TAU, math.nan, math.nan, math.nan, np.empty(0), np.empty((0, 0)))
SUNK = flat()._replace(coefficients=np.concatenate([[-2.0], np.zeros(11)]))


@pytest.mark.parametrize("smile", [NO_SMILE, SUNK], ids=["no smile", "negative volatility"])
def test_no_law_gives_no_numbers(smile):
    out = moments(smile)
    assert out.status is Status.NOT_IDENTIFIED
    assert np.isnan([*out.price, *out.log_return, *out.price_errors, out.mean_gap]).all()
    assert np.isnan(density_at(smile, [90.0, 100.0]).pdf).all()
    assert np.isnan(quantiles(smile, [0.5]).prices).all()
    assert quantiles(smile, [0.5]).status.tolist() == [QuantileFate.NO_LAW]
    for part in (
        event_probability(smile, 90.0, 110.0),
        tails(smile, 80.0, 120.0),
        variance_swap(smile),
        expectation(smile, lambda x: x),
        characteristic_function(smile, [1.0]),
    ):
        assert part.status is Status.NOT_IDENTIFIED
        assert np.isnan(np.array(part[:-1]).astype(complex).real).all()


def test_bad_questions_are_named():
    smile = flat()
    with pytest.raises(InputError, match="between 0 and 1") as caught:
        quantiles(smile, [0.5, 1.0])
    assert (caught.value.row, caught.value.column) == (2, "probabilities")
    with pytest.raises(InputError, match="low < high"):
        event_probability(smile, 110.0, 90.0)
    with pytest.raises(InputError, match="low_strike < high_strike"):
        tails(smile, 0.0, 90.0)
    with pytest.raises(InputError, match="strikes above 0"):
        density_at(smile, [90.0, -1.0])
    with pytest.raises(InputError, match="frequency"):
        characteristic_function(smile, [math.nan])
    with pytest.raises(InputError, match="around the forward"):
        variance_swap(smile, [101.0, 102.0, 103.0])
    with pytest.raises(InputError, match="amounts of shape"):
        expectation(smile, lambda x: x[:3])
    unbounded = expectation(smile, lambda x: np.where(x > F, np.inf, 0.0))
    assert unbounded.status is Status.NOT_RESOLVED
    assert math.isnan(unbounded.value)


def of_quotes(strikes, prices, tau, width):
    """A smile through absurd prices out of the money, at a forward of 100."""
    K, price = np.array(strikes, np.float64), np.array(prices)
    law = fit_density(K, K >= F, price * (1 - width), price * (1 + width), tau=tau, forward=F)
    assert law.status is Status.OK
    return law.smile


def test_a_variance_below_0_is_no_moment():
    """A density so negative that the log return's variance is: no root of it, no crash."""
    strikes = [50, 75, 80, 85, 90, 95, 115, 130, 140, 145, 155]
    prices = [
        2.0224e-4, 5.29092, 63.1821, 3.22749e-5, 1.32499e-6, 5.47344e-3, 2.59248e-5, 98.0739,
        99.1176, 1.16828e-3, 99.9999,
    ]  # fmt: skip
    smile = of_quotes(strikes, prices, 1.0, 3e-4)
    nodes = law_nodes(smile)
    assert nodes.y**2 @ nodes.mass - (nodes.y @ nodes.mass) ** 2 < 0.0
    found = moments(smile)
    assert found.status is Status.NOT_RESOLVED
    assert np.isnan([*found.price, *found.log_return, *found.price_errors]).all()


@pytest.mark.parametrize("vol", [5.0, 20.0, 60.0])
def test_a_moment_that_no_float_holds_is_none(vol):
    found = moments(flat(vol, 0.01), low_strike=90.0, high_strike=110.0)
    assert found.status is (Status.OK if vol == 5.0 else Status.NOT_RESOLVED)
    assert np.isfinite([*found.price, *found.log_return]).all() == (vol == 5.0)


def test_points_of_a_panel_are_made_once_and_stay():
    a, b = _gauss(), _gauss()
    assert all(x is y and not x.flags.writeable for x, y in zip(a, b, strict=True))
