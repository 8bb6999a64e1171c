"""The truth about a lake: one JSON file that names every table, partition and file in it.

A reader loads the manifest once and reads the files it names, so it sees the lake before or after
a write and never between. Files are named by the SHA-256 of their bytes and never change; a commit
puts new files in place, then replaces the manifest at one stroke. That replacement is the commit:
before it the new files are orphans nobody reads, after it they are the lake.

The whole manifest is rewritten at each commit (about 300 bytes a partition), which is right for
up to some tens of thousands of partitions; write many partitions in one commit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from eventtape.errors import InputError, LakeError
from eventtape.store.disk import digest_of, move, stage, sync_folders
from eventtape.store.names import check_partition, check_table

__all__ = ["Manifest", "Part", "Table", "commit", "create", "faults", "load", "part_files"]

FORMAT, VERSION = "eventtape lake", 1
MANIFEST, STAGING, TABLES = "lake.json", "staging", "tables"

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Part(NamedTuple):
    """One partition of a table: its one file, and what is known of it without opening it."""

    digest: str  # SHA-256 of the file's bytes, which is also the file's name
    disk_bytes: int
    rows: int
    first_ts: int | None  # ns UTC; None where there is no ``ts`` of the house's type
    last_ts: int | None
    written: int  # ns UTC


class Table(NamedTuple):
    """A table: its partition keys in folder order, and its parts by partition values."""

    keys: tuple[str, ...]
    parts: dict[tuple[str, ...], Part]

    def folder(self, name: str, values: tuple[str, ...]) -> Path:
        """Where a partition lives, relative to the lake's root."""
        return Path(TABLES, name, *(f"{k}={v}" for k, v in zip(self.keys, values, strict=True)))

    def file(self, name: str, values: tuple[str, ...]) -> Path:
        """The partition's file, relative to the lake's root."""
        return self.folder(name, values) / f"{self.parts[values].digest}.parquet"


Manifest = Mapping[str, Table]


def part_files(root: Path, manifest: Manifest) -> Iterator[tuple[Path, Part]]:
    """Every file the manifest names, with its part."""
    for name, table in manifest.items():
        for values, part in table.parts.items():
            yield root / table.file(name, values), part


def create(root: Path) -> None:
    """Make an empty lake at the root unless one is there; the manifest comes before the folders."""
    if not (root / MANIFEST).exists():
        _refuse_headless(root)
        (root / STAGING).mkdir(exist_ok=True)
        move(stage(root / STAGING, _encode({})), root / MANIFEST)
    (root / STAGING).mkdir(exist_ok=True)
    (root / TABLES).mkdir(exist_ok=True)


def load(root: Path) -> Manifest:
    """The manifest at the root; empty where no lake has been made yet."""
    path = root / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        _refuse_headless(root)
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise LakeError(f"{path}: the lake's manifest cannot be read ({error})") from error
    try:
        return _decode(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LakeError(
            f"{path}: not a whole lake manifest ({type(error).__name__}: {error});"
            " restore it from a copy, the files under 'tables' are untouched"
        ) from error
    except LakeError as error:
        raise LakeError(f"{path}: {error}") from None


def commit(root: Path, old: Manifest, new: Manifest, staged: Mapping[Path, Path]) -> None:
    """Put the staged files (final path to temporary path) in place and make ``new`` the lake.

    The caller holds the commit lock and loaded ``old`` under it. On any failure before the
    manifest is replaced, the files put in place by this commit are removed and ``old`` stands.
    """
    try:
        for final, temporary in staged.items():
            final.parent.mkdir(parents=True, exist_ok=True)
            move(temporary, final)
        sync_folders(
            folder
            for final in staged
            for folder in final.parents
            if folder.is_relative_to(root / TABLES)
        )
        if new != old:
            move(stage(root / STAGING, _encode(new)), root / MANIFEST)
    except BaseException:
        # Ask the disk, not a variable: an interrupt may come just after the replacement.
        named = {path for path, _ in part_files(root, load(root))}
        for final in staged:
            if final not in named:
                final.unlink(missing_ok=True)
        raise
    try:
        sync_folders([root])
    except OSError as error:
        raise LakeError(
            f"{root}: committed, but it may not survive a power cut ({error.strerror})"
        ) from error


def faults(root: Path, manifest: Manifest, *, deep: bool) -> tuple[str, ...]:
    """A line for each file that is missing or is not what was written; ``deep`` reads every byte.

    The quick look compares sizes, the deep one checksums.
    """
    found = []
    for path, part in part_files(root, manifest):
        size = path.stat().st_size if path.is_file() else None
        if size is None:
            found.append(f"{path}: missing, though the manifest names it")
        elif size != part.disk_bytes:
            found.append(f"{path}: damaged, {size} bytes where {part.disk_bytes} were written")
        elif deep and digest_of(path) != part.digest:
            found.append(f"{path}: damaged, its bytes are not those that were written")
    return tuple(found)


def _refuse_headless(root: Path) -> None:
    # Without this, a lost manifest would read as an empty lake and vacuum would delete the data.
    if (root / TABLES).exists():
        raise LakeError(
            f"{root / MANIFEST}: missing, though '{TABLES}' is there; restore it from a copy"
        )


def _encode(manifest: Manifest) -> bytes:
    tables = {
        name: {
            "keys": table.keys,
            "parts": [
                {"partition": dict(zip(table.keys, values, strict=True)), **part._asdict()}
                for values, part in sorted(table.parts.items())
            ],
        }
        for name, table in sorted(manifest.items())
    }
    document = {"format": FORMAT, "version": VERSION, "tables": tables}
    return json.dumps(document, indent=1).encode()


def _decode(document: Any) -> Manifest:
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']!r}, not {FORMAT!r}")
    if document["version"] != VERSION:
        raise LakeError(
            f"lake version {document['version']!r}, and this eventtape reads version {VERSION}"
        )
    return {check_table(name): _decode_table(table) for name, table in document["tables"].items()}


def _decode_table(table: Any) -> Table:
    keys = tuple(table["keys"])
    parts: dict[tuple[str, ...], Part] = {}
    for record in table["parts"]:
        partition = check_partition(record.pop("partition"))
        part = Part(**record)
        times = (part.first_ts, part.last_ts)
        whole = [part.disk_bytes, part.rows, part.written, *(t for t in times if t is not None)]
        if not _DIGEST.fullmatch(part.digest) or not all(isinstance(n, int) for n in whole):
            raise ValueError(f"a part that cannot be: {record}")
        if set(partition) != set(keys):
            raise InputError(f"the partition keys {list(keys)}", met=partition)
        parts[tuple(partition[key] for key in keys)] = part
    return Table(keys, parts)
