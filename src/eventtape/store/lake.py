"""The lake: tapes and results as partitioned Parquet, written all or nothing, read by name.

On disk, under the root::

    lake.json                                   the manifest: the truth, see ``manifest``
    tables/<table>/<key>=<value>/.../<sha256>.parquet
    staging/                                    files not yet committed, leftovers of a killed write
    commit.lock, use.lock                       see below

Writers stage their files side by side and take ``commit.lock`` alone only for the last step, in
which the manifest is replaced. Readers and writers share ``use.lock``; ``vacuum`` takes it alone,
so it never deletes a file that somebody is reading or about to commit. The locks are ``flock``
locks: processes of one machine, on a local file system.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import polars as pl

from eventtape.errors import LakeError
from eventtape.store import catalogue
from eventtape.store.disk import failures_as_lake_error, locked, stage
from eventtape.store.manifest import (
    STAGING,
    TABLES,
    Manifest,
    Part,
    commit,
    create,
    faults,
    load,
    part_files,
)
from eventtape.store.parquet import Prepared, Write, prepare, scan_files
from eventtape.store.plan import found, selected, with_writes, without

__all__ = ["Lake", "Vacuumed"]

COMMIT_LOCK, USE_LOCK = "commit.lock", "use.lock"


class Vacuumed(NamedTuple):
    """What a vacuum removed."""

    files: int
    disk_bytes: int


class Lake:
    """A folder of tables. Nothing is made on disk before the first write.

    ``lock_timeout_s`` is how long a call waits for other processes before it gives up with a
    :class:`LakeError`.
    """

    def __init__(self, root: str | Path, *, lock_timeout_s: float = 30.0) -> None:
        self.root = Path(root).resolve()
        self.lock_timeout_s = lock_timeout_s

    def __repr__(self) -> str:
        return f"Lake({str(self.root)!r})"

    def write(
        self, table: str, frame: pl.DataFrame, *, partition: Mapping[str, str]
    ) -> tuple[Part, ...]:
        """The part now in the lake; replaces exactly that partition and no other.

        ``partition`` names every key of the table, ``{}`` for a table of one part. Writing what is
        already there changes nothing on disk.
        """
        return self.write_all([Write(table, frame, partition)])

    def write_all(self, writes: Iterable[Write]) -> tuple[Part, ...]:
        """The parts now in the lake, all committed at one stroke, or none.

        ``writes`` may be a generator: each frame is staged on disk as it comes, so only one is in
        memory. Readers see nothing of it before the end; an error in the generator leaves nothing.
        """
        staged: dict[Path, Prepared] = {}
        with ExitStack() as stack:
            for write in writes:
                item = prepare(Write(*write))
                if not staged:
                    stack.enter_context(self._in_use(make=True))
                with failures_as_lake_error(f"{self.root}: writing {item} failed, nothing changed"):
                    temporary = stage(self.root / STAGING, item.payload)
                stack.callback(temporary.unlink, missing_ok=True)
                staged[temporary] = item._replace(payload=b"")
            return self._commit(staged) if staged else ()

    def read(self, table: str, where: Mapping[str, str] | None = None) -> pl.DataFrame:
        """The rows of the partitions that match ``where`` (all of them by default).

        Partition keys come last, as String columns. Rows stand partition by partition, in the
        order of the partition values, each partition as it was written.
        """
        with self._in_use():
            return self._collect(table, where, None)

    def show(self, table: str, n: int = 10) -> pl.DataFrame:
        """The first ``n`` rows that :meth:`read` would return."""
        with self._in_use():
            return self._collect(table, None, n)

    def scan(self, table: str, where: Mapping[str, str] | None = None) -> pl.LazyFrame:
        """:meth:`read` put off: a lazy frame over the files as they are in the lake now.

        It keeps showing the lake of this moment after later writes, until :meth:`vacuum` removes
        the files it names. Prefer ``where`` to a filter on a partition key: it opens fewer files.
        """
        with self._in_use():
            return self._scan(table, where)[1]

    def sql(self, query: str) -> pl.DataFrame:
        """The answer of one reading DuckDB query; see :mod:`eventtape.store.catalogue`."""
        with self._in_use():
            return catalogue.query(self.root, load(self.root), query)

    def export_catalogue(self, path: str | Path) -> None:
        """Write a ``.duckdb`` file of views for a DuckDB shell: a snapshot, see ``catalogue``."""
        with self._in_use():
            catalogue.export(self.root, load(self.root), Path(path))

    def tables(self) -> pl.DataFrame:
        """One row a table: keys, partitions, rows, bytes, first and last ``ts``, last written."""
        return (
            catalogue.listing(load(self.root))
            .group_by("table", maintain_order=True)
            .agg(
                pl.len().alias("partitions"),
                pl.col("rows", "bytes").sum(),
                pl.col("first_ts").min(),
                pl.col("last_ts").max(),
                pl.col("written").max(),
            )
        )

    def partitions(self, table: str) -> pl.DataFrame:
        """One row a partition of the table: its keys, then as in :meth:`tables`, then its file."""
        held = found(self.root, load(self.root), table)
        keys = zip(held.keys, zip(*sorted(held.parts), strict=True), strict=True)
        return catalogue.listing({table: held}).select(
            *(pl.Series(key, values) for key, values in keys), pl.exclude("table", "partition")
        )

    def drop(self, table: str, partition: Mapping[str, str] | None = None) -> None:
        """Take one partition, or without ``partition`` the whole table, out of the lake.

        The files stay on disk until :meth:`vacuum`.
        """
        found(self.root, load(self.root), table)
        with (
            failures_as_lake_error(f"{self.root}: dropping from '{table}' failed"),
            self._in_use(make=True),
            self._committing(),
        ):
            old = load(self.root)
            commit(self.root, old, without(self.root, old, table, partition), {})

    def vacuum(self) -> Vacuumed:
        """Delete the files the lake no longer names: replaced, dropped, or left by a killed write.

        Waits until nobody is reading or writing; readers that never pause can keep it waiting up to
        the timeout. Under ``tables`` only ``.parquet`` files go.
        """
        if not load(self.root) and not (self.root / STAGING).exists():
            return Vacuumed(0, 0)  # no lake was ever made here
        with (
            failures_as_lake_error(f"{self.root}: vacuum failed"),
            locked(self.root / USE_LOCK, shared=False, timeout_s=self.lock_timeout_s),
        ):
            named = {path for path, _ in part_files(self.root, load(self.root))}
            orphans = {*(self.root / TABLES).rglob("*.parquet")} - named
            orphans.update((self.root / STAGING).glob("*.tmp"))
            size = 0
            for path in orphans:
                size += path.stat().st_size
                path.unlink()
            for folder in sorted((self.root / TABLES).rglob("*/"), reverse=True):
                if not any(folder.iterdir()):
                    folder.rmdir()
            return Vacuumed(len(orphans), size)

    def verify(self) -> tuple[str, ...]:
        """A line for each file that is missing or whose bytes are not those written; reads all."""
        with self._in_use():
            return faults(self.root, load(self.root), deep=True)

    @contextmanager
    def _in_use(self, *, make: bool = False) -> Iterator[None]:
        with ExitStack() as stack:
            with failures_as_lake_error(f"{self.root}: the lake cannot be opened"):
                if make:
                    self.root.mkdir(parents=True, exist_ok=True)
                    (self.root / USE_LOCK).touch()
                stack.enter_context(
                    locked(self.root / USE_LOCK, shared=True, timeout_s=self.lock_timeout_s)
                )
                if make:
                    with self._committing():
                        create(self.root)
            yield

    def _committing(self) -> AbstractContextManager[None]:
        return locked(self.root / COMMIT_LOCK, shared=False, timeout_s=self.lock_timeout_s)

    def _commit(self, staged: Mapping[Path, Prepared]) -> tuple[Part, ...]:
        what = f"{next(iter(staged.values()))}"
        what += f" and {len(staged) - 1} more" if len(staged) > 1 else ""
        with (
            failures_as_lake_error(f"{self.root}: committing {what} failed, nothing changed"),
            self._committing(),
        ):
            old = load(self.root)
            new, moves, written = with_writes(self.root, old, staged)
            if moves or new != old:
                commit(self.root, old, new, moves)
            return written

    def _scan(self, name: str, where: Mapping[str, str] | None) -> tuple[Manifest, pl.LazyFrame]:
        manifest = load(self.root)
        kept = selected(name, found(self.root, manifest, name), where)
        missing = faults(self.root, {name: kept}, deep=False)
        if missing:
            raise LakeError("\n".join(missing))
        files = {values: self.root / kept.file(name, values) for values in kept.parts}
        return {name: kept}, scan_files(files, kept.keys)

    def _collect(self, name: str, where: Mapping[str, str] | None, n: int | None) -> pl.DataFrame:
        kept, rows = self._scan(name, where)
        try:
            return (rows if n is None else rows.head(n)).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            reasons = faults(self.root, kept, deep=True)
            raise LakeError("\n".join(reasons) or f"table '{name}': {error}") from error
