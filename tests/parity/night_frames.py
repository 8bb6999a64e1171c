"""A simulated night in the venues' own frames: sockets that follow one clock, and REST beside them.

The night is moved to a morning of 2025, with the options' expiry at Deribit's hour, and its stamps
are cut to whole milliseconds. It is told window by window: no venue begins a window before every
row of the windows before has reached the journal, so a row is at most two windows behind another
feed's. REST knows what has been told, the window that is going on included.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from eventtape.clock import SECOND, parse_ns
from eventtape.simulate.live_night import OPTIONS, STOCK_QUOTES, STOCK_TRADES, LiveNight
from eventtape.sources.binance_live import BinanceLive
from eventtape.sources.deribit_live import DeribitLive
from eventtape.sources.kalshi_live import KalshiContract, KalshiLive
from eventtape.sources.live_socket import Socket
from eventtape.sources.polygon_live import PolygonLive
from eventtape.tape import Tape
from sources.live_reading import QUICK, quick_rest
from sources.live_server import Drop, Goodbye, LiveServer, Missed, Until
from sources.loopback_server import as_json

MS = 1_000_000
START = parse_ns("2025-06-13T08:00:00Z")
KEY = "sesame-0123456789"
QUOTED = "SIM options"
FEEDS = ("event", "other venue", "coin", STOCK_TRADES, STOCK_QUOTES, QUOTED)
COMPARED = {
    "event": ("ts", "probability"),
    "other venue": ("ts", "probability"),
    "coin": ("ts", "price", "size", "side"),
    STOCK_TRADES: ("symbol", "ts", "price", "size", "iso", "eligible"),
    STOCK_QUOTES: ("symbol", "ts", "bid", "bid_size", "ask", "ask_size"),
    QUOTED: ("ts", "strike", "is_call", "bid", "ask"),
}


EVENTS = 12  # of a Polygon frame
CONDITIONS = {(True, True): [14], (False, True): [], (False, False): [12], (True, False): [14, 12]}


class Made(NamedTuple):
    """How to make a venue's client, in this process or another."""

    kind: type
    given: tuple
    options: dict


class Told:
    """The rows of each feed with their windows, and who has come how far."""

    def __init__(self, night: LiveNight, *, window_s: int = 20) -> None:
        shift = START - int(night.truth.ts[0])
        self.rows = {}
        for label in FEEDS:
            frame = night.tape.feed(OPTIONS if label == QUOTED else label).frame
            ns = (frame["ts"].to_physical() + shift) // MS * MS
            frame = frame.with_columns(ns.cast(pl.Datetime("ns", "UTC")).alias("ts"))
            if "probability" in frame.columns:  # as its text says it
                said = [float(f"{p:.6f}") for p in frame["probability"]]
                frame = frame.with_columns(pl.Series("probability", said))
            self.rows[label] = frame
        self.window = {
            label: (rows["ts"].to_physical().to_numpy() - START) // (window_s * SECOND)
            for label, rows in self.rows.items()
        }
        self.windows = 1 + max(int(each.max()) for each in self.window.values())
        self.start_ns = START
        self.end_ns = max(int(rows["ts"].to_physical().max()) for rows in self.rows.values())
        self.at = dict.fromkeys(("stocks", "contracts", "coin", "options"), 0)
        self.kept: Callable[[str], int] = lambda _: 0

    def due(self, window: int) -> dict[str, int]:
        """Rows of each feed in the windows before one."""
        return {label: int((each < window).sum()) for label, each in self.window.items()}

    def steps(self, venue: str, window: int, frames: list) -> list:
        """The frames of a window, once all that went before has been kept."""
        due = self.due(window)

        def kept() -> bool:
            ready = all(self.kept(label) >= count for label, count in due.items())
            if ready:
                self.at[venue] = max(window, self.at[venue])
            return ready

        return [Until(kept), *frames]

    def known(self, venue: str, label: str) -> list[int]:
        """Numbers of the rows that this venue's REST knows."""
        return np.flatnonzero(self.window[label] <= self.at[venue]).tolist()


def ms_of(row: dict) -> int:
    return row["ts"] // MS


def plainly(rows: pl.DataFrame) -> list[dict]:
    """Rows as dictionaries, stamps in ns."""
    return rows.with_columns(pl.col("ts").to_physical()).to_dicts()


class Stocks:
    """Polygon: trades and quotes of all stocks in order of their stamps."""

    def __init__(self, told: Told) -> None:
        trades, quotes = (plainly(told.rows[label]) for label in (STOCK_TRADES, STOCK_QUOTES))
        self.told = told
        self.events = {
            STOCK_TRADES: [self.trade(row, k) for k, row in enumerate(trades)],
            STOCK_QUOTES: [self.quote(row, k) for k, row in enumerate(quotes)],
        }
        self.symbols = sorted({row["symbol"] for row in quotes} | {r["symbol"] for r in trades})

    @staticmethod
    def trade(row: dict, k: int) -> dict:
        said = {"ev": "T", "sym": row["symbol"], "t": ms_of(row), "q": 2 * k + 1, "z": 3, "x": 4}
        conditions = CONDITIONS[row["iso"], row["eligible"]]
        return said | {"i": str(k), "p": row["price"], "s": row["size"], "c": conditions}

    @staticmethod
    def quote(row: dict, k: int) -> dict:
        said = {"ev": "Q", "sym": row["symbol"], "t": ms_of(row), "q": 2 * k + 2, "z": 3, "c": 1}
        sides = {"bp": "bid", "bs": "bid_size", "ap": "ask", "as": "ask_size"}
        return said | {short: row[name] for short, name in sides.items()}

    def frames(self, window: int, *, turned: bool = False) -> list[str]:
        """Frames of a dozen events, in order or each turned round."""
        events = [
            self.events[label][k]
            for label in self.events
            for k in np.flatnonzero(self.told.window[label] == window).tolist()
        ]
        events.sort(key=lambda event: event["t"])
        cut = [events[at : at + EVENTS] for at in range(0, len(events), EVENTS)]
        return [json.dumps(part[::-1] if turned else part) for part in cut]

    def rest(self) -> dict:
        names = {"trades": STOCK_TRADES, "quotes": STOCK_QUOTES}

        def route(label: str, symbol: str):
            def answer(asked):
                low, high = (int(asked.query[f"timestamp.{end}"]) for end in ("gte", "lte"))
                known = [self.events[label][k] for k in self.told.known("stocks", label)]
                rows = [rest_row(event) for event in known if event["sym"] == symbol]
                found = [row for row in rows if low <= row["sip_timestamp"] <= high]
                return as_json({"results": found, "status": "OK"})

            return answer

        return {
            f"/v3/{what}/{symbol}": route(label, symbol)
            for what, label in names.items()
            for symbol in self.symbols
        }

    def serve(self, script) -> LiveServer:
        def answers(text):
            name = "auth_success" if json.loads(text)["action"] == "auth" else "success"
            return [json.dumps([{"ev": "status", "status": name, "message": ""}])]

        return LiveServer(script, self.rest(), hellos=2, answers=answers)

    def venue(self, server: LiveServer) -> Made:
        where = {"url": server.url, "rest": server.rest, "lot": 1.0}
        return Made(PolygonLive, (KEY, self.symbols), where)


def rest_row(event: dict) -> dict:
    """A Polygon event as REST has it, with nanoseconds."""
    row = {"sip_timestamp": event["t"] * MS + 123_456, "sequence_number": event["q"]}
    if event["ev"] == "T":
        row |= {"price": event["p"], "size": event["s"], "conditions": event["c"]}
        return row
    names = {"bp": "bid_price", "bs": "bid_size", "ap": "ask_price", "as": "ask_size"}
    return row | {name: event[short] for short, name in names.items()}


class Contracts:
    """Kalshi: the probability of either venue as trades of a contract, counted by ``seq``."""

    tickers: ClassVar = {"event": "SIM-1", "other venue": "SIM-2"}

    def __init__(self, told: Told) -> None:
        self.told = told
        rows = [
            (row["ts"] // MS, label, k, row["probability"])
            for label in self.tickers
            for k, row in enumerate(plainly(told.rows[label]))
        ]
        self.trades = sorted(rows)

    def said(self, seq: int) -> str:
        ms, label, k, p = self.trades[seq]
        message = {
            "trade_id": f"{label} {k}", "market_ticker": self.tickers[label], "count": 1,
            "yes_price_dollars": f"{p:.6f}", "no_price_dollars": f"{1.0 - p:.6f}",
            "taker_side": "yes", "ts": ms // 1_000, "ts_ms": ms,
        }  # fmt: skip
        return json.dumps({"type": "trade", "sid": 1, "seq": seq + 1, "msg": message})

    def frames(self, window: int) -> list[str]:
        """One trade a frame."""
        inside = [
            seq
            for seq, (_, label, k, _) in enumerate(self.trades)
            if self.told.window[label][k] == window
        ]
        return [self.said(seq) for seq in inside]

    def rest(self) -> dict:
        def answer(asked):
            low, high = (1_000 * int(asked.query[name]) for name in ("min_ts", "max_ts"))
            label = {t: label for label, t in self.tickers.items()}[asked.query["ticker"]]
            known = set(self.told.known("contracts", label))
            rows = [
                {
                    "trade_id": f"{label} {k}", "ticker": asked.query["ticker"], "count": 1,
                    "created_time": f"{np.datetime64(ms * 1_000 + 123, 'us')}Z",
                    "yes_price_dollars": f"{p:.6f}", "no_price_dollars": f"{1.0 - p:.6f}",
                    "taker_side": "yes",
                }
                for ms, of, k, p in self.trades
                if of == label and k in known and low <= ms <= high
            ]  # fmt: skip
            return as_json({"cursor": "", "trades": rows[::-1]})

        return {"/trade-api/v2/markets/trades": answer}

    def serve(self, script) -> LiveServer:
        return LiveServer(script, self.rest())

    def venue(self, server: LiveServer) -> Made:
        contracts = [KalshiContract(label, "SIM", t) for label, t in self.tickers.items()]
        where = {"url": server.url, "base": server.rest}
        return Made(KalshiLive, (contracts,), {"quotes": False, **where})


class Coin:
    """Binance: one market's trades, one a frame, numbered without a gap."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.trades = plainly(told.rows["coin"])

    def frames(self, window: int) -> list[str]:
        inside = np.flatnonzero(self.told.window["coin"] == window).tolist()
        return [json.dumps({"stream": "coin@trade", "data": self.said(k)}) for k in inside]

    def said(self, k: int) -> dict:
        row = self.trades[k]
        price, size = repr(row["price"]), repr(row["size"])
        return {
            "e": "trade", "s": "COIN", "t": k, "T": ms_of(row), "p": price, "q": size,
            "m": row["side"] < 0,
        }  # fmt: skip

    def rest(self) -> dict:
        def answer(asked):
            limit = int(asked.query["limit"])
            said = [self.said(k) for k in self.told.known("coin", "coin")[-limit:]]
            names = {"id": "t", "time": "T", "price": "p", "qty": "q", "isBuyerMaker": "m"}
            return as_json([{name: one[short] for name, short in names.items()} for one in said])

        return {"/api/v3/trades": answer}

    def serve(self, script) -> LiveServer:
        return LiveServer(script, self.rest(), hellos=0)

    def venue(self, server: LiveServer) -> Made:
        where = {"url": server.url, "rest": server.rest}
        return Made(BinanceLive, ({"COIN": "coin"},), where)


class Options:
    """Deribit: the book of every contract of one chain, one a frame; its past is not served."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.quotes = plainly(told.rows[QUOTED])
        self.names = [self.name(row) for row in self.quotes]

    @staticmethod
    def name(row: dict) -> str:
        strike = f"{row['strike']:.2f}".replace(".", "d")
        return f"SIM_USDC-23JUN25-{strike}-{'C' if row['is_call'] else 'P'}"

    def frames(self, window: int) -> list[str]:
        inside = np.flatnonzero(self.told.window[QUOTED] == window).tolist()
        return [self.said(k) for k in inside]

    def said(self, k: int) -> str:
        row, name = self.quotes[k], self.names[k]
        data = {
            "instrument_name": name, "timestamp": ms_of(row), "best_bid_price": row["bid"] or 0.0,
            "best_ask_price": row["ask"] or 0.0, "best_bid_amount": 1.0, "best_ask_amount": 1.0,
        }  # fmt: skip
        params = {"channel": f"ticker.{name}.100ms", "data": data}
        return json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": params})

    def serve(self, script) -> LiveServer:
        def answers(text):
            said = json.loads(text)
            taken = said["params"].get("channels", "ok")
            return [json.dumps({"jsonrpc": "2.0", "id": said["id"], "result": taken})]

        empty = as_json({"result": {"trades": [], "has_more": False}})
        route = "/api/v2/public/get_last_trades_by_currency"
        return LiveServer(script, {route: lambda _: empty}, hellos=2, answers=answers)

    def venue(self, server: LiveServer) -> Made:
        names = list(dict.fromkeys(self.names))
        where = {"url": server.url, "base": server.rest}
        return Made(DeribitLive, ("SIM",), {"index": "sim_usd", "quotes": names, **where})


VENUES = {"stocks": Stocks, "contracts": Contracts, "coin": Coin, "options": Options}


def served(venues: dict, scripts: dict) -> tuple[list[LiveServer], list[Made]]:
    """A server for each venue, and how to make the client of each."""
    servers = [venues[name].serve(scripts[name]) for name in VENUES]
    made = [venue.venue(server) for venue, server in zip(venues.values(), servers, strict=True)]
    return servers, made


def sockets_of(made: list[Made], end_ns: int) -> list[Socket]:
    """Sockets to the venues; their clock stands at the end of the night."""
    return [
        Socket(
            one.kind(*one.given, **one.options), client=quick_rest, limits=QUICK, seed=1,
            wall_ns=lambda: end_ns + SECOND,
        )
        for one in made
    ]  # fmt: skip


def spoiled(name: str, window: int, frames: list[str], rng: np.random.Generator) -> list:
    """The frames of a window with what goes wrong with them on the way."""
    if len(frames) < 6:
        return frames
    at = int(rng.integers(1, len(frames) - 4))
    before, after = frames[:at], frames[at:]
    kind = window % 4
    if kind == 0:
        return frames
    if kind == 1:  # what is missing here comes by REST, where there is one
        fault = Goodbye() if name == "options" else Drop(missed=2)
        return [*before, fault, *after]
    if kind == 2:
        return [*before, after[0], *after, before[-1]]
    torn = [*before, after[0][: len(after[0]) // 2], *after]
    return torn if name in ("options", "stocks") else [*torn[: at + 1], Missed(2), *after]


def check_rows(told: Told, tape: Tape) -> None:
    """Assert that the tape holds what was told, each row once."""
    for label in FEEDS:
        names = list(COMPARED[label])
        kept = tape.feed(label).frame.select(names)
        sent = told.rows[label]
        if label == QUOTED:
            sent = sent.with_columns(pl.col("strike").round(2))
        assert_frame_equal(kept.sort(names), sent.select(names).sort(names), check_exact=True)
