"""A number in a table's cell. A refused one is a dash and its status, never a blank."""

from __future__ import annotations

import math

from eventtape.arrays import Status
from eventtape.clock import format_ns
from eventtape.report.html import Html, element
from eventtape.studies.findings import percent, span

__all__ = [
    "DASH",
    "clock",
    "number",
    "percent_cell",
    "refused",
    "setting",
    "share",
    "span_cell",
    "window",
]

DASH = "—"


def percent_cell(value: float, status: Status = Status.OK) -> str:
    """``+7.53%``; a refused number is a dash and why."""
    if status is Status.OK and math.isfinite(value):
        return percent(value)
    return refused(status)


def span_cell(lower: float, upper: float) -> str:
    """``-5.36% to +20.43%``, or a dash."""
    return span(lower, upper) if math.isfinite(lower) and math.isfinite(upper) else DASH


def refused(status: Status) -> Html:
    """The dash and its status, allowed to break where a number is not."""
    words = DASH if status is Status.OK else f"{DASH} {status}"
    return element("span", words, class_="why")


def share(value: float) -> str:
    """A part of one as ``60.87%``."""
    return percent(value, sign=False) if math.isfinite(value) else DASH


def number(value: float | None, form: str, unit: str = "", status: Status = Status.OK) -> str:
    """The value in this form, with its unit, or a dash and its status."""
    if value is not None and math.isfinite(value):
        return f"{value:{form}}{unit}"
    return refused(status)


def clock(ns: int) -> Html:
    """``2024-11-06 05:59:02``, UTC, kept on one line."""
    text = format_ns(ns).replace("T", " ").removesuffix("Z")
    return element("span", text, class_="clock")


def window(start: int, end: int) -> Html:
    """``2024-11-06 02:00 to 06:00``; the second date only where it is another day."""
    first, last = (
        format_ns(ns, seconds=False).replace("T", " ").removesuffix("Z") for ns in (start, end)
    )
    last = last if last[:10] != first[:10] else last[11:]
    return element("span", f"{first} to {last}", class_="clock")


def setting(value: object) -> str:
    """A configured value in words."""
    if isinstance(value, tuple):
        return ", ".join(setting(v) for v in value) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "default" if value is None else str(value)
