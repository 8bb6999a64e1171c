"""What each factor has returned since the first row shown: compounded, in percent, gaps as gaps.

A step whose return is unknown breaks the line; the next known one goes on from the level before,
so what happened in the gap is left out, not guessed.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from bokeh.models import DataRange1d

from eventtape.arrays import FloatArray, Status
from eventtape.figures import style
from eventtape.figures.live_parts import (
    NOTHING_YET,
    Columns,
    LiveFigure,
    Notes,
    add_rows,
    entries,
    latest,
    live_frame,
    live_time_range,
    numbers,
    set_entry,
    stamps,
)
from eventtape.figures.words import plain
from eventtape.stream.answers import FACTORS

__all__ = ["LiveFactors"]

_COLOURS = (style.BLUE, style.VERMILLION, style.GREEN, style.ORANGE, style.PURPLE, style.SKY)
_NONE = pl.DataFrame(schema=FACTORS)


class LiveFactors(LiveFigure):
    """Rows of ``FACTORS``, a line for each of the first six factors met."""

    def __init__(
        self, *, simulated: bool = False, x_range: DataRange1d | None = None, most: int = 5_000
    ) -> None:
        self.most = most
        self._names: list[str] = []
        self._grown: dict[str, float] = {}
        self.figure = fig = live_frame(
            simulated=simulated, title=" \n ", height=style.WIDE - 40,
            x=x_range or live_time_range(), y=0.1, y_label="return since the start, %", tools=True,
        )  # fmt: skip
        style.add_zero(fig)
        self._lines = [
            style.source(f"factor {k}", **_columns(_NONE, np.empty(0)))
            for k in range(len(_COLOURS))
        ]
        tips = [("factor", "@factor"), ("since the start", "@grown{+0.000}%")]
        tips += [("seen, long side", "@coverage_long{0%}"), ("short side", "@coverage_short{0%}")]
        for k, (source, colour) in enumerate(zip(self._lines, _COLOURS, strict=True)):
            line = fig.line(
                "ts", "grown", source=source, color=colour, line_width=2, legend_label=f"factor {k}"
            )
            style.add_hover(fig, [line], tips, clock="ts")
        style.legend_below(fig)
        self._entries = entries(fig)
        self.notes = (Notes(fig),)
        self.clear()

    def show(self, rows: pl.DataFrame) -> None:
        """Draw these rows; returns are counted from the first of them."""
        self._names, self._grown = [], {}
        for place, part in self._parts(rows):
            self._lines[place].data = self._grow(part, self.most)
        for source in self._lines[len(self._names) :]:
            source.data = _columns(_NONE, np.empty(0))
        self._words(rows)

    def append(self, rows: pl.DataFrame) -> None:
        """Draw these rows after those there."""
        for place, part in self._parts(rows):
            add_rows(self._lines[place], self._grow(part, self.most), self.most)
        self._words(rows)

    def clear(self, reason: str = NOTHING_YET) -> None:
        """Draw nothing, and say why."""
        self._names, self._grown = [], {}
        for source in self._lines:
            source.data = _columns(_NONE, np.empty(0))
        self.notes[0].head("Factor returns")
        self.notes[0].say(reason)

    def _parts(self, rows: pl.DataFrame) -> list[tuple[int, pl.DataFrame]]:
        new = [n for n in rows["factor"].unique(maintain_order=True) if n not in self._names]
        self._names += new[: len(self._lines) - len(self._names)]
        return [
            (place, part)
            for place, name in enumerate(self._names)
            if (part := rows.filter(factor=name)).height
        ]

    def _grow(self, part: pl.DataFrame, most: int) -> Columns:
        """The newest ``most`` of these rows, returns compounded on what came before all of them."""
        name = part["factor"][0]
        step = numbers(part, "simple_return")
        known = np.isfinite(step)
        level = np.cumprod(np.r_[self._grown.get(name, 1.0), np.where(known, 1.0 + step, 1.0)])[1:]
        self._grown[name] = float(level[-1])
        grown = np.where(known, 100.0 * (level - 1.0), np.nan)
        return _columns(part.tail(most), grown[-most:])

    def _words(self, rows: pl.DataFrame) -> None:
        if not self._names:
            self.clear("no factor return yet")
            return
        self.notes[0].say("" if self._any_known() else self._fates(rows))
        for place in range(len(self._lines)):
            name = self._names[place] if place < len(self._names) else ""
            set_entry(self._entries[f"factor {place}"], name, plain(name, 24))
        self.notes[0].head("Factor returns, gaps left out", self._fates(rows) or " ")

    def _any_known(self) -> bool:
        return any(np.isfinite(np.asarray(s.data["grown"])).any() for s in self._lines)

    def _fates(self, rows: pl.DataFrame) -> str:
        """Factors whose last return is unknown, with the reason."""
        last = latest(rows.filter(pl.col("factor").is_in(self._names)), "factor")
        bad = last.filter(pl.col("status") != str(Status.OK))
        return "; ".join(
            f"{plain(r[0], 14)}: {plain(r[1], 24)}" for r in bad.select("factor", "status").rows()
        )


def _columns(rows: pl.DataFrame, grown: FloatArray) -> Columns:
    return {
        "ts": stamps(rows),
        "grown": grown,
        "factor": [plain(name) for name in rows["factor"]],
        "coverage_long": numbers(rows, "coverage_long"),
        "coverage_short": numbers(rows, "coverage_short"),
    }
