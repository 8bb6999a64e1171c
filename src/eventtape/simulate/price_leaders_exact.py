r"""What the residuals of a simulated market are in population: exact psi and omega, no data.

A market is a linear state space, x_t = A x_{t-1} + w_t with cov(w) = Q and log prices y_t = H x_t +
v_t with cov(v) = R. Whoever sees the prices alone knows the innovations e_t = y_t - E[y_t | past],
whatever shocks made them. Their covariance and long-run effect are those of the steady-state
Kalman filter (Anderson and Moore 1979)::

    P = A (P - P H' W^-1 H P) A' + Q,   W = H P H' + R,   Psi(1) = H Pi P H' W^-1,

with Pi the limit of A^h, the projection on A's unit roots. A vector error correction model of
enough lags on these prices tends to this psi and omega, so shares of them are what it estimates.

For prices that adjust by d_i a step to B_i m_t plus noise of any covariance, this gives impact
responses in proportion to d_i B_i: speeds in proportion to d_i and PILS_i = d_i^2 / sum d^2, for
every subset of the markets. The factor is 1 where the past tells the trend, more where noise hides
it: the residual then also holds the part of older shocks that is only now understood.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import null_space

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError

__all__ = [
    "Innovations",
    "StateSpace",
    "adjusting_market",
    "arriving_market",
    "delayed_market",
    "innovations_form",
    "roll_market",
]

_STEPS = 20_000
_SETTLED = 1e-14


class StateSpace(NamedTuple):
    """x = A x + w, y = H x + v: ``(s, s)``, ``(n, s)``, cov(w) ``(s, s)``, cov(v) ``(n, n)``."""

    transition: FloatArray
    loading: FloatArray
    state_noise: FloatArray
    price_noise: FloatArray


class Innovations(NamedTuple):
    """Psi(1) ``(n, n)`` (row j: long-run response of price j), residual covariance, and fate."""

    psi: FloatArray
    omega: FloatArray
    status: Status


def innovations_form(market: StateSpace) -> Innovations:
    """Permanent impact and covariance of what the prices' own past does not tell.

    The transition must have unit roots that can be told apart (no integral of a walk) and all else
    inside the unit circle. ``no convergence`` (NaN) where the filter has no steady state within
    20,000 steps.
    """
    A, H, Q, R = _checked(market)
    pi = _unit_root_part(A)
    n = H.shape[0]
    P = Q + np.eye(A.shape[0]) * (np.trace(Q) + np.trace(R))
    for _ in range(_STEPS):
        W = H @ P @ H.T + R
        gain = np.linalg.solve(W, H @ P).T
        known = P - gain @ (H @ P)
        after = A @ known @ A.T + Q
        after = 0.5 * (after + after.T)
        moved = float(np.abs(after - P).max())
        P = after
        if moved <= _SETTLED * float(np.abs(P).max()):
            W = H @ P @ H.T + R
            return Innovations(H @ pi @ np.linalg.solve(W, H @ P).T, W, Status.OK)
    blank = np.full((n, n), math.nan)
    return Innovations(blank, blank, Status.NO_CONVERGENCE)


def roll_market(half_spreads: FloatArray, *, step_sd: float, correlation: float) -> StateSpace:
    """Roll (1984): one walk, each price off it by plus or minus its half spread."""
    c = np.asarray(half_spreads, np.float64)
    R = np.outer(c, c) * _equal(c.size, correlation)
    return StateSpace(np.eye(1), np.ones((c.size, 1)), np.full((1, 1), step_sd**2), R)


def adjusting_market(
    speeds: FloatArray, betas: FloatArray, noise: FloatArray, *, step_sd: float
) -> StateSpace:
    """p_i moves by d_i of its distance to B_i m each step, plus noise of covariance ``(n, n)``."""
    d, B = np.asarray(speeds, np.float64), np.asarray(betas, np.float64)
    n = d.size
    A = np.zeros((n + 1, n + 1))
    A[0, 0], A[1:, 0] = 1.0, d * B
    A[1:, 1:] = np.diag(1.0 - d)
    shock = np.concatenate([[1.0], d * B])
    Q = step_sd**2 * np.outer(shock, shock)
    Q[1:, 1:] += noise
    return StateSpace(A, np.eye(n + 1)[1:], Q, np.zeros((n, n)))


def arriving_market(
    loadings: FloatArray,
    speeds: FloatArray,
    own_sd: FloatArray,
    *,
    factor_sd: float,
    correlation: float = 0.0,
    bars: int = 1,
) -> StateSpace:
    """Walks that take a share of each factor's shock at once and the rest over ``bars`` steps.

    Observed are the K factors' levels, then the n prices; ``loadings``, ``speeds`` ``(n, K)``.
    """
    lam, s = np.asarray(loadings, np.float64), np.asarray(speeds, np.float64)
    n, K = lam.shape
    size = K * (bars + 2) + n  # levels, shocks of this step and the bars before, own walks
    A, H, G = np.zeros((size, size)), np.zeros((K + n, size)), np.zeros((size, K + n))
    A[:K, :K], A[-n:, -n:] = np.eye(K), np.eye(n)
    G[:K, :K], G[K : 2 * K, :K], G[-n:, K:] = np.eye(K), np.eye(K), np.eye(n)
    A[2 * K : K * (bars + 2), K : K * (bars + 1)] = np.eye(K * bars)
    H[:K, :K], H[K:, :K], H[K:, -n:] = np.eye(K), lam, np.eye(n)
    for b in range(bars):  # a shock b steps old still lacks this part of the rest
        H[K:, K * (b + 1) : K * (b + 2)] = -lam * (1.0 - s) * (1.0 - b / bars)
    shocks = np.diag(np.concatenate([np.zeros(K), np.broadcast_to(own_sd, (n,)) ** 2]))
    shocks[:K, :K] = factor_sd**2 * _equal(K, correlation)
    return StateSpace(A, H, G @ shocks @ G.T, np.zeros((K + n, K + n)))


def delayed_market(
    lead_s: float, step_s: float, *, variance_s: float, noise_sd: FloatArray
) -> StateSpace:
    """A walk in continuous time seen every ``step_s`` seconds, at once and ``lead_s`` later.

    Each step's move is split where the delay ends inside it: x holds the level and, for this step
    and the whole steps of delay before it, the older and the newer part of the move.
    """
    whole = math.floor(lead_s / step_s)
    rest = min(max(lead_s - whole * step_s, 0.0), step_s)
    size = 1 + 2 * (whole + 1)
    A, G = np.zeros((size, size)), np.zeros((size, 2))
    A[0, 0] = 1.0
    A[3:, 1:-2] = np.eye(size - 3)
    G[0], G[1, 0], G[2, 1] = 1.0, 1.0, 1.0
    H = np.zeros((2, size))
    H[:, 0] = 1.0
    H[1, 1:-2], H[1, -1] = -1.0, -1.0
    parts = variance_s * np.array([step_s - rest, rest])
    return StateSpace(A, H, (G * parts) @ G.T, np.diag(np.broadcast_to(noise_sd, (2,)) ** 2))


def _equal(n: int, correlation: float) -> FloatArray:
    """Equicorrelation matrix ``(n, n)``."""
    return (1.0 - correlation) * np.eye(n) + correlation


def _unit_root_part(transition: FloatArray) -> FloatArray:
    """Limit of A^h: right null space of A - I times its dual."""
    A = transition
    s = A.shape[0]
    stays = null_space(A - np.eye(s), rcond=1e-12)
    kept = null_space(A.T - np.eye(s), rcond=1e-12)
    count = stays.shape[1]
    size = np.sort(np.abs(np.linalg.eigvals(A)))
    apart = count > 0 and np.linalg.svd(kept.T @ stays, compute_uv=False)[-1] > 1e-8
    if not apart or np.any(size[: s - count] > 1.0 - 1e-9):
        raise InputError("unit roots that are not integrated twice, all else below 1", met=size)
    part: FloatArray = stays @ np.linalg.solve(kept.T @ stays, kept.T)
    return part


def _checked(market: StateSpace) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    A, H, Q, R = (np.asarray(part, np.float64) for part in market)
    s, n = A.shape[0], H.shape[0]
    shapes = (A.shape, H.shape, Q.shape, R.shape)
    if shapes != ((s, s), (n, s), (s, s), (n, n)):
        raise InputError("shapes (s, s), (n, s), (s, s), (n, n)", met=shapes)
    if not all(np.isfinite(part).all() for part in (A, H, Q, R)):
        raise InputError("finite matrices", met=None)
    return A, H, Q, R
