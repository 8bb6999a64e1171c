"""A tape in the lake and back: each feed's records by kind, and a table that says what they are.

Tables ``tape_bar``, ``tape_probability``, ``tape_trade``, ``tape_equity_trade``, ``tape_quote``,
``tape_result``, ``tape_option_quote`` and ``tape_option_trade`` hold the records and ``tape_feeds``
one row a feed (label, kind, clock, source), all partitioned by dataset, venue and code. A whole
tape is one commit: a reader sees the old tape or the new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from eventtape.errors import InputError
from eventtape.store.lake import Lake
from eventtape.store.parquet import Write
from eventtape.tape import (
    BAR,
    EQUITY_TRADE,
    OPTION_QUOTE,
    OPTION_TRADE,
    PROBABILITY,
    QUOTE,
    RESULT,
    TRADE,
    Feed,
    Instrument,
    Record,
    Tape,
    check,
)

__all__ = ["datasets", "read_tape", "write_tape"]

FEEDS = "tape_feeds"
KINDS = (BAR, EQUITY_TRADE, OPTION_QUOTE, OPTION_TRADE, PROBABILITY, QUOTE, RESULT, TRADE)
RECORDS = {record.name.replace(" ", "_"): record for record in KINDS}  # as folders name them


def write_tape(lake: Lake, dataset: str, feeds: Iterable[Feed]) -> int:
    """The number of feeds written; each replaces its own records and no other's."""
    writes = [w for order, feed in enumerate(feeds) for w in _writes(dataset, order, feed)]
    lake.write_all(writes)
    return len(writes) // 2


def read_tape(lake: Lake, dataset: str) -> Tape:
    """The tape of a dataset as it was written; an unknown one is an :class:`InputError`."""
    if dataset not in datasets(lake):
        raise InputError(f"a dataset among {', '.join(datasets(lake)) or 'none'}", met=dataset)
    rows = lake.read(FEEDS, {"dataset": dataset}).sort("place", "label").to_dicts()
    feeds = tuple(_feed(lake, dataset, row) for row in rows)
    return Tape(feeds, simulated=any(row["simulated"] for row in rows))


def datasets(lake: Lake) -> tuple[str, ...]:
    """The datasets whose tapes the lake holds, sorted."""
    tables = lake.tables()
    if tables.is_empty() or FEEDS not in tables["table"].to_list():
        return ()
    return tuple(sorted(lake.partitions(FEEDS)["dataset"].unique().to_list()))


def _partition(dataset: str, instrument: Instrument, record: Record) -> dict[str, str]:
    return {
        "dataset": dataset,
        "venue": instrument.venue,
        "code": instrument.code,
        "record": _folder(record),
    }


def _writes(dataset: str, order: int, feed: Feed) -> tuple[Write, Write]:
    partition = _partition(dataset, feed.instrument, feed.record)
    about = pl.DataFrame(
        {
            "place": [order],
            "label": [feed.label],
            "kind": [feed.instrument.kind],
            "stamp_uncertainty_ns": [feed.stamp_uncertainty_ns],
            "source": [feed.source],
            "note": [feed.note],
            "simulated": [feed.instrument.venue == "sim"],
        }
    )
    return Write(_table(feed.record), feed.frame, partition), Write(FEEDS, about, partition)


def _table(record: Record) -> str:
    return f"tape_{_folder(record)}"


def _folder(record: Record) -> str:
    return next(name for name, known in RECORDS.items() if known is record)


def _feed(lake: Lake, dataset: str, row: dict[str, Any]) -> Feed:
    record = RECORDS[row["record"]]
    instrument = Instrument(row["venue"], row["code"], row["kind"])
    frame = lake.read(_table(record), _partition(dataset, instrument, record))
    return Feed(
        instrument,
        row["label"],
        record,
        check(frame, record, file=f"lake table {_table(record)}"),
        row["stamp_uncertainty_ns"],
        row["source"],
        row["note"],
    )
