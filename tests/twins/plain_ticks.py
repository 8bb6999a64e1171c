"""Books, signs and features once more, from their definitions: lists, loops and whole numbers.

Prices are whole numbers of a ten-thousandth of a dollar, so every comparison and every sum of mids
is exact; other sums are rounded once. A quote is ``(ts, bid, bid_size, ask, ask_size)`` and a trade
``(ts, price, size, iso, eligible)``, of one symbol and in time order; a side nobody quotes is 0.
Undefined is None.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from fractions import Fraction

GRID = 10_000
LENGTH = {"s": 10**9, "m": 60 * 10**9}


def last_before(quotes, ns):
    """The last quote with ts < ns."""
    n = bisect_left(quotes, ns, key=lambda quote: quote[0])  # so many are before it
    return quotes[n - 1] if n else None


def books(quotes, every=10**9, end=None):
    """(T, bid, bid_size, ask, ask_size, age in ns) for each T of the grid."""
    if not quotes:
        return []
    first = quotes[0][0] // every * every + every
    if end is None:
        end = quotes[-1][0] // every * every + every
    out = []
    for at in range(first, end + 1, every):
        ts, *book = last_before(quotes, at)
        out.append((at, *book, at - ts))
    return out


def met_books(trades, quotes, latency=0):
    """(bid, ask) of the last quote with ts < trade's ts - latency; None where there was none."""
    times = [quote[0] for quote in quotes]
    out = []
    for ts, *_ in trades:
        i = bisect_left(times, ts - latency) - 1
        out.append((quotes[i][1], quotes[i][3]) if i >= 0 else None)
    return out


def lee_ready(trades, met):
    """+1, -1 or 0 of each trade, ineligible ones 0 and no part of the memory."""
    out, last, direction = [], None, 0
    for (_, price, _, _, eligible), book in zip(trades, met, strict=True):
        if not eligible:
            out.append(0)
            continue
        if last is not None and price != last:
            direction = 1 if price > last else -1
        last = price
        sign = 0
        if stands(book):
            twice = 2 * price - sum(book)
            sign = (twice > 0) - (twice < 0)
        out.append(sign or direction)
    return out


def stands(book):
    """Whether a book has a mid: two sides, not crossed."""
    return book is not None and 0 < book[0] <= book[1]


def grid(quotes, trades, every, session):
    """The ends of the buckets."""
    if session is not None:
        opened, closed = session
        return [*range(opened + every, closed, every), closed]  # the last may be a short one
    times = [event[0] for event in (*quotes, *trades)]
    if not times:
        return []
    low, high = (t // every * every + every for t in (min(times), max(times)))
    return list(range(low, high + 1, every))


def features(quotes, trades, *, every, session=None, latency=0, window=10**6, met=None, sign=None):
    """{end of bucket: {feature: value}} of one ticker."""
    ends = grid(quotes, trades, every, session)
    if not ends:
        return {}
    opened, closed = session or (ends[0] - every, ends[-1])

    def bucket(ns):
        end = (ns - opened) // every * every + opened + every
        return min(end, closed) if opened <= ns < closed else None

    seen = {end: {"quotes": [], "trades": [], "stood": [], "not eligible": 0} for end in ends}
    traded = [ts for ts, _, _, _, eligible in trades if eligible]
    last_mid = None
    for i, (ts, bid, _, ask, _) in enumerate(quotes):
        good = stands((bid, ask))
        square = Fraction(0)
        if good:
            square = Fraction(bid + ask - (last_mid or bid + ask), last_mid or 1) ** 2
            last_mid = bid + ask
        k = bisect_right(traded, ts)
        led = k > 0 and ts - traded[k - 1] <= window
        update = i > 0 and (bid, ask) != (quotes[i - 1][1], quotes[i - 1][3])
        if bucket(ts) is not None:
            seen[bucket(ts)]["quotes"].append((bid, ask, update, square, led))
        until = quotes[i + 1][0] if i + 1 < len(quotes) else closed
        at, until = max(ts, opened), min(until, closed)
        while good and at < until:
            here = bucket(at)
            seen[here]["stood"].append((min(here, until) - at, bid, ask))
            at = here
    met = met_books(trades, quotes, latency) if met is None else met
    sign = lee_ready(trades, met) if sign is None else sign
    for (ts, price, size, iso, eligible), book, d in zip(trades, met, sign, strict=True):
        end = bucket(ts)
        if end is None:
            continue
        if eligible:
            seen[end]["trades"].append((price, size, iso, d, book if stands(book) else None))
        else:
            seen[end]["not eligible"] += 1
    rows = {end: answer(**{k.replace(" ", "_"): v for k, v in seen[end].items()}) for end in ends}
    return {end: row | {"last_mid": mid_at(quotes, end)} for end, row in rows.items()}


def mid_at(quotes, end):
    """The mid that stands at a time, None where no two-sided book does."""
    quote = last_before(quotes, end)
    book = None if quote is None else (quote[1], quote[3])
    return sum(book) / (2 * GRID) if stands(book) else None


def over(a, b):
    return a / b if b else None


def log(a):
    return None if a is None else math.log(a)


def answer(quotes, trades, stood, not_eligible):
    """One bucket's row."""
    good = [q for q in quotes if stands(q[:2])]
    spread = [2 * (a - b) / (a + b) for b, a, *_ in good]
    time = sum(ns for ns, _, _ in stood)
    time_mid = Fraction(sum(ns * (b + a) for ns, b, a in stood), 2 * GRID)
    sweeps = [t for t in trades if t[2]]
    flow = [d * p * v / GRID for p, v, _, d, _ in trades]
    flow_iso = math.fsum(f for f, t in zip(flow, trades, strict=True) if t[2])
    flow_other = math.fsum(f for f, t in zip(flow, trades, strict=True) if not t[2])
    volume = math.fsum(v for _, v, *_ in trades)
    dollars = math.fsum(p * v / GRID for p, v, *_ in trades)
    in_book = [t for t in trades if t[4] is not None]
    iso_in_book = [t for t in in_book if t[2]]
    signed = [(p, v, d, b, a) for p, v, _, d, (b, a) in in_book if d]
    wide = [(p, v, d, b, a) for p, v, d, b, a in signed if a > b]
    return {
        "log_mid": log(over(sum(b + a for b, a, *_ in good), 2 * GRID * len(good))),
        "quote_updates": sum(q[2] for q in quotes),
        "avg_rsprd": over(math.fsum(spread), len(good)),
        "pct_trades_iso": over(len(sweeps), len(trades)),
        "pct_volume_iso": over(math.fsum(t[1] for t in sweeps), volume),
        "total_flow_non_iso": flow_other,
        "total_flow_iso": flow_iso,
        "num_trades": len(trades),
        "num_trades_iso": len(sweeps),
        "total_volume": volume,
        "total_flow": math.fsum(flow),
        "iso_flow_intensity": over(flow_iso, volume),
        "iso_flow_share": over(flow_iso, dollars),
        "slippage": over(
            math.fsum(v * d * (2 * p - b - a) / (2 * GRID) for p, v, d, b, a in signed),
            math.fsum(v for _, v, *_ in signed),
        ),
        "slippage_half_spreads": over(
            math.fsum(v * d * (2 * p - b - a) / (a - b) for p, v, d, b, a in wide),
            math.fsum(v for _, v, *_ in wide),
        ),
        "var_mid_trade": float(sum(q[3] for q in quotes if q[4])),
        "var_mid_quote": float(sum(q[3] for q in quotes if not q[4])),
        "pct_at_quote": over(sum(p in book for p, _, _, _, book in in_book), len(in_book)),
        "pct_at_quote_iso": over(
            sum(p in book for p, _, _, _, book in iso_in_book), len(iso_in_book)
        ),
        "pct_at_mid": over(sum(2 * p == sum(book) for p, _, _, _, book in in_book), len(in_book)),
        "pct_outside_quote": over(
            sum(not book[0] <= p <= book[1] for p, _, _, _, book in in_book), len(in_book)
        ),
        "log_mid_time": log(over(time_mid, time)),
        "rsprd_time": over(math.fsum(ns * 2 * (a - b) / (a + b) for ns, b, a in stood), time),
        "quoted_s": time / 10**9,
        "num_quotes": len(quotes),
        "num_locked": sum(0 < b == a for b, a, *_ in quotes),
        "num_crossed": sum(b > a > 0 for b, a, *_ in quotes),
        "num_one_sided": sum(b == 0 or a == 0 for b, a, *_ in quotes),
        "num_unsigned": sum(d == 0 for _, _, _, d, _ in trades),
        "num_ineligible": not_eligible,
        "dollars": dollars,
    }


def far(name, mine, theirs, row):
    """Whether two values of a feature differ by more than the rounding of float sums can make.

    Prices are rounded to binary, 1e-16 of them, before differences are taken. Flows cancel, so
    theirs is measured by the dollars traded; the slippage by a price below 1,000 dollars, and in
    half-spreads of at least half a cent; the squared return of a mid that moves at least half a
    cent of 200 dollars, 2.5e-5, by 1e-11 of itself.
    """
    if mine is None or theirs is None:
        return (mine is None) != (theirs is None)
    if isinstance(mine, int):
        return mine != theirs
    rel, abs_ = 1e-12, 1e-14
    if "flow" in name:
        scale = {"iso_flow_intensity": row["total_volume"], "iso_flow_share": row["dollars"]}
        abs_ = 1e-12 * row["dollars"] / scale.get(name, 1.0)
    if name.startswith("slippage"):
        abs_ = 1e-9 if name.endswith("spreads") else 1e-12
    if name.startswith("var"):
        rel, abs_ = 1e-10, 1e-20
    return not math.isclose(mine, theirs, rel_tol=rel, abs_tol=abs_)
