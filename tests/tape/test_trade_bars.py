"""Bars against a brute-force twin and Polars, at every edge of time, whatever the chunks."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.errors import InputError
from eventtape.tape import BAR, bar_state, check
from eventtape.tape.bars import bars, bars_of_batches

S = 10**9
MIN = 60 * S
DAY = 1_730_764_800 * S  # 2024-11-05T00:00Z
CHUNKS = (1, 16, 4_096, 10**9)


def frame(names, ts, price, size, eligible=None):
    n = len(ts)
    return pl.DataFrame(
        {
            "symbol": pl.Series(list(names), dtype=pl.String),
            "ts": pl.Series(ts, dtype=pl.Int64).cast(pl.Datetime("ns", "UTC")),
            "price": np.asarray(price, float),
            "size": np.asarray(size, float),
            "iso": np.zeros(n, np.bool_),
            "eligible": np.ones(n, np.bool_) if eligible is None else np.asarray(eligible),
        }
    )


def tape(n=20_000, symbols=7, seed=0, days=2):
    rng = np.random.default_rng(seed)
    hours = np.sort(rng.integers(0, 6 * 3_600 * S, n))
    ts = DAY + rng.integers(0, days, n) * 86_400 * S + hours // 1_000 * 1_000
    ts[rng.random(n) < 0.05] //= MIN  # exactly on a boundary
    ts = np.sort(np.where(ts < DAY, ts * MIN, ts))
    names = [f"S{i}" for i in rng.integers(0, symbols, n)]
    price = 50.0 + np.cumsum(rng.choice([-0.01, 0.0, 0.01], n))
    size = np.where(rng.random(n) < 0.5, 100.0, rng.exponential(70.0, n) + 1e-3)
    return frame(names, ts, price, size, rng.random(n) < 0.9)


def twin(trades, every, *, eligible_only=True):
    """The same bars by a dictionary of lists: no state, no kernel, exact sums in order."""
    lists = {}
    for row in trades.with_columns(pl.col("ts").cast(pl.Int64)).iter_rows(named=True):
        if row["eligible"] or not eligible_only:
            end = row["ts"] // every
            lists.setdefault((row["symbol"], (end + 1) * every), []).append(
                (row["price"], row["size"])
            )
    rows = []
    for (symbol, end), pairs in sorted(lists.items()):
        prices = [p for p, _ in pairs]
        volume = dollars = 0.0
        for p, q in pairs:
            volume, dollars = volume + q, dollars + p * q
        low, high = min(prices), max(prices)
        vwap = min(max(dollars / volume, low), high)
        rows.append(
            (symbol, end, prices[0], high, low, prices[-1], volume, vwap, len(pairs), dollars)
        )
    return rows


def rows(made):
    return made.with_columns(pl.col("ts").cast(pl.Int64)).rows()


def batches(trades, length, *, text=False):
    table = trades.to_arrow()
    if not text:
        codes = table["symbol"].combine_chunks().dictionary_encode()
        table = table.set_column(0, "symbol", codes)
    for low in range(0, table.num_rows, min(length, table.num_rows)):
        for batch in table.slice(low, length).to_batches():
            # a dictionary of its own for every batch, in another order each time
            symbol = batch.column(0).cast(pa.string())
            kind = pa.large_string() if text else None
            own = (
                symbol.cast(kind)
                if text
                else symbol.take(pa.array(range(len(symbol) - 1, -1, -1))).dictionary_encode()
            )
            if not text:
                names = own.dictionary.to_pylist()
                codes = pa.array([names.index(x) for x in symbol.to_pylist()], pa.int16())
                own = pa.DictionaryArray.from_arrays(codes, own.dictionary)
            yield pa.RecordBatch.from_arrays([own, *batch.columns[1:]], names=batch.schema.names)


@pytest.mark.parametrize("every", ["1s", "1m", "7m", "24h"])
@pytest.mark.parametrize("eligible_only", [True, False])
def test_bars_are_the_twins_to_the_last_bit(every, eligible_only):
    trades = tape()
    made = bars(trades, every, eligible_only=eligible_only)
    width = {"1s": S, "1m": MIN, "7m": 7 * MIN, "24h": 1_440 * MIN}[every]
    assert rows(made) == twin(trades, width, eligible_only=eligible_only)
    check(made, BAR)
    assert made.columns == [*BAR.columns, "vwap", "trades", "dollar_volume"]


def test_polars_says_the_same():
    """group_by_dynamic's sums may run in another order, so dollars and volume to 1e-12."""
    trades = tape()
    made = bars(trades, "5m")
    price, size = pl.col("price"), pl.col("size")
    want = (
        trades.filter("eligible")
        .sort("symbol", "ts", maintain_order=True)
        .group_by_dynamic("ts", every="5m", group_by="symbol", label="right", closed="left")
        .agg(
            price.first().alias("open"),
            price.max().alias("high"),
            price.min().alias("low"),
            price.last().alias("close"),
            size.sum().alias("volume"),
            ((price * size).sum() / size.sum()).alias("vwap"),
            pl.len().cast(pl.Int64).alias("trades"),
            (price * size).sum().alias("dollar_volume"),
        )
    )
    exact = ["symbol", "ts", "open", "high", "low", "close", "trades"]
    assert made.select(exact).equals(want.select(exact))
    for name in ("volume", "vwap", "dollar_volume"):
        np.testing.assert_allclose(made[name], want[name], rtol=1e-12)


@pytest.mark.parametrize("length", CHUNKS)
@pytest.mark.parametrize("major", ["time", "symbol"])
@pytest.mark.parametrize("text", [False, True])
def test_any_chunks_and_either_order_give_the_same_bits(length, major, text):
    trades = tape(1_500)
    want = bars(trades, "1m")
    if major == "symbol":
        trades = trades.sort("symbol", maintain_order=True)
    made = bars_of_batches(batches(trades, length, text=text), "1m")
    assert made.equals(want)


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical, pl.Enum([f"S{i}" for i in range(9)])])
def test_symbols_of_any_text_type(kind):
    trades = tape(500)
    assert bars(trades.cast({"symbol": kind}), "1m").equals(bars(trades, "1m"))


@pytest.mark.parametrize("length", CHUNKS)
def test_step_is_batch_to_the_last_bit(length):
    trades = tape(5_000)
    code = trades["symbol"].str.slice(1).cast(pl.Int64).to_numpy()
    ts = trades["ts"].to_physical().to_numpy()
    columns = [trades[name].to_numpy() for name in ("price", "size", "eligible")]
    whole = bar_state.batch(code, ts, *columns, every_ns=MIN)
    state, parts = bar_state.start(2), []
    state = bar_state.grow(state, 7)
    for low in range(0, ts.size, length):
        cut = slice(low, low + length)
        before = state.numbers.copy()
        kept = state
        state, closed = bar_state.step(
            state, code[cut], ts[cut], *(c[cut] for c in columns), every_ns=MIN
        )
        np.testing.assert_array_equal(kept.numbers, before)  # a state handed in is not moved
        parts.append(closed)
    made = bar_state.ordered([*parts, bar_state.close(state)[1]])
    for name, one, two in zip(whole._fields, whole, made, strict=True):
        np.testing.assert_array_equal(one, two, err_msg=name)


def test_no_looking_ahead():
    """A bar that has ended by the k-th trade's time is known from the first k trades alone."""
    trades = tape(2_000, days=1)
    whole = bars(trades, "1m")
    for k in (1, 50, 777, 1_999):
        now = trades["ts"][k - 1]
        known = bars(trades.head(k), "1m").filter(pl.col("ts") <= now)
        assert known.equals(whole.filter(pl.col("ts") <= now))


EDGE = st.sampled_from([-MIN, -1, 0, 1, MIN - 1, MIN, MIN + 1, 1_440 * MIN - 1, 1_440 * MIN])
TRADES = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.integers(-3, 3).map(lambda k: k * MIN) | EDGE,
        st.sampled_from([0.01, 1.0, 1.1, 99.99, 1e6]),
        st.sampled_from([1.0, 0.1, 3.0, 100.0]),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
)


@settings(deadline=None)  # time is the shared machine's, not the code's
@given(TRADES, st.sampled_from([("1m", MIN), ("1ns", 1), ("7s", 7 * S)]), st.integers(1, 5))
def test_edges_of_time(events, every, length):
    """On the boundary, a nanosecond off it, ties, before 1970, another day, one trade, none."""
    events = sorted(events, key=lambda event: event[1])
    trades = frame(*zip(*events, strict=True))
    text, width = every
    assert rows(bars(trades, text)) == twin(trades, width)
    assert bars_of_batches(batches(trades, length), text).equals(bars(trades, text))


def test_a_trade_on_the_boundary_belongs_to_the_next_bar():
    made = bars(frame("AAA", [DAY, DAY + MIN - 1, DAY + MIN], [10, 12, 11], [1, 1, 1]))
    assert rows(made.select("ts", "open", "close", "trades")) == [
        (DAY + MIN, 10.0, 12.0, 2),
        (DAY + 2 * MIN, 11.0, 11.0, 1),
    ]


def test_fill_carries_the_close():
    trades = frame("AAAB", [DAY, DAY + 1, DAY + 3 * MIN, DAY + 3 * MIN], [10, 12, 11, 5], [1] * 4)
    made = bars(trades, "1m", fill_empty=True)
    names = ["symbol", "ts", "open", "high", "low", "close", "volume", "vwap", "trades"]
    assert rows(made.select(names)) == [
        ("A", DAY + MIN, 10.0, 12.0, 10.0, 12.0, 2.0, 11.0, 2),
        ("A", DAY + 2 * MIN, 12.0, 12.0, 12.0, 12.0, 0.0, None, 0),
        ("A", DAY + 3 * MIN, 12.0, 12.0, 12.0, 12.0, 0.0, None, 0),
        ("A", DAY + 4 * MIN, 11.0, 11.0, 11.0, 11.0, 1.0, 11.0, 1),
        ("B", DAY + 4 * MIN, 5.0, 5.0, 5.0, 5.0, 1.0, 5.0, 1),
    ]
    check(made, BAR)


def test_fill_leaves_traded_bars_as_they_are():
    trades = tape(3_000)
    plain, full = bars(trades, "1m"), bars(trades, "1m", fill_empty=True)
    assert full.filter(pl.col("trades") > 0).equals(plain)
    step = full.select(pl.col("ts").diff().over("symbol").drop_nulls())["ts"]
    assert set(step.dt.total_nanoseconds()) == {MIN}
    assert full.height > plain.height


def test_vwap_stays_between_low_and_high():
    """(0.1 + 0.1 + 0.1) / 3 is above 0.1 in floating point; the bar's average price may not be."""
    made = bars(frame("AAA", [DAY] * 3, [0.1] * 3, [1.0] * 3))
    assert made["dollar_volume"][0] / made["volume"][0] != 0.1
    assert made["vwap"][0] == 0.1


def test_a_closed_interval_stays_closed():
    state = bar_state.start(2)
    one = (np.array([0]), np.array([DAY + 5]), np.array([10.0]), np.array([1.0]))
    state, closed = bar_state.step(state, *one, every_ns=MIN)
    assert closed.ts.size == 0
    early, none = bar_state.close(state, DAY + MIN - 1)
    assert none.ts.size == 0
    state, closed = bar_state.close(early, DAY + MIN)
    assert closed.ts.tolist() == [DAY + MIN]
    late = (np.array([1]), np.array([DAY + 6]), *one[2:])  # the other symbol's interval, too
    with pytest.raises(InputError, match="interval closed"):
        bar_state.step(state, *late, every_ns=MIN)
    state, closed = bar_state.step(state, one[0], np.array([DAY + MIN]), *one[2:], every_ns=MIN)
    assert closed.ts.size == 0
    assert bar_state.close(state)[1].ts.tolist() == [DAY + 2 * MIN]


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("ts", DAY - 1, "not before"),
        ("price", 0.0, "finite price > 0"),
        ("price", -1.0, "finite price > 0"),
        ("price", math.nan, "finite price > 0"),
        ("size", math.inf, "finite size > 0"),
        ("size", 0.0, "finite size > 0"),
    ],
)
@pytest.mark.parametrize("eligible", [True, False])
def test_a_bad_row_is_named(column, value, wanted, eligible):
    """Row 41 of the stream, in the third batch; trades that make no bar are checked too."""
    ts = DAY + np.arange(60) * S
    parts = {"ts": ts, "price": np.full(60, 10.0), "size": np.ones(60)}
    parts[column] = parts[column].copy()
    parts[column][40] = value
    trades = frame(["A"] * 60, *parts.values(), np.arange(60) != 40 if not eligible else None)
    for made in (
        lambda: bars(trades),
        lambda: bars_of_batches(batches(trades, 16), file="day.parquet"),
    ):
        with pytest.raises(InputError, match=wanted) as caught:
            made()
        assert (caught.value.row, caught.value.column) == (41, column)
    assert "day.parquet" in str(caught.value)


def test_times_fall_within_a_symbol_only():
    """Grouped by symbol the clock goes back at each new symbol; a symbol met again may not."""
    good = frame("AABB", [DAY, DAY + MIN, DAY, DAY + 1], [1] * 4, [1] * 4)
    assert bars(good).height == 3
    with pytest.raises(InputError, match="not before") as caught:
        bars(frame("AABBA", [DAY, DAY + MIN, DAY, DAY + 1, DAY], [1] * 5, [1] * 5))
    assert caught.value.row == 5


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda f: f.drop("size"), "column 'size'"),
        (lambda f: f.drop("eligible"), "column 'eligible'"),
        (lambda f: f.cast({"ts": pl.Datetime("us", "UTC")}), "Datetime"),
        (lambda f: f.cast({"price": pl.String}), "Float64"),
        (lambda f: f.cast({"eligible": pl.Int8}), "Boolean"),
        (lambda f: f.with_columns(symbol=pl.lit(1)), "symbols as text"),
        (lambda f: f.with_columns(price=pl.lit(None, pl.Float64)), "a value"),
        (lambda f: f.with_columns(symbol=pl.lit(None, pl.String)), "a value"),
    ],
)
def test_a_frame_of_another_shape_is_refused(change, wanted):
    with pytest.raises(InputError, match=wanted):
        bars(change(tape(50)))


@pytest.mark.parametrize("every", ["0s", "1 minute", "", "-1m"])
def test_an_interval_that_is_none(every):
    with pytest.raises(InputError, match="1m"):
        bars(tape(50), every)


def test_arrays_of_other_shapes_and_codes():
    one = (np.array([0, 1]), np.array([1, 2]), np.ones(2), np.ones(2))
    with pytest.raises(InputError, match="one shape"):
        bar_state.step(bar_state.start(2), one[0], one[1], np.ones(3), one[3], every_ns=MIN)
    with pytest.raises(InputError, match="symbol code in 0") as caught:
        bar_state.step(bar_state.start(1), *one, every_ns=MIN)
    assert caught.value.row == 2
    with pytest.raises(InputError, match="booleans"):
        bar_state.step(bar_state.start(2), *one, np.ones(2), every_ns=MIN)
    with pytest.raises(InputError, match="above 0"):
        bar_state.batch(*one, every_ns=0)
    with pytest.raises(InputError, match="2262"):
        bar_state.batch(one[0], np.array([1, 2**63 - 2]), *one[2:], every_ns=MIN)
    with pytest.raises(InputError, match="already there"):
        bar_state.grow(bar_state.start(2), 1)


def test_batch_names_a_row_beyond_its_first_chunk():
    n = 2**17 + 10
    price = np.ones(n)
    price[n - 1] = -1.0
    with pytest.raises(InputError, match="price") as caught:
        bar_state.batch(np.zeros(n, int), np.arange(n), price, np.ones(n), every_ns=MIN)
    assert caught.value.row == n


def test_nothing_gives_no_bars():
    empty = tape(10).clear()
    assert bars(empty).is_empty()
    assert bars(empty, fill_empty=True).is_empty()
    assert bars_of_batches([]).schema == bars(tape(10)).schema
    none = tape(50).with_columns(eligible=pl.lit(value=False))
    assert bars(none).is_empty()
    assert bar_state.batch(*(np.empty(0) for _ in range(4)), every_ns=MIN).ts.size == 0
