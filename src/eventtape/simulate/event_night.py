r"""A night on which everything is known: one probability, several markets, and every truth.

The probability is a martingale in the probit gauge, B = Phi(U), under an information clock
(``references``: UCBM). Over a stretch in which the clock runs by l,

    U' = exp(l/2) U + sqrt(exp(l) - 1) N(0, 1)     so that   E[Phi(U')] = Phi(U)  exactly,

which holds for a clock that creeps (trickle of counts) and one that jumps (a state is called)
alike: a jump needs no compensator because it is the same step with a larger l. Each market is

    log X(t) = log X(0) + gap (B(t - lag) - B(-lag)) + sigma_c C(t) + sigma W(t),

(or B's mean over a stretch, for a slow market), with B constant before and after the night, C
common to all markets and W its own, part of whose variance may arrive with the information (a
market is restless when there is news, whatever the news says of the event). A market is seen at its
own Poisson times through a bid-ask bounce; the probability at about regular times with noise,
rounded to its tick. Stamps are exact unless a delay is asked for. A positive lag means that the
market follows the probability.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.special import ndtr, ndtri

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.tape import PROBABILITY, RESULT, TRADE, Feed, Instrument, Tape, check

__all__ = ["MARKETS", "MarketTruth", "Night", "NightTruth", "event_night", "information_clock"]


NIGHT_NS = 946_684_800 * SECOND  # 2000-01-01T00:00Z: no date on which anything here happened


class MarketTruth(NamedTuple):
    """One simulated market: what it is worth to the event and how it is seen."""

    label: str
    gap: float  # log return per unit of probability
    lag_s: float  # the market follows the probability by this many seconds (negative: leads)
    volatility: float = 0.0004  # own noise, log return per square root of a minute
    common: float = 0.0001  # loading on the noise all markets share, same unit
    bounce: float = 0.00005  # half the bid-ask spread, log price
    tick_s: float = 5.0  # mean time between ticks
    news_share: float = 0.0  # part of the own variance that arrives with the information clock
    spread_s: float = 0.0  # the answer is spread evenly over so many seconds from the lag on
    restless: float = 1.0  # own volatility of the second half over that of the first


MARKETS = (
    MarketTruth("coin", 0.12, 90.0, volatility=0.0008),
    MarketTruth("currency", -0.03, 0.0, volatility=0.0002, bounce=0.00002),
    MarketTruth("index", 0.03, 180.0, volatility=0.00025, bounce=0.00003),
    MarketTruth("oil", 0.0, 0.0, volatility=0.0005),
)
"""The default night: one market that follows, one at once, one late, and one that does not care."""


class NightTruth(NamedTuple):
    """What really happened, on a grid of whole seconds ``ts`` (ns), arrays ``(n_seconds,)``."""

    ts: IntArray
    probability: FloatArray
    log_price: FloatArray  # (n_seconds, n_markets), before bounce
    clock: FloatArray  # information used up by each second
    jumps: IntArray  # seconds at which the clock jumped
    markets: tuple[MarketTruth, ...]
    outcome: int | None  # 1 or 0 where the clock revealed it, else None


class Night(NamedTuple):
    """A simulated tape and its truth."""

    tape: Tape
    truth: NightTruth


def information_clock(
    n: int, *, total: float, jump_share: float, n_jumps: int, rng: np.random.Generator
) -> tuple[FloatArray, IntArray]:
    """Clock increments ``(n,)`` a second that sum to ``total``, and the seconds of its jumps.

    The creeping part follows one slow hump (results come in, then run dry); ``jump_share`` of the
    total falls on ``n_jumps`` random seconds in random parts.
    """
    if total < 0.0 or not 0.0 <= jump_share <= 1.0:
        raise InputError("total >= 0 and 0 <= jump_share <= 1", met=(total, jump_share))
    u = (np.arange(n) + 0.5) / n
    hump = 0.25 + np.exp(-0.5 * ((u - 0.45) / 0.22) ** 2)
    creep = total * (1.0 - jump_share) * hump / hump.sum() if n_jumps else total * hump / hump.sum()
    jumps = np.sort(rng.choice(n, size=min(n_jumps, n), replace=False)).astype(np.int64)
    if jumps.size:
        parts = rng.dirichlet(np.full(jumps.size, 2.0))
        creep[jumps] += total * jump_share * parts
    return creep, jumps


def event_night(
    seed: int,
    *,
    markets: tuple[MarketTruth, ...] = MARKETS,
    hours: float = 8.0,
    start_ns: int = NIGHT_NS,
    probability: float = 0.58,
    information: float = 1.5,
    jump_share: float = 0.4,
    n_jumps: int = 8,
    reveal: bool = False,
    quote_s: float = 60.0,
    quote_noise: float = 0.002,
    quote_delay_s: float = 0.0,
    tick: float = 0.001,
    independent: bool = False,
) -> Night:
    """A simulated night of ``hours`` from ``start_ns``, drawn from ``seed``, with every truth.

    ``information`` is the clock's total L (U's variance grows to e^L - 1); ``reveal`` adds a last
    stretch in which it runs far enough to end B at 0 or 1. ``quote_noise`` is the sd of the
    probability's quote; quotes come every ``quote_s`` seconds within 5%, and each is stamped late
    by up to ``quote_delay_s``, which its feed then states as its uncertainty. ``independent`` draws
    the markets from another probability of the same law: a placebo with the gaps' noise, no link.
    """
    if isinstance(seed, int) and seed < 0:
        raise InputError("a seed >= 0", met=seed)
    if not 0.0 < probability < 1.0:
        raise InputError("a starting probability inside (0, 1)", met=probability)
    rng = np.random.default_rng(seed)
    n = round(hours * 3600)
    shape = (n, probability, information, jump_share, n_jumps)
    path, clock, jumps = _path(*shape, rng, reveal=reveal)
    moved = _path(*shape, rng, reveal=reveal)[0] if independent else path
    seconds = np.arange(n + 1)
    ts = start_ns + seconds * SECOND
    common = np.r_[0.0, np.cumsum(rng.standard_normal(n))] / np.sqrt(60.0)
    log_price = np.empty((n + 1, len(markets)))
    feeds = [_quotes(ts, path, quote_s, quote_noise, quote_delay_s, tick, rng)]
    for k, market in enumerate(markets):
        shifted = _answer(moved, market.lag_s, market.spread_s)
        log_price[:, k] = (
            np.log(100.0)
            + market.gap * (shifted - shifted[0])
            + market.common * common
            + market.volatility * _own_noise(clock, market.news_share, market.restless, rng)
        )
        feeds.append(_ticks(ts, log_price[:, k], market, rng))
    feeds.append(_results(ts, clock))
    outcome = int(path[-1] > 0.5) if reveal else None
    truth = NightTruth(ts, path, log_price, np.cumsum(clock), jumps, markets, outcome)
    return Night(Tape(tuple(feeds), simulated=True), truth)


def _path(
    n: int,
    probability: float,
    information: float,
    jump_share: float,
    n_jumps: int,
    rng: np.random.Generator,
    *,
    reveal: bool,
) -> tuple[FloatArray, FloatArray, IntArray]:
    """B at whole seconds ``(n + 1,)``, clock increments ``(n + 1,)`` (first 0), jump seconds."""
    clock, jumps = information_clock(
        n, total=information, jump_share=jump_share, n_jumps=n_jumps, rng=rng
    )
    if reveal:  # a last hour in which a clock of 12 leaves B within 1e-3 of its end, as a rule
        last = max(n - 3600, n // 2)
        clock[last:] += 12.0 / (n - last)
    grow, spread = np.exp(0.5 * clock), np.sqrt(np.expm1(clock))
    shocks = spread * rng.standard_normal(n)
    # U_i = grow_i U_{i-1} + shock_i  is a cumulative sum once divided by the product of growths.
    level = np.cumprod(grow)
    u = level * (ndtri(probability) + np.cumsum(shocks / level))
    return np.r_[probability, ndtr(u)], np.r_[0.0, clock], jumps + 1


def _answer(path: FloatArray, lag_s: float, spread_s: float) -> FloatArray:
    """B(t - lag), or its mean over the ``spread_s`` seconds before; constant beyond the night."""
    seconds = np.arange(path.size)
    back = np.linspace(0.0, spread_s, max(round(spread_s / 10.0), 1))
    parts = [np.interp(seconds - lag_s - b, seconds, path) for b in back]
    answer: FloatArray = np.mean(parts, axis=0)
    return answer


def _own_noise(
    clock: FloatArray, news_share: float, restless: float, rng: np.random.Generator
) -> FloatArray:
    """A walk ``(n + 1,)`` of unit variance a minute at first, which follows the clock in part."""
    n = clock.size - 1
    used = float(clock[1:].sum())
    news = clock[1:] * n / used if used > 0.0 else np.ones(n)
    variance = (1.0 - news_share + news_share * news) / 60.0
    variance[n // 2 :] *= restless**2
    walk: FloatArray = np.r_[0.0, np.cumsum(np.sqrt(variance) * rng.standard_normal(n))]
    return walk


def _quotes(
    ts: IntArray,
    path: FloatArray,
    quote_s: float,
    noise: float,
    delay_s: float,
    tick: float,
    rng: np.random.Generator,
) -> Feed:
    n = ts.size - 1
    gaps = quote_s * rng.uniform(0.95, 1.05, size=int(n / quote_s / 0.94) + 2)
    at = np.cumsum(np.r_[rng.uniform(0.0, quote_s), gaps])
    at = at[at < n]
    known = at - delay_s * rng.uniform(size=at.size) if delay_s > 0.0 else at
    seen = np.interp(known, np.arange(path.size), path) + noise * rng.standard_normal(at.size)
    seen = np.clip(np.round(seen / tick) * tick, tick, 1.0 - tick)
    stamps = ts[0] + (at * 1e9).astype(np.int64)
    frame = pl.DataFrame({"ts": stamps, "probability": seen}).select(
        pl.lit("sim:event").alias("symbol"),
        pl.col("ts").cast(pl.Datetime("ns", "UTC")),
        "probability",
        *(pl.lit(None, pl.Float64).alias(name) for name in ("bid", "ask", "size")),
    )
    instrument = Instrument("sim", "event", "event contract")
    return Feed(
        instrument,
        "event",
        PROBABILITY,
        check(frame, PROBABILITY),
        round(delay_s * SECOND),
        "simulated",
    )


def _ticks(
    ts: IntArray, log_price: FloatArray, market: MarketTruth, rng: np.random.Generator
) -> Feed:
    n = ts.size - 1
    count = rng.poisson(n / market.tick_s)
    at = np.sort(rng.uniform(0.0, n, size=max(count, 2)))
    side = rng.choice(np.array([-1, 1]), size=at.size)
    price = np.exp(np.interp(at, np.arange(n + 1), log_price) + market.bounce * side)
    symbol = f"sim:{market.label}"
    frame = pl.DataFrame(
        {"ts": ts[0] + (at * 1e9).astype(np.int64), "price": price, "side": side}
    ).select(
        pl.lit(symbol).alias("symbol"),
        pl.col("ts").cast(pl.Datetime("ns", "UTC")),
        "price",
        pl.lit(1.0).alias("size"),
        pl.col("side").cast(pl.Int8),
        pl.lit(None, pl.String).alias("trade_id"),
    )
    instrument = Instrument("sim", market.label, "future")
    return Feed(instrument, market.label, TRADE, check(frame, TRADE), 0, "simulated")


def _results(ts: IntArray, clock: FloatArray) -> Feed:
    """A results timeline whose counted share is the information clock, every three minutes."""
    used = np.cumsum(clock)
    share = used / used[-1] if used[-1] > 0.0 else np.zeros_like(used)
    at = np.arange(0, ts.size, 180)
    counted = share[at]
    frame = pl.DataFrame({"ts": ts[at], "share_counted": counted}).select(
        pl.lit("all").alias("region"),
        pl.col("ts").cast(pl.Datetime("ns", "UTC")),
        pl.lit("A").alias("party"),
        (pl.col("share_counted") * 1e6).alias("votes"),
        "share_counted",
        pl.lit(None, pl.Float64).alias("win_probability"),
    )
    instrument = Instrument("sim", "results", "news")
    return Feed(instrument, "results", RESULT, check(frame, RESULT), 180 * SECOND, "simulated")
