"""Quotes as volatilities and the smile through them: what is quoted, what is fitted, and how well.

A bar is one quote, from its bid to its ask in volatility; hollow is one that was left out, and the
pointer says why. Beyond the last strikes used, shaded, the line is an assumption.
"""

from __future__ import annotations

import math
from typing import Any, cast

import polars as pl
from bokeh.models import FixedTicker, LogScale, NumeralTickFormatter, Range1d
from bokeh.models.annotations import BoxAnnotation, Span
from bokeh.plotting import figure

from eventtape.figures import style
from eventtape.figures.words import plain
from eventtape.studies import DiffusionResult
from eventtape.studies.densities_findings import price, width
from eventtape.studies.densities_rows import ChainDensity, DensitiesResult

__all__ = [
    "FIT",
    "REPAIRED",
    "TRUTH",
    "density_frame",
    "mark_forward",
    "shade_tails",
    "smile_figure",
]

FIT, TRUTH, REPAIRED = style.GREEN, style.PURPLE, style.VERMILLION
_CALL, _PUT = style.BLUE, style.ORANGE
_DRAWN = 5e-4  # probability beyond which a smile is not drawn, unless it is quoted there


def density_frame(result: DensitiesResult, *, log: tuple[str, ...] = (), **options: Any) -> figure:
    """An empty figure of the house; all it asks of a result is whether it is simulated.

    ``log`` names the axes, x or y, that are logarithmic.
    """
    fig = style.frame(cast("DiffusionResult", result), **options)
    for side in log:
        ends = cast("Range1d", fig.x_range if side == "x" else fig.y_range)
        low, high = cast("tuple[float, float]", (ends.start, ends.end))
        ticks = FixedTicker(ticks=_decade_ticks(low, high))
        setattr(fig, f"{side}_scale", LogScale())
        for part in (*getattr(fig, f"{side}axis"), *getattr(fig, f"{side}grid")):
            part.ticker = ticks
        getattr(fig, f"{side}axis").formatter = NumeralTickFormatter(format="0,0.[00000]")
    return fig


def _decade_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between the ends; Bokeh's own ticker leaves gaps."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [m * 10.0**n for n in powers for m in (1, 2, 5)]
    return [tick for tick in every if low <= tick <= high]


def smile_figure(
    chain: ChainDensity, result: DensitiesResult, *, height: int = style.WIDE
) -> figure:
    """Volatility by strike: each quote from bid to ask, the fitted smile and its band."""
    title = f"{titled(chain, result)}: volatility by strike\nbars are quotes from bid to ask"
    if not chain.found:
        return _refused(chain, result, title, height)
    span = strikes_shown(chain)
    shown = chain.grid.filter(pl.col("strike").is_between(span.low, span.high))
    reach = width(result.config.level)
    low, high = (100.0 * (shown["vol"] + sign * reach * shown["vol_error"]) for sign in (-1.0, 1.0))
    quotes = chain.quotes.filter(pl.col("strike").is_between(span.low, span.high))
    used = quotes.filter(fate="used")
    y = style.range_over(
        100.0 * shown["vol"],
        100.0 * used["mid_vol"].drop_nulls().drop_nans(),
        include=_inside(low, high),
    )
    y = style.Limits(max(y.low, 0.0), y.high)
    fig = density_frame(
        result,
        title=title,
        height=height,
        x=span,
        y=y,
        x_label="strike",
        y_label="volatility, % per sqrt(year)",
        tools=True,
    )
    shade_tails(fig, chain)
    data = style.source("smile", x=shown["strike"], vol=100.0 * shown["vol"], low=low, high=high)
    fig.varea("x", "low", "high", source=data, color=FIT, fill_alpha=0.25)
    line = fig.line(
        "x", "vol", source=data, color=FIT, line_width=2,
        **style.labelled(f"fitted, {result.config.level:.0%} band"),
    )  # fmt: skip
    style.add_hover(fig, [line], [("strike", "@x{0,0.##}"), ("fitted", "@vol{0.00}%")])
    for call, colour in ((True, _CALL), (False, _PUT)):
        _quotes(fig, quotes.filter(is_call=call), "call" if call else "put", colour)
    if chain.truth is not None:
        _truth(fig, chain)
    mark_forward(fig, chain)
    style.legend_below(fig, columns=2)
    return fig


def titled(chain: ChainDensity, result: DensitiesResult) -> str:
    label = result.label(chain)
    return label if label.startswith(chain.underlying) else f"{chain.underlying} {label}"


def strikes_shown(chain: ChainDensity) -> style.Limits:
    """Strikes that are quoted and used, or hold all but a thousandth of the probability."""
    law = chain.density
    assert law is not None
    inside = chain.grid.filter(pl.col("cdf").is_between(_DRAWN, 1.0 - _DRAWN))["strike"]
    ends = [law.tails.low_strike, law.tails.high_strike]
    return style.range_over(inside, include=ends)


def shade_tails(fig: figure, chain: ChainDensity) -> None:
    """A tint beyond the first and last strike used."""
    law = chain.density
    assert law is not None
    ends = {"below the quotes": ("right", law.tails.low_strike)}
    ends["above the quotes"] = ("left", law.tails.high_strike)
    for name, (side, strike) in ends.items():
        box = BoxAnnotation(
            fill_color=style.INK, fill_alpha=0.12, level="underlay", line_color=None, name=name
        )
        setattr(box, side, strike)
        fig.add_layout(box)


def mark_forward(fig: figure, chain: ChainDensity) -> None:
    """A dashed line at the forward, with its name in the legend."""
    law, bottom = chain.density, cast("Range1d", fig.y_range).start
    assert law is not None
    line = Span(
        location=law.forward,
        dimension="height",
        line_color=style.INK,
        line_dash="dashed",
        line_width=1,
        name="forward",
    )
    fig.add_layout(line)
    fig.line(
        [law.forward, law.forward],
        [bottom, bottom],
        color=style.INK,
        line_dash="dashed",
        **style.labelled(f"forward {price(law.forward)}"),
    )


def _inside(low: pl.Series, high: pl.Series) -> list[float]:
    """Band ends that do not drown the smile: the middle nine tenths of them."""
    ends = [low.quantile(0.05), low.quantile(0.95), high.quantile(0.05), high.quantile(0.95)]
    return [end for end in ends if end is not None]


def _quotes(fig: figure, quotes: pl.DataFrame, name: str, colour: str) -> None:
    # An ask alone bounds the volatility from above: its bar begins at 0
    used = quotes.filter(pl.col("ask_vol").is_not_null(), fate="used")
    used = used.with_columns(pl.col("bid_vol").fill_null(0.0))
    out = quotes.filter(pl.col("fate") != "used")
    out = out.with_columns(y=pl.coalesce("mid_vol", "ask_vol", "bid_vol")).filter(
        pl.col("y").is_not_null()
    )
    tips = [
        ("strike", f"@x{{0,0.##}} {name}"),
        ("bid, ask", "@bid{0,0.00##} · @ask{0,0.00##}"),
        ("volatility", "@low{0.00}% to @high{0.00}%"),
        ("", "@fate"),
    ]
    data = style.source(f"{name}s used", **_columns(used), fate=["used"] * used.height)
    bars = fig.segment(
        "x", "low", "x", "high", source=data, color=colour, line_width=3,
        **style.labelled(f"{name}s used", when=used.height),
    )  # fmt: skip
    left = style.source(
        f"{name}s left out",
        **_columns(out),
        y=100.0 * out["y"],
        fate=[f"left out: {plain(fate)}" for fate in out["fate"]],
    )
    rings = fig.scatter(
        "x", "y", source=left, size=6, fill_color=None, line_color=colour, line_alpha=0.6,
        **style.labelled(f"{name}s left out", when=out.height),
    )  # fmt: skip
    style.add_hover(fig, [bars, rings], tips)


def _columns(quotes: pl.DataFrame) -> dict[str, Any]:
    return {
        "x": quotes["strike"],
        "bid": quotes["bid"].fill_null(float("nan")),
        "ask": quotes["ask"].fill_null(float("nan")),
        "low": 100.0 * quotes["bid_vol"].fill_null(float("nan")),
        "high": 100.0 * quotes["ask_vol"].fill_null(float("nan")),
    }


def _truth(fig: figure, chain: ChainDensity) -> None:
    known = chain.grid.filter(pl.col("truth_vol").is_not_null())
    data = style.source("true smile", x=known["strike"], vol=100.0 * known["truth_vol"])
    fig.line(
        "x", "vol", source=data, color=TRUTH, line_dash="dashed", line_width=2,
        **style.labelled("simulated truth"),
    )  # fmt: skip


def _refused(chain: ChainDensity, result: DensitiesResult, title: str, height: int) -> figure:
    """What quotes there are, without a smile, and the reason."""
    quotes = chain.quotes
    x = style.range_over(quotes["strike"].to_list())
    known = quotes.filter(pl.col("mid_vol").is_not_null())
    y = style.range_over(100.0 * known["mid_vol"])
    fig = density_frame(
        result, title=title, height=height, x=x, y=y, x_label="strike",
        y_label="volatility, % per sqrt(year)",
    )  # fmt: skip
    for call, colour in ((True, _CALL), (False, _PUT)):
        _quotes(fig, quotes.filter(is_call=call), "call" if call else "put", colour)
    style.add_refusal(fig, f"— {chain.reason or chain.status}")
    style.legend_below(fig, columns=2)
    return fig
