r"""Walks that take in the shocks of observed factors at known speeds. Simulated.

Factor k moves by f_k a step, seen at once in its own level g. Asset i answers with loading lam_ik,
a share s_ik of it at once and the rest evenly over the next ``bars`` steps, and walks by itself::

    dp_it = sum_k lam_ik [s_ik f_kt + (1 - s_ik) mean_{j=1..bars} f_k,t-j] + own_i.

With the factors observed, residuals are f and (lam * s) f + own: impact response D0 = lam * s,
long-run response B = lam, speed D0 / B = s, whatever the factors' correlation. A share above 1
answers too much at once. A loading of 0 has no speed (NaN). A model with ``bars`` lags is exact.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.simulate.price_leaders import STEP_SD, Seed

__all__ = ["FactorMarket", "FactorTruth", "factor_panel"]


class FactorTruth(NamedTuple):
    """Responses to each factor, ``(n, K)``; ``leaders`` ``(K,)``, -1 where no speed is largest."""

    kind: str
    impact: FloatArray
    long_run: FloatArray
    speeds: FloatArray
    leaders: tuple[int, ...]


class FactorMarket(NamedTuple):
    """Simulated log prices ``(n_rows, n)``, factor levels ``(n_rows, K)``, and their truth."""

    log_prices: FloatArray
    factors: FloatArray
    truth: FactorTruth


def factor_panel(
    seed: Seed,
    n_rows: int,
    loadings: FloatArray,
    speeds: FloatArray,
    *,
    own_sd: float | FloatArray = STEP_SD,
    factor_sd: float = STEP_SD,
    correlation: float = 0.0,
    bars: int = 1,
) -> FactorMarket:
    """Log prices of n walks that answer to K observed factors, ``loadings``, ``speeds`` ``(n, K)``.

    ``own_sd`` (one number or ``(n,)``) is permanent too; ``correlation`` is that of two factors.
    """
    lam, s = np.asarray(loadings, np.float64), np.asarray(speeds, np.float64)
    own = np.broadcast_to(np.asarray(own_sd, np.float64), lam.shape[:1])
    if lam.ndim != 2 or lam.shape != s.shape:
        raise InputError("loadings and speeds of one shape (n, K)", met=(lam.shape, s.shape))
    if bars < 1 or not 0.0 <= correlation < 1.0 or not np.all(own >= 0.0):
        met = (bars, correlation, own.tolist())
        raise InputError("bars >= 1, a correlation in [0, 1), own_sd >= 0", met=met)
    n, K = lam.shape
    rng = np.random.default_rng(seed)
    z, common = rng.standard_normal((bars + n_rows, K)), rng.standard_normal((bars + n_rows, 1))
    f = factor_sd * (math.sqrt(1.0 - correlation) * z + math.sqrt(correlation) * common)
    now = f[bars:]
    late = sum(f[bars - j : bars - j + n_rows] for j in range(1, bars + 1)) / bars
    moves = now @ (lam * s).T + late @ (lam * (1.0 - s)).T
    moves += own * rng.standard_normal((n_rows, n))
    answers = np.where(lam == 0.0, np.nan, s)
    truth = FactorTruth("factor arrivals", lam * s, lam, answers, tuple(_leaders(answers)))
    start = math.log(100.0)
    return FactorMarket(start + np.cumsum(moves, axis=0), np.cumsum(now, axis=0), truth)


def _leaders(speeds: FloatArray) -> list[int]:
    """The one asset of largest speed for each factor, -1 where there is none."""
    largest = np.where(np.isnan(speeds), -np.inf, speeds)
    top = largest == largest.max(axis=0)
    alone = (top.sum(axis=0) == 1) & np.isfinite(largest.max(axis=0))
    return [int(i) for i in np.where(alone, np.argmax(top, axis=0), -1)]
