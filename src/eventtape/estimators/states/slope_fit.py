r"""Slopes of many prices on one probability, with errors that linger and a p that is quoted.

Under each law of the errors (:mod:`.serial_law`) rows are whitened, other regressors taken out, and

    b = sum z_t y_t / (sum z_t x_t - sum k_t),    k_t = (M W diag(s^2) W')_tt,

x the whitened p, z = x, and k what the quoting noise s of p adds to sum x^2: the correction for
errors in variables (Fuller 1987, 1.2). With a second quote of p whose noise is its own, z is that
quote and k = 0: an instrument. Scores are HC3's (MacKinnon and White 1985) plus b k_t, which gives
them mean zero again. Estimates are means over the laws, variances those of the mixture. A variance
of HC3 is a sum of squares under weights a^2: its degrees of freedom are (sum a^2)^2 / sum a^4, the
effective rows (Satterthwaite 1946, Bell and McCaffrey 2002), where that is less than n - 2 - k.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray
from eventtape.estimators.states.distributed_lag import effective_rows
from eventtape.estimators.states.serial_law import (
    LAWS,
    law_weights,
    restricted_likelihood,
    whiten,
)

__all__ = ["Slopes", "fit_slopes"]

_NEGLIGIBLE = 1e-3  # weight of a law that is left out
_SINGULAR = 1e-10


class Slopes(NamedTuple):
    """Slopes ``(m,)``, their covariance ``(m, m)``, and what they rest on; NaN where none."""

    slope: FloatArray
    covariance: FloatArray
    dof: FloatArray  # NaN where there were too few rows
    effective_rows: FloatArray
    reliability: FloatArray  # share of p's own variance, after controls, that is not quoting noise
    noise_ratio: FloatArray  # r, the law's noise over a typical step of its walk, on average
    factor: FloatArray  # (n_scores, m); its Gram matrix is the covariance


def fit_slopes(
    time: FloatArray,
    prices: FloatArray,
    p: FloatArray,
    others: FloatArray,
    *,
    p_noise: FloatArray,
    p_other: FloatArray | None,
) -> Slopes:
    """Slopes of ``prices`` ``(n, m)`` on ``p`` ``(n,)`` beside ``others`` ``(n, k)``.

    Rows where p, its second quote or an ``others`` is NaN are left out, and for each price the rows
    where it is; ``p_noise`` is the sd of the quoting noise of p, ``(n,)``.
    """
    n, m = prices.shape
    known = np.isfinite(p) & np.isfinite(others).all(axis=1)
    if p_other is not None:
        known &= np.isfinite(p_other)
    seen: BoolArray = np.isfinite(prices) & known[:, None]
    a, b, c, d, e = (np.full(m, np.nan) for _ in range(5))
    out = Slopes(a, np.empty((0, 0)), b, c, d, e, np.empty((0, m)))
    factor = np.zeros((LAWS.shape[0], n + 1, m))
    patterns, which = np.unique(seen, axis=1, return_inverse=True)
    for g in range(patterns.shape[1]):
        rows, columns = np.flatnonzero(patterns[:, g]), np.flatnonzero(which == g)
        if rows.size < 2 * (others.shape[1] + 2):
            continue
        most = rows.size - 2.0 - others.shape[1]
        out.dof[columns] = most
        step = np.diff(time[rows])
        part = _fit(
            step / np.median(np.diff(time[known])), prices[np.ix_(rows, columns)], p[rows],
            others[rows], p_noise[rows], None if p_other is None else p_other[rows],
        )  # fmt: skip
        if part is None:
            continue
        for whole, piece in zip((out[0], *out[3:6]), (part[0], *part[3:6]), strict=True):
            whole[columns] = piece
        out.dof[columns] = np.fmin(most, out.effective_rows[columns])
        keep = np.r_[rows[1:], n]
        factor[:, keep[:, None], columns] = part.factor
    flat = factor.reshape(-1, m)
    flat = flat[np.any(flat != 0.0, axis=1)]
    covariance = flat.T @ flat
    lost = np.isnan(out.slope)
    covariance[lost] = covariance[:, lost] = np.nan
    return out._replace(covariance=covariance, factor=flat)


def _fit(
    steps: FloatArray,
    y: FloatArray,
    p: FloatArray,
    others: FloatArray,
    p_noise: FloatArray,
    p_other: FloatArray | None,
) -> Slopes | None:
    n, m, k = y.shape[0], y.shape[1], others.shape[1]
    noisy = p_other is None and bool(np.any(p_noise > 0.0))
    z_raw = p if p_other is None else p_other
    block = [others, p[:, None], z_raw[:, None], y]
    if noisy:
        block.append(np.diag(p_noise))
    both = np.column_stack(block)
    n_laws = LAWS.shape[0]
    slope, likelihood = np.empty((n_laws, m)), np.empty((n_laws, m))
    scores = np.empty((n_laws, n - 1, m))
    effective, reliability = np.empty(n_laws), np.empty(n_laws)
    for i, law in enumerate(LAWS):
        white, log_det = whiten(both, steps, law)
        y_ = white[:, k + 2 : k + 2 + m]
        regressors = white[:, : k + 1]
        q, R = np.linalg.qr(white[:, :k])
        size = np.linalg.norm(regressors, axis=0)
        x = white[:, k] - q @ (q.T @ white[:, k])
        z = white[:, k + 1] - q @ (q.T @ white[:, k + 1])
        if np.any(np.abs(np.diag(R)) <= _SINGULAR * size[:k]) or x @ x <= _SINGULAR * size[k] ** 2:
            return None
        spurious = np.zeros(n - 1)
        if noisy:
            V = white[:, k + 2 + m :]
            spurious = np.sum(V * (V - q @ (q.T @ V)), axis=1)
        signal = z @ x - spurious.sum()
        reliability[i] = signal / (x @ x if p_other is None else np.sqrt((z @ z) * (x @ x)))
        likelihood[i] = restricted_likelihood(regressors, y_, log_det)
        if reliability[i] <= _SINGULAR:  # under this law all of p's variance is noise
            likelihood[i] = -np.inf
            slope[i], scores[i], effective[i] = 0.0, 0.0, 0.0
            continue
        slope[i] = z @ y_ / signal
        residual = y_ - q @ (q.T @ y_) - np.outer(x, slope[i])
        leverage = np.sum(q * q, axis=1) + z * z / (z @ z)
        if leverage.max() > 1.0 - 1e-9:
            return None
        hc3 = residual / (1.0 - leverage)[:, None]
        scores[i] = (z[:, None] * hc3 + np.outer(spurious, slope[i])) / signal
        effective[i] = effective_rows(z)
    if not np.isfinite(likelihood).any():
        blank, nothing = np.full(m, np.nan), np.zeros((n_laws, n, m))
        return Slopes(blank, blank, blank, blank, np.zeros(m), blank, nothing)
    weights = law_weights(likelihood)
    weights = np.where(weights < _NEGLIGIBLE, 0.0, weights)
    weights /= weights.sum(axis=0)
    mean = np.sum(weights * slope, axis=0)
    root = np.sqrt(weights)
    factor = np.concatenate([root[:, None] * scores, (root * (slope - mean))[:, None]], axis=1)
    return Slopes(
        mean,
        np.empty((0, 0)),
        np.empty(0),
        effective @ weights,
        reliability @ weights,
        np.sqrt(LAWS[:, 0]) @ weights,
        factor,
    )
