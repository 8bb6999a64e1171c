r"""How smooth is this smile, and how noisy are its quotes? Both from the quotes themselves.

The scaled quotes y (n of them, of error variance kappa^2 R_i) are a sum of p columns Phi with
normal coefficients of variances lambda_j: y ~ N(Phi mu, kappa^2 R + Phi' Lambda Phi). With the
normal equations A = Phi R^-1 Phi', b = Phi R^-1 (y - Phi' mu), made once, each trial costs p^3::

    M = I + r A r / kappa^2,   r = Lambda^(1/2),   w = M^-1 r b / kappa^2
    -log evidence = (yy / kappa^2 - w' M w) / 2 + log det(M) / 2 + n log(kappa)

The coefficients are mu + r w with covariance r M^-1 r. The cosines' variances are the spectral
density of a kernel of two squared exponentials, nine tenths of the variance with length ell and one
tenth with half of it::

    S(omega) = sf^2 sqrt(2 pi) sum_i a_i ell_i exp(-(ell_i omega)^2 / 2)

A single length makes bands that are too narrow where the smile is rougher than it is elsewhere.
ell, sf and kappa maximise evidence times log-normal priors, by BFGS with exact slopes. Plug-in
maxima without the priors take a nearly straight smile for a straight one.

References: Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, ch. 5; Solin and
Sarkka (2020), Statistics and Computing 30.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, watches
from eventtape.estimators.density import smile_columns as columns
from eventtape.estimators.density.smile_columns import MEAN_COLUMNS
from eventtape.estimators.pricing import normal
from eventtape.estimators.pricing.normal import exp_

__all__ = ["PRIORS", "maximise", "normal_equations", "posterior", "prior_variances"]

PRIORS = np.array([[math.log(1.8), 0.2], [math.log(0.2), 0.5], [0.0, 0.5]])
"""Means and standard deviations of log ell (in u), log sf (of v / v_0) and log kappa."""

_LENGTHS, _PARTS = (1.0, 0.5), (0.9, 0.1)
_MEAN_VARIANCE = 1.0  # of level, skew and curvature, in (v / v_0)^2
_ROOT_2PI = math.sqrt(2.0 * math.pi)
_STEPS = 30
_ENOUGH = 1e-3  # nats a step may promise where the search ends
_SHORTEST = 1e-4


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def normal_equations(
    V: FloatArray, y: FloatArray, R: FloatArray, used: FloatArray, A: FloatArray, b: FloatArray
) -> tuple[float, float, float]:
    """Fill A ``(p, p)`` and b ``(p,)``; return y' R^-1 y, sum log R and n over quotes used (1)."""
    p, n = V.shape
    weight = np.empty(n)
    product = np.empty(n)
    yy = logs = count = 0.0
    for i in range(n):
        on = used[i] > 0.0
        weight[i] = 1.0 / R[i] if on else 0.0
        yy += weight[i] * y[i] * y[i]
        logs += math.log(R[i]) if on else 0.0
        count += 1.0 if on else 0.0
    for j in range(p):
        total = 0.0
        for i in range(n):
            product[i] = V[j, i] * weight[i]
            total += product[i] * y[i]
        b[j] = total
        for k in range(j + 1):
            total = 0.0
            for i in range(n):
                total += product[i] * V[k, i]
            A[j, k] = A[k, j] = total
    return yy, logs, count


@watches(normal)
@njit(cache=True, error_model="numpy")
def prior_variances(
    theta: FloatArray, half: float, extra: float, lam: FloatArray, slope: FloatArray
) -> None:
    """Fill the p prior variances and d log lambda / d log ell; ``extra`` is the last column's."""
    p = lam.size
    ell, variance = math.exp(theta[0]), math.exp(2.0 * theta[1])
    for j in range(MEAN_COLUMNS):
        lam[j], slope[j] = _MEAN_VARIANCE, 0.0
    lam[p - 1], slope[p - 1] = extra, 0.0
    for j in range(1, p - MEAN_COLUMNS):
        omega = j * 0.5 * math.pi / half
        total, change = 1e-300, 0.0
        for i in range(2):
            q = (ell * _LENGTHS[i] * omega) ** 2
            part = _PARTS[i] * _ROOT_2PI * ell * _LENGTHS[i] * exp_(-0.5 * q)
            total += part
            change += part * (1.0 - q)
        lam[MEAN_COLUMNS - 1 + j], slope[MEAN_COLUMNS - 1 + j] = variance * total, change / total


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def _factor(A: FloatArray, root: FloatArray, inverse: float, L: FloatArray) -> float:
    """L L' = I + r A r / kappa^2, rows first; its log determinant over 2, infinite if it fails."""
    p = root.size
    logs = 0.0
    for j in range(p):
        for k in range(j + 1):
            total = root[j] * A[j, k] * root[k] * inverse + (1.0 if j == k else 0.0)
            for q in range(k):
                total -= L[j, q] * L[k, q]
            if k < j:
                L[j, k] = total / L[k, k]
            else:
                if not total > 0.0:
                    return math.inf
                L[j, j] = math.sqrt(total)
                logs += math.log(L[j, j])
    return logs


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def _invert(L: FloatArray, U: FloatArray) -> None:
    """U = (L^-1)', upper triangular: column j of L^-1 is row j of U, so sums run along rows."""
    p = L.shape[0]
    for j in range(p):
        U[j, j] = 1.0 / L[j, j]
        for i in range(j + 1, p):
            total = 0.0
            for q in range(j, i):
                total += L[i, q] * U[j, q]
            U[j, i] = -total / L[i, i]


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def posterior(
    A: FloatArray,
    b: FloatArray,
    mu: float,
    lam: FloatArray,
    log_kappa: float,
    work: FloatArray,
    coefficients: FloatArray,
) -> float:
    """Coefficients ``(p,)`` of given hyper-parameters; ``work[0]`` ``(p, p)`` holds the factor."""
    p = lam.size
    L = work[0]
    inverse = math.exp(-2.0 * log_kappa)
    root = np.empty(p)
    z = np.empty(p)
    for j in range(p):
        root[j] = math.sqrt(lam[j])
    logs = _factor(A, root, inverse, L)
    for j in range(p):
        total = root[j] * (b[j] - mu * A[j, p - 1]) * inverse
        for k in range(j):
            total -= L[j, k] * z[k]
        z[j] = total / L[j, j]
    for j in range(p - 1, -1, -1):
        z[j] /= L[j, j]
        for k in range(j):
            z[k] -= L[j, k] * z[j]
        coefficients[j] = root[j] * z[j]
    coefficients[p - 1] += mu
    return logs


@njit(cache=True, error_model="numpy")
def _prior_miss(theta: FloatArray, priors: FloatArray, slope: FloatArray) -> float:
    """Minus log of the prior of theta; its slope is added."""
    total = 0.0
    for i in range(3):
        gap = (theta[i] - priors[i, 0]) / priors[i, 1]
        total += 0.5 * gap * gap
        slope[i] += gap / priors[i, 1]
    return total


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def _miss(
    theta: FloatArray,
    priors: FloatArray,
    A: FloatArray,
    b: FloatArray,
    sums: FloatArray,
    half: float,
    mu: float,
    extra: float,
    vectors: FloatArray,
    work: FloatArray,
    slope: FloatArray,
) -> float:
    """Minus log posterior of theta, and its slope; ``sums`` holds yy, sum log R, n."""
    lam, change, root, z = vectors[0], vectors[1], vectors[2], vectors[3]
    L, U = work[0], work[1]
    p = lam.size
    prior_variances(theta, half, extra, lam, change)
    inverse = math.exp(-2.0 * theta[2])
    for j in range(p):
        root[j] = math.sqrt(lam[j])
    logs = _factor(A, root, inverse, L)
    if not math.isfinite(logs):
        return math.inf
    _invert(L, U)
    yy = sums[0] - 2.0 * mu * b[p - 1] + mu * mu * A[p - 1, p - 1]
    for j in range(p):
        z[j] = 0.0
    explained = 0.0
    for j in range(p):
        v = root[j] * (b[j] - mu * A[j, p - 1]) * inverse
        for k in range(j, p):
            z[k] += U[j, k] * v
    for j in range(p):
        explained += z[j] * z[j]
    trace = whole = length = size = 0.0
    for j in range(p):
        w = spread = 0.0
        for k in range(j, p):
            w += U[j, k] * z[k]
            spread += U[j, k] * U[j, k]
        trace += spread
        whole += w * w
        if MEAN_COLUMNS <= j < p - 1:
            pull = 0.5 * (1.0 - spread - w * w)
            length += pull * change[j]
            size += 2.0 * pull
    n = sums[2]
    slope[0], slope[1] = length, size
    slope[2] = -yy * inverse + explained + whole + n - (p - trace)
    total = 0.5 * (yy * inverse - explained) + logs + n * theta[2] + 0.5 * sums[1]
    return float(total + _prior_miss(theta, priors, slope))


@njit(cache=True, error_model="numpy")
def _downhill(H: FloatArray, g: FloatArray, step: FloatArray) -> float:
    """The step -H g, no longer than 1 in any direction; the fall it promises."""
    largest = fall = 0.0
    for i in range(3):
        step[i] = -(H[i, 0] * g[0] + H[i, 1] * g[1] + H[i, 2] * g[2])
        largest = max(largest, abs(step[i]))
    scale = 1.0 / max(largest, 1.0)
    for i in range(3):
        step[i] *= scale
        fall += step[i] * g[i]
    return fall


@njit(cache=True, error_model="numpy")
def _learn(H: FloatArray, old: FloatArray, new: FloatArray, g: FloatArray, h: FloatArray) -> None:
    """BFGS: what a step between two points, of slopes g and h, tells of the inverse curvature H."""
    step, change, Hy = np.empty(3), np.empty(3), np.empty(3)
    curve = yHy = 0.0
    for i in range(3):
        step[i], change[i] = new[i] - old[i], h[i] - g[i]
        curve += step[i] * change[i]
    for i in range(3):
        Hy[i] = H[i, 0] * change[0] + H[i, 1] * change[1] + H[i, 2] * change[2]
        yHy += Hy[i] * change[i]
    if curve > 1e-12:
        for i in range(3):
            for k in range(3):
                H[i, k] += (1.0 + yHy / curve) * step[i] * step[k] / curve - (
                    Hy[i] * step[k] + step[i] * Hy[k]
                ) / curve


@watches(columns, normal)
@njit(cache=True, error_model="numpy")
def maximise(
    theta: FloatArray,
    priors: FloatArray,
    A: FloatArray,
    b: FloatArray,
    sums: FloatArray,
    half: float,
    mu: float,
    extra: float,
) -> tuple[float, int]:
    """Move ``theta`` (log ell, log sf, log kappa) to the maximum; its miss, trials (0: failed)."""
    p = b.size
    vectors, work = np.empty((4, p)), np.empty((2, p, p))
    H = np.zeros((3, 3))
    for i in range(3):
        H[i, i] = 0.7 * priors[i, 1] ** 2
    g, g_new = np.empty(3), np.empty(3)
    step, trial = np.empty(3), np.empty(3)
    f = _miss(theta, priors, A, b, sums, half, mu, extra, vectors, work, g)
    trials = 1
    if not math.isfinite(f):
        return math.nan, 0
    for _ in range(_STEPS):
        fall = _downhill(H, g, step)
        if not fall < -_ENOUGH:
            break
        f_new, scale = math.inf, 1.0
        while scale > _SHORTEST and not f_new <= f + 1e-4 * scale * fall:
            for i in range(3):
                trial[i] = theta[i] + scale * step[i]
            f_new = _miss(trial, priors, A, b, sums, half, mu, extra, vectors, work, g_new)
            trials += 1
            scale *= 0.4
        if not f_new < f:
            break
        _learn(H, theta, trial, g, g_new)
        f = f_new
        for i in range(3):
            theta[i], g[i] = trial[i], g_new[i]
    return f, trials
