"""tclf's answers and times, in tclf's own environment: columns.npy in, answers and seconds out.

Only ``predict`` is timed. tclf reads a matrix; both memory orders are tried, the better one counts.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from tclf.classical_classifier import ClassicalClassifier

COLUMNS = {
    "quote": ["trade_price", "bid_ex", "ask_ex"],
    "tick": ["trade_price", "price_ex_lag"],
    "rev_tick": ["trade_price", "price_ex_lead"],
}


def main(folder: Path, rules: list[str], repeats: int) -> None:
    seconds = {}
    for rule in rules:
        both = ["trade_price", "bid_ex", "ask_ex"]
        names = COLUMNS.get(rule, [*both, f"price_ex_{'lead' if 'rev' in rule else 'lag'}"])
        columns = [np.load(folder / f"{name}.npy") for name in names]
        best = float("inf")
        for order in ("F", "C"):
            X = np.empty((columns[0].size, len(columns)), order=order)
            for i, column in enumerate(columns):
                X[:, i] = column
            model = ClassicalClassifier([(rule, "ex")], features=names, strategy="const")
            model.fit(X[:1_000])
            for _ in range(repeats):
                begin = time.perf_counter()
                signs = model.predict(X)
                best = min(best, time.perf_counter() - begin)
        np.save(folder / f"{rule}.npy", signs.astype(np.int8))
        seconds[rule] = best
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2].split(","), int(sys.argv[3]))
