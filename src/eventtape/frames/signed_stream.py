"""The trades of a stream with their signs: :func:`~eventtape.frames.ticks.sign_trades` in pieces.

What a coming trade still needs is kept for each symbol: the quotes it may meet and the last price
change. Equal to the last bit whatever the chunks; the rules that look ahead are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.clock import duration_ns
from eventtape.estimators.microstructure import signing
from eventtape.tape import asof
from eventtape.tape.asof import Book
from eventtape.tape.ticks import quote_ticks, spans_of, trade_ticks

__all__ = ["SignState", "sign_start", "sign_step", "sign_stream"]


class SignState(NamedTuple):
    """All that the signs of coming trades depend on."""

    numbers: dict[str, int]  # of each symbol met
    asof: asof.AsOfState
    memory: signing.Memory


def sign_start() -> SignState:
    """The state before any event."""
    return SignState({}, asof.start(), signing.fresh(0))


def sign_stream(
    chunks: Iterable[tuple[pl.DataFrame, pl.DataFrame]],
    *,
    rule: str = "lee-ready",
    latency: str = "0ms",
) -> Iterator[pl.DataFrame]:
    """The trades of each (trades, quotes) chunk with ``sign`` and what settled it.

    Chunks as :func:`~eventtape.tape.paired.paired` makes them; columns as ``sign_trades`` adds
    them: ``sign``, ``sign_source``, and the book met, ``bid``, ``ask``, ``quote_age_s``.
    """
    state, latency_ns = sign_start(), duration_ns(latency)
    for trades, quotes in chunks:
        state, signed = sign_step(state, trades, quotes, rule=rule, latency_ns=latency_ns)
        yield signed


def sign_step(
    state: SignState,
    trades: pl.DataFrame,
    quotes: pl.DataFrame,
    *,
    rule: str = "lee-ready",
    latency_ns: int = 0,
) -> tuple[SignState, pl.DataFrame]:
    """The state after a chunk, and its trades with their signs."""
    traded, quoted = trade_ticks(trades), quote_ticks(quotes)
    numbers = dict(state.numbers)
    for name in (*traded.names, *quoted.names):
        numbers.setdefault(name, len(numbers))
    present = sorted({*traded.names, *quoted.names}, key=numbers.__getitem__)
    held, met = asof.step(
        state.asof,
        np.array([numbers[name] for name in present], np.int64),
        Book(quoted.ts, quoted.bid, quoted.ask),
        spans_of(quoted.names, quoted.start, present),
        traded.ts,
        spans_of(traded.names, traded.start, present),
        latency_ns=latency_ns,
    )
    fresh = signing.fresh(len(numbers) - len(state.numbers))
    price = np.concatenate([state.memory.price, fresh.price])
    direction = np.concatenate([state.memory.direction, fresh.direction])
    some = traded.eligible
    memory, found = signing.step(
        signing.Memory(price, direction),
        traded.price[some],
        met.bid[some],
        met.ask[some],
        np.r_[0, np.cumsum(some)][traded.start].astype(np.int64),
        np.array([numbers[name] for name in traded.names], np.int64),
        rule=rule,
    )
    sign, source = (np.zeros(some.size, np.int8) for _ in range(2))
    sign[some], source[some] = found
    words = pl.Series(signing.SOURCES, dtype=pl.Enum(signing.SOURCES))
    signed = pl.DataFrame(
        [
            pl.Series("sign", sign),
            words.gather(pl.Series(source).cast(pl.UInt32)).alias("sign_source"),
            pl.Series("bid", met.bid).fill_nan(None),
            pl.Series("ask", met.ask).fill_nan(None),
            pl.Series("quote_age_s", met.age_s).fill_nan(None),
        ]
    )
    if traded.order is not None:
        signed = signed[np.argsort(traded.order, kind="stable")]
    return SignState(numbers, held, memory), trades.hstack(signed.get_columns())
