"""The latest word of every node, for screens that look when they can.

The engine's thread writes (:meth:`Board.publish` is a :data:`~.fold.Sink`), any number of readers
look. A reader takes what is new since it last looked; where more has come than ``most_rows`` a
node, it gets the newest and is told how many were skipped: a slow screen conflates, the tape never
does. The board keeps ``most_rows`` rows of each node for looking back.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from typing import NamedTuple

import polars as pl

from eventtape.errors import EventTapeError
from eventtape.stream.answers import time_column
from eventtape.stream.fold import NEVER, Slice
from eventtape.tape.batch import Batch
from eventtape.tape.health import FeedHealth

__all__ = ["Board", "Failure", "Lag", "Metrics", "News", "Reader"]


_MOST_PIECES = 1_024  # of a node, before they are laid out as one


class Failure(NamedTuple):
    """A node that stopped: what it met, and with which batch."""

    node: str
    message: str
    number: int


class Lag(NamedTuple):
    """Milliseconds from receipt of a batch to its answers on the board, over the latest batches."""

    p50_ms: float
    p99_ms: float
    worst_ms: float
    batches: int


class Metrics(NamedTuple):
    """How the run itself is doing; counts since its start, NaN or -1 where there is nothing yet."""

    waiting: int = 0  # batches received that are not in the journal yet
    waiting_most: int = 0  # how many may wait before sources are slowed down
    behind: int = 0  # batches in the journal that are not through the graph yet
    batches: int = 0  # appended to the journal, beats included
    rows: int = 0
    batches_per_s: float = math.nan  # over the last seconds
    rows_per_s: float = math.nan
    append_ms: float = math.nan  # the slowest append of the last seconds
    journal_bytes: int = 0
    memory_bytes: int = -1  # resident, of this process
    snapshot_number: int = -1  # the last batch that the newest snapshot holds
    snapshot_age_s: float = math.nan
    snapshot_bytes: int = 0
    snapshot_ms: float = math.nan  # to pack and write it
    message: str = ""  # what the run met that a reader should know, in words; plain text


class News(NamedTuple):
    """What a reader has not seen: new rows by node, how far each has come, what was skipped."""

    rows: dict[str, pl.DataFrame]
    upto_ns: dict[str, int]
    skipped: int  # rows that this reader was too slow to see
    failures: tuple[Failure, ...]
    feeds: dict[str, FeedHealth]
    lag: Lag
    metrics: Metrics = Metrics()  # of a run that sets none: what a run has at its start


class Board:
    """Answers of the nodes of one run, the newest ``most_rows`` of each."""

    def __init__(self, *, most_rows: int = 200_000) -> None:
        self.most_rows = most_rows
        self._lock = threading.Lock()
        self._kept: dict[str, deque[tuple[int, pl.DataFrame]]] = {}  # rows before each piece, piece
        self._count: dict[str, int] = {}
        self._upto: dict[str, int] = {}
        self._failures: list[Failure] = []
        self._feeds: dict[str, FeedHealth] = {}
        self._metrics = Metrics()
        self._lags: deque[float] = deque(maxlen=4_096)

    def publish(self, name: str, answer: Slice, batch: Batch | None) -> None:
        """A :data:`~.fold.Sink`: keep the rows the node gave under its own name."""
        rows = answer.frames.get(name)
        with self._lock:
            self._upto[name] = max(answer.upto_ns, self._upto.get(name, NEVER))
            if batch is not None and batch.received_ns >= 0:
                self._lags.append((time.time_ns() - batch.received_ns) * 1e-6)
            if rows is None or rows.is_empty():
                return
            pieces = self._kept.setdefault(name, deque())
            before = self._count.get(name, 0)
            pieces.append((before, rows))
            self._count[name] = before + rows.height
            while self._count[name] - pieces[0][0] - pieces[0][1].height > self.most_rows:
                pieces.popleft()
            if len(pieces) > _MOST_PIECES:
                whole = pl.concat([piece for _, piece in pieces])
                self._kept[name] = deque([(pieces[0][0], whole)])

    def fail(self, name: str, error: EventTapeError, batch: Batch | None) -> None:
        """A node stopped."""
        with self._lock:
            number = -1 if batch is None else batch.number
            self._failures.append(Failure(name, str(error), number))

    def set_health(self, *feeds: FeedHealth) -> None:
        """How feeds are doing now."""
        with self._lock:
            self._feeds.update({one.feed: one for one in feeds})

    def set_metrics(self, metrics: Metrics) -> None:
        """How the run is doing now."""
        with self._lock:
            self._metrics = metrics

    def reader(self) -> Reader:
        """A reader that has seen nothing yet."""
        return Reader(self)

    def rows(self, name: str, *, until_ns: int | None = None) -> pl.DataFrame | None:
        """All kept rows of a node, those stamped at or before ``until_ns``; None where none."""
        rows = self._since(name, 0)[0]
        if rows is None or until_ns is None:
            return rows
        return rows.filter(pl.col(time_column(rows)).to_physical() <= until_ns)

    def news(self, seen: dict[str, int]) -> News:
        """What came after the counts of ``seen``, which move on."""
        rows: dict[str, pl.DataFrame] = {}
        skipped = 0
        for name in tuple(self._count):
            new, missed, count = self._since(name, seen.get(name, 0))
            seen[name] = count
            skipped += missed
            if new is not None:
                rows[name] = new
        with self._lock:
            said = dict(self._upto), tuple(self._failures), dict(self._feeds)
            lags, metrics = sorted(self._lags), self._metrics
        return News(rows, said[0], skipped, said[1], said[2], _lag(lags), metrics)

    def _since(self, name: str, seen: int) -> tuple[pl.DataFrame | None, int, int]:
        """Rows after the first ``seen``, how many of them are gone, and the count of all."""
        new: list[pl.DataFrame] = []
        with self._lock:
            count = self._count.get(name, 0)
            for before, piece in reversed(self._kept.get(name, ())):
                if before + piece.height <= seen:
                    break
                new.append(piece.slice(max(seen - before, 0)))
        if not new:
            return None, 0, count
        rows = pl.concat(reversed(new))
        return rows, count - seen - rows.height, count


class Reader:
    """One screen's place on the board."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._seen: dict[str, int] = {}

    def take(self) -> News:
        """What is new since the last call."""
        return self.board.news(self._seen)


def _lag(lags: list[float]) -> Lag:
    if not lags:
        return Lag(float("nan"), float("nan"), float("nan"), 0)
    return Lag(lags[len(lags) // 2], lags[int(0.99 * (len(lags) - 1))], lags[-1], len(lags))
