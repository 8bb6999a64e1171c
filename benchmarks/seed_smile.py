r"""The density of the project's first attempt, written plainly again: a peer of bench_density.py.

From quotes out of the money with a bid of five cents or more: the microprice, its implied
volatility sigma_i, and sigma_P^2 / vega^2 for the noise, not below 1e-6. Then a Gaussian process in
k = log(K / F) of mean 0 with an RBF kernel, ell = median \|k_i - k_j\| and sf^2 = Var(sigma); its
mean and two slopes give density and distribution in closed form (Breeden and Litzenberger) on 201
strikes from the first quote used to the last. What is negative is set to 0 and the rest scaled to
integrate to 1: the probability beyond the quotes is lost in that.

Volatilities come quote by quote, by scipy's ``brentq`` or by Newton's steps and ``brentq`` where
they fail, or by Newton's steps for all quotes at once, which the first attempt did not do. Nor did
it give errors of a density; with ``errors`` those of volatility, density and distribution are found
as ours are.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import brentq
from scipy.special import ndtr

from eventtape.arrays import FloatArray

POINTS, LEAST_BID, FLOOR = 201, 0.05, 1e-6
ROOT_2PI = math.sqrt(2.0 * math.pi)


class SeedDensity(NamedTuple):
    """Strikes, density, distribution, volatility per sqrt(year), ``(201,)`` each, and errors.

    ``errors`` ``(3, 201)``: of total volatility, density and distribution, or None.
    """

    strikes: FloatArray
    pdf: FloatArray
    cdf: FloatArray
    vol: FloatArray
    errors: FloatArray | None


def seed_density(chain, *, solver="at once", errors=False):
    """The density of an ``OptionChain`` whose rate is 0, its forward known.

    ``solver``: ``"brent"``, ``"newton"`` or ``"at once"``.
    """
    F, root = chain.forward, math.sqrt(chain.tau)
    use = (chain.is_call == (chain.strikes >= F)) & (chain.bids >= LEAST_BID)
    K, call, b, a, qb, qa = (column[use] for column in chain[:6])
    k = np.log(K / F)
    micro = (qa * b + qb * a) / (qa + qb)
    price_variance = (a - b) ** 2 / (12.0 * (qa + qb))
    v = SOLVERS[solver](micro / F, k, call)
    vega = F * root * np.exp(-0.5 * (-k / v + 0.5 * v) ** 2) / ROOT_2PI
    noise = np.maximum(price_variance / vega**2, FLOOR)
    vol = v / root
    gaps = np.abs(k[:, None] - k)
    ell = np.median(gaps[np.triu_indices(k.size, 1)])
    sf2 = np.var(vol)
    C = sf2 * np.exp(-0.5 * (gaps / ell) ** 2)
    C[np.diag_indices(k.size)] += noise
    L = cho_factor(C, lower=True, check_finite=False)
    weights = cho_solve(L, vol, check_finite=False)
    at = np.linspace(K[0], K[-1], POINTS)
    x = np.log(at / F)
    pull = (x[:, None] - k) / ell**2
    c = sf2 * np.exp(-0.5 * (pull * ell) ** 2)
    slopes = np.stack([c, -c * pull, c * (pull**2 - 1.0 / ell**2)])
    v, v1, v2 = root * (slopes @ weights)
    d2 = -x / v - 0.5 * v
    phi = np.exp(-0.5 * d2 * d2) / ROOT_2PI
    skew = 1.0 - x * v1 / v
    g = skew**2 - 0.25 * (v * v1) ** 2 + v * v2
    pdf = np.maximum(phi * g / (at * v), 0.0)
    mass = np.trapezoid(pdf, at)
    cdf = np.clip(ndtr(-d2) + phi * v1, 0.0, 1.0)
    found = None
    if errors:
        half = solve_triangular(L[0], slopes.reshape(-1, k.size).T, lower=True, check_finite=False)
        half = half.reshape(k.size, 3, POINTS)
        own = (
            sf2
            * np.array([[1, 0, -1], [0, 1, 0], [-1, 0, 3]])
            / ell ** np.add.outer(*[range(3)] * 2)
        )
        cov = own[:, :, None] - np.einsum("nam,nbm->abm", half, half)
        turn = x / (v * v) - 0.5
        g_v = 2.0 * skew * x * v1 / (v * v) - 0.5 * v * v1 * v1 + v2
        head, one, zero = phi / (at * v), np.ones(POINTS), np.zeros(POINTS)
        by_v = np.array(
            [
                [one, zero, zero],
                [
                    head * (g_v - g * d2 * turn - g / v),
                    head * (-2.0 * skew * x / v - 0.5 * v * v * v1),
                    phi / at,
                ],
                [-phi * (turn + d2 * turn * v1), phi, zero],
            ]
        )
        found = root * np.sqrt(np.maximum(np.einsum("qam,abm,qbm->qm", by_v, cov, by_v), 0.0))
    return SeedDensity(at, pdf / mass, cdf, v / root, found)


def _at_once(price, k, call):
    """Total volatilities of prices over the forward: twenty of Newton's steps at most."""
    sign, v = np.where(call, 1.0, -1.0), np.sqrt(2.0 * np.abs(k)) + 1e-2
    ratio = np.exp(k)
    for _ in range(20):
        d1 = -k / v + 0.5 * v
        model = sign * (ndtr(sign * d1) - ratio * ndtr(sign * (d1 - v)))
        step = (price - model) * ROOT_2PI * np.exp(0.5 * d1 * d1)
        v = v + step
        if np.abs(step).max() < 1e-10:
            break
    return v


def _brent(price, k, call):
    columns = (price.tolist(), k.tolist(), call.tolist())
    return np.array([brentq(_miss, 1e-4, 10.0, quote) for quote in zip(*columns, strict=True)])


def _newton(price, k, call):
    columns = (price.tolist(), k.tolist(), call.tolist())
    return np.array([_by_steps(*quote) for quote in zip(*columns, strict=True)])


def _by_steps(price, k, call):
    v = math.sqrt(2.0 * abs(k)) + 1e-2
    for _ in range(20):
        d1 = -k / v + 0.5 * v
        step = _miss(v, price, k, call) * ROOT_2PI * math.exp(0.5 * d1 * d1)
        v -= step
        if abs(step) < 1e-10:
            return v
        if not v > 0.0:
            break
    return brentq(_miss, 1e-4, 10.0, (price, k, call))


def _miss(v, price, k, call):
    """By how much total volatility v overprices, in forwards."""
    sign, d1 = (1.0 if call else -1.0), -k / v + 0.5 * v
    return sign * (_normal(sign * d1) - math.exp(k) * _normal(sign * (d1 - v))) - price


def _normal(x):
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


SOLVERS = {"brent": _brent, "newton": _newton, "at once": _at_once}
