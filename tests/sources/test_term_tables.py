"""Tables of volatilities by expiry: layouts, the unit, the hours of days, and what is refused."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from eventtape.clock import format_ns
from eventtape.errors import InputError
from eventtape.sources.term_tables import read_term_rows, read_term_table

AT = "2024-10-05T00:00Z"
COLUMNS = ["ts", "label", "expiry", "iv", "error", "forward", "index"]


def expiries(frame):
    return [format_ns(ns, seconds=False) for ns in frame["expiry"].to_physical()]


def test_a_screen_s_table_with_codes_and_percent(write):
    """55.23 of 8 November is the seed's; the others are made up."""
    path = write("t.csv", "Expiry,ATM IV (%)\n08Nov24,55.23\n25OCT24,48.25\n")
    rows = read_term_rows(path, at=AT, label="BTC")
    assert rows.frame.columns == COLUMNS
    assert expiries(rows.frame) == ["2024-10-25T08:00Z", "2024-11-08T08:00Z"]
    assert rows.frame["iv"].to_list() == [0.4825, 0.5523]
    assert rows.frame["label"].to_list() == ["BTC", "BTC"]
    assert rows.frame["error"].null_count() == 2
    assert rows.report.noted == {
        "expiry a day alone: 08:00 UTC": 2,
        "volatilities in percent": 2,
        "rows not in order, put in order": 2,
    }
    assert read_term_table(path, at=AT, label="BTC").equals(rows.frame)


def panel(**columns):
    ts = datetime(2026, 1, 5, 12, 0, 0, 123456, tzinfo=UTC)
    expiry = [datetime(2026, 1, day, 8, tzinfo=UTC) for day in (6, 9, 30)]
    base = {
        "ts": [ts] * 3,
        "ccy": ["BTC"] * 3,
        "expiry": expiry,
        "T": [(e - ts) / timedelta(days=365) for e in expiry],
        "F": [90_000.0, 90_100.0, None],
        "index": [89_990.0] * 3,
        "atm_iv": [0.35, 0.4, 0.45],
        "n": [30] * 3,
        "n_quoted": [30] * 3,
    }
    return pl.DataFrame(base | columns)


def test_the_panel_s_layout(tmp_path):
    path = tmp_path / "panel.parquet"
    panel().sample(fraction=1.0, shuffle=True, seed=1).write_parquet(path)
    rows = read_term_rows(path)
    assert rows.frame["iv"].to_list() == [0.35, 0.4, 0.45]
    assert rows.frame["label"].to_list() == ["BTC"] * 3
    assert rows.frame["forward"].to_list() == [90_000.0, 90_100.0, None]
    assert rows.frame["index"].to_list() == [89_990.0] * 3
    assert rows.frame["ts"].to_physical()[0] % 10**9 == 123_456_000
    assert "volatilities in percent" not in rows.report.noted
    assert (rows.report.rows, rows.report.kept, rows.report.dropped) == (3, 3, {})


@pytest.mark.parametrize(
    ("label", "day", "wanted"),
    [
        ("BTC", "2024-11-08", "2024-11-08T08:00Z"),
        ("btc-usd", "2024-11-08", "2024-11-08T08:00Z"),
        ("ETHUSDT", "8NOV24", "2024-11-08T08:00Z"),
        ("", "8NOV24", "2024-11-08T08:00Z"),
        ("", "2024-11-08", "2024-11-08T21:00Z"),
        ("SPY", "2024-10-18", "2024-10-18T20:00Z"),
        ("SPY", "08Nov24", "2024-11-08T21:00Z"),
        ("ETHE", "2024-11-08", "2024-11-08T21:00Z"),
        ("SPY", "2024-11-08T16:15-05:00", "2024-11-08T21:15Z"),
    ],
)
def test_the_hour_of_an_expiry(write, label, day, wanted):
    rows = read_term_rows(write("t.csv", f"expiry,iv\n{day},.2\n"), at=AT, label=label)
    assert expiries(rows.frame) == [wanted]
    noted = {"T08": "08:00 UTC", "T20": "16:00 New York", "T21": "16:00 New York"}[wanted[10:13]]
    alone = {} if "T" in day else {f"expiry a day alone: {noted}": 1}
    assert rows.report.noted == alone


def test_one_code_makes_an_unlabelled_file_deribit_s(write):
    rows = read_term_rows(write("t.csv", "expiry,iv\n8NOV24,.5\n2024-12-27,.5\n"), at=AT)
    assert expiries(rows.frame) == ["2024-11-08T08:00Z", "2024-12-27T08:00Z"]


@pytest.mark.parametrize(
    ("stamp", "wanted"),
    [
        ("2024-10-05", "2024-10-05T00:00Z"),
        ("2024-10-05T09:30-04:00", "2024-10-05T13:30Z"),
        ("1728086400", "2024-10-05T00:00Z"),
    ],
)
def test_the_time_of_a_snapshot(write, stamp, wanted):
    frame = read_term_table(write("t.csv", f"Date,expiry,iv\n{stamp},8NOV24,.5\n"))
    assert format_ns(frame["ts"].to_physical()[0], seconds=False) == wanted


def test_dates_of_parquet(tmp_path):
    path = tmp_path / "t.parquet"
    row = {"date": [date(2024, 10, 5)], "expiry": [date(2024, 11, 8)], "IV": [55.23]}
    pl.DataFrame(row).write_parquet(path)
    rows = read_term_rows(path, label="BTC")
    assert expiries(rows.frame) == ["2024-11-08T08:00Z"]
    assert rows.frame["ts"][0] == datetime(2024, 10, 5, tzinfo=UTC)
    assert rows.frame["iv"].to_list() == [0.5523]
    assert rows.report.noted["date alone: 00:00 UTC"] == 1


def test_errors_and_half_spreads_are_in_the_unit_of_the_volatility(write):
    whole = read_term_table(write("a.csv", "expiry,iv,error\n8NOV24,55,.5\n15NOV24,56,\n"), at=AT)
    assert whole["error"].to_list() == [0.005, None]
    half = read_term_table(write("b.csv", "expiry,iv,iv spread\n8NOV24,.55,.01\n"), at=AT)
    assert half["error"].to_list() == [0.005]
    signed = read_term_table(write("c.csv", "expiry,iv,spread\n8NOV24,55.5%,1%\n"), at=AT)
    assert signed.select("iv", "error").row(0) == (0.555, 0.005)


def test_a_mix_of_units_names_the_odd_row(write):
    odd = write("t.csv", "expiry,iv\n8NOV24,55\n15NOV24,.56\n22NOV24,57\n")
    with pytest.raises(
        InputError, match=r"row 2, column 'iv': met 0\.56, wanted percent"
    ) as caught:
        read_term_rows(odd, at=AT)
    assert str(odd) in str(caught.value)
    with pytest.raises(InputError, match=r"row 3, column 'iv': met 57\.0, wanted decimals"):
        read_term_rows(write("u.csv", "expiry,iv\n8NOV24,.5\n15NOV24,.5\n22NOV24,57\n"), at=AT)


def test_the_unit_can_be_stated(write):
    low = write("t.csv", "expiry,iv\n8NOV24,2.5\n15NOV24,3.5\n")
    assert read_term_table(low, at=AT, unit="percent")["iv"].to_list() == [0.025, 0.035]
    with pytest.raises(InputError, match=r"row 2, column 'iv': met '3\.5', wanted a decimal"):
        read_term_table(low, at=AT, unit="decimal")
    with pytest.raises(InputError, match="the heading says percent, the values decimals"):
        read_term_table(write("u.csv", "expiry,IV %\n8NOV24,.55\n"), at=AT)
    with pytest.raises(InputError, match="wanted a unit"):
        read_term_table(low, at=AT, unit="points")


BAD = [
    ("0", "a volatility above 0"),
    ("-1", "a volatility above 0"),
    ("", "a number"),
    ("nan", "a number"),
    ("n/a", "a number"),
    ("501", "a volatility of at most 500%"),
]


@pytest.mark.parametrize(
    ("met", "wanted"), BAD, ids=["zero", "minus", "blank", "nan", "na", "high"]
)
def test_a_bad_volatility_is_refused_or_counted(write, met, wanted):
    path = write("t.csv", f"expiry,iv\n8NOV24,55\n15NOV24,{met}\n")
    with pytest.raises(InputError, match=wanted) as caught:
        read_term_rows(path, at=AT)
    assert (caught.value.file, caught.value.row, caught.value.column) == (str(path), 2, "iv")
    rows = read_term_rows(path, at=AT, bad="drop")
    assert rows.frame["iv"].to_list() == [0.55]
    assert sum(rows.report.dropped.values()) == 1


def test_a_second_row_of_an_expiry_is_refused_or_counted(write):
    """Although it is written in another way."""
    path = write("t.csv", "expiry,iv\n8NOV24,55\n15NOV24,56\n2024-11-08T08:00Z,55\n")
    with pytest.raises(InputError, match=r"row 3, column 'expiry': met '2024-11-08T08:00Z'"):
        read_term_rows(path, at=AT)
    rows = read_term_rows(path, at=AT, bad="drop")
    assert rows.report.dropped == {"second row of an expiry": 1}
    assert rows.frame["iv"].to_list() == [0.55, 0.56]


def test_one_expiry_of_two_labels_or_times_is_no_repeat(write):
    lines = ("2024-10-05,BTC,8NOV24,55", "2024-10-05,ETH,8NOV24,65", "2024-10-06,BTC,8NOV24,54")
    path = write("t.csv", "\n".join(("ts,ccy,expiry,iv", *lines)))
    assert read_term_table(path)["iv"].to_list() == [0.55, 0.65, 0.54]


def test_what_has_expired_is_counted_not_refused(write):
    at = "2024-11-08T08:00Z,BTC"
    path = write("t.csv", f"ts,ccy,expiry,iv\n{at},8NOV24,55\n{at},9NOV24,65\n")
    rows = read_term_rows(path)
    assert rows.report.dropped == {"expired": 1}
    assert rows.frame["iv"].to_list() == [0.65]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("iv\n55\n", "column 'expiry': met 'iv', wanted a column among expiry"),
        ("expiry,vol\n8NOV24,55\n", "column 'iv': met 'expiry, vol', wanted a column among atm_iv"),
        ("expiry,iv\n31NOV24,55\n", "row 1, column 'expiry': met '31NOV24', wanted an expiry such"),
        ("expiry,iv\n8NOV24,55\n2024-11-15 08:00,56\n", "row 2, column 'expiry'"),
        ("expiry,iv\n8NOV24,55\n,56\n", "row 2, column 'expiry'"),
        ("ts,expiry,iv\n2024-10-05T09:00,8NOV24,55\n", "row 1, column 'ts'"),
        ("ts,expiry,iv\nFriday,8NOV24,55\n", "row 1, column 'ts'"),
        ("ccy,expiry,iv\nBTC,8NOV24,55\n ,8NOV24,55\n", "row 2, column 'label'"),
        (
            "expiry,iv,error\n8NOV24,55,-1\n",
            "row 1, column 'error': met -1.0, wanted an error >= 0",
        ),
        ("expiry,iv\n", "wanted at least one volatility"),
    ],
    ids=["no-expiry", "no-iv", "day", "zone", "blank", "ts-zone", "ts", "label", "error", "empty"],
)
def test_what_cannot_be_read_is_named(write, text, said):
    path = write("t.csv", text)
    with pytest.raises(InputError) as caught:
        read_term_rows(path, at=AT)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_table_without_times_asks_for_one(write, tmp_path):
    with pytest.raises(InputError, match=r"give at="):
        read_term_rows(write("t.csv", "expiry,iv\n8NOV24,55\n"))
    with pytest.raises(InputError, match="a readable file"):
        read_term_rows(tmp_path / "none.csv")
    with pytest.raises(InputError, match="a Parquet file"):
        read_term_rows(write("t.parquet", "no"))


def test_naive_times_of_parquet_are_refused(tmp_path):
    path = tmp_path / "naive.parquet"
    panel(ts=[datetime(2026, 1, 5)] * 3).write_parquet(path)  # noqa: DTZ001
    with pytest.raises(InputError, match="wanted times with a zone"):
        read_term_rows(path)


def test_of_two_volatilities_the_one_at_the_money_counts(write):
    """And it is its own heading that says percent."""
    path = write("t.csv", "expiry,IV (%),ATM IV\n8NOV24,60,.55\n")
    assert read_term_table(path, at=AT)["iv"].to_list() == [0.55]


def test_a_missing_date_is_refused_or_counted(tmp_path):
    path = tmp_path / "t.parquet"
    days = [date(2024, 10, 5), None]
    pl.DataFrame({"ts": days, "expiry": ["8NOV24", "8NOV24"], "iv": [55.0, 56.0]}).write_parquet(
        path
    )
    with pytest.raises(InputError, match="row 2, column 'ts'"):
        read_term_rows(path)
    assert read_term_rows(path, bad="drop").report.dropped == {"no time in 'ts'": 1}


def test_nan_of_parquet_is_no_volatility(tmp_path):
    path = tmp_path / "nan.parquet"
    panel(atm_iv=[0.35, math.nan, 0.45]).write_parquet(path)
    with pytest.raises(InputError, match="row 2, column 'iv'"):
        read_term_rows(path)
    assert read_term_rows(path, bad="drop").report.dropped == {"no number in 'iv'": 1}
