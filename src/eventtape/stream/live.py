"""A run that is live: sources in, journal, graph, board out, and back again after a kill.

One thread runs all sources (:mod:`.intake`). What they bring is committed (:mod:`.committer`): rows
met before are left out, the rest is journaled, then pushed to the graph.

A start takes the newest snapshot, pushes the journal from there, and then asks each source for what
came after its feeds' last stamps: history, then live, with no row lost or counted twice.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from eventtape.errors import InputError, StreamError
from eventtape.stream.board import Board
from eventtape.stream.committer import Committer
from eventtape.stream.durable import JournalLike, Saver, SnapshotsLike, resumed
from eventtape.stream.fold import Program
from eventtape.stream.intake import Intake, Pace
from eventtape.stream.telling import late_rows, told_health, words_of
from eventtape.tape.live_source import LiveSource

__all__ = ["LiveRun"]


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
        if most_behind < 1:
            raise InputError("room for at least 1 batch", met=most_behind)
        self._program, self._sources, self._board = program, tuple(sources), board
        self._journal, self._snapshots = journal, snapshots
        self._snapshot_s, self._health_s = snapshot_s, health_s
        self._most_waiting, self._most_behind = most_waiting, most_behind
        self._progress = progress
        self._said: tuple[str, ...] = ()
        pace = Pace(beat_s, opening_s, most_waiting)
        self._intake = Intake(self._sources, journal, pace, told=self._say)
        self._error: BaseException | None = None
        self._over = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._committer: Committer | None = None
        self._states: dict[str, Any] | None = None
        self._thread: threading.Thread | None = None

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
        self._journal.write_feeds(self._intake.feeds.values())
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
            self._collect_rarely()
        except BaseException:
            with suppress(StreamError):
                committer.stop(finish=False)
            self._saver.close()
            self._committer = None
            raise
        self._thread = threading.Thread(
            target=self._work, args=(committer,), name="eventtape-sources", daemon=True
        )
        self._thread.start()

    def _collect_rarely(self) -> None:
        """A full collection of garbage stops the run for a twentieth of a second or more: fewer."""
        gc.collect()
        gc.freeze()
        self._thresholds = gc.get_threshold()
        gc.set_threshold(*self._thresholds[:2], 1_000)

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
        while self._thread is not None and self._thread.is_alive():
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
                gc.unfreeze()
                gc.set_threshold(*self._thresholds)
            self._tell()
        self._check()
        return self._states

    def _check(self) -> None:
        if self._error is not None:
            raise StreamError(f"the run ended: {words_of(self._error)}") from self._error

    def _say(self, *words: str) -> None:
        self._said += words

    def _work(self, committer: Committer) -> None:
        try:
            asyncio.run(self._main(committer))
        except BaseException as error:  # noqa: BLE001 - carried to whoever waits or stops
            self._error = error
        finally:
            self._over.set()

    async def _main(self, committer: Committer) -> None:
        self._loop = asyncio.get_running_loop()
        telling = asyncio.create_task(self._tell_often())
        try:
            await self._intake.run(committer, self._stopping, self._ended)
        finally:
            telling.cancel()

    def _ended(self) -> None:
        """All sources have ended: over once what they brought is in the graph."""
        if self._committer is not None:
            try:
                self._committer.wait_until(self._committer.number)
            except StreamError as error:
                self._error = error
        self._over.set()

    async def _tell_often(self) -> None:
        while True:
            self._tell()
            await asyncio.sleep(self._health_s)

    def _tell(self) -> None:
        """Health and metrics, to the board."""
        committer = self._committer
        if committer is None:
            return
        held = self._sources, self._intake.down, committer.dedupe.duplicates
        late = late_rows(self._program, committer.states)
        self._board.set_health(*told_health(*held, late))
        said = self._said[-1] if self._said else ""
        self._board.set_metrics(committer.metrics(self._intake.waiting, self._most_waiting, said))
