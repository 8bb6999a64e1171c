"""Shares of markets whose population is known in closed form, to every digit printed.

Case 1: Roll's model, innovation variance P = (s2 + sqrt(s2^2 + 4 s2 / sum c^-2)) / 2. Case 2: Yan
and Zivot's partial adjustment (2010), where PILS is d^2 / sum d^2. Case 4: equal correlation. Case
6: Baillie, Booth, Tse and Zabotina (2002), bounds from alpha and the residual correlation. The
resolution limit: a true lead of half a second seen ever more coarsely.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.estimators.discovery.information_share import shares
from eventtape.simulate.price_leaders_exact import (
    StateSpace,
    adjusting_market,
    delayed_market,
    innovations_form,
    roll_market,
)

EXACT = {"rtol": 0.0, "atol": 1e-9}


def of(market, row=0):
    form = innovations_form(market)
    assert form.status is Status.OK
    return form, shares(form.psi[row], form.omega)


ROLL = [
    (
        (1.0, 1.0),
        1.0,
        1.366025403784,
        {
            "component": (0.5, 0.5),
            "is_first": (0.7886751346,) * 2,
            "is_last": (0.2113248654,) * 2,
            "pds": (0.5, 0.5),
            "ils": (0.5, 0.5),
        },
    ),
    (
        (1.0, 2.0),
        1.0,
        1.524695076596,
        {
            "component": (0.8, 0.2),
            "is_first": (0.9207825128, 0.4207825128),
            "is_last": (0.5792174872, 0.0792174872),
            "pds": (0.8, 0.2),
            "ils": (0.36, 0.64),
        },
    ),
    (
        (0.5, 1.0, 2.0),
        0.25,
        0.376483692551,
        {
            "component": (0.7619047619, 0.1904761905, 0.0476190476),
            "is_first": (0.9049874558, 0.4118900108, 0.1295468972),
            "is_last": (0.5180894673, 0.0732585040, 0.0165205185),
            "pds": (0.7619047619, 0.1904761905, 0.0476190476),
        },
    ),
]


@pytest.mark.parametrize(("spreads", "variance", "common", "wanted"), ROLL)
def test_roll(spreads, variance, common, wanted):
    c = np.array(spreads)
    form, out = of(roll_market(c, step_sd=math.sqrt(variance), correlation=0.0))
    np.testing.assert_allclose(form.omega, common + np.diag(c**2), rtol=0.0, atol=5e-12)
    for field, numbers in wanted.items():
        np.testing.assert_allclose(getattr(out, field), numbers, **EXACT)
    np.testing.assert_allclose(out.pils, 1.0 / c.size, rtol=0.0, atol=1e-14)


def test_roll_of_three_by_vanilla_ils():
    """Four digits are printed; nobody leads, and the noisiest market has the largest ILS."""
    _, out = of(roll_market(np.array([0.5, 1.0, 2.0]), step_sd=0.5, correlation=0.0))
    np.testing.assert_allclose(out.ils, [0.2044, 0.3614, 0.4341], rtol=0.0, atol=5e-5)


YAN_ZIVOT = [
    (
        (0.5, -0.5),
        1.0,
        {
            "component": (0.5, 0.5),
            "is_first": (0.7191011236, 0.3902439024),
            "is_last": (0.6097560976, 0.2808988764),
            "pds": (0.6666666667, 0.3333333333),
        },
        (0.79676, 0.20324),
    ),
    (
        (0.1, -0.9),
        0.5,
        {
            "component": (0.9, 0.1),
            "is_first": (0.9961089494, 0.4413793103),
            "is_last": (0.5586206897, 0.0038910506),
            "pds": (0.9473684211, 0.0526315789),
        },
        (0.13082, 0.86918),
    ),
]


@pytest.mark.parametrize(("b", "transitory_sd", "wanted", "ils"), YAN_ZIVOT)
def test_yan_zivot(b, transitory_sd, wanted, ils):
    noise = np.outer(b, b) * transitory_sd**2
    _, out = of(adjusting_market(np.array([0.8, 0.4]), np.ones(2), noise, step_sd=1.0))
    for field, numbers in wanted.items():
        np.testing.assert_allclose(getattr(out, field), numbers, **EXACT)
    np.testing.assert_allclose(out.speed, [0.8, 0.4], rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(out.pils, [0.8, 0.2], rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(out.ils, ils, rtol=0.0, atol=5e-6)


@pytest.mark.parametrize("n", [2, 3, 5, 15, 41])
@pytest.mark.parametrize("r", [0.0, 0.3, 0.6])
def test_equal_correlation(n, r):
    """first (1 + (n-1) r) / n, last (1 - r) / (n (1 + (n-2) r)): extremes too, by symmetry."""
    omega = (1.0 - r) * np.eye(n) + r
    out = shares(np.full(n, 1.0 / n), omega)
    first, last = (1.0 + (n - 1) * r) / n, (1.0 - r) / (n * (1.0 + (n - 2) * r))
    np.testing.assert_allclose(out.is_first, first, rtol=1e-12)
    np.testing.assert_allclose(out.is_last, last, rtol=1e-11)
    np.testing.assert_allclose(out.pils, 1.0 / n, rtol=1e-12)
    np.testing.assert_allclose(out.width, first - last, rtol=1e-11, atol=1e-15)
    if n <= 15:
        np.testing.assert_allclose(out.is_max, first, rtol=1e-12)
        np.testing.assert_allclose(out.is_min, last, rtol=1e-11)
        np.testing.assert_allclose(out.shapley, 1.0 / n, rtol=1e-12)


@pytest.mark.parametrize(
    ("r", "first", "last"), [(0.3, 0.3170731707, 0.0013443442), (0.6, 0.6097560976, 0.0003998401)]
)
def test_forty_one_markets(r, first, last):
    """By the filter: each reverts to the mean of all, so psi is 1/n though nothing says so."""
    n = 41
    A = 0.5 * np.eye(n) + 0.5 / n
    omega = (1.0 - r) * np.eye(n) + r
    form, out = of(StateSpace(A, np.eye(n), omega, np.zeros((n, n))))
    np.testing.assert_allclose(form.psi, 1.0 / n, rtol=0.0, atol=1e-13)
    np.testing.assert_allclose(out.is_first, first, **EXACT)
    np.testing.assert_allclose(out.is_last, last, **EXACT)


BAILLIE = [
    ((-0.2, 0.3), (1.0, 1.0), 0.5, 0.8421052632, 0.3552631579),
    ((-0.2, 0.3), (1.0, 1.0), 0.0, 0.6923076923, 0.6923076923),
    ((-0.05, 0.45), (1.0, 2.0), 0.3, 0.9620041754, 0.7694154489),
]


@pytest.mark.parametrize(("alpha", "sd", "rho", "upper", "lower"), BAILLIE)
def test_baillie_booth_tse_zabotina(alpha, sd, rho, upper, lower):
    a, s = np.array(alpha), np.array(sd)
    omega = np.outer(s, s) * np.array([[1.0, rho], [rho, 1.0]])
    market = StateSpace(np.eye(2) + np.outer(a, [1.0, -1.0]), np.eye(2), omega, np.zeros((2, 2)))
    form, out = of(market)
    gamma = np.array([a[1], -a[0]]) / (a[1] - a[0])
    np.testing.assert_allclose(form.psi, [gamma, gamma], rtol=0.0, atol=1e-14)
    np.testing.assert_allclose(out.component, gamma, rtol=0.0, atol=1e-14)
    np.testing.assert_allclose(out.is_max[0], upper, **EXACT)
    np.testing.assert_allclose(out.is_min[0], lower, **EXACT)
    np.testing.assert_allclose(out.is_max[1], 1.0 - lower, **EXACT)
    np.testing.assert_allclose(out.is_min[1], 1.0 - upper, **EXACT)


RESOLUTION = [
    (1.0, 0.5000, 0.9000, 0.6923),
    (2.0, 0.3158, 0.9110, 0.6079),
    (5.0, 0.1527, 0.9448, 0.5469),
    (10.0, 0.0825, 0.9671, 0.5242),
    (30.0, 0.0291, 0.9875, 0.5082),
    (60.0, 0.0148, 0.9936, 0.5041),
]


@pytest.mark.parametrize(("step", "lower", "upper", "pils"), RESOLUTION)
def test_resolution_limit(step, lower, upper, pils):
    """A lead of half a second, sampled at 1 to 60 seconds: the bounds open and PILS goes to 1/2."""
    _, out = of(delayed_market(0.5, step, variance_s=1.0, noise_sd=np.ones(2)))
    got = [out.is_min[0], out.is_max[0], out.pils[0]]
    np.testing.assert_allclose(got, [lower, upper, pils], rtol=0.0, atol=5e-5)
    if step == 1.0:
        np.testing.assert_allclose(got, [0.5, 0.9, 9.0 / 13.0], rtol=0.0, atol=1e-12)


def stacked(market, n_rows):
    """omega and psi by brute force: the covariance of all rows at once, from a known start."""
    A, H, Q, R = (np.asarray(part) for part in market)
    n, far = H.shape[0], 200
    states, X = [], np.zeros_like(A)
    for _ in range(n_rows):
        X = A @ X @ A.T + Q
        states.append(X)
    total = np.zeros((n * n_rows, n * n_rows))
    for s in range(n_rows):
        ahead = np.eye(A.shape[0])
        for t in range(s, n_rows):
            block = H @ ahead @ states[s] @ H.T + (R if s == t else 0.0)
            total[n * t : n * (t + 1), n * s : n * (s + 1)] = block
            total[n * s : n * (s + 1), n * t : n * (t + 1)] = block.T
            ahead = A @ ahead
    past, now = slice(0, n * (n_rows - 1)), slice(n * (n_rows - 1), None)
    weights = np.linalg.solve(total[past, past], total[past, now])
    omega = total[now, now] - total[now, past] @ weights
    later = np.hstack(
        [
            H @ np.linalg.matrix_power(A, far + n_rows - 1 - s) @ states[s] @ H.T
            for s in range(n_rows)
        ]
    )
    return (later[:, now] - later[:, past] @ weights) @ np.linalg.inv(omega), omega


MARKETS = {
    "roll": roll_market(np.array([0.5, 1.0, 2.0]), step_sd=0.7, correlation=0.3),
    "shared noise": adjusting_market(
        np.array([0.8, 0.4]), np.ones(2), np.outer([0.5, -0.5], [0.5, -0.5]), step_sd=1.0
    ),
    "own noise": adjusting_market(
        np.array([0.8, 0.4, 1.3]), np.array([1.0, 2.0, -0.5]), np.diag([1.0, 0.3, 0.5]), step_sd=1.0
    ),
    "delayed": delayed_market(0.5, 1.0, variance_s=1.0, noise_sd=np.ones(2)),
    "much delayed": delayed_market(2.7, 1.0, variance_s=1.0, noise_sd=np.array([1.0, 0.5])),
}


@pytest.mark.parametrize("name", MARKETS)
def test_innovations_form_against_all_rows_at_once(name):
    """80 rows forget the start: their last conditional covariance is the filter's steady one."""
    form = innovations_form(MARKETS[name])
    psi, omega = stacked(MARKETS[name], 80)
    np.testing.assert_allclose(form.omega, omega, rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(form.psi, psi, rtol=0.0, atol=1e-9)
