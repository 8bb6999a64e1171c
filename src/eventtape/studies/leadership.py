"""Who moves first among the feeds of an event, and how often do the same rules name one of noise?

The methods are in :mod:`.leadership_edges` and :mod:`.leadership_responses`; here they are asked at
each step, in windows of the event, and on the placebos of :mod:`.leadership_placebo`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import polars as pl

from eventtape.arrays import Status
from eventtape.clock import SECOND
from eventtape.estimators.discovery.connectedness import connectedness
from eventtape.estimators.discovery.martingale import martingale
from eventtape.estimators.discovery.refusals import Reason, status_of
from eventtape.studies.diffusion_answers import lead_lag_row
from eventtape.studies.diffusion_rows import Config, LeadLagRow, second_behind_first
from eventtape.studies.events import Event
from eventtape.studies.leadership_columns import (
    Column,
    column,
    could_answer,
    longest_run,
    reach,
    smallest_tick,
)
from eventtape.studies.leadership_edges import (
    FEW_TICKS,
    granger_edges,
    lag_reason,
    lead_lag_edges,
)
from eventtape.studies.leadership_placebo import shuffled, wilson
from eventtape.studies.leadership_responses import speed_edges, trend_edges
from eventtape.studies.leadership_rows import (
    METHODS,
    Edge,
    Leadership,
    MartingaleRow,
    Method,
    Placebo,
    Rolling,
    Spillover,
)
from eventtape.tape import Feed, Tape
from eventtape.tape.sampling import grid, on_grid

__all__ = ["enough_draws", "leadership"]

MARTINGALE_STEPS_S = (60.0, 300.0)
MARTINGALE_HORIZONS = (2, 5, 10, 30)  # steps
PLACEBO_DRAWS = 199
_ROWS_A_HORIZON = 5  # of a variance ratio
_ROWS_A_REGRESSOR = 10


def leadership(
    tape: Tape,
    event: Event,
    config: Config,
    markets: Sequence[Feed],
    lead_lags: Sequence[LeadLagRow],
    tell: Callable[[int], None] = lambda _done: None,
) -> Leadership:
    """Edges by every method, windows, spillovers, the fair-game test and placebos.

    ``tape`` is the one inside the event's window, ``lead_lags`` the study's own rows, and ``tell``
    hears of each placebo run. Other venues of the same contract are asked beside it.
    """
    contract = tape.feed(event.primary)
    here = {feed.label: feed for feed in tape.feeds if not feed.frame.is_empty()}
    venues = [here[yes] for yes, _ in event.complements if yes in here]
    feeds = [contract, *markets]
    steps = config.leadership_steps_s
    columns = {step: _columns(feeds, step, event, config) for step in steps}
    edges = lead_lag_edges(lead_lags, config)
    edges += lead_lag_edges([lead_lag_row(contract, venue, config) for venue in venues], config)
    for step in steps:
        edges += _edges_at(columns[step], step, config, config.n_draws)
        for venue in venues:
            pair = (columns[step][0], *_columns([venue], step, event, config))
            edges += granger_edges(pair, step, config)
    return Leadership(
        tuple(edges),
        tuple(_rolling(contract, markets, event, config)),
        tuple(_spillover(columns[step], step, config) for step in steps),
        tuple(_martingale(contract, step, event, config) for step in MARTINGALE_STEPS_S),
        _placebos(feeds, event, config, tell),
    )


def enough_draws(n_tests: int, config: Config, least: int) -> int:
    """Draws by which one p-value alone among ``n_tests`` can be a discovery, at least ``least``."""
    return max(least, math.ceil(n_tests / (1.0 - config.level) - 1e-9) - 1)


def _columns(
    feeds: Sequence[Feed], step_s: float, event: Event, config: Config
) -> tuple[Column, ...]:
    at = grid(event.start_ns, event.end_ns, round(step_s * SECOND))
    return tuple(column(feed, at, step_s, config) for feed in feeds)


def _edges_at(columns: tuple[Column, ...], step_s: float, config: Config, draws: int) -> list[Edge]:
    return [
        *granger_edges(columns, step_s, config),
        *trend_edges(columns, step_s, config, draws),
        *speed_edges(columns, step_s, config, draws),
    ]


def _rolling(
    contract: Feed, markets: Sequence[Feed], event: Event, config: Config
) -> list[Rolling]:
    """Lead-lag of the probability with each market, window by window."""
    wide, every = (round(s * SECOND) for s in (config.rolling_s, config.rolling_every_s))
    starts = range(event.start_ns, event.end_ns - wide + 1, every)
    return [
        _window(contract, market, start, start + wide, config)
        for market in markets
        for start in starts
    ]


def _window(first: Feed, second: Feed, start: int, end: int, config: Config) -> Rolling:
    one, two = (_between(feed, start, end) for feed in (first, second))
    nan = math.nan
    if min(one.frame.height, two.frame.height) <= 1:
        few = Status.TOO_FEW
        return Rolling(first.label, second.label, start, end, nan, nan, nan, nan, few, FEW_TICKS)
    row = lead_lag_row(one, two, config)
    lag, why = second_behind_first(row), lag_reason(row, config)
    return Rolling(first.label, second.label, start, end, *lag, row.p_value, row.status, why)


def _between(feed: Feed, start: int, end: int) -> Feed:
    time = pl.Datetime("ns", "UTC")
    low, high = (pl.lit(ns, pl.Int64).cast(time) for ns in (start, end))
    return feed._replace(frame=feed.frame.filter(pl.col("ts").is_between(low, high)))


def _spillover(columns: tuple[Column, ...], step_s: float, config: Config) -> Spillover:
    """Shares of forecast variance among the feeds resolved at this step."""
    kept = [c for c in columns if not c.why]
    labels = tuple(c.label for c in kept)
    blank = np.full((len(kept), len(kept)), math.nan)
    nan = math.nan
    if len(kept) <= 1:
        held = next(c for c in columns if c.why)
        return Spillover(step_s, labels, blank, nan, nan, nan, 0, held.status, held.why)
    returns = np.diff(np.column_stack([c.plain for c in kept]), axis=0)
    returns = returns[longest_run(np.isfinite(returns))]
    room = (returns.shape[0] // _ROWS_A_REGRESSOR - 1) // len(kept)
    lags = max(1, min(reach(step_s, config), room))
    if returns.shape[0] <= lags + 1:
        few = Reason.FEW_ROWS
        return Spillover(
            step_s, labels, blank, nan, nan, nan, returns.shape[0], status_of(few), str(few)
        )
    draws = max(config.n_draws, math.ceil(2.0 / (1.0 - config.level)) - 1)
    found = connectedness(returns, lags, level=config.level, n_draws=draws, seed=config.seed)
    return Spillover(
        step_s,
        labels,
        found.table,
        found.total_corrected,  # the plain total leans upward, out of its own interval
        found.total_lower,
        found.total_upper,
        found.n_rows,
        found.status,
        str(found.reason),
    )


def _martingale(contract: Feed, step_s: float, event: Event, config: Config) -> MartingaleRow:
    at = grid(event.start_ns, event.end_ns, round(step_s * SECOND))
    age = round(max(config.max_age_s, step_s) * SECOND)
    p = on_grid(contract.frame, at, max_age_ns=age)
    changes = int(np.isfinite(np.diff(p)).sum())
    horizons = tuple(k for k in MARTINGALE_HORIZONS if _ROWS_A_HORIZON * k <= changes) or (2,)
    found = martingale(
        p,
        horizons,
        tick=smallest_tick(config),
        level=config.level,
        n_draws=config.n_draws,
        seed=config.seed,
    )
    return MartingaleRow(
        contract.label,
        step_s,
        found.drift,
        found.drift_p,
        horizons,
        tuple(found.variance_ratio.tolist()),
        tuple(found.null_lower.tolist()),
        tuple(found.null_upper.tolist()),
        found.p_value,
        found.n_rows,
        found.status,
    )


def _placebos(
    feeds: Sequence[Feed], event: Event, config: Config, tell: Callable[[int], None]
) -> tuple[Placebo, ...]:
    """How many runs name any leader, by method and by any, of those that could."""
    if config.placebo_runs == 0:
        return ()
    pairs = len(feeds) * (len(feeds) - 1) // 2
    draws = enough_draws(pairs, config, PLACEBO_DRAWS)
    quick = replace(config, n_draws=draws)
    named: dict[Method | Literal["any"], int] = dict.fromkeys((*METHODS, "any"), 0)
    asked = dict(named)
    for run in range(config.placebo_runs):
        edges = _placebo_edges(shuffled(feeds, event, seed=(config.seed, run)), event, quick)
        met = {edge.method for edge in edges if edge.leader is not None}
        able = {edge.method for edge in edges if could_answer(edge)}
        for method in named:
            named[method] += bool(met) if method == "any" else method in met
            asked[method] += bool(able) if method == "any" else method in able
        tell(run + 1)
    return tuple(
        Placebo(
            method, config.placebo_runs, count, *wilson(count, asked[method]), draws, asked[method]
        )
        for method, count in named.items()
    )


def _placebo_edges(feeds: Sequence[Feed], event: Event, config: Config) -> list[Edge]:
    rows = [lead_lag_row(a, b, config) for a, b in itertools.combinations(feeds, 2)]
    edges = lead_lag_edges(rows, config)
    for step in config.leadership_steps_s:
        edges += _edges_at(_columns(feeds, step, event, config), step, config, config.n_draws)
    return edges
