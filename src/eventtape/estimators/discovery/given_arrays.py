"""What a user hands in as numbers or as nanoseconds, made an array or refused by name.

numpy reads "1.5" as 1.5, cuts 0.5 s down to 0 ns, and calls a datetime in microseconds a count of
nanoseconds: each a wrong answer without an error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError

__all__ = ["float_array", "whole_array"]


def float_array(values: ArrayLike, *, column: str | None = None) -> FloatArray:
    """The values as C-ordered floats; text, times, complex and ragged input are errors.

    >>> float_array([1, 2])
    array([1., 2.])
    """
    x = _array(values, "an array of numbers", column)
    if x.dtype.kind == "O":
        try:
            return np.ascontiguousarray(x, np.float64)
        except (TypeError, ValueError):
            pass
    elif x.dtype.kind in "biuf":
        return np.ascontiguousarray(x, np.float64)
    raise InputError("an array of numbers", met=str(x.dtype), column=column)


def whole_array(values: ArrayLike, wanted: str, *, column: str | None = None) -> IntArray:
    """The values as C-ordered 64-bit integers: ``wanted`` says of what unit they are.

    Floats pass where each is whole; datetimes and time spans of any unit become ns.

    >>> whole_array(np.array(["1970-01-01T00:00:01"], "datetime64[s]"), "times in ns")
    array([1000000000])
    """
    x = _array(values, wanted, column)
    if x.dtype.kind in "iu":
        return np.ascontiguousarray(x, np.int64)
    if x.dtype.kind in "mM" and not np.isnat(x).any():
        return np.ascontiguousarray(x.astype(f"{x.dtype.kind}8[ns]").view(np.int64))
    if x.dtype.kind == "f":
        bad = np.flatnonzero(~((np.abs(x) < 2.0**63) & (x == np.rint(x))))
        if not bad.size:
            return np.ascontiguousarray(x, np.int64)
        at = int(bad[0])
        row = at + 1 if x.ndim == 1 else None
        raise InputError(wanted, met=float(x.flat[at]), row=row, column=column)
    raise InputError(wanted, met=str(x.dtype), column=column)


def _array(values: ArrayLike, wanted: str, column: str | None) -> NDArray[np.generic]:
    try:
        return np.asarray(values)
    except ValueError:  # ragged
        raise InputError(wanted, met="rows of unequal length", column=column) from None
