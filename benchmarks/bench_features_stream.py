"""The fourteen features live: csp with folds over batches against nautilus_trader tick by tick.

Target: at least 20 times its events a second, and the cost at 8,000 symbols against 40. The same
quotes and trades in the order of time, in memory on both sides, each side in a process of its own
on the same machine in one run. nautilus_trader has plain Python handlers that keep the sums of the
fourteen features and no more (``peers/nautilus_features.py``); its own objects are made before the
clock starts. It is asked for 40 symbols: at 8,000 it had not answered after a minute on a busy
machine, and why was not looked into. Counted against it is its data engine, the faster road.
Ours is the whole road from a batch to the answer: csp's cycle, the merge of the two feeds by time,
every check at the door, and all 31 features, through :func:`eventtape.stream.graph.replay`.

What is equal: counts, and every number of every bucket with an event to 1e-9 (sums in the same
order; their decimal prices come from fixed point).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from eventtape.clock import SECOND
from eventtape.stream.features import FeaturesFold
from eventtape.stream.fold import Node, Slice, program
from eventtape.stream.graph import replay
from eventtape.stream.order import Merged
from eventtape.tape.batch import HISTORY, Batch
from peer_environment import HERE, peer_python
from table import show

N, MINUTES, OPEN = 200_000, 2, 946_909_800 * SECOND
SIZES = (1_000, 10_000, 100_000)
TIME = pl.Datetime("ns", "UTC")
HEADER = (
    "symbols",
    "events a batch",
    "eventtape",
    "us a batch",
    "data engine",
    "backtest",
    "equal",
)


def events(symbols: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Five quotes to a trade on a cent grid, no two at one time; prices in cents."""
    rng = np.random.default_rng(seed)
    ts = np.unique(rng.integers(0, MINUTES * 60 * SECOND, N + N // 100))
    ts = np.sort(rng.choice(ts, N, replace=False)) + OPEN
    code = rng.integers(0, symbols, N)
    is_quote = rng.random(N) < 5.0 / 6.0
    base = 2_000 + 10 * (code % 500) + rng.integers(-8, 9, N)
    return {
        "ts": ts,
        "code": code,
        "is_quote": is_quote,
        "one": base,  # bid, or price
        "two": base + rng.integers(0, 5, N),  # ask
        "size": rng.integers(1, 9, N) * 100,
        "iso": rng.random(N) < 0.4,
        "names": np.array([f"S{k:04d}" for k in range(symbols)]),
    }


def frames(tape: dict[str, np.ndarray]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Trades and quotes as records."""
    names = tape["names"].tolist()
    symbol = pl.Series("symbol", names, dtype=pl.Enum(names)).gather(tape["code"])
    whole = pl.DataFrame([symbol, pl.Series("ts", tape["ts"]).cast(TIME)])
    size = tape["size"].astype(np.float64)
    quoted = tape["is_quote"]
    quotes = whole.with_columns(
        pl.Series("bid", tape["one"] / 100.0),
        pl.Series("bid_size", size),
        pl.Series("ask", tape["two"] / 100.0),
        pl.Series("ask_size", size),
    ).filter(quoted)
    trades = whole.with_columns(
        pl.Series("price", tape["one"] / 100.0),
        pl.Series("size", size),
        pl.Series("iso", tape["iso"]),
        pl.Series("eligible", np.ones(N, np.bool_)),
    ).filter(~quoted)
    return trades, quotes


def batches(tape: dict[str, np.ndarray], size: int) -> list[Batch]:
    """Stored batches, of each feed in turn: ``size`` events of both together."""
    trades, quotes = frames(tape)
    is_quote = tape["is_quote"]
    before = np.r_[0, np.cumsum(is_quote)]
    out = []
    for low in range(0, N, size):
        high = min(low + size, N)
        q = before[low], before[high]
        t = low - q[0], high - q[1]
        for feed, record, frame, (a, b) in (
            ("trades", "equity trade", trades, t),
            ("quotes", "quote", quotes, q),
        ):
            if b > a:
                out.append(Batch(feed, record, frame[a:b], np.arange(a, b), HISTORY))
    return out


def ours(tape: dict[str, np.ndarray], size: int, repeats: int) -> tuple[float, int, pl.DataFrame]:
    """Seconds of the best run, its batches and its rows."""
    cut = batches(tape, size)
    span = max(1, int(np.diff(tape["ts"][::size], append=tape["ts"][-1]).max()))
    nodes = program(
        (
            Node("merged", ("trades", "quotes"), Merged(lateness_ns=2 * span), feeds=True),
            Node("features", ("merged",), FeaturesFold("trades", "quotes")),
        )
    )
    best = float("inf")
    for _ in range(repeats):
        rows: list[pl.DataFrame] = []

        def keep(name: str, answer: Slice, _batch: Batch | None, rows: list = rows) -> None:
            if name == "features":
                rows.append(answer.frames["features"])

        begin = time.perf_counter()
        states = replay(nodes, cut, keep)
        best = min(best, time.perf_counter() - begin)
    assert states["merged"].late == {"trades": 0, "quotes": 0}
    return best, len(cut), pl.concat(rows)


def peer(tape: dict[str, np.ndarray], repeats: int) -> tuple[dict[str, float], np.ndarray]:
    """Events a second of the peer's two roads, and its rows."""
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "events.npz", **tape)
        script = HERE / "peers" / "nautilus_features.py"
        command = [str(peer_python("nautilus")), str(script), folder, str(repeats), str(N // 5)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return json.loads(done.stdout.splitlines()[-1]), np.load(Path(folder) / "rows.npy")


def apart(found: pl.DataFrame, rows: np.ndarray) -> str:
    """Compare all fourteen of each bucket that had an event; what was equal, in words."""
    ended = found.filter(pl.col("num_quotes") + pl.col("num_trades") > 0)
    ended = ended.with_columns(pl.col("ticker").str.slice(1).cast(pl.Int64).alias("code"))
    ended = ended.sort("code", "bucket")
    theirs = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    some = (theirs[:, 2] > 0) | (theirs[:, 6] > 0)
    code, bucket, books, mid, spread, updates, trades, iso, volume, volume_iso, flow, flow_iso = (
        theirs[some].T
    )
    np.testing.assert_array_equal(ended["code"].to_numpy(), code)
    np.testing.assert_array_equal(ended["bucket"].to_physical().to_numpy(), bucket)
    with np.errstate(invalid="ignore", divide="ignore"):
        wanted = {
            "log_mid": np.log(mid / books),
            "quote_updates": updates,
            "avg_rsprd": spread / books,
            "pct_trades_iso": iso / trades,
            "pct_volume_iso": volume_iso / volume,
            "total_flow_non_iso": flow,
            "total_flow_iso": flow_iso,
            "num_trades": trades,
            "num_trades_iso": iso,
            "total_volume": volume,
            "total_flow": flow + flow_iso,
            "iso_flow_intensity": flow_iso / volume,
        }
    for name, values in wanted.items():
        one = ended[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        np.testing.assert_allclose(one, values, rtol=1e-9, atol=1e-9, err_msg=name)
    return f"{ended.height:,} buckets"


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rows = []
    tape = events(40)
    rates, theirs = peer(tape, repeats)
    for symbols in (40, 8_000):
        tape = tape if symbols == 40 else events(symbols)
        for size in SIZES:
            spent, n, found = ours(tape, size, repeats)
            rate, against = N / spent, ("", "", "")
            if symbols == 40:
                roads = (rates[name] for name in ("data engine", "backtest"))
                said = (f"{other / 1e6:.3f} M/s ({rate / other:.0f}x)" for other in roads)
                against = (*said, apart(found, theirs))
            us = f"{spent / n * 1e6:,.0f}"
            rows.append((f"{symbols:,}", f"{size:,}", f"{rate / 1e6:.2f} M/s", us, *against))
    show(f"Features of {N:,} quotes and trades in {MINUTES} minutes of market", rows, HEADER)


if __name__ == "__main__":
    main()
