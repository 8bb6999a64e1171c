"""Bytes of a file into JSON rows or text columns, with file, row and column named on failure.

Readers of the vendor files share these steps: open (plain or gzip), take apart, turn text into
numbers. A step that fails is an :class:`InputError` that says where, never a guess or a gap.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from eventtape.clock import parse_ns
from eventtape.errors import InputError

__all__ = [
    "JsonRow",
    "hundredths",
    "json_rows",
    "load_json",
    "need",
    "numbers",
    "parse_csv",
    "read_bytes",
    "read_table",
    "refuse",
    "rows_under",
    "whole_numbers",
]

GZIP_MAGIC = b"\x1f\x8b"
_LARGEST = sys.float_info.max


class JsonRow(NamedTuple):
    """One object of a JSON list and its place (1-based), so that a fault can name it."""

    values: Mapping[str, Any]
    at: int
    file: str | None

    def fault(self, name: str, wanted: str, met: object) -> InputError:
        """The error that says what stood in field ``name`` of this row."""
        return InputError(wanted, met=met, file=self.file, row=self.at, column=name)

    def number(self, name: str) -> float:
        """The finite number in a field, as it stands; text and booleans are refused."""
        value = self.values.get(name)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not -_LARGEST <= value <= _LARGEST  # no float holds some whole numbers either
        ):
            raise self.fault(name, "a finite number", value)
        return value

    def decimal(self, name: str) -> float:
        """The finite number that a text field spells."""
        text = self.text(name)
        try:
            value = float(text)
        except ValueError:
            raise self.fault(name, "a decimal number", text) from None
        if not math.isfinite(value):
            raise self.fault(name, "a finite number", text)
        return value

    def text(self, name: str) -> str:
        """The text in a field; an empty or missing one is refused."""
        value = self.values.get(name)
        if not isinstance(value, str) or not value:
            raise self.fault(name, "text", value)
        return value

    def stamp(self, name: str) -> int:
        """UTC nanoseconds of the ISO time in a field; one with no zone is refused."""
        text = self.text(name)
        try:
            return parse_ns(text)
        except InputError as error:
            raise self.fault(name, error.wanted, text) from None


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a file, unpacked where it is gzip (by content, not by name)."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"a readable file ({error.strerror})", file=path) from error
    if not data.startswith(GZIP_MAGIC):
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"a whole gzip file ({error})", file=path) from error


def load_json(data: bytes, *, file: str | Path | None) -> Any:
    """The JSON value in these bytes; broken JSON names the offset where it breaks."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"UTF-8 text (it breaks at offset {error.start})", file=file) from error
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"whole JSON (it breaks at offset {error.pos} of {len(text)}: {error.msg})",
            met=text[error.pos : error.pos + 20] or "end of file",
            file=file,
        ) from error
    except (ValueError, RecursionError) as error:  # thousands of digits, thousands of brackets
        raise InputError(f"JSON of ordinary size ({error})", file=file) from error


def json_rows(rows: Any, *, file: str | None, after: int = 0) -> Iterator[JsonRow]:
    """The objects of a JSON list, numbered from ``after + 1``."""
    if not isinstance(rows, list):
        raise InputError("a list of objects", met=type(rows).__name__, file=file)
    for at, row in enumerate(rows, after + 1):
        if not isinstance(row, Mapping):
            raise InputError("an object", met=row, file=file, row=at)
        yield JsonRow(row, at, file)


def rows_under(payload: Any, name: str, *, file: str | None, after: int = 0) -> list[JsonRow]:
    """The objects listed under ``name``; ``null`` there is how some services say "none"."""
    if not isinstance(payload, Mapping) or name not in payload:
        met = sorted(payload) if isinstance(payload, Mapping) else type(payload).__name__
        raise InputError(f"an object with the list '{name}'", met=met, file=file)
    rows = payload[name]
    return list(json_rows([] if rows is None else rows, file=file, after=after))


def parse_csv(data: bytes, *, file: str | Path, header: bool = True) -> pl.DataFrame:
    """Every column of a CSV as text, so that no value is guessed at before it is checked."""
    try:
        return pl.read_csv(io.BytesIO(data), has_header=header, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"a CSV table ({reason})", file=file) from error


def read_table(path: str | Path, *columns: str) -> pl.DataFrame:
    """The CSV at ``path`` (plain or gzip) as text columns, once these ``columns`` are there."""
    table = parse_csv(read_bytes(path), file=path)
    need(table, columns, file=path)
    return table


def need(table: pl.DataFrame, columns: tuple[str, ...], *, file: str | Path) -> None:
    """Refuse a table that lacks one of ``columns``."""
    for name in columns:
        if name not in table.columns:
            met = ", ".join(table.columns)
            raise InputError(f"a column '{name}'", met=met, file=file, column=name)


def numbers(table: pl.DataFrame, column: str, *, file: str | Path) -> pl.Series:
    """A column as finite floats; a value missing, or text that is no number, names its row."""
    values = table[column]
    if values.dtype != pl.String and not values.dtype.is_numeric():
        raise InputError("a column of numbers", met=str(values.dtype), file=file, column=column)
    cast = values.cast(pl.Float64, strict=False)
    refuse(values, ~cast.is_finite().fill_null(value=False), "a finite number", file=file)
    return cast


def whole_numbers(table: pl.DataFrame, column: str, *, file: str | Path) -> pl.Series:
    """A column as 64-bit integers, exact; anything else names its row."""
    values = table[column]
    if values.dtype != pl.String and not values.dtype.is_integer():
        raise InputError("a column of integers", met=str(values.dtype), file=file, column=column)
    cast = values.cast(pl.Int64, strict=False)
    refuse(values, cast.is_null(), "a whole number", file=file)
    return cast


def hundredths(values: pl.Series) -> pl.Series:
    """Cents as dollars, percent as shares: the nearest float to value / 100.

    Polars divides by a constant through its reciprocal, which makes 69 cents 0.6900000000000001.
    """
    return pl.Series(values.name, values.to_numpy() / 100.0)


def refuse(values: pl.Series, bad: pl.Series, wanted: str, *, file: str | Path | None) -> None:
    """Raise for the first row where ``bad`` holds; a null in ``bad`` is not bad."""
    rows = bad.fill_null(value=False).arg_true()
    if len(rows):
        row = int(rows[0])
        raise InputError(wanted, met=values[row], file=file, row=row + 1, column=values.name)
