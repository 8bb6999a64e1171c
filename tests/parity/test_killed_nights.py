"""A night over sockets, its run killed with -9 again and again, ends as if nobody had."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from eventtape.errors import LakeError
from eventtape.store.journal_files import journal_batches
from eventtape.store.lake import Lake
from eventtape.store.roster import seal
from eventtape.store.tapes import read_tape
from eventtape.stream.paced import tape_batches
from eventtape.stream.snapshot import pack
from parity.night_forks import answers_of
from parity.night_frames import FEEDS, VENUES, Told, check_rows, served
from parity.night_parts import equal, late_of, program_of, settled, small_night, whole_bytes
from stream.live_parts import until
from stream.parity_runs import Ran, plain

WINDOW_S, LATENESS_S = 20, 45


class Tail:
    """How many rows of each feed a journal holds that another process writes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.next, self.rows = folder, 0, Counter()

    def read(self) -> Counter[str]:
        time.sleep(0.03)  # each look reads a whole segment
        try:
            for batch in journal_batches(self.folder, self.next) if self.folder.exists() else ():
                self.rows[batch.feed] += batch.keys.size
                self.next = batch.number + 1
        except LakeError:  # asked before there is a first segment
            assert self.next == 0
        return self.rows


@pytest.fixture(scope="module")
def forks():
    script = Path(__file__).with_name("night_forks.py")
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(script.parents[1])},
    ) as process:  # fmt: skip
        yield process
        process.stdin.close()


def begin(forks, folder: Path) -> int:
    forks.stdin.write(f"{folder}\n")
    forks.stdin.flush()
    return int(forks.stdout.readline())


def ended(forks) -> int:
    """How the run ended, as ``waitpid`` says it."""
    return int(forks.stdout.readline().split()[0])


def check_kills(forks, folder: Path, night, shares: list[float]) -> None:
    """The run is killed once the journal holds each of these shares of all rows."""
    told = Told(night, window_s=WINDOW_S)
    venues = {name: kind(told) for name, kind in VENUES.items()}
    tail = Tail(folder / "j")
    told.kept = lambda label: tail.rows[label]

    def script_of(name):
        """Every connection hears the night from its start."""
        return lambda _: [
            step
            for window in range(told.windows)
            for step in told.steps(name, window, venues[name].frames(window))
        ]

    with ExitStack() as stack:
        servers, made = served(venues, {name: script_of(name) for name in VENUES})
        for server in servers:
            stack.enter_context(server)
        feeds = [f for m in made for f in m.kind(*m.given, **m.options).feeds if f.label in FEEDS]
        program = program_of(night, feeds, start_ns=told.start_ns, lateness_s=float(LATENESS_S))
        (folder / "program").write_bytes(pickle.dumps((program, made, told.end_ns)))
        due = told.due(told.windows)
        for share in shares:
            run = begin(forks, folder)
            until(lambda share=share: tail.read().total() >= share * sum(due.values()))
            os.kill(run, signal.SIGKILL)
            assert ended(forks) == signal.SIGKILL
        begin(forks, folder)
        until(lambda: all(tail.read()[label] >= count for label, count in due.items()))
        (folder / "finish").touch()
        assert ended(forks) == 0
    check_end(folder, told, program)


def check_end(folder: Path, told: Told, program) -> None:
    batches = list(journal_batches(folder / "j"))
    for label in FEEDS:
        keys = np.concatenate([one.keys for one in batches if one.feed == label])
        assert np.unique(keys).size == keys.size == told.rows[label].height, label
    wanted = plain(program, batches)
    assert late_of(wanted.states) == 0
    assert (folder / "states").read_bytes() == whole_bytes(wanted.states)
    check_answers(folder, wanted)
    lake = Lake(folder / "lake")
    seal(folder / "j", lake, "night")
    tape = read_tape(lake, "night")
    check_rows(told, tape)
    quiet = plain(program, tape_batches(tape, span_ns=WINDOW_S * 10**9))
    equal(settled(wanted), settled(quiet), "the night of the tape, which nobody killed")


def check_answers(folder: Path, wanted: Ran) -> None:
    """Each run said a stretch of what the whole night says, none missing between two of them."""
    runs = [answers_of(folder / f"answers.{k}") for k in range(len(list(folder.glob("answers.*"))))]
    for key, whole in wanted.answers.items():
        end = 0
        for said in (run[key] for run in runs if key in run):
            begin = next(at for at in range(end, -1, -1) if alike(whole, at, said))
            end = max(end, begin + said.height)
        assert end == whole.height, key
        assert runs[-1].keys() <= wanted.answers.keys()


def alike(whole: pl.DataFrame, at: int, part: pl.DataFrame) -> bool:
    """Whether the rows from there on are these, bit for bit."""
    return pack({"": whole.slice(at, part.height)}) == pack({"": part})


def test_a_night_killed_twice_ends_as_if_nobody_had(tmp_path, forks):
    check_kills(forks, tmp_path, small_night(), [0.3, 0.7])


@pytest.mark.slow
def test_a_night_killed_twenty_times_ends_as_if_nobody_had(tmp_path, forks):
    shares = np.sort(np.random.default_rng(5).random(20)).tolist()
    night = small_night(3, minutes=6.0, stock_quotes=4_000, stock_trades=1_200)
    check_kills(forks, tmp_path, night, shares)
