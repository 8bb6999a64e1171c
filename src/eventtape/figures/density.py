"""The density of one expiry with its band, its tails and its forward; the distribution beside it.

Densities are in percent of probability per 1% of the forward, so that a year of an index and a week
of a stock can be read alike. What lies beyond the last strikes used is filled and its probability
said; a density below 0, which is arbitrage, is filled in red.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import polars as pl
from bokeh.models import Range1d
from bokeh.models.annotations import Label
from bokeh.plotting import figure

from eventtape.figures import style
from eventtape.figures.smile import (
    REPAIRED,
    TRUTH,
    density_frame,
    mark_forward,
    shade_tails,
    strikes_shown,
    titled,
)
from eventtape.figures.themes import SANS
from eventtape.studies.densities_findings import width
from eventtape.studies.densities_rows import ChainDensity, DensitiesResult

__all__ = ["cdf_figure", "density_figure"]

_LAW = style.BLUE
_OTHERS = {
    "two lognormals": style.ORANGE,
    "SVI": style.GREEN,
    "Kou jump diffusion": style.SKY,
}


def density_figure(
    chain: ChainDensity, result: DensitiesResult, *, height: int = style.WIDE
) -> figure:
    """The density by strike, % of probability per 1% of the forward, with band and tails."""
    title = f"{titled(chain, result)}: density\nshaded: beyond the strikes used"
    if not chain.found or chain.density is None:
        return _refused(chain, result, title, height, "probability per 1% of forward, %")
    law, span = chain.density, strikes_shown(chain)
    forward, reach = law.forward, width(result.config.level)
    shown = chain.grid.filter(pl.col("strike").is_between(span.low, span.high))
    pdf, error = forward * shown["pdf"], forward * reach * shown["pdf_error"]
    y = style.range_over(pdf, include=[0.0, float((pdf + 0.5 * error).max() or 0.0)])  # type: ignore[arg-type]
    room = 0.12 * (y.high - y.low) if result.simulated else 0.0
    fig = density_frame(
        result,
        title=title,
        height=height,
        x=span,
        y=style.Limits(y.low - room, y.high + 0.12 * (y.high - y.low)),
        x_label="price at expiry",
        y_label="probability per 1% of forward, %",
        tools=True,
    )
    shade_tails(fig, chain)
    style.add_zero(fig)
    data = style.source(
        "density", x=shown["strike"], pdf=pdf, low=pdf - error, high=pdf + error,
        cdf=100.0 * shown["cdf"],
    )  # fmt: skip
    fig.varea("x", "low", "high", source=data, color=_LAW, fill_alpha=0.25)
    line = fig.line(
        "x", "pdf", source=data, color=_LAW, line_width=2,
        **style.labelled(f"density, {result.config.level:.0%} band"),
    )  # fmt: skip
    tips = [("price", "@x{0,0.##}"), ("density", "@pdf{0.000}"), ("below", "@cdf{0.00}%")]
    style.add_hover(fig, [line], tips)
    _negative(fig, shown["strike"], pdf)
    if chain.truth is not None:
        _curve(fig, chain, "truth_pdf", forward, "simulated truth", TRUTH, span)
    if chain.repaired is not None and chain.repaired.changed:
        _curve(fig, chain, "repaired_pdf", forward, "repaired", REPAIRED, span)
    inside = chain.grid["strike"].is_between(span.low, span.high).to_numpy()
    for check in chain.cross_checks:
        if np.isfinite(check.pdf).all():
            other = style.source(check.name, x=shown["strike"], pdf=forward * check.pdf[inside])
            fig.line(
                "x", "pdf", source=other, color=_OTHERS[check.name], line_width=1.5,
                line_dash="dotted", **style.labelled(check.name),
            )  # fmt: skip
    _masses(fig, chain, span)
    mark_forward(fig, chain)
    style.legend_below(fig, columns=2)
    return fig


def cdf_figure(chain: ChainDensity, result: DensitiesResult) -> figure:
    """The distribution by strike: probability that the price ends below, in percent."""
    title = f"{titled(chain, result)}: distribution\nprobability below the price"
    if not chain.found:
        return _refused(chain, result, title, style.NARROW, "probability below, %")
    span, reach = strikes_shown(chain), width(result.config.level)
    shown = chain.grid.filter(pl.col("strike").is_between(span.low, span.high))
    fig = density_frame(
        result, title=title, x=span, y=style.Limits(-4.0, 104.0), x_label="price at expiry",
        y_label="probability below, %",
    )  # fmt: skip
    shade_tails(fig, chain)
    error = reach * shown["cdf_error"]
    data = style.source(
        "distribution", x=shown["strike"], cdf=100.0 * shown["cdf"],
        low=100.0 * (shown["cdf"] - error), high=100.0 * (shown["cdf"] + error),
    )  # fmt: skip
    fig.varea("x", "low", "high", source=data, color=_LAW, fill_alpha=0.25)
    line = fig.line("x", "cdf", source=data, color=_LAW, line_width=2)
    style.add_hover(fig, [line], [("price", "@x{0,0.##}"), ("below", "@cdf{0.00}%")])
    if chain.truth is not None:
        _curve(fig, chain, "truth_cdf", 100.0, "simulated truth", TRUTH, span)
        style.legend_below(fig)
    return fig


def _curve(
    fig: figure,
    chain: ChainDensity,
    column: str,
    scale: float,
    name: str,
    colour: str,
    span: style.Limits,
) -> None:
    shown = chain.grid.filter(pl.col("strike").is_between(span.low, span.high))
    data = style.source(name, x=shown["strike"], y=scale * shown[column])
    fig.line(
        "x", "y", source=data, color=colour, line_dash="dashed", line_width=2,
        **style.labelled(name),
    )  # fmt: skip


def _negative(fig: figure, strikes: pl.Series, pdf: pl.Series) -> None:
    """The parts below 0, filled."""
    below = np.minimum(pdf.to_numpy(), 0.0)
    if not (below < 0.0).any():
        return
    data = style.source("negative", x=strikes, y=below, zero=np.zeros(below.size))
    fig.varea(
        "x", "y", "zero", source=data, color=style.VERMILLION, fill_alpha=0.8,
        **style.labelled("below 0: arbitrage"),
    )  # fmt: skip


def _masses(fig: figure, chain: ChainDensity, span: style.Limits) -> None:
    """How much probability lies beyond the strikes used, in words at either side."""
    tails, top = chain.tails, cast("float", cast("Range1d", fig.y_range).end)
    assert tails is not None
    for at, shift, mass, where in (
        (span.low, 4, tails.mass_below, "below"),
        (span.high, -4, tails.mass_above, "above"),
    ):
        fig.add_layout(
            Label(
                x=at,
                y=top,
                x_offset=shift,
                y_offset=-4,
                text_align="left" if where == "below" else "right",
                text_baseline="top",
                text=f"{mass:.2%} {where}",
                text_font=SANS,
                text_font_size="11px",
                text_color=style.INK,
                name=f"mass {where}",
            )
        )


def _refused(
    chain: ChainDensity, result: DensitiesResult, title: str, height: int, y_label: str
) -> figure:
    strikes = chain.quotes["strike"].to_list()
    fig = density_frame(
        result, title=title, height=height, x=style.range_over(strikes), y=style.Limits(0.0, 1.0),
        x_label="price at expiry", y_label=y_label,
    )  # fmt: skip
    fig.yaxis.major_label_text_color = None
    style.add_refusal(fig, f"— {chain.reason or chain.status}")
    return fig
