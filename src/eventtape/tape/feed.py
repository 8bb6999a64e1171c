"""A feed (one instrument's records and how far its clock can be trusted) and a tape of feeds.

An instrument carries its venue and its kind: the contract ``kalshi:PRES-2024-DJT`` is not the
stock ``XNAS:DJT``.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from eventtape.errors import InputError
from eventtape.tape.records import TIME, Record

__all__ = ["Feed", "Instrument", "Kind", "Tape", "times_ns"]

Kind = Literal["event contract", "crypto", "currency", "future", "etf", "stock", "option", "news"]


class Instrument(NamedTuple):
    """What is traded and where: ``polymarket:trump-2024``."""

    venue: str
    code: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.venue}:{self.code}"


class Feed(NamedTuple):
    """One instrument's checked records, with the clock they came by."""

    instrument: Instrument
    label: str  # the short name a reader sees
    record: Record
    frame: pl.DataFrame
    stamp_uncertainty_ns: int  # the true time lies within this much BEFORE the stamp
    source: str  # file or service the records came from
    note: str = ""  # what a reader must know of the numbers before trusting them


class Tape(NamedTuple):
    """The feeds of one event; ``simulated`` travels with them to every output."""

    feeds: tuple[Feed, ...]
    simulated: bool

    def of_kind(self, *kinds: Kind) -> tuple[Feed, ...]:
        """The feeds of these kinds, in the tape's order."""
        return tuple(feed for feed in self.feeds if feed.instrument.kind in kinds)

    def feed(self, label: str) -> Feed:
        """The feed of that label; an unknown one is an :class:`InputError`."""
        for feed in self.feeds:
            if feed.label == label:
                return feed
        raise InputError(f"one of {', '.join(f.label for f in self.feeds)}", met=label)


def times_ns(frame: pl.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The ``ts`` column as int64 nanoseconds, shape ``(n_rows,)``; other units are an error."""
    if frame["ts"].dtype != TIME:
        raise InputError(f"values of type {TIME}", met=str(frame["ts"].dtype), column="ts")
    # A view; ``to_physical`` would go through a query, twenty times as long for a small frame.
    return frame["ts"].to_numpy().view(np.int64)
