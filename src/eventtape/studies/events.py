"""The dated events a study can be asked about, each fact with its source.

The full calendar (FOMC, CPI, payrolls, elections) joins when the event premium needs it.
"""

from __future__ import annotations

from typing import NamedTuple

from eventtape.clock import parse_ns
from eventtape.errors import InputError

__all__ = ["EVENTS", "SIMULATED", "Event", "event_named"]


class Event(NamedTuple):
    """A dated event: the window studied (ns UTC) and which feeds quote its probability."""

    key: str
    title: str
    outcome: str  # what the probability is the probability of, as it reads after "if"
    start_ns: int
    end_ns: int
    primary: str  # label of the feed whose probability drives the study
    complements: tuple[tuple[str, str], ...] = ()  # (YES contract, its complement), by label
    dataset: str = ""  # the named dataset that holds its feeds
    note: str = ""


US_ELECTION_2024 = Event(
    key="us-election-2024",
    title="US presidential election, night of 5 to 6 November 2024",
    outcome="Trump wins",
    start_ns=parse_ns("2024-11-05T22:00Z"),
    end_ns=parse_ns("2024-11-06T06:00Z"),
    primary="Polymarket",
    complements=(("Kalshi", "Kalshi KH"),),
    dataset="election-2024",
    note="First polls close 23:00Z; the race was called at about 10:34Z (Associated Press).",
)

SIMULATED = Event(
    key="simulated-night",
    title="Simulated night",
    outcome="the event happens",
    start_ns=parse_ns("2000-01-01T00:00Z"),
    end_ns=parse_ns("2000-01-01T08:00Z"),
    primary="event",
    note="Every number below is drawn from a random generator; none is a market's.",
)

EVENTS = {event.key: event for event in (US_ELECTION_2024,)}


def event_named(key: str) -> Event:
    """The event of that key; an unknown one is an :class:`InputError` that lists those known."""
    if key not in EVENTS:
        raise InputError(f"one of {', '.join(EVENTS)}", met=key)
    return EVENTS[key]
