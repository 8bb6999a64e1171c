"""Polygon (Massive) stocks as they happen: trades and national quotes of every symbol or of some.

On connecting the service says ``connected``, wants the key in an ``auth`` frame and, once it has
said ``auth_success``, the subscription. A frame is a JSON array of events: ``T`` a trade, ``Q`` a
quote, ``status`` a word about the connection. What becomes of the events is said in
:mod:`eventtape.sources.polygon_events`; there are two feeds, of all symbols each.

Sequence numbers have gaps of their own, so they betray no hole: what a connection loses while it
stands is not noticed. After a reconnect ``/v3/trades`` and ``/v3/quotes`` are asked symbol by
symbol, page by page: the symbols named, or all those met where every symbol was asked for, up to a
bound. As documented in 2026, not checked against the service from here.

The key is handed in by the caller and goes into the ``auth`` frame and the header of REST requests
(:func:`keyed_client`), never into an address, a message or a log.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from eventtape.errors import FetchError, InputError
from eventtape.sources.conditions import POLICIES, Policy, as_policy
from eventtape.sources.http import Client
from eventtape.sources.live_rows import parse_frame
from eventtape.sources.live_venue import Read
from eventtape.sources.polygon_events import Events, Names
from eventtape.tape import EQUITY_TRADE, QUOTE, Feed, Instrument, empty
from eventtape.tape.batch import Batch

__all__ = ["PolygonLive", "keyed_client"]

_SOCKET = "wss://socket.massive.com/stocks"
_REST = "https://api.massive.com"
_PAGE = 50_000  # the most the service gives
_MILLISECOND = 1_000_000
_AT_ONCE = 8
_PASSING = {"force_disconnect", "max_connections", "auth_timeout"}
_REFUSING = {"auth_failed", "error"}
_SYMBOL = re.compile(r"\*|[A-Za-z0-9][A-Za-z0-9.\-]*")
_LIVE = Names("t", "q", "p", "s", "c", ("bp", "bs", "ap", "as"))
_ANSWER = Names(
    "sip_timestamp", "sequence_number", "price", "size", "conditions",
    ("bid_price", "bid_size", "ask_price", "ask_size"), _MILLISECOND,
)  # fmt: skip
USUAL = POLICIES["regular"]._replace(name="regular, live", unknown="ineligible")
"""As the flat files by default, but for an unknown condition: it must not cost a whole frame."""


class PolygonLive:
    """The venue of US stocks; ``"*"`` stands for every symbol.

    ``labels`` name the feeds of trades and of quotes, None leaves one out. ``policy`` sets
    ``eligible``; ``lot`` is the shares in one unit of a quote's size, None goes by the date.
    ``most_symbols`` and ``most_pages`` (of one symbol) bound a back-fill. ``counts`` says what was
    left out of frames.
    """

    name = "polygon"

    def __init__(
        self,
        key: str,
        symbols: Iterable[str] = ("*",),
        *,
        labels: tuple[str | None, str | None] = ("stock trades", "stock quotes"),
        url: str = _SOCKET,
        rest: str = _REST,
        policy: str | Policy = USUAL,
        lot: float | None = None,
        silence_s: float = 60.0,
        most_symbols: int = 200,
        most_pages: int = 100,
    ) -> None:
        self._symbols = tuple(dict.fromkeys(symbols))
        wrong = [name for name in self._symbols if not _SYMBOL.fullmatch(name)]
        if wrong or not self._symbols:
            raise InputError("symbols of stocks, or '*'", met=wrong or "none")
        if not key or key != key.strip():
            raise InputError("a key, without blanks around it")
        if lot is not None and not 0.0 < lot < float("inf"):
            raise InputError("a lot above 0 shares", met=lot)
        if labels[0] == labels[1]:
            raise InputError("two labels, or one and None", met=labels)
        self._key, self.url, self._rest = key, url, rest
        self._trades, self._quotes = labels
        self._events = Events(as_policy(policy), lot)
        self.silence_s, self._most_symbols, self._most_pages = silence_s, most_symbols, most_pages

    @property
    def counts(self) -> Counter[str]:
        """What was left out or made absent, by reason."""
        return self._events.counts

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """Trades and quotes, those of the two that have a label."""
        note = "SIP stamps cut to the millisecond: the true time is up to 1 ms after the stamp"
        return tuple(
            Feed(
                Instrument("polygon", code, "stock"), label, record, empty(record), 0,
                "Polygon stocks websocket", note,
            )
            for code, label, record in (
                ("trades", self._trades, EQUITY_TRADE),
                ("quotes", self._quotes, QUOTE),
            )
            if label is not None
        )  # fmt: skip

    def headers(self) -> dict[str, str]:
        """None: the key goes into a frame."""
        return {}

    def hello(self) -> tuple[str, ...]:
        """The key; the subscription follows once it is accepted."""
        return (json.dumps({"action": "auth", "params": self._key}),)

    def heartbeat(self) -> None:
        """None: pings do."""

    def read(self, frame: str | bytes, received_ns: int) -> Read:
        """The trades and the quotes of a frame, and what its status events ask for."""
        events = parse_frame(frame, feed=self.name)
        try:
            kinds = [event["ev"] for event in events]
        except (TypeError, KeyError) as error:
            raise InputError("an array of events", met=frame[:60], file=self.name) from error
        trades = [e for e, kind in zip(events, kinds, strict=True) if kind == "T"]
        quotes = [e for e, kind in zip(events, kinds, strict=True) if kind == "Q"]
        batches: list[Batch] = []
        if trades and self._trades is not None:
            names = [event.get("sym") for event in trades]
            batch = self._events.trades(self._trades, _LIVE, names, trades, received_ns)
            batches += [] if batch is None else [batch]
        if quotes and self._quotes is not None:
            names = [event.get("sym") for event in quotes]
            batches.append(self._events.quotes(self._quotes, _LIVE, names, quotes, received_ns))
        if len(trades) + len(quotes) == len(events):
            return Read(tuple(batches))
        others = [e for e, kind in zip(events, kinds, strict=True) if kind not in ("T", "Q")]
        return self._told(others)._replace(batches=tuple(batches))

    def backfill(self, client: Client, feed: str, from_ns: int, to_ns: int) -> tuple[Batch, ...]:
        """Rows of a feed in the span, a batch a page, each symbol's oldest first."""
        named = set(self._symbols) - {"*"}
        symbols = sorted(named | set(self._events.symbols) if "*" in self._symbols else named)
        if not symbols:
            raise FetchError(f"{feed}: no symbol named or met yet, so none to ask for")
        if len(symbols) > self._most_symbols:
            words = f"{feed}: {len(symbols)} symbols to fill, more than {self._most_symbols}"
            raise FetchError(words)

        def one(symbol: str) -> list[Batch]:
            return list(self._pages(client, feed, symbol, from_ns, to_ns))

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return tuple(batch for batches in pool.map(one, symbols) for batch in batches)

    def _pages(
        self, client: Client, feed: str, symbol: str, from_ns: int, to_ns: int
    ) -> Iterator[Batch]:
        what = "trades" if feed == self._trades else "quotes"
        url = f"{self._rest}/v3/{what}/{symbol}"
        asked: dict[str, str | int] | None = {
            "timestamp.gte": from_ns,
            "timestamp.lte": to_ns,
            "order": "asc",
            "limit": _PAGE,
        }
        met: set[str] = set()
        while url not in met:
            if len(met) >= self._most_pages:
                raise FetchError(f"{url}: more than {self._most_pages} pages missed")
            met.add(url)
            answer = client.get_json(url, asked)
            rows = answer.get("results", []) if isinstance(answer, Mapping) else None
            if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
                raise FetchError(f"{url}: wanted an object with the list 'results'")
            if rows:
                yield from self._page(feed, symbol, rows)
            following = answer.get("next_url")
            if following is None:
                return
            if not isinstance(following, str) or not following.startswith(f"{self._rest}/"):
                # The key goes with the request, so only to the service itself.
                raise FetchError(f"{url}: the next page is not of {self._rest}")
            url, asked = following, None
        raise FetchError(f"{url}: the same page twice, pages would never end")

    def _page(self, feed: str, symbol: str, rows: list[Mapping[str, Any]]) -> Iterator[Batch]:
        names = [symbol] * len(rows)
        now = time.time_ns()
        if feed == self._quotes:
            yield self._events.quotes(feed, _ANSWER, names, rows, now)
            return
        batch = self._events.trades(feed, _ANSWER, names, rows, now)
        if batch is not None:
            yield batch

    def _told(self, events: list[Mapping[str, Any]]) -> Read:
        """What status events ask for; other kinds are counted and passed over."""
        for event in events:
            if event["ev"] != "status":
                self.counts["events of other kinds"] += 1
                continue
            status = str(event.get("status"))
            words = f"{status}: {event.get('message', '')}".replace(self._key, "(key)")[:200]
            if status in _REFUSING:
                return Read(refused=words)
            if status in _PASSING:
                return Read(reconnect=words)
            if status == "auth_success":
                return Read(replies=(self._subscription(),))
        return Read()

    def _subscription(self) -> str:
        kinds = [k for k, label in (("T", self._trades), ("Q", self._quotes)) if label is not None]
        wanted = ",".join(f"{kind}.{symbol}" for kind in kinds for symbol in self._symbols)
        return json.dumps({"action": "subscribe", "params": wanted})


class _Keyed(Client):
    def __init__(self, key: str) -> None:
        super().__init__(timeout=10.0, attempts=3, wait_initial=0.2, wait_max=2.0, patience=10.0)
        self._http.headers["Authorization"] = f"Bearer {key}"


def keyed_client(key: str) -> Callable[[], Client]:
    """What makes a REST client that shows this key: the ``client`` of the socket."""
    return lambda: _Keyed(key)
