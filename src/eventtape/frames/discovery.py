"""Who moves first, on data frames: pairs of prices, at several steps, and ticks as they came.

All but :func:`lead_lag_table` take a wide frame, ``ts`` and one column a series
(:mod:`.price_panel`), or a panel made of one. What the data cannot tell is null, with a ``status``
for programs and a ``reason`` for people; an interval that ends at infinity is one without end.
Shares are of the ``first`` of a pair. Units: log return, seconds, shares of one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray, IntArray, Status
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.estimators.discovery.false_discovery import adjusted
from eventtape.estimators.discovery.lead_lag import lead_lag
from eventtape.estimators.discovery.pairs import pair_discovery
from eventtape.estimators.discovery.refusals import status_of
from eventtape.estimators.discovery.resolution import resolution
from eventtape.frames.price_panel import (
    MAX_GAP_S,
    PricePanel,
    Prices,
    as_panel,
    tidy,
)
from eventtape.frames.price_steps import MOST_OFF_STEP

__all__ = ["lead_lag_table", "pair_table", "resolution_table"]

_PAIR_NUMBERS = (
    "pils",
    "pils_lower",
    "pils_upper",
    "is_first",
    "is_last",
    "is_lower",
    "is_upper",
    "component",
    "component_lower",
    "component_upper",
    "pds",
    "pds_lower",
    "pds_upper",
    "beta",
    "width",
    "correlation",
    "p_none",
    "p_stationary",
    "p_alone",
    "q_relation",
    "p_equal",
    "q_equal",
)


def pair_table(
    prices: Prices,
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    lags: int | None = None,
    calendar: str | None = None,
    max_gap_s: float = MAX_GAP_S,
    level: float = 0.95,
    false_discovery: float = 0.01,
    n_draws: int = 999,
    seed: int = 0,
    rows_per_regressor: float = 10.0,
) -> pl.DataFrame:
    """Leadership of every pair of columns, or of those named: one row a pair.

    ``first``, ``second``: the columns; ``leader``: one of them, or null.
    ``pils``, ``component``, ``pds`` (price discovery share) of the first, each with ``_lower`` and
    ``_upper``; ``is_first``, ``is_last``: its information share first and last in order, with
    ``is_lower``, ``is_upper`` of their middle, and ``width``, the distance of the two.
    ``beta``: first - beta second is the relation, in logs; ``correlation`` of the residuals.
    ``p_none`` of no relation, ``p_stationary`` of one unit root left (small: both are stationary),
    ``p_alone`` of one series alone being the relation, ``p_equal`` of equal speeds;
    ``q_relation`` (of the larger of p_none and p_alone) and ``q_equal``: adjusted over the pairs.
    ``false_discovery`` is the bound of ``q_relation``, ``1 - level`` that of ``q_equal``.
    ``lags``, ``n_rows``, ``status``, ``reason``.

    A row with a hole in any column is of no pair. See :mod:`eventtape.estimators.discovery.pairs`.
    """
    panel = as_panel(prices, calendar=calendar, max_gap_s=max_gap_s)
    asked = None if pairs is None else _columns(panel, pairs)
    found = pair_discovery(
        panel.levels,
        lags,
        sessions=panel.sessions,
        pairs=asked,
        level=level,
        false_discovery=false_discovery,
        n_draws=n_draws,
        seed=seed,
        rows_per_regressor=rows_per_regressor,
    )
    names = np.array(panel.names, dtype=object)
    columns: dict[str, Any] = {
        "first": names[found.first],
        "second": names[found.second],
        "leader": [None if i < 0 else panel.names[i] for i in found.leader],
    }
    columns |= {name: getattr(found, name) for name in _PAIR_NUMBERS}
    columns |= {
        "lags": np.full(found.first.size, found.lags),
        "n_rows": np.full(found.first.size, found.n_rows),
        "status": [str(status_of(why)) for why in found.reason],
        "reason": [str(why) for why in found.reason],
    }
    return tidy(columns)


def resolution_table(
    prices: Prices,
    multiples: Sequence[int] = (1, 5, 60),
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    lags: int | None = None,
    calendar: str | None = None,
    max_gap_s: float = MAX_GAP_S,
    level: float = 0.95,
    false_discovery: float = 0.01,
    n_draws: int = 999,
    seed: int = 0,
    rows_per_regressor: float = 10.0,
) -> pl.DataFrame:
    """The same pairs at coarser and coarser sampling: one row a step and pair.

    ``step_s, first, second, leader, pils, pils_lower, pils_upper, width`` (of the information share
    bounds), ``correlation, n_rows, status, reason, verdict, holds_to_s`` (the coarsest step up to
    which each names the same). See :mod:`eventtape.estimators.discovery.resolution`. An error where
    more than a tenth of the rows are no whole steps apart: multiples of a step mean nothing there.
    """
    panel = as_panel(prices, calendar=calendar, max_gap_s=max_gap_s)
    if panel.off_step > MOST_OFF_STEP:
        wanted = f"rows a step apart in at least {1.0 - MOST_OFF_STEP:.0%}"
        raise InputError(wanted, met=f"{panel.off_step:.0%} off the step", column="ts")
    found = resolution(
        panel.levels,
        panel.step_s,
        multiples,
        lags,
        sessions=panel.sessions,
        pairs=None if pairs is None else _columns(panel, pairs),
        level=level,
        false_discovery=false_discovery,
        n_draws=n_draws,
        seed=seed,
        rows_per_regressor=rows_per_regressor,
    )
    steps, m = found.leader.shape
    names = np.array(panel.names, dtype=object)
    reasons = [why for step in found.reason for why in step]
    return tidy(
        {
            "step_s": np.repeat(found.step_s, m),
            "first": np.tile(names[found.first], steps),
            "second": np.tile(names[found.second], steps),
            "leader": [None if i < 0 else panel.names[i] for i in found.leader.ravel()],
            "pils": found.pils.ravel(),
            "pils_lower": found.pils_lower.ravel(),
            "pils_upper": found.pils_upper.ravel(),
            "width": found.width.ravel(),
            "correlation": found.correlation.ravel(),
            "n_rows": np.repeat(found.n_rows, m),
            "status": [str(status_of(why)) for why in reasons],
            "reason": [str(why) for why in reasons],
            "verdict": [str(said) for step in found.verdict for said in step],
            "holds_to_s": np.tile(found.holds_to_s, steps),
        }
    )


def lead_lag_table(
    ticks: pl.DataFrame,
    *,
    reach_s: float = 10.0,
    step_s: float = 0.1,
    stamp_s: float | None = None,
    level: float = 0.95,
    n_draws: int = 499,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> pl.DataFrame:
    """By how much each symbol's ticks lead each other's: one row a pair, from ticks as they came.

    ``ticks`` is long: ``symbol, ts, price`` with rising times within a symbol. ``first, second,
    leader, lag_s`` (positive: the first leads), ``lower, upper, ratio, p_value, q_value, n_first,
    n_second, status, stamp_s``. ``leader`` where the q-value of a link, over all pairs, is at most
    ``1 - level`` and the whole interval lies further from 0 than ``stamp_s``, by how much two
    stamps may be wrong against each other. By default that is the grid the stamps stand on, the
    coarser of the two: a minute for minute bars, a second for whole seconds. Clocks that disagree
    by more want it said. See :mod:`eventtape.estimators.discovery.lead_lag`.
    """
    if not 0.0 < step_s <= reach_s:
        raise InputError("0 < step_s <= reach_s", met=(step_s, reach_s))
    if stamp_s is not None and not 0.0 <= stamp_s < np.inf:
        raise InputError("stamp_s >= 0 seconds", met=stamp_s)
    series = _tick_series(ticks)
    grid = {name: _grid_s(t) for name, (t, _) in series.items()}
    side = np.arange(1, round(reach_s / step_s) + 1) * step_s * SECOND
    lags = np.asarray(np.round([*-side[::-1], 0.0, *side]), np.int64)
    pairs = list(itertools.combinations(series, 2))
    found = []
    for at, (a, b) in enumerate(pairs):
        if progress is not None:
            progress(f"{a}, {b}", at, len(pairs))
        found.append(
            lead_lag(*series[a], *series[b], lags, level=level, n_draws=n_draws, seed=seed)
        )
    q = adjusted(np.array([f.p_value for f in found]))
    leader: list[str | None] = []
    stamps = [max(grid[a], grid[b]) if stamp_s is None else stamp_s for a, b in pairs]
    for (a, b), f, linked, near in zip(pairs, found, q <= 1.0 - level, stamps, strict=True):
        told = f.status is Status.OK and linked
        leader.append(a if told and f.lower > near else b if told and f.upper < -near else None)
    return tidy(
        {
            "first": [a for a, _ in pairs],
            "second": [b for _, b in pairs],
            "leader": leader,
            "lag_s": np.array([f.lag_s for f in found]),
            "lower": np.array([f.lower for f in found]),
            "upper": np.array([f.upper for f in found]),
            "ratio": np.array([f.ratio for f in found]),
            "p_value": np.array([f.p_value for f in found]),
            "q_value": q,
            "n_first": [series[a][0].size for a, _ in pairs],
            "n_second": [series[b][0].size for _, b in pairs],
            "status": [str(f.status) for f in found],
            "stamp_s": np.array(stamps, np.float64),
        }
    )


def _grid_s(t: IntArray) -> float:
    """Seconds between the marks that all of these times stand on, counted from the first."""
    return float(np.gcd.reduce(np.diff(t))) / SECOND if t.size > 1 else 0.0


def _columns(panel: PricePanel, pairs: Sequence[tuple[str, str]]) -> IntArray:
    """Columns of each pair of names ``(m, 2)``."""
    for pair in pairs:
        for name in pair:
            if name not in panel.names:
                raise InputError(f"a pair of columns among {', '.join(panel.names)}", met=pair)
    return np.array([[panel.names.index(name) for name in pair] for pair in pairs], np.int64)


def _tick_series(ticks: pl.DataFrame) -> dict[str, tuple[IntArray, FloatArray]]:
    """Times and log prices of each symbol, in the order met."""
    for name in ("symbol", "ts", "price"):
        if name not in ticks.columns:
            raise InputError(f"a column '{name}'", met=", ".join(ticks.columns), column=name)
    if ticks["ts"].dtype.base_type() is not pl.Datetime or ticks["ts"].dtype.time_zone != "UTC":  # type: ignore[attr-defined]
        raise InputError("times in UTC", met=str(ticks["ts"].dtype), column="ts")
    if not ticks["price"].dtype.is_numeric():
        raise InputError("a column of numbers", met=str(ticks["price"].dtype), column="price")
    price = ticks["price"].cast(pl.Float64)
    wrong = (~((price > 0.0) & price.is_finite()).fill_null(value=False)).arg_true()
    if len(wrong):
        at = int(wrong[0])
        raise InputError("a finite price above 0", met=price[at], row=at + 1, column="price")
    rows = ticks.with_row_index("row").with_columns(
        pl.col("ts").cast(pl.Datetime("ns", "UTC")).to_physical()
    )
    late = rows.filter(
        (pl.col("ts") <= pl.col("ts").shift(1).over("symbol")).fill_null(value=False)
    )
    if late.height:
        at = int(late["row"][0])
        raise InputError(
            "rising times of one symbol", met=str(ticks["ts"][at]), row=at + 1, column="ts"
        )
    return {
        str(name): (part["ts"].to_numpy(), np.log(part["price"].cast(pl.Float64).to_numpy()))
        for (name,), part in rows.group_by("symbol", maintain_order=True)
    }
