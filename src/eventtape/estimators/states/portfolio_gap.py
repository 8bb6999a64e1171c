r"""What is a portfolio worth more if the outcome happens than if it does not, and how surely?

A portfolio w of assets worth v1 if the outcome happens and v0 if it does not has the gap

    G = w'(v1 - v0),    se(G)^2 = w'(S11 + S00 - S10 - S01) w,

in money, S the covariance of the errors of (v1, v0). An asset priced F whose gap is known as a log
ratio d = log(m1/m0) has, from F = p m1 + (1-p) m0,

    m0 = F / (1 - p + p e^d),   m1 = m0 e^d,   dG/dd = F e^d / (1 - p + p e^d)^2,

and its error goes through by the delta method.

An asset that is not identified is never taken as zero. With bounds (v1 - v0 known to lie in an
interval with no assumption: Horowitz and Manski 1995) the portfolio's gap is a range; without,
there is no answer, and the result names the asset.

Reference: Horowitz and Manski (1995), Econometrica 63.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from eventtape.arrays import FloatArray, IntArray, Status, check_level
from eventtape.errors import InputError

__all__ = [
    "PortfolioGap",
    "StateValues",
    "check_probability",
    "portfolio_gap",
    "state_values",
    "values_from_gaps",
]


class StateValues(NamedTuple):
    """What one unit of each asset is worth in each state, in money; NaN where not identified."""

    value_1: FloatArray  # (n_assets,)
    value_0: FloatArray
    covariance: FloatArray  # (2 n_assets, 2 n_assets), errors of value_1 then value_0
    gap_lower: FloatArray  # bounds on value_1 - value_0 that hold with no assumption; NaN: none
    gap_upper: FloatArray


class PortfolioGap(NamedTuple):
    """Value given the outcome less value without it, in money, with its interval."""

    gap: float  # NaN where an asset held is not identified
    se: float  # of the identified part
    lower: float
    upper: float
    unidentified: IntArray  # assets held without a gap
    status: Status  # NOT_RESOLVED: bounds only; NOT_IDENTIFIED: not even those


def state_values(
    value_1: ArrayLike,
    value_0: ArrayLike,
    covariance: ArrayLike | None = None,
    *,
    gap_lower: ArrayLike | None = None,
    gap_upper: ArrayLike | None = None,
) -> StateValues:
    """Assets by their values in the two states, e.g. calls priced under f1 and under f0.

    ``covariance`` ``(2n, 2n)`` of their errors, none for values that are known. An asset that is
    not identified has NaN in both values, and bounds where there are any.
    """
    v1, v0 = (np.atleast_1d(np.array(v, np.float64)) for v in (value_1, value_0))
    n = v1.size
    if v1.shape != (n,) or v0.shape != (n,):
        raise InputError("a value per asset in each state", met=(v1.shape, v0.shape))
    S = np.zeros((2 * n, 2 * n)) if covariance is None else np.array(covariance, np.float64)
    if S.shape != (2 * n, 2 * n):
        raise InputError(f"a covariance of shape {(2 * n, 2 * n)}", met=S.shape)
    low, high = (
        np.full(n, math.nan) if b is None else np.array(np.broadcast_to(b, (n,)), np.float64)
        for b in (gap_lower, gap_upper)
    )
    if np.any(low > high):
        row = int(np.argmax(low > high))
        met = (float(low[row]), float(high[row]))
        raise InputError("a lower bound not above the upper", met=met, row=row)
    known = np.isfinite(v1) & np.isfinite(v0)
    if not np.isfinite(S[np.ix_(np.tile(known, 2), np.tile(known, 2))]).all():
        raise InputError("finite errors for every asset that has values", column="covariance")
    if np.any(np.diag(S) < 0.0):
        raise InputError("variances of 0 or more", met=float(np.diag(S).min()), column="covariance")
    return StateValues(v1, v0, S, low, high)


def values_from_gaps(
    price: ArrayLike,
    gap: ArrayLike,
    errors: ArrayLike,
    *,
    probability: float,
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
) -> StateValues:
    """Assets by price and log gap log(m1/m0) ``(n_assets,)``, values by the mixture identity.

    ``errors``: standard errors ``(n_assets,)`` if independent, else their covariance ``(n, n)``.
    ``lower``, ``upper``: bounds on the log gap, used where ``gap`` is NaN (refused).
    """
    p = check_probability(probability)
    F, d = (np.atleast_1d(np.array(v, np.float64)) for v in (price, gap))
    e = np.atleast_1d(np.array(errors, np.float64))
    n = F.size
    if F.shape != (n,) or d.shape != (n,) or e.shape not in ((n,), (n, n)):
        raise InputError("a price, a gap and an error per asset", met=(F.shape, d.shape, e.shape))
    if not np.all(F > 0.0):
        row = int(np.argmin(F > 0.0))
        raise InputError("a price above 0", met=float(F[row]), row=row, column="price")
    E = np.diag(e**2) if e.ndim == 1 else e
    D = 1.0 - p + p * np.exp(d)
    slope = F * np.exp(d) / D**2
    J = np.vstack([np.diag(slope * (1.0 - p)), np.diag(-slope * p)])
    known = np.isfinite(d)
    J[:, ~known] = 0.0
    E = np.where(np.outer(known, known), E, 0.0)
    bounds = [None if b is None else _money_gap(F, b, p) for b in (lower, upper)]
    return state_values(
        F * np.exp(d) / D, F / D, J @ E @ J.T, gap_lower=bounds[0], gap_upper=bounds[1]
    )


def _money_gap(F: FloatArray, d: ArrayLike, p: float) -> FloatArray:
    grown = np.expm1(np.asarray(d, np.float64))
    return np.asarray(F * grown / (1.0 + p * grown))


def portfolio_gap(
    positions: ArrayLike, values: StateValues, *, level: float = 0.95
) -> PortfolioGap:
    """The gap of positions ``(n_assets,)`` in money, positive when the outcome is good for them.

    Its interval adds the range of what is only bounded to the normal interval of the rest, which
    covers at least at ``level``.
    """
    check_level(level)
    w = np.atleast_1d(np.asarray(positions, np.float64))
    n = values.value_1.size
    if w.shape != (n,) or not np.isfinite(w).all():
        raise InputError(f"a finite position per asset, {n} of them", met=positions)
    known = np.isfinite(values.value_1) & np.isfinite(values.value_0)
    open_ = np.flatnonzero(~known & (w != 0.0))
    held = np.flatnonzero(known)
    a = np.r_[w[held], -w[held]]
    S = values.covariance[np.ix_(np.r_[held, n + held], np.r_[held, n + held])]
    se = math.sqrt(max(float(a @ S @ a), 0.0))
    half = float(ndtri(0.5 * (1.0 + level))) * se
    part = float(w[held] @ (values.value_1[held] - values.value_0[held]))
    if not open_.size:
        return PortfolioGap(part, se, part - half, part + half, open_, Status.OK)
    ends = w[open_] * np.vstack([values.gap_lower[open_], values.gap_upper[open_]])
    low = part - half + float(ends.min(axis=0).sum())
    high = part + half + float(ends.max(axis=0).sum())
    if not math.isfinite(high - low):
        nan = math.nan
        return PortfolioGap(nan, se, nan, nan, open_, Status.NOT_IDENTIFIED)
    return PortfolioGap(math.nan, se, low, high, open_, Status.NOT_RESOLVED)


def check_probability(probability: float) -> float:
    """The probability of the outcome, once it is inside (0, 1)."""
    if not 0.0 < probability < 1.0:
        raise InputError("a probability inside (0, 1)", met=probability)
    return float(probability)
