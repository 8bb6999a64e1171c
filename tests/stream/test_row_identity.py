"""Each row once: duplicates are left out by key, and the memory of them is bounded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.errors import InputError
from eventtape.sources.live_socket import Limits
from eventtape.stream.dedupe import MEMORY, Dedupe
from eventtape.stream.key_memory import KeyMemory
from eventtape.tape.batch import HISTORY, Batch, beat
from stream.small_program import trades


def batch(keys, feed="a"):
    keys = np.asarray(keys, np.int64)
    return Batch(
        feed, "trade", trades(feed, np.arange(keys.size), np.arange(keys.size)), keys, HISTORY
    )


def test_rows_met_before_are_left_out_within_a_batch_and_across():
    memory = Dedupe()
    first = memory.fresh(batch([5, 7, 5, 9, 7]))
    assert first.keys.tolist() == [5, 7, 9]
    assert first.rows["trade_id"].to_list() == ["a0", "a1", "a3"]  # the first of each
    again = memory.fresh(batch([9, 1, 5, 2]))
    assert again.keys.tolist() == [1, 2]
    assert again.rows["trade_id"].to_list() == ["a1", "a3"]
    assert memory.fresh(batch([1, 2])) is None
    assert memory.fresh(batch([1, 2], "b")).keys.tolist() == [1, 2]  # keys are a feed's own
    assert memory.duplicates == {"a": 6}


def test_a_batch_of_new_rows_and_a_beat_pass_as_they_are():
    memory, whole = Dedupe(), batch(range(100))
    assert memory.fresh(whole) is whole
    tick = beat(3)
    assert memory.fresh(tick) is tick
    assert memory.fresh(tick) is tick
    assert memory.fresh(batch([])) is None
    assert memory.duplicates == {}


def test_only_the_newest_keys_are_remembered():
    memory = Dedupe(memory=3)
    memory.fresh(batch([1, 2, 3, 4]))
    assert memory.fresh(batch([2, 3, 4])) is None
    assert memory.fresh(batch([1])).keys.tolist() == [1]  # forgotten; 2 goes now
    assert memory.fresh(batch([3, 4, 1, 2])).keys.tolist() == [2]
    with pytest.raises(InputError, match="at least 1 key"):
        Dedupe(memory=0)


def test_the_journals_tail_brings_the_memory_back():
    rng = np.random.default_rng(2)
    one, passed = Dedupe(memory=50), []
    for _ in range(60):
        fresh = one.fresh(batch(rng.integers(0, 90, 7)))
        if fresh is not None:
            passed.append(fresh)
    other = Dedupe(memory=50)
    for old in passed[-50:]:
        other.remember(old)
    for _ in range(20):
        more = batch(rng.integers(0, 90, 7))
        here, there = one.fresh(more), other.fresh(more)
        assert (here is None) == (there is None)
        assert here is None or here.keys.tolist() == there.keys.tolist()


def test_the_newest_keys_are_recalled_in_their_order():
    memory, other = Dedupe(memory=4), Dedupe(memory=4)
    memory.fresh(batch([1, 2, 3]))
    memory.fresh(batch([4, 5], "b"))
    newest = memory.newest(2)
    assert {feed: keys.tolist() for feed, keys in newest.items()} == {"a": [2, 3], "b": [4, 5]}
    other.recall(newest)
    assert other.fresh(batch([3, 1])).keys.tolist() == [1]
    assert other.fresh(batch([8, 9])).keys.tolist() == [8, 9]
    assert other.fresh(batch([2])).keys.tolist() == [2]  # the oldest was forgotten first


def test_more_is_remembered_than_a_source_holds_back_before_it_asks_again():
    """Rows let go for want of room come again with the fill, after all that was held."""
    assert 2 * Limits().hold_rows <= MEMORY


@given(
    memory=st.integers(1, 40),
    parts=st.lists(st.lists(st.integers(-60, 60), max_size=30), max_size=30),
    spread=st.sampled_from([1, 2**40 + 1, -(2**57)]),
)
@settings(max_examples=150, derandomize=True, deadline=None)
def test_the_memory_is_a_plain_queue_of_the_newest(memory, parts, spread):
    """Against a list searched from end to end; keys may crowd in a few slots of the table."""
    found, known = KeyMemory(memory), []
    for part in parts:
        new = []
        for key in part:
            new.append(key * spread not in known)
            known = ([*known, key * spread] if new[-1] else known)[-memory:]
        assert found.meet(np.array([key * spread for key in part], np.int64)).tolist() == new
        assert found.newest(memory).tolist() == known
        assert found.newest(3).tolist() == known[-3:]


def test_a_memory_goes_round_many_times():
    rng = np.random.default_rng(5)
    keys = rng.integers(-(2**63), 2**63, 30_000)
    memory = KeyMemory(1_000)
    assert memory.meet(keys).all()
    assert not memory.meet(keys[-1_000:]).any()
    assert memory.meet(keys[:1_000]).all()
