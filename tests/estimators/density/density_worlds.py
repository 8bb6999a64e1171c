"""Chains for the density's tests, and a second road to a smile: numpy and scipy from the formulas.

The road solves the smile's regression by QR of the stacked columns (the package solves the normal
equations), finds volatilities by bisection-safe root finding on Black's formula, and evaluates the
columns from their definitions (the package runs a recurrence).
"""

from __future__ import annotations

import math
import sys
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from eventtape.estimators.density.fit import Density, fit_density
from eventtape.simulate.option_chain import OptionChain, chain_truths, option_chain

TRUTHS = chain_truths()
NAMES = tuple(TRUTHS)


@cache
def chain_of(name: str = "mixture", seed: int = 0, displacement: float = 0.4) -> OptionChain:
    """The configuration of the tests: 60 strikes, one-cent ticks, 1c + 1% half spreads."""
    return option_chain(TRUTHS[name], seed=seed, displacement=displacement)


def fitted(chain: OptionChain, **options) -> Density:
    """The fit of a simulated chain, told its forward unless told otherwise."""
    known = {"forward": chain.forward, "discount": chain.discount} | options
    return fit_density(
        chain.strikes, chain.is_call, chain.bids, chain.asks, chain.bid_sizes, chain.ask_sizes,
        tau=chain.tau, **known,
    )  # fmt: skip


def quotes_of(chain: OptionChain) -> np.ndarray:
    """Bids, asks and sizes ``(4, n)``."""
    return np.vstack([chain.bids, chain.asks, chain.bid_sizes, chain.ask_sizes]).astype(float)


class PlainLaw(NamedTuple):
    """Of the plain road: the law at the strikes asked for, errors, and what went in."""

    pdf: np.ndarray
    cdf: np.ndarray
    vol: np.ndarray
    vol_error: np.ndarray
    coefficients: np.ndarray
    columns: np.ndarray
    y: np.ndarray
    R: np.ndarray


def black(forward, strikes, v, call):
    """Undiscounted prices at total volatility v."""
    F, K = forward, strikes
    d1 = np.log(F / K) / v + 0.5 * v
    d2 = d1 - v
    return np.where(call, F * ndtr(d1) - K * ndtr(d2), K * ndtr(-d2) - F * ndtr(-d1))


def _miss(v, forward, strike, call, price):
    return float(black(forward, strike, v, call)) - price


def plain_places(x, centre, half):
    """U at x and how far beyond the quotes w is, each with its first two derivatives in x.

    x is compressed to w; u is w, and within 1 of the last quote beyond it.
    """
    root = np.sqrt(1.0 + (x / 6.0) ** 2)
    w, w1, w2 = 6.0 * np.arcsinh(x / 6.0), 1.0 / root, -x / 36.0 / root**3
    last = half - 3.0
    past = w - np.clip(w, centre - last, centre + last)
    u = w - past + np.tanh(past)
    slope = 1.0 / np.cosh(past) ** 2
    first = u, slope * w1, slope * (w2 - 2.0 * np.tanh(past) * w1**2)
    return first, (past, np.where(past == 0.0, 0.0, w1), np.where(past == 0.0, 0.0, w2))


def plain_wing(side, past):
    """Beyond the quotes on one side: 0.15 d^3 / (1 + d)^2, here in partial fractions."""
    d, d1, d2 = (side * part for part in past)
    s = 1.0 + np.maximum(d, 0.0)
    on = 0.15 * (d > 0.0)
    value, slope, bend = s - 3.0 + 3.0 / s - 1.0 / s**2, 1.0 - 3.0 / s**2 + 2.0 / s**3, s - 1.0
    return on * value, on * slope * d1, on * (6.0 * bend / s**4 * d1**2 + slope * d2)


def plain_columns(x, centre, half, p):
    """Columns ``(p, n)`` at x and their first two derivatives in x, from the definitions."""
    (u, u1, u2), past = plain_places(x, centre, half)
    t = np.tanh(u / 3.0)
    d = (1.0 - t * t) / 3.0
    dd = -2.0 * t * d / 3.0
    rows = [
        (np.ones_like(u), 0.0 * u, 0.0 * u),
        (t, d, dd),
        (t * t, 2.0 * t * d, 2.0 * (d * d + t * dd)),
    ]
    turn = (u - centre + half) * 0.5 * math.pi / half
    for j in range(1, p - 4):
        w = 0.5 * math.pi * j / half
        c, s = np.cos(j * turn) / math.sqrt(half), np.sin(j * turn) / math.sqrt(half)
        rows.append((c, -w * s, -w * w * c))
    f, f1, f2 = (np.array([row[i] for row in rows]) for i in range(3))
    inside = f, f1 * u1, f2 * u1**2 + f1 * u2
    wings = [plain_wing(side, past) for side in (-1.0, 1.0)]
    return tuple(
        np.vstack([rows[:3], [wing[order] for wing in wings], rows[3:]])
        for order, rows in enumerate(inside)
    )


def prior(theta, half, p, lean_variance):
    """Prior variances ``(p,)``: 1 for mean and wings, the kernel's spectrum, the sizes' last."""
    ell, variance = math.exp(theta[0]), math.exp(2.0 * theta[1])
    w = 0.5 * math.pi / half * np.arange(1, p - 5)
    density = sum(
        a * math.sqrt(2.0 * math.pi) * part * ell * np.exp(-0.5 * (part * ell * w) ** 2)
        for a, part in ((0.9, 1.0), (0.1, 0.5))
    )
    return np.concatenate([np.ones(5), variance * density, [lean_variance]])


def plain_observations(strikes, is_call, quotes, forward, discount, tick, v0):
    """x, y, z and both variances ``(5, used)`` of the usable quotes, and which they are."""
    out, which = [], []
    for i, (K, call) in enumerate(zip(strikes, is_call, strict=True)):
        bid, ask, bid_size, ask_size = quotes[:, i]
        x = math.log(K / forward) / v0
        out_call = bool(forward <= K)
        beyond = call != out_call and abs(x) >= 1.0
        if not 0.0 < bid <= ask < math.inf or bid < 1.5 * tick or beyond:
            continue
        mid, lots = 0.5 * (bid + ask), bid_size + ask_size
        sized = bid_size >= 0.0 and ask_size >= 0.0 and lots > 0.0
        micro = (ask_size * bid + bid_size * ask) / lots if sized else mid
        value = mid / discount - (abs(forward - K) if call != out_call else 0.0)
        if not 0.0 < value < (forward if out_call else K):
            continue
        v = brentq(_miss, 1e-6, 20.0, (forward, K, out_call, value), xtol=1e-16, rtol=1e-15)
        d1 = math.log(forward / K) / v + 0.5 * v
        vega = discount * forward * math.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi) * v0
        spread = (ask - bid) ** 2 / 12.0 / (lots if sized else 1.0)
        out.append(
            (x, v / v0 - 1.0, (mid - micro) / vega, spread / vega**2, (tick / vega) ** 2 / 24.0)
        )
        which.append(i)
    return np.array(out).T, np.array(which)


def plain_law(
    hyper, p, strikes, is_call, quotes, *, forward, discount, tick, tau, at, skip=()
) -> PlainLaw:
    """The law at ``at`` of these quotes, hyper-parameters and p columns; ``skip``: outliers."""
    v0, centre, half = hyper.reference, hyper.centre, hyper.half
    seen, which = plain_observations(strikes, is_call, quotes, forward, discount, tick, v0)
    keep = ~np.isin(which, skip)
    x, y, z, wide, fine = seen[:, keep]
    R = hyper.spread_scale * wide + fine
    columns = np.vstack([plain_columns(x, centre, half, p - 1)[0], z])
    noise = math.exp(hyper.theta[2]) * np.sqrt(R)
    root = np.sqrt(prior(hyper.theta, half, p, hyper.lean_variance))
    mu = np.zeros(p)
    mu[-1] = hyper.lean
    # In c = mu + root w, w standard normal: [columns' root / noise; I] w = [(y - columns' mu); 0]
    stacked = np.vstack([(columns * root[:, None] / noise).T, np.eye(p)])
    wanted = np.concatenate([(y - mu @ columns) / noise, np.zeros(p)])
    q, r = np.linalg.qr(stacked)
    c = mu + root * np.linalg.solve(r, q.T @ wanted)
    half_cov = root[:, None] * np.linalg.inv(r)  # covariance is this times its transpose
    k = np.log(np.asarray(at) / forward)
    f, f1, f2 = plain_columns(k / v0, centre, half, p - 1)
    v, v1, v2 = v0 * (1.0 + c[:-1] @ f), c[:-1] @ f1, c[:-1] @ f2 / v0
    d2 = -k / v - 0.5 * v
    phi = np.exp(-0.5 * d2 * d2) / math.sqrt(2.0 * math.pi)
    g = (1.0 - k * v1 / v) ** 2 - 0.25 * (v * v1) ** 2 + v * v2
    v_error = v0 * np.sqrt(((half_cov[:-1].T @ f) ** 2).sum(axis=0))
    years = math.sqrt(tau)
    return PlainLaw(
        phi * g / (np.asarray(at) * v), ndtr(-d2) + phi * v1, v / years, v_error / years,
        c, columns, y, R,
    )  # fmt: skip


def report(table):
    """A table of a slow test, seen with ``pytest -s``."""
    sys.stdout.write(f"\n{table}\n")
