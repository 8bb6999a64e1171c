"""The local-level filter against dense Gaussian algebra, statsmodels, and simulated truth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.probability import local_level as ll

S = 10**9
COMMON = {"derandomize": True, "deadline": None}


def walk(n, *, q, r, seed, mean_gap_s=60.0, regular=False):
    """Times (ns), quotes, and the level behind them, at irregular times of which some are equal."""
    rng = np.random.default_rng(seed)
    gaps = np.full(n, mean_gap_s) if regular else rng.exponential(mean_gap_s, n)
    if not regular:
        gaps[rng.random(n) < 0.1] = 0.0
    ts = np.cumsum((gaps * S).astype(np.int64)) + 1_730_844_000 * S
    dt = np.diff(ts, prepend=ts[0]) * 1e-9
    level = 0.5 + np.cumsum(np.sqrt(q * dt) * rng.standard_normal(n))
    return ts, level + math.sqrt(r) * rng.standard_normal(n), level


def by_steps(ts, y, q, r):
    """The answers of ``start`` and ``step``, one quote at a time, as arrays."""
    state, answer = ll.start(int(ts[0]), float(y[0]), q=q, r=r)
    answers = [answer]
    for t, value in zip(ts[1:].tolist(), y[1:].tolist(), strict=True):
        state, answer = ll.step(state, t, value)
        answers.append(answer)
    return np.array(answers).T, state


def twin(ts, y, q, r):
    """The textbook filter in plain Python: predict, update with (1 - K) P."""
    m, P, rows, total = y[0], r, [(y[0], math.sqrt(r), math.nan, math.nan)], 0.0
    for before, now, value in zip(ts[:-1], ts[1:], y[1:], strict=True):
        P = P + q * float(now - before) / 1e9
        F = P + r
        K, v = P / F, value - m
        m, P = m + K * v, (1.0 - K) * P
        total -= 0.5 * math.log(2.0 * math.pi * F) + 0.5 * v**2 / F
        rows.append((m, math.sqrt(P), v, v / math.sqrt(F)))
    return np.array(rows).T, total


def dense(ts, y, q, r):
    """Mean and sd of the last level given all quotes, and the likelihood of their differences.

    No recursion: y = mu 1 + w + v with an unknown constant mu has covariance V = q min(s, t) + r I;
    the level at the end is its best linear unbiased predictor (kriging), and a diffuse start makes
    the likelihood of y that of its differences.
    """
    s = (ts - ts[0]) * 1e-9
    n = y.size
    V = q * np.minimum.outer(s, s) + r * np.eye(n)
    c = q * np.minimum(s, s[-1])
    ones, solve = np.ones(n), np.linalg.solve
    information = ones @ solve(V, ones)
    mu = ones @ solve(V, y) / information
    mean = mu + c @ solve(V, y - mu)
    short = 1.0 - ones @ solve(V, c)
    variance = q * s[-1] - c @ solve(V, c) + short**2 / information
    D = np.diff(np.eye(n), axis=0)
    return mean, math.sqrt(variance), multivariate_normal(cov=D @ V @ D.T).logpdf(D @ y)


@pytest.mark.parametrize("seed", range(4))
def test_filter_is_dense_gaussian_conditioning(seed):
    """Every prefix, by linear algebra. 1e-9: the dense V has a condition number near 1e4."""
    q, r = 2e-6, 3e-4
    ts, y, _ = walk(40, q=q, r=r, seed=seed)
    out = ll.batch(ts, y, q=q, r=r)
    for k in range(2, 41):
        mean, sd, likelihood = dense(ts[:k], y[:k], q, r)
        assert out.mean[k - 1] == pytest.approx(mean, rel=1e-9)
        assert out.sd[k - 1] == pytest.approx(sd, rel=1e-9)
        assert ll.log_likelihood(ts[:k], y[:k], q=q, r=r) == pytest.approx(likelihood, abs=1e-8)
    assert out.log_likelihood == pytest.approx(likelihood, abs=1e-8)


@pytest.mark.parametrize(("q", "r"), [(1e-6, 1e-4), (0.0, 1e-4), (1e-3, 1e-8), (1e-12, 1.0)])
def test_filter_is_the_plain_python_twin(q, r):
    """Same recursion, other algebra for P: (1 - K) P here, R P / S there, hence 1e-9, not bits.

    With Q/R near 0 the twin's 1 - K loses digits; over 500 quotes 1e-9 is ample for both.
    """
    ts, y, _ = walk(500, q=q, r=r, seed=7)
    want, total = twin(ts, y, q, r)
    out = ll.batch(ts, y, q=q, r=r)
    np.testing.assert_allclose(np.array(out[:4]), want, rtol=1e-9, atol=1e-12)
    assert out.log_likelihood == pytest.approx(total, rel=1e-9)
    assert ll.log_likelihood(ts, y, q=q, r=r) == pytest.approx(total, rel=1e-9)


gaps_ns = st.one_of(st.just(0), st.just(60 * S), st.integers(1, 10**12))
histories = st.lists(st.tuples(gaps_ns, st.floats(0.0, 1.0)), min_size=1, max_size=40)
variances = st.one_of(st.just(0.0), st.floats(1e-12, 1e-2))


def arrays(history):
    gaps, y = zip(*history, strict=True)
    return np.cumsum(np.array(gaps, np.int64)), np.array(y)


@settings(max_examples=200, **COMMON)
@given(histories, variances, st.floats(1e-9, 1e-1))
def test_batch_is_the_chain_of_steps_bit_for_bit(history, q, r):
    """Equal gaps come often, so that the steady-state shortcut of the batch is met too."""
    ts, y = arrays(history)
    np.testing.assert_array_equal(np.array(ll.batch(ts, y, q=q, r=r)[:4]), by_steps(ts, y, q, r)[0])


@settings(max_examples=200, **COMMON)
@given(histories, variances, st.floats(1e-9, 1e-1), st.data())
def test_no_looking_ahead_bit_for_bit(history, q, r, data):
    ts, y = arrays(history)
    k = data.draw(st.integers(1, y.size))
    whole, part = ll.batch(ts, y, q=q, r=r), ll.batch(ts[:k], y[:k], q=q, r=r)
    np.testing.assert_array_equal(np.array(whole[:4])[:, :k], np.array(part[:4]))


@settings(max_examples=100, **COMMON)
@given(histories, variances, st.floats(1e-9, 1e-1), st.data())
def test_any_split_is_the_whole_bit_for_bit(history, q, r, data):
    """A state taken after k quotes carries on as if nothing had happened."""
    ts, y = arrays(history)
    k = data.draw(st.integers(1, y.size))
    _, state = by_steps(ts[:k], y[:k], q, r)
    whole = ll.batch(ts, y, q=q, r=r)
    for i in range(k, y.size):
        state, answer = ll.step(state, int(ts[i]), float(y[i]))
        np.testing.assert_array_equal(answer, [part[i] for part in whole[:4]])
    assert state.mean[0] == whole.mean[-1]
    assert int(state.ts[0]) == ts[-1]


@pytest.mark.parametrize("regular", [False, True])
def test_batch_is_the_chain_of_steps_over_a_long_night(regular):
    """Long enough (5,000 one-minute quotes) for P to reach its fixed point and stay there."""
    ts, y, _ = walk(5000, q=1e-6, r=1e-4, seed=3, regular=regular)
    got, _ = by_steps(ts, y, 1e-6, 1e-4)
    np.testing.assert_array_equal(np.array(ll.batch(ts, y, q=1e-6, r=1e-4)[:4]), got)


@given(
    n=st.integers(2, 200),
    seed=st.integers(0, 2**32 - 1),
    q=st.sampled_from([0.0, 1e-8, 1e-6, 1e-3]),
    regular=st.booleans(),
    cuts=st.lists(st.integers(1, 199), max_size=6),
)
@settings(max_examples=40, **COMMON)
def test_advance_is_batch_in_pieces_bit_for_bit(n, seed, q, regular, cuts):
    """The state too is that of single steps; the pieces' likelihoods sum to the whole's."""
    ts, y, _ = walk(n, q=q, r=1e-4, seed=seed, regular=regular)
    want = ll.batch(ts, y, q=q, r=1e-4)
    state, _ = ll.start(int(ts[0]), float(y[0]), q=q, r=1e-4)
    ends = [1, *sorted({c for c in cuts if 1 < c < n}), n]
    pieces = []
    for low, high in itertools.pairwise(ends):
        state, piece = ll.advance(state, ts[low:high], y[low:high])
        pieces.append(piece)
    for k in range(4):
        met = np.concatenate([piece[k] for piece in pieces])
        np.testing.assert_array_equal(met, want[k][1:])
    total = sum(piece.log_likelihood for piece in pieces)
    assert total == pytest.approx(want.log_likelihood, rel=1e-12, abs=1e-9)
    _, stepped = by_steps(ts, y, q, 1e-4)
    assert state == stepped


def test_advance_leaves_its_state_and_takes_other_variances():
    ts, y, _ = walk(40, q=1e-6, r=1e-4, seed=3)
    state, _ = ll.start(int(ts[0]), float(y[0]), q=1e-6, r=1e-4)
    before = [float(part[0]) for part in state[:3]]
    one, _ = ll.advance(state, ts[1:20], y[1:20])
    assert [float(part[0]) for part in state[:3]] == before
    loud = one._replace(q=1e-2)
    (_, answer), (_, want) = ll.advance(loud, ts[20:21], y[20:21]), ll.step(loud, ts[20], y[20])
    assert (answer.mean[0], answer.sd[0], answer.innovation[0], answer.z[0]) == want


@pytest.mark.parametrize(
    ("ts", "y", "wanted"),
    [
        ([9, 11], [0.5, 0.5], "not before"),
        ([11, 10], [0.5, 0.5], "do not fall"),
        ([10, 11], [0.5, math.nan], "finite"),
        ([], [], "one shape"),
    ],
)
def test_advance_refuses_what_batch_does(ts, y, wanted):
    state, _ = ll.start(10, 0.5, q=1e-6, r=1e-4)
    with pytest.raises(InputError, match=wanted):
        ll.advance(state, np.array(ts, np.int64), np.array(y))


def test_a_state_is_not_changed_by_a_step():
    state, _ = ll.start(0, 0.5, q=1e-6, r=1e-4)
    first, second = ll.step(state, S, 0.6), ll.step(state, S, 0.6)
    assert first[1] == second[1]
    assert (state.ts[0], state.mean[0], state.variance[0]) == (0, 0.5, 1e-4)


def unobserved(y, q, r):
    """statsmodels' local level with its exact diffuse start and its steady-state shortcut off."""
    from statsmodels.tsa.api import UnobservedComponents

    model = UnobservedComponents(y, "llevel", use_exact_diffuse=True)
    model.ssm.tolerance = 0.0
    return model, model.filter([r, q])


@pytest.mark.parametrize("seed", range(3))
def test_filter_is_that_of_statsmodels(seed):
    """One quote a second, so that Q a second is Q a step; 1e-10 is rounding, twice."""
    q, r = 1e-4, 4e-4
    ts, y, _ = walk(600, q=q, r=r, seed=seed, mean_gap_s=1.0, regular=True)
    out = ll.batch(ts, y, q=q, r=r)
    _, peer = unobserved(y, q, r)
    np.testing.assert_allclose(out.mean, peer.filtered_state[0], rtol=1e-10)
    np.testing.assert_allclose(out.sd**2, peer.filtered_state_cov[0, 0], rtol=1e-10)
    np.testing.assert_allclose(
        out.z[1:], peer.filter_results.standardized_forecasts_error[0, 1:], atol=1e-10
    )
    # Its first quote adds -log(2 pi)/2 for the diffuse start, which we leave out.
    assert out.log_likelihood == pytest.approx(float(peer.llf_obs[1:].sum()), rel=1e-10)


@pytest.mark.parametrize(("q", "r"), [(0.5, 2.0), (1.0, 0.3), (0.02, 1.0)])
def test_fit_is_that_of_statsmodels(q, r):
    """Flat at its top: height agrees to 1e-8, so Q and R to its square root, asked for at 1e-5."""
    ts, y, _ = walk(800, q=q, r=r, seed=11, mean_gap_s=1.0, regular=True)
    model, _ = unobserved(y, q, r)
    peer = model.fit(disp=0, start_params=[r, q], method="powell", ftol=1e-13, xtol=1e-9)
    fit = ll.fit(ts, y)
    assert fit.status is Status.OK
    assert not fit.at_floor
    assert fit.r == pytest.approx(peer.params[0], rel=1e-5)
    assert fit.q == pytest.approx(peer.params[1], rel=1e-5)
    assert fit.log_likelihood == pytest.approx(float(peer.llf_obs[1:].sum()), abs=1e-8)


def test_fit_is_the_top_of_the_likelihood():
    """Irregular times, against Nelder-Mead on the dense-free twin: nothing near it is higher."""
    ts, y, _ = walk(300, q=1e-6, r=1e-4, seed=5)
    found = minimize(
        lambda p: -twin(ts, y, math.exp(p[0]), math.exp(p[1]))[1],
        np.log([1e-6, 1e-4]),
        method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-9},
    )
    fit = ll.fit(ts, y)
    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-6)
    np.testing.assert_allclose([fit.q, fit.r], np.exp(found.x), rtol=1e-3)


def test_steady_state_of_references_case_9():
    """q = Q/R = .01: P/R .105124921973, K .095124921973, innovation sd .03324342 at R = 1e-3."""
    r = 1e-3
    ts, y, _ = walk(600, q=1e-5, r=r, seed=1, mean_gap_s=1.0, regular=True)
    out = ll.batch(ts, y, q=1e-5, r=r)
    gain = (out.mean[-1] - out.mean[-2]) / out.innovation[-1]
    assert out.sd[-1] ** 2 / r == pytest.approx(0.095124921973, abs=1e-12)  # after: K R
    assert gain == pytest.approx(0.095124921973, abs=1e-9)  # a difference of means loses digits
    innovation_sd = out.innovation[-1] / out.z[-1]
    assert innovation_sd == pytest.approx(0.03324342, abs=1e-8)
    assert (innovation_sd**2 - r) / r == pytest.approx(0.105124921973, abs=1e-11)


def test_recovery_of_q_and_r():
    """400 nights of 500 quotes: no bias beyond Monte-Carlo error, the spread likelihood promises.

    The expected spread is the mean observed information (second differences of the likelihood in
    log Q and log R). Second-order bias is of order spread^2 / 2 in logs, added to 4 se;
    the sd of 400 draws is itself known to 3.5%, so 15% is four of those.
    """
    q, r, n_nights = 1e-6, 2e-4, 400
    found, information = [], []
    h = 0.05
    for seed in range(n_nights):
        ts, y, _ = walk(500, q=q, r=r, seed=[1, seed])
        fit = ll.fit(ts, y)
        assert fit.status is Status.OK
        found.append(np.log([fit.q / q, fit.r / r]))
        if seed < 40:

            def height(a, b, ts=ts, y=y):
                return ll.log_likelihood(ts, y, q=q * math.exp(a), r=r * math.exp(b))

            cross = (height(h, h) - height(h, -h) - height(-h, h) + height(-h, -h)) / (4 * h * h)
            own_q = (height(h, 0) - 2 * height(0, 0) + height(-h, 0)) / h**2
            own_r = (height(0, h) - 2 * height(0, 0) + height(0, -h)) / h**2
            information.append(-np.array([[own_q, cross], [cross, own_r]]))
    spread = np.sqrt(np.diag(np.linalg.inv(np.mean(information, axis=0))))
    met = np.array(found)
    np.testing.assert_allclose(met.std(axis=0), spread, rtol=0.15)
    tolerance = 4.0 * spread / math.sqrt(n_nights) + 0.5 * spread**2
    assert np.all(np.abs(met.mean(axis=0)) < tolerance), (met.mean(axis=0), tolerance)


def test_innovations_are_standard_normal_under_the_right_model():
    """200,000 quotes: |z| > 2 in 4.55% and 1 < |z| <= 2 in 27.18%; 4 binomial standard errors."""
    ts, y, _ = walk(200_000, q=1e-6, r=1e-4, seed=2)
    z = ll.batch(ts, y, q=1e-6, r=1e-4).z[1:]
    n = z.size
    for share, met in (
        (0.0455002639, np.mean(np.abs(z) > 2.0)),
        (0.2718102374, np.mean((np.abs(z) > 1.0) & (np.abs(z) <= 2.0))),
    ):
        assert abs(met - share) < 4.0 * math.sqrt(share * (1.0 - share) / n)
    assert abs(z.mean()) < 4.0 / math.sqrt(n)
    assert abs(z.var() - 1.0) < 4.0 * math.sqrt(2.0 / n)
    assert abs(np.mean(z[1:] * z[:-1])) < 4.0 / math.sqrt(n)  # innovations do not remember


def test_the_filter_knows_its_own_error():
    """(level - mean) / sd is standard normal: variance 1 within 4 se, errors correlate over ~30."""
    ts, y, level = walk(200_000, q=1e-6, r=1e-4, seed=4)
    out = ll.batch(ts, y, q=1e-6, r=1e-4)
    error = ((level - out.mean) / out.sd)[100:]
    assert abs(np.mean(error**2) - 1.0) < 4.0 * math.sqrt(2.0 * 30 / error.size)


def test_the_floor_binds_and_says_so():
    """Quotes with no noise but the grid: R is tick^2/12 and Q is the best for that R."""
    tick = 0.01
    ts, y, _ = walk(400, q=1e-5, r=0.0, seed=6)
    y = np.round(y / 0.001) * 0.001
    fit = ll.fit(ts, y, tick=tick)
    assert fit.at_floor
    assert fit.status is Status.OK
    assert fit.r == tick**2 / 12.0
    for factor in (0.99, 1.01):  # beside Q, and above the floor in R, all is lower
        assert ll.log_likelihood(ts, y, q=fit.q * factor, r=fit.r) < fit.log_likelihood
        assert ll.log_likelihood(ts, y, q=fit.q * factor, r=fit.r * 1.01) < fit.log_likelihood
    assert ll.log_likelihood(ts, y, q=fit.q, r=fit.r * 1.01) < fit.log_likelihood
    assert ll.log_likelihood(ts, y, q=fit.q, r=fit.r * 0.99) > fit.log_likelihood  # it binds


def test_the_floor_does_not_bind_where_noise_is_larger():
    ts, y, _ = walk(400, q=1e-6, r=1e-4, seed=6)
    free, floored = ll.fit(ts, y), ll.fit(ts, y, tick=0.01)
    assert floored == free
    assert not floored.at_floor
    assert floored.r > 0.01**2 / 12


def test_rounding_a_still_level_finds_no_signal():
    """White noise: the variance of the level is nil and R is the sample's."""
    rng = np.random.default_rng(9)
    ts = np.arange(500) * 60 * S
    y = 0.5 + 0.01 * rng.standard_normal(500)
    fit = ll.fit(ts, y)
    assert fit.status is Status.OK
    assert fit.q * 60 * 500 < 0.2 * fit.r  # a night's drift is less than one quote's noise
    assert fit.r == pytest.approx(y.var(), rel=0.05)


@pytest.mark.parametrize("n", [1, 2, 9])
def test_fewer_than_ten_quotes_are_too_few(n):
    ts, y, _ = walk(n, q=1e-6, r=1e-4, seed=1)
    fit = ll.fit(ts, y)
    assert fit.status is Status.TOO_FEW
    assert np.isnan(fit[:3]).all()


def test_ten_quotes_are_enough():
    assert ll.fit(*walk(10, q=1e-6, r=1e-4, seed=1)[:2]).status is not Status.TOO_FEW


def test_quotes_that_never_move():
    ts, y = np.arange(50) * S, np.full(50, 0.4)
    fit = ll.fit(ts, y)
    assert fit.status is Status.NOT_IDENTIFIED
    assert np.isnan(fit[:3]).all()
    fit = ll.fit(ts, y, tick=0.01)
    assert (fit.q, fit.r, fit.at_floor, fit.status) == (0.0, 0.01**2 / 12, True, Status.OK)
    want = multivariate_normal(cov=fit.r * (np.eye(49) + np.ones((49, 49)))).logpdf
    D = np.tril(np.ones((49, 49)))  # levels of y - y_0 from its differences, all nil here
    assert fit.log_likelihood == pytest.approx(want(D @ np.zeros(49)), rel=1e-9)


def test_signal_without_noise_is_not_identified_without_a_tick():
    """A straight line: each move foretells the next, so no noise can be told from none."""
    ts = np.arange(100) * S
    fit = ll.fit(ts, np.linspace(0.2, 0.8, 100))
    assert fit.status is Status.NOT_IDENTIFIED
    assert np.isnan(fit[:3]).all()


def test_quotes_all_at_one_time_do_not_identify_q():
    rng = np.random.default_rng(0)
    assert ll.fit(np.zeros(50, np.int64), rng.normal(size=50)).status is Status.NOT_IDENTIFIED


def test_the_fit_does_not_know_the_unit_of_time():
    """The same quotes a million times faster: Q a million times larger, R the same."""
    ts, y, _ = walk(400, q=1.0, r=1.0, seed=8, mean_gap_s=1.0, regular=True)
    slow, fast = ll.fit(ts, y), ll.fit((ts - ts[0]) // 1_000_000, y)
    assert fast.status is slow.status is Status.OK
    assert fast.r == pytest.approx(slow.r, rel=1e-3)
    assert fast.q == pytest.approx(slow.q * 1e6, rel=1e-3)


@pytest.mark.parametrize("power", [-3, 4])
def test_scale_moves_all_and_changes_no_bit_of_z(power):
    """Powers of two scale without rounding, so the answer must scale to the last bit."""
    a = 2.0**power
    ts, y, _ = walk(300, q=1e-6, r=1e-4, seed=12)
    one, two = ll.batch(ts, y, q=1e-6, r=1e-4), ll.batch(ts, a * y, q=a * a * 1e-6, r=a * a * 1e-4)
    for field in ("mean", "sd", "innovation"):
        np.testing.assert_array_equal(getattr(two, field), a * getattr(one, field))
    np.testing.assert_array_equal(two.z, one.z)


def test_fit_scales_with_the_square():
    """Scan and Brent run over log Q/R, which scale leaves alone: 1e-6 is rounding in the sums."""
    ts, y, _ = walk(300, q=1e-6, r=1e-4, seed=13)
    one, two = ll.fit(ts, y), ll.fit(ts, 100.0 * y)
    assert two.q == pytest.approx(1e4 * one.q, rel=1e-6)
    assert two.r == pytest.approx(1e4 * one.r, rel=1e-6)


def test_shifts_of_time_and_level():
    ts, y, _ = walk(300, q=1e-6, r=1e-4, seed=14)
    one = ll.batch(ts, y, q=1e-6, r=1e-4)
    later = ll.batch(ts + 86_400 * S, y, q=1e-6, r=1e-4)
    for a, b in zip(one, later, strict=True):
        np.testing.assert_array_equal(a, b)
    assert ll.fit(ts - 10**15, y) == ll.fit(ts, y)
    higher = ll.batch(ts, y + 3.0, q=1e-6, r=1e-4)
    np.testing.assert_allclose(higher.mean, one.mean + 3.0, rtol=1e-14)
    np.testing.assert_allclose(higher.z, one.z, atol=1e-11)  # y + 3 has lost a few bits of y


def test_two_quotes_at_one_time_are_averaged():
    """No time passes between them: the second is a second look, and order is nothing."""
    q, r = 1e-6, 1e-4
    ts = np.array([0, 0, 0, 60 * S])
    out = ll.batch(ts, np.array([0.3, 0.5, 0.7, 0.6]), q=q, r=r)
    assert out.mean[2] == pytest.approx(0.5)
    assert out.sd[2] == pytest.approx(math.sqrt(r / 3))
    other = ll.batch(ts, np.array([0.7, 0.3, 0.5, 0.6]), q=q, r=r)
    assert other.mean[-1] == pytest.approx(out.mean[-1])


def test_regimes():
    z = np.array([math.nan, 0.0, -1.0, 1.0, 1.0000001, -2.0, 2.0, 2.0000001, -5.0, math.inf])
    names = [ll.REGIMES[k] for k in ll.regimes(z)]
    assert names == ["unknown", *["baseline"] * 3, *["moderate"] * 3, *["shock"] * 3]
    assert ll.regimes(np.array([1.5, 2.5]), moderate=2.0, shock=3.0).tolist() == [1, 2]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("road", ["batch", "likelihood", "fit"])
def test_a_quote_that_is_no_number_is_refused(road, value):
    ts, y, _ = walk(20, q=1e-6, r=1e-4, seed=1)
    y[7] = value
    call = {
        "batch": lambda: ll.batch(ts, y, q=1e-6, r=1e-4),
        "likelihood": lambda: ll.log_likelihood(ts, y, q=1e-6, r=1e-4),
        "fit": lambda: ll.fit(ts, y),
    }[road]
    with pytest.raises(InputError, match="finite") as caught:
        call()
    assert caught.value.row == 8


@pytest.mark.parametrize("road", ["start", "step"])
def test_a_quote_that_is_no_number_is_refused_step_by_step(road):
    state, _ = ll.start(0, 0.5, q=1e-6, r=1e-4)
    call = {
        "start": lambda: ll.start(0, math.nan, q=1e-6, r=1e-4),
        "step": lambda: ll.step(state, S, math.nan),
    }[road]
    with pytest.raises(InputError, match="finite"):
        call()


def test_times_that_fall_are_refused():
    ts, y, _ = walk(20, q=1e-6, r=1e-4, seed=1)
    ts[5] = ts[4] - 1
    with pytest.raises(InputError, match="do not fall") as caught:
        ll.batch(ts, y, q=1e-6, r=1e-4)
    assert (caught.value.row, caught.value.met) == (6, int(ts[5]))
    state, _ = ll.start(10, 0.5, q=1e-6, r=1e-4)
    with pytest.raises(InputError, match="not before"):
        ll.step(state, 9, 0.5)


@pytest.mark.parametrize(
    ("q", "r"), [(-1e-9, 1e-4), (1e-6, -1e-9), (math.nan, 1e-4), (1e-6, math.nan), (math.inf, 1.0)]
)
def test_wrong_variances_are_refused(q, r):
    ts, y, _ = walk(20, q=1e-6, r=1e-4, seed=1)
    for call in (ll.batch, ll.log_likelihood):
        with pytest.raises(InputError, match="variance"):
            call(ts, y, q=q, r=r)
    with pytest.raises(InputError, match="variance"):
        ll.start(0, 0.5, q=q, r=r)


@pytest.mark.parametrize("shape", [((0,), (0,)), ((3,), (4,)), ((2, 2), (2, 2))])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(InputError, match="one shape"):
        ll.batch(np.zeros(shape[0], np.int64), np.zeros(shape[1]), q=1e-6, r=1e-4)


@pytest.mark.parametrize(("q", "ts"), [(0.0, [0, S, 2 * S]), (1.0, [0, S, S])])
def test_no_variance_at_all_has_no_likelihood(q, ts):
    y = np.array([0.1, 0.2, 0.3])
    assert math.isnan(ll.batch(np.array(ts), y, q=q, r=0.0).log_likelihood)
    assert math.isnan(ll.log_likelihood(np.array(ts), y, q=q, r=0.0))


def test_without_noise_the_filter_is_the_quote():
    ts, y, _ = walk(50, q=1e-6, r=0.0, seed=3)
    out = ll.batch(ts, y, q=1e-6, r=0.0)
    moved = np.diff(ts, prepend=ts[0] - 1) > 0
    np.testing.assert_allclose(out.mean[moved], y[moved], rtol=1e-15)
    assert (out.sd == 0.0).all()


def test_read_only_and_strided_input():
    """Arrow and Polars hand over read-only views."""
    ts, y, _ = walk(40, q=1e-6, r=1e-4, seed=3)
    ts.flags.writeable = y.flags.writeable = False
    want = ll.batch(ts, y, q=1e-6, r=1e-4)
    np.testing.assert_array_equal(
        ll.batch(np.repeat(ts, 2)[::2], np.repeat(y, 2)[::2], q=1e-6, r=1e-4).mean, want.mean
    )
