r"""What a market's information share is over every order in which the markets could be factored.

The share of market i, given that the set S of markets comes before it, is the part of the permanent
innovation's variance that e_i adds to what e_S already told (Hasbrouck 1995)::

    IS_i(S) = cov(eta, e_i | e_S)^2 / (var(e_i | e_S) var(eta)).

It depends on S as a set only, so n! orders need 2^(n-1) values a market. First and last in order
(S empty, S all others) are the extremes for two markets; for more they need not be (Lien, Shrestha
and Lee 2022, Finance Research Letters 49): a market may tell most once another's noise is known.
The mean over all orders is Shapley's value, the LMG decomposition of a regression's R^2.

The sets are walked depth first, one elimination step each: no difference of two R^2 is ever taken.
"""

from __future__ import annotations

from math import comb
from typing import NamedTuple

import numpy as np
from numba import njit

from eventtape.arrays import BoolArray, FloatArray

__all__ = [
    "MOST_MARKETS",
    "NOTHING",
    "InOrder",
    "OrderShares",
    "Residuals",
    "in_order",
    "order_shares",
    "residuals",
]

MOST_MARKETS = 15
NOTHING = 1e-10  # relative size below which an eigenvalue, response or sum is rounding


class OrderShares(NamedTuple):
    """Least, largest and mean information share over all orders, each ``(n,)``."""

    least: FloatArray
    largest: FloatArray
    mean: FloatArray


class InOrder(NamedTuple):
    """Shares that factor the covariance in some order, and the one that needs none, ``(n,)``."""

    first: FloatArray
    last: FloatArray
    least: FloatArray
    largest: FloatArray
    mean: FloatArray
    pds: FloatArray
    width: FloatArray  # largest - least, or |first - last| where the orders are not walked


class Residuals(NamedTuple):
    """A covariance as standard deviations and correlations, and what is needed of these."""

    sd: FloatArray
    corr: FloatArray
    root: FloatArray  # symmetric square root of the correlations
    precision: FloatArray  # diagonal of their inverse


@njit(cache=True)
def _count(
    a: FloatArray,
    C: FloatArray,
    inside: BoolArray,
    weight: float,
    least: FloatArray,
    largest: FloatArray,
    mean: FloatArray,
) -> None:
    for i in range(a.shape[0]):
        if not inside[i]:
            share = a[i] * a[i] / C[i, i]
            least[i] = min(least[i], share)
            largest[i] = max(largest[i], share)
            mean[i] += weight * share


@njit(cache=True)
def _walk(
    a0: FloatArray,
    C0: FloatArray,
    weights: FloatArray,
    least: FloatArray,
    largest: FloatArray,
    mean: FloatArray,
) -> None:
    """a[d], C[d]: covariance with eta, and among themselves, given the d markets chosen so far."""
    n = a0.shape[0]
    a, C = np.empty((n + 1, n)), np.empty((n + 1, n, n))
    a[0], C[0] = a0, C0
    inside = np.zeros(n, np.bool_)
    chosen = np.empty(n, np.int64)
    d, j = 0, 0
    _count(a[0], C[0], inside, weights[0], least, largest, mean)
    while True:
        if j < n:
            chosen[d], inside[j] = j, True
            for i in range(n):
                if not inside[i]:
                    slope = C[d, i, j] / C[d, j, j]
                    a[d + 1, i] = a[d, i] - slope * a[d, j]
                    for k in range(n):
                        C[d + 1, i, k] = C[d, i, k] - slope * C[d, j, k]
            d += 1
            if d < n:
                _count(a[d], C[d], inside, weights[d], least, largest, mean)
            j += 1
        elif d == 0:
            return
        else:
            d -= 1
            inside[chosen[d]] = False
            j = chosen[d] + 1


def order_shares(covariance: FloatArray, correlation: FloatArray) -> OrderShares:
    """Least, largest and mean information share over all orders; NaN above 15 markets.

    ``covariance`` ``(n,)`` is the correlation of the permanent innovation with each residual,
    ``correlation`` ``(n, n)`` the residuals' own, positive definite.
    """
    n = covariance.shape[0]
    if n > MOST_MARKETS:
        return OrderShares(*(np.full(n, np.nan) for _ in range(3)))
    weights = np.array([1.0 / (n * comb(n - 1, size)) for size in range(n)])
    least, largest, mean = np.full(n, np.inf), np.zeros(n), np.zeros(n)
    a, C = np.ascontiguousarray(covariance), np.ascontiguousarray(correlation)
    _walk(a, C, weights, least, largest, mean)
    return OrderShares(least, largest, mean)


def residuals(omega: FloatArray) -> Residuals | None:
    """A symmetric covariance taken apart; None where it is not positive definite."""
    variances = np.diagonal(omega)
    if not np.all(variances > 0.0):
        return None
    sd = np.sqrt(variances)
    corr = omega / np.outer(sd, sd)
    values, G = np.linalg.eigh(corr)
    if not values[0] > NOTHING * values[-1]:
        return None
    return Residuals(sd, corr, (G * np.sqrt(values)) @ G.T, np.sum(G**2 / values, axis=1))


def in_order(weights: FloatArray, variance: float, e: Residuals) -> InOrder:
    """Information shares from psi counted in residual standard deviations, and V."""
    w, V = weights, variance
    a = (e.corr @ w) / np.sqrt(V)
    first, last = a**2, w**2 / (e.precision * V)
    orders = order_shares(a, e.corr)
    width = np.abs(first - last) if w.size > MOST_MARKETS else orders.largest - orders.least
    return InOrder(first, last, *orders, w * a / np.sqrt(V), width)
