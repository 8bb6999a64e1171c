"""The calendar strangle of October 2024 through the study: its ratio, mound, dips and spikes."""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.estimators.positions.legs import calendar_strangle, strangle
from eventtape.studies.trade_parts import CALENDAR, LONG, kind_of, ratios_of
from eventtape.studies.trade_rows import EVE, HELD, ONSET
from eventtape.studies.trade_structures import (
    Expiry,
    call_of_delta,
    neutral_calendar,
    strangle_of_delta,
)
from figures import trade_results as made

FAR, NEAR = Expiry(made.FAR, made.FAR_VOL), Expiry(made.NEAR, made.NEAR_VOL)


@pytest.fixture(scope="module")
def good():
    return made.good()


def vega_ratio(trade):
    return next(r.quantity for r in ratios_of(trade) if r.by == "vega")


def at(profile, values, price):
    return float(np.interp(price, profile.prices, values))


def local_minima(profile, values):
    inner = (values[1:-1] < values[:-2]) & (values[1:-1] < values[2:])
    return profile.prices[1:-1][inner]


def test_the_ratio(good):
    """3:1 in the text: 3.05 on its whole days, 3.03 on exact times from midnight."""
    assert round(vega_ratio(good.trade), 2) == 3.05
    assert round(vega_ratio(made.calendar(at_ns=made.MIDNIGHT)), 2) == 3.03
    assert {r.by for r in good.ratios} == {"delta", "gamma", "vega", "theta", "dollar", "notional"}
    notional = next(r for r in good.ratios if r.by == "notional")
    assert notional.quantity == pytest.approx(1.0)


def test_strikes_of_25_deltas_and_their_ratio():
    """The text's 65k and 75k are no 25-delta strikes: those are 51.3k and 87.9k."""
    far = strangle_of_delta(FAR, 0.25, made.SPOT, made.AT, inverse=True)
    np.testing.assert_allclose(far.strike, [51.3e3, 87.9e3], atol=50.0)
    near = strangle(55e3, 72e3, made.NEAR, made.NEAR_VOL, inverse=True)
    held = calendar_strangle(near, far, (-3.0, 1.0))
    assert round(vega_ratio(made.calendar()._replace(legs=held)), 2) == 2.48


@pytest.mark.parametrize("by", ["gamma", "vega", "theta", "dollar"])
def test_a_calendar_built_neutral_is(by):
    built = neutral_calendar(NEAR, FAR, made.SPOT, made.AT, by=by, inverse=True)
    trade = made.calendar()._replace(legs=built.legs, carry=built.carry)
    again = next(r for r in ratios_of(trade) if r.by == by)
    assert again.quantity == pytest.approx(-float(built.legs.quantity[0]), rel=1e-12)
    assert kind_of(built.legs) == CALENDAR


def test_listed_strikes():
    built = strangle_of_delta(FAR, 0.25, made.SPOT, made.AT, step=1000.0, inverse=True)
    assert built.strike.tolist() == [51e3, 88e3]
    call = call_of_delta(NEAR, 0.25, made.SPOT, made.AT, step=1000.0, inverse=True)
    assert kind_of(call) == LONG
    assert call.strike[0] % 1000.0 == 0.0


@pytest.mark.parametrize("label", [EVE, HELD])
def test_the_mound(good, label):
    """Most between the near strikes, losing at both ends, steeper below."""
    p = good.profile(label)
    assert 55e3 <= p.evens.highest_at <= 72e3
    assert p.evens.highest > 0.0
    low, high = p.evens.prices
    assert low < 55e3
    assert high > 72e3
    assert p.evens.direction.tolist() == [1, -1]
    assert p.coins[0] < p.coins[-1] < 0.0
    below = at(p, p.coins, 50e3) - at(p, p.coins, 45e3)
    above = at(p, p.coins, 77e3) - at(p, p.coins, 82e3)
    assert below > above > 0.0


@pytest.mark.parametrize("label", [EVE, HELD])
def test_weighted_vega_dips_at_the_sold_strikes(good, label):
    p = good.profile(label)
    dips = local_minima(p, p.vega)
    assert dips == pytest.approx([55e3, 72e3], rel=0.02)
    middle = at(p, p.vega, 63e3)
    for strike in (55e3, 72e3):
        assert at(p, p.vega, strike) < 0.9 * middle
    assert (p.vega > 0.0).all()


@pytest.mark.parametrize("label", [EVE, HELD])
def test_gamma_spikes_down_at_the_sold_strikes(good, label):
    p = good.profile(label)
    deepest = p.prices[np.argsort(p.gamma)]
    assert abs(deepest[0] / 55e3 - 1.0) < 0.01
    spikes = local_minima(p, p.gamma)
    assert spikes[:2] == pytest.approx([55e3, 72e3], rel=0.02)
    away = (np.abs(p.prices / 55e3 - 1.0) > 0.12) & (np.abs(p.prices / 72e3 - 1.0) > 0.12)
    middle = (p.prices > 40e3) & (p.prices < 90e3) & away
    assert (p.gamma[middle] > 0.0).all()


def test_at_the_onset(good):
    """Short gamma and next to no vega: what vega-neutral is."""
    p = good.profile(ONSET)
    assert at(p, p.gamma, made.SPOT) < 0.0
    near, far = good.risks.expiry_vega
    assert near < 0.0 < far
    assert abs(good.risks.vega) < 0.02 * far
    assert good.risks.steepener > 0.0
    assert good.risks.theta > 0.0
    assert p.coins[np.searchsorted(p.prices, made.SPOT)] == pytest.approx(0.0, abs=1e-12)


def test_a_long_call():
    """Delta, gamma and vega above 0; the text's second "vega", the negative one, is theta."""
    g = made.bought().whole
    assert g.delta > 0.0
    assert g.gamma > 0.0
    assert g.vega > 0.0
    assert g.theta < 0.0


def test_worst_and_best_are_as_the_text_says(good):
    """Worst a large move and a flatter term structure, best a quiet price and a steeper one."""
    eve = good.grids[1]
    assert eve.label == EVE
    worst, best = eve.extremes
    assert worst.spot_move == min(good.config.spot_moves)
    assert abs(best.spot_move) <= 0.15
    assert eve.steepenings[best.term_move] == max(eve.steepenings)
    assert good.law_status is Status.OK
