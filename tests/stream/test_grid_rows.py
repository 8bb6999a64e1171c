"""Grid rows closed as slices come are those of ``on_grid`` over the whole tape, bit for bit."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from eventtape.errors import InputError
from eventtape.stream.fold import NEVER, Slice
from eventtape.stream.grid_rows import GridRows
from eventtape.tape.sampling import on_grid
from stream.night_rows import T0, frame_of

RECORDS = ("probability", "trade", "bar", "quote")
NOTHING = Slice(T0, {})


def run(fold, frames, cuts):
    """Slices as ``Merged`` would hand them on, ``upto`` at each cut; all rows joined."""
    state, ts, rows = fold.start(), [], []
    low = NEVER
    for high in cuts:
        parts = {}
        for name, frame in frames.items():
            at = frame["ts"].to_physical().to_numpy()
            part = frame.filter(pl.Series((at >= low) & (at < high)))
            if part.height:
                parts[name] = part
        state, closed = fold.step(state, Slice(high, parts))
        ts.append(closed.ts)
        rows.append(closed.levels)
        low = high
    return state, np.concatenate(ts), np.concatenate(rows)


def drawn(seed):
    """A feed of each record on a coarse clock, so that rows share times and hit the grid."""
    rng = np.random.default_rng(seed)
    frames = {}
    for record in RECORDS:
        n = int(rng.integers(1, 25))
        ts = T0 + np.sort(rng.integers(-20, 120, n))
        values = rng.uniform(0.05, 0.95, n) + (0.0 if record == "probability" else 1.0)
        frames[record] = frame_of(record, ts, values)
    return frames


@given(
    seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(-30, 150), max_size=12),
    step=st.integers(1, 17),
    age=st.integers(0, 60),
    start=st.one_of(st.none(), st.integers(-40, 60)),
)
@settings(max_examples=120, derandomize=True, deadline=None)
def test_rows_are_those_of_on_grid_however_they_come(seed, cuts, step, age, start):
    frames = drawn(seed)
    begin = None if start is None else T0 + start
    fold = GridRows(RECORDS, step, begin, age)
    ends = [T0 + c for c in sorted({*cuts, 121})]
    state, ts, rows = run(fold, frames, ends)
    last, wanted_state = ends[-1], run(fold, frames, [ends[-1]])[0]
    if begin is None:
        first = min(int(f["ts"].to_physical().min()) for f in frames.values())
        begin = -(-first // step) * step
    np.testing.assert_array_equal(ts, np.arange(begin, last, step))
    if ts.size:
        for k, name in enumerate(RECORDS):
            frame = frames[name]
            if name == "quote":
                frame = frame.select("ts", price=0.5 * (pl.col("bid") + pl.col("ask")))
            wanted = on_grid(frame, ts, max_age_ns=age)
            np.testing.assert_array_equal(rows[:, k].view(np.int64), wanted.view(np.int64))
    assert state[:2] == wanted_state[:2]
    np.testing.assert_array_equal(state.stamps, wanted_state.stamps)
    np.testing.assert_array_equal(state.levels, wanted_state.levels)


def test_a_row_is_closed_once_nothing_of_its_time_can_come():
    fold = GridRows(("a",), 10, T0)
    state, closed = fold.step(fold.start(), Slice(T0, {}))
    assert closed.ts.size == 0  # a row stamped T0 may still come
    late = frame_of("trade", [T0], [2.0])
    _, closed = fold.step(state, Slice(T0 + 1, {"a": late}))
    assert closed.ts.tolist() == [T0]
    assert closed.levels.tolist() == [[np.log(2.0)]]


def test_a_book_without_two_sides_or_crossed_is_not_seen():
    frame = frame_of("quote", T0 + np.arange(5), np.full(5, 2.0)).with_columns(
        bid=pl.Series([1.0, 0.0, 1.0, 3.0, 2.0]), ask=pl.Series([3.0, 3.0, 0.0, 2.5, 2.0])
    )
    _, _, rows = run(GridRows(("a",), 1, T0), {"a": frame}, [T0 + 7])
    np.testing.assert_array_equal(rows[:, 0], np.log([2.0, *[np.nan] * 3, 2.0, 2.0, 2.0]))


def test_probits_end_half_a_tick_from_the_ends():
    p = np.array([0.5, 0.0005, 0.0006, 0.9995, 0.9994, 1.0])
    frame = frame_of("probability", T0 + np.arange(6), p)
    _, _, rows = run(GridRows(("a",), 1, T0, gauge="probit"), {"a": frame}, [T0 + 6])
    hole = np.array([0, 1, 0, 1, 0, 1], bool)
    np.testing.assert_array_equal(rows[:, 0], ndtri(np.where(hole, np.nan, p)))


def test_a_beat_before_any_row_starts_no_grid():
    fold = GridRows(("a",), 10)
    state, closed = fold.step(fold.start(), NOTHING)
    assert closed.ts.size == 0
    assert state.next_ns == NEVER


def test_a_state_is_left_as_it_was():
    fold = GridRows(("a", "b"), 10, T0)
    state, _ = fold.step(fold.start(), Slice(T0 + 5, {"a": frame_of("bar", [T0], [2.0])}))
    kept = state.stamps.copy(), state.levels.copy()
    more = Slice(T0 + 25, {"a": frame_of("bar", [T0 + 9], [3.0])})
    one, two = fold.step(state, more), fold.step(state, more)
    np.testing.assert_array_equal(one[1].levels, two[1].levels)
    np.testing.assert_array_equal(state.stamps, kept[0])
    np.testing.assert_array_equal(state.levels, kept[1])


def test_a_feed_of_two_symbols_is_refused():
    fold = GridRows(("a",), 10, T0)
    one, two = (frame_of("trade", [T0 + k], [2.0], symbol=s) for k, s in enumerate("xy"))
    with pytest.raises(InputError, match="one symbol"):
        fold.step(fold.start(), Slice(T0 + 5, {"a": pl.concat([one, two])}))
    state, _ = fold.step(fold.start(), Slice(T0 + 1, {"a": one}))
    with pytest.raises(InputError, match="one symbol"):
        fold.step(state, Slice(T0 + 5, {"a": two}))


def test_a_clock_gone_wrong_is_refused():
    fold = GridRows(("a",), 1, T0)
    with pytest.raises(InputError, match="grid times to close at once"):
        fold.step(fold.start(), Slice(T0 + 10**12, {}))


@pytest.mark.parametrize(
    "wrong",
    [{"names": ()}, {"names": ("a", "a")}, {"step_ns": 0}, {"max_age_ns": -1}, {"gauge": "logit"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_wrong_options_are_refused(wrong):
    with pytest.raises(InputError):
        dataclasses.replace(GridRows(("a",), 10), **wrong)
