"""Events of many markets beside their ordinary days: the seed's SPY and TLT, order, refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.premium.event_premium import Premium
from eventtape.estimators.premium.premium_market import (
    MarketPremium,
    implied_iv,
    market_premium,
    premium_market,
)

BTC = MarketPremium("BTC", 0.08, 0.074, 0.086, 0.02545, 0.0245, 0.0265)
SPY = MarketPremium("SPY", 0.032, 0.030, 0.034, 0.0085, 0.0080, 0.0090)
TLT = MarketPremium("TLT", 0.036, 0.034, 0.038, 0.0079, 0.0075, 0.0083)


@pytest.mark.parametrize(
    ("size", "daily", "low", "high"),
    [(0.032, 0.0085, 0.192, 0.196), (0.036, 0.0079, 0.191, 0.194)],
    ids=["SPY", "TLT"],
)
def test_the_seeds_markets_imply_these_volatilities(size, daily, low, high):
    """6 October 2024, 33 days, 365 basis; each number may be off by half of its last digit."""
    corners = [
        implied_iv(size + a, daily + b, 33.0)
        for a, b in itertools.product((-0.0005, 0.0005), (-0.00005, 0.00005))
    ]
    assert round(min(corners), 3) == low
    assert round(max(corners), 3) == high
    assert low < implied_iv(size, daily, 33.0) < high


def test_the_seeds_bitcoin_implies_its_own_volatility():
    assert implied_iv(0.08, 0.025446, 34.0) == pytest.approx(0.5523, abs=1e-5)


def test_ratios_order_the_markets_and_those_without_come_last():
    lost = MarketPremium("ETH", *[0.05] * 6, Status.NOT_IDENTIFIED, "no expiry after it")
    out = premium_market([lost, BTC, SPY, TLT])
    assert out.markets == ("TLT", "SPY", "BTC", "ETH")
    assert out.order.tolist() == [3, 2, 1, 0]
    np.testing.assert_allclose(out.ratio_365[:3], [0.036 / 0.0079, 0.032 / 0.0085, 0.08 / 0.02545])
    assert np.isnan([column[3] for column in out[1:14]]).all()
    assert out.statuses == (*[Status.OK] * 3, Status.NOT_IDENTIFIED)
    assert out.reasons[3] == "no expiry after it"


def test_columns_are_what_they_say():
    out = premium_market([BTC])
    assert out.ratio_365_lower[0] == pytest.approx(0.074 / 0.0265)
    assert out.ratio_365_upper[0] == pytest.approx(0.086 / 0.0245)
    assert out.daily_252[0] == pytest.approx(0.02545 * math.sqrt(365 / 252))
    for field in ("ratio_{}", "ratio_{}_lower", "ratio_{}_upper"):
        a, b = (getattr(out, field.format(basis))[0] for basis in (365, 252))
        assert a / b == pytest.approx(math.sqrt(365 / 252))
    assert out.event_day[0] == pytest.approx(0.08395, abs=5e-6)  # the seed's 8.395%
    assert out.mean_move[0] == pytest.approx(0.06383, abs=5e-6)


@pytest.mark.parametrize("correlation", [-1.0, -0.5, 0.0, 0.9])
def test_bounds_of_the_ratio_hold_whatever_the_errors_share(correlation):
    """At 95% each: 95% where a larger base is a smaller event, more otherwise, never below 90%."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((2, 4_000))
    z[1] = correlation * z[0] + math.sqrt(1.0 - correlation**2) * z[1]
    size, daily = 0.08 + 0.003 * z[0], 0.0255 + 0.0005 * z[1]
    rows = [
        MarketPremium(str(i), a, a - 1.96 * 0.003, a + 1.96 * 0.003, b, b - 0.00098, b + 0.00098)
        for i, (a, b) in enumerate(zip(size, daily, strict=True))
    ]
    out = premium_market(rows)
    held = (out.ratio_365_lower <= 0.08 / 0.0255) & (out.ratio_365_upper >= 0.08 / 0.0255)
    assert held.mean() >= 0.94
    if correlation == -1.0:
        assert held.mean() < 0.96


def premium(**given):
    nan2 = np.full(2, math.nan)
    fields = {
        "kinds": ("election", "fomc"), "counts": np.array([1, 2]),
        "size": np.array([0.08, math.nan]), "lower": np.array([0.07, math.nan]),
        "upper": np.array([0.09, math.nan]), "variance": nan2, "variance_error": nan2,
        "statuses": (Status.OK, Status.NOT_IDENTIFIED), "reasons": ("", "one bucket"),
        "base_iv": nan2, "base_lower": nan2, "base_upper": nan2, "fitted_iv": nan2,
        "daily": 0.0255, "daily_lower": 0.025, "daily_upper": 0.026,
        "weekend": 1.0, "weekend_lower": 1.0, "weekend_upper": 1.0, "roughness": 0.0,
        "misfit": 1.0, "ridges": (), "status": Status.OK, "reason": "",
    }  # fmt: skip
    return Premium(**(fields | given))


def test_a_row_is_read_off_a_fitted_premium():
    row = market_premium("BTC", premium(), "election")
    assert row == MarketPremium("BTC", 0.08, 0.07, 0.09, 0.0255, 0.025, 0.026)
    lost = market_premium("BTC", premium(), "fomc")
    assert (lost.status, lost.reason) == (Status.NOT_IDENTIFIED, "one bucket")
    assert np.isnan(premium_market([lost]).size[0])
    with pytest.raises(InputError, match="met 'cpi', wanted one of election, fomc"):
        market_premium("BTC", premium(), "cpi")


def test_no_markets_are_no_rows():
    out = premium_market([])
    assert (out.markets, out.size.shape, out.order.shape) == ((), (0,), (0,))


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([BTC, BTC], "row 2: met 'BTC', wanted each market once"),
        ([BTC._replace(size=8.0, upper=9.0)], "column 'size': met 8.0, wanted a decimal"),
        ([BTC._replace(daily=0.85, daily_upper=0.9)], "column 'daily': met 0.85, wanted a decimal"),
        ([BTC._replace(lower=0.09)], "wanted bounds about the value"),
    ],
    ids=["twice", "size percent", "daily percent", "bounds"],
)
def test_bad_rows_are_named(rows, wanted):
    with pytest.raises(InputError, match=wanted):
        premium_market(rows)


@pytest.mark.parametrize("given", [(0.08, 0.02, 0.0), (-0.08, 0.02, 9.0), (0.08, -0.02, 9.0)])
def test_a_volatility_of_nothing_is_refused(given):
    with pytest.raises(InputError, match="days above 0"):
        implied_iv(*given)
