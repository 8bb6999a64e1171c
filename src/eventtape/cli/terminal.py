"""The study in a terminal: tables and sentences, drawn with rich."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from eventtape.arrays import Status
from eventtape.clock import format_ns
from eventtape.studies.findings import findings, minutes, percent, span
from eventtape.studies.leadership_findings import (
    between,
    measured_by,
    placebo_sentence,
    q_words,
    step_words,
    trend_caution,
)

if TYPE_CHECKING:
    import polars as pl

    from eventtape.studies import DiffusionResult

COLOURS = {Status.OK: "green", Status.NOT_RESOLVED: "yellow", Status.NOT_IDENTIFIED: "yellow"}
NONE = "—"


def show_diffusion(result: DiffusionResult, report: Path) -> None:
    """Print the study: banner where simulated, findings, gaps, scorecard, and where the page is."""
    console = Console()
    if result.simulated:
        console.print(
            Panel("SIMULATED DATA: no number below is a market's", style="bold white on red")
        )
    window = f"{format_ns(result.event.start_ns, seconds=False)} to "
    window += format_ns(result.event.end_ns, seconds=False)
    console.print(f"[bold]{escape(result.event.title)}[/bold], {window}\n")
    for finding in findings(result):
        colour = COLOURS.get(finding.status, "red")
        mark = "" if finding.status is Status.OK else f" [{colour}]({finding.status})[/{colour}]"
        console.print(f"• {escape(finding.text)}{mark}")
    console.print()
    console.print(_gaps(result))
    console.print(_leaders(result))
    console.print(_scores(result))
    console.print(f"Report: {report}")


def _gaps(result: DiffusionResult) -> Table:
    table = Table(title=f"Log return per unit of probability, {result.config.level:.0%} interval")
    table.add_column("market")
    for horizon in result.config.horizons_s:
        table.add_column(minutes(horizon), justify="right")
    by_market: dict[str, list[str]] = {}
    for row in result.gaps:
        e = row.estimate
        known = row.status is Status.OK
        cell = f"{percent(e.gap)}\n{span(e.lower, e.upper)}" if known else f"{NONE}\n{row.status}"
        by_market.setdefault(row.market, []).append(cell)
    for market, cells in by_market.items():
        table.add_row(escape(market), *cells)
    return table


def _leaders(result: DiffusionResult) -> Table:
    """Every leader that is identified, by method and step, and what the rules find on noise."""
    caption = " ".join(filter(None, (placebo_sentence(result), trend_caution(result))))
    title = f"Who moved first, {result.config.level:.0%} interval"
    table = Table(title=title, caption=caption or None)
    for name in ("leader", "follower", "method", "step", "by", "interval", "q"):
        table.add_column(name, justify="right" if name in {"by", "interval", "q"} else "left")
    led = [edge for edge in result.leadership.edges if edge.leader is not None]
    for edge in led:
        table.add_row(
            escape(str(edge.leader)),
            escape(str(edge.follower)),
            edge.method,
            step_words(edge),
            measured_by(edge) or NONE,
            between(edge) or NONE,
            q_words(edge, result),
        )
    if not led:
        table.add_row("nobody", *[NONE] * 6)
    return table


def _scores(result: DiffusionResult) -> Table:
    table = Table(title="Predicted from the data before the scored window, beside the realised")
    for name in ("market", "scored window", "predicted", "interval", "realised"):
        table.add_column(name, justify="left" if name == "market" else "right")
    for row in result.scores:
        if row.sample != "out":
            continue
        window = f"{format_ns(row.from_ns)[11:16]} to {format_ns(row.to_ns)[11:16]} UTC"
        known = row.status is Status.OK
        table.add_row(
            escape(row.market),
            window,
            percent(row.predicted) if known else NONE,
            span(row.lower, row.upper) if known else str(row.status),
            NONE if math.isnan(row.realised) else percent(row.realised),
        )
    return table


def show_calibration(table: pl.DataFrame, nights: int, design: str) -> None:
    """Print measured rates beside the nominal ones."""
    out = Table(title=f"{nights} simulated nights ({design}) and their placebos")
    for name in ("quantity", "detail", "nominal", "measured", "95% of it", "answered"):
        out.add_column(name)
    for row in table.to_dicts():
        rate = row["rate"]
        out.add_row(
            row["quantity"],
            row["detail"],
            f"{row['nominal']:.0%}",
            NONE if rate is None else f"{rate:.1%}",
            NONE if rate is None else f"{row['rate_low']:.1%} to {row['rate_high']:.1%}",
            f"{row['answered']} of {row['asked']}",
        )
    Console().print(out)


def show_frame(frame: pl.DataFrame, *, as_json: bool, empty: str) -> None:
    """Print a frame as a table, or as JSON rows."""
    if as_json:
        sys.stdout.write(frame.write_json() + "\n")
        return
    if frame.is_empty():
        print(empty)
        return
    table = Table()
    for name in frame.columns:
        side = "right" if frame[name].dtype.is_numeric() else "left"
        table.add_column(name, justify=side, overflow="fold")  # type: ignore[arg-type]
    for row in frame.iter_rows():
        table.add_row(*(NONE if value is None else escape(str(value)) for value in row))
    Console().print(table)
