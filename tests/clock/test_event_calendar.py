"""The calendar: known instants on both sides of the clock changes, and files that add to it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from eventtape.clock import format_ns, parse_ns
from eventtape.clock.event_calendar import event_calendar, events_between
from eventtape.errors import InputError

HEADER = "kind,name,local_time,zone,note\n"


@pytest.fixture
def extra(tmp_path):
    def extra(*rows, header=HEADER):
        path = tmp_path / "extra.csv"
        path.write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
        return path

    return extra


def of(kind, year):
    return [
        format_ns(event.at_ns, seconds=False)
        for event in event_calendar()
        if event.kind == kind and format_ns(event.at_ns).startswith(year)
    ]


def test_statements_of_2024_in_utc():
    """14:00 in New York: 18:00Z from 10 March to 2 November, 19:00Z else."""
    assert of("fomc", "2024") == [
        "2024-01-31T19:00Z",
        "2024-03-20T18:00Z",
        "2024-05-01T18:00Z",
        "2024-06-12T18:00Z",
        "2024-07-31T18:00Z",
        "2024-09-18T18:00Z",
        "2024-11-07T19:00Z",
        "2024-12-18T19:00Z",
    ]


@pytest.mark.parametrize(
    ("kind", "at"),
    [
        ("cpi", "2024-10-10T12:30Z"),
        ("cpi", "2024-11-13T13:30Z"),
        ("payrolls", "2024-11-01T12:30Z"),
        ("payrolls", "2024-12-06T13:30Z"),
        ("election", "2016-11-08T23:00Z"),
        ("election", "2024-11-05T23:00Z"),
        ("tariff", "2025-04-02T20:00Z"),
        ("fomc", "2026-12-09T19:00Z"),
    ],
)
def test_known_instants(kind, at):
    assert parse_ns(at) in {event.at_ns for event in event_calendar() if event.kind == kind}


def test_eight_statements_a_year_and_rising():
    events = event_calendar()
    assert all(a.at_ns <= b.at_ns for a, b in pairwise(events))
    assert {year: len(of("fomc", year)) for year in ("2023", "2024", "2025", "2026")} == {
        "2023": 8,
        "2024": 8,
        "2025": 8,
        "2026": 8,
    }


def test_between_takes_the_start_and_leaves_the_end():
    events = event_calendar()
    election, fomc = parse_ns("2024-11-05T23:00Z"), parse_ns("2024-11-07T19:00Z")
    assert [e.kind for e in events_between(events, election, fomc)] == ["election"]
    assert [e.kind for e in events_between(events, election, fomc + 1)] == ["election", "fomc"]
    assert [e.kind for e in events_between(events, election, fomc + 1, ["FOMC"])] == ["fomc"]
    assert events_between(events, election, election) == ()


def test_a_kind_nobody_has_is_refused():
    with pytest.raises(InputError, match=r"met 'fed', wanted a kind among .*fomc"):
        events_between(event_calendar(), 0, 1, ["fed"])


def test_a_file_adds_kinds_of_its_own(extra):
    path = extra(
        "Halving,The halving,2024-04-20T00:09,UTC,",
        "",
        'fomc,"Statement, unscheduled",2020-03-15T17:00,America/New_York,a Sunday',
        "bok,Rate,2024-11-28T10:00:00,Asia/Seoul,",
    )
    events = event_calendar(path)
    assert len(events) == len(event_calendar()) + 3
    added = {(e.kind, format_ns(e.at_ns), e.note) for e in events} - {
        (e.kind, format_ns(e.at_ns), e.note) for e in event_calendar()
    }
    assert added == {
        ("halving", "2024-04-20T00:09:00Z", ""),
        ("fomc", "2020-03-15T21:00:00Z", "a Sunday"),
        ("bok", "2024-11-28T01:00:00Z", ""),
    }


def test_the_note_column_may_be_absent(extra):
    path = extra("x,X,2024-04-20T00:09,UTC", header="Kind,Name,Local_time,Zone\n")
    assert events_between(event_calendar(path), 0, 2**62, ["x"])[0].note == ""


@pytest.mark.parametrize(
    ("row", "column", "wanted"),
    [
        ("fomc,X,2025-03-09T02:30,America/New_York,", "local_time", "exists exactly once"),
        ("fomc,X,2025-11-02T01:30,America/New_York,", "local_time", "exists exactly once"),
        ("fomc,X,2024-11-07T19:00Z,America/New_York,", "local_time", "a local time such as"),
        ("fomc,X,2024-11-07,America/New_York,", "local_time", "a local time such as"),
        ("fomc,X,2024-02-30T14:00,America/New_York,", "local_time", "of the calendar"),
        ("fomc,X,9999-12-31T14:00,America/New_York,", "local_time", "a year from"),
        ("fomc,X,2024-11-08T14:00,New_York,", "zone", "an IANA time zone"),
        ("fomc,X,2024-11-08T14:00,,", "zone", "a zone"),
        (" ,X,2024-11-08T14:00,UTC,", "kind", "a kind"),
        ("fomc,,2024-11-08T14:00,UTC,", "name", "a name"),
        ("fomc,X,2024-11-07T14:00,America/New_York,again", "local_time", "one event of a kind"),
    ],
    ids=[
        "void",
        "double",
        "zoned",
        "date",
        "no-such-day",
        "far",
        "zone",
        "no-zone",
        "no-kind",
        "no-name",
        "again",
    ],
)
def test_a_bad_row_is_named(extra, row, column, wanted):
    path = extra("ok,Ok,2024-11-06T14:00,UTC,", row)
    with pytest.raises(InputError, match=wanted) as caught:
        event_calendar(path)
    error = caught.value
    assert (error.file, error.row, error.column) == (str(path), 2, column)


def test_a_comma_too_many_and_a_column_too_few(extra, tmp_path):
    with pytest.raises(InputError, match=r"row 1: met 6, wanted 5 values") as caught:
        event_calendar(extra("x,A statement, early,2024-11-08T14:00,UTC,"))
    assert caught.value.row == 1
    with pytest.raises(InputError, match="one column 'zone'"):
        event_calendar(extra("x,X,2024-11-08T14:00", header="kind,name,local_time\n"))
    with pytest.raises(InputError, match="a readable CSV of events"):
        event_calendar(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="one column 'kind'"):
        event_calendar(tmp_path / "empty.csv")
