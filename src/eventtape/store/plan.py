"""What a call means for the manifest: which parts it names, and what the next manifest is.

Nothing is written here. The rule kept is that a table is one table: every partition has the same
keys, and every file the same columns, types and order, so that any reader may put them below one
another.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from eventtape.errors import InputError, LakeError
from eventtape.store.disk import digest_of
from eventtape.store.manifest import Manifest, Part, Table, faults
from eventtape.store.parquet import Prepared, schema_of

__all__ = ["found", "selected", "with_writes", "without"]


def found(root: Path, manifest: Manifest, name: str) -> Table:
    """The table of that name; an unknown one is an :class:`InputError` that lists the known."""
    if name not in manifest:
        known = f"one of {', '.join(sorted(manifest))}" if manifest else "but it has none yet"
        raise InputError(f"a table of the lake {root}, {known}", met=name)
    return manifest[name]


def selected(name: str, table: Table, where: Mapping[str, str] | None) -> Table:
    """The table cut to the partitions that match ``where``, in the order of their values.

    No match is an :class:`InputError`: a mistyped date must not read as a day without trades.
    """
    where = where or {}
    for key in where:
        if key not in table.keys:
            raise InputError(f"a partition key of '{name}': one of {list(table.keys)}", met=key)
    parts = {
        values: part
        for values, part in sorted(table.parts.items())
        if where.items() <= dict(zip(table.keys, values, strict=True)).items()
    }
    if not parts:
        raise InputError(f"a partition that table '{name}' has", met=dict(where))
    return Table(table.keys, parts)


def without(
    root: Path, manifest: Manifest, name: str, partition: Mapping[str, str] | None
) -> Manifest:
    """The manifest without that one partition, or without the table where it is None."""
    table = found(root, manifest, name)
    others = {other: kept for other, kept in manifest.items() if other != name}
    if partition is None:
        return others
    values = _values(name, table.keys, partition)
    if values not in table.parts:
        raise InputError(f"a partition that table '{name}' has", met=dict(partition))
    parts = {other: part for other, part in table.parts.items() if other != values}
    return {**others, name: Table(table.keys, parts)} if parts else others


def with_writes(
    root: Path, old: Manifest, staged: Mapping[Path, Prepared]
) -> tuple[Manifest, dict[Path, Path], tuple[Part, ...]]:
    """The next manifest, the moves it needs (final to temporary path), and the parts written.

    A part that is already there byte for byte keeps its entry and needs no move; one whose file
    has since been damaged is moved in again.
    """
    new = {name: Table(table.keys, dict(table.parts)) for name, table in old.items()}
    targets: dict[Path, tuple[str, ...]] = {}
    written: dict[tuple[str, tuple[str, ...]], Part] = {}
    for temporary, item in staged.items():
        table = new.setdefault(item.table, Table(tuple(item.partition), {}))
        values = _values(item.table, table.keys, item.partition)
        if (item.table, values) in written:
            raise InputError("each partition at most once in a commit", met=str(item))
        part = Part(item.digest, item.bytes, item.rows, item.first_ts, item.last_ts, time.time_ns())
        known = table.parts.get(values)
        if known is not None and known.digest == part.digest:
            part = known
        table.parts[values] = part
        targets[temporary] = values
        written[item.table, values] = part
    _check_schemas(root, old, staged, set(written))
    moves = {}
    for temporary, item in staged.items():
        final = root / new[item.table].file(item.table, targets[temporary])
        if digest_of(final) != item.digest:
            moves[final] = temporary
    return new, moves, tuple(written.values())


def _values(name: str, keys: tuple[str, ...], partition: Mapping[str, str]) -> tuple[str, ...]:
    if set(keys) != set(partition):
        raise InputError(f"the partition keys {list(keys)} of table '{name}'", met=dict(partition))
    return tuple(partition[key] for key in keys)


def _check_schemas(
    root: Path,
    old: Manifest,
    staged: Mapping[Path, Prepared],
    written: set[tuple[str, tuple[str, ...]]],
) -> None:
    """Refuse a frame whose columns are not those of the table's parts that stay."""
    wanted: dict[str, tuple[pl.Schema, Path | None]] = {}
    for item in staged.values():
        if item.table not in wanted:
            wanted[item.table] = _staying(root, old, item.table, written) or (item.schema, None)
        schema, file = wanted[item.table]
        if list(schema.items()) != list(item.schema.items()):
            raise InputError(
                f"the columns of the rest of table '{item.table}': {_text(schema)}",
                met=f"{item}: {_text(item.schema)}",
                file=file,
            )


def _staying(
    root: Path, old: Manifest, name: str, written: set[tuple[str, tuple[str, ...]]]
) -> tuple[pl.Schema, Path] | None:
    table = old.get(name, Table((), {}))
    for values, part in table.parts.items():
        if (name, values) not in written:
            fault = faults(root, {name: Table(table.keys, {values: part})}, deep=False)
            if fault:
                raise LakeError(f"{fault[0]}; write that partition again or drop it")
            file = root / table.file(name, values)
            try:
                return schema_of(file), file
            except pl.exceptions.PolarsError as error:
                raise LakeError(
                    f"{file}: damaged ({error}); write that partition again or drop it"
                ) from error
    return None


def _text(schema: pl.Schema) -> str:
    return ", ".join(f"{name} {dtype}" for name, dtype in schema.items())
