"""The curvature of a log-likelihood in the logs of its parameters, by central differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from eventtape.arrays import FloatArray

__all__ = ["Objective", "log_sds"]

Objective = Callable[[FloatArray], float]
_FLAT = 1e-6


def log_sds(objective: Objective, x: FloatArray, h: float = 1e-3) -> FloatArray:
    """Standard deviations ``(k,)`` from the curvature of minus a log-likelihood at its minimum.

    A direction along which it is flat, or falls, counts as known to a factor of e^1000; what
    cannot be evaluated is NaN.
    """
    k = x.size
    H, unit = np.empty((k, k)), h * np.eye(k)
    for i in range(k):
        for j in range(i + 1):
            a, b = unit[i], unit[j]
            corners = objective(x + a + b) - objective(x + a - b)
            corners -= objective(x - a + b) - objective(x - a - b)
            H[i, j] = H[j, i] = corners / (4.0 * h * h)
    if not np.all(np.isfinite(H)):
        return np.full(k, np.nan)
    values, vectors = np.linalg.eigh(H)
    return np.asarray(np.sqrt(vectors**2 @ (1.0 / np.maximum(values, _FLAT))), np.float64)
