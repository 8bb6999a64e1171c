"""The named ways to a premium, and every exact number of the seed's table."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.premium.day_weights import DAY_NS
from eventtape.estimators.premium.named import (
    daily_move,
    event_day,
    flat_base,
    forward_move,
    least_rough,
    mean_move,
    strip_table,
    through_time,
    two_expiry,
)
from eventtape.estimators.premium.term_structure import term_structure

AT = parse_ns("2024-10-05T00:00Z")
NOV = parse_ns("2024-11-08T08:00Z")


def flat(base, size, days, event_day=0.0):
    """A flat base with one event after ``event_day`` days."""
    days = np.asarray(days, float)
    iv = np.sqrt(base**2 + size**2 * (days > event_day) / days * 365)
    return term_structure(AT, AT + (days * DAY_NS).astype(np.int64), iv)


@pytest.mark.parametrize(("size", "left"), [(0.08, 48.61), (0.07, 50.24), (0.09, 46.70)])
def test_the_table_of_the_seed(size, left):
    term = term_structure(AT, np.array([NOV]), np.array([0.5523]))
    table = strip_table(term, np.array([True]), size, whole_days=True)
    assert round(100 * table.daily[0], 4) == 2.8909
    assert table.days[0] == 34
    assert round(1e4 * table.variance[0], 3) == 284.142
    assert round(100 * table.stripped_iv[0], 2) == left
    if size == 0.08:
        assert round(1e4 * table.stripped_variance[0], 3) == 220.142
        assert round(100 * table.stripped_daily[0], 4) == 2.5446


def test_exact_times_give_the_other_figure_of_the_seed():
    term = term_structure(AT, np.array([NOV]), np.array([0.5523]))
    table = strip_table(term, np.array([True]), 0.08)
    assert table.days[0] == pytest.approx(34 + 1 / 3)
    assert round(100 * table.stripped_daily[0], 4) == 2.5481


def test_rows_before_the_event_stay_and_rows_with_too_little_have_nothing_left():
    term = flat(0.4, 0.0, [5, 20, 40])
    table = strip_table(term, np.array([False, True, True]), 0.095)
    np.testing.assert_allclose(table.stripped_iv[0], table.iv[0], rtol=1e-15)
    assert table.status == (Status.OK, Status.NOT_RESOLVED, Status.OK)
    for column in (table.stripped_variance, table.stripped_daily, table.stripped_iv):
        assert np.isnan(column).tolist() == [False, True, False]


def test_the_day_of_the_event():
    """Source: the seed's own numbers with variances added and not moves."""
    assert round(100 * event_day(0.08, 0.02545), 3) == 8.395
    assert round(100 * mean_move(event_day(0.08, 0.02545)), 2) == 6.70


@pytest.mark.parametrize(
    ("base", "size", "days", "vols"),
    [
        (0.25, 0.06, (10, 45), (0.440340777126, 0.302820078595)),
        (0.40, 0.09, (3, 31), (1.070280337108, 0.505342426224)),
    ],
)
def test_two_expiries_exactly(base, size, days, vols):
    """Dubinsky, Johannes, Kaeck and Seeger (RFS 2019), cases of the references, 12 digits."""
    term = flat(base, size, days)
    np.testing.assert_allclose(term.iv, vols, rtol=0.0, atol=5.1e-13)
    assert two_expiry(term, 0, 1) == pytest.approx(size, rel=1e-12)
    given = term_structure(AT, term.expiries_ns, np.array(vols))
    assert two_expiry(given, 0, 1) == pytest.approx(size, rel=1e-10)


def test_through_time_exactly():
    """The eve and the morning after, one expiry: T1 (iv_t^2 - iv_t+1^2) where the base is flat."""
    before, after = math.sqrt(0.4**2 + 0.08**2 * 365 / 6), 0.4
    assert through_time(before, after, 6.0) == pytest.approx(0.08, rel=1e-13)
    assert math.isnan(through_time(0.4, 0.5, 6.0))


def test_a_flat_base_gives_every_way_the_same_size():
    event = AT + int(31.5 * DAY_NS)
    term = flat(0.5, 0.08, [6, 13, 27, 34, 55, 83], event_day=31.5)
    after = term.expiries_ns > event
    assert flat_base(term, event) == pytest.approx(0.08, rel=1e-12)
    assert two_expiry(term, 3, 5) == pytest.approx(0.08, rel=1e-12)
    for log_time in (False, True):
        assert least_rough(term, after, log_time=log_time) == pytest.approx(0.08, rel=1e-6)
    np.testing.assert_allclose(strip_table(term, after, 0.08).stripped_iv, 0.5, rtol=1e-12)


def test_the_least_rough_size_is_where_a_plain_search_finds_it():
    from scipy.optimize import minimize_scalar

    rng = np.random.default_rng(0)
    term = flat(0.5, 0.08, [6, 13, 27, 34, 55, 83, 120], event_day=31.5)
    term = term_structure(AT, term.expiries_ns, term.iv + 0.005 * rng.standard_normal(7))
    after = term.days > 31.5

    def bend(size):
        return np.sum(np.diff(strip_table(term, after, size).stripped_iv, 2) ** 2)

    theirs = minimize_scalar(bend, bounds=(0.0, 0.15), method="bounded", options={"xatol": 1e-9})
    assert least_rough(term, after) == pytest.approx(theirs.x, abs=1e-6)


def test_no_event_needed_is_a_size_of_nothing():
    term = flat(0.5, 0.0, [6, 13, 27, 34, 55, 83])
    sunken = term_structure(AT, term.expiries_ns, term.iv - 0.02 * (term.days > 30))
    assert least_rough(sunken, term.days > 30) == 0.0


def test_forward_volatility_of_a_bucket():
    """The Block, 2024-10-26: forward vol 72.29 from 1 to 8 November, 3.78% a day."""
    assert round(100 * daily_move(0.7229), 3) == 3.784
    assert round(forward_move(0.7229, 7.0, 0.0255), 3) == 0.074
    assert round(forward_move(0.7229, 7.0, 0.0240), 3) == 0.077
    assert 0.098 <= forward_move(0.74, 14.0, 0.0255) <= 0.114  # mid-September, 14 days
    assert math.isnan(forward_move(0.40, 7.0, 0.0255))


def test_what_cannot_be_had_is_nan():
    falling = flat(0.5, 0.0, [6, 13, 27])
    rising = term_structure(AT, falling.expiries_ns, np.array([0.4, 0.5, 0.6]))
    assert math.isnan(two_expiry(rising, 0, 1))
    assert math.isnan(flat_base(falling, AT + DAY_NS))  # no expiry before it
    assert math.isnan(flat_base(falling, AT + 30 * DAY_NS))  # none after it
    steep = term_structure(AT, falling.expiries_ns, np.array([0.9, 0.4, 0.5]))
    assert math.isnan(flat_base(steep, AT + 10 * DAY_NS))
    for flags in ([False] * 3, [True] * 3):
        assert math.isnan(least_rough(falling, np.array(flags)))


def test_bad_input_is_refused():
    term = flat(0.5, 0.05, [0.25, 13, 27])
    after = np.array([False, True, True])
    for call, words in (
        (lambda: strip_table(term, after, 8.0), r"\.08 for 8%"),
        (lambda: strip_table(term, after[:2], 0.08), "for each expiry"),
        (lambda: strip_table(term, np.array([0.0, 1.0, 1.0]), 0.08), "for each expiry"),
        (lambda: strip_table(term, np.array([True, False, True]), 0.08), "every expiry after"),
        (lambda: strip_table(term, after, 0.08, whole_days=True), "later date"),
        (lambda: two_expiry(term, 2, 1), "nearer first"),
        (lambda: two_expiry(term, 0, 3), "nearer first"),
    ):
        with pytest.raises(InputError, match=words):
            call()
