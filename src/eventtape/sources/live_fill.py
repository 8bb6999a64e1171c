"""Filling holes over REST while the newer rows of the feed wait.

A hole inside a connection is known by its two ends. What was missed between two connections, or
since an earlier run, begins at the last stamp and ends when REST is asked, which is done once the
new line has said something: from then on rows come by it. REST that does not show the newest rows
when it is asked, with no sequence numbers to tell, leaves them missing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from eventtape.clock import MINUTE, SECOND
from eventtape.errors import FetchError, InputError
from eventtape.sources.http import Client
from eventtape.sources.live_backoff import Backoff
from eventtape.sources.live_health import HealthBook
from eventtape.sources.live_line import Limits
from eventtape.sources.live_outbox import Outbox
from eventtape.sources.live_rows import stamps_ns
from eventtape.sources.live_venue import Hole, Venue
from eventtape.tape.batch import Batch

__all__ = ["Filler"]


class Filler:
    """Holes of one run of one venue; called from the loop's thread, asks in worker threads.

    ``start`` runs a task of the run, ``changed`` is called when rows may leave.
    """

    def __init__(
        self,
        venue: Venue,
        limits: Limits,
        outbox: Outbox,
        book: HealthBook,
        *,
        client: Client,
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        changed: Callable[[], None],
        sleep: Callable[[float], Awaitable[None]],
        wall_ns: Callable[[], int],
        rng: random.Random,
    ) -> None:
        self._venue, self._limits, self._outbox, self._book = venue, limits, outbox, book
        self._client, self._start, self._changed = client, start, changed
        self._sleep, self._wall_ns, self._rng = sleep, wall_ns, rng
        self._behind: dict[str, tuple[int, asyncio.Task[None]]] = {}  # from when, by feed
        self._at_once = asyncio.Semaphore(limits.fills_at_once)
        self._hearing = asyncio.Event()

    def line_opened(self) -> None:
        """A new line, on which nothing was heard yet."""
        self._hearing.clear()

    def line_heard(self) -> None:
        """The line has said something: rows come by it from here on."""
        self._hearing.set()

    def hole(self, hole: Hole) -> None:
        """Fill a hole the venue has found; newer rows of its feed wait."""
        fill = self._hold(hole.feed, self._limits.hold_s)
        self._start(self._fill(hole.feed, fill, hole.from_ns, hole.from_ns, hole.to_ns))

    def catch_up(self, feed: str, last_ns: int) -> None:
        """Bring what came after ``last_ns``, and what an earlier asking has not brought yet.

        Newer rows wait about as long as we were away, so that a short break is not made long.
        """
        start = last_ns - round(self._limits.overlap_s * SECOND)
        away_s = (self._wall_ns() - last_ns) / SECOND
        hold_s = min(max(away_s, self._limits.hold_s), self._limits.catch_up_s)
        fill = self._hold(feed, hold_s)
        earlier = self._behind.get(feed)
        if earlier is not None and not earlier[1].done():
            start = min(start, earlier[0])
            earlier[1].cancel()
        self._behind[feed] = start, self._start(self._fill(feed, fill, start, last_ns))

    def _hold(self, feed: str, seconds: float) -> int:
        fill = self._outbox.hold(feed)
        asyncio.get_running_loop().call_later(seconds, self._let_go, feed, fill)
        return fill

    def _let_go(self, feed: str, fill: int) -> None:
        self._outbox.expire(feed, fill)
        self._changed()

    async def _fill(
        self, feed: str, fill: int, from_ns: int, known_ns: int, to_ns: int | None = None
    ) -> None:
        """Bring the rows of a hole; those up to ``known_ns`` are asked for again to be sure."""
        found: tuple[Batch, ...] = ()
        waits = Backoff(self._limits.wait_first_s, self._limits.wait_most_s, self._rng)
        try:
            if to_ns is None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._hearing.wait(), self._limits.settle_s)
            for attempt in range(self._limits.fill_attempts):
                if attempt:
                    await self._sleep(waits.next_s())
                try:
                    found = await self._ask(feed, from_ns, to_ns)
                except (FetchError, InputError) as error:
                    self._book.said(feed, f"back-fill: {error}")
                else:
                    news = sum(int((stamps_ns(batch.rows) > known_ns).sum()) for batch in found)
                    self._book.filled(feed, news)
                    return
            self._book.unfilled(feed)
        finally:
            self._outbox.filled(feed, fill, found)
            self._changed()

    async def _ask(self, feed: str, from_ns: int, to_ns: int | None) -> tuple[Batch, ...]:
        async with self._at_once:
            # A minute on, for a venue whose clock is ahead of ours.
            end = self._wall_ns() + MINUTE if to_ns is None else to_ns
            return await asyncio.to_thread(self._venue.backfill, self._client, feed, from_ns, end)
