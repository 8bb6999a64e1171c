"""A piece of the tape as it arrives: rows of one feed, the identity of each, and when it came.

Live sources, the journal, Kafka and the graphs all speak in batches. ``keys`` tell the same row
met twice (a reconnect, a back-fill that overlaps) from two rows that look alike: within a feed the
same market event has the same key, and two events have two, wherever the venue's own identity
(trade number, sequence, hash) allows it.

A batch of no feed and no rows is a beat of the clock: it says only that it is ``received_ns`` now,
so that what waits for stragglers need not wait for the next trade of a quiet market.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import IntArray
from eventtape.errors import InputError
from eventtape.tape.records import (
    BAR,
    EQUITY_TRADE,
    OPTION_QUOTE,
    OPTION_TRADE,
    PROBABILITY,
    QUOTE,
    RESULT,
    TRADE,
    Record,
)

__all__ = ["HISTORY", "RECORDS", "UNNUMBERED", "Batch", "beat", "record_named"]

RECORDS = {
    record.name: record
    for record in (BAR, EQUITY_TRADE, OPTION_QUOTE, OPTION_TRADE, PROBABILITY, QUOTE, RESULT, TRADE)
}
HISTORY = -1
"""``received_ns`` of rows that were never received live: they say nothing of the present."""
UNNUMBERED = -1
"""``number`` of a batch that no journal has taken yet."""


class Batch(NamedTuple):
    """Rows of one record kind of one feed, in the order they came."""

    feed: str  # label of the feed; "" for a beat of the clock
    record: str  # name of the record, a key of RECORDS; "" for a beat
    rows: pl.DataFrame  # columns of the record
    keys: IntArray  # (n_rows,) identity within the feed
    received_ns: int  # wall clock, UTC ns, when the last of it came; HISTORY for stored rows
    number: int = UNNUMBERED  # place in the journal, from 0


def beat(now_ns: int) -> Batch:
    """A beat of the clock at ``now_ns``."""
    return Batch("", "", pl.DataFrame(), np.empty(0, np.int64), now_ns)


def record_named(name: str) -> Record:
    """The record of that name; an unknown one is an :class:`InputError`."""
    if name not in RECORDS:
        raise InputError(f"a record among {', '.join(RECORDS)}", met=name)
    return RECORDS[name]
