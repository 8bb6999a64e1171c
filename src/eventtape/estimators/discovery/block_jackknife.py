r"""How far may a statistic of dependent rows be from the truth, where few blocks decide its spread?

Leave out each of B blocks of consecutive rows in turn (Kunsch 1989). With m the mean of the B
answers, u_b what answer b departs from it and e the estimate,

    e - (B - 1) (m - e) -+ c s,      s^2 = (B - 1) / B sum_b u_b^2.

The second term is the estimate's lean, to first order. s does not think too well of a fit of many
regressors, as drawing rows again does. But a few restless blocks may decide it, so c is not a
table's: the u_b are drawn with replacement, and c is the level's quantile of the
size of a draw's mean over that mean's own standard error (Hall 1988, symmetric percentile t).
"""

from __future__ import annotations

import math

import numpy as np

from eventtape.arrays import FloatArray

__all__ = ["jackknife_interval"]

_LEAST_BLOCKS = 10


def jackknife_interval(
    estimate: FloatArray, without: FloatArray, level: float, n_draws: int, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Lower and upper, ``(d,)``, from the answers without each block ``(n_blocks, d)``.

    NaN under 10 blocks, and where an answer is NaN: leaving that block in would choose. A number
    that no block moves is known exactly.
    """
    B = without.shape[0]
    if B < _LEAST_BLOCKS or np.isnan(without).any():
        return np.full(estimate.shape, math.nan), np.full(estimate.shape, math.nan)
    mean = without.mean(axis=0)
    u = without - mean
    times = np.random.default_rng(seed).multinomial(B, np.full(B, 1.0 / B), n_draws) / B
    drawn = times @ u
    error = np.sqrt(np.maximum(times @ u**2 - drawn**2, 0.0) / (B - 1))
    t = np.divide(np.abs(drawn), error, out=np.zeros_like(drawn), where=error > 0.0)
    c = np.sort(t, axis=0)[math.ceil(level * (n_draws + 1) - 1e-9) - 1]
    centre = estimate - (B - 1) * (mean - estimate)
    half = c * np.sqrt((B - 1) / B * np.sum(u**2, axis=0))
    return centre - half, centre + half
