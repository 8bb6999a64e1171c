"""The densities in a terminal: findings, a row an expiry, arbitrage and the quotes left out."""

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
from eventtape.studies.densities_findings import (
    arbitrage_words,
    findings,
    left_out_words,
    price,
    price_with_error,
    width,
)
from eventtape.studies.densities_rows import ChainDensity, DensitiesResult

__all__ = ["show_densities"]


def show_densities(result: DensitiesResult, report: Path) -> None:
    """Print the study: banner where simulated, findings, tables, and where the page is."""
    console = Console()
    if result.simulated:
        words = "SIMULATED DATA: no number below is a market's"
        console.print(Panel(words, style="bold white on red"))
    for note in result.notes:
        console.print(f"[dim]{escape(note)}[/dim]")
    moments = sorted({chain.at_ns for chain in result.chains})
    when = ", ".join(format_ns(ns) for ns in moments[:2])
    console.print(f"[bold]The law that options give the price[/bold], as of {when}\n")
    for finding in findings(result):
        colour = COLOURS.get(finding.status, "red")
        mark = "" if finding.status is Status.OK else f" [{colour}]({finding.status})[/{colour}]"
        console.print(f"• {escape(finding.text)}{mark}")
    console.print()
    if result.found:
        console.print(_laws(result))
        console.print(_trust(result))
    console.print(f"Report: {report}")


def _laws(result: DensitiesResult) -> Table:
    """Where the law is: forward, volatility, skew and quantiles."""
    config = result.config
    title = f"Forward ± standard error; volatility, %, ± {config.level:.0%} band; skewness"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("expiry", no_wrap=True)
    for name in ("days", "forward ±", "volatility ±", "skew"):
        least = 9 if "±" in name else None
        table.add_column(name, justify="right", no_wrap=least is None, min_width=least)
    for p in config.probabilities:
        table.add_column(f"{100 * p:g}%", justify="right", no_wrap=True)
    for chain in result.found:
        law = chain.density
        assert law is not None
        band = 100.0 * width(config.level) * chain.atm_vol_error
        table.add_row(
            escape(result.label(chain)),
            f"{chain.days:.1f}",
            price_with_error(law.forward, law.forward_error),
            f"{100 * chain.atm_vol:.2f} ± {band:.2f}",
            _skewness(chain),
            *(_quantile(chain, i) for i in range(len(config.probabilities))),
        )
    return table


def _trust(result: DensitiesResult) -> Table:
    """How far it may be believed: tails, negative mass, arbitrage, quotes used."""
    title = "Probability beyond the quotes, negative mass, arbitrage, quotes used and not"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    names = ("expiry", "below", "above", "negative", "arbitrage", "used", "left out")
    for name in names:
        left = name in {"expiry", "arbitrage", "left out"}
        table.add_column(
            name, justify="left" if left else "right", overflow="fold", no_wrap=name == "expiry"
        )
    for chain in result.found:
        law, tails = chain.density, chain.tails
        assert law is not None
        assert tails is not None
        negative = f"{law.negative_mass:.1e}" if law.negative_mass > 0.0 else "0"
        table.add_row(
            escape(result.label(chain)),
            f"{tails.mass_below:.2%}",
            f"{tails.mass_above:.2%}",
            negative,
            escape(arbitrage_words(chain)),
            f"{chain.fates['used']} of {chain.quotes.height}",
            escape(left_out_words(chain)),
        )
    return table


def _quantile(chain: ChainDensity, index: int) -> str:
    """A quantile to the digits its error bears out; the page has the error itself."""
    found = chain.quantiles
    if found is None:
        return NONE
    return price(float(found.prices[index]), float(found.errors[index]))


def _skewness(chain: ChainDensity) -> str:
    found = chain.moments
    if found is None or not math.isfinite(found.log_return.skewness):
        return NONE
    return f"{found.log_return.skewness:.2f}"
