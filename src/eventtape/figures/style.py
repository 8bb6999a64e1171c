"""How every figure looks: colours, sizes, the UTC axis, and how a refusal is written.

Glyph colours are Okabe and Ito's (2008), told apart by colour-blind eyes, and legible on white and
on near-black; grounds, axes and titles come from :func:`theme`, which a face applies to its
document. Figures stretch to the width of their box: a face lays them out in its own grid.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl
from bokeh.core.properties import value
from bokeh.models import ColumnDataSource, DatetimeTicker, DatetimeTickFormatter, HoverTool, Range1d
from bokeh.models.annotations import Label, Span
from bokeh.models.nodes import Node
from bokeh.plotting import figure

from eventtape.arrays import FloatArray
from eventtape.figures.themes import INK, SANS
from eventtape.figures.words import plain
from eventtape.studies import DiffusionResult, Event

__all__ = [
    "BLUE",
    "FONT",
    "GREEN",
    "INK",
    "NARROW",
    "ORANGE",
    "PURPLE",
    "SKY",
    "VERMILLION",
    "WIDE",
    "Limits",
    "Tips",
    "add_hover",
    "add_refusal",
    "add_zero",
    "frame",
    "labelled",
    "legend_below",
    "milliseconds",
    "range_over",
    "source",
    "time_range",
    "utc_axis",
]

BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
ORANGE, SKY, PURPLE = "#E69F00", "#56B4E9", "#CC79A7"
WIDE, NARROW = 360, 250  # heights, pixels
FONT = value(SANS)  # a glyph would take the bare words for a column's name

Tips = list[tuple[str, str]]


class Limits(NamedTuple):
    """The ends of an axis; ``low`` above ``high`` turns it upside down."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """Half way."""
        return (self.low + self.high) / 2.0


def frame(
    result: DiffusionResult,
    *,
    title: str = "",
    height: int = NARROW,
    x: Limits | Range1d,
    y: Limits,
    x_label: str = "",
    y_label: str = "",
    tools: bool = False,
) -> figure:
    """An empty figure as wide as its box; a simulated result says so inside every one.

    A line break in the title makes a second line, which a phone needs. ``tools`` puts zoom and save
    above it. Nothing is grabbed by a drag or the wheel until a tool is chosen, so a figure never
    traps a reader who scrolls past it.
    """
    fig = figure(
        title="\n".join(plain(line, 60) for line in title.splitlines()) or None,
        height=height,
        sizing_mode="stretch_width",
        x_range=_range(x),
        y_range=_range(y),
        x_axis_type="datetime" if isinstance(x, Range1d) else "linear",
        x_axis_label=plain(x_label, 90) or None,
        y_axis_label=plain(y_label, 60) or None,
        tools="box_zoom,xpan,reset,save" if tools else "",
        active_drag=None,
        active_scroll=None,
        toolbar_location="above" if tools else None,
        min_border_left=64,
        min_border_right=14,
    )
    fig.toolbar.logo = None
    fig.toolbar.autohide = True
    if result.simulated:
        fig.add_layout(
            Label(
                x=6,
                y=6,
                x_units="screen",
                y_units="screen",
                text="SIMULATED",
                text_font_size="10px",
                text_font_style="bold",
                text_color=INK,
                text_alpha=0.7,
                name="simulated",
            )
        )
    return fig


def _range(ends: Limits | Range1d) -> Range1d:
    return Range1d(start=ends.low, end=ends.high) if isinstance(ends, Limits) else ends


def time_range(event: Event) -> Range1d:
    """The event's window, milliseconds; hand one to several figures and they zoom together."""
    return Range1d(start=event.start_ns / 1e6, end=event.end_ns / 1e6)


def utc_axis(fig: figure) -> None:
    """Make the x axis a clock: hours and minutes UTC, the date at midnight."""
    fig.xaxis.formatter = DatetimeTickFormatter(
        seconds="%H:%M:%S",
        minsec="%H:%M:%S",
        minutes="%H:%M",
        hourmin="%H:%M",
        hours="%H:%M",
        days="%d %b",
    )
    fig.xaxis.axis_label = "UTC"
    fig.xaxis.ticker = DatetimeTicker(desired_num_ticks=4)  # as many as fit a phone


def milliseconds(ts: pl.Series) -> FloatArray:
    """A ``ts`` column as the milliseconds since 1970 that Bokeh's clock axis wants."""
    return ts.to_physical().to_numpy() / 1e6


def range_over(*values: Iterable[float], include: Iterable[float] = ()) -> Limits:
    """Limits that hold every finite value, with a margin; -1 to 1 where there is none."""
    parts = [np.asarray(list(v), dtype=np.float64) for v in values]
    finite = np.concatenate([*parts, np.asarray(list(include), dtype=np.float64)])
    finite = finite[np.isfinite(finite)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (-1.0, 1.0)
    if high == low:
        low, high = low - 1.0, high + 1.0
    margin = 0.07 * (high - low)
    return Limits(low - margin, high + margin)


def add_zero(fig: figure, dimension: Literal["width", "height"] = "width") -> None:
    """A thin line at zero."""
    fig.add_layout(Span(location=0.0, dimension=dimension, line_color=INK, line_width=1))


def add_refusal(fig: figure, text: str) -> None:
    """The words that stand where a curve would be, in the middle of the frame."""
    fig.add_layout(
        Label(
            x=Node.frame.center,
            y=Node.frame.center,
            y_offset=16,  # clear of a line at zero
            text=plain(text, 60),
            text_align="center",
            text_baseline="middle",
            text_color=INK,
            text_font_size="13px",
            text_font_style="italic",
            name="refusal",
        )
    )


def add_hover(fig: figure, renderers: list[Any], tips: Tips, *, clock: str = "") -> None:
    """What the pointer shows over these marks; ``clock`` names a time column in milliseconds."""
    tips = [(plain(name), value) for name, value in tips]
    if clock:
        tips = [("time", f"@{clock}{{%F %H:%M:%S}} UTC"), *tips]
    hover = HoverTool(renderers=renderers, tooltips=tips)
    if clock:
        hover.formatters = {f"@{clock}": "datetime"}
    fig.add_tools(hover)


def labelled(text: str, *, when: object = True) -> dict[str, Any]:
    """The legend entry of a glyph; none where it draws nothing, since the entry would be blank."""
    return {"legend_label": plain(text, 60)} if when else {}


def legend_below(fig: figure, columns: int = 2) -> None:
    """Move the legend out of the data, into rows short enough for a phone."""
    if fig.legend:
        legend = fig.legend[0]
        fig.add_layout(legend, "below")
        legend.update(
            ncols=columns,
            padding=2,
            margin=2,
            spacing=5,
            location="bottom_left",
            glyph_height=12,
            glyph_width=16,
            label_height=10,
        )


def source(name: str, **columns: Any) -> ColumnDataSource:
    """Columns under a name, by which a test or a live face finds them."""
    return ColumnDataSource(columns, name=name)
