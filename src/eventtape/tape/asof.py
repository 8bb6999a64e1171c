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
    held_span = np.column_stack([low, high])
    first = np.empty((symbol.size, 2), np.int64)
    _first_kept(quotes.ts, quote_span, held.ts, held_span, trade_ts, trade_span, latency_ns, first)
    gone = int((first - np.column_stack([low, quote_span[:, 0]])).sum())
    n = held.ts.size + int((quote_span[:, 1] - quote_span[:, 0]).sum()) - gone
    after = AsOfState(np.empty(n, np.int64), Book(np.empty(n, np.int64), np.empty(n), np.empty(n)))
    _keep(
        state.symbol, held, held_span, symbol, quotes, quote_span, first, after.symbol, after.book
    )
    return after


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
def _count_back(ts: IntArray, low: int, high: int, time: int) -> int:
    """The first of the rows ``low`` to ``high`` at or after a time, found from the end."""
    while high > low and ts[high - 1] >= time:
        high -= 1
    return high


@njit(cache=True, nogil=True)
def _first_kept(
    quote_ts: IntArray,
    quote_span: IntArray,
    held_ts: IntArray,
    held_span: IntArray,
    trade_ts: IntArray,
    trade_span: IntArray,
    latency_ns: int,
    first: IntArray,
) -> None:
    """The first row of each group to keep: of those held, and of the chunk's."""
    for g in range(quote_span.shape[0]):
        low, high = quote_span[g, 0], quote_span[g, 1]
        h_low, h_high = held_span[g, 0], held_span[g, 1]
        last = 0
        if high > low:
            last = max(last, quote_ts[high - 1])
        if h_high > h_low:
            last = max(last, held_ts[h_high - 1])
        if trade_span[g, 1] > trade_span[g, 0]:
            last = max(last, trade_ts[trade_span[g, 1] - 1])
        seen = _count_back(quote_ts, low, high, last - latency_ns) - 1
        if seen >= low:
            first[g, 0], first[g, 1] = h_high, seen
        else:
            seen = _count_back(held_ts, h_low, h_high, last - latency_ns) - 1
            first[g, 0], first[g, 1] = max(seen, h_low), low


@njit(cache=True, nogil=True)
def _keep(
    held_symbol: IntArray,
    held: Book,
    held_span: IntArray,
    symbol: IntArray,
    quotes: Book,
    quote_span: IntArray,
    first: IntArray,
    out_symbol: IntArray,
    out: Book,
) -> None:
    """Symbol after symbol: the rows of those not in the chunk, and what the others keep."""
    n = i = 0
    for g in range(symbol.size + 1):
        end = held_span[g, 0] if g < symbol.size else held_symbol.size
        for k in range(i, end):
            out_symbol[n] = held_symbol[k]
            out.ts[n], out.bid[n], out.ask[n] = held.ts[k], held.bid[k], held.ask[k]
            n += 1
        if g == symbol.size:
            break
        i = held_span[g, 1]
        for k in range(first[g, 0], i):
            out_symbol[n] = symbol[g]
            out.ts[n], out.bid[n], out.ask[n] = held.ts[k], held.bid[k], held.ask[k]
            n += 1
        for k in range(first[g, 1], quote_span[g, 1]):
            out_symbol[n] = symbol[g]
            out.ts[n], out.bid[n], out.ask[n] = quotes.ts[k], quotes.bid[k], quotes.ask[k]
            n += 1


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
