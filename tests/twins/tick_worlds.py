"""Ticks for the twins: frames made of whole-number rows, and strategies that draw awkward ones."""

from __future__ import annotations

import polars as pl
from hypothesis import strategies as st

from twins.plain_ticks import GRID

T0 = 1_381_152_600_000_000_000  # 2013-10-07 13:30 UTC, on a border of every width used
TIME = pl.Datetime("ns", "UTC")
QUOTE_COLUMNS = ("ts", "bid", "bid_size", "ask", "ask_size")
TRADE_COLUMNS = ("ts", "price", "size", "iso", "eligible")
QUOTE_SCHEMA = {"symbol": pl.String, "ts": TIME} | dict.fromkeys(QUOTE_COLUMNS[1:], pl.Float64)
TRADE_SCHEMA = {
    "symbol": pl.String,
    "ts": TIME,
    "price": pl.Float64,
    "size": pl.Float64,
    "iso": pl.Boolean,
    "eligible": pl.Boolean,
}


def quote_frame(by_symbol, order="symbol"):
    """A quotes frame of ``{symbol: rows}``, in that order or by time."""
    rows = [
        (s, ts, b / GRID, float(p), a / GRID, float(q))
        for s, quotes in by_symbol.items()
        for ts, b, p, a, q in quotes
    ]
    return _frame(rows, QUOTE_SCHEMA, order)


def trade_frame(by_symbol, order="symbol"):
    rows = [
        (s, ts, p / GRID, float(v), iso, eligible)
        for s, trades in by_symbol.items()
        for ts, p, v, iso, eligible in trades
    ]
    return _frame(rows, TRADE_SCHEMA, order)


def _frame(rows, schema, order):
    if order == "time":
        rows = sorted(rows, key=lambda row: row[1])  # stable: a symbol's own order stays
    whole = schema | {"ts": pl.Int64}
    return pl.DataFrame(rows, schema=whole, orient="row").cast({"ts": TIME})


def numbered(frame, columns):
    """``{symbol: rows}`` of a real frame, prices as whole numbers."""
    out = {}
    for symbol, part in frame.group_by("symbol", maintain_order=True):
        values = part.with_columns(
            pl.col("ts").to_physical(),
            pl.col(pl.Float64).exclude("size", "bid_size", "ask_size") * GRID,
        ).select(columns)
        rows = values.cast({pl.Float64: pl.Float64}).rows()
        at = [i for i, name in enumerate(columns) if name in {"bid", "ask", "price"}]
        out[symbol[0]] = [
            tuple(round(v) if i in at else v for i, v in enumerate(row)) for row in rows
        ]
    return out


def _book(kind, low, width):
    bid, ask = 100_000 + 100 * low, 100_000 + 100 * (low + width)
    sides = {"bid": (1, 0), "ask": (0, 1), "none": (0, 0)}.get(kind, (1, 1))
    if kind == "locked":
        ask = bid
    if kind == "crossed":
        bid, ask = ask, bid
    return bid * sides[0], 100 * sides[0], ask * sides[1], 300 * sides[1]


KINDS = ("two", "two", "two", "locked", "crossed", "bid", "ask", "none")
BOOKS = st.builds(_book, st.sampled_from(KINDS), st.integers(-2, 2), st.integers(1, 3))
JITTERS = st.sampled_from([0, 0, -1, 1, 1_000, 1_000_000, 1_000_001, -1_000_000, 50_000_000])
PRINTS = st.tuples(
    st.integers(-6, 10).map(lambda half: 100_000 + 50 * half),
    st.sampled_from([1, 100, 250]),
    st.booleans(),
    st.sampled_from([True, True, True, False]),
)


@st.composite
def one_symbol(draw, every):
    """Quotes and trades around the borders of about six buckets, some at each other's own time."""
    times = st.builds(lambda k, j: T0 + k * (every // 4) + j, st.integers(-6, 18), JITTERS)
    quoted = sorted(draw(st.lists(times, max_size=10)))
    own = st.sampled_from(quoted) | times if quoted else times
    traded = sorted(draw(st.lists(own, max_size=8)))
    quotes = [(ts, *draw(BOOKS)) for ts in quoted]
    trades = [(ts, *draw(PRINTS)) for ts in traded]
    return quotes, trades


def worlds(every):
    """``({symbol: quotes}, {symbol: trades})``; a symbol may have one of them or neither."""
    return st.lists(one_symbol(every), min_size=1, max_size=3).map(
        lambda parts: tuple(
            {name: part[side] for name, part in zip("CAB", parts, strict=False) if part[side]}
            for side in (0, 1)
        )
    )
