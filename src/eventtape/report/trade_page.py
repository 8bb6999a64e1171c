"""One self-contained page of a trade: what it is and makes, what can go wrong, what rules do."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

from bokeh.document import Document
from bokeh.embed import components
from bokeh.model import Model

from eventtape import figures
from eventtape.clock import format_ns
from eventtape.figures.trade_profiles import (
    coin_profile,
    dollar_profile,
    gamma_profile,
    payoff_figure,
    vega_profile,
)
from eventtape.figures.trade_scenarios import gap_figure, rule_figure, scenario_figure
from eventtape.report import trade_tables as tables
from eventtape.report.cells import clock, setting
from eventtape.report.html import Column, Html, badge, element, join, table
from eventtape.report.page import whole_page
from eventtape.studies.trade_findings import findings, price
from eventtape.studies.trade_rows import TradeResult
from eventtape.studies.words import percent
from eventtape.wholefile import write_whole

__all__ = ["render_trade", "write_trade"]

_TITLE = "A trade around an event"
_HELD = (
    "Values are Black's at the volatilities given, undiscounted and risk-neutral. Delta is in "
    "units of the underlying and, for options settled in coins, net of their own price; vega is "
    "per vol point, theta per day."
)
_RATIO = (
    "A structure is what is held of it, divided by its largest number of options. What is neutral "
    "is neutral at the onset: at this price, moment and volatility."
)
_ALONG = (
    "Before the near expiry there are two lines: at the volatilities expected then, any event "
    "before it gone by, and at those of today, as a venue's position builder draws it. Dotted "
    "upright lines are sold strikes of the near expiry, the grey one is today's price. Last, each "
    "expiry as if it were alone and delivered: with expiries apart, the two do not add up on one "
    "day."
)
_GREEKS = (
    "Vega and gamma are the whole position's, each leg weighted by the number held. Near expiry "
    "the sold options keep vega and gamma around their strikes only: there both dip. Gamma is "
    "Black's as venues draw it, also of options settled in coins; in the table of legs it is of "
    "the net delta."
)
_SCENARIOS = (
    "Price moves at once by the share given, every volatility by the points given, and the term "
    "structure turns: a steepening lowers the first expiry by half of it and raises the last by "
    "half. Volatilities stick to strikes; one moved below 0 counts as 0."
)
_RISKS = (
    "A jump leaves no time to act. A pin is a price that ends near a sold strike, where the "
    "outcome hangs on the last prints. Probabilities are those of the law of the price, "
    "risk-neutral."
)
_ACCOUNT = (
    "Standard margin looks at each sold option alone, and a bought far leg sets nothing off. The "
    "account is called where the deposit and the profit together are below what must be kept."
)
_RULES = (
    "The law of the price makes the paths, and the legs are fairly priced by it where it agrees "
    "with both expiries: without costs a rule then moves risk about and makes nothing on average, "
    "counted in dollars. A stop cannot act inside a jump."
)
_MENDS = "What can be done, and what it made on these paths:"
_SUITS = "It suits a holder who thinks that:"
_LIMITS = (
    "Not in any number here: bid and ask, depth and their absence in a rout; interest; portfolio "
    "margin; discounts on fees; a smile that moves with the price."
)


class _Part(NamedTuple):
    key: str
    title: str
    prose: tuple[str, ...]
    wide: tuple[Model, ...]
    small: tuple[Model, ...]
    below: Html


def render_trade(result: TradeResult, *, command: str = "eventtape trade") -> str:
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
    script, boxes = components(charts)
    return whole_page(
        result.trade.name or _TITLE,
        Html(""),
        element("header", element("h1", _TITLE), _facts(result), _contents(parts)),
        element(
            "main",
            _findings(result),
            *(_section(part, boxes) for part in parts),
            _remake(result, command),
        ),
        Html(script),
    )


def write_trade(result: TradeResult, path: str | Path, *, command: str = "eventtape trade") -> Path:
    """Write the page and return its path; a failure on the way leaves what was there before."""
    return write_whole(path, render_trade(result, command=command))


def _parts(result: TradeResult) -> list[_Part]:
    legs = join([tables.leg_table(result), element("p", _RATIO), tables.ratio_table(result)])
    grids = tuple(
        scenario_figure(grid, term, result)
        for grid in result.grids
        for term in range(len(grid.steepenings))
    )
    money = (coin_profile(result), dollar_profile(result), payoff_figure(result))
    risks = [tables.risk_table(result), tables.gap_table(result), tables.pin_table(result)]
    account = join([tables.margin_table(result), tables.fee_table(result)])
    suited = join([tables.suit_list(result), element("p", _LIMITS)])
    rules = join([tables.rule_table(result), element("p", _MENDS), tables.mend_list(result)])
    greeks = (vega_profile(result), gamma_profile(result))
    return [
        _Part("held", "What is held", (_HELD,), (), (), legs),
        _Part("profit", "Profit along the price", (_ALONG,), money, (), tables.look_table(result)),
        _Part("greeks", "Vega and gamma along the price", (_GREEKS,), greeks, (), Html("")),
        _Part("scenarios", "Scenarios", (_SCENARIOS,), (), grids, tables.extreme_table(result)),
        _Part("risks", "Risks", (_RISKS,), (gap_figure(result),), (), join(risks)),
        _Part("account", "Margin and fees", (_ACCOUNT,), (), (), account),
        _Part("rules", "Rules", (_RULES,), (rule_figure(result),), (), rules),
        _Part("suits", "Whom it suits", (_SUITS,), (), (), suited),
    ]


def _facts(result: TradeResult) -> Html:
    trade = result.trade
    facts: list[tuple[str, str]] = [
        ("Position", trade.name),
        ("Price", f"{price(trade.spot)} dollars"),
        ("Onset", join([clock(trade.at_ns), " UTC"])),
        ("Settled in", result.unit),
    ]
    facts += [
        (
            "Event",
            f"{e.name}, {format_ns(e.at_ns, seconds=False)}, one sd {percent(e.size, sign=False)}",
        )
        for e in trade.events
    ]
    facts += [("Data", ", ".join(result.sources)), *(("Read", note) for note in result.notes)]
    rows = [join([element("dt", name), element("dd", text)]) for name, text in facts if text]
    return element("dl", *rows, class_="facts")


def _contents(parts: list[_Part]) -> Html:
    links = [("findings", "Findings"), *((part.key, part.title) for part in parts)]
    items = [
        element("li", element("a", title, href=f"#{key}"))
        for key, title in (*links, ("remake", "Make it again"))
    ]
    return element("nav", element("ul", *items), aria_label="Contents")


def _findings(result: TradeResult) -> Html:
    items = [element("li", badge(f.status), " ", element("span", f.text)) for f in findings(result)]
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


def _remake(result: TradeResult, command: str) -> Html:
    fields = dataclasses.fields(result.config)
    rows = [(f.name, setting(getattr(result.config, f.name))) for f in fields]
    return element(
        "section",
        element("h2", "Make it again", id="remake"),
        element("pre", element("code", command), tabindex="0"),
        table("Choices", [Column("Name", numeric=False), Column("Value", numeric=False)], rows),
        aria_labelledby="remake",
    )
