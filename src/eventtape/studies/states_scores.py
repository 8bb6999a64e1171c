r"""After the event: what each rung said the price would do, beside what it did. Before: the hedge.

A rung's state s puts the price at m_s if that outcome comes. From the reference time to the price
that was realised, a time dt later, the market also moves of itself, by vol_s sqrt(dt)::

    predicted = log(m_s / F),   half^2 = (error of log m_s)^2 + (z vol_s)^2 dt,

dt at most the time to expiry, where the interval is that of the state's whole law. Bounds have no
number: their interval is widened by the same news at the volatility of the options.

The hedge takes the outcome out of one unit of the underlying with contracts that pay 1: from the
first rung that stands of joint fit and exposure; where none does the payout is only bounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from eventtape.arrays import Status
from eventtape.estimators.states.event_contracts import event_contracts
from eventtape.estimators.states.event_hedge import event_hedge
from eventtape.estimators.states.portfolio_gap import values_from_gaps
from eventtape.studies.states_rows import (
    BOUNDS,
    EXPOSURE,
    JOINT,
    Hedge,
    Realised,
    Rung,
    Score,
    Snapshot,
    StatesConfig,
)
from eventtape.tape.chains import YEAR_NS

__all__ = ["hedge_of", "realised_from", "scores_of"]


def realised_from(snapshots: Sequence[Snapshot], reference: int) -> Realised | None:
    """The first forward after the reference at which the event is decided; None without one."""
    for one in snapshots[reference + 1 :]:
        if one.decided and math.isfinite(one.forward):
            happened = one.p > 0.5  # noqa: PLR2004
            return Realised(happened, one.forward, one.at_ns, "the first options after it")
    return None


def scores_of(
    at: Snapshot, rungs: Sequence[Rung], came: Realised | None, level: float
) -> tuple[Score, ...]:
    """A row a rung; none where nothing came yet."""
    if came is None:
        return ()
    realised = math.log(came.price / at.forward)
    dt = min((came.at_ns - at.at_ns) / YEAR_NS, at.tau)
    z = float(ndtri(0.5 + 0.5 * level))
    return tuple(_score(at, rung, came, realised, z * math.sqrt(max(dt, 0.0))) for rung in rungs)


def _score(at: Snapshot, rung: Rung, came: Realised, realised: float, reach: float) -> Score:
    mean, vol = (rung.mean_1, rung.vol_1) if came.happened else (rung.mean_0, rung.vol_0)
    ends = at.at_ns, came.at_ns
    if not (mean.known and mean.lower > 0.0):
        status = Status.NOT_IDENTIFIED if rung.status is Status.OK else rung.status
        reason = rung.reason or "the state's mean is not bounded"
        nan = math.nan
        return Score(rung.name, *ends, nan, nan, nan, realised, None, status, reason)
    own = vol.value if math.isfinite(vol.value) else at.atm_vol
    predicted = math.log(mean.value / at.forward) if math.isfinite(mean.value) else math.nan
    low, high = math.log(mean.lower / at.forward), math.log(mean.upper / at.forward)
    if math.isfinite(predicted):
        low, high = (
            predicted - math.hypot(predicted - low, own * reach),
            predicted + math.hypot(high - predicted, own * reach),
        )
    else:
        low, high = low - own * reach, high + own * reach
    inside = low <= realised <= high
    return Score(rung.name, *ends, predicted, low, high, realised, inside, rung.status, rung.reason)


def hedge_of(
    at: Snapshot,
    rungs: Sequence[Rung],
    quoted: tuple[float, float],
    joint_error: float,
    config: StatesConfig,
) -> Hedge | None:
    """Contracts for one unit of the underlying; ``quoted`` bid and ask of the event's contract.

    ``joint_error``: of the joint fit's gap at the reference time, NaN where there is none.
    None where the probability is a range, or not even bounds stand.
    """
    p = at.p
    if math.isfinite(at.p_low) or not 0.0 < p < 1.0:
        return None
    by_name = {rung.name: rung for rung in rungs}
    bounds = by_name[BOUNDS].gap
    stands = [by_name[n] for n in (JOINT, EXPOSURE) if by_name[n].mean_1.known]
    rung = stands[0] if stands else by_name[BOUNDS]
    if not rung.gap.known:
        return None
    gap, error = math.nan, 0.0
    if stands:
        gap = math.log(rung.mean_1.value / rung.mean_0.value)
        z = float(ndtri(0.5 + 0.5 * config.level))
        error = 0.5 * (rung.gap.upper - rung.gap.lower) / z
        if rung.name == JOINT and math.isfinite(joint_error):
            error = max(error, joint_error)
    bid, ask = quoted
    if not (math.isfinite(bid) and math.isfinite(ask)):
        bid, ask = max(p - config.half_spread, 0.0), min(p + config.half_spread, 1.0)
    ends = (bounds.lower, bounds.upper) if bounds.known else (None, None)
    values = values_from_gaps(
        [at.forward], [gap], [error], probability=p, lower=ends[0], upper=ends[1]
    )
    hedge = event_hedge(
        np.ones(1),
        values,
        event_contracts(bid, ask),
        probability=p,
        whole=False,
        level=config.level,
    )
    return Hedge(rung.name, p, bid, ask, hedge)
