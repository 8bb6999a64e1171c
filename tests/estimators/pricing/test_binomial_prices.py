"""Trees without cash dividends: a plain tree node by node, Black-Scholes limits, orders, edges."""

# ruff: noqa: N803 - the letters of the papers
from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from eventtape.errors import InputError
from eventtape.estimators.pricing.binomial import TreePrice, binomial
from eventtape.estimators.pricing.status import PriceStatus

TREES = [("crr", 60), ("leisen-reimer", 61), ("smoothed", 60)]
CASES = [(1.0, "american"), (1.0, "european"), (-1.0, "american"), (-1.0, "european")]


def plain_crr(S, K, T, r, q, vol, sign, n, *, american):
    """Cox, Ross and Rubinstein's recursion as their paper has it, all levels kept."""
    h = T / n
    u = math.exp(vol * math.sqrt(h))
    p = (math.exp((r - q) * h) - 1 / u) / (u - 1 / u)
    values = [[max(sign * (S * u ** (2 * j - n) - K), 0.0) for j in range(n + 1)]]
    for m in range(n - 1, -1, -1):
        later = values[0]
        now = [math.exp(-r * h) * (p * later[j + 1] + (1 - p) * later[j]) for j in range(m + 1)]
        if american:
            now = [max(v, sign * (S * u ** (2 * j - m) - K)) for j, v in enumerate(now)]
        values.insert(0, now)
    return values, u, h


def black_scholes(S, K, T, r, q, vol, sign):
    """Price, delta, gamma, theta, vega, rho."""
    root = vol * math.sqrt(T)
    d1 = (math.log(S / K) + (r - q) * T) / root + 0.5 * root
    share, bond = S * math.exp(-q * T), K * math.exp(-r * T)
    n1, n2 = norm.cdf(sign * d1), norm.cdf(sign * (d1 - root))
    bell = share * norm.pdf(d1)
    price = sign * (share * n1 - bond * n2)
    theta = -bell * vol / (2 * math.sqrt(T)) + sign * (q * share * n1 - r * bond * n2)
    return (
        price, sign * share / S * n1, bell / (S * S * root), theta, bell * math.sqrt(T),
        sign * T * bond * n2,
    )  # fmt: skip


@pytest.mark.parametrize(("sign", "exercise"), CASES)
@pytest.mark.parametrize("steps", [4, 5, 30])
def test_crr_is_the_plain_recursion(sign, exercise, steps):
    args = (52.0, 50.0, 0.7, 0.06, 0.03, 0.35)
    values, u, h = plain_crr(*args, sign, steps, american=exercise == "american")
    out = binomial(*args, is_call=sign > 0, exercise=exercise, tree="crr", steps=steps)
    S = args[0]
    assert float(out.price) == pytest.approx(values[0][0], rel=1e-12)
    down, up = values[1]
    assert float(out.delta) == pytest.approx((up - down) / (S * u - S / u), rel=1e-11)
    lowest, middle, highest = values[2]
    rise, fall = (highest - middle) / (S * u * u - S), (middle - lowest) / (S - S / u / u)
    gamma = (rise - fall) / (0.5 * (S * u * u - S / u / u))
    assert float(out.gamma) == pytest.approx(gamma, rel=1e-9)
    assert float(out.theta) == pytest.approx((middle - values[0][0]) / (2 * h), rel=1e-8)


@pytest.mark.parametrize(("tree", "steps"), TREES)
@pytest.mark.parametrize(("sign", "exercise"), CASES)
def test_vega_and_rho_are_the_tree_s_own_derivatives(tree, steps, sign, exercise):
    """Central differences of the same tree. 1e-6: the differences' own error; no node changes from
    stopping to going on between the two.
    """
    S, K, T, r, q, v, e = 100.0, 104.0, 0.5, 0.05, 0.02, 0.3, 1e-5
    kw = {"is_call": sign > 0, "exercise": exercise, "tree": tree, "steps": steps}
    out = binomial(S, K, T, r, q, v, **kw)
    up, down = (binomial(S, K, T, r, q, v + x, **kw).price for x in (e, -e))
    assert float(out.vega) == pytest.approx((up - down) / (2 * e), rel=1e-6)
    up, down = (binomial(S, K, T, r + x, q, v, **kw).price for x in (e, -e))
    assert float(out.rho) == pytest.approx((up - down) / (2 * e), rel=1e-6)


# Largest relative error of price, delta, gamma, theta, vega and rho at 500 steps, rounded up. On a
# plain tree the tangent of a European's vega is rough: nodes cross the strike as volatility moves.
LIMIT = {
    ("crr", "tree"): (8e-4, 3e-4, 2e-3, 3e-3, 2e-2, 4e-4),
    ("crr", "muroi-suda"): (8e-4, 3e-4, 2e-3, 3e-3, 2e-3, 4e-4),
    ("leisen-reimer", "tree"): (3e-7, 7e-4, 3e-3, 4e-3, 3e-7, 4e-7),
    ("smoothed", "tree"): (2e-5, 4e-6, 5e-6, 8e-6, 4e-4, 8e-6),
    ("smoothed", "muroi-suda"): (2e-5, 4e-6, 5e-6, 8e-6, 2e-4, 8e-6),
}


@pytest.mark.parametrize(("tree", "greeks"), LIMIT, ids=str)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_european_limit_is_black_scholes(tree, greeks, sign):
    for K in (90.0, 100.0, 115.0):
        args = (100.0, K, 0.8, 0.05, 0.02, 0.3)
        out = binomial(
            *args, is_call=sign > 0, exercise="european", tree=tree, greeks=greeks,
            steps=501 if tree == "leisen-reimer" else 500,
        )  # fmt: skip
        right = black_scholes(*args, sign)
        for got, wanted, allowed in zip(out, right, LIMIT[tree, greeks], strict=False):
            assert float(got) == pytest.approx(wanted, rel=allowed)


@pytest.mark.parametrize(("tree", "steps"), TREES)
def test_put_call_parity(tree, steps):
    """Exact on a tree: its odds price the stock itself. Smoothing and its last step keep that."""
    K = np.array([70.0, 95.0, 100.0, 130.0])
    kw = {"exercise": "european", "tree": tree, "steps": steps}
    call, put = (binomial(100, K, 0.6, 0.04, 0.01, 0.25, is_call=c, **kw) for c in (True, False))
    share, bond = 100 * math.exp(-0.006), K * math.exp(-0.024)
    np.testing.assert_allclose(call.price - put.price, share - bond, atol=1e-10)
    np.testing.assert_allclose(call.vega, put.vega, atol=1e-9)
    np.testing.assert_allclose(call.rho - put.rho, 0.6 * bond, atol=1e-9)


def order(tree, sizes, args, right, **kw):
    errors = [abs(float(binomial(*args, tree=tree, steps=n, **kw).price) - right) for n in sizes]
    return np.polyfit(np.log(sizes), np.log(errors), 1)[0]


def test_orders_of_convergence():
    """Slope of log error on log steps. Leisen-Reimer's n^-2 for a European; with early exercise it
    falls to about n^-1 (against 2.31957426, the grid's put), as theirs does.
    """
    args = (100.0, 110.0, 0.75, 0.06, 0.01, 0.3)
    right = black_scholes(*args, 1.0)[0]
    sizes = np.array([25, 51, 101, 201, 401])
    slope = order("leisen-reimer", sizes, args, right, is_call=True, exercise="european")
    assert -2.1 < slope < -1.9
    put = (40.0, 40.0, 1.0, 0.06, 0.0, 0.2)
    slope = order("leisen-reimer", sizes, put, 2.31957426, is_call=False)
    assert -1.4 < slope < -0.7


def test_an_american_call_without_dividends_is_european():
    kw = {"is_call": True, "steps": 200}
    one, two = (
        binomial(100, 95, 1, 0.05, 0, 0.3, exercise=e, **kw) for e in ("american", "european")
    )
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_exercise_at_once_has_the_greeks_of_the_payoff():
    for greeks in ("tree", "muroi-suda"):
        out = binomial(25, 40, 1, 0.06, 0, 0.2, is_call=False, greeks=greeks)
        assert [float(x) for x in out] == [15.0, -1.0, 0.0, 0.0, 0.0, 0.0, PriceStatus.AT_EXERCISE]


def test_inputs_broadcast_and_rows_do_not_touch():
    S, K = np.array([[90.0], [110.0]]), np.array([80.0, 100.0, 120.0])
    out = binomial(S, K, 0.5, 0.03, 0.01, 0.2, is_call=np.array([True, False, True]), steps=40)
    assert all(x.shape == (2, 3) for x in out)
    for i in range(2):
        for j in range(3):
            one = binomial(S[i, 0], K[j], 0.5, 0.03, 0.01, 0.2, is_call=j != 1, steps=40)
            np.testing.assert_array_equal([x[i, j] for x in out], [float(x) for x in one])
    empty = binomial(np.zeros(0), 1.0, 1.0, 0.0, 0.0, 0.2, is_call=True)
    assert all(x.shape == (0,) for x in empty)


def test_scale_leaves_the_answer_alone():
    one = binomial(100, 96, 0.5, 0.03, 0.01, 0.2, is_call=False, steps=100)
    two = binomial(400, 384, 0.5, 0.03, 0.01, 0.2, is_call=False, steps=100)
    for field, power in {
        "price": 4,
        "delta": 1,
        "gamma": 0.25,
        "theta": 4,
        "vega": 4,
        "rho": 4,
    }.items():
        assert float(getattr(two, field)) == pytest.approx(power * getattr(one, field), rel=1e-9)


def nothing(out: TreePrice) -> bool:
    return bool(np.isnan([float(x) for x in out[:6]]).all())


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0])
@pytest.mark.parametrize("column", range(6))
def test_bad_values_have_a_code_and_no_number(column, bad):
    args = [100.0, 100.0, 1.0, 0.05, 0.01, 0.2]
    if column in (3, 4) and bad == -1.0:
        bad = -math.inf  # a negative rate or yield is a rate
    args[column] = bad
    out = binomial(*args, is_call=True, steps=20)
    assert out.status == PriceStatus.BAD_INPUT
    assert nothing(out)


def test_what_has_no_tree_has_a_code():
    out = binomial(100, 90, 0, 0.05, 0, 0.2, is_call=[True, False])
    assert out.status.tolist() == [PriceStatus.EXPIRED] * 2
    assert out.price.tolist() == [10.0, 0.0]
    assert np.isnan(out.delta).all()
    out = binomial(100, 90, 1, 0.05, 0, 0.0, is_call=True)
    assert out.status == PriceStatus.ZERO_VEGA
    assert float(out.price) == pytest.approx(100 - 90 * math.exp(-0.05), rel=1e-14)
    assert np.isnan(float(out.vega))


def test_a_step_that_drifts_further_than_it_spreads_is_refused():
    """sigma sqrt(dt) under r dt makes a chance above 1: more steps mend it, no clipping does."""
    out = binomial(100, 100, 1, 0.1, 0, 0.01, is_call=True, tree="crr", steps=50)
    assert out.status == PriceStatus.NO_CONVERGENCE
    assert nothing(out)
    mended = binomial(100, 100, 1, 0.1, 0, 0.01, is_call=True, tree="crr", steps=400)
    assert mended.status == PriceStatus.OK
    assert float(mended.price) == pytest.approx(100 - 100 * math.exp(-0.1), abs=1e-9)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tree": "trinomial"}, "one of crr"),
        ({"exercise": "bermudan"}, "one of american"),
        ({"greeks": "bumped"}, "one of tree"),
        ({"dividend_model": "forward"}, "one of piecewise"),
        ({"steps": 3}, "at least 4"),
        ({"steps": 50.0}, "whole number"),
        ({"steps": 51}, "even number"),
        ({"tree": "leisen-reimer", "steps": 50}, "odd number"),
        ({"tree": "leisen-reimer", "greeks": "muroi-suda"}, "'crr' or 'smoothed'"),
        ({"tree": "leisen-reimer", "dividends": ([0.5], [1.0])}, "escrowed"),
        ({"is_call": 1}, "booleans"),
        ({"dividends": [0.5, 1.0]}, "times, amounts"),
        ({"dividends": ([0.5, 0.6], [1.0, 2.0, 3.0])}, "broadcast"),
        ({"dividends": (["soon"], [1.0])}, "numbers"),
    ],
    ids=lambda x: "-".join(map(str, x)) if isinstance(x, dict) else "",
)
def test_bad_requests_are_named(change, said):
    with pytest.raises(InputError, match=said):
        binomial(100, 100, 1, 0.05, 0, 0.2, **({"is_call": True} | change))
    with pytest.raises(InputError, match="numbers"):
        binomial("100", 100, 1, 0.05, 0, 0.2, is_call=True)
    with pytest.raises(InputError, match="broadcast"):
        binomial([100, 101], [100, 101, 102], 1, 0.05, 0, 0.2, is_call=True)


def test_given_arrays_are_left_alone_and_may_be_read_only():
    S = np.array([90.0, 100.0])
    S.flags.writeable = False
    times = np.array([0.2])
    binomial(S, 100, 1, 0.05, 0, 0.2, is_call=True, dividends=(times, np.array([1.0])), steps=20)
    assert S.tolist() == [90.0, 100.0]
    assert times.tolist() == [0.2]
