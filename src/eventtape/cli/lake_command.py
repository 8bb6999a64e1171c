"""``eventtape lake``: what is stored, a look at it, and SQL over it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import polars as pl

_LEGIBLE = 12  # characters of a column under which its words cannot be read

app = typer.Typer(help="The lake: list tables, look at one, ask in SQL.", no_args_is_help=True)

Root = Annotated[Path, typer.Option("--lake", help="Root of the lake.", envvar="EVENTTAPE_LAKE")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON rows and nothing else.")]


@app.command("ls")
def list_tables(lake: Root = Path("lake"), *, as_json: AsJson = False) -> None:
    """Every table: partitions, rows, bytes, first and last time, when written."""
    from eventtape.cli.terminal import show_frame
    from eventtape.store import Lake

    show_frame(Lake(lake).tables(), as_json=as_json, empty=f"the lake {lake} holds no table")


@app.command("show")
def show(
    table: Annotated[str, typer.Argument(help="Which table.")],
    rows: Annotated[int, typer.Option("-n", help="How many rows.")] = 10,
    lake: Root = Path("lake"),
    *,
    as_json: AsJson = False,
) -> None:
    """The first rows of a table."""
    from eventtape.errors import InputError
    from eventtape.store import Lake

    if rows < 1:
        raise InputError("at least one row", met=rows)
    _show(Lake(lake).show(table, rows), as_json=as_json, empty=f"{table} has no rows")


@app.command("sql")
def sql(
    query: Annotated[str, typer.Argument(help="A SELECT over the lake's tables (DuckDB SQL).")],
    lake: Root = Path("lake"),
    *,
    as_json: AsJson = False,
) -> None:
    """Ask the lake in SQL; a query cannot change it."""
    from eventtape.store import Lake

    _show(Lake(lake).sql(query), as_json=as_json, empty="no rows")


def _show(frame: pl.DataFrame, *, as_json: bool, empty: str) -> None:
    """Rows as a table; one below the other where the columns would be a few characters wide."""
    from rich.console import Console

    from eventtape.cli.terminal import NONE, show_frame

    least = sum(min(max(len(name), 8), _LEGIBLE) + 3 for name in frame.columns)
    if as_json or frame.is_empty() or least <= Console().width:
        show_frame(frame, as_json=as_json, empty=empty)
        return
    side = max(len(name) for name in frame.columns)
    for at, row in enumerate(frame.iter_rows(named=True), 1):
        print(f"row {at}")
        for name, value in row.items():
            print(f"  {name:<{side}}  {NONE if value is None else value}")


@app.command("vacuum")
def vacuum(lake: Root = Path("lake")) -> None:
    """Delete files that no table names: what killed writes and replaced partitions left."""
    from eventtape.store import Lake

    gone = Lake(lake).vacuum()
    print(f"{gone.files} files, {gone.disk_bytes} bytes removed")
