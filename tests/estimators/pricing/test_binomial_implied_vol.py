"""Implied volatility by trees: round trips, what a price cannot say, bad input."""

# ruff: noqa: N803 - the letters of the papers
from __future__ import annotations

import math

import numpy as np
import pytest

from eventtape.errors import InputError
from eventtape.estimators.pricing.binomial import binomial
from eventtape.estimators.pricing.binomial_implied_vol import binomial_implied_vol
from eventtape.estimators.pricing.status import PriceStatus

DIVIDENDS = ([0.05, 0.15], [1.95, 1.7])
MODES = {
    "smoothed": {},
    "piecewise": {"dividends": DIVIDENDS},
    "escrowed": {"dividends": DIVIDENDS, "dividend_model": "escrowed"},
    "european": {"dividends": DIVIDENDS, "exercise": "european"},
    "crr": {"tree": "crr"},
    "leisen-reimer": {"tree": "leisen-reimer", "steps": 101},
}


def chain(n=200):
    """Options on one stock at 590: a day to two and a half months, strikes within 25%."""
    rng = np.random.default_rng(0)
    K = 590.0 * np.exp(rng.normal(0.0, 0.08, n))
    return (
        (590.0, K, rng.uniform(0.003, 0.2, n), 0.045, 0.0),
        rng.uniform(0.08, 0.6, n),
        rng.random(n) < 0.5,
    )


@pytest.mark.parametrize("mode", MODES)
def test_round_trip(mode):
    """The tree at the answer gives the price to 1e-9 of the strike, and so the volatility to that
    over vega, wherever an answer is given; it is given wherever the price is over a cent above
    what is secured and not that of exercise.
    """
    args, vol, call = chain()
    kw = {"is_call": call, "steps": 100} | MODES[mode]
    there = binomial(*args[:5], vol, **kw)
    back = binomial_implied_vol(there.price, *args, **kw)
    ok = back.status == PriceStatus.OK
    again = binomial(*args[:5], np.where(ok, back.vol, 0.3), **kw).price
    assert np.abs(again - there.price)[ok].max() <= 1e-9 * args[1].max()
    assert (np.abs(back.vol - vol) * back.vega)[ok].max() <= 2e-8 * args[1].max()
    assert np.isnan(back.vol[~ok]).all()
    assert np.isnan(back.vega[~ok]).all()
    given = (there.vega > 0.1) & (there.status == PriceStatus.OK)
    assert ok[given].all()
    assert given.sum() > 120
    stopped = there.status == PriceStatus.AT_EXERCISE
    assert (back.status[stopped] == PriceStatus.AT_EXERCISE).all()


def test_the_answer_is_the_smoothed_tree_s_to_its_own_error():
    """Prices of collocated American puts (reference grid): at 500 steps the volatilities .2 and .4
    come back within 3e-5, at 1,000 within 1.2e-5.
    """
    price = [4.48667442, 8.51418491, 2.31957426, 6.92345764, 1.11296213, 5.64673134]
    S, tau, vol = [36, 36, 40, 40, 44, 44], [1, 2, 1, 2, 1, 2], np.array([0.2, 0.4] * 3)
    for steps, near in ((500, 3e-5), (1000, 1.2e-5)):
        out = binomial_implied_vol(price, S, 40, tau, 0.06, 0, is_call=False, steps=steps)
        assert np.abs(out.vol - vol).max() < near


PUT = {"is_call": False, "steps": 40}


@pytest.mark.parametrize(
    ("price", "S", "kw", "code"),
    [
        (9.0, 90.0, PUT, PriceStatus.BELOW_INTRINSIC),
        (-1.0, 90.0, PUT, PriceStatus.BAD_INPUT),
        (math.nan, 90.0, PUT, PriceStatus.BAD_INPUT),
        (10.0, 90.0, PUT, PriceStatus.AT_EXERCISE),
        (10.0 + 1e-8, 90.0, PUT, PriceStatus.AT_EXERCISE),
        (100.0, 90.0, PUT, PriceStatus.ABOVE_BOUND),
        (120.0, 90.0, PUT, PriceStatus.ABOVE_BOUND),
        (90.0, 90.0, PUT | {"is_call": True}, PriceStatus.ABOVE_BOUND),
        (0.0, 130.0, PUT, PriceStatus.ZERO_VEGA),
        (1.0, 130.0, PUT | {"exercise": "european"}, PriceStatus.OK),
        (5.0, 90.0, PUT | {"exercise": "european"}, PriceStatus.BELOW_INTRINSIC),
        (5.0, 0.0, PUT, PriceStatus.ZERO_VEGA),
    ],
)
def test_what_a_price_cannot_say(price, S, kw, code):
    out = binomial_implied_vol(price, S, 100, 0.5, 0.04, 0.0, **kw)
    assert out.status == code
    assert math.isnan(float(out.vol)) is (code != PriceStatus.OK)


def test_expired_and_mixed_rows_do_not_touch():
    args, vol, call = chain(12)
    kw = {"is_call": call, "steps": 40}
    price = binomial(*args, vol, **kw).price
    alone = binomial_implied_vol(price, *args, **kw)
    tau = args[2].copy()
    tau[3], price[5] = 0.0, np.nan
    out = binomial_implied_vol(price, args[0], args[1], tau, *args[3:], **kw)
    assert out.status[3] == PriceStatus.EXPIRED
    assert out.status[5] == PriceStatus.BAD_INPUT
    rest = np.delete(np.arange(12), [3, 5])
    np.testing.assert_array_equal(out.vol[rest], alone.vol[rest])
    grid = binomial_implied_vol(
        price.reshape(3, 4), args[0], args[1].reshape(3, 4), tau.reshape(3, 4), *args[3:],
        is_call=call.reshape(3, 4), steps=40,
    )  # fmt: skip
    np.testing.assert_array_equal(grid.vol.ravel(), out.vol)


def test_a_dividend_left_out_moves_the_answer():
    """A put's price with a dividend of 1.95 ahead, read without it, looks more volatile."""
    args = (590.0, 590.0, 0.1, 0.045, 0.0)
    price = binomial(*args, 0.15, is_call=False, dividends=DIVIDENDS).price
    right = binomial_implied_vol(price, *args, is_call=False, dividends=DIVIDENDS)
    wrong = binomial_implied_vol(price, *args, is_call=False)
    assert float(right.vol) == pytest.approx(0.15, abs=1e-7)
    assert float(wrong.vol) > 0.16


def test_bad_requests_are_named():
    with pytest.raises(InputError, match="one of crr"):
        binomial_implied_vol(1.0, 90, 100, 1, 0.05, 0, is_call=True, tree="other")
    with pytest.raises(InputError, match="numbers"):
        binomial_implied_vol("1", 90, 100, 1, 0.05, 0, is_call=True)
    with pytest.raises(InputError, match="positive tolerance"):
        binomial_implied_vol(1, 90, 100, 1, 0.05, 0, is_call=True, tolerance=0.0)
