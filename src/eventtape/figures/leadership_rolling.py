"""Lead and lag window by window: does the same feed stay first through the night?"""

from __future__ import annotations

import math

import numpy as np
from bokeh.models import Range1d
from bokeh.plotting import figure

from eventtape.arrays import Status
from eventtape.figures import style
from eventtape.figures.words import plain
from eventtape.studies import DiffusionResult
from eventtape.studies.leadership_rows import Rolling
from eventtape.studies.words import chance

__all__ = ["rolling_figures"]

MARKS: dict[str, tuple[str, str]] = {
    Status.NOT_IDENTIFIED: ("x", style.INK),
    Status.NOT_RESOLVED: ("circle", style.ORANGE),
    Status.NO_CONVERGENCE: ("triangle", style.PURPLE),
    Status.TOO_FEW: ("square", style.SKY),
}


def rolling_figures(
    result: DiffusionResult, *, x_range: Range1d | None = None
) -> tuple[figure, ...]:
    """One figure a market: lag behind the probability and interval at each window's middle."""
    x_range = x_range or style.time_range(result.event)
    pairs = dict.fromkeys((row.first, row.second) for row in result.leadership.rolling)
    return tuple(_pair(result, first, second, x_range) for first, second in pairs)


def _pair(result: DiffusionResult, first: str, second: str, x_range: Range1d) -> figure:
    rows = [r for r in result.leadership.rolling if (r.first, r.second) == (first, second)]
    given = [row for row in rows if row.status is Status.OK]
    reach = result.config.max_lag_s
    ends = [v for row in given for v in (row.lower, row.upper) if math.isfinite(v)]
    limits = style.range_over(ends, include=[0.0] if given else [-reach, reach])
    tall = limits.high - limits.low  # room above for marks, below for the word of a simulated night
    y = style.Limits(limits.low - 0.1 * tall * result.simulated, limits.high + 0.16 * tall)
    fig = style.frame(
        result,
        title=f"{plain(second, 18)} behind {plain(first, 18)}",
        x=x_range,
        y=y,
        y_label="lag, s",
    )
    style.utc_axis(fig)
    style.add_zero(fig)
    _given(fig, given, rows, first, second, result.config.n_draws)
    top = y.high - 0.06 * (y.high - y.low)
    for status, (marker, colour) in MARKS.items():
        _held(fig, [row for row in rows if row.status is status], status, marker, colour, top)
    if not given:
        style.add_refusal(fig, "no lag in any window")
    style.legend_below(fig)
    return fig


def _given(
    fig: figure, given: list[Rolling], rows: list[Rolling], first: str, second: str, draws: int
) -> None:
    """Lags with their intervals; the line breaks where a window has none."""
    path = style.source(
        f"rolling line {first} {second}",
        ts=[_middle(row) for row in rows],
        lag=[row.lag_s if row.status is Status.OK else math.nan for row in rows],
    )
    data = style.source(
        f"rolling {first} {second}",
        ts=[_middle(row) for row in given],
        lag=[row.lag_s for row in given],
        lower=[row.lower for row in given],
        upper=[row.upper for row in given],
        p=[chance(row.p_value, draws) for row in given],
    )
    fig.line("ts", "lag", source=path, color=style.BLUE, line_width=1)
    fig.segment("ts", "lower", "ts", "upper", source=data, color=style.BLUE, line_width=3)
    dots = fig.scatter(
        "ts",
        "lag",
        source=data,
        size=8,
        marker="diamond",
        color=style.BLUE,
        **style.labelled("lag and interval", when=given),
    )
    tips = [("lag", "@lag{0.0} s"), ("from", "@lower{0.0} s"), ("to", "@upper{0.0} s")]
    style.add_hover(fig, [dots], [*tips, ("p of no link", "@p")], clock="ts")


def _held(
    fig: figure, rows: list[Rolling], status: str, marker: str, colour: str, top: float
) -> None:
    """A mark at the top for each window without a lag."""
    if not rows:
        return
    data = style.source(
        f"no lag: {status}",
        ts=[_middle(row) for row in rows],
        y=np.full(len(rows), top),
        reason=[row.reason for row in rows],
    )
    marks = fig.scatter(
        "ts",
        "y",
        source=data,
        size=7,
        marker=marker,
        color=colour,
        legend_label=str(status),
    )
    style.add_hover(fig, [marks], [("no lag", "@reason")], clock="ts")


def _middle(row: Rolling) -> float:
    """The middle of the window, milliseconds."""
    return 0.5 * (row.from_ns + row.to_ns) / 1e6
