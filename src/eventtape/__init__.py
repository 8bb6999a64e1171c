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
    from eventtape.frames import (
        daily_volume,
        factor_returns,
        feature_stream,
        filter_probability,
        gap_table,
        idiosyncratic_amplification,
        join_complementary,
        microstructure_features,
        nbbo_seconds,
        nbbo_stream,
        replicate,
        rolling_beta,
        sign_trades,
        train_up_move,
        universe,
    )
    from eventtape.report import write_report
    from eventtape.simulate import MarketTruth, event_night, taq_day
    from eventtape.sources import load_folder
    from eventtape.store import Lake, read_tape, write_tape
    from eventtape.studies import EVENTS, SIMULATED, Config, Event, diffusion
    from eventtape.studies.contract import contract
    from eventtape.tape import Feed, Instrument, Tape
    from eventtape.tape.bars import bars

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
    "bars",
    "contract",
    "daily_volume",
    "diffusion",
    "event_night",
    "factor_returns",
    "feature_stream",
    "filter_probability",
    "gap_table",
    "idiosyncratic_amplification",
    "join_complementary",
    "load_folder",
    "microstructure_features",
    "nbbo_seconds",
    "nbbo_stream",
    "read_tape",
    "replicate",
    "rolling_beta",
    "sign_trades",
    "taq_day",
    "train_up_move",
    "universe",
    "write_report",
    "write_tape",
]

# Loaded when first asked for: `import eventtape` and `eventtape --help` stay fast.
_ROOMS = {
    "arrays": ("Status",),
    "frames": (
        "daily_volume",
        "factor_returns",
        "feature_stream",
        "filter_probability",
        "gap_table",
        "idiosyncratic_amplification",
        "join_complementary",
        "microstructure_features",
        "nbbo_seconds",
        "nbbo_stream",
        "replicate",
        "rolling_beta",
        "sign_trades",
        "train_up_move",
        "universe",
    ),
    "report": ("write_report",),
    "simulate": ("MarketTruth", "event_night", "taq_day"),
    "sources": ("load_folder",),
    "store": ("Lake", "read_tape", "write_tape"),
    "studies": ("EVENTS", "SIMULATED", "Config", "Event", "diffusion"),
    "studies.contract": ("contract",),
    "tape": ("Feed", "Instrument", "Tape"),
    "tape.bars": ("bars",),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'eventtape' has no attribute {name!r}")
    return getattr(import_module(f"eventtape.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
