"""What the study of a trade found, in plain sentences: what it is, what it makes, what it risks.

A long call has delta, gamma and vega above 0 and theta below it; texts that give such a position
"positive vega and negative vega" mean theta by the second.
"""

from __future__ import annotations

import math

import numpy as np

from eventtape.arrays import Status
from eventtape.clock import format_ns
from eventtape.estimators.positions.ratios import Ratio
from eventtape.estimators.positions.scenarios import BreakEvens, Cell
from eventtape.studies.trade_parts import CALENDAR, LONG, SHORT
from eventtape.studies.trade_rows import (
    EVE,
    HELD,
    Grid,
    LegRow,
    Profile,
    RuleRow,
    TradeResult,
)
from eventtape.studies.words import Finding, percent

__all__ = [
    "amount",
    "cell_words",
    "evens_words",
    "findings",
    "leg_words",
    "price",
    "profile_words",
    "ratio_words",
    "share_words",
    "steepening_words",
]

_NOTHING = 1e-12  # what rounding leaves of Greeks that cancel
_COINS = 0.00005  # below it four decimals show nothing
_SEARCHED = (0.2501, 3.999)  # shares of the price: a region beyond goes on
_KIND = {
    CALENDAR: "is a calendar: the near expiry is sold, what comes after it bought",
    LONG: "has bought options alone",
    SHORT: "has sold options alone",
}


def findings(result: TradeResult) -> tuple[Finding, ...]:
    """The study's sentences, the answer first."""
    out = [_what(result), _greeks(result)]
    out += [f for f in (_ratio(result),) if f]
    out += [_profile(result, label) for label in (EVE, HELD)]
    out += [_grid(grid, result) for grid in result.grids]
    out += [_gap(result), *_pins(result), _vega(result)]
    out += _margin(result)
    out.append(_fees(result))
    out += _rules(result)
    if result.law_status is not Status.OK:
        out.append(Finding(f"The law of the paths: {result.law_reason}.", result.law_status))
    out.append(
        Finding(
            "Liquidity: no quotes were given, so that what spreads and thin books would take is "
            "not in any number here.",
            Status.NOT_IDENTIFIED,
        )
    )
    return tuple(out)


def amount(value: float, result: TradeResult, *, sign: bool = True) -> str:
    """Money of the legs: ``+0.1234 coins`` or ``+1,234 dollars``; a dash where there is none."""
    if not math.isfinite(value):
        return "—"
    plus = "+" if sign else ""
    value = 0.0 if abs(value) < _NOTHING else value
    if not result.trade.legs.inverse:
        return f"{value:{plus},.0f} dollars"
    if 0.0 < abs(value) < _COINS:
        return f"{value:{plus}.2g} coins"
    return f"{value:{plus}.4f} coins"


def price(value: float) -> str:
    """A price or a strike in dollars, as fine as it needs to be."""
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:,.2f}"  # noqa: PLR2004


def leg_words(leg: LegRow) -> str:
    """``-3 72,000 C 2024-11-08``."""
    right = "C" if leg.is_call else "P"
    return f"{leg.quantity:+.4g} {price(leg.strike)} {right} {format_ns(leg.expiry_ns)[:10]}"


def evens_words(evens: BreakEvens) -> str:
    """The break-evens with the side on which the position gains, or that there is none."""
    if evens.status is not Status.OK:
        return f"— {evens.status}"
    sides = ("gains below", "", "gains above")
    said = [
        f"{price(float(at))} ({sides[int(way) + 1]})"
        for at, way in zip(evens.prices, evens.direction, strict=True)
    ]
    return ", ".join(said) or "none at the prices looked at"


def profile_words(profile: Profile, result: TradeResult) -> str:
    """Most and least profit along the price, and the break-evens."""
    e = profile.evens
    return (
        f"most {amount(e.highest, result)} at {price(e.highest_at)}, least "
        f"{amount(e.lowest, result)} at {price(e.lowest_at)}; break-even at {evens_words(e)}"
    )


def ratio_words(found: Ratio) -> str:
    """The ratio, or why there is none."""
    return f"{found.quantity:.2f}" if found.status is Status.OK else f"none: {found.reason}"


def steepening_words(move: float) -> str:
    """A move of the term structure: ``10 points steeper``."""
    points = 100.0 * abs(move)
    return f"{points:.3g} points {'steeper' if move > 0.0 else 'flatter'}" if move else "as it is"


def cell_words(cell: Cell, grid: Grid, result: TradeResult) -> str:
    """A cell's profit and its moves."""
    moves = f"price {percent(cell.spot_move)}, volatility {100.0 * cell.vol_move:+.3g} points"
    if len(grid.steepenings) > 1:
        moves += f", term structure {steepening_words(grid.steepenings[cell.term_move])}"
    return f"{amount(cell.pnl, result)} ({moves})"


def share_words(happened: float, lower: float, upper: float) -> str:
    """A share of paths with its interval."""
    return f"{percent(happened, sign=False)} ({100 * lower:.2f}% to {100 * upper:.2f}%)"


def _what(result: TradeResult) -> Finding:
    trade = result.trade
    said = "; ".join(leg_words(leg) for leg in result.legs)
    paid = amount(abs(result.premium), result, sign=False)
    flow = f"costs {paid}" if result.premium >= 0.0 else f"brings in {paid}"
    kind = _KIND.get(result.kind, "has options bought and sold")
    text = (
        f"{trade.name or 'The position'} {kind} ({said}). Opened at {price(trade.spot)} on "
        f"{format_ns(trade.at_ns, seconds=False)} it {flow} by the model, before fees."
    )
    return Finding(text, Status.OK)


def _greeks(result: TradeResult) -> Finding:
    g = result.whole
    text = (
        f"At the onset: delta {g.delta:+.4f}, gamma {g.gamma:+.3g} a dollar, vega "
        f"{amount(float(g.vega), result)} a point, theta {amount(float(g.theta), result)} a day."
    )
    return Finding(text, Status.OK)


def _ratio(result: TradeResult) -> Finding | None:
    if not result.ratios:
        return None
    said = [f"{r.by} {r.quantity:.2f}" for r in result.ratios if r.status is Status.OK]
    none = [r.by for r in result.ratios if r.status is not Status.OK]
    text = "Near structures that one of the rest takes to be neutral: " + (", ".join(said) or "—")
    if none:
        text += f"; no such number for {', '.join(none)}"
    return Finding(f"{text}.", Status.OK if said else Status.NOT_IDENTIFIED)


def _profile(result: TradeResult, label: str) -> Finding:
    profile = result.profile(label)
    marks = (
        "at the volatilities of today"
        if label == HELD
        else "at the volatilities expected then, events before it gone by"
        if result.trade.events
        else "at the volatilities expected then"
    )
    text = (
        f"On {format_ns(profile.at_ns)[:10]}, {marks}, between {price(profile.prices[0])} and "
        f"{price(profile.prices[-1])}: {profile_words(profile, result)}."
    )
    return Finding(text, profile.evens.status)


def _grid(grid: Grid, result: TradeResult) -> Finding:
    worst, best = (cell_words(cell, grid, result) for cell in grid.extremes)
    return Finding(f"Scenarios {grid.label}: worst {worst}; best {best}.", Status.OK)


def _gap(result: TradeResult) -> Finding:
    gap = result.gap
    if gap is None:
        return Finding(f"Gap: no number, {result.gap_reason}.", Status.NOT_IDENTIFIED)
    event, pnl = result.trade.events[0], gap.pnl if gap.status is not Status.OK else gap.pnl_after
    worst = int(np.argmin(pnl))
    after = "" if gap.status is not Status.OK else " and its variance out of every leg"
    said = ", ".join(
        f"{percent(math.expm1(move))} makes {amount(float(made), result)}"
        for move, made in zip(gap.log_moves, pnl, strict=True)
    )
    text = (
        f"Gap at {event.name}, nothing done in time{after}: {said}; worst at "
        f"{price(float(gap.prices[worst]))}."
    )
    return Finding(text, Status.OK)


def _pins(result: TradeResult) -> list[Finding]:
    pin = result.pin
    return [
        Finding(
            f"Pin at {price(float(strike))}: {percent(float(p), sign=False)} that the near expiry "
            f"ends within {percent(result.config.within, sign=False)} of it, profit there "
            f"{amount(float(mean), result)} (sd {amount(float(sd), result, sign=False)}), and "
            f"delta jumps by {abs(jump):.3g} at the strike.",
            Status.OK,
        )
        for strike, p, mean, sd, jump in zip(*pin, strict=True)
    ]


def _vega(result: TradeResult) -> Finding:
    r = result.risks
    text = (
        f"Gamma: a rise of 1% changes the delta's worth by {amount(r.dollar_gamma, result)}. Vega "
        f"of all volatilities up a point {amount(r.vega, result)}, of the 30-day one up a point "
        f"and the others by the root of time {amount(r.weighted_vega, result)}"
    )
    if math.isfinite(r.steepener):
        text += f", of a term structure a point steeper {amount(r.steepener, result)}"
    return Finding(f"{text}.", Status.OK)


def _margin(result: TradeResult) -> list[Finding]:
    m = result.margin
    if m.status is not Status.OK:
        return [Finding(f"Margin: {m.reason}.", m.status)]
    if m.eve is None or m.paths is None:
        return [Finding(f"Margin: {m.reason}.", Status.OK)]
    where = " and ".join(_regions(result)) or "nowhere"
    s = m.paths.share
    text = (
        f"Standard margin at the onset is {amount(m.rows[0].initial, result, sign=False)}, to keep "
        f"it {amount(m.rows[0].maintenance, result, sign=False)}. With a deposit of "
        f"{amount(m.deposit, result, sign=False)} the account is called on "
        f"{share_words(s.share, s.lower, s.upper)} of paths before the near expiry; on "
        f"{format_ns(result.eve_ns)[:10]} at prices {where} (probability "
        f"{percent(m.eve.probability, sign=False)})."
    )
    return [Finding(text, Status.OK)]


def _regions(result: TradeResult) -> list[str]:
    """The prices at which margin is called at the later look, in words."""
    eve, spot = result.margin.eve, result.trade.spot
    if eve is None:
        return []
    said = []
    for low, high in zip(eve.lower.tolist(), eve.upper.tolist(), strict=True):
        ends = (low > _SEARCHED[0] * spot, high < _SEARCHED[1] * spot)
        if all(ends):
            said.append(f"from {price(low)} to {price(high)}")
        elif any(ends):
            said.append(f"above {price(low)}" if ends[0] else f"below {price(high)}")
        else:
            said.append("of every height")
    return said


def _fees(result: TradeResult) -> Finding:
    f = result.fees
    if f.status is not Status.OK:
        return Finding(f"Fees: {f.reason}.", f.status)
    text = (
        f"Fees by the rates in force since {format_ns(f.from_ns)[:10]}: "
        f"{float(f.opening.sum()):.6g} {result.unit} to open, {f.delivery_now:.6g} for the near "
        f"legs' delivery at today's price, at most {f.delivery_most:.6g}."
    )
    return Finding(text, Status.OK)


def _rules(result: TradeResult) -> list[Finding]:
    return [Finding(_rule(rule, result), rule.law.status) for rule in result.rules]


def _in_dollars(rule: RuleRow, result: TradeResult) -> str:
    """The mean in dollars, of legs in coins: it is the one expected to be 0 without costs."""
    if not result.trade.legs.inverse:
        return ""
    return f" (in dollars {rule.dollars:+,.0f} ± {rule.dollars_error:,.0f})"


def _rule(rule: RuleRow, result: TradeResult) -> str:
    law = rule.law
    text = (
        f"Rule “{rule.name}” ({rule.words}): mean {amount(law.mean, result)} ± "
        f"{amount(law.mean_error, result, sign=False)}{_in_dollars(rule, result)}, "
        f"sd {amount(law.sd, result, sign=False)}, "
        f"mean of the worst {percent(float(law.probabilities.min()), sign=False)} "
        f"{amount(law.shortfall, result)}, a loss on {percent(law.loss.share, sign=False)} of paths"
    )
    if rule.stopped.happened:
        s = rule.stopped
        text += f", stopped on {share_words(s.share, s.lower, s.upper)}"
    return f"{text}; costs {amount(rule.costs, result, sign=False)}."
