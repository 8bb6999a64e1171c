r"""All a VECM needs of the prices: sums of products.

With log prices X_t (n,), k lagged differences and S seasons, row t of the regression holds

    z_t = (dX_t, X_{t-1} - o, dX_{t-1}, ..., dX_{t-k}, 1, D_t),     M = sum_t z_t z_t',

D_t being S - 1 seasonal dummies less 1/S each. Every estimate and test of :mod:`.vecm` is a
function of M and the origin o. Log prices of 4.6 with steps of 1e-5 lose no digit in M: differences
of neighbours are exact, and levels enter about o, a price of the sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError

__all__ = ["Moments", "moments", "select"]

_CHUNK = 1 << 14  # rows of z held at once


class Moments(NamedTuple):
    """Sums of products of z_t, the origin of the levels, and what z_t holds."""

    cross: FloatArray  # (m, m), the upper triangle; zero below
    origin: FloatArray  # (n,)
    lags: int
    seasons: int

    @property
    def n_rows(self) -> int:
        """Rows summed: the product of the constant with itself."""
        one = self.origin.size * (self.lags + 2)
        return round(float(self.cross[one, one]))


def moments(
    log_prices: FloatArray,
    lags: int = 1,
    *,
    seasons: int = 0,
    first_season: int = 0,
    origin: FloatArray | None = None,
) -> Moments:
    """Sums of products over the ``T - lags - 1`` rows of ``log_prices`` ``(T, n)``.

    ``seasons`` > 1 adds seasonal dummies, ``first_season`` being that of row 0; ``origin`` ``(n,)``
    is row 0 unless given.

    >>> moments(np.log([[5.0], [6.0], [5.5], [7.0]]), lags=0).n_rows
    3
    """
    x = check_prices(log_prices)
    check_shape(lags, seasons)
    blank = blank_moments(x.shape[1], lags, seasons, x[0] if origin is None else origin)
    cross = np.zeros_like(blank.cross)
    for start in range(lags + 1, x.shape[0], _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, x.shape[0]))
        z = _rows(x, rows, blank, first_season)
        cross += z.T @ z
    return blank._replace(cross=np.triu(cross))


def select(state: Moments, columns: Sequence[int] | IntArray) -> Moments:
    """The moments of some of the series, in the order named: a pair's out of a panel's."""
    n = state.origin.size
    c = check_columns(columns, n)
    kept = [c + n * block for block in range(state.lags + 2)]
    i = np.concatenate([*kept, np.arange(n * (state.lags + 2), state.cross.shape[0])])
    return state._replace(cross=np.triu(full(state.cross)[np.ix_(i, i)]), origin=state.origin[c])


def full(upper: FloatArray) -> FloatArray:
    """The symmetric matrix of which ``upper`` is the upper triangle, zero below."""
    out: FloatArray = upper + upper.T
    np.fill_diagonal(out, upper.diagonal())
    return out


def check_prices(log_prices: FloatArray) -> FloatArray:
    """Finite log prices ``(T, n)``, C ordered; the error names the row and the column."""
    x = np.ascontiguousarray(log_prices, np.float64)
    if x.ndim != 2 or x.shape[0] < 1 or x.shape[1] < 1:
        raise InputError("log prices of shape (n_times, n_series)", met=x.shape)
    bad = np.argwhere(~np.isfinite(x))
    if bad.size:
        row, column = (int(i) for i in bad[0])
        raise InputError(
            "a finite log price", met=float(x[row, column]), row=row + 1, column=str(column)
        )
    return x


def check_columns(columns: Sequence[int] | IntArray, n: int) -> IntArray:
    """Distinct columns of ``n``, at least one."""
    c = np.asarray(columns, np.int64)
    if c.ndim != 1 or not c.size or np.unique(c).size != c.size or c.min() < 0 or c.max() >= n:
        raise InputError(f"distinct columns from 0 to {n - 1}", met=c.tolist())
    return c


def _rows(x: FloatArray, rows: IntArray, shape: Moments, first_season: int) -> FloatArray:
    steps = [x[rows - j] - x[rows - j - 1] for j in range(shape.lags + 1)]
    parts = [steps[0], x[rows - 1] - shape.origin, *steps[1:], np.ones((rows.size, 1))]
    if shape.seasons:
        season = (first_season + rows) % shape.seasons
        dummies = season[:, None] == np.arange(shape.seasons - 1)
        parts.append(dummies - 1.0 / shape.seasons)
    return np.concatenate(parts, axis=1)


def blank_moments(n: int, lags: int, seasons: int, origin: FloatArray) -> Moments:
    """Moments of no rows."""
    o = np.array(origin, np.float64)
    if o.shape != (n,) or not np.isfinite(o).all():
        raise InputError(f"a finite origin of shape ({n},)", met=o.tolist())
    m = n * (lags + 2) + max(seasons, 1)
    return Moments(np.zeros((m, m)), o, lags, seasons)


def same_series(log_prices: FloatArray, state: Moments) -> FloatArray:
    """Log prices of as many series as the moments are of."""
    x = check_prices(log_prices)
    if x.shape[1] != state.origin.size:
        raise InputError(f"{state.origin.size} series as before", met=x.shape[1])
    return x


def check_shape(lags: int, seasons: int) -> None:
    """Raise unless lags and seasons are such as can be."""
    if lags < 0:
        raise InputError("lags >= 0", met=lags)
    if seasons < 0 or seasons == 1:
        raise InputError("0 seasons or at least 2", met=seasons)
