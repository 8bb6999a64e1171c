"""Each row of a feed once, however often a source brings it.

Reconnects and back-fills repeat rows; their keys say so. The newest ``memory`` keys of each feed
are remembered in the order they were first met, so what is dropped depends only on the rows that
came before, and the journal's tail brings the memory back after a restart.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from eventtape.arrays import IntArray
from eventtape.stream.key_memory import KeyMemory
from eventtape.tape.batch import Batch

__all__ = ["MEMORY", "Dedupe"]

MEMORY = 2**19
"""Keys of a feed: more than a source holds back at once and then asks for again over REST."""


class Dedupe:
    """Keys met lately, by feed; ``duplicates`` counts the rows left out, by feed."""

    def __init__(self, *, memory: int = MEMORY) -> None:
        KeyMemory(memory).meet(np.empty(0, np.int64))  # compiled before a row waits for it
        self.memory = memory
        self.duplicates: dict[str, int] = {}
        self._met: dict[str, KeyMemory] = {}

    def fresh(self, batch: Batch) -> Batch | None:
        """The batch without rows met before, in it or earlier; None where none is left.

        A beat of the clock is always fresh. The rows that are left are remembered.
        """
        if not batch.feed:
            return batch
        new = self._of(batch.feed).meet(batch.keys)
        if new.all():
            return batch if new.size else None
        left_out = int(new.size - new.sum())
        self.duplicates[batch.feed] = self.duplicates.get(batch.feed, 0) + left_out
        if left_out == new.size:
            return None
        return batch._replace(rows=batch.rows.filter(pl.Series(new)), keys=batch.keys[new])

    def remember(self, batch: Batch) -> None:
        """Remember the rows of a batch that has been through here already."""
        if batch.feed:
            self._of(batch.feed).meet(batch.keys)

    def newest(self, count: int) -> dict[str, IntArray]:
        """The last ``count`` keys of each feed, in the order they came."""
        return {feed: met.newest(count) for feed, met in self._met.items()}

    def recall(self, keys: Mapping[str, IntArray]) -> None:
        """Remember the keys of an earlier :meth:`newest`."""
        for feed, each in keys.items():
            self._of(feed).meet(each)

    def _of(self, feed: str) -> KeyMemory:
        if feed not in self._met:
            self._met[feed] = KeyMemory(self.memory)
        return self._met[feed]
