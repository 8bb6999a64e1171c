"""A live run: every row once into journal and graph, whatever sources, disks and nodes do."""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from eventtape.errors import InputError, StreamError
from eventtape.store.journal import Journal
from eventtape.store.snapshots import Snapshots
from eventtape.stream import committer
from eventtape.stream.board import Board
from eventtape.stream.fold import Node
from eventtape.stream.live import LiveRun
from eventtape.stream.order import Merged
from eventtape.stream.paced import NO_WALL_CLOCK
from eventtape.stream.snapshot import pack
from eventtape.tape import PROBABILITY, Feed, Instrument, empty
from stream.live_parts import PATIENCE_S, STORED, Scripted, running, until
from stream.parity_runs import plain
from stream.small_program import FEEDS, small_batches

BATCHES = small_batches(80, 1)


def ran(nodes=STORED, batches=BATCHES):
    return plain(nodes, batches, finish=False)


def test_every_row_is_in_the_journal_the_graph_and_on_the_board_once(tmp_path):
    repeated = [one for k, batch in enumerate(BATCHES) for one in (batch, BATCHES[max(k - 3, 0)])]
    source = Scripted(repeated)
    with running(tmp_path, [source]) as (run, journal, board):
        assert run.wait(PATIENCE_S)
        states = run.stop()
        assert run.stop() is states  # again, to no harm
        assert pack(states) == pack(ran().states)
        kept = [one for one in journal.read() if one.feed]
        assert [one.keys.tolist() for one in kept] == [one.keys.tolist() for one in BATCHES]
        assert board.rows("sums").equals(ran().answers["sums", "sums"])
        news = board.reader().take()
        assert {one.feed for one in news.feeds.values()} == {"a", "b"}
        assert (
            sum(one.duplicates for one in news.feeds.values())
            == sum(one.keys.size for one in repeated) - 160
        )
        late = {one.feed: one.late for one in news.feeds.values()}
        assert late == ran().states["ordered"].late
        assert news.metrics.rows == 160
        assert news.metrics.batches == len(BATCHES)
        assert (news.metrics.waiting, news.metrics.behind) == (0, 0)
        assert news.metrics.journal_bytes == journal.disk_bytes
        assert news.metrics.memory_bytes > 10**7
        assert news.metrics.snapshot_number == len(BATCHES) - 1
        assert news.metrics.append_ms > 0.0
        assert source.closed


def test_a_restart_goes_on_from_the_snapshot_and_asks_for_what_is_missing(tmp_path):
    half = len(BATCHES) // 2
    with running(tmp_path, [Scripted(BATCHES[:half])]) as (run, _, _):
        run.wait(PATIENCE_S)
    steps = []
    source = Scripted(BATCHES[half - 5 :])
    with running(tmp_path, [source], progress=lambda *at: steps.append(at)) as (
        run,
        journal,
        board,
    ):
        run.wait(PATIENCE_S)
        assert pack(run.stop()) == pack(ran().states)
        assert journal.next_number == len(BATCHES)
        first = half  # the snapshot holds all before it
        assert board.rows("sums").height < ran().answers["sums", "sums"].height
        rows = pl.concat([one.rows for one in BATCHES[:first] if one.feed == "a"])
        assert source.since["a"] == rows["ts"].to_physical().max()
    assert steps == []


def test_a_quiet_feeds_last_row_is_known_after_a_restart_however_old(tmp_path, monkeypatch):
    monkeypatch.setattr(committer, "_TAIL", 2)
    quiet = next(one for one in BATCHES if one.feed == "a")
    busy = [one for one in BATCHES if one.feed == "b"]
    with running(tmp_path, [Scripted([quiet, *busy])]) as (run, _, _):
        run.wait(PATIENCE_S)
    with running(tmp_path, [Scripted([quiet])]) as (run, journal, _):
        run.wait(PATIENCE_S)
        assert journal.next_number == 1 + len(busy)


def test_rows_after_a_hole_still_open_are_known_after_a_restart_however_old(tmp_path, monkeypatch):
    """The rest of the hole comes with all that was journaled since, which counts once."""
    monkeypatch.setattr(committer, "_TAIL", 2)
    monkeypatch.setattr(committer, "_KEYS", 1)
    hole, *after = [one for one in BATCHES if one.feed == "a"]
    busy = [one for one in BATCHES if one.feed == "b"]
    with running(tmp_path, [Scripted([*after, *busy])]) as (run, journal, _):
        run.wait(PATIENCE_S)
        run.stop()
        journal.write_behind({"a": int(after[0].rows["ts"].to_physical().max()) + 1})
    with running(tmp_path, [Scripted([hole, *after])]) as (run, journal, _):
        run.wait(PATIENCE_S)
        assert journal.next_number == len(after) + len(busy) + 1


def test_without_its_snapshots_a_restart_replays_the_whole_journal(tmp_path):
    with running(tmp_path, [Scripted(BATCHES)]) as (run, _, _):
        run.wait(PATIENCE_S)
    for path in (tmp_path / "snapshots").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    steps = []
    with running(tmp_path, [Scripted(BATCHES)], progress=lambda *at: steps.append(at)) as (
        run,
        journal,
        board,
    ):
        run.wait(PATIENCE_S)
        assert pack(run.stop()) == pack(ran().states)
        assert journal.next_number == len(BATCHES)
        assert board.rows("sums").equals(ran().answers["sums", "sums"])
        assert board.reader().take().lag.batches == 0  # what is replayed has no lag
        assert any("damaged and was passed over" in word for word in run.said)
    assert steps[-1] == (len(BATCHES), len(BATCHES))


def test_another_program_does_not_use_the_snapshots(tmp_path):
    with running(tmp_path, [Scripted(BATCHES)]) as (run, _, _):
        run.wait(PATIENCE_S)
    other = (STORED[0], STORED[1]._replace(fold=Merged(5, NO_WALL_CLOCK)), STORED[2])
    with running(tmp_path, [Scripted([])], other) as (run, _, _):
        run.wait(PATIENCE_S)
        assert pack(run.stop()) == pack(ran(other).states)


def test_a_journal_that_lost_its_end_is_refused_in_words(tmp_path):
    with running(tmp_path, [Scripted(BATCHES)]) as (run, _, _):
        run.wait(PATIENCE_S)
    (segment,) = (tmp_path / "journal").glob("*.log")
    segment.write_bytes(b"")
    with (
        pytest.raises(StreamError, match="the journal lost its end"),
        running(tmp_path, [Scripted(BATCHES)]),
    ):
        pass


def test_a_source_that_raises_is_down_and_the_others_go_on(tmp_path):
    def fault():
        raise InputError("a key that the venue knows", met="none")

    def broken():
        raise ZeroDivisionError("a fault of ours")

    first = Scripted([*(one for one in BATCHES if one.feed == "a"), fault], FEEDS[:1])
    second = Scripted([one for one in BATCHES if one.feed == "b"], FEEDS[1:])
    third = Scripted([broken], [FEEDS[0]._replace(label="c")])
    with running(tmp_path, [first, second, third]) as (run, journal, board):
        assert run.wait(PATIENCE_S)
        run.stop()
        feeds = board.reader().take().feeds
        assert (feeds["a"].state, feeds["b"].state, feeds["c"].state) == ("down", "live", "down")
        assert feeds["a"].message == "met 'none', wanted a key that the venue knows"
        assert feeds["c"].message == "ZeroDivisionError: a fault of ours"
        assert sum(one.keys.size for one in journal.read()) == 160


@pytest.mark.parametrize(
    "bad",
    [
        BATCHES[0]._replace(feed="other"),
        BATCHES[0]._replace(record="quote"),
        BATCHES[0]._replace(keys=np.arange(0)),
        BATCHES[0]._replace(rows=BATCHES[0].rows.drop("size")),
        BATCHES[0]._replace(rows=BATCHES[0].rows.with_columns(pl.col("price").cast(pl.Int64))),
    ],
    ids=["feed", "record", "keys", "column", "type"],
)
def test_a_batch_that_its_source_did_not_promise_is_refused_at_the_door(tmp_path, bad):
    with running(tmp_path, [Scripted([bad])]) as (run, journal, board):
        assert run.wait(PATIENCE_S)
        run.stop()
        assert journal.next_number == 0
        assert board.reader().take().feeds["a"].state == "down"


@dataclass(frozen=True)
class Failing:
    """Raises at its third slice."""

    def start(self):
        return 0

    def step(self, state, new):
        if state == 2:
            raise InputError("two slices and no more")
        return state + 1, None

    def finish(self, state):
        return None


class Fragile(Merged):
    """A node whose error is not one of the house."""

    def step(self, state, new):
        if state.newest > 0:
            raise RuntimeError("a fault of ours")
        return super().step(state, new)


def test_a_node_that_fails_is_said_and_no_more_snapshots_are_saved(tmp_path):
    nodes = (*STORED, Node("bad", ("ordered",), Failing()))
    with running(tmp_path, [Scripted(BATCHES)], nodes, snapshot_s=0.0) as (run, _, board):
        run.wait(PATIENCE_S)
        states = run.stop()
        assert pack({"sums": states["sums"]}) == pack({"sums": ran().states["sums"]})
        (failure,) = board.reader().take().failures
        assert (failure.node, failure.number) == ("bad", 2)
        held = Snapshots(tmp_path / "snapshots")
        numbers = [int(path.stem[-12:]) for path in held.folder.glob("*-*")]
        assert all(number < 2 for number in numbers)


def test_a_fault_of_the_engine_ends_the_run_and_the_journal_has_what_came(tmp_path):
    nodes = (STORED[0], Node("fragile", ("a", "b"), Fragile(), feeds=True))
    board = Board()
    with Journal(tmp_path / "journal") as journal:
        held = Snapshots(tmp_path / "snapshots")
        source = Scripted(BATCHES, stays=True)
        run = LiveRun(nodes, [source], journal=journal, snapshots=held, board=board, beat_s=0.01)
        run.start()
        with pytest.raises(StreamError, match=r"the engine stopped: .*a fault of ours"):
            run.wait(PATIENCE_S)
        with pytest.raises(StreamError, match="the run ended"):
            run.stop()
        assert journal.next_number > 0
        assert source.closed


def test_a_full_disk_ends_the_run_in_words(tmp_path, monkeypatch):
    real, left = os.write, [20]

    def full(descriptor, data):
        if len(data) > 100:  # not what wakes up the loop
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data)

    board = Board()
    with Journal(tmp_path / "journal") as journal:
        held = Snapshots(tmp_path / "snapshots")
        source = Scripted(BATCHES, stays=True)
        options = {"most_waiting": 1, "beat_s": None}
        run = LiveRun(STORED, [source], journal=journal, snapshots=held, board=board, **options)
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            run.start()
            with pytest.raises(StreamError, match=r"the run ended: .*No space left"):
                run.wait(PATIENCE_S)
        with pytest.raises(StreamError, match="No space left"):
            run.stop()
        acknowledged = list(journal.read())
        assert 0 < len(acknowledged) < len(BATCHES)
        rows = board.rows("sums")
        assert rows.equals(ran().answers["sums", "sums"].head(rows.height))
    with running(tmp_path, [Scripted(BATCHES)]) as (run, _, _):  # with room again
        run.wait(PATIENCE_S)
        assert pack(run.stop()) == pack(ran().states)


def test_a_slow_graph_slows_the_source_and_drops_nothing(tmp_path):
    gate = threading.Event()

    class Slow(Board):
        def publish(self, name, answer, batch):
            gate.wait(PATIENCE_S)
            super().publish(name, answer, batch)

    source = Scripted(BATCHES)
    options = {"most_waiting": 4, "most_behind": 2}
    with running(tmp_path, [source], board=Slow(), **options) as (run, _, board):
        try:
            until(lambda: run._intake.waiting == options["most_waiting"])
            assert not run.wait(0.1)
            assert source.given < 40
        finally:
            gate.set()
        assert run.wait(PATIENCE_S)
        assert pack(run.stop()) == pack(ran().states)
        assert board.rows("sums").equals(ran().answers["sums", "sums"])


def test_quiet_sources_are_filled_with_beats_of_the_clock(tmp_path):
    silent = Scripted([], stays=True)
    with running(tmp_path, [silent], beat_s=0.01) as (run, journal, _):
        until(lambda: journal.next_number >= 3)
        assert not run.wait(0.0)
        run.stop()
        assert silent.closed
        found = list(journal.read())
        assert {one.feed for one in found} == {""}
        assert np.diff([one.received_ns for one in found]).min() >= 0


def test_snapshots_are_saved_while_it_runs(tmp_path):
    folder = tmp_path / "snapshots"
    with running(tmp_path, [Scripted(BATCHES, stays=True)], snapshot_s=0.0) as (run, _, board):
        until(lambda: any(folder.glob("*.snapshot")))
        run.stop()
        assert board.reader().take().metrics.snapshot_bytes > 1000


def test_what_no_run_can_do_is_refused_at_the_door(tmp_path):
    parts = {"journal": None, "snapshots": None, "board": Board()}
    with pytest.raises(InputError, match="each feed from one source"):
        LiveRun(STORED, [Scripted([]), Scripted([])], **parts)
    with pytest.raises(InputError, match="room for at least 1"):
        LiveRun(STORED, [], **parts, most_waiting=0)
    with running(tmp_path, [Scripted([])]):
        pass
    other = Feed(
        Instrument("sim", "x", "event contract"), "a", PROBABILITY, empty(PROBABILITY), 0, ""
    )
    with (
        pytest.raises(InputError, match="'a' to go on as trade"),
        running(tmp_path, [Scripted([], [other])]),
    ):
        pass
