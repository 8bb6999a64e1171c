r"""A vector autoregression from its second moments: coefficients, residual covariance, responses.

    x_t = m + A_1 x_{t-1} + ... + A_p x_{t-p} + e_t,    cov(e) = Sigma,
    Psi_0 = I,  Psi_h = sum_{j <= min(h, p)} A_j Psi_{h-j},

with z_t = (x_t, x_{t-1}, ..., x_{t-p}). All that least squares needs is the sum of the rows z_t and
of their products, so rows join and leave a window, or are drawn again in blocks, by adding those.
Columns are brought to mean 0 and variance 1 first: products of raw returns lose their digits, and
the answer must not depend on units.

Lutkepohl (2005), New Introduction to Multiple Time Series Analysis, 2.1.2 and 3.2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from eventtape.arrays import FloatArray
from eventtape.errors import InputError

__all__ = [
    "Moments",
    "Var",
    "checked_lags",
    "checked_panel",
    "fit_var",
    "lagged",
    "moments",
    "responses",
    "standardised",
]

_RANK = 1e-8  # a residual variance this part of its column's: the column is the others again


class Moments(NamedTuple):
    """Number of rows, sum of rows ``(d,)`` and of their products ``(d, d)``; d = n (p + 1)."""

    n_rows: float
    total: FloatArray
    products: FloatArray


class Var(NamedTuple):
    """``coefficients[j]`` is A_{j+1}, ``(p, n, n)``; residual covariance ``(n, n)``, unbiased."""

    coefficients: FloatArray
    covariance: FloatArray


def checked_panel(values: FloatArray, *, what: str = "returns", columns: int = 2) -> FloatArray:
    """The panel as ``(T, n)`` floats once every value is finite and there are enough columns."""
    x = np.ascontiguousarray(values, np.float64)
    if x.ndim != 2 or x.shape[1] < columns or x.shape[0] < 2:
        raise InputError(f"{what} of shape (T, n), T >= 2, n >= {columns}", met=x.shape)
    finite = np.isfinite(x)
    if not finite.all():
        row, column = (int(i) for i in np.argwhere(~finite)[0])
        raise InputError(
            "a finite value", met=float(x[row, column]), row=row + 1, column=str(column)
        )
    return x


def checked_lags(lags: int) -> int:
    """The number of lags once it is a whole number of at least 1."""
    if not (lags >= 1 and int(lags) == lags):
        raise InputError("a whole number of lags >= 1", met=lags)
    return int(lags)


def standardised(x: FloatArray) -> FloatArray | None:
    """Columns with mean 0 and variance 1, ``(T, n)``; None where a column does not move."""
    mean = x.mean(axis=0)
    centred: FloatArray = x - mean
    sd = np.sqrt(np.einsum("ij,ij->j", centred, centred) / x.shape[0])
    if np.any(sd <= 1e-10 * np.hypot(mean, sd)):
        return None
    centred /= sd
    return centred


def lagged(x: FloatArray, p: int) -> FloatArray:
    """Rows (x_t, x_{t-1}, ..., x_{t-p}) for t = p..T-1, ``(T - p, n (p + 1))``."""
    return np.concatenate([x[p - j : x.shape[0] - j] for j in range(p + 1)], axis=1)


def moments(z: FloatArray) -> Moments:
    """The sums of these rows ``(rows, d)``."""
    return Moments(float(z.shape[0]), z.sum(axis=0), z.T @ z)


def fit_var(m: Moments, n: int, p: int) -> Var | None:
    """Least squares with a constant; None where a column is a combination of the others."""
    mean = m.total / m.n_rows
    C = m.products / m.n_rows - mean[:, None] * mean
    factor, failed = dpotrf(C[n:, n:], lower=1)
    if failed or np.any(np.diag(factor) ** 2 <= _RANK * np.diag(C)[n:]):
        return None
    beta, _ = dpotrs(factor, C[n:, :n], lower=1)
    sigma = C[:n, :n] - C[:n, n:] @ beta
    sigma *= 0.5 * m.n_rows / (m.n_rows - n * p - 1.0)
    sigma = sigma + sigma.T
    root, failed = dpotrf(sigma, lower=1)
    if failed or np.any(np.diag(root) ** 2 <= _RANK * np.diag(sigma)):
        return None
    return Var(np.ascontiguousarray(beta.T.reshape(n, p, n).transpose(1, 0, 2)), sigma)


def responses(coefficients: FloatArray, horizon: int) -> FloatArray:
    """Psi_0 .. Psi_{H-1}, ``(H, n, n)``: entry i, j is what i does h steps after a move of j."""
    p, n, _ = coefficients.shape
    psi = np.zeros((horizon, n, n))
    psi[0] = np.eye(n)
    for h in range(1, horizon):
        for j in range(min(h, p)):
            psi[h] += coefficients[j] @ psi[h - 1 - j]
    return psi
