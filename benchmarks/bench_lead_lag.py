"""The Hoffmann-Rosenbaum-Yoshida contrast against the lead-lag package 2.3 (Cython), one thread.

Target: 21 lags at least 100 times the package at 5,000 and at 50,000 ticks a side; time in
proportion to the ticks, at any real lag.

Where the definitions coincide the values are equal to the last bit: the package gives |C| over the
roots of both sums of squared moves, each plus 1e-8. Levels are whole numbers, so that sums are
exact in any order; stamps are whole seconds, since the package lays ticks on a grid (100
microseconds at the finest) and takes lags in its steps; and Y is quoted before X begins and after
it ends, since the package loses ticks of X outside the span of Y. Not alike by definition: the
package's ratio is of sums of |C|, ours (as in the paper) of sums of C^2, and the package has
neither interval nor test. The R package highfrequency is not run here: its test data (two symbols,
AAA and ETF) are not among ours.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from eventtape.estimators.discovery.lead_lag import contrasts, lead_lag
from peer_environment import HERE, peer_python
from table import best_of, show

S = 10**9
MAX_LAG = 10
LAGS = np.arange(-MAX_LAG, MAX_LAG + 1) * S
LATE = 3  # true lag of Y, seconds

Ticks = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def ticks(n: int, seed: int = 0) -> Ticks:
    """One walk of whole steps seen at two sets of ``n`` random seconds, four seconds apart."""
    rng = np.random.default_rng(seed)
    span, pad = 4 * n, 2 * MAX_LAG
    walk = np.cumsum(rng.integers(-9, 10, span + 2 * pad)).astype(float)
    own = np.cumsum(rng.integers(-2, 3, span + 2 * pad)).astype(float)
    tx = np.sort(rng.choice(span, n, replace=False)) + pad
    ty = np.sort(rng.choice(span, n - 2, replace=False)) + pad
    ty = np.r_[pad - MAX_LAG - 1, ty, span + pad + MAX_LAG]
    return tx * S, walk[tx], ty * S, walk[ty - LATE] + own[ty]


def peer(data: Ticks, repeats: int) -> tuple[np.ndarray, dict[str, float]]:
    """The package's normalised contrasts, and its seconds, lag and ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for column, values in zip(("tx", "x", "ty", "y"), data, strict=True):
            np.save(folder / f"{column}.npy", values)
        script = [str(HERE / "peers" / "lead_lag_contrasts.py"), name, str(MAX_LAG), str(repeats)]
        said = subprocess.run(
            [str(peer_python("lead_lag")), *script], check=True, capture_output=True, text=True
        )
        return np.load(folder / "contrasts.npy"), json.loads(said.stdout)


def as_package(data: Ticks, contrast: np.ndarray) -> np.ndarray:
    """|C| over the product of the norms, as the package defines it."""
    norm = [np.sqrt(np.sum(np.diff(v) ** 2)) + 1e-8 for v in (data[1], data[3])]
    return np.abs(contrast) / (norm[0] * norm[1])


def against_the_package() -> list[tuple[str, ...]]:
    rows = []
    for n, repeats in ((5_000, 3), (50_000, 2)):
        data = ticks(n)
        theirs, said = peer(data, repeats)
        np.testing.assert_array_equal(as_package(data, contrasts(*data, LAGS)), theirs)
        ours = best_of(lambda data=data: contrasts(*data, LAGS), 21)
        rows.append(row("contrasts", n, said["seconds"], ours, "all 21 values, every bit"))
        found = lead_lag(*data, LAGS)
        assert found.lower <= LATE <= found.upper
        assert abs(found.lag_s - said["lag_s"]) <= 1.0
        whole = best_of(lambda data=data: lead_lag(*data, LAGS), 5)
        equal = f"lag {found.lag_s:.2f} and {said['lag_s']:g}; package: no test, no interval"
        rows.append(row("lead_lag: test, interval", n, said["seconds"], whole, equal))
    return rows


def row(what: str, n: int, theirs: float, ours: float, equal: str) -> tuple[str, ...]:
    each = ours / (n * LAGS.size) * 1e9
    times = (f"{theirs * 1e3:,.0f} ms", f"{ours * 1e3:,.2f} ms")
    return what, f"{n:,}", *times, f"{each:.1f}", f"{theirs / ours:,.0f}x", equal


def in_proportion() -> list[tuple[str, ...]]:
    """Twice the ticks, twice the time: lags that are no multiple of any step."""
    rows, before = [], 0.0
    lags = LAGS + 123_456_789
    for n in (50_000, 100_000, 200_000, 400_000):
        data = ticks(n, 1)
        ours = best_of(lambda data=data: contrasts(*data, lags), 9)
        ratio = f"{ours / before:.2f}x the row above" if before else ""
        each = ours / (n * lags.size) * 1e9
        rows.append((f"{n:,}", f"{ours * 1e3:,.2f} ms", f"{each:.2f}", ratio))
        before = ours
    return rows


def main() -> None:
    header = ("what", "ticks a side", "lead-lag", "eventtape", "ns/tick/lag", "ratio", "equal")
    show("Lead-lag at 21 lags, one thread", against_the_package(), header)
    header = ("ticks a side", "21 real lags", "ns/tick/lag", "twice the ticks")
    show("Time in proportion to ticks", in_proportion(), header)


if __name__ == "__main__":
    main()
