"""What a live run asks of the disk, where it goes on after a restart, and how its states are kept.

The store's journal and snapshots fit these protocols; the stream does not know the store.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

from eventtape.arrays import IntArray
from eventtape.errors import EventTapeError, InputError, StreamError
from eventtape.stream.fold import Program
from eventtape.stream.snapshot import fingerprint, pack, unpack
from eventtape.tape.batch import Batch
from eventtape.tape.feed import Feed

__all__ = ["JournalLike", "Resumed", "Saver", "SnapshotsLike", "resumed"]


class JournalLike(Protocol):
    """Batches on disk, in order; ``append`` returns once they are safe there."""

    @property
    def next_number(self) -> int:
        """How many batches there are."""

    @property
    def disk_bytes(self) -> int:
        """Their size on disk."""

    def append(self, batches: Sequence[Batch]) -> list[Batch]:
        """The batches with their numbers, once they are safe."""

    def read(self, from_number: int = 0) -> Iterator[Batch]:
        """The batches from a number on."""

    def write_feeds(self, feeds: Iterable[Feed]) -> object:
        """Keep which feeds the batches belong to."""

    def write_behind(self, stamps: Mapping[str, int]) -> object:
        """Keep from which stamp rows of a feed are missing; {} where none are."""

    def behind(self) -> Mapping[str, int]:
        """What was kept so."""


class SnapshotsLike(Protocol):
    """The newest few snapshots."""

    @property
    def passed_over(self) -> tuple[str, ...]:
        """Damaged ones that ``latest`` met, in words."""

    def save(self, number: int, fingerprint: str, data: bytes) -> None:
        """Keep the states after batch ``number``."""

    def latest(self, fingerprint: str) -> tuple[int, bytes] | None:
        """Number and bytes of the newest that is whole and of that program."""


class Resumed(NamedTuple):
    """Where a run goes on."""

    states: dict[str, Any] | None  # None: from the start
    number: int  # the first batch that is not in the states
    stamps: dict[str, int]  # newest stamp of each feed in the batches before it
    keys: dict[str, IntArray]  # the newest keys of each feed in them
    said: tuple[str, ...]  # what a reader should know, in words


def resumed(program: Program, journal: JournalLike, snapshots: SnapshotsLike) -> Resumed:
    """Where to go on: after the newest usable snapshot, or at the journal's start.

    A snapshot of batches that the journal does not hold is a :class:`StreamError`: the journal has
    lost what it acknowledged, or is another run's.
    """
    found = snapshots.latest(fingerprint(program))
    said = snapshots.passed_over
    if found is None:
        return Resumed(None, 0, {}, {}, said)
    number, data = found
    if number >= journal.next_number:
        raise StreamError(
            f"the newest snapshot holds batch {number}, the journal ends before batch"
            f" {journal.next_number}: they are not of one run, or the journal lost its end"
        )
    try:
        held = unpack(data)
        states, stamps, keys = held["states"], held["stamps"], held["keys"]
    except (InputError, KeyError) as error:
        said += (f"the snapshot after batch {number} was not used: {error}",)
        return Resumed(None, 0, {}, {}, said)
    return Resumed(states, number + 1, stamps, keys, said)


class Saver:
    """Packs and writes states in a thread of its own, never two at a time.

    ``told`` is called with what went wrong, in words; a snapshot that fails costs nothing but time
    at the next start.
    """

    def __init__(
        self,
        program: Program,
        snapshots: SnapshotsLike,
        *,
        every_s: float,
        told: Callable[[str], None],
    ) -> None:
        self.number, self.disk_bytes, self.ms = -1, 0, float("nan")  # of the newest one
        self._snapshots, self._every_s, self._told = snapshots, every_s, told
        self._fingerprint = fingerprint(program)
        self._last = time.monotonic()
        self._busy = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="eventtape-snapshot")

    @property
    def age_s(self) -> float:
        """Seconds since the newest snapshot; NaN before the first."""
        return time.monotonic() - self._last if self.number >= 0 else float("nan")

    @property
    def due(self) -> bool:
        """Whether it is time for the next one and none is being saved."""
        return time.monotonic() - self._last >= self._every_s and not self._busy.locked()

    def offer(self, number: int, held: Mapping[str, Any]) -> None:
        """Save ``states``, ``stamps`` and ``keys`` unless one is being saved; returns at once."""
        if self._busy.acquire(blocking=False):
            self._pool.submit(self._work, number, held)

    def save(self, number: int, held: Mapping[str, Any]) -> None:
        """Save them now."""
        self._busy.acquire()
        self._work(number, held)

    def close(self) -> None:
        """Wait for the one being saved."""
        self._pool.shutdown()

    def _work(self, number: int, held: Mapping[str, Any]) -> None:
        try:
            begun = time.monotonic()
            data = pack(held)
            self._snapshots.save(number, self._fingerprint, data)
            self._last = time.monotonic()
            self.number, self.disk_bytes, self.ms = number, len(data), (self._last - begun) * 1e3
        except EventTapeError as error:
            self._last = time.monotonic()
            self._told(f"no snapshot was saved: {error}")
        finally:
            self._busy.release()
