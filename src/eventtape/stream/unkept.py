"""The journal and snapshots of a run whose tape is on disk already: they keep nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from eventtape.tape.batch import Batch
from eventtape.tape.feed import Feed

__all__ = ["Unkept"]


class Unkept:
    """Numbers batches, stores none; a replay begins at its beginning each time."""

    passed_over: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.next_number = 0

    @property
    def disk_bytes(self) -> int:
        """Of the journal: 0."""
        return 0

    def append(self, batches: Sequence[Batch]) -> list[Batch]:
        """The batches with their numbers."""
        first = self.next_number
        self.next_number += len(batches)
        return [batch._replace(number=first + i) for i, batch in enumerate(batches)]

    def read(self, from_number: int = 0) -> Iterator[Batch]:  # noqa: ARG002 - nothing to read
        """No batch."""
        return iter(())

    def write_feeds(self, feeds: Iterable[Feed]) -> None:
        """Nothing."""

    def write_behind(self, stamps: Mapping[str, int]) -> None:
        """Nothing."""

    def behind(self) -> dict[str, int]:
        """No feed."""
        return {}

    def save(self, number: int, fingerprint: str, data: object) -> None:
        """Nothing."""

    def latest(self, fingerprint: str) -> None:
        """No snapshot."""
