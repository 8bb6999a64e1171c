"""Which quote did a trade meet? The last one strictly before it.

A trade stamped t sees the last quote of its symbol with ``quote.ts < t - latency``. A quote that
carries the trade's own time is not seen: it is as likely the trade's effect as its cause (Lee and
Ready 1991; Holden and Jacobsen 2014). ``latency_ns`` asks for quotes older still, where trade
reports are known to be late.

Group g of the trades is matched with group g of the quotes; a group is a span of rows, first and
end. In a stream the state is the quotes that a later trade may still need: those from the last one
already visible on. ``step`` over chunks of any size gives the answers of one ``match``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError

__all__ = ["AsOfState", "Book", "Matched", "match", "start", "step", "strict_as_of"]


class Book(NamedTuple):
    """Quotes as the match needs them."""

    ts: IntArray  # (n,) ns, not falling inside a span
    bid: FloatArray  # (n,)
    ask: FloatArray  # (n,)


class Matched(NamedTuple):
    """The book each trade met; NaN where no quote came before it."""

    bid: FloatArray  # (n_trades,)
    ask: FloatArray  # (n_trades,)
    age_s: FloatArray  # (n_trades,) from the quote to the trade
    place: IntArray  # (n_trades,) quotes of its span strictly before it, whatever the latency


class AsOfState(NamedTuple):
    """Quotes a coming trade may still see, ordered by symbol and then time."""

    symbol: IntArray  # (c,)
    book: Book  # (c,)


def strict_as_of(
    quote_ts: IntArray,
    quote_span: IntArray,
    trade_ts: IntArray,
    trade_span: IntArray,
    *,
    latency_ns: int = 0,
) -> IntArray:
    """Index of the quote each trade sees, -1 where none, shape of ``trade_ts``.

    Spans are ``(n_groups, 2)``: first row and end row of each group. Trades of no span answer -1.

    >>> strict_as_of(np.array([10, 20]), np.array([[0, 2]]), np.array([10, 11, 20, 21]),
    ...              np.array([[0, 4]])).tolist()
    [-1, 0, 0, 1]
    """
    _check(quote_span, trade_span, latency_ns)
    out = np.full(trade_ts.size, -1, np.int64)
    _search(quote_ts, quote_span, trade_ts, trade_span, latency_ns, out)
    return out


def match(
    quotes: Book,
    quote_span: IntArray,
    trade_ts: IntArray,
    trade_span: IntArray,
    *,
    latency_ns: int = 0,
) -> Matched:
    """The book in force strictly before each trade, by the rule of :func:`strict_as_of`."""
    symbol = np.arange(len(quote_span))
    return step(start(), symbol, quotes, quote_span, trade_ts, trade_span, latency_ns=latency_ns)[1]


def start() -> AsOfState:
    """The state before any quote."""
    none = np.zeros(0, np.int64)
    return AsOfState(none, Book(none, np.zeros(0), np.zeros(0)))


def step(
    state: AsOfState,
    symbol: IntArray,
    quotes: Book,
    quote_span: IntArray,
    trade_ts: IntArray,
    trade_span: IntArray,
    *,
    latency_ns: int = 0,
) -> tuple[AsOfState, Matched]:
    """The state after a chunk, and the book each of its trades met.

    Group g of both sides is the symbol numbered ``symbol[g]`` (rising). Of one symbol, no event of
    a later chunk may be older than one of an earlier chunk.
    """
    _check(quote_span, trade_span, latency_ns)
    low, high = (np.searchsorted(state.symbol, symbol, side=side) for side in ("left", "right"))
    held_span = np.column_stack([low, high])
    n = trade_ts.size
    bid, ask, age = (np.full(n, np.nan) for _ in range(3))
    matched = Matched(bid, ask, age, np.zeros(n, np.int64))
    _meet(quotes, quote_span, state.book, held_span, trade_ts, trade_span, latency_ns, matched)
    return _kept(state, symbol, quotes, quote_span, trade_ts, trade_span, latency_ns), matched


def _kept(
    state: AsOfState,
    symbol: IntArray,
    quotes: Book,
    quote_span: IntArray,
    trade_ts: IntArray,
    trade_span: IntArray,
    latency_ns: int,
) -> AsOfState:
    """What a trade at or after the chunk's last event may see: per symbol, from that quote on."""
    held = state.book
    low, high = (np.searchsorted(state.symbol, symbol, side=side) for side in ("left", "right"))
    rest = ~np.isin(state.symbol, symbol)
    numbers = [state.symbol[rest]]
    books = [Book(held.ts[rest], held.bid[rest], held.ask[rest])]
    for g, s in enumerate(symbol.tolist()):
        old = _rows(held, low[g], high[g])
        new = _rows(quotes, *quote_span[g])
        last = (old.ts[-1:], new.ts[-1:], trade_ts[slice(*trade_span[g])][-1:])
        cut = max((int(time[0]) for time in last if time.size), default=0) - latency_ns
        seen = int(np.searchsorted(new.ts, cut)) - 1
        if seen >= 0:
            books.append(_rows(new, seen, new.ts.size))
        else:
            seen = max(int(np.searchsorted(old.ts, cut)) - 1, 0)
            books.append(_joined([_rows(old, seen, old.ts.size), new]))
        numbers.append(np.full(books[-1].ts.size, s, np.int64))
    number = np.concatenate(numbers)
    order = np.argsort(number, kind="stable")
    kept = _joined(books)
    return AsOfState(number[order], Book(kept.ts[order], kept.bid[order], kept.ask[order]))


def _rows(book: Book, low: int, high: int) -> Book:
    return Book(book.ts[low:high], book.bid[low:high], book.ask[low:high])


def _joined(books: list[Book]) -> Book:
    return Book(
        np.concatenate([book.ts for book in books]),
        np.concatenate([book.bid for book in books]),
        np.concatenate([book.ask for book in books]),
    )


def _check(quote_span: IntArray, trade_span: IntArray, latency_ns: int) -> None:
    if latency_ns < 0:
        raise InputError("a latency >= 0 ns", met=latency_ns)
    if quote_span.shape != trade_span.shape:
        met = (len(quote_span), len(trade_span))
        raise InputError("as many groups of quotes as of trades", met=met)


@njit(cache=True, nogil=True)
def _count(ts: IntArray, i: int, time: int) -> int:
    """The first row from ``i`` on at or after a time. Eights are counted without a branch."""
    n = ts.size
    while i + 8 <= n:
        earlier = 0
        for k in range(8):
            earlier += ts[i + k] < time
        i += earlier
        if earlier < 8:  # noqa: PLR2004
            return i
    while i < n and ts[i] < time:
        i += 1
    return i


@njit(cache=True, nogil=True)
def _search(
    quote_ts: IntArray,
    quote_span: IntArray,
    trade_ts: IntArray,
    trade_span: IntArray,
    latency_ns: int,
    out: IntArray,
) -> None:
    for g in range(quote_span.shape[0]):
        first = quote_span[g, 0]
        ts = quote_ts[first : quote_span[g, 1]]
        i = 0
        for j in range(trade_span[g, 0], trade_span[g, 1]):
            i = _count(ts, i, trade_ts[j] - latency_ns)
            out[j] = first + i - 1 if i > 0 else -1


@njit(cache=True, nogil=True)
def _meet(
    quotes: Book,
    quote_span: IntArray,
    held: Book,
    held_span: IntArray,
    trade_ts: IntArray,
    trade_span: IntArray,
    latency_ns: int,
    out: Matched,
) -> None:
    """The last visible quote of the chunk, else of those held from before, else nothing."""
    for g in range(quote_span.shape[0]):
        first, end = quote_span[g, 0], quote_span[g, 1]
        ts, bid, ask = quotes.ts[first:end], quotes.bid[first:end], quotes.ask[first:end]
        h_first, h_end = held_span[g, 0], held_span[g, 1]
        h_ts = held.ts[h_first:h_end]
        i = h = place = 0
        for j in range(trade_span[g, 0], trade_span[g, 1]):
            t = trade_ts[j]
            i = _count(ts, i, t - latency_ns)
            place = i if latency_ns == 0 else _count(ts, max(i, place), t)
            out.place[j] = place
            if i > 0:
                out.bid[j], out.ask[j] = bid[i - 1], ask[i - 1]
                out.age_s[j] = (t - ts[i - 1]) / 1e9
                continue
            h = _count(h_ts, h, t - latency_ns)
            if h > 0:
                k = h_first + h - 1
                out.bid[j], out.ask[j] = held.bid[k], held.ask[k]
                out.age_s[j] = (t - held.ts[k]) / 1e9
