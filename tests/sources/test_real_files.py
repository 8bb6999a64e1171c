"""Every file of the catalogue, from the data folder where there is one, against known facts."""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.clock import parse_ns
from eventtape.sources import (
    ELECTION_2024,
    load_folder,
    read_bars,
    read_markets_csv,
    read_trades_csv,
)
from eventtape.tape import times_ns

pytestmark = pytest.mark.real


@pytest.fixture
def real(data_folder):
    """The path of a file of the data folder; skips the test where it is absent."""

    def real(name):
        path = data_folder / name
        if not path.exists():
            pytest.skip(f"no {name} in the data folder (set EVENTTAPE_DATA)")
        return path

    return real


@pytest.fixture
def feed(real, data_folder):
    def feed(label):
        (spec,) = (spec for spec in ELECTION_2024 if spec.label == label)
        for path in spec.paths:
            real(path)
        return load_folder(data_folder, [spec]).tape.feed(label).frame

    return feed


def asof(frame, text, column):
    """The last value stamped at or before a time."""
    return frame[column][int(np.searchsorted(times_ns(frame), parse_ns(text), "right")) - 1]


@pytest.mark.parametrize(
    ("label", "rows", "first", "last"),
    [
        ("Polymarket", 2_055, "2024-11-05T05:00:02Z", "2024-11-06T15:20:02Z"),
        ("Kalshi", 612, "2024-10-04T13:00Z", "2024-11-06T17:00Z"),
        ("Kalshi KH", 611, "2024-10-04T13:00Z", "2024-11-06T17:00Z"),
        ("BTC", 2_880, "2024-11-05T00:01Z", "2024-11-07T00:00Z"),
        ("EURUSD", 48_672, "2024-10-15T00:01Z", "2024-11-29T22:00Z"),
        ("NQ", 20_000, "2024-10-23T20:45Z", "2024-11-13T10:04Z"),
        ("CL", 12_063, "2024-10-01T00:05Z", "2024-11-29T19:45Z"),
    ],
)
def test_rows_and_range(feed, label, rows, first, last):
    frame = feed(label)
    assert frame.height == rows
    assert (times_ns(frame)[[0, -1]] == [parse_ns(first), parse_ns(last)]).all()


def test_polymarket_through_the_night(feed):
    frame = feed("Polymarket")
    for when, probability in (
        ("2024-11-05T22:00Z", 0.62),
        ("2024-11-06T01:00Z", 0.70),
        ("2024-11-06T03:08Z", 0.88),
        ("2024-11-06T04:50Z", 0.97),
    ):
        assert asof(frame, when, "probability") == pytest.approx(probability, abs=0.015)


def test_kalshi_hours_are_stamped_at_their_end(feed):
    trump, harris = feed("Kalshi"), feed("Kalshi KH")
    # Last trades of the hours ending 00Z to 05Z were 55, 67, 70, 81, 90, 95 cents, and a last
    # trade lies at the bid or at the ask that stood at the close.
    for hour, cents in enumerate((55, 67, 70, 81, 90, 95)):
        when = f"2024-11-06T0{hour}:00Z"
        assert cents / 100 in {asof(trump, when, "bid"), asof(trump, when, "ask")}
        both = asof(trump, when, "probability") + asof(harris, when, "probability")
        assert both == pytest.approx(1.0, abs=0.03)
    assert asof(trump, "2024-11-06T00:00Z", "probability") == 0.56


def test_bitcoin_through_both_days(feed):
    frame = feed("BTC")
    assert frame["open"][0] == pytest.approx(67_850, abs=1)
    assert frame["close"][-1] == pytest.approx(75_572, abs=1)
    assert (np.diff(times_ns(frame)) == 60 * 10**9).all()


def test_the_euro_moves_most_when_american_figures_come_out(feed):
    frame = feed("EURUSD")
    moves = np.abs(np.log(frame["close"].to_numpy() / frame["open"].to_numpy()))
    # A 13:30Z release (winter time) moves the minute that ends at 13:31Z, a 12:30Z one 12:31Z.
    top = {frame["ts"][int(row)].strftime("%H:%M") for row in np.argsort(moves)[-3:]}
    assert top & {"12:31", "13:31"}


def test_the_nasdaq_future_moves_with_the_american_stocks(feed, real):
    future = feed("NQ")
    stocks = read_bars(
        real("equities/SPY_1m_rth_utc_2024-10_2024-11.parquet"),
        symbol="SPY",
        stamp="start",
        interval_s=60,
        zone="UTC",
    )
    both = future.join(stocks, on="ts", suffix="_spy")
    returns = np.diff(np.log(both.select("close", "close_spy").to_numpy()), axis=0)
    adjacent = np.diff(times_ns(both)) == 60 * 10**9
    assert np.corrcoef(returns[adjacent].T)[0, 1] > 0.85


def test_the_results_timeline_keeps_every_line(feed):
    frame = feed("Results")
    assert frame.height == 37_266
    assert frame["region"].n_unique() == 50
    assert sorted(frame["party"].unique()) == ["DEM", "GOP"]
    assert frame["share_counted"].max() == 0.99
    first, last = frame["ts"].min(), frame["ts"].max()
    assert (str(first)[:16], str(last)[:16]) == ("2024-11-06 01:00", "2024-11-06 10:44")


def test_the_thirteen_polymarket_histories(real, feed):
    frame = read_markets_csv(real("polymarket/polymarket_trump_1m_all_markets.csv.gz"))
    assert frame["symbol"].n_unique() == 13
    assert frame.height == 34_836  # 34,839 lines, three of which state a last point twice
    winner = frame.filter(symbol="winner")
    assert winner.drop("symbol").equals(feed("Polymarket").drop("symbol"))


def test_kalshi_ticks_of_a_week(real):
    frame = read_trades_csv(real("kalshi/kalshi_econ_ticks_2024-11-01_2024-11-08.csv.gz"))
    assert frame.height == 390
    assert frame["symbol"].n_unique() == 27
    assert frame["side"].sum() == 184 - 206
    assert frame["trade_id"].n_unique() == 390


def test_integer_prices_of_a_real_file(real):
    path = real("futures/YM1_1h_24h.parquet")
    frame = read_bars(path, symbol="YM", stamp="start", interval_s=3_600, zone="UTC")
    assert frame.height == 1_942
    assert frame["close"][0] == 43_507.0


def test_the_whole_folder_is_one_tape(data_folder, real):
    for spec in ELECTION_2024:
        for path in spec.paths:
            real(path)
    loaded = load_folder(data_folder)
    assert loaded.missing == ()
    assert [feed.label for feed in loaded.tape.feeds] == [spec.label for spec in ELECTION_2024]
    assert not loaded.tape.simulated
