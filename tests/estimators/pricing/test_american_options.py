"""American options against a tree, finite differences, symmetries and their own inverse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.errors import InputError
from eventtape.estimators.pricing.american import american
from eventtape.estimators.pricing.american_implied_vol import american_implied_vol
from eventtape.estimators.pricing.deamericanise import deamericanise
from eventtape.estimators.pricing.status import PriceStatus

COMMON = {"derandomize": True, "deadline": None}


def european(case, call):
    """Black, Scholes and Merton by the error function."""
    S, K, T, r, q, vol = case
    v = vol * math.sqrt(T)
    up = (math.log(S / K) + (r - q) * T) / v + v / 2
    side = 1.0 if call else -1.0
    above, below = (math.erfc(-side * x / math.sqrt(2)) / 2 for x in (up, up - v))
    return side * (S * math.exp(-q * T) * above - K * math.exp(-r * T) * below)


def smooth_tree(case, call, n):
    """Binomial Black-Scholes (Broadie and Detemple 1996): the last step by formula."""
    S, K, T, r, q, vol = case
    dt = T / n
    u = math.exp(vol * math.sqrt(dt))
    p, df = (math.exp((r - q) * dt) - 1 / u) / (u - 1 / u), math.exp(-r * dt)
    side = 1.0 if call else -1.0
    spots = S * u ** np.arange(-(n - 1), n, 2.0)
    values = np.array([european((x, K, dt, r, q, vol), call) for x in spots])
    values = np.maximum(values, side * (spots - K))
    for k in range(n - 1, 0, -1):
        spots = S * u ** np.arange(-(k - 1), k, 2.0)
        values = df * (p * values[1:] + (1 - p) * values[:-1])
        values = np.maximum(values, side * (spots - K))
    return values[0]


REGIMES = {
    "r above q": (95.0, 100.0, 0.7, 0.08, 0.03, 0.3),
    "r equal q": (100.0, 100.0, 1.0, 0.05, 0.05, 0.25),
    "r below q": (90.0, 100.0, 0.5, 0.04, 0.09, 0.2),
    "no dividend": (105.0, 100.0, 2.0, 0.06, 0.0, 0.4),
    "no rate": (100.0, 100.0, 1.0, 0.0, 0.04, 0.3),
    "negative yield": (100.0, 100.0, 1.0, 0.03, -0.04, 0.3),
    "no rate, negative yield": (100.0, 100.0, 1.0, 0.0, -0.04, 0.3),
    "negative rate": (100.0, 100.0, 1.0, -0.03, 0.02, 0.3),
    "both negative": (100.0, 100.0, 1.0, -0.05, -0.02, 0.3),
}


@pytest.mark.parametrize("call", [False, True], ids=["put", "call"])
@pytest.mark.parametrize("case", REGIMES.values(), ids=REGIMES.keys())
def test_price_of_every_regime_is_the_trees(case, call):
    """Extrapolated from 300 and 600 steps: 5e-4, the tree's own error (it halves with the steps).

    Where two boundaries are, the answer is refused.
    """
    got = american(*case, is_call=call)
    r, q = (case[4], case[3]) if call else case[3:5]
    if q < r < 0.0:
        assert got.status == PriceStatus.BAD_INPUT
        assert np.isnan(got[:6]).all()
        return
    tree = 2 * smooth_tree(case, call, 600) - smooth_tree(case, call, 300)
    assert got.status == PriceStatus.OK
    assert got.price == pytest.approx(tree, abs=5e-4)
    if r <= min(q, 0.0):
        assert got.price == pytest.approx(european(case, call), abs=1e-12)


NAMES = {"theta": 2, "rho": 3, "vega": 5, "delta": 0}


@pytest.mark.parametrize("call", [False, True], ids=["put", "call"])
@pytest.mark.parametrize("case", REGIMES.values(), ids=REGIMES.keys())
def test_greeks_are_differences_of_the_price(case, call):
    """Central differences of the high-accuracy price, steps of 1e-4 (spot 1e-2): their own error is
    below 2e-5 of the size.
    """
    got = american(*case, is_call=call, accuracy="high")
    if got.status == PriceStatus.BAD_INPUT:  # two boundaries
        assert np.isnan(got[:6]).all()
        return
    for name, at in NAMES.items():
        h = 1e-2 if name == "delta" else 1e-4
        shifted = np.tile(np.array(case)[:, None], (1, 2))
        shifted[at] += (h, -h)
        price = american(*shifted, is_call=call, accuracy="high").price
        slope = (price[0] - price[1]) / (2 * h)
        if name == "rho" and case[3] == 0.0 and case[4] < 0.0:  # below rate 0 are two boundaries
            shifted[at] = (h, 2 * h)
            price = american(*shifted, is_call=call, accuracy="high").price
            slope = (4 * price[0] - price[1] - 3 * got.price) / (2 * h)
        slope = -slope if name == "theta" else slope
        assert getattr(got, name) == pytest.approx(slope, rel=2e-5, abs=1e-5), name
    S = case[0]
    deltas = american(S + np.array([0.01, -0.01]), *case[1:], is_call=call, accuracy="high").delta
    assert got.gamma == pytest.approx((deltas[0] - deltas[1]) / 0.02, rel=1e-4)


WIDE = st.tuples(
    st.floats(-2.5, 2.5),
    st.floats(0.01, 3.0),
    st.floats(0.0, 0.15),
    st.floats(0.0, 0.15),
    st.floats(0.05, 1.0),
    st.booleans(),
)


@settings(max_examples=300, **COMMON)
@given(WIDE)
def test_bounds_symmetry_and_scale(drawn):
    """Above European and exercise values, below the strike; calls are puts exchanged; price of
    twice the size is twice the price; the Black-Scholes equation holds.
    """
    z, T, r, q, vol, call = drawn
    S, K = 100.0 * math.exp(z * vol * math.sqrt(T)), 100.0
    got = american(S, K, T, r, q, vol, is_call=call)
    assert got.status in {PriceStatus.OK, PriceStatus.AT_EXERCISE}
    side = 1.0 if call else -1.0
    size = max(S, K)
    assert got.price >= max(european((S, K, T, r, q, vol), call), side * (S - K)) - 2e-8 * size
    assert got.price <= (S if call else K)
    other = american(K, S, T, q, r, vol, is_call=not call)
    assert other.price == pytest.approx(got.price, rel=1e-12, abs=1e-12)
    twice = american(2 * S, 2 * K, T, r, q, vol, is_call=call)
    assert twice.price == pytest.approx(2 * got.price, rel=1e-12, abs=1e-12)
    assert twice.delta == pytest.approx(got.delta, rel=1e-9, abs=1e-12)
    assert got.gamma >= 0.0
    assert -1e-6 <= side * got.delta <= 1.0 + 1e-6
    if got.status == PriceStatus.OK and got.gamma > 0.0:
        drift = got.theta + (r - q) * S * got.delta + 0.5 * vol**2 * S**2 * got.gamma
        assert drift == pytest.approx(r * got.price, abs=1e-9 * size)


def test_random_options_all_solve():
    """A day to ten years, vol 3% to 150%, rates and yields -2% to 15%, spot to two deviations."""
    rng = np.random.default_rng(1)
    n = 5_000
    T = np.exp(rng.uniform(math.log(1 / 365), math.log(10), n))
    vol = np.exp(rng.uniform(math.log(0.03), math.log(1.5), n))
    r, q = rng.uniform(-0.02, 0.15, (2, n))
    r[: n // 20] = q[: n // 20]
    S = 100 * np.exp(vol * np.sqrt(T) * rng.uniform(-2, 2, n))
    call = rng.random(n) < 0.5
    got = american(S, 100.0, T, r, q, vol, is_call=call)
    mine, gives = np.where(call, q, r), np.where(call, r, q)
    two = (gives < mine) & (mine < 0.0)
    np.testing.assert_array_equal(got.status == PriceStatus.BAD_INPUT, two)
    assert set(np.unique(got.status[~two])) == {PriceStatus.OK, PriceStatus.AT_EXERCISE}
    back = american_implied_vol(got.price, S, 100.0, T, r, q, is_call=call)
    solved = back.status == PriceStatus.OK
    # Without vega there is nothing to find: a price that is the certain path's to the last digit
    assert solved[(got.status == PriceStatus.OK) & (got.vega > 1e-6)].all()
    assert (back.status[got.status == PriceStatus.AT_EXERCISE] == PriceStatus.AT_EXERCISE).all()
    part = (x[solved] for x in (S, np.full(n, 100.0), T, r, q, back.vol))
    again = american(*part, is_call=call[solved]).price
    np.testing.assert_allclose(again, got.price[solved], rtol=0, atol=1e-8)
    np.testing.assert_array_equal(np.isnan(back.vol), ~solved)


def test_next_to_the_boundary_nothing_jumps():
    """Spots that close in on the boundary, from both sides: delta to -1, theta to 0, price to
    exercise, gamma to 2 (rK - qB) / (vol B)^2.
    """
    r, q, vol = 0.06, 0.02, 0.25
    low, high = 50.0, 100.0
    for _ in range(60):
        mid = 0.5 * (low + high)
        at = american(mid, 100.0, 1.0, r, q, vol, is_call=False, accuracy="high").status
        low, high = (mid, high) if at == PriceStatus.AT_EXERCISE else (low, mid)
    B = high
    assert american(low, 100, 1.0, r, q, vol, is_call=False).price == pytest.approx(100 - low)
    for gap in (1e-8, 1e-4, 1e-2, 0.1):
        near = american(B + gap, 100.0, 1.0, r, q, vol, is_call=False, accuracy="high")
        curve = 2 * (r * 100 - q * B) / (vol * B) ** 2
        assert near.price == pytest.approx(100 - B - gap, abs=0.6 * curve * gap**2 + 1e-7)
        assert near.delta == pytest.approx(-1.0, abs=1.1 * curve * gap + 1e-5)
        assert near.theta == pytest.approx(0.0, abs=4 * gap + 2e-5)
        assert near.gamma == pytest.approx(curve, rel=0.3 * gap + 1e-4)


@pytest.mark.parametrize(
    ("price", "case", "call", "status"),
    [
        (9.9, (90, 100, 1.0, 0.05, 0.0), False, PriceStatus.BELOW_INTRINSIC),
        (10.0, (90, 100, 1.0, 0.05, 0.0), False, PriceStatus.AT_EXERCISE),
        (0.0, (110, 100, 1.0, 0.05, 0.0), False, PriceStatus.BELOW_INTRINSIC),
        (100.0, (90, 100, 1.0, 0.05, 0.0), False, PriceStatus.ABOVE_BOUND),
        (90.0, (90, 100, 1.0, 0.05, 0.0), True, PriceStatus.ABOVE_BOUND),
        (4.0, (100, 100, 1.0, 0.05, 0.0), True, PriceStatus.BELOW_INTRINSIC),
        (5.0, (90, 100, 0.0, 0.05, 0.0), False, PriceStatus.EXPIRED),
        (math.nan, (90, 100, 1.0, 0.05, 0.0), False, PriceStatus.BAD_INPUT),
        (-1.0, (90, 100, 1.0, 0.05, 0.0), False, PriceStatus.BAD_INPUT),
        (12.0, (90, 100, 1.0, -0.01, -0.05), False, PriceStatus.BAD_INPUT),
    ],
)
def test_prices_without_a_volatility(price, case, call, status):
    """The call at 4.0 is worth 100 - 100 exp(-5%) = 4.88 on the certain path."""
    got = american_implied_vol(price, *case, is_call=call)
    assert got.status == status
    assert math.isnan(got.vol)


@pytest.mark.parametrize(
    ("case", "status"),
    [
        ((-1, 100, 1, 0.05, 0, 0.2), PriceStatus.BAD_INPUT),
        ((100, -1, 1, 0.05, 0, 0.2), PriceStatus.BAD_INPUT),
        ((100, 100, -1, 0.05, 0, 0.2), PriceStatus.BAD_INPUT),
        ((100, 100, 1, math.nan, 0, 0.2), PriceStatus.BAD_INPUT),
        ((100, 100, 1, 0.05, math.inf, 0.2), PriceStatus.BAD_INPUT),
        ((100, 100, 1, 0.05, 0, -0.2), PriceStatus.BAD_INPUT),
        ((90, 100, 0, 0.05, 0, 0.2), PriceStatus.EXPIRED),
    ],
)
def test_what_is_no_option_has_a_status(case, status):
    got = american(*case, is_call=False)
    assert got.status == status
    assert np.isnan(got.delta)
    wanted = 10.0 if status == PriceStatus.EXPIRED else math.nan
    assert got.price == pytest.approx(wanted, abs=1e-12, nan_ok=True)


def test_shapes_and_what_is_refused_at_the_door():
    K = np.array([[90.0], [100.0], [110.0]])
    got = american(100.0, K, [0.5, 1.0], 0.05, 0.02, 0.2, is_call=[True, False])
    assert {x.shape for x in got} == {(3, 2)}
    one = american(100.0, 110.0, 1.0, 0.05, 0.02, 0.2, is_call=False)
    assert {np.ndim(x) for x in one} == {0}
    assert [x[2, 1] for x in got] == list(one)
    assert american([], 100.0, 1.0, 0.05, 0.0, 0.2, is_call=False).price.shape == (0,)
    with pytest.raises(InputError, match="shapes that broadcast"):
        american([1.0, 2.0], [1.0, 2.0, 3.0], 1, 0.05, 0, 0.2, is_call=True)
    with pytest.raises(InputError, match="True for a call"):
        american(100, 100, 1, 0.05, 0, 0.2, is_call=1)
    with pytest.raises(InputError, match="array of numbers"):
        american("a", 100, 1, 0.05, 0, 0.2, is_call=True)
    with pytest.raises(InputError, match="one of standard, high"):
        american(100, 100, 1, 0.05, 0, 0.2, is_call=True, accuracy="best")


def test_deamericanised_quotes_are_european_at_the_same_vol():
    S, K = 100.0, np.array([70.0, 90.0, 100.0, 110.0, 125.0])
    vol = np.array([0.34, 0.28, 0.25, 0.23, 0.22])
    market = (S, K, 0.5, 0.06, 0.01)
    mid = american(*market, vol, is_call=False).price
    half = np.array([0.01, 0.02, 0.05, 0.05, 0.1])
    got = deamericanise(mid - half, mid + half, *market, is_call=False)
    alive = got.mid_status == PriceStatus.OK
    assert alive.tolist() == [True, True, True, True, False]  # the last is exercised at once
    assert got.mid_status[-1] == PriceStatus.AT_EXERCISE
    assert got.bid_status[-1] == PriceStatus.BELOW_INTRINSIC
    for price, used in ((got.mid, vol), (got.bid, got.bid_vol), (got.ask, got.ask_vol)):
        for i in np.flatnonzero(alive):
            wanted = european((S, K[i], 0.5, 0.06, 0.01, used[i]), call=False)
            assert price[i] == pytest.approx(wanted, abs=1e-9)
    assert (got.bid[:4] < got.mid[:4]).all()
    assert (got.mid[:4] < got.ask[:4]).all()
    np.testing.assert_allclose(got.premium, mid - got.mid)
    # Parity, which American quotes break: calls and puts give one forward after the premium is off
    calls = american(*market, vol, is_call=True).price
    both = deamericanise(calls, calls, *market, is_call=True)
    parity = (both.mid - got.mid)[:4]
    wanted = S * math.exp(-0.01 * 0.5) - K[:4] * math.exp(-0.06 * 0.5)
    np.testing.assert_allclose(parity, wanted, atol=1e-8)


def test_a_crossed_quote_is_no_quote():
    got = deamericanise(5.0, 4.0, 100, 100, 1, 0.05, 0, is_call=False)
    assert {int(s) for s in got[-3:]} == {PriceStatus.BAD_INPUT}
    assert np.isnan(got[:7]).all()
