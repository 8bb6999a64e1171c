"""The options that every command over tick files has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eventtape.errors import InputError

if TYPE_CHECKING:
    from eventtape.cli.tick_files import Format
    from eventtape.tape.days import DayOf

Quotes = Annotated[
    str | None,
    typer.Argument(help="File of quotes, a folder of them, or a quoted pattern (one file a day)."),
]
Trades = Annotated[
    str | None,
    typer.Argument(help="File of trades, a folder of them, or a quoted pattern (one file a day)."),
]
VendorName = Annotated[
    str | None, typer.Option("--vendor", help="Who made the files: polygon, lean, taq or parquet.")
]
Symbols = Annotated[
    list[str] | None, typer.Option("--symbol", help="Only this symbol (repeat the option).")
]
Session = Annotated[str, typer.Option(help="Exchange calendar whose hours cut the day, or none.")]
Ordered = Annotated[
    str, typer.Option("--order", help="Rows are ordered by symbol (and then time) or by time.")
]
Simulate = Annotated[
    int | None, typer.Option(help="Read a simulated day of this seed instead of files.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Zone = Annotated[
    str | None, typer.Option(help="Zone of naive times (taq: America/New_York, parquet: UTC).")
]
Sip = Annotated[
    str | None, typer.Option(help="taq: the plan of the symbols, cta (NYSE) or utp (Nasdaq).")
]
Exchanges = Annotated[
    list[str] | None,
    typer.Option("--exchange", help="taq: only quotes of this exchange (repeat the option)."),
]
Lot = Annotated[float | None, typer.Option(help="Shares in a unit of quote size.")]
Repeats = Annotated[
    str | None, typer.Option("--duplicates", help="Records met twice: refuse (else) or drop.")
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", help="parquet: NAME=FILE, what the file calls a column (repeat)."),
]
Codes = Annotated[
    str | None,
    typer.Option(help="parquet: whose codes the condition column holds: polygon, cta, utp, lean."),
]

_NEW_YORK = "America/New_York"


def as_format(
    vendor: str | None,
    order: str,
    *,
    policy: str | None = None,
    zone: str | None = None,
    sip: str | None = None,
    exchanges: list[str] | None = None,
    lot: float | None = None,
    duplicates: str | None = None,
    columns: list[str] | None = None,
    codes: str | None = None,
) -> Format:
    """The options as one format, checked."""
    from eventtape.cli.tick_files import Format, check_format
    from eventtape.tape.paired import as_order

    mapped = None
    if columns:
        pairs = [text.partition("=") for text in columns]
        for text, (name, _, spelled) in zip(columns, pairs, strict=True):
            if not name or not spelled:
                raise InputError("--column NAME=FILE, such as price=PRICE", met=text)
        mapped = {name: spelled for name, _, spelled in pairs}
    return check_format(
        Format(
            vendor or "",
            as_order(order),
            policy,
            zone,
            sip,
            tuple(exchanges) if exchanges else None,
            lot,
            duplicates,
            mapped,
            codes,
        )
    )


def days_of(session: str) -> DayOf:
    """How days are told apart: a calendar's, or those of New York's clock with no hours."""
    from eventtape.tape.days import local_days, session_days

    return local_days(_NEW_YORK) if session == "none" else session_days(session)


def paths_or_seed(
    files: dict[str, str | None], vendor: str | None, simulate: int | None, command: str
) -> dict[str, tuple[Path, ...]]:
    """The files named for each side; none where the day is simulated."""
    from eventtape.cli.tick_files import named_files

    given = {kind: name for kind, name in files.items() if name is not None}
    if simulate is not None:
        if given or vendor is not None:
            raise InputError("either files or --simulate", met="both")
        return dict.fromkeys(files, ())
    missing = [kind for kind in files if kind not in given]
    if missing or vendor is None:
        error = InputError(f"files of {' and of '.join(files)} and their --vendor", met="none")
        error.add_note(f"Or read a simulated day: eventtape {command} --simulate 1")
        raise error
    return {kind: named_files(name, kind) for kind, name in given.items()}  # type: ignore[arg-type]


def made_by_no_market(paths: dict[str, tuple[Path, ...]]) -> bool:
    """Whether a Parquet file of ticks says so itself, in a column ``simulated``."""
    import polars as pl

    for path in (path for side in paths.values() for path in side if path.suffix == ".parquet"):
        try:
            ticks = pl.scan_parquet(path, glob=False)
            if "simulated" in ticks.collect_schema() and bool(
                ticks.select(pl.col("simulated").cast(pl.Boolean).any()).collect().item()
            ):
                return True
        except (OSError, pl.exceptions.PolarsError):
            continue  # the reader will say what is wrong with the file
    return False
