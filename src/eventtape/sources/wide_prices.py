"""A wide table of prices from Parquet or CSV: ``ts`` and one column a series, blanks are holes.

In a CSV times are ISO 8601 with their zone and values are numbers or blank; a Parquet file has them
as such. A column ``simulated`` that is true anywhere says that no market made the file. With a step
a row is the last value seen after the row before it, up to and at its stamp.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import polars as pl

from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.sources.files import need, parse_csv, read_bytes, refuse

__all__ = ["WidePrices", "at_step", "read_wide_prices", "usual_ns"]

_TIME = pl.Datetime("ns", "UTC")
WidePrices = tuple[pl.DataFrame, bool]


def read_wide_prices(path: str | Path) -> WidePrices:
    """The frame at ``path`` (``ts`` in UTC), and whether it says it is simulated.

    :class:`InputError` names the file, row and column: no rows, no ``ts``, a name twice, a time
    without zone, text where a number belongs. Order and signs are for the panel to check.
    """
    if Path(path).suffix == ".parquet":
        table = _parquet(path)
    else:
        data = read_bytes(path)
        _names_once(data, path)
        table = parse_csv(data, file=path)
        need(table, ("ts",), file=path)
        table = table.with_columns(_csv_times(table["ts"], path), *_csv_numbers(table, path))
    if table.is_empty():
        raise InputError("rows of prices below the names of the columns", met="none", file=path)
    made = "simulated" in table.columns
    simulated = made and bool(table["simulated"].cast(pl.Boolean, strict=False).any())
    return (table.drop("simulated") if made else table), simulated


def at_step(prices: pl.DataFrame, step_ns: int) -> pl.DataFrame:
    """One row a step, stamped by its end: each series' last value in it, null where none.

    A step finer than the rows is refused: there is nothing between them to take. Rows
    stand in the order of their times; a step in which nothing was seen has no row.
    """
    if step_ns < 1:
        raise InputError("a step above 0", met=step_ns)
    late = (prices["ts"].diff().dt.total_nanoseconds() <= 0).fill_null(value=False).arg_true()
    if len(late):
        at = int(late[0])
        raise InputError("rising times", met=str(prices["ts"][at]), row=at + 1, column="ts")
    if step_ns < usual_ns(prices):
        wanted = f"a step no finer than the rows, {usual_ns(prices) / 1e9:g} seconds apart"
        raise InputError(wanted, met=f"{step_ns / 1e9:g} seconds")
    ns = pl.col("ts").cast(_TIME).to_physical()
    end = ((ns + (step_ns - 1)) // step_ns * step_ns).cast(_TIME)
    series = [name for name in prices.columns if name != "ts"]
    last = [
        pl.col(name).fill_nan(None) if prices[name].dtype.is_float() else pl.col(name)
        for name in series
    ]
    rows = prices.group_by(end.alias("ts"), maintain_order=True)
    return rows.agg(value.drop_nulls().last() for value in last)


def usual_ns(prices: pl.DataFrame) -> float:
    """The usual time between rows, ns; 0 of fewer than two."""
    gap = prices["ts"].diff().dt.total_nanoseconds().median()
    return 0.0 if gap is None else float(gap)  # type: ignore[arg-type]


def _parquet(path: str | Path) -> pl.DataFrame:
    try:
        table = pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"a Parquet file ({reason})", file=path) from error
    need(table, ("ts",), file=path)
    kind = table["ts"].dtype
    if not isinstance(kind, pl.Datetime) or kind.time_zone is None:
        wanted = "times with their zone"
        if kind.is_integer():
            wanted += "; make them of integers by what those count, as in pl.from_epoch(ts, 'ns')"
        raise InputError(wanted, met=str(kind), file=path, column="ts")
    return table.with_columns(pl.col("ts").dt.convert_time_zone("UTC"))


def _names_once(data: bytes, file: str | Path) -> None:
    """Refuse a header with a name twice: two series would pass for two under names of no one."""
    text = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", errors="replace", newline="")
    names = next(csv.reader(text), [])
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError("each column once", met=", ".join(twice), file=file, column=twice[0])


def _csv_times(text: pl.Series, file: str | Path) -> pl.Series:
    out = []
    for row, value in enumerate(text, 1):
        try:
            out.append(parse_ns(value or ""))
        except InputError as error:
            raise InputError(error.wanted, met=value, file=file, row=row, column="ts") from None
    return pl.Series("ts", out, dtype=pl.Int64).cast(_TIME)


def _csv_numbers(table: pl.DataFrame, file: str | Path) -> list[pl.Series]:
    out = []
    for name in table.columns:
        if name in {"ts", "simulated"}:
            continue
        blank = table[name].fill_null("").str.strip_chars() == ""
        values = table[name].str.strip_chars().cast(pl.Float64, strict=False)
        refuse(table[name], values.is_null() & ~blank, "a number or a blank", file=file)
        out.append(values)
    return out
