"""The level of noisy trades: loops, order statistics, coverage, holes, age."""

from __future__ import annotations

import math
from importlib import import_module

import numpy as np
import pytest
from scipy.stats import binom

from eventtape.errors import InputError
from eventtape.estimators.premium.local_median import local_median


def loops(t, v, n_trades, longest, level):
    """One row at a time, the depth of the order statistics by search."""
    value, lower, upper, count = [], [], [], []
    for i in range(len(t)):
        part = [
            v[j]
            for j in range(max(0, i - n_trades + 1), i + 1)
            if math.isfinite(v[j]) and (longest is None or t[i] - t[j] <= longest)
        ]
        m, part = len(part), sorted(part)
        k = 0
        while k + 1 <= m - k and 2.0 * binom.cdf(k, m, 0.5) <= 1.0 - level:
            k += 1
        value.append(np.median(part) if m else math.nan)
        lower.append(part[k - 1] if k else math.nan)
        upper.append(part[m - k] if k else math.nan)
        count.append(m)
    return np.array(value), np.array(lower), np.array(upper), np.array(count)


@pytest.mark.parametrize("longest", [None, 6], ids=["any age", "six ns"])
@pytest.mark.parametrize(("n_trades", "level"), [(1, 0.95), (8, 0.95), (9, 0.5)])
def test_medians_and_bounds_are_those_of_the_window(n_trades, level, longest):
    rng = np.random.default_rng(1)
    t, v = np.cumsum(rng.integers(0, 4, 80)), rng.standard_normal(80)
    v[rng.random(80) < 0.15] = math.nan
    out = local_median(t, v, n_trades=n_trades, max_age_ns=longest, level=level)
    expected = loops(t, v, n_trades, longest, level)
    for ours, theirs in zip(out[1:4] + out[5:6], expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_six_trades_are_the_fewest_with_bounds_at_95():
    out = local_median(np.arange(7), np.arange(7.0), n_trades=7)
    assert np.isfinite(out.lower).tolist() == [False] * 5 + [True] * 2
    assert (out.lower[5], out.upper[5], out.value[5], out.n_trades[5]) == (0.0, 5.0, 2.5, 6)
    assert out.error[5] == pytest.approx(2.5 / 1.959964, rel=1e-6)


def test_bounds_hold_the_level_whatever_the_law_and_one_bad_trade_moves_nothing():
    rng = np.random.default_rng(2)
    for draw in (rng.standard_normal, lambda n: rng.standard_t(1.5, n)):
        out = local_median(np.arange(20_000), draw(20_000), n_trades=20)
        rows = slice(19, None, 20)  # windows side by side
        held = (out.lower[rows] <= 0.0) & (out.upper[rows] >= 0.0)
        assert 0.945 < held.mean() < 0.985  # 95.9% by the binomial; a standard error is 0.006
    v = 0.5 + 0.01 * rng.standard_normal(50)
    wild = v.copy()
    wild[30] = 5.0
    moved = local_median(np.arange(50), wild).value - local_median(np.arange(50), v).value
    assert np.abs(moved).max() < 0.005


def test_only_the_past_counts_and_chunks_are_not_seen(monkeypatch):
    module = import_module("eventtape.estimators.premium.local_median")

    rng = np.random.default_rng(3)
    t, v = np.sort(rng.integers(0, 500, 200)), rng.standard_normal(200)
    whole = local_median(t, v, n_trades=11, max_age_ns=40)
    part = local_median(t[:90], v[:90], n_trades=11, max_age_ns=40)
    monkeypatch.setattr(module, "_CHUNK", 33)
    small = local_median(t, v, n_trades=11, max_age_ns=40)
    for a, b, c in zip(whole, part, small, strict=True):
        np.testing.assert_array_equal(a[:90], b)
        np.testing.assert_array_equal(a, c)
    assert local_median(t[:0], v[:0]).value.shape == (0,)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"ts_ns": np.array([2, 1])}, "row 2, column 'ts': wanted times that do not fall"),
        ({"values": np.zeros(3)}, "one shape"),
        ({"n_trades": 0}, "at least one trade"),
        ({"max_age_ns": -1}, "a longest age"),
        ({"level": 2.0}, "a level"),
    ],
    ids=["falling", "shape", "none", "age", "level"],
)
def test_bad_input_is_named(given, wanted):
    with pytest.raises(InputError, match=wanted):
        local_median(**({"ts_ns": np.arange(2), "values": np.zeros(2)} | given))
