r"""Residuals, slopes and the normal equations of the joint fit: the algebra under :mod:`.joint_fit`.

The unknowns are common (the gap's mean delta, log vol ratio, skewness, excess kurtosis, wedge) and
one a snapshot of each kind: log vol v_t, probit of the pricing probability x_t and, where the gap
drifts, its departure d_t. Quotes of a snapshot, over their errors, are taken down to a few smooth
directions B_t; direction m then has the covariance in time S_m and the normal equations need, of
one-a-snapshot unknowns a and b, only sum_m diag(a_m) S_m^-1 diag(b_m).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import BoolArray, FloatArray, watches
from eventtape.estimators.pricing import gram_charlier, normal
from eventtape.estimators.pricing.gram_charlier import call_and_slopes
from eventtape.estimators.pricing.normal import mills_ratio, norm_pdf

COMMON = 5  # delta, log vol ratio, skewness, excess kurtosis, wedge
SLOPES = 6  # of a quote: delta_t, log vol ratio, skewness, excess kurtosis, v_t, x_t
LOWEST, HIGHEST = (-1.5, -1.5, -1.2, -0.5), (1.5, 1.5, 1.2, 4.0)  # of the first four, searched


@watches(normal)
@njit(cache=True, error_model="numpy")
def _cdf(x: float) -> float:
    size = min(abs(x), 38.0)
    tail = norm_pdf(size) * mills_ratio(size)
    return 1.0 - tail if x > 0.0 else tail


@watches(gram_charlier, normal)
@njit(cache=True, error_model="numpy")
def rows(
    log_strikes: FloatArray,
    strikes: FloatArray,
    prices: FloatArray,
    weights: FloatArray,
    basis: FloatArray,
    log_forward: FloatArray,
    unknown: FloatArray,
    drifts: bool,
    y: FloatArray,
    J: FloatArray,
    h: FloatArray,
) -> None:
    """Fill ``y`` ``(T, M)``, ``J`` ``(T, 6, M)`` and ``h`` ``(3, T)``: spot's event part, slopes.

    ``weights`` are 1 / error, 0 where unseen; ``basis`` is ``(T, M, n_strikes)``.
    """
    T, n = prices.shape
    M = basis.shape[1]
    delta0, ratio, xi, kappa = unknown[0], unknown[1], unknown[2], unknown[3]
    one, zero = np.empty((5, n)), np.empty((5, n))
    ratio_1, ratio_0 = np.empty(n), np.empty(n)
    slope = np.empty((SLOPES + 1, n))
    for t in range(T):
        delta = delta0 + (unknown[COMMON + 2 * T + t] if drifts else 0.0)
        v, x = unknown[COMMON + t], unknown[COMMON + T + t]
        p = _cdf(x)
        lift = math.exp(delta)
        whole = 1.0 - p + p * lift
        h[0, t] = math.log(whole)
        h[1, t] = p * lift / whole
        by_p = (lift - 1.0) / whole
        phi = norm_pdf(min(abs(x), 38.0))
        h[2, t] = by_p * phi
        log_0 = log_forward[t] - h[0, t]
        log_1 = log_0 + delta
        for i in range(n):
            ratio_1[i] = log_1 - log_strikes[i]
            ratio_0[i] = log_0 - log_strikes[i]
        call_and_slopes(
            strikes, ratio_1, math.exp(log_1), math.exp(v + 0.5 * ratio), xi, kappa, one
        )
        call_and_slopes(
            strikes, ratio_0, math.exp(log_0), math.exp(v - 0.5 * ratio), xi, kappa, zero
        )
        q, a = 1.0 - p, h[1, t]
        for i in range(n):
            w = weights[t, i]
            slope[0, i] = w * (p * (1.0 - a) * one[1, i] - q * a * zero[1, i])
            slope[1, i] = w * 0.5 * (p * one[2, i] - q * zero[2, i])
            slope[2, i] = w * (p * one[3, i] + q * zero[3, i])
            slope[3, i] = w * (p * one[4, i] + q * zero[4, i])
            slope[4, i] = w * (p * one[2, i] + q * zero[2, i])
            slope[5, i] = (
                w * phi * (one[0, i] - zero[0, i] - by_p * (p * one[1, i] + q * zero[1, i]))
            )
            slope[6, i] = w * (prices[t, i] - (p * one[0, i] + q * zero[0, i]))
        for m in range(M):
            for s in range(SLOPES + 1):
                total = 0.0
                for i in range(n):
                    total += basis[t, m, i] * slope[s, i]
                if s < SLOPES:
                    J[t, s, m] = total
                else:
                    y[t, m] = total


@njit(cache=True, error_model="numpy")
def noise_inverses(
    times: FloatArray, gamma: FloatArray, hyper: FloatArray, inverse: FloatArray
) -> float:
    """Fill ``inverse`` ``(M, T, T)`` with S_m^-1; return the sum of log determinants.

    S_m = scale ((1 - a) I + a gamma_m R), R = exp(-|t - s| / memory); ``hyper`` is (log scale,
    a, memory).
    """
    T, M = times.size, gamma.size
    scale, a, memory = math.exp(hyper[0]), hyper[1], hyper[2]
    R = np.empty((T, T))
    for t in range(T):
        for s in range(T):
            R[t, s] = math.exp(-abs(times[t] - times[s]) / memory)
    values, Q = np.linalg.eigh(R)
    total = 0.0
    scaled = np.empty((T, T))
    for m in range(M):
        for j in range(T):
            s_j = scale * ((1.0 - a) + a * gamma[m] * max(values[j], 0.0))
            total += math.log(s_j)
            for t in range(T):
                scaled[t, j] = Q[t, j] / s_j
        inverse[m] = scaled @ Q.T
    return total


@njit(cache=True, error_model="numpy")
def normal_equations(
    y: FloatArray,
    J: FloatArray,
    h: FloatArray,
    inverse: FloatArray,
    d_log_forward: FloatArray,
    spot_weight: FloatArray,
    probit: FloatArray,
    probit_weight: FloatArray,
    prior: FloatArray,
    drift_weight: float,
    unknown: FloatArray,
    drifts: bool,
    H: FloatArray,
    g: FloatArray,
) -> tuple[float, float, float]:
    """Fill the Gauss-Newton matrix ``H`` and the step's right side ``g``; return three sums.

    Of squares: of quotes, of the spot equation, and of priors with the probability's.
    """
    T, M = y.shape
    C = COMMON
    H[:] = 0.0
    g[:] = 0.0
    quotes = 0.0
    # Common slopes by direction: delta, ratio, xi, kappa are slopes 0 to 3
    white = np.empty((SLOPES, T))
    white_y = np.empty(T)
    kinds = 3 if drifts else 2
    for m in range(M):
        S = inverse[m]
        for t in range(T):
            total = 0.0
            for s in range(T):
                total += S[t, s] * y[s, m]
            white_y[t] = total
            for k in range(4):
                total = 0.0
                for s in range(T):
                    total += S[t, s] * J[s, k, m]
                white[k, t] = total
        for t in range(T):
            quotes += y[t, m] * white_y[t]
        for k in range(4):
            for t in range(T):
                g[k] += J[t, k, m] * white_y[t]
            for k2 in range(k + 1):
                total = 0.0
                for t in range(T):
                    total += J[t, k2, m] * white[k, t]
                H[k, k2] += total
        for kind in range(kinds):
            slope = 4 + kind if kind < 2 else 0
            at = C + kind * T
            for t in range(T):
                a = J[t, slope, m]
                g[at + t] += a * white_y[t]
                for k in range(4):
                    H[at + t, k] += a * white[k, t]
                for other in range(kind + 1):
                    slope_2 = 4 + other if other < 2 else 0
                    at_2 = C + other * T
                    for s in range(T):
                        H[at + t, at_2 + s] += a * S[t, s] * J[s, slope_2, m]
    spot = 0.0
    for t in range(1, T):
        w = spot_weight[t]
        if w == 0.0:
            continue
        r = d_log_forward[t] - (h[0, t] - h[0, t - 1])
        spot += w * r * r
        # Slopes of h_t - h_{t-1}: delta, x_t, x_{t-1} (and d_t, d_{t-1})
        index = np.array([0, C + T + t - 1, C + T + t, C + 2 * T + t - 1, C + 2 * T + t])
        slope_ = np.array([h[1, t] - h[1, t - 1], -h[2, t - 1], h[2, t], -h[1, t - 1], h[1, t]])
        count = 5 if drifts else 3
        for i in range(count):
            g[index[i]] += w * slope_[i] * r
            for j in range(i + 1):
                H[index[i], index[j]] += w * slope_[i] * slope_[j]
    other_ = 0.0
    for t in range(T):
        w = probit_weight[t]
        r = probit[t] - (unknown[C + T + t] - unknown[4])
        other_ += w * r * r
        g[C + T + t] += w * r
        g[4] -= w * r
        H[C + T + t, C + T + t] += w
        H[C + T + t, 4] -= w
        H[4, 4] += w
    for k in range(C):
        w = prior[k]
        other_ += w * unknown[k] * unknown[k]
        g[k] -= w * unknown[k]
        H[k, k] += w
    if drifts:
        at = C + 2 * T
        mean = 0.0
        for t in range(T):
            mean += unknown[at + t]
        stiff = 1e4 * drift_weight
        other_ += stiff * mean * mean
        for t in range(T):
            g[at + t] -= stiff * mean
            for s in range(t + 1):
                H[at + t, at + s] += stiff
        for t in range(1, T):
            step = unknown[at + t] - unknown[at + t - 1]
            other_ += drift_weight * step * step
            g[at + t] -= drift_weight * step
            g[at + t - 1] += drift_weight * step
            H[at + t, at + t] += drift_weight
            H[at + t - 1, at + t - 1] += drift_weight
            H[at + t, at + t - 1] -= drift_weight
    return quotes, spot, other_


@watches(gram_charlier, normal)
@njit(cache=True, error_model="numpy")
def solve(
    data: tuple[FloatArray, ...],
    inverse: FloatArray,
    spot_weight: FloatArray,
    drift_weight: float,
    unknown: FloatArray,
    free: BoolArray,
    most: int,
    tolerance: float,
) -> tuple[FloatArray, float, float, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """The least-squares answer near ``unknown`` with the parameters not ``free`` held.

    Levenberg-Marquardt. ``data`` is (log strikes, strikes, prices, weights, basis, log forward,
    its moves, probit, probit weights, priors). Returns the unknowns, the objective, the spot
    equation's part, then H, g, y, J and h there.
    """
    log_strikes, strikes, prices, weights, basis = data[0], data[1], data[2], data[3], data[4]
    log_forward, moves, probit, probit_weight, prior = data[5], data[6], data[7], data[8], data[9]
    T, M, P = prices.shape[0], basis.shape[1], unknown.size
    drifts = drift_weight > 0.0
    x = unknown.copy()
    y, J, h = np.empty((T, M)), np.empty((T, SLOPES, M)), np.empty((3, T))
    y2, J2, h2 = np.empty((T, M)), np.empty((T, SLOPES, M)), np.empty((3, T))
    H, g, H2, g2 = np.empty((P, P)), np.empty(P), np.empty((P, P)), np.empty(P)
    rows(log_strikes, strikes, prices, weights, basis, log_forward, x, drifts, y, J, h)
    quotes, spot, rest = normal_equations(
        y, J, h, inverse, moves, spot_weight, probit, probit_weight, prior, drift_weight, x,
        drifts, H, g,
    )  # fmt: skip
    best, part = quotes + spot + rest, spot
    damp = 0.0
    A = np.empty((P, P))
    for _ in range(most):
        b = g.copy()
        for i in range(P):
            for j in range(i + 1):
                A[i, j] = H[i, j]
                A[j, i] = H[i, j]
            A[i, i] = A[i, i] * (1.0 + damp) + 1e-9
        for i in range(P):
            if not free[i]:
                A[i, :] = 0.0
                A[:, i] = 0.0
                A[i, i] = 1.0
                b[i] = 0.0
        step = np.linalg.solve(A, b)
        length = 1.0
        for k in range(P):
            length = min(length, 0.3 / max(abs(step[k]), 1e-300))
        trial = x + length * step
        for k in range(4):
            trial[k] = min(max(trial[k], LOWEST[k]), HIGHEST[k])
        rows(log_strikes, strikes, prices, weights, basis, log_forward, trial, drifts, y2, J2, h2)
        quotes, spot, rest = normal_equations(
            y2, J2, h2, inverse, moves, spot_weight, probit, probit_weight, prior, drift_weight,
            trial, drifts, H2, g2,
        )  # fmt: skip
        new = quotes + spot + rest
        if new <= best:
            gain = best - new
            x, best, part = trial, new, spot
            H, H2, g, g2, h, h2 = H2, H, g2, g, h2, h
            y, y2, J, J2 = y2, y, J2, J
            damp = damp * 0.2 if damp > 1e-6 else 0.0
            if gain < tolerance:
                break
        else:
            damp = max(damp * 5.0, 1e-3)
            if damp > 1e8:
                break
    return x, best, part, H, g, y, J, h


@njit(cache=True, error_model="numpy")
def restricted_likelihood(
    data: tuple[FloatArray, ...],
    inverse: FloatArray,
    spot_weight: FloatArray,
    drift_weight: float,
    unknown: FloatArray,
    y: FloatArray,
    J: FloatArray,
    h: FloatArray,
    prior: FloatArray,
) -> tuple[float, float, float]:
    """-2 log restricted likelihood but for the noise's determinants, with the model made linear.

    Then the quotes' sum of squares at the linear answer, and how many of them the fit uses up.
    """
    T, M, P = y.shape[0], y.shape[1], unknown.size
    drifts = drift_weight > 0.0
    H, g, H2, g2 = np.empty((P, P)), np.empty(P), np.empty((P, P)), np.empty(P)
    nothing = np.zeros(T)
    quotes, spot, rest = normal_equations(
        y, J, h, inverse, data[6], spot_weight, data[7], data[8], prior, drift_weight, unknown,
        drifts, H, g,
    )  # fmt: skip
    normal_equations(
        y, J, h, inverse, data[6], nothing, data[7], nothing, np.zeros(COMMON), 0.0, unknown,
        drifts, H2, g2,
    )  # fmt: skip
    for i in range(P):
        for j in range(i):
            H[j, i], H2[j, i] = H[i, j], H2[i, j]
        H[i, i] += 1e-9
    L = np.linalg.cholesky(H)
    inverse_H = np.linalg.inv(H)
    step = inverse_H @ g
    log_det = 0.0
    for i in range(P):
        log_det += 2.0 * math.log(L[i, i])
    used = float(np.sum(inverse_H * H2))
    left = quotes - 2.0 * float(g2 @ step) + float(step @ (H2 @ step))
    return quotes + spot + rest - float(g @ step) + log_det, left, used
