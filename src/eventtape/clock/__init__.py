"""UTC nanoseconds, and how text, zones, durations and an exchange's sessions become them."""

from eventtape.clock.calendars import (
    Session,
    Sessions,
    session_buckets,
    session_of,
    sessions,
    sessions_before,
)
from eventtape.clock.times import (
    MINUTE,
    SECOND,
    as_date,
    duration_ns,
    format_ns,
    parse_ns,
    zone,
)

__all__ = [
    "MINUTE",
    "SECOND",
    "Session",
    "Sessions",
    "as_date",
    "duration_ns",
    "format_ns",
    "parse_ns",
    "session_buckets",
    "session_of",
    "sessions",
    "sessions_before",
    "zone",
]
