"""A venue on 127.0.0.1: a websocket that follows a script, faults and all, and REST beside it.

    server = LiveServer([a, b, Drop(missed=2), c, d, e, Stall(), f], rest={"/trades": handler})
    venue = KalshiLive(..., url=server.url, rest=server.rest)
    ...
    server.close()                     # or: with LiveServer(...) as server

``frames`` is what the market says, in order: texts or bytes are frames, other steps are faults (see
the classes below). The script runs on over connections as a market does: after a drop, the next
connection hears what comes next. A callable ``frames(connection)``, connections counted from 1,
gives each connection a script of its own instead. Frames may be an endless generator; a step that
is a number sleeps so many seconds.

``greeting`` is sent on every connect before anything else. The script waits until the client has
sent ``hellos`` messages; ``answers`` maps a message of the client to the frames it is answered
with, at any time (log in, subscribe, heartbeats): a function of the message text, giving a list.

``rest`` maps a path to what :class:`~sources.loopback_server.Loopback` takes: a reply, a list of
replies used up in turn, or a function of what was asked; ``failing(n, reply)`` makes a back-fill
that fails first. ``server.loopback.asked`` tells what was asked.

``server.sent`` are the frames sent, ``server.heard`` the client's messages by connection,
``server.connects`` the handshakes let through, ``server.refused`` those turned away.
``server.wait(condition)`` waits, with a generous time-out, until ``condition()`` holds, and
``server.finished`` says that the script has come to its end (the connection then stays open).

Scripts are made worse by functions of a list of frames: ``duplicated``, ``reordered``, ``cut``.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response

from sources.loopback_server import Loopback, Reply

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Drop:
    """Cut the connection without a word; the next ``missed`` frames reach nobody by websocket."""

    missed: int = 0


@dataclass(frozen=True)
class Goodbye:
    """Close the connection as the protocol asks, with this code and reason."""

    code: int = 1001
    reason: str = "going away"
    missed: int = 0


@dataclass(frozen=True)
class Stall:
    """Say nothing more on this connection, and leave it open until the client gives up."""

    missed: int = 0


@dataclass(frozen=True)
class Missed:
    """These frames are of the market and reach nobody by websocket: a hole."""

    frames: int = 1


@dataclass(frozen=True)
class Refuse:
    """Turn the next ``times`` connects away with this status and these headers."""

    times: int = 1
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ping:
    """A ping of the websocket protocol, which no reader of frames sees."""


@dataclass(frozen=True)
class Until:
    """Go on once ``condition()`` holds: keeps a script in step with the test."""

    condition: Callable[[], bool]


Step = str | bytes | float | Drop | Goodbye | Stall | Missed | Refuse | Ping | Until
Script = Iterable[Step] | Callable[[int], Iterable[Step]]


class LiveServer:
    """One venue: ``url`` of the websocket, ``rest`` the base URL of its REST."""

    def __init__(
        self,
        frames: Script,
        rest: dict[str, Any] | None = None,
        *,
        greeting: Iterable[str] = (),
        hellos: int = 1,
        answers: Callable[[str], Iterable[str]] = lambda _: (),
        path: str = "/ws",
        compression: str | None = "deflate",
        first_refuse: Refuse | None = None,
    ) -> None:
        self.sent: list[str | bytes] = []
        self.heard: list[list[str]] = []
        self.headers: list[dict[str, str]] = []
        self.refused = 0
        self.finished = False
        self.loopback = Loopback()
        self.loopback.routes.update(rest or {})
        self.rest = self.loopback.base
        self._each = frames if callable(frames) else None
        self._script: Iterator[Step] = iter(()) if callable(frames) else iter(frames)
        self._greeting, self._hellos, self._answers = tuple(greeting), hellos, answers
        self._compression = compression
        self._refuse = first_refuse or Refuse(0)
        self._port = 0
        self._error: BaseException | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)
        self.url = f"ws://127.0.0.1:{self._port}{path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def connects(self) -> int:
        """How many handshakes were let through."""
        return len(self.heard)

    def close(self) -> None:
        """End every connection and both servers; an error of the script is raised here."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(PATIENCE_S)
        self.loopback.close()
        if self._error is not None:
            raise self._error

    def wait(self, condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Return once ``condition()`` holds; fails if it does not come to that."""
        end = time.monotonic() + patience_s
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.002)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - told in close()
            self._error = error
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with serve(
            self._talk,
            "127.0.0.1",
            0,
            process_request=self._admit,
            compression=self._compression,
            ping_interval=None,
            close_timeout=0.1,
            max_size=None,
        ) as server:
            self._port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._over.wait()
            for connection in list(server.connections):
                connection.transport.abort()

    def _admit(self, connection: ServerConnection, request: Any) -> Response | None:
        if self._refuse.times <= 0:
            return None
        left = self._refuse.times - 1
        self._refuse = Refuse(left, self._refuse.status, self._refuse.headers)
        self.refused += 1
        headers = Headers({"Content-Length": "0", "Connection": "close", **self._refuse.headers})
        return Response(self._refuse.status, "no", headers, b"")

    async def _talk(self, connection: ServerConnection) -> None:
        heard: list[str] = []
        self.heard.append(heard)
        self.headers.append(dict(connection.request.headers.raw_items()))
        listening = asyncio.create_task(self._listen(connection, heard))
        try:
            for frame in self._greeting:
                await connection.send(frame)
            await _until(lambda: len(heard) >= self._hellos or listening.done())
            await self._follow(connection, len(self.heard))
            await listening
        except ConnectionClosed:
            pass
        except Exception as error:  # noqa: BLE001 - a script at fault, told in close()
            self._error = error
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, connection: ServerConnection, heard: list[str]) -> None:
        async for message in connection:
            text = message if isinstance(message, str) else message.decode()
            heard.append(text)
            for frame in self._answers(text):
                await connection.send(frame)

    async def _follow(self, connection: ServerConnection, number: int) -> None:
        script = self._script if self._each is None else iter(self._each(number))
        for step in script:
            if isinstance(step, str | bytes):
                # Noted before it is sent: whoever got it finds it here.
                self.sent.append(step)
                await connection.send(step)
            elif isinstance(step, int | float):
                await asyncio.sleep(step)
            elif isinstance(step, Refuse):
                self._refuse = step
            elif isinstance(step, Ping):
                await connection.ping()
            elif isinstance(step, Until):
                await _until(step.condition)
            elif isinstance(step, Missed):
                _pass_over(script, step.frames)
            else:
                _pass_over(script, step.missed)
                if isinstance(step, Drop):
                    connection.transport.abort()
                elif isinstance(step, Goodbye):
                    await connection.close(step.code, step.reason)
                return
        self.finished = True


def failing(times: int, reply: Any, *, status: int = 500, wait: str | None = None) -> Any:
    """A REST route that fails so many times, with this status and ``Retry-After``, then answers."""
    left = itertools.count(times, -1)

    def answer(asked: Any) -> Reply:
        if next(left) > 0:
            return Reply(b"{}", status, {} if wait is None else {"Retry-After": wait})
        return reply(asked) if callable(reply) else reply

    return answer


def duplicated(frames: Iterable[str], every: int = 3) -> Iterator[str]:
    """Every so many frames, one comes twice."""
    for at, frame in enumerate(frames):
        yield frame
        if at % every == every - 1:
            yield frame


def reordered(frames: Iterable[str], every: int = 4) -> Iterator[str]:
    """Every so many frames, one comes after the one that follows it."""
    run = list(frames)
    for at in range(every - 1, len(run) - 1, every):
        run[at], run[at + 1] = run[at + 1], run[at]
    return iter(run)


def cut(frames: Iterable[str], every: int = 5) -> Iterator[str]:
    """Every so many frames, a torn copy of one comes before it."""
    for at, frame in enumerate(frames):
        if at % every == every - 1:
            yield frame[: len(frame) // 2]
        yield frame


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - conditions are the tests' own, nobody signals them
        await asyncio.sleep(0.002)


def _pass_over(script: Iterator[Step], frames: int) -> None:
    """Take so many frames off the script unsent, and stop there."""
    while frames and (step := next(script, None)) is not None:
        assert isinstance(step, str | bytes), "only frames can be missed"
        frames -= 1
