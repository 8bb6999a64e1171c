"""Shared trends of prices, and speeds for the probability's news: who is there first?

Each pair is asked as stamped and with either feed late (:mod:`.leadership_columns`); a leader is
the same in all three, and intervals span them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from eventtape.arrays import FloatArray, IntArray, Status
from eventtape.estimators.discovery.false_discovery import adjusted
from eventtape.estimators.discovery.pairs import Pairs, pair_discovery
from eventtape.estimators.discovery.panel_speeds import Speeds, panel_speeds
from eventtape.estimators.discovery.refusals import Reason, status_of
from eventtape.studies.diffusion_rows import Config
from eventtape.studies.leadership_columns import HIDDEN, Column, blank, held_pairs, reach, refused
from eventtape.studies.leadership_rows import Edge

__all__ = ["speed_edges", "trend_edges"]

_LEAST_ROWS = 3


def trend_edges(columns: Sequence[Column], step_s: float, config: Config, draws: int) -> list[Edge]:
    """Every pair of prices: who moves first to the trend they share, if they share one."""
    prices = [c for c in columns if not c.is_probability]
    kept = [c for c in prices if not c.why]
    n = len(kept)
    out = []
    if n > 1 and kept[0].plain.size >= _LEAST_ROWS:
        at = np.array(list(itertools.combinations(range(n), 2)))
        turned = np.column_stack([at[:, 1], at[:, 0] + n])  # second as stamped, first late
        asked = np.vstack([at, at + np.array([0, n]), turned])
        panel = np.column_stack([*(c.plain for c in kept), *(c.late for c in kept)])
        found = pair_discovery(
            panel, pairs=asked, level=config.level, n_draws=draws, seed=config.seed
        )
        out = [_trend(found, k, kept, at, step_s) for k in range(at.shape[0])]
    return out + [
        edge for a, b in held_pairs(prices) for edge in refused("shared trend", step_s, a, b)
    ]


def _trend(found: Pairs, k: int, kept: Sequence[Column], at: IntArray, step_s: float) -> Edge:
    """One pair as stamped, and with either price late: rows k, m + k and 2 m + k."""
    n, m = len(kept), at.shape[0]
    rows = [k, m + k, 2 * m + k]
    first, second = (kept[int(i)].label for i in at[k])
    leaders = {int(found.leader[r]) % n if found.leader[r] >= 0 else -1 for r in rows}
    why = str(found.reason[k])
    if not why and len(leaders) > 1:
        why = HIDDEN
    status = status_of(found.reason[k]) if why != HIDDEN else Status.NOT_RESOLVED
    value = float(found.pils[k])
    lower, upper = np.array(found.pils_lower)[rows], np.array(found.pils_upper)[rows]
    lower[2], upper[2] = 1.0 - upper[2], 1.0 - lower[2]  # there the second is named first
    low, high = float(np.fmin.reduce(lower)), float(np.fmax.reduce(upper))
    leader = follower = None
    if not why:
        won = leaders.pop()
        leader, follower = kept[won].label, first if kept[won].label == second else second
        if leader == second:
            value, low, high = 1.0 - value, 1.0 - high, 1.0 - low
    else:
        value = math.nan
    p, q = (float(np.fmax.reduce(v[rows])) for v in (found.p_equal, found.q_equal))
    if found.reason[k] not in (Reason.NONE, Reason.EQUAL):
        low = high = p = q = math.nan  # shares of a trend that was not found
    return Edge(
        "shared trend",
        step_s,
        first,
        second,
        leader,
        follower,
        value,
        low,
        high,
        p,
        q,
        found.n_rows,
        status,
        why,
    )


def speed_edges(columns: Sequence[Column], step_s: float, config: Config, draws: int) -> list[Edge]:
    """Each market against the first column, the probability: who takes in its news first?"""
    news, *markets = columns
    if news.why:
        return [edge for c in markets for edge in refused("speed", step_s, news, c)]
    kept = [c for c in markets if not c.why]
    out: list[Edge] = []
    lags = reach(step_s, config)
    if kept and news.plain.size > 10 * (1 + 2 * lags):
        as_stamped = np.column_stack([c.plain for c in kept])
        markets_late = np.column_stack([c.late for c in kept])
        runs = [
            panel_speeds(y, g[:, None], lags, level=config.level, n_draws=draws, seed=config.seed)
            for y, g in (
                (as_stamped, news.plain),
                (markets_late, news.plain),
                (as_stamped, news.late),
            )
        ]
        out = _speeds(runs, news, kept, step_s, config)
    elif kept:
        few = Reason.FEW_ROWS
        out = [blank("speed", step_s, news.label, c.label, status_of(few), str(few)) for c in kept]
    return out + [edge for c in markets if c.why for edge in refused("speed", step_s, news, c)]


def _speeds(
    runs: list[Speeds], news: Column, kept: Sequence[Column], step_s: float, config: Config
) -> list[Edge]:
    def of(name: str) -> FloatArray:
        return np.stack([getattr(run, name)[:, 0] for run in runs])

    lead, low, high = of("lead"), of("lead_lower").min(axis=0), of("lead_upper").max(axis=0)
    p = of("lead_p").max(axis=0)
    q, as_stamped = adjusted(p), adjusted(runs[0].lead_p[:, 0])
    out = []
    for i, market in enumerate(kept):
        reasons = [run.reasons[i, 0] for run in runs]
        reason = next((r for r in reasons if r is not Reason.NONE), Reason.NONE)
        why, status = str(reason), status_of(reason)
        if not why and not (q[i] <= 1.0 - config.level and not low[i] <= 0.0 <= high[i]):
            hidden = as_stamped[i] <= 1.0 - config.level
            tie = Reason.EQUAL if low[i] <= 0.0 <= high[i] else Reason.APART
            why, status = HIDDEN if hidden else str(tie), Status.NOT_RESOLVED
        pair = (market.label, news.label)
        leader, follower = (None, None) if why else pair if lead[0, i] > 0.0 else pair[::-1]
        out.append(
            Edge(
                "speed",
                step_s,
                news.label,
                market.label,
                leader,
                follower,
                float(lead[0, i]) if not reason else math.nan,
                _finite(low[i]) if not reason else math.nan,
                _finite(high[i]) if not reason else math.nan,
                float(p[i]) if not reason else math.nan,
                float(q[i]) if not reason else math.nan,
                int(runs[0].n_rows[i]),
                status,
                why,
            )
        )
    return out


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else math.nan
