"""Numbers of options at the door: any shapes that broadcast, as flat columns a kernel can read.

A column that is one number stays one number: the kernel repeats it a block at a time, in the first
cache, and a call with four hundred quotes of one expiry does not pay for copies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

import eventtape.arrays  # noqa: F401 - before any kernel: registers the wide division
from eventtape.arrays import BoolArray, FloatArray
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import float_array

__all__ = ["BLOCK", "check_each", "load", "option_columns"]

BLOCK = 256  # options worked on at once: twenty rows of them stay in the first cache


def option_columns(
    is_call: ArrayLike, **numbers: ArrayLike
) -> tuple[tuple[int, ...], BoolArray, list[FloatArray]]:
    """The common shape, ``is_call`` and each number as a column of its size, or of size one.

    Shapes that do not broadcast, text, times and a right that is not boolean are errors.
    """
    given = [
        v if type(v) is np.ndarray and v.dtype == np.float64 else _floats(v, name)
        for name, v in numbers.items()
    ]
    right = np.asarray(is_call)
    if right.dtype != np.bool_:
        raise InputError("True for a call, False for a put", met=str(right.dtype), column="is_call")
    shapes = {v.shape for v in (right, *given) if v.ndim}
    if len(shapes) > 1:
        try:
            shape = np.broadcast_shapes(*shapes)
        except ValueError:
            met = {name: np.shape(v) for name, v in (*numbers.items(), ("is_call", is_call))}
            raise InputError("shapes that broadcast", met=met) from None
        return shape, _flat(right, shape), [_flat(v, shape) for v in given]
    shape = shapes.pop() if shapes else ()
    return shape, right.reshape(-1), [v.reshape(-1) for v in given]


def check_each(
    column: str, values: FloatArray, wanted: str, bad: Callable[[FloatArray], BoolArray]
) -> None:
    """Raise for the first value that is ``bad``; NaN passes, and comes out as NaN."""
    where = bad(values)
    if where.any():
        at = int(np.argmax(where))
        row = at + 1 if values.size > 1 else None
        raise InputError(wanted, met=float(values[at]), row=row, column=column)


def _floats(values: ArrayLike, name: str) -> FloatArray:
    made = float_array(values, column=name)
    return made.reshape(np.shape(values))  # one number came back as an array of one


def _flat(values: Any, shape: tuple[int, ...]) -> Any:
    if values.size == 1:
        return values.reshape(-1)
    return np.ascontiguousarray(np.broadcast_to(values, shape)).reshape(-1)


@njit(cache=True, forceinline=True, error_model="numpy")
def load(column, start, n, work, row):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Rows ``start`` to ``start + n`` of a column into one row of the work space."""
    base = row * BLOCK
    if column.size == 1:
        for i in range(n):
            work[base + i] = column[0]
    else:
        for i in range(n):
            work[base + i] = column[start + i]
