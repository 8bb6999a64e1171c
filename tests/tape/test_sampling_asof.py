from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.errors import InputError
from eventtape.tape.records import TIME
from eventtape.tape.sampling import as_of, grid, levels, on_grid

COMMON = {"derandomize": True, "deadline": None}


def naive_as_of(ts, values, at, max_age):
    """For each time, walk the record from its start and keep the last row not after it."""
    out = []
    for t in at:
        found = float("nan")
        for stamp, value in zip(ts, values, strict=True):
            if stamp <= t:
                found = value if t - stamp <= max_age else float("nan")
        out.append(found)
    return np.array(out)


@settings(max_examples=300, **COMMON)
@given(
    ts=st.lists(st.integers(-30, 30), min_size=1, max_size=20),
    at=st.lists(st.integers(-40, 70), max_size=20),
    max_age=st.integers(0, 60),
)
def test_as_of_against_a_loop(ts, at, max_age):
    """Ties included: of rows that share a time the last one is the one known."""
    ts, at = np.sort(np.array(ts, np.int64)), np.array(at, np.int64)
    values = np.arange(ts.size, dtype=float)
    np.testing.assert_array_equal(
        as_of(ts, values, at, max_age_ns=max_age), naive_as_of(ts, values, at, max_age)
    )


@settings(max_examples=150, **COMMON)
@given(
    ts=st.lists(st.integers(0, 60), min_size=2, max_size=20, unique=True),
    cut=st.integers(0, 60),
    max_age=st.integers(0, 60),
)
def test_as_of_never_looks_ahead(ts, cut, max_age):
    """What is stamped after ``cut`` changes nothing at or before it."""
    ts, at = np.sort(np.array(ts, np.int64)), np.arange(cut + 1)
    values = np.arange(ts.size, dtype=float)
    changed = np.where(ts > cut, -99.0, values)
    np.testing.assert_array_equal(
        as_of(ts, values, at, max_age_ns=max_age), as_of(ts, changed, at, max_age_ns=max_age)
    )


def test_as_of_at_the_edge_of_age_and_beyond_float_precision():
    """1 ns apart at 1.7e18 ns, where a float64 holds only every 256th number."""
    t = np.array([1_730_844_000_000_000_000, 1_730_844_000_000_000_001])
    at = np.array([t[0] - 1, t[0], t[1], t[1] + 5, t[1] + 6])
    got = as_of(t, np.array([1.0, 2.0]), at, max_age_ns=5)
    np.testing.assert_array_equal(got, [np.nan, 1.0, 2.0, 2.0, np.nan])


def test_a_feed_with_no_rows_is_seen_nowhere():
    nothing = frame([], [], "price")
    assert all(part.size == 0 for part in levels(nothing))
    assert np.isnan(on_grid(nothing, np.arange(3), max_age_ns=9)).all()


@settings(max_examples=150, **COMMON)
@given(st.integers(-1000, 1000), st.integers(1, 500), st.integers(1, 120))
def test_grid_holds_every_step_and_no_more(start, length, step):
    at = grid(start, start + length, step)
    assert at.dtype == np.int64
    assert at.tolist() == [start + k * step for k in range(length // step + 1)]


@pytest.mark.parametrize("args", [(0, 0, 1), (5, 4, 1), (0, 10, 0), (0, 10, -1)])
def test_grid_refuses(args):
    with pytest.raises(InputError, match="start < end") as caught:
        grid(*args)
    assert caught.value.met == args


def frame(seconds, values, column):
    ts = pl.Series("ts", np.array(seconds, np.int64) * 10**9).cast(TIME)
    return pl.DataFrame({"ts": ts, column: pl.Series(values, dtype=pl.Float64)})


@settings(max_examples=150, **COMMON)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=30))
def test_levels_keeps_the_last_row_of_each_time(seconds):
    seconds.sort()
    values = [float(k) for k in range(len(seconds))]
    last = dict(zip(seconds, values, strict=True))  # a later row of a time replaces the one before
    ts, got = levels(frame(seconds, values, "price"))
    assert (ts // 10**9).tolist() == list(last)
    assert got.tolist() == list(last.values())


@pytest.mark.parametrize("column", ["close", "price", "probability"])
def test_levels_knows_each_kind(column):
    ts, values = levels(frame([1, 2], [0.25, 0.5], column))
    assert ts.tolist() == [10**9, 2 * 10**9]
    assert values.tolist() == [0.25, 0.5]


def test_levels_takes_the_close_of_a_bar():
    bars = frame([1, 2], [3.0, 4.0], "close").with_columns(open=1.0, high=5.0, low=1.0)
    assert levels(bars)[1].tolist() == [3.0, 4.0]


def test_levels_without_a_level_is_refused():
    with pytest.raises(InputError, match="close, price, probability"):
        levels(frame([1, 2], [1.0, 2.0], "votes"))


def test_on_grid_takes_logarithms_of_prices_only():
    at = grid(0, 4 * 10**9, 10**9)
    p = on_grid(frame([1, 2], [0.25, 0.5], "probability"), at, max_age_ns=10**9)
    np.testing.assert_array_equal(p, [np.nan, 0.25, 0.5, 0.5, np.nan])
    for column in ("price", "close"):
        x = on_grid(frame([1, 2], [2.0, 8.0], column), at, max_age_ns=10**9)
        np.testing.assert_array_equal(x, np.log([np.nan, 2.0, 8.0, 8.0, np.nan]))


def test_on_grid_logs_what_levels_took():
    both = frame([1, 2], [2.0, 8.0], "price").with_columns(probability=0.5)
    x = on_grid(both, grid(0, 2 * 10**9, 10**9), max_age_ns=10**9)
    np.testing.assert_array_equal(x[1:], np.log([2.0, 8.0]))
