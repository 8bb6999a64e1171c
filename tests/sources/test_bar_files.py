from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.sources import read_bars
from eventtape.tape import times_ns

NOON = datetime(2031, 3, 1, 12, tzinfo=UTC)
NOON_S = 1_930_132_800
WALL = NOON.replace(tzinfo=None, hour=7)  # noon UTC as New York reads it


def read(path, **more):
    declared = {"symbol": "X", "stamp": "start", "interval_s": 60, "zone": "UTC"}
    return read_bars(path, **{**declared, **more})


def table(times, **more):
    ones = [10] * len(times)
    return pl.DataFrame(
        {"time": times, "open": ones, "high": ones, "low": ones, "close": ones, **more}
    )


def seconds(frame):
    return (times_ns(frame) // 10**9 - NOON_S).tolist()


@pytest.fixture
def parquet(tmp_path):
    def parquet(frame):
        frame.write_parquet(tmp_path / "b.parquet")
        return tmp_path / "b.parquet"

    return parquet


def test_a_start_stamp_moves_to_the_end_of_the_bar_and_integers_serve(parquet):
    frame = read(parquet(table([NOON, NOON + timedelta(minutes=1)])))
    assert seconds(frame) == [60, 120]
    assert frame.drop("ts").row(0) == ("X", 10.0, 10.0, 10.0, 10.0, None)


def test_an_end_stamp_stays(parquet):
    assert seconds(read(parquet(table([NOON])), stamp="end")) == [0]


def test_volume_is_kept(parquet):
    assert read(parquet(table([NOON], volume=[7])))["volume"].to_list() == [7.0]


def test_naive_stamps_are_read_on_the_declared_clock(parquet):
    path = parquet(table([WALL]))
    assert seconds(read(path, zone="America/New_York")) == [60]


def test_a_zone_that_agrees_under_another_name(parquet):
    path = parquet(table([NOON.astimezone(ZoneInfo("Europe/Lisbon"))]))
    assert seconds(read(path, zone="Etc/UTC")) == [60]


def test_csv_text_naive_or_zoned_plain_or_packed(write):
    text = "datetime,open,high,low,close\n2031-03-01{},1,1,1,1\n"
    for stamp, zone in (
        (" 12:00", "UTC"),
        ("T12:00:00.000Z", "UTC"),
        (" 07:00:00-05:00", "America/New_York"),
        (" 17:30:00 +0530", "Asia/Kolkata"),
        (" 13:00:00+01", "Europe/Paris"),
    ):
        packed = gzip.compress(text.format(stamp).encode())
        assert seconds(read(write("b.csv", text.format(stamp)), zone=zone)) == [60]
        assert seconds(read(write("b.csv.gz", packed), zone=zone)) == [60]


def test_a_night_without_bars_is_no_fault(parquet):
    assert read(parquet(table([NOON, NOON + timedelta(hours=18)]))).height == 2


def test_a_wrong_zone_in_the_type_is_refused(parquet):
    with pytest.raises(InputError, match=r"row 1, column 'time'.*wrong zone"):
        read(parquet(table([NOON])), zone="America/New_York")


def test_a_wrong_zone_in_one_row_of_text_is_refused(write):
    rows = "2031-03-01T12:00:00Z,1,1,1,1\n2031-03-01T13:01:00+01:00,1,1,1,1\n"
    with pytest.raises(InputError, match=r"row 2, column 'time'.*wrong zone"):
        read(write("b.csv", "time,open,high,low,close\n" + rows))


def test_text_with_and_without_a_zone_is_refused(write):
    rows = "2031-03-01T12:00:00Z,1,1,1,1\n2031-03-01T12:01:00,1,1,1,1\n"
    with pytest.raises(InputError, match=r"row 2.*as the other rows have"):
        read(write("b.csv", "time,open,high,low,close\n" + rows))


@pytest.mark.parametrize(
    "wall",
    [
        WALL.replace(month=11, day=2, hour=1, minute=30),
        WALL.replace(month=3, day=9, hour=2, minute=30),
    ],
    ids=["double", "void"],
)
def test_a_local_time_that_is_double_or_void_is_refused(parquet, wall):
    path = parquet(table([wall - timedelta(days=1), wall]))
    with pytest.raises(InputError, match=r"row 2, column 'time'.*exactly once in America/New_York"):
        read(path, zone="America/New_York")


def test_numbers_are_no_stamps(parquet):
    with pytest.raises(InputError, match=r"column 'time'.*times, as text or datetimes"):
        read(parquet(table([NOON_S])))


@pytest.mark.parametrize(
    ("change", "place", "wanted"),
    [
        ({"open": [float("nan")]}, "row 1, column 'open'", "a finite number"),
        ({"open": [None]}, "column 'open'", "a column of numbers"),
        ({"open": [-10.0]}, "row 1, column 'open'", "a value > 0"),
        ({"high": [9]}, "row 1, column 'high'", "at or above"),
        ({"low": [11], "high": [12]}, "row 1, column 'low'", "at or below"),
        ({"close": ["ten"]}, "row 1, column 'close'", "a finite number"),
        ({"close": [True]}, "column 'close'", "a column of numbers"),
        ({"volume": [-1]}, "row 1, column 'volume'", "a value >= 0"),
        ({"time": [None]}, "column 'time'", "times, as text"),
        ({"ts": [NOON]}, "b.parquet", "one time column"),
    ],
)
def test_a_bad_bar_names_its_place(parquet, change, place, wanted):
    with pytest.raises(InputError) as caught:
        read(parquet(table([NOON]).with_columns(**{k: pl.Series(v) for k, v in change.items()})))
    assert place in str(caught.value)
    assert wanted in str(caught.value)


@pytest.mark.parametrize(
    ("times", "wanted"),
    [
        ([NOON, NOON], "a repeated time"),
        ([NOON, NOON - timedelta(minutes=5)], "before the one above"),
        ([NOON, NOON + timedelta(seconds=30)], "bars at least 60 s apart"),
    ],
)
def test_bars_out_of_order_repeated_or_overlapping_are_refused(parquet, times, wanted):
    with pytest.raises(InputError, match="row 2") as caught:
        read(parquet(table(times)))
    assert wanted in str(caught.value)


def test_a_missing_column_is_named(parquet):
    with pytest.raises(InputError, match="a column 'low'"):
        read(parquet(table([NOON]).drop("low")))
    with pytest.raises(InputError, match="one time column"):
        read(parquet(table([NOON]).drop("time")))
    with pytest.raises(InputError, match="a column 'when'"):
        read(parquet(table([NOON])), time_column="when")


def test_a_time_column_may_be_named(parquet):
    frame = table([NOON]).rename({"time": "when"})
    assert seconds(read(parquet(frame), time_column="when")) == [60]


def test_empty_and_foreign_files_are_refused(write, parquet):
    with pytest.raises(InputError, match="at least one bar"):
        read(parquet(table([NOON]).head(0)))
    for name in ("b.parquet", "c.parquet"):
        with pytest.raises(InputError, match="a Parquet file"):
            read(write(name, b"" if name == "c.parquet" else b"PAR1 not really"))
    with pytest.raises(InputError, match="CSV table"):
        read(write("b.csv", ""))


@pytest.mark.parametrize("more", [{"stamp": "middle"}, {"interval_s": 0}, {"zone": "Nowhere"}])
def test_a_clock_that_makes_no_sense_is_refused(parquet, more):
    with pytest.raises(InputError):
        read(parquet(table([NOON])), **more)
