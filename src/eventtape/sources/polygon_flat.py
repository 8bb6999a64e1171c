"""Polygon (Massive) flat files of US stocks: a day of trades or of national quotes in one CSV.gz.

A file is ordered by ticker and then by time. ``ts`` is the SIP's stamp (``sip_timestamp``, ns), the
moment the tape published the row; ``clock="participant_timestamp"`` takes the exchange's own, under
which rows of different venues are not in order: such a file is read whole with ``sort=True``.

Quotes are the national best bid and offer. Their sizes were in round lots of 100 until 2025-11-03
and are in shares since; ``lot`` says otherwise, else each row's own date decides. Trade sizes are
shares, fractions included. What else happens to a row is said in
:mod:`eventtape.sources.tick_door`; a trade whose ``correction`` is not 0 counts as cancelled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa

from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.sources.conditions import Judge, Policy, as_policy
from eventtape.sources.tick_blocks import BATCH_ROWS, TEXT, Block, Field, open_blocks
from eventtape.sources.tick_columns import (
    Place,
    epoch_times,
    firm,
    judged,
    numbers_of,
    row_numbers,
    symbols,
)
from eventtape.sources.tick_door import Door, Duplicates, admitted, in_order, whole

__all__ = [
    "read_polygon_quotes",
    "read_polygon_trades",
    "scan_polygon_quotes",
    "scan_polygon_trades",
]

Clock = Literal["sip_timestamp", "participant_timestamp"]
_SHARES_FROM = parse_ns("2025-11-03T00:00:00-05:00")
_ROUND_LOT = 100.0
_INT, _FLOAT = pa.int64(), pa.float64()


def scan_polygon_trades(
    path: str | Path,
    *,
    policy: str | Policy = "regular",
    clock: Clock = "sip_timestamp",
    symbol: str | None = None,
    duplicates: Duplicates = "refuse",
    batch_rows: int = BATCH_ROWS,
    counts: Counter[str] | None = None,
) -> Iterator[pl.DataFrame]:
    """Trades frames of at most ``batch_rows`` rows, dollars and shares, in the file's order.

    ``policy`` sets ``eligible``; ``symbol`` refuses every other one; ``duplicates`` says what a
    second record of one symbol, time and sequence number does; ``counts`` is filled on the way. An
    error may come after batches were yielded and then condemns them too.
    """
    return admitted(*_trades(path, policy, clock, symbol, duplicates, batch_rows, counts))


def read_polygon_trades(
    path: str | Path,
    *,
    policy: str | Policy = "regular",
    clock: Clock = "sip_timestamp",
    symbol: str | None = None,
    duplicates: Duplicates = "refuse",
    sort: bool = False,
    counts: Counter[str] | None = None,
) -> pl.DataFrame:
    """All the trades of a file in one frame; ``sort`` mends a file that is not in order."""
    frames, door = _trades(path, policy, clock, symbol, duplicates, BATCH_ROWS, counts)
    return whole(in_order(frames, sort=sort), door)


def scan_polygon_quotes(
    path: str | Path,
    *,
    clock: Clock = "sip_timestamp",
    symbol: str | None = None,
    lot: float | None = None,
    duplicates: Duplicates = "refuse",
    batch_rows: int = BATCH_ROWS,
    counts: Counter[str] | None = None,
) -> Iterator[pl.DataFrame]:
    """Quotes frames of at most ``batch_rows`` rows, dollars and shares, in the file's order.

    ``lot`` is the shares in one unit of size; None means 100 before 2025-11-03 and 1 from then on.
    """
    return admitted(*_quotes(path, clock, symbol, lot, duplicates, batch_rows, counts))


def read_polygon_quotes(
    path: str | Path,
    *,
    clock: Clock = "sip_timestamp",
    symbol: str | None = None,
    lot: float | None = None,
    duplicates: Duplicates = "refuse",
    sort: bool = False,
    counts: Counter[str] | None = None,
) -> pl.DataFrame:
    """All the quotes of a file in one frame; ``sort`` mends a file that is not in order."""
    frames, door = _quotes(path, clock, symbol, lot, duplicates, BATCH_ROWS, counts)
    return whole(in_order(frames, sort=sort), door)


def _trades(
    path: str | Path,
    policy: str | Policy,
    clock: Clock,
    symbol: str | None,
    duplicates: Duplicates,
    batch_rows: int,
    counts: Counter[str] | None,
) -> tuple[Iterator[pl.DataFrame], Door]:
    fields = {
        **_common(clock),
        "price": Field(("price",), _FLOAT),
        "size": Field(("size",), _FLOAT),
        "condition": Field(("conditions",), TEXT),
        "correction": Field(("correction",), pa.int32(), optional=True),
    }
    rule, judge = as_policy(policy), Judge("polygon")
    blocks = open_blocks(path, fields, batch_rows=batch_rows)
    place = Place(path, blocks.names, Counter() if counts is None else counts)

    def frame(block: Block) -> pl.DataFrame:
        columns = block.columns
        return pl.DataFrame(
            [
                *_stamped(block, place),
                numbers_of(columns["price"], "price"),
                numbers_of(columns["size"], "size"),
                *judged(columns, judge, rule, place, block.first_row),
            ]
        )

    door = Door("trades", place, duplicates=duplicates, symbol=symbol)
    return map(frame, blocks.run), door


def _quotes(
    path: str | Path,
    clock: Clock,
    symbol: str | None,
    lot: float | None,
    duplicates: Duplicates,
    batch_rows: int,
    counts: Counter[str] | None,
) -> tuple[Iterator[pl.DataFrame], Door]:
    if lot is not None and not 0.0 < lot < np.inf:
        raise InputError("a lot above 0 shares", met=lot)
    fields = {
        **_common(clock),
        "bid": Field(("bid_price",), _FLOAT),
        "bid_size": Field(("bid_size",), _FLOAT),
        "ask": Field(("ask_price",), _FLOAT),
        "ask_size": Field(("ask_size",), _FLOAT),
    }
    blocks = open_blocks(path, fields, batch_rows=batch_rows)
    place = Place(path, blocks.names, Counter() if counts is None else counts)

    def frame(block: Block) -> pl.DataFrame:
        names = ("bid", "bid_size", "ask", "ask_size")
        sides = [numbers_of(block.columns[name], name) for name in names]
        quotes = firm(pl.DataFrame([*_stamped(block, place), *sides]), place)
        unit = _ROUND_LOT if lot is None else lot
        units = pl.lit(unit)
        if lot is None:
            before = pl.col("ts").cast(pl.Int64) < _SHARES_FROM
            units = pl.when(before).then(unit).otherwise(1.0)
        return quotes.with_columns(pl.col("bid_size", "ask_size") * units)

    door = Door("quotes", place, duplicates=duplicates, symbol=symbol)
    return map(frame, blocks.run), door


def _common(clock: Clock) -> dict[str, Field]:
    if clock not in ("sip_timestamp", "participant_timestamp"):
        raise InputError("a clock of 'sip_timestamp' or 'participant_timestamp'", met=clock)
    return {
        "symbol": Field(("ticker", "Ticker"), TEXT),
        "ts": Field((clock,), _INT),
        "sequence": Field(("sequence_number",), _INT, optional=True),
    }


def _stamped(block: Block, place: Place) -> list[pl.Series]:
    columns = block.columns
    ts = epoch_times(columns["ts"], 1, place, block.first_row)
    stamped = [row_numbers(block.first_row, len(ts)), symbols(columns["symbol"]), ts]
    if "sequence" in columns:
        stamped.append(pl.Series("sequence", pl.from_arrow(columns["sequence"])))
    return stamped
