"""The newest few snapshots of a run's states, each whole or not there at all.

One file a snapshot, named by the program's fingerprint and the number of the last batch in it; in
front stand a checksum, the fingerprint and the number again. What is in the bytes is the stream's
business.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from eventtape.errors import InputError
from eventtape.store.disk import failures_as_lake_error, move, stage, sync_folders

__all__ = ["Snapshots"]

_HEAD = struct.Struct("<8s16s32sq")  # marker, digest of all that follows, fingerprint, number
_MARKER = b"etSnap\x00\x01"
_SUMMED = 24
_SUFFIX = ".snapshot"


class Snapshots:
    """The snapshots in a folder, the newest ``keep`` of each program; one writer at a time.

    ``passed_over`` says in words which damaged ones :meth:`latest` met.
    """

    def __init__(self, folder: str | Path, *, keep: int = 3) -> None:
        if keep < 1:
            raise InputError("at least 1 snapshot to keep", met=keep)
        self.folder = Path(folder).resolve()
        self.keep = keep
        self.passed_over: tuple[str, ...] = ()

    def save(self, number: int, fingerprint: str, data: bytes) -> None:
        """Keep the states after batch ``number``; older ones beyond ``keep`` go.

        A failure is a :class:`LakeError` and leaves the others as they were.
        """
        name = fingerprint.encode("ascii")
        if number < 0 or len(name) != 32:  # noqa: PLR2004 - hex digits of a fingerprint
            raise InputError("a number >= 0 and a fingerprint of 32 digits", met=(number, name))
        summed = _HEAD.pack(_MARKER, b"", name, number)[_SUMMED:] + data
        digest = hashlib.blake2b(summed, digest_size=16).digest()
        with failures_as_lake_error(f"{self.folder}: the snapshot was not written"):
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary = stage(self.folder, _MARKER + digest + summed)
            move(temporary, self.folder / f"{fingerprint}-{number:012d}{_SUFFIX}")
            sync_folders([self.folder])
            for path in self._files(fingerprint)[self.keep :]:
                path.unlink(missing_ok=True)
            for path in self.folder.glob("*.tmp"):
                path.unlink(missing_ok=True)  # left by a kill; this is the only writer

    def latest(self, fingerprint: str) -> tuple[int, bytes] | None:
        """Number and bytes of the newest whole snapshot of that program; None where none is.

        A damaged one is passed over for the one before, and named in ``passed_over``.
        """
        self.passed_over = ()
        for path in self._files(fingerprint):
            try:
                found = _opened(path.read_bytes())
            except OSError as error:
                self.passed_over += (f"{path.name} cannot be read and was passed over: {error}",)
                continue
            if found is None:
                self.passed_over += (f"{path.name} is damaged and was passed over",)
            elif found[0] == fingerprint:
                return found[1], found[2]
        return None

    def _files(self, fingerprint: str) -> list[Path]:
        """Those of a program, newest first."""
        if not self.folder.is_dir():
            return []
        return sorted(self.folder.glob(f"{fingerprint}-*{_SUFFIX}"), reverse=True)


def _opened(whole: bytes) -> tuple[str, int, bytes] | None:
    """Fingerprint, number and bytes, if every bit is as it was written."""
    if len(whole) < _HEAD.size or not whole.startswith(_MARKER):
        return None
    _, digest, fingerprint, number = _HEAD.unpack_from(whole)
    if hashlib.blake2b(whole[_SUMMED:], digest_size=16).digest() != digest:
        return None
    return fingerprint.decode("ascii"), number, whole[_HEAD.size :]
