r"""What was an event worth, day by day, in the implied volatility of one expiry after it?

With F the daily move that the market would make without the event,

    size_t = sqrt(IV_t^2 / 365 T_t - F_t^2 T_t),

T days to the expiry, IV a decimal per sqrt(year of 365 days), size and F standard deviations of
log returns; all risk-neutral. Two bases:

- **fixed**: today's F at all times. The seed of this study says that this overestimates the past
  because the same variance is spread over more days. That is not so: with T_t on both sides the
  days cancel. The error is (F_t^2 - F^2) T_t in variance, so the past is overestimated where the
  base **fell** since and underestimated where it rose; T_t says how much.
- **dynamic**: F_t from the term structure of each time (:mod:`.event_premium`, ``daily``).

The interval is the delta method on the variance, with the errors of IV_t and F_t, truncated at 0:
a size is not negative. Where the base alone asks for more than the option holds the size is NaN.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from eventtape.arrays import FloatArray, IntArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import float_array, whole_array
from eventtape.estimators.premium.day_weights import DAY_NS, YEAR_DAYS

__all__ = ["Change", "Gaps", "History", "days_left", "gaps", "premium_change", "premium_history"]

_MOST_DAYS = 36_500.0  # more are seconds or ns


class History(NamedTuple):
    """Sizes of one event through time, one sd of its log return each; shapes ``(n,)``.

    ``statuses`` a row: ``not resolved`` where the base holds more than the option (``upper`` may
    still say how much the event can be), ``not identified`` after the event or where the option
    expires before it, ``too few observations`` where IV or base was not seen.
    """

    ts_ns: IntArray
    size: FloatArray
    lower: FloatArray
    upper: FloatArray
    variance: FloatArray  # size squared as it comes, perhaps negative
    iv_error: FloatArray  # sd of the variance from the IV alone
    base_error: FloatArray  # and from the base
    days: FloatArray
    base_daily: FloatArray
    fixed: bool  # one base at all times: its error is one and the same in each row
    statuses: NDArray[np.object_]
    status: Status
    reason: str


class Change(NamedTuple):
    """The size at two times and its change, a decimal: .08 less .11 is -.03."""

    start_ns: int
    end_ns: int
    start: float
    end: float
    change: float
    lower: float
    upper: float
    status: Status
    reason: str


class Gaps(NamedTuple):
    """Intervals without a quote, each from the last one seen to the next; shapes ``(n_gaps,)``."""

    start_ns: IntArray
    end_ns: IntArray


def days_left(ts_ns: IntArray, expiry_ns: int, *, whole_days: bool = False) -> FloatArray:
    """Days from each time to the expiry, exact; ``whole_days`` counts UTC dates as the seed does.

    >>> from eventtape.clock import parse_ns
    >>> now, end = np.array([parse_ns("2024-10-05T00:00Z")]), parse_ns("2024-11-08T08:00Z")
    >>> days_left(now, end).round(2).item(), days_left(now, end, whole_days=True).item()
    (34.33, 34.0)
    """
    t = whole_array(ts_ns, "times in ns", column="ts")
    if whole_days:
        return (expiry_ns // DAY_NS - t // DAY_NS).astype(np.float64)
    days: FloatArray = (expiry_ns - t) / DAY_NS
    return days


def premium_history(
    ts_ns: IntArray,
    iv: FloatArray,
    days: FloatArray,
    *,
    base_daily: float | FloatArray,
    event_ns: int | None = None,
    iv_error: float | FloatArray = 0.0,
    base_error: float | FloatArray = 0.0,
    base_days: FloatArray | None = None,
    level: float = 0.95,
) -> History:
    """The size of the event at each time, a decimal of log return, with its interval.

    Parameters
    ----------
    ts_ns, iv, days : ``(n,)`` times not falling, ATM IV of one expiry (decimals, NaN where not
        seen) and days to that expiry (:func:`days_left`).
    base_daily : daily move without the event, a decimal: one number (fixed) or ``(n,)`` (dynamic).
    event_ns : rows at or after it, and rows whose option expires before it, have no premium.
        Of several events before the expiry the size is that of their sum, sqrt(sum of squares).
    iv_error, base_error : standard errors in the same units, one or ``(n,)``; taken as independent.
        NaN leaves a row its size without bounds.
    base_days : ``(n,)`` days that the base counts, where weekends or holidays weigh less; None:
        ``days``.

    Raises :class:`~eventtape.errors.InputError` for percent in place of decimals.
    """
    check_level(level)
    t = whole_array(ts_ns, "times in ns", column="ts")
    if t.ndim != 1:
        raise InputError("times of shape (n,)", met=t.shape, column="ts")
    late = np.flatnonzero(np.diff(t) < 0)
    if late.size:
        raise InputError("times that do not fall", row=int(late[0]) + 2, column="ts")
    vol = _filled(iv, t, "iv", 0.0, 5.0, "a decimal: .55 for 55%")
    wanted = "days, below zero after the expiry"
    T = _filled(days, t, "days", -_MOST_DAYS, _MOST_DAYS, wanted)
    base = _filled(
        base_daily, t, "base_daily", 0.0, 0.5, "a daily move as a decimal: .025 for 2.5%"
    )
    Tb = (
        T
        if base_days is None
        else _filled(base_days, t, "base_days", -_MOST_DAYS, _MOST_DAYS, wanted)
    )
    by_iv = 2.0 * vol * T / YEAR_DAYS * _errors(iv_error, t, "iv_error")
    by_base = 2.0 * base * Tb * _errors(base_error, t, "base_error")
    with np.errstate(invalid="ignore"):
        variance = vol**2 / YEAR_DAYS * T - base**2 * Tb
        half = float(ndtri(0.5 * (1.0 + level))) * np.hypot(by_iv, by_base)
        lower = np.sqrt(np.maximum(variance - half, 0.0))
        upper = np.sqrt(np.where(variance + half >= 0.0, variance + half, math.nan))
        size = np.sqrt(np.where(variance >= 0.0, variance, math.nan))
    statuses = np.empty(t.size, object)
    statuses.fill(Status.OK)  # np.full would make plain text of it
    statuses[variance < 0.0] = Status.NOT_RESOLVED
    statuses[~np.isfinite(variance)] = Status.TOO_FEW
    beyond = T <= 0.0
    if event_ns is not None:
        beyond |= (t >= event_ns) | (t + T * DAY_NS < event_ns)
    statuses[beyond] = Status.NOT_IDENTIFIED
    for values in (size, lower, upper, variance):
        values[beyond] = math.nan
    lower[np.isnan(upper)] = math.nan
    status, reason = _overall(statuses)
    fixed = np.ndim(base_daily) == 0
    return History(
        t, size, lower, upper, variance, by_iv, by_base, T, base, fixed, statuses, status, reason
    )


def premium_change(history: History, start_ns: int, end_ns: int, *, level: float = 0.95) -> Change:
    """The change of the size between the last rows seen at two times, with its interval.

    Errors of the IVs are independent; that of a fixed base is the same at both times and partly
    cancels. Without a size seen by ``start_ns``, ``too few observations``.
    """
    check_level(level)
    if not start_ns < end_ns:
        raise InputError("a start before the end", met=(start_ns, end_ns))
    seen = np.flatnonzero(history.size > 0.0)
    before = np.searchsorted(history.ts_ns[seen], [start_ns, end_ns], side="right") - 1
    nan = math.nan
    if before[0] < 0 or before[0] == before[1]:
        reason = "no two sizes seen by these times"
        return Change(start_ns, end_ns, nan, nan, nan, nan, nan, Status.TOO_FEW, reason)
    i, j = (int(row) for row in seen[before])
    start, end = float(history.size[i]), float(history.size[j])
    start_ns, end_ns, change = int(history.ts_ns[i]), int(history.ts_ns[j]), end - start
    if not (history.lower[i] > 0.0 and history.lower[j] > 0.0):
        reason = "a size that may be 0, or has no interval: nor has its change"
        return Change(start_ns, end_ns, start, end, change, nan, nan, Status.NOT_RESOLVED, reason)
    slope = np.array([-0.5 / start, 0.5 / end])  # d size / d variance
    own, base = slope * history.iv_error[[i, j]], slope * history.base_error[[i, j]]
    shared = abs(float(base.sum())) if history.fixed else math.hypot(*base)
    half = float(ndtri(0.5 * (1.0 + level))) * math.hypot(*own, shared)
    return Change(start_ns, end_ns, start, end, change, change - half, change + half, Status.OK, "")


def gaps(
    ts_ns: IntArray, *, longest_ns: int, start_ns: int | None = None, end_ns: int | None = None
) -> Gaps:
    """Intervals longer than ``longest_ns`` without a quote; the ends count where they are given.

    >>> gaps(np.array([0, 10, 60]), longest_ns=20, end_ns=100)
    Gaps(start_ns=array([10, 60]), end_ns=array([ 60, 100]))
    """
    t = whole_array(ts_ns, "times in ns", column="ts")
    late = np.flatnonzero(np.diff(t) < 0)
    if late.size:
        raise InputError("times that do not fall", row=int(late[0]) + 2, column="ts")
    if start_ns is not None:
        t = np.concatenate([[start_ns], t[t >= start_ns]])
    if end_ns is not None:
        t = np.concatenate([t[t <= end_ns], [end_ns]])
    wide = np.flatnonzero(np.diff(t) > longest_ns)
    return Gaps(t[wide], t[wide + 1])


def _filled(
    values: float | FloatArray, t: IntArray, name: str, least: float, most: float, wanted: str
) -> FloatArray:
    """The values, one a row; NaN where not seen. What is no such number is refused by its row."""
    v = _a_row(values, t, name)
    bad = np.flatnonzero(~np.isnan(v) & ~((v > least) & (v < most)))
    if bad.size:
        raise InputError(wanted, met=float(v[bad[0]]), row=int(bad[0]) + 1, column=name)
    return v


def _errors(values: float | FloatArray, t: IntArray, name: str) -> FloatArray:
    v = _a_row(values, t, name)
    bad = np.flatnonzero(~((v >= 0.0) | np.isnan(v)))
    if bad.size:
        wanted = "a standard error >= 0"
        raise InputError(wanted, met=float(v[bad[0]]), row=int(bad[0]) + 1, column=name)
    return v


def _a_row(values: float | FloatArray, t: IntArray, name: str) -> FloatArray:
    v = float_array(np.atleast_1d(values), column=name)
    if np.ndim(values) != 0 and v.shape != t.shape:
        raise InputError(f"one number or shape {t.shape}", met=v.shape, column=name)
    return np.broadcast_to(v, t.shape)


def _overall(statuses: NDArray[np.object_]) -> tuple[Status, str]:
    if np.any(statuses == Status.OK):
        return Status.OK, ""
    if not statuses.size:
        return Status.TOO_FEW, "no rows"
    for status, reason in (
        (Status.NOT_RESOLVED, "the base asks for more variance than the option holds"),
        (Status.TOO_FEW, "no row has both an implied volatility and a base"),
        (Status.NOT_IDENTIFIED, "all rows are after the event, or expire before it"),
    ):
        if np.any(statuses == status):
            return status, reason
    raise AssertionError(statuses)
