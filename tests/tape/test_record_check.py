from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.tape import BAR, PROBABILITY, RESULT, TRADE, check, empty
from eventtape.tape.records import TIME

T0 = datetime(2024, 11, 5, 22, tzinfo=UTC)
RECORDS = {record.name: record for record in (PROBABILITY, TRADE, BAR, RESULT)}


def times(*minutes):
    return pl.Series("ts", [T0 + timedelta(minutes=m) for m in minutes], dtype=TIME)


def good(name):
    """Four right rows: two keys, their rows interleaved, so that no rule may look at neighbours."""
    text = ["b", "a", "b", "a"]
    rows = {
        "probability": {
            "symbol": text,
            "ts": times(1, 0, 2, 1),
            "probability": [0.0, 1.0, 0.5, 0.25],
            "bid": [None, 0.0, 0.4, None],
            "ask": [None, 1.0, 0.6, None],
            "size": [None, 0.0, 5.0, None],
        },
        "trade": {
            "symbol": text,
            "ts": times(1, 0, 1, 0),
            "price": [1e-9, 2.0, 3.0, 4.0],
            "size": [1e-9, 2.0, 3.0, 4.0],
            "side": pl.Series([-1, 0, 1, 1], dtype=pl.Int8),
            "trade_id": [None, "x", "x", "y"],
        },
        "bar": {
            "symbol": text,
            "ts": times(1, 0, 2, 1),
            "open": [2.0, 2.0, 2.0, 2.0],
            "high": [2.0, 3.0, 4.0, 5.0],
            "low": [2.0, 1.0, 1.5, 2.0],
            "close": [2.0, 3.0, 1.5, 2.0],
            "volume": [None, 0.0, 1.0, 2.0],
        },
        "result": {
            "region": text,
            "ts": times(1, 0, 2, 1),
            "party": ["x", "x", "x", "x"],
            "votes": [0.0, 0.0, 5.0, 6.0],
            "share_counted": [None, 0.0, 1.0, 0.5],
            "win_probability": [None, 0.0, 1.0, 0.5],
        },
    }[name]
    schema = {column: rule.dtype for column, rule in RECORDS[name].columns.items()}
    return pl.DataFrame(rows, schema=schema)


def put(frame, column, row, value):
    """The frame with one value (row 0-based) replaced, the type kept."""
    values = frame[column].to_list()
    values[row] = value
    return frame.with_columns(pl.Series(column, values, dtype=frame[column].dtype))


NUMBERS = [
    (name, column)
    for name, record in RECORDS.items()
    for column, rule in record.columns.items()
    if rule.dtype == pl.Float64()
]
RANGES = [
    (name, column, rule)
    for name, record in RECORDS.items()
    for column, rule in record.columns.items()
    if rule.low is not None
]


@pytest.mark.parametrize("name", RECORDS)
def test_right_frames_pass_unchanged(name):
    frame = good(name)
    assert check(frame, RECORDS[name]).equals(frame)


@pytest.mark.parametrize("name", RECORDS)
def test_columns_come_back_in_order_without_strangers(name):
    frame = good(name)
    mixed = frame.select(*reversed(frame.columns), pl.lit(1).alias("stranger"))
    assert check(mixed, RECORDS[name]).equals(frame)


@pytest.mark.parametrize("name", RECORDS)
def test_each_missing_column_is_named(name):
    for column in RECORDS[name].columns:
        with pytest.raises(InputError) as caught:
            check(good(name).drop(column), RECORDS[name], file="f.csv")
        assert (caught.value.column, caught.value.file) == (column, "f.csv")
        assert column in caught.value.wanted


@pytest.mark.parametrize("name", RECORDS)
def test_no_rows_is_an_error_and_empty_has_the_columns(name):
    nothing = empty(RECORDS[name])
    assert dict(nothing.schema) == {k: c.dtype for k, c in RECORDS[name].columns.items()}
    with pytest.raises(InputError, match="at least one"):
        check(nothing, RECORDS[name])


@pytest.mark.parametrize("name", RECORDS)
def test_each_wrong_type_is_named(name):
    for column, rule in RECORDS[name].columns.items():
        wrong = pl.Float32 if rule.dtype != pl.String() else pl.Binary
        frame = good(name).with_columns(pl.lit(None).cast(wrong).alias(column))
        with pytest.raises(InputError, match="values of type") as caught:
            check(frame, RECORDS[name])
        assert (caught.value.column, caught.value.met) == (column, str(wrong()))


@pytest.mark.parametrize(
    "dtype", [pl.Datetime("us", "UTC"), pl.Datetime("ns"), pl.Datetime("ns", "Europe/Paris")]
)
@pytest.mark.parametrize("name", RECORDS)
def test_time_in_another_unit_or_zone_is_refused(name, dtype):
    ts = good(name)["ts"].dt.replace_time_zone(None).cast(pl.Datetime(dtype.time_unit))
    ts = ts.dt.replace_time_zone(dtype.time_zone) if dtype.time_zone else ts
    with pytest.raises(InputError, match="values of type") as caught:
        check(good(name).with_columns(ts), RECORDS[name])
    assert caught.value.column == "ts"


@pytest.mark.parametrize("name", RECORDS)
def test_a_null_is_refused_where_a_value_must_stand(name):
    for column, rule in RECORDS[name].columns.items():
        frame = put(good(name), column, 2, None)
        if rule.nullable:
            check(frame, RECORDS[name])
            continue
        with pytest.raises(InputError, match="wanted a value") as caught:
            check(frame, RECORDS[name])
        assert (caught.value.row, caught.value.column) == (3, column)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("name", "column"), NUMBERS)
def test_a_number_that_is_none_is_refused(name, column, value):
    with pytest.raises(InputError, match="finite") as caught:
        check(put(good(name), column, 1, value), RECORDS[name])
    assert (caught.value.row, caught.value.column) == (2, column)
    assert repr(caught.value.met) == repr(value)


@pytest.mark.parametrize(("name", "column", "rule"), RANGES)
def test_values_below_the_range_are_refused(name, column, rule):
    value = rule.low if rule.above_low else rule.low - 1
    with pytest.raises(InputError, match=r"a value >") as caught:
        check(put(good(name), column, 3, value), RECORDS[name], file="f")
    assert (caught.value.row, caught.value.column, caught.value.met) == (4, column, value)
    assert str(caught.value).startswith(f"f, row 4, column '{column}': met {value!r}, wanted")


@pytest.mark.parametrize(("name", "column", "rule"), [r for r in RANGES if r[2].high is not None])
def test_values_above_the_range_are_refused(name, column, rule):
    value = rule.high + (1 if column == "side" else 0.3)
    with pytest.raises(InputError, match="a value <=") as caught:
        check(put(good(name), column, 0, value), RECORDS[name])
    assert (caught.value.row, caught.value.column, caught.value.met) == (1, column, value)


def test_the_first_bad_row_is_named():
    frame = put(put(good("trade"), "price", 3, -4.0), "price", 1, -2.0)
    with pytest.raises(InputError) as caught:
        check(frame, TRADE)
    assert (caught.value.row, caught.value.met) == (2, -2.0)


@pytest.mark.parametrize("name", ["probability", "bar", "result"])
def test_a_repeated_time_is_refused_within_its_key(name):
    frame = good(name).with_columns(times(1, 0, 1, 1))
    with pytest.raises(InputError, match="times that rise") as caught:
        check(frame, RECORDS[name])
    assert (caught.value.row, caught.value.column) == (3, "ts")
    assert "a repeated time" in caught.value.met
    assert "2024-11-05 22:01:00" in caught.value.met


@pytest.mark.parametrize("name", RECORDS)
def test_a_time_that_falls_is_refused_within_its_key(name):
    frame = good(name).with_columns(times(1, 2, 3, 1))
    with pytest.raises(InputError, match="times that") as caught:
        check(frame, RECORDS[name])
    assert caught.value.row == 4
    assert "a time before the one above it" in caught.value.met


def test_a_nanosecond_decides_the_order():
    ts = good("bar")["ts"].to_physical().to_list()
    ts[2] = ts[0] + 1
    check(good("bar").with_columns(pl.Series("ts", ts).cast(TIME)), BAR)
    ts[2] = ts[0] - 1
    with pytest.raises(InputError, match="rise"):
        check(good("bar").with_columns(pl.Series("ts", ts).cast(TIME)), BAR)


def test_results_are_ordered_by_region_and_party():
    """Two parties of one region at one time are two rows, not a repeated time."""
    frame = good("result").with_columns(
        pl.Series("region", ["a"] * 4), pl.Series("party", ["x", "y", "x", "y"]), times(0, 0, 1, 1)
    )
    check(frame, RESULT)
    with pytest.raises(InputError, match="region and party"):
        check(frame.with_columns(times(0, 0, 0, 1)), RESULT)


@pytest.mark.parametrize(
    ("column", "value"),
    [("high", 1.9), ("low", 2.1), ("open", 5.5), ("open", 1.0), ("close", 5.5), ("close", 1.9)],
)
def test_a_bar_holds_its_prices_between_low_and_high(column, value):
    """Row 4 is open 2, high 5, low 2, close 2."""
    with pytest.raises(InputError, match=r"a (high|low) at or") as caught:
        check(put(good("bar"), column, 3, value), BAR)
    assert caught.value.row == 4
    assert caught.value.column in {"high", "low"}


def test_check_mends_nothing():
    """An unsorted frame is an error, never a sorted frame."""
    with pytest.raises(InputError):
        check(good("bar").reverse(), BAR)
