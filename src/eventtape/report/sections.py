"""The report section by section: how to read each figure, what it refuses, the figure, its numbers.

A section asks for its figures by name; the page makes them and hands back one box for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from eventtape import figures
from eventtape.arrays import Status
from eventtape.report import tables
from eventtape.report.html import Html, element, join
from eventtape.report.leadership_section import leadership_section
from eventtape.report.section import Section
from eventtape.studies import DiffusionResult
from eventtape.studies.words import minutes

__all__ = ["sections"]


def sections(result: DiffusionResult) -> tuple[Section, ...]:
    """The sections that hold figures, in the order they are read."""
    parts: tuple[Callable[[DiffusionResult], Section], ...] = (
        _gaps,
        _responses,
        leadership_section,
        _scores,
    )
    return (*_on_the_clock(result), *(part(result) for part in parts))


def _on_the_clock(result: DiffusionResult) -> tuple[Section, Section]:
    """Probability and markets share one time axis: zooming one zooms all."""
    x_range = figures.time_range(result.event)
    clock = figures.news_clock_figure(result, x_range=x_range)
    primary = result.probabilities[0]
    reading = (
        "Dots are quotes as they came; the line is the filtered mean, its shade two standard "
        "deviations to each side (often thinner than the line). Orange and red marks are quotes "
        f"of {primary.label} that moved more than one and two of their own standard deviations; "
        "bars run from bid to ask at other venues, rings have the vig removed."
    )
    prose = [reading]
    refused = [s for s in result.probabilities if s.status is not Status.OK]
    if refused:
        prose.append(f"No filter: {_by_status((s.label, s.status) for s in refused)}.")
    if clock is None:
        prose.append("This tape has no news clock, so no share of votes counted is drawn.")
    probability = Section(
        "probability",
        "Probability",
        tuple(prose),
        f"Probability that {result.event.outcome}"
        + ("." if clock is None else ", and the share of the votes counted."),
        (
            figures.probability_figure(result, x_range=x_range),
            *(fig for fig in (clock,) if fig is not None),
        ),
        (),
        tables.probability_table(result),
    )
    headline = result.config.headline_s
    unfit = [
        (g.market, g.status)
        for g in result.gaps
        if g.horizon_s == headline and g.status is not Status.OK
    ]
    fitted = (
        "The solid line is the market since the start of the window; the dashed one is what its "
        f"{minutes(headline)} gap makes of the probability's path. The dashed line was fitted to "
        "the same night, so it shows how the fit looks and predicts nothing."
    )
    paths = Section(
        "markets",
        "Each market against its event-implied path",
        (
            fitted,
            *((f"No implied path: {_by_status(unfit)}.",) if unfit else ()),
        ),
        "Log return since the start of the window, beside the in-sample implied path.",
        (),
        figures.market_figures(result, x_range=x_range),
        Html(""),
    )
    return probability, paths


def _gaps(result: DiffusionResult) -> Section:
    level = f"{result.config.level:.0%}"
    pairs = dict.fromkeys((g.market, g.status) for g in result.gaps if g.status is not Status.OK)
    unfit = [
        (f"{market} at {_horizons(result, market, status)}", status) for market, status in pairs
    ]
    reading = (
        "A gap is the log return a market would make if the probability went from 0 to 1: a "
        f"point above zero is worth more if {result.event.outcome}. Whiskers are {level} "
        "intervals; one that crosses zero shows nothing either way. Hollow marks beside the "
        f"{minutes(result.config.headline_s)} point are other methods."
    )
    prose = [reading]
    if unfit:
        prose.append(f"Refused: {_by_status(unfit)}.")
    warning = element(
        "p",
        element("strong", "Do not choose the narrowest interval."),
        " The overlapping-return methods re-use each minute many times and their intervals cover "
        "the truth less often than they say, HC3 alone more often. Measured coverage is the share "
        "of intervals on 1,000 simulated nights that held the true gap (see docs/validation).",
        class_="warning",
    )
    return Section(
        "gaps",
        "What the outcome is worth",
        tuple(prose),
        "Outcome gap and interval at each horizon; other methods hollow, at the headline horizon.",
        (),
        figures.gap_figures(result),
        join(
            [
                tables.gap_table(result),
                element("h3", "Other methods"),
                warning,
                tables.comparison_table(result),
            ]
        ),
    )


def _responses(result: DiffusionResult) -> Section:
    unfit = [
        (r.market, r.curve.status) for r in result.responses if r.curve.status is not Status.OK
    ]
    reading = (
        "Zero on the horizontal axis is when the probability moved: a curve that has risen or "
        "fallen before it is a market that moved before the quote did. The band is pointwise, so "
        "read one delay at a time; delays within the stamps' uncertainty blur together."
    )
    return Section(
        "responses",
        "How the price moves around the probability",
        (
            reading,
            *((f"No curve: {_by_status(unfit)}.",) if unfit else ()),
        ),
        "Cumulative log return per unit of probability, by delay, with its pointwise band.",
        (),
        figures.response_figures(result),
        Html(""),
    )


def _scores(result: DiffusionResult) -> Section:
    unfit = [
        (row.market, row.status)
        for row in result.scores
        if row.sample == "out" and row.status is not Status.OK
    ]
    reading = (
        "Filled points were predicted with a gap measured before the scored window only, given "
        "how far the probability then moved; the red bar is what happened. Hollow points use the "
        "gap of the whole night, scored window included: a fit, not a prediction."
    )
    return Section(
        "scorecard",
        "Predicted and realised",
        (
            reading,
            *((f"No prediction: {_by_status(unfit)}.",) if unfit else ()),
        ),
        "Predicted move with its prediction interval beside the realised move.",
        (figures.score_figure(result),) if result.scores else (),
        (),
        tables.score_table(result),
    )


def _horizons(result: DiffusionResult, market: str, status: Status) -> str:
    rows = (g for g in result.gaps if g.market == market and g.status is status)
    return " and ".join(minutes(row.horizon_s) for row in rows)


def _by_status(rows: Iterable[tuple[str, Status]]) -> str:
    """``not resolved (BTC at 60 s, CL at 60 s); not identified (NQ)``."""
    groups: dict[Status, list[str]] = {}
    for label, status in rows:
        groups.setdefault(status, []).append(label)
    return "; ".join(f"{status} ({', '.join(labels)})" for status, labels in groups.items())
