"""Series of one clock: plateaus of one expected height on either side of the lag are one top."""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.lead_lag import contrasts, lead_lag

S = 10**9
LAGS = np.arange(-10, 11) * S
TENTHS = 10  # of a second: the walk's own grid


def clocked(seed, lag_s, *, n=1_200, own=0.3, offset_s=0.0, clock=S):
    """Both seen once a ``clock``, Y later by ``lag_s`` clocks and with a walk of its own."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.standard_normal((n + 40) * TENTHS)) / np.sqrt(TENTHS)
    at = (np.arange(n) + 20) * TENTHS
    t = np.arange(n) * clock
    y = walk[at + round((offset_s - lag_s) * TENTHS)] + own * np.cumsum(rng.standard_normal(n))
    return t, walk[at], t + round(offset_s * clock), y


@pytest.mark.parametrize("lag_s", [1.0, 0.0, -3.0])
def test_whole_lags_are_found_where_two_plateaus_tie(lag_s):
    """A tie is missed by chance in about one of twenty, and then the lag is half a step off."""
    found = [lead_lag(*clocked([1, seed], lag_s), LAGS, n_draws=199) for seed in range(30)]
    off = np.array([one.lag_s for one in found]) - lag_s
    assert np.sum(np.abs(off) < 0.05) >= 26
    assert np.abs(off).max() < 0.55
    assert all(one.lower <= lag_s <= one.upper for one in found)
    width = np.array([one.upper - one.lower for one in found])
    assert np.all(width < 2.0)


@pytest.mark.parametrize(("lag_s", "offset_s"), [(1.5, 0.0), (-2.5, 0.0), (1.4, 0.4)])
def test_lags_in_the_middle_of_one_plateau_stay_there(lag_s, offset_s):
    """Y's clock ``offset_s`` behind: at lag 1.4 ticks meet. Wanted: the middle, or both sides."""
    for seed in range(10):
        out = lead_lag(*clocked([2, seed], lag_s, offset_s=offset_s), LAGS, n_draws=199)
        assert out.status is Status.OK
        assert abs(out.lag_s - lag_s) < 0.55
        assert out.lower <= lag_s <= out.upper
    assert out.lag_s == pytest.approx(lag_s, abs=0.05)


def test_the_top_takes_the_neighbours_that_two_standard_errors_leave():
    """By the double sum itself: its terms at the middle of each plateau, and their difference."""
    seen = set()
    for seed in range(30):
        tx, x, ty, y = clocked([3, seed], 1.2, n=400, own=1.0)
        out = lead_lag(tx, x, ty, y, LAGS, n_draws=199)
        dx, dy = np.diff(x), np.diff(y)
        terms = {}
        for m in range(-10, 10):  # on (m, m + 1) interval i meets intervals i + m and i + m + 1
            reach = [
                np.where((i >= 0) & (i < dy.size), dy[np.clip(i, 0, dy.size - 1)], 0.0)
                for i in (np.arange(dx.size) + m, np.arange(dx.size) + m + 1)
            ]
            terms[m] = dx * (reach[0] + reach[1])
        size = {m: abs(part.sum()) for m, part in terms.items()}
        m = max(size, key=size.__getitem__)
        middle = contrasts(tx, x, ty, y, np.array([m * S + S // 2]))[0]
        assert abs(middle) == pytest.approx(size[m], rel=1e-9)
        knots = np.abs(contrasts(tx, x, ty, y, np.array([m, m + 1]) * S))
        if out.status is not Status.OK or knots.max() > size[m]:
            continue
        sign = np.sign(terms[m].sum())
        ends = [m, m + 1]
        for k, end in ((m - 1, 0), (m + 1, 1)):
            short = sign * (terms[m] - terms[k])
            if short.sum() <= 2.0 * np.sqrt(np.sum(short**2)):
                ends[end] += 2 * end - 1
        assert out.lag_s == pytest.approx(sum(ends) / 2.0, abs=0.026)
        seen.add(tuple(np.array(ends) - m))
    assert {(0, 1), (-1, 1)} <= seen


def test_ticks_without_a_clock_have_no_neighbours():
    """A nanosecond on one tick leaves no common step; C itself hardly moves."""
    tx, x, ty, y = clocked([1, 3], 1.0)
    regular = lead_lag(tx, x, ty, y, LAGS, n_draws=199)
    ty = ty.copy()
    ty[7] += 1
    broken = lead_lag(tx, x, ty, y, LAGS, n_draws=199)
    assert regular.lag_s == pytest.approx(1.0, abs=0.01)
    assert broken.lag_s in (pytest.approx(0.5, abs=0.03), pytest.approx(1.5, abs=0.03))
    np.testing.assert_allclose(broken.contrast, regular.contrast, atol=30.0)


def test_names_and_unit_of_the_clock_do_not_matter():
    for seed in range(5):
        tx, x, ty, y = clocked([4, seed], 2.0)
        one = lead_lag(tx, x, ty, y, LAGS, n_draws=199)
        back = lead_lag(ty, y, tx, x, LAGS, n_draws=199)
        assert one.lag_s == pytest.approx(-back.lag_s, abs=1e-9)
        slow = lead_lag(60 * tx, x, 60 * ty, y, 60 * LAGS, n_draws=199)
        assert slow.lag_s == pytest.approx(60.0 * one.lag_s, rel=1e-12)
        assert (slow.lower, slow.upper) == pytest.approx((60.0 * one.lower, 60.0 * one.upper))


def test_the_seed_draws_the_interval_not_the_lag():
    data = clocked([5, 0], 1.0)
    one, two = (lead_lag(*data, LAGS, n_draws=199, seed=seed) for seed in (0, 1))
    assert one.lag_s == two.lag_s
    assert one.null_band != two.null_band


def test_an_interval_that_stands_ends_inside_the_grid():
    """The lag moved step by step towards the grid's end: refused before an end is the grid's."""
    statuses = []
    for lag_s in range(5, 11):
        out = lead_lag(*clocked([6, 0], float(lag_s)), LAGS, n_draws=199)
        statuses.append(out.status)
        if out.status is Status.OK:
            assert -10.0 < out.lower <= out.upper < 10.0
    assert statuses[0] is Status.OK
    assert statuses[-1] is Status.NO_CONVERGENCE


def test_times_in_seconds_are_refused():
    """A time in seconds was cut to whole ns, and lags in seconds searched a few ns, in silence."""
    tx, x, ty, y = clocked([7, 0], 1.0)
    for call in (lead_lag, contrasts):
        with pytest.raises(InputError, match=r"row 2, column 'tx': met 0\.5, wanted .*whole ns"):
            call(tx * 0.5e-9, x, ty, y, LAGS)
        with pytest.raises(InputError, match=r"column 'lags': met -0\.5, wanted lags in whole ns"):
            call(tx, x, ty, y, np.array([-0.5, 0.0, 0.5]))
        with pytest.raises(InputError, match="column 'y': met '<U1', wanted an array of numbers"):
            call(tx, x, ty, np.full(ty.size, "a"), LAGS)
    with pytest.raises(InputError, match="met 20, wanted lags in ns"):
        lead_lag(tx, x, ty, y, np.arange(-10, 11))


def test_times_as_datetimes_and_whole_floats_are_the_same_times():
    tx, x, ty, y = clocked([8, 0], 1.0, n=300)
    base = contrasts(tx, x, ty, y, LAGS)
    for unit in ("ns", "us", "s"):
        as_times = (t.astype("datetime64[ns]").astype(f"datetime64[{unit}]") for t in (tx, ty))
        first, second = as_times
        lags = LAGS.astype("timedelta64[ns]").astype(f"timedelta64[{unit}]")
        assert contrasts(first, x, second, y, lags).tolist() == base.tolist()
    assert contrasts(tx.astype(float), x, ty, y, LAGS).tolist() == base.tolist()
