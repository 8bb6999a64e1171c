r"""Thousands of one-second books that share the day's factors, and weights that find the factors.

Streams ``STR0000``, ``STR0001`` ... follow r = beta'F + a s e as the full-tick symbols do, with the
same F and a. The row stamped T is the book at the end of the second ``T - 1 s <= t < T``. A stream
quotes in a second with its own chance (0.4 for the smallest to 1 for the largest, 0.02 for a stale
name of any size): then its book is set around
the efficient price at T, in whole cents, and its age is a few hundredths of a second; otherwise the
old book stands and ages by a second. Some rows are missing altogether.

Weights: the market by capitalisation; each other factor long the 30% of highest beta on it and
short the 30% of lowest, by capitalisation. That is w0; with A = [1, beta], the target b (1 for the
market's sum, 0 for the others'; one on the factor's own beta) and D the capitalisations,

    w = w0 + D A (A' D A)^-1 (b - A' w0)

is the nearest to it with sum and betas exact. So sum_i w_ik r_i = F_k + sum_i w_ik a s_i e_i, and
the returns of these portfolios are the factors up to idiosyncratic noise that diversifies.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.simulate.taq_market import FACTORS, SESSION, TaqConfig, draw_betas, taq_market

__all__ = [
    "StreamBatch",
    "StreamTruth",
    "factor_weights",
    "stream_batches",
    "stream_frame",
    "stream_truth",
    "stream_weights",
]

_STREAMS, _NOISE = 20, 21  # purposes of generators, beside taq_market's
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_R30, _R27, _R31, _R11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_DRAWS = 7  # random numbers a stream and second


class StreamTruth(NamedTuple):
    """What every stream is, arrays ``(n_streams,)`` unless said otherwise."""

    names: tuple[str, ...]
    cap: FloatArray  # capitalisation, sums to 1
    level: FloatArray  # price at the open, dollars
    spread: FloatArray  # mean, cents
    beta: FloatArray  # (n_streams, 5)
    volatility: FloatArray  # idiosyncratic, per square root of a second
    quotes: FloatArray  # chance of a new quote in a second
    stale: BoolArray
    weights: FloatArray  # (n_streams, 5): MKT sums to 1, the others to 0


class StreamBatch(NamedTuple):
    """Books of whole seconds, arrays ``(n_seconds, n_streams)``, NaN where a row is missing."""

    names: tuple[str, ...]
    ts: IntArray  # (n_seconds,) ends of the seconds, ns UTC
    bid: FloatArray
    bid_size: FloatArray
    ask: FloatArray
    ask_size: FloatArray
    age_s: FloatArray
    efficient: FloatArray  # price at ts, known for missing rows too


def stream_truth(config: TaqConfig) -> StreamTruth:
    """The streams of a day and their factor weights; ``config.streams`` must not be 0."""
    n = config.streams
    if not n:
        raise InputError("streams to simulate", met=n, column="streams")
    rng = np.random.default_rng([config.seed, _STREAMS])
    cap = np.exp(1.5 * rng.standard_normal(n))
    cap /= cap.sum()
    beta = draw_betas(rng, n)
    stale = np.zeros(n, np.bool_)
    stale[rng.permutation(n)[: round(config.stale_share * n)]] = True
    level: FloatArray = np.exp(rng.uniform(np.log(10.0), np.log(300.0), n))
    return StreamTruth(
        tuple(f"STR{i:04d}" for i in range(n)),
        cap,
        np.rint(100.0 * level) / 100.0,
        1.0 + rng.exponential(2.0, n),
        beta,
        rng.uniform(0.010, 0.030, n) / np.sqrt(SESSION),
        np.where(stale, 0.02, 0.4 + 0.6 * np.argsort(np.argsort(cap)) / n),
        stale,
        factor_weights(cap, beta),
    )


def stream_weights(truth: StreamTruth) -> pl.DataFrame:
    """The weights as a long frame ``symbol, factor, weight``."""
    n = len(truth.names)
    return pl.DataFrame(
        {
            "symbol": list(truth.names) * len(FACTORS),
            "factor": np.repeat(np.array(FACTORS), n),
            "weight": truth.weights.T.ravel(),
        }
    )


def stream_batches(
    seed: int,
    *,
    batch_seconds: int = 60,
    first: int = 0,
    last: int | None = None,
    **options: Any,
) -> Iterator[StreamBatch]:
    """The streams' books second by second, ``batch_seconds`` of them at a time.

    From second ``first`` of the session to ``last`` (its end by default); a stretch has the very
    rows it has in the whole day. ``options`` as in :class:`~eventtape.simulate.TaqConfig`.
    """
    config = TaqConfig(seed=seed, **options)
    last = config.seconds if last is None else last
    if not 0 <= first < last <= config.seconds:
        raise InputError("0 <= first < last <= seconds", met=(first, last))
    if batch_seconds < 1:
        raise InputError("at least one second a batch", met=batch_seconds)
    return _generate(config, stream_truth(config), batch_seconds, first, last)


def stream_frame(batch: StreamBatch) -> pl.DataFrame:
    """The rows ``symbol, ts, bid, bid_size, ask, ask_size, age_s`` of a batch, by time."""
    there = ~np.isnan(batch.bid).ravel()
    m, n = batch.bid.shape
    symbol = np.tile(np.arange(n, dtype=np.uint16), m)[there]
    columns = {
        name: getattr(batch, name).ravel()[there]
        for name in ("bid", "bid_size", "ask", "ask_size", "age_s")
    }
    names = pl.Series(batch.names, dtype=pl.Enum(batch.names))
    return pl.DataFrame(
        {"symbol": names.gather(symbol), "ts": np.repeat(batch.ts, n)[there], **columns}
    ).with_columns(pl.col("ts").cast(pl.Datetime("ns", "UTC")))


def factor_weights(cap: FloatArray, beta: FloatArray) -> FloatArray:
    """Weights ``(n_names, 5)`` whose portfolios earn the factors, given caps and betas."""
    A = np.column_stack([np.ones(cap.size), beta])
    start = np.empty_like(beta)
    start[:, 0] = cap
    for k in range(1, len(FACTORS)):
        low, high = np.quantile(beta[:, k], [0.3, 0.7])
        long, short = cap * (beta[:, k] >= high), cap * (beta[:, k] <= low)
        start[:, k] = long / long.sum() - short / short.sum()
    target = np.vstack([np.eye(len(FACTORS))[0], np.eye(len(FACTORS))])
    scaled = cap[:, None] * A
    weights: FloatArray = start + scaled @ np.linalg.solve(A.T @ scaled, target - A.T @ start)
    return weights


def _generate(
    config: TaqConfig, truth: StreamTruth, batch_seconds: int, first: int, last: int
) -> Iterator[StreamBatch]:
    market = taq_market(config)
    n = config.streams
    keys = (
        np.random.SeedSequence([config.seed, _NOISE]).generate_state(n, np.uint64).astype(np.uint64)
    )
    # price, bid, bid size, ask, ask size, age: what each stream carries from second to second
    state = np.zeros((6, n))
    state[0] = truth.level
    whole = (keys, truth.beta, truth.volatility, truth.quotes, truth.spread, config.missing_share)
    for begin in _begins(batch_seconds, first, last):
        limit = first if begin < first else last
        end = min(begin + batch_seconds, limit)
        out = np.empty((6, end - begin, n))
        _run(begin, market.factors[begin:end], market.amplification[begin:end], *whole, state, out)
        if begin >= first:
            ts = config.start_ns + SECOND * np.arange(begin + 1, end + 1)
            yield StreamBatch(truth.names, ts, *out)


def _begins(batch_seconds: int, first: int, last: int) -> Iterator[int]:
    """First seconds of the batches: those before ``first`` only carry the prices there."""
    yield from range(0, first, batch_seconds)
    yield from range(first, last, batch_seconds)


@njit(cache=True, nogil=True)
def _uniform(key: np.uint64, count: int) -> float:
    """Number ``count`` of a stream's own sequence on [0, 1): splitmix64 entered anywhere."""
    z = key + np.uint64(count) * _GOLDEN
    z = (z ^ (z >> _R30)) * _MIX_1
    z = (z ^ (z >> _R27)) * _MIX_2
    z = z ^ (z >> _R31)
    return np.float64(z >> _R11) * 2.0**-53


@njit(cache=True, nogil=True)
def _run(
    first: int,
    factors: FloatArray,
    amplification: FloatArray,
    keys: NDArray[np.uint64],
    beta: FloatArray,
    volatility: FloatArray,
    quotes: FloatArray,
    spread: FloatArray,
    missing: float,
    state: FloatArray,
    out: FloatArray,
) -> None:
    """Seconds from ``first`` on of every stream: ``state`` is advanced, ``out`` is filled."""
    for t in range(factors.shape[0]):
        for i in range(keys.size):
            key, count = keys[i], 1 + _DRAWS * (first + t)
            u, v = 1.0 - _uniform(key, count), _uniform(key, count + 1)
            e = math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v)
            r = amplification[t] * volatility[i] * e
            for k in range(factors.shape[1]):
                r += beta[i, k] * factors[t, k]
            state[0, i] *= 1.0 + r
            if first + t == 0 or _uniform(key, count + 2) < quotes[i]:
                # Two hundredths of a second on average, at most a second.
                age = -0.02 * math.log(1.0 - _uniform(key, count + 3))
                state[5, i] = min(1.0, 1e-9 + age)
                width = max(1, int(spread[i] + _uniform(key, count + 4)))
                bid = max(1, math.floor(100.0 * state[0, i] - 0.5 * width + 0.5))
                state[1, i], state[3, i] = bid / 100.0, (bid + width) / 100.0
                lots = _uniform(key, count + 5)
                state[2, i] = 100.0 * (1 + int(20.0 * lots * lots))
                state[4, i] = 100.0 * (1 + int(20.0 * (1.0 - lots) * (1.0 - lots)))
            else:
                state[5, i] += 1.0
            here = _uniform(key, count + 6) >= missing
            for k in range(5):
                out[k, t, i] = state[k + 1, i] if here else np.nan
            out[5, t, i] = state[0, i]
