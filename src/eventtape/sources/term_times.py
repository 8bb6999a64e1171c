"""The two times of a table of volatilities: when a row was in force, and when its options settle.

A day alone has to be given its hour. A snapshot's is 00:00 UTC. An expiry's is 08:00 UTC where the
label is a coin, or where there are no labels and some expiry is in Deribit's code (8NOV24), and
16:00 in New York else.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time

import polars as pl

from eventtape import clock
from eventtape.sources.option_files_rows import Ledger
from eventtape.sources.stamps import from_epoch, from_zoned_text

__all__ = ["expiries_of", "stamps_of"]

_COINS = r"^(?:BTC|XBT|ETH|SOL|XRP|BNB|DOGE|AVAX|TRX|PAXG)(?:[-_/ ].*|USD.*)?$"
_CODE = r"(\d{1,2})([A-Za-z]{3})(\d{2})"
_DATE = r"^\d{4}-\d{2}-\d{2}$"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = pl.Datetime("ns", "UTC")
_COIN_HOUR, _SHARE_HOUR = 8, 16
_NEW_YORK = "America/New_York"


def stamps_of(table: pl.DataFrame, at: int | str | None, ledger: Ledger) -> pl.Series:
    """When each row was in force, UTC."""
    if "ts" not in table.columns:
        if at is None:
            raise ledger.fault("a time of the table (the file has none: give at=)", column="ts")
        at_ns = clock.parse_ns(at) if isinstance(at, str) else at
        return pl.Series("ts", [at_ns]).cast(_TIME).new_from_index(0, table.height)
    values = table["ts"]
    if isinstance(values.dtype, pl.Datetime):
        return _utc(values, ledger)
    if values.dtype == pl.Date:
        ledger.reject(values, values.is_null(), "a date", "no time in 'ts'")
        ledger.note(values.is_not_null(), "date alone: 00:00 UTC")
        return values.cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
    if values.dtype.is_numeric():
        return from_epoch(values, file=ledger.file)
    text = values.cast(pl.String).str.strip_chars()
    whole = text.str.contains(r"^\d+$").all()
    if whole and text.len():
        return from_epoch(text.cast(pl.Int64, strict=False).alias("ts"), file=ledger.file)
    days = text.str.contains(_DATE)
    ledger.note(days, "date alone: 00:00 UTC")
    full = text.to_frame().select(
        pl.when(days).then(pl.col("ts") + "T00:00:00Z").otherwise("ts").alias("ts")
    )["ts"]
    return from_zoned_text(full, file=ledger.file)


def expiries_of(table: pl.DataFrame, labels: pl.Series, ledger: Ledger) -> pl.Series:
    """When each row's options settle, UTC; a day alone by what its label names."""
    values = table["expiry"]
    if isinstance(values.dtype, pl.Datetime):
        return _utc(values, ledger)
    text = values.cast(pl.String).str.strip_chars()  # a Date too becomes ISO text
    coin = labels.str.to_uppercase().str.contains(_COINS)
    code = text.str.contains(f"^{_CODE}$")
    at_eight = coin | ((labels == "") & bool(code.any()))
    keys = pl.DataFrame({"text": text, "coin": at_eight})
    moments = {key: _moment(*key) for key in keys.unique().iter_rows()}
    ns = pl.Series("expiry", [moments[key] for key in keys.iter_rows()], pl.Int64)
    wanted = "an expiry such as 2024-11-08, 2024-11-08T08:00Z or 8NOV24"
    ledger.reject(values, ns.is_null(), wanted, "no expiry")
    day_alone = code | text.str.contains(_DATE)
    ledger.note(day_alone & at_eight, "expiry a day alone: 08:00 UTC")
    ledger.note(day_alone & ~at_eight, "expiry a day alone: 16:00 New York")
    return ns.cast(_TIME)


def _moment(text: str | None, coin: bool) -> int | None:
    """UTC nanoseconds of an expiry as it is written, None where nothing can be read from it."""
    if text is None:
        return None
    try:
        if code := re.fullmatch(_CODE, text):
            month = _MONTHS.index(code[2].lower()) + 1
            day = date(2000 + int(code[3]), month, int(code[1]))
        elif re.fullmatch(_DATE, text):
            day = date.fromisoformat(text)
        else:
            return clock.parse_ns(text)
    except ValueError:  # an InputError is one
        return None
    hour, zone = (_COIN_HOUR, "UTC") if coin else (_SHARE_HOUR, _NEW_YORK)
    return clock.parse_ns(datetime.combine(day, time(hour), clock.zone(zone)).isoformat())


def _utc(values: pl.Series, ledger: Ledger) -> pl.Series:
    if not isinstance(values.dtype, pl.Datetime) or values.dtype.time_zone is None:
        met = str(values.dtype)
        raise ledger.fault("times with a zone", met=met, column=values.name)
    ledger.reject(values, values.is_null(), "a time", f"no time in '{values.name}'")
    return values.dt.convert_time_zone("UTC").cast(_TIME)
