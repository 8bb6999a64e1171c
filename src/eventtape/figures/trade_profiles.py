"""A trade along the price: profit in coins and dollars, weighted vega and gamma, dates overlaid.

Weighted vega and gamma are the position's: each leg's by the number held. Thin upright lines stand
at the sold strikes of the near expiry; the grey one is today's price.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from bokeh.models import BasicTicker, NumeralTickFormatter
from bokeh.models.annotations import Span
from bokeh.plotting import figure

from eventtape.clock import format_ns
from eventtape.figures import style
from eventtape.figures.words import plain
from eventtape.studies import DiffusionResult
from eventtape.studies.trade_rows import EVE, EXPIRY, HELD, ONSET, Profile, TradeResult

__all__ = [
    "coin_profile",
    "dollar_profile",
    "gamma_profile",
    "payoff_figure",
    "price_axis",
    "trade_frame",
    "vega_profile",
]

_LINES = {
    ONSET: (style.BLUE, "solid"),
    EVE: (style.VERMILLION, "solid"),
    HELD: (style.ORANGE, "dashed"),
    EXPIRY: (style.GREEN, "dotdash"),
}
_TITLES = {
    "coins": "Profit in coins along the price",
    "dollars": "Profit in dollars along the price",
    "vega": "Weighted vega along the price",
    "gamma": "Gamma along the price",
}
_THOUSANDS = 10_000.0
_BELOW = 14  # pixels between a legend and the next title


def coin_profile(result: TradeResult) -> figure:
    """Profit in coins along the price at every look; of legs in dollars, dollars over price."""
    return _profile(result, "coins", "profit, coins", tuple(_LINES), "0.00[0]")


def dollar_profile(result: TradeResult) -> figure:
    """Profit in dollars along the price at every look, the premium's own change within it."""
    return _profile(result, "dollars", "profit, dollars", tuple(_LINES), "0,0")


def vega_profile(result: TradeResult) -> figure:
    """Weighted vega along the price, per vol point, at the onset and the day before."""
    label = f"weighted vega, {result.unit} a vol point"
    form = "0.0000" if result.trade.legs.inverse else "0,0"
    return _profile(result, "vega", label, (ONSET, EVE, HELD), form)


def gamma_profile(result: TradeResult) -> figure:
    """Gamma along the price: units of delta per 1,000 dollars, at the onset and the day before."""
    return _profile(result, "gamma", "gamma, delta per 1,000 dollars", (ONSET, EVE, HELD), "0.000")


def payoff_figure(result: TradeResult) -> figure:
    """What the legs of each expiry make by it, in dollars, as if there were no others."""
    prices = result.payoffs[0].prices
    fig = trade_frame(
        result,
        title="Each expiry by itself, delivered",
        height=style.WIDE,
        x=style.Limits(float(prices[0]), float(prices[-1])),
        y=style.range_over(*(p.dollars for p in result.payoffs), include=[0.0]),
        x_label="delivery price, dollars",
        y_label="payoff less cost, dollars",
        tools=True,
    )
    price_axis(fig, float(prices[-1]))
    fig.yaxis.formatter = NumeralTickFormatter(format="0,0")
    style.add_zero(fig)
    _uprights(fig, result)
    colours = (style.VERMILLION, style.BLUE, style.GREEN, style.ORANGE, style.PURPLE, style.SKY)
    for payoff, colour in zip(result.payoffs, colours, strict=False):
        name = format_ns(payoff.expiry_ns)[:10]
        data = style.source(name, x=payoff.prices, y=payoff.dollars)
        line = fig.line("x", "y", source=data, color=colour, line_width=2, **style.labelled(name))
        style.add_hover(fig, [line], [(name, "@y{0,0}"), ("price", "@x{0,0}")])
    style.legend_below(fig, columns=2)
    return fig


def trade_frame(result: TradeResult, **options: Any) -> figure:
    """An empty figure of the house; all it asks of a result is whether it is simulated."""
    fig = style.frame(cast("DiffusionResult", result), **options)
    fig.margin = (0, 0, _BELOW, 0)
    return fig


def price_axis(fig: figure, highest: float) -> None:
    """Prices on the x axis, in thousands where they are as long as that."""
    form = "0[.]0a" if highest >= _THOUSANDS else "0,0[.]00"
    fig.xaxis.formatter = NumeralTickFormatter(format=form)
    fig.xaxis.ticker = BasicTicker(desired_num_ticks=5)


def _profile(
    result: TradeResult, name: str, y_label: str, labels: tuple[str, ...], form: str
) -> figure:
    scale = 1000.0 if name == "gamma" else 1.0
    shown = [(p, scale * getattr(p, name)) for p in result.profiles if p.label in labels]
    prices = result.profiles[0].prices
    title = _TITLES[name]
    fig = trade_frame(
        result,
        title=title,
        height=style.WIDE,
        x=style.Limits(float(prices[0]), float(prices[-1])),
        y=style.range_over(*(y for _, y in shown), include=[0.0]),
        x_label="price, dollars",
        y_label=y_label,
        tools=True,
    )
    price_axis(fig, float(prices[-1]))
    fig.yaxis.formatter = NumeralTickFormatter(format=form)
    style.add_zero(fig)
    _uprights(fig, result)
    for profile, y in shown:
        _line(fig, profile, y, form)
    style.legend_below(fig, columns=2)
    return fig


def _line(fig: figure, profile: Profile, y: np.ndarray[Any, Any], form: str) -> None:
    colour, dash = _LINES[profile.label]
    data = style.source(profile.label, x=profile.prices, y=y)
    line = fig.line(
        "x", "y", source=data, color=colour, line_dash=dash, line_width=2,
        **style.labelled(profile.label),
    )  # fmt: skip
    tips = [(plain(profile.label), f"@y{{{form}}}"), ("price", "@x{0,0}")]
    style.add_hover(fig, [line], tips)


def _uprights(fig: figure, result: TradeResult) -> None:
    """Today's price, and the sold strikes of the near expiry at the price that is their forward."""
    legs = result.trade.legs
    sold = (legs.quantity < 0.0) & (legs.expiry_ns == result.near_ns)
    for strike in np.unique((legs.strike / result.trade.carry)[sold]):
        mark = Span(
            location=float(strike), dimension="height", line_color=style.PURPLE, line_width=1,
            line_dash="dotted", name="sold strike",
        )  # fmt: skip
        fig.add_layout(mark)
    here = Span(
        location=result.trade.spot, dimension="height", line_color=style.INK, line_width=1,
        name="price now",
    )  # fmt: skip
    fig.add_layout(here)
