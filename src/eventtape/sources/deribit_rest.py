"""Deribit over HTTP: the book summary of all options of a currency, and its trades page by page.

Neither needs a key. Prices of inverse options are in the coin and become dollars through the index:
``estimated_delivery_price`` of a summary (the index, outside the half hour before a settlement),
``index_price`` of a trade. ``underlying_price`` of a summary is the forward of its expiry. Times
are milliseconds UTC. Sizes are not in the summary.

Trades are asked for oldest first from a time on, and each page begins at the time the one before
ended: a trade met again under its ``trade_id`` is joined with its twin. Trades at one millisecond
that fill a whole page cannot be passed by time; that is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from eventtape.errors import FetchError, InputError
from eventtape.sources.files import json_rows
from eventtape.sources.http import Client, Progress
from eventtape.sources.option_files_contracts import deribit_contracts
from eventtape.sources.option_files_rows import (
    BadRows,
    Given,
    Ledger,
    OptionRows,
    finished,
    percent,
)
from eventtape.tape import OPTION_TRADE

__all__ = [
    "DERIBIT",
    "fetch_deribit_book",
    "fetch_deribit_trades",
    "load_deribit_book",
    "load_deribit_last_trades",
    "result_rows",
]

DERIBIT = "https://www.deribit.com"
_API = "api/v2/public"
_PAGE = 1_000  # the most the service gives
_MILLISECOND = 1_000_000
_UTC = pl.Datetime("ns", "UTC")


def fetch_deribit_book(
    client: Client, currency: str = "BTC", *, base: str = DERIBIT, bad: BadRows = "raise"
) -> OptionRows:
    """Option quotes of every listed option of a currency, as they stand now."""
    url = f"{base}/{_API}/get_book_summary_by_currency"
    payload = client.get_json(url, {"currency": currency, "kind": "option"})
    table = result_rows(payload, file=url)
    return load_deribit_book(table, Given(), Ledger(table, "deribit book summary", url, bad))


def fetch_deribit_trades(
    client: Client,
    currency: str = "BTC",
    *,
    start_ns: int,
    end_ns: int,
    base: str = DERIBIT,
    page_rows: int = _PAGE,
    bad: BadRows = "raise",
    progress: Progress | None = None,
) -> OptionRows:
    """Option trades of a currency with ``start_ns <= ts < end_ns``, oldest first."""
    if not start_ns < end_ns:
        raise InputError("a window that ends after it starts", met=(start_ns, end_ns))
    url = f"{base}/{_API}/get_last_trades_by_currency"
    start, last = -(-start_ns // _MILLISECOND), (end_ns - 1) // _MILLISECOND
    trades: dict[str, Mapping[str, Any]] = {}
    while True:
        params: dict[str, str | int] = {
            "currency": currency,
            "kind": "option",
            "start_timestamp": start,
            "end_timestamp": last,
            "count": page_rows,
            "sorting": "asc",
        }
        rows, more = _page(client.get_json(url, params), url)
        fresh = _joined(trades, rows, url)
        if progress is not None:
            progress(f"{currency} options", len(trades), None)
        if not more:
            break
        if not fresh:
            raise FetchError(f"{url}: a page from {start} ms on brought nothing new, yet has more")
        start = int(rows[-1]["timestamp"])
    if not trades:
        raise FetchError(f"{url}: no option trades of {currency} in the window")
    table = _frame(trades.values())
    return load_deribit_last_trades(table, Given(), Ledger(table, "deribit last trades", url, bad))


def load_deribit_book(table: pl.DataFrame, given: Given, ledger: Ledger) -> OptionRows:
    """Option quotes of a book summary, in dollars; the coin's own prices are kept beside them."""
    rows = deribit_contracts(table["instrument_name"], ledger)
    forward = ledger.maybe(table, "underlying_price")
    index = ledger.spot(table, "estimated_delivery_price", given)
    inverse = rows["settlement"] == "inverse"
    ledger.reject(
        index.alias("estimated_delivery_price"),
        inverse & ~(index > 0).fill_null(value=False),
        "an index above 0",
        "no index for a coin price",
    )
    stamps = ledger.number(table, "creation_timestamp", needed=True)
    coins = {side: ledger.maybe(table, f"{side}_price") for side in ("bid", "ask", "mark")}
    rows = rows.with_columns(
        (stamps.cast(pl.Int64) * _MILLISECOND).cast(_UTC).alias("ts"),
        *(_dollars(coin, index, inverse).alias(side) for side, coin in coins.items()),
        *(pl.when(inverse).then(coins[side]).alias(f"coin_{side}") for side in ("bid", "ask")),
        index.alias("underlying_price"),
        forward.alias("forward_price"),
        percent(ledger.maybe(table, "mark_iv")).alias("vendor_iv"),
        ledger.maybe(table, "open_interest").alias("open_interest"),
    )
    return finished(rows, ledger)


def load_deribit_last_trades(table: pl.DataFrame, given: Given, ledger: Ledger) -> OptionRows:
    """Option trades of REST answers, in dollars; ``side`` is what the taker did."""
    del given
    rows = deribit_contracts(table["instrument_name"], ledger)
    price = ledger.number(table, "price", needed=True)
    ledger.reject(table["price"], price <= 0, "a price > 0", "no price")
    size = ledger.number(table, "amount", needed=True)
    ledger.reject(table["amount"], size <= 0, "a size > 0", "no size")
    side = table["direction"].replace_strict(
        {"buy": 1, "sell": -1}, default=None, return_dtype=pl.Int8
    )
    ledger.reject(table["direction"], side.is_null(), "buy or sell", "no side")
    index = ledger.number(table, "index_price", needed=True)
    inverse = rows["settlement"] == "inverse"
    stamps = ledger.number(table, "timestamp", needed=True)
    rows = rows.with_columns(
        (stamps.cast(pl.Int64) * _MILLISECOND).cast(_UTC).alias("ts"),
        _dollars(price, index, inverse).alias("price"),
        size.alias("size"),
        side.alias("side"),
        _dollars(ledger.maybe(table, "mark_price"), index, inverse).alias("mark"),
        index.alias("underlying_price"),
        pl.when(inverse).then(price).alias("coin_price"),
        percent(ledger.maybe(table, "iv")).alias("vendor_iv"),
        table["trade_id"].cast(pl.String).alias("trade_id"),
    )
    return finished(rows, ledger, OPTION_TRADE)


def result_rows(payload: Any, *, file: str | None) -> pl.DataFrame:
    """The rows of an answer: a list, or its ``result``, or the trades under that."""
    rows = payload.get("result") if isinstance(payload, Mapping) else payload
    if isinstance(rows, Mapping):
        rows = rows.get("trades")
    if not isinstance(rows, list):
        met = sorted(payload) if isinstance(payload, Mapping) else type(payload).__name__
        raise InputError(
            "a list of objects, or an object with the list 'result'", met=met, file=file
        )
    if not rows:
        raise InputError("at least one row", met="none", file=file, column="result")
    return _frame(row.values for row in json_rows(rows, file=file))


def _frame(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([dict(row) for row in rows], infer_schema_length=None, strict=False)


def _dollars(coin: pl.Series, index: pl.Series, inverse: pl.Series) -> pl.Expr:
    return pl.when(inverse).then(coin * index).otherwise(coin)


def _page(payload: Any, url: str) -> tuple[list[Mapping[str, Any]], bool]:
    result = payload.get("result") if isinstance(payload, Mapping) else None
    if not isinstance(result, Mapping) or not isinstance(result.get("has_more"), bool):
        raise InputError("an object with result.trades and result.has_more", file=url)
    rows = [row.values for row in json_rows(result.get("trades"), file=url)]
    return rows, result["has_more"]


def _joined(trades: dict[str, Mapping[str, Any]], rows: list[Mapping[str, Any]], url: str) -> int:
    """Add the rows not met before and say how many; a trade_id with two stories is an error."""
    fresh = 0
    for at, row in enumerate(rows, 1):
        key = str(row.get("trade_id"))
        if key not in trades:
            trades[key] = row
            fresh += 1
        elif trades[key] != row:
            wanted = "one trade under one trade_id"
            raise InputError(wanted, met=key, file=url, row=at, column="trade_id")
    return fresh
