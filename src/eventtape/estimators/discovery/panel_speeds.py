r"""Which assets have taken in a permanent shock of the market, or of the odds, before the others?

Each asset i stands in a system of its own with the K factors (:mod:`.factor_system`): forty assets
in one vector autoregression would leave no rows. Its speed for factor k is

    speed_ik = D0_ik / B_ik,

the part of its long-run response that arrives in the row of the shock: 1 is at once, under 1 late,
over 1 too far at first. The factor is quoted in a market of its own and has a speed too, D0_kk (its
B is 1). "Asset i leads the factor" is the statement speed_ik > D0_kk, so that difference is what
has the test:

    lead_ik = speed_ik - D0_kk = (D0_ik - D0_kk B_ik) / B_ik.

Bounce in the factor's own quote adds to D0_kk what does not last: with a moving average of theta it
is 1 / (1 - theta) in population, whatever the lags, so a factor that bounces is "ahead" of assets
that take everything in at once. The asset's speed is not touched. So who is behind must also be
late by itself: the p-value of a lead is the larger of the difference's and that of D0_kk < 1 where
the asset is ahead, of speed_ik < 1 where it is behind. ``factor_bounces`` says D0_kk > 1 + 2 se.

Intervals are Fieller's (:mod:`.ratio_interval`) on variances from a bootstrap whose weights all
assets share; percentiles of the ratio itself are too short by 2 to 3 points of coverage. Where
volatility swings, a few restless blocks decide a variance and Student's t has the fewer degrees of
freedom: by the number of blocks alone, a response was found among 40 walks without any in 11% of
runs, by effective ones in 4% (slow tests). Speeds are given only where ``|B| > 2 se``, and where B
is still a discovery at 5% among all the panel's (Benjamini and Hochberg 1995): one in twenty of
assets that do not respond passes the first alone.

With K > 1, D0 and B are for a shock of factor k that leaves the other factors where they are. When
the factors' permanent shocks are correlated another convention lets some others go first or follow:
``order_low`` and ``order_high`` are the extremes of the speed over all 2^(K-1) of them. Shares of
the factor's permanent variance that asset i's quotes reveal (Hasbrouck 1995, row Psi_gk) depend on
the order of e too: ``share_min`` and ``share_max`` are the true extremes.

``lags`` must reach as far as prices take to settle and bid-ask bounce takes to die out: with too
few, B is too small and speeds too high (noise of sd 1 in moves of sd 1.9, true speed .6: one lag
gives .67, two .62, four .60). A hole (NaN) costs its own asset the rows it touches, a hole in a
factor costs them all; put a row of NaN between sessions.

Units: levels are logs (or probits), responses are log return per unit of the factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from eventtape.arrays import BoolArray, FloatArray, IntArray, check_level
from eventtape.errors import InputError
from eventtape.estimators.discovery.factor_system import (
    PanelDraws,
    block_weights,
    default_block,
    named_responses,
    panel_draws,
)
from eventtape.estimators.discovery.false_discovery import adjusted
from eventtape.estimators.discovery.order_bounds import order_extremes, share_extremes
from eventtape.estimators.discovery.ratio_interval import (
    Differences,
    Ratio,
    differences,
    effective_freedom,
    ratio_interval,
)
from eventtape.estimators.discovery.refusals import Reason, status_of

__all__ = [
    "RESPONSE_RATE",
    "Differences",
    "FactorSpeeds",
    "Speeds",
    "check_panel",
    "factor_speeds",
    "joint_p",
    "panel_speeds",
    "speed_differences",
]

RESPONSE_RATE = 0.05  # of false responses among those found
_MAX_FACTORS = 6  # 2^K orders an asset


class FactorSpeeds(NamedTuple):
    """Responses to the permanent shocks of the named rows, and their ratio, each ``(m, K)``."""

    impact: FloatArray
    long_run: FloatArray
    speed: FloatArray


class Speeds(NamedTuple):
    """Responses and speeds of n assets for K factors, ``(n, K)`` unless said."""

    impact: FloatArray  # D0
    long_run: FloatArray  # B
    long_run_se: FloatArray
    speed: FloatArray  # D0 / B
    lower: FloatArray
    upper: FloatArray
    order_low: FloatArray  # least and largest speed over the orders of the factors
    order_high: FloatArray
    factor_speed: FloatArray  # D0_kk in the system of asset i
    lead: FloatArray  # speed - factor_speed: positive, the asset leads the factor
    lead_lower: FloatArray
    lead_upper: FloatArray
    lead_p: FloatArray  # no lead, or who is behind not late by itself; adjust before naming one
    share_min: FloatArray  # of factor k's permanent variance, last to first in order
    share_max: FloatArray
    n_rows: IntArray  # (n,)
    reasons: NDArray[np.object_]
    statuses: NDArray[np.object_]
    draws: PanelDraws
    factor_speed_se: FloatArray
    factor_bounces: BoolArray  # factor_speed above 1 by over 2 se: its quote reverts


def factor_speeds(psi: FloatArray, omega: FloatArray, named: Sequence[int]) -> FactorSpeeds:
    """D0, B and D0 / B of all rows, ``(m, K)``, for permanent shocks named by K rows.

    ``psi`` and ``omega`` ``(m, m)`` are the permanent response to the residuals and their
    covariance. A row that does not respond in the end has speed NaN.

    >>> psi, omega = np.array([[1.0, 0.0], [0.4, 1.0]]), np.array([[1.0, 0.6], [0.6, 2.0]])
    >>> factor_speeds(psi, omega, [0]).speed.ravel()
    array([1. , 0.6])
    """
    psi, omega = np.asarray(psi, np.float64), np.asarray(omega, np.float64)
    m = psi.shape[0]
    if psi.shape != (m, m) or omega.shape != (m, m):
        raise InputError("psi and omega of one shape (m, m)", met=(psi.shape, omega.shape))
    if not (np.isfinite(psi).all() and np.isfinite(omega).all()):
        raise InputError("finite psi and omega")
    rows = list(named)
    if not rows or len(set(rows)) != len(rows) or not all(0 <= k < m for k in rows):
        raise InputError(f"different named rows in 0 to {m - 1}", met=rows)
    order = np.array(rows + [j for j in range(m) if j not in rows])
    v = psi[rows] @ omega @ psi[rows].T
    if np.linalg.matrix_rank(v, hermitian=True) < len(rows):
        raise InputError("named rows with linearly independent permanent shocks", met=v.tolist())
    at = np.ix_(order, order)
    back = np.argsort(order)
    impact, long_run = (x[back] for x in named_responses(psi[at], omega[at], len(rows)))
    moved = np.abs(long_run) > 1e-12 * np.maximum(np.abs(impact), 1e-300)
    speed = np.divide(impact, long_run, out=np.full_like(impact, np.nan), where=moved)
    return FactorSpeeds(impact, long_run, speed)


def panel_speeds(
    log_prices: FloatArray,
    factors: FloatArray,
    lags: int = 1,
    *,
    beta: FloatArray | None = None,
    level: float = 0.95,
    n_draws: int = 999,
    block: int | None = None,
    seed: int = 0,
    rows_per_regressor: float = 10.0,
) -> Speeds:
    """Speed of each asset for permanent shocks of each factor, with intervals and refusals.

    Parameters
    ----------
    log_prices
        ``(T, n)``; NaN where not seen.
    factors
        ``(T, K)`` levels: cumulated log returns of a factor, the probit of a probability.
    beta
        ``(K + 1,)`` or ``(n, K + 1)``, the one relation known to be stationary, asset last
        ((-1, 1) for two funds on one index). Only where identity gives it.
    block
        Rows of a bootstrap block; T^(1/4) unless told.
    rows_per_regressor
        Fewer rows a regressor of one equation refuse the asset.

    Notes
    -----
    An asset is refused (NaN with a :class:`~.refusals.Reason`) for too few rows or under 20 blocks,
    for prices that stand still in over half the rows (its own or a factor's), for a residual
    covariance below full rank, and, factor by factor, for no long-run response.
    """
    y, g = check_panel(log_prices, factors, lags, level, n_draws)
    T, n, K = y.shape[0], y.shape[1], g.shape[1]
    b = _relations(beta, n, K)
    block = default_block(T) if block is None else block
    weights = block_weights(T, _check_block(block), n_draws, seed)
    draws, systems = panel_draws(
        y, g, lags, b, np.ones(T, np.bool_), weights, block, rows_per_regressor
    )
    D, B, own, less = draws.impact, draws.long_run, draws.own, draws.without
    se = B[1:].std(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.abs(B[0]) / se
    freedom = effective_freedom(less.long_run - B[0], draws.freedom, n_draws)
    found = adjusted(2.0 * stdtr(freedom, -t))
    responds = (t > 2.0) & (found <= RESPONSE_RATE)
    reasons = np.empty((n, K), np.object_)
    for i, reason in enumerate(draws.reasons):
        for k in range(K):
            still = reason is Reason.NONE and not responds[i, k]
            reasons[i, k] = Reason.NO_RESPONSE if still else reason
    given = np.where(responds, B, np.nan)
    freedom = effective_freedom(_moves(draws, D[0] / given[0]), draws.freedom, n_draws)
    speed = ratio_interval(D[0], given[0], D[1:], given[1:], freedom, level)
    over = D - given
    late = ratio_interval(over[0], given[0], over[1:], given[1:], freedom, level)
    freedom = effective_freedom(less.own - own[0], draws.freedom, n_draws)
    one = np.ones_like(own)
    factor_late = ratio_interval(own[0] - 1.0, one[0], own[1:] - 1.0, one[1:], freedom, level)
    own_se = own[1:].std(axis=0, ddof=1)
    ahead = D - own * given
    moved = less.impact - less.own * less.long_run - ahead[0] / given[0] * less.long_run
    freedom = effective_freedom(moved, draws.freedom, n_draws)
    lead = ratio_interval(ahead[0], given[0], ahead[1:], given[1:], freedom, level)
    low, high = np.full((n, K), np.nan), np.full((n, K), np.nan)
    least, most = low.copy(), low.copy()
    for i, system in enumerate(systems):
        if system.reason is Reason.NONE:
            least[i], most[i] = share_extremes(system.psi, system.omega)
            low[i], high[i] = order_extremes(system.psi, system.omega)
    low, high = (np.where(responds, x, np.nan) for x in (low, high))
    return Speeds(
        D[0],
        B[0],
        se,
        speed.ratio,
        speed.lower,
        speed.upper,
        low,
        high,
        own[0],
        lead.ratio,
        lead.lower,
        lead.upper,
        joint_p(lead, late, factor_late),
        least,
        most,
        np.array([s.n_rows for s in systems], np.int64),
        reasons,
        np.vectorize(status_of, otypes=[object])(reasons),
        draws,
        own_se,
        own[0] - 1.0 > 2.0 * own_se,
    )


def joint_p(lead: Ratio, late: Ratio, factor_late: Ratio) -> FloatArray:
    """The p-value of leading or following: a lead, and who is behind below a speed of 1 by itself.

    ``late`` and ``factor_late`` are the speeds less 1. Both must hold, so the larger p-value.
    """
    behind = np.where(lead.ratio > 0.0, factor_late.ratio, late.ratio)
    p = np.where(lead.ratio > 0.0, factor_late.p_value, late.p_value)
    joint: FloatArray = np.maximum(lead.p_value, np.where(behind < 0.0, p, 1.0))
    return joint


def speed_differences(speeds: Speeds, *, level: float = 0.95) -> Differences:
    """Speed of asset i less that of asset j for each factor, ``(n, n, K)``, from common draws.

    The pair has no difference (NaN) where either has no speed.
    """
    check_level(level)
    D = speeds.draws.impact
    B = np.where(np.isfinite(speeds.speed), speeds.draws.long_run, np.nan)
    return differences(D, B, _moves(speeds.draws, speeds.speed), speeds.draws.freedom, level)


def check_panel(
    log_prices: FloatArray, factors: FloatArray, lags: int, level: float, n_draws: int
) -> tuple[FloatArray, FloatArray]:
    """The panel and its factors as arrays of floats, once shapes, values and options are right."""
    check_level(level)
    y, g = np.asarray(log_prices, np.float64), np.asarray(factors, np.float64)
    if y.ndim != 2 or g.ndim != 2 or y.shape[0] != g.shape[0] or y.shape[1] == 0:
        raise InputError("log prices (T, n) and factors (T, K)", met=(y.shape, g.shape))
    if not 1 <= g.shape[1] <= _MAX_FACTORS:
        raise InputError(f"1 to {_MAX_FACTORS} factors", met=g.shape[1])
    for name, x in (("log price", y), ("factor", g)):
        wrong = np.argwhere(np.isinf(x))
        if wrong.size:
            t, j = (int(i) for i in wrong[0])
            raise InputError(
                "a finite value, or NaN", met=float(x[t, j]), row=t + 1, column=f"{name} {j}"
            )
    if lags < 1:
        raise InputError("at least 1 lag", met=lags)
    if n_draws < 99:
        raise InputError("at least 99 draws", met=n_draws)
    return y, g


def _moves(draws: PanelDraws, speed: FloatArray) -> FloatArray:
    """What each speed moves by without each block, to first order, ``(n_blocks, n, K)``."""
    less = draws.without
    moves: FloatArray = (less.impact - speed * less.long_run) / draws.long_run[0]
    return moves


def _check_block(block: int) -> int:
    if block < 1:
        raise InputError("a block of at least 1 row", met=block)
    return block


def _relations(beta: FloatArray | None, n: int, K: int) -> FloatArray:
    """``(n, K + 1, r)``, r = 0 without a relation."""
    if beta is None:
        return np.zeros((n, K + 1, 0))
    b = np.asarray(beta, np.float64)
    if b.shape not in {(K + 1,), (n, K + 1)} or not np.isfinite(b).all():
        raise InputError(f"a finite relation ({K + 1},) or ({n}, {K + 1})", met=b.shape)
    b = np.broadcast_to(b, (n, K + 1))
    if not np.all(b[:, K] != 0.0):
        raise InputError("a relation that holds the asset", met=b[b[:, K] == 0.0][0].tolist())
    return b[:, :, None]
