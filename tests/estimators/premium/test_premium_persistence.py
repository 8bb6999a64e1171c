"""Memory of a series and the rows it leaves: loops, statsmodels, known processes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.tsa.arima_process import arma_acf

from eventtape.estimators.premium.persistence import (
    Memory,
    autocorrelations,
    effective_rows,
    memory,
)


def autoregressive(seed, phi, n=400, start=300):
    """A stationary autoregression of order one."""
    e = np.random.default_rng(seed).standard_normal(n + start)
    x = np.zeros(n + start)
    for t in range(1, n + start):
        x[t] = phi * x[t - 1] + e[t]
    return x[start:]


def test_autocorrelations_are_those_of_the_process():
    np.testing.assert_allclose(
        autocorrelations(Memory(0.8, np.zeros(0), 50), 50), 0.8 ** np.arange(50), atol=1e-7
    )
    changes = np.array([0.3, -0.2])  # x_t = .6 x_{t-1} + .3 d_{t-1} - .2 d_{t-2} + e_t
    theirs = arma_acf([1.0, -0.9, 0.5, -0.2], [1.0], lags=40)
    np.testing.assert_allclose(autocorrelations(Memory(0.6, changes, 50), 40), theirs, atol=1e-7)


def test_least_squares_below_a_unit_root_is_raised():
    """Mean of 200 at phi = .95 and 100 rows: least squares .90, ours within .015 of the truth."""
    raw, raised = [], []
    for seed in range(200):
        x = autoregressive(seed, 0.95, 100)
        raw.append(np.polyfit(x[:-1], x[1:], 1)[0])
        raised.append(memory(x).alpha)
    assert np.mean(raw) < 0.92
    assert abs(np.mean(raised) - 0.95) < 0.015
    assert max(raised) <= 1.0 - 0.5 / 99


def test_quoting_noise_does_not_hide_the_memory():
    """A walk with noise of twice its step: the first autocorrelation of its changes is -.44."""
    rng = np.random.default_rng(5)
    walk = np.cumsum(rng.standard_normal(500)) + 2.0 * rng.standard_normal(500)
    found = memory(walk)
    assert found.changes.size >= 2
    assert found.alpha > 0.95


@pytest.mark.parametrize(("phi", "least", "most"), [(0.0, 350, 400), (0.7, 90, 200), (0.9, 20, 75)])
def test_effective_rows_fall_with_memory(phi, least, most):
    """Of 400 rows, (1 - phi^2) / (1 + phi^2) count: 400, 137 and 42."""
    both = np.ones(400, bool)
    found = [
        effective_rows(autoregressive(2 * s, phi), autoregressive(2 * s + 1, phi), both)
        for s in range(20)
    ]
    assert least < np.median(found) <= most


def test_holes_count_by_the_pairs_that_are_left():
    x, y = autoregressive(1, 0.8, 90), autoregressive(2, 0.6, 90)
    both = np.random.default_rng(0).random(90) < 0.7
    x, y = np.where(both, x, math.nan), np.where(both, y, math.nan)
    rho = autocorrelations(memory(x), 90) * autocorrelations(memory(y), 90)
    rows = np.flatnonzero(both)
    total = sum(rho[abs(s - t)] for s in rows for t in rows)
    assert effective_rows(x, y, both) == pytest.approx(rows.size**2 / total)


def test_units_do_not_matter_and_what_stands_still_has_no_memory():
    x, y = autoregressive(1, 0.8, 90), autoregressive(2, 0.6, 90)
    both = np.ones(90, bool)
    plain = effective_rows(x, y, both)
    assert effective_rows(1e-9 * x + 5.0, 1e6 * y - 3.0, both) == pytest.approx(plain, rel=1e-4)
    assert memory(np.full(90, 3.0)) is None
    assert math.isnan(effective_rows(np.full(90, 3.0), y, both))
    assert memory(np.arange(3.0)) is None
