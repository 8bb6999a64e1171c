"""How often do the bands hold the truth? 95% wanted, 90 to 98 asked, on chains of known laws.

Pointwise shares are averages over the truth's 1% to 99% range and over chains. Quick: 20 chains a
truth; slow: 200, whose table is printed (``pytest -m slow -s``).

With displaced fair values (0.4 half spreads) each chain's errors are its own and coverage is what
it says. Without displacement mids are off by rounding alone, the same on every seed: one draw seen
many times, so the shares there are reported and held only to what was measured. Where the width of
the strikes is drawn anew (jitter) rounding is too, and coverage is what it says again.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from estimators.density.density_worlds import NAMES, TRUTHS, report
from eventtape.studies.density_trials import density_trials, trial_table

POINTWISE = ("pdf", "cdf", "vol")
DISPLACED = {"displacement": 0.4}
PARITY = {"forward_given": False}
MOMENTS = ("sd", "skewness", "mass_below", "mass_above")
FLAT = "flat wings one unit beyond the last quote: tails cut short, and no error says so"
FLAT_WINGS = pytest.mark.xfail(reason=FLAT, strict=True)

# Of 200 chains, what falls short of 90%: named, each with what was measured. Kou's sd and the skew
# of the skewed are of flat wings; of a discount from the quotes alone the bands know nothing.
SHORT = {
    "given": {("skewed", "skewness"): 0.830, ("kou", "sd"): 0.645},
    "parity": {
        ("lognormal", "sd"): 0.880, ("bimodal", "sd"): 0.875, ("skewed", "skewness"): 0.815,
        ("heston", "sd"): 0.880, ("kou", "sd"): 0.610,
    },
    "parity and a rate": {("skewed", "skewness"): 0.810, ("kou", "sd"): 0.640},
    "microprice": {("skewed", "skewness"): 0.780, ("kou", "sd"): 0.780},
}  # fmt: skip


@cache
def trials_of(name, chains, design):
    return density_trials(TRUTHS[name], chains=chains, **dict(design))


def trials(name, chains, **options):
    return trials_of(name, chains, tuple(sorted(options.items())))


def shares(coverage, parts=POINTWISE):
    return np.array([getattr(coverage, part) for part in parts])


@pytest.mark.parametrize("name", NAMES)
def test_bands_hold_the_truth_of_twenty_chains(name):
    """A chain's points move together, so 20 chains say it to 0.03."""
    found = trials(name, 20, **DISPLACED)
    held = shares(found.coverage)
    assert held.min() >= 0.87
    assert held.max() <= 0.985


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=FLAT_WINGS if n == "kou" else ()) for n in NAMES],
)
def test_bands_hold_moments_and_tails_of_twenty_chains(name):
    """Not yet the sd of Kou's, a fifth of whose variance lies beyond the strikes."""
    found = trials(name, 20, **DISPLACED)
    assert shares(found.coverage, MOMENTS).min() >= 0.80


@pytest.mark.parametrize("name", NAMES)
def test_raw_noise_alone_would_not_do(name):
    """sigma_IV as it comes, on the same quotes: two bands in three hold, and the scale says why."""
    found = trials(name, 20, **DISPLACED)
    assert found.raw_coverage.pdf < 0.78
    assert found.coverage.pdf > found.raw_coverage.pdf + 0.15
    assert found.noise_scale.min() > 1.8


@pytest.mark.parametrize("name", ["lognormal", "bimodal", "skewed"])
def test_a_fitted_scale_mends_a_wrong_value(name):
    """The microprice held, of sizes that say nothing: noise of half a spread, found as such."""
    found = trials(name, 20, size_weight="microprice")
    assert shares(found.coverage).min() >= 0.88
    assert found.raw_coverage.pdf < 0.60
    assert np.median(found.noise_scale) > 2.0


@pytest.mark.parametrize("name", NAMES)
def test_bands_of_rounding_alone(name):
    """One draw: 0.85 (distribution of the bimodal and the skewed) to 1."""
    found = trials(name, 20)
    assert shares(found.coverage).min() >= 0.82
    assert np.median(found.noise_scale) < 1.0  # sigma_P of the spread overstates rounding


TOO_SMOOTH = pytest.mark.xfail(
    reason="of prices good to a tick the bands of the two-humped truths hold 85 to 88%", strict=True
)


@pytest.mark.parametrize(
    "name",
    [
        "lognormal",
        "mixture",
        pytest.param("bimodal", marks=TOO_SMOOTH),
        pytest.param("skewed", marks=TOO_SMOOTH),
    ],
)
def test_bands_of_rounding_drawn_anew(name):
    """No displacement, strikes a little elsewhere on each seed: the hardest test of the prior."""
    found = trials(name, 40, jitter=0.25)
    assert np.median(found.l1) <= 0.01
    assert 0.90 <= found.coverage.pdf <= 0.985


def test_level_is_the_bands_own():
    """Half the bands at 50%, nearly all at 99.9%, and always more at a higher level."""
    held = [
        density_trials(TRUTHS["mixture"], chains=40, level=level, **DISPLACED).coverage
        for level in (0.5, 0.8, 0.95, 0.999)
    ]
    pdf = np.array([c.pdf for c in held])
    assert (np.diff(pdf) > 0.0).all()
    assert 0.42 < pdf[0] < 0.62
    assert pdf[-1] > 0.985


def test_means_are_covered_where_the_forward_is_found():
    """Of 40 chains; with the forward given there is no estimate and no share."""
    found = trials("mixture", 40, **DISPLACED, **PARITY)
    assert 0.85 <= found.coverage.mean <= 1.0
    assert np.isnan(trials("mixture", 20, **DISPLACED).coverage.mean)


@pytest.mark.slow
@pytest.mark.parametrize("road", ["given", "parity", "parity and a rate", "microprice"])
def test_bands_hold_the_truth_of_two_hundred_chains(road):
    """90 to 98% on each truth of density, distribution, volatility; 90% of the rest but SHORT."""
    options = (
        DISPLACED
        | {
            "given": {},
            "parity": PARITY,
            "parity and a rate": PARITY | {"rate": 0.0},
            "microprice": {"size_weight": "microprice"},
        }[road]
    )
    table = {name: trials(name, 200, **options) for name in NAMES}
    report(f"{road}: 200 chains a truth, seeds 0 to 199, displaced\n{trial_table(table)}")
    for name, found in table.items():
        assert found.refused == 0
        held = shares(found.coverage)
        assert held.min() >= 0.90, name
        assert held.max() <= 0.98, name
        assert found.negative_mass.max() < 1e-3
        assert found.raw_coverage.pdf < 0.75
        if road.startswith("parity"):
            assert 0.90 <= found.coverage.mean <= 0.98, name
    held = {(name, part): getattr(table[name].coverage, part) for name in NAMES for part in MOMENTS}
    short = {what: share for what, share in held.items() if share < 0.90}
    assert short == pytest.approx(SHORT[road], abs=0.006)  # one chain more or less


@pytest.mark.slow
def test_bands_of_two_hundred_chains_without_displacement():
    """Reported. One draw of rounding: 0.833 (the distribution of the skewed) to 1."""
    table = {name: trials(name, 200) for name in NAMES}
    report(f"no displacement: 200 chains a truth, seeds 0 to 199\n{trial_table(table)}")
    for name, found in table.items():
        assert shares(found.coverage).min() >= (0.83 if name == "skewed" else 0.86), name
        assert np.median(found.l1) <= 0.01
        assert (found.negative_mass == 0.0).all()


@pytest.mark.slow
def test_bands_of_a_hundred_roundings():
    """Measured: 0.949 to 0.966 of the density, but 0.884 of the skewed and 0.856 of the bimodal."""
    table = {name: trials(name, 100, jitter=0.25) for name in NAMES}
    report(f"no displacement, width 3.5 +- 0.25 sd: seeds 0 to 99\n{trial_table(table)}")
    for name, found in table.items():
        assert found.coverage.pdf >= (0.84 if name in {"bimodal", "skewed"} else 0.92), name
        assert found.coverage.pdf <= 0.98, name
        assert np.median(found.l1) <= 0.01
        assert found.negative_mass.max() < 1e-6
