"""A Parquet file written batch by batch, and whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventtape.errors import InputError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["check_parquet", "whole_parquet"]


def check_parquet(path: Path) -> Path:
    """The path, once a Parquet file can be put there: its folder must exist."""
    if path.suffix != ".parquet":
        raise InputError("a file that ends in .parquet", met=str(path))
    if not path.parent.is_dir():
        raise InputError("a folder that exists to write into", met="no such folder", file=path)
    if path.is_dir():
        raise InputError("a file to write", met="a folder", file=path)
    return path


@contextmanager
def whole_parquet(path: Path, about: dict[str, Any]) -> Iterator[Callable[[pl.DataFrame], None]]:
    """A function that appends a frame; the file appears under its name once the block is left.

    An exception inside the block leaves what was there before. ``about`` is kept as JSON in the
    file's metadata, under ``eventtape``. A block that appends nothing leaves what was there too.
    """
    import polars as pl
    import pyarrow.parquet as pq

    check_parquet(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    writer: pq.ParquetWriter | None = None
    try:
        with temporary.open("xb") as file:

            def append(frame: pl.DataFrame) -> None:
                nonlocal writer
                table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
                if writer is None:
                    told = {b"eventtape": json.dumps(about).encode()}
                    schema = table.schema.with_metadata(told)
                    writer = pq.ParquetWriter(file, schema, compression="zstd")
                writer.write_table(table.cast(writer.schema))

            try:
                yield append
            finally:
                if writer is not None:
                    writer.close()
            file.flush()
            os.fsync(file.fileno())
        if writer is not None:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
