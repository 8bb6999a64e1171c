"""Conditional call curves: bounds against linear programs, the repair against SLSQP, truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import linprog, minimize

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.least_distance import least_distance
from eventtape.estimators.pricing.lognormal_mixture import lognormal_mixture
from eventtape.estimators.states.conditional_calls import conditional_calls
from eventtape.estimators.states.convex_repair import (
    call_matrix,
    difference_bounds,
    support,
)
from eventtape.estimators.states.exposure import exposure

TAU = 10.0 / 365.0
UP, DOWN = (lognormal_mixture([1.0], [m], [v], TAU) for m, v in ((104.0, 0.5), (97.0, 0.7)))


def measured(seed, *, noise=0.0, news=0.0, n=60):
    """An exposure of calls whose states are known."""
    rng = np.random.default_rng(seed)
    K = np.array([85.0, 92.0, 97.0, 100.0, 103.0, 108.0, 116.0])
    q = 0.5 + 0.15 * np.sin(np.arange(n) / 4.0) + 0.02 * rng.standard_normal(n)
    q[-1] = 0.45
    C = q[:, None] * UP.call(K) + (1.0 - q)[:, None] * DOWN.call(K)
    walk = news * rng.standard_normal((n, 1)).cumsum(axis=0)
    C += 0.5 * walk + noise * rng.standard_normal((n, K.size))
    F = 104.0 * q + 97.0 * (1.0 - q) + walk[:, 0]
    return exposure(np.arange(n), C, q, strikes=K, forward=F, placebos=0, prior_sd=50.0)


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_bounds_of_the_difference_are_those_of_a_linear_program(p):
    """All splits of a law on the strikes: the largest and smallest C1 - C0."""
    rng = np.random.default_rng(1)
    K = np.r_[0.0, np.sort(rng.uniform(80.0, 120.0, 8))]
    g = rng.dirichlet(np.ones(8))
    B = call_matrix(K, K[1:])  # atoms at the strikes themselves: the grid loses nothing
    low, high = difference_bounds(K, B @ g, p)
    for i in range(K.size):
        # g1 with 0 <= p g1 <= g, sum 1; C1 - C0 = (C1 - C) / (1 - p)
        for sign, bound in ((1.0, low[i]), (-1.0, high[i])):
            best = linprog(
                sign * B[i], A_eq=np.ones((1, 8)), b_eq=[1.0], bounds=[(0.0, v / p) for v in g]
            )
            want = (sign * best.fun - B[i] @ g) / (1.0 - p)
            assert bound == pytest.approx(want, abs=1e-8)


def test_bounds_hold_the_truth_between_coarse_strikes():
    K = np.r_[0.0, np.linspace(80.0, 120.0, 6)]
    for p in (0.3, 0.7):
        C1, C0 = (np.r_[m, law.call(K[1:])] for m, law in ((104.0, UP), (97.0, DOWN)))
        low, high = difference_bounds(K, p * C1 + (1 - p) * C0, p)
        assert np.all(low <= C1 - C0)
        assert np.all(high >= C1 - C0)


def test_least_distance_is_that_of_slsqp():
    for seed in range(8):
        rng = np.random.default_rng([2, seed])
        G = rng.standard_normal((6, 3))
        h = G @ rng.standard_normal(3) + rng.uniform(-1.0, 0.2, 6)
        z = least_distance(G, h)
        peer = minimize(
            lambda x: 0.5 * x @ x, np.zeros(3), jac=lambda x: x, method="SLSQP",
            constraints={"type": "ineq", "fun": lambda x, a=G, b=h: a @ x - b},
            options={"ftol": 1e-14},
        )  # fmt: skip
        if z is None:
            assert not peer.success
        else:
            np.testing.assert_allclose(z, peer.x, atol=1e-6)
    assert least_distance(np.array([[1.0], [-1.0]]), np.array([1.0, 1.0])) is None
    np.testing.assert_array_equal(least_distance(np.eye(2), np.array([-1.0, 0.0])), [0.0, 0.0])


def test_what_is_already_convex_is_left_alone():
    """No noise: the curves of the two states, and no repair."""
    out = conditional_calls(measured(3), price_sd=1e-6, draws=10)
    K = out.strikes[1:]
    np.testing.assert_allclose(out.calls[1], np.r_[104.0, UP.call(K)], atol=1e-7)
    np.testing.assert_allclose(out.calls[0], np.r_[97.0, DOWN.call(K)], atol=1e-7)
    np.testing.assert_allclose(out.mean, [97.0, 104.0], atol=1e-7)
    assert out.delta == pytest.approx(math.log(104.0 / 97.0), abs=1e-8)
    assert out.repair.distance == 0.0
    assert not out.repair.violated.any()
    assert out.status is Status.OK


def program(e, price_sd):
    """The quadratic program written out in C and D, for a general solver."""
    m = e.strikes.size
    x = support(e.strikes, e.price)
    A = np.vstack([call_matrix(e.strikes, x), np.ones(x.size)])
    V = 0.98 * e.covariance + 0.02 * np.diag(np.diag(e.covariance))
    W = np.linalg.inv(V)

    def masses(theta):
        C, D, p = theta[:m], theta[m:], e.probability
        g = [np.linalg.solve(A, np.r_[C + s * D, 1.0]) for s in (-p, 1.0 - p)]
        return np.concatenate(g)

    start = np.r_[e.price, e.slope]

    def cost(theta):
        c, d = theta[:m] - e.price, theta[m:] - e.slope
        return (c @ c) / price_sd**2 + d @ W @ d

    jacobian = np.column_stack(
        [masses(start + v) - masses(start) for v in np.eye(2 * m)]  # affine: exact
    )
    peer = minimize(
        cost, start, method="SLSQP", options={"ftol": 1e-13, "maxiter": 2000},
        constraints={"type": "ineq", "fun": masses, "jac": lambda _: jacobian},
    )  # fmt: skip
    return peer, cost, masses


@pytest.mark.parametrize("seed", range(3))
def test_the_repair_is_the_quadratic_program(seed):
    """Same optimum as SLSQP to its tolerance, and never a worse one."""
    e = measured([4, seed], noise=0.15, news=0.1)
    out = conditional_calls(e, price_sd=0.1, draws=10)
    C = e.probability * out.calls[1] + (1.0 - e.probability) * out.calls[0]
    theta = np.r_[C, out.calls[1] - out.calls[0]]
    peer, cost, masses = program(e, 0.1)
    assert masses(np.r_[e.price, e.slope]).min() < -1e-3  # there is something to repair
    assert masses(theta).min() > -1e-8
    assert out.repair.distance**2 == pytest.approx(cost(theta), rel=1e-6)
    assert cost(theta) <= peer.fun * (1.0 + 1e-6)
    assert cost(theta) == pytest.approx(peer.fun, rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_repaired_curves_are_curves(seed):
    """Decreasing, convex, above intrinsic value; masses that sum to one and price them."""
    e = measured([5, seed], noise=0.2, news=0.1)
    out = conditional_calls(e, price_sd=0.2, draws=10)
    K = out.strikes
    np.testing.assert_allclose(out.masses.sum(axis=1), 1.0, atol=1e-9)
    np.testing.assert_allclose(out.masses @ call_matrix(K, out.nodes).T, out.calls, atol=1e-8)
    for C, mean in zip(out.calls, out.mean, strict=True):
        slope = np.diff(C) / np.diff(K)
        assert slope.min() >= -1.0 - 1e-9
        assert slope.max() <= 1e-9
        assert np.diff(slope).min() >= -1e-9
        assert np.all(np.maximum(mean - K, 0.0) - 1e-8 <= C)
        assert C[0] == pytest.approx(mean, abs=1e-8)
    r = out.repair
    assert r.distance > 0.0
    assert r.violated.any()
    before = np.vstack([call_matrix(K, out.nodes), np.ones(out.nodes.size)])
    for j, s in enumerate((-e.probability, 1.0 - e.probability)):
        raw = np.linalg.solve(before, np.r_[e.price + s * e.slope, 1.0])
        assert r.negative_mass[j] == pytest.approx(-raw[raw < 0.0].sum(), abs=1e-9)
        assert r.mass_moved[j] == pytest.approx(0.5 * np.abs(raw - out.masses[j]).sum(), abs=1e-7)
    D = out.calls[1] - out.calls[0]
    change = np.abs(D - e.slope) / e.se
    assert r.largest == pytest.approx(change.max(), rel=1e-6)
    assert r.largest_strike == K[change.argmax()]
    C = e.probability * out.calls[1] + (1.0 - e.probability) * out.calls[0]
    assert r.largest_price == pytest.approx(np.abs(C - e.price).max(), abs=1e-9)
    np.testing.assert_allclose(
        out.sd**2, [g @ out.nodes**2 - (g @ out.nodes) ** 2 for g in out.masses], rtol=1e-9
    )


def test_bands_are_ordered_and_those_of_the_exposure_where_nothing_binds():
    """The mean under the outcome is F + (1 - p) D(0): its band is Student's, by simulation.

    400 draws know the end of a 95% band to sqrt(.025 x .975 / 400) / .058 = .134 sd, 7% of 1.96 sd;
    3.3 of that are 23%.
    """
    e = measured(6, noise=0.01, news=0.02)
    out = conditional_calls(e, price_sd=1e-4, draws=400)
    half = (1.0 - e.probability) * (e.upper[0] - e.slope[0])
    assert out.mean_band[1, 1] - out.mean[1] == pytest.approx(half, rel=0.25)
    assert out.mean[1] - out.mean_band[0, 1] == pytest.approx(half, rel=0.25)
    for low, middle, high in (
        (out.calls_lower, out.calls, out.calls_upper),
        (out.mean_band[0], out.mean, out.mean_band[1]),
        (out.delta_band[0], out.delta, out.delta_band[1]),
    ):
        assert np.all(low <= middle)
        assert np.all(middle <= high)
    again = conditional_calls(e, price_sd=1e-4, draws=400)
    np.testing.assert_array_equal(again.delta_band, out.delta_band)


def test_a_refused_strike_is_left_to_the_shape_of_the_others():
    e = measured(7, noise=0.02)
    gone = e.slope.copy(), e.covariance.copy()
    gone[0][4] = gone[1][4] = gone[1][:, 4] = math.nan
    hole = e._replace(slope=gone[0], covariance=gone[1])
    whole, out = (conditional_calls(x, price_sd=0.02, draws=10) for x in (e, hole))
    assert out.status is Status.OK
    assert abs(out.delta - whole.delta) < 0.02
    neighbours = out.calls[1][[3, 5]]
    assert neighbours[1] < out.calls[1][4] < neighbours[0]


def test_a_refused_forward_refuses_the_curves():
    e = measured(8)
    out = conditional_calls(
        e._replace(verdict=e.verdict._replace(status=Status.NOT_IDENTIFIED)), price_sd=0.1
    )
    assert out.status is Status.NOT_IDENTIFIED
    assert out.repair is None
    for part in out[1:4] + out[5:15]:
        assert np.isnan(part).all()
    ok = conditional_calls(e, price_sd=0.1, draws=10)
    for blank, part in zip(out[:15], ok[:15], strict=True):
        assert np.shape(blank) == np.shape(part)


@pytest.mark.parametrize(
    ("change", "args", "match"),
    [
        ({"strikes": np.arange(1.0, 9.0)}, {}, "its forward"),
        ({"price": np.r_[100.0, math.nan, np.ones(6)]}, {}, "all seen"),
        ({}, {"price_sd": 0.0}, "price sds"),
        ({}, {"draws": 5}, "10 draws"),
        ({}, {"level": 2.0}, "level"),
    ],
    ids=["forward", "unseen", "sd", "draws", "level"],
)
def test_what_cannot_be_used_is_an_error(change, args, match):
    e = measured(9)._replace(**change)
    with pytest.raises(InputError, match=match):
        conditional_calls(e, **{"price_sd": 0.1} | args)


@pytest.mark.slow
def test_study_coverage_of_the_states(capsys):
    """500 days a cell of the two-state simulator, seeds [10, cell, run]; delta .08, 12 strikes."""
    from eventtape.simulate.two_states import Span, two_states

    lines = [
        "n  log vol ratio | answered | cover mean 0, mean 1, delta | delta mean, sd | distance"
    ]
    for cell, (n, ratio) in enumerate(((40, 0.0), (120, 0.0), (120, 0.4))):
        hit, delta, distance = [], [], []
        for run in range(500):
            m = two_states(
                [10, cell, run],
                log_vol_ratio=ratio,
                span=Span(n, 0.3 / (n - 1), 10.0, 0.6, 0.5, 0.03),
                n_strikes=12,
            )
            middle = 0.5 * (m.bids + m.asks)
            C = np.where(m.is_call, middle, middle + m.forward[:, None] - m.strikes)
            e = exposure(
                m.times_ns, C, m.probability, strikes=m.strikes, forward=m.forward, placebos=0
            )
            out = conditional_calls(e, price_sd=0.01, draws=100)
            if out.status is not Status.OK:
                continue
            truth = m.truth.laws[-1].means[::-1]
            band = out.mean_band
            hit.append(
                [
                    *((band[0] <= truth) & (truth <= band[1])),
                    out.delta_band[0] <= 0.08 <= out.delta_band[1],
                ]
            )
            delta.append(out.delta)
            distance.append(out.repair.distance)
        cover = np.mean(hit, axis=0)
        lines.append(
            f"{n:3d} {ratio:.1f} | {len(hit) / 500:.2f} | "
            f"{' '.join(f'{100 * c:.1f}' for c in cover)} | "
            f"{np.mean(delta):.4f} {np.std(delta):.4f} | {np.median(distance):.2f}"
        )
        assert np.all(cover > 0.90)
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201
