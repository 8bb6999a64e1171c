"""Polygon (Massive) trades and quotes, as the websocket and as REST write them, into the tape.

Stamps are the SIP's in whole milliseconds on both roads, although REST has nanoseconds: a row is
the same whichever way it came, and rows of one symbol keep their order. Sequence numbers rise
within a symbol, with gaps, and begin anew each day; symbol, number and day make a row's key.

Conditions are judged as in :mod:`eventtape.sources.polygon_flat`. A trade of size 0 (an official
price, or less than a share written as 0) is no trade: it goes, and is counted. Sizes of quotes
were round lots of 100 until 2025-11-03 and are shares since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.sources.conditions import Judge, Policy
from eventtape.sources.live_rows import (
    live_batch,
    mixed_keys,
    real_numbers,
    row_keys,
    whole_numbers,
)
from eventtape.tape import EQUITY_TRADE, QUOTE
from eventtape.tape.batch import Batch

__all__ = ["Events", "Names"]

_MILLISECOND = 1_000_000
_SHARES_FROM_MS = parse_ns("2025-11-03T00:00:00-05:00") // _MILLISECOND
_ROUND_LOT = 100.0
_DAY_MS, _NIGHT_MS = 86_400_000, 6 * 3_600_000  # 06:00 UTC is night in New York, all year
_DAY_SHIFT = np.int64(40)  # sequence numbers stay below 2^40


class Names(NamedTuple):
    """What a service calls the fields of an event, and the stamps in one millisecond."""

    stamp: str
    sequence: str
    price: str = ""
    size: str = ""
    conditions: str = ""
    sides: tuple[str, str, str, str] = ("", "", "", "")  # bid, bid size, ask, ask size
    per_ms: int = 1


class Events:
    """Reads events of stocks; ``symbols`` are those met so far, ``counts`` what was left out."""

    def __init__(self, policy: Policy, lot: float | None) -> None:
        self._policy, self._lot = policy, lot
        self._judge = Judge("polygon")
        self._verdicts: dict[tuple[object, ...], tuple[bool, bool]] = {}
        self._seeds: dict[str, int] = {}
        self.counts: Counter[str] = Counter()

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols met so far."""
        return tuple(self._seeds)

    def trades(
        self,
        feed: str,
        names: Names,
        symbols: Sequence[str],
        events: Sequence[Mapping[str, Any]],
        received_ns: int,
    ) -> Batch | None:
        """The trades among these events, None where none is one."""
        judged = [self._verdict(feed, event.get(names.conditions)) for event in events]
        columns: dict[str, Any] = {
            "symbol": symbols,
            "price": [event.get(names.price) for event in events],
            "size": [event.get(names.size) for event in events],
            "iso": [iso for iso, _ in judged],
            "eligible": [
                eligible and not event.get("correction")
                for (_, eligible), event in zip(judged, events, strict=True)
            ],
        }
        if 0 in columns["size"]:
            kept = [at for at, size in enumerate(columns["size"]) if size != 0]
            self.counts["trades of size 0"] += len(events) - len(kept)
            if not kept:
                return None
            columns = {name: [values[at] for at in kept] for name, values in columns.items()}
            events = [events[at] for at in kept]
        ms, keys = self._identity(feed, names, columns["symbol"], events)
        columns["ts"] = ms * _MILLISECOND
        return live_batch(feed, EQUITY_TRADE, columns, keys, received_ns)

    def quotes(
        self,
        feed: str,
        names: Names,
        symbols: Sequence[str],
        events: Sequence[Mapping[str, Any]],
        received_ns: int,
    ) -> Batch:
        """The quotes of these events; a side left out, or not firm, is a side nobody quotes."""
        ms, keys = self._identity(feed, names, symbols, events)
        columns: dict[str, Any] = {"symbol": symbols, "ts": ms * _MILLISECOND}
        lot: float | FloatArray = (
            np.where(ms < _SHARES_FROM_MS, _ROUND_LOT, 1.0) if self._lot is None else self._lot
        )
        bid, bid_size, ask, ask_size = (
            real_numbers([event.get(name, 0) for event in events], feed=feed, column=name)
            for name in names.sides
        )
        for side, price, size in (("bid", bid, bid_size), ("ask", ask, ask_size)):
            loose = (price != 0.0) != (size != 0.0)
            if loose.any():
                self.counts[f"{side} not firm"] += int(loose.sum())
            columns[side] = np.where(loose, 0.0, price)
            columns[f"{side}_size"] = np.where(loose, 0.0, size * lot)
        return live_batch(feed, QUOTE, columns, keys, received_ns)

    def _identity(
        self,
        feed: str,
        names: Names,
        symbols: Sequence[str],
        events: Sequence[Mapping[str, Any]],
    ) -> tuple[IntArray, IntArray]:
        """The stamps of the events in ms and their keys."""
        stamps = [event.get(names.stamp) for event in events]
        numbers = [event.get(names.sequence) for event in events]
        if names.per_ms == 1:
            ms = whole_numbers(stamps, feed=feed, column=names.stamp)
        else:
            ms = _floored(stamps, names, feed)
        sequence = whole_numbers(numbers, feed=feed, column=names.sequence)
        day = (ms - _NIGHT_MS) // _DAY_MS
        return ms, mixed_keys(self._seeded(feed, symbols), sequence ^ (day << _DAY_SHIFT))

    def _seeded(self, feed: str, symbols: Iterable[str]) -> IntArray:
        seeds = self._seeds
        try:
            return np.array([seeds[symbol] for symbol in symbols], np.int64)
        except (KeyError, TypeError):
            for symbol in symbols:
                if not isinstance(symbol, str) or not symbol:
                    wanted = "the symbol of a stock"
                    raise InputError(wanted, met=symbol, file=feed, column="symbol") from None
                seeds[symbol] = int(row_keys([symbol])[0])
        return np.array([seeds[symbol] for symbol in symbols], np.int64)

    def _verdict(self, feed: str, conditions: Any) -> tuple[bool, bool]:
        """Whether a trade is a sweep, and whether the policy lets it in."""
        if not isinstance(conditions, list | None):
            raise InputError("a list", met=conditions, file=feed, column="conditions")
        met = tuple(conditions or ())
        try:
            return self._verdicts[met]
        except TypeError as error:
            wanted = "whole numbers"
            raise InputError(wanted, met=conditions, file=feed, column="conditions") from error
        except KeyError:
            pass
        verdict = self._judge(",".join(str(code) for code in met))
        if verdict.unknown is not None:
            if self._policy.unknown == "refuse":
                wanted = f"a known condition, or a policy whose unknown is not 'refuse' ({met})"
                raise InputError(wanted, met=verdict.unknown, file=feed, column="conditions")
            self.counts[f"unknown condition {verdict.unknown}"] += 1
        known = verdict.unknown is None or self._policy.unknown == "eligible"
        judged = verdict.iso, known and not verdict.traits & self._policy.excluded
        self._verdicts[met] = judged
        return judged


def _floored(stamps: Sequence[Any], names: Names, feed: str) -> IntArray:
    for at, stamp in enumerate(stamps, 1):
        if isinstance(stamp, bool) or not isinstance(stamp, int) or not 0 < stamp < 1 << 63:
            wanted = "a whole number of ns since 1970"
            raise InputError(wanted, met=stamp, file=feed, row=at, column=names.stamp)
    return np.array(stamps, np.int64) // names.per_ms
