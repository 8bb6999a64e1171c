"""A frame as the bytes of one Parquet file, and several files as one frame again.

Statistics are left out of a file whose numbers include NaN. Parquet's minimum and maximum do not
count NaN, and DuckDB (2.0) trusts them: over such a file ``p < 3`` returns the NaN rows and
``p > 5`` loses them. Without statistics every reader looks at the values and answers rightly; a
tape has no NaN and keeps its statistics.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from eventtape.errors import InputError
from eventtape.store.names import FILE_COLUMN, check_columns, check_partition, check_table

__all__ = ["Prepared", "Write", "prepare", "scan_files", "schema_of"]

TIME = pl.Datetime("ns", "UTC")


class Write(NamedTuple):
    """One partition to be replaced: the table, its rows, and the partition's keys and values."""

    table: str
    frame: pl.DataFrame
    partition: Mapping[str, str]


class Prepared(NamedTuple):
    """A checked write: the file's bytes and what the manifest will say of them."""

    table: str
    partition: dict[str, str]
    schema: pl.Schema
    payload: bytes  # empty once it is staged on disk
    digest: str
    bytes: int
    rows: int
    first_ts: int | None
    last_ts: int | None

    def __str__(self) -> str:
        return f"{self.table}({', '.join(f'{k}={v}' for k, v in self.partition.items())})"


def prepare(write: Write) -> Prepared:
    """The write as Parquet bytes, the same bytes for the same frame, once its names are safe.

    A column type that Parquet would not give back exactly is an :class:`InputError`.
    """
    table, frame, partition = write
    check_table(table)
    partition = check_partition(partition)
    check_columns(frame, partition)
    payload = _encode(frame)
    schema = pl.read_parquet_schema(io.BytesIO(payload))
    for name, dtype in frame.schema.items():
        if schema[name] != dtype:
            raise InputError("a type that Parquet keeps exactly", met=str(dtype), column=name)
    first = last = None
    if frame.schema.get("ts") == TIME and frame["ts"].null_count() < frame.height:
        times = frame["ts"].to_physical()
        first, last = int(times.min()), int(times.max())  # type: ignore[arg-type]
    digest = hashlib.sha256(payload).hexdigest()
    size = len(payload)
    return Prepared(
        table, partition, pl.Schema(schema), payload, digest, size, frame.height, first, last
    )


def schema_of(path: Path) -> pl.Schema:
    """The columns of a Parquet file; the path is taken as it is, not as a pattern."""
    return pl.scan_parquet(path, glob=False, hive_partitioning=False).collect_schema()


def scan_files(files: Mapping[tuple[str, ...], Path], keys: Sequence[str]) -> pl.LazyFrame:
    """The files' rows one below the other, with their partition values as String columns."""
    if len(files) == 1:  # the common read, at half the time of the join below
        ((values, path),) = files.items()
        rows = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        return rows.with_columns(
            pl.lit(value).alias(key) for key, value in zip(keys, values, strict=True)
        )
    paths = [str(path) for path in files.values()]
    rows = pl.scan_parquet(
        paths, glob=False, hive_partitioning=False, include_file_paths=FILE_COLUMN
    )
    # Not Polars' own reading of key=value folders: it also reads those above the lake's root.
    partitions = pl.LazyFrame(
        [paths, *zip(*files, strict=True)],
        schema=dict.fromkeys((FILE_COLUMN, *keys), pl.String),
    )
    return rows.join(partitions, on=FILE_COLUMN, how="left", maintain_order="left").drop(
        FILE_COLUMN
    )


def _encode(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    try:
        frame.rechunk().write_parquet(
            buffer, compression="zstd", statistics=not any(map(_may_hold_nan, frame))
        )
    except pl.exceptions.PolarsError as error:
        raise InputError(f"columns that Parquet can hold ({error})") from error
    return buffer.getvalue()


def _may_hold_nan(values: pl.Series) -> bool:
    return values.dtype.is_nested() or (values.dtype.is_float() and bool(values.is_nan().any()))
