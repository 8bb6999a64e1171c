"""How long is it to an expiry, when a Saturday is not worth a Tuesday? Days, weighted.

A day's weight is its share of the ordinary variance. Two conventions, both with a year of 365:

- weekends: Saturday and Sunday (UTC) weigh ``weekend`` each and the other five days
  (7 - 2 weekend)/5, so that an average week is 7 days whatever the weight. 1 is plain time;
- sessions: a day (UTC) weighs 365/252 where the calendar trades and 0 where it does not: the
  252-day year of listed options.

Part of a day counts as that part of its weight.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock.calendars import sessions
from eventtape.errors import InputError

__all__ = ["DAY_NS", "YEAR_DAYS", "session_days", "week_phase", "weekend_part", "weighted_days"]

DAY_NS = 86_400 * 10**9
YEAR_DAYS = 365.0
_MONDAY_NS = 4 * DAY_NS  # 1970-01-05
_WEEK_NS = 7 * DAY_NS


def weighted_days(at_ns: int, until_ns: IntArray, *, weekend: float = 1.0) -> FloatArray:
    """Days from ``at_ns`` to each of ``until_ns``, Saturdays and Sundays weighing ``weekend``.

    Shape of ``until_ns``; a time before ``at_ns`` gives negative days. ``weekend`` is from 0 to 3.5
    (where the weekdays would weigh nothing).

    >>> monday = 4 * DAY_NS
    >>> weighted_days(monday, np.array([5, 7]) * DAY_NS + monday, weekend=0.5)
    array([6., 7.])
    """
    if not 0.0 <= weekend <= 3.5:
        raise InputError("a weekend weight from 0 to 3.5 (1 is any other day's)", met=weekend)
    until = np.asarray(until_ns, np.int64)
    plain = (until - at_ns) / DAY_NS
    off = weekend_part(at_ns, until)
    return weekend * off + (7.0 - 2.0 * weekend) / 5.0 * (plain - off)


def weekend_part(at_ns: int, until_ns: IntArray) -> FloatArray:
    """Days of ``at_ns`` to each of ``until_ns`` that fall on a Saturday or Sunday (UTC)."""
    return _weekend_days(np.asarray(until_ns, np.int64)) - _weekend_days(np.int64(at_ns))


def week_phase(at_ns: int) -> float:
    """Days from the last Monday 00:00 UTC to the moment, from 0 to 7."""
    return ((at_ns - _MONDAY_NS) % _WEEK_NS) / DAY_NS


def session_days(at_ns: int, until_ns: IntArray, calendar: str = "XNYS") -> FloatArray:
    """Days from ``at_ns`` to each of ``until_ns``: 365/252 for a day with a session, 0 for others.

    ``calendar`` is an exchange-calendars name; days are UTC. Times must not precede ``at_ns``.
    """
    until = np.asarray(until_ns, np.int64)
    if until.size == 0:
        return np.empty(until.shape)
    if until.min() < at_ns:
        raise InputError("times not before the moment counted from", met=int(until.min()))
    first, last = at_ns // DAY_NS, int(until.max()) // DAY_NS
    known = sessions(_date(first), _date(last), calendar).date.astype(np.int64)
    trades = np.isin(np.arange(first, last + 1), known)
    before = np.concatenate([[0.0], np.cumsum(trades, dtype=np.float64)])

    def count(ns: IntArray) -> FloatArray:
        day = ns // DAY_NS - first
        return before[day] + trades[day] * ((ns % DAY_NS) / DAY_NS)

    return YEAR_DAYS / 252.0 * (count(until) - count(np.asarray(at_ns, np.int64)))


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, tz=UTC).date().isoformat()


def _weekend_days(ns: IntArray | np.int64) -> FloatArray:
    """Days of Saturday and Sunday since Monday 1970-01-05."""
    weeks, rest = np.divmod(ns - _MONDAY_NS, _WEEK_NS)
    return np.asarray(2.0 * weeks + np.maximum(rest / DAY_NS - 5.0, 0.0))
