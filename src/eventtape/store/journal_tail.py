"""A journal that another process is writing, read along as it grows: history, then live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from eventtape.errors import InputError
from eventtape.store.journal_files import Place, decoded, frames_from, segments_of
from eventtape.store.roster import read_feeds
from eventtape.tape import Feed, times_ns
from eventtape.tape.batch import Batch
from eventtape.tape.health import FeedHealth

__all__ = ["JournalTail"]


class JournalTail:
    """The batches of a run's folder from its first, then each as it is written; needs no lock.

    A :class:`~eventtape.tape.live_source.LiveSource`. With ``follow`` False it ends where the
    journal ends now. Batches keep the time at which they were received and lose their number.
    """

    def __init__(self, folder: str | Path, *, follow: bool = True, poll_s: float = 0.05) -> None:
        self._folder, self._follow, self._poll_s = Path(folder), follow, poll_s
        if not segments_of(self._folder):
            raise InputError("the journal of a run", met="no such journal", file=self._folder)
        self._feeds = read_feeds(self._folder)
        self._health = {feed.label: FeedHealth(feed.label, "history") for feed in self._feeds}

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The feeds of the run, with empty frames."""
        return self._feeds

    def health(self) -> tuple[FeedHealth, ...]:
        """What was read so far of each feed; how the feeds themselves do, their own run knows."""
        return tuple(self._health.values())

    async def batches(self, since: Mapping[str, int]) -> AsyncIterator[Batch]:
        """All batches of the journal, beats of the clock included; ``since`` is not needed."""
        del since
        place = Place()
        while True:
            for frame, after in frames_from(self._folder, place):
                place = after
                for number, payload in enumerate(frame.payloads, frame.first):
                    batch = decoded(self._folder, number, payload)
                    self._count(batch)
                    yield batch._replace(number=-1)
            if not self._follow:
                return
            await asyncio.sleep(self._poll_s)

    def _count(self, batch: Batch) -> None:
        seen = self._health.get(batch.feed)
        if seen is not None and batch.rows.height:
            newest = int(times_ns(batch.rows).max())
            self._health[batch.feed] = seen._replace(
                last_received_ns=batch.received_ns,
                last_stamp_ns=max(newest, seen.last_stamp_ns),
                rows=seen.rows + batch.rows.height,
                batches=seen.batches + 1,
            )
