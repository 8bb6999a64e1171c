"""How healthy is a file of ticks? Counts over its batches, taken as they pass by.

``TickMeter.watch`` hands every batch on, so that a day is counted while it is used; ``health`` says
what was met. The counts do not depend on the size of the batches. ``counts``, given to the reader
and to the meter alike, adds what the reader saw and the frames no longer show: rows not eligible by
reason, records dropped, sides that were not firm.

A price is *far* where it is off the median of the nine prices before it, of the same symbol, by
more than half of that median: the median and not the last price, so that one bad print does not
condemn the next good one. For quotes the price is the middle of a two-sided book. The first nine
prices of a symbol are not judged; after a true jump of that size the next four are called far.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from numba import njit

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.tape.ticks import QuoteTicks, TradeTicks, quote_ticks, trade_ticks

__all__ = ["TickHealth", "TickMeter", "tick_health"]

_WINDOW = 9
_FAR = 0.5
_ROUND_LOT = 100.0


class TickHealth(NamedTuple):
    """Counts of rows; the fields of the other kind of tick are 0."""

    kind: str
    rows: int
    symbols: int
    iso: int
    ineligible: int
    odd_lots: int  # trades of fewer than 100 shares
    one_sided: int
    empty_books: int  # quotes with neither side
    locked: int
    crossed: int
    exact_duplicates: int  # rows equal in every column to an earlier one of their symbol and time
    far_prices: int
    seen_by_reader: dict[str, int]


def tick_health(
    batches: Iterator[pl.DataFrame], *, counts: Counter[str] | None = None
) -> TickHealth:
    """The health of a whole run of trade or quote frames."""
    meter = TickMeter(counts=counts)
    for _ in meter.watch(batches):
        pass
    return meter.health()


class TickMeter:
    """Counts batches as they pass; the kind of tick is that of the first one."""

    def __init__(self, *, counts: Counter[str] | None = None) -> None:
        self._seen: Counter[str] = Counter() if counts is None else counts
        self._sums: Counter[str] = Counter()
        self._kind = ""
        self._tail: pl.DataFrame | None = None
        self._past: dict[str, tuple[FloatArray, int]] = {}

    def watch(self, batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Every batch unchanged, counted before it is handed on."""
        for batch in batches:
            self.add(batch)
            yield batch

    def add(self, batch: pl.DataFrame) -> None:
        """Count one more batch."""
        kind = "trades" if "price" in batch.columns else "quotes"
        if self._kind not in ("", kind):
            raise InputError(f"{self._kind}, as the batches before", met=kind)
        self._kind = kind
        self._sums["rows"] += batch.height
        if kind == "trades":
            trades = trade_ticks(batch)
            self._add_trades(trades)
            self._add_prices(trades.names, trades.start, trades.price)
        else:
            quotes = quote_ticks(batch)
            two_sided = self._add_quotes(quotes)
            middle = np.where(two_sided, (quotes.bid + quotes.ask) / 2.0, np.nan)
            self._add_prices(quotes.names, quotes.start, middle)
        self._add_repeats(batch)

    def health(self) -> TickHealth:
        """What was counted so far."""
        if not self._kind:
            raise InputError("at least one batch of ticks", met="none")
        counted = {name: self._sums[name] for name in TickHealth._fields[3:-1]}
        return TickHealth(
            kind=self._kind,
            rows=self._sums["rows"],
            symbols=len(self._past),
            seen_by_reader=dict(self._seen),
            **counted,
        )

    def _add_trades(self, ticks: TradeTicks) -> None:
        self._sums["iso"] += int(ticks.iso.sum())
        self._sums["ineligible"] += int((~ticks.eligible).sum())
        self._sums["odd_lots"] += int((ticks.size < _ROUND_LOT).sum())

    def _add_quotes(self, ticks: QuoteTicks) -> BoolArray:
        bid, ask = ticks.bid > 0, ticks.ask > 0
        both: BoolArray = bid & ask
        self._sums["one_sided"] += int((bid ^ ask).sum())
        self._sums["empty_books"] += int((~bid & ~ask).sum())
        self._sums["locked"] += int((both & (ticks.bid == ticks.ask)).sum())
        self._sums["crossed"] += int((both & (ticks.bid > ticks.ask)).sum())
        return both

    def _add_repeats(self, batch: pl.DataFrame) -> None:
        """Rows met before among those of their symbol and time; the last time is carried on."""
        both = batch if self._tail is None else pl.concat([self._tail, batch])
        distinct = both.unique(maintain_order=True)
        self._sums["exact_duplicates"] += both.height - distinct.height
        self._tail = distinct.filter(pl.col("ts") == pl.col("ts").max().over("symbol"))

    def _add_prices(self, names: tuple[str, ...], start: IntArray, price: FloatArray) -> None:
        for group, name in enumerate(names):
            past, filled = self._past.get(name, (np.zeros(_WINDOW), 0))
            past = past.copy()
            far, filled = _far_prices(price[start[group] : start[group + 1]], past, filled)
            self._past[name] = past, filled
            self._sums["far_prices"] += far


@njit(cache=True, nogil=True)
def _far_prices(price: FloatArray, past: FloatArray, filled: int) -> tuple[int, int]:
    """Prices far off the median of the ``past`` ones (a ring), and how many were ever put there."""
    far = 0
    for i in range(price.size):
        if np.isnan(price[i]):
            continue
        if filled >= past.size:
            middle = np.sort(past)[past.size // 2]
            if abs(price[i] - middle) > _FAR * middle:
                far += 1
        past[filled % past.size] = price[i]
        filled += 1
    return far, filled
