"""Implied volatility: 200,000 quotes and 400, calls and puts, in and out of the money, one core.

Targets: at least 3 million a second, 4 times py_vollib_vectorized, 1.5 times PyFENG at 200,000 and
4 times at 400. Forward 100, vol 10-80%, one week to two years, strikes up to three standard
deviations, prices by ``black_price`` discounted at 3%. As many runs of each; ours before and after.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from eventtape.estimators.pricing.black import black_price
from eventtape.estimators.pricing.implied_vol import implied_vol
from peer_environment import HERE, peer_python
from table import best_of, show

SIZES, RATE = (200_000, 400), 0.03
PEERS = ("py_vollib_vectorized", "pyfeng")


def main() -> None:
    rng = np.random.default_rng(0)
    n = max(SIZES)
    vol, tau = rng.uniform(0.1, 0.8, n), rng.uniform(1.0 / 52.0, 2.0, n)
    forward, is_call = np.full(n, 100.0), rng.random(n) < 0.5
    strike = forward * np.exp(vol * np.sqrt(tau) * rng.uniform(-3.0, 3.0, n))
    discount = np.exp(-RATE * tau)
    price = black_price(forward, strike, tau, vol, is_call=is_call, discount=discount)

    def ours(n):
        return implied_vol(
            price[:n], forward[:n], strike[:n], tau[:n], is_call=is_call[:n], discount=discount[:n]
        )

    classes = {
        "call, out": is_call & (strike > forward),
        "put, out": ~is_call & (strike < forward),
        "call, in": is_call & (strike <= forward),
        "put, in": ~is_call & (strike >= forward),
    }
    times = {size: best_of(lambda size=size: ours(size), 2_000_000 // size) for size in SIZES}
    columns = {"price": price, "forward": forward, "strike": strike, "tau": tau}
    rows, errors = [], [_errors("eventtape", ours(n).vol, vol, classes)]
    for peer in PEERS:
        theirs, found = _peer(peer, **columns, is_call=is_call, rate=RATE, sizes=np.array(SIZES))
        for size, time in zip(SIZES, theirs, strict=True):
            mine = min(times[size], best_of(lambda size=size: ours(size), 2_000_000 // size))
            rows.append((
                peer, f"{size:,}", f"{size / time / 1e6:,.2f} M/s", f"{size / mine / 1e6:,.1f} M/s",
                f"{mine * 1e6:,.0f} us", f"{time / mine:,.1f}x",
            ))  # fmt: skip
        errors.append(_errors(peer, found, vol, classes))
    show("Implied volatility", rows, ("peer", "quotes", "peer", "eventtape", "a call", "ratio"))
    show(
        f"Relative error of the volatility over {n:,} quotes: median, largest (unanswered)",
        errors,
        ("", *classes),
    )


def _errors(name, found, vol, classes) -> tuple[str, ...]:
    """In the money, the time value is the last digits of the price: there all must lose some."""
    cells = []
    for of_class in classes.values():
        off = np.abs(found[of_class] / vol[of_class] - 1.0)
        answered = off[np.isfinite(off)]
        lost = off.size - answered.size
        cells.append(f"{np.median(answered):.1e}, {answered.max():.1e} ({lost})")
    return name, *cells


def _peer(name, **columns):
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(source, **columns)
        command = [peer_python(name), HERE / "peers" / f"{name}_vols.py", source, target]
        one_core = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        said = subprocess.run(command, check=True, capture_output=True, text=True, env=one_core)
        with np.load(target) as found:
            return [float(t) for t in said.stdout.split()[-len(SIZES) :]], found[str(max(SIZES))]


if __name__ == "__main__":
    main()
