"""After a restart: what each feed missed, put in one order before anything is computed from it.

One feed is caught up sooner than another, and rows an hour old that come after fresh ones would be
late for every estimate that reads both. So batches are kept until each feed has brought a row of
now, or its source says that nothing is missing any more, or patience ends; then they are given in
the order of stamps, as stored rows are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import polars as pl

from eventtape.clock import SECOND
from eventtape.stream.paced import stamp_runs
from eventtape.tape.batch import HISTORY, Batch
from eventtape.tape.feed import times_ns

__all__ = ["Opening", "by_stamp"]

_ROWS = 4_096
_SPAN_NS = SECOND // 20
_NEVER_NS = 2**61
_OLD_NS = 60 * SECOND  # a newest stamp older than this is of a replay
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

    def filled(self, feeds: Iterable[str]) -> None:
        """Wait no longer for feeds of which all that was missed is here, however quiet they are."""
        self._behind.difference_update(feeds)

    def batches(self) -> list[Batch]:
        """All that was kept, in the order of stamps, those of one feed as they came."""
        return _merged(self._kept, None)


def by_stamp(batches: Sequence[Batch]) -> list[Batch]:
    """Batches that waited together, feeds in turn by stretches of stamps.

    After a stall a feed may bring a second's rows before another brings any of that second; given
    one after the other, the second feed's would be late. Within a stretch (half of the usual
    lateness) nothing is moved.
    """
    told = [(times_ns(one.rows), one) for one in batches if one.rows.height]
    newest = max((int(at.max()) for at, _ in told), default=0)
    oldest = min((int(at.min()) for at, _ in told), default=0)
    of_now = all(0 <= one.received_ns < newest + _OLD_NS for _, one in told)
    feeds = {one.feed for _, one in told}
    if len(feeds) == 1 or newest - oldest < _SPAN_NS or not of_now:
        return list(batches)
    kept: dict[str, list[Batch]] = {}
    for one in batches:
        if one.rows.height:
            kept.setdefault(one.feed, []).append(one)
    return [*_merged(kept, _SPAN_NS), *(one for one in batches if not one.feed)]


def _merged(kept: Mapping[str, Sequence[Batch]], span_ns: int | None) -> list[Batch]:
    """Rows of all feeds as batches in the order of stamps; without a span as stored rows are."""
    if not kept:
        return []
    feeds = list(kept)
    rows = [pl.concat([one.rows for one in kept[name]]) for name in feeds]
    keys = [np.concatenate([one.keys for one in kept[name]]) for name in feeds]
    times = []
    for k, frame in enumerate(rows):
        at = times_ns(frame)
        order = np.argsort(at, kind="stable")
        rows[k], keys[k] = frame[order], keys[k][order]
        times.append(at[order])
    received = [HISTORY if span_ns is None else kept[name][-1].received_ns for name in feeds]
    whole = [(0, at.size) for at in times]
    spread = max(int(at[-1]) for at in times) - min(int(at[0]) for at in times)
    # After a long stall the clock must not run ahead of what still waits here.
    limit = SECOND if spread >= SECOND else _NEVER_NS
    return [
        Batch(
            feeds[k],
            kept[feeds[k]][0].record,
            rows[k][a:b],
            keys[k][a:b],
            min(received[k], int(times[k][b - 1]) + limit),
        )
        for k, a, b in stamp_runs(times, whole, _ROWS, span_ns)
    ]
