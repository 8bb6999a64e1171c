r"""Would any other path of p fit as well, and do the halves of the sample agree?

The placebo is p's own path with its moves in blocks put in another order (:func:`.identification.
block_permutations`): it starts, ends and moves as p does, at other times. Its fit is the share of
variance p explains beside the other regressors, in rows whitened under laws that do not know p,
averaged over laws and prices. The halves are compared by a second slope that starts in the middle.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import stdtr

from eventtape.arrays import FloatArray
from eventtape.estimators.states.identification import block_permutations
from eventtape.estimators.states.serial_law import (
    LAWS,
    law_weights,
    restricted_likelihood,
    whiten,
)
from eventtape.estimators.states.slope_fit import fit_slopes

__all__ = ["halves_agree", "placebo_share"]

_FEWEST = 8


def placebo_share(
    time: FloatArray,
    prices: FloatArray,
    p: FloatArray,
    others: FloatArray,
    *,
    count: int,
    seed: int,
) -> float:
    """p-value: share of the paths, p's own among them, that fit as well as p; NaN without any.

    Prices not seen on every row where p and the others are do not take part.
    """
    rows = np.flatnonzero(np.isfinite(p) & np.isfinite(others).all(axis=1))
    whole = np.isfinite(prices[rows]).all(axis=0)
    k = others.shape[1]
    if count < 1 or rows.size < max(_FEWEST, 2 * (k + 2)) or not whole.any():
        return math.nan
    x, y = p[rows], prices[np.ix_(rows, np.flatnonzero(whole))]
    if not np.ptp(x) > 0.0:
        return math.nan
    block = max(1, round(rows.size ** (1.0 / 3.0)))
    paths = np.column_stack([x, *block_permutations(x, block, count, seed=seed)])
    steps = np.diff(time[rows])
    steps /= np.median(steps)
    fits, likelihood = [], []
    for law in LAWS:
        white, log_det = whiten(np.column_stack([others[rows], y, paths]), steps, law)
        z, y_, x_ = np.split(white, [k, k + y.shape[1]], axis=1)
        likelihood.append(restricted_likelihood(z, y_, log_det))
        q = np.linalg.qr(z)[0]
        y_, x_ = y_ - q @ (q.T @ y_), x_ - q @ (q.T @ x_)
        sizes = np.outer(np.sum(x_**2, axis=0), np.sum(y_**2, axis=0))
        fits.append((x_.T @ y_) ** 2 / np.maximum(sizes, 1e-300))
    weights = law_weights(np.array(likelihood))
    fit = np.einsum("lpm,lm->p", np.array(fits), weights)
    return float(np.mean(fit >= fit[0] * (1.0 - 1e-12)))


def halves_agree(time: FloatArray, price: FloatArray, p: FloatArray, others: FloatArray) -> float:
    """p-value that one price ``(n, 1)`` has one slope on p in both halves; NaN where not seen."""
    rows = np.flatnonzero(np.isfinite(p))
    if rows.size < _FEWEST:
        return math.nan
    middle = rows[rows.size // 2]
    late = np.where(np.arange(p.size) >= middle, p - p[middle], 0.0)
    late[np.isnan(p)] = np.nan
    fit = fit_slopes(
        time, price, late, np.column_stack([others, p]), p_noise=np.zeros(p.size), p_other=None
    )
    variance = float(fit.covariance[0, 0])
    if not variance > 0.0:
        return math.nan
    return float(2.0 * stdtr(fit.dof[0], -abs(fit.slope[0]) / math.sqrt(variance)))
