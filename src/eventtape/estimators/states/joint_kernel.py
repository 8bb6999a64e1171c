r"""Residuals, slopes and normal equations of the joint fit: the algebra under :mod:`.joint_fit`.

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
    moves: FloatArray,
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
    """Fill the lower Gauss-Newton matrix ``H`` and the right side ``g``; return three sums.

    Of squares: of quotes, of the spot equation, and of priors with the probability's.
    """
    H[:] = 0.0
    g[:] = 0.0
    quotes = 0.0
    for m in range(y.shape[1]):
        quotes += _add_direction(y[:, m], J[:, :, m], inverse[m], drifts, H, g)
    spot = _add_spot(h, moves, spot_weight, drifts, H, g)
    rest = _add_laws(probit, probit_weight, prior, unknown, H, g)
    if drifts:
        rest += _add_drift(drift_weight, unknown, y.shape[0], H, g)
    return quotes, spot, rest


@njit(cache=True, error_model="numpy")
def _add_one_a_time(
    kind: int,
    J: FloatArray,
    S: FloatArray,
    white: FloatArray,
    white_y: FloatArray,
    H: FloatArray,
    g: FloatArray,
) -> None:
    """Add the rows of one kind of one-a-snapshot unknown: 0 log vol, 1 probit, 2 drift."""
    T, C = white_y.size, COMMON
    slope = 4 + kind if kind < 2 else 0  # a drift's slope is the gap's
    at = C + kind * T
    for t in range(T):
        a = J[t, slope]
        g[at + t] += a * white_y[t]
        for k in range(4):
            H[at + t, k] += a * white[k, t]
        for other in range(kind + 1):
            slope_2 = 4 + other if other < 2 else 0
            at_2 = C + other * T
            for s in range(T):
                H[at + t, at_2 + s] += a * S[t, s] * J[s, slope_2]


@njit(cache=True, error_model="numpy")
def _add_direction(
    y: FloatArray, J: FloatArray, S: FloatArray, drifts: bool, H: FloatArray, g: FloatArray
) -> float:
    """Add one direction of the quotes, inverse covariance ``S`` in time; its sum of squares."""
    T = y.size
    white, white_y, squares = np.zeros((4, T)), np.zeros(T), 0.0
    for t in range(T):
        for s in range(T):
            white_y[t] += S[t, s] * y[s]
            for k in range(4):
                white[k, t] += S[t, s] * J[s, k]
        squares += y[t] * white_y[t]
    for k in range(4):
        for t in range(T):
            g[k] += J[t, k] * white_y[t]
            for other in range(k + 1):
                H[k, other] += J[t, other] * white[k, t]
    for kind in range(3 if drifts else 2):
        _add_one_a_time(kind, J, S, white, white_y, H, g)
    return squares


@njit(cache=True, error_model="numpy")
def _add_spot(
    h: FloatArray,
    moves: FloatArray,
    weight: FloatArray,
    drifts: bool,
    H: FloatArray,
    g: FloatArray,
) -> float:
    """Add the moves of log forward less those of its event part; their sum of squares."""
    T, C, squares = moves.size, COMMON, 0.0
    for t in range(1, T):
        w = weight[t]
        r = moves[t] - (h[0, t] - h[0, t - 1])
        squares += w * r * r
        at = (0, C + T + t - 1, C + T + t, C + 2 * T + t - 1, C + 2 * T + t)
        slope = (h[1, t] - h[1, t - 1], -h[2, t - 1], h[2, t], -h[1, t - 1], h[1, t])
        for i in range(5 if drifts else 3):
            g[at[i]] += w * slope[i] * r
            for j in range(i + 1):
                H[at[i], at[j]] += w * slope[i] * slope[j]
    return squares


@njit(cache=True, error_model="numpy")
def _add_laws(
    probit: FloatArray,
    weight: FloatArray,
    prior: FloatArray,
    unknown: FloatArray,
    H: FloatArray,
    g: FloatArray,
) -> float:
    """Add the quoted probability around the pricing one, and the priors; their squares."""
    T, C, squares = probit.size, COMMON, 0.0
    for t in range(T):
        w, at = weight[t], C + T + t
        r = probit[t] - (unknown[at] - unknown[4])
        squares += w * r * r
        g[at] += w * r
        g[4] -= w * r
        H[at, at] += w
        H[at, 4] -= w
        H[4, 4] += w
    for k in range(C):
        squares += prior[k] * unknown[k] * unknown[k]
        g[k] -= prior[k] * unknown[k]
        H[k, k] += prior[k]
    return squares


@njit(cache=True, error_model="numpy")
def _add_drift(weight: float, unknown: FloatArray, T: int, H: FloatArray, g: FloatArray) -> float:
    """Add the drift's random walk, its mean held at 0 by a stiff spring; their squares."""
    at = COMMON + 2 * T
    total = 0.0
    for t in range(T):
        total += unknown[at + t]
    stiff = 1e4 * weight
    squares = stiff * total * total
    for t in range(T):
        g[at + t] -= stiff * total
        for s in range(t + 1):
            H[at + t, at + s] += stiff
    for t in range(1, T):
        step = unknown[at + t] - unknown[at + t - 1]
        squares += weight * step * step
        g[at + t] -= weight * step
        g[at + t - 1] += weight * step
        H[at + t, at + t] += weight
        H[at + t - 1, at + t - 1] += weight
        H[at + t, at + t - 1] -= weight
    return squares


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def factor(A: FloatArray) -> None:
    """Put the lower Cholesky factor of A into its lower triangle; a pivot not above 0 gives NaN.

    LAPACK's own would share such small matrices out over threads that then wait for one another.
    """
    n = A.shape[0]
    for i in range(n):
        for j in range(i):
            total = A[i, j]
            for k in range(j):
                total -= A[i, k] * A[j, k]
            A[i, j] = total / A[j, j]
        total = A[i, i]
        for k in range(i):
            total -= A[i, k] * A[i, k]
        A[i, i] = math.sqrt(total) if total > 0.0 else np.nan


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def factored_solve(L: FloatArray, b: FloatArray) -> None:
    """Put the answer x of L L' x = b in place of b."""
    n = b.size
    for i in range(n):
        total = b[i]
        for k in range(i):
            total -= L[i, k] * b[k]
        b[i] = total / L[i, i]
    for i in range(n - 1, -1, -1):
        b[i] /= L[i, i]
        for k in range(i):
            b[k] -= L[i, k] * b[i]


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def share_of(L: FloatArray, B: FloatArray) -> float:
    """Trace of (L L')^-1 B for a symmetric B, both triangles filled."""
    n = L.shape[0]
    row, total = np.empty(n), 0.0
    for j in range(n):
        for i in range(n):
            row[i] = B[j, i]
        factored_solve(L, row)
        total += row[j]
    return total


@njit(cache=True, error_model="numpy")
def _damped_step(
    H: FloatArray, g: FloatArray, free: BoolArray, damp: float, A: FloatArray
) -> FloatArray:
    """The step of the free unknowns; ``A`` is work space."""
    P = g.size
    step = np.where(free, g, 0.0)
    for i in range(P):
        for j in range(i):
            A[i, j] = H[i, j] if free[i] and free[j] else 0.0
        A[i, i] = H[i, i] * (1.0 + damp) + 1e-9 if free[i] else 1.0
    factor(A)
    factored_solve(A, step)
    return step


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
        step = _damped_step(H, g, free, damp, A)
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
    T, P = y.shape[0], unknown.size
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
            H2[j, i] = H2[i, j]
        H[i, i] += 1e-9
    factor(H)
    step = g.copy()
    factored_solve(H, step)
    log_det = 0.0
    for i in range(P):
        log_det += 2.0 * math.log(H[i, i])
    used = share_of(H, H2)
    turned, bent = 0.0, 0.0
    for i in range(P):
        turned += g2[i] * step[i]
        for j in range(P):
            bent += step[i] * H2[i, j] * step[j]
    total = quotes + spot + rest + log_det
    for i in range(P):
        total -= g[i] * step[i]
    return total, quotes - 2.0 * turned + bent, used
