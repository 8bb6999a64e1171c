"""The premiums in a terminal: the answer, the term structure, the kinds, the named ways beside."""

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
from eventtape.clock import format_ns
from eventtape.studies.premium_findings import findings, size_words
from eventtape.studies.premium_rows import PremiumResult, PremiumRow
from eventtape.studies.words import percent

__all__ = ["show_premium"]

_MOST_FINDINGS = 40


def show_premium(result: PremiumResult, report: Path) -> None:
    """Print the study: banner where simulated, findings, tables, and where the page is."""
    console = Console()
    if result.simulated:
        words = "SIMULATED DATA: no number below is a market's"
        console.print(Panel(words, style="bold white on red"))
    for note in result.notes:
        console.print(f"[dim]{escape(note)}[/dim]")
    console.print("[bold]What dated events are worth in option volatility[/bold]\n")
    said = findings(result)
    for finding in said[:_MOST_FINDINGS]:
        colour = COLOURS.get(finding.status, "red")
        mark = "" if finding.status is Status.OK else f" [{colour}]({finding.status})[/{colour}]"
        console.print(f"• {escape(finding.text)}{mark}")
    if len(said) > _MOST_FINDINGS:
        console.print(f"• and {len(said) - _MOST_FINDINGS} more in the report")
    console.print()
    for row in result.rows:
        console.print(_terms(row, result))
        if row.premium.kinds:
            console.print(_kinds(row, result))
        if row.named:
            console.print(_named(row))
    if result.market is not None:
        console.print(_markets(result))
    console.print(f"Report: {report}")


def _table(title: str, left: int, *names: str) -> Table:
    table = Table(title=escape(title), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for i, name in enumerate(names):
        table.add_column(name, justify="left" if i < left else "right", overflow="fold")
    return table


def _terms(row: PremiumRow, result: PremiumResult) -> Table:
    """Columns A to G of the hand-made table in percent, and the base of the fit."""
    strip = row.strips[0] if row.strips else None
    name = f"{row.label} as of {format_ns(row.term.at_ns, seconds=False)}"
    taken = "" if strip is None else f"; {percent(strip.size, sign=False)} taken out ({strip.name})"
    level = f"{result.config.level:.0%}"
    names = ("expiry", "IV", "daily", "days", "variance", "left", "daily left", "IV left",
             "base of the fit", f"{level} interval")  # fmt: skip
    table = _table(f"{name}: percent, variance in percent squared{taken}", 1, *names)
    p = row.premium
    for i, expiry in enumerate(row.term.expiries_ns.tolist()):
        if strip is None:
            made = [_vol(float(row.term.iv[i])), *[NONE] * 6]
        else:
            t = strip.table
            made = [
                _vol(float(t.iv[i])),
                _number(100.0 * float(t.daily[i]), 3),
                _number(float(t.days[i]), 2),
                _number(1e4 * float(t.variance[i]), 2),
                _number(1e4 * float(t.stripped_variance[i]), 2),
                _number(100.0 * float(t.stripped_daily[i]), 3),
                _vol(float(t.stripped_iv[i])),
            ]
        ends = f"{_vol(float(p.base_lower[i]))} to {_vol(float(p.base_upper[i]))}"
        known = math.isfinite(float(p.base_lower[i]))
        when = format_ns(expiry, seconds=False).replace("T", " ").removesuffix("Z")
        mark = "*" if i == row.near else ""
        base = _vol(float(p.base_iv[i]))
        table.add_row(f"{when}{mark}", *made, base, ends if known else NONE)
    if row.near >= 0:
        table.caption = "* the first expiry after the event"
    return table


def _kinds(row: PremiumRow, result: PremiumResult) -> Table:
    title = f"{row.label}: one standard deviation of each event, {result.config.level:.0%} interval"
    table = _table(title, 1, "events", "inside", "size", "status", "reason")
    p = row.premium
    for k, kind in enumerate(p.kinds):
        said = size_words(float(p.size[k]), float(p.lower[k]), float(p.upper[k]))
        table.add_row(
            escape(kind), str(int(p.counts[k])), said, _status(p.statuses[k]), escape(p.reasons[k])
        )
    for ridge in p.ridges:
        said = size_words(ridge.size, ridge.lower, ridge.upper)
        first, last = (format_ns(ns, seconds=False) for ns in (ridge.after_ns, ridge.before_ns))
        listing = f"an expiry between {first} and {last} would part them"
        if ridge.after_ns >= ridge.before_ns:
            listing = "events of one moment: no expiry parts them"
        together = f"{' and '.join(ridge.kinds)} together"
        table.add_row(escape(together), "", said, _status(Status.OK), listing)
    return table


def _named(row: PremiumRow) -> Table:
    table = _table(f"{row.label}: the named ways beside the fit", 2, "way", "assumes", "size")
    for one in row.named:
        known = math.isfinite(one.size)
        table.add_row(
            one.name, one.assumption, percent(one.size, sign=False) if known else one.reason
        )
    return table


def _markets(result: PremiumResult) -> Table:
    m = result.market
    assert m is not None
    table = _table("Markets side by side", 1, "market", "size", "ordinary day", "ratio, 365 basis",
                   "ratio, 252 basis", "status")  # fmt: skip
    for i, name in enumerate(m.markets):
        known = m.statuses[i] is Status.OK
        basis = [
            f"{a[i]:.2f} ({low[i]:.2f} to {high[i]:.2f})"
            for a, low, high in (
                (m.ratio_365, m.ratio_365_lower, m.ratio_365_upper),
                (m.ratio_252, m.ratio_252_lower, m.ratio_252_upper),
            )
        ]
        table.add_row(
            escape(name),
            size_words(float(m.size[i]), float(m.lower[i]), float(m.upper[i])),
            percent(float(m.daily_365[i]), sign=False) if known else NONE,
            *(basis if known else [NONE, NONE]),
            _status(m.statuses[i]),
        )
    return table


def _status(status: Status) -> str:
    colour = "green" if status is Status.OK else COLOURS.get(status, "red")
    return f"[{colour}]{status}[/{colour}]"


def _vol(iv: float) -> str:
    return _number(100.0 * iv, 2)


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else NONE
