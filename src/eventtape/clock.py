"""UTC nanoseconds and the three ways text, zones and seconds become them.

Inside eventtape a time is an ``int64`` count of nanoseconds since 1970-01-01T00:00Z. Text with no
zone is refused: guessing one is how a study comes to lead itself by five hours.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from eventtape.errors import InputError

__all__ = ["MINUTE", "SECOND", "format_ns", "parse_ns", "zone"]

SECOND = 1_000_000_000
MINUTE = 60 * SECOND


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
