"""Deribit live: option trades of a currency, its index, and the quotes of chosen contracts.

JSON-RPC over a websocket as documented in 2026; it was not checked against the service from here.
Trades are read by the parser of the REST answers, so a trade is the same row by either road. A
quote is the book's top with sizes, mark, volatilities and greeks (``ticker.<instrument>.100ms``),
in dollars through the index that comes with it, with the coin's own prices kept beside. The index
is a feed of trades of size 1: an index has no size, and a trade record must.

``trade_seq`` counts the trades of each contract without a gap: a jump is a hole. Messages of the
channel arrive in order, so what is missing was traded no more than the outage, or a minute, before
its hole was seen: that window is asked for over REST, and then by number whatever it did not bring.
The numbers also betray what REST did not show yet when it was asked after an outage.
The past of quotes and of the index is not served: what was missed of them is lost, and the next
message states what holds now. A contract that has expired falls silent and is no error.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import polars as pl

from eventtape.clock import MINUTE
from eventtape.errors import FetchError, InputError
from eventtape.sources.deribit_missed import TRADE_FIELDS, missed_by_number, missed_by_time
from eventtape.sources.deribit_rest import DERIBIT, load_deribit_last_trades
from eventtape.sources.deribit_ticker import contracts_of, quote_values
from eventtape.sources.files import JsonRow, json_rows
from eventtape.sources.http import Client
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
from eventtape.sources.option_files_rows import Given, Ledger
from eventtape.tape import OPTION_QUOTE, OPTION_TRADE, TRADE, Feed, Instrument, Kind, Record, empty
from eventtape.tape.batch import Batch

__all__ = ["DERIBIT_WS", "DeribitLive"]

DERIBIT_WS = "wss://www.deribit.com/ws/api/v2"
_HEARTBEAT_S = 10  # the least the service takes
_CHANNELS = 100  # asked for in one message
_TEST = 9_000  # id of the answer to the service's question whether we live
_SUBSCRIBE = 100  # id of the first subscription
_PASSING = {10028, 10040, 10041, 10047, 11051, 11094, 13028, 13888}  # errors that go away
_MAYBE = {"mark_price", "iv"}  # numbers a trade may lack
_MILLISECOND = 1_000_000


class _Missing(NamedTuple):
    """Trades of a contract that were not received, by their numbers."""

    name: str
    first: int
    last: int


class DeribitLive:
    """The venue of ``live_socket`` for a currency; ``quotes`` names contracts to follow closely.

    Feeds are ``<currency> option trades``, ``<currency> index`` and, where there are quotes to
    follow, ``<currency> options``. ``ignored`` counts messages nobody here reads.
    """

    name = "Deribit"
    silence_s = 3.0 * _HEARTBEAT_S

    def __init__(
        self,
        currency: str = "BTC",
        *,
        index: str = "btc_usd",
        quotes: Sequence[str] = (),
        url: str = DERIBIT_WS,
        base: str = DERIBIT,
    ) -> None:
        self.url, self.ignored = url, Ignored()
        self._base, self._currency, self._index = base, currency, index
        self._traded = f"{currency} option trades"
        self._indexed = f"{currency} index"
        self._quoted = f"{currency} options"
        self._trades_channel = f"trades.option.{currency}.100ms"
        self._index_channel = f"deribit_price_index.{index}"
        self._tickers = {f"ticker.{at.symbol}.100ms": at for at in contracts_of(quotes)}
        self._asked: dict[int, list[str]] = {}  # channels by the id of the message
        self._now_ns = -1
        self._last: dict[str, tuple[int, int]] = {}  # number and stamp of a contract's last trade
        self._newest_ns = -1  # of all trades
        self._fetched: dict[str, set[int]] = {}  # numbers that REST brought since the connect
        self._missing: deque[_Missing] = deque()  # both threads': appended and popped alone

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """Option trades, the index, and quotes where some are followed."""
        kinds: list[tuple[str, Record, Kind, str]] = [
            (self._traded, OPTION_TRADE, "option", ""),
            (self._indexed, TRADE, "crypto", "an index: its size of 1 means nothing"),
            (self._quoted, OPTION_QUOTE, "option", ""),
        ]
        return tuple(
            Feed(
                Instrument("deribit", self._currency if kind == "option" else self._index, kind),
                label,
                record,
                empty(record),
                _MILLISECOND,
                self.url,
                note,
            )
            for label, record, kind, note in kinds[: 3 if self._tickers else 2]
        )

    def headers(self) -> dict[str, str]:
        """None: the channels are public."""
        return {}

    def hello(self) -> tuple[str, ...]:
        """The heartbeat and the subscriptions; numbers of trades outlive a connection."""
        self._fetched = {}
        live = [name for name, at in self._tickers.items() if at.expiry_ns > self._now_ns]
        channels = [self._trades_channel, self._index_channel, *live]
        parts = [channels[at : at + _CHANNELS] for at in range(0, len(channels), _CHANNELS)]
        self._asked = dict(enumerate(parts, _SUBSCRIBE))
        return (
            _request(1, "public/set_heartbeat", {"interval": _HEARTBEAT_S}),
            *(
                _request(at, "public/subscribe", {"channels": part})
                for at, part in self._asked.items()
            ),
        )

    def heartbeat(self) -> tuple[float, str] | None:
        """None: the service asks, and is answered."""
        return None

    def read(self, frame: str | bytes, received_ns: int) -> Read:
        """Trades, an index value or a quote; or an answer, or the service's heartbeat."""
        said = object_in(parse_frame(frame, feed=self.name), self.name)
        self._now_ns = max(self._now_ns, received_ns)
        method = said.values.get("method")
        if method == "subscription":
            return self._notified(object_in(said.values.get("params"), self.name), received_ns)
        if method == "heartbeat":
            params = object_in(said.values.get("params"), self.name, "params")
            asks = params.values.get("type") == "test_request"
            return Read(replies=(_request(_TEST, "public/test", {}),) if asks else ())
        if "error" in said.values:
            return _refusal(object_in(said.values["error"], self.name, "error"))
        if "result" in said.values:
            return self._subscribed(said)
        self.ignored.count(method)
        return Read()

    def backfill(self, client: Client, feed: str, from_ns: int, to_ns: int) -> tuple[Batch, ...]:
        """Trades of the window and those missing by number; of quotes and the index, nothing."""
        if feed != self._traded:
            return ()
        found = missed_by_time(client, self._base, self._currency, from_ns, to_ns)
        found += self._numbered(client, found)
        for row in found:
            self._fetched.setdefault(row["instrument_name"], set()).add(row["trade_seq"])
        unique = {str(row["trade_id"]): row for row in found}
        if not unique:
            return ()
        return (self._batch(list(unique.values()), time.time_ns()),)

    def _numbered(self, client: Client, found: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Missing trades that are not among those found, asked for by number."""
        taken: list[_Missing] = []
        more: list[Mapping[str, Any]] = []
        try:
            while True:
                with suppress(IndexError):
                    taken.append(self._missing.popleft())
                    name, first, last = taken[-1]
                    has = {row["trade_seq"] for row in found if row["instrument_name"] == name}
                    if sum(first <= seq <= last for seq in has) <= last - first:
                        more += missed_by_number(client, self._base, name, first, last)
                    continue
                return more
        except (FetchError, InputError):
            self._missing.extend(taken)
            raise

    def _notified(self, params: JsonRow, received_ns: int) -> Read:
        channel, data = params.text("channel"), params.values.get("data")
        if channel == self._trades_channel:
            return self._trades(data, received_ns)
        if channel == self._index_channel:
            value = object_in(data, self._indexed)
            ts, price = milliseconds(value, "timestamp"), number(value, "price")
            row = (self._index, ts, price, 1.0, 0, None)
            said = f"{ts} {price!r}"
            return Read((one_row(self._indexed, TRADE, row, said, received_ns),))
        contract = self._tickers.get(channel)
        if contract is None:
            self.ignored.count(channel)
            return Read()
        quote = object_in(data, self._quoted)
        ts = milliseconds(quote, "timestamp")
        if ts >= contract.expiry_ns:
            self.ignored.count("quote of an expired contract")
            return Read()
        row = quote_values(contract, quote, ts)
        said = json.dumps(dict(quote.values))
        return Read((one_row(self._quoted, OPTION_QUOTE, row, said, received_ns),))

    def _trades(self, data: Any, received_ns: int) -> Read:
        rows = list(json_rows(data, file=self._traded))
        if not rows:
            return Read()
        for row in rows:
            row.text("instrument_name")
            whole(row, "trade_seq")
            milliseconds(row, "timestamp")
        batch = self._batch([row.values for row in rows], received_ns)
        return Read((batch,), holes=self._holes(rows))

    def _holes(self, rows: list[JsonRow]) -> tuple[Hole, ...]:
        """Where trades of a contract are missing before these."""
        holes = []
        reach = self._newest_ns - MINUTE
        for row in rows:
            name, seq = row.text("instrument_name"), whole(row, "trade_seq")
            ts = milliseconds(row, "timestamp")
            last, at = self._last.get(name, (seq - 1, ts))
            if not self._fetched.get(name, set()).issuperset(range(last + 1, seq)):
                self._missing.append(_Missing(name, last + 1, seq - 1))
                holes.append(Hole(self._traded, min(ts, max(at, reach)), ts))
            self._last[name] = max((last, at), (seq, ts))
            self._newest_ns = max(self._newest_ns, ts)
        return tuple(holes)

    def _batch(self, trades: list[Mapping[str, Any]], received_ns: int) -> Batch:
        label = self._traded
        for row in json_rows(trades, file=label):
            for name in ("price", "amount", "index_price", "mark_price", "iv"):
                if name not in _MAYBE or row.values.get(name) is not None:
                    number(row, name)
            for name in ("instrument_name", "trade_id", "direction"):
                row.text(name)
            milliseconds(row, "timestamp")
        table = pl.DataFrame(
            [{name: row.get(name) for name in TRADE_FIELDS} for row in trades],
            infer_schema_length=None,
            strict=False,
        )
        ledger = Ledger(table, "deribit live trades", label)
        frame = load_deribit_last_trades(table, Given(), ledger).frame
        keys = row_keys(frame["trade_id"].to_list())
        return Batch(label, OPTION_TRADE.name, frame, keys, received_ns)

    def _subscribed(self, said: JsonRow) -> Read:
        """Whether the service has taken every channel of a subscription."""
        asked = self._asked.get(said.values.get("id", -1), [])
        taken = said.values["result"]
        if asked and not isinstance(taken, list):
            raise said.fault("result", "a list of channels", taken)
        for channel in asked:
            contract = self._tickers.get(channel)
            if channel in taken:
                continue
            if contract is None or contract.expiry_ns > self._now_ns:
                return Read(refused=f"Deribit: does not take the channel {channel}")
            self.ignored.count("expired contract")
        return Read()


def _request(at: int, method: str, params: Mapping[str, Any]) -> str:
    said = {"jsonrpc": "2.0", "id": at, "method": method, "params": params}
    return json.dumps(said, separators=(",", ":"))


def _refusal(error: JsonRow) -> Read:
    code = whole(error, "code")
    words = f"Deribit: error {code}: {str(error.values.get('message'))[:200]}"
    return Read(reconnect=words) if code in _PASSING else Read(refused=words)
