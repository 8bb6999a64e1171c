"""What live figures are made of: a frame that follows its data, words over it, bands with holes.

A figure is made once. ``show`` replaces what it holds, ``append`` adds the newest rows and drops
the oldest beyond a bound, ``clear`` says in words why there is nothing. Axes follow the data until
a reader zooms, and again after a reset.
"""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import polars as pl
from bokeh.core.properties import value
from bokeh.models import (
    BasicTicker,
    ColumnDataSource,
    DataRange1d,
    LayoutDOM,
    NumeralTickFormatter,
    Range1d,
)
from bokeh.models.annotations import Label, LegendItem, Span, Title
from bokeh.plotting import figure

from eventtape.arrays import FloatArray
from eventtape.figures import style
from eventtape.figures.words import plain
from eventtape.stream.answers import time_column
from eventtape.studies import DiffusionResult

__all__ = [
    "GRID",
    "NOTHING_YET",
    "NO_POINTS",
    "Band",
    "Columns",
    "LiveFigure",
    "Notes",
    "add_rows",
    "at_words",
    "entries",
    "follow",
    "latest",
    "live_frame",
    "live_time_range",
    "numbers",
    "price_axis",
    "set_entry",
    "set_rows",
    "stamps",
    "thinned",
]

Columns = dict[str, Any]
NO_POINTS = np.empty(0)
NOTHING_YET = "nothing yet"
GRID: Any = {
    "display": "grid",
    "gap": "8px 20px",
    "grid-template-columns": "repeat(auto-fit, minmax(min(100%, 420px), 1fr))",
}
"""Styles of a layout that puts figures side by side where the screen is wide enough."""
_LINE, _LINES = 40, 4  # letters and lines of words in the middle
_HEAD, _WRAPPED = 42, 2  # letters of a title's line, and lines that a longer one may take


class LiveFigure(ABC):
    """A figure, or a layout of several, that is made once and updated in place."""

    figure: LayoutDOM
    notes: tuple[Notes, ...]

    @abstractmethod
    def show(self, rows: pl.DataFrame) -> None:
        """Draw these rows and no others."""

    @abstractmethod
    def append(self, rows: pl.DataFrame) -> None:
        """Draw these rows after those already there; the oldest go beyond the bound."""

    @abstractmethod
    def clear(self, reason: str = NOTHING_YET) -> None:
        """Draw nothing, and say why."""

    def warn(self, text: str = "") -> None:
        """Words over the data, such as how long a feed has been silent; none takes them away."""
        for notes in self.notes:
            notes.warn(text)


class Notes:
    """The words of one frame: its title, why it is empty in the middle, what is amiss on top."""

    def __init__(self, fig: figure) -> None:
        self.fig = fig
        style.add_refusal(fig, "")
        labels = (part for part in fig.center if isinstance(part, Label))
        self.reason = next(label for label in labels if label.name == "refusal")
        self._head, self._amiss = str(cast("Title", fig.title).text), ""
        parts = (
            *fig.axis,
            *fig.grid,
            *fig.legend,
            *(part for part in fig.center if isinstance(part, Span)),
        )
        self._parts = [part for part in parts if part.visible]

    def head(self, title: str, line: str = " ") -> None:
        """The title and the line under it, in lines that fit a phone: longer ones widen a page."""
        words = [textwrap.wrap(part, _HEAD)[:_WRAPPED] for part in (title, *line.split("\n"))]
        self._head = "\n".join(part for parts in words for part in parts or [" "])
        self._set_title()

    def say(self, reason: str) -> None:
        """Why there is nothing to see; none where there is something."""
        lines = textwrap.wrap(plain(reason, 400), _LINE)
        cut = [*lines[: _LINES - 1], f"{lines[_LINES - 1][:-1]}…"] if len(lines) > _LINES else lines
        self.reason.text = "\n".join(cut)
        self.reason.visible = bool(reason)
        for part in self._parts:
            part.visible = not reason

    def warn(self, text: str) -> None:
        """What is amiss, as the title's last line."""
        self._amiss = f"\n⚠ {plain(text, _HEAD)}" if text else ""
        self._set_title()

    def _set_title(self) -> None:
        text = self._head.rstrip() + self._amiss if self._amiss else self._head
        cast("Title", self.fig.title).text = text


class _Made(NamedTuple):
    simulated: bool


def live_frame(
    *,
    simulated: bool,
    x: DataRange1d | style.Limits | None,
    y: style.Limits | float,
    **options: Any,
) -> figure:
    """An empty figure of the house; a range for ``x`` puts a clock below, None follows the data.

    A number for ``y`` follows the data too: the height of the axis where all of them are one.
    """
    timed = isinstance(x, DataRange1d)
    fig = style.frame(
        cast("DiffusionResult", _Made(simulated)),
        x=Range1d(0.0, 1.0) if timed else x or style.Limits(0.0, 1.0),  # type: ignore[arg-type]
        y=y if isinstance(y, style.Limits) else style.Limits(0.0, 1.0),
        **options,
    )
    if timed:
        style.utc_axis(fig)
    if not isinstance(x, style.Limits):
        fig.x_range = x or DataRange1d(range_padding=0.0)
    if not isinstance(y, style.Limits):
        fig.y_range = DataRange1d(range_padding=0.14, default_span=y)
    return fig


def live_time_range(window_s: float | None = None) -> DataRange1d:
    """All the time there is, or the newest ``window_s`` seconds; figures may share one."""
    span = DataRange1d(range_padding=0.02, default_span=6e4)  # of a lone point: a minute
    if window_s is not None:
        span.update(follow="end", follow_interval=1e3 * window_s)
    return span


class Band:
    """Low to high over time, with nothing drawn where either is unknown.

    The glyph would bridge a hole: at either side of one the band is closed to a point.
    """

    def __init__(self, name: str, most: int) -> None:
        self.source = style.source(name, x=NO_POINTS, low=NO_POINTS, high=NO_POINTS)
        self.most = most
        self._last: tuple[float, float] | None = None  # the last known point while band is open

    def clear(self) -> None:
        """Draw no band."""
        self.show(NO_POINTS, NO_POINTS, NO_POINTS)

    def show(self, x: FloatArray, low: FloatArray, high: FloatArray) -> None:
        """Draw this band and no other."""
        self._last = None
        self.source.data = self._points(x, low, high)

    def append(self, x: FloatArray, low: FloatArray, high: FloatArray) -> None:
        """Go on with these points."""
        points = self._points(x, low, high)
        if points["x"].size:
            add_rows(self.source, points, self.most)

    def _points(self, x: FloatArray, low: FloatArray, high: FloatArray) -> Columns:
        known = np.isfinite(low) & np.isfinite(high)
        before = np.r_[self._last is not None, known[:-1]] if known.size else known
        count = np.where(known, 1 + ~before, before & ~known)
        row = np.repeat(np.arange(known.size), count)
        first = np.r_[True, row[1:] != row[:-1]] if row.size else row.astype(np.bool_)
        closed = first & (~before | ~known)[row]  # of an opening row the first, or a closing one
        middle = 0.5 * (low + high)
        held = self._last or (np.nan, np.nan)
        x_was, middle_was = np.r_[held[0], x[:-1]], np.r_[held[1], middle[:-1]]
        lost = ~known[row]
        at = np.where(lost, x_was[row], x[row]) if row.size else np.empty(0)
        ends = np.where(lost, middle_was[row], middle[row]) if row.size else np.empty(0)
        if known.size:
            self._last = (float(x[-1]), float(middle[-1])) if known[-1] else None
        return {
            "x": at,
            "low": np.where(closed, ends, low[row]),
            "high": np.where(closed, ends, high[row]),
        }


def entries(fig: figure) -> dict[str, LegendItem]:
    """The entries of the legend by their first words, which may change later."""
    items = cast("list[LegendItem]", fig.legend[0].items)
    return {str(cast("Any", item.label).value): item for item in items}


def add_rows(source: ColumnDataSource, columns: Columns, most: int) -> None:
    """The columns after those of the source, which keeps the newest ``most``."""
    source.stream(columns, rollover=most)


def follow(fig: figure, renderers: list[Any]) -> None:
    """Fit the y axis to these marks alone: a band as wide as the axis would flatten them."""
    cast("DataRange1d", fig.y_range).renderers = renderers


def price_axis(fig: figure) -> None:
    """Prices along x, as many as fit a phone."""
    fig.xaxis.formatter = NumeralTickFormatter(format="0,0.[0000]")
    fig.xaxis.ticker = BasicTicker(desired_num_ticks=4)


def set_rows(fig: figure, names: Sequence[str], *, height: int) -> None:
    """A row of the y axis for each name, from the top."""
    if list(fig.yaxis.major_label_overrides.values()) == list(names):
        return  # a new ticker would make the document look through all of its models
    n = max(len(names), 1)
    fig.height = height
    fig.y_range.update(start=n - 0.1, end=-0.6)  # SIMULATED stands below the last row
    fig.yaxis.ticker = list(range(len(names)))
    fig.yaxis.major_label_overrides = dict(enumerate(names))


def set_entry(item: LegendItem, when: object, text: str | None = None) -> None:
    """Show the entry, with these words where given, or hide it."""
    item.visible = bool(when)
    if text is not None:
        item.label = value(plain(text, 60))


def stamps(rows: pl.DataFrame) -> FloatArray:
    """When, in the milliseconds since 1970 of Bokeh's clock axis."""
    return style.milliseconds(rows[time_column(rows)])


def at_words(rows: pl.DataFrame) -> str:
    """The time of the last row, such as ``21:04:05 UTC``."""
    return f"{rows[time_column(rows)][-1]:%H:%M:%S} UTC"


def numbers(rows: pl.DataFrame, column: str) -> FloatArray:
    """A column of numbers; null is NaN."""
    return np.asarray(rows[column].to_numpy(), np.float64)


def thinned(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """Every k-th row back from the newest, with the least k that leaves at most ``most``."""
    every = -(-rows.height // most)
    if every <= 1:
        return rows
    return rows[np.arange((rows.height - 1) % every, rows.height, every)]


def latest(rows: pl.DataFrame, *by: str) -> pl.DataFrame:
    """The last row of each name, in the order of their first rows."""
    return rows.unique(by, keep="last", maintain_order=True) if rows.height else rows
