"""The paths behind the simulated term structures: base variance, size, odds, price, and their IV.

A vote is due on a Tuesday in New York's evening, rate decisions from six weeks before that
Thursday on, each six weeks. See :mod:`eventtape.simulate.premium_frame` for the formulas.
"""

from __future__ import annotations

import math

import numpy as np

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import parse_ns
from eventtape.clock.event_calendar import DatedEvent
from eventtape.simulate.option_listing import listed_expiries

__all__ = [
    "MEAN_VARIANCE",
    "REVERSION",
    "VOTE",
    "base_variance",
    "events_due",
    "listed_around",
    "price_path",
    "true_iv",
    "vote_path",
]

_DAY_NS = 86_400 * 10**9
_YEAR = 365.0
VOTE = parse_ns("2001-02-06T23:00Z")  # a Tuesday on which nobody voted
_DECISION = parse_ns("2001-02-08T19:00Z")
_FRIDAY_AFTER = parse_ns("2001-02-09T08:00Z")
_SIX_WEEKS = 42 * _DAY_NS
MEAN_VARIANCE, REVERSION, _VOL_OF_VARIANCE = 0.25, 6.0, 0.4  # per year
_FIRST_VARIANCE = 0.20
_SIZE_STEP, _ODDS_STEP = 0.003, 0.012  # sd of a day's change
_LOWEST_SIZE, _LOWEST_VARIANCE = 0.01, 0.01


def events_due(last_ns: int) -> tuple[DatedEvent, ...]:
    """The vote and the decisions until the last expiry, rising."""
    due = range(_DECISION - _SIX_WEEKS, int(listed_expiries(last_ns)[-1]), _SIX_WEEKS)
    decisions = [DatedEvent("fomc", "Simulated rate decision", at, "simulated") for at in due]
    vote = DatedEvent("election", "Simulated vote", VOTE, "simulated")
    return tuple(sorted([vote, *decisions], key=lambda event: event.at_ns))


def listed_around(at: int) -> IntArray:
    """The expiries of one snapshot."""
    friday = np.array([_FRIDAY_AFTER] if at < _FRIDAY_AFTER else [], np.int64)
    return np.union1d(listed_expiries(at), friday)


def base_variance(rng: np.random.Generator, n: int) -> FloatArray:
    """The path of v, a value a day."""
    v = np.full(n, _FIRST_VARIANCE)
    for i in range(1, n):
        pull = REVERSION * (MEAN_VARIANCE - v[i - 1]) / _YEAR
        shock = _VOL_OF_VARIANCE * math.sqrt(v[i - 1] / _YEAR) * rng.standard_normal()
        v[i] = max(v[i - 1] + pull + shock, _LOWEST_VARIANCE)
    return v


def vote_path(
    rng: np.random.Generator, before: int, after: int, size: float, correlation: float
) -> tuple[FloatArray, FloatArray, bool]:
    """Sizes and odds of each snapshot, and whether it was won."""
    first, other = rng.standard_normal((2, before - 1))
    second = correlation * first + math.sqrt(1.0 - correlation**2) * other
    walk = size + _SIZE_STEP * np.concatenate([[0.0], np.cumsum(first)])
    odds = 0.5 + _ODDS_STEP * np.concatenate([[0.0], np.cumsum(second)])
    odds = np.clip(odds, 0.02, 0.98)
    happened = bool(rng.random() < odds[-1])
    return (
        np.concatenate([np.maximum(walk, _LOWEST_SIZE), np.full(after, math.nan)]),
        np.concatenate([odds, np.full(after, float(happened))]),
        happened,
    )


def true_iv(
    at: int,
    expiries: IntArray,
    variance: float,
    sizes: dict[str, float],
    events: tuple[DatedEvent, ...],
) -> FloatArray:
    """Volatilities of one snapshot without noise, ``(n_expiries,)``; sizes by kind."""
    T = (expiries - at) / (_YEAR * _DAY_NS)
    theta, kappa = MEAN_VARIANCE, REVERSION
    w = theta * T - (variance - theta) * np.expm1(-kappa * T) / kappa
    for event in events:
        if event.at_ns > at:
            w += np.where(expiries > event.at_ns, sizes[event.kind] ** 2, 0.0)
    return np.asarray(np.sqrt(w / T))


def price_path(
    rng: np.random.Generator,
    times: IntArray,
    v: FloatArray,
    sizes: dict[str, float],
    events: tuple[DatedEvent, ...],
) -> tuple[FloatArray, float]:
    """The price at each snapshot, 100 at first, and the vote's own log return."""
    variance = v[:-1] / _YEAR
    steps = np.sqrt(variance) * rng.standard_normal(variance.size) - variance / 2
    votes = math.nan
    for event in events:
        e = sizes[event.kind]
        move = e * float(rng.standard_normal()) - e * e / 2
        if event.at_ns == VOTE:
            votes = move
        step = int(np.searchsorted(times, event.at_ns)) - 1
        if 0 <= step < steps.size:
            steps[step] += move
    return 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(steps)])), votes
