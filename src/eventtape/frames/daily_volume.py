"""What traded on each session: shares and dollars a day, from trades that need not fit in memory.

A trade belongs to the session on whose date it was printed, by the exchange's own clock: before
the open, at the close and after hours too, as far as its loader's policy made it ``eligible``. A
session that opens on the evening before its date (CMES) has its trades from that open on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import SECOND, format_ns, sessions
from eventtape.errors import InputError
from eventtape.tape.feed import times_ns
from eventtape.tape.ticks import TradeTicks, trade_ticks

__all__ = ["daily_volume"]

_SCHEMA = {
    "symbol": pl.String(),
    "session": pl.Date(),
    "volume": pl.Float64(),
    "dollar_volume": pl.Float64(),
    "trades": pl.Int64(),
}
_NUMBERS = ("volume", "dollar_volume", "trades")


def daily_volume(
    trades: pl.DataFrame | Iterable[pl.DataFrame], calendar: str = "XNYS"
) -> pl.DataFrame:
    """Shares ``volume``, dollars ``dollar_volume`` and number of eligible ``trades`` a session.

    ``trades`` is an equity-trade frame, or an iterable of them read one at a time: what is kept is
    one row a symbol and session. The sum runs over a symbol's trades in their order, so that it is
    the same to the last bit however the trades are cut into batches. One row a symbol and session
    with an eligible trade, ordered by both. An eligible trade on no session of ``calendar`` (a
    Sunday of XNYS) is an :class:`InputError` naming its row over all batches.
    """
    codes: dict[str, int] = {}
    totals: dict[date, FloatArray] = {}  # (3, n_symbols so far): the columns of _NUMBERS
    first_row = 0
    for batch in [trades] if isinstance(trades, pl.DataFrame) else trades:
        if batch.is_empty():
            continue
        ticks = trade_ticks(batch, first_row=first_row)
        for name in ticks.names:
            codes.setdefault(name, len(codes))
        _add(ticks, batch, first_row, calendar, codes, totals)
        first_row += batch.height
    return _table(codes, totals)


def _add(
    ticks: TradeTicks,
    batch: pl.DataFrame,
    first_row: int,
    calendar: str,
    codes: dict[str, int],
    totals: dict[date, FloatArray],
) -> None:
    eligible = np.flatnonzero(ticks.eligible)
    if not eligible.size:
        return
    ts = ticks.ts[eligible]
    days = _days(int(ts.min()), int(ts.max()), calendar)
    at = _day_of(ts, days)
    if at.min() < 0:
        all_ts = times_ns(batch)  # in the frame's own order, which a row number needs
        row = int(np.flatnonzero((_day_of(all_ts, days) < 0) & batch["eligible"].to_numpy())[0])
        wanted, met = f"a trade on a session of {calendar}", format_ns(int(all_ts[row]))
        raise InputError(wanted, met=met, row=first_row + row + 1, column="ts")
    symbol = np.array([codes[name] for name in ticks.names], np.int64)
    code = np.repeat(symbol, np.diff(ticks.start))[eligible]
    size = ticks.size[eligible]
    dollars = ticks.price[eligible] * size
    met_days = np.unique(at)
    for k in met_days:
        day = days.date[k]
        total = totals.get(day, np.zeros((3, 0)))
        if total.shape[1] < len(codes):
            total = np.pad(total, ((0, 0), (0, len(codes) - total.shape[1])))
        here = slice(None) if met_days.size == 1 else at == k
        # One trade after the other: a sum of sums would depend on where the batches are cut.
        np.add.at(total[0], code[here], size[here])
        np.add.at(total[1], code[here], dollars[here])
        np.add.at(total[2], code[here], 1.0)
        totals[day] = total


class _Days(NamedTuple):
    """Session dates, and the first and past-the-last ns of the trades that are theirs."""

    date: list[date]
    start: IntArray
    stop: IntArray


def _days(first_ns: int, last_ns: int, calendar: str) -> _Days:
    """The days of the sessions around these times, midnight to midnight or as far as they trade."""
    first, last = (date.fromisoformat(format_ns(ns)[:10]) for ns in (first_ns, last_ns))
    found = sessions(first - timedelta(days=3), last + timedelta(days=3), calendar)
    clock = ZoneInfo(found.zone)

    def midnight(day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=clock).timestamp()) * SECOND

    dates = [day.item() for day in found.date]
    start = np.array([midnight(day) for day in dates], np.int64)
    stop = np.array([midnight(day + timedelta(days=1)) for day in dates], np.int64)
    return _Days(dates, np.minimum(start, found.open_ns), np.maximum(stop, found.close_ns))


def _day_of(ts: IntArray, days: _Days) -> IntArray:
    """The index of the last session whose day has begun at each time, -1 where that day is over."""
    at = np.searchsorted(days.start, ts, side="right") - 1
    stop = np.r_[days.stop, np.iinfo(np.int64).min]  # what index -1 finds: over before it began
    return np.where(ts < stop[at], at, -1)


def _table(codes: dict[str, int], totals: dict[date, FloatArray]) -> pl.DataFrame:
    names = np.array(list(codes), object)
    parts = [pl.DataFrame(schema=_SCHEMA)]
    for day, total in totals.items():
        seen = np.flatnonzero(total[2] > 0.0)
        columns = dict(zip(_NUMBERS, total[:, seen], strict=True))
        frame = pl.DataFrame(
            {"symbol": names[seen].tolist(), "session": [day] * seen.size, **columns}
        )
        parts.append(frame.cast(_SCHEMA))  # type: ignore[arg-type]
    return pl.concat(parts).sort("symbol", "session")
