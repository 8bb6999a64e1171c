"""A trade in a terminal: findings, legs, ratios, looks, rules, and where the page is."""

from __future__ import annotations

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from eventtape.arrays import Status
from eventtape.cli.terminal import COLOURS, NONE
from eventtape.estimators.positions.value import PositionGreeks
from eventtape.studies.trade_findings import (
    amount,
    evens_words,
    findings,
    leg_words,
    price,
    ratio_words,
)
from eventtape.studies.trade_rows import TradeResult
from eventtape.studies.words import percent

__all__ = ["show_trade"]


def show_trade(result: TradeResult, report: Path) -> None:
    """Print the study: notes, findings, tables, whom it suits, and where the page is."""
    console = Console()
    for note in result.notes:
        console.print(f"[dim]{escape(note)}[/dim]")
    name = f": {escape(result.trade.name)}" if result.trade.name else ""
    console.print(f"[bold]A trade around an event[/bold]{name}\n")
    for finding in findings(result):
        colour = COLOURS.get(finding.status, "red")
        mark = "" if finding.status is Status.OK else f" [{colour}]({finding.status})[/{colour}]"
        console.print(f"• {escape(finding.text)}{mark}")
    console.print()
    console.print(_legs(result))
    if result.ratios:
        console.print(_ratios(result))
    console.print(_looks(result))
    console.print(_rules(result))
    console.print("[bold]It suits a holder who thinks that[/bold]:")
    for said in result.suits:
        console.print(f"• {escape(said)}")
    console.print(f"\nReport: {report}")


def _legs(result: TradeResult) -> Table:
    unit = result.unit
    table = _table(f"Legs at the onset, {unit}; Greeks of all that is held", "leg")
    names = ("vol", "one costs", "worth", "delta", "gamma/$1,000", "vega/point", "theta/day")
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    form = ".4f" if result.trade.legs.inverse else ",.1f"
    for leg in result.legs:
        table.add_row(
            leg_words(leg), percent(leg.vol, sign=False), f"{leg.price:{form}}",
            *_greeks(leg.held, form),
        )  # fmt: skip
    table.add_row("whole", "", "", *_greeks(result.whole, form))
    return table


def _ratios(result: TradeResult) -> Table:
    table = _table("Near structures to one of the rest, neutral at the onset", "neutral in")
    table.add_column("ratio", overflow="fold")
    for ratio in result.ratios:
        table.add_row(ratio.by, escape(ratio_words(ratio)))
    return table


def _looks(result: TradeResult) -> Table:
    table = _table("Along the price", "look")
    for name in ("break-evens", "most", "at", "least", "at"):
        table.add_column(name, justify="left" if name == "break-evens" else "right")
    for p in result.profiles:
        e = p.evens
        table.add_row(
            p.label, evens_words(e), amount(e.highest, result), price(e.highest_at),
            amount(e.lowest, result), price(e.lowest_at),
        )  # fmt: skip
    return table


def _rules(result: TradeResult) -> Table:
    table = _table(f"Rules on simulated paths, {result.unit}", "rule")
    for name in ("mean", "± error", "sd", "worst 1%, mean", "lose", "stopped", "costs"):
        table.add_column(name, justify="right")
    form = ".4f" if result.trade.legs.inverse else ",.0f"
    for rule in result.rules:
        law = rule.law
        table.add_row(
            rule.name, f"{law.mean:+{form}}", f"{law.mean_error:{form}}", f"{law.sd:{form}}",
            f"{law.shortfall:+{form}}", percent(law.loss.share, sign=False),
            percent(rule.stopped.share, sign=False) if rule.stopped.happened else NONE,
            f"{rule.costs:{form}}",
        )  # fmt: skip
    return table


def _table(title: str, first: str) -> Table:
    table = Table(title=escape(title), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold")
    return table


def _greeks(g: PositionGreeks, form: str) -> tuple[str, ...]:
    return (
        f"{float(g.value):+{form}}", f"{float(g.delta):+.4f}", f"{1000.0 * float(g.gamma):+.4f}",
        f"{float(g.vega):+{form}}", f"{float(g.theta):+{form}}",
    )  # fmt: skip
