r"""The gap from overlapping returns, two ways others take it: kept as named comparisons.

Regress the return over h steps on p's change over the same h steps, at every step::

    x_t - x_{t-h} = a + g (p_t - p_{t-h}) + e_t.

The errors overlap by construction, so the usual standard error is far too small. Newey and West
(1987) adds h - 1 Bartlett-weighted autocovariances; the circular block bootstrap (Politis and
Romano 1992) redraws blocks of 2h rows. Both need many more independent stretches than one night
has and cover too little (docs: validation); and g is shrunk when one side is late, by the part of
the window the lag takes.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import ndtri

from eventtape.arrays import BoolArray, FloatArray, Status, check_level
from eventtape.errors import InputError

__all__ = ["OverlappingGap", "overlapping_gap"]

_NOUGHT = 1e-14  # a spread this small beside the moves is rounding, not a move


class OverlappingGap(NamedTuple):
    """Log return per unit of probability from overlapping returns, and one method's interval."""

    gap: float
    lower: float
    upper: float
    n_rows: int
    status: Status


def overlapping_gap(
    log_price: FloatArray,
    probability: FloatArray,
    *,
    steps: int,
    method: Literal["hac", "bootstrap"] = "hac",
    level: float = 0.95,
    n_draws: int = 499,
    seed: int = 0,
) -> OverlappingGap:
    """Slope of ``steps``-step returns on p's change over the same steps, log return per unit of p.

    Arrays ``(n,)`` on one grid, NaN where not seen. Fewer than 4 windows' length of rows gives NaN.
    """
    if steps < 1:
        raise InputError("at least one step", met=steps)
    if method not in ("hac", "bootstrap"):
        raise InputError("method hac or bootstrap", met=method)
    check_level(level)
    x, p = np.asarray(log_price, np.float64), np.asarray(probability, np.float64)
    if x.ndim != 1 or x.shape != p.shape:
        raise InputError("log price and probability of one shape (n,)", met=(x.shape, p.shape))
    if np.any((p < 0.0) | (p > 1.0)):
        raise InputError("probabilities in [0, 1]", met=float(p[(p < 0.0) | (p > 1.0)][0]))
    dy, dp = x[steps:] - x[:-steps], p[steps:] - p[:-steps]
    seen = np.isfinite(dy) & np.isfinite(dp)
    n = int(seen.sum())
    if n < 4 * steps or n < 10:
        return OverlappingGap(math.nan, math.nan, math.nan, n, Status.TOO_FEW)
    # Rows not seen stay in place with weight nought: rows beside a hole are not neighbours.
    dy, dp = np.where(seen, dy, 0.0), np.where(seen, dp, 0.0)
    u = np.where(seen, dp - dp.sum() / n, 0.0)
    sxx = float(u @ u)
    if sxx <= _NOUGHT * float(dp @ dp):
        return OverlappingGap(math.nan, math.nan, math.nan, n, Status.NOT_IDENTIFIED)
    gap = float(u @ dy) / sxx
    if method == "hac":
        score = u * (dy - dy.sum() / n - gap * u)
        variance = float(score @ score)
        for k in range(1, min(steps, score.size)):
            variance += 2.0 * (1.0 - k / steps) * float(score[k:] @ score[:-k])
        half = float(ndtri(0.5 * (1.0 + level))) * math.sqrt(max(variance, 0.0)) / sxx
        return OverlappingGap(gap, gap - half, gap + half, n, Status.OK)
    slopes = _block_slopes(dp, dy, seen, 2 * steps, n_draws, seed)
    if np.isnan(slopes).any():  # some nights redrawn from this one hold no move of p
        return OverlappingGap(math.nan, math.nan, math.nan, n, Status.NOT_IDENTIFIED)
    lower, upper = np.quantile(slopes, [0.5 * (1.0 - level), 0.5 * (1.0 + level)])
    return OverlappingGap(gap, float(lower), float(upper), n, Status.OK)


def _block_slopes(
    dp: FloatArray, dy: FloatArray, seen: BoolArray, block: int, n_draws: int, seed: int
) -> FloatArray:
    """Slopes over circular block resamples, from sums over blocks; NaN where p does not move."""
    n = dp.size
    block = min(block, n)
    per_draw = math.ceil(n / block)
    begin = np.random.default_rng(seed).integers(0, n, size=(n_draws, per_draw))
    sums = []
    for value in (seen.astype(np.float64), dp, dy, dp * dp, dp * dy):
        running = np.r_[0.0, np.cumsum(np.r_[value, value[:block]])]
        sums.append((running[begin + block] - running[begin]).sum(axis=1))
    m, sx, sy, sxx, sxy = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = sxx - sx * sx / m
        slopes = (sxy - sx * sy / m) / spread
    still = ~(spread > _NOUGHT * np.maximum(sxx, float(dp @ dp) / n))
    return np.where(still, np.nan, slopes)
