"""What the commands of options share: files read, names and expiries chosen, the folder checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventtape.errors import InputError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["cased", "check_folder", "of_expiry", "read_options"]


def read_options(path: Path, stated: dict[str, str | None], notes: list[str]) -> pl.DataFrame:
    """The quotes of one file; what it does not say is taken from the options, one by one."""
    from eventtape.sources.option_files import read_option_quotes

    if not path.is_file():
        raise InputError("a file of option quotes", met="no such file", file=path)
    options = {"ts": "at"}
    given: dict[str, Any] = {}
    while True:
        try:
            rows = read_option_quotes(path, bad="drop", **given)
        except InputError as error:
            name = options.get(error.column or "", error.column or "")
            value = stated.get(name)
            if value is None or name in given:
                if name in stated and value is None:
                    error.add_note(f"On the command line: --{name}")
                raise
            given[name] = value
            continue
        dropped = [f"{n:,} {reason}" for reason, n in rows.report.dropped.items()]
        kept = f"{path.name}: {rows.report.kept:,} of {rows.report.rows:,} quotes kept"
        notes.append(f"{kept} ({rows.report.format}){': ' if dropped else ''}{', '.join(dropped)}.")
        return rows.frame


def cased(name: str, frame: pl.DataFrame) -> str:
    """The underlying as the file writes it: spy finds SPY."""
    known = frame["underlying"].unique().to_list()
    return next((one for one in known if one.upper() == name.upper()), name)


def of_expiry(frame: pl.DataFrame, expiry: str | None, underlying: str | None) -> pl.DataFrame:
    """The rows that expire on that UTC date, or at that moment."""
    import polars as pl

    from eventtape.clock import as_date, format_ns, parse_ns

    if expiry is None:
        return frame
    if ":" in expiry:
        moment = pl.lit(parse_ns(expiry)).cast(pl.Datetime("ns", "UTC"))
        found = frame.filter(pl.col("expiry") == moment)
    else:
        found = frame.filter(pl.col("expiry").dt.date() == as_date(expiry, what="expiry"))
    if found.is_empty():
        mine = frame if underlying is None else frame.filter(underlying=underlying)
        times = mine["expiry"].unique().sort().to_physical()
        known = ", ".join(format_ns(int(time), seconds=False) for time in times)
        raise InputError(f"an expiry among {known}", met=expiry)
    return found


def check_folder(out: Path) -> None:
    """Refuse an ``--out`` that is a file, before the study runs."""
    at = next(path for path in (out, *out.parents) if path.exists())
    if not at.is_dir():
        raise InputError("a folder for --out", met="a file", file=at)
