r"""One backward sweep of a binomial tree that carries the price and its two parameter tangents.

At a node that goes on::

    V   = e^{-r dt} (p V_u + (1 - p) V_d)
    V'  = e^{-r dt} (p V_u' + (1 - p) V_d' + p' (V_u - V_d)) - dt V [for the rate only]

with ' the derivative in the volatility or in the rate, and at a node that stops V is the exercise
value and V' that of its node price, log s = log S + j log u + (m - j) log d. So vega and rho are
the exact derivatives of the number this tree gives, at three times its cost and no second tree.

Cash dividends. Between ex-dates the stock is lognormal, at an ex-date it falls by D. Each stretch
between ex-dates has its own lattice, so that every ex-date falls on a step; one that starts at an
ex-date starts on a whole row of nodes, wide enough for the law of the stock there. On that date
the value before is V(S, t-) = V(S - D, t+), read off that row by a cubic through four nodes
(Vellekoop and Nieuwenhuis, Applied Mathematical Finance 13, 2006), or exercise. A dividend the
stock cannot pay is paid as far as it goes. The tangents go through the cubic by the chain rule.

Smoothed. The last step before expiry is the Black-Scholes value (Broadie and Detemple, Review of
Financial Studies 9, 1996), and on an ex-date each node takes the mean over its cell, in eight
parts, of the better of exercise and V(S - D): else the price jumps each time a node crosses the
kink of early exercise, or that of an expiry soon after (Heston and Zhou, Mathematical Finance 10,
2000). The two nodes next to the exercise boundary take such a mean on every step: it quarters the
error of vega and rho, whose tangents are cut off there.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, IntArray, watches
from eventtape.estimators.pricing import tree_nodes
from eventtape.estimators.pricing.tree_nodes import (
    border,
    cell_gain,
    cubic_slopes,
    cubic_weights,
    escrow_left,
    european,
    mean_gain,
)

__all__ = ["tangent_sweep"]

_PARTS = 8  # of a cell, an even number


@njit(cache=True, error_model="numpy")
def _read(
    V: FloatArray,
    A: FloatArray,
    B: FloatArray,
    s: float,
    s_a: float,
    row: tuple[int, float, float, float, float],
) -> tuple[float, float, float]:
    """Value and tangents at ``s``, which the volatility moves by ``s_a``, off a row of nodes."""
    width, low, space, low_a, space_a = row
    place = (math.log(s) - low) / space if s > 0.0 else -1.0
    if 0.0 <= place <= width - 1.0:
        at = min(max(int(place) - 1, 0), width - 4)
        w0, w1, w2, w3 = cubic_weights(place - at)
        z0, z1, z2, z3 = cubic_slopes(place - at)
        value = w0 * V[at] + w1 * V[at + 1] + w2 * V[at + 2] + w3 * V[at + 3]
        slope = z0 * V[at] + z1 * V[at + 1] + z2 * V[at + 2] + z3 * V[at + 3]
        by_a = w0 * A[at] + w1 * A[at + 1] + w2 * A[at + 2] + w3 * A[at + 3]
        by_b = w0 * B[at] + w1 * B[at + 1] + w2 * B[at + 2] + w3 * B[at + 3]
        return value, by_a + slope * (s_a / s - low_a - place * space_a) / space, by_b
    at = 0 if place < 0.0 else width - 2  # beyond any odds: a straight line
    s0 = math.exp(low + at * space)
    slope = (V[at + 1] - V[at]) / (s0 * math.expm1(space))
    return max(V[at] + slope * (s - s0), 0.0), A[at], B[at]


@njit(cache=True, error_model="numpy")
def _roll(
    V: FloatArray,
    A: FloatArray,
    B: FloatArray,
    st: FloatArray,
    n: int,
    chances: tuple[float, float, float, float, float],
    contract: tuple[float, float, float, float, bool],
    drift: tuple[float, float, float, float],
) -> None:
    """One step back, in place: the first ``n`` entries are the values one step earlier."""
    up, down, up_a, up_b, dt = chances
    scale, sign, gap, gap_b, american = contract  # exercise is sign * (s + gap)
    base_a, rise_a, base_b, rise_b = drift
    if american:
        for j in range(n):
            step = V[j + 1] - V[j]
            held = up * V[j + 1] + down * V[j]
            held_a = up * A[j + 1] + down * A[j] + up_a * step
            held_b = up * B[j + 1] + down * B[j] + up_b * step - dt * held
            s = scale * st[j]
            gain = sign * (s + gap)
            stop = gain > held
            V[j] = gain if stop else held
            A[j] = sign * s * (base_a + rise_a * j) if stop else held_a
            B[j] = sign * (s * (base_b + rise_b * j) + gap_b) if stop else held_b
    else:
        for j in range(n):
            step = V[j + 1] - V[j]
            held = up * V[j + 1] + down * V[j]
            V[j] = held
            A[j] = up * A[j + 1] + down * A[j] + up_a * step
            B[j] = up * B[j + 1] + down * B[j] + up_b * step - dt * held


_WINDOW = 9  # nodes about the exercise boundary, kept from the step before


@njit(cache=True, error_model="numpy")
def _mend(
    V: FloatArray,
    A: FloatArray,
    B: FloatArray,
    st: FloatArray,
    old: FloatArray,
    place: tuple[int, int, int],
    chances: tuple[float, float, float, float, float],
    contract: tuple[float, float, float, float, bool],
    drift: tuple[float, float, float, float],
) -> None:
    """The two nodes at the exercise boundary as means over their cells, after :func:`_roll`."""
    up, down, up_a, up_b, dt = chances
    scale, sign, gap, gap_b, _ = contract
    base_a, rise_a, base_b, rise_b = drift
    first, n, at = place
    held, gain = np.empty((3, 3)), np.empty((3, 3))
    for j in range(at - 1, at + 1):
        i = j - 1 - first
        if j < 1 or j > n - 2 or i < 0 or i + 3 >= _WINDOW:
            continue
        for o in range(3):
            low, high = old[i + o], old[i + o + 1]
            step = high[0] - low[0]
            held[o, 0] = up * high[0] + down * low[0]
            held[o, 1] = up * high[1] + down * low[1] + up_a * step
            held[o, 2] = up * high[2] + down * low[2] + up_b * step - dt * held[o, 0]
            k = j - 1 + o
            s = scale * st[k]
            gain[o, 0] = sign * (s + gap) - held[o, 0]
            gain[o, 1] = sign * s * (base_a + rise_a * k) - held[o, 1]
            gain[o, 2] = sign * (s * (base_b + rise_b * k) + gap_b) - held[o, 2]
        more, w0, w1, w2 = cell_gain(gain[0, 0], gain[1, 0], gain[2, 0])
        V[j] = held[1, 0] + more
        A[j] = held[1, 1] + w0 * gain[0, 1] + w1 * gain[1, 1] + w2 * gain[2, 1]
        B[j] = held[1, 2] + w0 * gain[0, 2] + w1 * gain[1, 2] + w2 * gain[2, 2]


@njit(cache=True, error_model="numpy")
def _last_row(
    rows: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    count: int,
    market: tuple[float, float, float, float, float, float],
    terms: tuple[float, float, float, float, bool],
    drift: tuple[float, float, float, float],
    smooth_step: float,
) -> None:
    """The row the sweep starts from: the payoff, or the smoothed tree's last step before it."""
    V, A, B, st = rows
    _, K, sign, r, q, vol = market
    scale, _, gap, gap_b, american = terms
    base_a, rise_a, base_b, rise_b = drift
    for j in range(count):
        s = scale * st[j]
        s_a, s_b = s * (base_a + j * rise_a), s * (base_b + j * rise_b)
        V[j] = A[j] = B[j] = 0.0
        if smooth_step > 0.0:
            V[j], delta, vega, rho = european(s, K, sign, smooth_step, r, q, vol)
            A[j], B[j] = vega + delta * s_a, rho + delta * s_b
            if american and sign * (s + gap) > V[j]:
                V[j], A[j], B[j] = sign * (s + gap), sign * s_a, sign * (s_b + gap_b)
        elif sign * (s - K) > 0.0:
            V[j], A[j], B[j] = sign * (s - K), sign * s_a, sign * s_b


@njit(cache=True, error_model="numpy")
def _ex_date(
    rows: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    before: tuple[FloatArray, FloatArray, FloatArray],
    count: int,
    dividend: float,
    terms: tuple[float, float, float, float, bool],
    drift: tuple[float, float, float, float],
    row: tuple[int, float, float, float, float],
    space: float,
    parts: int,
) -> None:
    """From the row after an ex-date to ``count`` nodes before it, means over cells of ``parts``."""
    V, A, B, st = rows
    V2, A2, B2 = before
    _, sign, gap, _, american = terms
    base_a, rise_a, _, _ = drift
    part = 1.0 / max(parts, 1)
    for j in range(count):
        V2[j] = A2[j] = B2[j] = 0.0
        g0 = g0_a = g0_b = 0.0
        for edge in range(parts + 1):
            off = edge * part - 0.5 if parts else 0.0
            s = st[j] * math.exp(off * space)
            s_a = s * (base_a + (j + off) * rise_a)
            value, by_a, by_b = _read(V, A, B, max(s - dividend, 0.0), s_a, row)
            share = 0.5 * part if parts and edge in (0, parts) else part
            V2[j] += share * value
            A2[j] += share * by_a
            B2[j] += share * by_b
            g, g_a, g_b = sign * (s + gap) - value, sign * s_a - by_a, -by_b
            if american and (edge or not parts):
                gain, by_0, by_1 = mean_gain(g0 if parts else g, g)
                V2[j] += part * gain
                A2[j] += part * (by_0 * (g0_a if parts else g_a) + by_1 * g_a)
                B2[j] += part * (by_0 * (g0_b if parts else g_b) + by_1 * g_b)
            g0, g0_a, g0_b = g, g_a, g_b
    V[:count], A[:count], B[:count] = V2[:count], A2[:count], B2[:count]


@njit(cache=True, error_model="numpy")
def _mended_roll(
    rows: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    old: FloatArray,
    n: int,
    edge_at: int,
    chances: tuple[float, float, float, float, float],
    terms: tuple[float, float, float, float, bool],
    drift: tuple[float, float, float, float],
) -> int:
    """One step back with means at the exercise boundary; the number of nodes below that."""
    V, A, B, st = rows
    first = max(edge_at - _WINDOW // 2, 0)
    for j in range(min(_WINDOW, n + 1 - first)):
        old[j, 0], old[j, 1], old[j, 2] = V[first + j], A[first + j], B[first + j]
    _roll(V, A, B, st, n, chances, terms, drift)
    edge_at = border(V, st, n, terms[0], terms[1], terms[2], edge_at)
    _mend(V, A, B, st, old, (first, n, edge_at), chances, terms, drift)
    return edge_at


@njit(cache=True, error_model="numpy")
def _first_greeks(
    S: float, lu: float, ld: float, kept: FloatArray, now: float, h: float
) -> tuple[float, float, float]:
    """Hull's delta, gamma and theta from the first three rows."""
    s0, s1 = S * math.exp(ld), S * math.exp(lu)
    t0, t1, t2 = s0 * s0 / S, s0 * s1 / S, s1 * s1 / S
    delta = (kept[1, 1] - kept[1, 0]) / (s1 - s0)
    rise, fall = (kept[2, 2] - kept[2, 1]) / (t2 - t1), (kept[2, 1] - kept[2, 0]) / (t1 - t0)
    gamma = (rise - fall) / (0.5 * (t2 - t0))
    moved = t1 - S  # zero but for Leisen-Reimer
    return (
        delta,
        gamma,
        (kept[2, 1] - now - delta * moved - 0.5 * gamma * moved * moved) / (2.0 * h),
    )


@watches(tree_nodes)
@njit(cache=True, error_model="numpy")
def tangent_sweep(
    contract: FloatArray,
    lattice: FloatArray,
    shape: IntArray,
    dt: FloatArray,
    amount: FloatArray,
    escrow_times: FloatArray,
    escrow_amounts: FloatArray,
    american: bool,
    smooth: bool,
    answers: FloatArray,
) -> None:
    """Fill ``answers`` (n, 7): price, delta, gamma, theta, vega, rho and whether it is exercised.

    - ``contract`` (n, 8): spot, strike, sign, rate, yield, volatility, d log spot / d rate and
      present value of the escrow;
    - ``lattice`` (n, k, 9): log u, log d, p, then their derivatives in volatility and in the rate;
    - ``shape`` (n, k, 3): steps, nodes at the start, nodes below the spot at the start;
    - ``dt`` (n, k): years a step; ``amount`` (n, k): dividend at the end of each stretch.

    A stretch of no steps is not there. There is at least one option.
    """
    size = (shape[:, :, 0] + shape[:, :, 1]).max()
    rows = (np.empty(size), np.empty(size), np.empty(size), np.empty(size))
    before = (np.empty(size), np.empty(size), np.empty(size))
    V, A, B, st = rows
    kept, old = np.empty((3, 3)), np.empty((_WINDOW, 3))
    for i in range(contract.shape[0]):
        S, K, sign, r, q, vol = contract[i, :6]
        market = (S, K, sign, r, q, vol)
        last = np.count_nonzero(shape[i, :, 0]) - 1
        row = (0, 0.0, 0.0, 0.0, 0.0)
        worth, edge_at = 0.0, 0
        for k in range(last, -1, -1):
            N, width, below = shape[i, k]
            lu, ld, p, lu_a, ld_a, p_a, lu_b, ld_b, p_b = lattice[i, k]
            h, disc = dt[i, k], math.exp(-r * dt[i, k])
            low, low_a, low_b = math.log(S) - 2.0 * below * lu, -2.0 * below * lu_a, contract[i, 6]
            space, space_a, space_b = lu - ld, lu_a - ld_a, lu_b - ld_b
            top = N - 1 if smooth and k == last else N
            for j in range(width + N):
                st[j] = math.exp(low + N * ld + j * space)
            chances = (disc * p, disc * (1.0 - p), disc * p_a, disc * p_b, h)
            for m in range(top, -1, -1):
                worth, worth_b = escrow_left(escrow_times[i], escrow_amounts[i], r, m * h)
                drift = (low_a + m * ld_a, space_a, low_b + m * ld_b, space_b)
                terms = (math.exp((m - N) * ld), sign, worth - K, worth_b, american)
                if m == top and k == last:
                    _last_row(rows, width + m, market, terms, drift, h if smooth else 0.0)
                elif m == top:
                    D, parts = amount[i, k], _PARTS if smooth else 0
                    _ex_date(rows, before, width + m, D, terms, drift, row, space, parts)
                elif american and smooth:
                    edge_at = _mended_roll(rows, old, width + m, edge_at, chances, terms, drift)
                else:
                    _roll(V, A, B, st, width + m, chances, terms, drift)
                if k == 0 and m <= 2:
                    kept[m, : m + 1] = V[: m + 1]
            row = (width, low, space, low_a, space_a)
        delta, gamma, theta = _first_greeks(
            S, lattice[i, 0, 0], lattice[i, 0, 1], kept, V[0], dt[i, 0]
        )
        answers[i, 0], answers[i, 1], answers[i, 2] = V[0], delta, gamma
        answers[i, 3] = theta - r * contract[i, 7] * delta
        answers[i, 4], answers[i, 5] = A[0], B[0]
        # Node prices are exponentials of logarithms: a last digit off
        stopped = american and sign * (S + worth - K) >= V[0] - 1e-13 * (S + K)
        answers[i, 6] = 1.0 if stopped else 0.0
