"""How a journal lies on disk: segments of frames, and how they are read back.

A segment is named by the number of its first batch. A frame is what one append wrote::

    marker, CRC-32 of all that follows, length of the body, number of its first batch
    body: for each batch its length and its bytes (``tape.wire``)

The last frame of the last segment may be torn, by a kill in the middle of a write. Anything else
that is not whole is damage: a :class:`LakeError` that names the file and the offset.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from eventtape.errors import InputError, LakeError
from eventtape.store.disk import failures_as_lake_error
from eventtape.tape.batch import Batch
from eventtape.tape.wire import decode

__all__ = [
    "SUFFIX",
    "Frame",
    "Place",
    "check_number",
    "decoded",
    "frame_bytes",
    "frames_from",
    "frames_of",
    "journal_batches",
    "journal_payloads",
    "segments_of",
    "size_of",
]

SUFFIX = ".log"

_MARKER = b"etJ\x01"
_HEAD = struct.Struct("<4sIQQ")
_SUMMED = 8  # the checksum covers the frame from here on
_LENGTH = struct.Struct("<I")


class Frame(NamedTuple):
    """One append: where it stands, the number of its first batch, the bytes of each."""

    offset: int
    first: int
    payloads: tuple[bytes, ...]


class Place(NamedTuple):
    """How far a reader is: the next batch's number, and the segment and offset it had come to."""

    number: int = 0
    segment: int = -1  # number of its first batch; -1: none was read
    offset: int = 0


def journal_batches(
    folder: str | Path, from_number: int = 0, *, until: int | None = None
) -> Iterator[Batch]:
    """The batches of a journal from a number on, in order; needs no lock.

    A reader beside the writer sees whole appends. Damage is a :class:`LakeError`.
    """
    for number, payload in journal_payloads(folder, from_number, until=until):
        yield decoded(folder, number, payload)


def decoded(folder: str | Path, number: int, payload: bytes) -> Batch:
    """The batch of that number; a :class:`LakeError` where its bytes are another's, or none's."""
    try:
        batch = decode(payload)
    except InputError as error:
        raise LakeError(f"{folder}: batch {number} cannot be read: {error}") from error
    if batch.number != number:
        raise LakeError(f"{folder}: batch {number} says that it is {batch.number}")
    return batch


def journal_payloads(
    folder: str | Path, from_number: int = 0, *, until: int | None = None
) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each batch of a journal, from a number on."""
    if from_number < 0:
        raise InputError("a number >= 0", met=from_number)
    for frame, _ in frames_from(Path(folder), Place(from_number)):
        for number, payload in enumerate(frame.payloads, frame.first):
            if until is not None and number >= until:
                return
            if number >= from_number:
                yield number, payload


def frames_from(folder: Path, place: Place) -> Iterator[tuple[Frame, Place]]:
    """Each frame from a place on, and the place after it; what was read before is not read again.

    The first frame may begin before ``place.number`` where that place is a number alone.
    """
    segments = segments_of(folder)
    firsts = [int(one.stem) for one in segments]
    begin = max((i for i, first in enumerate(firsts) if first <= place.number), default=0)
    if segments and firsts[begin] > place.number:
        raise LakeError(f"{segments[begin]}: the journal begins here, asked for {place.number}")
    for k, segment in enumerate(segments[begin:], begin):
        here = firsts[k] == place.segment
        if not here and k > begin and firsts[k] != place.number:
            raise LakeError(f"{segment}: wanted a segment that begins with batch {place.number}")
        if not here:
            place = Place(firsts[k], firsts[k])
        for frame in frames_of(segment, torn_ok=k == len(segments) - 1, offset=place.offset):
            check_number(segment, frame, place.number)
            end = frame.offset + size_of(frame)
            place = Place(place.number + len(frame.payloads), firsts[k], end)
            yield frame, place


def segments_of(folder: Path) -> list[Path]:
    """The segments in a folder, oldest first."""
    with failures_as_lake_error(f"{folder}: the journal cannot be read"):
        return sorted(one for one in folder.iterdir() if one.suffix == SUFFIX)


def frame_bytes(first: int, payloads: Sequence[bytes]) -> bytes:
    """The bytes of one append."""
    body = b"".join(part for one in payloads for part in (_LENGTH.pack(len(one)), one))
    head = _HEAD.pack(_MARKER, 0, len(body), first)
    check = zlib.crc32(body, zlib.crc32(head[_SUMMED:]))
    return _HEAD.pack(_MARKER, check, len(body), first) + body


def size_of(frame: Frame) -> int:
    """Its size on disk."""
    return _HEAD.size + sum(_LENGTH.size + len(one) for one in frame.payloads)


def check_number(segment: Path, frame: Frame, expected: int) -> None:
    """Refuse a frame that does not follow the one before."""
    if frame.first != expected:
        raise LakeError(
            f"{segment}, offset {frame.offset}: wanted batch {expected}, met {frame.first}"
        )


def frames_of(segment: Path, *, torn_ok: bool, offset: int = 0) -> Iterator[Frame]:
    """The whole frames of a segment from an offset on; a torn end stops it where that is allowed.

    Read beside its writer a frame may be there in part: it is looked at again while the file grows.
    """
    with failures_as_lake_error(f"{segment}: cannot be read"), segment.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        at = offset
        while at < size:
            file.seek(at)
            found = _whole(file.read(_HEAD.size), size - at)
            body = b"" if found is None else file.read(found[1])
            if found is None or zlib.crc32(body, zlib.crc32(found[2])) != found[0]:
                if torn_ok and os.fstat(file.fileno()).st_size > size:  # a writer is at it
                    size = os.fstat(file.fileno()).st_size
                    continue
                file.seek(at)
                # No further than was there: the writer may have ended this frame by now.
                if torn_ok and not _any_whole(file.read(size - at)):
                    return
                raise LakeError(f"{segment}, offset {at}: damaged; nothing was changed")
            yield Frame(at, found[3], _split(body))
            at += _HEAD.size + len(body)


def _whole(head: bytes, left: int) -> tuple[int, int, bytes, int] | None:
    """Checksum, length, summed part of the head and first number, if the frame can be whole."""
    if len(head) < _HEAD.size:
        return None
    marker, check, length, first = _HEAD.unpack(head)
    if marker != _MARKER or _HEAD.size + length > left:
        return None
    return check, length, head[_SUMMED:], first


def _any_whole(rest: bytes) -> bool:
    """Whether a whole frame stands after a bad one: then it was not torn, it was damaged."""
    at = rest.find(_MARKER, 1)
    while at >= 0:
        found = _whole(rest[at : at + _HEAD.size], len(rest) - at)
        if found is not None:
            body = rest[at + _HEAD.size : at + _HEAD.size + found[1]]
            if zlib.crc32(body, zlib.crc32(found[2])) == found[0]:
                return True
        at = rest.find(_MARKER, at + 1)
    return False


def _split(body: bytes) -> tuple[bytes, ...]:
    out, at = [], 0
    while at < len(body):
        (length,) = _LENGTH.unpack_from(body, at)
        out.append(body[at + _LENGTH.size : at + _LENGTH.size + length])
        at += _LENGTH.size + length
    return tuple(out)
