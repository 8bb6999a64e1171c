"""Kalshi live: trades of event contracts and their best quotes, as probability of YES (0 to 1).

The protocol is websocket v2 as documented in 2026; it was not checked against the service from
here. The handshake is signed (RSA-PSS over timestamp, GET and path) by a function the caller gives:
no key comes into this library. Each contract brings a feed of trades under its label and, unless
asked not to, a feed ``<label> quotes`` with the mid of the best bid and ask each time they change.

Prices are cents, or dollars as text in a field ``<name>_dollars``. A trade is stamped in
milliseconds (``ts_ms``) or, by an older server, in seconds (``ts``): up to a second early. Over
REST the same trade has microseconds; they are cut to the unit of the websocket, so a trade is the
same row by either road. Trades of one order may share a stamp: they keep their order.

``seq`` counts the messages of a subscription, where the server gives it. A jump is a hole in every
contract of that subscription. Trades missed come back over REST one by one; of quotes missed only
the minute candles are kept by the service, so what happened within a minute is lost.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from eventtape.clock import MINUTE, SECOND
from eventtape.errors import InputError
from eventtape.sources.files import JsonRow
from eventtape.sources.http import Client
from eventtape.sources.kalshi_missed import missed_quotes, missed_trades
from eventtape.sources.live_json import (
    Ignored,
    milliseconds,
    number,
    object_in,
    one_row,
    whole,
)
from eventtape.sources.live_rows import parse_frame, row_keys
from eventtape.sources.live_venue import Hole, Read
from eventtape.tape import PROBABILITY, Feed, Instrument, empty
from eventtape.tape.batch import Batch

__all__ = ["KALSHI_REST", "KALSHI_WS", "KalshiContract", "KalshiLive"]

KALSHI_WS = "wss://api.elections.kalshi.com/trade-api/ws/v2"
KALSHI_REST = "https://api.elections.kalshi.com"
_CENTS = 100.0
_MILLISECOND = 1_000_000
_PASSING = {1, 10, 17, 18, 25}  # the server's own trouble; any other code is ours, and stays
_SECONDS_LOW, _SECONDS_HIGH = 10**9, 10**10

Sign = Callable[[str], Mapping[str, str]]
"""The three KALSHI-ACCESS headers for a GET of the path given, signed now."""


class KalshiContract(NamedTuple):
    """A contract, the series it belongs to, and the label of its feed."""

    label: str
    series: str
    ticker: str


class _Quote(NamedTuple):
    ts: int
    bid: float
    ask: float


class KalshiLive:
    """The venue of ``live_socket`` for the contracts given; ``ignored`` counts other messages."""

    name = "Kalshi"
    silence_s = 30.0

    def __init__(
        self,
        contracts: Sequence[KalshiContract],
        *,
        sign: Sign | None = None,
        quotes: bool = True,
        url: str = KALSHI_WS,
        base: str = KALSHI_REST,
    ) -> None:
        self.url, self.ignored = url, Ignored()
        self._sign, self._base = sign, base
        self._by_ticker = {contract.ticker: contract for contract in contracts}
        self._channels = ("trade", "ticker") if quotes else ("trade",)
        self._traded = {contract.label: contract for contract in contracts}
        self._quoted = {f"{label} quotes": at for label, at in self._traded.items() if quotes}
        if not contracts or len({*self._traded, *self._quoted}) < len(contracts) * (1 + quotes):
            raise InputError("contracts, each with a label of its own", met=contracts)
        if len(self._by_ticker) < len(contracts):
            raise InputError("each contract once", met=[at.ticker for at in contracts])
        self._unit = _MILLISECOND  # of the websocket's stamps
        self._newest: dict[str, int] = {}  # stamp by feed
        self._quotes: dict[str, _Quote] = {}  # by ticker, as last shown
        self._counted: dict[int, tuple[int, int]] = {}  # seq and stamp by subscription

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """Trades of each contract, then its quotes."""
        said = {"trades": self._traded, "quotes": self._quoted}
        return tuple(
            Feed(
                Instrument("kalshi", contract.ticker, "event contract"),
                label,
                PROBABILITY,
                empty(PROBABILITY),
                _MILLISECOND,
                self.url,
                f"{what}, live",
            )
            for what, labels in said.items()
            for label, contract in labels.items()
        )

    def headers(self) -> dict[str, str]:
        """The signed handshake, {} where the caller gave nobody to sign."""
        return {} if self._sign is None else dict(self._sign(urlsplit(self.url).path))

    def hello(self) -> tuple[str, ...]:
        """Subscriptions, one a channel; forgets sequence and quotes of the old connection."""
        self._counted, self._quotes = {}, {}
        tickers = list(self._by_ticker)
        return tuple(
            json.dumps(
                {
                    "id": at,
                    "cmd": "subscribe",
                    "params": {"channels": [channel], "market_tickers": tickers},
                }
            )
            for at, channel in enumerate(self._channels, 1)
        )

    def heartbeat(self) -> tuple[float, str] | None:
        """None: the server pings every ten seconds."""
        return None

    def read(self, frame: str | bytes, received_ns: int) -> Read:
        """A trade or a quote, or the answer to a command."""
        said = object_in(parse_frame(frame, feed=self.name), self.name)
        kind = str(said.values.get("type"))
        if kind == "error":
            return _refusal(said)
        if kind not in self._channels:
            self.ignored.count(kind)
            return Read()
        message = object_in(said.values.get("msg"), self.name, "msg")
        contract = self._by_ticker.get(message.text("market_ticker"))
        if contract is None:
            self.ignored.count(f"{kind} of another contract")
            return Read()
        stamp, unit = _stamp(message)
        counted = _counted(said)
        row: Batch | None
        if kind == "trade":
            row = self._trade(contract, message, stamp, received_ns)
        else:
            row = self._quote(contract, message, stamp, received_ns)
        self._unit = unit
        holes = () if counted is None else self._holes(*counted, kind, stamp)
        if row is None:
            return Read(holes=holes)
        self._newest[row.feed] = max(stamp, self._newest.get(row.feed, stamp))
        return Read((row,), holes=holes)

    def backfill(self, client: Client, feed: str, from_ns: int, to_ns: int) -> tuple[Batch, ...]:
        """Trades of the contract, or what its quotes were at the end of each minute."""
        asked = (client, self._base)
        if feed in self._traded:
            ticker = self._traded[feed].ticker
            rows = missed_trades(*asked, ticker, from_ns, to_ns, unit_ns=self._unit)
        else:
            at = self._quoted[feed]
            rows = missed_quotes(*asked, at.series, at.ticker, from_ns, to_ns)
        if rows.is_empty():
            return ()
        keys = row_keys(rows["key"].to_list())
        frame = rows.select(list(PROBABILITY.columns))
        return (Batch(feed, PROBABILITY.name, frame, keys, time.time_ns()),)

    def _trade(
        self, contract: KalshiContract, message: JsonRow, stamp: int, received_ns: int
    ) -> Batch:
        price, size = _dollars(message, "yes_price"), _count(message)
        if not 0 < price < 1:
            raise message.fault("yes_price", "a price above 0 and below one dollar", price)
        if round(price + _dollars(message, "no_price"), 6) != 1:
            wanted = f"a no price that adds to 1 with the yes price {price:g}"
            raise message.fault("no_price", wanted, _dollars(message, "no_price"))
        if not size > 0:
            raise message.fault("count", "a count above 0", size)
        row = (contract.ticker, stamp, price, None, None, size)
        return one_row(contract.label, PROBABILITY, row, message.text("trade_id"), received_ns)

    def _quote(
        self, contract: KalshiContract, message: JsonRow, stamp: int, received_ns: int
    ) -> Batch | None:
        bid, ask = _dollars(message, "yes_bid"), _dollars(message, "yes_ask")
        for name, price in (("yes_bid", bid), ("yes_ask", ask)):
            if not 0 <= price <= 1:
                raise message.fault(name, "a quote from 0 to 1 dollar", price)
        if bid > ask:
            raise message.fault("yes_bid", f"a bid not above the ask {ask:g}", bid)
        shown = self._quotes.get(contract.ticker)
        if shown is None or stamp >= shown.ts:
            self._quotes[contract.ticker] = _Quote(stamp, bid, ask)
        if (bid, ask) == (0, 1) or (shown is not None and shown[1:] == (bid, ask)):
            return None
        sides = (bid or None, None if ask == 1 else ask)
        row = (contract.ticker, stamp, (bid + ask) / 2, *sides, None)
        said = json.dumps(dict(message.values))
        return one_row(f"{contract.label} quotes", PROBABILITY, row, said, received_ns)

    def _holes(self, sid: int, seq: int, kind: str, stamp: int) -> tuple[Hole, ...]:
        last, at = self._counted.get(sid, (seq - 1, stamp))
        self._counted[sid] = max((last, at), (seq, stamp))
        if seq <= last + 1:
            return ()
        feeds = self._traded if kind == "trade" else self._quoted
        return tuple(
            Hole(feed, min(stamp, max(self._newest.get(feed, at), at - MINUTE)), stamp)
            for feed in feeds
        )


def _refusal(said: JsonRow) -> Read:
    error = object_in(said.values.get("msg"), said.file or "", "msg")
    code = whole(error, "code")
    words = f"Kalshi: error {code}: {str(error.values.get('msg'))[:200]}"
    return Read(reconnect=words) if code in _PASSING else Read(refused=words)


def _counted(said: JsonRow) -> tuple[int, int] | None:
    """Subscription and sequence number, where the server counts."""
    if said.values.get("seq") is None:
        return None
    return whole(said, "sid"), whole(said, "seq")


def _stamp(message: JsonRow) -> tuple[int, int]:
    """UTC ns of a message, and the unit its server counts in."""
    if message.values.get("ts_ms") is not None:
        return milliseconds(message, "ts_ms"), _MILLISECOND
    ts = whole(message, "ts")
    if not _SECONDS_LOW <= ts < _SECONDS_HIGH:
        raise message.fault("ts", "epoch seconds", ts)
    return ts * SECOND, SECOND


def _dollars(message: JsonRow, name: str) -> float:
    if message.values.get(f"{name}_dollars") is not None:
        return message.decimal(f"{name}_dollars")
    return whole(message, name) / _CENTS


def _count(message: JsonRow) -> float:
    return message.decimal("count_fp") if "count_fp" in message.values else number(message, "count")
