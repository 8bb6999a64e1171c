"""Lean and AlgoSeek tick zips: one symbol and one New York day, trades or one-sided quotes.

A zip holds one headerless CSV named ``YYYYMMDD_symbol_Trade_Tick.csv`` (or ``Quote``), from which
symbol and day are read. Times are milliseconds since New York midnight, daylight saving included;
prices are dollars times 10,000; conditions are a mask in hexadecimal.

Trade rows: ``ms, price, size, exchange, condition, suspicious``. Quote rows are the national best
quote one side at a time (``ms, bid, bid size, ask, ask size, exchange, condition, suspicious``, the
side not spoken of 0): the last bid row and the last ask row stand together, which is
:func:`eventtape.tape.top_of_book.step`. They are not to be compared across exchanges.

A suspicious trade is not eligible. A suspicious quote row does not reach the book and is counted; a
quote row whose mask says gap, non-firm or manual withdraws its side and is counted.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from eventtape import clock
from eventtape.errors import InputError
from eventtape.sources.conditions import Judge, Policy, as_policy
from eventtape.sources.files import refuse
from eventtape.sources.tick_blocks import BATCH_ROWS, TEXT, Block, Field, csv_blocks
from eventtape.sources.tick_columns import Place, judged, numbers_of, row_numbers
from eventtape.sources.tick_door import Door, admitted, booked, in_order, whole

__all__ = ["read_lean_quotes", "read_lean_trades", "scan_lean_quotes", "scan_lean_trades"]

_MEMBER = re.compile(r"(\d{8})_(.+)_(Trade|Quote)_Tick\.csv")
_UNITS = 10_000.0  # of price in a dollar
_MILLISECOND = 1_000_000
_DAY_MS = 25 * 3_600_000  # the longest day of the year, when clocks go back
_NOT_FIRM = 1 << 2 | 1 << 10 | 1 << 20  # gap, non-firm, manual
_INT = pa.int64()
_TRADE_COLUMNS = ("ms", "price", "size", "exchange", "condition", "suspicious")
_QUOTE_COLUMNS = ("ms", "bid", "bid_size", "ask", "ask_size", "exchange", "condition", "suspicious")


class _Day(NamedTuple):
    member: str
    symbol: str
    midnight: int  # ns UTC


def scan_lean_trades(
    path: str | Path,
    *,
    policy: str | Policy = "regular",
    batch_rows: int = BATCH_ROWS,
    counts: Counter[str] | None = None,
) -> Iterator[pl.DataFrame]:
    """Trades frames of at most ``batch_rows`` rows, dollars and shares; symbol in capitals.

    An error may come after batches were yielded and then condemns them too.
    """
    frames, place = _trades(path, policy, batch_rows, counts)
    return admitted(frames, Door("trades", place))


def read_lean_trades(
    path: str | Path,
    *,
    policy: str | Policy = "regular",
    sort: bool = False,
    counts: Counter[str] | None = None,
) -> pl.DataFrame:
    """All the trades of a zip in one frame; ``sort`` mends a file that is not in order."""
    frames, place = _trades(path, policy, BATCH_ROWS, counts)
    return whole(in_order(frames, sort=sort), Door("trades", place))


def scan_lean_quotes(
    path: str | Path, *, batch_rows: int = BATCH_ROWS, counts: Counter[str] | None = None
) -> Iterator[pl.DataFrame]:
    """Quotes frames of at most ``batch_rows`` rows: the top of the book after each row."""
    frames, place = _sides(path, batch_rows, counts)
    return admitted(booked(frames, place), Door("quotes", place))


def read_lean_quotes(
    path: str | Path, *, sort: bool = False, counts: Counter[str] | None = None
) -> pl.DataFrame:
    """All the quotes of a zip in one frame; ``sort`` mends a file that is not in order."""
    frames, place = _sides(path, BATCH_ROWS, counts)
    return whole(booked(in_order(frames, sort=sort), place), Door("quotes", place))


def _trades(
    path: str | Path, policy: str | Policy, batch_rows: int, counts: Counter[str] | None
) -> tuple[Iterator[pl.DataFrame], Place]:
    day, rule, judge = _day(path, "Trade"), as_policy(policy), Judge("lean")
    blocks = csv_blocks(
        path, _fields(_TRADE_COLUMNS), batch_rows=batch_rows, header=False, member=day.member
    )
    place = Place(path, {"ts": "ms"}, Counter() if counts is None else counts)

    def frame(block: Block) -> pl.DataFrame:
        return pl.DataFrame(
            [
                *_stamped(block, day, place),
                numbers_of(block.columns["price"], "price", _UNITS),
                numbers_of(block.columns["size"], "size"),
                *judged(block.columns, judge, rule, place, block.first_row),
            ]
        )

    return map(frame, blocks.run), place


def _sides(
    path: str | Path, batch_rows: int, counts: Counter[str] | None
) -> tuple[Iterator[pl.DataFrame], Place]:
    """Rows of one side each: null where a row does not speak of a side, 0 where it withdraws it."""
    day = _day(path, "Quote")
    blocks = csv_blocks(
        path, _fields(_QUOTE_COLUMNS), batch_rows=batch_rows, header=False, member=day.member
    )
    place = Place(path, {"ts": "ms"}, Counter() if counts is None else counts)

    def frame(block: Block) -> pl.DataFrame:
        columns = block.columns
        sides = [
            numbers_of(columns[name], name, unit)
            for name, unit in (("bid", _UNITS), ("bid_size", 1), ("ask", _UNITS), ("ask_size", 1))
        ]
        rows = pl.DataFrame([*_stamped(block, day, place), *sides])
        firm = _firm(columns["condition"], place, block.first_row)
        rows = _one_sided(rows, firm, place)
        suspicious = pl.Series(pl.from_arrow(columns["suspicious"])).fill_null(0) != 0
        place.counts["suspicious quotes left out"] += int(suspicious.sum())
        return rows.filter(~suspicious)

    return map(frame, blocks.run), place


def _one_sided(rows: pl.DataFrame, firm: pl.Series, place: Place) -> pl.DataFrame:
    for price, size in (("bid", "bid_size"), ("ask", "ask_size")):
        silent = (rows[price] == 0) & (rows[size] == 0)
        stands = firm & (rows[price] != 0) & (rows[size] != 0)
        loose = ~silent & ~stands & (rows[price] >= 0) & (rows[size] >= 0)
        place.counts[f"{price} not firm"] += int(loose.sum())
        rows = rows.with_columns(
            pl.when(silent).then(None).when(loose).then(0.0).otherwise(pl.col(name)).alias(name)
            for name in (price, size)
        )
    return rows


def _firm(values: pa.Array, place: Place, first_row: int) -> pl.Series:
    """Whether each quote's mask leaves it firm; each distinct mask is read once."""
    index = values.indices.to_numpy(zero_copy_only=False)
    masks = []
    for at, text in enumerate(values.dictionary.to_pylist()):
        try:
            masks.append(int(text or "0", 16))
        except ValueError:
            met = np.flatnonzero(index == at)
            if met.size:
                raise InputError(
                    "a condition mask in hexadecimal",
                    met=text,
                    file=place.file,
                    row=first_row + int(met[0]) + 1,
                    column="condition",
                ) from None
            masks.append(0)
    return pl.Series(np.array([mask & _NOT_FIRM == 0 for mask in masks], np.bool_)[index])


def _stamped(block: Block, day: _Day, place: Place) -> list[pl.Series]:
    since = pl.Series("ms", pl.from_arrow(block.columns["ms"]))
    with place.rows(block.first_row):
        good = since.is_between(0, _DAY_MS, closed="left").fill_null(value=False)
        refuse(since, ~good, "milliseconds since midnight", file=None)
    ts = (day.midnight + since * _MILLISECOND).cast(pl.Datetime("ns", "UTC")).alias("ts")
    symbol = pl.Series("symbol", [day.symbol], pl.Categorical).new_from_index(0, len(since))
    return [row_numbers(block.first_row, len(since)), symbol, ts]


def _fields(names: tuple[str, ...]) -> dict[str, Field]:
    texts = {"exchange", "condition"}
    return {name: Field((name,), TEXT if name in texts else _INT) for name in names}


def _day(path: str | Path, kind: Literal["Trade", "Quote"]) -> _Day:
    """Symbol and New York midnight, from the name of the one file in the zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"a whole zip file ({error})", file=path) from error
    match = _MEMBER.fullmatch(members[0]) if len(members) == 1 else None
    if match is None or match[3] != kind:
        wanted = f"a zip that holds one YYYYMMDD_symbol_{kind}_Tick.csv"
        raise InputError(wanted, met=members, file=path)
    try:
        day = datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=clock.zone("America/New_York"))
    except ValueError:
        raise InputError("a day as YYYYMMDD", met=members[0], file=path) from None
    return _Day(members[0], match[2].upper(), int(day.timestamp()) * clock.SECOND)
