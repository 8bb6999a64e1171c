"""What is unusual now, symbol by symbol: a strip of cells, and the mid over the last buckets.

A cell's colour is how far the feature of the last bucket is from the mean of the symbol's own
earlier buckets, in their standard deviations: blue above, red below, full colour at three. The
bucket itself is not among those it is measured against. A ring is a feature that is missing, or
that too few earlier buckets, or none that differ, can judge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import polars as pl
from bokeh.models import LinearColorMapper
from bokeh.plotting import figure

from eventtape.arrays import FloatArray
from eventtape.figures import style
from eventtape.figures.live_parts import (
    NOTHING_YET,
    LiveFigure,
    Notes,
    live_frame,
    numbers,
    set_rows,
)
from eventtape.figures.words import plain

__all__ = ["HEAT", "LiveFeatures"]

HEAT = {
    "quote_updates": "quote updates",
    "avg_rsprd": "relative spread",
    "num_trades": "trades",
    "num_trades_iso": "ISO trades",
    "pct_trades_iso": "ISO, % of trades",
    "pct_volume_iso": "ISO, % of volume",
    "total_volume": "volume",
    "total_flow": "flow",
    "total_flow_iso": "flow, ISO",
    "total_flow_non_iso": "flow, other",
    "iso_flow_intensity": "ISO flow a share",
}
"""Features drawn unless others are chosen, with their words."""
_FULL = 3.0  # standard deviations at full colour
_STEPS = 30  # colours to either side
_FEWEST = 10  # earlier buckets that can judge a new one
_SAME = 1e-9  # of the mean: a spread below it is rounding
_ROW, _AROUND = 18, 206  # pixels
_SPARK, _SAID = 4.0, 2.4  # widths of the sparkline and of the words beside it, cells
_MID = "last_mid"


class LiveFeatures(LiveFigure):
    """Rows of ``frames.microstructure_features``, of the first ``most_symbols`` symbols met.

    ``memory`` buckets before the last are what it is measured against, and the sparkline's length.
    """

    def __init__(
        self,
        *,
        simulated: bool = False,
        features: Mapping[str, str] = HEAT,
        memory: int = 60,
        most_symbols: int = 40,
    ) -> None:
        self.memory, self.most_symbols = memory, most_symbols
        self._features = tuple(features)
        self._held: dict[str, FloatArray] = {}  # (memory + 1, n_features + 1), mid last
        self._at: dict[str, int] = {}  # last bucket, ns
        self._drawn: tuple[str, ...] = ()
        self._more = False
        self.figure = self._fig = self._strip(list(features.values()), simulated=simulated)
        self.notes = (Notes(self._fig),)
        self.clear()

    def show(self, rows: pl.DataFrame) -> None:
        """Draw the last bucket of these rows against the ones before it."""
        self._held, self._at, self._more = {}, {}, False
        self.append(rows.filter(pl.int_range(pl.len()).reverse().over("ticker") <= self.memory))

    def append(self, rows: pl.DataFrame) -> None:
        """Draw the last bucket, these rows coming after those there."""
        values = np.column_stack([numbers(rows, name) for name in (*self._features, _MID)])
        buckets = rows["bucket"].to_physical().to_numpy()
        places = rows.select("ticker").with_row_index("row").group_by("ticker", maintain_order=True)
        for name, at in places.agg("row").iter_rows():
            if name not in self._held and len(self._held) >= self.most_symbols:
                self._more = True
                continue
            held = self._held.get(name)
            if held is None:
                held = np.full((self.memory + 1, values.shape[1]), np.nan)
            self._held[name] = np.concatenate([held, values[at]])[-self.memory - 1 :]
            self._at[name] = int(buckets[at[-1]])
        if not self._held:
            self.clear("no bucket closed yet")
            return
        self._draw()
        self.notes[0].say("")

    def clear(self, reason: str = NOTHING_YET) -> None:
        """Draw nothing, and say why."""
        self._held, self._at, self._drawn = {}, {}, ()
        self._cells.data = {name: [] for name in self._cells.data}
        for source in (self._missing, self._mids, self._moves):
            source.data = {name: [] for name in source.data}
        self.notes[0].head("Features of the last bucket")
        self.notes[0].say(reason)

    def _strip(self, labels: list[str], *, simulated: bool) -> figure:
        n = len(labels)
        fig = live_frame(
            simulated=simulated, title=" \n ", height=_AROUND + 6 * _ROW,
            x=style.Limits(-0.6, n + _SPARK + _SAID), y=style.Limits(0.5, -0.5),
        )  # fmt: skip
        fig.grid.visible = False
        axis = fig.below.pop()
        fig.above.append(axis)
        axis.update(
            ticker=[*range(n), n + 0.5 * _SPARK, n + _SPARK + 0.5 * _SAID],
            major_label_overrides={
                **{i: plain(label, 18) for i, label in enumerate(labels)},
                n + 0.5 * _SPARK: "mid",
                n + _SPARK + 0.5 * _SAID: "its change",
            },
            major_label_orientation=0.5 * math.pi,
        )
        self._cells = style.source("cells", x=[], y=[], ticker=[], feature=[], z=[], said=[])
        self._missing = style.source("missing", x=[], y=[])
        self._mids = style.source("mids", x=[], y=[])
        self._moves = style.source("moves", x=[], y=[], text=[])
        mapper = LinearColorMapper(
            palette=_palette(), low=-_FULL, high=_FULL, nan_color="rgba(0, 0, 0, 0)"
        )
        cells = fig.rect(
            "x", "y", width=0.94, height=0.88, source=self._cells, line_color=None,
            fill_color={"field": "z", "transform": mapper},
        )  # fmt: skip
        fig.scatter(
            "x", "y", source=self._missing, size=4, line_color=style.INK, line_alpha=0.7,
            fill_color=None,
        )  # fmt: skip
        fig.line("x", "y", source=self._mids, color=style.BLUE, line_width=1.2)
        fig.text(
            "x", "y", "text", source=self._moves, text_font=style.FONT, text_font_size="11px",
            text_color=style.INK, text_baseline="middle", text_align="right",
        )  # fmt: skip
        tips = [("symbol", "@ticker"), ("feature", "@feature"), ("value", "@said")]
        style.add_hover(fig, [cells], [*tips, ("from its own past", "@z{+0.0} sd")])
        self._labels = [plain(label) for label in labels]
        return fig

    def _draw(self) -> None:
        names = tuple(sorted(self._held))
        newest = max(self._at.values())
        held = np.stack([self._held[name] for name in names])
        now = held[:, -1, :-1].copy()
        now[[self._at[name] < newest for name in names]] = np.nan
        z = _against(now, held[:, :-1, :-1])
        if names != self._drawn:
            self._set_rows(names)
        said = ["—" if math.isnan(v) else f"{v:,.4g}" for v in now.ravel().tolist()]
        self._cells.data.update(z=z.ravel(), said=said)
        y, x = np.nonzero(np.isnan(z))
        self._missing.data = {"x": x.astype(np.float64), "y": y.astype(np.float64)}
        y_mid, moved = _sparklines(held[:, :, -1])
        self._mids.data.update(y=y_mid)
        self._moves.data.update(text=[f"{x:+.2%}" if math.isfinite(x) else "—" for x in moved])
        when = np.datetime64(newest, "ns").astype("datetime64[s]").item()
        more = f", {self.most_symbols} symbols only" if self._more else ""
        self.notes[0].head(
            f"Features to {when:%H:%M:%S} UTC{more}",
            f"blue above own past, red below\nfull colour at {_FULL:g} sd; ring: unknown",
        )

    def _set_rows(self, names: tuple[str, ...]) -> None:
        """Give each symbol its row."""
        n, k = len(names), len(self._labels)
        self._drawn = names
        words = [plain(name, 8) for name in names]
        y, x = np.divmod(np.arange(n * k), k)
        self._cells.data = {
            "x": x.astype(np.float64),
            "y": y.astype(np.float64),
            "ticker": np.repeat(words, k).tolist(),
            "feature": self._labels * n,
            "z": np.full(n * k, np.nan),
            "said": ["—"] * (n * k),
        }
        mids = k - 0.2 + (_SPARK - 0.4) * np.r_[np.arange(self.memory + 1) / self.memory, np.nan]
        self._mids.data = {"x": np.tile(mids, n), "y": np.full(n * mids.size, np.nan)}
        edge = k + _SPARK + _SAID - 0.1
        self._moves.data = {"x": [edge] * n, "y": list(range(n)), "text": ["—"] * n}
        set_rows(self._fig, words, height=_AROUND + _ROW * max(n, 6))


def _sparklines(mid: FloatArray) -> tuple[FloatArray, list[float]]:
    """Heights ``(n * (m + 1),)`` of mids ``(n, m)``, each row between its own ends, and its change.

    One line holds them all, broken by NaN between two symbols and where there was no mid.
    """
    known = np.isfinite(mid)
    low = np.where(known, mid, np.inf).min(axis=1, keepdims=True)
    span = np.where(known, mid, -np.inf).max(axis=1, keepdims=True) - low
    flat = ~(span > 0.0)
    share = np.where(flat, 0.5, (mid - np.where(flat, 0.0, low)) / np.where(flat, 1.0, span))
    rows = np.arange(mid.shape[0])
    y = np.where(known, rows[:, None] + 0.38 - 0.76 * share, np.nan)
    first, last = known.argmax(axis=1), mid.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    moved = mid[rows, last] / mid[rows, first] - 1.0  # NaN where no mid is known
    return np.column_stack([y, np.full(rows.size, np.nan)]).ravel(), moved.tolist()


def _against(now: FloatArray, past: FloatArray) -> FloatArray:
    """How many sd of ``past`` ``(n, m, k)`` from its mean ``now`` ``(n, k)`` is; NaN if unknown."""
    known = np.isfinite(past)
    count = known.sum(axis=1)
    mean = np.where(known, past, 0.0).sum(axis=1) / np.maximum(count, 1)
    squares = (np.where(known, past - mean[:, None, :], 0.0) ** 2).sum(axis=1)
    sd = np.sqrt(squares / np.maximum(count - 1, 1))
    judged = (count >= _FEWEST) & (sd > _SAME * np.abs(mean))
    return np.where(judged, (now - mean) / np.where(judged, sd, 1.0), np.nan)


def _palette() -> list[str]:
    """Red to nothing to blue: what is not unusual shows the ground, light or dark."""
    strength = [round(255 * k / _STEPS) for k in range(1, _STEPS + 1)]
    below = [f"{style.VERMILLION}{a:02x}" for a in reversed(strength)]
    return [*below, f"{style.BLUE}00", *(f"{style.BLUE}{a:02x}" for a in strength)]
