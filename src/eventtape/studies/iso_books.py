"""The books of a day on the grid that scores are made of, from quotes in any chunks.

The point stamped T holds the last quote before T, by the kernel of
:func:`~eventtape.frames.ticks.nbbo_seconds`, equal to the last bit whatever the chunks. Kept are
one number a symbol and point, the log mid, and the mean age of the book in each window: a day of
23,400 seconds is 187 kB a symbol.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray
from eventtape.clock import SECOND, duration_ns, format_ns
from eventtape.errors import InputError
from eventtape.frames.symbol_states import grown, numbered
from eventtape.studies.iso_leadership_rows import IsoConfig
from eventtape.tape import seconds
from eventtape.tape.seconds import Seconds
from eventtape.tape.ticks import quote_ticks

__all__ = ["BookGrid", "Grid", "IsoBooks", "grid_of", "seen_mean"]


class Grid(NamedTuple):
    """The points of a session, ``begin_ns`` and ``end_ns`` among them, and its windows."""

    begin_ns: int
    end_ns: int
    step_ns: int
    steps: int  # of a window
    windows: int

    def span(self, window: int) -> slice:
        """The points of a window, its begin and its end among them."""
        return slice(window * self.steps, (window + 1) * self.steps + 1)


class IsoBooks(NamedTuple):
    """Some symbols' books on the grid, NaN where there is none with two sides, not crossed."""

    names: tuple[str, ...]  # (n_symbols,)
    log_mid: FloatArray  # (n_symbols, windows * steps + 1)
    age_s: FloatArray  # (n_symbols, windows) mean over the window, of any book


def grid_of(session: tuple[int, int], config: IsoConfig) -> Grid:
    """The grid of a session (open and close, ns UTC), which must be whole windows."""
    begin, end = session
    every, step = duration_ns(config.every), config.grid_s * SECOND
    if end <= begin or (end - begin) % every or begin % step:
        wanted = f"a session of whole windows of {config.every} that begins on the grid"
        raise InputError(wanted, met=f"{format_ns(begin)} to {format_ns(end)}")
    return Grid(begin, end, step, every // step, (end - begin) // every)


class BookGrid:
    """Takes quotes as they come and keeps the books of the session's grid."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._numbers: dict[str, int] = {}
        self._state = seconds.start(0)
        self._log_mid = np.empty((0, grid.windows * grid.steps + 1))
        self._age = np.empty(self._log_mid.shape)

    def add(self, quotes: pl.DataFrame) -> None:
        """Take a chunk; of one symbol no quote may be older than one of an earlier chunk."""
        ticks = quote_ticks(quotes)
        symbol = numbered(self._numbers, ticks.names)
        new = len(self._numbers) - self._state.ts.size
        if new:
            empty = np.full((new, self._age.shape[1]), math.nan)
            self._log_mid, self._age = (np.vstack([x, empty]) for x in (self._log_mid, self._age))
        columns = (ticks.ts, ticks.bid, ticks.bid_size, ticks.ask, ticks.ask_size)
        state = grown(self._state, seconds.start(new))
        self._state, found = seconds.step(
            state, symbol, ticks.start, *columns, every_ns=self._grid.step_ns
        )
        self._place(found)

    def books(self) -> IsoBooks:
        """The books of the session, every symbol carried to its end."""
        grid = self._grid
        self._state, found = seconds.finish(self._state, every_ns=grid.step_ns, end_ns=grid.end_ns)
        self._place(found)
        ages = [seen_mean(self._age[:, grid.span(w)][:, 1:]) for w in range(grid.windows)]
        return IsoBooks(tuple(self._numbers), self._log_mid, np.stack(ages, axis=1))

    def _place(self, found: Seconds) -> None:
        inside = (found.ts >= self._grid.begin_ns) & (found.ts <= self._grid.end_ns)
        at = (found.ts[inside] - self._grid.begin_ns) // self._grid.step_ns
        bid, ask = found.book[0, inside], found.book[2, inside]
        whole = (bid > 0.0) & (ask >= bid)
        mid = np.where(whole, 0.5 * (bid + ask), 1.0)
        symbol = found.symbol[inside]
        self._log_mid[symbol, at] = np.where(whole, np.log(mid), math.nan)
        self._age[symbol, at] = found.age_s[inside]


def seen_mean(values: FloatArray) -> FloatArray:
    """Mean of each row over what was seen ``(n,)``, NaN where nothing was."""
    seen = np.isfinite(values)
    count = seen.sum(axis=1)
    total = np.where(seen, values, 0.0).sum(axis=1)
    out: FloatArray = np.where(count > 0, total / np.maximum(count, 1), math.nan)
    return out
