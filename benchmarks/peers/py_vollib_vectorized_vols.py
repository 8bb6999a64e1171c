"""Run by bench_implied_vol.py in its own environment: implied volatilities, py_vollib_vectorized.

Arguments: the input .npz, the output .npz. Prints the shortest time of each size in seconds.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from py_vollib_vectorized import vectorized_implied_volatility_black


def main(source: str, target: str) -> None:
    data = np.load(source)
    found = {}
    for n in data["sizes"]:
        price, forward, strike, tau = (
            data[name][:n].copy() for name in ("price", "forward", "strike", "tau")
        )
        right = np.where(data["is_call"][:n], "c", "p")
        shortest = float("inf")
        for _ in range(int(4_000_000 // n)):
            begin = time.perf_counter()
            vols = vectorized_implied_volatility_black(
                price, forward, strike, float(data["rate"]), tau, right,
                on_error="ignore", return_as="numpy",
            )  # fmt: skip
            shortest = min(shortest, time.perf_counter() - begin)
        found[str(n)] = np.asarray(vols).ravel()
        print(shortest)
    np.savez(target, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
