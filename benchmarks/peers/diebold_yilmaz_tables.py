"""diebold-yilmaz's tables and times, in its own environment: returns in, table and seconds out.

Timed twice: from returns (its ``fit_var``, which is statsmodels' VAR, and its ``connectedness``),
and, for the rolling row, the same over every window. Warmed up once; the shortest run counts.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from diebold_yilmaz import connectedness
from diebold_yilmaz.fit import fit_var


def main(folder: Path, horizon: int, window: int, every: int, repeats: int) -> None:
    x = np.load(folder / "returns.npy")
    long = np.load(folder / "long.npy")
    seconds = {"one": float("inf"), "rolling": float("inf")}
    for _ in range(repeats):
        begin = time.perf_counter()
        psi, sigma, _ = fit_var(x, 1, horizon=horizon)
        one = connectedness(psi, sigma)
        seconds["one"] = min(seconds["one"], time.perf_counter() - begin)
    begin = time.perf_counter()
    rolled = []
    for end in range(window, long.shape[0] + 1, every):
        psi, sigma, _ = fit_var(long[end - window : end], 1, horizon=horizon)
        answer = connectedness(psi, sigma)
        rolled.append(np.r_[answer.total_index, answer.net])
    seconds["rolling"] = time.perf_counter() - begin
    np.save(folder / "table.npy", one.table / 100.0)
    np.save(folder / "rolled.npy", np.array(rolled) / 100.0)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(a) for a in sys.argv[2:]))
