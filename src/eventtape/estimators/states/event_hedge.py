r"""Which event contracts take the outcome out of a portfolio, and are they worth their cost?

A portfolio worth G more if the outcome happens (see :mod:`.portfolio_gap`) and -G contracts that
pay 1 have the same P&L in both states, less what the contracts cost. Between the states the
variance is p(1-p) G^2, the event part of the law of total variance; the rest, p s1^2 + (1-p) s0^2,
no event contract touches.

**Worth its costs.** With aversion L to variance, cost c per unit of payout and event variance V,
the hedge minimises c \|h\| + L V (G + h)^2 / 2: nothing is done while \|G\| < c/(L V), and beyond
that the trade goes to that boundary and no further, the no-trade region of Davis and Norman (1990)
for a single decision. Cheaper venues are filled first, to their limits. A price better than fair
counts as free here, not as a gain: a hedge is not to turn into a bet. The error of G adds V se^2 to
the variance before and after, and does not move h.

**Not identified.** Where G is only bounded the hedge is a range, and the hedge of least worst case,
its middle, is taken only when asked for; variances are then those of the worst end. Where it is
not even bounded there is none.

Reference: Davis and Norman (1990), Mathematics of Operations Research 15.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.states.event_contracts import Contracts, order_cost
from eventtape.estimators.states.portfolio_gap import (
    PortfolioGap,
    StateValues,
    check_probability,
    portfolio_gap,
)

__all__ = ["EventHedge", "event_hedge"]


class EventHedge(NamedTuple):
    """Contracts to trade, and the portfolio before and after. P&L is (state 1, state 0)."""

    contracts: FloatArray  # (n_contracts,), bought above 0
    exposure: PortfolioGap
    wanted: float  # payout that would make both states equal: -gap
    wanted_lower: float
    wanted_upper: float
    residual: float  # gap left
    residual_lower: float
    residual_upper: float
    pnl_before: FloatArray  # (2,)
    pnl_before_interval: FloatArray  # (2, 2): lower, upper
    pnl_after: FloatArray
    pnl_after_interval: FloatArray
    variance_before: float  # event part, the error of the gap in it, and own part
    variance_after: float
    explained: float  # share of variance_before removed
    cost: float  # money lost against fair value, fees in it
    fees: float
    break_even: float  # aversion from which the whole trade is worth its cost
    status: Status


def event_hedge(
    positions: ArrayLike,
    values: StateValues,
    contracts: Contracts,
    *,
    probability: float,
    aversion: float = math.inf,
    event_variance: float | None = None,
    own_variance: float = 0.0,
    minimax: bool = False,
    whole: bool = True,
    level: float = 0.95,
) -> EventHedge:
    """Contracts on one event that bring the portfolio's outcome gap to 0, or to where it pays.

    P&L is measured from the portfolio's fair value p V1 + (1-p) V0, at settlement.

    Parameters
    ----------
    positions
        units of each asset ``(n_assets,)``, contracts already held among them.
    aversion
        money per unit of variance / 2; infinite takes the gap to 0 whatever it costs.
    event_variance
        Var(p) over the horizon of the decision; p(1-p), to settlement, if none.
    own_variance
        variance of the portfolio in money that is not the event's.
    minimax
        where the gap is only bounded, hedge the middle of its range.
    whole
        whole contracts only.
    """
    p = check_probability(probability)
    if not aversion > 0.0:
        raise InputError("an aversion above 0", met=aversion)
    V = p * (1.0 - p) if event_variance is None else event_variance
    if not (V > 0.0 and own_variance >= 0.0):
        raise InputError("variances above 0 (event) and not below (own)", met=(V, own_variance))
    if np.any(contracts.event != contracts.event[:1]):
        raise InputError("contracts on one event; for several, delta_one_hedge", column="event")
    found = portfolio_gap(positions, values, level=level)
    gap = found.gap
    if minimax and found.status is Status.NOT_RESOLVED:
        gap = 0.5 * (found.lower + found.upper)
    n = np.full(contracts.bid.size, math.nan)
    if math.isfinite(gap):
        n = _fill(gap, contracts, p, aversion * V, whole=whole)
    known = bool(np.isfinite(n).all())
    orders = [order_cost(contracts, j, float(n[j]) if known else 0.0, p) for j in range(n.size)]
    fees = float(sum(fee for _, fee in orders))
    cost = float(sum(edge for edge, _ in orders)) + fees
    h = float(contracts.size @ n)
    if not math.isfinite(gap):
        cost = fees = math.nan
    ends = np.array([found.lower, found.upper])
    share = np.array([1.0 - p, -p])
    before, after = (V * _mean_square(found, gap, x) + own_variance for x in (0.0, h))
    removed = before - after
    return EventHedge(
        contracts=n,
        exposure=found,
        wanted=0.0 - gap,
        wanted_lower=0.0 - found.upper,
        wanted_upper=0.0 - found.lower,
        residual=gap + h,
        residual_lower=found.lower + h,
        residual_upper=found.upper + h,
        pnl_before=share * gap,
        pnl_before_interval=_ordered(share, ends),
        pnl_after=share * (gap + h) - cost,
        pnl_after_interval=_ordered(share, ends + h) - cost,
        variance_before=before,
        variance_after=after,
        explained=removed / before if before > 0.0 else math.nan,
        cost=cost,
        fees=fees,
        break_even=2.0 * max(cost, 0.0) / removed if removed > 0.0 else math.nan,
        status=found.status,
    )


def _mean_square(found: PortfolioGap, gap: float, h: float) -> float:
    """What the square of the gap left by h is expected to be; where only bounded, at its worst."""
    if found.status is Status.NOT_RESOLVED and math.isfinite(gap):
        return float(max((found.lower + h) ** 2, (found.upper + h) ** 2))
    return float((gap + h) ** 2 + found.se**2)


def _fill(gap: float, contracts: Contracts, p: float, L: float, *, whole: bool) -> FloatArray:
    """Contracts ``(n,)`` of least cost plus L (gap left)^2 / 2, cheapest venue first."""
    n = np.zeros(contracts.bid.size)
    side = -math.copysign(1.0, gap)
    price = contracts.ask if side > 0.0 else contracts.bid
    most = contracts.most_bought if side > 0.0 else contracts.most_sold
    left = abs(gap)
    # The fee per contract is that of an order for the whole gap: rounding up then weighs little.
    lots = np.minimum(left / contracts.size, most)
    fee = [
        contracts.fees[j](max(lots[j], 1.0) * contracts.size[j], price[j])
        / (max(lots[j], 1.0) * contracts.size[j])
        if math.isfinite(price[j])
        else math.nan
        for j in range(n.size)
    ]
    unit = side * (price - p) + np.array(fee)
    for j in np.argsort(unit, kind="stable"):
        if not (math.isfinite(unit[j]) and most[j] > 0.0 and left > 0.0):
            continue
        s = float(contracts.size[j])
        edge = max(float(side * (price[j] - p)), 0.0)
        m = min(max(left - max(float(unit[j]), 0.0) / L, 0.0) / s, float(most[j]))
        if whole:
            top = math.floor(most[j]) if math.isfinite(most[j]) else math.inf
            tries = sorted({0.0, float(math.floor(m)), min(float(math.ceil(m)), top)})
            m = min(tries, key=lambda k: _loss(left, k, s, edge, contracts, j, price[j], L))
        n[j] = side * m + 0.0
        left -= m * s
    return n


def _loss(
    left: float,
    m: float,
    s: float,
    edge: float,
    contracts: Contracts,
    j: int,
    price: float,
    L: float,
) -> tuple[float, float]:
    """What is minimised; an infinite aversion looks at the gap first and the cost second."""
    cost = m * s * edge + (contracts.fees[j](m * s, price) if m else 0.0)
    if math.isinf(L):
        return abs(left - m * s), cost
    return cost + 0.5 * L * (left - m * s) ** 2, 0.0


def _ordered(share: FloatArray, ends: FloatArray) -> FloatArray:
    """Interval of each state's P&L ``(2 states, 2)`` from the ends of the gap's."""
    return np.sort(np.outer(share, ends), axis=1)
