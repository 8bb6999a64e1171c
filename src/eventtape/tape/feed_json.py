"""A feed as plain JSON and back, its rows left out: how journals and topics name their feeds."""

from __future__ import annotations

from typing import Any

from eventtape.tape.batch import record_named
from eventtape.tape.feed import Feed, Instrument
from eventtape.tape.records import empty

__all__ = ["feed_from_row", "feed_row"]


def feed_row(feed: Feed) -> dict[str, Any]:
    """What JSON keeps of a feed: everything but its rows."""
    return {
        "venue": feed.instrument.venue,
        "code": feed.instrument.code,
        "kind": feed.instrument.kind,
        "label": feed.label,
        "record": feed.record.name,
        "stamp_uncertainty_ns": feed.stamp_uncertainty_ns,
        "source": feed.source,
        "note": feed.note,
    }


def feed_from_row(row: dict[str, Any]) -> Feed:
    """The feed of :func:`feed_row` with an empty frame.

    What is no such row is a ValueError, TypeError or KeyError, for the caller to say where.
    """
    record = record_named(row["record"])
    return Feed(
        Instrument(row["venue"], row["code"], row["kind"]),
        row["label"],
        record,
        empty(record),
        int(row["stamp_uncertainty_ns"]),
        row["source"],
        row["note"],
    )
