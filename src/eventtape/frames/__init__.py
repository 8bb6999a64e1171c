"""The estimators on data frames: the public functions that take and return Polars frames.

Each file is loaded when first asked for: live graphs need few of them, and some need seconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# Files of these names too, so that an import of the file would hide the function.
from eventtape.frames.daily_volume import daily_volume
from eventtape.frames.universe import universe

if TYPE_CHECKING:
    from eventtape.frames.discovery import lead_lag_table, pair_table, resolution_table
    from eventtape.frames.discovery_links import connectedness_table, granger_table, rank_table
    from eventtape.frames.discovery_speeds import group_table, speed_table
    from eventtape.frames.factors import (
        factor_returns,
        idiosyncratic_amplification,
        replicate,
        rolling_beta,
    )
    from eventtape.frames.outcome_gap import gap_table
    from eventtape.frames.probability import filter_probability, join_complementary
    from eventtape.frames.signs import sign_trades
    from eventtape.frames.ticks import (
        feature_stream,
        microstructure_features,
        nbbo_seconds,
        nbbo_stream,
    )
    from eventtape.frames.up_move import score, train_up_move

__all__ = [
    "connectedness_table",
    "daily_volume",
    "factor_returns",
    "feature_stream",
    "filter_probability",
    "gap_table",
    "granger_table",
    "group_table",
    "idiosyncratic_amplification",
    "join_complementary",
    "lead_lag_table",
    "microstructure_features",
    "nbbo_seconds",
    "nbbo_stream",
    "pair_table",
    "rank_table",
    "replicate",
    "resolution_table",
    "rolling_beta",
    "score",
    "sign_trades",
    "speed_table",
    "train_up_move",
    "universe",
]

_FILES = {
    "discovery": ("lead_lag_table", "pair_table", "resolution_table"),
    "discovery_links": ("connectedness_table", "granger_table", "rank_table"),
    "discovery_speeds": ("group_table", "speed_table"),
    "factors": ("factor_returns", "idiosyncratic_amplification", "replicate", "rolling_beta"),
    "outcome_gap": ("gap_table",),
    "probability": ("filter_probability", "join_complementary"),
    "signs": ("sign_trades",),
    "ticks": ("feature_stream", "microstructure_features", "nbbo_seconds", "nbbo_stream"),
    "up_move": ("score", "train_up_move"),
}
_HOME = {name: file for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'eventtape.frames' has no attribute {name!r}")
    return getattr(import_module(f"eventtape.frames.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
