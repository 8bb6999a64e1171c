"""The estimators on data frames: the public functions that take and return Polars frames."""

from eventtape.frames.daily_volume import daily_volume
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
from eventtape.frames.universe import universe
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
