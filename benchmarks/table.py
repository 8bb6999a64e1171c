"""What every benchmark prints: a table with the peer, the ratio in one run, what was equal."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table


def best_of(run: Callable[[], object], repeats: int) -> float:
    """The shortest of several runs, seconds: on a shared machine the least disturbed one."""
    shortest = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        shortest = min(shortest, time.perf_counter() - begin)
    return shortest


def show(title: str, rows: list[tuple[str, ...]], header: tuple[str, ...]) -> None:
    """Print the table, with the machine it was measured on."""
    table = Table(title=title, caption=f"{platform.machine()}, {os.cpu_count()} cores")
    for name in header:
        table.add_column(name)
    for row in rows:
        table.add_row(*row)
    Console(width=140).print(table)
