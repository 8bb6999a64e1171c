"""Sessions of exchanges: dates that were, hours by another clock, and what cannot be asked."""

from __future__ import annotations

import subprocess
import sys
import warnings
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.clock import (
    MINUTE,
    SECOND,
    as_date,
    format_ns,
    parse_ns,
    session_buckets,
    session_of,
    sessions,
    sessions_before,
)
from eventtape.errors import EventTapeError, InputError

NEW_YORK = ZoneInfo("America/New_York")
DAY = 86_400 * SECOND


def wall(day, hour, minute=0, zone=NEW_YORK):
    """Nanoseconds of that time of day by the zone's own rules, not by any calendar's."""
    return int(datetime.combine(day, time(hour, minute), zone).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("day", "close"),
    [
        ("2024-07-03", "2024-07-03T17:00Z"),  # 13:00 in New York, which is on summer time in July
        ("2024-11-29", "2024-11-29T18:00Z"),
        ("2024-12-24", "2024-12-24T18:00Z"),
        ("2025-07-03", "2025-07-03T17:00Z"),
        ("1999-12-31", "1999-12-31T18:00Z"),
    ],
)
def test_half_days_of_new_york(day, close):
    found = session_of(day)
    assert found.half_day is True
    assert found.close_ns == parse_ns(close) == wall(date.fromisoformat(day), 13)
    assert found.open_ns == wall(date.fromisoformat(day), 9, 30)


def test_the_half_days_of_a_year_and_no_others():
    year = sessions("2024-01-01", "2024-12-31")
    assert year.date[year.half_day].astype(str).tolist() == [
        "2024-07-03",
        "2024-11-29",
        "2024-12-24",
    ]


def test_holidays_of_2024():
    """The exchange's published list: every weekday that is no session, and nothing else."""
    year = sessions("2024-01-01", "2024-12-31")
    weekdays = np.arange("2024-01-01", "2025-01-01", dtype="datetime64[D]")
    weekdays = weekdays[np.is_busday(weekdays)]
    shut = np.setdiff1d(weekdays, year.date).astype(str).tolist()
    assert shut == [
        "2024-01-01",
        "2024-01-15",
        "2024-02-19",
        "2024-03-29",
        "2024-05-27",
        "2024-06-19",
        "2024-07-04",
        "2024-09-02",
        "2024-11-28",
        "2024-12-25",
    ]
    assert np.is_busday(year.date).all()


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2001-09-11", "2001-09-14"),
        ("2012-10-29", "2012-10-30"),
        ("2025-01-09", "2025-01-09"),  # the day of mourning for President Carter
        ("2018-12-05", "2018-12-05"),
        ("2024-11-02", "2024-11-03"),
    ],
)
def test_days_without_a_session(start, end):
    found = sessions(start, end)
    assert found.date.shape == found.open_ns.shape == found.half_day.shape == (0,)
    with pytest.raises(InputError, match="a session of XNYS"):
        session_of(start)


def test_a_day_without_a_session_names_its_neighbours():
    with pytest.raises(InputError) as caught:
        session_of("2001-09-12")
    assert "2001-09-12, a Wednesday" in str(caught.value)
    assert caught.value.__notes__ == ["the sessions beside it: 2001-09-10 and 2001-09-17"]


def test_opens_and_closes_by_the_wall_clock():
    """Twenty-five years, summer time and its change of rule in 2007 included, by zoneinfo."""
    found = sessions("2000-01-01", "2024-12-31")
    assert found.zone == "America/New_York"
    assert found.date.size == 6289  # 25 years of the exchange's published session counts
    counts = np.unique(found.date.astype("datetime64[Y]"), return_counts=True)[1].tolist()
    assert counts[:3] == [252, 248, 252]
    assert counts[-5:] == [253, 252, 251, 250, 252]
    for day, opens, closes, half in zip(
        found.date.tolist(), found.open_ns, found.close_ns, found.half_day, strict=True
    ):
        assert opens == wall(day, 9, 30)
        if not half:
            assert closes == wall(day, 16)
        else:
            assert opens < closes < wall(day, 16)


@pytest.mark.parametrize(
    ("before", "after", "minutes"),
    [("2024-03-08", "2024-03-11", -60), ("2024-11-01", "2024-11-04", 60)],
)
def test_the_open_moves_in_utc_when_the_clocks_do(before, after, minutes):
    step = session_of(after).open_ns - session_of(before).open_ns
    assert step == 3 * DAY + minutes * MINUTE


def test_a_range_is_its_days_one_by_one():
    """Ranges are cut from whole years: the cut is right at both ends, over the new year too."""
    first, last = date(2023, 12, 18), date(2024, 1, 12)
    whole = sessions(first, last)
    days, opens = [], []
    day = first
    while day <= last:
        one = sessions(day, day)
        assert one.date.size <= 1
        days += one.date.tolist()
        opens += one.open_ns.tolist()
        day += timedelta(days=1)
    assert whole.date.tolist() == days
    assert whole.open_ns.tolist() == opens
    assert whole.date.astype(str)[[0, -1]].tolist() == ["2023-12-18", "2024-01-12"]


def test_round_the_clock():
    found = sessions("2024-01-01", "2024-12-31", "24/7")
    assert found.date.size == 366
    assert (found.close_ns - found.open_ns == DAY).all()
    assert (found.open_ns[1:] == found.close_ns[:-1]).all()
    assert not found.half_day.any()
    assert format_ns(int(found.open_ns[0])) == "2024-01-01T00:00:00Z"


def test_a_session_may_open_on_the_evening_before():
    found = session_of("2024-11-04", "CMES")  # a Monday
    chicago = ZoneInfo("America/Chicago")
    assert found.open_ns == wall(date(2024, 11, 3), 17, zone=chicago)


@pytest.mark.parametrize("calendar", ["NOPE", "", "xnys", "New York"])
def test_unknown_calendar(calendar):
    with pytest.raises(InputError, match="an exchange-calendars name") as caught:
        sessions("2024-01-01", "2024-01-31", calendar)
    assert caught.value.met == calendar


@pytest.mark.parametrize(
    ("start", "end", "calendar", "known"),
    [
        ("1950-01-02", "1950-01-31", "XHKG", "1960-01-01"),
        ("2090-01-02", "2090-01-31", "XKRX", "2050-12-31"),
        ("1990-11-01", "1990-12-31", "XSHG", "1990-12-03"),
        ("1677-12-31", "1678-01-31", "XNYS", "1678-01-01"),
        ("2261-12-31", "2262-01-01", "XNYS", "2261-12-31"),
    ],
)
def test_dates_outside_what_the_calendar_knows(start, end, calendar, known):
    with pytest.raises(InputError, match=f"dates that {calendar} knows, .*{known}"):
        sessions(start, end, calendar)


def test_a_calendar_that_cannot_be_built_is_said(monkeypatch):
    """Some calendars break under some pandas: an error in words, not a traceback of theirs."""
    import exchange_calendars

    def broken(name, **_between):
        raise NotImplementedError("implemented by subclasses")

    monkeypatch.setattr(exchange_calendars, "get_calendar", broken)
    with pytest.raises(EventTapeError, match="cannot build XWAR here: implemented by"):
        sessions("1999-01-01", "1999-12-31", "XWAR")


def test_the_edge_of_what_a_calendar_knows_is_inside():
    assert sessions("1990-12-03", "1990-12-31", "XSHG").date.size > 0
    assert session_of("2050-12-29", "XKRX").date == date(2050, 12, 29)
    with pytest.raises(InputError, match="a session of XKRX"):
        session_of("2050-12-31", "XKRX")  # a Saturday, with no day after it to look at


@pytest.mark.parametrize("text", ["", "5 Nov 2024", "2024-11-31", "2024-11-05T09:30Z", "20241105"])
def test_text_that_is_no_date(text):
    with pytest.raises(InputError, match="such as 2024-11-05") as caught:
        as_date(text)
    assert caught.value.met == text


def test_a_time_is_no_date():
    with pytest.raises(InputError, match="a start such as"):
        sessions(datetime(2024, 11, 5, tzinfo=NEW_YORK), "2024-11-06")
    with pytest.raises(InputError, match="a start not after the end"):
        sessions("2024-11-06", "2024-11-05")


@pytest.mark.parametrize("n", [1, 7, 20, 1000])
@pytest.mark.parametrize("day", ["2024-11-05", "2024-11-03", "2001-09-17", "2024-01-01"])
def test_the_sessions_before_a_date(day, n):
    found = sessions_before(day, n)
    wanted = sessions("1990-01-01", date.fromisoformat(day) - timedelta(days=1)).date[-n:]
    assert found.date.tolist() == wanted.tolist()
    assert found.date.size == n


def test_too_many_sessions_before():
    with pytest.raises(InputError, match="30 sessions of XSHG") as caught:
        sessions_before("1990-12-30", 30, "XSHG")
    assert "since 1990-12-03" in str(caught.value)
    with pytest.raises(InputError, match="sessions of XSHG"):
        sessions_before("2024-01-02", 10**15, "XSHG")
    with pytest.raises(InputError, match="at least one session"):
        sessions_before("2024-11-05", 0)
    with pytest.raises(InputError, match="dates that XSHG knows"):
        sessions_before("1980-01-01", 5, "XSHG")


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.integers(-(10**18), 10**18), st.integers(1, 10**5), st.integers(1, 10**5))
def test_buckets_tile_the_session(open_ns, length, every):
    every = max(every, length // 2000 + 1)  # by hand, a million buckets take a while
    ends = session_buckets(open_ns, open_ns + length, every).tolist()
    by_hand, end = [], open_ns
    while end < open_ns + length:
        end = min(end + every, open_ns + length)
        by_hand.append(end)
    assert ends == by_hand


def test_buckets_of_a_half_day():
    day = session_of("2024-11-29")
    ends = session_buckets(day.open_ns, day.close_ns, MINUTE)
    assert ends.size == 210
    assert format_ns(int(ends[0])) == "2024-11-29T14:31:00Z"
    assert ends[-1] == day.close_ns
    assert ends.dtype == np.int64


def test_buckets_that_cannot_be():
    with pytest.raises(InputError, match="an open before the close"):
        session_buckets(5, 5, 1)
    with pytest.raises(InputError, match="at least 1 ns"):
        session_buckets(0, 5, 0)


def test_what_is_shared_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        sessions("2024-11-04", "2024-11-05").open_ns[0] = 0


def test_the_warning_filter_stays_inside():
    """One library's warning is let pass while it builds a calendar, and nothing else."""
    before = list(warnings.filters)
    sessions("1985-01-01", "1985-12-31", "XLON")
    assert list(warnings.filters) == before


def test_pandas_waits_until_a_session_is_asked_for():
    code = "import sys, eventtape.clock; print('pandas' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
