"""What the study of a trade is asked, and what it answers: a position of options around an event.

Money is that of the legs: coins where they are settled in coins, else dollars. All of it is the
model's and risk-neutral: Black's prices at the volatilities named, not what a venue would fill.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from eventtape.arrays import FloatArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.positions.legs import Legs
from eventtape.estimators.positions.margin_risk import MarginCall, PathCalls
from eventtape.estimators.positions.move_law import MoveLaw
from eventtape.estimators.positions.pnl_law import PnlLaw, Share
from eventtape.estimators.positions.ratios import Ratio
from eventtape.estimators.positions.risks import GapRisk, GreekRisks, PinRisk
from eventtape.estimators.positions.scenarios import BreakEvens, Extremes
from eventtape.estimators.positions.value import PositionGreeks

__all__ = [
    "EVE",
    "EXPIRY",
    "HELD",
    "ONSET",
    "EventSize",
    "Fees",
    "Grid",
    "LegRow",
    "MarginAt",
    "MarginRisk",
    "Payoff",
    "Profile",
    "RuleRow",
    "Trade",
    "TradeConfig",
    "TradeResult",
]

ONSET, EXPIRY = "at the onset", "near expiry"
EVE, HELD = "before expiry", "before expiry, vols held"


@dataclass(frozen=True, kw_only=True)
class TradeConfig:
    """Every choice of the study.

    - ``level``: of every interval.
    - ``paths``, ``steps``, ``seed``: of the simulated paths.
    - ``half_life_days``: how fast the base variance goes back to normal, where two expiries say
      that it is not there now.
    - ``deposit``: put into the account; if None twice the initial margin, or what was paid where
      nothing is sold. ``stop``: the loss at which the position is closed; if None a tenth of the
      deposit, or half of what was paid. Both in the legs' money.
    - ``hedge_hours``, ``hedge_band``: how often the delta is looked at, and how much of it, in
      units of the underlying, is left alone; ``hedge_cost``, ``option_cost``: shares of what is
      traded, in futures and in options.
    - ``spot_moves``, ``vol_moves``, ``steepenings``: of the scenarios, decimals; a steepening of
      .1 is the first expiry five points down and the last five points up.
    - ``low``, ``high``, ``points``: of the profiles, shares of the price.
    - ``within``: half-width of the band around a sold strike; ``multiples``: of the event's size.
    - ``eve_days``: how long before the near expiry the later look is.
    - ``combo``: the legs are traded as one order, which some fee schedules favour.
    """

    level: float = 0.95
    paths: int = 4_000
    steps: int = 120
    seed: int = 0
    half_life_days: float = 30.0
    deposit: float | None = None
    stop: float | None = None
    hedge_hours: float = 12.0
    hedge_band: float = 0.05
    hedge_cost: float = 0.0005
    option_cost: float = 0.01
    spot_moves: tuple[float, ...] = tuple(round(0.05 * k, 2) for k in range(-8, 9))
    vol_moves: tuple[float, ...] = tuple(round(0.05 * k, 2) for k in range(-4, 5))
    steepenings: tuple[float, ...] = (-0.1, 0.0, 0.1)
    low: float = 0.45
    high: float = 1.7
    points: int = 301
    within: float = 0.02
    multiples: tuple[float, ...] = (1.0, 2.0, 3.0)
    eve_days: float = 1.0
    combo: bool = False

    def __post_init__(self) -> None:
        """Refuse what no run could use; what estimators take they check themselves."""
        check_level(self.level)
        for name in ("deposit", "stop"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < math.inf:
                raise InputError("an amount above 0", met=value, column=name)
        for name in ("half_life_days", "hedge_hours", "eve_days"):
            value = getattr(self, name)
            if not 0.0 < value < math.inf:
                raise InputError("a time above 0", met=value, column=name)
        if not 0.0 < self.low < 1.0 < self.high < math.inf:
            raise InputError("a share below 1 and one above it", met=(self.low, self.high))
        if self.points < 2 or self.paths < 2 or self.steps < 1:  # noqa: PLR2004
            met = (self.points, self.paths, self.steps)
            raise InputError("points and paths of 2 or more, steps of 1 or more", met=met)


class EventSize(NamedTuple):
    """An event ahead: when, and one standard deviation of its move, a decimal of log return."""

    at_ns: int
    size: float
    name: str


class Trade(NamedTuple):
    """What is to be studied: the position, the price and the moment, and the events ahead."""

    legs: Legs
    spot: float  # dollars
    at_ns: int  # the onset
    carry: FloatArray  # (n_legs,) forward of each leg over spot
    events: tuple[EventSize, ...]  # rising in time
    name: str


class LegRow(NamedTuple):
    """One leg: the price of one option of it, and the worth and Greeks of all that is held."""

    quantity: float
    strike: float
    is_call: bool
    expiry_ns: int
    vol: float
    forward: float
    price: float
    held: PositionGreeks


class Profile(NamedTuple):
    """The position along the price at one moment, ``(n_prices,)`` each.

    ``vega`` and ``gamma`` are the whole position's, each leg weighted by the number held; ``gamma``
    is Black's, of the delta in dollars, as venues draw it also where options are settled in coins.
    """

    label: str
    at_ns: int
    vols: FloatArray  # (n_legs,)
    prices: FloatArray
    coins: FloatArray  # profit
    dollars: FloatArray
    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray  # per vol point
    theta: FloatArray  # per day
    evens: BreakEvens  # of the profit in the legs' money


class Payoff(NamedTuple):
    """What the legs of one expiry make by it, each delivered at the price: less what they cost."""

    expiry_ns: int
    prices: FloatArray
    dollars: FloatArray


class Grid(NamedTuple):
    """Profit at one moment under moves of price, volatility and term structure."""

    label: str
    at_ns: int
    steepenings: tuple[float, ...]
    pnl: FloatArray  # (n_steepenings, n_vols, n_spots)
    extremes: Extremes


class MarginAt(NamedTuple):
    """Standard margin at the price of the onset, at one moment."""

    label: str
    at_ns: int
    initial: float
    maintenance: float


class MarginRisk(NamedTuple):
    """What the account needs, and where and how often it is called."""

    rows: tuple[MarginAt, ...]
    deposit: float
    eve: MarginCall | None  # at the later look
    paths: PathCalls | None  # at any step up to the near expiry
    status: Status
    reason: str


class Fees(NamedTuple):
    """Fees in the legs' money: of opening, by leg, and of the near legs' delivery."""

    opening: FloatArray  # (n_legs,)
    delivery_now: float  # delivered at today's price
    delivery_most: float  # at the dearest of the prices looked at
    from_ns: int  # since when the rates used are in force
    source: str
    status: Status
    reason: str


class RuleRow(NamedTuple):
    """A rule along simulated paths: the profit's law, and what the rule did."""

    name: str
    words: str
    until_ns: int
    law: PnlLaw  # in the legs' money
    dollars: float  # mean, whose expectation is 0 without costs
    dollars_error: float
    costs: float  # mean
    stopped: Share
    hedges: float  # mean number of times


class TradeResult(NamedTuple):
    """Everything the study says about a trade."""

    trade: Trade
    config: TradeConfig
    kind: str  # calendar, long, short or mixed
    near_ns: int
    eve_ns: int
    premium: float  # paid above 0, in the legs' money
    law: MoveLaw
    law_status: Status
    law_reason: str
    legs: tuple[LegRow, ...]
    whole: PositionGreeks
    ratios: tuple[Ratio, ...]  # empty with one expiry
    profiles: tuple[Profile, ...]
    payoffs: tuple[Payoff, ...]  # of each expiry by itself, rising
    grids: tuple[Grid, ...]
    risks: GreekRisks
    gap: GapRisk | None  # at the event, by the volatilities expected just before it
    gap_reason: str
    pin: PinRisk
    margin: MarginRisk
    fees: Fees
    rules: tuple[RuleRow, ...]
    suits: tuple[str, ...]
    mends: tuple[str, ...]  # what can be done about the risks
    sources: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def simulated(self) -> bool:
        """Whether prices come from a generator: they are given; only rules run on made paths."""
        return False

    @property
    def unit(self) -> str:
        """The money of the legs."""
        return "coins" if self.trade.legs.inverse else "dollars"

    def profile(self, label: str) -> Profile:
        """The profile of that label."""
        return next(p for p in self.profiles if p.label == label)

    def pnl(self, profile: Profile) -> FloatArray:
        """A profile's profit in the legs' money."""
        return profile.coins if self.trade.legs.inverse else profile.dollars
