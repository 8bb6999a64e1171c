"""The universe's tables from files: CSV and Parquet alike, and each bad cell by its place."""

from __future__ import annotations

import gzip
from datetime import date

import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.sources.universe_tables import read_daily, read_listings, read_renames

DAILY = "symbol,session,volume,dollar_volume,close\nA,2024-11-01,10,250.5,\nB,2024-11-04,20,,3\n"
LISTINGS = "symbol,kind,from,to\nA,CS,2010-01-04,\nB,ETF,2012-03-01,2024-10-31\n"
RENAMES = "old,new,from\nFB,META,2022-06-09\n"


def write(folder, text, name="table.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_csv_gzip_and_parquet_give_the_same(tmp_path):
    for text, read in ((DAILY, read_daily), (LISTINGS, read_listings), (RENAMES, read_renames)):
        plain = read(write(tmp_path, text))
        packed = tmp_path / "table.csv.gz"
        packed.write_bytes(gzip.compress(text.encode()))
        assert read(packed).equals(plain)
        plain.write_parquet(tmp_path / "table.parquet")
        assert read(tmp_path / "table.parquet").equals(plain)


def test_what_the_tables_hold(tmp_path):
    daily = read_daily(write(tmp_path, DAILY))
    assert daily.rows() == [
        ("A", date(2024, 11, 1), 10.0, 250.5, None),
        ("B", date(2024, 11, 4), 20.0, None, 3.0),
    ]
    assert read_listings(write(tmp_path, LISTINGS))["to"].to_list() == [None, date(2024, 10, 31)]
    assert read_renames(write(tmp_path, RENAMES)).rows() == [("FB", "META", date(2022, 6, 9))]


@pytest.mark.parametrize(
    ("read", "text", "place", "words"),
    [
        (read_daily, DAILY.replace("250.5", "much"), (1, "dollar_volume"), "or a blank"),
        (read_daily, DAILY.replace("250.5", "inf"), (1, "dollar_volume"), "or a blank"),
        (read_daily, DAILY.replace(",20,", ",,"), (2, "volume"), "a finite number"),
        (read_daily, DAILY.replace("2024-11-04", "04/11/2024"), (2, "session"), "a date such as"),
        (read_daily, DAILY.replace("2024-11-04", ""), (2, "session"), "a date such as"),
        (read_daily, DAILY.replace("B,", ","), (2, "symbol"), "text"),
        (read_daily, DAILY.replace("volume", "shares"), (None, "volume"), "a column 'volume'"),
        (read_daily, "symbol,session,volume\nA,2024-11-01,1\n", (None, None), "one of the columns"),
        (read_listings, LISTINGS.replace("ETF", ""), (2, "kind"), "text"),
        (read_listings, LISTINGS.replace("2024-10-31", "soon"), (2, "to"), "a date such as"),
        (read_renames, RENAMES.replace("2022-06-09", ""), (1, "from"), "a date such as"),
        (read_renames, RENAMES.replace("new", "now"), (None, "new"), "a column 'new'"),
    ],
)
def test_a_bad_cell_is_named(tmp_path, read, text, place, words):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=words) as caught:
        read(path)
    assert caught.value.file == str(path)
    assert (caught.value.row, caught.value.column) == place


def test_parquet_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_bytes(b"no table")
    with pytest.raises(InputError, match="a Parquet file"):
        read_daily(path)
    frame = read_daily(write(tmp_path, DAILY))
    for change, words in (
        (pl.col("session").cast(pl.Datetime), "a column of dates"),
        (pl.lit(7).alias("symbol"), "a column of text"),
        (pl.lit(value=True).alias("close"), "a column of numbers"),
    ):
        frame.with_columns(change).write_parquet(path)
        with pytest.raises(InputError, match=words):
            read_daily(path)
