"""The seed's calendar strangle: its ratio, every neutral ratio, and the shapes of its figure 8."""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.positions.legs import (
    calendar_strangle,
    combine,
    leg_of,
    long_option,
    strangle,
)
from eventtape.estimators.positions.legs import times as held_times
from eventtape.estimators.positions.ratios import ratio
from eventtape.estimators.positions.strikes import strike_of_delta
from eventtape.estimators.positions.value import position_greeks, position_pnl, position_value

NEAR, FAR = parse_ns("2024-11-08T08:00Z"), parse_ns("2025-03-28T08:00Z")
WHOLE_DAYS = parse_ns("2024-10-05T08:00Z")  # 34 and 174 days before
MIDNIGHT = parse_ns("2024-10-05T00:00Z")
DAY_BEFORE = parse_ns("2024-11-07T08:00Z")
SOLD = held_times(strangle(55e3, 72e3, NEAR, 0.5523, inverse=True), -1.0)
BOUGHT = strangle(65e3, 75e3, FAR, 0.5778, inverse=True)
TRADE = combine(held_times(SOLD, 3.0), BOUGHT)


def vega_ratio(spot, at_ns, far=BOUGHT):
    return ratio(SOLD, far, "vega", spot, at_ns).quantity


def test_ratio_of_the_seed():
    assert round(vega_ratio(62e3, WHOLE_DAYS), 2) == 3.05
    near_by = [vega_ratio(spot, WHOLE_DAYS) for spot in (61.5e3, 62e3, 62.5e3)]
    assert near_by == pytest.approx([3.0437, 3.0487, 3.0550], abs=1e-4)  # the text: 3.04 to 3.06
    assert round(vega_ratio(62e3, MIDNIGHT), 2) == 3.03


def test_ratio_at_strikes_of_25_deltas():
    strikes = strike_of_delta([-0.25, 0.25], 62e3, 174 / 365, 0.5778, np.array([False, True]))
    far = strangle(*strikes.tolist(), FAR, 0.5778, inverse=True)
    assert round(vega_ratio(62e3, WHOLE_DAYS, far), 2) == 2.48


@pytest.mark.parametrize("inverse", [True, False], ids=["coins", "dollars"])
@pytest.mark.parametrize("by", ["delta", "gamma", "vega", "theta", "dollar"])
def test_the_sum_is_neutral(by, inverse):
    near, far = SOLD, BOUGHT
    if by == "delta":  # strangles have next to none
        near, far = leg_of(SOLD, 1), leg_of(BOUGHT, 1)
    near, far = near._replace(inverse=inverse), far._replace(inverse=inverse)
    found = ratio(near, far, by, 63e3, MIDNIGHT, near_carry=1.004, far_carry=1.03)
    assert (found.status, found.reason) == (Status.OK, "")
    assert found.quantity > 0.0
    both = combine(held_times(near, found.quantity), far)
    carry = np.where(both.expiry_ns == NEAR, 1.004, 1.03)
    total = position_greeks(both, 63e3, MIDNIGHT, carry=carry)
    left = getattr(total, "value" if by == "dollar" else by)
    assert left == pytest.approx(0.0, abs=1e-12 * abs(found.far) + 1e-18)


def test_notional():
    found = ratio(SOLD, BOUGHT, "notional", 62e3, MIDNIGHT, far_carry=1.05)
    assert found.quantity == pytest.approx(1.05)
    assert (found.near, found.far) == (-124e3, pytest.approx(130_200.0))


def test_no_ratio_above_0():
    found = ratio(held_times(SOLD, -1.0), BOUGHT, "vega", 62e3, MIDNIGHT)
    assert np.isnan(found.quantity)
    assert found.status is Status.NOT_IDENTIFIED
    assert "both have vega of one sign" in found.reason
    assert found.near > 0.0 < found.far


def test_a_greek_that_is_not_there():
    """A strangle that is neutral in delta cannot take a delta out, in whatever number."""
    tau = 34 / 365
    even = strike_of_delta([-0.2, 0.2], 62e3, tau, 0.5523, np.array([False, True]))
    near = held_times(strangle(*even.tolist(), NEAR, 0.5523), -1.0)
    call = long_option(75e3, FAR, 0.5778)
    for pair, name in (((near, call), "near"), ((call, near), "far")):
        found = ratio(*pair, "delta", 62e3, WHOLE_DAYS)
        assert np.isnan(found.quantity)
        assert found.status is Status.NOT_IDENTIFIED
        assert f"the {name} structure has next to no delta" in found.reason


def test_refused():
    with pytest.raises(InputError, match="one of delta, gamma"):
        ratio(SOLD, BOUGHT, "rho", 62e3, MIDNIGHT)
    with pytest.raises(InputError, match="both settled in coins"):
        ratio(SOLD, BOUGHT._replace(inverse=False), "vega", 62e3, MIDNIGHT)


def test_profit_before_the_near_expiry():
    """Figure 8a: a mound between the sold strikes, losses at both ends, steeper on the downside."""
    spots = np.arange(40e3, 90e3, 500.0)
    made = position_pnl(TRADE, spots, DAY_BEFORE, opened_ns=MIDNIGHT, opened_at=62e3).coins
    best = spots[np.argmax(made)]
    assert 55e3 <= best <= 72e3
    inside = (spots > 56e3) & (spots < 71e3)
    assert made[inside].min() > 0.0
    assert made[0] < 0.0 > made[-1]
    down, up = (np.interp([k, k + d], spots, made) for k, d in ((55e3, -10e3), (72e3, 10e3)))
    assert down[1] - down[0] < up[1] - up[0] < 0.0


def test_vega_before_the_near_expiry_and_at_the_onset():
    """Figure 8b: vega at onset is next to none; a day before it dips at the sold strikes."""
    spots = np.arange(45e3, 85e3, 250.0)
    onset = position_greeks(TRADE, spots, MIDNIGHT).vega
    gross = np.abs(position_greeks(SOLD, 62e3, MIDNIGHT).vega) * 3.0
    assert abs(np.interp(62e3, spots, onset)) < 0.02 * gross
    vega = position_greeks(TRADE, spots, DAY_BEFORE).vega
    assert vega.min() > 0.0
    for strike in (55e3, 72e3):
        near_by = np.abs(spots - strike) < 4e3
        assert spots[near_by][np.argmin(vega[near_by])] == pytest.approx(strike, abs=750.0)


def test_gamma_before_the_near_expiry_and_at_the_onset():
    """Figure 8c: one valley at onset; a day before spikes down at the sold strikes alone."""
    spots = np.arange(45e3, 85e3, 250.0)
    dollars = TRADE._replace(inverse=False)
    onset = position_greeks(dollars, spots, MIDNIGHT).gamma
    lowest = int(np.argmin(onset))
    assert 50e3 < spots[lowest] < 70e3
    assert onset[lowest] < 0.0
    gamma = position_greeks(dollars, spots, DAY_BEFORE).gamma
    for strike in (55e3, 72e3):
        near_by = np.abs(spots - strike) < 4e3
        assert spots[near_by][np.argmin(gamma[near_by])] == pytest.approx(strike, abs=750.0)
        assert gamma[near_by].min() < 2.0 * onset.min()
    assert np.mean(gamma > 0.0) > 0.5  # "across most of the price range"
    assert gamma[np.argmin(np.abs(spots - 62.5e3))] > 0.0


def test_builders():
    built = calendar_strangle(held_times(SOLD, -1.0), BOUGHT, (-3.0, 1.0))
    assert all(np.array_equal(a, b) for a, b in zip(built, TRADE, strict=True))
    assert position_value(built, 62e3, MIDNIGHT) == position_value(TRADE, 62e3, MIDNIGHT)
