r"""Who leads whom among the feeds of an event, by four methods, each with its own refusals.

The feeds are read on a grid of one step. A value read at t was stamped at or before t, is as old as
the feed's last record, and happened up to the stamp's uncertainty before its stamp: the fresher of
two feeds always seems to lead. Every comparison is therefore made three times: as stamped, and with
the one feed, then the other, read later by its stamp uncertainty plus the age that 95% of its rows
stay under, so that what is read at t surely happened after t. A leader is named only where all
agree, and an interval spans all three. A feed whose doubt is as long as the step is not resolved.

A probability and a price share no trend that cointegration could estimate (one ends at 0 or 1):
that pair is asked by lead-lag, prediction (Granger) and speed only. All p-values of one method at
one step are adjusted for how many there are (Benjamini and Hochberg 1995).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray, IntArray, Status
from eventtape.clock import SECOND
from eventtape.estimators.discovery.false_discovery import adjusted
from eventtape.estimators.discovery.granger import granger
from eventtape.estimators.discovery.martingale import probit
from eventtape.estimators.discovery.pairs import Pairs, pair_discovery
from eventtape.estimators.discovery.panel_speeds import Speeds, panel_speeds
from eventtape.estimators.discovery.refusals import Reason, status_of
from eventtape.studies.diffusion_rows import Config, LeadLagRow, second_behind_first
from eventtape.studies.leadership_rows import Edge, Method
from eventtape.tape import Feed
from eventtape.tape.sampling import as_of, levels

__all__ = [
    "FEW_TICKS",
    "Column",
    "column",
    "granger_edges",
    "lag_reason",
    "lead_lag_edges",
    "longest_run",
    "reach",
    "smallest_tick",
    "speed_edges",
    "trend_edges",
]

BY_CHANCE = "a link that chance alone would find among so many"
HIDDEN = "within what the stamps may hide"
NO_HELP = "no help to the forecast"
MUTUAL = "each helps to forecast the other"
FEW_TICKS = "fewer than 30 increments"
_LAG_REASONS = {
    Status.NOT_IDENTIFIED: "no link at any lag",
    Status.NOT_RESOLVED: "interval holds zero, or the lag is within the stamps",
    Status.NO_CONVERGENCE: "the lag may lie beyond those searched",
    Status.TOO_FEW: FEW_TICKS,
}
_OLD = 0.95  # of a feed's rows are younger than the age it is read later by
_LEAST_ROWS = 3
_STILL = 0.5  # part of the rows in which a series may stand still


class Column(NamedTuple):
    """One feed on a grid; ``why`` says what keeps it from being asked, empty where nothing does."""

    label: str
    is_probability: bool
    plain: FloatArray  # (T,) log price, or probit of the probability
    late: FloatArray  # (T,) read so much later that all of it happened after the row's time
    status: Status
    why: str


class _Asked(NamedTuple):
    """One ordered Granger test: p as stamped, and p with the effect read late."""

    first: str
    second: str
    plain: float
    safe: float
    n_rows: int
    reason: Reason


def smallest_tick(config: Config) -> float:
    """The contract's tick, above zero: where a quote cannot be told from certainty."""
    return max(config.probability_tick, 1e-6)


def reach(step_s: float, config: Config) -> int:
    """Lagged rows that look back as far as lead-lag does."""
    return max(1, round(config.max_lag_s / step_s))


def column(feed: Feed, at: IntArray, step_s: float, config: Config) -> Column:
    """The feed at each time of the grid ``at`` (ns), as stamped and late."""
    ts, level = levels(feed.frame)
    is_probability = "probability" in feed.frame.columns
    level = probit(level, tick=smallest_tick(config)) if is_probability else np.log(level)
    oldest = round(max(config.max_age_s, step_s) * SECOND)
    plain = as_of(ts, level, at, max_age_ns=oldest)
    seen = np.isfinite(plain)
    stamp = feed.stamp_uncertainty_ns
    status, why, behind = Status.OK, "", stamp
    if stamp >= step_s * SECOND:
        status, why = Status.NOT_RESOLVED, f"{feed.label} stamped within {stamp / SECOND:g} s only"
    elif seen.mean() < _STILL:
        status, why = Status.TOO_FEW, f"{feed.label} not seen in half of the rows"
    else:
        age = (at - ts[np.searchsorted(ts, at, side="right") - 1])[seen]
        behind += int(np.quantile(age, _OLD))
        if behind >= step_s * SECOND:
            status, why = Status.NOT_RESOLVED, f"{feed.label} quoted too seldom"
    late = as_of(ts, level, at + behind, max_age_ns=oldest)
    late[at + behind > at[-1]] = np.nan
    return Column(feed.label, is_probability, plain, late, status, why)


def lag_reason(row: LeadLagRow, config: Config) -> str:
    """Why a lag is not given; empty where it is."""
    if row.status is Status.NOT_IDENTIFIED and row.p_value <= 1.0 - config.level:
        return "linked, but most of the lags searched are possible"
    return _LAG_REASONS.get(row.status, "")


def lead_lag_edges(rows: Sequence[LeadLagRow], config: Config) -> list[Edge]:
    """The study's own lags; a leader keeps its name where its link is also a discovery."""
    q = adjusted(np.array([row.p_value for row in rows]))
    out = []
    for row, q_value in zip(rows, q.tolist(), strict=True):
        values = row.lag_s, row.lower, row.upper
        leader, follower, status = row.leader, row.follower, row.status
        why = lag_reason(row, config)
        if leader is not None and not q_value <= 1.0 - config.level:
            leader, follower, status, why = None, None, Status.NOT_IDENTIFIED, BY_CHANCE
            values = math.nan, *second_behind_first(row)[1:]
        out.append(
            Edge(
                "lead-lag",
                0.0,
                row.first,
                row.second,
                leader,
                follower,
                *values,
                row.p_value,
                q_value,
                row.n_rows,
                status,
                why,
            )
        )
    return out


def granger_edges(columns: Sequence[Column], step_s: float, config: Config) -> list[Edge]:
    """Every ordered pair: does the past of the first help to forecast the second, and not back?"""
    kept = [c for c in columns if not c.why]
    found = [
        test for a, b in itertools.combinations(kept, 2) for test in _both(a, b, step_s, config)
    ]
    q, as_stamped = (
        adjusted(np.array([getattr(test, name) for test in found])) for name in ("safe", "plain")
    )
    back = {(test.second, test.first): test.plain for test in found}
    alpha = 1.0 - config.level
    out = []
    for test, q_value, q_plain in zip(found, q.tolist(), as_stamped.tolist(), strict=True):
        helps, returned = q_value <= alpha, back[test.first, test.second] <= alpha
        why, status = str(test.reason), status_of(test.reason)
        if test.reason is Reason.NONE and not helps:
            hidden = q_plain <= alpha
            why = HIDDEN if hidden else NO_HELP
            status = Status.NOT_RESOLVED if hidden else Status.NOT_IDENTIFIED
        elif test.reason is Reason.NONE and returned:
            why, status = MUTUAL, Status.NOT_RESOLVED
        leader, follower = (None, None) if why else (test.first, test.second)
        nan = math.nan
        out.append(
            Edge(
                "granger",
                step_s,
                test.first,
                test.second,
                leader,
                follower,
                nan,
                nan,
                nan,
                test.safe,
                q_value,
                test.n_rows,
                status,
                why,
            )
        )
    return out + [
        edge for a, b in _pairs(columns) for edge in _refused("granger", step_s, a, b, both=True)
    ]


def _both(a: Column, b: Column, step_s: float, config: Config) -> list[_Asked]:
    """The test from a to b and back."""
    out = []
    for cause, effect in ((a, b), (b, a)):
        plain = _predicts(cause.plain, effect.plain, step_s, config)
        safe = _predicts(cause.plain, effect.late, step_s, config)
        p = float(np.maximum(plain[0], safe[0]))
        reason = plain[2] if plain[2] is not Reason.NONE else safe[2]
        out.append(_Asked(cause.label, effect.label, plain[0], p, plain[1], reason))
    return out


def _predicts(
    cause: FloatArray, effect: FloatArray, step_s: float, config: Config
) -> tuple[float, int, Reason]:
    """p-value, rows and reason, on the longest run of rows in which both were seen."""
    returns = np.diff(np.column_stack([cause, effect]), axis=0)
    returns = returns[longest_run(np.isfinite(returns))]
    lags = reach(step_s, config)
    n_rows = max(returns.shape[0] - lags, 0)
    if n_rows <= 1:
        return math.nan, n_rows, Reason.FEW_ROWS
    if np.mean(returns == 0.0, axis=0).max() > _STILL:
        return math.nan, n_rows, Reason.STALE
    found = granger(returns, lags)
    return float(found.p_value[0, 1]), found.n_rows, found.reason


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
        edge for a, b in _pairs(prices) for edge in _refused("shared trend", step_s, a, b)
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
        return [edge for c in markets for edge in _refused("speed", step_s, news, c)]
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
        out = [_blank("speed", step_s, news.label, c.label, status_of(few), str(few)) for c in kept]
    return out + [edge for c in markets if c.why for edge in _refused("speed", step_s, news, c)]


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
            why, status = HIDDEN if hidden else str(Reason.EQUAL), Status.NOT_RESOLVED
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
                float(p[i]),
                float(q[i]),
                int(runs[0].n_rows[i]),
                status,
                why,
            )
        )
    return out


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else math.nan


def _pairs(columns: Sequence[Column]) -> list[tuple[Column, Column]]:
    """The pairs in which a feed cannot be asked."""
    return [(a, b) for a, b in itertools.combinations(columns, 2) if a.why or b.why]


def _refused(
    method: Method, step_s: float, a: Column, b: Column, *, both: bool = False
) -> list[Edge]:
    held = a if a.why else b
    names = ((a.label, b.label), (b.label, a.label)) if both else ((a.label, b.label),)
    return [_blank(method, step_s, *pair, held.status, held.why) for pair in names]


def _blank(
    method: Method, step_s: float, first: str, second: str, status: Status, why: str
) -> Edge:
    nan = math.nan
    return Edge(method, step_s, first, second, None, None, nan, nan, nan, nan, nan, 0, status, why)


def longest_run(seen: BoolArray) -> slice:
    """The longest stretch of rows that are true in every column.

    >>> longest_run(np.array([[True], [False], [True], [True]]))
    slice(2, 4, None)
    """
    edges = np.flatnonzero(np.diff(np.r_[False, seen.all(axis=1), False].astype(np.int8)))
    if edges.size == 0:
        return slice(0, 0)
    starts, ends = edges[::2], edges[1::2]
    best = int(np.argmax(ends - starts))
    return slice(int(starts[best]), int(ends[best]))
