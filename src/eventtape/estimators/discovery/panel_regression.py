r"""What a unit of x goes with in y, entities and times held fixed, and is it more than chance?

    y_it = a_i + c_t + x_it' b + e_it

by least squares within entities and times (:mod:`.panel_effects`). The errors of one entity, or of
one time, may be related in any way; with u the residuals and x~ the regressors within,

    V = c (X~'X~)^-1 [sum_g s_g s_g'] (X~'X~)^-1,   s_g = sum_{r in g} x~_r u_r,
    c = G / (G - 1) (N - 1) / (N - K),              K = regressors + effects absorbed

(CR1, Liang and Zeger 1986; Arellano 1987). Clustered both ways, V = V_entity + V_time -
V_entity-and-time, each with its own c (Cameron, Gelbach and Miller 2011), negative eigenvalues set
to zero, and no interval where that leaves none. Intervals take Student's t with G* - 1 degrees of
freedom, G* = (sum a_g)^2 / sum a_g^2 the effective number of the fewer clusters, a_g = sum of x~^2
given the other regressors (Carter, Schnepel and Steigerwald 2017): clusters as uneven as real ones
reject too often with G - 1.

Refused: under :data:`MIN_CLUSTERS` clusters, where the law of t is not known well enough, or fewer
than ten rows a regressor after the effects. A coefficient whose regressor varies in so few clusters
that G* falls under :data:`MIN_EFFECTIVE` keeps its value and loses its interval: one treated
cluster rejects a true null far too often.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from eventtape.arrays import FloatArray, IntArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.discovery.panel_effects import not_single, within

__all__ = [
    "MIN_CLUSTERS",
    "MIN_EFFECTIVE",
    "Cluster",
    "PanelFit",
    "PanelReason",
    "panel_regression",
]

MIN_CLUSTERS = 10
MIN_EFFECTIVE = 5.0
_ROWS_A_REGRESSOR = 10
_NOTHING_LEFT = 1e-10  # of a column's own size: what effects leave of it is rounding

Cluster = Literal["entity", "time", "both"]


class PanelReason(StrEnum):
    """Why a panel gives no coefficient, or one without an interval."""

    NONE = ""
    FEW_ROWS = "fewer than ten rows a regressor"
    FEW_CLUSTERS = "fewer than ten clusters"
    NO_VARIATION = "nothing left to explain after the effects"
    COLLINEAR = "a regressor is explained by the effects or the others"
    CONCENTRATED = "a regressor varies in too few clusters"
    NO_VARIANCE = "clustered variance not positive"


class PanelFit(NamedTuple):
    """Coefficients ``(k,)`` in units of y per unit of x, with clustered errors and their fate."""

    coefficient: FloatArray
    se: FloatArray
    lower: FloatArray
    upper: FloatArray
    t: FloatArray
    p_value: FloatArray  # two-sided, of zero
    n_rows: int  # used
    n_missing: int  # left out: a NaN in y or x
    n_single: int  # left out: alone in their entity or time
    n_clusters: int  # the fewer, where clustered both ways
    effective_clusters: FloatArray  # (k,)
    r_squared_within: float
    status: Status
    reason: PanelReason


def panel_regression(
    y: FloatArray,
    x: FloatArray,
    entity: NDArray[Any],
    time: NDArray[Any],
    *,
    entity_effects: bool = True,
    time_effects: bool = True,
    cluster: Cluster = "both",
    level: float = 0.95,
) -> PanelFit:
    """Coefficients of ``x (n, k)`` on ``y (n,)`` within entities and times, with intervals.

    ``entity`` and ``time`` ``(n,)`` are labels of any kind that sorts; an entity may miss any time
    and have several rows at one. Rows with a NaN are left out and counted, as are rows alone in
    their entity or time where those have effects.
    """
    check_level(level)
    y, x = _check(y, x, entity, time)
    if cluster not in get_args(Cluster):
        raise InputError(f"one of {', '.join(get_args(Cluster))}", met=cluster, column="cluster")
    seen = np.isfinite(y) & np.isfinite(x).all(axis=1)
    n_missing = int(y.size - seen.sum())
    e, t = (np.unique(code[seen], return_inverse=True)[1] for code in (entity, time))
    used = not_single(e if entity_effects else None, t if time_effects else None, e.size)
    n, k, n_single = int(used.sum()), x.shape[1], int((~used).sum())
    e, t = (np.unique(code[used], return_inverse=True)[1] for code in (e, t))
    groups = {"entity": [e], "time": [t], "both": [e, t]}[cluster]
    G = min((int(code.max(initial=-1)) + 1 for code in groups), default=0)
    counts = (n, n_missing, n_single, G)
    if n < _ROWS_A_REGRESSOR * k:
        return _refused(k, counts, Status.TOO_FEW, PanelReason.FEW_ROWS)
    if G < MIN_CLUSTERS:
        return _refused(k, counts, Status.TOO_FEW, PanelReason.FEW_CLUSTERS)
    both = np.column_stack([y, x])[seen][used]
    size = np.linalg.norm(both - both.mean(axis=0), axis=0)
    left, n_absorbed = within(both, e if entity_effects else None, t if time_effects else None)
    if n - n_absorbed < _ROWS_A_REGRESSOR * k:
        return _refused(k, counts, Status.TOO_FEW, PanelReason.FEW_ROWS)
    y_left, X = left[:, 0], left[:, 1:]
    if not np.linalg.norm(y_left) > _NOTHING_LEFT * size[0]:
        return _refused(k, counts, Status.NOT_IDENTIFIED, PanelReason.NO_VARIATION)
    if _collinear(X, size[1:]):
        return _refused(k, counts, Status.NOT_IDENTIFIED, PanelReason.COLLINEAR)
    Q, R = np.linalg.qr(X)
    # Rows of A are b's weights: b = A'y, V = sum over clusters of (A'u)(A'u)'
    A = np.linalg.solve(R, Q.T).T
    b = A.T @ y_left
    u = y_left - X @ b
    V = _clustered(A * u[:, None], groups, n - k - n_absorbed)
    effective = np.min([_effective(A, code) for code in groups], axis=0)
    positive, spread = np.diag(V) > 0.0, effective >= MIN_EFFECTIVE
    se = np.where(positive & spread, np.sqrt(np.maximum(np.diag(V), 0.0)), math.nan)
    freedom = np.maximum(effective - 1.0, 1.0)
    half = stdtrit(freedom, 0.5 * (1.0 + level)) * se
    ratio = b / se
    p_value = 2.0 * stdtr(freedom, -np.abs(ratio))
    if not spread.all():
        fate = (Status.NOT_RESOLVED, PanelReason.CONCENTRATED)
    elif not positive.all():
        fate = (Status.NOT_RESOLVED, PanelReason.NO_VARIANCE)
    else:
        fate = (Status.OK, PanelReason.NONE)
    r_squared = 1.0 - float(u @ u) / float(y_left @ y_left)
    return PanelFit(b, se, b - half, b + half, ratio, p_value, *counts, effective, r_squared, *fate)


def _clustered(scores: FloatArray, groups: list[IntArray], residual_df: int) -> FloatArray:
    """CR1 of weighted residuals ``(n, k)``; two sets of groups less their crossing."""
    n, k = scores.shape
    scale = (n - 1) / residual_df

    def one(code: IntArray) -> FloatArray:
        sums = np.stack([np.bincount(code, column) for column in scores.T], axis=1)
        G = sums.shape[0]
        out: FloatArray = scale * G / (G - 1) * (sums.T @ sums)
        return out

    V = one(groups[0])
    if len(groups) == 1:
        return V
    pair = groups[0] * (int(groups[1].max()) + 1) + groups[1]
    V = V + one(groups[1]) - one(np.unique(pair, return_inverse=True)[1])
    # Scaled to a unit diagonal first: regressors may differ in units by many powers of ten
    d = np.sqrt(np.abs(np.diag(V)))
    d[d == 0.0] = 1.0
    value, vector = np.linalg.eigh(V / np.outer(d, d))
    if value[0] >= -1e-12 * k:
        return V
    clipped: FloatArray = (vector * np.maximum(value, 0.0)) @ vector.T * np.outer(d, d)
    return clipped


def _effective(A: FloatArray, code: IntArray) -> FloatArray:
    """(sum a)^2 / sum a^2 over clusters, a the part each has in the regressor's variation."""
    a = np.stack([np.bincount(code, column) for column in (A**2).T])
    out: FloatArray = a.sum(axis=1) ** 2 / (a**2).sum(axis=1)
    return out


def _collinear(X: FloatArray, size: FloatArray) -> bool:
    left = np.linalg.norm(X, axis=0)
    if not (left > _NOTHING_LEFT * size).all():
        return True
    return bool(np.linalg.svd(X / left, compute_uv=False)[-1] < _NOTHING_LEFT)


def _refused(
    k: int, counts: tuple[int, int, int, int], status: Status, reason: PanelReason
) -> PanelFit:
    b, se, lower, upper, t, p, effective = np.full((7, k), math.nan)
    return PanelFit(b, se, lower, upper, t, p, *counts, effective, math.nan, status, reason)


def _check(
    y: FloatArray, x: FloatArray, entity: NDArray[Any], time: NDArray[Any]
) -> tuple[FloatArray, FloatArray]:
    y, x = np.asarray(y, np.float64), np.asarray(x, np.float64)
    if y.ndim != 1 or x.ndim != 2 or x.shape[0] != y.size or x.shape[1] == 0:
        raise InputError("y (n,) and x (n, k), k >= 1", met=(y.shape, x.shape))
    for name, code in (("entity", entity), ("time", time)):
        if np.shape(code) != y.shape:
            raise InputError("a label for every row", met=np.shape(code), column=name)
    for name, values in (("y", y[:, None]), ("x", x)):
        rows = np.flatnonzero(np.isinf(values).any(axis=1))
        if rows.size:
            raise InputError(
                "a finite number or NaN", met=math.inf, row=int(rows[0]) + 1, column=name
            )
    return y, x
