"""Where a tape comes from, and where results go: the decisions the commands share."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventtape.errors import EventTapeError, FetchError, InputError
from eventtape.wholefile import write_whole

if TYPE_CHECKING:
    from rich.progress import Progress

    from eventtape.store import Lake
    from eventtape.studies import DiffusionResult, Event
    from eventtape.tape import Feed, Tape

DATA_VARIABLE = "EVENTTAPE_DATA"


def data_folder(given: Path | None) -> Path | None:
    """The folder of real data: the one given, else $EVENTTAPE_DATA, else ../shared/data, else None.

    A folder that is named and does not exist is an error; the default one may be absent.
    """
    named = given or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)
    if named is not None:
        if not named.is_dir():
            wanted = f"a data folder (--data or {DATA_VARIABLE})"
            raise InputError(wanted, met="no such folder", file=named)
        return named
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    return beside if beside.is_dir() else None


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Progress]:
    """A rich progress display on standard error, so that standard output stays clean."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    logging.getLogger("stamina").setLevel(logging.ERROR)  # retries show in the bar, not between
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(file=sys.stderr)
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, transient=True) as bar:
        yield bar


def teller(bar: Progress) -> Any:
    """A callable (label, done, total) that keeps one line of the bar per label."""
    lines: dict[str, Any] = {}

    def tell(label: str, done: int, total: int | None) -> None:
        if label not in lines:
            lines[label] = bar.add_task(label, total=total)
        bar.update(lines[label], completed=done, total=total)

    return tell


def one_line(bar: Progress, title: str) -> Any:
    """A callable (label, done, total) for work whose label changes as it goes."""
    line = bar.add_task(title, total=None)

    def tell(label: str, done: int, total: int | None) -> None:
        bar.update(line, description=f"{title}: {label}", completed=done, total=total)

    return tell


def tape_of(event: Event, *, data: Path | None, lake: Lake) -> Tape | None:
    """The event's real tape from the data folder, else from the lake, else None."""
    from eventtape.sources import ELECTION_2024, load_folder
    from eventtape.store import datasets, read_tape

    folder = data_folder(data)
    if folder is not None:
        loaded = load_folder(folder, ELECTION_2024, allow_missing=data is None)
        for label, path in loaded.missing:
            print(f"eventtape: {label} left out, no file {path}", file=sys.stderr)
        return loaded.tape
    return read_tape(lake, event.dataset) if event.dataset in datasets(lake) else None


def endpoints_from_environment() -> dict[str, str]:
    """Base URLs named in the environment: EVENTTAPE_POLYMARKET_URL, _KALSHI_URL, _BINANCE_URL."""
    named = {name: f"EVENTTAPE_{name.upper()}_URL" for name in ("polymarket", "kalshi", "binance")}
    return {name: os.environ[key] for name, key in named.items() if os.environ.get(key)}


def fetch_into(
    lake: Lake,
    cache: Path,
    *,
    endpoints: dict[str, str],
    start_ns: int,
    end_ns: int,
    attempts: int,
    trades: bool,
    bar: Progress,
) -> tuple[list[Feed], list[tuple[str, EventTapeError]]]:
    """Feeds fetched and written to the lake in one commit, and the feeds that failed, with why."""
    from eventtape.sources import (
        ELECTION_2024,
        ELECTION_2024_TRADES,
        Client,
        Endpoints,
        as_feed,
        fetch_election_2024,
    )
    from eventtape.store import write_tape

    specs = ELECTION_2024 + (ELECTION_2024_TRADES if trades else ())
    feeds, failed = [], []
    with Client(attempts=attempts) as client:
        outcomes = fetch_election_2024(
            client,
            Endpoints(**endpoints),
            cache,
            start_ns=start_ns,
            end_ns=end_ns,
            progress=teller(bar),
            specs=specs,
        )
        for outcome in outcomes:
            if outcome.frame is None:
                failed.append((outcome.spec.label, outcome.error or FetchError("no answer")))
            else:
                venue = outcome.spec.instrument.venue
                feeds.append(as_feed(outcome.spec, outcome.frame, f"fetched from {venue}"))
    if feeds:
        write_tape(lake, "election-2024", feeds)
    return feeds, failed


def save(result: DiffusionResult, out: Path, lake: Lake, command: str) -> Path:
    """Write the report, the JSON and the lake tables of a result; the report's path."""
    from eventtape.report import write_report
    from eventtape.store import Write
    from eventtape.studies.contract import contract, tables

    text = json.dumps(contract(result), indent=1, allow_nan=False) + "\n"
    partition = {
        "event": result.event.key,
        "data": "simulated" if result.simulated else "real",
    }
    report = write_report(result, out / "report.html", command=command)
    write_whole(out / "result.json", text)
    lake.write_all(
        Write(f"diffusion_{name}", frame, partition) for name, frame in tables(result).items()
    )
    return report
