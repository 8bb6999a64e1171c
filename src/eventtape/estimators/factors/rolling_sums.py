r"""The sums behind a regression over every window, and its coefficients: kernels of rolling betas.

No row is ever subtracted from a running sum. Time is cut into blocks of W rows, and a window is the
tail of one block plus the head of the next (van Herk 1992; Gil and Werman 1993), each a plain sum::

    S_t = tail[j + 1] + head_j,   tail[j] = sum of the last block's rows from j on,

so a wild row is forgotten to the last bit once it has left, and errors do not grow with the day.
Sums are taken about a point c of the last block, moved once a block. With s the sums of F - c
and M = S_FF - s s'/W, all coefficients are one matrix times the sums of the asset,

    b = M^-1 (S_Fr - s s_r / W),   a = c_r + s_r / W - (c + s / W)' b,

and M^-1 comes from M = L D L', many rows side by side to hide the latency of a division.

There is no fastmath here: the bits do not depend on how the compiler groups rows or assets.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from eventtape.arrays import FloatArray, IntArray

__all__ = ["UNEXPLAINED", "Codes", "advance"]

Codes = NDArray[np.int8]

UNEXPLAINED = 1e-9
"""The least share of a factor's variance that the factors before it may leave unexplained."""

_STILL = 1e-24  # a variance this small beside the level's square is rounding, not a move
_LOST = 1e-12  # share of a difference of sums below which its digits are rounding
_GROUP = 64  # rows solved side by side: enough to hide latencies, few enough for the first cache


@njit(cache=True, error_model="numpy")
def _shift(rows: FloatArray, c: FloatArray) -> None:
    """The middle one of three rows of a block, each column by itself; no wild row moves it far."""
    W = rows.shape[0]
    for i in range(c.shape[0]):
        a, b, d = rows[0, i], rows[W // 2, i], rows[W - 1, i]
        a = c[i] if np.isnan(a) else a
        b = c[i] if np.isnan(b) else b
        d = c[i] if np.isnan(d) else d
        c[i] = max(min(a, b), min(max(a, b), d))


@njit(cache=True, error_model="numpy")
def _close_block(
    x: FloatArray,
    y: FloatArray,
    cx: FloatArray,
    cy: FloatArray,
    tail_x: FloatArray,
    tail_y: FloatArray,
    head_x: FloatArray,
    head_y: FloatArray,
) -> None:
    """Move the shift into this block, sum its tails about it, and empty the heads."""
    (W, K), N = x.shape, y.shape[1]
    _shift(x, cx)
    _shift(y, cy)
    dx, dy = np.empty(K), np.empty(N)
    tail_x[W] = 0.0
    tail_y[W] = 0.0
    for j in range(W - 1, -1, -1):
        for i in range(N):
            d = y[j, i] - cy[i]
            dy[i] = 0.0 if np.isnan(d) else d
            tail_y[j, K, i] = tail_y[j + 1, K, i] + dy[i]
        for k in range(K):
            d = x[j, k] - cx[k]
            dx[k] = 0.0 if np.isnan(d) else d
            tail_x[j, K, k] = tail_x[j + 1, K, k] + dx[k]
            for m in range(k + 1):
                tail_x[j, k, m] = tail_x[j + 1, k, m] + dx[k] * dx[m]
            for i in range(N):
                tail_y[j, k, i] = tail_y[j + 1, k, i] + dx[k] * dy[i]
    head_x[:] = 0.0
    head_y[:] = 0.0


@njit(cache=True, error_model="numpy")
def _design(
    n0: int,
    n: int,
    x: FloatArray,
    cx: FloatArray,
    tail_x: FloatArray,
    head_x: FloatArray,
    bad_x: IntArray,
    M: FloatArray,
    s: FloatArray,
    bad: Codes,
) -> None:
    """Fill s and M about the mean of the n windows that end at rows n0, n0 + 1, ..."""
    W, K = x.shape
    dx = np.empty(K)
    share = 1.0 / W
    for q in range(n):
        j = (n0 + q) % W
        at = j + 1
        for k in range(K):
            d = x[j, k] - cx[k]
            if np.isnan(d):
                d = 0.0
                bad_x[0] = n0 + q
            dx[k] = d
            head_x[K, k] += d
            s[k, q] = tail_x[at, K, k] + head_x[K, k]
            for m in range(k + 1):
                head_x[k, m] += d * dx[m]
                M[k, m, q] = tail_x[at, k, m] + head_x[k, m] - s[k, q] * s[m, q] * share
        bad[q] = 1 if n0 + q - bad_x[0] < W or n0 + q < W - 1 else 0


@njit(cache=True, error_model="numpy")
def _eliminate(
    n: int, W: int, cx: FloatArray, M: FloatArray, s: FloatArray, B: FloatArray, bad: Codes
) -> None:
    """M ``(K, K, n)`` becomes L and, on its diagonal, D^-1 of M = L D L'."""
    K = cx.shape[0]
    least = np.empty(n)
    for k in range(K):
        still = _STILL * W * cx[k] * cx[k]
        for q in range(n):
            lost = _LOST * s[k, q] * s[k, q] / W  # what taking the mean out leaves unknown
            least[q] = max(UNEXPLAINED * M[k, k, q], still, lost)
        for m in range(k):
            B[k, m, :n] = M[k, m, :n]  # B is L D
            for p in range(m):
                for q in range(n):
                    B[k, m, q] -= B[k, p, q] * M[m, p, q]
            for q in range(n):
                M[k, m, q] = B[k, m, q] * M[m, m, q]
                M[k, k, q] -= B[k, m, q] * M[k, m, q]
        for q in range(n):
            if not M[k, k, q] > least[q] and bad[q] == 0:
                bad[q] = 2
            M[k, k, q] = 1.0 / M[k, k, q]


@njit(cache=True, error_model="numpy")
def _invert(n: int, M: FloatArray, B: FloatArray) -> None:
    """B becomes L^-1."""
    K = M.shape[0]
    for k in range(K):
        for m in range(k):
            for q in range(n):
                B[k, m, q] = -M[k, m, q]
            for p in range(m + 1, k):
                for q in range(n):
                    B[k, m, q] -= M[k, p, q] * B[p, m, q]
        B[k, k, :n] = 1.0


@njit(cache=True, error_model="numpy")
def _multiply(n: int, M: FloatArray, B: FloatArray, C: FloatArray) -> None:
    """The upper left of C ``(n, K + 1, K + 1)`` becomes M^-1 = L^-1' D^-1 L^-1."""
    K = M.shape[0]
    a = np.empty(n)
    for k in range(K):
        for m in range(k + 1):
            a[:] = 0.0
            for p in range(k, K):
                for q in range(n):
                    a[q] += B[p, k, q] * M[p, p, q] * B[p, m, q]
            for q in range(n):
                C[q, k, m] = a[q]
                C[q, m, k] = a[q]


@njit(cache=True, error_model="numpy")
def _border(n: int, W: int, cx: FloatArray, s: FloatArray, C: FloatArray) -> None:
    """The last column of C takes the mean out of the return; its last row is the intercept."""
    K = s.shape[0]
    share = 1.0 / W
    for q in range(n):
        for k in range(K):
            d = 0.0
            for m in range(K):
                d -= C[q, k, m] * s[m, q]
            C[q, k, K] = d * share
        for m in range(K + 1):
            d = 0.0
            for k in range(K):
                d -= (cx[k] + s[k, q] * share) * C[q, k, m]
            C[q, K, m] = d
        C[q, K, K] += 1.0 / W


@njit(cache=True, error_model="numpy", inline="always")
def _sums(
    j: int,
    x: FloatArray,
    y: FloatArray,
    cx: FloatArray,
    cy: FloatArray,
    tail_y: FloatArray,
    head_y: FloatArray,
    dy: FloatArray,
    S: FloatArray,
) -> None:
    """Row j joins the head; S is the window's sums of F r, and of r last."""
    K, N = x.shape[1], y.shape[1]
    for i in range(N):
        d = y[j, i] - cy[i]
        dy[i] = 0.0 if np.isnan(d) else d
    for k in range(K + 1):
        d = x[j, k] - cx[k] if k < K else 1.0
        d = 0.0 if np.isnan(d) else d
        for i in range(N):
            h = head_y[k, i] + d * dy[i]
            head_y[k, i] = h
            S[k, i] = tail_y[j + 1, k, i] + h


@njit(cache=True, error_model="numpy", inline="always")
def _coefficients(C: FloatArray, S: FloatArray, cy: FloatArray, out: FloatArray) -> None:
    K1, N = S.shape
    for k in range(K1):
        m = K1 % 3
        if m == 0:
            c, d, e = C[k, 0], C[k, 1], C[k, 2]
            for i in range(N):
                out[k, i] = c * S[0, i] + d * S[1, i] + e * S[2, i]
            m = 3
        elif m == 2:
            c, d = C[k, 0], C[k, 1]
            for i in range(N):
                out[k, i] = c * S[0, i] + d * S[1, i]
        else:
            c = C[k, 0]
            for i in range(N):
                out[k, i] = c * S[0, i]
        while m < K1:
            c, d, e = C[k, m], C[k, m + 1], C[k, m + 2]
            for i in range(N):
                out[k, i] += c * S[m, i] + d * S[m + 1, i] + e * S[m + 2, i]
            m += 3
    for i in range(N):
        out[K1 - 1, i] += cy[i]


@njit(cache=True, error_model="numpy")
def _mark(n: int, row: FloatArray, bad_y: IntArray) -> None:
    for i in range(row.shape[0]):
        if np.isnan(row[i]):
            bad_y[i] = n


@njit(cache=True, error_model="numpy")
def _blank(n: int, W: int, bad_y: IntArray, out: FloatArray, status: Codes) -> None:
    """NaN for the assets with a return missing in the window that ends at row n."""
    for i in range(status.shape[0]):
        if n - bad_y[i] < W:
            status[i] = 1
            out[:, i] = np.nan


@njit(cache=True, error_model="numpy", inline="always")
def _take(
    n0: int,
    factors: FloatArray,
    returns: FloatArray,
    x: FloatArray,
    y: FloatArray,
    bad_y: IntArray,
) -> int:
    """Copy rows into the block; the first row that holds an infinity, else -1."""
    W, N = y.shape
    for q in range(returns.shape[0]):
        j, wild = (n0 + q) % W, 0
        for k in range(x.shape[1]):
            x[j, k] = factors[q, k]
            wild += np.isinf(x[j, k])
        holes = 0
        for i in range(N):
            v = returns[q, i]
            y[j, i] = v
            holes += np.isnan(v - v)
        if holes:
            bad_y[N] = n0 + q
            wild += np.isinf(y[j]).sum()
        if wild:
            return q
    return -1


@njit(cache=True, error_model="numpy")
def advance(
    factors: FloatArray,
    returns: FloatArray,
    rows: IntArray,
    x: FloatArray,
    y: FloatArray,
    cx: FloatArray,
    cy: FloatArray,
    tail_x: FloatArray,
    tail_y: FloatArray,
    head_x: FloatArray,
    head_y: FloatArray,
    bad_x: IntArray,
    bad_y: IntArray,
    out: FloatArray,
    status: Codes,
) -> int:
    """Every row through the window, the state arrays moved on; the row of an infinity, else -1."""
    (W, N), K = y.shape, x.shape[1]
    dy, S = np.empty(N), np.zeros((K + 1, N))
    M, s, B = np.empty((K, K, _GROUP)), np.empty((K, _GROUP)), np.empty((K, K, _GROUP))
    C, bad = np.empty((_GROUP, K + 1, K + 1)), np.empty(_GROUP, np.int8)
    R = np.empty((_GROUP, K + 1, N))
    t = 0
    while t < returns.shape[0]:
        n0 = rows[0]
        n = min(returns.shape[0] - t, W - n0 % W, _GROUP)
        first, ends = n0 < W, n0 % W + n == W
        wild = _take(n0, factors[t : t + n], returns[t : t + n], x, y, bad_y)
        if wild >= 0:
            return t + wild
        _design(n0, n, x, cx, tail_x, head_x, bad_x, M, s, bad)
        if first and ends:  # the first whole window is the first block, from its first row on
            _close_block(x, y, cx, cy, tail_x, tail_y, head_x, head_y)
            s[:, n - 1] = tail_x[0, K]
            M[:, :, n - 1] = tail_x[0, :K] - np.outer(tail_x[0, K], tail_x[0, K]) / W
            S[:] = tail_y[0]
        _eliminate(n, W, cx, M, s, B, bad)
        _invert(n, M, B)
        _multiply(n, M, B, C)
        _border(n, W, cx, s, C)
        for q in range(n):
            j = (n0 + q) % W
            if not first:
                _sums(j, x, y, cx, cy, tail_y, head_y, dy, S)
            if n0 + q <= bad_y[N]:
                _mark(n0 + q, y[j], bad_y)
            status[t + q] = bad[q]
            if bad[q]:
                R[q] = np.nan
                continue
            _coefficients(C[q], S, cy, R[q])
            if n0 + q - bad_y[N] < W:
                _blank(n0 + q, W, bad_y, R[q], status[t + q])
        out[t : t + n] = R[:n]
        if ends and not first:
            _close_block(x, y, cx, cy, tail_x, tail_y, head_x, head_y)
        rows[0] = n0 + n
        t += n
    return -1
