"""Cboe delayed quotes: the table of an export, the CSV of the quote page, the JSON behind it.

The export has one row a contract (``symbol, expiration, cp, strike, bid, ask, iv, root_file,
last_underlying``) and no time: the caller states it. The CSV begins with lines that name the
underlying, its last price and the time with its zone, and has a call and a put on each row. The
JSON has the underlying and its ``options``, each under its OCC symbol, with sizes and Greeks; its
time is UTC, and one that lies before the underlying's own last trade (New York time) is refused.

Quotes are delayed by fifteen minutes. Options with a.m. settlement (root SPX) and p.m. settlement
(SPXW) of one date settle six and a half hours apart and are different expiries here. A volatility
of 0 is missing. Read Cboe's terms before asking its servers by program.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from eventtape import clock
from eventtape.errors import InputError
from eventtape.sources.files import json_rows, parse_csv
from eventtape.sources.option_files_contracts import dates_of, is_call_of, listed, occ_contracts
from eventtape.sources.option_files_rows import Given, Ledger, OptionRows, finished

__all__ = ["cboe_csv_table", "cboe_json_table", "load_cboe", "load_cboe_export"]

_UTC = pl.Datetime("ns", "UTC")
_HEADER = "Expiration Date,Calls,"
_ZONES = {"EDT": "-04:00", "EST": "-05:00", "ET": None}
_OURS = {
    "bid": "bid",
    "ask": "ask",
    "iv": "vendor_iv",
    "delta": "vendor_delta",
    "gamma": "vendor_gamma",
    "open interest": "open_interest",
}
_JSON = {
    "bid_size": "bid_size",
    "ask_size": "ask_size",
    "vega": "vendor_vega",
    "theta": "vendor_theta",
    "rho": "vendor_rho",
    "theo": "mark",
}


def load_cboe_export(table: pl.DataFrame, given: Given, ledger: Ledger) -> OptionRows:
    """Option quotes of the flat export, all stamped at the time the caller states."""
    at = ledger.at(given)
    contracts = occ_contracts(table["symbol"], ledger)
    said = {
        "strike": ("strike", ledger.number(table, "strike")),
        "expiration": ("date", dates_of(table["expiration"], ledger)),
        "cp": ("is_call", is_call_of(table["cp"], ledger)),
    }
    for name, (ours, values) in said.items():
        reason = f"not its symbol's {name}"
        bad = values != contracts[ours]
        ledger.reject(table[name], bad, f"the {name} of its symbol", reason)
    rows = listed(contracts, given, ledger).with_columns(
        pl.lit(at).cast(_UTC).alias("ts"),
        *(
            ledger.maybe(table, theirs.replace(" ", "_")).alias(ours)
            for theirs, ours in _OURS.items()
        ),
        ledger.number(table, "last_underlying").alias("underlying_price"),
    )
    return finished(rows, ledger)


def load_cboe(table: pl.DataFrame, given: Given, ledger: Ledger) -> OptionRows:
    """Option quotes of :func:`cboe_csv_table` or :func:`cboe_json_table`."""
    at = _stated_time(table) if given.at_ns is None else given.at_ns
    contracts = occ_contracts(table["contract"], ledger)
    rows = listed(contracts, given, ledger).with_columns(
        pl.lit(at).cast(_UTC).alias("ts"),
        *(ledger.maybe(table, theirs).alias(ours) for theirs, ours in (_OURS | _JSON).items()),
        ledger.maybe(table, "last").alias("underlying_price"),
    )
    return finished(rows, ledger, day_vega=True)


def cboe_csv_table(data: bytes, *, file: str) -> pl.DataFrame:
    """One row a contract of the quote page's CSV: ``contract, at_ns, last, line`` and its columns.

    The lines above the header name the underlying's last price and the time.
    """
    text = data.decode("utf-8-sig", errors="replace")
    at = text.find(_HEADER)
    if at < 0:
        raise InputError(f"a line that begins {_HEADER}", met=text[:60], file=file)
    head, skipped = text[:at], text[:at].count("\n")
    last = re.search(r"Last:\s*([\d.,]*\d)", head)
    if last is None:
        raise InputError("the underlying's price, as in Last: 4505.1", met=head[:200], file=file)
    wide = parse_csv(text[at:].encode(), file=file)
    wide = wide.rename({name: name.strip().lower() for name in wide.columns})
    line = pl.int_range(skipped + 2, skipped + 2 + wide.height, eager=True)
    halves = []
    for side, tail in (("calls", ""), ("puts", "_duplicated_0")):
        names = {
            ours: theirs
            for ours in _OURS
            for theirs in (f"{ours}{tail}", f"{_short(ours)}{tail}")
            if theirs in wide.columns
        }
        halves.append(
            wide.select(
                pl.col(side).alias("contract"),
                *(pl.col(theirs).alias(ours) for ours, theirs in names.items()),
            ).with_columns(line.alias("line"))
        )
    return pl.concat(halves).with_columns(
        pl.lit(_page_time(head, file)).alias("at_ns"),
        pl.lit(float(last[1].replace(",", ""))).alias("last"),
    )


def cboe_json_table(payload: Any, *, file: str | None) -> pl.DataFrame:
    """One row a contract of the page's JSON answer, in the columns of :func:`cboe_csv_table`."""
    data = payload.get("data") if isinstance(payload, Mapping) else None
    if not isinstance(data, Mapping) or "timestamp" not in payload or "options" not in data:
        met = sorted(payload) if isinstance(payload, Mapping) else type(payload).__name__
        raise InputError("an object with 'timestamp' and 'data.options'", met=met, file=file)
    stamp = str(payload["timestamp"]).replace(" ", "T")
    at = clock.parse_ns(f"{stamp}Z")
    _after_last_trade(at, stamp, data.get("last_trade_time"), file)
    rows = [dict(row.values) for row in json_rows(data["options"], file=file)]
    if not rows:
        raise InputError("at least one option", met="none", file=file, column="options")
    table = pl.DataFrame(rows, infer_schema_length=None, strict=False)
    table = table.rename({"option": "contract", "open_interest": "open interest"}, strict=False)
    if "contract" not in table.columns:
        raise InputError("options with a field 'option'", met=table.columns, file=file)
    spot = data.get("current_price")
    if isinstance(spot, bool) or not isinstance(spot, int | float):
        raise InputError("a number", met=spot, file=file, column="current_price")
    return table.drop("last", strict=False).with_columns(
        pl.lit(at).alias("at_ns"),
        pl.lit(float(spot)).alias("last"),
        pl.int_range(1, len(rows) + 1, eager=True).alias("line"),
    )


def _after_last_trade(at: int, stamp: str, last: object, file: str | None) -> None:
    if not isinstance(last, str):
        return
    try:
        traded = datetime.fromisoformat(last)
    except ValueError:
        raise InputError("an ISO time", met=last, file=file, column="last_trade_time") from None
    if traded.tzinfo is None:
        traded = traded.replace(tzinfo=clock.zone("America/New_York"))
    if at < int(traded.timestamp()) * clock.SECOND:
        wanted = f"a time in UTC not before the underlying's last trade, {traded.isoformat()}"
        raise InputError(wanted, met=stamp, file=file, column="timestamp")


def _page_time(head: str, file: str) -> int:
    """The time in a line such as ``Date: August 29, 2026 at 3:19 PM EDT``, ns UTC."""
    found = re.search(r"(\w+ \d{1,2},? \d{4}) (?:at|@) (\d{1,2}:\d{2}(?: [AP]M)?) (\w+)", head)
    if found is None:
        wanted = "a time such as Date: August 29, 2026 at 3:19 PM EDT"
        raise InputError(wanted, met=head[:200], file=file)
    text, zone = f"{found[1].replace(',', '')} {found[2]}", found[3]
    if zone not in _ZONES:
        raise InputError(f"a zone among {', '.join(_ZONES)}", met=zone, file=file)
    for shape in ("%B %d %Y %I:%M %p", "%b %d %Y %I:%M %p", "%b %d %Y %H:%M", "%B %d %Y %H:%M"):
        try:
            wall = datetime.strptime(text, shape)  # noqa: DTZ007
        except ValueError:
            continue
        offset = _ZONES[zone]
        if offset is None:
            moment = wall.replace(tzinfo=clock.zone("America/New_York"))
            return int(moment.timestamp()) * clock.SECOND
        return clock.parse_ns(f"{wall.isoformat()}{offset}")
    raise InputError("a time such as August 29, 2026 at 3:19 PM", met=text, file=file)


def _short(name: str) -> str:
    return {"open interest": "open int"}.get(name, name)


def _stated_time(table: pl.DataFrame) -> int:
    return int(table["at_ns"][0])
