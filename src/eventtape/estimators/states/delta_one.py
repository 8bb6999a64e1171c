r"""Contracts on several events that carry the least variance: a portfolio's risk made delta-one.

The probabilities of the events move by dp with covariance S over the horizon, and

    dV = G'dp + own,      dC_j = s_j (dp_{e(j)} + basis_j),

G the portfolio's gap to each event (money per unit of probability), C_j contract j's price. With
B the sizes placed at their events, K = B S B' + diag(s^2 basis variance) and k = B S G,

    h = -K^{-1} k,     Var(dV + h'dC) = G'SG - k'K^{-1}k + own,

plus tr(S E) where the gaps have errors of covariance E, which no h removes. It is least squares of
-dV on dC: one contract on one event gives h = -cov(dV, dC)/var(dC) (Johnson 1960; Ederington 1979).
Events that move together lend each other contracts.

With costs c_j and aversion L the hedge minimises c'\|h\| + (L/2) Var, and K^{-1} gives way to
coordinate descent, which soft-thresholds one contract at a time and converges because costs and
limits are separate in h (Tseng 2001). It starts at 0 with the cheapest contract, so that of several
on one event it fills that first. Contracts are not rounded to whole ones.

References: Johnson (1960), Review of Economic Studies 27; Ederington (1979), Journal of Finance 34;
Tseng (2001), Journal of Optimization Theory and Applications 109.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from eventtape.arrays import FloatArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.states.event_contracts import Contracts, order_cost

__all__ = ["DeltaOneHedge", "delta_one_hedge"]

SWEEPS = 10_000


class DeltaOneHedge(NamedTuple):
    """Contracts ``(n_contracts,)``, bought above 0, and the variance they leave, in money."""

    contracts: FloatArray  # within limits, after costs
    wanted: FloatArray  # of least variance, without costs or limits; of several such, the smallest
    wanted_se: FloatArray  # from the errors of the gaps
    wanted_lower: FloatArray
    wanted_upper: FloatArray
    variance_before: float  # the errors of the gaps in it
    variance_after: float
    explained: float  # share of variance_before removed
    cost: float  # money lost against fair value, fees in it
    fees: float
    residual: FloatArray  # (n_events,), gap to each event left
    status: Status


def delta_one_hedge(
    gaps: ArrayLike,
    covariance: ArrayLike,
    contracts: Contracts,
    *,
    probabilities: ArrayLike,
    gap_covariance: ArrayLike | None = None,
    basis_variance: ArrayLike = 0.0,
    own_variance: float = 0.0,
    aversion: float = math.inf,
    level: float = 0.95,
) -> DeltaOneHedge:
    """Contracts on several events of least variance, or of least cost and variance together.

    Parameters
    ----------
    gaps
        money per unit of probability ``(n_events,)``; NaN (not identified) refuses.
    covariance
        of the events' moves over the horizon ``(n_events, n_events)``.
    probabilities
        of each event ``(n_events,)``, against which cost is measured.
    gap_covariance
        of the errors of the gaps ``(n_events, n_events)``; none: they are known.
    basis_variance
        of each contract's price against its event ``(n_contracts,)``.
    """
    check_level(level)
    G, p = (np.atleast_1d(np.array(v, np.float64)) for v in (gaps, probabilities))
    S = _covariance(covariance, G.size)
    unknown = not np.isfinite(G).all()
    E = _covariance(None if unknown else gap_covariance, G.size)
    if p.shape != G.shape or not np.all((p > 0.0) & (p < 1.0)):
        raise InputError("a probability inside (0, 1) per event", met=probabilities)
    if not (aversion > 0.0 and own_variance >= 0.0):
        raise InputError("aversion > 0, own variance >= 0", met=(aversion, own_variance))
    m = contracts.bid.size
    if np.any(contracts.event >= G.size):
        raise InputError(f"events below {G.size}", met=contracts.event.max(), column="event")
    basis = np.broadcast_to(np.asarray(basis_variance, np.float64), (m,))
    if not np.all(basis >= 0.0):
        raise InputError("a basis variance of 0 or more", met=basis.min())
    B = np.zeros((m, G.size))
    B[np.arange(m), contracts.event] = contracts.size
    K = B @ S @ B.T + np.diag(contracts.size**2 * basis)
    M = -np.linalg.pinv(K, hermitian=True) @ B @ S
    if unknown:
        return _refused(m, G.size, Status.NOT_IDENTIFIED)
    h = _descend(K, B @ S @ G, contracts, p[contracts.event], aversion)
    if h is None:
        return _refused(m, G.size, Status.NO_CONVERGENCE)
    se = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", M, E, M), 0.0))
    half = float(ndtri(0.5 * (1.0 + level))) * se
    orders = [order_cost(contracts, j, float(h[j]), p[contracts.event[j]]) for j in range(m)]
    fees = float(sum(fee for _, fee in orders))
    before = float(G @ S @ G + np.sum(S * E)) + own_variance
    after = before + float(2.0 * h @ (B @ S @ G) + h @ K @ h)
    return DeltaOneHedge(
        contracts=h,
        wanted=M @ G,
        wanted_se=se,
        wanted_lower=M @ G - half,
        wanted_upper=M @ G + half,
        variance_before=before,
        variance_after=after,
        explained=1.0 - after / before if before > 0.0 else math.nan,
        cost=float(sum(edge for edge, _ in orders)) + fees,
        fees=fees,
        residual=G + B.T @ h,
        status=Status.OK,
    )


def _covariance(given: ArrayLike | None, n: int) -> FloatArray:
    S = np.zeros((n, n)) if given is None else np.atleast_2d(np.array(given, np.float64))
    if S.shape != (n, n) or not np.allclose(S, S.T, rtol=1e-9, atol=0.0):
        raise InputError(f"a symmetric covariance of shape {(n, n)}", met=S.shape)
    eigen = np.linalg.eigvalsh(S)
    if eigen[0] < -1e-9 * max(eigen[-1], 0.0):
        raise InputError("a covariance without negative eigenvalues", met=float(eigen[0]))
    return S


def _descend(
    K: FloatArray, k: FloatArray, contracts: Contracts, p: FloatArray, L: float
) -> FloatArray | None:
    """Least c'|h|/L + h'k + h'Kh/2 within limits ``(n_contracts,)``, or None."""
    m = k.size
    side = np.vstack([contracts.ask, contracts.bid])
    offered = np.isfinite(side)
    unit = np.where(offered, np.vstack([contracts.ask - p, p - contracts.bid]), math.inf)
    for i, j in zip(*np.nonzero(offered), strict=True):
        lots = abs(k[j]) / K[j, j] if K[j, j] > 0.0 else 1.0
        payout = max(lots, 1.0) * contracts.size[j]
        unit[i, j] += contracts.fees[j](payout, side[i, j]) / payout
    c_up, c_down = np.maximum(np.where(offered, unit, 0.0) * contracts.size, 0.0) / L
    high = np.where(offered[0], contracts.most_bought, 0.0)
    low = np.where(offered[1], -contracts.most_sold, 0.0)
    order = np.argsort(unit.min(axis=0), kind="stable")
    h = np.zeros(m)
    slope = k.copy()
    scale = np.abs(k).max(initial=0.0) / max(np.diag(K).max(initial=0.0), np.finfo(float).tiny)
    for _ in range(SWEEPS):
        moved = 0.0
        for j in order:
            if not K[j, j] > 0.0:
                continue
            free = K[j, j] * h[j] - slope[j]
            x = max(free - c_up[j], 0.0) if free > 0.0 else min(free + c_down[j], 0.0)
            step = min(max(x / K[j, j], low[j]), high[j]) - h[j]
            if step != 0.0:
                h[j] += step
                slope += K[:, j] * step
                moved = max(moved, abs(step))
        if moved <= 1e-12 * scale:
            return h
    return None


def _refused(m: int, n_events: int, status: Status) -> DeltaOneHedge:
    nan = math.nan
    none = np.full(m, nan)
    return DeltaOneHedge(
        none, none, none, none, none, nan, nan, nan, nan, nan, np.full(n_events, nan), status
    )
