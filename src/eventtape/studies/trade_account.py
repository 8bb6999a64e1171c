"""What does the venue want for the trade: fees on the day, margin on the way, calls for more?

Schedules have a first day; before it there is nothing on record and no number is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from eventtape.arrays import FloatArray, Status
from eventtape.clock import format_ns
from eventtape.estimators.positions.fees import (
    DERIBIT_COIN_OPTIONS,
    delivery_fees,
    row_in_force,
    trade_fees,
)
from eventtape.estimators.positions.legs import leg_of
from eventtape.estimators.positions.margin import DERIBIT_STANDARD_MARGIN, Margin, standard_margin
from eventtape.estimators.positions.margin_risk import margin_call, path_margin_calls
from eventtape.estimators.positions.move_law import MoveLaw, price_law
from eventtape.estimators.positions.paths import simulate_paths
from eventtape.estimators.positions.value import position_value
from eventtape.studies.trade_parts import part_of
from eventtape.studies.trade_rows import EVE, ONSET, Fees, MarginAt, MarginRisk, Trade, TradeConfig

__all__ = ["fees_of", "margin_of"]


def margin_of(
    trade: Trade,
    config: TradeConfig,
    law: MoveLaw,
    premium: float,
    eve_ns: int,
    vols_at: Callable[[int], FloatArray],
) -> MarginRisk:
    """Margin through time at today's price, and where and how often it is called."""
    legs, spot, at, carry = trade.legs, trade.spot, trade.at_ns, trade.carry

    def needs(price: FloatArray | float, move: float, at_ns: int) -> Margin:
        vol = np.maximum(vols_at(at_ns) + move, 0.0)
        return standard_margin(legs, price, at_ns, vol=vol, carry=carry)

    first = DERIBIT_STANDARD_MARGIN[0].from_ns
    if at < first:
        reason = f"no margin is on record before {format_ns(first)[:10]}"
        deposit = abs(premium) if config.deposit is None else config.deposit
        return MarginRisk((), deposit, None, None, Status.NOT_IDENTIFIED, reason)
    looks = [(ONSET, at), *((e.name, e.at_ns) for e in trade.events if e.at_ns < eve_ns)]
    rows = []
    for label, at_ns in [*looks, (EVE, eve_ns)]:
        margin = needs(spot, 0.0, at_ns)
        rows.append(MarginAt(label, at_ns, float(margin.initial), float(margin.maintenance)))
    usual = 2.0 * rows[0].initial if rows[0].initial > 0.0 else abs(premium)
    deposit = usual if config.deposit is None else config.deposit
    if not bool((legs.quantity < 0.0).any()):
        reason = "nothing is sold, and what is bought is paid in full: no margin is called"
        return MarginRisk(tuple(rows), deposit, None, None, Status.OK, reason)
    call = margin_call(
        legs, lambda price, move, t: needs(price, move, t).maintenance,
        deposit=deposit, forward=spot, at_ns=eve_ns, states=price_law(law, at, eve_ns),
        carry=carry, opened_ns=at, premium=premium, vols=vols_at(eve_ns),
    )  # fmt: skip
    walked = simulate_paths(
        legs, law,
        forward=spot, opened_ns=at, until_ns=int(legs.expiry_ns.min()), premium=premium,
        carry=carry, paths=config.paths, steps=config.steps, seed=config.seed, keep=True,
    )  # fmt: skip
    called = path_margin_calls(
        walked, lambda price, move, t: needs(price, move, t).maintenance,
        deposit=deposit, level=config.level,
    )  # fmt: skip
    return MarginRisk(tuple(rows), deposit, call, called, Status.OK, "")


def fees_of(trade: Trade, config: TradeConfig, prices: FloatArray) -> Fees:
    """Fees of opening and of the near legs' delivery; NaN with the reason where none is known."""
    legs = trade.legs
    none = np.full(legs.strike.size, math.nan)
    first = DERIBIT_COIN_OPTIONS.rows[0].from_ns
    reason = ""
    if not legs.inverse:
        reason = "the fees on record are those of options settled in coins"
    elif trade.at_ns < first:
        reason = f"no fees are on record before {format_ns(first)[:10]}"
    if reason:
        return Fees(none, math.nan, math.nan, first, "", Status.NOT_IDENTIFIED, reason)
    row = row_in_force(DERIBIT_COIN_OPTIONS, trade.at_ns)
    worth = [_price(trade, i) for i in range(legs.strike.size)]
    opening = trade_fees(legs, worth, trade.at_ns, DERIBIT_COIN_OPTIONS, combo=config.combo)
    expiring = part_of(legs, legs.expiry_ns == legs.expiry_ns.min())
    delivered = delivery_fees(expiring, np.r_[trade.spot, prices], DERIBIT_COIN_OPTIONS)
    sums = delivered.sum(axis=1)
    return Fees(
        opening, float(sums[0]), float(sums[1:].max()), row.from_ns, row.source, Status.OK, ""
    )


def _price(trade: Trade, leg: int) -> float:
    one = leg_of(trade.legs, leg)._replace(quantity=np.ones(1))
    factor = trade.carry[leg : leg + 1]
    return float(position_value(one, trade.spot, trade.at_ns, carry=factor))
