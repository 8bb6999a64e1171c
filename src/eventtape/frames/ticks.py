"""Quotes and trades on data frames: one-second books, and the features of every bucket.

All take the frames of :data:`~eventtape.tape.QUOTE` and :data:`~eventtape.tape.EQUITY_TRADE`, of
any number of symbols, ordered by symbol and time or by time alone. What they cannot use is an
:class:`~eventtape.errors.InputError` that names row and column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import polars as pl

from eventtape.arrays import IntArray
from eventtape.clock import MINUTE, duration_ns, format_ns
from eventtape.errors import InputError
from eventtape.estimators.microstructure.features import Buckets
from eventtape.frames.symbol_states import grown, numbered
from eventtape.frames.tick_fold import (
    fold_ticks,
    step_ticks,
    tick_finish,
    tick_options,
    tick_start,
    tick_table,
)
from eventtape.tape import seconds, stream_clock
from eventtape.tape.paired import Order, as_order
from eventtape.tape.seconds import Seconds
from eventtape.tape.ticks import (
    TradeTicks,
    quote_ticks,
    spans_of,
    trade_ticks,
)
from eventtape.threads import run_groups

__all__ = [
    "FOURTEEN",
    "feature_stream",
    "microstructure_features",
    "nbbo_seconds",
    "nbbo_stream",
]

TIME = pl.Datetime("ns", "UTC")
_DAY = 24 * 60 * MINUTE
FOURTEEN = (
    "ticker",
    "bucket",
    "log_mid",
    "quote_updates",
    "avg_rsprd",
    "pct_trades_iso",
    "pct_volume_iso",
    "total_flow_non_iso",
    "total_flow_iso",
    "num_trades",
    "num_trades_iso",
    "total_volume",
    "total_flow",
    "iso_flow_intensity",
)
"""The features of the seed study, in its order; the columns after them are ours."""


def nbbo_seconds(
    quotes: pl.DataFrame,
    *,
    every: str = "1s",
    end_ns: int | None = None,
    threads: int | None = None,
) -> pl.DataFrame:
    """The book of every second: ``symbol, ts, bid, bid_size, ask, ask_size, age_s``.

    The row stamped T holds the last quote of ``T - 1 s <= t < T``; a second with none carries the
    one before, ``age_s`` old at T. Each symbol runs from the second of its first quote to that of
    its last, or to ``end_ns``. ``threads``: as many as there are cores unless given.
    """
    ticks = quote_ticks(quotes, threads=threads)
    every_ns = duration_ns(every)
    columns = (ticks.ts, ticks.bid, ticks.bid_size, ticks.ask, ticks.ask_size)
    found = seconds.batch(ticks.start, *columns, every_ns=every_ns, end_ns=end_ns, threads=threads)
    return _books(found, ticks.names, quotes.schema["symbol"])


def nbbo_stream(
    batches: Iterable[pl.DataFrame],
    *,
    every: str = "1s",
    end_ns: int | None = None,
    order: Order = "symbol",
) -> Iterator[pl.DataFrame]:
    """The books of :func:`nbbo_seconds`, as soon as they are settled, from quotes in any chunks.

    Memory holds one chunk and one quote a symbol. With ``order="symbol"`` a symbol's seconds are
    settled by its own quotes, and the last frames carry each to the second of its last quote or to
    ``end_ns``. With ``order="time"``, for a live stream or one replayed, no symbol's quote may be
    older than another's of an earlier chunk, and every symbol is carried to the time reached.
    """
    every_ns = duration_ns(every)
    names: dict[str, int] = {}
    state, reached = seconds.start(0), stream_clock.start(0)
    dtype: pl.DataType = pl.String()
    row = 0
    for quotes in batches:
        ticks = quote_ticks(quotes, first_row=row)
        dtype = quotes.schema["symbol"]
        symbol = numbered(names, ticks.names)
        new = len(names) - state.ts.size
        reached = grown(reached, stream_clock.start(new))
        reached = stream_clock.forward(reached, (ticks, symbol, row))
        row += quotes.height
        columns = (ticks.ts, ticks.bid, ticks.bid_size, ticks.ask, ticks.ask_size)
        state, found = seconds.step(
            grown(state, seconds.start(new)), symbol, ticks.start, *columns, every_ns=every_ns
        )
        settled = [found]
        if as_order(order) == "time" and ticks.ts.size:
            to_ns = int(ticks.ts.max())
            reached = stream_clock.all_at(reached, to_ns)
            to_ns = to_ns if end_ns is None else min(to_ns, end_ns)
            state, found = seconds.advance(state, to_ns, every_ns=every_ns)
            settled.append(found)
        books = pl.concat([_books(part, tuple(names), dtype) for part in settled])
        if end_ns is not None:
            books = books.filter(books["ts"].to_physical() <= end_ns)
        if books.height:
            yield books
    found = seconds.finish(state, every_ns=every_ns, end_ns=end_ns)[1]
    if found.ts.size:
        yield _books(found, tuple(names), dtype)


def microstructure_features(
    trades: pl.DataFrame,
    quotes: pl.DataFrame,
    *,
    every: str = "1m",
    session: tuple[int, int] | None = None,
    rule: str = "lee-ready",
    latency: str = "0ms",
    window: str = "1ms",
    threads: int | None = None,
) -> pl.DataFrame:
    """The fourteen features of every ticker and bucket, and the further ones, one row each.

    ``bucket`` is the end of ``every``; a bucket holds ``bucket - every <= t < bucket``. Without a
    ``session`` (open and close, ns UTC) a ticker's buckets run from its first event to its last,
    empty ones included; with one, all of the session's, and events outside it only set the scene:
    the book that stands at the open and the last price. Definitions, units and what an empty,
    halted, locked or crossed bucket answers: ``estimators.microstructure.features``. NaN is null.
    One day at a time: without a session the night between two days would be buckets like others,
    and with one, events a day or more from its open are refused. ``threads`` share the tickers: as
    many as there are cores unless given.
    """
    options = tick_options(every=every, session=session, rule=rule, latency=latency, window=window)
    quoted, traded = quote_ticks(quotes, threads=threads), trade_ticks(trades)
    for ticks in (quoted, traded):
        _one_day(ticks.ts, options.buckets)
    names = sorted({*quoted.names, *traded.names})
    spans = (spans_of(side.names, side.start, names) for side in (quoted, traded))
    sizes = np.sum([span[:, 1] - span[:, 0] for span in spans], axis=0)

    def part(first: int, end: int) -> pl.DataFrame:
        mine = tuple(names[first:end])
        at = {name: i for i, name in enumerate(mine)}
        own = _only(traded, mine)
        trade_at, quote_at = (
            np.array([at.get(name, -1) for name in side.names], np.int64) for side in (own, quoted)
        )
        sides = (own, trade_at), (quoted, quote_at)
        state, closed = fold_ticks(tick_start(options), mine, *sides, options)
        return pl.concat([tick_table(closed, mine), tick_finish(state, options)])

    return pl.concat(run_groups(part, sizes, threads)).sort("ticker", "bucket")


def feature_stream(
    chunks: Iterable[tuple[pl.DataFrame, pl.DataFrame]],
    *,
    every: str = "1m",
    session: tuple[int, int] | None = None,
    rule: str = "lee-ready",
    latency: str = "0ms",
    window: str = "1ms",
    order: Order = "symbol",
) -> Iterator[pl.DataFrame]:
    """The rows of :func:`microstructure_features` as buckets close, from (trades, quotes) chunks.

    Of one ticker no event of a later chunk may be older than one of an earlier chunk, and at the
    same time a trade comes no later than a quote; ``tape.paired`` makes such chunks of two files,
    and others are refused by symbol and row.
    With ``order="symbol"`` a ticker's buckets are closed by its own events. With ``order="time"``,
    for a live stream or one replayed, no ticker's event may be older than another's of an earlier
    chunk, and every bucket that ends by the time reached is closed, the quiet tickers' too.
    Equal to the last bit whatever the chunks; memory holds one of them and one state a ticker.
    """
    options = tick_options(every=every, session=session, rule=rule, latency=latency, window=window)
    state = tick_start(options)
    for trades, quotes in chunks:
        traded = trade_ticks(trades, first_row=state.rows[0])
        quoted = quote_ticks(quotes, first_row=state.rows[1])
        to_ns = None
        if as_order(order) == "time" and traded.ts.size + quoted.ts.size:
            to_ns = max(int(side.ts.max()) for side in (traded, quoted) if side.ts.size)
        state, table = step_ticks(state, traded, quoted, options, upto_ns=to_ns)
        if table.height:
            yield table
    table = tick_finish(state, options)
    if table.height:
        yield table


def _one_day(ts: IntArray, buckets: Buckets) -> None:
    """Refuse the ticks of another day than the session's."""
    if buckets.open_ns is None or ts.size == 0:
        return
    first, last = int(ts.min()), int(ts.max())
    far = first if buckets.open_ns - first >= _DAY else last
    if abs(far - buckets.open_ns) >= _DAY:
        wanted = "events within a day of the open (one session at a time)"
        raise InputError(wanted, met=format_ns(far), column="ts")


def _only(trades: TradeTicks, names: tuple[str, ...]) -> TradeTicks:
    """The trades of some names, which stand together where the frame is ordered by name."""
    wanted = set(names)
    groups = np.flatnonzero([name in wanted for name in trades.names])
    if groups.size == len(trades.names):
        return trades
    kept = tuple(trades.names[g] for g in groups)
    spans = [(trades.start[g], trades.start[g + 1]) for g in groups]
    start = np.r_[0, np.cumsum([high - low for low, high in spans])].astype(np.int64)
    together = all(a[1] == b[0] for a, b in pairwise(spans))
    whole = slice(spans[0][0], spans[-1][1]) if spans else slice(0, 0)
    rows = whole if together else np.concatenate([np.arange(*span) for span in spans])
    return TradeTicks(
        kept,
        start,
        trades.ts[rows],
        trades.price[rows],
        trades.size[rows],
        trades.iso[rows],
        trades.eligible[rows],
        order=None,
    )


def _books(found: Seconds, names: tuple[str, ...], dtype: pl.DataType) -> pl.DataFrame:
    symbols = pl.Series("symbol", names, dtype=pl.String).cast(dtype)
    bid, bid_size, ask, ask_size = found.book
    return pl.DataFrame(
        {
            "symbol": symbols.gather(found.symbol),
            "ts": pl.Series(found.ts).cast(TIME),
            "bid": bid,
            "bid_size": bid_size,
            "ask": ask,
            "ask_size": ask_size,
            "age_s": found.age_s,
        }
    )
