"""One program over the same batches by every road, held to bit-equal states and answers.

``check_parity(program, batches)`` is the whole suite: plain whole, plain re-chunked, csp replay,
csp live, and restart from packed states at several points. Each road has a function of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from eventtape.stream.fold import Program, Slice, run_plain
from eventtape.stream.graph import Live, replay
from eventtape.stream.snapshot import pack, unpack
from eventtape.tape.batch import HISTORY, Batch


class Ran(NamedTuple):
    """How a run ended, and all it said: frames of each node joined, by node and frame name."""

    states: dict[str, Any]
    answers: dict[tuple[str, str], pl.DataFrame]
    upto_ns: dict[str, int]  # the last of each node


class Heard:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.frames: dict[tuple[str, str], list[pl.DataFrame]] = defaultdict(list)
        self.upto: dict[str, int] = {}

    def __call__(self, name: str, answer: Slice, batch: Batch | None) -> None:
        self.upto[name] = answer.upto_ns
        for key, frame in answer.frames.items():
            if frame.height:
                self.frames[name, key].append(frame)

    def ran(self, states: Mapping[str, Any]) -> Ran:
        joined = {key: pl.concat(frames) for key, frames in self.frames.items()}
        return Ran(dict(states), joined, dict(self.upto))


def plain(program: Program, batches: Iterable[Batch], *, finish: bool = True) -> Ran:
    """All batches through the plain loop."""
    heard = Heard()
    return heard.ran(run_plain(program, batches, heard, finish=finish))


def replayed(program: Program, batches: Iterable[Batch], *, finish: bool = True) -> Ran:
    """All batches through csp as fast as it goes."""
    heard = Heard()
    return heard.ran(replay(program, batches, heard, finish=finish))


def live(program: Program, batches: Iterable[Batch], *, finish: bool = True) -> Ran:
    """All batches pushed into csp's live engine."""
    heard = Heard()
    engine = Live(program, heard)
    engine.start()
    for batch in batches:
        engine.push(batch)
    return heard.ran(engine.stop(finish=finish))


def restarted(
    program: Program, batches: Sequence[Batch], kills: Iterable[int], *, finish: bool = True
) -> Ran:
    """The plain loop, ended after each of these counts of batches and begun again from bytes."""
    heard, states, at = Heard(), None, 0
    for kill in sorted(kills):
        states = run_plain(program, batches[at:kill], heard, states=states, finish=False)
        states, at = unpack(pack(states)), kill
    return heard.ran(run_plain(program, batches[at:], heard, states=states, finish=finish))


def rechunked(batches: Iterable[Batch], seed: int, *, most_rows: int = 4096) -> list[Batch]:
    """The same rows in the same order in other batches, of 1 to ``most_rows`` rows.

    Stored batches are joined with their neighbours of the same feed before they are cut. Of a batch
    that was received live only the last piece says when: time may go on only once all of it is in.
    """
    rng = np.random.default_rng(seed)
    whole: list[Batch] = []
    for batch in batches:
        last = whole[-1] if whole else None
        if (
            last is not None
            and batch.feed
            and last.feed == batch.feed
            and last.received_ns == HISTORY
        ):
            rows = pl.concat([last.rows, batch.rows])
            keys = np.concatenate([last.keys, batch.keys])
            whole[-1] = batch._replace(rows=rows, keys=keys)
        else:
            whole.append(batch)
    out: list[Batch] = []
    for batch in whole:
        at = 0
        while at < batch.rows.height:
            n = int(np.exp(rng.uniform(0.0, np.log(most_rows + 1))))
            end = min(at + n, batch.rows.height)
            received = batch.received_ns if end == batch.rows.height else HISTORY
            cut = batch._replace(rows=batch.rows[at:end], keys=batch.keys[at:end])
            out.append(cut._replace(received_ns=received))
            at = end
        if not batch.rows.height:
            out.append(batch)
    return out


def same(found: Ran, wanted: Ran, road: str) -> None:
    """Assert that two runs are the same to the last bit; says the node, the frame and the road."""
    assert found.answers.keys() == wanted.answers.keys(), road
    for key, frame in wanted.answers.items():
        if pack({"": found.answers[key]}) != pack({"": frame}):
            try:
                assert_frame_equal(found.answers[key], frame, check_exact=True)
            except AssertionError as error:
                raise AssertionError(f"{road}: {key}: {error}") from None
            raise AssertionError(f"{road}: {key} differs in the bits of equal numbers")
    assert found.upto_ns == wanted.upto_ns, road
    assert found.states.keys() == wanted.states.keys(), road
    for name, state in wanted.states.items():
        if pack({"": found.states[name]}) != pack({"": state}):
            raise AssertionError(f"{road}: {name} ends as\n{found.states[name]}\nnot as\n{state}")


def check_parity(
    program: Program,
    batches: Sequence[Batch],
    *,
    seeds: Iterable[int] = (1, 2),
    most_rows: int = 4096,
    kills: int = 3,
    finish: bool = True,
    roads: Mapping[str, Callable[..., Ran]] | None = None,
) -> Ran:
    """The plain run over all batches, once every other road has been found equal to it.

    ``seeds`` draw the other chunkings and the points of restart, ``kills`` of them a seed.
    """
    wanted = plain(program, batches, finish=finish)
    for name, road in (roads or {"csp replay": replayed, "csp live": live}).items():
        same(road(program, batches, finish=finish), wanted, name)
    for seed in seeds:
        cut = rechunked(batches, seed, most_rows=most_rows)
        same(plain(program, cut, finish=finish), wanted, f"re-chunked with seed {seed}")
        at = np.random.default_rng([seed, 7]).integers(0, len(cut) + 1, kills).tolist()
        again = restarted(program, cut, at, finish=finish)
        same(again, wanted, f"restarted after {sorted(at)} of the batches of seed {seed}")
    return wanted
