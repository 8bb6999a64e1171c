"""A chain in any table, long or wide: columns recognised by name, the rest stated by the caller.

Long: one row a contract. Wide: a call and a put a row, told apart by the tail of the column names
(``bid.c``, ``bid_p``, ``ask_call``, ``c_bid``, ``call_ask`` ...). Names are compared in lower case
without blanks, dots, dashes and underscores. ``columns={"bid": "their name"}`` goes before any
guess. What a chain needs and neither the table nor the caller gives is an error that names it.

A column of settlement or last prices becomes ``mark``, never a bid or an ask: it is not a quote.
Volatilities are percent where the median is above 3 (no chain of 300 percent is typical).
"""

from __future__ import annotations

import re

import polars as pl

from eventtape import clock
from eventtape.sources.option_files_contracts import (
    dates_of,
    is_call_of,
    listed,
    occ_contracts,
    occ_symbols,
    session_closes,
)
from eventtape.sources.option_files_rows import Given, Ledger, OptionRows, finished, percent
from eventtape.sources.stamps import from_zoned_text, to_utc

__all__ = ["load_table", "wide_to_long"]

_UTC = pl.Datetime("ns", "UTC")
_NAMES = {
    "symbol": ("contractsymbol", "optionsymbol", "occsymbol", "contract", "osi", "symbol"),
    "strike": ("strike", "strikeprice", "k"),
    "right": ("right", "type", "optiontype", "cp", "callput", "putcall", "cpflag", "side"),
    "bid": ("bid", "bidprice", "bestbid", "bidclose"),
    "ask": ("ask", "askprice", "bestask", "offer", "bestoffer", "askclose"),
    "bid_size": ("bidsize", "bidqty", "bidvolume", "sizebid"),
    "ask_size": ("asksize", "askqty", "askvolume", "sizeask", "offersize"),
    "mark": ("settlement", "settle", "settlementprice", "mark", "markprice"),
    "expiry": ("expiry", "expiration", "expirationdate", "expirydate", "exdate", "maturity"),
    "ts": ("ts", "timestamp", "datetime", "quotetime", "quotedatetime", "time"),
    "date": ("date", "quotedate", "tradedate", "datepulled", "asof"),
    "underlying_price": ("underlyingprice", "spot", "underlyinglast", "lastunderlying"),
    "vendor_iv": ("impliedvolatility", "impliedvol", "impvol", "iv", "midiv"),
    "vendor_delta": ("delta",),
    "vendor_gamma": ("gamma",),
    "open_interest": ("openinterest", "openint", "oi"),
}
_PERCENT_FROM = 3.0
_SIDES = {"c": "C", "call": "C", "calls": "C", "p": "P", "put": "P", "puts": "P"}
_NUMBERS = (
    "bid",
    "ask",
    "bid_size",
    "ask_size",
    "mark",
    "underlying_price",
    "open_interest",
    "vendor_iv",
    "vendor_delta",
    "vendor_gamma",
)


def load_table(table: pl.DataFrame, given: Given, ledger: Ledger) -> OptionRows:
    """Option quotes of a long table (see :func:`wide_to_long` for the other kind)."""
    names = _found(table, given, ledger)
    if not {"bid", "ask", "mark", "vendor_iv"} & set(names):
        wanted = "a column of bids, asks, settlement prices or volatilities (or columns=)"
        raise ledger.fault(wanted, met=", ".join(table.columns))
    rows = _contracts(table, names, given, ledger).with_columns(
        _times(table, names, given, ledger).alias("ts"),
        *(ledger.number(table, names[ours]).alias(ours) for ours in _NUMBERS if ours in names),
    )
    if given.underlying_price is not None:
        rows = rows.with_columns(pl.lit(given.underlying_price).alias("underlying_price"))
    if "vendor_iv" in names and (rows["vendor_iv"].median() or 0.0) > _PERCENT_FROM:  # type: ignore[operator]
        ledger.note(rows["vendor_iv"].is_not_null(), "vendor_iv read as percent")
        rows = rows.with_columns(percent(rows["vendor_iv"]))
    return finished(rows, ledger)


def wide_to_long(table: pl.DataFrame) -> pl.DataFrame | None:
    """The table with one row a contract and a column ``right``; None where it is long already.

    ``line`` is the row of the file each came from.
    """
    sides: dict[str, dict[str, str]] = {"C": {}, "P": {}}
    shared = []
    for name in table.columns:
        parts = re.split(r"[.\-_ ]+", name.lower())
        at_end, at_start = _SIDES.get(parts[-1]), _SIDES.get(parts[0])
        side = at_end or at_start
        if len(parts) > 1 and side is not None:
            stem = "_".join(parts[:-1] if at_end else parts[1:])
            sides[side][stem] = name
        else:
            shared.append(name)
    both = [stem for stem in sides["C"] if stem in sides["P"]]
    if not {"bid", "ask"} & set(both):
        return None
    lined = table.with_columns(pl.int_range(1, table.height + 1, eager=True).alias("line"))
    return pl.concat(
        lined.select(
            "line",
            *shared,
            pl.lit(side).alias("right"),
            *(pl.col(sides[side][stem]).alias(stem) for stem in both),
        )
        for side in ("C", "P")
    )


def _found(table: pl.DataFrame, given: Given, ledger: Ledger) -> dict[str, str]:
    """Our names for the table's columns."""
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(table.columns)}
    found = {}
    for ours, theirs in _NAMES.items():
        known = [plain[name] for name in theirs if name in plain]
        if known:
            found[ours] = known[0]
    for ours, stated in (given.columns or {}).items():
        if ours not in _NAMES:
            raise ledger.fault(f"columns for {', '.join(_NAMES)}", met=ours)
        name = stated.strip().lower()
        if name not in table.columns:
            raise ledger.fault(f"a column '{stated}'", met=", ".join(table.columns), column=stated)
        found[ours] = name
    return found


def _contracts(
    table: pl.DataFrame, names: dict[str, str], given: Given, ledger: Ledger
) -> pl.DataFrame:
    occ = (
        "symbol" in names
        and table[names["symbol"]].cast(pl.String).str.contains(r"\d{6}[CP]\d{8}$").any()
    )
    if occ:
        return listed(occ_contracts(table[names["symbol"]], ledger), given, ledger)
    if given.underlying is None:
        wanted = "an underlying (no OCC symbols here: give underlying=)"
        raise ledger.fault(wanted, met=", ".join(table.columns), column="underlying")
    strikes = names.get("strike")
    if strikes is None:
        wanted = "a column of strikes (or columns={'strike': ...})"
        raise ledger.fault(wanted, met=", ".join(table.columns), column="strike")
    root = given.root or given.underlying
    moment = ":" in (given.expiry or "")
    contracts = pl.DataFrame(
        {
            "date": _expiry_dates(table, names, given, ledger),
            "is_call": _sides(table, names, given, ledger),
            "strike": ledger.scaled(ledger.number(table, strikes, needed=True), given),
        }
    ).with_columns(pl.lit(root).alias("root"))
    rows = listed(contracts.with_columns(occ_symbols(contracts)), given, ledger)
    rows = rows.with_columns(pl.lit(given.underlying).alias("underlying"))
    if moment:
        rows = rows.with_columns(
            pl.lit(clock.parse_ns(given.expiry or "")).cast(_UTC).alias("expiry")
        )
    return rows


def _expiry_dates(
    table: pl.DataFrame, names: dict[str, str], given: Given, ledger: Ledger
) -> pl.Series:
    if given.expiry is not None:
        day = clock.as_date(given.expiry[:10], what="expiry")
        return pl.Series([day]).new_from_index(0, table.height)
    if "expiry" not in names:
        wanted = "an expiry (no such column: give expiry=)"
        raise ledger.fault(wanted, met=", ".join(table.columns), column="expiry")
    return dates_of(table[names["expiry"]], ledger)


def _sides(table: pl.DataFrame, names: dict[str, str], given: Given, ledger: Ledger) -> pl.Series:
    if "right" in names:
        return is_call_of(table[names["right"]], ledger)
    if given.is_call is None:
        wanted = "calls or puts (no such column: give is_call=)"
        raise ledger.fault(wanted, met=", ".join(table.columns), column="right")
    return pl.Series([given.is_call]).new_from_index(0, table.height)


def _times(table: pl.DataFrame, names: dict[str, str], given: Given, ledger: Ledger) -> pl.Series:
    """The caller's time, else a zoned time column, else the session close of a date column."""
    if given.at_ns is not None:
        return pl.Series([given.at_ns]).new_from_index(0, table.height).cast(_UTC)
    if "ts" in names:
        return _stamps(table[names["ts"]], given, ledger)
    if "date" in names:
        return session_closes(dates_of(table[names["date"]], ledger))
    raise ledger.fault("a time of the quotes (the file has none: give at=)", column="ts")


def _stamps(stamps: pl.Series, given: Given, ledger: Ledger) -> pl.Series:
    if given.zone is not None:
        return to_utc(stamps, given.zone, file=ledger.file)
    if isinstance(stamps.dtype, pl.Datetime) and stamps.dtype.time_zone is not None:
        return stamps.dt.cast_time_unit("ns").dt.convert_time_zone("UTC")
    if stamps.dtype == pl.String:
        return from_zoned_text(stamps, file=ledger.file)
    wanted = "times with a zone (or zone=, at=)"
    raise ledger.fault(wanted, met=str(stamps.dtype), column=stamps.name)
