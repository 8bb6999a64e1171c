"""A tape that goes into the lake comes back as it was."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.simulate import event_night
from eventtape.store import Lake, datasets, read_tape, write_tape
from eventtape.tape import (
    OPTION_QUOTE,
    OPTION_TRADE,
    Feed,
    Instrument,
    chains,
    check_options,
)


def test_a_tape_comes_back_whole(tmp_path):
    lake, tape = Lake(tmp_path), event_night(1, hours=1.0).tape
    assert write_tape(lake, "night-1", tape.feeds) == len(tape.feeds)
    back = read_tape(lake, "night-1")
    assert back.simulated
    assert [feed._replace(frame=None) for feed in back.feeds] == [
        feed._replace(frame=None) for feed in tape.feeds
    ]
    assert all(a.frame.equals(b.frame) for a, b in zip(back.feeds, tape.feeds, strict=True))


def test_a_feed_written_again_replaces_itself_and_no_other(tmp_path):
    lake, tape = Lake(tmp_path), event_night(1, hours=1.0).tape
    write_tape(lake, "night", tape.feeds)
    coin = tape.feed("coin")
    write_tape(lake, "night", [coin._replace(frame=coin.frame.head(5), note="cut short")])
    back = read_tape(lake, "night")
    assert back.feed("coin").frame.height == 5
    assert back.feed("coin").note == "cut short"
    assert back.feed("index").frame.equals(tape.feed("index").frame)


def test_datasets_are_kept_apart(tmp_path):
    lake = Lake(tmp_path)
    assert datasets(lake) == ()
    for seed in (1, 2):
        write_tape(lake, f"night-{seed}", event_night(seed, hours=1.0).tape.feeds)
    assert datasets(lake) == ("night-1", "night-2")
    one, two = (read_tape(lake, f"night-{seed}").feed("coin").frame for seed in (1, 2))
    assert not one.equals(two)
    with pytest.raises(InputError, match="a dataset among night-1, night-2"):
        read_tape(lake, "night-3")


def option_feeds():
    """Quotes of two expiries, some sides null, and two trades at one time."""
    at = dt.datetime(2025, 6, 13, 19, 30, tzinfo=dt.UTC)
    contract = {
        "underlying": "BTC",
        "strike": [100_000.0, 100_000.0, 110_000.0],
        "is_call": [True, False, True],
        "style": "european",
        "settlement": "inverse",
    }
    symbols = ["BTC-27JUN25-100000-C", "BTC-27JUN25-100000-P", "BTC-26SEP25-110000-C"]
    expiries = [at + dt.timedelta(days=days) for days in (13, 13, 104)]
    time = pl.Datetime("ns", "UTC")
    rows = pl.DataFrame({"symbol": symbols, "expiry": expiries, **contract}).with_columns(
        pl.col("expiry").cast(time), pl.lit(at).cast(time).alias("ts")
    )
    sides = {"bid": [5000.0, None, 7100.0], "ask": [5100.0, 4900.0, 7200.0]}
    quotes = check_options(rows.with_columns(**{k: pl.Series(v) for k, v in sides.items()}))
    trades = rows.with_columns(price=pl.lit(5050.0), size=pl.lit(0.3), side=pl.lit(1).cast(pl.Int8))
    trades = check_options(pl.concat([trades, trades.head(1)]), OPTION_TRADE)
    instrument = Instrument("deribit", "BTC", "option")
    return (
        Feed(instrument, "book", OPTION_QUOTE, quotes, 0, "deribit book summary"),
        Feed(instrument, "trades", OPTION_TRADE, trades, 0, "deribit last trades", "a window"),
    )


def test_a_chain_goes_into_the_lake_and_comes_back(tmp_path):
    lake, feeds = Lake(tmp_path), option_feeds()
    assert write_tape(lake, "deribit-btc", feeds) == 2
    back = read_tape(lake, "deribit-btc")
    assert [feed.record for feed in back.feeds] == [OPTION_QUOTE, OPTION_TRADE]
    for a, b in zip(back.feeds, feeds, strict=True):
        assert a.frame.equals(b.frame)
        assert a._replace(frame=None) == b._replace(frame=None)
    before, after = (chains(tape[0].frame) for tape in (feeds, back.feeds))
    assert len(before) == len(after) == 2
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a.strikes, b.strikes)
        np.testing.assert_array_equal(a.bids, b.bids)
        assert (a.tau, a.settlement) == (b.tau, b.settlement)
