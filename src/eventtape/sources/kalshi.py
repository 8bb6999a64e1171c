"""Kalshi: trades and candlesticks of event contracts, prices as probability of YES (0 to 1).

A contract pays one dollar if the event happens, so a price in dollars is a probability. Kalshi
writes it in three ways, told apart by name and type, never by size: ``<name>_dollars`` as text
("0.5600") where it is given; else ``<name>`` as text, in dollars (the historical tier); else
``<name>`` as a whole number of cents (56). Counts likewise: ``<name>_fp`` before ``<name>``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from eventtape.errors import InputError
from eventtape.sources.files import (
    JsonRow,
    hundredths,
    json_rows,
    load_json,
    numbers,
    read_bytes,
    read_table,
    refuse,
    rows_under,
)
from eventtape.sources.stamps import from_epoch, from_zoned_text, to_utc
from eventtape.tape import PROBABILITY, TRADE, check

__all__ = [
    "parse_candlesticks",
    "parse_trades",
    "read_candlesticks",
    "read_trade_dump",
    "read_trades_csv",
]

_CENTS = 100.0
_SIDES = {"yes": 1, "no": -1}
_TRADE_SCHEMA = {
    "symbol": pl.String(),
    "ts": pl.Int64(),
    "price": pl.Float64(),
    "size": pl.Float64(),
    "side": pl.Int8(),
    "trade_id": pl.String(),
}
_Trade = tuple[str, int, float, float, int, str | None]


def read_trade_dump(path: str | Path, *, ticker: str) -> pl.DataFrame:
    """Trades of one contract from a daily JSON dump (plain or gzip); price in (0, 1), side 0.

    The dump is a list of ``{ticker_name, create_ts, contracts_traded, price}`` over all
    contracts, price in cents; the rows of other tickers are not returned. It runs in one
    direction: one that runs newest first is turned round, one that runs both ways is an error.
    """
    file = str(path)
    dump = json_rows(load_json(read_bytes(path), file=file), file=file)
    rows = [row for row in dump if row.text("ticker_name") == ticker]
    if not rows:
        raise InputError(f"at least one trade of {ticker}", met="none", file=file)
    stamps = [row.stamp("create_ts") for row in rows]
    if stamps[0] > stamps[-1]:
        rows.reverse()
        stamps.reverse()
    for (before, after), row in zip(pairwise(stamps), rows[1:], strict=True):
        if after < before:
            met = row.values["create_ts"]
            raise row.fault("create_ts", "times that run in one direction", met)
    trades = [_dump_trade(row, ts) for row, ts in zip(rows, stamps, strict=True)]
    return _trade_frame(trades, file)


def parse_trades(
    payload_pages: Iterable[Mapping[str, Any]], *, ticker: str, file: str | None = None
) -> pl.DataFrame:
    """Trades of one contract from REST pages, oldest first; side +1 where the taker bought YES.

    The service answers newest first, page after page. Pages may overlap: a trade met again under
    its ``trade_id`` is joined with its twin, and refused if the two differ. ``row`` in an error
    counts the trades over all pages as they came.
    """
    trades: list[_Trade] = []
    known: dict[str | None, int] = {}
    met = 0
    for page in payload_pages:
        rows = rows_under(page, "trades", file=file, after=met)
        met += len(rows)
        for row in rows:
            trade = _rest_trade(row, ticker)
            trade_id = trade[-1]
            if trade_id in known:
                if trades[known[trade_id]] != trade:
                    raise row.fault("trade_id", "one trade under one trade_id", trade_id)
                continue
            if trades and trade[1] > trades[-1][1]:
                stamp = row.values["created_time"]
                raise row.fault("created_time", "times that do not rise (newest first)", stamp)
            known[trade_id] = len(trades)
            trades.append(trade)
    trades.reverse()
    return _trade_frame(trades, file)


def read_trades_csv(path: str | Path) -> pl.DataFrame:
    """Trades of every contract in a CSV of REST trades, oldest first; price in (0, 1).

    Columns ``trade_id, ticker, count, created_time, yes_price, no_price, taker_side``, prices in
    cents. A ``created_time`` with no zone is refused.
    """
    file = str(path)
    table = read_table(
        path, "trade_id", "ticker", "count", "created_time", "yes_price", "no_price", "taker_side"
    )
    yes, no = (numbers(table, name, file=file) for name in ("yes_price", "no_price"))
    refuse(yes, (yes <= 0) | (yes >= _CENTS), "cents above 0 and below 100", file=file)
    refuse(no, yes + no != _CENTS, "a no price that adds to 100 with the yes price", file=file)
    side = table["taker_side"]
    refuse(side, side.is_null() | ~side.is_in(list(_SIDES)), "yes or no", file=file)
    frame = pl.DataFrame(
        {
            "symbol": table["ticker"],
            "ts": from_zoned_text(table["created_time"], file=file),
            "price": hundredths(yes),
            "size": numbers(table, "count", file=file),
            "side": side.replace_strict(_SIDES, return_dtype=pl.Int8),
            "trade_id": table["trade_id"],
        }
    )
    return check(frame, TRADE, file=file)


def read_candlesticks(path: str | Path, *, ticker: str, zone: str) -> pl.DataFrame:
    """Probability (bid/ask mid of each candle's close, 0 to 1) from a candlestick CSV in cents.

    ``timestamp`` labels the END of the candle on the clock of ``zone``. A side that nobody quotes
    (bid 0 or ask 100) is null in ``bid`` or ``ask``; the mid then uses the bound of the payoff in
    its place (0 or 1), which no contract can pass. A candle with neither side is an error: it
    states no probability. ``size`` is the contracts traded in the candle.
    """
    file = str(path)
    table = read_table(path, "timestamp", "bid_close", "ask_close", "volume")
    bid, ask = (hundredths(numbers(table, name, file=file)) for name in ("bid_close", "ask_close"))
    stamps = to_utc(table["timestamp"], zone, file=file)
    return _candle_frame(ticker, stamps, bid, ask, numbers(table, "volume", file=file), file)


def parse_candlesticks(
    payload: Mapping[str, Any], *, ticker: str, file: str | None = None
) -> pl.DataFrame:
    """Probability (bid/ask mid of each candle's close, 0 to 1) from a REST candlestick answer.

    ``end_period_ts`` is the end of the candle. A missing side is treated as in
    :func:`read_candlesticks`.
    """
    rows = rows_under(payload, "candlesticks", file=file)
    columns = {
        "end_period_ts": [row.number("end_period_ts") for row in rows],
        "bid": [_dollars(_quote(row, "yes_bid"), "close") for row in rows],
        "ask": [_dollars(_quote(row, "yes_ask"), "close") for row in rows],
        "volume": [_count(row, "volume") for row in rows],
    }
    stamps, bid, ask, volume = (pl.Series(name, c, pl.Float64) for name, c in columns.items())
    return _candle_frame(ticker, from_epoch(stamps, file=file), bid, ask, volume, file)


def _candle_frame(
    ticker: str,
    stamps: pl.Series,
    bid: pl.Series,
    ask: pl.Series,
    volume: pl.Series,
    file: str | None,
) -> pl.DataFrame:
    for quote in (bid, ask):
        refuse(quote, ~quote.is_between(0, 1), "a quote from 0 to 1 dollar", file=file)
    refuse(bid, (bid == 0) & (ask == 1), "a bid or an ask (nobody quotes either)", file=file)
    refuse(bid, bid > ask, f"a {bid.name} not above {ask.name}", file=file)
    frame = pl.DataFrame({"ts": stamps, "low": bid, "high": ask, "size": volume}).select(
        pl.lit(ticker).alias("symbol"),
        "ts",
        ((pl.col("low") + pl.col("high")) / 2).alias("probability"),
        pl.when(pl.col("low") != 0).then("low").alias("bid"),
        pl.when(pl.col("high") != 1).then("high").alias("ask"),
        "size",
    )
    return check(frame, PROBABILITY, file=file)


def _quote(row: JsonRow, name: str) -> JsonRow:
    quote = row.values.get(name)
    if not isinstance(quote, Mapping):
        raise row.fault(name, "an object", quote)
    return row._replace(values=quote)


def _dump_trade(row: JsonRow, ts: int) -> _Trade:
    price = row.number("price") / _CENTS
    _refuse_settled(row, "price", price)
    return row.text("ticker_name"), ts, price, row.number("contracts_traded"), 0, None


def _rest_trade(row: JsonRow, ticker: str) -> _Trade:
    if row.text("ticker") != ticker:
        raise row.fault("ticker", f"trades of {ticker}", row.text("ticker"))
    yes, no = (_dollars(row, name) for name in ("yes_price", "no_price"))
    _refuse_settled(row, "yes_price", yes)
    if round(yes + no, 6) != 1:
        raise row.fault("no_price", f"a no price that adds to 1 with the yes price {yes:g}", no)
    # Kalshi renamed taker_side to taker_outcome_side; both say what the taker bought.
    taker = row.values.get("taker_outcome_side", row.values.get("taker_side"))
    if taker not in _SIDES:
        raise row.fault("taker_side", "yes or no", taker)
    stamp, size = row.stamp("created_time"), _count(row, "count")
    return ticker, stamp, yes, size, _SIDES[taker], row.text("trade_id")


def _refuse_settled(row: JsonRow, name: str, price: float) -> None:
    if not 0 < price < 1:
        raise row.fault(name, "a price above 0 and below one dollar", row.values.get(name, price))


def _dollars(row: JsonRow, name: str) -> float:
    """Dollars under ``name``, whichever of the three ways it is written."""
    for key in (f"{name}_dollars", name):
        if isinstance(row.values.get(key), str):
            return row.decimal(key)
    cents = row.number(name)
    if cents != int(cents):
        raise row.fault(name, "whole cents, or dollars as text", cents)
    return cents / _CENTS


def _count(row: JsonRow, name: str) -> float:
    """Contracts under ``name``: the fixed-point text where given, else a number."""
    for key in (f"{name}_fp", name):
        if isinstance(row.values.get(key), str):
            return row.decimal(key)
    return row.number(name)


def _trade_frame(trades: list[_Trade], file: str | None) -> pl.DataFrame:
    frame = pl.DataFrame(trades, schema=_TRADE_SCHEMA, orient="row")
    return check(frame.with_columns(pl.col("ts").cast(pl.Datetime("ns", "UTC"))), TRADE, file=file)
