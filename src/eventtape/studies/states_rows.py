"""What the study of states is asked, and what it answers: a row an underlying and expiry."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, IntArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.density.fit import Density
from eventtape.estimators.states.bounds import OutcomeBounds
from eventtape.estimators.states.conditional_calls import ConditionalCalls
from eventtape.estimators.states.event_hedge import EventHedge
from eventtape.estimators.states.exposure import Exposure
from eventtape.estimators.states.identification import Verdict
from eventtape.estimators.states.joint_result import JointFit
from eventtape.estimators.states.two_lognormal import TwoLognormalStates
from eventtape.studies.densities_rows import EXERCISES, Exercise

__all__ = [
    "ASSUMPTIONS",
    "BOUNDS",
    "EXPOSURE",
    "JOINT",
    "RUNGS",
    "TWO_LOGNORMAL",
    "Estimate",
    "EventProbability",
    "GapSeries",
    "Hedge",
    "Realised",
    "Rung",
    "Score",
    "Snapshot",
    "StateCurve",
    "StateGrid",
    "StatesConfig",
    "StatesResult",
    "StatesRow",
    "StatesTruthPath",
]

BOUNDS, EXPOSURE, JOINT, TWO_LOGNORMAL = "sharp bounds", "exposure", "joint fit", "two lognormals"
RUNGS = (BOUNDS, EXPOSURE, JOINT, TWO_LOGNORMAL)
ASSUMPTIONS = {
    BOUNDS: "none beyond density and quoted probability",
    EXPOSURE: "other news unrelated to p's moves",
    JOINT: "each state keeps one shape throughout",
    TWO_LOGNORMAL: "each state lognormal at one time",
}


@dataclass(frozen=True, kw_only=True)
class StatesConfig:
    """Every choice of the study.

    - ``level``: of every interval and band.
    - ``p_error``: sd of the noise of the quoted probability; ``wedge_sd``: how far the pricing
      probability may stand from the quoted one, in probits.
    - ``drift``: sd of the gap's step from one snapshot to the next, in log return.
    - ``placebos``: block permutations of the probability's path; ``bootstrap``: draws for the test
      that there is no gap; 0 for none. ``seed``: of both and of the bands.
    - ``decided``: at a probability this near 0 or 1 the event is over: such snapshots are no part
      of the fit, and the first of them is what came of it.
    - ``max_age_s``: a probability older than this at a snapshot is not seen.
    - ``half_spread``: of the event's contract, per 1 of payout, where its quotes have no sides.
    - ``rate``, ``exercise``: of the options, as in the study of densities.
    """

    level: float = 0.95
    p_error: float = 0.0
    wedge_sd: float = 0.1
    drift: float = 0.0
    placebos: int = 19
    bootstrap: int = 0
    seed: int = 0
    decided: float = 0.02
    max_age_s: float = math.inf
    half_spread: float = 0.01
    rate: float | None = None
    exercise: Exercise = "as given"

    def __post_init__(self) -> None:
        """Refuse what no chain could make right."""
        check_level(self.level)
        for name in ("p_error", "wedge_sd", "drift", "half_spread"):
            value = getattr(self, name)
            if not 0.0 <= value < 1.0:
                raise InputError("from 0 to under 1", met=value, column=name)
        for name in ("placebos", "bootstrap", "seed"):
            value = getattr(self, name)
            if value < 0:
                raise InputError("0 or more", met=value, column=name)
        if not 0.0 <= self.decided < 0.5:  # noqa: PLR2004
            raise InputError("from 0 to under 0.5", met=self.decided, column="decided")
        if not self.max_age_s >= 0.0:
            raise InputError("0 seconds or more", met=self.max_age_s, column="max_age_s")
        if self.rate is not None and not abs(self.rate) < 1.0:
            raise InputError("a part of one a year (0.05 is 5%)", met=self.rate, column="rate")
        if self.exercise not in EXERCISES:
            raise InputError(f"one of {', '.join(EXERCISES)}", met=self.exercise, column="exercise")


class EventProbability(NamedTuple):
    """The probability of the outcome: a path ``(n,)``, or one number or range for all times.

    A path has ``times_ns`` rising, and ``low`` and ``high`` NaN. A number has no times, and
    ``values`` of one; a range has its ends in ``low`` and ``high`` and the middle in ``values``.
    ``bid``, ``ask`` ``(n,)`` are of the event's contract, NaN where not quoted.
    """

    label: str
    times_ns: IntArray
    values: FloatArray
    bid: FloatArray
    ask: FloatArray
    low: float
    high: float

    @property
    def moves(self) -> bool:
        """Whether this is a path, and not one number or range for all times."""
        return self.times_ns.size > 0

    @property
    def ranges(self) -> bool:
        """Whether it is known only between two ends."""
        return math.isfinite(self.low)


class Realised(NamedTuple):
    """What came of it: whether the outcome happened, the forward after, and when that was."""

    happened: bool
    price: float
    at_ns: int
    source: str


class Estimate(NamedTuple):
    """A number and its interval; of bounds the number is NaN. Refused: all three NaN."""

    value: float
    lower: float
    upper: float

    @property
    def known(self) -> bool:
        """Whether there is an interval to draw."""
        return math.isfinite(self.lower) and math.isfinite(self.upper)


NOTHING = Estimate(math.nan, math.nan, math.nan)


class Rung(NamedTuple):
    """One way to the states at the reference time: its assumption, numbers, and whether they stand.

    ``gap`` is log(m1 / m0), state 1 being that the outcome happens; of the joint fit the mean over
    the times. Means are prices, vols per sqrt(year). ``verdict`` is None for the bounds, and where
    the rung could not be asked at all.
    """

    name: str
    assumption: str
    gap: Estimate
    mean_1: Estimate
    mean_0: Estimate
    vol_1: Estimate
    vol_0: Estimate
    verdict: Verdict | None
    status: Status
    reason: str  # empty where the status is OK


class Snapshot(NamedTuple):
    """One time: the probability, the forward and the density, and the rungs that need no other.

    ``decided``: the event is over there, and no fit uses it. ``bounds`` of a single p: its arrays
    have no axes (quantiles one, probabilities .05, .5, .95).
    """

    at_ns: int
    tau: float
    p: float
    p_low: float  # with p_high a range that was given; NaN where p is a number
    p_high: float
    forward: float
    forward_error: float
    atm_vol: float
    atm_vol_error: float
    density: Density | None
    bounds: OutcomeBounds | None
    two_lognormal: TwoLognormalStates | None
    decided: bool
    status: Status  # of the density
    reason: str


class GapSeries(NamedTuple):
    """The gap log(m1 / m0) over time by one rung, ``(n,)`` each; NaN where refused."""

    rung: str
    times_ns: IntArray
    gap: FloatArray  # NaN for bounds
    lower: FloatArray
    upper: FloatArray
    status: tuple[Status, ...]


class StateCurve(NamedTuple):
    """Densities of both states by one rung, with bands ``(n,)``, per unit of strike.

    All NaN where refused; of two lognormals the bands are NaN always.
    """

    rung: str
    pdf_1: FloatArray
    pdf_1_lower: FloatArray
    pdf_1_upper: FloatArray
    pdf_0: FloatArray
    pdf_0_lower: FloatArray
    pdf_0_upper: FloatArray
    status: Status
    reason: str


class StateGrid(NamedTuple):
    """At the reference time, ``(n,)``: the density itself, the most a state's can be, the states'.

    ``envelope_1`` is f / p and ``envelope_0`` f / (1 - p) (where p is a range, the widest); the
    truth is NaN where the data are not simulated.
    """

    strikes: FloatArray
    pdf: FloatArray
    pdf_error: FloatArray
    envelope_1: FloatArray
    envelope_0: FloatArray
    curves: tuple[StateCurve, ...]  # of the joint fit and of two lognormals
    truth_1: FloatArray
    truth_0: FloatArray


class Score(NamedTuple):
    """What a rung said the price would do if this came, and what it did, in log return.

    From the forward at the reference time to the realised one. ``lower`` to ``upper`` holds the
    error of the state's mean and what the market does of itself until then.
    """

    rung: str
    from_ns: int
    to_ns: int
    predicted: float  # NaN for bounds
    lower: float
    upper: float
    realised: float
    inside: bool | None  # None where nothing was predicted
    status: Status
    reason: str


class Hedge(NamedTuple):
    """Event contracts of payout 1 that take the outcome out of one unit of the underlying."""

    rung: str  # whose states it rests on
    p: float
    bid: float
    ask: float
    hedge: EventHedge


class StatesTruthPath(NamedTuple):
    """What was true, where the data are simulated, ``(n,)`` by snapshot."""

    gap: FloatArray
    p: FloatArray
    mean_1: FloatArray
    mean_0: FloatArray
    vol_1: FloatArray
    vol_0: FloatArray
    words: str


class StatesRow(NamedTuple):
    """One underlying and expiry: every rung side by side, and what each rests on.

    - ``snapshots`` by time; ``reference`` the one the rungs are read at: the last before the event
      was decided that has a density, or of those the last with states of the joint fit.
    - ``rungs`` in the order of :data:`RUNGS`. ``joint``, ``exposure``, ``calls`` are None where
      the rung could not be asked; ``joint.profile`` is the likelihood of the gap. The rows of
      ``exposure`` and of ``joint`` are the snapshots of ``fitted``.
    - ``status``, ``reason``: of the row; not OK where no snapshot has a density and a probability.
    """

    underlying: str
    expiry_ns: int
    settlement: str
    american: bool
    snapshots: tuple[Snapshot, ...]
    reference: int  # -1 where there is none
    fitted: IntArray  # places in snapshots of those in the joint fit and the exposure
    rungs: tuple[Rung, ...]
    exposure: Exposure | None
    calls: ConditionalCalls | None
    joint: JointFit | None
    grid: StateGrid | None
    gaps: tuple[GapSeries, ...]
    hedge: Hedge | None
    scores: tuple[Score, ...]
    realised: Realised | None
    truth: StatesTruthPath | None
    status: Status
    reason: str

    @property
    def at(self) -> Snapshot | None:
        """The snapshot at the reference time."""
        return self.snapshots[self.reference] if self.reference >= 0 else None

    def rung(self, name: str) -> Rung:
        """The rung of this name."""
        return next(r for r in self.rungs if r.name == name)


class StatesResult(NamedTuple):
    """Everything the faces show; nothing in it is computed again by them."""

    config: StatesConfig
    event: str  # what the outcome is called
    simulated: bool
    probability: EventProbability
    rows: tuple[StatesRow, ...]
    sources: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def data(self) -> str:
        """Where the numbers are from, in words."""
        kind = "simulated" if self.simulated else "as given"
        return f"{kind} ({', '.join(self.sources)})" if self.sources else kind

    def label(self, row: StatesRow) -> str:
        """The row's underlying and expiry date."""
        day = np.datetime64(row.expiry_ns, "ns").astype("datetime64[D]")
        return f"{row.underlying} {day}"
