"""A simulated day of ticks in Parquet, written once and reused: what the benchmarks read.

Two files a day, ``quotes.parquet`` and ``trades.parquet``, symbol after symbol as a vendor's flat
file, symbols dictionary-encoded, row groups of about a million rows. The folder is named by the
parameters and by a hash of the simulator, so that a changed simulator writes new files.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from eventtape import simulate
from eventtape.simulate import TaqConfig, taq_batches

ROW_GROUP = 1_000_000


class TickFiles(NamedTuple):
    """Where the two files of a day are."""

    quotes: Path
    trades: Path


def tick_files(
    quotes: int,
    trades: int,
    *,
    seed: int = 0,
    compression: str = "zstd",
    order: str = "symbol",
    folder: Path | None = None,
    **options: object,
) -> TickFiles:
    """The files of that simulated day, written if they are not there. ``options``: TaqConfig's."""
    config = TaqConfig(seed=seed, quotes=quotes, trades=trades, **options)
    home = folder or Path(tempfile.gettempdir()) / "eventtape-benchmarks"
    said = repr((sorted(asdict(config).items()), compression, order, _simulator()))
    name = f"taq-{quotes}q-{trades}t-{hashlib.sha256(said.encode()).hexdigest()[:12]}"
    done = TickFiles(home / name / "quotes.parquet", home / name / "trades.parquet")
    if not (done.quotes.exists() and done.trades.exists()):
        home.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="writing-", dir=home))
        try:
            _write(work, config, compression, order)
            shutil.rmtree(home / name, ignore_errors=True)
            work.replace(home / name)  # all of it or nothing
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return done


def _write(work: Path, config: TaqConfig, compression: str, order: str) -> None:
    asked = {name: getattr(config, name) for name in config.__dataclass_fields__}
    writers: dict[str, pq.ParquetWriter] = {}
    waiting: dict[str, list[pl.DataFrame]] = {"quotes": [], "trades": []}
    try:
        for batch in taq_batches(**asked, batch_rows=ROW_GROUP, order=order, truth=False):
            for kind, frame in (("quotes", batch.quotes), ("trades", batch.trades)):
                waiting[kind].append(frame)
                for group in _groups(waiting[kind], ROW_GROUP):
                    _put(writers, work, kind, group, compression)
        for kind, frames in waiting.items():
            rest = pl.concat(frames) if frames else pl.DataFrame()
            if rest.height or kind not in writers:
                _put(writers, work, kind, rest, compression)
    finally:
        for writer in writers.values():
            writer.close()


def _groups(frames: list[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """Full row groups out of the frames that wait; what is left goes on waiting."""
    while sum(frame.height for frame in frames) >= rows:
        whole = pl.concat(frames)
        yield whole[:rows]
        frames[:] = [whole[rows:]]


def _put(
    writers: dict[str, pq.ParquetWriter],
    work: Path,
    kind: str,
    frame: pl.DataFrame,
    compression: str,
) -> None:
    table: pa.Table = frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    if kind not in writers:
        schema = table.schema.with_metadata({**(table.schema.metadata or {}), "simulated": "true"})
        writers[kind] = pq.ParquetWriter(
            work / f"{kind}.parquet", schema, compression=compression, use_dictionary=["symbol"]
        )
    writers[kind].write_table(table.cast(writers[kind].schema), row_group_size=ROW_GROUP)


def _simulator() -> str:
    """A hash of the sources the rows come from."""
    sources = sorted(Path(simulate.__file__).parent.glob("taq_*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a simulated day of ticks to Parquet.")
    parser.add_argument("--quotes", type=int, default=20_000_000)
    parser.add_argument("--trades", type=int, default=4_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compression", default="zstd", choices=["zstd", "snappy"])
    parser.add_argument("--folder", type=Path, default=None)
    print(*tick_files(**vars(parser.parse_args())), sep="\n")


if __name__ == "__main__":
    main()
