"""A Parquet file of ticks as Arrow batches, decoded ahead of the reader, in bounded memory.

Decoding is what a pass over a Parquet file costs, so three things are done about it. Row groups are
decoded ahead in threads while the reader's kernel works on those before. Text columns come as Arrow
dictionaries, never as one string a row. Columns of fixed width go through Polars' decoder, which
takes little more than half the time of Arrow's on the files Arrow and Polars write.

At most ``threads + 1`` pieces of about a million rows are in memory. A row group larger than
two pieces is read page by page, through Arrow alone, so that one huge group costs time, not memory.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from eventtape.errors import InputError

__all__ = ["parquet_batches"]

_PIECE_ROWS = 1 << 20
_FAULTS = (OSError, pa.ArrowException, pl.exceptions.PolarsError)


def parquet_batches(
    path: str | Path,
    columns: Sequence[str] | None = None,
    batch_rows: int = 1 << 17,
    *,
    threads: int | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file in their order, at most ``batch_rows`` to a batch.

    ``columns`` (None: all) come in the order asked for; text columns as dictionaries, whose
    entries may differ from batch to batch. ``threads`` pieces are decoded at a time (None: one for
    each core). A file that is missing, cut short or without a column asked for is an
    :class:`InputError`; what is wrong with the file as a whole is said before the first batch.
    """
    if batch_rows < 1:
        raise InputError("at least 1 row a batch", met=batch_rows)
    if threads is not None and threads < 1:
        raise InputError("at least 1 thread", met=threads)
    try:
        with pq.ParquetFile(path) as file:
            metadata, schema = file.metadata, file.schema_arrow
    except _FAULTS as error:
        raise _fault(error, path) from error
    names = list(schema.names if columns is None else columns)
    for name in names:
        if name not in schema.names:
            raise InputError("a column of the file", met=schema.names, file=path, column=name)
    plan = _Plan(str(path), names, schema, metadata)
    return _ahead(plan, batch_rows, threads or len(os.sched_getaffinity(0)))


class _Piece(NamedTuple):
    """Rows that are decoded at a time: the first of them, how many, and their row groups."""

    first: int
    rows: int
    groups: range


class _Plan:
    """What the threads share: the file's metadata, and which decoder takes which column."""

    def __init__(
        self, path: str, names: list[str], schema: pa.Schema, metadata: pq.FileMetaData
    ) -> None:
        self.path, self.names, self.metadata = path, names, metadata
        kinds = {name: schema.field(name).type for name in names}
        self.text = [name for name, kind in kinds.items() if _is_text(kind)]
        self.fixed = [name for name, kind in kinds.items() if _is_fixed(kind)]
        self.arrow = [name for name in names if name not in self.fixed]

    def open(self) -> pq.ParquetFile:
        """The file for Arrow's decoder, its footer not read again."""
        return pq.ParquetFile(
            self.path, metadata=self.metadata, memory_map=True, read_dictionary=self.text
        )

    def pieces(self) -> Iterator[_Piece]:
        """The file as runs of row groups, each of about ``_PIECE_ROWS`` rows or one group."""
        first = rows = begin = 0
        for i in range(self.metadata.num_row_groups):
            more = self.metadata.row_group(i).num_rows
            if rows and rows + more > _PIECE_ROWS:
                yield _Piece(first, rows, range(begin, i))
                first, rows, begin = first + rows, 0, i
            rows += more
        if rows:
            yield _Piece(first, rows, range(begin, self.metadata.num_row_groups))

    def decode(self, piece: _Piece) -> pa.Table:
        """One piece, whole."""
        found: dict[str, pa.ChunkedArray] = {}
        if self.fixed:
            scan = pl.scan_parquet(self.path, glob=False, hive_partitioning=False)
            frame = (
                scan.select(self.fixed).slice(piece.first, piece.rows).collect(engine="streaming")
            )
            found |= dict(zip(self.fixed, frame.to_arrow().itercolumns(), strict=True))
        if self.arrow:
            with self.open() as file:
                table = file.read_row_groups(
                    list(piece.groups), columns=self.arrow, use_threads=False
                )
            found |= dict(zip(self.arrow, table.itercolumns(), strict=True))
        return pa.table({name: found[name] for name in self.names})

    def pages(self, groups: range, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """The batches of row groups too large to hold."""
        with self.open() as file:
            yield from file.iter_batches(
                batch_rows, row_groups=list(groups), columns=self.names, use_threads=False
            )


def _ahead(plan: _Plan, batch_rows: int, threads: int) -> Iterator[pa.RecordBatch]:
    """Every batch in the file's order, ``threads`` pieces being decoded while one is read."""
    pieces = plan.pieces()
    waiting: deque[tuple[_Piece, Future[pa.Table] | None]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="parquet")
    try:
        while True:
            for piece in islice(pieces, threads + 1 - len(waiting)):
                large = piece.rows > 2 * _PIECE_ROWS
                waiting.append((piece, None if large else pool.submit(plan.decode, piece)))
            if not waiting:
                return
            piece, table = waiting.popleft()
            if table is None:
                yield from plan.pages(piece.groups, batch_rows)
            else:
                yield from table.result().to_batches(max_chunksize=batch_rows)
            del table
    except _FAULTS as error:
        raise _fault(error, plan.path) from error
    finally:  # also where the reader stops early
        pool.shutdown(wait=True, cancel_futures=True)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_fixed(kind: pa.DataType) -> bool:
    """Whether both decoders give this type the same values and the same Arrow type."""
    plain = pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    ns = pa.types.is_timestamp(kind) and kind.unit == "ns"
    return bool(plain or ns or kind in {pa.float32(), pa.float64()})


def _fault(error: Exception, path: str | Path) -> InputError:
    reason = str(error).partition("\n")[0]
    return InputError(f"a whole Parquet file ({reason})", file=path)
