"""One self-contained page of the panel study: findings, map of pairs, speeds, groups, tables."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import polars as pl
from bokeh.document import Document
from bokeh.embed import components
from bokeh.model import Model
from bokeh.resources import Resources

from eventtape import figures
from eventtape.clock import format_ns
from eventtape.estimators.discovery.refusals import Reason
from eventtape.figures.panel_leadership import group_figures, pair_map, speed_figures
from eventtape.report.cells import DASH, setting
from eventtape.report.html import Column, Html, badge, element, join, table
from eventtape.report.page import BANNER, POLICY
from eventtape.studies.findings import minutes
from eventtape.studies.panel_findings import (
    findings,
    p_words,
    placebo_sentence,
    reasons,
    sessions_words,
)
from eventtape.studies.panel_leadership_rows import PanelLeadership
from eventtape.wholefile import write_whole

__all__ = ["render_panel", "write_panel_report"]

_Part = tuple[str, str, pl.DataFrame, Callable[[PanelLeadership], Html]]
_SHARED = (Reason.NONE, Reason.EQUAL, Reason.WIDE)  # one relation was found
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
    style = (resources.files("eventtape.report") / "page.css").read_text(encoding="utf-8")
    title = f"{BANNER}: who moves first" if result.simulated else "Who moves first"
    head = element(
        "head",
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light">'),
        Html('<link rel="icon" href="data:,">'),
        element("title", f"{title} · eventtape"),
        Html(f"<style>{style}</style>"),
        Html(str(Resources(mode="inline", components=["bokeh"]).render())),
    )
    body = element(
        "body",
        _banner(result),
        element("header", element("h1", "Who moves first"), _facts(result)),
        _contents(result),
        element("main", _findings(result), *_sections(result, boxes), _remake(result, command)),
        Html(script),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def write_panel_report(
    result: PanelLeadership, path: str | Path, *, command: str = "eventtape leadership"
) -> Path:
    """Write the page and return its path; a failure on the way leaves what was there before."""
    return write_whole(path, render_panel(result, command=command))


def _banner(result: PanelLeadership) -> Html:
    if not result.simulated:
        return Html("")
    said = " Every number and picture below comes from a random generator, none is a market's."
    truth = element("p", f"Truth: {result.truth}") if result.truth else Html("")
    return element("div", element("strong", BANNER), said, truth, class_="banner", role="alert")


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
        ("pairs", "Pairs of prices", result.pairs, _pair_table),
        ("identities", "One security, several quotes", result.identities, _identity_table),
        ("speeds", "Speeds", result.speeds, _speed_table),
        ("groups", "Groups and regimes", result.groups, _group_tables),
        ("resolution", "Resolution", result.resolution, _resolution_table),
        ("panel", "The panel as a whole", result.spillovers, _panel_tables),
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


def _pair_table(result: PanelLeadership) -> Html:
    """Pairs that share one trend; the refused ones folded away, with the reasons counted above."""
    shares = pl.col("leader").is_not_null() | pl.col("pils_lower").is_not_null()
    known, refused = result.pairs.filter(shares), result.pairs.filter(~shares)
    parts = [_pair_rows(known, "Pairs that share one trend")] if known.height else []
    if refused.height:
        counted = ", ".join(f"{n} {why}" for why, n in reasons(refused))
        parts.append(
            element(
                "details",
                element("summary", f"{refused.height} pairs refused: {counted}"),
                _pair_rows(refused, "Pairs refused"),
            )
        )
    return join(parts)


def _pair_rows(pairs: pl.DataFrame, caption: str) -> Html:
    columns = ["Pair", "Leader", "PILS of the first", "Interval", "Information share"]
    columns += ["Component share", "p of no relation", "Rows", "Why not"]
    rows = [
        (
            f"{r['first']} · {r['second']}",
            r["leader"] or DASH,
            _number(r["pils"]),
            _span(r["pils_lower"], r["pils_upper"]),
            _span(r["is_last"], r["is_first"]),
            _number(r["component"]),
            _p(r["p_none"]),
            f"{r['n_rows']:,}",
            r["reason"] or DASH,
        )
        for r in pairs.sort("leader", nulls_last=True).iter_rows(named=True)
    ]
    return table(caption, _columns(columns, text=(0, 1, 8)), rows)


def _identity_table(result: PanelLeadership) -> Html:
    columns = [
        "Pair",
        "Kind",
        "Leader",
        "Speeds",
        "Second less first",
        "Interval",
        "PILS of the first",
    ]
    columns += ["p of (1, -1)", "Why not"]
    rows = [
        (
            f"{r['first']} · {r['second']}",
            r["kind"],
            r["leader"] or DASH,
            f"{_number(r['speed_first'])}, {_number(r['speed_second'])}",
            _number(r["difference"], "+.2f"),
            _span(r["lower"], r["upper"]),
            _number(r["pils"]),
            _p(r["p_relation"]),
            r["reason"] or DASH,
        )
        for r in result.identities.iter_rows(named=True)
    ]
    return table("Pairs whose relation is known", _columns(columns, text=(0, 1, 2, 8)), rows)


def _speed_table(result: PanelLeadership) -> Html:
    columns = ["Asset", "Factor", "Speed", "Interval", "Less the factor's", "Its interval"]
    columns += ["q", "Leader", "Rows", "Why not"]
    rows = [
        (
            r["name"],
            r["factor"],
            _number(r["speed"]),
            _span(r["lower"], r["upper"]),
            _number(r["lead"], "+.2f"),
            _span(r["lead_lower"], r["lead_upper"]),
            _p(r["lead_q"]),
            r["leader"] or DASH,
            f"{r['n_rows']:,}",
            r["reason"] or DASH,
        )
        for r in result.speeds.iter_rows(named=True)
    ]
    return table("Speed of each asset for each factor", _columns(columns, text=(0, 1, 7, 9)), rows)


def _group_tables(result: PanelLeadership) -> Html:
    columns = ["Group", "Regime", "Factor", "Speed", "Interval", "Members", "Rows", "Why not"]
    rows = [
        (
            r["group"],
            r["regime"],
            r["factor"],
            _number(r["speed"]),
            _span(r["lower"], r["upper"]),
            f"{r['n_members']}",
            f"{r['n_rows']:,}",
            r["reason"] or DASH,
        )
        for r in result.groups.iter_rows(named=True)
    ]
    made = [table("Speed of each group", _columns(columns, text=(0, 1, 2, 7)), rows)]
    for held, frame, caption in (
        ("regime", result.group_differences, "Differences between groups"),
        ("group", result.regime_differences, "Differences between regimes"),
    ):
        if frame.height:
            made.append(_difference_table(frame, held, caption))
    return join(made)


def _difference_table(frame: pl.DataFrame, held: str, caption: str) -> Html:
    columns = ["First less second", held.capitalize(), "Factor", "Difference", "Interval", "q"]
    rows = [
        (
            f"{r['first']} less {r['second']}",
            r[held],
            r["factor"],
            _number(r["difference"], "+.2f"),
            _span(r["lower"], r["upper"]),
            _p(r["q_value"]),
        )
        for r in frame.iter_rows(named=True)
    ]
    return table(caption, _columns(columns, text=(0, 1, 2)), rows)


def _resolution_table(result: PanelLeadership) -> Html:
    """A row a pair that any step names or finds too coarse, a column a step."""
    frame = result.resolution
    steps = list(dict.fromkeys(frame["step_s"]))
    told = frame.filter(pl.col("leader").is_not_null() | pl.col("reason").is_in(_SHARED))
    pairs = list(dict.fromkeys(told.select("first", "second").iter_rows()))
    cells = {(r["first"], r["second"], r["step_s"]): r for r in frame.iter_rows(named=True)}
    rows = [
        (f"{a} · {b}", *(_resolution_cell(cells.get((a, b, step))) for step in steps))
        for a, b in pairs
    ]
    n = frame.select("first", "second").unique().height
    said = f"{len(pairs)} of {n} pairs share a trend at one step or more; the others are refused "
    said += "at every step."
    names = ["Pair", *(minutes(step) for step in steps)]
    made = table("Leader, PILS and width by step", _columns(names, text=range(len(names))), rows)
    return join([element("p", said), made if rows else Html("")])


def _resolution_cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return DASH
    width = f", width {_number(row['width'])}" if row["reason"] in _SHARED else ""
    if row["leader"]:
        first = row["leader"] == row["first"]
        share = row["pils"] if first else 1.0 - row["pils"]
        return f"{row['leader']} {share:.2f}{width}: {row['verdict']}"
    return f"{row['reason']}{width}: {row['verdict']}"


def _panel_tables(result: PanelLeadership) -> Html:
    columns = ["Series", "Gives", "Takes", "Net", "Interval", "Stands still", "Rows"]
    still = dict(result.series.select("name", "standing_still").iter_rows())
    rows = [
        (
            r["name"],
            _number(r["to"]),
            _number(r["from"]),
            _number(r["net"], "+.2f"),
            _span(r["net_lower"], r["net_upper"]),
            _number(still[r["name"]]),
            f"{r['n_rows']:,}",
        )
        for r in result.spillovers.iter_rows(named=True)
    ]
    made = [table("Shares of forecast variance", _columns(columns, text=(0,)), rows)]
    found = result.granger.filter("found")
    links = [
        (
            f"{r['cause']} helps to forecast {r['effect']}",
            _number(r["statistic"], ".1f"),
            _p(r["q_value"]),
        )
        for r in found.iter_rows(named=True)
    ]
    if links:
        made.append(table("Forecasts", _columns(["Edge", "F", "q"], text=(0,)), links))
    return join(made)


def _remake(result: PanelLeadership, command: str) -> Html:
    fields = dataclasses.fields(result.config)
    rows = [(f.name, setting(getattr(result.config, f.name))) for f in fields]
    columns = _columns(["Name", "Value"], text=(0, 1))
    return element(
        "section",
        element("h2", "Make it again", id="remake"),
        element("pre", element("code", command), tabindex="0"),
        table("Choices", columns, rows),
        aria_labelledby="remake",
    )


def _columns(names: list[str], *, text: Any) -> list[Column]:
    return [Column(name, numeric=i not in text) for i, name in enumerate(names)]


def _number(value: float | None, form: str = ".2f") -> str:
    return DASH if value is None or not math.isfinite(value) else f"{value:{form}}"


def _p(value: float | None) -> str:
    return DASH if value is None or not math.isfinite(value) else p_words(value)


def _span(lower: float | None, upper: float | None) -> str:
    if lower is None or upper is None:
        return DASH
    return "no end" if math.isinf(lower) and math.isinf(upper) else f"{lower:.2f} to {upper:.2f}"


def _clock(ns: int) -> str:
    return format_ns(ns, seconds=False).replace("T", " ").removesuffix("Z")
