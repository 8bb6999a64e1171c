"""Chains as of a moment: against a row-by-row search, and the rules of the record."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.tape import OPTION_QUOTE, OPTION_TRADE, chains, check_options, expiries, times_ns

T0 = parse_ns("2024-11-05T15:00Z")
SECOND = 10**9
FRIDAY = parse_ns("2024-11-08T21:00Z")
OPENING = parse_ns("2024-11-15T14:30Z")
CLOSE = parse_ns("2024-11-15T21:00Z")
UTC = pl.Datetime("ns", "UTC")


def quotes(*rows, **constant):
    """Rows (symbol, seconds after T0, expiry, strike, is_call, bid, ask)."""
    names = ("symbol", "ts", "expiry", "strike", "is_call", "bid", "ask")
    frame = pl.DataFrame(rows, names, orient="row", infer_schema_length=None)
    stated = {"underlying": "X", "style": "european", "settlement": "cash"} | constant
    frame = frame.with_columns(
        (pl.col("ts") * SECOND + T0).cast(UTC),
        pl.col("expiry").cast(UTC),
        pl.col("strike", "bid", "ask").cast(pl.Float64),
        *(pl.lit(value).alias(name) for name, value in stated.items()),
    )
    return check_options(frame)


@pytest.fixture
def two_expiries():
    return quotes(
        ("a", 0, FRIDAY, 100, True, 1.0, 1.2),
        ("a", 60, FRIDAY, 100, True, 1.1, 1.3),
        ("b", 0, FRIDAY, 100, False, 2.0, 2.2),
        ("c", 30, OPENING, 100, True, 3.0, None),
        ("d", 30, CLOSE, 100, True, 3.1, 3.3),
    )


def test_a_chain_holds_the_last_quote_of_each_contract_and_its_age(two_expiries):
    first, opening, closing = chains(two_expiries, at=T0 + 90 * SECOND)
    assert first.frame["symbol"].to_list() == ["a", "b"]  # calls before puts
    assert first.bids.tolist() == [1.1, 2.0]
    assert first.age_s.tolist() == [30.0, 90.0]
    assert (opening.expiry_ns, closing.expiry_ns) == (OPENING, CLOSE)
    assert math.isnan(opening.asks[0])
    assert math.isnan(opening.underlying_price)
    assert first.tau == pytest.approx((FRIDAY - T0 - 90 * SECOND) / 1e9 / 86_400 / 365, rel=1e-15)


def test_a_quote_at_the_moment_itself_is_seen_and_a_later_one_is_not(two_expiries):
    at = T0 + 60 * SECOND
    assert chains(two_expiries, at=at)[0].bids.tolist() == [1.1, 2.0]
    assert chains(two_expiries, at=at - 1)[0].bids.tolist() == [1.0, 2.0]


def test_old_quotes_are_left_out_and_counted(two_expiries):
    first = chains(two_expiries, at=T0 + 90 * SECOND, max_age_s=60.0)[0]
    assert first.frame["symbol"].to_list() == ["a"]
    assert first.too_old == 1
    assert chains(two_expiries, at=T0 + 90 * SECOND, max_age_s=90.0)[0].too_old == 0


def test_an_expired_chain_is_gone_and_the_others_stay(two_expiries):
    left = chains(two_expiries, at=OPENING)
    assert [chain.expiry_ns for chain in left] == [CLOSE]


def test_one_underlying_and_expiry_can_be_chosen(two_expiries):
    (chain,) = chains(two_expiries, expiry="2024-11-15T14:30Z", underlying="X")
    assert chain.frame["symbol"].to_list() == ["c"]


def test_random_quotes_match_a_search_by_hand():
    rng = np.random.default_rng(3)
    rows = []
    for contract in range(12):
        for second in np.unique(rng.integers(0, 600, 40)):
            strike, bid = 90 + contract // 2, round(float(rng.uniform(1, 2)), 4)
            rows.append((f"k{contract}", int(second), FRIDAY, strike, contract % 2 == 0, bid, 3.0))
    frame = quotes(*rows)
    for second in (45, 300, 599):
        (chain,) = chains(frame, at=T0 + second * SECOND)
        for symbol, bid, age in zip(chain.frame["symbol"], chain.bids, chain.age_s, strict=True):
            last = max(row for row in rows if row[0] == symbol and row[1] <= second)
            assert (bid, age) == (last[5], second - last[1])


def test_no_quote_after_the_moment_changes_a_chain():
    rng = np.random.default_rng(5)
    rows = [
        ("a", int(s), FRIDAY, 100, True, float(rng.uniform(1, 2)), 3.0) for s in range(0, 99, 7)
    ]
    whole = quotes(*rows)
    for cut in range(1, len(rows)):
        at = T0 + rows[cut - 1][1] * SECOND
        now, later = chains(quotes(*rows[:cut]), at=at)[0], chains(whole, at=at)[0]
        assert now.frame.equals(later.frame)


def test_expiries_count_contracts_sides_and_quotes(two_expiries):
    table = expiries(two_expiries)
    counts = table.select("contracts", "calls", "puts", "strikes", "quotes").rows()
    assert counts == [(2, 1, 1, 1, 3), (1, 1, 0, 1, 1), (1, 1, 0, 1, 1)]
    assert times_ns(table.rename({"last": "ts"})).tolist() == [
        T0 + 60 * SECOND,
        T0 + 30 * SECOND,
        T0 + 30 * SECOND,
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"at": T0 - 1}, "wanted a time at or after the first quote"),
        ({"at": CLOSE}, "wanted a time before the last expiry"),
        ({"underlying": "Y"}, "met 'Y', wanted an underlying among X"),
        ({"expiry": "2024-11-16T00:00Z"}, "wanted an expiry among 2024-11-08T21:00Z"),
        ({"max_age_s": -1.0}, "wanted a max_age_s >= 0"),
        ({"max_age_s": math.nan}, "wanted a max_age_s >= 0"),
    ],
    ids=["before", "after", "underlying", "expiry", "negative age", "no age"],
)
def test_a_choice_that_leaves_nothing_says_what_there_is(two_expiries, options, said):
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        chains(two_expiries, **options)


@pytest.mark.parametrize(
    ("change", "column", "wanted"),
    [
        ({"style": "bermudan"}, "style", "european or american"),
        ({"settlement": "gold"}, "settlement", "cash or physical or inverse"),
        ({"bid": 0.0}, "bid", "a value > 0"),
        ({"strike": 0.0}, "strike", "a value > 0"),
        ({"vendor_iv": -1.0}, "vendor_iv", "a value > 0"),
    ],
    ids=["style", "settlement", "bid", "strike", "volatility"],
)
def test_the_record_refuses(change, column, wanted):
    with pytest.raises(InputError) as caught:
        quotes(("a", 0, FRIDAY, 100, True, 1.0, 1.2)).pipe(
            lambda frame: check_options(
                frame.with_columns(pl.lit(value).alias(name) for name, value in change.items())
            )
        )
    assert (caught.value.row, caught.value.column) == (1, column)
    assert wanted in str(caught.value)


def test_the_record_refuses_two_quotes_at_a_time_and_an_expiry_in_the_past():
    with pytest.raises(InputError, match="a repeated time"):
        quotes(("a", 0, FRIDAY, 100, True, 1.0, 1.2), ("a", 0, FRIDAY, 100, True, 1.0, 1.3))
    with pytest.raises(InputError, match="an expiry not before its row"):
        quotes(("a", 1, T0, 100, True, 1.0, 1.2))


def test_crossed_quotes_and_missing_sides_are_kept():
    frame = quotes(("a", 0, FRIDAY, 100, True, 1.3, 1.2), ("b", 0, FRIDAY, 105, True, None, None))
    assert frame["bid"].to_list() == [1.3, None]
    assert list(frame.columns) == list(OPTION_QUOTE.columns)


def test_trades_may_share_a_time():
    row = {
        "symbol": "a",
        "underlying": "X",
        "ts": T0,
        "expiry": FRIDAY,
        "strike": 100.0,
        "is_call": True,
        "style": "american",
        "settlement": "physical",
        "price": 1.0,
        "size": 2.0,
        "side": 1,
    }
    frame = pl.DataFrame([row, row]).with_columns(
        pl.col("ts", "expiry").cast(UTC), pl.col("side").cast(pl.Int8)
    )
    assert check_options(frame, OPTION_TRADE).height == 2
