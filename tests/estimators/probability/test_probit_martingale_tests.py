"""Movement and increment tests: identities by loops, the null law, sizes, power, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import ndtr, ndtri
from scipy.stats import skew, ttest_1samp
from scipy.stats import t as student

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.probability.clocks import (
    ConstantClock,
    InverseRootClock,
    PiecewiseClock,
)
from eventtape.estimators.probability.martingale_draws import news_sizes, panel, redraw
from eventtape.estimators.probability.martingale_tests import increment_test, movement_test
from eventtape.simulate.probit_paths import probit_paths

N = 120


def lumpy(rng):
    """A clock whose rate goes up and down by a factor of 50, in waves and from step to step."""
    wave = np.sin(6.0 * (np.linspace(0.0, 1.0, N) + rng.random()))
    rates = np.exp(1.5 * wave + 0.6 * rng.standard_normal(N))
    return PiecewiseClock(tuple(np.linspace(0.0, 1.0, N + 1)), tuple(1.5 * N * rates / rates.sum()))


def nights(seed, n_paths, clock="lumpy", *, noise=0.0, start=0.58):
    """Paths (n_paths, N + 1), each with a clock of its own, seen with noise and on [0, 1]."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0.0, 1.0, N + 1)
    out = np.empty((n_paths, N + 1))
    for i in range(n_paths):
        runs = {
            "lumpy": lambda: lumpy(rng),
            "constant": lambda: ConstantClock(1.0),
            "reveals": lambda: InverseRootClock(0.7, 1.0),
        }[clock]()
        drawn = int(rng.integers(2**31))
        out[i] = probit_paths(t, start, runs, seed=drawn).probability[0]
    return np.clip(out + noise * rng.standard_normal(out.shape), 0.0, 1.0)


def overreacts(p, share=0.4, memory=20):
    """Each move goes too far by a share, taken back over so many quotes."""
    return np.clip(p + share * (p - smooth(p, memory)), 0.0, 1.0)


def smooth(p, memory):
    out = p.copy()
    for t in range(1, p.shape[1]):
        out[:, t] = out[:, t - 1] + (p[:, t] - out[:, t - 1]) / memory
    return out


def by_loops(y, k, off):
    """Movement, reduction and the weighted sum, term by term."""
    movement = weighted = 0.0
    for t in range(k + 1, y.size):
        d = y[t] - y[t - 1]
        movement += d * d - off + 2.0 * sum(d * (y[t - j] - y[t - j - 1]) for j in range(1, k + 1))
        weighted += (1.0 - 2.0 * y[t - 1 - k]) * d - off
    return movement, y[k] * (1.0 - y[k]) - y[-1] * (1.0 - y[-1]), weighted


@pytest.mark.parametrize(("k", "noise"), [(0, 0.0), (0, 0.004), (1, 0.0), (3, 0.0)])
def test_movement_less_reduction_is_a_sum_of_weighted_moves(k, noise):
    """Both sides of the identity, on three paths with holes."""
    p = nights(1, 3, noise=0.004)
    p[0, 50:60] = np.nan
    p[1, :20] = np.nan
    p[2, -7:] = np.nan
    out = movement_test(p, noise_sd=noise, noise_steps=k, n_draws=99)
    sides = [by_loops(row[~np.isnan(row)], k, 2.0 * noise**2) for row in p]
    movement, reduction, weighted = np.mean(sides, axis=0)
    assert out.movement == pytest.approx(movement, rel=1e-11)
    assert out.reduction == pytest.approx(reduction, rel=1e-11)
    assert out.excess == pytest.approx(weighted, rel=1e-10)
    assert out.excess == pytest.approx(movement - reduction, rel=1e-10)


def test_standard_error_of_one_path_by_hand():
    y = nights(2, 1)[0]
    d, w = np.diff(y), 1.0 - 2.0 * y[:-1]
    out = movement_test(y, n_draws=99)
    assert out.se == pytest.approx(math.sqrt(np.sum((w * d) ** 2)), rel=1e-12)
    assert out.z == pytest.approx(np.sum(w * d) / out.se, rel=1e-10)
    assert out.effective_moves == pytest.approx(np.sum(d**2) ** 2 / np.sum(d**4), rel=1e-10)
    s = (1.0 - 2.0 * y[:-2]) * d[1:]
    long_run = s @ s + sum(2.0 * (1.0 - j / 3.0) * (s[j:] @ s[:-j]) for j in (1, 2))
    lagged = movement_test(y, noise_steps=1, n_draws=99)
    assert lagged.se == pytest.approx(math.sqrt(long_run), rel=1e-10)


def test_law_of_paths_is_students_test_on_the_excess_with_its_skewness_out():
    """Hall's cubic by another form: 3 / g times the cube of 1 + g S / 3, less 1."""
    p = nights(3, 25)
    out = movement_test(p, law="paths")
    excess = [by_loops(row, 0, 0.0)[2] for row in p]
    peer = ttest_1samp(excess, 0.0)
    assert out.z == pytest.approx(peer.statistic, rel=1e-9)
    S, g = peer.statistic / 5.0, skew(excess)
    turned = 5.0 * (((1.0 + g * S / 3.0) ** 3 - 1.0) / g + g / 150.0)
    assert out.p_value == pytest.approx(2.0 * student.sf(abs(turned), 24), rel=1e-9)
    assert out.p_value == pytest.approx(peer.pvalue, abs=0.1)
    assert movement_test(p[:19], law="paths").status is Status.TOO_FEW


@pytest.mark.parametrize("lags", [0, 3])
def test_increments_are_statsmodels_regression(lags):
    """Coefficients and Bartlett's errors (no small-sample factor) of one path."""
    y = nights(4, 1)[0]
    d, times = np.diff(y), np.linspace(0.0, 1.0, y.size)
    X = np.column_stack([np.ones(N - 1), y[1:-1] - 0.5, d[:-1], times[2:] - 0.5])
    kind = {"cov_type": "HAC", "cov_kwds": {"maxlags": lags, "use_correction": False}}
    peer = sm.OLS(d[1:], X).fit(**kind)
    out = increment_test(y, serial=lags, n_draws=99)
    np.testing.assert_allclose(out.coefficient, peer.params, rtol=1e-8)
    np.testing.assert_allclose(out.se, peer.bse, rtol=1e-8)
    assert out.z.shape == out.p_values.shape == (4,)


def test_drawn_paths_are_martingales_of_the_same_news():
    p = nights(5, 1)
    data = panel(p)
    u, size = news_sizes(data, 0.001, 0.0)
    np.testing.assert_allclose(size[1:], np.abs(np.diff(ndtri(p[0]))), rtol=1e-9)
    rng, ends, y = np.random.default_rng(0), [], np.empty(N + 1)
    for _ in range(4_000):
        redraw(rng, u, size, data.first, 0.0, y)
        ends.append(y[[0, 40, -1]].copy())
    ends = np.array(ends)
    np.testing.assert_allclose(np.abs(np.diff(ndtri(y))), size[1:], rtol=1e-6)
    assert np.all(ends[:, 0] == ends[0, 0])
    for k in (1, 2):
        assert abs(ends[:, k].mean() - p[0, 0]) < 3.3 * ends[:, k].std() / math.sqrt(4_000)


def test_noise_is_scaled_out_of_the_news():
    p = nights(6, 1, noise=0.01)
    data = panel(p)
    _, plain = news_sizes(data, 0.001, 0.0)
    _, less = news_sizes(data, 0.001, 0.01)
    squares = np.diff(p[0]) ** 2
    for t in (1, 60, N):
        around = squares[max(t - 11, 0) : t + 10]
        share = max(1.0 - 2e-4 * around.size / around.sum(), 0.0)
        assert less[t] == pytest.approx(plain[t] * math.sqrt(share), rel=1e-9)
    assert 0.0 < less[60] < plain[60]


def test_noise_inflates_movement_and_both_remedies_take_it_out():
    """Over 40 nights noise of .01 adds 2 N .01^2 = .024 a night; the lagged sum finds the sd."""
    clean, noisy = (nights(7, 40, "constant", noise=w) for w in (0.0, 0.01))
    args = {"law": "paths"}
    plain, raw = movement_test(clean, **args), movement_test(noisy, **args)
    assert raw.movement - plain.movement == pytest.approx(2.0 * N * 1e-4, rel=0.1)
    known = movement_test(noisy, noise_sd=0.01, **args)
    lagged = movement_test(noisy, noise_steps=1, **args)
    assert known.movement == pytest.approx(raw.movement - 2.0 * N * 1e-4, rel=1e-12)
    for out in (known, lagged):
        assert out.excess == pytest.approx(plain.excess, abs=2.0 * plain.se)
    assert lagged.noise_sd == pytest.approx(0.01, rel=0.1)


def test_too_much_and_too_little_movement_are_found_in_a_panel():
    """60 nights: each has the sign it should, and the true paths are not rejected."""
    p = nights(8, 60, "constant")
    over = movement_test(overreacts(p), n_draws=199)
    under = movement_test(smooth(p, 20), n_draws=199)
    right = movement_test(p, n_draws=199)
    assert over.z > 2.0
    assert over.p_value < 0.05
    assert under.z < -2.0
    assert under.p_value < 0.05
    assert right.p_value > 0.05
    taken_back = increment_test(overreacts(p), n_draws=199)
    goes_on = increment_test(smooth(p, 20), n_draws=199)
    assert taken_back.coefficient[2] < 0.0 < goes_on.coefficient[2]
    assert goes_on.p_values[2] < 0.05
    assert goes_on.p_value < 0.05


def test_single_nights_are_rejected_at_the_nominal_rate():
    """200 nights, half noisy: 5% within 3.3 binomial se; the full table is the slow study's."""
    rejected = 0
    for seed in range(200):
        noise = 0.004 * (seed % 2)
        y = nights([9, seed], 1, "constant", noise=noise)[0]
        out = movement_test(y, noise_steps=seed % 2, n_draws=199, seed=seed)
        rejected += out.p_value <= 0.05
    assert rejected / 200 == pytest.approx(0.05, abs=3.3 * math.sqrt(0.05 * 0.95 / 200))


def test_answers_do_not_depend_on_the_name_of_the_outcome():
    y = nights(10, 2)
    one, two = movement_test(y, n_draws=99), movement_test(1.0 - y, n_draws=99)
    assert two.excess == pytest.approx(one.excess, rel=1e-9)
    assert two.se == pytest.approx(one.se, rel=1e-9)
    first, mirror = increment_test(y, n_draws=99), increment_test(1.0 - y, n_draws=99)
    np.testing.assert_allclose(mirror.coefficient, first.coefficient * [-1, 1, 1, -1], rtol=1e-7)


def test_bouncing_that_no_martingale_makes_is_found():
    """Between .2 and .8 forever: hardly a drawn path goes on moving, and all are then the law."""
    out = movement_test(np.tile([0.2, 0.8], 40), n_draws=199)
    assert out.status is Status.OK
    assert out.z > 3.0
    assert out.p_value == pytest.approx(0.01)


def test_draws_that_would_be_refused_are_left_out():
    """Nights that reveal all: among all draws none of those answered would ever move too much."""
    found = [movement_test(nights([16, s], 1, "reveals"), n_draws=199) for s in range(400)]
    rejected = [o.z for o in found if o.status is Status.OK and o.p_value <= 0.05]
    assert sum(z > 0.0 for z in rejected) >= 3
    assert len(rejected) / sum(o.status is Status.OK for o in found) < 0.09


def test_seeds_decide_the_draws():
    y = nights(11, 1)[0]
    a, b, c = (movement_test(y, seed=s).p_value for s in (1, 1, 2))
    assert a == b
    assert a == pytest.approx(c, abs=0.1)


REFUSALS = {
    "one jump": (np.r_[np.full(60, 0.4), np.full(60, 0.7)], {}, Status.TOO_FEW),
    "five quotes": (np.array([0.5, 0.6, 0.5, 0.4, 0.5]), {}, Status.TOO_FEW),
    "nothing seen": (np.full(50, np.nan), {}, Status.TOO_FEW),
    "never moves": (np.full(50, 0.4), {}, Status.NOT_IDENTIFIED),
    "only noise": (0.5 + 0.01 * (-1.0) ** np.arange(80), {"noise_sd": 0.02}, Status.NOT_RESOLVED),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_carry_nan_and_a_status(name):
    y, args, status = REFUSALS[name]
    out, other = movement_test(y, **args), increment_test(y, **args)
    assert out.status is status
    assert other.status is status
    assert np.isnan(out[:6]).all()
    for part in other[:6]:
        assert np.isnan(part).all()


@pytest.mark.parametrize(
    "args",
    [
        {"noise_sd": -0.1},
        {"noise_steps": -1},
        {"tick": 0.0},
        {"n_draws": 10},
        {"law": "none"},
        {"probability": [0.5, 1.2, 0.4]},
        {"probability": np.zeros((2, 2, 2))},
    ],
    ids=str,
)
def test_arguments_that_are_none_are_errors(args):
    given = {"probability": nights(12, 1)[0]} | args
    with pytest.raises(InputError):
        movement_test(**given)


@pytest.mark.slow
@pytest.mark.parametrize("clock", ["constant", "lumpy", "reveals"])
@pytest.mark.parametrize("remedy", ["no noise", "known", "lagged"])
@pytest.mark.parametrize("n_paths", [1, 5])
def test_sizes_of_the_tests(n_paths, remedy, clock):
    """Printed: rejections at 5% among the panels answered, and refusals.

    2,000 panels of one night a cell, 1,000 of five. Quotes every 120th of the night; noise .004
    where a remedy is tried; 199 draws.
    """
    noise = 0.0 if remedy == "no noise" else 0.004
    args = {"no noise": {}, "known": {"noise_sd": noise}, "lagged": {"noise_steps": 1}}[remedy]
    found = []
    for seed in range(2_000 if n_paths == 1 else 1_000):
        y = nights([13, seed], n_paths, clock, noise=noise)
        m = movement_test(y, n_draws=199, seed=seed, **args)
        i = increment_test(y, n_draws=199, seed=seed, **args)
        found.append([m.p_value, i.p_value, *i.p_values])
    p = np.array(found)
    rates = [float(np.mean(c[np.isfinite(c)] <= 0.05)) for c in p.T]
    names = ("movement", "joint", "drift", "level", "past move", "time")
    refused = float(np.mean(np.isnan(p[:, 0])))
    text = ", ".join(f"{n} {r:.3f}" for n, r in zip(names, rates, strict=True))
    print(f"{n_paths} nights, {clock}, {remedy}: {text}; refused {refused:.3f}")  # noqa: T201
    assert 0.03 <= rates[0] <= 0.07
    assert 0.03 <= rates[1] <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 0.004])
@pytest.mark.parametrize("clock", ["constant", "lumpy", "reveals"])
def test_sizes_by_the_law_of_paths(clock, noise):
    """Printed: rejections at 5% in 2,000 panels of 30 nights, Hall's t over nights."""
    p = [
        movement_test(
            nights([14, seed], 30, clock, noise=noise), law="paths", noise_steps=int(noise > 0.0)
        ).p_value
        for seed in range(2_000)
    ]
    rate = float(np.mean(np.array(p) <= 0.05))
    print(f"30 nights, {clock}, noise {noise}: {rate:.3f}")  # noqa: T201
    assert 0.03 <= rate <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize("n_paths", [1, 20])
def test_power_of_the_tests(n_paths):
    """Printed: rejections at 5% in 500 panels of each kind of forecaster."""
    kinds = {
        "overreacts by .4 over 20 quotes": overreacts,
        "overreacts by .4 over 4 quotes": lambda p: overreacts(p, memory=4),
        "late by 20 quotes": lambda p: smooth(p, 20),
        "late by 4 quotes": lambda p: smooth(p, 4),
        "probits times 1.3": lambda p: ndtr(1.3 * ndtri(p)),
        "probits times .75": lambda p: ndtr(0.75 * ndtri(p)),
    }
    for name, change in kinds.items():
        p = []
        for seed in range(500):
            y = change(nights([15, seed], n_paths, "constant"))
            m = movement_test(y, n_draws=199, seed=seed)
            i = increment_test(y, n_draws=199, seed=seed)
            p.append([m.p_value, m.z, i.p_value])
        p = np.array(p)
        movement, joint = np.mean(p[:, 0] <= 0.05), np.mean(p[:, 2] <= 0.05)
        print(f"{n_paths} nights, {name}: movement {movement:.3f}, increments {joint:.3f}")  # noqa: T201
        if n_paths == 20 and "20 quotes" in name:
            assert movement > 0.4
            assert np.median(p[:, 1]) * (1.0 if "over" in name.split()[0] else -1.0) > 0.0
