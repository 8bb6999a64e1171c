"""The event's probability as it comes: quotes, filtered mean with its band, regimes, other venues.

Drawn as the report draws it. Quotes beyond the bound are thinned evenly; moderate moves and shocks
are kept one by one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import polars as pl
from bokeh.models import ColumnDataSource, DataRange1d

from eventtape.arrays import FloatArray, Status
from eventtape.figures import style
from eventtape.figures.live_parts import (
    NOTHING_YET,
    Band,
    Columns,
    LiveFigure,
    Notes,
    add_rows,
    at_words,
    entries,
    follow,
    live_frame,
    live_time_range,
    numbers,
    set_entry,
    stamps,
    thinned,
)
from eventtape.figures.probability import MARKS, OTHERS
from eventtape.figures.words import plain
from eventtape.stream.answers import PROBABILITY

__all__ = ["LiveProbability"]

_NAME = 12  # letters of a feed that fit two entries beside each other on a phone
_FILTERED, _QUOTES = "filtered mean ±2 sd", "quotes"


class LiveProbability(LiveFigure):
    """Rows of ``PROBABILITY``; the primary feed with its filter, the others pale, below.

    Without a ``primary`` that of the first row is the primary one.
    """

    def __init__(
        self,
        *,
        primary: str = "",
        outcome: str = "",
        simulated: bool = False,
        x_range: DataRange1d | None = None,
        most: int = 10_000,
    ) -> None:
        self.most, self.primary, self.feed = most, primary, primary
        self._heading = f"Probability: {plain(outcome, 50)}" if outcome else "Probability"
        self._others: list[str] = []
        self.figure = fig = live_frame(
            simulated=simulated,
            title=f"{self._heading}\n ",
            height=style.WIDE,
            x=x_range or live_time_range(),
            y=0.1,
            y_label="probability",
            tools=True,
        )
        self._band = Band("filtered band", 2 * most)
        self._quotes = _empty(_QUOTES)
        self._marked = {name: _empty(name) for name, *_ in MARKS}
        self._venues = [_empty(f"venue {k}") for k in range(len(OTHERS))]
        fig.varea(
            "x", "low", "high", source=self._band.source, color=style.SKY, alpha=0.5,
            legend_label=_FILTERED,
        )  # fmt: skip
        mean = fig.line(
            "ts", "mean", source=self._quotes, color=style.BLUE, line_width=1.5,
            legend_label=_FILTERED,
        )  # fmt: skip
        dots = fig.scatter(
            "ts", "probability", source=self._quotes, size=3, color=style.BLUE, alpha=0.6,
            legend_label=_QUOTES,
        )  # fmt: skip
        tips = [("quote", "@probability{0.0000}"), ("filtered", "@mean{0.0000}")]
        style.add_hover(fig, [dots], [*tips, ("z", "@z_text"), ("regime", "@regime")], clock="ts")
        drawn = [mean, dots]
        for name, colour, marker, size, label in MARKS:
            fig.scatter(
                "ts", "probability", source=self._marked[name], marker=marker, size=size - 2,
                color=colour, alpha=0.8, legend_label=label,
                level="underlay" if name == "moderate" else "glyph",  # below the line: many
            )  # fmt: skip
        for k, (source, colour) in enumerate(zip(self._venues, OTHERS, strict=True)):
            others = fig.scatter(
                "ts", "probability", source=source, size=3, color=colour, alpha=0.45,
                level="underlay", legend_label=f"venue {k}",
            )  # fmt: skip
            style.add_hover(fig, [others], tips[:1], clock="ts")
            drawn.append(others)
        follow(fig, drawn)
        style.legend_below(fig)
        self._entries = entries(fig)
        self.notes = (Notes(fig),)
        self.clear()

    def show(self, rows: pl.DataFrame, *, feed: str = "") -> None:
        """Draw these rows, thinned to leave room for more; ``feed`` is another primary one."""
        most = self.most // 2
        self.feed = feed or self.primary or (rows["feed"][0] if rows.height else "")
        self._others = []
        mine = rows.filter(feed=self.feed)
        kept = thinned(mine, most)
        self._quotes.data = _columns(kept)
        self._band.show(*_sides(kept))
        for name, source in self._marked.items():
            source.data = _columns(mine.filter(regime=name).tail(most))
        for source in self._venues:
            source.data = _columns(rows.clear())
        for source, other in self._venue_rows(rows):
            source.data = _columns(thinned(other, most))
        self._words(mine, rows)

    def append(self, rows: pl.DataFrame) -> None:
        """Draw these rows after those there."""
        if not self.feed:
            self.show(rows)
            return
        mine = rows.filter(feed=self.feed)
        self._band.append(*_sides(mine))
        parts = [(self._quotes, mine)]
        parts += [(source, mine.filter(regime=name)) for name, source in self._marked.items()]
        for source, new in [*parts, *self._venue_rows(rows)]:
            if new.height:
                add_rows(source, _columns(new), self.most)
        self._words(mine, rows)

    def clear(self, reason: str = NOTHING_YET) -> None:
        """Draw nothing, and say why."""
        for source in (self._quotes, *self._marked.values(), *self._venues):
            source.data = {name: [] for name in source.data}
        self._band.clear()
        self._others, self.feed = [], self.primary
        self.notes[0].head(self._heading)
        self.notes[0].say(reason)

    def _venue_rows(self, rows: pl.DataFrame) -> Iterator[tuple[ColumnDataSource, pl.DataFrame]]:
        """Rows of each other feed and where they are drawn; of the first three, as they are met."""
        for feed in rows["feed"].unique(maintain_order=True):
            if feed == self.feed:
                continue
            if feed not in self._others:
                self._others.append(feed)
            place = self._others.index(feed)
            if place < len(self._venues):
                yield self._venues[place], rows.filter(feed=feed)

    def _words(self, mine: pl.DataFrame, rows: pl.DataFrame) -> None:
        """The state of the filter in the title, and the legend's entries for what is there."""
        if not len(self._quotes.data["ts"]) and not self._others:
            self.clear("no quotes yet")
            return
        self.notes[0].say("")
        name = plain(self.feed, _NAME)
        seen = bool(np.isfinite(self._quotes.data["mean"]).any())
        set_entry(self._entries[_QUOTES], True, name)
        set_entry(self._entries[_FILTERED], seen)
        for regime, _, _, _, label in MARKS:
            set_entry(self._entries[label], len(self._marked[regime].data["ts"]))
        for k in range(len(self._venues)):
            feed = self._others[k] if k < len(self._others) else ""
            set_entry(self._entries[f"venue {k}"], feed, plain(feed, _NAME))
        if mine.height:
            self.notes[0].head(self._heading, _state(mine))
        elif rows.height and not len(self._quotes.data["ts"]):
            self.notes[0].head(self._heading, f"no quotes of {name} yet")


def _state(mine: pl.DataFrame) -> str:
    """The filter's last word."""
    mean, sd, status = mine.select("mean", "sd", "status").row(-1)
    if mean is None or not math.isfinite(mean):
        return f"no filter: {plain(status, 60)}"
    said = f"{mean:.1%} ±{2.0 * sd:.1%} (2 sd) at {at_words(mine)}"
    return said if status == Status.OK else f"{said}\n{plain(status, 60)}"


def _empty(name: str) -> ColumnDataSource:
    return style.source(name, **_columns(pl.DataFrame(schema=PROBABILITY)))


def _columns(rows: pl.DataFrame) -> Columns:
    return {
        "ts": stamps(rows),
        "probability": numbers(rows, "quote"),
        "mean": numbers(rows, "mean"),
        "z_text": [f"{z:+.2f}" if math.isfinite(z) else "—" for z in numbers(rows, "z").tolist()],
        "regime": rows["regime"].to_list(),
    }


def _sides(rows: pl.DataFrame) -> tuple[FloatArray, FloatArray, FloatArray]:
    mean, reach = numbers(rows, "mean"), 2.0 * numbers(rows, "sd")
    return stamps(rows), mean - reach, mean + reach
