"""What binds a panel together, on data frames: spillovers, forecasts, shared combinations.

Returns are those inside sessions from one row to the next where all series have both, one after the
other: none spans a hole, but a lag after an open or a hole reaches to what was before it. Frames as
in :mod:`eventtape.frames.discovery`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import Status
from eventtape.estimators.discovery.connectedness import connectedness
from eventtape.estimators.discovery.granger import granger
from eventtape.estimators.discovery.panel_rank import panel_rank
from eventtape.frames.price_panel import MAX_GAP_S, Prices, as_panel, tidy

__all__ = ["Spillovers", "connectedness_table", "granger_table", "rank_table"]


class Spillovers(NamedTuple):
    """Each series' balance of forecast variance, and the share of each from each."""

    series: pl.DataFrame
    table: pl.DataFrame


def connectedness_table(
    prices: Prices,
    *,
    lags: int = 1,
    horizon: int = 10,
    calendar: str | None = None,
    max_gap_s: float = MAX_GAP_S,
    level: float = 0.95,
    n_draws: int = 199,
    seed: int = 0,
    rows_per_regressor: float = 10.0,
) -> Spillovers:
    """What each series gives to and takes from the others, and the table behind it.

    ``series``: ``name, to, from, net, net_lower, net_upper, total, total_corrected,
    total_lower, total_upper, n_rows, status, reason``. ``table``: ``name, source, share``, the part
    of the variance of ``name`` from shocks to ``source``. See
    :mod:`eventtape.estimators.discovery.connectedness`.
    """
    panel = as_panel(prices, calendar=calendar, max_gap_s=max_gap_s)
    found = connectedness(
        panel.returns(),
        lags,
        horizon,
        level=level,
        n_draws=n_draws,
        seed=seed,
        rows_per_regressor=rows_per_regressor,
    )
    n = len(panel.names)
    series = {
        "name": list(panel.names),
        "to": found.to,
        "from": found.from_,
        "net": found.net,
        "net_lower": found.net_lower,
        "net_upper": found.net_upper,
        **{
            name: np.full(n, getattr(found, name))
            for name in ("total", "total_corrected", "total_lower", "total_upper", "n_rows")
        },
        "status": [str(found.status)] * n,
        "reason": [str(found.reason)] * n,
    }
    names = np.array(panel.names, dtype=object)
    table = {
        "name": np.repeat(names, n),
        "source": np.tile(names, n),
        "share": found.table.ravel(),
    }
    return Spillovers(tidy(series), tidy(table))


def granger_table(
    prices: Prices,
    *,
    lags: int = 1,
    calendar: str | None = None,
    max_gap_s: float = MAX_GAP_S,
    level: float = 0.95,
    rows_per_regressor: float = 10.0,
) -> pl.DataFrame:
    """Whose past returns help to forecast whose next: one row an ordered pair.

    ``cause, effect, statistic, p_value, q_value, found, n_rows, status, reason``; ``found`` where
    the q-value, over all ordered pairs, is at most ``1 - level``. See
    :mod:`eventtape.estimators.discovery.granger`.
    """
    panel = as_panel(prices, calendar=calendar, max_gap_s=max_gap_s)
    found = granger(panel.returns(), lags, rows_per_regressor=rows_per_regressor)
    apart = ~np.eye(len(panel.names), dtype=np.bool_)
    i, j = np.nonzero(apart)
    q = found.q_value[apart]
    made = np.isfinite(found.p_value[apart])
    names = np.array(panel.names, dtype=object)
    return tidy(
        {
            "cause": names[i],
            "effect": names[j],
            "statistic": found.statistic[apart],
            "p_value": found.p_value[apart],
            "q_value": q,
            "found": q <= 1.0 - level,
            "n_rows": np.full(i.size, found.n_rows),
            "status": np.where(made, str(Status.OK), str(found.status)),
            "reason": np.where(made, "", str(found.reason)),
        }
    )


def rank_table(
    prices: Prices,
    *,
    lags: int = 2,
    calendar: str | None = None,
    max_gap_s: float = MAX_GAP_S,
    level: float = 0.95,
    n_draws: int = 199,
    seed: int = 0,
) -> pl.DataFrame:
    """Do the series share any stationary combination? One row.

    ``series, lags, statistic, critical, p_value, cointegrated, n_rows, status, reason``. Levels are
    the cumulated returns inside sessions. See :mod:`eventtape.estimators.discovery.panel_rank`.
    """
    panel = as_panel(prices, calendar=calendar, max_gap_s=max_gap_s)
    moves = panel.returns()
    levels = np.vstack([np.zeros(len(panel.names)), np.cumsum(moves, axis=0)])
    found = panel_rank(levels, lags, level=level, n_draws=n_draws, seed=seed)
    return tidy(
        {
            "series": [len(panel.names)],
            "lags": [lags],
            "statistic": found.statistic,
            "critical": found.critical,
            "p_value": found.p_value,
            "cointegrated": [found.cointegrated],
            "n_rows": [found.n_rows],
            "status": [str(found.status)],
            "reason": [str(found.reason)],
        }
    )
