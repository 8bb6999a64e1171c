"""Polymarket live: the best bid and ask of outcome tokens, their mid as probability (0 to 1).

The protocol is the market channel of the order book's websocket as documented in 2026; it was not
checked against the service from here. On subscribing, the whole book of a token comes (``book``);
then each change of a price level (``price_change``, the level's new size; 0 removes it) with the
best bid and ask after it. A row is written whenever the best bid or ask has changed. A side nobody
quotes is null; the mid then uses the bound of the payoff in its place (0 or 1). A book with neither
side, or crossed, states no probability and gives no row. Other messages (trades, tick sizes) are
counted and left.

Nothing numbers the messages. A change older than its level or its book is left out by its stamp, so
frames out of order end in the right book; a row is never stamped before the one above it. Where the
best prices the venue states with a change are not those of our book, a message was lost: the book
takes the venue's word, and that is a hole (told of once a minute at most, should the two go on to
differ). A crossed book without the venue's word is of no more use, and the connection is made anew.

What was missed comes from ``prices-history``, one point a minute without bid and ask: what happened
between two minutes of an outage is lost.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from eventtape.clock import MINUTE, SECOND
from eventtape.errors import InputError
from eventtape.sources.files import JsonRow, json_rows, rows_under
from eventtape.sources.http import Client
from eventtape.sources.live_json import Ignored, milliseconds, one_row
from eventtape.sources.live_rows import parse_frame, row_keys
from eventtape.sources.live_venue import Hole, Read
from eventtape.sources.polymarket import parse_history
from eventtape.sources.polymarket_book import (
    NEVER,
    NONE,
    Book,
    Changes,
    Whole,
    changed_levels,
    whole_book,
)
from eventtape.tape import PROBABILITY, Feed, Instrument, empty, times_ns
from eventtape.tape.batch import Batch

__all__ = ["POLYMARKET_REST", "POLYMARKET_WS", "PolymarketContract", "PolymarketLive"]

POLYMARKET_WS = "wss://ws-subscriptions-clob.polymarket.com/ws/market"
POLYMARKET_REST = "https://clob.polymarket.com"
_DAY = 86_400
_MILLISECOND = 1_000_000


class PolymarketContract(NamedTuple):
    """An outcome token, the label of its feed and the symbol of its rows."""

    label: str
    symbol: str
    token_id: str


class _Shown(NamedTuple):
    """The last row of a token."""

    ts: int
    best: tuple[float, float]


class PolymarketLive:
    """The venue of ``live_socket`` for the tokens given; ``ignored`` counts other messages."""

    name = "Polymarket"
    silence_s = 30.0

    def __init__(
        self,
        contracts: Sequence[PolymarketContract],
        *,
        url: str = POLYMARKET_WS,
        base: str = POLYMARKET_REST,
    ) -> None:
        self.url, self.ignored = url, Ignored()
        self._base = base
        self._tokens = {contract.token_id: contract for contract in contracts}
        self._labels = {contract.label: contract for contract in contracts}
        if not contracts or min(len(self._tokens), len(self._labels)) < len(contracts):
            raise InputError("tokens, each once and with a label of its own", met=contracts)
        self._books: dict[str, Book] = {}
        self._shown: dict[str, _Shown] = {}
        self._told_ns = -MINUTE  # when a book that went wrong was last told of

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """One a token."""
        return tuple(
            Feed(
                Instrument("polymarket", contract.symbol, "event contract"),
                contract.label,
                PROBABILITY,
                empty(PROBABILITY),
                _MILLISECOND,
                self.url,
                "mid of the best bid and ask, live; points of a minute where the line was down",
            )
            for contract in self._labels.values()
        )

    def headers(self) -> dict[str, str]:
        """None: the market channel is public."""
        return {}

    def hello(self) -> tuple[str, ...]:
        """The subscription; forgets the books of the old connection."""
        self._books = {}
        # What is shown after an outage is a row even where it equals the one before: minute points
        # may have come between.
        self._shown = {token: shown._replace(best=NONE) for token, shown in self._shown.items()}
        return (json.dumps({"type": "market", "assets_ids": list(self._tokens)}),)

    def heartbeat(self) -> tuple[float, str] | None:
        """The text the venue answers with PONG."""
        return 10.0, "PING"

    def read(self, frame: str | bytes, received_ns: int) -> Read:
        """Rows of the tokens whose best bid or ask the frame changes."""
        if frame in {"PONG", b"PONG"}:
            return Read()
        value = parse_frame(frame, feed=self.name)
        events = json_rows(value if isinstance(value, list) else [value], file=self.name)
        # All of a frame is read before any of it is applied: a frame that cannot be read changes
        # nothing.
        told = [change for event in events for change in self._told(event)]
        batches: list[Batch] = []
        holes: list[Hole] = []
        lost = ""
        for change in told:
            contract, ts = self._tokens[change.token], change.ts
            book = self._books.setdefault(change.token, Book())
            newest = ts >= book.newest
            change.apply(book)
            best, shown = book.best(), self._shown.get(change.token)
            stated = change.stated if newest else None
            if stated is not None and stated != best:
                if book.whole_at != NEVER:
                    holes.append(Hole(contract.label, min(ts, shown.ts if shown else ts), ts))
                book.agree(stated, ts)
                best = stated
            if best[0] > best[1]:
                lost = f"the book of {contract.label} is crossed: {best[0]:g} over {best[1]:g}"
            if best[0] > best[1] or best == NONE or (shown is not None and shown.best == best):
                continue
            at = max(ts, shown.ts if shown else ts)
            self._shown[change.token] = _Shown(at, best)
            batches.append(_row(contract, at, best, change.identity, received_ns))
        if not (holes or lost) or received_ns - self._told_ns < MINUTE:
            return Read(tuple(batches))
        self._told_ns = received_ns
        return Read(tuple(batches), holes=tuple(holes), reconnect=lost)

    def backfill(self, client: Client, feed: str, from_ns: int, to_ns: int) -> tuple[Batch, ...]:
        """Points of a minute, without bid and ask."""
        contract = self._labels[feed]
        url, end = f"{self._base}/prices-history", to_ns // SECOND
        frames = []
        for since in range(from_ns // SECOND, end + 1, _DAY):
            until = min(since + _DAY - 1, end)
            params: dict[str, str | int] = {
                "market": contract.token_id,
                "startTs": since,
                "endTs": until,
                "fidelity": 1,
            }
            page = client.get_json(url, params)
            if rows_under(page, "history", file=url):
                frames.append(parse_history(page, symbol=contract.symbol, file=url))
        rows = pl.concat([empty(PROBABILITY), *frames])
        at = times_ns(rows)
        rows = rows.filter(pl.Series((at >= from_ns) & (at <= to_ns)))
        if rows.is_empty():
            return ()
        keys = row_keys(f"minute {ts}" for ts in times_ns(rows).tolist())
        return (Batch(feed, PROBABILITY.name, rows, keys, time.time_ns()),)

    def _told(self, event: JsonRow) -> list[Whole | Changes]:
        """What an event says of our tokens, one entry a token."""
        kind = event.values.get("event_type")
        if kind == "book":
            token = event.text("asset_id")
            return [whole_book(event, token)] if token in self._tokens else []
        if kind != "price_change":
            self.ignored.count(kind)
            return []
        by_token: dict[str, list[JsonRow]] = {}
        for change in rows_under(event.values, "price_changes", file=self.name):
            by_token.setdefault(change.text("asset_id"), []).append(change)
        ts = milliseconds(event, "timestamp")
        return [
            changed_levels(token, ts, of) for token, of in by_token.items() if token in self._tokens
        ]


def _row(
    contract: PolymarketContract,
    ts: int,
    best: tuple[float, float],
    identity: str,
    received_ns: int,
) -> Batch:
    bid, ask = best
    sides = (bid or None, None if ask == 1 else ask)
    row = (contract.symbol, ts, (bid + ask) / 2, *sides, None)
    said = f"{identity} {bid!r} {ask!r}"
    return one_row(contract.label, PROBABILITY, row, said, received_ns)
