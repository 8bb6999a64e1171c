"""Risks as numbers, each by a second road: differences, integrals, simulated paths."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from eventtape.arrays import Status
from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.positions.leg_marks import law_vols
from eventtape.estimators.positions.legs import calendar_strangle, long_option, strangle, times
from eventtape.estimators.positions.margin import standard_margin
from eventtape.estimators.positions.margin_risk import margin_call, path_margin_calls
from eventtape.estimators.positions.move_law import (
    expected_variance,
    move_law,
    normal_event,
    price_law,
    probability_below,
)
from eventtape.estimators.positions.paths import simulate_paths
from eventtape.estimators.positions.points import DAY_NS
from eventtape.estimators.positions.risks import gap_risk, greek_risks, pin_risk
from eventtape.estimators.positions.scenarios import scenario_grid
from eventtape.estimators.positions.value import position_greeks, position_value

AT, NEAR = parse_ns("2024-10-05T00:00Z"), parse_ns("2024-11-08T08:00Z")
FAR, VOTE = parse_ns("2025-03-28T08:00Z"), parse_ns("2024-11-05T23:00Z")
FORWARD, CARRY = 62e3, np.array([1.0, 1.0, 1.02, 1.02])
LAW = move_law(0.45, (normal_event(VOTE, 0.08),))


def seed_position(*, inverse=False):
    near = strangle(55e3, 72e3, NEAR, 0.5523, inverse=inverse)
    return calendar_strangle(near, strangle(65e3, 75e3, FAR, 0.5778, inverse=inverse), (-3.0, 1.0))


def fair(*, inverse=False):
    held = seed_position(inverse=inverse)
    return held._replace(vol=law_vols(held, LAW, forward=FORWARD, at_ns=AT, carry=CARRY))


@pytest.mark.parametrize("inverse", [False, True], ids=["dollars", "coins"])
def test_sensitivities_are_slopes_of_the_grid(inverse):
    held = seed_position(inverse=inverse)
    found = greek_risks(held, FORWARD, AT, carry=CARRY)
    h = 1e-5

    def slope(**moves):
        up, down = (
            scenario_grid(
                held, [0.0], [sign * moves.get("vol", 0.0)], AT, forward=FORWARD, carry=CARRY,
                term_moves=sign * np.asarray(moves.get("term", [0.0])),
            ).item()
            for sign in (h, -h)
        )  # fmt: skip
        return (up - down) / (2 * h) * 0.01

    assert found.vega == pytest.approx(slope(vol=1.0), rel=1e-6)
    assert found.weighted_vega == pytest.approx(slope(term=[1.0]), rel=1e-6)
    assert found.steepener == pytest.approx(slope(term=[[-0.5, -0.5, 0.5, 0.5]]), rel=1e-6)
    assert found.expiry_vega[0] == pytest.approx(slope(term=[[1.0, 1.0, 0.0, 0.0]]), rel=1e-6)
    np.testing.assert_array_equal(found.expiries_ns, [NEAR, FAR])
    deltas = position_greeks(held, FORWARD * np.array([1 - h, 1 + h]), AT, carry=CARRY).delta
    unit = 1.0 if inverse else FORWARD
    assert found.dollar_gamma == pytest.approx(np.diff(deltas)[0] / (2 * h) * unit / 100, rel=1e-6)
    assert found.theta == float(position_greeks(held, FORWARD, AT, carry=CARRY).theta)


def test_the_seeds_ratio_leaves_little_parallel_vega_and_much_of_the_slope():
    found = greek_risks(seed_position(), FORWARD, AT)
    assert abs(found.vega) < 0.02 * abs(found.expiry_vega[0])
    assert found.weighted_vega < -0.4 * abs(found.expiry_vega[0])
    assert found.steepener > abs(found.expiry_vega[0]) * 0.95


def test_one_expiry_has_no_slope():
    found = greek_risks(strangle(55e3, 72e3, NEAR, 0.5), FORWARD, AT)
    assert math.isnan(found.steepener)
    assert found.vega == pytest.approx(found.expiry_vega[0])


def test_a_gap_held_before_anything_can_be_done():
    held = seed_position()
    found = gap_risk(held, FORWARD, AT, 0.08, carry=CARRY)
    np.testing.assert_allclose(found.log_moves, [-0.24, -0.16, -0.08, 0.08, 0.16, 0.24])
    prices = FORWARD * np.exp(found.log_moves)
    before = position_value(held, FORWARD, AT, carry=CARRY)
    np.testing.assert_allclose(
        found.pnl, position_value(held, prices, AT, carry=CARRY) - before, rtol=1e-12
    )
    left = np.array([(t - AT) / (365 * DAY_NS) for t in (NEAR, NEAR, FAR, FAR)])
    calm = np.sqrt(held.vol**2 - 0.08**2 / left)
    after = position_value(held, prices, AT, vol=calm, carry=CARRY) - before
    np.testing.assert_allclose(found.pnl_after, after, rtol=1e-12)
    assert found.status is Status.OK


def test_a_gap_larger_than_what_the_options_hold():
    found = gap_risk(strangle(62e3, 62e3, NEAR, 0.2), FORWARD, AT, 0.08)
    assert found.status is Status.NOT_IDENTIFIED
    assert np.isnan(found.pnl_after).all()
    assert np.isfinite(found.pnl).all()


def test_a_pin_by_integration_and_by_paths():
    held = fair()
    found = pin_risk(held, LAW, forward=FORWARD, opened_ns=AT, within=0.03, carry=CARRY)
    np.testing.assert_array_equal(found.strikes, [55e3, 72e3])
    np.testing.assert_array_equal(found.delta_jump, [-3.0, -3.0])
    sd = math.sqrt(expected_variance(LAW, AT, NEAR) + 0.08**2)
    edges = np.multiply.outer(found.strikes, [0.97, 1.03])
    mass = np.diff(norm.cdf(np.log(edges / FORWARD) / sd + sd / 2), axis=1)[:, 0]
    np.testing.assert_allclose(found.probability, mass, rtol=1e-12)
    walked = simulate_paths(
        held, LAW, forward=FORWARD, opened_ns=AT, until_ns=NEAR, carry=CARRY, paths=20_000, steps=4
    )
    for row, strike in enumerate(found.strikes):
        inside = np.abs(walked.price / strike - 1.0) < 0.03
        n = inside.sum()
        assert inside.mean() == pytest.approx(mass[row], abs=4 * math.sqrt(mass[row] / 20_000))
        pnl = walked.pnl[inside]
        assert found.mean[row] == pytest.approx(pnl.mean(), abs=4 * pnl.std() / math.sqrt(n))
        assert found.sd[row] == pytest.approx(pnl.std(), rel=0.1)


def test_nothing_sold_nothing_to_pin():
    found = pin_risk(strangle(55e3, 72e3, NEAR, 0.5), move_law(0.5), forward=FORWARD, opened_ns=AT)
    assert found.strikes.shape == found.sd.shape == (0,)


def test_margin_of_a_sold_put_is_called_at_a_price_known():
    """At expiry: deposit + premium - (K - S) falls below 2,000 at S = K + 2,000 - deposit - ..."""
    sold = times(long_option(60e3, NEAR, 0.5, is_call=False), -1.0)
    states = price_law(LAW, AT, NEAR)
    found = margin_call(
        sold, lambda spot, _move, _at: np.full(spot.shape, 2e3), deposit=8e3, forward=FORWARD,
        at_ns=NEAR, opened_ns=AT, premium=-3e3, states=states,
    )  # fmt: skip
    np.testing.assert_allclose(found.upper, [51e3], rtol=1e-12)
    np.testing.assert_allclose(found.lower, [0.25 * FORWARD])
    assert found.probability == pytest.approx(float(probability_below(51e3, FORWARD, states)))
    assert found.excess == pytest.approx(8e3 + 3e3 - 2e3)


def test_margin_is_called_on_both_sides_of_a_sold_strangle():
    held = fair()

    def margin(spot, move, at_ns):
        rule = standard_margin(held, spot, at_ns, vol=held.vol + move, carry=CARRY)
        return rule.maintenance

    law = price_law(LAW, AT, VOTE - 1)
    options = {"deposit": 40e3, "forward": FORWARD, "at_ns": VOTE - 1, "states": law}
    found = margin_call(held, margin, **options, opened_ns=AT, carry=CARRY)
    assert found.lower.size == found.upper.size == 2
    assert found.upper[0] < 55e3
    assert found.lower[1] > 72e3
    for price in (found.upper[0], found.lower[1]):
        grid = scenario_grid(
            held, [price / FORWARD - 1], [0.0], VOTE - 1, forward=FORWARD, opened_ns=AT, carry=CARRY
        )
        needed = margin(np.array([price]), 0.0, VOTE - 1)[0]
        assert 40e3 + grid.item() == pytest.approx(needed, rel=1e-9)
    inner = np.diff(probability_below([found.upper[0], found.lower[1]], FORWARD, law))[0]
    assert found.probability == pytest.approx(1 - inner, abs=1e-12)
    none = margin_call(held, margin, **(options | {"deposit": 1e7}), opened_ns=AT, carry=CARRY)
    assert (none.lower.size, none.probability) == (0, 0.0)
    always = margin_call(held, margin, **(options | {"deposit": -1e6}), opened_ns=AT, carry=CARRY)
    assert always.probability == 1.0
    assert always.excess < 0


def test_paths_whose_equity_falls_below_margin():
    held = fair()
    options = {"forward": FORWARD, "opened_ns": AT, "until_ns": NEAR, "carry": CARRY}
    walked = simulate_paths(held, LAW, paths=300, steps=20, keep=True, **options)

    def margin(spot, _move, _at_ns):
        return 0.1 * spot

    found = path_margin_calls(walked, margin, deposit=12e3)
    short = 12e3 + walked.profits[:-1] < 0.1 * walked.prices[:-1]
    near_miss = np.abs(12e3 + walked.profits[:-1] - 0.1 * walked.prices[:-1]).min()
    assert near_miss > 1e-3  # else interpolation would decide
    np.testing.assert_array_equal(found.called, short.any(axis=0))
    first = np.where(short.any(axis=0), walked.times_ns[short.argmax(axis=0)], -1)
    np.testing.assert_array_equal(found.first_ns, first)
    assert found.share.happened == short.any(axis=0).sum()
    bare = simulate_paths(held, LAW, paths=3, steps=2, **options)
    with pytest.raises(InputError, match="keep=True"):
        path_margin_calls(bare, margin, deposit=1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: greek_risks(seed_position(), FORWARD, NEAR), "an expiry after"),
        (lambda: gap_risk(seed_position(), FORWARD, AT, 8.0), ".08 for 8%"),
        (lambda: gap_risk(seed_position(), FORWARD, AT, 0.1, multiples=[]), "above 0"),
        (
            lambda: pin_risk(fair(), LAW, forward=FORWARD, opened_ns=AT, within=2.0),
            ".02 for 2%",
        ),
        (
            lambda: pin_risk(fair(), move_law(0.0), forward=FORWARD, opened_ns=AT),
            "under which the price moves",
        ),
        (
            lambda: margin_call(
                fair(), lambda spot, _move, _at: spot, deposit=math.nan, forward=FORWARD, at_ns=AT,
                states=price_law(LAW, AT, NEAR),
            ),
            "a finite deposit",
        ),
    ],
    ids=["expired", "percent", "multiples", "band", "still", "deposit"],
)  # fmt: skip
def test_what_risks_refuse(call, message):
    with pytest.raises(InputError, match=message):
        call()
