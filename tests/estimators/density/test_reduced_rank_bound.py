"""How far the reduced-rank smile is from the dense process it stands for, at one set of settings.

Both see the same quotes (those the fit used), the same noise and the same hyper-parameters, those
the reduced-rank fit chose. What differs is that cosines are finitely many and turn back at the
ends of their stretch.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtr

from eventtape.estimators.density.breeden_litzenberger import law_with_errors
from eventtape.estimators.density.gp_smile import (
    GPHyper,
    GPSmile,
    fit_gp_smile,
    gp_law,
    gp_smile_at,
)
from eventtape.estimators.density.smile_evidence import PRIORS
from eventtape.estimators.density.smile_fit import fit_smile
from eventtape.estimators.density.smile_observations import LAMBDA_MEAN, LAMBDA_VARIANCE
from eventtape.simulate.option_chain import chain_truths, option_chain

CHAINS = range(5)


class Both(NamedTuple):
    """Numbers of the reduced-rank fit, a grid of the strikes used, both laws there ``(6, m)``."""

    numbers: np.ndarray
    grid: np.ndarray
    law: np.ndarray
    dense: np.ndarray
    state: GPSmile


class Gap(NamedTuple):
    """What is between the two paths inside the strikes used.

    - ``vol``: largest \\|v - v_dense\\| / v_dense; ``vol_in_errors``: over the dense error.
    - ``low``, ``high``: of the ratios of the errors of v, density and distribution.
    - ``density``: L1 distance; ``distribution``: largest difference.
    """

    vol: float
    vol_in_errors: float
    low: float
    high: float
    density: float
    distribution: float


def reduced_and_dense(strikes, is_call, quotes, *, forward, tau, tick=0.01):
    n = strikes.size
    fates, seen, numbers = np.empty(n, np.int8), np.empty((6, n)), np.empty(9)
    c, H = np.zeros(80), np.zeros((80, 80))
    code, p = fit_smile(
        strikes, is_call, quotes, forward, 0.0, 1.0, tick, LAMBDA_MEAN, LAMBDA_VARIANCE, PRIORS,
        fates, seen, numbers, c, H,
    )  # fmt: skip
    assert code == 0
    on = fates == 0
    v0, centre, half = numbers[:3]
    theta = numbers[3:6].copy()
    held = GPHyper(True, v0, theta, LAMBDA_MEAN, LAMBDA_VARIANCE, centre, half)
    dense = fit_gp_smile(
        strikes[on], v0 * (1.0 + seen[1, on]), v0**2 * seen[5, on],
        forward=forward, tau=tau, leans=v0 * seen[2, on], hyper=held,
    )  # fmt: skip
    grid = np.linspace(strikes[on].min(), strikes[on].max(), 600)
    law = np.empty((6, grid.size))
    smile = c[: p - 1].copy(), np.ascontiguousarray(H[:p, : p - 1])  # all but lambda's column
    law_with_errors(grid, forward, 0.0, v0, centre, half, *smile, law)
    return Both(numbers, grid, law, np.array(gp_law(dense, grid)[:6]), dense)


def gap(both):
    _, grid, law, dense, _ = both
    misses = np.abs(law - dense)
    ratios = law[3:] / dense[3:]
    return Gap(
        float((misses[0] / dense[0]).max()),
        float((misses[0] / dense[3]).max()),
        float(ratios.min()),
        float(ratios.max()),
        float(np.trapezoid(misses[1], grid)),
        float(misses[2].max()),
    )


def simulated(name, seed):
    chain = option_chain(chain_truths()[name], seed=[7, seed])
    quotes = np.array([chain.bids, chain.asks, chain.bid_sizes, chain.ask_sizes], np.float64)
    return reduced_and_dense(
        chain.strikes, chain.is_call, quotes, forward=chain.forward, tau=chain.tau
    )


@pytest.mark.parametrize("truth", sorted(chain_truths()))
def test_bound_on_simulated_chains(truth):
    """60 strikes, 3.5 sd either way. Of 25 chains each the worst had: v 2.5e-4 and 0.09 of its
    error, ratios of errors .893 to 1.024, density 3.8e-4, distribution 6.0e-5.
    """
    for seed in CHAINS:
        found = gap(simulated(truth, seed))
        assert found.vol < 3e-4
        assert found.vol_in_errors < 0.10
        assert found.low > 0.88
        assert found.high < 1.03
        assert found.density < 4e-4
        assert found.distribution < 7e-5


def wide(vertex, seed):
    """250 strikes of an index, 30 days, from 20 standard deviations below to 6 above (SVI).

    ``vertex`` is how sharply the smile turns at the forward, in log-strike; a standard deviation
    is 0.05. Strikes without a bid drop out.
    """
    forward, tau, slope, rho = 5000.0, 30 / 365, 0.046, -0.85
    k = np.concatenate(
        [np.linspace(-1.0, -0.35, 45), np.linspace(-0.345, 0.1, 150), np.linspace(0.105, 0.3, 55)]
    )
    K = np.round(forward * np.exp(k))
    k, y = np.log(K / forward), np.log(K / forward) - 0.02
    lowest = 0.0026 - slope * vertex * math.sqrt(1.0 - rho * rho)
    v = np.sqrt(lowest + slope * (rho * y + np.hypot(y, vertex)))
    d1 = -k / v + 0.5 * v
    is_call = forward <= K
    value = forward * ndtr(d1) - K * ndtr(d1 - v) - np.where(is_call, 0.0, forward - K)
    rng, half = np.random.default_rng([8, seed]), 0.05 + 0.01 * value
    quotes = np.array(
        [
            np.maximum(np.round((value - half) / 0.01), 0.0) * 0.01,
            np.round((value + half) / 0.01) * 0.01,
            *rng.integers(1, 50, (2, K.size)),
        ]
    )
    return reduced_and_dense(K, is_call, quotes, forward=forward, tau=tau)


# Vertex; bounds on v, v in its errors, low and high ratio of errors, density. Of ten chains each
# the worst had what is here, rounded up. At 0.1 the first 19 cosines are just enough; from 0.08 on
# the smile asks for more of them and gets them.
WIDE = [
    (0.20, 1.7e-4, 0.23, 0.85, 1.01, 1e-5),
    (0.12, 1.3e-4, 0.40, 0.88, 1.01, 9e-5),
    (0.10, 8.0e-4, 1.50, 0.75, 1.01, 5e-4),
    (0.08, 1.2e-4, 0.14, 0.99, 1.06, 8e-6),
    (0.07, 9.0e-5, 0.11, 0.99, 1.06, 8e-6),
    (0.05, 3.0e-5, 0.11, 0.94, 1.02, 2e-4),
    (0.04, 6.0e-6, 0.03, 0.98, 1.01, 6e-5),
]
UNSAID = pytest.mark.xfail(
    reason="56 cosines, 6.7 a length: said to resolve, and 4.0e-3 from the process's own density",
    strict=True,
)


@pytest.mark.parametrize(
    ("vertex", "vol", "vol_in_errors", "low", "high", "density"),
    [*WIDE, pytest.param(0.03, 2.0e-4, 1.50, 0.80, 1.01, 5e-4, marks=UNSAID)],
)
def test_bound_on_a_wide_chain(vertex, vol, vol_in_errors, low, high, density):
    for seed in range(2):
        both = wide(vertex, seed)
        found = gap(both)
        assert both.numbers[7] > 200  # quotes used
        assert found.vol < vol
        assert found.vol_in_errors < vol_in_errors
        assert found.low > low
        assert found.high < high
        assert found.density < density
        assert found.distribution < 5e-5


def by_columns(state, log_moneyness, *, per_unit, pad):
    """The reduced-rank posterior mean of v, with as many cosines and as wide a pad as wished."""
    hyper = state.hyper
    v0, (ell, sf, kappa) = hyper.reference, np.exp(hyper.theta)
    at = np.log(state.strikes / state.forward) / v0
    u, to = (6.0 * np.arcsinh(x / 6.0) for x in (at, log_moneyness / v0))
    centre, half = 0.5 * (u.max() + u.min()), 0.5 * np.ptp(u) + pad
    j = np.arange(1, math.ceil(per_unit * half) + 1)
    omega = 0.5 * math.pi * j / half

    def columns(w):
        t = np.tanh(w / 3.0)
        waves = np.cos(omega[:, None] * (w - centre + half)) / math.sqrt(half)
        return np.vstack([np.ones(w.size), t, t * t, waves])

    power = sum(
        share * length * np.exp(-0.5 * (length * omega) ** 2)
        for share, length in ((0.9, ell), (0.1, 0.5 * ell))
    )
    lam = np.append(np.ones(3), sf * sf * math.sqrt(2.0 * math.pi) * power)
    Phi, z = columns(u), state.leans / v0
    C = (Phi.T * lam) @ Phi + hyper.lean_variance * np.outer(z, z)
    C[np.diag_indices(z.size)] += kappa**2 * state.variances / v0**2
    y = state.total_vols / v0 - 1.0 - hyper.lean * z
    return v0 * (1.0 + (columns(to).T * lam) @ Phi @ cho_solve(cho_factor(C), y))


STEPS = [(2.2, 3.0, 4e-4), (4.0, 3.0, 4e-4), (3.0, 4.5, 3e-5), (4.0, 6.0, 3e-7), (5.0, 8.0, 1e-8)]


@pytest.mark.parametrize(("per_unit", "pad", "bound"), STEPS)
def test_columns_and_pad_take_it_to_the_dense_process(per_unit, pad, bound):
    """Kou's chain, length 2.4: the pad is what stands between, once waves are short enough."""
    _, grid, _, dense, state = simulated("kou", 0)
    v = by_columns(state, np.log(grid / state.forward), per_unit=per_unit, pad=pad)
    assert np.abs(v / dense[0] - 1.0).max() < bound


def test_the_kernels_are_this_reduced_rank():
    """The same posterior by n by n algebra from columns written out here."""
    _, grid, law, _, state = simulated("kou", 0)
    v = by_columns(state, np.log(grid / state.forward), per_unit=2.2, pad=3.0)
    np.testing.assert_allclose(v, law[0], rtol=1e-10)


# Columns a unit of half-width, and how far v then is: lengths of 1.6 want waves half as long again.
SHARP = [(2.2, 5e-3), (4.0, 4e-4), (6.0, 5e-5)]


@pytest.mark.parametrize(("per_unit", "bound"), SHARP)
def test_a_sharp_vertex_needs_more_columns(per_unit, bound):
    """A vertex of 1.4 standard deviations in 250 strikes, quotes known to 1e-4 of v."""
    state = wide(0.07, 0).state
    k = np.log(np.linspace(state.strikes.min(), state.strikes.max(), 2000) / state.forward)
    dense = gp_smile_at(state, k)[0][0]
    v = by_columns(state, k, per_unit=per_unit, pad=3.0)
    assert np.abs(v / dense - 1.0).max() < bound
