"""Payoffs on panels with the panels' edges, their reach in each, and which of them rise throughout.

The best part of a law for a payoff g from below is the best one for -g from above: each payoff has
a second row, its negative.
"""

from __future__ import annotations

from numba import njit

from eventtape.arrays import FloatArray

__all__ = ["frame_payoffs"]

_SLACK = 1e-12


@njit(cache=True, error_model="numpy")
def frame_payoffs(
    g: FloatArray, waves: FloatArray, framed: FloatArray, span: FloatArray, rising: FloatArray
) -> None:
    """Fill ``framed`` ``(2 q, k, 14)``, ``span`` ``(2 q, k, 2)`` and ``rising`` ``(2 q,)``.

    ``g`` ``(q, k, 12)`` at the points, ``waves`` its coefficients. Where g is level in a panel
    exactly they are made so too: a level of rounding only would be looked for.
    """
    q, k, n = g.shape
    for b in range(q):
        largest, before = 0.0, g[b, 0, 0]
        most_up, most_down = 0.0, 0.0
        for j in range(k):
            low, high = g[b, j, 0], g[b, j, 0]
            for i in range(n):
                x = g[b, j, i]
                low, high = min(low, x), max(high, x)
                largest = max(largest, abs(x))
                most_up, most_down = max(most_up, x - before), max(most_down, before - x)
                before = x
                framed[b, j, i + 1], framed[q + b, j, i + 1] = x, -x
            if low == high:
                for i in range(n):
                    waves[b, j, i] = low if i == 0 else 0.0
            left, right, sign = 0.0, 0.0, 1.0
            for i in range(n):
                left += sign * waves[b, j, i]
                right += waves[b, j, i]
                sign = -sign
            framed[b, j, 0], framed[q + b, j, 0] = left, -left
            framed[b, j, n + 1], framed[q + b, j, n + 1] = right, -right
            low, high = min(low, left, right), max(high, left, right)
            span[b, j, 0], span[b, j, 1] = low, high
            span[q + b, j, 0], span[q + b, j, 1] = -high, -low
        slack = _SLACK * largest
        rising[b] = (1.0 if most_down <= slack else 0.0) - (1.0 if most_up <= slack else 0.0)
        rising[q + b] = -rising[b]
