"""The grid of moves against the worth of each cell by itself, and the roots of a profit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from eventtape.arrays import Status
from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.positions.legs import (
    calendar_strangle,
    combine,
    long_option,
    strangle,
    times,
)
from eventtape.estimators.positions.scenarios import (
    break_evens,
    extremes,
    scenario_grid,
    term_shifts,
)
from eventtape.estimators.positions.value import DAY_NS, position_value

AT, NEAR = parse_ns("2024-10-05T00:00Z"), parse_ns("2024-11-08T08:00Z")
FAR = parse_ns("2025-03-28T08:00Z")
SPOTS, VOLS = np.array([-0.5, -0.1, 0.0, 0.07, 0.6]), np.array([-0.6, -0.05, 0.0, 0.3])
FORWARD = 62e3


def seed_position(*, inverse=False):
    near = strangle(55e3, 72e3, NEAR, (0.5523, 0.56), inverse=inverse)
    far = strangle(65e3, 75e3, FAR, 0.5778, inverse=inverse)
    return calendar_strangle(near, far, (-3.0, 1.0))


def cell_by_cell(held, shifts, at_ns, opened_ns, carry, marks):
    paid = position_value(held, FORWARD, opened_ns, carry=carry)
    return np.array(
        [
            [
                [
                    position_value(
                        held, FORWARD * (1 + spot), at_ns,
                        vol=np.maximum(marks + move + shift, 0.0), carry=carry,
                    )
                    - paid
                    for spot in SPOTS
                ]
                for move in VOLS
            ]
            for shift in shifts
        ]
    )  # fmt: skip


@pytest.mark.parametrize("inverse", [False, True], ids=["dollars", "coins"])
@pytest.mark.parametrize("at_ns", [AT, NEAR - DAY_NS, NEAR], ids=["onset", "day before", "expiry"])
def test_each_cell_is_the_position_there(at_ns, inverse):
    held, carry = seed_position(inverse=inverse), np.array([1.0, 1.0, 1.03, 1.03])
    shifts = np.array([[0.0, 0.0, 0.0, 0.0], [0.1, 0.1, 0.02, 0.03]])
    marks = np.array([0.5, 0.51, 0.55, 0.56])
    options = {"forward": FORWARD, "term_moves": shifts, "carry": carry, "opened_ns": AT}
    grid = scenario_grid(held, SPOTS, VOLS, at_ns, **options, vols=marks)
    twin = cell_by_cell(held, shifts, at_ns, AT, carry, marks)
    size = np.abs(held.quantity).sum() * (1.0 if inverse else FORWARD)
    assert grid.shape == (2, 4, 5)
    np.testing.assert_allclose(grid, twin, rtol=0, atol=1e-12 * size)


def test_without_moves_nothing_is_made_but_what_time_takes():
    held = seed_position()
    assert scenario_grid(held, [0.0], [0.0], AT, forward=FORWARD).item() == pytest.approx(
        0, abs=1e-9
    )
    later = scenario_grid(held, [0.0], [0.0], NEAR, forward=FORWARD, opened_ns=AT).item()
    worth = [position_value(held, FORWARD, t) for t in (AT, NEAR)]
    assert later == pytest.approx(worth[1] - worth[0])
    free = scenario_grid(held, [0.0], [0.0], NEAR, forward=FORWARD, premium=0.0).item()
    assert free == pytest.approx(worth[1])


def test_a_shock_falls_off_with_the_root_of_time():
    """All of it at 30 days, half at 120, and no more than sqrt(30) of it on the last day."""
    days = [30, 120, 0.25]
    held = combine(*(long_option(60e3, AT + int(d * DAY_NS), 0.5) for d in days))
    shifts = term_shifts(held, [0.0, 0.1], AT)
    np.testing.assert_allclose(shifts, [[0, 0, 0], [0.1, 0.05, 0.1 * 30**0.5]])
    given = [[0.1, -0.1, 0.0]]
    np.testing.assert_array_equal(term_shifts(held, given, AT), given)


def test_worst_and_best_cell_say_where_they_are():
    grid = np.zeros((2, 4, 5))
    grid[1, 2, 3], grid[0, 1, 4], grid[1, 1, 4] = -7.0, 3.0, 3.0
    found = extremes(grid, SPOTS, VOLS)
    assert found.worst == (0.07, 0.0, 1, -7.0)
    assert found.best == (0.6, -0.05, 0, 3.0)
    grid[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="finite profits"):
        extremes(grid, SPOTS, VOLS)
    with pytest.raises(InputError, match=r"wanted a grid of shape \(n_terms, 5, 4\)"):
        extremes(grid, VOLS, SPOTS)


def test_break_evens_of_a_straddle_are_strike_and_premium():
    held = strangle(60e3, 60e3, NEAR, 0.5)
    found = break_evens(held, NEAR, forward=FORWARD, opened_ns=AT, premium=5e3)
    np.testing.assert_allclose(found.prices, [55e3, 65e3], rtol=1e-13)
    np.testing.assert_array_equal(found.direction, [-1, 1])
    assert found.lowest == pytest.approx(-5e3)
    assert found.lowest_at == 60e3
    assert (found.highest_at, found.status) == (4 * FORWARD, Status.OK)
    sold = break_evens(times(held, -1.0), NEAR, forward=FORWARD, opened_ns=AT, premium=-5e3)
    np.testing.assert_array_equal(sold.direction, [1, -1])


def test_all_roots_of_a_profit_with_many():
    """Losing in the middle and in both wings, gaining between."""
    held = combine(
        times(strangle(50e3, 50e3, NEAR, 0.5), -1.0),
        times(strangle(70e3, 70e3, NEAR, 0.5), -1.0),
        times(strangle(60e3, 60e3, NEAR, 0.5), 2.0),
        times(strangle(30e3, 90e3, NEAR, 0.5), -3.0),
    )
    found = break_evens(held, NEAR, forward=FORWARD, premium=-1e4)

    def pnl(price):
        return float(position_value(held, price, NEAR)) + 1e4

    for root, (low, high) in zip(
        found.prices, [(20e3, 40e3), (50e3, 60e3), (60e3, 70e3), (80e3, 120e3)], strict=True
    ):
        assert root == pytest.approx(brentq(pnl, low, high, xtol=1e-9), rel=1e-12)


@pytest.mark.parametrize("inverse", [False, True], ids=["dollars", "coins"])
def test_the_mound_of_the_seed(inverse):
    """Between two break-evens it gains, out of them it loses; steeper below in coins."""
    held = seed_position(inverse=inverse)
    found = break_evens(held, NEAR - DAY_NS, forward=FORWARD, opened_ns=AT)
    np.testing.assert_array_equal(found.direction, [1, -1])
    low, high = found.prices
    assert low < 55e3
    assert high > 72e3
    assert found.highest > 0 > found.lowest
    if inverse:
        assert found.lowest_at == 0.25 * FORWARD


def test_a_profit_of_nothing_is_no_root():
    held = long_option(200e3, NEAR, 0.3)
    found = break_evens(held, NEAR, forward=FORWARD, premium=0.0)
    assert found.status is Status.NOT_IDENTIFIED
    assert not found.prices.size


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spot_moves": [-1.0]}, "a share above -1"),
        ({"spot_moves": [np.nan]}, "finite moves"),
        ({"vol_moves": []}, "finite moves"),
        ({"vol_moves": [5.0]}, ".05 for five points"),
        ({"term_moves": [np.nan]}, ".05 for five points"),
        ({"term_moves": [[0.1, 0.2]]}, r"shifts \(n_terms, 4\)"),
        ({"at_ns": NEAR + 1}, "no later than the first expiry"),
        ({"opened_ns": AT + 1}, "no earlier than the opening"),
        ({"forward": -1.0}, "a price above 0"),
        ({"carry": [1.0, 2.0]}, "one for each of 4 legs"),
        ({"vols": [0.5, 0.5]}, "one for each of 4 legs"),
        ({"vols": 55.0}, ".55 for 55%"),
        ({"premium": np.nan}, "a finite premium"),
    ],
    ids=[
        "no price", "nan", "none", "percent", "nan shock", "shifts", "late", "early", "negative",
        "carry", "vols", "percent vols", "premium",
    ],
)  # fmt: skip
def test_what_a_grid_refuses(change, message):
    good = {"spot_moves": [0.0], "vol_moves": [0.0], "at_ns": AT, "forward": FORWARD}
    with pytest.raises(InputError, match=message):
        scenario_grid(seed_position(), **(good | change))


def test_break_evens_refuse_ends_that_are_none():
    with pytest.raises(InputError, match="below the high"):
        break_evens(seed_position(), AT, forward=FORWARD, low=80e3, high=70e3)
