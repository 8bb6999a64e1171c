"""Small tick frames and how to cut them, for the tests of chunks."""

from __future__ import annotations

import numpy as np
import polars as pl

from eventtape.tape import EQUITY_TRADE, QUOTE

T0 = 1_730_817_000_000_000_000  # 2024-11-05T14:30:00Z


def made(record, symbols, at, **columns):
    """A frame of that record at ``at`` ns after the bell."""
    n = len(at)
    given = {
        "symbol": pl.Series(list(symbols), dtype=pl.String),
        "ts": pl.Series(T0 + np.asarray(at, np.int64), dtype=pl.Int64).cast(
            pl.Datetime("ns", "UTC")
        ),
    }
    ones = {name: pl.Series([True] * n if rule.dtype == pl.Boolean else [1.0] * n, dtype=rule.dtype)
            for name, rule in record.columns.items() if name not in given}  # fmt: skip
    return pl.DataFrame({**given, **ones, **columns})


def trades(symbols, at):
    return made(EQUITY_TRADE, symbols, at)


def quotes(symbols, at):
    return made(QUOTE, symbols, at)


def cut(frame, size, rng=None):
    """The frame in batches of that size, or of random sizes up to it."""
    row = 0
    while row < frame.height:
        step = size if rng is None else int(rng.integers(0, size + 1))
        yield frame.slice(row, step)
        row += step
