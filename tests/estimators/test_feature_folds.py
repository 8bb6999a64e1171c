"""The features' sums against the plain twin, and each thing their docstring says, one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.errors import InputError
from eventtape.estimators.microstructure import features
from eventtape.estimators.microstructure.features import Buckets, QuoteRows, TradeRows
from twins import plain_ticks
from twins.tick_worlds import T0, worlds

S = 10**9
M = 60 * S
GRID = plain_ticks.GRID
GOOD = (99_900, 1, 100_100, 1)  # 9.99 at 10.01: mid 10, half-spread 1 cent
OTHER = (100_000, 1, 100_200, 1)  # mid 10.01
HALT = (0, 0, 0, 0)


def spans(rows_of):
    ends = np.r_[0, np.cumsum([len(rows) for rows in rows_of])].astype(np.int64)
    return np.c_[ends[:-1], ends[1:]]


def columns(rows, kinds):
    data = list(zip(*rows, strict=True)) if rows else [()] * len(kinds)
    return [np.array(column, kind) for column, kind in zip(data, kinds, strict=True)]


def arrays(quotes, trades, latency=0):
    """Rows of the kernel for ``[[quotes of symbol 0], ...]``; books and signs are the twin's."""
    met = [plain_ticks.met_books(t, q, latency) for q, t in zip(quotes, trades, strict=True)]
    sign = [plain_ticks.lee_ready(t, m) for t, m in zip(trades, met, strict=True)]
    place = [
        sum(q[0] < t[0] for q in quoted)
        for quoted, traded in zip(quotes, trades, strict=True)
        for t in traded
    ]
    ts, bid, _, ask, _ = columns([r for rows in quotes for r in rows], [np.int64] + [float] * 4)
    rows = QuoteRows(spans(quotes), ts, bid / GRID, ask / GRID)
    kinds = [np.int64, float, float, np.bool_, np.bool_]
    ts, price, size, iso, eligible = columns([r for rows in trades for r in rows], kinds)
    flat = [(math.nan, math.nan) if book is None else book for one in met for book in one]
    met_bid, met_ask = columns(flat, [float] * 2)
    signs = np.array([d for one in sign for d in one], np.int8)
    traded = TradeRows(
        spans(trades),
        ts,
        price / GRID,
        size,
        iso,
        eligible,
        signs,
        met_bid / GRID,
        met_ask / GRID,
        np.array(place, np.int64),
    )
    return rows, traded


def run(quotes, trades=(), *, every=M, session=None, window_ns=1_000_000):
    """The buckets of one symbol, a dict each."""
    found = features.batch(
        *arrays([list(quotes)], [list(trades)]),
        buckets=Buckets(every, *(session or (None, None))),
        window_ns=window_ns,
    )
    return [dict(zip(found._fields, row, strict=True)) for row in zip(*found, strict=True)]


def trade(at, price=100_100, size=10, *, iso=False, eligible=True):
    return (T0 + at, price, size, iso, eligible)


def quote(at, book=GOOD):
    return (T0 + at, *book)


@pytest.mark.parametrize("every", [S, M, 5 * M])
@given(data=st.data())
@settings(derandomize=True, deadline=None, max_examples=80)
def test_sums_are_those_of_the_plain_twin(every, data):
    """With books and signs given, so that a fault of the as-of or of signing cannot hide one."""
    quotes, trades = data.draw(worlds(every))
    latency = data.draw(st.sampled_from([0, 50_000_000]))
    window = data.draw(st.sampled_from([0, 1_000_000, every]))
    names = sorted({*quotes, *trades})
    sides = [[side.get(name, []) for name in names] for side in (quotes, trades)]
    for session in (None, (T0, T0 + 3 * every)):
        buckets = Buckets(every, *(session or (None, None)))
        found = features.batch(*arrays(*sides, latency), buckets=buckets, window_ns=window)
        for g in range(len(names)):
            want = plain_ticks.features(
                sides[0][g],
                sides[1][g],
                every=every,
                session=session,
                latency=latency,
                window=window,
            )
            mine = found.symbol == g
            assert found.bucket[mine].tolist() == list(want)
            for name in found._fields[2:]:
                for x, row in zip(getattr(found, name)[mine].tolist(), want.values(), strict=True):
                    value = None if isinstance(x, float) and math.isnan(x) else x
                    assert not plain_ticks.far(name, row[name], value, row), (name, row[name], x)


def test_a_bucket_holds_its_start_and_not_its_end():
    rows = run([quote(0), quote(M - 1), quote(M, OTHER)], [trade(0), trade(M - 1), trade(M)])
    assert [row["bucket"] - T0 for row in rows] == [M, 2 * M]
    assert [row["num_quotes"] for row in rows] == [2, 1]
    assert [row["num_trades"] for row in rows] == [2, 1]
    assert [row["quote_updates"] for row in rows] == [0, 1]


def test_quote_updates_count_changes_and_not_messages():
    ask_only = (*GOOD[:2], 100_200, 1)
    sizes_only = (GOOD[0], 50, GOOD[2], 70)
    books = [GOOD, sizes_only, ask_only, GOOD, GOOD, HALT, HALT, GOOD]
    (row,) = run([quote(k * S, book) for k, book in enumerate(books)])
    assert row["quote_updates"] == 4
    assert row["num_quotes"] == 8


def test_an_empty_bucket_has_zero_counts_and_the_book_that_still_stands():
    rows = run([quote(S), quote(3 * M, OTHER)], [trade(2 * S)])
    empty = rows[1]
    assert [row["bucket"] - T0 for row in rows] == [M, 2 * M, 3 * M, 4 * M]
    counts = [name for name in empty if name.startswith("num_") or name == "quote_updates"]
    assert {empty[name] for name in counts} == {0}
    zero = ("total_volume", "total_flow", "total_flow_iso", "total_flow_non_iso")
    assert {empty[name] for name in (*zero, "var_mid_trade", "var_mid_quote")} == {0.0}
    undefined = {name for name, value in empty.items() if value != value}  # noqa: PLR0124
    assert undefined == {
        "log_mid",
        "avg_rsprd",
        "pct_trades_iso",
        "pct_volume_iso",
        "iso_flow_intensity",
        "iso_flow_share",
        "slippage",
        "slippage_half_spreads",
        "pct_at_quote",
        "pct_at_quote_iso",
        "pct_at_mid",
        "pct_outside_quote",
    }
    assert empty["quoted_s"] == 60.0
    assert empty["log_mid_time"] == pytest.approx(math.log(10.0), rel=1e-14)
    assert empty["rsprd_time"] == pytest.approx(0.002, rel=1e-12)


def test_a_halt_ends_the_books_time_and_the_next_return_is_from_the_last_mid_there_was():
    rows = run([quote(0), quote(15 * S, HALT), quote(M + 30 * S, OTHER)])
    assert [row["quoted_s"] for row in rows] == [15.0, 30.0]
    assert [row["num_one_sided"] for row in rows] == [1, 0]
    assert rows[0]["log_mid"] == pytest.approx(math.log(10.0), rel=1e-14)
    assert rows[1]["var_mid_quote"] == pytest.approx(0.001**2, rel=1e-10)
    whole_halt = run([quote(0), quote(15 * S, HALT), quote(2 * M, HALT)])[1]
    assert math.isnan(whole_halt["log_mid_time"])
    assert math.isnan(whole_halt["rsprd_time"])
    assert whole_halt["quoted_s"] == 0.0


@pytest.mark.parametrize(
    ("book", "counter"),
    [
        ((99_900, 1, 0, 0), "num_one_sided"),
        ((0, 0, 100_100, 1), "num_one_sided"),
        (HALT, "num_one_sided"),
        ((100_200, 1, 100_100, 1), "num_crossed"),
    ],
)
def test_one_sided_and_crossed_books_enter_no_mean_and_no_time_but_a_count(book, counter):
    quotes = [quote(0), quote(10 * S, book), quote(20 * S, OTHER)]
    (row,) = run(quotes, [trade(15 * S, 100_000)])
    assert row[counter] == 1
    assert sum(row[name] for name in ("num_one_sided", "num_crossed", "num_locked")) == 1
    assert row["quoted_s"] == 50.0
    assert row["log_mid"] == pytest.approx(math.log(10.005), rel=1e-14)
    assert row["var_mid_quote"] == pytest.approx(0.001**2, rel=1e-10)
    # A trade that met it met no book: it has no slippage and no place in the book.
    assert (row["num_trades"], row["num_unsigned"]) == (1, 1)
    assert math.isnan(row["slippage"])
    assert math.isnan(row["pct_at_quote"])


def test_locked_books_enter_with_spread_zero():
    locked = (100_000, 1, 100_000, 1)
    quotes = [quote(0), quote(30 * S, locked)]
    trades = [trade(15 * S, 100_100), trade(40 * S, 100_100), trade(50 * S, 100_000)]
    (row,) = run(quotes, trades)
    assert row["num_locked"] == 1
    assert row["avg_rsprd"] == pytest.approx(0.001, rel=1e-12)
    assert row["rsprd_time"] == pytest.approx(0.001, rel=1e-12)
    assert row["quoted_s"] == 60.0
    assert row["pct_at_quote"] == pytest.approx(2 / 3)
    assert row["pct_outside_quote"] == pytest.approx(1 / 3)
    # The first trade bought a cent above the mid, the second too, the third (a downtick) at it:
    assert row["slippage"] == pytest.approx(0.02 / 3, rel=1e-10)
    # and only the first met a spread above 0.
    assert row["slippage_half_spreads"] == pytest.approx(1.0, rel=1e-10)


def test_flows_shares_and_intensities_by_hand():
    trades = [
        trade(S, 100_100, 100, iso=True),  # bought 1,001 dollars
        trade(2 * S, 99_900, 300, iso=True),  # sold 2,997
        trade(3 * S, 100_100, 600),  # bought 6,006
    ]
    (row,) = run([quote(0)], trades)
    assert row["total_flow_iso"] == pytest.approx(1001 - 2997)
    assert row["total_flow_non_iso"] == pytest.approx(6006)
    assert row["total_flow"] == pytest.approx(1001 - 2997 + 6006)
    assert (row["num_trades"], row["num_trades_iso"], row["total_volume"]) == (3, 2, 1000.0)
    assert (row["pct_trades_iso"], row["pct_volume_iso"]) == (2 / 3, 0.4)
    assert row["iso_flow_intensity"] == pytest.approx(-1996 / 1000)
    assert row["iso_flow_share"] == pytest.approx(-1996 / 10_004)
    assert row["slippage"] == pytest.approx(0.01, rel=1e-10)
    assert row["slippage_half_spreads"] == pytest.approx(1.0, rel=1e-10)


@pytest.mark.parametrize("factor", [2, 16])
def test_what_grows_with_the_price_and_what_does_not(factor):
    quotes = [quote(k * S, GOOD if k % 3 else OTHER) for k in range(50)]
    trades = [trade(k * S + 5, 99_900 + 50 * (k % 5), iso=k % 2 > 0) for k in range(50)]
    (one,) = run(quotes, trades)
    (two,) = run(
        [(t, b * factor, p, a * factor, q) for t, b, p, a, q in quotes],
        [(t, p * factor, *rest) for t, p, *rest in trades],
    )
    grows = {"total_flow", "total_flow_iso", "total_flow_non_iso", "iso_flow_intensity", "slippage"}
    grows.add("last_mid")
    assert {name for name in one if two[name] != one[name]} == grows | {"log_mid", "log_mid_time"}
    for name in grows:
        assert two[name] == factor * one[name]  # a power of two: to the last bit
    assert two["log_mid"] == pytest.approx(one["log_mid"] + math.log(factor), rel=1e-14)


def test_ineligible_trades_are_only_counted():
    quotes = [quote(k * S, GOOD if k % 2 else OTHER) for k in range(50)]
    trades = [trade(k * S + 5, 99_900 + 100 * (k % 3), iso=k % 2 > 0) for k in range(50)]
    (one,) = run(quotes, trades)
    extra = [trade(k * S + 7, 999_999, 10**6, iso=True, eligible=False) for k in range(50)]
    (two,) = run(quotes, sorted(trades + extra))
    assert {name for name in one if one[name] != two[name]} == {"num_ineligible"}
    assert two["num_ineligible"] == 50


def test_the_variance_of_the_mid_is_split_by_what_came_just_before():
    ms = 1_000_000
    moves = [0, 10 * ms, 20 * ms, 30 * ms, 40 * ms]
    quotes = [quote(at, OTHER if k % 2 else GOOD) for k, at in enumerate(moves)]
    up, down = (0.01 / 10) ** 2, (0.01 / 10.01) ** 2
    whole = run(quotes)[0]
    assert whole["var_mid_trade"] == 0.0
    assert whole["var_mid_quote"] == pytest.approx(2 * up + 2 * down, rel=1e-10)

    def led(*trades):
        (row,) = run(quotes, trades)
        parts = row["var_mid_trade"], row["var_mid_quote"]
        assert sum(parts) == pytest.approx(whole["var_mid_quote"], rel=1e-12)
        return parts[0]

    assert led(trade(10 * ms)) == pytest.approx(up, rel=1e-10)  # at the trade's own time
    assert led(trade(9 * ms)) == pytest.approx(up, rel=1e-10)  # the window's last ns
    assert led(trade(9 * ms - 1)) == 0.0
    assert led(trade(10 * ms + 1)) == 0.0  # a quote is never led by a later trade
    assert led(trade(10 * ms, eligible=False)) == 0.0
    assert led(trade(9 * ms), trade(10 * ms), trade(20 * ms)) == pytest.approx(up + down, rel=1e-10)
    (row,) = run(quotes, [trade(5 * ms)], window_ns=15 * ms)
    assert row["var_mid_trade"] == pytest.approx(up + down, rel=1e-10)


@pytest.mark.parametrize("window_ns", [0, 1_000_000, 7 * S, 10 * M])
def test_both_parts_of_the_variance_are_the_whole_for_any_window(window_ns):
    rng = np.random.default_rng(0)
    at = np.sort(rng.integers(0, 5 * M, 800)).tolist()
    quotes = [quote(t, GOOD if rng.random() < 0.5 else OTHER) for t in at]
    trades = [trade(t) for t in np.sort(rng.integers(0, 5 * M, 60)).tolist()]
    rows = run(quotes, trades, window_ns=window_ns)
    want = plain_ticks.features(quotes, trades, every=M, window=window_ns)
    for row in rows:
        twin = want[row["bucket"]]
        for name in ("var_mid_trade", "var_mid_quote"):
            assert row[name] == pytest.approx(twin[name], rel=1e-10, abs=1e-20)


def test_means_over_quotes_weigh_quotes_and_the_timed_ones_time():
    (row,) = run([quote(0), quote(45 * S, OTHER), quote(50 * S, OTHER)])
    assert row["log_mid"] == pytest.approx(math.log((10 + 2 * 10.01) / 3), rel=1e-14)
    timed = math.log((45 * 10 + 15 * 10.01) / 60)
    assert row["log_mid_time"] == pytest.approx(timed, rel=1e-14)


def test_a_session_is_whole_and_events_outside_it_set_the_scene():
    session = (T0, T0 + 3 * M)
    before = [quote(-5 * S, OTHER), quote(-1, GOOD)]
    after = [quote(3 * M, OTHER), quote(4 * M, HALT)]
    outside = [trade(-3 * S, 100_000), trade(3 * M)]
    rows = run([*before, quote(M, OTHER), *after], outside, session=session)
    assert [row["bucket"] - T0 for row in rows] == [M, 2 * M, 3 * M]
    assert [row["quoted_s"] for row in rows] == [60.0] * 3
    assert [row["num_quotes"] for row in rows] == [0, 1, 0]
    assert [row["quote_updates"] for row in rows] == [0, 1, 0]
    assert [row["num_trades"] for row in rows] == [0, 0, 0]
    assert rows[0]["log_mid_time"] == pytest.approx(math.log(10), rel=1e-14)
    assert rows[1]["var_mid_quote"] == pytest.approx(1e-6, rel=1e-10)
    assert rows[2]["log_mid_time"] == pytest.approx(math.log(10.01), rel=1e-14)
    only_after = run([quote(3 * M)], session=session)
    assert [row["quoted_s"] for row in only_after] == [0.0] * 3


def test_blocks_of_the_kernel_do_not_show():
    """More quotes in a bucket than the kernel takes at once, with and without broken books."""
    rng = np.random.default_rng(5)
    for broken in (0.0, 0.1):
        at = np.sort(rng.integers(0, 2 * M, 2_100)).tolist()
        books = [
            HALT if rng.random() < broken else (b, 1, b + 100 * w, 1)
            for b, w in zip(
                (99_000 + 100 * rng.integers(0, 20, 2_100)).tolist(),
                rng.integers(-1 if broken else 1, 4, 2_100).tolist(),
                strict=True,
            )
        ]
        quotes = [quote(t, book) for t, book in zip(at, books, strict=True)]
        rows = run(quotes)
        want = plain_ticks.features(quotes, [], every=M)
        for row in rows:
            twin = want[row["bucket"]]
            for name in set(row) - {"symbol", "bucket"}:
                x = row[name].item()
                value = None if isinstance(x, float) and math.isnan(x) else x
                assert not plain_ticks.far(name, twin[name], value, twin), name


def one_step(state, quotes, trades=(), buckets=Buckets()):  # noqa: B008
    rows = arrays([quotes], [list(trades)])
    return features.step(state, np.zeros(1, np.int64), *rows, buckets=buckets)


def test_a_bucket_closes_with_the_first_event_after_it_or_by_advance():
    state, closed = one_step(features.start(1), [quote(0)])
    assert not closed.bucket.size
    state, closed = one_step(state, [], [trade(M)])
    assert closed.bucket.tolist() == [T0 + M]
    assert closed.quoted_s.tolist() == [60.0]
    state, closed = features.advance(state, T0 + 3 * M - 1)
    assert closed.bucket.tolist() == [T0 + 2 * M]
    state, closed = features.advance(state, T0 + 3 * M)
    assert closed.bucket.tolist() == [T0 + 3 * M]
    rest = features.finish(state)[1]
    assert rest.bucket.tolist() == [T0 + 4 * M]
    assert features.finish(features.start(3))[1].bucket.size == 0


def test_a_step_leaves_the_state_it_was_given_untouched():
    state, _ = one_step(features.start(1), [quote(0)], [trade(5)])
    kept = [field.copy() for field in state]
    one_step(state, [quote(3 * M)])
    features.advance(state, T0 + 9 * M)
    features.finish(state)
    for field, copy in zip(state, kept, strict=True):
        np.testing.assert_array_equal(field, copy)


def test_an_event_older_than_the_open_bucket_is_refused():
    state, _ = one_step(features.start(1), [quote(0), quote(M + 5)])
    for late in (([quote(M - 1)], []), ([], [trade(M - 1)])):
        with pytest.raises(InputError, match=f"met {T0 + M - 1}, wanted .*start .{T0 + M} ns"):
            one_step(state, *late)
    buckets = Buckets(M, T0, T0 + 3 * M)
    state, _ = features.advance(features.start(1, buckets), T0 + M, buckets=buckets)
    with pytest.raises(InputError, match="open bucket's start"):
        one_step(state, [quote(M - 1)], buckets=buckets)


@pytest.mark.parametrize(
    ("buckets", "text"),
    [
        (Buckets(0), "met 0, wanted a bucket wider than 0 ns"),
        (Buckets(-M), "a bucket wider than 0 ns"),
        (Buckets(M, T0), "open and its close, or neither"),
        (Buckets(M, None, T0), "open and its close, or neither"),
        (Buckets(M, T0, T0), "opens before it closes"),
        (Buckets(M, 0, M), "opens before it closes"),
    ],
)
def test_buckets_that_make_no_grid_are_refused(buckets, text):
    state = features.start(1)
    for call in (
        lambda: features.start(1, buckets),
        lambda: one_step(state, [quote(0)], buckets=buckets),
        lambda: features.advance(state, T0, buckets=buckets),
        lambda: features.finish(state, buckets=buckets),
        lambda: features.batch(*arrays([[quote(0)]], [[]]), buckets=buckets),
    ):
        with pytest.raises(InputError, match=text):
            call()


@pytest.mark.parametrize("every", [7 * S, 25 * S, 60 * S, 90 * S])
def test_the_last_bucket_of_a_session_ends_at_its_close(every):
    """A minute in widths that do not divide it, or exceed it."""
    buckets = Buckets(every, T0, T0 + M)
    quotes = [quote(k * 3 * S, GOOD if k % 2 else OTHER) for k in range(25)]
    found = features.batch(*arrays([quotes], [[trade(59 * S, 100_100, 100)]]), buckets=buckets)
    assert found.bucket[-1] == T0 + M
    assert found.bucket.size == -(-M // every)
    assert found.quoted_s.sum() == pytest.approx(60.0)
    assert found.num_trades[-1] == 1
    state, early = features.advance(features.start(1, buckets), T0 + 10 * M, buckets=buckets)
    assert early.bucket.tolist() == found.bucket.tolist()
    assert features.finish(state, buckets=buckets)[1].bucket.size == 0
