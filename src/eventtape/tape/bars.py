"""Bars of trades as data frames: of a whole frame, or of a stream of Arrow batches out of core.

Both run the walk of :mod:`eventtape.tape.bar_state` (its conventions: left-closed intervals stamped
with their END, from the trades the eligibility policy lets in) and give the same bars to the last
bit: the record ``BAR`` and after it vwap, trades and dollar_volume. From batches only the open
interval of each symbol and the bars themselves are kept: memory does not grow with the trades.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.clock import duration_ns
from eventtape.errors import InputError
from eventtape.tape.bar_state import Bars, advance, close, fill, grow, ordered, start
from eventtape.tape.records import TIME

__all__ = ["bars", "bars_of_batches"]

_ARROW_TIME = pa.timestamp("ns", "UTC")


def bars(
    trades: pl.DataFrame,
    every: str = "1m",
    *,
    eligible_only: bool = True,
    fill_empty: bool = False,
) -> pl.DataFrame:
    """Open, high, low, close, volume, vwap, trades and dollar volume by symbol and interval.

    ``trades`` is a frame of the record ``EQUITY_TRADE``, by symbol and time or by time alone;
    ``every`` a length of time (``"500ms"``, ``"1s"``, ``"5m"``, ``"24h"``). The bar stamped T is of
    T - every <= ts < T. An interval with no trade has no row; with ``fill_empty`` those between a
    symbol's first and last bar, nights included, carry its close with zero volume and a null vwap.
    Trades that are not eligible make no bar unless ``eligible_only`` is False. Rows come by symbol
    and then time.
    """
    for name in ("symbol", *_needed(eligible_only)):
        if name not in trades.columns:
            raise InputError(f"the column '{name}' of a trade", met=trades.columns, column=name)
    if not isinstance(trades["symbol"].dtype, pl.String | pl.Categorical | pl.Enum):
        raise InputError("symbols as text", met=str(trades["symbol"].dtype), column="symbol")
    names = trades["symbol"].unique(maintain_order=True).drop_nulls().cast(pl.String)
    columns = trades.select(
        pl.col("symbol").cast(pl.Enum(names)).alias("symbol"), *_needed(eligible_only)
    )
    return bars_of_batches(
        columns.to_arrow().to_batches(),
        every,
        eligible_only=eligible_only,
        fill_empty=fill_empty,
    )


def bars_of_batches(
    batches: Iterable[pa.RecordBatch],
    every: str = "1m",
    *,
    eligible_only: bool = True,
    fill_empty: bool = False,
    file: str | None = None,
) -> pl.DataFrame:
    """As :func:`bars`, of Arrow batches in the order of time within each symbol, of any lengths.

    ``symbol`` is text or, faster, a dictionary of text, which may differ from batch to batch.
    ``file`` is named in errors, with the row counted from the first batch's first.
    """
    every_ns = duration_ns(every)
    if every_ns == 0:
        raise InputError("an interval above 0, such as 1m", met=every)
    codes: dict[str, int] = {}
    state, parts, rows_before = start(0), [close(start(0))[1]], 0
    met, symbol_of = None, np.empty(0, np.int64)
    for batch in batches:
        if batch.num_rows == 0:  # it need not even have buffers
            continue
        try:
            found = _columns(batch, eligible_only=eligible_only)
            symbol = _symbols(found["symbol"])
            if met is None or not symbol.dictionary.equals(met):
                met = symbol.dictionary
                symbol_of = _codes(met, codes)
                state = grow(state, len(codes))
            rows = len(symbol)
            closed = advance(
                state,
                _code_of_rows(symbol),
                symbol_of,
                _times(found["ts"]),
                _numbers(found["price"], "price"),
                _numbers(found["size"], "size"),
                _flags(found["eligible"]) if eligible_only else np.ones(rows, np.bool_),
                every_ns,
            )
        except InputError as error:
            error.row = None if error.row is None else error.row + rows_before
            raise error.at(file) if file else error from None
        parts.append(closed)
        rows_before += rows
    made = ordered([*parts, close(state)[1]])
    return _frame(fill(made, every_ns=every_ns) if fill_empty else made, codes)


def _needed(eligible_only: bool) -> tuple[str, ...]:
    return ("ts", "price", "size", "eligible") if eligible_only else ("ts", "price", "size")


def _columns(batch: pa.RecordBatch, *, eligible_only: bool) -> dict[str, pa.Array]:
    """The columns a bar needs, all there and without a null."""
    found = {}
    for name in ("symbol", *_needed(eligible_only)):
        if name not in batch.schema.names:
            wanted = f"the column '{name}' of a trade"
            raise InputError(wanted, met=batch.schema.names, column=name)
        values = found[name] = batch.column(name)
        if values.null_count:
            row = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
            raise InputError("a value", row=row + 1, column=name)
    return found


def _symbols(values: pa.Array) -> pa.DictionaryArray:
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if not any(
        rule(kind)
        for rule in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    ):
        raise InputError("symbols as text", met=str(values.type), column="symbol")
    return values if pa.types.is_dictionary(values.type) else values.dictionary_encode()


def _codes(dictionary: pa.Array, codes: dict[str, int]) -> IntArray:
    """The code of each name of a dictionary; names not met before are given the next ones."""
    return np.array([codes.setdefault(name, len(codes)) for name in dictionary.to_pylist()], int)


def _code_of_rows(values: pa.DictionaryArray) -> NDArray[np.int32]:
    return _buffer(values.indices.cast(pa.int32()), np.dtype(np.int32))


def _times(values: pa.Array) -> IntArray:
    if values.type != _ARROW_TIME:
        raise InputError(f"values of type {TIME}", met=str(values.type), column="ts")
    return _buffer(values, np.dtype(np.int64))


def _numbers(values: pa.Array, name: str) -> FloatArray:
    kind = values.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise InputError("values of type Float64", met=str(kind), column=name)
    return _buffer(values.cast(pa.float64()), np.dtype(np.float64))


def _flags(values: pa.Array) -> BoolArray:
    if not pa.types.is_boolean(values.type):
        raise InputError("values of type Boolean", met=str(values.type), column="eligible")
    bits = np.frombuffer(values.buffers()[1], np.uint8)  # eight to the byte, from `offset` on
    first, end = values.offset, values.offset + len(values)
    flags = np.unpackbits(bits[first // 8 : -(-end // 8)], bitorder="little")
    return flags[first % 8 :][: len(values)].view(np.bool_)


_Scalar = TypeVar("_Scalar", bound=np.generic)


def _buffer(values: pa.Array, dtype: np.dtype[_Scalar]) -> NDArray[_Scalar]:
    """The values as they lie in memory; ``to_numpy`` would import pandas, two seconds for it."""
    return np.frombuffer(values.buffers()[1], dtype)[values.offset :][: len(values)]


def _frame(made: Bars, codes: dict[str, int]) -> pl.DataFrame:
    symbols = pl.Series(list(codes), dtype=pl.String).gather(made.symbol)
    frame = pl.DataFrame(
        {
            "symbol": symbols,
            "ts": pl.Series(made.ts).cast(TIME),
            **{name: getattr(made, name) for name in Bars._fields[2:]},
        }
    )
    return frame.with_columns(pl.col("vwap").fill_nan(None)).sort("symbol", maintain_order=True)
