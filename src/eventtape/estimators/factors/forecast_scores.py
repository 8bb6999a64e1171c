r"""Is a forecast of a yes or no worth more than the base rate, and does it mean what it says?

With q the forecast, c the base rate known when it was made, and y the outcome (0 or 1)::

    Brier score  (q - y)^2          log score  -log(q if y else 1 - q)         less is better
    gain = score of c - score of q                                       above 0: worth more

Rows that share a time are one observation: the mean gain is a ratio of sums over times, and its
interval comes from the long-run variance of the sums by equal weights on the first nu cosine
transforms, with Student's t of nu degrees of freedom, nu = 0.4 T^(2/3) (Lazarus, Lewis, Stock and
Watson 2018). It allows for the overlap of horizons and for good and bad spells.

Calibration: outcomes against forecasts in bins of equal counts, and the fit
logit P(y) = intercept + slope logit(q) (Cox 1958): 0 and 1 for a forecast that means what it says;
a slope below 1 says too sure of itself. AUC is the chance that a yes was given more than a no.
Their intervals are by the delta method, with the same long-run variance of what each row adds::

    AUC       P(no below q_t) - AUC over the share of yes, for a yes; alike for a no (DeLong 1988)
    fit       H^-1 (1, logit q_t) (y_t - p_t),    H the mean of (1, logit q)'(1, logit q) p (1 - p)

They take the forecasts as given: what the model behind them might have been is not in them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit, stdtrit
from scipy.stats import rankdata

from eventtape.arrays import BoolArray, FloatArray, IntArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.factors import logistic

__all__ = ["Gain", "Reliability", "Scores", "scores"]

_MIN_TIMES = 30


class Gain(NamedTuple):
    """A mean score, that of the base rate, and what was gained with its interval."""

    score: float
    base_score: float
    gain: float  # base_score - score: above 0 the forecast is worth more than the base rate
    lower: float
    upper: float


class Reliability(NamedTuple):
    """Forecast against outcome in bins of about equal counts, each ``(n_bins,)``."""

    forecast: FloatArray  # mean
    outcome: FloatArray  # share of yes
    n_rows: IntArray


class Scores(NamedTuple):
    """What the forecasts were worth; NaN where the status is not ok."""

    brier: Gain
    log: Gain
    auc: float
    auc_interval: tuple[float, float]  # NaN where no pair is out of order, or none in it
    calibration_intercept: float  # log odds
    calibration_intercept_interval: tuple[float, float]
    calibration_slope: float  # NaN where forecasts do not differ
    calibration_slope_interval: tuple[float, float]
    reliability: Reliability
    n_rows: int
    n_times: int
    status: Status


def scores(
    ts: IntArray,
    y: BoolArray,
    probability: FloatArray,
    base_rate: FloatArray,
    *,
    level: float = 0.95,
    bins: int = 10,
) -> Scores:
    """Scores of forecasts ``probability`` ``(n,)`` of ``y`` against ``base_rate``, out of sample.

    ``ts`` ``(n,)`` does not fall. Rows whose forecast is NaN are left out. Fewer than 30 times, or
    outcomes of one kind only, is ``too few observations``.
    """
    ts, y, q, c = _check(ts, y, probability, base_rate)
    check_level(level)
    if bins < 1:
        raise InputError("at least one bin", met=bins)
    starts = np.flatnonzero(np.diff(ts, prepend=ts[:1] - 1)) if ts.size else np.zeros(0, np.int64)
    counts = y.size, starts.size
    if starts.size < _MIN_TIMES or y.all() or not y.any():
        gap = Gain(math.nan, math.nan, math.nan, math.nan, math.nan)
        none = Reliability(np.zeros(0), np.zeros(0), np.zeros(0, np.int64))
        nan = (math.nan, (math.nan, math.nan)) * 3
        return Scores(gap, gap, *nan, none, *counts, Status.TOO_FEW)
    won = y.astype(np.float64)
    brier = _gain((q - won) ** 2, (c - won) ** 2, starts, level)
    with np.errstate(divide="ignore"):  # a forecast of 0 or 1 that was wrong scores infinity
        log = _gain(-np.log(np.where(y, q, 1 - q)), -np.log(np.where(y, c, 1 - c)), starts, level)
    auc = _auc(q, y, starts, level)
    fit = _calibration(q, y, starts, level)
    return Scores(brier, log, *auc, *fit, _bins(q, won, bins), *counts, Status.OK)


def _gain(score: FloatArray, base: FloatArray, starts: IntArray, level: float) -> Gain:
    difference = base - score
    mean = float(difference.mean())
    if not math.isfinite(mean):
        return Gain(float(score.mean()), float(base.mean()), mean, math.nan, math.nan)
    half = _half_width(difference - mean, starts, level)
    return Gain(float(score.mean()), float(base.mean()), mean, mean - half, mean + half)


def _half_width(adds: FloatArray, starts: IntArray, level: float) -> float:
    """Half the interval of a number whose error is the mean of ``adds`` ``(n,)``."""
    T = starts.size
    influence = np.add.reduceat(adds, starts) * (T / adds.size)
    nu = max(round(0.4 * T ** (2.0 / 3.0)), 4)
    at = np.pi * (np.arange(T) + 0.5) / T
    waves = np.array([influence @ np.cos(j * at) for j in range(1, nu + 1)])
    se = math.sqrt(2.0 / T * float(np.mean(waves**2)) / T)
    return float(stdtrit(nu, 0.5 * (1.0 + level))) * se


def _auc(
    q: FloatArray, y: BoolArray, starts: IntArray, level: float
) -> tuple[float, tuple[float, float]]:
    up, rank = int(y.sum()), rankdata(q)
    down = y.size - up
    below = (rank[y] - rankdata(q[y])) / down  # share of the noes below each yes, ties for half
    above = 1.0 - (rank[~y] - rankdata(q[~y])) / up
    auc = float(below.mean())
    if not 0.0 < auc < 1.0:  # nothing varies, which is not certainty
        return auc, (math.nan, math.nan)
    adds = np.empty(y.size)
    adds[y] = (below - auc) * (y.size / up)
    adds[~y] = (above - auc) * (y.size / down)
    half = _half_width(adds, starts, level)
    return auc, (auc - half, auc + half)


def _calibration(
    q: FloatArray, y: BoolArray, starts: IntArray, level: float
) -> tuple[float, tuple[float, float], float, tuple[float, float]]:
    none = math.nan, math.nan
    inside = (q > 0.0) & (q < 1.0)
    odds = logit(q[inside])
    if np.unique(odds).size < 2:
        return math.nan, none, math.nan, none
    model = logistic.fit(odds[:, None], y[inside], ridge=0.0)
    slope = float(model.coefficients[0] / model.scale[0])
    intercept = float(model.intercept - slope * model.mean[0])
    if model.status is not Status.OK:
        return math.nan, none, math.nan, none
    x = np.column_stack([np.ones(odds.size), odds])
    p = expit(intercept + slope * odds)
    H = x.T @ (x * (p * (1.0 - p))[:, None]) / q.size
    adds = np.zeros((q.size, 2))
    adds[inside] = np.linalg.solve(H, (x * (y[inside] - p)[:, None]).T).T
    halves = [_half_width(adds[:, k], starts, level) for k in range(2)]
    ends = [(v - half, v + half) for v, half in zip((intercept, slope), halves, strict=True)]
    return intercept, ends[0], slope, ends[1]


def _bins(q: FloatArray, won: FloatArray, bins: int) -> Reliability:
    parts = [part for part in np.array_split(np.argsort(q, kind="stable"), bins) if part.size]
    return Reliability(
        np.array([q[part].mean() for part in parts]),
        np.array([won[part].mean() for part in parts]),
        np.array([part.size for part in parts], dtype=np.int64),
    )


def _check(
    ts: IntArray, y: BoolArray, probability: FloatArray, base_rate: FloatArray
) -> tuple[IntArray, BoolArray, FloatArray, FloatArray]:
    ts, y = np.asarray(ts, np.int64), np.asarray(y)
    q, c = np.asarray(probability, np.float64), np.asarray(base_rate, np.float64)
    if not ts.shape == y.shape == q.shape == c.shape or ts.ndim != 1:
        raise InputError("four arrays of one shape (n,)", met=(ts.shape, y.shape, q.shape, c.shape))
    if y.dtype != np.bool_:
        raise InputError("outcomes of type bool", met=str(y.dtype))
    if np.any(np.diff(ts) < 0):
        row = int(np.flatnonzero(np.diff(ts) < 0)[0])
        raise InputError("times that do not fall", met=int(ts[row + 1]), row=row + 2)
    made = ~np.isnan(q) & ~np.isnan(c)
    for name, values in (("probability", q), ("base_rate", c)):
        bad = np.flatnonzero(made & ((values < 0.0) | (values > 1.0)))
        if bad.size:
            met, row = float(values[bad[0]]), int(bad[0]) + 1
            raise InputError("a number from 0 to 1", met=met, row=row, column=name)
    return ts[made], y[made], q[made], c[made]
