"""A position's worth and Greeks: parity, differences of the value, coins against dollars."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.positions.legs import combine, leg_of, legs, long_option, strangle, times
from eventtape.estimators.positions.value import (
    DAY_NS,
    position_greeks,
    position_pnl,
    position_value,
)

AT = parse_ns("2024-10-05T00:00Z")
NEAR, FAR = parse_ns("2024-11-08T08:00Z"), parse_ns("2025-03-28T08:00Z")
quickly = settings(max_examples=20, derandomize=True, deadline=None)

prices = st.floats(20_000.0, 150_000.0)
vols = st.floats(0.15, 1.5)
signs = st.sampled_from([False, True])


@st.composite
def positions(draw, *, inverse):
    n = draw(st.integers(1, 4))
    column = lambda each: np.array(draw(st.lists(each, min_size=n, max_size=n)))  # noqa: E731
    return legs(
        column(st.sampled_from([-3.0, -1.0, 0.5, 2.0])),
        column(st.floats(40_000.0, 100_000.0)),
        column(signs).astype(bool),
        column(st.sampled_from([NEAR, FAR])),
        column(vols),
        inverse=inverse,
    )


def black(forward, strike, tau, vol, call):
    s = vol * math.sqrt(tau)
    d1 = math.log(forward / strike) / s + s / 2
    w = 1.0 if call else -1.0
    return w * (forward * ndtr(w * d1) - strike * ndtr(w * (d1 - s)))


def test_worth_against_the_formula_written_out():
    held = combine(strangle(55e3, 72e3, NEAR, 0.5523), times(strangle(65e3, 75e3, FAR, 0.5778), -2))
    near, far = (34 + 1 / 3) / 365, (174 + 1 / 3) / 365
    asked = np.array([48e3, 62e3, 90e3])
    dollars = [
        black(forward, 55e3, near, 0.5523, False)
        + black(forward, 72e3, near, 0.5523, True)
        - 2 * black(forward, 65e3, far, 0.5778, False)
        - 2 * black(forward, 75e3, far, 0.5778, True)
        for forward in asked
    ]
    np.testing.assert_allclose(position_value(held, asked, AT), dollars, rtol=1e-11)
    coins = position_value(held._replace(inverse=True), asked, AT)
    np.testing.assert_allclose(coins, dollars / asked, rtol=1e-11)


@quickly
@given(prices, prices, vols, st.integers(0, 40), signs)
def test_parity_of_a_call_and_a_put(forward, strike, vol, days, inverse):
    """A call less a put is the forward less the strike, at every moment up to expiry."""
    at = NEAR - days * DAY_NS
    call = long_option(strike, NEAR, vol, inverse=inverse)
    put = long_option(strike, NEAR, vol, is_call=False, inverse=inverse)
    held = combine(call, times(put, -1.0))
    unit = forward if inverse else 1.0
    g = position_greeks(held, forward, at)
    assert g.value * unit == pytest.approx(forward - strike, abs=1e-7)
    if days:
        assert g.delta == pytest.approx(strike / forward if inverse else 1.0, abs=1e-12)
        assert [g.gamma * forward, g.vega / forward, g.theta / forward] == pytest.approx(
            [-strike / forward if inverse else 0.0, 0.0, 0.0], abs=1e-12
        )


@quickly
@given(positions(inverse=False), prices, st.floats(0.9, 1.1))
def test_greeks_of_dollars_are_slopes_of_the_value(held, spot, carry):
    g = position_greeks(held, spot, AT, carry=carry)
    value = lambda x, t=AT, v=None: position_value(held, x, t, vol=v, carry=carry)  # noqa: E731
    check_slopes(
        held, g, value, spot, lambda h: (value(spot + h) - value(spot - h)) / (2 * h), carry
    )


@quickly
@given(positions(inverse=True), prices, st.floats(0.9, 1.1))
def test_greeks_of_coins_are_slopes_of_the_value(held, spot, carry):
    """Delta is S dc/dS, the coins to hold against the position, and gamma its slope."""
    g = position_greeks(held, spot, AT, carry=carry)
    value = lambda x, t=AT, v=None: position_value(held, x, t, vol=v, carry=carry)  # noqa: E731
    check_slopes(
        held, g, value, spot, lambda h: spot * (value(spot + h) - value(spot - h)) / (2 * h), carry
    )


def check_slopes(held, g, value, spot, delta, carry):
    h = 1e-4 * spot
    gross = np.abs(held.quantity).sum()
    assert g.value == value(spot)
    assert g.delta == pytest.approx(delta(h), abs=2e-6 * gross)
    up = position_greeks(held, spot + h, AT, carry=carry).delta
    down = position_greeks(held, spot - h, AT, carry=carry).delta
    assert g.gamma * spot == pytest.approx((up - down) / (2 * h) * spot, abs=2e-5 * gross)
    unit = 1.0 if held.inverse else spot
    vega = (value(spot, v=held.vol + 1e-4) - value(spot, v=held.vol - 1e-4)) / 2e-4 / 100
    assert g.vega / unit == pytest.approx(vega / unit, abs=1e-8 * gross)
    hour = 3_600_000_000_000
    theta = (value(spot, AT + hour) - value(spot, AT - hour)) * 12
    assert g.theta / unit == pytest.approx(theta / unit, abs=1e-8 * gross)


@quickly
@given(positions(inverse=True), prices)
def test_coins_at_settlement_are_the_dollars_of_the_payoff(held, delivery):
    """What an inverse option pays, times the delivery price, is what the linear one pays."""
    end = int(held.expiry_ns.max())
    paid = [delivery] * held.strike.size
    coins = position_value(held, delivery, end, delivery=paid)
    dollars = position_value(held._replace(inverse=False), delivery, end, delivery=paid)
    assert coins * delivery == pytest.approx(dollars, abs=1e-6)
    w = np.where(held.is_call, 1.0, -1.0)
    by_hand = held.quantity @ np.maximum(w * (delivery - held.strike), 0.0)
    assert dollars == pytest.approx(by_hand, abs=1e-6)


def test_profit_in_coins_and_in_dollars():
    """R16: 0.05 coins at 100,000 are 5,000 dollars; delivered at 125,000 it pays 25,000."""
    call = long_option(100e3, FAR, 0.6, inverse=True)
    made = position_pnl(call, 125e3, FAR, opened_ns=AT, opened_at=100e3, premium=0.05)
    assert made.coins == pytest.approx(0.15, abs=1e-15)
    assert made.dollars == pytest.approx(20_000.0)
    in_dollars = call._replace(inverse=False)
    same = position_pnl(in_dollars, 125e3, FAR, opened_ns=AT, opened_at=100e3, premium=5_000.0)
    assert [same.dollars, same.coins] == pytest.approx([20_000.0, 0.16])


def test_profit_starts_at_0():
    held = combine(strangle(55e3, 72e3, NEAR, 0.5523), strangle(65e3, 75e3, FAR, 0.5778))
    for inverse in (False, True):
        now = position_pnl(
            held._replace(inverse=inverse), 62e3, AT, opened_ns=AT, opened_at=62e3, carry=1.01
        )
        assert (now.coins, now.dollars) == (0.0, 0.0)


def test_deep_in_the_money_coins_no_longer_move():
    """A call worth nearly one coin is a coin: nothing of it has to be hedged in coins."""
    deep = long_option(600.0, NEAR, 0.5, inverse=True)
    g = position_greeks(deep, 60e3, AT)
    assert [g.value, g.delta] == pytest.approx([0.99, 0.01], abs=1e-12)
    assert position_greeks(deep._replace(inverse=False), 60e3, AT).delta == 1.0


def test_an_expired_leg_is_its_payoff():
    held = combine(times(long_option(55e3, NEAR, 0.5, is_call=False), -3.0),
                   long_option(75e3, FAR, 0.6))  # fmt: skip
    later = NEAR + DAY_NS
    far = leg_of(held, 1)
    g = position_greeks(held, [50e3, 70e3], later, delivery=[51e3, np.nan])
    alone = position_greeks(far, [50e3, 70e3], later)
    np.testing.assert_allclose(g.value, alone.value - 12e3, rtol=1e-13)
    for name in ("delta", "gamma", "vega", "theta"):
        np.testing.assert_array_equal(getattr(g, name), getattr(alone, name))
    with pytest.raises(InputError, match=r"row 1.*the delivery price of a leg that has expired"):
        position_value(held, 50e3, later)
    with pytest.raises(InputError, match=r"row 1, column 'delivery': met nan"):
        position_value(held, 50e3, later, delivery=[np.nan, 60e3])
    at_expiry = position_greeks(leg_of(held, 0), [50e3, 55e3, 60e3], NEAR)
    np.testing.assert_array_equal(at_expiry.value, [-15e3, 0.0, 0.0])
    assert not np.any([at_expiry.delta, at_expiry.gamma, at_expiry.vega, at_expiry.theta])


def test_points_in_every_shape():
    held = combine(strangle(55e3, 72e3, NEAR, 0.5523), strangle(65e3, 75e3, FAR, 0.5778))
    one = position_value(held, 62e3, AT)
    assert np.shape(one) == ()
    assert position_value(held, [62e3, 61e3], AT)[0] == one
    assert position_value(held, 62e3, [AT, AT + DAY_NS])[0] == one
    assert position_value(held, [62e3, 61e3], [AT + DAY_NS, AT])[1] == position_value(
        held, 61e3, AT
    )
    carry = [1.0, 1.0, 1.02, 1.02]
    own = position_value(held, [[62e3, 62e3, 63_240.0, 63_240.0]], AT)
    assert own.shape == (1,)
    assert own[0] == pytest.approx(position_value(held, 62e3, AT, carry=carry), rel=1e-13)
    flat = position_value(held, [62e3, 61e3], AT, vol=[[0.5] * 4, [0.9] * 4])
    assert flat[1] == position_value(held._replace(vol=np.full(4, 0.9)), 61e3, AT)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"forward": 0.0}, "column 'forward': met 0.0, wanted a price above 0"),
        ({"forward": [6e4, np.nan]}, "column 'forward': met nan"),
        ({"forward": [[6e4, 6e4, 6e4]]}, "one price, one a point, or 2 a point"),
        ({"vol": 55.23}, "met 55.23, wanted a decimal: .55 for 55%"),
        ({"vol": [0.5, 0.5, 0.5]}, "volatilities for"),
        ({"carry": [1.0, 1.0, 1.0]}, "one for each of 2 legs"),
        ({"carry": -1.0}, "a factor above 0"),
        ({"at_ns": 1.5}, "a moment in ns UTC"),
        ({"forward": [6e4, 6e4], "at_ns": [AT, AT, AT]}, "one moment, or one a point"),
        ({"at_ns": FAR, "delivery": [6e4, 6e4, 6e4]}, "a delivery price a leg"),
    ],
    ids=lambda x: x if isinstance(x, str) else "-".join(x),
)
def test_what_is_refused(change, wanted):
    held = strangle(55e3, 72e3, NEAR, 0.5523)
    with pytest.raises(InputError) as raised:
        position_value(held, **({"forward": 6e4, "at_ns": AT} | change))
    assert wanted in str(raised.value)


def test_profit_asks_for_one_price_a_point():
    with pytest.raises(InputError, match="one price a point"):
        position_pnl(long_option(6e4, NEAR, 0.5), [[6e4]], AT, opened_ns=AT, opened_at=6e4)
    with pytest.raises(InputError, match=r"column 'opened_at': met -1\.0"):
        position_pnl(long_option(6e4, NEAR, 0.5), 6e4, AT, opened_ns=AT, opened_at=-1.0)
