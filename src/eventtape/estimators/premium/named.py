r"""The premium by hand and by two expiries: the named ways, to compare with.

Each takes one event, and all but the table assume a flat base. With iv the vol a year, T in years
and w = iv^2 T the total variance of the log return:

- the table: take size^2 from w of every expiry after the event, look whether a kink is left;
- least roughness: the size at which what is left is least bent, the table's trial and error done
  by a computer;
- two expiries after the event (Dubinsky, Johannes, Kaeck and Seeger 2019)::

      size^2 = (iv1^2 - iv2^2) / (1/T1 - 1/T2);

- flat base: the last expiry before the event gives the base of the first one after it;
- through time: one expiry seen on the eve of the event and after it, size^2 = T (iv0^2 - iv1^2);
- forward: the forward vol of the bucket with the event, less a base a day.

No interval, and NaN where the variance left comes out negative. Risk-neutral.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.premium.day_weights import DAY_NS, YEAR_DAYS
from eventtape.estimators.premium.term_structure import TermStructure

__all__ = [
    "StripTable",
    "daily_move",
    "event_day",
    "flat_base",
    "forward_move",
    "least_rough",
    "mean_move",
    "strip_table",
    "through_time",
    "two_expiry",
]

_STEPS = 400  # of the search, before it is refined


class StripTable(NamedTuple):
    """Columns A to G of the table, a row an expiry ``(n,)``; decimals, NaN where nothing is left.

    A size of .08 is entered as .08, so a variance of .028414 is the 284.14 of a table in percent.
    """

    iv: FloatArray  # A, per sqrt(year of 365 days)
    daily: FloatArray  # B = A / sqrt(365)
    days: FloatArray  # C
    variance: FloatArray  # D = B^2 C
    stripped_variance: FloatArray  # E = D, less size^2 after the event
    stripped_daily: FloatArray  # F = sqrt(E / C)
    stripped_iv: FloatArray  # G = F sqrt(365)
    status: tuple[Status, ...]  # NOT_RESOLVED where the size is more than the expiry holds


def strip_table(
    term: TermStructure, after: BoolArray, size: float, *, whole_days: bool = False
) -> StripTable:
    """The term structure with one event of ``size`` taken out of the expiries ``after`` it.

    ``whole_days`` counts dates (34 from 5 October to 8 November) and not hours (34.33 to 08:00).

    >>> from eventtape.clock import parse_ns
    >>> from eventtape.estimators.premium.term_structure import term_structure
    >>> at, expiry = parse_ns("2024-10-05T00:00Z"), parse_ns("2024-11-08T08:00Z")
    >>> term = term_structure(at, np.array([expiry]), np.array([0.5523]))
    >>> table = strip_table(term, np.array([True]), 0.08, whole_days=True)
    >>> [round(1e4 * float(column[0]), 3) for column in (table.variance, table.stripped_variance)]
    [284.142, 220.142]
    """
    if not 0.0 <= size < 1.0:
        raise InputError("a size that is a decimal: .08 for 8%", met=size)
    flags = _checked(term, after)
    days = term.days
    if whole_days:
        days = (term.expiries_ns // DAY_NS - term.at_ns // DAY_NS).astype(np.float64)
        if days[0] < 1.0:
            raise InputError("expiries on a later date than the moment's, to count whole days")
    daily = term.iv / math.sqrt(YEAR_DAYS)
    variance = daily**2 * days
    stripped = variance - size**2 * flags
    left = np.where(stripped >= 0.0, stripped, np.nan)
    stripped_daily = np.sqrt(left / days)
    status = tuple(Status.NOT_RESOLVED if gone else Status.OK for gone in np.isnan(left))
    return StripTable(
        term.iv.copy(), daily, days, variance, left, stripped_daily,
        stripped_daily * math.sqrt(YEAR_DAYS), status,
    )  # fmt: skip


def least_rough(term: TermStructure, after: BoolArray, *, log_time: bool = False) -> float:
    """The size at which the stripped vols bend least; trial and error by a computer.

    Roughness is the sum of squares of the changes of slope from expiry to expiry, drawn side by
    side as in the table, or with ``log_time`` by the logarithm of days. NaN under three expiries or
    where every expiry or none is after the event.
    """
    flags = _checked(term, after)
    if flags.size < 3 or flags.all() or not flags.any():
        return math.nan
    gaps = np.diff(np.log(term.days)) if log_time else np.ones(flags.size - 1)

    def roughness(variance: FloatArray) -> FloatArray:
        left = term.variance - np.multiply.outer(variance, flags)
        slopes = np.diff(np.sqrt(left / term.days * YEAR_DAYS), axis=-1) / gaps
        return np.asarray(np.sum(np.diff(slopes, axis=-1) ** 2, axis=-1))

    low, high = 0.0, math.sqrt(float(np.min(term.variance[flags])))
    for _ in range(3):
        sizes = np.linspace(low, high, _STEPS + 1)
        best = int(np.argmin(roughness(np.minimum(sizes**2, np.min(term.variance[flags])))))
        low, high = float(sizes[max(best - 1, 0)]), float(sizes[min(best + 1, _STEPS)])
    return float(sizes[best])


def two_expiry(term: TermStructure, near: int, far: int) -> float:
    """The size from two expiries after the event, by a flat base; indices of rows, near < far.

    NaN where the near vol is not above the far one.
    """
    if not 0 <= near < far < term.iv.size:
        raise InputError("rows of two expiries, the nearer first", met=(near, far))
    years = term.days[[near, far]] / YEAR_DAYS
    gap = term.iv[near] ** 2 - term.iv[far] ** 2
    return _root(float(gap / (1.0 / years[0] - 1.0 / years[1])))


def flat_base(term: TermStructure, event_ns: int) -> float:
    """The size from the first expiry after the event, its base that of the last one before it.

    NaN without an expiry before the event, or after it, or where less than the base is left.
    """
    after = int(np.searchsorted(term.expiries_ns, event_ns, side="right"))
    if not 0 < after < term.iv.size:
        return math.nan
    base = term.variance[after - 1] / term.days[after - 1]
    return _root(float(term.variance[after] - base * term.days[after]))


def through_time(iv_before: float, iv_after: float, days: float) -> float:
    """The size from one expiry's vol just before the event and just after it, ``days`` left.

    >>> round(through_time(0.60, 0.50, 2.0), 4)
    0.0246
    """
    return _root((iv_before**2 - iv_after**2) * days / YEAR_DAYS)


def forward_move(forward_iv: float, days: float, base_daily: float) -> float:
    """The size from the forward vol of a bucket of ``days`` and a base sd per sqrt(day).

    >>> round(100 * forward_move(0.7229, 7.0, 0.0255), 2)
    7.4
    """
    return _root((daily_move(forward_iv) ** 2 - base_daily**2) * days)


def daily_move(iv: float) -> float:
    """One standard deviation of a day's log return at a vol per sqrt(year of 365 days).

    >>> round(100 * daily_move(0.7229), 3)
    3.784
    """
    return iv / math.sqrt(YEAR_DAYS)


def event_day(size: float, base_daily: float) -> float:
    """Standard deviation of the log return on the day of an event: variances add.

    >>> round(100 * event_day(0.08, 0.025446), 3)
    8.395
    """
    return math.hypot(size, base_daily)


def mean_move(sd: float) -> float:
    """The mean absolute move of a normal law: sd sqrt(2 / pi).

    >>> round(100 * mean_move(event_day(0.08, 0.025446)), 2)
    6.7
    """
    return sd * math.sqrt(2.0 / math.pi)


def _checked(term: TermStructure, after: BoolArray) -> BoolArray:
    """Which expiries are after the event: once one is, so are all the later ones."""
    flags = np.asarray(after)
    if flags.shape != term.iv.shape or flags.dtype != np.bool_:
        met = (flags.dtype.name, flags.shape)
        raise InputError("true or false for each expiry: is it after the event", met=met)
    if np.any(flags[:-1] & ~flags[1:]):
        raise InputError("every expiry after one that is after the event", met=flags.tolist())
    return flags


def _root(variance: float) -> float:
    return math.sqrt(variance) if variance >= 0.0 else math.nan
