"""Sharp bounds: published numbers, linear programs, quadrature, closed forms, and known truth."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq, linprog, minimize_scalar
from scipy.special import ndtr, ndtri

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.density.fit import fit_density
from eventtape.estimators.pricing.lognormal_mixture import lognormal, lognormal_mixture
from eventtape.estimators.pricing.terminal_law import quantile
from eventtape.estimators.states.bounds import outcome_bounds
from eventtape.estimators.states.bounds_envelope import state_envelope
from eventtape.estimators.states.bounds_interval import imbens_manski
from eventtape.estimators.states.bounds_payoffs import (
    Payoff,
    call_payoff,
    digital_payoff,
    polygon_payoff,
    put_payoff,
    straddle_payoff,
)
from eventtape.simulate.option_chain import chain_truths, option_chain

TAU = 30 / 365
PAYOFFS = (
    call_payoff(103.0),
    put_payoff(96.0),
    straddle_payoff(100.0),
    digital_payoff(101.0),
    polygon_payoff([90.0, 100.0, 110.0], [0.0, 5.0, 0.0]),
    Payoff(lambda s: 1e-2 * (s - 98.0) ** 2),
)
NAMES = ("mean", "excess", "vol", "quantiles", "payoffs")


def two_states(p, gap, sd=0.0993, forward=100.0):
    """Two lognormal states of one log sd, log(m1 / m0) = gap."""
    m0 = forward / (p * math.exp(gap) + 1.0 - p)
    return lognormal_mixture([p, 1.0 - p], [m0 * math.exp(gap), m0], [sd / math.sqrt(TAU)] * 2, TAU)


@cache
def fitted(name="mixture", seed=3, forward_error=0.0, width=3.5, n=60):
    truth = chain_truths()[name]
    c = option_chain(truth, seed=seed, displacement=0.4, width=width, n_strikes=n)
    return fit_density(
        *c[:6], tau=c.tau, forward=c.forward, forward_error=forward_error,
        discount=c.discount, tick=0.01,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("p", "low", "high", "truth"), [(0.4, -0.1016, 0.1046, 0.0484), (0.6, -0.0695, 0.0678, 0.0317)]
)
def test_bounds_of_the_reference(p, low, high, truth):
    """references, options section 11: sharp bounds of m1 / F - 1 at a gap of .08."""
    law = two_states(p, 0.08)
    out = outcome_bounds(law, p)
    got = [out.state1.excess.lower, out.state1.excess.upper, law.means[0] / 100.0 - 1.0]
    assert np.round(got, 4).tolist() == [low, high, truth]
    assert out.status is Status.OK


def test_black_law_has_closed_forms():
    """Mean F Phi(s -+ z) / r, quantiles and distribution of Black's law."""
    sd, p = 0.2, np.array([0.05, 0.3, 0.5, 0.9])
    law = lognormal(100.0, 1.0, sd)
    out = outcome_bounds(law, p)
    for r, state in ((p, out.state1), (1.0 - p, out.state0)):
        z = ndtri(r)
        np.testing.assert_allclose(state.mean.upper, 100.0 * ndtr(sd + z) / r, rtol=1e-12)
        np.testing.assert_allclose(state.mean.lower, 100.0 * ndtr(z - sd) / r, rtol=1e-12)
        q = np.array([0.05, 0.5, 0.95])
        low = 100.0 * np.exp(sd * ndtri(r[:, None] * q) - 0.5 * sd**2)
        np.testing.assert_allclose(state.quantiles.lower, low, rtol=1e-12)
        high = 100.0 * np.exp(sd * ndtri(1.0 - r[:, None] * (1.0 - q)) - 0.5 * sd**2)
        np.testing.assert_allclose(state.quantiles.upper, high, rtol=1e-12)
        # A normal law trimmed to its middle, or of its middle: the textbook truncated variances
        a = ndtri(0.5 * (1.0 + r))
        density = np.exp(-0.5 * a * a) / math.sqrt(2.0 * math.pi)
        np.testing.assert_allclose(
            state.vol.lower, sd * np.sqrt(1 - 2 * a * density / r), rtol=1e-9
        )
        b = ndtri(1.0 - 0.5 * r)
        density = np.exp(-0.5 * b * b) / math.sqrt(2.0 * math.pi)
        np.testing.assert_allclose(
            state.vol.upper, sd * np.sqrt(1 + 2 * b * density / r), rtol=1e-9
        )
    np.testing.assert_allclose(
        out.gap.upper, np.log(out.state1.mean.upper / out.state0.mean.lower), rtol=1e-12
    )
    np.testing.assert_allclose(
        out.gap.lower, np.log(out.state1.mean.lower / out.state0.mean.upper), rtol=1e-12
    )


def _atoms(law, n=1500):
    """The law on n atoms: masses of cells of y and the mean of the price in each."""
    ends = quantile(law, [1e-9, 1.0 - 1e-9])
    edges = np.exp(np.linspace(*np.log(ends), n + 1))
    mass = np.diff(np.r_[0.0, law.cdf(edges[1:-1]), 1.0])
    above = np.r_[law.forward, law.call(edges[1:-1]) + edges[1:-1] * (1 - law.cdf(edges[1:-1])), 0]
    return mass, -np.diff(above) / mass


def _program(mass, g, r):
    """Least and largest mean of g over parts of r: two linear programs."""
    ends = [
        linprog(s * g / r, A_eq=np.ones((1, g.size)), b_eq=[r], bounds=np.c_[0 * mass, mass])
        for s in (1.0, -1.0)
    ]
    return ends[0].fun, -ends[1].fun


@pytest.mark.parametrize(("p", "gap"), [(0.35, 0.12), (0.7, -0.25)])
def test_payoffs_and_means_are_those_of_a_linear_program(p, gap):
    """1,500 atoms: cells are .5% of the price wide, so 2e-3 in payoffs of size 5 to 100."""
    law = two_states(p, gap)
    mass, S = _atoms(law)
    out = outcome_bounds(law, p, payoffs=PAYOFFS)
    for r, state in ((p, out.state1), (1.0 - p, out.state0)):
        low, high = _program(mass, S, r)
        assert state.mean.lower == pytest.approx(low, abs=1e-4)
        assert state.mean.upper == pytest.approx(high, abs=1e-4)
        for i, payoff in enumerate(PAYOFFS):
            tolerance = 5e-3 if payoff.amounts(np.array([1e4]))[0] == 1.0 else 5e-4
            low, high = _program(mass, payoff.amounts(S), r)
            assert state.payoffs.lower[i] == pytest.approx(low, abs=tolerance)
            assert state.payoffs.upper[i] == pytest.approx(high, abs=tolerance)


@pytest.mark.parametrize(
    ("weights", "means", "sds"),
    [([0.4, 0.6], [108.0, 95.0], [0.1, 0.1]), ([0.3, 0.7], [125.0, 90.0], [0.03, 0.06])],
    ids=["one peak", "two peaks"],
)
@pytest.mark.parametrize("r", [0.25, 0.6, 0.95])
def test_variance_by_brute_force(weights, means, sds, r):
    """Least: every interval of atoms with mass r. Largest: for every centre a linear program."""
    law = lognormal_mixture(weights, means, np.array(sds) / math.sqrt(TAU), TAU)
    mass, S = _atoms(law, 4000)
    y = np.log(S)
    total = np.array([np.r_[0.0, np.cumsum(mass * y**n)] for n in range(3)])
    starts = np.linspace(0.0, 1.0 - r, 4001)

    def inside(u, held):
        return np.array(
            [np.interp(u + held, total[0], t) - np.interp(u, total[0], t) for t in total]
        )

    m = inside(starts, r)
    least = (m[2] / m[0] - (m[1] / m[0]) ** 2).min()

    def largest_about(c):
        order = np.argsort(-np.abs(y - c))
        take = np.minimum(np.cumsum(mass[order]), r)
        return float(np.diff(np.r_[0.0, take]) @ (y[order] - c) ** 2) / r

    best = minimize_scalar(largest_about, bounds=(y.min(), y.max()), method="bounded")
    vol = outcome_bounds(law, r).state1.vol
    assert vol.lower == pytest.approx(math.sqrt(least / TAU), rel=2e-4)
    assert vol.upper == pytest.approx(math.sqrt(best.fun / TAU), rel=2e-4)


def test_largest_variance_is_that_of_a_concave_program():
    """No random part of the law beats either bound, and the best of them come near."""
    law = two_states(0.4, 0.2)
    mass, S = _atoms(law, 400)
    y, rng = np.log(S), np.random.default_rng(1)
    out = outcome_bounds(law, 0.4).state1.vol
    seen = []
    for _ in range(300):
        centre, power = rng.normal(y @ mass, 0.2), rng.uniform(0.0, 100.0)
        like = mass * np.exp(
            rng.choice([-1.0, 1.0]) * power * np.abs(y - centre) ** rng.uniform(1, 2)
        )
        scale = np.exp(
            brentq(lambda a, w=like: np.minimum(mass, np.exp(a) * w).sum() - 0.4, -300, 300)
        )
        part = np.minimum(mass, scale * like) / 0.4
        seen.append(math.sqrt((part @ y**2 - (part @ y) ** 2) / TAU))
    assert max(seen) <= out.upper + 1e-3
    assert min(seen) >= out.lower - 1e-3
    assert max(seen) > 0.97 * out.upper
    assert min(seen) < 1.1 * out.lower


def test_quadrature_of_a_fitted_density_to_1e8():
    """Scipy's quad and brentq on the closed form of the fitted smile."""
    from eventtape.estimators.density.density_quantities import density_at

    density = fitted()
    F, p = density.forward, 0.6

    def f(y):
        S = F * np.exp(y)
        return float(density_at(density.smile, [S]).pdf[0]) * S

    def E(g, a, b):
        cuts = np.unique(np.clip(np.r_[a, np.linspace(-0.45, 0.45, 7), b], a, b))
        return sum(
            quad(lambda y: g(y) * f(y), lo, hi, epsabs=1e-12, epsrel=1e-11)[0]
            for lo, hi in pairwise(cuts.tolist())
        )

    def level(q):
        return brentq(lambda y: float(density_at(density.smile, [F * np.exp(y)]).cdf[0]) - q, -1, 1)

    out = outcome_bounds(density, p, payoffs=[straddle_payoff(100.0)])
    t = level(1.0 - p)
    assert out.state1.excess.upper == pytest.approx(E(np.exp, t, 1.2) / p - 1.0, abs=1e-8)
    s = level(p)
    assert out.state1.excess.lower == pytest.approx(E(np.exp, -1.2, s) / p - 1.0, abs=1e-8)
    assert out.state1.quantiles.lower[1] == pytest.approx(F * math.exp(level(0.5 * p)), rel=1e-8)
    # A straddle keeps all but the prices within a of the strike
    cdf = lambda s: float(density_at(density.smile, [s]).cdf[0])  # noqa: E731
    a = brentq(lambda a: cdf(100.0 + a) - cdf(100.0 - a) - (1.0 - p), 0.1, 50.0)
    pays = lambda y: abs(F * math.exp(y) - 100.0)  # noqa: E731
    low, high = math.log((100.0 - a) / F), math.log((100.0 + a) / F)
    got = (E(pays, -1.2, low) + E(pays, high, 1.2)) / p
    assert out.state1.payoffs.upper[0] == pytest.approx(got, rel=1e-8)


@given(
    weights=st.lists(st.floats(0.1, 1.0), min_size=3, max_size=3),
    means=st.lists(st.floats(85.0, 118.0), min_size=3, max_size=3),
    sds=st.lists(st.floats(0.03, 0.15), min_size=3, max_size=3),
)
@settings(max_examples=15, deadline=None, derandomize=True)
def test_bounds_hold_the_truth(weights, means, sds):
    """State 1 is the first of three states, state 0 the two others."""
    w = np.array(weights) / sum(weights)
    p, vols = w[0], np.array(sds) / math.sqrt(TAU)
    law = lognormal_mixture([p, w[1], 1.0 - p - w[1]], means, vols, TAU)
    one = lognormal(means[0], TAU, vols[0])
    v = np.array([w[1], 1.0 - p - w[1]]) / (1.0 - p)
    other = lognormal_mixture([v[0], 1.0 - v[0]], means[1:], vols[1:], TAU)
    out = outcome_bounds(law, p, payoffs=PAYOFFS[:4])
    for state, truth in ((out.state1, one), (out.state0, other)):
        m = np.log(truth.means) - 0.5 * truth.vols**2 * TAU
        mean = truth.weights @ m
        vol = math.sqrt((truth.weights @ (m**2 + truth.vols**2 * TAU) - mean**2) / TAU)
        median = quantile(truth, [0.05, 0.5, 0.95])
        c, q = float(truth.call(103.0)), float(truth.put(96.0))
        paid = [
            c, q, float(truth.call(100.0) + truth.put(100.0)), 1.0 - float(truth.cdf(101.0))
        ]  # fmt: skip
        for bound, true in (
            (state.mean, truth.forward), (state.vol, vol),
            (state.quantiles, median), (state.payoffs, paid),
        ):  # fmt: skip
            slack = 1e-9 * (1.0 + np.abs(true))
            assert (bound.lower <= true + slack).all()
            assert (bound.upper >= true - slack).all()
        at = state_envelope(law, p if truth is one else 1.0 - p, [90.0, 100.0, 110.0])
        assert (at.cdf_lower <= truth.cdf(at.strikes) + 1e-12).all()
        assert (at.cdf_upper >= truth.cdf(at.strikes) - 1e-12).all()
        assert (at.pdf_upper >= truth.pdf(at.strikes) - 1e-12).all()
    gap = math.log(one.forward / other.forward)
    assert out.gap.lower - 1e-9 <= gap <= out.gap.upper + 1e-9


def test_bounds_nest_and_meet():
    law = chain_truths()["bimodal"]
    p = np.linspace(0.05, 1.0, 20)
    out = outcome_bounds(law, p, payoffs=PAYOFFS)
    for name in NAMES:
        bound = getattr(out.state1, name)
        scale = 1e-9 * np.abs(bound.upper).max()
        assert (np.diff(bound.lower, axis=0) >= -scale).all(), name
        assert (np.diff(bound.upper, axis=0) <= scale).all(), name
        np.testing.assert_allclose(bound.lower[-1], bound.upper[-1], rtol=1e-9, atol=1e-9)
        assert np.isnan(getattr(out.state0, name).lower[-1]).all()
    assert np.isnan(out.gap.lower[-1])
    np.testing.assert_allclose(out.state1.mean.lower[-1], law.forward, rtol=1e-12)
    np.testing.assert_allclose(
        out.state1.quantiles.lower[-1], quantile(law, [0.05, 0.5, 0.95]), rtol=1e-10
    )
    np.testing.assert_allclose(out.state1.payoffs.upper[-1, :2], [law.call(103.0), law.put(96.0)])
    y, w = np.polynomial.legendre.leggauss(400)
    grid = law.forward * np.exp(y)  # +- 1 is ten standard deviations and more
    mass = law.pdf(grid) * grid * w
    np.testing.assert_allclose(
        out.state1.vol.upper[-1] ** 2 * law.tau, mass @ y**2 - (mass @ y) ** 2, rtol=1e-9
    )


def test_other_names_for_the_same_thing():
    """State 0 is state 1 of the other outcome; S - K, puts and calls as polygons; one p or many."""
    law = two_states(0.4, 0.1)
    line = polygon_payoff([99.0, 101.0], [-1.0, 1.0])
    call = polygon_payoff([50.0, 103.0, 110.0], [0.0, 0.0, 7.0])
    pays = [line, call, call_payoff(103.0), Payoff(lambda s: -s)]
    p = np.array([[0.2, 0.4, 0.7], [0.5, 0.99, 0.01]])
    out, turned = outcome_bounds(law, p, payoffs=pays), outcome_bounds(law, 1.0 - p, payoffs=pays)
    for name in NAMES:
        here, there = getattr(out.state0, name), getattr(turned.state1, name)
        assert here.lower.shape[:2] == p.shape
        for a, b in zip(here, there, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(out.gap.lower, -turned.gap.upper, rtol=1e-12)
    one = out.state1
    np.testing.assert_allclose(one.payoffs.upper[..., 0], one.mean.upper - 100.0, rtol=1e-10)
    np.testing.assert_allclose(one.payoffs.lower[..., 1], one.payoffs.lower[..., 2], atol=1e-12)
    np.testing.assert_allclose(one.payoffs.lower[..., 3], -one.mean.upper, rtol=1e-12)
    alone = outcome_bounds(law, 0.7, payoffs=pays)
    np.testing.assert_array_equal(alone.state1.payoffs.upper, one.payoffs.upper[0, 2])
    assert alone.gap.lower == out.gap.lower[0, 2]


@pytest.mark.parametrize("name", ["mixture", "skewed"])
def test_errors_are_differences(name):
    """Every row of the factor moved by a step, and the forward: the delta method by brute force."""
    density = fitted(name, forward_error=0.02)
    smile, p, h = density.smile, 0.4, 1e-4

    def numbers(d):
        out = outcome_bounds(d, p, payoffs=PAYOFFS)
        parts = [getattr(s, n) for s in (out.state1, out.state0) for n in NAMES] + [out.gap]
        low, high, e, g = (np.concatenate([np.atleast_1d(x[i]) for x in parts]) for i in range(4))
        return np.concatenate([low, high]), np.concatenate([e, g])

    total = 0.0
    for row in smile.factor:
        up, down = (
            numbers(
                density._replace(smile=smile._replace(coefficients=smile.coefficients + s * row))
            )
            for s in (h, -h)
        )
        total = total + ((up[0] - down[0]) / (2 * h)) ** 2
    F, e = density.forward, density.forward_error
    moved = []
    for s in (1.0, -1.0):
        there = smile._replace(forward=F + s * e)
        moved.append(numbers(density._replace(smile=there, forward=F + s * e))[0])
    total = total + (0.5 * (moved[0] - moved[1])) ** 2
    errors = numbers(density)[1]
    np.testing.assert_allclose(errors, np.sqrt(total), rtol=1e-3, atol=1e-7)


def test_error_of_p_is_a_difference():
    law, p, sd, h = two_states(0.4, 0.1), 0.4, 0.02, 1e-5
    here = outcome_bounds(law, p, p_error=sd, payoffs=PAYOFFS)
    up, down = (outcome_bounds(law, p + s, payoffs=PAYOFFS) for s in (h, -h))
    for state in ("state1", "state0"):
        for name in NAMES:
            a, b, c = (getattr(getattr(x, state), name) for x in (here, up, down))
            for i in range(2):
                slope = np.abs(b[i] - c[i]) / (2 * h)
                np.testing.assert_allclose(a[2 + i], sd * slope, rtol=1e-5, atol=1e-7)
    for i in range(2):
        slope = abs(up.gap[i] - down.gap[i]) / (2 * h)
        assert here.gap[2 + i] == pytest.approx(sd * slope, rel=1e-5)


@pytest.mark.parametrize("law", ["mixture", "two peaks"])
def test_an_interval_of_p_is_the_union_over_it(law):
    """The gap's widest p may lie inside: between two peaks it does."""
    if law == "two peaks":
        law = lognormal_mixture([0.5, 0.5], [112.0, 88.0], np.array([0.02, 0.02]) / TAU**0.5, TAU)
    else:
        law = chain_truths()[law]
    out = outcome_bounds(law, 0.5, p_error=(0.3, 0.65), payoffs=PAYOFFS)
    every = outcome_bounds(law, np.linspace(0.3, 0.65, 701), payoffs=PAYOFFS[:0])
    for state in ("state1", "state0"):
        for name in NAMES[:4]:
            union, each = getattr(getattr(out, state), name), getattr(getattr(every, state), name)
            np.testing.assert_allclose(union.lower, each.lower.min(axis=0), rtol=1e-9)
            np.testing.assert_allclose(union.upper, each.upper.max(axis=0), rtol=1e-9)
    assert out.gap.lower == pytest.approx(every.gap.lower.min(), abs=1e-5)
    assert out.gap.upper == pytest.approx(every.gap.upper.max(), abs=1e-5)
    assert out.gap.upper >= every.gap.upper.max() - 1e-12


def test_interval_of_imbens_and_manski():
    """Their equation 7 by brentq; the two limits; and what is covered, by the normal law itself."""
    widths = np.array([0.0, 0.3, 1.0, 3.0, 1e3])
    low, high = imbens_manski(0.0 * widths, widths, 1.0 + 0.0 * widths, 0.5 + 0.0 * widths, 0.9)
    for i, width in enumerate(widths):
        C = brentq(lambda c, d=width: ndtr(c + d) - ndtr(-c) - 0.9, 0.5, 3.0, xtol=1e-14)
        assert -low[i] == pytest.approx(C, abs=1e-12)
        assert high[i] - width == pytest.approx(0.5 * C, abs=1e-12)
    assert -low[[0, -1]] == pytest.approx([ndtri(0.95), ndtri(0.9)], abs=1e-12)
    known = imbens_manski(*(np.array([x]) for x in (1.0, 2.0, 0.0, 0.0)))
    assert [float(x[0]) for x in known] == [1.0, 2.0]


def test_what_rests_beyond_the_quotes():
    """Trimmed where quoted, a mean rests on no tail; trimmed beyond, all of it does."""
    density = fitted("kou", width=1.5, n=30)
    tails = density.tails
    p = np.array([0.5 * tails.mass_above, 0.9 * tails.mass_above, 0.3])
    out = outcome_bounds(density, p, payoffs=[call_payoff(100.0), straddle_payoff(100.0)])
    mean = out.state1.mean
    assert mean.resolved.tolist() == [False, False, True]
    assert out.status is Status.NOT_RESOLVED
    assert mean.beyond_upper[2] < 1e-9
    # All of what the largest mean has over its trimming point is beyond the last strike
    t = outcome_bounds(density, p, probabilities=[1e-12]).state1.quantiles.upper[:, 0]
    assert (t[:2] > tails.high_strike).all()
    width = mean.upper - mean.lower
    np.testing.assert_allclose(mean.beyond_upper[:2], ((mean.upper - t) / width)[:2], rtol=1e-6)
    q = out.state1.quantiles
    np.testing.assert_array_equal(q.beyond_upper, (q.upper > tails.high_strike) * 1.0)
    np.testing.assert_array_equal(q.beyond_lower, (q.lower < tails.low_strike) * 1.0)


def _two_tails(density, u, p):
    """Without the interval from Q(u) to Q(1 - p + u): its middle, the mean of the rest, the gap."""
    from eventtape.estimators.density.density_quantities import quantiles
    from eventtape.estimators.density.density_quantities_nodes import law_nodes

    y = np.log(quantiles(density.smile, [u, 1.0 - p + u]).prices / density.forward)
    nodes = law_nodes(density.smile, at=y)
    rest = nodes.mass * ((nodes.y < y[0]) | (nodes.y > y[1]))
    mean = float(rest @ nodes.y / rest.sum())
    return y.mean(), mean, y.mean() - mean


def test_beyond_by_quadrature():
    """A curved payoff: E of it less the line that touches it at either last strike."""
    from eventtape.estimators.density.density_quantities import density_at

    density = fitted("kou", width=1.5, n=30)
    a, b = density.tails[:2]
    square = Payoff(lambda s: 1e-2 * (s - 98.0) ** 2)
    one = outcome_bounds(density, 0.6, payoffs=[square]).state1
    total = 0.0
    for K, low, high in ((a, 1.0, a), (b, b, 400.0)):

        def rest(S, K=K):  # noqa: N803
            line = square.amounts(K) + 2e-2 * (K - 98.0) * (S - K)
            return (square.amounts(S) - line) * float(density_at(density.smile, [S]).pdf[0])

        cuts = np.linspace(low, high, 6)
        total += sum(quad(rest, x, y)[0] for x, y in pairwise(cuts.tolist()))
    width = one.payoffs.upper[0] - one.payoffs.lower[0]
    assert one.payoffs.beyond_upper[0] == pytest.approx(total / 0.6 / width, rel=1e-6)
    assert one.vol.beyond_lower == 0.0
    # The largest variance takes both tails too: the same of (y - c)^2 with c the state's mean
    F, p = density.forward, 0.6
    ends = brentq(lambda u: _two_tails(density, u, p)[2], 1e-3, p - 1e-3)
    c = _two_tails(density, ends, p)[1]
    total = 0.0
    for K, low, high in ((a, 1.0, a), (b, b, 400.0)):
        k = math.log(K / F)

        def part(S, K=K, k=k):  # noqa: N803
            line = (k - c) ** 2 + 2.0 * (k - c) / K * (S - K)
            return ((math.log(S / F) - c) ** 2 - line) * float(
                density_at(density.smile, [S]).pdf[0]
            )

        total += abs(sum(quad(part, x, y)[0] for x, y in pairwise(np.linspace(low, high, 6))))
    v, width = one.vol.upper, one.vol.upper - one.vol.lower
    amount = total / p / (2.0 * v * density.tau)
    assert one.vol.beyond_upper == pytest.approx(amount / width, rel=1e-4)


def test_negative_mass_is_said():
    """A smile with arbitrage: what is set to 0 is the report's number, and the rest has mass 1."""
    density = fitted("mixture")
    bent = density.smile.coefficients.copy()
    bent[9] += 0.8
    density = density._replace(smile=density.smile._replace(coefficients=bent))
    from eventtape.estimators.density.no_arbitrage import arbitrage_report

    told = arbitrage_report(density.smile)
    assert told.negative_mass[0] > 1e-3
    out = outcome_bounds(density, np.array([0.5, 1.0]))
    assert out.negative_mass == pytest.approx(told.negative_mass[0], rel=1e-3)
    assert out.status is Status.NOT_RESOLVED
    assert (out.state1.mean.lower[0] < out.state1.mean.upper[0]).all()
    np.testing.assert_allclose(out.state1.mean.lower[1], out.state1.mean.upper[1], rtol=1e-9)


def test_refusals():
    law = two_states(0.4, 0.1)
    for bad in (-0.1, 1.2, [0.5, math.inf]):
        with pytest.raises(InputError, match="0 to 1"):
            outcome_bounds(law, bad)
    with pytest.raises(InputError, match="between 0 and 1"):
        outcome_bounds(law, 0.5, probabilities=[0.0])
    for error in (-0.1, math.nan):
        with pytest.raises(InputError, match="0 or more"):
            outcome_bounds(law, 0.5, p_error=error)
    with pytest.raises(InputError, match="low <= p <= high"):
        outcome_bounds(law, 0.5, p_error=(0.6, 0.7))
    with pytest.raises(InputError, match="finite amounts"):
        outcome_bounds(law, 0.5, payoffs=[Payoff(lambda s: np.where(s > 100.0, np.nan, s))])
    with pytest.raises(InputError, match="shape"):
        outcome_bounds(law, 0.5, payoffs=[Payoff(lambda s: np.ones(3))])
    with pytest.raises(InputError, match="rising"):
        polygon_payoff([2.0, 1.0], [0.0, 1.0])
    with pytest.raises(InputError):
        state_envelope(law, 0.0, [100.0])
    out = outcome_bounds(law, [math.nan, 0.0, 1.0])
    assert np.isnan(out.state1.mean.lower).tolist() == [True, True, False]
    assert np.isnan(out.state0.vol.upper).tolist() == [True, False, True]
    assert np.isnan(out.gap.upper).all()


def test_no_density_no_bounds():
    few = fit_density(
        [99.0, 100.0, 101.0], np.ones(3, bool), [1.5, 1.0, 0.5], [1.6, 1.1, 0.6], tau=0.1,
        forward=100.0,
    )  # fmt: skip
    out = outcome_bounds(few, [0.3, 0.6], payoffs=PAYOFFS)
    assert out.status is Status.TOO_FEW
    assert out.state1.payoffs.lower.shape == (2, len(PAYOFFS))
    assert np.isnan(out.state0.payoffs.interval_upper).all()
    assert not out.gap.resolved.any()


@pytest.mark.slow
def test_intervals_cover_both_ends():
    """500 chains a truth, seeds 0 to 499, p = .4: how often intervals hold the true bounds' ends.

    Imbens and Manski's is one-sided at each end where the width is many errors: 95% an end.
    """
    names = ("excess", "vol", "quantiles", "payoffs")
    for name in ("mixture", "bimodal", "heston"):
        truth = chain_truths()[name]
        law = outcome_bounds(truth, 0.4, payoffs=PAYOFFS[:3])
        hits = {n: [] for n in (*names, "gap")}
        for seed in range(500):
            got = outcome_bounds(fitted.__wrapped__(name, seed), 0.4, payoffs=PAYOFFS[:3])
            for n in (*names, "gap"):
                a = got.gap if n == "gap" else getattr(got.state1, n)
                b = law.gap if n == "gap" else getattr(law.state1, n)
                # bounds that are 0 or 1 whatever the density have no error
                low, high = a.interval_lower - 1e-9, a.interval_upper + 1e-9
                hits[n].append([low <= b.lower, high >= b.upper])
        for n, seen in hits.items():
            share = np.mean(seen, axis=0).round(3)
            print(name, n, "lower", share[0], "upper", share[1])  # noqa: T201
            assert (share >= 0.85).all()


def test_exchanging_the_states_turns_the_gap_though_the_density_dips_below_zero():
    """At p = 1/2 the two states' ranges are one, whatever taking out negative parts did to it."""
    chain = option_chain(chain_truths()["kou"], seed=2, displacement=0.4)
    law = fit_density(
        chain.strikes, chain.is_call, chain.bids, chain.asks, tau=chain.tau, forward=chain.forward
    )
    bent = law.smile.coefficients.copy()
    bent[11] += 0.15  # a wave of the smile, until the density dips below zero
    out = outcome_bounds(law._replace(smile=law.smile._replace(coefficients=bent)), 0.5)
    assert out.negative_mass > 1e-4
    assert out.gap.lower == pytest.approx(-out.gap.upper, rel=1e-9)


ABSURD = {  # tau; strikes and mids out of the money at a forward of 100; half-spread in parts
    "wings beyond any float": (
        30.0,
        [50, 55, 65, 70, 135, 150],
        [49.9964, 29.5008, 18.2537, 14.1848, 43.3011, 49.2693],
        4e-4,
    ),
    "no mean left over": (
        30.0,
        [65, 70, 130, 145, 150],
        [64.99034, 49.00905, 45.1733, 99.9976, 43.4822],
        7.4e-4,
    ),
    "a volatility of 6,000%": (
        1.0,
        [60, 80, 100, 120, 140],
        [59.99, 79.99, 99.99, 99.9, 99.9],
        0.01,
    ),
}


@pytest.mark.parametrize("case", ABSURD, ids=lambda case: case.replace(" ", "-"))
def test_absurd_quotes_are_refused_or_answered_without_a_crash(case):
    tau, strikes, mids, part = ABSURD[case]
    K, mid = np.array(strikes, np.float64), np.array(mids)
    law = fit_density(K, K >= 100.0, mid * (1 - part), mid * (1 + part), tau=tau, forward=100.0)
    out = outcome_bounds(law, 0.5, p_error=0.01)
    numbers = [out.gap.lower, out.gap.upper, out.state1.mean.lower, out.state0.mean.upper]
    assert np.isfinite(numbers).all() or out.status is not Status.OK
