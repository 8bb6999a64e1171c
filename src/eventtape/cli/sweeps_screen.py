"""The study of sweeps and leadership in a terminal: the sentence, the effect, the controls."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from eventtape.arrays import Status
from eventtape.cli import tick_screen
from eventtape.cli.terminal import COLOURS, NONE
from eventtape.studies.iso_leadership_rows import IsoLeadership, IsoRow

__all__ = ["show"]


def show(result: IsoLeadership, told: dict[str, Any]) -> None:
    """Print the banner where simulated, the totals, the sentence, the tables and the health."""
    console = Console()
    tick_screen.banner(console, simulated=told["simulated"])
    tick_screen.totals({**told, "buckets": told["windows"]})
    colour = COLOURS.get(result.status, "red")
    mark = "" if result.status is Status.OK else f" [{colour}]({result.status})[/{colour}]"
    for finding in told["findings"]:
        console.print(f"• {escape(finding['text'])}{mark}")
    console.print(_effect(result))
    if math.isfinite(result.per_sd):
        console.print(_controls(result))
    console.print(tick_screen.health(told["health"]))
    print(f"Written: {told['out']}")


def _effect(result: IsoLeadership) -> Table:
    """The effect per unit of share and per standard deviation, and both p-values."""
    row = result.effect
    table = Table(title=f"Score of the next window ({result.config.every}) on the share of sweeps")
    level = f"{100.0 * result.config.level:g}% interval"
    for name in ("", "value", level):
        table.add_column(name, justify="left" if not name else "right")
    sd = result.share_sd
    table.add_row("per unit of share", _number(row.coefficient), _span(row.lower, row.upper))
    table.add_row(
        "per standard deviation", _number(result.per_sd), _span(sd * row.lower, sd * row.upper)
    )
    table.add_row("p, clustered by symbol and window", _share(row.p_value), "")
    table.add_row(f"p, placebo of {result.n_shifts:,} shifts", _share(result.placebo_p), "")
    table.add_row("symbols", f"{result.n_symbols:,}", "")
    table.add_row("windows", f"{result.n_windows:,}", "")
    table.add_row("rows used", f"{result.n_rows:,}", "")
    table.add_row("rows without a next, or a number missing", f"{result.n_missing:,}", "")
    return table


def _controls(result: IsoLeadership) -> Table:
    table = Table(title="Controls, score per unit")
    for name in ("control", "value", f"{100.0 * result.config.level:g}% interval", "p"):
        table.add_column(name, justify="left" if name == "control" else "right")
    for row in result.controls:
        table.add_row(*_row(row))
    return table


def _row(row: IsoRow) -> tuple[str, str, str, str]:
    span = _span(row.lower, row.upper)
    return escape(row.name), _number(row.coefficient), span, _share(row.p_value)


def _number(value: float) -> str:
    return NONE if math.isnan(value) else f"{value:+.4f}"


def _share(value: float) -> str:
    return NONE if math.isnan(value) else f"{value:.3f}"


def _span(lower: float, upper: float) -> str:
    return NONE if math.isnan(lower) else f"{lower:+.4f} to {upper:+.4f}"
