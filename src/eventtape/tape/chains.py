"""The chain of one underlying and expiry as of a moment: the last quote of every contract.

Quotes are sparse: a contract that nobody moved for minutes still stands as it was last quoted. A
chain as of T takes, of each contract, the last row stamped at or before T, and says how old each
one is; ``max_age_s`` leaves out the older ones and counts them. Nothing after T is looked at.

Contracts that settle at different moments of one date (the a.m. and p.m. options of an index) are
different chains, and so are those of different style or settlement.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eventtape.clock import format_ns, parse_ns
from eventtape.errors import InputError
from eventtape.tape.feed import times_ns
from eventtape.tape.records import OPTION_QUOTE, TIME

__all__ = ["YEAR_NS", "Chain", "chains", "expiries"]

YEAR_NS = 365 * 86_400 * 1_000_000_000
_GROUP = ("underlying", "expiry", "style", "settlement")


class Chain(NamedTuple):
    """Quotes of one underlying and expiry as of ``at_ns``, by strike, calls before puts.

    Arrays are ``(n_contracts,)``; what nobody quotes is NaN.
    """

    underlying: str
    expiry_ns: int
    at_ns: int
    style: str
    settlement: str
    tau: float  # years of 365 days from ``at_ns`` to the expiry
    underlying_price: float  # the newest one in its rows, NaN where none
    strikes: NDArray[np.float64]
    is_call: NDArray[np.bool_]
    bids: NDArray[np.float64]
    asks: NDArray[np.float64]
    bid_sizes: NDArray[np.float64]
    ask_sizes: NDArray[np.float64]
    age_s: NDArray[np.float64]  # from the quote to ``at_ns``
    too_old: int  # contracts left out by ``max_age_s``
    frame: pl.DataFrame  # the same rows with all their columns


def chains(
    frame: pl.DataFrame,
    *,
    at: int | str | None = None,
    underlying: str | None = None,
    expiry: int | str | None = None,
    max_age_s: float = math.inf,
) -> tuple[Chain, ...]:
    """Chains as of ``at`` (ns or ISO text; else the last row's time) that have not expired then.

    ``frame`` is an option quote frame; ``underlying`` and ``expiry`` choose among its chains, which
    come in order of underlying and expiry. A choice that leaves nothing is an :class:`InputError`
    that names what there is.
    """
    if not max_age_s >= 0:
        raise InputError("a max_age_s >= 0 seconds", met=max_age_s)
    rows = _chosen(_quotes(frame), underlying, expiry)
    at_ns = int(times_ns(rows).max()) if at is None else _ns(at)
    seen = rows.filter(pl.col("ts") <= _time(at_ns))
    if seen.is_empty():
        first = format_ns(int(times_ns(rows).min()))
        raise InputError(f"a time at or after the first quote, {first}", met=format_ns(at_ns))
    live = seen.filter(pl.col("expiry") > _time(at_ns))
    if live.is_empty():
        last = format_ns(int(seen["expiry"].to_physical().max()))  # type: ignore[arg-type]
        raise InputError(f"a time before the last expiry, {last}", met=format_ns(at_ns))
    latest = live.sort("ts", maintain_order=True).unique(
        ["symbol", *_GROUP], keep="last", maintain_order=True
    )
    # Divided by numpy: polars multiplies by the reciprocal, and 30 s become 30.000000000000004.
    latest = latest.with_columns(pl.Series("age_s", (at_ns - times_ns(latest)) / 1e9))
    grouped = latest.sort(
        [*_GROUP, "strike", "is_call", "symbol"], descending=[False] * 5 + [True, False]
    )
    parts = grouped.partition_by(_GROUP, maintain_order=True)
    return tuple(_chain(part, at_ns, max_age_s) for part in parts)


def expiries(frame: pl.DataFrame) -> pl.DataFrame:
    """One row a chain: its underlying, expiry, style, settlement, contracts, strikes and times.

    Columns ``underlying, expiry, style, settlement, contracts, calls, puts, strikes, quotes,
    first, last``, ordered by underlying and expiry.
    """
    contract = pl.col("symbol")
    return (
        _quotes(frame)
        .group_by(_GROUP)
        .agg(
            contract.n_unique().cast(pl.Int64).alias("contracts"),
            contract.filter(pl.col("is_call")).n_unique().cast(pl.Int64).alias("calls"),
            contract.filter(~pl.col("is_call")).n_unique().cast(pl.Int64).alias("puts"),
            pl.col("strike").n_unique().cast(pl.Int64).alias("strikes"),
            pl.len().cast(pl.Int64).alias("quotes"),
            pl.col("ts").min().alias("first"),
            pl.col("ts").max().alias("last"),
        )
        .sort(_GROUP)
    )


def _quotes(frame: pl.DataFrame) -> pl.DataFrame:
    missing = [name for name in OPTION_QUOTE.columns if name not in frame.columns]
    if missing:
        wanted = f"the column(s) {', '.join(missing)} of an option quote"
        raise InputError(wanted, met=frame.columns, column=missing[0])
    if frame.is_empty():
        raise InputError("at least one option quote", met="no rows")
    return frame


def _chosen(frame: pl.DataFrame, underlying: str | None, expiry: int | str | None) -> pl.DataFrame:
    if underlying is not None:
        known = sorted(frame["underlying"].unique())
        frame = frame.filter(pl.col("underlying") == underlying)
        if frame.is_empty():
            raise InputError(f"an underlying among {', '.join(known)}", met=underlying)
    if expiry is not None:
        times = frame["expiry"].unique().sort().to_physical()
        frame = frame.filter(pl.col("expiry") == _time(_ns(expiry)))
        if frame.is_empty():
            known = [format_ns(int(time), seconds=False) for time in times]
            raise InputError(f"an expiry among {', '.join(known)}", met=expiry)
    return frame


def _chain(rows: pl.DataFrame, at_ns: int, max_age_s: float) -> Chain:
    kept = rows.filter(pl.col("age_s") <= max_age_s)
    known = kept.drop_nulls("underlying_price").sort("ts")["underlying_price"]
    expiry_ns = int(rows["expiry"].to_physical()[0])
    bids, asks, bid_sizes, ask_sizes, age_s = (
        kept[name].cast(pl.Float64).fill_null(math.nan).to_numpy()
        for name in ("bid", "ask", "bid_size", "ask_size", "age_s")
    )
    return Chain(
        rows["underlying"][0],
        expiry_ns,
        at_ns,
        rows["style"][0],
        rows["settlement"][0],
        (expiry_ns - at_ns) / YEAR_NS,
        float(known[-1]) if len(known) else math.nan,
        kept["strike"].to_numpy(),
        kept["is_call"].to_numpy(),
        bids,
        asks,
        bid_sizes,
        ask_sizes,
        age_s,
        rows.height - kept.height,
        kept,
    )


def _ns(moment: int | str) -> int:
    return parse_ns(moment) if isinstance(moment, str) else moment


def _time(ns: int) -> pl.Expr:
    return pl.lit(ns).cast(TIME)
