"""A run and its face: what ``replay``, ``live`` and ``dashboard`` share."""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from eventtape.cli import wiring
from eventtape.dashboard.about import About
from eventtape.errors import InputError
from eventtape.stream.answers import KEYS
from eventtape.stream.board import Board
from eventtape.wholefile import write_whole

if TYPE_CHECKING:
    from eventtape.store.journal import Journal
    from eventtape.stream.fold import Program
    from eventtape.stream.kafka import KafkaTopic, Publisher
    from eventtape.stream.live import LiveRun
    from eventtape.tape.batch import Batch
    from eventtape.tape.live_source import LiveSource

__all__ = [
    "Face",
    "Published",
    "Screen",
    "begun_with",
    "keep_running",
    "newest",
    "run_folder",
    "saved_options",
    "seal_run",
    "shown",
    "watched",
]

_REFRESH_S = 0.5
_OPENING_S = 36.0  # longer than a source holds rows back for what it missed
_OPTIONS = "run.json"


class Screen(StrEnum):
    """How a run is shown."""

    DASHBOARD = "dashboard"
    TERMINAL = "terminal"
    NONE = "none"


class Face(NamedTuple):
    """How and where a run is shown."""

    screen: Screen
    host: str
    port: int
    token: str | None


@contextmanager
def shown(board: Board, about: About, face: Face) -> Iterator[None]:
    """The screen of a run, for as long as the context lasts."""
    with ExitStack() as stack:
        if face.screen is Screen.DASHBOARD:
            from eventtape.dashboard.server import Server

            server = Server(board, about, host=face.host, port=face.port, token=face.token)
            stack.enter_context(server)
            secret = "" if face.token is None else " (with ?token=… the first time)"
            print(f"eventtape: {about.title}: {server.url}{secret}", file=sys.stderr)
        elif face.screen is Screen.TERMINAL:
            stack.enter_context(_terminal(board, about))
        yield


@contextmanager
def _terminal(board: Board, about: About) -> Iterator[None]:
    from rich.console import Console
    from rich.live import Live

    from eventtape.cli.live_screen import LiveScreen

    screen = LiveScreen(board, about.title, simulated=about.simulated)
    over = threading.Event()
    console = Console()
    with Live(screen.draw(), console=console, refresh_per_second=4, transient=False) as live:

        def refresh() -> None:
            while not over.wait(_REFRESH_S):
                live.update(screen.draw())

        thread = threading.Thread(target=refresh, name="eventtape-terminal", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            live.update(screen.draw())


def watched(run: LiveRun, face: Face, *, ends: str) -> None:
    """Wait for the run's sources to end, or for Ctrl-C; a page then stays until Ctrl-C.

    ``ends`` is said when the sources have ended and the page stays.
    """
    try:
        while not run.wait(0.2):
            pass
        if face.screen is Screen.DASHBOARD:
            print(f"eventtape: {ends}; the page stays, Ctrl-C stops it", file=sys.stderr)
            threading.Event().wait()
    except KeyboardInterrupt:
        print("eventtape: stopping", file=sys.stderr)


def newest(answers: dict[str, Sequence[pl.DataFrame]], about: About) -> str:
    """The newest row of everything answered, as JSON: NaN as null, times as text."""
    said: dict[str, Any] = {}
    for name, frames in answers.items():
        rows = pl.concat(frames)
        by = KEYS.get(name)
        last = rows.unique(by, keep="last", maintain_order=True) if by else rows.tail(1)
        said[name] = [{k: _plain(v) for k, v in row.items()} for row in last.to_dicts()]
    head = {"event": about.key, "title": about.title, "simulated": about.simulated}
    return json.dumps({**head, "newest": said}, indent=1, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def run_folder(lake: Path, name: str) -> Path:
    """The journal of a run in a lake; a name that is no plain name is an :class:`InputError`."""
    if not name or not all(c.isascii() and (c.isalnum() or c in "-_") for c in name):
        raise InputError("a run's name of letters, digits, - and _", met=name, column="--run")
    return lake / "journal" / name


def saved_options(folder: Path) -> dict[str, Any] | None:
    """What a run was started with; None where there was no such run."""
    file = folder / _OPTIONS
    try:
        options = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise InputError("the options of a run as JSON", met=str(error), file=file) from error
    if not isinstance(options, dict) or not isinstance(options.get("begun_ns"), int):
        raise InputError("a run's options with begun_ns", met=options, file=file)
    return options


def begun_with(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a run: those it was first started with, and when; new ones are kept now.

    A run that is gone on with under other options keeps its beginning, and its graph is computed
    again from its journal.
    """
    before = saved_options(folder)
    begun = time.time_ns() if before is None else before["begun_ns"]
    now = {**options, "begun_ns": begun}
    if now != before:
        write_whole(folder / _OPTIONS, json.dumps(now, indent=1))
    return now


class Published:
    """A journal whose batches go to a Kafka topic once it has them."""

    def __init__(self, journal: Journal, publisher: Publisher) -> None:
        self._journal, self._publisher, self._said = journal, publisher, ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def append(self, batches: Sequence[Batch]) -> list[Batch]:
        """The batches with their numbers, once they are safe; then they are sent."""
        kept = self._journal.append(batches)
        for batch in kept:
            self._publisher.send(batch)
        if self._publisher.trouble != self._said:
            self._said = self._publisher.trouble
            print(f"eventtape: publishing: {self._said}", file=sys.stderr)
        return kept


def keep_running(
    journal: Journal,
    program: Program,
    sources: Sequence[LiveSource],
    about: About,
    face: Face,
    *,
    publish: KafkaTopic | None,
) -> None:
    """Run until Ctrl-C, everything on disk before it is shown."""
    from eventtape.store.snapshots import Snapshots
    from eventtape.stream.live import LiveRun

    board = Board()
    kept: Any = journal
    with ExitStack() as stack:
        if publish is not None:
            from eventtape.stream.kafka import Publisher, publish_feeds

            publish_feeds(publish, [feed for source in sources for feed in source.feeds])
            publisher = Publisher(publish)
            publisher.start()
            stack.callback(publisher.stop)
            kept = Published(journal, publisher)
        stack.enter_context(shown(board, about, face))
        bar = stack.enter_context(wiring.progress_bar(quiet=False))
        tell = wiring.one_line(bar, "going on with the run")
        run = LiveRun(
            program, sources, journal=kept, snapshots=Snapshots(journal.folder / "snapshots"),
            board=board, opening_s=_OPENING_S,
            progress=lambda done, total: tell("journal", done, total),
        )  # fmt: skip
        stack.enter_context(run)
        bar.stop()
        for words in run.said:
            print(f"eventtape: {words}", file=sys.stderr)
        watched(run, face, ends="all feeds have ended")


def seal_run(lake: Path, name: str) -> None:
    """Write a run's journal to the lake as a dataset of its name."""
    from eventtape.store import Lake
    from eventtape.store.roster import seal

    n = seal(run_folder(lake, name), Lake(lake), name)
    print(f"eventtape: {n} feeds in the lake as dataset {name}", file=sys.stderr)
