"""Who leads whom by the latest window: a network of leaders, and each pair's shares with bounds.

An arrow goes from leader to follower where the pair is identified; its number is the leader's
price information leadership share. Every pair keeps its row below, refused ones with the reason.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import polars as pl
from bokeh.models import Column, Row
from bokeh.models.annotations import Arrow, LabelSet, NormalHead, Span
from bokeh.plotting import figure

from eventtape.arrays import Status
from eventtape.figures import style
from eventtape.figures.leadership_network import NO_LEADER
from eventtape.figures.live_parts import (
    NOTHING_YET,
    Columns,
    LiveFigure,
    Notes,
    at_words,
    latest,
    live_frame,
    set_rows,
)
from eventtape.figures.words import plain
from eventtape.stream.answers import LEADERSHIP

__all__ = ["LeadershipRow", "LiveLeadership"]

_REACH, _SHORT = 1.5, 0.17  # half the frame; left free at either end of an arrow, both in radii
_ABOVE, _FLAT = 0.2, 0.01  # of a name over its node, or under it in the lower half, in radii
_ROW, _AROUND = 26, 90  # pixels
_COLOUR = style.VERMILLION  # of a shared trend's shares, as in the report
_TITLE, _SHARES = "Who moved first, leader to follower", "Share of the first of each pair"
_EVEN = 0.5  # a share that leads nobody
_NONE = pl.DataFrame(schema=LEADERSHIP)


class LeadershipRow(NamedTuple):
    """A pair in words, for a table; plain text that a face must escape."""

    first: str
    second: str
    leader: str  # "—" where none is identified
    share: str  # the first's price information leadership share
    information_share: str  # of the first, between its two orders
    component_share: str
    p_no_relation: str
    status: str
    at: str


class LiveLeadership(LiveFigure):
    """Rows of ``LEADERSHIP``: the last one of each pair, of the first ``most_pairs`` met."""

    def __init__(self, *, simulated: bool = False, most_pairs: int = 30) -> None:
        self.most_pairs = most_pairs
        self._last = _NONE
        self.network = self._network_figure(simulated=simulated)
        self.shares = self._shares_figure(simulated=simulated)
        self.figure = Column(
            children=[Row(children=[self.network], sizing_mode="stretch_width"), self.shares],
            sizing_mode="stretch_width",
        )
        self.notes = (Notes(self.network), Notes(self.shares))
        self.clear()

    def show(self, rows: pl.DataFrame) -> None:
        """Draw the last of these rows of each pair."""
        self._last = _NONE
        self.append(rows)

    def append(self, rows: pl.DataFrame) -> None:
        """Draw the last row of each pair, these and those there."""
        last = latest(pl.concat([self._last, rows.select(_NONE.columns)]), "first", "second")
        self._last = last.sort("first", "second").head(self.most_pairs)
        if self._last.is_empty():
            self.clear("no pair measured yet")
            return
        leaders = self._draw()
        when = at_words(self._last.sort("ts"))
        self.notes[0].head(_TITLE, f"window to {when}")
        self.notes[1].head(_SHARES, "bar: information share bounds")
        self.notes[0].say("" if leaders else NO_LEADER)
        self.notes[1].say("")

    def clear(self, reason: str = NOTHING_YET) -> None:
        """Draw nothing, and say why."""
        self._last = _NONE
        self._draw()
        self.notes[0].head(_TITLE)
        self.notes[1].head(_SHARES)
        for notes in self.notes:
            notes.say(reason)

    def table(self) -> tuple[LeadershipRow, ...]:
        """The pairs in words, those drawn now, identified ones first."""
        rows = [_words(row) for row in self._last.iter_rows(named=True)]
        return tuple(sorted(rows, key=lambda row: row.leader == "—"))

    def _network_figure(self, *, simulated: bool) -> figure:
        square = style.Limits(-_REACH, _REACH)
        fig = live_frame(simulated=simulated, title=" \n ", height=400, x=square, y=square)
        fig.axis.visible = False
        fig.grid.visible = False
        fig.update(min_border_left=14, max_width=680)  # wider, the circle would be flat
        self._edges = style.source("edges", **_edge_columns([], {}))
        self._feeds = style.source("feeds", **_feed_columns({}))
        line = fig.segment("x0", "y0", "x1", "y1", source=self._edges, color=_COLOUR, line_width=2)
        head = NormalHead(size=10, fill_color=_COLOUR, line_color=_COLOUR)
        arrow = Arrow(
            end=head, source=self._edges, x_start="x0", y_start="y0", x_end="x1", y_end="y1"
        )
        arrow.update(line_color=_COLOUR, line_width=2)  # the stubs know its line by another name
        fig.add_layout(arrow)
        fig.add_layout(
            LabelSet(
                source=self._edges, x="x", y="y", text="text", text_align="center",
                text_baseline="middle", text_color=_COLOUR, text_font=style.FONT,
                text_font_size="11px", text_font_style="bold",
            )
        )  # fmt: skip
        tips = [("leader", "@leader"), ("follower", "@follower"), ("leader's share", "@text")]
        style.add_hover(fig, [line], [*tips, ("information share", "@bounds")])
        fig.scatter("x", "y", source=self._feeds, size=13, color=style.INK, marker="circle")
        fig.text(
            "x",
            "word_y", "feed", source=self._feeds, text_align="center",
            text_baseline="middle", text_font=style.FONT, text_font_size="12px",
            text_color=style.INK, text_font_style="bold",
        )  # fmt: skip
        return fig

    def _shares_figure(self, *, simulated: bool) -> figure:
        fig = live_frame(
            simulated=simulated, title=" \n ", height=_AROUND + _ROW,
            x=style.Limits(-2.0, 102.0), y=style.Limits(0.5, -0.5), x_label="share, %",
        )  # fmt: skip
        fig.min_border_left = 130
        fig.ygrid.visible = False
        fig.add_layout(Span(location=50.0, dimension="height", line_color=style.INK))
        self._shares = style.source("shares", **_share_columns(_NONE))
        self._refused = style.source("refused", y=[], text=[])
        bars = fig.segment(
            "low", "y", "high", "y", source=self._shares, color=_COLOUR, line_width=9,
            line_alpha=0.4,
        )  # fmt: skip
        dots = fig.scatter("pils", "y", source=self._shares, size=9, color=_COLOUR)
        tips = [("pair", "@pair"), ("share of the first", "@said"), ("bounds", "@bounds")]
        style.add_hover(fig, [bars, dots], tips)
        words = LabelSet(
            x=50.0, y="y", text="text", source=self._refused, text_align="center",
            text_baseline="middle", text_color=style.INK, text_font=style.FONT,
            text_font_size="11px", text_font_style="italic",
        )  # fmt: skip
        fig.add_layout(words)
        return fig

    def _draw(self) -> int:
        """Draw the pairs held; how many have a leader."""
        last = self._last
        names = sorted({*last["first"], *last["second"]})
        angle = 0.5 * math.pi - 2.0 * math.pi * np.arange(len(names)) / max(len(names), 1)
        at = {n: (math.cos(a), math.sin(a)) for n, a in zip(names, angle.tolist(), strict=True)}
        led = [row for row in last.iter_rows(named=True) if _identified(row)]
        self._feeds.data = _feed_columns(at)
        self._edges.data = _edge_columns(led, at)
        self._shares.data = _share_columns(last)
        bad = [(i, row) for i, row in enumerate(last.iter_rows(named=True)) if not _identified(row)]
        self._refused.data = {
            "y": [i for i, _ in bad],
            "text": [f"— {_fate(row)}" for _, row in bad],
        }
        pairs = [str(pair) for pair in self._shares.data["pair"]]
        set_rows(self.shares, pairs, height=_AROUND + _ROW * max(len(pairs), 2))
        return len(led)


def _identified(row: dict[str, object]) -> bool:
    return (
        bool(row["identified"])
        and row["status"] == Status.OK
        and math.isfinite(_number(row, "pils"))
    )


def _fate(row: dict[str, object]) -> str:
    status = plain(str(row["status"]), 40)
    return str(Status.NOT_IDENTIFIED) if status == Status.OK else status


def _number(row: dict[str, object], name: str) -> float:
    return math.nan if row[name] is None else float(str(row[name]))


def _percent(value: float) -> str:
    return f"{value:.0%}" if math.isfinite(value) else "—"


def _bounds(row: dict[str, object]) -> tuple[float, float]:
    """Between the two orders of the information share."""
    ends = _number(row, "is_first"), _number(row, "is_last")
    return min(ends), max(ends)


def _between(row: dict[str, object]) -> str:
    low, high = _bounds(row)
    return f"{_percent(low)} to {_percent(high)}" if math.isfinite(low + high) else "—"


def _edge_columns(led: list[dict[str, object]], at: dict[str, tuple[float, float]]) -> Columns:
    """From leader to follower, with the leader's share nearer to the leader."""
    names = ("x0", "y0", "x1", "y1", "x", "y", "leader", "follower", "text", "bounds")
    columns: dict[str, list[object]] = {name: [] for name in names}
    for row in led:
        share = _number(row, "pils")
        pair = str(row["first"]), str(row["second"])
        leader, follower = pair if share >= _EVEN else pair[::-1]
        a, b = np.array(at[leader]), np.array(at[follower])
        along = (b - a) / np.linalg.norm(b - a)
        start, end = a + _SHORT * along, b - _SHORT * along
        word = start + 0.3 * (end - start)
        values = (
            *start.tolist(), *end.tolist(), *word.tolist(), plain(leader), plain(follower),
            _percent(max(share, 1.0 - share)), _between(row),
        )  # fmt: skip
        for name, one in zip(names, values, strict=True):
            columns[name].append(one)
    return columns


def _feed_columns(at: dict[str, tuple[float, float]]) -> Columns:
    places = list(at.values())
    return {
        "x": [x for x, _ in places],
        "y": [y for _, y in places],
        "word_y": [y + (_ABOVE if y >= -_FLAT else -_ABOVE) for _, y in places],
        "feed": [plain(name, 14) for name in at],
    }


def _share_columns(last: pl.DataFrame) -> Columns:
    """Shares in percent; NaN where the pair is not identified."""
    columns: dict[str, list[object]] = {
        name: [] for name in ("y", "pils", "low", "high", "pair", "said", "bounds")
    }
    for i, row in enumerate(last.iter_rows(named=True)):
        good = _identified(row)
        low, high = _bounds(row) if good else (math.nan, math.nan)
        pils = _number(row, "pils") if good else math.nan
        pair = f"{plain(str(row['first']), 10)} : {plain(str(row['second']), 10)}"
        values = (i, 100.0 * pils, 100.0 * low, 100.0 * high, pair, _percent(pils), _between(row))
        for name, one in zip(columns, values, strict=True):
            columns[name].append(one)
    return columns


def _words(row: dict[str, object]) -> LeadershipRow:
    first, second = plain(str(row["first"]), 60), plain(str(row["second"]), 60)
    good, share = _identified(row), _number(row, "pils")
    leader = (first if share >= _EVEN else second) if good else "—"
    p_none = _number(row, "p_none")
    return LeadershipRow(
        first,
        second,
        leader,
        _percent(share) if good else "—",
        _between(row) if good else "—",
        _percent(_number(row, "component")) if good else "—",
        f"{p_none:.3f}" if math.isfinite(p_none) else "—",
        str(Status.OK) if good else _fate(row),
        f"{row['ts']:%H:%M:%S} UTC",
    )
