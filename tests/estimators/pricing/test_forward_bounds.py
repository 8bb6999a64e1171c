"""Parity violations by hand, and the American bounds against trees."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eventtape.errors import InputError
from eventtape.estimators.pricing.forward import forward_from_european, forward_from_parity
from eventtape.estimators.pricing.forward_bounds import (
    american_parity_bounds,
    bound_violations,
    parity_violations,
)

S, VOL, TAU = 100.0, 0.2, 0.25
K = np.arange(80.0, 121.0, 2.5)


def trees(rate, dividend_yield=0.0, tau=TAU, steps=800):
    """American and European calls and puts on one Cox-Ross-Rubinstein tree: (4, n_strikes)."""
    up = math.exp(VOL * math.sqrt(tau / steps))
    p = (math.exp((rate - dividend_yield) * tau / steps) - 1 / up) / (up - 1 / up)
    d = math.exp(-rate * tau / steps)
    ends = S * up ** (steps - 2.0 * np.arange(steps + 1))
    answers = []
    for american in (True, False):
        for sign in (1.0, -1.0):
            x, V = ends, np.maximum(sign * (ends[:, None] - K), 0.0)
            for i in range(steps, 0, -1):
                x, V = x[:i] / up, d * (p * V[:-1] + (1.0 - p) * V[1:])
                if american:
                    V = np.maximum(V, sign * (x[:, None] - K))
            answers.append(V[0])
    return np.array(answers)


@pytest.fixture(scope="module")
def prices():
    return trees(0.05)


def quoted(calls, puts):
    """Half spreads of a cent and 1%."""
    sides = []
    for price in (calls, puts):
        half = np.minimum(0.01 + 0.01 * price, 0.9 * price)
        sides += [price - half, price + half]
    return sides


@pytest.mark.parametrize(
    ("rate", "dividend_yield"),
    [(0.05, 0.0), (0.03, 0.08), (0.0, 0.05), (-0.04, 0.0), (-0.03, 0.02)],
)
def test_american_trees_stay_within_the_bounds(rate, dividend_yield):
    """And without dividends come near one: the put of a low strike is not exercised early."""
    calls, puts, _, _ = trees(rate, dividend_yield, tau=1.0, steps=300)
    low, high = american_parity_bounds(K, spot=S, tau=1.0, rate=rate, dividend_yield=dividend_yield)
    assert np.all(calls - puts >= low - 1e-9)
    assert np.all(calls - puts <= high + 1e-9)
    if dividend_yield == 0.0:
        assert min(np.min(calls - puts - low), np.min(high - calls + puts)) < 0.1


def test_bias_of_parity_on_american_prices(prices):
    """The numbers that the file of the forward states for this chain."""
    calls, puts, _, _ = prices
    forward, discount = S * math.exp(0.05 * TAU), math.exp(-0.05 * TAU)
    off = (calls - puts) / discount - (forward - K)
    assert off[S == K][0] == pytest.approx(-0.11, abs=0.005)
    plain = forward_from_parity(K, *quoted(calls, puts), tau=TAU)
    assert plain.forward - forward == pytest.approx(-0.23, abs=0.005)
    assert plain.rate == pytest.approx(-0.056, abs=0.0005)
    near = forward_from_parity(
        K, *quoted(calls, puts), tau=TAU, near_money=0.05, rate=0.05, rate_error=0.001
    )
    assert near.forward - forward == pytest.approx(-0.15, abs=0.005)
    assert near.rate == pytest.approx(0.05, abs=0.001)


def test_without_its_premia_an_american_chain_gives_the_forward(prices):
    """The tree's own premia taken off: what the iteration with de-Americanised prices ends in."""
    calls, puts = prices[:2] - (prices[:2] - prices[2:])
    out = forward_from_european(
        K, calls, puts, call_errors=0.01 + 0 * K, put_errors=0.01 + 0 * K, tau=TAU
    )
    assert out.forward == pytest.approx(S * math.exp(0.05 * TAU), abs=1e-6)
    assert out.rate == pytest.approx(0.05, abs=1e-6)


def test_violations_by_hand():
    """D = 0.9, F = 100: at 90 the forward is worth 9, at 100 nothing, at 110 -9."""
    strikes = np.array([90.0, 100.0, 110.0, 120.0, 130.0])
    value = 0.9 * (100.0 - strikes)
    cb = np.array([19.5, 10.0, 5.0, 0.0, 3.0])
    ca = np.array([19.6, 10.2, 5.1, 0.1, 2.0])
    pb = np.array([9.0, 10.6, 13.9, 18.4, 30.0])
    pa = np.array([10.0, 10.8, 14.1, 18.6, 30.1])
    out = bound_violations(strikes, cb, ca, pb, pa, lower=value, upper=value, fees=0.1)
    # 90: sell at 19.5 - 10 = 9.5 > 9; 100: buy at 10.2 - 10.6 = -0.4; 110: -9.1 to -8.8 holds -9
    # 120: buy at .1 - 18.4 = -18.3 < -18, the call's bid is not needed; 130 is crossed
    np.testing.assert_allclose(out.gain, [0.4, 0.3, 0.0, 0.2, math.nan], atol=1e-12)
    assert out.side.tolist() == [-1.0, 1.0, 0.0, 1.0, 0.0]
    assert out.n_violations == 3
    assert out.largest == pytest.approx(0.4)


def test_a_stale_pair_is_a_violation_of_its_size(prices):
    _, _, calls, puts = prices
    cb, ca, pb, pa = quoted(calls, puts)
    cb[6] += 3.0
    ca[6] += 3.0
    fit = forward_from_parity(K, cb, ca, pb, pa, tau=TAU)
    out = parity_violations(K, cb, ca, pb, pa, fit=fit)
    assert np.flatnonzero(out.gain > 0.0).tolist() == [6]
    assert out.side[6] == -1.0
    assert out.largest == pytest.approx(3.0 - 0.5 * (ca - cb + pa - pb)[6], abs=0.02)
    assert parity_violations(K, cb, ca, pb, pa, fit=fit, fees=3.0).n_violations == 0


def test_without_a_forward_there_is_no_violation_to_state():
    nan = np.full(K.size, math.nan)
    fit = forward_from_parity(K, nan, nan, nan, nan, tau=TAU)
    out = parity_violations(K, K, K + 1, K, K + 1, fit=fit)
    assert np.all(np.isnan(out.gain))
    assert (out.n_violations, out.largest) == (0, 0.0)


def test_bad_bounds_are_named():
    with pytest.raises(InputError, match="lower"):
        bound_violations(K, K, K, K, K, lower=K[1:], upper=K)
    with pytest.raises(InputError, match="fees"):
        bound_violations(K, K, K, K, K, lower=K, upper=K, fees=-1.0)
    for wrong in ({"spot": 0.0, "tau": 1.0}, {"spot": 1.0, "tau": 0.0}):
        with pytest.raises(InputError):
            american_parity_bounds(K, rate=0.0, **wrong)
    with pytest.raises(InputError, match="dividends"):
        american_parity_bounds(K, spot=1.0, tau=1.0, rate=0.0, dividends=-1.0)
