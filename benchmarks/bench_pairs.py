"""All 820 pairs of 41 prices against statsmodels' VECM, a thread each, in one run.

Targets: at least 1,000 times statsmodels for IS, CS, PDS and PILS of all pairs at one lag from the
panel's moments; a rolling update in at most 1 ms; 999-draw intervals of all pairs in at most 1 s,
measured and not scaled up.

statsmodels fits each of the 820 pairs and hands over alpha, beta and the residual covariance, from
which the shares are read. Ours is timed from the moments, which the rolling update has at hand, and
from the prices, where forming rows and products is most of the time. The redraw has no peer: it is
timed for all 820 pairs, whatever their tests say, and the whole call for as many as pass.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy: a thread each, as the title says

import math

import numpy as np
from statsmodels.tsa.vector_ar.vecm import VECM

from eventtape.estimators.discovery.pair_kernel import COLUMNS, centred, solve_pairs
from eventtape.estimators.discovery.pair_redraw import block_count, spreads
from eventtape.estimators.discovery.pair_rows import PairRows, pair_columns, pair_rows
from eventtape.estimators.discovery.pairs import pair_discovery
from eventtape.estimators.discovery.rolling_pairs import start, step
from eventtape.estimators.discovery.vecm_moments import moments
from eventtape.simulate.price_leaders import yan_zivot
from table import best_of, show

SERIES, ROWS, DAY, DRAWS, UPDATES = 41, 390, 23_400, 999, 500


def market(n_rows: int) -> np.ndarray:
    """Prices of one trend, each at its own speed and with its own load on one noise."""
    speeds, noise = np.linspace(0.3, 0.9, SERIES), np.linspace(-1.5, 1.5, SERIES)
    return yan_zivot(1, n_rows, speeds, noise).log_prices


def peer(x: np.ndarray) -> np.ndarray:
    """IS first and last, CS, PDS and PILS of the first of each pair, statsmodels' estimates."""
    first, second = pair_columns(SERIES, None)
    out = np.empty((first.size, 5))
    for p in range(first.size):
        model = VECM(x[:, [first[p], second[p]]], k_ar_diff=1, coint_rank=1, deterministic="co")
        fit = model.fit()
        (a0, a1), slope, omega = fit.alpha[:, 0], -fit.beta[1, 0], fit.sigma_u
        psi = np.array([a1, -a0])  # shares do not depend on the scale of the trend
        c = omega @ psi
        variance = psi @ c
        precision = omega[1, 1] / (omega[0, 0] * omega[1, 1] - omega[0, 1] ** 2)
        speed = np.array([c[0] / slope, c[1]])
        out[p] = (
            c[0] ** 2 / (omega[0, 0] * variance),
            psi[0] ** 2 / (precision * variance),
            slope * psi[0] / (slope * psi[0] + psi[1]),
            psi[0] * c[0] / variance,
            speed[0] ** 2 / (speed @ speed),
        )
    return out


def table(panel: PairRows) -> np.ndarray:
    """The kernel's table of all pairs."""
    first, second = pair_columns(SERIES, None)
    out = np.empty((first.size, len(COLUMNS)))
    solve_pairs(panel.cross, SERIES, 1, panel.rows, first, second, out)
    return out


def ours(x: np.ndarray) -> np.ndarray:
    """The same five measures, from the prices."""
    sums, size = moments(x, 1), 3 * SERIES
    first, second = pair_columns(SERIES, None)
    cross, out = np.zeros((size, size)), np.empty((first.size, len(COLUMNS)))
    centred(sums.cross, size, cross)
    solve_pairs(cross, SERIES, 1, float(sums.n_rows), first, second, out)
    return measures(out)


def measures(found: np.ndarray) -> np.ndarray:
    at = [COLUMNS.index(name) for name in ("is_first", "is_last", "component", "pds", "angle")]
    out = found[:, at]
    out[:, 4] = np.sin(out[:, 4]) ** 2
    return out


def main() -> None:
    x = market(ROWS)
    apart = np.abs(ours(x) / peer(x) - 1.0).max()
    assert apart < 1e-6
    theirs = best_of(lambda: peer(x), 2)
    mine = best_of(lambda: ours(x), 20)
    panel = pair_rows(x, 1, None, 10.0)
    algebra = best_of(lambda: measures(table(panel)), 50)
    equal = f"5 measures to {apart:.0e}"
    rows = [
        ("820 pairs, from moments", ms(theirs), ms(algebra), f"{theirs / algebra:,.0f}x", equal),
        ("820 pairs, from prices", ms(theirs), ms(mine), f"{theirs / mine:,.0f}x", equal),
        rolled(),
    ]
    for n_rows in (ROWS, DAY):
        rows += redrawn(n_rows)
    header = ("41 series, one lag", "statsmodels", "eventtape", "ratio", "equal or measured")
    show("Pairs of prices, one thread", rows, header)


def rolled() -> tuple[str, ...]:
    """A window of 390 prices moved on price by price, every measure and test of all pairs."""
    x = market(ROWS + UPDATES)
    state, _ = step(start(SERIES, ROWS), x[:ROWS])
    shortest = math.inf
    for row in x[ROWS:]:
        held = state
        shortest = min(shortest, best_of(lambda: step(held, row), 1))  # noqa: B023
        state, answer = step(state, row)
    fresh = measures(table(pair_rows(x[UPDATES:], 1, None, 10.0)))
    kept = answer.identified
    rows = (answer.is_first, answer.is_last, answer.component, answer.pds, answer.pils)
    apart = np.abs(np.stack(rows, axis=1)[kept] / fresh[kept] - 1.0).max()
    assert apart < 1e-6
    note = f"{kept.sum()} identified to {apart:.0e} of the window fitted afresh"
    return "update, 820 pairs", "-", ms(shortest), "-", note


def redrawn(n_rows: int) -> list[tuple[str, ...]]:
    """999 draws of all 820 pairs, and the whole call with its tests."""
    x = market(n_rows)
    panel = pair_rows(x, 1, None, 10.0)
    first, second = pair_columns(SERIES, None)
    found, blocks = table(panel), block_count(panel, None)
    draws = best_of(lambda: spreads(panel, first, second, found, blocks, DRAWS, 0), 5)
    out = pair_discovery(x, 1, n_draws=DRAWS)
    whole = best_of(lambda: pair_discovery(x, 1, n_draws=DRAWS), 3)
    passed = int(np.isfinite(out.pils_lower).sum())
    name = f"{DRAWS} draws, T = {n_rows:,}"
    return [
        (name, "none", ms(draws), "-", f"820 pairs, {blocks} blocks, measured"),
        (f"whole call, T = {n_rows:,}", "none", ms(whole), "-", f"{passed} pairs pass"),
    ]


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.2f} ms"


if __name__ == "__main__":
    main()
