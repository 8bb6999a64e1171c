"""Densities of quotes whose law is known: the six truths, ten seeds, other designs.

L1 is over the whole line (studies.density_trials). Where a bound is not the target of 0.01 it is
what was measured and a fifth more.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from estimators.density.density_worlds import NAMES, TRUTHS, chain_of, fitted, report
from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.density.density_quantities import density_at
from eventtape.studies.density_trials import Coverage, density_trials, trial_table

ROADS = {
    "given": {},
    "parity": {"forward_given": False},
    "parity and a rate": {"forward_given": False, "rate": 0.0},
}


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("name", NAMES)
def test_ten_seeds_are_within_a_hundredth(name, road):
    """The configuration of the issue: worst median 0.0071 (Kou); no density below 0 anywhere."""
    trials = density_trials(TRUTHS[name], chains=10, **ROADS[road])
    assert trials.refused == 0
    assert np.median(trials.l1) <= 0.01
    assert trials.l1.max() <= 0.01
    assert (trials.negative_mass == 0.0).all()


@pytest.mark.parametrize("name", NAMES)
def test_displaced_fair_values_are_within_a_hundredth(name):
    """Each contract's fair value its own, 0.4 half spreads about the truth: worst 0.0090."""
    trials = density_trials(TRUTHS[name], chains=10, displacement=0.4)
    assert np.median(trials.l1) <= 0.01
    assert trials.negative_mass.max() == 0.0
    assert 2.0 < np.median(trials.noise_scale) < 3.5
    # Quotes centred on fair values: sizes say nothing, and the fit finds it out
    assert np.abs(np.median(trials.size_weight)) < 0.1


FLAT_WINGS = pytest.mark.xfail(
    reason="flat wings are most of the error of Kou's density, whatever the weight: 1.38 times",
    strict=True,
)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=FLAT_WINGS if n == "kou" else ()) for n in NAMES]
)
def test_sizes_that_say_nothing_are_found_out(name):
    """With the microprice held for the value the error is up to six times that of the mid held."""
    fixed = {
        weight: density_trials(TRUTHS[name], chains=10, size_weight=weight)
        for weight in ("fitted", "mid", "microprice")
    }
    l1 = {weight: float(np.median(trials.l1)) for weight, trials in fixed.items()}
    assert l1["mid"] <= 0.01
    assert l1["fitted"] < 1.05 * l1["mid"] + 1e-4
    assert 1.4 * l1["mid"] < l1["microprice"] < 0.014
    assert fixed["microprice"].size_weight == pytest.approx(1.0, abs=1e-5)
    assert fixed["mid"].size_weight == pytest.approx(0.0, abs=1e-5)


def test_l1_is_the_integral_over_the_line():
    """By adaptive quadrature between the crossings of the two densities."""
    trials = density_trials(TRUTHS["skewed"], chains=1, seed=3, displacement=0.4)
    density, truth = fitted(chain_of("skewed", 3)), TRUTHS["skewed"]

    def gap(strike):
        return abs(float(density_at(density.smile, strike).pdf[0]) - float(truth.pdf(strike)))

    pieces = np.linspace(20.0, 260.0, 121)
    whole = sum(quad(gap, a, b, epsabs=1e-7, limit=40)[0] for a, b in pairwise(pieces))
    assert trials.l1[0] == pytest.approx(whole, abs=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_default_strikes_hold_the_whole_law(name):
    """The density, not renormalised, integrates to 1, and so does what the truth has there."""
    density, truth = fitted(chain_of(name, 0)), TRUTHS[name]
    K = density.strikes
    assert np.trapezoid(density.pdf, K) == pytest.approx(1.0, abs=1e-4)
    assert density.cdf[0] < 1e-8
    assert density.cdf[-1] > 1.0 - 1e-7
    assert truth.cdf(K[-1]) - truth.cdf(K[0]) > 1.0 - 2e-4


DESIGNS = {  # options, and a bound on any truth's median L1: as measured, and a fifth
    "15 strikes": ({"n_strikes": 15}, 0.0165),
    "30 strikes": ({"n_strikes": 30}, 0.0135),
    "120 strikes": ({"n_strikes": 120}, 0.0088),
    "2 sd": ({"width": 2.0}, 0.0150),
    "5 sd": ({"width": 5.0}, 0.0120),
    "spreads x 5": ({"half_spread": (0.05, 0.05)}, 0.0300),
    "5c ticks": ({"tick": 0.05}, 0.0180),
    "no sizes": ({"sized": False}, 0.0100),
    "one side": ({"sides": "out of the money"}, 0.0110),
}


def trials_of_design(name, design, chains):
    return density_trials(TRUTHS[name], chains=chains, displacement=0.4, **DESIGNS[design][0])


def check_design(trials, design):
    """Bands that hold at least 83%, and a noise that fits the design."""
    assert trials.refused == 0
    assert min(trials.coverage.pdf, trials.coverage.cdf, trials.coverage.vol) >= 0.83
    assert trials.negative_mass.max() < 1e-3
    if design == "no sizes":  # one draw a quote overstates the noise of a displacement of 0.4
        assert np.median(trials.noise_scale) < 0.6


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("name", ["bimodal", "skewed"])
def test_other_designs(name, design):
    trials = trials_of_design(name, design, 10)
    check_design(trials, design)
    assert np.median(trials.l1) <= DESIGNS[design][1]


@pytest.mark.slow
def test_other_designs_on_every_truth():
    every = [(name, design) for name in NAMES for design in DESIGNS]
    table = {what: trials_of_design(*what, 50) for what in every}
    report(trial_table({", ".join(what): trials for what, trials in table.items()}))
    for (_, design), trials in table.items():
        check_design(trials, design)
    over = [what for what in every if np.median(table[what].l1) > DESIGNS[what[1]][1]]
    # 0.0152 and 0.0234: wings that are flat from the last quote on, with a tail beyond
    assert over == [("skewed", "2 sd"), ("kou", "2 sd")]


def test_more_strikes_and_tighter_spreads_tell_more():
    """Error falls with the root of the number of quotes, and about as the spread does."""
    few, many = (
        np.median(density_trials(TRUTHS["mixture"], chains=20, displacement=0.4, n_strikes=n).l1)
        for n in (15, 240)
    )
    assert 2.0 < few / many < 6.0  # sixteen times the quotes
    tight, wide = (
        np.median(
            density_trials(
                TRUTHS["mixture"], chains=20, displacement=0.4, half_spread=(c, c), tick=0.001
            ).l1
        )
        for c in (0.005, 0.05)
    )
    assert 2.5 < wide / tight < 12.0


def test_a_density_of_exact_prices_is_exact():
    """Locked at the true price: only the prior's resolution is left (measured: 2e-6)."""
    chain = chain_of("mixture", 0)
    exact = fitted(chain._replace(bids=chain.values, asks=chain.values))
    assert exact.status is Status.OK
    truth = TRUTHS["mixture"].pdf(exact.strikes)
    assert np.trapezoid(np.abs(exact.pdf - truth), exact.strikes) < 1e-4


def test_refused_chains_are_counted_and_enter_nothing():
    """Four strikes: under five quotes are no density, whatever the law."""
    trials = density_trials(TRUTHS["lognormal"], chains=3, n_strikes=4)
    assert (trials.chains, trials.refused) == (3, 3)
    assert trials.l1.size == trials.noise_scale.size == 0
    assert np.isnan(trials.coverage).all()
    line = trial_table({"four strikes": trials}).splitlines()[-1]
    assert line.split()[:5] == ["four", "strikes", "3", "3", "nan"]


def test_trials_repeat_and_go_on():
    """The same seeds give the same numbers; two halves are the whole."""
    truth = TRUTHS["bimodal"]
    whole = density_trials(truth, chains=4, displacement=0.4)
    halves = [density_trials(truth, chains=2, seed=s, displacement=0.4) for s in (0, 2)]
    assert np.array_equal(whole.l1, np.concatenate([h.l1 for h in halves]))
    assert np.array_equal(whole.noise_scale, np.concatenate([h.noise_scale for h in halves]))
    means = np.mean([h.coverage for h in halves], axis=0)
    assert np.isnan(means).tolist() == [part == "mean" for part in Coverage._fields]
    assert whole.coverage == pytest.approx(means, nan_ok=True)


@pytest.mark.parametrize(
    ("options", "wanted"), [({"chains": 0}, "chains"), ({"level": 95}, "level")]
)
def test_trials_check_what_they_are_asked(options, wanted):
    with pytest.raises(InputError, match=wanted):
        density_trials(TRUTHS["lognormal"], **{"chains": 2} | options)
