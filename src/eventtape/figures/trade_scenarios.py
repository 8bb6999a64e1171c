"""What moves of price, volatility and term structure make of a trade, and what rules make of it.

A cell's colour is its profit, blue a gain and brown a loss; the scale ends where the best cell is
or at a quarter of the worst, whichever is more, so that small gains beside large losses are seen.
"""

from __future__ import annotations

import numpy as np
from bokeh.models import BasicTicker, LinearColorMapper, NumeralTickFormatter
from bokeh.models.annotations import ColorBar
from bokeh.plotting import figure

from eventtape.arrays import FloatArray
from eventtape.figures import style
from eventtape.figures.lead_lag_map import DIVERGING
from eventtape.figures.trade_profiles import trade_frame
from eventtape.studies.trade_findings import steepening_words
from eventtape.studies.trade_rows import Grid, TradeResult

__all__ = ["colour_limit", "gap_figure", "rule_figure", "scenario_figure"]

_GAIN_IS_BLUE = tuple(reversed(DIVERGING))
_QUARTER = 0.25


def scenario_figure(grid: Grid, term: int, result: TradeResult) -> figure:
    """Profit in the legs' money for every move of price and volatility, at one steepening."""
    config = result.config
    x, y = (100.0 * np.sort(np.array(m)) for m in (config.spot_moves, config.vol_moves))
    width, height = _width(x), _width(y)
    title = grid.label
    if len(grid.steepenings) > 1:
        title += f"\nterm structure {steepening_words(grid.steepenings[term])}"
    marks = (("cross: worst", grid.extremes.worst), ("star: best", grid.extremes.best))
    here = [name for name, cell in marks if cell.term_move == term]
    title += f", {', '.join(here)}" if here else ""
    fig = trade_frame(
        result,
        title=title,
        height=style.WIDE - 20,
        x=style.Limits(x[0] - 0.5 * width, x[-1] + 0.5 * width),
        y=style.Limits(y[0] - 0.5 * height, y[-1] + 0.5 * height),
        x_label="move of the price, %",
        y_label="move of volatility, points",
    )
    fig.grid.visible = False
    most = colour_limit(grid)
    colours = LinearColorMapper(palette=_GAIN_IS_BLUE, low=-most, high=most)
    spot, vol = np.meshgrid(100.0 * np.array(config.spot_moves), 100.0 * np.array(config.vol_moves))
    data = style.source("cells", x=spot.ravel(), y=vol.ravel(), pnl=grid.pnl[term].ravel())
    cells = fig.rect(
        "x",
        "y",
        width,
        height,
        source=data,
        fill_color={"field": "pnl", "transform": colours},
        line_color={"field": "pnl", "transform": colours},  # closes the seams
    )
    form = "0.0000" if result.trade.legs.inverse else "0,0"
    tips = [("price", "@x{+0}%"), ("volatility", "@y{+0} points"), ("profit", f"@pnl{{{form}}}")]
    style.add_hover(fig, [cells], tips)
    _corners(fig, grid, term)
    bar = ColorBar(
        color_mapper=colours, height=8, title=f"profit, {result.unit}", padding=4,
        background_fill_alpha=0.0, formatter=NumeralTickFormatter(format="0,0[.]00"),
    )  # fmt: skip
    fig.add_layout(bar, "below")
    return fig


def colour_limit(grid: Grid) -> float:
    """The profit at which the colours end, above 0."""
    worst, best = grid.extremes.worst.pnl, grid.extremes.best.pnl
    return max(best, -_QUARTER * worst) or 1.0


def gap_figure(result: TradeResult) -> figure:
    """Profit of a jump at the event by its log move, volatilities kept and the event's gone."""
    gap = result.gap
    unit = result.unit
    x = np.zeros(0) if gap is None else 100.0 * np.expm1(gap.log_moves)
    lines = [] if gap is None else [("volatilities held", gap.pnl, style.ORANGE)]
    if gap is not None and np.isfinite(gap.pnl_after).all():
        lines.append(("the event's variance gone", gap.pnl_after, style.VERMILLION))
    fig = trade_frame(
        result,
        title="A jump at the event\nwith no time to act",
        height=style.WIDE - 20,
        x=style.range_over(x, include=[0.0]),
        y=style.range_over(*(y for _, y, _ in lines), include=[0.0]),
        x_label="jump of the price, %",
        y_label=f"profit, {unit}",
    )
    fig.yaxis.formatter = NumeralTickFormatter(format="0,0[.]000")
    style.add_zero(fig)
    for name, y, colour in lines:
        data = style.source(name, x=x, y=y)
        fig.line("x", "y", source=data, color=colour, line_width=1, line_dash="dotted")
        dots = fig.scatter("x", "y", source=data, color=colour, size=9, **style.labelled(name))
        style.add_hover(fig, [dots], [("jump", "@x{0.0}%"), ("profit", "@y{0,0.0000}")])
    if gap is None:
        style.add_refusal(fig, f"— {result.gap_reason}")
    style.legend_below(fig, columns=1)
    return fig


def rule_figure(result: TradeResult) -> figure:
    """The profit under each rule: 5 to 95% a line, the middle half a bar, the median a dot."""
    names = [rule.name for rule in result.rules]
    q = np.array([_quantiles(rule.law.probabilities, rule.law.quantiles) for rule in result.rules])
    at = np.arange(len(names), dtype=np.float64)
    means = [rule.law.mean for rule in result.rules]
    fig = trade_frame(
        result,
        title="Profit under each rule\nsimulated paths of the law",
        height=120 + 42 * len(names),
        x=style.range_over(q.ravel(), means, include=[0.0]),
        y=style.Limits(len(names) - 0.4, -0.6),
        x_label=f"profit, {result.unit}",
    )
    fig.yaxis.ticker = at.tolist()
    fig.yaxis.major_label_overrides = dict(enumerate(names))
    fig.xaxis.formatter = NumeralTickFormatter(format="0,0[.]00")
    fig.xaxis.ticker = BasicTicker(desired_num_ticks=5)
    style.add_zero(fig, "height")
    data = style.source(
        "rules", y=at, p5=q[:, 0], p25=q[:, 1], p50=q[:, 2], p75=q[:, 3], p95=q[:, 4], mean=means
    )
    fig.segment("p5", "y", "p95", "y", source=data, color=style.BLUE, line_width=2,
                **style.labelled("5% to 95%"))  # fmt: skip
    fig.segment("p25", "y", "p75", "y", source=data, color=style.SKY, line_width=10,
                **style.labelled("middle half"))  # fmt: skip
    dots = fig.scatter("p50", "y", source=data, color=style.BLUE, size=9,
                       **style.labelled("median"))  # fmt: skip
    fig.scatter("mean", "y", source=data, color=style.VERMILLION, size=9, marker="diamond",
                **style.labelled("mean"))  # fmt: skip
    tips = [("5%", "@p5{0,0.000}"), ("median", "@p50{0,0.000}"), ("95%", "@p95{0,0.000}")]
    style.add_hover(fig, [dots], tips)
    style.legend_below(fig, columns=2)
    return fig


def _quantiles(probabilities: FloatArray, values: FloatArray) -> FloatArray:
    return np.interp([0.05, 0.25, 0.5, 0.75, 0.95], probabilities, values)


def _corners(fig: figure, grid: Grid, term: int) -> None:
    """A mark on the worst and on the best cell, where they are of this term structure."""
    for name, cell, marker in (
        ("worst", grid.extremes.worst, "x"),
        ("best", grid.extremes.best, "star"),
    ):
        if cell.term_move != term:
            continue
        place = style.source(name, x=[100.0 * cell.spot_move], y=[100.0 * cell.vol_move])
        fig.scatter(
            "x", "y", source=place, marker=marker, size=12, line_color="#000000",
            fill_color="#ffffff", line_width=2,
        )  # fmt: skip


def _width(values: FloatArray) -> float:
    return float(np.diff(values).min()) if values.size > 1 else 10.0
