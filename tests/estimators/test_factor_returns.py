"""Factor returns: by hand with numpy, whole or in chunks, weights checked, gaps by rule."""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.errors import InputError
from eventtape.estimators.factors import factor_returns

S = 10**9
T, N = 120, 40


def day(seed=0, hole=0.3):
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((N, 3)) * (rng.uniform(size=(N, 3)) < 0.7)
    for k in range(3):
        for sign in (1, -1):
            side = sign * w[:, k] > 0
            w[side, k] /= np.abs(w[side, k].sum())
    w[:, 0] = rng.uniform(size=N)
    w[:, 0] /= w[:, 0].sum()
    mids = 50.0 * np.exp(np.cumsum(1e-3 * rng.standard_normal((T, N)), axis=0))
    return np.arange(T) * S, np.where(rng.uniform(size=(T, N)) < hole, np.nan, mids), w


def by_hand(ts, mids, w, max_age_s):
    """The definition with numpy, a side at a time: full side x weighted mean over those present."""
    in_force = np.full_like(mids, np.nan)
    for i in range(N):
        for t in range(T):
            seen = np.flatnonzero(~np.isnan(mids[: t + 1, i]))
            if seen.size and ts[t] - ts[seen[-1]] <= max_age_s * S:
                in_force[t, i] = mids[seen[-1], i]
    r = in_force[1:] / in_force[:-1] - 1.0
    for i in range(N):
        seen = np.flatnonzero(~np.isnan(mids[:, i]))
        r[seen[1:][np.diff(ts[seen]) > max_age_s * S] - 1, i] = np.nan
    returns, coverage = np.full((T, w.shape[1]), np.nan), np.zeros((T, w.shape[1], 2))
    for t in range(1, T):
        here = ~np.isnan(r[t - 1])
        for k in range(w.shape[1]):
            total = 0.0
            for side, sign in enumerate((1, -1)):
                v = np.maximum(sign * w[:, k], 0.0)
                coverage[t, k, side] = v[here].sum() / v.sum() if v.any() else 1.0
                if v.any():
                    total += sign * v.sum() * np.average(r[t - 1][here], weights=v[here])
            returns[t, k] = total
    return returns, coverage


@pytest.mark.parametrize("max_age_s", [1.0, 3.0, 60.0])
def test_the_definition_by_hand(max_age_s):
    ts, mids, w = day()
    found = factor_returns.batch(ts, mids, w, max_age_s=max_age_s, min_coverage=0.0)
    returns, coverage = by_hand(ts, mids, w, max_age_s)
    np.testing.assert_allclose(found.returns, returns, rtol=1e-11, atol=1e-16)
    np.testing.assert_allclose(found.coverage[1:], coverage[1:], atol=1e-13)
    assert found.n_refused.sum() == np.isnan(returns[1:]).sum()


def test_nothing_missing_is_the_plain_weighted_sum():
    ts, mids, w = day(hole=0.0)
    found = factor_returns.batch(ts, mids, w)
    want = (mids[1:] / mids[:-1] - 1.0) @ w
    np.testing.assert_allclose(found.returns[1:], want, rtol=1e-9, atol=1e-16)
    np.testing.assert_allclose(found.coverage[1:], 1.0, rtol=1e-14)
    assert np.isnan(found.returns[0]).all()


@pytest.mark.parametrize("chunk", [1, 7, 16, T])
def test_chunks_are_the_whole_bit_for_bit(chunk):
    ts, mids, w = day(1, hole=0.6)
    options = {"max_age_s": 2.0, "min_coverage": 0.6}
    whole = factor_returns.batch(ts, mids, w, **options)
    book = factor_returns.portfolios(w)
    state, refused = factor_returns.start(N), 0
    for begin in range(0, T, chunk):
        rows = slice(begin, begin + chunk)
        state, part = factor_returns.step(state, ts[rows], mids[rows], book, **options)
        np.testing.assert_array_equal(part.returns, whole.returns[rows])
        np.testing.assert_array_equal(part.coverage, whole.coverage[rows])
        refused = refused + part.n_refused
    np.testing.assert_array_equal(refused, whole.n_refused)
    assert (whole.n_refused > 0).all()
    assert (whole.n_refused < T - 1).all()


def test_a_missing_side_is_refused_and_counted():
    ts, mids, w = day(hole=0.0)
    shorts = w[:, 1] < 0
    mids[60:, shorts] = np.nan
    found = factor_returns.batch(ts, mids, w, max_age_s=5.0, min_coverage=0.8)
    assert np.isfinite(found.returns[1:65, 1]).all()
    assert np.isnan(found.returns[65:, 1]).all()
    assert found.n_refused[1] == T - 65
    assert (found.coverage[65:, 1, 1] == 0.0).all()
    assert (found.coverage[65:, 1, 0] > 0.999999).all()


def test_reweighting_by_side_keeps_a_market_move_out_of_a_long_short_factor():
    """All names move alike and a third of the longs are gone: the factor must not move."""
    ts, mids, w = day(hole=0.0)
    mids[:] = 100.0 * 1.01 ** np.arange(T)[:, None]
    mids[:, np.flatnonzero(w[:, 1] > 0)[::3]] = np.nan
    found = factor_returns.batch(ts, mids, w, min_coverage=0.0)
    np.testing.assert_allclose(found.returns[1:, 0], 0.01, rtol=1e-12)
    np.testing.assert_allclose(found.returns[1:, 1], 0.0, atol=1e-15)


def test_the_move_over_a_gap_that_is_too_long_is_in_no_row():
    ts, mids, w = day(hole=0.0)
    mids[:] = 100.0
    mids[50:, 0] = 150.0
    mids[40:50, 0] = np.nan
    inside = factor_returns.batch(ts, mids, w, max_age_s=20.0)
    beyond = factor_returns.batch(ts, mids, w, max_age_s=5.0)
    assert inside.returns[50, 0] == pytest.approx(0.5 * w[0, 0])
    assert np.nanmax(np.abs(beyond.returns)) == 0.0


@pytest.mark.parametrize("chunk", [1, 2, 4])
def test_a_move_from_one_day_to_the_next_is_in_no_row(chunk):
    """Broadcom's ten for one between two sessions of seconds, in one array."""
    ts = np.array([0, 1, 86_400, 86_401]) * S
    mids = np.array([[1700.0, 100.0], [1700.0, 100.0], [171.0, 101.0], [171.0, 101.0]])
    book, state = factor_returns.portfolios(np.full((2, 1), 0.5)), factor_returns.start(2)
    got = []
    for begin in range(0, 4, chunk):
        rows = slice(begin, begin + chunk)
        state, part = factor_returns.step(state, ts[rows], mids[rows], book)
        got.extend(part.returns[:, 0])
    np.testing.assert_array_equal(got, [np.nan, 0.0, np.nan, 0.0])
    np.testing.assert_array_equal(part.coverage[-1, 0], [1.0, 1.0])
    edge = factor_returns.batch(ts, mids, np.full((2, 1), 0.5), max_age_s=86_399.0)
    assert edge.returns[2, 0] == pytest.approx(0.5 * (171.0 / 1700.0 - 1.0) + 0.005)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda ts, m, w: (ts, m, w * 1.0001), "sum to 1 or to 0"),
        (lambda ts, m, w: (ts, m, np.where(w == w[3, 1], np.nan, w)), "finite weight"),
        (lambda ts, m, w: (ts, m, 0.0 * w), "factor with names"),
        (lambda ts, m, w: (ts[::-1], m, w), "times that rise"),
        (lambda ts, m, w: (ts, m[:, 1:], w), "a column for each name"),
        (lambda ts, m, w: (ts, np.where(m == m[4, 2], 0.0, m), w), "row 5, column 'name 3'.*0.0"),
        (lambda ts, m, w: (ts, np.where(m == m[4, 2], np.inf, m), w), "mid > 0"),
    ],
)
def test_what_cannot_be_used_is_named(change, words):
    with pytest.raises(InputError, match=words):
        factor_returns.batch(*change(*day(hole=0.0)))


def test_simulated_sorts_are_recovered_from_noisy_mids():
    """40 days of 1,500 stocks, 130 rows, gaps and absent names: 1 - SSE/SST of daily returns."""
    from eventtape.simulate.factor_sorts import factor_days

    ours, truth = [], []
    for one in factor_days(1, n_stocks=1500, n_days=40, rows=130):
        found = factor_returns.batch(one.ts, one.mids, one.weights, max_age_s=900.0)
        ours.append(np.prod(1.0 + found.returns[1:], axis=0) - 1.0)
        truth.append(one.truth)
    ours, truth = np.array(ours), np.array(truth)
    missed = ((ours - truth) ** 2).sum(axis=0) / ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    # The table of docs/factors.md: MKT, SMB, HML, RMW, CMA.
    np.testing.assert_allclose(1.0 - missed, [0.999, 0.995, 0.995, 0.990, 0.997], atol=0.0006)
