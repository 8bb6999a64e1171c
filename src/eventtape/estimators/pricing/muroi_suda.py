r"""Greeks of a binomial tree by discrete Malliavin weights, for European and American options.

Question: what is the sensitivity of a tree's price, when differencing its nodes is rough and its
exercise rule has no derivative? Muroi and Suda (Journal of Mathematical Finance 7(3), 2017) move
the derivative from the value on to the law of a step.

One step. Write x = log s and the move of x over dt as sigma eps, eps = +-sqrt(dt), whose law
tends to that of mu dt + w with mu = (r - q - sigma^2 / 2) / sigma and w ~ N(0, dt). By parts,
d/dx E[f(x + sigma (mu dt + w))] = E[f w] / (sigma dt). With w = eps - mu dt on the tree this is

    D f = e^{-r dt} / (sigma dt) E[f(x + sigma eps) (eps - mu dt)],

and D V / s is their delta (equation 9). Where the option is stopped V_x is that of the payoff.

Beyond their delta, by the same principle (derived here):

- gamma. One step of two values cannot show a curvature (w^2 - dt, the continuous weight, is nearly
  0 on eps^2 = dt). So the weight acts twice: X = V_x is the field D V on every node that goes on
  and sign s on every node that stops, V_xx = D X, and gamma = (V_xx - V_x) / s^2.
- theta. On a node that goes on, V solves the Black-Scholes equation, so
  theta = r V - (r - q - sigma^2 / 2) V_x - sigma^2 V_xx / 2: a weight on the values two steps on.
- vega. One step of the Gaussian law has d/d sigma E[f] = E[f ((w^2 - dt) / (sigma dt) - w)]
  = sigma dt (f_xx - f_x): the weight of a gamma. Vega collects one such term from every step it
  goes on, and none where it stops (the boundary is optimal, so its own move counts for nothing):
  U = e^{-r dt} E[U'] + sigma dt (D X - D V), U = 0 on stopped nodes and at expiry.
- rho. One step has d/dr e^{-r dt} E[f] = e^{-r dt} E[f (w / sigma - dt)], hence
  R = e^{-r dt} E[R'] + dt (D V - V), again 0 on stopped nodes.

These U and R are derivatives at a fixed node, which makes an ex-date simple: they are read off the
later row at S - D, V_x as V_x(S - D) S / (S - D). The lattice, cash dividends and smoothing are
those of :mod:`eventtape.estimators.pricing.binomial_sweep`; the prices are the same.
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
    cubic_weights,
    escrow_left,
    european,
    mean_gain,
)

__all__ = ["weighted_sweep"]

_PARTS = 8  # of a cell, an even number


@njit(cache=True, error_model="numpy")
def _read(
    V: FloatArray,
    X: FloatArray,
    U: FloatArray,
    R: FloatArray,
    s: float,
    row: tuple[int, float, float],
) -> tuple[float, float, float, float]:
    """Value and its three fields at ``s``, off a row of nodes."""
    width, low, space = row
    place = (math.log(s) - low) / space if s > 0.0 else -1.0
    if 0.0 <= place <= width - 1.0:
        at = min(max(int(place) - 1, 0), width - 4)
        w0, w1, w2, w3 = cubic_weights(place - at)
        return (
            w0 * V[at] + w1 * V[at + 1] + w2 * V[at + 2] + w3 * V[at + 3],
            w0 * X[at] + w1 * X[at + 1] + w2 * X[at + 2] + w3 * X[at + 3],
            w0 * U[at] + w1 * U[at + 1] + w2 * U[at + 2] + w3 * U[at + 3],
            w0 * R[at] + w1 * R[at + 1] + w2 * R[at + 2] + w3 * R[at + 3],
        )
    at = 0 if place < 0.0 else width - 2  # beyond any odds: a straight line
    s0 = math.exp(low + at * space)
    slope = (V[at + 1] - V[at]) / (s0 * math.expm1(space))
    return max(V[at] + slope * (s - s0), 0.0), slope * s, U[at], R[at]


@njit(cache=True, error_model="numpy")
def _roll(
    V: FloatArray,
    X: FloatArray,
    U: FloatArray,
    R: FloatArray,
    st: FloatArray,
    n: int,
    weights: tuple[float, float, float, float, float, float],
    contract: tuple[float, float, float, float, bool],
) -> None:
    """One step back, in place, in three loops: few enough arrays in each for LLVM to vectorise."""
    up, down, toward, away, by_vol, dt = weights
    scale, sign, gap, gap_b, american = contract
    for j in range(n):
        held = up * V[j + 1] + down * V[j]
        slope = toward * V[j + 1] + away * V[j]
        bend = toward * X[j + 1] + away * X[j]
        go = up * U[j + 1] + down * U[j] + by_vol * (bend - slope)
        U[j] = 0.0 if american and sign * (scale * st[j] + gap) > held else go
    for j in range(n):
        held = up * V[j + 1] + down * V[j]
        slope = toward * V[j + 1] + away * V[j]
        go = up * R[j + 1] + down * R[j] + dt * (slope - held)
        R[j] = sign * gap_b if american and sign * (scale * st[j] + gap) > held else go
    for j in range(n):
        held = up * V[j + 1] + down * V[j]
        slope = toward * V[j + 1] + away * V[j]
        s = scale * st[j]
        gain = sign * (s + gap)
        stop = american and gain > held
        X[j] = sign * s if stop else slope
        V[j] = gain if stop else held


_WINDOW = 9  # nodes about the exercise boundary, kept from the step before


@njit(cache=True, error_model="numpy")
def _mend(
    V: FloatArray,
    X: FloatArray,
    U: FloatArray,
    R: FloatArray,
    st: FloatArray,
    old: FloatArray,
    place: tuple[int, int, int],
    weights: tuple[float, float, float, float, float, float],
    contract: tuple[float, float, float, float, bool],
) -> None:
    """The two nodes at the exercise boundary as means over their cells, after :func:`_roll`."""
    up, down, toward, away, by_vol, dt = weights
    scale, sign, gap, gap_b, _ = contract
    first, n, at = place
    held, gain = np.empty((3, 4)), np.empty((3, 4))
    for j in range(at - 1, at + 1):
        i = j - 1 - first
        if j < 1 or j > n - 2 or i < 0 or i + 3 >= _WINDOW:
            continue
        for o in range(3):
            low, high = old[i + o], old[i + o + 1]
            held[o, 0] = up * high[0] + down * low[0]
            held[o, 1] = toward * high[0] + away * low[0]
            bend = toward * high[1] + away * low[1]
            held[o, 2] = up * high[2] + down * low[2] + by_vol * (bend - held[o, 1])
            held[o, 3] = up * high[3] + down * low[3] + dt * (held[o, 1] - held[o, 0])
            s = scale * st[j - 1 + o]
            gain[o, 0] = sign * (s + gap) - held[o, 0]
            gain[o, 1] = sign * s - held[o, 1]
            gain[o, 2] = -held[o, 2]
            gain[o, 3] = sign * gap_b - held[o, 3]
        more, w0, w1, w2 = cell_gain(gain[0, 0], gain[1, 0], gain[2, 0])
        V[j] = held[1, 0] + more
        X[j] = held[1, 1] + w0 * gain[0, 1] + w1 * gain[1, 1] + w2 * gain[2, 1]
        U[j] = held[1, 2] + w0 * gain[0, 2] + w1 * gain[1, 2] + w2 * gain[2, 2]
        R[j] = held[1, 3] + w0 * gain[0, 3] + w1 * gain[1, 3] + w2 * gain[2, 3]


@njit(cache=True, error_model="numpy")
def _last_row(
    rows: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    count: int,
    market: tuple[float, float, float, float, float, float],
    terms: tuple[float, float, float, float, bool],
    smooth_step: float,
) -> None:
    """The row the sweep starts from: the payoff, or the smoothed tree's last step before it."""
    V, X, U, R, st = rows
    _, K, sign, r, q, vol = market
    scale, _, gap, gap_b, american = terms
    for j in range(count):
        s = scale * st[j]
        V[j] = X[j] = U[j] = R[j] = 0.0
        if smooth_step > 0.0:
            V[j], delta, U[j], R[j] = european(s, K, sign, smooth_step, r, q, vol)
            X[j] = delta * s
            if american and sign * (s + gap) > V[j]:
                V[j], X[j], U[j], R[j] = sign * (s + gap), sign * s, 0.0, sign * gap_b
        elif sign * (s - K) > 0.0:
            V[j], X[j] = sign * (s - K), sign * s


@njit(cache=True, error_model="numpy")
def _ex_date(
    rows: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    before: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    count: int,
    dividend: float,
    terms: tuple[float, float, float, float, bool],
    row: tuple[int, float, float],
    space: float,
    parts: int,
) -> None:
    """From the row after an ex-date to ``count`` nodes before it, means over cells of ``parts``."""
    V, X, U, R, st = rows
    V2, X2, U2, R2 = before
    _, sign, gap, _, american = terms
    part = 1.0 / max(parts, 1)
    for j in range(count):
        V2[j] = X2[j] = U2[j] = R2[j] = 0.0
        g0 = x0 = u0 = r0 = 0.0
        for edge in range(parts + 1):
            off = edge * part - 0.5 if parts else 0.0
            s = st[j] * math.exp(off * space)
            after = max(s - dividend, 0.0)
            value, x, by_vol, by_rate = _read(V, X, U, R, after, row)
            x *= s / after if after > 0.0 else 0.0
            share = 0.5 * part if parts and edge in (0, parts) else part
            V2[j] += share * value
            X2[j] += share * x
            U2[j] += share * by_vol
            R2[j] += share * by_rate
            g, x = sign * (s + gap) - value, sign * s - x
            if american and (edge or not parts):
                gain, by_0, by_1 = mean_gain(g0 if parts else g, g)
                V2[j] += part * gain
                X2[j] += part * (by_0 * (x0 if parts else x) + by_1 * x)
                U2[j] -= part * (by_0 * (u0 if parts else by_vol) + by_1 * by_vol)
                R2[j] -= part * (by_0 * (r0 if parts else by_rate) + by_1 * by_rate)
            g0, x0, u0, r0 = g, x, by_vol, by_rate
    V[:count], X[:count], U[:count], R[:count] = V2[:count], X2[:count], U2[:count], R2[:count]


@njit(cache=True, error_model="numpy")
def _mended_roll(
    rows: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    old: FloatArray,
    n: int,
    edge_at: int,
    weights: tuple[float, float, float, float, float, float],
    terms: tuple[float, float, float, float, bool],
) -> int:
    """One step back with means at the exercise boundary; the number of nodes below that."""
    V, X, U, R, st = rows
    first = max(edge_at - _WINDOW // 2, 0)
    for j in range(min(_WINDOW, n + 1 - first)):
        at = first + j
        old[j, 0], old[j, 1], old[j, 2], old[j, 3] = V[at], X[at], U[at], R[at]
    _roll(V, X, U, R, st, n, weights, terms)
    edge_at = border(V, st, n, terms[0], terms[1], terms[2], edge_at)
    _mend(V, X, U, R, st, old, (first, n, edge_at), weights, terms)
    return edge_at


@watches(tree_nodes)
@njit(cache=True, error_model="numpy")
def weighted_sweep(
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
    """Fill ``answers`` (n, 7) as ``binomial_sweep.tangent_sweep`` does, from the same input."""
    size = (shape[:, :, 0] + shape[:, :, 1]).max()
    rows = (np.empty(size), np.empty(size), np.empty(size), np.empty(size), np.empty(size))
    before = (np.empty(size), np.empty(size), np.empty(size), np.empty(size))
    V, X, U, R, st = rows
    old = np.empty((_WINDOW, 4))
    for i in range(contract.shape[0]):
        S, K, sign, r, q, vol = contract[i, :6]
        market = (S, K, sign, r, q, vol)
        last = np.count_nonzero(shape[i, :, 0]) - 1
        row = (0, 0.0, 0.0)
        worth, bend, edge_at = 0.0, 0.0, 0
        for k in range(last, -1, -1):
            N, width, below = shape[i, k]
            lu, p = lattice[i, k, 0], lattice[i, k, 2]
            h, disc, root = dt[i, k], math.exp(-r * dt[i, k]), math.sqrt(dt[i, k])
            low, space = math.log(S) - 2.0 * below * lu, 2.0 * lu
            top = N - 1 if smooth and k == last else N
            for j in range(width + N):
                st[j] = math.exp(low - N * lu + j * space)
            drift = (r - q - 0.5 * vol * vol) / vol * h
            toward = disc * p * (root - drift) / (vol * h)
            away = disc * (1.0 - p) * (-root - drift) / (vol * h)
            weights = (disc * p, disc * (1.0 - p), toward, away, vol * h, h)
            for m in range(top, -1, -1):
                worth, worth_b = escrow_left(escrow_times[i], escrow_amounts[i], r, m * h)
                terms = (math.exp((N - m) * lu), sign, worth - K, worth_b, american)
                if m == 0:
                    bend = toward * X[1] + away * X[0]
                if m == top and k == last:
                    _last_row(rows, width + m, market, terms, h if smooth else 0.0)
                elif m == top:
                    D, parts = amount[i, k], _PARTS if smooth else 0
                    _ex_date(rows, before, width + m, D, terms, row, space, parts)
                elif american and smooth:
                    edge_at = _mended_roll(rows, old, width + m, edge_at, weights, terms)
                else:
                    _roll(V, X, U, R, st, width + m, weights, terms)
            row = (width, low, space)
        delta = X[0] / S
        theta = r * V[0] - (r - q - 0.5 * vol * vol) * X[0] - 0.5 * vol * vol * bend
        answers[i, 0], answers[i, 1], answers[i, 2] = V[0], delta, (bend - X[0]) / (S * S)
        answers[i, 3] = theta - r * contract[i, 7] * delta
        answers[i, 4], answers[i, 5] = U[0], R[0] + delta * S * contract[i, 6]
        # Node prices are exponentials of logarithms: a last digit off
        stopped = american and sign * (S + worth - K) >= V[0] - 1e-13 * (S + K)
        answers[i, 6] = 1.0 if stopped else 0.0
