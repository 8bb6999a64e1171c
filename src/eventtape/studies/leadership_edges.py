"""Who leads whom by ticks and by prediction, and what every method here asks of the clocks.

The feeds are read on a grid of one step. A value read at t was stamped at or before t, is as old as
the feed's last record, and happened up to the stamp's uncertainty before its stamp: the fresher of
two feeds always seems to lead. Every comparison is therefore made as stamped, and again with the
one feed or the other (in prediction, the one that is foretold) read later by its stamp uncertainty
plus the age that 95% of its rows stay under, so that what is read at t surely happened after t. A
leader is named only where all agree, and an interval spans them all. A feed whose doubt is as long
as the step is not resolved.

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

from eventtape.arrays import FloatArray, Status
from eventtape.estimators.discovery.false_discovery import adjusted
from eventtape.estimators.discovery.granger import granger
from eventtape.estimators.discovery.refusals import Reason, status_of
from eventtape.studies.diffusion_rows import Config, LeadLagRow
from eventtape.studies.leadership_columns import (
    HIDDEN,
    STILL,
    Column,
    held_pairs,
    longest_run,
    reach,
    refused,
)
from eventtape.studies.leadership_rows import Edge

__all__ = ["FEW_TICKS", "granger_edges", "lag_reason", "lead_lag_edges"]

BY_CHANCE = "a link that chance alone would find among so many"
NO_HELP = "no help to the forecast"
MUTUAL = "each helps to forecast the other"
FEW_TICKS = "fewer than 30 increments"
_LAG_REASONS = {
    Status.NOT_IDENTIFIED: "no link at any lag",
    Status.NOT_RESOLVED: "interval holds zero, or the lag is within the stamps",
    Status.TOO_FEW: FEW_TICKS,
}


class _Asked(NamedTuple):
    """One ordered Granger test: p as stamped, and p with the effect read late."""

    first: str
    second: str
    plain: float
    safe: float
    n_rows: int
    reason: Reason


def lag_reason(row: LeadLagRow, config: Config) -> str:
    """Why a lag is not given; empty where it is."""
    if row.status is Status.NOT_IDENTIFIED and row.p_value <= 1.0 - config.level:
        return "linked, but most of the lags searched are possible"
    if row.status is Status.NO_CONVERGENCE:
        return (
            f"searched to ±{config.max_lag_s:g} s: the extreme is nearer an end than the coarser "
            "series' spacing, or its interval reaches one, so the lag may lie beyond"
        )
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
            values = math.nan, math.nan, math.nan
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
        edge for a, b in held_pairs(columns) for edge in refused("granger", step_s, a, b, both=True)
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
    if np.mean(returns == 0.0, axis=0).max() > STILL:
        return math.nan, n_rows, Reason.STALE
    found = granger(returns, lags)
    return float(found.p_value[0, 1]), found.n_rows, found.reason
