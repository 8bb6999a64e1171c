"""The strict as-of against a look at every quote, in one piece and in any chunks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.errors import InputError
from eventtape.tape import asof
from eventtape.tape.asof import Book, match, strict_as_of

MS = 1_000_000
T0 = 1_381_152_600 * 10**9
LATENCIES = [0, MS, 50 * MS]
ONE = np.array([[0, 1]])

times = st.lists(
    st.builds(
        lambda k, j: T0 + k * 10 * MS + j,
        st.integers(0, 25),
        st.sampled_from([-1, 0, 0, 0, 1, MS, -MS]),
    ),
    max_size=20,
).map(sorted)
worlds = st.lists(st.tuples(times, times), min_size=1, max_size=3)


def flat(symbols, side):
    """All times of one side, and the span of each symbol."""
    ends = np.r_[0, np.cumsum([len(one[side]) for one in symbols])].astype(np.int64)
    return np.array([t for one in symbols for t in one[side]], np.int64), np.c_[ends[:-1], ends[1:]]


def book_of(ts):
    """A book told by its row: bid 1, 2, 3 and so on."""
    bid = np.arange(1.0, ts.size + 1)
    return Book(ts, bid, bid + 0.5)


@pytest.mark.parametrize("latency_ns", LATENCIES)
@given(symbols=worlds)
@settings(derandomize=True, deadline=None, max_examples=150)
def test_each_trade_meets_the_last_quote_strictly_before_it(latency_ns, symbols):
    quote_ts, quote_span = flat(symbols, 0)
    trade_ts, trade_span = flat(symbols, 1)
    found = strict_as_of(quote_ts, quote_span, trade_ts, trade_span, latency_ns=latency_ns)
    met = match(book_of(quote_ts), quote_span, trade_ts, trade_span, latency_ns=latency_ns)
    for (low, high), (first, end) in zip(quote_span, trade_span, strict=True):
        for j in range(first, end):
            seen = [i for i in range(low, high) if quote_ts[i] < trade_ts[j] - latency_ns]
            before = [i for i in range(low, high) if quote_ts[i] < trade_ts[j]]
            assert found[j] == (seen[-1] if seen else -1)
            assert met.place[j] == len(before)
            want = [np.nan] * 3
            if seen:
                age = (trade_ts[j] - quote_ts[seen[-1]]) / 1e9
                want = [seen[-1] + 1.0, seen[-1] + 1.5, age]
            np.testing.assert_array_equal([met.bid[j], met.ask[j], met.age_s[j]], want)


@pytest.mark.parametrize("latency_ns", LATENCIES)
@given(symbols=worlds, data=st.data())
@settings(derandomize=True, deadline=None, max_examples=150)
def test_steps_of_any_size_meet_the_same_books(latency_ns, symbols, data):
    """Events of all symbols by time, a trade before the quotes of its own time, cut anywhere."""
    quote_ts, quote_span = flat(symbols, 0)
    trade_ts, trade_span = flat(symbols, 1)
    book = book_of(quote_ts)
    whole = match(book, quote_span, trade_ts, trade_span, latency_ns=latency_ns)
    events = sorted(
        (int(ts[i]), side, g, i)
        for side, ts, span in ((0, trade_ts, trade_span), (1, quote_ts, quote_span))
        for g, (low, high) in enumerate(span)
        for i in range(low, high)
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=6)))
    state = asof.start()
    for low, high in zip([0, *cuts], [*cuts, len(events)], strict=True):
        chunk = events[low:high]
        present = sorted({g for _, _, g, _ in chunk})
        rows, spans = [], []
        for side in (1, 0):
            mine = [[i for _, s, h, i in chunk if s == side and h == g] for g in present]
            ends = np.r_[0, np.cumsum([len(one) for one in mine])].astype(np.int64)
            rows.append(np.array([i for one in mine for i in one], np.int64))
            spans.append(np.c_[ends[:-1], ends[1:]])
        quoted = Book(*(column[rows[0]] for column in book))
        state, met = asof.step(
            state,
            np.array(present, np.int64),
            quoted,
            spans[0],
            trade_ts[rows[1]],
            spans[1],
            latency_ns=latency_ns,
        )
        for field in ("bid", "ask", "age_s"):
            np.testing.assert_array_equal(getattr(met, field), getattr(whole, field)[rows[1]])
        # What is held is what a trade at the chunk's last time, or later, may still see.
        assert (np.diff(state.symbol) >= 0).all()
        for g in present:
            last = max(t for t, _, h, _ in events[:high] if h == g)
            heard = [quote_ts[i] for _, s, h, i in events[:high] if s == 1 and h == g]
            needed = sum(ts >= last - latency_ns for ts in heard)
            assert (state.symbol == g).sum() == min(len(heard), needed + 1)


def test_a_quote_of_the_trades_own_time_is_not_seen():
    assert strict_as_of(np.array([10]), ONE, np.array([10]), ONE).tolist() == [-1]
    assert strict_as_of(np.array([10]), ONE, np.array([11]), ONE).tolist() == [0]
    late = strict_as_of(np.array([10]), ONE, np.array([15]), ONE, latency_ns=5)
    assert late.tolist() == [-1]


def test_of_quotes_at_one_time_the_last_is_met():
    ts = np.array([5, 5, 5])
    assert strict_as_of(ts, np.array([[0, 3]]), np.array([6]), ONE).tolist() == [2]


def test_trades_of_no_span_are_answered_with_none():
    quote_ts, trade_ts = np.array([1, 2]), np.array([5, 6, 7])
    found = strict_as_of(quote_ts, np.array([[0, 2]]), trade_ts, np.array([[1, 2]]))
    assert found.tolist() == [-1, 1, -1]


def test_a_symbol_never_sees_the_quotes_of_another():
    quote_ts = np.array([1, 2, 3])
    spans = np.array([[0, 0], [0, 3]])
    found = strict_as_of(quote_ts, spans, np.array([9, 9]), np.array([[0, 1], [1, 2]]))
    assert found.tolist() == [-1, 2]


def test_no_quote_at_or_after_a_trade_matters():
    rng = np.random.default_rng(0)
    ts = np.sort(rng.integers(0, 10_000, 3_000))
    trade_ts = np.sort(rng.integers(0, 10_000, 500))
    spans = np.array([[0, ts.size]]), np.array([[0, trade_ts.size]])
    whole = match(book_of(ts), spans[0], trade_ts, spans[1])
    for t in (1_000, 5_000, 9_000):
        n, m = int(np.searchsorted(ts, t)), int(np.searchsorted(trade_ts, t, "right"))
        part = match(book_of(ts[:n]), np.array([[0, n]]), trade_ts[:m], np.array([[0, m]]))
        for field in ("bid", "ask", "age_s"):
            np.testing.assert_array_equal(getattr(part, field), getattr(whole, field)[:m])


@pytest.mark.parametrize(
    "call", [strict_as_of, lambda q, *rest, **k: match(book_of(q), *rest, **k)]
)
def test_a_latency_below_zero_and_sides_that_do_not_pair_are_refused(call):
    ts = np.array([1])
    with pytest.raises(InputError, match="met -1, wanted a latency >= 0 ns"):
        call(ts, ONE, ts, ONE, latency_ns=-1)
    two = np.array([[0, 1], [1, 1]])
    with pytest.raises(InputError, match=r"met \(1, 2\), wanted as many groups of quotes"):
        call(ts, ONE, ts, two)


def test_a_step_leaves_the_state_it_was_given_untouched():
    none = np.zeros(0, np.int64)
    zero = np.zeros(1, np.int64)
    state, _ = asof.step(
        asof.start(),
        zero,
        book_of(np.array([1, 5])),
        np.array([[0, 2]]),
        none,
        np.array([[0, 0]]),
        latency_ns=3,
    )
    kept = [state.symbol.copy(), *(column.copy() for column in state.book)]
    asof.step(state, zero, book_of(np.array([7])), ONE, np.array([9]), ONE, latency_ns=3)
    for field, copy in zip([state.symbol, *state.book], kept, strict=True):
        np.testing.assert_array_equal(field, copy)
