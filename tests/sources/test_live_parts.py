"""The parts of a live connection on their own: rows at the door, keys, what may leave, back-off."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.errors import InputError
from eventtape.sources.live_backoff import Backoff, retry_after_s
from eventtape.sources.live_health import HealthBook
from eventtape.sources.live_outbox import Outbox
from eventtape.sources.live_rows import (
    frame_of,
    live_batch,
    mixed_keys,
    parse_frame,
    real_numbers,
    row_keys,
    whole_numbers,
)
from eventtape.tape import PROBABILITY, TRADE, check, empty, times_ns

NS = 1_767_225_600_000_000_000


def columns(**change):
    good = {
        "symbol": ["a", "b"],
        "ts": [NS, NS + 5],
        "price": [1, 2.5],
        "size": [1.0, 2.0],
        "side": [1, -1],
    }
    return good | change


def test_rows_pass_the_tapes_own_check_and_missing_nullables_are_null():
    rows = frame_of(TRADE, columns())
    assert check(rows, TRADE).equals(rows)
    assert rows.schema == empty(TRADE).schema
    assert rows["trade_id"].null_count() == 2
    assert frame_of(TRADE, {name: [] for name in columns()}).equals(empty(TRADE))
    arrays = {"ts": np.array([NS, NS + 5]), "price": np.array([1.0, 2.5])}
    assert frame_of(TRADE, columns(**arrays)).equals(rows)


def test_nulls_and_bounds_of_a_nullable_column():
    some = {"symbol": ["p"] * 3, "ts": [NS, NS + 1, NS + 2], "probability": [0.0, 0.5, 1.0]}
    rows = frame_of(PROBABILITY, some | {"bid": [None, 0.25, 1], "ask": [None] * 3})
    assert check(rows, PROBABILITY)["bid"].to_list() == [None, 0.25, 1.0]
    for bid, row in (([None, 1.5, 0.5], 2), ([None, float("nan"), 0.5], 2), ([-0.1, None, 0], 1)):
        with pytest.raises(InputError) as error:
            frame_of(PROBABILITY, some | {"bid": bid})
        assert (error.value.row, error.value.column) == (row, "bid")


@pytest.mark.parametrize(
    ("change", "row", "column"),
    [
        ({"price": [True, 1.0]}, 1, "price"),
        ({"price": [1.0, "2"]}, 2, "price"),
        ({"price": [1.0, 0.0]}, 2, "price"),
        ({"price": [None, 1.0]}, 1, "price"),
        ({"price": [1.0, float("nan")]}, 2, "price"),
        ({"price": [1.0, float("inf")]}, 2, "price"),
        ({"price": [1.0, 10**400]}, 2, "price"),
        ({"price": np.array([1, 2])}, None, "price"),
        ({"size": [1.0]}, None, "size"),
        ({"ts": [NS, 12]}, 2, "ts"),
        ({"ts": [NS, 1.5]}, 2, "ts"),
        ({"ts": [NS, 1 << 70]}, 2, "ts"),
        ({"side": [1, 2]}, 2, "side"),
        ({"side": [1, 300]}, 2, "side"),
        ({"symbol": ["a", 3]}, 2, "symbol"),
        ({"symbol": ["a", None]}, 2, "symbol"),
        ({"symbol": ["a", "\ud800"]}, 2, "symbol"),
        ({"odd": [1, 2]}, None, None),
    ],
    ids=ascii,
)
def test_what_cannot_be_a_row_names_feed_row_and_column(change, row, column):
    with pytest.raises(InputError) as error:
        live_batch("feed x", TRADE, columns(**change), row_keys(["a", "b"]), 7)
    assert (error.value.file, error.value.row, error.value.column) == ("feed x", row, column)


def test_a_key_for_each_row_and_every_needed_column():
    with pytest.raises(InputError, match="2 keys"):
        live_batch("x", TRADE, columns(), row_keys(["a"]), 7)
    lacking = columns()
    del lacking["price"]
    with pytest.raises(InputError, match="the column price"):
        frame_of(TRADE, lacking)


def test_numbers_are_told_from_what_looks_like_them():
    assert whole_numbers([0, 1 << 53], feed="x", column="q").tolist() == [0, 1 << 53]
    assert real_numbers([0, 2.5], feed="x", column="p").tolist() == [0.0, 2.5]
    for wrong in (-1, True, "1", 1.0, None, (1 << 53) + 1, 1 << 70):
        with pytest.raises(InputError):
            whole_numbers([1, wrong], feed="x", column="q")
    for wrong in (-0.5, True, "1", None, float("nan"), float("inf")):
        with pytest.raises(InputError):
            real_numbers([1, wrong], feed="x", column="p")


@pytest.mark.parametrize(
    "said",
    ["", "[[", "[" * 100_000, b"\xff", "NaN", "[Infinity]", "1 2"],
    ids=lambda s: ascii(s[:9]),
)
def test_a_frame_that_is_no_json_is_an_input_error(said):
    with pytest.raises(InputError, match="a frame of JSON"):
        parse_frame(said, feed="x")


@pytest.mark.parametrize("half", [r"\ud800", r"\uD800", r"\udc00\ud800"])
@pytest.mark.parametrize("kind", [str, str.encode], ids=["text", "bytes"])
def test_half_a_character_is_an_input_error_and_a_whole_one_is_none(half, kind):
    with pytest.raises(InputError, match="whole characters"):
        parse_frame(kind(f'[{{"a": "b{half}"}}]'), feed="x")
    assert parse_frame(kind(r'["\ud83d\ude00\\ud800"]'), feed="x") == ["\U0001f600\\ud800"]


def test_keys_stay_what_they_are_and_do_not_meet():
    assert row_keys(["a", "b"]).tolist() == [3405396810240292928, 8453121595177857668]
    assert row_keys([]).shape == (0,)
    numbers = np.arange(20_000)
    seeds = row_keys(["A", "B", "C"])
    mixed = np.concatenate([mixed_keys(np.full(numbers.size, seed), numbers) for seed in seeds])
    assert np.unique(mixed).size == mixed.size


def batch(feed: str, *numbers: int):
    rows = {"symbol": [feed] * len(numbers), "ts": [NS + n for n in numbers]}
    ones = {"price": [1.0] * len(numbers), "size": [1.0] * len(numbers), "side": [0] * len(numbers)}
    return live_batch(feed, TRADE, rows | ones, np.array(numbers, np.int64), 7)


def keys(batches) -> list[list[int]]:
    return [b.keys.tolist() for b in batches]


def test_held_rows_leave_behind_those_that_fill_the_hole():
    out = Outbox(hold_rows=100)
    out.take(batch("a", 1))
    fill = out.hold("a")
    out.take(batch("a", 5))
    out.take(batch("b", 5))
    assert keys(out.drain()) == [[1], [5]]
    out.take(batch("a", 6))
    out.filled("a", fill, [batch("a", 2, 3), batch("a", 4)])
    assert (out.rows, keys(out.drain()), out.drain()) == (5, [[2, 3, 4, 5, 6]], [])


def test_rows_of_one_stamp_stand_where_their_hole_was():
    """Holes before row 3 and before row 5, filled the later one first; all of one stamp."""

    def now(*numbers):
        one = batch("a", *numbers)
        return one._replace(rows=one.rows.with_columns(ts=pl.lit(NS).cast(one.rows["ts"].dtype)))

    out = Outbox(hold_rows=100)
    out.take(now(1))
    first = out.hold("a")
    out.take(now(3))
    second = out.hold("a")
    out.take(now(5))
    out.filled("a", second, [now(4)])
    out.filled("a", first, [now(2)])
    assert keys(out.drain()) == [[1, 2, 3, 4, 5]]


def test_a_hold_lasts_until_its_last_fill_its_time_or_its_bound():
    out = Outbox(hold_rows=3)
    first, second = out.hold("a"), out.hold("a")
    out.take(batch("a", 5))
    out.filled("a", first, [batch("a", 2)])
    assert out.drain() == []
    out.expire("a", first)
    assert out.drain() == []
    out.expire("a", second)
    assert keys(out.drain()) == [[2, 5]]
    out.filled("a", second, [batch("a", 3)])
    assert keys(out.drain()) == [[3]]
    third = out.hold("a")
    out.take(batch("a", 6, 7, 8))
    assert out.drain() == []
    out.take(batch("a", 9))
    assert keys(out.drain()) == [[6, 7, 8, 9]]
    out.filled("a", third, [])
    assert out.drain() == []


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(["take", "hold", "fill", "expire", "drain"]), max_size=40))
def test_no_interleaving_loses_or_doubles_a_row(steps):
    out, given_in, open_fills, left = Outbox(hold_rows=4), [], [], []
    for n, step in enumerate(steps):
        if step == "take":
            out.take(batch("a", n))
            given_in.append(n)
        elif step == "hold":
            open_fills.append(out.hold("a"))
        elif step == "fill" and open_fills:
            out.filled("a", open_fills.pop(0), [batch("a", n)])
            given_in.append(n)
        elif step == "expire" and open_fills:
            out.expire("a", open_fills[0])
        elif step == "drain":
            left += out.drain()
    for fill in open_fills:
        out.filled("a", fill, [])
    left += out.drain()
    assert sorted(key for one in keys(left) for key in one) == given_in
    assert all((np.diff(times_ns(one.rows)) >= 0).all() for one in left)
    assert out.rows == 0


def test_waits_double_up_to_a_bound_and_begin_anew():
    backoff = Backoff(1.0, 5.0, random.Random(1))
    tops = [1.0, 2.0, 4.0, 5.0, 5.0]
    waits = [backoff.next_s() for _ in tops]
    assert all(0.0 <= wait <= top for wait, top in zip(waits, tops, strict=True))
    assert max(waits) > 1.0
    backoff.reset()
    assert backoff.next_s() <= 1.0
    assert backoff.next_s(at_least_s=9.0) == 9.0


def test_retry_after_is_a_number_or_a_date_and_never_more_than_an_hour():
    said = {"3": 3.0, "-1": 0.0, "nan": 0.0, "inf": 3600.0, "1e9": 3600.0, "soon": 0.0, "": 0.0}
    assert {text: retry_after_s({"Retry-After": text}) for text in said} == said
    assert retry_after_s({}) == 0.0
    ahead = format_datetime(datetime.now(UTC) + timedelta(hours=9), usegmt=True)
    assert retry_after_s({"Retry-After": ahead}) == 3600.0


def test_the_book_of_health_keeps_feeds_apart_and_bad_frames_bounded():
    book = HealthBook(["a", "b"], kept=2, kept_size=3)
    book.came("a", NS, NS + 2_000_000)
    book.came("a", NS - 5, NS + 1_000_000)
    book.left(batch("b", 1, 2))
    book.state("live")
    for said in ("long frame", b"\x00\x01\x02\x03", "third"):
        book.malformed(said, 7, "no JSON")
    a, b = book.read()
    assert (a.skew_ms, a.last_stamp_ns, a.last_received_ns) == (1.000005, NS, NS + 1_000_000)
    assert (b.rows, b.batches, b.last_stamp_ns) == (2, 1, -1)
    assert (a.state, a.malformed, b.malformed, b.message) == ("live", 3, 3, "no JSON")
    assert [bad.frame for bad in book.bad_frames()] == ["lon", b"\x00\x01\x02"]
    book.state("stale", "silent")
    book.connected(again=True)
    assert [h.state for h in book.read()] == ["stale", "stale"]
    assert [h.reconnects for h in book.read()] == [1, 1]
