"""Simulated term structures hold what they say: events, weekends, expiries, noise."""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.premium.day_weights import DAY_NS, weighted_days
from eventtape.simulate.premium_surfaces import DESIGNS, EXPIRIES, premium_surface


@pytest.mark.parametrize("design", DESIGNS)
def test_the_events_are_all_there_is_between_a_surface_and_its_base(design):
    surface = premium_surface(2, design, size=0.05, fomc=0.03)
    days = surface.term.days / 365
    extra = (surface.iv**2 - surface.base_iv**2) * days
    meetings = np.array([0] * 7 + [1, 1, 2, 3, 4, 6, 8])
    election = np.array([0] * 7 + [1] * 7)
    np.testing.assert_allclose(
        extra, 0.05**2 * election + 0.03**2 * meetings, rtol=1e-9, atol=1e-15
    )


def test_the_base_runs_on_weighted_days_where_it_is_flat():
    """Over one day the base hardly moves: a quiet Saturday is quiet by its weight."""
    surface = premium_surface(3, "misspecified", noise=0.0)
    assert 0.5 <= surface.weekend <= 1.0
    ends = surface.term.expiries_ns
    clock = weighted_days(surface.term.at_ns, ends, weekend=surface.weekend)
    a_day = surface.base_iv**2 * surface.term.days / 365 / clock
    assert np.abs(np.diff(np.log(a_day[:4]))).max() < 0.05
    plain = surface.base_iv[:4] ** 2
    assert np.abs(np.diff(np.log(plain))).max() > 0.05


def test_noise_is_as_large_as_its_stated_error_and_seeds_repeat():
    z = [
        (s.term.iv - s.iv) / s.term.error
        for s in (premium_surface(i, noise=0.01) for i in range(60))
    ]
    assert np.std(z) == pytest.approx(1.0, abs=0.06)
    one, two = premium_surface(7), premium_surface(7)
    np.testing.assert_array_equal(one.term.iv, two.term.iv)
    assert not np.array_equal(one.term.iv, premium_surface(8).term.iv)


def test_the_listing_and_a_listing_of_ones_own():
    term = premium_surface(1).term
    assert term.iv.size == len(EXPIRIES)
    assert term.days[7] == pytest.approx(34 + 1 / 3)
    own = premium_surface(1, at="2024-11-04T06:00Z", expiries=("2024-11-08", "2024-11-29")).term
    assert own.at_ns == parse_ns("2024-11-04T06:00Z")
    assert ((own.expiries_ns - own.at_ns) / DAY_NS).tolist() == pytest.approx(
        [4 + 1 / 12, 25 + 1 / 12]
    )


def test_an_unknown_design_is_refused():
    with pytest.raises(InputError, match="matched, misspecified"):
        premium_surface(1, "smooth")
