"""LLVM turns this loop into a 128-bit division that numba does not supply.

Without the cure in ``arrays`` the process dies or says ``Symbol not found: __udivti3``, so the
kernels are compiled in a process of their own.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

WIDTHS = (1_000_000_000, 60_000_000_000, 7, 3)
KERNEL = """
from __future__ import annotations
import numpy as np
import eventtape.arrays
from numba import njit

ts = np.array([0, 5, 1_000_000_007, 3_500_000_000_001, 7_000_000_000_000_000_000], np.int64)
last = int(ts[-1])
"""
LOOP = """
@njit
def run(ts, first):
    nxt, made = first, 0
    for t in ts:
        while t >= nxt:
            nxt += {width}
            made += 1
    return nxt, made

nxt, made = run(ts, np.int64(-3))
made_wanted = (last + 3) // {width} + 1
print({width}, nxt == made_wanted * {width} - 3, made == made_wanted)
"""


def test_constant_width_loops_run_after_arrays():
    done = subprocess.run(
        [sys.executable, "-c", KERNEL + "".join(LOOP.format(width=width) for width in WIDTHS)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-800:]
    assert done.stdout.splitlines() == [f"{width} True True" for width in WIDTHS]


def test_library_names_are_registered():
    import llvmlite.binding as llvm

    from eventtape.arrays import WIDE_DIVISION

    if not WIDE_DIVISION:
        pytest.skip("no libgcc_s here: the compiler runtime carries the division")
    for name in ("__udivti3", "__umodti3", "__divti3", "__modti3"):
        assert name in WIDE_DIVISION
        assert llvm.address_of_symbol(name)
