"""One self-contained page of the panel study: findings, map of pairs, speeds, groups, tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import polars as pl
from bokeh.document import Document
from bokeh.embed import components
from bokeh.model import Model

from eventtape import figures
from eventtape.clock import format_ns
from eventtape.figures.panel_leadership import group_figures, pair_map, speed_figures
from eventtape.report import panel_tables
from eventtape.report.cells import setting
from eventtape.report.html import Html, badge, element, join, table
from eventtape.report.page import BANNER, banner, whole_page
from eventtape.studies.findings import minutes
from eventtape.studies.panel_findings import (
    findings,
    placebo_sentence,
    sessions_words,
)
from eventtape.studies.panel_leadership_rows import PanelLeadership
from eventtape.wholefile import write_whole

__all__ = ["render_panel", "write_panel_report"]

_Part = tuple[str, str, pl.DataFrame, Callable[[PanelLeadership], Html]]
_PROSE = {
    "pairs": "A leader is named where two prices share one trend, the bounds of the information "
    "share are no wider than one half, and the interval of PILS leaves equality. Both tests are "
    "adjusted for all pairs asked: the choice false_discovery governs that of one trend, one less "
    "level that of equality. Grey is a refusal, not a tie: two companies share no trend, and then "
    "the question who leads has no answer. PILS compares speeds alone; information and component "
    "shares also fall with a price's own noise, so they may name the quieter and not the faster.",
    "identities": "Prices of one security keep together by identity, so the relation is imposed "
    "and not estimated; where the data say that the two drift apart nobody is named. Two share "
    "classes have no identity: their relation is used only where it is found and not rejected.",
    "speeds": "Speed is the part of the long-run response to a permanent shock that arrives in the "
    "row of the shock: 1 at once, below 1 late, above 1 too far at first. A leader is named by the "
    "difference to the factor's own speed.",
    "groups": "The speed of a group is the slope of its members' responses at once on those in the "
    "long run. Regimes are ranges of the probability.",
    "resolution": "The same pairs at coarser steps. A lead shorter than the step is lost, and the "
    "bounds then say so by their width.",
    "panel": "Gives and takes are shares of the variance of forecasts {horizon} rows ahead: what a "
    "series sends to the others, what it has from them, and the first less the second. Moving "
    "together is not leading. A forecast that helps may be a third series, or a price that stands "
    "still.",
}


def render_panel(result: PanelLeadership, *, command: str = "eventtape leadership") -> str:
    """The page as text; ``command`` is what a reader types to make it again."""
    charts: dict[str, Model] = {}
    if (drawn := pair_map(result)) is not None:
        charts["pairs-0"] = drawn
    charts |= {f"speeds-{i}": fig for i, fig in enumerate(speed_figures(result))}
    charts |= {f"groups-{i}": fig for i, fig in enumerate(group_figures(result))}
    document = Document(theme=figures.theme())
    for fig in charts.values():
        document.add_root(fig)
    script, boxes = components(charts) if charts else ("", {})
    return whole_page(
        f"{BANNER}: who moves first" if result.simulated else "Who moves first",
        _banner(result),
        element("header", element("h1", "Who moves first"), _facts(result), _contents(result)),
        element("main", _findings(result), *_sections(result, boxes), _remake(result, command)),
        Html(script),
    )


def write_panel_report(
    result: PanelLeadership, path: str | Path, *, command: str = "eventtape leadership"
) -> Path:
    """Write the page and return its path; a failure on the way leaves what was there before."""
    return write_whole(path, render_panel(result, command=command))


def _banner(result: PanelLeadership) -> Html:
    if not result.simulated:
        return Html("")
    said = "Every number and picture below comes from a random generator, none is a market's."
    truth = element("p", f"Truth: {result.truth}") if result.truth else Html("")
    return banner(said, truth)


def _facts(result: PanelLeadership) -> Html:
    facts = [
        ("Series", ", ".join(result.series["name"])),
        ("Window", f"{_clock(result.from_ns)} to {_clock(result.to_ns)} UTC"),
        ("Step", f"{minutes(result.step_s)}, {sessions_words(result)}"),
        ("Data", result.data),
    ]
    rows = [join([element("dt", name), element("dd", text)]) for name, text in facts]
    return element("dl", *rows, class_="facts")


def _findings(result: PanelLeadership) -> Html:
    items = [
        element("li", badge(found.status), " ", element("span", found.text))
        for found in findings(result)
    ]
    off = "Figures need JavaScript; every number they show is also in a table below."
    return element(
        "section",
        element("h2", "Findings", id="findings"),
        element("ul", *items, class_="findings"),
        element("noscript", element("p", off)),
        aria_labelledby="findings",
    )


def _contents(result: PanelLeadership) -> Html:
    links = [("findings", "Findings"), *((key, title) for key, title, *_ in _parts(result))]
    items = [
        element("li", element("a", title, href=f"#{key}"))
        for key, title in (*links, ("remake", "Make it again"))
    ]
    return element("nav", element("ul", *items), aria_label="Contents")


def _parts(result: PanelLeadership) -> list[_Part]:
    parts = [
        ("pairs", "Pairs of prices", result.pairs, panel_tables.pair_table),
        (
            "identities",
            "One security, several quotes",
            result.identities,
            panel_tables.identity_table,
        ),
        ("speeds", "Speeds", result.speeds, panel_tables.speed_table),
        ("groups", "Groups and regimes", result.groups, panel_tables.group_tables),
        ("resolution", "Resolution", result.resolution, panel_tables.resolution_table),
        ("panel", "The panel as a whole", result.spillovers, panel_tables.whole_panel),
    ]
    return [part for part in parts if part[2].height]


def _sections(result: PanelLeadership, boxes: dict[str, str]) -> list[Html]:
    return [
        _section(result, key, title, boxes, shown(result))
        for key, title, _, shown in _parts(result)
    ]


def _section(
    result: PanelLeadership, key: str, title: str, boxes: dict[str, str], below: Html
) -> Html:
    drawn = [Html(box) for name, box in boxes.items() if name.rpartition("-")[0] == key]
    kind = "wide" if key == "pairs" else "grid"
    methods = {"pairs": ("pairs",), "speeds": ("speeds",), "panel": ("granger",)}.get(key)
    return element(
        "section",
        element("h2", title, id=key),
        element("p", _PROSE[key].format(horizon=result.config.horizon)),
        _undrawn(result) if key == "pairs" and not drawn else Html(""),
        element("figure", element("div", *drawn, class_=kind)) if drawn else Html(""),
        _placebo(result, methods) if methods and result.placebo.height else Html(""),
        below,
        aria_labelledby=key,
    )


def _undrawn(result: PanelLeadership) -> Html:
    n = result.pairs.height
    return element("p", f"Nobody is named in {n:,} pairs: a map of them would be grey throughout.")


def _placebo(result: PanelLeadership, methods: tuple[str, ...]) -> Html:
    return element("p", placebo_sentence(result, methods), class_="warning")


def _remake(result: PanelLeadership, command: str) -> Html:
    fields = dataclasses.fields(result.config)
    rows = [(f.name, setting(getattr(result.config, f.name))) for f in fields]
    return element(
        "section",
        element("h2", "Make it again", id="remake"),
        element("pre", element("code", command), tabindex="0"),
        table("Choices", panel_tables.columns(["Name", "Value"], text=(0, 1)), rows),
        aria_labelledby="remake",
    )


def _clock(ns: int) -> str:
    return format_ns(ns, seconds=False).replace("T", " ").removesuffix("Z")
