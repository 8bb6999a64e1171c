r"""Prices of one trend whose leader is known, on a regular grid. Everything here is simulated.

The trend m is a random walk of standard deviation ``step_sd`` a step, in log price. A market's
speed d is the part of the trend's shock it takes at once. Designs::

    yan_zivot           p_t = p_{t-1} + d (B m_t - p_{t-1}) + b z_t        Yan and Zivot (2010)
    common_trend_panel  the same with one correlated error a price
    roll                p_t = m_t + c q_t, q = +1 or -1: nobody leads                Roll (1984)
    equicorrelated      each reverts to the mean of all, errors equally correlated: nobody leads
    delayed_noise       m seen with noise at once and ``lead_s`` later, every ``step_s`` seconds

The truth is that of the population: ``pils[i, j]`` is what the pair (i, j), taken alone, tends to.
For prices that adjust it is d_i^2 / (d_i^2 + d_j^2) whatever the errors' covariance; the proof by
Kalman filter is in :mod:`.price_leaders_exact`. With fewer shocks than prices plus one a vector
error correction model of one lag is exact (Yan and Zivot's own: one trend, n - 1 transitory
shocks); with an error of each price's own it is a mixed process, which lags only approach.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.estimators.discovery.information_share import shares
from eventtape.simulate.price_leaders_exact import delayed_market, innovations_form

__all__ = [
    "LeaderMarket",
    "LeaderTruth",
    "common_trend_panel",
    "delayed_noise",
    "equicorrelated",
    "roll",
    "yan_zivot",
]

STEP_SD = 5e-4  # five basis points a step
_START = math.log(100.0)
_FORGOTTEN = 1e-12

Seed = int | Sequence[int]


class LeaderTruth(NamedTuple):
    """Who leads and by how much, in population; ``leader`` is -1 where nobody does."""

    kind: str
    leader: int
    speeds: FloatArray  # (n,) d, for a delay those of the residuals; NaN without a trend
    betas: FloatArray  # (n,) long-run responses to the trend; NaN without one
    pils: FloatArray  # (n, n): of i in the pair (i, j); NaN where a pair has no common trend


class LeaderMarket(NamedTuple):
    """Simulated log prices ``(n_rows, n)`` and the truth behind them."""

    log_prices: FloatArray
    truth: LeaderTruth


@njit(cache=True)
def _adjust(d: FloatArray, target: FloatArray, noise: FloatArray, out: FloatArray) -> None:
    """Each price moves by d of its distance to its target; the first row starts on it."""
    for i in range(d.shape[0]):
        p = target[0, i]
        for t in range(target.shape[0]):
            p += d[i] * (target[t, i] - p) + noise[t, i]
            out[t, i] = p


def yan_zivot(
    seed: Seed,
    n_rows: int,
    speeds: FloatArray,
    transitory: FloatArray,
    *,
    betas: FloatArray | None = None,
    step_sd: float = STEP_SD,
    transitory_sd: float = STEP_SD,
) -> LeaderMarket:
    """Prices that adjust to one trend at their own speeds, hit by shared transitory shocks.

    ``speeds`` ``(n,)`` in (0, 2); ``transitory`` ``(n,)`` or ``(n, m)`` loads m shocks of standard
    deviation ``transitory_sd``. With m = n - 1 the residual covariance of all n has full rank; with
    one shock every pair is an exact one-lag model, and three or more together are singular.
    """
    d = _speeds(speeds)
    b = np.asarray(transitory, np.float64)
    if b.ndim not in {1, 2} or b.shape[0] != d.size:
        raise InputError(f"transitory loadings ({d.size},) or ({d.size}, m)", met=b.shape)
    b = b.reshape(d.size, -1)
    rng = np.random.default_rng(seed)
    burn = _burn(d)
    z = transitory_sd * rng.standard_normal((burn + n_rows, b.shape[1]))
    return _adjusting(rng, n_rows, d, betas, z @ b.T, step_sd, "adjusting, shared noise")


def common_trend_panel(
    seed: Seed,
    n_rows: int,
    speeds: FloatArray,
    betas: FloatArray | None = None,
    *,
    correlation: float = 0.0,
    noise_sd: float | FloatArray = STEP_SD,
    step_sd: float = STEP_SD,
) -> LeaderMarket:
    """Prices that adjust to one trend at their own speeds, with errors equally correlated.

    ``noise_sd`` is one number or ``(n,)``; ``betas`` ``(n,)``, long-run responses, are 1 if left.
    """
    d = _speeds(speeds)
    rng = np.random.default_rng(seed)
    sd = np.asarray(noise_sd, np.float64)
    if sd.shape not in {(), d.shape} or not np.all(sd >= 0.0):
        raise InputError(f"a noise_sd >= 0, one or {d.size}", met=sd.tolist())
    u = sd * _equal_shocks(rng, _burn(d) + n_rows, d.size, correlation)
    return _adjusting(rng, n_rows, d, betas, u, step_sd, "adjusting, own noise")


def roll(
    seed: Seed,
    n_rows: int,
    half_spreads: FloatArray,
    *,
    step_sd: float = STEP_SD,
    correlation: float = 0.0,
) -> LeaderMarket:
    """The trend itself, plus or minus each market's half spread: nobody leads, all differ in noise.

    ``half_spreads`` ``(n,)`` in log price; ``correlation`` is that of the sides of two markets.
    """
    c = np.asarray(half_spreads, np.float64)
    n = c.size
    if c.ndim != 1 or n < 2 or not np.all(c > 0.0):
        raise InputError("two or more half spreads > 0", met=c.tolist())
    _check_share(correlation, "correlation")
    rng = np.random.default_rng(seed)
    sides = rng.choice(np.array([-1.0, 1.0]), size=(n_rows, n + 1))
    shared = rng.random((n_rows, n)) < math.sqrt(correlation)
    q = np.where(shared, sides[:, -1:], sides[:, :n])
    m = np.cumsum(step_sd * rng.standard_normal(n_rows))
    return LeaderMarket(_START + m[:, None] + c * q, _nobody("roll", n))


def equicorrelated(
    seed: Seed,
    n_rows: int,
    n: int,
    correlation: float,
    *,
    reversion: float = 0.5,
    step_sd: float = STEP_SD,
) -> LeaderMarket:
    """Prices that revert to the mean of all with equal, equally correlated errors: nobody leads.

    An exact model of no lag: psi = 1/n, and every share is 1/n with bounds far apart.
    """
    d = _speeds(np.full(n, reversion))
    e = step_sd * _equal_shocks(np.random.default_rng(seed), n_rows, n, correlation)
    mean = e.mean(axis=1, keepdims=True)
    apart = np.empty((n_rows, n))
    _adjust(d, np.zeros((n_rows, n)), e - mean, apart)
    return LeaderMarket(_START + np.cumsum(mean, axis=0) + apart, _nobody("equicorrelated", n))


def delayed_noise(
    seed: Seed,
    n_rows: int,
    lead_s: float,
    step_s: float,
    *,
    variance_s: float = STEP_SD**2,
    noise_sd: float = STEP_SD,
) -> LeaderMarket:
    """One walk in continuous time, seen with noise: by market 0 at once, by 1 ``lead_s`` later.

    ``variance_s`` a second. Sampled every ``step_s`` seconds the lead fades from the residuals:
    ``pils`` is what is left of it. A lead of more than 50 steps is not done.
    """
    if not (step_s > 0.0 and 0.0 <= lead_s <= 50.0 * step_s and variance_s > 0.0 < noise_sd):
        met = (lead_s, step_s, variance_s, noise_sd)
        raise InputError("step, variance and noise > 0, a lead of 0 to 50 steps", met=met)
    rng = np.random.default_rng(seed)
    t = step_s * np.arange(n_rows)
    m = walk_at(rng, np.concatenate([t, t - lead_s])).reshape(2, n_rows).T
    noise = noise_sd * rng.standard_normal((n_rows, 2))
    form = innovations_form(
        delayed_market(
            lead_s, step_s, variance_s=1.0, noise_sd=np.full(2, noise_sd / math.sqrt(variance_s))
        )
    )
    part = shares(form.psi[0], form.omega)
    pils = np.array([[0.5, part.pils[0]], [part.pils[1], 0.5]])
    leader = 0 if lead_s > 0.0 else -1
    truth = LeaderTruth("delayed noise", leader, part.speed, np.ones(2), pils)
    return LeaderMarket(_START + math.sqrt(variance_s) * m + noise, truth)


def walk_at(rng: np.random.Generator, times_s: FloatArray) -> FloatArray:
    """A standard Brownian motion at any times, in any order, 0 at the earliest."""
    order = np.argsort(times_s, kind="stable")
    gaps = np.diff(times_s[order], prepend=times_s[order[0]])
    out = np.empty(times_s.size)
    out[order] = np.cumsum(np.sqrt(gaps) * rng.standard_normal(gaps.size))
    return out


def _adjusting(
    rng: np.random.Generator,
    n_rows: int,
    d: FloatArray,
    betas: FloatArray | None,
    noise: FloatArray,
    step_sd: float,
    kind: str,
) -> LeaderMarket:
    B = np.ones(d.size) if betas is None else np.array(betas, np.float64)
    if B.shape != d.shape or not np.all(B != 0.0):
        raise InputError("a beta that is not zero for each speed", met=B.tolist())
    m = np.cumsum(step_sd * rng.standard_normal(noise.shape[0]))
    p = np.empty(noise.shape)
    _adjust(d, m[:, None] * B, noise, p)
    fastest = np.flatnonzero(d == d.max())
    leader = int(fastest[0]) if fastest.size == 1 else -1
    square = d[:, None] ** 2
    truth = LeaderTruth(kind, leader, d, B, square / (square + d**2))
    return LeaderMarket(_START + p[noise.shape[0] - n_rows :], truth)


def _nobody(kind: str, n: int) -> LeaderTruth:
    return LeaderTruth(kind, -1, np.ones(n), np.ones(n), np.full((n, n), 0.5))


def _equal_shocks(rng: np.random.Generator, n_rows: int, n: int, correlation: float) -> FloatArray:
    """Standard normal rows, any two columns with the stated correlation."""
    _check_share(correlation, "correlation")
    own, common = rng.standard_normal((n_rows, n)), rng.standard_normal((n_rows, 1))
    return math.sqrt(1.0 - correlation) * own + math.sqrt(correlation) * common


def _speeds(speeds: FloatArray) -> FloatArray:
    d = np.array(speeds, np.float64)
    if d.ndim != 1 or d.size < 2 or not np.all((d > 0.0) & (d < 2.0)):
        raise InputError("two or more speeds between 0 and 2", met=d.tolist())
    return d


def _burn(d: FloatArray) -> int:
    """Rows after which the start is forgotten."""
    slow = float(np.abs(1.0 - d).max())
    return 0 if slow == 0.0 else math.ceil(math.log(_FORGOTTEN) / math.log(slow))


def _check_share(value: float, name: str) -> None:
    if not 0.0 <= value <= 1.0:
        raise InputError("a number from 0 to 1", met=value, column=name)
