"""A Parquet file in batches: every row once and in order, whoever wrote it, however it is cut."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from itertools import islice

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eventtape.errors import InputError
from eventtape.sources import tick_batches
from eventtape.sources.tick_batches import parquet_batches
from eventtape.tape.bars import bars, bars_of_batches

COLUMNS = ("symbol", "ts", "price", "size", "eligible")


def trades(n=20_000, seed=0):
    rng = np.random.default_rng(seed)
    ts = 1_730_817_000 * 10**9 + np.sort(rng.integers(0, 3_600 * 10**9, n))
    return pl.DataFrame(
        {
            "symbol": pl.Series([f"S{i}" for i in rng.integers(0, 30, n)]),
            "ts": pl.Series(ts).cast(pl.Datetime("ns", "UTC")),
            "price": rng.integers(100, 200, n) / 100.0,
            "size": rng.integers(1, 500, n).astype(float),
            "iso": rng.random(n) < 0.4,
            "eligible": rng.random(n) < 0.95,
        }
    )


def by_arrow(frame, path, **options):
    table = frame.to_arrow()
    text = table["symbol"].cast(pa.string())
    pq.write_table(table.set_column(0, "symbol", text), path, **options)


WRITERS = {
    "arrow zstd": lambda f, p: by_arrow(f, p, row_group_size=3_000, compression="zstd"),
    "arrow plain": lambda f, p: by_arrow(f, p, compression="none", use_dictionary=False),
    "arrow delta": lambda f, p: by_arrow(
        f,
        p,
        row_group_size=1_111,
        use_dictionary=["symbol"],
        column_encoding={"ts": "DELTA_BINARY_PACKED", "price": "BYTE_STREAM_SPLIT"},
    ),
    "polars": lambda f, p: f.write_parquet(p),
    "polars groups": lambda f, p: f.write_parquet(p, row_group_size=777),
    "polars categories": lambda f, p: f.cast({"symbol": pl.Categorical}).write_parquet(p),
}


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of 2,000 rows, so that small files have several, and groups too large to hold."""
    monkeypatch.setattr(tick_batches, "_PIECE_ROWS", 2_000)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(("batch_rows", "threads"), [(1, 1), (1_000, 1), (1_000, 3), (10**9, 2)])
def test_the_rows_are_the_files_in_their_order(tmp_path, small_pieces, writer, batch_rows, threads):
    frame, path = trades(4_500 if batch_rows > 1 else 600), tmp_path / "trades.parquet"
    WRITERS[writer](frame, path)
    met = list(parquet_batches(path, batch_rows=batch_rows, threads=threads))
    assert max(batch.num_rows for batch in met) <= batch_rows
    assert all(pa.types.is_dictionary(batch.schema.field("symbol").type) for batch in met)
    back = pl.concat([pl.from_arrow(batch).cast({"symbol": pl.String}) for batch in met])
    assert back.equals(frame)


def test_a_row_group_too_large_to_hold_is_read_by_pages(tmp_path, small_pieces, monkeypatch):
    frame, path = trades(9_000), tmp_path / "one_group.parquet"
    by_arrow(frame, path, row_group_size=9_000)
    monkeypatch.setattr(tick_batches._Plan, "decode", None)  # whoever calls it fails
    met = list(parquet_batches(path, COLUMNS, 1_000))
    assert [batch.num_rows for batch in met] == [1_000] * 9
    assert bars_of_batches(met).equals(bars(frame))


@pytest.mark.parametrize("writer", WRITERS)
def test_bars_of_the_file_are_bars_of_the_frame(tmp_path, small_pieces, writer):
    frame, path = trades(), tmp_path / "trades.parquet"
    WRITERS[writer](frame, path)
    want = bars(frame, "1m")
    for batch_rows in (16, 4_096, 10**9):
        assert bars_of_batches(parquet_batches(path, COLUMNS, batch_rows), "1m").equals(want)


def test_columns_come_as_asked_for_with_their_nulls_and_types(tmp_path):
    frame = pl.DataFrame(
        {
            "note": ["a", None, "b"],
            "n": pl.Series([1, None, 3], dtype=pl.UInt32),
            "ts": pl.Series([1, 2, 3]).cast(pl.Datetime("ms")),
            "x": pl.Series([1.5, None, 2.5], dtype=pl.Float32),
            "flag": [True, None, False],
            "list": [[1], [], None],
        }
    )
    frame.write_parquet(tmp_path / "odd.parquet")
    asked = ("list", "flag", "x", "ts", "n", "note")
    (batch,) = parquet_batches(tmp_path / "odd.parquet", asked)
    assert batch.schema.names == list(asked)
    assert pl.from_arrow(batch).cast({"note": pl.String}).equals(frame.select(asked))


def test_a_path_is_a_name_and_not_a_pattern(tmp_path):
    path = tmp_path / "date=2024-11-05" / "[a]*.parquet"
    path.parent.mkdir()
    trades(100).write_parquet(path)
    assert sum(batch.num_rows for batch in parquet_batches(path)) == 100


def test_no_rows(tmp_path):
    trades(0).write_parquet(tmp_path / "none.parquet")
    assert bars_of_batches(parquet_batches(tmp_path / "none.parquet")).is_empty()


def test_faults_are_named_before_the_first_batch(tmp_path):
    path = tmp_path / "trades.parquet"
    trades(100).write_parquet(path)
    with pytest.raises(InputError, match="a column of the file") as caught:
        parquet_batches(path, ["symbol", "colour"])
    assert (caught.value.column, caught.value.file) == ("colour", str(path))
    with pytest.raises(InputError, match="whole Parquet file"):
        parquet_batches(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("symbol,ts\n")
    with pytest.raises(InputError, match="whole Parquet file"):
        parquet_batches(tmp_path / "text.parquet")
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match="whole Parquet file"):
        parquet_batches(cut)
    for options in ({"batch_rows": 0}, {"threads": 0}):
        with pytest.raises(InputError, match="at least 1"):
            parquet_batches(path, **options)


@pytest.mark.parametrize("column", ["symbol", "price"])
def test_damage_inside_is_an_error_and_not_a_shorter_day(tmp_path, column):
    path = tmp_path / "trades.parquet"
    by_arrow(trades(), path, row_group_size=5_000, compression="zstd")
    at = COLUMNS.index(column)
    meta = pq.ParquetFile(path).metadata.row_group(2).column(at)
    data = bytearray(path.read_bytes())
    begin = meta.dictionary_page_offset or meta.data_page_offset
    data[begin : begin + meta.total_compressed_size] = b"\xff" * meta.total_compressed_size
    path.write_bytes(data)
    with pytest.raises(InputError, match="whole Parquet file") as caught:
        bars_of_batches(parquet_batches(path, COLUMNS))
    assert caught.value.file == str(path)


def test_a_reader_that_stops_leaves_no_thread(tmp_path, small_pieces):
    path = tmp_path / "trades.parquet"
    trades().write_parquet(path, row_group_size=1_000)
    run = parquet_batches(path, COLUMNS, 100, threads=2)
    assert len(list(islice(run, 3))) == 3
    assert any(thread.name.startswith("parquet") for thread in threading.enumerate())
    run.close()
    assert not any(thread.name.startswith("parquet") for thread in threading.enumerate())


MEMORY = """
import json, re, sys
from pathlib import Path
from eventtape.sources.tick_batches import parquet_batches
from eventtape.tape.bars import bars_of_batches
made = bars_of_batches(parquet_batches(sys.argv[1], {columns}, threads=2))
# Not getrusage: its peak counts what the process was before it became this program.
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
print(json.dumps([made.height, int(made["trades"].sum()), peak / 1024]))
"""


def test_memory_does_not_grow_with_the_rows(tmp_path):
    """1.2 and 6 million trades, 41 bytes each: the second file is 200 MB more once decoded."""
    peaks = []
    for pieces in (4, 20):
        path = tmp_path / f"{pieces}.parquet"
        table = trades(300_000).with_columns(eligible=pl.lit(value=True))
        with pq.ParquetWriter(path, table.to_arrow().schema) as writer:
            for i in range(pieces):
                later = pl.col("ts") + pl.duration(hours=i)
                writer.write_table(table.with_columns(later.cast(table["ts"].dtype)).to_arrow())
        done = subprocess.run(
            [sys.executable, "-c", MEMORY.format(columns=COLUMNS), str(path)],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        height, count, peak = json.loads(done.stdout)
        assert (height, count) == (pieces * 60 * 30, pieces * 300_000)
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 80.0
    assert peaks[1] < 500.0
