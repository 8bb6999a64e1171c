r"""Which members of a group move before the others: one number a member, for one window.

With r_i the returns of member i on a grid and m_i the mean return of the others at the same time::

    s_i = sum_{k=1}^{L} (c_i(k) - c_i(-k)) / (|r_i| |m_i|),    c_i(k) = sum_t r_{i,t} m_{i,t+k},

over pairs inside the window. Positive: what i does now the others do later. In units of
correlation; the sign turns when time is turned, and s_i is 0 on average for members that move
together, whatever their volatility.

Why not a ratio. The share of its response to the group that a member makes at once (D0 / B), and
Hoffmann, Rosenbaum and Yoshida's LLR, divide by an estimate that is near zero in a quiet window:
their errors have tails without a variance, and a regression of them follows a few windows. Here the
denominator is realised volatility, and the error is that of a mean (tests: test_iso_leadership).
The cross-correlation asymmetry is that of Lo and MacKinlay (1990).
"""

from __future__ import annotations

import math

import numpy as np

from eventtape.arrays import FloatArray
from eventtape.errors import InputError

__all__ = ["lead_asymmetry"]


def lead_asymmetry(returns: FloatArray, *, max_lag: int) -> FloatArray:
    """Lead over the rest of the group, in correlation, of each member ``(n_members,)``.

    ``returns (n, n_members)`` on one grid, NaN where not seen: such a return counts neither by
    itself nor in the others' mean. NaN for a member that does not move, or whose group does not.

    >>> leader = np.array([1.0, -1.0, 2.0, 1.0, 0.0])
    >>> lead_asymmetry(np.stack([leader, np.r_[0.0, leader[:-1]]], axis=1), max_lag=1)
    array([ 0.85714286, -0.85714286])
    """
    r = np.asarray(returns, np.float64)
    if r.ndim != 2 or r.shape[1] < 2:
        raise InputError("returns (n, n_members) of at least 2 members", met=r.shape)
    if not 1 <= max_lag < r.shape[0]:
        raise InputError("a lag of at least 1 and under the number of rows", met=max_lag)
    if np.isinf(r).any():
        row, member = np.argwhere(np.isinf(r))[0]
        raise InputError(
            "a finite number or NaN", met=math.inf, row=int(row) + 1, column=str(member)
        )
    seen = np.isfinite(r)
    r = np.where(seen, r, 0.0)
    others = seen.sum(axis=1, keepdims=True) - seen
    m = (r.sum(axis=1, keepdims=True) - r) / np.maximum(others, 1)
    total = np.zeros(r.shape[1])
    for k in range(1, max_lag + 1):
        total += (r[:-k] * m[k:]).sum(axis=0) - (r[k:] * m[:-k]).sum(axis=0)
    size = np.linalg.norm(r, axis=0) * np.linalg.norm(m, axis=0)
    moved = (np.ptp(r, axis=0) > 0.0) & (np.ptp(m, axis=0) > 0.0)
    out: FloatArray = np.where(moved, total / np.where(moved, size, 1.0), math.nan)
    return out
