"""One market, or one pair, of the diffusion study: ask the estimator, decide what may be said."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, IntArray, Status
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.estimators.discovery.lead_lag import lead_lag
from eventtape.estimators.states import outcome_gap
from eventtape.estimators.states.distributed_lag import whole_steps
from eventtape.estimators.states.overlapping import overlapping_gap
from eventtape.studies.diffusion_rows import (
    Comparison,
    Config,
    GapRow,
    LeadLagRow,
    Path,
    ResponseRow,
    Score,
)
from eventtape.studies.events import Event
from eventtape.studies.measured import coverage
from eventtape.tape import Feed
from eventtape.tape.sampling import levels

__all__ = [
    "Sampled",
    "comparisons_of",
    "gap_row",
    "lead_lag_row",
    "path_row",
    "response_row",
    "scores_of",
]


COMPARISONS = ("overlapping, hac", "overlapping, bootstrap", "distributed lag, HC3 alone")


class Sampled(NamedTuple):
    """A market and the probability on the market's own grid."""

    label: str
    step_s: float
    resolution_s: float
    ts: IntArray
    x: FloatArray
    p: FloatArray
    controls: FloatArray | None


def _resolved(s: Sampled, horizon_s: float) -> bool:
    """Whether a horizon is whole in the market's steps and longer than the clocks' doubt."""
    return horizon_s > s.resolution_s and whole_steps(horizon_s, s.step_s)


def _estimate(
    s: Sampled, horizon_s: float, config: Config, rows: slice, controls: FloatArray | None
) -> outcome_gap.Gap:
    """The gap from some rows of the grid, refused where the horizon is not resolved."""
    if not _resolved(s, horizon_s):
        nan = math.nan
        return outcome_gap.Gap(
            nan, nan, nan, nan, horizon_s, 0, 0, nan, nan, nan, Status.NOT_RESOLVED
        )
    return outcome_gap.outcome_gap(
        s.x[rows],
        s.p[rows],
        step_s=s.step_s,
        horizon_s=horizon_s,
        lead_s=config.lead_s,
        controls=None if controls is None else controls[rows],
        level=config.level,
    )


def gap_row(s: Sampled, horizon_s: float, config: Config) -> GapRow:
    """The gap of one market at one horizon, over the whole window."""
    found = _estimate(s, horizon_s, config, slice(None), s.controls)
    return GapRow(s.label, horizon_s, found, found.status)


def comparisons_of(s: Sampled, config: Config) -> list[Comparison]:
    """The headline horizon by the usual shortcuts, for a reader who knows those."""
    h = config.headline_s
    if not _resolved(s, h):
        refused = (math.nan, math.nan, math.nan, Status.NOT_RESOLVED, math.nan)
        return [Comparison(s.label, h, name, *refused) for name in COMPARISONS]
    rows = []
    for method in ("hac", "bootstrap"):
        o = overlapping_gap(
            s.x,
            s.p,
            steps=round(h / s.step_s),
            method=method,
            level=config.level,
            n_draws=config.n_draws,
            seed=config.seed,
        )
        name = f"overlapping, {method}"
        rows.append(Comparison(s.label, h, name, *o[:3], o.status, _measured(s, config, name)))
    plain = outcome_gap.outcome_gap(
        s.x,
        s.p,
        step_s=s.step_s,
        horizon_s=h,
        lead_s=config.lead_s,
        controls=s.controls,
        serial_s=0.0,
        level=config.level,
    )
    name = "distributed lag, HC3 alone"
    known = _measured(s, config, name)
    found = (plain.gap, plain.lower, plain.upper, plain.status)
    rows.append(Comparison(s.label, h, name, *found, known))
    return rows


def _measured(s: Sampled, config: Config, method: str) -> float:
    """The method's coverage in simulation, where these settings are the ones it was measured at."""
    default = Config()
    mine = replace(
        config,
        seed=default.seed,
        score_from_ns=None,
        horizons_s=default.horizons_s,
        probability_tick=default.probability_tick,
        leadership_steps_s=default.leadership_steps_s,
        rolling_s=default.rolling_s,
        rolling_every_s=default.rolling_every_s,
        placebo_runs=default.placebo_runs,
    )
    same = mine == default and s.step_s == default.step_s
    return coverage(f"{config.headline_s:g} s, {method}") if same else math.nan


def response_row(s: Sampled, config: Config) -> ResponseRow:
    """The path of one market around a move of the probability, up to the headline horizon."""
    if not _resolved(s, config.headline_s):
        ends = np.array([-min(config.lead_s, config.headline_s), config.headline_s])
        blank = np.full(2, math.nan)
        refused = outcome_gap.Response(ends, blank, blank, blank, 0, Status.NOT_RESOLVED)
        return ResponseRow(s.label, refused)
    curve = outcome_gap.response(
        s.x,
        s.p,
        step_s=s.step_s,
        horizon_s=config.headline_s,
        lead_s=config.lead_s,
        controls=s.controls,
        level=config.level,
    )
    return ResponseRow(s.label, curve)


def lead_lag_row(first: Feed, second: Feed, config: Config) -> LeadLagRow:
    """Who moved first of two feeds; a leader only where the lag clears both clocks and zero.

    The interval is the estimate's, widened by what each feed's stamps may be late.
    """
    (ta, a), (tb, b) = levels(first.frame), levels(second.frame)
    a, b = (
        v if "probability" in f.frame.columns else np.log(v) for f, v in ((first, a), (second, b))
    )
    reach = round(config.max_lag_s / config.lag_step_s)
    lags = np.arange(-reach, reach + 1) * round(config.lag_step_s * SECOND)
    found = lead_lag(
        ta, a, tb, b, lags, level=config.level, n_draws=config.n_draws, seed=config.seed
    )
    doubt = first.stamp_uncertainty_ns / SECOND, second.stamp_uncertainty_ns / SECOND
    resolution = max(doubt)
    norm = float(np.sqrt(np.sum(np.diff(a) ** 2) * np.sum(np.diff(b) ** 2)))
    scale = 1.0 / norm if norm > 0.0 else math.nan
    status, leader, follower = found.status, None, None
    # A stamp may be late: if the second's is, the true lag is less, if the first's is, it is more.
    lag, lower, upper = found.lag_s, found.lower - doubt[1], found.upper + doubt[0]
    ratio = found.ratio
    if status is Status.OK and (abs(lag) <= resolution or lower <= 0.0 <= upper):
        status, lag, ratio = Status.NOT_RESOLVED, math.nan, math.nan
    elif status is Status.OK and lag > 0.0:
        leader, follower = first.label, second.label
    elif status is Status.OK:
        leader, follower = second.label, first.label
        lag, lower, upper = -lag, -upper, -lower
        ratio = 1.0 / ratio if ratio > 0.0 else math.nan
    return LeadLagRow(
        first.label,
        second.label,
        leader,
        follower,
        lag,
        lower,
        upper,
        ratio,
        found.p_value,
        resolution,
        status,
        found.lags_s,
        found.contrast * scale,
        found.null_band * scale,
        min(ta.size, tb.size) - 1,
    )


def path_row(s: Sampled, config: Config) -> Path:
    """What the market did since the start beside what its gap makes of p's path (in-sample).

    The whole move is set against the whole gap: controls, which take a part of both, are left out.
    """
    start = int(np.argmax(np.isfinite(s.x) & np.isfinite(s.p)))
    gap = _estimate(s, config.headline_s, config, slice(None), None).gap
    return Path(s.label, s.ts, s.x - s.x[start], gap * (s.p - s.p[start]))


def scores_of(s: Sampled, event: Event, config: Config) -> list[Score]:
    """The scored window predicted from the gap before it, and from the whole night's gap.

    The move that happened is the whole one, so the gap is the one without controls.
    """
    split_ns = config.score_from_ns or (event.start_ns + event.end_ns) // 2
    if not event.start_ns < split_ns < event.end_ns:
        raise InputError("a scoring start inside the event's window", met=split_ns)
    split = int(np.searchsorted(s.ts, split_ns))
    seen = np.flatnonzero(np.isfinite(s.x) & np.isfinite(s.p))
    later = seen[seen > split]
    end = int(later[-1]) if later.size else split
    realised, move = float(s.x[end] - s.x[split]), float(s.p[end] - s.p[split])
    # a feed that stops soon after the split has nothing to be scored on
    known = math.isfinite(realised) and end - split >= 0.5 * (s.ts.size - 1 - split)
    rows = []
    for sample, used in (("out", slice(0, split + 1)), ("in", slice(None))):
        gap = _estimate(s, config.headline_s, config, used, None)
        said = outcome_gap.predict_move(gap, move, n_steps=end - split, level=config.level)
        nan = math.nan
        numbers = (said.move, said.lower, said.upper, realised) if known else (nan, nan, nan, nan)
        status = said.status if known else Status.TOO_FEW
        window = int(s.ts[split]), int(s.ts[end])
        rows.append(Score(s.label, sample, *window, move, *numbers, status))
    return rows
