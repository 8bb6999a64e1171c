"""What the figures of the event premium share: the axis of expiries, and events on it.

Expiries stand side by side at 0, 1, 2, as in the table of the seed: on a scale of time the dailies
and weeklies, where the kink is, would lie on top of one another. An event stands between the two
expiries around it, at its share of the time between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from bokeh.models import Range1d
from bokeh.models.annotations import Label, Span
from bokeh.plotting import figure

from eventtape.arrays import BoolArray, FloatArray
from eventtape.clock import format_ns
from eventtape.estimators.premium.term_structure import TermStructure
from eventtape.figures import style
from eventtape.figures.states import reason_words
from eventtape.figures.words import plain
from eventtape.studies import DiffusionResult
from eventtape.studies.premium_rows import PremiumResult, PremiumRow

__all__ = [
    "curve",
    "day_text",
    "event_lines",
    "expiry_axis",
    "expiry_names",
    "headed",
    "places",
    "premium_frame",
    "refuse",
    "roomy",
    "runs",
    "share_text",
    "side_by_side",
]

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_BELOW = 14  # pixels between a legend and the next title
_HEAD = 16
_MOST_NAMED = 4  # events with their kinds beside their lines


def premium_frame(result: PremiumResult, **options: Any) -> figure:
    """An empty figure of the house; all it asks of a result is whether it is simulated."""
    fig = style.frame(cast("DiffusionResult", result), **options)
    fig.margin = (0, 0, _BELOW, 0)
    return fig


def headed(row: PremiumRow) -> str:
    """The first line of a title: market and moment, as long as a phone is wide."""
    at = format_ns(row.term.at_ns, seconds=False).replace("T", " ").removesuffix("Z")
    return f"{plain(row.label or 'options', _HEAD)} {at}"


def side_by_side(term: TermStructure) -> style.Limits:
    """The ends of an axis on which the expiries stand at 0, 1, 2."""
    return style.Limits(-0.9, term.iv.size - 0.4)


def expiry_axis(fig: figure, term: TermStructure) -> None:
    """Name the expiries along the x axis, upright, so that a phone has room for all."""
    fig.xaxis.ticker = list(range(term.iv.size))
    fig.xaxis.major_label_overrides = dict(enumerate(expiry_names(term)))
    fig.xaxis.major_label_orientation = "vertical"
    fig.xaxis.axis_label = "expiry, UTC"
    fig.xgrid.visible = False


def expiry_names(term: TermStructure) -> list[str]:
    """``8 Nov``; with its year where another than the snapshot's, and its hour where needed."""
    year = format_ns(term.at_ns)[:4]
    days = [day_text(int(ns), year) for ns in term.expiries_ns]
    return [
        day if days.count(day) == 1 else f"{day} {format_ns(int(ns))[11:16]}"
        for day, ns in zip(days, term.expiries_ns, strict=True)
    ]


def day_text(ns: int, year: str = "") -> str:
    """``8 Nov 24``; without its year where that is ``year``.

    >>> day_text(1_731_052_800_000_000_000), day_text(1_731_052_800_000_000_000, "2024")
    ('8 Nov 24', '8 Nov')
    """
    text = format_ns(ns)
    day = f"{int(text[8:10])} {_MONTHS[int(text[5:7]) - 1]}"
    return day if text[:4] == year else f"{day} {text[2:4]}"


def places(term: TermStructure, times_ns: Sequence[int]) -> FloatArray:
    """Where moments lie on the axis of expiries; the snapshot itself at -1."""
    ends = np.r_[0, term.expiries_ns - term.at_ns].astype(np.float64)
    since = [float(t - term.at_ns) for t in times_ns]
    return np.interp(since, ends, np.arange(ends.size) - 1.0)


def event_lines(fig: figure, row: PremiumRow) -> None:
    """A dotted line at each event of the fit, the first few with their kinds."""
    where = places(row.term, [event.at_ns for event in row.events])
    for i, (event, x) in enumerate(zip(row.events, where, strict=True)):
        line = Span(
            location=float(x), dimension="height", line_color=style.INK, line_width=1,
            line_dash="dotted", name=f"event {event.kind}",
        )  # fmt: skip
        fig.add_layout(line)
        if i < _MOST_NAMED:
            fig.add_layout(_kind(float(x), _ends(fig.y_range)[1], event.kind, i))


def _kind(x: float, top: float, kind: str, i: int) -> Label:
    """The kind beside its line, each lower than the last so that near ones do not overlap."""
    return Label(
        x=x,
        y=top,
        x_offset=3,
        y_offset=-13 * (i + 1),
        text=plain(kind, 14),
        text_color=style.INK,
        text_font_size="11px",
        name=f"kind {kind}",
    )


def curve(
    fig: figure, name: str, y: FloatArray, colour: str, *, dash: str = "solid", label: str = ""
) -> None:
    """A line over the expiries with a small dot at each; NaN breaks it."""
    data = style.source(name, x=np.arange(y.size, dtype=np.float64), y=y)
    fig.line(
        "x", "y", source=data, color=colour, line_width=2, line_dash=dash,
        **style.labelled(label or name, when=np.isfinite(y).any()),
    )  # fmt: skip
    fig.scatter("x", "y", source=data, color=colour, size=4)


def roomy(y: style.Limits) -> style.Limits:
    """The same with room above for the events' kinds and below for the mark of simulated data."""
    room = y.high - y.low
    return style.Limits(y.low - 0.06 * room, y.high + 0.22 * room)


def refuse(fig: figure, why: str) -> None:
    """Why there is no curve, in the middle of the frame and on lines that a phone can hold."""
    middle = sum(_ends(fig.x_range)) / 2.0, sum(_ends(fig.y_range)) / 2.0
    reason_words(fig, [(*middle, why)], "13px")


def _ends(axis: object) -> tuple[float, float]:
    made = cast("Range1d", axis)
    return cast("float", made.start), cast("float", made.end)


def share_text(value: float) -> str:
    """A volatility or a size in percent without a sign, ``55.23%``; a dash where there is none."""
    return f"{100.0 * value:.2f}%" if np.isfinite(value) else "—"


def runs(known: BoolArray) -> Iterator[slice]:
    """Stretches of neighbours that are known: neither line nor band may bridge a hole."""
    edges = np.flatnonzero(np.diff(np.r_[0, np.asarray(known, np.int8), 0]))
    for start, stop in edges.reshape(-1, 2):
        yield slice(int(start), int(stop))
