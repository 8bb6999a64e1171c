"""A cached kernel whose callee lives in another file: numba alone goes on with the old callee.

One process of its own, with a cache of its own, imports three files again and again as sessions of
a user would, the innermost one changed in between.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SESSIONS = '''
import importlib, sys
from pathlib import Path

INNER = """
from numba import njit
SCALE = {scale}

@njit(cache=True)
def inner(x):
    return SCALE * x
"""
OUTER = """
import {callee}_file
from numba import njit
{above}

@watches({callee}_file)
@njit(cache=True)
def {name}(x):
    return 10.0 * {callee}_file.{callee}(x) + 1.0
"""

def session(scale, above):
    Path("inner_file.py").write_text(INNER.format(scale=scale))
    for name, callee in (("middle", "inner"), ("outer", "middle")):
        made = OUTER.format(name=name, callee=callee, above=above)
        Path(f"{name}_file.py").write_text(made)
    for name in ("inner_file", "middle_file", "outer_file"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    outer = importlib.import_module("outer_file").outer
    print(outer(1.0), sum(outer.stats.cache_hits.values()))

sys.path.insert(0, "")
watching = "from eventtape.arrays import watches"
blind = "watches = lambda *modules: lambda kernel: kernel"
for scale, above in ((2, watching), (2, watching), (5, watching), (2, blind), (5, blind)):
    session(scale, above)
'''


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """Value and cache hits of each session."""
    folder = tmp_path_factory.mktemp("sessions")
    said = subprocess.run(
        [sys.executable, "-B", "-c", SESSIONS],
        cwd=folder,
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache")},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    ).stdout
    return [tuple(map(float, line.split())) for line in said.splitlines()]


def test_a_kernel_follows_the_files_it_watches(sessions):
    """Two files down: what a watched file watches is watched too."""
    compiled, unchanged, changed = sessions[:3]
    assert compiled == (211.0, 0.0)
    assert unchanged == (211.0, 1.0)
    assert changed == (511.0, 0.0)


def test_the_trap_is_still_there(sessions):
    """Where numba mends it, ``watches`` has done its work and can go."""
    assert sessions[3:] == [(211.0, 0.0), (211.0, 1.0)]


def test_a_kernel_with_signatures_is_refused():
    from numba import njit

    import eventtape.errors as used
    from eventtape.arrays import watches
    from eventtape.errors import InputError

    with pytest.raises(InputError, match="compiled lazily"):
        watches(used)(njit("f8(f8)")(lambda x: x))
