"""Filling holes over REST while the newer rows of the feed wait.

A hole inside a connection is known by its two ends. What was missed between two connections, or
since an earlier run, begins at the last stamp and ends when REST is asked, which is done once the
new line has said something: from then on rows come by it. REST that does not show the newest rows
when it is asked, with no sequence numbers to tell, leaves them missing.

What is not filled yet is known by feed and stamp to whoever keeps it for a restart: from before
any newer row leaves until the rows of the fill have left.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from eventtape.clock import MINUTE, SECOND
from eventtape.errors import FetchError, InputError
from eventtape.sources.http import Client
from eventtape.sources.live_backoff import Backoff
from eventtape.sources.live_health import HealthBook
from eventtape.sources.live_line import Limits
from eventtape.sources.live_outbox import Outbox
from eventtape.sources.live_rows import newest_ns, not_ahead, stamps_ns
from eventtape.sources.live_venue import Hole, Venue
from eventtape.tape.batch import Batch

__all__ = ["Filler", "Missing"]

_GIVEN_UP_S = 600.0  # what nobody could fill is asked for again at a reconnect within it


class _Hole(NamedTuple):
    feed: str
    from_ns: int
    state: Literal["open", "given up", "fetched"] = "open"


class Missing:
    """Holes of one source and how far each is from being filled.

    Written by the loop's thread; ``behind`` is replaced whole, for readers in other threads.
    """

    def __init__(self) -> None:
        self._holes: dict[int, _Hole] = {}
        self._opened = 0
        self.behind: dict[str, int] = {}  # from when rows are missing, by feed

    def begin(self, since: Mapping[str, int]) -> dict[str, int]:
        """Forget an earlier reading; the number of the hole each feed begins with."""
        numbers = {feed: self._opened + n for n, feed in enumerate(since, 1)}
        self._opened += len(since)
        self._holes = {numbers[feed]: _Hole(feed, at) for feed, at in since.items()}
        self._tell()
        return numbers

    def open(self, feed: str, from_ns: int) -> int:
        """The number of a hole from that stamp on."""
        self._opened += 1
        self._holes[self._opened] = _Hole(feed, from_ns)
        self._tell()
        return self._opened

    def given_up(self, feed: str) -> dict[int, int]:
        """From when each hole of a feed that nobody could fill is, by its number."""
        return {n: h.from_ns for n, h in self._holes.items() if h[::2] == (feed, "given up")}

    def is_open(self, number: int) -> bool:
        """Whether a hole is still being asked for."""
        return number in self._holes and self._holes[number].state == "open"

    def mark(self, number: int, state: Literal["given up", "fetched"]) -> None:
        """How the asking for a hole has ended."""
        if number in self._holes:
            self._holes[number] = self._holes[number]._replace(state=state)

    def from_ns(self, number: int) -> int:
        """From when rows of a hole are missing."""
        return self._holes[number].from_ns

    def fetched(self) -> list[tuple[int, str]]:
        """Holes whose rows have been fetched, and their feeds."""
        return [(n, hole.feed) for n, hole in self._holes.items() if hole.state == "fetched"]

    def forget(self, number: int) -> None:
        """Wait no longer for a hole that nobody could fill."""
        if number in self._holes and self._holes[number].state == "given up":
            self.close(number)

    def close(self, number: int) -> None:
        """Speak of a hole no more."""
        self._holes.pop(number, None)
        self._tell()

    def _tell(self) -> None:
        behind: dict[str, int] = {}
        for hole in self._holes.values():
            behind[hole.feed] = min(hole.from_ns, behind.get(hole.feed, hole.from_ns))
        self.behind = behind


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
        missing: Missing,
        *,
        since: Mapping[str, int],
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
        self._missing = missing
        self._latest = missing.begin(since)  # the hole that each feed last caught up with
        self._catching_up: dict[str, asyncio.Task[None]] = {}
        self._at_once = asyncio.Semaphore(limits.fills_at_once)
        self._hearing = asyncio.Event()
        self._asked_early: dict[str, int] = {}  # newest stamps known then, by feed

    def line_opened(self) -> None:
        """A new line, by which no row has come yet."""
        self._hearing.clear()
        self._asked_early.clear()

    def rows_came(self) -> None:
        """Rows come by the line from here on; what was asked for before that is asked for again.

        A greeting is no sign that the venue has begun to send: rows of between the answer over REST
        and that moment would be in neither.
        """
        if self._hearing.is_set():
            return
        self._hearing.set()
        early, self._asked_early = self._asked_early, {}
        for feed, known_ns in early.items():
            self.catch_up(feed, known_ns)

    def hole(self, hole: Hole) -> None:
        """Fill a hole the venue has found; newer rows of its feed wait."""
        fill = self._hold(hole.feed, self._limits.hold_s)
        numbers = (self._missing.open(hole.feed, hole.from_ns),)
        self._start(self._fill(hole.feed, fill, numbers, hole.from_ns, hole.from_ns, hole.to_ns))

    def catch_up(self, feed: str, last_ns: int) -> None:
        """Bring what came after ``last_ns``, and what an earlier asking has not brought yet.

        Newer rows wait about as long as we were away, so that a short break is not made long.
        """
        away_s = (self._wall_ns() - last_ns) / SECOND
        hold_s = min(max(away_s, self._limits.hold_s), self._limits.catch_up_s)
        fill = self._hold(feed, hold_s)
        given_up = self._missing.given_up(feed)
        since, earlier = min([last_ns, *given_up.values()]), self._latest.get(feed)
        if earlier is not None and self._missing.is_open(earlier):
            since = min(since, self._missing.from_ns(earlier))
            if feed in self._catching_up:
                self._catching_up[feed].cancel()
        else:
            earlier = None
        number = self._latest[feed] = self._missing.open(feed, since)
        if earlier is not None:
            self._missing.close(earlier)
        start = since - round(self._limits.overlap_s * SECOND)
        fills = self._fill(feed, fill, (number, *given_up), start, last_ns)
        self._catching_up[feed] = self._start(fills)

    def leaving(self) -> list[int]:
        """The holes all of whose rows are among those that the outbox has just let out."""
        holes = self._missing.fetched()
        return [number for number, feed in holes if not self._outbox.holds(feed)]

    def left(self, holes: list[int]) -> None:
        """The rows of these holes have been taken by whoever reads."""
        for number in holes:
            self._missing.close(number)

    def _hold(self, feed: str, seconds: float) -> int:
        fill = self._outbox.hold(feed)
        asyncio.get_running_loop().call_later(seconds, self._let_go, feed, fill)
        return fill

    def _let_go(self, feed: str, fill: int) -> None:
        self._outbox.expire(feed, fill)
        self._changed()

    async def _fill(
        self,
        feed: str,
        fill: int,
        numbers: tuple[int, ...],
        from_ns: int,
        known_ns: int,
        to_ns: int | None = None,
    ) -> None:
        """Bring the rows of a hole; those up to ``known_ns`` are asked for again to be sure.

        The first of ``numbers`` is the hole's own; others are filled along with it.
        """
        found: tuple[Batch, ...] = ()
        waits = Backoff(self._limits.wait_first_s, self._limits.wait_most_s, self._rng)
        try:
            if to_ns is None:
                with suppress(TimeoutError):  # wait_for of Python 3.11.2 forgets a cancellation
                    async with asyncio.timeout(self._limits.settle_s):
                        await self._hearing.wait()
            for attempt in range(self._limits.fill_attempts):
                if attempt:
                    await self._sleep(waits.next_s())
                early = to_ns is None and not self._hearing.is_set()
                try:
                    found = await self._ask(feed, from_ns, to_ns)
                except (FetchError, InputError) as error:
                    self._book.said(feed, f"back-fill: {error}")
                else:
                    news = sum(int((stamps_ns(batch.rows) > known_ns).sum()) for batch in found)
                    self._book.filled(feed, news)
                    for number in numbers:
                        self._missing.mark(number, "fetched")
                    if early:
                        came = [newest_ns(one.rows) for one in found if one.rows.height]
                        self._again(feed, max([known_ns, *came]))
                    return
            self._book.unfilled(feed)
            self._missing.mark(numbers[0], "given up")
            loop = asyncio.get_running_loop()
            loop.call_later(_GIVEN_UP_S, self._missing.forget, numbers[0])
        finally:
            self._outbox.filled(feed, fill, found)
            self._changed()

    def _again(self, feed: str, known_ns: int) -> None:
        """Ask once more as soon as rows come by the line."""
        if self._hearing.is_set():
            self.catch_up(feed, known_ns)
        else:
            self._asked_early[feed] = known_ns

    async def _ask(self, feed: str, from_ns: int, to_ns: int | None) -> tuple[Batch, ...]:
        async with self._at_once:
            # A minute on, for a venue whose clock is ahead of ours.
            end = self._wall_ns() + MINUTE if to_ns is None else to_ns
            asked = self._venue.backfill
            found = await asyncio.to_thread(asked, self._client, feed, from_ns, end)
        return tuple(self._in_time(batch) for batch in found)

    def _in_time(self, batch: Batch) -> Batch:
        good, reason = not_ahead(batch)
        if reason:
            n_ahead = batch.rows.height - good.rows.height
            self._book.ahead(batch.feed, "", batch.received_ns, reason, n_ahead)
        return good
