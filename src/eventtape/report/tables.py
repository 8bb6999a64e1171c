"""The result's numbers as tables. A refused number is a dash and its status, never a blank."""

from __future__ import annotations

import dataclasses
import math

from eventtape.arrays import Status
from eventtape.clock import format_ns
from eventtape.report.html import Column, Html, badge, element, table
from eventtape.studies import DiffusionResult
from eventtape.studies.diffusion_rows import LeadLagRow, Score
from eventtape.studies.findings import minutes, percent, span

__all__ = [
    "comparison_table",
    "config_table",
    "gap_table",
    "input_table",
    "lead_lag_table",
    "probability_table",
    "score_table",
]

DASH = "—"
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
            _percent(row.estimate.gap, row.status),
            _span(row.estimate.lower, row.estimate.upper),
            f"{row.estimate.n_rows:,}",
            f"{row.estimate.n_regressors:,}",
            _share(row.estimate.identifying_share),
            _plain(row.estimate.effective_rows, ".1f"),
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
        Column("Status", numeric=False),
    ]
    rows = [
        (
            row.market,
            row.method,
            minutes(row.horizon_s),
            _percent(row.gap, row.status),
            _span(row.lower, row.upper),
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
    rows = [
        (
            f"{row.first} · {row.second}",
            row.leader or _refused(row.status),
            _plain(row.lag_s, ".0f", " s", row.status),
            _lag_span(row),
            _plain(row.ratio, ".1f"),
            _plain(row.p_value, ".3f"),
            _plain(row.resolution_s, ".0f", " s"),
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
            _plain(series.frame["probability"][0], ".3f"),
            _plain(series.frame["probability"][-1], ".3f"),
            f"{series.frame.height:,}",
            f"{(series.frame['regime'] == 'shock').sum():,}"
            if series.status is Status.OK
            else _refused(series.status),
            _plain(series.q, ".2e", status=series.status),
            _plain(series.r, ".2e", status=series.status),
            _share(series.overround)
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
            _clock(row.first),
            _clock(row.last),
            minutes(row.stamp_uncertainty_s),
            row.note or DASH,
        )
        for row in result.inputs
    ]
    return table("Feeds read, inside the window", columns, rows)


def config_table(result: DiffusionResult) -> Html:
    """Every choice made, by its name in ``Config``."""
    rows = [
        (field.name, _setting(getattr(result.config, field.name)))
        for field in dataclasses.fields(result.config)
    ]
    return table("Choices", [Column("Name", numeric=False), Column("Value", numeric=False)], rows)


def _score(row: Score) -> tuple[str, ...]:
    known = row.status is Status.OK
    inside = "yes" if row.lower <= row.realised <= row.upper else "no"
    return (
        row.market,
        SAMPLES.get(row.sample, row.sample),
        _window(row.from_ns, row.to_ns),
        _plain(row.probability_move, "+.3f"),
        _percent(row.predicted, row.status),
        _span(row.lower, row.upper),
        _percent(row.realised),
        inside if known else DASH,
        badge(row.status),
    )


def _lag_span(row: LeadLagRow) -> str:
    if not (math.isfinite(row.lower) and math.isfinite(row.upper)):
        return DASH
    behind = "" if row.leader else f" ({row.second} behind {row.first})"
    return f"{row.lower:.0f} to {row.upper:.0f} s{behind}"


def _percent(value: float, status: Status = Status.OK) -> str:
    if status is Status.OK and math.isfinite(value):
        return percent(value)
    return _refused(status)


def _span(lower: float, upper: float) -> str:
    return span(lower, upper) if math.isfinite(lower) and math.isfinite(upper) else DASH


def _refused(status: Status) -> Html:
    words = DASH if status is Status.OK else f"{DASH} {status}"
    return element("span", words, class_="why")


def _share(value: float) -> str:
    return percent(value, sign=False) if math.isfinite(value) else DASH


def _plain(value: float | None, form: str, unit: str = "", status: Status = Status.OK) -> str:
    if value is not None and math.isfinite(value):
        return f"{value:{form}}{unit}"
    return _refused(status)


def _clock(ns: int) -> Html:
    text = format_ns(ns).replace("T", " ").removesuffix("Z")
    return element("span", text, class_="clock")


def _window(start: int, end: int) -> Html:
    """``2024-11-06 02:00 to 06:00``; the second date only where it is another day."""
    first, last = (
        format_ns(ns, seconds=False).replace("T", " ").removesuffix("Z") for ns in (start, end)
    )
    last = last if last[:10] != first[:10] else last[11:]
    return element("span", f"{first} to {last}", class_="clock")


def _setting(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_setting(v) for v in value) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "default" if value is None else str(value)
