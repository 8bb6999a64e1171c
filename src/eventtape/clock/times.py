"""UTC nanoseconds and the ways text, zones and durations become them.

Inside eventtape a time is an ``int64`` count of nanoseconds since 1970-01-01T00:00Z. Text with no
zone is refused: guessing one is how a study comes to lead itself by five hours.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from eventtape.errors import InputError

__all__ = ["MINUTE", "SECOND", "as_date", "duration_ns", "format_ns", "parse_ns", "zone"]

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": SECOND, "m": MINUTE, "h": 60 * MINUTE}
_LONGEST = 876_600 * 60 * MINUTE  # 100 years: added to a time of today it is still an int64


def parse_ns(text: str) -> int:
    """Nanoseconds since the epoch, UTC, of an ISO 8601 time that names its zone.

    >>> parse_ns("2024-11-05T22:00Z")
    1730844000000000000
    """
    # datetime keeps microseconds and drops further digits: the last three of nine go by themselves
    fraction = re.search(r"\.(\d{7,9})(?!\d)", text)
    finer = int(fraction[1].ljust(9, "0")[6:]) if fraction else 0
    cut = text if fraction is None else text.replace(fraction[0], fraction[0][:7])
    try:
        moment = datetime.fromisoformat("too fine" if re.search(r"\.\d{10}", text) else cut)
    except ValueError:
        raise InputError("an ISO 8601 time such as 2024-11-05T22:00Z", met=text) from None
    if moment.tzinfo is None:
        raise InputError("a time zone, as in 2024-11-05T22:00Z", met=text)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    micro = (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
    return micro * 1_000 + finer


def duration_ns(text: str) -> int:
    """Nanoseconds of a length of time such as 1m: a whole number and ns, us, ms, s, m or h.

    >>> duration_ns("50ms")
    50000000
    """
    match = re.fullmatch(r"(\d{1,15})(ns|us|ms|s|m|h)", text.strip())
    if match is None:
        raise InputError("a length of time such as 1m, 30s, 50ms or 0ms", met=text)
    ns = int(match[1]) * _UNITS[match[2]]
    if ns > _LONGEST:
        raise InputError("a length of time of at most 100 years", met=text)
    return ns


def format_ns(ns: int, *, seconds: bool = True) -> str:
    """ISO 8601 text, UTC, of a time in nanoseconds, cut to whole seconds or minutes.

    >>> format_ns(1730844000000000000)
    '2024-11-05T22:00:00Z'
    """
    moment = datetime.fromtimestamp(ns // SECOND, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ" if seconds else "%Y-%m-%dT%H:%MZ")


def zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name; an unknown name is an :class:`InputError`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError("an IANA time zone such as America/New_York", met=name) from None


def as_date(value: date | str, *, what: str = "date") -> date:
    """The date in ISO 8601 text or a ``date``; a time of day is refused, since a date has no zone.

    >>> as_date("2024-11-05")
    datetime.date(2024, 11, 5)
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:  # the thirteenth month
            pass
    raise InputError(f"a {what} such as 2024-11-05", met=str(value))
