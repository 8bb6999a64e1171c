"""Results of the premium study put together by hand: known sizes, a ridge, refusals, two markets.

Sizes, bases and errors are given, not fitted, so that no kernel is compiled; what is plain algebra
on arrays (strips, histories, correlations, spreads) is made by its own function.
"""

import functools
import math

import numpy as np

from eventtape.arrays import Status
from eventtape.clock import parse_ns
from eventtape.clock.event_calendar import DatedEvent
from eventtape.estimators.premium.divergence import divergences
from eventtape.estimators.premium.event_premium import Premium, Ridge
from eventtape.estimators.premium.far_expiry import far_expiries
from eventtape.estimators.premium.named import strip_table
from eventtape.estimators.premium.odds_link import odds_link
from eventtape.estimators.premium.premium_history import (
    days_left,
    gaps,
    premium_change,
    premium_history,
)
from eventtape.estimators.premium.premium_market import market_premium, premium_market
from eventtape.estimators.premium.ridges import event_counts, events_at
from eventtape.estimators.premium.spread_history import spread_history
from eventtape.estimators.premium.term_structure import forward_vols, term_structure
from eventtape.studies.premium_rows import (
    FittedHistory,
    FocusSize,
    NamedSize,
    OddsTogether,
    PremiumConfig,
    PremiumResult,
    PremiumRow,
    PremiumSeries,
    QuarterCuts,
    RefusedExpiry,
    Spread,
    Strip,
    TrueSizes,
)

NAN = math.nan
DAY = 86_400 * 10**9
SCRIPT = "<script>alert(1)</script>"
TEX = r"$$\alpha$$ \(x\)"
WHY = "its variance comes out below 0 by more than its error"
AT = parse_ns("2024-10-05T00:00Z")
DAYS = (
    "10-06 10-07 10-08 10-11 10-18 10-25 11-01 11-08 11-29 12-27 2025-01-31 2025-03-28 2025-06-27"
)
EXPIRIES = np.array(
    [parse_ns(f"{d if len(d) > 5 else f'2024-{d}'}T08:00Z") for d in DAYS.split()], np.int64
)
ELECTION = DatedEvent("election", "Election", parse_ns("2024-11-05T23:00Z"), "polls close")
FOMC = DatedEvent("fomc", "November statement", parse_ns("2024-11-07T19:00Z"), "")
LATER = DatedEvent("fomc", "December statement", parse_ns("2024-12-18T19:00Z"), "")
SIZES = {"election": 0.08, "fomc": 0.02}
NEAR = 7


@functools.cache
def row(label="BTC", *, ridge=False, identified=True, history=True, scale=1.0):
    """A market 31 days before the election; a ridge without the second rate decision."""
    events = (ELECTION, FOMC) if ridge else (ELECTION, FOMC, LATER)
    made, base, noise = term(label, events, scale)
    fit = premium_of(made, base, events, ridge, identified, scale)
    found = focus_of(fit, identified)
    size = found.size if math.isfinite(found.size) else 0.0
    after = made.expiries_ns > ELECTION.at_ns
    strips = (
        Strip("estimate" if size else "least roughness", size, strip_table(made, after, size)),
    )
    series = series_of(made, fit, scale) if history else None
    spreads = spreads_of(made) if history else ()
    far = far_expiries(
        made.expiries_ns[NEAR + 1 :],
        made.iv[NEAR + 1 :],
        made.iv[NEAR + 1 :] - noise[NEAR + 1 :],
        made.error[NEAR + 1 :],
        [s.history for s in spreads] or [None] * 5,
    )
    k = fit.kinds.index("election")
    return PremiumRow(
        label,
        made,
        forward_vols(made),
        events,
        ELECTION,
        NEAR,
        fit,
        found,
        strips,
        (
            NamedSize("least roughness", 0.0771 * scale, "what is left bends least", ""),
            NamedSize("two expiries", NAN, "one flat base", "what is left is below 0"),
        ),
        series,
        odds_of(series) if history else None,
        spreads,
        far,
        (RefusedExpiry(AT, EXPIRIES[2], Status.TOO_FEW, "two strikes only"),),
        TrueSizes("election", np.array([AT]), np.array([0.08]), (("fomc", 0.02),), "8.0% and 2.0%"),
        fit.statuses[k],
        fit.reasons[k],
    )


def result(*rows, simulated=True, **config):
    """A whole result; markets side by side where there is more than one."""
    told = None
    if len(rows) > 1:
        told = premium_market([market_premium(r.label, r.premium, "election") for r in rows])
    start = parse_ns("2025-01-01T00:00Z")
    cuts = tuple(
        QuarterCuts(f"2025Q{k + 1}", start + 91 * k * DAY, start + 91 * (k + 1) * DAY, cuts)
        for k, cuts in enumerate((1.7, 1.1, 0.6, -0.2))
    )
    given = () if simulated else ("table.csv",)
    return PremiumResult(PremiumConfig(**config), simulated, rows, told, cuts, given, ("a note",))


def one_expiry():
    """Too few expiries for any size: a row with its reason and nothing fitted."""
    made = term_structure(AT, EXPIRIES[7:8], np.array([0.55]), label="ONE")
    n, nan = 1, np.full(1, NAN)
    why = "3 expiries at least for 1 unknown sizes and a base, met 1"
    fit = Premium(
        ("election",), np.array([1]), *(nan.copy() for _ in range(5)), (Status.TOO_FEW,), (why,),
        *(np.full(n, NAN) for _ in range(4)), *(NAN,) * 8, (), Status.TOO_FEW, why,
    )  # fmt: skip
    found = FocusSize(("election",), NAN, NAN, NAN, Status.TOO_FEW, why)
    return PremiumRow(
        "ONE", made, forward_vols(made), (ELECTION,), ELECTION, 0, fit, found, (), (), None, None,
        (), None, (), None, Status.TOO_FEW, why,
    )  # fmt: skip


def hostile(whole):
    """The same with names that a browser might run or typeset."""
    bad = f"{SCRIPT}{TEX}"
    event = ELECTION._replace(name=bad, note=bad)
    rows = tuple(
        r._replace(
            label=f"{bad}{i}",
            events=(event, *r.events[1:]),
            focus=event,
            reason=bad,
            named=(NamedSize(bad, NAN, bad, bad),),
        )
        for i, r in enumerate(whole.rows)
    )
    cuts = tuple(c._replace(quarter=bad) for c in whole.cuts)
    return whole._replace(rows=rows, cuts=cuts, notes=(bad,))


def term(label, events, scale=1.0):
    """The term structure, its base volatility, and the noise that was added."""
    days = (EXPIRIES - AT) / DAY
    base = scale * (0.46 + 0.06 * (1.0 - np.exp(-days / 90.0)))
    bare = term_structure(AT, EXPIRIES, base, label=label)
    _, counts = event_counts(bare, events_at([e.at_ns for e in events], [e.kind for e in events]))
    kinds = dict.fromkeys(e.kind for e in events)
    jumps = counts @ np.array([(scale * SIZES[k]) ** 2 for k in kinds])
    noise = 0.001 * scale * np.cos(np.arange(days.size))
    iv = np.sqrt(base**2 + jumps * 365.0 / days) + noise
    return term_structure(AT, EXPIRIES, iv, np.full(days.size, 0.0035), label=label), base, noise


def premium_of(made, base, events, ridge, identified, scale):
    """What a good fit would say; of a ridge, or refused, nothing of the single sizes."""
    _, counts = event_counts(made, events_at([e.at_ns for e in events], [e.kind for e in events]))
    kinds = ("election", "fomc")
    size = scale * np.array([SIZES[k] for k in kinds])
    both = np.sqrt(base**2 + counts @ size**2 * 365.0 / made.days)
    status, reason, ridges = Status.OK, "", ()
    if ridge:
        s = scale * math.hypot(*SIZES.values())
        ridges = (Ridge(kinds, s, 0.93 * s, 1.06 * s, ELECTION.at_ns, FOMC.at_ns),)
        status, reason = Status.NOT_IDENTIFIED, "only its sum is known: an expiry would part them"
    if not identified:
        status, reason = Status.NOT_RESOLVED, WHY
    if status is not Status.OK:
        size = np.full(2, NAN)
    daily = float(base[NEAR]) / math.sqrt(365.0)
    return Premium(
        kinds, counts[-1].astype(np.int64), size, 0.92 * size, 1.07 * size, size**2,
        0.08 * size**2, (status,) * 2, (reason,) * 2, base, base - 0.006, base + 0.006, both,
        daily, 0.98 * daily, 1.02 * daily, 0.7, 0.5, 0.9, 2.0, 0.9, ridges, Status.OK, "",
    )  # fmt: skip


def focus_of(fit, identified):
    if not identified:
        return FocusSize(("election",), NAN, NAN, NAN, Status.NOT_RESOLVED, WHY)
    if fit.ridges:
        r = fit.ridges[0]
        return FocusSize(r.kinds, r.size, r.lower, r.upper, Status.OK, "of both together")
    size = float(fit.size[0])
    return FocusSize(("election",), size, 0.92 * size, 1.07 * size, Status.OK, "")


def series_of(made, fit, scale):
    """Daily sizes from 11% to 8%, four days of them not quoted."""
    every = AT + DAY * np.arange(-34, 2)
    ts = np.delete(every, slice(12, 16)).astype(np.int64)
    share = np.linspace(0.0, 1.0, ts.size)
    true = scale * (0.11 - 0.03 * share + 0.004 * np.sin(np.arange(ts.size)))
    daily = scale * (0.027 - 0.002 * share)
    days = days_left(ts, int(EXPIRIES[NEAR]))
    iv = np.sqrt((true**2 + daily**2 * days) / days * 365.0)
    given = {"event_ns": ELECTION.at_ns, "iv_error": 0.0035, "base_error": 0.0004}
    fixed = premium_history(ts, iv, days, base_daily=float(daily[-1]), **given)
    moving = premium_history(ts, iv, days, base_daily=daily, **given)
    fitted = FittedHistory(ts, true, 0.93 * true, 1.07 * true, (Status.OK,) * ts.size)
    ends = int(ts[0]), int(ts[-1])
    return PremiumSeries(
        int(EXPIRIES[NEAR]), ("election", "fomc"), iv, daily * math.sqrt(365.0), fixed, moving,
        fitted, premium_change(moving, *ends), premium_change(fixed, *ends),
        gaps(ts, longest_ns=3 * DAY),
    )  # fmt: skip


def odds_of(series):
    """Odds that went the other way, on a grid with the hole left in it."""
    at = np.arange(series.dynamic.ts_ns[0], series.dynamic.ts_ns[-1] + 1, DAY)
    size = np.full(at.size, NAN)
    size[np.isin(at, series.dynamic.ts_ns)] = series.dynamic.size
    k = np.arange(at.size)
    odds = 0.47 + 0.001 * k + 0.01 * np.sin(1.3 * k)
    link = odds_link(size, odds)
    apart = divergences(at, size, odds, window=3, n_draws=99, false_alarms=0.05)
    return OddsTogether("T-WIN", at, size, odds, link, apart, link.changes.status, "")


def spreads_of(made):
    at = AT + DAY * np.arange(-40, 1)
    k = np.arange(at.size)
    out = []
    for j in range(NEAR + 1, made.iv.size):
        spread = 0.035 + 0.008 * np.sin(2.4 * k + j) - 0.0002 * k
        near = np.full(at.size, 0.55)
        history = spread_history(at, near + spread, near, n_draws=99)
        out.append(Spread(int(EXPIRIES[NEAR]), int(EXPIRIES[j]), at, spread, history))
    return tuple(out)
