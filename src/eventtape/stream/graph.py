"""A program of folds as a csp graph: over stored batches as fast as they go, or live.

The nodes hold no formula: guard, call, return. Edges carry slices, whole frames at a time, and one
edge carries all symbols. csp's own clock counts batches; times of the market are in the rows.

Live, the engine runs in its own thread: batches are pushed into it, answers and states come out of
it by calls made in that thread. One batch is one engine cycle, so a state asked for with a batch
is the state of every node after just that batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import csp
from csp.impl.pulladapter import PullInputAdapter
from csp.impl.wiring import py_pull_adapter_def

from eventtape.errors import EventTapeError
from eventtape.stream.csp_thread import FOREVER, STOP, CspThread
from eventtape.stream.fold import Node, Program, Sink, Slice, advanced, entering, joined
from eventtape.tape.batch import Batch

__all__ = ["Live", "replay"]

_FIRST = datetime(2000, 1, 1)  # noqa: DTZ001 - csp reads bare times as UTC; here it only counts


class _Cycle(NamedTuple):
    """One engine cycle: a batch, or None at the end; ``save`` asks for the states after it."""

    batch: Batch | None
    save: bool = False


class _Run(NamedTuple):
    """What the nodes of one run share; touched by the engine's thread alone."""

    nodes: Program
    held: dict[str, Any]
    sink: Sink
    saved: Callable[[int, Mapping[str, Any]], None] | None
    failed: Callable[[str, EventTapeError, Batch | None], None] | None
    dead: set[str]


def replay(
    nodes: Program,
    batches: Iterable[Batch],
    sink: Sink,
    *,
    states: Mapping[str, Any] | None = None,
    finish: bool = True,
) -> dict[str, Any]:
    """The states after all batches, each answer handed to ``sink``: csp, as fast as it goes.

    ``states`` go on from an earlier run's; ``finish`` settles what the end of the tape settles. An
    error of a node ends the run.
    """
    run = _Run(nodes, _begin(nodes, states), sink, None, None, set())

    def cycles() -> Iterator[_Cycle]:
        for batch in batches:
            yield _Cycle(batch)
        if finish:
            yield _Cycle(None)

    csp.run(_graph, run, _counted(cycles()), starttime=_FIRST, endtime=FOREVER)
    return run.held


class Live:
    """The engine in its own thread: push batches in, answers come to ``sink``.

    ``saved(number, states)`` is called, in the engine's thread, with the states after the batch
    pushed with ``save=True``; NamedTuples of arrays that nobody writes to again. A node whose fold
    raises an :class:`EventTapeError` stops, alone and with all that reads it: ``failed(name, error,
    batch)`` is told, and the rest goes on. Any other error ends the engine, and :meth:`push` and
    :meth:`stop` raise it as a :class:`StreamError`.
    """

    def __init__(
        self,
        nodes: Program,
        sink: Sink,
        *,
        states: Mapping[str, Any] | None = None,
        saved: Callable[[int, Mapping[str, Any]], None] | None = None,
        failed: Callable[[str, EventTapeError, Batch | None], None] | None = None,
    ) -> None:
        self._run = run = _Run(nodes, _begin(nodes, states), sink, saved, failed, set())
        self._engine = CspThread(lambda cycles: _graph(run, cycles), "eventtape-engine")

    def start(self) -> None:
        """Start the engine; returns once it takes batches."""
        self._engine.start()

    def push(self, batch: Batch, *, save: bool = False) -> None:
        """Hand over a batch; returns at once. Order is kept, none is merged or dropped."""
        self._engine.push(_Cycle(batch, save))

    def stop(self, *, finish: bool = False) -> dict[str, Any]:
        """The states once all that was pushed is done; ``finish`` settles the end of the tape."""
        if finish:
            self._engine.push(_Cycle(None))
        self._engine.stop()
        return self._run.held

    @property
    def alive(self) -> bool:
        """Whether the engine still takes batches."""
        return self._engine.alive


class _Counted(PullInputAdapter):
    """Each value one microsecond after the last: csp's clock counts cycles."""

    def __init__(self, cycles: Iterator[_Cycle]) -> None:
        super().__init__()
        self._cycles, self._count = cycles, 0

    def next(self) -> tuple[datetime, _Cycle] | None:
        value = next(self._cycles, None)
        self._count += 1
        return None if value is None else (_FIRST + timedelta(microseconds=self._count), value)


_counted = py_pull_adapter_def("_counted", _Counted, csp.ts[object], memoize=False, cycles=object)


def _cycle(run: _Run, node: Node, cycle: Any, said: list[Slice]) -> Slice | None:
    """One fold's part in one engine cycle."""
    if cycle is STOP or node.name in run.dead:
        return None
    batch = cycle.batch
    new = joined(() if node.feeds else said)
    if node.feeds:
        new = None if batch is None else entering(batch, node.inputs)
    try:
        run.held[node.name], answer = advanced(node, run.held[node.name], new, end=batch is None)
    except EventTapeError as error:
        error.add_note(f"in the node '{node.name}' of the graph")
        if run.failed is None:
            raise
        run.dead.add(node.name)
        run.failed(node.name, error, batch)
        return None
    if answer is not None:
        run.sink(node.name, answer, batch)
    return answer


@csp.node(memoize=False)
def _fold(
    run: object,
    node: object,
    cycles: csp.ts[object],
    inputs: [csp.ts[object]],
) -> csp.ts[object]:
    if csp.ticked(cycles):
        answer = _cycle(run, node, cycles, list(inputs.tickedvalues()))
        if answer is not None:
            return answer


@csp.node(memoize=False)
def _end_of_cycle(
    run: object,
    cycles: csp.ts[object],
    after: [csp.ts[object]],
) -> None:
    if csp.ticked(cycles) and cycles is not STOP and cycles.save and run.saved is not None:
        run.saved(cycles.batch.number, dict(run.held))


@csp.graph(memoize=False)
def _graph(run: object, cycles: csp.ts[object]) -> None:
    edges: dict[str, Any] = {}
    for node in run.nodes:
        inputs = [cycles] if node.feeds else [edges[name] for name in node.inputs]
        edges[node.name] = _fold(run, node, cycles, inputs)
    _end_of_cycle(run, cycles, list(edges.values()))


def _begin(nodes: Program, states: Mapping[str, Any] | None) -> dict[str, Any]:
    return {n.name: n.fold.start() if states is None else states[n.name] for n in nodes}
