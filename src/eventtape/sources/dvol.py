"""Deribit's volatility index: what volatility of the next 30 days did all options together price?

Two layouts of JSON, plain or gzip: a list of [milliseconds, index], and the exchange's own answer,
``result.data`` with rows [milliseconds, open, high, low, close], of which the close is taken. The
index is in percent. Stamps are kept as they are; days may be missing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from eventtape.errors import InputError
from eventtape.sources.files import load_json, read_bytes

__all__ = ["read_dvol"]

_WIDTHS = (2, 5)  # value; open, high, low, close
_EARLY_MS, _LATE_MS = 10**12, 10**13  # the years 2001 to 2286
_LOW, _HIGH = 3.0, 500.0  # percent: what lies below is a decimal


def read_dvol(path: str | Path) -> pl.DataFrame:
    """Columns ``ts`` (UTC) and ``iv``, the index as a decimal per sqrt(year), rising in time.

    Raises :class:`InputError` naming file and row where a row is not [milliseconds, percent] or a
    time comes twice.
    """
    payload = load_json(read_bytes(path), file=path)
    if isinstance(payload, dict):
        result = payload.get("result")
        payload = result.get("data") if isinstance(result, dict) else None
    if not isinstance(payload, list) or not payload:
        wanted = "a list of [milliseconds, index], or an answer with result.data"
        raise InputError(wanted, met=type(payload).__name__, file=path)
    first: dict[int, int] = {}
    stamps, values = [], []
    for row, entry in enumerate(payload, 1):
        at_ms, percent = _entry(entry, path, row)
        if at_ms in first:
            wanted = f"one value a time (row {first[at_ms]} has this one)"
            raise InputError(wanted, met=at_ms, file=path, row=row, column="ts")
        first[at_ms] = row
        stamps.append(at_ms * 1_000_000)
        values.append(percent / 100.0)
    times = pl.Series("ts", stamps, pl.Int64).cast(pl.Datetime("ns", "UTC"))
    return pl.DataFrame({"ts": times, "iv": pl.Series(values, dtype=pl.Float64)}).sort("ts")


def _entry(entry: Any, file: str | Path, row: int) -> tuple[int, float]:
    """The time and the last value of a row."""
    if not isinstance(entry, list) or len(entry) not in _WIDTHS:
        wanted = "[milliseconds, index] or [milliseconds, open, high, low, close]"
        raise InputError(wanted, met=entry, file=file, row=row)
    at_ms, percent = entry[0], entry[-1]
    if type(at_ms) is not int or not _EARLY_MS <= at_ms < _LATE_MS:
        raise InputError("whole epoch milliseconds", met=at_ms, file=file, row=row, column="ts")
    if type(percent) not in {int, float} or not _LOW <= percent <= _HIGH:
        raise InputError(
            f"an index in percent, {_LOW:g} to {_HIGH:g}",
            met=percent,
            file=file,
            row=row,
            column="iv",
        )
    return at_ms, float(percent)
