r"""What is the probability behind a noisy, irregular quote, and when is a move news?

Local level on the times at hand (Harvey 1989, ch. 2; Durbin and Koopman 2012, ch. 2)::

    p(t_i) = p(t_{i-1}) + w_i,   w_i ~ N(0, Q (t_i - t_{i-1}))      Q in variance per second
    y_i    = p(t_i) + v_i,       v_i ~ N(0, R)                       R >= tick^2 / 12

so that the filter is, with P the variance of p before the quote::

    S = P + R,   K = P / S,   z = (y - m) / sqrt(S),   m += K (y - m),   P = R P / S.

The first quote starts it (m = y, P = R: a diffuse prior), so it has no innovation. Q and R are by
maximum likelihood: for a given ratio q = Q/R the likelihood is maximised by R = mean(v^2 / S at
R=1), which leaves one bounded search over log q; where that R falls below the floor, R is the floor
and the search runs over Q. The floor is the variance of rounding to a tick: no quote can be known
better than its grid.

The regime of a move is the size of its normalised innovation: above 2 shock, above 1 moderate, else
baseline. Under a right model a shock is met by chance in 4.6% of quotes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.optimize import minimize_scalar

from eventtape.arrays import FloatArray, IntArray, Status
from eventtape.errors import InputError

__all__ = [
    "REGIMES",
    "Filtered",
    "LevelFit",
    "LevelState",
    "Quote",
    "advance",
    "batch",
    "fit",
    "log_likelihood",
    "regimes",
    "start",
    "step",
]

REGIMES = ("unknown", "baseline", "moderate", "shock")
_LOG_2PI = math.log(2.0 * math.pi)
_LOG_RATIO = (-25.0, 12.0)  # log(Q dt/R) at the mean time between quotes: all noise to all signal


class LevelState(NamedTuple):
    """Where the filter stands: time (ns), mean and variance of p, and the model's Q and R."""

    ts: IntArray  # (1,)
    mean: FloatArray  # (1,)
    variance: FloatArray  # (1,)
    q: float  # variance per second
    r: float  # variance


class Quote(NamedTuple):
    """What the filter says on one quote: mean, its standard deviation, innovation and its z."""

    mean: float
    sd: float
    innovation: float
    z: float


class Filtered(NamedTuple):
    """The filter over a history, arrays of shape ``(n,)``; the first innovation is NaN."""

    mean: FloatArray
    sd: FloatArray
    innovation: FloatArray
    z: FloatArray
    log_likelihood: float


class LevelFit(NamedTuple):
    """Maximum-likelihood Q (variance per second), R (variance), and whether they were found."""

    q: float
    r: float
    log_likelihood: float
    at_floor: bool  # R is the tick floor
    status: Status


@njit(cache=True)
def _gain(P: float, dt: float, q: float, r: float) -> tuple[float, float, float]:
    """K, the variance after the quote, and S: they depend on times alone, never on the quotes."""
    P = P + q * dt
    S = P + r
    if S == 0.0:
        return 0.0, 0.0, 0.0
    return P / S, r * P / S, S


@njit(cache=True)
def _run(
    before: int,
    m: float,
    P: float,
    ts: IntArray,
    y: FloatArray,
    q: float,
    r: float,
    mean: FloatArray,
    sd: FloatArray,
    innovation: FloatArray,
    z: FloatArray,
) -> tuple[float, float]:
    """On from mean ``m`` and variance ``P`` at ``before``; the variance at the end, the sum."""
    P_before, dt_before = -1.0, -1.0
    K, after, S, root_after, root_S, log_S = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    total = 0.0
    for i in range(y.shape[0]):
        dt = (ts[i] - before) * 1e-9
        before = ts[i]
        if dt != dt_before or P_before != P:  # else the steady state: the same numbers again
            K, after, S = _gain(P, dt, q, r)
            root_after, root_S = math.sqrt(after), math.sqrt(S)
            log_S = math.log(S) if S > 0.0 else np.nan
            P_before, dt_before = P, dt
        v = y[i] - m
        m = m + K * v
        P = after
        mean[i], sd[i], innovation[i] = m, root_after, v
        z[i] = v / root_S if S > 0.0 else np.nan
        total -= 0.5 * (_LOG_2PI + log_S + z[i] * z[i])
    return P, total


@njit(cache=True)
def _sums(ts: IntArray, y: FloatArray, q: float, r: float) -> tuple[float, float]:
    """Sum of log S and of v^2/S: all the likelihood needs."""
    m, P, P_before, dt_before = y[0], r, -1.0, -1.0
    K, after, S, log_S = 0.0, 0.0, 0.0, 0.0
    logs, squares = 0.0, 0.0
    for i in range(1, y.shape[0]):
        dt = (ts[i] - ts[i - 1]) * 1e-9
        if dt != dt_before or P_before != P:
            K, after, S = _gain(P, dt, q, r)
            log_S = math.log(S) if S > 0.0 else np.nan
            P_before, dt_before = P, dt
        v = y[i] - m
        m = m + K * v
        P = after
        logs += log_S
        squares += v * v / S if S > 0.0 else np.nan
    return logs, squares


def start(ts: int, y: float, *, q: float, r: float) -> tuple[LevelState, Quote]:
    """The state after the first quote ``y`` at ``ts`` (ns), and what the filter says of it."""
    _check_parameters(q, r)
    _check_quote(y)
    state = LevelState(np.array([ts]), np.array([float(y)]), np.array([float(r)]), q, r)
    return state, Quote(float(y), math.sqrt(r), math.nan, math.nan)


def step(state: LevelState, ts: int, y: float) -> tuple[LevelState, Quote]:
    """The state and answer after one more quote: :func:`batch`, one row at a time, bit for bit."""
    dt = (ts - int(state.ts[0])) * 1e-9
    if dt < 0.0:
        raise InputError("a time not before the last quote", met=ts, column="ts")
    _check_quote(y)
    K, P, S = _gain(state.variance[0], dt, state.q, state.r)
    v = y - state.mean[0]
    m = state.mean[0] + K * v
    z = v / math.sqrt(S) if S > 0.0 else math.nan
    after = LevelState(np.array([ts]), np.array([m]), np.array([P]), state.q, state.r)
    return after, Quote(float(m), math.sqrt(P), float(v), float(z))


def batch(ts: IntArray, y: FloatArray, *, q: float, r: float) -> Filtered:
    """Filtered mean and normalised innovations of quotes ``y`` at times ``ts`` (ns), given Q and R.

    ``ts`` and ``y`` have shape ``(n,)``, ``ts`` not falling, ``y`` finite. ``q`` is variance per
    second, ``r`` variance; both in the square of y's unit.
    """
    ts, y = _check(ts, y)
    _check_parameters(q, r)
    out = np.empty((4, y.shape[0]))
    out[:, 0] = y[0], math.sqrt(r), math.nan, math.nan
    first = int(ts[0]), float(y[0]), float(r)
    _, total = _run(*first, ts[1:], y[1:], float(q), float(r), *out[:, 1:])
    return Filtered(out[0], out[1], out[2], out[3], float(total))


def advance(state: LevelState, ts: IntArray, y: FloatArray) -> tuple[LevelState, Filtered]:
    """The state after more quotes ``y`` at ``ts`` ``(n,)``, n >= 1, and the filter over them.

    :func:`batch` in pieces, bit for bit, from a state of :func:`start`; ``log_likelihood`` is the
    piece's own. The first of ``ts`` is not before the state's time. Q and R are the state's: one
    with others (``state._replace(q=..., r=...)``) goes on from where the level is believed to be.
    """
    ts, y = _check(ts, y)
    if ts[0] < state.ts[0]:
        raise InputError("a time not before the last quote", met=int(ts[0]), row=1, column="ts")
    out = np.empty((4, y.shape[0]))
    at = int(state.ts[0]), float(state.mean[0]), float(state.variance[0])
    P, total = _run(*at, ts, y, float(state.q), float(state.r), *out)
    after = LevelState(ts[-1:].copy(), out[0, -1:].copy(), np.array([P]), state.q, state.r)
    return after, Filtered(out[0], out[1], out[2], out[3], float(total))


def log_likelihood(ts: IntArray, y: FloatArray, *, q: float, r: float) -> float:
    """Gaussian log-likelihood of all quotes but the first, which a diffuse prior spends."""
    ts, y = _check(ts, y)
    _check_parameters(q, r)
    logs, squares = _sums(ts, y, q, r)
    return float(-0.5 * ((y.shape[0] - 1) * _LOG_2PI + logs + squares))


def fit(ts: IntArray, y: FloatArray, *, tick: float = 0.0) -> LevelFit:
    """Maximum-likelihood Q and R >= tick^2/12 of quotes ``y`` at times ``ts`` (ns).

    Fewer than 10 quotes, quotes all at one time, or quotes that never move with no tick to bound
    their noise, give NaN and a status. ``tick`` is the price grid in y's unit.
    """
    ts, y = _check(ts, y)
    floor = tick * tick / 12.0
    n = y.shape[0] - 1
    if n < 9:
        return LevelFit(math.nan, math.nan, math.nan, False, Status.TOO_FEW)
    mean_dt = (ts[-1] - ts[0]) * 1e-9 / n
    if mean_dt == 0.0:
        return LevelFit(math.nan, math.nan, math.nan, False, Status.NOT_IDENTIFIED)
    if not np.any(y != y[0]):
        if floor == 0.0:
            return LevelFit(math.nan, math.nan, math.nan, False, Status.NOT_IDENTIFIED)
        return LevelFit(0.0, floor, log_likelihood(ts, y, q=0.0, r=floor), True, Status.OK)

    def profile(log_ratio: float) -> float:
        logs, squares = _sums(ts, y, math.exp(log_ratio) / mean_dt, 1.0)
        return float(logs + n * math.log(squares / n))

    best = _bracketed(profile)
    q = math.exp(best) / mean_dt
    r = _sums(ts, y, q, 1.0)[1] / n
    q *= r
    at_floor = r < floor
    if at_floor:
        r = floor

        def given_floor(log_ratio: float) -> float:
            return float(sum(_sums(ts, y, math.exp(log_ratio) * floor / mean_dt, floor)))

        best = _bracketed(given_floor)
        q = math.exp(best) * floor / mean_dt
    if best >= _LOG_RATIO[1] - 1e-3:  # no noise at all and no floor to say how little there is
        return LevelFit(math.nan, math.nan, math.nan, at_floor, Status.NOT_IDENTIFIED)
    if best <= _LOG_RATIO[0] + 1e-3:
        q = 0.0
    return LevelFit(q, r, log_likelihood(ts, y, q=q, r=r), at_floor, Status.OK)


def _bracketed(objective: Callable[[float], float]) -> float:
    """The minimiser over log(Q/R): a coarse scan, then Brent around its best point."""
    grid = np.linspace(*_LOG_RATIO, 38)
    values = np.array([objective(point) for point in grid])
    at = int(np.argmin(values))
    low, high = grid[max(at - 1, 0)], grid[min(at + 1, grid.size - 1)]
    found = minimize_scalar(
        objective, bounds=(low, high), method="bounded", options={"xatol": 1e-7}
    )
    return float(found.x if found.fun <= values[at] else grid[at])


def regimes(z: FloatArray, *, moderate: float = 1.0, shock: float = 2.0) -> IntArray:
    """The index into :data:`REGIMES` of each normalised innovation; NaN is ``unknown``."""
    size = np.abs(z)
    known = 1 + (size > moderate).astype(np.int64) + (size > shock).astype(np.int64)
    return np.where(np.isnan(size), 0, known)


def _check(ts: IntArray, y: FloatArray) -> tuple[IntArray, FloatArray]:
    ts, y = np.ascontiguousarray(ts, np.int64), np.ascontiguousarray(y, np.float64)
    if ts.ndim != 1 or ts.shape != y.shape or ts.size == 0:
        raise InputError("times and quotes of one shape (n,), n >= 1", met=(ts.shape, y.shape))
    bad = np.flatnonzero(~np.isfinite(y))
    if bad.size:
        raise InputError("a finite quote", met=float(y[bad[0]]), row=int(bad[0]) + 1)
    late = np.flatnonzero(np.diff(ts) < 0)
    if late.size:
        raise InputError("times that do not fall", met=int(ts[late[0] + 1]), row=int(late[0]) + 2)
    return ts, y


def _check_quote(y: float) -> None:
    if not math.isfinite(y):
        raise InputError("a finite quote", met=y)


def _check_parameters(q: float, r: float) -> None:
    if not (math.isfinite(q) and q >= 0.0):
        raise InputError("a variance per second Q >= 0", met=q)
    if not (math.isfinite(r) and r >= 0.0):
        raise InputError("a noise variance R >= 0", met=r)
