"""One chain's density now, beside the first one shown, and its volatility at the forward over time.

Densities are in percent of probability per 1% of the forward, as in the report.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from bokeh.models import DataRange1d, Row
from bokeh.models.annotations import Span

from eventtape.arrays import FloatArray, Status
from eventtape.figures import style
from eventtape.figures.live_parts import (
    GRID,
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
    price_axis,
    set_entry,
    stamps,
    thinned,
)
from eventtape.figures.words import plain
from eventtape.stream.answers import DENSITY
from eventtape.studies.densities_findings import price, width

__all__ = ["LiveDensity"]

_SHOWN = 2e-3  # of the highest: below that a density is a line along the axis
_DRAWN = pl.col("pdf").list.len() > 0
_NOW, _FIRST = "now", "first"


class LiveDensity(LiveFigure):
    """Rows of ``DENSITY`` of one chain; ``level`` is that of the densities' own bands."""

    def __init__(
        self,
        *,
        simulated: bool = False,
        x_range: DataRange1d | None = None,
        level: float = 0.95,
        most: int = 5_000,
    ) -> None:
        self.most, self.chain, self._reach = most, "", width(level)
        self.density = fig = live_frame(
            simulated=simulated, title=" \n ", height=style.WIDE, x=None, y=1.0,
            x_label="price at expiry", y_label="probability per 1% of forward, %", tools=True,
        )  # fmt: skip
        price_axis(fig)
        style.add_zero(fig)
        self._now, self._first = (
            style.source(name, **_points(None)) for name in ("density", "first density")
        )
        self._now_label = f"density, {level:.0%} band"
        fig.varea(
            "x", "low", "high", source=self._now, color=style.BLUE, fill_alpha=0.25,
            legend_label=_NOW,
        )  # fmt: skip
        fig.line(
            "x", "pdf", source=self._first, color=style.INK, line_width=1.5, line_dash="dashed",
            legend_label=_FIRST,
        )  # fmt: skip
        line = fig.line(
            "x", "pdf", source=self._now, color=style.BLUE, line_width=2, legend_label=_NOW
        )
        style.add_hover(fig, [line], [("price", "@x{0,0.##}"), ("density", "@pdf{0.000}")])
        self._forward = Span(dimension="height", line_color=style.INK, line_dash="dotdash")
        fig.add_layout(self._forward)
        style.legend_below(fig)
        self._entries = entries(fig)

        self.vol = vol = live_frame(
            simulated=simulated, title="Volatility at the forward", height=style.WIDE,
            x=x_range or live_time_range(), y=5.0, y_label="% per sqrt(year)",
        )  # fmt: skip
        self._vol = style.source("vol", **self._vols(pl.DataFrame(schema=DENSITY)))
        self._band = Band("vol band", 2 * most)
        vol.varea("x", "low", "high", source=self._band.source, color=style.GREEN, fill_alpha=0.25)
        line = vol.line("ts", "vol", source=self._vol, color=style.GREEN, line_width=2)
        style.add_hover(vol, [line], [("vol", "@vol{0.00}%")], clock="ts")
        follow(vol, [line])
        self.figure = Row(children=[fig, vol], sizing_mode="stretch_width", styles=GRID)
        self.notes = (Notes(fig), Notes(vol))
        self.clear()

    def show(self, rows: pl.DataFrame, *, chain: str = "") -> None:
        """Draw these rows of ``chain``, that of the last row unless given."""
        if rows.is_empty():
            self.clear("no density yet")
            return
        self.chain = chain or rows["chain"][-1]
        mine = rows.filter(chain=self.chain)
        if mine.is_empty():
            self.clear(f"no density of {self.chain} yet")
            return
        self._set_first(mine.filter(_DRAWN).head(1))
        kept = thinned(mine, self.most)
        self._vol.data = self._vols(kept)
        self._band.show(*self._sides(kept))
        self._set_now(mine.tail(1))

    def append(self, rows: pl.DataFrame) -> None:
        """Draw these rows after those there."""
        if not self.chain or not len(self._vol.data["ts"]):
            self.show(rows, chain=self.chain)
            return
        mine = rows.filter(chain=self.chain)
        if mine.is_empty():
            return
        if not len(self._first.data["x"]):
            self._set_first(mine.filter(_DRAWN).head(1))
        add_rows(self._vol, self._vols(mine), self.most)
        self._band.append(*self._sides(mine))
        self._set_now(mine.tail(1))

    def clear(self, reason: str = NOTHING_YET) -> None:
        """Draw nothing, and say why; the chain chosen stays so."""
        none = pl.DataFrame(schema=DENSITY)
        self._vol.data = self._vols(none)
        self._band.clear()
        for source in (self._now, self._first):
            source.data = _points(None)
        self._forward.visible = False
        self.notes[0].head("Density", plain(self.chain, 40))
        for notes in self.notes:
            notes.say(reason)

    def _set_first(self, row: pl.DataFrame) -> None:
        self._first.data = _points(row if row.height else None)
        known = bool(row.height)
        set_entry(self._entries[_FIRST], known, f"at {at_words(row)}" if known else None)

    def _set_now(self, row: pl.DataFrame) -> None:
        """The density of this row, or why there is none."""
        forward, quotes, status = row.select("forward", "quotes", "status").row(0)
        points = _points(row)
        self._now.data = points
        drawn = bool(points["x"].size)
        set_entry(self._entries[_NOW], drawn, self._now_label)
        used = "" if quotes is None else f"{quotes} quotes, "
        at = price(forward) if forward is not None and math.isfinite(forward) else "—"
        reserved = "" if status == Status.OK or not drawn else f"\n{plain(status, 80)}"
        line = f"{at_words(row)}: {used}forward {at}{reserved}"
        self.notes[0].head(plain(self.chain, 40), line)
        self._forward.update(visible=drawn, location=forward if drawn else 0.0)
        self.notes[0].say("" if drawn else f"no density: {status}")
        vols = np.isfinite(self._vol.data["vol"])
        self.notes[1].say("" if vols.any() else f"no volatility: {status}")

    def _vols(self, rows: pl.DataFrame) -> Columns:
        return {"ts": stamps(rows), "vol": 100.0 * numbers(rows, "vol")}

    def _sides(self, rows: pl.DataFrame) -> tuple[FloatArray, FloatArray, FloatArray]:
        middle = 100.0 * numbers(rows, "vol")
        error = 100.0 * self._reach * numbers(rows, "vol_error")
        return stamps(rows), middle - error, middle + error


def _points(row: pl.DataFrame | None) -> Columns:
    """The curve and its band where they are more than a line along the axis; none of no row."""
    names = {"x": "strikes", "pdf": "pdf", "low": "pdf_lower", "high": "pdf_upper"}
    if row is None:
        return {name: np.empty(0) for name in names}
    columns = {name: row[column][0].to_numpy().astype(np.float64) for name, column in names.items()}
    pdf = columns["pdf"]
    if not np.isfinite(pdf).any():
        return _points(None)
    inside = np.flatnonzero(pdf >= _SHOWN * np.nanmax(pdf))
    whole = slice(int(inside[0]), int(inside[-1]) + 1)
    forward = float(row["forward"][0])
    return {
        name: values[whole] * (1.0 if name == "x" else forward) for name, values in columns.items()
    }
