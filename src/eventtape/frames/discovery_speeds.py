"""Speeds for permanent shocks of a market or of the odds, on data frames: assets, groups, regimes.

Frames as in :mod:`eventtape.frames.discovery`. Speed 1 is at once, under 1 late; a lead is a speed
less that of the factor itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.estimators.discovery.false_discovery import adjusted
from eventtape.estimators.discovery.group_speeds import group_speeds
from eventtape.estimators.discovery.panel_speeds import Differences, panel_speeds
from eventtape.estimators.discovery.refusals import Reason
from eventtape.frames.price_panel import MAX_GAP_S, PricePanel, Prices, as_panel, tidy

__all__ = ["GroupTables", "group_table", "regimes_of", "speed_table"]


class GroupTables(NamedTuple):
    """Speeds of groups by regime and factor, and their differences, first less second."""

    speeds: pl.DataFrame
    between_groups: pl.DataFrame
    between_regimes: pl.DataFrame


def speed_table(
    prices: Prices,
    factors: Sequence[str],
    *,
    probabilities: Iterable[str] = (),
    lags: int = 4,
    calendar: str | None = None,
    max_gap_s: float = MAX_GAP_S,
    level: float = 0.95,
    n_draws: int = 999,
    seed: int = 0,
    rows_per_regressor: float = 10.0,
) -> pl.DataFrame:
    """Speed of every other column for permanent shocks of each factor: one row an asset and factor.

    ``factors`` are columns, those among ``probabilities`` in probits. ``name, factor, speed, lower,
    upper, order_low, order_high, long_run, long_run_se, factor_speed, lead, lead_lower,
    lead_upper, lead_p, lead_q, leader, n_rows, status, reason``. ``lead`` is the speed less the
    factor's own; ``leader`` is named where ``lead_q``, adjusted over assets and factors, is at most
    ``1 - level`` and the interval leaves what standing still would make: a price that trades in
    half of the rows is half as fast for that alone. Probabilities are no assets. See
    :mod:`eventtape.estimators.discovery.panel_speeds`.
    """
    panel = as_panel(prices, probabilities=probabilities, calendar=calendar, max_gap_s=max_gap_s)
    assets = _assets(panel, factors)
    levels, _ = panel.take([*assets, *factors]).broken()
    n = len(assets)
    found = panel_speeds(
        levels[:, :n],
        levels[:, n:],
        lags,
        level=level,
        n_draws=n_draws,
        seed=seed,
        rows_per_regressor=rows_per_regressor,
    )
    q = adjusted(found.lead_p)
    moving = _moving(levels)
    band = (moving[:n, None] / moving[n:] - 1.0) * found.factor_speed
    ahead = (q <= 1.0 - level) & (found.lead_lower > np.maximum(band, 0.0))
    behind = (q <= 1.0 - level) & (found.lead_upper < np.minimum(band, 0.0))
    leader = [
        assets[i] if ahead[i, k] else factor if behind[i, k] else None
        for i in range(n)
        for k, factor in enumerate(factors)
    ]
    apart = ((found.lead_lower > 0.0) | (found.lead_upper < 0.0)).ravel()
    unnamed = [Reason.APART if far else Reason.EQUAL for far in apart]
    reasons = [
        tie if why is Reason.NONE and who is None else why
        for why, who, tie in zip(found.reasons.ravel().tolist(), leader, unnamed, strict=True)
    ]
    k = len(factors)
    return tidy(
        {
            "name": np.repeat(np.array(assets, dtype=object), k),
            "factor": np.tile(np.array(factors, dtype=object), n),
            "speed": found.speed.ravel(),
            "lower": found.lower.ravel(),
            "upper": found.upper.ravel(),
            "order_low": found.order_low.ravel(),
            "order_high": found.order_high.ravel(),
            "long_run": found.long_run.ravel(),
            "long_run_se": found.long_run_se.ravel(),
            "factor_speed": found.factor_speed.ravel(),
            "lead": found.lead.ravel(),
            "lead_lower": found.lead_lower.ravel(),
            "lead_upper": found.lead_upper.ravel(),
            "lead_p": found.lead_p.ravel(),
            "lead_q": q.ravel(),
            "leader": leader,
            "n_rows": np.repeat(found.n_rows, k),
            "status": [str(status) for status in found.statuses.ravel()],
            "reason": [str(why) for why in reasons],
        }
    )


def group_table(
    prices: Prices,
    factors: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    *,
    probabilities: Iterable[str] = (),
    regimes: Sequence[str | None] | None = None,
    lags: int = 4,
    calendar: str | None = None,
    max_gap_s: float = MAX_GAP_S,
    level: float = 0.95,
    n_draws: int = 999,
    seed: int = 0,
    rows_per_regressor: float = 10.0,
) -> GroupTables:
    """Speed of each group of columns in each regime, and all differences, as three tables.

    ``regimes`` has a label a row of the panel, None where it belongs to none (:func:`regimes_of`
    cuts a probability). A factor in a group is left out of it: nothing leads itself. A name may
    stand in one group. See :mod:`eventtape.estimators.discovery.group_speeds`.
    """
    panel = as_panel(prices, probabilities=probabilities, calendar=calendar, max_gap_s=max_gap_s)
    group = _group_of(panel, groups, factors)
    assets = [name for name in _assets(panel, factors) if name in group]
    levels, rows = panel.take([*assets, *factors]).broken()
    n = len(assets)
    label = None
    if regimes is not None:
        if len(regimes) != panel.ts.size:
            raise InputError(f"a regime for each of {panel.ts.size} rows", met=len(regimes))
        label = np.array([None if at < 0 else regimes[at] for at in rows], dtype=object)
    found = group_speeds(
        levels[:, :n],
        levels[:, n:],
        [group[name] for name in assets],
        label,
        lags,
        level=level,
        n_draws=n_draws,
        seed=seed,
        rows_per_regressor=rows_per_regressor,
    )
    g, r = [str(x) for x in found.groups], [str(x) for x in found.regimes]
    names = list(itertools.product(g, r, factors))
    speeds = {
        "group": [a for a, _, _ in names],
        "regime": [b for _, b, _ in names],
        "factor": [c for _, _, c in names],
        **{
            name: getattr(found, name).ravel()
            for name in (
                "speed",
                "lower",
                "upper",
                "lead",
                "lead_lower",
                "lead_upper",
                "lead_p",
            )
        },
        "n_members": np.repeat(found.n_members.ravel(), len(factors)),
        "n_rows": np.repeat(found.n_rows.ravel(), len(factors)),
        "status": [str(status) for status in found.statuses.ravel()],
        "reason": [str(why) for why in found.reasons.ravel()],
    }
    return GroupTables(
        tidy(speeds),
        _differences(found.between_groups, g, r, factors, ("group", "regime"), level),
        _differences(found.between_regimes, r, g, factors, ("regime", "group"), level),
    )


def regimes_of(probability: FloatArray, edges: Sequence[float]) -> list[str | None]:
    """The regime of each row: which of the ranges between ``edges`` its probability is in.

    None where it was not seen. A probability on an edge belongs to the range above it.

    >>> regimes_of(np.array([0.2, 0.6, np.nan]), (0.6,))
    ['p 0.00 to 0.60', 'p 0.60 to 1.00', None]
    """
    cuts = [0.0, *edges, 1.0]
    if any(b <= a for a, b in itertools.pairwise(cuts)):
        raise InputError("rising edges between 0 and 1", met=list(edges))
    names = [f"p {a:.2f} to {b:.2f}" for a, b in itertools.pairwise(cuts)]
    at = np.searchsorted(np.array(cuts[1:-1]), probability, side="right")
    return [
        names[i] if seen else None for i, seen in zip(at, np.isfinite(probability), strict=True)
    ]


def _differences(
    found: Differences,
    over: Sequence[str],
    held: Sequence[str],
    factors: Sequence[str],
    names: tuple[str, str],
    level: float,
) -> pl.DataFrame:
    """Each pair of ``over`` once, at each of ``held`` and each factor."""
    rows = []
    for i, j in itertools.combinations(range(len(over)), 2):
        for b, k in itertools.product(range(len(held)), range(len(factors))):
            at = (i, j, b, k)
            q = float(found.adjusted[at])
            rows.append(
                {
                    "first": over[i],
                    "second": over[j],
                    names[1]: held[b],
                    "factor": factors[k],
                    "difference": float(found.difference[at]),
                    "lower": float(found.lower[at]),
                    "upper": float(found.upper[at]),
                    "p_value": float(found.p_value[at]),
                    "q_value": q,
                    "found": q <= 1.0 - level,
                }
            )
    text = dict.fromkeys(("first", "second", names[1], "factor"), pl.String)
    floats = dict.fromkeys(("difference", "lower", "upper", "p_value", "q_value"), pl.Float64)
    frame = pl.DataFrame(rows, schema={**text, **floats, "found": pl.Boolean}, orient="row")
    return frame.with_columns(pl.col(list(floats)).fill_nan(None))


def _assets(panel: PricePanel, factors: Sequence[str]) -> list[str]:
    """The columns that are neither factors nor probabilities."""
    for name in factors:
        panel.column(name)
    assets = [n for n in panel.names if n not in factors and n not in panel.probabilities]
    if not assets:
        raise InputError("a column that is neither factor nor probability", met=panel.names)
    return assets


def _group_of(
    panel: PricePanel, groups: Mapping[str, Sequence[str]], factors: Sequence[str]
) -> dict[str, str]:
    """The group of each name that has one; factors have none."""
    out: dict[str, str] = {}
    for group, members in groups.items():
        for name in members:
            if name not in panel.names or name in panel.probabilities:
                raise InputError(f"members of '{group}' among the prices", met=name)
            if name in out:
                wanted = f"each name in one group, '{out[name]}' or '{group}'"
                raise InputError(wanted, met=name)
            if name not in factors:
                out[name] = group
    if not out:
        raise InputError("a group with a member that is not a factor", met=sorted(groups))
    return out


def _moving(levels: FloatArray) -> FloatArray:
    """Share of each series' differences that are not zero, ``(n,)``."""
    d = np.diff(levels, axis=0)
    seen = np.isfinite(d)
    return np.asarray(np.sum(seen & (d != 0.0), axis=0) / np.maximum(seen.sum(axis=0), 1))
