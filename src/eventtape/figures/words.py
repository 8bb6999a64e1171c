"""Words on a canvas: labels cut to length, numbers as a reader expects them, a dash where none."""

from __future__ import annotations

import math

from eventtape.arrays import Status
from eventtape.studies.findings import percent, span

__all__ = ["interval_text", "percent_text", "plain"]

LABEL_LENGTH = 28


def plain(text: str, length: int = LABEL_LENGTH) -> str:
    """Text for a canvas: one line, cut to length, and never read as TeX, which loads a script.

    Marks that cannot be printed go: controls, and those that turn the order of what is read.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    text = " ".join(text.split())
    text = text if len(text) <= length else f"{text[: length - 1]}…"
    for mark in ("$$", r"\[", r"\("):
        text = text.replace(mark, f"{mark[0]}\u2060{mark[1]}")
    return text


def percent_text(value: float, status: Status = Status.OK) -> str:
    """``+7.53%``; a refused number is a dash and why."""
    if math.isfinite(value):
        return percent(value)
    return "—" if status is Status.OK else f"— {status}"


def interval_text(lower: float, upper: float) -> str:
    """``-5.36% to +20.43%``, or a dash."""
    return span(lower, upper) if math.isfinite(lower) and math.isfinite(upper) else "—"
