"""Which quotes stand at a moment, chain by chain?

The chains are those of :func:`eventtape.tape.chains.chains`, arrays and order alike (tests hold
them to it), with one sort for all of them: here they are made at every time of a grid. Their
``frame`` is left empty, and quotes too old were left out before.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import polars as pl

from eventtape.tape.chains import YEAR_NS, Chain
from eventtape.tape.feed import times_ns

__all__ = ["COLUMNS", "chains_of", "standing"]

_GROUP = ("underlying", "expiry", "style", "settlement")
_NUMBERS = ("bid", "ask", "bid_size", "ask_size", "underlying_price")
COLUMNS = ("symbol", *_GROUP, "ts", "strike", "is_call", *_NUMBERS)
"""Of an option quote, what a density is made from."""


def standing(rows: pl.DataFrame, at_ns: int, max_age_ns: int) -> pl.DataFrame:
    """The last quote of every contract that has neither expired nor aged out, in their order."""
    return rows.unique(["symbol", *_GROUP], keep="last", maintain_order=True).filter(
        pl.col("expiry").to_physical() > at_ns,
        pl.col("ts").to_physical() >= at_ns - max_age_ns,
    )


def chains_of(quotes: pl.DataFrame, at_ns: int) -> list[Chain]:
    """The chains of quotes that stand, by underlying and expiry."""
    if quotes.is_empty():
        return []
    order = quotes.sort(
        [*_GROUP, "strike", "is_call", "symbol"], descending=[False] * 5 + [True, False]
    )
    changes = order.select(pl.any_horizontal(pl.col(_GROUP) != pl.col(_GROUP).shift())).to_series()
    starts = [0, *np.flatnonzero(changes.fill_null(value=False).to_numpy()).tolist(), order.height]
    ts = times_ns(order)
    strikes, is_call = order["strike"].to_numpy(), order["is_call"].to_numpy()
    sides = [order[name].fill_null(math.nan).to_numpy() for name in _NUMBERS]
    out = []
    for first, last in pairwise(starts):
        mine = slice(first, last)
        underlying, expiry, style, settlement = order.select(
            "underlying", pl.col("expiry").to_physical(), "style", "settlement"
        ).row(first)
        bids, asks, bid_sizes, ask_sizes, spots = (side[mine] for side in sides)
        known = np.flatnonzero(np.isfinite(spots))
        newest = known[np.argsort(ts[mine][known], kind="stable")][-1:]
        out.append(
            Chain(
                underlying, expiry, at_ns, style, settlement, (expiry - at_ns) / YEAR_NS,
                float(spots[newest[0]]) if newest.size else math.nan, strikes[mine],
                is_call[mine], bids, asks, bid_sizes, ask_sizes, (at_ns - ts[mine]) / 1e9, 0,
                pl.DataFrame(),
            )
        )  # fmt: skip
    return out
