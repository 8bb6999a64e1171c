"""One websocket to a venue, kept up: batches come out whatever happens to the line.

It reconnects with back-off, cuts a line that has gone silent, holds a feed's newer rows back while
a hole behind them is filled over REST, and joins what comes within a few milliseconds into one
batch. Every connect after the first asks REST for what was missed meanwhile, from a little before
the last stamp on: repeats carry the keys they came with.

Rows are pulled: a slow reader makes batches larger, and past a bound the line is read no further.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus, InvalidURI, WebSocketException

from eventtape.clock import MINUTE, SECOND
from eventtape.errors import FetchError, InputError
from eventtape.sources.http import Client
from eventtape.sources.live_backoff import Backoff
from eventtape.sources.live_fill import Filler, Missing
from eventtape.sources.live_health import BadFrame, HealthBook
from eventtape.sources.live_line import (
    Limits,
    Line,
    beat,
    fell_silent,
    opened,
    refused_by_us,
    wait_asked_s,
)
from eventtape.sources.live_outbox import Outbox
from eventtape.sources.live_rows import newest_ns, not_ahead
from eventtape.sources.live_venue import Hole, Venue
from eventtape.tape import Feed
from eventtape.tape.batch import Batch
from eventtape.tape.health import FeedHealth

__all__ = ["Limits", "Socket", "quick_client"]

_USUAL = Limits()


def quick_client() -> Client:
    """A client that gives up within seconds: a back-fill that waits is of little use."""
    return Client(timeout=10.0, attempts=3, wait_initial=0.2, wait_max=2.0, patience=10.0)


class Socket:
    """The live source of a venue, one reader at a time.

    ``client`` makes the REST client of a reading. ``sleep`` (between attempts), ``wall_ns`` and
    ``monotonic`` stand in for the clock in tests, ``seed`` fixes the jitter.
    """

    def __init__(
        self,
        venue: Venue,
        *,
        client: Callable[[], Client] = quick_client,
        limits: Limits = _USUAL,
        seed: int | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.venue, self.limits, self.client = venue, limits, client
        self.sleep, self.wall_ns, self.monotonic = sleep, wall_ns, monotonic
        self.rng = random.Random(seed)  # noqa: S311 - jitter, no secret
        labels = [feed.label for feed in venue.feeds]
        self.book = HealthBook(labels, limits.kept_frames, limits.kept_bytes)
        self.missing = Missing()
        self._read = False

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """What it brings, with empty frames."""
        return self.venue.feeds

    def health(self) -> tuple[FeedHealth, ...]:
        """How each feed is doing; safe to call from another thread."""
        return self.book.read()

    def bad_frames(self) -> tuple[BadFrame, ...]:
        """The first few frames that could not be read, as they came; from any thread."""
        return self.book.bad_frames()

    def behind(self) -> dict[str, int]:
        """From which stamp (ns) rows are missing, by feed; {} where none are; from any thread.

        A hole is told before any newer row leaves, until whoever reads has taken the rows that
        fill it; one that nobody could fill for ten minutes more. A restart asks from there.
        """
        return dict(self.missing.behind)

    async def batches(self, since: Mapping[str, int]) -> AsyncIterator[Batch]:
        """Batches from now on, after the rows missed since the stamps given (ns, by feed).

        Raises :class:`FetchError` where the venue refuses for good.
        """
        if self._read:
            raise InputError("one reader of a socket at a time", met=self.venue.name)
        self._read = True
        try:
            async with aclosing(_Reading(self, since).batches()) as reading:
                async for batch in reading:
                    yield batch
        finally:
            self._read = False
            self.book.state("down")


class _AgainError(Exception):
    """The connection is of no more use: why, in words."""


class _Reading:
    """One reading of a socket, from the first connect until the reader leaves."""

    def __init__(self, socket: Socket, since: Mapping[str, int]) -> None:
        self.socket, self.venue, self.limits = socket, socket.venue, socket.limits
        self.book, self.outbox = socket.book, Outbox(socket.limits.hold_rows)
        labels = {feed.label for feed in socket.feeds}
        self.last = {feed: ns for feed, ns in since.items() if feed in labels}  # newest stamps
        self.tasks: set[asyncio.Task[None]] = set()
        self.failure: BaseException | None = None
        self.silent = False
        self.ready, self.room = asyncio.Event(), asyncio.Event()
        self.room.set()
        self.client = socket.client()
        self.filler = Filler(
            socket.venue,
            socket.limits,
            self.outbox,
            self.book,
            socket.missing,
            since=self.last,
            client=self.client,
            start=self._start,
            changed=self.ready.set,
            sleep=socket.sleep,
            wall_ns=socket.wall_ns,
            rng=socket.rng,
        )

    async def batches(self) -> AsyncGenerator[Batch, None]:
        self._start(self._stay_connected())
        try:
            while True:
                await self.ready.wait()
                await asyncio.sleep(self.limits.flush_s)
                self.ready.clear()
                drained, filled = self.outbox.drain(), self.filler.leaving()
                self.room.set()
                for batch in drained:
                    self.book.left(batch)
                    yield batch
                self.filler.left(filled)
                if self.failure is not None:
                    raise self.failure
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            self.client.close()

    def _start(self, body: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(body)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.failure = self.failure or task.exception()
            self.ready.set()

    async def _stay_connected(self) -> None:
        waits = Backoff(self.limits.wait_first_s, self.limits.wait_most_s, self.socket.rng)
        again = False
        while True:
            at_least, since = 0.0, None
            try:
                async with opened(self.venue, self.limits) as line:
                    since = self.socket.monotonic()
                    self.book.connected(again=again)
                    again = True
                    await self._converse(line)
            except InvalidURI as error:
                raise InputError("a websocket address", met=self.venue.name) from error
            except InvalidStatus as error:
                at_least = wait_asked_s(self.venue, error)
                self.book.state("down", f"connect: status {error.response.status_code}")
            except (_AgainError, WebSocketException, OSError, EOFError) as error:
                self._lost(error)
            healthy_s = self.limits.healthy_s
            if since is not None and self.socket.monotonic() - since >= healthy_s:
                waits.reset()
            await self.socket.sleep(waits.next_s(at_least))

    def _lost(self, error: Exception) -> None:
        if self.silent:
            self.silent = False
            self.book.state("stale", f"nothing heard for {self.venue.silence_s:g} s")
            return
        words = f"{type(error).__name__}: {error}"
        if isinstance(error, _AgainError):
            words = str(error)
        elif refused_by_us(error):
            words = f"a frame of no text or of more than {self.limits.frame_bytes} bytes"
            self.book.malformed("", self.socket.wall_ns(), words)
        self.book.state("down", words)

    async def _converse(self, line: ClientConnection) -> None:
        """Talk until the line breaks."""
        assert isinstance(line, Line)
        for frame in self.venue.hello():
            await line.send(frame)
        self.filler.line_opened()
        for feed, last in self.last.items():
            self.filler.catch_up(feed, last)
        helpers = [
            asyncio.create_task(self._cut_if_silent(line)),
            asyncio.create_task(beat(line, self.venue)),
        ]
        heard, turn = False, time.monotonic()
        try:
            while True:
                # Buffered frames come without a pause, and others must have their turn.
                if time.monotonic() - turn > self.limits.flush_s:
                    await asyncio.sleep(0)
                    turn = time.monotonic()
                said = await line.recv()
                good = await self._take(line, said, self.socket.wall_ns())
                if good and not heard:
                    heard = True
                    self.book.state("live")
        except asyncio.CancelledError:
            # A farewell waits for its answer, and before Python 3.11.3 that wait never times out
            # in a task that was cancelled: the line would stay open.
            line.transport.abort()
            raise
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def _cut_if_silent(self, line: Line) -> None:
        await fell_silent(line, self.venue.silence_s, lambda: not self.room.is_set())
        self.silent = True
        line.transport.abort()

    async def _take(self, line: Line, frame: str | bytes, received_ns: int) -> bool:
        """Whether the frame could be read; its rows go out, its wishes are met."""
        try:
            read = self.venue.read(frame, received_ns)
        except InputError as error:
            self.book.malformed(frame, received_ns, str(error))
            return False
        if read.refused:
            raise FetchError(f"{self.venue.name} refuses: {read.refused}")
        for hole in read.holes:
            self.book.hole(hole.feed)
            self.filler.hole(self._on_our_clock(hole, received_ns))
        for batch in read.batches:
            if batch.rows.height:
                self._came(batch, frame)
        for reply in read.replies:
            await line.send(reply)
        if read.reconnect:
            raise _AgainError(read.reconnect)
        if self.outbox.rows > self.limits.waiting_rows:
            self.room.clear()
            await self.room.wait()
        return True

    def _on_our_clock(self, hole: Hole, received_ns: int) -> Hole:
        """The hole, its ends no row of the future that we do not take."""
        latest = received_ns + MINUTE
        start, end = hole.from_ns, min(hole.to_ns, latest)
        if start > latest:
            start = min(self.last.get(hole.feed, end), end)
            start -= round(self.limits.overlap_s * SECOND)
        return hole._replace(from_ns=start, to_ns=end)

    def _came(self, batch: Batch, frame: str | bytes) -> None:
        newest = newest_ns(batch.rows)
        if newest > batch.received_ns + MINUTE:
            good, reason = not_ahead(batch)
            n_ahead = batch.rows.height - good.rows.height
            self.book.ahead(batch.feed, frame, batch.received_ns, reason, n_ahead)
            if not good.rows.height:
                return
            batch, newest = good, newest_ns(good.rows)
        self.filler.rows_came()
        self.last[batch.feed] = max(newest, self.last.get(batch.feed, newest))
        self.book.came(batch.feed, newest, batch.received_ns)
        self.outbox.take(batch)
        self.ready.set()
