"""The market record: columns, the check at the door, feeds, and sampling on a common grid."""

from eventtape.tape.feed import Feed, Instrument, Kind, Tape, times_ns
from eventtape.tape.records import (
    BAR,
    EQUITY_TRADE,
    PROBABILITY,
    QUOTE,
    RESULT,
    TRADE,
    Record,
    check,
    empty,
)

__all__ = [
    "BAR",
    "EQUITY_TRADE",
    "PROBABILITY",
    "QUOTE",
    "RESULT",
    "TRADE",
    "Feed",
    "Instrument",
    "Kind",
    "Record",
    "Tape",
    "check",
    "empty",
    "times_ns",
]
