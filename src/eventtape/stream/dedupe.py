"""Each row of a feed once, however often a source brings it.

Reconnects and back-fills repeat rows; their keys say so. The newest ``memory`` keys of each feed
are remembered in the order they were first met, so what is dropped depends only on the rows that
came before, and the journal's tail brings the memory back after a restart.

A dictionary is the memory: at the few rows a live batch holds it beats sorted arrays, which must be
merged at every batch, and at 4,096 rows a batch it keeps up with five million rows a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import numpy as np
import polars as pl

from eventtape.arrays import IntArray
from eventtape.errors import InputError
from eventtape.tape.batch import Batch

__all__ = ["MEMORY", "Dedupe"]

MEMORY = 2**19
"""Keys of a feed: more than a source holds back at once and then asks for again over REST."""


class Dedupe:
    """Keys met lately, by feed; ``duplicates`` counts the rows left out, by feed."""

    def __init__(self, *, memory: int = MEMORY) -> None:
        if memory < 1:
            raise InputError("at least 1 key to remember", met=memory)
        self.memory = memory
        self.duplicates: dict[str, int] = {}
        self._met: dict[str, dict[int, None]] = {}

    def fresh(self, batch: Batch) -> Batch | None:
        """The batch without rows met before, in it or earlier; None where none is left.

        A beat of the clock is always fresh. The rows that are left are remembered.
        """
        if not batch.feed:
            return batch
        met = self._met.setdefault(batch.feed, {})
        keys = batch.keys.tolist()
        once = dict.fromkeys(keys)
        if len(once) < len(keys) or not met.keys().isdisjoint(once):
            first = np.zeros(len(keys), bool)
            first[np.unique(batch.keys, return_index=True)[1]] = True
            first &= np.fromiter((key not in met for key in keys), bool, len(keys))
            left_out = len(keys) - int(first.sum())
            self.duplicates[batch.feed] = self.duplicates.get(batch.feed, 0) + left_out
            batch = batch._replace(rows=batch.rows.filter(pl.Series(first)), keys=batch.keys[first])
        self._keep(met, once)
        return batch if batch.keys.size else None

    def remember(self, batch: Batch) -> None:
        """Remember the rows of a batch that has been through here already."""
        if batch.feed:
            self._keep(self._met.setdefault(batch.feed, {}), dict.fromkeys(batch.keys.tolist()))

    def newest(self, count: int) -> dict[str, IntArray]:
        """The last ``count`` keys of each feed, in the order they came."""
        return {
            feed: np.array(list(islice(reversed(met), count))[::-1], np.int64)
            for feed, met in self._met.items()
        }

    def recall(self, keys: Mapping[str, IntArray]) -> None:
        """Remember the keys of an earlier :meth:`newest`."""
        for feed, each in keys.items():
            self._keep(self._met.setdefault(feed, {}), dict.fromkeys(each.tolist()))

    def _keep(self, met: dict[int, None], keys: dict[int, None]) -> None:
        met.update(keys)
        for key in list(islice(met, max(len(met) - self.memory, 0))):
            del met[key]
