"""A live run killed with -9 again and again ends as the run that nobody killed, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from eventtape.store.journal import Journal
from eventtape.stream.snapshot import pack
from stream.live_parts import STORED
from stream.parity_runs import plain
from stream.small_program import small_batches

ROWS, SEED = 150, 9

# A parent that only imports forks a run a line. The source repeats rows as after a reconnect, and
# every answer is printed as it comes; the packed states are written once the tape has ended.
FORKS = """
    import json, os, sys
    from pathlib import Path
    from stream.live_parts import STORED, running
    from stream.small_program import FEEDS, small_batches
    from eventtape.stream.board import Board
    from eventtape.stream.paced import PacedSource
    from eventtape.stream.snapshot import pack

    class Printed(Board):
        def publish(self, name, answer, batch):
            super().publish(name, answer, batch)
            for row in answer.frames["sums"].rows() if "sums" in answer.frames else ():
                ts, feed, trade, total, count = row
                print(json.dumps([count, str(ts), feed, trade, total.hex()]), flush=True)

    def run_once(folder):
        batches = small_batches(int(sys.argv[1]), int(sys.argv[2]))
        repeated = [one for k in range(len(batches)) for one in
                    (batches[k], *(batches[max(k - 4, 0):k] if k % 5 == 0 else ()))]
        source = PacedSource(repeated, FEEDS, speed=10.0)
        parts = {"board": Printed(), "snapshot_s": 0.02, "beat_s": 0.003}
        with running(Path(folder), [source], STORED, **parts) as (run, _, _):
            run.wait()
            states = run.stop(finish=True)
        Path(folder, "states").write_bytes(pack(states))
        os._exit(0)

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run_once(line.strip())
        print("run", child, flush=True)
        os.waitpid(child, 0)
        print("gone", flush=True)
"""


@pytest.fixture(scope="module")
def forks():
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(FORKS), str(ROWS), str(SEED)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": "tests"},
    ) as process:
        yield process
        process.stdin.close()


def answers_of_a_run(forks, folder, kill_after: int | None) -> list[list]:
    """The answers that were printed, until the run ended or so many of them had been."""
    print(folder, file=forks.stdin, flush=True)
    run, said, killed = 0, [], False
    while (line := forks.stdout.readline().strip()) != "gone":
        assert line
        if line.startswith("run"):
            run = int(line.split()[1])
        else:
            said.append(json.loads(line))
        if run and not killed and kill_after is not None and len(said) >= kill_after:
            os.kill(run, signal.SIGKILL)
            killed = True
    return said


def test_killed_runs_end_as_the_run_that_nobody_killed(tmp_path, forks):
    batches = small_batches(ROWS, SEED)
    wanted = plain(STORED, batches)
    answers: dict[int, list] = {}
    rng = np.random.default_rng(4)
    for kill_after in [*rng.integers(1, 80, 3).tolist(), None]:
        assert not (tmp_path / "states").exists()
        for answer in answers_of_a_run(forks, tmp_path, kill_after):
            assert answers.setdefault(answer[0], answer) == answer  # met again after a restart
    assert (tmp_path / "states").read_bytes() == pack(wanted.states)
    rows = wanted.answers["sums", "sums"].rows()
    assert [answers[count] for count in sorted(answers)] == [
        [count, str(ts), feed, trade, total.hex()] for ts, feed, trade, total, count in rows
    ]
    with Journal(tmp_path / "journal") as journal:
        kept = list(journal.read())
    for label in "ab":
        keys = [one.keys for one in kept if one.feed == label]
        sent = [one.keys for one in batches if one.feed == label]
        assert np.concatenate(keys).tolist() == np.concatenate(sent).tolist()
    assert any(not one.feed for one in kept)
