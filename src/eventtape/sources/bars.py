"""Bars (OHLC, with or without volume) from CSV or Parquet whose clock the caller declares.

A bar file says neither its zone nor whether it stamps the start or the end of a bar; one reading
leads the other by an interval, so both are declared. ``ts`` in the answer is the END of the bar.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl

from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.sources.files import need, numbers, read_table, refuse
from eventtape.sources.stamps import to_utc
from eventtape.tape import BAR, check

__all__ = ["read_bars"]

_TIME_COLUMNS = ("ts", "time", "timestamp", "datetime")
_PRICES = ("open", "high", "low", "close")


def read_bars(
    path: str | Path,
    *,
    symbol: str,
    stamp: Literal["start", "end"],
    interval_s: int,
    zone: str,
    time_column: str | None = None,
) -> pl.DataFrame:
    """Bars in the file's own price unit, ``ts`` = END of bar in UTC; volume null where it has none.

    ``stamp`` says which end of the bar the file stamps and ``zone`` on which clock; stamps that
    carry another zone are refused. ``time_column`` defaults to the one column called ``ts``,
    ``time``, ``timestamp`` or ``datetime``. Bars closer together than ``interval_s`` are refused,
    since they would overlap; gaps (nights, quiet minutes) are not.
    """
    file = str(path)
    if stamp not in {"start", "end"}:
        raise InputError("a stamp of 'start' or 'end'", met=stamp)
    if interval_s <= 0:
        raise InputError("an interval above 0 seconds", met=interval_s)
    table = _read(Path(path))
    column = time_column or _time_column(table, file)
    need(table, (column, *_PRICES), file=file)
    times = to_utc(table[column], zone, file=file)
    step = times.diff().dt.total_nanoseconds()
    close = (step > 0) & (step < interval_s * SECOND)
    refuse(table[column], close, f"bars at least {interval_s} s apart", file=file)
    volume = (
        numbers(table, "volume", file=file)
        if "volume" in table.columns
        else pl.Series([None], dtype=pl.Float64).new_from_index(0, table.height)
    )
    frame = pl.DataFrame(
        {
            "ts": times.dt.offset_by(f"{interval_s}s") if stamp == "start" else times,
            **{name: numbers(table, name, file=file) for name in _PRICES},
            "volume": volume,
        }
    ).with_columns(pl.lit(symbol).alias("symbol"))
    return check(frame, BAR, file=file)


def _read(path: Path) -> pl.DataFrame:
    if path.suffix != ".parquet":
        return read_table(path)
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"a Parquet file ({reason})", file=path) from error


def _time_column(table: pl.DataFrame, file: str) -> str:
    found = [name for name in _TIME_COLUMNS if name in table.columns]
    if len(found) != 1:
        wanted = f"one time column among {', '.join(_TIME_COLUMNS)} (or time_column given)"
        raise InputError(wanted, met=", ".join(table.columns), file=file)
    return found[0]
