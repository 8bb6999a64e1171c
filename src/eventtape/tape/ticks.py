"""A day of ticks as arrays: quotes and trades of many symbols, grouped by symbol, checked once.

A tick frame may be ordered by symbol and then time (a vendor's flat file) or by time alone (a
stream); within a symbol, times must not fall. What comes out is grouped: the rows of group g are
``start[g]`` to ``start[g + 1]``, all of symbol ``names[g]``, in their old order; the symbols are in
the order they first appear. A frame already grouped is not copied.

Checked on the way, at memory speed: types, times that fall, prices and sizes that are negative, not
finite, or zero where a trade or a quoted side must have one. The error names the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import polars as pl
from numba import njit

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.clock import format_ns
from eventtape.errors import InputError
from eventtape.tape.feed import times_ns
from eventtape.tape.records import EQUITY_TRADE, QUOTE, TIME, Record
from eventtape.tape.tick_groups import Groups, group_ends, group_order, group_rows, grouped
from eventtape.threads import run_groups

__all__ = ["QuoteTicks", "TradeTicks", "group_ends", "quote_ticks", "spans_of", "trade_ticks"]


class QuoteTicks(NamedTuple):
    """Top-of-book quotes grouped by symbol; a side nobody quotes has price 0 and size 0."""

    names: tuple[str, ...]  # (n_groups,)
    start: IntArray  # (n_groups + 1,) first row of each group, then the number of rows
    ts: IntArray  # (n,) ns UTC
    bid: FloatArray  # (n,) dollars
    bid_size: FloatArray  # (n,) shares
    ask: FloatArray  # (n,) dollars
    ask_size: FloatArray  # (n,) shares
    order: IntArray | None  # (n,) row of the frame each came from; None where nothing moved


class TradeTicks(NamedTuple):
    """Trades grouped by symbol."""

    names: tuple[str, ...]  # (n_groups,)
    start: IntArray  # (n_groups + 1,)
    ts: IntArray  # (n,) ns UTC
    price: FloatArray  # (n,) dollars
    size: FloatArray  # (n,) shares
    iso: BoolArray  # (n,)
    eligible: BoolArray  # (n,)
    order: IntArray | None  # (n,) row of the frame each came from; None where nothing moved


class _Place(NamedTuple):
    """Where the frame's rows stand for the reader: in which file, after how many others."""

    file: str | None
    first_row: int


def quote_ticks(
    frame: pl.DataFrame,
    *,
    file: str | None = None,
    first_row: int = 0,
    threads: int | None = 1,
) -> QuoteTicks:
    """The arrays of a quotes frame, grouped and checked; ``first_row`` is added to rows in errors.

    ``symbol`` may be String, Categorical or Enum. Raises :class:`InputError` naming file, row
    (1-based), column, the value met and the one wanted.
    """
    place = _Place(file, first_row)
    groups = _groups(frame, QUOTE, place)
    names, start, order = groups.names, groups.start, group_order(groups)
    ts = grouped(_times(frame, place), groups)
    bid, bid_size, ask, ask_size = (
        grouped(_numbers(frame, name, place), groups)
        for name in ("bid", "bid_size", "ask", "ask_size")
    )
    blocks = np.full(-(-ts.size // _BLOCK), _BLOCK)

    def first_bad(low: int, high: int) -> int:
        return _bad_quotes(start, ts, bid, bid_size, ask, ask_size, low * _BLOCK, high * _BLOCK)

    low = min(run_groups(first_bad, blocks, threads))
    if low < ts.size:
        values = {"bid": bid, "bid_size": bid_size, "ask": ask, "ask_size": ask_size}
        _refuse(low, start, ts, values, _QUOTE_RULES, order, place)
    return QuoteTicks(names, start, ts, bid, bid_size, ask, ask_size, order)


def trade_ticks(frame: pl.DataFrame, *, file: str | None = None, first_row: int = 0) -> TradeTicks:
    """The arrays of a trades frame, grouped and checked, as :func:`quote_ticks` does."""
    place = _Place(file, first_row)
    groups = _groups(frame, EQUITY_TRADE, place)
    names, start, order = groups.names, groups.start, group_order(groups)
    ts = grouped(_times(frame, place), groups)
    price, size = (grouped(_numbers(frame, name, place), groups) for name in ("price", "size"))
    iso, eligible = (grouped(_flags(frame, name, place), groups) for name in ("iso", "eligible"))
    low = _bad_trades(start, ts, price, size)
    if low < ts.size:
        values = {"price": price, "size": size}
        _refuse(low, start, ts, values, _TRADE_RULES, order, place)
    return TradeTicks(names, start, ts, price, size, iso, eligible, order)


def spans_of(names: tuple[str, ...], start: IntArray, wanted: Iterable[str]) -> IntArray:
    """First and end row of each wanted name, ``(n, 2)``; an empty span where it has none."""
    at = {name: (start[g], start[g + 1]) for g, name in enumerate(names)}
    return np.array([at.get(name, (0, 0)) for name in wanted], np.int64).reshape(-1, 2)


def _groups(frame: pl.DataFrame, record: Record, place: _Place) -> Groups:
    missing = [name for name in record.columns if name not in frame.columns]
    if missing:
        wanted = f"the column(s) {', '.join(missing)} of a {record.name}"
        raise InputError(wanted, met=frame.columns, file=place.file, column=missing[0])
    symbol = frame["symbol"]
    if not isinstance(symbol.dtype, pl.String | pl.Categorical | pl.Enum):
        raise _type_fault("symbols as text", symbol, place)
    _whole(symbol, place)
    return group_rows(symbol)


def _times(frame: pl.DataFrame, place: _Place) -> IntArray:
    if frame["ts"].dtype != TIME:
        raise _type_fault(f"values of type {TIME}", frame["ts"], place)
    _whole(frame["ts"], place)
    return times_ns(frame)


def _numbers(frame: pl.DataFrame, name: str, place: _Place) -> FloatArray:
    values = frame[name]
    if not values.dtype.is_numeric():
        raise _type_fault("values of type Float64", values, place)
    if values.dtype == pl.Float32 and not name.endswith("size"):
        # Seven digits: a trade at the ask would be beside it, and one at the mid on some side.
        raise _type_fault("prices of type Float64 (rounded to their decimals first)", values, place)
    _whole(values, place)
    return values.cast(pl.Float64).to_numpy()


def _flags(frame: pl.DataFrame, name: str, place: _Place) -> BoolArray:
    values = frame[name]
    if values.dtype != pl.Boolean:
        raise _type_fault("values of type Boolean", values, place)
    _whole(values, place)
    return values.to_numpy()


def _type_fault(wanted: str, values: pl.Series, place: _Place) -> InputError:
    return InputError(wanted, met=str(values.dtype), file=place.file, column=values.name)


def _whole(values: pl.Series, place: _Place) -> None:
    if values.null_count():
        wanted = "a symbol" if values.name == "symbol" else "a value"
        row = int(values.is_null().arg_true()[0])
        at = place.first_row + row + 1
        raise InputError(wanted, met=None, file=place.file, row=at, column=values.name)


class _Rule(NamedTuple):
    """What a row must keep: the column an error names, the words, and where a slice breaks it."""

    column: str
    wanted: str
    broken: Callable[[dict[str, FloatArray]], BoolArray]


def _not_from_zero(name: str) -> Callable[[dict[str, FloatArray]], BoolArray]:
    return lambda rows: ~((rows[name] >= 0.0) & (rows[name] < np.inf))


def _not_above_zero(name: str) -> Callable[[dict[str, FloatArray]], BoolArray]:
    return lambda rows: ~((rows[name] > 0.0) & (rows[name] < np.inf))


_QUOTE_RULES = (
    _Rule("bid", "a finite price >= 0 (0 where nobody bids)", _not_from_zero("bid")),
    _Rule("bid_size", "a finite size >= 0", _not_from_zero("bid_size")),
    _Rule("ask", "a finite price >= 0 (0 where nobody offers)", _not_from_zero("ask")),
    _Rule("ask_size", "a finite size >= 0", _not_from_zero("ask_size")),
    _Rule(
        "bid_size",
        "a size > 0 where there is a bid, and 0 where there is none",
        lambda rows: (rows["bid"] > 0.0) != (rows["bid_size"] > 0.0),
    ),
    _Rule(
        "ask_size",
        "a size > 0 where there is an ask, and 0 where there is none",
        lambda rows: (rows["ask"] > 0.0) != (rows["ask_size"] > 0.0),
    ),
)
_TRADE_RULES = (
    _Rule("price", "a finite price > 0", _not_above_zero("price")),
    _Rule("size", "a finite size > 0", _not_above_zero("size")),
)
_BLOCK = 2048


def _refuse(
    low: int,
    start: IntArray,
    ts: IntArray,
    values: dict[str, FloatArray],
    rules: tuple[_Rule, ...],
    order: IntArray | None,
    place: _Place,
) -> None:
    """Raise for the first fault in the block that begins at row ``low``."""

    def fault(at: int, column: str, wanted: str, met: object) -> InputError:
        row = place.first_row + (at if order is None else int(order[at])) + 1
        return InputError(wanted, met=met, file=place.file, row=row, column=column)

    high = min(low + _BLOCK, ts.size)
    falls = np.zeros(high - low, np.bool_)
    inside = np.arange(max(low, 1), high)
    inside = inside[~np.isin(inside, start)]
    falls[inside - low] = ts[inside] < ts[inside - 1]
    slices = {name: column[low:high] for name, column in values.items()}
    broken = [falls, *(rule.broken(slices) for rule in rules)]
    row = int(np.argmax(np.any(broken, axis=0)))
    which = [bool(mask[row]) for mask in broken].index(True)
    at = low + row
    if which == 0:
        before, now = int(ts[at - 1]), int(ts[at])
        met = f"{now} ns ({format_ns(now)}) after {before} ns"
        raise fault(at, "ts", "times that do not fall within each symbol", met)
    rule = rules[which - 1]
    raise fault(at, rule.column, rule.wanted, float(values[rule.column][at]))


@njit(cache=True, nogil=True)
def _bad_quotes(
    start: IntArray,
    ts: IntArray,
    bid: FloatArray,
    bid_size: FloatArray,
    ask: FloatArray,
    ask_size: FloatArray,
    first: int,
    end: int,
) -> int:
    """First row of the first block with a fault among the rows ``first`` to ``end``, else n.

    No branch inside a block, and slices rather than offsets: the compiler then checks eight rows
    at a time (at the speed of memory), which it gives up for indexes that might be negative.
    """
    for low in range(first, min(end, ts.size), _BLOCK):
        b, a = bid[low : low + _BLOCK], ask[low : low + _BLOCK]
        p, q = bid_size[low : low + _BLOCK], ask_size[low : low + _BLOCK]
        bad = 0
        for i in range(b.size):
            w, x, y, z = b[i], a[i], p[i], q[i]
            fine = (w >= 0.0) & (w < np.inf) & (x >= 0.0) & (x < np.inf)
            fine &= (y >= 0.0) & (y < np.inf) & (z >= 0.0) & (z < np.inf)
            fine &= ((w > 0.0) == (y > 0.0)) & ((x > 0.0) == (z > 0.0))
            bad += not fine
        if bad > 0 or _falls(start, ts, low) > 0:
            return low
    return ts.size


@njit(cache=True, nogil=True)
def _bad_trades(start: IntArray, ts: IntArray, price: FloatArray, size: FloatArray) -> int:
    """First row of the first block with a fault, else n."""
    for low in range(0, ts.size, _BLOCK):
        p, q = price[low : low + _BLOCK], size[low : low + _BLOCK]
        bad = 0
        for i in range(p.size):
            bad += not ((p[i] > 0.0) & (p[i] < np.inf) & (q[i] > 0.0) & (q[i] < np.inf))
        if bad > 0 or _falls(start, ts, low) > 0:
            return low
    return ts.size


@njit(cache=True, nogil=True)
def _falls(start: IntArray, ts: IntArray, low: int) -> int:
    """How often time falls inside a group, in the block from ``low`` on."""
    first = max(low - 1, 0)
    then, now = ts[first : low + _BLOCK], ts[first + 1 : low + _BLOCK]
    falls = 0
    for i in range(now.size):
        falls += now[i] < then[i]
    if falls > 0:  # it may fall from one group to the next
        for g in range(1, start.size - 1):
            if first < start[g] < first + then.size and start[g] > start[g - 1]:
                falls -= ts[start[g]] < ts[start[g] - 1]
    return falls
