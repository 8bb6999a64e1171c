r"""What are the legs' volatilities made of, and what will they be at a later moment?

Of a leg's variance ``vol^2 tau`` the events before its expiry are one part and the base the rest.
When an event has happened its part is gone; the base runs off with the time that is left, faster
while the law's level is high. An option is worth the average of Black's prices over the states
that the events still to come leave open.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.positions.legs import Legs
from eventtape.estimators.positions.move_law import (
    YEAR_NS,
    EventMove,
    MoveLaw,
    Outcomes,
    expected_variance,
    outcomes,
    reverting_years,
)
from eventtape.estimators.positions.points import as_given, points_of
from eventtape.estimators.pricing.black import black_price
from eventtape.estimators.pricing.implied_vol import implied_vol

__all__ = [
    "MarksAlong",
    "later_vols",
    "law_vols",
    "leg_variance",
    "marks_along",
    "state_prices",
]


_ROUNDING = 1e-12  # of variances whose base is nothing at all


class MarksAlong(NamedTuple):
    """A leg's variance at each time is ``fixed + free * y``, y the level of the base."""

    last: IntArray  # (n_legs,) the time at which a leg expires; beyond the last if it outlives it
    fixed: FloatArray  # (n_times, n_legs)
    free: FloatArray
    stage: IntArray  # (n_times,) how many events have happened
    states: FloatArray  # (n_stages, n_legs, n_states, 3) probability, factor, variance to come


def state_prices(
    forward: ArrayLike, strike: float, base: ArrayLike, states: Outcomes, *, is_call: bool
) -> FloatArray:
    """What an option is worth, undiscounted, in the shape of ``forward``.

    ``base`` is the base's variance to expiry, broadcast against ``forward``.
    """
    F, w = as_given(forward, "forward"), as_given(base, "base")
    total = np.zeros(np.broadcast_shapes(F.shape, w.shape))
    for p, factor, variance in zip(*states, strict=True):
        vol = np.sqrt(w + variance)
        total = total + p * black_price(F * factor, strike, 1.0, vol, is_call=is_call)
    return total


def leg_variance(
    legs: Legs, events: tuple[EventMove, ...], at_ns: int, *, forward: float, carry: ArrayLike = 1.0
) -> FloatArray:
    """The base variance to expiry ``(n_legs,)`` inside each leg's own volatility.

    It is what is left of ``vol^2 tau`` once the events before expiry are taken out: by subtraction
    where they are normal, else by the base at which the average over the states is Black's price.
    A leg whose volatility is less than the events alone are worth is an :class:`InputError`.
    """
    F = points_of(legs, forward, at_ns, None, carry, None).forward[0]
    whole = legs.vol**2 * (legs.expiry_ns - at_ns) / YEAR_NS
    found = np.empty(legs.strike.size)
    for leg in range(found.size):
        states = outcomes(events, at_ns, int(legs.expiry_ns[leg]))
        if states.probability.size == 1:
            found[leg] = whole[leg] - float(states.variance[0])
        else:
            K, right = float(legs.strike[leg]), bool(legs.is_call[leg])
            found[leg] = _solved(float(F[leg]), K, right, float(whole[leg]), states)
        if not found[leg] >= -_ROUNDING * whole[leg]:
            wanted = "a volatility no smaller than what the events alone are worth"
            raise InputError(wanted, met=float(legs.vol[leg]), row=leg + 1, column="vol")
    return np.maximum(found, 0.0)


def law_vols(
    legs: Legs, law: MoveLaw, *, forward: float, at_ns: int, carry: ArrayLike = 1.0
) -> FloatArray:
    """The volatilities ``(n_legs,)`` at which the legs are priced as the law has it.

    ``legs._replace(vol=...)`` is then a position whose expected profit is 0 under the law; NaN for
    a leg that has expired.
    """
    F = points_of(legs, forward, at_ns, None, carry, None).forward[0]
    base = [expected_variance(law, at_ns, int(expiry)) for expiry in legs.expiry_ns]
    return _vols(legs, F, np.array(base), law.events, at_ns)


def later_vols(
    legs: Legs,
    law: MoveLaw,
    *,
    forward: float,
    opened_ns: int,
    at_ns: int,
    carry: ArrayLike = 1.0,
) -> FloatArray:
    """The legs' volatilities expected at ``at_ns`` ``(n_legs,)``, the events before it gone by.

    At the price given, from the legs' own at ``opened_ns``; NaN for a leg that has expired.
    :func:`.scenario_grid` takes them as ``vols``.
    """
    F = points_of(legs, forward, opened_ns, None, carry, None).forward[0]
    base = leg_variance(legs, law.events, opened_ns, forward=forward, carry=carry)
    share = np.zeros(base.size)
    for leg, expiry in enumerate(legs.expiry_ns):
        left, whole = (float(expiry - t) / YEAR_NS for t in (at_ns, opened_ns))
        if left > 0.0:
            share[leg] = _years_left(law, whole, left) / _years_left(law, whole, whole)
    return _vols(legs, F, base * share, law.events, at_ns)


def _vols(
    legs: Legs, forward: FloatArray, base: FloatArray, events: tuple[EventMove, ...], at_ns: int
) -> FloatArray:
    """Volatilities ``(n_legs,)`` of the base's variance and what the events ahead add to it."""
    found = np.full(base.size, math.nan)
    for leg, expiry in enumerate(int(t) for t in legs.expiry_ns):
        left = (expiry - at_ns) / YEAR_NS
        if left <= 0.0:
            continue
        states = outcomes(events, at_ns, expiry)
        if states.probability.size == 1:
            found[leg] = math.sqrt((base[leg] + float(states.variance[0])) / left)
        else:
            F, K, right = forward[leg], float(legs.strike[leg]), bool(legs.is_call[leg])
            price = state_prices(F, K, base[leg], states, is_call=right)
            found[leg] = float(implied_vol(price, F, K, left, is_call=right).vol)
    return found


def _years_left(law: MoveLaw, whole: float, left: float) -> float:
    """The last ``left`` of ``whole`` years, each as long as its base variance is high."""
    level = (law.level - 1.0) * math.exp(-law.reversion * (whole - left))
    return left + level * reverting_years(left, law.reversion)


def _solved(forward: float, strike: float, is_call: bool, whole: float, states: Outcomes) -> float:
    """The base variance; NaN where the events alone are worth more than the option."""
    price = float(black_price(forward, strike, 1.0, math.sqrt(whole), is_call=is_call))

    def excess(base: float) -> float:
        return float(state_prices(forward, strike, base, states, is_call=is_call)) - price

    low, high = 0.0, whole  # a move of mean 1 on top can only add to what an option is worth
    if excess(low) > _ROUNDING * forward:
        return math.nan
    for _ in range(80):
        middle = 0.5 * (low + high)
        if excess(middle) > 0.0:
            high = middle
        else:
            low = middle
    return low


def marks_along(
    legs: Legs,
    law: MoveLaw,
    events: tuple[EventMove, ...],
    times_ns: IntArray,
    *,
    forward: float,
    carry: ArrayLike = 1.0,
) -> MarksAlong:
    """What the legs are marked by at each of ``times_ns (n_times,)``, opened at the first.

    ``events`` as the market prices them; ``law`` says how the base goes back to normal.
    """
    opened = int(times_ns[0])
    base = leg_variance(legs, events, opened, forward=forward, carry=carry)
    fixed, free = np.zeros((2, times_ns.size, base.size))
    for leg, expiry in enumerate(legs.expiry_ns):
        tau = np.maximum(expiry - times_ns, 0) / YEAR_NS
        back = np.array([reverting_years(float(t), law.reversion) for t in tau])
        unit = base[leg] / (tau[0] + (law.level - 1.0) * back[0])
        fixed[:, leg], free[:, leg] = unit * (tau - back), unit * back
    moments = np.array([event.at_ns for event in events if event.at_ns > opened], np.int64)
    since = [opened, *moments.tolist()]
    ahead = [[outcomes(events, at, int(expiry)) for expiry in legs.expiry_ns] for at in since]
    most = max(each.probability.size for row in ahead for each in row)
    states = np.zeros((len(since), base.size, most, 3))
    for k, row in enumerate(ahead):
        for leg, each in enumerate(row):
            states[k, leg, : each.probability.size] = np.column_stack(each)
    stage = np.searchsorted(moments, times_ns, side="right").astype(np.int64)
    last = np.searchsorted(times_ns, legs.expiry_ns).astype(np.int64)
    return MarksAlong(last, fixed, free, stage, states)
