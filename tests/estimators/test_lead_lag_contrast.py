"""Hoffmann-Rosenbaum-Yoshida against the double sum it is, and against known lags."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.lead_lag import contrasts, lead_lag

S = 10**9
COMMON = {"derandomize": True, "deadline": None}


def double_sum(tx, x, ty, y, lag):
    """Every increment against every increment: (a, b] meets (c, d] moved back by the lag."""
    total = 0.0
    for i in range(len(tx) - 1):
        a, b = int(tx[i]), int(tx[i + 1])
        for j in range(len(ty) - 1):
            c, d = int(ty[j]) - lag, int(ty[j + 1]) - lag
            if a < d and c < b:
                total += (x[i + 1] - x[i]) * (y[j + 1] - y[j])
    return total


def times(max_size=15, high=40):
    return st.lists(st.integers(0, high), min_size=2, max_size=max_size, unique=True).map(
        lambda t: np.sort(np.array(t, np.int64))
    )


@settings(max_examples=400, **COMMON)
@given(times(), times(), st.integers(-60, 60), st.integers(0, 10**6))
def test_contrast_is_the_double_sum(tx, ty, lag, seed):
    """Small whole times, so that ends meet often; whole levels, so that sums are exact."""
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(-9, 10, t.size).astype(float) for t in (tx, ty))
    assert contrasts(tx, x, ty, y, np.array([lag]))[0] == double_sum(tx, x, ty, y, lag)


def asynchronous(seed, *, n=300, lag_s=0.0, span_s=20_000, noise=0.0, link=1.0):
    """One walk at whole milliseconds seen at two sets of random times, Y later by ``lag_s``.

    Levels come from a walk on a 1 s grid, read between its points as a step: exact enough for lags
    of tens of seconds, and Y's own noise is another walk.
    """
    rng = np.random.default_rng(seed)
    pad = 2_000
    walk = np.cumsum(rng.standard_normal(span_s + 2 * pad))
    other = np.cumsum(rng.standard_normal(span_s + 2 * pad))

    def seen(count, shift, path):
        t = np.unique((rng.uniform(0, span_s, count) * S).astype(np.int64))
        return t, path[(t * 1e-9 - shift + pad).astype(np.int64)]

    tx, x = seen(n, 0.0, walk)
    ty, y = seen(n + 57, lag_s, link * walk)
    at = (ty * 1e-9 + pad).astype(np.int64)
    return tx, x, ty, y + noise * other[at]


@pytest.mark.parametrize("lag", [-333_333_333_333, -1, 0, 1, 777, 59_999_999_999, 10**12 + 1])
def test_contrast_at_any_real_lag(lag):
    """Nanosecond times and lags that are no multiple of anything. 1e-12: another order of sums."""
    tx, x, ty, y = asynchronous(1, n=150)
    got = contrasts(tx, x, ty, y, np.array([lag]))[0]
    assert got == pytest.approx(double_sum(tx, x, ty, y, lag), rel=1e-12, abs=1e-9)


@settings(max_examples=200, **COMMON)
@given(times(), times(), st.integers(0, 10**6))
def test_swapping_names_turns_the_lag(tx, ty, seed):
    """C_xy(theta) = C_yx(-theta), bit for bit on whole levels."""
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(-9, 10, t.size).astype(float) for t in (tx, ty))
    lags = np.arange(-50, 51)
    np.testing.assert_array_equal(contrasts(tx, x, ty, y, lags), contrasts(ty, y, tx, x, -lags))


def test_contrast_without_lag_is_hayashi_yoshida_of_one_series_with_itself():
    """A series meets itself and nothing else: realised variance, on any clock."""
    tx, x, _, _ = asynchronous(2)
    assert contrasts(tx, x, tx, x, np.array([0]))[0] == pytest.approx(np.sum(np.diff(x) ** 2))


def test_contrast_scales_shifts_and_ignores_levels():
    tx, x, ty, y = asynchronous(3, lag_s=40.0)
    lags = np.arange(-300, 301, 7) * S
    base = contrasts(tx, x, ty, y, lags)
    np.testing.assert_allclose(contrasts(tx, -4.0 * x, ty, 0.5 * y, lags), -2.0 * base, rtol=1e-13)
    np.testing.assert_allclose(
        contrasts(tx, x + 1e3, ty, y - 1e3, lags), base, atol=1e-9 * np.abs(base).max()
    )
    week = 7 * 86_400 * S
    np.testing.assert_array_equal(contrasts(tx + week, x, ty + week, y, lags), base)
    # Moving Y's clock by d moves its lag by d.
    np.testing.assert_array_equal(contrasts(tx, x, ty + 5 * S, y, lags + 5 * S), base)


def test_series_that_never_meet_have_no_contrast():
    tx, x, ty, y = asynchronous(4)
    far = int(tx[-1] + ty[-1]) + 1
    assert contrasts(tx, x, ty, y, np.array([-far, far])).tolist() == [0.0, 0.0]
    assert contrasts(tx, np.full(tx.size, 3.0), ty, y, np.array([0]))[0] == 0.0


LAGS = np.arange(-300, 301, 20) * S


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("lag_s", [-137.0, -40.0, 0.0, 40.0, 137.0])
def test_a_known_lag_is_found(lag_s, sign):
    """20 pairs each, about 60 s between ticks. The error of one lag is a part of that spacing: the
    median must be within 10 s, and 95% intervals must hold the truth in at least 16 of 20
    (chance under .95: 0.3% to fall below).
    """
    found, held = [], 0
    for seed in range(20):
        out = lead_lag(
            *asynchronous([5, seed], lag_s=lag_s, noise=0.5, link=sign), LAGS, n_draws=199
        )
        assert out.status is Status.OK
        assert out.lower <= out.upper
        found.append(out.lag_s)
        held += out.lower <= lag_s <= out.upper
    assert abs(np.median(found) - lag_s) < 10.0
    assert held >= 16


@pytest.mark.parametrize(("lag_s", "x_leads"), [(100.0, True), (-100.0, False)])
def test_ratio_says_who_leads(lag_s, x_leads):
    out = lead_lag(*asynchronous(6, lag_s=lag_s, noise=0.3), LAGS)
    assert (out.ratio > 1.0) is x_leads
    ahead, behind = LAGS > 0, LAGS < 0
    assert out.ratio == pytest.approx(
        np.sum(out.contrast[ahead] ** 2) / np.sum(out.contrast[behind] ** 2)
    )


def test_the_answer_carries_the_contrast_it_searched():
    tx, x, ty, y = asynchronous(7, lag_s=60.0, noise=0.3)
    out = lead_lag(tx, x, ty, y, LAGS)
    np.testing.assert_allclose(out.contrast, contrasts(tx, x, ty, y, LAGS), rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(out.lags_s, LAGS / S, rtol=1e-15)
    assert np.abs(out.contrast).max() > out.null_band > 0.0


def test_the_peak_is_the_largest_contrast_on_a_fine_grid():
    """Every 0.5 s by the double pointer: no lag may have a contrast above that of the one named."""
    tx, x, ty, y = asynchronous(8, lag_s=73.0, noise=0.3)
    out = lead_lag(tx, x, ty, y, LAGS)
    fine = np.arange(-600, 601) * (S // 2)
    named = np.abs(contrasts(tx, x, ty, y, np.array([round(out.lag_s * S)])))[0]
    assert named == pytest.approx(np.abs(contrasts(tx, x, ty, y, LAGS)).max(), rel=0.25)
    assert named >= 0.97 * np.abs(contrasts(tx, x, ty, y, fine)).max()


def test_placebo_finds_a_link_as_often_as_it_says():
    """Independent walks on clocks of their own: 5% of 1,000 pairs, within 3.3 binomial se."""
    n = 1000
    found = sum(
        lead_lag(*asynchronous([9, seed], n=80, link=0.0, noise=1.0), LAGS, n_draws=199).p_value
        <= 0.05
        for seed in range(n)
    )
    assert abs(found / n - 0.05) < 3.3 * math.sqrt(0.05 * 0.95 / n)


def test_a_lag_beyond_the_search_is_no_lag():
    """The truth lies outside the grid: the search ends at its bound and says so."""
    outside = np.arange(-20, 21) * S
    for seed in range(10):
        tx, x, ty, y = asynchronous([15, seed], n=300, link=1.0, noise=0.1)
        out = lead_lag(tx, x, ty + 25 * S, y, outside)
        assert out.status is not Status.OK
        assert math.isnan(out.lag_s)


def test_too_few_draws_for_the_level_are_refused():
    with pytest.raises(InputError, match="at least 19 draws"):
        lead_lag(*asynchronous([16, 0], n=80, link=1.0, noise=0.1), LAGS, n_draws=10)


def test_placebo_with_moves_of_very_different_size():
    """Both series restless at the same hour, and independent: still about 5% (400 pairs)."""
    n, found = 400, 0
    for seed in range(n):
        rng = np.random.default_rng([10, seed])
        grid = np.arange(6_000)
        loud = np.exp(2.0 * np.sin(grid / 600.0))
        parts = []
        for count in (120, 150):
            path = np.cumsum(loud * rng.standard_normal(grid.size))
            t = np.sort(rng.choice(grid, count, replace=False))
            parts += [t * S, path[t]]
        found += lead_lag(*parts, LAGS, n_draws=199).p_value <= 0.05
    assert abs(found / n - 0.05) < 3.3 * math.sqrt(0.05 * 0.95 / n)


def test_same_seed_same_answer():
    data = asynchronous(11, lag_s=50.0, noise=0.5)
    one, two, other = (lead_lag(*data, LAGS, seed=s) for s in (4, 4, 5))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.null_band != other.null_band
    assert one.lag_s == other.lag_s  # the seed draws the interval, not the estimate


def mirrored(out, back):
    """Whether two answers are one with the names swapped.

    0.5 s is the finest step searched: C is flat between ticks, and a tie goes to the lowest lag.
    """
    same = (
        out.status is back.status
        and out.p_value == back.p_value
        and out.lag_s == pytest.approx(-back.lag_s, abs=0.5001)
        and out.lower == pytest.approx(-back.upper, abs=0.5001)
        and out.upper == pytest.approx(-back.lower, abs=0.5001)
        and out.ratio == pytest.approx(1.0 / back.ratio, rel=1e-9)
    )
    np.testing.assert_allclose(out.contrast, back.contrast[::-1], atol=1e-8)
    return same


@pytest.mark.parametrize("seed", range(6))
def test_which_series_is_named_first_does_not_matter(seed):
    tx, x, ty, y = asynchronous([12, seed], lag_s=60.0, noise=0.5)
    assert tx.size != ty.size
    assert mirrored(lead_lag(tx, x, ty, y, LAGS), lead_lag(ty, y, tx, x, LAGS))


def test_which_is_named_first_does_not_matter_with_equal_counts():
    same = []
    for seed in range(6):
        tx, x, ty, y = asynchronous([12, seed], lag_s=60.0, noise=0.5)
        ty, y = ty[: tx.size], y[: tx.size]
        same.append(mirrored(lead_lag(tx, x, ty, y, LAGS), lead_lag(ty, y, tx, x, LAGS)))
    assert all(same)


@pytest.mark.parametrize(("offset_s", "lag_s"), [(0, 100), (15, 120), (15, 100), (30, 120)])
def test_two_minute_clocks(offset_s, lag_s):
    """Both seen once a minute, Y's clock ``offset_s`` later: the data cannot tell lags within the
    minute apart, so the interval must hold the truth (16 of 20) and the estimate must not lean by
    more than a third of the minute.
    """
    error, held = [], 0
    for seed in range(20):
        rng = np.random.default_rng([13, seed])
        walk = np.cumsum(rng.standard_normal(30_000))
        tx = np.arange(0, 24_000, 60)
        ty = tx + offset_s
        own = 0.3 * math.sqrt(60.0) * np.cumsum(rng.standard_normal(ty.size))
        x, y = walk[tx + 1_000], walk[ty + 1_000 - lag_s] + own
        out = lead_lag(tx * S, x, ty * S, y, np.arange(-600, 601, 60) * S, n_draws=199)
        error.append(out.lag_s - lag_s)
        held += out.lower <= lag_s <= out.upper
    assert abs(np.mean(error)) < 20.0
    assert held >= 16


def test_under_thirty_increments_are_too_few():
    tx, x, ty, y = asynchronous(14, n=200)
    for out in (
        lead_lag(tx[:30], x[:30], ty, y, LAGS),
        lead_lag(tx, x, ty[:30], y[:30], LAGS),
    ):
        assert out.status is Status.TOO_FEW
        assert np.isnan([out.lag_s, out.lower, out.upper, out.ratio, out.p_value]).all()
        assert np.isnan(out.contrast).all()
        assert out.contrast.shape == LAGS.shape
    assert lead_lag(tx[:31], x[:31], ty, y, LAGS).status is not Status.TOO_FEW


def test_a_series_that_never_moves_has_no_link():
    tx, _, ty, y = asynchronous(15)
    out = lead_lag(tx, np.full(tx.size, 2.0), ty, y, LAGS)
    assert out.status is Status.NOT_IDENTIFIED
    assert out.p_value == 1.0
    assert np.isnan([out.lag_s, out.lower, out.upper, out.ratio]).all()
    assert (out.contrast == 0.0).all()


def test_without_a_link_the_numbers_are_nan_and_the_contrast_stays():
    data = asynchronous(16, link=0.0, noise=1.0)
    out = lead_lag(*data, LAGS)
    assert out.status is Status.NOT_IDENTIFIED
    assert out.p_value > 0.05
    assert np.isnan([out.lag_s, out.lower, out.upper, out.ratio]).all()
    np.testing.assert_allclose(out.contrast, contrasts(*data, LAGS), atol=1e-8)


def test_an_answer_lies_in_its_interval_and_on_the_grid():
    for seed in range(20):
        out = lead_lag(*asynchronous([17, seed], lag_s=60.0, noise=1.0), LAGS, n_draws=199)
        if out.status is Status.OK:
            assert LAGS[0] / S <= out.lower <= out.lag_s <= out.upper <= LAGS[-1] / S


def test_scale_and_clock_leave_the_answer_alone():
    tx, x, ty, y = asynchronous(18, lag_s=60.0, noise=0.5)
    one = lead_lag(tx, x, ty, y, LAGS)
    two = lead_lag(tx + 10**15, -8.0 * x, ty + 10**15, 0.25 * y, LAGS)  # powers of 2: no rounding
    for field in ("lag_s", "lower", "upper", "ratio", "p_value", "status"):
        assert getattr(one, field) == getattr(two, field)
    np.testing.assert_array_equal(two.contrast, -2.0 * one.contrast)
    assert two.null_band == 2.0 * one.null_band


def test_a_lag_is_of_the_past_only():
    """What comes later changes no contrast of what came before: ticks after the cut are cut off."""
    tx, x, ty, y = asynchronous(19)
    k, m = 100, 120
    whole = contrasts(tx[:k], x[:k], ty[:m], y[:m], LAGS)
    x2, y2 = x.copy(), y.copy()
    x2[k:], y2[m:] = 1e6, -1e6
    np.testing.assert_array_equal(contrasts(tx[:k], x2[:k], ty[:m], y2[:m], LAGS), whole)


@pytest.mark.parametrize("side", ["x", "y"])
@pytest.mark.parametrize("fault", ["nan", "inf", "equal", "falls", "shape", "one"])
def test_bad_input_is_named(side, fault):
    t, v = np.arange(40) * S, np.arange(40.0)
    wrong_t, wrong_v, wanted = t.copy(), v.copy(), "rising times"
    if fault in {"nan", "inf"}:
        wrong_v[5], wanted = float(fault), "a finite value"
    elif fault == "equal":
        wrong_t[5] = wrong_t[4]
    elif fault == "falls":
        wrong_t[5] = wrong_t[4] - 1
    else:
        wrong_v, wanted = wrong_v[:-1], "one shape"
        if fault == "one":
            wrong_t, wrong_v = wrong_t[:1], wrong_v[:1]
    args = (wrong_t, wrong_v, t, v) if side == "x" else (t, v, wrong_t, wrong_v)
    for call in (contrasts, lead_lag):
        with pytest.raises(InputError, match=wanted) as caught:
            call(*args, LAGS)
        if fault in {"nan", "inf", "equal", "falls"}:
            assert (caught.value.row, caught.value.column) == (6, side)


@pytest.mark.parametrize("lags", [[0, S], [0, S, S], [S, 0, -S]])
def test_lags_must_rise(lags):
    with pytest.raises(InputError, match="3 rising lags"):
        lead_lag(*asynchronous(20), np.array(lags))
