"""What the diffusion study may be told and what it answers: plain rows, no methods, no formulas."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from eventtape.arrays import FloatArray, IntArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.states import outcome_gap
from eventtape.estimators.states.distributed_lag import whole_steps
from eventtape.studies.events import Event
from eventtape.studies.leadership_rows import Leadership

__all__ = [
    "Comparison",
    "Config",
    "DiffusionResult",
    "GapRow",
    "Input",
    "LeadLagRow",
    "Path",
    "ProbabilitySeries",
    "ResponseRow",
    "Score",
    "second_behind_first",
]


MOST_LAGS = 2000
ROLLING = ("rolling_s", "rolling_every_s")


@dataclass(frozen=True)
class Config:
    """What may be chosen about the study; times in seconds."""

    step_s: float = 60.0  # a feed of coarser stamps is studied on its own step
    horizons_s: tuple[float, ...] = (60.0, 300.0, 600.0, 1800.0, 3600.0)
    headline_s: float = 1800.0
    lead_s: float = 600.0  # how far a market may move before the probability: as max_lag_s
    max_lag_s: float = 600.0
    lag_step_s: float = 10.0
    max_age_s: float = 300.0  # older than this a price is not seen
    probability_tick: float = 0.001
    score_from_ns: int | None = None  # None: the middle of the window
    controls: tuple[str, ...] = ()  # labels of markets whose returns are held fixed
    level: float = 0.95
    n_draws: int = 499
    seed: int = 0
    leadership_steps_s: tuple[float, ...] = (60.0, 300.0, 600.0, 1800.0)
    rolling_s: float = 7200.0
    rolling_every_s: float = 1800.0
    placebo_runs: int = 40  # 0: the rules are not tried on shuffled feeds

    def __post_init__(self) -> None:
        for name, value in self.__dict__.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise InputError(f"a finite {name}", met=value)
        for name in ("step_s", "max_lag_s", "lag_step_s", "max_age_s", "n_draws", *ROLLING):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} above 0", met=getattr(self, name))
        whole = [h > 0.0 and whole_steps(h, self.step_s) for h in self.horizons_s]
        steps = self.max_lag_s / self.lag_step_s
        draws = (1.0 - check_level(self.level)) * (self.n_draws + 1)
        for right, wanted, met in (
            (self.lead_s >= 0.0, "lead_s >= 0", self.lead_s),
            (self.seed >= 0, "a seed >= 0", self.seed),
            (self.placebo_runs >= 0, "placebo_runs >= 0", self.placebo_runs),
            (
                all(1.0 <= s < math.inf for s in self.leadership_steps_s),
                "leadership steps of at least 1 s",
                self.leadership_steps_s,
            ),
            (0.0 <= self.probability_tick < 1.0, "a tick in [0, 1)", self.probability_tick),
            (all(whole), f"horizons in whole steps of {self.step_s:g} s", self.horizons_s),
            (steps >= 1.0, "a lag step within the reach of the search", self.lag_step_s),
            (steps <= MOST_LAGS, f"at most {MOST_LAGS} lag steps to a side", self.lag_step_s),
            (draws >= 1.0, f"more draws for a level of {self.level:g}", self.n_draws),
            (
                self.headline_s in self.horizons_s,
                f"a headline horizon among {self.horizons_s}",
                self.headline_s,
            ),
        ):
            if not right:
                raise InputError(wanted, met=met)


class Input(NamedTuple):
    """A feed as it was met: rows inside the window, first and last stamp (ns)."""

    label: str
    source: str
    rows: int
    first: int
    last: int
    stamp_uncertainty_s: float
    note: str  # what a reader must know of the numbers before trusting them


class ProbabilitySeries(NamedTuple):
    """One venue's probability, filtered: frame with ts, quotes, mean, sd, z, regime."""

    label: str
    frame: pl.DataFrame
    q: float  # variance per second
    r: float  # variance
    status: Status
    stamp_uncertainty_s: float
    overround: float  # median cost above 1 of buying both sides; NaN where not quoted


class GapRow(NamedTuple):
    """The outcome gap of one market at one horizon, and what it rests on."""

    market: str
    horizon_s: float
    estimate: outcome_gap.Gap
    status: Status


class Comparison(NamedTuple):
    """The same market and horizon by another method, named."""

    market: str
    horizon_s: float
    method: str
    gap: float
    lower: float
    upper: float
    status: Status
    measured_coverage: float  # of a nominal 95% in simulation; NaN at settings not measured


class ResponseRow(NamedTuple):
    """The response curve of one market."""

    market: str
    curve: outcome_gap.Response


class LeadLagRow(NamedTuple):
    """Who moved first between two feeds; ``leader`` is None unless the data say so."""

    first: str
    second: str
    leader: str | None
    follower: str | None
    lag_s: float  # of the follower behind the leader
    lower: float
    upper: float
    ratio: float
    p_value: float
    resolution_s: float
    status: Status
    lags_s: FloatArray  # for the figure: second behind first
    correlation: FloatArray
    null_band: float
    n_rows: int  # increments of the feed that has fewer


def second_behind_first(row: LeadLagRow) -> tuple[float, float, float]:
    """Lag and interval of the second behind the first, whoever leads; NaN where refused."""
    if row.leader is not None and row.leader == row.second:
        return -row.lag_s, -row.upper, -row.lower
    return row.lag_s, row.lower, row.upper


class Score(NamedTuple):
    """A predicted move beside the realised one, log return; ``sample`` is ``out`` or ``in``."""

    market: str
    sample: str
    from_ns: int
    to_ns: int
    probability_move: float
    predicted: float
    lower: float
    upper: float
    realised: float
    status: Status


class Path(NamedTuple):
    """A market's log return since the start, beside the one its gap and p's path imply."""

    market: str
    ts: IntArray
    actual: FloatArray
    implied: FloatArray


class DiffusionResult(NamedTuple):
    """Everything the faces show; nothing in it is computed again by them."""

    event: Event
    config: Config
    simulated: bool
    inputs: tuple[Input, ...]
    probabilities: tuple[ProbabilitySeries, ...]
    news_clock: pl.DataFrame | None  # ts, counted (share of the votes the timeline ends with)
    gaps: tuple[GapRow, ...]
    comparisons: tuple[Comparison, ...]
    responses: tuple[ResponseRow, ...]
    lead_lags: tuple[LeadLagRow, ...]
    paths: tuple[Path, ...]
    scores: tuple[Score, ...]
    leadership: Leadership
