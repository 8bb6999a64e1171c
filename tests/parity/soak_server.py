"""Two venues in a process of their own, in real time and at any rate, faults on command.

    python soak_server.py '{"events_per_s": 20000, "symbols": 40, ...}'

The market does not wait: every hundredth of a second it makes the events that are due, keeps them
for REST, and sends them to whoever is subscribed. Polygon has stocks (a fifth of the events are
trades) in frames of 100 events and more, Kalshi one contract, a trade a frame, counted by ``seq``.
What an event says follows from its number, so that the log is a few numbers a frame: the number of
its first event, how many there are, and their stamp.

It prints its ports as one line of JSON, then obeys lines: ``fault <name>`` (see ``FAULTS``), and
``stop <file>``, upon which the market ends and the log is written.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from bisect import bisect_left
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

TICK_S = 0.01
EVENTS = 100  # of a frame, at least
TICKER, SERIES, LABEL = "SOAK-1", "SOAK", "event"
TRADES, QUOTES = "stock trades", "stock quotes"
FAULTS = ("drop", "malformed", "missed", "duplicate", "reorder", "stall", "hole", "both-down")
FAULT_TICKS = 20  # frames that a fault of frames spoils
KEPT_S = 60.0  # REST knows the last minute


def symbols_of(count: int) -> list[str]:
    """The symbols of so many stocks."""
    return [f"SK{chr(65 + k // 26)}{chr(65 + k % 26)}" for k in range(count)]


def is_trade(n, symbols):
    """Whether event ``n`` (a number or many) is a trade: every fifth round of the symbols."""
    return n // symbols % 5 == 0


def event(n: int, ms: int, names: list[str]) -> str:
    """A Polygon event."""
    k = len(names)
    price, shift = 100.0 + n % k, (n * 7_919 // k) % 61 / 100.0
    both = f'"sym":"{names[n % k]}","t":{ms},"q":{n // k + 1},"z":3'
    if is_trade(n, k):
        return (
            f'{{"ev":"T",{both},"x":4,"i":"{n}","p":{price + shift:.2f},"s":{n % 97 + 1},"c":[14]}}'
        )
    bid, ask = price + shift, price + shift + 0.02
    return f'{{"ev":"Q",{both},"bp":{bid:.2f},"bs":{n % 9 + 1},"ap":{ask:.2f},"as":3,"c":1}}'


def row(n: int, ms: int, names: list[str]) -> str:
    """The same event as REST says it."""
    k = len(names)
    price, shift = 100.0 + n % k, (n * 7_919 // k) % 61 / 100.0
    both = f'"sip_timestamp":{ms * 1_000_000 + 123_456},"sequence_number":{n // k + 1}'
    if is_trade(n, k):
        return f'{{{both},"price":{price + shift:.2f},"size":{n % 97 + 1},"conditions":[14]}}'
    bid, ask = price + shift, price + shift + 0.02
    sides = f'"bid_price":{bid:.2f},"bid_size":{n % 9 + 1},"ask_price":{ask:.2f},"ask_size":3'
    return f"{{{both},{sides}}}"


def cents(n: int) -> float:
    """A probability that wanders."""
    return round(0.5 + 0.2 * np.sin(n / 400.0) + 0.1 * np.sin(n / 37.0), 3)


def kalshi_trade(n: int, ms: int) -> str:
    """Trade ``n`` of the contract as the websocket says it."""
    p = cents(n)
    return (
        f'{{"type":"trade","sid":1,"seq":{n + 1},"msg":{{"trade_id":"k{n}","market_ticker":'
        f'"{TICKER}","yes_price_dollars":"{p:.4f}","no_price_dollars":"{1.0 - p:.4f}",'
        f'"count":1,"taker_side":"yes","ts":{ms // 1_000},"ts_ms":{ms}}}}}'
    )


def say(what: list[int]) -> None:
    """A line of JSON, to whoever started us."""
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


class Market:
    """What has happened, of one venue: the first number, count and stamp of each frame."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, int, int]] = []
        self.count = 0

    def add(self, count: int, ms: int) -> tuple[int, int, int]:
        self.frames.append((self.count, count, ms))
        self.count += count
        return self.frames[-1]

    def between(self, low_ms: int, high_ms: int) -> list[tuple[int, int, int]]:
        frames = self.frames
        first = bisect_left(frames, low_ms, key=lambda one: one[2])
        return [one for one in frames[first : len(frames)] if one[2] <= high_ms]


class Venue:
    """Who listens, and the faults that the frames to them suffer."""

    def __init__(self) -> None:
        self.listeners: set[ServerConnection] = set()
        self.connects = 0
        self.fault, self.left, self.held = "", 0, ""
        self.stalled: set[ServerConnection] = set()

    def suffer(self, fault: str) -> None:
        self.fault, self.left = fault, FAULT_TICKS
        if fault == "drop":
            self.abort()
        if fault == "stall":
            self.stalled |= self.listeners

    def abort(self) -> None:
        for one in list(self.listeners):
            one.transport.abort()

    def frames(self, frame: str, turned: str) -> list[str]:  # noqa: PLR0911 - a fault each
        """What is sent instead of a frame; ``turned`` is the same with its events turned round."""
        if not self.left:
            return [frame]
        self.left -= 1
        if self.fault == "duplicate":
            return [frame, frame]
        if self.fault == "malformed":
            return [frame[: len(frame) // 2], frame, '{"what": NaN']
        if self.fault == "reorder":
            if not self.held:
                self.held = turned
                return [] if self.left else [turned]
            held, self.held = self.held, ""
            return [turned, held]
        if self.fault == "missed":
            if not self.left:
                self.abort()
            return []
        if self.fault == "hole":
            return []
        return [frame]

    async def send(self, frames: list[str]) -> None:
        for one in list(self.listeners - self.stalled):
            for frame in frames:
                with suppress(ConnectionClosed):
                    await one.send(frame)


class Soak:
    """Both venues and their clock."""

    def __init__(self, options: dict) -> None:
        self.names = symbols_of(options["symbols"])
        self.rate, self.kalshi_rate = options["events_per_s"], options["quotes_per_s"]
        self.stocks, self.contract = Market(), Market()
        self.polygon, self.kalshi = Venue(), Venue()
        self.over = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        rest = ThreadingHTTPServer(("127.0.0.1", 0), rest_of(self))
        threading.Thread(target=rest.serve_forever, daemon=True).start()
        options = {"compression": None, "ping_interval": None, "close_timeout": 0.1}
        async with (
            serve(self.to_polygon, "127.0.0.1", 0, **options) as first,
            serve(self.to_kalshi, "127.0.0.1", 0, **options) as second,
        ):
            ports = [one.sockets[0].getsockname()[1] for one in (first, second)]
            say([*ports, rest.server_port])
            commands = threading.Thread(target=self.obey, args=(loop,), daemon=True)
            commands.start()
            await self.tick()
            while not self.over.is_set():  # the lines stay alive, with nothing to say
                await self.polygon.send(['[{"ev":"status","status":"quiet","message":""}]'])
                await self.kalshi.send(['{"type":"quiet"}'])
                await asyncio.sleep(0.1)
            rest.shutdown()
            for venue in (self.polygon, self.kalshi):
                venue.abort()

    def obey(self, loop: asyncio.AbstractEventLoop) -> None:
        for line in sys.stdin:
            words = line.split()
            loop.call_soon_threadsafe(self.command, *words)
        loop.call_soon_threadsafe(self.over.set)

    def command(self, word: str, what: str = "") -> None:
        if word == "stop":
            self.ending = what
            return
        if what in ("hole", "both-down"):
            self.kalshi.suffer("hole" if what == "hole" else "drop")
        if what != "hole":
            self.polygon.suffer("drop" if what == "both-down" else what)

    async def tick(self) -> None:
        """The market, until it is told to stop."""
        self.ending = ""
        while not (self.polygon.connects and self.kalshi.connects):  # noqa: ASYNC110 - a start only
            await asyncio.sleep(TICK_S)
        begun, k = time.monotonic(), 0
        while not self.ending:
            k += 1
            await asyncio.sleep(max(0.0, begun + k * TICK_S - time.monotonic()))
            gone = time.monotonic() - begun
            ms = time.time_ns() // 1_000_000
            due = int(gone * self.rate) - self.stocks.count
            if due >= EVENTS:
                first, count, _ = self.stocks.add(due, ms)
                said = [event(n, ms, self.names) for n in range(first, first + count)]
                both = f"[{','.join(said)}]", f"[{','.join(reversed(said))}]"
                await self.polygon.send(self.polygon.frames(*both))
            for _ in range(int(gone * self.kalshi_rate) - self.contract.count):
                # A stamp of its own for each: a probability has one row a time.
                ms = max(ms, self.contract.frames[-1][2] + 1) if self.contract.frames else ms
                n = self.contract.add(1, ms)[0]
                said = kalshi_trade(n, ms)
                await self.kalshi.send(self.kalshi.frames(said, said))
        np.savez(
            self.ending,
            stocks=np.array(self.stocks.frames, np.int64).reshape(-1, 3),
            contract=np.array(self.contract.frames, np.int64).reshape(-1, 3),
        )
        say([self.polygon.connects, self.kalshi.connects])

    async def to_polygon(self, line: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            await line.send('[{"ev":"status","status":"connected","message":""}]')
            for name in ("auth_success", "success"):
                await line.recv()
                await line.send(json.dumps([{"ev": "status", "status": name, "message": ""}]))
            await self.listen(self.polygon, line)

    async def to_kalshi(self, line: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            await line.recv()
            await self.listen(self.kalshi, line)

    async def listen(self, venue: Venue, line: ServerConnection) -> None:
        venue.listeners.add(line)
        venue.connects += 1
        try:
            await line.wait_closed()
        finally:
            venue.listeners.discard(line)
            venue.stalled.discard(line)


def rest_of(soak: Soak) -> type[BaseHTTPRequestHandler]:
    """What answers over REST: the events of a symbol, the trades of the contract."""
    place = {name: k for k, name in enumerate(soak.names)}

    class Rest(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            asked = dict(parse_qsl(url.query))
            parts = url.path.split("/")
            if parts[1] == "v3":
                body = self.stocks(parts[2] == "trades", place[parts[3]], asked)
            else:
                body = self.contract(asked)
            data = body.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def stocks(self, trades: bool, k: int, asked: dict[str, str]) -> str:
            low, high = (int(asked[f"timestamp.{end}"]) for end in ("gte", "lte"))
            size = len(soak.names)
            rows = []
            for first, count, ms in soak.stocks.between(low // 1_000_000, high // 1_000_000):
                begin = first + (k - first) % size
                rows += [
                    row(n, ms, soak.names)
                    for n in range(begin, first + count, size)
                    if is_trade(n, size) == trades
                ]
            return f'{{"status":"OK","results":[{",".join(rows)}]}}'

        def contract(self, asked: dict[str, str]) -> str:
            low, high = (1_000 * int(asked[name]) for name in ("min_ts", "max_ts"))
            rows = [stored(n, ms) for n, _, ms in soak.contract.between(low, high)]
            return f'{{"cursor":"","trades":[{",".join(reversed(rows))}]}}'

        def log_message(self, *_: object) -> None:
            pass

    return Rest


def stored(n: int, ms: int) -> str:
    """Trade ``n`` as Kalshi's REST says it, with the microseconds that the websocket lacks."""
    p = cents(n)
    at = np.datetime64(ms * 1_000 + 123, "us")
    return (
        f'{{"trade_id":"k{n}","ticker":"{TICKER}","count":1,"created_time":"{at}Z",'
        f'"yes_price_dollars":"{p:.4f}","no_price_dollars":"{1.0 - p:.4f}","taker_side":"yes"}}'
    )


if __name__ == "__main__":
    asyncio.run(Soak(json.loads(sys.argv[1])).run())
