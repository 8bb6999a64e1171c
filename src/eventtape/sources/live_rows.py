"""Values of a frame into checked rows of a record, and the keys that tell rows apart.

Columns come as lists in the record's names; what cannot be such a column (another type, a gap, a
number out of range) is an :class:`~eventtape.errors.InputError` naming feed, row, column and the
value met. The order of stamps is not checked: a live feed arrives in the order it arrives in.

Keys are 64-bit: a trade number as it is, a text through blake2b, a sequence number of one symbol
through a mixing of both. Two rows of one feed share a key by accident once in 10^19 / rows^2 pairs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
import polars as pl

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.clock import MINUTE, format_ns
from eventtape.errors import InputError
from eventtape.tape import Record
from eventtape.tape.batch import RECORDS, Batch
from eventtape.tape.records import TIME, Column

__all__ = [
    "frame_of",
    "live_batch",
    "mixed_keys",
    "newest_ns",
    "not_ahead",
    "parse_frame",
    "real_numbers",
    "row_keys",
    "stamps_ns",
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
    for rule in _rules(record.name):
        if rule.name in columns:
            values = _series(columns[rule.name], rule)
        elif rule.nullable:
            values = pl.Series(rule.name, [None] * height, dtype=rule.dtype)
        else:
            raise InputError(f"the column {rule.name} of a {record.name}", column=rule.name)
        if len(values) != height:
            raise InputError(f"{height} values, one a row", met=len(values), column=rule.name)
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
    rule = _Rule(column, pl.Int64(), "whole", False, 0, 1 << 53, False, "from 0 to 2^53")
    array: IntArray = _as_array(values, rule, feed)
    return array


def real_numbers(values: Sequence[Any], *, feed: str, column: str) -> FloatArray:
    """The values as floats, each finite and 0 or more; shape ``(n_rows,)``."""
    rule = _Rule(column, pl.Float64(), "real", False, 0.0, np.inf, False, ">= 0")
    array: FloatArray = _as_array(values, rule, feed)
    return array


def stamps_ns(rows: pl.DataFrame) -> IntArray:
    """The stamps of some rows in ns since 1970; by a cast, a tenth of an expression's cost."""
    stamps: IntArray = rows["ts"].cast(pl.Int64).to_numpy()
    return stamps


def newest_ns(rows: pl.DataFrame) -> int:
    """The newest stamp of some rows, at least one, in ns since 1970."""
    return int(stamps_ns(rows).max())


def not_ahead(batch: Batch) -> tuple[Batch, str]:
    """The rows stamped no more than a minute after they were received, and why others are not.

    "" where all are. One such stamp would move every clock that waits for the slowest feed.
    """
    at, latest = stamps_ns(batch.rows), batch.received_ns + MINUTE
    if not at.size or at.max() <= latest:
        return batch, ""
    good = at <= latest
    first, clock = (format_ns(int(ns)) for ns in (at[~good][0], batch.received_ns))
    reason = f"{batch.feed}: a row stamped {first}, over 60 s ahead of our clock, {clock}"
    return batch._replace(rows=batch.rows.filter(good), keys=batch.keys[good]), reason


def parse_frame(frame: str | bytes, *, feed: str) -> Any:
    """The JSON value of a frame, its texts of whole characters.

    Broken, binary or absurdly nested JSON is an ``InputError``, and so is half a surrogate pair:
    no column, journal or screen could hold it.
    """
    try:
        text = frame if isinstance(frame, str) else frame.decode()
        value = _STRICT.decode(text)
    except (ValueError, RecursionError) as error:
        reason = str(error).partition(": line")[0]
        raise InputError(f"a frame of JSON ({reason})", met=frame[:60], file=feed) from error
    if "\\ud" in text or "\\uD" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise InputError("text of whole characters", met=frame[:60], file=feed) from error
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_STRICT = json.JSONDecoder(parse_constant=_no_constant)


class _Rule(NamedTuple):
    """What a column's values must be."""

    name: str
    dtype: pl.DataType
    kind: Literal["time", "real", "whole", "other"]
    nullable: bool
    low: float
    high: float
    above: bool  # low itself is refused
    words: str


@cache
def _rules(record: str) -> tuple[_Rule, ...]:
    return tuple(_rule(name, column) for name, column in RECORDS[record].columns.items())


def _rule(name: str, column: Column) -> _Rule:
    dtype = column.dtype
    if dtype == TIME:
        words = "in ns since 1970, from 2001 to 2255"
        kind: Literal["time", "real", "whole", "other"] = "time"
        return _Rule(name, pl.Int64(), kind, column.nullable, _FIRST_NS, _LAST_NS, False, words)
    kind = "real" if dtype.is_float() else "whole" if dtype.is_integer() else "other"
    low = -np.inf if column.low is None else column.low
    high = np.inf if column.high is None else column.high
    words = f"{'>' if column.above_low else '>='} {low:g}"
    if column.high is not None:
        words += f" and <= {high:g}"
    return _Rule(name, dtype, kind, column.nullable, low, high, column.above_low, words)


def _as_array(values: Sequence[Any], rule: _Rule, feed: str) -> Any:
    array = _plain(values, rule)
    try:
        if array is None:
            return _series(values, rule).to_numpy()
        _check_range(values, array, None, rule)
    except InputError as error:
        raise error.at(feed) from error
    return array


def _plain(values: Values, rule: _Rule) -> np.ndarray[Any, Any] | None:
    """Numbers without a gap as an array, None where they are no such thing."""
    if rule.kind == "other":
        return None
    whole = rule.kind != "real"
    if isinstance(values, np.ndarray):
        return values if values.dtype == (np.int64 if whole else np.float64) else None
    if rule.dtype == pl.Int8() or not set(map(type, values)) <= ({int} if whole else {int, float}):
        return None
    try:
        return np.array(values, np.int64 if whole else np.float64)
    except OverflowError:
        return None


def _series(values: Values, rule: _Rule) -> pl.Series:
    """One column, checked for type, gaps and range; by NumPy, for frames are short and many.

    (One Polars expression costs more than all the rest of a frame of a few events.)
    """
    array = _plain(values, rule)
    if array is None:
        series = _listed(values, rule)
        nulls = series.null_count()
        if nulls and not rule.nullable:
            _refuse(values, series.is_null().to_numpy(), rule, "a value")
        if rule.kind != "other" and nulls < len(series):
            # A null is NaN in an array, and so is NaN: it counts where it is no null.
            found = series.to_numpy()
            _check_range(values, found, np.isnan(found) & series.is_null().to_numpy(), rule)
    else:
        _check_range(values, array, None, rule)
        series = pl.Series(rule.name, array)
    return series.cast(TIME) if rule.kind == "time" else series


def _check_range(
    values: Values, array: np.ndarray[Any, Any], absent: BoolArray | None, rule: _Rule
) -> None:
    if absent is not None:
        array = np.where(absent, rule.high if rule.high < np.inf else 1.0, array)
    if not array.size:
        return
    least, most = array.min(), array.max()
    if rule.kind == "real" and not (math.isfinite(least) and math.isfinite(most)):
        _refuse(values, ~np.isfinite(array), rule, "a finite number")
    if least < rule.low or most > rule.high or (rule.above and least == rule.low):
        bad = (array < rule.low) | (array > rule.high) | ((array == rule.low) & rule.above)
        _refuse(values, bad, rule, f"a {'time' if rule.kind == 'time' else 'value'} {rule.words}")


def _listed(values: Values, rule: _Rule) -> pl.Series:
    wanted = f"values of type {rule.dtype}"
    if isinstance(values, np.ndarray):
        series = pl.Series(rule.name, values)
        if series.dtype != rule.dtype:
            raise InputError(wanted, met=str(series.dtype), column=rule.name)
        return series
    # Polars takes True for 1.0, which a price is not.
    if rule.kind != "other" and bool in set(map(type, values)):
        at = next(at for at, value in enumerate(values) if isinstance(value, bool))
        raise InputError(wanted, met=values[at], row=at + 1, column=rule.name)
    try:
        return pl.Series(rule.name, values, dtype=rule.dtype, strict=True)
    except _UNFIT as error:
        row, met = _first_odd(values, rule.dtype)
        raise InputError(wanted, met=met, row=row, column=rule.name) from error


def _first_odd(values: Sequence[Any], dtype: pl.DataType) -> tuple[int | None, object]:
    """The first value that no column of that type can hold, and its row from 1."""
    for row, value in enumerate(values, 1):
        try:
            pl.Series([value], dtype=dtype, strict=True)
        except _UNFIT:
            return row, value
    return None, "values of several types"


def _refuse(values: Values, bad: BoolArray, rule: _Rule, wanted: str) -> None:
    row = int(bad.argmax())
    raise InputError(wanted, met=values[row], row=row + 1, column=rule.name)
