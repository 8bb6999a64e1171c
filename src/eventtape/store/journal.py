"""What came, in the order it came, on disk before anybody acts on it.

An append is one frame, written and synced at one stroke (``journal_files`` says how it lies there).
A kill or a power cut can only hurt the last frame, which nobody has acknowledged: opening moves it
to a ``.torn`` file beside. Damage anywhere else is a :class:`LakeError` that names the file and the
offset, and nothing is changed.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from eventtape.errors import InputError, LakeError
from eventtape.store.disk import failures_as_lake_error, sync_folders
from eventtape.store.journal_files import (
    SUFFIX,
    check_number,
    frame_bytes,
    frames_of,
    journal_batches,
    segments_of,
    size_of,
)
from eventtape.store.lake import Lake
from eventtape.store.roster import read_feeds, seal, write_feeds
from eventtape.tape import Feed
from eventtape.tape.batch import Batch
from eventtape.tape.wire import encode
from eventtape.wholefile import write_whole

__all__ = ["Journal", "Torn"]

_BEHIND = "behind.json"


class Torn(NamedTuple):
    """The end of a segment that a kill cut short: where it is kept now, and how much it is."""

    file: Path
    disk_bytes: int


class Journal:
    """The one writer of a journal's folder; a second one is refused with a :class:`LakeError`.

    ``torn`` says what opening had to put aside, None where the last run ended well.
    """

    def __init__(self, folder: str | Path, *, segment_bytes: int = 64 * 2**20) -> None:
        if segment_bytes < 1:
            raise InputError("a segment of at least 1 byte", met=segment_bytes)
        self.folder = Path(folder).resolve()
        self.segment_bytes = segment_bytes
        self.torn: Torn | None = None
        self._file = -1
        self._broken = ""
        with failures_as_lake_error(f"{self.folder}: the journal cannot be opened"):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / "lock", os.O_RDONLY | os.O_CREAT, 0o666)
            try:
                self._take()
                self._open()
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def next_number(self) -> int:
        """The number the next batch will get: how many there are."""
        return self._next

    @property
    def disk_bytes(self) -> int:
        """The size of all segments."""
        return self._older + self._size

    def append(self, batches: Sequence[Batch]) -> list[Batch]:
        """The batches with their numbers, once they are safely on disk, all of them or none.

        A disk that is full or fails is a :class:`LakeError`; the journal is then as it was before.
        """
        if self._broken or self._file < 0:
            state = self._broken if self._file >= 0 else "closed"
            raise LakeError(f"{self.folder}: the journal is {state}")
        if not batches:
            return []
        numbered = [one._replace(number=self._next + i) for i, one in enumerate(batches)]
        frame = frame_bytes(self._next, [encode(one) for one in numbered])
        if self._size and self._size + len(frame) > self.segment_bytes:
            self._rotate()
        try:
            left = memoryview(frame)
            while left:
                left = left[os.write(self._file, left) :]
        except BaseException as error:  # noqa: BLE001 - raised again by _refuse
            self._undo()
            self._refuse(error, "nothing was added")
        try:
            os.fdatasync(self._file)
        except BaseException as error:  # noqa: BLE001 - raised again by _refuse
            self._undo()  # what a failed sync left on disk is unknown
            self._broken = f"not to be written to after a failed sync ({error})"
            self._refuse(error, "open the journal again to go on")
        self._size += len(frame)
        self._next += len(numbered)
        return numbered

    def read(self, from_number: int = 0) -> Iterator[Batch]:
        """The batches from that number on, as far as they are written when it is asked."""
        return journal_batches(self.folder, from_number, until=self._next)

    def write_feeds(self, feeds: Iterable[Feed]) -> tuple[Feed, ...]:
        """All feeds of this journal, these among them; see :mod:`~eventtape.store.roster`."""
        return write_feeds(self.folder, feeds)

    def feeds(self) -> tuple[Feed, ...]:
        """The feeds this journal's rows belong to, with empty frames."""
        return read_feeds(self.folder)

    def write_behind(self, stamps: Mapping[str, int]) -> None:
        """Keep from which stamp on (UTC ns) rows of a feed are missing; {} where none are."""
        with failures_as_lake_error(f"{self.folder}: what is missing was not written"):
            if stamps:
                write_whole(self.folder / _BEHIND, json.dumps(dict(stamps), indent=1))
            else:
                (self.folder / _BEHIND).unlink(missing_ok=True)
            sync_folders([self.folder])

    def behind(self) -> dict[str, int]:
        """What was kept so, by feed; a file that is no such thing is a :class:`LakeError`."""
        path = self.folder / _BEHIND
        try:
            stamps = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise LakeError(f"{path}: cannot be read: {error}") from error
        if not isinstance(stamps, dict) or any(type(at) is not int for at in stamps.values()):
            raise LakeError(f"{path}: wanted a stamp for each feed, met {stamps!r}")
        return stamps

    def seal(self, lake: Lake, dataset: str) -> int:
        """The number of feeds whose rows so far are now the tape of ``dataset`` in the lake."""
        return seal(self.folder, lake, dataset)

    def close(self) -> None:
        """Give up the folder; another writer may have it."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    def _take(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LakeError(
                f"{self.folder}: another run is writing to this journal; nothing was changed"
            ) from None

    def _open(self) -> None:
        segments = segments_of(self.folder)
        if not segments:
            self._begin(0)
            self._older, self._size, self._next = 0, 0, 0
            return
        last = segments[-1]
        self._next, end, size = int(last.stem), 0, last.stat().st_size
        for frame in frames_of(last, torn_ok=True):
            check_number(last, frame, self._next)
            self._next += len(frame.payloads)
            end = frame.offset + size_of(frame)
        if end < size:
            self.torn = _put_aside(last, end)
        self._file = os.open(last, os.O_WRONLY | os.O_APPEND)
        self._older = sum(one.stat().st_size for one in segments[:-1])
        self._size = end

    def _begin(self, number: int) -> None:
        path = self.folder / f"{number:012d}{SUFFIX}"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)
        sync_folders([self.folder])

    def _rotate(self) -> None:
        with failures_as_lake_error(f"{self.folder}: no new segment, nothing was added"):
            old = self._file
            self._begin(self._next)
            os.close(old)
            self._older, self._size = self._older + self._size, 0

    def _undo(self) -> None:
        try:
            os.ftruncate(self._file, self._size)
        except OSError as error:
            self._broken = f"not to be written to: its torn end could not be cut off ({error})"

    def _refuse(self, error: BaseException, what: str) -> None:
        if not isinstance(error, OSError):
            raise error
        reason = error.strerror or error
        raise LakeError(f"{self.folder}: the journal was not written, {what}: {reason}") from error


def _put_aside(segment: Path, end: int) -> Torn:
    """Move what follows ``end`` to a file beside, which keeps what it held before."""
    beside = segment.with_name(f"{segment.stem}.{end}.torn")
    with segment.open("rb") as file:
        file.seek(end)
        rest = file.read()
    with beside.open("ab") as file:
        file.write(rest)
        file.flush()
        os.fsync(file.fileno())
    sync_folders([segment.parent])
    with segment.open("r+b") as file:
        file.truncate(end)
        os.fsync(file.fileno())
    return Torn(beside, len(rest))
