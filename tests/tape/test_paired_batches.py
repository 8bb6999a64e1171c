"""Chunks of two files keep a stream's contract, and give it the answers of the whole frames."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from eventtape.errors import InputError
from eventtape.frames.ticks import feature_stream, microstructure_features
from eventtape.simulate import taq_day
from eventtape.tape import EQUITY_TRADE, QUOTE, empty
from eventtape.tape.paired import paired
from tape.chunked_ticks import T0, cut, quotes, trades

SIZES = (1, 16, 4_096, 10**9)


def random_ticks(seed, order, symbols=4, n=60, span=12):
    """Trades and quotes at few times, so that most of them are shared."""
    rng = np.random.default_rng(seed)
    sides = []
    for make in (trades, quotes):
        rows = int(rng.integers(0, n))
        names = [f"S{i}" for i in rng.integers(0, symbols, rows)]
        frame = make(names, rng.integers(0, span, rows))
        sides.append(frame.sort(["symbol", "ts"] if order == "symbol" else "ts"))
    return sides


def chunk_of_row(parts):
    """For each symbol the (time, chunk) of its rows, in order."""
    rows = {}
    for number, part in enumerate(parts):
        for symbol, ts in part.select("symbol", pl.col("ts").cast(pl.Int64)).iter_rows():
            rows.setdefault(symbol, []).append((ts, number))
    return rows


@pytest.mark.parametrize("order", ["symbol", "time"])
@pytest.mark.parametrize("seed", range(25))
def test_no_event_comes_too_late_and_none_is_lost(order, seed):
    """Over 50 random pairs of files in random batches, by brute force on every pair of rows."""
    rng = np.random.default_rng(1_000 + seed)
    traded, quoted = random_ticks(seed, order)
    chunks = list(paired(cut(traded, 7, rng), cut(quoted, 5, rng), order))
    for side, whole in ((0, traded), (1, quoted)):
        parts = [chunk[side] for chunk in chunks]
        assert_frame_equal(pl.concat([whole.head(0), *parts]), whole)
    of_trades, of_quotes = (chunk_of_row(chunk[side] for chunk in chunks) for side in (0, 1))
    for symbol in set(of_trades) | set(of_quotes):
        t, q = of_trades.get(symbol, []), of_quotes.get(symbol, [])
        for earlier, later in (*pairwise(t), *pairwise(q)):
            assert earlier <= later
        for trade_ns, trade_chunk in t:
            for quote_ns, quote_chunk in q:
                assert (trade_ns > quote_ns) or (trade_chunk <= quote_chunk)
                assert (quote_ns >= trade_ns) or (quote_chunk <= trade_chunk)


@pytest.mark.parametrize("order", ["symbol", "time"])
def test_one_batch_a_side_is_held_and_no_more(order):
    traded, quoted = random_ticks(3, order, n=400, span=10**6)
    read, given = [0, 0], [0, 0]
    ahead = []

    def counted(frame, side, size):
        for batch in cut(frame, size):
            ahead.append(read[side] - given[side])
            read[side] += batch.height
            yield batch

    for chunk in paired(counted(traded, 0, 16), counted(quoted, 1, 8), order):
        for side in (0, 1):
            given[side] += chunk[side].height
    assert given == [traded.height, quoted.height]
    assert len(ahead) > 20
    assert set(ahead) == {0}  # when a batch is read, all before it had been handed on


@pytest.fixture(scope="module", params=["symbol", "time"])
def day(request):
    """A simulated day in which half of the quotes that answer a trade bear its very stamp."""
    return request.param, taq_day(
        11, order=request.param, symbols=5, quotes=6_000, trades=2_000, same_ns_share=0.5
    )


@pytest.mark.parametrize("size", SIZES)
def test_features_of_chunks_are_those_of_the_day(day, size):
    order, known = day
    # One row a batch is slow: its head is enough to cross symbols, seconds and ties.
    rows = 300 if size == 1 else 10**9
    traded, quoted = known.trades.head(rows), known.quotes.head(2 * rows)
    chunks = paired(cut(traded, size), cut(quoted, size), order)
    found = pl.concat(list(feature_stream(chunks))).sort("ticker", "bucket")
    assert_frame_equal(found, microstructure_features(traded, quoted), check_exact=True)


@pytest.mark.parametrize("seed", range(5))
def test_features_of_random_chunks_are_those_of_the_day(day, seed):
    order, known = day
    rng = np.random.default_rng(seed)
    chunks = paired(cut(known.trades, 300, rng), cut(known.quotes, 900, rng), order)
    ns = known.quotes["ts"].to_physical()
    session = (int(ns.min()) // 10**9 * 10**9, int(ns.min()) // 10**9 * 10**9 + 6 * 3_600 * 10**9)
    options = {"session": session, "latency": "5ms", "rule": "clnv", "every": "30s"}
    found = pl.concat(list(feature_stream(chunks, **options))).sort("ticker", "bucket")
    want = microstructure_features(known.trades, known.quotes, **options)
    assert_frame_equal(found, want, check_exact=True)


def rows(chunks):
    return [tuple(side.select("symbol", "ts").height for side in chunk) for chunk in chunks]


def test_a_symbol_may_be_in_one_file_only():
    traded, quoted = trades("AAC", [1, 5, 2]), quotes("BBC", [1, 2, 9])
    assert rows(paired([traded], [quoted])) == [(3, 2), (0, 1)]


@pytest.mark.parametrize("order", ["symbol", "time"])
def test_a_side_may_be_empty(order):
    some = trades("AAB", [1, 2, 3])
    assert rows(paired([some], [], order)) == [(3, 0)]
    assert rows(paired([], [quotes("AAB", [1, 2, 3])], order)) == [(0, 3)]
    assert rows(paired([empty(EQUITY_TRADE), some], [empty(QUOTE)], order)) == [(3, 0)]
    assert rows(paired([], [], order)) == []
    chunk = next(paired([some], [], order))
    assert chunk[1].schema == empty(QUOTE).schema


@pytest.mark.parametrize(
    ("order", "batches", "words"),
    [
        ("symbol", [("AB", (1, 1)), ("A", (2,))], "trades ordered by symbol: symbols in rising"),
        ("symbol", [("BA", (1, 2))], "A after B"),
        ("symbol", [("AA", (5, 4))], "times that do not fall"),
        ("symbol", [("A", (5,)), ("A", (4,))], f"{T0 + 4} ns .* of A after {T0 + 5} ns"),
        ("time", [("AB", (5, 4))], "trades ordered by time: times that do not fall"),
        ("time", [("A", (5,)), ("B", (4,))], f"after {T0 + 5} ns"),
    ],
)
def test_another_order_is_said(order, batches, words):
    batches = [trades(symbols, at) for symbols, at in batches]
    with pytest.raises(InputError, match=words) as caught:
        list(paired(batches, [quotes("AB", [0, 9])] if order == "symbol" else [], order))
    other = "time" if order == "symbol" else "symbol"
    assert caught.value.__notes__ == [f"rows ordered by {other} are read with order '{other}'"]


def test_times_may_fall_from_one_symbol_to_the_next():
    batches = [trades("AB", [9, 1]), trades("BC", [2, 0])]
    assert rows(paired(batches, [])) == [(2, 0), (2, 0)]


def test_what_is_no_order_and_no_tick_is_refused():
    with pytest.raises(InputError, match="an order among symbol, time"):
        paired([], [], "size")
    with pytest.raises(InputError, match="a symbol in every row"):
        list(paired([trades([None], [1])], []))
    with pytest.raises(InputError, match="a ts in every row"):
        list(paired([], [quotes("A", [1]).drop("ts")]))
