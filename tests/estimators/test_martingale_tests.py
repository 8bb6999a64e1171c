"""Variance ratios by double sums; size on bounded martingales; power against noise and slowness."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.martingale import martingale, probit


def contract(seed, *, rows=200, p0=0.5, told=1.0, jumps=True):
    """P(x + W_1 > 0 | W_t): a martingale in [0, 1] by construction, seen at uneven clock steps.

    News comes in lumps (log-normal, one row in a hundred about 40 times as much); the part
    1 - exp(-told) of it arrives by the last row, so p ends near 0 or 1 when that is large.
    """
    rng = np.random.default_rng(seed)
    news = np.exp(0.8 * rng.standard_normal(rows))
    if jumps:
        news += (rng.random(rows) < 0.01) * rng.exponential(40.0, rows)
    news *= (1.0 - math.exp(-told)) / news.sum()
    w = np.cumsum(np.sqrt(news) * rng.standard_normal(rows))
    return ndtr((ndtri(p0) + w) / np.sqrt(1.0 - np.cumsum(news)))


def test_ratio_and_variance_are_double_sums():
    """With holes: pairs of changes seen, scaled by n / n_j; the band is centred on 1."""
    p = contract(1)
    p[[40, 41, 90]] = np.nan
    out = martingale(p, (2, 7, 20), n_draws=99)
    d = np.diff(p)
    n = int(np.isfinite(d).sum())
    assert out.n_rows == n == 199 - 3 - 2
    square = np.nansum(d**2)
    for m, k in enumerate((2, 7, 20)):
        ratio, theta = 1.0, 0.0
        for j in range(1, k):
            pair = [d[t] * d[t - j] for t in range(j, d.size) if math.isfinite(d[t] * d[t - j])]
            w = 2.0 * (k - j) / k
            ratio += w * sum(pair) / square * n / len(pair)
            theta += (w * n / len(pair) / square) ** 2 * sum(x * x for x in pair)
        assert out.variance_ratio[m] == pytest.approx(ratio, rel=1e-10)
        half = 0.5 * (out.null_upper[m] - out.null_lower[m])
        first = 0.5 * (out.null_upper[0] - out.null_lower[0])
        assert out.null_upper[m] + out.null_lower[m] == pytest.approx(2.0, rel=1e-12)
        if m == 0:
            scale = first / math.sqrt(theta)
        assert half / math.sqrt(theta) == pytest.approx(scale, rel=1e-9)
    assert out.drift == pytest.approx(np.nanmean(d), rel=1e-12)


def test_ratio_is_the_variance_of_sums():
    """Var of k-row sums over k times the variance of one, 20,000 rows: another estimator of it."""
    rng = np.random.default_rng(2)
    e = 1e-4 * rng.standard_normal(20_001)
    p = 0.5 + np.cumsum(e[1:] - 0.4 * e[:-1]) * 0.1
    out = martingale(p, (2, 5, 10), n_draws=99)
    for m, k in enumerate((2, 5, 10)):
        sums = p[k:] - p[:-k]
        want = np.mean(sums**2) / (k * np.mean(np.diff(p) ** 2))
        assert out.variance_ratio[m] == pytest.approx(want, rel=0.01)
        rho = -0.4 / 1.16
        assert want == pytest.approx(1 + 2 * rho * (1 - 1 / k), abs=0.03)


def test_band_and_p_value_say_the_same():
    """The joint test rejects at 5% exactly where some ratio leaves the band."""
    seen = set()
    for r in range(60):
        p = np.clip(contract([3, r]) + 0.004 * np.random.default_rng(r).choice([-1, 1], 200), 0, 1)
        out = martingale(p, n_draws=199, seed=r)
        left = (out.variance_ratio < out.null_lower) | (out.variance_ratio > out.null_upper)
        assert (out.p_value <= 0.05) == bool(left.any())
        seen.add(bool(left.any()))
    assert seen == {True, False}


DESIGNS = [
    {},
    {"rows": 390},
    {"p0": 0.9, "rows": 390},
    {"p0": 0.97, "told": 2.0},
    {"told": 3.0},
    {"jumps": False},
]


def rejected(runs, **design):
    out = [martingale(contract([4, r], **design), n_draws=199, seed=r) for r in range(runs)]
    assert {x.status for x in out} == {Status.OK}
    return np.mean([x.p_value <= 0.05 for x in out]), np.mean([x.drift_p <= 0.05 for x in out])


def test_size_on_bounded_martingales_with_jumps():
    """400 paths: 5% within 3.3 binomial se. Random signs alone find drift in 9% (seen: 8.8%)."""
    for part in rejected(400):
        assert abs(part - 0.05) < 3.3 * math.sqrt(0.05 * 0.95 / 400)


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS)
def test_size_is_4_to_6_percent(design):
    """4,000 paths: between 4 and 6% with no allowance (2 binomial se of 5% are .7 points)."""
    for part in rejected(4000, **design):
        assert 0.04 <= part <= 0.06


def test_power_against_bounce_and_slowness():
    """Quotes on either side by .01: ratios below 1. The mean of five rows: above 1."""
    low, high = [], []
    for r in range(40):
        p = contract([5, r], rows=390)
        side = np.random.default_rng([6, r]).choice([-0.01, 0.01], p.size)
        low.append(martingale(np.clip(p + side, 0, 1), n_draws=199, seed=r))
        slow = np.convolve(p, np.full(5, 0.2), "valid")
        high.append(martingale(slow, n_draws=199, seed=r))
    assert np.mean([x.p_value <= 0.05 for x in low]) > 0.8
    assert np.mean([x.p_value <= 0.05 for x in high]) > 0.8
    assert (np.mean([x.variance_ratio for x in low], axis=0) < 0.85).all()
    assert (np.mean([x.variance_ratio for x in high], axis=0) > 1.5).all()


def test_drift_is_found():
    """A hundredth of a probability a row in 60 rows, noise of the same size, up and down."""
    for sign in (1.0, -1.0):
        rng = np.random.default_rng(7)
        p = 0.5 + sign * (0.005 * np.arange(80) + np.cumsum(0.005 * rng.standard_normal(80)))
        out = martingale(p, (2, 5), n_draws=499)
        assert out.drift_p <= 0.01
        assert sign * out.drift > 0


def test_yes_and_no_are_one_contract():
    """1 - p: drift changes sign, ratios stay, p-values stay but for the draws (3 se of them)."""
    p = contract(8, rows=390)
    yes, no = martingale(p, n_draws=1999), martingale(1.0 - p, n_draws=1999)
    assert no.drift == pytest.approx(-yes.drift, rel=1e-9)
    np.testing.assert_allclose(no.variance_ratio, yes.variance_ratio, rtol=1e-9)
    assert abs(no.p_value - yes.p_value) < 0.05
    assert abs(no.drift_p - yes.drift_p) < 0.05


def test_a_resolved_contract_is_taken():
    p = np.append(contract(9, told=3.0), np.ones(60))
    out = martingale(p, n_draws=99)
    assert out.status is Status.OK
    assert np.isfinite(out.variance_ratio).all()


@pytest.mark.parametrize(
    ("p", "status"),
    [
        (np.full(200, 0.4), Status.NOT_IDENTIFIED),
        (np.append(np.full(199, 0.4), 0.5), Status.NOT_IDENTIFIED),
        (contract(10)[:50], Status.TOO_FEW),
        (contract(10)[:140], Status.TOO_FEW),
        (np.full(300, np.nan), Status.TOO_FEW),
    ],
)
def test_refusals(p, status):
    out = martingale(p, n_draws=99)
    assert out.status is status
    assert np.isnan([out.drift, out.drift_p, out.p_value, *out.variance_ratio]).all()
    assert np.isnan(out.null_lower).all()
    assert out.lags.tolist() == [2, 5, 10, 30]


def test_same_seed_same_answer():
    p = contract(11)
    one, two, other = (martingale(p, n_draws=199, seed=s) for s in (1, 1, 2))
    assert (one.p_value, one.drift_p) == (two.p_value, two.drift_p)
    assert (one.null_lower != other.null_lower).any()


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"probability": np.zeros((5, 2))}, r"a probability \(T,\)"),
        ({"probability": np.append(np.full(99, 0.5), 1.01)}, r"in \[0, 1\]"),
        ({"lags": ()}, "rising lags"),
        ({"lags": (1, 2)}, "rising lags"),
        ({"lags": (5, 2)}, "rising lags"),
        ({"n_draws": 10}, "at least 19 draws"),
        ({"level": 95}, "level between"),
        ({"tick": 0.0}, "a tick"),
    ],
)
def test_bad_input_is_named(change, wanted):
    with pytest.raises(InputError, match=wanted) as caught:
        martingale(**{"probability": np.full(100, 0.5), **change})
    if wanted == r"in \[0, 1\]":
        assert caught.value.row == 100


def test_probit_is_nan_where_a_quote_is_certainty():
    p = np.array([[0.0, 0.00049, 0.0005, 0.5], [0.9995, 0.9996, 1.0, np.nan]])
    got = probit(p)
    assert np.isnan(got).tolist() == [[True, True, False, False], [False, True, True, True]]
    assert got[0, 2] == pytest.approx(-3.2905267315, abs=1e-9)  # normal table, .9995
    assert got[1, 0] == pytest.approx(3.2905267315, abs=1e-9)
    assert np.isnan(probit(np.array([0.004]), tick=0.01)).all()
    with pytest.raises(InputError, match="in \\[0, 1\\]"):
        probit(np.array([-0.1]))
