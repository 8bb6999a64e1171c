"""Does the rule that names leaders stay quiet where nobody leads, and speak where somebody does?

A false alarm is a run in which any pair gets a leader; at most one run in twenty may. Power counts
a refusal as a miss. Coverage is of the intervals of identified pairs against the population, from
the steady-state Kalman filter of each market. The long studies run by `make slow`.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from eventtape.estimators.discovery.information_share import shares
from eventtape.estimators.discovery.pairs import pair_discovery
from eventtape.estimators.discovery.refusals import Reason
from eventtape.simulate.price_leaders import common_trend_panel, roll, yan_zivot
from eventtape.simulate.price_leaders_exact import (
    adjusting_market,
    innovations_form,
    roll_market,
)
from eventtape.simulate.price_placebos import independent_walks, walk_and_stationary
from eventtape.simulate.price_ticks import asynchronous_ticks, on_grid

N = 40
UNEQUAL = 5e-4 * np.exp(np.random.default_rng(99).uniform(-2.0, 2.0, N))
WALKS = {
    "equal": {},
    "unequal": {"volatility": UNEQUAL},
    "bounce of half a step": {"bounce": 0.5},
    "bounce of a step": {"bounce": 1.0},
    "bounce of two": {"bounce": 2.0},
    "bounce of five": {"bounce": 5.0},
    "unequal with bounce": {"volatility": UNEQUAL, "bounce": 1.0},
    "t3": {"shocks": "t3"},
    "garch": {"shocks": "garch"},
}
QUICK = [(60, "equal", None), (60, "t3", None), (60, "bounce of five", 1)]
QUICK += [(390, "unequal with bounce", None)]
FIRST, SECOND = np.array([0.8, 0.4]), np.array([0.5, -0.5])  # speeds, transitory


def alarms(make, runs, lags=None):
    """Share of runs in which any pair is given a leader, and pairs given one."""
    named = [int((pair_discovery(make(run), lags).leader >= 0).sum()) for run in range(runs)]
    return np.mean(np.array(named) > 0), sum(named)


def walks(name, n_rows):
    return lambda run: independent_walks([run, n_rows], n_rows, N, **WALKS[name]).log_prices


def together(name, n_rows, n=N):
    """Independent walks whose volatility moves for all at once: a loud hour, a U, a slow tide."""

    def make(run):
        rng = np.random.default_rng([run, n_rows, n])
        size = np.ones(n_rows)
        if name == "U":
            size += 10.0 * np.linspace(-1.0, 1.0, n_rows) ** 4
        elif name == "tide":
            size = np.exp(lfilter([0.15], [1.0, -0.99], rng.standard_normal(n_rows)))
        else:
            size[n_rows // 2 : n_rows // 2 + n_rows // 10] = float(name)
        return 5e-4 * np.cumsum(size[:, None] * rng.standard_normal((n_rows, n)), axis=0)

    return make


@pytest.mark.parametrize(("n_rows", "name", "n"), [(390, "10", N), (60, "U", N), (390, "5", 13)])
def test_walks_that_are_loud_together(n_rows, name, n):
    """Without the sign law a leader is named in 100, 71 and 17% of runs."""
    assert alarms(together(name, n_rows, n), 60)[0] <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 13, N])
@pytest.mark.parametrize("n_rows", [60, 390])
@pytest.mark.parametrize("name", ["10", "5", "U", "tide"])
def test_walks_that_are_loud_together_500_times(name, n_rows, n):
    assert alarms(together(name, n_rows, n), 500)[0] <= 0.05


def stationary(n_rows, phi, *, both):
    """A walk and an AR(1), or two independent AR(1)."""

    def make(run):
        x = walk_and_stationary([run, n_rows], n_rows, phi).log_prices
        if both:
            x[:, 0] = walk_and_stationary([run, n_rows, 1], n_rows, phi).log_prices[:, 1]
        return x

    return make


@pytest.mark.parametrize(("n_rows", "name", "lags"), QUICK)
def test_forty_independent_walks(n_rows, name, lags):
    assert alarms(walks(name, n_rows), 100, lags)[0] <= 0.05


@pytest.mark.parametrize("both", [False, True])
def test_a_stationary_series_leads_nothing(both):
    """A rank test alone finds its one relation in over a quarter of the runs."""
    assert alarms(stationary(390, 0.7, both=both), 200)[0] <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("lags", [None, 1])
@pytest.mark.parametrize("n_rows", [60, 390])
@pytest.mark.parametrize("name", WALKS)
def test_forty_independent_walks_500_times(name, n_rows, lags):
    assert alarms(walks(name, n_rows), 500, lags)[0] <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("lags", [None, 1])
@pytest.mark.parametrize("n_rows", [60, 390])
@pytest.mark.parametrize("phi", [0.3, 0.7, 0.9, 0.95])
@pytest.mark.parametrize("both", [False, True])
def test_a_stationary_series_leads_nothing_500_times(both, phi, n_rows, lags):
    assert alarms(stationary(n_rows, phi, both=both), 500, lags)[0] <= 0.05


def sampled(run, n_rows, step_s, noise_sd):
    market = asynchronous_ticks(
        [run, n_rows, step_s], float(n_rows * step_s), [1.0, 1 / 3], [0.0, 0.0], noise_sd=noise_sd
    )
    return on_grid(market, step_s)


def test_trading_less_often_is_not_following():
    """Trades at 1 and at 1/3 a second, the last price every 5 s: 10% without the standing band."""
    assert alarms(lambda run: sampled(run, 390, 5, 0.0), 200)[0] <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("noise_sd", [0.0, 1e-4])
@pytest.mark.parametrize("step_s", [1, 2, 5, 10, 30, 60])
@pytest.mark.parametrize("n_rows", [390, 2_340])
def test_trading_less_often_is_not_following_at_any_step(n_rows, step_s, noise_sd):
    assert alarms(lambda run: sampled(run, n_rows, step_s, noise_sd), 300)[0] <= 0.05


def leader_named(make, runs):
    """Share of runs in which the first pair's leader is its first, and is its second."""
    named = np.array([pair_discovery(make(run)).leader[0] for run in range(runs)])
    return np.mean(named == 0), np.mean(named == 1)


def test_leader_is_found():
    """T = 390, true PILS .8; refusals are misses."""
    right, wrong = leader_named(
        lambda run: yan_zivot([run, 390], 390, FIRST, SECOND).log_prices, 150
    )
    assert right >= 0.8
    assert wrong <= 0.01


def population(market):
    """PILS, middle IS, CS and PDS of the first of two."""
    form = innovations_form(market)
    part = shares(form.psi[0], form.omega)
    middle = 0.5 * (part.is_first[0] + part.is_last[0])
    return {
        "pils": part.pils[0],
        "is": middle,
        "component": part.component[0],
        "pds": part.pds[0],
    }


def adjusting(transitory):
    b = np.outer(transitory, transitory)
    return population(adjusting_market(FIRST, np.ones(2), b, step_sd=1.0))


def busy_hours(run, n_rows=390):
    """Yan and Zivot's market with shocks three times as large at the ends of the day."""
    rng = np.random.default_rng([run, n_rows])
    size = 5e-4 * (1.0 + 2.0 * (2.0 * np.arange(n_rows) / n_rows - 1.0) ** 2)
    m = np.cumsum(size * rng.standard_normal(n_rows))
    noise = (size * rng.standard_normal(n_rows))[:, None] * SECOND
    p = np.zeros((n_rows, 2))
    for t in range(1, n_rows):
        p[t] = p[t - 1] + FIRST * (m[t] - p[t - 1]) + noise[t]
    return 4.6 + p


def within_panel(run):
    """The same pair among 39 more prices of its trend, told to use the lag they have."""
    speeds = np.r_[FIRST, np.full(39, 0.6)]
    b = np.r_[SECOND, np.linspace(-1.5, 1.5, 39)]
    return yan_zivot([run, 390], 390, speeds, b).log_prices


def correlated(run, n_rows=2_340):
    """Errors of each price's own, correlated .3, larger than the trend's step."""
    return common_trend_panel(
        [run, n_rows], n_rows, FIRST, correlation=0.3, noise_sd=1e-3
    ).log_prices


OWN = 4.0 * (0.7 * np.eye(2) + 0.3)
COVERED = {
    "yan-zivot": (
        lambda run: yan_zivot([run, 390], 390, FIRST, SECOND).log_prices,
        adjusting(SECOND),
    ),
    "busy hours": (busy_hours, adjusting(SECOND)),
    "panel of 41": (within_panel, adjusting(SECOND)),
    "correlated errors": (
        correlated,
        population(adjusting_market(FIRST, np.ones(2), OWN, step_sd=1.0)),
    ),
    "roll": (
        lambda run: roll([run, 390], 390, 5e-4 * np.array([1.0, 2.0])).log_prices,
        population(roll_market(np.array([1.0, 2.0]), step_sd=1.0, correlation=0.0)),
    ),
}


def coverage(name, runs):
    """Share identified, and of those the share whose interval holds the truth, by measure."""
    make, truth = COVERED[name]
    hits, identified = dict.fromkeys(truth, 0), 0
    for run in range(runs):
        out = pair_discovery(make(run), pairs=np.array([[0, 1]]))
        if out.reason[0] not in {Reason.NONE, Reason.EQUAL}:
            assert math.isnan(out.pils_lower[0])
            continue
        identified += 1
        for measure, value in truth.items():
            low, high = getattr(out, f"{measure}_lower")[0], getattr(out, f"{measure}_upper")[0]
            hits[measure] += low <= value <= high
    return identified / runs, {m: h / identified for m, h in hits.items()}


def test_leader_is_found_beside_38_walks():
    """780 pairs tested, one linked: the lags are not those of the luckiest of 40 series."""
    right = others = 0
    for run in range(40):
        linked = yan_zivot([run, 390], 390, FIRST, SECOND).log_prices
        walks = independent_walks([run, 390], 390, 38).log_prices
        leader = pair_discovery(np.column_stack([linked, walks])).leader
        right += leader[0] == 0
        others += bool((leader[1:] >= 0).any())
    assert right >= 32
    assert others <= 2


def test_false_leaders_among_equals_of_one_trend():
    """39 of 41 prices are equally fast and 741 of 820 pairs have no leader: share of false ones."""
    speeds = np.r_[FIRST, np.full(39, 0.6)]
    false = []
    for run in range(40):
        out = pair_discovery(within_panel(run), 1, n_draws=299)
        named = out.leader >= 0
        slower = np.where(speeds[out.first] < speeds[out.second], out.first, out.second)
        equal = speeds[out.first] == speeds[out.second]
        false.append((named & (equal | (out.leader == slower))).sum() / max(named.sum(), 1))
    assert np.mean(false) <= 0.05


def test_intervals_hold_the_truth_quickly():
    """150 runs: 2.5 standard errors below 95% is .905. The study by `make slow` is the claim."""
    identified, held = coverage("yan-zivot", 150)
    assert identified > 0.95
    assert min(held.values()) > 0.905


def test_where_two_move_within_one_step_nothing_is_said():
    """Equal half spreads of a step: bounds .21 to .79 in population, .58 apart, and refused."""
    make = COVERED["roll"][0]
    assert leader_named(make, 100)[0] <= 0.05
    wide = 0
    for run in range(100):
        x = roll([run, 390], 390, 5e-4 * np.ones(2)).log_prices
        out = pair_discovery(x, n_draws=99)
        wide += out.reason[0] is Reason.WIDE
    assert wide > 85


@pytest.mark.slow
@pytest.mark.parametrize("name", COVERED)
def test_intervals_hold_the_truth(name):
    """PILS and the middle share in 93 to 97% of the identified; CS and PDS err to the wide side."""
    identified, held = coverage(name, 400 if name == "panel of 41" else 1_000)
    assert identified > 0.9
    # 1.4 standard errors for the runs there are
    slack = 0.015 if name == "panel of 41" else 0.01
    for measure, share in held.items():
        most = 0.97 if measure in {"pils", "is"} else 0.98
        assert 0.93 - slack <= share <= most + slack, measure


@pytest.mark.slow
def test_leader_is_found_500_times():
    make = COVERED["yan-zivot"][0]
    right, wrong = leader_named(make, 500)
    assert right >= 0.8
    assert wrong <= 0.005
    assert leader_named(busy_hours, 500)[1] <= 0.005
