"""Two runs of batches, trades and quotes, as one run of chunks that a stream may take in turn.

Of one symbol, no event of a later chunk is older than one of an earlier chunk, and a trade never
comes in a later chunk than a quote of its own time. That is what a stream needs which shows each
trade the quotes strictly before it, and which counts a quote as coming after the trades of its own
time.

Events have a *place*: symbol and time, where the files are ordered by symbol and then time; time
alone, where they are ordered by time. A run has been read up to the place of its last row, so

    a trade is settled   when no quote before its place can still come: place <= quotes' last place
    a quote is settled   when no trade at or before its place can come: place <  trades' last place

Of two batches in hand one is always settled to its end, so one batch a side is held and no more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import IntArray
from eventtape.clock import format_ns
from eventtape.errors import InputError
from eventtape.tape.feed import times_ns
from eventtape.tape.records import EQUITY_TRADE, QUOTE, Record, empty
from eventtape.tape.ticks import group_ends

__all__ = ["Order", "as_order", "paired", "runs_of"]

Order = Literal["symbol", "time"]
ORDERS: tuple[Order, ...] = ("symbol", "time")


class _Place(NamedTuple):
    """Where an event stands in its file; ``symbol`` is empty where time alone orders."""

    symbol: str
    ns: int


def paired(
    trades: Iterable[pl.DataFrame], quotes: Iterable[pl.DataFrame], order: Order = "symbol"
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Chunks (trades, quotes) of two runs of batches, in the order that streams need.

    ``order`` is that of both runs: by ``"symbol"`` and then time, symbols rising as text (a
    vendor's flat file), or by ``"time"`` alone. A run in another order is an
    :class:`~eventtape.errors.InputError`. Symbols may be in one run only, and a run may be empty.
    """
    order = as_order(order)
    return _chunks(_Run(trades, EQUITY_TRADE, order), _Run(quotes, QUOTE, order))


def as_order(order: str) -> Order:
    """The order of that name; an unknown one is an :class:`~eventtape.errors.InputError`."""
    for known in ORDERS:
        if order == known:
            return known
    raise InputError(f"an order among {', '.join(ORDERS)}", met=order)


def _chunks(trades: _Run, quotes: _Run) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    while True:
        traded, quoted = trades.fill(), quotes.fill()
        if not traded and not quoted:
            return
        trades_end = trades.cut(quotes.last, ties=True) if quoted else trades.height
        quotes_end = quotes.cut(trades.last, ties=False) if traded else quotes.height
        yield trades.take(trades_end), quotes.take(quotes_end)


class _Run:
    """One side: the batch in hand and how much of it was handed on."""

    def __init__(self, batches: Iterable[pl.DataFrame], record: Record, order: Order) -> None:
        self._batches, self._record, self._order = iter(batches), record, order
        self._frame = empty(record)
        self._names: list[str] = []
        self._start: IntArray = np.zeros(1, np.int64)
        self._ts: IntArray = np.zeros(0, np.int64)
        self._taken = 0
        self.last = _Place("", np.iinfo(np.int64).min)

    @property
    def height(self) -> int:
        return self._frame.height

    def fill(self) -> bool:
        """Whether a row is in hand, a new batch having been read if need be."""
        while self._taken == self.height:
            batch = next(self._batches, None)
            if batch is None:
                return False
            if batch.height:
                self._accept(batch)
        return True

    def cut(self, place: _Place, *, ties: bool) -> int:
        """The first row after a place; where not ``ties``, the first at or after it."""
        group = bisect_left(self._names, place.symbol)
        if group == len(self._names) or self._names[group] != place.symbol:
            return max(self._taken, int(self._start[group]))
        low, high = self._start[group], self._start[group + 1]
        side: Literal["left", "right"] = "right" if ties else "left"
        return max(self._taken, int(low + np.searchsorted(self._ts[low:high], place.ns, side)))

    def take(self, end: int) -> pl.DataFrame:
        """The rows up to ``end`` that were not yet handed on."""
        rows = self._frame.slice(self._taken, end - self._taken)
        self._taken = end
        return rows

    def _accept(self, batch: pl.DataFrame) -> None:
        for name in ("symbol", "ts"):
            if name not in batch.columns or batch[name].null_count():
                met = "nulls" if name in batch.columns else batch.columns
                raise InputError(f"a {name} in every row", met=met, column=name)
        ts = times_ns(batch)
        start, names = np.array([0, batch.height]), [""]
        if self._order == "symbol":
            names, start = runs_of(batch)
        self._check(names, start, ts)
        self._frame, self._names, self._start, self._ts = batch, names, start, ts
        self._taken = 0
        self.last = _Place(names[-1], int(ts[-1]))

    def _check(self, names: list[str], start: IntArray, ts: IntArray) -> None:
        """Refuse a batch that is not in the order said, or does not follow the one before."""
        for before, name in zip([self.last.symbol, *names], names, strict=False):
            if name < before:
                raise self._fault("symbols in rising order", f"{name} after {before}", "symbol")
        falls = np.flatnonzero(ts[1:] < ts[:-1]) + 1
        falls = falls[~np.isin(falls, start)]
        row = int(falls[0]) if falls.size else 0
        before_ns = int(ts[row - 1]) if row else self.last.ns
        if row or (names[0] == self.last.symbol and ts[0] < before_ns):
            name = names[int(np.searchsorted(start, row, "right")) - 1]
            of = f" of {name}" if name else ""
            met = f"{int(ts[row])} ns ({format_ns(int(ts[row]))}){of} after {before_ns} ns"
            raise self._fault("times that do not fall", met, "ts")

    def _fault(self, wanted: str, met: str, column: str) -> InputError:
        kind = f"{self._record.name}s"
        error = InputError(f"{kind} ordered by {self._order}: {wanted}", met=met, column=column)
        other = "time" if self._order == "symbol" else "symbol"
        error.add_note(f"rows ordered by {other} are read with order '{other}'")
        return error


def runs_of(frame: pl.DataFrame) -> tuple[list[str], IntArray]:
    """The symbol of each run of equal symbols, and the first row of each, then their number."""
    symbol = frame["symbol"]
    start = group_ends(symbol)
    return symbol.gather(start[:-1]).cast(pl.String).to_list(), start
