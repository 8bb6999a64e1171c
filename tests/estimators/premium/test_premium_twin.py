"""The premium's kernel against the same posterior by quadrature and stacked least squares."""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.clock import parse_ns
from eventtape.estimators.premium.event_premium import event_premium, events_at
from eventtape.estimators.premium.term_structure import term_structure
from eventtape.simulate.premium_surfaces import premium_surface
from twins import plain_premium

FIELDS = (
    "variance", "variance_error", "size", "lower", "upper", "base_iv", "base_lower", "base_upper",
    "fitted_iv", "weekend", "roughness", "misfit",
)  # fmt: skip
GRID = np.linspace(0.3, 1.1, 4)
EVEN = np.zeros(4)


def counts_of(surface):
    later = surface.term.expiries_ns[:, None] > surface.events.times_ns
    kinds = np.array(surface.events.kinds)
    return np.column_stack([later[:, kinds == kind].sum(1) for kind in ("election", "fomc")])


@pytest.mark.parametrize(("seed", "design"), [(1, "matched"), (2, "misspecified")])
def test_the_kernel_is_the_slow_posterior(seed, design):
    surface = premium_surface(seed, design)
    fast = event_premium(surface.term, surface.events, weekend=GRID)
    slow = plain_premium.premium(surface.term, counts_of(surface), GRID, EVEN)
    for field in FIELDS:
        np.testing.assert_allclose(getattr(fast, field), slow[field], rtol=1e-10, err_msg=field)


def test_the_kernel_is_the_slow_posterior_with_a_known_kind_and_one_weekend_weight():
    surface = premium_surface(3, "misspecified")
    size, sd = 0.02, 0.005
    square = size**2 + sd**2, np.sqrt(4 * size**2 * sd**2 + 2 * sd**4)
    fast = event_premium(
        surface.term, surface.events, weekend=np.array([0.6]), known={"fomc": (size, sd)}, level=0.8
    )
    slow = plain_premium.premium(
        surface.term, counts_of(surface), [0.6], [0.0], known=[None, square], level=0.8
    )
    for field in FIELDS:
        np.testing.assert_allclose(getattr(fast, field), slow[field], rtol=1e-10, err_msg=field)


def test_the_kernel_is_the_slow_posterior_from_the_middle_of_a_weekend_on_few_expiries():
    at = parse_ns("2024-10-06T13:17Z")
    expiries = [parse_ns(f"2024-{day}T08:00Z") for day in ("10-07", "10-11", "11-08", "12-27")]
    term = term_structure(at, np.array(expiries), np.array([0.45, 0.5, 0.56, 0.55]))
    events = events_at([parse_ns("2024-11-05T23:00Z")], ["election"])
    counts = np.array([[0.0], [0.0], [1.0], [1.0]])
    fast, slow = (
        event_premium(term, events, weekend=GRID),
        plain_premium.premium(term, counts, GRID, EVEN),
    )
    for field in FIELDS:
        np.testing.assert_allclose(getattr(fast, field), slow[field], rtol=1e-10, err_msg=field)
