"""Time a user waits: the whole study from files to pages, warm and with an empty kernel cache.

Targets: 20 s warm, 60 s cold, and ``eventtape --help`` under 0.7 s, on two cores. Real data where
the data folder is there, else the simulated night, which the table says.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from eventtape.cli.wiring import data_folder
from table import show

PROGRAM = (sys.executable, "-c", "from eventtape.cli import main; main()")


def main() -> None:
    folder = data_folder(None)
    data = ("--data", str(folder)) if folder else ("--simulate", "1")
    what = "real night" if folder else "simulated night (no data folder)"
    with tempfile.TemporaryDirectory() as scratch:
        out = ("--out", f"{scratch}/out", "--lake", f"{scratch}/lake")
        cache = {"NUMBA_CACHE_DIR": f"{scratch}/kernels"}
        cold = _timed("diffusion", *data, *out, env=cache)
        kernels = sum(1 for _ in Path(scratch, "kernels").rglob("*.nbc"))
        warm = min(_timed("diffusion", *data, *out, env=cache) for _ in range(3))
    told = min(_timed("--help") for _ in range(5))
    show(
        f"The diffusion study, {what}",
        [
            (
                "whole study, empty kernel cache",
                f"{cold:.2f} s",
                "60 s",
                f"{kernels} kernels built",
            ),
            ("whole study, warm, best of 3", f"{warm:.2f} s", "20 s", "same command"),
            ("eventtape --help, best of 5", f"{told:.2f} s", "0.7 s", ""),
        ],
        ("what", "measured", "target", "note"),
    )


def _timed(*arguments: str, env: dict[str, str] | None = None) -> float:
    begin = time.perf_counter()
    subprocess.run(
        [*PROGRAM, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
    )
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
