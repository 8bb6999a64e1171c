"""A tick file as a run of Arrow record batches: gzip, zip, plain CSV or Parquet, never all at once.

A day of US quotes does not fit in memory, so every reader of ticks pulls blocks: the file is
unpacked, parsed and handed on a block at a time, and what is kept does not grow with the day.

A fault that shows only halfway (a gzip cut short, a letter in a price) is an :class:`InputError`
raised after the blocks before it were already handed on. **Whoever consumes a run of blocks must
treat the exception as the failure of the whole file** and not keep what came before it. To name the
row, the faulty file is read once more as text: slow, and only then.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from eventtape.errors import InputError
from eventtape.sources.files import GZIP_MAGIC

__all__ = [
    "BATCH_ROWS",
    "TEXT",
    "Block",
    "Blocks",
    "Field",
    "csv_blocks",
    "open_blocks",
    "parquet_blocks",
]

BATCH_ROWS = 1 << 17
TEXT = pa.dictionary(pa.int32(), pa.string())  # symbols and conditions repeat: one text each
_PARQUET_MAGIC = b"PAR1"
_ROW_BYTES = 96  # about one line of a flat file; a block is batch_rows of these
_SMALLEST_BLOCK, _LARGEST_BLOCK = 1 << 16, 1 << 22  # beyond 4 MB parsing slows: caches
_BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile)


class Field(NamedTuple):
    """A column a reader wants: how files spell its name, its type, and whether it may lack."""

    spellings: tuple[str, ...]
    dtype: pa.DataType
    optional: bool = False


class Block(NamedTuple):
    """Rows of a file, columns under the reader's names; ``first_row`` rows came before them."""

    first_row: int
    columns: dict[str, pa.Array]


class Blocks(NamedTuple):
    """The run of blocks of one file, and what the file calls each column."""

    names: dict[str, str]
    run: Iterator[Block]


def open_blocks(path: str | Path, fields: Mapping[str, Field], *, batch_rows: int) -> Blocks:
    """The blocks of a CSV (plain or gzip, told by content) or a Parquet file."""
    try:
        with Path(path).open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise InputError(f"a readable file ({error.strerror})", file=path) from error
    if magic == _PARQUET_MAGIC:
        return parquet_blocks(path, fields, batch_rows=batch_rows)
    return csv_blocks(path, fields, batch_rows=batch_rows)


def csv_blocks(
    path: str | Path,
    fields: Mapping[str, Field],
    *,
    batch_rows: int,
    header: bool = True,
    member: str | None = None,
) -> Blocks:
    """The blocks of a CSV file with a header line, or of a headerless one in ``fields``' order.

    ``member`` names the file inside a zip.
    """
    _check_rows(batch_rows)
    spelled = [field.spellings[0] for field in fields.values()]
    found = _header(path) if header else spelled
    names = _resolve(found, fields, path)
    csv = _Csv(path, member, found, header, {names[n]: fields[n].dtype for n in names}, batch_rows)
    return Blocks(names, _sliced(csv.batches(), names, batch_rows))


def parquet_blocks(path: str | Path, fields: Mapping[str, Field], *, batch_rows: int) -> Blocks:
    """The blocks of a Parquet file; its own types are kept and left to the check at the door."""
    _check_rows(batch_rows)
    with _unpacking(path, "Parquet"):
        file = pq.ParquetFile(path)
        found = file.schema_arrow.names
        names = _resolve(found, fields, path)
        texts = [names[name] for name in names if fields[name].dtype == TEXT]
        flat = [name for name in texts if pa.types.is_string(file.schema_arrow.field(name).type)]
        file = pq.ParquetFile(path, read_dictionary=flat)

    def batches() -> Iterator[pa.RecordBatch]:
        with _unpacking(path, "Parquet"):
            yield from file.iter_batches(batch_size=batch_rows, columns=list(names.values()))

    return Blocks(names, _sliced(batches(), names, batch_rows))


def _check_rows(batch_rows: int) -> None:
    if batch_rows < 1:
        raise InputError("batch_rows of at least 1", met=batch_rows)


def _resolve(found: list[str], fields: Mapping[str, Field], path: str | Path) -> dict[str, str]:
    """What the file calls each field it has; a field it lacks and must have is an error."""
    names = {}
    for name, field in fields.items():
        spelled = [spelling for spelling in field.spellings if spelling in found]
        if spelled:
            names[name] = spelled[0]
        elif not field.optional:
            wanted = f"a column '{field.spellings[0]}'"
            met = ", ".join(found)
            raise InputError(wanted, met=met, file=path, column=field.spellings[0])
    return names


def _sliced(
    batches: Iterator[pa.RecordBatch], names: dict[str, str], batch_rows: int
) -> Iterator[Block]:
    row = 0
    for batch in batches:
        for low in range(0, batch.num_rows, batch_rows):
            part = batch.slice(low, batch_rows)
            yield Block(row + low, {name: part.column(names[name]) for name in names})
        row += batch.num_rows


def _header(path: str | Path) -> list[str]:
    """The column names of the first line."""
    with _unpacking(path, "gzip"), _stream(path, None) as stream:
        line = stream.read(1 << 16).partition(b"\n")[0]
    try:
        names = [name.strip().strip('"') for name in line.decode("utf-8-sig").split(",")]
    except UnicodeDecodeError as error:
        raise InputError("a header line in UTF-8", file=path) from error
    if not any(names):
        raise InputError("a header line", met="an empty file", file=path)
    return names


@contextmanager
def _unpacking(path: str | Path, kind: str) -> Iterator[None]:
    """Say of bytes that cannot be unpacked that the file is not whole."""
    try:
        yield
    except _BROKEN as error:
        raise InputError(f"a whole {kind} file ({error})", file=path) from error
    except pa.ArrowInvalid as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"a {kind} file ({reason})", file=path) from error


@contextmanager
def _stream(path: str | Path, member: str | None) -> Iterator[Any]:
    """The unpacked bytes of a file, as an Arrow input stream."""
    if member is not None:
        with zipfile.ZipFile(path) as archive, archive.open(member) as inner:
            yield pa.PythonFile(inner, mode="r")
        return
    with pa.OSFile(str(path), "rb") as raw:
        packed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        if not packed:
            yield raw
            return
        with pa.CompressedInputStream(raw, "gzip") as stream:
            yield stream


class _Csv(NamedTuple):
    """One CSV file and how to read it, once with its types and, on a fault, once more as text."""

    path: str | Path
    member: str | None
    found: list[str]
    header: bool
    types: dict[str, pa.DataType]
    batch_rows: int

    def batches(self) -> Iterator[pa.RecordBatch]:
        with self._unpacked(), _stream(self.path, self.member) as stream:
            try:
                yield from self._reader(stream, self.types)
            except pa.ArrowInvalid as error:
                raise self._fault(str(error).partition("\n")[0]) from error

    def _unpacked(self) -> Any:
        return _unpacking(self.path, "gzip" if self.member is None else "zip")

    def _reader(self, stream: Any, types: dict[str, pa.DataType], bad_row: Any = None) -> Any:
        block = min(max(self.batch_rows * _ROW_BYTES, _SMALLEST_BLOCK), _LARGEST_BLOCK)
        return pc.open_csv(
            stream,
            read_options=pc.ReadOptions(
                block_size=block,
                # With threads Arrow does not number the rows it cannot split.
                use_threads=bad_row is None,
                column_names=self.found,
                skip_rows=1 if self.header else 0,
            ),
            parse_options=pc.ParseOptions(ignore_empty_lines=False, invalid_row_handler=bad_row),
            convert_options=pc.ConvertOptions(
                include_columns=list(types),
                column_types=types,
                null_values=[""],
                strings_can_be_null=False,
            ),
        )

    def _fault(self, reason: str) -> InputError:
        """Where the file breaks: bytes that do not unpack, a row cut short, or a wrong value."""
        with self._unpacked(), _stream(self.path, self.member) as stream:
            while stream.read(1 << 20):
                pass
        ragged: list[Any] = []

        def bad_row(row: Any) -> str:
            ragged.append(row)
            return "skip"

        done = 0
        with _stream(self.path, self.member) as stream:
            texts = dict.fromkeys(self.types, pa.binary())
            try:
                for batch in self._reader(stream, texts, bad_row):
                    found = self._bad_value(batch, done)
                    if ragged and (found is None or found[0] > self._row(ragged[0])):
                        return self._bad_row(ragged[0])
                    if found is not None:
                        row, name, met, wanted = found
                        return InputError(wanted, met=met, file=self.path, row=row, column=name)
                    done += batch.num_rows
            except pa.ArrowInvalid as error:
                reason = str(error).partition("\n")[0]
        if ragged:
            return self._bad_row(ragged[0])
        return InputError(f"a CSV table ({reason})", file=self.path)

    def _row(self, row: Any) -> int:
        return int(row.number) - int(self.header)

    def _bad_row(self, row: Any) -> InputError:
        wanted = f"{row.expected_columns} columns (met {row.actual_columns})"
        return InputError(wanted, met=row.text, file=self.path, row=self._row(row))

    def _bad_value(self, batch: pa.RecordBatch, done: int) -> tuple[int, str, Any, str] | None:
        """Row, column and value of the first text its column's type cannot hold, and the wish."""
        met: list[tuple[int, str, Any, str]] = []
        for name, dtype in self.types.items():
            values = pl.Series(name, pl.from_arrow(batch.column(name)))
            text = values.cast(pl.String, strict=False)
            held, wanted = text, "UTF-8 text"
            if pa.types.is_integer(dtype):
                held, wanted = text.cast(pl.Int64, strict=False), "a whole number"
            elif pa.types.is_floating(dtype):
                held, wanted = text.cast(pl.Float64, strict=False), "a number"
            rows = (held.is_null() & (text.fill_null("?") != "")).arg_true()
            if len(rows):
                row = int(rows[0])
                value = values[row] if text[row] is None else text[row]
                met.append((done + row + 1, name, value, wanted))
        return min(met, key=lambda fault: fault[0], default=None)
