"""One self-contained page of the event premium: the answer, the kink, the table, what is open."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import NamedTuple

from bokeh.document import Document
from bokeh.embed import components
from bokeh.model import Model
from bokeh.plotting import figure

from eventtape import figures
from eventtape.figures.premium import bucket_figure, strip_figure, term_figure
from eventtape.figures.premium_markets import cuts_figure, market_figure, ridge_figure
from eventtape.figures.premium_slider import slider_figure, slider_of
from eventtape.figures.premium_time import (
    changes_figure,
    history_figure,
    odds_figure,
    spread_figure,
)
from eventtape.report import premium_tables as tables
from eventtape.report.cells import clock, setting
from eventtape.report.html import Column, Html, badge, element, join, table
from eventtape.report.page import BANNER, banner, whole_page
from eventtape.report.premium_slider import slider_box, slider_script, slider_style
from eventtape.studies.premium_findings import findings
from eventtape.studies.premium_rows import PremiumResult, PremiumRow
from eventtape.studies.words import named
from eventtape.wholefile import write_whole

__all__ = ["MOST_DRAWN", "render_premium", "write_premium"]

MOST_DRAWN = 6  # markets with figures of their own; the tables have all
_MOST_SPREADS = 4
_TITLE = "What options pay for an event"
_SIZE = (
    "A size is one standard deviation of the log return that the event alone makes, under the "
    "pricing measure. Variances add: the day of the event moves by the root of size squared and "
    "an ordinary day squared, not by their sum. The mean move is the size times 0.80."
)
_TERM = (
    "Options that expire after an event hold its variance, those before it do not: the kink. The "
    "fit takes a smooth base and a jump of variance at each event; the band is the base, and so "
    "what the volatility would be without the events. Expiries stand side by side, so distances "
    "across are not times."
)
_BUCKETS = (
    "The variance between one expiry and the next, per day of it. What a bucket has beyond its "
    "neighbours is the event's. A bar below zero is a base that falls, which no market could be."
)
_STRIP = (
    "The same by hand: one size for all expiries after the event, at the table's size and a point "
    "to either side. Too small leaves a bump, too large a hole. A curve ends where the size takes "
    "more variance than the expiry holds."
)
_SLIDER = (
    "Move the size and look for the kink to go. The green bar above the slider is the interval of "
    "the fit, the tick its estimate. Roughness counts changes of slope, so it is lowest where the "
    "curve is straightest. The fit does not minimise it: it also weighs the errors of the quotes."
)
_RIDGE = (
    "No expiry lies between these events, so every pair of sizes on the line fits the same quotes. "
    "Only the sum is known; reading one of them off is an assumption, not a result."
)
_TIME = (
    "The fixed base takes the ordinary day of the last snapshot for all times, so it errs by as "
    "much as the ordinary day has changed; the moving base takes each time's own. Both are of all "
    "events in the bucket of that expiry. Grey ground was not quoted."
)
_ODDS = (
    "Two series that wander look related by chance: of levels read the number of independent pairs "
    "they are worth, and of changes the interval. Neither says which moved the other. Coloured "
    "ground is where the two parted by more than unrelated series do."
)
_SPREADS = (
    "Far less near volatility, with its mean. The dashed line is a mean to return to only where a "
    "random walk is excluded. Ranks choose, they do not test: of many expiries one is always "
    "cheapest."
)
_MARKETS = (
    "The event beside each market's own ordinary day. On the 252 basis a session carries the "
    "variance of 365/252 days, so the ratio is smaller; compare markets on one basis."
)
_CUTS = "What the market expects of the policy rate: a reason for a far expiry, not a number of it."
_LIMITS = (
    "Risk-neutral: what options pay for a move. Realised moves have been smaller on average.",
    "Only listed expiries speak: an event that none parts from another has no size of its own.",
    "An event after the last expiry has no size at all.",
    "The base is taken to be smooth: a hump of it just after the event is read as the event's.",
    "At-the-money volatility alone is used: a skewed event's wings are not in these numbers.",
    "An event has a size and no direction here.",
)


class _Part(NamedTuple):
    key: str
    title: str
    prose: tuple[str, ...]
    charts: tuple[figure, ...]
    below: Html
    grid: bool = False  # figures beside one another where there is room
    boxes: tuple[Html, ...] = ()  # what stands above each figure


def render_premium(result: PremiumResult, *, command: str = "eventtape premium") -> str:
    """The page as text; ``command`` is what a reader types to make it again."""
    parts = _parts(result)
    charts: dict[str, Model] = {
        f"{p.key}-{i}": fig for p in parts for i, fig in enumerate(p.charts)
    }
    document = Document(theme=figures.theme())
    with document.models.freeze():  # else each figure added walks through all before it
        for fig in charts.values():
            document.add_root(fig)
    script, boxes = components(charts) if charts else ("", {})
    return whole_page(
        f"{BANNER}: {_TITLE.lower()}" if result.simulated else _TITLE,
        _banner(result),
        slider_style(),
        element("header", element("h1", _TITLE), _facts(result), _contents(parts)),
        element(
            "main",
            _findings(result),
            *(_section(part, boxes) for part in parts),
            _limits(result),
            _remake(result, command),
        ),
        Html(script),
        slider_script(),
    )


def write_premium(
    result: PremiumResult, path: str | Path, *, command: str = "eventtape premium"
) -> Path:
    """Write the page and return its path; a failure on the way leaves what was there before."""
    return write_whole(path, render_premium(result, command=command))


def _parts(result: PremiumResult) -> list[_Part]:
    drawn = result.rows[:MOST_DRAWN]
    parts = [_terms(result, drawn), _slider(result, drawn), _table(result, drawn)]
    parts.append(_ridges(result, drawn))
    parts.append(_buckets(result, drawn))
    parts += [_time(result, drawn), _odds(result, drawn), _spreads(result, drawn)]
    if result.market is not None:
        chart = market_figure(result.market, result)
        below = tables.market_table(result)
        parts.append(_Part("markets", "Market by market", (_MARKETS,), (chart,), below))
    if result.cuts:
        chart = cuts_figure(result.cuts, result)
        below = tables.cuts_table(result)
        parts.append(_Part("cuts", "Rate cuts by quarter", (_CUTS,), (chart,), below))
    return [part for part in parts if part.charts or part.below]


def _terms(result: PremiumResult, drawn: tuple[PremiumRow, ...]) -> _Part:
    prose = [_SIZE, _TERM]
    if len(result.rows) > len(drawn):
        prose.append(f"Figures of the first {len(drawn)} of {len(result.rows)} markets.")
    below = [tables.size_table(result), tables.kind_table(result), tables.named_table(result)]
    below += [tables.term_table(row, result) for row in result.rows]
    below.append(tables.event_table(result))
    charts = tuple(term_figure(row, result) for row in drawn)
    return _Part("term", "The term structure and its kink", tuple(prose), charts, join(below))


def _slider(result: PremiumResult, drawn: tuple[PremiumRow, ...]) -> _Part:
    charts, boxes = [], []
    for i, row in enumerate(drawn):
        slider = slider_of(row)
        if slider is not None:
            name = f"stripped {i}"
            charts.append(slider_figure(row, result, slider, name=name))
            boxes.append(slider_box(slider, name, str(i)))
    prose = (_SLIDER,)
    return _Part(
        "slider", "Take the event out yourself", prose, tuple(charts), Html(""), boxes=tuple(boxes)
    )


def _table(result: PremiumResult, drawn: tuple[PremiumRow, ...]) -> _Part:
    rows = [row for row in drawn if row.strips]
    charts = tuple(strip_figure(row, result) for row in rows)
    below = join([tables.strip_tables(row) for row in rows])
    return _Part("strip", "The table by hand", (_STRIP,), charts, below)


def _ridges(result: PremiumResult, drawn: tuple[PremiumRow, ...]) -> _Part:
    charts = tuple(
        ridge_figure(row, ridge, result) for row in drawn for ridge in row.premium.ridges
    )
    title = "Events that are one number"
    return _Part("ridges", title, (_RIDGE,), charts, tables.ridge_table(result), grid=True)


def _buckets(result: PremiumResult, drawn: tuple[PremiumRow, ...]) -> _Part:
    charts = tuple(bucket_figure(row, result) for row in drawn)
    below = tables.refused_table(result)
    return _Part("buckets", "Where the variance is", (_BUCKETS,), charts, below)


def _time(result: PremiumResult, drawn: tuple[PremiumRow, ...]) -> _Part:
    prose = [_TIME]
    if any(
        row.series is not None and row.series.dynamic.ts_ns.size > tables.MOST_TIMES
        for row in drawn
    ):
        prose.append(f"The first {tables.MOST_TIMES} of each table; the files have all.")
    charts = [history_figure(row, row.series, result) for row in drawn if row.series is not None]
    below = join([tables.history_table(row) for row in drawn])
    return _Part("history", "The premium through time", tuple(prose), tuple(charts), below)


def _odds(result: PremiumResult, drawn: tuple[PremiumRow, ...]) -> _Part:
    charts: list[figure] = []
    for row in drawn:
        if row.odds is None:
            continue
        if row.odds.ts_ns.size > 1:
            charts.append(odds_figure(row, row.odds, result))
            charts.append(changes_figure(row, row.odds, result))
    below = join([tables.odds_table(row) for row in drawn])
    title = "The premium and the odds"
    return _Part("odds", title, (_ODDS,), tuple(charts), below, grid=True)


def _spreads(result: PremiumResult, drawn: tuple[PremiumRow, ...]) -> _Part:
    charts = []
    for row in drawn:
        order = [] if row.far is None else row.far.expiries_ns.tolist()
        place = {expiry: i for i, expiry in enumerate(order)}
        best = sorted(row.spreads, key=lambda s: place.get(s.far_ns, len(place)))
        charts += [spread_figure(row, s, result) for s in best[:_MOST_SPREADS]]
    below = join([tables.far_table(row) for row in drawn])
    title = "Far expiries and their spreads"
    prose = [_SPREADS]
    if any(len(row.spreads) > _MOST_SPREADS for row in drawn):
        prose.append(f"Figures of the first {_MOST_SPREADS}; the table has all.")
    return _Part("spreads", title, tuple(prose), tuple(charts), below, grid=True)


def _banner(result: PremiumResult) -> Html:
    if not result.simulated:
        return Html("")
    said = "Every number and picture below comes from a random generator, none is a market's."
    truths = dict.fromkeys(row.truth.words for row in result.rows if row.truth is not None)
    return banner(said, *(element("div", f"Truth: {words}.") for words in truths if words))


def _facts(result: PremiumResult) -> Html:
    times = sorted({row.term.at_ns for row in result.rows})
    looked = dict.fromkeys(
        f"{row.focus.name or row.focus.kind} ({row.focus.kind})"
        for row in result.rows
        if row.focus is not None
    )
    facts: list[tuple[str, str]] = [
        ("Event", ", ".join(looked) or "none inside"),
        ("Market", named([row.label for row in result.rows], 8)),
        ("Data", result.data),
    ]
    if times:
        ends = [clock(times[0]), *([clock(times[-1])] if len(times) > 1 else [])]
        facts.insert(1, ("As of", join([Html(" to ".join(ends)), " UTC"])))
    read = [note for note in result.notes if not note.startswith("Truth")]  # the banner has it
    facts += [("Read", note) for note in read]
    rows = [join([element("dt", name), element("dd", text)]) for name, text in facts if text]
    return element("dl", *rows, class_="facts")


def _contents(parts: list[_Part]) -> Html:
    links = [("findings", "Findings"), *((part.key, part.title) for part in parts)]
    links += [("limits", "Limits"), ("remake", "Make it again")]
    items = [element("li", element("a", title, href=f"#{key}")) for key, title in links]
    return element("nav", element("ul", *items), aria_label="Contents")


def _findings(result: PremiumResult) -> Html:
    items = [element("li", badge(f.status), " ", element("span", f.text)) for f in findings(result)]
    off = "Figures and the slider need JavaScript; their numbers are also in the tables below."
    return element(
        "section",
        element("h2", "Findings", id="findings"),
        element("ul", *items, class_="findings"),
        element("noscript", element("p", off)),
        aria_labelledby="findings",
    )


def _section(part: _Part, boxes: dict[str, str]) -> Html:
    charts = [Html(boxes[f"{part.key}-{i}"]) for i in range(len(part.charts))]
    if part.boxes:
        charts = [c for pair in zip(part.boxes, charts, strict=True) for c in pair]
    beside = part.grid and len(part.charts) > 1
    drawn = element("div", *charts, class_="grid" if beside else "wide")
    return element(
        "section",
        element("h2", part.title, id=part.key),
        *(element("p", sentence) for sentence in part.prose),
        element("figure", drawn) if charts else Html(""),
        part.below,
        aria_labelledby=part.key,
    )


def _limits(result: PremiumResult) -> Html:
    said = list(_LIMITS)
    weights = [row.premium.weekend for row in result.rows if math.isfinite(row.premium.weekend)]
    if weights:
        said.append("Saturdays and Sundays share one weight, and holidays have none of their own.")
    return element(
        "section",
        element("h2", "Limits", id="limits"),
        element("ul", *(element("li", one) for one in said)),
        aria_labelledby="limits",
    )


def _remake(result: PremiumResult, command: str) -> Html:
    fields = dataclasses.fields(result.config)
    rows = [(f.name, setting(getattr(result.config, f.name))) for f in fields]
    return element(
        "section",
        element("h2", "Make it again", id="remake"),
        element("pre", element("code", command), tabindex="0"),
        table("Choices", [Column("Name", numeric=False), Column("Value", numeric=False)], rows),
        aria_labelledby="remake",
    )
