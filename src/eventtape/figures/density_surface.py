"""All expiries of one underlying together: densities one above the other, total variance, term.

Total variance, vol^2 tau, may not fall from one expiry to the next at any log-moneyness: where two
lines cross there is calendar arbitrage, and the crossing is marked.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from bokeh.palettes import Viridis256
from bokeh.plotting import figure

from eventtape.estimators.density.no_arbitrage import CheckName
from eventtape.figures import style
from eventtape.figures.smile import density_frame, strikes_shown
from eventtape.figures.words import plain
from eventtape.studies.densities_findings import sure, width
from eventtape.studies.densities_rows import ChainDensity, DensitiesResult

__all__ = ["ridge_figure", "term_figure", "variance_figure"]

_OVERLAP = 1.9  # heights of a row that its density may fill
_LEGEND = 8  # lines that a legend can name before it is longer than the figure


def ridge_figure(chains: tuple[ChainDensity, ...], result: DensitiesResult) -> figure:
    """The density of each expiry above its date, all drawn to one height, by price."""
    ends = [strikes_shown(chain) for chain in chains]
    forwards = [chain.density.forward for chain in chains if chain.density is not None]
    low = max(min(end.low for end in ends), 0.35 * min(forwards))
    high = min(max(end.high for end in ends), 2.0 * max(forwards))
    n = len(chains)
    fig = density_frame(
        result,
        title=f"{plain(chains[0].underlying)}: density by expiry\nfaint: beyond the strikes used",
        height=130 + max(26 * n, 120),
        x=style.Limits(low, high),
        y=style.Limits(-0.6 - (0.6 if result.simulated else 0.0), n - 1 + _OVERLAP + 0.1),
        x_label="price at expiry",
    )
    colours = _colours(n)
    for row, (chain, colour) in reversed(list(enumerate(zip(chains, colours, strict=True)))):
        shown = chain.grid.filter(pl.col("strike").is_between(low, high))
        pdf = shown["pdf"].to_numpy()
        y = row + _OVERLAP * pdf / pdf.max()
        data = style.source(
            chain.expiry, x=shown["strike"], y=y, base=np.full(y.size, float(row)),
            below=100.0 * shown["cdf"], expiry=[chain.expiry] * y.size,
        )  # fmt: skip
        fig.varea("x", "base", "y", source=data, color=colour, fill_alpha=0.35)
        used = np.where(shown["beyond"].to_numpy(), math.nan, y)
        inner = style.source(f"{chain.expiry} quoted", x=shown["strike"], y=used)
        fig.line("x", "y", source=inner, color=colour, line_width=2)
        line = fig.line("x", "y", source=data, color=colour, line_width=1, line_alpha=0.5)
        tips = [("expiry", "@expiry"), ("price", "@x{0,0.##}"), ("below", "@below{0.0}%")]
        style.add_hover(fig, [line], tips)
    fig.yaxis.ticker = list(range(n))
    fig.yaxis.major_label_overrides = {i: _day(chain) for i, chain in enumerate(chains)}
    return fig


def variance_figure(
    chains: tuple[ChainDensity, ...], result: DensitiesResult, *, height: int = style.WIDE
) -> figure:
    """Total variance by log-moneyness, a line an expiry, crossings marked."""
    lines = []
    for chain in chains:
        law = chain.density
        assert law is not None
        inner = chain.grid.filter(~pl.col("beyond"))
        k = np.log(inner["strike"].to_numpy() / law.forward)
        lines.append((chain, k, inner["vol"].to_numpy() ** 2 * chain.tau))
    x = style.range_over(*(k for _, k, _ in lines))
    every = np.concatenate([w for _, _, w in lines])
    y = style.Limits(float(every.min()) * 0.8, float(every.max()) * 1.25)
    fig = density_frame(
        result,
        title=f"{plain(chains[0].underlying)}: total variance by expiry\n"
        "a crossing is calendar arbitrage",
        height=height,
        x=x,
        y=y,
        x_label="log of strike over forward",
        y_label="total variance (log scale)",
        tools=True,
        log=("y",),
    )
    for (chain, k, w), colour in zip(lines, _colours(len(lines)), strict=True):
        data = style.source(
            chain.expiry, x=k, y=w, expiry=[chain.expiry] * k.size,
            vol=100.0 * np.sqrt(w / chain.tau),
        )  # fmt: skip
        line = fig.line(
            "x", "y", source=data, color=colour, line_width=2,
            **style.labelled(_day(chain), when=len(lines) <= _LEGEND),
        )  # fmt: skip
        style.add_hover(
            fig, [line], [("expiry", "@expiry"), ("k", "@x{0.000}"), ("vol", "@vol{0.0}%")]
        )
    marked = _crossings(fig, chains)
    style.legend_below(fig, columns=1 if marked else 3)  # those names are long for a telephone
    return fig


def term_figure(chains: tuple[ChainDensity, ...], result: DensitiesResult) -> figure:
    """Volatility at the forward by days to expiry, with its band."""
    reach = width(result.config.level)
    days = np.array([chain.days for chain in chains])
    vol = np.array([100.0 * chain.atm_vol for chain in chains])
    error = 100.0 * reach * np.array([chain.atm_vol_error for chain in chains])
    fig = density_frame(
        result,
        title=f"{plain(chains[0].underlying)}: volatility at the forward\n"
        f"by days to expiry, {result.config.level:.0%} bands",
        x=style.Limits(0.8 * float(days.min()), 1.25 * float(days.max())),
        y=style.range_over(vol - error, vol + error),
        x_label="days to expiry (log scale)",
        y_label="volatility, % per sqrt(year)",
        log=("x",),
    )
    data = style.source(
        "term", x=days, vol=vol, low=vol - error, high=vol + error,
        expiry=[chain.expiry for chain in chains],
    )  # fmt: skip
    fig.line("x", "vol", source=data, color=style.GREEN, line_width=1, line_alpha=0.6)
    bars = fig.segment("x", "low", "x", "high", source=data, color=style.GREEN, line_width=3)
    dots = fig.scatter("x", "vol", source=data, color=style.GREEN, size=7)
    tips = [
        ("expiry", "@expiry"),
        ("volatility", "@vol{0.00}%"),
        ("band", "@low{0.00} to @high{0.00}"),
    ]
    style.add_hover(fig, [dots, bars], tips)
    return fig


def _crossings(fig: figure, chains: tuple[ChainDensity, ...]) -> bool:
    """A mark at the worst place of each calendar violation; whether there is any."""
    marks: dict[str, list[tuple[float, float, str]]] = {}
    for chain in chains:
        law = chain.density
        for check in chain.violations:
            if check.name is not CheckName.CALENDAR or law is None:
                continue
            k = math.log(check.strike / law.forward)
            at = float(np.interp(check.strike, chain.grid["strike"], chain.grid["vol"]))
            kind = "crossing, two errors or more" if sure(check) else "crossing within its error"
            size = f"{-check.over_error:.1f} errors before {_day(chain)}"
            marks.setdefault(kind, []).append((k, at * at * chain.tau, size))
    for kind, found in marks.items():
        x, y, why = zip(*found, strict=True)
        data = style.source(kind, x=list(x), y=list(y), why=list(why))
        filled = style.VERMILLION if "two" in kind else None
        dots = fig.scatter(
            "x", "y", source=data, size=11, marker="diamond", line_color=style.VERMILLION,
            fill_color=filled, line_width=2, **style.labelled(kind),
        )  # fmt: skip
        style.add_hover(fig, [dots], [("calendar", "@why")])
    return bool(marks)


def _day(chain: ChainDensity) -> str:
    return chain.expiry[:10]


def _colours(n: int) -> list[str]:
    """Dark to light by expiry, legible on white and on near-black."""
    places = np.linspace(40, 200, max(n, 2)).round().astype(int)
    return [Viridis256[i] for i in places[:n]]
