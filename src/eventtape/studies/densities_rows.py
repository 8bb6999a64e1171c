"""What the study of densities is asked, and what it answers: a row a chain, refusals as rows."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import Status, check_level
from eventtape.clock import format_ns
from eventtape.errors import InputError
from eventtape.estimators.density.density_quantities import Quantiles, TailShares
from eventtape.estimators.density.density_quantities_moments import DensityMoments
from eventtape.estimators.density.fit import Density, SizeWeight
from eventtape.estimators.density.no_arbitrage import ArbitrageReport, Check
from eventtape.estimators.density.repair import Repaired
from eventtape.estimators.pricing.terminal_law import TerminalLaw
from eventtape.studies.densities_european import EuropeanChain

__all__ = [
    "SURE",
    "ChainDensity",
    "CrossCheck",
    "DensitiesConfig",
    "DensitiesResult",
    "Exercise",
    "LockedIn",
    "Surface",
]

Exercise = Literal["as given", "european", "american"]
EXERCISES = ("as given", "european", "american")
SURE = -2.0  # a violation of two of its own errors or more


@dataclass(frozen=True, kw_only=True)
class DensitiesConfig:
    """Every choice of the study.

    - ``rate``, ``dividend_yield``: continuous, a year; ``spot``: of today. None where not known:
      then parity says. ``dividends``: ex-dates in ns and cash a share, positive; what is not before
      an expiry does not count there.
    - ``exercise``: how the options are read, whatever their rows say.
    - ``size_weight``: what sizes say of a value (:func:`~.density.fit.fit_density`).
    - ``probabilities``: of the quantiles; ``level``: of the bands.
    - ``checks``: fit two lognormals, SVI and Kou's law beside; ``repair``: take arbitrage out, as a
      second answer beside the first.
    """

    rate: float | None = None
    spot: float | None = None
    dividend_yield: float | None = None
    dividends: tuple[tuple[int, float], ...] = ()
    exercise: Exercise = "as given"
    size_weight: SizeWeight = "fitted"
    probabilities: tuple[float, ...] = (0.05, 0.5, 0.95)
    level: float = 0.95
    checks: bool = False
    repair: bool = False

    def __post_init__(self) -> None:
        """Refuse what no chain could make right."""
        check_level(self.level)
        for p in self.probabilities:
            if not 0.0 < p < 1.0:
                raise InputError("probabilities between 0 and 1", met=p, column="probabilities")
        if self.spot is not None and not 0.0 < self.spot < math.inf:
            raise InputError("a positive spot", met=self.spot, column="spot")
        for name, value in (("rate", self.rate), ("dividend_yield", self.dividend_yield)):
            if value is not None and not abs(value) < 1.0:
                wanted = "a part of one a year (0.05 is 5%)"
                raise InputError(wanted, met=value, column=name)
        for _, cash in self.dividends:
            if not 0.0 < cash < math.inf:
                wanted = "a dividend above 0, in cash a share"
                raise InputError(wanted, met=cash, column="dividends")
        if self.exercise not in EXERCISES:
            raise InputError(f"one of {', '.join(EXERCISES)}", met=self.exercise, column="exercise")
        if self.size_weight not in {"fitted", "mid", "microprice"}:
            wanted = "one of fitted, mid, microprice"
            raise InputError(wanted, met=self.size_weight, column="size_weight")


class CrossCheck(NamedTuple):
    """Another law fitted to the same quotes: its distance to the density, and how it fared.

    ``distance`` is the integral of ``|f - g|``, 0 to 2. ``pdf`` ``(n,)`` is on the grid's strikes.
    """

    name: str
    distance: float
    pdf: np.ndarray[tuple[int], np.dtype[np.float64]]
    parameters: dict[str, float]
    errors: dict[str, float]
    status: Status
    note: str


class LockedIn(NamedTuple):
    """Violations of one kind among the quotes themselves: how many times, and the largest gain.

    ``gain`` is per contract, before fees, in the unit of the prices; ``strikes`` are those of it.
    """

    kind: str
    times: int
    gain: float
    strikes: tuple[float, ...]


@dataclass(frozen=True)
class ChainDensity:
    """One chain: what it was, the forward, the density and what is read off it, or why none is.

    - ``american``: whether premia were taken off. ``european``: bids and asks without them.
    - ``quotes``: a row a quote, with volatilities, the fitted one and its fate in words.
    - ``grid``: a row a strike: density, distribution, volatility, errors; ``truth_pdf`` and
      ``truth_cdf`` where the quotes are simulated, ``repaired_pdf`` where repair was asked.
    - ``skew``: slope of the volatility in log-strike at the forward, with ``moments`` the skewness.
    - ``violations``: failed checks of this expiry, calendar against the expiry before it included.
    - ``status``, ``reason``: ``OK``; ``NOT_RESOLVED`` with a density: its errors are too small
      (``reason``); else why every number is NaN.
    """

    underlying: str
    expiry_ns: int
    at_ns: int
    settlement: str
    american: bool
    tau: float
    european: EuropeanChain | None
    rate_source: str
    density: Density | None
    quotes: pl.DataFrame
    grid: pl.DataFrame
    atm_vol: float
    atm_vol_error: float
    skew: float
    quantiles: Quantiles | None
    moments: DensityMoments | None
    tails: TailShares | None
    violations: tuple[Check, ...]
    quote_arbitrage: tuple[LockedIn, ...]
    cross_checks: tuple[CrossCheck, ...]
    repaired: Repaired | None
    truth: TerminalLaw | None
    too_old: int
    median_age_s: float
    status: Status
    reason: str

    @property
    def days(self) -> float:
        """Days to expiry."""
        return self.tau * 365.0

    @property
    def name(self) -> str:
        """``SPY 2023-10-20 20:00``, UTC."""
        return f"{self.underlying} {self.expiry}"

    @property
    def expiry(self) -> str:
        """The moment of expiry in words, UTC."""
        return format_ns(self.expiry_ns, seconds=False).replace("T", " ").removesuffix("Z")

    @property
    def fates(self) -> dict[str, int]:
        """How many quotes met each fate, the used ones first."""
        counted = Counter(self.quotes["fate"].to_list())
        return {"used": counted.pop("used", 0), **dict(counted.most_common())}

    @property
    def found(self) -> bool:
        """Whether there is a density."""
        return not self.grid.is_empty()

    @property
    def truth_distance(self) -> float:
        """Integral of ``|f - g|`` between the estimate and a simulated truth; NaN without one."""
        if self.truth is None or not self.found:
            return math.nan
        strikes = self.grid["strike"].to_numpy()
        gap = np.abs(self.grid["pdf"].to_numpy() - self.grid["truth_pdf"].to_numpy())
        return float(np.trapezoid(gap, strikes))


class Surface(NamedTuple):
    """The checks of all expiries of one underlying together; ``expiries`` are those with a law."""

    underlying: str
    expiries: tuple[int, ...]
    report: ArbitrageReport | None


@dataclass(frozen=True)
class DensitiesResult:
    """Every chain asked for, in order of underlying and expiry, and the surfaces they make.

    ``sources`` says where the quotes are from; ``notes`` what was left out on the way.
    """

    config: DensitiesConfig
    simulated: bool
    chains: tuple[ChainDensity, ...]
    surfaces: tuple[Surface, ...]
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def data(self) -> str:
        """Where the quotes are from, as far as the study can know."""
        given = f"as given ({', '.join(self.sources)})" if self.sources else "as given"
        return "simulated" if self.simulated else given

    @property
    def found(self) -> tuple[ChainDensity, ...]:
        """The chains that have a density."""
        return tuple(chain for chain in self.chains if chain.found)

    def label(self, chain: ChainDensity) -> str:
        """The chain's date, with the underlying and the hour only where another has the same."""
        day = chain.expiry[:10]
        alike = sum(c.underlying == chain.underlying and c.expiry[:10] == day for c in self.chains)
        several = len({c.underlying for c in self.chains}) > 1
        return f"{f'{chain.underlying} ' if several else ''}{chain.expiry if alike > 1 else day}"

    def of(self, underlying: str) -> tuple[ChainDensity, ...]:
        """The chains of one underlying that have a density, in order of expiry."""
        return tuple(chain for chain in self.found if chain.underlying == underlying)
