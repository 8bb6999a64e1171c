"""What a live run says of itself: the health of every feed, errors in words, memory in bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from eventtape.errors import EventTapeError
from eventtape.stream.fold import Program
from eventtape.tape.health import FeedHealth
from eventtape.tape.live_source import LiveSource

__all__ = ["late_rows", "resident_bytes", "told_health", "words_of"]


def told_health(
    sources: Sequence[LiveSource],
    down: Mapping[int, str],
    duplicates: Mapping[str, int],
    late: Mapping[str, int],
) -> Iterator[FeedHealth]:
    """Each feed's health: the source's own word, and what the run left out of what it brought.

    ``down`` has the words of the sources that raised, by their place.
    """
    for place, source in enumerate(sources):
        for one in source.health():
            held = one._replace(
                duplicates=one.duplicates + duplicates.get(one.feed, 0),
                late=one.late + late.get(one.feed, 0),
            )
            said = down.get(place)
            yield held if said is None else held._replace(state="down", message=said)


def late_rows(program: Program, states: Mapping[str, Any]) -> dict[str, int]:
    """Rows too late for the estimators, by feed: the most that one ordering node left out."""
    late: dict[str, int] = {}
    for node in program:
        held = getattr(states.get(node.name), "late", None) if node.feeds else None
        for feed, count in (held or {}).items():
            late[feed] = max(count, late.get(feed, 0))
    return late


def words_of(error: BaseException) -> str:
    """An error for a reader; one that is not of this house with its kind."""
    return str(error) if isinstance(error, EventTapeError) else f"{type(error).__name__}: {error}"


def resident_bytes() -> int:
    """Bytes of memory this process holds; -1 where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return -1
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
