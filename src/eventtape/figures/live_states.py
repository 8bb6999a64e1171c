"""What a chain says of either outcome: mean prices, densities if there are any, the gap over time.

Bounds hold every law that the density and the probability allow: a bar and a band. The joint fit
is a line with its interval. Colours are the report's.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from bokeh.models import Column, DataRange1d, Row
from bokeh.models.annotations import LabelSet
from bokeh.plotting import figure

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
    latest,
    live_frame,
    live_time_range,
    numbers,
    price_axis,
    set_entry,
    stamps,
    thinned,
)
from eventtape.figures.states import COLOURS, reason_lines
from eventtape.figures.states_density import STATE_0, STATE_1
from eventtape.figures.words import interval_text, percent_text, plain
from eventtape.stream.answers import STATES
from eventtape.studies.states_rows import BOUNDS, JOINT

__all__ = ["LiveStates"]

_METHODS = (BOUNDS, JOINT)
_UP, _DOWN = "it happens", "it does not"
_SIDES = ((_UP, "up", STATE_1, -0.18), (_DOWN, "down", STATE_0, 0.18))  # aside: of a row
_SHOWN = 2e-3  # of the highest: below that a density is a line along the axis
_TITLES = ("Mean price by outcome", "Density by outcome", "Gap between the outcomes")
_NONE = pl.DataFrame(schema=STATES)


class LiveStates(LiveFigure):
    """Rows of ``STATES`` of one chain, by ``sharp bounds`` (or ``bounds``) and by ``joint fit``."""

    def __init__(
        self, *, simulated: bool = False, x_range: DataRange1d | None = None, most: int = 5_000
    ) -> None:
        self.most, self.chain = most, ""
        self._last = _NONE
        prices = DataRange1d(range_padding=0.05)
        self.means = self._means_figure(prices, simulated=simulated)
        self.densities = self._density_figure(prices, simulated=simulated)
        self.gaps = self._gap_figure(x_range or live_time_range(), simulated=simulated)
        now = Column(children=[self.means, self.densities], sizing_mode="stretch_width")
        self.figure = Row(children=[now, self.gaps], sizing_mode="stretch_width", styles=GRID)
        self.notes = (Notes(self.means), Notes(self.densities), Notes(self.gaps))
        self.clear()

    def show(self, rows: pl.DataFrame, *, chain: str = "") -> None:
        """Draw these rows of ``chain``, that of the last row unless given."""
        if rows.is_empty():
            self.clear("no states yet")
            return
        self.chain = chain or rows["chain"][-1]
        mine = _named(rows.filter(chain=self.chain))
        if mine.is_empty():
            self.clear(f"no states of {self.chain} yet")
            return
        for method in _METHODS:
            part = thinned(mine.filter(method=method), self.most)
            self._gap[method].data = _gap_columns(part)
            self._bands[method].show(*_gap_sides(part))
        self._last = _NONE
        self._now(mine)

    def append(self, rows: pl.DataFrame) -> None:
        """Draw these rows after those there."""
        if not self.chain or self._last.is_empty():
            self.show(rows, chain=self.chain)
            return
        mine = _named(rows.filter(chain=self.chain))
        if mine.is_empty():
            return
        for method in _METHODS:
            part = mine.filter(method=method)
            if part.height:
                add_rows(self._gap[method], _gap_columns(part), self.most)
                self._bands[method].append(*_gap_sides(part))
        self._now(mine)

    def clear(self, reason: str = NOTHING_YET) -> None:
        """Draw nothing, and say why; the chain chosen stays so."""
        self._last = _NONE
        for method in _METHODS:
            self._gap[method].data = _gap_columns(_NONE)
            self._bands[method].clear()
        self._draw_now()
        for notes, title in zip(self.notes, _TITLES, strict=True):
            notes.head(title, plain(self.chain, 40))
            notes.say(reason)

    def _means_figure(self, prices: DataRange1d, *, simulated: bool) -> figure:
        fig = live_frame(
            simulated=simulated, title=" \n ", height=190, x=None,
            y=style.Limits(len(_METHODS) - 0.4, -0.6), x_label="mean price at expiry",
        )  # fmt: skip
        fig.x_range = prices
        fig.yaxis.ticker = list(range(len(_METHODS)))
        fig.yaxis.major_label_overrides = dict(enumerate(_METHODS))
        fig.ygrid.visible = False
        self._means = {name: style.source(f"mean, {name}") for name, *_ in _SIDES}
        for name, _, colour, _ in _SIDES:
            source = self._means[name]
            bars = fig.segment(
                "low", "y", "high", "y", source=source, color=colour, line_width=9,
                line_alpha=0.55, legend_label=name,
            )  # fmt: skip
            fig.scatter("low", "y", source=source, size=6, color=colour)
            fig.scatter("high", "y", source=source, size=6, color=colour)
            style.add_hover(fig, [bars], [(name, "@low{0,0.00} to @high{0,0.00}")])
        self._refused = style.source("refused", x=[], y=[], text=[])
        words = LabelSet(
            x="x", y="y", text="text", source=self._refused, text_align="center",
            text_baseline="middle", text_color=style.INK, text_font=style.FONT,
            text_font_size="11px", text_font_style="italic",
        )  # fmt: skip
        fig.add_layout(words)
        style.legend_below(fig)
        return fig

    def _density_figure(self, prices: DataRange1d, *, simulated: bool) -> figure:
        fig = live_frame(
            simulated=simulated, title=" \n ", height=style.NARROW + 20, x=None, y=0.01,
            x_label="price at expiry", y_label="probability per unit of price, %",
        )  # fmt: skip
        fig.x_range = prices
        for each in (fig, self.means):
            price_axis(each)
        self._curves = {name: style.source(f"density, {name}") for name, *_ in _SIDES}
        for name, _, colour, _ in _SIDES:
            line = fig.line(
                "x", "y", source=self._curves[name], color=colour, line_width=2, legend_label=name
            )
            style.add_hover(fig, [line], [(name, "@y{0.000}"), ("price", "@x{0,0.##}")])
        style.legend_below(fig)
        return fig

    def _gap_figure(self, x_range: DataRange1d, *, simulated: bool) -> figure:
        fig = live_frame(
            simulated=simulated, title=" \n ", height=190 + style.NARROW + 20, x=x_range, y=1.0,
            y_label="gap, % of log price", tools=True,
        )  # fmt: skip
        style.add_zero(fig)
        self._gap = {m: style.source(f"gap {m}", **_gap_columns(_NONE)) for m in _METHODS}
        self._bands = {m: Band(f"{m} band", 2 * self.most) for m in _METHODS}
        for method in _METHODS:
            fig.varea(
                "x", "low", "high", source=self._bands[method].source, color=COLOURS[method],
                fill_alpha=0.22, legend_label=method,
            )  # fmt: skip
            line = fig.line(
                "ts", "gap", source=self._gap[method], color=COLOURS[method], line_width=2,
                legend_label=method,
            )  # fmt: skip
            fig.scatter("ts", "gap", source=self._gap[method], color=COLOURS[method], size=4)
            tips = [("gap", "@said"), ("interval", "@interval"), ("method", method)]
            style.add_hover(fig, [line], tips, clock="ts")
        style.legend_below(fig)
        self._entries = entries(fig)
        return fig

    def _now(self, mine: pl.DataFrame) -> None:
        """The last row of each method, in words and prices."""
        self._last = latest(pl.concat([self._last, mine]), "method")
        self._draw_now()
        when = at_words(mine)
        for notes, title in zip(self.notes[:2], _TITLES, strict=False):
            notes.head(title, f"{plain(self.chain, 34)}, {when}")
        said = [_said(row) for row in self._last.iter_rows(named=True)]
        self.notes[2].head(_TITLES[2], "\n".join(said))
        self.notes[0].say("" if self._ends().size else f"no mean: {_why(self._last)}")
        drawn = any(len(curve.data["x"]) for curve in self._curves.values())
        self.notes[1].say("" if drawn else self._no_density())
        seen = {m: len(self._bands[m].source.data["x"]) for m in _METHODS}
        for method, count in seen.items():
            set_entry(self._entries[method], count)
        self.notes[2].say("" if any(seen.values()) else "no gap: " + _why(self._last))

    def _draw_now(self) -> None:
        last = self._last
        at = [_METHODS.index(method) for method in last["method"]]
        for name, side, _, aside in _SIDES:
            low, high = numbers(last, f"{side}_low"), numbers(last, f"{side}_high")
            self._means[name].data = {"low": low, "high": high, "y": np.array(at) + aside}
            self._curves[name].data = _curve(last, f"pdf_{side}")
        ends = self._ends()
        middle = 0.5 * (ends.min() + ends.max()) if ends.size else 0.5
        bad = [
            (place, status, reason)
            for place, status, reason, low in zip(
                at, last["status"], last["reason"], numbers(last, "up_low"), strict=True
            )
            if status != Status.OK and not math.isfinite(low)
        ]
        self._refused.data = {
            "x": [middle] * len(bad),
            "y": [place for place, *_ in bad],
            "text": [reason_lines(plain(reason or status, 200)) for _, status, reason in bad],
        }

    def _ends(self) -> FloatArray:
        """The ends of the mean prices, those that are known."""
        sides = [numbers(self._last, f"{s}_{e}") for _, s, *_ in _SIDES for e in ("low", "high")]
        ends = np.concatenate(sides)
        return ends[np.isfinite(ends)]

    def _no_density(self) -> str:
        """Why there is no density by outcome."""
        joint = self._last.filter(method=JOINT)
        if joint.is_empty() or joint["status"][0] == Status.OK:
            return "bounds alone give no density"
        return f"{JOINT}: {joint['reason'][0] or joint['status'][0]}"


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the methods there is a place for, by the report's names."""
    method = pl.col("method").replace("bounds", BOUNDS)
    return rows.with_columns(method).filter(pl.col("method").is_in(_METHODS))


def _curve(last: pl.DataFrame, column: str) -> Columns:
    """The density of the joint fit, or of whatever gives one, in % per unit of price."""
    for strikes, pdf in zip(last["strikes"], last[column], strict=True):
        y = np.array([]) if pdf is None else 100.0 * pdf.to_numpy()
        if np.isfinite(y).any():
            inside = np.flatnonzero(y >= _SHOWN * np.nanmax(y))
            whole = slice(int(inside[0]), int(inside[-1]) + 1)
            return {"x": strikes.to_numpy()[whole], "y": y[whole]}
    return {"x": np.empty(0), "y": np.empty(0)}


def _gap_columns(rows: pl.DataFrame) -> Columns:
    gap, lower, upper = (numbers(rows, name) for name in ("gap", "gap_lower", "gap_upper"))
    return {
        "ts": stamps(rows),
        "gap": 100.0 * gap,
        "said": [percent_text(g) for g in gap.tolist()],
        "interval": [interval_text(*x) for x in zip(lower.tolist(), upper.tolist(), strict=True)],
    }


def _gap_sides(rows: pl.DataFrame) -> tuple[FloatArray, FloatArray, FloatArray]:
    return stamps(rows), 100.0 * numbers(rows, "gap_lower"), 100.0 * numbers(rows, "gap_upper")


def _said(row: dict[str, object]) -> str:
    """One method's last word on the gap."""
    gap, lower, upper = (
        math.nan if row[name] is None else float(str(row[name]))
        for name in ("gap", "gap_lower", "gap_upper")
    )
    method, status = str(row["method"]), plain(str(row["status"]), 30)
    if not math.isfinite(lower):
        return f"{method}: {status}"
    ends = interval_text(lower, upper)
    said = f"{percent_text(gap)} ({ends})" if math.isfinite(gap) else ends
    return f"{method}: {said}" + ("" if status == Status.OK else f", {status}")


def _why(last: pl.DataFrame) -> str:
    return ", ".join(dict.fromkeys(last["status"])) or "no row"
