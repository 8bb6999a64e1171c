"""What is the best bid and ask in force, when each row of a stream tells only a part of it?

Two kinds of stream need it. A **one-sided** one (Lean, AlgoSeek) sends the national best bid and
the national best ask in rows of their own: the last bid row and the last ask row stand together.
A **venue** stream sends each exchange's own quote: a venue's last word on a side stands until that
venue speaks of the side again, and the book is the highest standing bid and the lowest standing ask
over the venues, with the sizes of all venues at that price added up.

Both are one rule. A row speaks of a side where its price is not null: a price above 0 replaces what
that venue said, a price of 0 (size 0) withdraws it, null leaves it standing. One row comes out for
each row in, at the same time: the book once that row is heard, 0 and 0 where nobody stands. The
book may lock or cross, as the venues' own quotes do; nothing is repaired here.

``step`` carries the standing quotes from one batch to the next, so batches of any size give the
rows that the whole gives, bit for bit: every row is a function of the standing quotes alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numba import njit

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import format_ns
from eventtape.errors import InputError
from eventtape.tape.feed import times_ns
from eventtape.tape.ticks import quote_ticks

__all__ = ["BookState", "start", "step", "top_of_book"]

_SIDES = (("bid", "bid_size"), ("ask", "ask_size"))


class BookState(NamedTuple):
    """The quotes that stand: one row a symbol, one column a venue, dollars and shares."""

    names: tuple[str, ...]  # (n_symbols,)
    venues: tuple[str, ...]  # (n_venues,)
    ts: IntArray  # (n_symbols,) ns of the last row heard
    standing: FloatArray  # (n_symbols, n_venues, 4): bid, bid size, ask, ask size


def start() -> BookState:
    """A book nobody has spoken to."""
    return BookState((), (), np.zeros(0, np.int64), np.zeros((0, 0, 4)))


def top_of_book(rows: pl.DataFrame, *, file: str | None = None) -> pl.DataFrame:
    """Quotes frame (dollars, shares), one row for each row of ``rows``, in their order.

    ``rows`` has ``symbol, ts, bid, bid_size, ask, ask_size`` (null where the row does not speak of
    that side) and perhaps ``venue``; without it the stream is one venue's. Raises
    :class:`InputError` for times that fall within a symbol, and for prices and sizes that are
    negative, not finite, or stand without each other.
    """
    return step(start(), rows, file=file)[1]


def step(
    state: BookState, rows: pl.DataFrame, *, file: str | None = None
) -> tuple[BookState, pl.DataFrame]:
    """The book after one more batch of rows, and its row for each of them."""
    _check(state, rows, file)
    symbol, names = _codes(rows["symbol"], state.names)
    if "venue" in rows.columns:
        venue, venues = _codes(rows["venue"], state.venues)
    else:
        venue, venues = np.zeros(rows.height, np.int64), state.venues or ("",)
    ts = times_ns(rows)
    last = np.r_[state.ts, np.full(len(names) - len(state.names), np.iinfo(np.int64).min)]
    standing = np.zeros((len(names), len(venues), 4))
    standing[: len(state.names), : len(state.venues)] = state.standing
    said = np.column_stack(
        [
            rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
            for pair in _SIDES
            for name in pair
        ]
    )
    book = np.empty((4, rows.height))
    _hear(symbol, venue, ts, said, standing, last, book)
    answer = rows.select("symbol", "ts").with_columns(
        pl.Series(name, book[at]) for at, name in enumerate(("bid", "bid_size", "ask", "ask_size"))
    )
    return BookState(names, venues, last, standing), answer


def _check(state: BookState, rows: pl.DataFrame, file: str | None) -> None:
    """Refuse what :func:`quote_ticks` refuses, and a first time before the last one heard."""
    for price, size in _SIDES:
        if price in rows.columns and size in rows.columns:
            half = (rows[price].is_null() != rows[size].is_null()).arg_true()
            if len(half):
                row = int(half[0])
                wanted = f"a {size} where there is a {price}, and null where that is null"
                met = rows[size][row]
                raise InputError(wanted, met=met, file=file, row=row + 1, column=size)
    ticks = quote_ticks(rows.with_columns(pl.col(*_present(rows)).fill_null(0)), file=file)
    heard = dict(zip(state.names, state.ts.tolist(), strict=True))
    for name, first in zip(ticks.names, ticks.start[:-1], strict=True):
        ts = int(ticks.ts[first])
        if ts < heard.get(name, ts):
            row = int((rows["symbol"].cast(pl.String) == name).arg_max() or 0)
            met = f"{ts} ns ({format_ns(ts)}) after {heard[name]} ns"
            wanted = "times that do not fall within each symbol"
            raise InputError(wanted, met=met, file=file, row=row + 1, column="ts")


def _present(rows: pl.DataFrame) -> list[str]:
    return [name for pair in _SIDES for name in pair if name in rows.columns]


def _codes(values: pl.Series, known: tuple[str, ...]) -> tuple[IntArray, tuple[str, ...]]:
    """A number for each value, and the names they number: the known ones first."""
    if values.null_count():
        row = int(values.is_null().arg_true()[0])
        raise InputError("a name", met=None, row=row + 1, column=values.name)
    met = values.unique(maintain_order=True).cast(pl.String).to_list()
    names = known + tuple(name for name in met if name not in set(known))
    return values.cast(pl.Enum(names)).to_physical().to_numpy().astype(np.int64), names


@njit(cache=True, nogil=True)
def _hear(
    symbol: IntArray,
    venue: IntArray,
    ts: IntArray,
    said: FloatArray,
    standing: FloatArray,
    last: IntArray,
    book: FloatArray,
) -> None:
    """Let each row speak, then read the book: highest bid, lowest ask, sizes at them added up."""
    n_venues = standing.shape[1]
    for i in range(symbol.size):
        quotes = standing[symbol[i]]
        for side in range(0, 4, 2):
            if not np.isnan(said[i, side]):
                quotes[venue[i], side] = said[i, side]
                quotes[venue[i], side + 1] = said[i, side + 1]
        last[symbol[i]] = ts[i]
        bid, bid_size, ask, ask_size = 0.0, 0.0, np.inf, 0.0
        for v in range(n_venues):
            if quotes[v, 0] > bid:
                bid, bid_size = quotes[v, 0], quotes[v, 1]
            elif quotes[v, 0] == bid:
                bid_size += quotes[v, 1]
            if 0.0 < quotes[v, 2] < ask:
                ask, ask_size = quotes[v, 2], quotes[v, 3]
            elif quotes[v, 2] == ask:
                ask_size += quotes[v, 3]
        book[0, i], book[1, i] = bid, bid_size
        book[2, i], book[3, i] = ask if ask < np.inf else 0.0, ask_size
