"""The states in a terminal: the verdict, a row a rung, the states, the score, the hedge."""

from __future__ import annotations

import math
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from eventtape.arrays import Status
from eventtape.cli.terminal import COLOURS, NONE
from eventtape.studies.states_findings import estimate_words, findings, price_words
from eventtape.studies.states_rows import Estimate, Rung, StatesResult, StatesRow
from eventtape.studies.words import percent, span

__all__ = ["show_states"]

_MOST_FINDINGS = 40


def show_states(result: StatesResult, report: Path) -> None:
    """Print the study: banner where simulated, findings, tables, and where the page is."""
    console = Console()
    if result.simulated:
        words = "SIMULATED DATA: no number below is a market's"
        console.print(Panel(words, style="bold white on red"))
    for note in result.notes:
        console.print(f"[dim]{escape(note)}[/dim]")
    title = "[bold]What the market would look like under either outcome[/bold]:"
    console.print(
        f"{title} {escape(result.event)}; probability: {escape(result.probability.label)}\n"
    )
    said = findings(result)
    for finding in said[:_MOST_FINDINGS]:
        colour = COLOURS.get(finding.status, "red")
        mark = "" if finding.status is Status.OK else f" [{colour}]({finding.status})[/{colour}]"
        console.print(f"• {escape(finding.text)}{mark}")
    if len(said) > _MOST_FINDINGS:
        console.print(f"• and {len(said) - _MOST_FINDINGS} more in the report")
    console.print()
    for row in result.rows:
        console.print(_rungs(row, result))
        if any(rung.mean_1.known for rung in row.rungs):
            console.print(_numbers(row, result))
        if row.scores:
            console.print(_scores(row))
    console.print(f"Report: {report}")


def _rungs(row: StatesRow, result: StatesResult) -> Table:
    """Rung, assumption, gap, interval, status, reason."""
    level = f"{result.config.level:.0%}"
    title = f"{result.label(row)}: log(mean if it happens / mean if not), {level} interval"
    table = Table(title=escape(title), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("rung", "assumption", "gap", "interval", "status", "reason"):
        right = name in {"gap", "interval"}
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for rung in row.rungs:
        colour = "green" if rung.status is Status.OK else COLOURS.get(rung.status, "red")
        known = rung.gap.known
        number = known and math.isfinite(rung.gap.value)
        table.add_row(
            rung.name,
            rung.assumption,
            percent(rung.gap.value) if number else NONE,
            span(rung.gap.lower, rung.gap.upper) if known else NONE,
            f"[{colour}]{rung.status}[/{colour}]",
            escape(rung.reason) or NONE,
        )
    return table


def _numbers(row: StatesRow, result: StatesResult) -> Table:
    """Means and volatilities under either outcome, of the rungs that have any."""
    title = f"{result.label(row)}: mean at expiry and volatility per year, if it happens and if not"
    table = Table(title=escape(title), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("rung")
    for name in ("mean if so", "mean if not", "volatility if so", "if not"):
        table.add_column(name, justify="right", overflow="fold")
    for rung in row.rungs:
        if rung.mean_1.known:
            table.add_row(rung.name, *_cells(rung))
    return table


def _cells(rung: Rung) -> tuple[str, ...]:
    return (
        price_words(rung.mean_1),
        price_words(rung.mean_0),
        _vol(rung.vol_1),
        _vol(rung.vol_0),
    )


def _vol(vol: Estimate) -> str:
    return estimate_words(vol).replace("+", "")


def _scores(row: StatesRow) -> Table:
    """What each rung said the price would do, and what it did."""
    assert row.realised is not None
    came = "it happened" if row.realised.happened else "it did not happen"
    title = f"After the event ({came}): the predicted move, log return, and the realised one"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("rung", "predicted", "interval", "realised", "inside"):
        table.add_column(name, justify="left" if name == "rung" else "right")
    for score in row.scores:
        known = score.inside is not None
        number = math.isfinite(score.predicted)
        table.add_row(
            score.rung,
            percent(score.predicted) if number else NONE,
            span(score.lower, score.upper) if known else str(score.status),
            percent(score.realised),
            NONE if not known else "yes" if score.inside else "no",
        )
    return table
