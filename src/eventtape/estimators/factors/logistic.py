r"""Ridge logistic regression: maximum penalised likelihood by Newton's method.

With x in units of its own spread over the rows it is fitted on, and the intercept free::

    P(y = 1 | x) = 1 / (1 + exp(-(a + b'x)))
    min  sum_t log(1 + exp(-(2 y_t - 1)(a + b'x_t)))  +  1/2 ridge b'b

(le Cessie and van Houwelingen 1992). The objective is convex, and strictly so in b for a ridge
above nought; Newton steps are halved until they gain. Without a ridge, classes that a plane
separates have no maximum: that is ``no convergence``, not a large number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, solve
from scipy.special import expit

from eventtape.arrays import BoolArray, FloatArray, Status
from eventtape.errors import InputError

__all__ = ["Logistic", "as_dict", "check", "fit", "from_dict", "probability"]

_MAX_STEPS = 100
_FARTHEST = 30.0  # log odds of a fitted row beyond which classes are as good as separated


class Logistic(NamedTuple):
    """The fitted model as data; NaN where the status is not ok."""

    intercept: float  # log odds at the mean of the features
    coefficients: FloatArray  # (n_features,) log odds per standard deviation
    mean: FloatArray  # (n_features,) over the rows fitted on
    scale: FloatArray  # (n_features,) standard deviation, 1 where a feature never moves
    base_rate: float  # share of y = 1 in the rows fitted on
    ridge: float
    n_rows: int
    status: Status


def fit(x: FloatArray, y: BoolArray, *, ridge: float = 1.0) -> Logistic:
    """The model of ``y`` ``(n,)`` on features ``x`` ``(n, n_features)``, all finite.

    A feature that never moves gets coefficient 0. Fewer rows than twice the features, or rows of
    one class only, is ``too few observations``.
    """
    x, y = check(x, y)
    if not (math.isfinite(ridge) and ridge >= 0.0):
        raise InputError("a ridge >= 0", met=ridge)
    n, p = x.shape
    up = int(y.sum())
    mean = x.mean(axis=0) if n else np.full(p, math.nan)
    spread = x.std(axis=0) if n else np.full(p, math.nan)
    still = ~(spread > 1e-13 * np.abs(mean))
    scale = np.where(still, 1.0, spread)
    known = (mean, scale, up / n if n else math.nan, ridge, n)
    if n < 2 * (p + 1) or up in (0, n):
        return Logistic(math.nan, np.full(p, math.nan), *known, Status.TOO_FEW)
    z = np.column_stack([np.where(still, 0.0, (x - mean) / scale), np.ones(n)])
    penalty = np.r_[np.where(still, max(ridge, 1.0), ridge), 0.0]
    start = np.r_[np.zeros(p), math.log(up / (n - up))]
    b = _newton(z, y.astype(np.float64), penalty, start)
    if b is None or (ridge == 0.0 and np.abs(z @ b).max() > _FARTHEST):
        return Logistic(math.nan, np.full(p, math.nan), *known, Status.NO_CONVERGENCE)
    return Logistic(float(b[p]), b[:p], *known, Status.OK)


def _newton(z: FloatArray, y: FloatArray, penalty: FloatArray, b: FloatArray) -> FloatArray | None:
    def loss(b: FloatArray) -> float:
        at = z @ b
        return float(np.logaddexp(0.0, at).sum() - y @ at + 0.5 * penalty @ (b * b))

    now = loss(b)
    for _ in range(_MAX_STEPS):
        q = expit(z @ b)
        slope = z.T @ (q - y) + penalty * b
        curve = (z * (q * (1.0 - q))[:, None]).T @ z + np.diag(penalty)
        try:
            move = solve(curve, slope, assume_a="pos")
        except LinAlgError:
            return None
        gain = float(slope @ move)
        if gain <= 1e-12 * (1.0 + now):  # errors square from here: one full step ends at rounding
            last: FloatArray = b - move
            return last
        part = 1.0
        while loss(b - part * move) > now - 1e-4 * part * gain:
            part *= 0.5
            if part < 1e-8:
                return None
        b = b - part * move
        now = loss(b)
    return None


def probability(model: Logistic, x: FloatArray) -> FloatArray:
    """P(y = 1) of rows ``(n, n_features)`` or of one row ``(n_features,)``; NaN in, NaN out."""
    x = np.asarray(x, np.float64)
    if x.shape[-1:] != model.coefficients.shape:
        raise InputError(f"{model.coefficients.size} features", met=x.shape)
    # One row at a time and all at once must agree to the bit: sum features in their own order.
    odds = np.full(x.shape[:-1], model.intercept)
    for k, b in enumerate(model.coefficients):
        odds = odds + b * ((x[..., k] - model.mean[k]) / model.scale[k])
    answer: FloatArray = expit(odds)
    return answer


def as_dict(model: Logistic) -> dict[str, Any]:
    """The model as plain numbers and lists, ready for JSON; :func:`from_dict` reads it back."""
    plain = model._asdict()
    for name in ("coefficients", "mean", "scale"):
        plain[name] = plain[name].tolist()
    return {**plain, "status": str(model.status)}


def from_dict(plain: Mapping[str, Any]) -> Logistic:
    """The model that :func:`as_dict` wrote, to the last bit."""
    missing = [name for name in Logistic._fields if name not in plain]
    if missing:
        raise InputError(f"a model with {', '.join(missing)}", met=sorted(plain))
    arrays = {
        name: np.asarray(plain[name], np.float64) for name in ("coefficients", "mean", "scale")
    }
    if len({part.shape for part in arrays.values()}) != 1 or arrays["mean"].ndim != 1:
        raise InputError("lists of one length", met={k: v.shape for k, v in arrays.items()})
    if not (arrays["scale"] > 0.0).all():
        raise InputError("scales above 0", met=plain["scale"])
    known = {name: plain[name] for name in Logistic._fields}
    return Logistic(**{**known, **arrays, "status": Status(plain["status"])})


def check(x: FloatArray, y: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Features and classes, once they are finite and of one length."""
    x, y = np.asarray(x, np.float64), np.asarray(y)
    if x.ndim != 2 or y.shape != x.shape[:1] or x.shape[1] == 0:
        raise InputError("features (n, n_features) and classes (n,)", met=(x.shape, y.shape))
    if y.dtype != np.bool_:
        raise InputError("classes of type bool", met=str(y.dtype))
    bad = np.argwhere(~np.isfinite(x))
    if bad.size:
        row, k = (int(v) for v in bad[0])
        raise InputError(
            "a finite feature", met=float(x[row, k]), row=row + 1, column=f"feature {k + 1}"
        )
    return x, y
