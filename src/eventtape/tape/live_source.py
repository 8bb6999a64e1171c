"""What a live source promises, whoever it talks to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from eventtape.tape.batch import Batch
from eventtape.tape.feed import Feed
from eventtape.tape.health import FeedHealth

__all__ = ["LiveSource"]


class LiveSource(Protocol):
    """One connection to a venue: batches as they come, for as long as somebody asks.

    Rows of a feed leave the source in the order of their stamps as far as the source can bring that
    about: on a hole in the venue's sequence it holds the newer rows back until the hole is filled
    over REST, or cannot be. It reconnects by itself and never ends of its own accord; what cannot
    pass (a refused key, an unknown contract) is an error raised to whoever iterates.
    """

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """What it brings, with empty frames."""

    def batches(self, since: Mapping[str, int]) -> AsyncIterator[Batch]:
        """Batches from now on, after the rows missed since the stamps given (ns, by feed).

        Back-filled rows may repeat rows met before: their ``keys`` say so.
        """

    def health(self) -> tuple[FeedHealth, ...]:
        """How each feed is doing; safe to call from another thread."""
