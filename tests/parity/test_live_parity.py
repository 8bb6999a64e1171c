"""A night over the venues' own frames, faults and all, is the night of the tape it leaves."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack

import numpy as np
import pytest

from eventtape.simulate.live_night import STOCK_QUOTES
from eventtape.store.journal import Journal
from eventtape.store.lake import Lake
from eventtape.store.snapshots import Snapshots
from eventtape.store.tapes import read_tape
from eventtape.stream.live import LiveRun
from eventtape.stream.paced import tape_batches
from parity.night_frames import FEEDS, QUOTED, VENUES, Told, check_rows, served, sockets_of, spoiled
from parity.night_parts import Kept, answered, equal, late_of, program_of, settled, small_night
from stream.live_parts import until
from stream.parity_runs import plain, replayed

WINDOW_S, LATENESS_S = 20, 45


class CountedJournal(Journal):
    """A journal that says how many rows of each feed it has."""

    def __init__(self, folder) -> None:
        super().__init__(folder)
        self.rows: Counter[str] = Counter()
        self.lock = threading.Lock()

    def append(self, batches):
        numbered = super().append(batches)
        with self.lock:
            for one in numbered:
                self.rows[one.feed] += one.keys.size
        return numbered


def lived(folder, night, *, faults_seed):
    """A night told live: its program, how it ended, its journal, the tape it left, its health."""
    told = Told(night, window_s=WINDOW_S)
    venues = {name: kind(told) for name, kind in VENUES.items()}
    rng = np.random.default_rng(faults_seed)
    scripts = {
        name: [
            step
            for window in range(told.windows)
            for step in told.steps(
                name, window, spoiled(name, window, venue.frames(window), rng)
            )
        ]
        for name, venue in venues.items()
    }  # fmt: skip
    board = Kept()
    with ExitStack() as stack:
        journal = stack.enter_context(CountedJournal(folder / "journal"))
        told.kept = lambda label: journal.rows[label]
        servers, made = served(venues, scripts)
        sources = sockets_of(made, told.end_ns)
        for server in servers:
            stack.enter_context(server)
        feeds = [feed for one in sources for feed in one.feeds if feed.label in FEEDS]
        program = program_of(night, feeds, start_ns=told.start_ns, lateness_s=float(LATENESS_S))
        run = LiveRun(
            program, sources, journal=journal, snapshots=Snapshots(folder / "snapshots"),
            board=board, beat_s=0.05, snapshot_s=0.1,
        )  # fmt: skip
        with run:
            due = told.due(told.windows)
            until(lambda: all(journal.rows[label] >= count for label, count in due.items()))
            states = run.stop(finish=True)
        assert run.said == ()
        health = {one.feed: one for source in sources for one in source.health()}
        lake = Lake(folder / "lake")
        journal.seal(lake, "night")
        batches = list(journal.read())
    return told, program, board.heard.ran(states), batches, read_tape(lake, "night"), health


def check_night(folder, night, faults_seed):
    told, program, found, batches, tape, health = lived(folder, night, faults_seed=faults_seed)
    assert late_of(found.states) == 0
    check_rows(told, tape)
    assert any(not one.feed for one in batches)
    equal(plain(program, batches), found, "a batch over the journal")
    again = tape_batches(tape, span_ns=WINDOW_S * 10**9)
    equal(settled(replayed(program, again)), settled(found), "a replay of the sealed tape")
    return found, health


def test_a_night_over_sockets_is_the_night_of_its_tape(tmp_path):
    found, health = check_night(tmp_path, small_night(), 1)
    statuses = answered(found)
    for name in ("probability", "markets", "density", "states", "factors", "scores"):
        assert "ok" in statuses[name], name
    for label in ("event", "coin", STOCK_QUOTES, QUOTED):
        assert health[label].reconnects >= 2, label
        assert health[label].malformed >= 2, label
        assert health[label].unfilled == 0
    assert health["coin"].gaps >= 2
    assert health["event"].gaps >= 2
    assert health[STOCK_QUOTES].backfilled > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_longer_nights_over_sockets_are_the_nights_of_their_tapes(seed, tmp_path):
    night = small_night(seed, minutes=10.0, stock_quotes=6_000, stock_trades=2_000)
    check_night(tmp_path, night, seed)
