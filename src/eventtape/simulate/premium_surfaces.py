r"""Term structures with a known event: bitcoin options a month before an election. Simulated.

The expiries are those Deribit listed on 2024-10-05, all at 08:00 UTC: by its introduction policy
the next dailies (6, 7, 8 October), Fridays (11, 18 October, 1 November), month ends (25 October, 29
November, 31 January) and quarter ends (27 December, 28 March, 27 June, 26 September), and the
Friday after the election, 8 November, listed ahead of its turn. The election is at 23:00 UTC on 5
November; the Federal Reserve decides on 7 November, inside the same bucket, and at each later
meeting. With f the base variance a day, u days from the moment::

    matched:      f = v1 + (v0 - v1) e^{-u/tau}
    misspecified: f as above, times 1 + a exp(-(log u - c)^2 / 2s^2), a hump of either sign; and a
                  Saturday or Sunday weighs omega and not 1.

sqrt(v0), sqrt(v1), tau, a, c, s and omega are drawn anew for each surface. Total variance is summed
by the hour, the events' added, and each vol quoted with normal noise of its own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.premium.day_weights import DAY_NS, YEAR_DAYS, week_phase
from eventtape.estimators.premium.ridges import Events, events_at
from eventtape.estimators.premium.term_structure import TermStructure, term_structure

__all__ = [
    "AT",
    "DESIGNS",
    "ELECTION",
    "EXPIRIES",
    "MEETINGS",
    "PremiumSurface",
    "premium_surface",
]

DESIGNS = ("matched", "misspecified")
AT = "2024-10-05T00:00Z"
EXPIRIES = (
    "2024-10-06", "2024-10-07", "2024-10-08", "2024-10-11", "2024-10-18", "2024-10-25",
    "2024-11-01", "2024-11-08", "2024-11-29", "2024-12-27", "2025-01-31", "2025-03-28",
    "2025-06-27", "2025-09-26",
)  # fmt: skip
ELECTION = "2024-11-05T23:00Z"
MEETINGS = (
    "2024-11-07T19:00Z", "2024-12-18T19:00Z", "2025-01-29T19:00Z", "2025-03-19T18:00Z",
    "2025-05-07T18:00Z", "2025-06-18T18:00Z", "2025-07-30T18:00Z", "2025-09-17T18:00Z",
)  # fmt: skip
_HOURS = 24


class PremiumSurface(NamedTuple):
    """A quoted term structure and what it was made from; arrays ``(n,)``."""

    term: TermStructure
    events: Events  # kinds "election" and "fomc"
    size: float  # of the election
    fomc: float  # of each meeting
    iv: FloatArray  # without noise
    base_iv: FloatArray  # and without events
    weekend: float


class _Hours(NamedTuple):
    """The hours from the moment to the last expiry."""

    middle: FloatArray  # days from the moment, (n_hours,)
    weekend: BoolArray
    ends: IntArray  # (n_expiries,): hours to each expiry


def premium_surface(
    seed: int,
    design: str = "matched",
    *,
    size: float = 0.08,
    fomc: float = 0.02,
    noise: float = 0.0035,
    at: str = AT,
    expiries: tuple[str, ...] = EXPIRIES,
) -> PremiumSurface:
    """One surface with an election of ``size`` and meetings of ``fomc``, decimals in log return.

    ``design`` is one of :data:`DESIGNS`; ``noise`` is the sd of each quoted vol, a decimal, and its
    stated error. ``at`` is on a whole hour; ``expiries`` are dates after it, at 08:00 UTC.
    """
    if design not in DESIGNS:
        raise InputError(f"a design among {', '.join(DESIGNS)}", met=design)
    rng = np.random.default_rng(seed)
    at_ns = parse_ns(at)
    ends_ns = np.array([parse_ns(f"{day}T08:00Z") for day in expiries])
    hours = _hours(at_ns, tuple(ends_ns.tolist()))
    f, weekend = _base(rng, hours.middle, design)
    weight = np.where(hours.weekend, weekend, (7.0 - 2.0 * weekend) / 5.0)
    base = np.cumsum(f * weight)[hours.ends - 1] / _HOURS
    events = events_at(
        [parse_ns(text) for text in (ELECTION, *MEETINGS)], ["election"] + ["fomc"] * len(MEETINGS)
    )
    variance = base.copy()
    for time, kind in zip(events.times_ns, events.kinds, strict=True):
        e = size if kind == "election" else fomc
        variance += e**2 * ((time >= at_ns) & (time < ends_ns))
    days = (ends_ns - at_ns) / DAY_NS
    iv = np.sqrt(variance / days * YEAR_DAYS)
    quoted = iv + noise * rng.standard_normal(iv.size)
    error = np.full(iv.size, noise)
    term = term_structure(at_ns, ends_ns, quoted, error, label=f"simulated {design} {seed}")
    return PremiumSurface(term, events, size, fomc, iv, np.sqrt(base / days * YEAR_DAYS), weekend)


def _base(rng: np.random.Generator, u: FloatArray, design: str) -> tuple[FloatArray, float]:
    """Variance a day by the hour, and the weekend weight."""
    now, later = rng.uniform(0.022, 0.030) ** 2, rng.uniform(0.025, 0.032) ** 2
    f = later + (now - later) * np.exp(-u / rng.uniform(20.0, 120.0))
    if design == "matched":
        return f, 1.0
    centre, height = rng.uniform(np.log(5.0), np.log(150.0)), rng.uniform(-0.25, 0.25)
    width = rng.uniform(0.6, 1.0)
    hump = height * np.exp(-0.5 * ((np.log(u) - centre) / width) ** 2)
    return f * (1.0 + hump), float(rng.uniform(0.5, 1.0))


@lru_cache(maxsize=8)
def _hours(at_ns: int, ends_ns: tuple[int, ...]) -> _Hours:
    hour = DAY_NS // _HOURS
    ends = np.array([(end - at_ns) // hour for end in ends_ns])
    middle = (np.arange(ends[-1]) + 0.5) / _HOURS
    weekend = (week_phase(at_ns) + middle) % 7.0 >= 5.0
    return _Hours(middle, weekend, ends)
