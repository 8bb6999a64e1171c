"""The lake: partitioned Parquet for tapes and results, one DuckDB catalogue over it."""

from eventtape.store.lake import Lake, Vacuumed
from eventtape.store.manifest import Part
from eventtape.store.parquet import Write
from eventtape.store.tapes import datasets, read_tape, write_tape

__all__ = ["Lake", "Part", "Vacuumed", "Write", "datasets", "read_tape", "write_tape"]
