"""The Hoffmann-Rosenbaum-Yoshida contrast at many lags, by a merge without branches.

C(theta) = sum_i dX_i D_i(theta), D_i the difference of Y over the J_j that meet I_i - theta. Which
two values of Y those are takes a rank: how many ticks of Y lie before each tick of X moved by the
lag. About 3.5 ns a tick a lag (benchmarks/bench_lead_lag.py), ranks and sum together.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from eventtape.arrays import FloatArray, IntArray

__all__ = ["FOUR", "fold"]

FOUR = 4  # lags are folded four at a time


@njit(cache=True)
def _ranks(tx: IntArray, ty: IntArray, lags: IntArray, at: int, ranks: NDArray[np.uint32]) -> None:
    """ranks[c, i]: how many ``ty`` lie before ``tx[i] + lags[at + c]``; both end in a sentinel.

    A step of a merge moves one of two pointers by a comparison, never by a branch, which would be
    guessed wrong every other tick. Four merges side by side hide the wait of each for its own load.
    """
    lag0, lag1, lag2, lag3 = lags[at], lags[at + 1], lags[at + 2], lags[at + 3]
    j0, j1, j2, j3 = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
    for step in range(np.uint64(tx.shape[0] + ty.shape[0] - 2)):
        i0, i1, i2, i3 = step - j0, step - j1, step - j2, step - j3
        ranks[0, i0], ranks[1, i1], ranks[2, i2], ranks[3, i3] = j0, j1, j2, j3
        j0 += np.uint64(ty[j0] < tx[i0] + lag0)
        j1 += np.uint64(ty[j1] < tx[i1] + lag1)
        j2 += np.uint64(ty[j2] < tx[i2] + lag2)
        j3 += np.uint64(ty[j3] < tx[i3] + lag3)


@njit(cache=True)
def fold(
    tx: IntArray,
    dx: FloatArray,
    ty: IntArray,
    y: FloatArray,
    lags: IntArray,
    ranks: NDArray[np.uint32],
    out: FloatArray,
) -> None:
    """out[k, b]: the part of C(lags[k]) that comes from block b of consecutive I_i.

    I_i spans from the last Y at or before its begin, or the first Y, to the first at or after its
    end, or the last: ``y`` has its ends twice, and where I_i meets no J_j the two are one.
    """
    n, n_blocks, one = dx.shape[0], out.shape[1], np.uint64(1)
    for k in range(lags.shape[0]):
        if k % FOUR == 0:
            _ranks(tx, ty, lags, k, ranks)
        rank = ranks[k % FOUR]
        j = np.uint64(rank[0])
        low = y[j + np.uint64(ty[j] == tx[0] + lags[k])]
        for b in range(n_blocks):
            total = 0.0
            for i in range((b * n + n_blocks - 1) // n_blocks, ((b + 1) * n - 1) // n_blocks + 1):
                j = np.uint64(rank[i + 1])
                total += dx[i] * (y[j + one] - low)
                low = y[j + np.uint64(ty[j] == tx[i + 1] + lags[k])]
            out[k, b] = total
