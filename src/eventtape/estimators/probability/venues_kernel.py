r"""The filter of several venues on one event: a common U and an offset a venue.

State x = (U, w_1, ..., w_V) is normal with mean m and covariance P. Between quotes U takes the
exact transition of its clock and the offsets, if they move, a random walk; a quote of venue v sees
only s = U + w_v, so the update is that of a scalar (:mod:`.probit_kernel`): s goes from N(m_s, P_s)
to N(m_s', P_s'), and since x given s is normal, with g = P h / P_s,

    m += g (m_s' - m_s),    P -= g g' (P_s - P_s').

``weights`` follows how much of the mean of U is each venue's doing: a quote that moves U by the
share k of its surprise leaves 1 - k of what was there.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, IntArray, watches
from eventtape.estimators.pricing import normal
from eventtape.estimators.probability import probit_kernel
from eventtape.estimators.probability.probit_kernel import update

__all__ = ["run_venues"]


@njit(cache=True, error_model="numpy")
def _move(L: float, m: FloatArray, P: FloatArray) -> None:
    """The exact transition of U; the offsets stay."""
    growth = math.exp(0.5 * L)
    m[0] *= growth
    for j in range(1, m.shape[0]):
        P[0, j] *= growth
        P[j, 0] = P[0, j]
    P[0, 0] = growth * growth * P[0, 0] + math.expm1(L)


@njit(cache=True, error_model="numpy")
def _widen(more: FloatArray, P: FloatArray) -> None:
    """What the offsets moved."""
    for j in range(more.shape[0]):
        for k in range(more.shape[1]):
            P[j + 1, k + 1] += more[j, k]


@njit(cache=True, error_model="numpy")
def _learn(g: FloatArray, move: float, less: float, m: FloatArray, P: FloatArray) -> None:
    """What the news on s says of the rest."""
    for j in range(g.shape[0]):
        m[j] += g[j] * move
        for k in range(j + 1):
            P[j, k] -= g[j] * g[k] * less
            P[k, j] = P[j, k]


@watches(probit_kernel, normal)
@njit(cache=True, error_model="numpy")
def run_venues(
    venue: IntArray,
    y: FloatArray,
    side: IntArray,
    r: FloatArray,
    guess: FloatArray,
    L: FloatArray,
    drift: FloatArray,
    m: FloatArray,
    P: FloatArray,
    weights: FloatArray,
    answers: FloatArray,
) -> float:
    """Log-likelihood after the first quote; ``m``, ``P``, ``weights`` end as the final state.

    ``drift`` ``(n, V, V)`` or ``(0, V, V)``: the covariance the offsets gain before each quote.
    ``answers`` ``(4, n)`` takes mean and variance of U, and those of s before the quote; or
    ``(4, 0)``.
    """
    size = m.shape[0]
    keep = answers.shape[1] > 0
    total = 0.0
    g = np.empty(size)
    for i in range(y.shape[0]):
        if i > 0:
            _move(L[i], m, P)
            if drift.shape[0] > 0:
                _widen(drift[i], P)
        v = 1 + venue[i]
        s = m[0] + m[v]
        Ps = P[0, 0] + 2.0 * P[0, v] + P[v, v]
        if keep:
            answers[2, i], answers[3, i] = s, Ps
        after, Pa, gain = update(s, Ps, y[i], side[i], r[i], guess[i])
        for j in range(size):
            g[j] = (P[j, 0] + P[j, v]) / Ps
        _learn(g, after - s, Ps - Pa, m, P)
        share = min(max(g[0] * (1.0 - Pa / Ps), 0.0), 1.0)
        for j in range(weights.shape[0]):
            weights[j] *= 1.0 - share
        weights[venue[i]] += share
        if keep:
            answers[0, i], answers[1, i] = m[0], P[0, 0]
        if i > 0:
            total += gain
    return total
