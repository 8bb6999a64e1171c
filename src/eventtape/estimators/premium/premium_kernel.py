r"""The posterior of the premium: one Gaussian answer for each cell of the hyperparameter grid.

Whitened by the error of each expiry, total variance is (n expiries; columns X: events, then the
level and the log-time slope of the base)::

    y = X beta + g + e,   g ~ N(0, tau^2 K),   e ~ N(0, kappa^2 I),   beta ~ N(mu, Lambda^-1)

where K is what the bends of the base integrate to (:mod:`.premium_base`), lambda = 1/tau^2, and
Lambda is 0 in a direction of which nothing is known. With r = (tau/kappa)^2 and V = I + r K,

    G = X'V^-1 X / kappa^2 + Lambda,   b = G^-1 (X'V^-1 y / kappa^2 + Lambda mu),
    -2 log evidence = n log kappa^2 + log|V| + log|G| + y'V^-1 y / kappa^2 + mu'Lambda mu
                      - b'G b + const,

the improper directions integrated out (REML: Patterson and Thompson 1971). K depends on the weekend
weight only. One Householder reduction K = Q T Q' a weight makes V tridiagonal, I + r T, for every
r: a cell then costs O(n) and not O(n^3).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, watches
from eventtape.estimators.premium import premium_algebra
from eventtape.estimators.premium.premium_algebra import (
    eliminate,
    inverse_parts,
    solve,
    tridiagonal,
)

__all__ = ["KAPPAS", "KAPPA_LOW", "KAPPA_SD", "LEAST_WEIGHT", "STEP", "TAUS", "TAU_LOW", "average"]

STEP = 0.6  # of both grids, in log10 of a variance: their ratios then repeat
TAUS, TAU_LOW = 7, -2.1  # tau^2 to 10^1.5, the base variance being about 1
KAPPAS, KAPPA_LOW = 4, -0.6  # kappa^2 to 10^1.2: errors from half to four times those stated
KAPPA_SD = 0.4  # of log10 kappa^2 around 0, before the data
LEAST_WEIGHT = 1e-4  # cells below this part of the heaviest are dropped
_RATIOS = TAUS + KAPPAS - 1


def average(
    base: tuple[FloatArray, FloatArray],
    total: FloatArray,
    error: FloatArray,
    columns: FloatArray,
    precision: FloatArray,
    mean: FloatArray,
    weekends: FloatArray,
    log_prior: FloatArray,
) -> tuple[Any, ...]:
    """The posterior over the grid, and the base averaged over it.

    ``base`` is of :func:`~.premium_base.base_columns`; ``total`` and ``error`` are total variances
    ``(n,)`` in units in which the base is about 1 a day; ``columns`` ``(n, q)`` count events;
    ``precision`` (0: nothing known) and ``mean`` are of q event variances, the level and the slope.
    ``weekends`` is a grid with its log prior.

    Returns weight ``(c,)``, mean ``(c, q)`` and covariance ``(c, q, q)`` of the cells; mean and sd
    of the base, and the fit, ``(n,)``; chi^2 and its degrees; the weights of ``weekends``; and the
    mean of log10 tau^2.
    """
    prior = (precision, mean, weekends, log_prior)
    weights, b, cov, reduced, X, scale = _posterior(base, total, error, columns, prior)
    answer: tuple[Any, ...] = _gather(weights, b, cov, reduced, X, error, scale)
    return answer


@watches(premium_algebra)
@njit(cache=True, error_model="numpy")
def _posterior(
    base: tuple[FloatArray, FloatArray],
    total: FloatArray,
    error: FloatArray,
    columns: FloatArray,
    prior: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
) -> tuple[Any, ...]:
    """Weights, means and covariances of the cells ``(n_weekends, TAUS, KAPPAS, ...)``.

    Then what they were made from: d, e, rotated [X, y] and Q by weekend, [X, y] and its scales.
    """
    precision, mean, weekends, log_prior = prior
    n, q = columns.shape
    n_w, p = weekends.size, q + 2
    log_weight = np.full((n_w, TAUS, KAPPAS), -math.inf)
    b = np.zeros((n_w, TAUS, KAPPAS, p))
    cov = np.zeros((n_w, TAUS, KAPPAS, p, p))
    X = np.zeros((n_w, n, p + 1))
    rotated, Q = np.empty((n_w, n, p + 1)), np.empty((n_w, n, n))
    d, e = np.empty((n_w, n)), np.empty((n_w, n))
    K, grams, logs = np.empty((n, n)), np.empty((_RATIOS, p + 1, p + 1)), np.empty(_RATIOS)
    scale = _scales(base[0], error, columns)
    given, centre = np.empty(p), np.empty(p)
    for c in range(p):
        given[c], centre[c] = precision[c] * scale[c] ** 2, mean[c] / scale[c]
    for a in range(n_w):
        _whiten(base, total, error, columns, weekends[a], scale, X[a], K)
        rotated[a] = X[a]
        d[a], e[a] = tridiagonal(K, rotated[a], Q[a])
        _sums(d[a], e[a], rotated[a], grams, logs)
        for t in range(TAUS):
            for k in range(KAPPAS):
                i = t - k + KAPPAS - 1
                value = _cell(n, grams[i], 10.0 ** (KAPPA_LOW + STEP * k), given, centre,
                              b[a, t, k], cov[a, t, k])  # fmt: skip
                value += log_prior[a] - 0.5 * (logs[i] + ((KAPPA_LOW + STEP * k) / KAPPA_SD) ** 2)
                if not math.isnan(value):
                    log_weight[a, t, k] = value
    return _normalised(log_weight), b, cov, (d, e, rotated, Q), X, scale


@njit(cache=True, error_model="numpy")
def _normalised(log_weight: FloatArray) -> FloatArray:
    """Weights that sum to 1, those under LEAST_WEIGHT of the heaviest dropped."""
    weights = np.zeros(log_weight.shape)
    flat, logs = weights.ravel(), log_weight.ravel()
    best, total = -math.inf, 0.0
    for i in range(logs.size):
        best = max(best, logs[i])
    for i in range(logs.size):
        if logs[i] - best >= math.log(LEAST_WEIGHT):
            flat[i] = math.exp(logs[i] - best)
            total += flat[i]
    for i in range(logs.size):
        flat[i] /= total
    return weights


@njit(cache=True, error_model="numpy")
def _ratio(i: int) -> float:
    """(tau / kappa)^2 of the i-th of the ratios, i = t - k + KAPPAS - 1."""
    return float(10.0 ** (TAU_LOW - KAPPA_LOW + STEP * (i - KAPPAS + 1)))


@njit(cache=True, error_model="numpy")
def _scales(line: FloatArray, error: FloatArray, columns: FloatArray) -> FloatArray:
    """What makes each whitened column as long as 1: the Gram matrices are well conditioned then."""
    n, q = columns.shape
    scale = np.empty(q + 2)
    for c in range(q + 2):
        s = 0.0
        for i in range(n):
            value = columns[i, c] if c < q else line[0, i, c - q] + line[1, i, c - q]
            s += (value / error[i]) ** 2
        scale[c] = 1.0 / math.sqrt(s) if s > 0.0 else 1.0
    return scale


@njit(cache=True, error_model="numpy")
def _whiten(
    base: tuple[FloatArray, FloatArray],
    total: FloatArray,
    error: FloatArray,
    columns: FloatArray,
    weekend: float,
    scale: FloatArray,
    X: FloatArray,
    K: FloatArray,
) -> None:
    """Fill the whitened columns, y as the last of them, and K, at one weekend weight."""
    line, bend = base
    n, q = columns.shape
    on, off = (7.0 - 2.0 * weekend) / 5.0, weekend
    L = np.empty((n, bend.shape[2]))
    for i in range(n):
        for c in range(q):
            X[i, c] = scale[c] * columns[i, c] / error[i]
        for c in range(2):
            both = on * line[0, i, c] + off * line[1, i, c]
            X[i, q + c] = scale[q + c] * both / error[i]
        X[i, q + 2] = total[i] / error[i]
        for k in range(L.shape[1]):
            L[i, k] = (on * bend[0, i, k] + off * bend[1, i, k]) / error[i]
        for j in range(i + 1):
            s = 0.0
            for k in range(L.shape[1]):
                s += L[i, k] * L[j, k]
            K[i, j] = s
            K[j, i] = s


@watches(premium_algebra)
@njit(cache=True, error_model="numpy")
def _sums(
    d: FloatArray, e: FloatArray, rotated: FloatArray, grams: FloatArray, logs: FloatArray
) -> None:
    """Fill [X, y]'V^-1 [X, y] and log|V| for each ratio."""
    n, m = rotated.shape
    D, F = np.empty(n), np.empty((n, m))
    for i in range(_RATIOS):
        logs[i] = eliminate(d, e, _ratio(i), rotated, D, F)
        grams[i] = 0.0
        for row in range(n):
            for c in range(m):
                s = F[row, c] / D[row]
                for k in range(c + 1):
                    grams[i, c, k] += s * F[row, k]


@watches(premium_algebra)
@njit(cache=True, error_model="numpy")
def _cell(
    n: int,
    gram: FloatArray,
    noise: float,
    given: FloatArray,
    centre: FloatArray,
    b: FloatArray,
    cov: FloatArray,
) -> float:
    """Log evidence of a cell but for log|V|; its answer is filled. NaN where G is singular."""
    p = b.size
    G, right = np.empty((p, p)), np.empty(p)
    misfit = gram[p, p] / noise
    for c in range(p):
        right[c] = gram[p, c] / noise + given[c] * centre[c]
        misfit += given[c] * centre[c] ** 2
        for k in range(c + 1):
            G[c, k] = gram[c, k] / noise
        G[c, c] += given[c]
    logs = solve(G, right, b, cov)
    for c in range(p):
        misfit -= right[c] * b[c]
    return -0.5 * float(n * math.log(noise) + logs + misfit)


@watches(premium_algebra)
@njit(cache=True, error_model="numpy")
def _gather(
    weights: FloatArray,
    b: FloatArray,
    cov: FloatArray,
    reduced: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    X: FloatArray,
    error: FloatArray,
    scale: FloatArray,
) -> tuple[Any, ...]:
    """The cells that count, and base and fit averaged over them."""
    d, e, rotated, Q = reduced
    n_w, n, m = X.shape
    p, q = m - 1, m - 3
    count, over = _held(weights)
    weight, sizes, spreads = np.empty(count), np.empty((count, q)), np.empty((count, q, q))
    sums = np.zeros((4, n))  # of the base, its square, the residual, and what it is expected to be
    D, F, own, H = np.empty(n), np.empty((n, m)), np.empty(n), np.empty((n, m))
    rough, cell = 0.0, 0
    for a in range(n_w):
        for i in range(_RATIOS):
            ready = False
            for k in range(KAPPAS):
                t = i + k - KAPPAS + 1
                if not 0 <= t < TAUS or weights[a, t, k] == 0.0:
                    continue
                if not ready:
                    eliminate(d[a], e[a], _ratio(i), rotated[a], D, F)
                    inverse_parts((d[a], e[a], _ratio(i)), Q[a], D, F, own, H)
                    ready = True
                w, noise = weights[a, t, k], 10.0 ** (KAPPA_LOW + STEP * k)
                _add(w, noise, b[a, t, k], cov[a, t, k], X[a], own, H, sums)
                weight[cell] = w
                for c in range(q):
                    sizes[cell, c] = b[a, t, k, c] * scale[c]
                    for j in range(q):
                        spreads[cell, c, j] = cov[a, t, k, c, j] * scale[c] * scale[j]
                rough += w * (TAU_LOW + STEP * t)
                cell += 1
    chi, degrees = _curves(sums, X[0, :, p], error)
    return weight, sizes, spreads, sums[0], sums[1], sums[2], chi, degrees, over, rough


@njit(cache=True, error_model="numpy")
def _held(weights: FloatArray) -> tuple[int, FloatArray]:
    """How many cells have weight, and how much of it each weekend."""
    count, over = 0, np.zeros(weights.shape[0])
    for a in range(over.size):
        for t in range(TAUS):
            for k in range(KAPPAS):
                count += 1 if weights[a, t, k] > 0.0 else 0
                over[a] += weights[a, t, k]
    return count, over


@njit(cache=True, error_model="numpy")
def _curves(sums: FloatArray, y: FloatArray, error: FloatArray) -> tuple[float, float]:
    """Turn the first sums into base, its sd and the fit, unwhitened; chi^2 and its degrees."""
    chi, degrees = 0.0, 0.0
    for i in range(y.size):
        sums[1, i] = error[i] * math.sqrt(max(sums[1, i] - sums[0, i] ** 2, 0.0))
        sums[0, i] *= error[i]
        chi += sums[2, i] ** 2
        degrees += sums[3, i]
        sums[2, i] = (y[i] - sums[2, i]) * error[i]
    return chi, degrees


@njit(cache=True, error_model="numpy")
def _add(
    w: float,
    noise: float,
    b: FloatArray,
    cov: FloatArray,
    X: FloatArray,
    own: FloatArray,
    H: FloatArray,
    sums: FloatArray,
) -> None:
    """Add a cell's base and residual: e = V^-1 (y - X beta) given beta, base = y - e - events."""
    p = b.size
    row = np.empty(p)
    for i in range(own.size):
        left, events = H[i, p], 0.0
        for c in range(p):
            left -= H[i, c] * b[c]
            row[c] = H[i, c]
            if c < p - 2:
                events += X[i, c] * b[c]
                row[c] -= X[i, c]
        spread, lever = noise * (1.0 - own[i]), 0.0
        for c in range(p):
            for k in range(p):
                spread += row[c] * cov[c, k] * row[k]
                lever += H[i, c] * cov[c, k] * H[i, k]
        value = X[i, p] - left - events
        sums[0, i] += w * value
        sums[1, i] += w * (spread + value * value)
        sums[2, i] += w * left
        sums[3, i] += w * (own[i] - lever / noise)
