"""End-of-day files of listed options with a vendor's American volatilities and Greeks.

Two layouts of one vendor. The older CSV has padded column names (``under``, ``put/call``, ``implied
vol``, ``nonstd``); the newer has ``option symbol``, ``Call/Put``, ``iv`` and the underlying's
unadjusted close. ``iv`` is filled in from other strikes where a quote has no volatility; ``preiv``
is that of the quote itself. A row says its date alone: it is stamped at the close of that session.
A volatility of 0 or -1 is missing, and its Greeks with it. Contracts on the day they expire, or
listed after it, are left out, and so are the minis and adjusted contracts of the older file, whose
root ends in a digit.
"""

from __future__ import annotations

import polars as pl

from eventtape.sources.option_files_contracts import (
    dates_of,
    is_call_of,
    listed,
    occ_contracts,
    session_closes,
)
from eventtape.sources.option_files_rows import Given, Ledger, OptionRows, finished

__all__ = ["load_vendor_eod"]

_GREEKS = ("delta", "gamma", "vega", "theta", "rho")
_STYLES = {"A": "american", "E": "european"}


def load_vendor_eod(table: pl.DataFrame, given: Given, ledger: Ledger) -> OptionRows:
    """Option quotes of either layout, stamped at the close of the session of their date."""
    newer = "option symbol" in table.columns
    contracts = occ_contracts(table["option symbol" if newer else "symbol"], ledger)
    _agree(table, contracts, ledger, right="call/put" if newer else "put/call")
    rows = listed(contracts, given, ledger)
    if "style" in table.columns and given.style is None:
        style = table["style"].replace_strict(_STYLES, default=None, return_dtype=pl.String)
        ledger.reject(table["style"], style.is_null(), "A or E", "no exercise style")
        rows = rows.with_columns(style.alias("style"))
    iv = ledger.number(table, "iv" if newer else "implied vol")
    known = iv > 0
    rows = rows.with_columns(
        session_closes(dates_of(table["date"], ledger)).alias("ts"),
        *(ledger.number(table, name).alias(name) for name in ("bid", "ask")),
        iv.alias("vendor_iv"),
        ledger.maybe(table, "preiv").alias("vendor_quote_iv"),
        *(
            pl.when(known).then(ledger.maybe(table, name)).alias(f"vendor_{name}")
            for name in _GREEKS
        ),
        ledger.maybe(table, "open interest").alias("open_interest"),
        ledger.spot(table, "unadjusted close", given).alias("underlying_price"),
    )
    return finished(rows, ledger, day_vega=True)


def _agree(table: pl.DataFrame, contracts: pl.DataFrame, ledger: Ledger, *, right: str) -> None:
    """The columns beside a symbol must say what the symbol says."""
    strike = ledger.number(table, "strike", needed=True)
    wanted = "the strike of its symbol"
    ledger.reject(table["strike"], strike != contracts["strike"], wanted, "not its symbol's strike")
    same = is_call_of(table[right], ledger) == contracts["is_call"]
    ledger.reject(table[right], ~same, "the side of its symbol", "not its symbol's side")
    date = dates_of(table["expiration"], ledger)
    ledger.reject(
        table["expiration"],
        date != contracts["date"],
        "the expiration of its symbol",
        "not its symbol's expiration",
    )
