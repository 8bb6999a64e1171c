"""Run by bench_implied_vol.py in its own environment: implied volatilities by PyFENG.

Arguments: the input .npz, the output .npz. Prints the shortest time of each size in seconds.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import pyfeng


def main(source: str, target: str) -> None:
    warnings.simplefilter("ignore")
    data = np.load(source)
    model = pyfeng.Bsm(sigma=None, intr=float(data["rate"]), is_fwd=True)
    found = {}
    for n in data["sizes"]:
        columns = [data[name][:n].copy() for name in ("price", "strike", "forward", "tau")]
        sign = np.where(data["is_call"][:n], 1.0, -1.0)
        shortest = float("inf")
        for _ in range(int(4_000_000 // n)):
            begin = time.perf_counter()
            vols = model.impvol(*columns, cp=sign)
            shortest = min(shortest, time.perf_counter() - begin)
        found[str(n)] = vols
        print(shortest)
    np.savez(target, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
