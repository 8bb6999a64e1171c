"""Bytes to disk so that a kill, a full disk or a power cut leaves the old state whole.

Every file is written under a temporary name in the lake's ``staging`` folder, synced, and only then
moved to its final name with ``os.replace``, which is atomic inside one file system. Locks are
``flock`` locks: the kernel drops them when their process dies, so a killed writer blocks nobody.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eventtape.errors import LakeError

__all__ = ["digest_of", "failures_as_lake_error", "locked", "move", "stage", "sync_folders"]

POLL_S = 0.01


def digest_of(path: Path) -> str | None:
    """SHA-256 of a file's bytes in hex, or None where there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def stage(folder: Path, payload: bytes) -> Path:
    """The temporary file that now holds the payload, safely on disk; removed if it cannot be."""
    temporary = folder / f"{os.getpid()}-{secrets.token_hex(8)}.tmp"
    try:
        with temporary.open("xb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def move(temporary: Path, final: Path) -> None:
    """Give the staged file its final name at one stroke; a failure removes the staged file."""
    try:
        temporary.replace(final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_folders(folders: Iterable[Path]) -> None:
    """Make the names inside these folders survive a power cut, deepest folder first."""
    for folder in sorted(set(folders), key=lambda path: len(path.parts), reverse=True):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def locked(path: Path, *, shared: bool, timeout_s: float) -> Iterator[None]:
    """Hold the lock file, shared or alone; a :class:`LakeError` after ``timeout_s`` seconds.

    A shared lock on a file that does not exist is no lock: nobody has written there yet, or the
    lake is a read-only copy.
    """
    if shared and not path.exists():
        yield
        return
    descriptor = os.open(path, os.O_RDONLY | (0 if shared else os.O_CREAT), 0o666)
    try:
        _acquire(descriptor, path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, timeout_s)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a forked child may still hold the descriptor
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, mode: int, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LakeError(
                    f"{path}: still locked by another reader or writer after {timeout_s:g} s;"
                    " the lake is unchanged"
                ) from None
            time.sleep(POLL_S)
        else:
            return


@contextmanager
def failures_as_lake_error(doing: str) -> Iterator[None]:
    """Turn an operating system error into a :class:`LakeError` that says what was being done."""
    try:
        yield
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise LakeError(f"{doing}: {error.strerror or error}{place}") from error
