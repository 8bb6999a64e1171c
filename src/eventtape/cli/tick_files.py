"""Tick files as a user names them: which vendor reads them, and which belong to one day."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from eventtape.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from eventtape.tape.days import DayOf
    from eventtape.tape.paired import Order

__all__ = ["Files", "Format", "Kind", "check_format", "files_by_day", "named_files", "scan"]

Kind = Literal["trades", "quotes"]
_PEEK_ROWS = 1 << 10
_TAKES = {
    "polygon": {"lot", "duplicates"},
    "lean": set[str](),
    "taq": {"zone", "sip", "exchanges", "lot"},
    "parquet": {"zone", "lot", "duplicates", "columns", "codes"},
}
_COLUMNS = {
    "trades": ("symbol", "ts", "price", "size", "iso", "eligible"),
    "quotes": ("symbol", "ts", "bid", "bid_size", "ask", "ask_size"),
}
_MORE = {"trades": ("condition", "correction", "sequence"), "quotes": ("venue", "sequence")}


class Format(NamedTuple):
    """How files are to be read; None where the vendor's reader decides."""

    vendor: str
    order: Order
    policy: str | None = None
    zone: str | None = None
    sip: str | None = None
    exchanges: tuple[str, ...] | None = None  # of quotes
    lot: float | None = None
    duplicates: str | None = None
    columns: dict[str, str] | None = None  # the tape's names to the file's
    codes: str | None = None  # whose conditions a Parquet file holds


class Files(NamedTuple):
    """Files that are read beside each other."""

    trades: tuple[Path, ...]
    quotes: tuple[Path, ...]


def check_format(how: Format) -> Format:
    """The format, once the vendor is known and takes every option given."""
    if how.vendor not in _TAKES:
        raise InputError(f"a --vendor among {', '.join(_TAKES)}", met=how.vendor)
    given = {name: value for name, value in how._asdict().items() if value is not None}
    strange = sorted(set(given) - _TAKES[how.vendor] - {"vendor", "order", "policy"})
    if strange:
        takes = ", ".join(sorted(_TAKES[how.vendor])) or "none"
        wanted = f"options that --vendor {how.vendor} takes ({takes})"
        raise InputError(wanted, met=f"{strange[0]} {given[strange[0]]}")
    if how.vendor == "parquet" and how.policy is not None and how.codes is None:
        wanted = "--codes of a column of conditions for a --policy to judge"
        raise InputError(wanted, met=f"--policy {how.policy} without it")
    known = {name for kind in _COLUMNS for name in (*_COLUMNS[kind], *_MORE[kind])}
    for name in how.columns or ():
        if name not in known:
            raise InputError(f"--column NAME=FILE of {', '.join(sorted(known))}", met=name)
    return how


def named_files(name: str, kind: Kind) -> tuple[Path, ...]:
    """The file of that name, the files of a folder, or those that match a pattern, by name."""
    path = Path(name)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    elif path.exists():
        found = [path]
    else:
        found = sorted(Path(match) for match in glob.glob(name))  # noqa: PTH207 absolute ones too
    if not found:
        wanted = f"a file of {kind}, a folder of them or a pattern that matches some"
        raise InputError(wanted, met="no such file", file=name)
    return tuple(found)


def scan(
    path: Path,
    kind: Kind,
    how: Format,
    *,
    counts: Counter[str] | None = None,
    batch_rows: int | None = None,
) -> Iterator[pl.DataFrame]:
    """The tape frames of one file, by its vendor's reader."""
    from eventtape import sources

    given: dict[str, Any] = {"counts": counts, "batch_rows": batch_rows}
    for name in ("lot", "duplicates", "zone"):
        given[name] = getattr(how, name)
    given["policy"] = how.policy or "regular"
    reader: Callable[..., Iterator[pl.DataFrame]]
    if how.vendor == "parquet":
        given |= {"vendor": how.codes if kind == "trades" else None}
        return sources.scan_tick_parquet(path, _mapped(kind, how), kind, **_some(given))
    trades = kind == "trades"
    given.pop("lot" if trades else "policy")
    if how.vendor == "polygon":
        reader = sources.scan_polygon_trades if trades else sources.scan_polygon_quotes
    elif how.vendor == "lean":
        reader = sources.scan_lean_trades if trades else sources.scan_lean_quotes
    else:
        reader = sources.scan_taq_trades if trades else sources.scan_taq_quotes
        given |= {"sip": how.sip} if trades else {"exchanges": how.exchanges}
    return reader(path, **_some(given))


def _some(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _mapped(kind: Kind, how: Format) -> dict[str, str]:
    """The tape's names to the file's: their own unless told otherwise."""
    names = list(_COLUMNS[kind])
    if kind == "trades" and how.codes is not None:
        names = [*(name for name in names if name not in {"iso", "eligible"}), "condition"]
    spelled = how.columns or {}
    names += [name for name in _MORE[kind] if name in spelled and name not in names]
    return {name: spelled.get(name, name) for name in names}


def files_by_day(
    trades: tuple[Path, ...], quotes: tuple[Path, ...], how: Format, day_of: DayOf
) -> list[Files]:
    """The files grouped by the day of their first row, in order; one a side belong together.

    Within a day, files follow each other by their first symbol (or time, where rows are ordered by
    time). A day with trades and no quotes, or the other way round, is an :class:`InputError`.
    """
    if len(trades) <= 1 and len(quotes) <= 1:
        return [Files(trades, quotes)]
    sides = []
    for kind, paths in (("trades", trades), ("quotes", quotes)):
        begun: dict[Any, list[tuple[tuple[str, int], Path]]] = {}
        for path in paths:
            symbol, ns = _first(path, kind, how)  # type: ignore[arg-type]
            place = (symbol, ns) if how.order == "symbol" else ("", ns)
            begun.setdefault(day_of(ns).date, []).append((place, path))
        sides.append(begun)
    for one, other, kind in ((sides[0], sides[1], "quotes"), (sides[1], sides[0], "trades")):
        for day in sorted(set(one) - set(other)) if trades and quotes else ():
            wanted = f"a file of {kind} that begins on {day}, as this one does"
            raise InputError(wanted, met="none", file=one[day][0][1])
    return [
        Files(*(tuple(path for _, path in sorted(side.get(day, ()))) for side in sides))
        for day in sorted({*sides[0], *sides[1]})
    ]


def _first(path: Path, kind: Kind, how: Format) -> tuple[str, int]:
    """Symbol and time of a file's first row."""
    rows = scan(path, kind, how, batch_rows=_PEEK_ROWS)
    try:
        frame = next(iter(rows), None)
    finally:
        getattr(rows, "close", lambda: None)()
    if frame is None:
        raise InputError(f"at least one row of {kind}", met="no rows", file=path)
    return str(frame["symbol"][0]), int(frame["ts"].to_physical()[0])
