"""Who leads now? The measures of every pair of feeds over the last ``window`` rows of a grid.

:mod:`~eventtape.estimators.discovery.rolling_pairs` on log prices and probits, as the panels of
``frames`` take them. No estimate takes a difference across a hole, so the panel holds, at each row
that is measured, the feeds seen in every one of the last ``window`` rows. While it stays the same
the sums move on; when a feed falls silent, or has been seen for a whole window again, they are
taken afresh from the rows of those that stay. A pair with any other feed is ``too few
observations``. Pairs are judged together: fewer feeds in the panel are fewer tests.

A price that stood still in more than half of the window looks led by any that moves: its pairs are
``not resolved``, by the rule of :func:`~eventtape.estimators.discovery.pairs.pair_discovery`; a
longer step may resolve them. Windows overlap, and so do their errors, and there is no interval
here: see ``rolling_pairs``.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import BoolArray, FloatArray, IntArray, Status
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.estimators.discovery import rolling_pairs
from eventtape.estimators.discovery.rolling_pairs import RollingPairs, WindowPairs
from eventtape.stream.answers import LEADERSHIP
from eventtape.stream.fold import Slice
from eventtape.stream.grid_rows import GridRows, GridState

__all__ = ["LeadershipFold", "LeadershipState"]

_MEASURES = ("pils", "is_first", "is_last", "component", "p_none")
_STILL = 0.5  # share of the window's steps
_NOT_IDENTIFIED = Status.NOT_IDENTIFIED.value


class LeadershipState(NamedTuple):
    """The grid, its last rows, and the sums of the panel as it was when last measured."""

    grid: GridState
    rows: int  # grid rows so far
    levels: FloatArray  # (n, n_feeds) last rows
    panel: tuple[int, ...]  # feeds in the sums, as numbers of the fold's names
    sums: RollingPairs | None  # None where the panel is of fewer than two
    pending: int  # rows since the last measured one


@dataclass(frozen=True)
class LeadershipFold:
    """Pairs of feeds ``names`` on a grid of ``step_ns``; reads a ``Merged`` node.

    ``window`` and ``every`` count grid rows, whole multiples of the step since the first row of any
    feed: each ``every``-th is measured.
    """

    names: tuple[str, ...]
    step_ns: int
    window: int = 360
    lags: int = 1
    every: int = 10
    false_discovery: float = 0.01
    start_ns: int | None = None
    max_age_ns: int = 300 * SECOND
    name: str = "leadership"  # of the node, and so of its answer

    def __post_init__(self) -> None:
        """Refuse a grid or a window that can say nothing."""
        self._grid()
        rolling_pairs.start(
            len(self.names), self.window, self.lags, false_discovery=self.false_discovery
        )
        if not 1 <= self.every <= self.window:
            raise InputError(f"every from 1 to the window's {self.window} rows", met=self.every)

    def _grid(self) -> GridRows:
        age = max(self.max_age_ns, self.step_ns)
        return GridRows(self.names, self.step_ns, self.start_ns, age, "probit")

    def start(self) -> LeadershipState:
        """Before any row."""
        return LeadershipState(self._grid().start(), 0, np.empty((0, len(self.names))), (), None, 0)

    def step(self, state: LeadershipState, new: Slice) -> tuple[LeadershipState, Slice | None]:
        """Every pair at the measured ones of the grid times that ``new`` closed."""
        grid, closed = self._grid().step(state.grid, new)
        m = closed.ts.size
        if not m:
            return state._replace(grid=grid), None
        held = state.levels.shape[0]
        levels = np.concatenate([state.levels, closed.levels])
        unseen = _since_unseen(levels)
        panel, sums, pending = state.panel, state.sums, state.pending
        answers = []
        for k in range(m):
            pending += 1
            if (state.rows + k) % self.every:
                continue
            end = held + k + 1
            whole = tuple(np.flatnonzero(unseen[end - 1] >= self.window).tolist())
            rows = pending
            if whole != panel or sums is None:
                panel, sums, rows = whole, self._afresh(len(whole)), self.window
            found, still = None, np.zeros(len(panel), bool)
            if sums is not None:
                window = levels[end - self.window : end, list(panel)]
                sums, found = rolling_pairs.step(sums, window[self.window - rows :])
                still = np.mean(np.diff(window, axis=0) == 0.0, axis=0) > _STILL
            answers.append(self._row(int(closed.ts[k]), panel, found, still))
            pending = 0
        kept = levels[-self.window :].copy()
        after = LeadershipState(grid, state.rows + m, kept, panel, sums, pending)
        if not answers:
            return after, None
        return after, Slice(new.upto_ns, {self.name: pl.concat(answers)}, new.now_ns)

    def finish(self, state: LeadershipState) -> Slice | None:  # noqa: ARG002
        """The end closes what grid times it can through the slice it comes with."""
        return None

    def _afresh(self, n: int) -> RollingPairs | None:
        if n < 2:  # noqa: PLR2004 - a pair
            return None
        return rolling_pairs.start(n, self.window, self.lags, false_discovery=self.false_discovery)

    def _row(
        self, ts: int, panel: tuple[int, ...], found: WindowPairs | None, still: BoolArray
    ) -> pl.DataFrame:
        """All pairs at one time; those not in the panel have no measures."""
        pairs = list(itertools.combinations(range(len(self.names)), 2))
        values = np.full((len(_MEASURES), len(pairs)), math.nan)
        identified = np.zeros(len(pairs), bool)
        status = np.full(len(pairs), Status.TOO_FEW.value, dtype=object)
        if found is not None:
            inside = list(itertools.combinations(range(len(panel)), 2))
            at = np.array([pairs.index((panel[a], panel[b])) for a, b in inside])
            stale = np.array([still[a] or still[b] for a, b in inside])
            values[:, at] = [np.where(stale, math.nan, getattr(found, m)) for m in _MEASURES]
            identified[at] = found.identified & ~stale
            if found.status is Status.OK:
                status[at] = np.where(found.identified, Status.OK.value, _NOT_IDENTIFIED)
                status[at[stale]] = Status.NOT_RESOLVED.value
        columns = (
            [ts] * len(pairs),
            [self.names[a] for a, _ in pairs],
            [self.names[b] for _, b in pairs],
            *values,
            identified,
            status.tolist(),
        )
        return pl.DataFrame(dict(zip(LEADERSHIP, columns, strict=True)), LEADERSHIP)


def _since_unseen(levels: FloatArray) -> IntArray:
    """How many rows up to each one a feed has been seen without a hole, ``(n_rows, n_feeds)``."""
    row = np.arange(1, levels.shape[0] + 1)[:, None]
    hole = np.where(np.isfinite(levels), 0, row)
    run: IntArray = row - np.maximum.accumulate(hole, axis=0)
    return run
