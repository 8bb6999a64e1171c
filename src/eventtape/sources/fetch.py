"""The parts of ``election-2024`` that need no key, over HTTP: one outcome a feed, good or bad.

One feed that fails does not stop the others. The bytes of a feed that does not parse are
forgotten, so that the next run asks for them anew; those of one that broke off are kept, so that
it goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from eventtape.clock import MINUTE, SECOND, format_ns
from eventtape.errors import EventTapeError, FetchError, InputError
from eventtape.sources import services
from eventtape.sources.catalog import (
    ELECTION_2024,
    ELECTION_2024_TRADES,
    BinanceKlines,
    FeedSpec,
    KalshiMarket,
    PolymarketToken,
)
from eventtape.sources.http import Client, Progress
from eventtape.sources.services import Desk

__all__ = ["Endpoints", "Outcome", "fetch_election_2024"]


class Endpoints(NamedTuple):
    """Base URLs of the services."""

    polymarket: str = "https://clob.polymarket.com"
    kalshi: str = "https://api.elections.kalshi.com"
    binance: str = "https://data.binance.vision"


class Outcome(NamedTuple):
    """How one feed fared: a frame, or the error in its place.

    ``spec`` carries the stamp uncertainty of what was fetched, which may be finer than the file's.
    """

    spec: FeedSpec
    frame: pl.DataFrame | None
    error: EventTapeError | None


def fetch_election_2024(
    client: Client,
    endpoints: Endpoints,
    cache_dir: str | Path,
    *,
    start_ns: int,
    end_ns: int,
    progress: Progress | None = None,
    specs: Sequence[FeedSpec] = ELECTION_2024 + ELECTION_2024_TRADES,
) -> Iterator[Outcome]:
    """Outcomes of the feeds that a public service has, in order, as each is done.

    Frames hold the records stamped after ``start_ns`` and up to ``end_ns``. The window must have
    ended, since answers are kept. ``progress`` is told (label, requests done, requests or None).
    """
    if not start_ns < end_ns <= time.time_ns():
        window = f"{format_ns(start_ns)} to {format_ns(end_ns)}"
        raise InputError("a window that ends after it starts and before now", met=window)
    window_s = start_ns // SECOND, -(-end_ns // SECOND)

    def outcomes() -> Iterator[Outcome]:
        for spec in specs:
            if spec.remote is None:
                continue
            tell = _teller(spec.label, progress)
            desk = Desk(client, Path(cache_dir), window_s, tell)
            try:
                fetched, frame = _fetched(desk, endpoints, spec)
                yield Outcome(fetched, _inside(frame, spec.label, start_ns, end_ns), None)
            except FetchError as error:
                yield Outcome(spec, None, error)
            except InputError as error:
                desk.forget()
                yield Outcome(spec, None, error)

    return outcomes()


def _fetched(desk: Desk, endpoints: Endpoints, spec: FeedSpec) -> tuple[FeedSpec, pl.DataFrame]:
    code = spec.instrument.code
    match spec.remote:
        case PolymarketToken() as token:
            return spec, services.history(desk, endpoints.polymarket, token, symbol=code)
        case BinanceKlines() as pair:
            return spec, services.klines(desk, endpoints.binance, pair, symbol=code)
        case KalshiMarket(what="trades") as market:
            return spec, services.trades(desk, endpoints.kalshi, market)
        case KalshiMarket() as market:
            frame, minutes = services.candles(desk, endpoints.kalshi, market)
            return spec._replace(stamp_uncertainty_ns=minutes * MINUTE), frame
    raise InputError("a feed that a service has", met=spec.label)


def _inside(frame: pl.DataFrame, label: str, start_ns: int, end_ns: int) -> pl.DataFrame:
    start, end = (pl.lit(ns).cast(pl.Datetime("ns", "UTC")) for ns in (start_ns, end_ns))
    inside = frame.filter((pl.col("ts") > start) & (pl.col("ts") <= end))
    if inside.is_empty():
        raise FetchError(f"{label}: the service answered, but with nothing inside the window")
    return inside


def _teller(label: str, progress: Progress | None) -> services.Tell:
    def tell(done: int, total: int | None) -> None:
        if progress is not None:
            progress(label, done, total)

    return tell
