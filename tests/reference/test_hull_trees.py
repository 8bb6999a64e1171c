"""Published binomial numbers: Hull's American put, GAUSS's vega and rho, the grid of 20 puts."""

# ruff: noqa: N803 - the letters of the papers
from __future__ import annotations

import numpy as np
import pytest

from eventtape.estimators.pricing.binomial import binomial
from eventtape.estimators.pricing.binomial_implied_vol import binomial_implied_vol

HULL = {"is_call": False, "tree": "crr"}


@pytest.mark.parametrize(
    ("steps", "printed", "digits"),
    [
        (5, 4.49, 2),
        (5, 4.4885, 4),
        (30, 4.263, 3),
        (50, 4.272, 3),
        (100, 4.278, 3),
        (500, 4.283, 3),
    ],
)
def test_hull_american_put(steps, printed, digits):
    """Hull, Options, Futures and Other Derivatives, example of the binomial chapter: S = K = 50,
    r = 10%, sigma = 40%, five months.
    """
    out = binomial(50, 50, 5 / 12, 0.1, 0, 0.4, steps=steps, **HULL)
    assert round(float(out.price), digits) == printed


def test_hull_greeks_of_five_steps():
    """Printed: delta -0.41, gamma 0.03, theta -4.3 a year, 4.62 at 41%. At 11% he prints 4.42 for
    4.40: he subtracts from a rounded price.
    """
    out = binomial(50, 50, 5 / 12, 0.1, 0, 0.4, steps=5, **HULL)
    assert round(float(out.delta), 2) == -0.41
    assert round(float(out.gamma), 2) == 0.03
    assert round(float(out.gamma), 3) == 0.034
    assert round(float(out.theta), 1) == -4.3
    assert round(float(binomial(50, 50, 5 / 12, 0.1, 0, 0.41, steps=5, **HULL).price), 2) == 4.62
    assert round(float(binomial(50, 50, 5 / 12, 0.11, 0, 0.4, steps=5, **HULL).price), 2) == 4.40


def test_hull_implied_volatility():
    """c = 1.875, S = 21, K = 20, r = 10%, three months: 23.5%; 0.2345129140 by Black-Scholes. The
    smoothed tree of 1,000 steps is within 2e-6 of that.
    """
    out = binomial_implied_vol(
        1.875, 21, 20, 0.25, 0.1, 0, is_call=True, exercise="european", steps=1000
    )
    assert float(out.vol) == pytest.approx(0.2345129140, abs=2e-6)


def test_gauss_vega_and_rho():
    """GAUSS manual, AmericanBinomPut_Greeks(305, 300, .08, 0, .33, .25, 60): 65.80 and -31.08.
    Its gamma and theta are not those of any tree and are left out.
    """
    out = binomial(305, 300, 0.33, 0.08, 0, 0.25, steps=60, **HULL)
    assert round(float(out.vega), 2) == 65.80
    assert round(float(out.rho), 2) == -31.08


# Spot, volatility, years; finite differences of Longstaff and Schwartz (Review of Financial Studies
# 14, 2001, table 1: 50 exercise dates a year); price, delta, gamma, vega, rho, theta of continuous
# exercise, from an exercise-boundary collocation, confirmed by a 20,000-step tree.
GRID = np.array([
    (36, 0.2, 1, 4.478, 4.48667442, -0.696806, 0.086725, 10.93570, -10.33268, -0.47361),
    (36, 0.2, 2, 4.840, 4.84830403, -0.616580, 0.073279, 16.11475, -17.63518, -0.27668),
    (36, 0.4, 1, 7.101, 7.10898029, -0.508754, 0.032586, 13.90695, -15.47270, -1.85303),
    (36, 0.4, 2, 8.508, 8.51418491, -0.443351, 0.024644, 19.03560, -27.23102, -1.08663),
    (38, 0.2, 1, 3.250, 3.25719653, -0.537273, 0.072915, 13.93750, -11.80627, -0.68537),
    (38, 0.2, 2, 3.745, 3.75138079, -0.485219, 0.058636, 18.86036, -19.36675, -0.36202),
    (38, 0.4, 1, 6.148, 6.15458978, -0.446660, 0.029517, 14.65842, -15.15932, -2.02212),
    (38, 0.4, 2, 7.670, 7.67490571, -0.396832, 0.021932, 19.79534, -27.04231, -1.16826),
    (40, 0.2, 1, 2.314, 2.31957426, -0.404747, 0.059726, 14.75228, -11.24281, -0.80066),
    (40, 0.2, 2, 2.885, 2.88995125, -0.380130, 0.046867, 19.66232, -18.96923, -0.41404),
    (40, 0.4, 1, 5.312, 5.31829384, -0.390632, 0.026529, 15.05874, -14.54332, -2.13915),
    (40, 0.4, 2, 6.920, 6.92345764, -0.355415, 0.019534, 20.27296, -26.51186, -1.23194),
    (42, 0.2, 1, 1.617, 1.62115529, -0.297769, 0.047443, 14.08771, -9.71068, -0.82613),
    (42, 0.2, 2, 2.212, 2.21672390, -0.296280, 0.037310, 19.19068, -17.42833, -0.43668),
    (42, 0.4, 1, 4.582, 4.58816012, -0.340453, 0.023675, 15.15849, -13.73149, -2.20781),
    (42, 0.4, 2, 6.248, 6.25023617, -0.318514, 0.017409, 20.51291, -25.73883, -1.27913),
    (44, 0.2, 1, 1.110, 1.11296213, -0.214068, 0.036517, 12.54037, -7.86676, -0.78203),
    (44, 0.2, 2, 1.690, 1.69333042, -0.229703, 0.029535, 17.93092, -15.36520, -0.43559),
    (44, 0.4, 1, 3.948, 3.95278487, -0.295816, 0.020994, 15.00809, -12.80409, -2.23337),
    (44, 0.4, 2, 5.647, 5.64673134, -0.285619, 0.015524, 20.55412, -24.79887, -1.31145),
])  # fmt: skip

# Largest relative error over the grid: price, delta, gamma, vega, rho, theta
WITHIN = {
    ("crr", "tree", 500): (7e-4, 4e-4, 1.5e-3, 1.1e-2, 1e-2, 6e-3),
    ("crr", "muroi-suda", 500): (7e-4, 3e-4, 1.2e-3, 8e-3, 1e-2, 7e-3),
    ("crr", "tree", 1000): (5e-4, 2e-4, 8e-4, 4e-3, 3e-3, 1.5e-3),
    ("crr", "muroi-suda", 1000): (5e-4, 1.4e-4, 6e-4, 2.5e-3, 3e-3, 1.6e-3),
    ("leisen-reimer", "tree", 1001): (2e-4, 6e-4, 1.7e-3, 3.5e-3, 9e-3, 2e-3),
    ("smoothed", "tree", 500): (8e-5, 4e-5, 9e-4, 4e-3, 8e-3, 4.5e-3),
    ("smoothed", "muroi-suda", 500): (8e-5, 4e-5, 9e-4, 7e-3, 8e-3, 4.5e-3),
    ("smoothed", "tree", 1000): (3e-5, 3e-5, 1e-4, 8e-4, 1e-3, 5e-4),
    ("smoothed", "muroi-suda", 1000): (3e-5, 3e-5, 1e-4, 9e-4, 1e-3, 5e-4),
}


@pytest.mark.parametrize(("tree", "greeks", "steps"), WITHIN, ids=str)
def test_twenty_american_puts(tree, greeks, steps):
    """The smoothed tree of 1,000 steps prices the grid within 1.1e-4 (of prices from 1 to 9)."""
    S, vol, tau = GRID[:, :3].T
    out = binomial(S, 40, tau, 0.06, 0, vol, is_call=False, tree=tree, steps=steps, greeks=greeks)
    truth = dict(zip(("price", "delta", "gamma", "vega", "rho", "theta"), GRID.T[4:], strict=True))
    for (field, right), allowed in zip(truth.items(), WITHIN[tree, greeks, steps], strict=True):
        assert np.abs(getattr(out, field) / right - 1.0).max() < allowed, field
    assert not out.status.any()
    if tree == "smoothed" and steps == 1000:
        assert np.abs(out.price - GRID[:, 4]).max() < 1.1e-4


# The same grid's n = 200, 500, 1000: absolute error of the delta by the difference of two nodes,
# then by Muroi and Suda's formula, computed apart from this code.
DELTAS = [
    (36, 0.2, 1, 200, 3.6e-4, 1.3e-5), (36, 0.2, 1, 500, 2.0e-4, 6.2e-5),
    (36, 0.2, 1, 1000, 2.5e-5, 4.4e-5), (40, 0.2, 1, 200, 3.1e-4, 1.1e-4),
    (40, 0.2, 1, 500, 1.2e-4, 4.2e-5), (40, 0.2, 1, 1000, 6.1e-5, 2.1e-5),
    (44, 0.4, 2, 200, 5.3e-5, 6.0e-5), (44, 0.4, 2, 500, 2.3e-5, 2.2e-5),
    (44, 0.4, 2, 1000, 1.8e-7, 2.3e-5),
]  # fmt: skip


@pytest.mark.parametrize(("S", "vol", "tau", "steps", "classic", "weighted"), DELTAS)
def test_muroi_suda_delta_against_the_classic_one(S, vol, tau, steps, classic, weighted):
    """To the two digits printed, less half a digit of the truth's own rounding (5e-7)."""
    row = GRID[(GRID[:, 0] == S) & (GRID[:, 1] == vol) & (GRID[:, 2] == tau)][0]
    for greeks, printed in (("tree", classic), ("muroi-suda", weighted)):
        out = binomial(
            S, 40, tau, 0.06, 0, vol, is_call=False, tree="crr", steps=steps, greeks=greeks
        )
        error = abs(float(out.delta) - row[5])
        digit = 10.0 ** np.floor(np.log10(printed)) / 10.0
        assert abs(error - printed) <= 0.5 * digit + 6e-7


# QuantLib's test suite (americanoption.cpp), those of its edge cases that are free of any model
@pytest.mark.parametrize(
    ("S", "K", "days", "r", "q", "vol", "is_call", "right", "allowed"),
    [
        (100, 120, 365, 0.0, 0.05, 0.0, False, 24.8770575499286, 1e-11),
        (100, 50, 365, 0.05, 0.01, 0.0, True, 51.4435121498811, 1e-11),
        (0, 120, 365, -0.075, 0.0, 0.25, False, 129.346098106156, 1e-11),
        (100, 0, 365, 0.05, 0.01, 0.25, False, 0.0, 0.0),
        (100, 120, 1, 0.1, 0.03, 0.25, False, 20.0, 0.0),
        (100, 120, 3650, 0.1, 0.03, 0.25, False, 23.00029, 1.2e-3),
        (100, 100, 365, 0.0, 0.025, 0.25, True, 8.865365, 2e-4),
        (100, 100, 365, 0.05, 0.0, 0.25, True, 12.3359989304, 1e-4),
    ],
    ids=[
        "zero-vol-put", "zero-vol-call", "zero-spot", "zero-strike", "one-day", "ten-years",
        "zero-rate-call", "call-without-dividend",
    ],
)  # fmt: skip
def test_edges(S, K, days, r, q, vol, is_call, right, allowed):
    """1,000 steps a year, at most 4,000: at ten years 1,000 in all leave 4e-3."""
    steps = 4000 if days > 365 else 1000
    out = binomial(S, K, days / 365, r, q, vol, is_call=is_call, steps=steps)
    assert abs(float(out.price) - right) <= allowed
