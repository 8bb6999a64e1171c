"""Ticks from any Parquet file, once the caller says what its columns mean.

``columns`` maps the tape's names to the file's. Trades: ``symbol, ts, price, size`` and either the
two booleans ``iso`` and ``eligible`` or one ``condition`` with the ``vendor`` whose codes it holds
(text, whole numbers, or lists of them); a file that has neither cannot be read, since "no sweep" is
not the same as "nobody says". Quotes: ``symbol, ts, bid, bid_size, ask, ask_size``, and ``venue``
where each row is one venue's quote: then the book over the venues comes out. Either kind may have
``sequence``, by which repeated records are found. A file without a symbol column is given its
``symbol``.

``ts`` may be zoned, naive (read in ``zone``) or whole numbers of ``epoch`` since 1970.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa

from eventtape import clock
from eventtape.errors import InputError
from eventtape.sources.conditions import Judge, Policy, Vendor, as_policy
from eventtape.sources.stamps import to_utc
from eventtape.sources.tick_blocks import BATCH_ROWS, TEXT, Block, Field, parquet_blocks
from eventtape.sources.tick_columns import (
    Place,
    epoch_times,
    firm,
    judged,
    numbers_of,
    row_numbers,
    symbols,
)
from eventtape.sources.tick_door import Door, Duplicates, admitted, booked, in_order, whole

__all__ = ["read_tick_parquet", "scan_tick_parquet"]

Kind = Literal["trades", "quotes"]
Epoch = Literal["ns", "us", "ms"]
_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000}
_WANTED = {
    "trades": ("symbol", "ts", "price", "size"),
    "quotes": ("symbol", "ts", "bid", "bid_size", "ask", "ask_size"),
}
_ALLOWED = {
    "trades": {*_WANTED["trades"], "iso", "eligible", "condition", "correction", "sequence"},
    "quotes": {*_WANTED["quotes"], "venue", "sequence"},
}


def scan_tick_parquet(
    path: str | Path,
    columns: Mapping[str, str],
    kind: Kind,
    *,
    vendor: Vendor | None = None,
    policy: str | Policy = "regular",
    symbol: str | None = None,
    zone: str = "UTC",
    epoch: Epoch | None = None,
    lot: float = 1.0,
    duplicates: Duplicates = "refuse",
    batch_rows: int = BATCH_ROWS,
    counts: Counter[str] | None = None,
) -> Iterator[pl.DataFrame]:
    """Frames of at most ``batch_rows`` rows, dollars and shares; ``lot`` is shares in a quote unit.

    An error may come after batches were yielded and then condemns them too.
    """
    frames, place = _frames(
        path, columns, kind, vendor, policy, symbol, zone, epoch, lot, batch_rows, counts
    )
    frames = booked(frames, place) if "venue" in columns else frames
    return admitted(frames, Door(kind, place, duplicates=duplicates, symbol=symbol))


def read_tick_parquet(
    path: str | Path,
    columns: Mapping[str, str],
    kind: Kind,
    *,
    vendor: Vendor | None = None,
    policy: str | Policy = "regular",
    symbol: str | None = None,
    zone: str = "UTC",
    epoch: Epoch | None = None,
    lot: float = 1.0,
    duplicates: Duplicates = "refuse",
    sort: bool = False,
    counts: Counter[str] | None = None,
) -> pl.DataFrame:
    """All the rows of a file in one frame; ``sort`` mends a file that is not in order."""
    frames, place = _frames(
        path, columns, kind, vendor, policy, symbol, zone, epoch, lot, BATCH_ROWS, counts
    )
    frames = in_order(frames, sort=sort)
    frames = booked(frames, place) if "venue" in columns else frames
    return whole(frames, Door(kind, place, duplicates=duplicates, symbol=symbol))


def _frames(
    path: str | Path,
    columns: Mapping[str, str],
    kind: Kind,
    vendor: Vendor | None,
    policy: str | Policy,
    symbol: str | None,
    zone: str,
    epoch: Epoch | None,
    lot: float,
    batch_rows: int,
    counts: Counter[str] | None,
) -> tuple[Iterator[pl.DataFrame], Place]:
    _check_columns(columns, kind, vendor, symbol)
    if not 0.0 < lot < np.inf:
        raise InputError("a lot above 0 shares", met=lot)
    if epoch is not None and epoch not in _UNITS:
        raise InputError("an epoch of 'ns', 'us' or 'ms'", met=epoch)
    clock.zone(zone)
    texts = {"symbol", "condition", "venue"}
    fields = {
        name: Field((spelled,), TEXT if name in texts else pa.float64())
        for name, spelled in columns.items()
    }
    blocks = parquet_blocks(path, fields, batch_rows=batch_rows)
    place = Place(path, blocks.names, Counter() if counts is None else counts)
    rule, judge = as_policy(policy), None if vendor is None else Judge(vendor)

    def frame(block: Block) -> pl.DataFrame:
        arrays = block.columns
        ts = _times(block, zone, epoch, place)
        out = [row_numbers(block.first_row, len(ts)), ts]
        if "symbol" in arrays:
            out.append(symbols(arrays["symbol"]))
        else:
            out.append(pl.Series("symbol", [symbol], pl.Categorical).new_from_index(0, len(ts)))
        for name in (*_WANTED[kind][2:], "iso", "eligible", "venue", "sequence"):
            if name in arrays:
                flag = name in {"iso", "eligible", "venue", "sequence"}
                out.append(
                    pl.Series(name, pl.from_arrow(arrays[name]))
                    if flag
                    else numbers_of(arrays[name], name)
                )
        if judge is not None:
            out.extend(judged(arrays, judge, rule, place, block.first_row))
        table = pl.DataFrame(out)
        if kind == "trades":
            return table
        return firm(table, place).with_columns(pl.col("bid_size", "ask_size") * lot)

    return map(frame, blocks.run), place


def _times(block: Block, zone: str, epoch: Epoch | None, place: Place) -> pl.Series:
    values = block.columns["ts"]
    if epoch is not None:
        return epoch_times(values, _UNITS[epoch], place, block.first_row)
    with place.rows(block.first_row):
        return to_utc(pl.Series("ts", pl.from_arrow(values)), zone, file=None)


def _check_columns(
    columns: Mapping[str, str], kind: Kind, vendor: Vendor | None, symbol: str | None
) -> None:
    if kind not in _WANTED:
        raise InputError("a kind of 'trades' or 'quotes'", met=kind)
    given = set(columns) | ({"symbol"} if symbol else set())
    missing = [name for name in _WANTED[kind] if name not in given]
    strange = sorted(set(columns) - _ALLOWED[kind])
    if missing or strange:
        wanted = f"columns for {', '.join(_WANTED[kind])} of {kind}"
        if strange:
            wanted = f"columns among {', '.join(sorted(_ALLOWED[kind]))}"
        raise InputError(wanted, met=dict(columns), column=(missing or strange)[0])
    if kind == "trades":
        coded, flagged = "condition" in columns, {"iso", "eligible"} <= set(columns)
        if coded == flagged or coded != (vendor is not None):
            wanted = "a condition with the vendor of its codes, or both iso and eligible"
            raise InputError(wanted, met=(dict(columns), vendor))
