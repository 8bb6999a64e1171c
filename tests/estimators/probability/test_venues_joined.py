"""Venues joined against a dense grid, the filter of one venue, and simulated truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.probability.probit_filter import probit_filter
from eventtape.estimators.probability.venues import join_venues

DAY = 86_400 * 10**9
YEAR = 365 * DAY
WEDGE, NOISE, RATE = np.array([0.10, -0.04, -0.06]), np.array([0.003, 0.008, 0.02]), 20.0


def quoted(seed, *, counts=(150, 100, 40), wedge=WEDGE, noise=NOISE, days=8, rate=RATE):
    """Times and quotes of each venue; U at all of them in the order of time."""
    rng = np.random.default_rng(seed)
    ts = [np.sort(rng.choice(days * DAY, n, replace=False)) for n in counts]
    every = np.concatenate(ts)
    order = np.argsort(every, kind="stable")
    venue = np.repeat(np.arange(len(counts)), counts)[order]
    U = [0.1]
    for L in rate * np.diff(every[order]) / YEAR:
        U.append(math.exp(0.5 * L) * U[-1] + math.sqrt(math.expm1(L)) * rng.standard_normal())
    U = np.array(U)
    y = ndtr(U + wedge[venue]) + noise[venue] * rng.standard_normal(U.size)
    y = np.clip(y, 0.002, 0.998)
    return ts, [y[venue == v] for v in range(len(counts))], U


def grid_of_two(ts, venue, y, noise, prior):
    """Posterior mean and sd of U and w of venue 1 (venue 0 is the reference), on a grid of both."""
    U, w = np.linspace(-3.0, 3.0, 401), np.linspace(-0.8, 0.8, 161)
    law = norm.pdf(U)[:, None] * norm.pdf(w, 0.0, prior)
    total = 0.0
    for i in range(y.size):
        if i:
            L = RATE * (ts[i] - ts[i - 1]) / YEAR
            moved = norm.pdf(U[:, None], math.exp(0.5 * L) * U, math.sqrt(math.expm1(L)))
            law = moved / moved.sum(axis=0) @ law
        s = U[:, None] + (w if venue[i] else 0.0 * w)
        before = law.sum()
        law = law * norm.pdf(y[i], ndtr(s), noise[venue[i]])
        total += math.log(law.sum() / before) if i else 0.0
    law /= law.sum()
    rows = []
    for x, p in ((U, law.sum(axis=1)), (w, law.sum(axis=0))):
        mean = float(x @ p)
        rows.append((mean, math.sqrt(float((x - mean) ** 2 @ p))))
    return rows, total


def test_two_venues_are_a_dense_grid():
    """U and the wedge on 401 by 161 points; the filter's law is normal, so a twentieth of an sd."""
    noise = np.array([0.03, 0.05])
    ts, y, _ = quoted(1, counts=(6, 5), wedge=np.array([0.0, 0.2]), noise=noise, days=3)
    out = join_venues(ts, y, nu2=RATE, noise=noise, reference=0, wedge_prior=0.3)
    order = np.argsort(np.concatenate(ts), kind="stable")
    rows, total = grid_of_two(out.times, out.venue, np.concatenate(y)[order], noise, 0.3)
    assert out.mean[-1] == pytest.approx(rows[0][0], abs=0.05 * rows[0][1])
    assert out.sd[-1] == pytest.approx(rows[0][1], rel=0.03)
    assert out.wedge_sd[1] == pytest.approx(rows[1][1], rel=0.03)
    assert out.log_likelihood == pytest.approx(total, abs=0.1)
    if out.statuses[1] is Status.OK:
        assert out.wedge[1] == pytest.approx(rows[1][0], abs=0.05 * rows[1][1])


def test_without_wedges_it_is_the_filter_of_one_venue():
    """A prior of almost no wedge: all quotes are of one tape, whoever said them."""
    ts, y, _ = quoted(2, wedge=np.zeros(3))
    out = join_venues(ts, y, nu2=RATE, noise=NOISE, wedge_prior=1e-7)
    order = np.argsort(np.concatenate(ts), kind="stable")
    one = probit_filter(
        out.times, np.concatenate(y)[order], nu2=RATE, noise=np.asarray(NOISE)[out.venue]
    )
    np.testing.assert_allclose(out.mean, one.mean, atol=1e-6)
    np.testing.assert_allclose(out.upper, one.upper, atol=1e-6)
    assert out.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-4)
    assert out.statuses == (Status.NOT_IDENTIFIED,) * 3  # the data say no more than the prior
    assert np.all(np.isnan(out.wedge))


def test_wedges_noise_and_rate_are_recovered():
    ts, y, _ = quoted(3)
    out = join_venues(ts, y)
    assert out.status is Status.OK
    assert np.all((out.wedge_lower < WEDGE) & (out.wedge_upper > WEDGE))
    assert np.all((out.noise_lower < NOISE) & (out.noise_upper > NOISE))
    assert out.nu2_lower < RATE < out.nu2_upper
    assert out.wedge.sum() == pytest.approx(0.0, abs=1e-9)
    assert out.common_wedge is Status.NOT_IDENTIFIED
    assert 0.99 < out.weights.sum() <= 1.0
    assert out.weights[2] < 0.1  # noisy and rare


def test_a_noise_at_its_floor_has_ends_where_the_likelihood_falls():
    """A venue without error: flat below, so its ends are the floor's and a drop of z^2 / 2."""
    ts, y, _ = quoted(3, noise=np.array([1e-9, 0.008, 0.02]))
    out = join_venues(ts, y)
    assert np.all(np.isfinite(out.noise_upper))
    assert out.noise_lower[0] == pytest.approx(1e-5, rel=1e-6)
    assert out.noise[0] < out.noise_upper[0] < 0.003
    at = out.noise.copy()
    at[0] = out.noise_upper[0]
    fallen = join_venues(ts, y, nu2=out.nu2, noise=at).log_likelihood
    assert out.log_likelihood - fallen == pytest.approx(0.5 * 1.959964**2, abs=0.02)
    assert out.noise_lower[1] < 0.008 < out.noise_upper[1]


def test_a_venue_gone_quiet_has_little_say():
    """Weights when the sharpest venue has just quoted, and a day after it has stopped."""
    ts, y, _ = quoted(4)
    last = ts[0][ts[0] < 4 * DAY][-1]
    share = []
    for end in (last, last + DAY):
        keep = [t <= (last if v == 0 else end) for v, t in enumerate(ts)]
        part = [t[k] for t, k in zip(ts, keep, strict=True)]
        said = [q[k] for q, k in zip(y, keep, strict=True)]
        out = join_venues(part, said, nu2=RATE, noise=NOISE)
        share.append(out.weights[0])
        assert out.wedge_lower[0] < WEDGE[0] < out.wedge_upper[0]
    assert share[0] > 0.5
    assert share[1] < 0.02


def test_a_shift_of_all_venues_is_a_shift_of_the_event():
    """The level of the wedges is not in the data: the same wedges, another probability."""
    few = quoted(5, wedge=WEDGE)
    more = quoted(5, wedge=WEDGE + 0.3)
    a, b = (join_venues(ts, y, nu2=RATE, noise=NOISE) for ts, y, _ in (few, more))
    np.testing.assert_allclose(a.wedge, b.wedge, atol=0.02)
    assert np.mean(b.mean - a.mean) == pytest.approx(0.3, abs=0.03)
    assert b.common_wedge is Status.NOT_IDENTIFIED


def test_a_reference_and_a_sum_of_zero_say_the_same_differences():
    ts, y, _ = quoted(6)
    a = join_venues(ts, y, nu2=RATE, noise=NOISE, wedge_prior=1.0)
    b = join_venues(ts, y, nu2=RATE, noise=NOISE, wedge_prior=1.0, reference=0)
    assert b.wedge[0] == 0.0 == b.wedge_sd[0]
    np.testing.assert_allclose(b.wedge, a.wedge - a.wedge[0], atol=2e-3)
    np.testing.assert_allclose(b.mean - a.mean, a.wedge[0], atol=0.02)


def test_the_order_of_the_venues_does_not_matter():
    ts, y, _ = quoted(7)
    a = join_venues(ts, y, nu2=RATE, noise=NOISE)
    b = join_venues(ts[::-1], y[::-1], nu2=RATE, noise=NOISE[::-1])
    np.testing.assert_allclose(b.wedge, a.wedge[::-1], atol=1e-9)
    np.testing.assert_allclose(b.probability, a.probability, atol=1e-9)


def test_a_moving_wedge_is_followed():
    """Venue 1 goes from +0.1 to -0.1 at half time; a constant wedge would say about 0."""
    ts, y, _ = quoted(8, counts=(200, 200), wedge=np.zeros(2), noise=np.full(2, 0.003))
    shift = np.where(ts[1] < 4 * DAY, 0.04, -0.04)
    y = [y[0], y[1] + shift]
    moving = join_venues(ts, y, nu2=RATE, noise=[0.003] * 2, reference=0, wedge_walk=1.0)
    fixed = join_venues(ts, y, nu2=RATE, noise=[0.003] * 2, reference=0)
    assert moving.wedge_upper[1] < -0.05
    assert moving.log_likelihood > fixed.log_likelihood + 10.0
    assert moving.wedge_sd[1] > fixed.wedge_sd[1]


def test_a_clock_may_be_given():
    ts, y, _ = quoted(9)
    every = np.sort(np.concatenate(ts))
    a = join_venues(ts, y, nu2=RATE, noise=NOISE)
    b = join_venues(ts, y, clock=RATE * np.diff(every) / YEAR, noise=NOISE)
    np.testing.assert_allclose(b.mean, a.mean, rtol=1e-12)
    assert math.isnan(b.nu2)


def test_too_few_quotes():
    ts, y, _ = quoted(10, counts=(50, 5, 20))
    out = join_venues(ts, y)
    assert out.status is Status.TOO_FEW
    assert np.all(np.isnan(out.probability))
    assert math.isnan(out.log_likelihood)
    known = join_venues(ts, y, nu2=RATE, noise=NOISE)
    assert np.all(np.isfinite(known.probability))


BAD = [
    ({"wedge_prior": 0.0}, "prior sd"),
    ({"wedge_walk": -1.0}, "walk"),
    ({"reference": 3}, "reference"),
    ({"noise": [0.01]}, "noise sds"),
    ({"noise": [0.01, 0.0, 0.1]}, "noise sds"),
    ({"nu2": -1.0}, "nu2"),
    ({"nu2": 1.0, "clock": np.ones(44)}, "one of nu2"),
    ({"clock": np.ones(3)}, "shape"),
    ({"level": 95}, "level"),
]


@pytest.mark.parametrize(("given", "said"), BAD, ids=[f"{k}-{v[1]}" for k, v in enumerate(BAD)])
def test_doors(given, said):
    ts, y, _ = quoted(11, counts=(15, 15, 15))
    with pytest.raises(InputError, match=said):
        join_venues(ts, y, **given)


def test_doors_of_the_data():
    ts, y, _ = quoted(11, counts=(15, 15, 15))
    with pytest.raises(InputError, match="2 venues"):
        join_venues(ts[:1], y[:1])
    with pytest.raises(InputError, match="inside"):
        join_venues(ts, [y[0], y[1], 0.0 * y[2]])


@pytest.mark.slow
@pytest.mark.parametrize("said", ["noise and clock given", "all estimated", "against a reference"])
def test_wedges_cover(said, capsys):
    """600 events of 150, 100 and 40 quotes over 8 days, seeds 0 to 599."""
    wedge, noise, rate, band = np.zeros(3), np.zeros(3), 0, []
    options = {} if said == "all estimated" else {"nu2": RATE, "noise": NOISE}
    level = 0.0
    if said == "against a reference":
        options["reference"], level = 0, WEDGE[0]
    refused = 0
    for seed in range(600):
        ts, y, U = quoted(seed)
        out = join_venues(ts, y, **options)
        refused += out.status is not Status.OK
        wedge += (out.wedge_lower <= WEDGE - level) & (WEDGE - level <= out.wedge_upper)
        noise += (out.noise_lower <= NOISE) & (out.noise_upper >= NOISE)
        rate += out.nu2_lower <= RATE <= out.nu2_upper
        B = ndtr(U + level)
        band.append(np.mean((out.lower <= B) & (out.upper >= B)))
    with capsys.disabled():
        more = f", noise {noise / 600}, nu2 {rate / 600:.3f}" if said == "all estimated" else ""
        print(  # noqa: T201
            f"\njoin_venues, {said}: coverage wedge {wedge / 600}, band {np.mean(band):.4f}{more}; "
            f"refused {refused} of 600"
        )
    free = slice(1, 3) if level else slice(0, 3)
    assert np.all((wedge[free] / 600 >= 0.93) & (wedge[free] / 600 <= 0.975))
    assert 0.93 <= np.mean(band) <= 0.97
