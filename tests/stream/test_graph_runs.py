"""csp and a plain loop say the same, live and replayed; an error of a node stops that one alone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from eventtape.errors import InputError, StreamError
from eventtape.stream.fold import Node, Slice, program, run_plain
from eventtape.stream.graph import Live, replay
from eventtape.stream.order import InOrder, Merged
from eventtape.tape.batch import Batch, beat

TIME = pl.Datetime("ns", "UTC")


@dataclass(frozen=True)
class Count:
    """Rows so far; ``breaks_at`` raises once so many have come."""

    name: str
    breaks_at: int = 10**9
    error: type[Exception] = InputError

    def start(self):
        return 0

    def step(self, state, new):
        n = state + sum(frame.height for frame in new.frames.values())
        if n >= self.breaks_at:
            raise self.error(f"fewer than {self.breaks_at} rows")
        frame = pl.DataFrame({"ts": [new.upto_ns], "n": [n]})
        return n, Slice(new.upto_ns, {self.name: frame})

    def finish(self, state):
        return Slice(0, {self.name: pl.DataFrame({"ts": [-1], "n": [-state]})})


def batches(n=60):
    rng = np.random.default_rng(3)
    for i in range(n):
        ts = rng.integers(0, 120, 4) + 100 * i
        rows = pl.DataFrame({"ts": pl.Series(ts).cast(TIME), "probability": rng.random(4)})
        yield Batch("ab"[i % 2], "probability", rows, np.arange(4), -1, 2 * i)
        yield beat(50 * i)._replace(number=2 * i + 1)


def nodes(**options):
    return program(
        [
            Node("merged", ("a", "b"), Merged(40, 10), feeds=True),
            Node("count", ("merged",), Count("count", **options)),
            Node("both", ("merged", "count"), Count("both")),
            Node("single", ("a",), InOrder(), feeds=True),
        ]
    )


class Heard(dict):
    """Answers by node: (time, rows by name, number of the batch)."""

    def __call__(self, name, answer, batch):
        said = {key: frame.rows() for key, frame in answer.frames.items()}
        number = None if batch is None else batch.number
        self.setdefault(name, []).append((answer.upto_ns, said, number))


def live(graph, tape, *, save=(), finish=True, failed=None):
    heard, saved = Heard(), {}
    engine = Live(graph, heard, saved=saved.__setitem__, failed=failed)
    engine.start()
    for batch in tape:
        engine.push(batch, save=batch.number in save)
    return heard, engine.stop(finish=finish), saved


def test_csp_replayed_and_live_is_the_plain_loop():
    tape, plain, replayed = list(batches()), Heard(), Heard()
    states = run_plain(nodes(), tape, plain)
    assert replay(nodes(), tape, replayed)["both"] == states["both"]
    heard, ended, _ = live(nodes(), tape)
    assert replayed == plain
    assert heard == plain
    assert ended["both"] == states["both"] > 200


@pytest.mark.parametrize("at", [0, 17, 100])
def test_states_asked_for_with_a_batch_are_those_after_it(at):
    tape, whole, rest = list(batches()), Heard(), Heard()
    run_plain(nodes(), tape, whole)
    _, _, saved = live(nodes(), tape, save={at}, finish=False)
    run_plain(nodes(), tape[at + 1 :], rest, states=saved[at])
    for name, said in whole.items():
        assert said[len(said) - len(rest.get(name, [])) :] == rest.get(name, [])
    assert rest["both"]


def test_a_node_that_fails_stops_alone_and_says_with_which_batch():
    tape, failures = list(batches()), []
    heard, _, _ = live(
        nodes(breaks_at=50), tape, failed=lambda *what: failures.append(what), finish=True
    )
    ((name, error, batch),) = failures
    assert name == "count"
    assert "fewer than 50 rows" in str(error)
    assert error.__notes__ == ["in the node 'count' of the graph"]
    assert heard["count"][-1][2] < batch.number
    assert heard["both"][-1][2] is None  # it goes on with what the ordering node gives
    assert heard["single"][-1][2] is None


def test_in_a_replay_a_failing_node_ends_the_run():
    with pytest.raises(InputError, match="fewer than 50 rows"):
        replay(nodes(breaks_at=50), batches(), Heard())


def test_an_error_that_is_none_of_ours_ends_the_engine():
    engine = Live(nodes(breaks_at=50, error=ZeroDivisionError), Heard(), failed=lambda *_: None)
    engine.start()
    for batch in list(batches())[:40]:
        engine.push(batch)
    with pytest.raises(StreamError, match="the engine stopped: fewer than 50 rows"):
        engine.stop()
    assert not engine.alive


def test_a_program_is_refused_that_names_a_node_twice_or_reads_what_is_not_there():
    node = Node("one", ("a",), InOrder(), feeds=True)
    with pytest.raises(InputError, match="a name for each node"):
        program([node, node])
    with pytest.raises(InputError, match="inputs of 'two' among one"):
        program([node, Node("two", ("three",), Count("two"))])


CTRL_C = """
import os, signal, time
from eventtape.stream.fold import Node, program
from eventtape.stream.graph import Live
from eventtape.stream.order import InOrder
from eventtape.tape.batch import beat
engine = Live(program([Node("a", ("a",), InOrder(), feeds=True)]), print)
engine.start()
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
except KeyboardInterrupt:
    for _ in range(1000):
        engine.push(beat(1))
    engine.stop()
    print("stopped in order")
"""


def test_ctrl_c_is_the_programs_and_not_the_engines():
    """csp would stop the engine itself, and the next push would end the process."""
    done = subprocess.run(
        [sys.executable, "-c", CTRL_C], check=False, capture_output=True, text=True, timeout=90
    )
    assert (done.returncode, done.stdout) == (0, "stopped in order\n"), done.stderr
