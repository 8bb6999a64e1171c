"""The files of the premium command as markets: tables of volatilities as they are, quotes fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eventtape.cli.option_input import read_options
from eventtape.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from eventtape.studies.premium_rows import MarketTerms
    from eventtape.tape.chains import Chain

__all__ = ["is_term_table", "read_markets"]

Progress = Callable[[str, int, int | None], None]
_MOST_TIMES = 500
_CONTRACT = {"instrument", "instrument_name", "symbol", "option symbol", "contract"}
_TERM = {"expiry", "expiration", "expiry_date", "maturity"}


def read_markets(
    files: Sequence[Path],
    *,
    at: str | None,
    labels: tuple[str, ...],
    unit: str | None,
    every: str | None,
    history: bool,
    max_age: str | None,
    rate: float | None,
    american: bool | None,
    notes: list[str],
    tell: Progress,
) -> tuple[MarketTerms, ...]:
    """The markets of all files, in order of label; what was left out is added to ``notes``."""
    import polars as pl

    from eventtape.clock import SECOND, duration_ns
    from eventtape.studies.densities_rows import DensitiesConfig
    from eventtape.studies.premium_terms import terms_of_chains, terms_of_table

    if not files:
        error = InputError("a file of volatilities or option quotes", met="none")
        error.add_note("Or study a simulated vote: eventtape premium --simulate 1")
        raise error
    for path in files:
        if not path.is_file():
            raise InputError(
                "a file of volatilities or option quotes", met="no such file", file=path
            )
    stated = labels[0] if len(labels) == 1 else None
    tables, quotes = [], []
    for path in files:
        if is_term_table(path):
            tables.append(_table(path, at, stated, unit, notes))
        else:
            given = {"underlying": stated, "at": at}
            if american is not None:
                given["style"] = "american" if american else "european"
            quotes.append(read_options(path, given, notes))
    out: list[MarketTerms] = []
    if tables:
        out += terms_of_table(_of_labels(pl.concat(tables), "label", labels))
    if quotes:
        frame = _of_labels(pl.concat(quotes), "underlying", labels)
        age_s = math.inf if max_age is None else duration_ns(max_age) / SECOND
        config = DensitiesConfig(
            rate=rate,
            exercise="as given" if american is None else "american" if american else "european",
        )
        moments = _moments(frame, at, None if every is None else duration_ns(every), history)
        out += terms_of_chains(_snapshots(frame, moments, age_s), config, progress=tell)
    return tuple(sorted(out, key=lambda market: market.label))


def is_term_table(path: Path) -> bool:
    """Whether the file's headings are of volatilities by expiry and not of single options."""
    import polars as pl

    from eventtape.sources.files import read_bytes

    name = path.name.lower()
    if name.endswith((".json", ".json.gz")):
        return False
    if path.suffix == ".parquet":
        try:
            headings = list(pl.read_parquet_schema(path))
        except (OSError, pl.exceptions.PolarsError) as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"a Parquet file ({reason})", file=path) from error
    else:
        first = read_bytes(path).split(b"\n", 1)[0].decode("utf-8-sig", "replace")
        headings = [one.strip().strip('"') for one in first.split(",")]
    plain = {one.strip().lower() for one in headings}
    options = bool(plain & _CONTRACT) or any("strike" in one for one in plain)
    return bool(plain & _TERM) and not options


def _table(
    path: Path, at: str | None, label: str | None, unit: str | None, notes: list[str]
) -> pl.DataFrame:
    from eventtape.sources.term_tables import read_term_rows

    try:
        rows = read_term_rows(path, at=at, label=label, unit=unit)
    except InputError as error:
        if error.column == "ts" and at is None:
            error.add_note("On the command line: --at")
        raise
    noted = [f"{n:,} {what}" for what, n in (rows.report.dropped | rows.report.noted).items()]
    kept = f"{path.name}: {rows.report.kept:,} of {rows.report.rows:,} volatilities kept"
    notes.append(f"{kept}{': ' if noted else ''}{', '.join(noted)}.")
    return rows.frame


def _of_labels(frame: pl.DataFrame, column: str, labels: tuple[str, ...]) -> pl.DataFrame:
    """The rows of the markets asked for; their names in any case."""
    import polars as pl

    if not labels:
        return frame
    known = sorted(frame[column].unique())
    for label in labels:
        if label.upper() not in {one.upper() for one in known}:
            raise InputError(f"a label among {', '.join(known)}", met=label)
    asked = [one for one in known if one.upper() in {label.upper() for label in labels}]
    return frame.filter(pl.col(column).is_in(asked))


def _moments(frame: pl.DataFrame, at: str | None, every_ns: int | None, history: bool) -> list[int]:
    """The moments of the snapshots: one; or each time of the file, or a grid and its last."""
    from eventtape.clock import format_ns, parse_ns
    from eventtape.tape import times_ns

    known = sorted(set(times_ns(frame).tolist()))
    until = known[-1] if at is None else parse_ns(at)
    seen = [ns for ns in known if ns <= until]
    if not seen:
        wanted = f"a time at or after the first quote, {format_ns(known[0])}"
        raise InputError(wanted, met=format_ns(until))
    if not history:
        return [until]
    if every_ns is not None:
        first = -(-seen[0] // every_ns) * every_ns
        seen = [*range(first, seen[-1], every_ns), seen[-1]]
    if len(seen) > _MOST_TIMES:
        error = InputError(f"at most {_MOST_TIMES} snapshots", met=f"{len(seen):,} times")
        error.add_note("A longer --every, such as --every 6h")
        raise error
    return seen


def _snapshots(
    frame: pl.DataFrame, moments: Sequence[int], age_s: float
) -> list[tuple[Chain, ...]]:
    """The chains of each moment that have a quote; one without any is left out."""
    from eventtape.tape.chains import chains

    last = int(frame["expiry"].to_physical().max())  # type: ignore[arg-type]
    open_ = [ns for ns in moments if ns < last]
    if not open_:
        raise InputError("a quote before the last expiry", met="none")
    out = []
    for ns in open_:
        found = tuple(c for c in chains(frame, at=ns, max_age_s=age_s) if not c.frame.is_empty())
        if found:
            out.append(found)
    if not out:
        raise InputError("quotes no older than --max-age", met="none")
    return out
