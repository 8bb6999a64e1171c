"""What the study of premiums found, in sentences: the answer first, then what is not known."""

from __future__ import annotations

import math

import numpy as np

from eventtape.arrays import Status
from eventtape.clock import format_ns
from eventtape.estimators.premium.named import event_day, mean_move
from eventtape.estimators.premium.odds_link import Correlation
from eventtape.estimators.premium.spread_history import SpreadHistory
from eventtape.studies.premium_rows import (
    FocusSize,
    PremiumResult,
    PremiumRow,
    Spread,
)
from eventtape.studies.words import Finding, chance, percent

__all__ = ["answer", "event_words", "findings", "market_findings", "row_findings", "size_words"]

_MISFIT = 3.0
_MOST_SPREADS = 4
LIMITS = (
    "Sizes are risk-neutral: what options pay for a move, which need not be how large moves turn "
    "out, and says nothing of their direction."
)


def findings(result: PremiumResult) -> tuple[Finding, ...]:
    """The study's sentences, market by market, the comparison of markets after them."""
    out: list[Finding] = []
    for row in result.rows:
        name = row.label or "the market"
        out += [Finding(f"{name}: {f.text}", f.status) for f in row_findings(row)]
    out += market_findings(result)
    out.append(Finding(LIMITS, Status.OK))
    return tuple(out)


def row_findings(row: PremiumRow) -> tuple[Finding, ...]:
    """The sentences of one market, the answer first."""
    out = [answer(row)]
    if row.focus is not None and math.isfinite(row.found.size):
        out += [_day(row), _base(row)]
    out += _others(row)
    out += _named(row)
    out += _through_time(row)
    out += _odds(row)
    out += _spreads(row)
    out += _unknown(row)
    if row.truth is not None:
        out.append(_truth(row))
    return tuple(out)


def event_words(row: PremiumRow) -> str:
    """The event looked at and when it is: ``election of 2024-11-05T23:00Z``."""
    if row.focus is None:
        return "no event"
    return f"{row.focus.kind} of {format_ns(row.focus.at_ns, seconds=False)}"


def size_words(size: float, lower: float, upper: float) -> str:
    """A size with its interval, in percent: ``7.90% (7.20% to 8.60%)``; a dash where refused."""
    if not math.isfinite(size):
        return "—"
    ends = f"{percent(lower, sign=False)} to {percent(upper, sign=False)}"
    return f"{percent(size, sign=False)} ({ends})"


def answer(row: PremiumRow) -> Finding:
    """What the event is worth as of the reference, or why that is not known."""
    when = format_ns(row.term.at_ns, seconds=False)
    event, found = event_words(row), row.found
    if row.focus is None:
        return Finding(f"as of {when} there is no size: {row.reason}.", row.status)
    if not math.isfinite(found.size):
        reason = row.reason or found.reason or str(row.status)
        return Finding(f"as of {when} no size of {event}: {reason}.", _not_ok(row.status))
    said = size_words(found.size, found.lower, found.upper)
    if len(found.kinds) > 1:
        together = " and ".join(found.kinds)
        text = f"as of {when} options pay for a move of {said} of {together} together"
        return Finding(
            f"{text}; how much of it is the {event} is not identified: {row.reason}.", row.status
        )
    if found.lower <= 0.0:
        text = f"as of {when} the {event} is not told from no event: {said}"
        return Finding(f"{text}; at most {percent(found.upper, sign=False)}.", Status.OK)
    text = f"as of {when} options pay for a move of {said} at the {event}"
    extra = f" ({found.reason})" if found.reason else ""
    return Finding(f"{text}, one standard deviation{extra}.", Status.OK)


def _not_ok(status: Status) -> Status:
    return Status.NOT_IDENTIFIED if status is Status.OK else status


def _day(row: PremiumRow) -> Finding:
    daily, low, high = row.daily
    if not math.isfinite(daily):
        return Finding("no ordinary day beside it: the base is not resolved.", Status.NOT_RESOLVED)
    known = math.isfinite(low) and math.isfinite(high)
    text = "an ordinary day moves "
    text += size_words(daily, low, high) if known else percent(daily, sign=False)
    move = percent(mean_move(row.found.size), sign=False)
    if len(row.found.kinds) > 1:
        return Finding(f"{text}; the events together {move} on average up or down.", Status.OK)
    day = percent(event_day(row.found.size, daily), sign=False)
    text += f", so the day of the event {day} (variances add)"
    return Finding(f"{text}; the event alone {move} on average up or down.", Status.OK)


def _base(row: PremiumRow) -> Finding:
    iv, (base, low, high) = float(row.term.iv[row.near]), row.base
    until = format_ns(int(row.term.expiries_ns[row.near]), seconds=False)
    text = f"the expiry of {until} is quoted at {_vol(iv)}"
    if not math.isfinite(base):
        return Finding(f"{text}; without events it is not resolved.", Status.NOT_RESOLVED)
    return Finding(
        f"{text}; without events it would be {_vol(base)} ({_vol(low)} to {_vol(high)}).", Status.OK
    )


def _vol(iv: float) -> str:
    return "—" if not math.isfinite(iv) else f"{100.0 * iv:.1f}%"


def _others(row: PremiumRow) -> list[Finding]:
    """Kinds beside the one looked at, and the listings that would part a ridge."""
    out, p = [], row.premium
    for k, kind in enumerate(p.kinds):
        if kind in row.found.kinds:
            continue
        if p.statuses[k] is not Status.OK:
            out.append(Finding(f"{kind}: {p.reasons[k] or p.statuses[k]}.", p.statuses[k]))
            continue
        n = int(p.counts[k])
        each = f", each of {n}" if n > 1 else ""
        said = size_words(float(p.size[k]), float(p.lower[k]), float(p.upper[k]))
        extra = f"; {p.reasons[k]}" if p.reasons[k] else ""
        out.append(Finding(f"{kind}: {said}{each}{extra}.", Status.OK))
    return out


def _named(row: PremiumRow) -> list[Finding]:
    if not row.named:
        return []
    told = [
        f"{n.name} {percent(n.size, sign=False)}" if math.isfinite(n.size) else
        f"{n.name} none ({n.reason})"
        for n in row.named
    ]  # fmt: skip
    text = f"by the named ways, which have no interval: {', '.join(told)}"
    return [Finding(f"{text}.", Status.OK)]


def _through_time(row: PremiumRow) -> list[Finding]:
    series = row.series
    if series is None:
        return []
    out = []
    kinds = " and ".join(series.kinds)
    for name, change in (("each time's own base", series.change),
                         ("today's base throughout", series.fixed_change)):  # fmt: skip
        if not math.isfinite(change.change):
            text = f"no trend of the premium with {name}: {change.reason}"
            out.append(Finding(f"{text}.", change.status))
            continue
        span = ""
        if math.isfinite(change.lower):
            span = f" ({100.0 * change.lower:+.2f} to {100.0 * change.upper:+.2f})"
        start, end = (format_ns(ns, seconds=False) for ns in (change.start_ns, change.end_ns))
        text = (
            f"with {name} the premium of {kinds} went from {percent(change.start, sign=False)} on "
            f"{start} to {percent(change.end, sign=False)} on {end}: "
            f"{100.0 * change.change:+.2f} points{span}"
        )
        extra = f" ({change.reason})" if change.reason else ""
        out.append(Finding(f"{text}{extra}.", change.status))
    return out


def _odds(row: PremiumRow) -> list[Finding]:
    together = row.odds
    if together is None:
        return []
    if together.link is None or together.apart is None:
        return [Finding(f"not compared with {together.label}: {together.reason}.", together.status)]
    link, apart = together.link, together.apart
    out = [_correlated("levels", link.levels), _correlated("changes", link.changes)]
    if apart.status not in (Status.OK, Status.NOT_RESOLVED):
        out.append(Finding(f"no divergences looked for: {apart.reason}.", apart.status))
        return out
    for one in apart.found:
        start, end = (format_ns(ns, seconds=False) for ns in (one.start_ns, one.end_ns))
        text = (
            f"premium and odds parted from {start} to {end}: the premium moved "
            f"{100.0 * one.premium_change:+.2f} points, the odds {100.0 * one.odds_change:+.1f} "
            f"({chance(one.p_value, name='p')} among unrelated series)"
        )
        out.append(Finding(f"{text}.", apart.status))
    if not apart.found:
        rate = f"{apart.false_alarms:.0%}"
        text = f"no divergence beyond what {rate} of unrelated series show"
        out.append(Finding(f"{text}.", apart.status))
    if apart.reason:
        out.append(Finding(f"{apart.reason}.", apart.status))
    return out


def _correlated(what: str, c: Correlation) -> Finding:
    if not math.isfinite(c.correlation):
        return Finding(f"no correlation of {what} with the odds: {c.reason}.", c.status)
    said = f"correlation of {what} with the odds {c.correlation:+.2f}"
    if c.status is not Status.OK:
        return Finding(f"{said} in this sample; nothing follows from it: {c.reason}.", c.status)
    worth = f"{c.n_rows} rows worth {c.effective:.0f}"
    zero = "; zero is inside" if c.lower <= 0.0 <= c.upper else ""
    return Finding(f"{said} ({c.lower:+.2f} to {c.upper:+.2f}; {worth}{zero}).", Status.OK)


def _spreads(row: PremiumRow) -> list[Finding]:
    out = [_spread(spread) for spread in row.spreads[:_MOST_SPREADS]]
    if len(row.spreads) > _MOST_SPREADS:
        more = len(row.spreads) - _MOST_SPREADS
        out.append(Finding(f"and {more} more spreads in the tables.", Status.OK))
    far = row.far
    if far is not None and far.status is Status.OK:
        first = format_ns(int(far.expiries_ns[0]), seconds=False)[:10]
        away = float(far.richness[0])
        quoted = (
            f", quoted {abs(away):.1f} of its errors {'above' if away > 0 else 'below'} the fit"
        )
        text = (
            f"of the far expiries {first} ranks first to buy{quoted if math.isfinite(away) else ''}"
        )
        out.append(Finding(f"{text}; ranks are choices, not evidence.", Status.OK))
    elif far is not None:
        out.append(Finding(f"no choice of a far expiry: {far.reason}.", far.status))
    return out


def _spread(spread: Spread) -> Finding:
    h: SpreadHistory = spread.history
    far, near = (format_ns(ns, seconds=False)[:10] for ns in (spread.far_ns, spread.near_ns))
    if not math.isfinite(h.now):
        return Finding(f"no spread of {far} less {near}: {h.reason}.", h.status)
    text = (
        f"{far} less {near} stands at {100.0 * h.now:+.2f} points, above {h.quantile:.0%} of its "
        f"history ({100.0 * h.low:+.2f} to {100.0 * h.high:+.2f}, mean {100.0 * h.mean:+.2f})"
    )
    if h.status is Status.OK:
        return Finding(f"{text}; half of a distance is gone in {h.half_life:.1f} days.", h.status)
    return Finding(f"{text}; whether it returns is not known: {h.reason}.", h.status)


def _unknown(row: PremiumRow) -> list[Finding]:
    """What the term structure itself leaves open."""
    out, p = [], row.premium
    bad = [i for i, status in enumerate(row.forward.status) if status is not Status.OK]
    if bad:
        ends = ", ".join(format_ns(int(row.term.expiries_ns[i]), seconds=False) for i in bad)
        text = f"quoted variance falls in the buckets that end at {ends}: noise, or an arbitrage"
        out.append(Finding(f"{text}.", Status.NOT_RESOLVED))
    if p.status is Status.NOT_RESOLVED:
        out.append(Finding(f"{p.reason}.", p.status))
    if p.misfit > _MISFIT:
        text = (
            f"the fit misses the quotes by {math.sqrt(p.misfit):.1f} of their stated errors: "
            "intervals are widened for it"
        )
        out.append(Finding(f"{text}.", Status.NOT_RESOLVED))
    if math.isfinite(p.weekend):
        text = f"a Saturday or Sunday weighs {p.weekend:.2f} of an average day"
        ends = f"({p.weekend_lower:.2f} to {p.weekend_upper:.2f})"
        out.append(Finding(f"{text} {ends}.", Status.OK))
    for one in row.refused:
        until = format_ns(one.expiry_ns, seconds=False)
        out.append(Finding(f"expiry {until} left out: {one.reason}.", one.status))
    return out


def _truth(row: PremiumRow) -> Finding:
    truth = row.truth
    assert truth is not None
    at = np.flatnonzero(truth.times_ns == row.term.at_ns)
    found: FocusSize = row.found
    if not at.size or row.focus is None or row.focus.kind != truth.kind:
        return Finding(f"the truth: {truth.words} (simulated).", Status.OK)
    size = float(truth.size[at[0]])
    others = dict(truth.others)
    if len(found.kinds) > 1:
        counts = dict(zip(row.premium.kinds, row.premium.counts.tolist(), strict=True))
        size = math.sqrt(size**2 + sum(counts[k] * others[k] ** 2 for k in found.kinds[1:]))
    if not math.isfinite(found.size):
        return Finding(f"the truth is {percent(size, sign=False)} (simulated).", Status.OK)
    inside = "inside" if found.lower <= size <= found.upper else "outside"
    return Finding(f"the truth is {percent(size, sign=False)}, {inside} (simulated).", Status.OK)


def market_findings(result: PremiumResult) -> list[Finding]:
    """For which market the event is largest beside its ordinary day."""
    m = result.market
    if m is None:
        return []
    told = [i for i, status in enumerate(m.statuses) if status is Status.OK]
    if not told:
        return [Finding("no market has a size to compare.", Status.NOT_IDENTIFIED)]
    said = [
        f"{m.markets[i]} {m.ratio_365[i]:.1f} ({m.ratio_365_lower[i]:.1f} to "
        f"{m.ratio_365_upper[i]:.1f})"
        for i in told
    ]
    out = [Finding(f"event against ordinary day, 365 basis: {', '.join(said)}.", Status.OK)]
    for i, status in enumerate(m.statuses):
        if status is not Status.OK:
            out.append(Finding(f"{m.markets[i]} is not compared: {m.reasons[i]}.", status))
    return out
