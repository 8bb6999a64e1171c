"""Every change of a chain against a refit at the same hyper-parameters, noise included."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.density.gp_smile import (
    GPHyper,
    fit_gp_smile,
    gp_law,
    gp_log_evidence,
    gp_smile_at,
)
from eventtape.estimators.density.gp_updates import (
    forward_moved,
    quotes_changed,
    rank_one,
    replace_row,
    strike_added,
    strike_gone,
    time_passed,
    without_row,
)
from eventtape.estimators.pricing.lognormal_mixture import lognormal

F, TAU = 100.0, 0.08
HOUSE = GPHyper(True, 0.1, np.log([1.7, 0.25, 1.3]), 0.5, 0.25)
PLAIN = GPHyper(False, 0.28, np.log([0.9, 0.4, 0.8]), 1.0, 0.0)
HYPERS = [HOUSE, PLAIN]
IDS = ["house", "plain"]
STRIKES = F * np.exp(np.linspace(-0.5, 0.35, 12))


def smile(k):
    return 0.11 - 0.06 * k + 0.1 * k * k


def start(hyper=HOUSE, *, n=30, seed=0, noise=3e-5):
    """A chain as sharp as liquid ones are: a total volatility of 0.1 known to 3e-5."""
    rng = np.random.default_rng(seed)
    k = np.sort(rng.uniform(-0.45, 0.3, n))
    sd = noise * np.exp(rng.standard_normal(n))
    z = 2.0 * noise * rng.standard_normal(n)
    v = smile(k) + sd * rng.standard_normal(n) + 0.5 * z
    return fit_gp_smile(F * np.exp(k), v, sd * sd, forward=F, tau=TAU, leans=z, hyper=hyper)


def refit(state):
    return fit_gp_smile(
        state.strikes, state.total_vols, state.variances,
        forward=state.forward, tau=state.tau, leans=state.leans, hyper=state.hyper,
        forward_error=state.forward_error,
    )  # fmt: skip


def far(state, other):
    """Largest difference: smile and slopes (in the chain's units), their errors, both laws."""
    k, v0 = np.log(STRIKES / state.forward), state.hyper.reference
    units = np.array([1.0 / v0, 1.0, v0])
    (a, ca), (b, cb) = gp_smile_at(state, k), gp_smile_at(other, k)
    gaps = [np.abs((a - b) * units[:, None]).max()]
    sd = [np.sqrt(c[:, [0, 1, 2], [0, 1, 2]]) * units for c in (ca, cb)]
    gaps.append(np.abs(sd[0] - sd[1]).max())
    one, two = gp_law(state, STRIKES), gp_law(other, STRIKES)
    gaps += [F * np.abs(one.pdf - two.pdf).max(), F * np.abs(one.pdf_error - two.pdf_error).max()]
    gaps += [np.abs(one.cdf - two.cdf).max(), np.abs(one.cdf_error - two.cdf_error).max()]
    return max(gaps)


def mixed(state, rng):  # noqa: PLR0911
    """One change of a random kind, of a random size."""
    n = state.total_vols.size
    kind = rng.integers(8)
    rows = rng.choice(n, min(n, int(rng.integers(1, 3))), replace=False)
    if kind == 0:
        v = state.total_vols[rows] * (1.0 + 1e-3 * rng.standard_normal(rows.size))
        return quotes_changed(state, rows, total_vols=v)
    if kind <= 2:
        R = 1e-9 * np.exp(1.5 * rng.standard_normal(rows.size))
        z = 6e-5 * rng.standard_normal(rows.size)
        v = state.total_vols[rows] + 1e-5 * rng.standard_normal(rows.size)
        return quotes_changed(state, rows, total_vols=v, variances=R, leans=z)
    if kind == 3:
        k = rng.uniform(-0.5, 0.35)
        v = smile(k) + 3e-5 * rng.standard_normal()
        strike = state.forward * math.exp(k)
        return strike_added(state, strike, v, float(rng.uniform(1e-10, 1e-8)), lean=1e-5)
    if kind == 4:
        # What was quoted once more, at the same strike: calls and puts meet so.
        i = int(rows[0])
        strike = float(state.strikes[i])
        return strike_added(state, strike, float(state.total_vols[i]), float(state.variances[i]))
    if kind == 5:
        return strike_gone(state, int(rows[0])) if n > 8 else state
    if kind == 6:
        return time_passed(state, state.tau * rng.uniform(0.95, 1.0))
    forward = state.forward * math.exp(2e-3 * rng.standard_normal())
    v = state.total_vols * (1.0 + 1e-4 * rng.standard_normal(n))
    R = state.variances
    if rng.random() < 0.5:
        R = 1e-9 * np.exp(1.5 * rng.standard_normal(n))
    return forward_moved(state, forward, v, R)


@pytest.mark.parametrize(
    ("hyper", "seed"), [(HOUSE, 0), (HOUSE, 1), (PLAIN, 0)], ids=["house", "house again", "plain"]
)
def test_two_hundred_mixed_updates_are_a_refit_each(hyper, seed):
    rng = np.random.default_rng([1, seed])
    state, worst, kept = start(hyper, seed=seed), 0.0, 0
    for _ in range(200):
        state = mixed(state, rng)
        assert state.status is Status.OK
        fresh = refit(state)
        np.testing.assert_allclose(state.covariance, fresh.covariance, rtol=1e-15)
        worst, kept = max(worst, far(state, fresh)), kept + (state.updates > 0)
    assert worst < 1e-9
    # A sum of logs of pivots, squares of 1e-8 out of a diagonal of 3: digits that no factor has.
    assert gp_log_evidence(state) == pytest.approx(gp_log_evidence(fresh), abs=1e-5)
    assert kept > 100  # and were updates, not refits by another name


@pytest.mark.parametrize("hyper", HYPERS, ids=IDS)
def test_long_runs_without_a_refit_do_not_drift(hyper):
    """500 changes of size and lean, none of them made again from the covariance."""
    rng = np.random.default_rng(2)
    state = start(hyper, n=25)
    for _ in range(500):
        i = rng.integers(25)
        state = quotes_changed(
            state, i, variances=9e-10 * np.exp(rng.standard_normal()), leans=3e-5 * rng.random()
        )
    assert state.updates == 500
    assert far(state, refit(state)) < 1e-9


CHANGES = {
    "price": lambda s: quotes_changed(s, 4, total_vols=s.total_vols[4] + 1e-3),
    "two prices": lambda s: quotes_changed(s, [3, 20], total_vols=s.total_vols[[20, 3]]),
    "less noise": lambda s: quotes_changed(s, 4, variances=1e-3 * s.variances[4]),
    "more noise": lambda s: quotes_changed(s, 4, variances=1e3 * s.variances[4]),
    "lean": lambda s: quotes_changed(s, 0, leans=4e-5),
    "last row": lambda s: quotes_changed(s, 29, leans=4e-5, variances=1e-9),
    "three of all": lambda s: quotes_changed(
        s, [7, 2, 9], total_vols=[0.1, 0.11, 0.12], leans=[1e-5, 0.0, -1e-5], variances=[1e-9] * 3
    ),
    "every quote": lambda s: quotes_changed(s, np.arange(30), variances=2.0 * s.variances),
    "added inside": lambda s: strike_added(s, 101.0, 0.11, 1e-9, lean=2e-5),
    "added outside": lambda s: strike_added(s, 190.0, 0.12, 1e-9),
    "first gone": lambda s: strike_gone(s, 0),
    "middle gone": lambda s: strike_gone(s, 15),
    "last gone": lambda s: strike_gone(s, 29),
    "forward": lambda s: forward_moved(s, 100.2, s.total_vols, s.variances),
    "forward and noise": lambda s: forward_moved(
        s, 99.0, s.total_vols, 2.0 * s.variances, leans=-s.leans, forward_error=0.02
    ),
    "time": lambda s: time_passed(s, 0.07),
}


@pytest.mark.parametrize("hyper", HYPERS, ids=IDS)
@pytest.mark.parametrize("change", sorted(CHANGES))
def test_each_change_is_a_refit_and_leaves_the_old_state_alone(change, hyper):
    state = start(hyper)
    before = [np.copy(x) for x in state if isinstance(x, np.ndarray)]
    new = CHANGES[change](state)
    assert far(new, refit(new)) < 1e-9
    for old, now in zip(before, (x for x in state if isinstance(x, np.ndarray)), strict=True):
        np.testing.assert_array_equal(old, now)
    if change != "time":
        size = gp_smile_at(state, [0.0])[0] - gp_smile_at(new, [0.0])[0]
        assert np.abs(size).max() > 1e-9  # it was a change


def test_there_and_back_is_where_it_began():
    state = start()
    k = np.log(STRIKES / F)
    back = strike_gone(strike_added(state, 103.0, 0.2, 1e-9), 30)
    back = quotes_changed(
        quotes_changed(back, 3, total_vols=0.3, variances=1e-4), 3,
        total_vols=state.total_vols[3], variances=state.variances[3],
    )  # fmt: skip
    assert back.updates == 4
    np.testing.assert_allclose(gp_smile_at(back, k)[0], gp_smile_at(state, k)[0], atol=1e-11)


# The ways in which the first version of these updates went wrong, one test each.


def test_noise_alone_changes_and_the_smile_stays_near():
    """1: solved with zeros in place of y, the fitted volatility was 0 everywhere."""
    state = start()
    new = quotes_changed(state, 10, variances=2.0 * state.variances[10])
    k = np.log(state.strikes / F)
    fit = gp_smile_at(new, k)[0][0]
    np.testing.assert_allclose(fit, state.total_vols, atol=1e-3)
    assert 0.0 < np.abs(fit - gp_smile_at(state, k)[0][0]).max() < 1e-4
    assert gp_law(new, [F]).total_vol_error[0] > gp_law(state, [F]).total_vol_error[0]


def test_a_strike_added_keeps_the_old_quotes():
    """2: the old quotes were set to zero."""
    state = start()
    new = strike_added(state, 102.0, float(smile(math.log(1.02))), 1e-9)
    np.testing.assert_array_equal(new.total_vols[:-1], state.total_vols)
    fit = gp_smile_at(new, np.log(state.strikes / F))[0][0]
    np.testing.assert_allclose(fit, state.total_vols, atol=1e-3)


def test_two_moves_in_one_update():
    """3: a wrong diagonal at one move, a failed downdate at two."""
    state = start()
    rows = [5, 6]
    R, z = state.variances[rows] * [0.01, 50.0], np.array([6e-5, -6e-5])
    v = state.total_vols[rows] + [2e-4, -2e-4]
    both = quotes_changed(state, rows, total_vols=v, variances=R, leans=z)
    one_by_one = state
    for i, row in enumerate(rows):
        one_by_one = quotes_changed(one_by_one, row, total_vols=v[i], variances=R[i], leans=z[i])
    assert both.updates == 1
    assert far(both, one_by_one) < 1e-9
    assert far(both, refit(both)) < 1e-9


def test_sizes_that_fall_to_one_count():
    """4: the noise that came with a quote was ignored."""
    state = start()
    new = quotes_changed(state, np.arange(4), variances=1e3 * state.variances[:4])
    at = np.log(state.strikes[:4] / F)
    wide = np.sqrt(gp_smile_at(new, at)[1][:, 0, 0])
    narrow = np.sqrt(gp_smile_at(state, at)[1][:, 0, 0])
    assert (wide > 2.0 * narrow).all()
    assert far(new, refit(new)) < 1e-9


@pytest.mark.parametrize("count", [2, 3, 4, 15, 30])
def test_any_number_of_quotes_at_once(count):
    """5: more than one was not implemented. Two go through the factor, more through a refit."""
    state = start()
    rows = np.arange(count)[::-1]
    new = quotes_changed(
        state, rows, total_vols=1.01 * state.total_vols[rows], variances=3.0 * state.variances[rows]
    )
    assert (new.updates == 1) is (count <= 2)
    assert far(new, refit(new)) < 1e-9


def test_every_quote_has_a_say():
    """6: three quarters of the quotes were thrown away."""
    state = quotes_changed(start(), np.arange(30), leans=np.zeros(30))
    k = np.log(state.strikes / F)
    base, cov = gp_smile_at(state, k)
    noise = math.exp(2.0 * HOUSE.theta[2]) * state.variances
    for i in range(30):
        moved = quotes_changed(state, i, total_vols=state.total_vols[i] + 1e-4)
        gain = (gp_smile_at(moved, k[i : i + 1])[0][0, 0] - base[0, i]) / 1e-4
        assert gain == pytest.approx(cov[i, 0, 0] / noise[i], rel=1e-5)
        assert gain > 1e-3


def mean_of(state):
    def of_y(y):
        K = F * math.exp(y)
        return float(gp_law(state, [K]).pdf[0]) * K * K

    return quad(of_y, -2.0, 1.5, epsabs=1e-10, limit=300)[0]


@pytest.mark.parametrize("crossing", [False, True], ids=["between strikes", "over a strike"])
def test_twenty_basis_points_of_spot_move_the_mean_by_as_much(crossing):
    """7: prices came from the old spot, nothing moved when a strike was crossed, noise was lost."""
    K = F * np.exp(np.linspace(-0.4, 0.3, 29)) * (1.001 if crossing else 1.003)
    moved = 1.002 * F
    assert bool(np.any((K > F) & (moved > K))) is crossing
    v = smile(np.log(K / F))
    state = fit_gp_smile(K, v, np.full(29, 1e-9), forward=F, tau=TAU, hyper=HOUSE)
    new = forward_moved(state, moved, smile(np.log(K / moved)), np.full(29, 2e-9))
    np.testing.assert_array_equal(new.variances, 2e-9)
    assert mean_of(state) == pytest.approx(F, abs=1e-5)
    assert mean_of(new) == pytest.approx(1.002 * F, abs=1e-5)
    # A smile that rides on the forward: the whole law moves by 20 bp. The quotes lie elsewhere on
    # it, so the fits differ by what they do not know.
    near = np.linspace(85.0, 115.0, 7)
    one, two = gp_law(state, near), gp_law(new, 1.002 * near)
    np.testing.assert_allclose(two.cdf, one.cdf, atol=4.0 * float(one.cdf_error.max()))
    assert far(new, refit(new)) < 1e-9


def test_plain_prior_keeps_its_factor_when_the_forward_moves():
    state = start(PLAIN)
    new = forward_moved(state, 100.2, 1.01 * state.total_vols, state.variances)
    assert new.factor is state.factor
    assert far(new, refit(new)) < 1e-9
    assert forward_moved(start(), 100.2, start().total_vols, start().variances).updates == 0


def test_time_alone_moves_no_total_volatility():
    """One price of each option, less time: more volatility a year, the same density."""
    state = start()
    new = time_passed(state, 0.5 * TAU)
    k = np.array([-0.1, 0.0, 0.1])
    v = gp_smile_at(new, k)[0][0]
    np.testing.assert_array_equal(v, gp_smile_at(state, k)[0][0])
    for x, s in zip(F * np.exp(k), v, strict=True):
        now, before = (float(lognormal(F, t, s / math.sqrt(t)).put(x)) for t in (new.tau, TAU))
        assert now == pytest.approx(before, rel=1e-12)


def test_a_spoiled_factor_is_seen_and_made_again():
    """One number off by 1e-4 of itself anywhere in the factor, and one pivot below its noise."""
    state = start(n=12)
    spoiled = state._replace(updates=1)
    for i in range(12):
        for j in range(i, 12):
            if state.factor[i, j] == 0.0:
                continue
            U = state.factor.copy()
            U[i, j] *= 1.0 + 1e-4
            new = quotes_changed(spoiled._replace(factor=U), 0, total_vols=0.14)
            assert far(new, refit(new)) < 1e-9
            changed = strike_gone(spoiled._replace(factor=U), 11)
            assert far(changed, refit(changed)) < 1e-9
    U = state.factor.copy()
    U[4, 4] = 0.0
    assert quotes_changed(state._replace(factor=U), 7, variances=1e-9).updates == 0


def test_states_without_a_smile_come_back_to_one():
    state = start(n=5)
    few = strike_gone(state, 2)
    assert few.status is Status.TOO_FEW
    assert np.isnan(gp_smile_at(few, [0.0])[0]).all()
    again = strike_added(few, 100.0, 0.11, 1e-9)
    assert again.status is Status.OK
    assert far(again, refit(again)) < 1e-9
    lost = quotes_changed(start(n=20), np.arange(20), variances=np.full(20, 1e-40))
    assert lost.status is Status.NOT_RESOLVED
    for i in range(20):  # one by one, as they come
        lost = quotes_changed(lost, i, variances=1e-9)
    assert lost.status is Status.OK
    assert far(lost, refit(lost)) < 1e-9


def upper(matrix):
    return np.linalg.cholesky(matrix).T


@pytest.mark.parametrize("n", [1, 2, 9, 40])
def test_kernels_against_factors_from_scratch(n):
    rng = np.random.default_rng([3, n])
    A = rng.standard_normal((n, n + 3))
    A = A @ A.T
    for i in sorted({0, n // 2, n - 1}):
        w = rng.standard_normal(n)
        w[:i] = 0.0
        U = upper(A)
        assert rank_one(U, w.copy(), i, 1.0)
        np.testing.assert_allclose(U, upper(A + np.outer(w, w)), atol=1e-11)
        assert rank_one(U, w.copy(), i, -1.0)
        np.testing.assert_allclose(U, upper(A), atol=1e-9)
        if n > 1:
            rest = np.delete(np.delete(A, i, 0), i, 1)
            np.testing.assert_allclose(without_row(upper(A), i), upper(rest), atol=1e-11)
        row = A[i] + 0.1 * rng.standard_normal(n)
        row[i] = A[i, i] + 2.0
        B = A.copy()
        B[i] = B[:, i] = row
        if np.linalg.eigvalsh(B)[0] > 1e-6:
            U = upper(A)
            assert replace_row(U, row, i)
            np.testing.assert_allclose(U, upper(B), atol=1e-8)


def test_a_downdate_that_leaves_nothing_is_refused():
    A = np.diag([4.0, 9.0, 1.0])
    for w in ([2.0, 0.0, 0.0], [0.0, 3.1, 0.0], [1.0, 1.0, 1.0]):
        assert not rank_one(upper(A), np.array(w), 0, -1.0)
    # A row that no covariance can have: its correlation with another is above 1.
    assert not replace_row(upper(A), np.array([7.0, 9.0, 0.0]), 1)
    assert not replace_row(upper(A), np.array([0.0, 9.0, 3.1]), 1)


def one_quote():
    return fit_gp_smile([1.0], [0.1], [1e-9], forward=1.0, tau=1.0, hyper=HOUSE)


@pytest.mark.parametrize(
    "call",
    [
        lambda s: quotes_changed(s, 30, total_vols=0.1),
        lambda s: quotes_changed(s, -1, total_vols=0.1),
        lambda s: quotes_changed(s, [1, 1], total_vols=[0.1, 0.1]),
        lambda s: quotes_changed(s, 1.0, total_vols=0.1),
        lambda s: quotes_changed(s, [1, 2], total_vols=[0.1]),
        lambda s: quotes_changed(s, 1, total_vols=0.0),
        lambda s: quotes_changed(s, 1, variances=-1.0),
        lambda s: quotes_changed(s, 1, leans=math.nan),
        lambda s: strike_added(s, 0.0, 0.1, 1e-9),
        lambda s: strike_added(s, 100.0, math.nan, 1e-9),
        lambda s: strike_added(s, 100.0, 0.1, 0.0),
        lambda s: strike_added(s, 100.0, 0.1, 1e-9, lean=math.inf),
        lambda s: strike_gone(s, 30),
        lambda s: strike_gone(one_quote(), 0),
        lambda s: forward_moved(s, 0.0, s.total_vols, s.variances),
        lambda s: forward_moved(s, 100.0, s.total_vols[:-1], s.variances),
        lambda s: forward_moved(s, 100.0, s.total_vols, s.variances, forward_error=-1.0),
        lambda s: time_passed(s, 0.0),
    ],
    ids=[
        "row beyond", "row below", "row twice", "row not whole", "shape", "no volatility",
        "no variance", "lean", "strike", "strike's volatility", "strike's variance",
        "strike's lean", "gone beyond", "last one gone", "forward", "forward's shape",
        "forward's error", "time",
    ],
)  # fmt: skip
def test_bad_changes_are_errors(call):
    with pytest.raises(InputError):
        call(start())
