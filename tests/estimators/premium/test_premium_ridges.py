"""Counts of events before each expiry, and the kinds that no expiry tells apart."""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.errors import InputError
from eventtape.estimators.premium.day_weights import DAY_NS
from eventtape.estimators.premium.ridges import event_counts, events_at, grouped, parting
from eventtape.estimators.premium.term_structure import term_structure

TERM = term_structure(0, np.array([7, 14, 28, 56]) * DAY_NS, np.full(4, 0.5))


def at_days(**kinds):
    times = [(int(day * DAY_NS), kind) for kind, days in kinds.items() for day in days]
    return events_at([t for t, _ in times], [k for _, k in times])


def members(events, given=()):
    kinds, counts = event_counts(TERM, events)
    found = grouped(counts, [kind in given for kind in kinds])
    return [tuple(kinds[k] for k in part.members) for part in found]


def test_counts_are_of_events_strictly_before_the_expiry_and_not_before_the_moment():
    kinds, counts = event_counts(TERM, at_days(a=[-1, 0, 7, 13.9, 60], b=[14]))
    assert kinds == ("a", "b")
    np.testing.assert_array_equal(counts, [[1, 0], [3, 0], [3, 1], [3, 1]])


def test_events_are_put_in_order_of_time():
    events = events_at([30, 10, 20], ["c", "a", "b"])
    assert events.kinds == ("a", "b", "c")
    assert events.times_ns.tolist() == [10, 20, 30]
    with pytest.raises(InputError, match="a time and a kind"):
        events_at([1, 2], ["a"])


def test_kinds_in_different_buckets_stand_alone():
    assert members(at_days(a=[10], b=[20])) == [("a",), ("b",)]


def test_kinds_in_one_bucket_are_a_ridge():
    assert members(at_days(a=[20], b=[21], c=[3])) == [("c",), ("a", "b")]


def test_proportional_counts_are_a_ridge_too():
    """One election, two meetings, all in one bucket: 1 and 2 times the same column."""
    events = at_days(a=[20], b=[15, 21])
    kinds, counts = event_counts(TERM, events)
    (part,) = grouped(counts, [False, False])
    assert {kinds[k] for k in part.members} == {"a", "b"}
    assert part.columns.shape == (4, 1)


def test_another_meeting_elsewhere_parts_them():
    assert members(at_days(a=[20], b=[21, 40])) == [("a",), ("b",)]


def test_three_kinds_of_which_two_make_up_the_third():
    """a sits in both buckets, b in the one and c in the other: a = b + c at every expiry."""
    events = at_days(a=[10, 20], b=[11], c=[21], d=[40])
    assert members(events) == [("a", "b", "c"), ("d",)]
    _, counts = event_counts(TERM, events)
    part = grouped(counts, [False] * 4)[0]
    assert part.columns.shape == (4, 2)


def test_a_known_kind_is_in_no_ridge():
    assert members(at_days(a=[20], b=[21]), given=("b",)) == [("a",), ("b",)]


def test_kinds_with_nothing_inside_are_left_out():
    assert members(at_days(a=[20], b=[70], c=[-5])) == [("a",)]


def test_the_listing_that_would_part_them():
    events = at_days(a=[20], b=[15, 21])
    after, before = parting(TERM, events, ("a", "b"))
    assert (after / DAY_NS, before / DAY_NS) == (15, 20)
    # with that expiry listed they are apart
    listed = term_structure(0, np.array([7, 14, 18, 28, 56]) * DAY_NS, np.full(5, 0.5))
    _, counts = event_counts(listed, events)
    assert len(grouped(counts, [False, False])) == 2


def test_an_expiry_at_the_second_moment_parts_them_and_at_the_first_does_not():
    events = at_days(a=[20], b=[21])
    for day, parts in ((20, 1), (20.01, 2), (21, 2), (21.01, 1)):
        expiries = np.array([7, 14, day, 28, 56]) * DAY_NS
        listed = term_structure(0, expiries.astype(np.int64), np.full(5, 0.5))
        _, counts = event_counts(listed, events)
        assert len(grouped(counts, [False, False])) == parts, day


def test_events_of_one_moment_no_listing_parts():
    assert parting(TERM, at_days(a=[20], b=[20]), ("a", "b")) == (20 * DAY_NS, 20 * DAY_NS)


def test_kinds_that_share_no_bucket_have_no_such_moments():
    with pytest.raises(InputError, match="in one bucket"):
        parting(TERM, at_days(a=[10], b=[20]), ("a", "b"))
