"""Array aliases, the fate of a result, and the one repair every numba kernel needs.

Import this module before defining a kernel: LLVM may turn ``while t >= nxt: nxt += w`` into a
128-bit division that numba does not supply, which crashes the process. Registering libgcc's
routines with LLVM cures it, for kernels loaded from the cache too.
"""

from __future__ import annotations

import ctypes
from enum import StrEnum

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from eventtape.errors import InputError

__all__ = ["BoolArray", "FloatArray", "IntArray", "Status", "check_level"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class Status(StrEnum):
    """The fate of a number. Anything but ``OK`` travels with NaN or with a stated reservation."""

    OK = "ok"
    NOT_IDENTIFIED = "not identified"
    NOT_RESOLVED = "not resolved"
    TOO_FEW = "too few observations"
    NO_CONVERGENCE = "no convergence"


def check_level(level: float) -> float:
    """The level of an interval, once it is between 0 and 1 (0.95, not 95)."""
    if not 0.0 < level < 1.0:
        raise InputError("a level between 0 and 1", met=level)
    return level


def _register_wide_division() -> tuple[str, ...]:
    """Give LLVM libgcc's 128-bit division; return the names registered."""
    try:
        libgcc = ctypes.CDLL("libgcc_s.so.1")
    except OSError:  # not a glibc system: there the compiler runtime already carries them
        return ()
    names = ("__udivti3", "__umodti3", "__divti3", "__modti3")
    for name in names:
        address = ctypes.cast(getattr(libgcc, name), ctypes.c_void_p).value
        llvm.add_symbol(name, address)
    return names


WIDE_DIVISION = _register_wide_division()
