"""A process that only imports, and forks a live run a line: to be killed by whoever reads it.

Each run goes on with what is in its folder. Every answer is written as it comes, to a file of each
run, ``answers.<k>`` from 0; once there is a file ``finish`` the run is stopped, and its packed
states are written to ``states``.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from pathlib import Path

import httpx  # noqa: F401 - imported once, for all forks
import polars as pl
import websockets.asyncio.client  # noqa: F401

from eventtape.store.journal import Journal
from eventtape.store.snapshots import Snapshots
from eventtape.stream.board import Board
from eventtape.stream.live import LiveRun
from parity.night_parts import whole_bytes

_HEAD = struct.Struct("<q")


class Written(Board):
    """A board whose answers go to a file too."""

    def __init__(self, file) -> None:
        super().__init__()
        self.file = file

    def publish(self, name, answer, batch) -> None:
        super().publish(name, answer, batch)
        data = pickle.dumps((name, {k: f for k, f in answer.frames.items() if f.height}))
        self.file.write(_HEAD.pack(len(data)) + data)
        self.file.flush()


def answers_of(path: Path) -> dict[tuple[str, str], pl.DataFrame]:
    """All that one run answered, by node and name, in order; a torn end is passed over."""
    found: dict[tuple[str, str], list[pl.DataFrame]] = {}
    data, at = path.read_bytes(), 0
    while at + _HEAD.size <= len(data):
        (size,) = _HEAD.unpack_from(data, at)
        whole = data[at + _HEAD.size : at + _HEAD.size + size]
        if len(whole) < size:
            break
        at += _HEAD.size + size
        name, frames = pickle.loads(whole)
        for key, frame in frames.items():
            found.setdefault((name, key), []).append(frame)
    return {key: pl.concat(frames) for key, frames in found.items()}


def run_once(folder: Path) -> None:
    """A live run, until it is killed or told to finish."""
    from parity.night_frames import sockets_of  # its import uses Polars, whose threads do not fork

    program, made, end_ns = pickle.loads((folder / "program").read_bytes())
    place = len(list(folder.glob("answers.*")))
    with (folder / f"answers.{place}").open("wb") as file, Journal(folder / "j") as journal:
        run = LiveRun(
            program, sockets_of(made, end_ns), journal=journal,
            snapshots=Snapshots(folder / "snapshots"), board=Written(file), beat_s=0.05,
            snapshot_s=0.05,
        )  # fmt: skip
        run.start()
        while not (folder / "finish").exists():
            run.wait(0.01)
        states = run.stop(finish=True)
    (folder / "states").write_bytes(whole_bytes(states))


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                run_once(Path(line.strip()))
                code = 0
            finally:
                os._exit(code)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        ended = os.waitpid(child, 0)[1]
        sys.stdout.write(f"{ended}\n")
        sys.stdout.flush()
