"""Streams of ticks equal the batch to the last bit whatever the chunks, and know nothing of later.

A tape of three symbols on a cent grid with ties in time, broken books, halts, ineligible trades and
a symbol that comes late, cut into chunks of 1, 16 and 4,096 events and into one of all of them.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.estimators.microstructure import features
from eventtape.estimators.microstructure.features import Buckets, QuoteRows, TradeRows
from eventtape.frames.ticks import (
    feature_stream,
    microstructure_features,
    nbbo_seconds,
    nbbo_stream,
)
from twins.tick_worlds import T0, quote_frame, trade_frame

S = 10**9
M = 60 * S
CHUNKS = [1, 16, 4_096, 10**9]
OPTIONS = {
    "plain": {},
    "session": {"session": (T0 + 2 * M, T0 + 9 * M)},
    "late by 50 ms, 5 s buckets": {"latency": "50ms", "every": "5s", "window": "200ms"},
    "emo, 5 m": {"rule": "emo", "every": "5m", "latency": "1ms"},
}


def tape(n_quotes, n_trades, seed):
    """{symbol: rows} of quotes and trades over ten minutes, every fifth trade at a quote's ns."""
    rng = np.random.default_rng(seed)
    quotes, trades = {}, {}
    for name, begins in (("B", 0), ("A", M // 3), ("C", 6 * M)):
        ts = np.sort(rng.integers(begins, 10 * M, n_quotes) // 1_000 * 1_000) + T0
        middle = 1_000 + np.cumsum(rng.integers(-1, 2, n_quotes)) % 50
        width = rng.integers(-1, 4, n_quotes)
        sides = rng.random((2, n_quotes)) > 0.03
        sides[:, n_quotes // 2 : n_quotes // 2 + 20] = False  # a halt
        bid, ask = 100 * middle * sides[0], 100 * (middle + width) * sides[1]
        rows = zip(ts, bid, 100 * (bid > 0), ask, 200 * (ask > 0), strict=True)
        quotes[name] = [tuple(int(v) for v in row) for row in rows]
        at = rng.integers(begins, 10 * M, n_trades) + T0
        at[::5] = rng.choice(ts, at[::5].size)
        price = 50 * (2_000 + rng.integers(-5, 105, n_trades))
        size = 0.1 + rng.integers(1, 9, n_trades)  # not exact in binary: sums tell their order
        iso, eligible = rng.random((2, n_trades)) < [[0.4], [0.9]]
        rows = zip(np.sort(at), price, size, iso, eligible, strict=True)
        trades[name] = [(int(t), int(p), float(v), bool(i), bool(e)) for t, p, v, i, e in rows]
    return quotes, trades


@pytest.fixture(scope="module")
def tapes():
    """The smaller the chunks, the fewer the events: 330, 4,500 and 24,000 in all."""
    small, large = tape(80, 30, seed=0), tape(6_000, 2_000, seed=1)
    return {1: small, 16: tape(1_100, 400, seed=3), 4_096: large, 10**9: large}


def events(quotes, trades, order):
    """(ts, side, symbol, row) in stream order: a trade before the quotes of its own time."""
    rows = [
        (row[0], side, name, row)
        for side, part in enumerate((trades, quotes))
        for name, rows in part.items()
        for row in rows
    ]
    key = {"time": lambda e: e[:2], "symbol": lambda e: (e[2], *e[:2])}[order]
    return sorted(rows, key=key)


def cut(quotes, trades, size, order, inner="time"):
    """Chunks (trades, quotes) of ``size`` events, each chunk's frames by time or by symbol."""
    merged = events(quotes, trades, order)
    for low in range(0, len(merged), size):
        sides = {}, {}
        for _, side, name, row in merged[low : low + size]:
            sides[side].setdefault(name, []).append(row)
        yield trade_frame(sides[0], inner), quote_frame(sides[1], inner)


def assert_same_bits(one, two):
    assert one.schema == two.schema
    assert one.height == two.height
    for name in one.columns:
        a, b = one[name], two[name]
        if a.dtype.is_float():
            a, b = (side.reinterpret(signed=True) for side in (a, b))
        assert a.equals(b, null_equal=True), name


def joined(frames, *keys):
    return pl.concat(frames).sort(*keys)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("order", ["symbol", "time"])
@pytest.mark.parametrize("size", CHUNKS)
def test_features_of_a_stream_are_the_batch_to_the_last_bit(tapes, size, order, options):
    quotes, trades = tapes[size]
    whole = microstructure_features(trade_frame(trades), quote_frame(quotes), **options)
    by_time = trade_frame(trades, "time"), quote_frame(quotes, "time")
    assert_same_bits(microstructure_features(*by_time, **options), whole)
    inner = "symbol" if size == 16 else "time"
    streamed = feature_stream(cut(quotes, trades, size, order, inner), **options)
    assert_same_bits(joined(streamed, "ticker", "bucket"), whole)
    assert whole.height >= 5
    assert whole["slippage"].null_count() < whole.height


@pytest.mark.parametrize("end", [None, T0 + 4 * M + 1, T0 + 12 * M])
@pytest.mark.parametrize("order", ["symbol", "time"])
@pytest.mark.parametrize("size", CHUNKS)
def test_books_of_a_stream_are_the_batch_to_the_last_bit(tapes, size, order, end):
    quotes, _ = tapes[size]
    whole = nbbo_seconds(quote_frame(quotes), end_ns=end).sort("symbol", "ts")
    by_time = nbbo_seconds(quote_frame(quotes, "time"), end_ns=end)
    assert_same_bits(by_time.sort("symbol", "ts"), whole)
    batches = (chunk for _, chunk in cut(quotes, {}, size, order))
    assert_same_bits(joined(nbbo_stream(batches, end_ns=end), "symbol", "ts"), whole)
    assert whole.height > 100


def rows_of(quotes, trades, low, high):
    """Rows of the estimator for events ``low`` to ``high`` of one symbol, places by a search."""
    q, t = (
        {
            name: column[slice(*np.searchsorted(side["at"], [low, high]))]
            for name, column in side.items()
        }
        for side in (quotes, trades)
    )
    spans = (np.array([[0, side["ts"].size]]) for side in (q, t))
    names = ("ts", "price", "size", "iso", "eligible", "sign", "met_bid", "met_ask")
    place = np.searchsorted(q["ts"], t["ts"]).astype(np.int64)
    return (
        QuoteRows(next(spans), q["ts"], q["bid"], q["ask"]),
        TradeRows(next(spans), *(t[name] for name in names), place),
    )


@pytest.mark.parametrize("size", CHUNKS)
def test_steps_of_the_estimator_are_its_batch_to_the_last_bit(tapes, size):
    """Books and signs drawn at random: the estimator takes what it is given."""
    rng = np.random.default_rng(2)
    quoted, traded = (part["B"] for part in tapes[4_096])
    merged = [side for _, side, _, _ in events({"B": quoted}, {"B": traded}, "time")]
    ts, bid, _, ask, _ = (np.array(column) for column in zip(*quoted, strict=True))
    q = {"at": np.flatnonzero(merged), "ts": ts, "bid": bid / 1e4, "ask": ask / 1e4}
    ts, price, sizes, iso, eligible = (np.array(column) for column in zip(*traded, strict=True))
    t = {"at": np.flatnonzero(np.equal(merged, 0)), "ts": ts, "price": price / 1e4, "size": sizes}
    t |= {"iso": iso, "eligible": eligible, "sign": rng.integers(-1, 2, ts.size).astype(np.int8)}
    t["met_bid"] = rng.choice([9.9, 10.0, np.nan, 0.0], ts.size)
    t["met_ask"] = t["met_bid"] + rng.choice([0.0, 0.01, 0.03, -0.01], ts.size)
    for buckets in (Buckets(), Buckets(5 * S, T0 + M, T0 + 8 * M)):
        whole = features.batch(*rows_of(q, t, 0, len(merged)), buckets=buckets)
        state, parts = features.start(1, buckets), []
        for low in range(0, len(merged), size):
            rows = rows_of(q, t, low, low + size)
            state, closed = features.step(state, np.zeros(1, np.int64), *rows, buckets=buckets)
            parts.append(closed)
        parts.append(features.finish(state, buckets=buckets)[1])
        for name in whole._fields:
            found = np.concatenate([getattr(part, name) for part in parts])
            assert found.tobytes() == getattr(whole, name).tobytes(), name


def other_quote(row):
    return row[0], 90_000, 5, 90_300, 5


def other_trade(row):
    return row[0], 2 * row[1], 7 * row[2], not row[3], True


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("kind", ["gone", "other"])
@pytest.mark.parametrize("after", [3 * M, 5 * M + 17, 9 * M - 1])
def test_no_event_from_a_time_on_changes_what_closed_by_then(tapes, options, kind, after):
    t, large = T0 + after, tapes[4_096]
    sides = []
    for rows_by, other in zip(large, (other_quote, other_trade), strict=True):
        side = {
            name: [row for row in rows if row[0] < t]
            + [other(row) for row in rows if row[0] >= t and kind == "other"]
            for name, rows in rows_by.items()
        }
        sides.append({name: rows for name, rows in side.items() if rows})
    whole, found = (
        microstructure_features(trade_frame(trades), quote_frame(quotes), **options).filter(
            pl.col("bucket").to_physical() <= t
        )
        for quotes, trades in (large, sides)
    )
    if kind == "gone":  # without later events a ticker ends with its last one, or is not met yet
        last = found.group_by("ticker").agg(last=pl.col("bucket").max())
        whole = whole.join(last, on="ticker").filter(pl.col("bucket") <= pl.col("last"))
        whole = whole.drop("last").sort("ticker", "bucket")
    assert found["num_quotes"].sum() > 0 or options.get("every") == "5m"
    assert_same_bits(found, whole)


def test_rows_come_once_an_event_closes_them_and_not_before(tapes):
    quotes, trades = tapes[1]
    now = 0

    def chunks():
        nonlocal now
        for traded, quoted in cut(quotes, trades, 1, "time"):
            now = (traded if traded.height else quoted)["ts"].to_physical()[0]
            yield traded, quoted
        now = None  # what comes now comes because the stream has ended

    times = [(rows["bucket"].to_physical().max(), now) for rows in feature_stream(chunks())]
    assert len(times) > 20
    assert times[-1][1] is None
    assert all(bucket <= at for bucket, at in times[:-1])


def two_chunks(first, second):
    """Two chunks (trades, quotes) of A, each from its quote times and trade times."""

    def chunk(at):
        quotes = [(T0 + t, 99_900, 1, 100_100, 1) for t in at[0]]
        trades = [(T0 + t, 100_000, 1, False, True) for t in at[1]]
        return trade_frame({"A": trades}), quote_frame({"A": quotes})

    return [chunk(first), chunk(second)]


@pytest.mark.parametrize(
    ("first", "second", "what", "row"),
    [
        (([10, 20], []), ([19], []), "quote", 3),
        (([10, 20], []), ([], [19]), "trade", 1),
        (([], [20]), ([19], []), "quote", 1),
        (([], [15, 20]), ([30], [19]), "trade", 3),
        (([20], []), ([], [20]), "trade", 1),  # it belongs before the quote of its own time
        (([2 * M], []), ([M], []), "quote", 2),  # older than the open bucket
    ],
)
def test_a_chunk_that_goes_back_is_refused_by_symbol_and_row(first, second, what, row):
    """Within the open bucket too, where it would give other numbers than the same ticks at once."""
    with pytest.raises(InputError, match=f"wanted a {what} of A at or after") as caught:
        list(feature_stream(two_chunks(first, second)))
    assert (caught.value.row, caught.value.column) == (row, "ts")


def test_a_chunk_of_quotes_that_goes_back_is_refused_by_symbol_and_row():
    books = [quotes for _, quotes in two_chunks(([5, 2 * S], []), ([S], []))]
    with pytest.raises(InputError, match="wanted a quote of A at or after") as caught:
        list(nbbo_stream(books))
    assert (caught.value.row, caught.value.column) == (3, "ts")


def test_chunks_that_meet_at_one_time_are_taken():
    chunks = two_chunks(([10], [20]), ([20, 20], [20]))
    whole = microstructure_features(*(pl.concat(side) for side in zip(*chunks, strict=True)))
    assert_same_bits(joined(feature_stream(chunks), "ticker", "bucket"), whole)
