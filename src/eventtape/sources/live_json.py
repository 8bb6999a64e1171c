"""Fields of a frame's objects that must be of one type, and one row out of them.

Whatever a frame holds, reading it ends in a value or an :class:`~eventtape.errors.InputError` that
names the venue, the field and what stood there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import polars as pl

from eventtape.errors import InputError
from eventtape.sources.files import JsonRow
from eventtape.sources.live_rows import row_keys
from eventtape.tape import Record
from eventtape.tape.batch import Batch

__all__ = ["Ignored", "milliseconds", "number", "object_in", "one_row", "whole"]

_KINDS = 100  # of messages a venue may name before further ones share a count
_MS_LOW, _MS_HIGH = 10**12, 10**13  # the years 2001 to 2286
_MILLISECOND = 1_000_000
_LARGEST = 2**63  # whole numbers from here on fit no column


class Ignored(Counter[str]):
    """How many messages of each kind nobody here reads."""

    def count(self, kind: object) -> None:
        """Count a message; beyond a hundred kinds the rest share one name."""
        name = str(kind)[:40]
        self[name if name in self or len(self) < _KINDS else "others"] += 1


def object_in(value: Any, venue: str, name: str | None = None, at: int = 1) -> JsonRow:
    """An object whose fields can be asked for; ``name`` is the field it stood in, if in one."""
    if not isinstance(value, Mapping):
        raise InputError("an object", met=value, file=venue, row=at, column=name)
    return JsonRow(value, at, venue)


def whole(row: JsonRow, name: str) -> int:
    """The whole number of 64 bits in a field; text, booleans and fractions are refused."""
    value = row.values.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= _LARGEST:
        raise row.fault(name, "a whole number", value)
    return value


def number(row: JsonRow, name: str) -> float:
    """The finite number in a field; text, booleans and numbers beyond 64 bits are refused."""
    value = row.values.get(name)
    return float(whole(row, name) if isinstance(value, int) else row.number(name))


def milliseconds(row: JsonRow, name: str) -> int:
    """UTC ns of the epoch milliseconds in a field, a whole number or its digits as text."""
    value = row.values.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:20])
    if isinstance(value, bool) or not isinstance(value, int) or not _MS_LOW <= value < _MS_HIGH:
        raise row.fault(name, "epoch milliseconds", row.values.get(name))
    return value * _MILLISECOND


def one_row(
    feed: str, record: Record, values: tuple[Any, ...], identity: str, received_ns: int
) -> Batch:
    """A batch of one row, its values in the record's order, told apart by ``identity``.

    ``values`` are of the record's types, stamps in ns; gaps and ranges are checked here. For one
    row this is ten times as fast as checking columns.
    """
    for (name, column), value in zip(record.columns.items(), values, strict=True):
        if value is None:
            if not column.nullable:
                raise InputError("a value", file=feed, column=name)
        elif column.low is not None and (
            value < column.low or (column.above_low and value == column.low)
        ):
            wanted = f"a value {'>' if column.above_low else '>='} {column.low:g}"
            raise InputError(wanted, met=value, file=feed, column=name)
        elif column.high is not None and value > column.high:
            raise InputError(f"a value <= {column.high:g}", met=value, file=feed, column=name)
    schema = {name: column.dtype for name, column in record.columns.items()}
    rows = pl.DataFrame([values], schema=schema, orient="row")
    return Batch(feed, record.name, rows, row_keys([identity]), received_ns)
