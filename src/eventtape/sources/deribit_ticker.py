"""One Deribit contract's ticker as a row of option quotes, and the contracts that are listed.

A name says what a contract is (``BTC-27JUN25-100000-C``); it is taken apart once, not with every
message. Units are those of the other Deribit loaders: dollars through the index for coin prices,
shares for percent, greeks per 1.00 and per year.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl

from eventtape.errors import InputError
from eventtape.sources.deribit_rest import DERIBIT, result_rows
from eventtape.sources.files import JsonRow, need
from eventtape.sources.http import Client
from eventtape.sources.live_json import number, object_in
from eventtape.sources.option_files_contracts import deribit_contracts
from eventtape.sources.option_files_rows import Ledger

__all__ = ["Contract", "contracts_of", "fetch_deribit_contracts", "quote_values"]

_MILLISECOND = 1_000_000
_PERCENT = 100.0
_DAYS = 365.0


class Contract(NamedTuple):
    """What a contract's name says."""

    symbol: str
    underlying: str
    expiry_ns: int
    strike: float
    is_call: bool
    style: str
    settlement: str


def contracts_of(names: Sequence[str], *, file: str | None = None) -> list[Contract]:
    """The contracts of these names, in their order; a name that is none is an ``InputError``."""
    table = pl.DataFrame({"instrument_name": list(names)}, schema={"instrument_name": pl.String})
    ledger = Ledger(table, "deribit names", file)
    rows = deribit_contracts(table["instrument_name"], ledger)
    ledger.reject(rows["symbol"], rows["symbol"].is_duplicated(), "each contract once", "repeated")
    return [Contract(*row) for row in rows.with_columns(pl.col("expiry").to_physical()).iter_rows()]


def fetch_deribit_contracts(
    client: Client, currency: str = "BTC", *, base: str = DERIBIT
) -> list[Contract]:
    """The options of a currency that are listed now, by expiry and strike."""
    url = f"{base}/api/v2/public/get_instruments"
    asked = {"currency": currency, "kind": "option", "expired": "false"}
    table = result_rows(client.get_json(url, asked), file=url)
    need(table, ("instrument_name", "expiration_timestamp", "strike"), file=url)
    ledger = Ledger(table, "deribit instruments", url)
    stated = ledger.number(table, "expiration_timestamp", needed=True)
    strikes = ledger.number(table, "strike", needed=True)
    found = contracts_of(table["instrument_name"].cast(pl.String).to_list(), file=url)
    for row, contract in enumerate(found):
        met = (int(stated[row]) * _MILLISECOND, strikes[row])
        if met != (contract.expiry_ns, contract.strike):
            wanted = f"the expiry and strike of {contract.symbol}"
            raise InputError(wanted, met=met, file=url, row=row + 1)
    return sorted(found, key=lambda at: (at.expiry_ns, at.strike, not at.is_call))


def quote_values(contract: Contract, ticker: JsonRow, ts: int) -> tuple[Any, ...]:
    """A row of option quotes, in the record's order, of a ticker stamped ``ts``."""
    if ticker.text("instrument_name") != contract.symbol:
        raise ticker.fault("instrument_name", contract.symbol, ticker.values.get("instrument_name"))
    inverse = contract.settlement == "inverse"
    index = _price(ticker, "index_price")
    if inverse and index is None:
        raise ticker.fault("index_price", "an index above 0", ticker.values.get("index_price"))
    scale = index if inverse and index is not None else 1.0
    bid, ask = (_price(ticker, f"best_{side}_price") for side in ("bid", "ask"))
    mark = _number(ticker, "mark_price")
    greeks = object_in(ticker.values.get("greeks") or {}, ticker.file or "", "greeks")
    return (
        contract.symbol,
        contract.underlying,
        ts,
        *contract[2:],
        _times(bid, scale),
        _times(ask, scale),
        _number(ticker, "best_bid_amount"),
        _number(ticker, "best_ask_amount"),
        _times(mark, scale),
        index,
        _price(ticker, "underlying_price"),
        bid if inverse else None,
        ask if inverse else None,
        _share(ticker, "mark_iv"),
        None,
        _share(ticker, "bid_iv"),
        _share(ticker, "ask_iv"),
        _number(greeks, "delta"),
        _number(greeks, "gamma"),
        _times(_number(greeks, "vega"), _PERCENT),
        _times(_number(greeks, "theta"), _DAYS),
        _times(_number(greeks, "rho"), _PERCENT),
        _number(ticker, "open_interest"),
    )


def _number(row: JsonRow, name: str) -> float | None:
    return None if row.values.get(name) is None else number(row, name)


def _price(row: JsonRow, name: str) -> float | None:
    """A price, None where nobody quotes: the service writes 0."""
    price = _number(row, name)
    if price is not None and price < 0:
        raise row.fault(name, "a price >= 0", price)
    return price or None


def _share(row: JsonRow, name: str) -> float | None:
    """Percent as a share, None where it is missing: the service writes 0."""
    value = _number(row, name)
    return None if value is None or value <= 0 else value / _PERCENT


def _times(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale
