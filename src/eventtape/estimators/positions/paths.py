r"""What does a rule do to the profit: a stop, a hedge, closing before the near expiry?

The price is simulated by its law (:mod:`.move_law`): base variance, an event's jump, a level that
goes back to normal. At every step the position is marked. A leg's mark starts at the leg's own
volatility; of its variance the part that ``priced`` says the events make up falls away when they
have happened, the rest runs off with the base that is left. Then, in this order,

1. a leg that expires is settled at the price, and what it pays is kept;
2. a loss as large as the stop closes everything at the mark of the step: it cannot act inside a
   jump, and the loss is what the mark then is, not the level of the stop;
3. at hedging times, where the net delta is further than the band from 0, gamma is taken off with
   the option named and delta with a future on the price, at a cost.

What is left at the end is closed at its mark. Without costs, where legs are priced by the law that
makes the paths, the mean profit is 0 whatever the rules (a stopped martingale is one); of inverse
legs it is the profit in dollars at the end, coins times the last price, whose mean is 0.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.positions.leg_marks import marks_along
from eventtape.estimators.positions.legs import Legs, combine
from eventtape.estimators.positions.move_law import YEAR_NS, EventMove, MoveLaw, reverting_years
from eventtape.estimators.positions.path_kernel import (
    CLOSED,
    COSTS,
    HEDGES,
    LOWEST,
    OUTPUTS,
    PNL,
    STOPPED,
    carry_block,
)
from eventtape.estimators.positions.points import points_of
from eventtape.estimators.positions.value import position_value

__all__ = ["Paths", "Rules", "simulate_paths"]

_BLOCK = 512  # paths carried at once: their rows stay in the cache


class Rules(NamedTuple):
    """What is done along the way; by default nothing until the end."""

    stop_loss: float = math.inf  # a loss above 0, in the legs' money
    hedge_every: int = 0  # steps between looks at the delta, 0: never
    hedge_band: float = 0.0  # units of the underlying of net delta that are left alone
    hedge_cost: float = 0.0  # share of the notional traded in the future
    option_cost: float = 0.0  # share of the worth of options traded, at hedges and at the close
    gamma_with: Legs | None = None  # one option, quantity 1, to hedge gamma with
    gamma_most: float = 100.0  # the most of it held, either way


class Paths(NamedTuple):
    """What the position has made on each path ``(n_paths,)``, in the legs' money."""

    pnl: FloatArray
    dollars: FloatArray  # the same in dollars: coins of inverse legs at the last price
    costs: FloatArray  # already taken off pnl
    lowest: FloatArray  # the least profit met at a step, the worst the holder saw
    stopped: BoolArray
    closed_ns: IntArray
    hedges: IntArray  # times hedged
    times_ns: IntArray  # (n_steps + 1,)
    price: FloatArray  # (n_paths,) at the end
    prices: FloatArray  # (n_steps + 1, n_paths) if kept, else (0, 0)
    profits: FloatArray  # (n_steps + 1, n_paths) if kept, else (0, 0)


def simulate_paths(
    legs: Legs,
    law: MoveLaw,
    *,
    forward: float,
    opened_ns: int,
    until_ns: int,
    priced: tuple[EventMove, ...] | None = None,
    rules: Rules | None = None,
    premium: float | None = None,
    carry: ArrayLike = 1.0,
    paths: int = 10_000,
    steps: int = 200,
    seed: int = 0,
    keep: bool = False,
) -> Paths:
    """Profit on simulated paths, positive where the position gains; risk-neutral.

    Parameters
    ----------
    legs
        The position, at the volatilities it is opened at.
    law
        What the price does.
    forward
        The price at the opening, dollars.
    opened_ns, until_ns
        From the opening to the close, ns UTC; a close before the near expiry is an earlier end.
    priced
        What the market prices the events at; as the law has them if None.
    rules
        Stop and hedges.
    premium
        What was paid, above 0, in the legs' money; the position's value at the opening if None.
    carry
        Forward of each leg over the price, ``(n_legs,)``.
    paths, steps, seed
        Equal steps in time; the moments of events and expiries are added to them. The same seed
        makes the same prices whatever the rules, so that rules are compared path by path.
    keep
        Whether prices and profits at every step are handed back.

    A leg that expires before the opening, whose volatility is below what the events are worth, and
    rules that make no sense are an :class:`InputError`.
    """
    given = _checked(rules or Rules(), legs)
    if not opened_ns < until_ns:
        raise InputError("a close after the opening", met=(opened_ns, until_ns), column="until_ns")
    if paths < 1 or steps < 1:
        raise InputError("one path and one step at least", met=(paths, steps))
    everything = legs if given.gamma_with is None else combine(legs, given.gamma_with)
    _outlive(everything, opened_ns)
    factor = np.array(points_of(legs, forward, opened_ns, None, carry, None).carry)
    paid = premium
    if paid is None:
        paid = float(position_value(legs, forward, opened_ns, carry=factor))
    if not math.isfinite(paid):
        raise InputError("a finite premium", met=paid, column="premium")
    if given.gamma_with is not None:  # its forward is the price itself
        factor = np.r_[factor, 1.0]
    events = law.events if priced is None else priced
    times = _times(opened_ns, until_ns, steps, (*law.events, *events), everything.expiry_ns)
    marks = marks_along(everything, law, events, times, forward=forward, carry=factor)
    years = np.diff(times) / YEAR_NS
    jump_of = np.full(years.size, -1, np.int64)
    for number, event in enumerate(law.events):
        jump_of[times[1:] == event.at_ns] = number
    rng = np.random.default_rng(seed)
    out = np.zeros((OUTPUTS, paths))
    ends, shape = np.empty(paths), (times.size, paths if keep else 0)
    prices, profits = np.empty(shape), np.empty(shape)
    limits = np.array(
        [given.stop_loss, given.hedge_band, given.hedge_cost, given.option_cost, given.gamma_most]
    )
    for start in range(0, paths, _BLOCK):
        n = min(_BLOCK, paths - start)
        S, y = _walk(law, forward, years, jump_of, rng, n)
        block, kept = np.zeros((OUTPUTS, n)), np.empty((times.size, n if keep else 0))
        carry_block(
            S, y, everything.quantity, everything.strike, everything.is_call, factor,
            everything.inverse, given.gamma_with is not None, *marks, paid, limits,
            given.hedge_every, kept, block,
        )  # fmt: skip
        out[:, start : start + n] = block
        ends[start : start + n] = S[-1]
        if keep:
            prices[:, start : start + n], profits[:, start : start + n] = S, kept
    if not keep:
        prices, profits = np.empty((0, 0)), np.empty((0, 0))
    pnl, at = out[PNL], out[CLOSED].astype(np.int64)
    dollars = pnl * ends if legs.inverse else pnl
    return Paths(
        pnl, dollars, out[COSTS], out[LOWEST], out[STOPPED] > 0.0, times[at],
        out[HEDGES].astype(np.int64), times, ends, prices, profits,
    )  # fmt: skip


def _checked(rules: Rules, legs: Legs) -> Rules:
    if not rules.stop_loss > 0.0:
        raise InputError("a loss above 0", met=rules.stop_loss, column="stop_loss")
    for name in ("hedge_every", "hedge_band", "hedge_cost", "option_cost", "gamma_most"):
        value = getattr(rules, name)
        if not 0.0 <= value < math.inf:
            raise InputError("a number of at least 0", met=value, column=name)
    if rules.gamma_with is not None:
        if rules.gamma_with.strike.size != 1 or rules.gamma_with.inverse != legs.inverse:
            raise InputError("one option, settled as the legs are", column="gamma_with")
        if rules.hedge_every == 0:
            raise InputError("steps between hedges, above 0", met=0, column="hedge_every")
    return rules


def _outlive(legs: Legs, opened_ns: int) -> None:
    early = legs.expiry_ns <= opened_ns
    if bool(early.any()):
        row = int(np.argmax(early)) + 1
        raise InputError("an expiry after the opening", row=row, column="expiry_ns")


def _times(
    start: int, stop: int, steps: int, events: tuple[EventMove, ...], expiries: IntArray
) -> IntArray:
    """Equal steps, and the moments of events and expiries between."""
    extra = np.r_[np.array([event.at_ns for event in events], np.int64), expiries]
    extra = extra[(extra > start) & (extra < stop)]
    equal = start + (np.arange(steps + 1) * ((stop - start) / steps)).astype(np.int64)
    equal[-1] = stop
    return np.unique(np.r_[equal, extra])


def _walk(
    law: MoveLaw,
    start: float,
    years: FloatArray,
    jump_of: IntArray,
    rng: np.random.Generator,
    n: int,
) -> tuple[FloatArray, FloatArray]:
    """Prices and levels ``(n_steps + 1, n)``; ``jump_of`` is the event ending a step, -1: none."""
    z = rng.standard_normal((years.size, n))
    wild = rng.standard_normal((years.size, n)) if law.vol_of_vol > 0.0 else None
    jumps = _jumps(law.events, rng, n)
    S, y = np.empty((years.size + 1, n)), np.empty((years.size + 1, n))
    S[0], y[0] = start, law.level
    for i, dt in enumerate(years.tolist()):
        v = law.base**2 * (dt + (y[i] - 1.0) * reverting_years(dt, law.reversion))
        move = np.sqrt(v) * z[i] - 0.5 * v
        if jump_of[i] >= 0:
            move += jumps[jump_of[i]]
        S[i + 1] = S[i] * np.exp(move)
        y[i + 1] = 1.0 + (y[i] - 1.0) * math.exp(-law.reversion * dt)
        if wild is not None:
            spread = law.vol_of_vol * math.sqrt(dt)
            y[i + 1] *= np.exp(spread * wild[i] - 0.5 * spread**2)
    return S, y


def _jumps(events: tuple[EventMove, ...], rng: np.random.Generator, n: int) -> FloatArray:
    """Log moves ``(n_events, n)``."""
    found = np.empty((len(events), n))
    for row, event in enumerate(events):
        states = rng.choice(event.probability.size, size=n, p=event.probability)
        size = event.size[states]
        move = np.log(event.factor[states]) - 0.5 * size**2
        found[row] = move + size * rng.standard_normal(n)
    return found
