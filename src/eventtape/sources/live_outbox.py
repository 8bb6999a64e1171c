"""Which rows may leave a source now, and in what order.

Rows of a feed leave as they come, joined into one batch and sorted by stamp where that is needed.
While a hole behind them is being filled they are held back: a hold ends when all its fills have
ended, when its time is up, or when it has grown too long. Rows of a fill that ends later leave
late. No socket and no clock here: who calls says when.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from eventtape.sources.live_rows import stamps_ns
from eventtape.tape.batch import Batch

__all__ = ["Outbox", "joined"]


@dataclass
class _Held:
    """Rows of one feed that wait, and the fills they wait for.

    Each fill has its place among the rows: behind what came before its hole was met, ahead of what
    came after. Rows of one stamp keep that order.
    """

    fills: dict[int, list[Batch]] = field(default_factory=dict)
    parts: list[list[Batch]] = field(default_factory=list)
    rows: int = 0


class Outbox:
    """Batches on their way out; ``hold_rows`` is the most rows of a feed that wait for a fill."""

    def __init__(self, hold_rows: int) -> None:
        self._hold_rows = hold_rows
        self._ready: dict[str, list[Batch]] = {}
        self._held: dict[str, _Held] = {}
        self._fills = 0
        self.rows = 0  # that could leave now

    def hold(self, feed: str) -> int:
        """The number of a fill that newer rows of the feed shall wait for."""
        self._fills += 1
        held = self._held.setdefault(feed, _Held())
        place: list[Batch] = []
        held.fills[self._fills] = place
        held.parts.append(place)
        return self._fills

    def take(self, batch: Batch) -> None:
        """Rows that came: they leave next, or wait where their feed is held."""
        held = self._held.get(batch.feed)
        if held is None:
            self._ready.setdefault(batch.feed, []).append(batch)
            self.rows += batch.rows.height
            return
        held.parts.append([batch])
        held.rows += batch.rows.height
        self._bound(batch.feed, held)

    def filled(self, feed: str, fill: int, batches: Iterable[Batch]) -> None:
        """Rows of a fill that has ended, none where it failed; the last one ends the hold."""
        found = [batch for batch in batches if batch.rows.height]
        held = self._held.get(feed)
        if held is None:
            for batch in found:
                self.take(batch)
            return
        if fill in held.fills:
            held.fills.pop(fill).extend(found)
        else:  # of an earlier hold, so older than all that waits
            held.parts.insert(0, found)
        held.rows += sum(batch.rows.height for batch in found)
        if not held.fills:
            self._let_go(feed)
        else:
            self._bound(feed, held)

    def expire(self, feed: str, fill: int) -> None:
        """Wait no longer for this fill, nor for others of the same hold."""
        held = self._held.get(feed)
        if held is not None and fill in held.fills:
            self._let_go(feed)

    def holds(self, feed: str) -> bool:
        """Whether rows of the feed, if there are any, wait for a fill."""
        return feed in self._held

    def drain(self) -> list[Batch]:
        """What may leave, one batch a feed, each sorted by stamp."""
        ready, self._ready, self.rows = self._ready, {}, 0
        return [joined(parts) for parts in ready.values()]

    def _bound(self, feed: str, held: _Held) -> None:
        if held.rows > self._hold_rows:
            self._let_go(feed)

    def _let_go(self, feed: str) -> None:
        parts = [batch for place in self._held.pop(feed).parts for batch in place]
        if parts:
            # Sorted here, so that back-filled rows stand before the held ones.
            whole = joined(parts)
            self._ready.setdefault(feed, []).append(whole)
            self.rows += whole.rows.height


def joined(parts: list[Batch]) -> Batch:
    """One batch of several of one feed and record, at least one; rows of one stamp keep order."""
    rows, keys = parts[0].rows, parts[0].keys
    if len(parts) > 1:
        rows = pl.concat([part.rows for part in parts], rechunk=True)
        keys = np.concatenate([part.keys for part in parts])
    at = stamps_ns(rows)
    if (at[1:] < at[:-1]).any():
        order = np.argsort(at, kind="stable")
        rows, keys = rows[order], keys[order]
    received = max(part.received_ns for part in parts)
    return parts[0]._replace(rows=rows, keys=keys, received_ns=received)
