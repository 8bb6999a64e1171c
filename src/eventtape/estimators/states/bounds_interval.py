r"""From two estimated bounds to an interval that covers what lies between them.

A number known only to lie in [lower, upper], both estimated, is covered by lower - C e_l to upper +
C e_u with a C between the one-sided and the two-sided critical value::

    Phi(C + (upper - lower) / max(e_l, e_u)) - Phi(-C) = level.

Reference: Imbens and Manski (2004), Econometrica 72, 1845-1857, equations 6 and 7.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from eventtape.arrays import BoolArray, FloatArray

__all__ = ["Bound", "bounds_of", "imbens_manski"]

_TENTH = 0.1
_NEWTON = 5
_APART = 20.0  # errors: from there on one-sided to the last digit
_ROOT_2PI = math.sqrt(2.0 * math.pi)


class Bound(NamedTuple):
    """Sharp bounds of one kind of number, arrays of one shape.

    - ``lower``, ``upper``; ``lower_error``, ``upper_error``: standard errors, 0 for a known law.
    - ``interval_lower``, ``interval_upper``: cover the state's number with the level asked for.
    - ``beyond_lower``, ``beyond_upper``: what each rests on beyond the quotes, over the width; of a
      quantile 1 where it lies beyond them, else 0.
    - ``resolved``: whether both of these are at most a tenth.
    """

    lower: FloatArray
    upper: FloatArray
    lower_error: FloatArray
    upper_error: FloatArray
    interval_lower: FloatArray
    interval_upper: FloatArray
    beyond_lower: FloatArray
    beyond_upper: FloatArray
    resolved: BoolArray


def imbens_manski(
    lower: FloatArray,
    upper: FloatArray,
    lower_error: FloatArray,
    upper_error: FloatArray,
    level: float = 0.95,
) -> tuple[FloatArray, FloatArray]:
    """Ends of an interval that covers a number known to lie between two estimated bounds.

    lower - C e_l to upper + C e_u with Phi(C + width / max(e_l, e_u)) - Phi(-C) = level: two-sided
    where the bounds meet, one-sided where they are far apart.

    >>> ends = imbens_manski(*(np.array([x]) for x in (0.0, 1.0, 0.01, 0.02)))
    >>> [float(x[0].round(4)) for x in ends]
    [-0.0164, 1.0329]
    """
    largest = np.maximum(lower_error, upper_error)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.where(largest > 0.0, (upper - lower) / largest, math.inf)
    C = np.full(apart.shape, float(ndtri(level)))
    close = apart < _APART
    if close.any():
        C[close] = _critical(apart[close], level)
    return lower - C * lower_error, upper + C * upper_error


def _critical(apart: FloatArray, level: float) -> FloatArray:
    """C at widths ``apart`` over the error, by Newton: concave in C, from below it rises to it."""
    C = np.full(apart.shape, float(ndtri(level)))
    for _ in range(_NEWTON):
        miss = ndtr(C + apart) - ndtr(-C) - level
        steep = np.exp(-0.5 * (C + apart) ** 2) + np.exp(-0.5 * C * C)
        C = C - miss * _ROOT_2PI / steep
    return C


def bounds_of(
    parts: Sequence[tuple[FloatArray, FloatArray, FloatArray]], level: float
) -> list[Bound]:
    """Bounds put together, all in one pass: of each value, error and share, lower and upper first.

    Arrays ``(2, ...)``; the bounds have the shape that is left.
    """
    value, error, share = (
        np.concatenate([part[i].reshape(2, -1) for part in parts], axis=1) for i in range(3)
    )
    ends = imbens_manski(value[0], value[1], error[0], error[1], level)
    columns = (*value, *error, *ends, *share, (share <= _TENTH).all(axis=0))
    out, begin = [], 0
    for part, _, _ in parts:
        shape, end = part.shape[1:], begin + part[0].size
        out.append(Bound(*(column[begin:end].reshape(shape) for column in columns)))
        begin = end
    return out
