"""The outcome gap of each market at every horizon, its interval, and what other methods would say.

A refused horizon keeps its place: a word stands where the point would.
"""

from __future__ import annotations

import numpy as np
from bokeh.models.annotations import LabelSet
from bokeh.plotting import figure

from eventtape.arrays import Status
from eventtape.figures import style
from eventtape.figures.words import interval_text, percent_text, plain
from eventtape.studies import DiffusionResult
from eventtape.studies.findings import minutes

__all__ = ["gap_figures"]

MARKS = (
    ("square", style.GREEN),
    ("triangle", style.ORANGE),
    ("diamond", style.PURPLE),
    ("inverted_triangle", style.SKY),
)
ASIDE = 0.17  # of the way to the next horizon: how far comparisons stand from the headline


def gap_figures(result: DiffusionResult) -> tuple[figure, ...]:
    """One figure a market: percent log return per unit of probability against the horizon."""
    markets = dict.fromkeys(row.market for row in result.gaps)
    return tuple(_market(result, market) for market in markets)


def _market(result: DiffusionResult, market: str) -> figure:
    rows = [row for row in result.gaps if row.market == market]
    others = [row for row in result.comparisons if row.market == market]
    horizons = [row.horizon_s for row in rows]
    ok = [row.status is Status.OK for row in rows]
    shown = [
        [
            100.0 * getattr(row.estimate, name) if good else np.nan
            for row, good in zip(rows, ok, strict=True)
        ]
        for name in ("gap", "lower", "upper")
    ]
    aside = [[100.0 * v for v in (row.gap, row.lower, row.upper)] for row in others]
    y = style.range_over(*shown, *aside, include=[0.0])
    fig = style.frame(
        result,
        title=plain(market, 32),
        height=style.NARROW + 100,
        x=style.Limits(-0.5, len(rows) - 0.5),
        y=y,
        x_label="horizon after the probability moves",
        y_label="% per unit of probability",
    )
    fig.xaxis.ticker = list(range(len(rows)))
    fig.xaxis.major_label_overrides = {i: minutes(h) for i, h in enumerate(horizons)}
    fig.xgrid.visible = False
    style.add_zero(fig)
    data = style.source(
        f"gaps {market}",
        x=list(range(len(rows))),
        horizon=[minutes(h) for h in horizons],
        gap=shown[0],
        lower=shown[1],
        upper=shown[2],
        gap_text=[percent_text(r.estimate.gap, r.status) for r in rows],
        interval=[interval_text(r.estimate.lower, r.estimate.upper) for r in rows],
        status=[str(row.status) for row in rows],
    )
    level = f"{result.config.level:.0%}"
    fig.segment("x", "lower", "x", "upper", source=data, color=style.BLUE, line_width=2.5)
    dots = fig.scatter(
        "x",
        "gap",
        source=data,
        size=9,
        color=style.BLUE,
        **style.labelled(f"gap, {level} interval", when=any(ok)),
    )
    tips = [("gap", "@gap_text"), (level, "@interval"), ("horizon", "@horizon")]
    style.add_hover(fig, [dots], tips)
    _refusals(fig, market, y.middle, [row.status for row in rows])
    _comparisons(fig, result, market, horizons)
    style.legend_below(fig, columns=1)
    return fig


def _refusals(fig: figure, market: str, middle: float, fates: list[Status]) -> None:
    refused = [(i, str(status)) for i, status in enumerate(fates) if status is not Status.OK]
    data = style.source(
        f"refused {market}", x=[i for i, _ in refused], text=[text for _, text in refused]
    )
    fig.add_layout(
        LabelSet(
            x="x",
            y=middle,
            text="text",
            source=data,
            angle=np.pi / 2,
            text_align="center",
            text_baseline="middle",
            text_color=style.INK,
            text_font=style.FONT,
            text_font_size="12px",
            text_font_style="italic",
        )
    )


def _comparisons(fig: figure, result: DiffusionResult, market: str, horizons: list[float]) -> None:
    """Smaller, hollow, beside the headline's own point, so that they are not read as its equals."""
    methods = list(dict.fromkeys(row.method for row in result.comparisons))
    for k, method in enumerate(methods):
        rows = [r for r in result.comparisons if r.market == market and r.method == method]
        rows = [row for row in rows if row.horizon_s in horizons]
        marker, colour = MARKS[k % len(MARKS)]
        ok = [row.status is Status.OK for row in rows]
        data = style.source(
            f"{method} {market}",
            x=[horizons.index(row.horizon_s) + ASIDE * (k + 1) for row in rows],
            gap=[100.0 * row.gap if good else np.nan for row, good in zip(rows, ok, strict=True)],
            lower=[100.0 * r.lower if good else np.nan for r, good in zip(rows, ok, strict=True)],
            upper=[100.0 * r.upper if good else np.nan for r, good in zip(rows, ok, strict=True)],
            gap_text=[percent_text(row.gap, row.status) for row in rows],
            interval=[interval_text(row.lower, row.upper) for row in rows],
        )
        fig.segment("x", "lower", "x", "upper", source=data, color=colour, line_width=1.5)
        label = method if any(ok) else f"{method}: {rows[0].status if rows else 'not asked'}"
        marks = fig.scatter(
            "x",
            "gap",
            source=data,
            marker=marker,
            size=7,
            line_width=1.5,
            line_color=colour,
            fill_color=None,
            legend_label=plain(label, 60),
        )
        style.add_hover(fig, [marks], [(method, "@gap_text"), ("interval", "@interval")])
