r"""What does a position of options make around an event, and what can go wrong with it?

Legs, price, volatilities and the sizes of the events ahead go in. The law of the price is made of
them: the events' jumps, and a base variance that gives what is left of the first expiry's
volatility, and of the last one's where there are two. With a half-life of the base that is two
linear equations in the base's long run b^2 and its distance from it b^2 (y - 1),

    w_i = b^2 tau_i + b^2 (y - 1) (1 - exp(-kappa tau_i)) / kappa,    i = first, last,

so that by this law the position is fairly priced, and what a rule makes of it is the rule's doing.
Where they have no solution above 0 the first expiry's base is used throughout, and it is said.

The later look is a day before the near expiry. By then an event has usually happened: the legs
are marked at what is left without it (:func:`.later_vols`), and beside that at the volatilities of
today, which is what a position builder of a venue draws.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eventtape.arrays import FloatArray, Status
from eventtape.clock import format_ns
from eventtape.errors import InputError
from eventtape.estimators.positions.leg_marks import later_vols, leg_variance
from eventtape.estimators.positions.legs import Legs, leg_of
from eventtape.estimators.positions.move_law import (
    YEAR_NS,
    EventMove,
    MoveLaw,
    move_law,
    normal_event,
    reverting_years,
)
from eventtape.estimators.positions.points import DAY_NS
from eventtape.estimators.positions.risks import GapRisk, gap_risk, greek_risks, pin_risk
from eventtape.estimators.positions.scenarios import break_evens, extremes, scenario_grid
from eventtape.estimators.positions.settlement import leg_payoffs
from eventtape.estimators.positions.value import (
    position_greeks,
    position_pnl,
    position_value,
)
from eventtape.studies.trade_account import fees_of, margin_of
from eventtape.studies.trade_parts import kind_of, mends, part_of, ratios_of, suits
from eventtape.studies.trade_rows import (
    EVE,
    EXPIRY,
    HELD,
    ONSET,
    Grid,
    LegRow,
    Payoff,
    Profile,
    Trade,
    TradeConfig,
    TradeResult,
)
from eventtape.studies.trade_rules import run_rules

__all__ = ["base_law", "run", "steepener_shifts"]

_LEAST_LEVEL = (
    0.05  # of the base variance now over its long run: below it the two do not go together
)


def run(
    trade: Trade,
    config: TradeConfig | None = None,
    *,
    sources: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    progress: Callable[[str, int, int | None], Any] | None = None,
) -> TradeResult:
    """Study one position; the same trade, choices and seed give the same numbers."""
    config = config or TradeConfig()
    tell = progress or (lambda _label, _done, _total: None)
    _check(trade)
    legs, spot, at, carry = trade.legs, trade.spot, trade.at_ns, trade.carry
    near = int(legs.expiry_ns.min())
    eve = near - int(config.eve_days * DAY_NS)
    if eve <= at:
        eve = at + (near - at) // 2
    premium = float(position_value(legs, spot, at, carry=carry))
    law, status, reason = base_law(trade, config.half_life_days)

    def vols_at(at_ns: int) -> FloatArray:
        found = later_vols(legs, law, forward=spot, opened_ns=at, at_ns=at_ns, carry=carry)
        return np.where(legs.expiry_ns > at_ns, found, legs.vol)

    tell("profiles", 0, None)
    looks = [(ONSET, at, legs.vol), (EVE, eve, vols_at(eve)), (HELD, eve, legs.vol)]
    looks.append((EXPIRY, near, vols_at(near)))
    profiles = tuple(_profile(trade, config, premium, *look) for look in looks)
    grids = tuple(_grid(trade, config, premium, *look) for look in looks[:2])
    gap, gap_reason = _gap(trade, config, vols_at)
    tell("margin", 0, None)
    margin = margin_of(trade, config, law, premium, eve, vols_at)
    tell("rules", 0, None)
    rules = run_rules(trade, config, law, premium, eve, margin.deposit, tell)
    result = TradeResult(
        trade=trade,
        config=config,
        kind=kind_of(legs),
        near_ns=near,
        eve_ns=eve,
        premium=premium,
        law=law,
        law_status=status,
        law_reason=reason,
        legs=_legs(trade),
        whole=position_greeks(legs, spot, at, carry=carry),
        ratios=ratios_of(trade),
        profiles=profiles,
        payoffs=_payoffs(trade, profiles[0].prices),
        grids=grids,
        risks=greek_risks(legs, spot, at, carry=carry),
        gap=gap,
        gap_reason=gap_reason,
        pin=pin_risk(
            legs, law, forward=spot, opened_ns=at, within=config.within, premium=premium,
            carry=carry,
        ),
        margin=margin,
        fees=fees_of(trade, config, profiles[0].prices),
        rules=rules,
        suits=(),
        mends=(),
        sources=sources,
        notes=notes,
    )  # fmt: skip
    return result._replace(suits=suits(result), mends=mends(result))


def base_law(trade: Trade, half_life_days: float) -> tuple[MoveLaw, Status, str]:
    """The law of the price that the first and the last expiry's volatilities agree with."""
    legs, at = trade.legs, trade.at_ns
    events = tuple(normal_event(e.at_ns, e.size) for e in trade.events)
    inside = leg_variance(legs, events, at, forward=trade.spot, carry=trade.carry)
    expiries = np.unique(legs.expiry_ns)
    ends = expiries[[0, -1]]
    w = [float(inside[legs.expiry_ns == end].mean()) for end in ends]
    tau = (ends - at) / YEAR_NS
    flat = move_law(float(np.sqrt(max(w[0], 0.0) / tau[0])), events)
    if expiries.size == 1:
        return flat, Status.OK, ""
    kappa = move_law(0.0, half_life_days=half_life_days).reversion
    back = [reverting_years(float(t), kappa) for t in tau]
    det = tau[0] * back[1] - tau[1] * back[0]
    long_run = (w[0] * back[1] - w[1] * back[0]) / det
    away = (tau[0] * w[1] - tau[1] * w[0]) / det
    if long_run > 0.0 and long_run + away > _LEAST_LEVEL * long_run:
        return _reverting(long_run, away, events, half_life_days), Status.OK, ""
    reason = (
        f"no base that goes half way back in {half_life_days:g} days has both the first and the "
        "last expiry's variance: paths have the first one's throughout"
    )
    return flat, Status.NOT_IDENTIFIED, reason


def steepener_shifts(legs: Legs, at_ns: int, steepenings: tuple[float, ...]) -> FloatArray:
    """Shifts of each leg's volatility ``(n_steepenings, n_legs)``; zeros alone with one expiry.

    The first expiry goes down by half the steepening and the last up by half, those between in
    proportion to the square root of time from ``at_ns``, as :func:`.greek_risks` tilts.
    """
    root = np.sqrt((legs.expiry_ns - at_ns) / DAY_NS)
    wide = float(root.max() - root.min())
    if wide == 0.0:
        return np.zeros((1, root.size))
    tilt = (root - root.min()) / wide - 0.5
    return np.asarray(np.multiply.outer(np.array(steepenings), tilt))


def _reverting(
    long_run: float, away: float, events: tuple[EventMove, ...], half_life_days: float
) -> MoveLaw:
    level = 1.0 + away / long_run
    return move_law(
        float(np.sqrt(long_run)), events, level=float(level), half_life_days=half_life_days
    )


def _check(trade: Trade) -> None:
    legs = trade.legs
    if not 0.0 < trade.spot < np.inf:
        raise InputError("a price above 0", met=trade.spot, column="spot")
    late = legs.expiry_ns <= trade.at_ns
    if bool(late.any()):
        row = int(np.argmax(late))
        met = format_ns(int(legs.expiry_ns[row]))
        raise InputError(
            f"an expiry after {format_ns(trade.at_ns)}", met=met, row=row + 1, column="expiry"
        )
    last = int(legs.expiry_ns.max())
    for row, event in enumerate(trade.events, 1):
        if not trade.at_ns < event.at_ns <= last:
            wanted = "an event between the onset and the last expiry"
            raise InputError(wanted, met=format_ns(event.at_ns), row=row, column="event")


def _legs(trade: Trade) -> tuple[LegRow, ...]:
    legs, rows = trade.legs, []
    for i in range(legs.strike.size):
        factor = trade.carry[i : i + 1]
        held = position_greeks(leg_of(legs, i), trade.spot, trade.at_ns, carry=factor)
        one = leg_of(legs, i)._replace(quantity=np.ones(1))
        price = float(position_value(one, trade.spot, trade.at_ns, carry=factor))
        rows.append(
            LegRow(
                float(legs.quantity[i]), float(legs.strike[i]), bool(legs.is_call[i]),
                int(legs.expiry_ns[i]), float(legs.vol[i]), trade.spot * float(factor[0]),
                price, held,
            )
        )  # fmt: skip
    return tuple(rows)


def _profile(
    trade: Trade, config: TradeConfig, premium: float, label: str, at_ns: int, vols: FloatArray
) -> Profile:
    legs, spot, carry = trade.legs, trade.spot, trade.carry
    low, high = config.low * spot, config.high * spot
    own = np.r_[legs.strike / carry, spot]
    own = own[(own > low) & (own < high)]
    prices = np.unique(np.r_[np.geomspace(low, high, config.points), own])
    g = position_greeks(legs, prices, at_ns, vol=vols, carry=carry)
    linear = legs._replace(inverse=False)
    gamma = position_greeks(linear, prices, at_ns, vol=vols, carry=carry).gamma
    pnl = position_pnl(
        legs, prices, at_ns,
        opened_ns=trade.at_ns, opened_at=spot, premium=premium, vol=vols, carry=carry,
    )  # fmt: skip
    evens = break_evens(
        legs, at_ns,
        forward=spot, low=low, high=high, carry=carry, opened_ns=trade.at_ns, premium=premium,
        vols=vols,
    )  # fmt: skip
    return Profile(
        label, at_ns, vols, prices, pnl.coins, pnl.dollars, g.delta, gamma, g.vega, g.theta, evens
    )


def _payoffs(trade: Trade, prices: FloatArray) -> tuple[Payoff, ...]:
    found = []
    for expiry in np.unique(trade.legs.expiry_ns):
        chosen = trade.legs.expiry_ns == expiry
        held = part_of(trade.legs, chosen)._replace(inverse=False)
        paid = float(position_value(held, trade.spot, trade.at_ns, carry=trade.carry[chosen]))
        found.append(Payoff(int(expiry), prices, leg_payoffs(held, prices).sum(axis=1) - paid))
    return tuple(found)


def _grid(
    trade: Trade, config: TradeConfig, premium: float, label: str, at_ns: int, vols: FloatArray
) -> Grid:
    shifts = steepener_shifts(trade.legs, trade.at_ns, config.steepenings)
    pnl = scenario_grid(
        trade.legs, config.spot_moves, config.vol_moves, at_ns,
        forward=trade.spot, term_moves=shifts, carry=trade.carry, opened_ns=trade.at_ns,
        premium=premium, vols=vols,
    )  # fmt: skip
    terms = config.steepenings if len(shifts) == len(config.steepenings) else (0.0,)
    return Grid(label, at_ns, terms, pnl, extremes(pnl, config.spot_moves, config.vol_moves))


def _gap(
    trade: Trade, config: TradeConfig, vols_at: Callable[[int], FloatArray]
) -> tuple[GapRisk | None, str]:
    """Profit of the first event's jump alone, at the volatilities expected just before it."""
    if not trade.events:
        return None, "no event was named"
    event = trade.events[0]
    if event.at_ns >= int(trade.legs.expiry_ns.min()):
        return None, "the first event comes after the near expiry"
    before = event.at_ns - 1
    marked = trade.legs._replace(vol=vols_at(before))
    gap = gap_risk(
        marked, trade.spot, before, event.size, multiples=config.multiples, carry=trade.carry
    )
    return gap, ""
