"""Small dense algebra of the premium: Householder, a tridiagonal elimination, a normal equation.

Loops, not LAPACK: the matrices have as many rows as there are expiries, and a call costs more than
the work.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray

__all__ = ["eliminate", "inverse_parts", "solve", "tridiagonal"]


@njit(cache=True, error_model="numpy")
def tridiagonal(K: FloatArray, R: FloatArray, Q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The two diagonals of T in K = Q T Q' (Householder); K is used up.

    ``K`` is symmetric ``(n, n)``; ``R`` ``(n, m)`` becomes Q'R and ``Q`` ``(n, n)`` is filled. The
    second diagonal begins with a 0 of no meaning.
    """
    n = K.shape[0]
    v, w = np.empty(n), np.empty(n)
    Q[:] = 0.0
    for i in range(n):
        Q[i, i] = 1.0
    for k in range(n - 2):
        if _reflector(K, k, v):
            _reflect_both_sides(K, k, v, w)
            _reflect(R, k, v)
            _reflect(Q.T, k, v)
    d, e = np.empty(n), np.zeros(n)
    for i in range(n):
        d[i] = K[i, i]
        if i > 0:
            e[i] = K[i, i - 1]
    return d, e


@njit(cache=True, error_model="numpy")
def _reflector(K: FloatArray, k: int, v: FloatArray) -> bool:
    """Fill the unit vector whose reflection clears column k below the second diagonal."""
    n = K.shape[0]
    length = 0.0
    for i in range(k + 1, n):
        length += K[i, k] * K[i, k]
    if length == 0.0:
        return False
    v[k + 1] = K[k + 1, k] + math.copysign(math.sqrt(length), K[k + 1, k])
    norm = v[k + 1] * v[k + 1]
    for i in range(k + 2, n):
        v[i] = K[i, k]
        norm += v[i] * v[i]
    norm = 1.0 / math.sqrt(norm)
    for i in range(k + 1, n):
        v[i] *= norm
    return True


@njit(cache=True, error_model="numpy")
def _reflect_both_sides(K: FloatArray, k: int, v: FloatArray, w: FloatArray) -> None:
    n = K.shape[0]
    inner = 0.0
    for i in range(k, n):
        w[i] = 0.0
        for j in range(k + 1, n):
            w[i] += K[i, j] * v[j]
        if i > k:
            inner += w[i] * v[i]
    for i in range(k + 1, n):
        K[i, k] -= 2.0 * v[i] * w[k]
        K[k, i] = K[i, k]
        w[i] -= inner * v[i]
    for i in range(k + 1, n):
        for j in range(k + 1, n):
            K[i, j] -= 2.0 * (v[i] * w[j] + w[i] * v[j])


@njit(cache=True, error_model="numpy")
def _reflect(R: FloatArray, k: int, v: FloatArray) -> None:
    for c in range(R.shape[1]):
        inner = 0.0
        for i in range(k + 1, v.size):
            inner += v[i] * R[i, c]
        for i in range(k + 1, v.size):
            R[i, c] -= 2.0 * inner * v[i]


@njit(cache=True, error_model="numpy")
def eliminate(
    d: FloatArray, e: FloatArray, r: float, R: FloatArray, D: FloatArray, F: FloatArray
) -> float:
    """log|I + rT| of I + rT = L diag(D) L'; ``D`` ``(n,)`` and ``F`` = L^-1 R are filled."""
    logs = 0.0
    for i in range(d.size):
        step = r * e[i] / D[i - 1] if i > 0 else 0.0
        D[i] = 1.0 + r * d[i] - step * r * e[i]
        logs += math.log(D[i])
        for c in range(R.shape[1]):
            F[i, c] = R[i, c] - (step * F[i - 1, c] if i > 0 else 0.0)
    return logs


@njit(cache=True, error_model="numpy")
def inverse_parts(
    parts: tuple[FloatArray, FloatArray, float],
    Q: FloatArray,
    D: FloatArray,
    F: FloatArray,
    own: FloatArray,
    H: FloatArray,
) -> None:
    """Fill the diagonal of V^-1 = Q (I + rT)^-1 Q' and H = V^-1 (Q R), expiries in their order.

    ``parts`` are d, e and r; ``D`` and ``F`` those of :func:`eliminate`.
    """
    d, e, r = parts
    n = d.size
    U = np.zeros(n)
    before = np.zeros(n)
    own[:] = 0.0
    H[:] = 0.0
    for i in range(n):
        step = r * e[i] / D[i - 1] if i > 0 else 0.0
        for j in range(n):
            U[j] = Q[j, i] - step * before[j]
            before[j] = U[j]
            s = U[j] / D[i]
            own[j] += s * U[j]
            for c in range(H.shape[1]):
                H[j, c] += s * F[i, c]


@njit(cache=True, error_model="numpy")
def solve(G: FloatArray, right: FloatArray, b: FloatArray, inverse: FloatArray) -> float:
    """log|G|, NaN where G is not positive; b = G^-1 right and the inverse are filled.

    ``G`` ``(p, p)`` becomes its Cholesky factor, below the diagonal.
    """
    p = right.size
    logs = 0.0
    for j in range(p):
        for k in range(j):
            G[j, j] -= G[j, k] * G[j, k]
        if not G[j, j] > 0.0:
            return math.nan
        G[j, j] = math.sqrt(G[j, j])
        logs += 2.0 * math.log(G[j, j])
        for i in range(j + 1, p):
            for k in range(j):
                G[i, j] -= G[i, k] * G[j, k]
            G[i, j] /= G[j, j]
    for c in range(p):
        _solve_column(G, c, inverse)
    for i in range(p):
        b[i] = 0.0
        for k in range(p):
            b[i] += inverse[i, k] * right[k]
    return logs


@njit(cache=True, error_model="numpy")
def _solve_column(factor: FloatArray, c: int, inverse: FloatArray) -> None:
    p = factor.shape[0]
    for i in range(p):
        s = 1.0 if i == c else 0.0
        for k in range(i):
            s -= factor[i, k] * inverse[k, c]
        inverse[i, c] = s / factor[i, i]
    for i in range(p - 1, -1, -1):
        s = inverse[i, c]
        for k in range(i + 1, p):
            s -= factor[k, i] * inverse[k, c]
        inverse[i, c] = s / factor[i, i]
