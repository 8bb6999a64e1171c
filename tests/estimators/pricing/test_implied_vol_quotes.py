"""Implied volatility: 60 digits in the extremes, round trips everywhere, a status for the rest."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import optimize, special

from eventtape.errors import InputError
from eventtape.estimators.pricing.black import black_price, normalised_price, normalised_vega
from eventtape.estimators.pricing.implied_vol import implied_vol, normalised_implied_vol
from eventtape.estimators.pricing.status import PriceStatus

COMMON = {"derandomize": True, "deadline": None}
ULP = 2.0**-52

# x = log(F / K), s = vol sqrt(tau), beta = price / sqrt(F K): 60 digits. The last two are
# ill-conditioned: half a rounding of beta moves s by 6e-12 and 1.2e-14.
EXTREMES = [
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
NAMES = [f"{x}, {s}" for x, s, _ in EXTREMES]


def attainable(x, s, beta):
    """What a rounding of beta does to s, relatively: beta / (s dbeta/ds) times 2**-52."""
    return ULP * beta / (s * float(normalised_vega(x, s)))


@pytest.mark.parametrize(("x", "s", "beta"), EXTREMES, ids=NAMES)
def test_extremes_against_sixty_digits(x, s, beta):
    """1e-14, a tenth of what is asked; the last two rows within a rounding of beta."""
    within = max(1e-14, attainable(x, s, beta))
    assert normalised_implied_vol(beta, x) == pytest.approx(s, rel=within, abs=0.0)
    assert normalised_implied_vol(beta, -x) == normalised_implied_vol(beta, x)


def test_only_two_extremes_are_ill_conditioned():
    limits = {(x, s): attainable(x, s, beta) for x, s, beta in EXTREMES}
    assert [at for at, limit in limits.items() if limit > 1e-15] == [(-0.01, 10.0), (-1.0, 7.0)]


@pytest.mark.parametrize(("x", "s", "beta"), EXTREMES, ids=NAMES)
def test_extremes_through_the_public_door(x, s, beta):
    """F and K are rounded here: half a unit each is ULP / |x| of x, and s moves at most with x."""
    F, K = 100.0 * math.exp(0.5 * x), 100.0 * math.exp(-0.5 * x)
    got = implied_vol(100.0 * beta, F, K, 4.0, is_call=True)
    assert got.status == PriceStatus.OK
    given_x = 2.0 * ULP / abs(x) if x else 0.0
    within = 1e-14 + 4.0 * attainable(x, s, beta) + given_x
    assert got.vol == pytest.approx(0.5 * s, rel=within, abs=0.0)


@settings(max_examples=1000, **COMMON)
@given(st.floats(-13.0, 2.0), st.floats(0.01, 37.0), st.floats(-9.0, 1.2), st.booleans())
@example(0.1, 1.0, 0.32, False)
def test_normalised_round_trip(log_a, m, log_s, by_m):
    """Any moneyness from 1e-13 to 100, s down to 1e-9 or to 37 standard deviations out."""
    a = 10.0**log_a
    s = min(a / m, 16.0) if by_m else max(10.0**log_s, a / 37.0)
    beta = float(normalised_price(a, s))
    if not 1e-300 < beta < math.exp(-0.5 * a):
        return
    known = attainable(a, s, beta)
    if known < 1e-3:
        within = 1e-14 + 4.0 * known
        assert normalised_implied_vol(beta, a) == pytest.approx(s, rel=within, abs=0.0)


@settings(max_examples=500, **COMMON)
@given(
    st.floats(-6.0, 6.0),
    st.floats(0.01, 4.0),
    st.floats(1e-4, 5.0),
    st.floats(0.5, 1.0),
    st.booleans(),
)
def test_round_trip_of_desk_quotes(deviations, vol, tau, discount, call):
    """In the money, the time value is the last digits of the price, and what they know is less."""
    F, D = 4321.0, discount
    s = vol * math.sqrt(tau)
    K = F * math.exp(deviations * s)
    price = black_price(F, K, tau, vol, is_call=call, discount=D)
    got = implied_vol(price, F, K, tau, is_call=call, discount=D)
    root = math.sqrt(F * K)
    vega = s * float(normalised_vega(math.log(F / K), s)) * root
    blur = ULP * (price / D + abs(F - K) * 0.5 + ULP * root) / vega
    if blur < 2e-4:
        assert got.status == PriceStatus.OK
    if got.status == PriceStatus.OK:
        # the rounding of K, F and the discount besides
        assert got.vol == pytest.approx(vol, rel=2e-14 + 4.0 * blur)
    else:
        assert got.status == PriceStatus.ZERO_VEGA
        assert math.isnan(got.vol)


def plain_call(strike, s):
    d1 = math.log(100.0 / strike) / s + 0.5 * s
    return float(100.0 * special.ndtr(d1) - strike * special.ndtr(d1 - s))


def test_a_root_search_agrees():
    """Brent's method on the plain formula of normal distribution functions."""
    rng = np.random.default_rng(5)
    for K, s in rng.uniform((70.0, 0.05), (140.0, 0.9), (50, 2)):
        price = plain_call(K, s)
        found = optimize.brentq(
            lambda x, strike=K, price=price: plain_call(strike, x) - price,
            1e-2, 5.0, xtol=1e-15, rtol=1e-14,
        )  # fmt: skip
        got = implied_vol(price, 100.0, K, 1.0, is_call=True).vol
        vega = math.sqrt(100.0 * K) * float(normalised_vega(math.log(100.0 / K), s))
        assert got == pytest.approx(found, rel=1e-14, abs=16.0 * ULP * (price + 100.0) / vega)


STATUSES = [
    ("fine", (4.0, 100.0, 100.0, 0.25), PriceStatus.OK),
    ("below intrinsic", (9.99, 100.0, 90.0, 0.25), PriceStatus.BELOW_INTRINSIC),
    ("negative price", (-0.01, 100.0, 110.0, 0.25), PriceStatus.BELOW_INTRINSIC),
    ("at intrinsic", (10.0, 100.0, 90.0, 0.25), PriceStatus.ZERO_VEGA),
    ("worth nothing", (0.0, 100.0, 110.0, 0.25), PriceStatus.ZERO_VEGA),
    ("a digit over intrinsic", (10.000000000000004, 100.0, 90.0, 0.25), PriceStatus.ZERO_VEGA),
    ("above the forward", (100.1, 100.0, 90.0, 0.25), PriceStatus.ABOVE_BOUND),
    ("the forward", (100.0, 100.0, 90.0, 0.25), PriceStatus.ZERO_VEGA),
    ("a digit under the forward", (99.99999999999999, 100.0, 90.0, 1.0), PriceStatus.ZERO_VEGA),
    ("expired", (10.0, 100.0, 90.0, 0.0), PriceStatus.EXPIRED),
    ("negative time", (10.0, 100.0, 90.0, -0.1), PriceStatus.BAD_INPUT),
    ("no price", (math.nan, 100.0, 90.0, 0.25), PriceStatus.BAD_INPUT),
    ("infinite price", (math.inf, 100.0, 90.0, 0.25), PriceStatus.BAD_INPUT),
    ("no forward", (4.0, math.nan, 90.0, 0.25), PriceStatus.BAD_INPUT),
    ("forward 0", (4.0, 0.0, 90.0, 0.25), PriceStatus.BAD_INPUT),
    ("strike 0", (4.0, 100.0, 0.0, 0.25), PriceStatus.BAD_INPUT),
    ("infinite strike", (4.0, 100.0, math.inf, 0.25), PriceStatus.BAD_INPUT),
    ("no time", (4.0, 100.0, 90.0, math.nan), PriceStatus.BAD_INPUT),
]


def test_each_quote_has_its_status():
    """All in one array: no quote disturbs its neighbours, and only OK has a number."""
    quotes = np.array([row for _, row, _ in STATUSES]).T
    got = implied_vol(*quotes, is_call=True)
    names = {
        name: PriceStatus(int(code))
        for (name, _, _), code in zip(STATUSES, got.status, strict=True)
    }
    assert names == {name: status for name, _, status in STATUSES}
    np.testing.assert_array_equal(np.isfinite(got.vol), got.status == PriceStatus.OK)


def test_bounds_of_a_discounted_put():
    K, D = 110.0, 0.9
    price = [D * 9.99, D * 10.0, D * 30.0, D * 110.0, D * 110.1]
    got = implied_vol(price, 100.0, K, 1.0, is_call=False, discount=D)
    wanted = ["BELOW_INTRINSIC", "ZERO_VEGA", "OK", "ZERO_VEGA", "ABOVE_BOUND"]
    assert [PriceStatus(int(code)).name for code in got.status] == wanted
    assert (
        implied_vol(1.0, 100.0, K, 1.0, is_call=True, discount=0.0).status == PriceStatus.BAD_INPUT
    )


def test_out_of_range_of_the_scalar():
    assert math.isnan(normalised_implied_vol(0.0, 0.1))
    assert math.isnan(normalised_implied_vol(-0.1, 0.1))
    assert math.isnan(normalised_implied_vol(math.exp(-0.05), 0.1))
    assert math.isnan(normalised_implied_vol(math.nan, 0.1))


def test_prices_below_the_normal_doubles():
    """38 standard deviations out: four digits of the price are left, and m^2 says the rest."""
    beta = float(normalised_price(3.8, 0.1))
    assert 0.0 < beta < 2.3e-308
    assert normalised_implied_vol(beta, 3.8) == pytest.approx(0.1, rel=1e-6)
    got = implied_vol(beta, math.exp(-1.9), math.exp(1.9), 1.0, is_call=True)
    assert got.vol == pytest.approx(0.1, rel=1e-6)


def test_shapes_and_blocks():
    """Sizes around the block of the kernel; scalars, read-only and strided columns."""
    rng = np.random.default_rng(2)
    for n in (1, 255, 256, 257, 1000):
        K = rng.uniform(80.0, 125.0, n)
        vol = rng.uniform(0.2, 0.9, n)
        right = rng.random(n) < 0.5
        price = black_price(100.0, K, 0.5, vol, is_call=right, discount=0.98)
        got = implied_vol(price, 100.0, K, 0.5, is_call=right, discount=0.98)
        assert got.vol.shape == got.status.shape == (n,)
        np.testing.assert_allclose(got.vol, vol, rtol=1e-9)
    price.setflags(write=False)
    again = implied_vol(price[::2], 100.0, K[::2], 0.5, is_call=right[::2], discount=0.98)
    np.testing.assert_array_equal(again.vol, got.vol[::2])
    table = implied_vol(
        price.reshape(10, 100),
        100.0,
        K.reshape(10, 100),
        [[0.5]] * 10,
        is_call=right.reshape(10, 100),
        discount=0.98,
    )
    np.testing.assert_array_equal(table.vol.ravel(), got.vol)
    one = implied_vol(4.0, 100, 100, 1, is_call=True)
    assert one.vol.shape == one.status.shape == ()
    assert implied_vol([], 100.0, 100.0, 1.0, is_call=True).vol.shape == (0,)


def test_bad_kinds_are_errors():
    with pytest.raises(InputError, match="column 'price'"):
        implied_vol("4.0", 100.0, 100.0, 1.0, is_call=True)
    with pytest.raises(InputError, match="True for a call"):
        implied_vol(4.0, 100.0, 100.0, 1.0, is_call="C")
    with pytest.raises(InputError, match="shapes that broadcast"):
        implied_vol([4.0, 5.0], 100.0, [90.0, 95.0, 100.0], 1.0, is_call=True)
