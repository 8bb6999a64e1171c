"""The size of an event with its interval against a search for the least rough curve, without one.

Target: at least 5 times scipy's search. The search is the seed's trial and error done by scipy:
over the size, the sum of squared second differences of the stripped vols, written in numpy on
arrays prepared beforehand; by ``brute`` on a grid of .1% and its own polish, and by the bounded
``minimize_scalar``. Equal: the surface; their sizes stand side by side with ours and the truth.
Ours is the whole answer: sizes, intervals, base with its band, weekend, ridges. Processor time,
best of several.
"""

from __future__ import annotations

import math
import time

import numpy as np
from scipy.optimize import brute, minimize_scalar

from eventtape.clock import parse_ns
from eventtape.estimators.premium import event_premium as rooms
from eventtape.simulate.premium_surfaces import DESIGNS, ELECTION, premium_surface
from table import show

RANGE = (0.0, 0.16)
KNOWN = {"fomc": (0.02, 0.005)}


def main() -> None:
    rows = []
    for design in DESIGNS:
        surface = premium_surface(1, design)
        term, events = surface.term, surface.events
        rough = roughness(term)
        ours, found = best_of(lambda t=term, e=events: rooms.event_premium(t, e, known=KNOWN))
        interval = f"{found.size[0]:.2%} [{found.lower[0]:.2%}, {found.upper[0]:.2%}]"
        peers = {
            "brute, .1% grid, fmin polish": lambda r=rough: float(
                brute(r, (slice(*RANGE, 0.001),))[0]
            ),
            "minimize_scalar, bounded": lambda r=rough: float(
                minimize_scalar(r, bounds=RANGE, method="bounded").x
            ),
        }
        for name, search in peers.items():
            theirs, size = best_of(search)
            rows.append((
                design, name, f"{theirs * 1e3:.3f} ms", f"{ours * 1e3:.3f} ms",
                f"{theirs / ours:.1f}x", f"{size:.2%}, none", interval, f"{surface.size:.2%}",
            ))  # fmt: skip
    show(
        "One term structure of 14 expiries, an election and 8 meetings",
        rows,
        ("surface", "scipy", "search", "fit with interval", "ratio", "its size, interval",
         "our size, interval", "truth"),
    )  # fmt: skip


def roughness(term):
    """The seed's objective: how much the stripped vols bend from row to row."""
    variance, days = term.variance, term.days
    flags = (term.expiries_ns > parse_ns(ELECTION)).astype(float)

    def bend(size):
        left = variance - float(np.asarray(size).item()) ** 2 * flags
        if left.min() < 0.0:
            return math.inf
        return float(np.sum(np.diff(np.sqrt(left / days * 365.0), 2) ** 2))

    return bend


def best_of(run, repeats=5, times=50):
    """Processor time of one run, the best of several batches, and the answer."""
    answer, shortest = run(), math.inf
    for _ in range(repeats):
        begin = time.process_time()
        for _ in range(times):
            run()
        shortest = min(shortest, (time.process_time() - begin) / times)
    return shortest, answer


if __name__ == "__main__":
    main()
