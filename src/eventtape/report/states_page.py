"""One self-contained page of the states: the verdict, the rungs, the states, what they rest on."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

from bokeh.document import Document
from bokeh.embed import components
from bokeh.model import Model

from eventtape import figures
from eventtape.arrays import Status
from eventtape.figures.states import rung_figure, score_rows_figure
from eventtape.figures.states_density import state_density_figure
from eventtape.figures.states_likelihood import profile_figure
from eventtape.figures.states_time import gap_path_figure, pricing_figure, snapshot_range
from eventtape.figures.style import NARROW, WIDE
from eventtape.report import states_tables as tables
from eventtape.report.cells import clock, setting
from eventtape.report.html import Column, Html, badge, element, join, table
from eventtape.report.page import BANNER, banner, whole_page
from eventtape.studies.densities_findings import price
from eventtape.studies.states_findings import findings, verdict_words
from eventtape.studies.states_rows import EXPOSURE, TWO_LOGNORMAL, StatesResult, StatesRow
from eventtape.studies.words import named
from eventtape.wholefile import write_whole

__all__ = ["MOST_DRAWN", "render_states", "write_states"]

MOST_DRAWN = 8  # underlyings with figures of their own; the tables and files have all
_PAIRED = NARROW + 110  # height of a figure that stands beside another, pixels
_TITLE = "What the market would look like under either outcome"
_RUNGS = (
    "The gap is the log of the mean price if the outcome happens over the mean price if it does "
    "not. The rungs assume ever more, from nothing at the top; a lower rung is worth its shorter "
    "interval only where its assumption is believed. A refused rung has no number: the data do not "
    "say, and none is made up."
)
_STATES = (
    "State 1 is that the outcome happens, state 0 that it does not. The market's density is the "
    "two weighted by the probability, so neither state's can be higher than the dotted line of its "
    "colour, whatever is assumed. Grey grounds, where there are any, lie beyond the strikes used."
)
_THROUGH = (
    "The exposure measures a dozen strikes: its lines are one pair of many, so read its bands."
)
_TIME = (
    "Any gap in the pale band is possible at its time with no assumption. The joint fit is one "
    "answer to all times together; two lognormals are asked at each time alone, and a cross at the "
    "foot is a time at which they were refused."
)
_PROBABILITY = (
    "Options need not agree with the contract: fees, lending and risk stand between. The pricing "
    "probability is the one at which the quotes of all times fit best, as far from the quoted one "
    "as the wedge allows."
)
_LIKELIHOOD = (
    "Twice the fall of the log likelihood when the gap is held at each value and all else is "
    "fitted again. The interval is where the curve stays under the dashed line. A flat curve is "
    "data that do not tell one gap from another."
)
_CHECKS = (
    "Ways to be fooled, each with a number. A dash was not asked. Contraction, and what a reason "
    "names, decide; the others are there to be read."
)
_HEDGE = (
    "Contracts that pay 1 if the outcome happens, bought above 0, which make one unit of the "
    "underlying worth the same on average in both states. They do nothing about what moves the "
    "price within a state."
)
_SCORES = (
    "After the event: what each rung said the price would do if this came, from the reference "
    "time, against what it did. One event is one draw: a miss does not refute a rung, nor does a "
    "hit prove it."
)
_TIMES = "What was read at each time. Two lognormals are the rung of one time alone."


class _Part(NamedTuple):
    key: str
    title: str
    prose: tuple[str, ...]
    wide: tuple[Model, ...]
    small: tuple[Model, ...]
    below: Html


def render_states(result: StatesResult, *, command: str = "eventtape states") -> str:
    """The page as text; ``command`` is what a reader types to make it again."""
    parts = _parts(result)
    charts: dict[str, Model] = {}
    for part in parts:
        charts |= {f"{part.key}-wide-{i}": fig for i, fig in enumerate(part.wide)}
        charts |= {f"{part.key}-small-{i}": fig for i, fig in enumerate(part.small)}
    document = Document(theme=figures.theme())
    with document.models.freeze():
        for fig in charts.values():
            document.add_root(fig)
    script, boxes = components(charts) if charts else ("", {})
    return whole_page(
        f"{BANNER}: {_TITLE.lower()}" if result.simulated else _TITLE,
        _banner(result),
        element("header", element("h1", _TITLE), _facts(result), _contents(parts)),
        element(
            "main",
            _findings(result),
            *(_section(part, boxes) for part in parts),
            _remake(result, command),
        ),
        Html(script),
    )


def write_states(
    result: StatesResult, path: str | Path, *, command: str = "eventtape states"
) -> Path:
    """Write the page and return its path; a failure on the way leaves what was there before."""
    return write_whole(path, render_states(result, command=command))


def _parts(result: StatesResult) -> list[_Part]:
    drawn = [row for row in result.rows if row.reference >= 0][:MOST_DRAWN]
    parts = [_rungs(result, drawn)]
    if drawn:
        parts.append(_states(result, drawn))
    several = [row for row in drawn if len(row.snapshots) > 1]
    if several:
        parts += _over_time(result, several)
    asked = [row for row in several if row.joint is not None]
    if asked:
        parts.append(_likelihood(result, asked))
    parts.append(_part("diagnostics", "Diagnostics", _CHECKS, tables.diagnostics_table(result)))
    parts.append(_part("hedge", "Hedge", _HEDGE, tables.hedge_table(result)))
    if any(row.scores for row in result.rows):
        parts.append(_scores(result, drawn))
    if any(row.snapshots for row in result.rows):
        parts.append(_snapshots(result))
    return parts


def _part(key: str, title: str, prose: str, below: Html) -> _Part:
    return _Part(key, title, (prose,), (), (), below)


def _pair(made: list[Model]) -> tuple[tuple[Model, ...], tuple[Model, ...]]:
    """One figure is wide, several stand in the grid."""
    return (tuple(made), ()) if len(made) == 1 else ((), tuple(made))


def _rungs(result: StatesResult, drawn: list[StatesRow]) -> _Part:
    prose = [_RUNGS]
    known = [row for row in result.rows if row.reference >= 0]
    if len(known) > len(drawn):
        prose.append(f"Figures of the first {len(drawn)} of {len(known)}; the tables have all.")
    wide, small = _pair([rung_figure(row, result) for row in drawn])
    below = [tables.rung_table(result), tables.state_table(result), tables.refused_table(result)]
    heading = element("h3", "What each rung takes for granted")
    return _Part(
        "rungs",
        "The rungs side by side",
        tuple(prose),
        wide,
        small,
        join([*below, heading, tables.assumption_list()]),
    )


def _states(result: StatesResult, drawn: list[StatesRow]) -> _Part:
    wide = [state_density_figure(row, result, height=WIDE + 40) for row in drawn]
    others = (EXPOSURE, TWO_LOGNORMAL)
    stand = [(row, n) for row in drawn for n in others if row.rung(n).status is Status.OK]
    small = [state_density_figure(row, result, n, height=_PAIRED) for row, n in stand]
    none = [n for n in others if n not in {name for _, name in stand}]
    prose = (
        _STATES,
        *((_THROUGH,) if EXPOSURE in {name for _, name in stand} else ()),
        *((f"Refused, so not drawn: {named(none, 9)}.",) if none else ()),
    )
    return _Part(
        "states", "The density in either state", prose, tuple(wide), tuple(small), Html("")
    )


def _over_time(result: StatesResult, drawn: list[StatesRow]) -> tuple[_Part, _Part]:
    """Gap and probability of one underlying share their clock: zooming one zooms the other."""
    spans = [snapshot_range(row) for row in drawn]
    both = list(zip(drawn, spans, strict=True))
    gaps = tuple(gap_path_figure(row, result, x_range=span) for row, span in both)
    odds = tuple(pricing_figure(row, result, x_range=span) for row, span in both)
    return (
        _Part("gaps", "The gap over time", (_TIME,), gaps, (), Html("")),
        _Part("probability", "Quoted and pricing probability", (_PROBABILITY,), odds, (), Html("")),
    )


def _likelihood(result: StatesResult, drawn: list[StatesRow]) -> _Part:
    wide, small = _pair([profile_figure(row, result) for row in drawn])
    return _Part("likelihood", "How well each gap fits", (_LIKELIHOOD,), wide, small, Html(""))


def _scores(result: StatesResult, drawn: list[StatesRow]) -> _Part:
    wide, small = _pair([score_rows_figure(row, result) for row in drawn if row.scores])
    came = [_came(row, result) for row in result.rows if row.realised is not None]
    prose = (_SCORES, *dict.fromkeys(came))
    return _Part(
        "scorecard", "Predicted and realised", prose, wide, small, tables.score_table(result)
    )


def _came(row: StatesRow, result: StatesResult) -> str:
    assert row.realised is not None
    said = f"the outcome {'happened' if row.realised.happened else 'did not happen'}"
    source = f" ({row.realised.source})" if row.realised.source else ""
    return f"{result.label(row)}: {said}; price {price(row.realised.price)}{source}."


def _snapshots(result: StatesResult) -> _Part:
    whole = [row for row in result.rows if row.snapshots]
    shown = whole[:MOST_DRAWN]
    prose = [_TIMES]
    if len(whole) > len(shown):
        prose.append(f"The first {len(shown)} of {len(whole)} expiries; the files have all.")
    if any(len(row.snapshots) > tables.MOST_TIMES for row in shown):
        prose.append(f"The first {tables.MOST_TIMES} of each; the files have all.")
    below = join([tables.snapshot_table(row, result) for row in shown])
    return _Part("snapshots", "Snapshots", tuple(prose), (), (), below)


def _banner(result: StatesResult) -> Html:
    if not result.simulated:
        return Html("")
    said = "Every number and picture below comes from a random generator, none is a market's."
    truths = dict.fromkeys(row.truth.words for row in result.rows if row.truth is not None)
    return banner(said, *(element("div", f"Truth: {words}") for words in truths if words))


def _facts(result: StatesResult) -> Html:
    labels = [result.label(row) for row in result.rows]
    times = [shot.at_ns for row in result.rows for shot in row.snapshots]
    facts: list[tuple[str, str]] = [
        ("Outcome", result.event or "the outcome"),
        ("Probability", result.probability.label),
        ("Underlying", named(labels, 6)),
    ]
    if times:
        ends = [clock(min(times)), *([clock(max(times))] if max(times) > min(times) else [])]
        facts.append(("Snapshots", join([Html(" to ".join(ends)), " UTC"])))
    read = [note for note in result.notes if not note.startswith("Truth")]
    facts += [("Data", result.data), *(("Read", note) for note in read)]
    rows = [join([element("dt", name), element("dd", text)]) for name, text in facts if text]
    return element("dl", *rows, class_="facts")


def _contents(parts: list[_Part]) -> Html:
    links = [("findings", "Verdict"), *((part.key, part.title) for part in parts)]
    items = [
        element("li", element("a", title, href=f"#{key}"))
        for key, title in (*links, ("remake", "Make it again"))
    ]
    return element("nav", element("ul", *items), aria_label="Contents")


def _findings(result: StatesResult) -> Html:
    said = list(findings(result._replace(rows=result.rows[:MOST_DRAWN])))
    for row in result.rows[MOST_DRAWN:]:  # of the rest the verdict alone: the tables have all
        last = verdict_words(row, result)
        said.append(last._replace(text=f"{result.label(row)}: {last.text}"))
    items = [element("li", badge(f.status), " ", element("span", f.text)) for f in said]
    off = "Figures need JavaScript; their main numbers are also in the tables below."
    return element(
        "section",
        element("h2", "Verdict", id="findings"),
        element("ul", *items, class_="findings"),
        element("noscript", element("p", off)),
        aria_labelledby="findings",
    )


def _section(part: _Part, boxes: dict[str, str]) -> Html:
    wide = [Html(boxes[f"{part.key}-wide-{i}"]) for i in range(len(part.wide))]
    small = [Html(boxes[f"{part.key}-small-{i}"]) for i in range(len(part.small))]
    drawn = [element("div", *wide, class_="wide")] if wide else []
    drawn += [element("div", *small, class_="grid")] if small else []
    return element(
        "section",
        element("h2", part.title, id=part.key),
        *(element("p", sentence) for sentence in part.prose),
        element("figure", *drawn) if drawn else Html(""),
        part.below,
        aria_labelledby=part.key,
    )


def _remake(result: StatesResult, command: str) -> Html:
    fields = dataclasses.fields(result.config)
    rows = [(f.name, setting(getattr(result.config, f.name))) for f in fields]
    return element(
        "section",
        element("h2", "Make it again", id="remake"),
        element("pre", element("code", command), tabindex="0"),
        table("Choices", [Column("Name", numeric=False), Column("Value", numeric=False)], rows),
        aria_labelledby="remake",
    )
