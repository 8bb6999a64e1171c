"""Who started each trade, on data frames: in one go, or chunk by chunk with a state.

A trade meets the last quote strictly before it, or before it less ``latency``. Added to the trades:
``sign`` (+1 the buyer took, -1 the seller, 0 unknown), ``sign_source`` (what settled it), and the
book met: ``bid``, ``ask``, ``quote_age_s``, null where there was none. Ineligible trades get 0 and
are no part of the tick test's memory. Rules: ``estimators.microstructure.signing.RULES``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import IntArray
from eventtape.clock import duration_ns
from eventtape.errors import InputError
from eventtape.estimators.microstructure import signing
from eventtape.estimators.microstructure.signing import Memory, Signs
from eventtape.frames.symbol_states import grown, numbered
from eventtape.tape import asof, stream_clock
from eventtape.tape.asof import Book, Matched
from eventtape.tape.stream_clock import Reached
from eventtape.tape.ticks import QuoteTicks, TradeTicks, quote_ticks, spans_of, trade_ticks

__all__ = ["SignState", "sign_start", "sign_step", "sign_stream", "sign_ticks", "sign_trades"]


_ADDED = ("sign", "sign_source", "bid", "ask", "quote_age_s")


class SignState(NamedTuple):
    """All that the signs of coming trades depend on."""

    names: tuple[str, ...]  # the symbols met, in the order of their numbers
    rows: tuple[int, int]  # trades and quotes met, for the row an error names
    reached: Reached
    asof: asof.AsOfState
    memory: Memory


def sign_trades(
    trades: pl.DataFrame, quotes: pl.DataFrame, *, rule: str = "lee-ready", latency: str = "0ms"
) -> pl.DataFrame:
    """The trades, in their order, with their signs; the reverse rules look ahead and work here."""
    traded, quoted = trade_ticks(trades), quote_ticks(quotes)
    names = tuple(dict.fromkeys((*traded.names, *quoted.names)))
    met = asof.match(
        Book(quoted.ts, quoted.bid, quoted.ask),
        *_sides(traded, quoted, names),
        latency_ns=duration_ns(latency),
    )
    some = traded.eligible
    found = signing.batch(
        traded.price[some], met.bid[some], met.ask[some], _starts(traded), rule=rule
    )
    return _with(trades, traded, _all(traded, found), met)


def sign_stream(
    chunks: Iterable[tuple[pl.DataFrame, pl.DataFrame]],
    *,
    rule: str = "lee-ready",
    latency: str = "0ms",
) -> Iterator[pl.DataFrame]:
    """The trades of each (trades, quotes) chunk with their signs, equal whatever the chunks.

    Chunks as :func:`~eventtape.tape.paired.paired` makes them; the reverse rules are refused.
    """
    state, latency_ns = sign_start(), duration_ns(latency)
    for trades, quotes in chunks:
        state, signed = sign_step(state, trades, quotes, rule=rule, latency_ns=latency_ns)
        yield signed


def sign_start() -> SignState:
    """The state before any event."""
    return SignState((), (0, 0), stream_clock.start(0), asof.start(), signing.fresh(0))


def sign_step(
    state: SignState,
    trades: pl.DataFrame,
    quotes: pl.DataFrame,
    *,
    rule: str = "lee-ready",
    latency_ns: int = 0,
) -> tuple[SignState, pl.DataFrame]:
    """The state after a chunk, and its trades with signs; a chunk from the past is refused."""
    n_trades, n_quotes = state.rows
    traded = trade_ticks(trades, first_row=n_trades)
    quoted = quote_ticks(quotes, first_row=n_quotes)
    numbers = {name: i for i, name in enumerate(state.names)}
    numbered(numbers, (*quoted.names, *traded.names))
    names = tuple(numbers)
    new = len(names) - len(state.names)
    symbol = numbered(numbers, traded.names)
    reached = stream_clock.forward(
        grown(state.reached, stream_clock.start(new)),
        (quoted, numbered(numbers, quoted.names), n_quotes),
        (traded, symbol, n_trades),
    )
    present = sorted({*traded.names, *quoted.names}, key=numbers.__getitem__)
    held, met = asof.step(
        state.asof,
        numbered(numbers, present),
        Book(quoted.ts, quoted.bid, quoted.ask),
        *_sides(traded, quoted, tuple(present)),
        latency_ns=latency_ns,
    )
    memory = grown(state.memory, signing.fresh(new))
    memory, signs = sign_ticks(memory, traded, symbol, met, rule)
    rows = (n_trades + trades.height, n_quotes + quotes.height)
    return SignState(names, rows, reached, held, memory), _with(trades, traded, signs, met)


def sign_ticks(
    memory: Memory, trades: TradeTicks, symbol: IntArray, met: Matched, rule: str
) -> tuple[Memory, Signs]:
    """The memory after the trades and their signs; ``symbol`` numbers each group of them."""
    some = trades.eligible
    if some.all():
        return signing.step(memory, trades.price, met.bid, met.ask, trades.start, symbol, rule=rule)
    memory, found = signing.step(
        memory,
        trades.price[some],
        met.bid[some],
        met.ask[some],
        _starts(trades),
        symbol,
        rule=rule,
    )
    return memory, _all(trades, found)


def _sides(
    trades: TradeTicks, quotes: QuoteTicks, names: tuple[str, ...]
) -> tuple[IntArray, IntArray, IntArray]:
    quote_span = spans_of(quotes.names, quotes.start, names)
    return quote_span, trades.ts, spans_of(trades.names, trades.start, names)


def _starts(trades: TradeTicks) -> IntArray:
    """Where each symbol begins once ineligible trades are gone."""
    before = np.r_[0, np.cumsum(trades.eligible)]
    kept: IntArray = before[trades.start].astype(np.int64)
    return kept


def _all(trades: TradeTicks, found: Signs) -> Signs:
    """Signs of the eligible trades as signs of all."""
    signs = Signs(*(np.zeros(trades.ts.size, np.int8) for _ in range(2)))
    signs.sign[trades.eligible], signs.source[trades.eligible] = found
    return signs


def _with(trades: pl.DataFrame, traded: TradeTicks, signs: Signs, met: Matched) -> pl.DataFrame:
    there = [name for name in _ADDED if name in trades.columns]
    if there:
        wanted = f"trades without the columns that signs add ({', '.join(_ADDED)})"
        raise InputError(wanted, met=trades.columns, column=there[0])
    words = pl.Series(signing.SOURCES, dtype=pl.Enum(signing.SOURCES))
    added = pl.DataFrame(
        [
            pl.Series("sign", signs.sign),
            words.gather(pl.Series(signs.source).cast(pl.UInt32)).alias("sign_source"),
            pl.Series("bid", met.bid).fill_nan(None),
            pl.Series("ask", met.ask).fill_nan(None),
            pl.Series("quote_age_s", met.age_s).fill_nan(None),
        ]
    )
    if traded.order is not None:  # back to the frame's own order
        added = added[np.argsort(traded.order, kind="stable")]
    return trades.hstack(added.get_columns())
