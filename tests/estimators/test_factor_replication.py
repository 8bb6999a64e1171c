"""Replication: the KKT system and a general minimiser say the same; the comparison misses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.factors.replication import replicate

K, M = 5, 20


def problem(seed=0):
    rng = np.random.default_rng(seed)
    L = rng.standard_normal((K, M))
    A = rng.standard_normal((M, M + 5))
    return rng.standard_normal(K), L, 1e-4 * (A @ A.T / M + np.diag(rng.uniform(0.1, 2.0, M)))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_the_kkt_system_solved_whole(seed, full):
    b, L, S = problem(seed)
    rows, wanted = (np.vstack([L, np.ones(M)]), np.r_[b, 1.0]) if full else (L, b)
    k = wanted.size
    kkt = np.block([[1e4 * S, rows.T], [rows, np.zeros((k, k))]])
    want = np.linalg.solve(kkt, np.r_[np.zeros(M), wanted])[:M]
    found = replicate(b, L, S, full_investment=full)
    np.testing.assert_allclose(found.weights, want, rtol=0, atol=1e-11)
    assert found.mismatch < 1e-13
    assert found.variance == pytest.approx(want @ S @ want, rel=1e-10)
    assert found.status is Status.OK
    if full:
        assert found.invested == pytest.approx(1.0, abs=1e-13)


@pytest.mark.parametrize("full", [False, True])
def test_a_general_minimiser_finds_no_less_variance(full):
    b, L, S = problem(7)
    rows, wanted = (np.vstack([L, np.ones(M)]), np.r_[b, 1.0]) if full else (L, b)
    peer = minimize(
        lambda w: 1e4 * w @ S @ w,
        np.zeros(M),
        jac=lambda w: 2e4 * S @ w,
        constraints={"type": "eq", "fun": lambda w: rows @ w - wanted, "jac": lambda w: rows},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    found = replicate(b, L, S, full_investment=full)
    np.testing.assert_allclose(found.weights, peer.x, atol=1e-5)
    assert 1e4 * found.variance <= peer.fun * (1.0 + 1e-9)


def test_minimum_norm_matches_until_it_is_made_to_sum_to_one():
    b, L, S = problem(3)
    least = replicate(b, L, S, method="minimum-norm")
    np.testing.assert_allclose(least.weights, np.linalg.pinv(L) @ b, atol=1e-12)
    assert least.mismatch < 1e-13
    scaled = replicate(b, L, S, method="minimum-norm", full_investment=True)
    assert scaled.invested == pytest.approx(1.0)
    assert scaled.mismatch == pytest.approx(np.abs(b / least.invested - b).max(), rel=1e-10)
    assert scaled.mismatch > 0.1
    assert replicate(b, L, S).variance < least.variance


def test_what_has_no_answer_gets_none():
    b, L, S = problem(4)
    twin = L.copy()
    twin[4] = 2.0 * twin[0]
    flat = S.copy()
    flat[:, 3] = flat[:, 2]
    flat[3] = flat[2]
    invested = np.vstack([L[:4], np.ones(M)])  # a factor that is full investment itself
    cases = [replicate(b, twin, S), replicate(b, L, flat), replicate(b, L, -S)]
    cases.append(replicate(b, invested, S, full_investment=True))
    cases.append(replicate(b, L[:, :3], S[:3, :3]))  # five betas, three assets
    for found in cases:
        assert found.status is Status.NOT_IDENTIFIED
        assert np.isnan(found.weights).all()
        assert np.isnan([found.mismatch, found.variance, found.invested]).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b, k, c: (b[:4], k, c), "loadings"),
        (lambda b, k, c: (b, k, c[:-1]), "covariance"),
        (lambda b, k, c: (b, k, c + np.triu(c, 1)), "symmetric"),
        (lambda b, k, c: (np.r_[b[:4], np.nan], k, c), "finite"),
    ],
)
def test_what_cannot_be_used_is_named(change, words):
    with pytest.raises(InputError, match=words):
        replicate(*change(*problem()))
    with pytest.raises(InputError, match="minimum-norm"):
        replicate(*problem(), method="least")
