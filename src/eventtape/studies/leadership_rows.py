"""What the leadership section answers: plain rows, one a statement asked of the data."""

from __future__ import annotations

from typing import Literal, NamedTuple

from eventtape.arrays import FloatArray, Status

__all__ = [
    "METHODS",
    "Edge",
    "Leadership",
    "MartingaleRow",
    "Method",
    "Placebo",
    "Rolling",
    "Spillover",
]

Method = Literal["lead-lag", "granger", "shared trend", "speed"]
METHODS: tuple[Method, ...] = ("lead-lag", "granger", "shared trend", "speed")


class Edge(NamedTuple):
    """Does ``first`` lead ``second``, or the other way, by one method at one sampling step?

    ``value``, ``lower``, ``upper`` by method: lead-lag, seconds by which the follower is behind the
    leader (the second behind the first where none is named); shared trend, PILS of the leader (of
    the first); speed, of the market less the probability's own; granger, none (NaN): ``first``
    predicts ``second`` or it does not. Where no leader is named an interval is given only if it
    holds equality, or if the stamps alone stand against it. ``q_value`` is adjusted over every pair
    asked by that method at that step; the p-values are of no link (lead-lag), no help (granger) and
    of equality (the others, NaN where there is no trend or response to be equal in).
    """

    method: Method
    step_s: float  # 0: the ticks as they came
    first: str
    second: str
    leader: str | None
    follower: str | None
    value: float
    lower: float
    upper: float
    p_value: float
    q_value: float
    n_rows: int
    status: Status
    reason: str  # why no leader is named; empty where one is


class Rolling(NamedTuple):
    """Lead-lag of one pair inside one window of the event, the second behind the first."""

    first: str
    second: str
    from_ns: int
    to_ns: int
    lag_s: float
    lower: float
    upper: float
    p_value: float
    status: Status
    reason: str  # why there is no lag; empty where there is one


class Spillover(NamedTuple):
    """Part of each series' forecast variance that the others' shocks make, at one step.

    ``total`` has the upward lean of a short sample taken off; the shares of ``table`` keep it.
    """

    step_s: float
    labels: tuple[str, ...]
    table: FloatArray  # (n, n) row i: shares of i's variance from each j
    total: float
    total_lower: float
    total_upper: float
    n_rows: int
    status: Status
    reason: str


class MartingaleRow(NamedTuple):
    """Whether one contract's quotes behave as a fair game at one step."""

    source: str
    step_s: float
    drift: float  # probability a step
    drift_p: float
    horizons: tuple[int, ...]  # steps
    ratios: tuple[float, ...]  # variance ratios, 1 for a fair game
    null_lower: tuple[float, ...]  # a fair game leaves this band at any horizon in 1 - level
    null_upper: tuple[float, ...]
    p_value: float  # joint
    n_rows: int  # changes seen
    status: Status


class Placebo(NamedTuple):
    """The same rules on feeds whose increments were shuffled in time, each by itself.

    The rate is ``named`` of ``asked``: a run too short or too still for a method is no silence.
    """

    method: Method | Literal["any"]
    runs: int
    named: int  # runs in which any leader was named
    rate_low: float  # Wilson 95%, NaN where no run was asked
    rate_high: float
    n_draws: int  # in each run's bootstraps
    asked: int  # runs in which some pair could be asked at some step


class Leadership(NamedTuple):
    """Who moves first among the feeds of an event, by every method, and how often by chance."""

    edges: tuple[Edge, ...]
    rolling: tuple[Rolling, ...]
    spillovers: tuple[Spillover, ...]
    martingales: tuple[MartingaleRow, ...]
    placebos: tuple[Placebo, ...]
