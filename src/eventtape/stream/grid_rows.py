"""Several feeds on one grid of times as their rows come: the last level known, none too old.

Row T of the grid is :func:`eventtape.tape.sampling.on_grid` of all rows stamped at or before T, bit
for bit; it is closed once nothing stamped T can come any more. A probability enters as it is or as
its probit, all else as a logarithm: of a trade's price, a bar's close, the middle of a book. A book
with a side missing, or crossed, has no middle, and a probability within half a tick of 0 or 1 no
probit: the level is then not seen until the next row says better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from scipy.special import ndtri

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.stream.fold import NEVER, Slice
from eventtape.tape.feed import times_ns
from eventtape.tape.records import HALF_TICK
from eventtape.tape.sampling import as_of, levels

__all__ = ["Gauge", "GridRows", "GridState", "Rows", "one_symbol"]

Gauge = Literal["level", "probit"]
_MOST_ROWS = 4_000_000  # grid times to close at once: more is a clock gone wrong, not a market


class GridState(NamedTuple):
    """The next grid time, NEVER before the first row, and each feed's symbol and last level."""

    next_ns: int
    symbols: tuple[str, ...]  # "" before the feed's first row
    stamps: IntArray  # (n_feeds,) ns
    levels: FloatArray  # (n_feeds,)


class Rows(NamedTuple):
    """Grid times that were closed and the level of each feed there, NaN where not seen."""

    ts: IntArray  # (n_rows,) ns
    levels: FloatArray  # (n_rows, n_feeds)


@dataclass(frozen=True)
class GridRows:
    """A grid of ``step_ns`` over feeds by ``names``; it reads the slices of a ``Merged`` node.

    The first grid time is ``start_ns``, or where there is none the first whole multiple of the step
    at or after the first row of any of the feeds. Levels older than ``max_age_ns`` are not seen.
    """

    names: tuple[str, ...]
    step_ns: int
    start_ns: int | None = None
    max_age_ns: int = 300 * SECOND
    gauge: Gauge = "level"

    def __post_init__(self) -> None:
        """Refuse no feeds, one twice, and a grid that does not move."""
        if not self.names or len(set(self.names)) < len(self.names):
            raise InputError("feeds by name, each once", met=self.names)
        if self.step_ns < 1 or self.max_age_ns < 0:
            raise InputError("step >= 1 ns and age >= 0 ns", met=(self.step_ns, self.max_age_ns))
        if self.gauge not in ("level", "probit"):
            raise InputError("a gauge among level, probit", met=self.gauge)

    def start(self) -> GridState:
        """Before any row."""
        n = len(self.names)
        first = NEVER if self.start_ns is None else self.start_ns
        return GridState(first, ("",) * n, np.full(n, NEVER), np.full(n, np.nan))

    def step(self, state: GridState, new: Slice) -> tuple[GridState, Rows]:
        """The state after ``new`` and the grid rows it closed, maybe none."""
        frames = {name: new.frames[name] for name in self.names if name in new.frames}
        frames = {name: frame for name, frame in frames.items() if frame.height}
        first = state.next_ns
        if first == NEVER and frames:
            oldest = min(int(times_ns(frame)[0]) for frame in frames.values())
            first = -(-oldest // self.step_ns) * self.step_ns
        at = np.empty(0, np.int64) if first == NEVER else self._closed(first, new.upto_ns)
        if not (frames or at.size):
            return state, Rows(at, np.empty((0, len(self.names))))
        out = np.empty((at.size, len(self.names)))
        symbols, stamps, last = list(state.symbols), state.stamps.copy(), state.levels.copy()
        for k, name in enumerate(self.names):
            known = slice(k, k + 1 if stamps[k] > NEVER else k)
            ts, x = stamps[known], last[known]
            if name in frames:
                symbols[k] = one_symbol(name, frames[name], symbols[k])
                more, values = _levels(frames[name], self.gauge)
                ts, x = np.r_[ts, more], np.r_[x, values]
            if at.size:
                out[:, k] = as_of(ts, x, at, max_age_ns=self.max_age_ns)
            if ts.size:
                stamps[k], last[k] = ts[-1], x[-1]
        after = GridState(first + at.size * self.step_ns, tuple(symbols), stamps, last)
        return after, Rows(at, out)

    def _closed(self, first: int, upto: int) -> IntArray:
        """Grid times from ``first`` on that lie before ``upto``."""
        rows = max(-(-(upto - first) // self.step_ns), 0)
        if rows > _MOST_ROWS:
            wanted = f"at most {_MOST_ROWS} grid times to close at once"
            raise InputError(wanted, met=f"{rows} from {first} to {upto} ns")
        return first + np.arange(rows, dtype=np.int64) * self.step_ns


def one_symbol(feed: str, rows: pl.DataFrame, before: str) -> str:
    """The one symbol of a feed's rows, the same as ``before`` unless that is ""."""
    symbol, first = rows["symbol"], str(rows["symbol"][0])
    if before not in ("", first) or (symbol.len() > 1 and symbol.n_unique() > 1):
        met = sorted({before, *symbol.to_list()} - {""})[:5]
        raise InputError(f"rows of one symbol in the feed '{feed}'", met=met, column="symbol")
    return first


def _levels(frame: pl.DataFrame, gauge: Gauge) -> tuple[IntArray, FloatArray]:
    """Times and levels of one feed in its gauge, the last row of each time."""
    if "bid_size" in frame.columns:
        bid, ask = frame["bid"].to_numpy(), frame["ask"].to_numpy()
        whole = (bid > 0.0) & (ask >= bid)
        middle = np.where(whole, 0.5 * (bid + ask), np.nan)
        frame = frame.select("ts", pl.Series("price", middle))
    ts, x = levels(frame)
    if "probability" not in frame.columns:
        return ts, np.log(x)
    if gauge == "level":
        return ts, x
    inside = (x > HALF_TICK) & (x < 1.0 - HALF_TICK)
    return ts, ndtri(np.where(inside, x, np.nan))
