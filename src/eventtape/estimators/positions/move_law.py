r"""How does the price move while the position is held: base variance and the jumps of events?

The forward is a martingale. Between events its variance per year is ``base^2 y``, where the level
y goes back to 1 at a rate kappa and may be noisy (lognormal steps whose mean is 1), so that

    expected variance over tau = base^2 (tau + (y - 1) (1 - exp(-kappa tau)) / kappa),

itself a martingale as time goes by. At its moment an event multiplies the price by a mixture of
lognormals of mean 1: one state (a normal move of sd ``size``), or an outcome and its contrary, each
with its own move. All of it is risk-neutral: what prices imply, not a forecast.

At a later moment the price is a finite mixture of lognormals; :mod:`.leg_marks` prices options by
it, as averages of Black's prices over the states.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.estimators.positions.points import DAY_NS, YEAR_DAYS, as_given

__all__ = [
    "YEAR_NS",
    "EventMove",
    "MoveLaw",
    "Outcomes",
    "expected_variance",
    "move_law",
    "normal_event",
    "outcomes",
    "price_law",
    "probability_below",
    "reverting_years",
    "two_state_event",
]

YEAR_NS = YEAR_DAYS * DAY_NS


class EventMove(NamedTuple):
    """What one event does to the price, a state a row; ``sum(probability * factor)`` is 1."""

    at_ns: int
    probability: FloatArray  # (n_states,)
    factor: FloatArray  # mean of price after / price before, in the state
    size: FloatArray  # sd of the log move within the state


class MoveLaw(NamedTuple):
    """The law of the price: base variance, its way back to normal, and the events."""

    base: float  # volatility the base goes back to, per sqrt(year)
    events: tuple[EventMove, ...]  # rising in time
    level: float  # base variance now over base^2
    reversion: float  # kappa, per year
    vol_of_vol: float  # of the level, per sqrt(year)


class Outcomes(NamedTuple):
    """A later price as a mixture of lognormals, a state a row, probabilities adding up to 1."""

    probability: FloatArray  # (n_states,)
    factor: FloatArray  # mean price in the state over today's
    variance: FloatArray  # of the log price within the state


def normal_event(at_ns: int, size: float) -> EventMove:
    """An event whose log move is normal with sd ``size``, a decimal (.08 for 8%)."""
    return EventMove(int(at_ns), np.ones(1), np.ones(1), np.array([_size(size)]))


def two_state_event(
    at_ns: int, probability: float, up: float, down: float, *, size: float = 0.0
) -> EventMove:
    """An event that moves the price by ``up`` with the probability given, else by ``down``.

    Log moves; both are shifted alike until the price expected is today's, so only their distance
    counts. ``size`` is the sd of the log move within each state.

    >>> two_state_event(0, 0.5, 0.1, -0.1).factor.round(6)
    array([1.099668, 0.900332])
    """
    if not 0.0 < probability < 1.0:
        raise InputError("a probability inside (0, 1)", met=probability)
    if not (math.isfinite(up) and math.isfinite(down) and abs(up) < 5.0 and abs(down) < 5.0):
        raise InputError("log moves as decimals: .1 for 10%", met=(up, down))
    p = np.array([probability, 1.0 - probability])
    factor = np.exp([up, down])
    return EventMove(int(at_ns), p, factor / float(p @ factor), np.full(2, _size(size)))


def move_law(
    base: float,
    events: tuple[EventMove, ...] = (),
    *,
    level: float = 1.0,
    half_life_days: float = math.inf,
    vol_of_vol: float = 0.0,
) -> MoveLaw:
    """The law of the price, checked.

    ``base`` is a decimal per sqrt(year), ``level`` today's base variance over ``base^2``, of whose
    distance from 1 half is gone after ``half_life_days``.

    With ``vol_of_vol`` options are still marked at the variance expected, without a price for its
    being uncertain: out of the money they are then worth a little more than their mark.
    """
    if not 0.0 <= base < 5.0:
        raise InputError("a decimal: .55 for 55%", met=base, column="base")
    if not 0.0 < level < math.inf:
        raise InputError("a variance over its long run's, above 0", met=level, column="level")
    if not half_life_days > 0.0:
        raise InputError("days, above 0", met=half_life_days, column="half_life_days")
    if not 0.0 <= vol_of_vol < math.inf:
        raise InputError("a number of at least 0", met=vol_of_vol, column="vol_of_vol")
    times = [event.at_ns for event in events]
    if any(a >= b for a, b in itertools.pairwise(times)):
        raise InputError("events rising in time", met=times)
    reversion = math.log(2.0) * YEAR_DAYS / half_life_days
    return MoveLaw(base, tuple(events), level, reversion, vol_of_vol)


def expected_variance(law: MoveLaw, at_ns: int, until_ns: int) -> float:
    """Variance of the log price expected from the base alone, from ``at_ns`` to ``until_ns``."""
    tau = (until_ns - at_ns) / YEAR_NS
    return law.base**2 * (tau + (law.level - 1.0) * reverting_years(tau, law.reversion))


def reverting_years(tau: float, reversion: float) -> float:
    """The integral of ``exp(-reversion u)`` from 0 to ``tau``, years."""
    return tau if reversion == 0.0 else -math.expm1(-reversion * tau) / reversion


def outcomes(events: tuple[EventMove, ...], at_ns: int, until_ns: int) -> Outcomes:
    """What the events after ``at_ns`` and no later than ``until_ns`` make of the price together."""
    p, factor, variance = np.ones(1), np.ones(1), np.zeros(1)
    for event in events:
        if at_ns < event.at_ns <= until_ns:
            p = np.multiply.outer(p, event.probability).ravel()
            factor = np.multiply.outer(factor, event.factor).ravel()
            variance = np.add.outer(variance, event.size**2).ravel()
    return Outcomes(p, factor, variance)


def price_law(law: MoveLaw, at_ns: int, until_ns: int) -> Outcomes:
    """The price at ``until_ns`` seen from ``at_ns``: base and events together.

    Exact without ``vol_of_vol``; with it the variance is the one expected.
    """
    states = outcomes(law.events, at_ns, until_ns)
    return states._replace(variance=states.variance + expected_variance(law, at_ns, until_ns))


def probability_below(price: ArrayLike, forward: float, states: Outcomes) -> FloatArray:
    """The probability that the later price is no higher than ``price``, in its shape."""
    x = np.log(as_given(price, "price") / forward)
    total = np.zeros(x.shape)
    for p, factor, variance in zip(*states, strict=True):
        away = x - math.log(factor) + 0.5 * variance
        sd = math.sqrt(variance)
        total += p * (ndtr(away / sd) if sd > 0.0 else np.where(away >= 0.0, 1.0, 0.0))
    return total


def _size(size: float) -> float:
    if not 0.0 <= size < 5.0:
        raise InputError("a decimal: .08 for 8%", met=size, column="size")
    return float(size)
