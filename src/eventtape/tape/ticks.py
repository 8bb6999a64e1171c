"""A day of ticks as arrays: quotes and trades of many symbols, grouped by symbol, checked once.

A tick frame may be ordered by symbol and then time (a vendor's flat file) or by time alone (a
stream); within a symbol, times must not fall. What comes out is grouped: the rows of group g are
``start[g]`` to ``start[g + 1]``, all of symbol ``names[g]``, in their old order. A frame already
grouped is not copied.

Checked on the way, at memory speed: types, times that fall, prices and sizes that are negative, not
finite, or zero where a trade or a quoted side must have one. The error names the row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
import polars as pl
from numba import njit

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.clock import format_ns
from eventtape.errors import InputError
from eventtape.tape.feed import times_ns
from eventtape.tape.records import EQUITY_TRADE, QUOTE, Record
from eventtape.threads import run_groups

__all__ = ["QuoteTicks", "TradeTicks", "group_ends", "quote_ticks", "trade_ticks"]


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
    names, start, order = _groups(frame, QUOTE, file)
    ts = _column(times_ns(frame), order)
    bid, bid_size, ask, ask_size = (
        _column(_numbers(frame, name, file), order)
        for name in ("bid", "bid_size", "ask", "ask_size")
    )
    blocks = np.full(-(-ts.size // _BLOCK), _BLOCK)

    def first_bad(low: int, high: int) -> int:
        return _bad_quotes(start, ts, bid, bid_size, ask, ask_size, low * _BLOCK, high * _BLOCK)

    low = min(run_groups(first_bad, blocks, threads))
    if low < ts.size:
        values = {"bid": bid, "bid_size": bid_size, "ask": ask, "ask_size": ask_size}
        _refuse(low, start, ts, values, _QUOTE_RULES, _Place(order, file, first_row))
    return QuoteTicks(names, start, ts, bid, bid_size, ask, ask_size, order)


def trade_ticks(frame: pl.DataFrame, *, file: str | None = None, first_row: int = 0) -> TradeTicks:
    """The arrays of a trades frame, grouped and checked, as :func:`quote_ticks` does."""
    names, start, order = _groups(frame, EQUITY_TRADE, file)
    ts = _column(times_ns(frame), order)
    price, size = (_column(_numbers(frame, name, file), order) for name in ("price", "size"))
    iso, eligible = (_column(_flags(frame, name, file), order) for name in ("iso", "eligible"))
    low = _bad_trades(start, ts, price, size)
    if low < ts.size:
        values = {"price": price, "size": size}
        _refuse(low, start, ts, values, _TRADE_RULES, _Place(order, file, first_row))
    return TradeTicks(names, start, ts, price, size, iso, eligible, order)


def group_ends(symbol: pl.Series) -> IntArray:
    """First row of each run of equal symbols, then the number of rows, int64 ``(n_runs + 1,)``.

    >>> group_ends(pl.Series(["A", "A", "B"])).tolist()
    [0, 2, 3]
    """
    if symbol.is_empty():
        return np.zeros(1, np.int64)
    if symbol.dtype == pl.String:
        changes = (symbol != symbol.shift(1)).fill_null(value=True).arg_true().to_numpy()
    else:
        codes = symbol.to_physical().to_numpy()
        changes = np.flatnonzero(codes[1:] != codes[:-1]) + 1
        changes = np.r_[0, changes]
    ends: IntArray = np.r_[changes, len(symbol)].astype(np.int64)
    return ends


def _groups(
    frame: pl.DataFrame, record: Record, file: str | None
) -> tuple[tuple[str, ...], IntArray, IntArray | None]:
    missing = [name for name in record.columns if name not in frame.columns]
    if missing:
        wanted = f"the column(s) {', '.join(missing)} of a {record.name}"
        raise InputError(wanted, met=frame.columns, file=file, column=missing[0])
    symbol = frame["symbol"]
    if not isinstance(symbol.dtype, pl.String | pl.Categorical | pl.Enum):
        raise InputError("symbols as text", met=str(symbol.dtype), file=file, column="symbol")
    if symbol.null_count():
        row = int(symbol.is_null().arg_true()[0])
        raise InputError("a symbol", met=None, file=file, row=row + 1, column="symbol")
    start = group_ends(symbol)
    names = symbol.gather(start[:-1]).cast(pl.String).to_list()
    if len(set(names)) == len(names):
        return tuple(names), start, None
    codes = symbol.rank("dense").to_numpy() if symbol.dtype == pl.String else symbol.to_physical()
    order = np.argsort(np.asarray(codes), kind="stable")
    grouped = symbol.gather(order)
    start = group_ends(grouped)
    return tuple(grouped.gather(start[:-1]).cast(pl.String).to_list()), start, order


_Values = TypeVar("_Values", bound=np.ndarray[Any, Any])


def _column(values: _Values, order: IntArray | None) -> _Values:
    return np.ascontiguousarray(values if order is None else values[order])  # type: ignore[return-value]


def _numbers(frame: pl.DataFrame, name: str, file: str | None) -> FloatArray:
    values = frame[name]
    if not values.dtype.is_numeric():
        raise InputError("values of type Float64", met=str(values.dtype), file=file, column=name)
    _whole(values, file)
    return values.cast(pl.Float64).to_numpy()


def _flags(frame: pl.DataFrame, name: str, file: str | None) -> BoolArray:
    values = frame[name]
    if values.dtype != pl.Boolean:
        raise InputError("values of type Boolean", met=str(values.dtype), file=file, column=name)
    _whole(values, file)
    return values.to_numpy()


def _whole(values: pl.Series, file: str | None) -> None:
    if values.null_count():
        row = int(values.is_null().arg_true()[0])
        raise InputError("a value", met=None, file=file, row=row + 1, column=values.name)


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


class _Place(NamedTuple):
    """How to name a row of grouped arrays as the reader's file counts it."""

    order: IntArray | None
    file: str | None
    first_row: int

    def fault(self, row: int, column: str, wanted: str, met: object) -> InputError:
        at = row if self.order is None else int(self.order[row])
        return InputError(
            wanted, met=met, file=self.file, row=self.first_row + at + 1, column=column
        )


def _refuse(
    low: int,
    start: IntArray,
    ts: IntArray,
    values: dict[str, FloatArray],
    rules: tuple[_Rule, ...],
    place: _Place,
) -> None:
    """Raise for the first fault in the block that begins at row ``low``."""
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
        raise place.fault(at, "ts", "times that do not fall within each symbol", met)
    rule = rules[which - 1]
    raise place.fault(at, rule.column, rule.wanted, float(values[rule.column][at]))


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
