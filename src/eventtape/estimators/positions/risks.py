r"""What can go wrong with the position, in numbers: Greeks of a desk, a gap, a pin?

- **Greeks**: dollar gamma is the change of the delta's worth for a move of 1%. Vega comes three
  ways: every volatility up a point; the 30-day volatility up a point and the others by
  ``sqrt(30 / days)`` of it (weighted vega); and a steepener: the first expiry down half a point,
  the last up half a point, those between in proportion to the square root of time.
- **Gap**: the price jumps by a number of sizes of the event with no time to act, once with
  volatilities where they are and once with the event's variance out of every leg.
- **Pin**: near a sold strike at the near expiry the delta jumps and the outcome hangs on the last
  prints: how likely the price is to end there, and what profit is then, its mean and its sd.

Probabilities are risk-neutral, by the law of :mod:`.move_law`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import BoolArray, FloatArray, IntArray, Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import float_array
from eventtape.estimators.positions.leg_marks import later_vols
from eventtape.estimators.positions.legs import Legs
from eventtape.estimators.positions.move_law import (
    YEAR_NS,
    MoveLaw,
    Outcomes,
    price_law,
    probability_below,
)
from eventtape.estimators.positions.points import DAY_NS, points_of
from eventtape.estimators.positions.value import position_greeks, position_value

__all__ = ["GapRisk", "GreekRisks", "PinRisk", "gap_risk", "greek_risks", "pin_risk"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


class GreekRisks(NamedTuple):
    """The position's sensitivities, in the legs' money unless another unit is named."""

    value: float
    delta: float  # units of the underlying
    dollar_gamma: float  # change of the delta's worth for a rise of 1%
    vega: float  # every volatility up a point
    weighted_vega: float  # the 30-day volatility up a point, the others by sqrt(30 / days) of it
    steepener: float  # a point steeper from first to last expiry; NaN with one expiry
    theta: float  # a day gone by
    expiries_ns: IntArray  # (n_expiries,) rising
    expiry_vega: FloatArray  # (n_expiries,) that expiry's volatilities up a point


class GapRisk(NamedTuple):
    """Profit if the price jumps, before anything can be done."""

    log_moves: FloatArray  # (n_moves,) rising
    prices: FloatArray
    pnl: FloatArray  # volatilities where they are
    pnl_after: FloatArray  # the event's variance gone from every leg
    status: Status  # NOT_IDENTIFIED: a leg holds less variance than the event, no pnl_after


class PinRisk(NamedTuple):
    """What happens near each sold strike of the first expiry, ``(n_strikes,)`` rising."""

    strikes: FloatArray
    probability: FloatArray  # that the price ends within the band around the strike
    mean: FloatArray  # of profit, given that it does
    sd: FloatArray
    delta_jump: FloatArray  # units of the underlying the expiring legs' delta changes by there


def greek_risks(legs: Legs, forward: float, at_ns: int, *, carry: ArrayLike = 1.0) -> GreekRisks:
    """Sensitivities of the position at one price and moment; no leg may have expired."""
    _alive(legs, at_ns)
    factor = points_of(legs, forward, at_ns, None, carry, None).carry
    whole = position_greeks(legs, forward, at_ns, carry=factor)
    expiries = np.unique(legs.expiry_ns)
    vega = np.empty(expiries.size)
    for row, expiry in enumerate(expiries):
        chosen = legs.expiry_ns == expiry
        part = position_greeks(_of(legs, chosen), forward, at_ns, carry=factor[chosen])
        vega[row] = float(part.vega)
    days = (expiries - at_ns) / DAY_NS
    weights = np.sqrt(30.0 / np.maximum(days, 1.0))
    tilt = np.full(expiries.size, np.nan)
    if expiries.size > 1:
        root = np.sqrt(days)
        tilt = (root - root[0]) / (root[-1] - root[0]) - 0.5
    unit = forward / 100.0 if legs.inverse else forward**2 / 100.0
    return GreekRisks(
        float(whole.value), float(whole.delta), float(whole.gamma) * unit, float(whole.vega),
        float(vega @ weights), float(vega @ tilt), float(whole.theta),
        expiries, vega,
    )  # fmt: skip


def gap_risk(
    legs: Legs,
    forward: float,
    at_ns: int,
    size: float,
    *,
    multiples: ArrayLike = (1.0, 2.0, 3.0),
    carry: ArrayLike = 1.0,
) -> GapRisk:
    """Profit at log moves of plus and minus each multiple of the event's ``size``, at once.

    ``at_ns`` is the onset: every leg expires after the event, and holds ``size**2`` of variance.
    An opening's volatility, held flat until a short leg's last days, may hold less: mark the legs
    at the onset by :func:`.later_vols` first.
    """
    _alive(legs, at_ns)
    times = float_array(multiples, column="multiples").reshape(-1)
    if not 0.0 < size < 5.0:
        raise InputError("a decimal: .08 for 8%", met=size, column="size")
    if not times.size or not bool(np.all((times > 0.0) & np.isfinite(times))):
        raise InputError("multiples above 0", met=times.tolist(), column="multiples")
    moves = np.sort(np.r_[-times, times]) * size
    prices = forward * np.exp(moves)
    start = float(position_value(legs, forward, at_ns, carry=carry))
    kept = position_value(legs, prices, at_ns, carry=carry) - start
    tau = (legs.expiry_ns - at_ns) / YEAR_NS
    left = legs.vol**2 * tau - size**2
    if bool(np.any(left < 0.0)):
        none = np.full(moves.size, np.nan)
        return GapRisk(moves, prices, kept, none, Status.NOT_IDENTIFIED)
    calm = np.sqrt(left / tau)
    after = position_value(legs, prices, at_ns, vol=calm, carry=carry) - start
    return GapRisk(moves, prices, kept, after, Status.OK)


def pin_risk(
    legs: Legs,
    law: MoveLaw,
    *,
    forward: float,
    opened_ns: int,
    within: float = 0.02,
    premium: float | None = None,
    carry: ArrayLike = 1.0,
) -> PinRisk:
    """Where the first expiry may be pinned, and the profit there; legs after it at their marks.

    ``within`` is the half-width of the band as a share of the strike. Later legs are marked at the
    volatilities that :func:`.later_vols` expects then. A position with no sold leg in the first
    expiry has no rows. The profit's mean and sd are taken over the law's density in the band, by
    24 nodes between each two strikes.
    """
    _alive(legs, opened_ns)
    if not 0.0 < within < 1.0:
        raise InputError("a share of the strike: .02 for 2%", met=within, column="within")
    factor = points_of(legs, forward, opened_ns, None, carry, None).carry
    near = int(legs.expiry_ns.min())
    first = legs.expiry_ns == near
    paid = premium
    if paid is None:
        paid = float(position_value(legs, forward, opened_ns, carry=factor))
    vols = later_vols(legs, law, forward=forward, opened_ns=opened_ns, at_ns=near, carry=factor)
    marked = legs._replace(vol=np.where(first, legs.vol, vols))
    states = price_law(law, opened_ns, near)
    if not bool(np.all(states.variance > 0.0)):
        raise InputError("a law under which the price moves", met=law.base, column="law")
    spots = legs.strike / factor  # the price at which a leg's own forward is its strike
    pins = np.unique(legs.strike[first & (legs.quantity < 0.0)])
    rows = []
    for pin in pins:
        chosen = first & (legs.strike == pin)
        at = float(spots[chosen][0])
        low, high = at * (1.0 - within), at * (1.0 + within)
        cuts = spots[first & (spots > low) & (spots < high)]
        edges = np.unique(np.r_[low, cuts, high])
        x, w = _nodes(np.log(edges))
        mass = w * _density(x, forward, states)
        pnl = position_value(marked, np.exp(x), near, carry=factor) - paid
        inside = np.diff(probability_below(np.array([low, high]), forward, states))[0]
        total = float(mass.sum())
        mean = float(mass @ pnl) / total if total > 0.0 else np.nan
        spread = float(mass @ (pnl - mean) ** 2) / total if total > 0.0 else np.nan
        jump = float((legs.quantity[chosen] * factor[chosen]).sum())
        rows.append((pin, inside, mean, np.sqrt(spread), jump))
    return PinRisk(*np.array(rows).reshape(-1, 5).T)


def _nodes(edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of Gauss and Legendre between the edges, piece by piece."""
    half, middle = 0.5 * np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    x = np.add.outer(middle, np.zeros(_NODES.size)) + np.multiply.outer(half, _NODES)
    return x.ravel(), np.multiply.outer(half, _WEIGHTS).ravel()


def _density(x: FloatArray, forward: float, states: Outcomes) -> FloatArray:
    """The density of the later log price."""
    total = np.zeros(x.size)
    for p, factor, variance in zip(*states, strict=True):
        away = x - np.log(forward * factor) + 0.5 * variance
        total += p * np.exp(-0.5 * away**2 / variance) / np.sqrt(2.0 * np.pi * variance)
    return total


def _of(legs: Legs, chosen: BoolArray) -> Legs:
    return Legs(
        legs.quantity[chosen], legs.strike[chosen], legs.is_call[chosen], legs.expiry_ns[chosen],
        legs.vol[chosen], legs.inverse,
    )  # fmt: skip


def _alive(legs: Legs, at_ns: int) -> None:
    late = legs.expiry_ns <= at_ns
    if bool(late.any()):
        row = int(np.argmax(late)) + 1
        raise InputError("an expiry after the moment looked at", row=row, column="expiry_ns")
