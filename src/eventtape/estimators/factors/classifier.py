r"""Will the mid be higher one horizon on? A forward classifier that never saw the future.

Walk-forward: the times are cut into ``folds + 1`` stretches of equally many times. The model for
stretch j + 1 is fitted on the rows whose answer was known, and an embargo past, when it began::

    train:  t + horizon + embargo <= first time of the stretch      (purge and embargo)

so no label of the training rows overlaps the test rows (Lopez de Prado 2018, ch. 7, with the future
left out altogether). Features are put in units of the training rows alone, and the base rate that
the model must beat is the one known then: the share of up-moves in the training rows.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray, IntArray, Status
from eventtape.errors import InputError
from eventtape.estimators.factors import logistic
from eventtape.estimators.factors.logistic import Logistic

__all__ = ["WalkForward", "step", "walk_forward"]


class WalkForward(NamedTuple):
    """Forecasts made before their rows were seen; NaN where no model was."""

    probability: FloatArray  # (n,) of an up-move
    base_rate: FloatArray  # (n,) share of up-moves in the rows the model was fitted on
    fold: IntArray  # (n,) 0 for the first stretch, which is only learnt from
    models: tuple[Logistic, ...]  # one a fold, from fold 1 on
    status: Status  # ok where every fold has a model


def walk_forward(
    ts: IntArray,
    x: FloatArray,
    y: BoolArray,
    *,
    horizon_ns: int,
    folds: int = 5,
    embargo_ns: int = 0,
    ridge: float = 1.0,
) -> WalkForward:
    """Out-of-sample probabilities of ``y`` ``(n,)`` from features ``x`` ``(n, n_features)``.

    ``ts`` ``(n,)`` is the time (ns, not falling; several symbols may share one) at which the row's
    features were known, and its label is known ``horizon_ns`` later.
    """
    x, y = logistic.check(x, y)
    ts = np.asarray(ts, np.int64)
    if ts.shape != y.shape:
        raise InputError("a time for each row", met=(ts.shape, y.shape))
    late = np.flatnonzero(np.diff(ts) < 0)
    if late.size:
        raise InputError("times that do not fall", met=int(ts[late[0] + 1]), row=int(late[0]) + 2)
    if horizon_ns <= 0 or embargo_ns < 0 or folds < 1:
        wanted = "a horizon above 0, an embargo of 0 or more, and at least one fold"
        raise InputError(wanted, met=(horizon_ns, embargo_ns, folds))
    forecast, base = np.full(y.size, math.nan), np.full(y.size, math.nan)
    times = np.unique(ts)
    if times.size < folds + 1:
        return WalkForward(forecast, base, np.zeros(y.size, np.int64), (), Status.TOO_FEW)
    first = times[np.arange(folds + 1) * times.size // (folds + 1)]
    fold = np.searchsorted(first, ts, side="right") - 1
    models = []
    for j in range(1, folds + 1):
        train = ts + horizon_ns + embargo_ns <= first[j]
        model = logistic.fit(x[train], y[train], ridge=ridge)
        models.append(model)
        if model.status is Status.OK:
            rows = fold == j
            forecast[rows] = logistic.probability(model, x[rows])
            base[rows] = model.base_rate
    bad = [model.status for model in models if model.status is not Status.OK]
    return WalkForward(forecast, base, fold, tuple(models), bad[0] if bad else Status.OK)


def step(model: Logistic, x: FloatArray) -> tuple[Logistic, float]:
    """The same model and its probability of an up-move for one row of features ``(n_features,)``.

    Bit-equal to :func:`logistic.probability` over all rows. A live model learns nothing between
    fits, so the state is the model.
    """
    x = np.asarray(x, np.float64)
    if x.ndim != 1:
        raise InputError("one row of features (n_features,)", met=x.shape)
    return model, float(logistic.probability(model, x))
