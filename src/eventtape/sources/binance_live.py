"""Binance spot trades as they happen: one feed a pair, price in the quote coin, size in the coin.

Frames of a combined stream: ``{"stream", "data": {"e": "trade", "s", "t", "p", "q", "T", "m"}}``.
``T`` counts milliseconds, or microseconds where the address asks for them; its size says which.
``m`` says that the buyer was the maker, so the taker sold. Trade numbers ``t`` have no gaps within
a pair, so a jump is a hole, across reconnects too, and they are the rows' keys. The service pings
every 20 seconds and ends every connection after a day, which is a reconnect like any other.

A back-fill walks backwards by trade number: the newest thousand from ``/api/v3/trades``, which asks
for no key, and before them pages of ``/api/v3/historicalTrades``. Some hosts want a key for the
latter; there a hole of more than a thousand trades stays unfilled and is counted. ``aggTrades``
will not do: it joins trades and numbers them anew. As documented in 2026, not checked against the
service from here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from eventtape.arrays import IntArray
from eventtape.errors import FetchError, InputError
from eventtape.sources.http import Client
from eventtape.sources.live_rows import live_batch, parse_frame
from eventtape.sources.live_venue import Hole, Read
from eventtape.tape import TRADE, Feed, Instrument, empty, times_ns
from eventtape.tape.batch import Batch

__all__ = ["BinanceLive"]

_STREAM = "wss://stream.binance.com:9443/stream"
_REST = "https://api.binance.com"
_PAGE = 1_000  # the most the service gives
_MILLISECOND, _MICROSECOND = 1_000_000, 1_000
_MICROSECONDS_FROM = 10**14  # as milliseconds, the year 5138


class BinanceLive:
    """The venue of some pairs: ``{"BTCUSDT": "bitcoin"}`` names each pair's feed.

    ``silence_s`` must be longer than the quietest pair's pauses or the service's 20 s of pings.
    ``most_pages`` bounds a back-fill of one pair.
    """

    name = "binance"

    def __init__(
        self,
        pairs: Mapping[str, str],
        *,
        url: str = _STREAM,
        rest: str = _REST,
        silence_s: float = 60.0,
        most_pages: int = 200,
    ) -> None:
        wrong = [pair for pair in pairs if not (pair.isascii() and pair.isalnum())]
        if wrong or not pairs:
            raise InputError("pairs as in BTCUSDT", met=wrong or "none")
        self._labels = {pair.upper(): label for pair, label in pairs.items()}
        streams = "/".join(f"{pair.lower()}@trade" for pair in self._labels)
        self.url, self._rest = f"{url}?streams={streams}", rest
        self.silence_s, self._most_pages = silence_s, most_pages
        self._pairs = {label: pair for pair, label in self._labels.items()}
        if len(self._pairs) != len(self._labels):
            raise InputError("a label for each pair", met=dict(pairs))
        self._newest: dict[str, tuple[int, int]] = {}  # trade number and stamp by feed
        self._first: dict[str, int] = {}  # trade number the connection began with, by feed
        self._holes: dict[tuple[str, int], tuple[int, int]] = {}  # by feed and end: numbers around

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """One feed of trades a pair."""
        return tuple(
            Feed(
                Instrument("binance", pair, "crypto"), label, TRADE, empty(TRADE), 0,
                "Binance trade stream", "stamps of the matching engine, in whole ms or µs",
            )
            for pair, label in self._labels.items()
        )  # fmt: skip

    def headers(self) -> dict[str, str]:
        """None: the stream is public."""
        return {}

    def hello(self) -> tuple[str, ...]:
        """Nothing: the address names the streams. Trade numbers go on over connections."""
        self._first.clear()
        return ()

    def heartbeat(self) -> None:
        """None: the service pings."""

    def read(self, frame: str | bytes, received_ns: int) -> Read:
        """The one trade of a frame, and the hole before it if its number jumped."""
        said = parse_frame(frame, feed=self.name)
        trade = said.get("data") if isinstance(said, dict) else None
        if not isinstance(trade, dict):
            return self._other(said)
        if trade.get("e") != "trade":
            raise InputError("a trade", met=trade.get("e"), file=self.name, column="e")
        pair = trade.get("s")
        if not isinstance(pair, str) or pair not in self._labels:
            wanted = f"one of {', '.join(self._labels)}"
            raise InputError(wanted, met=pair, file=self.name, column="s")
        label = self._labels[pair]
        number, at = _whole(trade, "t", label), _stamp(trade, "T", label)
        batch = _batch(label, pair, [trade], _NAMES, np.array([number]), [at], received_ns)
        self._first.setdefault(label, number)
        before, since = self._newest.get(label, (number - 1, at))
        if number > before:
            self._newest[label] = (number, at)
        if number <= before + 1:
            return Read((batch,))
        self._holes[label, at] = before, number
        return Read((batch,), holes=(Hole(label, since, at),))

    def backfill(self, client: Client, feed: str, from_ns: int, to_ns: int) -> tuple[Batch, ...]:
        """Trades of a feed in the span, oldest first, without a gap in their numbers."""
        pair = self._pairs[feed]
        # Before REST is asked: what comes meanwhile is no hole.
        before, after = self._holes.get((feed, to_ns), (None, self._first.get(feed, 0)))
        url = f"{self._rest}/api/v3/trades"
        pages = [self._page(client, url, {"symbol": pair, "limit": _PAGE}, feed)]
        while pages[-1].rows.height and times_ns(pages[-1].rows)[0] >= from_ns:
            oldest = int(pages[-1].keys[0])
            if oldest <= 0:
                break
            if len(pages) >= self._most_pages:
                words = f"{feed}: more than {self._most_pages} pages of trades missed"
                raise FetchError(words)
            url = f"{self._rest}/api/v3/historicalTrades"
            start = max(0, oldest - _PAGE)
            asked: dict[str, str | int] = {
                "symbol": pair,
                "fromId": start,
                "limit": oldest - start,
            }
            page = self._page(client, url, asked, feed)
            if not page.rows.height and before is None:
                break  # the venue has none that are older
            if not page.rows.height or int(page.keys[-1]) != oldest - 1:
                raise FetchError(f"{url}: no trades of {pair} right before number {oldest}")
            pages.append(page)
        last = int(pages[0].keys[-1]) if pages[0].rows.height else -1
        if last < after - 1:
            raise FetchError(f"{self._rest}: trades of {pair} end at {last}, before {after - 1}")
        self._holes.pop((feed, to_ns), None)
        return tuple(
            page._replace(rows=page.rows.filter(kept), keys=page.keys[kept])
            for page in reversed(pages)
            if (kept := _between(page, from_ns, to_ns)).any()
        )

    def _page(self, client: Client, url: str, asked: dict[str, str | int], feed: str) -> Batch:
        rows = client.get_json(url, asked)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise FetchError(f"{url}: wanted a list of trades, got {str(rows)[:60]}")
        ids = np.array([_whole(row, "id", feed) for row in rows], np.int64)
        if (np.diff(ids) != 1).any():
            raise FetchError(f"{url}: trade numbers of {asked['symbol']} with a gap")
        at = [_stamp(row, "time", feed) for row in rows]
        return _batch(feed, str(asked["symbol"]), rows, _REST_NAMES, ids, at, time.time_ns())

    def _other(self, said: Any) -> Read:
        """An answer to a command, or an error such as an unknown stream."""
        if isinstance(said, dict) and "error" in said:
            error = said["error"]
            return Read(refused=str(error.get("msg") if isinstance(error, dict) else error)[:200])
        if isinstance(said, dict) and "result" in said:
            return Read()
        raise InputError("an object with 'data'", met=said, file=self.name)


_NAMES = ("p", "q", "m")
_REST_NAMES = ("price", "qty", "isBuyerMaker")


def _batch(
    feed: str,
    pair: str,
    trades: list[dict[str, Any]],
    names: tuple[str, str, str],
    ids: IntArray,
    at: list[int],
    received_ns: int,
) -> Batch:
    price, size, maker = names
    columns: dict[str, list[Any]] = {
        "symbol": [pair] * len(trades),
        "ts": at,
        "price": [_decimal(trade, price, feed) for trade in trades],
        "size": [_decimal(trade, size, feed) for trade in trades],
        "side": [_side(trade, maker, feed) for trade in trades],
        "trade_id": [str(number) for number in ids.tolist()],
    }
    return live_batch(feed, TRADE, columns, ids, received_ns)


def _between(page: Batch, from_ns: int, to_ns: int) -> Any:
    at = times_ns(page.rows)
    return (at >= from_ns) & (at <= to_ns)


def _whole(trade: dict[str, Any], name: str, feed: str) -> int:
    value = trade.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 62:
        raise InputError("a whole number >= 0", met=value, file=feed, column=name)
    return value


def _stamp(trade: dict[str, Any], name: str, feed: str) -> int:
    value = _whole(trade, name, feed)
    unit = _MILLISECOND if value < _MICROSECONDS_FROM else _MICROSECOND
    return value * unit


def _decimal(trade: dict[str, Any], name: str, feed: str) -> float:
    text = trade.get(name)
    try:
        return float(text) if isinstance(text, str) else _none(text)
    except ValueError as error:
        raise InputError("a decimal number as text", met=text, file=feed, column=name) from error


def _none(met: object) -> float:
    raise ValueError(met)


def _side(trade: dict[str, Any], name: str, feed: str) -> int:
    maker = trade.get(name)
    if not isinstance(maker, bool):
        raise InputError("true or false", met=maker, file=feed, column=name)
    return -1 if maker else 1
