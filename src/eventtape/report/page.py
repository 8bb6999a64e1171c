"""One self-contained HTML page from a result: nothing is fetched, so it can be mailed and kept."""

from __future__ import annotations

import base64
from functools import cache
from importlib import resources
from pathlib import Path

from bokeh.document import Document
from bokeh.embed import components
from bokeh.model import Model
from bokeh.resources import Resources

from eventtape import figures
from eventtape.clock import format_ns
from eventtape.report import tables
from eventtape.report.html import Html, badge, element, join
from eventtape.report.section import Section
from eventtape.report.sections import sections
from eventtape.studies import DiffusionResult
from eventtape.studies.findings import findings
from eventtape.wholefile import write_whole

__all__ = ["BANNER", "banner", "render", "whole_page", "write_report"]

BANNER = "SIMULATED DATA"
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<rect width="16" height="16" rx="3" fill="#0072B2"/>'
    '<path d="M2 11h4l2-6 2 4h4" fill="none" stroke="#fff" stroke-width="1.6"/></svg>'
)
# A second lock on the promise that nothing is fetched: the browser refuses, whatever a script asks.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)


def render(result: DiffusionResult, *, command: str = "eventtape diffusion") -> str:
    """The page as text; ``command`` is what a reader types to make it again."""
    parts = sections(result)
    drawn: dict[str, Model] = {
        f"{part.key}-{i}": fig
        for part in parts
        for i, fig in enumerate((*part.wide, *part.small, *part.last))
    }
    document = Document(theme=figures.theme())
    with document.models.freeze():  # else each figure added walks through all before it
        for fig in drawn.values():
            document.add_root(fig)
    script, boxes = components(drawn)
    name = f"{BANNER}: {result.event.title}" if result.simulated else result.event.title
    said = "Every number and picture below comes from a random generator: no number here is a "
    return whole_page(
        name,
        banner(f"{said}market's.") if result.simulated else Html(""),
        element("header", _heading(result), _contents(parts)),
        element(
            "main",
            _findings(result),
            *(_section(part, boxes) for part in parts),
            _inputs(result),
            _remake(result, command),
        ),
        Html(script),
    )


def write_report(
    result: DiffusionResult, path: str | Path, *, command: str = "eventtape diffusion"
) -> Path:
    """Write the page and return its path; a failure on the way leaves what was there before."""
    return write_whole(path, render(result, command=command))


def whole_page(title: str, *body: str) -> str:
    """A whole document: title, style, icon and Bokeh's script in its head, ``body`` below."""
    head = element(
        "head",
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light">'),
        element("title", f"{title} · eventtape"),
        Html(f'<link rel="icon" href="{_icon()}">'),
        Html(f"<style>{_style()}</style>"),
        Html(_bokeh()),
    )
    return f"<!doctype html>\n{element('html', head, element('body', *body), lang='en')}\n"


def banner(*said: str) -> Html:
    """The bar at the top of a page of simulated data, and what it says."""
    return element("div", element("strong", BANNER), " ", *said, class_="banner", role="alert")


def _heading(result: DiffusionResult) -> Html:
    event = result.event
    start, end = (
        format_ns(ns, seconds=False).replace("T", " ").removesuffix("Z")
        for ns in (event.start_ns, event.end_ns)
    )
    facts = [
        ("Event", event.title),
        ("Outcome", f"the probability is that {event.outcome}, as quoted by {event.primary}"),
        ("Window", f"{start} to {end} UTC"),
        ("Data", "simulated" if result.simulated else "real"),
        ("Note", event.note),
    ]
    rows = [join([element("dt", k), element("dd", v)]) for k, v in facts if v]
    return join(
        [
            element("h1", "How the news reached the markets"),
            element("dl", *rows, class_="facts"),
        ]
    )


def _contents(parts: tuple[Section, ...]) -> Html:
    links = [("findings", "Findings")]
    links += [link for part in parts for link in ((part.key, part.title), *part.marks)]
    links += [("inputs", "Inputs"), ("remake", "Make it again")]
    items = [element("li", element("a", title, href=f"#{key}")) for key, title in links]
    return element("nav", element("ul", *items), aria_label="Contents")


def _findings(result: DiffusionResult) -> Html:
    items = [
        element("li", badge(found.status), " ", element("span", found.text))
        for found in findings(result)
    ]
    script_off = element(
        "noscript",
        element("p", "Figures need JavaScript; every number they show is also in a table below."),
    )
    return element(
        "section",
        element("h2", "Findings", id="findings"),
        element(
            "p",
            "Gaps and moves are log returns. A badge other than ok means that the data do not "
            "support a number, and none is given.",
        ),
        element("ul", *items, class_="findings"),
        script_off,
        aria_labelledby="findings",
    )


def _section(part: Section, boxes: dict[str, str]) -> Html:
    charts = [Html(boxes[name]) for name in boxes if name.rpartition("-")[0] == part.key]
    wide, small = len(part.wide), len(part.small)
    layout = [
        element("div", *charts[:wide], class_="wide"),
        element("div", *charts[wide : wide + small], class_="grid"),
        element("div", *charts[wide + small :], class_="wide"),
    ]
    figure_ = element(
        "figure",
        *(box for box, n in zip(layout, (wide, small, len(part.last)), strict=True) if n),
        element("figcaption", part.caption),
    )
    return element(
        "section",
        element("h2", part.title, id=part.key),
        *(element("p", sentence) for sentence in part.prose),
        part.note,
        figure_ if charts else Html(""),
        part.below,
        aria_labelledby=part.key,
    )


def _inputs(result: DiffusionResult) -> Html:
    return element(
        "section",
        element("h2", "Inputs", id="inputs"),
        element(
            "p",
            "Every feed as it was met. The true time of a record lies within the stamp uncertainty "
            "before its stamp.",
        ),
        tables.input_table(result),
        aria_labelledby="inputs",
    )


def _remake(result: DiffusionResult, command: str) -> Html:
    return element(
        "section",
        element("h2", "Make it again", id="remake"),
        element("p", "The same tape and the same choices give the same numbers."),
        element("pre", element("code", command), tabindex="0"),
        tables.config_table(result),
        aria_labelledby="remake",
    )


@cache
def _style() -> str:
    return (resources.files("eventtape.report") / "page.css").read_text(encoding="utf-8")


@cache
def _bokeh() -> str:
    """Bokeh's own script, the core only: the figures use no widget, table or TeX.

    Taken raw: a rendered bundle would also hold links to the extensions of whatever library with
    models of its own, such as Panel, the process happens to have imported.
    """
    scripts = Resources(mode="inline", components=["bokeh"]).js_raw
    return "\n".join(f'<script type="text/javascript">\n{one}\n</script>' for one in scripts)


def _icon() -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(ICON.encode()).decode()}"
