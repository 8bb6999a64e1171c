"""Two prices and one common trend, in closed form from a panel's moments: the compiled part.

The panel's row is z_t = (dX_t, X_{t-1}, dX_{t-1}, ..., dX_{t-k}), n columns each, and M its centred
cross products. A pair's Johansen problem is a corner of M: four series with 2k lags partialled out,
so its two roots are those of a quadratic and nothing is iterated. See ``pairs`` for the statistics.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, IntArray

__all__ = ["COLUMNS", "centred", "choose_lags", "null_law", "redraw", "solve_pairs"]

COLUMNS = (
    "root_first",
    "root_second",
    "alone_first",  # canonical r2 of X_i alone with both differences
    "alone_second",
    "beta",
    "alpha_first",
    "alpha_second",
    "scale",  # (a_perp' Gamma(1) b_perp)^-1, a_perp = (a_2, -a_1), b_perp = (b, 1)
    "omega_first",
    "omega_cross",
    "omega_second",
    "angle",  # of the two leadership speeds, (L_i, L_j): PILS_i = sin2
    "component",  # of the first, as are the rest
    "pds",
    "is_middle",
    "is_first",
    "is_last",
)


@njit(cache=True, error_model="numpy")
def _factor(a: FloatArray, size: int) -> bool:
    """Cholesky of the leading block in place (lower); False where it is not positive definite."""
    for i in range(size):
        floor = 1e-12 * a[i, i]
        for j in range(i + 1):
            s = a[i, j]
            for m in range(j):
                s -= a[i, m] * a[j, m]
            if i == j:
                if not s > floor:
                    return False
                a[i, i] = math.sqrt(s)
            else:
                a[i, j] = s / a[j, j]
    return True


@njit(cache=True, error_model="numpy")
def _solve(a: FloatArray, b: FloatArray, size: int, width: int) -> None:
    """The factored system solved for each of ``width`` columns of ``b``, in place."""
    for c in range(width):
        for i in range(size):
            s = b[i, c]
            for m in range(i):
                s -= a[i, m] * b[m, c]
            b[i, c] = s / a[i, i]
        for i in range(size - 1, -1, -1):
            s = b[i, c]
            for m in range(i + 1, size):
                s -= a[m, i] * b[m, c]
            b[i, c] = s / a[i, i]


@njit(cache=True, error_model="numpy")
def _column(n: int, i: int, j: int, p: int) -> int:
    """Column of the panel that holds the pair's p-th: differences, levels, then lag by lag."""
    return (p // 2) * n + (i if p % 2 == 0 else j)


@njit(cache=True, error_model="numpy")
def _corner(
    M: FloatArray, n: int, k: int, i: int, j: int, a: FloatArray, b: FloatArray, s: FloatArray
) -> bool:
    """Differences and levels of the pair with its lags partialled out, into ``s`` (lower).

    ``b[:, :4]`` then holds the coefficients of the four series on the lags. False: lags collinear.
    """
    m = 2 * k
    for p in range(4):
        cp = _column(n, i, j, p)
        for q in range(p + 1):
            s[p, q] = M[cp, _column(n, i, j, q)]
        for q in range(m):
            b[q, p] = M[_column(n, i, j, 4 + q), cp]
            b[q, 4 + p] = b[q, p]
    for p in range(m):
        cp = _column(n, i, j, 4 + p)
        for q in range(p + 1):
            a[p, q] = M[cp, _column(n, i, j, 4 + q)]
    if not _factor(a, m):
        return False
    _solve(a, b, m, 4)
    for p in range(4):
        for q in range(p + 1):
            for r in range(m):
                s[p, q] -= b[r, p] * b[r, 4 + q]
    return True


@njit(cache=True, error_model="numpy")
def _pair(
    M: FloatArray,
    n: int,
    k: int,
    rows: float,
    i: int,
    j: int,
    a: FloatArray,
    b: FloatArray,
    s: FloatArray,
    out: FloatArray,
) -> bool:
    """One pair's statistics into ``out``; False (and NaN) where a matrix has not full rank."""
    for c in range(out.shape[0]):
        out[c] = math.nan
    if not _corner(M, n, k, i, j, a, b, s):
        return False
    d0, d1, d01 = s[0, 0], s[1, 1], s[1, 0]
    l0, l1, l01 = s[2, 2], s[3, 3], s[3, 2]
    det_d, det_l = d0 * d1 - d01 * d01, l0 * l1 - l01 * l01
    if not (det_d > 1e-12 * d0 * d1 and det_l > 1e-12 * l0 * l1):
        return False
    # C = S10 S00^-1 S01, the levels' part that the differences explain
    u0, v0, u1, v1 = s[2, 0], s[2, 1], s[3, 0], s[3, 1]
    c00 = (d1 * u0 * u0 - 2.0 * d01 * u0 * v0 + d0 * v0 * v0) / det_d
    c11 = (d1 * u1 * u1 - 2.0 * d01 * u1 * v1 + d0 * v1 * v1) / det_d
    c01 = (d1 * u0 * u1 - d01 * (u0 * v1 + v0 * u1) + d0 * v0 * v1) / det_d
    trace = (c00 * l1 - 2.0 * c01 * l01 + c11 * l0) / det_l
    det = (c00 * c11 - c01 * c01) / det_l
    half = 0.5 * trace
    wide = math.sqrt(max(half * half - det, 0.0))
    top = half + wide
    if not top < 1.0 - 1e-12:  # a difference is known from the rows before it: Omega is singular
        return False
    out[0] = top
    out[1] = det / top if top > 0.0 else 0.0
    out[2] = c00 / l0
    out[3] = c11 / l1
    # (C - top S11) v = 0, from the row that is further from zero
    e00, e01, e11 = c00 - top * l0, c01 - top * l01, c11 - top * l1
    if abs(e00) * l1 > abs(e11) * l0:
        w0, w1 = -e01, e00
    else:
        w0, w1 = e11, -e01
    beta = -w1 / w0
    out[4] = beta
    _adjust(s, b, 2 * k, beta, rows, out)
    return True


@njit(cache=True, error_model="numpy")
def _adjust(
    s: FloatArray, b: FloatArray, m: int, beta: float, rows: float, out: FloatArray
) -> None:
    """alpha, the trend's scale and Omega for a given relation X_i - beta X_j."""
    spread = s[2, 2] - 2.0 * beta * s[3, 2] + beta * beta * s[3, 3]
    a0 = (s[2, 0] - beta * s[3, 0]) / spread
    a1 = (s[2, 1] - beta * s[3, 1]) / spread
    # row sums of the lag coefficients: Gamma(1) = I - sum G
    g00, g01, g10, g11 = 1.0, 0.0, 0.0, 1.0
    for r in range(m):
        on_spread = b[r, 2] - beta * b[r, 3]
        to0, to1 = b[r, 0] - a0 * on_spread, b[r, 1] - a1 * on_spread
        if r % 2 == 0:
            g00 -= to0
            g10 -= to1
        else:
            g01 -= to0
            g11 -= to1
    out[5], out[6] = a0, a1
    out[7] = 1.0 / (a1 * (g00 * beta + g01) - a0 * (g10 * beta + g11))
    out[8] = (s[0, 0] - a0 * a0 * spread) / rows
    out[9] = (s[1, 0] - a0 * a1 * spread) / rows
    out[10] = (s[1, 1] - a1 * a1 * spread) / rows
    _measures(beta, a0, a1, out[8], out[9], out[10], out[11:])


@njit(cache=True, error_model="numpy")
def solve_pairs(
    M: FloatArray,
    n: int,
    k: int,
    rows: float,
    first: IntArray,
    second: IntArray,
    out: FloatArray,
) -> None:
    """``out[p]`` is the row of COLUMNS of pair p; NaN where a matrix has not full rank."""
    size = max(2 * k, 1)
    a, b, s = np.empty((size, size)), np.empty((size, 8)), np.empty((4, 4))
    for p in range(first.shape[0]):
        _pair(M, n, k, rows, first[p], second[p], a, b, s, out[p])


@njit(cache=True, error_model="numpy")
def centred(upper: FloatArray, size: int, out: FloatArray) -> None:
    """Lower triangle of the products about their means, from sums that end with the constant's.

    ``upper`` is the upper triangle of the sums, its column ``size`` the sums of the series.
    """
    rows = upper[size, size]
    for p in range(size):
        mean = upper[p, size] / rows
        for q in range(p + 1):
            out[p, q] = upper[q, p] - mean * upper[q, size]


@njit(cache=True, error_model="numpy")
def _at(r: int, c: int) -> int:
    """Place of (r, c) in a packed lower triangle."""
    if r < c:
        r, c = c, r
    return r * (r + 1) // 2 + c


@njit(cache=True, error_model="numpy")
def _measures(
    beta: float, a0: float, a1: float, w0: float, w01: float, w1: float, out: FloatArray
) -> None:
    """Angle of the two leadership speeds, and the first series' CS, PDS and mid IS."""
    c0, c1 = w0 * a1 - w01 * a0, w01 * a1 - w1 * a0
    v = a1 * c0 - a0 * c1
    out[0] = math.atan2(c0 / beta, c1)
    # in the common price: psi = (a_2, -a_1 beta) once the second is put in units of the first
    out[1] = a1 / (a1 - a0 / beta)
    out[2] = a1 * c0 / v
    lone = w0 - w01 * w01 / w1
    ahead, behind = c0 * c0 / (w0 * v), a1 * a1 * lone / v
    out[3] = 0.5 * (ahead + behind)
    out[4], out[5] = ahead, behind


@njit(cache=True, nogil=True, error_model="numpy")
def redraw(
    sums: FloatArray,
    n: int,
    k: int,
    first: IntArray,
    second: IntArray,
    beta: FloatArray,
    centre: FloatArray,
    moments: FloatArray,
) -> None:
    """Add to ``moments[p, :, m]`` the count, sum and squares of each measure's deviation.

    ``sums[w]`` packs the lower triangle of the cross products of (z_t, 1) under reweighting w of
    the rows, ``centre[p]`` holds the estimates. The relation is held at its own, which converges at
    rate T; everything else is estimated again.
    """
    width, size = (2 + k) * n, 2 * k + 1
    base = width * (width + 1) // 2
    a, b, gain = np.empty((size, size)), np.empty((size, 2)), np.empty((size, 2))
    at, found = np.empty(size, np.int64), np.empty(6)
    for w in range(sums.shape[0]):
        S = sums[w]
        total = S[base + width]
        for p in range(first.shape[0]):
            i, j, slope = first[p], second[p], beta[p]
            li, lj = n + i, n + j
            mi, mj = S[base + i] / total, S[base + j] / total
            ms = (S[base + li] - slope * S[base + lj]) / total
            a[0, 0] = (
                S[_at(li, li)]
                - 2.0 * slope * S[_at(li, lj)]
                + slope * slope * S[_at(lj, lj)]
                - total * ms * ms
            )
            b[0, 0] = S[_at(li, i)] - slope * S[_at(lj, i)] - total * ms * mi
            b[0, 1] = S[_at(li, j)] - slope * S[_at(lj, j)] - total * ms * mj
            for q in range(1, size):
                c = (2 + (q - 1) // 2) * n + (i if q % 2 == 1 else j)
                at[q] = c
                mean = S[base + c] / total
                a[q, 0] = S[_at(c, li)] - slope * S[_at(c, lj)] - total * mean * ms
                for r in range(1, q + 1):
                    a[q, r] = S[_at(c, at[r])] - mean * S[base + at[r]]
                b[q, 0] = S[_at(c, i)] - total * mean * mi
                b[q, 1] = S[_at(c, j)] - total * mean * mj
            for q in range(size):
                gain[q, 0], gain[q, 1] = b[q, 0], b[q, 1]
            if not _factor(a, size):
                continue
            _solve(a, b, size, 2)
            w0 = S[_at(i, i)] - total * mi * mi
            w1 = S[_at(j, j)] - total * mj * mj
            w01 = S[_at(i, j)] - total * mi * mj
            for q in range(size):
                w0 -= b[q, 0] * gain[q, 0]
                w1 -= b[q, 1] * gain[q, 1]
                w01 -= b[q, 0] * gain[q, 1]
            _measures(slope, b[0, 0], b[0, 1], w0, w01, w1, found)
            for m in range(4):
                d = found[m] - centre[p, m]
                if m == 0:  # an angle: the short way round
                    d -= 2.0 * math.pi * math.floor(d / (2.0 * math.pi) + 0.5)
                moments[p, 0, m] += 1.0
                moments[p, 1, m] += d
                moments[p, 2, m] += d * d


@njit(cache=True, error_model="numpy")
def choose_lags(
    M: FloatArray, n: int, most: int, rows: float, first: IntArray, second: IntArray, out: IntArray
) -> None:
    """``out[p]``: lags of least AIC among 0..most for the pair's VAR with its levels free, else -1.

    One triangular factor serves every order, since each only adds rows to it.
    """
    size = 2 + 2 * most
    a, y = np.empty((size, size)), np.empty((size, 2))
    for p in range(first.shape[0]):
        i, j = first[p], second[p]
        for q in range(size):
            cq = _column(n, i, j, 2 + q)
            for r in range(q + 1):
                a[q, r] = M[cq, _column(n, i, j, 2 + r)]
            y[q, 0], y[q, 1] = M[cq, i], M[cq, j]
        w = (M[i, i], M[j, j], M[i, j])
        out[p] = _least_aic(a, y, size, w, rows) if _factor(a, size) else -1


@njit(cache=True, error_model="numpy")
def _least_aic(
    a: FloatArray, y: FloatArray, size: int, w: tuple[float, float, float], rows: float
) -> int:
    """Order of least AIC from a factor of the regressors and their products with two responses."""
    w0, w1, w01 = w
    best, order = math.inf, 0
    for q in range(size):
        for c in range(2):
            for r in range(q):
                y[q, c] -= a[q, r] * y[r, c]
            y[q, c] /= a[q, q]
        w0 -= y[q, 0] * y[q, 0]
        w1 -= y[q, 1] * y[q, 1]
        w01 -= y[q, 0] * y[q, 1]
        if q % 2 == 1:
            k = (q - 1) // 2
            value = rows * math.log(w0 * w1 - w01 * w01) + 8.0 * k
            if value < best:
                best, order = value, k
    return order


@njit(cache=True, error_model="numpy")
def null_law(rows: int, rng: np.random.Generator, out: FloatArray) -> None:
    """``out[d]``: -T ln(1 - r) summed over both roots of two independent walks; that of one walk.

    Gaussian steps without drift, ``rows`` of them, a constant and no lags.
    """
    a, b, s = np.empty((1, 1)), np.empty((1, 8)), np.empty((4, 4))
    found = np.empty(17)
    M, mean, z = np.empty((4, 4)), np.empty(4), np.empty(4)
    for d in range(out.shape[0]):
        M[:] = 0.0
        mean[:] = 0.0
        z[:] = 0.0
        for _ in range(rows):
            z[2] += z[0]
            z[3] += z[1]
            z[0], z[1] = rng.standard_normal(), rng.standard_normal()
            for p in range(4):
                mean[p] += z[p]
                for q in range(p + 1):
                    M[p, q] += z[p] * z[q]
        for p in range(4):
            for q in range(p + 1):
                M[p, q] -= mean[p] * mean[q] / rows
        _pair(M, 2, 0, float(rows), 0, 1, a, b, s, found)
        out[d, 0] = -rows * (math.log1p(-found[0]) + math.log1p(-found[1]))
        out[d, 1] = -rows * math.log1p(-M[2, 0] * M[2, 0] / (M[0, 0] * M[2, 2]))
