"""Each market's path since the first row shown beside the one the probability alone implies."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from bokeh.models import DataRange1d, Row

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
    entries,
    follow,
    live_frame,
    live_time_range,
    numbers,
    set_entry,
    stamps,
    thinned,
)
from eventtape.figures.words import interval_text, percent_text, plain
from eventtape.stream.answers import MARKETS

__all__ = ["LiveMarkets"]

_MARKET, _IMPLIED = "market", "event-implied"


class LiveMarkets(LiveFigure):
    """Rows of ``MARKETS``, a figure for each of the first ``most_markets`` markets met."""

    def __init__(
        self,
        *,
        simulated: bool = False,
        x_range: DataRange1d | None = None,
        most: int = 5_000,
        most_markets: int = 8,
    ) -> None:
        self._span, self._simulated = x_range or live_time_range(), simulated
        self.most, self.most_markets = most, most_markets
        self._slots: list[_Market] = []  # a figure is dear: each is made when it is needed
        self._names: list[str] = []
        self.figure = self._grid = Row(children=[], sizing_mode="stretch_width", styles=GRID)
        self._make(1)
        self.clear()

    def show(self, rows: pl.DataFrame, *, market: str = "") -> None:
        """Draw these rows; of one ``market`` only where given."""
        rows = rows.filter(market=market) if market else rows
        if rows.is_empty():
            self.clear("no market seen yet")
            return
        self._names = []
        parts = dict(self._parts(rows))
        self._make(len(self._names))
        for place, slot in enumerate(self._slots):
            slot.figure.visible = place in parts
            if place in parts:
                slot.show(self._names[place], parts[place])

    def append(self, rows: pl.DataFrame) -> None:
        """Draw these rows after those there; a market not met before gets a figure."""
        parts = self._parts(rows)
        self._make(len(self._names))
        for place, part in parts:
            slot = self._slots[place]
            if slot.name == self._names[place]:
                slot.append(part)
            else:
                slot.figure.visible = True
                slot.show(self._names[place], part)

    def clear(self, reason: str = NOTHING_YET) -> None:
        """Draw nothing, and say why."""
        self._names = []
        for place, slot in enumerate(self._slots):
            slot.figure.visible = place == 0
            slot.clear(reason)

    def _make(self, count: int) -> None:
        """Have a figure for each of so many markets, at least."""
        places = range(len(self._slots), count)
        if not places:
            return
        self._slots += [
            _Market(k, self._span, self.most, simulated=self._simulated) for k in places
        ]
        self._grid.children = [slot.figure for slot in self._slots]
        self.notes = tuple(slot.notes for slot in self._slots)

    def _parts(self, rows: pl.DataFrame) -> list[tuple[int, pl.DataFrame]]:
        """The place and rows of each market, as they are met; none of those beyond the most."""
        new = [n for n in rows["market"].unique(maintain_order=True) if n not in self._names]
        self._names += new[: self.most_markets - len(self._names)]
        return [
            (place, part)
            for place, name in enumerate(self._names)
            if (part := rows.filter(market=name)).height
        ]


class _Market:
    """One market's figure."""

    def __init__(self, place: int, x_range: DataRange1d, most: int, *, simulated: bool) -> None:
        self.name, self.most, self._start = "", most, math.nan
        self.figure = fig = live_frame(
            simulated=simulated, title=" \n ", height=style.NARROW + 40, x=x_range, y=0.5,
            y_label="log return, %",
        )  # fmt: skip
        style.add_zero(fig)
        self._band = Band(f"implied band {place}", 2 * most)
        self._path = style.source(f"path {place}", **self._columns(pl.DataFrame(schema=MARKETS)))
        line = fig.line(
            "ts", "actual", source=self._path, color=style.BLUE, line_width=1.5,
            legend_label=_MARKET,
        )  # fmt: skip
        implied = fig.line(
            "ts", "implied", source=self._path, color=style.VERMILLION, line_width=2,
            line_dash="dashed", legend_label=_IMPLIED,
        )  # fmt: skip
        fig.varea(
            "x", "low", "high", source=self._band.source, color=style.VERMILLION, alpha=0.2,
            level="underlay", legend_label=_IMPLIED,
        )  # fmt: skip
        tips = [("market", "@actual{+0.00}%"), ("implied", "@implied{+0.00}%")]
        style.add_hover(fig, [line], tips, clock="ts")
        follow(fig, [line, implied])
        style.legend_below(fig)
        self._entries = entries(fig)
        self.notes = Notes(fig)

    def show(self, name: str, rows: pl.DataFrame) -> None:
        """Returns are counted from the first of these rows that has a level."""
        self.name = name
        level = numbers(rows, "level")
        known = level[np.isfinite(level)]
        self._start = float(known[0]) if known.size else math.nan
        kept = thinned(rows, self.most)
        self._path.data = self._columns(kept)
        self._band.show(*self._sides(kept))
        self._words(rows)

    def append(self, rows: pl.DataFrame) -> None:
        if not math.isfinite(self._start):
            self.show(self.name, rows)
            return
        add_rows(self._path, self._columns(rows), self.most)
        self._band.append(*self._sides(rows))
        self._words(rows)

    def clear(self, reason: str) -> None:
        self.name, self._start = "", math.nan
        self._path.data = self._columns(pl.DataFrame(schema=MARKETS))
        self._band.clear()
        self.notes.head("Markets")
        self.notes.say(reason)

    def _columns(self, rows: pl.DataFrame) -> Columns:
        actual, implied = (
            100.0 * (numbers(rows, name) - self._start) for name in ("level", "implied")
        )
        return {"ts": stamps(rows), "actual": actual, "implied": implied}

    def _sides(self, rows: pl.DataFrame) -> tuple[FloatArray, FloatArray, FloatArray]:
        low, high = (
            100.0 * (numbers(rows, f"implied_{end}") - self._start) for end in ("lower", "upper")
        )
        return stamps(rows), low, high

    def _words(self, rows: pl.DataFrame) -> None:
        """The gap in the title, the legend for what is there."""
        gap, lower, upper, status = rows.select("gap", "gap_lower", "gap_upper", "status").row(-1)
        gap, lower, upper = (math.nan if x is None else x for x in (gap, lower, upper))
        said = f"gap {percent_text(gap, Status.OK)}"
        said += f" ({interval_text(lower, upper)})" if math.isfinite(lower) else ""
        if status != Status.OK:
            said = f"{said}, {plain(status, 60)}"
        self.notes.head(plain(self.name, 32), said)
        known = bool(np.isfinite(self._path.data["implied"]).any())
        set_entry(
            self._entries[_IMPLIED],
            True,
            f"{_IMPLIED}, interval for one look" if known else f"{_IMPLIED}: {plain(status)}",
        )
        self.notes.say("" if math.isfinite(self._start) else "no price seen")
