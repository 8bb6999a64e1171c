"""One-second books: what each statement of the docstring says, and pieces against the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape import threads
from eventtape.errors import InputError
from eventtape.tape import seconds

S = 10**9
T0 = 1_381_152_600 * S


def run(ts, bid, *, every_ns=S, end_ns=None, first=None):
    """One symbol's grid (or several by ``first``), the book told by its bid alone."""
    ts, bid = np.asarray(ts, np.int64), np.asarray(bid, np.float64)
    first = np.array([0, ts.size]) if first is None else np.asarray(first)
    return seconds.batch(
        first, ts, bid, bid + 1, bid + 2, bid + 3, every_ns=every_ns, end_ns=end_ns
    )


def plain(ts, bid, every, end=None):
    """(T, bid, age) by looking at every quote for every T."""
    if not len(ts):
        return []
    last = ts[-1] // every * every + every if end is None else end
    rows = []
    for at in range(ts[0] // every * every + every, last + 1, every):
        i = max(k for k in range(len(ts)) if ts[k] < at)
        rows.append((at, bid[i], (at - ts[i]) / 1e9))
    return rows


def rows_of(found, symbol=0):
    mine = found.symbol == symbol
    return list(zip(found.ts[mine].tolist(), found.book[0, mine], found.age_s[mine], strict=True))


times = st.lists(
    st.builds(lambda k, j: T0 + k * S // 2 + j, st.integers(0, 30), st.sampled_from([-1, 0, 0, 1])),
    max_size=25,
).map(sorted)


@given(symbols=st.lists(times, min_size=1, max_size=4), every=st.sampled_from([S, 3 * S, S // 4]))
@settings(derandomize=True, deadline=None, max_examples=200)
def test_the_grid_is_the_plain_one(symbols, every):
    ts = [t for one in symbols for t in one]
    bid = np.arange(1.0, len(ts) + 1)
    first = np.r_[0, np.cumsum([len(one) for one in symbols])]
    for end in (None, T0 + 7 * S, T0 - 5 * S, T0 + 20 * S):
        found = run(ts, bid, every_ns=every, end_ns=end, first=first)
        for g, one in enumerate(symbols):
            mine = bid[first[g] : first[g + 1]]
            assert rows_of(found, g) == plain(one, mine, every, end)
        for k in range(1, 4):  # the other columns are of the same quote
            np.testing.assert_array_equal(found.book[k], found.book[0] + k)


@given(symbols=st.lists(times, min_size=1, max_size=3), data=st.data())
@settings(derandomize=True, deadline=None, max_examples=150)
def test_steps_of_any_size_are_the_batch_to_the_last_bit(symbols, data):
    """Events of all symbols by time, cut anywhere, each chunk grouped again; then finish."""
    by_time = sorted((t, g) for g, one in enumerate(symbols) for t in one)
    rows = [(t, g, k + 1.0) for k, (t, g) in enumerate(by_time)]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=5)))
    state, parts = seconds.start(len(symbols)), []
    for low, high in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        chunk = sorted(rows[low:high], key=lambda row: row[1])
        present = sorted({g for _, g, _ in chunk})
        first = np.r_[0, np.cumsum([sum(g == row[1] for row in chunk) for g in present])]
        ts = np.array([t for t, _, _ in chunk], np.int64)
        b = np.array([bid for _, _, bid in chunk])
        state, found = seconds.step(
            state, np.array(present, np.int64), first.astype(np.int64), ts, b, b + 1, b + 2, b + 3
        )
        parts.append(found)
    parts.append(seconds.finish(state)[1])
    whole_rows = sorted(rows, key=lambda row: row[1])
    first = np.r_[0, np.cumsum([len(one) for one in symbols])]
    whole = run([t for t, _, _ in whole_rows], [bid for _, _, bid in whole_rows], first=first)
    symbol = np.concatenate([part.symbol for part in parts])
    order = np.argsort(symbol, kind="stable")
    for field in ("symbol", "ts", "age_s"):
        joined = np.concatenate([getattr(part, field) for part in parts])[order]
        np.testing.assert_array_equal(joined, getattr(whole, field))
    book = np.concatenate([part.book for part in parts], axis=1)[:, order]
    np.testing.assert_array_equal(book, whole.book)


def test_a_quote_on_the_second_belongs_to_the_next_value():
    """T is of T - 1 s <= t < T: left-closed, stamped with the end."""
    assert rows_of(run([T0, T0 + S - 1, T0 + S], [1, 2, 3])) == [
        (T0 + S, 2.0, 1e-9),
        (T0 + 2 * S, 3.0, 1.0),
    ]


@pytest.mark.parametrize("after", [0, 1, 40, 100])
def test_a_busy_second_ends_before_the_quotes_of_its_end(after):
    """Up to a hundred quotes before T and as many at it: strides must stop exactly."""
    for before in range(1, 101):
        ts = [*(T0 + S - before + k for k in range(before)), *[T0 + S] * after, T0 + 5 * S]
        first = rows_of(run(ts, np.arange(1.0, len(ts) + 1)))[0]
        assert first == (T0 + S, float(before), 1e-9)


def test_a_second_without_a_quote_carries_the_last_one_with_its_age():
    found = run([T0 + S // 2, T0 + 3 * S + 1], [1, 2])
    assert [age for _, _, age in rows_of(found)] == [0.5, 1.5, 2.5, (S - 1) / 1e9]
    assert (found.age_s > 0).all()


def test_of_quotes_at_one_time_the_last_stands():
    assert rows_of(run([T0, T0, T0], [1, 2, 3])) == [(T0 + S, 3.0, 1.0)]


@pytest.mark.parametrize("book", [(10.0, 10.0), (10.1, 10.0), (10.0, 0.0), (0.0, 10.0), (0.0, 0.0)])
def test_locked_crossed_one_sided_and_empty_books_stand_until_the_next(book):
    ts = np.array([T0, T0 + 3 * S])
    bid, ask = np.array([book[0], 9.0]), np.array([book[1], 9.1])
    found = seconds.batch(np.array([0, 2]), ts, bid, bid * 10, ask, ask * 20)
    assert found.book[0].tolist() == [book[0]] * 3 + [9.0]
    assert found.book[2].tolist() == [book[1]] * 3 + [9.1]
    np.testing.assert_array_equal(found.book[1], found.book[0] * 10)
    np.testing.assert_array_equal(found.book[3], found.book[2] * 20)


def test_nothing_after_the_second_of_a_grid_time_changes_it():
    """No looking ahead: other quotes from t on, or none, leave every value stamped up to t."""
    rng = np.random.default_rng(3)
    ts = T0 + np.sort(rng.integers(0, 60 * S, 400))
    bid = rng.uniform(1, 2, 400)
    whole = run(ts, bid)
    for cut in range(5, 60, 7):
        t = T0 + cut * S
        before = ts < t
        kept = whole.ts <= t
        changed = run(ts, np.where(before, bid, 9.0))
        gone = run(ts[before], bid[before], end_ns=t)
        for other in (changed, gone):
            part = other.ts <= t
            np.testing.assert_array_equal(other.ts[part], whole.ts[kept])
            np.testing.assert_array_equal(other.book[:, part], whole.book[:, kept])
            np.testing.assert_array_equal(other.age_s[part], whole.age_s[kept])


def step(state, ts, bid):
    ts, bid = np.array(ts, np.int64), np.array(bid, np.float64)
    first, none = np.array([0, ts.size]), np.zeros(1, np.int64)
    return seconds.step(state, none, first, ts, bid, bid, bid, bid)


def test_a_grid_time_is_settled_by_a_quote_at_or_after_it_and_by_advance():
    state, found = step(seconds.start(1), [T0, T0 + S - 1], [1, 2])
    assert not found.ts.size
    state, found = step(state, [T0 + S], [3])
    assert rows_of(found) == [(T0 + S, 2.0, 1e-9)]
    state, found = seconds.advance(state, T0 + 3 * S + 5)
    assert rows_of(found) == [(T0 + 2 * S, 3.0, 1.0), (T0 + 3 * S, 3.0, 2.0)]
    assert not seconds.advance(state, T0 + 3 * S)[1].ts.size
    assert rows_of(seconds.finish(state, end_ns=T0 + 4 * S)[1]) == [(T0 + 4 * S, 3.0, 3.0)]


def test_a_step_leaves_the_state_it_was_given_untouched():
    state, _ = step(seconds.start(1), [T0, T0 + 5 * S], [1, 2])
    kept = [field.copy() for field in state]
    step(state, [T0 + 9 * S], [3])
    seconds.finish(state)
    for field, copy in zip(state, kept, strict=True):
        np.testing.assert_array_equal(field, copy)


def test_a_quote_older_than_the_last_or_than_a_settled_second_is_refused():
    state, _ = step(seconds.start(1), [T0 + 500], [1])
    with pytest.raises(InputError, match=f"met {T0 + 499}, wanted a quote not before .*{T0 + 500}"):
        step(state, [T0 + 499], [2])
    step(state, [T0 + 500], [2])
    state, _ = seconds.advance(state, T0 + 5 * S)
    with pytest.raises(InputError, match=f"a settled second .{T0 + 5 * S} ns") as caught:
        step(state, [T0 + 5 * S - 1], [2])
    assert caught.value.column == "ts"
    assert rows_of(seconds.finish(step(state, [T0 + 5 * S], [2])[0])[1])[0][:2] == (T0 + 6 * S, 2.0)


def test_a_symbol_that_was_never_quoted_has_no_rows():
    found = run([T0], [1], first=[0, 0, 1, 1], end_ns=T0 + 2 * S)
    assert found.symbol.tolist() == [1, 1]
    assert not run([], [], first=[0, 0]).ts.size
    assert not run([], [], first=[0], end_ns=T0).ts.size
    assert not seconds.finish(seconds.start(3))[1].ts.size


@pytest.mark.parametrize("every", [0, -S])
def test_a_grid_without_width_is_refused(every):
    state = seconds.start(1)
    empty, none = np.zeros(0, np.int64), np.zeros(0)
    for call in (
        lambda: run([T0], [1], every_ns=every),
        lambda: seconds.step(
            state, np.zeros(1, int), np.zeros(2, int), empty, none, none, none, none, every_ns=every
        ),
        lambda: seconds.advance(state, T0, every_ns=every),
        lambda: seconds.finish(state, every_ns=every),
    ):
        with pytest.raises(InputError, match=f"met {every}, wanted a grid wider than 0 ns"):
            call()


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    monkeypatch.setattr(threads, "_WORTH", 0)
    rng = np.random.default_rng(1)
    sizes = rng.integers(0, 40, 30)
    ts = np.concatenate([T0 + np.sort(rng.integers(0, 90 * S, n)) for n in sizes])
    bid = rng.uniform(1, 2, ts.size)
    first = np.r_[0, np.cumsum(sizes)]
    one = seconds.batch(first, ts, bid, bid, bid, bid, threads=1)
    for count in (2, 3, 50):
        many = seconds.batch(first, ts, bid, bid, bid, bid, threads=count)
        for a, b in zip(one, many, strict=True):
            np.testing.assert_array_equal(a, b)
