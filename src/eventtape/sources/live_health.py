"""How the feeds of one connection are doing, for whoever asks from whatever thread.

What happens to the connection (its state, reconnects, frames nobody could read, what went wrong
last) is said of each of its feeds. ``skew_ms`` is the least of receipt less stamp over the last few
hundred frames with rows: the venue's clock behind ours plus the shortest delay on the way. The two
cannot be told apart here; a negative value is skew for certain.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from eventtape.tape.batch import Batch
from eventtape.tape.health import FeedHealth, FeedState

__all__ = ["BadFrame", "HealthBook"]

_SKEW_FRAMES = 256
_MILLISECOND = 1_000_000


class BadFrame(NamedTuple):
    """A frame that could not be read, as it came up to a bound, and why."""

    received_ns: int
    frame: str | bytes
    reason: str


class HealthBook:
    """Written by the connection's own thread; ``read`` and ``bad_frames`` by any.

    The first ``kept`` bad frames are kept, each up to ``kept_size`` characters or bytes.
    """

    def __init__(self, feeds: Iterable[str], kept: int, kept_size: int) -> None:
        # Entries are replaced whole and none is ever added, which readers in other threads rely on.
        self._feeds = {feed: FeedHealth(feed) for feed in feeds}
        self._delays: dict[str, deque[int]] = {f: deque(maxlen=_SKEW_FRAMES) for f in self._feeds}
        self._kept, self._kept_size = kept, kept_size
        self._bad: tuple[BadFrame, ...] = ()

    def read(self) -> tuple[FeedHealth, ...]:
        """Each feed as it stands."""
        return tuple(self._feeds.values())

    def bad_frames(self) -> tuple[BadFrame, ...]:
        """The first few frames that could not be read."""
        return self._bad

    def state(self, state: FeedState, message: str | None = None) -> None:
        """The connection's state, and what went wrong where something did."""
        for feed, health in self._feeds.items():
            said = health.message if message is None else message
            self._feeds[feed] = health._replace(state=state, message=said)

    def connected(self, *, again: bool) -> None:
        """The connection stands, and has yet to say something."""
        for feed, health in self._feeds.items():
            state: FeedState = "stale" if health.state == "stale" else "connecting"
            more = health.reconnects + again
            self._feeds[feed] = health._replace(state=state, reconnects=more)

    def malformed(self, frame: str | bytes, received_ns: int, reason: str) -> None:
        """A frame nobody could read: counted, and kept if it is among the first."""
        self._keep(frame, received_ns, reason)
        for feed, health in self._feeds.items():
            more = health.malformed + 1
            self._feeds[feed] = health._replace(malformed=more, message=reason)

    def ahead(
        self, feed: str, frame: str | bytes, received_ns: int, reason: str, rows: int
    ) -> None:
        """Rows of a feed stamped in the future: counted, their frame kept if among the first."""
        self._keep(frame, received_ns, reason)
        health = self._feeds[feed]
        self._feeds[feed] = health._replace(malformed=health.malformed + rows, message=reason)

    def came(self, feed: str, newest_ns: int, received_ns: int) -> None:
        """Rows came by the connection."""
        delays = self._delays[feed]
        delays.append(received_ns - newest_ns)
        health = self._feeds[feed]
        self._feeds[feed] = health._replace(
            last_received_ns=received_ns,
            last_stamp_ns=max(health.last_stamp_ns, newest_ns),
            skew_ms=min(delays) / _MILLISECOND,
        )

    def left(self, batch: Batch) -> None:
        """Rows left for whoever reads the source."""
        health = self._feeds[batch.feed]
        self._feeds[batch.feed] = health._replace(
            rows=health.rows + batch.rows.height, batches=health.batches + 1
        )

    def hole(self, feed: str) -> None:
        """A hole in the venue's sequence."""
        self._feeds[feed] = self._feeds[feed]._replace(gaps=self._feeds[feed].gaps + 1)

    def filled(self, feed: str, rows: int) -> None:
        """Rows fetched afterwards."""
        health = self._feeds[feed]
        self._feeds[feed] = health._replace(backfilled=health.backfilled + rows)

    def unfilled(self, feed: str) -> None:
        """A hole that nobody could fill."""
        self._feeds[feed] = self._feeds[feed]._replace(unfilled=self._feeds[feed].unfilled + 1)

    def said(self, feed: str, message: str) -> None:
        """What went wrong with one feed."""
        self._feeds[feed] = self._feeds[feed]._replace(message=message)

    def _keep(self, frame: str | bytes, received_ns: int, reason: str) -> None:
        if len(self._bad) < self._kept:
            self._bad += (BadFrame(received_ns, frame[: self._kept_size], reason),)
