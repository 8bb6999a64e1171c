r"""Which of two asynchronous series moves first, by how long, and can these data tell?

Hoffmann, Rosenbaum and Yoshida (2013) shift one series against the other and take the
Hayashi-Yoshida covariance at each shift, on the ticks as they came::

    C(theta) = sum_ij dX_i dY_j 1{I_i meets J_j - theta},   lag = argmax |C|,
    LLR      = sum_{theta > 0} C^2 / sum_{theta < 0} C^2.

A positive lag, and LLR > 1, say that X leads. Because the increments of Y over the J_j that meet an
I_i telescope, C(theta) = sum_i dX_i D_i(theta) with D_i one difference of Y: a merge, O(n_x + n_y)
a lag, at any real lag.

The interval. C(theta) is a sum over the intervals of the coarser series, so it can be drawn again
by giving each term (or each of 500 consecutive blocks of terms) an independent exponential weight,
the Bayesian bootstrap; the interval is the central part of the argmax over draws, on a grid
refined to a tenth, and a fortieth next to the peak. Measured coverage: docs, validation.

On regular clocks C is flat over whole steps. Series of one clock, k steps apart, have plateaus of
one expected height on either side of k, and chance makes one the higher: a neighbour less than two
standard errors lower (of the difference, over the blocks) is part of the top. The lag is the middle
of the top, so it need not be on the grid, and the interval takes all of it. Data on a clock tell a
lag to half a step.

A likelihood built from C alone covers far less: it ignores that the peak is flat over the finer
series' own spacing.

Is there a link at all? Under none the signs of the blocks are exchangeable: the largest size of C
over all lags is compared with its law under random signs (a wild bootstrap that keeps every size
and time). Without a link at the stated level there is no lag, no leader and no interval.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, IntArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import float_array, whole_array
from eventtape.estimators.discovery.lead_lag_kernel import FOUR, fold

__all__ = ["LeadLag", "contrasts", "lead_lag"]


_BLOCKS = 500
_NEVER = int(np.iinfo(np.int64).max)  # a time after all others
_LOST = 0.9  # a lag drawn at random from the grid would have a central 95% of .95 of it
_TIED = 2.0  # standard errors
_REFINED = ((10, 6), (40, 1))  # sub-steps of the grid, and how many steps from the peak they reach


class LeadLag(NamedTuple):
    """The lag of Y behind X, its interval, and the contrast at every lag searched.

    - ``lag_s``: seconds, positive where X leads; the middle of the peak, not always on the grid.
    - ``lower``, ``upper``: its interval, seconds. Beside an ``OK`` it ends inside the grid: where
      one would be an end of the grid, the status is ``NO_CONVERGENCE`` and all three are NaN.
    - ``ratio``: LLR, the sum of squared contrasts at lags above 0 over that below 0. Above 1 speaks
      for X; it has no interval, and X and Y exchanged give one over it.
    - ``p_value``: of no link at any lag searched.
    - ``status``: the fate of lag, interval and ratio, which are NaN unless it is ``OK``.
    - ``lags_s``: ``(n_lags,)`` the grid, seconds.
    - ``contrast``: ``(n_lags,)`` covariance of the increments at each lag, in the product of the
      units; kept whatever the status, but for too few ticks.
    - ``null_band``: size of contrast that no link exceeds anywhere on the grid, at that level.
    """

    lag_s: float
    lower: float
    upper: float
    ratio: float
    p_value: float
    status: Status
    lags_s: FloatArray
    contrast: FloatArray
    null_band: float


def contrasts(
    tx: IntArray, x: FloatArray, ty: IntArray, y: FloatArray, lags: IntArray
) -> FloatArray:
    """Hayashi-Yoshida covariance of X and Y at each lag (ns), shape ``(n_lags,)``.

    ``tx``, ``ty`` are rising times in ns, ``x``, ``y`` levels (log prices, probabilities); a lag
    pairs X at t with Y at t + lag. Any spacing, any real lag, O(n_x + n_y) each.
    """
    tx, x = _check(tx, x, "x")
    ty, y = _check(ty, y, "y")
    return _folded(tx, x, ty, y, _check_lags(lags), 1)[:, 0]


def lead_lag(
    tx: IntArray,
    x: FloatArray,
    ty: IntArray,
    y: FloatArray,
    lags: IntArray,
    *,
    level: float = 0.95,
    n_draws: int = 499,
    seed: int = 0,
) -> LeadLag:
    """The lag of Y behind X in seconds, with interval, LLR and status, from ticks as they came.

    ``lags`` (ns) is the grid searched, rising; LLR uses those on either side of 0. Statuses: ``too
    few observations`` under 30 increments on a side; ``not identified`` where no link is found at
    ``1 - level``, or where the interval takes nine tenths of the grid; ``no convergence`` where the
    interval reaches an end of the grid, or the lag comes within the coarser series' spacing of it:
    the truth may lie beyond. Then lag, interval and LLR are NaN.
    """
    check_level(level)
    tx, x = _check(tx, x, "x")
    ty, y = _check(ty, y, "y")
    lags = _check_lags(lags)
    if not (1.0 - level) * (n_draws + 1) >= 1.0:
        wanted = f"at least {math.ceil(1.0 / (1.0 - level)) - 1} draws for a level of {level:g}"
        raise InputError(wanted, met=n_draws)
    if lags.size < 3 or np.any(np.diff(lags) <= 0):
        raise InputError("at least 3 rising lags in ns", met=lags.tolist()[:5])
    shortest = min(int(np.diff(t).min()) for t in (tx, ty))
    if lags[-1] - lags[0] < shortest // 1000:  # lags in seconds, taken for ns
        wanted = "lags in ns (1 s is 10**9) that span a thousandth of the shortest gap"
        raise InputError(wanted, met=int(lags[-1] - lags[0]), column="lags")
    if tx.size < 31 or ty.size < 31:
        blank = np.full(lags.size, math.nan)
        return _nothing(Status.TOO_FEW, math.nan, _seconds(lags), blank, math.nan)
    parts = _parts(tx, x, ty, y, lags)
    contrast = parts.sum(axis=1)
    rng = np.random.default_rng(seed)
    signs = rng.choice(np.array([-1.0, 1.0]), size=(parts.shape[1], n_draws))
    null = np.abs(parts @ signs).max(axis=0)
    peak = float(np.abs(contrast).max())
    p_value = (1 + int(np.sum(null >= peak))) / (n_draws + 1)
    # p <= 1 - level exactly where the peak leaves this band: the same draws counted once
    allowed = math.floor((1.0 - level) * (n_draws + 1) + 1e-9) - 1
    band = float(np.sort(null)[n_draws - 1 - allowed]) if 0 <= allowed < n_draws else math.inf
    if not p_value <= 1.0 - level:
        return _nothing(Status.NOT_IDENTIFIED, p_value, _seconds(lags), contrast, band)
    fine = _refined(lags, int(np.argmax(np.abs(contrast))))
    parts = _parts(tx, x, ty, y, fine)
    weights = rng.standard_exponential(size=(parts.shape[1], n_draws))
    first, last = _flat_top(np.abs(parts @ weights))
    lower = float(np.quantile(_seconds(fine)[first], 0.5 * (1.0 - level)))
    upper = float(np.quantile(_seconds(fine)[last], 0.5 * (1.0 + level)))
    top = _seconds(fine)[_tied_top(parts, fine, tx, ty)]
    lower, upper = min(lower, float(top[0])), max(upper, float(top[1]))
    if upper - lower >= _LOST * (lags[-1] - lags[0]) * 1e-9:
        return _nothing(Status.NOT_IDENTIFIED, p_value, _seconds(lags), contrast, band)
    at = 0.5 * (top[0] + top[1])
    # The peak is as wide as the coarser spacing: nearer the end than that, it may lie beyond
    room = _seconds(lags)[[0, -1]] + np.array([1.0, -1.0]) * _spacing_s(tx, ty)
    if not (room[0] < at < room[1] and _seconds(lags)[0] < lower and upper < _seconds(lags)[-1]):
        return _nothing(Status.NO_CONVERGENCE, p_value, _seconds(lags), contrast, band)
    ahead, behind = np.sum(contrast[lags > 0] ** 2), np.sum(contrast[lags < 0] ** 2)
    ratio = float(ahead / behind) if behind > 0.0 else math.nan
    return LeadLag(
        float(at),
        float(lower),
        float(upper),
        ratio,
        p_value,
        Status.OK,
        _seconds(lags),
        contrast,
        band,
    )


def _nothing(
    status: Status, p_value: float, lags: FloatArray, contrast: FloatArray, band: float
) -> LeadLag:
    nan = math.nan
    return LeadLag(nan, nan, nan, nan, p_value, status, lags, contrast, band)


def _parts(tx: IntArray, x: FloatArray, ty: IntArray, y: FloatArray, lags: IntArray) -> FloatArray:
    """C at each lag split over blocks of time, ``(n_lags, n_blocks)``.

    The series with fewer ticks gives the I_i, so that neighbouring terms share little of the other.
    """
    mine, other = (tx.size, tx.tobytes(), x.tobytes()), (ty.size, ty.tobytes(), y.tobytes())
    swap = mine > other  # by what they hold, never by which was named first
    n_blocks = min(min(tx.size, ty.size) - 1, _BLOCKS)
    if swap:
        return _folded(ty, y, tx, x, -lags, n_blocks)
    return _folded(tx, x, ty, y, lags, n_blocks)


def _folded(
    tx: IntArray, x: FloatArray, ty: IntArray, y: FloatArray, lags: IntArray, n_blocks: int
) -> FloatArray:
    """C at each lag by blocks of the I_i of X as named, ``(n_lags, n_blocks)``."""
    if lags.size == 0:
        return np.empty((0, n_blocks))
    low, high = int(lags.min()), int(lags.max())
    end = max(int(tx[-1]), int(ty[-1]) - low) + 1  # after every Y whatever the lag
    if int(tx[0]) + low < -_NEVER or end + max(high, 0) >= _NEVER:
        raise InputError("times and lags that add up within 64 bits of ns", met=(low, high))
    fours = np.resize(lags, -(-lags.size // FOUR) * FOUR)
    out = np.empty((fours.size, n_blocks))
    ranks = np.empty((FOUR, tx.size + 1), np.uint32)
    twice = np.concatenate([y[:1], y, y[-1:]])
    fold(np.append(tx, end), np.diff(x), np.append(ty, _NEVER), twice, fours, ranks, out)
    return out[: lags.size]


def _spacing_s(tx: IntArray, ty: IntArray) -> float:
    """Mean time between ticks of the coarser series, seconds."""
    return max(float(t[-1] - t[0]) / (t.size - 1) for t in (tx, ty)) * 1e-9


def _flat_top(size: FloatArray) -> tuple[IntArray, IntArray]:
    """First and last lag of the highest plateau of each column ``(n_lags, n_draws)``.

    C is flat between the lags at which a tick of one series meets a tick of the other; on regular
    clocks that is a whole step, and no lag in it is better than another.
    """
    top = size >= size.max(axis=0) * (1.0 - 1e-9)
    first = np.argmax(top, axis=0)
    after = ~top & (np.arange(size.shape[0])[:, None] > first)
    last = np.where(after.any(axis=0), np.argmax(after, axis=0), size.shape[0]) - 1
    return first, last


def _tied_top(parts: FloatArray, lags: IntArray, tx: IntArray, ty: IntArray) -> IntArray:
    """First and last lag of the highest plateau and of the neighbours that the data leave as high.

    With all gaps multiples of a step, C is constant between the lags at which ticks of X and Y
    meet. Those lags themselves, where fewer increments meet, stay out. Without such a step, or with
    one finer than the lags searched, there are no neighbours.
    """
    contrast = parts.sum(axis=1)
    first, last = (int(k[0]) for k in _flat_top(np.abs(contrast)[:, None]))
    step = int(np.gcd.reduce(np.concatenate([np.diff(tx), np.diff(ty)])))
    near = np.flatnonzero((lags >= lags[first] - step) & (lags <= lags[last] + step))
    near = near[(lags[near] - (ty[0] - tx[0])) % step != 0]
    short = np.sign(contrast[first]) * (parts[first] - parts[near])
    tied = near[short.sum(axis=1) <= _TIED * np.sqrt(np.sum(short**2, axis=1))]
    return np.array([min([first, *tied]), max([last, *tied])])


def _seconds(lags: IntArray) -> FloatArray:
    return lags.astype(np.float64) * 1e-9


def _refined(lags: IntArray, at: int) -> IntArray:
    """The grid, finer around index ``at``: its own step would decide a narrow interval's ends."""
    inner = [lags]
    for parts, reach in _REFINED:
        low, high = max(at - reach, 0), min(at + reach, lags.size - 1)
        steps = np.linspace(0.0, 1.0, parts, endpoint=False)
        between = lags[low:high, None] + np.diff(lags[low : high + 1])[:, None] * steps
        inner.append(between.round().astype(np.int64).ravel())
    return np.unique(np.concatenate(inner))


def _check_lags(lags: IntArray) -> IntArray:
    lags = whole_array(lags, "lags in whole ns", column="lags")
    if lags.ndim != 1:
        raise InputError("lags in ns, shape (n_lags,)", met=lags.shape)
    return lags


def _check(t: IntArray, v: FloatArray, name: str) -> tuple[IntArray, FloatArray]:
    t = whole_array(t, "times in whole ns", column=f"t{name}")
    v = float_array(v, column=name)
    if t.ndim != 1 or t.shape != v.shape or t.size < 2:
        raise InputError("times and values of one shape (n,), n >= 2", met=(t.shape, v.shape))
    bad = np.flatnonzero(~np.isfinite(v))
    if bad.size:
        raise InputError("a finite value", met=float(v[bad[0]]), row=int(bad[0]) + 1, column=name)
    late = np.flatnonzero(np.diff(t) <= 0)
    if late.size:
        raise InputError("rising times", met=int(t[late[0] + 1]), row=int(late[0]) + 2, column=name)
    return t, v
