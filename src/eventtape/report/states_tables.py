"""The tables of the states' page: one function a table, a dash and why where nothing was said."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eventtape.arrays import Status
from eventtape.clock import format_ns
from eventtape.estimators.states.identification import CONTRACTION, Verdict
from eventtape.estimators.states.joint_fit import AGREE
from eventtape.estimators.states.two_lognormal_solutions import FITS
from eventtape.report.cells import DASH, clock, number, percent_cell, refused, span_cell
from eventtape.report.html import Column, Html, badge, element, join, table
from eventtape.studies.densities_findings import price
from eventtape.studies.states_rows import (
    BOUNDS,
    EXPOSURE,
    JOINT,
    RUNGS,
    TWO_LOGNORMAL,
    Estimate,
    Hedge,
    Rung,
    StatesResult,
    StatesRow,
)

__all__ = [
    "MOST_TIMES",
    "assumption_list",
    "diagnostics_table",
    "hedge_table",
    "refused_table",
    "rung_table",
    "score_table",
    "snapshot_table",
    "state_table",
]

MOST_TIMES = 60  # snapshots in the table; the files have all
_SHORT = 24  # letters
_LONG = 1000.0
_LEAST = {  # under which a rung refuses: what is not here refuses nothing
    "contraction": dict.fromkeys((EXPOSURE, JOINT, TWO_LOGNORMAL), CONTRACTION),
    "over-identification": {JOINT: AGREE, TWO_LOGNORMAL: FITS},
}
_FAILED = {"contraction": "the prior's answer", "over-identification": "they disagree"}
_MEANING = {
    "contraction": "How much the data narrow the prior: 1 all, 0 nothing; under .5 is refused.",
    "concentration": "Information on what is seen least, in units of the prior; refuses nothing.",
    "prior-shift": "Move of the answer, in its errors, with priors twice and half as wide; "
    "refuses nothing.",
    "over-identification": "p-value that all times or strikes agree on one answer; under "
    f"{AGREE:g} the joint fit is refused, under {FITS:g} two lognormals.",
    "placebo": "Share of shuffled paths of the probability that fit as well; refuses nothing.",
}
_SAID = {
    BOUNDS: (
        "They assume nothing: the density and the quoted probability are all they use. Any gap "
        "between their ends is possible, none outside them is."
    ),
    EXPOSURE: (
        "It assumes that whatever else moved prices did not move with the probability. It is the "
        "slope of each option's price on the probability, so it needs one that moves."
    ),
    JOINT: (
        "It assumes that each state keeps one shape over the times: one gap, or one that drifts "
        "slowly, two volatilities whose ratio stays, one skewness and kurtosis."
    ),
    TWO_LOGNORMAL: (
        "They assume that each state is lognormal. They use one time only, and take skewness that "
        "both states share for a gap; where it would explain the density as well, they refuse."
    ),
}


def assumption_list() -> Html:
    """What each rung takes for granted, a sentence or two each, weakest assumption first."""
    items = [element("li", element("strong", name), f". {_SAID[name]}") for name in RUNGS]
    return element("ul", *items)


def rung_table(result: StatesResult) -> Html:
    """A row a rung: assumption, gap, interval, whether it stands and why not."""
    names = ["Rung", "Underlying", "It assumes", "Gap", f"{result.config.level:.0%} interval"]
    names += ["Status", "Why not"]
    rows = [
        (
            rung.name,
            _label(row, result),
            rung.assumption,
            DASH if rung.name == BOUNDS else percent_cell(rung.gap.value, rung.status),
            span_cell(rung.gap.lower, rung.gap.upper),
            badge(rung.status),
            rung.reason or DASH,
        )
        for row in result.rows
        for rung in row.rungs
    ]
    return table("The gap, rung by rung", _columns(names, text=(0, 1, 2, 5, 6)), rows)


def state_table(result: StatesResult) -> Html:
    """A row a rung: mean and volatility in either state, with intervals."""
    names = ["Rung", "Underlying", "Mean if it happens", "Mean if not"]
    names += ["Volatility if it happens", "Volatility if not"]
    rows = [
        (
            rung.name,
            _label(row, result),
            *(_estimate(e, rung) for e in (rung.mean_1, rung.mean_0)),
            *(_estimate(e, rung, percent=True) for e in (rung.vol_1, rung.vol_0)),
        )
        for row in result.rows
        for rung in row.rungs
    ]
    return table(
        "Each state, at the reference time; volatility per square root of a year",
        _columns(names, text=(0, 1)),
        rows,
    )


def diagnostics_table(result: StatesResult) -> Html:
    """A row a diagnostic: what it asks, and of each rung its number and whether it was passed."""
    rows = [
        (
            name,
            _label(row, result),
            *(_found(rung, row.rung(rung).verdict, name) for rung in RUNGS if rung != BOUNDS),
            meaning,
        )
        for row in result.rows
        if any(rung.verdict is not None for rung in row.rungs)
        for name, meaning in _MEANING.items()
    ]
    if not rows:
        return element("p", "No rung could be asked, so nothing was diagnosed.")
    names = ["Diagnostic", "Underlying", *(r.capitalize() for r in RUNGS if r != BOUNDS)]
    columns = _columns([*names, "What it asks"], text=range(6))
    return table("Diagnostics", columns, rows)


def _found(rung: str, verdict: Verdict | None, name: str) -> str:
    """The number and whether it refuses; a dash where it was not asked."""
    value = math.nan if verdict is None else getattr(verdict, name.replace("-", "_"))
    if verdict is None or not math.isfinite(value):
        return DASH
    shown = f"{value:.3g}" if value < _LONG else f"{value:,.0f}"
    least = _LEAST.get(name, {}).get(rung)
    if least is None:
        return f"{shown}: reported"
    return f"{shown}: {'passed' if value >= least else f'failed: {_FAILED[name]}'}"


def hedge_table(result: StatesResult) -> Html:
    """A row an underlying: the contracts that take the outcome out of one unit of it."""
    names = ["Underlying", "Rests on", "Contracts of 1", "Bid to ask", "Gap in money"]
    names += ["Gap left", "Event variance removed", "Cost", "Status"]
    rows = [
        (_label(row, result), *_hedge(row.hedge)) for row in result.rows if row.hedge is not None
    ]
    if not rows:
        return element("p", "No hedge: no rung says what the outcome is worth.")
    return table("Hedge of one unit", _columns(names, text=(0, 1, 8)), rows)


def _hedge(held: Hedge) -> tuple[str, ...]:
    made = held.hedge
    exposure = made.exposure
    return (
        held.rung,
        _plain(float(made.contracts.sum()), "+,.2f"),
        f"{held.bid:.3f} to {held.ask:.3f}" if held.bid <= held.ask else DASH,
        _with_span(exposure.gap, exposure.lower, exposure.upper, made.status),
        _with_span(made.residual, made.residual_lower, made.residual_upper, made.status),
        f"{made.explained:.1%}" if math.isfinite(made.explained) else DASH,
        _plain(made.cost, ",.3f"),
        badge(made.status),
    )


def score_table(result: StatesResult) -> Html:
    """A row a rung: what it predicted, what came, whether that lay in its interval."""
    names = ["Rung", "Underlying", "From", "Predicted", f"{result.config.level:.0%} interval"]
    names += ["Realised", "Inside", "Status", "Why not"]
    rows = [
        (
            score.rung,
            _label(row, result),
            clock(score.from_ns) if score.from_ns > 0 else DASH,
            DASH if score.rung == BOUNDS else percent_cell(score.predicted, score.status),
            span_cell(score.lower, score.upper),
            percent_cell(score.realised),
            DASH if score.inside is None else ("yes" if score.inside else "no"),
            badge(score.status),
            score.reason or DASH,
        )
        for row in result.rows
        for score in row.scores
    ]
    return table("Scorecard", _columns(names, text=(0, 1, 2, 6, 7, 8)), rows)


def snapshot_table(row: StatesRow, result: StatesResult) -> Html:
    """A row a snapshot: probability, forward, bounds of the gap, the two lognormals' gap."""
    names = ["Time, UTC", "Probability", "Forward", "Volatility at it", "Bounds of the gap"]
    names += ["Joint fit", "Two lognormals", "Density", "Use"]
    fitted = set(row.fitted.tolist())
    joint = next((g for g in row.gaps if g.rung == JOINT), None)
    path = {} if joint is None else dict(zip(joint.times_ns.tolist(), joint.gap, strict=True))
    rows = []
    for i, shot in enumerate(row.snapshots[:MOST_TIMES]):
        bound, pair = shot.bounds, shot.two_lognormal
        rows.append(
            (
                _moment(shot.at_ns),
                _probability(shot.p, shot.p_low, shot.p_high),
                price(shot.forward, shot.forward_error),
                f"{shot.atm_vol:.2%}" if math.isfinite(shot.atm_vol) else DASH,
                DASH
                if bound is None
                else span_cell(float(bound.gap.lower), float(bound.gap.upper)),
                percent_cell(float(path.get(shot.at_ns, math.nan))),
                DASH if pair is None else percent_cell(pair.delta, pair.verdict.status),
                badge(shot.status) if shot.status is not Status.OK else "ok",
                _use(used=i in fitted, decided=shot.decided, at=i == row.reference),
            )
        )
    return table(f"{result.label(row)}: snapshots", _columns(names, text=(0, 7, 8)), rows)


def refused_table(result: StatesResult) -> Html:
    """A row an underlying that could not be studied, and why."""
    rows = [
        (_label(row, result), f"{len(row.snapshots)}", badge(row.status), row.reason or DASH)
        for row in result.rows
        if row.status is not Status.OK
    ]
    names = ["Underlying", "Snapshots", "Status", "Why"]
    return table("Not studied", _columns(names, text=(0, 2, 3)), rows) if rows else Html("")


def _moment(ns: int) -> Html:
    """Date and time, broken between them where a phone has no room for both."""
    day, _, time = format_ns(ns).removesuffix("Z").partition("T")
    return join([element("span", day, class_="clock"), " ", element("span", time, class_="clock")])


def _use(*, used: bool, decided: bool, at: bool) -> str:
    said = "decided" if decided else ("fitted" if used else "not fitted")
    return f"{said}, reference" if at else said


def _probability(p: float, low: float, high: float) -> str:
    if math.isfinite(low) and math.isfinite(high):
        return f"{low:.3f} to {high:.3f}"
    return f"{p:.4f}" if math.isfinite(p) else DASH


def _estimate(found: Estimate, rung: Rung, *, percent: bool = False) -> str:
    if not found.known:
        return refused(rung.status)
    form = "{:.1%}".format if percent else price
    ends = f"{form(found.lower)} to {form(found.upper)}"
    return f"{form(found.value)} ({ends})" if math.isfinite(found.value) else ends


def _with_span(value: float, lower: float, upper: float, status: Status) -> str:
    ends = f"{price(lower)} to {price(upper)}" if math.isfinite(lower + upper) else ""
    if not math.isfinite(value):
        return ends or refused(status)
    return f"{price(value)} ({ends})" if ends else price(value)


def _plain(value: float, form: str) -> str:
    return number(value, form) if math.isfinite(value) else DASH


def _label(row: StatesRow, result: StatesResult) -> Html:
    """On one line where it is short; a long one may break, or it would cover the next column."""
    said = result.label(row)
    return element("span", said, class_="clock" if len(said) <= _SHORT else "why")


def _columns(names: Sequence[str], *, text: Sequence[int]) -> list[Column]:
    return [Column(name, numeric=i not in text) for i, name in enumerate(names)]
