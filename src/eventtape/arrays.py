"""Array aliases, the fate of a result, and the two repairs that numba kernels need.

Import this module before defining a kernel: LLVM may turn ``while t >= nxt: nxt += w`` into a
128-bit division that numba does not supply, which crashes the process. Registering libgcc's
routines with LLVM cures it, for kernels loaded from the cache too.

A cached kernel does not notice that a jitted function or a constant of another file has changed,
and goes on giving the old numbers: a kernel that uses such a file says so with :func:`watches`.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from eventtape.errors import InputError

__all__ = ["BoolArray", "FloatArray", "IntArray", "Status", "check_level", "watches"]

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


_WATCHED: dict[str, frozenset[str]] = {}


def watches(*modules: ModuleType) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: the cached kernel under it is compiled again when a module's source changes.

    It stands above ``@njit(cache=True)`` and names the files whose jitted functions or constants
    the kernel uses; what those files watch themselves is watched too. The kernel must be compiled
    lazily: one with signatures is loaded from the cache before this can say what it hangs on.

    >>> from numba import njit
    >>> import eventtape.errors as used
    >>> twice = watches(used)(njit(lambda x: 2.0 * x))
    >>> twice(4.0)
    8.0
    """

    def watching(kernel: Callable[..., Any]) -> Callable[..., Any]:
        if not hasattr(kernel, "py_func"):  # numba switched off: plain Python is never stale
            return kernel
        if kernel.signatures:  # type: ignore[attr-defined]
            raise InputError("a kernel compiled lazily, without signatures", met=repr(kernel))
        home = kernel.py_func.__code__.co_filename
        files = {str(module.__file__) for module in modules}
        files = files.union(*(_WATCHED.get(file, ()) for file in files))
        _WATCHED[home] = _WATCHED.get(home, frozenset()) | files
        index = getattr(kernel._cache, "_cache_file", None)  # type: ignore[attr-defined] # noqa: SLF001
        if index is not None:  # else it is not cached at all
            stamps = [hashlib.sha256(Path(file).read_bytes()).digest() for file in sorted(files)]
            index._source_stamp = (index._source_stamp, *stamps)  # noqa: SLF001
        return kernel

    return watching


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
