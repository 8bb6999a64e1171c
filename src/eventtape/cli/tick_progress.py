"""The progress of a pass over tick files: rows, rows a second, and the share of bytes if known."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl
    from rich.progress import Progress

__all__ = ["TickProgress", "tick_progress"]


class TickProgress:
    """Counts rows as frames pass by.

    Bytes move with the rows of a Parquet file, which says how many it holds, and of any other file
    when it is done.
    """

    def __init__(self, bar: Progress, paths: tuple[Path, ...]) -> None:
        sizes = sum(path.stat().st_size for path in paths)
        told = len(paths) > 2 or any(_parquet_rows(path) for path in paths)  # noqa: PLR2004
        self._bar, self._begun = bar, monotonic()
        self._line = bar.add_task("ticks", total=sizes if told else None, rows=0, rate=0.0)
        self.rows = 0

    def watch(self, frames: Iterator[pl.DataFrame], path: Path) -> Iterator[pl.DataFrame]:
        """The frames of a file unchanged, counted as they pass."""
        size, total = path.stat().st_size, _parquet_rows(path)
        done = 0.0
        for frame in frames:
            part = min(size * frame.height / total, size - done) if total else 0.0
            done += part
            self.count(frame.height, part)
            yield frame
        self.count(0, size - done)

    @property
    def seconds(self) -> float:
        """Since the pass began."""
        return monotonic() - self._begun

    def count(self, rows: int, size: float = 0.0) -> None:
        """Note more rows and the bytes they took."""
        self.rows += rows
        rate = self.rows / max(self.seconds, 1e-9)
        self._bar.update(self._line, advance=size, rows=self.rows, rate=rate)


@contextmanager
def tick_progress(paths: tuple[Path, ...], *, quiet: bool) -> Iterator[TickProgress]:
    """The progress of a pass over files, drawn on standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,.0f} a second"),
        TimeElapsedColumn(),
    )
    console = Console(file=sys.stderr)
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, transient=True) as bar:
        yield TickProgress(bar, paths)


def _parquet_rows(path: Path) -> int | None:
    """The rows of a Parquet file; None of any other, whose reader will say what is wrong."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException):
        return None
