"""Files that appear whole or not at all: a ``.part`` beside the target, moved over at the end.

Beside the part lies ``.part.tag``, the validator (ETag or date) of the file its bytes belong to,
so that a later run may ask for the rest of the same file and of no other.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

__all__ = ["Part", "sha256_of", "write_atomic"]


class Part:
    """The bytes of ``target`` so far, and the validator they came under."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self._tag = target.with_name(target.name + ".part.tag")

    def state(self) -> tuple[int, str]:
        """Bytes kept and their validator; with no validator nothing can be trusted: 0 bytes."""
        if not (self.path.exists() and self._tag.exists()):
            return 0, ""
        return self.path.stat().st_size, self._tag.read_text(encoding="utf-8")

    def remember(self, tag: str | None) -> None:
        """Keep the validator of the bytes being written; ``None`` where the service gave none."""
        if tag is None:
            self._tag.unlink(missing_ok=True)
        else:
            self._tag.write_text(tag, encoding="utf-8")

    def discard(self) -> None:
        """Forget the bytes and their validator."""
        self.path.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)

    def finish(self) -> None:
        """Move the bytes into place once they are on the disk."""
        with self.path.open("rb") as whole:
            os.fsync(whole.fileno())
        self.path.replace(self.target)
        self._tag.unlink(missing_ok=True)


def write_atomic(target: Path, data: bytes) -> None:
    """Put ``data`` at ``target`` whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Part(target)
    part.path.write_bytes(data)
    part.finish()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, 64 lower-case hex digits."""
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
