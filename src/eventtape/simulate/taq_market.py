r"""What a simulated day is drawn from: its options, its latent returns, its symbols and their rows.

The efficient price of symbol i moves by simple returns a second,

    r_it = sum_k beta_ik F_kt + a_t s_i e_it,    e_it ~ N(0, 1),

with five factors F (independent normals, daily volatility :data:`FACTOR_VOLATILITY`), betas, an
idiosyncratic volatility s_i, and an amplification a_t that is 1 on a quiet day and what
``amplified`` says in stated stretches. Prices start at a level of the symbol's class.

The rows of a day are dealt out before any of them is drawn: to symbols by a power law (the first is
the busiest), and within a symbol to seconds by a multinomial whose weights are a U over the day
times a Gamma activity of that second, which quotes and trades share. So the numbers of rows are
those asked for, busy seconds are busy in both, and any slice of the day can be drawn by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import parse_ns
from eventtape.errors import InputError

__all__ = [
    "CLASSES",
    "FACTORS",
    "FACTOR_VOLATILITY",
    "Blemishes",
    "SymbolClass",
    "TaqConfig",
    "TaqMarket",
    "dealt",
    "draw_betas",
    "largest_remainders",
    "latent",
    "taq_market",
]

FACTORS = ("MKT", "SMB", "HML", "RMW", "CMA")
FACTOR_VOLATILITY = (0.010, 0.005, 0.005, 0.003, 0.003)
"""Standard deviation of each factor's return over a session of 23,400 seconds."""
SESSION = 23_400


class SymbolClass(NamedTuple):
    """A kind of stock: the range of its price (dollars), its mean spread (cents), its depth."""

    name: str
    low: float
    high: float
    spread: float
    depth: float  # mean size at the best price, round lots of 100


CLASSES = (
    SymbolClass("one tick", 15.0, 45.0, 1.02, 12.0),
    SymbolClass("low price", 4.0, 12.0, 1.02, 60.0),
    SymbolClass("middle", 40.0, 120.0, 2.0, 5.0),
    SymbolClass("high price", 150.0, 450.0, 6.0, 2.0),
    SymbolClass("wide", 60.0, 300.0, 16.0, 2.0),
)
"""Symbols take these classes in turn, so that each class has busy and quiet ones."""


class Blemishes(NamedTuple):
    """How many faults to plant, exactly; none by default. Faults change rows, never add any.

    ``locked``, ``crossed`` and ``one_sided`` are quotes; ``duplicates`` (a row that repeats the one
    before), ``backward`` (a stamp 1 ms before the row above) and ``absurd`` (ten times the ask or
    the price) are so many quotes and as many trades again; ``halts`` are symbols that stop for
    ``halt_seconds``.
    """

    locked: int = 0
    crossed: int = 0
    one_sided: int = 0
    duplicates: int = 0
    backward: int = 0
    absurd: int = 0
    halts: int = 0
    halt_seconds: int = 300


@dataclass(frozen=True, kw_only=True)
class TaqConfig:
    """Every option of a simulated day. Shares are of all trades unless said otherwise."""

    seed: int
    symbols: int = 40  # full-tick symbols SIM000, SIM001 ...
    streams: int = 8_000  # one-second quote streams STR0000, STR0001 ...
    quotes: int = 1_000_000  # rows over all full-tick symbols
    trades: int = 200_000
    date: str = "2000-01-03"  # the session opens at 14:30 UTC
    seconds: int = SESSION
    iso_share: float = 0.40  # intermarket sweep orders
    sweep_continues: float = 0.45  # chance that an ISO print is followed by another of its sweep
    midpoint_share: float = 0.08
    improved_share: float = 0.12  # inside the spread on the taker's side of the mid
    ineligible_share: float = 0.02  # off the book, ``eligible`` false
    trade_moves: float = 0.50  # chance that a trade moves the book to the efficient price
    persistence: float = 0.60  # chance that an uninformed order has the side of the one before
    same_ns_share: float = 0.05  # of the quotes that answer a trade: stamped at its very ns
    late_ns: int = 0  # a late trade is stamped so much after it happened
    late_share: float = 1.0  # of the trades
    amplified: tuple[tuple[int, int, float], ...] = ()  # (from, to, factor): seconds, idiosyncratic
    stale_share: float = 0.05  # of the streams: a new quote in one second of fifty
    missing_share: float = 0.01  # of the streams' seconds: no row at all
    blemishes: Blemishes = field(default_factory=Blemishes)

    def __post_init__(self) -> None:
        """Refuse what no day can be made from."""
        self._check_sizes()
        self._check_shares()
        self._check_blemishes()

    def _check_sizes(self) -> None:
        for name in ("seed", "trades", "streams", "late_ns"):
            _at_least(name, getattr(self, name), 0)
        for name in ("symbols", "seconds"):
            _at_least(name, getattr(self, name), 1)
        if self.symbols > 1_000:
            raise InputError("at most 1,000 full-tick symbols", met=self.symbols, column="symbols")
        if not (self.streams == 0 or 50 <= self.streams <= 50_000):
            raise InputError("no streams or 50 to 50,000", met=self.streams, column="streams")
        if self.seconds > 86_400:
            raise InputError("at most a day of 86,400 seconds", met=self.seconds, column="seconds")
        if self.quotes < self.symbols:
            raise InputError("a quote for every symbol", met=self.quotes, column="quotes")

    def _check_shares(self) -> None:
        shares = [name for name in self.__dataclass_fields__ if name.endswith("_share")]
        for name in (*shares, "trade_moves", "persistence"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError("a share from 0 to 1", met=getattr(self, name), column=name)
        if not 0.0 <= self.sweep_continues < 1.0:
            met = self.sweep_continues
            raise InputError("a chance >= 0 and < 1", met=met, column="sweep_continues")
        kinds = self.iso_share + self.midpoint_share + self.improved_share + self.ineligible_share
        if kinds > 1.0 + 1e-12:
            raise InputError("shares of trades that sum to at most 1", met=kinds)
        for stretch in self.amplified:
            first, last, factor = stretch
            if not (0 <= first < last <= self.seconds and 0.0 <= factor < np.inf):
                raise InputError("(from < to <= seconds, factor >= 0)", met=stretch)

    def _check_blemishes(self) -> None:
        for name, value in self.blemishes._asdict().items():
            _at_least(name, value, 0)
        halts, length = self.blemishes.halts, self.blemishes.halt_seconds
        if halts > self.symbols:
            raise InputError("at most one halt a symbol", met=halts, column="halts")
        if halts and length > self.seconds - 2:
            raise InputError("a halt shorter than the day less 2 s", met=length)
        planted = self.blemishes.duplicates + self.blemishes.backward + self.blemishes.absurd
        if planted and self.late_ns and 0.0 < self.late_share < 1.0:
            raise InputError("faults among trades only where all or none are late", met=planted)

    @property
    def start_ns(self) -> int:
        """The open, ns UTC."""
        return parse_ns(f"{self.date}T14:30Z")

    @property
    def names(self) -> tuple[str, ...]:
        """The full-tick symbols, the busiest first."""
        return tuple(f"SIM{i:03d}" for i in range(self.symbols))


def _at_least(name: str, value: int, low: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
        raise InputError(f"a whole number >= {low}", met=value, column=name)


class TaqMarket(NamedTuple):
    """The truth behind a day: what every symbol is, and what moved it."""

    config: TaqConfig
    factors: FloatArray  # (seconds, 5) simple returns of F
    amplification: FloatArray  # (seconds,) of the idiosyncratic volatility
    kind: IntArray  # (symbols,) index into CLASSES
    level: FloatArray  # (symbols,) first price, dollars
    beta: FloatArray  # (symbols, 5)
    volatility: FloatArray  # (symbols,) idiosyncratic, per square root of a second
    quotes: IntArray  # (symbols,) rows
    trades: IntArray  # (symbols,)
    halts: IntArray  # (halts, 3) symbol, first second, second of resumption


# One generator a purpose and symbol: a symbol does not know which others were asked for.
_FACTORS, _SYMBOL, _PATH, _ROWS, _HALTS = range(5)


def taq_market(config: TaqConfig) -> TaqMarket:
    """The market of that configuration; cheap, whatever the number of rows."""
    n, m = config.seconds, config.symbols
    scale = np.array(FACTOR_VOLATILITY) / np.sqrt(SESSION)
    factors = scale * np.random.default_rng([config.seed, _FACTORS]).standard_normal((n, 5))
    amplification = np.ones(n)
    for first, last, factor in config.amplified:
        amplification[first:last] = factor
    kind = np.arange(m) % len(CLASSES)
    level, volatility = np.empty(m), np.empty(m)
    beta = np.empty((m, len(FACTORS)))
    for g in range(m):
        rng = np.random.default_rng([config.seed, _SYMBOL, g])
        of = CLASSES[kind[g]]
        level[g] = round(of.low * (of.high / of.low) ** rng.uniform(), 2)
        beta[g] = draw_betas(rng, 1)[0]
        volatility[g] = rng.uniform(0.008, 0.020) / np.sqrt(SESSION)
    share = np.arange(1.0, m + 1.0) ** -0.7
    quotes = 1 + largest_remainders(config.quotes - m, share)
    trades = largest_remainders(config.trades, share)
    rng = np.random.default_rng([config.seed, _HALTS])
    wanted = config.blemishes.halts
    halted = rng.permutation(m)[:wanted]
    # not the first second (the opening quote) and not the last
    begin = rng.integers(1, max(n - config.blemishes.halt_seconds, 2), wanted)
    halts = np.column_stack([halted, begin, begin + config.blemishes.halt_seconds])
    return TaqMarket(
        config,
        factors,
        amplification,
        kind,
        level,
        beta,
        volatility,
        quotes,
        trades,
        halts.astype(np.int64),
    )


def draw_betas(rng: np.random.Generator, n: int) -> FloatArray:
    """Betas ``(n, 5)``: N(1, 0.3) on the market, N(0, 0.5) on the others."""
    beta: FloatArray = rng.normal(0.0, 0.5, (n, len(FACTORS)))
    beta[:, 0] = 1.0 + 0.6 * beta[:, 0]
    return beta


def latent(market: TaqMarket, g: int) -> FloatArray:
    """Efficient price of symbol g at whole seconds of the session, dollars ``(seconds + 1,)``."""
    rng = np.random.default_rng([market.config.seed, _PATH, g])
    own = market.amplification * market.volatility[g] * rng.standard_normal(market.factors.shape[0])
    returns = market.factors @ market.beta[g] + own
    path: FloatArray = market.level[g] * np.r_[1.0, np.cumprod(1.0 + returns)]
    return path


def dealt(market: TaqMarket, g: int) -> tuple[IntArray, IntArray]:
    """Quotes and trades of symbol g in each second ``(seconds,)``; one quote is the opening one."""
    n = market.config.seconds
    rng = np.random.default_rng([market.config.seed, _ROWS, g])
    u = (np.arange(n) + 0.5) / n
    shape = 0.6 + 1.8 * np.exp(-u / 0.06) + 1.2 * np.exp((u - 1.0) / 0.05)
    burst = rng.gamma(0.5, 2.0, n)
    for symbol, first, last in market.halts:
        if symbol == g:
            burst[first:last], shape[first:last] = 0.0, 0.0
    if not burst.any():  # a day of one second may draw no activity at all
        burst[:] = shape
    quotes = rng.multinomial(market.quotes[g] - 1, _normal(shape * (0.5 + 0.5 * burst)))
    quotes[0] += 1
    trades = rng.multinomial(market.trades[g], _normal(shape * burst))
    return quotes.astype(np.int64), trades.astype(np.int64)


def _normal(weight: FloatArray) -> FloatArray:
    probability: FloatArray = weight / weight.sum()
    return probability


def largest_remainders(total: int, share: FloatArray) -> IntArray:
    """Whole numbers that sum to ``total``, in proportion to ``share``, largest remainders first.

    >>> largest_remainders(10, np.array([1.0, 1.0, 1.0])).tolist()
    [4, 3, 3]
    """
    exact = total * share / share.sum()
    whole: IntArray = np.floor(exact).astype(np.int64)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return whole
