"""What the study of premiums is asked, and what it answers: a row a market.

Sizes are one standard deviation of an event's own move, decimals of log return; volatilities are
decimals per sqrt(year of 365 days). All of it is risk-neutral.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from eventtape.arrays import FloatArray, IntArray, Status, check_level
from eventtape.clock.event_calendar import DatedEvent
from eventtape.errors import InputError
from eventtape.estimators.premium.day_weights import YEAR_DAYS
from eventtape.estimators.premium.divergence import Divergences
from eventtape.estimators.premium.event_premium import Premium, Ridge
from eventtape.estimators.premium.far_expiry import FarExpiries
from eventtape.estimators.premium.named import StripTable
from eventtape.estimators.premium.odds_link import OddsLink
from eventtape.estimators.premium.premium_history import Change, Gaps, History
from eventtape.estimators.premium.premium_market import PremiumMarket
from eventtape.estimators.premium.spread_history import SpreadHistory
from eventtape.estimators.premium.term_structure import ForwardVols, TermStructure

__all__ = [
    "CALENDARS",
    "FittedHistory",
    "FocusSize",
    "MarketTerms",
    "NamedSize",
    "OddsSeries",
    "OddsTogether",
    "PremiumConfig",
    "PremiumResult",
    "PremiumRow",
    "PremiumSeries",
    "QuarterCuts",
    "RefusedExpiry",
    "Spread",
    "Strip",
    "TrueSizes",
]

CALENDARS = ("weekends", "XNYS")
_LARGEST = 1.0


@dataclass(frozen=True, kw_only=True)
class PremiumConfig:
    """Every choice of the study.

    - ``level``: of every interval.
    - ``kinds``: of events that are taken out, the first the one looked at; none: every kind with
      an event inside the term structure, and the first of them in time.
    - ``size``: of the table made by hand; None: the estimate's own.
    - ``whole_days``: the table counts dates, not hours.
    - ``calendar``: ``weekends`` weighs Saturdays and Sundays as the data say, ``XNYS`` counts days
      of that exchange's sessions alone (365/252 each).
    - ``history``: fit every snapshot and not the last alone.
    - ``step_s``: of the grid on which series are compared; None: the usual one between snapshots.
    - ``max_age_s``: odds, and volatilities on that grid, older than this are not seen; None: four
      steps.
    - ``window``: rows of a divergence; ``false_alarms``: the chance of one between unrelated
      series; ``seed``, ``draws``: of its placebos and of the law of half-lives.
    """

    level: float = 0.95
    kinds: tuple[str, ...] = ()
    size: float | None = None
    whole_days: bool = False
    calendar: str = "weekends"
    history: bool = False
    step_s: float | None = None
    max_age_s: float | None = None
    window: int = 4
    false_alarms: float = 0.05
    seed: int = 0
    draws: int = 499

    def __post_init__(self) -> None:
        """Refuse what no data could make right."""
        check_level(self.level)
        if self.size is not None and not 0.0 <= self.size < _LARGEST:
            raise InputError("a size that is a decimal: .08 for 8%", met=self.size, column="size")
        if self.calendar not in CALENDARS:
            raise InputError(f"one of {', '.join(CALENDARS)}", met=self.calendar, column="calendar")
        for name in ("step_s", "max_age_s"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < math.inf:
                raise InputError("seconds above 0", met=value, column=name)
        for name, least in (("window", 1), ("draws", 99), ("seed", 0)):
            value = getattr(self, name)
            if value < least:
                raise InputError(f"{least} or more", met=value, column=name)
        if not 0.0 < self.false_alarms < 1.0:
            raise InputError(
                "a chance between 0 and 1", met=self.false_alarms, column="false_alarms"
            )
        if not 0.5 * (1.0 - self.level) * self.draws >= 1.0:
            needed = math.ceil(2.0 / (1.0 - self.level))
            wanted = f"at least {needed} draws for a level of {self.level:g}"
            raise InputError(wanted, met=self.draws, column="draws")


class RefusedExpiry(NamedTuple):
    """An expiry that has quotes and no volatility, or not one of its own, at one moment."""

    at_ns: int
    expiry_ns: int
    status: Status
    reason: str


class MarketTerms(NamedTuple):
    """The term structures of one market, rising in time, and what was left out of them."""

    label: str
    terms: tuple[TermStructure, ...]
    refused: tuple[RefusedExpiry, ...] = ()


class OddsSeries(NamedTuple):
    """Odds of an outcome of the event, from 0 to 1, times rising; shapes ``(n,)``."""

    label: str
    times_ns: IntArray
    values: FloatArray


class QuarterCuts(NamedTuple):
    """Moves of a policy rate priced for a quarter, half-open in time: cuts above 0."""

    quarter: str
    start_ns: int
    end_ns: int
    cuts: float


class TrueSizes(NamedTuple):
    """What was true where the data are simulated: sizes of the first kind ``(n,)`` by snapshot."""

    kind: str
    times_ns: IntArray
    size: FloatArray  # NaN once it is over
    others: tuple[tuple[str, float], ...]
    words: str


class FocusSize(NamedTuple):
    """What is known of the size of the event looked at.

    ``kinds`` has more than one name where no expiry parts them: the size is then of their sum.
    """

    kinds: tuple[str, ...]
    size: float
    lower: float
    upper: float
    status: Status
    reason: str


class Strip(NamedTuple):
    """The table made by hand at one size: ``given``, ``estimate`` or ``least roughness``."""

    name: str
    size: float
    table: StripTable


class NamedSize(NamedTuple):
    """A named way to the size, to compare with; NaN with a reason where it has no answer."""

    name: str
    size: float
    assumption: str
    reason: str


class FittedHistory(NamedTuple):
    """The size by the fit of each snapshot; shapes ``(n,)``, NaN before and after it is known."""

    ts_ns: IntArray
    size: FloatArray
    lower: FloatArray
    upper: FloatArray
    statuses: tuple[Status, ...]


class PremiumSeries(NamedTuple):
    """The size through time, by the volatility of one expiry after the event, ``(n,)``.

    ``fixed`` takes the base of the reference for all times, ``dynamic`` that of each; both are of
    all events of ``kinds`` from the one looked at to ``expiry_ns`` together. ``fitted`` is of the
    one looked at alone.
    """

    expiry_ns: int
    kinds: tuple[str, ...]
    iv: FloatArray  # of that expiry, (n,); NaN where not quoted
    base_iv: FloatArray  # by the fit of each snapshot
    fixed: History
    dynamic: History
    fitted: FittedHistory
    change: Change  # of ``dynamic``, from its first row known to the reference
    fixed_change: Change
    gaps: Gaps


class OddsTogether(NamedTuple):
    """Premium and odds on one grid ``(n,)`` until the event: together, and where they parted."""

    label: str
    ts_ns: IntArray
    premium: FloatArray  # of ``dynamic``
    odds: FloatArray
    link: OddsLink | None  # None under ``reason``
    apart: Divergences | None
    status: Status
    reason: str


class Spread(NamedTuple):
    """Far less near volatility through time; ``near_ns`` is the expiry followed."""

    near_ns: int
    far_ns: int
    ts_ns: IntArray  # the grid, (n,)
    spread: FloatArray
    history: SpreadHistory


class PremiumRow(NamedTuple):
    """One market at one moment: the term structure, its events, and all that is said of them.

    - ``events``: in rising order, those of the fit that are inside; ``focus`` the one looked at,
      and ``near`` the row of the first expiry after it (-1 where there is none).
    - ``strips``: the first at the size given, or the estimate's; then by least roughness.
    - ``series``, ``odds``, ``spreads``, ``far``: None or empty without a history (or odds).
    - ``status``, ``reason``: of the size looked at.
    """

    label: str
    term: TermStructure
    forward: ForwardVols
    events: tuple[DatedEvent, ...]
    focus: DatedEvent | None
    near: int
    premium: Premium
    found: FocusSize
    strips: tuple[Strip, ...]
    named: tuple[NamedSize, ...]
    series: PremiumSeries | None
    odds: OddsTogether | None
    spreads: tuple[Spread, ...]
    far: FarExpiries | None
    refused: tuple[RefusedExpiry, ...]
    truth: TrueSizes | None
    status: Status
    reason: str

    @property
    def ridge(self) -> Ridge | None:
        """The ridge that the event looked at is on, where it is on one."""
        if self.focus is None:
            return None
        kind = self.focus.kind
        return next((ridge for ridge in self.premium.ridges if kind in ridge.kinds), None)

    @property
    def base(self) -> tuple[float, float, float]:
        """Base volatility per sqrt(year) at the first expiry after the event, with bounds."""
        if self.near < 0:
            return (math.nan,) * 3
        p, i = self.premium, self.near
        return float(p.base_iv[i]), float(p.base_lower[i]), float(p.base_upper[i])

    @property
    def daily(self) -> tuple[float, float, float]:
        """One standard deviation of an ordinary day there, with bounds."""
        value, lower, upper = self.base
        root = math.sqrt(YEAR_DAYS)
        return value / root, lower / root, upper / root


class PremiumResult(NamedTuple):
    """Every market asked for, in order of name, and the markets side by side."""

    config: PremiumConfig
    simulated: bool
    rows: tuple[PremiumRow, ...]
    market: PremiumMarket | None  # None for one market
    cuts: tuple[QuarterCuts, ...]
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def data(self) -> str:
        """Where the volatilities are from, as far as the study can know."""
        given = f"as given ({', '.join(self.sources)})" if self.sources else "as given"
        return "simulated" if self.simulated else given
