r"""What may a call curve be, and how far is a measured one from it? Bounds and the nearest curve.

Undiscounted calls at strikes 0 = K_0 < ... < K_m (the forward is the call struck at 0) on nodes
x_0 < K_1 < ... < K_m < x_{m+1}, linear between, are the masses g >= 0, sum g = 1, at the nodes::

    C(K) = sum_j g_j (x_j - K)+.

Such a curve decreases with slope in [-1, 0], is convex and above (F - K)+. The nearest one to a
measured curve, in the metric of its errors, is a least-distance problem: the shortest z with
G z >= h, solved exactly by non-negative least squares (Lawson and Hanson 1974, ch. 23).

With C = p C1 + (1 - p) C0 and nothing else known, C1(K) is largest when state 1 is the best p of
the law (Horowitz and Manski 1995): p C1 = min over k >= K of C(k) + p (k - K). So::

    D = C1 - C0 in [-(U(1-p) - C) / p, (U(p) - C) / (1 - p)],   U(q) = min_k [C(k) + q (k - K)] / q.
"""

from __future__ import annotations

import numpy as np

from eventtape.arrays import FloatArray

__all__ = ["call_matrix", "difference_bounds", "support"]


def difference_bounds(
    strikes: FloatArray, calls: FloatArray, p: float
) -> tuple[FloatArray, FloatArray]:
    """Lower and upper bound of C1 - C0 at each strike ``(m,)``: sharp but for the grid of strikes.

    Only strikes that are quoted are tried, so the bounds are never too narrow.
    """
    higher = strikes[None, :] >= strikes[:, None]
    ahead = strikes[None, :] - strikes[:, None]

    def most(q: float) -> FloatArray:
        U = np.where(higher, calls[None, :] + q * ahead, np.inf).min(axis=1) / q
        return np.asarray(np.maximum(U, calls))

    lower: FloatArray = -(most(1.0 - p) - calls) / p
    upper: FloatArray = (most(p) - calls) / (1.0 - p)
    return lower, upper


def support(strikes: FloatArray, calls: FloatArray) -> FloatArray:
    """Nodes ``(m + 2,)``: the positive strikes ``(m,)`` and one beyond either end.

    A tail beyond the last strike of value C and slope s has a mean excess near C / s; its node
    stands twice as far, and at least one spacing. ``calls`` ``(m + 1,)`` begin with the forward.
    """
    K = strikes[1:]
    puts = calls[1:3] - calls[0] + K[:2]
    right = _reach(calls[-1], (calls[-2] - calls[-1]) / (K[-1] - K[-2]), K[-1] - K[-2])
    left = _reach(puts[0], (puts[1] - puts[0]) / (K[1] - K[0]), K[1] - K[0])
    nodes: FloatArray = np.r_[max(K[0] - left, 0.5 * K[0]), K, K[-1] + right]
    return nodes


def _reach(value: float, slope: float, spacing: float) -> float:
    wanted = 2.0 * value / slope if slope > 0.0 else 0.0
    return float(np.clip(wanted, spacing, 20.0 * spacing))


def call_matrix(strikes: FloatArray, nodes: FloatArray) -> FloatArray:
    """Calls of unit masses: ``(n_strikes, n_nodes)``, (x_j - K_i)+."""
    return np.asarray(np.maximum(nodes[None, :] - strikes[:, None], 0.0))
