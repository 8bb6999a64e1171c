"""Rows of options made whole: absent columns filled with nulls, ordered, and held to every rule.

Beyond what :func:`eventtape.tape.records.check` asks of any record, a contract settles after its
row is stamped and says how it is exercised and in what it settles.
"""

from __future__ import annotations

import polars as pl

from eventtape.errors import InputError
from eventtape.tape.records import OPTION_QUOTE, Record, check

__all__ = ["SETTLEMENTS", "STYLES", "check_options"]

STYLES = ("european", "american")
SETTLEMENTS = ("cash", "physical", "inverse")


def check_options(
    frame: pl.DataFrame, record: Record = OPTION_QUOTE, *, file: str | None = None
) -> pl.DataFrame:
    """The rows as that record, ordered by time, underlying, expiry, strike and calls first.

    Columns that may be null and are not there are filled with nulls. Raises :class:`InputError`
    naming row (of the ordered rows), column, the value met and the one wanted.
    """
    absent = [
        pl.lit(None, dtype=column.dtype).alias(name)
        for name, column in record.columns.items()
        if column.nullable and name not in frame.columns
    ]
    whole = frame.with_columns(absent)
    order = ("ts", "underlying", "expiry", "strike", "is_call", "symbol")
    if set(order) <= set(whole.columns):
        falling = [name == "is_call" for name in order]
        whole = whole.sort(order, descending=falling, maintain_order=True)
    whole = check(whole, record, file=file)
    for name, known in (("style", STYLES), ("settlement", SETTLEMENTS)):
        _refuse(whole[name], ~whole[name].is_in(known), " or ".join(known), file)
    _refuse(whole["expiry"], whole["expiry"] < whole["ts"], "an expiry not before its row", file)
    return whole


def _refuse(values: pl.Series, bad: pl.Series, wanted: str, file: str | None) -> None:
    rows = bad.arg_true()
    if len(rows):
        row = int(rows[0])
        met = str(values[row])
        raise InputError(wanted, met=met, file=file, row=row + 1, column=values.name)
