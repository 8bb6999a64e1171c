"""What would the market look like under each outcome? Every rung of the ladder, side by side.

The hub of the study. For each underlying and expiry: densities at every snapshot
(:mod:`.states_snapshots`); four ways to the states, from no assumption to the most
(:mod:`.states_rungs`); the states' densities with bands (:mod:`.states_grid`); the hedge, and
after the event the scorecard (:mod:`.states_scores`). No fit sees a snapshot at which the event is
decided. The rungs are read at the last one before; at the last with quotes enough for the joint
fit, where that stands.

A number in place of a probability that moves gives bounds and two lognormals, which ask of no
other time: it says nothing of what moves with it. A range gives bounds and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.pricing.gram_charlier import GramCharlierStates
from eventtape.estimators.states.joint_fit import joint_fit
from eventtape.estimators.states.joint_result import JointFit
from eventtape.estimators.states.option_panel import OptionPanel
from eventtape.simulate.two_states import TwoStates
from eventtape.studies.states_gaps import gap_series
from eventtape.studies.states_grid import state_grid
from eventtape.studies.states_rows import (
    EXPOSURE,
    JOINT,
    RUNGS,
    TWO_LOGNORMAL,
    EventProbability,
    Realised,
    Rung,
    StatesConfig,
    StatesResult,
    StatesRow,
    StatesTruthPath,
)
from eventtape.studies.states_rungs import (
    MeasuredExposure,
    bounds_rung,
    exposure_rung,
    joint_rung,
    lognormal_rung,
    measured_exposure,
    refused_rung,
)
from eventtape.studies.states_scores import hedge_of, realised_from, scores_of
from eventtape.studies.states_snapshots import Series, panel_of, probability_at, series_of
from eventtape.tape.chains import Chain

__all__ = ["event_probability", "run", "states"]

Progress = Callable[[str, int, int | None], None]
_LEAST_SNAPSHOTS = 4
_STILL = "no probability that moves"
_RANGE = "a range of probabilities, which only the bounds can use"


def event_probability(
    label: str,
    times_ns: ArrayLike = (),
    values: ArrayLike = (),
    *,
    bid: ArrayLike | None = None,
    ask: ArrayLike | None = None,
    constant: float | None = None,
    between: tuple[float, float] | None = None,
) -> EventProbability:
    """The probability of the outcome, checked: a path in time, one number, or a range.

    Raises
    ------
    InputError
        Times that do not rise, a probability outside [0, 1], more or less than one of the three.
    """
    t, p = np.asarray(times_ns, np.int64), np.asarray(values, np.float64)
    if (t.size > 0) + (constant is not None) + (between is not None) != 1:
        raise InputError("a path, a number or a range of the probability", met=label)
    none = np.empty(0)
    if not t.size:
        low, high = between or (constant, constant)
        if low is None or high is None or not 0.0 < low <= high < 1.0:
            raise InputError("a probability inside (0, 1)", met=between or constant)
        ends = (low, high) if low < high else (math.nan, math.nan)
        return EventProbability(label, t, np.array([0.5 * (low + high)]), none, none, *ends)
    if t.ndim != 1 or p.shape != t.shape:
        raise InputError("a probability a time", met=(t.shape, p.shape))
    if not np.all(np.diff(t) > 0):
        row = int(np.argmin(np.diff(t) > 0)) + 1
        raise InputError("times that rise", met=int(t[row]), row=row + 1, column="ts")
    bad = np.flatnonzero(~((p >= 0.0) & (p <= 1.0)))
    if bad.size:
        at = int(bad[0])
        raise InputError("from 0 to 1", met=float(p[at]), row=at + 1, column="probability")
    sides = [np.full(t.size, math.nan) if s is None else np.asarray(s, np.float64)
             for s in (bid, ask)]  # fmt: skip
    return EventProbability(label, t, p, sides[0], sides[1], math.nan, math.nan)


def run(
    chains: Sequence[Chain],
    probability: EventProbability,
    config: StatesConfig | None = None,
    *,
    event: str = "the event",
    realised: Realised | None = None,
    made: TwoStates | None = None,
    truth: str = "",
    simulated: bool = False,
    sources: Sequence[str] = (),
    notes: Sequence[str] = (),
    progress: Progress | None = None,
) -> StatesResult:
    """Every rung, or why it has no answer, for each underlying and expiry of the chains.

    Parameters
    ----------
    chains
        of one or many times, as :func:`eventtape.tape.chains.chains` gives them.
    probability
        see :func:`event_probability`.
    realised
        what came of it, of one underlying; else what options say once it is decided.
    made, truth
        the simulation behind the chains, drawn beside the estimates, and its words.
    progress
        called with a label, how many are done and of how many.
    """
    config = config or StatesConfig()
    if not chains:
        raise InputError("at least one chain", met="none")
    names = sorted({chain.underlying for chain in chains})
    if realised is not None and len(names) > 1:
        raise InputError("one underlying for a realised price", met=", ".join(names))
    tell = progress or _silent
    rows: list[StatesRow] = []
    several = series_of(chains, probability, config, tell)
    for series in several:
        tell(f"{series.underlying} states", len(rows), len(several))
        rows.append(_row(series, probability, config, realised, made, truth))
    tell("done", len(rows), len(several))
    return StatesResult(
        config, event, simulated, probability, tuple(rows), tuple(sources), tuple(notes)
    )


states = run  # its name at the face of the package


def _silent(_label: str, _done: int, _total: int | None) -> None:
    """Nobody listens."""


def _row(
    series: Series,
    probability: EventProbability,
    config: StatesConfig,
    given: Realised | None,
    made: TwoStates | None,
    truth: str,
) -> StatesRow:
    snaps = series.snapshots
    fitted = [
        i
        for i, s in enumerate(snaps)
        if s.density is not None and not s.decided and math.isfinite(s.p)
    ]
    if given is not None:
        fitted = [i for i in fitted if snaps[i].at_ns < given.at_ns]
    if not fitted:
        return _nothing(series, made, truth)
    p = np.array([snaps[i].p for i in fitted])
    panel, status, reason = _panel(series, fitted, p, probability)
    fit = None if panel is None else _joint(panel, p, config)
    place = _place(fit, p)
    reference = fitted[place]
    at = snaps[reference]
    found = MeasuredExposure(None, None, status, reason)
    exposed = refused_rung(EXPOSURE, status, reason)
    joined = refused_rung(JOINT, status, reason)
    if panel is not None and fit is not None:
        if p.size < _LEAST_SNAPSHOTS:
            exposed = refused_rung(EXPOSURE, Status.TOO_FEW, f"{p.size} snapshots")
        else:
            found = measured_exposure(panel, p, config, place)
            exposed = exposure_rung(found, at)
        joined = joint_rung(fit, place, config.level)
    pair = (
        refused_rung(TWO_LOGNORMAL, Status.NOT_IDENTIFIED, _RANGE)
        if probability.ranges
        else lognormal_rung(at, config.level)
    )
    rungs = (bounds_rung(at), exposed, joined, pair)
    came = given or realised_from(snaps, reference)
    _, bid, ask = probability_at(probability, at.at_ns, config.max_age_s)
    path_error = math.nan if fit is None else float(fit.delta_path_error[place])
    true = _truth_law(made, at.at_ns)
    grid = state_grid(at, fit, place, rungs, true, level=config.level, seed=config.seed)
    return StatesRow(
        series.underlying,
        series.expiry_ns,
        series.settlement,
        series.american,
        snaps,
        reference,
        np.array(fitted, np.int64),
        rungs,
        found.slopes,
        found.calls,
        fit,
        grid,
        gap_series(snaps, fitted, fit, joined, config.level),
        hedge_of(at, rungs, (bid, ask), path_error, config),
        scores_of(at, rungs, came, config.level),
        came,
        _truth_path(made, snaps, truth),
        Status.OK,
        "",
    )


def _panel(
    series: Series, fitted: Sequence[int], p: FloatArray, probability: EventProbability
) -> tuple[OptionPanel | None, Status, str]:
    """What the rungs over many times rest on; or why they cannot be asked."""
    if probability.ranges:
        return None, Status.NOT_IDENTIFIED, _RANGE
    if not probability.moves:
        return None, Status.NOT_IDENTIFIED, _STILL
    if p.size == 1:
        return None, Status.TOO_FEW, "one snapshot: nothing moves with the probability"
    if np.ptp(p) == 0.0:
        return None, Status.NOT_IDENTIFIED, _STILL
    panel = panel_of(series, fitted)
    if panel is None:
        return None, Status.TOO_FEW, "under five strikes listed at every time"
    return panel, Status.OK, ""


def _joint(panel: OptionPanel, p: FloatArray, config: StatesConfig) -> JointFit:
    return joint_fit(
        panel,
        p,
        p_error=config.p_error,
        wedge_sd=config.wedge_sd,
        drift_sd=config.drift,
        placebos=config.placebos,
        bootstrap=config.bootstrap,
        seed=config.seed,
        level=config.level,
    )


def _place(fit: JointFit | None, p: FloatArray) -> int:
    """The last snapshot with states; where the joint fit has none, the last of all."""
    used = np.empty(0) if fit is None else np.flatnonzero(np.isfinite(fit.mean_1))
    return int(used[-1]) if used.size else p.size - 1


def _nothing(series: Series, made: TwoStates | None, truth: str) -> StatesRow:
    """A row without numbers, and the reason of its last snapshot before the event."""
    snaps = series.snapshots
    open_ = [s for s in snaps if not s.decided]
    status, reason = Status.TOO_FEW, "the event is decided at every snapshot"
    if open_:
        last = open_[-1]
        status = Status.TOO_FEW if last.status is Status.OK else last.status
        reason = last.reason or "no snapshot before the realised price"
    rungs: tuple[Rung, ...] = tuple(refused_rung(name, status, reason) for name in RUNGS)
    return StatesRow(
        series.underlying,
        series.expiry_ns,
        series.settlement,
        series.american,
        snaps,
        -1,
        np.empty(0, np.int64),
        rungs,
        None,
        None,
        None,
        None,
        (),
        None,
        (),
        None,
        _truth_path(made, snaps, truth),
        status,
        reason,
    )


def _truth_law(made: TwoStates | None, at_ns: int) -> GramCharlierStates | None:
    if made is None:
        return None
    at = np.flatnonzero(made.times_ns == at_ns)
    return made.truth.laws[int(at[0])] if at.size else None


def _truth_path(
    made: TwoStates | None, snaps: Sequence[object], words: str
) -> StatesTruthPath | None:
    if made is None or len(snaps) != made.times_ns.size:
        return None
    t = made.truth
    means = np.array([law.means for law in t.laws])
    return StatesTruthPath(
        t.delta, t.probability, means[:, 0], means[:, 1], t.vols[:, 0], t.vols[:, 1], words
    )
