r"""Option chains and spot around an event, a day or weeks of them, with known states. Simulated.

At snapshot t the law at expiry is f = pi_t f1 + (1 - pi_t) f0. Each state is a Gram-Charlier law
(:mod:`~eventtape.estimators.pricing.gram_charlier`) with log means delta_t apart, log vols
``log_vol_ratio`` apart and one shape::

    log F_t  = n_t + log(1 - pi_t + pi_t e^{delta_t}),    n_t a random walk: all other news,
    Phi^-1(pi_t) a bridge from p_start to p_end, quoted with a wedge and noise,
    log vol  stationary, AR(1) from snapshot to snapshot;  delta_t a random walk around delta.

Quotes are of the option out of the money, one a strike::

    h = c + s V,   fair = V + displacement h e,   bid = round(fair - h), ask = round(fair + h),

e of variance 1/3 (a uniform's), a ``memory_share`` of which stays from snapshot to snapshot (AR(1)
with ``memory``) and bends neighbouring strikes together (correlation exp(-\|du\| / ``reach``), u in
standard deviations). Prices are undiscounted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.pricing.gram_charlier import (
    GramCharlierStates,
    call_and_slopes,
    is_law,
)

__all__ = ["DAY", "WEEKS", "Span", "StatesTruth", "TwoStates", "two_states"]

_YEAR_NS = 365 * 86_400 * 10**9
_NOON_NS = 1_730_808_000 * 10**9  # 2024-11-05 12:00Z


class Span(NamedTuple):
    """When the snapshots are taken, and what the market does between them."""

    n_times: int
    step_days: float
    days_to_expiry: float  # at the first snapshot
    vol: float  # of either state, per sqrt(year)
    spot_vol: float  # of other news, per sqrt(year)
    vol_walk: float  # stationary sd of the log vol


DAY = Span(40, 0.3 / 39, 10.0, 0.6, 0.5, 0.03)
"""Forty snapshots of one day, ten days before expiry."""
WEEKS = Span(12, 7.0, 91.0, 0.2, 0.17, 0.10)
"""Twelve weekly snapshots, the last two weeks before expiry."""


class StatesTruth(NamedTuple):
    """What was true at each snapshot ``(n_times,)``: the gap, the pricing probability, the law."""

    delta: FloatArray
    probability: FloatArray  # the pricing one, without wedge and noise
    vols: FloatArray  # (n_times, 2), of state 1 and state 0
    laws: tuple[GramCharlierStates, ...]
    calls: FloatArray  # (n_times, n_strikes), undiscounted


class TwoStates(NamedTuple):
    """Simulated snapshots: what a desk would have seen, and the truth.

    - ``times_ns``, ``probability`` (as quoted), ``probability_sd`` (of its noise), ``forward``
      and ``tau`` (years), ``(n_times,)``.
    - ``strikes``, ``is_call`` ``(n_strikes,)``; ``bids``, ``asks`` ``(n_times, n_strikes)`` of
      the option that was out of the money at the first snapshot; undiscounted.
    """

    times_ns: IntArray
    probability: FloatArray
    probability_sd: FloatArray
    forward: FloatArray
    tau: FloatArray
    strikes: FloatArray
    is_call: BoolArray
    bids: FloatArray
    asks: FloatArray
    tick: float
    truth: StatesTruth


def two_states(
    seed: int | Sequence[int],
    *,
    delta: float = 0.08,
    log_vol_ratio: float = 0.0,
    skewness: float = 0.0,
    excess_kurtosis: float = 0.0,
    span: Span = DAY,
    p_start: float = 0.4,
    p_end: float = 0.6,
    p_restless: float = 0.05,
    p_noise: float = 0.0,
    wedge: float = 0.0,
    drift: float = 0.0,
    skew_drift: float = 0.0,
    n_strikes: int = 60,
    width: float = 3.0,
    tick: float = 0.01,
    half_spread: tuple[float, float] = (0.01, 0.01),
    displacement: float = 0.4,
    memory_share: float = 0.0,
    memory: float = 0.9,
    reach: float = 0.5,
    forward: float = 100.0,
    start_ns: int = _NOON_NS,
    path: FloatArray | None = None,
) -> TwoStates:
    """Snapshots of one expiry under two known states, drawn from ``seed``. Simulated.

    Parameters
    ----------
    delta, log_vol_ratio
        log(m1 / m0) on average over the snapshots, and log(vol 1 / vol 0).
    skewness, excess_kurtosis
        Of the log return in either state.
    span
        :data:`DAY`, :data:`WEEKS` or one's own.
    p_start, p_end, p_restless
        The pricing probability goes from one to the other; its path in probits is a Brownian
        bridge with this sd at the middle.
    p_noise, wedge
        Sd of the quoted probability, and how far its probit stands below the pricing one.
    drift
        Sd of delta's step from one snapshot to the next.
    skew_drift
        What both states' skewness gains from the first snapshot to the last, whatever p does: news
        that no model of constant shape allows for.
    n_strikes, width
        How many, over how many standard deviations to either side of the first forward.
    tick, half_spread, displacement, memory_share, memory, reach
        Of the quotes, as above.
    path
        The pricing probability at the snapshots ``(n_times,)``, inside (0, 1), in place of the
        bridge: a night whose news something else has drawn.
    """
    _check(span, p_start, p_end, memory_share, memory, skewness, excess_kurtosis)
    _check(span, p_start, p_end, memory_share, memory, skewness + skew_drift, excess_kurtosis)
    rng = np.random.default_rng(seed)
    n = span.n_times
    step = span.step_days / 365.0
    tau = np.asarray(span.days_to_expiry / 365.0 - step * np.arange(n), np.float64)
    pi = _bridge(n, p_start, p_end, p_restless, rng) if path is None else _given(path, n)
    d = np.cumsum(np.r_[0.0, drift * rng.standard_normal(n - 1)])
    d += delta - d.mean()
    news = np.cumsum(np.r_[0.0, span.spot_vol * math.sqrt(step) * rng.standard_normal(n - 1)])
    F = forward * np.exp(news) * (1.0 - pi + pi * np.exp(d))
    F = np.asarray(F * (forward / F[0]), np.float64)
    level = span.vol * np.exp(span.vol_walk * _autoregressive(n, 1, 0.8, rng)[:, 0])
    vols: FloatArray = level[:, None] * np.exp(0.5 * log_vol_ratio * np.array([1.0, -1.0]))
    sd = float(span.vol * math.sqrt(tau[0]))
    u = np.linspace(-width, width, n_strikes)
    K = np.asarray(np.round(F[0] * np.exp(sd * u) / tick) * tick, np.float64)
    shape = skewness + skew_drift * np.arange(n) / (n - 1)
    laws, calls = _laws(pi, d, F, vols, tau, K, shape, excess_kurtosis)
    out_call = F[0] <= K
    values = np.where(out_call, calls, np.maximum(calls - (F[:, None] - K), 0.0))
    half = half_spread[0] + half_spread[1] * values
    e = math.sqrt(1.0 - memory_share) * rng.uniform(-1.0, 1.0, (n, n_strikes))
    if memory_share > 0.0:
        bent = _autoregressive(n, n_strikes, memory, rng) @ _root_of_reach(u, reach).T
        e += math.sqrt(memory_share / 3.0) * bent
    fair = values + displacement * half * e
    noisy = pi if wedge == 0.0 else ndtr(ndtri(pi) - wedge)
    noisy = np.clip(noisy + p_noise * rng.standard_normal(n), 0.01, 0.99)
    return TwoStates(
        start_ns + np.rint(np.arange(n) * step * _YEAR_NS).astype(np.int64),
        noisy,
        np.full(n, p_noise),
        F,
        tau,
        K,
        out_call,
        np.maximum(np.round((fair - half) / tick), 0.0) * tick,
        np.maximum(np.round((fair + half) / tick), 1.0) * tick,
        tick,
        StatesTruth(d, pi, vols, laws, calls),
    )


def _check(
    span: Span,
    p_start: float,
    p_end: float,
    memory_share: float,
    memory: float,
    skewness: float,
    excess_kurtosis: float,
) -> None:
    if span.n_times < 2 or span.days_to_expiry <= span.step_days * (span.n_times - 1):
        raise InputError("2 or more snapshots, all before expiry", met=span)
    for name, value in (("p_start", p_start), ("p_end", p_end)):
        if not 0.0 < value < 1.0:
            raise InputError(f"a {name} inside (0, 1)", met=value)
    if not (0.0 <= memory_share <= 1.0 and 0.0 <= memory < 1.0):
        raise InputError("a memory share in [0, 1], memory in [0, 1)", met=(memory_share, memory))
    if not is_law(skewness, excess_kurtosis):
        raise InputError("a shape that is a law", met=(skewness, excess_kurtosis))


def _given(path: FloatArray, n: int) -> FloatArray:
    pi = np.asarray(path, np.float64)
    if pi.shape != (n,) or not ((pi > 0.0) & (pi < 1.0)).all():
        raise InputError(f"a probability inside (0, 1) at each of {n} snapshots", met=pi.shape)
    return pi


def _bridge(
    n: int, start: float, end: float, restless: float, rng: np.random.Generator
) -> FloatArray:
    """Probabilities ``(n,)`` between two fixed ends."""
    share = np.arange(n) / (n - 1)
    walk = np.cumsum(np.r_[0.0, rng.standard_normal(n - 1)]) / math.sqrt(n - 1)
    bridge = 2.0 * restless * (walk - share * walk[-1])
    return np.asarray(ndtr(ndtri(start) + share * (ndtri(end) - ndtri(start)) + bridge))


def _autoregressive(n: int, m: int, memory: float, rng: np.random.Generator) -> FloatArray:
    """Stationary AR(1) of unit variance, ``(n, m)``."""
    x = np.empty((n, m))
    x[0] = rng.standard_normal(m)
    fresh = math.sqrt(1.0 - memory * memory) * rng.standard_normal((n - 1, m))
    for t in range(1, n):
        x[t] = memory * x[t - 1] + fresh[t - 1]
    return x


def _root_of_reach(u: FloatArray, reach: float) -> FloatArray:
    return np.asarray(
        np.linalg.cholesky(np.exp(-np.abs(u[:, None] - u) / reach) + 1e-12 * np.eye(u.size))
    )


def _laws(
    pi: FloatArray,
    delta: FloatArray,
    forward: FloatArray,
    vols: FloatArray,
    tau: FloatArray,
    strikes: FloatArray,
    skewness: FloatArray,
    excess_kurtosis: float,
) -> tuple[tuple[GramCharlierStates, ...], FloatArray]:
    """The law and the calls of each snapshot."""
    F, K = forward, strikes
    calls = np.zeros((pi.size, K.size))
    out, laws = np.empty((5, K.size)), []
    for t in range(pi.size):
        p = np.array([pi[t], 1.0 - pi[t]])
        m0 = F[t] / (p[1] + p[0] * math.exp(delta[t]))
        means = np.array([m0 * math.exp(delta[t]), m0])
        laws.append(
            GramCharlierStates(
                p, means, vols[t], float(skewness[t]), excess_kurtosis, float(tau[t])
            )
        )
        for j in range(2):
            w = float(vols[t, j] * math.sqrt(tau[t]))
            log_ratio = np.log(means[j] / K)
            call_and_slopes(
                K, log_ratio, float(means[j]), w, float(skewness[t]), excess_kurtosis, out
            )
            calls[t] += p[j] * out[0]
    return tuple(laws), calls
