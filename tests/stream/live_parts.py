"""A source that says what a test tells it to, and a run over it with a real journal."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager

from eventtape.store.journal import Journal
from eventtape.store.snapshots import Snapshots
from eventtape.stream.board import Board
from eventtape.stream.fold import Node, program
from eventtape.stream.live import LiveRun
from eventtape.stream.order import InOrder, Merged
from eventtape.stream.paced import NO_WALL_CLOCK
from eventtape.tape.health import FeedHealth
from stream.small_program import FEEDS, RunningSums

STORED = program(
    [
        Node("ordered", ("a", "b"), InOrder(), feeds=True),
        Node("merged", ("a", "b"), Merged(quiet_ns=NO_WALL_CLOCK), feeds=True),
        Node("sums", ("merged",), RunningSums("sums")),
    ]
)
PATIENCE_S = 60.0


class Scripted:
    """Brings its batches in order, calls what stands among them, then stays or ends."""

    def __init__(self, script, feeds=FEEDS, *, stays=False):
        self.script, self.feeds, self.stays = script, feeds, stays
        self.given, self.since, self.closed = 0, None, False

    def health(self):
        return tuple(FeedHealth(feed.label, "live") for feed in self.feeds)

    async def batches(self, since):
        self.since = dict(since)
        try:
            for step in self.script:
                if callable(step):
                    step()
                    continue
                self.given += 1
                yield step
            if self.stays:
                await asyncio.Event().wait()
        finally:
            self.closed = True


@contextmanager
def running(folder, sources, nodes=STORED, board=None, **options):
    """A started run, its journal and its board; stopped at the end."""
    board = board or Board()
    with Journal(folder / "journal") as journal:
        held = Snapshots(folder / "snapshots")
        parts = {"journal": journal, "snapshots": held, "board": board, "beat_s": None}
        with LiveRun(nodes, sources, **(parts | options)) as run:
            yield run, journal, board


def until(condition):
    """Wait for it, with far more patience than it needs."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it never came")
        time.sleep(0.005)
