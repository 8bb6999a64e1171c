"""How did the news of one event travel from its probability into markets, and what is it worth?

The hub of the study: it samples the tape, asks the estimators, and decides what may be said. A
horizon no longer than a feed's stamp uncertainty is not resolved; a lag shorter than that, or whose
interval holds zero, names no leader; a gap the data cannot identify is a status, not a number.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.frames import filter_probability, join_complementary
from eventtape.studies.diffusion_answers import (
    Sampled,
    comparisons_of,
    gap_row,
    lead_lag_row,
    path_row,
    response_row,
    scores_of,
)
from eventtape.studies.diffusion_rows import Config, DiffusionResult, Input, ProbabilitySeries
from eventtape.studies.events import Event
from eventtape.studies.leadership import enough_draws, leadership
from eventtape.tape import Feed, Kind, Tape, times_ns
from eventtape.tape.sampling import grid, on_grid

__all__ = ["run"]

MARKET_KINDS: tuple[Kind, ...] = ("crypto", "currency", "future", "etf", "stock")
Progress = Callable[[str, int, int], None]


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
    steps = 4 + config.placebo_runs
    say("probability", 0, steps)
    probabilities = _probabilities(tape, event, config)
    say("gaps and responses", 1, steps)
    sampled = [_sample(feed.label, whole, event, config) for feed in markets]
    gaps = tuple(gap_row(s, h, config) for s in sampled for h in config.horizons_s)
    comparisons = tuple(row for s in sampled for row in comparisons_of(s, config))
    responses = tuple(response_row(s, config) for s in sampled)
    say("lead and lag", 2, steps)
    pairs = list(itertools.combinations((contract, *markets), 2))
    drawn = replace(config, n_draws=enough_draws(len(pairs), config, config.n_draws))
    lead_lags = tuple(lead_lag_row(a, b, drawn) for a, b in pairs)
    say("scorecard", 3, steps)
    paths = tuple(path_row(s, config) for s in sampled)
    scores = tuple(row for s in sampled for row in scores_of(s, event, config))
    who = leadership(
        tape, event, config, markets, lead_lags, lambda k: say("placebo", 4 + k, steps)
    )
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
        who,
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


def _control(tape: Tape, label: str, step_s: float) -> Feed:
    """The feed whose returns are held fixed: a market, and as fine as the grid it is held on."""
    feed = tape.feed(label)
    if feed.instrument.kind not in MARKET_KINDS:
        raise InputError("a market as a control", met=f"{label} ({feed.instrument.kind})")
    if feed.stamp_uncertainty_ns > step_s * SECOND:
        wanted = f"a control stamped within the grid's {step_s:g} s (or a longer --step-s)"
        raise InputError(wanted, met=f"{label}, {feed.stamp_uncertainty_ns / SECOND:g} s")
    return feed


def _sample(label: str, tape: Tape, event: Event, config: Config) -> Sampled:
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
        held = [on_grid(_control(tape, name, step_s).frame, at, max_age_ns=age) for name in names]
        controls = np.column_stack([np.r_[np.nan, np.diff(level)] for level in held])
    return Sampled(
        feed.label,
        step_s,
        max(uncertainty, contract.stamp_uncertainty_ns / SECOND),
        at,
        on_grid(feed.frame, at, max_age_ns=age),
        on_grid(contract.frame, at, max_age_ns=age),
        controls,
    )
