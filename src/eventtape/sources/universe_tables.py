"""The three tables a universe is chosen from, as Parquet or CSV (plain or gzip).

Columns: daily ``symbol, session, volume`` and one or more of ``dollar_volume, vwap, close`` (these
may be blank); listings ``symbol, kind, from, to`` (a blank ``to``: still listed); renames ``old,
new, from``. Dates are ISO 8601 (2024-11-05), volume is in shares, prices and dollars in dollars.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from eventtape.errors import InputError
from eventtape.sources.files import need, numbers, read_table, refuse

__all__ = ["read_daily", "read_listings", "read_renames"]

_DOLLARS = ("dollar_volume", "vwap", "close")


def read_daily(path: str | Path) -> pl.DataFrame:
    """Volumes a symbol and session: ``symbol, session, volume`` and the dollar columns it has."""
    table = _read(path, "symbol", "session", "volume")
    dollars = [name for name in _DOLLARS if name in table.columns]
    if not dollars:
        met = ", ".join(table.columns)
        raise InputError(f"one of the columns {', '.join(_DOLLARS)}", met=met, file=path)
    return pl.DataFrame(
        [
            _text(table, "symbol", path),
            _dates(table, "session", path),
            numbers(table, "volume", file=path),
            *(_numbers_or_blank(table, name, path) for name in dollars),
        ]
    )


def read_listings(path: str | Path) -> pl.DataFrame:
    """What each symbol was listed as, from when to when: ``symbol, kind, from, to``."""
    table = _read(path, "symbol", "kind", "from", "to")
    return pl.DataFrame(
        [
            _text(table, "symbol", path),
            _text(table, "kind", path),
            _dates(table, "from", path),
            _dates(table, "to", path, blank=True),
        ]
    )


def read_renames(path: str | Path) -> pl.DataFrame:
    """Changes of symbol and their first session: ``old, new, from``."""
    table = _read(path, "old", "new", "from")
    texts = (_text(table, name, path) for name in ("old", "new"))
    return pl.DataFrame([*texts, _dates(table, "from", path)])


def _read(path: str | Path, *columns: str) -> pl.DataFrame:
    if Path(path).suffix != ".parquet":
        return read_table(path, *columns)
    try:
        table = pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"a Parquet file ({reason})", file=path) from error
    need(table, columns, file=path)
    return table


def _text(table: pl.DataFrame, column: str, file: str | Path) -> pl.Series:
    values = table[column]
    if not isinstance(values.dtype, pl.String | pl.Categorical | pl.Enum):
        raise InputError("a column of text", met=str(values.dtype), file=file, column=column)
    text = values.cast(pl.String)
    refuse(text, text.fill_null("").str.strip_chars() == "", "text", file=file)
    return text


def _dates(table: pl.DataFrame, column: str, file: str | Path, *, blank: bool = False) -> pl.Series:
    values = table[column]
    if values.dtype == pl.String:
        cast = values.str.to_date("%Y-%m-%d", strict=False)
    elif values.dtype in {pl.Date, pl.Null}:
        cast = values.cast(pl.Date)
    else:
        raise InputError("a column of dates", met=str(values.dtype), file=file, column=column)
    bad = cast.is_null() & values.is_not_null() if blank else cast.is_null()
    refuse(values, bad, "a date such as 2024-11-05", file=file)
    return cast


def _numbers_or_blank(table: pl.DataFrame, column: str, file: str | Path) -> pl.Series:
    values = table[column]
    if not (values.dtype in {pl.String, pl.Null} or values.dtype.is_numeric()):
        raise InputError("a column of numbers", met=str(values.dtype), file=file, column=column)
    cast = values.cast(pl.Float64, strict=False)
    bad = values.is_not_null() & ~cast.is_finite().fill_null(value=False)
    refuse(values, bad, "a finite number or a blank", file=file)
    return cast
