"""Rows in the order of their own times, whatever order they arrived in.

Two ways to put a feed into a graph. :class:`InOrder` passes each feed's rows on at once and is for
estimators that read one feed at a time: nothing waits, and a row older than the newest of its feed
is late. :class:`Merged` is for estimators that must see several feeds on one clock: rows wait until

    upto = max(newest stamp seen - lateness,  wall clock - quiet)

has passed them, and come out sorted by stamp, every row stamped before ``upto`` and none other. The
second term, which only live batches carry, lets time go on in a quiet market.

What comes too late is left out, and counted: the counts are part of the state and of the health
that is shown. Arrival within ``lateness`` in any order gives the same rows in the same order (of
one stamp, in the order of their arrival within a feed), so answers do not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import BoolArray, IntArray
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.stream.fold import NEVER, Slice
from eventtape.tape.feed import times_ns

__all__ = ["InOrder", "InOrderState", "Merged", "MergedState"]

_MOST_PIECES = 32


class InOrderState(NamedTuple):
    """The newest stamp of each feed and how many of its rows came after a newer one."""

    newest: dict[str, int]
    late: dict[str, int]


class MergedState(NamedTuple):
    """Rows that wait, sorted; the newest stamp seen, how far time has come, late rows by feed."""

    waiting: dict[str, pl.DataFrame]
    newest: int
    upto: int
    late: dict[str, int]


@dataclass(frozen=True)
class InOrder:
    """Each feed as it comes, its late rows left out; ``upto_ns`` is the newest stamp of all."""

    def start(self) -> InOrderState:
        """Before any row."""
        return InOrderState({}, {})

    def step(self, state: InOrderState, new: Slice) -> tuple[InOrderState, Slice | None]:
        """The rows of ``new`` that are not late."""
        newest, late = dict(state.newest), dict(state.late)
        frames: dict[str, pl.DataFrame] = {}
        for feed, rows in new.frames.items():
            if rows.is_empty():
                continue
            at = times_ns(rows)
            floor = newest.get(feed, NEVER)
            kept = _only(rows, at >= _before(at, floor))
            late[feed] = late.get(feed, 0) + rows.height - kept.height
            newest[feed] = max(floor, int(at.max()))
            if kept.height:
                frames[feed] = kept
        after = InOrderState(newest, late)
        if not frames:
            return after, None
        return after, Slice(max(newest.values()), frames, new.now_ns)

    def finish(self, state: InOrderState) -> Slice | None:
        """Nothing waits here; the end is where the newest row was."""
        return Slice(max(state.newest.values()), {}) if state.newest else None


@dataclass(frozen=True)
class Merged:
    """Several feeds on one clock, their rows sorted by stamp and held back for stragglers.

    ``lateness_ns`` bounds how much later than another feed's newest stamp a row may arrive;
    ``quiet_ns`` how long after its own stamp, by the wall clock: network delay and the skew of the
    venue's clock together.
    """

    lateness_ns: int = SECOND // 10
    quiet_ns: int = 2 * SECOND

    def __post_init__(self) -> None:
        """Refuse lengths of time below 0."""
        if self.lateness_ns < 0 or self.quiet_ns < 0:
            raise InputError("lengths of time >= 0 ns", met=(self.lateness_ns, self.quiet_ns))

    def start(self) -> MergedState:
        """Before any row."""
        return MergedState({}, NEVER, NEVER, {})

    def step(self, state: MergedState, new: Slice) -> tuple[MergedState, Slice | None]:
        """The rows that nothing older can join any more."""
        waiting, late = dict(state.waiting), dict(state.late)
        newest = state.newest
        for feed, rows in new.frames.items():
            if rows.is_empty():
                continue
            at = times_ns(rows)
            top = int(at.max())
            kept = rows
            if (at[1:] < at[:-1]).any() or at[0] < max(newest - self.lateness_ns, state.upto):
                floor = np.maximum(_before(at, newest) - self.lateness_ns, state.upto)
                kept = _only(rows, at >= floor)
            late[feed] = late.get(feed, 0) + rows.height - kept.height
            newest = max(newest, top)
            held = waiting.get(feed)
            waiting[feed] = _by_time(kept if held is None else _stacked(held, kept))
        upto = max(state.upto, newest - self.lateness_ns, new.now_ns - self.quiet_ns)
        frames: dict[str, pl.DataFrame] = {}
        if upto > state.upto:
            for feed, rows in waiting.items():
                if rows.is_empty():
                    continue
                cut = int(np.searchsorted(times_ns(rows), upto))
                waiting[feed] = rows.slice(cut)
                if cut:
                    frames[feed] = rows.head(cut)
        after = MergedState(waiting, newest, upto, late)
        return after, Slice(upto, frames, new.now_ns) if upto > state.upto else None

    def finish(self, state: MergedState) -> Slice | None:
        """All that still waits."""
        frames = {feed: rows for feed, rows in state.waiting.items() if rows.height}
        return Slice(state.newest + 1, frames) if state.newest > NEVER else None


def _before(at: IntArray, floor: int) -> IntArray:
    """The newest stamp before each row, ``floor`` before the first."""
    top: IntArray = np.maximum.accumulate(np.r_[floor, at[:-1]])
    return top


def _only(rows: pl.DataFrame, kept: BoolArray) -> pl.DataFrame:
    return rows if kept.all() else rows.filter(pl.Series(kept))


def _stacked(held: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    """Both, one below the other; pieces are laid out anew before they are many."""
    if held.is_empty():
        return more
    rows = held.vstack(more)
    return rows.rechunk() if rows.n_chunks() > _MOST_PIECES else rows


def _by_time(rows: pl.DataFrame) -> pl.DataFrame:
    at = times_ns(rows)
    return rows if (at[1:] >= at[:-1]).all() else rows.sort("ts", maintain_order=True)
