"""The market record: columns, the check at the door, feeds, and sampling on a common grid."""

from eventtape.tape.chains import Chain, chains, expiries
from eventtape.tape.feed import Feed, Instrument, Kind, Tape, times_ns
from eventtape.tape.option_quotes import check_options
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
    check,
    empty,
)

__all__ = [
    "BAR",
    "EQUITY_TRADE",
    "OPTION_QUOTE",
    "OPTION_TRADE",
    "PROBABILITY",
    "QUOTE",
    "RESULT",
    "TRADE",
    "Chain",
    "Feed",
    "Instrument",
    "Kind",
    "Record",
    "Tape",
    "chains",
    "check",
    "check_options",
    "empty",
    "expiries",
    "times_ns",
]
