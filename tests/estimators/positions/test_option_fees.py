"""Fees of the day: rates, caps, combos, deliveries, and days without a schedule."""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.positions.fees import (
    DERIBIT_COIN_OPTIONS,
    FeeRow,
    delivery_fees,
    fee_schedule,
    is_daily,
    row_in_force,
    trade_fees,
)
from eventtape.estimators.positions.legs import combine, legs, long_option, strangle, times

AT = parse_ns("2024-10-05T00:00Z")
NEAR, FAR = parse_ns("2024-11-08T08:00Z"), parse_ns("2025-03-28T08:00Z")
OLDER = FeeRow(parse_ns("2019-02-01T00:00Z"), 0.0004, 0.2, 0.0002, 0.2, False, False, "a page")
LATER = FeeRow(parse_ns("2024-01-01T00:00Z"), 0.0003, 0.125, 0.00015, 0.125, True, True, "a page")
TWO = fee_schedule("two rows", [OLDER, LATER])


def test_r17():
    """Deribit's example: 0.0000125 coins on an option of 0.0001."""
    cheap = long_option(150e3, NEAR, 0.6, inverse=True)
    fee = trade_fees(cheap, 0.0001, AT, DERIBIT_COIN_OPTIONS)
    assert fee == pytest.approx([0.0000125], rel=1e-12)


def test_rate_or_cap_whichever_is_less():
    held = legs([1.0, -2.0, 3.0], 60e3, True, NEAR, 0.5, inverse=True)
    fees = trade_fees(held, [0.05, 0.0024, 0.001], AT, DERIBIT_COIN_OPTIONS)
    assert fees == pytest.approx([0.0003, 0.0006, 0.000375])
    dollars = held._replace(inverse=False)
    in_dollars = trade_fees(dollars, [3_000.0, 144.0, 60.0], AT, DERIBIT_COIN_OPTIONS, index=60e3)
    assert in_dollars == pytest.approx([18.0, 36.0, 22.5])


def test_the_row_of_the_day():
    held = long_option(60e3, FAR, 0.5, inverse=True)
    before, after = LATER.from_ns - 1, LATER.from_ns
    assert row_in_force(TWO, before) is OLDER
    assert row_in_force(TWO, after) is LATER
    assert trade_fees(held, 0.05, before, TWO) == pytest.approx([0.0004])
    assert trade_fees(held, 0.05, after, TWO) == pytest.approx([0.0003])
    assert trade_fees(held, 0.001, before, TWO) == pytest.approx([0.0002])
    earlier = held._replace(expiry_ns=np.array([before]))  # a delivery is of its expiry's day
    assert delivery_fees(earlier, 80e3, TWO) == pytest.approx([0.0002])
    assert delivery_fees(held, 80e3, TWO) == pytest.approx([0.00015])


def test_a_day_before_the_first_row():
    held = long_option(60e3, FAR, 0.5, inverse=True)
    with pytest.raises(InputError, match=r"met '2022-03-30T23:59:59Z'.*from 2022-03-31T00:00:00Z"):
        trade_fees(held, 0.05, parse_ns("2022-03-30T23:59:59Z"), DERIBIT_COIN_OPTIONS)
    assert trade_fees(held, 0.05, parse_ns("2022-03-31T00:00Z"), DERIBIT_COIN_OPTIONS)[0] == 0.0003


def test_the_cheaper_side_of_a_combo():
    """The calendar strangle as one order: six near options sold, two far ones bought free."""
    near = times(strangle(55e3, 72e3, NEAR, 0.55, inverse=True), -3.0)
    trade = combine(near, strangle(65e3, 75e3, FAR, 0.58, inverse=True))
    alone = trade_fees(trade, 0.02, AT, DERIBIT_COIN_OPTIONS)
    assert alone == pytest.approx([0.0009, 0.0009, 0.0003, 0.0003])
    combo = trade_fees(trade, 0.02, AT, DERIBIT_COIN_OPTIONS, combo=True)
    assert combo == pytest.approx([0.0009, 0.0009, 0.0, 0.0])
    one_way = trade_fees(near, 0.02, AT, DERIBIT_COIN_OPTIONS, combo=True)
    assert one_way == pytest.approx([0.0009, 0.0009])
    before = trade_fees(
        trade, 0.02, parse_ns("2022-08-21T00:00Z"), DERIBIT_COIN_OPTIONS, combo=True
    )
    assert before.tolist() == alone.tolist()
    before = trade_fees(trade, 0.02, LATER.from_ns - 1, TWO, combo=True)
    assert before == pytest.approx([0.0012, 0.0012, 0.0004, 0.0004])


def test_delivery():
    """0.00015 or an eighth of the payoff, nothing out of the money and nothing on daily options."""
    held = legs([1.0, -2.0, 1.0], [60e3, 79.99e3, 90e3], True, NEAR, 0.5, inverse=True)
    fees = delivery_fees(held, 80e3, DERIBIT_COIN_OPTIONS)
    assert fees == pytest.approx([0.00015, 2 * 0.125 * 10 / 80e3, 0.0])
    points = delivery_fees(held, [80e3, 50e3], DERIBIT_COIN_OPTIONS)
    assert points.shape == (2, 3)
    assert points[0].tolist() == fees.tolist()
    assert not points[1].any()
    in_dollars = delivery_fees(held._replace(inverse=False), 80e3, DERIBIT_COIN_OPTIONS)
    assert in_dollars == pytest.approx(fees * 80e3)
    thursday = held._replace(expiry_ns=held.expiry_ns - 86_400 * 10**9)
    assert not delivery_fees(thursday, 80e3, DERIBIT_COIN_OPTIONS).any()
    as_told = delivery_fees(thursday, 80e3, DERIBIT_COIN_OPTIONS, daily=np.zeros(3, bool))
    assert as_told.tolist() == fees.tolist()


def test_fridays_are_not_daily():
    days = [parse_ns(f"2024-11-{day:02d}T08:00Z") for day in range(4, 11)]
    assert is_daily(np.array(days)).tolist() == [True] * 4 + [False] + [True] * 2


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([], "a row of fees at least"),
        ([LATER, OLDER], "row 2, column 'from_ns': met '2019-02-01T00:00:00Z'"),
        ([OLDER._replace(rate=3.0)], "row 1, column 'rate': met 3.0"),
        ([OLDER._replace(delivery_cap=12.5)], "row 1, column 'delivery_cap': met 12.5"),
    ],
    ids=["none", "order", "rate", "percent"],
)
def test_schedules_refused(rows, wanted):
    with pytest.raises(InputError) as raised:
        fee_schedule("a venue", rows)
    assert wanted in str(raised.value)


def test_prices_refused():
    held = long_option(60e3, FAR, 0.5)
    with pytest.raises(InputError, match=r"row 1, column 'prices': met -0\.1"):
        trade_fees(held, -0.1, AT, DERIBIT_COIN_OPTIONS, index=60e3)
    with pytest.raises(InputError, match="the index in dollars"):
        trade_fees(held, 100.0, AT, DERIBIT_COIN_OPTIONS)
