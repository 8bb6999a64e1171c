"""How far would each measure have come out elsewhere? Blocks of rows drawn again, for all pairs.

Blocks of neighbouring rows get independent exponential weights (the Bayesian bootstrap of Rubin
1981), the same for every pair, so that a draw is one weighted sum of the blocks' cross products and
then each pair's algebra. The relation is held at its estimate, which converges at rate T. The
spread is multiplied by B / (B - regressors) over B blocks, for the leverage of a fit that follows
its own rows. Measures in the order of the kernel's table: angle, CS, PDS, middle IS.
"""

from __future__ import annotations

import numpy as np

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.discovery.pair_kernel import COLUMNS, redraw
from eventtape.estimators.discovery.pair_rows import PairRows

__all__ = ["block_count", "spreads"]

_MOST_BLOCKS = 400
_CHUNK = 64


def block_count(panel: PairRows, block: int | None) -> int:
    """Blocks of ``block`` rows, by default of the fourth root of the rows; at most 400."""
    rows = panel.z.shape[0]
    if block is not None and block < 1:
        raise InputError("at least 1 row in a block", met=block)
    size = max(round(rows**0.25), 1) if block is None else block
    return int(max(min(rows // size, _MOST_BLOCKS), 1))


def spreads(
    panel: PairRows,
    first: IntArray,
    second: IntArray,
    out: FloatArray,
    n_blocks: int,
    n_draws: int,
    seed: int,
) -> FloatArray:
    """Standard errors of the four measures of each pair kept, ``(m, 4)``."""
    if first.size == 0:
        return np.empty((0, 4))
    columns = np.unique(np.r_[first, second])
    packed = _packed(panel, columns, n_blocks)
    at = np.searchsorted(columns, np.stack([first, second]))
    centre = np.ascontiguousarray(out[:, COLUMNS.index("angle") : COLUMNS.index("is_first")])
    beta = np.ascontiguousarray(out[:, COLUMNS.index("beta")])
    found = np.zeros((first.size, 3, 4))
    rng = np.random.default_rng(seed)
    for begin in range(0, n_draws, _CHUNK):
        weights = rng.standard_exponential((min(_CHUNK, n_draws - begin), n_blocks))
        redraw(weights @ packed, columns.size, panel.lags, at[0], at[1], beta, centre, found)
    count, total, square = found[:, 0], found[:, 1], found[:, 2]
    variance = np.maximum(square / count - (total / count) ** 2, 0.0)
    return np.asarray(np.sqrt(variance) * n_blocks / (n_blocks - panel.regressors))


def _packed(panel: PairRows, columns: IntArray, n_blocks: int) -> FloatArray:
    """Cross products of (z_t, 1) in each block, lower triangles packed, ``(n_blocks, size)``."""
    wide = (np.arange(2 + panel.lags)[:, None] * panel.n + columns).ravel()
    rows = panel.z.shape[0]
    z = np.column_stack([panel.z[:, wide], np.ones(rows)])
    low = np.tril_indices(z.shape[1])
    edges = np.linspace(0, rows, n_blocks + 1).astype(np.int64)
    out = np.empty((n_blocks, low[0].size))
    for b in range(n_blocks):
        part = z[edges[b] : edges[b + 1]]
        out[b] = (part.T @ part)[low]
    return out
