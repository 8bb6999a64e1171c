"""The public functions on ticks against the plain twins, and what they say of awkward frames."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from eventtape import threads
from eventtape.clock import duration_ns
from eventtape.errors import InputError
from eventtape.estimators.microstructure.signing import SOURCES
from eventtape.frames.signs import sign_trades
from eventtape.frames.ticks import (
    FOURTEEN,
    feature_stream,
    microstructure_features,
    nbbo_seconds,
    nbbo_stream,
)
from twins import plain_ticks
from twins.tick_worlds import (
    QUOTE_SCHEMA,
    T0,
    TIME,
    TRADE_SCHEMA,
    quote_frame,
    trade_frame,
    worlds,
)

COMMON = {"derandomize": True, "deadline": None}
COUNTS = ["quote_updates", "num_trades", "num_trades_iso"]
ORDERS = st.sampled_from(["symbol", "time"])
NO_QUOTES, NO_TRADES = pl.DataFrame(schema=QUOTE_SCHEMA), pl.DataFrame(schema=TRADE_SCHEMA)


def wanted(quotes, trades, **options):
    """(ticker, bucket) -> row, by the twin."""
    out = {}
    for name in sorted({*quotes, *trades}):
        rows = plain_ticks.features(quotes.get(name, []), trades.get(name, []), **options)
        out |= {(name, end): row for end, row in rows.items()}
    return out


def assert_same(found, want):
    rows = {(row["ticker"], row["bucket"]): row for row in dated(found)}
    assert list(rows) == list(want)
    for key, row in want.items():
        assert set(row) - {"dollars"} == set(found.columns[2:])
        for name in found.columns[2:]:
            got = rows[key][name]
            assert not plain_ticks.far(name, row[name], got, row), (key, name, row[name], got)


def dated(frame):
    return frame.with_columns(pl.col("bucket").to_physical()).iter_rows(named=True)


@pytest.mark.parametrize("every", ["1s", "1m", "5m"])
@pytest.mark.parametrize("latency", ["0ms", "1ms", "50ms"])
@given(data=st.data())
@settings(max_examples=60, **COMMON)
def test_features_are_those_of_the_plain_twin(every, latency, data):
    """60 drawn tapes for each of nine choices; without and with a session; either order."""
    quotes, trades = data.draw(worlds(duration_ns(every)))
    order = data.draw(ORDERS)
    frames = trade_frame(trades, order), quote_frame(quotes, order)
    width = duration_ns(every)
    window = data.draw(st.sampled_from(["0ms", "1ms", "1s"]))
    lengths = {"latency": duration_ns(latency), "window": duration_ns(window)}
    for session in (None, (T0, T0 + 3 * width)):
        found = microstructure_features(
            *frames, every=every, session=session, latency=latency, window=window
        )
        want = wanted(quotes, trades, every=width, session=session, **lengths)
        assert_same(found, want)


@pytest.mark.parametrize("every", ["1s", "1m"])
@given(data=st.data())
@settings(max_examples=150, **COMMON)
def test_books_of_each_second_are_those_of_the_plain_twin(every, data):
    width = duration_ns(every)
    quotes, _ = data.draw(worlds(width))
    frame = quote_frame(quotes, data.draw(ORDERS))
    end = data.draw(st.none() | st.integers(-4, 30).map(lambda k: T0 + k * width // 3))
    found = nbbo_seconds(frame, every=every, end_ns=end)
    assert found.columns == ["symbol", "ts", "bid", "bid_size", "ask", "ask_size", "age_s"]
    got = {name: [] for name in quotes}
    for row in found.with_columns(pl.col("ts").to_physical()).rows():
        got[row[0]].append(row[1:])
    for name, rows in quotes.items():
        want = plain_ticks.books(rows, width, end)
        assert got[name] == [
            (at, b / plain_ticks.GRID, p, a / plain_ticks.GRID, q, age / 1e9)
            for at, b, p, a, q, age in want
        ]


@pytest.mark.parametrize("latency", ["0ms", "1ms", "50ms"])
@given(data=st.data())
@settings(max_examples=60, **COMMON)
def test_signed_trades_keep_their_rows_and_carry_the_book_they_met(latency, data):
    quotes, trades = data.draw(worlds(60 * 10**9))
    order = data.draw(ORDERS)
    frame = trade_frame(trades, order)
    found = sign_trades(frame, quote_frame(quotes, order), latency=latency)
    assert found.select(frame.columns).equals(frame)
    assert found["sign_source"].dtype == pl.Enum(SOURCES)
    for name, rows in trades.items():
        behind = duration_ns(latency)
        met = plain_ticks.met_books(rows, quotes.get(name, []), behind)
        mine = found.filter(symbol=name)
        sides = [(None, None) if m is None else tuple(v / plain_ticks.GRID for v in m) for m in met]
        assert mine.select("bid", "ask").rows() == sides
        assert mine["sign"].to_list() == plain_ticks.lee_ready(rows, met)
        seen = [plain_ticks.last_before(quotes.get(name, []), row[0] - behind) for row in rows]
        ages = [None if q is None else (r[0] - q[0]) / 1e9 for r, q in zip(rows, seen, strict=True)]
        assert mine["quote_age_s"].to_list() == ages


def small():
    quotes = {
        "B": [(T0 + k * 7 * 10**9, 99_900 + 100 * (k % 3), 1, 100_300, 2) for k in range(20)],
        "A": [(T0 + k * 11 * 10**9, 99_800, 1, 100_100 + 100 * (k % 2), 2) for k in range(9)],
    }
    trades = {
        "C": [(T0 + 5, 50_000, 10, False, True)],
        "B": [
            (T0 + k * 13 * 10**9, 100_000 + 50 * (k % 4), 10, k % 2 > 0, k != 3) for k in range(9)
        ],
    }
    return quotes, trades


@pytest.mark.parametrize("dtype", [pl.Categorical(), pl.Enum(["Z", "B", "A", "C"]), pl.String()])
@pytest.mark.parametrize("order", ["symbol", "time"])
def test_symbols_of_any_text_type_and_order_give_the_same_rows(dtype, order):
    quotes, trades = small()
    frames = [
        f.with_columns(pl.col("symbol").cast(dtype))
        for f in (trade_frame(trades, order), quote_frame(quotes, order))
    ]
    plain = trade_frame(trades), quote_frame(quotes)
    assert_frame_equal(
        microstructure_features(*frames), microstructure_features(*plain), check_exact=True
    )
    books, want = nbbo_seconds(frames[1]), nbbo_seconds(plain[1])
    assert books["symbol"].dtype == dtype
    books = books.with_columns(pl.col("symbol").cast(pl.String)).sort("symbol", "ts")
    assert_frame_equal(books, want.sort("symbol", "ts"), check_exact=True)
    signed = sign_trades(*frames).with_columns(pl.col("symbol").cast(pl.String))
    assert_frame_equal(
        signed.sort("symbol", "ts"), sign_trades(*plain).sort("symbol", "ts"), check_exact=True
    )


def test_further_columns_and_numbers_of_other_types_do_no_harm():
    quotes, trades = small()
    odd = trade_frame(trades).with_columns(pl.col("size").cast(pl.Int32), venue=pl.lit("N"))
    book = quote_frame(quotes).with_columns(pl.col("bid_size", "ask_size").cast(pl.UInt16))
    assert_frame_equal(
        microstructure_features(odd, book),
        microstructure_features(trade_frame(trades), quote_frame(quotes)),
        check_exact=True,
    )
    signed = sign_trades(odd, book)
    assert signed.columns[:7] == [*TRADE_SCHEMA, "venue"]
    assert signed["size"].dtype == pl.Int32


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("order", ["symbol", "time"])
def test_the_number_of_threads_changes_no_bit(monkeypatch, count, order):
    monkeypatch.setattr(threads, "_WORTH", 0)  # also a tape this small is then shared
    quotes, trades = small()
    frames = trade_frame(trades, order), quote_frame(quotes, order)
    one = microstructure_features(*frames, threads=1)
    assert_frame_equal(microstructure_features(*frames, threads=count), one, check_exact=True)
    books = nbbo_seconds(frames[1], threads=1)
    assert_frame_equal(nbbo_seconds(frames[1], threads=count), books, check_exact=True)


def test_columns_of_the_answer_are_the_fourteen_and_then_ours():
    quotes, trades = small()
    found = microstructure_features(trade_frame(trades), quote_frame(quotes))
    assert tuple(found.columns[:14]) == FOURTEEN
    assert found.schema["ticker"] == pl.String
    assert found.schema["bucket"] == TIME
    assert all(found.schema[name] == pl.Int64 for name in COUNTS)
    assert found.select(pl.selectors.float().is_nan().any()).to_numpy().sum() == 0
    assert found.equals(found.sort("ticker", "bucket"))


def test_nothing_in_gives_an_empty_frame_of_the_same_columns():
    quotes, trades = small()
    whole = microstructure_features(trade_frame(trades), quote_frame(quotes))
    none = microstructure_features(NO_TRADES, NO_QUOTES)
    assert (none.height, none.schema) == (0, whole.schema)
    assert microstructure_features(NO_TRADES, NO_QUOTES, session=(T0, T0 + 60 * 10**9)).height == 0
    books = nbbo_seconds(NO_QUOTES)
    assert (books.height, books.schema) == (0, nbbo_seconds(quote_frame(quotes)).schema)
    assert nbbo_seconds(NO_QUOTES, end_ns=T0).height == 0
    signed = sign_trades(NO_TRADES, quote_frame(quotes))
    assert (signed.height, signed.schema) == (0, sign_trades(trade_frame(trades), NO_QUOTES).schema)
    assert list(feature_stream([(NO_TRADES, NO_QUOTES)])) == []
    assert list(feature_stream([])) == []
    assert list(nbbo_stream([NO_QUOTES])) == []
    assert list(nbbo_stream([])) == []


def test_a_symbol_with_only_trades_or_only_quotes_has_rows_of_its_own():
    quotes, trades = small()
    only = microstructure_features(trade_frame(trades), NO_QUOTES)
    assert only["ticker"].unique().sort().to_list() == ["B", "C"]
    assert only["log_mid"].null_count() == only.height
    assert only["slippage"].null_count() == only.height
    assert only["quoted_s"].sum() == 0.0
    one = only.filter(ticker="C").row(0, named=True)
    assert (one["num_trades"], one["num_unsigned"], one["total_flow"]) == (1, 1, 0.0)
    only = microstructure_features(NO_TRADES, quote_frame(quotes))
    assert only["num_trades"].sum() == 0
    assert only["total_volume"].to_list() == [0.0] * only.height
    assert only["pct_trades_iso"].null_count() == only.height


@pytest.mark.parametrize(
    ("options", "wanted_text"),
    [
        ({"latency": "-1ms"}, "length of time such as"),
        ({"latency": "soon"}, "length of time such as"),
        ({"every": "1 minute"}, "length of time such as"),
        ({"every": "1.5s"}, "length of time such as"),
        ({"every": ""}, "length of time such as"),
        ({"every": "0s"}, "bucket wider than 0 ns"),
        ({"every": "9999999999999h"}, "at most 100 years"),
        ({"window": "1d"}, "length of time such as"),
        ({"rule": "lee ready"}, "a rule among lee-ready"),
        ({"rule": "reverse-tick"}, "looks only back"),
        ({"threads": 0}, "at least one thread"),
        ({"session": (T0, T0)}, "opens before it closes"),
        ({"session": (T0, T0 - 60 * 10**9)}, "opens before it closes"),
        ({"session": (T0 - 86_400 * 10**9, T0 - 10**9)}, "events within a day of the open"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, wanted_text):
    quotes, trades = small()
    with pytest.raises(InputError, match=wanted_text):
        microstructure_features(trade_frame(trades), quote_frame(quotes), **options)


@pytest.mark.parametrize("every", ["0s", "-1s", "fast"])
def test_a_grid_of_no_width_is_refused(every):
    quotes, _ = small()
    wanted_text = "a grid wider than 0 ns" if every == "0s" else "length of time such as"
    with pytest.raises(InputError, match=wanted_text):
        nbbo_seconds(quote_frame(quotes), every=every)
    with pytest.raises(InputError, match=wanted_text):
        list(nbbo_stream([quote_frame(quotes)], every=every))


@pytest.mark.parametrize("latency", ["-1ms", "1", "ms"])
def test_signing_refuses_a_latency_that_is_none(latency):
    quotes, trades = small()
    with pytest.raises(InputError, match=f"met '{latency}', wanted a length of time"):
        sign_trades(trade_frame(trades), quote_frame(quotes), latency=latency)


def test_each_public_function_checks_its_frames_at_the_door():
    quotes, trades = small()
    traded, quoted = trade_frame(trades), quote_frame(quotes)
    negative = quoted.with_columns(pl.col("bid") - 20.0)
    for call in (
        lambda: nbbo_seconds(negative),
        lambda: list(nbbo_stream([negative])),
        lambda: sign_trades(traded, negative),
        lambda: microstructure_features(traded, negative),
        lambda: list(feature_stream([(traded, negative)])),
    ):
        with pytest.raises(InputError, match=r"row 1, column 'bid': met -10.*, wanted a finite"):
            call()
    free = traded.with_columns(price=pl.lit(0.0))
    for call in (
        lambda: sign_trades(free, quoted),
        lambda: microstructure_features(free, quoted),
        lambda: list(feature_stream([(free, quoted)])),
    ):
        with pytest.raises(InputError, match=r"row 1, column 'price': met 0.0, wanted a finite"):
            call()
