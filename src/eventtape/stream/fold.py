"""What every node of a graph is: a fold over slices of the tape, with a state that can be stored.

A :class:`Slice` says what has become known: rows by name, and a time before which nothing more will
come. A :class:`Fold` takes its state and a slice and gives the next state and its own slice. The
same folds run in csp, live or replayed, and in a plain loop (:func:`run_plain`), which the tests
hold csp to.

Rules a fold keeps, so that batch, replay, live and restart agree to the last bit:

* answers depend on the rows and their order alone, never on how they were cut into slices, on the
  wall clock or on chance;
* the state handed in is left as it was, and holds only what ``snapshot`` can store: numbers, text,
  None, enums of :mod:`eventtape`, NumPy arrays, Polars frames, and tuples, dicts with text keys and
  NamedTuples of these;
* answers are rows of a frame, final once given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import polars as pl

from eventtape.errors import InputError
from eventtape.tape.batch import Batch

__all__ = [
    "NEVER",
    "Fold",
    "Node",
    "Program",
    "Sink",
    "Slice",
    "advanced",
    "entering",
    "joined",
    "program",
    "run_plain",
]

NEVER = -(2**62)
"""A time before all others: nothing is known to be final yet."""


class Slice(NamedTuple):
    """Rows that have become known, and how far time has come."""

    upto_ns: int  # no row stamped before this will come any more
    frames: Mapping[str, pl.DataFrame]  # by name of feed or node
    now_ns: int = NEVER  # wall clock when the batch behind it came, NEVER for stored rows


class Fold(Protocol):
    """One estimator over a stream; a frozen dataclass whose fields are its options."""

    def start(self) -> Any:
        """The state before any row."""

    def step(self, state: Any, new: Slice) -> tuple[Any, Slice | None]:
        """The state after ``new`` and what it settled, None where that is nothing."""

    def finish(self, state: Any) -> Slice | None:
        """What the end of the tape settles, None where that is nothing. Live streams never end."""


class Node(NamedTuple):
    """A fold with a name, reading feeds (where it orders them) or earlier nodes.

    A node that reads nodes reads only such as stand behind one ordering node, and names that one
    or the nearest to it first: time goes by its first input.
    """

    name: str
    inputs: tuple[str, ...]
    fold: Fold
    feeds: bool = False  # the inputs are feeds


Program = tuple[Node, ...]
Sink = Callable[[str, Slice, Batch | None], None]
"""Called with the node's name, its answer, and the batch that settled it (None at the end)."""


def program(nodes: Iterable[Node]) -> Program:
    """The nodes, once each has a name of its own and reads only what stands before it."""
    checked: list[Node] = []
    for node in nodes:
        known = {one.name for one in checked}
        if node.name in known:
            raise InputError("a name for each node", met=node.name)
        missing = [] if node.feeds else [name for name in node.inputs if name not in known]
        if missing or not node.inputs:
            wanted = f"inputs of '{node.name}' among {', '.join(sorted(known)) or 'feeds'}"
            raise InputError(wanted, met=missing or "none")
        checked.append(node)
    return tuple(checked)


def entering(batch: Batch, feeds: Iterable[str]) -> Slice | None:
    """What a batch is to a node that reads these feeds; None where it is nothing to it."""
    now = batch.received_ns if batch.received_ns >= 0 else NEVER
    if not batch.feed:
        return Slice(NEVER, {}, now)
    return Slice(NEVER, {batch.feed: batch.rows}, now) if batch.feed in feeds else None


def joined(slices: Iterable[Slice]) -> Slice | None:
    """One slice of several of one moment: time is the first one's; None of none."""
    parts = list(slices)
    if not parts:
        return None
    frames = {name: frame for part in parts for name, frame in part.frames.items()}
    return Slice(parts[0].upto_ns, frames, parts[0].now_ns)


def run_plain(
    nodes: Program,
    batches: Iterable[Batch],
    sink: Sink,
    *,
    states: Mapping[str, Any] | None = None,
    finish: bool = True,
) -> dict[str, Any]:
    """The states after all batches, each answer handed to ``sink``: a loop, the twin of csp.

    ``states`` go on from an earlier run's. ``finish`` settles what the end of the tape settles.
    """
    held = {n.name: n.fold.start() if states is None else states[n.name] for n in nodes}
    for batch in batches:
        _cycle(nodes, held, sink, batch)
    if finish:
        _cycle(nodes, held, sink, None)
    return held


def _cycle(nodes: Program, held: dict[str, Any], sink: Sink, batch: Batch | None) -> None:
    said: dict[str, Slice] = {}
    for node in nodes:
        if node.feeds:
            new = None if batch is None else entering(batch, node.inputs)
        else:
            new = joined(said[name] for name in node.inputs if name in said)
        held[node.name], answer = advanced(node, held[node.name], new, end=batch is None)
        if answer is not None:
            said[node.name] = answer
            sink(node.name, answer, batch)


def advanced(node: Node, state: Any, new: Slice | None, *, end: bool) -> tuple[Any, Slice | None]:
    """The node's next state and its answer to what is new, and to the end if it has come."""
    answers = []
    if new is not None:
        state, answer = node.fold.step(state, new)
        answers.append(answer)
    if end:
        answers.append(node.fold.finish(state))
    return state, _both(answers)


def _both(answers: Iterable[Slice | None]) -> Slice | None:
    """A step's answer and then the end's, as one."""
    parts = [part for part in answers if part is not None]
    if len(parts) < 2:  # noqa: PLR2004 - two answers, or one, or none
        return parts[0] if parts else None
    frames: dict[str, pl.DataFrame] = dict(parts[0].frames)
    for key, frame in parts[1].frames.items():
        frames[key] = pl.concat([frames[key], frame]) if key in frames else frame
    return Slice(parts[1].upto_ns, frames, parts[1].now_ns)
