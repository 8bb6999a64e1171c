from __future__ import annotations

import math

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.states.overlapping import _block_slopes, overlapping_gap


def night(seed, n=300, gap=0.1):
    rng = np.random.default_rng(seed)
    p = 0.5 + 0.4 * np.tanh(0.03 * np.cumsum(rng.standard_normal(n)))
    return 4.6 + gap * p + np.cumsum(1e-3 * rng.standard_normal(n)), p


def overlapping(x, p, steps):
    rows = [
        (x[t] - x[t - steps], p[t] - p[t - steps])
        for t in range(steps, len(x))
        if math.isfinite(x[t] - x[t - steps]) and math.isfinite(p[t] - p[t - steps])
    ]
    return np.array(rows).T


@pytest.mark.parametrize("steps", [1, 2, 10, 30])
def test_hac_is_that_of_statsmodels(steps):
    """Bartlett over steps - 1 lags, normal quantiles, no small-sample correction.

    With one step there is no lag to add and statsmodels' HAC is White's HC0, as here.
    """
    from statsmodels.api import OLS, add_constant

    x, p = night(1)
    dy, dp = overlapping(x, p, steps)
    peer = OLS(dy, add_constant(dp)).fit(
        cov_type="HAC", cov_kwds={"maxlags": steps - 1, "use_correction": False}, use_t=False
    )
    out = overlapping_gap(x, p, steps=steps, level=0.9)
    assert out.n_rows == dy.size == 300 - steps
    assert out.gap == pytest.approx(peer.params[1], rel=1e-10)
    np.testing.assert_allclose([out.lower, out.upper], peer.conf_int(0.1)[1], rtol=1e-9)


@pytest.mark.parametrize("steps", [1, 10])
def test_point_with_holes_is_least_squares_of_the_rows_seen(steps):
    x, p = night(2)
    x[[20, 21, 140]] = np.nan
    p[[60, 200]] = np.nan
    dy, dp = overlapping(x, p, steps)
    out = overlapping_gap(x, p, steps=steps)
    assert out.n_rows == dy.size
    assert out.gap == pytest.approx(np.polyfit(dp, dy, 1)[0], rel=1e-10)


@pytest.mark.parametrize(("n", "block"), [(97, 10), (100, 20), (40, 40), (50, 7)])
def test_block_slopes_are_those_of_a_naive_resampler(n, block):
    """The same starts, rows copied out one by one and wrapped round the end. 1e-9: running sums."""
    rng = np.random.default_rng(3)
    dp, dy = 0.01 * rng.standard_normal(n), 0.001 * rng.standard_normal(n)
    got = _block_slopes(dp, dy, np.ones(n, bool), block, 50, seed=8)
    begins = np.random.default_rng(8).integers(0, n, size=(50, math.ceil(n / block)))
    for slope, begin in zip(got, begins, strict=True):
        rows = [(b + k) % n for b in begin for k in range(block)]
        assert slope == pytest.approx(np.polyfit(dp[rows], dy[rows], 1)[0], rel=1e-9)


def test_bootstrap_interval_is_the_centre_of_the_slopes():
    x, p = night(4)
    out = overlapping_gap(x, p, steps=10, method="bootstrap", level=0.9, n_draws=99, seed=5)
    dy, dp = overlapping(x, p, 10)
    slopes = _block_slopes(dp, dy, np.ones(dp.size, bool), 20, 99, 5)
    np.testing.assert_allclose([out.lower, out.upper], np.quantile(slopes, [0.05, 0.95]))
    assert out.gap == overlapping_gap(x, p, steps=10).gap
    again = overlapping_gap(x, p, steps=10, method="bootstrap", level=0.9, n_draws=99, seed=5)
    other = overlapping_gap(x, p, steps=10, method="bootstrap", level=0.9, n_draws=99, seed=6)
    assert again == out
    assert other != out


def test_scaling():
    x, p = night(6)
    for method in ("hac", "bootstrap"):
        one = overlapping_gap(x, p, steps=10, method=method)
        two = overlapping_gap(4.0 * x, 0.5 * p, steps=10, method=method)
        np.testing.assert_allclose(two[:3], 8.0 * np.array(one[:3]), rtol=1e-7)


@pytest.mark.parametrize("method", ["hac", "bootstrap"])
@pytest.mark.parametrize(("n", "steps"), [(5, 10), (10, 1), (49, 10), (0, 1)])
def test_too_few(method, n, steps):
    x, p = night(7)
    out = overlapping_gap(x[:n], p[:n], steps=steps, method=method)
    assert out.status is Status.TOO_FEW
    assert np.isnan(out[:3]).all()


def test_just_enough():
    x, p = night(7)
    assert overlapping_gap(x[:50], p[:50], steps=10).status is Status.OK  # 40 rows, 4 windows
    assert overlapping_gap(x[:11], p[:11], steps=1).status is Status.OK  # 10 rows


def test_p_that_does_not_move():
    x, p = night(8)
    out = overlapping_gap(x, np.full_like(p, 0.4), steps=10)
    assert out.status is Status.NOT_IDENTIFIED
    assert np.isnan(out[:3]).all()


@pytest.mark.parametrize("method", ["hac", "bootstrap"])
def test_p_that_only_drifts(method):
    x, p = night(9)
    out = overlapping_gap(x, np.linspace(0.2, 0.8, p.size), steps=10, method=method)
    assert out.status is Status.NOT_IDENTIFIED


def test_bootstrap_of_a_p_that_moves_once():
    x, p = night(10, n=480)
    p = np.where(np.arange(480) < 200, 0.3, 0.7)
    out = overlapping_gap(x, p, steps=30, method="bootstrap")
    assert out.status is not Status.OK or np.isfinite(out[:3]).all()


def test_a_probability_outside_the_unit_interval_is_an_error():
    x, p = night(11)
    p[5] = 1.3
    with pytest.raises(InputError):
        overlapping_gap(x, p, steps=10)


def test_rows_beside_a_hole_are_not_neighbours():
    x, p = night(12)
    x[100:160] = np.nan
    dy, dp = overlapping(x, p, 5)
    at = np.array([t for t in range(5, 300) if math.isfinite(x[t] - x[t - 5])])
    u = dp - dp.mean()
    score = u * (dy - dy.mean() - (u @ dy) / (u @ u) * u)
    weight = np.clip(1.0 - np.abs(np.subtract.outer(at, at)) / 5.0, 0.0, None)
    half = 1.959963984540054 * math.sqrt(score @ weight @ score) / (u @ u)
    out = overlapping_gap(x, p, steps=5)
    assert out.upper - out.gap == pytest.approx(half, rel=1e-9)


def test_bad_arguments():
    x, p = night(13)
    with pytest.raises(InputError, match="at least one step"):
        overlapping_gap(x, p, steps=0)
    with pytest.raises(InputError, match="hac or bootstrap"):
        overlapping_gap(x, p, steps=5, method="iid")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="one shape"):
        overlapping_gap(x, p[:-1], steps=5)
