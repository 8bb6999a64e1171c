"""The index behind a snapshot of dollar prices: the whole number they all divide by.

Deribit quotes in the coin by ticks of 0.0001. Where a collector has multiplied by an index in whole
dollars, every dollar price times 10,000 is a whole number of indices, and the index is their
greatest common divisor: exact, once two of the tick counts have none in common. A divisor that is
no price of the underlying (a multiple of the index, where all counts share a factor; a part of it,
where the prices are of several indices) lies far from the strike whose call has a delta of a half,
and is not taken.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray

__all__ = ["snapshot_indices"]

_TICKS = 10_000  # in a coin
_ROUNDING = 1e-3  # of a tick dollar, that the doubles of a file may be off
_FEWEST = 8
_NEAR = 0.15


def snapshot_indices(rows: pl.DataFrame) -> pl.Series:
    """The index of each row's snapshot in dollars, null where the prices do not give it.

    ``rows`` has ``ts, expiry, strike, is_call, bid, ask, vendor_delta``; prices of 0 are absent.
    """
    found = {
        key[0]: _index(part)
        for key, part in rows.partition_by("ts", as_dict=True, maintain_order=True).items()
    }
    return rows["ts"].replace_strict(found, default=None, return_dtype=pl.Float64)


def _index(snapshot: pl.DataFrame) -> float | None:
    sides = [snapshot[name].drop_nulls().to_numpy() for name in ("bid", "ask")]
    prices = np.unique(np.concatenate(sides))
    index, middle = _divisor(prices[prices > 0]), _middle(snapshot)
    if index is None or middle is None or abs(index / middle - 1.0) > _NEAR:
        return None
    return index


def _divisor(prices: FloatArray) -> float | None:
    if prices.size < _FEWEST:
        return None
    counts = np.round(prices * _TICKS)
    if np.max(np.abs(prices * _TICKS - counts)) > _ROUNDING:
        return None
    return float(math.gcd(*counts.astype(np.int64).tolist()))


def _middle(snapshot: pl.DataFrame) -> float | None:
    """The strike of the nearest expiry whose call has the delta nearest a half."""
    calls = snapshot.filter(pl.col("is_call") & pl.col("vendor_delta").is_not_null())
    near = calls.filter(pl.col("expiry") == pl.col("expiry").min())
    if near.is_empty():
        return None
    return float(near.sort((pl.col("vendor_delta") - 0.5).abs())["strike"][0])
