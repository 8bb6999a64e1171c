"""Delivery: payoffs in coins and dollars, the averaged price, and delta within its window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.arrays import Status
from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.positions.fees import (
    DERIBIT_COIN_OPTIONS,
    delivery_fees,
    trade_fees,
)
from eventtape.estimators.positions.legs import combine, legs, long_option, strangle, times
from eventtape.estimators.positions.settlement import (
    WINDOW_NS,
    averaging,
    delivery_price,
    leg_payoffs,
    settling_delta,
)
from eventtape.estimators.positions.value import position_greeks, position_value
from eventtape.estimators.pricing.black import black_price

END = parse_ns("2025-03-28T08:00Z")
SECOND = 1_000_000_000
quickly = settings(max_examples=25, derandomize=True, deadline=None)


def test_r16():
    """Deribit's example: a 100,000 call bought at 0.05 coins, delivered at 125,000."""
    call = long_option(100e3, END, 0.6, inverse=True)
    payoff = leg_payoffs(call, 125e3)
    assert payoff == pytest.approx([0.2])
    fees = trade_fees(call, 0.05, END - 86_400 * SECOND, DERIBIT_COIN_OPTIONS)
    assert fees == pytest.approx([0.0003])
    delivered = delivery_fees(call, 125e3, DERIBIT_COIN_OPTIONS)
    assert delivered == pytest.approx([0.00015])
    assert payoff - 0.05 == pytest.approx([0.15])
    assert payoff - 0.05 - fees - delivered == pytest.approx([0.14955])


@quickly
@given(st.floats(1e3, 3e5), st.floats(1e3, 3e5), st.booleans())
def test_coins_times_the_price_are_dollars(strike, delivery, call):
    held = legs([2.0, -1.0], strike, np.array([call, not call]), END, 0.5, inverse=True)
    coins, dollars = (
        leg_payoffs(held, delivery),
        leg_payoffs(held._replace(inverse=False), delivery),
    )
    np.testing.assert_allclose(coins * delivery, dollars, rtol=1e-14, atol=1e-9)
    assert coins.sum() == pytest.approx(position_value(held, delivery, END), abs=1e-14)


def test_a_put_settled_in_coins_has_no_most():
    """Dollars of a put end at its strike; coins do not, since a fall makes each dollar more."""
    put = long_option(60e3, END, 0.5, is_call=False, inverse=True)
    assert leg_payoffs(put, [60e3, 30e3, 6e3, 600.0])[:, 0] == pytest.approx([0, 1, 9, 99])


def test_average_by_hand():
    start = END - WINDOW_NS
    t = np.array([start - 50 * SECOND, start + 900 * SECOND, start + 1_350 * SECOND, END])
    got = delivery_price(t, [100.0, 120.0, 80.0, 1.0], END, longest_gap_ns=WINDOW_NS)
    assert got.price == pytest.approx(100 / 2 + 120 / 4 + 80 / 4)
    assert (got.covered, got.status) == (1.0, Status.OK)
    every_4s = np.arange(start, END, 4 * SECOND)
    path = 100.0 + np.arange(every_4s.size) / 7
    assert delivery_price(every_4s, path, END).price == pytest.approx(path.mean())


def test_windows_not_seen_whole():
    start = END - WINDOW_NS
    late = delivery_price([start + 450 * SECOND], [100.0], END, longest_gap_ns=WINDOW_NS)
    assert (late.price, late.covered, late.status) == (100.0, 0.75, Status.NOT_RESOLVED)
    assert late.reason == "the index is known over 75% of the window"
    assert late.longest_gap_ns == 1_350 * SECOND
    gap = delivery_price([start, start + 60 * SECOND], [100.0, 101.0], END)
    assert (gap.status, gap.reason) == (Status.NOT_RESOLVED, "no index price for 1740 s")
    none = delivery_price([END + SECOND], [100.0], END)
    assert np.isnan(none.price)
    assert none.status is Status.TOO_FEW
    assert delivery_price([start - 5 * SECOND], [90.0], END).price == 90.0


def test_the_average_against_simulated_half_hours():
    """20 minutes before expiry, a third of the window known: worth and delta of a call by paths."""
    spot, strike, vol, so_far = 62e3, 62e3, 1.2, 62_150.0
    left = 1_200 * SECOND
    steps = 150
    rng = np.random.default_rng(5)
    noise = rng.standard_normal((10_000, steps))
    noise = np.concatenate([noise, -noise])
    dt = left / SECOND / (365 * 86_400) / steps
    path = spot * np.exp(np.cumsum(vol * np.sqrt(dt) * noise - 0.5 * vol**2 * dt, axis=1))
    rest = path.mean(axis=1)
    delivered = so_far / 3 + rest * 2 / 3
    payoff = np.maximum(delivered - strike, 0.0)
    delta = np.where(delivered > strike, rest * 2 / 3 / spot, 0.0)
    call = long_option(strike, END, vol)
    got = settling_delta(call, spot, END - left, average=so_far)
    error = 2.0 * delta.std() / np.sqrt(delta.size)
    assert got == pytest.approx(delta.mean(), abs=2.0 * error)
    law = averaging(spot, END - left, END, vol, average=so_far)
    assert law.weight == pytest.approx(2 / 3)
    assert law.forward == pytest.approx(delivered.mean(), abs=4 * delivered.std() / 141)
    assert np.sqrt(law.variance) == pytest.approx(np.log(delivered).std(), rel=0.02)
    unaware = position_greeks(call, spot, END - left).delta
    assert abs(unaware - delta.mean()) > 20 * error
    worth = black_price(law.forward, strike, law.variance, 1.0, is_call=True)
    assert worth == pytest.approx(payoff.mean(), abs=4.0 * payoff.std() / np.sqrt(payoff.size))


@pytest.mark.parametrize("inverse", [False, True], ids=["dollars", "coins"])
def test_delta_fades_with_the_window(inverse):
    """Far in the money delta is what is left of the window; at its start it is the usual one."""
    deep = long_option(20e3, END, 0.6, inverse=inverse)
    whole = position_greeks(deep, 60e3, END - WINDOW_NS).delta
    for gone in (0.0, 0.25, 0.5, 0.75):
        at = END - int((1.0 - gone) * WINDOW_NS)
        got = settling_delta(deep, 60e3, at, average=60e3)
        assert got == pytest.approx((1.0 - gone) * whole, rel=1e-9)
    assert settling_delta(deep, 60e3, END, average=60e3) == 0.0
    assert settling_delta(deep, 60e3, END + 1, average=60e3) == 0.0


def test_before_the_window_a_third_of_it_counts():
    held = combine(strangle(55e3, 72e3, END, 0.6), times(long_option(62e3, END, 0.5), -1))
    at = END - 3 * 86_400 * SECOND
    spots = [58e3, 62e3, 70e3]
    shorter = held._replace(expiry_ns=held.expiry_ns - 2 * WINDOW_NS // 3)
    got = settling_delta(held, spots, at)
    np.testing.assert_allclose(got, position_greeks(shorter, spots, at).delta, rtol=1e-12)


def test_coins_within_the_window_against_differences():
    held = strangle(61.9e3, 62.1e3, END, 0.9, inverse=True)
    at = END - 600 * SECOND

    def worth(spot):
        law = averaging(spot, at, held.expiry_ns, held.vol, average=62_050.0)
        vol = np.sqrt(law.variance / ((END - at) / (365 * 86_400 * SECOND)))
        return position_value(held, law.forward[None, :], at, vol=vol[None, :])[0]

    slope = 62e3 * (worth(62_001.0) - worth(61_999.0)) / 2.0
    got = settling_delta(held, 62e3, at, average=62_050.0)
    assert got == pytest.approx(slope, rel=2e-4)


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (lambda: leg_payoffs(long_option(6e4, END, 0.5), -1.0), "met -1.0, wanted a price above 0"),
        (lambda: leg_payoffs(long_option(6e4, END, 0.5), [[1.0]]), "one delivery price"),
        (lambda: delivery_price([1, 2], [1.0], 9), "one index price a time"),
        (lambda: delivery_price([2, 1], [1.0, 1.0], 9), "row 2, column 'times_ns'"),
        (lambda: delivery_price([1, 2], [1.0, 0.0], 9), "row 2, column 'index'"),
        (lambda: delivery_price([1], [1.0], 9, window_ns=0), "a window above 0 ns"),
        (lambda: averaging(6e4, END - 1, END, 0.5), "the average so far, within the window"),
        (lambda: averaging(6e4, END - 1, END, 0.5, average=0.0), "column 'average': met 0.0"),
        (
            lambda: settling_delta(long_option(6e4, END, 0.5), [[6e4]], 0),
            "one spot, or one a point",
        ),
    ],
    ids=["payoff", "shape", "length", "order", "index", "window", "no-average", "average", "spots"],
)
def test_refused(call, wanted):
    with pytest.raises(InputError) as raised:
        call()
    assert wanted in str(raised.value)
