"""Prices among which nobody can lead: what a rule that names leaders must stay quiet on.

Simulated. ``independent_walks`` share no trend at all, whatever their volatility, their bid-ask
bounce and the tails and clusters of their steps. ``walk_and_stationary`` fools a rank test: a
series that is stationary by itself makes rank one with anything, and no trend is shared.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.simulate.price_leaders import STEP_SD, LeaderMarket, LeaderTruth, Seed

__all__ = ["independent_walks", "walk_and_stationary"]

_ALPHA, _BETA = 0.10, 0.85  # GARCH(1,1) of one-minute returns, roughly; unit variance
_BURN = 200


@njit(cache=True)
def _clustered(z: FloatArray, alpha: float, beta: float) -> None:
    """Independent standard shocks into GARCH(1,1) ones of unit variance, in place."""
    for i in range(z.shape[1]):
        h = 1.0
        for t in range(z.shape[0]):
            z[t, i] *= math.sqrt(h)
            h = 1.0 - alpha - beta + alpha * z[t, i] ** 2 + beta * h


@njit(cache=True)
def _persistent(e: FloatArray, phi: float) -> None:
    """Shocks into an AR(1) that starts in its stationary law, in place."""
    e[0] /= math.sqrt(1.0 - phi**2)
    for t in range(1, e.shape[0]):
        e[t] += phi * e[t - 1]


def independent_walks(
    seed: Seed,
    n_rows: int,
    n: int,
    *,
    volatility: FloatArray | None = None,
    bounce: float = 0.0,
    shocks: Literal["normal", "t3", "garch"] = "normal",
) -> LeaderMarket:
    """Independent walks in log price, ``(n_rows, n)``: no trend is shared and nobody leads.

    ``volatility`` ``(n,)`` is the standard deviation of a step (five basis points unless given).
    ``bounce`` adds plus or minus a half spread of that many steps to each row. ``t3`` steps have
    Student's t with 3 degrees of freedom, ``garch`` ones cluster; both keep the volatility.
    """
    sd = np.full(n, STEP_SD) if volatility is None else np.asarray(volatility, np.float64)
    if sd.shape != (n,) or not np.all(sd > 0.0) or not bounce >= 0.0:
        met = (sd.tolist(), bounce)
        raise InputError(f"{n} volatilities > 0 and a bounce >= 0", met=met)
    rng = np.random.default_rng(seed)
    if shocks == "t3":
        z = rng.standard_t(3.0, (n_rows, n)) / math.sqrt(3.0)
    elif shocks == "garch":
        z = rng.standard_normal((_BURN + n_rows, n))
        _clustered(z, _ALPHA, _BETA)
        z = z[_BURN:]
    else:
        z = rng.standard_normal((n_rows, n))
    p = math.log(100.0) + np.cumsum(z, axis=0) * sd
    if bounce > 0.0:
        p += bounce * sd * rng.choice(np.array([-1.0, 1.0]), size=p.shape)
    return LeaderMarket(p, _no_trend("independent walks", n))


def walk_and_stationary(
    seed: Seed, n_rows: int, phi: float = 0.7, *, step_sd: float = STEP_SD
) -> LeaderMarket:
    """A walk and an independent AR(1) of coefficient ``phi``, both with steps of ``step_sd``."""
    if not -1.0 < phi < 1.0:
        raise InputError("a coefficient between -1 and 1", met=phi)
    rng = np.random.default_rng(seed)
    walk, still = step_sd * rng.standard_normal((2, n_rows))
    _persistent(still, phi)
    prices = math.log(100.0) + np.column_stack([np.cumsum(walk), still])
    return LeaderMarket(prices, _no_trend("walk and stationary", 2))


def _no_trend(kind: str, n: int) -> LeaderTruth:
    blank = np.full(n, np.nan)
    return LeaderTruth(kind, -1, blank, blank, np.full((n, n), np.nan))
