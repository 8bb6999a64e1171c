"""The estimators on data frames: the public functions that take and return Polars frames."""

from eventtape.frames.daily_volume import daily_volume
from eventtape.frames.exposure import gap_table
from eventtape.frames.factors import (
    factor_returns,
    idiosyncratic_amplification,
    replicate,
    rolling_beta,
)
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
    "score",
    "sign_trades",
    "train_up_move",
    "universe",
]
