"""The result's numbers as tables. A refused number is a dash and its status, never a blank."""

from __future__ import annotations

import dataclasses
import math

from eventtape.arrays import Status
from eventtape.report.cells import (
    DASH,
    clock,
    number,
    percent_cell,
    refused,
    setting,
    share,
    span_cell,
    window,
)
from eventtape.report.html import Column, Html, badge, element, table
from eventtape.studies import DiffusionResult
from eventtape.studies.diffusion_rows import LeadLagRow, Score
from eventtape.studies.leadership import enough_draws
from eventtape.studies.words import chance, minutes

__all__ = [
    "comparison_table",
    "config_table",
    "gap_table",
    "input_table",
    "lead_lag_table",
    "probability_table",
    "score_table",
]

SAMPLES = {"out": "out of sample", "in": "in-sample fit, not a prediction"}


def gap_table(result: DiffusionResult) -> Html:
    """Every market and horizon: the gap, its interval and what it rests on."""
    level = f"{result.config.level:.0%}"
    columns = [
        Column("Market", numeric=False),
        Column("Horizon"),
        Column("Gap per unit of probability"),
        Column(f"{level} interval"),
        Column("Rows"),
        Column("Regressors"),
        Column("Identifying share"),
        Column("Effective rows"),
        Column("Status", numeric=False),
    ]
    rows = [
        (
            row.market,
            minutes(row.horizon_s),
            percent_cell(row.estimate.gap, row.status),
            span_cell(row.estimate.lower, row.estimate.upper),
            f"{row.estimate.n_rows:,}",
            f"{row.estimate.n_regressors:,}",
            share(row.estimate.identifying_share),
            number(row.estimate.effective_rows, ".1f"),
            badge(row.status),
        )
        for row in result.gaps
    ]
    return table("Outcome gap by market and horizon, log return", columns, rows)


def comparison_table(result: DiffusionResult) -> Html:
    """The headline horizon by the usual shortcuts."""
    columns = [
        Column("Market", numeric=False),
        Column("Method", numeric=False),
        Column("Horizon"),
        Column("Gap per unit of probability"),
        Column(f"Nominal {result.config.level:.0%} interval"),
        Column("Measured coverage"),
        Column("Status", numeric=False),
    ]
    rows = [
        (
            row.market,
            row.method,
            minutes(row.horizon_s),
            percent_cell(row.gap, row.status),
            span_cell(row.lower, row.upper),
            share(row.measured_coverage),
            badge(row.status),
        )
        for row in result.comparisons
    ]
    return table("The same gap by other methods, log return", columns, rows)


def lead_lag_table(result: DiffusionResult) -> Html:
    """Every pair: the leader where there is one, else the status."""
    columns = [
        Column("Pair", numeric=False),
        Column("Leader", numeric=False),
        Column("Lag"),
        Column(f"{result.config.level:.0%} interval"),
        Column("Lead-lag ratio"),
        Column("p value of no link"),
        Column("Resolution"),
        Column("Status", numeric=False),
    ]
    draws = enough_draws(len(result.lead_lags), result.config, result.config.n_draws)
    rows = [
        (
            f"{row.first} · {row.second}",
            row.leader or refused(row.status),
            number(row.lag_s, ".1f", " s", row.status),
            _lag_span(row),
            number(row.ratio, ".1f"),
            chance(row.p_value, draws),
            number(row.resolution_s, ".0f", " s"),
            badge(row.status),
        )
        for row in result.lead_lags
    ]
    return table("Who moved first, pair by pair", columns, rows)


def score_table(result: DiffusionResult) -> Html:
    """Predicted and realised: out-of-sample rows first, in-sample ones named so."""
    columns = [
        Column("Market", numeric=False),
        Column("Sample", numeric=False),
        Column("Window, UTC", numeric=False),
        Column("Probability moved"),
        Column("Predicted"),
        Column(f"{result.config.level:.0%} prediction interval"),
        Column("Realised"),
        Column("Inside", numeric=False),
        Column("Status", numeric=False),
    ]
    ordered = sorted(result.scores, key=lambda row: row.sample != "out")
    return table("Predicted and realised move, log return", columns, map(_score, ordered))


def probability_table(result: DiffusionResult) -> Html:
    """Every venue's quotes and what the filter made of them."""
    columns = [
        Column("Venue", numeric=False),
        Column("First"),
        Column("Last"),
        Column("Quotes"),
        Column("Shocks"),
        Column("Q, variance per s"),
        Column("R, variance"),
        Column("Overround"),
        Column("Stamp uncertainty"),
        Column("Status", numeric=False),
    ]
    rows = [
        (
            series.label,
            number(series.frame["probability"][0], ".3f"),
            number(series.frame["probability"][-1], ".3f"),
            f"{series.frame.height:,}",
            f"{(series.frame['regime'] == 'shock').sum():,}"
            if series.status is Status.OK
            else refused(series.status),
            number(series.q, ".2e", status=series.status),
            number(series.r, ".2e", status=series.status),
            share(series.overround)
            if math.isfinite(series.overround)
            else element("span", f"{DASH} not quoted", class_="why"),
            minutes(series.stamp_uncertainty_s),
            badge(series.status),
        )
        for series in result.probabilities
    ]
    return table("The event's probability, venue by venue", columns, rows)


def input_table(result: DiffusionResult) -> Html:
    """Every feed as it was met inside the window."""
    columns = [
        Column("Feed", numeric=False),
        Column("Source", numeric=False),
        Column("Rows"),
        Column("First, UTC", numeric=False),
        Column("Last, UTC", numeric=False),
        Column("Stamp uncertainty"),
        Column("Note", numeric=False),
    ]
    rows = [
        (
            row.label,
            row.source,
            f"{row.rows:,}",
            clock(row.first),
            clock(row.last),
            minutes(row.stamp_uncertainty_s),
            row.note or DASH,
        )
        for row in result.inputs
    ]
    return table("Feeds read, inside the window", columns, rows)


def config_table(result: DiffusionResult) -> Html:
    """Every choice made, by its name in ``Config``."""
    rows = [
        (field.name, setting(getattr(result.config, field.name)))
        for field in dataclasses.fields(result.config)
    ]
    return table("Choices", [Column("Name", numeric=False), Column("Value", numeric=False)], rows)


def _score(row: Score) -> tuple[str, ...]:
    known = row.status is Status.OK
    inside = "yes" if row.lower <= row.realised <= row.upper else "no"
    return (
        row.market,
        SAMPLES.get(row.sample, row.sample),
        window(row.from_ns, row.to_ns),
        number(row.probability_move, "+.3f"),
        percent_cell(row.predicted, row.status),
        span_cell(row.lower, row.upper),
        percent_cell(row.realised, Status.OK if math.isfinite(row.realised) else row.status),
        inside if known else DASH,
        badge(row.status),
    )


def _lag_span(row: LeadLagRow) -> str:
    if not (math.isfinite(row.lower) and math.isfinite(row.upper)):
        return DASH
    behind = "" if row.leader else f" ({row.second} behind {row.first})"
    return f"{row.lower:.0f} to {row.upper:.0f} s{behind}"
