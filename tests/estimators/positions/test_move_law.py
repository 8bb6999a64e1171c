"""The price's law: mixtures against their own prices, and the volatilities they leave behind."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.positions.leg_marks import (
    later_vols,
    law_vols,
    leg_variance,
    state_prices,
)
from eventtape.estimators.positions.legs import calendar_strangle, strangle
from eventtape.estimators.positions.move_law import (
    expected_variance,
    move_law,
    normal_event,
    outcomes,
    price_law,
    probability_below,
    two_state_event,
)
from eventtape.estimators.positions.points import DAY_NS

AT, NEAR = parse_ns("2024-10-05T00:00Z"), parse_ns("2024-11-08T08:00Z")
FAR, VOTE = parse_ns("2025-03-28T08:00Z"), parse_ns("2024-11-05T23:00Z")
CARRY = np.array([1.0, 1.0, 1.02, 1.02])
LAWS = {
    "normal": move_law(0.45, (normal_event(VOTE, 0.08),), level=1.5, half_life_days=20.0),
    "two states": move_law(
        0.45, (two_state_event(VOTE, 0.6, 0.05, -0.09, size=0.02),), level=0.6, half_life_days=20.0
    ),
    "two events": move_law(
        0.45, (two_state_event(VOTE, 0.5, 0.1, -0.1), normal_event(VOTE + 2 * DAY_NS, 0.02))
    ),
}


def position():
    near, far = strangle(55e3, 72e3, NEAR, 0.5), strangle(65e3, 75e3, FAR, 0.5)
    return calendar_strangle(near, far, (-3.0, 1.0))


def priced_by(law):
    held = position()
    return held._replace(vol=law_vols(held, law, forward=62e3, at_ns=AT, carry=CARRY))


def test_expected_variance_is_the_integral_of_the_level():
    law = LAWS["normal"]
    tau = (NEAR - AT) / (365 * DAY_NS)
    whole, _ = quad(lambda u: 1 + (law.level - 1) * np.exp(-law.reversion * u), 0, tau)
    assert expected_variance(law, AT, NEAR) == pytest.approx(law.base**2 * whole, rel=1e-12)
    flat = move_law(0.45)
    assert expected_variance(flat, AT, NEAR) == pytest.approx(0.45**2 * tau, rel=1e-15)


@pytest.mark.parametrize("name", LAWS)
def test_the_price_expected_is_todays(name):
    states = price_law(LAWS[name], AT, NEAR)
    assert states.probability.sum() == pytest.approx(1.0, abs=1e-14)
    assert states.probability @ states.factor == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize("name", LAWS)
def test_probabilities_are_the_slopes_of_put_prices(name):
    """Breeden and Litzenberger: the put's slope in its strike is the probability below it."""
    law = LAWS[name]
    base, states = expected_variance(law, AT, NEAR), outcomes(law.events, AT, NEAR)
    strikes, h = np.array([45e3, 60e3, 63e3, 80e3]), 5.0
    puts = [
        [float(state_prices(62e3, K + d, base, states, is_call=False)) for K in strikes]
        for d in (-h, h)
    ]
    found = probability_below(strikes, 62e3, price_law(law, AT, NEAR))
    np.testing.assert_allclose(found, np.subtract(puts[1], puts[0]) / (2 * h), rtol=1e-5)


def test_events_count_after_the_opening_and_up_to_the_end():
    events = LAWS["two events"].events
    sizes = [outcomes(events, AT, t).probability.size for t in (VOTE - 1, VOTE, NEAR)]
    assert sizes == [1, 2, 2]
    np.testing.assert_allclose(outcomes(events, VOTE, NEAR).variance, [0.02**2])


@pytest.mark.parametrize("name", LAWS)
def test_the_base_is_found_again_inside_the_volatilities(name):
    law = LAWS[name]
    found = leg_variance(priced_by(law), law.events, AT, forward=62e3, carry=CARRY)
    base = [expected_variance(law, AT, t) for t in (NEAR, NEAR, FAR, FAR)]
    np.testing.assert_allclose(found, base, rtol=1e-9)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("at_ns", [AT, AT + 10 * DAY_NS, VOTE, NEAR], ids=["0", "10", "31", "34"])
def test_volatilities_of_a_later_day_are_those_of_the_law_then(name, at_ns):
    law = LAWS[name]
    gone = (at_ns - AT) / (365 * DAY_NS)
    then = law._replace(level=1 + (law.level - 1) * np.exp(-law.reversion * gone))
    held = priced_by(law)
    found = later_vols(held, law, forward=62e3, opened_ns=AT, at_ns=at_ns, carry=CARRY)
    expected = law_vols(held, then, forward=62e3, at_ns=at_ns, carry=CARRY)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert np.isnan(found[:2]).all() == (at_ns == NEAR)


def test_the_premium_is_gone_once_the_vote_has_been():
    law = move_law(0.45, (normal_event(VOTE, 0.08),))
    found = later_vols(priced_by(law), law, forward=62e3, opened_ns=AT, at_ns=VOTE, carry=CARRY)
    np.testing.assert_allclose(found, 0.45, rtol=1e-12)


def test_a_law_that_stands_still():
    """No base and no event: the price stays; an event alone is all the variance there is."""
    still = move_law(0.0)
    below = probability_below([61e3, 62e3, 63e3], 62e3, price_law(still, AT, NEAR))
    np.testing.assert_array_equal(below, [0.0, 1.0, 1.0])
    jump = move_law(0.0, (normal_event(VOTE, 0.08),))
    held = priced_by(jump)
    base = leg_variance(held, jump.events, AT, forward=62e3, carry=CARRY)
    np.testing.assert_allclose(base, 0.0, atol=1e-15)
    below = probability_below(62e3, 62e3, price_law(jump, AT, NEAR))
    assert below == pytest.approx(norm.cdf(0.04), rel=1e-12)


def test_volatilities_below_what_the_events_are_worth():
    held = position()
    for event in (normal_event(VOTE, 0.25), two_state_event(VOTE, 0.5, 0.25, -0.25)):
        with pytest.raises(InputError, match="row 1, column 'vol': met"):
            leg_variance(held, (event,), AT, forward=62e3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: normal_event(VOTE, 8.0), ".08 for 8%"),
        (lambda: normal_event(VOTE, float("nan")), ".08 for 8%"),
        (lambda: two_state_event(VOTE, 1.0, 0.1, -0.1), "inside"),
        (lambda: two_state_event(VOTE, 0.5, 8.0, -0.1), "log moves as decimals"),
        (lambda: move_law(45.0), ".55 for 55%"),
        (lambda: move_law(0.4, level=0.0), "above 0"),
        (lambda: move_law(0.4, half_life_days=0.0), "days, above 0"),
        (lambda: move_law(0.4, vol_of_vol=-1.0), "at least 0"),
        (lambda: move_law(0.4, (normal_event(VOTE, 0.1), normal_event(VOTE, 0.1))), "rising"),
    ],
    ids=["size", "nan", "certain", "percent", "base", "level", "half-life", "wild", "order"],
)
def test_what_a_law_refuses(make, message):
    with pytest.raises(InputError, match=message):
        make()
