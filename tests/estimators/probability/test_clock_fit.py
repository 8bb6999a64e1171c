"""The fitted clock against closed forms, direct likelihoods, and simulated truth."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import ndtr, ndtri
from scipy.stats import norm

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.probability.clock_fit import compare_clocks, fit_clock
from eventtape.estimators.probability.clock_shapes import clock_increments
from eventtape.estimators.probability.clocks import (
    ConstantClock,
    InverseRootClock,
    PiecewiseClock,
    TalebClock,
)

DAY = 86_400 * 10**9
YEAR = 365 * DAY
END, CUTS = 12 * DAY, np.array([3 * DAY, 5 * DAY])
TRUTH = {
    "constant": [20.0],
    "inverse root": [0.3],
    "taleb": [40.0],
    "piecewise": [10.0, 40.0, 15.0],
}
OPTIONS = {
    "constant": {},
    "inverse root": {"end": END},
    "taleb": {"end": END},
    "piecewise": {"breaks": CUTS},
}


def history(seed, clock, *, n=150, noise=0.0, tick=0.0, first=0.2, days=8):
    """Quotes at irregular times in ``days`` days of a path of the named clock."""
    rng = np.random.default_rng(seed)
    ts = np.unique(np.r_[0, rng.integers(1, days * DAY, n - 1)])
    L = clock_increments(clock, TRUTH[clock], ts, **OPTIONS[clock])
    U = [first]
    for information in L:
        spread = math.sqrt(math.expm1(information))
        U.append(math.exp(0.5 * information) * U[-1] + spread * rng.standard_normal())
    y = ndtr(np.array(U)) + noise * rng.standard_normal(len(U))
    if tick:
        y = np.clip(np.round(y / tick) * tick, tick, 1.0 - tick)
    return ts, y


@pytest.mark.parametrize("clock", TRUTH)
def test_increments_are_the_clock_objects(clock):
    """The closed-form clocks of this room, in years, on every stretch."""
    ts = np.array([0, 1, 2, 4, 7]) * DAY + DAY // 3
    years, end = ts / YEAR, END / YEAR
    theta = TRUTH[clock]
    if clock == "constant":
        other = ConstantClock(theta[0])
    elif clock == "inverse root":
        other = InverseRootClock(math.sqrt(theta[0]), end=end)
    elif clock == "taleb":
        other = TalebClock(math.sqrt(theta[0]), end=end)
    else:
        other = PiecewiseClock((0.0, *(CUTS / YEAR), 1.0), tuple(theta))
    got = clock_increments(clock, theta, ts, **OPTIONS[clock])
    np.testing.assert_allclose(got, other.information(years[:-1], years[1:]), rtol=1e-10)


def test_talebs_clock_by_quadrature_and_at_zero():
    ts = np.array([0, 5, 11]) * DAY
    rate = lambda t: 30.0 / -math.expm1(-30.0 * (END / YEAR - t))  # noqa: E731
    want = [quad(rate, a / YEAR, b / YEAR)[0] for a, b in pairwise(ts)]
    np.testing.assert_allclose(clock_increments("taleb", 15.0, ts, end=END), want, rtol=1e-9)
    np.testing.assert_allclose(
        clock_increments("taleb", 1e-7, ts, end=END),
        clock_increments("inverse root", 1.0, ts, end=END),
        rtol=1e-6,
    )


def test_even_times_have_a_closed_form():
    """With equal L and U near 0 the estimate of L is the mean square move; chi-squared's profile.

    The drift is 1/2 L U: under 1e-4 of a move's sd here. Its ends solve n (x - 1 - log x) = cut.
    """
    rng = np.random.default_rng(3)
    n = 400
    dt = YEAR * 1e-8
    U = 1e-3 * np.cumsum(np.r_[0.0, rng.standard_normal(n)])
    fit = fit_clock((np.arange(n + 1) * dt).astype(np.int64), ndtr(U))
    rate = float(np.mean(np.diff(U) ** 2)) / 1e-8
    assert fit.parameters[0] == pytest.approx(rate, rel=1e-4)
    assert fit.se[0] == pytest.approx(rate * math.sqrt(2.0 / n), rel=1e-2)
    for end in (fit.lower[0], fit.upper[0]):
        x = rate / end
        assert n * (x - 1.0 - math.log(x)) == pytest.approx(3.841459, rel=1e-2)


@pytest.mark.parametrize("clock", ["constant", "inverse root", "taleb"])
def test_likelihood_is_that_of_the_probability(clock):
    """The transition density of B by differencing its distribution function, move by move."""
    ts, y = history(2, clock)
    fit = fit_clock(ts, y, clock=clock, **OPTIONS[clock])
    L = clock_increments(clock, fit.parameters, ts, **OPTIONS[clock])

    def cdf(b, before, information):
        mean = math.exp(0.5 * information) * ndtri(before)
        return norm.cdf(ndtri(b), mean, math.sqrt(math.expm1(information)))

    h, total = 1e-6, 0.0
    for i in range(L.size):
        up, down = cdf(y[i + 1] + h, y[i], L[i]), cdf(y[i + 1] - h, y[i], L[i])
        total += math.log((up - down) / (2.0 * h))
    assert fit.log_likelihood == pytest.approx(total, abs=1e-4)
    assert fit.aic == pytest.approx(2.0 - 2.0 * total, abs=1e-3)


def direct(ts, y, clock, theta):
    """Minus twice the exact log-likelihood but for what no parameter enters."""
    L = clock_increments(clock, theta, ts, **OPTIONS[clock])
    U = ndtri(y)
    e = U[1:] - np.exp(0.5 * L) * U[:-1]
    return float(np.sum(np.log(np.expm1(L)) + e**2 / np.expm1(L)))


@pytest.mark.parametrize("clock", ["constant", "inverse root", "taleb"])
def test_estimate_and_profile_by_another_search(clock):
    ts, y = history(2, clock)
    fit = fit_clock(ts, y, clock=clock, **OPTIONS[clock])
    best = minimize_scalar(
        lambda x: direct(ts, y, clock, math.exp(x)), bracket=(0.0, math.log(TRUTH[clock][0]))
    )
    assert fit.parameters[0] == pytest.approx(math.exp(best.x), rel=1e-5)
    for end in (fit.lower[0], fit.upper[0]):
        assert direct(ts, y, clock, end) - best.fun == pytest.approx(3.841459, abs=0.02)


def test_pieces_are_separate_fits():
    """Without noise, and with quotes at the breaks, each piece is its own constant clock."""
    ts, y = history(4, "piecewise", n=200)
    marks = np.searchsorted(ts, CUTS)
    ts[marks] = CUTS  # the quotes next to the breaks, said at them
    fit = fit_clock(ts, y, clock="piecewise", breaks=CUTS)
    ends = [0, *marks.tolist(), ts.size - 1]
    for k in range(3):
        rows = slice(ends[k], ends[k + 1] + 1)
        own = fit_clock(ts[rows], y[rows])
        assert fit.parameters[k] == pytest.approx(own.parameters[0], rel=2e-3)
        assert fit.lower[k] == pytest.approx(own.lower[0], rel=5e-3)
        assert fit.upper[k] == pytest.approx(own.upper[0], rel=5e-3)


def test_little_noise_is_no_noise():
    """The filter's likelihood with noise far below a move is the exact one."""
    ts, y = history(5, "constant", n=80)
    exact, filtered = fit_clock(ts, y), fit_clock(ts, y, noise=1e-5)
    assert filtered.parameters[0] == pytest.approx(exact.parameters[0], rel=1e-3)
    assert filtered.log_likelihood == pytest.approx(exact.log_likelihood, abs=0.02)


def test_noise_read_as_news_is_a_faster_clock():
    """Why the noise must be said: the same quotes, read as exact, are three times as restless."""
    ts, y = history(6, "constant", noise=0.01)
    blind, seeing, own = (fit_clock(ts, y, noise=r) for r in (None, 0.01, "estimate"))
    assert blind.parameters[0] > 2.0 * seeing.upper[0]
    assert seeing.lower[0] < 20.0 < seeing.upper[0]
    assert own.noise_lower < 0.01 < own.noise_upper
    assert own.lower[0] < 20.0 < own.upper[0]
    assert own.log_likelihood >= seeing.log_likelihood - 1e-3
    assert math.isnan(seeing.noise_lower)


def test_clocks_are_ranked():
    """Days from the end the clocks part: a path that hastens is known from an even one."""
    rng = np.random.default_rng(0)
    ts = (END * (1.0 - np.geomspace(1.0, 0.01, 250))).astype(np.int64)
    L = clock_increments("inverse root", 0.4, ts, end=END)
    U = [0.0]
    for x in L:
        U.append(math.exp(0.5 * x) * U[-1] + math.sqrt(math.expm1(x)) * rng.standard_normal())
    ranking = compare_clocks(ts, ndtr(np.array(U)), end=END)
    assert ranking.fits[0].clock == "inverse root"
    assert ranking.weights[0] > 0.99
    assert ranking.weights.sum() == pytest.approx(1.0)
    assert np.all(np.diff([fit.aic for fit in ranking.fits]) >= 0.0)


def test_noise_that_explains_all_is_refused():
    """Quotes of a probability that never moves: no rate, but an upper limit on it."""
    rng = np.random.default_rng(9)
    ts = np.arange(100) * DAY // 10
    y = 0.5 + 0.01 * rng.standard_normal(100)
    for noise in (0.01, "estimate"):
        fit = fit_clock(ts, y, noise=noise)
        assert fit.status is Status.NOT_IDENTIFIED
        assert math.isnan(fit.parameters[0])
        assert fit.lower[0] == 0.0
        assert 0.0 < fit.upper[0] < 1.0


def test_too_few_and_too_still():
    ts, y = history(7, "constant", n=9)
    assert fit_clock(ts, y).status is Status.TOO_FEW
    assert fit_clock(ts[:1], y[:1]).status is Status.TOO_FEW
    still = fit_clock(np.arange(30), np.full(30, 0.4))
    assert still.status is Status.NOT_IDENTIFIED
    assert math.isnan(still.parameters[0])
    ts, y = history(7, "piecewise", n=25)
    assert fit_clock(ts, y, clock="piecewise", breaks=CUTS).status is Status.TOO_FEW


BAD = [
    ({"clock": "sundial"}, "a clock among"),
    ({"clock": "taleb"}, "an end after"),
    ({"clock": "inverse root", "end": 5}, "an end after"),
    ({"clock": "piecewise"}, "rising breaks"),
    ({"clock": "piecewise", "breaks": np.array([3, 2])}, "rising breaks"),
    ({"clock": "piecewise", "breaks": np.array([99])}, "rising breaks"),
    ({"noise": "guess"}, "'estimate'"),
    ({"noise": "estimate", "spreads": np.ones(20)}, "not both"),
    ({"noise": np.r_[0.0, np.ones(19)]}, "at every quote"),
]


@pytest.mark.parametrize(("given", "said"), BAD, ids=[f"{k}-{v[1]}" for k, v in enumerate(BAD)])
def test_doors(given, said):
    with pytest.raises(InputError, match=said):
        fit_clock(np.arange(20), np.linspace(0.4, 0.6, 20), **given)


def test_doors_of_the_data():
    y = np.linspace(0.4, 0.6, 20)
    with pytest.raises(InputError, match="one quote a time"):
        fit_clock(np.r_[0, 0, np.arange(1, 19)], y)
    with pytest.raises(InputError, match="parameters"):
        clock_increments("constant", [1.0, 2.0], np.arange(3))
    with pytest.raises(InputError, match="0 or more"):
        clock_increments("constant", -1.0, np.arange(3))


CELLS = [
    ("constant", 0.0, 0.0, None),
    ("constant", 0.005, 0.0, 0.005),
    ("constant", 0.005, 0.0, "estimate"),
    ("constant", 0.008, 0.01, math.hypot(0.008, 0.01 / math.sqrt(12.0))),
    ("inverse root", 0.0, 0.0, None),
    ("inverse root", 0.005, 0.0, 0.005),
    ("inverse root", 0.008, 0.01, math.hypot(0.008, 0.01 / math.sqrt(12.0))),
    ("piecewise", 0.0, 0.0, None),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "cell", CELLS, ids=[f"{k}-{c[0]}-{c[1]}-{c[2]}" for k, c in enumerate(CELLS)]
)
def test_intervals_cover(cell, capsys):
    """600 histories of 150 quotes over 8 days, seeds 0 to 599; all parameters of a fit counted.

    A history that comes to within 0.5 points of 0 or 1 is drawn again only where there is no tick
    to bound a quote there; how many is printed.
    """
    clock, noise, tick, said = cell
    hits, total, refused, left, ratios = 0, 0, 0, 0, []
    for seed in range(600):
        ts, y = history(seed, clock, noise=noise, tick=tick)
        if not tick and (y.min() < 0.005 or y.max() > 0.995):
            left += 1
            continue
        fit = fit_clock(ts, y, clock=clock, noise=said, tick=tick, **OPTIONS[clock])
        truth = np.array(TRUTH[clock])
        refused += fit.status is not Status.OK
        hits += int(np.sum((fit.lower <= truth) & (truth <= fit.upper)))
        total += truth.size
        ratios.extend((fit.parameters / truth)[np.isfinite(fit.parameters)].tolist())
    with capsys.disabled():
        print(  # noqa: T201
            f"\nfit_clock {clock}, noise {noise} (said: {said}), tick {tick}: coverage "
            f"{hits / total:.4f} of {total}, refused {refused}, left out {left}, "
            f"mean ratio {np.mean(ratios):.4f}, sd {np.std(ratios):.4f}"
        )
    assert 0.93 <= hits / total <= 0.97
