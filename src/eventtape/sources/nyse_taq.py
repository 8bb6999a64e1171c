"""NYSE TAQ trades and quotes: COND strings, venue quotes, CSV (plain or gzip) or Parquet.

Trades: ``DT, EX, SYMBOL, COND, SIZE, PRICE`` and perhaps ``CORR``; quotes: ``DT, EX, SYMBOL, BID,
BIDSIZ, OFR, OFRSIZ``. TAQ times are naive and mean New York, which is the default of ``zone``; some
distributors shift them to UTC (the first rows of a day then read 09:00 and not 04:00), so look
before trusting. A naive time in the hour that a change of clocks makes double or void is refused.

Quotes of a venue are its own best, so the file as a whole is one stream a venue: what comes out is
the top of the book over the venues kept (``exchanges``, all of them by default), by
:func:`eventtape.tape.top_of_book.step`. With one exchange that is its own quote stream. Where a
file holds only a sample of a venue's quotes, its last one stands too long: name the venues that
are whole. ``lot`` is the shares in a unit of quote size: 100 in the classic TAQ.

TAQ gives no sequence number, so two equal rows are two trades; :mod:`eventtape.sources.tick_health`
counts them. ``CORR`` other than 0 is a cancelled or corrected trade.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa

from eventtape import clock
from eventtape.errors import InputError
from eventtape.sources.conditions import Judge, Policy, as_policy
from eventtape.sources.stamps import to_utc
from eventtape.sources.tick_blocks import BATCH_ROWS, TEXT, Block, Field, open_blocks
from eventtape.sources.tick_columns import Place, firm, judged, numbers_of, row_numbers, symbols
from eventtape.sources.tick_door import Door, admitted, booked, in_order, whole

__all__ = ["read_taq_quotes", "read_taq_trades", "scan_taq_quotes", "scan_taq_trades"]

_NEW_YORK = "America/New_York"
_COMMON = {
    "symbol": Field(("SYMBOL",), TEXT),
    "ts": Field(("DT",), pa.string()),
    "venue": Field(("EX",), TEXT),
}


def scan_taq_trades(
    path: str | Path,
    *,
    policy: str | Policy = "regular",
    sip: Literal["cta", "utp"] = "cta",
    zone: str = _NEW_YORK,
    exchanges: Collection[str] | None = None,
    symbol: str | None = None,
    batch_rows: int = BATCH_ROWS,
    counts: Counter[str] | None = None,
) -> Iterator[pl.DataFrame]:
    """Trades frames of at most ``batch_rows`` rows, dollars and shares, in the file's order.

    ``sip`` is the plan the symbols are listed under: ``cta`` for NYSE and regional listings,
    ``utp`` for Nasdaq ones (condition B means another thing there). An error may come after batches
    were yielded and then condemns them too.
    """
    frames, place = _trades(path, policy, sip, zone, exchanges, batch_rows, counts)
    return admitted(frames, Door("trades", place, symbol=symbol))


def read_taq_trades(
    path: str | Path,
    *,
    policy: str | Policy = "regular",
    sip: Literal["cta", "utp"] = "cta",
    zone: str = _NEW_YORK,
    exchanges: Collection[str] | None = None,
    symbol: str | None = None,
    sort: bool = False,
    counts: Counter[str] | None = None,
) -> pl.DataFrame:
    """All the trades of a file in one frame; ``sort`` mends a file that is not in order."""
    frames, place = _trades(path, policy, sip, zone, exchanges, BATCH_ROWS, counts)
    return whole(in_order(frames, sort=sort), Door("trades", place, symbol=symbol))


def scan_taq_quotes(
    path: str | Path,
    *,
    zone: str = _NEW_YORK,
    exchanges: Collection[str] | None = None,
    lot: float = 100.0,
    symbol: str | None = None,
    batch_rows: int = BATCH_ROWS,
    counts: Counter[str] | None = None,
) -> Iterator[pl.DataFrame]:
    """Quotes frames, dollars and shares: the best over the venues kept after each row of theirs."""
    frames, place = _quotes(path, zone, exchanges, lot, batch_rows, counts)
    return admitted(booked(frames, place), Door("quotes", place, symbol=symbol))


def read_taq_quotes(
    path: str | Path,
    *,
    zone: str = _NEW_YORK,
    exchanges: Collection[str] | None = None,
    lot: float = 100.0,
    symbol: str | None = None,
    sort: bool = False,
    counts: Counter[str] | None = None,
) -> pl.DataFrame:
    """All the quotes of a file in one frame; ``sort`` mends a file that is not in order."""
    frames, place = _quotes(path, zone, exchanges, lot, BATCH_ROWS, counts)
    book = booked(in_order(frames, sort=sort), place)
    return whole(book, Door("quotes", place, symbol=symbol))


def _trades(
    path: str | Path,
    policy: str | Policy,
    sip: Literal["cta", "utp"],
    zone: str,
    exchanges: Collection[str] | None,
    batch_rows: int,
    counts: Counter[str] | None,
) -> tuple[Iterator[pl.DataFrame], Place]:
    if sip not in ("cta", "utp"):
        raise InputError("a sip of 'cta' or 'utp'", met=sip)
    fields = {
        **_COMMON,
        "price": Field(("PRICE",), pa.float64()),
        "size": Field(("SIZE",), pa.float64()),
        "condition": Field(("COND",), TEXT),
        "correction": Field(("CORR",), pa.int32(), optional=True),
    }
    rule, judge = as_policy(policy), Judge(sip)
    clock.zone(zone)
    blocks = open_blocks(path, fields, batch_rows=batch_rows)
    place = Place(path, blocks.names, Counter() if counts is None else counts)

    def frame(block: Block) -> pl.DataFrame:
        columns = block.columns
        stamped = _stamped(block, zone, place)
        rest = [
            numbers_of(columns["price"], "price"),
            numbers_of(columns["size"], "size"),
            *judged(columns, judge, rule, place, block.first_row),
        ]
        return _kept(pl.DataFrame([*stamped, *rest]), exchanges, place)

    return map(frame, blocks.run), place


def _quotes(
    path: str | Path,
    zone: str,
    exchanges: Collection[str] | None,
    lot: float,
    batch_rows: int,
    counts: Counter[str] | None,
) -> tuple[Iterator[pl.DataFrame], Place]:
    if not 0.0 < lot < np.inf:
        raise InputError("a lot above 0 shares", met=lot)
    fields = {
        **_COMMON,
        "bid": Field(("BID",), pa.float64()),
        "bid_size": Field(("BIDSIZ",), pa.float64()),
        "ask": Field(("OFR",), pa.float64()),
        "ask_size": Field(("OFRSIZ",), pa.float64()),
    }
    clock.zone(zone)
    blocks = open_blocks(path, fields, batch_rows=batch_rows)
    place = Place(path, blocks.names, Counter() if counts is None else counts)

    def frame(block: Block) -> pl.DataFrame:
        names = ("bid", "bid_size", "ask", "ask_size")
        sides = [numbers_of(block.columns[name], name) for name in names]
        rows = pl.DataFrame([*_stamped(block, zone, place), *sides])
        rows = firm(_kept(rows, exchanges, place), place)
        return rows.with_columns(pl.col("bid_size", "ask_size") * lot)

    return map(frame, blocks.run), place


def _stamped(block: Block, zone: str, place: Place) -> list[pl.Series]:
    stamps = pl.Series("ts", pl.from_arrow(block.columns["ts"]))
    with place.rows(block.first_row):
        ts = to_utc(stamps, zone, file=None)
    venue = pl.Series("venue", pl.from_arrow(block.columns["venue"]))
    return [
        row_numbers(block.first_row, len(ts)),
        symbols(block.columns["symbol"]),
        ts.alias("ts"),
        venue,
    ]


def _kept(rows: pl.DataFrame, exchanges: Collection[str] | None, place: Place) -> pl.DataFrame:
    if exchanges is None:
        return rows
    kept = rows.filter(pl.col("venue").cast(pl.String).is_in(list(exchanges)))
    place.counts["rows of other exchanges"] += rows.height - kept.height
    return kept
