"""ThetaData option quotes: one row a quote of one contract, with sizes.

Three layouts are read. Version 2 has ``root, expiration, strike, right, ms_of_day, date`` with
dates such as 20241220, strikes in thousandths of a dollar and milliseconds since New York midnight.
Version 3 has ``symbol, expiration, strike, right, timestamp``, strikes in dollars, naive New York
times. Downsampled chain files have ``ticker, underlying, expiry, strike, right, bid, ask`` and
sizes, with a time column; ``underlying`` there is a price where it is a number and a symbol where
it is text. A price of 0 is a side nobody quotes.
"""

from __future__ import annotations

import polars as pl

from eventtape.sources.option_files_contracts import dates_of, is_call_of, listed, occ_symbols
from eventtape.sources.option_files_rows import Given, Ledger, OptionRows, finished
from eventtape.sources.stamps import to_utc

__all__ = ["load_thetadata"]

_ZONE = "America/New_York"
_TIMES = ("timestamp", "ts", "time", "datetime", "quote_time")
_ROOTS = ("root", "ticker", "symbol")
_SIZES = {"bid_size": ("bid_size", "bidsize"), "ask_size": ("ask_size", "asksize")}


def load_thetadata(table: pl.DataFrame, given: Given, ledger: Ledger) -> OptionRows:
    """Option quotes of any of the three layouts; ``strike_scale`` overrides the layout's unit."""
    old = "ms_of_day" in table.columns
    root = _roots(table, given, ledger)
    strikes = ledger.scaled(
        ledger.number(table, "strike", needed=True), given, own=0.001 if old else 1.0
    )
    expiry = "expiration" if "expiration" in table.columns else "expiry"
    if expiry not in table.columns:
        raise ledger.fault("a column expiration or expiry", met=table.columns)
    contracts = pl.DataFrame(
        {
            "root": root,
            "date": dates_of(table[expiry], ledger),
            "is_call": is_call_of(table["right"], ledger),
            "strike": strikes,
        }
    )
    contracts = listed(
        contracts.with_columns(occ_symbols(contracts).alias("symbol")), given, ledger
    )
    rows = contracts.with_columns(
        _times(table, given, ledger, old=old).alias("ts"),
        ledger.number(table, "bid").alias("bid"),
        ledger.number(table, "ask").alias("ask"),
        *(
            ledger.maybe(table, next((n for n in names if n in table.columns), ours)).alias(ours)
            for ours, names in _SIZES.items()
        ),
        *_spot(table, given, ledger),
    )
    return finished(rows, ledger)


def _roots(table: pl.DataFrame, given: Given, ledger: Ledger) -> pl.Series:
    names = [name for name in _ROOTS if name in table.columns]
    if names:
        return table[names[0]].cast(pl.String).str.strip_chars().str.to_uppercase()
    stated = given.root or given.underlying
    if stated is None:
        wanted = f"an underlying (no column {', '.join(_ROOTS)}: give underlying=)"
        raise ledger.fault(wanted, column="root")
    return pl.Series([stated]).new_from_index(0, table.height)


def _times(table: pl.DataFrame, given: Given, ledger: Ledger, *, old: bool) -> pl.Series:
    if old and "date" in table.columns:
        day = dates_of(table["date"], ledger).cast(pl.Datetime("ns"))
        past = ledger.number(table, "ms_of_day", needed=True) * 1e6
        wall = day + past.cast(pl.Int64).cast(pl.Duration("ns"))
        return to_utc(wall.alias("ms_of_day"), _ZONE, file=ledger.file)
    names = [name for name in _TIMES if name in table.columns]
    if not names:
        at = ledger.at(given)
        return pl.Series([at]).new_from_index(0, table.height).cast(pl.Datetime("ns", "UTC"))
    stamps = table[names[0]]
    if isinstance(stamps.dtype, pl.Datetime) and stamps.dtype.time_zone is not None:
        return stamps.dt.cast_time_unit("ns").dt.convert_time_zone("UTC")
    return to_utc(stamps, _ZONE, file=ledger.file)


def _spot(table: pl.DataFrame, given: Given, ledger: Ledger) -> list[pl.Series | pl.Expr]:
    """The underlying's price, where the file or the caller has one."""
    for name in ("underlying_price", "underlying"):
        if name in table.columns and table[name].dtype.is_numeric():
            return [ledger.number(table, name).alias("underlying_price")]
    if given.underlying_price is None:
        return []
    return [pl.lit(given.underlying_price).alias("underlying_price")]
