"""Features of ticks as they come: a state, a step for each chunk, and what the end closes.

What is folded is one state for all symbols: the quotes a coming trade may still meet, the memory of
the tick test and the sums of every open bucket. :func:`~eventtape.frames.ticks.feature_stream` and
the live stream run these steps, and :func:`~eventtape.frames.ticks.microstructure_features` is one
of them over a whole day: equal to the last bit whatever the chunks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import IntArray
from eventtape.clock import duration_ns
from eventtape.estimators.microstructure import features, signing
from eventtape.estimators.microstructure.features import Buckets, Features, FeatureState
from eventtape.frames.signs import sign_ticks
from eventtape.frames.symbol_states import grown, numbered
from eventtape.tape import asof, stream_clock
from eventtape.tape.asof import Book
from eventtape.tape.stream_clock import Reached
from eventtape.tape.ticks import QuoteTicks, TradeTicks, quote_ticks, trade_ticks

__all__ = [
    "TickOptions",
    "TickState",
    "fold_ticks",
    "step_ticks",
    "tick_finish",
    "tick_options",
    "tick_start",
    "tick_step",
    "tick_table",
]

TIME = pl.Datetime("ns", "UTC")


class TickOptions(NamedTuple):
    """How features are made; lengths of time in ns."""

    buckets: Buckets
    rule: str
    latency_ns: int
    window_ns: int


class TickState(NamedTuple):
    """All that the features of coming events depend on."""

    names: tuple[str, ...]  # the symbols met, in the order of their numbers
    rows: tuple[int, int]  # trades and quotes met, for the row an error names
    reached: Reached
    asof: asof.AsOfState
    signs: signing.Memory
    features: FeatureState


def tick_options(
    *,
    every: str = "1m",
    session: tuple[int, int] | None = None,
    rule: str = "lee-ready",
    latency: str = "0ms",
    window: str = "1ms",
) -> TickOptions:
    """The options of :func:`~eventtape.frames.ticks.microstructure_features`, checked."""
    open_ns, close_ns = (None, None) if session is None else session
    lengths = (duration_ns(text) for text in (latency, window))
    options = TickOptions(Buckets(duration_ns(every), open_ns, close_ns), rule, *lengths)
    tick_start(options)
    return options


def tick_start(options: TickOptions) -> TickState:
    """The state before any event."""
    folds = features.start(0, options.buckets)
    return TickState((), (0, 0), stream_clock.start(0), asof.start(), signing.fresh(0), folds)


def tick_step(
    state: TickState,
    trades: pl.DataFrame,
    quotes: pl.DataFrame,
    options: TickOptions,
    *,
    upto_ns: int | None = None,
) -> tuple[TickState, pl.DataFrame]:
    """The state after a chunk, and the rows of the buckets that closed.

    A ticker's own events close its buckets. Where nothing before ``upto_ns`` will come any more,
    every bucket that ends by then is closed, the quiet tickers' too. A symbol's event older than
    one of an earlier chunk is an :class:`~eventtape.errors.InputError` by symbol and row. New
    symbols are numbered by the time of their first event, so no number depends on the chunks where
    those are cut by time. The state handed in is left as it was.
    """
    traded = trade_ticks(trades, first_row=state.rows[0])
    quoted = quote_ticks(quotes, first_row=state.rows[1])
    return step_ticks(state, traded, quoted, options, upto_ns=upto_ns)


def step_ticks(
    state: TickState,
    traded: TradeTicks,
    quoted: QuoteTicks,
    options: TickOptions,
    *,
    upto_ns: int | None = None,
) -> tuple[TickState, pl.DataFrame]:
    """:func:`tick_step` of a chunk that is arrays already."""
    numbers = dict(zip(state.names, range(len(state.names)), strict=True))
    _enter(numbers, traded, quoted)
    new = len(numbers) - len(state.names)
    sides = (traded, _at(numbers, traded.names)), (quoted, _at(numbers, quoted.names))
    reached = stream_clock.forward(
        grown(state.reached, stream_clock.start(new)) if new else state.reached,
        (*sides[1], state.rows[1]),
        (*sides[0], state.rows[0]),
    )
    names = tuple(numbers) if new else state.names
    state, closed = fold_ticks(state, names, *sides, options)
    state = state._replace(reached=reached)
    if upto_ns is not None:
        folds, rest = features.advance(state.features, upto_ns, buckets=options.buckets)
        state = state._replace(features=folds, reached=stream_clock.all_at(reached, upto_ns))
        if rest.bucket.size:
            pairs: Iterable[Any] = zip(closed, rest, strict=True)
            closed = Features(*(np.concatenate(pair) for pair in pairs))
    return state, tick_table(closed, names)


def tick_finish(state: TickState, options: TickOptions) -> pl.DataFrame:
    """The rows that the end of the tape closes: each open bucket, or the rest of the session."""
    closed = features.finish(state.features, buckets=options.buckets)[1]
    return tick_table(closed, state.names)


def _enter(numbers: dict[str, int], trades: TradeTicks, quotes: QuoteTicks) -> None:
    """Number the new symbols in the order of their first events, those of one time by name."""
    first: dict[str, int] = {}
    for side in (trades, quotes):
        if numbers.keys() >= set(side.names):
            continue
        for name, row in zip(side.names, side.start[:-1].tolist(), strict=True):
            if name not in numbers:
                first[name] = min(int(side.ts[row]), first.get(name, int(side.ts[row])))
    numbered(numbers, sorted(first, key=lambda name: (first[name], name)))


def _at(numbers: dict[str, int], names: tuple[str, ...]) -> IntArray:
    return np.fromiter(map(numbers.__getitem__, names), np.int64, len(names))


def fold_ticks(
    state: TickState,
    names: tuple[str, ...],
    traded: tuple[TradeTicks, IntArray],
    quoted: tuple[QuoteTicks, IntArray],
    options: TickOptions,
) -> tuple[TickState, Features]:
    """Match, sign, fold: the state of the symbols ``names`` and the buckets their events closed.

    Each side comes with the number of each of its groups; quotes numbered -1 are left out.
    """
    (trades, trade_at), (quotes, quote_at) = traded, quoted
    new = len(names) - len(state.names)
    symbol = np.union1d(trade_at, quote_at[quote_at >= 0])
    quote_span = _spans(symbol, quote_at, quotes.start)
    trade_span = _spans(symbol, trade_at, trades.start)
    held, met = asof.step(
        state.asof,
        symbol,
        Book(quotes.ts, quotes.bid, quotes.ask),
        quote_span,
        trades.ts,
        trade_span,
        latency_ns=options.latency_ns,
    )
    memory, folds = state.signs, state.features
    if new:
        memory = grown(memory, signing.fresh(new))
        folds = grown(folds, features.start(new, options.buckets))
    memory, signs = sign_ticks(memory, trades, trade_at, met, options.rule)
    folded, closed = features.step(
        folds,
        symbol,
        features.QuoteRows(quote_span, quotes.ts, quotes.bid, quotes.ask),
        features.TradeRows(
            trade_span,
            trades.ts,
            trades.price,
            trades.size,
            trades.iso,
            trades.eligible,
            signs.sign,
            met.bid,
            met.ask,
            met.place,
        ),
        buckets=options.buckets,
        window_ns=options.window_ns,
    )
    rows = (state.rows[0] + trades.ts.size, state.rows[1] + quotes.ts.size)
    return TickState(names, rows, state.reached, held, memory, folded), closed


def _spans(symbol: IntArray, at: IntArray, start: IntArray) -> IntArray:
    """First and end row of each symbol, ``(n, 2)``; an empty span where it has none."""
    spans = np.zeros((symbol.size, 2), np.int64)
    there = at >= 0
    spans[np.searchsorted(symbol, at[there])] = np.column_stack([start[:-1], start[1:]])[there]
    return spans


def tick_table(found: Features, names: tuple[str, ...]) -> pl.DataFrame:
    """Closed buckets as rows: ``ticker, bucket`` and the features, NaN as null."""
    columns = found._asdict()
    symbol, bucket = columns.pop("symbol"), columns.pop("bucket")
    return pl.DataFrame(
        [
            pl.Series("ticker", [names[s] for s in symbol.tolist()], dtype=pl.String),
            pl.Series("bucket", bucket).cast(TIME),
            *(pl.Series(name, values, nan_to_null=True) for name, values in columns.items()),
        ]
    )
