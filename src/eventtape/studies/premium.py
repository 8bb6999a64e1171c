"""What is each dated event worth in option volatility, market by market, and since when?

The hub of the study. For each market: the events inside its term structure, the fit
(:func:`~eventtape.estimators.premium.event_premium.event_premium`), the named ways beside it
(:mod:`.premium_named`); with a history, the size through time, beside odds, and the spreads of far
expiries (:mod:`.premium_series`). Then the markets side by side.

Sizes are one standard deviation of an event's own move under the pricing measure: what options pay
for a move, not how large it will be, nor in which direction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import Status
from eventtape.clock import format_ns
from eventtape.clock.event_calendar import DatedEvent
from eventtape.errors import InputError
from eventtape.estimators.premium.day_weights import session_days
from eventtape.estimators.premium.event_premium import Events, Premium, event_premium, events_at
from eventtape.estimators.premium.premium_market import (
    MarketPremium,
    PremiumMarket,
    premium_market,
)
from eventtape.estimators.premium.term_structure import TermStructure, forward_vols
from eventtape.studies.premium_named import named_sizes, strips
from eventtape.studies.premium_rows import (
    FocusSize,
    MarketTerms,
    OddsSeries,
    PremiumConfig,
    PremiumResult,
    PremiumRow,
    QuarterCuts,
    TrueSizes,
)
from eventtape.studies.premium_series import (
    far_choice,
    followed,
    found_size,
    odds_together,
    premium_series,
    spreads_of,
)

__all__ = ["odds_series", "premium", "run"]

Progress = Callable[[str, int, int | None], None]
_REFUSED = (Status.TOO_FEW, Status.NO_CONVERGENCE)


def odds_series(label: str, times_ns: ArrayLike, values: ArrayLike) -> OddsSeries:
    """Odds of an outcome, checked: times rising, values from 0 to 1, NaN where not seen."""
    t, p = np.asarray(times_ns, np.int64), np.asarray(values, np.float64)
    if t.ndim != 1 or p.shape != t.shape:
        raise InputError("a probability a time", met=(t.shape, p.shape))
    late = np.flatnonzero(np.diff(t) <= 0)
    if late.size:
        row = int(late[0]) + 2
        raise InputError("times that rise", met=int(t[row - 1]), row=row, column="ts")
    bad = np.flatnonzero(~(((p >= 0.0) & (p <= 1.0)) | np.isnan(p)))
    if bad.size:
        at = int(bad[0])
        raise InputError("from 0 to 1", met=float(p[at]), row=at + 1, column="probability")
    return OddsSeries(label, t, p)


def run(
    markets: Sequence[MarketTerms],
    events: Sequence[DatedEvent],
    config: PremiumConfig | None = None,
    *,
    at_ns: int | None = None,
    odds: OddsSeries | None = None,
    cuts: Sequence[QuarterCuts] = (),
    truth: TrueSizes | None = None,
    simulated: bool = False,
    sources: Sequence[str] = (),
    notes: Sequence[str] = (),
    progress: Progress | None = None,
) -> PremiumResult:
    """The size of the events of each market with its interval, or why there is none.

    Parameters
    ----------
    markets
        of :mod:`.premium_terms`, one of a label.
    events
        of :func:`eventtape.clock.event_calendar.event_calendar`.
    at_ns
        as of this moment: nothing later is seen. None: the last snapshot, or the last one before
        the event where the first of ``config.kinds`` is over by then.
    odds, cuts
        drawn beside: see :func:`odds_series` and :class:`~.premium_rows.QuarterCuts`.
    truth
        where the data are simulated.
    progress
        called with a label, how many are done and of how many.
    """
    config = config or PremiumConfig()
    _check(markets, events, config)
    tell = progress or _silent
    said = list(notes)
    rows: list[PremiumRow] = []
    for market in sorted(markets, key=lambda m: m.label):
        if market.terms:
            rows.append(_row(market, events, config, at_ns, odds, cuts, truth, tell))
        else:
            why = market.refused[0].reason if market.refused else "no volatilities"
            said.append(f"{market.label} left out: no expiry has a volatility ({why}).")
    if not rows:
        raise InputError("a market with a volatility", met="; ".join(said) or "none")
    tell("done", len(rows), len(rows))
    side = _side_by_side(rows) if len(rows) > 1 else None
    return PremiumResult(
        config, simulated, tuple(rows), side, tuple(cuts), tuple(sources), tuple(said)
    )


premium = run  # its name at the face of the package


def _silent(_label: str, _done: int, _total: int | None) -> None:
    """Nobody listens."""


def _check(
    markets: Sequence[MarketTerms], events: Sequence[DatedEvent], config: PremiumConfig
) -> None:
    if not markets:
        raise InputError("at least one market", met="none")
    labels = [market.label for market in markets]
    for label in labels:
        if labels.count(label) > 1:
            raise InputError("each market once", met=label)
    known = sorted({event.kind for event in events})
    for kind in config.kinds:
        if kind not in known:
            raise InputError(f"a kind among {', '.join(known) or 'none'}", met=kind)
    for market in markets:
        times = [term.at_ns for term in market.terms]
        if any(b <= a for a, b in pairwise(times)):
            raise InputError("term structures rising in time", met=market.label)


def _row(
    market: MarketTerms,
    events: Sequence[DatedEvent],
    config: PremiumConfig,
    at_ns: int | None,
    odds: OddsSeries | None,
    cuts: Sequence[QuarterCuts],
    truth: TrueSizes | None,
    tell: Progress,
) -> PremiumRow:
    terms = [term for term in market.terms if at_ns is None or term.at_ns <= at_ns]
    if not terms:
        first = format_ns(market.terms[0].at_ns)
        wanted = f"a time at or after the first volatility of {market.label}, {first}"
        raise InputError(wanted, met=format_ns(at_ns or 0))
    place = len(terms) - 1 if at_ns is not None else _place(terms, events, config.kinds)
    term = terms[place]
    among = _among(term, events, config.kinds)
    focus = _focus(term, among, config.kinds)
    fits = [
        _fitted(one, among, config, tell, market.label, i, len(terms))
        if config.history or i == place
        else None
        for i, one in enumerate(terms)
    ]
    fit = fits[place]
    assert fit is not None
    found = found_size(fit, focus)
    near = _near(term, focus)
    forward = forward_vols(term)
    row = followed(terms, place, near) if config.history else near
    series = None
    if config.history and focus is not None and near >= 0 and len(terms) > 1:
        series = premium_series(terms, fits, among, place, row, focus, config.level)
    tell(f"{market.label} spreads", len(terms), len(terms))
    spreads = spreads_of(terms, place, row, config) if config.history and near >= 0 else ()
    status, reason = _fate(fit, focus)
    return PremiumRow(
        market.label,
        term,
        forward,
        tuple(e for e in among if term.at_ns <= e.at_ns < int(term.expiries_ns[-1])),
        focus,
        near,
        fit,
        found,
        strips(term, focus, near, found, config),
        named_sizes(term, forward, focus, near, fit),
        series,
        odds_together(series, odds, focus, term.at_ns, config),
        spreads,
        far_choice(term, row, fit, spreads, cuts),
        tuple(r for r in market.refused if r.at_ns == term.at_ns),
        truth,
        status,
        reason,
    )


def _place(
    terms: Sequence[TermStructure], events: Sequence[DatedEvent], kinds: Sequence[str]
) -> int:
    """The last snapshot; or the last before the event, where no other of its kind is to come."""
    last = len(terms) - 1
    if not kinds:
        return last
    mine = [e.at_ns for e in events if e.kind == kinds[0] and e.at_ns >= terms[0].at_ns]
    if not mine or max(mine) >= terms[last].at_ns:
        return last
    return max(i for i, term in enumerate(terms) if term.at_ns <= max(mine))


def _among(
    term: TermStructure, events: Sequence[DatedEvent], kinds: Sequence[str]
) -> tuple[DatedEvent, ...]:
    """The events of the fit: all of the kinds asked, or of the kinds with one inside."""
    inside = {e.kind for e in events if term.at_ns <= e.at_ns < int(term.expiries_ns[-1])}
    chosen = set(kinds) or inside
    return tuple(sorted((e for e in events if e.kind in chosen), key=lambda e: (e.at_ns, e.kind)))


def _focus(
    term: TermStructure, among: Sequence[DatedEvent], kinds: Sequence[str]
) -> DatedEvent | None:
    """The event looked at: the next one of the first kind asked, or of any; else its last."""
    mine = [e for e in among if not kinds or e.kind == kinds[0]]
    ahead = [e for e in mine if e.at_ns >= term.at_ns]
    return ahead[0] if ahead else mine[-1] if mine else None


def _near(term: TermStructure, focus: DatedEvent | None) -> int:
    """Row of the first expiry after the event; -1 where it is over or after the last one."""
    if focus is None or focus.at_ns < term.at_ns:
        return -1
    row = int(np.searchsorted(term.expiries_ns, focus.at_ns, side="right"))
    return row if row < term.iv.size else -1


def _fitted(
    term: TermStructure,
    among: Sequence[DatedEvent],
    config: PremiumConfig,
    tell: Progress,
    label: str,
    done: int,
    total: int,
) -> Premium:
    tell(f"{label} premium", done, total)
    days = None
    if config.calendar != "weekends":
        days = session_days(term.at_ns, term.expiries_ns, config.calendar)
    return event_premium(term, _events(among), level=config.level, days=days)


def _events(among: Sequence[DatedEvent]) -> Events:
    return events_at([e.at_ns for e in among], [e.kind for e in among])


def _fate(fit: Premium, focus: DatedEvent | None) -> tuple[Status, str]:
    """The status of the size looked at, and why."""
    if fit.status in _REFUSED:
        return fit.status, fit.reason
    if focus is None:
        return Status.NOT_IDENTIFIED, "no event of the calendar is inside the term structure"
    k = fit.kinds.index(focus.kind)
    return fit.statuses[k], fit.reasons[k]


def _side_by_side(rows: Sequence[PremiumRow]) -> PremiumMarket:
    return premium_market([_as_market(row) for row in rows])


def _as_market(row: PremiumRow) -> MarketPremium:
    """A market's size and ordinary day; that of a ridge is the sum's, and says so."""
    found: FocusSize = row.found
    numbers = (found.size, found.lower, found.upper, *row.daily)
    status, reason = found.status, found.reason
    if status is Status.OK and not all(math.isfinite(x) for x in numbers):
        status, reason = Status.NOT_RESOLVED, "no interval of the ordinary day"
    return MarketPremium(row.label, *numbers, status, reason)
