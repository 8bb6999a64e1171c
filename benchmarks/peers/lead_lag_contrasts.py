"""The lead-lag package's answers and times, in its own environment: ticks in, contrasts out.

Only ``run_inference`` is timed, on one thread: not the laying out of the ticks on a grid of
seconds, which the package does in the constructor and which takes it longer still.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from lead_lag import LeadLag


def main(folder: Path, max_lag: int, repeats: int) -> None:
    tx, x, ty, y = (np.load(folder / f"{name}.npy") for name in ("tx", "x", "ty", "y"))
    sides = [
        pd.Series(v, pd.DatetimeIndex(t.view("datetime64[ns]"))) for t, v in ((tx, x), (ty, y))
    ]
    model = LeadLag(*sides, max_lag)
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        model.run_inference(num_threads=1)
        best = min(best, time.perf_counter() - begin)
    np.save(folder / "contrasts.npy", np.asarray(model.contrasts, np.float64))
    print(json.dumps({"seconds": best, "lag_s": float(model.lead_lag), "ratio": float(model.llr)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
