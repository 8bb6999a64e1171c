r"""Ticks of several assets on one efficient price, each at its own times and its own delay.

Simulated. The efficient log price m is a Brownian motion in continuous time. Asset i is seen at the
times of a Poisson process of its own rate and shows::

    p_i(t) = B_i m(t - lag_i) + own_i(t) + noise + half_spread * (+1 or -1),

own_i an independent Brownian motion. The levels at the tick times are exact: m is drawn at the
union of all shifted times. With equal lags and different rates nobody leads, though the quiet
asset's last price is stale on any grid: the placebo for methods that sample. Units: seconds, log
price, standard deviations per square root of a second; stamps in ns.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.simulate.price_leaders import Seed, walk_at

__all__ = ["TickMarket", "TickTruth", "asynchronous_ticks", "on_grid"]

_FIRST = 946_684_800 * SECOND  # 2000-01-01T00:00Z: no date on which anything here happened


class TickTruth(NamedTuple):
    """Who leads and by how much; ``leader`` is -1 where the smallest lag is shared."""

    kind: str
    leader: int
    lags_s: FloatArray  # (n,) each asset's delay behind the efficient price
    pairs_s: FloatArray  # (n, n) lag of j behind i: positive where i leads
    betas: FloatArray  # (n,)


class TickMarket(NamedTuple):
    """Simulated ticks: for each asset rising times ``(n_i,)`` in ns and log prices ``(n_i,)``."""

    times: tuple[IntArray, ...]
    log_prices: tuple[FloatArray, ...]
    truth: TickTruth


def asynchronous_ticks(
    seed: Seed,
    span_s: float,
    rates: ArrayLike,
    lags_s: ArrayLike,
    *,
    volatility: float = 1e-4,
    betas: ArrayLike = 1.0,
    own: ArrayLike = 0.0,
    noise_sd: ArrayLike = 0.0,
    half_spreads: ArrayLike = 0.0,
) -> TickMarket:
    """Ticks of n assets over ``span_s`` seconds from one efficient price.

    ``rates`` ``(n,)`` are ticks a second, ``lags_s`` ``(n,)`` delays in seconds. ``volatility`` of
    the efficient price and ``own`` of each asset are per square root of a second; ``betas``,
    ``own``, ``noise_sd`` and ``half_spreads`` are one number or ``(n,)``.
    """
    rate, lag = np.asarray(rates, np.float64), np.asarray(lags_s, np.float64)
    n = rate.size
    if rate.ndim != 1 or lag.shape != rate.shape or n < 2:
        raise InputError("rates and lags (n,), n >= 2", met=(rate.shape, lag.shape))
    if not (np.all(rate > 0.0) and np.all(lag >= 0.0) and span_s > 0.0):
        met = (rate.tolist(), lag.tolist(), span_s)
        raise InputError("rates > 0, lags >= 0 and a span > 0", met=met)
    B, own_sd, noise, spread = (
        np.broadcast_to(np.asarray(v, np.float64), (n,))
        for v in (betas, own, noise_sd, half_spreads)
    )
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rate * span_s)
    if not counts.all():
        raise InputError("a span in which every asset ticks", met=counts.tolist())
    stamps = [np.unique((span_s * SECOND * rng.random(c)).astype(np.int64)) for c in counts]
    seen = [t / SECOND - lag[i] for i, t in enumerate(stamps)]
    ends = np.cumsum([s.size for s in seen])[:-1]
    m = np.split(volatility * walk_at(rng, np.concatenate(seen)), ends)
    prices = []
    for i, t in enumerate(stamps):
        p = math.log(100.0) + B[i] * m[i] + noise[i] * rng.standard_normal(t.size)
        p += own_sd[i] * walk_at(rng, t / SECOND)
        p += spread[i] * rng.choice(np.array([-1.0, 1.0]), size=t.size)
        prices.append(p)
    first = np.flatnonzero(lag == lag.min())
    leader = int(first[0]) if first.size == 1 else -1
    truth = TickTruth("asynchronous ticks", leader, lag, lag - lag[:, None], B.copy())
    return TickMarket(tuple(_FIRST + t for t in stamps), tuple(prices), truth)


def on_grid(market: TickMarket, step_s: float) -> FloatArray:
    """Last log price at or before each step of a regular grid, ``(n_rows, n)``.

    The grid begins where every asset has been seen and ends with the last tick.
    """
    begin = max(int(t[0]) for t in market.times)
    end = max(int(t[-1]) for t in market.times)
    grid = np.arange(begin, end + 1, round(step_s * SECOND))
    columns = [
        p[np.searchsorted(t, grid, side="right") - 1]
        for t, p in zip(market.times, market.log_prices, strict=True)
    ]
    return np.column_stack(columns)
