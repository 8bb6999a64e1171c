"""A day of ticks as arrays: quotes and trades of many symbols, grouped by symbol, checked once.

A tick frame may be ordered by symbol and then time (a vendor's flat file) or by time alone (a
stream); within a symbol, times must not fall. What comes out is grouped: the rows of group g are
``start[g]`` to ``start[g + 1]``, all of symbol ``names[g]``, in their old order. A frame already
grouped is not copied.

Checked on the way, at memory speed: types, times that fall, prices and sizes that are negative, not
finite, or zero where a trade or a quoted side must have one. The error names the row.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
import polars as pl
from numba import njit

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.clock import format_ns
from eventtape.errors import InputError
from eventtape.tape.feed import times_ns
from eventtape.tape.records import EQUITY_TRADE, QUOTE, Record

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


class TradeTicks(NamedTuple):
    """Trades grouped by symbol."""

    names: tuple[str, ...]  # (n_groups,)
    start: IntArray  # (n_groups + 1,)
    ts: IntArray  # (n,) ns UTC
    price: FloatArray  # (n,) dollars
    size: FloatArray  # (n,) shares
    iso: BoolArray  # (n,)
    eligible: BoolArray  # (n,)


def quote_ticks(frame: pl.DataFrame, *, file: str | None = None, first_row: int = 0) -> QuoteTicks:
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
    row, rule = _bad_quote(start, ts, bid, bid_size, ask, ask_size)
    if row >= 0:
        values = {"bid": bid, "bid_size": bid_size, "ask": ask, "ask_size": ask_size}
        raise _fault(_QUOTE_RULES[rule], row, ts, values, order, file, first_row)
    return QuoteTicks(names, start, ts, bid, bid_size, ask, ask_size)


def trade_ticks(frame: pl.DataFrame, *, file: str | None = None, first_row: int = 0) -> TradeTicks:
    """The arrays of a trades frame, grouped and checked, as :func:`quote_ticks` does."""
    names, start, order = _groups(frame, EQUITY_TRADE, file)
    ts = _column(times_ns(frame), order)
    price, size = (_column(_numbers(frame, name, file), order) for name in ("price", "size"))
    iso, eligible = (_column(_flags(frame, name, file), order) for name in ("iso", "eligible"))
    row, rule = _bad_trade(start, ts, price, size)
    if row >= 0:
        values = {"price": price, "size": size}
        raise _fault(_TRADE_RULES[rule], row, ts, values, order, file, first_row)
    return TradeTicks(names, start, ts, price, size, iso, eligible)


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
    return np.r_[changes, len(symbol)].astype(np.int64)


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


_TIME_FALLS = ("ts", "times that do not fall within each symbol")
_QUOTE_RULES = (
    _TIME_FALLS,
    ("bid", "a finite price >= 0 (0 where nobody bids)"),
    ("bid_size", "a finite size >= 0"),
    ("ask", "a finite price >= 0 (0 where nobody offers)"),
    ("ask_size", "a finite size >= 0"),
    ("bid_size", "a size > 0 where there is a bid, and 0 where there is none"),
    ("ask_size", "a size > 0 where there is an ask, and 0 where there is none"),
)
_TRADE_RULES = (
    _TIME_FALLS,
    ("price", "a finite price > 0"),
    ("size", "a finite size > 0"),
)


def _fault(
    rule: tuple[str, str],
    row: int,
    ts: IntArray,
    values: dict[str, FloatArray],
    order: IntArray | None,
    file: str | None,
    first_row: int,
) -> InputError:
    column, wanted = rule
    if column == "ts":
        met: object = f"{ts[row]} ns ({format_ns(int(ts[row]))}) after {ts[row - 1]} ns"
    else:
        met = float(values[column][row])
    at = row if order is None else int(order[row])
    return InputError(wanted, met=met, file=file, row=first_row + at + 1, column=column)


@njit(cache=True, nogil=True)
def _bad_quote(start, ts, bid, bid_size, ask, ask_size):  # type: ignore[no-untyped-def]
    """The first row that breaks a rule and which one, else (-1, 0). Blocks without a branch."""
    for g in range(start.size - 1):
        first, end = start[g], start[g + 1]
        for low in range(first, end, 2048):
            high = min(end, low + 2048)
            bad = False
            for i in range(low, high):
                b, a, bs, as_ = bid[i], ask[i], bid_size[i], ask_size[i]
                fine = (b >= 0.0) & (b < np.inf) & (a >= 0.0) & (a < np.inf)
                fine &= (bs >= 0.0) & (bs < np.inf) & (as_ >= 0.0) & (as_ < np.inf)
                fine &= ((b > 0.0) == (bs > 0.0)) & ((a > 0.0) == (as_ > 0.0))
                bad |= not fine
            for i in range(max(low, first + 1), high):
                bad |= ts[i] < ts[i - 1]
            if bad:
                for i in range(low, high):
                    if i > first and ts[i] < ts[i - 1]:
                        return i, 0
                    if not 0.0 <= bid[i] < np.inf:
                        return i, 1
                    if not 0.0 <= bid_size[i] < np.inf:
                        return i, 2
                    if not 0.0 <= ask[i] < np.inf:
                        return i, 3
                    if not 0.0 <= ask_size[i] < np.inf:
                        return i, 4
                    if (bid[i] > 0.0) != (bid_size[i] > 0.0):
                        return i, 5
                    if (ask[i] > 0.0) != (ask_size[i] > 0.0):
                        return i, 6
    return -1, 0


@njit(cache=True, nogil=True)
def _bad_trade(start, ts, price, size):  # type: ignore[no-untyped-def]
    """The first row that breaks a rule and which one, else (-1, 0)."""
    for g in range(start.size - 1):
        for i in range(start[g], start[g + 1]):
            if i > start[g] and ts[i] < ts[i - 1]:
                return i, 0
            if not 0.0 < price[i] < np.inf:
                return i, 1
            if not 0.0 < size[i] < np.inf:
                return i, 2
    return -1, 0
