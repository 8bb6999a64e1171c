"""A stored tape as batches in time order, and at its own pace."""

from __future__ import annotations

import asyncio
import math
import time

import numpy as np
import polars as pl
import pytest

from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.stream import paced
from eventtape.stream.paced import PacedSource, tape_batches
from eventtape.tape import Tape
from eventtape.tape.batch import HISTORY
from stream.parity_runs import plain, same
from stream.small_program import FEEDS, SMALL, START, small_batches, trades


def tape(rows=200):
    batches = small_batches(rows, 1)
    feeds = []
    for feed in FEEDS:
        frame = pl.concat([one.rows for one in batches if one.feed == feed.label])
        feeds.append(feed._replace(frame=frame.sort("ts", maintain_order=True)))
    return Tape(tuple(feeds), simulated=True)


def stamps(batch):
    return batch.rows["ts"].to_physical().to_numpy()


def by_feed(batches, label):
    return pl.concat([one.rows for one in batches if one.feed == label])


@pytest.mark.parametrize("block", [7, 2**18])
def test_batches_come_in_the_order_of_their_stamps_and_hold_every_row(monkeypatch, block):
    monkeypatch.setattr(paced, "_BLOCK", block)
    whole = tape()
    batches = list(tape_batches(whole, rows=3))
    at = np.concatenate([stamps(one) for one in batches])
    assert (np.diff(at) >= 0).all()
    assert max(one.rows.height for one in batches) == 3
    assert {one.received_ns for one in batches} == {HISTORY}
    for feed in whole.feeds:
        assert by_feed(batches, feed.label).equals(feed.frame)
        keys = np.concatenate([one.keys for one in batches if one.feed == feed.label])
        np.testing.assert_array_equal(keys, np.arange(feed.frame.height))


@pytest.mark.parametrize("block", [7, 2**18])
def test_windows_of_time_hold_a_batch_a_feed(monkeypatch, block):
    monkeypatch.setattr(paced, "_BLOCK", block)
    whole, span = tape(), SECOND // 10
    batches = list(tape_batches(whole, span_ns=span))
    windows = [(int(stamps(one).min()) // span, one.feed) for one in batches]
    assert all(
        int(stamps(one).max()) // span == w for one, (w, _) in zip(batches, windows, strict=True)
    )
    assert windows == sorted(set(windows))
    assert len(batches) < len(list(tape_batches(whole))) / 2
    same(plain(SMALL, batches)._replace(states={}, upto_ns={}), exact(whole), "windows")


def exact(whole):
    """What the merging node makes of the rows in exact order."""
    return plain(SMALL, tape_batches(whole))._replace(states={}, upto_ns={})


def test_a_frame_sorted_by_symbol_is_put_in_order_with_its_row_numbers():
    feed = FEEDS[0]._replace(frame=trades("a", np.arange(4), START + np.array([5, 9, 1, 7])))
    (batch,) = tape_batches(Tape((feed, FEEDS[1]), simulated=True))
    assert batch.keys.tolist() == [2, 0, 3, 1]
    assert batch.rows["trade_id"].to_list() == ["a2", "a0", "a3", "a1"]
    assert list(tape_batches(Tape((), simulated=True))) == []


def test_what_makes_no_batches_is_refused():
    with pytest.raises(InputError, match="rows >= 1 and a span"):
        list(tape_batches(tape(), rows=0))
    with pytest.raises(InputError, match="a label for each feed"):
        list(tape_batches(Tape((tape().feeds[0],) * 2, simulated=True)))
    with pytest.raises(InputError, match="a speed above 0"):
        PacedSource([], FEEDS, speed=0.0)


def drained(source, since=None):
    async def taking():
        return [(time.monotonic(), one) async for one in source.batches(since or {})]

    return asyncio.run(taking())


def test_at_infinite_speed_all_come_at_once_with_the_clock_of_their_delivery():
    batches = list(tape_batches(tape()))
    source = PacedSource(batches, FEEDS, speed=math.inf)
    before = time.time_ns()
    got = [one for _, one in drained(source)]
    assert [one._replace(received_ns=HISTORY, rows=None, keys=None) for one in got] == [
        one._replace(rows=None, keys=None) for one in batches
    ]
    assert all(before <= one.received_ns <= time.time_ns() for one in got)
    assert {one.state for one in source.health()} == {"ended"}
    assert {one.rows for one in source.health()} == {200}
    assert [feed.frame.height for feed in source.feeds] == [0, 0]


def test_a_paced_tape_is_never_early_and_its_past_comes_at_once():
    batches = list(tape_batches(tape(100)))
    first, last = int(stamps(batches[0])[0]), int(stamps(batches[-1])[-1])
    begin = (first + last) // 2
    speed = (last - begin) * 1e-9 / 0.2  # its second half in a fifth of a second
    source = PacedSource(batches, FEEDS, speed=speed, start_ns=begin)
    got = drained(source)
    past = [one for _, one in got if one.received_ns == HISTORY]
    assert len(past) == sum(int(stamps(one).max()) < begin for one in batches)
    assert [one.keys.tolist() for _, one in got] == [one.keys.tolist() for one in batches]
    zero = next(when for when, one in got if one.received_ns != HISTORY)
    base = next(int(stamps(one).max()) for _, one in got if one.received_ns != HISTORY)
    for when, one in got:
        if one.received_ns != HISTORY:
            due = (int(stamps(one).max()) - base) * 1e-9 / speed
            assert when - zero >= due - 0.1  # the first may itself have been late


def test_after_a_restart_only_what_follows_the_last_stamps_comes():
    batches = list(tape_batches(tape()))
    middle = int(stamps(batches[len(batches) // 2]).max())
    source = PacedSource(batches, FEEDS, speed=math.inf)
    got = [one for _, one in drained(source, {"a": middle, "b": middle})]
    assert 0 < len(got) < len(batches)
    assert got[-1].keys.tolist() == batches[-1].keys.tolist()
    for label in "ab":
        kept = by_feed(got, label)["ts"].to_physical()
        wanted = by_feed(batches, label)["ts"].to_physical()
        assert set(wanted.filter(wanted > middle)) <= set(kept)


def test_a_pause_stands_still_and_a_new_speed_takes_over():
    batches = list(tape_batches(tape(50)))

    async def watched():
        source = PacedSource(batches, FEEDS, speed=1e-3)
        got = []

        async def taking():
            async for one in source.batches({}):
                got.append(one)  # noqa: PERF401 - the count grows while it runs

        task = asyncio.create_task(taking())
        while source.market_ns is None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        source.pause()
        held, still = source.market_ns, len(got)
        source.set_speed(1e9)
        await asyncio.sleep(0.12)
        assert source.paused
        assert source.market_ns == held
        assert len(got) == still
        source.resume()
        await asyncio.wait_for(task, 30)
        return got

    got = asyncio.run(watched())
    assert [one.keys.tolist() for one in got] == [one.keys.tolist() for one in batches]
