"""The size of an event with its interval: exact cases, what cannot be known, and the door."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.premium.day_weights import DAY_NS, session_days, weighted_days
from eventtape.estimators.premium.event_premium import event_premium, events_at
from eventtape.estimators.premium.term_structure import term_structure
from eventtape.simulate.premium_surfaces import premium_surface

AT = parse_ns("2024-10-05T00:00Z")
DAYS = np.array([3.0, 6.0, 13.0, 20.0, 27.0, 34.0, 55.0, 83.0, 118.0])
EVENT = 31.9
PLAIN = np.ones(1)  # the weekend as any other day, and no other weight averaged over


def market(base=0.5, days=DAYS, noise=0.0, clock=None, at=AT, **kinds):
    """A flat base (on ``clock``) with events: kind=(size, [days]); and those events."""
    days = np.asarray(days, float)
    expiries = at + np.round(days * DAY_NS).astype(np.int64)
    variance = base**2 * (days if clock is None else clock(at, expiries)) / 365
    times, names = [], []
    for kind, (size, when) in kinds.items():
        for day in when:
            variance = variance + size**2 * ((days > day) & (day >= 0))
            times.append(at + int(day * DAY_NS))
            names.append(kind)
    iv = np.sqrt(variance / days * 365)
    iv = iv + noise * np.random.default_rng(0).standard_normal(iv.size)
    error = np.full(iv.size, noise) if noise else None
    return term_structure(at, expiries, iv, error), events_at(times, names)


def same(one, two, rtol=1e-9):
    for field, value in one._asdict().items():
        other = getattr(two, field)
        if isinstance(value, np.ndarray | float):
            np.testing.assert_allclose(value, other, rtol=rtol, atol=1e-300, err_msg=field)
        else:
            assert value == other, field


def test_a_flat_base_and_one_event_come_back_exactly():
    found = event_premium(*market(election=(0.08, [EVENT])), weekend=PLAIN)
    assert found.status is Status.OK
    assert found.kinds == ("election",)
    assert found.counts.tolist() == [1]
    np.testing.assert_allclose(found.variance, 0.0064, rtol=1e-9)
    np.testing.assert_allclose(found.base_iv, 0.5, rtol=1e-9)
    assert found.daily == pytest.approx(0.5 / np.sqrt(365), rel=1e-9)
    assert found.misfit < 1e-12
    assert found.lower[0] < found.size[0] < found.upper[0]
    assert found.size[0] == pytest.approx(0.08, rel=1e-3)  # the median of the root, not its mean
    assert (found.base_lower < found.base_iv).all()
    assert (found.base_iv < found.base_upper).all()


def test_an_event_of_nothing_is_told_from_none_by_nothing():
    found = event_premium(*market(noise=1e-4, election=(0.0, [EVENT])), weekend=PLAIN)
    assert found.lower[0] == 0.0
    assert found.statuses == (Status.OK,)
    assert "reaches 0" in found.reasons[0]
    assert 0.0 < found.size[0] < found.upper[0] < 0.03


def test_meetings_share_a_size():
    """Two before one expiry count twice there; the sum is what w sees, n e^2."""
    found = event_premium(*market(fomc=(0.03, [15, 40, 50, 100])), weekend=PLAIN)
    assert found.counts.tolist() == [4]
    np.testing.assert_allclose(found.variance, 0.0009, rtol=1e-8)


@pytest.mark.parametrize("c", [0.25, 4.0])
def test_vols_and_errors_times_c_are_sizes_times_c(c):
    surface = premium_surface(5, "misspecified")
    term = surface.term
    if c > 1:
        term = term._replace(iv=term.iv / 4, error=term.error / 4)
    scaled = term._replace(iv=c * term.iv, error=c * term.error)
    one, two = (event_premium(t, surface.events) for t in (term, scaled))
    for field in ("size", "lower", "upper", "base_iv", "base_lower", "fitted_iv", "daily"):
        np.testing.assert_allclose(
            getattr(two, field), c * np.array(getattr(one, field)), rtol=1e-9
        )
    for field in ("weekend", "roughness", "misfit"):
        assert getattr(two, field) == pytest.approx(getattr(one, field), rel=1e-9)


def test_weeks_later_is_the_same():
    surface = premium_surface(5, "misspecified")
    week = 7 * DAY_NS
    later = surface.term._replace(
        at_ns=surface.term.at_ns + week, expiries_ns=surface.term.expiries_ns + week
    )
    events = surface.events._replace(times_ns=surface.events.times_ns + week)
    same(event_premium(surface.term, surface.events), event_premium(later, events), 1e-8)


def test_given_arrays_may_be_read_only_and_are_left_alone():
    term, events = market(election=(0.08, [EVENT]), fomc=(0.02, [33, 60]))
    kept = [array.copy() for array in (term.expiries_ns, term.iv, term.error, events.times_ns)]
    for array in (term.expiries_ns, term.iv, term.error, events.times_ns):
        array.flags.writeable = False
    same(event_premium(term, events), event_premium(term, events), 0.0)
    for array, copy in zip(
        (term.expiries_ns, term.iv, term.error, events.times_ns), kept, strict=True
    ):
        np.testing.assert_array_equal(array, copy)


def test_two_kinds_in_one_bucket_are_a_ridge_and_never_two_numbers():
    term, events = market(election=(0.08, [EVENT]), fomc=(0.02, [33.8]))
    found = event_premium(term, events, weekend=PLAIN)
    assert found.statuses == (Status.NOT_IDENTIFIED,) * 2
    for column in found[2:7]:
        assert np.isnan(column).all()
    (ridge,) = found.ridges
    assert ridge.kinds == ("election", "fomc")
    assert (ridge.after_ns, ridge.before_ns) == tuple(events.times_ns)
    assert "only its sum with fomc is known" in found.reasons[0]
    assert "2024-11-05T21:36Z and 2024-11-07T19:12Z would part them" in found.reasons[0]
    assert found.status is Status.NOT_IDENTIFIED
    # The sum has the law of one event in that bucket, interval and all.
    single = events_at(events.times_ns[:1], ["both"])
    one = event_premium(term, single, weekend=PLAIN)
    assert ridge[1:4] == pytest.approx((one.size[0], one.lower[0], one.upper[0]), rel=1e-12)
    assert one.variance[0] == pytest.approx(0.08**2 + 0.02**2, rel=1e-9)
    np.testing.assert_allclose(found.base_iv, one.base_iv, rtol=1e-12)


def test_the_ridge_of_several_meetings_is_the_size_of_all_their_variance():
    term, events = market(election=(0.08, [EVENT]), fomc=(0.02, [28.0, 33.8]))
    found = event_premium(term, events, weekend=PLAIN)
    (ridge,) = found.ridges
    both = event_premium(term, events_at(events.times_ns[:1], ["all"]), weekend=PLAIN)
    assert both.variance[0] == pytest.approx(0.08**2 + 2 * 0.02**2, rel=1e-9)
    assert ridge.size == pytest.approx(both.size[0], rel=1e-12)


def test_the_listing_that_the_ridge_asks_for_parts_it():
    sizes = {"election": (0.08, [EVENT]), "fomc": (0.02, [33.8])}
    (ridge,) = event_premium(*market(**sizes), weekend=PLAIN).ridges
    day = (0.5 * (ridge.after_ns + ridge.before_ns) - AT) / DAY_NS
    found = event_premium(*market(days=np.sort([*DAYS, day]), **sizes), weekend=PLAIN)
    assert found.ridges == ()
    assert found.statuses == (Status.OK,) * 2
    np.testing.assert_allclose(found.variance, [0.0064, 0.0004], rtol=1e-8)


def test_another_meeting_elsewhere_parts_them_and_the_reason_says_how_well():
    surface = premium_surface(1)
    found = event_premium(surface.term, surface.events)
    assert found.ridges == ()
    assert found.statuses == (Status.OK,) * 2
    assert "known mainly as a sum with one fomc, together 8." in found.reasons[0]
    assert found.upper[0] - found.lower[0] > 0.02


def test_what_is_known_of_a_kind_narrows_the_other():
    surface = premium_surface(1)
    alone = event_premium(surface.term, surface.events)
    known = event_premium(surface.term, surface.events, known={"fomc": (0.02, 0.005)})
    width = [one.upper[0] - one.lower[0] for one in (alone, known)]
    assert width[1] < 0.5 * width[0]
    assert known.lower[0] < 0.08 < known.upper[0]


def test_a_kind_known_exactly_is_taken_out_of_the_vols():
    """Also in a bucket they share: nothing is left of the ridge."""
    term, events = market(election=(0.08, [EVENT]), fomc=(0.02, [33.8]))
    known = event_premium(term, events, weekend=PLAIN, known={"fomc": (0.02, 0.0)})
    assert known.ridges == ()
    np.testing.assert_allclose(known.variance, [0.0064, 0.0004], rtol=1e-6)


def test_an_event_after_the_last_expiry_is_not_identified_and_changes_nothing():
    term, events = market(election=(0.08, [EVENT]))
    times = [*events.times_ns, AT + 200 * DAY_NS]
    found = event_premium(term, events_at(times, ["election", "fomc"]))
    alone = event_premium(term, events)
    assert found.statuses == (Status.OK, Status.NOT_IDENTIFIED)
    assert "after the last expiry, 2025-01-31T00:00Z" in found.reasons[1]
    assert found.counts.tolist() == [1, 0]
    assert found.size[0] == alone.size[0]
    np.testing.assert_array_equal(found.base_iv, alone.base_iv)


def test_an_event_that_is_over_is_not_identified():
    term, events = market(election=(0.08, [EVENT]))
    events = events_at([AT - DAY_NS, *events.times_ns], ["cpi", "election"])
    found = event_premium(term, events)
    assert found.statuses == (Status.NOT_IDENTIFIED, Status.OK)
    assert "it is over" in found.reasons[0]


def test_a_term_structure_without_events_is_a_base():
    term, _ = market(noise=1e-3)
    found = event_premium(term, events_at([], []))
    assert found.status is Status.OK
    assert found.size.shape == (0,)
    assert np.isnan(found.daily)
    np.testing.assert_allclose(found.base_iv, found.fitted_iv, rtol=1e-12)
    np.testing.assert_allclose(found.base_iv, 0.5, rtol=5e-3)


@pytest.mark.parametrize(
    ("n", "status"), [(1, Status.TOO_FEW), (2, Status.TOO_FEW), (3, Status.OK)]
)
def test_too_few_expiries_are_refused(n, status):
    found = event_premium(*market(days=DAYS[4 : 4 + n], election=(0.08, [27.5 * (n > 1)])))
    assert found.status is status
    if status is Status.TOO_FEW:
        assert "3 expiries at least for 1 unknown sizes" in found.reason
        assert found.statuses == (status,)
        for value in found[2:7]:
            assert np.isnan(value).all()
        assert np.isnan(found.base_iv).all()
        assert np.isnan(found.misfit)


def test_a_bucket_that_is_quieter_than_the_base_has_no_event():
    term, events = market(election=(0.0, [EVENT]))
    iv = term.iv - 0.05 * (term.days > EVENT)
    found = event_premium(term._replace(iv=iv), events, weekend=PLAIN)
    assert found.statuses == (Status.NOT_RESOLVED,)
    assert "below 0 by more than its error" in found.reasons[0]
    assert np.isnan([found.size[0], found.lower[0], found.upper[0]]).all()
    assert found.variance[0] < -3 * found.variance_error[0]


def test_a_base_that_falls_is_said():
    term, events = market(election=(0.08, [EVENT]))
    iv = term.iv * np.where(term.days < 10, 2.5, 1.0)
    found = event_premium(term._replace(iv=iv), events, weekend=PLAIN)
    assert found.status is Status.NOT_RESOLVED
    assert "falls in the bucket that ends at 2024-10-18" in found.reason


def test_errors_larger_than_stated_widen_the_interval_and_show_in_the_misfit():
    surface = premium_surface(8, noise=0.012)
    told = event_premium(surface.term, surface.events, known={"fomc": (0.02, 0.0)})
    small = surface.term._replace(error=surface.term.error / 4)
    short = event_premium(small, surface.events, known={"fomc": (0.02, 0.0)})
    assert short.misfit > 4.0
    assert short.upper[0] - short.lower[0] > 0.5 * (told.upper[0] - told.lower[0])


def test_a_higher_level_is_a_wider_interval():
    surface = premium_surface(4)
    found = [event_premium(surface.term, surface.events, level=level) for level in (0.5, 0.8, 0.95)]
    for one, two in pairwise(found):
        assert (two.lower <= one.lower).all()
        assert (one.upper < two.upper).all()
        assert (two.base_lower < one.base_lower).all()
        assert one.size[0] == pytest.approx(two.size[0], rel=1e-12)


def test_quiet_weekends_are_found_and_not_taken_for_bends():
    """Dailies over two weekends: the weight is known to a few hundredths."""

    def clock(at, expiries):
        return weighted_days(at, expiries, weekend=0.6)

    days = np.sort([*np.arange(1.0, 15.0), *DAYS[4:]])
    found = event_premium(*market(days=days, noise=1e-3, clock=clock, election=(0.08, [EVENT])))
    assert found.weekend_lower < 0.6 < found.weekend_upper
    assert found.weekend == pytest.approx(0.6, abs=0.1)
    assert found.size[0] == pytest.approx(0.08, rel=0.02)
    fixed = event_premium(
        *market(days=days, clock=clock, election=(0.08, [EVENT])), weekend=np.array([0.6])
    )
    np.testing.assert_allclose(fixed.variance, 0.0064, rtol=1e-8)
    bounds = (fixed.weekend, fixed.weekend_lower, fixed.weekend_upper)
    assert bounds == pytest.approx((0.6, 0.6, 0.6), rel=1e-12)


def test_the_grid_of_weekends_draws_together_where_the_quotes_know_the_weight():
    """As precise as a fine grid around the truth, which the default was not told of."""

    def clock(at, expiries):
        return weighted_days(at, expiries, weekend=0.62)

    days = np.sort([*np.arange(1.0, 15.0), *DAYS[4:]])
    term, events = market(days=days, noise=5e-4, clock=clock, election=(0.08, [EVENT]))
    found = event_premium(term, events)
    fine = event_premium(term, events, weekend=np.linspace(0.55, 0.70, 61))
    assert found.weekend == pytest.approx(fine.weekend, abs=1e-3)
    assert found.weekend_upper - found.weekend_lower < 0.1
    for field in ("size", "lower", "upper"):
        np.testing.assert_allclose(getattr(found, field), getattr(fine, field), rtol=5e-3)


def test_on_the_clock_of_sessions_a_session_base_is_flat():
    """Expiries at 21:00 UTC of Fridays; the base runs while New York trades."""
    at = parse_ns("2024-10-04T21:00Z")
    days = np.array([7.0, 14, 21, 28, 35, 42, 77, 105])
    term, events = market(base=0.16, days=days, at=at, clock=session_days, election=(0.02, [32]))
    clock = session_days(at, term.expiries_ns)
    found = event_premium(term, events, days=clock)
    np.testing.assert_allclose(found.variance, 0.0004, rtol=1e-7)
    assert np.isnan([found.weekend, found.weekend_lower, found.weekend_upper]).all()
    np.testing.assert_allclose(found.base_iv, 0.16 * np.sqrt(clock / term.days), rtol=1e-9)


def test_the_door():
    term, events = market(election=(0.08, [EVENT]), fomc=(0.02, [40]))
    backwards = events._replace(times_ns=events.times_ns[::-1])
    for change, words in (
        ({"events": backwards}, "rising order"),
        ({"events": events._replace(kinds=("a",))}, "a time and a kind"),
        ({"level": 95.0}, "level between"),
        ({"weekend": np.array([0.5, 0.4])}, "rising grid"),
        ({"weekend": np.array([4.0])}, "rising grid"),
        ({"weekend": np.array([])}, "rising grid"),
        ({"weekend": PLAIN, "days": term.days}, "not both"),
        ({"days": term.days[1:]}, "days of each expiry"),
        ({"days": np.maximum(term.days, 5.0) * (term.days > 4)}, "rise from above 0"),
        ({"known": {"cpi": (0.01, 0.01)}}, "a kind among election, fomc"),
        ({"known": {"fomc": (2.0, 0.5)}}, r"decimals: \(\.02, \.005\)"),
    ):
        with pytest.raises(InputError, match=words):
            event_premium(**{"term": term, "events": events, **change})
