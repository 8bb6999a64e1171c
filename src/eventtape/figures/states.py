"""What the outcome is worth, rung by rung, and what each rung predicted against what came.

Bounds are a bar, since every gap in it is as good as any other; the other rungs are a dot with its
interval. A refused rung keeps its row, and the reason stands where the dot would.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from bokeh.models.annotations import LabelSet
from bokeh.plotting import figure

from eventtape.figures import style
from eventtape.figures.smile import TRUTH
from eventtape.figures.words import interval_text, percent_text, plain
from eventtape.studies import DiffusionResult
from eventtape.studies.states_rows import (
    BOUNDS,
    EXPOSURE,
    JOINT,
    NOTHING,
    TWO_LOGNORMAL,
    Estimate,
    StatesResult,
    StatesRow,
)

__all__ = [
    "COLOURS",
    "headed",
    "reason_lines",
    "reason_words",
    "rung_figure",
    "score_rows_figure",
    "states_frame",
    "true_gap",
]

COLOURS = {
    BOUNDS: style.SKY,
    EXPOSURE: style.GREEN,
    JOINT: style.BLUE,
    TWO_LOGNORMAL: style.ORANGE,
}
_LINE = 36  # letters of a reason on one line, as many as fit beside the names on a phone
_LINES = 3
_HEAD = 30
_BELOW = 14  # pixels between a legend and the next title


class _Marked(NamedTuple):
    """A row of the figure: name, number and ends in percent, and why there are none."""

    name: str
    value: float
    lower: float
    upper: float
    why: str


def rung_figure(row: StatesRow, result: StatesResult) -> figure:
    """The gap log(m1 / m0) by each rung at the reference time, in percent, with intervals."""
    rows = [
        _Marked(
            rung.name,
            *_percents(rung.gap if rung.gap.known else NOTHING),
            "" if rung.gap.known else rung.reason or str(rung.status),
        )
        for rung in row.rungs
    ]
    truth = true_gap(row)
    ends = [x for r in rows for x in r[1:4]]
    fig = _frame(
        result,
        f"{headed(row, result)}\ngap, {result.config.level:.0%} intervals; bar: possible",
        rows,
        style.range_over(ends, include=[0.0, *([100.0 * truth] if math.isfinite(truth) else [])]),
        "gap between the states, % of log price",
    )
    _marks(fig, rows, f"{result.config.level:.0%}")
    if math.isfinite(truth):
        _upright(fig, 100.0 * truth, len(rows), "simulated truth", TRUTH, dash="dashed")
    style.legend_below(fig, columns=2)
    return fig


def score_rows_figure(row: StatesRow, result: StatesResult) -> figure:
    """The move each rung predicted, with its interval, and the realised one, in percent."""
    rows = [
        _Marked(
            score.rung,
            *_percents(Estimate(score.predicted, score.lower, score.upper)),
            "" if math.isfinite(score.lower) else score.reason or str(score.status),
        )
        for score in row.scores
    ]
    realised = [100.0 * s.realised for s in row.scores if math.isfinite(s.realised)]
    ends = [x for r in rows for x in r[1:4]]
    fig = _frame(
        result,
        f"{headed(row, result)}\npredicted ({result.config.level:.0%}) and realised",
        rows,
        style.range_over(ends, include=[0.0, *realised]),
        "log return to the realised price, %",
    )
    _marks(fig, rows, f"{result.config.level:.0%}")
    if realised:
        _upright(fig, realised[0], len(rows), "realised", style.VERMILLION, width=3)
    style.legend_below(fig, columns=2)
    return fig


def states_frame(result: StatesResult, **options: Any) -> figure:
    """An empty figure of the house; all it asks of a result is whether it is simulated."""
    fig = style.frame(cast("DiffusionResult", result), **options)
    fig.margin = (0, 0, _BELOW, 0)
    return fig


def headed(row: StatesRow, result: StatesResult) -> str:
    """The first line of a title: underlying and expiry, as long as a phone is wide."""
    return plain(result.label(row), _HEAD)


def reason_words(fig: figure, places: Sequence[tuple[float, float, str]], size: str) -> None:
    """Reasons at their places, on short lines and a ground of their own."""
    x, y, why = zip(*places, strict=True) if places else ((), (), ())
    data = style.source("refused", x=x, y=y, text=[reason_lines(text) for text in why])
    words = LabelSet(
        x="x",
        y="y",
        text="text",
        source=data,
        text_align="center",
        text_baseline="middle",
        text_color=style.INK,
        text_font=style.FONT,
        text_font_size=size,
        text_font_style="italic",
    )
    fig.add_layout(words)


def true_gap(row: StatesRow) -> float:
    """The simulated gap at the reference time; NaN where the data are not simulated."""
    if row.truth is None or not 0 <= row.reference < row.truth.gap.size:
        return math.nan
    return float(row.truth.gap[row.reference])


def _percents(found: Estimate) -> tuple[float, float, float]:
    return 100.0 * found.value, 100.0 * found.lower, 100.0 * found.upper


def _frame(
    result: StatesResult, title: str, rows: Sequence[_Marked], x: style.Limits, x_label: str
) -> figure:
    n = max(len(rows), 1)
    fig = states_frame(
        result,
        title=title,
        height=150 + 58 * n,
        x=x,
        y=style.Limits(n - 0.5 + (0.3 if result.simulated else 0.0), -0.5),
        x_label=x_label,
    )
    fig.yaxis.ticker = list(range(len(rows)))
    fig.yaxis.major_label_overrides = {i: plain(r.name, 16) for i, r in enumerate(rows)}
    fig.ygrid.visible = False
    style.add_zero(fig, "height")
    reason_words(fig, [(x.middle, i, r.why) for i, r in enumerate(rows) if r.why], "11px")
    return fig


def _marks(fig: figure, rows: Sequence[_Marked], level: str) -> None:
    for i, row in enumerate(rows):
        if not math.isfinite(row.lower):
            continue
        bar = row.name == BOUNDS
        colour = COLOURS.get(row.name, style.INK)
        data = style.source(
            row.name,
            y=[i],
            value=[row.value],
            lower=[row.lower],
            upper=[row.upper],
            rung=[row.name],
            said=[percent_text(row.value / 100.0)],
            interval=[interval_text(row.lower / 100.0, row.upper / 100.0)],
        )
        drawn: list[Any] = [
            fig.segment(
                "lower", "y", "upper", "y", source=data, color=colour,
                line_width=18 if bar else 3, line_alpha=0.55 if bar else 1.0,
            )
        ]  # fmt: skip
        if not bar:
            drawn.append(fig.scatter("value", "y", source=data, size=11, color=colour))
        tips = [("rung", "@rung"), ("value", "@said"), (level, "@interval")]
        style.add_hover(fig, drawn, tips[:1] + tips[2:] if bar else tips)


def _upright(
    fig: figure, at: float, n: int, name: str, colour: str, *, dash: str = "solid", width: int = 2
) -> None:
    data = style.source(name, x=[at, at], y=[-0.5, n - 0.5])
    fig.line(
        "x", "y", source=data, color=colour, line_dash=dash, line_width=width,
        **style.labelled(name),
    )  # fmt: skip


def reason_lines(why: str) -> str:
    """A refusal on a few short lines, cut where it is longer."""
    lines = textwrap.wrap(plain(f"— {why}", 400), _LINE)
    cut = [*lines[: _LINES - 1], f"{lines[_LINES - 1][:-1]}…"] if len(lines) > _LINES else lines
    return "\n".join(cut)
