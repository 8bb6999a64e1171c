"""The universe on real bars, and what the election-day study's own tables hold."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from eventtape.frames.universe import universe

pytestmark = pytest.mark.real

LAST = date(2024, 11, 4)
# Printed in the study: million shares, million dollars, "20 trading days ending 2024-11-04".
STUDY = {
    "SPY": (42.97, 24508.73),
    "QQQ": (23.73, 11553.67),
    "AAPL": (53.95, 11966.04),
    "MSFT": (25.17, 10280.08),
    "AMZN": (42.35, 8299.58),
    "META": (13.69, 7700.17),
    "GOOGL": (24.76, 4190.84),
}


@pytest.fixture(scope="module")
def daily(data_folder):
    """Shares and dollars a session from five-minute bars: a part of the tape, the right prices."""
    bars = pl.read_parquet(
        data_folder / "equities" / "polygon_5m_ext_utc_13names_2024-10_2024-11.parquet"
    )
    when = pl.col("datetime").dt.convert_time_zone("America/New_York").dt.date()
    return bars.group_by("symbol", when.alias("session")).agg(
        pl.col("volume").sum(),
        (pl.col("vwap") * pl.col("volume")).sum().alias("dollar_volume"),
    )


def vwap(daily, symbol, first, last):
    rows = daily.filter(pl.col("session").is_between(first, last), symbol=symbol)
    return rows["dollar_volume"].sum() / rows["volume"].sum()


@pytest.mark.parametrize("symbol", STUDY)
def test_the_studys_tables_are_of_one_session(daily, symbol):
    """Dollars over shares is the last session's VWAP within 0.1%, the window's it misses by more.

    So the tables, called totals of 20 sessions, are neither totals nor means: they are 2024-11-04.
    """
    shares, dollars = STUDY[symbol]
    price = dollars / shares
    assert abs(price / vwap(daily, symbol, LAST, LAST) - 1.0) < 1e-3
    assert abs(price / vwap(daily, symbol, date(2024, 10, 8), LAST) - 1.0) > 5e-3


def test_the_most_traded_of_thirteen(daily):
    """Listings as they are: three funds, ten stocks, all listed for years."""
    funds = ("SPY", "QQQ", "XLK")
    names = daily["symbol"].unique().sort().to_list()
    listings = pl.DataFrame(
        [(name, "ETF" if name in funds else "CS", date(2000, 1, 3), None) for name in names],
        schema={"symbol": pl.String, "kind": pl.String, "from": pl.Date, "to": pl.Date},
        orient="row",
    )
    found = universe(daily, "2024-11-05", top=5, listings=listings)
    assert found.empty_sessions == ()
    by_kind = {kind: found.members.filter(kind=kind)["symbol"].to_list() for kind in ("ETF", "CS")}
    assert by_kind["ETF"] == ["SPY", "QQQ", "XLK"]
    # The study's order of the same five, but for one session's volume against twenty's.
    assert sorted(by_kind["CS"]) == ["AAPL", "AMZN", "GOOGL", "META", "MSFT"]
    assert by_kind["CS"][0] == "AAPL"
    assert (found.members["sessions"] == 20).all()
