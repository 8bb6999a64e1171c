"""The best bid and ask of every second, for every symbol, from quotes at any pace.

The value stamped T is the last quote of ``T - 1 s <= t < T``; where that second had none it is the
last one before it, and ``age_s`` says how long it has stood at T. So a row stamped T holds only
what was known before T. A symbol begins with the second of its first quote. Locked, crossed and
one-sided books are quotes like others: they stand until the next one.

Forward (``start``, ``step``, ``advance``) or in one go (``batch``), over the same kernel and equal
to the last bit whatever the size of the chunks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.threads import run_groups

__all__ = ["Seconds", "SecondsState", "advance", "batch", "finish", "start", "step"]

_BOOK = 4  # bid, bid size, ask, ask size
_END = np.iinfo(np.int64).max


class SecondsState(NamedTuple):
    """The quote in force of each symbol and the grid time still to be answered."""

    next_ns: IntArray  # (n_symbols,) the next T; 0 where no quote has been met
    ts: IntArray  # (n_symbols,) of the quote in force
    book: FloatArray  # (n_symbols, 4) bid, bid size, ask, ask size


class Seconds(NamedTuple):
    """Top of book on the grid, ordered by symbol and then time."""

    symbol: IntArray  # (m,) row of the state
    ts: IntArray  # (m,) T, ns UTC
    book: FloatArray  # (4, m) bid, bid size, ask, ask size
    age_s: FloatArray  # (m,) seconds from the quote to T, above 0


def start(n_symbols: int) -> SecondsState:
    """The state before any quote."""
    return SecondsState(
        np.zeros(n_symbols, np.int64),
        np.zeros(n_symbols, np.int64),
        np.zeros((n_symbols, _BOOK)),
    )


def batch(
    first: IntArray,
    ts: IntArray,
    bid: FloatArray,
    bid_size: FloatArray,
    ask: FloatArray,
    ask_size: FloatArray,
    *,
    every_ns: int = SECOND,
    end_ns: int | None = None,
    threads: int | None = 1,
) -> Seconds:
    """The whole grid of a day: symbol g has the rows ``first[g]`` to ``first[g + 1]``.

    Each symbol ends with the second of its own last quote, or at ``end_ns`` where that is given
    (its last grid time at or before it).
    """
    _check(every_ns)
    n = first.size - 1
    symbol = np.arange(n)
    state = start(n)
    quotes = (ts, bid, bid_size, ask, ask_size)
    if end_ns is None:
        last = ts[np.maximum(first[1:], 1) - 1] if ts.size else np.zeros(n, np.int64)
        stop = np.where(np.diff(first) > 0, (last // every_ns + 1) * every_ns, 0)
    else:
        stop = np.full(n, end_ns // every_ns * every_ns)
    return _run(state, symbol, first, quotes, every_ns, stop, threads)[1]


def step(
    state: SecondsState,
    symbol: IntArray,
    first: IntArray,
    ts: IntArray,
    bid: FloatArray,
    bid_size: FloatArray,
    ask: FloatArray,
    ask_size: FloatArray,
    *,
    every_ns: int = SECOND,
) -> tuple[SecondsState, Seconds]:
    """The state after a chunk of quotes, and the grid times it has settled.

    Group g of the chunk (rows ``first[g]`` to ``first[g + 1]``) belongs to row ``symbol[g]`` of the
    state, each row at most once. A grid time T is settled by a quote of its symbol at or after T;
    :func:`advance` settles the rest. Quotes older than a settled time are an InputError.
    """
    _check(every_ns)
    last = ts[np.maximum(first[1:], 1) - 1] if ts.size else np.zeros(symbol.size, np.int64)
    head = ts[np.minimum(first[:-1], max(ts.size - 1, 0))] if ts.size else last
    floor = np.maximum(state.ts, state.next_ns - every_ns)[symbol]
    late = (np.diff(first) > 0) & (head < floor) & (state.next_ns[symbol] > 0)
    if late.any():
        g = int(np.argmax(late))
        wanted = f"a quote not before its symbol's last one or a settled second ({floor[g]} ns)"
        raise InputError(wanted, met=int(head[g]), column="ts")
    stop = np.where(np.diff(first) > 0, last // every_ns * every_ns, 0)
    return _run(state, symbol, first, (ts, bid, bid_size, ask, ask_size), every_ns, stop)


def advance(
    state: SecondsState, to_ns: int, *, every_ns: int = SECOND
) -> tuple[SecondsState, Seconds]:
    """All symbols carried to ``to_ns``, once no quote before it can come any more."""
    _check(every_ns)
    return _carry(state, np.full(state.ts.size, to_ns // every_ns * every_ns), every_ns)


def finish(
    state: SecondsState, *, every_ns: int = SECOND, end_ns: int | None = None
) -> tuple[SecondsState, Seconds]:
    """The second of each symbol's last quote, or all up to ``end_ns``: the end of a ``batch``."""
    if end_ns is not None:
        return advance(state, end_ns, every_ns=every_ns)
    _check(every_ns)
    return _carry(state, (state.ts // every_ns + 1) * every_ns, every_ns)


def _check(every_ns: int) -> None:
    if every_ns <= 0:
        raise InputError("a grid wider than 0 ns", met=every_ns)


def _carry(state: SecondsState, stop: IntArray, every_ns: int) -> tuple[SecondsState, Seconds]:
    none = np.zeros(0)
    quotes = (np.zeros(0, np.int64), none, none, none, none)
    empty = np.zeros(stop.size + 1, np.int64)
    return _run(state, np.arange(stop.size), empty, quotes, every_ns, stop)


_Quotes = tuple[IntArray, FloatArray, FloatArray, FloatArray, FloatArray]


def _run(
    state: SecondsState,
    symbol: IntArray,
    first: IntArray,
    quotes: _Quotes,
    every_ns: int,
    stop: IntArray,
    threads: int | None = 1,
) -> tuple[SecondsState, Seconds]:
    ts = quotes[0]
    fresh = state.next_ns[symbol] == 0
    head = ts[np.minimum(first[:-1], max(ts.size - 1, 0))] if ts.size else np.zeros_like(stop)
    has = np.diff(first) > 0
    begin = np.where(fresh, (head // every_ns + 1) * every_ns, state.next_ns[symbol])
    count = np.maximum((stop - begin) // every_ns + 1, 0)
    count[fresh & ~has] = 0
    offset = np.r_[0, np.cumsum(count)]
    m = int(offset[-1])
    out = Seconds(
        np.repeat(symbol, count), np.empty(m, np.int64), np.empty((_BOOK, m)), np.empty(m)
    )
    new = SecondsState(state.next_ns.copy(), state.ts.copy(), state.book.copy())

    index = np.empty(m, np.int64)

    def fill(low: int, high: int) -> None:
        groups = slice(low, high)
        rows, space = first[low : high + 1], offset[low : high + 1]
        _walk(state, new, symbol[groups], rows, ts, every_ns, space, begin[groups], index, out)
        mine = slice(offset[low], offset[high])
        for k, column in enumerate(quotes[1:]):
            _take(column, index[mine], state.book[:, k], out.symbol[mine], out.book[k, mine])
            _hold(column, rows, new.book[:, k], symbol[groups])

    run_groups(fill, np.diff(first) + count, threads)
    return new, out


@njit(cache=True, nogil=True)
def _walk(
    state: SecondsState,
    new: SecondsState,
    symbol: IntArray,
    first: IntArray,
    ts: IntArray,
    every_ns: int,
    offset: IntArray,
    begin: IntArray,
    index: IntArray,
    out: Seconds,
) -> None:
    """The quote in force at each grid time: its row, or -1 for the one held in the state.

    Only times are read here. The values are then taken a column at a time, which is one stream to
    read and one to write where all at once would be ten.
    """
    for g in range(symbol.size):
        s, low = symbol[g], first[g]
        rows = ts[low : first[g + 1]]
        n = rows.size
        if n == 0 and offset[g] == offset[g + 1]:
            continue
        T, held = begin[g], state.ts[s]
        i = 0
        for m in range(offset[g], offset[g + 1]):
            while i < n and rows[i] < T:
                i += 1
            index[m] = low + i - 1 if i > 0 else -1
            out.ts[m] = T
            out.age_s[m] = (T - (rows[i - 1] if i > 0 else held)) / 1e9
            T += every_ns
        new.next_ns[s] = T
        new.ts[s] = rows[n - 1] if n > 0 else held


@njit(cache=True, nogil=True)
def _take(
    column: FloatArray, index: IntArray, held: FloatArray, symbol: IntArray, out: FloatArray
) -> None:
    for m in range(index.size):
        i = index[m]
        out[m] = column[i] if i >= 0 else held[symbol[m]]


@njit(cache=True, nogil=True)
def _hold(column: FloatArray, first: IntArray, held: FloatArray, symbol: IntArray) -> None:
    """The last value of each group, where it has a row, into the state."""
    for g in range(symbol.size):
        if first[g + 1] > first[g]:
            held[symbol[g]] = column[first[g + 1] - 1]
