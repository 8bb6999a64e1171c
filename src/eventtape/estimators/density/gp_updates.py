r"""A dense smile kept current: each change of the quotes made in the factor, n^2 in place of n^3.

The state holds C = U' U, the covariance of the quotes (:mod:`.gp_state`). At held hyper-parameters

- a quote's price alone changes the weights, two triangular solves;
- its variance or lean changes row and column i of C: column i of U above the pivot is solved again,
  and the block below takes the old row in (rank-1 update) and the new one out (downdate);
- a strike added is one more column of U; a strike gone gives its row back to the block below it;
- the forward moves every k, so u, the mean's columns and C change, and with them every v that a
  price implies: made again from C, as a refit. The plain prior knows differences of log-strikes
  only: there C stays where the noise does;
- time that passes alone changes nothing: a price implies v = sigma sqrt(tau), whatever tau is.
  Only what divides by tau moves. New prices are quotes changed; where v_0 should follow, refit.

A downdate can fail where a refit does not. Each kernel says so, each answer is checked
(:func:`.gp_state.solved`), and a doubtful factor is made again from C: ``updates`` is then 0. So a
smile is a refit's to the last bit or so; its errors are to about 1e-9 of v_0 where quotes are known
to 1e-5 of v_0 or worse, and lose digits in proportion below (as a refit's own do).

Functions are pure: state in, state out. Reference: Golub and Van Loan (2013), Matrix Computations,
6.5.4 and 12.5 (mixed downdating).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.density.gp_state import (
    GPSmile,
    made_state,
    quotes_covariance,
    solved,
)

__all__ = ["forward_moved", "quotes_changed", "strike_added", "strike_gone", "time_passed"]

_MANY = 80  # a refit of n quotes costs as much as about 2 + n / 80 rows replaced
_LOST = 1e-10  # share of a pivot's square that a downdate must leave


def quotes_changed(
    state: GPSmile,
    rows: ArrayLike,
    *,
    total_vols: ArrayLike | None = None,
    variances: ArrayLike | None = None,
    leans: ArrayLike | None = None,
) -> GPSmile:
    """The state with quotes ``rows`` ``(m,)`` moved or of other size; what is not given stays.

    InputError for a row that is not there or comes twice, values not finite, a volatility or
    variance not above 0.
    """
    at = _rows(rows, state.total_vols.size)
    v = _changed("total_vols", state.total_vols, at, total_vols, positive=True)
    R = _changed("variances", state.variances, at, variances, positive=True)
    z = _changed("leans", state.leans, at, leans, positive=False)
    new = state._replace(total_vols=v, variances=R, leans=z)
    noisy = (R[at] != state.variances[at]) | (z[at] != state.leans[at])
    moved = at[noisy]
    if not moved.size:
        return solved(new) or _again(new)
    if moved.size > 2 + state.total_vols.size // _MANY:
        return _again(new)
    C, U = state.covariance.copy(), state.factor.copy()
    z, R = state.leans.copy(), state.variances.copy()
    for i in moved.tolist():  # one at a time: each matrix on the way is a covariance
        z[i], R[i] = new.leans[i], new.variances[i]
        row = quotes_covariance(state.forward, state.hyper, state.strikes, z, R, row=i)
        C[i] = C[:, i] = row
        if not replace_row(U, row, i):
            return _again(new)
    out = solved(new._replace(covariance=C, factor=U, updates=state.updates + 1))
    return out or _again(new)


def strike_added(
    state: GPSmile, strike: float, total_vol: float, variance: float, *, lean: float = 0.0
) -> GPSmile:
    """The state with one more quote, its last row. InputError as for a fit."""
    given = {"strike": strike, "total_vol": total_vol, "variance": variance}
    for name, value in given.items():
        if not 0.0 < value < math.inf:
            raise InputError("a finite value above 0", met=value, column=name)
    if not math.isfinite(lean):
        raise InputError("a finite value", met=lean, column="lean")
    new = state._replace(
        strikes=np.append(state.strikes, strike),
        total_vols=np.append(state.total_vols, total_vol),
        leans=np.append(state.leans, lean),
        variances=np.append(state.variances, variance),
    )
    n = state.total_vols.size
    row = quotes_covariance(
        state.forward, state.hyper, new.strikes, new.leans, new.variances, row=n
    )
    C, U = np.empty((n + 1, n + 1)), np.zeros((n + 1, n + 1))
    C[:n, :n], C[n], C[:, n], U[:n, :n] = state.covariance, row, row, state.factor
    if not replace_row(U, row, n):
        return _again(new)
    return solved(new._replace(covariance=C, factor=U, updates=state.updates + 1)) or _again(new)


def strike_gone(state: GPSmile, row: int) -> GPSmile:
    """The state without quote ``row``; later rows move up. InputError for the last quote left."""
    n = state.total_vols.size
    if n == 1:
        raise InputError("a quote to remain", met="the last one removed")
    i = int(_rows([row], n)[0])
    new = state._replace(
        strikes=np.delete(state.strikes, i),
        total_vols=np.delete(state.total_vols, i),
        leans=np.delete(state.leans, i),
        variances=np.delete(state.variances, i),
    )
    C = np.delete(np.delete(state.covariance, i, 0), i, 1)
    U = without_row(state.factor, i)
    return solved(new._replace(covariance=C, factor=U, updates=state.updates + 1)) or _again(new)


def forward_moved(
    state: GPSmile,
    forward: float,
    total_vols: ArrayLike,
    variances: ArrayLike,
    *,
    leans: ArrayLike | None = None,
    forward_error: float | None = None,
) -> GPSmile:
    """The state at another forward, with what the quotes imply there, ``(n,)`` each.

    Volatilities are implied at a forward, so they come anew with it (leans that are not given stay,
    as does the forward's error). A strike may cross the forward. InputError as for a fit.
    """
    if not 0.0 < forward < math.inf:
        raise InputError("a finite value above 0", met=forward, column="forward")
    error = state.forward_error if forward_error is None else float(forward_error)
    if not 0.0 <= error < math.inf:
        raise InputError("a finite value of 0 or more", met=error, column="forward_error")
    every = np.arange(state.total_vols.size)
    new = state._replace(
        forward=float(forward),
        forward_error=error,
        total_vols=_changed("total_vols", state.total_vols, every, total_vols, positive=True),
        variances=_changed("variances", state.variances, every, variances, positive=True),
        leans=_changed("leans", state.leans, every, leans, positive=False),
    )
    if state.hyper.house or state.hyper.lean_variance > 0.0:
        return _again(new)
    if not np.array_equal(new.variances, state.variances):
        return _again(new)
    return solved(new) or _again(new)


def time_passed(state: GPSmile, tau: float) -> GPSmile:
    """The state with ``tau`` years left, prices as they were: total volatilities stand."""
    if not 0.0 < tau < math.inf:
        raise InputError("a finite value above 0", met=tau, column="tau")
    return state._replace(tau=float(tau))


def _again(s: GPSmile) -> GPSmile:
    return made_state(
        s.forward,
        s.forward_error,
        s.tau,
        s.hyper,
        s.strikes,
        s.total_vols,
        s.leans,
        s.variances,
    )


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def rank_one(U: FloatArray, w: FloatArray, start: int, sign: float) -> bool:
    """Make U' U of rows from ``start`` on gain ``sign`` w w', in place; False if it cannot.

    ``w`` ``(n,)`` is used up.
    """
    n = w.size
    for k in range(start, n):
        old = U[k, k]
        square = old * old + sign * w[k] * w[k]
        if not square > _LOST * old * old:
            return False
        new = math.sqrt(square)
        c, s = new / old, sign * w[k] / old
        turn = w[k] / old
        U[k, k] = new
        for j in range(k + 1, n):
            U[k, j] = (U[k, j] + s * w[j]) / c
            w[j] = c * w[j] - turn * U[k, j]
    return True


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def replace_row(U: FloatArray, row: FloatArray, i: int) -> bool:
    """Make U' U have ``row`` ``(n,)`` as its row and column i, in place; False if it cannot.

    With i = n - 1 this is a quote appended, whatever stood there.
    """
    n = row.size
    rest = row.copy()
    pivot = row[i]
    for b in range(i):
        x = rest[b] / U[b, b]
        for a in range(b + 1, n):
            rest[a] -= U[b, a] * x
        U[b, i] = x
        pivot -= x * x
    if not pivot > 0.0:
        return False
    pivot = math.sqrt(pivot)
    before, after = np.empty(n), np.empty(n)
    for j in range(i + 1, n):
        before[j], after[j] = U[i, j], rest[j] / pivot
        U[i, j] = after[j]
    U[i, i] = pivot
    return rank_one(U, before, i + 1, 1.0) and rank_one(U, after, i + 1, -1.0)


@njit(cache=True, error_model="numpy")
def without_row(U: FloatArray, i: int) -> FloatArray:
    """The factor of U' U without row and column i, ``(n - 1, n - 1)``."""
    n = U.shape[0]
    out = np.zeros((n - 1, n - 1))
    back = np.zeros(n - 1)
    for a in range(n):
        if a == i:
            for j in range(i + 1, n):
                back[j - 1] = U[i, j]
        else:
            at = a if a < i else a - 1
            for j in range(a, n):
                if j != i:
                    out[at, j if j < i else j - 1] = U[a, j]
    rank_one(out, back, i, 1.0)
    return out


def _rows(rows: ArrayLike, n: int) -> IntArray:
    at = np.atleast_1d(np.asarray(rows))
    if at.ndim != 1 or at.dtype.kind not in "iu":
        raise InputError("whole row numbers", met=str(at.dtype), column="rows")
    if np.unique(at).size != at.size or not np.all((at >= 0) & (at < n)):
        raise InputError(f"different rows from 0 to {n - 1}", met=at.tolist(), column="rows")
    return at.astype(np.int64)


def _changed(
    name: str, old: FloatArray, at: IntArray, values: ArrayLike | None, *, positive: bool
) -> FloatArray:
    if values is None:
        return old
    x = np.atleast_1d(np.asarray(values, np.float64))
    if x.shape != at.shape:
        raise InputError(f"an array of shape ({at.size},)", met=x.shape, column=name)
    bad = np.flatnonzero(~(np.isfinite(x) & ((x > 0.0) | (not positive))))
    if bad.size:
        wanted = "a finite value above 0" if positive else "a finite value"
        raise InputError(wanted, met=float(x[bad[0]]), row=int(bad[0]) + 1, column=name)
    out = old.copy()
    out[at] = x
    return out
