"""What kind of position is it, which ratios would make it neutral, and whom does it suit?

The kind is read off the legs: a calendar sells all of its first expiry and buys all of the rest.
"""

from __future__ import annotations

import math
from typing import get_args

import numpy as np

from eventtape.arrays import BoolArray, Status
from eventtape.clock import format_ns
from eventtape.estimators.positions.legs import Legs
from eventtape.estimators.positions.ratios import Neutral, Ratio, ratio
from eventtape.studies.trade_rows import EVE, Trade, TradeResult
from eventtape.studies.trade_rules import CLOSED, DELTA, GAMMA, HOLD, STOP
from eventtape.studies.words import percent

__all__ = [
    "CALENDAR",
    "LONG",
    "MIXED",
    "SHORT",
    "kind_of",
    "mends",
    "part_of",
    "ratios_of",
    "suits",
]

CALENDAR, LONG, SHORT, MIXED = "calendar", "long", "short", "mixed"


def kind_of(legs: Legs) -> str:
    """Calendar, long, short or mixed."""
    bought, sold = legs.quantity > 0.0, legs.quantity < 0.0
    if bool(bought.all()):
        return LONG
    if bool(sold.all()):
        return SHORT
    near = legs.expiry_ns == legs.expiry_ns.min()
    if bool(sold[near].all()) and bool(bought[~near].all()):
        return CALENDAR
    return MIXED


def ratios_of(trade: Trade) -> tuple[Ratio, ...]:
    """How many of the near structure go with one of the rest, by every Greek; () with one expiry.

    A structure is what is held, divided by the largest number of options in it.
    """
    legs = trade.legs
    near = legs.expiry_ns == legs.expiry_ns.min()
    if bool(near.all()):
        return ()
    close, away = _one(legs, near), _one(legs, ~near)
    carries = {"near_carry": trade.carry[near], "far_carry": trade.carry[~near]}
    return tuple(
        ratio(close, away, by, trade.spot, trade.at_ns, **carries) for by in get_args(Neutral)
    )


def suits(result: TradeResult) -> tuple[str, ...]:
    """What a holder must think for the position to suit, a sentence each."""
    g, said = result.whole, []
    event = result.trade.events[0] if result.trade.events else None
    size = "" if event is None else f" (one sd {percent(event.size, sign=False)})"
    what = "The move that is priced" if event is None else f"The move priced for {event.name}"
    if result.kind in {LONG, SHORT}:
        small = "too small" if result.kind == LONG else "too large"
        said.append(f"{what}{size} is {small}.")
        if abs(float(g.delta)) > 0.1 * float(np.abs(result.trade.legs.quantity).sum()):
            side = "rise" if g.delta > 0.0 else "fall"
            said.append(
                f"The price will {side}; if on the event's outcome, that the outcome is likelier "
                "than it is priced, or moves the price more."
            )
        gains = "is lost" if g.theta < 0.0 else "comes in"
        said.append(f"The move comes before the near expiry: time {gains} every day until then.")
    elif result.kind == CALENDAR:
        said.append(f"{what}{size} is too large: the near volatility will fall when it is over.")
        roots = result.profile(EVE).evens.prices
        if roots.size > 1:
            said.append(
                f"The price on {format_ns(result.eve_ns)[:10]} is between {roots[0]:,.0f} and "
                f"{roots[-1]:,.0f}."
            )
        said.append("The term structure of volatility steepens, or the far end at least holds.")
    else:
        said.append("Legs are bought and sold at several places: read the profiles and scenarios.")
    if bool((result.trade.legs.quantity < 0.0).any()):
        said.append(
            "Losses beyond the deposit can be met: sold options are not covered by the bought ones "
            "at every price and moment."
        )
        said.append("The position can be watched near the expiry of what is sold.")
    elif result.margin.status is Status.OK:
        said.append("All that was paid may be lost, and no more than that.")
    return tuple(said)


def mends(result: TradeResult) -> tuple[str, ...]:
    """What can be done about the risks, each with what it makes of the simulated profit."""
    rules = {rule.name: rule for rule in result.rules}
    hold, unit = rules[HOLD].law, result.unit
    digits = ".3f" if result.trade.legs.inverse else ",.0f"
    said = []
    for name in (CLOSED, STOP, DELTA, GAMMA):
        if name not in rules:
            continue
        law, words = rules[name].law, rules[name].words
        said.append(
            f"{words[0].upper()}{words[1:]}: sd {law.sd:{digits}} for {hold.sd:{digits}}, mean of "
            f"the worst outcomes {law.shortfall:+{digits}} for {hold.shortfall:+{digits}} {unit}."
        )
    if math.isfinite(result.risks.steepener):
        said.append(
            "Watching the term structure of volatility: a point steeper makes "
            f"{result.risks.steepener:+.4g} {unit}, a point flatter costs as much."
        )
    said.append(
        f"Sizing: of each position held, the worst outcomes cost {-hold.shortfall:{digits}} {unit} "
        "on average; limit orders and quiet hours are for a venue's book to say."
    )
    return tuple(said)


def part_of(legs: Legs, chosen: BoolArray) -> Legs:
    """The legs chosen ``(n_legs,)``."""
    return Legs(
        legs.quantity[chosen],
        legs.strike[chosen],
        legs.is_call[chosen],
        legs.expiry_ns[chosen],
        legs.vol[chosen],
        legs.inverse,
    )


def _one(legs: Legs, chosen: BoolArray) -> Legs:
    part = part_of(legs, chosen)
    return part._replace(quantity=part.quantity / np.abs(part.quantity).max())
