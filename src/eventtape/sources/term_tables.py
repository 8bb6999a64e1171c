"""Tables of at-the-money implied volatilities by expiry: which volatility, of when, until when?

One row a snapshot and expiry, CSV (plain or gzip) or Parquet; headings in any case. Known:

========== ==================================================================================
ts         ``ts``, ``at``, ``date``, ``time``, ``timestamp``; or ``at=`` for the whole file
expiry     ``expiry``, ``expiration``, ``expiry_date``, ``maturity``
iv         ``atm_iv``, ``iv``, ``mark_iv``, ``market_iv``, ``implied_volatility``, "IV (%)"
label      ``label``, ``underlying``, ``ccy``, ``currency``, ``asset``; or ``label=``
error      ``error``, ``iv_error``; or half of ``spread``, ``iv_spread``; in the unit of iv
F, index   the forward of the expiry and the price of the underlying, where the file has them
========== ==================================================================================

Of several names of one thing the first in this list counts. A time says its zone; a date alone is
00:00 UTC. An expiry is a time with its zone, a date or Deribit's code (8NOV24): a day alone settles
at 08:00 UTC where the label is a coin, or where some code stands in a table without labels, else at
16:00 in New York. Both are said in the notes of the report.

Percent or decimals is decided by the whole file: volatilities all in (0, 3] are decimals, all in
[3, 500] are percent. A file that mixes them is refused, and ``unit=`` says what cannot be decided.
"""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from eventtape.errors import InputError
from eventtape.sources.files import read_table
from eventtape.sources.option_files_rows import BadRows, Ledger, OptionRows, ReadReport, percent
from eventtape.sources.term_times import expiries_of, stamps_of

__all__ = ["read_term_rows", "read_term_table"]

_NAMES = {
    "ts": ("ts", "at", "date", "time", "timestamp"),
    "expiry": ("expiry", "expiration", "expiry_date", "maturity"),
    "iv": ("atm_iv", "iv", "mark_iv", "market_iv", "implied_volatility"),
    "label": ("label", "underlying", "ccy", "currency", "asset"),
    "error": ("error", "iv_error"),
    "spread": ("spread", "iv_spread"),
    "forward": ("f", "forward"),
    "index": ("index", "index_price", "spot"),
}
_UNITS = (None, "percent", "decimal")
_SPLIT, _HIGHEST = 3.0, 500.0  # decimals up to 300%, percent up to 500


def read_term_table(
    path: str | Path,
    *,
    at: int | str | None = None,
    label: str | None = None,
    unit: str | None = None,
    bad: BadRows = "raise",
) -> pl.DataFrame:
    """At-the-money volatilities, decimals per sqrt(year): the frame of :func:`read_term_rows`."""
    return read_term_rows(path, at=at, label=label, unit=unit, bad=bad).frame


def read_term_rows(
    path: str | Path,
    *,
    at: int | str | None = None,
    label: str | None = None,
    unit: str | None = None,
    bad: BadRows = "raise",
) -> OptionRows:
    """At-the-money volatilities of a file as ``(frame, report)``, by ts, label and expiry.

    Columns ``ts, label, expiry`` (ns UTC), ``iv, error`` (decimals; error null where the file has
    none), ``forward, index`` (prices, null where the file has none). ``at`` (ns or ISO text) and
    ``label`` state what the file does not say; ``unit`` is ``percent`` or ``decimal`` where the
    values do not decide it. Rows past their expiry are left out and counted. ``bad="drop"`` leaves
    out and counts rows without a usable volatility, expiry or label and second rows of an expiry;
    else the first is an :class:`InputError` naming file, row and column.
    """
    if unit not in _UNITS:
        raise InputError("a unit 'percent' or 'decimal'", met=unit)
    file = str(path)
    raw = _table(path)
    headings = _headings(raw, file)
    table = raw.select(raw[heading].alias(name) for name, heading in headings.items())
    ledger = Ledger(table, "term table", file, bad)
    labels = _labels(table, label, ledger)
    ts = stamps_of(table, at, ledger)
    rows = pl.DataFrame({"ts": ts, "label": labels, "expiry": expiries_of(table, labels, ledger)})
    rows = rows.with_columns(_volatilities(table, unit, "%" in headings["iv"], ledger))
    rows = rows.with_columns(ledger.maybe(table, name).alias(name) for name in ("forward", "index"))
    ledger.drop(rows["expiry"] <= rows["ts"], "expired")
    _one_a_snapshot(rows, ledger)
    kept = rows.filter(ledger.keep)
    if kept.is_empty():
        met = ", ".join(f"{n} {reason}" for reason, n in ledger.dropped.items()) or "no rows"
        raise ledger.fault("at least one volatility", met=met)
    frame = kept.sort("ts", "label", "expiry")
    if not frame.equals(kept):
        ledger.noted["rows not in order, put in order"] = kept.height
    report = ReadReport(ledger.format, ledger.rows, frame.height, ledger.dropped, ledger.noted)
    return OptionRows(frame, report)


def _table(path: str | Path) -> pl.DataFrame:
    if Path(path).suffix != ".parquet":
        return read_table(path)
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"a Parquet file ({reason})", file=path) from error


def _plain(heading: str) -> str:
    """A heading without case, unit and spaces: "ATM IV (%)" is atm_iv."""
    return re.sub(r"[\s_]+", "_", re.sub(r"\(.*\)|%", " ", heading).strip().lower())


def _headings(raw: pl.DataFrame, file: str) -> dict[str, str]:
    """The file's heading of each column known, under our name."""
    plain: dict[str, str] = {}
    for heading in raw.columns:
        plain.setdefault(_plain(heading), heading)
    found = {
        name: next(plain[known] for known in among if known in plain)
        for name, among in _NAMES.items()
        if any(known in plain for known in among)
    }
    for name in ("expiry", "iv"):
        if name not in found:
            wanted = f"a column among {', '.join(_NAMES[name])}"
            raise InputError(wanted, met=", ".join(raw.columns), file=file, column=name)
    return found


def _labels(table: pl.DataFrame, label: str | None, ledger: Ledger) -> pl.Series:
    if "label" not in table.columns:
        return pl.Series("label", [label or ""], pl.String).new_from_index(0, table.height)
    labels = table["label"].cast(pl.String).str.strip_chars()
    blank = labels.is_null() | (labels == "")
    ledger.reject(table["label"], blank, "a label", "no label")
    return labels


def _volatilities(
    table: pl.DataFrame, unit: str | None, says_percent: bool, ledger: Ledger
) -> list[pl.Series]:
    """Columns iv and error as decimals."""
    signed = _without_signs(table)
    iv = ledger.number(signed, "iv", needed=True)
    ledger.reject(table["iv"], iv <= 0, "a volatility above 0", "no volatility above 0")
    ledger.reject(table["iv"], iv > _HIGHEST, "a volatility of at most 500%", "above 500%")
    signs = says_percent or signed is not table
    in_percent = _in_percent(iv, unit, signs, ledger)
    error = ledger.maybe(signed, "error").fill_null(ledger.maybe(signed, "spread") / 2)
    ledger.reject(error, error < 0, "an error >= 0", "negative error")
    columns = [iv.alias("iv"), error.alias("error")]
    if not in_percent:
        ledger.reject(table["iv"], iv > _SPLIT, "a decimal: .55 for 55%", "above 300%")
        return columns
    ledger.note(ledger.keep, "volatilities in percent")
    return [percent(column) for column in columns]


def _without_signs(table: pl.DataFrame) -> pl.DataFrame:
    """The table with the signs of 55.23% taken off, where every volatility has one."""
    if table["iv"].dtype != pl.String or not table["iv"].str.ends_with("%").all():
        return table
    return table.with_columns(
        pl.col(name).str.strip_suffix("%")
        for name in ("iv", "error", "spread")
        if name in table.columns and table[name].dtype == pl.String
    )


def _in_percent(iv: pl.Series, unit: str | None, says_percent: bool, ledger: Ledger) -> bool:
    if unit is not None:
        return unit == "percent"
    usable = iv.filter(ledger.keep)
    low, high = usable.min(), usable.max()
    if low is None or high is None:
        return False
    if float(high) <= _SPLIT:  # type: ignore[arg-type]
        if says_percent:
            raise ledger.fault("unit= (the heading says percent, the values decimals)", column="iv")
        return False
    if float(low) >= _SPLIT:  # type: ignore[arg-type]
        return True
    small = (iv < _SPLIT) & ledger.keep
    fewer = small if small.sum() * 2 <= usable.len() else ~small & ledger.keep
    row = int(fewer.arg_true()[0])
    others = "decimals" if fewer is not small else "percent"
    raise InputError(
        f"{others} as most of the column, not a mix (unit= says which)",
        met=iv[row],
        file=ledger.file,
        row=int(ledger.line[row]),
        column="iv",
    )


def _one_a_snapshot(rows: pl.DataFrame, ledger: Ledger) -> None:
    placed = rows.select("ts", "label", "expiry").with_row_index("at").filter(ledger.keep)
    second = placed.filter(~pl.struct("ts", "label", "expiry").is_first_distinct())["at"]
    mask = pl.int_range(0, rows.height, eager=True).is_in(second.cast(pl.Int64).implode())
    shown = rows["expiry"].dt.strftime("%Y-%m-%dT%H:%MZ").alias("expiry")
    ledger.reject(shown, mask, "one row of an expiry at a time", "second row of an expiry")
