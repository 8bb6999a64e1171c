"""A stream in time order settles every symbol as it goes: after each chunk, the batch cut there."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from eventtape.errors import InputError
from eventtape.frames.ticks import (
    feature_stream,
    microstructure_features,
    nbbo_seconds,
    nbbo_stream,
)
from eventtape.simulate import taq_day

SESSION = (946_909_800 * 10**9, 946_933_200 * 10**9)


@pytest.fixture(scope="module")
def day():
    """6,000 quotes and 1,200 trades of 12 symbols, seed 4: many are quiet for minutes."""
    return taq_day(4, symbols=12, quotes=6_000, trades=1_200, streams=50, order="time")


def chunks(day, pieces):
    """The day cut at even times, events of one time never apart."""
    edges = [SESSION[0] + k * (SESSION[1] - SESSION[0]) // pieces for k in range(pieces + 1)]
    edges[0], edges[-1] = 0, 2 * SESSION[1]
    ns = pl.col("ts").to_physical()
    for low, high in pairwise(edges):
        yield tuple(f.filter((ns >= low) & (ns < high)) for f in (day.trades, day.quotes))


def latest(*frames):
    return max(f["ts"].to_physical().max() for f in frames if f.height)


@pytest.mark.parametrize("pieces", [1, 7, 60])
def test_after_each_chunk_every_bucket_that_ended_is_out(day, pieces):
    whole = microstructure_features(day.trades, day.quotes, session=SESSION)
    cut = [part for part in chunks(day, pieces) if part[0].height + part[1].height]
    stream = feature_stream(iter(cut), session=SESSION, order="time")
    found, met = [], set()
    end = pl.col("bucket").to_physical()
    for trades, quotes in cut:
        reached = latest(trades, quotes)
        met |= {*trades["symbol"].cast(pl.String), *quotes["symbol"].cast(pl.String)}
        found.append(next(stream))
        so_far = pl.concat(found).sort("ticker", "bucket")
        due = whole.filter((end <= reached) & pl.col("ticker").is_in(met))
        assert_frame_equal(so_far, due, check_exact=True)
    assert_frame_equal(pl.concat([*found, *stream]).sort("ticker", "bucket"), whole)


@pytest.mark.parametrize("pieces", [1, 7, 60])
def test_after_each_chunk_every_second_that_passed_is_out(day, pieces):
    whole = nbbo_seconds(day.quotes, end_ns=SESSION[1]).sort("symbol", "ts")
    cut = [quotes for _, quotes in chunks(day, pieces) if quotes.height]
    stream = nbbo_stream(iter(cut), end_ns=SESSION[1], order="time")
    found = []
    for quotes in cut:
        found.append(next(stream))
        so_far = pl.concat(found).sort("symbol", "ts")
        due = whole.filter(
            (pl.col("ts").to_physical() <= latest(quotes))
            & pl.col("symbol").is_in(so_far["symbol"].unique().implode())
        )
        assert_frame_equal(so_far, due, check_exact=True)
    assert_frame_equal(pl.concat([*found, *stream]).sort("symbol", "ts"), whole, check_exact=True)


def test_a_quiet_symbol_s_late_quote_is_refused_once_its_seconds_are_out(day):
    early, late = day.quotes.head(100), day.quotes.slice(100, 100)
    stream = nbbo_stream([late, early], order="time")
    with pytest.raises(InputError, match="where earlier chunks ended"):
        list(stream)


def test_an_unknown_order_is_refused(day):
    with pytest.raises(InputError, match="an order among symbol, time"):
        list(nbbo_stream([day.quotes], order="size"))
