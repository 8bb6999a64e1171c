"""eventtape: how news about a scheduled event travels through markets, and what it is worth.

Frames in, frames out (Polars); times are UTC nanoseconds; returns are log returns; every estimate
carries an interval and a status, and is NaN or null where the data cannot identify it.

>>> import eventtape
>>> night = eventtape.event_night(seed=1)
>>> result = eventtape.diffusion(night.tape, eventtape.SIMULATED)
>>> result.gaps[0].status
<Status.OK: 'ok'>

The rooms below this face (``eventtape.estimators``, ``eventtape.tape``, ...) are public too; see
the documentation for which does what.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from eventtape.errors import EventTapeError, FetchError, InputError, LakeError

if TYPE_CHECKING:
    from eventtape.arrays import Status
    from eventtape.frames import filter_probability, gap_table, join_complementary
    from eventtape.report import write_report
    from eventtape.simulate import MarketTruth, event_night
    from eventtape.sources import load_folder
    from eventtape.store import Lake, read_tape, write_tape
    from eventtape.studies import EVENTS, SIMULATED, Config, Event, diffusion
    from eventtape.studies.contract import contract
    from eventtape.tape import Feed, Instrument, Tape

__all__ = [
    "EVENTS",
    "SIMULATED",
    "Config",
    "Event",
    "EventTapeError",
    "Feed",
    "FetchError",
    "InputError",
    "Instrument",
    "Lake",
    "LakeError",
    "MarketTruth",
    "Status",
    "Tape",
    "contract",
    "diffusion",
    "event_night",
    "filter_probability",
    "gap_table",
    "join_complementary",
    "load_folder",
    "read_tape",
    "write_report",
    "write_tape",
]

# Loaded when first asked for: `import eventtape` and `eventtape --help` stay fast.
_ROOMS = {
    "arrays": ("Status",),
    "frames": ("filter_probability", "gap_table", "join_complementary"),
    "report": ("write_report",),
    "simulate": ("MarketTruth", "event_night"),
    "sources": ("load_folder",),
    "store": ("Lake", "read_tape", "write_tape"),
    "studies": ("EVENTS", "SIMULATED", "Config", "Event", "diffusion"),
    "studies.contract": ("contract",),
    "tape": ("Feed", "Instrument", "Tape"),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'eventtape' has no attribute {name!r}")
    return getattr(import_module(f"eventtape.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
