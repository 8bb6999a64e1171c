"""What may be called what in the lake: table names, partition keys and values, column names.

A table and a partition are folders (``tables/trade/venue=kalshi/``), SQL identifiers and view
columns at once, so the names are held to what is safe in all three, and no name given by a user
or a feed can lead outside the lake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl

from eventtape.errors import InputError

__all__ = ["FILE_COLUMN", "check_columns", "check_partition", "check_table"]

FILE_COLUMN = "__file"  # which file a row came from, while a scan joins its partition values
RESERVED = frozenset({"files"})  # the catalogue's own table
# What :meth:`Lake.partitions` says of a partition beside its keys.
RESERVED_KEYS = frozenset({"rows", "bytes", "first_ts", "last_ts", "written", "file"})
# DuckDB and Hive read these two folder values as a missing value.
NULLS = frozenset({"NULL", "__HIVE_DEFAULT_PARTITION__"})

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")
_VALUE = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.:,@+-]{0,119}")


def check_table(name: str) -> str:
    """The table name, once it is safe as a folder and as an SQL name."""
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name) or name in RESERVED:
        raise InputError(
            "a table name of lower-case letters, digits and _ that starts with a letter"
            f" (not {', '.join(RESERVED)})",
            met=name,
        )
    return name


def check_partition(partition: Mapping[str, str]) -> dict[str, str]:
    """The partition as a dict, once keys and values are safe as ``key=value`` folders."""
    for key, value in partition.items():
        if not isinstance(key, str) or not _IDENTIFIER.fullmatch(key) or key in RESERVED_KEYS:
            raise InputError(
                "a partition key of lower-case letters, digits and _ that starts with a letter"
                f" (not {', '.join(sorted(RESERVED_KEYS))})",
                met=key,
            )
        if not isinstance(value, str) or not _VALUE.fullmatch(value) or value in NULLS:
            raise InputError(
                "a partition value of 1 to 120 letters, digits or _ . : , @ + -, no dot first",
                met=value,
                column=key,
            )
    return dict(partition)


def check_columns(frame: pl.DataFrame, keys: Mapping[str, str]) -> None:
    """Refuse columns that SQL would confuse with each other or with a partition key."""
    if not frame.columns:
        raise InputError("a frame with at least one column", met="no columns")
    seen = {key: f"the partition key '{key}'" for key in (*keys, FILE_COLUMN)}
    for name in frame.columns:
        folded = name.casefold()
        if not name or folded in seen:
            raise InputError(
                "column names that differ from each other and from the partition keys,"
                " capitals aside",
                met=f"{name!r} beside {seen.get(folded, 'the others')}",
            )
        seen[folded] = f"'{name}'"
