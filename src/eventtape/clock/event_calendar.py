"""When is the next dated event: rate decisions, price indices, employment reports, elections.

The table beside this file, ``events.csv``, has columns kind, name, local_time, zone, note: a time
on the clock of the place where the news comes out, since that is how it is announced and how it
stays put when the clocks change. 14:00 in New York is 18:00 UTC in summer and 19:00 in winter.

Facts and where they are from. ``fomc``: the scheduled statements of 2023 to 2026, 14:00 (Federal
Reserve Board, meeting calendars; 2026 as announced). ``cpi`` and ``payrolls``: 08:30, of late 2024
and early 2025 only (Bureau of Labor Statistics, release schedule), so no complete list: add your
own. ``election``: 18:00 in New York, when the first polls close; the result comes hours later.
``tariff``: the announcement of 2025-04-02, 16:00.

A file of the same columns adds events of any kind. Kinds are compared in lower case.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from eventtape.clock.times import format_ns, parse_ns, zone
from eventtape.errors import InputError

__all__ = ["DatedEvent", "event_calendar", "events_between"]

_OWN = Path(__file__).with_name("events.csv")
_NEEDED = ("kind", "name", "local_time", "zone")
_LOCAL = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?"
_FIRST_YEAR, _LAST_YEAR = 1700, 2250  # well inside 64 bits of nanoseconds


class DatedEvent(NamedTuple):
    """One announced event: its kind (``fomc``), its name, when it is (ns UTC), and what to know."""

    kind: str
    name: str
    at_ns: int
    note: str


def event_calendar(extra: str | Path | None = None) -> tuple[DatedEvent, ...]:
    """The events known, rising in time; those of the CSV ``extra`` among them.

    ``extra`` has the columns kind, name, local_time (``2027-01-27T14:00``), zone (an IANA name) and
    perhaps note. Raises :class:`InputError` naming file, row and column where a value is missing, a
    local time does not exist or exists twice, or a kind has an event at that moment already.

    >>> from eventtape.clock import format_ns
    >>> fomc = [event for event in event_calendar() if event.kind == "fomc"]
    >>> [format_ns(event.at_ns, seconds=False) for event in fomc[-2:]]
    ['2026-10-28T18:00Z', '2026-12-09T19:00Z']
    """
    known: dict[tuple[str, int], DatedEvent] = {}
    for path in (_OWN,) if extra is None else (_OWN, Path(extra)):
        for row, event in _events(path):
            if (event.kind, event.at_ns) in known:
                met = f"a second {event.kind} at {format_ns(event.at_ns)}"
                wanted = "one event of a kind at a moment"
                raise InputError(wanted, met=met, file=path, row=row, column="local_time")
            known[event.kind, event.at_ns] = event
    return tuple(sorted(known.values(), key=lambda event: (event.at_ns, event.kind)))


def events_between(
    events: Sequence[DatedEvent], start_ns: int, end_ns: int, kinds: Sequence[str] | None = None
) -> tuple[DatedEvent, ...]:
    """The events with start <= time < end, rising; of these ``kinds`` where they are given.

    A kind that no event of the sequence has is an :class:`InputError`; one with none in between is
    an answer.
    """
    if start_ns > end_ns:
        raise InputError("a start not after the end", met=(start_ns, end_ns))
    wanted = None if kinds is None else {kind.strip().lower() for kind in kinds}
    known = sorted({event.kind for event in events})
    for kind in sorted(wanted or ()):
        if kind not in known:
            raise InputError(f"a kind among {', '.join(known)}", met=kind)
    inside = (event for event in events if start_ns <= event.at_ns < end_ns)
    chosen = [event for event in inside if wanted is None or event.kind in wanted]
    return tuple(sorted(chosen, key=lambda event: (event.at_ns, event.kind)))


def _events(path: Path) -> Iterator[tuple[int, DatedEvent]]:
    """The events of a file and the row (1-based, without the header) of each."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"a readable CSV of events ({error})", file=path) from error
    lines = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip().lower() for name in next(lines, [])]
    for name in _NEEDED:
        if header.count(name) != 1:
            met = ", ".join(header)
            raise InputError(f"one column '{name}'", met=met, file=path, column=name)
    for row, values in enumerate(lines, 1):
        if not any(values):
            continue
        if len(values) != len(header):
            wanted = f"{len(header)} values (quote one that has a comma in it)"
            raise InputError(wanted, met=len(values), file=path, row=row)
        cells = {name: value.strip() for name, value in zip(header, values, strict=True)}
        yield row, _event(cells, path, row)


def _event(cells: dict[str, str], file: Path, row: int) -> DatedEvent:
    for name in _NEEDED:
        if not cells[name]:
            raise InputError(f"a {name}", met="", file=file, row=row, column=name)
    column = "zone"
    try:
        place = zone(cells["zone"])
        column = "local_time"
        at_ns = _utc_ns(cells["local_time"], place)
    except InputError as error:
        raise InputError(error.wanted, met=error.met, file=file, row=row, column=column) from None
    return DatedEvent(cells["kind"].lower(), cells["name"], at_ns, cells.get("note", ""))


def _utc_ns(text: str, place: ZoneInfo) -> int:
    """UTC nanoseconds of a local time that exists exactly once there."""
    if not re.fullmatch(_LOCAL, text):
        raise InputError("a local time such as 2024-11-07T14:00 (its zone beside it)", met=text)
    try:
        wall = datetime.fromisoformat(text)
    except ValueError:  # the thirteenth month
        raise InputError("a local time of the calendar", met=text) from None
    if not _FIRST_YEAR <= wall.year <= _LAST_YEAR:
        raise InputError(f"a year from {_FIRST_YEAR} to {_LAST_YEAR}", met=text)
    first, second = (wall.replace(tzinfo=place, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        raise InputError(f"a local time that exists exactly once in {place}", met=text)
    return parse_ns(first.astimezone(UTC).isoformat())
