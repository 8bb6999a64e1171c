"""Running moments: whatever was added and taken away, sums and estimates are the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.errors import InputError
from eventtape.estimators.discovery.moment_updates import (
    add,
    remove,
    roll,
    rolling,
    rolling_moments,
)
from eventtape.estimators.discovery.vecm import vecm, vecm_from_moments
from eventtape.estimators.discovery.vecm_moments import blank_moments, moments, select

EPS = np.finfo(float).eps


def walks(seed, rows, n, *, step=1e-5, level=4.6):
    """n log prices on (n + 1) // 2 walks, in steps of ``step``."""
    rng = np.random.default_rng(seed)
    trends = (n + 1) // 2
    common = np.cumsum(rng.standard_normal((rows, trends)), axis=0)
    own = rng.standard_normal((rows, n))
    return level + step * (common @ rng.standard_normal((trends, n)) + own)


def rows_of(x, lags, seasons, first_season, origin):
    """Every z_t, one product at a time."""
    out = []
    for t in range(lags + 1, len(x)):
        d = [x[t - j] - x[t - j - 1] for j in range(lags + 1)]
        s = (first_season + t) % seasons if seasons else 0
        dummies = [(s == j) - 1.0 / seasons for j in range(seasons - 1)]
        out.append(np.concatenate([d[0], x[t - 1] - origin, *d[1:], [1.0], dummies]))
    return np.array(out)


@pytest.mark.parametrize(("lags", "seasons"), [(0, 0), (1, 0), (3, 0), (0, 2), (2, 5)])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_moments_are_sums_of_products(n, lags, seasons):
    x = walks([n, lags], 40, n)
    state = moments(x, lags, seasons=seasons, first_season=3)
    z = rows_of(x, lags, seasons, 3, x[0])
    np.testing.assert_allclose(state.cross, np.triu(z.T @ z), rtol=1e-13, atol=1e-24)
    np.testing.assert_array_equal(state.origin, x[0])
    assert state.n_rows == 40 - lags - 1


@pytest.mark.parametrize(("lags", "seasons"), [(0, 0), (2, 0), (1, 4)])
def test_one_row_at_a_time_is_all_at_once(lags, seasons):
    """Whole numbers, so that every sum is exact: a season of 4 has dummies of 1 / 4."""
    rng = np.random.default_rng(1)
    x = rng.integers(-8, 9, (30, 3)).astype(float)
    state = blank_moments(3, lags, seasons, x[0])
    for t in range(lags + 1, 30):
        state = add(state, x[t - lags - 1 : t + 1], first_season=t - lags - 1 + 2)
    whole = moments(x, lags, seasons=seasons, first_season=2)
    np.testing.assert_array_equal(state.cross, whole.cross)
    for t in range(lags + 1, 20):
        state = remove(state, x[t - lags - 1 : t + 1], first_season=t - lags - 1 + 2)
    rest = moments(
        x[20 - lags - 1 :],
        lags,
        seasons=seasons,
        first_season=2 + 20 - lags - 1,
        origin=x[0],
    )
    np.testing.assert_array_equal(state.cross, rest.cross)
    assert state.n_rows == 10


def test_sessions_do_not_touch():
    """Two days, each with its own past: no difference runs over the night."""
    x, y = walks(2, 300, 3), walks(3, 200, 3, level=5.0)
    both = add(moments(x, 2), y)
    z = np.vstack([rows_of(part, 2, 0, 0, x[0]) for part in (x, y)])
    np.testing.assert_allclose(both.cross, np.triu(z.T @ z), rtol=1e-12, atol=1e-20)
    assert both.n_rows == 297 + 197


def test_states_handed_in_are_left_as_they_were():
    x = walks(4, 60, 2)
    one = moments(x, 1)
    kept = one.cross.copy()
    add(one, x)
    remove(one, x[:10])
    select(one, [1])
    np.testing.assert_array_equal(one.cross, kept)
    state = roll(rolling(2, 20), x[:30])
    before = [np.copy(part) for m in state[:2] for part in m[:2]] + [p.copy() for p in state[2:]]
    roll(state, x[30:])
    after = [part for m in state[:2] for part in m[:2]] + list(state[2:])
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


def same_answers(mine, theirs, rtol=1e-9):
    """Every number of two fits, each beside the largest of its array."""
    assert mine.status is theirs.status
    assert mine.n_rows == theirs.n_rows
    for name, a, b in zip(mine._fields, mine, theirs, strict=True):
        if isinstance(a, np.ndarray) and a.size:
            size = max(np.abs(b).max(), 1e-300)
            assert np.abs(a - b).max() <= rtol * size, name
    assert mine.log_likelihood == pytest.approx(theirs.log_likelihood, rel=rtol)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(0, 3),
    st.sampled_from([0, 3]),
    st.lists(st.tuples(st.booleans(), st.integers(1, 60)), min_size=1, max_size=12),
    st.integers(0, 10**6),
)
def test_any_sequence_of_adds_and_removes(n, lags, seasons, moves, seed):
    """A window whose ends move on by any steps: the same fit as of the window at once."""
    x = walks([5, seed], 1_200, n)
    low, high = 0, 200
    state = moments(x[:high], lags, seasons=seasons)
    for grow, by in moves:
        if grow or high - low - by < 150:
            part = x[high - lags - 1 : high + by]
            state = add(state, part, first_season=high - lags - 1)
            high += by
        else:
            state = remove(state, x[low : low + by + lags + 1], first_season=low)
            low += by
    fresh = moments(x[low:high], lags, seasons=seasons, first_season=low)
    for rank in {0, n // 2, n}:
        same_answers(
            vecm_from_moments(state, rank=rank, rows_per_regressor=1),
            vecm_from_moments(fresh, rank=rank, rows_per_regressor=1),
            # The walk leaves the first origin behind; a rolling window does not let it
            rtol=1e-7 if n > 1 else 1e-8,
        )


@pytest.mark.parametrize(
    ("n", "window", "rank", "deterministic"),
    [
        (41, 390, 20, "co"),
        (41, 390, 40, "co"),
        (41, 390, 20, "ci"),
        (12, 120, 6, "n"),
        (2, 60, 1, "co"),
        (2, 2_340, 1, "ci"),
    ],
)
def test_rolling_over_a_day_of_seconds(n, window, rank, deterministic):
    """23,400 rows, log prices of 4.6 in steps of 1e-5: 1e-9 of a fresh fit, wherever it is read.

    Among the windows read: the last before the second sum takes the place of the first, when the
    running one is oldest, and the first after. Ranks are those of the design or above: of relations
    equally strong, fewer are any of them, and rounding decides which.
    """
    x = walks([6, n], 23_400, n)
    turn = window - 2
    state, read = rolling(n, window), 0
    ends = [k * turn + 2 + off for k in (2, 3, 23_000 // turn) for off in (-1, 0, turn // 2)]
    for end in ends:
        state = roll(state, x[read:end])
        read = end
        now = vecm_from_moments(
            state.current, rank=rank, deterministic=deterministic, rows_per_regressor=0
        )
        then = vecm(
            x[end - window : end],
            1,
            rank=rank,
            deterministic=deterministic,
            rows_per_regressor=0,
        )
        same_answers(now, then)
    assert read > 22_000


def test_drift_is_bounded_whatever_the_length():
    """200,000 rows, 50 in the window. Each of at most 3 w additions rounds the partial sum of the
    last 2 w rows: |error| <= 3 w eps sum |z z'|. Adding and taking away alone breaks that bound.
    """
    x = walks(7, 200_000, 2, step=1e-3)
    window, full = 50, 48
    state = roll(rolling(2, window), x)
    plain = moments(x[:window], 1)
    plain = remove(add(plain, x[window - 2 :]), x[: -window + 2])

    def excess(got):
        z = rows_of(x[-window:], 1, 0, 0, got.origin).astype(np.longdouble)
        reach = np.abs(rows_of(x[-2 * window :], 1, 0, 0, got.origin))
        bound = 3 * full * EPS * (reach.T @ reach)
        return float((np.abs(got.cross - np.triu(z.T @ z)) / bound).max())

    assert excess(state.current) <= 1.0
    assert excess(plain) > 1.0
    # Its origin is a price of the last two windows
    assert (np.abs(x[-2 * window :] - state.current.origin).sum(axis=1) == 0.0).any()


def test_a_wild_price_leaves_no_trace():
    """A price wrong by 1e6 spoils the sums it is in; two windows later they hold nothing of it."""
    x = walks(8, 1_000, 2)
    wrong = x.copy()
    wrong[300] += 1e6
    window = 100
    one, two = roll(rolling(2, window), x), roll(rolling(2, window), wrong)
    np.testing.assert_array_equal(one.current.cross, two.current.cross)
    plain = remove(add(moments(wrong[:window], 1), wrong[window - 2 :]), wrong[: -window + 2])
    assert np.abs(plain.cross - moments(x[-window:], 1, origin=x[0]).cross).max() > 1e-6


@pytest.mark.parametrize(("lags", "seasons"), [(0, 0), (1, 0), (2, 3)])
@settings(max_examples=25, derandomize=True, deadline=None)
@given(cuts=st.lists(st.integers(0, 400), max_size=8))
def test_chunks_do_not_matter(lags, seasons, cuts):
    """Bit for bit, in both sums, and from the batch of windows."""
    x = walks(9, 400, 3)
    start = rolling(3, 37, lags, seasons=seasons, first_season=1)
    whole, state = roll(start, x), start
    for low, high in zip([0, *sorted(cuts)], [*sorted(cuts), 400], strict=True):
        if high > low:
            state = roll(state, x[low:high])
    for a, b in zip(whole[:2], state[:2], strict=True):
        np.testing.assert_array_equal(a.cross, b.cross)
        np.testing.assert_array_equal(a.origin, b.origin)
    np.testing.assert_array_equal(whole.clock, state.clock)
    np.testing.assert_array_equal(whole.recent, state.recent)


@pytest.mark.parametrize("every", [1, 7, 50])
def test_windows_of_a_batch_are_those_of_the_stream(every):
    x = walks(10, 300, 2)
    state, seen = rolling(2, 60, 2, seasons=3), {}
    for t in range(300):
        state = roll(state, x[t : t + 1])
        seen[t] = state.current
    got = list(rolling_moments(x, 60, 2, every=every, seasons=3))
    assert [t for t, _ in got] == list(range(59, 300, every))
    for t, m in got:
        np.testing.assert_array_equal(m.cross, seen[t].cross)
        np.testing.assert_array_equal(m.origin, seen[t].origin)
        assert m.n_rows == 57
        fresh = moments(x[t - 59 : t + 1], 2, seasons=3, first_season=(t - 59) % 3, origin=m.origin)
        np.testing.assert_allclose(m.cross, fresh.cross, rtol=1e-9, atol=1e-18)


def test_before_the_window_is_full_it_holds_what_there_is():
    x = walks(11, 30, 2)
    state = rolling(2, 50)
    assert state.current.n_rows == 0
    for t in range(30):
        state = roll(state, x[t : t + 1])
        assert state.current.n_rows == max(t - 1, 0)
    np.testing.assert_allclose(state.current.cross, moments(x, 1).cross, rtol=1e-12, atol=1e-20)
    assert list(rolling_moments(x, 50)) == []


def test_no_row_looks_ahead():
    x, y = walks(12, 300, 2), walks(12, 300, 2)
    y[200:] += 1.0
    for (t, a), (_, b) in zip(rolling_moments(x, 60), rolling_moments(y, 60), strict=True):
        if t <= 200:
            assert np.array_equal(a.cross, b.cross) is (t < 200)


def test_bad_input_is_named():
    x = walks(13, 30, 2)
    state, wrong = moments(x, 1), x.copy()
    wrong[4, 1] = np.nan
    for call in (
        lambda: moments(wrong, 1),
        lambda: add(state, wrong),
        lambda: remove(state, wrong),
        lambda: roll(rolling(2, 10), wrong),
        lambda: list(rolling_moments(wrong, 10)),
    ):
        with pytest.raises(InputError, match="a finite log price") as caught:
            call()
        assert (caught.value.row, caught.value.column) == (5, "1")
    for call in (lambda: add(state, x[:, :1]), lambda: roll(rolling(2, 10), x[:, :1])):
        with pytest.raises(InputError, match="2 series as before"):
            call()
    for columns in ([0, 0], [2], [-1], [], [[0, 1]]):
        with pytest.raises(InputError, match="distinct columns from 0 to 1"):
            select(state, columns)
    for origin in ([0.0], [0.0, np.inf]):
        with pytest.raises(InputError, match="a finite origin"):
            moments(x, 1, origin=np.array(origin))
    with pytest.raises(InputError, match="at least 4 prices for 2 lags"):
        rolling(2, 3, 2)
    with pytest.raises(InputError, match="at least one series"):
        rolling(0, 30)
    with pytest.raises(InputError, match="at least one row"):
        next(rolling_moments(x, 10, every=0))
    with pytest.raises(InputError, match="lags >= 0"):
        rolling(2, 10, -1)
    with pytest.raises(InputError, match="0 seasons or at least 2"):
        moments(x, 1, seasons=-4)
