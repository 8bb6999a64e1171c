"""What the dataset ``election-2024`` is made of: its feeds, their files, clocks and services.

Election day 2024 (5 November) and the night after it. Files lie in the data folder the user names;
stamp uncertainties are how far BEFORE its stamp a value may have been true:

- Polymarket: the Trump token, sampled each minute. Kalshi: hourly candles, stamped at their end.
- BTC, EURUSD (bid), NQ: one-minute bars. CL: five-minute bars. All stamped at the end of the bar.
- NQ is ratio back-adjusted and CL is back-adjusted by a constant: the continuous contract was
  shifted so that rolls leave no jump. Their levels are not prices that traded. NQ's returns are
  right; CL's price changes are right, and its returns are off by the ratio of true to shown level.
- Results: a newspaper's count, collected every two to three minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import polars as pl

from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.sources.bars import read_bars
from eventtape.sources.binance import read_klines_many
from eventtape.sources.http import Progress
from eventtape.sources.kalshi import read_candlesticks
from eventtape.sources.polymarket import read_history
from eventtape.sources.results_timeline import read_results
from eventtape.tape import (
    BAR,
    PROBABILITY,
    RESULT,
    TRADE,
    Feed,
    Instrument,
    Kind,
    Record,
    Tape,
    check,
)

__all__ = [
    "ELECTION_2024",
    "ELECTION_2024_TRADES",
    "BinanceKlines",
    "FeedSpec",
    "KalshiMarket",
    "Loaded",
    "PolymarketToken",
    "as_feed",
    "load_folder",
]


class PolymarketToken(NamedTuple):
    """An outcome token whose price history the CLOB serves."""

    token_id: str


class KalshiMarket(NamedTuple):
    """A contract of a series, and which of its records to ask for."""

    series: str
    ticker: str
    what: Literal["candlesticks", "trades"]


class BinanceKlines(NamedTuple):
    """A pair and interval of the daily kline archives."""

    symbol: str
    interval: str
    interval_s: int


Remote = PolymarketToken | KalshiMarket | BinanceKlines


class FeedSpec(NamedTuple):
    """One feed: what it is, how far its clock is right, its files, and where it is fetched."""

    label: str
    instrument: Instrument
    record: Record
    stamp_uncertainty_ns: int
    paths: tuple[str, ...]  # relative to the data folder, in time order; () where only fetched
    reader: Callable[[Sequence[Path]], pl.DataFrame] | None
    remote: Remote | None
    note: str = ""  # what a reader must know of the numbers before trusting them


class Loaded(NamedTuple):
    """A tape from a folder, and the files that were not there (label, path)."""

    tape: Tape
    missing: tuple[tuple[str, Path], ...]


def _only(read: Callable[[Path], pl.DataFrame]) -> Callable[[Sequence[Path]], pl.DataFrame]:
    """A reader of feeds that lie in one file."""
    return lambda paths: read(paths[0])


def _contract(label: str, ticker: str) -> FeedSpec:
    return FeedSpec(
        label,
        Instrument("kalshi", ticker, "event contract"),
        PROBABILITY,
        3_600 * SECOND,
        (f"kalshi/{ticker}_candlesticks_1h_utc_periodend.csv",),
        _only(partial(read_candlesticks, ticker=ticker, zone="UTC")),
        KalshiMarket("PRES", ticker, "candlesticks"),
    )


def _bars(
    label: str, venue: str, kind: Kind, interval_s: int, path: str, note: str = ""
) -> FeedSpec:
    read = partial(read_bars, symbol=label, stamp="start", interval_s=interval_s, zone="UTC")
    return FeedSpec(
        label,
        Instrument(venue, label, kind),
        BAR,
        interval_s * SECOND,
        (path,),
        _only(read),
        None,
        note,
    )


ELECTION_2024: tuple[FeedSpec, ...] = (
    FeedSpec(
        "Polymarket",
        Instrument("polymarket", "trump-2024", "event contract"),
        PROBABILITY,
        60 * SECOND,
        ("polymarket/winner_trump_1m.json",),
        _only(partial(read_history, symbol="trump-2024")),
        PolymarketToken(
            "21742633143463906290569050155826241533067272736897614950488156847949938836455"
        ),
    ),
    _contract("Kalshi", "PRES-2024-DJT"),
    _contract("Kalshi KH", "PRES-2024-KH"),
    FeedSpec(
        "BTC",
        Instrument("binance", "BTCUSDT", "crypto"),
        BAR,
        60 * SECOND,
        ("crypto/BTCUSDT-1m-2024-11-05.csv", "crypto/BTCUSDT-1m-2024-11-06.csv"),
        partial(read_klines_many, symbol="BTCUSDT"),
        BinanceKlines("BTCUSDT", "1m", 60),
    ),
    _bars("EURUSD", "fx", "currency", 60, "fx/EURUSD_1m_2024-10-15_2024-11-30.parquet", "bid side"),
    _bars(
        "NQ",
        "cme",
        "future",
        60,
        "futures/NQ1_1m_24h_ratio_backadj.parquet",
        "ratio back-adjusted: returns are right, levels are not prices that traded",
    ),
    _bars(
        "CL",
        "cme",
        "future",
        300,
        "futures/CL1_5m_24h_backadj.parquet",
        "back-adjusted by a constant: price changes are right, log returns are off by the ratio of "
        "true to shown level",
    ),
    FeedSpec(
        "Results",
        Instrument("news", "nyt-results", "news"),
        RESULT,
        180 * SECOND,
        ("news/nyt_results_timeline_50states.csv.gz",),
        _only(read_results),
        None,
    ),
)
"""The feeds of ``election-2024``, in the order in which studies and figures show them."""

ELECTION_2024_TRADES: tuple[FeedSpec, ...] = tuple(
    FeedSpec(
        f"{label} trades",
        Instrument("kalshi", ticker, "event contract"),
        TRADE,
        1_000_000,  # the exchange's own clock, to the microsecond; a millisecond is generous
        (),
        None,
        KalshiMarket("PRES", ticker, "trades"),
    )
    for label, ticker in (("Kalshi", "PRES-2024-DJT"), ("Kalshi KH", "PRES-2024-KH"))
)
"""The contracts' trades: no file in the folder, only over HTTP."""


def load_folder(
    folder: str | Path,
    specs: Sequence[FeedSpec] = ELECTION_2024,
    *,
    allow_missing: bool = False,
    progress: Progress | None = None,
) -> Loaded:
    """The feeds of ``specs`` read from a data folder, and what was not there.

    A feed none or only some of whose files are there is an error, unless ``allow_missing``: then
    it is left out and every absent file of it is listed. A folder with no feed at all is an error.
    """
    root = Path(folder)
    local = [spec for spec in specs if spec.reader is not None]
    feeds: list[Feed] = []
    missing: list[tuple[str, Path]] = []
    for done, spec in enumerate(local, 1):
        paths = [root / path for path in spec.paths]
        absent = [path for path in paths if not path.exists()]
        if absent and not allow_missing:
            raise InputError(f"the file of feed {spec.label}", met="no such file", file=absent[0])
        missing.extend((spec.label, path) for path in absent)
        if not absent and spec.reader is not None:
            feeds.append(as_feed(spec, spec.reader(paths), ", ".join(spec.paths)))
        if progress is not None:
            progress(spec.label, done, len(local))
    if not feeds:
        raise InputError("at least one feed in the folder", met="none", file=root)
    return Loaded(Tape(tuple(feeds), simulated=False), tuple(missing))


def as_feed(spec: FeedSpec, frame: pl.DataFrame, source: str) -> Feed:
    """The feed of a spec and its frame, checked; ``source`` tells a reader where it came from."""
    checked = check(frame, spec.record, file=source)
    return Feed(
        spec.instrument,
        spec.label,
        spec.record,
        checked,
        spec.stamp_uncertainty_ns,
        source,
        spec.note,
    )
