"""Values of a frame into checked rows of a record, and the keys that tell rows apart.

Columns come as lists in the record's names; what cannot be such a column (another type, a gap, a
number out of range) is an :class:`~eventtape.errors.InputError` naming feed, row, column and the
value met. The order of stamps is not checked: a live feed arrives in the order it arrives in.

Keys are 64-bit: a trade number as it is, a text through blake2b, a sequence number of one symbol
through a mixing of both. Two rows of one feed share a key by accident once in 10^19 / rows^2 pairs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NoReturn

import numpy as np
import polars as pl

from eventtape.arrays import IntArray
from eventtape.errors import InputError
from eventtape.tape import Record
from eventtape.tape.batch import Batch
from eventtape.tape.records import TIME, Column

__all__ = [
    "frame_of",
    "live_batch",
    "mixed_keys",
    "newest_ns",
    "parse_frame",
    "row_keys",
    "whole_numbers",
]

Values = Sequence[Any] | np.ndarray[Any, Any]

_FIRST_NS, _LAST_NS = 10**18, 9 * 10**18  # the years 2001 to 2255; int64 ends in 2262
_UNFIT = (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError)  # half a surrogate too
_GOLDEN, _MIX_1, _MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def live_batch(
    feed: str, record: Record, columns: Mapping[str, Values], keys: IntArray, received_ns: int
) -> Batch:
    """A batch of these rows, checked, with a key for each; ``ts`` is in whole ns since 1970."""
    try:
        rows = frame_of(record, columns)
    except InputError as error:
        raise error.at(feed) from error
    if len(keys) != rows.height:
        raise InputError(f"{rows.height} keys, one a row", met=len(keys), file=feed)
    return Batch(feed, record.name, rows, np.asarray(keys, np.int64), received_ns)


def frame_of(record: Record, columns: Mapping[str, Values]) -> pl.DataFrame:
    """Rows of the record; ``ts`` in whole ns since 1970, a nullable column left out is null."""
    unknown = set(columns) - set(record.columns)
    if unknown:
        raise InputError(f"columns of a {record.name}", met=sorted(unknown))
    height = len(columns["ts"])
    made = []
    for name, column in record.columns.items():
        if name in columns:
            values = _series(name, columns[name], column)
        elif column.nullable:
            values = pl.Series(name, [None], dtype=column.dtype).new_from_index(0, height)
        else:
            raise InputError(f"the column {name} of a {record.name}", column=name)
        if len(values) != height:
            raise InputError(f"{height} values, one a row", met=len(values), column=name)
        made.append(values)
    return pl.DataFrame(made)


def row_keys(texts: Iterable[str]) -> IntArray:
    """A key for each text (its 64-bit blake2b), shape ``(n_rows,)``; one text, one key, always."""
    digests = [
        blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest() for text in texts
    ]
    return np.frombuffer(b"".join(digests), "<i8").astype(np.int64)


def mixed_keys(seeds: IntArray, numbers: IntArray) -> IntArray:
    """A key for each pair of a seed (:func:`row_keys` of a symbol) and a number, ``(n_rows,)``.

    For one seed, two numbers never share a key. The mixing is splitmix64's: Steele, Lea and Flood,
    "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    x = seeds.astype(np.uint64) + numbers.astype(np.uint64) * np.uint64(_GOLDEN)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_MIX_1)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_MIX_2)
    mixed: IntArray = (x ^ (x >> np.uint64(31))).view(np.int64)
    return mixed


def whole_numbers(values: Sequence[Any], *, feed: str, column: str) -> IntArray:
    """The values as they are, each a whole number from 0 to 2^53; shape ``(n_rows,)``."""
    try:
        series = _listed(column, values, pl.Int64())
        if series.null_count():
            _refuse(series, series.is_null(), "a value")
        _within(series, 0, 1 << 53, "a whole number from 0 to 2^53", above=False)
    except InputError as error:
        raise error.at(feed) from error
    return series.to_numpy()


def newest_ns(rows: pl.DataFrame) -> int:
    """The newest stamp of some rows, at least one, in ns since 1970."""
    return int(rows["ts"].to_physical().max())  # type: ignore[arg-type]


def parse_frame(frame: str | bytes, *, feed: str) -> Any:
    """The JSON value of a frame; broken, binary or absurdly nested JSON is an ``InputError``."""
    try:
        return _STRICT.decode(frame if isinstance(frame, str) else frame.decode())
    except (ValueError, RecursionError) as error:
        reason = str(error).partition(": line")[0]
        raise InputError(f"a frame of JSON ({reason})", met=frame[:60], file=feed) from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_STRICT = json.JSONDecoder(parse_constant=_no_constant)


def _series(name: str, values: Values, column: Column) -> pl.Series:
    """One column, checked for type, gaps and range."""
    stamp = column.dtype == TIME
    dtype = pl.Int64() if stamp else column.dtype
    if isinstance(values, np.ndarray):
        series = pl.Series(name, values)
        if series.dtype != dtype:
            raise InputError(f"values of type {dtype}", met=str(series.dtype), column=name)
    else:
        series = _listed(name, values, dtype)
    if not column.nullable and series.null_count():
        _refuse(series, series.is_null(), "a value")
    if stamp:
        _within(series, _FIRST_NS, _LAST_NS, "a time in ns since 1970, from 2001 on", above=False)
        return series.cast(TIME)
    if dtype.is_float() and not series.is_finite().all():
        _refuse(series, ~series.is_finite(), "a finite number")
    if column.low is not None or column.high is not None:
        low = -np.inf if column.low is None else column.low
        high = np.inf if column.high is None else column.high
        sign = ">" if column.above_low else ">="
        words = f"a value {sign} {low:g}" + ("" if column.high is None else f" and <= {high:g}")
        _within(series, low, high, words, above=column.above_low)
    return series


def _listed(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    # Polars takes True for 1.0, which a price is not.
    if bool in set(map(type, values)) and dtype != pl.Boolean():
        at = next(at for at, value in enumerate(values) if isinstance(value, bool))
        raise InputError(f"values of type {dtype}", met=values[at], row=at + 1, column=name)
    try:
        return pl.Series(name, values, dtype=dtype, strict=True)
    except _UNFIT as error:
        row, met = _first_odd(values, dtype)
        raise InputError(f"values of type {dtype}", met=met, row=row, column=name) from error


def _first_odd(values: Sequence[Any], dtype: pl.DataType) -> tuple[int | None, object]:
    """The first value that no column of that type can hold, and its row from 1."""
    for row, value in enumerate(values, 1):
        try:
            pl.Series([value], dtype=dtype, strict=True)
        except _UNFIT:
            return row, value
    return None, "values of several types"


def _within(series: pl.Series, low: float, high: float, wanted: str, *, above: bool) -> None:
    least, most = series.min(), series.max()
    if least is None:
        return
    if least < low or most > high or (above and least == low):  # type: ignore[operator]
        bad = (series < low) | (series > high) | ((series == low) & above)
        _refuse(series, bad, wanted)


def _refuse(series: pl.Series, bad: pl.Series, wanted: str) -> None:
    row = int(bad.fill_null(value=False).arg_true()[0])
    raise InputError(wanted, met=series[row], row=row + 1, column=series.name)
