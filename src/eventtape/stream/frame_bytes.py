"""A Polars frame as plain buffers and back: the same rows give the same bytes.

Arrow's own stream keeps chunks, slices and what stands under a null, so equal frames may differ in
bytes there. Here a column is its values with zeros under nulls, a mask where there are nulls, and
for text and lists the lengths: restart and parity tests compare states by their bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from eventtape.arrays import IntArray
from eventtape.errors import InputError

__all__ = ["frame_from", "frame_tree"]

Put = Callable[[bytes], int]
Get = Callable[[int], bytes]

_PLAIN = {
    str(dtype): dtype
    for dtype in (
        *(pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64()),
        *(pl.UInt8(), pl.UInt16(), pl.UInt32(), pl.UInt64()),
        *(pl.Float32(), pl.Float64(), pl.Boolean(), pl.Date(), pl.Time(), pl.String()),
    )
}


def frame_tree(frame: pl.DataFrame, put: Put) -> list[Any]:
    """The frame as a JSON tree whose buffers went to ``put``, which returns their numbers.

    Columns of numbers, truth values, dates, times, text and lists of these; any other type is an
    :class:`InputError`.
    """
    return [frame.height, [[s.name, _kind(s), _column(s, put)] for s in frame]]


def frame_from(tree: list[Any], get: Get) -> pl.DataFrame:
    """The frame of :func:`frame_tree`."""
    height, columns = tree
    series = [_series(_dtype(kind), column, get).rename(name) for name, kind, column in columns]
    if any(len(one) != height for one in series):
        raise InputError(f"columns of {height} rows", met=[len(one) for one in series])
    return pl.DataFrame(series)


def _kind(series: pl.Series) -> Any:
    return _kind_of(series.dtype, series.name)


def _kind_of(dtype: pl.DataType, name: str) -> Any:
    if isinstance(dtype, pl.Datetime):
        return ["Datetime", dtype.time_unit, dtype.time_zone]
    if isinstance(dtype, pl.Duration):
        return ["Duration", dtype.time_unit]
    if isinstance(dtype, pl.List):
        return ["List", _kind_of(dtype.inner, name)]  # type: ignore[arg-type]  # never a class
    if str(dtype) not in _PLAIN:
        wanted = "numbers, truth values, dates, times, text or lists in a state"
        raise InputError(wanted, met=str(dtype), column=name)
    return str(dtype)


def _dtype(kind: Any) -> pl.DataType:
    if isinstance(kind, str):
        return _PLAIN[kind]
    if kind[0] == "Datetime":
        return pl.Datetime(kind[1], kind[2])
    return pl.Duration(kind[1]) if kind[0] == "Duration" else pl.List(_dtype(kind[1]))


def _column(series: pl.Series, put: Put) -> list[Any]:
    """Mask (None where no null), then the parts of the values."""
    series = series.rechunk()
    missing = series.is_null()
    mask = put(np.packbits(missing.to_numpy()).tobytes()) if missing.any() else None
    return [mask, len(series), *_parts(series, put)]


def _parts(series: pl.Series, put: Put) -> Iterator[Any]:
    if series.dtype == pl.String:
        lengths = series.str.len_bytes().fill_null(0).to_numpy()
        yield put(lengths.astype("<i8").tobytes())
        yield put((series.drop_nulls().str.join("")[0] or "").encode())
    elif isinstance(series.dtype, pl.List):
        yield put(series.list.len().fill_null(0).to_numpy().astype("<i8").tobytes())
        yield _column(series.filter(series.list.len() > 0).explode(), put)
    else:
        values = series.to_physical()
        zero = False if values.dtype == pl.Boolean else 0
        yield put(values.fill_null(zero).to_numpy().tobytes())


def _series(dtype: pl.DataType, column: list[Any], get: Get) -> pl.Series:
    mask, n, *parts = column
    missing = None
    if mask is not None:
        missing = np.unpackbits(np.frombuffer(get(mask), np.uint8), count=n).astype(bool)
    if dtype == pl.String:
        offsets = pa.py_buffer(_offsets(get(parts[0])).tobytes())
        text = pa.LargeStringArray.from_buffers(n, offsets, pa.py_buffer(get(parts[1])))
        text.validate(full=True)
        series = pl.Series(text, dtype=dtype)
    elif isinstance(dtype, pl.List):
        offsets = pa.array(_offsets(get(parts[0])))
        inner = _series(dtype.inner, parts[1], get)  # type: ignore[arg-type]
        lists = pa.LargeListArray.from_arrays(offsets, inner.to_arrow())
        series = pl.Series(lists).cast(dtype)
    else:
        physical = pl.Series([], dtype=dtype).to_physical().dtype
        values = np.frombuffer(get(parts[0]), pl.Series([], dtype=physical).to_numpy().dtype)
        series = pl.Series(values.copy(), dtype=physical).cast(dtype)
    if missing is None:
        return series
    kept = pl.Series(~missing)
    return pl.select(pl.when(kept).then(series)).to_series()


def _offsets(lengths: bytes) -> IntArray:
    ends: IntArray = np.r_[0, np.cumsum(np.frombuffer(lengths, "<i8"))].astype(np.int64)
    return ends
