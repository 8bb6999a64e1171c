"""Deribit trades that a live connection missed, over REST: those of a window, or by their numbers.

Answers are joined page by page, oldest first, as the rows came; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eventtape.errors import FetchError, InputError
from eventtape.sources.files import rows_under
from eventtape.sources.http import Client
from eventtape.sources.live_json import object_in, whole

__all__ = ["TRADE_FIELDS", "missed_by_number", "missed_by_time"]

TRADE_FIELDS = (
    "instrument_name",
    "timestamp",
    "price",
    "amount",
    "direction",
    "index_price",
    "mark_price",
    "iv",
    "trade_id",
)
"""What a row is made from; a trade has more."""

_API = "api/v2/public"
_PAGE = 1_000  # the most the service gives
_MILLISECOND = 1_000_000
_Trade = Mapping[str, Any]


def missed_by_time(
    client: Client, base: str, currency: str, from_ns: int, to_ns: int
) -> list[_Trade]:
    """Option trades of a currency stamped from ``from_ns`` to ``to_ns``, both included."""
    url = f"{base}/{_API}/get_last_trades_by_currency"
    start, found = -(-from_ns // _MILLISECOND), dict[str, _Trade]()
    while True:
        params: dict[str, str | int] = {
            "currency": currency,
            "kind": "option",
            "start_timestamp": start,
            "end_timestamp": to_ns // _MILLISECOND,
            "count": _PAGE,
            "sorting": "asc",
        }
        rows, more = _page(client, url, params)
        known = len(found)
        found |= {str(row["trade_id"]): row for row in rows}
        if not more:
            return list(found.values())
        if len(found) == known:
            raise FetchError(f"{url}: a page from {start} ms on brought nothing new, yet has more")
        start = int(rows[-1]["timestamp"])


def missed_by_number(client: Client, base: str, name: str, first: int, last: int) -> list[_Trade]:
    """Trades of one contract numbered from ``first`` to ``last``, as many as the service has."""
    url = f"{base}/{_API}/get_last_trades_by_instrument"
    found: list[_Trade] = []
    while first <= last:
        params: dict[str, str | int] = {
            "instrument_name": name,
            "start_seq": first,
            "end_seq": last,
            "count": _PAGE,
            "sorting": "asc",
        }
        rows, more = _page(client, url, params)
        found += rows
        if not more or not rows:
            break
        first = max(first, rows[-1]["trade_seq"]) + 1
    return found


def _page(client: Client, url: str, params: dict[str, str | int]) -> tuple[list[_Trade], bool]:
    result = object_in(client.get_json(url, params), url).values.get("result")
    answer = object_in(result, url, "result")
    rows = rows_under(answer.values, "trades", file=url)
    for row in rows:
        for name in ("trade_seq", "timestamp"):
            whole(row, name)
        row.text("trade_id")
        row.text("instrument_name")
    more = answer.values.get("has_more")
    if not isinstance(more, bool):
        raise InputError("true or false", met=more, file=url, column="has_more")
    return [row.values for row in rows], more
