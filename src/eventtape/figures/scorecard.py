"""What was predicted, with its interval, beside what happened."""

from __future__ import annotations

import math

from bokeh.plotting import figure

from eventtape.arrays import Status
from eventtape.figures import style
from eventtape.figures.words import interval_text, percent_text, plain
from eventtape.studies import DiffusionResult
from eventtape.studies.diffusion_rows import Score

__all__ = ["score_figure"]

SAMPLES = (
    ("out", "predicted from before the window", -0.17),
    ("in", "in-sample fit, not a prediction", 0.17),
)


def score_figure(result: DiffusionResult) -> figure:
    """A row a market: out-of-sample filled, in-sample hollow, the realised move as a bar."""
    markets = list(dict.fromkeys(row.market for row in result.scores))
    numbers = [(100.0 * r.predicted, 100.0 * r.lower, 100.0 * r.upper) for r in result.scores]
    realised = [100.0 * row.realised for row in result.scores]
    x = style.range_over(*numbers, realised, include=[0.0])
    fig = style.frame(
        result,
        title=f"Predicted and realised move\n{result.config.level:.0%} prediction intervals",
        height=150 + 62 * max(len(markets), 1),
        x=x,
        y=style.Limits(max(len(markets), 1) - 0.5, -0.5),
        x_label="log return over the scored window, %",
        tools=True,
    )
    fig.yaxis.ticker = list(range(len(markets)))
    fig.yaxis.major_label_overrides = {i: plain(m, 14) for i, m in enumerate(markets)}
    fig.ygrid.visible = False
    style.add_zero(fig, "height")
    for sample, label, shift in SAMPLES:
        rows = [row for row in result.scores if row.sample == sample]
        _sample(fig, rows, markets, label=label, shift=shift, middle=x.middle)
    style.legend_below(fig, columns=1)
    return fig


def _sample(
    fig: figure,
    rows: list[Score],
    markets: list[str],
    *,
    label: str,
    shift: float,
    middle: float,
) -> None:
    out = shift < 0.0
    name, sample = ("out of sample", "out") if out else ("in sample", "in")
    y = [markets.index(row.market) + shift for row in rows]
    data = style.source(
        name,
        y=y,
        top=[at - 0.15 for at in y],
        bottom=[at + 0.15 for at in y],
        market=[row.market for row in rows],
        predicted=[100.0 * row.predicted for row in rows],
        lower=[100.0 * row.lower for row in rows],
        upper=[100.0 * row.upper for row in rows],
        realised=[100.0 * row.realised for row in rows],
        predicted_text=[percent_text(row.predicted, row.status) for row in rows],
        interval=[interval_text(row.lower, row.upper) for row in rows],
        realised_text=[percent_text(row.realised) for row in rows],
        status=[str(row.status) for row in rows],
    )
    colour = style.BLUE if out else style.INK
    whiskers = fig.segment(
        "lower", "y", "upper", "y", source=data, color=colour, line_width=3 if out else 1.5
    )
    dots = fig.scatter(
        "predicted",
        "y",
        source=data,
        size=10,
        line_width=2,
        line_color=colour,
        fill_color=colour if out else None,
        legend_label=label,
    )
    bars = fig.segment(
        "realised",
        "top",
        "realised",
        "bottom",
        source=data,
        color=style.VERMILLION,
        line_width=5,
        legend_label="realised",
    )
    tips = [
        ("market", "@market"),
        ("sample", name),
        ("predicted", "@predicted_text"),
        ("interval", "@interval"),
        ("realised", "@realised_text"),
    ]
    style.add_hover(fig, [dots, whiskers, bars], tips)
    refused = [(at, row) for at, row in zip(y, rows, strict=True) if row.status is not Status.OK]
    beside = [100.0 * r.realised if math.isfinite(r.realised) else middle for _, r in refused]
    words = style.source(  # on the roomier side of what did happen
        f"refused {name}",
        x=beside,
        y=[at for at, _ in refused],
        text=[f"{sample}: {row.status}" for _, row in refused],
        align=["left" if x <= middle else "right" for x in beside],
        offset=[10 if x <= middle else -10 for x in beside],
    )
    fig.text(
        "x",
        "y",
        "text",
        source=words,
        text_align="align",
        x_offset="offset",
        text_baseline="middle",
        text_font=style.FONT,
        text_font_size="11px",
        text_font_style="italic",
        text_color=style.INK,
    )
