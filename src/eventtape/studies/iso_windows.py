"""The windows of a day: sweeps, controls, and how far each symbol led the others.

From trades and quotes to the table :func:`eventtape.studies.iso_leadership.run` reads, one day at a
time. Sweeps are the trades flagged as intermarket sweep orders among all eligible ones. The score
is :func:`~eventtape.estimators.discovery.lead_asymmetry.lead_asymmetry` of log mids on a grid, the
group being all symbols of the frames; it uses nothing outside its window.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import SECOND, duration_ns
from eventtape.errors import InputError
from eventtape.estimators.discovery.lead_asymmetry import lead_asymmetry
from eventtape.frames.ticks import microstructure_features, nbbo_seconds
from eventtape.studies.iso_leadership_rows import IsoConfig

__all__ = ["iso_windows"]

_TIME = pl.Datetime("ns", "UTC")


def iso_windows(
    trades: pl.DataFrame,
    quotes: pl.DataFrame,
    *,
    session: tuple[int, int],
    config: IsoConfig | None = None,
    threads: int | None = None,
) -> pl.DataFrame:
    """One row a symbol and window: ``symbol, window, iso_share, score`` and the controls.

    ``window`` is the window's begin; ``session`` its day's open and close, ns UTC, a whole number
    of windows apart. ``score`` is null in a window where fewer than ``min_members`` symbols are
    quoted at both ends or where nothing moves. ``log_volatility`` is of the root mean square grid
    return; ``age_s`` the mean age of the book on the grid.
    """
    config = config or IsoConfig()
    every, grid = duration_ns(config.every), config.grid_s * SECOND
    begin, end = session
    if end <= begin or (end - begin) % every or every % grid:
        raise InputError("a session of whole windows of whole grid steps", met=session)
    features = microstructure_features(
        trades, quotes, every=config.every, session=session, threads=threads
    )
    books = nbbo_seconds(quotes, every=f"{config.grid_s}s", end_ns=end, threads=threads)
    names = features["ticker"].unique().sort().to_list()
    mid, age = _on_grid(books, names, begin, end, grid)
    steps = every // grid
    rows = []
    for w in range((end - begin) // every):
        span = slice(w * steps, (w + 1) * steps + 1)
        returns = np.diff(mid[span], axis=0)
        rows.append(
            pl.DataFrame(
                {
                    "symbol": names,
                    "window": begin + w * every,
                    "score": _scores(returns, config),
                    "log_volatility": _log_size(returns),
                    "age_s": _mean(age[span][1:]),
                }
            )
        )
    volume, spread = pl.col("total_volume"), pl.col("avg_rsprd")
    measured = features.select(
        symbol=pl.col("ticker"),
        window=pl.col("bucket").to_physical() - every,
        iso_share=pl.col("pct_trades_iso"),
        log_volume=pl.when(volume > 0.0).then(volume.log()),
        log_spread=pl.when(spread > 0.0).then(spread.log()),
    )
    return (
        measured.join(pl.concat(rows), on=["symbol", "window"], how="left")
        .with_columns(pl.col("window").cast(_TIME), pl.selectors.float().fill_nan(None))
        .sort("symbol", "window")
    )


def _on_grid(
    books: pl.DataFrame, names: list[str], begin: int, end: int, grid: int
) -> tuple[FloatArray, FloatArray]:
    """Log mid and age of the book ``(n, n_symbols)`` at begin, begin + grid ... end."""
    n = (end - begin) // grid + 1
    inside = books.filter(pl.col("ts").to_physical().is_between(begin, end))
    at = (inside["ts"].to_physical().to_numpy() - begin) // grid
    number = {name: i for i, name in enumerate(names)}
    column = inside["symbol"].cast(pl.String).replace_strict(number, return_dtype=pl.Int64)
    bid, ask = (inside[side].to_numpy() for side in ("bid", "ask"))
    whole = (bid > 0.0) & (ask >= bid)
    mid = np.where(whole, 0.5 * (bid + ask), 1.0)
    return (
        _matrix(at, column.to_numpy(), np.where(whole, np.log(mid), math.nan), (n, len(names))),
        _matrix(at, column.to_numpy(), inside["age_s"].to_numpy(), (n, len(names))),
    )


def _matrix(
    row: IntArray, column: IntArray, values: FloatArray, shape: tuple[int, int]
) -> FloatArray:
    out = np.full(shape, math.nan)
    out[row, column] = values
    return out


def _scores(returns: FloatArray, config: IsoConfig) -> FloatArray:
    quoted = np.isfinite(returns[[0, -1]]).all(axis=0)
    score = np.full(returns.shape[1], math.nan)
    if quoted.sum() >= config.min_members:
        lag = config.max_lag_s // config.grid_s
        score[quoted] = lead_asymmetry(returns[:, quoted], max_lag=lag)
    return score


def _log_size(returns: FloatArray) -> FloatArray:
    square = _mean(returns**2)
    out: FloatArray = np.where(
        square > 0.0, 0.5 * np.log(np.where(square > 0.0, square, 1.0)), math.nan
    )
    return out


def _mean(values: FloatArray) -> FloatArray:
    """Mean of each column over what was seen, NaN where nothing was."""
    seen = np.isfinite(values)
    count = seen.sum(axis=0)
    out: FloatArray = np.where(
        count > 0, np.where(seen, values, 0.0).sum(axis=0) / np.maximum(count, 1), math.nan
    )
    return out
