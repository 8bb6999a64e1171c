"""Lean minute quotes of listed options: sparse bars of bid and ask, one side perhaps unspoken.

A bar is stamped at its start on the New York clock; its close is known a minute later, which is the
time of the row here. A side that is null did not change in that minute: the contract's last one of
that day still stands and is carried forward, counted as such. Sizes go with their prices.

The file names no underlying: the caller does. ``underlying_quotes`` is a file of the underlying's
own minute quotes in the same layout; each option row takes the mid of the last one at or before it.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from eventtape.errors import InputError
from eventtape.sources.files import need
from eventtape.sources.option_files_contracts import dates_of, is_call_of, listed, occ_symbols
from eventtape.sources.option_files_rows import Given, Ledger, OptionRows, finished
from eventtape.sources.stamps import to_utc

__all__ = ["load_lean_options"]

_ZONE = "America/New_York"
_SIDES = ("bid", "ask")


def load_lean_options(table: pl.DataFrame, given: Given, ledger: Ledger) -> OptionRows:
    """Option quotes at the end of each minute in which the contract's book moved."""
    root = given.root or given.underlying
    if root is None:
        wanted = "an underlying (the file has none: give underlying=)"
        raise ledger.fault(wanted, column="underlying")
    contracts = pl.DataFrame(
        {
            "date": dates_of(table["expiration"], ledger),
            "is_call": is_call_of(table["cp"], ledger),
            "strike": ledger.scaled(ledger.number(table, "strike", needed=True), given),
        }
    ).with_columns(pl.lit(root).alias("root"))
    symbols = occ_symbols(contracts)
    rows = listed(contracts.with_columns(symbols), given, ledger).with_columns(
        _minute_ends(table, ledger.file).alias("ts"),
        *(ledger.number(table, f"{side}_close").alias(side) for side in _SIDES),
        *(ledger.number(table, f"{side}_size").alias(f"{side}_size") for side in _SIDES),
    )
    rows = _carried(rows, ledger)
    if given.underlying_quotes is not None:
        spot = _underlying(given.underlying_quotes, given.underlying or root)
        rows = _as_of(rows, spot)
    elif given.underlying_price is not None:
        rows = rows.with_columns(pl.lit(given.underlying_price).alias("underlying_price"))
    return finished(rows, ledger)


def _minute_ends(table: pl.DataFrame, file: str | None) -> pl.Series:
    return to_utc(table["ts"], _ZONE, file=file).dt.offset_by("1m")


def _carried(rows: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Unspoken sides filled with the contract's last one before, in order of time."""
    placed = rows.with_row_index("at").sort("ts", maintain_order=True)
    filled = []
    for side in _SIDES:
        spoken = pl.col(side).is_not_null()
        last = pl.struct(side, f"{side}_size")
        filled.append(
            pl.when(spoken)
            .then(last)
            .forward_fill()
            .over("symbol", pl.col("ts").dt.date())
            .alias(f"last_{side}")
        )
    placed = placed.with_columns(filled).sort("at")
    for side in _SIDES:
        carried = rows[side].is_null() & placed[f"last_{side}"].struct.field(side).is_not_null()
        ledger.note(carried, f"{side} carried forward")
    return placed.with_columns(
        pl.col(f"last_{side}").struct.field(name).alias(name)
        for side in _SIDES
        for name in (side, f"{side}_size")
    ).drop("at", *(f"last_{side}" for side in _SIDES))


def _underlying(path: str | Path, symbol: str) -> pl.DataFrame:
    """Mid of the underlying at the end of each minute, by time."""
    file = str(path)
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"a Parquet file ({reason})", file=file) from error
    need(table, ("ts", "bid_close", "ask_close", "symbol"), file=file)
    known = sorted(table["symbol"].unique())
    table = table.filter(pl.col("symbol") == symbol)
    if table.is_empty():
        raise InputError(f"quotes of {symbol}", met=", ".join(known), file=file, column="symbol")
    mid = (pl.col("bid_close") + pl.col("ask_close")) / 2
    spot = table.select(_minute_ends(table, file).alias("ts"), mid.alias("underlying_price"))
    return spot.drop_nulls().sort("ts")


def _as_of(rows: pl.DataFrame, spot: pl.DataFrame) -> pl.DataFrame:
    placed = rows.with_row_index("at").sort("ts", maintain_order=True)
    return placed.join_asof(spot, on="ts", strategy="backward").sort("at").drop("at")
