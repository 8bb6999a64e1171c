r"""Who started each trade, the buyer (+1) or the seller (-1)? Quote test, tick test and hybrids.

Let p be a trade's price and b, a the bid and ask in force strictly before it. "Equal" is equal but
for the rounding of decimal prices to binary.

*Quote test*, one of three::

    mid     +1 where p > (a + b)/2,  -1 where p < (a + b)/2,  else unsettled
    touch   +1 where p = a,          -1 where p = b,          else unsettled
    bands   +1 where a - 0.3 (a - b) <= p <= a,  -1 where b <= p <= b + 0.3 (a - b),  else unsettled

*Tick test*: the sign of p less the last DIFFERENT price of the symbol, so a zero tick repeats the
sign of the tick before it; 0 until the price has moved once (Lee and Ready 1991, p. 735). The
reverse tick test is the sign of p less the next different price.

==============  =============  ==========================================================
rule            tests          source
==============  =============  ==========================================================
lee-ready       mid, tick      Lee and Ready 1991, J. Finance 46, 733
quote           mid            as there
tick            tick           as there
emo             touch, tick    Ellis, Michaely and O'Hara 2000, JFQA 35, 529
clnv            bands, tick    Chakrabarty, Li, Nguyen and Van Ness 2007, JBF 31, 3806
reverse-...     reverse tick   Grauer, Schuster and Uhrig-Homburg 2022, SSRN 4098475
==============  =============  ==========================================================

Where both quoted sizes are given, a trade at the mid of an unsettled quote test goes to the larger
ask (+1) or the larger bid (-1) before the tick test: the depth rule of Grauer et al.

A quote with a side missing (NaN or not positive) or crossed (b > a) settles nothing: the quote rule
answers 0, the hybrids go to the tick test. A locked quote (b = a) has a mid but no bid side to tell
from its ask side, so touch and bands leave a trade at it to the tick test.

A reverse rule looks ahead: it has no :func:`step`, and is here to compare with.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.microstructure.signing_kernel import (
    AHEAD,
    BACK,
    BANDS,
    MID,
    NONE,
    TOUCH,
    SignArray,
    bad_price,
    sign_runs,
)

__all__ = ["RULES", "SOURCES", "Memory", "Rule", "SignArray", "Signs", "batch", "fresh", "step"]

SOURCES = ("unsigned", "quote test", "tick test", "depth rule")
"""What settled a sign, in the order of :attr:`Signs.source`."""


class Rule(NamedTuple):
    """A quote test and the tick test for what it leaves."""

    quote: int  # none, mid, touch or bands
    tick: int  # 0 none, +1 the last different price, -1 the next


RULES = {
    "lee-ready": Rule(MID, BACK),
    "tick": Rule(NONE, BACK),
    "quote": Rule(MID, NONE),
    "emo": Rule(TOUCH, BACK),
    "clnv": Rule(BANDS, BACK),
    "reverse-tick": Rule(NONE, AHEAD),
    "reverse-lee-ready": Rule(MID, AHEAD),
    "reverse-emo": Rule(TOUCH, AHEAD),
    "reverse-clnv": Rule(BANDS, AHEAD),
}


class Memory(NamedTuple):
    """What the tick test remembers of each symbol."""

    price: FloatArray  # (n_symbols,) the last trade's, NaN before the first
    direction: SignArray  # (n_symbols,) sign of the last price change, 0 before the first


class Signs(NamedTuple):
    """The sign of each trade and what settled it."""

    sign: SignArray  # (n,) +1 buyer, -1 seller, 0 unsigned
    source: SignArray  # (n,) index into SOURCES


def fresh(n_symbols: int) -> Memory:
    """The memory before the first trade of the day."""
    return Memory(np.full(n_symbols, np.nan), np.zeros(n_symbols, np.int8))


def batch(
    price: FloatArray,
    bid: FloatArray | None = None,
    ask: FloatArray | None = None,
    start: IntArray | None = None,
    *,
    rule: str = "lee-ready",
    bid_size: FloatArray | None = None,
    ask_size: FloatArray | None = None,
) -> Signs:
    """Sign of every trade, +1 buyer, -1 seller, 0 unsigned, and what settled it.

    Arrays of shape ``(n,)``: ``price`` in dollars, above 0; ``bid`` and ``ask`` in force strictly
    before each trade, 0 or NaN where there is none, not needed by the tick rules. ``start``
    ``(n_symbols + 1,)`` holds the first row of each symbol and then n; without it all rows are of
    one symbol. Both sizes, in shares, or none.

    >>> batch([10.02, 10.01, 10.01], [10.0] * 3, [10.02] * 3).sign.tolist()
    [1, -1, -1]
    """
    price = _numbers(price, "price", np.shape(price))
    start = np.array([0, price.size]) if start is None else _starts(start, price.size)
    symbols, memory = np.arange(start.size - 1), fresh(start.size - 1)
    return _signs(memory, price, bid, ask, start, symbols, _rule(rule), bid_size, ask_size)


def step(
    memory: Memory,
    price: FloatArray,
    bid: FloatArray | None = None,
    ask: FloatArray | None = None,
    start: IntArray | None = None,
    symbols: IntArray | None = None,
    *,
    rule: str = "lee-ready",
    bid_size: FloatArray | None = None,
    ask_size: FloatArray | None = None,
) -> tuple[Memory, Signs]:
    """The memory and signs after some more trades: :func:`batch` in pieces, bit for bit.

    Rows ``start[g]`` to ``start[g + 1]`` are of the symbol ``symbols[g]``, an index into the
    memory; a symbol may come again, so a chunk ordered by time alone is runs of one row and more.
    Without ``start`` every row is such a run. The reverse rules look ahead and are refused.
    """
    chosen = _rule(rule)
    if chosen.tick == AHEAD:
        raise InputError("a rule that looks only back (a reverse rule has no step)", met=rule)
    price = _numbers(price, "price", np.shape(price))
    start = np.arange(price.size + 1) if start is None else _starts(start, price.size)
    n_symbols = memory.price.size
    if memory.direction.shape != (n_symbols,):
        raise InputError("a memory of one price and direction a symbol", met=memory)
    symbols = np.arange(n_symbols) if symbols is None else np.ascontiguousarray(symbols, np.int64)
    if symbols.shape != (start.size - 1,):
        raise InputError("a symbol for each run", met=(symbols.shape, start.size - 1))
    strange = np.flatnonzero((symbols < 0) | (symbols >= n_symbols))
    if strange.size:
        raise InputError(
            f"a symbol from 0 to {n_symbols - 1}",
            met=int(symbols[strange[0]]),
            row=int(start[strange[0]]) + 1,
        )
    after = Memory(np.array(memory.price, np.float64), np.array(memory.direction, np.int8))
    return after, _signs(after, price, bid, ask, start, symbols, chosen, bid_size, ask_size)


def _signs(
    memory: Memory,
    price: FloatArray,
    bid: FloatArray | None,
    ask: FloatArray | None,
    start: IntArray,
    symbols: IntArray,
    rule: Rule,
    bid_size: FloatArray | None,
    ask_size: FloatArray | None,
) -> Signs:
    """Check, then sign; ``memory`` is moved on in place."""
    row = bad_price(_read_only(price))
    if row >= 0:
        raise InputError("a finite price > 0", met=float(price[row]), row=row + 1, column="price")
    # What a rule does not read is the price again: the kernel is compiled for one kind of call.
    quotes, sizes = (price, price), (price, price)
    if rule.quote != NONE:
        if bid is None or ask is None:
            raise InputError("a bid and an ask, which this rule reads", met="none")
        quotes = (_numbers(bid, "bid", price.shape), _numbers(ask, "ask", price.shape))
    depth = bid_size is not None or ask_size is not None
    if depth:
        if bid_size is None or ask_size is None or rule.quote == NONE:
            raise InputError("both sizes, for a rule with a quote test, or neither", met="sizes")
        sizes = (
            _numbers(bid_size, "bid_size", price.shape),
            _numbers(ask_size, "ask_size", price.shape),
        )
    signs = Signs(np.empty(price.size, np.int8), np.empty(price.size, np.int8))
    sign_runs(
        rule.quote,
        rule.tick,
        depth,
        _read_only(start),
        _read_only(symbols),
        _read_only(price),
        _read_only(quotes[0]),
        _read_only(quotes[1]),
        _read_only(sizes[0]),
        _read_only(sizes[1]),
        memory.price,
        memory.direction,
        signs.sign,
        signs.source,
    )
    return signs


_Values = TypeVar("_Values", bound=np.ndarray[Any, Any])


def _read_only(values: _Values) -> _Values:
    """A view nobody writes through, so that the kernel is compiled for one kind of array."""
    view = values.view()
    view.flags.writeable = False
    return view


def _numbers(values: FloatArray, column: str, shape: tuple[int, ...]) -> FloatArray:
    values = np.ascontiguousarray(values, np.float64)
    if values.ndim != 1 or values.shape != shape:
        wanted = "values of shape (n,), one a trade"
        raise InputError(wanted, met=(values.shape, shape), column=column)
    return values


def _starts(start: IntArray, n: int) -> IntArray:
    start = np.ascontiguousarray(start, np.int64)
    whole = start.ndim == 1 and start.size > 0 and start[0] == 0 and start[-1] == n
    if not whole or (np.diff(start) < 0).any():
        raise InputError(f"first rows of the groups, from 0 to {n}, not falling", met=start)
    return start


def _rule(name: str) -> Rule:
    if name not in RULES:
        raise InputError(f"a rule among {', '.join(RULES)}", met=name)
    return RULES[name]
