"""Which feeds a journal's rows belong to, and the journal's rows as a tape of the lake."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from eventtape.errors import InputError, LakeError
from eventtape.store.journal_files import journal_payloads
from eventtape.store.lake import Lake
from eventtape.store.tapes import write_tape
from eventtape.tape import Feed, check, empty
from eventtape.tape.feed_json import feed_from_row, feed_row
from eventtape.tape.wire import decode
from eventtape.wholefile import write_whole

__all__ = ["read_feeds", "seal", "write_feeds"]

_FILE = "feeds.json"


def write_feeds(folder: str | Path, feeds: Iterable[Feed]) -> tuple[Feed, ...]:
    """All feeds the journal in that folder knows, these among them, with empty frames.

    A label that already stands for another instrument or record is an :class:`InputError`.
    """
    known = {feed.label: feed for feed in read_feeds(folder)}
    for feed in feeds:
        bare = feed._replace(frame=empty(feed.record))
        held = known.setdefault(feed.label, bare)
        if (held.instrument, held.record) != (bare.instrument, bare.record):
            wanted = f"'{feed.label}' to go on as {held.record.name} of {held.instrument}"
            raise InputError(wanted, met=f"{bare.record.name} of {bare.instrument}")
        if not feed.label:
            raise InputError("a label for each feed", met=str(feed.instrument))
        known[feed.label] = bare
    rows = [feed_row(feed) for feed in known.values()]
    try:
        write_whole(Path(folder) / _FILE, json.dumps(rows, indent=1))
    except OSError as error:
        raise LakeError(f"{folder}: the list of feeds was not written: {error}") from error
    return tuple(known.values())


def read_feeds(folder: str | Path) -> tuple[Feed, ...]:
    """The feeds of the journal in that folder with empty frames, () where none were written."""
    path = Path(folder) / _FILE
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return tuple(feed_from_row(row) for row in rows)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LakeError(f"{path}: cannot be read: {error}") from error


def seal(folder: str | Path, lake: Lake, dataset: str) -> int:
    """The number of feeds written to the lake as the tape of ``dataset``, one commit.

    Rows are sorted by stamp, those of one stamp as they came; where a record has one row a time,
    the last that came stays. Reads the journal once a feed and holds one feed's rows at a time. A
    feed without rows is left out.
    """
    return write_tape(lake, dataset, _full(folder))


def _full(folder: str | Path) -> Iterator[Feed]:
    for feed in read_feeds(folder):
        parts = [rows for rows in _rows(folder, feed.label) if rows.height]
        if not parts:
            continue
        frame = pl.concat(parts).sort("ts", maintain_order=True)
        if feed.record.unique_times:
            frame = frame.unique([*feed.record.key, "ts"], keep="last", maintain_order=True)
        file = f"journal {Path(folder).name}, feed '{feed.label}'"
        yield feed._replace(frame=check(frame, feed.record, file=file))


def _rows(folder: str | Path, label: str) -> Iterator[pl.DataFrame]:
    for number, payload in journal_payloads(folder):
        if json.loads(payload.partition(b"\n")[0])[0] != label:
            continue
        try:
            yield decode(payload).rows
        except InputError as error:
            raise LakeError(f"{folder}: batch {number} cannot be read: {error}") from error
