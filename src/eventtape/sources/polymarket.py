"""Polymarket: price histories of outcome tokens, as probability (0 to 1).

The service samples a token's price about once a minute; the stamp is the second of the sample. It
says neither bid, ask nor size, so these are null. Some histories state their last point twice; a
last point equal in time and price to the one before it is joined with it, any other repeated time
is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from eventtape.sources.files import (
    load_json,
    numbers,
    read_bytes,
    read_table,
    rows_under,
    whole_numbers,
)
from eventtape.sources.stamps import from_epoch
from eventtape.tape import PROBABILITY, check

__all__ = ["parse_history", "read_history", "read_markets_csv"]


def read_history(path: str | Path, *, symbol: str) -> pl.DataFrame:
    """Probability (0 to 1) of one token from a saved ``prices-history`` answer."""
    file = str(path)
    return parse_history(load_json(read_bytes(path), file=file), symbol=symbol, file=file)


def parse_history(
    payload: Mapping[str, Any], *, symbol: str, file: str | None = None
) -> pl.DataFrame:
    """Probability (0 to 1) of one token from ``{"history": [{"t": seconds, "p": price}, ...]}``."""
    rows = rows_under(payload, "history", file=file)
    stamps = pl.Series("t", [row.number("t") for row in rows], pl.Float64)
    price = pl.Series("p", [row.number("p") for row in rows], pl.Float64)
    symbols = pl.Series("symbol", [symbol] * len(rows), pl.String)
    return _history_frame(symbols, from_epoch(stamps, file=file), price, file)


def read_markets_csv(path: str | Path) -> pl.DataFrame:
    """Probability (0 to 1) of several markets from a CSV ``market, timestamp, probability``.

    ``symbol`` is the market's name; ``timestamp`` counts epoch seconds.
    """
    file = str(path)
    table = read_table(path, "market", "timestamp", "probability")
    stamps = from_epoch(whole_numbers(table, "timestamp", file=file), file=file)
    return _history_frame(table["market"], stamps, numbers(table, "probability", file=file), file)


def _history_frame(
    symbols: pl.Series, stamps: pl.Series, price: pl.Series, file: str | None
) -> pl.DataFrame:
    columns = {"symbol": symbols, "ts": stamps, "probability": price}
    frame = pl.DataFrame(columns).with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in ("bid", "ask", "size")
    )
    point = pl.struct("ts", "probability")
    is_last = pl.int_range(pl.len()).over("symbol") == pl.len().over("symbol") - 1
    restated = (is_last & (point == point.shift(1).over("symbol"))).fill_null(value=False)
    return check(frame.filter(~restated), PROBABILITY, file=file)
