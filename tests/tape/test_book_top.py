from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.tape.top_of_book import start, step, top_of_book

T0 = 1_930_132_800_000_000_000


def rows(ticks, venue=False):
    """A frame of (symbol, second, bid, bid size, ask, ask size[, venue])."""
    schema = {"symbol": pl.String, "ts": pl.Int64}
    schema |= dict.fromkeys(("bid", "bid_size", "ask", "ask_size"), pl.Float64)
    schema |= {"venue": pl.String} if venue else {}
    table = pl.DataFrame(ticks, schema=schema, orient="row")
    return table.with_columns(
        (T0 + pl.col("ts") * 10**9).cast(pl.Datetime("ns", "UTC")).alias("ts")
    )


def book(frame):
    return frame.select("bid", "bid_size", "ask", "ask_size").rows()


def random_rows(seed, n=4_000):
    """Three symbols, five venues, one-sided and two-sided rows, withdrawals."""
    rng = np.random.default_rng(seed)
    table = []
    for ts in np.sort(rng.integers(0, 500, n)).tolist():
        row = [f"S{rng.integers(3)}", ts]
        for base in (100, 103):
            what = rng.random()
            if what < 0.3:
                row += [None, None]
            elif what < 0.4:
                row += [0.0, 0.0]
            else:
                row += [(base + rng.integers(-3, 4)) / 10, float(rng.integers(1, 9))]
        table.append((*row, f"V{rng.integers(5)}"))
    return rows(table, venue=True)


def brute(frame):
    """The same rule over dictionaries of standing quotes: slow, and written from the text."""
    bids, asks, out = {}, {}, []
    for symbol, _, bid, bid_size, ask, ask_size, venue in frame.rows():
        for stand, price, size in ((bids, bid, bid_size), (asks, ask, ask_size)):
            if price is not None:
                stand.pop((symbol, venue), None)
                if price > 0:
                    stand[symbol, venue] = (price, size)
        answer = []
        for stand, best in ((bids, max), (asks, min)):
            mine = [quote for (name, _), quote in stand.items() if name == symbol]
            top = best((price for price, _ in mine), default=0.0)
            answer += [top, sum(size for price, size in mine if price == top)]
        out.append(tuple(answer))
    return out


def test_the_last_bid_row_and_the_last_ask_row_stand_together():
    one_sided = rows(
        [
            ("A", 0, 10.0, 5.0, None, None),
            ("A", 1, None, None, 10.3, 2.0),
            ("A", 1, 10.1, 1.0, None, None),
            ("A", 2, None, None, 10.0, 4.0),
            ("A", 3, 0.0, 0.0, None, None),
            ("A", 4, None, None, None, None),
        ]
    )
    assert book(top_of_book(one_sided)) == [
        (10.0, 5.0, 0.0, 0.0),
        (10.0, 5.0, 10.3, 2.0),
        (10.1, 1.0, 10.3, 2.0),
        (10.1, 1.0, 10.0, 4.0),  # crossed, and kept
        (0.0, 0.0, 10.0, 4.0),  # the bid withdrawn
        (0.0, 0.0, 10.0, 4.0),
    ]


def test_the_best_venue_wins_and_sizes_at_the_best_price_add_up():
    venues = rows(
        [
            ("A", 0, 10.0, 5.0, 10.2, 1.0, "N"),
            ("A", 1, 10.0, 3.0, 10.3, 1.0, "P"),
            ("A", 2, 9.9, 2.0, 10.2, 7.0, "N"),
            ("A", 3, 0.0, 0.0, 10.2, 1.0, "P"),
        ],
        venue=True,
    )
    assert book(top_of_book(venues)) == [
        (10.0, 5.0, 10.2, 1.0),
        (10.0, 8.0, 10.2, 1.0),
        (10.0, 3.0, 10.2, 7.0),
        (9.9, 2.0, 10.2, 8.0),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_the_kernel_says_what_the_slow_twin_says(seed):
    frame = random_rows(seed)
    assert book(top_of_book(frame)) == brute(frame)


@pytest.mark.parametrize("size", [1, 16, 4_096])
@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical])
def test_batches_of_any_size_give_the_same_rows(size, dtype):
    frame = random_rows(7, 600 if size == 1 else 9_000).with_columns(pl.col("symbol").cast(dtype))
    state, parts = start(), []
    for low in range(0, frame.height, size):
        state, part = step(state, frame[low : low + size])
        parts.append(part)
    joined = pl.concat(parts)
    assert joined.equals(top_of_book(frame))
    whole, _ = step(start(), frame)
    assert whole.names == state.names
    np.testing.assert_array_equal(whole.standing, state.standing)
    np.testing.assert_array_equal(whole.ts, state.ts)


def test_a_batch_does_not_change_the_state_it_was_given():
    frame = random_rows(1, 200)
    state, _ = step(start(), frame[:100])
    kept = state.standing.copy()
    first = step(state, frame[100:])[1]
    np.testing.assert_array_equal(state.standing, kept)
    assert step(state, frame[100:])[1].equals(first)


@pytest.mark.parametrize(
    ("tick", "column", "wanted"),
    [
        (("A", 1, 10.0, None, None, None), "bid_size", "a bid_size where there is a bid"),
        (("A", 1, 10.0, 0.0, None, None), "bid_size", "a size > 0 where there is a bid"),
        (("A", 1, -1.0, 1.0, None, None), "bid", "a finite price >= 0"),
        (("A", 1, None, None, float("nan"), 1.0), "ask", "a finite price >= 0"),
        (("A", -1, 10.0, 1.0, None, None), "ts", "times that do not fall"),
    ],
)
def test_a_bad_row_is_named(tick, column, wanted):
    with pytest.raises(InputError, match=f"row 2, column '{column}'.*{wanted}"):
        top_of_book(rows([("A", 0, 10.0, 1.0, None, None), tick]))


def test_a_clock_that_goes_back_between_batches_is_refused():
    state, _ = step(start(), rows([("A", 5, 10.0, 1.0, None, None)]))
    with pytest.raises(InputError, match=r"row 2, column 'ts'.*times that do not fall"):
        step(state, rows([("B", 1, 10.0, 1.0, None, None), ("A", 4, 10.0, 1.0, None, None)]))


def test_a_symbol_and_a_venue_must_be_there():
    with pytest.raises(InputError, match="column 'symbol'"):
        top_of_book(rows([(None, 0, 10.0, 1.0, None, None)]))
    with pytest.raises(InputError, match="column 'venue'"):
        top_of_book(rows([("A", 0, 10.0, 1.0, None, None, None)], venue=True))
