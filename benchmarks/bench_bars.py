"""Parquet to one-minute bars, 20 million trades of 40 symbols, against Polars, DuckDB and csp.

Targets: at least 3 times Polars' streaming engine, 4 times DuckDB, 20 times a csp graph with Python
nodes, in at most 0.5 GB. Every engine reads the same file in a process of its own, held to the same
one or two cores; the best of several runs counts. Bars are compared in full: prices, volumes and
counts equal, dollar volume (whose sum the engines order differently) to 1e-11.

Polars and DuckDB are asked in two ways. ``group_by_dynamic`` and ``arg_min(price, ts)`` say what a
bar is; ``group_by(truncate)`` and ``first(price)`` are faster and lean on the file's order, which
DuckDB promises on one thread only. Ours checks order, price and size of every row; they do not.

Files: as pyarrow writes it with zstd and row groups of a million rows, as Polars writes it unasked,
and uncompressed. ``--large`` adds the kernel's cost per trade from 2 to 200 million.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from eventtape.sources.tick_batches import parquet_batches
from eventtape.tape.bars import bars_of_batches
from peer_environment import HERE, peer_python
from table import show

N, SYMBOLS = 20_000_000, 40
OPEN_S, DAY_S = 1_730_817_000, 23_400  # 2024-11-05 09:30 New York
COLUMNS = ("symbol", "ts", "price", "size", "eligible")
KEPT = ("symbol", "ts", "open", "high", "low", "close", "volume", "dollar_volume", "trades")
HEADER = ("engine", "1 core", "ratio", "CPU", "ratio", "2 cores", "ratio", "peak MB", "equal")


def trades(n: int, seed: int, begin_s: float, length_s: float) -> pa.Table:
    """Trades in the order of time: unequal symbols, a random walk in cents, odd and round lots."""
    rng = np.random.default_rng(seed)
    weight = 1.0 / np.arange(1, SYMBOLS + 1) ** 0.7
    code = rng.choice(SYMBOLS, n, p=weight / weight.sum()).astype(np.int32)
    gap = np.cumsum(rng.exponential(1.0, n))
    ts = int(begin_s * 10**9) + (gap / gap[-1] * (length_s * 0.999999e9)).astype(np.int64)
    cents = np.empty(n)
    for s in range(SYMBOLS):
        rows = np.flatnonzero(code == s)
        cents[rows] = 5_000 + 500 * s + np.cumsum(rng.choice([-1, 0, 0, 0, 1], rows.size))
    lots = np.where(rng.random(n) < 0.4, 100.0, np.ceil(rng.exponential(80.0, n)))
    names = pa.array([f"SIM{s:02d}" for s in range(SYMBOLS)])
    return pa.table(
        {
            "symbol": pa.DictionaryArray.from_arrays(pa.array(code), names).cast(pa.string()),
            "ts": pa.array(ts).cast(pa.timestamp("ns", "UTC")),
            "price": np.maximum(cents, 1.0) / 100.0,
            "size": lots,
            "iso": rng.random(n) < 0.4,
            "eligible": rng.random(n) < 0.95,
        }
    )


def ours(path: str, threads: int) -> pl.DataFrame:
    return bars_of_batches(parquet_batches(path, COLUMNS, threads=threads))


def by_truncation(path: str, _threads: int) -> pl.DataFrame:
    end = pl.col("ts").dt.truncate("1m").dt.offset_by("1m")
    lazy = pl.scan_parquet(path).filter("eligible").group_by("symbol", end)
    return lazy.agg(*_polars_bar()).collect(engine="streaming")


def by_dynamic(path: str, _threads: int) -> pl.DataFrame:
    lazy = pl.scan_parquet(path).filter("eligible")
    grouped = lazy.group_by_dynamic("ts", every="1m", group_by="symbol", label="right")
    return grouped.agg(*_polars_bar()).collect(engine="streaming")


def _polars_bar() -> tuple[pl.Expr, ...]:
    price, size = pl.col("price"), pl.col("size")
    return (
        price.first().alias("open"),
        price.max().alias("high"),
        price.min().alias("low"),
        price.last().alias("close"),
        size.sum().alias("volume"),
        (price * size).sum().alias("dollar_volume"),
        pl.len().alias("trades"),
    )


def by_arg_min(path: str, threads: int) -> pl.DataFrame:
    return _duckdb(path, threads, "arg_min(price, ts)", "arg_max(price, ts)")


def by_first(path: str, threads: int) -> pl.DataFrame:
    return _duckdb(path, threads, "first(price)", "last(price)")


def _duckdb(path: str, threads: int, first: str, last: str) -> pl.DataFrame:
    import duckdb  # noqa: PLC0415  only in the child that is DuckDB

    base = duckdb.connect()
    base.execute(f"SET threads = {threads}; SET enable_progress_bar = false")
    minute = 60 * 10**9
    query = f"""
        SELECT symbol, (epoch_ns(ts) // {minute} + 1) * {minute} AS ts, {first} AS open,
            max(price) AS high, min(price) AS low, {last} AS close, sum(size) AS volume,
            sum(price * size) AS dollar_volume, count(*) AS trades
        FROM '{path}' WHERE eligible GROUP BY ALL"""
    return pl.from_arrow(base.sql(query).to_arrow_table())


ENGINES = {
    "eventtape": ours,
    "Polars group_by(truncate)": by_truncation,
    "Polars group_by_dynamic": by_dynamic,
    "DuckDB arg_min": by_arg_min,
    "DuckDB first": by_first,
}


def child(engine: str, path: str, threads: int, repeats: int, out: str) -> None:
    """One engine in this process: its best time and peak memory to stdout, its bars to a file."""
    run = ENGINES[engine]
    begin, spent = time.perf_counter(), time.process_time()
    first = run(path, threads)
    seconds, cpu = [time.perf_counter() - begin], [time.process_time() - spent]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # of one pass
    for _ in range(repeats):
        begin, spent = time.perf_counter(), time.process_time()
        run(path, threads)
        seconds.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - spent)
    tidy(first).write_parquet(out)
    print(json.dumps({"seconds": min(seconds), "cpu": min(cpu), "peak_mb": peak}))


def tidy(frame: pl.DataFrame) -> pl.DataFrame:
    """The bars of any engine in one form and order."""
    types = {"ts": pl.Int64, "trades": pl.Int64}
    return frame.select(KEPT).cast(types).sort("symbol", "ts")


def measure(engine: str, path: str, threads: int, repeats: int, out: Path) -> dict[str, float]:
    cores = sorted(os.sched_getaffinity(0))[:threads]
    settings = {
        **os.environ,
        "POLARS_MAX_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": "1",
    }
    if engine == "csp":
        python, script = peer_python("csp"), HERE / "peers" / "csp_bars.py"
        command = [str(python), str(script), path, str(out), str(OPEN_S)]
    else:
        command = [sys.executable, __file__, "--child", engine, path, str(threads), str(repeats)]
        command.append(str(out))
    done = subprocess.run(
        command,
        check=True,
        env=settings,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    return json.loads(done.stdout)


def equal(one: pl.DataFrame, two: pl.DataFrame) -> str:
    """What two sets of bars have in common, in words; 'NOT' where they differ."""
    exact = [name for name in KEPT if name != "dollar_volume"]
    if not one.select(exact).equals(two.select(exact)):
        return "NOT: prices, volumes or counts differ"
    apart = (one["dollar_volume"] / two["dollar_volume"] - 1.0).abs().max()
    return f"{one.height:,} bars, dollars {apart:.0e}" if apart < 1e-11 else f"NOT: {apart:.0e}"


def compare(title: str, path: Path, folder: Path, engines: tuple[str, ...]) -> pl.DataFrame:
    """The table of one file; returns our bars."""
    found: dict[str, list[dict[str, float]]] = {}
    same: dict[str, str] = {}
    want = pl.DataFrame()
    for engine in engines:
        for threads in (1, 2):
            slow = engine == "Polars group_by_dynamic"
            out = folder / f"{threads}.parquet"
            one = measure(engine, str(path), threads, 0 if slow else 5, out)
            found.setdefault(engine, []).append(one)
            made = pl.read_parquet(out)
            want = made if want.is_empty() else want
            word = equal(made, want)
            promised = engine != "DuckDB first" or threads == 1
            if "NOT" in word and promised:
                raise SystemExit(f"{title}: {engine} on {threads} core(s) does not agree: {word}")
            same[engine] = word if threads == 1 or "NOT" not in word else "NOT on 2 cores"
    us = found["eventtape"]
    rows = []
    for engine, (one, two) in found.items():
        pairs = ((one, us[0], "seconds"), (one, us[0], "cpu"), (two, us[1], "seconds"))
        cells = [
            cell
            for their, our, what in pairs
            for cell in (f"{their[what]:.2f} s", f"{their[what] / our[what]:.1f}x")
        ]
        peaks = f"{one['peak_mb']:.0f}, {two['peak_mb']:.0f}"
        rows.append((engine, *cells, peaks, same[engine]))
    show(f"{title}: {path.stat().st_size / 1e6:.0f} MB, {N:,} trades to bars", rows, HEADER)
    return want


def against_csp(path: Path, folder: Path) -> None:
    """All trades of the file by csp, once, and by us; one core each."""
    out = folder / "csp.csv"
    peer = measure("csp", str(path), 1, 0, out)
    us = measure("eventtape", str(path), 1, 5, folder / "us.parquet")
    word = equal(tidy(pl.read_csv(out)), pl.read_parquet(folder / "us.parquet"))
    if "NOT" in word:
        raise SystemExit(f"csp does not agree: {word}")
    ratio = f"{peer['seconds'] / us['seconds']:.0f}x"
    row = (f"{peer['seconds']:.1f} s", f"{us['seconds']:.2f} s", ratio, word)
    title = f"csp 0.19.1, a Python node a trade, {N:,} trades, one core, the zstd file"
    show(title, [row], ("csp", "eventtape", "ratio", "equal"))


def flat(sizes: tuple[int, ...]) -> None:
    """Seconds per trade of the walk over Arrow batches made in memory, none stored."""
    piece, length = 1_000_000, 4_320.0  # as busy whatever the size: 2 hours, a day, ten days
    bars_of_batches(trades(piece, 0, OPEN_S, 60.0).to_batches())
    rows = []
    for n in sizes:
        spent = 0.0

        def batches(n: int = n) -> Iterator[pa.RecordBatch]:
            nonlocal spent
            for i in range(n // piece):
                begin = time.perf_counter()
                table = trades(piece, i, OPEN_S + i * length, length)
                symbol = table["symbol"].combine_chunks().dictionary_encode()
                made = table.set_column(0, "symbol", symbol).to_batches()
                spent += time.perf_counter() - begin
                yield from made

        begin = time.perf_counter()
        made = bars_of_batches(batches())
        seconds = time.perf_counter() - begin - spent
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        cost = f"{seconds / n * 1e9:.2f} ns"
        rows.append((f"{n:,}", f"{seconds:.2f} s", cost, f"{made.height:,}", f"{peak}"))
    show("Cost per trade, one thread", rows, ("trades", "walk", "a trade", "bars", "peak MB"))


def make(folder: Path) -> None:
    """The files, made in a process of its own: a child's peak memory counts its parent's."""
    table = trades(N, 0, OPEN_S, DAY_S)
    groups = {"row_group_size": 1_000_000}
    pq.write_table(table, folder / "zstd.parquet", compression="zstd", **groups)
    pq.write_table(table, folder / "plain.parquet", compression="none", **groups)
    pl.from_arrow(table).write_parquet(folder / "polars.parquet")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, __file__, "--make", name], check=True)
        engines = tuple(ENGINES)
        fast = tuple(engine for engine in engines if engine != "Polars group_by_dynamic")
        compare("pyarrow, zstd", folder / "zstd.parquet", folder, engines)
        compare("Polars' default", folder / "polars.parquet", folder, fast)
        compare("uncompressed", folder / "plain.parquet", folder, fast)
        against_csp(folder / "zstd.parquet", folder)
    flat((2_000_000, 20_000_000, 200_000_000) if "--large" in sys.argv else (2_000_000, 20_000_000))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), sys.argv[6])
    elif sys.argv[1:2] == ["--make"]:
        make(Path(sys.argv[2]))
    else:
        main()
