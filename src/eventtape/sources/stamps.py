"""Stamps in text, epoch seconds or naive columns into ``Datetime("ns", "UTC")``.

A clock is declared, never guessed: naive times are read in the zone the caller names, times that
carry a zone must agree with it, and a local time that a change of clocks makes double or void is
an error, because either reading of it could be an hour wrong.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from eventtape import clock
from eventtape.errors import InputError
from eventtape.sources.files import refuse

__all__ = ["from_epoch", "from_zoned_text", "to_utc"]

# A zone counts only after a time of day, so that the day of "2024-11-05" is not an offset.
_ZONED = r"^(.*:\d{2}(?:\.\d+)?)\s*(Z|z|[+-]\d{2}(?::?\d{2})?)$"
_EPOCH_LOW, _EPOCH_HIGH = 10**9, 10**10  # seconds: the years 2001 to 2286


def from_epoch(seconds: pl.Series, *, file: str | Path | None) -> pl.Series:
    """UTC times of whole epoch seconds; milliseconds and the like are refused."""
    whole = seconds.cast(pl.Int64, strict=False)
    bad = whole.is_null() | (whole != seconds) | ~whole.is_between(_EPOCH_LOW, _EPOCH_HIGH)
    refuse(seconds, bad, "whole epoch seconds", file=file)
    return (whole * clock.SECOND).cast(pl.Datetime("ns", "UTC"))


def from_zoned_text(stamps: pl.Series, *, file: str | Path | None) -> pl.Series:
    """UTC times of ISO text; a stamp with no zone is refused."""
    wall, offset = _taken_apart(stamps, file)
    refuse(stamps, offset.is_null(), "a time zone, as in 2024-11-05T22:00:00Z", file=file)
    return (wall - offset).dt.replace_time_zone("UTC")


def to_utc(stamps: pl.Series, zone: str, *, file: str | Path | None) -> pl.Series:
    """UTC times of stamps on the clock of ``zone``: text, naive or zoned datetimes.

    A stamp that carries a zone must show the offset that ``zone`` has at that moment; a naive one
    must name a moment that exists exactly once there.
    """
    clock.zone(zone)
    if isinstance(stamps.dtype, pl.Datetime):
        refuse(stamps, stamps.is_null(), "a time", file=file)
        wall = stamps.dt.cast_time_unit("ns")
        if stamps.dtype.time_zone is None:
            return _localised(wall, zone, file)
        utc = wall.dt.convert_time_zone("UTC")
        _refuse_other_zone(stamps, utc, _offset(wall), zone, file)
        return utc
    if stamps.dtype != pl.String:
        wanted = "times, as text or datetimes (epoch numbers do not say their unit)"
        raise InputError(wanted, met=str(stamps.dtype), file=file, column=stamps.name)
    wall, offset = _taken_apart(stamps, file)
    zoned = offset.is_not_null()
    if not zoned.any():
        return _localised(wall, zone, file)
    refuse(stamps, ~zoned, "a time zone, as the other rows have", file=file)
    utc = (wall - offset).dt.replace_time_zone("UTC")
    _refuse_other_zone(stamps, utc, offset, zone, file)
    return utc


def _taken_apart(stamps: pl.Series, file: str | Path | None) -> tuple[pl.Series, pl.Series]:
    """The wall-clock time of each text, and its offset from UTC (null where it has no zone)."""
    zone = stamps.str.extract(_ZONED, 2)
    text = stamps.str.extract(_ZONED, 1).fill_null(stamps).str.replace("T", " ", literal=True)
    wall = text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="ns", strict=False)
    short = text.str.to_datetime("%Y-%m-%d %H:%M", time_unit="ns", strict=False)
    wall = wall.fill_null(short)
    refuse(stamps, wall.is_null(), "an ISO 8601 time", file=file)
    parts = zone.str.replace("(?i)z", "+00:00").str.extract_groups(r"([+-])(\d{2}):?(\d{2})?")
    sign, hours, minutes = (parts.struct.field(name) for name in ("1", "2", "3"))
    ahead = hours.cast(pl.Int64) * 60 + minutes.fill_null("0").cast(pl.Int64)
    ahead = ahead * (1 - 2 * (sign == "-").cast(pl.Int64))
    return wall, (ahead * clock.MINUTE).cast(pl.Duration("ns"))


def _localised(wall: pl.Series, zone: str, file: str | Path | None) -> pl.Series:
    utc = wall.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    refuse(wall, utc.is_null(), f"a local time that exists exactly once in {zone}", file=file)
    return utc.dt.convert_time_zone("UTC")


def _offset(times: pl.Series) -> pl.Series:
    return (times.dt.base_utc_offset() + times.dt.dst_offset()).cast(pl.Duration("ns"))


def _refuse_other_zone(
    stamps: pl.Series, utc: pl.Series, met: pl.Series, zone: str, file: str | Path | None
) -> None:
    declared = _offset(utc.dt.convert_time_zone(zone))
    refuse(stamps, declared != met, f"a stamp in the declared zone {zone} (wrong zone)", file=file)
