"""What every loader of option rows shares: what the caller states, which rows go, and why.

A file rarely says everything: a chain exported from a screen has no time, a column of strikes no
underlying. What the caller must state is a :class:`Given`; what is needed and neither there nor
given is an error that names it.

A row that cannot be used is an error naming file, row and column, or, with ``bad="drop"``, a row
left out and counted under its reason. Some rows are always left out and counted, because they are
right but are no quotes: a contract past its expiry, an exact repeat, an adjusted contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import polars as pl

from eventtape.errors import InputError
from eventtape.sources.files import hundredths
from eventtape.tape import OPTION_QUOTE, Record, check_options

__all__ = ["BadRows", "Given", "Ledger", "OptionRows", "ReadReport", "finished", "percent"]

BadRows = Literal["raise", "drop"]
_BLANK = ("", "-", "--", "nan", "null", "n/a", "na", "none")
_DAYS = 365.0


class Given(NamedTuple):
    """What the caller says of a file that does not say it itself; None where nothing is said."""

    underlying: str | None = None
    root: str | None = None  # whose rules of exercise and settlement hold (else the underlying's)
    at_ns: int | None = None  # when the quotes were in force
    expiry: str | None = None  # a date, or a time with its zone
    underlying_price: float | None = None
    is_call: bool | None = None
    style: str | None = None
    settlement: str | None = None
    strike_scale: float | None = None  # prices' unit per unit of the file's strikes, else its own
    columns: Mapping[str, str] | None = None  # our name: the file's
    zone: str | None = None  # the clock of stamps that name none
    underlying_quotes: str | Path | None = None  # a file of the underlying's own quotes


class ReadReport(NamedTuple):
    """What became of the rows of a file."""

    format: str
    rows: int  # quotes read: a wide file has two a line
    kept: int
    dropped: dict[str, int]  # by reason
    noted: dict[str, int]  # kept all the same: sides nobody quotes, crossed, values missing


class OptionRows(NamedTuple):
    """Option rows in the tape's columns, and what became of the others."""

    frame: pl.DataFrame
    report: ReadReport


class Ledger:
    """The fate of each row of one table while a loader works on it, column by column."""

    def __init__(
        self, table: pl.DataFrame, format_name: str, file: str | None, bad: BadRows = "raise"
    ) -> None:
        if bad not in {"raise", "drop"}:
            raise InputError("bad rows that 'raise' or 'drop'", met=bad)
        self.file, self.format, self.bad = file, format_name, bad
        self.rows = table.height
        self.line = (
            table["line"]
            if "line" in table.columns
            else pl.int_range(1, table.height + 1, eager=True)
        )
        self.keep = _all(table.height, value=True)
        self.dropped: dict[str, int] = {}
        self.noted: dict[str, int] = {}

    def reject(self, values: pl.Series, bad: pl.Series, wanted: str, reason: str) -> None:
        """Raise for the first bad row, or leave all of them out under ``reason``."""
        bad = bad.fill_null(value=False) & self.keep
        if self.bad == "raise":
            rows = bad.arg_true()
            if len(rows):
                row = int(rows[0])
                met, line = values[row], int(self.line[row])
                raise InputError(wanted, met=met, file=self.file, row=line, column=values.name)
        self.drop(bad, reason)

    def drop(self, bad: pl.Series, reason: str) -> None:
        """Leave these rows out and count them, each under the first reason met."""
        bad = bad.fill_null(value=False) & self.keep
        if bad.any():
            self.dropped[reason] = self.dropped.get(reason, 0) + int(bad.sum())
            self.keep = self.keep & ~bad

    def note(self, mask: pl.Series, what: str) -> None:
        """Count rows that are kept although something about them should be known."""
        count = int((mask.fill_null(value=False) & self.keep).sum())
        if count:
            self.noted[what] = self.noted.get(what, 0) + count

    def number(self, table: pl.DataFrame, column: str, *, needed: bool = False) -> pl.Series:
        """A column as floats, null where blank; text that is no number is a bad row."""
        values = table[column]
        if values.dtype == pl.Null:
            values = values.cast(pl.Float64)
        if values.dtype == pl.Boolean or not (values.dtype.is_numeric() or _is_text(values)):
            met = str(values.dtype)
            raise InputError("a column of numbers", met=met, file=self.file, column=column)
        if _is_text(values):
            text = values.cast(pl.String).str.strip_chars()
            blank = text.is_null() | text.str.to_lowercase().is_in(_BLANK)
            cast = text.str.replace_all(",", "", literal=True).cast(pl.Float64, strict=False)
            self.reject(values, ~blank & cast.is_null(), "a number", f"no number in '{column}'")
        else:
            cast = values.cast(pl.Float64)
        cast = cast.fill_nan(None)
        self.reject(values, cast.is_infinite(), "a finite number", f"no number in '{column}'")
        if needed:
            self.reject(values, cast.is_null(), "a number", f"no number in '{column}'")
        return cast

    def maybe(self, table: pl.DataFrame, column: str) -> pl.Series:
        """A column as floats, or nulls where the file has no such column."""
        if column in table.columns:
            return self.number(table, column)
        return pl.Series(column, [None], pl.Float64).new_from_index(0, table.height)

    def spot(self, table: pl.DataFrame, column: str, given: Given) -> pl.Series:
        """The underlying's price of each row: the file's, else the one the caller states."""
        prices = self.maybe(table, column)
        if given.underlying_price is None:
            return prices
        return prices.fill_null(given.underlying_price)

    def at(self, given: Given) -> int:
        """The time the caller states, ns UTC, for a file that has none."""
        if given.at_ns is None:
            raise self.fault("a time of the quotes (the file has none: give at=)", column="ts")
        return given.at_ns

    def scaled(self, strikes: pl.Series, given: Given, own: float = 1.0) -> pl.Series:
        """Strikes in the unit of prices: the file's own unit, unless the caller states another."""
        scale = own if given.strike_scale is None else given.strike_scale
        if not scale > 0:
            raise InputError("a strike_scale above 0", met=scale)
        # 0.01 and 0.001 are no doubles: dividing gives the nearest double to the decimal.
        parts = round(1.0 / scale)
        exact = scale < 1 and abs(parts * scale - 1.0) < 1e-12  # noqa: PLR2004
        values = strikes.to_numpy()
        return pl.Series(
            strikes.name, values / parts if exact else values * scale, nan_to_null=True
        )

    def fault(self, wanted: str, *, met: object = None, column: str | None = None) -> InputError:
        """The error of a whole file or column."""
        return InputError(wanted, met=met, file=self.file, column=column)


def finished(
    rows: pl.DataFrame, ledger: Ledger, record: Record = OPTION_QUOTE, *, day_vega: bool = False
) -> OptionRows:
    """The rows in the record's columns, once sides, repeats and expiries are judged.

    ``rows`` are as long as the table the ledger was made for. ``day_vega``: the vendor's vega and
    rho are per 0.01 and its theta per calendar day.
    """
    if day_vega:
        scales = {"vendor_vega": 100.0, "vendor_rho": 100.0, "vendor_theta": _DAYS}
        rows = rows.with_columns(
            pl.col(name) * scale for name, scale in scales.items() if name in rows.columns
        )
    ledger.reject(rows["strike"], rows["strike"] <= 0, "a strike > 0", "no strike above 0")
    if record is OPTION_QUOTE:
        rows = _sides(rows, ledger)
        ledger.drop(rows["expiry"] <= rows["ts"], "expired")
        _repeats(rows, ledger)
        _note_sides(rows, ledger)
    else:
        ledger.drop(rows["expiry"] < rows["ts"], "expired")
    rows = _volatilities(rows, ledger)
    kept = rows.filter(ledger.keep)
    if kept.is_empty():
        met = ", ".join(f"{n} {reason}" for reason, n in ledger.dropped.items()) or "no rows"
        raise ledger.fault(f"at least one {record.name}", met=met)
    frame = check_options(kept, record, file=ledger.file)
    report = ReadReport(ledger.format, ledger.rows, frame.height, ledger.dropped, ledger.noted)
    return OptionRows(frame, report)


def percent(values: pl.Series) -> pl.Series:
    """Percent as shares: the nearest double to value / 100, null where null."""
    return hundredths(values).fill_nan(None)


def _sides(rows: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Prices of 0 are not quoted or not known: null; negative prices and sizes are bad rows."""
    prices = ("bid", "ask", "coin_bid", "coin_ask", "underlying_price", "forward_price")
    sides = [name for name in prices if name in rows.columns]
    sizes = [name for name in ("bid_size", "ask_size") if name in rows.columns]
    for name in (*sides, *sizes, *(["mark"] if "mark" in rows.columns else [])):
        what = "size" if name in sizes else "price"
        ledger.reject(rows[name], rows[name] < 0, f"a {what} >= 0", f"negative {what}")
    return rows.with_columns(
        pl.when(pl.col(name) > 0).then(pl.col(name)).alias(name) for name in sides
    )


def _note_sides(rows: pl.DataFrame, ledger: Ledger) -> None:
    for name in ("bid", "ask", "underlying_price"):
        if name in rows.columns:
            ledger.note(rows[name].is_null(), f"no {name}")
    if {"bid", "ask"} <= set(rows.columns):
        ledger.note(rows["bid"] > rows["ask"], "crossed")
        ledger.note(rows["bid"] == rows["ask"], "locked")


def _volatilities(rows: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Vendors write a volatility they do not have as 0 or -1."""
    names = [name for name in rows.columns if name.startswith("vendor_") and name.endswith("iv")]
    for name in names:
        ledger.note(rows[name] <= 0, f"{name} missing")
    return rows.with_columns(
        pl.when(pl.col(name) > 0).then(pl.col(name)).alias(name) for name in names
    )


def _repeats(rows: pl.DataFrame, ledger: Ledger) -> None:
    """One quote a contract and time: an exact repeat goes, a second and different one is bad."""
    placed = rows.with_row_index("at").filter(ledger.keep)
    if not placed.select("symbol", "ts").is_duplicated().any():
        return
    first = pl.struct(rows.columns).is_first_distinct()
    ledger.drop(_marked(placed.filter(~first), rows.height), "exact repeat")
    second = placed.filter(first).filter(~pl.struct("symbol", "ts").is_first_distinct())
    ledger.reject(
        rows["symbol"],
        _marked(second, rows.height),
        "one quote of a contract at a time",
        "second quote of a contract at one time",
    )


def _marked(rows: pl.DataFrame, n: int) -> pl.Series:
    """A mask of ``n`` rows that is true at the rows these were taken from."""
    return pl.int_range(0, n, eager=True).is_in(rows["at"].cast(pl.Int64).implode())


def _is_text(values: pl.Series) -> bool:
    return isinstance(values.dtype, pl.String | pl.Categorical | pl.Enum)


def _all(n: int, *, value: bool) -> pl.Series:
    return pl.Series([value], dtype=pl.Boolean).new_from_index(0, n)
