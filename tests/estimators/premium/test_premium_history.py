"""The premium through time: the seed's numbers, what a fixed base does, intervals, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.arrays import Status
from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.premium.premium_history import (
    days_left,
    gaps,
    premium_change,
    premium_history,
)

DAY = 86_400 * 10**9
EXPIRY = parse_ns("2024-11-08T08:00Z")
EVENT = parse_ns("2024-11-06T00:00Z")
TS = parse_ns("2024-10-05T00:00Z") + np.arange(31) * DAY
DAYS = days_left(TS, EXPIRY)
IV = np.sqrt((0.08**2 + 0.0255**2 * DAYS) * 365.0 / DAYS)


def iv_of(size, base, days):
    """The IV that holds an event of this size on this base."""
    return np.sqrt((size**2 + base**2 * days) * 365.0 / days)


def test_the_seeds_own_row_gives_its_eight_percent_back():
    """55.23% at 34 whole days on a stripped daily move of 2.5446%; 2.5481% on the exact days."""
    now = TS[:1]
    for whole, base in ((True, 0.025446), (False, 0.025481)):
        days = days_left(now, EXPIRY, whole_days=whole)
        out = premium_history(now, np.array([0.5523]), days, base_daily=base)
        assert out.size[0] == pytest.approx(0.08, abs=2e-5)


def test_days_are_exact_unless_whole_ones_are_asked_for():
    assert days_left(TS[:1], EXPIRY)[0] == pytest.approx(34 + 1 / 3)
    assert days_left(TS[:1] + DAY // 2, EXPIRY, whole_days=True)[0] == 34.0


@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    size=st.floats(0.001, 0.1),
    base=st.floats(0.002, 0.08),
    days=st.floats(1.0, 300.0),
)
def test_what_was_put_in_comes_out(size, base, days):
    iv = np.array([iv_of(size, base, days)])
    out = premium_history(TS[:1], iv, np.array([days]), base_daily=base)
    assert out.size[0] == pytest.approx(size, rel=1e-6)
    assert out.statuses[0] is Status.OK


@pytest.mark.parametrize(
    ("then", "first"), [(0.035, 0.16165), (0.0255, 0.08), (0.02, math.nan)],
    ids=["base fell", "base flat", "base rose"],
)  # fmt: skip
def test_a_fixed_base_errs_by_what_the_base_moved_times_the_days(then, first):
    """The seed says it overestimates the past. Only where the base fell: 3.5 to 2.55% doubles 8%.

    Where the base rose from 2% the first days show no event at all.
    """
    base = np.linspace(then, 0.0255, TS.size)
    iv = iv_of(0.08, base, DAYS)
    fixed = premium_history(TS, iv, DAYS, base_daily=0.0255)
    dynamic = premium_history(TS, iv, DAYS, base_daily=base)
    np.testing.assert_allclose(dynamic.size, 0.08, rtol=1e-9)
    error = (base**2 - 0.0255**2) * DAYS
    np.testing.assert_allclose(fixed.variance, 0.08**2 + error, atol=1e-12)
    np.testing.assert_allclose(fixed.size[0], first, atol=5e-5)
    assert fixed.size[-1] == pytest.approx(0.08)


def noisy(seed, iv_error=0.005, base_error=0.0008):
    """A base that falls, an event that stays, and both seen with error."""
    rng = np.random.default_rng(seed)
    base = np.linspace(0.03, 0.0255, TS.size)
    iv = iv_of(0.08, base, DAYS) + iv_error * rng.standard_normal(TS.size)
    return premium_history(
        TS, iv, DAYS, base_daily=base + base_error * rng.standard_normal(TS.size),
        iv_error=iv_error, base_error=base_error,
    )  # fmt: skip


def test_intervals_hold_the_truth_as_often_as_they_say_and_the_variance_is_unbiased():
    histories = [noisy(seed) for seed in range(300)]
    held = np.array([(h.lower <= 0.08) & (h.upper >= 0.08) for h in histories])
    assert 0.94 < held.mean() < 0.96  # 9,300 rows: a standard error is 0.002
    variance = np.array([h.variance for h in histories])
    error = variance.std(axis=0) / math.sqrt(len(histories))
    away = (variance.mean(axis=0) - 0.08**2) / error
    assert np.abs(away.mean()) < 0.6  # 31 independent means: a standard error is 0.18
    assert np.abs(away).max() < 4.0


@pytest.mark.parametrize("field", ["iv_error", "base_error"])
def test_errors_are_the_slopes_of_the_variance(field):
    step = 1e-7
    iv, base = iv_of(0.08, 0.0255, DAYS), 0.0255
    still = premium_history(TS, iv, DAYS, base_daily=base, iv_error=1.0, base_error=1.0)
    if field == "iv_error":
        iv = iv + step
    else:
        base += step
    moved = premium_history(TS, iv, DAYS, base_daily=base)
    slope = np.abs(moved.variance - still.variance) / step
    np.testing.assert_allclose(getattr(still, field), slope, rtol=1e-4)


def test_a_size_is_not_negative_and_its_bounds_say_what_is_left():
    days = np.full(4, 20.0)
    iv = iv_of(np.array([0.03, 0.0, 0.0, 0.0]), 0.0255, days)
    iv += np.array([0.0, -0.004, -0.05, math.nan])
    out = premium_history(TS[:4], iv, days, base_daily=0.0255, iv_error=0.01)
    assert list(out.statuses) == [
        Status.OK, Status.NOT_RESOLVED, Status.NOT_RESOLVED, Status.TOO_FEW
    ]  # fmt: skip
    assert np.isfinite(out.size).tolist() == [True, False, False, False]
    assert (out.lower[:2].tolist()) == [0.0, 0.0]
    assert np.isfinite(out.upper).tolist() == [True, True, False, False]
    assert np.isnan(out.lower[2])
    assert out.variance[1] < 0.0


def test_after_the_event_and_before_it_is_in_the_option_there_is_no_premium():
    ts = EVENT + np.array([-DAY, -1, 0, DAY])
    iv = np.full(4, 0.6)
    out = premium_history(ts, iv, days_left(ts, EXPIRY), base_daily=0.02, event_ns=EVENT)
    assert (out.statuses == Status.NOT_IDENTIFIED).tolist() == [False, False, True, True]
    assert np.isnan(out.size).tolist() == [False, False, True, True]
    early = premium_history(ts, iv, days_left(ts, EVENT - 1_000), base_daily=0.02, event_ns=EVENT)
    assert (early.statuses == Status.NOT_IDENTIFIED).all()
    assert early.status is Status.NOT_IDENTIFIED
    assert "expire before" in early.reason


def test_weekends_that_weigh_less_leave_more_for_the_event():
    plain = premium_history(TS, IV, DAYS, base_daily=0.0255)
    light = premium_history(TS, IV, DAYS, base_daily=0.0255, base_days=0.9 * DAYS)
    np.testing.assert_allclose(light.variance - plain.variance, 0.1 * DAYS * 0.0255**2)


def test_a_row_speaks_of_itself_and_the_input_is_left_alone():
    iv, base = IV.copy(), np.full(TS.size, 0.025)
    for values in (iv, base):
        values.flags.writeable = False
    whole = premium_history(TS, iv, DAYS, base_daily=base, iv_error=0.004)
    part = premium_history(TS[:9], iv[:9], DAYS[:9], base_daily=base[:9], iv_error=0.004)
    for field in ("size", "lower", "upper", "variance"):
        np.testing.assert_array_equal(getattr(whole, field)[:9], getattr(part, field))


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"iv": np.full(31, 55.23)}, r"row 1, column 'iv': met 55.23, wanted a decimal: .55"),
        ({"base_daily": 2.55}, "column 'base_daily': met 2.55, wanted a daily move as a decimal"),
        ({"base_daily": np.full(30, 0.02)}, "one number or shape"),
        ({"ts_ns": TS[::-1]}, "row 2, column 'ts': wanted times that do not fall"),
        ({"days": DAYS * 86_400}, "column 'days'"),
        ({"iv_error": -0.01}, "a standard error >= 0"),
        ({"level": 95.0}, "a level between 0 and 1"),
        ({"ts_ns": TS[None]}, r"times of shape \(n,\)"),
    ],
    ids=["iv percent", "base percent", "base shape", "falling", "seconds", "error", "level", "2d"],
)
def test_bad_input_is_named(change, wanted):
    call = {"ts_ns": TS, "iv": IV, "days": DAYS, "base_daily": 0.0255} | change
    with pytest.raises(InputError, match=wanted):
        premium_history(**call)


def test_no_rows_and_nothing_seen_say_so():
    none = premium_history(TS[:0], np.zeros(0), np.zeros(0), base_daily=0.02)
    assert (none.status, none.reason) == (Status.TOO_FEW, "no rows")
    unseen = premium_history(TS, np.full(31, math.nan), DAYS, base_daily=0.02)
    assert unseen.status is Status.TOO_FEW
    below = premium_history(TS, np.full(31, 0.2), DAYS, base_daily=0.0255)
    assert below.status is Status.NOT_RESOLVED


def test_gaps_are_where_no_quote_was():
    t = np.array([0, 1, 2, 9, 10])
    assert np.column_stack(gaps(t, longest_ns=3)).tolist() == [[2, 9]]
    assert np.column_stack(gaps(t, longest_ns=3, start_ns=-5, end_ns=20)).tolist() == [
        [-5, 0], [2, 9], [10, 20]
    ]  # fmt: skip
    assert np.column_stack(gaps(t, longest_ns=3, start_ns=2, end_ns=9)).tolist() == [[2, 9]]
    assert np.column_stack(gaps(t[:0], longest_ns=3, start_ns=0, end_ns=9)).tolist() == [[0, 9]]
    with pytest.raises(InputError, match="do not fall"):
        gaps(t[::-1], longest_ns=3)


def test_the_change_over_two_weeks_has_an_interval():
    """11% to 8% on a base known to 0.05%: the base moves both sizes alike, so part of it cancels.

    With a base of its own at each time it does not.
    """
    size = np.linspace(0.11, 0.08, TS.size)
    iv = iv_of(size, 0.0255, DAYS)
    call = {"iv_error": 0.002, "base_error": 0.0005}
    fixed = premium_history(TS, iv, DAYS, base_daily=0.0255, **call)
    each = premium_history(TS, iv, DAYS, base_daily=np.full(TS.size, 0.0255), **call)
    a = premium_change(fixed, int(TS[0]) + 5, int(TS[-1]) + 5)
    b = premium_change(each, int(TS[0]), int(TS[-1]))
    assert a.change == b.change == pytest.approx(-0.03)
    assert (a.start_ns, a.end_ns) == (TS[0], TS[-1])
    assert a.upper - a.lower < 0.9 * (b.upper - b.lower)
    assert a.lower < -0.03 < a.upper < 0.0


def test_the_change_is_held_as_often_as_it_says():
    """Dynamic base, both ends noisy: 95% of 600."""
    held = 0
    for seed in range(600):
        change = premium_change(noisy(seed, base_error=0.0004), int(TS[0]), int(TS[-1]))
        held += change.lower <= 0.0 <= change.upper
    assert 0.925 < held / 600 < 0.975  # a standard error is 0.009


def test_a_change_that_cannot_be_said_is_not_said():
    iv = iv_of(np.array([0.01, 0.08]), 0.0255, DAYS[:2])
    weak = premium_history(TS[:2], iv, DAYS[:2], base_daily=0.0255, iv_error=0.01)
    out = premium_change(weak, int(TS[0]), int(TS[1]))
    assert (out.status, math.isnan(out.lower)) == (Status.NOT_RESOLVED, True)
    early = premium_change(weak, int(TS[0]) - 9, int(TS[1]))
    assert (early.status, math.isnan(early.change)) == (Status.TOO_FEW, True)
    with pytest.raises(InputError, match="a start before the end"):
        premium_change(weak, int(TS[1]), int(TS[0]))
