r"""What does a choice of order change: the extremes of an information share and of a speed.

A variable's share of a trend's variance depends on which of the others go before it: with S first,
it is cov(eta_k, e_i | e_S)^2 / (var(e_i | e_S) V_k) (Hasbrouck 1995), and every S is some order.
A speed for factor k depends on which other factors S go first and are held still: D0 / B for the
shock eta_k given eta_S. All subsets are tried: 2^K and 2^(K-1).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from eventtape.arrays import FloatArray

__all__ = ["order_extremes", "share_extremes"]


def share_extremes(psi: FloatArray, omega: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least and largest information share of the last variable in each factor's trend, ``(K,)``."""
    K = psi.shape[0] - 1
    c = omega @ psi[:K].T
    v = np.einsum("kj,jk->k", psi[:K], c)
    shares = []
    for S in _subsets(range(K)):
        fit = np.linalg.solve(omega[np.ix_(S, S)], omega[S, K])
        shares.append((c[K] - fit @ c[S]) ** 2 / ((omega[K, K] - fit @ omega[S, K]) * v))
    return np.min(shares, axis=0), np.max(shares, axis=0)


def order_extremes(psi: FloatArray, omega: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least and largest D0 / B of the last variable over which factors go first, each ``(K,)``."""
    K = psi.shape[0] - 1
    speeds = np.empty((2 ** (K - 1), K))
    for k in range(K):
        for at, S in enumerate(_subsets([j for j in range(K) if j != k])):
            named = psi[[k, *S]]
            c = omega @ named.T
            unit = np.zeros(len(S) + 1)
            unit[0] = 1.0
            d = c @ np.linalg.solve(named @ c, unit)
            speeds[at, k] = d[K] / (psi[K] @ d)
    return speeds.min(axis=0), speeds.max(axis=0)


def _subsets(of: Sequence[int]) -> list[list[int]]:
    return [list(S) for size in range(len(of) + 1) for S in combinations(of, size)]
