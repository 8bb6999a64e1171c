"""The windows of many symbols and days, from ticks read some symbols at a time.

A run of ticks leaves behind its symbols' features, a row a window, and their books on the grid; the
ticks are forgotten. Scores compare a symbol with all others, so a day waits until it is complete.
Files ordered by symbol bring a day back with every symbol, as long as symbols rise: where they
fall, other files have begun, and the days held are complete. Ordered by time, a run is a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import polars as pl

from eventtape.errors import InputError
from eventtape.frames.ticks import feature_stream
from eventtape.studies.iso_books import BookGrid, IsoBooks, grid_of
from eventtape.studies.iso_leadership_rows import IsoConfig
from eventtape.studies.iso_windows import day_windows
from eventtape.tape.days import Chunk, Day, Run
from eventtape.tape.paired import Order

__all__ = ["DayWindows", "window_days"]


class DayWindows(NamedTuple):
    """One day's windows, and the features they were made from."""

    day: Day
    windows: pl.DataFrame
    features: pl.DataFrame


class _Part(NamedTuple):
    """What a run leaves behind."""

    session: tuple[int, int]
    features: pl.DataFrame
    books: IsoBooks


def window_days(
    runs: Iterable[Run], config: IsoConfig | None = None, *, order: Order = "symbol"
) -> Iterator[DayWindows]:
    """Each day's windows, equal to ``iso_windows`` of the whole day whatever the runs.

    ``runs``: those of :func:`~eventtape.tape.days.day_runs` in the same ``order``, over one file
    after another; every day needs hours. Memory holds the books of the days not yet complete.
    """
    config = config or IsoConfig()
    held: dict[Day, list[_Part]] = {}
    highest = ""
    for run in runs:
        if order == "time":
            yield from _closed(held, config)
        part = _part(run, config)
        if part.features.is_empty():
            continue
        symbols = part.features["ticker"]
        if str(symbols.min()) < highest:
            yield from _closed(held, config)
        highest = str(symbols.max()) if order == "symbol" else ""
        held.setdefault(run.day, []).append(part)
    yield from _closed(held, config)


def _part(run: Run, config: IsoConfig) -> _Part:
    hours = run.day.hours
    if hours is None:
        raise InputError("a day with an open and a close", met=str(run.day.date))
    try:
        grid = BookGrid(grid_of(hours, config))
    except InputError as error:
        error.add_note(f"on {run.day.date}")
        raise
    found = list(feature_stream(_gridded(run, grid), every=config.every, session=hours))
    features = pl.concat(found) if found else pl.DataFrame()
    return _Part(hours, features, grid.books())


def _gridded(run: Run, grid: BookGrid) -> Iterator[Chunk]:
    """The run's chunks unchanged; once each is checked and folded, its quotes go to the grid."""
    for chunk in run.chunks:
        yield chunk
        grid.add(chunk[1])


def _closed(held: dict[Day, list[_Part]], config: IsoConfig) -> Iterator[DayWindows]:
    """The days held, in order, and none held after."""
    for day in sorted(held):
        parts = held.pop(day)
        features = pl.concat([part.features for part in parts]).sort("ticker", "bucket")
        books = [part.books for part in parts]
        windows = day_windows(features, books, session=parts[0].session, config=config)
        yield DayWindows(day, windows, features)
