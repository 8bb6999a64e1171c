"""``eventtape fetch``: public data that needs no key, over HTTP into the lake."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eventtape.cli import wiring
from eventtape.errors import FetchError, InputError

if TYPE_CHECKING:
    from eventtape.sources import OptionRows

_DATASETS = ("election-2024", "deribit")
_ELECTION_START, _ELECTION_END = "2024-11-05T00:00Z", "2024-11-07T00:00Z"


def fetch(
    dataset: Annotated[str, typer.Argument(help="Which dataset: election-2024 or deribit.")],
    lake: Annotated[
        Path, typer.Option("--lake", help="Root of the lake.", envvar="EVENTTAPE_LAKE")
    ] = Path("lake"),
    cache: Annotated[
        Path | None, typer.Option(help="Where downloads are kept (else LAKE/downloads).")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="From, ISO 8601 with zone (election: its eve).")
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="To, ISO 8601 with zone (election: two days on).")
    ] = None,
    attempts: Annotated[int, typer.Option(help="Tries of each request.")] = 6,
    trades: Annotated[
        bool | None,
        typer.Option(
            help="Also single trades (election: yes unless told; deribit: between --start and"
            " --end)."
        ),
    ] = None,
    currency: Annotated[str, typer.Option(help="Deribit: options of this currency.")] = "BTC",
    polymarket_url: Annotated[
        str | None, typer.Option(help="Base URL of the service.", envvar="EVENTTAPE_POLYMARKET_URL")
    ] = None,
    kalshi_url: Annotated[
        str | None, typer.Option(help="Base URL of the service.", envvar="EVENTTAPE_KALSHI_URL")
    ] = None,
    binance_url: Annotated[
        str | None, typer.Option(help="Base URL of the service.", envvar="EVENTTAPE_BINANCE_URL")
    ] = None,
    deribit_url: Annotated[
        str | None, typer.Option(help="Base URL of the service.", envvar="EVENTTAPE_DERIBIT_URL")
    ] = None,
) -> None:
    """Fetch a dataset's public feeds into the lake; a feed that fails leaves the others whole."""
    if attempts < 1:
        raise InputError("at least one attempt", met=attempts)
    if dataset not in _DATASETS:
        raise InputError(f"a dataset among {', '.join(_DATASETS)}", met=dataset)
    folder = cache or lake / "downloads"
    if dataset == "deribit":
        _deribit(
            folder / "deribit", currency, start, end,
            trades=bool(trades), base=deribit_url, attempts=attempts,
        )  # fmt: skip
        return
    urls = {"polymarket": polymarket_url, "kalshi": kalshi_url, "binance": binance_url}
    _election(
        lake, folder, start or _ELECTION_START, end or _ELECTION_END,
        trades=trades is not False, urls={name: url for name, url in urls.items() if url},
        attempts=attempts,
    )  # fmt: skip


def _election(
    lake: Path,
    folder: Path,
    start: str,
    end: str,
    *,
    trades: bool,
    urls: dict[str, str],
    attempts: int,
) -> None:
    from eventtape.clock import format_ns, parse_ns
    from eventtape.store import Lake
    from eventtape.tape import times_ns

    _say_patience(attempts)
    with wiring.progress_bar(quiet=False) as bar:
        feeds, failed = wiring.fetch_into(
            Lake(lake),
            folder,
            endpoints=urls,
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


def _deribit(
    folder: Path,
    currency: str,
    start: str | None,
    end: str | None,
    *,
    trades: bool,
    base: str | None,
    attempts: int,
) -> None:
    """The book as it stands now and, asked for, the trades of a window: a Parquet file each."""
    from eventtape.clock import parse_ns
    from eventtape.sources import Client, fetch_deribit_book, fetch_deribit_trades
    from eventtape.sources.deribit_rest import DERIBIT
    from eventtape.tape import times_ns

    if not currency.isalnum():
        raise InputError("a currency of letters and digits, such as BTC", met=currency)
    if trades != (start is not None) or trades != (end is not None):
        wanted = "--start and --end with --trades, and only with it (the book is of now)"
        raise InputError(wanted, met={"--trades": trades, "--start": start, "--end": end})
    first, last = (None if text is None else parse_ns(text) for text in (start, end))
    if first is not None and last is not None and not first < last:
        raise InputError("a window that ends after it starts", met=(start, end))
    name, url = currency.upper(), (base or DERIBIT).rstrip("/")
    _say_patience(attempts)
    with wiring.progress_bar(quiet=False) as bar, Client(attempts=attempts) as client:
        book = fetch_deribit_book(client, name, base=url, bad="drop")
        at = _compact(int(times_ns(book.frame).max()))
        _keep(book, folder / f"{name}-book-{at}.parquet", url)
        if first is None or last is None:
            return
        made = fetch_deribit_trades(
            client, name, start_ns=first, end_ns=last, base=url, bad="drop",
            progress=wiring.teller(bar),
        )  # fmt: skip
        _keep(made, folder / f"{name}-trades-{_compact(first)}-{_compact(last)}.parquet", url)


def _keep(rows: OptionRows, path: Path, url: str) -> None:
    """Write the rows whole or not at all and say where, and what was left out."""
    from eventtape.cli.whole_parquet import whole_parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    report = rows.report
    about = {"source": url, "format": report.format, "dropped": report.dropped}
    with whole_parquet(path, about) as append:
        append(rows.frame)
    print(f"{report.format}: {rows.frame.height} rows, {path}")
    for reason, n in report.dropped.items():
        print(f"{report.format}: {n} left out, {reason}", file=sys.stderr)


def _compact(ns: int) -> str:
    """A time as file names spell it, to the second: 20250613T193000Z."""
    from eventtape.clock import format_ns

    return format_ns(ns)[:19].replace("-", "").replace(":", "") + "Z"


def _say_patience(attempts: int) -> None:
    print(f"Each request is tried up to {attempts} times, with pauses.", file=sys.stderr)
