r"""What may be claimed of the relations and of who follows them? Likelihood ratios at a given rank.

With eigenvalues lam of the free model and lam* of the restricted one (:mod:`.johansen`), T rows,
rank r and q levels (n, or n + 1 with the constant among them):

s relations b known, the s = r of them or some::

    LR = T (ln |S00.b| - ln |S00| + sum_{i <= r-s} ln(1 - lam*_i) - sum_{i <= r} ln(1 - lam_i)),

chi-square with s (q - r) degrees of freedom (Johansen 1995, theorem 7.3). m series that do not
adjust (weakly exogenous), partialled out of the others::

    LR = T sum_{i <= r} (ln(1 - lam*_i) - ln(1 - lam_i)),

chi-square with r m (theorem 8.2); with m = n - r it is Gonzalo and Granger's (1995) test that these
series are the common trends. Both laws are for long samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc

from eventtape.arrays import FloatArray, IntArray, Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.johansen import (
    Deterministic,
    check_relations,
    complement,
    n_regressors,
    partialled,
    regular,
    relations,
    to_basis,
    too_few,
)
from eventtape.estimators.discovery.refusals import Reason, status_of
from eventtape.estimators.discovery.vecm_moments import Moments, check_columns

__all__ = ["RatioTest", "beta_test", "exogeneity_test"]


class RatioTest(NamedTuple):
    """Likelihood ratio, its degrees of freedom and chi-square p-value; NaN with a reason."""

    statistic: float
    df: int
    p_value: float
    n_rows: int
    reason: Reason
    status: Status


def beta_test(
    state: Moments,
    beta: FloatArray,
    *,
    rank: int | None = None,
    deterministic: Deterministic = "co",
    rows_per_regressor: float = 10.0,
) -> RatioTest:
    """Likelihood-ratio test that the cointegration space holds the columns of ``beta`` ``(n, s)``.

    With ``rank`` = s, which is the default, that it is their span. ``(n + 1, s)`` with "ci", the
    constant last. A small p-value speaks against an imposed relation, such as (1, -1) for two
    share classes; a unit vector asks whether that series is stationary by itself. NaN under
    ``rows_per_regressor`` rows a regressor, and where a covariance is below full rank.
    """
    known = check_relations(beta, state, deterministic)
    q, s = known.shape
    r = s if rank is None else rank
    if not 1 <= s <= r < q:
        raise InputError(f"1 <= known relations <= rank < {q}", met=(s, r))
    df = s * (q - r)
    if too_few(state, n_regressors(state, r, deterministic), rows_per_regressor):
        return _untested(df, state, Reason.FEW_ROWS)
    part = partialled(state, deterministic)
    free = None if part is None else relations(*part[:5])
    if part is None or free is None:
        return _untested(df, state, Reason.SINGULAR)
    b = to_basis(known, part.A, state.origin)
    sbb = b.T @ part.s11 @ b
    if not regular(sbb, (np.abs(b).T @ np.sqrt(part.size1)) ** 2):
        return _untested(df, state, Reason.SINGULAR)
    u, Q = np.linalg.solve(sbb, (part.s01 @ b).T), complement(b)
    s00 = part.s00 - part.s01 @ b @ u
    value = np.linalg.slogdet(s00)[1] - np.linalg.slogdet(part.s00)[1]
    if r > s:
        v = np.linalg.solve(sbb, b.T @ part.s11 @ Q)
        s11 = Q.T @ part.s11 @ Q - Q.T @ part.s11 @ b @ v
        s01 = part.s01 @ Q - part.s01 @ b @ v
        rest = relations(s00, s01, s11, part.size0, Q.T**2 @ part.size1)
        if rest is None:
            return _untested(df, state, Reason.SINGULAR)
        value += np.log1p(-rest.eigenvalues[: r - s]).sum()
    return _tested(value - np.log1p(-free.eigenvalues[:r]).sum(), df, state)


def exogeneity_test(
    state: Moments,
    series: Sequence[int] | IntArray,
    *,
    rank: int,
    deterministic: Deterministic = "co",
    rows_per_regressor: float = 10.0,
) -> RatioTest:
    """Likelihood-ratio test that the named series do not adjust: their rows of alpha are zero.

    ``series`` are columns from 0. With ``n - rank`` of them it tests that they are the common
    trends, so that all discovery is theirs. NaN as for :func:`beta_test`.
    """
    n = state.origin.size
    at = check_columns(series, n)
    if not 1 <= rank <= n - at.size:
        raise InputError(f"a rank from 1 to {n - at.size}", met=rank)
    df = rank * at.size
    if too_few(state, n_regressors(state, rank, deterministic), rows_per_regressor):
        return _untested(df, state, Reason.FEW_ROWS)
    part = partialled(state, deterministic)
    free = None if part is None else relations(*part[:5])
    if part is None or free is None:
        return _untested(df, state, Reason.SINGULAR)
    a = np.setdiff1d(np.arange(n), at)
    sbb, sba = part.s00[np.ix_(at, at)], part.s00[np.ix_(at, a)]
    u, v = np.linalg.solve(sbb, sba), np.linalg.solve(sbb, part.s01[at])
    s00, s01 = part.s00[np.ix_(a, a)] - sba.T @ u, part.s01[a] - sba.T @ v
    held = relations(s00, s01, part.s11 - part.s01[at].T @ v, part.size0[a], part.size1)
    if held is None:
        return _untested(df, state, Reason.SINGULAR)
    value = np.log1p(-held.eigenvalues[:rank]).sum() - np.log1p(-free.eigenvalues[:rank]).sum()
    return _tested(value, df, state)


def _tested(value: float, df: int, state: Moments) -> RatioTest:
    # Two maxima of one likelihood, the free one higher: what lies below zero is rounding
    statistic = max(state.n_rows * float(value), 0.0)
    p_value = float(chdtrc(df, statistic))
    return RatioTest(statistic, df, p_value, state.n_rows, Reason.NONE, Status.OK)


def _untested(df: int, state: Moments, reason: Reason) -> RatioTest:
    return RatioTest(math.nan, df, math.nan, state.n_rows, reason, status_of(reason))
