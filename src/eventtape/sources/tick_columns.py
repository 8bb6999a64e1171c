"""A vendor's columns into the tape's: symbols, times, verdicts on conditions, sides that are firm.

A quoted side with a price and no size (or a size and no price) is not firm: nobody can trade with
it, so it becomes absent (0 and 0) and is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from eventtape.arrays import IntArray
from eventtape.errors import InputError
from eventtape.sources.conditions import Judge, Policy, Trait, Verdict
from eventtape.sources.files import refuse

__all__ = ["Place", "epoch_times", "firm", "judged", "numbers_of", "row_numbers", "symbols"]

_EPOCH_NS = (10**18, 9 * 10**18)  # the years 2001 to 2255; int64 ends in 2262


class Place(NamedTuple):
    """Which file a fault is in, what it calls its columns, and where counts go."""

    file: str | Path
    names: dict[str, str]
    counts: Counter[str]

    @contextmanager
    def rows(self, row: pl.Series | int) -> Iterator[None]:
        """Turn the row of a frame in an error into the row of the file, and name the file."""
        try:
            yield
        except InputError as error:
            at = error.row
            if at is not None:
                at = row + at if isinstance(row, int) else int(row[at - 1]) + 1
            column = self.names.get(error.column or "", error.column)
            raise InputError(
                error.wanted, met=error.met, file=self.file, row=at, column=column
            ) from error


def symbols(values: pa.Array) -> pl.Series:
    """Symbols as a Categorical: a number a row, each name stored once."""
    series = pl.Series("symbol", pl.from_arrow(values))
    return series if series.dtype == pl.Categorical else series.cast(pl.Categorical)


def judged(
    columns: dict[str, pa.Array], judge: Judge, policy: Policy, place: Place, first_row: int
) -> pl.DataFrame:
    """Booleans ``iso``, ``eligible`` and ``record`` (an official price, no trade) of each row."""
    texts, index = _texts(columns["condition"])
    verdicts = [judge(text) for text in texts]
    _refuse_unknown(verdicts, texts, index, policy, place, first_row)
    iso = np.array([v.iso for v in verdicts], np.bool_)[index]
    allowed = np.array([_allowed(v, policy) for v in verdicts], np.bool_)[index]
    record = np.array([Trait.OFFICIAL_PRICE in v.traits for v in verdicts], np.bool_)[index]
    met = np.bincount(index, minlength=len(texts))
    for verdict, rows in zip(verdicts, met.tolist(), strict=True):
        for trait in verdict.traits & policy.excluded:
            place.counts[f"ineligible: {trait}"] += rows
        if verdict.unknown is not None:
            place.counts["unknown condition"] += rows
    for column, trait in (("correction", Trait.CANCELLED), ("suspicious", Trait.SUSPICIOUS)):
        if column in columns:
            flagged = columns[column].fill_null(0).to_numpy(zero_copy_only=False) != 0
            if trait == Trait.CANCELLED:
                record = record | flagged
            if trait in policy.excluded:
                place.counts[f"ineligible: {trait}"] += int(flagged.sum())
                allowed = allowed & ~flagged
    return pl.DataFrame({"iso": iso, "eligible": allowed, "record": record})


def _allowed(verdict: Verdict, policy: Policy) -> bool:
    known = verdict.unknown is None or policy.unknown == "eligible"
    return known and not verdict.traits & policy.excluded


def _refuse_unknown(
    verdicts: list[Verdict],
    texts: list[str],
    index: IntArray,
    policy: Policy,
    place: Place,
    first_row: int,
) -> None:
    if policy.unknown != "refuse" or all(v.unknown is None for v in verdicts):
        return
    unknown = np.array([v.unknown is not None for v in verdicts], np.bool_)[index]
    if unknown.any():
        row = int(unknown.argmax())
        code, text = verdicts[index[row]].unknown, texts[index[row]]
        raise InputError(
            f"a known condition (not {code}), or a policy whose unknown is 'ineligible'",
            met=text,
            file=place.file,
            row=first_row + row + 1,
            column=place.names.get("condition", "condition"),
        )


def _texts(values: pa.Array) -> tuple[list[str], IntArray]:
    """The distinct texts of a column and, for each row, which of them it holds."""
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        lists = pl.Series(pl.from_arrow(values))
        values = lists.cast(pl.List(pl.String)).list.join(",").to_arrow()
    elif pa.types.is_integer(values.type):
        values = values.cast(pa.string())
    if not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    texts = [text or "" for text in values.dictionary.to_pylist()]
    index = values.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    return [*texts, ""], index.astype(np.int64)


def firm(frame: pl.DataFrame, place: Place) -> pl.DataFrame:
    """The quotes with every side that has a price and no size, or a size and no price, absent."""
    for price, size in (("bid", "bid_size"), ("ask", "ask_size")):
        loose = (frame[price] == 0) != (frame[size] == 0)
        met = int(loose.sum())
        if met:
            place.counts[f"{price} not firm"] += met
            keep = pl.when(~loose)
            frame = frame.with_columns(
                keep.then(pl.col(name)).otherwise(0.0).alias(name) for name in (price, size)
            )
    return frame


def epoch_times(values: pa.Array, unit_ns: int, place: Place, first_row: int) -> pl.Series:
    """UTC times of whole counts of ``unit_ns`` since 1970; other units and gaps are refused."""
    stamps = pl.Series("ts", pl.from_arrow(values))
    with place.rows(first_row):
        if not stamps.dtype.is_integer():
            wanted = "whole numbers since 1970"
            raise InputError(wanted, met=str(stamps.dtype), column="ts")
        low, high = (bound // unit_ns for bound in _EPOCH_NS)
        span = stamps.to_numpy() if not stamps.null_count() else np.zeros(1)
        if span.size and not low <= span.min() <= span.max() < high:
            good = stamps.is_between(low, high, closed="left").fill_null(value=False)
            refuse(stamps, ~good, f"a time since 1970 in units of {unit_ns} ns", file=None)
    return (stamps.cast(pl.Int64) * unit_ns).cast(pl.Datetime("ns", "UTC"))


def numbers_of(values: pa.Array, name: str, divisor: float = 1.0) -> pl.Series:
    """A column of numbers as floats, divided; of another type it is left to the check."""
    series = pl.Series(name, pl.from_arrow(values))
    if not series.dtype.is_numeric():
        return series
    floats = series.cast(pl.Float64)
    if divisor == 1.0:
        return floats
    # Polars divides by a constant through its reciprocal: 183.63 would not be the nearest float.
    return pl.Series(name, floats.to_numpy() / divisor)


def row_numbers(first_row: int, rows: int) -> pl.Series:
    """The places of these rows in their file, from 0."""
    return pl.Series("row", np.arange(first_row, first_row + rows))
