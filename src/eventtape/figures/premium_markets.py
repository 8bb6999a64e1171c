"""Events against ordinary days by market, cuts by quarter, and two events that are one number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from bokeh.plotting import figure

from eventtape.estimators.premium.event_premium import Ridge
from eventtape.estimators.premium.premium_market import PremiumMarket
from eventtape.figures import style
from eventtape.figures.premium_parts import headed, premium_frame, refuse, share_text
from eventtape.figures.states import reason_words
from eventtape.figures.words import plain
from eventtape.studies.premium_rows import PremiumResult, PremiumRow, QuarterCuts

__all__ = ["cuts_figure", "market_figure", "ridge_figure"]

_ARC = 121  # points of a quarter of an ellipse
_NAME = 12


def market_figure(market: PremiumMarket, result: PremiumResult) -> figure:
    """A bar a market: the event's move with its interval, over the ordinary daily move; percent."""
    n = len(market.markets)
    size, low, high, daily = (
        100.0 * v for v in (market.size, market.lower, market.upper, market.daily_365)
    )
    x = style.range_over(size, high, daily, include=[0.0])
    fig = premium_frame(
        result,
        title=f"Event and ordinary day, by market\n{result.config.level:.0%} intervals",
        height=150 + 62 * max(n, 1),
        x=style.Limits(0.0, x.high),
        y=style.Limits(n - 0.5 + (0.3 if result.simulated else 0.0), -0.5),
        x_label="one sd of a log return, %",
    )
    fig.yaxis.ticker = list(range(n))
    fig.yaxis.major_label_overrides = {i: plain(m, _NAME) for i, m in enumerate(market.markets)}
    fig.ygrid.visible = False
    at = np.arange(n, dtype=np.float64)
    data = style.source(
        "markets",
        y=at,
        above=at - 0.17,
        below=at + 0.17,
        size=size,
        low=low,
        high=high,
        daily=daily,
        said=[share_text(v) for v in market.size],
        ratio=[f"{v:.2f}" if math.isfinite(v) else "—" for v in market.ratio_365],
        sessions=[f"{v:.2f}" if math.isfinite(v) else "—" for v in market.ratio_252],
    )
    known = np.isfinite(size)
    event = fig.hbar(
        "above", 0.32, "size", 0.0, source=data, color=style.VERMILLION, fill_alpha=0.8,
        **style.labelled("event", when=known.any()),
    )  # fmt: skip
    fig.segment("low", "above", "high", "above", source=data, color=style.INK, line_width=2)
    ordinary = fig.hbar(
        "below", 0.32, "daily", 0.0, source=data, color=style.BLUE, fill_alpha=0.8,
        **style.labelled("ordinary day, 365 basis", when=known.any()),
    )  # fmt: skip
    tips = [
        ("event", "@said"), ("ordinary day", "@daily{0.00}%"),
        ("ratio, 365", "@ratio"), ("ratio, 252", "@sessions"),
    ]  # fmt: skip
    style.add_hover(fig, [event, ordinary], tips)
    refused = zip(market.statuses, market.reasons, strict=True)
    why = [
        (x.high / 2.0, float(i), r or str(s)) for i, (s, r) in enumerate(refused) if not known[i]
    ]
    reason_words(fig, why, "11px")
    style.legend_below(fig, columns=2)
    return fig


def cuts_figure(cuts: Sequence[QuarterCuts], result: PremiumResult) -> figure:
    """Moves of the policy rate priced for each quarter, cuts of 25 basis points; below 0 rises."""
    values = [one.cuts for one in cuts]
    fig = premium_frame(
        result,
        title="Rate cuts priced, by quarter",
        x=style.Limits(-0.6, max(len(cuts), 1) - 0.4),
        y=style.range_over(values, include=[0.0]),
        x_label="quarter",
        y_label="cuts of 25 bp",
    )
    fig.xaxis.ticker = list(range(len(cuts)))
    fig.xaxis.major_label_overrides = {i: plain(one.quarter, 8) for i, one in enumerate(cuts)}
    fig.xgrid.visible = False
    style.add_zero(fig)
    data = style.source(
        "cuts", x=list(range(len(cuts))), top=values, quarter=[one.quarter for one in cuts]
    )
    bars = fig.vbar("x", 0.7, "top", 0.0, source=data, color=style.BLUE, fill_alpha=0.8)
    style.add_hover(fig, [bars], [("quarter", "@quarter"), ("cuts", "@top{0.00}")])
    if not cuts:
        refuse(fig, "no quarter given")
    return fig


def ridge_figure(row: PremiumRow, ridge: Ridge, result: PremiumResult) -> figure:
    """All pairs of sizes that these options cannot tell apart: a line, not two numbers; percent.

    The line is n1 e1² + n2 e2² = size², n the events of each kind, and its ground the interval. Of
    three kinds or more it is drawn for the first against the second, the others taking nothing.
    """
    first, second = ridge.kinds[:2]
    n = [max(int(row.premium.counts[row.premium.kinds.index(kind)]), 1) for kind in (first, second)]
    ends = 100.0 * np.array([ridge.lower, ridge.size, ridge.upper])
    known = bool(np.isfinite(ends).all())
    most = 1.15 * float(ends[2]) if known else 1.0
    fig = premium_frame(
        result,
        title=f"{headed(row)}\nonly the sum is known",
        height=style.WIDE,
        x=style.Limits(0.0, most / math.sqrt(n[0])),
        y=style.Limits(0.0, most / math.sqrt(n[1])),
        x_label=f"{_events(first, n[0])}, one sd, %",
        y_label=f"{_events(second, n[1])}, one sd, %",
    )
    angle = np.linspace(0.0, 0.5 * math.pi, _ARC)
    across, up = np.cos(angle) / math.sqrt(n[0]), np.sin(angle) / math.sqrt(n[1])
    if known:
        inner, outer = ends[0], ends[2]
        data = style.source(
            "ridge band",
            x=np.r_[outer * across, inner * across[::-1]],
            y=np.r_[outer * up, inner * up[::-1]],
        )
        fig.patch(
            "x", "y", source=data, color=style.SKY, fill_alpha=0.35, line_color=None,
            **style.labelled(f"{result.config.level:.0%} interval"),
        )  # fmt: skip
        data = style.source("ridge", x=ends[1] * across, y=ends[1] * up)
        line = fig.line(
            "x", "y", source=data, color=style.BLUE, line_width=3,
            **style.labelled(f"together {share_text(ridge.size)}"),
        )  # fmt: skip
        style.add_hover(fig, [line], [(first, "@x{0.00}%"), (second, "@y{0.00}%")])
    else:
        refuse(fig, "nor is the sum known")
    style.legend_below(fig, columns=1)
    return fig


def _events(kind: str, n: int) -> str:
    return plain(kind, 16) if n == 1 else f"{plain(kind, 16)}, each of {n}"
