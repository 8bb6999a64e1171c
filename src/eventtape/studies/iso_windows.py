"""The windows of a day: sweeps, controls, and how far each symbol led the others.

From trades and quotes to the table :func:`eventtape.studies.iso_leadership.run` reads, one day at a
time. Sweeps are the trades flagged as intermarket sweep orders among all eligible ones. The score
is :func:`~eventtape.estimators.discovery.lead_asymmetry.lead_asymmetry` of log mids on a grid, the
group being all symbols of the day; it uses nothing outside its window.

A day of frames goes in whole (:func:`iso_windows`). A day of files is read some symbols at a time:
their features and books are small and are kept, and the windows made of all together
(:func:`day_windows`). Both are the same to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.discovery.lead_asymmetry import lead_asymmetry
from eventtape.frames.ticks import microstructure_features
from eventtape.studies.iso_books import BookGrid, Grid, IsoBooks, grid_of, seen_mean
from eventtape.studies.iso_leadership_rows import IsoConfig

__all__ = ["day_windows", "iso_windows"]

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
    grid = BookGrid(grid_of(session, config))
    features = microstructure_features(
        trades, quotes, every=config.every, session=session, threads=threads
    )
    grid.add(quotes)
    return day_windows(features, [grid.books()], session=session, config=config)


def day_windows(
    features: pl.DataFrame,
    books: Sequence[IsoBooks],
    *,
    session: tuple[int, int],
    config: IsoConfig | None = None,
) -> pl.DataFrame:
    """The rows of :func:`iso_windows` from a day's features and books, in parts by symbol.

    ``features``: those of every symbol and window, as ``microstructure_features`` gives them with
    the window's width and the session; ``books``: each symbol's in one of them.
    """
    config = config or IsoConfig()
    grid = grid_of(session, config)
    names = [name for part in books for name in part.names]
    if len({*names}) < len(names):
        raise InputError("each symbol's books once", met=sorted(names))
    order = np.argsort(names)
    named = pl.Series("symbol", names, dtype=pl.String).gather(order)
    rows = [_window(w, grid, books, order, named, config) for w in range(grid.windows)]
    volume, spread = pl.col("total_volume"), pl.col("avg_rsprd")
    measured = features.select(
        symbol=pl.col("ticker"),
        window=pl.col("bucket").to_physical() - grid.steps * grid.step_ns,
        iso_share=pl.col("pct_trades_iso"),
        log_volume=pl.when(volume > 0.0).then(volume.log()),
        log_spread=pl.when(spread > 0.0).then(spread.log()),
    )
    return (
        measured.join(pl.concat(rows), on=["symbol", "window"], how="left")
        .with_columns(pl.col("window").cast(_TIME), pl.selectors.float().fill_nan(None))
        .sort("symbol", "window")
    )


def _window(
    w: int,
    grid: Grid,
    books: Sequence[IsoBooks],
    order: IntArray,
    named: pl.Series,
    config: IsoConfig,
) -> pl.DataFrame:
    """What the books say of one window, symbols in the order of their names."""
    points = grid.steps + 1
    log_mid = np.concatenate(
        [np.empty((0, points)), *(part.log_mid[:, grid.span(w)] for part in books)]
    )
    age = np.concatenate([np.empty(0), *(part.age_s[:, w] for part in books)])
    returns = np.diff(log_mid[order], axis=1)
    table = {
        "score": _scores(returns, config),
        "log_volatility": _log_size(returns),
        "age_s": age[order],
    }
    begin = pl.lit(grid.begin_ns + w * grid.steps * grid.step_ns)
    return pl.DataFrame({"symbol": named, **table}).with_columns(begin.alias("window"))


def _scores(returns: FloatArray, config: IsoConfig) -> FloatArray:
    quoted = np.isfinite(returns[:, [0, -1]]).all(axis=1)
    score = np.full(quoted.size, math.nan)
    if quoted.sum() >= config.min_members:
        lag = config.max_lag_s // config.grid_s
        score[quoted] = lead_asymmetry(returns[quoted].T, max_lag=lag)
    return score


def _log_size(returns: FloatArray) -> FloatArray:
    square = seen_mean(returns**2)
    out: FloatArray = np.where(
        square > 0.0, 0.5 * np.log(np.where(square > 0.0, square, 1.0)), math.nan
    )
    return out
