"""One DuckDB catalogue over the lake: a view a table, and ``files``, one row a partition.

**Where it lives.** In memory, built from the manifest for each query. A catalogue file would be a
second truth to keep in step with the manifest at every commit, and DuckDB lets one process at a
time write it while nobody else reads. Building costs some 20 ms (0.3 s at 5,000 partitions), and
any number of processes may do it at once. For a DuckDB shell outside Python, :func:`export` writes
a file of views: a snapshot of the lake at that moment, good until ``vacuum`` removes the files it
names.

**Read only.** The connection has no file system at all: DuckDB is handed the files as one Arrow
data set a table, its own file access is shut and locked, and spilling to disk is off. Handing it
paths would be up to three times faster and is what :func:`export` is for, but then
``WITH w AS (COPY ... TO '<a lake file>') SELECT 1`` counts as a SELECT and overwrites the lake
(DuckDB 2.0).

**Times.** ``ts`` is DuckDB's ``TIMESTAMPTZ_NS`` and comes back as ``Datetime("ns", "UTC")`` to the
nanosecond; it compares with text (``ts >= '2024-11-05T22:00Z'``), joins ASOF, sorts, and takes
``min`` and ``max``. DuckDB has no ``date_trunc``, intervals or differences for it: write
``ts::TIMESTAMPTZ`` (rounded to the microsecond) for those, ``epoch_ns(ts)`` for exact differences.
The session's zone is UTC. A time without zone, such as ``... AT TIME ZONE 'America/New_York'``,
stays without zone. Categories come back as text.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
from pyarrow import dataset, fs

from eventtape.errors import InputError, LakeError
from eventtape.store.manifest import Manifest, Table, faults
from eventtape.store.parquet import schema_of

__all__ = ["export", "listing", "query"]

TIME = pl.Datetime("ns", "UTC")
READING = ("SELECT", "EXPLAIN", "MULTI")  # MULTI is a PIVOT that finds its own columns
SHUT = (
    "SET timezone = 'UTC'",
    "SET enable_progress_bar = false",
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
TIME_HINT = (
    "a lake time is TIMESTAMPTZ_NS: write ts::TIMESTAMPTZ for date_trunc, intervals and parts"
    " (to the microsecond), epoch_ns(ts) for exact differences"
)


def listing(manifest: Manifest) -> pl.DataFrame:
    """One row a partition: table, partition, rows, bytes, first and last ``ts``, written, file."""
    rows = [
        (
            name,
            ", ".join(f"{k}={v}" for k, v in zip(table.keys, values, strict=True)),
            part.rows,
            part.disk_bytes,
            part.first_ts,
            part.last_ts,
            part.written,
            str(table.file(name, values)),
        )
        for name, table in sorted(manifest.items())
        for values, part in sorted(table.parts.items())
    ]
    schema = {
        "table": pl.String,
        "partition": pl.String,
        "rows": pl.Int64,
        "bytes": pl.Int64,
        "first_ts": pl.Int64,
        "last_ts": pl.Int64,
        "written": pl.Int64,
        "file": pl.String,
    }
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(pl.col("first_ts", "last_ts", "written").cast(TIME))


def query(root: Path, manifest: Manifest, text: str) -> pl.DataFrame:
    """The answer of one reading query; a :class:`LakeError` with DuckDB's own message otherwise."""
    with closing(duckdb.connect(":memory:")) as connection:
        left_out = _register(connection, root, manifest)
        try:
            _refuse_other_than_reading(connection, text)
            answer: pl.DataFrame = connection.sql(text).pl()
        except (duckdb.Error, pl.exceptions.PolarsError) as error:
            reasons = [f"the query failed: {error}", *left_out]
            if "TIMESTAMPTZ_NS" in str(error):
                reasons.append(TIME_HINT)
            if "interval" in str(error) and isinstance(error, pl.exceptions.PolarsError):
                reasons.append("an INTERVAL has no exact frame type: take epoch_ns of both ends")
            if isinstance(error, duckdb.InvalidInputException | duckdb.IOException):
                named = {name: table for name, table in manifest.items() if name in text}
                reasons += faults(root, named, deep=True)
            raise LakeError("\n".join(dict.fromkeys(reasons))) from error
    return answer


def export(root: Path, manifest: Manifest, path: Path) -> None:
    """Write a DuckDB file of views over the lake's files as they are now, replacing an old one.

    The views hold full paths, so the file serves this machine. It is not updated by later writes.
    """
    if path.suffix != ".duckdb":
        raise InputError("a path that ends in .duckdb", met=str(path))
    fault = faults(root, manifest, deep=False)
    if fault:
        raise LakeError("\n".join(fault))
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}.tmp")
    try:
        with closing(duckdb.connect(temporary)) as connection:
            connection.register("listing", listing(manifest).to_arrow())
            connection.execute("CREATE TABLE files AS FROM listing")
            for name, table in manifest.items():
                connection.execute(_view(root, name, table))
        temporary.replace(path)
    except (duckdb.Error, OSError) as error:
        raise LakeError(f"{path}: the catalogue could not be exported ({error})") from error
    finally:
        temporary.unlink(missing_ok=True)


def _register(
    connection: duckdb.DuckDBPyConnection, root: Path, manifest: Manifest
) -> tuple[str, ...]:
    """Give the connection its tables and shut it; return why any table was left out."""
    connection.register("files", listing(manifest).to_arrow())
    left_out = []
    for name, table in manifest.items():
        fault = faults(root, {name: table}, deep=False)
        if not fault:
            try:
                connection.register(name, _data_set(root, name, table))
            except (OSError, pa.ArrowException) as error:
                fault = (str(error),)
        left_out += [f"table '{name}' is left out: {line}" for line in fault]
    for setting in SHUT:
        connection.execute(setting)
    return tuple(left_out)


def _data_set(root: Path, name: str, table: Table) -> dataset.FileSystemDataset:
    form, local = dataset.ParquetFileFormat(), fs.LocalFileSystem()
    fragments = [
        form.make_fragment(
            str(root / table.file(name, values)),
            filesystem=local,
            partition_expression=_expression(table.keys, values),
        )
        for values in sorted(table.parts)
    ]
    schema = fragments[0].physical_schema
    for key in table.keys:
        schema = schema.append(pa.field(key, pa.string()))
    return dataset.FileSystemDataset(fragments, schema=schema, format=form, filesystem=local)


def _expression(keys: Sequence[str], values: Sequence[str]) -> dataset.Expression | None:
    expression = None
    for key, value in zip(keys, values, strict=True):
        equal = dataset.field(key) == value
        expression = equal if expression is None else expression & equal
    return expression


def _refuse_other_than_reading(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    kinds = [statement.type.name for statement in connection.extract_statements(text)]
    if len(kinds) != 1 or kinds[0] not in READING:
        raise LakeError(
            "wanted one query that reads (SELECT, FROM, WITH, VALUES, DESCRIBE, SHOW, SUMMARIZE,"
            f" PIVOT, EXPLAIN), met {' then '.join(kinds) or 'nothing'};"
            " the lake is changed by write, write_all and drop"
        )


def _view(root: Path, name: str, table: Table) -> str:
    paths = [root / table.file(name, values) for values in sorted(table.parts)]
    columns = [*schema_of(paths[0]), *table.keys]
    # DuckDB reads [ * ? in a path as a pattern; a bracket keeps them plain.
    plain = ["".join(f"[{c}]" if c in "[*?" else c for c in str(path)) for path in paths]
    files = f"[{', '.join(map(_text, plain))}]"
    hive = f"hive_partitioning = {bool(table.keys)}, hive_types_autocast = false"
    wanted = ", ".join(map(_name, columns))
    return f"CREATE VIEW {_name(name)} AS SELECT {wanted} FROM read_parquet({files}, {hive})"  # noqa: S608


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
