"""How did the news of one event travel from its probability into markets, and what is it worth?

The hub of the study: it samples the tape, asks the estimators, and decides what may be said. A
horizon no longer than a feed's stamp uncertainty is not resolved; a lag shorter than that, or whose
interval holds zero, names no leader; a gap the data cannot identify is a status, not a number.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray, IntArray, Status
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.estimators.discovery.lead_lag import lead_lag
from eventtape.estimators.states import exposure
from eventtape.estimators.states.overlapping import overlapping_gap
from eventtape.frames import filter_probability, join_complementary
from eventtape.studies.diffusion_rows import (
    Comparison,
    Config,
    DiffusionResult,
    GapRow,
    Input,
    LeadLagRow,
    Path,
    ProbabilitySeries,
    ResponseRow,
    Score,
)
from eventtape.studies.events import Event
from eventtape.studies.measured import coverage
from eventtape.tape import Feed, Kind, Tape, times_ns
from eventtape.tape.sampling import grid, levels, on_grid

__all__ = ["run"]

MARKET_KINDS: tuple[Kind, ...] = ("crypto", "currency", "future", "etf", "stock")
Progress = Callable[[str, int, int], None]


class _Sampled(NamedTuple):
    """A market and the probability on the market's own grid."""

    label: str
    step_s: float
    resolution_s: float
    ts: IntArray
    x: FloatArray
    p: FloatArray
    controls: FloatArray | None


def run(
    tape: Tape, event: Event, config: Config | None = None, *, progress: Progress | None = None
) -> DiffusionResult:
    """The diffusion study of an event on a tape; pure: the same tape and config, the same result.

    Raises :class:`InputError` where the event's own probability, or every market, is absent.
    """
    config = config or Config()
    say = progress or (lambda _label, _done, _total: None)
    whole, tape = tape, _window(tape, event)
    contract = tape.feed(event.primary)
    markets = tuple(f for f in tape.of_kind(*MARKET_KINDS) if not f.frame.is_empty())
    if not markets:
        raise InputError("at least one market inside the event's window", met="none")
    steps = 4
    say("probability", 0, steps)
    probabilities = _probabilities(tape, event, config)
    say("gaps and responses", 1, steps)
    sampled = [_sample(feed.label, whole, event, config) for feed in markets]
    gaps = tuple(_gap_row(s, h, config) for s in sampled for h in config.horizons_s)
    comparisons = tuple(row for s in sampled for row in _comparisons(s, config))
    responses = tuple(_response(s, config) for s in sampled)
    say("lead and lag", 2, steps)
    pairs = itertools.combinations((contract, *markets), 2)
    lead_lags = tuple(_lead_lag(a, b, config) for a, b in pairs)
    say("scorecard", 3, steps)
    headline = {row.market: row for row in gaps if row.horizon_s == config.headline_s}
    paths = tuple(_path(s, headline[s.label]) for s in sampled)
    scores = tuple(row for s in sampled for row in _scores(s, headline[s.label], event, config))
    say("done", steps, steps)
    return DiffusionResult(
        event,
        config,
        tape.simulated,
        tuple(_input(feed) for feed in tape.feeds if not feed.frame.is_empty()),
        probabilities,
        _news_clock(whole, event),
        gaps,
        comparisons,
        responses,
        lead_lags,
        paths,
        scores,
    )


def _window(tape: Tape, event: Event) -> Tape:
    """The tape inside the event's window, bounds included."""
    start, end = _bounds(event)
    feeds = tuple(
        feed._replace(frame=feed.frame.filter(pl.col("ts").is_between(start, end)))
        for feed in tape.feeds
    )
    inside = Tape(feeds, tape.simulated)
    if inside.feed(event.primary).frame.is_empty():
        raise InputError(f"quotes of {event.primary} inside the event's window", met="none")
    return inside


def _input(feed: Feed) -> Input:
    ts = times_ns(feed.frame)
    return Input(
        feed.label,
        feed.source,
        feed.frame.height,
        int(ts.min()),
        int(ts.max()),
        feed.stamp_uncertainty_ns / SECOND,
        feed.note,
    )


def _probabilities(tape: Tape, event: Event, config: Config) -> tuple[ProbabilitySeries, ...]:
    primary = tape.feed(event.primary)
    labels = {feed.label for feed in tape.feeds if not feed.frame.is_empty()}
    out = [_filtered(primary, primary.frame, config.probability_tick, math.nan)]
    for yes, no in event.complements:
        if {yes, no} <= labels:
            joined = join_complementary(tape.feed(yes).frame, tape.feed(no).frame)
            overround = float(np.median(joined["overround"].to_numpy()))
            out.append(_filtered(tape.feed(yes), joined, 0.01, overround))
    return tuple(out)


def _filtered(feed: Feed, frame: pl.DataFrame, tick: float, overround: float) -> ProbabilitySeries:
    filtered, fit = filter_probability(frame, tick=tick)
    uncertainty = feed.stamp_uncertainty_ns / SECOND
    return ProbabilitySeries(feed.label, filtered, fit.q, fit.r, fit.status, uncertainty, overround)


def _news_clock(tape: Tape, event: Event) -> pl.DataFrame | None:
    """Votes counted by each stamp of the window, as a share of all votes in the timeline."""
    feeds = [feed for feed in tape.of_kind("news") if not feed.frame.is_empty()]
    if not feeds:
        return None
    key = ["region", "party"]
    before = pl.col("votes").shift(1).over(key).fill_null(0.0)
    added = feeds[0].frame.with_columns((pl.col("votes") - before).alias("added"))
    counted = added.group_by("ts").agg(pl.col("added").sum()).sort("ts")
    share = pl.col("added").cum_sum() / pl.col("added").sum()
    start, end = _bounds(event)
    return counted.select("ts", share.alias("counted")).filter(pl.col("ts").is_between(start, end))


def _bounds(event: Event) -> tuple[pl.Expr, pl.Expr]:
    time = pl.Datetime("ns", "UTC")
    return pl.lit(event.start_ns, pl.Int64).cast(time), pl.lit(event.end_ns, pl.Int64).cast(time)


def _sample(label: str, tape: Tape, event: Event, config: Config) -> _Sampled:
    """Both sides on the coarser of the study's grid and the feed's own interval.

    The tape is the whole one: what was known at the window's first second was stamped before it.
    """
    feed, contract = tape.feed(label), tape.feed(event.primary)
    uncertainty = feed.stamp_uncertainty_ns / SECOND
    step_s = max(config.step_s, uncertainty)
    at = grid(event.start_ns, event.end_ns, round(step_s * SECOND))
    age = round(max(config.max_age_s, step_s) * SECOND)
    names = [name for name in config.controls if name != feed.label]
    controls = None
    if names:
        held = [on_grid(tape.feed(name).frame, at, max_age_ns=age) for name in names]
        controls = np.column_stack([np.r_[np.nan, np.diff(level)] for level in held])
    return _Sampled(
        feed.label,
        step_s,
        max(uncertainty, contract.stamp_uncertainty_ns / SECOND),
        at,
        on_grid(feed.frame, at, max_age_ns=age),
        on_grid(contract.frame, at, max_age_ns=age),
        controls,
    )


def _estimate(s: _Sampled, horizon_s: float, config: Config, rows: slice) -> exposure.Gap:
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


def _gap_row(s: _Sampled, horizon_s: float, config: Config) -> GapRow:
    found = _estimate(s, horizon_s, config, slice(None))
    return GapRow(s.label, horizon_s, found, found.status)


def _comparisons(s: _Sampled, config: Config) -> list[Comparison]:
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


def _measured(s: _Sampled, config: Config, method: str) -> float:
    """The method's coverage in simulation, where these settings are the ones it was measured at."""
    default = Config()
    mine = (config.headline_s, config.level, config.controls, s.step_s)
    same = mine == (default.headline_s, default.level, default.controls, default.step_s)
    return coverage(f"{config.headline_s:g} s, {method}") if same else math.nan


def _response(s: _Sampled, config: Config) -> ResponseRow:
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


def _lead_lag(first: Feed, second: Feed, config: Config) -> LeadLagRow:
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


def _path(s: _Sampled, headline: GapRow) -> Path:
    start = int(np.argmax(np.isfinite(s.x) & np.isfinite(s.p)))
    implied = headline.estimate.gap * (s.p - s.p[start])
    return Path(s.label, s.ts, s.x - s.x[start], implied)


def _scores(s: _Sampled, headline: GapRow, event: Event, config: Config) -> list[Score]:
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
