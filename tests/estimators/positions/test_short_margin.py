"""Standard margin: the published formulas by hand, and what is and is not set off."""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.positions.legs import combine, legs, long_option, strangle, times
from eventtape.estimators.positions.margin import (
    DERIBIT_STANDARD_MARGIN,
    MarginRow,
    margin_called,
    standard_margin,
)
from eventtape.estimators.positions.value import position_value

AT = parse_ns("2024-10-05T00:00Z")
NEAR, FAR = parse_ns("2024-11-08T08:00Z"), parse_ns("2025-03-28T08:00Z")


def sold(strike, *, call, quantity=-1.0, inverse=True):
    return legs(quantity, strike, call, NEAR, 0.5523, inverse=inverse)


# strike over a forward of 60,000, right, mark in coins; initial and maintenance by hand
BY_HAND = [
    ("call at the money", 60e3, True, 0.05, 0.15 + 0.05, 0.075 + 0.05),
    ("call in the money", 30e3, True, 0.51, 0.15 + 0.51, 0.075 + 0.51),
    ("call a little out", 61.2e3, True, 0.04, 0.13 + 0.04, 0.075 + 0.04),
    ("call far out", 90e3, True, 0.002, 0.10 + 0.002, 0.075 + 0.002),
    ("put at the money", 60e3, False, 0.05, 0.15 + 0.05, 0.075 + 0.05),
    ("put far out", 40e3, False, 0.002, 0.10 + 0.002, 0.075 + 0.002),
    ("put worth over a coin", 132e3, False, 1.2, 0.15 + 1.2, 0.09 + 1.2),
    ("put worth three coins", 240e3, False, 3.0, 0.225 + 3.0, 0.225 + 3.0),
]


@pytest.mark.parametrize(
    ("strike", "call", "mark", "initial", "maintenance"),
    [row[1:] for row in BY_HAND],
    ids=[row[0] for row in BY_HAND],
)
def test_formulas_by_hand(strike, call, mark, initial, maintenance):
    one = standard_margin(sold(strike, call=call), 60e3, AT, marks=mark)
    assert [one.initial, one.maintenance] == pytest.approx([initial, maintenance], rel=1e-13)
    dollars = sold(strike, call=call, quantity=-2.0, inverse=False)
    two = standard_margin(dollars, 60e3, AT, marks=mark * 60e3)
    assert two.initial == pytest.approx(120e3 * initial, rel=1e-13)
    assert two.maintenance == pytest.approx(120e3 * maintenance, rel=1e-13)


def test_only_sold_legs_and_nothing_set_off():
    near = times(strangle(55e3, 72e3, NEAR, 0.5523, inverse=True), -3.0)
    trade = combine(near, strangle(65e3, 75e3, FAR, 0.5778, inverse=True))
    spots = [45e3, 62e3, 90e3]
    alone = standard_margin(near, spots, AT)
    with_far = standard_margin(trade, spots, AT)
    assert with_far.initial.tolist() == alone.initial.tolist()
    assert with_far.maintenance.tolist() == alone.maintenance.tolist()
    apart = [
        standard_margin(sold(55e3, call=False, quantity=-3.0), spots, AT).initial,
        standard_margin(sold(72e3, call=True, quantity=-3.0), spots, AT).initial,
    ]
    np.testing.assert_allclose(alone.initial, sum(apart), rtol=1e-14)
    none = standard_margin(strangle(55e3, 72e3, NEAR, 0.55, inverse=True), spots, AT)
    assert not none.initial.any()
    assert not none.maintenance.any()


def test_the_mark_is_the_models_unless_it_is_given():
    put = sold(55e3, call=False)
    model = -position_value(put, 62e3, AT, vol=0.7, carry=1.01)
    given = standard_margin(put, 62e3, AT, carry=1.01, marks=model)
    assert standard_margin(put, 62e3, AT, carry=1.01, vol=0.7) == given
    assert given.maintenance == pytest.approx(0.075 + model, rel=1e-13)


def test_an_expired_leg_needs_none():
    held = combine(sold(55e3, call=False), times(long_option(75e3, FAR, 0.6, inverse=True), -1.0))
    later = NEAR + 1
    rest = times(long_option(75e3, FAR, 0.6, inverse=True), -1.0)
    assert standard_margin(held, 62e3, later) == standard_margin(rest, 62e3, later)
    assert standard_margin(sold(55e3, call=False), 62e3, NEAR).maintenance == 0.0


def test_called():
    """The seed's trade on three coins: kept at 62,000, called on a rally and on a fall."""
    near = times(strangle(55e3, 72e3, NEAR, 0.5523, inverse=True), -3.0)
    trade = combine(near, strangle(65e3, 75e3, FAR, 0.5778, inverse=True))
    spots = np.array([40e3, 62e3, 110e3])
    later = parse_ns("2024-11-07T08:00Z")
    cash = 1.0
    equity = cash + position_value(trade, spots, later)
    margin = standard_margin(trade, spots, later)
    assert margin_called(equity, margin).tolist() == [True, False, True]
    assert (equity[0] > 0.0) & (equity[2] > 0.0)  # called while there is still equity left


def test_the_row_of_the_day():
    later = MarginRow(AT, 0.2, 0.15, 0.1, "a notice")
    schedule = (*DERIBIT_STANDARD_MARGIN, later)
    call = sold(60e3, call=True)
    got = standard_margin(call, [60e3, 60e3], [AT - 1, AT], marks=0.05, schedule=schedule)
    np.testing.assert_allclose(got.initial, [0.2, 0.25], rtol=1e-13)
    np.testing.assert_allclose(got.maintenance, [0.125, 0.15], rtol=1e-13)
    early = parse_ns("2021-01-01T00:00Z")
    with pytest.raises(InputError, match=r"met '2021-01-01T00:00:00Z', wanted a time from 2022"):
        standard_margin(call, [60e3, 60e3], [AT, early])


@pytest.mark.parametrize(
    ("marks", "wanted"),
    [
        (-0.01, "column 'marks': met -0.01, wanted a price of 0 or more"),
        ([0.1, 0.1], "a mark a leg"),
    ],
    ids=["below-0", "two"],
)
def test_marks_refused(marks, wanted):
    with pytest.raises(InputError) as raised:
        standard_margin(sold(60e3, call=True), 60e3, AT, marks=marks)
    assert wanted in str(raised.value)
