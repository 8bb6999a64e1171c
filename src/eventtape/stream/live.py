"""A run that is live: sources in, journal, graph, board out, and back again after a kill.

One thread runs all sources; what they bring waits in a queue of bounded length, and a full queue
makes a source wait, it drops nothing. Everything that waits is committed at one stroke: rows met
before are left out, the rest is journaled, then pushed to the graph. When nothing comes, beats of
the clock do.

A start takes the newest snapshot, pushes the journal from there, and then asks each source for what
came after its feeds' last stamps: history, then live, with no row lost or counted twice.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from eventtape.errors import InputError, StreamError
from eventtape.stream.board import Board
from eventtape.stream.committer import Committer
from eventtape.stream.durable import JournalLike, Saver, SnapshotsLike, resumed
from eventtape.stream.fold import Program
from eventtape.stream.opening import Opening, by_stamp
from eventtape.stream.telling import late_rows, told_health, words_of
from eventtape.tape.batch import Batch, beat, record_named
from eventtape.tape.feed import Feed
from eventtape.tape.live_source import LiveSource
from eventtape.tape.records import empty

__all__ = ["LiveRun"]

_BEGUN_S = 5.0  # by then every source has said what it lacks


class LiveRun:
    """The run of a program over live sources; :meth:`start` it, or use it in ``with``.

    ``beat_s`` without a batch and a beat of the clock is journaled and pushed (None: never);
    ``opening_s`` is how long, after a restart, what feeds missed is waited for (:mod:`.opening`);
    ``snapshot_s`` is the least time between snapshots; ``most_waiting`` batches may wait for the
    journal and ``most_behind`` for the graph before sources are slowed down. ``progress`` is called
    with how many of the journal's batches are replayed, and of how many.

    A source that raises ends its own feeds, which are ``down`` from then on; a disk that cannot
    take the journal or an engine that fails ends the run, and :meth:`wait` and :meth:`stop` raise
    the reason as a :class:`StreamError`. Once a node of the graph has failed no more snapshots are
    saved, so that a restart meets the same failure and not a state with rows missing.
    """

    def __init__(
        self,
        program: Program,
        sources: Sequence[LiveSource],
        *,
        journal: JournalLike,
        snapshots: SnapshotsLike,
        board: Board,
        beat_s: float | None = 0.25,
        snapshot_s: float = 5.0,
        health_s: float = 0.5,
        opening_s: float = 0.0,
        most_waiting: int = 1024,
        most_behind: int = 512,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        if most_waiting < 1 or most_behind < 1:
            raise InputError("room for at least 1 batch", met=(most_waiting, most_behind))
        self._program, self._sources, self._board = program, tuple(sources), board
        self._feeds = {feed.label: feed for source in sources for feed in source.feeds}
        if len(self._feeds) < sum(len(source.feeds) for source in sources):
            raise InputError("each feed from one source", met=sorted(self._feeds))
        self._journal, self._snapshots = journal, snapshots
        self._beat_s, self._snapshot_s, self._health_s = beat_s, snapshot_s, health_s
        self._opening_s = opening_s
        self._most_waiting, self._most_behind = most_waiting, most_behind
        self._progress = progress
        self._said: tuple[str, ...] = ()
        self._down: dict[int, str] = {}  # sources that raised, by place
        self._error: BaseException | None = None
        self._over = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._queue: asyncio.Queue[Batch | None] = asyncio.Queue(most_waiting)
        self._committer: Committer | None = None
        self._states: dict[str, Any] | None = None
        self._clock = time.time_ns() - time.monotonic_ns()  # a wall clock that is never set
        self._missing: dict[str, int] = {}  # rows on their way: from which stamp, by feed
        self._thread = threading.Thread(target=self._work, name="eventtape-sources", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.stop()
        else:
            with suppress(StreamError):
                self.stop()

    @property
    def said(self) -> tuple[str, ...]:
        """What the run met that a reader should know, in words."""
        return self._said

    def start(self) -> None:
        """Restore, replay the journal's tail, then let the sources begin; returns after that."""
        begun = resumed(self._program, self._journal, self._snapshots)
        self._say(*begun.said)
        self._journal.write_feeds(self._feeds.values())
        self._saver = Saver(
            self._program, self._snapshots, every_s=self._snapshot_s, told=self._say
        )
        self._committer = committer = Committer(
            self._program,
            self._journal,
            self._board,
            self._saver,
            begun,
            most_behind=self._most_behind,
        )
        try:
            committer.start()
            committer.replay(self._progress)
        except BaseException:
            with suppress(StreamError):
                committer.stop(finish=False)
            self._saver.close()
            self._committer = None
            raise
        self._thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether all sources have ended, by themselves, and all they brought is in the graph.

        Returns False after ``timeout_s``; raises the error that ended the run as a
        :class:`StreamError`.
        """
        over = self._over.wait(timeout_s)
        self._check()
        return over

    def stop(self, *, finish: bool = False) -> dict[str, Any]:
        """The states, once sources are closed, the queue is drained and a snapshot is saved.

        ``finish`` settles what the end of the tape settles. May be called again, from any thread.
        """
        if self._committer is None:
            return {}
        while self._thread.is_alive():
            if self._loop is not None:
                with suppress(RuntimeError):  # it has just ended by itself
                    self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(0.2)
        if self._states is None:
            try:
                self._states = self._committer.stop(finish=finish)
            except StreamError as error:
                self._error = self._error or error
                self._states = {}
            finally:
                self._saver.close()
            self._tell()
        self._check()
        return self._states

    def _check(self) -> None:
        if self._error is not None:
            raise StreamError(f"the run ended: {words_of(self._error)}") from self._error

    def _say(self, *words: str) -> None:
        self._said += words

    def _work(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - carried to whoever waits or stops
            self._error = error
        finally:
            self._over.set()

    def _now_ns(self) -> int:
        return self._clock + time.monotonic_ns()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._missing = dict(self._journal.behind())
        committing = asyncio.create_task(self._commit())
        telling = asyncio.create_task(self._tell_often())
        pumps = [asyncio.create_task(self._pump(k)) for k in range(len(self._sources))]
        ended = asyncio.create_task(self._when_ended(pumps))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({stopping, committing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*pumps, ended, telling, stopping):
                task.cancel()
            await asyncio.gather(*pumps, ended, telling, stopping, return_exceptions=True)
        if not committing.done():
            closing = asyncio.create_task(self._queue.put(None))
            await asyncio.wait({closing, committing}, return_when=asyncio.FIRST_COMPLETED)
            closing.cancel()
        await committing

    async def _when_ended(self, pumps: Sequence[asyncio.Task[None]]) -> None:
        await asyncio.gather(*pumps)
        await self._queue.join()
        if self._committer is not None:
            try:
                await asyncio.to_thread(self._committer.wait_until, self._committer.number)
            except StreamError as error:
                self._error = error
                self._stopping.set()
        self._over.set()

    async def _pump(self, place: int) -> None:
        """One source's batches into the queue, for as long as it brings them."""
        source = self._sources[place]
        stream = None
        try:
            stream = source.batches(self._since(source))
            async for batch in stream:
                _check_batch(batch, self._feeds)
                await self._queue.put(_not_before_now(batch, self._now_ns()))
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a fault of a source (Rust's panics too) ends it
            self._down[place] = words_of(error)
            self._say(words_of(error))
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()

    def _since(self, source: LiveSource) -> dict[str, int]:
        """From which stamp each feed of a source is asked for again."""
        stamps = self._committer.stamps if self._committer is not None else {}
        missing = self._journal.behind()  # from where, of holes that were open at the last stop
        return {
            feed.label: min(stamps[feed.label], missing.get(feed.label, stamps[feed.label]))
            for feed in source.feeds
            if feed.label in stamps
        }

    async def _commit(self) -> None:
        """Everything that waits, group after group, until the queue says that it is closed."""
        committer = self._committer
        if committer is None:
            return
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="eventtape-commit") as pool:
            begun = time.monotonic()
            last = await self._open(committer, pool)
            while not last:
                behind = self._behind()  # a feed that is not in it has its rows in the queue
                group: list[Batch | None] = []
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._beat_s):
                        group.append(await self._queue.get())
                while not self._queue.empty():
                    group.append(self._queue.get_nowait())
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
        with suppress(TimeoutError):
            async with asyncio.timeout(self._opening_s):
                while opening.waiting and not closed:
                    batch = await self._queue.get()
                    n, closed = n + 1, batch is None
                    if batch is not None:
                        opening.add(batch)
        if n > closed:
            self._keep_missing(self._earliest(self._behind()))
            work = asyncio.get_running_loop().run_in_executor
            await work(pool, committer.commit, opening.batches())
        for _ in range(n):
            self._queue.task_done()
        return closed

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

    async def _tell_often(self) -> None:
        while True:
            self._tell()
            await asyncio.sleep(self._health_s)

    def _tell(self) -> None:
        """Health and metrics, to the board."""
        committer = self._committer
        if committer is None:
            return
        held = self._sources, self._down, committer.dedupe.duplicates
        late = late_rows(self._program, committer.states)
        self._board.set_health(*told_health(*held, late))
        said = self._said[-1] if self._said else ""
        self._board.set_metrics(committer.metrics(self._queue.qsize(), self._most_waiting, said))


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
