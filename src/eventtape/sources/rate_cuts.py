"""Rate cuts priced for each quarter: in which quarter does the market expect most of the Fed?

A CSV (plain or gzip) with columns ``quarter`` (2025Q1, 2025-Q1, Q1 2025 or Q1-25) and ``cuts``,
headings in any case. A cut is one step of 25 basis points; fractions are odds, and a rise is
negative. The table helps to choose the far expiry of a calendar trade; nothing else depends on it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from eventtape.errors import InputError
from eventtape.sources.files import need, numbers, read_table, refuse

__all__ = ["read_rate_cuts"]

_YEAR_FIRST = r"(?P<year>20\d{2})[ -]?Q(?P<quarter>[1-4])"
_QUARTER_FIRST = r"Q(?P<quarter>[1-4])[ -]?(?P<year>20\d{2}|\d{2})"
_CENTURY = 2000
_MOST = 40.0  # ten percentage points in a quarter: beyond, the column is something else


def read_rate_cuts(path: str | Path) -> pl.DataFrame:
    """Columns ``quarter`` (2025Q1), ``start``, ``end`` (UTC, half-open) and ``cuts``, in order.

    Raises :class:`InputError` naming file, row and column where a quarter cannot be read or comes
    twice, or cuts are no number.
    """
    raw = read_table(path)
    table = raw.rename({name: name.strip().lower() for name in raw.columns})
    need(table, ("quarter", "cuts"), file=path)
    if table.is_empty():
        raise InputError("at least one quarter", met="no rows", file=path)
    cuts = numbers(table, "cuts", file=path)
    refuse(cuts, cuts.abs() > _MOST, f"cuts of 25 basis points, at most {_MOST:g}", file=path)
    written = table["quarter"]
    parts = [_year_and_quarter(text) for text in written]
    wanted = "a quarter such as 2025Q1 or Q1 2025"
    refuse(written, pl.Series([part is None for part in parts]), wanted, file=path)
    known = [part for part in parts if part is not None]
    names = pl.Series("quarter", [f"{year}Q{quarter}" for year, quarter in known])
    refuse(names, ~names.is_first_distinct(), "one row a quarter", file=path)
    return pl.DataFrame(
        {
            "quarter": names,
            "start": _times("start", [_start(year, quarter) for year, quarter in known]),
            "end": _times("end", [_start(year, quarter + 1) for year, quarter in known]),
            "cuts": cuts,
        }
    ).sort("start")


def _year_and_quarter(text: str | None) -> tuple[int, int] | None:
    """The year and the quarter (1 to 4) as written, None where they cannot be read."""
    plain = (text or "").strip().upper()
    found = re.fullmatch(_YEAR_FIRST, plain) or re.fullmatch(_QUARTER_FIRST, plain)
    if found is None:
        return None
    year = int(found["year"])
    return (year if year >= _CENTURY else _CENTURY + year), int(found["quarter"])


def _start(year: int, quarter: int) -> datetime:
    """The first moment of a quarter; the fifth is the first of the next year."""
    return datetime(year + (quarter - 1) // 4, 3 * ((quarter - 1) % 4) + 1, 1, tzinfo=UTC)


def _times(name: str, moments: list[datetime]) -> pl.Series:
    return pl.Series(name, moments).cast(pl.Datetime("ns", "UTC"))
