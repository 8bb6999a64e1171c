"""Does each chunk of a stream go on where its symbols were left?

A stream's answers are final once given, so of one symbol no event of a later chunk may be older
than one of an earlier chunk; and since a quote counts as coming after the trades of its own time, a
trade must not come in a later chunk than such a quote. What breaks this is refused by name and row:
silently, it would be another number than the same ticks give in one piece.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eventtape.arrays import IntArray
from eventtape.clock import format_ns
from eventtape.errors import InputError
from eventtape.tape.ticks import QuoteTicks, TradeTicks

__all__ = ["Reached", "all_at", "forward", "start"]

_NEVER = np.iinfo(np.int64).min // 2


class Reached(NamedTuple):
    """Time of the last quote and trade of each symbol, ns; long ago where there was none."""

    quote: IntArray  # (n_symbols,)
    trade: IntArray  # (n_symbols,)


def start(n_symbols: int) -> Reached:
    """Before any event."""
    return Reached(np.full(n_symbols, _NEVER), np.full(n_symbols, _NEVER))


def forward(
    reached: Reached,
    quotes: tuple[QuoteTicks, IntArray, int],
    trades: tuple[TradeTicks, IntArray, int] | None = None,
) -> Reached:
    """Where each symbol is after a chunk of quotes and trades; a step back is an InputError.

    Each side comes with the number in ``reached`` of each of its groups, and with how many rows
    earlier chunks had, which count in the row an error names.
    """
    after = Reached(reached.quote.copy(), reached.trade.copy())
    both = np.maximum(reached.quote, reached.trade)
    _move(after.quote, *quotes, both, "quote")
    if trades is not None:
        floor = np.maximum(reached.trade, reached.quote + 1)
        _move(after.trade, *trades, floor, "trade")
    return after


def all_at(reached: Reached, ns: int) -> Reached:
    """Every symbol brought to the time a whole stream has reached: nothing before it may come."""
    return Reached(np.maximum(reached.quote, ns - 1), np.maximum(reached.trade, ns))


def _move(
    reached: IntArray,
    ticks: QuoteTicks | TradeTicks,
    symbol: IntArray,
    first_row: int,
    floor: IntArray,
    what: str,
) -> None:
    head = ticks.ts[ticks.start[:-1]]
    late = np.flatnonzero(head < floor[symbol])
    if late.size:
        g = int(late[0])
        row, ns, wanted = int(ticks.start[g]), int(head[g]), int(floor[symbol[g]])
        at = first_row + (row if ticks.order is None else int(ticks.order[row])) + 1
        raise InputError(
            f"a {what} of {ticks.names[g]} at or after {wanted} ns, where earlier chunks ended",
            met=f"{ns} ns ({format_ns(ns)})",
            row=at,
            column="ts",
        )
    reached[symbol] = ticks.ts[ticks.start[1:] - 1]
