from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.clock import MINUTE, SECOND, format_ns, parse_ns, zone
from eventtape.errors import InputError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_units():
    assert SECOND == 10**9
    assert MINUTE == 60 * 10**9


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00Z", 0),
        ("1969-12-31T23:59:59Z", -1),
        ("2024-11-05T22:00Z", 1_730_844_000),
        ("2024-11-05T17:00:00-05:00", 1_730_844_000),
        ("2024-11-06T03:30:00+05:30", 1_730_844_000),
        ("20241105T220000Z", 1_730_844_000),
        ("2000-02-29T12:00:00+00:00", 951_825_600),
    ],
)
def test_known_times(text, seconds):
    """Seconds from `date -u -d TEXT +%s`."""
    assert parse_ns(text) == seconds * SECOND


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    st.datetimes(min_value=datetime(1700, 1, 1), max_value=datetime(2250, 1, 1)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_parse_counts_microseconds_exactly(wall, offset_minutes):
    """A float of seconds holds only 53 bits: this fails for any road through ``timestamp()``."""
    sign, (hours, minutes) = (
        "-" if offset_minutes < 0 else "+",
        divmod(abs(offset_minutes), 60),
    )
    text = f"{wall.isoformat()}{sign}{hours:02d}:{minutes:02d}"
    since = wall.replace(tzinfo=UTC) - timedelta(minutes=offset_minutes) - EPOCH
    assert parse_ns(text) == since // timedelta(microseconds=1) * 1000


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.integers(-8_000_000_000, 8_000_000_000), st.integers(0, SECOND - 1))
def test_round_trip_is_the_second_below(seconds, rest):
    """Whole seconds survive; a part of a second is cut towards the past, before 1970 too."""
    assert parse_ns(format_ns(seconds * SECOND + rest)) == seconds * SECOND


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.integers(-100_000_000, 100_000_000), st.integers(0, MINUTE - 1))
def test_round_trip_of_minutes(minutes, rest):
    assert parse_ns(format_ns(minutes * MINUTE + rest, seconds=False)) == minutes * MINUTE


@pytest.mark.parametrize(
    "text", ["2024-11-05T22:00", "2024-11-05", "2024-11-05 22:00:00", "20241105T220000"]
)
def test_text_without_zone_is_refused(text):
    with pytest.raises(InputError, match="a time zone") as caught:
        parse_ns(text)
    assert caught.value.met == text


@pytest.mark.parametrize(
    "text", ["", "now", "5 Nov 2024", "2024-13-01T00:00Z", "2024-11-05T25:00Z", "1730844000"]
)
def test_text_that_is_no_time_is_refused(text):
    with pytest.raises(InputError, match="ISO 8601") as caught:
        parse_ns(text)
    assert caught.value.met == text


def test_nanoseconds_are_kept_or_refused():
    try:
        met = parse_ns("2024-11-05T22:00:00.000000456Z")
    except InputError:
        return
    assert met == parse_ns("2024-11-05T22:00:00Z") + 456


def test_zone_knows_summer_time():
    eastern = zone("America/New_York")
    assert datetime(2024, 11, 5, tzinfo=eastern).utcoffset() == timedelta(hours=-5)
    assert datetime(2024, 7, 5, tzinfo=eastern).utcoffset() == timedelta(hours=-4)


@pytest.mark.parametrize(
    "name",
    ["Europe/Nowhere", "", "America", "../UTC", "/etc/localtime", "UTC\0", "EST or so", "A" * 300],
)
def test_unknown_zone_is_refused(name):
    with pytest.raises(InputError, match="IANA time zone") as caught:
        zone(name)
    assert caught.value.met == name
