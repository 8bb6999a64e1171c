"""LLVM turns this loop into a 128-bit division that numba does not supply.

Without the cure in ``arrays`` the process dies or says ``Symbol not found: __udivti3``, so each
kernel is compiled in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

KERNEL = """
from __future__ import annotations
import numpy as np
{cure}
from numba import njit

@njit
def run(ts, first):
    nxt, made = first, 0
    for t in ts:
        while t >= nxt:
            nxt += {width}
            made += 1
    return nxt, made

ts = np.array([0, 5, 1_000_000_007, 3_500_000_000_001, 7_000_000_000_000_000_000], np.int64)
nxt, made = run(ts, np.int64(-3))
last = int(ts[-1])
made_wanted = (last + 3) // {width} + 1
print(nxt == made_wanted * {width} - 3, made == made_wanted)
"""


@pytest.mark.parametrize("width", [1_000_000_000, 60_000_000_000, 7, 3])
def test_constant_width_loop_runs_after_arrays(width):
    done = subprocess.run(
        [sys.executable, "-c", KERNEL.format(cure="import eventtape.arrays", width=width)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-800:]
    assert done.stdout.split() == ["True", "True"]


def test_library_names_are_registered():
    import llvmlite.binding as llvm

    from eventtape.arrays import WIDE_DIVISION

    if not WIDE_DIVISION:
        pytest.skip("no libgcc_s here: the compiler runtime carries the division")
    for name in ("__udivti3", "__umodti3", "__divti3", "__modti3"):
        assert name in WIDE_DIVISION
        assert llvm.address_of_symbol(name)
