"""The tables of a trade's page: one function a table, a dash and why where there is no number."""

from __future__ import annotations

import math

import numpy as np

from eventtape.arrays import Status
from eventtape.clock import format_ns
from eventtape.estimators.positions.value import PositionGreeks
from eventtape.report.cells import DASH, clock, number
from eventtape.report.html import Column, Html, badge, element, table
from eventtape.studies.trade_findings import (
    amount,
    cell_words,
    evens_words,
    price,
    ratio_words,
    share_words,
)
from eventtape.studies.trade_rows import TradeResult
from eventtape.studies.words import percent

__all__ = [
    "extreme_table",
    "fee_table",
    "gap_table",
    "leg_table",
    "look_table",
    "margin_table",
    "mend_list",
    "pin_table",
    "ratio_table",
    "risk_table",
    "rule_table",
    "suit_list",
]


def leg_table(result: TradeResult) -> Html:
    """A row a leg and one for the whole: price, worth and Greeks of what is held."""
    unit = result.unit
    columns = [
        Column("Leg", numeric=False),
        Column("Expiry", numeric=False),
        Column("Held"),
        Column("Volatility"),
        Column("Forward"),
        Column(f"One costs, {unit}"),
        Column(f"Worth, {unit}"),
        Column("Delta"),
        Column("Gamma per $1,000"),
        Column("Vega per point"),
        Column("Theta per day"),
    ]
    form = "+.4f" if result.trade.legs.inverse else "+,.1f"
    rows = []
    for leg in result.legs:
        right = "C" if leg.is_call else "P"
        rows.append(
            (
                f"{price(leg.strike)} {right}",
                element("span", format_ns(leg.expiry_ns)[:10], class_="clock"),
                f"{leg.quantity:+.4g}", percent(leg.vol, sign=False), price(leg.forward),
                f"{leg.price:{form.lstrip('+')}}", *_greeks(leg.held, form),
            )
        )  # fmt: skip
    rows.append(("Whole position", "", "", "", "", "", *_greeks(result.whole, form)))
    return table("The legs at the onset; worth and Greeks of all that is held", columns, rows)


def ratio_table(result: TradeResult) -> Html:
    """How many near structures go with one of the rest, by each Greek."""
    if not result.ratios:
        return element("p", "One expiry alone: there is nothing to set against it.")
    columns = [
        Column("Neutral in", numeric=False),
        Column("Near per one of the rest"),
        Column("One near has"),
        Column("One of the rest has"),
        Column("Status", numeric=False),
        Column("Why not", numeric=False),
    ]
    rows = [
        (
            r.by,
            f"{r.quantity:.3f}" if r.status is Status.OK else DASH,
            f"{r.near:+.4g}",
            f"{r.far:+.4g}",
            badge(r.status),
            "" if r.status is Status.OK else ratio_words(r).removeprefix("none: "),
        )
        for r in result.ratios
    ]
    return table("Ratios that are neutral at the onset", columns, rows)


def look_table(result: TradeResult) -> Html:
    """Break-evens, most and least profit at every look."""
    columns = [
        Column("Look", numeric=False),
        Column("When, UTC", numeric=False),
        Column("Break-evens", numeric=False),
        Column("Most"),
        Column("At"),
        Column("Least"),
        Column("At"),
        Column("Status", numeric=False),
    ]
    rows = [
        (
            p.label,
            clock(p.at_ns),
            evens_words(p.evens),
            amount(p.evens.highest, result),
            price(p.evens.highest_at),
            amount(p.evens.lowest, result),
            price(p.evens.lowest_at),
            badge(p.evens.status),
        )
        for p in result.profiles
    ]
    return table("Break-evens and limits of the profit along the price", columns, rows)


def extreme_table(result: TradeResult) -> Html:
    """The worst and the best cell of each grid."""
    columns = [
        Column("Scenarios", numeric=False),
        Column("Worst", numeric=False),
        Column("Best", numeric=False),
    ]
    rows = [
        (grid.label, *(cell_words(cell, grid, result) for cell in grid.extremes))
        for grid in result.grids
    ]
    return table("Worst and best cell", columns, rows)


def risk_table(result: TradeResult) -> Html:
    """Each risk as a number."""
    r = result.risks
    columns = [Column("Risk", numeric=False), Column("Number"), Column("What it is", numeric=False)]
    rows: list[tuple[str, str, str]] = [
        ("Delta", f"{r.delta:+.4f}", "units of the underlying"),
        ("Gamma", amount(r.dollar_gamma, result), "change of the delta's worth for a rise of 1%"),
        ("Vega", amount(r.vega, result), "every volatility up a point"),
        (
            "Vega by root of time",
            amount(r.weighted_vega, result),
            "the 30-day volatility up a point, the others by the root of 30 / days of it",
        ),
        (
            "Steepener",
            amount(r.steepener, result),
            "the first volatility half a point down, the last half a point up",
        ),
        ("Theta", amount(r.theta, result), "a day gone by"),
    ]
    rows += [
        (
            f"Vega of {format_ns(int(at))[:10]}",
            amount(float(vega), result),
            "this expiry's volatilities up a point",
        )
        for at, vega in zip(r.expiries_ns, r.expiry_vega, strict=True)
    ]
    return table("Sensitivities at the onset", columns, rows)


def gap_table(result: TradeResult) -> Html:
    """Profit of a jump at the event."""
    gap = result.gap
    if gap is None:
        return element("p", f"No jump was priced: {result.gap_reason}.")
    columns = [
        Column("Jump", numeric=False),
        Column("Price"),
        Column("Volatilities held"),
        Column("The event's variance gone"),
    ]
    rows = [
        (
            percent(math.expm1(m)),
            price(float(p)),
            amount(float(a), result),
            amount(float(b), result),
        )
        for m, p, a, b in zip(gap.log_moves, gap.prices, gap.pnl, gap.pnl_after, strict=True)
    ]
    name = result.trade.events[0].name
    return table(f"A jump at {name}, nothing done in time", columns, rows)


def pin_table(result: TradeResult) -> Html:
    """What happens near each sold strike at the near expiry."""
    pin = result.pin
    if not pin.strikes.size:
        return element("p", "Nothing is sold in the first expiry: there is no pin.")
    columns = [
        Column("Sold strike", numeric=False),
        Column("Probability of ending near it"),
        Column("Mean profit there"),
        Column("Its sd"),
        Column("Delta jumps by"),
    ]
    rows = [
        (
            price(float(strike)), percent(float(p), sign=False), amount(float(mean), result),
            amount(float(sd), result, sign=False), f"{jump:+.3g}",
        )
        for strike, p, mean, sd, jump in zip(*pin, strict=True)
    ]  # fmt: skip
    within = percent(result.config.within, sign=False)
    return table(f"Within {within} of a sold strike at the near expiry", columns, rows)


def margin_table(result: TradeResult) -> Html:
    """Standard margin through time."""
    m = result.margin
    if not m.rows:
        return element("p", f"Margin: {m.reason}.")
    columns = [
        Column("When", numeric=False),
        Column("UTC", numeric=False),
        Column(f"Initial, {result.unit}"),
        Column(f"To keep, {result.unit}"),
    ]
    form = ".4f" if result.trade.legs.inverse else ",.0f"
    rows = [
        (row.label, clock(row.at_ns), number(row.initial, form), number(row.maintenance, form))
        for row in m.rows
    ]
    return table("Standard margin at today's price", columns, rows)


def fee_table(result: TradeResult) -> Html:
    """Fees of opening by leg, and of delivery."""
    f = result.fees
    if f.status is not Status.OK:
        return element("p", f"Fees: {f.reason}.")
    columns = [Column("Fee", numeric=False), Column(result.unit.capitalize())]
    rows = [
        (f"Open {price(leg.strike)} {'C' if leg.is_call else 'P'}", f"{fee:.6f}")
        for leg, fee in zip(result.legs, f.opening, strict=True)
    ]
    rows += [
        ("Opening, all legs", f"{float(np.sum(f.opening)):.6f}"),
        ("Near legs' delivery at today's price", f"{f.delivery_now:.6f}"),
        ("Near legs' delivery at most", f"{f.delivery_most:.6f}"),
    ]
    return table(f"Fees by the rates in force since {format_ns(f.from_ns)[:10]}", columns, rows)


def rule_table(result: TradeResult) -> Html:
    """What each rule made over the simulated paths."""
    columns = [
        Column("Rule", numeric=False),
        Column("Mean"),
        Column("± error"),
        Column("Sd"),
        Column("1%"),
        Column("5%"),
        Column("Median"),
        Column("95%"),
        Column("Paths that lose"),
        Column("Stopped"),
        Column("Costs"),
        Column("Hedges"),
    ]
    coins = result.trade.legs.inverse
    if coins:
        columns += [Column("Mean, dollars"), Column("± error")]
    form = "+.4f" if coins else "+,.0f"
    rows = []
    for rule in result.rules:
        law, s = rule.law, rule.stopped
        in_dollars = (f"{rule.dollars:+,.0f}", f"{rule.dollars_error:,.0f}")
        named = {float(p): float(q) for p, q in zip(law.probabilities, law.quantiles, strict=True)}
        rows.append(
            (
                rule.name, f"{law.mean:{form}}", f"{law.mean_error:{form[1:]}}",
                f"{law.sd:{form[1:]}}",
                *(f"{named[p]:{form}}" for p in (0.01, 0.05, 0.5, 0.95)),
                share_words(law.loss.share, law.loss.lower, law.loss.upper),
                share_words(s.share, s.lower, s.upper) if s.happened else DASH,
                f"{rule.costs:{form[1:]}}", f"{rule.hedges:.1f}",
                *(in_dollars if coins else ()),
            )
        )  # fmt: skip
    return table(f"Profit in {result.unit} under each rule, simulated paths", columns, rows)


def suit_list(result: TradeResult) -> Html:
    """What a holder must think for the position to suit."""
    return element("ul", *(element("li", said) for said in result.suits))


def mend_list(result: TradeResult) -> Html:
    """What can be done about the risks."""
    return element("ul", *(element("li", said) for said in result.mends))


def _greeks(g: PositionGreeks, form: str) -> tuple[str, ...]:
    return (
        f"{float(g.value):{form}}",
        f"{float(g.delta):+.4f}",
        f"{1000.0 * float(g.gamma):+.4f}",
        f"{float(g.vega):{form}}",
        f"{float(g.theta):{form}}",
    )
