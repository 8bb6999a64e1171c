"""The kernels under the features: one walk over a symbol's quotes, one over its trades.

All of them are in this file, since a cached kernel does not notice that one it calls in another
file has changed. The speed is in what they leave out: within a bucket, at most a block at a time,
whatever is alike for every row is done without a branch so that the compiler does eight rows at
once, and only the sums, whose order the answer depends on, run row by row. Slices begin at 0,
because an index that might be negative cannot be done eight at a time either.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from eventtape.arrays import BoolArray, FloatArray, IntArray

NEVER = np.iinfo(np.int64).min // 2
LATEST = np.iinfo(np.int64).max // 2
# Two prices are one when they differ by no more than four last bits: decimal cents, and the mid of
# two of them, are rarely exact in binary. As the signing rules have it.
SAME_PRICE = 4.0 * 2.0**-52


class QuoteRows(NamedTuple):
    """Top-of-book quotes of one chunk; a side nobody quotes has price 0."""

    span: IntArray  # (n_groups, 2) first and end row of each symbol
    ts: IntArray  # (n,) ns
    bid: FloatArray  # (n,)
    ask: FloatArray  # (n,)


class TradeRows(NamedTuple):
    """Trades of one chunk with their sign and the book they met (NaN or 0 where none)."""

    span: IntArray  # (n_groups, 2)
    ts: IntArray  # (n,) ns
    price: FloatArray  # (n,)
    size: FloatArray  # (n,)
    iso: BoolArray  # (n,)
    eligible: BoolArray  # (n,)
    sign: NDArray[np.int8]  # (n,) +1, -1, 0 unclassified
    met_bid: FloatArray  # (n,)
    met_ask: FloatArray  # (n,)
    place: IntArray  # (n,) how many quotes of the chunk, of its symbol, came before it


class FeatureState(NamedTuple):
    """Each symbol's open bucket: the sums so far and the book in force."""

    bucket: IntArray  # (n_symbols,) its end, ns; 0 before the first event
    since: IntArray  # (n_symbols,) time up to which the book in force is accounted for
    last_trade: IntArray  # (n_symbols,)
    book: FloatArray  # (n_symbols, 6) bid, ask, any quote yet, two-sided, spread, last mid
    sums: FloatArray  # (n_symbols, N)


# Columns of the sums. Quotes:
QUOTES, UPDATES, LOCKED, CROSSED, ONE_SIDED, BOOKS, MID, RSPRD = range(8)
TIME, TIME_MID, TIME_RSPRD, VAR_TRADE, VAR_QUOTE = range(8, 13)
# Trades:
TRADES, ISO, VOLUME, VOLUME_ISO, DOLLARS, FLOW_ISO, FLOW_OTHER = range(13, 20)
UNSIGNED, INELIGIBLE, MET, MET_ISO, AT, AT_ISO, AT_MID, OUTSIDE = range(20, 28)
SLIP, SLIP_VOLUME, SLIP_HALF, SLIP_HALF_VOLUME = range(28, 32)
LAST = 32  # not a sum: the mid that stands at the bucket's end, written as it closes
N_SUMS = 33
# Columns of the book.
BID, ASK, SEEN, HAS, SPREAD, LAST_MID = range(6)
BLOCK = 256


@njit(cache=True, nogil=True, error_model="numpy")
def _stand(sums: FloatArray, book: FloatArray, ns: int) -> None:
    """Account for the last ``ns`` of a bucket, and note the mid at its end (NaN: no book)."""
    sums[LAST] = book[LAST_MID] if book[HAS] > 0.0 else np.nan
    if book[HAS] > 0.0:
        sums[TIME] += ns
        sums[TIME_MID] += ns * book[LAST_MID]
        sums[TIME_RSPRD] += ns * book[SPREAD]


@njit(cache=True, nogil=True, error_model="numpy")
def close(
    state: FeatureState,
    symbol: IntArray,
    every: int,
    last: int,
    offset: IntArray,
    bucket: IntArray,
    out: FloatArray,
) -> None:
    """Close the buckets of each symbol that fall to ``out[offset[g] : offset[g + 1]]``.

    None ends after ``last``, the close of the session: its last bucket may be a short one.
    """
    for g in range(symbol.size):
        s = symbol[g]
        for m in range(offset[g], offset[g + 1]):
            end = min(state.bucket[s], last)
            _stand(state.sums[s], state.book[s], end - state.since[s])
            out[m] = state.sums[s]
            state.sums[s] = 0.0
            bucket[m] = end
            state.since[s] = end
            state.bucket[s] += every


@njit(cache=True, nogil=True, error_model="numpy")
def _quotes(  # noqa: PLR0915 - what would be split off is what one walk over memory saves
    sums: FloatArray,
    book: FloatArray,
    room: FloatArray,
    ts: IntArray,
    bid: FloatArray,
    ask: FloatArray,
    after: NDArray[np.uint8],
    since: int,
) -> None:
    """Fold at most ``BLOCK`` quotes of one bucket: loops without a branch, then sums in order."""
    n = ts.size
    mids, spreads, has = room[0], room[1], room[2]
    before = book[HAS]
    has[0] = before
    mids[0] = book[LAST_MID] if before > 0.0 else 0.0
    spreads[0] = book[SPREAD] if before > 0.0 else 0.0
    mid, spread, holds = mids[1 : n + 1], spreads[1 : n + 1], has[1 : n + 1]
    books = locked = two_sided = 0
    for i in range(n):
        b, a = bid[i], ask[i]
        m = 0.5 * (b + a)
        two = (b > 0.0) & (a > 0.0)
        ok = two & (b <= a)
        mid[i] = m if ok else 0.0
        spread[i] = (a - b) / m if ok else 0.0
        holds[i] = 1.0 if ok else 0.0
        books += ok
        locked += ok & (a == b)
        two_sided += two
    sums[QUOTES] += n
    sums[BOOKS] += books
    sums[LOCKED] += locked
    sums[CROSSED] += two_sided - books
    sums[ONE_SIDED] += n - two_sided
    updates = int(book[SEEN] > 0.0 and (bid[0] != book[BID] or ask[0] != book[ASK]))
    b1, a1 = bid[1:], ask[1:]
    for i in range(n - 1):
        updates += (b1[i] != bid[i]) | (a1[i] != ask[i])
    sums[UPDATES] += updates
    # Squared return of the mid; the last mid there was is the one before, unless a book had none.
    square = room[3]
    last = book[LAST_MID]
    if books == n:
        change = (mid[0] - last) / last if last > 0.0 else 0.0
        square[0] = change * change
        then, now = mids[1:n], mids[2 : n + 1]
        later = square[1:n]
        for i in range(n - 1):
            change = (now[i] - then[i]) / then[i]
            later[i] = change * change
        last = mid[n - 1]
    else:
        for i in range(n):
            square[i] = 0.0
            if holds[i] > 0.0:
                if last > 0.0:
                    change = (mid[i] - last) / last
                    square[i] = change * change
                last = mid[i]
    sum_mid, sum_spread = sums[MID], sums[RSPRD]
    time, time_mid, time_spread = sums[TIME], sums[TIME_MID], sums[TIME_RSPRD]
    trade_var, quote_var = sums[VAR_TRADE], sums[VAR_QUOTE]
    for i in range(n):
        stood = float(ts[i] - since)
        since = ts[i]
        time += stood * has[i]
        time_mid += stood * mids[i]
        time_spread += stood * spreads[i]
        sum_mid += mid[i]
        sum_spread += spread[i]
        led = after[i] != 0
        trade_var += square[i] if led else 0.0
        quote_var += 0.0 if led else square[i]
    sums[MID], sums[RSPRD] = sum_mid, sum_spread
    sums[TIME], sums[TIME_MID], sums[TIME_RSPRD] = time, time_mid, time_spread
    sums[VAR_TRADE], sums[VAR_QUOTE] = trade_var, quote_var
    book[BID], book[ASK], book[SEEN] = bid[n - 1], ask[n - 1], 1.0
    book[HAS], book[SPREAD], book[LAST_MID] = holds[n - 1], spread[n - 1], last


@njit(cache=True, nogil=True, error_model="numpy")
def _trades(
    sums: FloatArray,
    price: FloatArray,
    size: FloatArray,
    iso: BoolArray,
    eligible: BoolArray,
    sign: NDArray[np.int8],
    met_bid: FloatArray,
    met_ask: FloatArray,
) -> None:
    """Fold the trades of one bucket, in registers and without branches on what is random."""
    trades = n_iso = unsigned = met = met_iso = at = at_iso = at_mid = outside = 0
    volume, volume_iso, dollars = sums[VOLUME], sums[VOLUME_ISO], sums[DOLLARS]
    flow_iso, flow_other = sums[FLOW_ISO], sums[FLOW_OTHER]
    slip, slip_volume = sums[SLIP], sums[SLIP_VOLUME]
    slip_half, slip_half_volume = sums[SLIP_HALF], sums[SLIP_HALF_VOLUME]
    for j in range(price.size):
        if not eligible[j]:
            continue
        p, v, d, bid, ask = price[j], size[j], float(sign[j]), met_bid[j], met_ask[j]
        swept = iso[j]
        paid = p * v
        flow = d * paid
        trades += 1
        n_iso += swept
        unsigned += d == 0.0
        volume += v
        dollars += paid
        volume_iso += v if swept else 0.0
        flow_iso += flow if swept else 0.0
        flow_other += 0.0 if swept else flow
        if 0.0 < bid <= ask:
            mid, half = 0.5 * (bid + ask), 0.5 * (ask - bid)
            near = SAME_PRICE * p
            touches = (abs(p - bid) <= near) | (abs(p - ask) <= near)
            met += 1
            met_iso += swept
            at += touches
            at_iso += touches & swept
            at_mid += abs((p - bid) - (ask - p)) <= near
            outside += (p < bid - near) | (p > ask + near)
            # An unsigned trade has d = 0: it adds nothing above and nothing below.
            cost = v * d * (p - mid)
            weight = v * abs(d)
            slip += cost
            slip_volume += weight
            slip_half += cost / half if half > 0.0 else 0.0
            slip_half_volume += weight if half > 0.0 else 0.0
    sums[TRADES] += trades
    sums[INELIGIBLE] += price.size - trades
    sums[ISO] += n_iso
    sums[UNSIGNED] += unsigned
    sums[MET] += met
    sums[MET_ISO] += met_iso
    sums[AT] += at
    sums[AT_ISO] += at_iso
    sums[AT_MID] += at_mid
    sums[OUTSIDE] += outside
    sums[VOLUME], sums[VOLUME_ISO], sums[DOLLARS] = volume, volume_iso, dollars
    sums[FLOW_ISO], sums[FLOW_OTHER] = flow_iso, flow_other
    sums[SLIP], sums[SLIP_VOLUME] = slip, slip_volume
    sums[SLIP_HALF], sums[SLIP_HALF_VOLUME] = slip_half, slip_half_volume


@njit(cache=True, nogil=True, error_model="numpy")
def _led(
    after: NDArray[np.uint8],
    quote_ts: IntArray,
    trade_ts: IntArray,
    eligible: BoolArray,
    place: IntArray,
    window_ns: int,
    last_trade: int,
) -> int:
    """Mark one symbol's quotes within the window after a trade; the time of the last trade.

    ``place`` is the quote that each trade comes before; each quote is looked at about once.
    """
    n = quote_ts.size
    i = 0
    while i < n and quote_ts[i] - last_trade <= window_ns:  # a trade of the chunk before
        after[i] = 1
        i += 1
    for j in range(trade_ts.size):
        if eligible[j]:
            last_trade = trade_ts[j]
            i = max(i, place[j])  # what an earlier trade marked stays marked
            while i < n and quote_ts[i] - last_trade <= window_ns:
                after[i] = 1
                i += 1
    return last_trade


@njit(cache=True, nogil=True, error_model="numpy")
def _first_at(ts: IntArray, low: int, high: int, time: int) -> int:
    """The first of the rows ``low`` to ``high`` at or after a time, else ``high``."""
    if ts[high - 1] < time:
        return high
    while low < high:
        middle = (low + high) // 2
        if ts[middle] < time:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True, error_model="numpy")
def _scene(
    book: FloatArray,
    room: FloatArray,
    ts: IntArray,
    bid: FloatArray,
    ask: FloatArray,
    after: NDArray[np.uint8],
    open_ns: int,
) -> int:
    """Let the quotes before the open set the book, counted nowhere; the first row at the open."""
    aside = np.zeros(N_SUMS)
    i = 0
    while i < ts.size and ts[i] < open_ns:
        k = _first_at(ts, i, min(ts.size, i + BLOCK), open_ns)
        _quotes(aside, book, room, ts[i:k], bid[i:k], ask[i:k], after[i:k], ts[i])
        i = k
    return i


@njit(cache=True, nogil=True, error_model="numpy")
def fold(
    state: FeatureState,
    symbol: IntArray,
    quotes: QuoteRows,
    trades: TradeRows,
    every: int,
    open_ns: int,
    window_ns: int,
    begin: IntArray,
    offset: IntArray,
    bucket: IntArray,
    out: FloatArray,
) -> None:
    """Each symbol's quotes and then its trades, bucket by bucket: they meet in ``after`` alone.

    Group g fills the rows ``offset[g]`` to ``offset[g + 1]`` of ``out``; its open bucket goes on in
    the state. ``begin[g]`` is the end of its first bucket.
    """
    after = np.zeros(quotes.ts.size, np.uint8)
    room = np.empty((4, BLOCK + 1))
    for g in range(symbol.size):
        s = symbol[g]
        low, high = quotes.span[g, 0], quotes.span[g, 1]
        t_low, t_high = trades.span[g, 0], trades.span[g, 1]
        if low == high and t_low == t_high:
            continue
        book = state.book[s]
        q_ts, bid, ask = quotes.ts[low:high], quotes.bid[low:high], quotes.ask[low:high]
        q_after = after[low:high]
        state.last_trade[s] = _led(
            q_after,
            q_ts,
            trades.ts[t_low:t_high],
            trades.eligible[t_low:t_high],
            trades.place[t_low:t_high],
            window_ns,
            state.last_trade[s],
        )
        n = high - low
        i = _scene(book, room, q_ts, bid, ask, q_after, open_ns)
        since, end = state.since[s], begin[g]
        if state.bucket[s] == 0:  # the symbol's first event of all: no book stood before it
            since = end - every
        t_ts = trades.ts[t_low:t_high]
        price, size = trades.price[t_low:t_high], trades.size[t_low:t_high]
        iso, eligible = trades.iso[t_low:t_high], trades.eligible[t_low:t_high]
        sign = trades.sign[t_low:t_high]
        met_bid, met_ask = trades.met_bid[t_low:t_high], trades.met_ask[t_low:t_high]
        n_trades = t_high - t_low
        j = _first_at(t_ts, 0, n_trades, open_ns) if n_trades > 0 else 0
        sums = state.sums[s]
        for m in range(offset[g], offset[g + 1] + 1):
            while i < n and q_ts[i] < end:
                k = _first_at(q_ts, i, min(n, i + BLOCK), end)
                _quotes(sums, book, room, q_ts[i:k], bid[i:k], ask[i:k], q_after[i:k], since)
                since = q_ts[k - 1]
                i = k
            if j < n_trades and t_ts[j] < end:
                k = j + 1
                while k < n_trades and t_ts[k] < end:
                    k += 1
                _trades(
                    sums,
                    price[j:k],
                    size[j:k],
                    iso[j:k],
                    eligible[j:k],
                    sign[j:k],
                    met_bid[j:k],
                    met_ask[j:k],
                )
                j = k
            if m < offset[g + 1]:
                _stand(sums, book, end - since)
                out[m] = sums
                sums[:] = 0.0
                bucket[m] = end
                since = end
                end += every
        state.bucket[s], state.since[s] = end, since
