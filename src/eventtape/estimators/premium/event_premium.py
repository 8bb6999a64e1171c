r"""What is each dated event worth in option volatility, and what is volatility without it?

Total variance to expiry T, days from now, of the log return under the pricing measure::

    w(T) = int_0^T f(u) omega(u) du + sum_j e_j^2 1{t_j < T},     iv(T)^2 = w(T) / T a year,

f a smooth base variance a day (:mod:`.premium_base`), omega the weight of a weekday or weekend
day, e_j the size of event j: one standard deviation of its move. It is linear in f and e^2, and the
error of w is 2 iv T times the error of iv, so each choice of roughness, weekend weight and scale of
the errors leaves a normal law (:mod:`.premium_kernel`); they are averaged by their evidence. The
law of each e^2 is then cut at 0, and its quantiles are the size and its interval.

Events of a kind share a size. The lower end is 0 where the law before the cut reaches 0 at that
level: cut first, no interval could ever reach it. An event's variance adds to the base's: the sd of
its day is hypot(size, base sd a day), not their sum.

Not imposed: f >= 0. Where the averaged base falls from one expiry to the next the status says so.
Risk-neutral: what options pay for a move, not how large it will be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from eventtape.arrays import FloatArray, IntArray, Status, check_level
from eventtape.clock import format_ns
from eventtape.errors import InputError
from eventtape.estimators.premium.day_weights import YEAR_DAYS
from eventtape.estimators.premium.premium_clock import premium_clock, weekend_law
from eventtape.estimators.premium.premium_fit import PremiumFit, premium_fit
from eventtape.estimators.premium.premium_reasons import outside, sum_only, traded
from eventtape.estimators.premium.ridges import (
    Events,
    event_counts,
    events_at,
    grouped,
    parting,
)
from eventtape.estimators.premium.term_structure import TermStructure

__all__ = ["Events", "Premium", "Ridge", "event_premium", "events_at"]


class Ridge(NamedTuple):
    """Kinds that no expiry separates: only the size of their sum can be known."""

    kinds: tuple[str, ...]
    size: float  # sqrt(sum of n e^2) over all their events inside the term structure
    lower: float
    upper: float
    after_ns: int  # an expiry listed after this and not after ``before_ns`` would part them
    before_ns: int


class Premium(NamedTuple):
    """Sizes of events, one standard deviation of the log return each, risk-neutral; by kind.

    Per kind ``(n_kinds,)``, per expiry ``(n,)``; vols are decimals per sqrt(year of 365 days).
    """

    kinds: tuple[str, ...]
    counts: IntArray  # events of the kind inside the term structure
    size: FloatArray  # median
    lower: FloatArray
    upper: FloatArray
    variance: FloatArray  # mean of size squared, before the cut at 0: perhaps negative
    variance_error: FloatArray
    statuses: tuple[Status, ...]
    reasons: tuple[str, ...]
    base_iv: FloatArray  # without the events
    base_lower: FloatArray
    base_upper: FloatArray
    fitted_iv: FloatArray  # with them
    daily: float  # base sd per sqrt(day) to the first expiry after the first event
    daily_lower: float
    daily_upper: float
    weekend: float  # posterior mean of the weight of a Saturday or Sunday
    weekend_lower: float
    weekend_upper: float
    roughness: float  # posterior mean of log10 lambda, 1/lambda the variance of the bends
    misfit: float  # chi^2 per degree of freedom
    ridges: tuple[Ridge, ...]
    status: Status
    reason: str


def event_premium(
    term: TermStructure,
    events: Events,
    *,
    level: float = 0.95,
    weekend: FloatArray | None = None,
    days: FloatArray | None = None,
    known: Mapping[str, tuple[float, float]] | None = None,
) -> Premium:
    """The size of each kind of event with its interval, and the term structure without them.

    Parameters
    ----------
    term, events : of :func:`~.term_structure.term_structure` and :func:`~.ridges.events_at`. Events
        before ``term.at_ns`` or after the last expiry are counted out.
    level : of every interval.
    weekend : rising grid of weights of a Saturday or Sunday to average over, each as likely as the
        others before the data; None is .3 to 1.1, evenly.
    days : days to each expiry on a clock of the caller's own ``(n,)``, in place of weekend weights
        (:func:`~.day_weights.session_days`).
    known : of a kind, what is known of its size from elsewhere: mean and sd, decimals. Such a kind
        takes part in no ridge.

    Refused (NaN and a status): fewer expiries than two more than there are unknown sizes; a kind
    with no event inside; of kinds on a ridge, their own sizes.
    """
    tail = 0.5 * (1.0 - check_level(level))
    if np.any(np.diff(events.times_ns) < 0):
        raise InputError("events in rising order (events_at sorts them)", column="times_ns")
    kinds, counts = event_counts(term, events)
    known = _checked(known or {}, kinds)
    clock = premium_clock(term, days, weekend)
    parts = grouped(counts, [kind in known for kind in kinds])
    needed = 2 + sum(part.columns.shape[1] for part in parts if not part.given)
    if term.iv.size < needed:
        reason = f"{needed} expiries at least for {needed - 2} unknown sizes and a base"
        return _refused(term, kinds, counts, Status.TOO_FEW, f"{reason}, met {term.iv.size}")
    fit = premium_fit(term, clock, kinds, counts, parts, known, tail)
    if fit is None:
        reason = "no base and sizes fit these vols and errors"
        return _refused(term, kinds, counts, Status.NO_CONVERGENCE, reason)
    z = float(ndtri(1.0 - tail))
    base, lower, upper, fitted = (
        _as_iv(curve, term)
        for curve in (fit.base, fit.base - z * fit.base_sd, fit.base + z * fit.base_sd, fit.fitted)
    )
    daily = _daily(counts, (base, lower, upper))
    weight = weekend_law(fit.clock, fit.weekends, tail)
    sizes, statuses, reasons = _sizes(fit, events)
    status, reason = _verdict(fit, statuses)
    return Premium(
        kinds, counts[-1].astype(np.int64), sizes[0], sizes[1], sizes[2], sizes[3], sizes[4],
        statuses, reasons, base, lower, upper, fitted, daily[0], daily[1], daily[2],
        weight[0], weight[1], weight[2], fit.roughness, fit.misfit, _ridges(fit, events),
        status, reason,
    )  # fmt: skip


def _checked(
    known: Mapping[str, tuple[float, float]], kinds: tuple[str, ...]
) -> Mapping[str, tuple[float, float]]:
    for kind, (size, sd) in known.items():
        if kind not in kinds:
            raise InputError(f"a kind among {', '.join(kinds) or 'none'}", met=kind)
        if not (0.0 <= size < 1.0 and 0.0 <= sd < 1.0):
            wanted = "a size and its sd as decimals: (.02, .005) for 2% give or take a half"
            raise InputError(wanted, met=(size, sd), column=kind)
    return known


def _as_iv(variance: FloatArray, term: TermStructure) -> FloatArray:
    """Volatility per sqrt(year) of a total variance; NaN where that is negative."""
    clean: FloatArray = np.where(variance >= 0.0, variance, np.nan)
    return np.sqrt(clean / term.days * YEAR_DAYS)


def _daily(counts: FloatArray, vols: tuple[FloatArray, ...]) -> tuple[float, ...]:
    """Base sd a day with its bounds, at the first expiry after the first event."""
    after = np.flatnonzero(counts.sum(axis=1) > 0.0)
    if not after.size:
        return (math.nan,) * 3
    return tuple(float(vol[after[0]]) / math.sqrt(YEAR_DAYS) for vol in vols)


def _sizes(
    fit: PremiumFit, events: Events
) -> tuple[FloatArray, tuple[Status, ...], tuple[str, ...]]:
    """Rows of size, lower, upper, variance and its error by kind; statuses and reasons."""
    n = len(fit.kinds)
    sizes = np.full((5, n), math.nan)
    statuses, reasons = [Status.NOT_IDENTIFIED] * n, [""] * n
    for k in np.flatnonzero(fit.counts[-1] == 0.0).tolist():
        reasons[k] = outside(fit.term, events, fit.kinds[k])
    for part, law in zip(fit.parts, fit.laws, strict=True):
        k = part.members[0]
        if len(part.members) > 1:
            for k, words in sum_only(fit, part, events):
                reasons[k] = words
            continue
        sizes[3:, k] = law.mean, law.sd
        if math.isnan(law.size):
            statuses[k] = Status.NOT_RESOLVED
            reasons[k] = "its variance comes out below 0 by more than its error"
            continue
        sizes[:3, k] = law.size, law.lower, law.upper
        statuses[k] = Status.OK
        reasons[k] = "" if law.lower > 0.0 else "its interval reaches 0: not told from no event"
    for k, words in traded(fit):
        reasons[k] = f"{reasons[k]}; {words}" if reasons[k] else words
    return sizes, tuple(statuses), tuple(reasons)


def _ridges(fit: PremiumFit, events: Events) -> tuple[Ridge, ...]:
    told = []
    for part, law in zip(fit.parts, fit.laws, strict=True):
        if len(part.members) > 1:
            names = tuple(fit.kinds[k] for k in part.members)
            between = parting(fit.term, events, names)
            told.append(Ridge(names, law.size, law.lower, law.upper, *between))
    return tuple(told)


def _verdict(fit: PremiumFit, statuses: tuple[Status, ...]) -> tuple[Status, str]:
    falls = np.flatnonzero(np.diff(fit.base, prepend=0.0) < 0.0)
    if falls.size:
        until = format_ns(int(fit.term.expiries_ns[falls[0]]), seconds=False)
        return Status.NOT_RESOLVED, f"base variance falls in the bucket that ends at {until}"
    if statuses and all(status is Status.NOT_IDENTIFIED for status in statuses):
        return Status.NOT_IDENTIFIED, "no kind of event has a size of its own"
    return Status.OK, ""


def _refused(
    term: TermStructure, kinds: tuple[str, ...], counts: FloatArray, status: Status, reason: str
) -> Premium:
    nan = math.nan
    bare, nothing = np.full((5, len(kinds)), nan), np.full((4, term.iv.size), nan)
    return Premium(
        kinds, counts[-1].astype(np.int64), bare[0], bare[1], bare[2], bare[3], bare[4],
        (status,) * len(kinds), (reason,) * len(kinds),
        nothing[0], nothing[1], nothing[2], nothing[3], nan, nan, nan, nan, nan, nan, nan, nan,
        (), status, reason,
    )  # fmt: skip
