"""Days to an expiry, weighted by weekends or by sessions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.premium.day_weights import (
    DAY_NS,
    session_days,
    week_phase,
    weekend_part,
    weighted_days,
)

SATURDAY = parse_ns("2024-10-05T00:00Z")
EXPIRY = parse_ns("2024-11-08T08:00Z")


def hourly(at, until, weekend):
    """The same by adding up hours, for whole hours."""
    hours = np.arange(at, until, DAY_NS // 24)
    off = (hours // DAY_NS + 3) % 7 >= 5  # 1970-01-01 was a Thursday
    return np.sum(np.where(off, weekend, (7 - 2 * weekend) / 5)) / 24


def test_days_of_the_seed_are_34_and_a_third_and_weigh_by_their_weekends():
    days = weighted_days(SATURDAY, np.array([EXPIRY]))
    np.testing.assert_allclose(days, 34 + 1 / 3, rtol=1e-14)
    # 5 weekends of 2 days and 24 1/3 weekdays
    np.testing.assert_allclose(weekend_part(SATURDAY, np.array([EXPIRY])), 10.0, rtol=1e-14)
    half = weighted_days(SATURDAY, np.array([EXPIRY]), weekend=0.5)
    np.testing.assert_allclose(half, 5.0 + 1.2 * (24 + 1 / 3), rtol=1e-14)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 24 * 30), st.integers(0, 24 * 60), st.sampled_from([0.0, 0.4, 1.0, 2.5]))
def test_weights_add_up_hour_by_hour_and_along_the_way(start, length, weekend):
    hour = DAY_NS // 24
    at = SATURDAY + start * hour
    until = at + length * hour
    whole = weighted_days(at, np.array([until]), weekend=weekend)[0]
    assert whole == pytest.approx(hourly(at, until, weekend), abs=1e-9)
    middle = at + (length // 3) * hour
    parts = [
        weighted_days(a, np.array([b]), weekend=weekend)[0]
        for a, b in ((at, middle), (middle, until))
    ]
    assert sum(parts) == pytest.approx(whole, abs=1e-9)


def test_a_week_is_seven_days_at_any_weight_and_any_hour():
    week = np.array([SATURDAY + 12345 * 10**9 + 7 * DAY_NS])
    for weekend in (0.0, 0.3, 1.7):
        days = weighted_days(SATURDAY + 12345 * 10**9, week, weekend=weekend)
        np.testing.assert_allclose(days, 7.0, rtol=1e-13)


def test_the_phase_is_the_day_of_the_week_from_monday():
    assert week_phase(SATURDAY) == 5.0
    assert week_phase(SATURDAY + 2 * DAY_NS + DAY_NS // 2) == 0.5


def test_sessions_count_365_252ths_and_other_days_nothing():
    at = parse_ns("2024-11-27T00:00Z")  # Wednesday; Thursday is Thanksgiving
    until = [parse_ns(f"2024-{text}Z") for text in ("11-27T12:00", "11-28T00:00", "11-29T00:00",
             "11-30T00:00", "12-02T00:00", "12-03T00:00")]  # fmt: skip
    days = session_days(at, np.array(until))
    np.testing.assert_allclose(days * 252 / 365, [0.5, 1, 1, 2, 2, 3], rtol=1e-13, atol=1e-13)
    assert session_days(at, np.array([], np.int64)).shape == (0,)


def test_a_year_of_sessions_is_about_a_year():
    year = session_days(parse_ns("2024-01-01T00:00Z"), np.array([parse_ns("2025-01-01T00:00Z")]))
    assert year[0] == pytest.approx(365 / 252 * 252, rel=1e-12)  # 2024 had 252 sessions


def test_weights_out_of_range_and_times_gone_by_are_refused():
    with pytest.raises(InputError, match="weekend weight"):
        weighted_days(SATURDAY, np.array([EXPIRY]), weekend=4.0)
    with pytest.raises(InputError, match="not before"):
        session_days(EXPIRY, np.array([SATURDAY]))
