"""The panel study in a terminal: findings, who was named, speeds, and the placebo beside them."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from eventtape.arrays import Status
from eventtape.cli.terminal import COLOURS, NONE
from eventtape.clock import format_ns
from eventtape.studies.findings import minutes
from eventtape.studies.panel_findings import findings, reasons, sessions_words
from eventtape.studies.panel_leadership_rows import PanelLeadership

__all__ = ["show_leadership"]


def show_leadership(result: PanelLeadership, report: Path) -> None:
    """Print the study: banner where simulated, findings, tables, and where the page is."""
    console = Console()
    if result.simulated:
        words = "SIMULATED DATA: no number below is a market's"
        console.print(Panel(words, style="bold white on red"))
    if result.truth:
        console.print(f"[bold]Truth:[/bold] {escape(result.truth)}\n")
    first, last = (format_ns(ns, seconds=False) for ns in (result.from_ns, result.to_ns))
    n = result.series.height
    console.print(
        f"[bold]Who moves first among {n} series[/bold], {first} to {last}, "
        f"{sessions_words(result)} at {minutes(result.step_s)}, data {escape(result.data)}\n"
    )
    for finding in findings(result):
        colour = COLOURS.get(finding.status, "red")
        mark = "" if finding.status is Status.OK else f" [{colour}]({finding.status})[/{colour}]"
        console.print(f"• {escape(finding.text)}{mark}")
    console.print()
    for table in (_pairs(result), _speeds(result), _groups(result), _coarse(result)):
        if table is not None:
            console.print(table)
    console.print(f"Report: {report}")


def _pairs(result: PanelLeadership) -> Table | None:
    if result.pairs.is_empty():
        return None
    shown = result.pairs.filter(pl.col("leader").is_not_null() | pl.col("pils_lower").is_not_null())
    if shown.is_empty():
        return None
    counted = ", ".join(f"{n} {why}" for why, n in reasons(result.pairs)) or "none"
    table = _table(
        f"Pairs that share one trend; refused: {counted}",
        "pair",
        "leader",
        "PILS of the first",
        "interval",
    )
    for r in shown.iter_rows(named=True):
        table.add_row(
            escape(f"{r['first']} · {r['second']}"),
            escape(r["leader"] or NONE),
            _number(r["pils"]),
            _span(r["pils_lower"], r["pils_upper"]),
        )
    return table


def _speeds(result: PanelLeadership) -> Table | None:
    if result.speeds.is_empty():
        return None
    table = _table(
        f"Speed for permanent shocks, {result.config.level:.0%} interval",
        *("asset", "factor", "speed", "interval", "less the factor's", "its interval", "leader"),
    )
    for r in result.speeds.iter_rows(named=True):
        table.add_row(
            escape(r["name"]),
            escape(r["factor"]),
            _number(r["speed"]),
            _span(r["lower"], r["upper"]) if r["speed"] is not None else r["reason"],
            _number(r["lead"]),
            _span(r["lead_lower"], r["lead_upper"]),
            escape(r["leader"] or NONE),
        )
    return table


def _groups(result: PanelLeadership) -> Table | None:
    if result.groups.is_empty():
        return None
    table = _table("Speed of groups", "group", "regime", "factor", "speed", "interval", "members")
    for r in result.groups.iter_rows(named=True):
        table.add_row(
            escape(r["group"]),
            r["regime"],
            escape(r["factor"]),
            _number(r["speed"]),
            _span(r["lower"], r["upper"]) if r["speed"] is not None else r["reason"],
            str(r["n_members"]),
        )
    return table


def _coarse(result: PanelLeadership) -> Table | None:
    """Verdicts by step, counted."""
    if result.resolution.is_empty():
        return None
    verdicts = sorted(result.resolution["verdict"].unique())
    table = _table("Pairs by step", "step", *verdicts)
    for (step,), part in result.resolution.group_by("step_s", maintain_order=True):
        counted = [str(part.filter(verdict=verdict).height) for verdict in verdicts]
        table.add_row(minutes(float(step)), *counted)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title)
    for name in columns:
        table.add_column(name)
    return table


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def _span(lower: float | None, upper: float | None) -> str:
    if lower is None or upper is None:
        return NONE
    return "no end" if math.isinf(lower) and math.isinf(upper) else f"{lower:.2f} to {upper:.2f}"
