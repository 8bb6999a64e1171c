"""Numbers in words, the same in every face: log returns in percent, horizons, lists cut short."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from eventtape.arrays import Status

__all__ = ["Finding", "chance", "minutes", "named", "percent", "span"]


_FINEST = 0.001


class Finding(NamedTuple):
    """A sentence and the status of the number it rests on."""

    text: str
    status: Status


def percent(value: float, *, sign: bool = True) -> str:
    """A log return times 100, two decimals: ``+7.50%``."""
    return f"{value * 100:{'+' if sign else ''}.2f}%"


def span(lower: float, upper: float) -> str:
    """An interval of log returns: ``-5.80% to +20.90%``."""
    return f"{percent(lower)} to {percent(upper)}"


def chance(p: float, draws: int = 0, name: str = "") -> str:
    """A p- or q-value, no finer than three decimals or than its ``draws`` (which end at 1/(n + 1)).

    >>> chance(0.0124), chance(1e-46), chance(0.005, 199), chance(math.nan)
    ('0.012', '< 0.001', '≤ 0.005', '—')
    >>> chance(0.0124, name="p"), chance(0.005, 199, "p")
    ('p = 0.012', 'p ≤ 0.005')
    """
    least = 1.0 / (draws + 1) if draws else 0.0
    if not math.isfinite(p):
        sign, said = "= ", "—"
    elif p < _FINEST:
        sign, said = "< ", f"{_FINEST:g}"
    else:
        sign, said = ("≤ " if p <= least * (1.0 + 1e-9) else "= "), f"{p:.3f}"
    return f"{name} {sign}{said}" if name else f"{sign.removeprefix('= ')}{said}"


def minutes(seconds: float) -> str:
    """A horizon in words: ``60 s`` or ``30 min``.

    >>> minutes(1800.0)
    '30 min'
    """
    whole = seconds >= 120.0 and seconds % 60.0 == 0.0  # noqa: PLR2004
    return f"{seconds / 60:g} min" if whole else f"{seconds:g} s"


def named(names: Sequence[str], most: int) -> str:
    """The names with commas, and how many more there are.

    >>> named(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
