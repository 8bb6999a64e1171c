r"""Is a contract's quoted probability a martingale?

If p_t is the probability of the event given what is known at t, then E(p_{t+s} - p_t | known) = 0
at every horizon: no drift, and no correlation between moves. With d_t = p_{t+1} - p_t over n moves
seen, n_j pairs of them j rows apart,

    VR(k) = 1 + sum_{j<k} 2 (1 - j/k) r_j,             r_j = (n / n_j) sum d_t d_{t-j} / sum d_t^2,
    theta(k) = sum_{j<k} (2 (1 - j/k))^2 (n / n_j)^2 sum d_t^2 d_{t-j}^2 / (sum d_t^2)^2,

Lo and MacKinlay's (1988) ratio, without the mean, which the null says is zero, and its variance
robust to heteroskedasticity. One horizon chosen after the fact proves nothing: the test is joint,
``max_k |VR(k) - 1| / sqrt(theta(k))``, as in Chow and Denning (1993); drift is tested by
``|sum d_t| / sqrt(sum d_t^2)``.

Their law is drawn. Kim's (2006) random signs keep the size of each move; but a bounded p moves less
the nearer it is to 0 or 1, so sizes depend on the path, and with signs alone drift is found in 7 to
10% of martingales at 5%. Here each draw is a new path of a bounded martingale that gets the same
news: in probits u_t the move of row t is ``+-|u_{t+1} - u_t|`` from wherever the new path stands,
up with the probability that makes p a martingale, (p - p_down) / (p_up - p_down). Jumps and quiet
hours stay where they were.

What a rejection means. VR < 1: moves are taken back (quoting noise, bid-ask bounce, too much
reaction). VR > 1: moves continue (a slow or stale quote). Neither says that a trade earns its
costs. Drift is weak evidence: a contract is one path, and moves by less than 1 in all.

The null is about p and no function of it: probit(p) of a martingale drifts away from 0 by
convexity. The probit is the gauge for factor speeds, where moves of one size should be news of one
size; there :func:`probit` is NaN within half a tick of 0 and 1, where a quote cannot be told from
certainty. Clipping would invent moves; NaN costs the rows it touches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import ndtri

from eventtape.arrays import FloatArray, IntArray, Status, check_level
from eventtape.errors import InputError

__all__ = ["Martingale", "martingale", "probit"]

_MIN_CHANGES = 50
_MIN_PER_LAG = 5
_DRAWS_AT_ONCE = 64


class Martingale(NamedTuple):
    """Drift and variance ratios of a probability, and how surprising they are in a martingale."""

    drift: float  # mean change of p a row
    drift_p: float
    lags: IntArray  # (n_lags,)
    variance_ratio: FloatArray  # (n_lags,) 1 in a martingale
    null_lower: FloatArray  # (n_lags,) a martingale leaves this band, at any lag, in 1 - level
    null_upper: FloatArray
    p_value: float  # of the largest departure over all lags
    n_rows: int  # changes seen
    status: Status


@njit(cache=True)
def _statistics(
    d: FloatArray, seen: FloatArray, lags: IntArray, ratio: FloatArray, root: FloatArray
) -> tuple[float, float]:
    """Fill VR - 1 and sqrt(theta) by lag; largest |VR - 1| / sqrt(theta), and |drift| / sd.

    Both NaN where p never moves, or never twice at some distance asked.
    """
    n, top = d.shape[0], lags[-1]
    total, square, count = 0.0, 0.0, 0.0
    for t in range(n):
        total += d[t]
        square += d[t] * d[t]
        count += seen[t]
    if square == 0.0:
        return math.nan, math.nan
    r, v = np.zeros(top), np.zeros(top)
    for j in range(1, top):
        pairs = 0.0
        for t in range(j, n):
            x = d[t] * d[t - j]
            r[j] += x
            v[j] += x * x
            pairs += seen[t] * seen[t - j]
        scale = count / max(pairs, 1.0) / square
        r[j] *= scale
        v[j] *= scale * scale
    most = 0.0
    for m in range(lags.shape[0]):
        excess, theta = 0.0, 0.0
        for j in range(1, lags[m]):
            w = 2.0 * (1.0 - j / lags[m])
            excess += w * r[j]
            theta += w * w * v[j]
        ratio[m], root[m] = excess, math.sqrt(theta)
        if theta == 0.0:
            return math.nan, math.nan
        most = max(most, abs(excess) / root[m])
    return most, abs(total) / math.sqrt(square)


@njit(cache=True)
def _draw(
    start: float,
    size: FloatArray,
    seen: FloatArray,
    uniform: FloatArray,
    lags: IntArray,
    out: FloatArray,
) -> None:
    """out[b]: both statistics on a path from probit ``start`` by moves of ``size`` probits."""
    n, half = size.shape[0], -math.sqrt(0.5)
    d, ratio, root = np.empty(n), np.empty(lags.shape[0]), np.empty(lags.shape[0])
    for b in range(uniform.shape[0]):
        u = start
        p = 0.5 * math.erfc(half * u)
        for t in range(n):
            d[t] = 0.0
            if size[t] > 0.0:
                up, down = (
                    0.5 * math.erfc(half * (u + size[t])),
                    0.5 * math.erfc(half * (u - size[t])),
                )
                rises = uniform[b, t] * (up - down) < p - down
                u += size[t] if rises else -size[t]
                to = up if rises else down
                d[t], p = to - p, to
        out[b, 0], out[b, 1] = _statistics(d, seen, lags, ratio, root)


def martingale(
    probability: FloatArray,
    lags: Sequence[int] = (2, 5, 10, 30),
    *,
    tick: float = 0.001,
    level: float = 0.95,
    n_draws: int = 999,
    seed: int = 0,
) -> Martingale:
    """Mean change, variance ratios and joint p-value of a probability ``(T,)`` on a regular grid.

    NaN is a time not seen: the changes on both sides of it are left out, those further away keep
    their distance. A p nearer to 0 or 1 than half a ``tick`` counts as half a tick away in the size
    of news. ``too few observations`` under 50 changes or 5 a row of the longest lag;
    ``not identified`` where p never moves, or never at some distance asked.
    """
    check_level(level)
    p = np.ascontiguousarray(probability, np.float64)
    if p.ndim != 1:
        raise InputError("a probability (T,)", met=p.shape)
    _check(p, tick)
    k = np.asarray(lags, np.int64)
    if k.ndim != 1 or k.size == 0 or k[0] < 2 or np.any(np.diff(k) <= 0):
        raise InputError("rising lags of at least 2 rows", met=list(lags))
    if not (1.0 - level) * (n_draws + 1) >= 1.0:
        wanted = f"at least {math.ceil(1.0 / (1.0 - level)) - 1} draws for a level of {level:g}"
        raise InputError(wanted, met=n_draws)
    d = np.diff(p)
    here = np.isfinite(d)
    n = int(here.sum())
    if n < max(_MIN_CHANGES, _MIN_PER_LAG * int(k[-1])):
        return _nothing(k, n, Status.TOO_FEW)
    seen, d = here.astype(np.float64), np.where(here, d, 0.0)
    ratio, root = np.empty(k.size), np.empty(k.size)
    most, drift = _statistics(d, seen, k, ratio, root)
    if math.isnan(most):
        return _nothing(k, n, Status.NOT_IDENTIFIED)
    u = ndtri(np.clip(p, 0.5 * tick, 1.0 - 0.5 * tick))
    size = np.where(here, np.abs(np.diff(u)), 0.0)
    first = float(u[np.argmax(np.isfinite(u))])
    drawn = np.empty((n_draws, 2))
    rng = np.random.default_rng(seed)
    for b in range(0, n_draws, _DRAWS_AT_ONCE):
        part = drawn[b : b + _DRAWS_AT_ONCE]
        _draw(first, size, seen, rng.random((part.shape[0], size.size)), k, part)
    drawn = np.where(np.isnan(drawn), 0.0, drawn)  # a path that never moves departs from nothing
    p_value, drift_p = (
        float(1 + np.sum(drawn[:, i] >= met * (1.0 - 1e-12))) / (n_draws + 1)  # ties, up to order
        for i, met in enumerate((most, drift))
    )
    allowed = max(math.floor((1.0 - level) * (n_draws + 1) + 1e-9), 1)
    reach = float(np.sort(drawn[:, 0])[n_draws - allowed])
    return Martingale(
        float(d.sum()) / n,
        drift_p,
        k,
        1.0 + ratio,
        1.0 - reach * root,
        1.0 + reach * root,
        p_value,
        n,
        Status.OK,
    )


def probit(probability: FloatArray, *, tick: float = 0.001) -> FloatArray:
    """Phi^-1(p), NaN where p is NaN or nearer to 0 or 1 than half a ``tick``.

    >>> probit(np.array([0.5, 0.0004, 1.0]))
    array([ 0., nan, nan])
    """
    p = np.asarray(probability, np.float64)
    _check(p, tick)
    inside = (p >= 0.5 * tick) & (p <= 1.0 - 0.5 * tick)
    u: FloatArray = ndtri(np.where(inside, p, np.nan))
    return u


def _check(p: FloatArray, tick: float) -> None:
    if not 0.0 < tick < 1.0:
        raise InputError("a tick between 0 and 1", met=tick)
    wrong = np.flatnonzero(~np.isnan(p.ravel()) & ~((p.ravel() >= 0.0) & (p.ravel() <= 1.0)))
    if wrong.size:
        t = int(wrong[0])
        raise InputError("a probability in [0, 1], or NaN", met=float(p.ravel()[t]), row=t + 1)


def _nothing(lags: IntArray, n: int, status: Status) -> Martingale:
    nan, blank = math.nan, np.full(lags.size, math.nan)
    return Martingale(nan, nan, lags, blank, blank, blank, nan, n, status)
