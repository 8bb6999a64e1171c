"""A Polygon flat file (CSV.gz) into checked batches, against polars reading it whole.

What limits ours is unpacking: a gzip is one stream, inflated by zlib on one core, and parsing,
conditions, order, prices and repeats fit beside it on the other. Polars brings a faster inflater
and parses only; it holds the whole day in memory and checks nothing.
"""

from __future__ import annotations

import gzip
import io
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from eventtape.sources import scan_polygon_trades
from table import best_of, show

N, SYMBOLS, T0 = 1_000_000, 40, 1_730_817_000_000_000_000
COLUMNS = [
    "ticker",
    "conditions",
    "correction",
    "price",
    "sequence_number",
    "sip_timestamp",
    "size",
]


def write_day(path: Path) -> int:
    """A day of N trades in the layout of a flat file; the bytes before packing."""
    rng = np.random.default_rng(0)
    symbol = np.sort(rng.integers(0, SYMBOLS, N))
    order = np.lexsort((ts := T0 + rng.integers(0, 23_400 * 10**9, N), symbol))
    ts = ts[order]
    conditions = np.array(["", "14,41", "12,37", "37", "14,37,41", "2"])
    table = pl.DataFrame(
        {
            "ticker": [f"S{code:02d}" for code in symbol.tolist()],
            "conditions": conditions[rng.integers(0, len(conditions), N)],
            "correction": np.zeros(N, np.int8),
            "exchange": rng.integers(1, 20, N),
            "id": np.arange(N),
            "participant_timestamp": ts - 1_000,
            "price": rng.integers(1_000, 20_000, N) / 100,
            "sequence_number": np.arange(N),
            "sip_timestamp": ts,
            "size": rng.integers(1, 500, N),
            "tape": np.ones(N, np.int8),
            "trf_id": np.zeros(N, np.int8),
            "trf_timestamp": np.zeros(N, np.int8),
        }
    )
    plain = io.BytesIO()
    table.write_csv(plain)
    path.write_bytes(gzip.compress(plain.getvalue(), 6))
    return plain.tell()


def inflate(path: Path) -> None:
    with gzip.open(path) as stream:
        while stream.read(1 << 20):
            pass


def ours(path: Path) -> tuple[int, float]:
    rows, volume = 0, 0.0
    for batch in scan_polygon_trades(path):
        rows += batch.height
        volume += float(batch["size"].sum())
    return rows, volume


def peer(path: Path) -> tuple[int, float]:
    table = pl.read_csv(path, columns=COLUMNS, schema_overrides={"conditions": pl.String})
    return table.height, float(table["size"].sum())


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trades.csv.gz"
        megabytes = write_day(path) / 1e6
        equal = "rows and volume" if ours(path) == peer(path) else "NOTHING: they differ"
        bound, mine, theirs = (best_of(lambda f=f: f(path), 5) for f in (inflate, ours, peer))
    header = ("step", "seconds", "million rows/s", "MB/s unpacked", "to ours", "equal")
    rows = [
        (
            name,
            f"{took:.3f}",
            f"{N / took / 1e6:.2f}",
            f"{megabytes / took:.0f}",
            f"{took / mine:.2f}",
            same,
        )
        for name, took, same in (
            ("unpacking alone, zlib", bound, ""),
            ("eventtape: batches, checked", mine, equal),
            ("polars read_csv: whole, unchecked", theirs, equal),
        )
    ]
    show(f"{N:,} trades of a flat file, CSV.gz", rows, header)


if __name__ == "__main__":
    main()
