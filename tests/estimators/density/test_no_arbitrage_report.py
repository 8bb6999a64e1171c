"""The report on a smile: what is known to fail must fail, where and by as much as is known."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.density.breeden_litzenberger import Smile
from eventtape.estimators.density.density_quantities import density_at
from eventtape.estimators.density.no_arbitrage import (
    CheckName,
    arbitrage_report,
    total_variance,
    variance_report,
)
from eventtape.estimators.density.svi import Svi, svi_butterfly, svi_smile

VOGT = Svi(-0.0410, 0.1331, 0.3586, 0.3060, 0.4153)
GOOD = Svi(0.004, 0.06, -0.02, -0.45, 0.1)
F = 100.0


def smile_of(wave=0.0, *, v0=0.2, tau=0.25, error=0.004, forward=F):
    rng = np.random.default_rng(3)
    p = 15
    c = np.concatenate([[0.02, -0.25, 0.3], 0.01 * rng.standard_normal(p - 3)])
    c[14] += wave
    H = error * np.tril(rng.standard_normal((p + 1, p)))
    return Smile(forward, 0.0, tau, v0, 0.4, 6.5, c, H)


def flat(vol, tau, error=0.0, forward=F):
    p = 12
    return Smile(forward, 0.0, tau, vol * math.sqrt(tau), 0.0, 6.0, np.zeros(p), error * np.eye(p))


def check(report, name, expiry=0):
    (found,) = (c for c in report.checks if c.name is name and c.expiry == expiry)
    return found


def test_vogts_smile_is_flagged():
    """Gatheral and Jacquier (2014), example 3.1; numbers by another program to the digits given."""
    assert svi_smile(VOGT, 0.0)[0] == pytest.approx(0.01742625, abs=1e-8)
    report = variance_report(partial(svi_smile, VOGT), 50.0)
    assert not report.free
    butterfly = check(report, CheckName.BUTTERFLY)
    assert not butterfly.passed
    assert butterfly.worst == pytest.approx(-0.0328636, abs=1e-7)
    assert math.log(butterfly.strike / 50.0) == pytest.approx(0.87926, abs=1e-5)
    np.testing.assert_allclose(
        np.log(report.negative[0] / 50.0), [[0.64241, 1.25691]], rtol=0, atol=1e-5
    )
    # the rest of the report says what that comes to
    failed = {c.name for c in report.failed()}
    assert failed == {
        CheckName.BUTTERFLY,
        CheckName.NEGATIVE_MASS,
        CheckName.MONOTONE,
        CheckName.BOUNDS,
        CheckName.CALL_SPREAD,
    }


def test_a_free_smile_passes_everything():
    for report in (
        variance_report(partial(svi_smile, GOOD)),
        arbitrage_report(smile_of()),
        arbitrage_report(flat(0.6, 10 / 365)),
    ):
        assert report.free
        assert report.status is Status.OK
        assert report.failed() == ()
        assert {c.name for c in report.checks} == set(CheckName) - {CheckName.CALENDAR}
        assert report.negative_mass.tolist() == [0.0]
        assert report.negative[0].shape == (0, 2)


@pytest.mark.parametrize("total_vol", [0.3, 1.0, 1.5, 2.5])
def test_a_wide_law_is_free_at_strikes_near_nought(total_vol):
    """Calls there are 1 to sixteen digits: their differences over small strikes are rounding."""
    report = arbitrage_report(flat(total_vol, 1.0))
    assert report.failed() == ()
    spread = check(report, CheckName.CALL_SPREAD)
    assert 0.0 <= spread.worst < 1e-12


def test_the_call_spread_is_broken_by_as_much_as_the_distribution():
    """Steps of a scan against Q itself, at its lowest below the forward and its highest above."""
    for mirrored in (False, True):
        svi = VOGT._replace(rho=-VOGT.rho, m=-VOGT.m) if mirrored else VOGT
        report = variance_report(partial(svi_smile, svi))
        bounds, spread = (check(report, name) for name in (CheckName.BOUNDS, CheckName.CALL_SPREAD))
        assert bounds.worst < -1e-5
        assert spread.worst == pytest.approx(bounds.worst, rel=0.01)
        assert spread.strike == pytest.approx(bounds.strike, rel=0.01)
        assert (spread.strike < 1.0) == mirrored


def test_the_verdict_is_that_of_the_exact_checker():
    """100 random SVI smiles: the same minimum of g where it lies within the scan."""
    rng = np.random.default_rng(1)
    verdicts = []
    for _ in range(100):
        b, rho = rng.uniform(0.01, 0.6), rng.uniform(-0.95, 0.95)
        sigma, lowest = math.exp(rng.uniform(-3.0, 0.0)), math.exp(rng.uniform(-5.0, -1.0))
        a = lowest - b * sigma * math.sqrt(1 - rho**2)
        smile = Svi(a, b, rng.uniform(-0.3, 0.3), rho, sigma)
        exact = svi_butterfly(smile)
        report = variance_report(partial(svi_smile, smile))
        found = check(report, CheckName.BUTTERFLY)
        assert found.worst >= exact.min_g - 1e-9
        if abs(exact.at) < 1.0:
            assert found.worst == pytest.approx(exact.min_g, abs=1e-6)
            assert found.passed is (exact.min_g >= 0.0)
        verdicts.append(found.passed)
    assert 0.1 < np.mean(verdicts) < 0.9


def test_negative_mass_and_its_places_by_brute_force():
    smile = smile_of(0.2)
    report = arbitrage_report(smile)
    K = F * np.exp(np.linspace(-2.5, 3.5, 200_001))
    at = density_at(smile, K)
    below = np.minimum(at.pdf, 0.0)
    mass = -0.5 * ((below[1:] + below[:-1]) * np.diff(K)).sum()
    assert mass > 1e-4
    assert report.negative_mass[0] == pytest.approx(mass, rel=1e-4)
    inside = np.zeros(K.size, np.bool_)
    for low, high in report.negative[0]:
        inside |= (low < K) & (high > K)
    seen = at.pdf * K != 0.0
    edge = np.convolve(inside, np.ones(3), "same") % 3 != 0
    assert (inside == (at.pdf < 0.0))[seen & ~edge].all()
    fall = (np.maximum.accumulate(at.cdf) - at.cdf).max()
    assert check(report, CheckName.MONOTONE).worst == pytest.approx(-fall, rel=1e-4)
    # q / its error is g / its error where g is 0, and close to it elsewhere
    ratio = check(report, CheckName.BUTTERFLY).over_error
    assert ratio < -1.0
    assert ratio == pytest.approx(
        arbitrage_report(smile._replace(factor=2.0 * smile.factor)).checks[0].over_error * 2.0
    )


def test_a_violation_within_its_error_says_so():
    sure, unsure = (check(arbitrage_report(smile_of(0.17, error=e)), CheckName.BUTTERFLY)
                    for e in (1e-4, 0.2))  # fmt: skip
    assert not sure.passed
    assert not unsure.passed
    assert sure.worst == unsure.worst
    assert sure.over_error < -3.0 < -1.0 < unsure.over_error < 0.0


def test_the_variance_of_a_smile_and_its_slopes():
    k, h = np.linspace(-1.0, 1.0, 21), 1e-4
    w = total_variance(smile_of())
    up, here, down = (w(k + x)[0] for x in (h, 0.0, -h))
    np.testing.assert_allclose(w(k)[1], (up - down) / (2 * h), atol=1e-6)
    np.testing.assert_allclose(w(k)[2], (up - 2 * here + down) / h**2, atol=1e-4)


def test_steep_wings_are_beyond_lees_bound():
    report = variance_report(partial(svi_smile, Svi(0.5, 1.5, 0.0, -0.5, 0.3)))
    wings = check(report, CheckName.WINGS)
    assert not wings.passed
    assert wings.worst == pytest.approx(2.0 - 1.5 * 1.5, abs=1e-6)
    assert wings.strike == 0.0
    # and mass is lost: no scan ends where nothing is left
    assert not check(report, CheckName.INTEGRAL).passed


def test_a_calendar_violation_and_its_size():
    early, late = flat(0.30, 0.5, error=0.01), flat(0.20, 1.0, error=0.02, forward=103.0)
    report = arbitrage_report([early, late])
    assert [c.name for c in report.failed()] == [CheckName.CALENDAR]
    found = check(report, CheckName.CALENDAR, 1)
    assert found.worst == pytest.approx(0.04 - 0.045, rel=1e-12)
    k = np.linspace(-1.0, 1.0, 11)
    errors = [
        2.0 * s.reference * density_at(s, s.forward * np.exp(k)).vol_error * math.sqrt(s.tau)
        for s in (early, late)
    ]
    assert found.over_error == pytest.approx((-0.005 / np.hypot(*errors)).min(), rel=1e-6)
    assert arbitrage_report([early, flat(0.22, 1.0)]).free


def test_the_calendar_is_asked_where_both_are_quoted():
    """The smiles cross far below: only a report that looks there sees it."""
    early, late = flat(0.2, 0.5), flat(0.21, 0.6)
    late = late._replace(coefficients=np.concatenate([[0.0, 0.4], np.zeros(10)]))
    assert [c.name for c in arbitrage_report([early, late]).failed()] == [CheckName.CALENDAR]
    assert arbitrage_report([early, late], quoted=[(95.0, 120.0), (98.0, 150.0)]).free
    nowhere = arbitrage_report([early, late], quoted=[(80.0, 90.0), (95.0, 150.0)])
    found = check(nowhere, CheckName.CALENDAR, 1)
    assert math.isnan(found.worst)
    assert not found.passed
    assert found in nowhere.failed()


def test_no_volatility_is_no_clean_report():
    sunk = flat(0.2, 0.5)._replace(coefficients=np.concatenate([[-2.0], np.zeros(11)]))
    none = Smile(F, 0.0, 0.5, math.nan, math.nan, math.nan, np.empty(0), np.empty((0, 0)))
    for smile in (sunk, none):
        report = arbitrage_report(smile)
        assert report.status is Status.NOT_IDENTIFIED
        assert not report.free
        assert np.isnan(report.negative_mass).all()
    assert variance_report(lambda k: (k - 1.0, 0 * k, 0 * k)).status is Status.NOT_IDENTIFIED


def test_expiries_must_rise():
    with pytest.raises(InputError, match="order of expiry"):
        arbitrage_report([flat(0.2, 1.0), flat(0.2, 0.5)])
    with pytest.raises(InputError, match="first and last strike of 1"):
        arbitrage_report(flat(0.2, 1.0), quoted=[])
