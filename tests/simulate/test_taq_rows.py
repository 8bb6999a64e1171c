"""Rows of the simulated day: as many as asked, the same however they are cut, fit for the tape."""

from __future__ import annotations

import tracemalloc

import numpy as np
import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.simulate import TaqConfig, taq_batches, taq_day
from eventtape.tape import EQUITY_TRADE, QUOTE, check
from eventtape.tape.ticks import quote_ticks, trade_ticks

S = 10**9
SMALL = {"symbols": 7, "quotes": 2_500, "trades": 1_500, "seconds": 250}


def whole(seed=1, **more):
    """Every part of a day, put together from batches."""
    parts = zip(*taq_batches(seed, **{**SMALL, **more}), strict=True)
    return [pl.concat(part) for part in parts]


def same(one, two):
    return all(a.equals(b) for a, b in zip(one, two, strict=True))


@pytest.fixture(scope="module")
def day():
    return taq_day(3, quotes=300_000, trades=80_000)


@pytest.mark.parametrize("late", [{}, {"late_ns": 40_000_000}, {"late_ns": S, "late_share": 0.3}])
@pytest.mark.parametrize("order", ["symbol", "time"])
def test_the_size_of_the_batches_changes_no_row(order, late):
    day = taq_day(1, order=order, **SMALL, **late)
    parts = [day.quotes, day.trades, day.truth.quotes, day.truth.trades]
    for batch_rows in (1, 16, 4_096, 10**9):
        assert same(whole(order=order, batch_rows=batch_rows, **late), parts)


@pytest.mark.parametrize("order", ["symbol", "time"])
def test_a_symbol_does_not_know_who_else_was_asked_for(order):
    only = ("SIM001", "SIM004")
    parts = whole(order=order)
    for some, rows in zip(whole(order=order, only=only, batch_rows=500), parts, strict=True):
        names = parts[0 if rows.height == parts[0].height else 1]["symbol"]
        assert some.equals(rows.filter(names.is_in(only)))


def test_both_orders_hold_the_same_rows_in_their_order():
    by_symbol, by_time = whole(), whole(order="time", batch_rows=700)
    for one, two in ((0, 2), (1, 3)):  # quotes and trades, each with its truth
        ts = by_time[one]["ts"]
        assert ts.is_sorted()
        assert not by_symbol[one]["ts"].is_sorted()
        again = by_time[one].hstack(by_time[two]).sort("symbol", maintain_order=True)
        assert again.equals(by_symbol[one].hstack(by_symbol[two]))


def test_batches_keep_to_their_size():
    sizes = [
        (batch.quotes.height + batch.trades.height, batch.quotes)
        for batch in taq_batches(1, batch_rows=700, truth=False, **SMALL)
    ]
    assert sum(n for n, _ in sizes) == 4_000
    assert all(n <= 700 for n, _ in sizes)
    assert len(sizes) <= 8  # nearly full
    batch = next(taq_batches(1, truth=False, **SMALL))
    assert batch.quote_truth is None
    assert batch.trade_truth is None


def test_seeds_differ_and_repeat():
    assert same(whole(1), whole(1))
    assert not whole(1)[0].equals(whole(2)[0])


@pytest.mark.parametrize(("symbols", "quotes", "trades"), [(40, 41, 0), (3, 3, 7), (40, 70_001, 1)])
def test_there_are_as_many_rows_as_asked(symbols, quotes, trades):
    day = taq_day(2, symbols=symbols, quotes=quotes, trades=trades)
    assert day.quotes.height == quotes == day.truth.quotes.height
    assert day.trades.height == trades == day.truth.trades.height
    assert day.truth.symbols["n_quotes"].sum() == quotes
    for frame, column in ((day.quotes, "n_quotes"), (day.trades, "n_trades")):
        counts = frame["symbol"].value_counts(sort=False).rows()
        wanted = day.truth.symbols.select("symbol", column).filter(pl.col(column) > 0).rows()
        assert sorted(counts) == sorted(wanted)


def test_the_frames_pass_the_door(day):
    for frame, record in ((day.quotes, QUOTE), (day.trades, EQUITY_TRADE)):
        plain = frame.with_columns(pl.col("symbol").cast(pl.String))
        assert check(plain, record).equals(plain)
    quotes, trades = quote_ticks(day.quotes), trade_ticks(day.trades)
    assert quotes.names == trades.names == TaqConfig(seed=3).names
    for ticks in (quotes, trades):
        ends = set(ticks.start[1:] - 1)
        rising = np.diff(ticks.ts) > 0
        assert all(rising[i] or i in ends for i in np.flatnonzero(~rising))
        assert ticks.ts.min() >= TaqConfig(seed=3).start_ns
        assert ticks.ts.max() < TaqConfig(seed=3).start_ns + 23_400 * S
    np.testing.assert_array_equal(quotes.ts[quotes.start[:-1]], TaqConfig(seed=3).start_ns)
    assert str(day.quotes["ts"][0]) == "2000-01-03 14:30:00+00:00"


def test_prices_are_the_doubles_nearest_their_decimals(day):
    q = {name: day.quotes[name].to_numpy() for name in day.quotes.columns[2:]}
    for name in ("bid", "ask"):
        np.testing.assert_array_equal(q[name], np.rint(100.0 * q[name]) / 100.0)
        assert (q[f"{name}_size"] % 100.0 == 0.0).all()
        assert q[f"{name}_size"].min() >= 100.0
    assert (q["ask"] - q["bid"]).min() > 0.009
    price, size = day.trades["price"].to_numpy(), day.trades["size"].to_numpy()
    np.testing.assert_array_equal(price, np.rint(1e4 * price) / 1e4)
    np.testing.assert_array_equal(size, np.rint(size))


def test_spreads_are_those_of_the_classes(day):
    """Time-weighted mean spread over the class's, every symbol: sweeps leave it a little wider."""
    spread = (
        day.quotes.with_columns(
            (pl.col("ask") - pl.col("bid")).alias("spread"),
            pl.col("ts").diff().shift(-1).over("symbol").dt.total_nanoseconds().alias("for"),
        )
        .group_by("symbol", maintain_order=True)
        .agg((pl.col("spread") * pl.col("for")).sum() / pl.col("for").sum())
    )
    ratio = (spread["spread"] / day.truth.symbols["spread"]).to_numpy()
    assert ratio.min() > 0.95
    assert ratio.max() < 1.4
    one_tick = day.quotes.filter(pl.col("symbol") == "SIM000")
    assert (one_tick["ask"] - one_tick["bid"]).round(2).median() == 0.01


def test_the_day_is_a_u_and_quotes_and_trades_are_busy_together(day):
    """Rows in the first, a middle and the last half hour; per-minute counts of the busiest."""
    minute = ((day.trades["ts"].dt.epoch("ns") - TaqConfig(seed=3).start_ns) // (60 * S)).to_numpy()
    first, middle, last = (np.sum((minute >= m) & (minute < m + 30)) for m in (0, 180, 360))
    assert first > 1.8 * middle
    assert last > 1.3 * middle
    counts = [
        np.bincount(
            (frame.filter(pl.col("symbol") == "SIM000")["ts"].dt.epoch("s") % 86_400).to_numpy(),
            minlength=86_400,
        )[52_200:75_600]
        for frame in (day.quotes, day.trades)
    ]
    assert np.corrcoef(*counts)[0, 1] > 0.2


def test_memory_is_that_of_a_batch():
    """Peak of what Python and numpy hold: a day of 16 times the rows needs no more."""

    def peak(n):
        tracemalloc.start()
        rows = 0
        for batch in taq_batches(1, quotes=4 * n, trades=n, symbols=4, batch_rows=20_000):
            rows += batch.quotes.height + batch.trades.height
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert rows == 5 * n
        return most

    for batch in taq_batches(1, **SMALL):  # compile outside the measurement
        assert batch.quotes.height
    assert peak(320_000) < 1.1 * peak(20_000)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"seed": -1}, "seed"),
        ({"symbols": 0}, "symbols"),
        ({"symbols": 1_001}, "symbols"),
        ({"quotes": 39}, "a quote for every symbol"),
        ({"trades": 1.5}, "trades"),
        ({"streams": 20}, "streams"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": 90_000}, "seconds"),
        ({"iso_share": 1.2}, "iso_share"),
        ({"iso_share": 0.9}, "sum to at most 1"),
        ({"sweep_continues": 1.0}, "sweep_continues"),
        ({"trade_moves": float("nan")}, "trade_moves"),
        ({"amplified": ((10, 5, 2.0),)}, "from < to"),
        ({"amplified": ((0, 5, -2.0),)}, "factor"),
        ({"date": "yesterday"}, "ISO 8601"),
    ],
)
def test_a_day_that_cannot_be_is_refused(options, says):
    with pytest.raises(InputError, match=says):
        taq_day(**{"seed": 1, **options})


def test_requests_that_cannot_be_met_are_refused_at_once():
    for options, says in (
        ({"batch_rows": 0}, "batch_rows"),
        ({"order": "size"}, "order"),
        ({"only": ["SIM900"]}, "SIM900"),
        ({"only": []}, "at least one symbol"),
    ):
        with pytest.raises(InputError, match=says):
            taq_batches(1, **options)
    with pytest.raises(TypeError, match="no_such_option"):
        taq_day(1, no_such_option=1)
