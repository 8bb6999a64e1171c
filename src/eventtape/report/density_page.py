"""One self-contained page of the densities: findings, the surface, each expiry, tables."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

from bokeh.document import Document
from bokeh.embed import components
from bokeh.model import Model

from eventtape import figures
from eventtape.clock import format_ns
from eventtape.figures.density import cdf_figure, density_figure
from eventtape.figures.density_surface import ridge_figure, term_figure, variance_figure
from eventtape.figures.smile import smile_figure
from eventtape.figures.style import NARROW, WIDE
from eventtape.report import density_tables as tables
from eventtape.report.cells import setting
from eventtape.report.html import Column, Html, badge, element, join, table
from eventtape.report.page import BANNER, banner, whole_page
from eventtape.studies.densities_findings import findings
from eventtape.studies.densities_rows import ChainDensity, DensitiesResult
from eventtape.studies.words import named
from eventtape.wholefile import write_whole

__all__ = ["MOST_DRAWN", "render_densities", "write_density_report"]

MOST_DRAWN = 24  # expiries with figures of their own; the tables and files have all
_PAIRED = NARROW + 70  # height of a figure that stands beside another, pixels
_TITLE = "The law that options give the price"
_SMILE = (
    "Each bar is a quote, from bid to ask, as the volatility at which Black's formula has that "
    "price; American options have their early-exercise premium taken off first. Hollow marks were "
    "left out, and the pointer says why. The line is fitted to the bars by their own errors."
)
_DENSITY = (
    "The density is read from the smile in closed form. It is the law under which the quotes are "
    "fair, with what investors pay for insurance in it, and not a forecast. Nothing is clipped: a "
    "density below 0 is arbitrage, and shows. In the shaded ranges nobody quotes; there the line "
    "follows flat wings, which is an assumption."
)
_SURFACE = (
    "Densities are drawn to one height each. Total variance may not fall from one expiry to the "
    "next at any log-moneyness: where two lines cross, a calendar spread costs less than nothing."
)
_ARBITRAGE = (
    "Of the fitted smiles. A violation is given in its own standard errors: below two it is within "
    "what the quotes leave open, beyond it is in the quotes. One density below 0 fails up to five "
    "checks at once (butterfly, negative mass, distribution, call spread)."
)
_QUOTED = (
    "Of the quotes as they are listed, before any model: trades at bid and ask that lock in a gain "
    "before fees. Most are stale quotes."
)
_CHECKS = (
    "Other laws fitted to the same quotes. The distance is the integral of the gap between the two "
    "densities, from 0 (the same) to 2 (nothing in common)."
)
_REPAIR = (
    "The nearest smile whose density is nowhere negative, as a second answer: what it removed and "
    "what it moved. Calendar arbitrage is not mended."
)


class _Part(NamedTuple):
    key: str
    title: str
    prose: tuple[str, ...]
    wide: tuple[Model, ...]
    small: tuple[Model, ...]
    below: Html


def render_densities(result: DensitiesResult, *, command: str = "eventtape density") -> str:
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


def write_density_report(
    result: DensitiesResult, path: str | Path, *, command: str = "eventtape density"
) -> Path:
    """Write the page and return its path; a failure on the way leaves what was there before."""
    return write_whole(path, render_densities(result, command=command))


def _parts(result: DensitiesResult) -> list[_Part]:
    parts = [_summary(result)]
    surfaces = [result.of(surface.underlying) for surface in result.surfaces]
    several = [chains for chains in surfaces if len(chains) > 1]
    if several:
        parts.append(_surface(result, several))
    parts.append(_each(result))
    if result.found:
        parts.append(_arbitrage(result))
        parts.append(_beyond(result))
    if result.config.checks and result.found:
        parts.append(_part("checks", "Cross-checks", _CHECKS, tables.cross_table(result)))
    if result.config.repair and result.found:
        parts.append(_part("repair", "Repair", _REPAIR, tables.repair_table(result)))
    parts.append(
        _part(
            "quotes",
            "Quotes",
            "Every quote given, and what became of it.",
            tables.fate_table(result),
        )
    )
    return parts


def _part(key: str, title: str, prose: str, below: Html) -> _Part:
    return _Part(key, title, (prose,), (), (), below)


def _summary(result: DensitiesResult) -> _Part:
    prose = (
        "Forward with its standard error, the volatility at it, and the prices below which the "
        f"law puts {named([f'{100 * p:g}%' for p in result.config.probabilities], 9)} of its "
        "probability, with standard errors."
    )
    shown = [tables.law_table(result), tables.trust_table(result)] if result.found else []
    if any(not chain.found for chain in result.chains):
        shown.append(tables.refused_table(result))
    below = join(shown)
    return _part("laws", "Each expiry in numbers", prose, below)


def _surface(result: DensitiesResult, several: list[tuple[ChainDensity, ...]]) -> _Part:
    wide: list[Model] = []
    for chains in several:
        wide += [ridge_figure(chains, result), variance_figure(chains, result)]
    terms = [term_figure(chains, result) for chains in several]
    if len(terms) == 1:
        return _Part("surface", "All expiries together", (_SURFACE,), (*wide, *terms), (), Html(""))
    return _Part(
        "surface", "All expiries together", (_SURFACE,), tuple(wide), tuple(terms), Html("")
    )


def _each(result: DensitiesResult) -> _Part:
    drawn = result.chains[:MOST_DRAWN]
    prose = [_SMILE, _DENSITY]
    if len(result.chains) > len(drawn):
        prose.append(
            f"Figures of the first {len(drawn)} of {len(result.chains)} expiries; choose others "
            "with --underlying and --expiry. The tables and the files have all."
        )
    wide: tuple[Model, ...] = ()
    small: tuple[Model, ...]
    if len(drawn) == 1:
        only = drawn[0]
        wide = (smile_figure(only, result, height=WIDE), density_figure(only, result, height=WIDE))
        small = (cdf_figure(only, result),)
    else:
        each = (smile_figure, density_figure)
        small = tuple(draw(chain, result, height=_PAIRED) for chain in drawn for draw in each)
    return _Part("expiries", "Smile and density", tuple(prose), wide, small, Html(""))


def _arbitrage(result: DensitiesResult) -> _Part:
    below = tables.arbitrage_table(result)
    quoted = tables.locked_in_table(result)
    return _Part(
        "arbitrage",
        "Arbitrage",
        (_ARBITRAGE,),
        (),
        (),
        join([below, element("p", _QUOTED), quoted]),
    )


def _beyond(result: DensitiesResult) -> _Part:
    prose = (
        "Probability beyond the first and last strike used, the share of the variance of the log "
        "return that comes from there, and the flat volatility that the wings go over into."
    )
    return _part("tails", "Tails and moments", prose, join([
        tables.tail_table(result), tables.moment_table(result),
    ]))  # fmt: skip


def _banner(result: DensitiesResult) -> Html:
    if not result.simulated:
        return Html("")
    said = "Every number and picture below comes from a random generator, none is a market's."
    truths = [element("div", note) for note in result.notes if note.startswith("Truth")]
    return banner(said, *truths)


def _facts(result: DensitiesResult) -> Html:
    underlyings = sorted({chain.underlying for chain in result.chains})
    moments = sorted({chain.at_ns for chain in result.chains})
    styles = sorted({"American" if chain.american else "European" for chain in result.chains})
    facts = [
        ("Underlying", named(underlyings, 6)),
        ("As of", named([_clock(ns) for ns in moments], 3) + " UTC"),
        ("Expiries", f"{len(result.chains)}"),
        ("Exercise", ", ".join(styles)),
        ("Data", result.data),
        *(("Read", note) for note in result.notes if not note.startswith("Truth")),
    ]
    rows = [join([element("dt", name), element("dd", text)]) for name, text in facts]
    return element("dl", *rows, class_="facts")


def _contents(parts: list[_Part]) -> Html:
    links = [("findings", "Findings"), *((part.key, part.title) for part in parts)]
    items = [
        element("li", element("a", title, href=f"#{key}"))
        for key, title in (*links, ("remake", "Make it again"))
    ]
    return element("nav", element("ul", *items), aria_label="Contents")


def _findings(result: DensitiesResult) -> Html:
    items = [
        element("li", badge(found.status), " ", element("span", found.text))
        for found in findings(result)
    ]
    off = "Figures need JavaScript; their main numbers are also in the tables below."
    return element(
        "section",
        element("h2", "Findings", id="findings"),
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


def _remake(result: DensitiesResult, command: str) -> Html:
    fields = dataclasses.fields(result.config)
    rows = [(f.name, setting(getattr(result.config, f.name))) for f in fields]
    paid = [f"{format_ns(ns)[:10]} {cash:g}" for ns, cash in result.config.dividends]
    rows = [(name, (named(paid, 9) or "none") if name == "dividends" else v) for name, v in rows]
    return element(
        "section",
        element("h2", "Make it again", id="remake"),
        element("pre", element("code", command), tabindex="0"),
        table("Choices", [Column("Name", numeric=False), Column("Value", numeric=False)], rows),
        aria_labelledby="remake",
    )


def _clock(ns: int) -> str:
    return format_ns(ns, seconds=False).replace("T", " ").removesuffix("Z")
