"""The tables of the premium's page: one function a table, a dash and why where nothing was said."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from eventtape.arrays import Status
from eventtape.clock import format_ns
from eventtape.estimators.premium.named import event_day, mean_move
from eventtape.estimators.premium.odds_link import Correlation
from eventtape.estimators.premium.premium_history import Change
from eventtape.report.cells import DASH, number, refused
from eventtape.report.html import Column, Html, badge, element, join, table
from eventtape.studies.premium_rows import PremiumResult, PremiumRow, Strip

__all__ = [
    "MOST_TIMES",
    "cuts_table",
    "event_table",
    "far_table",
    "history_table",
    "kind_table",
    "market_table",
    "named_table",
    "odds_table",
    "refused_table",
    "ridge_table",
    "size_table",
    "strip_tables",
    "term_table",
]

MOST_TIMES = 60  # snapshots in the table; the files have all
_MOST_REFUSED = 40
_MINUTE_NS = 60 * 10**9


def size_table(result: PremiumResult) -> Html:
    """A row a market: the size, the ordinary day, and what the two make of the event's day."""
    level = f"{result.config.level:.0%} interval"
    names = ["Market", "Event", "Size", level, "Ordinary day", level]
    names += ["Its day, sd", "Mean move", "Status", "Why"]
    rows = []
    for row in result.rows:
        found, (daily, low, high) = row.found, row.daily
        sd = event_day(found.size, daily)
        rows.append(
            (
                row.label,
                " and ".join(found.kinds) or DASH,
                share(found.size, found.status),
                span(found.lower, found.upper),
                share(daily, row.premium.status),
                span(low, high),
                share(sd, found.status),
                share(mean_move(sd), found.status),
                badge(found.status),
                found.reason or DASH,
            )
        )
    caption = "The event looked at: one standard deviation of log return, risk-neutral"
    return table(caption, columns(names, text=(0, 1, 8, 9)), rows)


def kind_table(result: PremiumResult) -> Html:
    """A row a kind of event and market: its size, how many are inside, why none is known."""
    names = ["Kind", "Market", "Inside", "Size", f"{result.config.level:.0%} interval"]
    names += ["Variance, %²", "Its error", "Status", "Why"]
    rows = [
        (
            kind,
            row.label,
            f"{int(p.counts[k]):,}",
            share(float(p.size[k]), p.statuses[k]),
            span(float(p.lower[k]), float(p.upper[k])),
            number(1e4 * float(p.variance[k]), ".2f", status=p.statuses[k]),
            number(1e4 * float(p.variance_error[k]), ".2f", status=p.statuses[k]),
            badge(p.statuses[k]),
            p.reasons[k] or DASH,
        )
        for row in result.rows
        for p in (row.premium,)
        for k, kind in enumerate(p.kinds)
    ]
    return (
        table("Each kind of event", columns(names, text=(0, 1, 7, 8)), rows) if rows else Html("")
    )


def ridge_table(result: PremiumResult) -> Html:
    """A row a ridge: kinds known only as a sum, and the listing that would part them."""
    names = ["Kinds", "Market", "Together", f"{result.config.level:.0%} interval"]
    names += ["An expiry that parts them: after", "until"]
    rows = []
    for row in result.rows:
        for ridge in row.premium.ridges:
            parts = ridge.after_ns < ridge.before_ns
            rows.append(
                (
                    " and ".join(ridge.kinds),
                    row.label,
                    share(ridge.size),
                    span(ridge.lower, ridge.upper),
                    _at(ridge.after_ns) if parts else "none can: one moment",
                    _at(ridge.before_ns) if parts else DASH,
                )
            )
    caption = "Known only as a sum: the root of the sum of squares"
    return table(caption, columns(names, text=(0, 1, 4, 5)), rows) if rows else Html("")


def term_table(row: PremiumRow, result: PremiumResult) -> Html:
    """A row an expiry: market, fit, base with its interval, and forward volatility."""
    names = ["Expiry, UTC", "Days", "Market", "Error", "Fitted", "Without events"]
    names += [f"{result.config.level:.0%} interval", "Forward", "Forward status"]
    p, term = row.premium, row.term
    rows = [
        (
            _at(int(expiry)),
            f"{term.days[i]:.2f}",
            share(float(term.iv[i])),
            share(float(term.error[i])),
            share(float(p.fitted_iv[i])),
            share(float(p.base_iv[i])),
            span(float(p.base_lower[i]), float(p.base_upper[i])),
            share(float(row.forward.vol[i])),
            badge(row.forward.status[i]),
        )
        for i, expiry in enumerate(term.expiries_ns)
    ]
    caption = f"{row.label}: volatility a year, {_moment(term.at_ns)}"
    return table(caption, columns(names, text=(0, 8)), rows)


def strip_tables(row: PremiumRow) -> Html:
    """Columns A to G of the table by hand, once for each size."""
    return join([_strip(row, one) for one in row.strips])


def _strip(row: PremiumRow, strip: Strip) -> Html:
    t = strip.table
    names = ["Expiry, UTC", "A: IV, %", "B: daily, %", "C: days", "D: variance, %²"]
    names += ["E: less event, %²", "F: daily, %", "G: IV, %"]
    rows = [
        (
            _at(int(expiry)),
            f"{100 * t.iv[i]:.2f}",
            f"{100 * t.daily[i]:.4f}",
            f"{t.days[i]:.2f}",
            f"{1e4 * t.variance[i]:.3f}",
            number(1e4 * float(t.stripped_variance[i]), ".3f", status=t.status[i]),
            number(100 * float(t.stripped_daily[i]), ".4f", status=t.status[i]),
            number(100 * float(t.stripped_iv[i]), ".2f", status=t.status[i]),
        )
        for i, expiry in enumerate(row.term.expiries_ns)
    ]
    caption = f"{row.label}: by hand at {share(strip.size)} ({strip.name})"
    return table(caption, columns(names, text=(0,)), rows)


def named_table(result: PremiumResult) -> Html:
    """A row a named way to the size, beside the estimate."""
    names = ["Way", "Market", "Size", "It assumes", "Why not"]
    rows: list[tuple[str, ...]] = []
    for row in result.rows:
        ends = span(row.found.lower, row.found.upper)
        said = share(row.found.size, row.found.status)
        ours = join([said, f" ({ends})"]) if ends != DASH else said
        rows.append(
            ("fit of all expiries", row.label, ours, "a smooth base", row.found.reason or DASH)
        )
        rows += [
            (one.name, row.label, share(one.size), one.assumption, one.reason or DASH)
            for one in row.named
        ]
    return table("The same size by other ways", columns(names, text=(0, 1, 3, 4)), rows)


def event_table(result: PremiumResult) -> Html:
    """A row an event of the fit: kind, name, when, what to know."""
    rows = [
        (event.name or event.kind, event.kind, _at(event.at_ns), row.label, event.note or DASH)
        for row in result.rows
        for event in row.events
    ]
    names = ["Event", "Kind", "Time, UTC", "Market", "Note"]
    return table("Events inside", columns(names, text=range(5)), rows) if rows else Html("")


def history_table(row: PremiumRow) -> Html:
    """A row a snapshot: the volatility of the expiry, either base, the size by each."""
    series = row.series
    if series is None:
        return Html("")
    names = ["Time, UTC", "IV", "Base, moving", "Size, moving", "Size, fixed", "Size, fit of all"]
    times = {int(t): i for i, t in enumerate(series.fitted.ts_ns)}
    rows = []
    for i, at in enumerate(series.dynamic.ts_ns[:MOST_TIMES]):
        k = times.get(int(at))
        fitted = share(math.nan) if k is None else share(
            float(series.fitted.size[k]), series.fitted.statuses[k]
        )  # fmt: skip
        rows.append(
            (
                _at(int(at)),
                share(float(series.iv[i])),
                share(float(series.base_iv[i])),
                share(float(series.dynamic.size[i]), series.dynamic.statuses[i]),
                share(float(series.fixed.size[i]), series.fixed.statuses[i]),
                fitted,
            )
        )
    caption = f"{row.label}: the size through time, by {_moment(series.expiry_ns)}"
    moved = ["Base", "From, UTC", "To, UTC", "Change, points", "Interval", "Status", "Why"]
    changes = (("moving base", series.change), ("fixed base", series.fixed_change))
    return join(
        [
            table(
                f"{row.label}: change of the size",
                columns(moved, text=(0, 1, 2, 5, 6)),
                [(name, *_change(one)) for name, one in changes],
            ),
            table(caption, columns(names, text=(0,)), rows),
        ]
    )  # fmt: skip


def odds_table(row: PremiumRow) -> Html:
    """Correlation of premium and odds in levels and in changes, and where the two parted."""
    odds = row.odds
    if odds is None:
        return Html("")
    out: list[Html] = []
    if odds.link is None and odds.reason:
        out.append(element("p", f"{row.label}: {odds.reason}."))
    if odds.link is not None:
        names = ["Of", "Correlation", "Interval", "Worth pairs", "Rows", "As if independent"]
        names += ["Status", "Why"]
        over = odds.link.change_rows
        said = "a step" if over == 1 else f"{over} steps"
        rows = [
            ("levels", *_correlation(odds.link.levels)),
            (f"changes over {said}", *_correlation(odds.link.changes)),
        ]
        caption = f"{row.label}: premium and {odds.label or 'odds'}"
        out.append(table(caption, columns(names, text=(0, 6, 7)), rows))
    if odds.apart is not None and odds.apart.found:
        names = ["From, UTC", "To, UTC", "Premium, points", "Odds, points", "Predicted"]
        names += ["Score", "Chance anywhere", "Opposed"]
        found = [
            (
                _at(one.start_ns),
                _at(one.end_ns),
                f"{100 * one.premium_change:+.2f}",
                f"{100 * one.odds_change:+.1f}",
                f"{100 * one.predicted:+.2f}",
                f"{one.score:+.1f}",
                f"{one.p_value:.3f}",
                "yes" if one.opposed else "no",
            )
            for one in odds.apart.found
        ]
        out.append(table(f"{row.label}: where they parted", columns(names, text=(0, 1, 7)), found))
    return join(out)


def market_table(result: PremiumResult) -> Html:
    """A row a market: event against ordinary day on either basis, the largest ratio first."""
    m = result.market
    if m is None:
        return Html("")
    level = f"{result.config.level:.0%}"
    names = ["Market", "Event", f"{level} interval", "Day, 365", "Day, 252", "Ratio, 365"]
    names += [f"{level} interval", "Ratio, 252", "Its day, sd", "Mean move", "Status"]
    rows = [
        (
            name,
            share(float(m.size[i]), m.statuses[i]),
            span(float(m.lower[i]), float(m.upper[i])),
            share(float(m.daily_365[i]), m.statuses[i]),
            share(float(m.daily_252[i]), m.statuses[i]),
            number(float(m.ratio_365[i]), ".2f", status=m.statuses[i]),
            _between(float(m.ratio_365_lower[i]), float(m.ratio_365_upper[i])),
            number(float(m.ratio_252[i]), ".2f", status=m.statuses[i]),
            share(float(m.event_day[i]), m.statuses[i]),
            share(float(m.mean_move[i]), m.statuses[i]),
            badge(m.statuses[i]),
        )
        for i, name in enumerate(m.markets)
    ]
    return table("Event and ordinary day", columns(names, text=(0, 10)), rows)


def far_table(row: PremiumRow) -> Html:
    """A row a far expiry, the one to buy first: its three readings and their ranks."""
    far = row.far
    if far is None or not far.expiries_ns.size:
        return Html("")
    spreads = {s.far_ns: s.history for s in row.spreads}
    names = ["Expiry, UTC", "Mean rank", "Against the fit, errors", "Spread now, points"]
    names += ["Mean", "History below it", "Half-life, days", "Returns", "Cuts priced"]
    rows = []
    for i, expiry in enumerate(far.expiries_ns.tolist()):
        h = spreads.get(expiry)
        now, mean, half = (math.nan,) * 3 if h is None else (h.now, h.mean, h.half_life)
        rows.append(
            (
                _at(expiry),
                number(float(far.mean_rank[i]), ".2f"),
                number(float(far.richness[i]), "+.2f"),
                number(100 * now, ".2f"),
                number(100 * mean, ".2f"),
                number(float(far.spread_quantile[i]), ".0%"),
                number(half, ".1f", status=Status.OK if h is None else h.status),
                "yes" if far.spread_returns[i] else "not shown",
                number(float(far.cuts[i]), ".2f"),
            )
        )
    return table(f"{row.label}: far expiries", columns(names, text=(0, 7)), rows)


def cuts_table(result: PremiumResult) -> Html:
    """A row a quarter: cuts of 25 basis points priced for it."""
    rows = [
        (one.quarter, _at(one.start_ns), _at(one.end_ns), f"{one.cuts:.2f}") for one in result.cuts
    ]
    names = ["Quarter", "From, UTC", "Until, UTC", "Cuts of 25 bp"]
    return table("Rate cuts priced", columns(names, text=(0, 1, 2)), rows) if rows else Html("")


def refused_table(result: PremiumResult) -> Html:
    """A row an expiry that was left out, and why."""
    rows = [
        (_at(one.expiry_ns), row.label, _at(one.at_ns), badge(one.status), one.reason or DASH)
        for row in result.rows
        for one in row.refused
    ]
    more = f" (the first {_MOST_REFUSED} of {len(rows)})" if len(rows) > _MOST_REFUSED else ""
    names = ["Expiry, UTC", "Market", "Snapshot, UTC", "Status", "Why"]
    shown = rows[:_MOST_REFUSED]
    return table(f"Left out{more}", columns(names, text=range(5)), shown) if rows else Html("")


def share(value: float, status: Status = Status.OK) -> str:
    """``8.00%`` without a sign, since a size has none; a dash and why where there is no number."""
    return f"{100 * value:.2f}%" if math.isfinite(value) else refused(status)


def span(lower: float, upper: float) -> str:
    """``7.31% to 8.52%``, or a dash."""
    if not np.isfinite([lower, upper]).all():
        return DASH
    return f"{100 * lower:.2f}% to {100 * upper:.2f}%"


def columns(names: Sequence[str], *, text: Sequence[int]) -> list[Column]:
    """Columns of these names, those of ``text`` set to the left."""
    return [Column(name, numeric=i not in text) for i, name in enumerate(names)]


def _change(one: Change) -> tuple[str, ...]:
    ends = DASH
    if math.isfinite(one.lower) and math.isfinite(one.upper):
        ends = f"{100 * one.lower:+.2f} to {100 * one.upper:+.2f}"
    return (
        _at(one.start_ns),
        _at(one.end_ns),
        number(100 * one.change, "+.2f", status=one.status),
        ends,
        badge(one.status),
        one.reason or DASH,
    )


def _correlation(one: Correlation) -> tuple[str, ...]:
    return (
        number(one.correlation, "+.2f", status=one.status),
        _between(one.lower, one.upper, "+.2f"),
        number(one.effective, ".1f"),
        f"{one.n_rows:,}",
        _between(one.naive_lower, one.naive_upper, "+.2f"),
        badge(one.status),
        one.reason or DASH,
    )


def _between(lower: float, upper: float, form: str = ".2f") -> str:
    if not (math.isfinite(lower) and math.isfinite(upper)):
        return DASH
    return f"{lower:{form}} to {upper:{form}}"


def _moment(ns: int) -> str:
    """``2024-11-08 08:00 UTC``; seconds where there are any."""
    text = format_ns(ns, seconds=ns % _MINUTE_NS != 0)
    return f"{text.replace('T', ' ').removesuffix('Z')} UTC"


def _at(ns: int) -> Html:
    """Date and time, broken between them where a phone has no room for both."""
    day, time, _ = _moment(ns).split()
    return join([element("span", day, class_="clock"), " ", element("span", time, class_="clock")])
