"""A small simulated night in which every node of the graph answers, and ways to run it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np

from eventtape.clock import SECOND
from eventtape.frames import microstructure_features, train_up_move
from eventtape.frames.up_move_model import scored_model
from eventtape.simulate.live_night import (
    STOCK_QUOTES,
    STOCK_TRADES,
    LiveNight,
    live_night,
)
from eventtape.store.journal import Journal
from eventtape.store.snapshots import Snapshots
from eventtape.stream.board import Board
from eventtape.stream.election_night import NightConfig, election_night
from eventtape.stream.live import LiveRun
from eventtape.stream.snapshot import pack
from eventtape.tape.batch import HISTORY, Batch
from stream.parity_runs import Heard, Ran, same

LATENESS_S = 10


def small_night(seed: int = 1, *, minutes: float = 3.0, **options) -> LiveNight:
    """Six stocks, four markets, two venues and one chain; about 1,000 rows a minute."""
    sizes = {"symbols": 6, "stock_quotes": 1_200, "stock_trades": 400}
    return live_night(seed, minutes=minutes, chain_s=15.0, strikes=24, **(sizes | options))


def program_of(night: LiveNight, feeds=None, *, start_ns: int | None = None, **options):
    """The whole graph over those feeds, on a grid that three minutes fill.

    The joint fit of the options is due once within them, whatever the grid; windows are short.
    """
    rows = microstructure_features(
        night.tape.feed(STOCK_TRADES).frame, night.tape.feed(STOCK_QUOTES).frame, every="10s"
    )
    model = scored_model(train_up_move(rows, horizon="20s", folds=3))
    usual = {
        "primary": "event", "step_s": 1.0, "horizon_s": 20.0, "lead_s": 10.0, "gap_every": 10,
        "leader_window": 60, "leader_every": 20, "every": "10s", "chain_s": 15.0,
        "snapshot_s": 15.0, "lateness_s": float(LATENESS_S), "quiet_s": None,
        "weights": night.weights, "model": model,
    }  # fmt: skip
    start = int(night.truth.ts[0]) if start_ns is None else start_ns
    config = NightConfig(start_ns=start, **(usual | options))
    nodes = election_night(night.tape.feeds if feeds is None else feeds, config)
    return tuple(
        node._replace(fold=replace(node.fold, joint_rows=8, joint_every=40))
        if node.name == "states"
        else node
        for node in nodes
    )


def interleaved(feeds, delays_ns: dict[str, int], *, span_ns: int = 2 * SECOND) -> list[Batch]:
    """Stored batches of ``span_ns`` of each feed, each feed arriving so much after its stamps."""
    out = []
    for order, feed in enumerate(feeds):
        at = feed.frame["ts"].to_physical().to_numpy()
        cuts = np.flatnonzero(np.diff(at // span_ns)) + 1
        for low, high in zip([0, *cuts], [*cuts, at.size], strict=True):
            rows, keys = feed.frame[int(low) : int(high)], np.arange(low, high)
            batch = Batch(feed.label, feed.record.name, rows, keys, HISTORY)
            out.append((int(at[high - 1]) + delays_ns.get(feed.label, 0), order, batch))
    return [batch for _, _, batch in sorted(out, key=lambda one: one[:2])]


def equal(found: Ran, wanted: Ran, road: str) -> None:
    """Assert the same states and answers, bit for bit.

    How far time had come when a node last answered is not compared: where answers do not come with
    the end of the tape, that lies between two batches and goes by how rows were cut.
    """
    same(found._replace(upto_ns={}), wanted._replace(upto_ns={}), road)


def settled(ran: Ran) -> Ran:
    """The run but for what the order of arrival of *different* feeds may change.

    Venues answer one by one as they come: their answers are put in order by venue, and what a
    state holds by name of a feed by that name.
    """
    answers = {
        key: frame.sort("feed", maintain_order=True) if key[1] == "probability" else frame
        for key, frame in ran.answers.items()
    }
    states = {name: _by_name(state) for name, state in ran.states.items()}
    return Ran(states, dict(sorted(answers.items())), ran.upto_ns)


def _by_name(state):
    if type(state) is dict:
        return {name: _by_name(state[name]) for name in sorted(state)}
    if isinstance(state, tuple):
        parts = [_by_name(one) for one in state]
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    return state


class Kept(Board):
    """A board that forgets nothing, for whoever compares all that was said."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = Heard()

    def publish(self, name, answer, batch) -> None:
        super().publish(name, answer, batch)
        self.heard(name, answer, batch)


def live_run(folder, program, sources, board, **options):
    """A run with a journal and snapshots in that folder; the journal is the caller's to close."""
    journal = Journal(folder / "journal")
    parts = {"journal": journal, "snapshots": Snapshots(folder / "snapshots"), "board": board}
    return LiveRun(program, sources, **(parts | {"beat_s": None} | options)), journal


def run_until_over(folder, program, sources, board=None, **options) -> Ran:
    """How a run of sources that end has ended, and all it said."""
    board = Kept() if board is None else board
    run, journal = live_run(folder, program, sources, board, **options)
    with journal, run:
        assert run.wait(120.0)
        return board.heard.ran(run.stop(finish=True))


def late_of(states) -> int:
    """Rows that any ordering node left out."""
    return sum(sum(getattr(state, "late", {}).values()) for state in states.values())


def whole_bytes(states) -> bytes:
    """The states as one piece, names in order."""
    return pack(dict(sorted(states.items())))


def answered(ran: Ran) -> dict[str, set[str]]:
    """The statuses each node has answered with, the words before any semicolon or colon."""
    found: dict[str, set[str]] = defaultdict(set)
    for (name, key), frame in ran.answers.items():
        if name == key and "status" in frame.columns:
            found[name] |= {s.split(";")[0].split(":")[0] for s in frame["status"].unique()}
    return dict(found)
