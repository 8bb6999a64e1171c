"""The check at the door of tick files: blocks of a vendor's columns into checked tape frames.

Every reader of ticks ends here. What is dropped or changed is counted and nothing else is: a
condition is judged by :mod:`eventtape.sources.conditions`, a quoted side with a price and no size
(or a size and no price) is not firm and becomes absent, an official-price or cancelled record of
size 0 is no trade and goes. Everything else that is not right is an :class:`InputError` with file,
row, column, the value met and the one wanted.

What is kept between blocks is the last time of each symbol and the sequence numbers at that time:
times that fall and records that repeat are found across block borders, and memory does not grow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import polars as pl
from numba import njit

from eventtape.arrays import BoolArray, IntArray
from eventtape.clock import format_ns
from eventtape.errors import InputError
from eventtape.sources.tick_columns import Place
from eventtape.tape import EQUITY_TRADE, QUOTE, empty, top_of_book
from eventtape.tape.ticks import QuoteTicks, TradeTicks, group_ends, quote_ticks, trade_ticks

__all__ = ["Door", "Duplicates", "admitted", "booked", "in_order", "whole"]

Duplicates = Literal["refuse", "drop"]
_NO_NUMBER = -1  # a record without a sequence number repeats nothing


class Door:
    """Admits frames of one file in their order; ``row`` counts the file's rows from 0.

    ``symbol`` is the one symbol the file may hold, or None where it may hold many.
    """

    def __init__(
        self,
        kind: Literal["trades", "quotes"],
        place: Place,
        *,
        duplicates: Duplicates = "refuse",
        symbol: str | None = None,
    ) -> None:
        if duplicates not in ("refuse", "drop"):
            raise InputError("duplicates of 'refuse' or 'drop'", met=duplicates)
        self.record = EQUITY_TRADE if kind == "trades" else QUOTE
        self._place, self._duplicates, self._symbol = place, duplicates, symbol
        self._last: dict[str, int] = {}
        self._heard: dict[str, set[int]] = {}  # sequence numbers at the last time of a symbol
        self._rows = 0

    def admit(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with the record's columns only, once every rule holds for it and its past."""
        if frame.is_empty():
            return frame.select(list(self.record.columns))
        self._rows += frame.height
        self._place.counts["rows"] += frame.height
        if self.record is EQUITY_TRADE:
            frame = self._trades_only(frame)
        if frame.is_empty():
            return frame.select(list(self.record.columns))
        with self._place.rows(frame["row"]):
            ticks: TradeTicks | QuoteTicks
            ticks = trade_ticks(frame) if self.record is EQUITY_TRADE else quote_ticks(frame)
            self._check_symbols(frame, ticks)
            self._check_times(frame, ticks)
        if "sequence" in frame.columns:
            frame = self._without_repeats(frame, ticks)
        self._last.update(zip(ticks.names, ticks.ts[ticks.start[1:] - 1].tolist(), strict=True))
        return frame.select(list(self.record.columns))

    def close(self) -> None:
        """Refuse a file that held no row."""
        if not self._rows:
            wanted = f"at least one {self.record.name}"
            raise InputError(wanted, met="no rows", file=self._place.file)

    def _trades_only(self, frame: pl.DataFrame) -> pl.DataFrame:
        if "record" not in frame.columns:
            return frame
        if not frame["size"].dtype.is_numeric():
            return frame  # left to the check, which names the column
        nothing = frame["record"].to_numpy() & (frame["size"].to_numpy() == 0)
        if nothing.any():
            self._place.counts["records of size 0 dropped"] += int(nothing.sum())
            frame = frame.filter(~pl.Series(nothing))
        return frame

    def _without_repeats(self, frame: pl.DataFrame, ticks: TradeTicks | QuoteTicks) -> pl.DataFrame:
        """Refuse or drop rows whose symbol, time and sequence number came before."""
        numbers = frame["sequence"]
        if numbers.null_count():
            numbers = numbers.fill_null(_NO_NUMBER)
        sequence = numbers.to_numpy()
        order = None
        if len(ticks.names) + 1 < group_ends(frame["symbol"]).size:
            places = {name: at for at, name in enumerate(ticks.names)}
            codes = frame["symbol"].cast(pl.String).replace_strict(places, return_dtype=pl.Int64)
            order = np.argsort(codes.to_numpy(), kind="stable")
            sequence = sequence[order]
        repeats = self._repeats(ticks, sequence)
        if repeats is None:
            return frame
        if order is not None:
            repeats = repeats[np.argsort(order, kind="stable")]
        if self._duplicates == "refuse":
            at = int(repeats.argmax())
            name = self._place.names.get("sequence", "sequence")
            stamp = format_ns(int(frame["ts"].to_physical()[at]))
            raise InputError(
                f"one record for each symbol, time and {name} "
                f"({frame['symbol'][at]} at {stamp} came before; duplicates='drop' drops)",
                met=frame["sequence"][at],
                file=self._place.file,
                row=int(frame["row"][at]) + 1,
                column=name,
            )
        self._place.counts["duplicates dropped"] += int(repeats.sum())
        return frame.filter(~pl.Series(repeats))

    def _repeats(self, ticks: TradeTicks | QuoteTicks, sequence: IntArray) -> BoolArray | None:
        """Which rows, grouped by symbol, repeat an earlier one; None where none does."""
        repeats = np.zeros(sequence.size, np.bool_)
        if not _rises(ticks.start, ticks.ts, sequence):
            of_row = np.repeat(np.arange(len(ticks.names)), np.diff(ticks.start))
            keys = pl.DataFrame({"group": of_row, "ts": ticks.ts, "sequence": sequence})
            first = keys.select(pl.struct(pl.all()).is_first_distinct()).to_series().to_numpy()
            repeats = ~first & (sequence != _NO_NUMBER)
        for group, name in enumerate(ticks.names):
            first_row, end = int(ticks.start[group]), int(ticks.start[group + 1])
            ts = ticks.ts[first_row:end]
            heard: set[int] = set()
            if self._last.get(name) == ts[0]:
                heard = self._heard[name] - {_NO_NUMBER}
                head = slice(first_row, first_row + int(np.searchsorted(ts, ts[0], "right")))
                repeats[head] |= np.isin(sequence[head], list(heard))
            tail = sequence[first_row + int(np.searchsorted(ts, ts[-1], "left")) : end]
            self._heard[name] = set(tail.tolist()) | (heard if ts[0] == ts[-1] else set())
        return repeats if repeats.any() else None

    def _check_symbols(self, frame: pl.DataFrame, ticks: TradeTicks | QuoteTicks) -> None:
        wrong = [n for n in ticks.names if not n or (self._symbol and n != self._symbol)]
        if wrong:
            row = int((frame["symbol"].cast(pl.String) == wrong[0]).arg_max() or 0)
            wanted = f"the symbol {self._symbol}" if self._symbol else "a symbol"
            raise InputError(wanted, met=wrong[0], row=row + 1, column="symbol")

    def _check_times(self, frame: pl.DataFrame, ticks: TradeTicks | QuoteTicks) -> None:
        for group, name in enumerate(ticks.names):
            ts, last = int(ticks.ts[ticks.start[group]]), self._last.get(name)
            if last is not None and ts < last:
                row = int((frame["symbol"].cast(pl.String) == name).arg_max() or 0)
                met = f"{ts} ns ({format_ns(ts)}) after {last} ns"
                wanted = "times that do not fall within each symbol"
                raise InputError(wanted, met=met, row=row + 1, column="ts")


def admitted(frames: Iterator[pl.DataFrame], door: Door) -> Iterator[pl.DataFrame]:
    """Each frame once it passed the door; a file with no row at all is refused at its end."""
    for frame in frames:
        passed = door.admit(frame)
        if passed.height:
            yield passed
    door.close()


def whole(frames: Iterator[pl.DataFrame], door: Door) -> pl.DataFrame:
    """All rows that pass the door, in one frame."""
    passed = list(admitted(frames, door))
    return pl.concat(passed) if passed else empty(door.record)


def in_order(frames: Iterator[pl.DataFrame], *, sort: bool) -> Iterator[pl.DataFrame]:
    """The frames as they come; or all rows at once, by symbol, time and sequence number."""
    if not sort:
        yield from frames
        return
    tables = list(frames)
    if tables:
        by = [name for name in ("symbol", "ts", "sequence") if name in tables[0].columns]
        yield pl.concat(tables).sort(by, maintain_order=True)


def booked(frames: Iterator[pl.DataFrame], place: Place) -> Iterator[pl.DataFrame]:
    """The top of the book after each row of a one-sided or a venue stream."""
    state = top_of_book.start()
    for frame in frames:
        if frame.height:
            with place.rows(frame["row"]):
                state, quotes = top_of_book.step(state, frame)
            yield quotes.with_columns(frame["row"])


@njit(cache=True, nogil=True)
def _rises(start: IntArray, ts: IntArray, sequence: IntArray) -> bool:
    """Whether sequence numbers rise within each time of each symbol: then none repeats."""
    for g in range(start.size - 1):
        for i in range(start[g] + 1, start[g + 1]):
            if ts[i] == ts[i - 1] and sequence[i] <= sequence[i - 1]:
                return False
    return True
