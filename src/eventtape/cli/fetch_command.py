"""``eventtape fetch``: public data that needs no key, over HTTP into the lake."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from eventtape.cli import wiring
from eventtape.errors import FetchError, InputError


def fetch(
    dataset: Annotated[str, typer.Argument(help="Which dataset: election-2024.")],
    lake: Annotated[
        Path, typer.Option("--lake", help="Root of the lake.", envvar="EVENTTAPE_LAKE")
    ] = Path("lake"),
    cache: Annotated[
        Path | None, typer.Option(help="Where downloads are kept (else LAKE/downloads).")
    ] = None,
    start: Annotated[str, typer.Option(help="From, ISO 8601 with zone.")] = "2024-11-05T00:00Z",
    end: Annotated[str, typer.Option(help="To, ISO 8601 with zone.")] = "2024-11-07T00:00Z",
    attempts: Annotated[int, typer.Option(help="Tries of each request.")] = 6,
    trades: Annotated[bool, typer.Option(help="Also the contracts' single trades.")] = True,
    polymarket_url: Annotated[
        str | None, typer.Option(help="Base URL of the service.", envvar="EVENTTAPE_POLYMARKET_URL")
    ] = None,
    kalshi_url: Annotated[
        str | None, typer.Option(help="Base URL of the service.", envvar="EVENTTAPE_KALSHI_URL")
    ] = None,
    binance_url: Annotated[
        str | None, typer.Option(help="Base URL of the service.", envvar="EVENTTAPE_BINANCE_URL")
    ] = None,
) -> None:
    """Fetch a dataset's public feeds into the lake; a feed that fails leaves the others whole."""
    from eventtape.clock import format_ns, parse_ns
    from eventtape.store import Lake
    from eventtape.tape import times_ns

    if attempts < 1:
        raise InputError("at least one attempt", met=attempts)
    if dataset != "election-2024":
        raise InputError("a dataset among election-2024", met=dataset)
    print(f"Each request is tried up to {attempts} times, with pauses.", file=sys.stderr)
    urls = {"polymarket": polymarket_url, "kalshi": kalshi_url, "binance": binance_url}
    with wiring.progress_bar(quiet=False) as bar:
        feeds, failed = wiring.fetch_into(
            Lake(lake),
            cache or lake / "downloads",
            endpoints={name: url for name, url in urls.items() if url},
            start_ns=parse_ns(start),
            end_ns=parse_ns(end),
            attempts=attempts,
            trades=trades,
            bar=bar,
        )
    for feed in feeds:
        ts = times_ns(feed.frame)
        print(
            f"{feed.label}: {feed.frame.height} rows, {format_ns(int(ts[0]))} to "
            f"{format_ns(int(ts[-1]))}"
        )
    for label, error in failed:
        print(f"{label}: failed: {error}", file=sys.stderr)
    if failed:
        raise FetchError(f"{len(failed)} of {len(feeds) + len(failed)} feeds failed; run it again")
