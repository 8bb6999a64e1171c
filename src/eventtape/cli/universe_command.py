"""``eventtape universe``: the most traded names of each kind before a date, as known before it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eventtape.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from eventtape.frames.universe import Universe

_SHOWN = 10  # excluded names in the terminal; --json has all


def universe(
    date: Annotated[str, typer.Option(help="Choose for this date, with what was known before it.")],
    daily: Annotated[
        Path | None,
        typer.Argument(
            help="Parquet or CSV with symbol, session (date), volume (shares) and dollar_volume "
            "(dollars), or else vwap or close (dollars a share)."
        ),
    ] = None,
    top: Annotated[int, typer.Option(help="Names of each kind.")] = 20,
    sessions: Annotated[int, typer.Option(help="Sessions before the date.")] = 20,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kind", help="Kind of listing (repeat the option; else ETF and CS)."),
    ] = None,
    listings: Annotated[
        Path | None, typer.Option(help="Table symbol, kind, from, to; without it one ranking.")
    ] = None,
    renames: Annotated[Path | None, typer.Option(help="Table old, new, from.")] = None,
    min_share: Annotated[
        float, typer.Option(help="Share of the sessions on which a name must have a row.")
    ] = 0.9,
    calendar: Annotated[str, typer.Option(help="Exchange calendar of the sessions.")] = "XNYS",
    simulate: Annotated[
        int | None, typer.Option(help="Choose from simulated volumes of this seed instead.")
    ] = None,
    seed_columns: Annotated[
        bool, typer.Option(help="The columns of the election-day study's tables (means, millions).")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Also write the members here (.parquet or .csv).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """The names with the largest mean dollar volume a session, by kind, point in time."""
    from eventtape.frames.universe import seed_columns as as_the_study
    from eventtape.frames.universe import universe as choose

    if out is not None and out.suffix not in {".parquet", ".csv"}:
        raise InputError("a file that ends in .parquet or .csv", met=str(out))
    tables = _tables(daily, listings, renames, simulate, date, sessions, calendar)
    if kinds and tables["listings"] is None:
        raise InputError("--listings to tell kinds apart", met=f"--kind {kinds[0]} without it")
    volumes = tables.pop("daily")
    by_kind = tuple(kinds or ("ETF", "CS")) if tables["listings"] is not None else ()
    chosen = choose(
        volumes,
        date,
        top=top,
        sessions=sessions,
        kinds=by_kind,
        min_share=min_share,
        calendar=calendar,
        **tables,
    )
    members = as_the_study(chosen.members) if seed_columns else chosen.members
    if out is not None:
        import polars as pl

        _write(members.with_columns(simulated=pl.lit(simulate is not None)), out)
    _warn(chosen, top, by_kind)
    if as_json:
        about = {"date": str(chosen.day), "calendar": calendar, "simulated": simulate is not None}
        print(json.dumps({**about, **_contract(chosen, members)}, allow_nan=False))
    else:
        _show(chosen, members, calendar, simulated=simulate is not None)
        if out is not None:
            print(f"Written: {out}")


def _tables(
    daily: Path | None,
    listings: Path | None,
    renames: Path | None,
    simulate: int | None,
    date: str,
    sessions: int,
    calendar: str,
) -> dict[str, Any]:
    from eventtape.simulate.daily_volumes import daily_volumes
    from eventtape.sources.universe_tables import read_daily, read_listings, read_renames

    if simulate is None and daily is None:
        error = InputError("a table of daily volumes", met="none")
        error.add_note("Or choose from simulated ones: eventtape universe --simulate 1 --date ...")
        raise error
    if simulate is not None:
        if daily or listings or renames:
            raise InputError("either tables or --simulate", met="both")
        made = daily_volumes(simulate, date, n_sessions=max(sessions, 5), calendar=calendar)
        return {"daily": made.daily, "listings": made.listings, "renames": made.renames}
    readers = {
        "daily": (read_daily, daily),
        "listings": (read_listings, listings),
        "renames": (read_renames, renames),
    }
    read = {}
    for name, (reader, path) in readers.items():
        if path is not None and not path.is_file():
            raise InputError(f"a file with the {name} table", met="no such file", file=path)
        read[name] = None if path is None else reader(path)
    return read


def _write(members: pl.DataFrame, out: Path) -> None:
    from eventtape.wholefile import write_whole

    if out.suffix == ".csv":
        write_whole(out, members.write_csv())
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        members.write_parquet(out)


def _warn(chosen: Universe, top: int, kinds: tuple[str, ...]) -> None:
    """Say on standard error what a reader of the table alone would not see."""
    if chosen.empty_sessions:
        listed = ", ".join(map(str, chosen.empty_sessions))
        n = f"{len(chosen.empty_sessions)} of {len(chosen.sessions)}"
        print(f"eventtape: the table has no row on {n} sessions: {listed}", file=sys.stderr)
    for kind in kinds or (None,):
        met = chosen.members.filter(kind=kind).height if kind else chosen.members.height
        if met < top:
            of = f" of kind {kind}" if kind else ""
            print(f"eventtape: only {met} names{of}, {top} asked for", file=sys.stderr)


def _contract(chosen: Universe, members: pl.DataFrame) -> dict[str, Any]:
    return {
        "sessions": [str(when) for when in chosen.sessions],
        "empty_sessions": [str(when) for when in chosen.empty_sessions],
        "members": members.to_dicts(),
        "excluded": chosen.excluded.to_dicts(),
    }


def _show(chosen: Universe, members: pl.DataFrame, calendar: str, *, simulated: bool) -> None:
    import polars as pl
    from rich.console import Console
    from rich.panel import Panel

    from eventtape.cli.terminal import show_frame

    if simulated:
        Console().print(
            Panel("SIMULATED DATA: no name below is a market's", style="bold white on red")
        )
    first, last = chosen.sessions[0], chosen.sessions[-1]
    print(
        f"Universe of {chosen.day}: means over {len(chosen.sessions)} sessions of {calendar}, "
        f"{first} to {last}"
    )
    millions = [
        (pl.col(column) / 1e6).round(2).alias(title)
        for column, title in (
            ("mean_shares", "M shares a day"),
            ("mean_dollars", "M dollars a day"),
        )
    ]
    if "mean_dollars" in members.columns:
        other = [
            pl.col("dollars_from").alias("dollars from"),
            pl.col("traded_as").alias("traded as"),
        ]
        # Columns that would say the same on every line are left to --json.
        told = [(members["dollars_from"] != "dollar_volume").any()]
        told.append((members["traded_as"] != members["symbol"]).any())
        kept = [column for column, tell in zip(other, told, strict=True) if tell]
        members = members.select("kind", "rank", "symbol", *millions, "sessions", *kept)
    show_frame(members, as_json=False, empty="no name could be chosen")
    smallest = chosen.members["mean_dollars"].min()
    missed = chosen.excluded.filter(pl.col("mean_dollars") >= (smallest or 0.0))
    if missed.height:
        print(f"Excluded though traded as much: {missed.height}", end="")
        print(f", the largest {_SHOWN}" if missed.height > _SHOWN else "")
        shown = missed.head(_SHOWN).select("symbol", "kind", millions[1], "sessions", "reason")
        show_frame(shown, as_json=False, empty="")
