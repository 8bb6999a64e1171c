"""A stored tape as a live source: at its own pace, faster, or as fast as it is taken.

The stamps of the rows stay those of the market, and only ``received_ns`` is the wall clock of their
delivery, so that the lag to the screen is measured as with a real feed. A graph that orders a paced
tape must therefore not go by the wall clock: ``Merged(quiet_ns=NO_WALL_CLOCK)``.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from itertools import pairwise

import numpy as np

from eventtape.arrays import IntArray
from eventtape.errors import InputError
from eventtape.tape.batch import HISTORY, Batch
from eventtape.tape.feed import Feed, Tape, times_ns
from eventtape.tape.health import FeedHealth, FeedState

__all__ = ["NO_WALL_CLOCK", "PacedSource", "stamp_runs", "tape_batches"]

NO_WALL_CLOCK = 2**62
"""``quiet_ns`` of a :class:`~.order.Merged` that reads rows of another time than now."""
_LOOK_S = 0.05  # how soon a waiting source notices a pause or another speed
_BLOCK = 2**18  # rows of the largest feed that are put in order at once


def tape_batches(tape: Tape, *, rows: int = 4096, span_ns: int | None = None) -> Iterator[Batch]:
    """All feeds of a tape in the order of their stamps, as stored batches of one feed each.

    A batch ends where another feed has the next row, and after ``rows`` rows. Feeds that tick by
    turns make small batches; with ``span_ns`` each feed has one batch a window of that length, and
    a row comes at most that much after a later one, which ``Merged(lateness_ns >= span_ns)`` puts
    right. ``keys`` are row numbers of the feed's frame.
    """
    if rows < 1 or (span_ns is not None and span_ns < 1):
        raise InputError("rows >= 1 and a span >= 1 ns", met=(rows, span_ns))
    feeds = [_sorted(feed) for feed in tape.feeds if feed.frame.height]
    if len({feed.label for feed, _, _ in feeds}) < len(feeds):
        raise InputError("a label for each feed", met=[feed.label for feed, _, _ in feeds])
    for bounds in _blocks([at for _, at, _ in feeds], span_ns):
        for which, a, b in stamp_runs([at for _, at, _ in feeds], bounds, rows, span_ns):
            feed, _, keys = feeds[which]
            yield Batch(feed.label, feed.record.name, feed.frame[a:b], keys[a:b], HISTORY)


def _sorted(feed: Feed) -> tuple[Feed, IntArray, IntArray]:
    """The feed with rows in order of stamps, the stamps, and each row's number as it stood."""
    at = times_ns(feed.frame)
    numbers = np.arange(at.size, dtype=np.int64)
    if (at[1:] >= at[:-1]).all():
        return feed, at, numbers
    order = np.argsort(at, kind="stable")
    return feed._replace(frame=feed.frame[order]), at[order], numbers[order]


def _blocks(times: list[IntArray], span_ns: int | None) -> Iterator[list[tuple[int, int]]]:
    """Row bounds of each feed, block of time by block of time."""
    longest = max(times, key=len, default=np.empty(0, np.int64))
    cuts = longest[_BLOCK::_BLOCK]
    cuts = np.unique(cuts if span_ns is None else cuts // span_ns * span_ns)
    ends = [[*np.searchsorted(at, cuts).tolist(), at.size] for at in times]
    begins = [[0, *each[:-1]] for each in ends]
    for k in range(len(cuts) + 1 if times else 0):
        yield [(begin[k], end[k]) for begin, end in zip(begins, ends, strict=True)]


def stamp_runs(
    times: list[IntArray], bounds: list[tuple[int, int]], rows: int, span_ns: int | None
) -> Iterator[tuple[int, int, int]]:
    """Feed and row bounds of each batch of a block."""
    at = np.concatenate([t[a:b] for t, (a, b) in zip(times, bounds, strict=True)])
    which = np.repeat(np.arange(len(bounds)), [b - a for a, b in bounds])
    window = at if span_ns is None else at // span_ns
    order = np.lexsort((which, window))
    which, window = which[order], window[order]
    breaks = np.diff(which) != 0
    if span_ns is not None:
        breaks |= np.diff(window) != 0
    edges = [0, *(np.flatnonzero(breaks) + 1).tolist(), which.size]
    place = [a for a, _ in bounds]
    for a, b in pairwise(edges):
        if a == b:
            continue
        feed = int(which[a])
        for first in range(0, b - a, rows):
            n = min(rows, b - a - first)
            yield feed, place[feed], place[feed] + n
            place[feed] += n


class PacedSource:
    """A :class:`~eventtape.tape.live_source.LiveSource` of batches in the order of their stamps.

    A batch comes when market time, which runs at ``speed`` times the wall clock, reaches its last
    stamp; what was stamped before ``start_ns`` (the first stamp by default) comes at once, as
    history. ``speed`` infinite: as fast as batches are taken. It ends with its batches.
    :meth:`pause`, :meth:`resume` and :meth:`set_speed` may be called from any thread.
    """

    def __init__(
        self,
        batches: Iterable[Batch],
        feeds: Iterable[Feed],
        *,
        speed: float = 1.0,
        start_ns: int | None = None,
    ) -> None:
        self._batches = batches
        self._feeds = tuple(feed._replace(frame=feed.frame.clear()) for feed in feeds)
        self._lock = threading.Lock()
        self._paused = False
        self._speed = _checked(speed)
        self._start_ns = start_ns
        self._since: tuple[int, float] | None = None  # market time and our clock at the last change
        self._health = {feed.label: FeedHealth(feed.label) for feed in self._feeds}

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """What it brings, with empty frames."""
        return self._feeds

    def health(self) -> tuple[FeedHealth, ...]:
        """How each feed is doing."""
        return tuple(self._health.values())

    @property
    def market_ns(self) -> int | None:
        """The market's time now; None before the first batch and at infinite speed."""
        with self._lock:
            return self._market()

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self._paused

    def pause(self) -> None:
        """Stand still from now on; at infinite speed too."""
        self._change(paused=True)

    def resume(self) -> None:
        """Go on from where it stood."""
        self._change(paused=False)

    def set_speed(self, speed: float) -> None:
        """Run at ``speed`` times market time from now on."""
        self._change(speed=_checked(speed))

    async def batches(self, since: Mapping[str, int]) -> AsyncIterator[Batch]:
        """The batches, each at its time; those wholly before the stamps of ``since`` are left out.

        Rows of the batch in which a stamp of ``since`` lies come again.
        """
        for batch in self._batches:
            if not batch.rows.height:
                continue
            at = times_ns(batch.rows)
            if at.max() < since.get(batch.feed, at.max()):
                continue
            live = await self._due(int(at.max()))
            received = time.time_ns() if live else HISTORY
            self._count(batch, int(at.max()), received)
            yield batch._replace(received_ns=received)
        for label, held in self._health.items():
            self._health[label] = held._replace(state="ended")

    async def _due(self, stamp: int) -> bool:
        """Wait until that time has come; whether it is the present, or history."""
        with self._lock:
            if self._start_ns is None:
                self._start_ns = stamp
            if stamp < self._start_ns:
                return False
            if self._since is None:
                self._since = (self._start_ns, time.monotonic())
        await asyncio.sleep(0.0)
        while (left := self._left(stamp)) > 0.0:  # noqa: ASYNC110 - time is waited for, no event
            await asyncio.sleep(min(left, _LOOK_S))
        return True

    def _left(self, stamp: int) -> float:
        """Seconds of our clock until that time; infinite while paused."""
        with self._lock:
            if self._paused:
                return math.inf
            market = self._market()
            return 0.0 if market is None else (stamp - market) * 1e-9 / self._speed

    def _market(self) -> int | None:
        if self._since is None or math.isinf(self._speed):
            return None
        market, clock = self._since
        gone = 0.0 if self._paused else time.monotonic() - clock
        return market + round(gone * self._speed * 1e9)

    def _change(self, *, paused: bool | None = None, speed: float | None = None) -> None:
        with self._lock:
            if self._since is not None:
                self._since = (self._market() or self._newest(), time.monotonic())
            self._paused = self._paused if paused is None else paused
            self._speed = self._speed if speed is None else speed

    def _newest(self) -> int:
        return max(held.last_stamp_ns for held in self._health.values())

    def _count(self, batch: Batch, stamp: int, received_ns: int) -> None:
        held = self._health[batch.feed]
        state: FeedState = "history" if received_ns == HISTORY else "live"
        self._health[batch.feed] = held._replace(
            state=state,
            last_received_ns=max(received_ns, held.last_received_ns),
            last_stamp_ns=max(stamp, held.last_stamp_ns),
            rows=held.rows + batch.rows.height,
            batches=held.batches + 1,
        )


def _checked(speed: float) -> float:
    if not speed > 0.0:
        raise InputError("a speed above 0", met=speed)
    return speed
