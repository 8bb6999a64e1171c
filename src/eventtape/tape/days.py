"""Chunks of ticks cut by trading day: each day's run begins with nothing known of the day before.

A book does not stand overnight and yesterday's last price is no tick of today, so whatever keeps a
state over ticks runs each day by itself. A day of a calendar is its date on the exchange's own
clock, midnight to midnight, with the session's open and close in it; a session that opens on the
evening before its date (CMES) draws its day back to there. Dates without a session are days that
are not traded: their ticks belong to no run.

Ticks ordered by symbol and then time meet a day again with every symbol. What is kept over ticks is
kept for each symbol by itself, so a run may also end with a symbol: then a run is of one day and of
no more symbols than asked for, and what it leaves behind is complete.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import IntArray
from eventtape.clock import SECOND, sessions, zone
from eventtape.tape.feed import times_ns
from eventtape.tape.paired import Order, runs_of

__all__ = ["Chunk", "Day", "DayOf", "Run", "day_runs", "local_days", "session_days"]

Chunk = tuple[pl.DataFrame, pl.DataFrame]  # trades and quotes
_Rows = tuple[int, int]  # a row of each
_AROUND = timedelta(days=12)  # a longer rest is days that are not traded, as it should be


class Day(NamedTuple):
    """``start_ns <= t < end_ns``; the hours are None where there are none to cut to."""

    date: date
    start_ns: int
    end_ns: int
    open_ns: int | None
    close_ns: int | None
    traded: bool = True

    @property
    def hours(self) -> tuple[int, int] | None:
        """Open and close, ns UTC."""
        if self.open_ns is None or self.close_ns is None:
            return None
        return self.open_ns, self.close_ns


DayOf = Callable[[int], Day]


class Run(NamedTuple):
    """Chunks of one day that follow one another and owe nothing to the run before."""

    day: Day
    chunks: Iterator[Chunk]


def session_days(calendar: str) -> DayOf:
    """The day of that calendar which holds a time; one not traded where no session's does."""

    def day_of(ns: int) -> Day:
        near = datetime.fromtimestamp(ns // SECOND, UTC).date()
        known = sessions(near - _AROUND, near + _AROUND, calendar)
        dates: list[date] = known.date.tolist()
        opens, closes = known.open_ns.tolist(), known.close_ns.tolist()
        starts = [min(_midnight(d, known.zone), o) for d, o in zip(dates, opens, strict=True)]
        tomorrow = [_midnight(d + timedelta(days=1), known.zone) for d in dates]
        ends = [max(m, c) for m, c in zip(tomorrow, closes, strict=True)]
        ends = [min(e, s) for e, s in zip(ends, [*starts[1:], *ends[-1:]], strict=True)]
        i = bisect_right(starts, ns) - 1
        if i >= 0 and ns < ends[i]:
            return Day(dates[i], starts[i], ends[i], opens[i], closes[i])
        at = datetime.fromtimestamp(ns // SECOND, zone(known.zone)).date()
        start = max(_midnight(at, known.zone), ends[i] if i >= 0 else 0)
        following = [s for s in starts if s > ns]
        end = min(_midnight(at + timedelta(days=1), known.zone), *following)
        return Day(at, start, end, None, None, traded=False)

    return day_of


def local_days(name: str) -> DayOf:
    """The date in that time zone which holds a time, midnight to midnight, with no hours."""

    def day_of(ns: int) -> Day:
        at = datetime.fromtimestamp(ns // SECOND, zone(name)).date()
        return Day(at, _midnight(at, name), _midnight(at + timedelta(days=1), name), None, None)

    return day_of


def day_runs(
    chunks: Iterable[Chunk],
    day_of: DayOf,
    order: Order = "symbol",
    *,
    most_symbols: Callable[[Day], int] | None = None,
) -> Iterator[Run]:
    """The chunks as runs of one day each, to be taken in turn and each to its end.

    ``chunks`` are those of :func:`~eventtape.tape.paired.paired` in the same ``order``. Ordered by
    symbol, a run holds at most ``most_symbols(day)`` symbols, whole ones. Ticks of days that are
    not traded come as runs too (``day.traded`` false), for the caller to count or drop.
    """
    cuts = _Cuts(day_of, order, most_symbols)
    pieces = (piece for chunk in chunks for piece in cuts.pieces(chunk))
    for (_, day), run in groupby(pieces, key=lambda piece: (piece.run, piece.day)):
        yield Run(day, (piece.chunk for piece in run))


class _Piece(NamedTuple):
    run: int
    day: Day
    chunk: Chunk


class _Cuts:
    """Where a chunk must be cut, and which run each piece continues."""

    def __init__(
        self, day_of: DayOf, order: Order, most_symbols: Callable[[Day], int] | None
    ) -> None:
        self._day_of, self._order, self._most = day_of, order, most_symbols
        self._day: Day | None = None
        self._symbol: str | None = None
        self._run = self._symbols = 0

    def pieces(self, chunk: Chunk) -> Iterator[_Piece]:
        """The chunk in pieces of one run each, none empty."""
        times = times_ns(chunk[0]), times_ns(chunk[1])
        met: tuple[int, Day] | None = None
        first = at = (0, 0)
        for name, end in self._symbols_of(chunk):
            while at != end:
                day = self._holding(_earliest(times, at, end))
                self._enter(name, day)
                if met != (self._run, day):
                    if met is not None:
                        yield _Piece(*met, _sliced(chunk, first, at))
                    met, first = (self._run, day), at
                at = _row_at(times, at, end, day.end_ns)
        if met is not None:
            yield _Piece(*met, _sliced(chunk, first, at))

    def _enter(self, name: str, day: Day) -> None:
        """Note a symbol's day, which continues the run or begins the next."""
        if day != self._day:
            self._run, self._symbols = self._run + 1, 1
        elif name != self._symbol:
            self._symbols += 1
            if self._most is not None and self._symbols > self._most(day):
                self._run, self._symbols = self._run + 1, 1
        self._day, self._symbol = day, name

    def _symbols_of(self, chunk: Chunk) -> Iterator[tuple[str, _Rows]]:
        """Each symbol of the chunk and the row at which each side ends it; nameless by time."""
        if self._order == "time":
            yield "", (chunk[0].height, chunk[1].height)
            return
        sides = [runs_of(frame) for frame in chunk]
        for name in sorted({*sides[0][0], *sides[1][0]}):
            trades, quotes = (int(start[bisect_right(names, name)]) for names, start in sides)
            yield name, (trades, quotes)

    def _holding(self, ns: int) -> Day:
        if self._day is not None and self._day.start_ns <= ns < self._day.end_ns:
            return self._day
        return self._day_of(ns)


def _earliest(times: tuple[IntArray, IntArray], at: _Rows, end: _Rows) -> int:
    """The first time of the rows from ``at`` to ``end``, which are some."""
    return min(int(ts[a]) for ts, a, e in zip(times, at, end, strict=True) if a < e)


def _row_at(times: tuple[IntArray, IntArray], at: _Rows, end: _Rows, ns: int) -> _Rows:
    """The first row at or after a time on each side, from ``at`` on and not beyond ``end``."""
    trades, quotes = (
        a + int(np.searchsorted(ts[a:e], ns)) for ts, a, e in zip(times, at, end, strict=True)
    )
    return trades, quotes


def _sliced(chunk: Chunk, low: _Rows, high: _Rows) -> Chunk:
    trades, quotes = chunk
    return trades.slice(low[0], high[0] - low[0]), quotes.slice(low[1], high[1] - low[1])


def _midnight(day: date, name: str) -> int:
    at = datetime(day.year, day.month, day.day, tzinfo=zone(name))
    return int(at.timestamp()) * SECOND
