"""The sessions of an exchange: which dates it trades on, when it opens, when it closes early.

Dates and hours are those of the installed exchange-calendars, which knows the past as it happened
(2001-09-11 to 14, 2012-10-29 and 30 and 2025-01-09 are no sessions of XNYS) and the future as the
rule book says it will be. It gives XNYS the hours of today before 1985-09-30 too.
"""

from __future__ import annotations

import warnings
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventtape.clock.times import as_date
from eventtape.errors import EventTapeError, InputError

__all__ = ["Session", "Sessions", "session_buckets", "session_of", "sessions", "sessions_before"]

_FIRST_YEAR, _LAST_YEAR = 1678, 2261  # the whole years that 64 bits of nanoseconds hold


class Session(NamedTuple):
    """One trading day: open and close in ns UTC, and whether it closes early."""

    date: date
    open_ns: int
    close_ns: int
    half_day: bool


class Sessions(NamedTuple):
    """Trading days of one calendar, in order; arrays of shape ``(n,)``, n perhaps 0."""

    calendar: str
    zone: str  # the exchange's own clock
    date: NDArray[np.datetime64]  # datetime64[D]
    open_ns: NDArray[np.int64]  # UTC
    close_ns: NDArray[np.int64]  # UTC
    half_day: NDArray[np.bool_]  # closes before the calendar's regular close

    def part(self, start: int, stop: int | None = None) -> Sessions:
        """The sessions from index ``start`` to ``stop``, as a slice would."""
        at = slice(start, stop)
        columns = self.date[at], self.open_ns[at], self.close_ns[at], self.half_day[at]
        return Sessions(self.calendar, self.zone, *columns)


def sessions(start: date | str, end: date | str, calendar: str = "XNYS") -> Sessions:
    """The sessions from ``start`` to ``end``, both included; none is an answer, not an error.

    ``calendar`` is an exchange-calendars name (XNYS, CMES, 24/7). Hours are the regular session's
    (a lunch break is inside it); a session may open on the evening before its date (CMES).

    >>> found = sessions("2024-11-27", "2024-11-29")
    >>> found.date.astype(str).tolist(), found.half_day.tolist()
    (['2024-11-27', '2024-11-29'], [False, True])
    """
    first, last = as_date(start, what="start"), as_date(end, what="end")
    if first > last:
        raise InputError("a start not after the end", met=(str(first), str(last)))
    low, high = _bounds(calendar)
    if first < low or last > high:
        met = f"{first} to {last}"
        raise InputError(f"dates that {calendar} knows, {low} to {high}", met=met)
    # Whole years, so that a study which asks for many ranges builds few calendars.
    known = _schedule(
        calendar, max(date(first.year, 1, 1), low), min(date(last.year, 12, 31), high)
    )
    a, b = np.searchsorted(known.date, [np.datetime64(first), np.datetime64(last) + 1])
    return known.part(int(a), int(b))


def session_of(day: date | str, calendar: str = "XNYS") -> Session:
    """The session of that date; a day without one is an :class:`InputError` naming its neighbours.

    >>> session_of("2024-12-24").half_day
    True
    """
    day = as_date(day)
    found = sessions(day, day, calendar)
    if found.date.size:
        return Session(day, *(column[0].item() for column in found[3:]))
    error = InputError(f"a session of {calendar}", met=f"{day:%Y-%m-%d, a %A}")
    low, high = _bounds(calendar)
    near = sessions(
        max(low, day - timedelta(days=10)), min(high, day + timedelta(days=10)), calendar
    )
    after = int(np.searchsorted(near.date, np.datetime64(day)))
    beside = near.date[max(after - 1, 0) : after + 1].astype(str)
    if beside.size:
        error.add_note(f"the sessions beside it: {' and '.join(beside)}")
    raise error


def sessions_before(day: date | str, n: int, calendar: str = "XNYS") -> Sessions:
    """The last ``n`` sessions strictly before that date, oldest first.

    >>> sessions_before("2024-11-05", 20).date[[0, -1]].astype(str).tolist()
    ['2024-10-08', '2024-11-04']
    """
    if n < 1:
        raise InputError("at least one session", met=n)
    last = as_date(day) - timedelta(days=1)
    low, _ = _bounds(calendar)
    reach = 2 * n + 14  # days: five sessions a week, and room for holidays
    while True:
        first = last - timedelta(days=max(0, min(reach, (last - low).days)))
        found = sessions(first, last, calendar)
        if found.date.size >= n:
            return found.part(-n)
        if first <= low:
            met = f"{found.date.size} since {low}"
            raise InputError(f"{n} sessions of {calendar} before {as_date(day)}", met=met)
        reach *= 2


def session_buckets(open_ns: int, close_ns: int, every_ns: int) -> NDArray[np.int64]:
    """Ends of the buckets of a session, ns, shape ``(n_buckets,)``: the last one is the close.

    A bucket stamped T is of T - ``every_ns`` <= t < T, counted from the open. Where the session is
    not whole in buckets the last is shorter, so a print at the close itself is in none.

    >>> session_buckets(0, 10, 4)
    array([ 4,  8, 10])
    """
    if open_ns >= close_ns:
        raise InputError("an open before the close", met=(open_ns, close_ns))
    if every_ns < 1:
        raise InputError("buckets of at least 1 ns", met=every_ns)
    n = -((open_ns - close_ns) // every_ns)
    return np.minimum(open_ns + every_ns * np.arange(1, n + 1, dtype=np.int64), close_ns)


@lru_cache(maxsize=64)
def _bounds(calendar: str) -> tuple[date, date]:
    """First and last date the calendar can speak of."""
    kind = type(_built(calendar))
    low, high = kind.bound_min(), kind.bound_max()
    return (
        date(_FIRST_YEAR, 1, 1) if low is None else low.date(),
        date(_LAST_YEAR, 12, 31) if high is None else high.date(),
    )


@lru_cache(maxsize=64)
def _schedule(calendar: str, first: date, last: date) -> Sessions:
    known = _built(calendar, start=first.isoformat(), end=last.isoformat())
    day = known.sessions.to_numpy().astype("datetime64[D]")
    opens, closes = (
        times.dt.tz_convert(None).to_numpy().astype("datetime64[ns]").astype(np.int64)
        for times in (known.opens, known.closes)
    )
    early = known.sessions.isin(known.early_closes)
    found = Sessions(calendar, str(known.tz), day, opens, closes, early)
    for column in found[2:]:
        column.flags.writeable = False  # every caller is handed the same arrays
    return found


def _built(calendar: str, **between: str) -> Any:
    """The exchange-calendars object; one it cannot build is an error that says so."""
    # They bring pandas: a second and a half that few commands need.
    import exchange_calendars  # noqa: PLC0415
    from pandas import errors  # noqa: PLC0415

    deprecated = getattr(errors, "Pandas4Warning", None)  # pandas 2 has no such category
    try:
        with warnings.catch_warnings():
            if deprecated is not None:  # exchange-calendars reads Series.values of zoned times
                warnings.filterwarnings("ignore", category=deprecated)
            return exchange_calendars.get_calendar(calendar, **between)
    except exchange_calendars.errors.InvalidCalendarName:
        wanted = "an exchange-calendars name such as XNYS, XNAS, CMES or 24/7"
        raise InputError(wanted, met=calendar) from None
    except (NotImplementedError, ValueError) as error:  # ASEX, BVB and TASE under pandas 3.1
        said = str(error)[:80]
        raise EventTapeError(f"exchange-calendars cannot build {calendar} here: {said}") from error
