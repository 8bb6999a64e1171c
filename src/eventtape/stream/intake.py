"""What live sources bring, on its way to disk: checked, put in order, committed in groups.

Each source has a task of its own; what they bring waits in a queue of bounded length, and a full
queue makes a source wait, it drops nothing. Everything that waits is committed at one stroke. When
nothing comes, beats of the clock do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

from eventtape.errors import InputError
from eventtape.stream.committer import Committer
from eventtape.stream.durable import JournalLike
from eventtape.stream.opening import Opening, by_stamp
from eventtape.stream.telling import words_of
from eventtape.tape.batch import Batch, beat, record_named
from eventtape.tape.feed import Feed
from eventtape.tape.live_source import LiveSource
from eventtape.tape.records import empty

__all__ = ["Intake", "Pace"]

_LOOK_S = 0.1  # between looks at what is still missing
_BEGUN_S = 5.0  # by then every source has said what it lacks


class Pace(NamedTuple):
    """Seconds until a beat (None: never), seconds a restart waits, the queue's length."""

    beat_s: float | None
    opening_s: float
    most_waiting: int


class Intake:
    """From ``sources`` to the journal, for as long as :meth:`run` is awaited.

    ``down`` says why sources that raised are down, by their place; ``told`` is called with it.
    """

    def __init__(
        self,
        sources: Sequence[LiveSource],
        journal: JournalLike,
        pace: Pace,
        *,
        told: Callable[[str], None],
    ) -> None:
        if pace.most_waiting < 1:
            raise InputError("room for at least 1 batch", met=pace.most_waiting)
        self._sources = sources
        self._feeds = {feed.label: feed for source in sources for feed in source.feeds}
        if len(self._feeds) < sum(len(source.feeds) for source in sources):
            raise InputError("each feed from one source", met=sorted(self._feeds))
        self._journal, self._pace, self._told = journal, pace, told
        self.down: dict[int, str] = {}
        self._queue: asyncio.Queue[Batch | None] = asyncio.Queue(pace.most_waiting)
        self._clock = time.time_ns() - time.monotonic_ns()  # a wall clock that is never set
        self._missing: dict[str, int] = {}  # rows on their way: from which stamp, by feed

    @property
    def feeds(self) -> Mapping[str, Feed]:
        """The feeds of all sources, by label."""
        return self._feeds

    @property
    def waiting(self) -> int:
        """Batches received and not committed yet."""
        return self._queue.qsize()

    async def run(
        self, committer: Committer, stop: asyncio.Event, ended: Callable[[], None]
    ) -> None:
        """Take in until ``stop`` is set, then commit what waits; raises what the commit raises.

        ``ended`` is called, in a thread, when all sources have ended by themselves and all they
        brought is committed.
        """
        self._missing = dict(self._journal.behind())
        committing = asyncio.create_task(self._commit(committer))
        places = range(len(self._sources))
        pumps = [asyncio.create_task(self._pump(one, committer)) for one in places]
        done = asyncio.create_task(self._when_ended(pumps, ended))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({stopping, committing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*pumps, done, stopping):
                task.cancel()
            await asyncio.gather(*pumps, done, stopping, return_exceptions=True)
        if not committing.done():
            closing = asyncio.create_task(self._queue.put(None))
            await asyncio.wait({closing, committing}, return_when=asyncio.FIRST_COMPLETED)
            closing.cancel()
        await committing

    async def _when_ended(
        self, pumps: Sequence[asyncio.Task[None]], ended: Callable[[], None]
    ) -> None:
        await asyncio.gather(*pumps)
        await self._queue.join()
        await asyncio.to_thread(ended)

    async def _pump(self, place: int, committer: Committer) -> None:
        """One source's batches into the queue, for as long as it brings them."""
        source = self._sources[place]
        stream = None
        try:
            stream = source.batches(self._since(source, committer.stamps))
            async for batch in stream:
                _check_batch(batch, self._feeds)
                await self._queue.put(_not_before_now(batch, self._now_ns()))
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a fault of a source (Rust's panics too) ends it
            self.down[place] = words_of(error)
            self._told(words_of(error))
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()

    def _since(self, source: LiveSource, stamps: Mapping[str, int]) -> dict[str, int]:
        """From which stamp each feed of a source is asked for again."""
        missing = self._journal.behind()  # from where, of holes that were open at the last stop
        return {
            feed.label: min(stamps[feed.label], missing.get(feed.label, stamps[feed.label]))
            for feed in source.feeds
            if feed.label in stamps
        }

    async def _commit(self, committer: Committer) -> None:
        """Everything that waits, group after group, until the queue says that it is closed."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="eventtape-commit") as pool:
            begun = time.monotonic()
            last = await self._open(committer, pool)
            while not last:
                behind = self._behind()  # a feed that is not in it has its rows in the queue
                group = await self._waiting(self._pace.beat_s)
                last = None in group
                batches = [one for one in group if one is not None]
                batches = by_stamp(batches) if group else [beat(self._now_ns())]
                self._keep_missing(self._earliest(self._behind()))
                await loop.run_in_executor(pool, committer.commit, batches)
                for _ in group:
                    self._queue.task_done()
                if time.monotonic() - begun > _BEGUN_S:
                    self._keep_missing({k: v for k, v in self._missing.items() if k in behind})

    async def _open(self, committer: Committer, pool: ThreadPoolExecutor) -> bool:
        """What feeds missed while the run was down, in the order of stamps; True: queue closed."""
        since = {name: at for name, at in committer.stamps.items() if name in self._feeds}
        opening = Opening(since, self._now_ns())
        n, closed = 0, False
        until = time.monotonic() + self._pace.opening_s
        while opening.waiting and not closed and time.monotonic() < until:
            filled = self._filled()  # what these missed is in the queue by now
            came = await self._waiting(_LOOK_S)
            n, closed = n + len(came), None in came
            for batch in came:
                if batch is not None:
                    opening.add(batch)
            opening.filled(filled)
        if n > closed:
            self._keep_missing(self._earliest(self._behind()))
            work = asyncio.get_running_loop().run_in_executor
            await work(pool, committer.commit, opening.batches())
        for _ in range(n):
            self._queue.task_done()
        return closed

    async def _waiting(self, patience_s: float | None) -> list[Batch | None]:
        """All that waits, once there is something; nothing where nothing comes in that time."""
        came: list[Batch | None] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                came.append(await self._queue.get())
        while not self._queue.empty():
            came.append(self._queue.get_nowait())
        return came

    def _filled(self) -> set[str]:
        """Feeds that are up and miss nothing, as far as their sources tell."""
        up = {
            one.feed
            for source in self._sources
            if hasattr(source, "behind")
            for one in source.health()
            if one.state == "live"
        }
        return up - self._behind().keys()

    def _behind(self) -> dict[str, int]:
        """From which stamp rows are on their way, by feed, as the sources say now."""
        return {k: v for one in self._sources for k, v in getattr(one, "behind", dict)().items()}

    def _keep_missing(self, missing: dict[str, int]) -> None:
        """On disk: before newer rows are journaled, and until the missing ones are."""
        if missing != self._missing:
            self._journal.write_behind(missing)
            self._missing = missing

    def _earliest(self, now: dict[str, int]) -> dict[str, int]:
        return {**self._missing, **{k: min(v, self._missing.get(k, v)) for k, v in now.items()}}

    def _now_ns(self) -> int:
        return self._clock + time.monotonic_ns()


def _not_before_now(batch: Batch, now_ns: int) -> Batch:
    """The batch as received no later than now: a clock that jumped ahead moves nothing on."""
    return batch._replace(received_ns=now_ns) if batch.received_ns > now_ns else batch


def _check_batch(batch: Batch, feeds: dict[str, Feed]) -> None:
    """Refuse a batch of a feed or of columns that its source did not promise."""
    if not batch.feed:
        return
    feed = feeds.get(batch.feed)
    if feed is None or feed.record.name != batch.record:
        wanted = f"a feed and its record among {', '.join(sorted(feeds))}"
        raise InputError(wanted, met=(batch.feed, batch.record))
    schema = empty(record_named(batch.record)).schema
    if batch.rows.schema != schema or batch.keys.shape != (batch.rows.height,):
        raise InputError(f"the columns of a {batch.record} and a key a row", met=batch.rows.schema)
