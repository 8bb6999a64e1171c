"""Faults planted in a simulated day: exactly as many as asked for, each known row by row.

A fault changes a row in place, so the numbers of rows stay. Faulty rows are at least three apart,
and never the first of their second, so that the row before each is sound and in the same batch. The
truth beside a faulty row is that of the sound row it was made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventtape.arrays import BoolArray, IntArray
from eventtape.errors import InputError
from eventtape.simulate.taq_kernel import QuoteRows, TradeRows
from eventtape.simulate.taq_market import Blemishes, largest_remainders

__all__ = ["FAULTS", "Faults", "plant", "spoil_quotes", "spoil_trades"]

FAULTS = ("none", "locked", "crossed", "one_sided", "duplicates", "backward", "absurd")
_OF_QUOTES, _OF_TRADES = FAULTS[1:], FAULTS[4:]
_BACK_NS = 1_000_000


class Faults(NamedTuple):
    """The faulty rows of one symbol, in order, and what is wrong with each."""

    rows: IntArray  # (n_faults,) counted within the symbol from 0
    kind: NDArray[np.uint8]  # (n_faults,) index into FAULTS


def plant(
    blemishes: Blemishes, counts: Sequence[IntArray], rng: np.random.Generator, *, trades: bool
) -> list[Faults]:
    """Where the faults of each symbol are, from its rows in each second ``(seconds,)``."""
    kinds = _OF_TRADES if trades else _OF_QUOTES
    wanted = [FAULTS.index(kind) for kind in kinds for _ in range(getattr(blemishes, kind))]
    places = [_places(count) for count in counts] if wanted else []
    room = np.array([place.size for place in places], np.float64)
    if wanted and len(wanted) > room.sum():
        met, what = len(wanted), "trades" if trades else "quotes"
        raise InputError(f"at most {room.sum():.0f} faults in so few {what}", met=met)
    if not wanted:
        return [Faults(np.empty(0, np.int64), np.empty(0, np.uint8)) for _ in counts]
    dealt = rng.permutation(np.array(wanted, np.uint8))
    ends = np.cumsum(largest_remainders(len(wanted), room))
    return [
        Faults(np.sort(rng.choice(place, kind.size, replace=False)), kind)
        for place, kind in zip(places, np.split(dealt, ends[:-1]), strict=True)
    ]


def _places(count: IntArray) -> IntArray:
    ends = np.cumsum(count)
    sound = np.arange(int(ends[-1])) % 3 == 1
    sound[(ends - count)[count > 0]] = False
    return np.flatnonzero(sound)


def _found(faults: Faults, first: int, n: int) -> tuple[IntArray, NDArray[np.uint8]]:
    """Faults of the symbol's rows ``first`` to ``first + n``, counted from that first one."""
    low, high = np.searchsorted(faults.rows, [first, first + n])
    return faults.rows[low:high] - first, faults.kind[low:high]


def _of(kind: NDArray[np.uint8], name: str) -> BoolArray:
    chosen: BoolArray = kind == FAULTS.index(name)
    return chosen


def spoil_quotes(rows: QuoteRows, faults: Faults, first: int, key: IntArray) -> NDArray[np.uint8]:
    """Put the faults into the quotes, in place; return what is wrong with each row.

    ``key`` is what the rows are merged by: it stays sound where a stamp goes back.
    """
    at, kind = _found(faults, first, rows.ts.size)
    fault = np.zeros(rows.ts.size, np.uint8)
    fault[at] = kind
    i = at[_of(kind, "locked")]
    rows.bid[i] = rows.ask[i]
    i = at[_of(kind, "crossed")]
    rows.bid[i] = (np.rint(100.0 * rows.ask[i]) + 1.0) / 100.0
    i = at[_of(kind, "one_sided")]
    for side, j in (("bid", i[(first + i) % 2 == 0]), ("ask", i[(first + i) % 2 == 1])):
        getattr(rows, side)[j] = 0.0
        getattr(rows, f"{side}_size")[j] = 0.0
    i = at[_of(kind, "duplicates")]
    for column in (rows.ts, rows.bid, rows.bid_size, rows.ask, rows.ask_size):
        column[i] = column[i - 1]
    key[i] = key[i - 1]
    i = at[_of(kind, "backward")]
    rows.ts[i] = rows.ts[i - 1] - _BACK_NS
    i = at[_of(kind, "absurd")]
    rows.ask[i] = np.rint(1_000.0 * rows.ask[i]) / 100.0
    return fault


def spoil_trades(rows: TradeRows, faults: Faults, first: int, key: IntArray) -> NDArray[np.uint8]:
    """Put the faults into the trades, in place, as :func:`spoil_quotes`."""
    at, kind = _found(faults, first, rows.ts.size)
    fault = np.zeros(rows.ts.size, np.uint8)
    fault[at] = kind
    i = at[_of(kind, "duplicates")]
    for column in rows:
        column[i] = column[i - 1]
    key[i] = key[i - 1]
    i = at[_of(kind, "backward")]
    rows.ts[i] = rows.ts[i - 1] - _BACK_NS
    i = at[_of(kind, "absurd")]
    rows.price[i] = np.rint(100_000.0 * rows.price[i]) / 10_000.0
    return fault
