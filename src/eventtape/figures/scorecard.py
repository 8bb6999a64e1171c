"""What was predicted, with its interval, beside what happened."""

from __future__ import annotations

import math

from bokeh.models import Range1d
from bokeh.plotting import figure

from eventtape.arrays import Status
from eventtape.figures import style
from eventtape.studies import DiffusionResult
from eventtape.studies.diffusion_rows import Score

__all__ = ["score_figure"]

SAMPLES = (
    ("out", "predicted from data before the window", -0.17),
    ("in", "in-sample fit (not a prediction)", 0.17),
)


def score_figure(result: DiffusionResult) -> figure:
    """A row a market: out-of-sample filled, in-sample hollow, the realised move as a bar."""
    markets = list(dict.fromkeys(row.market for row in result.scores))
    numbers = [(100.0 * r.predicted, 100.0 * r.lower, 100.0 * r.upper) for r in result.scores]
    realised = [100.0 * row.realised for row in result.scores]
    fig = style.frame(
        result,
        title="Predicted and realised move",
        height=150 + 62 * max(len(markets), 1),
        x_range=style.range_over(*numbers, realised, include=[0.0]),
        y_range=Range1d(max(len(markets), 1) - 0.5, -0.5),
        x_label="log return over the scored window, %",
        tools=True,
    )
    fig.yaxis.ticker = list(range(len(markets)))
    fig.yaxis.major_label_overrides = {i: style.plain(m, 14) for i, m in enumerate(markets)}
    fig.ygrid.visible = False
    style.add_zero(fig, "height")
    for sample, label, shift in SAMPLES:
        rows = [row for row in result.scores if row.sample == sample]
        _sample(fig, result, rows, markets, label=label, shift=shift)
    style.legend_below(fig, columns=1)
    return fig


def _sample(
    fig: figure,
    result: DiffusionResult,
    rows: list[Score],
    markets: list[str],
    *,
    label: str,
    shift: float,
) -> None:
    out = shift < 0.0
    name = "out of sample" if out else "in sample"
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
        predicted_text=[style.percent_text(row.predicted, row.status) for row in rows],
        interval=[style.interval_text(row.lower, row.upper) for row in rows],
        realised_text=[style.percent_text(row.realised) for row in rows],
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
        fill_color=colour if out else "#ffffff",
        legend_label=f"{label}, {result.config.level:.0%} interval",
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
    refused = [
        (at, f"{name}: {row.status}")
        for at, row in zip(y, rows, strict=True)
        if row.status is not Status.OK or not math.isfinite(row.predicted)
    ]
    words = style.source(
        f"refused {name}",
        x=[(fig.x_range.start + fig.x_range.end) / 2] * len(refused),
        y=[at for at, _ in refused],
        text=[text for _, text in refused],
    )
    fig.text(
        "x",
        "y",
        "text",
        source=words,
        text_align="center",
        text_baseline="middle",
        text_font="system-ui, sans-serif",
        text_font_size="12px",
        text_font_style="italic",
        text_color=style.INK,
    )
