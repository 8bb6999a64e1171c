"""After a restart what feeds missed comes in the order of stamps, before anything of now."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from eventtape.stream.board import Board
from eventtape.stream.dedupe import Dedupe
from eventtape.stream.fold import Node, Slice, program
from eventtape.stream.live import LiveRun
from eventtape.stream.opening import Opening, by_stamp
from eventtape.stream.order import Merged
from eventtape.stream.unkept import Unkept
from eventtape.tape import PROBABILITY, Feed, Instrument, empty
from eventtape.tape.batch import HISTORY, Batch
from eventtape.tape.feed import times_ns
from eventtape.tape.health import FeedHealth

SECOND = 10**9
NOW = 1_000 * SECOND


def batch(feed, seconds):
    ts = np.array(seconds, np.int64) * SECOND
    rows = empty(PROBABILITY).clear(ts.size)
    rows = pl.DataFrame(
        {
            "symbol": [feed] * ts.size,
            "ts": pl.Series(ts).cast(PROBABILITY.columns["ts"].dtype),
            "probability": ts / (10_000.0 * SECOND),
            **{
                name: pl.Series([None] * ts.size, dtype=pl.Float64)
                for name in ("bid", "ask", "size")
            },
        }
    )
    return Batch(feed, "probability", rows, ts, NOW)


def test_it_waits_for_every_feed_that_is_behind_and_merges_by_stamp():
    opening = Opening({"a": 900 * SECOND, "b": 950 * SECOND, "c": 999 * SECOND}, NOW)
    assert opening.waiting  # for a and b: c was seen a second ago
    opening.add(batch("b", [951, 960, 1000]))
    assert opening.waiting
    opening.add(batch("a", [901, 955]))
    assert opening.waiting
    opening.add(batch("a", [1001]))
    assert not opening.waiting
    told = opening.batches()
    stamps = [int(t) // SECOND for one in told for t in times_ns(one.rows)]
    assert stamps == sorted(stamps) == [901, 951, 955, 960, 1000, 1001]
    assert [one.feed for one in told] == ["a", "b", "a", "b", "a"]
    assert {one.received_ns for one in told} == {HISTORY}
    assert all((one.keys == times_ns(one.rows)).all() for one in told)


def test_with_nothing_behind_it_keeps_nothing():
    opening = Opening({}, NOW)
    assert not opening.waiting
    assert opening.batches() == []


@pytest.fixture(autouse=True, scope="module")
def compiled():
    """What a run compiles at its start, on an empty cache, takes longer than now stays now."""
    Dedupe()


class Missed:
    """A source that brings its batches after a while and stays silent."""

    def __init__(self, feed, batches, after_s):
        self.feeds = (
            Feed(
                Instrument("sim", feed, "event contract"),
                feed,
                PROBABILITY,
                empty(PROBABILITY),
                0,
                "sim",
            ),
        )
        self._batches, self._after_s = batches, after_s

    def health(self):
        return (FeedHealth(self.feeds[0].label),)

    async def batches(self, since):
        await asyncio.sleep(self._after_s)
        for one in self._batches:
            yield one


class Earlier(Unkept):
    """A journal that holds one batch of each feed."""

    def __init__(self, batches):
        super().__init__()
        self._held = self.append(batches)

    def read(self, from_number=0):
        return iter(self._held[from_number:])


@dataclass(frozen=True)
class Seen:
    """Rows that an estimator behind ``Merged`` would see."""

    def start(self):
        return ()

    def step(self, state, new):
        stamps = tuple(int(t) // SECOND for rows in new.frames.values() for t in times_ns(rows))
        return (*state, *stamps), Slice(new.upto_ns, {})

    def finish(self, state):
        return None


def test_rows_missed_by_one_feed_are_not_late_for_those_that_read_both():
    graph = program(
        [
            Node("merged", ("a", "b"), Merged(SECOND, 2 * SECOND), feeds=True),
            Node("seen", ("merged",), Seen()),
        ]
    )
    now = time.time_ns() // SECOND  # the run asks the clock what is of now
    sources = [
        Missed("a", [batch("a", [now - 50, now - 5, now])], 0.3),
        Missed("b", [batch("b", [now - 40]), batch("b", [now])], 0.0),
    ]

    def run(opening_s):
        journal = Earlier([batch("a", [now - 60]), batch("b", [now - 60])])
        going = LiveRun(
            graph, sources, journal=journal, snapshots=Unkept(), board=Board(), beat_s=None,
            opening_s=opening_s,
        )  # fmt: skip
        going.start()
        assert going.wait(60.0)
        states = going.stop(finish=True)
        return sorted(states["seen"]), sum(states["merged"].late.values())

    every = sorted([now - 60, now - 60, now - 50, now - 40, now - 5, now, now])
    assert run(60.0) == (every, 0)
    assert run(0.0)[1] == 2  # without it a's rows come after b's fresh ones


class Quiet(Missed):
    """A source that is up, says that it misses nothing, and brings nothing of now."""

    def health(self):
        return (FeedHealth(self.feeds[0].label, "live"),)

    def behind(self):
        return {}


def test_a_quiet_feed_that_misses_nothing_is_not_waited_for():
    graph = program([Node("seen", ("a", "b"), Seen(), feeds=True)])
    now = time.time_ns() // SECOND
    sources = [
        Missed("a", [batch("a", [now - 5]), batch("a", [now])], 0.0),
        Quiet("b", [batch("b", [now - 50])], 0.0),
    ]
    journal = Earlier([batch("a", [now - 60]), batch("b", [now - 60])])
    going = LiveRun(
        graph, sources, journal=journal, snapshots=Unkept(), board=Board(), beat_s=None,
        opening_s=3_600.0,
    )  # fmt: skip
    going.start()
    assert going.wait(60.0)  # an hour's patience would not end in it
    assert sorted(going.stop(finish=True)["seen"]) == [now - 60, now - 60, now - 50, now - 5, now]


def test_after_a_stall_feeds_take_turns_and_nothing_is_late():
    """A second of two feeds comes at once: one whole feed after the other would be late."""
    stamps = np.arange(0, 1_000, 10) * 10**6 + 10**18
    made = {}
    for name in ("a", "b"):
        whole = batch(name, range(stamps.size))
        rows = whole.rows.with_columns(pl.Series("ts", stamps).cast(whole.rows["ts"].dtype))
        made[name] = whole._replace(rows=rows, keys=stamps, received_ns=int(stamps[-1]) + 10**8)
    told = by_stamp([made["a"], made["b"]])
    fold = Merged(SECOND // 10, 2 * SECOND)
    late = {}
    for kind, batches in (("as they came", [made["a"], made["b"]]), ("in turn", told)):
        state = fold.start()
        for one in batches:
            state, _ = fold.step(state, Slice(-1, {one.feed: one.rows}, one.received_ns))
        late[kind] = sum(state.late.values())
    assert late == {"as they came": 89, "in turn": 0}
    for name in ("a", "b"):
        mine = [one for one in told if one.feed == name]
        assert pl.concat([one.rows for one in mine]).equals(made[name].rows)
        assert np.concatenate([one.keys for one in mine]).tolist() == stamps.tolist()
    assert len(told) <= 44  # stretches, not rows


def test_what_came_in_time_is_left_as_it_is():
    near = [batch("a", [5]), batch("b", [5]), batch("a", [5])]
    assert by_stamp(near) == near
    assert by_stamp([near[0]]) == [near[0]]


class Holes(Missed):
    """A source that knows of a hole from a stamp on until ``filled`` is set."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.filled, self.asked = False, None

    def behind(self):
        return {} if self.filled else {"a": 7}

    async def batches(self, since):
        self.asked = dict(since)
        async for one in super().batches(since):
            yield one


class Noted(Earlier):
    """A journal that remembers what it was told is missing, and when."""

    def __init__(self, batches, missing=()):
        super().__init__(batches)
        self.missing, self.told = dict(missing), []

    def write_behind(self, stamps):
        self.missing = dict(stamps)
        self.told.append((dict(stamps), self.next_number))

    def behind(self):
        return self.missing


def test_a_hole_is_on_disk_before_newer_rows_and_asked_for_after_a_restart():
    graph = program([Node("seen", ("a",), Seen(), feeds=True)])
    now = time.time_ns() // SECOND

    def run(journal, source):
        going = LiveRun(
            graph, [source], journal=journal, snapshots=Unkept(), board=Board(), beat_s=None
        )
        going.start()
        assert going.wait(60.0)
        going.stop()

    journal = Noted([batch("a", [now - 60])])
    run(journal, Holes("a", [batch("a", [now])], 0.0))
    assert journal.told[0] == ({"a": 7}, 1)  # before the batch that came was journaled
    again = Holes("a", [batch("a", [now + 1])], 0.0)
    run(Noted([batch("a", [now])], journal.missing), again)
    assert again.asked == {"a": 7}
