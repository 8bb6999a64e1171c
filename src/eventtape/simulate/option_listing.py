"""Which expiries an exchange for coin options lists at a moment: days, weeks, months, quarters."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np

from eventtape.arrays import IntArray

__all__ = ["listed_expiries"]

_HOUR = 8
_FRIDAY = 4
_NEAR, _QUARTERS = 3, 4  # of each shorter kind; of quarterlies


def listed_expiries(at_ns: int) -> IntArray:
    """Expiries in ns, 08:00 UTC, after ``at_ns``: 3 days, 3 Fridays, 3 months, 4 quarters ahead.

    A month expires on its last Friday, a quarter with March, June, September or December. It is
    Deribit's rule, but for the number of dailies, which varies there.

    >>> from eventtape.clock import format_ns, parse_ns
    >>> listed = [format_ns(ns)[5:10] for ns in listed_expiries(parse_ns("2026-04-20T12:00Z"))]
    >>> listed[:6]
    ['04-21', '04-22', '04-23', '04-24', '05-01', '05-08']
    >>> listed[6:]
    ['05-29', '06-26', '09-25', '12-25', '03-26']
    """
    moment = datetime.fromtimestamp(at_ns // 10**9, UTC)
    first = moment.date() + timedelta(days=int(moment.hour >= _HOUR))
    friday = first + timedelta(days=(_FRIDAY - first.weekday()) % 7)
    ahead = (first.year * 12 + first.month - 1 + i for i in range(3 * _QUARTERS + 1))
    months = [last for last in map(_last_friday, ahead) if last >= first]
    quarters = [last for last in months if last.month % 3 == 0]
    days = {first + timedelta(days=i) for i in range(_NEAR)}
    days |= {friday + timedelta(days=7 * i) for i in range(_NEAR)}
    days |= {*months[:_NEAR], *quarters[:_QUARTERS]}
    epoch = date(1970, 1, 1)
    hours = np.array([(day - epoch).days * 24 + _HOUR for day in sorted(days)], np.int64)
    return hours * 3_600 * 10**9


def _last_friday(month: int) -> date:
    """The last Friday of a month counted from the year 0."""
    year, after = divmod(month + 1, 12)
    last = date(year, after + 1, 1) - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - _FRIDAY) % 7)
