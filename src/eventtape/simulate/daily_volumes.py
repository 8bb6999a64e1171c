r"""Daily volumes of a market whose true ranking is known, with every trap a universe meets.

Each name has a level m_i, dollars a session, by a power law over the ranks of its kind, and trades

    dollars_it = m_i exp(s e_it - s^2 / 2),   e_it ~ N(0, 1),

so that m_i is the mean. Beside the ordinary names of each kind the tables hold: a stock that
changes its symbol twice, one delisted and one first listed inside the window, a symbol that passes
from one company to another, a depositary receipt of the largest level, and a stock that hardly
trades until the date and more than any other from it on (what a look ahead would choose).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.clock import as_date, sessions, sessions_before
from eventtape.errors import InputError

__all__ = ["SimulatedVolumes", "daily_volumes"]

_KINDS = (("ETF", "E", 2.5e10), ("CS", "S", 3.0e10))  # kind, first letter, largest level in dollars
_AFTER = 14  # days of data after the date, for a look ahead to find


class SimulatedVolumes(NamedTuple):
    """The three tables, and the members' true levels in the order of their true rank."""

    daily: pl.DataFrame  # symbol, session, volume, dollar_volume
    listings: pl.DataFrame  # symbol, kind, from, to
    renames: pl.DataFrame  # old, new, from
    truth: pl.DataFrame  # kind, symbol, level: names that may be members, largest first


def daily_volumes(
    seed: int,
    day: date | str,
    *,
    n_names: int = 60,
    n_sessions: int = 20,
    spread: float = 0.35,
    calendar: str = "XNYS",
) -> SimulatedVolumes:
    """Volumes of ``n_names`` ordinary names a kind, ``n_sessions`` before ``day`` and some after.

    ``spread`` is s, the sd of a session's log volume; at 0 the means are the levels. All symbols
    are made up. Names that may not be members are in the tables, not in the truth.
    """
    if seed < 0:
        raise InputError("a seed >= 0", met=seed)
    if n_names < 1 or n_sessions < 5:
        raise InputError("at least 1 name a kind and 5 sessions", met=(n_names, n_sessions))
    if not 0.0 <= spread < np.inf:
        raise InputError("a finite spread >= 0", met=spread)
    day = as_date(day)
    rng = np.random.default_rng(seed)
    before = [when.item() for when in sessions_before(day, n_sessions, calendar).date]
    after = sessions(day, day + timedelta(days=_AFTER), calendar).date
    days = [*before, *(when.item() for when in after)]
    middle, late = before[n_sessions // 2], before[-2]
    old = before[0] - timedelta(days=3650)
    rows: list[tuple[str, date, float]] = []
    listings: list[tuple[str, str, date, date | None]] = []
    truth: list[tuple[str, str, float]] = []

    def trade(symbol: str, level: float, when: list[date]) -> None:
        noise = np.exp(spread * rng.standard_normal(len(when)) - 0.5 * spread * spread)
        rows.extend((symbol, t, float(level * x)) for t, x in zip(when, noise, strict=True))

    for kind, letter, largest in _KINDS:
        for k in range(n_names):
            symbol, level = f"{letter}{k:03d}", largest / (k + 1.0) ** 1.1
            trade(symbol, level, days)
            listings.append((symbol, kind, old, None))
            truth.append((kind, symbol, level))

    level = _KINDS[1][2]
    trade("OLDA", 0.8 * level, [t for t in days if t < middle])
    trade("OLDB", 0.8 * level, [t for t in days if middle <= t < late])
    trade("NEWC", 0.8 * level, [t for t in days if t >= late])
    listings += [
        ("OLDA", "CS", old, middle - timedelta(days=1)),
        ("OLDB", "CS", middle, late - timedelta(days=1)),
        ("NEWC", "CS", late, None),
    ]
    truth.append(("CS", "NEWC", 0.8 * level))
    trade("GONE", 0.7 * level, [t for t in days if t <= late])
    listings.append(("GONE", "CS", old, late))
    trade("FRESH", 0.6 * level, [t for t in days if t >= middle])
    listings.append(("FRESH", "CS", middle, None))
    trade("TAKEN", 0.5 * level, [t for t in days if t < middle])
    trade("GIVER", 0.4 * level, [t for t in days if t < middle])
    trade("TAKEN", 0.4 * level, [t for t in days if t >= middle])
    listings += [
        ("TAKEN", "CS", old, middle - timedelta(days=1)),
        ("GIVER", "CS", old, middle - timedelta(days=1)),
        ("TAKEN", "CS", middle, None),
    ]
    truth.append(("CS", "TAKEN", 0.4 * level))
    trade("ABROAD", 2.0 * level, days)
    listings.append(("ABROAD", "ADRC", old, None))
    trade("NEWS", 1e-4 * level, before)
    trade("NEWS", 1e4 * level, days[n_sessions:])
    listings.append(("NEWS", "CS", old, None))
    truth.append(("CS", "NEWS", 1e-4 * level))
    renames = [("OLDA", "OLDB", middle), ("OLDB", "NEWC", late), ("GIVER", "TAKEN", middle)]
    price = {symbol: float(p) for symbol, p in _prices(rows, rng)}
    daily = pl.DataFrame(
        {
            "symbol": [symbol for symbol, _, _ in rows],
            "session": [t for _, t, _ in rows],
            "volume": [dollars / price[symbol] for symbol, _, dollars in rows],
            "dollar_volume": [dollars for _, _, dollars in rows],
        }
    )
    schema = {"symbol": pl.String, "kind": pl.String, "from": pl.Date, "to": pl.Date}
    return SimulatedVolumes(
        daily.sort("session", "symbol"),
        pl.DataFrame(listings, schema=schema, orient="row"),
        pl.DataFrame(renames, schema=["old", "new", "from"], orient="row"),
        pl.DataFrame(truth, schema=["kind", "symbol", "level"], orient="row").sort(
            "kind", "level", "symbol", descending=[False, True, False]
        ),
    )


def _prices(
    rows: list[tuple[str, date, float]], rng: np.random.Generator
) -> list[tuple[str, float]]:
    symbols = sorted({symbol for symbol, _, _ in rows})
    return list(zip(symbols, np.round(np.exp(rng.normal(4.0, 1.0, len(symbols))), 2), strict=True))
