"""Cash dividends on trees: one integral for calls, a Crank-Nicolson grid for the rest, limits."""

# ruff: noqa: N803 - the letters of the papers
from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.linalg import solve_banded
from scipy.stats import norm

from eventtape.estimators.pricing.binomial import binomial
from eventtape.estimators.pricing.status import PriceStatus

MODES = [("smoothed", "tree"), ("smoothed", "muroi-suda")]


def one_dividend_call(S, K, T, r, v, t, D, *, american):
    """E[e^{-rt} max(S_t - K, BS(S_t - D))]: a call without yield is only exercised on the ex-date.

    As in Haug, Haug and Lewis (2003), whose example (S = K = 100, r = 6%, sigma = 30%, D = 7) is
    the one below. Trapezoid over 9 standard deviations: within 1e-8.
    """
    z = np.linspace(-9.0, 9.0, 100_001)
    s = S * np.exp((r - v * v / 2) * t + v * math.sqrt(t) * z)
    after, root = np.maximum(s - D, 1e-300), v * math.sqrt(T - t)
    d1 = (np.log(after / K) + r * (T - t)) / root + root / 2
    value = after * norm.cdf(d1) - K * math.exp(-r * (T - t)) * norm.cdf(d1 - root)
    value = np.maximum(value, s - K) if american else value
    return math.exp(-r * t) * np.trapezoid(value * norm.pdf(z), z)


def crank_nicolson(S, K, T, r, q, v, sign, dividends, *, american, nodes=2001, steps=1200):
    """Value at S on a grid in log s, exercise by operator splitting (Ikonen and Toivanen, 2004),
    V(s, t-) = V(s - D, t+) by cubic spline on every ex-date, Rannacher's start after each.

    Within 5e-5 of the collocated American put of the reference table (tested below).
    """
    half = nodes // 2
    dx = 7 * v * math.sqrt(T) / half
    x = math.log(K) + dx * np.arange(-half, half + 1)
    s = np.exp(x)
    pay = np.maximum(sign * (s - K), 0.0)
    V = pay.copy()
    drift, spread = (r - q - 0.5 * v * v) / (2 * dx), v * v / (2 * dx * dx)
    low, middle, high = spread - drift, -2 * spread - r, spread + drift
    ends = [0.0, *[t for t, _ in dividends], T]
    for k in range(len(ends) - 2, -1, -1):
        n = max(round(steps * (ends[k + 1] - ends[k]) / T), 20)
        h = (ends[k + 1] - ends[k]) / n
        push = np.zeros_like(V)
        for i in range(n + 2):
            dt, implicit = (h / 2, 1.0) if i < 4 else (h, 0.5)
            right = V + dt * push
            moved = low * V[:-2] + middle * V[1:-1] + high * V[2:]
            right[1:-1] += (1 - implicit) * dt * moved
            band = np.zeros((3, V.size))
            band[0, 2:], band[1, 1:-1] = -implicit * dt * high, 1 - implicit * dt * middle
            band[2, :-2] = -implicit * dt * low
            band[1, 0] = band[1, -1] = 1.0
            right[0], right[-1] = (V[0], 0.0) if sign < 0 else (0.0, V[-1])
            W = solve_banded((1, 1), band, right)
            if american:
                V = np.maximum(W - dt * push, pay)
                push = np.where(pay >= V, np.maximum(push + (pay - W) / dt, 0.0), 0.0)
            else:
                V = W
        if k:
            V = CubicSpline(x, V)(np.log(np.maximum(s - dividends[k - 1][1], s[0])))
            V = np.maximum(V, pay) if american else V
    return float(CubicSpline(x, V)(math.log(S)))


DATES = [0.0001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.9999]


@pytest.mark.parametrize("t", DATES)
@pytest.mark.parametrize("exercise", ["european", "american"])
def test_one_dividend_call_is_its_integral(exercise, t):
    """The integral's Greeks by central differences. Price within 1.5e-4 of 100, on any date, an
    hour from now or from expiry too. Gamma and theta are held to 1e-2 where the ex-date is within
    the hour: there the tree's first steps are far finer than the row they start from.
    """
    S, K, T, r, v, D = 100.0, 100.0, 1.0, 0.06, 0.3, 7.0

    def f(S=S, r=r, v=v, later=0.0):
        american = exercise == "american"
        return one_dividend_call(S, K, T + later, r, v, t + later, D, american=american)

    right = {
        "delta": (f(S + 0.01) - f(S - 0.01)) / 0.02,
        "gamma": (f(S + 0.1) - 2 * f() + f(S - 0.1)) / 0.01,
        "theta": (f(later=-t / 1e3) - f(later=t / 1e3)) / (2 * t / 1e3),
        "vega": (f(v=v + 1e-4) - f(v=v - 1e-4)) / 2e-4,
        "rho": (f(r=r + 1e-4) - f(r=r - 1e-4)) / 2e-4,
    }
    for tree, greeks in MODES:
        out = binomial(
            S, K, T, r, 0, v, is_call=True, exercise=exercise, tree=tree, greeks=greeks,
            dividends=([t], [D]),
        )  # fmt: skip
        assert float(out.price) == pytest.approx(f(), abs=1.5e-4)
        for field, wanted in right.items():
            near = 1e-2 if t < 1e-3 and field in ("gamma", "theta") else 1.2e-3
            assert float(getattr(out, field)) == pytest.approx(wanted, rel=near), field
        assert out.status == PriceStatus.OK


def test_crank_nicolson_is_a_second_road():
    put = crank_nicolson(36, 40, 1, 0.06, 0, 0.2, -1, [], american=True)
    assert put == pytest.approx(4.48667442, abs=5e-5)
    call = crank_nicolson(100, 100, 1, 0.06, 0, 0.3, 1, [(0.5, 7.0)], american=True)
    assert call == pytest.approx(
        one_dividend_call(100, 100, 1, 0.06, 0.3, 0.5, 7, american=True), abs=2e-4
    )


@pytest.mark.parametrize(
    ("S", "K", "r", "q", "v", "sign", "dividends"),
    [
        (100, 100, 0.06, 0.0, 0.3, -1, [(0.5, 7.0)]),
        (100, 110, 0.06, 0.0, 0.3, -1, [(0.2, 3.0), (0.7, 3.0)]),
        (95, 100, 0.05, 0.01, 0.25, -1, [(0.3, 2.0), (0.6, 2.0), (0.9, 2.0)]),
        (105, 100, 0.05, 0.01, 0.25, 1, [(0.3, 2.0), (0.6, 2.0), (0.9, 2.0)]),
    ],
    ids=["put-one", "put-two", "put-three", "call-three"],
)
@pytest.mark.parametrize("american", [True, False], ids=["american", "european"])
def test_dividends_against_crank_nicolson(S, K, r, q, v, sign, dividends, american):
    """Within 4e-4 at 500 steps, 1.5e-2 for the plain tree (its own error, O(1/n))."""
    right = crank_nicolson(S, K, 1.0, r, q, v, sign, dividends, american=american)
    times, amounts = zip(*dividends, strict=True)
    for tree, near in (("smoothed", 4e-4), ("crr", 1.5e-2)):
        out = binomial(
            S, K, 1.0, r, q, v, is_call=sign > 0, tree=tree, dividends=(times, amounts),
            exercise="american" if american else "european",
        )  # fmt: skip
        assert float(out.price) == pytest.approx(right, abs=near)


@pytest.mark.parametrize("greeks", ["tree", "muroi-suda"])
@pytest.mark.parametrize("model", ["piecewise-lognormal", "escrowed"])
@pytest.mark.parametrize("is_call", [True, False])
def test_a_vanishing_dividend_is_no_dividend(is_call, model, greeks):
    """The price moves by at most the dividend, in the limit and not only at zero; an amount of 0,
    a date of the past and one after expiry are no dividend at all.
    """
    args, kw = (100.0, 103.0, 0.5, 0.05, 0.01, 0.25), {"is_call": is_call, "greeks": greeks}
    kw |= {"dividend_model": model}
    without = binomial(*args, **kw)
    for times, amounts in (([0.2], [0.0]), ([-0.1, 0.0], [5.0, 5.0]), ([0.5, 0.7], [5.0, 5.0])):
        for a, b in zip(binomial(*args, dividends=(times, amounts), **kw), without, strict=True):
            assert float(a) == float(b)
    # 1e-4: the dividend itself, and a lattice cut in two at another place
    tiny = binomial(*args, dividends=([0.2], [1e-5]), **kw)
    assert float(tiny.price) == pytest.approx(float(without.price), abs=1e-4)
    assert float(tiny.delta) == pytest.approx(float(without.delta), abs=1e-4)
    assert float(tiny.vega) == pytest.approx(float(without.vega), rel=2e-3)


def test_vega_and_rho_go_through_the_ex_dates():
    """Central differences of the same tree: its tangents are exact through the cubic too."""
    e, kw = 1e-5, {"is_call": True, "steps": 60, "dividends": ([0.11, 0.3], [2.0, 3.0])}
    for more in ({"tree": "crr"}, {"exercise": "european"}, {"dividend_model": "escrowed"}):
        out = binomial(100, 97, 0.5, 0.05, 0.01, 0.3, **kw, **more)
        vols, rates = (0.3 + e, 0.3 - e), (0.05 + e, 0.05 - e)
        up, down = (binomial(100, 97, 0.5, 0.05, 0.01, v, **kw, **more).price for v in vols)
        assert float(out.vega) == pytest.approx((up - down) / (2 * e), rel=1e-5)
        up, down = (binomial(100, 97, 0.5, r, 0.01, 0.3, **kw, **more).price for r in rates)
        assert float(out.rho) == pytest.approx((up - down) / (2 * e), rel=1e-5)


def test_escrowed_european_is_black_scholes_on_the_bare_stock():
    T, r, v, K = 0.8, 0.05, 0.3, 100.0
    times, amounts = np.array([0.2, 0.6]), np.array([2.0, 3.0])
    bare = 100.0 - float(np.sum(amounts * np.exp(-r * times)))
    kw = {"is_call": False, "exercise": "european"}
    escrowed = {"dividends": (times, amounts), "dividend_model": "escrowed"}
    for greeks in ("tree", "muroi-suda"):
        out = binomial(100, K, T, r, 0, v, greeks=greeks, **kw, **escrowed)
        same = binomial(bare, K, T, r, 0, v, greeks=greeks, **kw)
        for field in ("price", "delta", "gamma", "vega"):
            assert float(getattr(out, field)) == pytest.approx(
                float(getattr(same, field)), rel=1e-10
            )
        # The escrow shrinks as the rate rises, and grows as time passes. 1e-5: the tree's delta is
        # a difference one step on, not the tangent that rho holds
        moved = float(np.sum(times * amounts * np.exp(-r * times)))
        near = 1e-9 if greeks == "muroi-suda" else 1e-5
        assert float(out.rho) == pytest.approx(float(same.rho + same.delta * moved), rel=near)
        grown = r * (100.0 - bare)
        assert float(out.theta) == pytest.approx(float(same.theta - grown * same.delta), rel=1e-9)


def test_escrow_prices_a_late_dividend_call_too_low():
    """Its fault (Haug, Haug and Lewis, 2003): the dividend's money takes no part in the moves
    before it is paid. The integral gives 11.1062.
    """
    kw = {"is_call": True, "exercise": "european", "dividends": ([0.5], [7.0])}
    one = binomial(100, 100, 1, 0.06, 0, 0.3, **kw)
    two = binomial(100, 100, 1, 0.06, 0, 0.3, dividend_model="escrowed", **kw)
    assert float(one.price) == pytest.approx(11.1062, abs=2e-4)
    assert float(two.price) < float(one.price) - 0.3


def test_an_option_on_its_ex_date_and_a_dividend_beyond_the_stock():
    """A call deep in the money goes the evening before; a dividend as large as the stock leaves a
    put its strike and a call nothing.
    """
    out = binomial(150, 100, 0.1, 0.02, 0, 0.2, is_call=True, dividends=([1e-6], [5.0]))
    assert float(out.price) == pytest.approx(50.0, abs=1e-3)
    kw = {"exercise": "european", "dividends": ([0.01], [1000.0])}
    put = binomial(100, 100, 0.5, 0.04, 0, 0.2, is_call=False, **kw)
    assert float(put.price) == pytest.approx(100 * math.exp(-0.02), rel=1e-3)
    call = binomial(100, 100, 0.5, 0.04, 0, 0.2, is_call=True, **kw)
    assert abs(float(call.price)) < 1e-8
    escrowed = binomial(100, 100, 0.5, 0.04, 0, 0.2, is_call=False, dividend_model="escrowed", **kw)
    assert escrowed.status == PriceStatus.BAD_INPUT
    assert math.isnan(float(escrowed.price))


def test_order_and_shape_of_dividends_do_not_matter():
    """Dates in any order, one schedule for all or one a row."""
    S, kw = np.array([95.0, 100.0, 105.0]), {"is_call": False, "steps": 100}
    one = binomial(S, 100, 0.5, 0.04, 0, 0.2, dividends=([0.1, 0.3], [1.0, 2.0]), **kw)
    two = binomial(S, 100, 0.5, 0.04, 0, 0.2, dividends=([0.3, 0.1], [2.0, 1.0]), **kw)
    times = np.tile([0.1, 0.3], (3, 1))
    three = binomial(S, 100, 0.5, 0.04, 0, 0.2, dividends=(times, [1.0, 2.0]), **kw)
    for a, b, c in zip(one, two, three, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    times[1] = [-0.1, 0.3]
    four = binomial(S, 100, 0.5, 0.04, 0, 0.2, dividends=(times, [1.0, 2.0]), **kw)
    alone = binomial(100, 100, 0.5, 0.04, 0, 0.2, dividends=([0.3], [2.0]), **kw)
    assert float(four.price[1]) == float(alone.price)
    assert four.price[0] == one.price[0]


def test_without_risk_the_path_takes_the_dividends():
    """No volatility: a call is exercised before the stock falls, a put after."""
    kw = {"dividends": ([0.5], [10.0])}
    call = binomial(110, 100, 1, 0.02, 0, 0.0, is_call=True, **kw)
    assert float(call.price) == pytest.approx(110 - 100 * math.exp(-0.01), rel=1e-12)
    put = binomial(100, 105, 1, 0.02, 0, 0.0, is_call=False, **kw)
    right = math.exp(-0.01) * (105 - (100 * math.exp(0.01) - 10))
    assert float(put.price) == pytest.approx(right, rel=1e-12)
    late = binomial(
        100, 105, 1, 0.02, 0, 0.0, is_call=False, exercise="european",
        dividend_model="escrowed", **kw,
    )  # fmt: skip
    stock = (100 - 10 * math.exp(-0.01)) * math.exp(0.02)
    assert float(late.price) == pytest.approx(math.exp(-0.02) * (105 - stock), rel=1e-12)
