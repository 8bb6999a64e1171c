"""Connectedness against statsmodels, against triple sums, and against known worlds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.tsa.api import VAR

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.connectedness import connectedness, rolling_connectedness
from eventtape.estimators.discovery.refusals import Reason
from eventtape.estimators.discovery.var_moments import responses

FIELDS = ("table", "total", "to", "from_", "net", "pairwise")


def world(seed, *, n=4, rows=400, link=0.3, common=0.4, shocks=None):
    """Series 0 moves the others a step later; all share a part of each instant's shock."""
    rng = np.random.default_rng(seed)
    e = rng.standard_normal((rows + 50, n)) if shocks is None else shocks
    e = e + common * e.mean(axis=1, keepdims=True) * n
    A = dynamics(n, link)
    x = e.copy()
    for t in range(1, len(x)):
        x[t] += A @ x[t - 1]
    return x[50:]


def dynamics(n, link):
    A = 0.1 * np.eye(n)
    A[1:, 0] = link
    return A


def triple_sum(coefficients, sigma, horizon, *, generalised):
    """The published formula, entry by entry, with the responses from powers of the companion."""
    p, n, _ = coefficients.shape
    companion = np.zeros((n * p, n * p))
    companion[:n] = np.concatenate(list(coefficients), axis=1)
    companion[n:, :-n] = np.eye(n * (p - 1))
    psi = [np.linalg.matrix_power(companion, h)[:n, :n] for h in range(horizon)]
    root = np.linalg.cholesky(sigma)
    table = np.empty((n, n))
    for i in range(n):
        error = sum(P[i] @ sigma @ P[i] for P in psi)
        for j in range(n):
            if generalised:
                part = sum((P[i] @ sigma[:, j]) ** 2 for P in psi) / sigma[j, j]
            else:
                part = sum((P[i] @ root[:, j]) ** 2 for P in psi)
            table[i, j] = part / error
    return table


@pytest.mark.parametrize("generalised", [True, False])
@pytest.mark.parametrize(("lags", "horizon"), [(1, 1), (1, 10), (2, 5), (4, 12)])
def test_table_is_the_published_sum(lags, horizon, generalised):
    x = world(1)
    fit = VAR(x).fit(lags)
    want = triple_sum(fit.coefs, np.asarray(fit.sigma_u), horizon, generalised=generalised)
    out = connectedness(x, lags, horizon, generalised=generalised)
    np.testing.assert_allclose(out.table, want / want.sum(axis=1, keepdims=True), atol=1e-12)
    if not generalised:  # rows sum to 1 before any division, and statsmodels has the same table
        np.testing.assert_allclose(want.sum(axis=1), 1.0, atol=1e-12)
        np.testing.assert_allclose(out.table, fit.fevd(horizon).decomp[:, -1, :], atol=1e-12)


@pytest.mark.parametrize("lags", [1, 3])
def test_responses_are_those_of_statsmodels(lags):
    fit = VAR(world(2)).fit(lags)
    np.testing.assert_allclose(responses(fit.coefs, 8), fit.ma_rep(7), atol=1e-13)


def test_one_step_table_is_squared_correlations():
    """At H = 1 the generalised share of j in i is their squared residual correlation, scaled."""
    x = world(3)
    squared = np.corrcoef(np.asarray(VAR(x).fit(1).resid).T) ** 2
    want = squared / squared.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(connectedness(x, 1, 1).table, want, atol=1e-12)


def test_the_sums_add_up():
    out = connectedness(world(4))
    np.testing.assert_allclose(out.table.sum(axis=1), 1.0, atol=1e-12)
    off = out.table - np.diag(np.diag(out.table))
    np.testing.assert_allclose(out.from_, off.sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(out.to, off.sum(axis=0), atol=1e-12)
    assert out.total == pytest.approx(off.sum() / 4)
    np.testing.assert_allclose(out.net, out.pairwise.sum(axis=1), atol=1e-12)
    assert abs(out.net.sum()) < 1e-12
    assert (out.n_rows, out.reason, out.status) == (399, Reason.NONE, Status.OK)
    assert math.isnan(out.total_lower)
    assert np.isnan(out.net_upper).all()


@pytest.mark.parametrize("giver", [0, 2])
def test_the_giver_gives(giver):
    """One series moves the others a step later: its interval of net is above 0 and above theirs."""
    order = np.r_[np.arange(1, giver + 1), 0, np.arange(giver + 1, 4)]
    for seed in range(10):
        out = connectedness(world([5, seed], link=0.6, common=0.2)[:, order], n_draws=99)
        assert np.argmax(out.net) == giver
        assert out.net_lower[giver] > 0.0
        assert (np.delete(out.net_upper, giver) < out.net_lower[giver]).all()
        assert (out.pairwise[giver] >= 0.0).all()


def test_independent_series_are_nearly_unconnected():
    """Noise lifts each of n (n - 1) squared responses by about 1 / T a lag: of order n p / T."""
    rng = np.random.default_rng(6)
    total = [connectedness(rng.standard_normal((800, 5))).total for _ in range(50)]
    assert 0.0 < np.mean(total) < 0.02
    small = np.mean([connectedness(rng.standard_normal((100, 5))).total for _ in range(50)])
    assert small == pytest.approx(8.0 * np.mean(total), rel=0.3)


def test_order_of_columns_only_moves_the_answer():
    x = world(7)
    order = np.array([2, 0, 3, 1])
    one, two = connectedness(x, n_draws=60), connectedness(x[:, order], n_draws=60)
    np.testing.assert_allclose(two.table, one.table[np.ix_(order, order)], atol=1e-11)
    np.testing.assert_allclose(two.net_lower, one.net_lower[order], atol=1e-9)
    assert two.total == pytest.approx(one.total, abs=1e-11)
    by_order = connectedness(x, generalised=False).table
    turned = connectedness(x[:, order], generalised=False).table
    assert np.abs(turned - by_order[np.ix_(order, order)]).max() > 0.01


def test_units_and_levels_leave_the_answer_alone():
    x = world(8)
    scale, shift = np.array([1e-6, -3.0, 1e5, 0.25]), np.array([1e-3, 40.0, -1e6, 0.0])
    one, two = connectedness(x, 2, n_draws=60), connectedness(x * scale + shift, 2, n_draws=60)
    for field in (*FIELDS, "total_lower", "total_upper", "net_lower", "net_upper"):
        np.testing.assert_allclose(getattr(two, field), getattr(one, field), atol=1e-8)


@pytest.mark.parametrize("every", [1, 7])
def test_rolling_is_each_window_by_itself(every):
    x = world(9, rows=260)
    out = rolling_connectedness(x, 120, every=every, lags=2, horizon=6)
    assert out.end.tolist() == list(range(120, 261, every))
    assert out.status is Status.OK
    for w, end in enumerate(out.end):
        one = connectedness(x[end - 120 : end], 2, 6)
        assert out.total[w] == pytest.approx(one.total, abs=1e-10)
        for field in ("to", "from_", "net"):
            np.testing.assert_allclose(getattr(out, field)[w], getattr(one, field), atol=1e-9)


def test_a_window_in_which_a_series_stands_still_is_blank_alone():
    x = world(10, rows=300)
    x[100:180, 1] = 0.5
    out = rolling_connectedness(x, 60, every=10)
    still = np.array([e - 60 >= 100 and e <= 180 for e in out.end])
    assert still.sum() == 3
    assert np.isnan(out.total[still]).all()
    assert np.isfinite(out.total[~still]).all()


def test_a_roll_that_stands_still_or_is_short_is_refused():
    x = world(11, rows=100)
    assert rolling_connectedness(x, 50, lags=2).reason is Reason.FEW_ROWS
    x[:, 2] = 1.0
    out = rolling_connectedness(x, 60)
    assert (out.reason, out.status) == (Reason.STALE, Status.NOT_RESOLVED)
    assert np.isnan(out.net).all()
    for window, every in ((2, 1), (101, 1), (60, 0)):
        with pytest.raises(InputError, match="a window of 3 to 100 rows"):
            rolling_connectedness(x, window, every=every)


def blank(out):
    return all(np.isnan(getattr(out, field)).all() for field in FIELDS)


def test_ten_rows_a_regressor():
    x = world(12)
    assert connectedness(x[:51]).status is Status.OK  # 50 rows, 5 regressors
    out = connectedness(x[:50])
    assert (out.reason, out.status) == (Reason.FEW_ROWS, Status.TOO_FEW)
    assert blank(out)
    assert connectedness(x[:50], rows_per_regressor=9.0).status is Status.OK


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("constant", Reason.STALE), ("twin", Reason.SINGULAR), ("basket", Reason.SINGULAR)],
)
def test_columns_that_cannot_be_told_apart_are_refused(fault, reason):
    x = world(13)
    x[:, 3] = {"constant": x[0, 3], "twin": -2.0 * x[:, 1], "basket": x[:, :3].sum(axis=1)}[fault]
    out = connectedness(x, n_draws=60)
    assert out.reason is reason
    assert out.status is not Status.OK
    assert blank(out)
    assert np.isnan([out.total_lower, out.total_upper]).all()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_hole_is_named(value):
    x = world(14)
    x[5, 2] = value
    for call in (connectedness, lambda v: rolling_connectedness(v, 100)):
        with pytest.raises(InputError, match="a finite value") as caught:
            call(x)
        assert (caught.value.row, caught.value.column) == (6, "2")


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"lags": 0}, "whole number of lags"),
        ({"lags": 1.5}, "whole number of lags"),
        ({"horizon": 0}, "whole horizon"),
        ({"n_draws": 20}, "0 or at least 50 draws"),
        ({"n_draws": 60, "level": 0.99}, "0 or at least 99 draws"),
        ({"level": 95.0}, "a level between 0 and 1"),
        ({"rows_per_regressor": 1.0}, "more than 1 row"),
    ],
)
def test_options_out_of_range(options, wanted):
    with pytest.raises(InputError, match=wanted):
        connectedness(world(15), **options)


@pytest.mark.parametrize("shape", [(100,), (100, 1), (1, 4)])
def test_a_panel_has_rows_and_columns(shape):
    with pytest.raises(InputError, match="returns of shape"):
        connectedness(np.ones(shape))


def test_draws_repeat_by_seed():
    x = world(16)
    one, two, other = (connectedness(x, n_draws=60, seed=s) for s in (1, 1, 2))
    assert one.total_lower == two.total_lower
    assert one.total_lower != other.total_lower
    assert one.total_lower < one.total_upper


def test_interval_is_the_jackknife_by_hand():
    """400 rows, 2 lags: 398 rows in 20 blocks of about 20, each left out by itself."""
    x = world(18, rows=400)
    out = connectedness(x, 2, n_draws=199, seed=3)
    units = (x - x.mean(axis=0)) / x.std(axis=0)
    blocks = np.array_split(np.arange(2, 400), 20)
    answers = []
    for block in blocks:
        kept = np.setdiff1d(np.arange(2, 400), block)
        X = np.column_stack((np.ones(kept.size), units[kept - 1], units[kept - 2]))
        coef, *_ = np.linalg.lstsq(X, units[kept])
        e = units[kept] - X @ coef
        A = coef[1:].T.reshape(4, 2, 4).transpose(1, 0, 2)
        table = triple_sum(A, e.T @ e, 10, generalised=True)
        answers.append(1.0 - np.mean(np.diag(table) / table.sum(axis=1)))
    answers, B = np.array(answers), len(blocks)
    u = answers - answers.mean()
    t = []
    for times in np.random.default_rng(3).multinomial(B, np.full(B, 1.0 / B), 199):
        draw = np.repeat(u, times)
        t.append(abs(draw.mean()) / (draw.std(ddof=1) / math.sqrt(B)))
    half = np.sort(t)[189] * math.sqrt((B - 1) / B * np.sum(u**2))
    centre = out.total - (B - 1) * (answers.mean() - out.total)
    assert out.total_lower == pytest.approx(centre - half, abs=1e-8)
    assert out.total_upper == pytest.approx(centre + half, abs=1e-8)


def test_two_series_at_one_step_have_no_net():
    """Squared correlation is symmetric: nothing moves the net, and the interval says so."""
    out = connectedness(world(19, n=2), 1, 1, n_draws=60)
    np.testing.assert_allclose([out.net, out.net_lower, out.net_upper], 0.0, atol=1e-12)
    assert out.total_lower < out.total < out.total_upper


def test_few_blocks_give_no_interval():
    out = connectedness(world(20, n=2, rows=21), rows_per_regressor=5.0, n_draws=60)
    assert out.status is Status.OK
    assert math.isfinite(out.total)
    assert np.isfinite([out.total_lower, *out.net_upper]).all()  # 10 blocks of 2
    out = connectedness(world(20, n=2, rows=20), rows_per_regressor=5.0, n_draws=60)
    assert out.status is Status.OK
    assert np.isnan([out.total_lower, out.total_upper, *out.net_lower, *out.net_upper]).all()


def covered(runs, n, rows, kind, *, link=0.2, common=0.4):
    """Part of the runs whose intervals hold the total, the giver's net, and the others'."""
    mixing = np.eye(n) + common
    table = triple_sum(dynamics(n, link)[None], mixing @ mixing.T, 10, generalised=True)
    table /= table.sum(axis=1, keepdims=True)
    own = np.diag(table)
    true_total, true_net = 1.0 - own.mean(), table.sum(axis=0) - 1.0
    rng = np.random.default_rng([17, n, rows])
    held = []
    for seed in range(runs):
        x = world(0, n=n, shocks=shocks(rng, kind, n, rows + 50), link=link, common=common)
        out = connectedness(x, n_draws=399, seed=seed)
        inside = (out.net_lower <= true_net) & (true_net <= out.net_upper)
        held.append(
            [out.total_lower <= true_total <= out.total_upper, inside[0], np.mean(inside[1:])]
        )
    return np.mean(held, axis=0)


def test_intervals_of_restless_series_hold_the_truth():
    """150 runs at 95%, one volatility for all: 3.3 binomial se below it (5.9 points)."""
    assert np.all(covered(150, 4, 390, "shared") > 0.95 - 3.3 * math.sqrt(0.95 * 0.05 / 150))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["normal", "t4", "shared", "garch"])
@pytest.mark.parametrize("n", [4, 10])
@pytest.mark.parametrize("rows", [390, 1170])
def test_coverage_is_93_to_97(rows, n, kind):
    """2,000 runs: total, the giver's net and the others' between 93 and 97%, no allowance."""
    held = covered(2000, n, rows, kind)
    assert np.all((held >= 0.93) & (held <= 0.97)), held


def shocks(rng, kind, n, rows):
    if kind == "t4":
        return rng.standard_t(4, (rows, n))
    z = rng.standard_normal((rows, n))
    if kind == "normal":
        return z
    e, variance, log_variance = np.zeros((rows, n)), np.ones(n), 0.0
    for t in range(rows):
        if kind == "shared":  # an AR(.95) in the log, sd 1: variance swings 7 times either way
            e[t] = math.exp(0.5 * log_variance) * z[t]
            log_variance = 0.95 * log_variance + math.sqrt(1 - 0.95**2) * rng.standard_normal()
        else:
            e[t] = np.sqrt(variance) * z[t]
            variance = 0.05 + 0.05 * e[t] ** 2 + 0.9 * variance
    return e


@pytest.mark.parametrize(("n", "n_rows"), [(20, 390), (40, 450)])
def test_independent_series_take_next_to_nothing(n, n_rows):
    """The plain total of many short independent series is far out of its own interval."""
    out = connectedness(np.random.default_rng(0).standard_normal((n_rows, n)), n_draws=199)
    assert out.total > 0.08
    assert out.total_lower <= out.total_corrected <= out.total_upper < 0.05
