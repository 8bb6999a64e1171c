"""A scenario grid of 100 spots by 100 volatilities by 4 legs, against QuantLib called per point.

The position is the calendar strangle of the election of 2024: three of the 55,000/72,000 strangle
of 34 days sold, one of 65,000/75,000 of 174 days bought, forward 62,000. Target: at least 50 times
as fast as the faster of QuantLib's BlackCalculator and AnalyticEuropeanEngine, equal prices. The
bare blackFormula, which checks and builds nothing, is shown beside them. One thread each, seconds
of the processor.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from eventtape.estimators.positions.legs import calendar_strangle, strangle
from eventtape.estimators.positions.scenarios import scenario_grid
from eventtape.estimators.positions.value import DAY_NS
from peer_environment import HERE, peer_python
from table import show

FORWARD, TODAY, DAYS = 62_000.0, 1_728_086_400_000_000_000, (34, 174)
SPOTS, VOLS = np.linspace(-0.4, 0.4, 100), np.linspace(-0.3, 0.3, 100)


def main() -> None:
    near, far = (
        strangle(*strikes, TODAY + days * DAY_NS, vol)
        for strikes, days, vol in zip(
            ((55e3, 72e3), (65e3, 75e3)), DAYS, (0.5523, 0.5778), strict=True
        )
    )
    held = calendar_strangle(near, far, (-3.0, 1.0))

    def ours():
        return scenario_grid(held, SPOTS, VOLS, TODAY, forward=FORWARD, premium=0.0)[0]

    grid, mine = ours(), _best_of(ours, 100)
    points = grid.size * held.strike.size
    rows = [("eventtape", f"{mine * 1e3:.3f} ms", f"{mine / points * 1e9:,.0f} ns", "", "")]
    size = float(np.abs(held.quantity).sum() * FORWARD)
    for name, peer in _quantlib(held).items():
        seconds, gap = peer["seconds"], np.abs(np.array(peer["grid"]) - grid).max()
        rows.append(
            (
                name,
                f"{seconds * 1e3:.1f} ms",
                f"{seconds / points * 1e9:,.0f} ns",
                f"{seconds / mine:,.0f}x",
                f"{gap:.1e} dollars, {gap / size:.0e} of the notional",
            )
        )
    show(
        f"Scenario grid, {grid.shape[0]} x {grid.shape[1]} x {held.strike.size} legs",
        rows,
        ("method", "grid", "one price", "slower by", "largest difference"),
    )


def _best_of(job, repeats):
    shortest = float("inf")
    for _ in range(repeats):
        begin = time.process_time()
        job()
        shortest = min(shortest, time.process_time() - begin)
    return shortest


def _quantlib(held):
    columns = (held.quantity, held.strike, held.is_call, held.vol)
    legs = [
        {
            "quantity": float(q), "strike": float(K), "is_call": bool(right),
            "vol": float(vol), "days": DAYS[leg // 2],
        }
        for leg, (q, K, right, vol) in enumerate(zip(*columns, strict=True))
    ]  # fmt: skip
    given = {
        "forwards": (FORWARD * (1.0 + SPOTS)).tolist(),
        "vol_moves": VOLS.tolist(),
        "legs": legs,
    }
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.json", Path(folder) / "out.json"
        source.write_text(json.dumps(given))
        command = [peer_python("quantlib"), HERE / "peers" / "quantlib_scenarios.py"]
        subprocess.run([*command, source, target], check=True)
        return json.loads(target.read_text())


if __name__ == "__main__":
    main()
