"""The same statistic when volatility moves, and moves for all at once: an election night.

The law of ``rank_law`` is that of steps of one size. Let ten independent walks be louder together
for an hour: their levels then differ mostly by that hour's steps, the past level explains them in
the sample, and Johansen's statistic finds a relation in two of three pairs at 5%. So each pair that
passes the first law meets a second (a wild bootstrap: Cavaliere, Rahbek and Taylor 2010): its own
differences, freed of their own lags, get a random sign a row, the same for both, are summed to
levels and tested again. That keeps the size of every step and how sizes move together, and breaks
what a relation needs: that a step answers where the levels stood.

:data:`DRAWS` draws; beyond their 90% point the tail is exponential with the mean excess there.
"""

from __future__ import annotations

import numpy as np

from eventtape.arrays import FloatArray, IntArray
from eventtape.estimators.discovery.pair_kernel import COLUMNS, solve_pairs
from eventtape.estimators.discovery.pair_rows import PairRows
from eventtape.estimators.discovery.rank_law import tail

__all__ = ["DRAWS", "sign_p_values"]

DRAWS = 299
_BEYOND = 10  # one draw in this many is where the tail begins


def sign_p_values(
    panel: PairRows, first: IntArray, second: IntArray, trace: FloatArray, seed: int
) -> FloatArray:
    """p-value of no relation for trace statistics of pairs ``(m,)``, from signs of their rows."""
    if first.size == 0:
        return np.empty(0)
    columns = np.unique(np.r_[first, second])
    at = np.searchsorted(columns, np.stack([first, second]))
    e = _without_own_lags(panel, columns)
    rows, n = e.shape
    rng = np.random.default_rng(seed)
    z, out = np.empty((rows, 2 * n)), np.empty((first.size, len(COLUMNS)))
    drawn = np.empty((first.size, DRAWS))
    for b in range(DRAWS):
        np.multiply(e, rng.choice((-1.0, 1.0), size=(rows, 1)), out=z[:, :n])
        z[0, n:] = 0.0
        np.cumsum(z[:-1, :n], axis=0, out=z[1:, n:])
        z -= z.mean(axis=0)
        solve_pairs(z.T @ z, n, 0, float(rows), at[0], at[1], out)
        drawn[:, b] = -rows * (np.log1p(-out[:, 0]) + np.log1p(-out[:, 1]))
    # k lags of two series cost 2 k rows, as in rank_law
    law = np.sort(drawn, axis=1) * (rows / (rows - 2.0 * panel.lags))
    return np.array([tail(one, t, _BEYOND) for one, t in zip(law, trace, strict=True)])


def _without_own_lags(panel: PairRows, columns: IntArray) -> FloatArray:
    """Differences ``(rows, n)`` less what a constant and each series' own lags make of them."""
    z, n = panel.z, panel.n
    out = np.empty((z.shape[0], columns.size))
    for p, c in enumerate(columns):
        past = [z[:, (2 + j) * n + c] for j in range(panel.lags)]
        q, _ = np.linalg.qr(np.column_stack([np.ones(z.shape[0]), *past]))
        out[:, p] = z[:, c] - q @ (q.T @ z[:, c])
    return out
