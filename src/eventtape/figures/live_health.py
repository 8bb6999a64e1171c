"""How long from the receipt of a batch to its answers: median and 99th percentile over time."""

from __future__ import annotations

from typing import cast

import polars as pl
from bokeh.models import DataRange1d
from bokeh.models.annotations import Span

from eventtape.figures import style
from eventtape.figures.live_parts import (
    NOTHING_YET,
    Columns,
    LiveFigure,
    Notes,
    add_rows,
    live_frame,
    live_time_range,
    numbers,
    stamps,
)
from eventtape.stream.board import Lag

__all__ = ["LAGS", "LiveHealth", "lag_row"]

LAGS = {
    "ts": pl.Datetime("ns", "UTC"),  # wall clock of the look
    "p50_ms": pl.Float64(),
    "p99_ms": pl.Float64(),
    "worst_ms": pl.Float64(),
}
"""Columns of the rows that :class:`LiveHealth` takes."""


class LiveHealth(LiveFigure):
    """Rows of :data:`LAGS`, such as :func:`lag_row` makes of a look at the board."""

    def __init__(
        self,
        *,
        simulated: bool = False,
        x_range: DataRange1d | None = None,
        target_ms: float = 250.0,
        most: int = 2_000,
    ) -> None:
        self.most = most
        self.figure = fig = live_frame(
            simulated=simulated, title=f"Lag, receipt to answer\nline: {target_ms:g} ms",
            height=200,
            x=x_range or live_time_range(), y=10.0, y_label="ms",
        )  # fmt: skip
        self._lags = style.source("lags", **_columns(pl.DataFrame(schema=LAGS)))
        lines = [
            fig.line("ts", name, source=self._lags, color=colour, line_width=2, legend_label=label)
            for name, colour, label in (
                ("p99_ms", style.VERMILLION, "99th percentile"),
                ("p50_ms", style.BLUE, "median"),
            )
        ]
        fig.add_layout(
            Span(location=target_ms, dimension="width", line_color=style.INK, line_dash="dashed")
        )
        tips = [("median", "@p50_ms{0.0} ms"), ("99%", "@p99_ms{0.0} ms")]
        style.add_hover(fig, lines[:1], [*tips, ("worst", "@worst_ms{0.0} ms")], clock="ts")
        cast("DataRange1d", fig.y_range).start = 0.0
        style.legend_below(fig)
        self.notes = (Notes(fig),)
        self.clear()

    def show(self, rows: pl.DataFrame) -> None:
        """Draw these rows."""
        self._lags.data = _columns(rows.tail(self.most))
        self._words()

    def append(self, rows: pl.DataFrame) -> None:
        """Draw these rows after those there."""
        if rows.height:
            add_rows(self._lags, _columns(rows), self.most)
        self._words()

    def clear(self, reason: str = NOTHING_YET) -> None:
        """Draw nothing, and say why."""
        self._lags.data = _columns(pl.DataFrame(schema=LAGS))
        self.notes[0].say(reason)

    def _words(self) -> None:
        self.notes[0].say("" if len(self._lags.data["ts"]) else "nothing received live")


def lag_row(now_ns: int, lag: Lag) -> pl.DataFrame:
    """One row of :data:`LAGS`; none where no batch was timed."""
    rows = [(now_ns, lag.p50_ms, lag.p99_ms, lag.worst_ms)] if lag.batches else []
    return pl.DataFrame(rows, schema=LAGS, orient="row")


def _columns(rows: pl.DataFrame) -> Columns:
    return {
        "ts": stamps(rows), "p50_ms": numbers(rows, "p50_ms"),
        "p99_ms": numbers(rows, "p99_ms"), "worst_ms": numbers(rows, "worst_ms"),
    }  # fmt: skip
