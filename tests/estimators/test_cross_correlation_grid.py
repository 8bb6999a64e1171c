"""Cross-correlation on a grid: loops, known lags, holes, and what it finds where nothing is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.tsa.stattools import ccf

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.cross_correlation import cross_correlation
from eventtape.estimators.discovery.refusals import Reason

LAGS = np.arange(-6, 7)


def pair(seed, *, rows=400, lag=2, link=0.5):
    """y follows x after ``lag`` rows."""
    rng = np.random.default_rng(seed)
    long = rng.standard_normal(rows + 40)
    x, late = long[20:-20], long[20 - lag : rows + 20 - lag]
    return x, link * late + rng.standard_normal(rows)


def loops(x, y, lag, block):
    """Correlation and its deviation under none, pair by pair."""
    x, y = x - np.nanmean(x), y - np.nanmean(y)
    xy, xx, yy, terms, n = 0.0, 0.0, 0.0, {}, 0
    for t in range(len(x)):
        if 0 <= t + lag < len(y) and math.isfinite(x[t]) and math.isfinite(y[t + lag]):
            product = x[t] * y[t + lag]
            xy, xx, yy, n = xy + product, xx + x[t] ** 2, yy + y[t + lag] ** 2, n + 1
            terms[t // block] = terms.get(t // block, 0.0) + product
    size = math.sqrt(xx * yy)
    return xy / size, math.sqrt(sum(v * v for v in terms.values())) / size, n


@pytest.mark.parametrize("block", [1, 5])
@pytest.mark.parametrize("holes", [0.0, 0.2])
def test_correlation_and_band_are_the_sums(holes, block):
    x, y = pair(1)
    rng = np.random.default_rng(2)
    x[rng.random(x.size) < holes], y[rng.random(y.size) < holes] = math.nan, math.nan
    out = cross_correlation(x, y, LAGS, block=block)
    for m, lag in enumerate(LAGS):
        r, deviation, n = loops(x, y, lag, block)
        assert out.correlation[m] == pytest.approx(r, abs=1e-12)
        assert out.band[m] == pytest.approx(1.959963984540054 * deviation, rel=1e-10)
        assert out.n_pairs[m] == n


def test_correlation_is_that_of_statsmodels_up_to_the_rows_at_the_ends():
    """statsmodels divides every lag by the variances of all rows: 5 of 4,000 rows apart here."""
    x, y = pair(3, rows=4_000)
    theirs = ccf(y, x, adjusted=False)[:6]  # its lag k pairs y at t + k with x at t
    ours = cross_correlation(x, y, np.arange(6)).correlation
    np.testing.assert_allclose(ours, theirs, atol=2e-3)
    assert np.argmax(theirs) == 2


@pytest.mark.parametrize("lag", [-4, 0, 3])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_positive_lag_says_that_x_leads(lag, sign):
    x, y = pair(4, lag=lag, link=sign)
    out = cross_correlation(x, y, LAGS)
    assert (out.peak_lag, out.status, out.reason) == (lag, Status.OK, Reason.NONE)
    assert out.p_value == pytest.approx(1 / 500)
    assert np.sign(out.correlation[lag == LAGS][0]) == sign
    assert np.abs(out.correlation[lag == LAGS]) > out.sup_band[lag == LAGS]


def test_bands_are_as_wide_as_they_should_be_on_plain_noise():
    """Independent, one variance: 1.96 / sqrt(T) at a lag, and wider for 13 lags at once.

    For 13 independent normals the 95% point of the largest is 2.89.
    """
    out = cross_correlation(*pair(5, rows=4_000, link=0.0), LAGS, n_draws=1_999)
    np.testing.assert_allclose(out.band * math.sqrt(4_000), 1.96, atol=0.12)
    np.testing.assert_allclose(out.sup_band / out.band * 1.96, 2.89, atol=0.12)


def test_swapping_names_turns_the_lags():
    x, y = pair(6)
    one, two = cross_correlation(x, y, LAGS), cross_correlation(y, x, LAGS)
    np.testing.assert_allclose(two.correlation, one.correlation[::-1], atol=1e-12)
    np.testing.assert_allclose(two.band, one.band[::-1], rtol=1e-10)
    assert two.peak_lag == -one.peak_lag


def test_units_and_levels_leave_the_answer_alone():
    x, y = pair(7)
    one, two = (
        cross_correlation(x, y, LAGS),
        cross_correlation(1e-6 * x + 3.0, 40.0 - 1e5 * y, LAGS),
    )
    np.testing.assert_allclose(two.correlation, -one.correlation, atol=1e-9)
    np.testing.assert_allclose(two.sup_band, one.sup_band, rtol=1e-7)
    assert two.p_value == one.p_value


def rough(rng, rows=300):
    """Two independent series under one wave of volatility."""
    path = np.exp(np.cumsum(0.1 * rng.standard_normal(rows)))
    return path * rng.standard_normal(rows), path * rng.standard_normal(rows)


def test_nothing_is_found_as_often_as_stated():
    """Shared waves of volatility, 21 lags, 1,000 pairs: 5% by p, 5% of lags outside the band.

    3.3 binomial standard errors; the plain band 1.96 / sqrt(T) is left by over 15% of lags.
    """
    lags, n, found, outside, plain = np.arange(-10, 11), 1_000, 0, 0.0, 0.0
    for seed in range(n):
        rng = np.random.default_rng([8, seed])
        out = cross_correlation(*rough(rng), lags, n_draws=99, seed=seed)
        found += out.p_value <= 0.05
        outside += np.mean(np.abs(out.correlation) > out.band) / n
        plain += np.mean(np.abs(out.correlation) > 1.96 / math.sqrt(300)) / n
    assert abs(found / n - 0.05) < 3.3 * math.sqrt(0.05 * 0.95 / n)
    assert 0.035 < outside < 0.06
    assert plain > 0.15


def test_blocks_are_for_series_that_remember():
    """Two AR(.9) series apart: single rows see links that are not there, blocks of 40 far fewer."""
    found = dict.fromkeys((1, 40), 0.0)
    for seed in range(60):
        rng = np.random.default_rng([9, seed])
        x, y = np.zeros((2, 3_000))
        for v in (x, y):
            e = rng.standard_normal(v.size)
            for t in range(1, v.size):
                v[t] = 0.9 * v[t - 1] + e[t]
        for block in found:
            out = cross_correlation(x, y, LAGS, block=block, n_draws=99, seed=seed)
            found[block] += (out.p_value <= 0.05) / 60
    assert found[1] > 0.4
    assert found[40] < 0.15


def test_without_a_link_the_bands_stand_and_the_lag_is_blank():
    out = cross_correlation(*pair(10, link=0.0), LAGS)
    assert out.status is Status.NOT_IDENTIFIED
    assert out.p_value > 0.05
    assert math.isnan(out.peak_lag)
    assert np.isfinite(out.sup_band).all()
    assert (np.abs(out.correlation) <= out.sup_band).all()


def test_p_and_the_band_of_all_lags_are_one_verdict():
    for seed in range(40):
        out = cross_correlation(*pair([11, seed], link=0.12), LAGS, n_draws=99, seed=seed)
        beyond = bool((np.abs(out.correlation) > out.sup_band).any())
        assert beyond == (out.p_value <= 0.05)


def blank(out):
    values = [*out.correlation, *out.band, *out.sup_band, out.p_value, out.peak_lag]
    return bool(np.isnan(values).all())


def test_thirty_blocks_in_common_at_every_lag():
    x, y = pair(12, rows=36)
    assert cross_correlation(x, y, LAGS).reason is Reason.NONE
    for out in (
        cross_correlation(x[:35], y[:35], LAGS),
        cross_correlation(x, y, LAGS, block=2),
        cross_correlation(x, y, np.array([0, 50])),
        cross_correlation(np.where(np.arange(36) < 7, math.nan, x), y, np.array([0])),
        cross_correlation(np.full(36, math.nan), y, np.array([0])),
    ):
        assert (out.reason, out.status) == (Reason.FEW_ROWS, Status.TOO_FEW)
        assert blank(out)


@pytest.mark.parametrize("side", ["x", "y"])
def test_a_series_that_never_moves_is_refused(side):
    x, y = pair(13)
    still = np.full(x.size, 0.1)
    out = cross_correlation(*((still, y) if side == "x" else (x, still)), LAGS)
    assert (out.reason, out.status) == (Reason.STALE, Status.NOT_RESOLVED)
    assert blank(out)


@pytest.mark.parametrize("side", ["x", "y"])
def test_infinity_is_named(side):
    x, y = pair(14)
    (x if side == "x" else y)[5] = -math.inf
    with pytest.raises(InputError, match="a finite value") as caught:
        cross_correlation(x, y, LAGS)
    assert (caught.value.row, caught.value.column) == (6, side)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"lags": np.array([2, 1])}, "rising lags"),
        ({"lags": np.array([], np.int64)}, "rising lags"),
        ({"block": 0}, "blocks of at least 1 row"),
        ({"n_draws": 10}, "at least 19 draws"),
        ({"level": 95.0}, "a level between 0 and 1"),
        ({"y": np.ones(3)}, "one shape"),
        ({"y": np.ones((400, 2))}, "shape \\(T,\\)"),
    ],
)
def test_options_out_of_range(options, wanted):
    x, y = pair(15)
    with pytest.raises(InputError, match=wanted):
        cross_correlation(**{"x": x, "y": y, "lags": LAGS, **options})
