"""Which rows are of one symbol, and how a column comes to stand by symbol.

A frame ordered by symbol is left as it is. One ordered by time alone is counted and then written
once, each row to the next free place of its symbol: a walk over memory in order on the reading
side and one open line a symbol on the writing side, where a sort's gather would walk the whole
column once for every symbol.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from eventtape.arrays import IntArray

__all__ = ["Groups", "group_ends", "group_order", "group_rows", "grouped"]

_SHORT = 128  # rows that are numbered one by one
_FEW = 65_536  # rows that mostly tell a frame ordered by time, without a look at all of them


class Groups(NamedTuple):
    """The symbols of a frame in the order they first appear, and the rows of each."""

    names: tuple[str, ...]  # (n_groups,)
    start: IntArray  # (n_groups + 1,) first row of each once grouped, then the number of rows
    group: NDArray[np.uint32] | None  # (n,) of each row; None where they stand together already


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


def group_rows(symbol: pl.Series) -> Groups:
    """The groups of a column of symbols (String, Categorical or Enum, none missing).

    >>> group_rows(pl.Series(["B", "A", "B"])).names
    ('B', 'A')
    """
    if symbol.dtype == pl.String and symbol.len() <= _SHORT:
        return _short(symbol.to_list())
    if symbol.is_empty():
        return Groups((), np.zeros(1, np.int64), None)
    if symbol.len() > _FEW and _together(symbol.head(_FEW)) is not None:
        whole = _together(symbol)
        if whole is not None:
            return whole
    coded = symbol.cast(pl.Categorical) if symbol.dtype == pl.String else symbol
    codes = coded.to_physical().to_numpy().astype(np.uint32)
    group = np.empty(codes.size, np.uint32)
    first = np.full(int(codes.max()) + 1, -1, np.int64)
    sizes = np.zeros(first.size, np.int64)
    n = _number(codes, first, group, sizes)
    heads = symbol.gather(np.sort(first[first >= 0]))
    start = np.r_[0, np.cumsum(sizes[:n])]
    together = (group[1:] >= group[:-1]).all()
    return Groups(tuple(heads.cast(pl.String).to_list()), start, None if together else group)


def _short(symbols: list[str]) -> Groups:
    """The same for few rows, without a query: slices of a live stream."""
    numbers: dict[str, int] = {}
    group = np.array([numbers.setdefault(name, len(numbers)) for name in symbols], np.uint32)
    start = np.r_[0, np.cumsum(np.bincount(group, minlength=len(numbers)))].astype(np.int64)
    together = (group[1:] >= group[:-1]).all()
    return Groups(tuple(numbers), start, None if together else group)


def _together(symbol: pl.Series) -> Groups | None:
    """The groups where no symbol comes a second time after another."""
    start = group_ends(symbol)
    heads = symbol.gather(start[:-1])
    if heads.n_unique() < heads.len():
        return None
    return Groups(tuple(heads.cast(pl.String).to_list()), start, None)


_Values = TypeVar("_Values", bound=np.ndarray[Any, Any])


def grouped(values: _Values, groups: Groups) -> _Values:
    """A column of the frame (8 bytes or 1 a row), by symbol and in its old order within each."""
    if groups.group is None:
        return np.ascontiguousarray(values)  # type: ignore[return-value]
    bits = np.ascontiguousarray(values).view(np.int64 if values.itemsize > 1 else np.uint8)
    bits.flags.writeable = False  # so that the kernel is compiled for one kind of array
    out = np.empty_like(bits)
    _scatter(bits, groups.group, groups.start[:-1].copy(), out)
    return cast(_Values, out.view(values.dtype))


def group_order(groups: Groups) -> IntArray | None:
    """The row of the frame that each grouped row came from; None where nothing moved."""
    return None if groups.group is None else grouped(np.arange(groups.group.size), groups)


@njit(cache=True, nogil=True)
def _number(
    codes: NDArray[np.uint32], first: IntArray, group: NDArray[np.uint32], sizes: IntArray
) -> int:
    """Number the codes as they appear, and count the rows of each; how many there are.

    ``first`` comes as -1 for every code, and leaves as the row where each was first met.
    """
    number = np.zeros(first.size, np.uint32)
    n = 0
    for i in range(codes.size):
        code = codes[i]
        if first[code] < 0:
            first[code] = i
            number[code] = n
            n += 1
        g = number[code]
        group[i] = g
        sizes[g] += 1
    return n


@njit(cache=True, nogil=True)
def _scatter(
    values: NDArray[Any], group: NDArray[np.uint32], place: IntArray, out: NDArray[Any]
) -> None:
    """Write each row to the next place of its group."""
    for i in range(group.size):
        g = group[i]
        out[place[g]] = values[i]
        place[g] += 1
