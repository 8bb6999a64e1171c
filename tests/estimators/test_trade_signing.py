"""Trade signing: kernel against exact integers, pieces against the whole, and what each rule says.

Prices are drawn as whole numbers of a grid and handed over as decimal dollars, so the plain twin
below decides in exact arithmetic what the kernel must decide in floating point.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.errors import InputError
from eventtape.estimators.microstructure import signing
from eventtape.estimators.microstructure.signing import RULES, SOURCES, Memory, batch, fresh, step

FORWARD = [name for name in RULES if not name.startswith("reverse")]
REVERSE = [name for name in RULES if name.startswith("reverse")]
QUOTED = [name for name in RULES if not name.endswith("tick")]
GRID = 10_000  # a ten-thousandth of a dollar, and mids on half of it


def twin(rule, price, bid, ask, sizes=None):
    """One symbol, whole numbers (None: no such side), no vectors, no tolerance: (sign, source)."""
    ahead, rule = rule.startswith("reverse-"), rule.removeprefix("reverse-")
    out = []
    for i, p in enumerate(price):
        b, a = bid[i], ask[i]
        quoted = b is not None and a is not None and b <= a
        sign, source = 0, 0
        if quoted and rule in {"lee-ready", "quote"}:
            sign = (2 * p > a + b) - (2 * p < a + b)
        if quoted and rule == "emo":
            sign = (p == a) - (p == b)
        if quoted and rule == "clnv":
            upper = 10 * p >= 7 * a + 3 * b and p <= a
            lower = 10 * p <= 3 * a + 7 * b and p >= b
            sign = upper - lower
        if sign:
            source = 1
        elif sizes and quoted and 2 * p == a + b and sizes[0][i] != sizes[1][i]:
            sign, source = (1 if sizes[1][i] > sizes[0][i] else -1), 3
        elif rule != "quote":
            others = range(i + 1, len(price)) if ahead else range(i - 1, -1, -1)
            other = next((price[j] for j in others if price[j] != p), p)
            sign = (p > other) - (p < other)
            source = 2 * abs(sign)
        out.append((sign, source))
    return out


def dollars(values):
    return np.array([np.nan if v is None else v / GRID for v in values], np.float64)


side = st.one_of(st.none(), st.integers(1, 40))
rows = st.lists(
    st.tuples(st.integers(1, 40), side, side, st.integers(1, 3), st.integers(1, 3)), max_size=60
)


@pytest.mark.parametrize("rule", RULES)
@given(symbols=st.lists(rows, min_size=1, max_size=3), base=st.integers(0, 10**7))
@settings(max_examples=60, deadline=None)
def test_kernel_decides_as_exact_integers_do(rule, symbols, base):
    moved = [
        [(p + base, b and b + base, a and a + base, q, r) for p, b, a, q, r in one]
        for one in symbols
    ]
    start = np.r_[0, np.cumsum([len(one) for one in moved])]
    flat = [row for one in moved for row in one]
    price, bid, ask = (dollars([row[c] for row in flat]) for c in range(3))
    bid_size, ask_size = (np.array([float(row[c]) for row in flat]) for c in (3, 4))
    for with_sizes in (False, True) if rule in QUOTED else (False,):
        sizes = {"bid_size": bid_size, "ask_size": ask_size} if with_sizes else {}
        signs = batch(price, bid, ask, start, rule=rule, **sizes)
        want = []
        for one in moved:
            p, b, a, q, r = (list(c) for c in zip(*one, strict=True)) if one else ([],) * 5
            want += twin(rule, p, b, a, (q, r) if with_sizes else None)
        assert list(zip(signs.sign.tolist(), signs.source.tolist(), strict=True)) == want


def day(n=9_000, n_symbols=5, seed=0):
    """Trades in time order of several symbols, on a cent grid: (symbol, columns of price, ...)."""
    rng = np.random.default_rng(seed)
    symbol = rng.choice(n_symbols, n, p=np.array([60, 30, 8, 1.5, 0.5]) / 100)
    mid = 2 * 5_000 + rng.integers(-20, 21, n)  # half cents
    half = rng.integers(1, 6, n)
    place = rng.choice([-1.0, -0.5, 0.0, 0.0, 0.5, 1.0], n)
    price = np.round((mid + place * half) / 2) / 100
    bid, ask = (mid - half) / 200, (mid + half) / 200
    bid[rng.random(n) < 0.02] = 0.0
    ask[rng.random(n) < 0.02] = np.nan
    crossed = rng.random(n) < 0.02
    bid[crossed], ask[crossed] = ask[crossed], bid[crossed]
    sizes = rng.integers(1, 4, (2, n)) * 100.0
    return symbol, price, bid, ask, sizes


def grouped(n=9_000):
    symbol, price, bid, ask, sizes = day(n)
    order = np.argsort(symbol, kind="stable")
    start = np.r_[0, np.cumsum(np.bincount(symbol, minlength=5))]
    return order, start, price[order], bid[order], ask[order], sizes[:, order]


def sized(rule, sizes):
    return {"bid_size": sizes[0], "ask_size": sizes[1]} if rule in QUOTED else {}


@pytest.mark.parametrize("rule", FORWARD)
@pytest.mark.parametrize("chunk", [1, 16, 4_096, 9_000])
@pytest.mark.parametrize("with_sizes", [False, True])
def test_pieces_are_the_whole(rule, chunk, with_sizes):
    """Time order of mixed symbols in chunks, against one batch grouped by symbol."""
    n = 9_000 if chunk > 1 else 1_500
    symbol, price, bid, ask, sizes = day(n)
    order, start, *columns, sizes_grouped = grouped(n)
    whole = batch(*columns, start, rule=rule, **(sized(rule, sizes_grouped) if with_sizes else {}))
    memory, pieces = fresh(5), []
    for low in range(0, n, chunk):
        cut = slice(low, low + chunk)
        extra = sized(rule, sizes[:, cut]) if with_sizes else {}
        memory, signs = step(
            memory, price[cut], bid[cut], ask[cut], symbols=symbol[cut], rule=rule, **extra
        )
        pieces.append(signs)
    for field in ("sign", "source"):
        joined = np.concatenate([getattr(piece, field) for piece in pieces])
        np.testing.assert_array_equal(joined[order], getattr(whole, field))
    assert set(np.unique(whole.source)) >= ({1} if rule != "tick" else {2})


@pytest.mark.parametrize("rule", FORWARD)
def test_pieces_of_grouped_chunks(rule):
    """Chunks of long runs, cut inside a block: the memory carries price and direction over."""
    rng = np.random.default_rng(4)
    n = 5_000
    price = 100.0 + np.cumsum(rng.choice([-1, 0, 1], n, p=[0.05, 0.9, 0.05])) / 64
    bid, ask = price - rng.choice([0, 1], n) / 64, price + rng.choice([0, 1], n) / 64
    whole = batch(price, bid, ask, rule=rule)
    for cut in (1, 2, 7, 15, 16, 17, *range(2_040, 2_056), 3_000, 4_990):
        memory, first = step(fresh(1), price[:cut], bid[:cut], ask[:cut], [0, cut], [0], rule=rule)
        rest = slice(cut, n)
        _, second = step(memory, price[rest], bid[rest], ask[rest], [0, n - cut], rule=rule)
        np.testing.assert_array_equal(np.r_[first.sign, second.sign], whole.sign)
        np.testing.assert_array_equal(np.r_[first.source, second.source], whole.source)


@pytest.mark.parametrize("rule", FORWARD)
@pytest.mark.parametrize("k", [1, 2, 15, 16, 2_049, 5_000])
def test_no_looking_ahead(rule, k):
    _, _, price, bid, ask, _ = grouped()
    whole, part = batch(price, bid, ask, rule=rule), batch(price[:k], bid[:k], ask[:k], rule=rule)
    np.testing.assert_array_equal(whole.sign[:k], part.sign)


@pytest.mark.parametrize("rule", REVERSE)
@pytest.mark.parametrize("n", [1, 15, 16, 17, 2_048, 2_049, 5_000])
def test_a_reverse_rule_is_its_rule_on_the_day_run_backwards(rule, n):
    _, _, price, bid, ask, _ = grouped()
    price, bid, ask = price[:n], bid[:n], ask[:n]
    forwards = batch(price[::-1], bid[::-1], ask[::-1], rule=rule.removeprefix("reverse-"))
    backwards = batch(price, bid, ask, rule=rule)
    np.testing.assert_array_equal(forwards.sign[::-1], backwards.sign)
    np.testing.assert_array_equal(forwards.source[::-1], backwards.source)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("run", [10, 10_000])
def test_many_trades_row_by_row_and_in_blocks(rule, run):
    """20,000 trades, crossed, locked and one-sided books, in short runs and in long ones."""
    rng = np.random.default_rng(3)
    n = 20_000
    p, b, a = rng.integers(200, 241, (3, n)).tolist()
    b, a = ([None if rng.random() < 0.02 else v for v in one] for one in (b, a))
    q, r = rng.integers(1, 4, (2, n)).tolist()
    with_sizes = rule in QUOTED
    sizes = {"bid_size": np.array(q, float), "ask_size": np.array(r, float)} if with_sizes else {}
    signs = batch(dollars(p), dollars(b), dollars(a), range(0, n + 1, run), rule=rule, **sizes)
    want = []
    for low in range(0, n, run):
        cut = slice(low, low + run)
        want += twin(rule, p[cut], b[cut], a[cut], (q[cut], r[cut]) if with_sizes else None)
    assert list(zip(signs.sign.tolist(), signs.source.tolist(), strict=True)) == want
    assert {source for _, source in want} >= ({1, 3} if with_sizes else {2})


@pytest.mark.parametrize("rule", RULES)
def test_blocks_are_rows(rule):
    """Long runs with zero ticks across the edges of blocks, against the plain twin."""
    rng = np.random.default_rng(1)
    n = 3 * 2_048 + 5
    p = 100 + np.cumsum(rng.choice([-1, 0, 1], n, p=[0.002, 0.996, 0.002]))
    half = rng.choice([0, 1], n)
    got = batch(p / GRID, (p - half) / GRID, (p + half) / GRID, rule=rule)
    want = twin(rule, p.tolist(), (p - half).tolist(), (p + half).tolist())
    assert list(zip(got.sign.tolist(), got.source.tolist(), strict=True)) == want
    assert (np.diff(p)[2_040:2_056] == 0).all()  # else no block's edge is met by a zero tick


@pytest.mark.parametrize("rule", RULES)
def test_buyers_and_sellers_are_mirror_images(rule):
    """Prices mirrored and bid and ask exchanged: every sign turns, no source does."""
    _, start, price, bid, ask, sizes = grouped()
    one = batch(price, bid, ask, start, rule=rule, **sized(rule, sizes))
    there = batch(
        128.0 - price,
        np.where(ask > 0, 128.0 - ask, 0.0),
        np.where(bid > 0, 128.0 - bid, 0.0),
        start,
        rule=rule,
        **sized(rule, sizes[::-1]),
    )
    np.testing.assert_array_equal(one.sign, -there.sign)
    np.testing.assert_array_equal(one.source, there.source)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("scale", [2.0**-9, 8.0])
def test_the_unit_of_price_does_not_matter(rule, scale):
    _, start, price, bid, ask, _ = grouped()
    one = batch(price, bid, ask, start, rule=rule)
    two = batch(scale * price, scale * bid, scale * ask, start, rule=rule)
    np.testing.assert_array_equal(one.sign, two.sign)


@pytest.mark.parametrize("rule", RULES)
def test_inputs_are_read_only_views_and_stay_as_they_are(rule):
    _, start, *columns, _ = grouped()
    whole = batch(*columns, start, rule=rule)
    kept = [part.copy() for part in (*columns, start)]
    for part in (*columns, start):
        part.flags.writeable = False
    again = batch(*columns, start, rule=rule)
    strided = batch(*(np.repeat(part, 3)[1::3] for part in columns), start, rule=rule)
    for other in (again, strided):
        np.testing.assert_array_equal(whole.sign, other.sign)
        np.testing.assert_array_equal(whole.source, other.source)
    for part, copy in zip((*columns, start), kept, strict=True):
        np.testing.assert_array_equal(part, copy)
    assert whole.sign.dtype == whole.source.dtype == np.int8


def test_a_trade_at_the_mid_of_decimal_prices_is_at_the_mid():
    """Cents are not exact in binary: bit for bit, a quarter of these trades is off the mid."""
    rng = np.random.default_rng(2)
    n = 200_000
    low, steps = rng.integers(100, 100_000, n), rng.integers(1, 12, n)
    price, bid, ask = (low + steps) / 100, low / 100, (low + 2 * steps) / 100
    assert np.mean(0.5 * (bid + ask) != price) > 0.2
    assert not batch(price, bid, ask, rule="quote").sign.any()
    # and the finest difference a feed can state is still a difference
    above, below = ((100 * (low + steps) + off) / 10_000 for off in (1, -1))
    assert (batch(above, bid, ask, rule="quote").sign == 1).all()
    assert (batch(below, bid, ask, rule="quote").sign == -1).all()


NO_QUOTE = [(np.nan, 10.02), (10.0, np.nan), (np.nan, np.nan), (0.0, 10.02), (10.0, 0.0)]
NO_QUOTE += [(0.0, 0.0), (10.03, 10.02), (10.0, np.inf), (-1.0, 10.02)]


@pytest.mark.parametrize(("bid", "ask"), NO_QUOTE)
@pytest.mark.parametrize("rule", QUOTED)
def test_without_a_book_only_ticks_speak(rule, bid, ask):
    """A side missing, or crossed: the quote rule says 0, a hybrid what its tick test says."""
    price = [10.01, 10.02, 10.02, 10.0]
    signs = batch(price, [bid] * 4, [ask] * 4, rule=rule)
    ticks = batch(price, rule="reverse-tick" if rule in REVERSE else "tick")
    want = np.zeros(4) if rule == "quote" else ticks.sign
    np.testing.assert_array_equal(signs.sign, want)
    assert not np.isin(signs.source, [1, 3]).any()


def test_a_locked_book_has_a_mid_but_no_sides():
    price, book = [9.0, 10.01, 10.0, 9.99], [10.0] * 4
    assert batch(price, book, book, rule="quote").sign.tolist() == [-1, 1, 0, -1]
    for rule in ("emo", "clnv"):
        signs = batch(price, book, book, rule=rule)
        assert signs.sign.tolist() == [0, 1, -1, -1]
        assert [SOURCES[s] for s in signs.source] == ["unsigned"] + ["tick test"] * 3


def test_zero_ticks_repeat_the_last_different_price():
    """Lee and Ready 1991, p. 735: up, zero-up, zero-up, down, zero-down; nothing before a move."""
    price = [10.0, 10.0, 10.1, 10.1, 10.1, 10.0, 10.0]
    assert batch(price, rule="tick").sign.tolist() == [0, 0, 1, 1, 1, -1, -1]
    assert batch(price, rule="reverse-tick").sign.tolist() == [-1, -1, 1, 1, 1, 0, 0]


def test_symbols_do_not_see_each_other():
    price = [10.0, 11.0, 5.0, 5.0, 4.0, 7.0]
    assert batch(price, start=[0, 2, 4, 4, 5, 6], rule="tick").sign.tolist() == [0, 1, 0, 0, 0, 0]


def test_depth_speaks_at_the_mid_only_and_before_the_tick():
    price, bid, ask = [10.02, 10.01, 10.01, 10.01], [10.0] * 4, [10.02] * 4
    sizes = {"bid_size": [9.0, 1.0, 9.0, 5.0], "ask_size": [1.0, 9.0, 1.0, 5.0]}
    signs = batch(price, bid, ask, **sizes)
    assert signs.sign.tolist() == [1, 1, -1, -1]
    assert signs.source.tolist() == [1, 3, 3, 2]


def test_no_trades_is_no_signs():
    assert batch([], [], []).sign.size == 0
    memory = Memory(np.array([3.0, np.nan]), np.array([-1, 0], np.int8))
    after, signs = step(memory, [], [], [], symbols=[])
    assert signs.sign.size == 0
    np.testing.assert_array_equal(after.price, memory.price)


def test_a_step_leaves_the_memory_it_was_given():
    memory = fresh(1)
    after, _ = step(memory, [10.0, 10.1], rule="tick", symbols=[0, 0])
    assert np.isnan(memory.price[0])
    assert (after.price[0], after.direction[0]) == (10.1, 1)
    kept, _ = step(after, [9.0], [8.0], [9.0], rule="quote")
    assert kept.price[0] == 10.1, "the quote rule has no memory to move"


P, B, A = [10.0, 10.1], [10.0, 10.0], [10.2, 10.2]
BAD = {
    "rule": (lambda: batch(P, B, A, rule="lee ready"), "lee ready"),
    "no quote": (lambda: batch(P), "a bid and an ask"),
    "one side": (lambda: batch(P, B), "a bid and an ask"),
    "shape": (lambda: batch(P, B, A[:1]), "one a trade"),
    "matrix": (lambda: batch([P], [B], [A]), "one a trade"),
    "start short": (lambda: batch(P, B, A, [0, 1]), "from 0 to 2"),
    "start falls": (lambda: batch(P, B, A, [0, 2, 1, 2]), "not falling"),
    "start empty": (lambda: batch(P, B, A, []), "from 0 to 2"),
    "one size": (lambda: batch(P, B, A, bid_size=P), "both sizes"),
    "sizes of ticks": (lambda: batch(P, rule="tick", bid_size=P, ask_size=P), "quote test"),
    "looking ahead": (lambda: step(fresh(1), P, B, A, rule="reverse-emo"), "looks only back"),
    "too few runs": (lambda: step(fresh(1), P, B, A), "a symbol for each run"),
    "strange symbol": (lambda: step(fresh(1), P, B, A, symbols=[0, 1]), "a symbol from 0 to 0"),
    "memory": (
        lambda: step(Memory(np.zeros(2), np.zeros(1, np.int8)), P, B, A, symbols=[0, 1]),
        "one price and direction",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_named(case):
    run, said = BAD[case]
    with pytest.raises(InputError, match=said):
        run()


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("row", [1, 4_000])
def test_a_price_that_is_none_is_named_with_its_row(value, row):
    price = np.full(5_000, 10.0)
    price[row - 1] = value
    with pytest.raises(InputError, match="price") as caught:
        batch(price, rule="tick")
    assert (caught.value.row, caught.value.column) == (row, "price")


def test_the_kernel_is_compiled_once():
    """Read-only or not, sized or not, quoted or not: one signature, so one compilation."""
    from eventtape.estimators.microstructure.signing_kernel import sign_runs

    batch(P, B, A)
    signing.batch(P, rule="tick")
    batch(P, B, A, bid_size=P, ask_size=P, rule="emo")
    step(fresh(2), P, B, A, symbols=[0, 1])
    assert len(sign_runs.signatures) == 1


@pytest.mark.parametrize("bid", [1_234_567, 99_999, 10_000_001])
def test_bands_end_at_three_tenths_of_the_spread(bid):
    """A spread of ten cents, a trade every hundredth of a cent: 301 trades a band, edges in."""
    price = np.arange(bid - 50, bid + 1_051)
    n = price.size
    signs = batch(
        price / GRID, np.full(n, bid / GRID), np.full(n, (bid + 1_000) / GRID), rule="clnv"
    )
    quoted = np.flatnonzero(signs.source == 1) - 50
    np.testing.assert_array_equal(quoted, np.r_[0:301, 700:1_001])
    np.testing.assert_array_equal(signs.sign[quoted + 50], np.repeat([-1, 1], 301))
