"""``eventtape sweeps``: does a window's share of sweeps go with who moves first in the next?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from eventtape.cli import tick_options as ticks
from eventtape.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from eventtape.studies.iso_days import DayWindows
    from eventtape.studies.iso_leadership_rows import IsoConfig, IsoLeadership


def sweeps(
    trades: ticks.Trades = None,
    quotes: ticks.Quotes = None,
    vendor: ticks.VendorName = None,
    every: Annotated[str, typer.Option(help="Length of a window, such as 30m.")] = "30m",
    grid_s: Annotated[
        int, typer.Option("--grid-s", help="Seconds between the books scores are made of.")
    ] = 1,
    max_lag_s: Annotated[
        int, typer.Option("--max-lag-s", help="Reach of the lead that is scored, in seconds.")
    ] = 5,
    shifts: Annotated[int, typer.Option(help="Draws of the placebo; 0 for none.")] = 999,
    level: Annotated[float, typer.Option(help="Level of every interval.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Seed of the placebo.")] = 0,
    policy: Annotated[
        str | None, typer.Option(help="Which trades are eligible: regular (else), extended or all.")
    ] = None,
    session: Annotated[str, typer.Option(help="Exchange calendar whose hours cut the day.")] = (
        "XNYS"
    ),
    symbols: ticks.Symbols = None,
    order: ticks.Ordered = "symbol",
    out: Annotated[
        Path, typer.Option(help="Parquet file of the windows, in a folder that exists.")
    ] = Path("windows.parquet"),
    simulate: ticks.Simulate = None,
    zone: ticks.Zone = None,
    sip: ticks.Sip = None,
    exchange: ticks.Exchanges = None,
    lot: ticks.Lot = None,
    duplicates: ticks.Repeats = None,
    column: ticks.Columns = None,
    codes: ticks.Codes = None,
    as_json: ticks.AsJson = False,
) -> None:
    """Does sweep activity predict leadership? The effect, its interval and a placebo beside it."""
    from eventtape.cli import sweeps_screen, tick_screen
    from eventtape.cli.tick_pass import TickPass
    from eventtape.cli.tick_progress import tick_progress
    from eventtape.cli.whole_parquet import check_parquet
    from eventtape.clock import SECOND
    from eventtape.sources.conditions import as_policy
    from eventtape.studies.iso_days import window_days
    from eventtape.studies.iso_findings import finding
    from eventtape.studies.iso_leadership_rows import IsoConfig, contract

    config = IsoConfig(
        every=every, grid_s=grid_s, max_lag_s=max_lag_s, n_shifts=shifts, level=level, seed=seed
    )
    if session == "none":
        raise InputError("a calendar: windows are cut from its hours", met="--session none")
    as_policy(policy or "regular")
    if trades is not None and quotes is not None and vendor is None and simulate is None:
        raise InputError("--vendor, which says how to read the files", met="files alone")
    paths = ticks.paths_or_seed({"trades": trades, "quotes": quotes}, vendor, simulate, "sweeps")
    how = ticks.as_format(
        "parquet" if simulate is not None else vendor,
        order,
        policy=policy,
        zone=zone,
        sip=sip,
        exchanges=exchange,
        lot=lot,
        duplicates=duplicates,
        columns=column,
        codes=codes,
    )
    check_parquet(out)
    simulated = simulate is not None or ticks.made_by_no_market(paths)
    about = {"every": every, "grid_s": str(grid_s), "max_lag_s": str(max_lag_s)}
    about |= {"policy": policy or "regular", "session": session}
    about |= {"data": "simulated" if simulated else "real"}
    about |= {"vendor": how.vendor} if simulate is None else {"seed": str(simulate)}
    given = {"zone": zone, "sip": sip, "exchange": exchange, "lot": lot, "symbols": symbols}
    about |= {name: str(value) for name, value in given.items() if value}

    with tick_progress((*paths["trades"], *paths["quotes"]), quiet=as_json) as progress:
        passed = TickPass(how, ticks.days_of(session), progress=progress, every_ns=grid_s * SECOND)
        runs = passed.runs(paths, symbols, simulate)
        days = window_days(runs, config, order=how.order)
        made = _study(days, config, out, about, simulated=simulated)
    result, seen = made.result, made.seen
    said = finding(result)
    told: dict[str, Any] = {
        **contract(result),
        "simulated": simulated,
        "findings": [{"text": said.text, "status": str(said.status)}],
        "options": about,
        "rows": dict(passed.rows),
        "tickers": seen.height,
        "windows": made.windows,
        "sessions": [str(day) for day in sorted(passed.days)],
        "not_traded": dict(passed.not_traded),
        "seconds": round(progress.seconds, 3),
        "rows_per_second": round(passed.rows.total() / progress.seconds),
        "health": passed.health(),
        "out": str(out),
    }
    tick_screen.warn({**told, "summary": seen.to_dicts()}, symbols, set(seen["ticker"]))
    if as_json:
        print(json.dumps(told, allow_nan=False))
    else:
        sweeps_screen.show(result, told)


class _Made(NamedTuple):
    result: IsoLeadership
    seen: pl.DataFrame  # ticker, num_trades, median_spread (of its windows, share of the mid)
    windows: int


def _study(
    days: Iterator[DayWindows],
    config: IsoConfig,
    out: Path,
    about: dict[str, str],
    *,
    simulated: bool,
) -> _Made:
    """Every day's windows into the file, and the study of all of them.

    The study runs before the file takes its name: where it refuses its input, nothing is left.
    """
    import polars as pl

    from eventtape.cli.whole_parquet import whole_parquet
    from eventtape.studies.iso_leadership import run

    tables, seen = [], []
    with whole_parquet(out, about) as append:
        for _, windows, features in days:
            append(windows.with_columns(pl.lit(simulated).alias("simulated")))
            tables.append(windows)
            seen.append(features.select("ticker", "num_trades", "avg_rsprd"))
        result = run(pl.concat(tables), config)
    met = (
        pl.concat(seen)
        .group_by("ticker")
        .agg(pl.col("num_trades").sum(), median_spread=pl.col("avg_rsprd").median())
    )
    return _Made(result, met.sort("ticker"), sum(table.height for table in tables))
