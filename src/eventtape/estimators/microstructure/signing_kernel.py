"""The tests of :mod:`eventtape.estimators.microstructure.signing`, a trade at a time and in blocks.

The formulas come first, for one trade; what follows runs them over the trades of many symbols.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from eventtape.arrays import FloatArray, IntArray

__all__ = ["AHEAD", "BACK", "BANDS", "MID", "NONE", "TOUCH", "SignArray", "bad_price", "sign_runs"]

SignArray = NDArray[np.int8]

NONE, MID, TOUCH, BANDS = 0, 1, 2, 3  # quote tests
BACK, AHEAD = 1, -1  # tick tests: against the last different price, the next one; NONE for none

# While a block is worked on, sign and source live in one byte: +-1 the quote test, +-2 the tick
# test, +-3 the depth rule.
_TICK, _DEPTH = np.int8(2), np.int8(3)
_BLOCK = 2048  # rows whose columns stay in a cache next to the core while the tests go over them
_SHORT = 16  # rows below which blocks cost more than they save
# A decimal price is off by half a last bit, so 2p, a + b and their difference by less than four
# last bits of p. Compared bit for bit, one in four trades at the mid of a cent grid is not at it.
_ROUNDING = 4.0 * 2.0**-52


@njit(cache=True, nogil=True)
def _quote_test(quote: int, p: float, b: float, a: float) -> np.int8:
    rounding = _ROUNDING * p
    below, above = a - p, p - b
    if quote == MID:
        up, down = above - below > rounding, below - above > rounding
    elif quote == TOUCH:
        up, down = abs(below) <= rounding, abs(above) <= rounding
    elif quote == BANDS:
        width = 0.3 * (a - b) + rounding
        up = (below >= -rounding) & (below <= width)
        down = (above >= -rounding) & (above <= width)
    else:
        up, down = False, False
    quoted = (b > 0.0) & (a >= b) & (a < np.inf)
    return np.int8(quoted & up) - np.int8(quoted & down)


@njit(cache=True, nogil=True)
def _depth_rule(p: float, b: float, a: float, bid_size: float, ask_size: float) -> np.int8:
    quoted = (b > 0.0) & (a >= b) & (a < np.inf)
    at_mid = quoted & (abs((p - b) - (a - p)) <= _ROUNDING * p)
    return np.int8(at_mid & (ask_size > bid_size)) - np.int8(at_mid & (ask_size < bid_size))


@njit(cache=True, nogil=True)
def _tick_test(p: float, other: float) -> np.int8:
    return np.int8(p > other) - np.int8(p < other)


@njit(cache=True, nogil=True)
def sign_runs(
    quote: int,
    tick: int,
    depth: bool,
    start: IntArray,
    symbols: IntArray,
    price: FloatArray,
    bid: FloatArray,
    ask: FloatArray,
    bid_size: FloatArray,
    ask_size: FloatArray,
    last: FloatArray,
    direction: SignArray,
    sign: SignArray,
    source: SignArray,
) -> None:
    """Fill ``sign`` and ``source``, and move the memory ``last`` and ``direction`` on.

    Rows ``start[g]`` to ``start[g + 1]`` are of symbol ``symbols[g]``. Bid and ask are read where
    there is a quote test, sizes where ``depth``. A reverse rule goes from the end of a run.
    """
    for g in range(start.size - 1):
        first, end, symbol = start[g], start[g + 1], symbols[g]
        if end - first < _SHORT and tick != AHEAD:
            for i in range(first, end):
                settled = _quote_test(quote, price[i], bid[i], ask[i])
                if depth and settled == 0:
                    more = _depth_rule(price[i], bid[i], ask[i], bid_size[i], ask_size[i])
                    settled = np.int8(_DEPTH * more)
                if tick == BACK:
                    settled = _remember(price[i], settled, symbol, last, direction)
                sign[i], source[i] = np.int8(settled > 0) - np.int8(settled < 0), abs(settled)
            continue
        n_blocks = (end - first + _BLOCK - 1) // _BLOCK
        edge, carried = last[symbol], np.int8(_TICK * direction[symbol])
        for block in range(n_blocks):
            low = first + _BLOCK * (block if tick != AHEAD else n_blocks - 1 - block)
            high = min(end, low + _BLOCK)
            p, b, a = price[low:high], bid[low:high], ask[low:high]
            _quote_tests(quote, p, b, a, sign[low:high])
            if depth:
                _depth_rules(p, b, a, bid_size[low:high], ask_size[low:high], sign[low:high])
            if tick != NONE:
                carried = _tick_tests(tick, p, edge, carried, sign[low:high], source[low:high])
                edge = p[-1] if tick == BACK else p[0]
            _split(sign[low:high], source[low:high])
        if tick == BACK:
            last[symbol], direction[symbol] = edge, np.int8(carried // _TICK)


@njit(cache=True, nogil=True)
def _remember(
    p: float, settled: np.int8, symbol: int, last: FloatArray, direction: SignArray
) -> np.int8:
    """Move the symbol's memory on by one trade; the trade's tick where it is not settled."""
    tick = _tick_test(p, last[symbol])
    direction[symbol] = tick if tick != 0 else direction[symbol]
    last[symbol] = p
    return settled if settled != 0 else np.int8(_TICK * direction[symbol])


@njit(cache=True, nogil=True)
def bad_price(price: FloatArray) -> int:
    """The first row whose price is not finite or not above 0, else -1."""
    for low in range(0, price.size, _BLOCK):
        p = price[low : low + _BLOCK]
        bad = False
        for i in range(p.size):
            bad |= not (p[i] > 0.0) & (p[i] < np.inf)
        if bad:
            for i in range(p.size):
                if not 0.0 < p[i] < np.inf:
                    return low + i
    return -1


# A loop without a branch over a few arrays of its own is one the compiler makes into vectors; so
# the tests of a block are a function each, and the rule is constant in the loop.


@njit(cache=True, nogil=True)
def _quote_tests(quote: int, p: FloatArray, b: FloatArray, a: FloatArray, out: SignArray) -> None:
    if quote == MID:
        for i in range(p.size):
            out[i] = _quote_test(MID, p[i], b[i], a[i])
    elif quote == TOUCH:
        for i in range(p.size):
            out[i] = _quote_test(TOUCH, p[i], b[i], a[i])
    elif quote == BANDS:
        for i in range(p.size):
            out[i] = _quote_test(BANDS, p[i], b[i], a[i])
    else:
        out[:] = 0


@njit(cache=True, nogil=True)
def _depth_rules(
    p: FloatArray,
    b: FloatArray,
    a: FloatArray,
    bid_size: FloatArray,
    ask_size: FloatArray,
    settled: SignArray,
) -> None:
    for i in range(p.size):
        more = _depth_rule(p[i], b[i], a[i], bid_size[i], ask_size[i])
        settled[i] = settled[i] if settled[i] != 0 else np.int8(_DEPTH * more)


@njit(cache=True, nogil=True)
def _tick_tests(
    tick: int,
    p: FloatArray,
    edge: float,
    carried: np.int8,
    settled: SignArray,
    ticks: SignArray,
) -> np.int8:
    """Settle by tick what is not; ``edge`` is the price beside the block, returned the last tick.

    Comparing is for vectors; only the carrying of zero ticks goes row by row, over bytes.
    """
    end = p.size - 1
    if tick == BACK:
        ticks[0] = _TICK * _tick_test(p[0], edge)
        _ticks(p[1:], p[:-1], ticks[1:])
        return _carry(settled, ticks, carried)
    ticks[end] = _TICK * _tick_test(p[end], edge)
    _ticks(p[:-1], p[1:], ticks[:-1])
    return _carry(settled[::-1], ticks[::-1], carried)


@njit(cache=True, nogil=True)
def _ticks(p: FloatArray, other: FloatArray, out: SignArray) -> None:
    for i in range(p.size):
        out[i] = _TICK * _tick_test(p[i], other[i])


@njit(cache=True, nogil=True)
def _carry(settled: SignArray, ticks: SignArray, carried: np.int8) -> np.int8:
    for i in range(ticks.size):
        carried = ticks[i] if ticks[i] != 0 else carried
        settled[i] = settled[i] if settled[i] != 0 else carried
    return carried


@njit(cache=True, nogil=True)
def _split(sign: SignArray, source: SignArray) -> None:
    for i in range(sign.size):
        settled = sign[i]
        source[i] = abs(settled)
        sign[i] = np.int8(settled > 0) - np.int8(settled < 0)
