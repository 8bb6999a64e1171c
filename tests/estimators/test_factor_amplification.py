"""Amplification: the ratio by hand, coverage on nights with a known one, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.factors.amplification import MIN_ROWS, MIN_RUNS, amplification
from eventtape.estimators.probability.local_level import REGIMES

BASE, MODERATE, SHOCK = (REGIMES.index(word) for word in ("baseline", "moderate", "shock"))


def night(seed, *, rows=480, names=20, stick=0.7, ratio=1.0, persistence=0.97, common=0.5, df=5):
    """Returns ``(rows, names)`` whose volatility clusters, one by one and all together, and regimes
    in runs: drawn 70/22/8, each kept with chance ``stick``. Shocks are ``ratio`` times louder."""
    rng = np.random.default_rng(seed)
    h = np.zeros((rows, names + 1))
    h[0] = rng.standard_normal(names + 1)
    for t in range(1, rows):
        noise = np.sqrt(1.0 - persistence**2) * rng.standard_normal(names + 1)
        h[t] = persistence * h[t - 1] + noise
    z = rng.standard_t(df, (rows, names + 1)) * np.sqrt((df - 2.0) / df)
    both = np.sqrt(common) * z[:, :1] + np.sqrt(1.0 - common) * z[:, 1:]
    e = 1e-4 * np.exp(0.3 * (h[:, :1] + h[:, 1:])) * both * rng.uniform(0.5, 3.0, names)
    regime = np.zeros(rows, np.int64)
    for t in range(rows):
        stays = t > 0 and rng.uniform() < stick
        regime[t] = regime[t - 1] if stays else 1 + rng.choice(3, p=[0.7, 0.22, 0.08])
    e[regime == SHOCK] *= ratio
    e[regime == MODERATE] *= np.sqrt(ratio)
    return e, regime


def now_and_then(seed, *, rows=500, names=20, ratio=2.3):
    """Normal returns, three rows in ten ``ratio`` times louder; of the quiet ones half the names
    show only three in ten. The truth is in every name alike."""
    rng = np.random.default_rng(seed)
    e = rng.standard_normal((rows, names)) * rng.uniform(0.5, 3.0, names)
    regime = np.where(rng.uniform(size=rows) < 0.3, SHOCK, BASE)
    e[regime == SHOCK] *= ratio
    gone = (rng.uniform(size=e.shape) >= 0.3) & (regime == BASE)[:, None]
    gone[:, names // 2 :] = False
    return np.where(gone, np.nan, e), regime


@pytest.mark.parametrize("panel", [night(0, ratio=2.3), now_and_then(0)])
def test_the_ratio_by_hand(panel):
    """Scales and ratio by turns, each from the other, until neither moves."""
    e, regime = panel
    found = amplification(e, regime, a=SHOCK, b=BASE)
    rows_a, rows_b = regime == SHOCK, regime == BASE
    want = 1.0
    for _ in range(200):
        quiet = np.where(rows_a[:, None], e / want, e)
        own = np.nanmean(quiet[rows_a | rows_b] ** 2, axis=0)
        m = np.nanmean(quiet**2 / own, axis=1)
        want *= np.sqrt(np.mean(m[rows_a]) / np.mean(m[rows_b]))
    assert found.ratio == pytest.approx(want, rel=1e-12)
    assert found.lower < found.ratio < found.upper
    assert (found.rows_a, found.rows_b) == (rows_a.sum(), rows_b.sum())
    assert found.runs_a == np.count_nonzero(np.diff(np.r_[0, rows_a]) == 1)
    other_way = amplification(e, regime, a=BASE, b=SHOCK)
    assert other_way.ratio == pytest.approx(1.0 / want, rel=1e-12)


def test_every_shift_is_what_it_says():
    """The Fourier transform against moving the regimes one row at a time."""
    from eventtape.estimators.factors.amplification import _shifted

    e, regime = night(1, rows=90)
    m, seen = (e**2).mean(axis=1), np.ones(90, bool)
    seen[[4, 40]] = False
    m[~seen] = 0.0
    in_a, in_b = (regime == SHOCK) & seen, (regime == BASE) & seen
    draws = _shifted(m, seen, in_a, in_b)
    for k in range(90):
        a, b = np.roll(in_a, k) & seen, np.roll(in_b, k) & seen
        assert draws[k] == pytest.approx(0.5 * np.log(m[a].mean() / m[b].mean()), abs=1e-12)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_scale_and_quiet_names_change_nothing(scale):
    e, regime = night(2, ratio=1.5)
    one = amplification(e, regime, a=SHOCK, b=BASE)
    quiet = np.column_stack([np.zeros(len(e)), scale * e, np.full(len(e), np.nan)])
    two = amplification(quiet, regime, a=SHOCK, b=BASE)
    np.testing.assert_allclose(two[:3], one[:3], rtol=1e-4)  # ends are searched for to 1e-5
    assert two[3:] == one[3:]
    assert one.names == 20


def test_a_ratio_of_all_returns_alike_is_in_the_answer_times_over():
    """Shocks made g times louder move ratio and ends by g, whoever is missing when."""
    e, regime = now_and_then(3, ratio=1.0)
    one = amplification(e, regime, a=SHOCK, b=BASE)
    louder = np.where((regime == SHOCK)[:, None], 4.0 * e, e)
    two = amplification(louder, regime, a=SHOCK, b=BASE)
    np.testing.assert_allclose(two[0], 4.0 * one[0], rtol=1e-12)
    np.testing.assert_allclose(two[1:3], np.multiply(4.0, one[1:3]), rtol=1e-4)


def test_a_name_needs_rows_of_both_regimes():
    e, regime = now_and_then(4)
    short = np.flatnonzero(regime == SHOCK)[MIN_ROWS - 1 :]
    e[short, 7] = np.nan
    without = amplification(np.delete(e, 7, axis=1), regime, a=SHOCK, b=BASE)
    found = amplification(e, regime, a=SHOCK, b=BASE)
    assert found == without
    assert found.names == 19
    e[short[0], 7] = 1.0
    assert amplification(e, regime, a=SHOCK, b=BASE).names == 20
    e[regime == SHOCK] = np.nan
    nobody = amplification(e, regime, a=SHOCK, b=BASE)
    assert nobody.names == 0
    assert nobody.status is Status.TOO_FEW


def test_too_few_stretches_and_silence_are_refused():
    e, regime = night(3)
    few = np.where(np.arange(480) < 400, regime, BASE)
    few[few == SHOCK] = BASE
    few[:40:10] = few[1:41:10] = SHOCK
    found = amplification(e, few, a=SHOCK, b=BASE)
    assert found.status is Status.TOO_FEW
    assert found.runs_a == 4 < MIN_RUNS
    assert np.isnan(found.ratio)
    silent = amplification(np.zeros_like(e), regime, a=SHOCK, b=BASE)
    assert silent.status in {Status.TOO_FEW, Status.NOT_IDENTIFIED}
    assert np.isnan(silent.upper)
    for change, words in (
        (lambda: amplification(e[:-1], regime, a=SHOCK, b=BASE), "a code each time"),
        (lambda: amplification(np.where(e == e[3, 1], np.inf, e), regime, a=3, b=1), "row 4"),
        (lambda: amplification(e, regime, a=BASE, b=BASE), "two regimes"),
        (lambda: amplification(e, regime * 1.0, a=SHOCK, b=BASE), "whole regime codes"),
    ):
        with pytest.raises(InputError, match=words):
            change()


def covered(runs, *, seldom=False, **kind):
    """Nights that gave an interval, and the share of those that hold the truth. Where ``seldom``,
    ten of the twenty names are seen in three of ten quiet rows."""
    truth = kind.get("ratio", 1.0)
    held = []
    for seed in range(runs):
        e, regime = night(seed, **kind)
        if seldom:
            drawn = np.random.default_rng(10_000 + seed).uniform(size=e.shape)
            gone = (drawn >= 0.3) & (regime == BASE)[:, None] & (np.arange(20) < 10)
            e = np.where(gone, np.nan, e)
        found = amplification(e, regime, a=SHOCK, b=BASE)
        if found.status is Status.OK:
            held.append(found.lower <= truth <= found.upper)
    return len(held), float(np.mean(held))


def test_names_missing_in_one_regime_leave_the_interval_honest():
    """200 panels for which levels from all rows, as they are, would give 2.17 on average."""
    found, pulled = [], []
    for seed in range(200):
        e, regime = now_and_then(seed)
        found.append(amplification(e, regime, a=SHOCK, b=BASE))
        m = np.nanmean(e**2 / np.nanmean(e**2, axis=0), axis=1)
        pulled.append(np.sqrt(m[regime == SHOCK].mean() / m[regime == BASE].mean()))
    assert np.mean(pulled) == pytest.approx(2.17, abs=0.005)
    assert np.mean([one.ratio for one in found]) == pytest.approx(2.3, abs=0.01)
    assert np.mean([one.lower <= 2.3 <= one.upper for one in found]) >= 0.93


def test_a_quiet_night_is_one_within_its_interval():
    """200 placebo nights: 95% +- 2.5 standard errors of 1.5 points."""
    n, share = covered(200)
    assert n > 170
    assert 0.91 <= share <= 0.99, share


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "given", "share"),
    [
        ({"stick": 0.3}, 1000, 0.947),
        ({"stick": 0.3, "ratio": 2.3, "persistence": 0.99}, 1000, 0.950),
        ({"stick": 0.7}, 988, 0.962),
        ({"stick": 0.9, "ratio": 2.3}, 297, 0.963),  # most have too few stretches
        ({"rows": 1440, "stick": 0.9, "persistence": 0.99}, 991, 0.945),
        ({"stick": 0.7, "common": 0.8, "df": 4.1}, 991, 0.957),
        ({"ratio": 2.3, "seldom": True}, 988, 0.979),
        ({"ratio": 2.3, "rows": 1440, "seldom": True}, 1000, 0.955),
    ],
)
def test_coverage_on_eight_kinds_of_night(kind, given, share):
    """The table of ``docs/factors.md``: 1,000 nights each; the standard error of a share of 95% is
    then 0.7 points."""
    found = covered(1000, **kind)
    assert found == (given, pytest.approx(share, abs=0.002))
