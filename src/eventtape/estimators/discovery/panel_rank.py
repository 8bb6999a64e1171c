r"""Do many prices share any stationary combination at all, when there are many of them?

Johansen's tables are made for two to twelve series; with forty they find cointegration in
independent walks nearly always. Bykhovskaya and Gorin (2022a, 2022b) let the number of series N
grow with the number of increments T. With k lags in levels, no cointegration means::

    dX_t = mu + G_1 dX_{t-1} + ... + G_{k-1} dX_{t-k+1} + e_t.

The level is shifted and freed from its trend, X~_t = X_{t-1} - (t - 1)/T (X_T - X_0); lags run
around the end of the sample (dX_0 stands for dX_T: that makes the law exact); from dX_t and
X~_{t-k+1} a constant and the k - 1 lags are projected out, and lambda_1 >= lambda_2 >= ... are the
squared canonical correlations of what is left. Under none they fill an interval known in advance,
from ``lambda_-`` to ``lambda_+``, with p = 2, q = T/N - k::

    lambda_+- = (sqrt(p (p + q - 1)) +- sqrt(q))^2 / (p + q)^2,

and the first r, on the scale on which its end is random::

    LR_r = (sum_{i <= r} ln(1 - lambda_i) - r c_1) / (N^{-2/3} c_2),    c_1 = ln(1 - lambda_+),
    c_2 = -(2 lambda_+)^{2/3} (1 - lambda_+)^{-1/3} (lambda_+ - lambda_-)^{-1/3} (p + q)^{-2/3},

tend to the sum of the first r Airy_1 points (:mod:`.airy_sums`). A large LR_r speaks for one to r
stationary combinations. The answer does not depend on units, or on which combinations of the
series are observed.

Three laws of LR_r under none. ``limit``: the Airy sums; needs N >= 10 r and T/N - k >= 4, where
independent Gaussian walks are called cointegrated 4% to 10% of the time at 5% (more with more r),
and outside it up to 12%, or never. ``walks``: independent Gaussian walks of the same shape; exact
for k = 1 at any N. Both take e_t for independent in time with one variance. Where the volatility of
all moves together they call independent walks cointegrated in 62% to 82% of runs (slow tests). So
the default is ``signs``: the residuals of the model without cointegration, each row's sign drawn at
random, summed to walks again (a wild bootstrap, Cavaliere, Rahbek and Taylor 2010), which keeps
every row's size and the correlation across series.

What is tested is the whole model: bid-ask bounce makes dX undo itself, which k = 1 cannot tell from
cointegration. With a half-spread of half a step's deviation 20 independent walks are called
cointegrated in 22% of runs at k = 1, in 8% at k = 2, in 5% at k = 3.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.discovery.airy_sums import MAX_SUM, critical_value, survival
from eventtape.estimators.discovery.given_arrays import float_array
from eventtape.estimators.discovery.refusals import Reason, status_of
from eventtape.estimators.discovery.var_moments import checked_lags, checked_panel, standardised

__all__ = ["LEAST_RATIO", "LEAST_SERIES", "PanelRank", "panel_rank"]

LEAST_SERIES = 10  # for each relation summed
LEAST_RATIO = 4.0  # of T/N - k
_RANK = 1e-8


class PanelRank(NamedTuple):
    """LR_1 .. LR_r against no cointegration of N series; the verdict is by the last of them.

    - ``statistic``: ``(r,)`` large speaks for one to r stationary combinations.
    - ``p_value``: ``(r,)`` of no cointegration.
    - ``critical``: ``(r,)`` value exceeded with chance 1 - level under none.
    - ``cointegrated``: the verdict, None where nothing can be said.
    - ``eigenvalues``: ``(N,)`` squared canonical correlations, falling.
    - ``edge``: lambda_+, where they end if there is no cointegration.
    - ``n_rows``: T, increments.
    - ``reason``, ``status``: why nothing is said, and the fate.
    """

    statistic: FloatArray
    p_value: FloatArray
    critical: FloatArray
    cointegrated: bool | None
    eigenvalues: FloatArray
    edge: float
    n_rows: int
    reason: Reason
    status: Status


def panel_rank(
    log_prices: FloatArray,
    lags: int = 1,
    *,
    tested: int = 1,
    law: Literal["signs", "walks", "limit"] = "signs",
    level: float = 0.95,
    n_draws: int = 199,
    seed: int = 0,
) -> PanelRank:
    """Test of no cointegration among many series, with its canonical correlations.

    ``log_prices`` ``(T + 1, N)``, finite; ``lags`` = k >= 1, of the levels; ``tested`` = r, 1 to 3,
    the most relations summed; ``law``, the law under none, from ``n_draws`` panels unless it is
    the limit. NaN with a reason: T/N - k < 4, or N < 10 r for the limit; a column that does not
    move; columns that repeat others. The limit's p-values for r > 1 end at those of the table
    (:mod:`.airy_sums`), 0.0001 and 0.9999.
    """
    X, k = checked_panel(float_array(log_prices), what="log prices"), checked_lags(lags)
    check_level(level)
    N, T = X.shape[1], X.shape[0] - 1
    if not 1 <= tested <= min(MAX_SUM, N):
        raise InputError(f"1 to {min(MAX_SUM, N)} relations tested", met=tested)
    if law not in {"signs", "walks", "limit"}:
        raise InputError("law 'signs', 'walks' or 'limit'", met=law)
    if law != "limit" and not (1.0 - level) * (n_draws + 1) >= 1.0:
        wanted = f"at least {math.ceil(1.0 / (1.0 - level)) - 1} draws for a level of {level:g}"
        raise InputError(wanted, met=n_draws)
    edge = _limits(N, T, k)[0] if T / N - k > 0.0 else math.nan
    if T / N - k < LEAST_RATIO or (law == "limit" and LEAST_SERIES * tested > N):
        return _refused(N, T, tested, edge, Reason.FEW_ROWS)
    scaled = standardised(X)
    if scaled is None or np.any(np.ptp(np.diff(scaled, axis=0), axis=0) == 0.0):
        return _refused(N, T, tested, edge, Reason.STALE)
    eigenvalues = _canonical(scaled, k)
    if eigenvalues is None:
        return _refused(N, T, tested, edge, Reason.SINGULAR)
    statistic = _statistics(eigenvalues, T, k, tested)
    orders = range(1, tested + 1)
    if law != "limit":
        drawn = _drawn(scaled, k, tested, law, n_draws, seed)
        p_value = (1.0 + np.sum(drawn >= statistic, axis=0)) / (n_draws + 1.0)
        allowed = math.floor((1.0 - level) * (n_draws + 1) + 1e-9)
        critical = np.sort(drawn, axis=0)[n_draws - allowed]
    else:
        p_value = np.array([survival(s, r) for s, r in zip(statistic, orders, strict=True)])
        critical = np.array([critical_value(1.0 - level, r) for r in orders])
    verdict = bool(p_value[-1] <= 1.0 - level)
    return PanelRank(
        statistic, p_value, critical, verdict, eigenvalues, edge, T, Reason.NONE, Status.OK
    )


def _canonical(X: FloatArray, k: int) -> FloatArray | None:
    """Squared canonical correlations of changes and levels, falling; None where rank is short."""
    T = X.shape[0] - 1
    dX = np.diff(X, axis=0)
    level = X[:-1] - np.arange(T)[:, None] / T * (X[-1] - X[0])
    Q = np.linalg.qr(_around(dX, k))[0]
    level = np.roll(level, k - 1, axis=0)
    changes, levels = dX - Q @ (Q.T @ dX), level - Q @ (Q.T @ level)
    bases = []
    for part in (changes, levels):
        Q, R = np.linalg.qr(part)
        if np.any(np.diag(R) ** 2 <= _RANK * np.einsum("ij,ij->j", part, part)):
            return None
        bases.append(Q)
    root = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    return np.asarray(np.minimum(root, 1.0) ** 2)


def _limits(N: int, T: int, k: int) -> tuple[float, float, float]:
    """lambda_+, c_1 and N^{-2/3} c_2."""
    p, q = 2.0, T / N - k
    middle, half = math.sqrt(p * (p + q - 1.0)), math.sqrt(q)
    top, bottom = ((middle + s * half) ** 2 / (p + q) ** 2 for s in (1.0, -1.0))
    if top >= 1.0:
        return top, math.nan, math.nan
    c2 = -(((2.0 * top) ** 2 / ((1.0 - top) * (top - bottom) * (p + q) ** 2)) ** (1.0 / 3.0))
    return top, math.log1p(-top), N ** (-2.0 / 3.0) * c2


def _statistics(eigenvalues: FloatArray, T: int, k: int, tested: int) -> FloatArray:
    _, c1, scale = _limits(eigenvalues.size, T, k)
    r = np.arange(1, tested + 1)
    return np.asarray((np.cumsum(np.log1p(-eigenvalues[:tested])) - r * c1) / scale)


def _drawn(X: FloatArray, k: int, tested: int, law: str, n_draws: int, seed: int) -> FloatArray:
    """Statistics of panels without cointegration, ``(n_draws, tested)``.

    A panel whose rank falls short is no evidence against cointegration: it counts as one above.
    """
    T, N = X.shape[0] - 1, X.shape[1]
    rng = np.random.default_rng(seed)
    e = np.diff(X, axis=0)
    Q = np.linalg.qr(_around(e, k))[0]
    e = e - Q @ (Q.T @ e)
    out = np.full((n_draws, tested), math.inf)
    start = np.zeros((1, N))
    for b in range(n_draws):
        if law == "signs":
            steps = e * rng.choice(np.array([-1.0, 1.0]), size=(T, 1))
        else:
            steps = rng.standard_normal((T, N))
        eigenvalues = _canonical(np.vstack([start, np.cumsum(steps, axis=0)]), k)
        if eigenvalues is not None:
            out[b] = _statistics(eigenvalues, T, k, tested)
    return out


def _around(dX: FloatArray, k: int) -> FloatArray:
    """A constant and k - 1 lags of the changes, taken around the end of the sample."""
    lags = [np.roll(dX, j, axis=0) for j in range(1, k)]
    return np.column_stack([np.ones(dX.shape[0]), *lags])


def _refused(N: int, T: int, tested: int, edge: float, reason: Reason) -> PanelRank:
    blank = np.full(tested, math.nan)
    return PanelRank(
        blank, blank, blank, None, np.full(N, math.nan), edge, T, reason, status_of(reason)
    )
