r"""Is the spread between two expiries' volatilities high or low in its range, and does it return?

The spread s = far IV - near IV is taken for an autoregression of order one on a regular grid (an
Ornstein-Uhlenbeck process seen at equal times), s_t = c + phi s_{t-1} + e_t, whose half-life is
step ln 2 / -ln phi. "Range bound with mean-reverting tendencies" is what a random walk looks like
too: least squares finds phi below 1 in every short sample (Kendall 1954), at a unit root by 5.3/n
on average. So phi is not read off but inverted (Andrews 1993): its estimator is simulated for
phi from -0.5 to 1 on the rows that were seen, and phi, its lower and its upper bound are those
at which what was found is the median and the upper and lower quantile. Where a unit root is among
them the half-life has no upper bound, and is ``not identified``: there may be no mean to return to.

Quotes with noise of their own look as if they returned faster than they do: thin the grid, or
compare the half-life at two steps.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray, IntArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import float_array, whole_array
from eventtape.estimators.premium.day_weights import DAY_NS

__all__ = ["SpreadHistory", "spread_history"]

LEAST_ROWS = 20
# n (1 - phi): dense where the law of the estimator changes most
_DISTANCES = np.array(
    [0, 0.5, 1, 1.5, 2, 3, 4, 5, 6.5, 8, 10, 12, 15, 18, 22, 27, 33, 40, 50, 65, 85, 115, 160, 230]
)


class SpreadHistory(NamedTuple):
    """A spread of volatilities, decimals per sqrt(year): its range, its memory, and its present.

    - ``low, high, mean, sd``: of the sample, whatever the status; ``mean_lower, mean_upper`` bound
      the mean it returns to, and are NaN where there may be none.
    - ``half_life``: days until half of a distance to the mean is gone; ``half_life_upper`` may be
      infinite, and ``half_life`` is then NaN. ``phi`` with its bounds is the same per step.
    - ``now``: the last value seen; ``quantile``: part of the sample below it (ties count half);
      ``away``: its distance from the mean in sds of the sample.
    """

    low: float
    high: float
    mean: float
    sd: float
    now: float
    quantile: float
    away: float
    n_rows: int
    step_days: float
    status: Status
    reason: str
    mean_lower: float = math.nan
    mean_upper: float = math.nan
    half_life: float = math.nan
    half_life_lower: float = math.nan
    half_life_upper: float = math.nan
    phi: float = math.nan
    phi_lower: float = math.nan
    phi_upper: float = math.nan


def spread_history(
    ts_ns: IntArray,
    far_iv: FloatArray,
    near_iv: FloatArray,
    *,
    level: float = 0.95,
    n_draws: int = 999,
    seed: int = 0,
) -> SpreadHistory:
    """Range, mean, half-life in days and present place of far minus near IV, with intervals.

    ``ts_ns`` ``(n,)`` at equal steps (:func:`eventtape.tape.sampling.as_of`), ``far_iv`` and
    ``near_iv`` ``(n,)`` decimals, NaN where not seen. ``too few observations``: under 20 pairs of
    neighbouring rows; ``not identified``: a unit root cannot be excluded, or a spread that does not
    move; ``not resolved``: half of a distance is gone within less than a step.
    """
    check_level(level)
    if not 0.5 * (1.0 - level) * n_draws >= 1.0:
        wanted = f"at least {math.ceil(2.0 / (1.0 - level))} draws for a level of {level:g}"
        raise InputError(wanted, met=n_draws)
    t = whole_array(ts_ns, "times in ns", column="ts")
    s = _iv(far_iv, t, "far_iv") - _iv(near_iv, t, "near_iv")
    step_days = _step(t) / DAY_NS
    seen = np.isfinite(s)
    pairs = seen[1:] & seen[:-1]
    n = int(pairs.sum())
    if n < LEAST_ROWS:
        reason = f"{n} pairs of neighbouring rows, of {LEAST_ROWS} needed"
        return _without_memory(s[seen], step_days, Status.TOO_FEW, reason)
    found = _slope(s[:-1][pairs], s[1:][pairs])
    if not math.isfinite(found):
        return _without_memory(s[seen], step_days, Status.NOT_IDENTIFIED, "it does not move")
    phis = 1.0 - _DISTANCES / n
    phis = np.concatenate([phis[phis > -0.5], [-0.5]])[::-1]
    slopes, strays = _simulated(phis, pairs, n_draws, seed)
    phi, lower, upper = _inverted(found, phis, slopes, level)
    described = _without_memory(s[seen], step_days, Status.OK, "")._replace(
        phi=phi, phi_lower=lower, phi_upper=upper
    )
    if upper >= 1.0:
        reason = "a random walk, which has no half-life, looks like this too"
        return described._replace(
            half_life_lower=_half_life(lower, step_days),
            half_life_upper=math.inf,
            status=Status.NOT_IDENTIFIED,
            reason=reason,
        )
    half = described.sd * _stray(found, slopes, strays, level)
    status, reason = Status.OK, ""
    if _half_life(phi, step_days) < step_days:
        status, reason = Status.NOT_RESOLVED, "it returns within a step: take a finer grid"
    return described._replace(
        mean_lower=described.mean - half,
        mean_upper=described.mean + half,
        half_life=_half_life(phi, step_days) if status is Status.OK else math.nan,
        half_life_lower=_half_life(lower, step_days),
        half_life_upper=_half_life(upper, step_days),
        status=status,
        reason=reason,
    )


def _inverted(
    found: float, phis: FloatArray, slopes: FloatArray, level: float
) -> tuple[float, float, float]:
    """Median-unbiased phi and its bounds: where ``found`` is the median and an outer quantile."""
    tail = 0.5 * (1.0 - level)
    q = np.quantile(slopes, [tail, 0.5, 1.0 - tail], axis=1)
    q = np.maximum.accumulate(q, axis=1)
    upper, middle, lower = (float(np.interp(found, row, phis)) for row in q)
    return middle, lower, upper


def _stray(found: float, slopes: FloatArray, strays: FloatArray, level: float) -> float:
    """How far, in sds of the sample, its mean is from the true one at most, with chance ``level``.

    Each phi below 1 counts by the confidence that ``found`` gives it.
    """
    confidence = np.maximum.accumulate(np.mean(slopes >= found, axis=1))
    weight = np.diff(np.concatenate([[0.0], confidence[:-2], [1.0]]))
    away = np.abs(strays[:-1])
    order = np.argsort(away, axis=None)
    reached = np.cumsum(np.repeat(weight / away.shape[1], away.shape[1])[order])
    row = min(int(np.searchsorted(reached, level)), order.size - 1)
    return float(away.ravel()[order[row]])


def _simulated(
    phis: FloatArray, pairs: BoolArray, n_draws: int, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Slopes of autoregressions on the pairs seen, and their means over their sds.

    Both ``(n_phis, n_draws)``. All share their shocks, so that quantiles are smooth in phi; level
    and scale drop out. At phi = 1, the last, there is no mean to be away from.
    """
    rng = np.random.default_rng(seed)
    inside = np.abs(phis) < 1.0
    start = np.where(inside, 1.0 / np.sqrt(np.where(inside, 1.0 - phis**2, 1.0)), 0.0)
    x = start[:, None] * rng.standard_normal(n_draws)
    first = x  # sums are about the start, lest a long walk cancel
    sums = np.zeros((4, *x.shape))
    for counted in pairs:
        last = x
        x = phis[:, None] * x + rng.standard_normal(n_draws)
        if counted:
            a, b = last - first, x - first
            sums[0] += a
            sums[1] += b
            sums[2] += a * a
            sums[3] += a * b
    n = float(pairs.sum())
    size = sums[2] - sums[0] ** 2 / n
    return (sums[3] - sums[0] * sums[1] / n) / size, (first + sums[0] / n) / np.sqrt(size / n)


def _slope(x: FloatArray, y: FloatArray) -> float:
    away = x - x.mean()
    size = float(away @ away)
    if size <= 1e-24 * float(np.abs(x).max()) ** 2 * x.size:
        return math.nan
    return float(away @ y) / size


def _half_life(phi: float, step_days: float) -> float:
    if phi >= 1.0:
        return math.inf
    return step_days * math.log(2.0) / -math.log(phi) if phi > 0.0 else 0.0


def _without_memory(s: FloatArray, step_days: float, status: Status, reason: str) -> SpreadHistory:
    nan = math.nan
    if not s.size:
        return SpreadHistory(nan, nan, nan, nan, nan, nan, nan, 0, step_days, status, reason)
    mean, sd, now = float(s.mean()), float(s.std()), float(s[-1])
    below = float(np.mean(s < now) + 0.5 * np.mean(s == now))
    away = (now - mean) / sd if sd > 0.0 else nan
    low, high = float(s.min()), float(s.max())
    return SpreadHistory(low, high, mean, sd, now, below, away, s.size, step_days, status, reason)


def _iv(values: FloatArray, t: IntArray, name: str) -> FloatArray:
    v = float_array(values, column=name)
    if t.ndim != 1 or v.shape != t.shape:
        raise InputError("times and volatilities of one shape (n,)", met=(t.shape, v.shape))
    bad = np.flatnonzero(~np.isnan(v) & ~((v > 0.0) & (v < 5.0)))
    if bad.size:
        raise InputError(
            "a decimal: .55 for 55%", met=float(v[bad[0]]), row=int(bad[0]) + 1, column=name
        )
    return v


def _step(t: IntArray) -> int:
    steps = np.diff(t)
    if not steps.size or steps[0] <= 0:
        raise InputError("at least two rising times", met=t[:2].tolist(), column="ts")
    uneven = np.flatnonzero(steps != steps[0])
    if uneven.size:
        wanted = "times at equal steps: put them on a grid first"
        raise InputError(wanted, met=int(steps[uneven[0]]), row=int(uneven[0]) + 2, column="ts")
    return int(steps[0])
