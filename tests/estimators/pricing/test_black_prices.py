"""Black's prices against 80 digits and an integral, their derivatives against differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from eventtape.errors import InputError
from eventtape.estimators.pricing.black import (
    Greeks,
    black_greeks,
    black_price,
    black_scholes_greeks,
    normalised_price,
    normalised_vega,
)

COMMON = {"derandomize": True, "deadline": None}

# F, K, tau, vol, is_call, price: mpmath with 80 digits from the doubles on the left
PRICES = [
    (100.0, 100.0, 1.0, 0.2, True, 7.9655674554057967338),
    (100.0, 140.0, 0.01, 0.2, True, 1.1443599638787595359e-64),
    (100.0, 60.0, 0.02, 0.25, False, 2.4109490091187172105e-48),
    (100.0, 100.00001, 1e-06, 0.01, True, 0.00039396224729210824221),
    (5000.0, 4999.0, 0.004, 0.11, False, 13.38154770122415693),
    (1.0, 1000.0, 2.0, 0.5, True, 1.6129844914964200195e-22),
    (100.0, 90.0, 0.5, 0.3, True, 13.989833297212049543),
    (100.0, 130.0, 0.0625, 0.15, False, 30.000000000000772589),
    (100.0, 101.0, 0.0001, 0.2, True, 1.2272611257308783576e-8),
    (0.001, 1000.0, 1.0, 1.0, True, 6.5043215260219372555e-45),
    (100.0, 100.0, 1.0, 8.0, False, 99.993665751633376016),
]


@pytest.mark.parametrize("row", PRICES, ids=range(len(PRICES)))
def test_price_against_eighty_digits(row):
    """s and log(F / K) are rounded once each, and m^2 multiplies that: no tail can be better."""
    F, K, T, v, call, price = row
    s = v * math.sqrt(T)
    m = math.log(F / K) / s
    within = 2.3e-16 * (8.0 + 2.0 * m * m)
    assert black_price(F, K, T, v, is_call=call) == pytest.approx(price, rel=within, abs=0.0)


# x = log(F / K), s, beta: 60 digits
NORMALISED = [
    (0.0, 1e-8, 3.9894228040143267628e-9),
    (0.0, 0.2, 0.079655674554057962931),
    (0.0, 3.0, 0.86638559746228386799),
    (-1e-8, 1e-8, 8.3315470587686297722e-10),
    (-0.001, 0.0001, 7.4745602454210625373e-29),
    (-0.1, 0.01, 7.4744685724967554203e-27),
    (-0.1, 0.2, 0.039458602641806999553),
    (-0.5, 0.05, 3.7361342698630993991e-26),
    (-1.0, 0.1, 7.4653976115685745726e-26),
    (-1.0, 0.5, 0.0041423587506785749349),
    (-2.0, 0.15, 8.2181141601110699416e-43),
    (-3.0, 1.0, 0.00034299241765225832057),
    (-5.0, 0.3, 2.0238189294117227062e-64),
    (-10.0, 0.8, 2.1799530047716976315e-37),
    (-20.0, 1.5, 6.2396444621897882843e-42),
    (-30.0, 8.0, 1.6812573741793101012e-7),
    (-0.01, 10.0, 0.99501190588980586318),
    (-1.0, 7.0, 0.60606955983517911878),
]


@pytest.mark.parametrize(
    ("x", "s", "beta"), NORMALISED, ids=[f"{r[0]}, {r[1]}" for r in NORMALISED]
)
def test_normalised_price_against_sixty_digits(x, s, beta):
    m = x / s
    assert normalised_price(x, s) == pytest.approx(beta, rel=2.3e-16 * (8 + m * m), abs=0.0)
    assert normalised_price(-x, s) == normalised_price(x, s)
    h = 1e-5 * s * min(1.0, 1.0 / (m * m + 1e-9))
    slope = (normalised_price(x, s + h) - normalised_price(x, s - h)) / (2.0 * h)
    if s < 7.0:  # beyond, the price is next to its bound and its difference holds no digits
        assert normalised_vega(x, s) == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("call", [True, False])
@pytest.mark.parametrize("strike", [60.0, 95.0, 100.0, 150.0])
def test_price_is_the_mean_payoff(strike, call):
    """The integral of the payoff over the lognormal law, cut at the kink."""
    F, T, v, D = 101.0, 0.7, 0.35, 0.97
    s = v * math.sqrt(T)
    kink = (math.log(strike / F) + 0.5 * s * s) / s

    def payoff(z):
        S = F * math.exp(s * z - 0.5 * s * s)
        return max(S - strike if call else strike - S, 0.0) * math.exp(-0.5 * z * z)

    low, high = (kink, 12.0) if call else (-12.0, kink)
    mean = integrate.quad(payoff, low, high, epsabs=0.0, epsrel=1e-13)[0] / math.sqrt(2.0 * math.pi)
    got = black_price(F, strike, T, v, is_call=call, discount=D)
    assert got == pytest.approx(D * mean, rel=1e-12)


@settings(max_examples=300, **COMMON)
@given(
    st.floats(-1.5, 1.5),
    st.floats(1e-4, 5.0),
    st.floats(1e-3, 3.0),
    st.floats(0.5, 1.0),
)
def test_parity_scale_and_bounds(moneyness, tau, v, discount):
    T, D = tau, discount
    F, K = 100.0, 100.0 * math.exp(moneyness)
    call, put = (black_price(F, K, T, v, is_call=right, discount=D) for right in (True, False))
    assert call - put == pytest.approx(D * (F - K), abs=3e-14 * (F + K))
    assert 0.0 <= call <= D * F
    assert D * max(F - K, 0.0) <= call * (1.0 + 4e-16)
    double = black_price(2.0 * F, 2.0 * K, T, v, is_call=True, discount=D)
    assert double == pytest.approx(2.0 * call, rel=1e-14, abs=0.0)
    assert black_price(F, K, T, v * 1.001, is_call=True, discount=D) >= call


def differences(price, at, name, h):
    """Central difference of fourth order."""
    f = [price(**{**at, name: at[name] + j * h}) for j in (-2, -1, 1, 2)]
    return (f[0] - 8.0 * f[1] + 8.0 * f[2] - f[3]) / (12.0 * h)


@pytest.mark.parametrize("call", [True, False])
@pytest.mark.parametrize("strike", [55.0, 90.0, 100.0, 104.0, 170.0])
@pytest.mark.parametrize("vol", [0.12, 0.45])
def test_spot_greeks_are_the_slopes_of_the_price(strike, vol, call):
    def price(spot, tau, rate, vol):
        F = spot * math.exp((rate - 0.03) * tau)
        D = math.exp(-rate * tau)
        return float(black_price(F, strike, tau, vol, is_call=call, discount=D))

    def delta(spot, tau, rate, vol):
        got = black_scholes_greeks(spot, strike, tau, rate, 0.03, vol, is_call=call)
        return float(got.delta)

    at = {"spot": 100.0, "tau": 0.6, "rate": 0.05, "vol": vol}
    got = black_scholes_greeks(100.0, strike, 0.6, 0.05, 0.03, vol, is_call=call)
    close = {"rel": 1e-8, "abs": 1e-9}
    assert got.price == pytest.approx(price(**at), rel=1e-14)
    assert got.delta == pytest.approx(differences(price, at, "spot", 1e-2), **close)
    assert got.gamma == pytest.approx(differences(delta, at, "spot", 1e-2), **close)
    assert got.theta == pytest.approx(-differences(price, at, "tau", 1e-4), **close)
    assert got.vega == pytest.approx(differences(price, at, "vol", 1e-4), **close)
    assert got.rho == pytest.approx(differences(price, at, "rate", 1e-4), **close)


@pytest.mark.parametrize("call", [True, False])
@pytest.mark.parametrize("strike", [80.0, 100.0, 130.0])
def test_forward_greeks_are_the_slopes_of_the_price(strike, call):
    def price(forward, tau, vol, rate):
        D = math.exp(-rate * tau)
        return float(black_price(forward, strike, tau, vol, is_call=call, discount=D))

    def delta(forward, tau, vol, rate):
        return float(black_greeks(forward, strike, tau, vol, is_call=call, rate=rate).delta)

    at = {"forward": 100.0, "tau": 0.8, "vol": 0.25, "rate": 0.06}
    got = black_greeks(100.0, strike, 0.8, 0.25, is_call=call, rate=0.06)
    close = {"rel": 1e-8, "abs": 1e-9}
    assert got.delta == pytest.approx(differences(price, at, "forward", 1e-2), **close)
    assert got.gamma == pytest.approx(differences(delta, at, "forward", 1e-2), **close)
    assert got.theta == pytest.approx(-differences(price, at, "tau", 1e-4), **close)
    assert got.vega == pytest.approx(differences(price, at, "vol", 1e-4), **close)
    assert got.rho == pytest.approx(differences(price, at, "rate", 1e-4), **close)


def test_edges_have_their_limits():
    K = np.array([0.0, 90.0, 100.0, 110.0])
    for tau, vol in ((0.0, 0.2), (0.5, 0.0)):
        assert black_price(100.0, K, tau, vol, is_call=True).tolist() == [100.0, 10.0, 0.0, 0.0]
        assert black_price(100.0, K, tau, vol, is_call=False).tolist() == [0.0, 0.0, 0.0, 10.0]
    assert black_price(0.0, K, 1.0, 0.2, is_call=False).tolist() == K.tolist()
    assert black_price(100.0, 90.0, np.inf, 0.2, is_call=True) == 100.0
    assert black_price(100.0, 90.0, 1.0, 1e-300, is_call=True) == 10.0
    assert math.isnan(black_price(math.nan, 90.0, 1.0, 0.2, is_call=True))
    assert math.isnan(black_price(100.0, 90.0, math.nan, 0.2, is_call=True))


def test_greeks_at_the_kink_are_not_numbers():
    got = black_greeks(100.0, [90.0, 100.0, 110.0], 0.0, 0.2, is_call=[True, True, False])
    np.testing.assert_array_equal(got.delta, [1.0, np.nan, -1.0])
    np.testing.assert_array_equal(got.gamma, [0.0, np.nan, 0.0])
    np.testing.assert_array_equal(got.theta, [0.0, np.nan, 0.0])
    np.testing.assert_array_equal(got.vega, [0.0, 0.0, 0.0])
    free = black_greeks(100.0, 0.0, 1.0, 0.2, is_call=True)
    assert tuple(map(float, free)) == (100.0, 1.0, 0.0, 0.0, 0.0, -100.0)
    lost = black_greeks(math.nan, 90.0, 1.0, 0.2, is_call=True)
    assert all(math.isnan(x) for x in lost)


def test_tail_delta_keeps_its_digits():
    """Phi(-25.1): 50 digits."""
    delta = black_greeks(100.0, 100.0 * math.exp(-0.5 - 0.005), 1.0, 0.02, is_call=False).delta
    d1 = (math.log(100.0 / (100.0 * math.exp(-0.505))) + 0.0002) / 0.02
    from scipy.special import log_ndtr

    assert math.log(-delta) == pytest.approx(log_ndtr(-d1), rel=1e-14)


def test_shapes_broadcast_and_each_element_stands_alone():
    rng = np.random.default_rng(3)
    F, K = rng.uniform(50.0, 150.0, (7, 1, 5)), rng.uniform(50.0, 150.0, (90, 5))
    T, right = rng.uniform(0.1, 2.0, 5), rng.random((7, 90, 1)) < 0.5
    whole = black_price(F, K, T, 0.3, is_call=right)
    assert whole.shape == (7, 90, 5)
    for at in ((0, 0, 0), (6, 89, 4), (3, 50, 2)):
        one = black_price(F[at[0], 0, at[2]], K[at[1:]], T[at[2]], 0.3, is_call=right[at[:2]][0])
        assert whole[at] == pytest.approx(one, rel=1e-15)
    greeks = black_greeks(F, K, T, 0.3, is_call=right)
    assert isinstance(greeks, Greeks)
    np.testing.assert_array_equal(greeks.price, whole)
    assert {g.shape for g in greeks} == {(7, 90, 5)}
    assert black_price(np.empty(0), 100.0, 1.0, 0.2, is_call=True).shape == (0,)
    assert black_price(F[::2, 0, ::-1], 100.0, 1.0, 0.2, is_call=True).shape == (4, 5)


@pytest.mark.parametrize(
    ("given_as", "said"),
    [
        ({"vol": -0.1}, "column 'vol': met -0.1"),
        ({"tau": [1.0, -2.0]}, "row 2, column 'tau': met -2.0"),
        ({"strike": "90"}, "column 'strike'"),
        ({"is_call": 1}, "True for a call"),
        ({"is_call": "call"}, "True for a call"),
        ({"forward": [1.0, 2.0], "strike": [1.0, 2.0, 3.0]}, "shapes that broadcast"),
        ({"discount": -1.0}, "column 'discount'"),
    ],
    ids=["vol", "tau", "text", "right as a number", "right as text", "shapes", "discount"],
)
def test_bad_input_is_named(given_as, said):
    wanted = {"forward": 100.0, "strike": 90.0, "tau": 1.0, "vol": 0.2, "is_call": True, **given_as}
    with pytest.raises(InputError, match=said):
        black_price(**wanted)
