"""What did quotes and trades do in each bucket? The features of a live tape, as buckets close.

Behind a :class:`~eventtape.stream.order.Merged` node over the two feeds. Rows wait here, at most a
second of them, until time has passed a mark (a bucket's end, or an even part of one a second wide
or more), and are then folded in one go: a slice of a few rows costs a few microseconds however many
tickers there are, and what is folded does not depend on how the rows were cut into slices.

A closed bucket's row is that of :func:`~eventtape.frames.microstructure_features` to the last bit.
As in its stream, the tickers that are quiet have rows too, for every bucket since the one in which
they were first met; earlier ones of the session they have none, since a row about them would come
after time has passed it. Rows are ordered by bucket, and then as the tickers were first met.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.estimators.microstructure import signing
from eventtape.estimators.microstructure.signing_kernel import AHEAD
from eventtape.frames.tick_fold import (
    TickOptions,
    TickState,
    tick_finish,
    tick_options,
    tick_start,
    tick_step,
)
from eventtape.stream.fold import NEVER, Slice
from eventtape.tape.records import EQUITY_TRADE, QUOTE, empty

__all__ = ["FEATURES", "FeaturesFold", "FeaturesState"]

FEATURES = "features"
"""The answer's name."""
_PIECES = 64  # of a waiting frame, before they are made one


class FeaturesState(NamedTuple):
    """The fold of all rows before ``folded`` and the rows since, which wait for the next mark."""

    ticks: TickState
    folded: int  # ns
    waiting: dict[str, pl.DataFrame]  # by feed


_PART_NS = 5 * SECOND


@dataclass(frozen=True)
class FeaturesFold:
    """The features of two feeds' tickers; the options are those of ``microstructure_features``."""

    trades: str
    quotes: str
    every: str = "1m"
    session: tuple[int, int] | None = None
    rule: str = "lee-ready"
    latency: str = "0ms"
    window: str = "1ms"

    def __post_init__(self) -> None:
        """Refuse what cannot run forward."""
        if self.trades == self.quotes:
            raise InputError("a feed of trades and one of quotes", met=self.trades)
        if self.rule not in signing.RULES or signing.RULES[self.rule].tick == AHEAD:
            known = [name for name, rule in signing.RULES.items() if rule.tick != AHEAD]
            raise InputError(f"a rule among {', '.join(known)}", met=self.rule)
        self.options  # noqa: B018 - built here for its checks

    @cached_property
    def options(self) -> TickOptions:
        """The options in ns."""
        return tick_options(
            every=self.every,
            session=self.session,
            rule=self.rule,
            latency=self.latency,
            window=self.window,
        )

    @cached_property
    def _step_ns(self) -> int:
        """Between two marks: the shortest even part of a bucket that is five seconds or more.

        Shorter, and small chunks cost more than their rows; longer, and much is folded at once.
        """
        every = self.options.buckets.every_ns
        parts = (n for n in range(max(every // _PART_NS, 1), 0, -1) if every % n == 0)
        return every // next(parts)

    def start(self) -> FeaturesState:
        """Before any row."""
        nothing = {self.trades: empty(EQUITY_TRADE), self.quotes: empty(QUOTE)}
        return FeaturesState(tick_start(self.options), NEVER, nothing)

    def step(self, state: FeaturesState, new: Slice) -> tuple[FeaturesState, Slice | None]:
        """The rows of ``new`` wait; what lies before the last mark that time passed is folded."""
        waiting = dict(state.waiting)
        for feed in (self.trades, self.quotes):
            if feed in new.frames and new.frames[feed].height:
                waiting[feed] = _after(waiting[feed], new.frames[feed])
        mark = self._mark(new.upto_ns)
        if mark <= state.folded:
            return state._replace(waiting=waiting), None
        due: dict[str, pl.DataFrame] = {}
        for feed, rows in waiting.items():
            at = rows["ts"].cast(pl.Int64).to_numpy()  # to_physical goes through a query
            cut = int(np.searchsorted(at, mark))
            due[feed], waiting[feed] = rows.head(cut), rows.slice(cut)
        ticks, closed = tick_step(
            state.ticks, due[self.trades], due[self.quotes], self.options, upto_ns=mark
        )
        after = FeaturesState(ticks, mark, waiting)
        rows = self._told(state, due, ticks, closed)
        return after, Slice(mark + 1, {FEATURES: rows}, new.now_ns) if rows.height else None

    def finish(self, state: FeaturesState) -> Slice | None:
        """The rest of the rows, and every bucket that is still open."""
        due = state.waiting
        ticks, closed = tick_step(state.ticks, due[self.trades], due[self.quotes], self.options)
        rest = tick_finish(ticks, self.options)
        rows = self._told(state, due, ticks, pl.concat([closed, rest]))
        if not rows.height:
            return None
        return Slice(int(rows["bucket"].to_physical()[-1]) + 1, {FEATURES: rows})

    def _mark(self, upto_ns: int) -> int:
        """The last mark at or before a time."""
        if upto_ns == NEVER:
            return NEVER
        _, open_ns, close_ns = self.options.buckets
        origin = open_ns or 0
        mark = upto_ns - (upto_ns - origin) % self._step_ns
        return mark if close_ns is None or not mark < close_ns <= upto_ns else close_ns

    def _told(
        self,
        before: FeaturesState,
        due: dict[str, pl.DataFrame],
        ticks: TickState,
        closed: pl.DataFrame,
    ) -> pl.DataFrame:
        """Closed buckets in their order, without those that ended before their ticker was met."""
        number = {name: i for i, name in enumerate(ticks.names)}
        tickers = closed["ticker"].to_list()
        at = np.fromiter(map(number.__getitem__, tickers), np.int64, len(tickers))
        bucket = closed["bucket"].cast(pl.Int64).to_numpy()
        order = np.lexsort((at, bucket))
        known = len(before.ticks.names)
        if self.session is not None and len(ticks.names) > known:
            met = np.full(len(ticks.names), NEVER)
            met[known:] = -NEVER
            for rows in due.values():
                first = rows.group_by("symbol").agg(pl.col("ts").min().cast(pl.Int64))
                for name, ns in first.with_columns(pl.col("symbol").cast(pl.String)).iter_rows():
                    met[number[name]] = min(met[number[name]], ns)
            order = order[(bucket > met[at])[order]]
        return closed[order]


def _after(held: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows below those held; of many small pieces one is made now and then."""
    if not held.height:
        return rows
    both = held.vstack(rows if rows.columns == held.columns else rows.select(held.columns))
    return both.rechunk() if both.n_chunks() > _PIECES else both
