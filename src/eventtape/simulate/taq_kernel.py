r"""The book of one symbol, second by second: how quotes and trades come from an efficient price.

Within a second the efficient price p is a Brownian bridge between its whole-second values (steps
uniform, with the bridge's variance). The book is a bid and an ask in whole cents. It rests while p
stays within h = max(0.3 spread, 0.6 cents) of the mid. Beyond that a move is due, and a coin
(``trade_moves``) says whose it is:

* the makers': the next quote is centred on p again (quote-driven);
* a taker's: a trade comes at once, and once one is at the quote it has the side of p; the quote
  that answers it, at the same ns or 10 microseconds to 5 ms later, is centred on p (trade-driven).
  In a second that has no trade left makers wait for the next one, but not beyond 4 h.

Other trades have a side of their own, which tends to repeat. A trade is a print at the quote, at
the midpoint, improved (inside the spread on the taker's side of the mid), off the book (ineligible,
at some average price), or a sweep: ISO prints within microseconds that walk the book. Prints are a
stationary Markov chain: an ISO print is followed by another of its sweep with chance c, otherwise a
new order is ISO with chance s(1 - c)/(1 - s c), so that every print is ISO with chance s however
the second cuts the chain. A sweep leaves the book wider (trade-driven); quotes bring the spread
back to its slowly changing target, cent by cent (quote-driven).

Times: of k rows left in a second the next comes after a share 1 - v^(1/k) of the time left, v
uniform, which makes them uniform order statistics. Stamps of a symbol rise strictly, but for the
quotes that share the ns of the trade they answer; all rows of a second lie inside it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from eventtape.arrays import BoolArray, FloatArray, IntArray

__all__ = ["PLACES", "Chances", "QuoteRows", "TradeRows", "run_cells"]

PLACES = ("at quote", "walked", "midpoint", "improved", "off book")
_AT_QUOTE, _WALKED, _MIDPOINT, _IMPROVED, _OFF_BOOK = range(5)

_SECOND = 1_000_000_000
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_R30, _R27, _R31, _R11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_UNIT = 2.0**-53

# Where the integers of a book stand in its state.
BID, ASK, BID_SIZE, ASK_SIZE, LAST_SIDE, MOVER, TARGET, SWEEPS, OPENED = range(9)
BOOK = 9
_NOBODY, _MAKERS, _TAKER = range(3)


class Chances(NamedTuple):
    """The kernel's probabilities; kinds of trade are given that the print is no ISO."""

    iso: float
    new_iso: float
    sweep_continues: float
    midpoint: float
    improved: float
    off_book: float
    trade_moves: float
    persistence: float
    same_ns: float
    late: float


class QuoteRows(NamedTuple):
    """Quotes of one symbol and what is true of them, arrays ``(n,)``."""

    ts: IntArray
    bid: FloatArray
    bid_size: FloatArray
    ask: FloatArray
    ask_size: FloatArray
    trade_driven: BoolArray  # it answers a trade
    mid_move: FloatArray  # dollars, from the quote before
    efficient: FloatArray  # price p behind it, dollars


class TradeRows(NamedTuple):
    """Trades of one symbol and what is true of them, arrays ``(n,)``."""

    ts: IntArray
    price: FloatArray
    size: FloatArray
    iso: BoolArray
    eligible: BoolArray
    side: NDArray[np.int8]
    place: NDArray[np.uint8]  # index into PLACES
    sweep: IntArray  # number of its sweep within the symbol, -1 for a print by itself
    informed: BoolArray  # it carried a move of the efficient price
    late: BoolArray


@njit(cache=True, nogil=True)
def _uniform(state: NDArray[np.uint64]) -> float:
    """The next number of splitmix64 on [0, 1) (Steele, Lea and Flood 2014)."""
    state[0] = state[0] + _GOLDEN
    z = state[0]
    z = (z ^ (z >> _R30)) * _MIX_1
    z = (z ^ (z >> _R27)) * _MIX_2
    z = z ^ (z >> _R31)
    return np.float64(z >> _R11) * _UNIT


@njit(cache=True, nogil=True)
def _lots(state: NDArray[np.uint64], depth: float) -> int:
    """A displayed size of about ``depth`` round lots, in shares."""
    u = _uniform(state)
    return 100 * (1 + int(3.0 * (depth - 1.0) * u * u + _uniform(state)))


@njit(cache=True, nogil=True)
def _aim(state: NDArray[np.uint64], spread: float) -> int:
    """A new target for the spread, cents."""
    return max(1, int(spread * (0.6 + 0.8 * _uniform(state)) + _uniform(state)))


@njit(cache=True, nogil=True)
def run_cells(  # noqa: C901, PLR0912, PLR0915 - the two kinds of event share the book's every part
    first: int,
    last: int,
    start_ns: int,
    n_quotes: IntArray,
    n_trades: IntArray,
    price: FloatArray,
    noise: FloatArray,
    spread: float,
    depth: float,
    chance: Chances,
    book: IntArray,
    random: NDArray[np.uint64],
    quotes: QuoteRows,
    at_quote: int,
    trades: TradeRows,
    at_trade: int,
) -> None:
    """Draw the seconds ``first`` to ``last`` into rows from ``at_quote`` and ``at_trade`` on.

    ``price`` is the efficient one in dollars at whole seconds, ``noise`` its volatility per square
    root of a second; ``book`` and ``random`` are the state and are advanced.
    """
    q, k = at_quote, at_trade
    for cell in range(first, last):
        quotes_left, trades_left = n_quotes[cell], n_trades[cell]
        if quotes_left + trades_left == 0:
            continue
        begin = start_ns + cell * _SECOND
        end = begin + _SECOND
        t, seen = begin - 1, begin
        p, p_end = 100.0 * price[cell], 100.0 * price[cell + 1]
        swing = noise[cell] * p * math.sqrt(12.0)
        iso_chance = chance.iso
        if book[OPENED] == 0:
            book[OPENED] = 1
            book[TARGET] = _aim(random, spread)
            book[BID] = max(1, math.floor(p - 0.5 * book[TARGET] + 0.5))
            book[ASK] = book[BID] + book[TARGET]
            book[BID_SIZE], book[ASK_SIZE] = _lots(random, depth), _lots(random, depth)
            t = begin
            quotes.ts[q] = t
            quotes.bid[q], quotes.bid_size[q] = book[BID] / 100.0, book[BID_SIZE]
            quotes.ask[q], quotes.ask_size[q] = book[ASK] / 100.0, book[ASK_SIZE]
            quotes.trade_driven[q], quotes.mid_move[q] = False, 0.0
            quotes.efficient[q] = p / 100.0
            q += 1
            quotes_left -= 1
        while quotes_left + trades_left > 0:
            left = quotes_left + trades_left
            share = -math.expm1(math.log(1.0 - _uniform(random)) / left)
            t = t + 1 + int(share * (end - left - t - 1))
            part = (t - seen) / (end - seen)
            bridge = math.sqrt((end - seen) * 1e-9 * part * (1.0 - part))
            p += part * (p_end - p) + swing * bridge * (_uniform(random) - 0.5)
            seen = t
            bid, ask = book[BID], book[ASK]
            off = p - 0.5 * (bid + ask)
            rest = max(0.3 * (ask - bid), 0.6)
            if abs(off) <= rest:
                book[MOVER] = _NOBODY
            elif book[MOVER] == _NOBODY:
                book[MOVER] = _TAKER if _uniform(random) < chance.trade_moves else _MAKERS
            if trades_left == 0 and book[MOVER] == _TAKER and abs(off) > 4.0 * rest:
                book[MOVER] = _MAKERS
            recentre, answered = False, False
            quote_next = _uniform(random) * left < quotes_left
            if trades_left == 0 or (quote_next and book[MOVER] != _TAKER):
                if book[MOVER] == _MAKERS:
                    recentre = True
                elif book[MOVER] == _TAKER or _uniform(random) < 0.75:
                    if _uniform(random) < 0.5:
                        book[BID_SIZE] = _lots(random, depth)
                    else:
                        book[ASK_SIZE] = _lots(random, depth)
                elif ask - bid == book[TARGET]:
                    book[BID_SIZE] = _lots(random, depth)
                    if _uniform(random) < 0.3:
                        book[TARGET] = _aim(random, spread)
                elif ask - bid > book[TARGET]:  # the side farther from p comes in
                    if off > 0.0:
                        book[BID], book[BID_SIZE] = bid + 1, _lots(random, depth)
                    else:
                        book[ASK], book[ASK_SIZE] = ask - 1, _lots(random, depth)
                elif off > 0.0 or bid == 1:
                    book[ASK], book[ASK_SIZE] = ask + 1, _lots(random, depth)
                else:
                    book[BID], book[BID_SIZE] = bid - 1, _lots(random, depth)
            else:
                iso = _uniform(random) < iso_chance
                iso_chance = chance.new_iso
                kind = _uniform(random)
                place = _AT_QUOTE
                if not iso:
                    if kind < chance.off_book:
                        place = _OFF_BOOK
                    elif kind < chance.off_book + chance.midpoint:
                        place = _MIDPOINT
                    elif kind < chance.off_book + chance.midpoint + chance.improved:
                        place = _IMPROVED
                informed = place == _AT_QUOTE and book[MOVER] == _TAKER
                if informed:
                    side = 1 if off > 0.0 else -1
                else:
                    same = _uniform(random) < chance.persistence
                    side = book[LAST_SIDE] if same else -book[LAST_SIDE]
                    book[LAST_SIDE] = side
                # Prices in hundredths of a cent, so that each is the double nearest its decimal.
                touch = ask if side > 0 else bid
                level = touch
                middle, half = 50 * (bid + ask), 50 * (ask - bid)
                begun = k
                while True:
                    hundredths = 100 * level
                    if place == _MIDPOINT:
                        hundredths = middle
                    elif place == _IMPROVED:
                        hundredths = middle + side * (1 + int(_uniform(random) * (half - 1)))
                    elif place == _OFF_BOOK:
                        hundredths = max(100, int(middle * (0.99 + 0.02 * _uniform(random))))
                    trades.ts[k] = t
                    trades.price[k] = hundredths / 10_000.0
                    u = _uniform(random)
                    if informed:
                        size = book[ASK_SIZE] if side > 0 else book[BID_SIZE]
                    elif u < 0.35:
                        size = 1 + int(u * (99.0 / 0.35))
                    else:
                        size = 100 * (1 + int(6.0 * (u - 0.35) ** 3 * depth))
                    trades.size[k] = size
                    trades.iso[k], trades.eligible[k] = iso, place != _OFF_BOOK
                    trades.side[k], trades.informed[k] = side, informed
                    trades.place[k] = _WALKED if level != touch else place
                    trades.sweep[k] = -1
                    trades.late[k] = _uniform(random) < chance.late
                    k += 1
                    trades_left -= 1
                    if not iso or trades_left == 0 or _uniform(random) >= chance.sweep_continues:
                        break
                    if _uniform(random) < 0.5:
                        level = max(1, level + side)
                    room = end - quotes_left - trades_left - t - 1
                    t += 1 + min(int(10_000.0 * _uniform(random)), room)
                if k - begun > 1:
                    for i in range(begun, k):
                        trades.sweep[i] = book[SWEEPS]
                    book[SWEEPS] += 1
                u = _uniform(random)
                if quotes_left == 0 or not (informed or (place == _AT_QUOTE and u < 0.5)):
                    continue
                answered = True
                if _uniform(random) >= chance.same_ns:
                    wait = int(1e4 * math.exp(6.2 * _uniform(random)))
                    t += 1 + min(wait, end - quotes_left - trades_left - t - 1)
                if informed:
                    recentre = True
                elif side > 0:
                    lots = max(1, book[ASK_SIZE] // 100)
                    book[ASK_SIZE] = 100 * (1 + int(_uniform(random) * lots))
                    book[ASK] = level
                else:
                    lots = max(1, book[BID_SIZE] // 100)
                    book[BID_SIZE] = 100 * (1 + int(_uniform(random) * lots))
                    book[BID] = level
            if recentre:
                if _uniform(random) < 0.3:
                    book[TARGET] = _aim(random, spread)
                book[BID] = max(1, math.floor(p - 0.5 * book[TARGET] + 0.5))
                book[ASK] = book[BID] + book[TARGET]
                if book[BID] != bid:
                    book[BID_SIZE] = _lots(random, depth)
                if book[ASK] != ask:
                    book[ASK_SIZE] = _lots(random, depth)
                book[MOVER] = _NOBODY
            quotes.ts[q] = t
            quotes.bid[q], quotes.bid_size[q] = book[BID] / 100.0, book[BID_SIZE]
            quotes.ask[q], quotes.ask_size[q] = book[ASK] / 100.0, book[ASK_SIZE]
            quotes.trade_driven[q] = answered
            quotes.mid_move[q] = (book[BID] + book[ASK] - bid - ask) / 200.0
            quotes.efficient[q] = p / 100.0
            q += 1
            quotes_left -= 1
