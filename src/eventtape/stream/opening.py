"""After a restart: what each feed missed, put in one order before anything is computed from it.

One feed is caught up sooner than another, and rows an hour old that come after fresh ones would be
late for every estimate that reads both. So until each feed has brought a row of now, or patience
ends, batches are kept; then they are given in the order of stamps, as stored rows are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from eventtape.clock import SECOND
from eventtape.stream.paced import stamp_runs
from eventtape.tape.batch import HISTORY, Batch
from eventtape.tape.feed import times_ns

__all__ = ["Opening"]

_ROWS = 4_096
_NOW_NS = 2 * SECOND  # a stamp this near to the start is of now


class Opening:
    """Keeps batches until the feeds of ``since`` have caught up with ``now_ns``."""

    def __init__(self, since: Mapping[str, int], now_ns: int) -> None:
        self._behind = {name for name, at in since.items() if at < now_ns - _NOW_NS}
        self._now_ns = now_ns
        self._kept: dict[str, list[Batch]] = {}

    @property
    def waiting(self) -> bool:
        """Whether a feed is still behind."""
        return bool(self._behind)

    def add(self, batch: Batch) -> None:
        """Keep a batch; beats of the clock say nothing here."""
        if not batch.rows.height:
            return
        self._kept.setdefault(batch.feed, []).append(batch)
        if int(times_ns(batch.rows).max()) >= self._now_ns - _NOW_NS:
            self._behind.discard(batch.feed)

    def batches(self) -> list[Batch]:
        """All that was kept, in the order of stamps, those of one feed as they came."""
        feeds = list(self._kept)
        rows = [pl.concat([one.rows for one in self._kept[name]]) for name in feeds]
        keys = [np.concatenate([one.keys for one in self._kept[name]]) for name in feeds]
        times = []
        for k, frame in enumerate(rows):
            at = times_ns(frame)
            order = np.argsort(at, kind="stable")
            rows[k], keys[k] = frame[order], keys[k][order]
            times.append(at[order])
        if not feeds:
            return []
        whole = [(0, at.size) for at in times]
        return [
            Batch(feeds[k], self._kept[feeds[k]][0].record, rows[k][a:b], keys[k][a:b], HISTORY)
            for k, a, b in stamp_runs(times, whole, _ROWS, None)
        ]
