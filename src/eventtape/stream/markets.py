"""What is the event worth to each market so far, and where would it alone have taken the price?

At each grid time since ``start_ns`` every market has its price beside the one implied,

    implied(T) = x(T0) + gap (p(T) - p(T0)),

x the log price, p the primary's probability, T0 the first grid time at which both were seen: the
path of the diffusion study, with the gap that was known then. The gap is that of
:func:`~eventtape.estimators.states.outcome_gap.outcome_gap` over the window so far (the last
``window`` rows), estimated anew each ``every`` rows; between, the last one stands. The bounds of
the implied price are those of the gap, nothing else: the market's own noise is not in them. Early
in a night the gap is wide or refused, and one that is read off again and again is not tested again
and again: the interval holds for one look.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import BoolArray, FloatArray, Status, check_level
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.estimators.states.distributed_lag import grid_lags
from eventtape.estimators.states.outcome_gap import SERIAL_S, outcome_gap
from eventtape.stream.answers import MARKETS
from eventtape.stream.fold import Slice
from eventtape.stream.grid_rows import GridRows, GridState

__all__ = ["MarketsFold", "MarketsState"]


class MarketsState(NamedTuple):
    """The grid, its last rows, and for each market where it began and its gap in force."""

    grid: GridState
    rows: int  # grid rows so far
    levels: FloatArray  # (n, 1 + n_markets) last rows: the primary, then the markets
    origins: FloatArray  # (n_markets, 2) log price and p where both were first seen
    gaps: FloatArray  # (n_markets, 3) gap, lower, upper
    statuses: tuple[Status, ...]


@dataclass(frozen=True)
class MarketsFold:
    """Gap and implied path of ``markets`` on the ``primary`` probability; reads a ``Merged`` node.

    ``window`` and ``every`` count grid rows. ``uncertain_s`` says by how much a market's stamps, or
    the primary's where they are worse, may be late: a horizon no longer is ``not resolved``.
    """

    primary: str
    markets: tuple[str, ...]
    step_ns: int
    horizon_s: float
    start_ns: int
    lead_s: float = 600.0
    serial_s: float = SERIAL_S
    window: int = 1440
    every: int = 5
    max_age_ns: int = 300 * SECOND
    uncertain_s: tuple[float, ...] = ()  # one a market; none: no stamp is in doubt
    level: float = 0.95
    name: str = "markets"  # of the node, and so of its answer

    def __post_init__(self) -> None:
        """Refuse a grid, a horizon or a window that can say nothing."""
        self._grid()
        check_level(self.level)
        lags = grid_lags(self._step_s, self.horizon_s, self.lead_s).size
        if not self.markets:
            raise InputError("at least one market", met="none")
        if self.window < 3 * (lags + 1):  # the lags' own rows, and two for each regressor
            raise InputError(f"a window of at least {3 * (lags + 1)} rows", met=self.window)
        if self.every < 1:
            raise InputError("every >= 1 rows", met=self.every)
        if self.uncertain_s and len(self.uncertain_s) != len(self.markets):
            raise InputError("an uncertainty for each market, or none", met=self.uncertain_s)

    @property
    def _step_s(self) -> float:
        return self.step_ns / SECOND

    def _grid(self) -> GridRows:
        age = max(self.max_age_ns, self.step_ns)
        return GridRows((self.primary, *self.markets), self.step_ns, self.start_ns, age)

    def start(self) -> MarketsState:
        """Before any row."""
        n = len(self.markets)
        blank = np.full((n, 3), math.nan)
        nothing = np.empty((0, n + 1)), blank[:, :2].copy(), blank, (Status.TOO_FEW,) * n
        return MarketsState(self._grid().start(), 0, *nothing)

    def step(self, state: MarketsState, new: Slice) -> tuple[MarketsState, Slice | None]:
        """The rows of each market at the grid times that ``new`` closed."""
        grid, closed = self._grid().step(state.grid, new)
        m, n = closed.ts.size, len(self.markets)
        if not m:
            return state._replace(grid=grid), None
        held = state.levels.shape[0]
        levels = np.concatenate([state.levels, closed.levels])
        gaps, statuses = state.gaps, state.statuses
        stood, said = np.empty((m, n, 3)), []
        for k in range(m):
            if (state.rows + k) % self.every == 0:
                end = held + k + 1
                gaps, statuses = self._gaps(levels[max(end - self.window, 0) : end])
            stood[k] = gaps
            said.append(statuses)
        p, x = closed.levels[:, :1], closed.levels[:, 1:]
        seen = np.isfinite(x) & np.isfinite(p)
        origins = _first_seen(state.origins, x, p, seen)
        kept = levels[-self.window :].copy()
        after = MarketsState(grid, state.rows + m, kept, origins, gaps, statuses)
        # Before both were seen there is no gap, so an origin that comes later implies nothing.
        path = origins[:, 0, None] + stood * (p - origins[:, 1])[:, :, None]
        unseen = Status.TOO_FEW.value
        status = [
            one.value if one is not Status.OK or whole else unseen
            for row, wholes in zip(said, seen.tolist(), strict=True)
            for one, whole in zip(row, wholes, strict=True)
        ]
        columns = (
            list(self.markets) * m,
            np.repeat(closed.ts, n),
            x.ravel(),
            np.repeat(p.ravel(), n),
            *stood.reshape(-1, 3).T,
            path[:, :, 0].ravel(),
            np.minimum(path[:, :, 1], path[:, :, 2]).ravel(),
            np.maximum(path[:, :, 1], path[:, :, 2]).ravel(),
            status,
        )
        frame = pl.DataFrame(dict(zip(MARKETS, columns, strict=True)), MARKETS)
        return after, Slice(new.upto_ns, {self.name: frame}, new.now_ns)

    def finish(self, state: MarketsState) -> Slice | None:  # noqa: ARG002
        """The end closes what grid times it can through the slice it comes with."""
        return None

    def _gaps(self, levels: FloatArray) -> tuple[FloatArray, tuple[Status, ...]]:
        """Gap and interval of each market over these rows, and why where there is none."""
        gaps = np.full((len(self.markets), 3), math.nan)
        statuses = []
        for k in range(len(self.markets)):
            if self.uncertain_s and self.horizon_s <= self.uncertain_s[k]:
                statuses.append(Status.NOT_RESOLVED)
                continue
            found = outcome_gap(
                levels[:, 1 + k],
                levels[:, 0],
                step_s=self._step_s,
                horizon_s=self.horizon_s,
                lead_s=self.lead_s,
                serial_s=self.serial_s,
                level=self.level,
            )
            gaps[k] = found.gap, found.lower, found.upper
            statuses.append(found.status)
        return gaps, tuple(statuses)


def _first_seen(origins: FloatArray, x: FloatArray, p: FloatArray, seen: BoolArray) -> FloatArray:
    """Log price and p of each market at the first row that has both, where there was none yet."""
    row = np.argmax(seen, axis=0)
    column = np.arange(x.shape[1])
    first = np.column_stack([x[row, column], p[row, 0]])
    new = np.isnan(origins[:, :1]) & seen.any(axis=0, keepdims=True).T
    found: FloatArray = np.where(new, first, origins)
    return found
