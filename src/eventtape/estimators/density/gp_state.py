r"""The state of a dense smile: the covariance of its quotes, the factor, and the weights.

In units of v_0, y = v / v_0 - base of n quotes is normal with mean lambda_0 z and covariance::

    C = prior(u, u') + lambda_variance z z' + kappa^2 diag(R),        C = U' U (upper U),
    w = C^-1 (y - lambda_0 z),      log evidence = -(y - lambda_0 z)' w / 2 - sum log U_ii
                                                   - n log(2 pi) / 2

Quotes known to 1e-4 of v_0 make C all but singular (1e-8 on a diagonal of 3), and two factors of
one C then give weights that differ in the eighth digit. So the weights are refined with residuals
of twice the precision: what hangs on them is the same however U was come by.

Reference: Higham (2002), Accuracy and Stability of Numerical Algorithms, ch. 12; Dekker (1971),
Numerische Mathematik 18.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from eventtape.arrays import FloatArray, Status
from eventtape.estimators.density.smile_kernel import GPHyper, prior_among, scaled_columns
from eventtape.estimators.density.smile_observations import LEAST_QUOTES

__all__ = [
    "GPSmile",
    "gp_log_evidence",
    "made_state",
    "quotes_covariance",
    "solve",
    "solved",
]

_WRONG, _UNUSABLE = (
    1e-6,
    1e-2,
)  # first refinement, of the weights: of an updated factor, of a new one
_REFINEMENTS = 8
_ROUNDING = 1e-15


class GPSmile(NamedTuple):
    """Quotes, hyper-parameters and what was solved of them: all that an update needs.

    - ``forward``, ``forward_error``, ``tau`` (years).
    - ``strikes``, ``total_vols``, ``leans``, ``variances`` ``(n,)``, in any order.
    - ``covariance`` ``(n, n)``: C; ``factor``: U, upper, U' U = C; ``weights`` ``(n,)``: w.
    - ``updates``: how many changes U has gone through since it was made from C.
    - ``status``: ``TOO_FEW`` under five quotes (updates may go on, no smile is given),
      ``NOT_RESOLVED`` where the noise is lost in the rounding of C.
    """

    forward: float
    forward_error: float
    tau: float
    hyper: GPHyper
    strikes: FloatArray
    total_vols: FloatArray
    leans: FloatArray
    variances: FloatArray
    covariance: FloatArray
    factor: FloatArray
    weights: FloatArray
    updates: int
    status: Status


def made_state(
    forward: float,
    forward_error: float,
    tau: float,
    hyper: GPHyper,
    strikes: FloatArray,
    total_vols: FloatArray,
    leans: FloatArray,
    variances: FloatArray,
) -> GPSmile:
    """The state from scratch at given hyper-parameters: C, its factor, the weights."""
    C = quotes_covariance(forward, hyper, strikes, leans, variances)
    n = strikes.size
    blank = GPSmile(
        forward, forward_error, tau, hyper, strikes, total_vols, leans, variances,
        C, np.full((n, n), math.nan), np.full(n, math.nan), 0, Status.NOT_RESOLVED,
    )  # fmt: skip
    try:
        U = np.ascontiguousarray(cholesky(C, lower=False))
    except (LinAlgError, ValueError):  # ValueError: not finite
        return blank
    return solved(blank._replace(factor=U)) or blank


def quotes_covariance(
    forward: float,
    hyper: GPHyper,
    strikes: FloatArray,
    leans: FloatArray,
    variances: FloatArray,
    *,
    row: int | None = None,
) -> FloatArray:
    """C of the quotes, or one of its rows ``(n,)``: the same numbers to the bit."""
    v0 = hyper.reference
    origin = math.log(forward) if hyper.house else 0.0  # differences alone: the forward is not seen
    at = scaled_columns(hyper, np.log(strikes) - origin)
    z = leans / v0
    noise = math.exp(2.0 * hyper.theta[2]) / (v0 * v0) * variances
    if row is None:
        C = prior_among(hyper, at, at)
        C += hyper.lean_variance * (z[:, None] * z)
        C[np.diag_indices(z.size)] += noise
        return C
    one = at._replace(u=at.u[row : row + 1], mean=at.mean[:, :, row : row + 1])
    c = np.asarray(prior_among(hyper, one, at)[0] + hyper.lean_variance * (z[row] * z))
    c[row] += noise[row]
    return c


def solved(state: GPSmile) -> GPSmile | None:
    """The state with the weights of C, or None where its factor is not C's.

    The weights are refined with residuals of twice the precision until they stand: they are then
    those of C to the last bit or so, whichever way the factor was come by. Three marks of a wrong
    factor: a pivot's square is a variance given the quotes before it, and so no less than the
    quote's own noise; U' U e and C e differ for an e of all sizes and signs; and the first
    refinement is as large as the factor is wrong.
    """
    hyper, U, C = state.hyper, state.factor, state.covariance
    v0 = hyper.reference
    noise = math.exp(2.0 * hyper.theta[2]) / (v0 * v0) * state.variances
    pivots = np.diag(U)
    largest = float(C.max())
    if not float(noise.min()) > _ROUNDING * largest:
        return None
    if not bool(np.all(pivots * pivots >= 0.5 * noise)):
        return None
    if state.updates:
        probe = np.cos(np.arange(noise.size) ** 2)
        gap = U.T @ (U @ probe) - C @ probe
        if not float(np.abs(gap).max()) <= 8.0 * _ROUNDING * noise.size * largest:
            return None
    target = state.total_vols / v0 - hyper.base - hyper.lean * state.leans / v0
    w, low = solve(U, target), np.zeros(target.size)
    whole = float(np.abs(w).max())
    last = whole * (_WRONG if state.updates else _UNUSABLE)
    for _ in range(_REFINEMENTS):
        residual = np.empty(target.size)
        _residual(C, w, low, target, residual)
        change = solve(U, residual) + low
        size = float(np.abs(change - low).max())
        if not size <= last:
            return None
        w, low = w + change, change - ((w + change) - w)
        if size <= 1e-18 * whole:
            break
        last = max(0.1 * size, 1e-18 * whole)
    status = Status.OK if w.size >= LEAST_QUOTES else Status.TOO_FEW
    return state._replace(weights=w, status=status)


@njit(cache=True, error_model="numpy")
def _residual(
    C: FloatArray, w: FloatArray, low: FloatArray, target: FloatArray, out: FloatArray
) -> None:
    """Fill ``out`` with target - C (w + low), products and sums in pairs of numbers (Dekker)."""
    n = w.size
    high, rest = target.copy(), np.zeros(n)
    for i in range(n):
        a, b = w[i], low[i]
        t = 134217729.0 * a
        a1 = t - (t - a)
        a2 = a - a1
        for j in range(n):
            c = C[i, j]
            q = 134217729.0 * c
            c1 = q - (q - c)
            c2 = c - c1
            p = a * c
            e = a2 * c2 - (((p - a1 * c1) - a2 * c1) - a1 * c2)
            s = high[j] - p
            back = s - high[j]
            rest[j] += (high[j] - (s - back)) - (p + back) - e - b * c
            high[j] = s
    for j in range(n):
        out[j] = high[j] + rest[j]


def solve(U: FloatArray, b: FloatArray) -> FloatArray:
    """X of U' U X = b, as far as U goes; ``b`` ``(n,)`` or ``(n, m)``."""
    half = solve_triangular(U, b, trans="T", check_finite=False)
    return np.asarray(solve_triangular(U, half, check_finite=False))


def gp_log_evidence(state: GPSmile) -> float:
    """Log density of the scaled quotes y given the hyper-parameters."""
    v0 = state.hyper.reference
    target = state.total_vols / v0 - state.hyper.base - state.hyper.lean * state.leans / v0
    logs = float(np.log(np.diag(state.factor)).sum())
    n = target.size
    return -0.5 * float(target @ state.weights) - logs - 0.5 * n * math.log(2.0 * math.pi)
