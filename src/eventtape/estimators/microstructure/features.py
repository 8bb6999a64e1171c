r"""What did quotes and trades do in each bucket? The fourteen features, and what else was seen.

A bucket stamped T holds the events of ``T - every <= t < T``. With d the sign of a trade (+1 the
buyer took), p its price, v its size, m and h the mid and half-spread of the book it met::

    log_mid              log of the mean mid over the bucket's quotes
    quote_updates        quotes whose bid or ask differs from the quote before
    avg_rsprd            mean of (ask - bid) / mid over the bucket's quotes
    pct_trades_iso       share (0 to 1) of trades that are intermarket sweeps
    pct_volume_iso       share of shares
    total_flow_[non_]iso sum of d p v, dollars; total_flow is both
    num_trades[_iso], total_volume (shares)
    iso_flow_intensity   total_flow_iso / total_volume, dollars a share: it grows with the price
    iso_flow_share       total_flow_iso / sum of p v: the same without the price, -1 to 1
    slippage             sum v d (p - m) / sum v over the trades with a sign that met a book,
                         dollars a share, paid by the taker where positive
    slippage_half_spreads  the same with (p - m) / h, over those that met a spread above 0
    var_mid_trade, var_mid_quote   sums of squared returns of the mid: those of quotes at the time
                         of a trade or at most ``window_ns`` after it, and the others. Their sum is
                         the mid's realised variance

Means over quotes weigh each quote alike, as in the study they come from; ``log_mid_time`` and
``rsprd_time`` weigh by the time a book stood, ``quoted_s`` seconds in all, and ``last_mid`` is the
mid, in dollars, that stands at the bucket's end: what the next bucket's moves are counted from.

What is not there is not made up. A bucket without quotes has no ``log_mid`` (NaN), though the book
that still stands has a ``log_mid_time``; one without trades has zero counts, volumes and flows,
and no shares, slippage or intensity. One-sided and crossed books (bid above ask) enter no mean and
no time; they are counted, a halt (both sides gone) as one-sided, and the mid's next return is taken
from the last mid there was. Locked books enter with spread 0. Ineligible trades are only counted.

``step`` folds a chunk into a state of sums and returns the buckets it closed; ``batch`` is one step
and a ``finish``. Equal to the last bit whatever the chunks, given each symbol's events in time
order, a trade before the quotes of its own time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import MINUTE
from eventtape.errors import InputError
from eventtape.estimators.microstructure import features_kernel as kernel
from eventtape.estimators.microstructure.features_kernel import (
    FeatureState,
    QuoteRows,
    TradeRows,
)

__all__ = [
    "Buckets",
    "FeatureState",
    "Features",
    "QuoteRows",
    "TradeRows",
    "advance",
    "batch",
    "finish",
    "start",
    "step",
]


class Buckets(NamedTuple):
    """The grid: width, and the session it is cut to (open <= t < close) where there is one."""

    every_ns: int = MINUTE
    open_ns: int | None = None
    close_ns: int | None = None


class Features(NamedTuple):
    """One row a bucket, ordered by symbol and then time, arrays of shape ``(m,)``."""

    symbol: IntArray  # row of the state
    bucket: IntArray  # end of the bucket, ns
    log_mid: FloatArray
    quote_updates: IntArray
    avg_rsprd: FloatArray
    pct_trades_iso: FloatArray
    pct_volume_iso: FloatArray
    total_flow_non_iso: FloatArray
    total_flow_iso: FloatArray
    num_trades: IntArray
    num_trades_iso: IntArray
    total_volume: FloatArray
    total_flow: FloatArray
    iso_flow_intensity: FloatArray
    iso_flow_share: FloatArray
    slippage: FloatArray
    slippage_half_spreads: FloatArray
    var_mid_trade: FloatArray
    var_mid_quote: FloatArray
    pct_at_quote: FloatArray  # of trades that met a book: price at its bid or ask
    pct_at_quote_iso: FloatArray
    pct_at_mid: FloatArray
    pct_outside_quote: FloatArray
    last_mid: FloatArray
    log_mid_time: FloatArray
    rsprd_time: FloatArray
    quoted_s: FloatArray
    num_quotes: IntArray
    num_locked: IntArray
    num_crossed: IntArray
    num_one_sided: IntArray
    num_unsigned: IntArray
    num_ineligible: IntArray


def start(n_symbols: int, buckets: Buckets = Buckets()) -> FeatureState:  # noqa: B008
    """The state before any event; with a session, every symbol's first bucket is the session's."""
    _check(buckets)
    opened = buckets.open_ns is not None
    first = buckets.open_ns + buckets.every_ns if buckets.open_ns is not None else 0
    return FeatureState(
        np.full(n_symbols, first, np.int64),
        np.full(n_symbols, buckets.open_ns if opened else 0, np.int64),
        np.full(n_symbols, kernel.NEVER, np.int64),
        np.zeros((n_symbols, 6)),
        np.zeros((n_symbols, kernel.N_SUMS)),
    )


def step(
    state: FeatureState,
    symbol: IntArray,
    quotes: QuoteRows,
    trades: TradeRows,
    *,
    buckets: Buckets = Buckets(),  # noqa: B008
    window_ns: int = 1_000_000,
) -> tuple[FeatureState, Features]:
    """The state after a chunk, and the buckets it closed.

    Group g of quotes and trades belongs to row ``symbol[g]`` of the state. An event older than its
    symbol's open bucket is an :class:`InputError`: it would change an answer already given.
    """
    _check(buckets)
    open_ns = buckets.open_ns if buckets.open_ns is not None else kernel.NEVER
    close_ns = buckets.close_ns if buckets.close_ns is not None else kernel.LATEST
    quote_span = _before(quotes.ts, quotes.span, close_ns)
    trade_span = _before(trades.ts, trades.span, close_ns)
    first, last = _extent(quotes.ts, quote_span, trades.ts, trade_span)
    some = last > kernel.NEVER
    origin = buckets.open_ns or 0
    every = buckets.every_ns
    open_bucket = state.bucket[symbol]
    late = some & (open_bucket > 0) & (first < open_bucket - every) & (first >= open_ns)
    if late.any():
        g = int(np.argmax(late))
        wanted = f"an event at or after the open bucket's start ({open_bucket[g] - every} ns)"
        raise InputError(wanted, met=int(first[g]), column="ts")
    begin = np.where(open_bucket > 0, open_bucket, origin + ((first - origin) // every + 1) * every)
    target = origin + ((np.maximum(last, open_ns) - origin) // every + 1) * every
    count = np.where(some, (target - begin) // every, 0)
    new, offset, bucket, sums = _room(state, count)
    kernel.fold(
        new,
        symbol,
        quotes._replace(span=quote_span),
        trades._replace(span=trade_span),
        every,
        open_ns,
        window_ns,
        begin,
        offset,
        bucket,
        sums,
    )
    return new, _features(np.repeat(symbol, count), bucket, sums)


def advance(
    state: FeatureState,
    to_ns: int,
    *,
    buckets: Buckets = Buckets(),  # noqa: B008
) -> tuple[FeatureState, Features]:
    """Close every bucket that ends at or before ``to_ns``, once nothing before it can come.

    At the close and after it the session's last bucket too, which is shorter than the others where
    the width does not divide the session.
    """
    _check(buckets)
    whole = (to_ns - state.bucket) // buckets.every_ns + 1
    if buckets.close_ns is not None and to_ns >= buckets.close_ns:
        whole = -((state.bucket - buckets.close_ns) // buckets.every_ns) + 1
    count = np.where(state.bucket > 0, np.maximum(whole, 0), 0)
    return _closed(state, count, buckets)


def finish(
    state: FeatureState,
    *,
    buckets: Buckets = Buckets(),  # noqa: B008
) -> tuple[FeatureState, Features]:
    """Close the open bucket of every symbol met, or all that are left of the session."""
    _check(buckets)
    if buckets.close_ns is not None:
        return advance(state, buckets.close_ns, buckets=buckets)
    return _closed(state, (state.bucket > 0).astype(np.int64), buckets)


def batch(
    quotes: QuoteRows,
    trades: TradeRows,
    *,
    buckets: Buckets = Buckets(),  # noqa: B008
    window_ns: int = 1_000_000,
) -> Features:
    """The features of every bucket from each symbol's first event to its last, or of a session."""
    n = len(quotes.span)
    state, closed = step(
        start(n, buckets), np.arange(n), quotes, trades, buckets=buckets, window_ns=window_ns
    )
    rest = finish(state, buckets=buckets)[1]
    order = np.argsort(np.r_[closed.symbol, rest.symbol], kind="stable")
    return Features(*(np.r_[a, b][order] for a, b in zip(closed, rest, strict=True)))


def _check(buckets: Buckets) -> None:
    every, opened, closed = buckets
    if every <= 0:
        raise InputError("a bucket wider than 0 ns", met=every)
    if (opened is None) != (closed is None):
        raise InputError("a session's open and its close, or neither", met=(opened, closed))
    if opened is not None and closed is not None and not 0 < opened < closed:
        raise InputError("a session that opens before it closes", met=(opened, closed))


def _before(ts: IntArray, span: IntArray, close_ns: int) -> IntArray:
    """The spans cut to the rows before ``close_ns``."""
    if close_ns == kernel.LATEST or ts.size == 0:
        return span
    end = [low + int(np.searchsorted(ts[low:high], close_ns)) for low, high in span]
    return np.column_stack([span[:, 0], np.asarray(end, np.int64)])


def _extent(
    quote_ts: IntArray, quote_span: IntArray, trade_ts: IntArray, trade_span: IntArray
) -> tuple[IntArray, IntArray]:
    """First and last event time of each group; LATEST and NEVER where it has none."""
    first = np.full(len(quote_span), kernel.LATEST)
    last = np.full(len(quote_span), kernel.NEVER)
    for ts, span in ((quote_ts, quote_span), (trade_ts, trade_span)):
        some = span[:, 1] > span[:, 0]
        first[some] = np.minimum(first[some], ts[span[some, 0]])
        last[some] = np.maximum(last[some], ts[span[some, 1] - 1])
    return first, last


def _closed(
    state: FeatureState, count: IntArray, buckets: Buckets
) -> tuple[FeatureState, Features]:
    new, offset, bucket, sums = _room(state, count)
    symbols = np.arange(state.bucket.size)
    last = kernel.LATEST if buckets.close_ns is None else buckets.close_ns
    kernel.close(new, symbols, buckets.every_ns, last, offset, bucket, sums)
    return new, _features(np.repeat(symbols, count), bucket, sums)


def _room(
    state: FeatureState, count: IntArray
) -> tuple[FeatureState, IntArray, IntArray, FloatArray]:
    """A copy of the state to fold into, and space for the buckets that will close."""
    offset = np.r_[0, np.cumsum(count)]
    copies: Iterable[Any] = (field.copy() for field in state)
    new = FeatureState(*copies)
    return new, offset, np.empty(offset[-1], np.int64), np.empty((int(offset[-1]), kernel.N_SUMS))


def _features(symbol: IntArray, bucket: IntArray, sums: FloatArray) -> Features:
    """The features of closed buckets; 0/0 is NaN, which is the answer."""
    s = sums.T

    def count(column: int) -> IntArray:
        whole: IntArray = s[column].astype(np.int64)
        return whole

    with np.errstate(invalid="ignore", divide="ignore"):
        return Features(
            symbol=symbol,
            bucket=bucket,
            log_mid=np.log(s[kernel.MID] / s[kernel.BOOKS]),
            quote_updates=count(kernel.UPDATES),
            avg_rsprd=s[kernel.RSPRD] / s[kernel.BOOKS],
            pct_trades_iso=s[kernel.ISO] / s[kernel.TRADES],
            pct_volume_iso=s[kernel.VOLUME_ISO] / s[kernel.VOLUME],
            total_flow_non_iso=s[kernel.FLOW_OTHER],
            total_flow_iso=s[kernel.FLOW_ISO],
            num_trades=count(kernel.TRADES),
            num_trades_iso=count(kernel.ISO),
            total_volume=s[kernel.VOLUME],
            total_flow=s[kernel.FLOW_OTHER] + s[kernel.FLOW_ISO],
            iso_flow_intensity=s[kernel.FLOW_ISO] / s[kernel.VOLUME],
            iso_flow_share=s[kernel.FLOW_ISO] / s[kernel.DOLLARS],
            slippage=s[kernel.SLIP] / s[kernel.SLIP_VOLUME],
            slippage_half_spreads=s[kernel.SLIP_HALF] / s[kernel.SLIP_HALF_VOLUME],
            var_mid_trade=s[kernel.VAR_TRADE],
            var_mid_quote=s[kernel.VAR_QUOTE],
            pct_at_quote=s[kernel.AT] / s[kernel.MET],
            pct_at_quote_iso=s[kernel.AT_ISO] / s[kernel.MET_ISO],
            pct_at_mid=s[kernel.AT_MID] / s[kernel.MET],
            pct_outside_quote=s[kernel.OUTSIDE] / s[kernel.MET],
            last_mid=s[kernel.LAST],
            log_mid_time=np.log(s[kernel.TIME_MID] / s[kernel.TIME]),
            rsprd_time=s[kernel.TIME_RSPRD] / s[kernel.TIME],
            quoted_s=s[kernel.TIME] / 1e9,
            num_quotes=count(kernel.QUOTES),
            num_locked=count(kernel.LOCKED),
            num_crossed=count(kernel.CROSSED),
            num_one_sided=count(kernel.ONE_SIDED),
            num_unsigned=count(kernel.UNSIGNED),
            num_ineligible=count(kernel.INELIGIBLE),
        )
