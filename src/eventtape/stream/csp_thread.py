"""A csp engine in a thread of its own, with one door: what is pushed ticks in its graph, in order.

Nothing pushed is merged or dropped. An error inside the engine is kept and raised, as a
:class:`~eventtape.errors.StreamError`, to whoever pushes or joins.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import csp
from csp.impl.pushadapter import PushInputAdapter
from csp.impl.wiring import py_push_adapter_def

from eventtape.errors import StreamError

__all__ = ["FOREVER", "STOP", "CspThread"]

FOREVER = timedelta(days=36_500)
STOP = object()
"""Pushed by :meth:`CspThread.stop`: the last thing a graph sees, after all that came before it."""
_START_S = 30.0


class CspThread:
    """Runs ``build(edge)``, a function that wires a graph to the edge of what is pushed."""

    def __init__(self, build: Callable[[Any], None], name: str) -> None:
        self._build = build
        self._door: list[_Door] = []
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the engine takes what is pushed."""
        return self._thread.is_alive() and self._error is None

    def start(self) -> None:
        """Start the engine; returns once it takes what is pushed."""
        self._thread.start()
        if not self._ready.wait(_START_S):
            raise StreamError(f"the engine did not start within {_START_S:g} s")
        self._check()
        _take_signals_back()

    def push(self, value: object) -> None:
        """Hand over a value; returns at once."""
        self._check()
        self._door[0].push_tick(value)

    def stop(self) -> None:
        """Stop once all that was pushed is done."""
        if self.alive:
            self._door[0].push_tick(STOP)
        self._thread.join()
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise StreamError(f"the engine stopped: {self._error}") from self._error

    def _work(self) -> None:
        try:
            csp.run(
                _graph,
                self._build,
                _pushed(self._door, push_mode=csp.PushMode.NON_COLLAPSING),
                self._ready,
                starttime=datetime.now(UTC).replace(tzinfo=None),
                endtime=FOREVER,
                realtime=True,
            )
        except BaseException as error:  # noqa: BLE001 - carried to whoever pushes or stops
            self._error = error
            self._ready.set()


def _take_signals_back() -> None:
    """Give Ctrl-C back to the program.

    csp catches SIGINT for itself while an engine runs, wherever that runs, and an engine that it
    stops so takes the process with it when the next value is pushed.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is threading.main_thread() and handler is not None:
        signal.signal(signal.SIGINT, handler)


class _Door(PushInputAdapter):
    def __init__(self, door: list[_Door]) -> None:
        super().__init__()
        self._door = door

    def start(self, starttime: datetime, endtime: datetime) -> None:
        self._door.append(self)


_pushed = py_push_adapter_def("_pushed", _Door, csp.ts[object], memoize=False, door=object)


@csp.node(memoize=False)
def _until_stop(pushed: csp.ts[object]) -> None:
    if csp.ticked(pushed) and pushed is STOP:
        csp.stop_engine()


@csp.node(memoize=False)
def _begun(ready: object, first: csp.ts[bool]) -> None:
    if csp.ticked(first):
        ready.set()


@csp.graph(memoize=False)
def _graph(build: object, pushed: csp.ts[object], ready: object) -> None:
    build(pushed)
    _until_stop(pushed)
    _begun(ready, csp.const(True))  # in its first cycle, when csp has taken its signals
