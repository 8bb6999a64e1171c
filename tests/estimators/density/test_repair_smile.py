"""The repaired smile: free, of mass 1 and mean F, no nearer one, and what changed is counted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize, nnls

from eventtape.arrays import Status
from eventtape.estimators.density.breeden_litzenberger import Smile, smile_at
from eventtape.estimators.density.density_quantities import density_at
from eventtape.estimators.density.density_quantities_moments import expectation, moments
from eventtape.estimators.density.density_quantities_nodes import law_at
from eventtape.estimators.density.fit import fit_density
from eventtape.estimators.density.repair import repair
from eventtape.estimators.density.smile_columns import MEAN_COLUMNS
from eventtape.simulate.option_chain import chain_truths, option_chain

F = 100.0


def smile_of(wave=0.0, error=0.02):
    rng = np.random.default_rng(3)
    p = 15
    c = np.concatenate([[0.02, -0.25, 0.3], 0.01 * rng.standard_normal(p - 3)])
    c[14] += wave
    H = error * (np.eye(p + 1, p) + 0.3 * np.tril(rng.standard_normal((p + 1, p))))
    c, H = np.insert(c, [3, 3], 0.0), np.insert(H, [3, 3], 0.0, axis=1)  # the wings, held
    return Smile(F, 0.0, 0.25, 0.2, 0.4, 6.5, c, H)


def shift_of(old, new):
    """The shortest d with c_new = c_old + H' d."""
    gap = new.coefficients - old.coefficients
    return np.linalg.lstsq(old.factor.T, gap, rcond=None)[0]


def test_nothing_wrong_nothing_changed():
    smile = smile_of()
    out = repair(smile)
    assert out.smile is smile
    assert out.changed is False
    assert out.status is Status.OK
    assert (out.mass_removed, out.moved, out.price_change, out.distance) == (0.0, 0.0, 0.0, 0.0)
    np.testing.assert_array_equal(out.pdf, density_at(smile, out.strikes).pdf)


@pytest.mark.parametrize("wave", [0.15, 0.2, 0.3])
def test_the_repaired_law_is_a_law(wave):
    smile = smile_of(wave)
    out = repair(smile)
    assert out.status is Status.OK
    assert out.changed
    assert not out.before.free
    assert out.after.free
    assert out.mass_removed == out.before.negative_mass[0] > 0.0
    assert (out.pdf >= 0.0).all()
    assert (np.diff(out.cdf) >= -1e-15).all()  # rounding, where nothing is left
    assert out.cdf[0] == pytest.approx(0.0, abs=1e-12)
    assert out.cdf[-1] == pytest.approx(1.0, abs=1e-12)
    assert (np.diff(out.cdf) @ (out.strikes[1:] + out.strikes[:-1])) / 2 == pytest.approx(
        F, rel=1e-4
    )
    assert abs(moments(out.smile).mean_gap) < 1e-8
    # what changed, over again
    assert out.distance == pytest.approx(float(np.linalg.norm(shift_of(smile, out.smile))))
    fine = F * np.exp(np.linspace(-2.5, 3.5, 60_001))
    gap = np.abs(density_at(out.smile, fine).pdf - density_at(smile, fine).pdf)
    assert out.moved == pytest.approx(0.5 * ((gap[1:] + gap[:-1]) @ np.diff(fine)), rel=1e-3)
    assert out.moved > 2.0 * out.mass_removed
    K = out.at_strike
    put = [
        expectation(s, lambda x: np.maximum(K - x, 0.0), corners=[K]).value
        for s in (smile, out.smile)
    ]
    assert abs(put[1] - put[0]) == pytest.approx(out.price_change, abs=1e-9)
    assert 0.0 < out.price_change_in_errors < 1.5 * out.distance


@pytest.mark.parametrize("wave", [0.15, 0.2])
def test_no_nearer_smile_is_free(wave):
    """At the nearest one d is a sum, with weights of 0 or more, of the slopes of g where g is 0."""
    smile = smile_of(wave)
    out = repair(smile)
    d = shift_of(smile, out.smile)
    y = np.log(out.strikes / F)
    law = law_at(out.smile, y)
    touching = law.g < 1e-2  # the strikes of the answer are not the places where it touches
    assert 0 < touching.sum() < 0.2 * y.size
    slopes = law.g_slope[:, touching].T @ smile.factor.T
    _, left = nnls(slopes.T, d)
    assert left < 0.02 * out.distance


def test_a_general_optimiser_finds_the_same():
    smile = smile_of(0.2)
    out = repair(smile)
    y = np.log(np.linspace(math.exp(-1.7), math.exp(2.4), 900))
    y = np.concatenate([y, np.linspace(-1.7, 2.4, 600)])
    H = smile.factor

    def g(d):
        return law_at(smile._replace(coefficients=smile.coefficients + d @ H), y).g

    def slope(d):
        law = law_at(smile._replace(coefficients=smile.coefficients + d @ H), y)
        return law.g_slope.T @ H.T

    found = minimize(
        lambda d: 0.5 * d @ d,
        np.zeros(H.shape[0]),
        jac=lambda d: d,
        constraints={"type": "ineq", "fun": g, "jac": slope},
        method="SLSQP",
        options={"maxiter": 300, "ftol": 1e-12},
    )
    assert found.success
    assert out.distance == pytest.approx(float(np.linalg.norm(found.x)), rel=2e-3)


def test_a_volatility_below_zero_is_mended_too():
    smile = smile_of()
    c = smile.coefficients.copy()
    c[2] -= 1.3
    sunk = smile._replace(coefficients=c)
    assert (smile_at(sunk, F * np.exp(np.array([-5.0, 5.0])))[0] < 0.0).any()
    out = repair(sunk)
    assert out.before.status is Status.NOT_IDENTIFIED
    assert out.status is Status.OK
    assert out.after.free
    assert math.isnan(out.mass_removed)


def test_what_cannot_be_mended_says_so():
    fixed = smile_of(0.2)._replace(factor=np.zeros((16, 17)))
    out = repair(fixed)
    assert out.status is Status.NO_CONVERGENCE
    assert out.smile is fixed
    none = Smile(F, 0.0, 0.5, math.nan, math.nan, math.nan, np.empty(0), np.empty((0, 0)))
    empty = repair(none)
    assert empty.status is Status.NOT_IDENTIFIED
    for nothing in (out, empty):
        assert np.isnan([*nothing.pdf, *nothing.cdf, nothing.moved, nothing.distance]).all()


def thrown(name, seed, far):
    """A fitted smile put ``far`` standard deviations from where the quotes have it."""
    c = option_chain(chain_truths()[name], seed=seed)
    fit = fit_density(
        c.strikes, c.is_call, c.bids, c.asks, c.bid_sizes, c.ask_sizes,
        tau=c.tau, forward=c.forward, discount=c.discount,
    )  # fmt: skip
    rng = np.random.default_rng([seed, len(name)])
    z = rng.standard_normal(fit.smile.factor.shape[0])
    d = far * z / np.linalg.norm(z)
    moved = d @ fit.smile.factor
    moved[MEAN_COLUMNS - 2 : MEAN_COLUMNS] = (
        0.0  # repair holds the wings: thrown down, none is free
    )
    return fit.smile._replace(coefficients=fit.smile.coefficients + moved)


def test_fitted_smiles_thrown_off_are_mended():
    changed = 0
    for name in chain_truths():
        for seed in range(3):
            out = repair(thrown(name, seed, 30.0))
            assert out.status is Status.OK
            assert out.after.free
            assert out.distance < 30.0
            changed += out.changed
    assert changed >= 1  # of 18: flat wings leave little arbitrage to a smile thrown off


@pytest.mark.slow
def test_how_often_a_repair_is_found():
    """20 fits of each truth: at 30 standard deviations 95% are mended, at 60 at least two thirds.

    The way back to the fit is free, so a nearest smile is at most as far as it was thrown; the
    search stops at a further one in at most one of ten.
    """
    for far, least in ((30.0, 0.95), (60.0, 2 / 3)):
        out = [repair(thrown(name, s, far)) for name in chain_truths() for s in range(20)]
        assert np.mean([r.status is Status.OK for r in out]) >= least
        distance = np.array([r.distance for r in out if r.changed])
        assert np.mean(distance <= far) >= 0.9
