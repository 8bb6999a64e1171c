"""Chains of a known law: the named truths, the quotes' rules, and that nothing knows the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import kstest

from eventtape.errors import InputError
from eventtape.estimators.pricing.kou import Kou
from eventtape.estimators.pricing.lognormal_mixture import lognormal
from eventtape.estimators.pricing.terminal_law import law_prices, moments
from eventtape.simulate.option_chain import (
    chain_truths,
    option_chain,
    option_surface,
    two_lognormal_law,
)

TRUTHS = chain_truths()
NAMES = ["lognormal", "mixture", "bimodal", "skewed", "heston", "kou"]


def test_the_names():
    assert list(TRUTHS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_truths_are_densities_with_mean_100(name):
    """By the trapezoidal rule on an even grid of log prices from 1 to 2,500."""
    law = TRUTHS[name]
    log_s = np.linspace(0.0, math.log(2500.0), 4_001)
    s = np.exp(log_s)
    f = law.pdf(s)
    assert (f >= 0.0).all()
    assert np.trapezoid(f * s, log_s) == pytest.approx(1.0, abs=1e-9)
    assert np.trapezoid(f * s * s, log_s) == pytest.approx(100.0, abs=1e-7)
    assert law.forward == pytest.approx(100.0, abs=1e-13)


def test_the_four_of_the_issue():
    assert TRUTHS["lognormal"].vols.tolist() == [0.6]
    for name, days, p, m1, vols in [
        ("mixture", 10, 0.6, 1.03, (0.55, 0.75)),
        ("bimodal", 10, 0.6, 1.08, (0.45, 0.55)),
        ("skewed", 30, 0.85, 1.02, (0.25, 0.60)),
    ]:
        law = TRUTHS[name]
        assert law.tau == pytest.approx(days / 365)
        assert law.weights.tolist() == pytest.approx([p, 1 - p])
        assert law.means[0] == pytest.approx(100 * m1)
        assert law.vols.tolist() == list(vols)
    modes = np.diff(np.sign(np.diff(TRUTHS["bimodal"].pdf(np.linspace(50, 160, 4001)))))
    assert (modes < 0).sum() == 2


@pytest.mark.parametrize("name", NAMES)
def test_quotes_follow_their_rule(name):
    chain = option_chain(TRUTHS[name], seed=1)
    law = TRUTHS[name]
    sd = moments(law).sd
    assert chain.strikes.size == 120
    assert np.unique(chain.strikes).size == 60
    assert chain.strikes[0] == pytest.approx(100 - 3.5 * sd)
    assert chain.strikes[-1] == pytest.approx(100 + 3.5 * sd)
    np.testing.assert_allclose(np.diff(chain.strikes[::2]), 7 * sd / 59)
    assert chain.is_call[:4].tolist() == [True, False, True, False]
    V = law_prices(law, chain.strikes, chain.is_call)
    np.testing.assert_array_equal(chain.values, V)
    half = 0.01 + 0.01 * V
    # A hair over half a tick: the rounding of rint's own argument.
    assert np.abs(chain.asks - (V + half)).max() <= 0.005 + 1e-12
    assert np.abs(chain.bids - np.maximum(V - half, 0.0)).max() <= 0.005 + 1e-12
    assert (chain.bids >= 0.0).all()
    assert (chain.asks > chain.bids).all()
    for prices in (chain.bids, chain.asks):
        np.testing.assert_array_equal(prices, np.round(prices, 2))
    for sizes in (chain.bid_sizes, chain.ask_sizes):
        assert sizes.min() >= 1
        assert sizes.max() <= 50


def test_the_seed_draws_sizes_and_displacements_only():
    law = TRUTHS["mixture"]
    one, again, other = (option_chain(law, seed=s) for s in (1, 1, 2))
    for a, b in zip(one[:10], again[:10], strict=True):  # the law last
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.bids, other.bids)
    assert (one.bid_sizes != other.bid_sizes).any()
    moved = [option_chain(law, seed=s, displacement=0.4).bids for s in (1, 2)]
    assert (moved[0] != moved[1]).any()


def test_displacements_are_uniform_within_their_bound():
    """Fine ticks, so that mids tell them: Kolmogorov-Smirnov on 8,000 of them."""
    parts = []
    for seed in range(40):
        chain = option_chain(
            TRUTHS["skewed"], seed=seed, n_strikes=100, displacement=0.4, tick=1e-6
        )
        seen = chain.bids > 0.0
        half = 0.01 + 0.01 * chain.values
        parts.append((((chain.bids + chain.asks) / 2 - chain.values) / half)[seen])
    u = np.concatenate(parts) / 0.4
    assert u.size > 7_000
    assert np.abs(u).max() <= 1.0 + 1e-3
    assert kstest(u, "uniform", args=(-1.0, 2.0)).pvalue > 0.01


def test_out_of_the_money_only_and_a_discount():
    law = TRUTHS["kou"]
    half_chain = option_chain(law, seed=1, sides="out of the money", discount=0.97, n_strikes=41)
    assert half_chain.strikes.size == 41
    np.testing.assert_array_equal(half_chain.is_call, half_chain.strikes >= 100.0)
    both = option_chain(law, seed=1, discount=0.97, n_strikes=41)
    calls, puts = both.values[::2], both.values[1::2]
    np.testing.assert_allclose(calls - puts, 0.97 * (100.0 - both.strikes[::2]), atol=1e-11)
    assert half_chain.values.max() < 0.97 * 10.0


def test_a_wide_law_starts_at_one_tick():
    chain = option_chain(lognormal(100.0, 1.0, 0.8), seed=1, tick=0.05)
    assert chain.strikes[0] == 0.05
    cents = np.round(chain.bids / 0.05)
    np.testing.assert_allclose(chain.bids, cents * 0.05, rtol=1e-15)


def test_prices_from_a_pricing_function():
    """American-like: never below the exercise value, which European puts are at high rates."""
    law = lognormal(100.0 * math.exp(0.1), 1.0, 0.2)
    D = math.exp(-0.1)

    def premiums(strikes, call):
        return np.maximum(
            law_prices(law, strikes, call, discount=D),
            np.where(call, 100.0 - strikes, strikes - 100.0),
        )

    chain = option_chain(law, seed=1, discount=D, pricer=premiums)
    exercise = np.where(chain.is_call, 100.0 - chain.strikes, chain.strikes - 100.0)
    assert (chain.values >= exercise).all()
    assert (law_prices(law, chain.strikes, chain.is_call, discount=D) < exercise - 1e-9).any()


def test_a_surface_has_no_calendar_arbitrage():
    """One Kou model at four horizons: at equal K/F later options are worth more."""
    kou = TRUTHS["kou"]
    assert isinstance(kou, Kou)
    laws = [
        kou._replace(tau=d / 365, forward=100 * math.exp(0.03 * d / 365)) for d in (7, 30, 90, 180)
    ]
    surface = option_surface(laws, seed=5, rate=0.05, n_strikes=20)
    assert [c.tau for c in surface] == [law.tau for law in laws]
    assert surface[3].discount == pytest.approx(math.exp(-0.05 * 180 / 365))
    assert (surface[0].bid_sizes != surface[1].bid_sizes).any()
    m = np.linspace(0.7, 1.3, 25)
    worth = np.array([law.put(m * law.forward) / law.forward for law in laws])
    assert (np.diff(worth, axis=0) > 0.0).all()
    with pytest.raises(InputError, match="rising expiry"):
        option_surface(laws[::-1], seed=5)


@pytest.mark.parametrize(
    ("bad", "wanted"),
    [
        ({"n_strikes": 1}, "2 or more strikes"),
        ({"width": 0.0}, "width"),
        ({"tick": -0.01}, "tick"),
        ({"half_spread": (-0.01, 0.0)}, "half spreads"),
        ({"sizes": (5, 1)}, "smallest size"),
        ({"displacement": 1.5}, "displacement"),
        ({"sides": "calls"}, "sides"),
        ({"discount": 0.0}, "discount"),
    ],
    ids=lambda x: next(iter(x)) if isinstance(x, dict) else "",
)
def test_bad_designs_are_refused(bad, wanted):
    with pytest.raises(InputError, match=wanted):
        option_chain(TRUTHS["lognormal"], seed=1, **bad)


def test_impossible_states_are_refused():
    with pytest.raises(InputError, match="probability"):
        two_lognormal_law(1.0, 1.03, (0.5, 0.5), days=10)
    with pytest.raises(InputError, match="second above 0"):
        two_lognormal_law(0.9, 1.2, (0.5, 0.5), days=10)


def test_a_truth_without_variance_is_refused():
    law = TRUTHS["kou"]._replace(mean_up=0.6)
    with pytest.raises(InputError, match="finite variance"):
        option_chain(law, seed=1)
