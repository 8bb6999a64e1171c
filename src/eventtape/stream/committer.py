"""From what was received to what is known: each row once, on disk first, then in the graph.

A batch is acknowledged when the journal has it, and only then pushed to the engine. The engine is
kept at most ``most_behind`` batches behind the journal, so a slow graph slows the sources and
nothing piles up.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from eventtape.errors import EventTapeError, StreamError
from eventtape.stream.board import Board, Metrics
from eventtape.stream.dedupe import Dedupe
from eventtape.stream.durable import JournalLike, Resumed, Saver
from eventtape.stream.fold import Program, Slice
from eventtape.stream.graph import Live
from eventtape.stream.telling import resident_bytes
from eventtape.tape.batch import Batch
from eventtape.tape.feed import times_ns

__all__ = ["Committer"]

_TAIL = 10_000  # batches of the journal whose keys are remembered after a restart
_KEYS = 1_024  # and keys of each feed in a snapshot, for feeds whose last row is older than that
_EARLY = 1_024  # batches in which every feed that is missing rows should show where the tail begins
_ASK = 64  # batches of a long group after which the engine is asked how far it is
_LATELY_S = 5.0  # rates are over the last seconds


class _Append(NamedTuple):
    at: float
    took_s: float
    batches: int
    rows: int


class Committer:
    """Takes groups of received batches, one group at a time; owns the engine of the run.

    :meth:`replay` and :meth:`commit` are called by one thread at a time.
    """

    def __init__(
        self,
        program: Program,
        journal: JournalLike,
        board: Board,
        saver: Saver,
        begun: Resumed,
        *,
        most_behind: int,
    ) -> None:
        self.dedupe = Dedupe()
        self.dedupe.recall(begun.keys)
        self.stamps = dict(begun.stamps)  # newest of each feed in the journal
        self.states: Mapping[str, Any] = {}  # of the last batch that the engine told of
        self.number = begun.number - 1  # last batch pushed
        self.done = begun.number - 1  # last batch through the engine
        self.batches, self.rows = 0, 0
        self.failed = False  # a node has stopped: its state is of no more use
        self._astray = False  # keys are remembered whose rows the journal did not take
        self._journal, self._board, self._saver = journal, board, saver
        self._first = begun.number
        self._live_from, self._began_ns = journal.next_number, time.time_ns()
        self._most_behind = most_behind
        self._moved = threading.Condition()
        self._last_asked = begun.number - 1  # the engine tells of no batch it is not asked about
        self._asked: deque[dict[str, Any] | None] = deque()
        self._lately: deque[_Append] = deque(maxlen=100_000)
        self._engine = Live(
            program, self._publish, states=begun.states, saved=self._through, failed=self._fail
        )

    def start(self) -> None:
        """Start the engine."""
        self._engine.start()

    def replay(self, progress: Callable[[int, int], None] | None) -> None:
        """Push what the journal holds beyond the states, and remember the keys of its tail."""
        end = self._live_from
        begin = min(self._first, self._recall_from(end))
        for batch in self._journal.read(begin):
            self.dedupe.remember(batch)
            if batch.number < self._first:
                continue
            self._stamp(batch)
            self._push(batch, ask=batch.number % _ASK == 0 or batch.number == end - 1)
            if progress is not None and (batch.number % 1024 == 0 or batch.number == end - 1):
                progress(batch.number + 1 - self._first, end - self._first)
        self.wait_until(self.number)

    def _recall_from(self, end: int) -> int:
        """Where the journal's tail begins whose keys are remembered.

        Rows that came after a hole still open will come again with its filling, however long ago
        they were journaled: so the tail reaches back to before the hole.
        """
        missing, length = self._journal.behind(), _TAIL
        while missing and length < end:
            early = islice(self._journal.read(end - length), _EARLY)
            oldest: dict[str, int] = {}
            for batch in early:
                if batch.feed in missing:
                    oldest.setdefault(batch.feed, int(times_ns(batch.rows).min()))
            if all(oldest.get(feed, at) < at for feed, at in missing.items()):
                break
            length *= 2
        return max(end - length, 0)

    def commit(self, received: Sequence[Batch]) -> None:
        """Journal what is new of these batches and push it; raises once either cannot go on."""
        fresh = [new for one in received if (new := self.dedupe.fresh(one)) is not None]
        if not fresh:
            return
        begun = time.monotonic()
        try:
            numbered = self._journal.append(fresh)
        except EventTapeError:
            self._astray = True
            raise
        now = time.monotonic()
        rows = sum(one.keys.size for one in numbered)
        self.batches, self.rows = self.batches + len(numbered), self.rows + rows
        self._lately.append(_Append(now, now - begun, len(numbered), rows))
        for k, batch in enumerate(numbered):
            self._stamp(batch)
            self._push(batch, ask=k % _ASK == 0 or k == len(numbered) - 1)

    def metrics(self, waiting: int, waiting_most: int, message: str) -> Metrics:
        """How the run is doing; ``waiting`` batches are received and not committed yet."""
        now = time.monotonic()
        while self._lately and now - self._lately[0].at > _LATELY_S:
            self._lately.popleft()
        lately = tuple(self._lately)
        return Metrics(
            waiting=waiting,
            waiting_most=waiting_most,
            behind=max(self.number - self.done, 0),
            batches=self.batches,
            rows=self.rows,
            batches_per_s=sum(one.batches for one in lately) / _LATELY_S,
            rows_per_s=sum(one.rows for one in lately) / _LATELY_S,
            append_ms=max((one.took_s * 1e3 for one in lately), default=math.nan),
            journal_bytes=self._journal.disk_bytes,
            memory_bytes=resident_bytes(),
            snapshot_number=self._saver.number,
            snapshot_age_s=self._saver.age_s,
            snapshot_bytes=self._saver.disk_bytes,
            snapshot_ms=self._saver.ms,
            message=message,
        )

    def wait_until(self, number: int) -> None:
        """Return once that batch is through the engine."""
        with self._moved:
            while self.done < number:
                if not self._engine.alive:
                    self._engine.stop()  # raises what ended it
                    raise StreamError("the engine has stopped")
                self._moved.wait(0.2)

    def stop(self, *, finish: bool) -> dict[str, Any]:
        """The states once all that was pushed is done, the last of them saved."""
        states = self._engine.stop(finish=finish)
        if self.number > self._saver.number and not self.failed and not self._astray:
            self._saver.save(self.number, {"states": states, **self._about()})
        return states

    def _push(self, batch: Batch, *, ask: bool) -> None:
        if ask:
            self.wait_until(min(self.number - self._most_behind, self._last_asked))
            self._last_asked = batch.number
            self._asked.append(self._about() if self._saver.due else None)
        self._engine.push(batch, save=ask)
        self.number = batch.number

    def _about(self) -> dict[str, Any]:
        """What a restart must know beside the states."""
        return {"stamps": dict(self.stamps), "keys": self.dedupe.newest(_KEYS)}

    def _stamp(self, batch: Batch) -> None:
        if batch.feed:
            newest = int(times_ns(batch.rows).max())
            self.stamps[batch.feed] = max(newest, self.stamps.get(batch.feed, newest))

    def _publish(self, name: str, answer: Slice, batch: Batch | None) -> None:
        old = batch is not None and (
            batch.number < self._live_from or batch.received_ns < self._began_ns
        )
        self._board.publish(name, answer, None if old else batch)  # no lag of what was replayed

    def _through(self, number: int, states: Mapping[str, Any]) -> None:
        """In the engine's thread: it has come so far."""
        about = self._asked.popleft()
        self.states = states
        if about is not None and not self.failed:
            self._saver.offer(number, {"states": dict(states), **about})
        with self._moved:
            self.done = number
            self._moved.notify_all()

    def _fail(self, name: str, error: EventTapeError, batch: Batch | None) -> None:
        self.failed = True
        self._board.fail(name, error, batch)
