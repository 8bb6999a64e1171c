"""One market, or one pair, of the diffusion study: ask the estimator, decide what may be said."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, IntArray, Status
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.estimators.discovery.lead_lag import lead_lag
from eventtape.estimators.states import exposure
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


class Sampled(NamedTuple):
    """A market and the probability on the market's own grid."""

    label: str
    step_s: float
    resolution_s: float
    ts: IntArray
    x: FloatArray
    p: FloatArray
    controls: FloatArray | None


def _estimate(s: Sampled, horizon_s: float, config: Config, rows: slice) -> exposure.Gap:
    """The gap from some rows of the grid, refused where the horizon is inside a clock's doubt."""
    found = exposure.outcome_gap(
        s.x[rows],
        s.p[rows],
        step_s=s.step_s,
        horizon_s=max(horizon_s, s.step_s),
        lead_s=config.lead_s,
        controls=None if s.controls is None else s.controls[rows],
        level=config.level,
    )
    if horizon_s > s.resolution_s:
        return found
    nan = math.nan
    return found._replace(gap=nan, se=nan, lower=nan, upper=nan, status=Status.NOT_RESOLVED)


def gap_row(s: Sampled, horizon_s: float, config: Config) -> GapRow:
    """The gap of one market at one horizon, over the whole window."""
    found = _estimate(s, horizon_s, config, slice(None))
    return GapRow(s.label, horizon_s, found, found.status)


def comparisons_of(s: Sampled, config: Config) -> list[Comparison]:
    """The headline horizon by the usual shortcuts, for a reader who knows those."""
    h = config.headline_s
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
    plain = exposure.outcome_gap(
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
    mine = (config.headline_s, config.level, config.controls, s.step_s)
    same = mine == (default.headline_s, default.level, default.controls, default.step_s)
    return coverage(f"{config.headline_s:g} s, {method}") if same else math.nan


def response_row(s: Sampled, config: Config) -> ResponseRow:
    """The path of one market around a move of the probability, up to the headline horizon."""
    curve = exposure.response(
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
    """Who moved first of two feeds; a leader only where the lag clears both clocks and zero."""
    (ta, a), (tb, b) = levels(first.frame), levels(second.frame)
    a, b = (
        v if "probability" in f.frame.columns else np.log(v) for f, v in ((first, a), (second, b))
    )
    reach = round(config.max_lag_s / config.lag_step_s)
    lags = np.arange(-reach, reach + 1) * round(config.lag_step_s * SECOND)
    found = lead_lag(
        ta, a, tb, b, lags, level=config.level, n_draws=config.n_draws, seed=config.seed
    )
    resolution = max(first.stamp_uncertainty_ns, second.stamp_uncertainty_ns) / SECOND
    norm = float(np.sqrt(np.sum(np.diff(a) ** 2) * np.sum(np.diff(b) ** 2)))
    scale = 1.0 / norm if norm > 0.0 else math.nan
    status, leader, follower = found.status, None, None
    lag, lower, upper, ratio = found.lag_s, found.lower, found.upper, found.ratio
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
    )


def path_row(s: Sampled, headline: GapRow) -> Path:
    """What the market did since the start beside what its gap makes of p's path (in-sample)."""
    start = int(np.argmax(np.isfinite(s.x) & np.isfinite(s.p)))
    implied = headline.estimate.gap * (s.p - s.p[start])
    return Path(s.label, s.ts, s.x - s.x[start], implied)


def scores_of(s: Sampled, headline: GapRow, event: Event, config: Config) -> list[Score]:
    """The scored window predicted from the gap before it, and from the whole night's gap."""
    split_ns = config.score_from_ns or (event.start_ns + event.end_ns) // 2
    if not event.start_ns < split_ns < event.end_ns:
        raise InputError("a scoring start inside the event's window", met=split_ns)
    split = int(np.searchsorted(s.ts, split_ns))
    seen = np.flatnonzero(np.isfinite(s.x) & np.isfinite(s.p))
    later = seen[seen > split]
    from_, to = split, int(later[-1]) if later.size else split
    realised, move = float(s.x[to] - s.x[from_]), float(s.p[to] - s.p[from_])
    before = _estimate(s, config.headline_s, config, slice(0, split + 1))
    rows = []
    for sample, gap in (("out", before), ("in", headline.estimate)):
        predicted = exposure.predict_move(gap, move, n_steps=to - from_, level=config.level)
        known = math.isfinite(realised) and later.size > 0
        status = predicted.status if known else Status.TOO_FEW
        rows.append(
            Score(
                s.label,
                sample,
                int(s.ts[from_]),
                int(s.ts[to]),
                move,
                *(predicted[:3] if known else (math.nan,) * 3),
                realised if known else math.nan,
                status,
            )
        )
    return rows
