r"""When did a premium and the odds part, and how often would two unrelated series seem to?

Over every window of ``window`` rows, dx is the change of the premium and dy that of the odds. The
odds predict b dy, b by least absolute deviations through the origin, so that the windows looked for
do not bend it. A window has parted where its score

    (dx - b dy) / (1.4826 median |dx - b dy|)

is beyond a bound. The bound comes from placebos: each block of ``window`` changes of the odds has
its sign drawn at random, which keeps all sizes and times and breaks the link, and everything is
estimated again. In a part ``false_alarms`` of the placebos some window passes the bound: that is
the chance that two unrelated series show one divergence or more, over the whole history. Windows
are taken in order of their scores and none overlaps another.

Where b itself is no larger than in the placebos the odds predict nothing; what passes the bound is
then a large move of the premium alone, and the result says so (``not resolved``).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, IntArray, Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import whole_array
from eventtape.estimators.premium.persistence import grid_column

__all__ = ["Divergence", "Divergences", "divergences"]

LEAST_WINDOWS = 8


class Divergence(NamedTuple):
    """One interval in which the two moved apart; changes in the units of what was given."""

    start_ns: int
    end_ns: int
    premium_change: float
    odds_change: float
    predicted: float  # premium change that the odds predict
    score: float  # positive: the premium rose more than predicted
    p_value: float  # part of placebos with a score as large anywhere
    opposed: bool  # the premium moved against what was predicted


class Divergences(NamedTuple):
    """Intervals apart, by time, and the chance that unrelated series show any.

    ``scores`` ``(n - window,)`` is for each window by its first row, NaN where an end was not seen.
    """

    found: tuple[Divergence, ...]
    slope: float  # premium per unit of odds, from changes over a window
    slope_p_value: float  # part of placebos with a slope as large
    bound: float
    false_alarms: float
    scores: FloatArray
    n_windows: int  # that do not overlap
    status: Status
    reason: str


def divergences(
    ts_ns: IntArray,
    premium: FloatArray,
    odds: FloatArray,
    *,
    window: int,
    false_alarms: float = 0.05,
    n_draws: int = 499,
    seed: int = 0,
) -> Divergences:
    """Intervals of ``window`` rows where the premium moved apart from what the odds predict.

    ``ts_ns``, ``premium``, ``odds`` ``(n,)`` on one regular grid, NaN where not seen.
    ``false_alarms`` is the chance of one interval or more if the two are unrelated. ``too few
    observations``: less than 8 windows side by side; ``not identified``: one of the two stands
    still over most windows; ``not resolved``: the odds predict nothing.
    """
    t = whole_array(ts_ns, "times in ns", column="ts")
    x, y = grid_column(premium, "premium"), grid_column(odds, "odds")
    if not t.shape == x.shape == y.shape or t.ndim != 1:
        raise InputError("times, premium and odds of one shape (n,)", met=(x.shape, y.shape))
    late = np.flatnonzero(np.diff(t) <= 0)
    if late.size:
        raise InputError("rising times", row=int(late[0]) + 2, column="ts")
    if window < 1:
        raise InputError("a window of at least one row", met=window)
    if not (0.0 < false_alarms < 1.0 and false_alarms * (n_draws + 1) >= 1.0):
        raise InputError(f"a rate of false alarms {n_draws} placebos can show", met=false_alarms)
    window = min(window, t.size)
    dx, dy = x[window:] - x[:-window], y[window:] - y[:-window]
    rows = np.flatnonzero(np.isfinite(dx) & np.isfinite(dy))
    n_windows = int(np.unique(rows // window).size)
    if n_windows < LEAST_WINDOWS:
        reason = f"{n_windows} windows side by side, of {LEAST_WINDOWS} needed"
        return _nothing(dx.size, n_windows, false_alarms, Status.TOO_FEW, reason)
    a, b = dx[rows], dy[rows]
    if min(np.mean(a != 0.0), np.mean(b != 0.0)) <= 0.5:
        reason = "premium or odds stand still over most windows"
        return _nothing(dx.size, n_windows, false_alarms, Status.NOT_IDENTIFIED, reason)
    placebos = _placebos(y, window, n_draws, seed)
    slopes, scores = _scored(a, np.concatenate([b[None], placebos[:, rows]]))
    largest = np.abs(scores).max(axis=1)
    null = np.sort(largest[1:])
    bound = float(null[n_draws - math.floor(false_alarms * (n_draws + 1) + 1e-9)])
    slope = float(slopes[0])
    slope_p = (1 + int(np.sum(np.abs(slopes[1:]) >= abs(slope)))) / (n_draws + 1)
    laid = np.full(dx.size, math.nan)
    laid[rows] = scores[0]
    found = []
    for row in _apart(laid, window, bound):
        predicted = slope * float(dy[row])
        p_value = (1 + int(np.sum(null >= abs(laid[row])))) / (n_draws + 1)
        found.append(
            Divergence(
                int(t[row]),
                int(t[row + window]),
                float(dx[row]),
                float(dy[row]),
                predicted,
                float(laid[row]),
                p_value,
                float(dx[row]) * predicted < 0.0,
            )
        )
    status, reason = Status.OK, ""
    if slope_p > false_alarms:
        status = Status.NOT_RESOLVED
        reason = "the odds predict nothing: what is found are moves of the premium alone"
    return Divergences(
        tuple(found), slope, slope_p, bound, false_alarms, laid, n_windows, status, reason
    )


def _placebos(y: FloatArray, window: int, n_draws: int, seed: int) -> FloatArray:
    """Changes over a window ``(n_draws, n - window)`` of odds whose blocks moved by random signs.

    Odds not seen lie between their neighbours: only what both ends of a window saw is used.
    """
    seen = np.flatnonzero(np.isfinite(y))
    steps = np.diff(np.interp(np.arange(y.size), seen, y[seen]))
    blocks = np.arange(steps.size) // window
    signs = np.random.default_rng(seed).choice(
        np.array([-1.0, 1.0]), size=(n_draws, int(blocks[-1]) + 1)
    )
    path = np.zeros((n_draws, y.size))
    np.cumsum(signs[:, blocks] * steps, axis=1, out=path[:, 1:])
    changes: FloatArray = path[:, window:] - path[:, :-window]
    return changes


def _scored(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slopes ``(m,)`` and scores ``(m, n)`` of ``a`` ``(n,)`` on each row of ``b`` ``(m, n)``.

    The slope of least absolute deviations is the median of the ratios a / b weighted by abs(b).
    """
    weight = np.abs(b)
    ratio = np.divide(a, b, out=np.zeros(b.shape), where=b != 0.0)
    order = np.argsort(ratio, axis=1, kind="stable")
    reached = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    middle = np.argmax(reached >= 0.5 * reached[:, -1:], axis=1)
    at = np.take_along_axis(order, middle[:, None], axis=1)
    slopes = np.take_along_axis(ratio, at, axis=1)
    residual = a - slopes * b
    scale = 1.4826 * np.median(np.abs(residual), axis=1, keepdims=True)
    return slopes[:, 0], np.divide(residual, scale, out=np.zeros(b.shape), where=scale > 0.0)


def _apart(scores: FloatArray, window: int, bound: float) -> list[int]:
    """First rows of windows beyond the bound, the largest first, none over another; by time."""
    size = np.where(np.isfinite(scores), np.abs(scores), 0.0)
    taken: list[int] = []
    for row in np.argsort(-size, kind="stable"):
        if size[row] <= bound:
            break
        if all(abs(int(row) - other) >= window for other in taken):
            taken.append(int(row))
    return sorted(taken)


def _nothing(
    n: int, n_windows: int, false_alarms: float, status: Status, reason: str
) -> Divergences:
    nan, scores = math.nan, np.full(n, math.nan)
    return Divergences((), nan, nan, nan, false_alarms, scores, n_windows, status, reason)
