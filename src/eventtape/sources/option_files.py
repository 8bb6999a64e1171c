"""Option quotes and trades from any file the house knows, recognised by its columns.

``read_option_quotes(path)`` opens Parquet, CSV (plain or gzip) and JSON, finds the vendor by the
columns it alone has, and says which it took in ``report.format``; a table of no vendor is read by
its column names (:mod:`eventtape.sources.option_files_tables`). What a file does not say is stated
by the caller; what neither says is an error that names it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from eventtape import clock
from eventtape.errors import InputError
from eventtape.sources.binance_options import load_binance_options
from eventtape.sources.cboe import (
    cboe_csv_table,
    cboe_json_table,
    load_cboe,
    load_cboe_export,
)
from eventtape.sources.deribit import (
    load_deribit_chains,
    load_deribit_marks,
    load_deribit_screen,
    load_deribit_trades,
)
from eventtape.sources.deribit_rest import load_deribit_book, load_deribit_last_trades, result_rows
from eventtape.sources.files import load_json, parse_csv, read_bytes
from eventtape.sources.lean_options import load_lean_options
from eventtape.sources.option_files_rows import BadRows, Given, Ledger, OptionRows, finished
from eventtape.sources.option_files_tables import load_table, wide_to_long
from eventtape.sources.thetadata import load_thetadata
from eventtape.sources.vendor_eod import load_vendor_eod
from eventtape.tape import OPTION_QUOTE, OPTION_TRADE, Record

__all__ = ["OPTION_FORMATS", "read_option_quotes", "read_option_trades"]

Loader = Callable[[pl.DataFrame, Given, Ledger], OptionRows]


class _Format(NamedTuple):
    """A layout: the columns that only it has, and its loader."""

    columns: tuple[str, ...]
    load: Loader


def _load_rows_of(record: Record) -> Loader:
    """The loader of files that ``eventtape fetch`` or a user wrote in the tape's own columns."""

    def load(table: pl.DataFrame, given: Given, ledger: Ledger) -> OptionRows:
        del given
        for name, column in record.columns.items():
            if table[name].dtype != column.dtype:
                met = str(table[name].dtype)
                raise ledger.fault(f"values of type {column.dtype}", met=met, column=name)
        return finished(table.select(list(record.columns)), ledger, record)

    return load


_QUOTES = {
    "eventtape option quotes": _Format(tuple(OPTION_QUOTE.columns), _load_rows_of(OPTION_QUOTE)),
    "deribit chain snapshots": _Format(
        ("instrument", "bid_price_usd", "ask_price_usd", "commit_time"), load_deribit_chains
    ),
    "deribit screen copy": _Format(("strike", "optiontype", "iv bid", "mark"), load_deribit_screen),
    "deribit mark volatilities": _Format(
        ("instrument_name", "time_to_expiration", "implied_volatility"), load_deribit_marks
    ),
    "deribit book summary": _Format(
        ("instrument_name", "bid_price", "ask_price", "creation_timestamp"), load_deribit_book
    ),
    "cboe export": _Format(("symbol", "cp", "root_file", "last_underlying"), load_cboe_export),
    "cboe quote page": _Format(("contract", "at_ns", "last"), load_cboe),
    "binance end-of-hour summary": _Format(
        ("symbol", "hour", "best_bid_price", "mark_iv"), load_binance_options
    ),
    "vendor end of day, newer": _Format(("option symbol", "call/put", "preiv"), load_vendor_eod),
    "vendor end of day, older": _Format(("under", "put/call", "nonstd"), load_vendor_eod),
    "lean minute quotes": _Format(
        ("bid_close", "ask_close", "cp", "expiration", "ts"), load_lean_options
    ),
    "thetadata": _Format(("right", "strike", "bid", "ask"), load_thetadata),
}
_TRADES = {
    "eventtape option trades": _Format(tuple(OPTION_TRADE.columns), _load_rows_of(OPTION_TRADE)),
    "deribit trades by minute": _Format(
        ("ts_utc_minute", "instrument", "price_btc"), load_deribit_trades
    ),
    "deribit last trades": _Format(
        ("instrument_name", "trade_id", "direction", "index_price"), load_deribit_last_trades
    ),
}
OPTION_FORMATS = (*_QUOTES, "table", *_TRADES)
"""Names that ``report.format`` may say; ``table`` is a file of no vendor the house knows."""


def read_option_quotes(
    path: str | Path,
    *,
    underlying: str | None = None,
    root: str | None = None,
    at: int | str | None = None,
    expiry: str | None = None,
    underlying_price: float | None = None,
    is_call: bool | None = None,
    style: str | None = None,
    settlement: str | None = None,
    strike_scale: float | None = None,
    columns: Mapping[str, str] | None = None,
    zone: str | None = None,
    underlying_quotes: str | Path | None = None,
    bad: BadRows = "raise",
) -> OptionRows:
    """Option quotes of a file as ``(frame, report)``: :data:`eventtape.tape.OPTION_QUOTE` rows.

    ``report`` says the format taken, the rows read and kept, those left out by reason, and what was
    noted of those kept. The options state what the file does not say:

    - ``at``: when the quotes were in force, ns or ISO text with a zone;
    - ``underlying``, and ``root`` where its rules of settlement differ (SPX and SPXW);
    - ``expiry``: a date (settled by the root's rule) or a time with its zone;
    - ``is_call``, ``style``, ``settlement``, ``underlying_price``;
    - ``strike_scale``: the unit of prices per unit of the strikes (0.01 for strikes in cents);
    - ``columns``: our names to the file's, for tables; ``zone``: the clock of naive stamps there;
    - ``underlying_quotes``: the underlying's own minute quotes (Lean), joined as of each row.

    ``bad="drop"`` leaves out and counts rows that cannot be used; else the first is an
    :class:`InputError` naming file, row, column, the value met and the one wanted.
    """
    file = str(path)
    given = Given(
        underlying,
        root,
        clock.parse_ns(at) if isinstance(at, str) else at,
        expiry,
        underlying_price,
        is_call,
        style,
        settlement,
        strike_scale,
        columns,
        zone,
        underlying_quotes,
    )
    table = _table(path)
    name = _recognised(table, _QUOTES)
    if name is None and (trades := _recognised(table, _TRADES)):
        raise InputError("quotes (read_option_trades reads these)", met=trades, file=file)
    if name is None or columns:
        long = wide_to_long(table)
        table = table if long is None else long
        return load_table(table, given, Ledger(table, "table", file, bad))
    return _QUOTES[name].load(table, given, Ledger(table, name, file, bad))


def read_option_trades(path: str | Path, *, bad: BadRows = "raise") -> OptionRows:
    """Option trades of a file as ``(frame, report)``: :data:`eventtape.tape.OPTION_TRADE` rows."""
    file = str(path)
    table = _table(path)
    name = _recognised(table, _TRADES)
    if name is None:
        wanted = f"the columns of one of {', '.join(_TRADES)}"
        raise InputError(wanted, met=", ".join(table.columns), file=file)
    return _TRADES[name].load(table, Given(), Ledger(table, name, file, bad))


def _recognised(table: pl.DataFrame, formats: Mapping[str, _Format]) -> str | None:
    there = set(table.columns)
    return next((name for name, kind in formats.items() if there.issuperset(kind.columns)), None)


def _table(path: str | Path) -> pl.DataFrame:
    """The rows of the file with column names in lower case, whatever it is written in."""
    file = str(path)
    data = read_bytes(path)
    if data.startswith(b"PAR1"):
        try:
            table = pl.read_parquet(io.BytesIO(data))
        except pl.exceptions.PolarsError as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"a whole Parquet file ({reason})", file=file) from error
    elif data.lstrip()[:1] in {b"{", b"["}:
        table = _json_table(load_json(data, file=file), file)
    elif b"Expiration Date,Calls," in data[:4_096]:
        table = cboe_csv_table(data, file=file)
    else:
        table = parse_csv(data, file=file)
    names = [name.strip().lower() for name in table.columns]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InputError("columns whose names differ", met=twice, file=file)
    table.columns = names
    if table.is_empty():
        raise InputError("at least one row", met="none", file=file)
    return table


def _json_table(value: Any, file: str) -> pl.DataFrame:
    if isinstance(value, Mapping) and "data" in value:
        return cboe_json_table(value, file=file)
    return result_rows(value, file=file)
