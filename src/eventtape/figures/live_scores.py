"""How likely is each symbol's next move up, against how often it was in the model's training rows?

A dot is the model's last probability, a tick its base rate, the bar between them what the features
of the last bucket add. A symbol without a probability keeps its row, with the reason.
"""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, cast

import numpy as np
import polars as pl
from bokeh.models.annotations import LabelSet, Span

from eventtape.arrays import Status
from eventtape.figures import style
from eventtape.figures.live_parts import (
    NOTHING_YET,
    Columns,
    LiveFigure,
    Notes,
    at_words,
    latest,
    live_frame,
    numbers,
    set_rows,
)
from eventtape.figures.words import plain
from eventtape.stream.answers import SCORES

if TYPE_CHECKING:
    from bokeh.models import DataRange1d

__all__ = ["LiveScores"]

_ROW, _AROUND = 17, 110  # pixels
_LINE = 36  # letters of a title that fit a phone
_NONE = pl.DataFrame(schema=SCORES)
_UP, _DOWN = style.BLUE, style.VERMILLION


class LiveScores(LiveFigure):
    """Rows of ``SCORES``: the last one of each symbol, of the first ``most_symbols`` by name."""

    def __init__(self, *, simulated: bool = False, most_symbols: int = 40) -> None:
        self.most_symbols = most_symbols
        self._last = _NONE
        self.figure = self._fig = fig = live_frame(
            simulated=simulated, title=" \n ", height=_AROUND + 8 * _ROW, x=None,
            y=style.Limits(0.5, -0.5), x_label="probability of an up-move, given a move, %",
        )  # fmt: skip
        cast("DataRange1d", fig.x_range).range_padding = 0.06  # room for the dots at the ends
        fig.ygrid.visible = False
        fig.add_layout(
            Span(location=50.0, dimension="height", line_color=style.INK, line_dash="dotted")
        )
        self._rows = style.source("scores", **_columns(_NONE))
        self._refused = style.source("refused", x=[], y=[], text=[])
        bars = fig.segment(
            "base", "y", "p", "y", source=self._rows, color="colour", line_width=5, line_alpha=0.5
        )
        dots = fig.scatter("p", "y", source=self._rows, size=8, color="colour", legend_label="now")
        fig.scatter(
            "base", "y", source=self._rows, marker="dash", angle=0.5 * math.pi, size=13,
            line_width=2, color=style.INK, legend_label="base rate of the training rows",
        )  # fmt: skip
        tips = [("symbol", "@ticker"), ("up-move", "@said"), ("base rate", "@base{0.0}%")]
        style.add_hover(fig, [bars, dots], tips)
        words = LabelSet(
            x="x", y="y", text="text", source=self._refused, text_align="center",
            text_baseline="middle", text_color=style.INK, text_font=style.FONT,
            text_font_size="11px", text_font_style="italic",
        )  # fmt: skip
        fig.add_layout(words)
        style.legend_below(fig)
        self.notes = (Notes(fig),)
        self.clear()

    def show(self, rows: pl.DataFrame) -> None:
        """Draw the last of these rows of each symbol."""
        self._last = _NONE
        self.append(rows)

    def append(self, rows: pl.DataFrame) -> None:
        """Draw the last row of each symbol, these and those there."""
        last = latest(pl.concat([self._last, rows.select(_NONE.columns)]), "ticker")
        self._last = last.sort("ticker").head(self.most_symbols)
        if self._last.is_empty():
            self.clear("no score yet")
            return
        self._draw()
        more = f", first {self.most_symbols}" if last.height > self.most_symbols else ""
        when = at_words(self._last.sort("ts"))
        self.notes[0].head(
            f"Up-move scores{more}", f"of the bucket to {when}{_remarks(self._last)}"
        )
        self.notes[0].say("")

    def clear(self, reason: str = NOTHING_YET) -> None:
        """Draw nothing, and say why."""
        self._last = _NONE
        self._draw()
        self.notes[0].head("Up-move scores")
        self.notes[0].say(reason)

    def _draw(self) -> None:
        columns = _columns(self._last)
        self._rows.data = columns
        scored = pl.col("probability").is_finite().fill_null(value=False)
        bad = self._last.with_row_index("y").filter(~scored)
        base = np.asarray(columns["base"])
        middle = float(np.nanmean(base)) if np.isfinite(base).any() else 50.0
        self._refused.data = {
            "x": [middle] * bad.height,
            "y": bad["y"].to_list(),
            "text": [f"— {plain(status, 40)}" for status in bad["status"]],
        }
        names = columns["ticker"]
        set_rows(self._fig, names, height=_AROUND + _ROW * max(len(names), 8))


def _remarks(last: pl.DataFrame) -> str:
    """What is said of scores that are there, each thing once, on lines of their own."""
    there = last.filter(pl.col("probability").is_finite())["status"].unique(maintain_order=True)
    words = (plain(status.removeprefix(str(Status.OK)).strip("; "), 200) for status in there)
    return "".join(f"\n{line}" for said in words for line in textwrap.wrap(said, _LINE))


def _columns(last: pl.DataFrame) -> Columns:
    """Percents; NaN where there is no probability."""
    p, base = 100.0 * numbers(last, "probability"), 100.0 * numbers(last, "base_rate")
    return {
        "y": np.arange(last.height, dtype=np.float64),
        "p": p,
        "base": base,
        "ticker": [plain(name, 8) for name in last["ticker"]],
        "colour": np.where(p >= base, _UP, _DOWN).tolist(),
        "said": [f"{x:.1f}%" if math.isfinite(x) else "—" for x in p.tolist()],
    }
