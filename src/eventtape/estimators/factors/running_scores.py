r"""What have forecasts of a yes or no been worth so far, beside the base rate's?

With q the forecast, c the base rate and y the outcome (0 or 1), means over all so far::

    Brier score  (q - y)^2          log score  -log(q if y else 1 - q)         less is better

The scores of :mod:`~eventtape.estimators.factors.forecast_scores` without their intervals, kept as
sums in the order of the rows: equal to the last bit however the rows were cut.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from eventtape.arrays import BoolArray, FloatArray
from eventtape.errors import InputError

__all__ = ["RunningScores", "RunningState", "batch", "start", "step"]


class RunningState(NamedTuple):
    """Rows and sums so far."""

    sums: FloatArray  # (5,) rows; Brier and log score of the forecast, of the base rate


class RunningScores(NamedTuple):
    """Means after each row, ``(n,)`` each."""

    n: FloatArray
    brier: FloatArray
    brier_base: FloatArray
    log_loss: FloatArray
    log_loss_base: FloatArray


def start() -> RunningState:
    """Before any row."""
    return RunningState(np.zeros(5))


def step(
    state: RunningState, y: BoolArray, probability: FloatArray, base_rate: FloatArray
) -> tuple[RunningState, RunningScores]:
    """The state and the means after each further row: :func:`batch` in pieces, bit for bit.

    A forecast of 0 or 1 that was wrong has an infinite log score, and so has the mean from then on.
    """
    y = np.asarray(y)
    q, c = np.asarray(probability, np.float64), np.asarray(base_rate, np.float64)
    if not y.shape == q.shape == c.shape or y.ndim != 1 or y.dtype != np.bool_:
        raise InputError("outcomes (n,) of type bool, a forecast and a base rate each", met=y.shape)
    fine = (q >= 0.0) & (q <= 1.0) & (c >= 0.0) & (c <= 1.0)
    if not fine.all():
        row = int(np.argmin(fine))
        raise InputError("numbers from 0 to 1", met=(float(q[row]), float(c[row])), row=row + 1)
    won = y.astype(np.float64)
    with np.errstate(divide="ignore"):
        scores = np.column_stack(
            [
                np.ones(y.size),
                (q - won) ** 2,
                (c - won) ** 2,
                -np.log(np.where(y, q, 1 - q)),
                -np.log(np.where(y, c, 1 - c)),
            ]
        )
    sums = state.sums.copy()
    means = np.empty((5, y.size))
    _add(scores, sums, means)
    return RunningState(sums), RunningScores(*means)


def batch(y: BoolArray, probability: FloatArray, base_rate: FloatArray) -> RunningScores:
    """The means after each row of forecasts ``probability`` ``(n,)`` of ``y``."""
    return step(start(), y, probability, base_rate)[1]


@njit(cache=True)
def _add(scores: FloatArray, sums: FloatArray, means: FloatArray) -> None:
    for i in range(scores.shape[0]):
        for k in range(5):
            sums[k] += scores[i, k]
            means[k, i] = sums[k] if k == 0 else sums[k] / sums[0]
