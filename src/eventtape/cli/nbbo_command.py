"""``eventtape nbbo``: the best bid and ask of every second, from files of quotes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eventtape.cli import tick_options as ticks
from eventtape.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from eventtape.tape.days import Run


def nbbo(
    quotes: ticks.Quotes = None,
    vendor: ticks.VendorName = None,
    every: Annotated[str, typer.Option(help="Width of the grid, such as 1s or 100ms.")] = "1s",
    session: ticks.Session = "XNYS",
    symbols: ticks.Symbols = None,
    order: ticks.Ordered = "symbol",
    out: Annotated[Path, typer.Option(help="Parquet file to write, in a folder that exists.")] = (
        Path("books.parquet")
    ),
    simulate: ticks.Simulate = None,
    zone: ticks.Zone = None,
    exchange: ticks.Exchanges = None,
    lot: ticks.Lot = None,
    duplicates: ticks.Repeats = None,
    column: ticks.Columns = None,
    as_json: ticks.AsJson = False,
) -> None:
    """The book of every second: the row stamped T holds the last quote before T and its age."""
    from rich.console import Console

    from eventtape.cli import tick_screen
    from eventtape.cli.tick_pass import TickPass
    from eventtape.cli.tick_progress import tick_progress
    from eventtape.cli.whole_parquet import check_parquet, whole_parquet
    from eventtape.clock import duration_ns

    paths = ticks.paths_or_seed({"quotes": quotes}, vendor, simulate, "nbbo")
    how = ticks.as_format(
        "parquet" if simulate is not None else vendor,
        order,
        zone=zone,
        exchanges=exchange,
        lot=lot,
        duplicates=duplicates,
        columns=column,
    )
    every_ns = duration_ns(every)
    if every_ns == 0:
        raise InputError("an --every above 0", met=every)
    check_parquet(out)
    simulated = simulate is not None or ticks.made_by_no_market(paths)
    about = {"every": every, "session": session, "data": "simulated" if simulated else "real"}
    tickers: set[str] = set()
    books = 0
    with tick_progress(paths["quotes"], quiet=as_json) as progress:
        passed = TickPass(how, ticks.days_of(session), progress=progress, every_ns=every_ns)
        runs = passed.runs(paths, symbols, simulate)
        with whole_parquet(out, about) as append:
            for table in _books(runs, every, order, simulated=simulated):
                append(table)
                tickers.update(table["symbol"].unique())
                books += table.height
    told: dict[str, Any] = {
        "simulated": simulated,
        "options": about,
        "rows": {"quotes": passed.rows["quotes"]},
        "tickers": len(tickers),
        "books": books,
        "sessions": [str(day) for day in sorted(passed.days)],
        "not_traded": dict(passed.not_traded),
        "seconds": round(progress.seconds, 3),
        "rows_per_second": round(passed.rows["quotes"] / progress.seconds),
        "health": {"quotes": passed.health()["quotes"]},
        "out": str(out),
    }
    tick_screen.warn(told, symbols, tickers)
    if as_json:
        print(json.dumps(told, allow_nan=False))
        return
    tick_screen.banner(Console(), simulated=simulated)
    tick_screen.totals(told)
    Console().print(tick_screen.health(told["health"]))
    print(f"Written: {out}")


def _books(
    runs: Iterator[Run], every: str, order: str, *, simulated: bool
) -> Iterator[pl.DataFrame]:
    """The books within each day's hours, every symbol carried to the close.

    Rows ordered by symbol give books by day, symbol and time; rows ordered by time give them as
    they are settled, since a whole market's books of a day are more than a memory holds.
    """
    import polars as pl

    from eventtape.frames.ticks import nbbo_stream
    from eventtape.tape.paired import as_order

    for run in runs:
        hours = run.day.hours
        end_ns = None if hours is None else hours[1]
        chunks = (quotes for _, quotes in run.chunks if quotes.height)
        stream = nbbo_stream(chunks, every=every, end_ns=end_ns, order=as_order(order))
        if order == "symbol":
            held = list(stream)
            stream = iter([pl.concat(held).sort("symbol", "ts")] if held else [])
        for books in stream:
            table = books.with_columns(
                pl.col("symbol").cast(pl.String), pl.lit(simulated).alias("simulated")
            )
            if hours is not None:
                ts = pl.col("ts").cast(pl.Int64)
                table = table.filter((ts > hours[0]) & (ts <= hours[1]))
            if table.height:
                yield table
