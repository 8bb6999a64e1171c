r"""How far, and how fast, does an asset follow a permanent shock of a factor one can observe?

The system of one asset is (g, y): K factors g and the log price y, in levels x. With an imposed
relation b' x (none by default) it is

    dx_t = mu + a b' x_{t-1} + sum_{j=1}^{p} G_j dx_{t-j} + e_t,    cov(e) = W.

Its permanent response Psi is the upper left block of the inverse of the bordered matrix

    [ I - sum G_j   -a ]
    [ b'             0 ],

which is b_p (a_p' G(1) b_p)^-1 a_p' without a complement to choose, and (I - sum G_j)^-1 when there
is no relation. Shocks are named by the factors: eta = Psi_g e moves g for good, V = Psi_g W Psi_g'.
A unit of it moves the system by

    D0 = W Psi_g' V^-1   at once,      B = Psi W Psi_g' V^-1   in the end,

and D0 / B is the part that has arrived after one row. For the factor itself B = 1.

The bootstrap gives each block of consecutive rows an independent exponential weight and fits again
from the weighted moments, regressors as they are. All systems and regimes share the weights, so any
difference of speeds has its own interval. Deviations are then
stretched by 1 / (1 - q / n) for q regressors and n blocks: HC3's factor at the mean leverage of a
block, without which few blocks give intervals too short. Each system is also fitted without each
block in turn: how unequal those moves are says how well the variance is known
(:func:`.ratio_interval.effective_freedom`).

Hasbrouck (1995) for the permanent innovation; Yan and Zivot (2010) for impact against long run;
Rubin (1981) for the weights; MacKinnon and White (1985) for the factor.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.estimators.discovery.refusals import Reason

__all__ = [
    "MAX_STALE",
    "MIN_BLOCKS",
    "PanelDraws",
    "SystemDraws",
    "Without",
    "block_weights",
    "default_block",
    "named_responses",
    "panel_draws",
    "permanent_response",
    "system_draws",
]

MAX_STALE = 0.5  # part of the rows in which a series may stand still
MIN_BLOCKS = 20
_SINGULAR = 1e-10  # least eigenvalue of a correlation matrix


class Without(NamedTuple):
    """Responses without each block in turn, ``(n_blocks, K)``, or of a panel ``(n_blocks, n, K)``.

    A block that holds no row of the system leaves the estimate as it is.
    """

    impact: FloatArray
    long_run: FloatArray
    own: FloatArray


class SystemDraws(NamedTuple):
    """One asset's responses, the estimate first and then one a draw; NaN with a reason."""

    impact: FloatArray  # (1 + n_draws, K) D0
    long_run: FloatArray  # (1 + n_draws, K) B
    own: FloatArray  # (1 + n_draws, K) D0 of each factor to its own shock
    without: Without
    psi: FloatArray  # (K + 1, K + 1) at the estimate
    omega: FloatArray  # (K + 1, K + 1)
    n_rows: int
    freedom: int  # blocks less regressors
    reason: Reason


class PanelDraws(NamedTuple):
    """Responses of all assets, the estimate first and then one a draw: ``(1 + n_draws, n, K)``."""

    impact: FloatArray
    long_run: FloatArray
    own: FloatArray
    without: Without
    freedom: FloatArray  # (n, 1), blocks less regressors: Student's t has no more
    reasons: tuple[Reason, ...]


def permanent_response(short_run: FloatArray, alpha: FloatArray, beta: FloatArray) -> FloatArray:
    """Psi ``(..., m, m)`` of ``I - sum G_j``, loadings ``(..., m, r)`` and relations ``(m, r)``."""
    m, r = alpha.shape[-2:]
    bordered: FloatArray = np.zeros((*short_run.shape[:-2], m + r, m + r))
    bordered[..., :m, :m] = short_run
    bordered[..., :m, m:] = -alpha
    bordered[..., m:, :m] = beta.T
    right = np.broadcast_to(np.eye(m + r, m), (*bordered.shape[:-1], m))
    return np.linalg.solve(bordered, right)[..., :m, :].astype(np.float64, copy=False)


def named_responses(
    psi: FloatArray, omega: FloatArray, n_named: int
) -> tuple[FloatArray, FloatArray]:
    """D0 and B ``(..., m, K)`` to permanent shocks of the first ``n_named`` rows."""
    named = psi[..., :n_named, :]
    c = omega @ np.swapaxes(named, -1, -2)
    impact: FloatArray = np.swapaxes(np.linalg.solve(named @ c, np.swapaxes(c, -1, -2)), -1, -2)
    return impact, psi @ impact


def block_weights(n_rows: int, block: int, n_draws: int, seed: int) -> FloatArray:
    """Weights ``(1 + n_draws, n_blocks)``, exponential; the first row is ones, the estimate."""
    n_blocks = -(-n_rows // block)
    drawn = np.random.default_rng(seed).standard_exponential((n_draws, n_blocks))
    return np.vstack((np.ones(n_blocks), drawn))


def system_draws(
    levels: FloatArray,
    lags: int,
    beta: FloatArray,
    rows: BoolArray,
    weights: FloatArray,
    block: int,
    rows_per_regressor: float,
) -> SystemDraws:
    """D0, B and the factors' own D0 in the system ``levels`` ``(T, K + 1)``, asset last.

    ``beta`` is ``(K + 1, r)``. ``rows`` ``(T,)`` says which times may stand on the left; a time is
    used when it and its lags were all seen, so lags may lie outside ``rows``.
    """
    m, r = beta.shape
    dx = np.diff(levels, axis=0)
    lagged = [dx[lags - j : dx.shape[0] - j] for j in range(1, lags + 1)]
    table = np.hstack([levels[lags:-1] @ beta, *lagged, dx[lags:]])
    used = np.isfinite(table).all(axis=1) & rows[lags + 1 :]
    at_block = np.arange(lags + 1, levels.shape[0])[used] // block
    n_rows, q = int(used.sum()), 1 + r + lags * m
    n_blocks = np.unique(at_block).size
    freedom = n_blocks - q

    def refused(reason: Reason) -> SystemDraws:
        blank, square = np.full((weights.shape[0], m - 1), np.nan), np.full((m, m), np.nan)
        less = Without(*(np.full((weights.shape[1], m - 1), np.nan) for _ in range(3)))
        return SystemDraws(blank, blank, blank, less, square, square, n_rows, freedom, reason)

    if n_rows < rows_per_regressor * q or n_blocks < MIN_BLOCKS or freedom < 1:
        return refused(Reason.FEW_ROWS)
    table = table[used]
    if np.any(np.mean(table[:, -m:] == 0.0, axis=0) > MAX_STALE):
        return refused(Reason.STALE)
    table = table - table.mean(axis=0)
    spread = np.sqrt(np.mean(table**2, axis=0))
    s, scale = spread[-m:], np.concatenate((spread[:r], np.tile(spread[-m:], lags + 1)))
    if not np.all(spread > 0.0) or np.linalg.eigvalsh(_correlation(table))[0] < _SINGULAR:
        return refused(Reason.SINGULAR)
    S = _moments(np.column_stack((np.ones(n_rows), table / scale)), at_block, weights)
    try:
        coef = np.linalg.solve(S[:, :q, :q], S[:, :q, q:])
        omega = (S[:, q:, q:] - S[:, q:, :q] @ coef) / S[:, :1, :1]
        G = np.swapaxes(coef, 1, 2)
        short_run = np.eye(m) - G[:, :, 1 + r :].reshape(-1, m, lags, m).sum(axis=2)
        psi = permanent_response(short_run, G[:, :, 1 : 1 + r], s[:, None] * beta / scale[:r])
        impact, long_run = named_responses(psi, omega, m - 1)
    except np.linalg.LinAlgError:
        return refused(Reason.SINGULAR)
    k, n_fits, stretch = np.arange(m - 1), weights.shape[0], n_blocks / freedom
    unit = s[-1] / s[:-1]
    found = impact[:, -1, :] * unit, long_run[:, -1, :] * unit, impact[:, k, k]
    D, B, own = (_stretched(x[:n_fits], stretch) for x in found)
    return SystemDraws(
        D,
        B,
        own,
        Without(*(x[n_fits:] for x in found)),
        psi[0] * s[:, None] / s,
        omega[0] * s[:, None] * s,
        n_rows,
        freedom,
        Reason.NONE,
    )


def panel_draws(
    log_prices: FloatArray,
    factors: FloatArray,
    lags: int,
    beta: FloatArray,
    rows: BoolArray,
    weights: FloatArray,
    block: int,
    rows_per_regressor: float,
) -> tuple[PanelDraws, list[SystemDraws]]:
    """All assets' responses under shared weights; ``beta`` ``(n, K + 1, r)``, ``rows`` ``(T,)``."""
    systems = [
        system_draws(
            np.column_stack((factors, y)), lags, beta[i], rows, weights, block, rows_per_regressor
        )
        for i, y in enumerate(log_prices.T)
    ]
    draws = PanelDraws(
        np.stack([s.impact for s in systems], axis=1),
        np.stack([s.long_run for s in systems], axis=1),
        np.stack([s.own for s in systems], axis=1),
        Without(*(np.stack(x, axis=1) for x in zip(*(s.without for s in systems), strict=True))),
        np.array([[max(s.freedom, 1)] for s in systems], np.float64),
        tuple(s.reason for s in systems),
    )
    return draws, systems


def default_block(n_rows: int) -> int:
    """Rows of a bootstrap block, T^(1/4)."""
    return max(1, round(math.sqrt(math.sqrt(n_rows))))


def _correlation(table: FloatArray) -> FloatArray:
    unit = table / np.linalg.norm(table, axis=0)
    correlation: FloatArray = unit.T @ unit
    return correlation


def _moments(X: FloatArray, at_block: IntArray, weights: FloatArray) -> FloatArray:
    """Cross-moments of the rows of X ``(1 + n_draws + n_blocks, d, d)``.

    First weighted by block, as ``weights`` ``(1 + n_draws, n_blocks)``, then without each block.
    """
    d, starts = X.shape[1], np.flatnonzero(np.diff(at_block, prepend=-1))
    n_fits, n_blocks = weights.shape
    kept, w = at_block[starts], weights[:, at_block[starts]]
    S = np.empty((n_fits + n_blocks, d, d))
    for i in range(d):  # a row at a time: all products at once would fill the memory
        parts = np.add.reduceat(X[:, i : i + 1] * X[:, i:], starts, axis=0)
        S[:n_fits, i, i:] = w @ parts
        S[n_fits:, i, i:] = S[0, i, i:]
        S[n_fits + kept, i, i:] -= parts
        S[:, i:, i] = S[:, i, i:]
    return S


def _stretched(draws: FloatArray, by: float) -> FloatArray:
    stretched: FloatArray = draws[0] + by * (draws - draws[0])
    return stretched
