"""Grouping by symbol against a plain sort, and every fault a tick frame is refused for, by row."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape import threads
from eventtape.errors import InputError
from eventtape.tape import tick_groups
from eventtape.tape.tick_groups import group_ends, group_order, group_rows, grouped
from eventtape.tape.ticks import quote_ticks, trade_ticks
from twins.tick_worlds import QUOTE_SCHEMA, T0, TIME, TRADE_SCHEMA, quote_frame, trade_frame

S = 10**9
NAMES = ["MSFT", "A", "ZZ", "BRK.B"]
TYPES = (pl.String(), pl.Categorical(), pl.Enum(sorted(NAMES)))
BOOK = (99_900, 100, 100_100, 200)


def quotes(*symbols, gap=S):
    """A good book a second, of these symbols in this order."""
    rows = [(name, T0 + k * gap, 9.99, 100.0, 10.01, 200.0) for k, name in enumerate(symbols)]
    frame = pl.DataFrame(rows, schema=QUOTE_SCHEMA | {"ts": pl.Int64}, orient="row")
    return frame.cast({"ts": TIME})


def trades(*symbols, gap=S):
    rows = [(name, T0 + k * gap, 10.0, 100.0, k % 2 == 0, True) for k, name in enumerate(symbols)]
    frame = pl.DataFrame(rows, schema=TRADE_SCHEMA | {"ts": pl.Int64}, orient="row")
    return frame.cast({"ts": TIME})


def with_value(frame, row, **values):
    """The frame with other values in one row."""
    at = pl.int_range(pl.len()) == row
    return frame.with_columns(
        pl.when(at).then(pl.lit(value, frame.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@given(symbols=st.lists(st.sampled_from(NAMES), max_size=60))
@settings(derandomize=True, deadline=None, max_examples=80)
def test_rows_are_grouped_as_a_stable_sort_groups_them(dtype, symbols):
    column = pl.Series("symbol", symbols, dtype=pl.String).cast(dtype)
    groups = group_rows(column)
    names = list(dict.fromkeys(symbols))  # as they first appear
    want = [row for name in names for row, symbol in enumerate(symbols) if symbol == name]
    assert list(groups.names) == names
    assert np.diff(groups.start).tolist() == [symbols.count(name) for name in names]
    assert groups.start[0] == 0
    assert groups.start.dtype == np.int64
    order = group_order(groups)
    assert (order is None) == (want == list(range(len(symbols))))
    for values in (np.arange(len(symbols)) * 0.5, np.arange(len(symbols)) % 3 == 0):
        values.flags.writeable = False
        moved = grouped(values, groups)
        assert moved.dtype == values.dtype
        np.testing.assert_array_equal(moved, values if order is None else values[want])
        if order is None:
            assert not moved.size or np.shares_memory(moved, values)
    if order is not None:
        assert order.tolist() == want


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_a_symbol_that_comes_back_late_is_met_again(dtype, monkeypatch):
    """What the first rows say is not taken for the whole."""
    monkeypatch.setattr(tick_groups, "_FEW", 8)
    column = pl.Series("symbol", ["A"] * 20 + ["ZZ"] * 5 + ["A"]).cast(dtype)
    groups = group_rows(column)
    assert groups.names == ("A", "ZZ")
    assert groups.start.tolist() == [0, 21, 26]
    assert group_order(groups).tolist() == [*range(20), 25, *range(20, 25)]


def test_runs_of_equal_symbols():
    column = pl.Series(["A", "B", "B", "A"])
    for dtype in (pl.String(), pl.Categorical(), pl.Enum(["B", "A"])):
        assert group_ends(column.cast(dtype)).tolist() == [0, 1, 3, 4]
    assert group_ends(column.head(0)).tolist() == [0]


@pytest.mark.parametrize("make", [quote_ticks, trade_ticks])
def test_both_orders_give_the_same_groups(make):
    data = {
        "B": [(T0 + k * S, *BOOK) for k in range(5)],
        "A": [(T0 + k * S // 2, *BOOK) for k in range(7)],
    }
    if make is trade_ticks:
        data = {
            name: [(row[0], 100_000 + i, 1 + i, i % 2 > 0, i % 3 > 0) for i, row in enumerate(rows)]
            for name, rows in data.items()
        }
    frame = quote_frame if make is quote_ticks else trade_frame
    one, two = make(frame(data)), make(frame(data, "time"))
    assert one.names == two.names == ("B", "A")
    assert one.order is None
    for field in set(one._fields) - {"names", "order"}:
        np.testing.assert_array_equal(getattr(one, field), getattr(two, field))
    np.testing.assert_array_equal(frame(data, "time")["ts"].to_physical()[two.order], two.ts)


def test_a_grouped_frame_is_not_copied():
    frame = quotes("A", "A", "B").rechunk()
    assert np.shares_memory(quote_ticks(frame).bid, frame["bid"].to_numpy())


def test_an_empty_frame_has_no_groups():
    for make, schema in ((quote_ticks, QUOTE_SCHEMA), (trade_ticks, TRADE_SCHEMA)):
        ticks = make(pl.DataFrame(schema=schema))
        assert ticks.names == ()
        assert ticks.start.tolist() == [0]
        assert ticks.ts.size == 0


@pytest.mark.parametrize("column", ["symbol", "ts", "bid", "bid_size", "ask", "ask_size"])
def test_a_missing_column_of_a_quote_is_named(column):
    with pytest.raises(InputError, match=rf"wanted the column\(s\) {column} of a quote") as caught:
        quote_ticks(quotes("A").drop(column), file="q.csv")
    assert (caught.value.file, caught.value.column) == ("q.csv", column)


@pytest.mark.parametrize("column", ["symbol", "ts", "price", "size", "iso", "eligible"])
def test_a_missing_column_of_a_trade_is_named(column):
    with pytest.raises(InputError, match=rf"the column\(s\) {column} of a equity trade"):
        trade_ticks(trades("A").drop(column))


@pytest.mark.parametrize(
    ("make", "frame", "column", "other", "met"),
    [
        (quote_ticks, quotes("A"), "symbol", pl.lit(1), "Int32"),
        (quote_ticks, quotes("A"), "bid", pl.lit("9.99"), "String"),
        (quote_ticks, quotes("A"), "ask_size", pl.lit(value=True), "Boolean"),
        (quote_ticks, quotes("A"), "ts", pl.lit(T0), "Int64"),
        (quote_ticks, quotes("A"), "ts", pl.col("ts").dt.cast_time_unit("us"), "'us'"),
        (quote_ticks, quotes("A"), "ts", pl.col("ts").dt.replace_time_zone(None), "time_zone=None"),
        (
            quote_ticks,
            quotes("A"),
            "ts",
            pl.col("ts").dt.convert_time_zone("America/New_York"),
            "America/New_York",
        ),
        (trade_ticks, trades("A"), "price", pl.lit(datetime(2024, 1, 1, tzinfo=UTC)), "Datetime"),
        (trade_ticks, trades("A"), "size", pl.lit("100"), "String"),
        (trade_ticks, trades("A"), "iso", pl.lit(1), "Int32"),
        (trade_ticks, trades("A"), "eligible", pl.lit("yes"), "String"),
    ],
)
def test_a_column_of_another_type_is_named_with_its_type(make, frame, column, other, met):
    with pytest.raises(InputError) as caught:
        make(frame.with_columns(other.alias(column)), file="day.parquet")
    assert (caught.value.file, caught.value.column) == ("day.parquet", column)
    assert met in caught.value.met


FAULTS = [
    ("quote", {"bid": -0.01}, "bid", "met -0.01, wanted a finite price >= 0"),
    ("quote", {"bid": float("nan")}, "bid", "met nan, wanted a finite price >= 0"),
    ("quote", {"ask": float("inf")}, "ask", "met inf, wanted a finite price >= 0"),
    ("quote", {"ask": float("-inf")}, "ask", "met -inf, wanted a finite price >= 0"),
    ("quote", {"bid_size": -1.0}, "bid_size", "met -1.0, wanted a finite size >= 0"),
    ("quote", {"ask_size": float("nan")}, "ask_size", "met nan, wanted a finite size >= 0"),
    ("quote", {"ask_size": float("inf")}, "ask_size", "met inf, wanted a finite size >= 0"),
    ("quote", {"bid_size": 0.0}, "bid_size", "met 0.0, wanted a size > 0 where there is a bid"),
    ("quote", {"bid": 0.0}, "bid_size", "met 100.0, wanted a size > 0 where there is a bid"),
    ("quote", {"ask": 0.0}, "ask_size", "met 200.0, wanted a size > 0 where there is an ask"),
    ("quote", {"ask_size": 0.0}, "ask_size", "met 0.0, wanted a size > 0 where there is an ask"),
    ("trade", {"price": 0.0}, "price", "met 0.0, wanted a finite price > 0"),
    ("trade", {"price": -5.0}, "price", "met -5.0, wanted a finite price > 0"),
    ("trade", {"price": float("nan")}, "price", "met nan, wanted a finite price > 0"),
    ("trade", {"price": float("inf")}, "price", "met inf, wanted a finite price > 0"),
    ("trade", {"size": 0.0}, "size", "met 0.0, wanted a finite size > 0"),
    ("trade", {"size": -100.0}, "size", "met -100.0, wanted a finite size > 0"),
    ("trade", {"size": float("nan")}, "size", "met nan, wanted a finite size > 0"),
    ("trade", {"size": float("inf")}, "size", "met inf, wanted a finite size > 0"),
]


@pytest.mark.parametrize("symbols", ["AAAAA" * 1000, "ABCAB" * 1000], ids=["grouped", "by time"])
@pytest.mark.parametrize(("kind", "values", "column", "text"), FAULTS)
@pytest.mark.parametrize("row", [0, 3, 2047, 2048, 4999])
def test_a_faulty_value_is_named_by_its_own_row(symbols, kind, values, column, text, row):
    """Also where grouping has moved it, and at the edges of the blocks that are checked at once."""
    make, build = (quote_ticks, quotes) if kind == "quote" else (trade_ticks, trades)
    frame = build(*symbols)
    make(frame)
    with pytest.raises(InputError) as caught:
        make(with_value(frame, row, **values), file="day.csv", first_row=10_000)
    assert str(caught.value).startswith(f"day.csv, row {10_001 + row}, column '{column}': {text}")


@pytest.mark.parametrize(
    ("kind", "column"),
    [("quote", name) for name in QUOTE_SCHEMA] + [("trade", name) for name in TRADE_SCHEMA],
)
def test_a_null_is_named_by_its_row(kind, column):
    make, build = (quote_ticks, quotes) if kind == "quote" else (trade_ticks, trades)
    frame = build(*"ABAAB")
    with pytest.raises(InputError, match="wanted a ") as caught:
        make(with_value(frame, 3, **{column: None}), file="day.csv", first_row=100)
    assert (caught.value.row, caught.value.column) == (104, column)
    assert caught.value.file == "day.csv"


@pytest.mark.parametrize("row", [1, 5, 2047, 2048, 2049, 4999])
def test_a_clock_that_goes_back_is_named_by_its_row(row):
    for build, make in ((quotes, quote_ticks), (trades, trade_ticks)):
        frame = build(*"A" * 5000)
        back = T0 + (row - 1) * S - 1
        moved = frame.with_columns(
            ts=pl.when(pl.int_range(pl.len()) == row).then(pl.lit(back).cast(TIME)).otherwise("ts")
        )
        with pytest.raises(InputError, match="wanted times that do not fall") as caught:
            make(moved)
        assert (caught.value.row, caught.value.column) == (row + 1, "ts")
        assert str(back) in caught.value.met
        assert str(back + 1) in caught.value.met


def test_a_clock_that_goes_back_in_a_frame_by_time_names_the_row_of_the_frame():
    frame = quotes(*"ABABAB")
    swapped = frame[[0, 1, 4, 3, 2, 5]]
    with pytest.raises(InputError) as caught:
        quote_ticks(swapped)
    assert caught.value.row == 5  # the frame's fifth row, the third of A's
    assert f"{T0 + 2 * S} ns (2013-10-07T13:30:02Z) after {T0 + 4 * S} ns" == caught.value.met


def test_time_may_fall_from_one_symbol_to_the_next_but_not_inside_one():
    """Groups of one row to many, with borders on and around those of the blocks checked at once."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        sizes = rng.integers(1, 1500, 8)
        frame = pl.concat(
            quotes(*[f"S{g}"] * int(n)) for g, n in enumerate(sizes)
        )  # each group begins at T0 again
        ticks = quote_ticks(frame)
        assert np.diff(ticks.start).tolist() == sizes.tolist()
        g = int(rng.choice(np.flatnonzero(sizes > 1)))
        row = int(ticks.start[g]) + int(rng.integers(1, sizes[g]))
        with pytest.raises(InputError) as caught:
            quote_ticks(
                frame.with_columns(
                    ts=pl.when(pl.int_range(pl.len()) == row)
                    .then(pl.col("ts").shift(1) - pl.duration(nanoseconds=1))
                    .otherwise("ts")
                )
            )
        assert caught.value.row == row + 1


def test_equal_times_are_no_fault():
    assert quote_ticks(quotes("A", "A", "B", "A", gap=0)).ts.tolist() == [T0] * 4


def test_the_first_fault_of_the_rows_is_told_with_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(threads, "_WORTH", 0)
    frame = quotes(*"A" * 10_000)
    bad = with_value(with_value(frame, 9_000, bid=-1.0), 4_100, ask=-2.0)
    for count in (1, 2, 3):
        with pytest.raises(InputError, match=r"row 4101, column 'ask': met -2.0"):
            quote_ticks(bad, threads=count)


def test_the_input_stays_as_it_was():
    frame = quotes(*"ABAB")
    copy = frame.clone()
    quote_ticks(frame)
    assert frame.equals(copy)
