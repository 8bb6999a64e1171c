r"""Which way round, and how strongly, do two series on one grid move together at each lag?

    r(l) = sum_t x_t y_{t+l} / sqrt(sum_t x_t^2 sum_t y_{t+l}^2),

x and y less their means, over the t at which both were seen: rows with a hole drop out of the lags
that need them and of no others. A positive lag says that x leads, as in :mod:`.lead_lag`.

The usual band 1.96 / sqrt(T) takes returns for independent with one variance. Where volatility
moves, and the two move together, the variance of r(l) under no correlation is (Taylor 1984)

    v(l) = sum_b (sum_{t in b} x_t y_{t+l})^2 / (sum x_t^2 sum y_{t+l}^2),

with one row a block b; blocks of more rows keep the serial correlation within them (levels,
overlapping returns, smoothed series). ``band`` is pointwise. Over many lags some r(l) leaves it, so
``p_value`` and ``sup_band`` are for all lags at once: the largest ``|r| / sqrt(v)`` against its law
when every block of x has its sign drawn at random, which keeps all sizes and times.

On ticks prefer :func:`.lead_lag.lead_lag`: a grid fills the time between trades with zeros or stale
prices, which pulls correlations to 0 (Epps 1979) and lends a lead to the series that trades more
often. Here belong series that are born on a grid: bars, factor returns, features.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from eventtape.arrays import FloatArray, IntArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import float_array, whole_array
from eventtape.estimators.discovery.refusals import Reason, status_of

__all__ = ["CrossCorrelation", "cross_correlation"]

_LEAST_BLOCKS = 30


class CrossCorrelation(NamedTuple):
    """Correlation of x now with y some rows later, and what no correlation allows.

    - ``lags``: ``(n_lags,)`` rows; positive: x leads.
    - ``correlation``: ``(n_lags,)`` between -1 and 1.
    - ``band``: ``(n_lags,)`` size exceeded at that one lag with chance 1 - level under none.
    - ``sup_band``: ``(n_lags,)`` size exceeded at any lag with chance 1 - level under none.
    - ``p_value``: of no correlation at any lag asked.
    - ``peak_lag``: rows, where the correlation is largest in its own standard errors; NaN where
      ``p_value`` finds none.
    - ``n_pairs``: ``(n_lags,)`` rows at which both were seen.
    - ``reason``, ``status``: why nothing is said, and the fate: ``NOT_IDENTIFIED`` is no link.
    """

    lags: IntArray
    correlation: FloatArray
    band: FloatArray
    sup_band: FloatArray
    p_value: float
    peak_lag: float
    n_pairs: IntArray
    reason: Reason
    status: Status


def cross_correlation(
    x: FloatArray,
    y: FloatArray,
    lags: IntArray,
    *,
    block: int = 1,
    level: float = 0.95,
    n_draws: int = 499,
    seed: int = 0,
) -> CrossCorrelation:
    """Correlation of x with y at each lag in rows (positive: x leads), with two bands of none.

    ``x``, ``y`` ``(T,)`` on one regular grid, NaN where not seen; infinity is an
    :class:`InputError`. ``block`` rows share a sign and a term of the variance. Refused, all NaN:
    under 30 blocks in common at some lag (``too few observations``), a series that does not move.
    Without a link at ``1 - level``: ``not identified``, bands stand, ``peak_lag`` is NaN.
    """
    check_level(level)
    x, y = _column(x, "x"), _column(y, "y")
    if x.shape != y.shape:
        raise InputError("x and y of one shape (T,)", met=(x.shape, y.shape))
    lags = whole_array(lags, "whole lags in rows", column="lags")
    if lags.ndim != 1 or lags.size == 0 or np.any(np.diff(lags) <= 0):
        raise InputError("rising lags in rows", met=lags.tolist()[:5])
    if not (block >= 1 and int(block) == block):
        raise InputError("blocks of at least 1 row", met=block)
    if not (1.0 - level) * (n_draws + 1) >= 1.0:
        wanted = f"at least {math.ceil(1.0 / (1.0 - level)) - 1} draws for a level of {level:g}"
        raise InputError(wanted, met=n_draws)
    x, y = _centred(x), _centred(y)
    n_blocks = -(-x.size // block)
    correlation, deviation = np.full(lags.size, math.nan), np.full(lags.size, math.nan)
    n_pairs = np.zeros(lags.size, np.int64)
    null = np.zeros(n_draws)
    signs = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), size=(n_draws, n_blocks))
    for m, lag in enumerate(lags):
        rows = np.arange(max(0, -lag), max(0, -lag) + max(x.size - abs(int(lag)), 0))
        rows = rows[np.isfinite(x[rows]) & np.isfinite(y[rows + lag])]
        n_pairs[m] = rows.size
        if np.unique(rows // block).size < _LEAST_BLOCKS:
            return _refused(lags, n_pairs, Reason.FEW_ROWS)
        a, b = x[rows], y[rows + lag]
        size = math.sqrt(float(a @ a) * float(b @ b))
        if size == 0.0:
            return _refused(lags, n_pairs, Reason.STALE)
        parts = np.bincount(rows // block, weights=a * b, minlength=n_blocks) / size
        correlation[m], deviation[m] = parts.sum(), math.sqrt(float(parts @ parts))
        if deviation[m] > 0.0:
            np.maximum(null, np.abs(signs @ parts) / deviation[m], out=null)
    moved = deviation > 0.0
    t = np.divide(correlation, deviation, out=np.zeros(lags.size), where=moved)
    peak = float(np.abs(t).max())
    p_value = (1 + int(np.sum(null >= peak * (1.0 - 1e-12)))) / (n_draws + 1)
    allowed = math.floor((1.0 - level) * (n_draws + 1) + 1e-9)
    reached = float(np.sort(null)[n_draws - allowed])
    linked = p_value <= 1.0 - level
    return CrossCorrelation(
        lags,
        correlation,
        float(ndtri(0.5 * (1.0 + level))) * deviation,
        reached * deviation,
        p_value,
        float(lags[np.argmax(np.abs(t))]) if linked else math.nan,
        n_pairs,
        Reason.NONE,
        Status.OK if linked else Status.NOT_IDENTIFIED,
    )


def _column(values: FloatArray, name: str) -> FloatArray:
    v = float_array(values, column=name)
    if v.ndim != 1 or v.size < 2:
        raise InputError("values of shape (T,), T >= 2", met=v.shape, column=name)
    bad = np.flatnonzero(np.isinf(v))
    if bad.size:
        wanted = "a finite value, or NaN where not seen"
        raise InputError(wanted, met=float(v[bad[0]]), row=int(bad[0]) + 1, column=name)
    return v


def _centred(v: FloatArray) -> FloatArray:
    """The series less its mean and over its deviation; exact zeros where it does not move."""
    seen = np.isfinite(v)
    if not seen.any():
        return v
    mean, out = float(v[seen].mean()), np.full(v.shape, math.nan)
    sd = float(v[seen].std())
    out[seen] = (v[seen] - mean) / sd if sd > 1e-10 * math.hypot(mean, sd) else 0.0
    return out


def _refused(lags: IntArray, n_pairs: IntArray, reason: Reason) -> CrossCorrelation:
    blank, nan = np.full(lags.size, math.nan), math.nan
    return CrossCorrelation(lags, blank, blank, blank, nan, nan, n_pairs, reason, status_of(reason))
