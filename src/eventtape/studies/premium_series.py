"""The premium through time: by one expiry, beside odds, and the far expiries against the near.

The expiry followed is the earliest one after the event that was quoted through nearly all of the
time before it. Its volatility holds the event, what comes between it and the expiry, the events
before, and the base. From each snapshot's volatility its own base is taken, and each event before
at its fitted size; what is left is the size of the event and those after it together
(``dynamic``). ``fixed`` takes the base of the reference for all times and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from eventtape.arrays import FloatArray, IntArray, Status
from eventtape.clock.event_calendar import DatedEvent
from eventtape.estimators.premium.day_weights import YEAR_DAYS
from eventtape.estimators.premium.divergence import divergences
from eventtape.estimators.premium.event_premium import Premium
from eventtape.estimators.premium.far_expiry import FarExpiries, far_expiries
from eventtape.estimators.premium.odds_link import odds_link
from eventtape.estimators.premium.premium_history import (
    Change,
    History,
    days_left,
    gaps,
    premium_change,
    premium_history,
)
from eventtape.estimators.premium.spread_history import spread_history
from eventtape.estimators.premium.term_structure import TermStructure
from eventtape.studies.premium_rows import (
    FittedHistory,
    FocusSize,
    OddsSeries,
    OddsTogether,
    PremiumConfig,
    PremiumSeries,
    QuarterCuts,
    Spread,
)
from eventtape.tape.sampling import as_of, grid

__all__ = ["far_choice", "followed", "found_size", "odds_together", "premium_series", "spreads_of"]

_SECOND = 10**9
_STALE_STEPS = 4  # a value is carried so many steps and no further
_GAP_STEPS = 3
_MOST_ROWS = 250  # of a spread's history: its law is simulated row by row
_NEARLY = 0.9  # of the snapshots that the longest quoted expiry has


def found_size(fit: Premium, focus: DatedEvent | None) -> FocusSize:
    """The size of the event looked at; on a ridge, of its sum with the others."""
    nan = math.nan
    if focus is None:
        return FocusSize((), nan, nan, nan, Status.NOT_IDENTIFIED, "no event inside")
    ridge = next((ridge for ridge in fit.ridges if focus.kind in ridge.kinds), None)
    if ridge is not None:
        known = math.isfinite(ridge.size)
        status = Status.OK if known else Status.NOT_RESOLVED
        words = f"of {' and '.join(ridge.kinds)} together: no expiry parts them"
        reason = words if known else "the variance of their sum comes out below 0"
        return FocusSize(ridge.kinds, ridge.size, ridge.lower, ridge.upper, status, reason)
    k = fit.kinds.index(focus.kind)
    size, lower, upper = (float(x[k]) for x in (fit.size, fit.lower, fit.upper))
    return FocusSize((focus.kind,), size, lower, upper, fit.statuses[k], fit.reasons[k])


def followed(terms: Sequence[TermStructure], place: int, near: int) -> int:
    """The row of the reference whose expiry is followed through time: at or after ``near``."""
    if near < 0:
        return near
    term = terms[place]
    later = term.expiries_ns[near:]
    seen = np.sum([np.isin(later, one.expiries_ns) for one in terms[: place + 1]], axis=0)
    return near + int(np.argmax(seen >= _NEARLY * seen.max()))


def premium_series(
    terms: Sequence[TermStructure],
    fits: Sequence[Premium | None],
    among: Sequence[DatedEvent],
    place: int,
    row: int,
    focus: DatedEvent,
    level: float,
) -> PremiumSeries:
    """The size at each snapshot ``(n,)``, by the expiry of ``row`` and by each snapshot's fit."""
    expiry_ns = int(terms[place].expiries_ns[row])
    earlier = [e for e in among if e.at_ns < focus.at_ns]
    together = [e.kind for e in among if focus.at_ns <= e.at_ns < expiry_ns]
    ts = np.array([term.at_ns for term in terms], np.int64)
    iv, iv_error, base, base_error, rest, rest_error = np.full((6, ts.size), math.nan)
    z = float(ndtri(0.5 * (1.0 + level)))
    for i, (term, fit) in enumerate(zip(terms, fits, strict=True)):
        at = np.flatnonzero(term.expiries_ns == expiry_ns)
        if not at.size or fit is None:
            continue
        k = int(at[0])
        iv[i], iv_error[i] = term.iv[k], term.error[k]
        base[i] = fit.base_iv[k]
        base_error[i] = 0.5 * (fit.base_upper[k] - fit.base_lower[k]) / z
        left = float(term.days[k])
        rest[i], rest_error[i] = _without(term, fit, earlier, base[i], base_error[i], left)
    days, root = days_left(ts, expiry_ns), math.sqrt(YEAR_DAYS)

    def history(daily: float | FloatArray, error: float | FloatArray) -> History:
        return premium_history(
            ts,
            iv,
            days,
            base_daily=daily,
            event_ns=focus.at_ns,
            iv_error=iv_error,
            base_error=error,
            level=level,
        )

    fixed = history(float(base[place]) / root, float(base_error[place]) / root)
    dynamic = history(rest, rest_error)
    return PremiumSeries(
        expiry_ns,
        tuple(dict.fromkeys(together)),
        iv,
        base,
        fixed,
        dynamic,
        _fitted(ts, fits, focus),
        _change(dynamic, place, level),
        _change(fixed, place, level),
        gaps(ts, longest_ns=_GAP_STEPS * _step(ts, None)),
    )


def odds_together(
    series: PremiumSeries | None,
    odds: OddsSeries | None,
    focus: DatedEvent | None,
    at_ns: int,
    config: PremiumConfig,
) -> OddsTogether | None:
    """Premium and odds on one grid until the reference, together and apart; None without odds."""
    if odds is None:
        return None
    nothing: FloatArray = np.empty(0)
    if series is None or focus is None:
        reason = "no premium through time (--history over several snapshots)"
        at = np.empty(0, np.int64)
        return OddsTogether(odds.label, at, nothing, nothing, None, None, Status.TOO_FEW, reason)
    history = series.dynamic
    ts, values = history.ts_ns, history.size
    step = _step(ts, config.step_s)
    until = min(at_ns, focus.at_ns)
    age = _age(step, config)
    at = ts[:1] if until <= int(ts[0]) else grid(int(ts[0]), until, step)
    premium, p = _sampled(ts, values, at, age), _sampled(odds.times_ns, odds.values, at, age)
    link = odds_link(premium, p, level=config.level)
    apart = divergences(
        at,
        premium,
        p,
        window=config.window,
        false_alarms=config.false_alarms,
        n_draws=config.draws,
        seed=config.seed,
    )
    status, reason = link.changes.status, link.changes.reason
    return OddsTogether(odds.label, at, premium, p, link, apart, status, reason)


def spreads_of(
    terms: Sequence[TermStructure], place: int, near: int, config: PremiumConfig
) -> tuple[Spread, ...]:
    """Far less near volatility until the reference, one a later expiry."""
    seen = list(terms[: place + 1])
    if len(seen) == 1:
        return ()
    ts = np.array([term.at_ns for term in seen], np.int64)
    step = _step(ts, config.step_s)
    step *= max(1, math.ceil((ts[-1] - ts[0]) / step / _MOST_ROWS))
    at = grid(int(ts[-1] - (ts[-1] - ts[0]) // step * step), int(ts[-1]), step)
    if at.size == 1:
        return ()
    age = _age(step, config)
    expiries = terms[place].expiries_ns
    near_iv = _sampled(ts, _iv_of(seen, int(expiries[near])), at, age)
    out = []
    for expiry in expiries[near + 1 :].tolist():
        far_iv = _sampled(ts, _iv_of(seen, expiry), at, age)
        history = spread_history(
            at, far_iv, near_iv, level=config.level, n_draws=config.draws, seed=config.seed
        )
        out.append(Spread(int(expiries[near]), expiry, at, far_iv - near_iv, history))
    return tuple(out)


def far_choice(
    term: TermStructure,
    near: int,
    fit: Premium,
    spreads: Sequence[Spread],
    cuts: Sequence[QuarterCuts],
) -> FarExpiries | None:
    """The expiries after the near one in the order to buy; None where there are none."""
    far = slice(near + 1, None)
    expiries = term.expiries_ns[far]
    if near < 0 or not expiries.size:
        return None
    error = term.error[far]
    known = {spread.far_ns: spread.history for spread in spreads}
    return far_expiries(
        expiries,
        term.iv[far],
        fit.fitted_iv[far],
        np.where(error > 0.0, error, math.nan),
        [known.get(expiry) for expiry in expiries.tolist()],
        cuts=np.array([_cuts_of(expiry, cuts) for expiry in expiries.tolist()]),
    )


def _without(
    term: TermStructure,
    fit: Premium,
    earlier: Sequence[DatedEvent],
    base_iv: float,
    base_error: float,
    days: float,
) -> tuple[float, float]:
    """Daily sd of the base and the events before the one looked at, and its error.

    NaN where the size of one of these is not known.
    """
    variance = base_iv**2 * days / YEAR_DAYS
    square = (2.0 * base_iv * base_error * days / YEAR_DAYS) ** 2
    ahead = [e.kind for e in earlier if e.at_ns >= term.at_ns]
    for kind in dict.fromkeys(ahead):
        k, n = fit.kinds.index(kind), ahead.count(kind)
        variance += n * max(float(fit.variance[k]), 0.0)
        square += (n * float(fit.variance_error[k])) ** 2
    if not variance > 0.0:
        return math.nan, math.nan
    daily = math.sqrt(variance / days)
    return daily, math.sqrt(square) / (2.0 * daily * days)


def _fitted(ts: IntArray, fits: Sequence[Premium | None], focus: DatedEvent) -> FittedHistory:
    numbers = np.full((3, ts.size), math.nan)
    statuses = [Status.NOT_IDENTIFIED] * ts.size
    for i, fit in enumerate(fits):
        if fit is None or ts[i] > focus.at_ns:
            continue
        found = found_size(fit, focus)
        statuses[i] = found.status
        if found.status is Status.OK:
            numbers[:, i] = found.size, found.lower, found.upper
    return FittedHistory(ts, numbers[0], numbers[1], numbers[2], tuple(statuses))


def _change(history: History, place: int, level: float) -> Change:
    """From the first row with a size to the reference."""
    known = np.flatnonzero(history.size[:place] > 0.0)
    first = int(history.ts_ns[known[0]]) if known.size else int(history.ts_ns[0]) - 1
    return premium_change(history, first, int(history.ts_ns[place]), level=level)


def _iv_of(terms: Sequence[TermStructure], expiry_ns: int) -> FloatArray:
    out = np.full(len(terms), math.nan)
    for i, term in enumerate(terms):
        row = int(np.searchsorted(term.expiries_ns, expiry_ns))
        if row < term.iv.size and int(term.expiries_ns[row]) == expiry_ns:
            out[i] = term.iv[row]
    return out


def _step(ts: IntArray, step_s: float | None) -> int:
    """The grid's step: the one asked, else the usual one between snapshots."""
    if step_s is not None:
        return max(1, round(step_s * _SECOND))
    return max(1, int(np.median(np.diff(ts))))


def _age(step: int, config: PremiumConfig) -> int:
    if config.max_age_s is not None:
        return round(config.max_age_s * _SECOND)
    return _STALE_STEPS * step


def _sampled(ts: IntArray, values: FloatArray, at: IntArray, age: int) -> FloatArray:
    seen = np.isfinite(values)
    return as_of(ts[seen], values[seen], at, max_age_ns=age)


def _cuts_of(expiry_ns: int, cuts: Sequence[QuarterCuts]) -> float:
    return next((c.cuts for c in cuts if c.start_ns <= expiry_ns < c.end_ns), math.nan)
