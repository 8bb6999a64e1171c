"""The forward up-move classifier on the frame of microstructure features: train, judge, score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray, Status
from eventtape.clock import duration_ns
from eventtape.errors import InputError
from eventtape.estimators.factors import forecast_scores, logistic
from eventtape.estimators.factors.classifier import walk_forward
from eventtape.estimators.factors.forecast_scores import Scores
from eventtape.estimators.factors.logistic import Logistic

__all__ = ["UP_MOVE_FEATURES", "UpMove", "score", "train_up_move"]

UP_MOVE_FEATURES = (
    "quote_updates",
    "avg_rsprd",
    "pct_trades_iso",
    "pct_volume_iso",
    "total_flow_non_iso",
    "total_flow_iso",
    "num_trades",
    "num_trades_iso",
    "total_volume",
    "iso_flow_intensity",
)
"""Default features: the fourteen less the name, the time, the price level (which is no signal), and
``total_flow``, the sum of two others."""


class UpMove(NamedTuple):
    """A trained classifier, its out-of-sample forecasts and what they were worth."""

    model: Logistic  # fitted on every row whose answer is known: the one to score with
    features: tuple[str, ...]
    forecasts: pl.DataFrame  # symbol, bucket, up, probability, base_rate, fold: out of sample
    scores: Scores  # of the forecasts
    unchanged: float  # share of rows whose price stood still, which are in none of the above
    status: Status  # ok where the model and every fold's are
    horizon_ns: int
    price: str  # the column whose move is forecast


def train_up_move(
    features: pl.DataFrame,
    *,
    columns: Sequence[str] = UP_MOVE_FEATURES,
    horizon: str = "1m",
    embargo: str = "0s",
    folds: int = 5,
    ridge: float = 1.0,
    price: str = "last_mid",
) -> UpMove:
    """A classifier of "``price`` is higher one ``horizon`` on", judged by walk-forward.

    ``features`` has ``ticker`` (or ``symbol``), ``bucket`` (end of the interval) and the
    ``columns``. The label of a row is known where the same name has a row exactly one horizon
    later and the price is another one: what is forecast is a move's direction, given that there is
    one. (How likely a price stands still differs from name to name with its tick, and a forecast
    of that is no edge; ``unchanged`` is their share.) Rows with a feature missing are left out.
    ``price`` is
    the mid at the bucket's end and not ``log_mid``, a mean over the bucket: neighbouring changes of
    means share half a bucket, and a feature that knows where in its bucket the price moved would
    have an edge that cannot be traded.
    """
    columns, horizon_ns = tuple(columns), duration_ns(horizon)
    rows = _rows(features, columns, price)
    later = rows.select("symbol", pl.col("bucket") - pl.duration(nanoseconds=horizon_ns), "price")
    rows = rows.join(later, on=["symbol", "bucket"], how="left", suffix="_later")
    rows = rows.filter(
        pl.all_horizontal(pl.col(columns).is_finite()), pl.col("price_later").is_not_null()
    )
    still = pl.col("price_later") == pl.col("price")
    unchanged = rows.select(still.mean()).item()
    rows = rows.filter(~still).sort("bucket", "symbol")
    x = rows.select(columns).to_numpy()
    y = (rows["price_later"] > rows["price"]).to_numpy()
    ts = rows["bucket"].to_physical().to_numpy()
    walk = walk_forward(
        ts,
        x,
        y,
        horizon_ns=horizon_ns,
        folds=folds,
        embargo_ns=duration_ns(embargo),
        ridge=ridge,
    )
    judged = forecast_scores.scores(ts, y, walk.probability, walk.base_rate)
    model = logistic.fit(x, y, ridge=ridge)
    forecasts = rows.select(
        "symbol",
        "bucket",
        pl.Series("up", y),
        pl.Series("probability", walk.probability).fill_nan(None),
        pl.Series("base_rate", walk.base_rate).fill_nan(None),
        pl.Series("fold", walk.fold),
    )
    status = walk.status if walk.status is not Status.OK else model.status
    share = np.nan if unchanged is None else float(unchanged)
    return UpMove(model, columns, forecasts, judged, share, status, horizon_ns, price)


def score(
    model: Logistic, features: pl.DataFrame, *, columns: Sequence[str] = UP_MOVE_FEATURES
) -> pl.Series:
    """The probability of an up-move for each row; null where a feature is missing."""
    missing = [name for name in columns if name not in features.columns]
    if missing:
        raise InputError(f"columns {', '.join(missing)}", met=features.columns, column=missing[0])
    x: FloatArray = features.select(pl.col(columns).cast(pl.Float64).fill_null(np.nan)).to_numpy()
    return pl.Series("probability", logistic.probability(model, x)).fill_nan(None)


def _rows(features: pl.DataFrame, columns: tuple[str, ...], price: str) -> pl.DataFrame:
    symbol = "ticker" if "ticker" in features.columns else "symbol"
    missing = [n for n in (symbol, "bucket", price, *columns) if n not in features.columns]
    if missing or not columns:
        raise InputError(f"columns {', '.join(missing)}", met=features.columns, column=str(missing))
    if features["bucket"].dtype != pl.Datetime("ns", "UTC"):
        met = str(features["bucket"].dtype)
        raise InputError("values of type Datetime('ns', 'UTC')", met=met, column="bucket")
    rows = features.select(
        pl.col(symbol).cast(pl.String).alias("symbol"),
        "bucket",
        pl.col(price).cast(pl.Float64).alias("price"),
        *(pl.col(name).cast(pl.Float64).fill_null(np.nan) for name in columns),
    )
    if rows.select("symbol", "bucket").is_duplicated().any():
        raise InputError("one row a symbol and bucket", met="several", column="bucket")
    return rows.filter(pl.col("price").is_finite())
