"""Binance kline archives into bars: ``ts`` is the END of the interval, prices in the quote coin.

An archive is a CSV of twelve columns, with or without a header line, alone or in a .zip. Its times
count milliseconds, and microseconds in spot archives from 2025 on; the first row's magnitude
decides and every row must agree. ``close_time`` is the last tick of the interval, so it must be
``open_time`` plus the interval less one. Each .zip has a ``.CHECKSUM`` twin (SHA-256, file name).
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import polars as pl

from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.sources.files import numbers, parse_csv, read_bytes, refuse, whole_numbers
from eventtape.tape import BAR, check

__all__ = ["parse_checksum", "read_klines", "read_klines_many"]

_COLUMNS = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
)
_ZIP_MAGIC = b"PK\x03\x04"
# Magnitudes of 2001 to 2286: (low, high, nanoseconds in a unit) for milliseconds and microseconds.
_UNITS = ((10**12, 10**13, 1_000_000), (10**15, 10**16, 1_000))


def read_klines(path: str | Path, *, symbol: str, interval_s: int = 60) -> pl.DataFrame:
    """Bars of one kline archive (.csv or .zip); ``ts`` is ``open_time`` plus the interval."""
    file = str(path)
    data = _member(read_bytes(path), file)
    headed = data.lstrip(b"\xef\xbb\xbf").lower().startswith((b"open_time", b"open time"))
    table = parse_csv(data, file=file, header=headed)
    if table.width != len(_COLUMNS):
        raise InputError(
            f"{len(_COLUMNS)} columns of a kline", met=f"{table.width} columns", file=file
        )
    table.columns = list(_COLUMNS)
    opened, closed = (whole_numbers(table, name, file=file) for name in ("open_time", "close_time"))
    low, high, unit = _unit_of(opened, file)
    refuse(opened, ~opened.is_between(low, high), "the time unit of the first row", file=file)
    width = interval_s * SECOND // unit
    last = opened + (width - 1)
    refuse(closed, closed != last, f"open_time + {width} - 1 ({interval_s} s bars)", file=file)
    names = ("open", "high", "low", "close", "volume")
    frame = pl.DataFrame(
        {
            "symbol": pl.Series([symbol], dtype=pl.String).new_from_index(0, table.height),
            "ts": ((opened + width) * unit).cast(pl.Datetime("ns", "UTC")),
            **{name: numbers(table, name, file=file) for name in names},
        }
    )
    return check(frame, BAR, file=file)


def read_klines_many(
    paths: Sequence[str | Path], *, symbol: str, interval_s: int = 60
) -> pl.DataFrame:
    """Bars of several archives, one after another; each begins the day after the last one ends."""
    if not paths:
        raise InputError("at least one kline archive", met="none")
    frames = [read_klines(path, symbol=symbol, interval_s=interval_s) for path in paths]
    opens = [frame["ts"].dt.offset_by(f"-{interval_s}s").dt.date() for frame in frames]
    for (before, after), path in zip(pairwise(opens), paths[1:], strict=True):
        if (after[0] - before[-1]).days != 1:
            wanted = f"an archive that begins the day after {before[-1]}"
            raise InputError(wanted, met=str(after[0]), file=path, row=1, column="open_time")
    files = ", ".join(str(path) for path in paths)
    return check(pl.concat(frames), BAR, file=files)


def parse_checksum(text: str, *, name: str) -> str:
    """The SHA-256 (64 hex digits) that a ``.CHECKSUM`` text publishes for the archive ``name``."""
    match = re.fullmatch(r"([0-9a-fA-F]{64})\s+\*?(\S+)\s*", text)
    if match is None or match[2] != name:
        raise InputError(f"64 hex digits and {name}", met=text[:100])
    return match[1].lower()


def _member(data: bytes, file: str) -> bytes:
    """The bytes of the one CSV in a zip, or the data itself where it is no zip."""
    if not data.startswith(_ZIP_MAGIC):
        return data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if len(names) != 1 or not names[0].endswith(".csv"):
                raise InputError("a zip that holds one .csv", met=names, file=file)
            return archive.read(names[0])
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(f"a whole zip file ({error})", file=file) from error


def _unit_of(opened: pl.Series, file: str) -> tuple[int, int, int]:
    if opened.is_empty():
        raise InputError("at least one kline", met="no rows", file=file)
    first = int(opened[0])
    for low, high, unit in _UNITS:
        if low <= first < high:
            return low, high - 1, unit
    wanted = "epoch milliseconds or microseconds"
    raise InputError(wanted, met=first, file=file, row=1, column=opened.name)
