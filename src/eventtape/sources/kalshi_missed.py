"""What a live connection to Kalshi missed, over REST: trades one by one, quotes minute by minute.

Rows are those of a probability with their identity in a column ``key``. The parsers are those of
the stored answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from eventtape.clock import SECOND
from eventtape.errors import FetchError
from eventtape.sources.files import rows_under
from eventtape.sources.http import Client
from eventtape.sources.kalshi import parse_candlesticks, parse_trades
from eventtape.tape import PROBABILITY, empty, times_ns

__all__ = ["missed_quotes", "missed_trades"]

_API = "trade-api/v2"
_PAGE = 1_000  # trades a page, the most the service gives
_DAY = 86_400
_NONE = empty(PROBABILITY).with_columns(pl.lit("").alias("key"))


def missed_trades(
    client: Client, base: str, ticker: str, from_ns: int, to_ns: int, *, unit_ns: int
) -> pl.DataFrame:
    """Trades stamped from ``from_ns`` to ``to_ns``, stamps cut down to whole ``unit_ns``."""
    url = f"{base}/{_API}/markets/trades"
    params: dict[str, str | int] = {
        "ticker": ticker,
        "min_ts": from_ns // SECOND,
        "max_ts": to_ns // SECOND + 1,
        "limit": _PAGE,
    }
    pages: list[Mapping[str, Any]] = []
    cursors: list[str] = []
    while True:
        page = client.get_json(url, params)
        if rows_under(page, "trades", file=url):
            pages.append(page)
        cursor = page.get("cursor")
        if not cursor:
            break
        if cursor in cursors:
            raise FetchError(f"{url}: the cursor {cursor!r} came twice, pages would never end")
        cursors.append(cursor)
        params = {**params, "cursor": cursor}
    if not pages:
        return _NONE
    trades = parse_trades(pages, ticker=ticker, file=url)
    at = times_ns(trades) // unit_ns * unit_ns
    rows = trades.select(
        "symbol",
        pl.Series("ts", at).cast(pl.Datetime("ns", "UTC")),
        pl.col("price").alias("probability"),
        *(pl.lit(None, pl.Float64).alias(side) for side in ("bid", "ask")),
        "size",
        pl.col("trade_id").alias("key"),
    )
    return rows.filter(pl.Series((at >= from_ns) & (at <= to_ns)))


def missed_quotes(
    client: Client, base: str, series: str, ticker: str, from_ns: int, to_ns: int
) -> pl.DataFrame:
    """Quotes in force at the end of each minute from ``from_ns`` to ``to_ns``."""
    url = f"{base}/{_API}/series/{series}/markets/{ticker}/candlesticks"
    frames = []
    end = to_ns // SECOND
    for since in range(from_ns // SECOND, end + 1, _DAY):
        until = min(since + _DAY - 1, end)
        params: dict[str, str | int] = {"start_ts": since, "end_ts": until, "period_interval": 1}
        page = client.get_json(url, params)
        if rows_under(page, "candlesticks", file=url):
            frames.append(parse_candlesticks(page, ticker=ticker, file=url))
    if not frames:
        return _NONE
    rows = pl.concat(frames)
    at = times_ns(rows)
    keys = pl.Series("key", [f"candle {ts}" for ts in at.tolist()], pl.String)
    return rows.with_columns(keys).filter(pl.Series((at >= from_ns) & (at <= to_ns)))
