r"""Option chains whose density is known: quotes around the prices of a chosen law. Simulated.

For each strike K_i, evenly spaced over F +- width sd of the law of S_T (from one tick up where that
reaches 0), call and put are quoted around their true price V::

    h = c + s V,    fair = V + displacement h U,    U uniform on [-1, 1],
    bid = max(round(fair - h), 0),    ask = round(fair + h)     to whole ticks,

sizes are whole numbers drawn evenly from a range, and nothing drawn knows the truth. With
``displacement`` 0 (the main design) mids are off by rounding only; at 0.4 (the hard one) each
contract's fair value is its own, so parity and convexity fail a little at the mids too.

The named truths of :func:`chain_truths` have F = 100. A mixture's first state has probability p
and mean m1 F; the second's mean makes the forward F. Days are over 365.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.pricing.heston import heston
from eventtape.estimators.pricing.kou import kou
from eventtape.estimators.pricing.lognormal_mixture import (
    LognormalMixture,
    lognormal,
    lognormal_mixture,
)
from eventtape.estimators.pricing.terminal_law import TerminalLaw, law_prices

__all__ = ["OptionChain", "chain_truths", "option_chain", "option_surface", "two_lognormal_law"]

_FORWARD = 100.0
_YEAR = 365.0
_SIDES = ("both", "out of the money")

Pricer = Callable[[FloatArray, BoolArray], FloatArray]
Seed = int | Sequence[int]


class OptionChain(NamedTuple):
    """Simulated quotes ``(n,)`` of one expiry, strike by strike, the call before the put.

    ``values`` are the true premiums (discounted), ``truth`` the law they come from.
    """

    strikes: FloatArray
    is_call: BoolArray
    bids: FloatArray
    asks: FloatArray
    bid_sizes: IntArray
    ask_sizes: IntArray
    tau: float
    forward: float
    discount: float
    values: FloatArray
    truth: TerminalLaw


def two_lognormal_law(
    probability: float,
    first_mean: float,
    vols: tuple[float, float],
    *,
    days: float,
    forward: float = _FORWARD,
) -> LognormalMixture:
    """Two lognormal states with mean ``forward``: ``first_mean`` is over the forward, vols annual.

    >>> two_lognormal_law(0.6, 1.03, (0.55, 0.75), days=10).means.round(6).tolist()
    [103.0, 95.5]
    """
    p, m = probability, first_mean
    if not 0.0 < p < 1.0:
        raise InputError("a probability between 0 and 1", met=p)
    if not 0.0 < p * m < 1.0:
        raise InputError("a first mean that leaves the second above 0", met=m)
    means = forward * np.array([m, (1.0 - p * m) / (1.0 - p)])
    return lognormal_mixture([p, 1.0 - p], means, vols, days / _YEAR)


def chain_truths() -> dict[str, TerminalLaw]:
    """The named truths, forward 100: four of lognormal states, Heston's and Kou's.

    ``lognormal``, ``mixture`` and ``bimodal`` have 10 days, ``skewed``, ``heston`` and ``kou`` 30.
    Heston's starts at a volatility of 0.4 and has correlation -0.7 and vol of variance 0.9; Kou's
    diffuses at 0.25 and expects 4 jumps a year, 60% of them down, by 12% on average (up: 6%).
    """
    return {
        "lognormal": lognormal(_FORWARD, 10 / _YEAR, 0.6),
        "mixture": two_lognormal_law(0.6, 1.03, (0.55, 0.75), days=10),
        "bimodal": two_lognormal_law(0.6, 1.08, (0.45, 0.55), days=10),
        "skewed": two_lognormal_law(0.85, 1.02, (0.25, 0.60), days=30),
        "heston": heston(
            _FORWARD,
            30 / _YEAR,
            variance=0.16,
            mean_reversion=3.0,
            long_run_variance=0.12,
            vol_of_variance=0.9,
            correlation=-0.7,
        ),
        "kou": kou(
            _FORWARD,
            30 / _YEAR,
            0.25,
            intensity=4.0,
            up_probability=0.4,
            mean_up=0.06,
            mean_down=0.12,
        ),
    }


def option_chain(
    truth: TerminalLaw,
    *,
    seed: Seed,
    n_strikes: int = 60,
    width: float = 3.5,
    tick: float = 0.01,
    half_spread: tuple[float, float] = (0.01, 0.01),
    sizes: tuple[int, int] = (1, 50),
    displacement: float = 0.0,
    sides: str = "both",
    discount: float = 1.0,
    pricer: Pricer | None = None,
) -> OptionChain:
    """Quotes of one expiry around the prices of ``truth``. Simulated.

    Parameters
    ----------
    truth
        Law of the price at expiry.
    seed
        Of sizes and displacements.
    n_strikes, width
        How many, and how many standard deviations of S_T they reach to either side of the forward.
    tick
        Prices are whole multiples of it.
    half_spread
        (c, s): half the spread is c + s times the true price.
    sizes
        Smallest and largest.
    displacement
        Largest distance of a contract's fair value from its true price, in half spreads, 0 to 1.
    sides
        ``"both"`` a call and a put a strike, or ``"out of the money"`` (puts below the forward).
    discount
        Price today of 1 at expiry.
    pricer
        ``(strikes, is_call) -> premiums`` in place of the law's own discounted prices, for American
        contracts or dividends; the truth then speaks of the law only.
    """
    _check(n_strikes, width, tick, half_spread, sizes, displacement, sides, discount)
    rng = np.random.default_rng(seed)
    F = truth.forward
    sd = math.sqrt(truth.raw_moment(2) - F * F)
    if not math.isfinite(sd):
        raise InputError("a truth of finite variance", met=truth)
    grid = np.linspace(max(F - width * sd, tick), F + width * sd, n_strikes)
    if sides == "both":
        K, call = np.repeat(grid, 2), np.tile(np.array([True, False]), n_strikes)
    else:
        K, call = grid, grid >= F
    values = law_prices(truth, K, call, discount=discount) if pricer is None else pricer(K, call)
    half = half_spread[0] + half_spread[1] * values
    fair = values + displacement * half * rng.uniform(-1.0, 1.0, K.size)
    low, high = sizes
    return OptionChain(
        K,
        call,
        np.maximum(_whole_ticks(fair - half, tick), 0.0),
        _whole_ticks(fair + half, tick),
        rng.integers(low, high + 1, K.size),
        rng.integers(low, high + 1, K.size),
        truth.tau,
        F,
        discount,
        values,
        truth,
    )


def option_surface(
    truths: Sequence[TerminalLaw], *, seed: int, rate: float = 0.0, **options: Any
) -> tuple[OptionChain, ...]:
    """One chain an expiry, each drawn for itself; ``rate`` per year, continuous. Simulated.

    ``options`` go to :func:`option_chain`. For a surface without calendar arbitrage hand in one
    model at several horizons: ``[model._replace(tau=t, forward=f) for ...]`` of a Kou or Heston.
    """
    taus = [t.tau for t in truths]
    if not taus or any(b <= a for a, b in pairwise(taus)):
        raise InputError("truths of rising expiry", met=taus)
    return tuple(
        option_chain(t, seed=[seed, i], discount=math.exp(-rate * t.tau), **options)
        for i, t in enumerate(truths)
    )


def _whole_ticks(prices: FloatArray, tick: float) -> FloatArray:
    """To the nearest multiple, as the double nearest to it where a unit holds whole ticks."""
    per_unit = round(1.0 / tick)
    count = np.rint(prices / tick)
    exact = per_unit >= 1 and math.isclose(per_unit * tick, 1.0, rel_tol=1e-12)
    return np.asarray(count / per_unit if exact else count * tick)


def _check(
    n_strikes: int,
    width: float,
    tick: float,
    half_spread: tuple[float, float],
    sizes: tuple[int, int],
    displacement: float,
    sides: str,
    discount: float,
) -> None:
    if n_strikes < 2:
        raise InputError("2 or more strikes", met=n_strikes)
    for name, value in (("width", width), ("tick", tick), ("discount", discount)):
        if not 0.0 < value < math.inf:
            raise InputError(f"a finite {name} above 0", met=value)
    if not (min(half_spread) >= 0.0 and max(half_spread) < math.inf):
        raise InputError("half spreads >= 0", met=half_spread)
    if not 0 <= sizes[0] <= sizes[1]:
        raise InputError("a smallest size and one not below it", met=sizes)
    if not 0.0 <= displacement <= 1.0:
        raise InputError("a displacement from 0 to 1 half spreads", met=displacement)
    if sides not in _SIDES:
        raise InputError(f"sides of {_SIDES}", met=sides)
