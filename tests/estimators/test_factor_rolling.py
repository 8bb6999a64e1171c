"""Rolling betas: against brute force and statsmodels, whole or in chunks, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.regression.rolling import RollingOLS

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.factors import rolling_beta, rolling_fit

OK, SHORT, SINGULAR = range(3)
T, N, K, W = 700, 7, 3, 60


def day(seed=0, rows=T, assets=N, factors=K):
    rng = np.random.default_rng(seed)
    x = 1e-4 * rng.standard_normal((rows, factors))
    x[:, 1:] += 0.6 * x[:, :1]
    y = 1e-6 + x @ rng.standard_normal((factors, assets))
    return y + 2e-4 * rng.standard_normal((rows, assets)), x


def by_hand(y, x, t, window=W):
    """Intercept and betas of one window by a least-squares solver, columns scaled to order one."""
    rows = slice(t - window + 1, t + 1)
    scale = x[rows].std(axis=0)
    design = np.column_stack([np.ones(window), (x[rows] - x[rows].mean(axis=0)) / scale])
    found = np.linalg.lstsq(design, y[rows], rcond=None)[0]
    beta = found[1:] / scale[:, None]
    return found[0] - x[rows].mean(axis=0) @ beta, beta


@pytest.mark.parametrize(("factors", "assets", "window"), [(1, 1, 3), (2, 5, 17), (5, 40, 64)])
def test_every_window_is_least_squares(factors, assets, window):
    y, x = day(1, 300, assets, factors)
    found = rolling_beta.batch(y, x, window=window)
    assert (found.status[: window - 1] == SHORT).all()
    assert np.isnan(found.beta[: window - 1]).all()
    assert np.isnan(found.alpha[: window - 1]).all()
    for t in range(window - 1, 300):
        alpha, beta = by_hand(y, x, t, window)
        scale = np.abs(beta).max()
        # A window of 3 rows for 2 coefficients may have next to no spread left: allow its condition
        rtol = 1e-12 if window > 10 else 1e-10
        np.testing.assert_allclose(found.beta[t], beta, rtol=0, atol=rtol * max(scale, 1.0))
        np.testing.assert_allclose(found.alpha[t], alpha, rtol=0, atol=rtol * 1e-3 * max(scale, 1))


@pytest.mark.parametrize("seed", [0, 1])
def test_statsmodels_agrees_to_the_twelfth_digit(seed):
    y, x = day(seed)
    found, full = rolling_beta.batch(y, x, window=W), rolling_fit.fit(y, x, window=W)
    np.testing.assert_array_equal(found.beta, full.beta)
    for i in range(N):
        peer = RollingOLS(y[:, i], np.column_stack([np.ones(T), x]), window=W).fit()
        rows = slice(W - 1, None)
        scale = np.abs(peer.params[rows, 1:]).max()
        assert np.abs(found.beta[rows, :, i] - peer.params[rows, 1:]).max() < 1e-12 * scale
        assert np.abs(found.alpha[rows, i] - peer.params[rows, 0]).max() < 1e-12 * scale
        np.testing.assert_allclose(full.alpha_se[rows, i], peer.bse[rows, 0], rtol=1e-9)
        np.testing.assert_allclose(full.beta_se[rows, :, i], peer.bse[rows, 1:], rtol=1e-9)
        np.testing.assert_allclose(full.r_squared[rows, i], peer.rsquared[rows], rtol=1e-9)


@pytest.mark.parametrize("chunk", [1, 2, 16, 59, 60, 61, 500, T])
def test_chunks_are_the_whole_bit_for_bit(chunk):
    y, x = day(2)
    y[100, 3] = x[250, 1] = np.nan
    whole = rolling_beta.batch(y, x, window=W)
    state = rolling_beta.start(K, N, W)
    for begin in range(0, T, chunk):
        rows = slice(begin, begin + chunk)
        kept = state
        copies = [part.copy() for part in kept]
        state, part = rolling_beta.step(state, y[rows], x[rows])
        for old, copy in zip(kept, copies, strict=True):
            np.testing.assert_array_equal(old, copy)
        for name in ("alpha", "beta", "status"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[rows])


def test_a_missing_row_refuses_what_it_touches_and_nothing_else():
    y, x = day(3)
    clean = rolling_beta.batch(y, x, window=W)
    y[200, 2] = np.nan
    x[400, 0] = np.nan
    y[0, 4] = y[T - 1, 5] = np.nan
    found = rolling_beta.batch(y, x, window=W)
    refused = np.zeros((T, N), bool)
    refused[: W - 1] = True
    refused[200 : 200 + W, 2] = True
    refused[400 : 400 + W] = True
    refused[:W, 4] = refused[T - 1, 5] = True
    np.testing.assert_array_equal(found.status == SHORT, refused)
    np.testing.assert_array_equal(np.isnan(found.alpha), refused)
    np.testing.assert_array_equal(np.isnan(found.beta).all(axis=1), refused)
    # The hole moves the point sums are taken about, for the block after it: not the answer's digits
    np.testing.assert_allclose(found.beta[:, 0][~refused], clean.beta[:, 0][~refused], rtol=1e-10)


def test_a_wild_row_is_forgotten_once_it_has_left():
    """A return 1e8 times the others: running sums would keep 1e-16 of its square for hours."""
    y, x = day(4)
    y[150] *= 1e8
    x[310, 1] *= 1e8
    found = rolling_beta.batch(y, x, window=W)
    for t in [*range(210, 310), *range(370, T)]:
        alpha, beta = by_hand(y, x, t)
        np.testing.assert_allclose(found.beta[t], beta, rtol=0, atol=1e-12 * np.abs(beta).max())
        np.testing.assert_allclose(found.alpha[t], alpha, rtol=0, atol=1e-15)


def test_levels_far_from_nought_keep_their_digits():
    y, x = day(5)
    far = rolling_beta.batch(y + 3.0, x - 7.0, window=W)
    near = rolling_beta.batch(y, x, window=W)
    rows = slice(W - 1, None)
    # Adding 7 rounds each return of 1e-4 to 4e-16: 4e-12 of it, and that is what is left to see
    np.testing.assert_allclose(far.beta[rows], near.beta[rows], rtol=0, atol=1e-10)


def test_designs_that_say_nothing_are_refused():
    y, x = day(6)
    still, twin, near = x.copy(), x.copy(), x.copy()
    still[100:200, 1] = 5.0
    twin[300:400, 2] = 2.0 * twin[300:400, 0] - 1.0
    near[300:400, 2] = near[300:400, 0] + 1e-3 * near[300:400, 2]
    codes = rolling_beta.batch(y, still, window=W).status[W - 1 :]
    want = np.zeros(T - W + 1)
    want[100 : 200 - W + 1] = SINGULAR
    np.testing.assert_array_equal(codes, np.broadcast_to(want[:, None], codes.shape))
    found = rolling_beta.batch(y, twin, window=W)
    assert (found.status[300 + W - 1 : 400] == SINGULAR).all()
    assert np.isnan(found.beta[300 + W - 1 : 400]).all()
    assert (found.status[400 + W :] == OK).all()
    assert (rolling_beta.batch(y, near, window=W).status[W - 1 :] == OK).all()
    assert rolling_beta.STATUSES == (Status.OK, Status.TOO_FEW, Status.NOT_IDENTIFIED)


def test_the_two_parts_add_up_and_the_betas_came_before():
    y, x = day(7)
    found = rolling_beta.batch(y, x, window=W)
    out = rolling_beta.decompose(y, x, window=W)
    inside = rolling_beta.decompose(y, x, window=W, in_sample=True)
    rows = slice(W, None)
    np.testing.assert_allclose((out.systematic + out.idiosyncratic)[rows], y[rows], atol=1e-18)
    for t in (W, W + 1, 333, T - 1):
        np.testing.assert_allclose(out.systematic[t], x[t] @ found.beta[t - 1], rtol=1e-12)
        np.testing.assert_allclose(inside.systematic[t], x[t] @ found.beta[t], rtol=1e-12)
    assert np.isnan(out.idiosyncratic[:W]).all()
    assert (out.status[:W] == SHORT).all()
    ratio = inside.idiosyncratic[rows].std() / out.idiosyncratic[rows].std()
    assert ratio < 0.97  # K + 1 of 60 rows' worth of noise is fitted away in sample: about 0.93
    changed = y.copy()
    changed[500:] += 1.0
    late = rolling_beta.decompose(changed, x, window=W)
    np.testing.assert_array_equal(late.systematic[:501], out.systematic[:501])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y, x: (y[:-1], x, W), "n_times"),
        (lambda y, x: (y[:, 0], x, W), "n_times"),
        (lambda y, x: (y, x, K + 1), "window of at least 5 rows"),
        (lambda y, x: (np.where(y == y[9, 2], np.inf, y), x, W), "row 10, column 'asset 3'.*inf"),
        (lambda y, x: (y, np.where(x == x[8, 1], -np.inf, x), W), "row 9, column 'factor 2'.*-inf"),
    ],
)
def test_what_cannot_be_used_is_named(change, words):
    y, x, window = change(*day(8))
    with pytest.raises(InputError, match=words):
        rolling_beta.batch(y, x, window=window)


def test_a_chunk_of_another_width_is_refused():
    y, x = day(9)
    with pytest.raises(InputError, match="7 assets and 3 factors"):
        rolling_beta.step(rolling_beta.start(K, N, W), y[:, 1:], x)
