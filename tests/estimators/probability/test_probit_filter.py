"""The probit filter against integrals, a dense grid, its particles, and simulated truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr, ndtri, owens_t
from scipy.stats import norm

from eventtape.errors import InputError
from eventtape.estimators.probability.probit_filter import probit_filter, start, step
from eventtape.estimators.probability.probit_kernel import (
    predicted_quote,
    quote_log_density,
    update,
)

MINUTE = 60 * 10**9


def path(rng, L, first):  # noqa: N803
    """U at the ends of stretches of information ``L``, by the exact transition."""
    U = [first]
    for information in L:
        spread = math.sqrt(math.expm1(information))
        U.append(math.exp(0.5 * information) * U[-1] + spread * rng.standard_normal())
    return np.array(U)


def history(seed, *, n=200, noise=0.01, information=0.003, first=0.2, tick=0.0):
    """Times, quotes, the information between them, and the probability behind them."""
    rng = np.random.default_rng(seed)
    L = rng.exponential(information, n - 1)
    B = ndtr(path(rng, L, first))
    y = B + noise * rng.standard_normal(n)
    y = np.clip(np.round(y / tick) * tick, tick, 1.0 - tick) if tick else np.clip(y, 1e-3, 0.999)
    return np.arange(n) * MINUTE, y, L, B


UPDATES = [  # m, P, y (or limit), side, r
    (0.1, 1e-4, 0.52, 0, 0.01),
    (0.0, 1.0, 0.7, 0, 0.005),
    (-1.5, 0.04, 0.05, 0, 0.02),
    (0.3, 0.5, 0.4, 0, 0.2),
    (-2.0, 0.1, 0.015, -1, 0.005),
    (2.2, 0.05, 0.985, 1, 0.003),
    (0.0, 1.0, 0.015, -1, 0.004),
]


@pytest.mark.parametrize(("m", "P", "y", "side", "r"), UPDATES, ids=str)
def test_update_is_the_posterior_by_quadrature(m, P, y, side, r):  # noqa: N803
    """Mean, sd and likelihood by adaptive quadrature; the posterior need not be near normal."""

    def density(s):
        quote = norm.pdf(y, ndtr(s), r) if side == 0 else ndtr(side * (ndtr(s) - y) / r)
        return quote * norm.pdf(s, m, math.sqrt(P))

    low, high = m - 10.0 * math.sqrt(P), m + 10.0 * math.sqrt(P)
    points = sorted({min(max(x, low), high) for x in (m, float(ndtri(y)))})
    integral = [
        quad(lambda s, k=k: s**k * density(s), low, high, points=points, limit=500, epsabs=1e-14)[0]
        for k in range(3)
    ]
    mean = integral[1] / integral[0]
    sd = math.sqrt(integral[2] / integral[0] - mean**2)
    got = update(m, P, y, side, r, float(ndtri(y)))
    assert got[0] == pytest.approx(mean, abs=2e-4 * sd)
    assert math.sqrt(got[1]) == pytest.approx(sd, rel=2e-4)
    assert got[2] == pytest.approx(math.log(integral[0]), abs=2e-4)


def test_density_of_a_quote_is_scipys():
    assert quote_log_density(0.4, 0.6, 0, 0.02) == pytest.approx(
        norm.logpdf(0.6, ndtr(0.4), 0.02), rel=1e-12
    )
    for s in (-2.0, 2.0, 8.0):  # a bound far on the wrong side: -1e4, not minus infinity
        want = norm.logcdf((0.015 - ndtr(s)) / 0.005)
        assert quote_log_density(s, 0.015, -1, 0.005) == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize(("m", "P"), [(0.0, math.e - 1.0), (-1.2, 0.3), (2.0, 1e-3)], ids=str)
def test_predicted_quote_is_owens_function(m, P):  # noqa: N803
    """E Phi^2 = Phi(h) - 2 T(h, 1 / sqrt(1 + 2 P)): the classical form, a difference."""
    mean, variance = predicted_quote(m, P)
    h = m / math.sqrt(1.0 + P)
    second = ndtr(h) - 2.0 * owens_t(h, 1.0 / math.sqrt(1.0 + 2.0 * P))
    assert mean == pytest.approx(ndtr(h), rel=1e-12)
    assert variance == pytest.approx(second - ndtr(h) ** 2, rel=1e-9)


def test_predicted_quote_is_the_published_case():
    """U ~ N(0, e - 1), which is B0 = .5 after L = 1: E B^2 = 1/4 + asin(1 - 1/e) / (2 pi)."""
    mean, variance = predicted_quote(0.0, math.e - 1.0)
    assert variance + mean**2 == pytest.approx(0.3589076316, abs=1e-10)
    assert predicted_quote(0.0, 1e-14)[1] == pytest.approx(1e-14 / (2.0 * math.pi), rel=1e-9)


def dense_grid(y, L, r):  # noqa: N803
    """Mean and sd of U after each quote, and the likelihood, with U on 901 points."""
    U = np.linspace(-6.0, 6.0, 901)
    h = U[1] - U[0]
    law, rows, total = norm.pdf(U), [], 0.0
    for i, quote in enumerate(y):
        if i:
            spread = math.sqrt(math.expm1(L[i - 1]))
            law = norm.pdf(U[:, None], math.exp(0.5 * L[i - 1]) * U, spread) @ law * h
        law = law * norm.pdf(quote, ndtr(U), r)
        mass = law.sum() * h
        law, total = law / mass, total + (math.log(mass) if i else 0.0)
        mean = (U * law).sum() * h
        rows.append((mean, math.sqrt(((U - mean) ** 2 * law).sum() * h)))
    return np.array(rows).T, total


@pytest.mark.parametrize(
    ("information", "noise", "tolerance"),
    [(0.003, 0.02, 0.02), (0.05, 0.02, 0.1), (0.02, 0.1, 0.2)],
    ids=["quiet", "restless", "noisy"],
)
def test_filter_is_a_dense_grid(information, noise, tolerance):
    """What keeping the law normal costs, in sds of U: a fiftieth where quotes are fine."""
    _, y, L, _ = history(3, n=12, noise=noise, information=information)
    (mean, sd), total = dense_grid(y, L, noise)
    out = probit_filter(np.arange(12) * MINUTE, y, clock=L, noise=noise)
    assert np.max(np.abs(out.mean - mean) / sd) < tolerance
    np.testing.assert_allclose(out.sd, sd, rtol=tolerance)
    assert out.log_likelihood == pytest.approx(total, abs=2.0 * tolerance)


@pytest.mark.parametrize(
    ("first", "tick", "noise", "furthest"),
    [(0.2, 0.0, 0.01, 0.2), (-2.1, 0.01, 0.008, 0.6)],
    ids=["middle", "edge"],
)
def test_particles_are_the_filter(first, tick, noise, furthest):
    """An independent road: 4000 particles. Their error is about 1 / sqrt(4000) sds, accumulated.

    Among bounds the law of U is skew: with 100,000 particles too the furthest mean is 0.54 sd off
    there, and the average one 0.05 sd. That is the filter's error, not the cloud's.
    """
    ts, y, L, _ = history(11, n=120, noise=noise, first=first, tick=tick)
    assert tick == 0.0 or np.mean(y <= tick) > 0.1  # the edge is met
    fine = probit_filter(ts, y, clock=L, noise=noise, tick=tick)
    cloud = probit_filter(
        ts, y, clock=L, noise=noise, tick=tick, method="particle", particles=4000, seed=5
    )
    off = np.abs(cloud.mean - fine.mean) / fine.sd
    assert np.max(off) < furthest
    assert np.mean(off) < 0.08
    assert np.mean(np.abs(cloud.sd / fine.sd - 1.0)) < 0.08
    assert np.max(np.abs(cloud.upper - fine.upper)) < 0.02
    assert cloud.log_likelihood == pytest.approx(fine.log_likelihood, abs=0.5)
    again = probit_filter(
        ts, y, clock=L, noise=noise, tick=tick, method="particle", particles=4000, seed=5
    )
    assert again.log_likelihood == cloud.log_likelihood


@pytest.mark.parametrize(("seed", "first"), [(1, 0.0), (2, -2.2), (3, 2.2)])
def test_batch_is_the_chain_of_steps_bit_for_bit(seed, first):
    ts, y, L, _ = history(seed, n=150, first=first, tick=0.01)
    out = probit_filter(ts, y, clock=L, noise=0.01, tick=0.01)
    state, answer = start(int(ts[0]), float(y[0]), noise=0.01, tick=0.01)
    answers, total = [answer], 0.0
    for t, quote, information in zip(ts[1:].tolist(), y[1:].tolist(), L.tolist(), strict=True):
        state, answer = step(state, t, quote, information=information, noise=0.01, tick=0.01)
        answers.append(answer)
        total += answer.log_density
    steps = np.array(answers).T
    for k, name in enumerate(answer._fields[:-1]):
        np.testing.assert_array_equal(steps[k], getattr(out, name), err_msg=name)
    assert total == out.log_likelihood
    assert (float(state.mean[0]), int(state.ts[0])) == (out.mean[-1], int(ts[-1]))


def test_the_past_does_not_see_the_future():
    ts, y, L, _ = history(4)
    whole = probit_filter(ts, y, clock=L, noise=0.01)
    part = probit_filter(ts[:90], y[:90], clock=L[:89], noise=0.01)
    for name in ("mean", "lower", "z"):
        np.testing.assert_array_equal(getattr(whole, name)[:90], getattr(part, name))


def test_between_quotes_the_probability_is_a_martingale():
    """The mean of B before a quote is that after the last, however much information came."""
    ts, y, L, _ = history(5, information=0.02)
    out = probit_filter(ts, y, clock=L, noise=0.02)
    np.testing.assert_allclose(out.predicted_probability[1:], out.probability[:-1], rtol=1e-12)
    assert out.predicted_probability[0] == pytest.approx(0.5, rel=1e-12)


def test_innovations_of_the_true_model_are_standard():
    """3000 quotes: the variance of z is 1 within 4 standard errors, and z is not correlated."""
    ts, y, L, _ = history(8, n=3000, information=2e-4)
    z = probit_filter(ts, y, clock=L, noise=0.01).z[1:]
    assert np.var(z) == pytest.approx(1.0, abs=4.0 * math.sqrt(2.0 / z.size))
    assert abs(np.mean(z[1:] * z[:-1])) < 4.0 / math.sqrt(z.size)


def test_an_outer_tick_is_a_bound_not_a_value():
    """Quotes that rest on one cent say at most 1.5: read as values they would say 1, and be sure.

    The information is large: an exact reading pins U between two cents, a bound lets it sink.
    """
    ts, y = np.arange(40) * MINUTE, np.full(40, 0.01)
    bound = probit_filter(ts, y, clock=np.full(39, 0.01), noise=0.004, tick=0.01)
    value = probit_filter(ts, y, clock=np.full(39, 0.01), noise=0.004)
    assert np.all(np.isnan(bound.innovation))
    assert bound.lower[-1] < 1e-4 < value.lower[-1]
    assert bound.probability[-1] < value.probability[-1]
    high = probit_filter(ts, 1.0 - y, clock=np.full(39, 0.01), noise=0.004, tick=0.01)
    np.testing.assert_allclose(high.mean, -bound.mean, rtol=1e-9)
    assert high.log_likelihood == pytest.approx(bound.log_likelihood, rel=1e-9)


def test_spreads_are_noise_over_root_twelve():
    ts, y, L, _ = history(6, n=30)
    a = probit_filter(ts, y, clock=L, spreads=np.full(30, 0.06))
    b = probit_filter(ts, y, clock=L, noise=0.06 / math.sqrt(12.0))
    np.testing.assert_array_equal(a.mean, b.mean)
    c = probit_filter(ts, np.round(y, 2), clock=L, noise=1e-5, tick=0.01)
    d = probit_filter(ts, np.round(y, 2), clock=L, noise=0.01 / math.sqrt(12.0), tick=0.01)
    assert c.log_likelihood == d.log_likelihood  # never below the grid's


BAD = [
    ({"nu2": 1.0, "clock": np.ones(2)}, "one of nu2 and clock"),
    ({}, "one of nu2 and clock"),
    ({"nu2": -1.0}, "nu2 >= 0"),
    ({"clock": np.ones(3)}, "shape"),
    ({"clock": np.array([0.1, math.nan])}, "information of 0"),
    ({"nu2": 1.0, "noise": 0.0}, "above 0"),
    ({"nu2": 1.0, "noise": -0.1}, "noise"),
    ({"nu2": 1.0, "spreads": np.ones(3)}, "not both"),
    ({"nu2": 1.0, "tick": 0.5}, "tick"),
    ({"nu2": 1.0, "method": "magic"}, "unscented"),
    ({"nu2": 1.0, "method": "particle", "particles": 3}, "particles"),
    ({"nu2": 1.0, "level": 95.0}, "level"),
]


@pytest.mark.parametrize(("given", "said"), BAD, ids=[f"{k}-{v[1]}" for k, v in enumerate(BAD)])
def test_doors(given, said):
    with pytest.raises(InputError, match=said):
        probit_filter(np.arange(3), np.array([0.4, 0.5, 0.6]), **({"noise": 0.01} | given))


def test_doors_of_the_data():
    with pytest.raises(InputError, match="row 2"):
        probit_filter(np.arange(2), np.array([0.4, 1.0]), nu2=1.0, noise=0.01)
    with pytest.raises(InputError, match="do not fall"):
        probit_filter(np.array([1, 0]), np.array([0.4, 0.5]), nu2=1.0, noise=0.01)
    state, _ = start(10, 0.5, noise=0.01)
    with pytest.raises(InputError, match="not before"):
        step(state, 9, 0.5, information=0.1, noise=0.01)
    with pytest.raises(InputError, match="information"):
        step(state, 11, 0.5, information=-0.1, noise=0.01)


COVER = {
    "middle": {},
    "restless": {"information": 0.01},
    "noisy": {"noise": 0.05},
    "coarse": {"tick": 0.01, "noise": 0.01},
    "edge": {"first": -2.0, "tick": 0.01, "noise": 0.008},
    "edge, restless": {"first": 2.3, "tick": 0.01, "noise": 0.004, "information": 0.02},
}


@pytest.mark.slow
@pytest.mark.parametrize("label", COVER)
def test_bands_cover(label, capsys):
    """500 histories of 100 quotes, seeds 0 to 499: shares per history, averaged.

    Where many quotes lie on an outer tick the law of U is skew and normal bands cover less; there
    it is the particles (1000) that must cover.
    """
    given = COVER[label]
    noise, tick = given.get("noise", 0.01), given.get("tick", 0.0)
    edge = label.startswith("edge")
    whole = math.hypot(noise, tick / math.sqrt(12.0))  # the quote's own and the rounding's
    normal, cloud = [], []
    for seed in range(500):
        ts, y, L, B = history(seed, n=100, **given)
        out = probit_filter(ts, y, clock=L, noise=whole, tick=tick)
        normal.append(np.mean((out.lower <= B) & (out.upper >= B)))
        if edge:
            out = probit_filter(
                ts, y, clock=L, noise=whole, tick=tick, method="particle", particles=1000
            )
            cloud.append(np.mean((out.lower <= B) & (out.upper >= B)))
    with capsys.disabled():
        said = f", particles {np.mean(cloud):.4f}" if edge else ""
        print(  # noqa: T201
            f"\nprobit filter, {label}: coverage of 95% bands {np.mean(normal):.4f} "
            f"(se {np.std(normal) / math.sqrt(500):.4f}){said}"
        )
    assert 0.93 < np.mean(cloud if edge else normal) < 0.97
    assert np.mean(normal) > 0.9


@pytest.mark.slow
def test_many_particles_are_the_filter(capsys):
    """100,000 particles against the normal law, 100 quotes: the difference is the filter's own."""
    ts, y, L, _ = history(21, n=100, noise=0.01, information=0.005)
    fine = probit_filter(ts, y, clock=L, noise=0.01)
    cloud = probit_filter(ts, y, clock=L, noise=0.01, method="particle", particles=100_000, seed=1)
    far = np.max(np.abs(cloud.mean - fine.mean) / fine.sd)
    with capsys.disabled():
        print(  # noqa: T201
            f"\n100,000 particles: means within {far:.4f} sd, log-likelihoods "
            f"{cloud.log_likelihood:.3f} and {fine.log_likelihood:.3f}"
        )
    assert far < 0.05
    assert cloud.log_likelihood == pytest.approx(fine.log_likelihood, abs=0.3)
