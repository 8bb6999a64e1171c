"""Quotes against each other: planted violations named with their gain, and each gain is a gain."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eventtape.errors import InputError
from eventtape.estimators.density.raw_arbitrage import (
    QuoteChain,
    calendar_quote_arbitrage,
    quote_arbitrage,
)
from eventtape.estimators.density.raw_arbitrage_quotes import ViolationKind
from eventtape.estimators.pricing.lognormal_mixture import lognormal
from eventtape.simulate.option_chain import chain_truths, option_chain

F, D = 100.0, 0.98
K = np.array([80.0, 90.0, 95.0, 100.0, 110.0, 130.0])


def chain(half=0.05, vol=0.3, tau=0.5, forward=F, discount=D, strikes=K):
    law = lognormal(forward, tau, vol)
    values = discount * np.concatenate([law.call(strikes), law.put(strikes)])
    calls = np.repeat([True, False], strikes.size)
    return np.tile(strikes, 2), calls, np.maximum(values - half, 0.0), values + half


@pytest.mark.parametrize("name", list(chain_truths()))
def test_a_true_chain_has_none(name):
    c = option_chain(chain_truths()[name], seed=1)
    found = quote_arbitrage(
        c.strikes, c.is_call, c.bids, c.asks, forward=c.forward, discount=c.discount
    )
    assert found.violations == ()
    assert found.largest == 0.0
    assert found.quotes_used == ((c.bids > 0) | (c.asks > 0)).sum()


def payoff(violation, spot, strikes, is_call, bids, asks):
    """Money in today, and what the trades pay at each final price with D F + cash at 1/D."""
    price = {(k, c): (b, a) for k, c, b, a in zip(strikes, is_call, bids, asks, strict=True)}
    kind, right, at, _ = violation
    legs = {
        ViolationKind.VERTICAL: [1.0, -1.0],
        ViolationKind.VERTICAL_WIDTH: [-1.0, 1.0],
        ViolationKind.LOWER_BOUND: [1.0],
        ViolationKind.UPPER_BOUND: [-1.0],
    }.get(kind)
    forwards = 0.0
    if kind is ViolationKind.BUTTERFLY:
        w = (at[2] - at[1]) / (at[2] - at[0])
        legs = [w, -1.0, 1.0 - w]
    options = [(k, right, n) for k, n in zip(at, legs or [], strict=bool(legs))]
    if kind in {ViolationKind.PARITY_BUY, ViolationKind.PARITY_SELL}:
        side = 1.0 if kind is ViolationKind.PARITY_BUY else -1.0
        options, forwards = [(at[0], True, side), (at[0], False, -side)], -side
    sign = 1.0 if right else -1.0
    if kind is ViolationKind.LOWER_BOUND:
        forwards = -sign
    if kind is ViolationKind.UPPER_BOUND and right:
        forwards = 1.0
    cash, paid = 0.0, forwards * (spot - F)
    for k, call, n in options:
        bid, ask = price[k, call]
        cash -= n * (ask if n > 0 else bid)
        paid = paid + n * np.maximum(spot - k if call else k - spot, 0.0)
    return cash, paid


def test_each_gain_is_locked_in():
    """Random mispricings: money today and the least payoff make the gain, at any final price."""
    rng = np.random.default_rng(5)
    spot = np.concatenate([[0.0], K, [1e3, 1e6]])  # payoffs are straight between and beyond
    seen = set()
    for _ in range(200):
        strikes, calls, bids, asks = chain(half=0.02)
        move = rng.standard_normal(bids.size) * rng.choice([0.0, 0.0, 4.0, 15.0], bids.size)
        asks = np.maximum(asks + move, 0.04)
        bids = np.clip(bids + move, 0.0, asks - 0.04)
        out = quote_arbitrage(strikes, calls, bids, asks, forward=F, discount=D)
        for violation in out.violations:
            cash, paid = payoff(violation, spot, strikes, calls, bids, asks)
            assert violation.gain == pytest.approx(cash + D * paid.min(), abs=1e-9)
            assert violation.gain > 0.0
            seen.add((violation.kind, violation.is_call))
        gains = [v.gain for v in out.violations]
        assert gains == sorted(gains, reverse=True)
        assert out.largest == max(gains, default=0.0)
    options = {
        (kind, right)
        for kind in (
            ViolationKind.VERTICAL,
            ViolationKind.VERTICAL_WIDTH,
            ViolationKind.BUTTERFLY,
            ViolationKind.LOWER_BOUND,
        )
        for right in (True, False)
    }
    both = {(ViolationKind.PARITY_BUY, None), (ViolationKind.PARITY_SELL, None)}
    assert seen >= options | both


def only_calls(bids, asks, strikes=(90.0, 100.0, 120.0)):
    n = len(strikes)
    return quote_arbitrage(strikes, np.ones(n, np.bool_), bids, asks)


def test_a_butterfly_of_uneven_strikes():
    """Two thirds of 90 and one third of 120 against 100: 2/3 12.1 + 1/3 3.1 = 9.1."""
    (found,) = only_calls([12.0, 9.4, 3.0], [12.1, 9.5, 3.1]).violations
    assert found.kind is ViolationKind.BUTTERFLY
    assert found.strikes == (90.0, 100.0, 120.0)
    assert found.gain == pytest.approx(0.3, abs=1e-12)
    # what crosses the spread is no gain
    assert only_calls([12.0, 9.05, 3.0], [12.1, 9.2, 3.1]).violations == ()


def test_verticals_name_the_best_partner():
    out = only_calls([5.0, 5.5, 6.0], [5.2, 5.7, 6.2])
    verticals = [v for v in out.violations if v.kind is ViolationKind.VERTICAL]
    assert [v.strikes for v in verticals] == [(90.0, 120.0), (100.0, 120.0)]
    assert [v.gain for v in verticals] == pytest.approx([0.8, 0.3])
    wide = only_calls([25.0, 9.0, 1.0], [25.2, 9.2, 1.2])
    (found,) = (v for v in wide.violations if v.kind is ViolationKind.VERTICAL_WIDTH)
    assert found.strikes == (90.0, 100.0)
    assert found.gain == pytest.approx(25.0 - 9.2 - 10.0)


def test_crossed_missing_and_worthless_quotes():
    strikes, calls, bids, asks = chain()
    bids[2], asks[2] = 12.0, 11.0
    bids[4], asks[5] = 0.0, math.nan
    bids[8] = asks[8] = math.nan
    out = quote_arbitrage(strikes, calls, bids, asks, forward=F, discount=D)
    assert [(v.kind, v.strikes, v.gain) for v in out.violations] == [
        (ViolationKind.CROSSED, (95.0,), 1.0)
    ]
    assert out.quotes_used == 10
    # an ask alone can still be bought, a bid alone sold
    asks[4] = 1e-3
    bids[5] = 30.0
    kinds = {
        (v.kind, v.strikes)
        for v in quote_arbitrage(strikes, calls, bids, asks, forward=F, discount=D).violations
    }
    assert (ViolationKind.VERTICAL, (110.0, 130.0)) in kinds


def test_upper_bounds():
    out = quote_arbitrage(
        [90.0, 100.0], [True, False], [99.0, 98.5], [99.5, 99.0], forward=F, discount=D
    )
    over = {v.is_call: v for v in out.violations if v.kind is ViolationKind.UPPER_BOUND}
    assert over[True].gain == pytest.approx(99.0 - 98.0)
    assert over[False].gain == pytest.approx(98.5 - 98.0)


def test_fees_and_an_open_forward_take_from_the_gain():
    strikes, calls, bids, asks = chain(half=0.01)
    move = np.where((strikes == 100.0) & calls, 0.5, 0.0)
    bids, asks = bids + move, asks + move

    def parity(**options):
        out = quote_arbitrage(strikes, calls, bids, asks, forward=F, discount=D, **options)
        return {v.strikes: v.gain for v in out.violations if v.kind is ViolationKind.PARITY_SELL}

    assert parity() == {(100.0,): pytest.approx(0.48)}
    assert parity(fees=0.1) == {(100.0,): pytest.approx(0.28)}
    assert parity(forward_open=0.2) == {(100.0,): pytest.approx(0.48 - D * 0.2)}
    assert parity(fees=0.3) == {}
    without = quote_arbitrage(strikes, calls, bids, asks, discount=D)
    model_free = {ViolationKind.VERTICAL, ViolationKind.VERTICAL_WIDTH, ViolationKind.BUTTERFLY}
    assert {v.kind for v in without.violations} <= model_free


def test_calendars():
    """Equal volatility: none. Near 45% against 30%: each strike named once, by hand."""
    far_k = np.array([82.0, 91.0, 97.0, 103.0, 112.0, 140.0])
    far = QuoteChain(*chain(tau=0.6, forward=102.0, discount=0.97, strikes=far_k), 102.0, 0.97)
    near = QuoteChain(*chain(tau=0.5), F, D)
    assert calendar_quote_arbitrage(near, far).violations == ()
    dear = QuoteChain(*chain(tau=0.5, vol=0.45), F, D)
    out = calendar_quote_arbitrage(dear, far)
    ratio = D * F / (0.97 * 102.0)
    by_hand = {}
    for k1, call, bid, _ in zip(*dear[:4], strict=True):
        gains = [
            (bid - ratio * ask, k2)
            for k2, right, _, ask in zip(*far[:4], strict=True)
            if right == call and (k2 / 102.0 <= k1 / F if call else k2 / 102.0 >= k1 / F)
        ]
        gain, k2 = max(gains, default=(-1.0, math.nan))
        if bid > 0.0 and gain > 0.0:
            by_hand[bool(call), k1, k2] = gain
    assert len(by_hand) > 4
    assert {(v.is_call, *v.strikes): v.gain for v in out.violations} == pytest.approx(by_hand)
    assert {v.kind for v in out.violations} == {ViolationKind.CALENDAR}


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"strikes": [90.0, 0.0]}, "strikes above 0"),
        ({"strikes": [90.0, 90.0]}, "each strike once"),
        ({"is_call": [1, 1]}, "true or false"),
        ({"bids": [1.0]}, "one shape"),
        ({"asks": [2.0, -1.0]}, "0 or more"),
        ({"discount": 0.0}, "above 0"),
        ({"forward": math.nan}, "above 0"),
        ({"fees": -1.0}, "0 or more"),
    ],
    ids=["strike", "twice", "right", "shape", "negative", "discount", "forward", "fees"],
)
def test_bad_quotes_are_named(change, wanted):
    given = {
        "strikes": [90.0, 100.0],
        "is_call": [True, True],
        "bids": [9.0, 1.0],
        "asks": [9.5, 1.5],
    }
    with pytest.raises(InputError, match=wanted):
        quote_arbitrage(**(given | change))
