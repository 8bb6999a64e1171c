"""One feed on a grid as the methods of the leadership section read it, or why it cannot be asked.

A value read at t was stamped at or before t and happened up to the stamp's uncertainty before its
stamp. ``late`` reads the same feed later by that uncertainty plus the age that 95% of its rows stay
under, so that what is read at t surely happened after t.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray, IntArray, Status
from eventtape.clock import SECOND
from eventtape.estimators.discovery.martingale import probit
from eventtape.estimators.discovery.refusals import Reason
from eventtape.studies.diffusion_rows import Config
from eventtape.studies.leadership_rows import Edge, Method
from eventtape.tape import Feed
from eventtape.tape.sampling import as_of, levels

__all__ = [
    "HIDDEN",
    "STILL",
    "Column",
    "blank",
    "column",
    "could_answer",
    "held_pairs",
    "longest_run",
    "reach",
    "refused",
    "smallest_tick",
]

HIDDEN = "within what the stamps may hide"
STILL = 0.5  # part of the rows in which a series may stand still
_SEEN = 0.5  # part of the rows in which it must be seen
_OLD = 0.95  # of a feed's rows are younger than the age it is read later by


class Column(NamedTuple):
    """One feed on a grid; ``why`` says what keeps it from being asked, empty where nothing does."""

    label: str
    is_probability: bool
    plain: FloatArray  # (T,) log price, or probit of the probability
    late: FloatArray  # (T,) read so much later that all of it happened after the row's time
    status: Status
    why: str


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
    elif seen.mean() < _SEEN:
        status, why = Status.TOO_FEW, f"{feed.label} not seen in half of the rows"
    else:
        age = (at - ts[np.searchsorted(ts, at, side="right") - 1])[seen]
        behind += int(np.quantile(age, _OLD))
        if behind >= step_s * SECOND:
            status, why = Status.NOT_RESOLVED, f"{feed.label} quoted too seldom"
    late = as_of(ts, level, at + behind, max_age_ns=oldest)
    late[at + behind > at[-1]] = np.nan
    return Column(feed.label, is_probability, plain, late, status, why)


def held_pairs(columns: Sequence[Column]) -> list[tuple[Column, Column]]:
    """The pairs in which a feed cannot be asked."""
    return [(a, b) for a, b in itertools.combinations(columns, 2) if a.why or b.why]


def refused(
    method: Method, step_s: float, a: Column, b: Column, *, both: bool = False
) -> list[Edge]:
    """The edge of a pair in which a feed cannot be asked; ``both`` gives either order."""
    held = a if a.why else b
    names = ((a.label, b.label), (b.label, a.label)) if both else ((a.label, b.label),)
    return [blank(method, step_s, *pair, held.status, held.why) for pair in names]


def blank(method: Method, step_s: float, first: str, second: str, status: Status, why: str) -> Edge:
    """An edge without numbers, and why."""
    nan = math.nan
    return Edge(method, step_s, first, second, None, None, nan, nan, nan, nan, nan, 0, status, why)


def could_answer(edge: Edge) -> bool:
    """Whether the pair could be asked: rows enough, alive, and seen finer than the step."""
    return (
        edge.n_rows > 0
        and edge.status is not Status.TOO_FEW
        and edge.reason not in (Reason.STALE, Reason.SINGULAR)
    )


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
