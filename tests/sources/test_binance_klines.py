from __future__ import annotations

import io
import zipfile

import pytest

from eventtape.errors import InputError
from eventtape.sources import read_klines, read_klines_many
from eventtape.sources.binance import parse_checksum
from eventtape.tape import times_ns

DAY = 1_930_089_600_000  # 2031-03-01T00:00Z in milliseconds
HEADER = "open_time,open,high,low,close,volume,close_time,quote_volume,count,tb,tq,ignore\n"


def kline(minute, *, start=DAY, scale=1, price=100.0, width=60_000):
    opened = (start + minute * width) * scale
    closed = opened + width * scale - 1
    return f"{opened},{price},{price + 2},{price - 1},{price + 1},3.5,{closed},1,1,1,1,0\n"


def day(minutes=3, **more):
    return "".join(kline(minute, **more) for minute in range(minutes))


def zipped(**members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_csv", ".csv"), text)
    return packed.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        day(),
        HEADER + day(),
        HEADER.replace("open_time", "Open time") + day(),
        day(scale=1000),
        zipped(day_csv=day(scale=1000)),
        zipped(day_csv=HEADER + day()),
    ],
    ids=["plain", "header", "old header", "microseconds", "zip of microseconds", "zip with header"],
)
def test_bars_are_stamped_at_the_end_of_the_minute(write, content):
    frame = read_klines(write("k.csv", content), symbol="ABC")
    assert (times_ns(frame) // 10**6 - DAY).tolist() == [60_000, 120_000, 180_000]
    assert frame.drop("ts").row(0) == ("ABC", 100.0, 102.0, 99.0, 101.0, 3.5)


def test_another_interval(write):
    path = write("k.csv", day(width=300_000))
    frame = read_klines(path, symbol="ABC", interval_s=300)
    assert (times_ns(frame) // 10**6 - DAY).tolist() == [300_000, 600_000, 900_000]


@pytest.mark.parametrize(
    ("text", "place", "wanted"),
    [
        (day(width=300_000), "row 1, column 'close_time'", "60 s bars"),
        (day(1) + kline(1, scale=1000), "row 2, column 'open_time'", "the time unit"),
        (kline(0, start=DAY // 1000), "row 1, column 'open_time'", "milliseconds or micro"),
        (day(1) + kline(0), "row 2, column 'ts'", "a repeated time"),
        (kline(5) + kline(2), "row 2, column 'ts'", "before the one above"),
        (day(1).replace("100.0", "NaN"), "row 1, column 'open'", "a finite number"),
        (day(1).replace("100.0", "-100.0"), "row 1, column 'open'", "a value > 0"),
        (day(1).replace("102.0", "100.5"), "row 1, column 'high'", "at or above open, low"),
        (day(1).replace("99.0", "100.5"), "row 1, column 'low'", "at or below open, high"),
        (day(1).replace("3.5", ""), "row 1, column 'volume'", "a finite number"),
        (day(1).replace("3.5", "-3.5"), "row 1, column 'volume'", "a value >= 0"),
        ("when," + day(1), "k.csv", "12 columns"),
        (HEADER.replace("open_time", "time") + day(1), "row 1, column 'open_time'", "whole number"),
        (HEADER, "k.csv", "at least one kline"),
        ("", "k.csv", "CSV table"),
        (b"PK\x03\x04 and then nothing", "k.csv", "a whole zip file"),
        (zipped(day_csv=day())[:-30], "k.csv", "a whole zip file"),
        (zipped(a_csv=day(), b_csv=day()), "k.csv", "one .csv"),
        (zipped(readme="hello"), "k.csv", "one .csv"),
    ],
)
def test_a_bad_archive_names_its_place(write, text, place, wanted):
    with pytest.raises(InputError) as caught:
        read_klines(write("k.csv", text), symbol="ABC")
    assert place in str(caught.value)
    assert wanted in str(caught.value)


def test_days_follow_one_another(write):
    paths = [write("1.csv", day()), write("2.csv", day(start=DAY + 86_400_000))]
    frame = read_klines_many(paths, symbol="ABC")
    assert frame.height == 6
    assert frame["ts"].is_sorted()


@pytest.mark.parametrize("second", [DAY, DAY - 86_400_000, DAY + 2 * 86_400_000])
def test_days_repeated_backward_or_skipped_are_refused(write, second):
    paths = [write("1.csv", day()), write("2.csv", day(start=second))]
    with pytest.raises(InputError, match=r"2\.csv, row 1.*the day after 2031-03-01"):
        read_klines_many(paths, symbol="ABC")


def test_no_archive_at_all_is_refused():
    with pytest.raises(InputError, match="at least one kline archive"):
        read_klines_many([], symbol="ABC")


def test_a_checksum_text_names_its_archive():
    digest = "AB" * 32
    assert parse_checksum(f"{digest}  x.zip\n", name="x.zip") == digest.lower()
    for text in (f"{digest}  y.zip", f"{digest[1:]}  x.zip", "<html>", ""):
        with pytest.raises(InputError, match=r"64 hex digits and x\.zip"):
            parse_checksum(text, name="x.zip")
