r"""What does each asset owe to each factor, over the last ``window`` rows, at every row?

Ordinary least squares with an intercept, over every window at once::

    r_i,s = a_i + sum_k b_ik F_k,s + e_i,s          s = t - window + 1 ... t
    b_i   = M^-1 m_i,   M = sum (F - Fbar)(F - Fbar)',   m_i = sum (F - Fbar)(r_i - rbar_i)

One M and one inverse serve all assets; the sums behind them are never run down by subtraction
(:mod:`~eventtape.estimators.factors.rolling_sums`).

A window is refused where it is not whole (``too few observations``): fewer rows than ``window``, a
missing factor return (then for every asset), or a missing return of the asset (for that asset). It
is refused as ``not identified`` where a factor does not move in it, or less than
1e-9 of a factor's variance is left once the factors before it explain it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, IntArray, Status
from eventtape.errors import InputError
from eventtape.estimators.factors.rolling_sums import UNEXPLAINED, Codes, advance

__all__ = [
    "STATUSES",
    "UNEXPLAINED",
    "Decomposition",
    "RollingBeta",
    "RollingState",
    "batch",
    "decompose",
    "start",
    "step",
]

STATUSES = (Status.OK, Status.TOO_FEW, Status.NOT_IDENTIFIED)
"""What each code of a ``status`` array says."""


class RollingBeta(NamedTuple):
    """Coefficients of the window that ends at each row; NaN where the status is not ``ok``."""

    alpha: FloatArray  # (n_times, n_assets) return a row
    beta: FloatArray  # (n_times, n_factors, n_assets) return per unit of factor return
    status: Codes  # (n_times, n_assets) index into STATUSES


class Decomposition(NamedTuple):
    """Each return in two parts that add up to it, ``(n_times, n_assets)``; NaN with the status."""

    systematic: FloatArray  # beta' F
    idiosyncratic: FloatArray  # return - beta' F: the intercept stays in it
    status: Codes


class RollingState(NamedTuple):
    """Where the window stands: the rows of this block, the tails of the last, the sums so far."""

    rows: IntArray  # (1,) rows seen
    factors: FloatArray  # (window, n_factors) this block
    returns: FloatArray  # (window, n_assets)
    factor_shift: FloatArray  # (n_factors,) what sums are taken about
    return_shift: FloatArray  # (n_assets,)
    factor_tail: FloatArray  # (window + 1, n_factors + 1, n_factors) sums from a row to block's end
    return_tail: FloatArray  # (window + 1, n_factors + 1, n_assets)
    factor_head: FloatArray  # (n_factors + 1, n_factors) sums from this block's start
    return_head: FloatArray  # (n_factors + 1, n_assets)
    bad_factor: IntArray  # (1,) the last row with a factor return missing
    bad_return: IntArray  # (n_assets + 1,) the same for each asset, and for any


def start(n_factors: int, n_assets: int, window: int) -> RollingState:
    """The state before the first row."""
    K, N, W = n_factors, n_assets, window
    if K < 1 or N < 1:
        raise InputError("at least one factor and one asset", met=(K, N))
    if W < K + 2:
        raise InputError(f"a window of at least {K + 2} rows for {K} factors", met=W)
    never = -(2**62)
    return RollingState(
        np.zeros(1, np.int64),
        np.zeros((W, K)),
        np.zeros((W, N)),
        np.zeros(K),
        np.zeros(N),
        np.zeros((W + 1, K + 1, K)),
        np.zeros((W + 1, K + 1, N)),
        np.zeros((K + 1, K)),
        np.zeros((K + 1, N)),
        np.full(1, never),
        np.full(N + 1, never),
    )


def step(
    state: RollingState, returns: FloatArray, factors: FloatArray
) -> tuple[RollingState, RollingBeta]:
    """The state and answer after more rows: :func:`batch`, chunk by chunk, bit for bit.

    ``returns`` is ``(n, n_assets)`` and ``factors`` ``(n, n_factors)``, NaN where missing; n may
    be 1. The state handed in is left as it was.
    """
    y, x = _check(returns, factors)
    if y.shape[1] != state.returns.shape[1] or x.shape[1] != state.factors.shape[1]:
        wanted = f"{state.returns.shape[1]} assets and {state.factors.shape[1]} factors as before"
        raise InputError(wanted, met=(y.shape[1], x.shape[1]))
    after = RollingState._make(part.copy() for part in state)
    return after, _through(after, y, x)


def batch(returns: FloatArray, factors: FloatArray, *, window: int) -> RollingBeta:
    """Intercept and betas of every asset over the ``window`` rows that end at each row.

    ``returns`` is ``(n_times, n_assets)`` and ``factors`` ``(n_times, n_factors)``, simple returns
    a row, NaN where missing. Row t speaks of rows up to and with t.
    """
    y, x = _check(returns, factors)
    return _through(start(x.shape[1], y.shape[1], window), y, x)


def decompose(
    returns: FloatArray, factors: FloatArray, *, window: int, in_sample: bool = False
) -> Decomposition:
    """Systematic return beta' F and idiosyncratic return r - beta' F of every row and asset.

    The betas of row t are those of the window that ends at t - 1: the row they explain was not in
    their sample, so the idiosyncratic part is one that a hedge could have had. ``in_sample`` takes
    the window that ends at t, whose residuals are smaller than that by construction.
    """
    y, x = _check(returns, factors)
    found = batch(y, x, window=window)
    beta, status = found.beta, found.status
    if not in_sample:
        beta = np.concatenate([np.full_like(beta[:1], np.nan), beta[:-1]])
        status = np.concatenate([np.ones_like(status[:1]), status[:-1]])
    systematic = np.einsum("tk,tkn->tn", x, beta)
    idiosyncratic = y - systematic
    unseen = np.isnan(idiosyncratic)
    return Decomposition(
        np.where(unseen, np.nan, systematic),
        idiosyncratic,
        np.where(unseen & (status == 0), 1, status).astype(np.int8),
    )


def _through(state: RollingState, y: FloatArray, x: FloatArray) -> RollingBeta:
    K = x.shape[1]
    out = np.empty((y.shape[0], K + 1, y.shape[1]))
    status = np.empty(y.shape, np.int8)
    row = advance(x, y, *state, out, status)
    if row >= 0:
        both = np.r_[x[row], y[row]]
        at = int(np.flatnonzero(np.isinf(both))[0])
        place = f"factor {at + 1}" if at < K else f"asset {at - K + 1}"
        wanted = "a finite return, or NaN where there is none"
        raise InputError(wanted, met=float(both[at]), row=row + 1, column=place)
    return RollingBeta(out[:, K], out[:, :K], status)


def _check(returns: FloatArray, factors: FloatArray) -> tuple[FloatArray, FloatArray]:
    y = np.ascontiguousarray(returns, np.float64)
    x = np.ascontiguousarray(factors, np.float64)
    if y.ndim != 2 or x.ndim != 2 or y.shape[0] != x.shape[0]:
        wanted = "returns (n_times, n_assets) and factors (n_times, n_factors)"
        raise InputError(wanted, met=(y.shape, x.shape))
    return y, x
