"""Run by bench_rolling_beta.py in its own environment: betas by polars-ols, one thread.

Arguments: the input .npz, the output .npy. Prints the shortest time in seconds.
"""

from __future__ import annotations

import os
import sys
import time

os.environ["POLARS_MAX_THREADS"] = "1"

import numpy as np
import polars as pl
import polars_ols  # noqa: F401 - registers its namespace


def main(source: str, target: str) -> None:
    data = np.load(source)
    y, x, window = data["y"], data["x"], int(data["window"])
    factors = [f"f{k}" for k in range(x.shape[1])]
    assets = [f"y{i}" for i in range(y.shape[1])]
    frame = pl.DataFrame(
        {name: x[:, k] for k, name in enumerate(factors)}
        | {name: y[:, i] for i, name in enumerate(assets)}
    )
    betas = [
        pl.col(name)
        .least_squares.rolling_ols(
            *(pl.col(factor) for factor in factors),
            window_size=window,
            min_periods=window,
            add_intercept=True,
            mode="coefficients",
        )
        .alias(name)
        for name in assets
    ]
    shortest = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        found = frame.select(betas)
        shortest = min(shortest, time.perf_counter() - begin)
    columns = [found[name].struct.unnest().select("const", *factors).to_numpy() for name in assets]
    np.save(target, np.stack(columns, axis=2))
    print(shortest)


if __name__ == "__main__":
    main(*sys.argv[1:])
