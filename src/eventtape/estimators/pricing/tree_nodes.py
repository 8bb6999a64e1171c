"""What every tree needs at its nodes: European values, means over a cell, reading between nodes.

Jitted helpers of the two sweeps. Volatility per sqrt(year), rates continuous per year, ``sign`` +1
for calls and -1 for puts.
"""

from __future__ import annotations

import math

from numba import njit

from eventtape.arrays import FloatArray, watches
from eventtape.estimators.pricing import normal
from eventtape.estimators.pricing.normal import norm_cdf, norm_pdf

__all__ = [
    "border", "cell_gain", "cubic_slopes", "cubic_weights", "escrow_left", "european", "mean_gain",
]  # fmt: skip


@watches(normal)
@njit(cache=True, error_model="numpy")
def european(
    s: float, K: float, sign: float, tau: float, r: float, q: float, vol: float
) -> tuple[float, float, float, float]:
    """Black-Scholes value, delta, vega and rho."""
    root = vol * math.sqrt(tau)
    d1 = (math.log(s / K) + (r - q) * tau) / root + 0.5 * root
    share, bond = s * math.exp(-q * tau), K * math.exp(-r * tau)
    if abs(d1) > 38.0:  # no spread left over the step: the forward, or nothing
        held = 1.0 if sign * d1 > 0.0 else 0.0
        return (
            sign * held * (share - bond),
            sign * held * share / s,
            0.0,
            sign * held * tau * bond,
        )
    n1, n2 = norm_cdf(sign * d1), norm_cdf(sign * (d1 - root))
    return (
        sign * (share * n1 - bond * n2),
        sign * share / s * n1,
        share * norm_pdf(d1) * math.sqrt(tau),
        sign * tau * bond * n2,
    )


@njit(cache=True, error_model="numpy")
def cubic_weights(f: float) -> tuple[float, float, float, float]:
    """Lagrange's weights of the nodes 0, 1, 2, 3 at ``f``."""
    a, b, c = f - 1.0, f - 2.0, f - 3.0
    return -a * b * c / 6.0, f * b * c / 2.0, -f * a * c / 2.0, f * a * b / 6.0


@njit(cache=True, error_model="numpy")
def cubic_slopes(f: float) -> tuple[float, float, float, float]:
    """The derivatives of :func:`cubic_weights`."""
    return (
        -(3.0 * f * f - 12.0 * f + 11.0) / 6.0,
        (3.0 * f * f - 10.0 * f + 6.0) / 2.0,
        -(3.0 * f * f - 8.0 * f + 3.0) / 2.0,
        (3.0 * f * f - 6.0 * f + 2.0) / 6.0,
    )


@njit(cache=True, error_model="numpy")
def mean_gain(g0: float, g1: float) -> tuple[float, float, float]:
    """Mean of max(g, 0) over a line from ``g0`` to ``g1``, and its derivatives in the two."""
    if g0 <= 0.0 and g1 <= 0.0:
        return 0.0, 0.0, 0.0
    if g0 >= 0.0 and g1 >= 0.0:
        return 0.5 * (g0 + g1), 0.5, 0.5
    high, low = max(g0, g1), min(g0, g1)
    share = high / (high - low)
    by_high, by_low = share - 0.5 * share * share, 0.5 * share * share
    if g0 > g1:
        return 0.5 * high * share, by_high, by_low
    return 0.5 * high * share, by_low, by_high


@njit(cache=True, error_model="numpy")
def cell_gain(before: float, g: float, after: float) -> tuple[float, float, float, float]:
    """Mean of max(g, 0) over a node's cell, g a line to each neighbour; its three derivatives."""
    left, left_0, left_1 = mean_gain(g, 0.5 * (g + before))
    right, right_0, right_1 = mean_gain(g, 0.5 * (g + after))
    own = 0.5 * (left_0 + right_0) + 0.25 * (left_1 + right_1)
    return 0.5 * (left + right), 0.25 * left_1, own, 0.25 * right_1


@njit(cache=True, error_model="numpy")
def border(
    V: FloatArray, st: FloatArray, n: int, scale: float, sign: float, gap: float, at: int
) -> int:
    """How many of ``n`` nodes lie below the border between stopping and going on, from ``at``."""
    at = min(at, n)
    while at < n and sign * ((sign * (scale * st[at] + gap) >= V[at]) - 0.5) < 0.0:
        at += 1
    while at > 0 and sign * ((sign * (scale * st[at - 1] + gap) >= V[at - 1]) - 0.5) > 0.0:
        at -= 1
    return at


@njit(cache=True, error_model="numpy")
def escrow_left(
    times: FloatArray, amounts: FloatArray, r: float, now: float
) -> tuple[float, float]:
    """Present value at ``now`` of the dividends still to come, and its derivative in the rate."""
    worth, slope = 0.0, 0.0
    for i in range(times.size):
        if times[i] > now:
            part = amounts[i] * math.exp(-r * (times[i] - now))
            worth += part
            slope -= (times[i] - now) * part
    return worth, slope
