"""The probability of an outcome out of any file the house knows, or a plain table: one symbol.

Known by content: a saved Polymarket history (JSON), a CSV of Polymarket markets, a CSV of Kalshi
trades (the price of each trade). Else a CSV or Parquet table with a column of times (``ts``,
``timestamp``, ``time`` or ``datetime``: zoned text, epoch seconds, or a time type) and one of
``probability``, ``p``, ``price`` or ``mid`` from 0 to 1; ``bid``, ``ask`` and ``symbol`` where they
are. Of rows with one time the last counts.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from eventtape.errors import InputError
from eventtape.sources.files import numbers, read_table
from eventtape.sources.kalshi import read_trades_csv
from eventtape.sources.polymarket import read_history, read_markets_csv
from eventtape.sources.stamps import from_epoch, from_zoned_text
from eventtape.tape import PROBABILITY, check

__all__ = ["read_probability"]

_TIMES = ("ts", "timestamp", "time", "datetime")
_VALUES = ("probability", "p", "price", "mid")
_UTC = pl.Datetime("ns", "UTC")
_MOST_NAMED = 8


def read_probability(path: str | Path, *, symbol: str | None = None) -> pl.DataFrame:
    """Probability (0 to 1) of one symbol, by time: a probability frame of the tape.

    ``symbol`` chooses among several. Raises :class:`InputError` naming file, row and column.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError("a file of probabilities", met="no such file", file=file)
    if file.name.endswith((".json", ".json.gz")):
        return read_history(file, symbol=symbol or file.name.split(".", 1)[0])
    table = _table(file)
    if {"market", "timestamp", "probability"} <= set(table.columns):
        frame = read_markets_csv(file)
    elif {"trade_id", "ticker", "yes_price", "created_time"} <= set(table.columns):
        trades = read_trades_csv(file)
        frame = trades.select("symbol", "ts", pl.col("price").alias("probability"))
    else:
        frame = _plain(table, file)
    return _one(frame, symbol, file)


def _table(file: Path) -> pl.DataFrame:
    if file.suffix != ".parquet":
        return read_table(file)
    try:
        return pl.read_parquet(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"a Parquet file ({reason})", file=file) from error


def _plain(table: pl.DataFrame, file: Path) -> pl.DataFrame:
    names = {name.lower(): name for name in reversed(table.columns)}
    time = next((names[n] for n in _TIMES if n in names), None)
    value = next((names[n] for n in _VALUES if n in names), None)
    for found, among in ((time, _TIMES), (value, _VALUES)):
        if found is None:
            wanted = f"a column among {', '.join(among)}"
            raise InputError(wanted, met=", ".join(table.columns), file=file)
    assert time is not None
    assert value is not None
    sides = {
        side: table[names[side]].cast(pl.Float64, strict=False)
        for side in ("bid", "ask")
        if side in names
    }
    symbol = table[names["symbol"]].cast(pl.String) if "symbol" in names else pl.lit(file.stem)
    columns = {"ts": _stamps(table[time], file), "probability": numbers(table, value, file=file)}
    columns |= {side: column.fill_nan(None) for side, column in sides.items()}
    return pl.DataFrame(columns).with_columns(symbol.alias("symbol"))


def _stamps(stamps: pl.Series, file: Path) -> pl.Series:
    if isinstance(stamps.dtype, pl.Datetime):
        if stamps.dtype.time_zone is None:
            raise InputError("times with a zone", met=str(stamps.dtype), file=file)
        return stamps.dt.convert_time_zone("UTC").cast(_UTC)
    seconds = stamps if stamps.dtype.is_numeric() else stamps.cast(pl.Int64, strict=False)
    if stamps.dtype.is_numeric() or seconds.null_count() == stamps.null_count():
        return from_epoch(seconds, file=file)
    return from_zoned_text(stamps, file=file)


def _one(frame: pl.DataFrame, symbol: str | None, file: Path) -> pl.DataFrame:
    """The rows of the symbol asked for, or of the only one."""
    known = frame["symbol"].unique().sort().to_list()
    if symbol is None and len(known) > 1:
        more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
        wanted = f"one symbol among {', '.join(known[:_MOST_NAMED])}{more}"
        raise InputError(wanted, met=f"{len(known)} symbols", file=file, column="symbol")
    if symbol is not None:
        frame = frame.filter(pl.col("symbol") == symbol)
        if frame.is_empty():
            wanted = f"a symbol among {', '.join(known[:_MOST_NAMED])}"
            raise InputError(wanted, met=symbol, file=file, column="symbol")
    absent = [
        pl.lit(None, pl.Float64).alias(name)
        for name in ("bid", "ask", "size")
        if name not in frame.columns
    ]
    whole = frame.with_columns(absent).sort("ts", maintain_order=True)
    last = whole.unique(["symbol", "ts"], keep="last", maintain_order=True)
    return check(last, PROBABILITY, file=str(file))
