"""Premium and odds apart: found where they part, seldom where nothing links them, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.premium.divergence import _scored, divergences

DAY = 86_400 * 10**9
PARTED = 60


def linked(rng, n=120, rho=0.8, apart=0.0, window=5):
    """Two walks with linked steps; from row PARTED the premium falls over one window."""
    e = rng.standard_normal((2, n))
    e[0] = rho * e[1] + math.sqrt(1.0 - rho**2) * e[0]
    e[0, PARTED + 1 : PARTED + 1 + window] -= apart * math.sqrt((1.0 - rho**2) / window)
    x, y = np.cumsum(e, axis=1)
    return np.arange(n) * DAY, 0.08 + 0.002 * x, 0.5 + 0.01 * y


def found_in(make, runs, seed=1, **given):
    """Part of runs in which any divergence is found, and in which one is where it was put."""
    rng, shown, hit = np.random.default_rng(seed), 0, 0
    for i in range(runs):
        t, x, y = make(rng)
        found = divergences(t, x, y, seed=i, **given).found
        shown += bool(found)
        hit += any(abs(d.start_ns - PARTED * DAY) <= 2 * DAY for d in found)
    return shown / runs, hit / runs


def test_unrelated_series_seldom_part():
    shown, _ = found_in(lambda rng: linked(rng, rho=0.0), 120, window=5, n_draws=99)
    assert shown <= 0.11  # 5%; a standard error is 0.02


def test_a_window_apart_is_found_where_it_is():
    shown, hit = found_in(lambda rng: linked(rng, apart=9.0), 40, window=5, n_draws=99)
    assert hit >= 0.85
    assert shown == hit


@pytest.mark.slow
@pytest.mark.parametrize("storm", [0.0, 1.2])
@pytest.mark.parametrize(("n", "window"), [(120, 5), (120, 10), (400, 14)])
def test_false_alarms_are_as_many_as_stated(n, window, storm):
    """Independent walks, one variance or a volatility that both share."""

    def make(rng):
        e = rng.standard_normal((2, n))
        e *= np.exp(storm * np.cumsum(rng.standard_normal(n)) / math.sqrt(n))
        return np.arange(n) * DAY, *np.cumsum(e, axis=1)

    shown, _ = found_in(make, 400, window=window, n_draws=199)
    assert shown <= 0.05 + 3 * 0.011 + 0.02 * (storm > 0.0)


@pytest.mark.slow
def test_linked_series_that_do_not_part_are_left_alone():
    shown, _ = found_in(linked, 400, window=5, n_draws=199)
    assert shown <= 0.05 + 3 * 0.011


def test_what_is_said_of_a_divergence_is_what_happened():
    t, x, y = linked(np.random.default_rng(3), n=300, rho=0.9, apart=12.0)
    y[PARTED + 5 :] += 0.05  # the odds rise while the premium falls, as in the seed
    out = divergences(t, x, y, window=5)
    assert out.status is Status.OK
    assert out.slope == pytest.approx(0.18, abs=0.05)
    assert out.slope_p_value == pytest.approx(1 / 500)
    worst = max(out.found, key=lambda d: abs(d.score))
    row = worst.start_ns // DAY
    assert abs(row - PARTED) <= 2
    assert worst.end_ns - worst.start_ns == 5 * DAY
    assert worst.premium_change == pytest.approx(x[row + 5] - x[row])
    assert worst.odds_change == pytest.approx(y[row + 5] - y[row])
    assert worst.predicted == pytest.approx(out.slope * worst.odds_change)
    assert worst.score < -out.bound
    assert worst.opposed
    assert worst.p_value <= 0.05
    assert out.scores[row] == worst.score


def test_windows_do_not_overlap_and_come_in_order():
    t, x, y = linked(np.random.default_rng(4), n=300, apart=14.0)
    x[200:] += 0.03
    out = divergences(t, x, y, window=5)
    starts = [d.start_ns for d in out.found]
    assert len(starts) >= 2
    assert min(np.diff(starts)) >= 5 * DAY
    assert any(abs(s // DAY - 198) <= 3 for s in starts)


def test_odds_that_predict_nothing_are_named():
    t, x, y = linked(np.random.default_rng(5), rho=0.0)
    out = divergences(t, x, y, window=5)
    assert out.status is Status.NOT_RESOLVED
    assert "predict nothing" in out.reason
    assert out.slope_p_value > 0.05


def test_the_slope_is_of_least_absolute_deviations_and_scores_are_robust():
    rng = np.random.default_rng(6)
    a, b = rng.standard_normal(41), rng.standard_normal((3, 41))
    b[1, :9] = 0.0
    slopes, scores = _scored(a, b)
    for slope, score, row in zip(slopes, scores, b, strict=True):
        ratios = a[row != 0.0] / row[row != 0.0]
        best = min(np.abs(a - r * row).sum() for r in ratios)
        assert np.abs(a - slope * row).sum() == pytest.approx(best)
        residual = a - slope * row
        np.testing.assert_allclose(score, residual / (1.4826 * np.median(np.abs(residual))))


def test_holes_are_left_out_and_units_do_not_matter():
    t, x, y = linked(np.random.default_rng(7), apart=12.0)
    plain = divergences(t, x, y, window=5)
    scaled = divergences(t, 100.0 * x, y / 7.0, window=5)
    np.testing.assert_allclose(scaled.scores, plain.scores, rtol=1e-9)
    assert [d.start_ns for d in scaled.found] == [d.start_ns for d in plain.found]
    x[20:25], y[90] = math.nan, math.nan
    out = divergences(t, x, y, window=5)
    hidden = np.isnan(out.scores)
    assert hidden[[15, 20, 24, 85, 90]].all()
    assert hidden.sum() == 10 + 2
    assert all(math.isfinite(d.premium_change) for d in out.found)


def test_what_cannot_be_said_is_not_said():
    t, x, y = linked(np.random.default_rng(8))
    few = divergences(t, x, y, window=20)
    assert (few.status, few.found) == (Status.TOO_FEW, ())
    assert few.n_windows < 8
    still = divergences(t, x, np.where(np.arange(120) < 100, 0.5, y), window=5)
    assert (still.status, still.found) == (Status.NOT_IDENTIFIED, ())
    assert math.isnan(still.slope)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"odds": np.zeros(3)}, r"one shape \(n,\)"),
        ({"ts_ns": np.zeros(120, np.int64)}, "row 2, column 'ts': wanted rising times"),
        ({"window": 0}, "a window of at least one row"),
        ({"false_alarms": 0.001}, "a rate of false alarms 499 placebos can show"),
        ({"premium": np.full(120, math.inf)}, "row 1, column 'premium'"),
    ],
    ids=["shape", "times", "window", "rate", "inf"],
)
def test_bad_input_is_named(given, wanted):
    t, x, y = linked(np.random.default_rng(9))
    with pytest.raises(InputError, match=wanted):
        divergences(**({"ts_ns": t, "premium": x, "odds": y, "window": 5} | given))
